"""Synthetic NIBRS segments as R files: offenses, arrests of both groups, and the batch header with the agencies.

Each county has a sheriff and each listed place a city police in the county where most of its people live; there are
campus, tribal and state police, and police that serve two counties. The files keep the source's ways: Alaska's and
Connecticut's former county codes (Connecticut's regions from 2023), "Wyoming V2", territories, ages in words, juveniles
without ethnicity, agencies without county, without population, or that do not report, offenses of unlisted agencies.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from schemas.justice import ETHNICITIES, FONDLING, PERSONS, PROPERTY, RACES, SOCIETY_IN_FAMILIES
from sources.nibrs import COUNTIES, HEADER, HEADER_VINTAGE, MONTHS, SOURCE, YEARS, arrest_files, offense_file
from sources.synthetic.world import NOT_A_PLACE, World

CITY: Final = "city"
SHERIFF: Final = "county"
STATE_POLICE: Final = "state police"
OFFENSES: Final = (
    *PERSONS,
    FONDLING[0],
    *PROPERTY,
    *SOCIETY_IN_FAMILIES,
    "drug/narcotic offenses - drug/narcotic violations",
    "weapon law violations - weapon law violations",
)
PEOPLE_PER_OFFENSE: Final = 400
MOST_RECORDS: Final = 250
SILENT_PERCENT: Final = {2021: 30, 2022: 20, 2023: 12}
# The first agency of every so many has the trait.
WITHOUT_COUNTY_EVERY: Final = 41
WITHOUT_POPULATION_EVERY: Final = 53
WITHOUT_MONTHS_EVERY: Final = 41
# Of the agencies without records, these say that they reported all year: nothing happened there.
QUIET_EVERY: Final = 4
TWO_COUNTIES_EVERY: Final = 17
ARRESTS_NONE_EVERY: Final = 13
UNLISTED_ORI: Final = "NC9999900"


def agencies(world: World, year: int) -> pl.DataFrame:
    """The agencies of a year: ori, state, postal, kind, county, second (county), place, city_name, persons, number.

    `county` is coded as the batch header does it; `place` is null for agencies that are not a city's.
    """
    parts = []
    for state in world.states:
        layer = "county_2022" if state.code == "09" and year >= 2023 else "county_2014"
        counties = world.people(layer, year).filter(pl.col("state") == state.code).sort("code")
        codes = counties["code"].to_list()
        sheriffs = counties.select(
            pl.lit(SHERIFF).alias("kind"),
            pl.col("code").alias("county"),
            pl.col("code").shift(-1).alias("second"),
            pl.lit(None, pl.String).alias("place"),
            pl.format("{} county", pl.col("code")).alias("city_name"),
            "persons",
        )
        overlap = world.crosswalk("place", layer, "pop2020").filter(
            pl.col("state") == state.code, pl.col("source") != NOT_A_PLACE
        )
        main = overlap.sort("source", "persons", "target", descending=[False, True, False]).unique(
            "source", keep="first", maintain_order=True
        )
        names = world.registry("place", year).filter(pl.col("state") == state.code).select("geo", "name")
        cities = main.join(names, left_on="source", right_on="geo", how="inner", validate="1:1").select(
            pl.lit(CITY).alias("kind"),
            pl.col("target").alias("county"),
            pl.lit(None, pl.String).alias("second"),
            pl.col("source").alias("place"),
            pl.col("name").str.to_lowercase().str.replace(r" (city|town|municipality)$", "").alias("city_name"),
            "persons",
        )
        others = pl.DataFrame(
            [
                (kind, codes[i % len(codes)], None, None, f"{state.name.lower()} {kind}", 0)
                for i, kind in enumerate(("university or college", "tribal", STATE_POLICE, "other"))
            ],
            schema=sheriffs.schema,
            orient="row",
        )
        listed = pl.concat([sheriffs, cities, others], how="vertical_relaxed").with_row_index("number", offset=1)
        parts.append(
            listed.with_columns(
                pl.lit(state.code).alias("state"),
                pl.lit(state.postal).alias("postal"),
                pl.concat_str(pl.lit(state.postal), pl.col("number").cast(pl.String).str.zfill(5), pl.lit("00")).alias(
                    "ori"
                ),
            )
        )
    return pl.concat(parts).with_columns(pl.col("number").cast(pl.Int64))


def _header(world: World, year: int, listed: pl.DataFrame) -> pl.DataFrame:
    """The year's rows of the batch header."""
    names = {state.code: state.name.lower() for state in world.states} | {"56": "wyoming v2"}
    number = pl.col("number")
    without = (number % WITHOUT_COUNTY_EVERY == 0) | (pl.col("kind") == "tribal")
    reports = pl.col("ori").is_in(_reporting(world, year, listed)["ori"].to_list())
    months = pl.when(reports | (number % QUIET_EVERY == 0)).then(12.0).otherwise(0.0)
    second = pl.when(number % TWO_COUNTIES_EVERY == 0).then("second")
    rows = listed.select(
        "ori",
        pl.lit(float(year)).alias("year"),
        pl.col("state").replace_strict(names).alias("state"),
        pl.col("postal").alias("state_abbreviation"),
        "city_name",
        pl.col("kind").alias("agency_indicator"),
        pl.when(pl.col("kind") == CITY).then(pl.lit("Y")).otherwise(pl.lit("N")).alias("core_city"),
        pl.when(number % WITHOUT_POPULATION_EVERY != 0).then(pl.col("persons").cast(pl.Float64)).alias("population"),
        pl.when(number % WITHOUT_MONTHS_EVERY != 0).then(months).alias(MONTHS),
        pl.when(~without).then("county").alias(COUNTIES[0]),
        pl.when(~without).then(second).alias(COUNTIES[1]),
        *(pl.lit(None, pl.String).alias(c) for c in COUNTIES[2:]),
    )
    # Guam is listed, too.
    guam = rows.head(1).with_columns(
        ori=pl.lit("GM0010000"), state=pl.lit("guam"), state_abbreviation=pl.lit("GM"), population=pl.lit(0.0)
    )
    return pl.concat([rows, guam])


