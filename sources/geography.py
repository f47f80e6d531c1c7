"""Which counties and places there are in a year: the registry, and the table `spine` that every estimate is held to."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib.resources import files
from typing import Final

import polars as pl

from schemas.errors import InputError, OwedError
from schemas.geography import SpineModel
from schemas.labels import LEVELS, Level
from sources import popest
from sources.framework import Retrieval, Table
from sources.framework.states import STATES, within

_GEO: Final = ["level", "state", "geo"]
_CONNECTICUT: Final = "09"
_BEFORE_REGIONS: Final = 2021


@cache
def registry() -> pl.DataFrame:
    """The registry as it stands in `sources/data`: level, state, code, name, valid_from, valid_to, note.

    `valid_from` and `valid_to` are years (Int32; `valid_to` null while the row is valid). One row per code and name.
    """
    text = (files("sources.data") / "geographies.csv").read_bytes()
    return pl.read_csv(text, infer_schema=False).with_columns(pl.col("valid_from", "valid_to").cast(pl.Int32))


def geographies(year: int, states: Collection[str] | None = None) -> pl.DataFrame:
    """The counties and places of a year: level, state, geo, name, state_name, sorted by their codes.

    `states` limits them to some states (2-digit FIPS codes; an unknown one is a `ValueError`). The registry begins in
    2014; an earlier year is a `ValueError`. Years after the latest change have the geographies of that change.
    """
    first = int(registry()["valid_from"].to_numpy().min())
    if year < first:
        raise ValueError(f"the registry of geographies begins in {first}; there is nothing for {year}")
    names = pl.DataFrame(STATES, schema=["state", "postal", "state_name"], orient="row")
    return (
        registry()
        .filter(pl.col("valid_from") <= year, (pl.col("valid_to") >= year).fill_null(True))
        .filter(pl.col("state").is_in([state.fips for state in within(states)]))
        .join(names, on="state", how="left", validate="m:1")
        .select("level", "state", pl.col("code").alias("geo"), "name", "state_name")
        .sort(_GEO)
    )


def former_counties() -> pl.DataFrame:
    """Connecticut's counties of before its planning regions, as `geographies`; a source may keep them for years."""
    return geographies(_BEFORE_REGIONS, (_CONNECTICUT,)).filter(pl.col("level") == "county")


def build_spine(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `spine`: level, state, geo, name, state_name, population (Int64).

    One row per county and place of the year and the scope. Where the population estimates cannot be had, `population`
    is null and the notes say what is owed: figures that do not need it can still be made. A county of the estimates
    that the registry does not have is an `InputError`, for then the registry is out of date. Notes: `owed`, and
    `spine rows without population` by level.
    """
    spine = geographies(year, retrieval.scope.states)
    found = [
        part.with_columns(pl.lit(level).alias("level"))
        for level in LEVELS
        if (part := _population(year, level, retrieval)) is not None
    ]
    if not found:
        return spine.with_columns(pl.lit(None, dtype=pl.Int64).alias("population"))
    people = pl.concat(found)
    _refuse_unknown_counties(people, spine, year, retrieval)
    joined = spine.join(people, on=_GEO, how="left", validate="1:1")
    missing = joined.filter(pl.col("population").is_null()).group_by("level").len().sort("level")
    if missing.height:
        retrieval.notes["spine rows without population"] = dict(missing.iter_rows())
    return joined.select([*SpineModel.to_schema().columns]).sort(_GEO)


def _population(year: int, level: Level, retrieval: Retrieval) -> pl.DataFrame | None:
    """Populations of a level, or None and a note if they are owed."""
    if year not in popest.years():
        _note_owed(retrieval, str(year), (), "No edition of the estimates is declared for this year yet.")
        return None
    try:
        return popest.population(year, level, retrieval)
    except OwedError as error:
        _note_owed(retrieval, error.vintage, error.files, error.recipe)
        return None


def _note_owed(retrieval: Retrieval, vintage: str, names: tuple[str, ...], recipe: str) -> None:
    owed = retrieval.notes.setdefault("owed", [])
    note = {"source": popest.SOURCE.key, "vintage": vintage, "files": list(names), "recipe": recipe}
    if isinstance(owed, list) and note not in owed:
        owed.append(note)


def _refuse_unknown_counties(people: pl.DataFrame, spine: pl.DataFrame, year: int, retrieval: Retrieval) -> None:
    """Places beyond the list are expected in the estimates; counties beyond the registry are not."""
    states = [state.fips for state in within(retrieval.scope.states)]
    counties = people.filter(pl.col("level") == "county", pl.col("state").is_in(states))
    unknown = counties.join(spine, on=_GEO, how="anti").sort(_GEO)
    if unknown.height:
        codes = ", ".join(f"{row['state']}-{row['geo']}" for row in unknown.head(10).iter_rows(named=True))
        raise InputError(
            f"counties of {year} that the registry of geographies does not have: {codes}.",
            source=popest.SOURCE.key,
            file=str(year),
            remedy="Add them to sources/data/geographies.csv, or take the file of another vintage away.",
        )


TABLES: Final = (
    Table(
        name="spine",
        title="Counties and places of the year",
        description=(
            "Every county and every listed place of the year with its official name and resident population. "
            "Each table of estimates has exactly these geographies."
        ),
        model=SpineModel,
        sources=(popest.SOURCE.key,),
        years=popest.years(),
        build=build_spine,
    ),
)
