"""Census Bureau population estimates (and the 2020 census count): people per county and place.

Which figure a data year takes (method file crosswalks.md, section 7): counties the estimate of the same vintage, places
likewise, except that places of 2021 and 2022 come from vintage 2023; 2020 is the census count of 1 April.
"""

from __future__ import annotations

import json
from typing import Any, Final

import polars as pl

from schemas.errors import InputError
from schemas.labels import GEO_WIDTH, Level
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Vintage
from sources.framework.states import BY_FIPS, PUERTO_RICO
from sources.framework.strict import Raw, read_bytes

_BASE: Final = "https://www2.census.gov/programs-surveys/popest/datasets"
_FIRST: Final = 2014
_LATEST: Final = 2025
_CENSUS: Final = 2020
_COUNTY: Final = "050"
_STATE: Final = "040"
_PLACE: Final = "162"
# Summary levels of the files: state, county, subdivision (and its place parts), place part, place, consolidated city.
_LEVELS: Final = ("040", "050", "061", "071", "157", "162", "170", "172")


def _decade(vintage: int) -> str:
    """The folder of a vintage: estimates run from the census before it."""
    return f"{2010 if vintage < _CENSUS else 2020}-{vintage}"


def _county_file(year: int) -> SourceFile:
    if year == _CENSUS:
        return _census_file("county", "county:*")
    name = f"co-est{year}-alldata.csv"
    return SourceFile(name, "csv", url=f"{_BASE}/{_decade(year)}/counties/totals/{name}")


def _place_file(year: int) -> SourceFile:
    if year == _CENSUS:
        return _census_file("place", "place:*&in=state:*")
    vintage = 2023 if year in (2021, 2022) else year
    name = f"sub-est{vintage}.csv" if vintage > _CENSUS else f"sub-est{vintage}_all.csv"
    return SourceFile(
        name,
        "csv",
        url=f"{_BASE}/{_decade(vintage)}/cities/totals/{name}",
        accept=(f"sub-est{year}.csv",) if name != f"sub-est{year}.csv" else (),
    )


def _census_file(level: Level, geography: str) -> SourceFile:
    return SourceFile(
        f"dec2020pl-P1_001N-{level}.json",
        "json",
        url=f"https://api.census.gov/data/2020/dec/pl?get=NAME,P1_001N&for={geography}",
    )


SOURCE: Final = Source(
    key="popest",
    agency="US Census Bureau",
    dataset="Population Estimates Program, county and city totals; 2020 Census redistricting data (P.L. 94-171)",
    citation="US Census Bureau, Population Estimates Program, annual resident population estimates.",
    licence="US government work, public domain",
    redistribute=True,
    landing_page="https://www.census.gov/programs-surveys/popest/data/data-sets.html",
    access=Access.DOWNLOAD,
    vintages=tuple(
        Vintage(str(year), (_county_file(year), _place_file(year)), (year,)) for year in range(_FIRST, _LATEST + 1)
    ),
    usual_release="counties in March, places in May of the following year",
)


def years() -> tuple[int, ...]:
    """The data years for which a vintage is declared."""
    return tuple(year for vintage in SOURCE.vintages for year in vintage.data_years)


def population(year: int, level: Level, retrieval: Retrieval) -> pl.DataFrame:
    """People per county or place of the 50 states and DC: state, geo, population (Int64).

    Places are all the file has, not only those that estimates are published for. Raises `OwedError` if the file cannot
    be had, `InputError` if it is wrong, and `KeyError` for a year without a vintage. Left-out rows of Puerto Rico are
    counted in the retrieval's notes.
    """
    declared = _county_file(year) if level == "county" else _place_file(year)
    (file,) = retrieval.obtain(SOURCE, str(year), (declared.name,))
    frame = _read_census(file, level) if year == _CENSUS else _read_estimates(file, year, level)
    outside = frame.filter(pl.col("state") == PUERTO_RICO).height
    if outside:
        retrieval.notes[f"popest {level} rows of Puerto Rico left out"] = outside
    return frame.filter(pl.col("state") != PUERTO_RICO)