def _reporting(world: World, year: int, listed: pl.DataFrame) -> pl.DataFrame:
    """Agencies that report in a year; the number of records of each."""
    rng = world.rng("nibrs", year)
    loud = pl.Series(rng.integers(0, 100, listed.height) >= SILENT_PERCENT[year])
    # In every state nobody reports from one of the counties.
    silent_county = pl.col("county") == pl.col("county").sort_by("county").last().over("state")
    number = (pl.col("persons") // PEOPLE_PER_OFFENSE).clip(3, MOST_RECORDS).cast(pl.Int64)
    return listed.filter(loud, ~silent_county).select("ori", number.alias("records"))


def _drawn(
    rng: np.random.Generator, values: tuple[str | None, ...], weights: tuple[float, ...], rows: int
) -> pl.Series:
    """A column of labels."""
    share = np.array(weights) / sum(weights)
    picked = rng.choice(len(values), rows, p=share)
    return pl.Series(values, dtype=pl.String).gather(pl.Series(picked))


def _offenses(world: World, year: int, reporting: pl.DataFrame) -> pl.DataFrame:
    extra = pl.DataFrame({"ori": [UNLISTED_ORI, "GM0010000"], "records": [4, 2]})
    oris = pl.concat([reporting, extra]).select(pl.col("ori").repeat_by("records").explode())["ori"]
    rng = world.rng("nibrs_offense", year)
    # Assault, theft and vandalism are common.
    weights = tuple(8.0 if "assault" in o or "larceny" in o or "damage" in o else 1.0 for o in OFFENSES)
    return pl.DataFrame(
        {
            "ori": oris,
            "year": np.full(len(oris), float(year)),
            "unique_incident_id": pl.Series(range(len(oris))).cast(pl.String) + f"-{year}",
            "ucr_offense_code": _drawn(rng, OFFENSES, weights, len(oris)),
            "offense_attempted_or_completed": _drawn(rng, ("completed", "attempted"), (9, 1), len(oris)),
        }
    )


def _arrests(world: World, year: int, group: str, reporting: pl.DataFrame) -> pl.DataFrame:
    """The arrests of one segment; some agencies have no arrest at all."""
    number = pl.col("ori").str.slice(2, 5).cast(pl.Int64)
    arresting = reporting.filter(number % ARRESTS_NONE_EVERY != 0)
    part = 2 if group == "a" else 4
    oris = arresting.select(pl.col("ori").repeat_by((pl.col("records") // part).clip(1)).explode())["ori"]
    rng = world.rng(f"nibrs_arrest_{group}", year)
    rows = len(oris)
    ages = pl.Series(rng.integers(8, 70, rows)).cast(pl.String)
    young = pl.Series(rng.integers(10, 18, rows)).cast(pl.String)
    word = _drawn(rng, ("unknown", "over 98 years old"), (4, 1), rows)
    die = pl.Series(rng.integers(0, 100, rows))
    age = pl.select(pl.when(die < 4).then(word).when(die < 45).then(young).otherwise(ages)).to_series()
    return pl.DataFrame(
        {
            "ori": oris,
            "year": np.full(rows, float(year)),
            "arrest_transaction_number": pl.Series(range(rows)).cast(pl.String) + f"-{group}-{year}",
            "age_of_arrestee": age,
            "sex_of_arrestee": _drawn(rng, ("male", "female"), (7, 3), rows),
            "race_of_arrestee": _drawn(rng, RACES, (55, 30, 3, 2, 4, 6), rows),
            "ethnicity_of_arrestee": _drawn(rng, (*ETHNICITIES[:2], "unknown", None), (18, 66, 8, 8), rows),
        }
    )


def _write(path: Path, frame: pl.DataFrame) -> None:
    """An R file of one data frame; packed here, because the library puts the time of day into the file."""
    import pyreadr

    path.parent.mkdir(parents=True, exist_ok=True)
    pyreadr.write_rds(str(path), frame.to_pandas())
    path.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1, mtime=0))


def write(root: Path, world: World) -> None:
    """The segments of each year, and one batch header for all of them and the year before."""
    years = [year for year in world.years if year in YEARS]
    if not years:
        return
    listed = {year: agencies(world, year) for year in YEARS}
    header = pl.concat([_header(world, year, listed[year]) for year in YEARS])
    earlier = header.filter(pl.col("year") == YEARS[0]).with_columns(year=pl.lit(float(YEARS[0] - 1)))
    _write(root / SOURCE.key / HEADER_VINTAGE / HEADER.name, pl.concat([earlier, header]))
    for year in years:
        folder = root / SOURCE.key / str(year)
        reporting = _reporting(world, year, listed[year])
        _write(folder / offense_file(year), _offenses(world, year, reporting))
        for name, group in zip(arrest_files(year), ("a", "b"), strict=True):
            _write(folder / name, _arrests(world, year, group, reporting))
