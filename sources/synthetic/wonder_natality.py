"""Synthetic births by mother's county, in CDC WONDER's exports.

Counties of 100,000 people or more are named, the others pooled as SS999; Delaware has three named counties and no pool.
Connecticut is listed by its former counties in all years. Counts of 1 to 9 are suppressed, and one small county of
North Carolina is listed without figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.wonder_export import export
from sources.synthetic.world import World, county_layer
from sources.wonder_natality import GROUPS, MISSING_WORD, POOL, SUPPRESSED_UP_TO, SUPPRESSED_WORD, YEARS, query

SOURCE: Final = "wonder_natality"
DATASET: Final = "Natality, 2007-2023"
NAMED_FROM: Final = 100_000
NEVER_POOLED: Final = ("10",)
WITHOUT_FIGURES: Final = "37123"
BIRTHS_PER_1000: Final = 11
RACE_SHARES: Final = (0.55, 0.20, 0.17, 0.08)
RACE_LOW: Final = (0.07, 0.145, 0.08, 0.09)
EDUCATION_SHARES: Final = (0.13, 0.27, 0.28, 0.32)


def write(root: Path, world: World) -> None:
    """The 18 exports of each year from 2016 on."""
    for year in (y for y in world.years if y in YEARS):
        areas = _areas(world, year)
        births, low = _counts(world, year, areas["persons"].to_list())
        for g, group in enumerate(GROUPS):
            for weight, counts in (("all", births[:, g]), ("lbw", low[:, g])):
                recipe = query(year, group, weight)
                rows = [
                    (name, code, [_cell(int(n), code)])
                    for name, code, n in zip(areas["name"], areas["code"], counts, strict=True)
                ]
                write_bytes(root / SOURCE / str(year) / recipe.file, export(recipe, DATASET, rows, [int(counts.sum())]))


def _areas(world: World, year: int) -> pl.DataFrame:
    """Rows of the export: named counties, the pool of each state, the county without figures: code, name, persons."""
    # The source still has Connecticut's former counties when the planning regions are there.
    people = pl.concat(
        [
            world.people(county_layer(year), year).filter(pl.col("state") != "09"),
            world.people(county_layer(2020), year).filter(pl.col("state") == "09"),
        ]
    )
    postal = pl.DataFrame([(s.code, s.postal) for s in world.states], schema=["state", "postal"], orient="row")
    names = pl.concat([world.registry("county", y).select("state", "geo", "name") for y in (2020, year)])
    large = (pl.col("persons") >= NAMED_FROM) & (pl.col("state") + pl.col("code") != WITHOUT_FIGURES)
    named = large | pl.col("state").is_in(NEVER_POOLED)
    listed = (
        people.join(names.unique(["state", "geo"]), left_on=["state", "code"], right_on=["state", "geo"], how="left")
        .join(postal, on="state", how="left", validate="m:1")
        .with_columns(geo=pl.when(named).then(pl.col("code")).otherwise(pl.lit(POOL)))
        .group_by("state", "geo", "postal")
        .agg(pl.col("name").first(), pl.col("persons").sum())
        .with_columns(
            pl.when(pl.col("geo") == POOL).then(pl.lit("Unidentified Counties")).otherwise("name").alias("name")
        )
        .select(
            (pl.col("state") + pl.col("geo")).alias("code"),
            pl.format("{}, {}", "name", "postal").alias("name"),
            "persons",
        )
    )
    extra = pl.DataFrame({"code": [WITHOUT_FIGURES], "name": ["Montgomery County, NC"], "persons": [0]})
    return pl.concat([listed, extra], how="vertical_relaxed").sort("code")


def _counts(world: World, year: int, people: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Births and low-weight births per area (rows) and group of `GROUPS` (columns). Groups add up to less than all."""
    rng = world.rng(SOURCE, year)
    persons = np.array(people)
    total = rng.poisson(persons * BIRTHS_PER_1000 / 1000)
    races = np.array([rng.multinomial(n, (*(0.99 * s for s in RACE_SHARES), 0.01)) for n in total])
    schools = np.array([rng.multinomial(n, (*(0.98 * s for s in EDUCATION_SHARES), 0.02)) for n in total])
    low_races = rng.binomial(races, (*RACE_LOW, 0.09))
    low = low_races.sum(axis=1)
    low_schools = np.array([rng.multivariate_hypergeometric(s, n) for s, n in zip(schools, low, strict=True)])
    births = np.column_stack([total, races[:, :4], schools[:, :4]])
    return births, np.column_stack([low, low_races[:, :4], low_schools[:, :4]])


def _cell(count: int, code: str) -> object:
    if code == WITHOUT_FIGURES:
        return MISSING_WORD
    return SUPPRESSED_WORD if 1 <= count <= SUPPRESSED_UP_TO else count
