"""How listed places overlap with counties, by population: Geocorr's county-to-place results.

Counties and places of 2014 with the people of 2010 until 2019; of 2020 with the people of 2020 afterwards, and from
2022 with Connecticut's planning regions, for which the engine gives a result of its own. Method file
housing_affordability.md, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.geography import CountyPlaceModel
from sources.framework import RawFile, Retrieval, Table
from sources.framework.states import BY_FIPS, PUERTO_RICO, within
from sources.framework.strict import ROW, Raw
from sources.geocorr import COUNTY_PLACE_VINTAGES, check_shares
from sources.geocorr import SOURCE as GEOCORR
from sources.geography import geographies

REMAINDER: Final = "99999"
CONNECTICUT: Final = "09"
REGIONS_SINCE: Final = 2022


@dataclass(frozen=True)
class Layout:
    """One result: its vintage and, in lower case, the names its columns may have."""

    vintage: str
    county: tuple[str, ...]
    place: tuple[str, ...]
    population: str


COUNTY_2014: Final = Layout("county14-place14", ("county14", "county"), ("placefp14", "place14"), "pop10")
COUNTY_2020: Final = Layout("county20-place20", ("county",), ("place",), "pop20")
# The region stands under its own name or, as in other results of that engine, under "county".
CT_REGION: Final = Layout("ctregion22-place20", ("ctregion", "county"), ("place",), "pop20")


def layouts(year: int, states: tuple[str, ...]) -> tuple[Layout, ...]:
    """The results that a data year is made from, for a scope of states."""
    if year < 2020:
        return (COUNTY_2014,)
    return (COUNTY_2020, CT_REGION) if year >= REGIONS_SINCE and CONNECTICUT in states else (COUNTY_2020,)


def read(file: RawFile, layout: Layout) -> pl.DataFrame:
    """All rows of one result: state, county (3 digits), place, population, afact. Order of the file.

    Known quirks: a second line of labels, capitals in column names, blanks at line ends, Latin-1 names, factors in
    either order, regions written with or without the state, no column `state` (it is in the county's code). The second
    factor is not read: the former engine works it out across states. Raises `InputError` for anything else.
    """
    raw = Raw.csv(file.path, source=GEOCORR.key, encoding="latin-1")
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns if c != ROW})
    found = raw.frame.columns
    county = next((c for c in layout.county if c in found), layout.county[0])
    place = next((c for c in layout.place if c in found), layout.place[0])
    with_state = {"state": "state"} if "state" in found else {}
    raw.select({**with_state, county: "county", place: "place", layout.population: "population", "afact": "afact"})
    # The line of labels: "State code", "County code (2014)", "Place (2014)", ...
    raw.drop_rows(pl.col("population").str.contains("(?i)population"))
    if raw.frame.height == 0:
        raise raw.error("there are labels but no rows.")
    if layout is CT_REGION:
        short = pl.col("county").str.len_chars() == 3
        raw.frame = raw.frame.with_columns(
            pl.when(short).then(CONNECTICUT + pl.col("county")).otherwise("county").alias("county")
        )
    raw.code("county", width=5, what="county code")
    if not with_state:
        raw.frame = raw.frame.with_columns(pl.col("county").str.head(2).alias("state"))
    raw.code("state", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state")
    raw.refuse(pl.col("county").str.head(2) != pl.col("state"), "the county lies in another state", column="county")
    if layout is CT_REGION:
        raw.refuse(~pl.col("county").str.contains(r"^091[1-9]0$"), "not a planning region", column="county")
    raw.code("place", width=5, what="place code")
    raw.number("population", pl.Int64, minimum=0)
    raw.number("afact", pl.Float64, minimum=0, maximum=1)
    raw.frame = raw.frame.with_columns(pl.col("county").str.tail(3))
    raw.unique("state", "county", "place")
    check_shares(raw, "county", "county", "population")
    return raw.done().select("state", "county", "place", "population", "afact")


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `county_place` of a data year: state, county, place, population, afact, place_share.

    One row per listed place of the year and the scope and county that it has people in. Notes, by result: rows of
    Puerto Rico, of what is outside places, of places that are not listed, and of nobody, all left out; listed places
    without rows. Raises `InputError` for a county that the year does not have.
    """
    states = tuple(state.fips for state in within(retrieval.scope.states))
    listed = geographies(year, states)
    places = listed.filter(pl.col("level") == "place").select("state", place="geo")
    counties = listed.filter(pl.col("level") == "county").select("state", county="geo")
    parts = []
    used = layouts(year, states)
    for layout in used:
        (file,) = retrieval.obtain(GEOCORR, layout.vintage)
        rows = read(file, layout)
        counts = {"Puerto Rico": rows.filter(pl.col("state") == PUERTO_RICO).height}
        rows = rows.filter(pl.col("state").is_in(list(states)))
        if CT_REGION in used and layout is not CT_REGION:
            counts["former counties of Connecticut"] = rows.filter(pl.col("state") == CONNECTICUT).height
            rows = rows.filter(pl.col("state") != CONNECTICUT)
        outside = pl.col("place") == REMAINDER
        counts["outside places"] = rows.filter(outside).height
        inside = rows.filter(~outside)
        rows = inside.join(places, on=["state", "place"], how="semi")
        counts["places not listed"] = inside.height - rows.height
        counts["nobody"] = rows.filter(pl.col("population") == 0).height
        rows = rows.filter(pl.col("population") > 0)
        _refuse_unknown_county(rows, counties, file, year)
        retrieval.notes[f"geocorr {layout.vintage}"] = counts
        parts.append(rows)
    table = pl.concat(parts)
    retrieval.notes["county_place"] = {
        "listed places without rows": places.join(table, on=["state", "place"], how="anti").height
    }
    share = pl.col("population") / pl.col("population").sum().over("state", "place")
    return table.with_columns(share.alias("place_share")).sort("state", "county", "place")


def _refuse_unknown_county(rows: pl.DataFrame, counties: pl.DataFrame, file: RawFile, year: int) -> None:
    unknown = rows.join(counties, on=["state", "county"], how="anti").sort("state", "county", "place")
    if unknown.height:
        state, county, place = unknown.select("state", "county", "place").row(0)
        raise InputError(
            f"county {state}-{county} (of place {place}) is not among the counties of {year}.",
            source=GEOCORR.key,
            file=file.path.name,
            column="county",
        )


TABLES: Final = (
    Table(
        name="county_place",
        title="Overlap of counties with places",
        description=(
            "People of each listed place by county: counties and places of 2014 until 2019, of 2020 afterwards, "
            "Connecticut in planning regions from 2022."
        ),
        model=CountyPlaceModel,
        sources=(GEOCORR.key,),
        years=tuple(sorted({year for vintage in COUNTY_PLACE_VINTAGES for year in vintage.data_years})),
        build=build,
    ),
)