def _read_estimates(file: RawFile, year: int, level: Level) -> pl.DataFrame:
    """The agency's CSV: SUMLEV, STATE, COUNTY or PLACE, NAME (places), POPESTIMATE{year}, and others not needed."""
    column = "COUNTY" if level == "county" else "PLACE"
    figure = f"POPESTIMATE{year}"
    # Names in these files are Latin-1; every byte is valid there, and only codes and figures are taken.
    raw = Raw.csv(file.path, source=SOURCE.key, encoding="latin-1")
    raw.select(["SUMLEV", "STATE", column, figure, *(["NAME"] if level == "place" else [])])
    raw.code("SUMLEV", width=3, pad=True, allowed=_LEVELS, what="summary level")
    raw.code("STATE", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state")
    raw.code(column, width=GEO_WIDTH[level], what=level)
    states = raw.frame.filter(pl.col("SUMLEV") == _STATE)
    raw.drop_rows(pl.col("SUMLEV") != (_COUNTY if level == "county" else _PLACE))
    if level == "place":
        # The part of a place in one county; the whole place has a row of its own.
        raw.drop_rows(pl.col("NAME").str.contains("(pt.)", literal=True))
    if raw.frame.height == 0:
        raise raw.error(f"there are no {level} rows.", column="SUMLEV")
    raw.number(figure, pl.Int64, minimum=0).unique("STATE", column)
    if level == "county" and states.height:
        _compare_with_states(raw, states, figure)
    return raw.done().select(state="STATE", geo=column, population=figure)


def _compare_with_states(raw: Raw, states: pl.DataFrame, figure: str) -> None:
    """The counties of a state add up to the state's own row: no county is missing."""
    stated = Raw(states, source=raw.source, file=raw.file).number(figure, pl.Int64, minimum=0).unique("STATE")
    sums = raw.frame.group_by("STATE").agg(pl.col(figure).sum().alias("sum"))
    both = stated.frame.join(sums, on="STATE", how="left", validate="1:1").with_columns(pl.col("sum").fill_null(0))
    for row in both.filter(pl.col(figure) != pl.col("sum")).head(1).iter_rows(named=True):
        raise raw.error(
            f"the counties of state {row['STATE']} add up to {row['sum']:,}, the state row says {row[figure]:,}.",
            row=row["_row"],
            column=figure,
        )


def _read_census(file: RawFile, level: Level) -> pl.DataFrame:
    """The API's JSON: a list of rows, the first of them the names NAME, P1_001N, state, county or place."""
    header, rows = _json_table(file)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row").fill_null("")
    raw = Raw(frame, source=SOURCE.key, file=file.path.name)
    raw.select(["P1_001N", "state", level])
    raw.code("state", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state")
    raw.code(level, width=GEO_WIDTH[level], what=level)
    raw.number("P1_001N", pl.Int64, minimum=0).unique("state", level)
    return raw.done().select("state", geo=level, population="P1_001N")


def _json_table(file: RawFile) -> tuple[list[str], list[list[str | None]]]:
    def refuse(problem: str, row: int | None = None) -> InputError:
        return InputError(problem, source=SOURCE.key, file=file.path.name, row=row)

    try:
        content: Any = json.loads(read_bytes(file.path, source=SOURCE.key))
    except json.JSONDecodeError as error:
        raise refuse(f"this is not JSON ({error.msg}).", error.lineno) from error
    if not isinstance(content, list) or not content or not all(isinstance(row, list) for row in content):
        raise refuse("a list of rows is expected.")
    width = len(content[0])
    if len(set(content[0])) != width or not all(isinstance(name, str) for name in content[0]):
        raise refuse("the first row must hold the column names.", 1)
    for number, row in enumerate(content[1:], start=2):
        if len(row) != width or not all(cell is None or isinstance(cell, str) for cell in row):
            raise refuse(f"the row does not have {width} texts.", number)
    if len(content) == 1:
        raise refuse("there is a header but no rows.")
    return content[0], content[1:]
