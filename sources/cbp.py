"""County Business Patterns (Census Bureau): establishments of membership associations by county and by ZIP code.

Read from the agency's county file and ZIP code industry detail file; the answers of its API, asked industry by
industry, serve as well. From 2017 on a cell of fewer than three establishments is not published at all: a cell that is
not there is unknown, not zero. Method file social_capital.md, section 3.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.social import ASSOCIATIONS, CbpCounty, CbpZip
from sources.census_forms import api_table
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.large_csv import read_filtered, unpacked_member
from sources.framework.states import BY_FIPS
from sources.framework.strict import Raw, read_bytes

YEARS: Final = tuple(range(2014, 2023))
_FILES: Final = "https://www2.census.gov/programs-surveys/cbp/datasets"
_API: Final = "https://api.census.gov/data"
# Puerto Rico and the Island Areas, which some editions hold.
TERRITORIES: Final = ("60", "66", "69", "72", "78")
STATEWIDE: Final = "999"
"""County code of establishments that are in no one county."""

_COUNTY_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "state": ("fipstate", "FIPSTATE"),
    "county": ("fipscty", "FIPSCTY"),
    "naics": ("naics", "NAICS"),
    "establishments": ("est", "EST"),
}
_ZIP_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "zip": ("zip", "ZIP"),
    "naics": ("naics", "NAICS"),
    "establishments": ("est", "EST"),
}


def naics_column(year: int) -> str:
    """The API's name of the industry code: the classification changes with the year."""
    return "NAICS2012" if year < 2017 else "NAICS2017"


def county_file(year: int) -> SourceFile:
    """The agency's complete county file."""
    name = f"cbp{year % 100}co.zip"
    return SourceFile(name, "zip", url=f"{_FILES}/{year}/{name}", min_bytes=100)


def zip_file(year: int) -> SourceFile:
    """The agency's ZIP code industry detail file."""
    name = f"zbp{year % 100}detail.zip"
    return SourceFile(name, "zip", url=f"{_FILES}/{year}/{name}", min_bytes=100)


def api_files(year: int, area: str) -> tuple[SourceFile, ...]:
    """Answers of the API for `county` or `zip`, one per industry. ZIP codes had a data set of their own until 2018."""
    column = naics_column(year)
    dataset, region = ("cbp", "county") if area == "county" else ("zbp" if year < 2019 else "cbp", "zipcode")
    return tuple(
        SourceFile(
            f"{area}_{naics}.json",
            "json",
            url=f"{_API}/{year}/{dataset}?get=EMP,ESTAB,{column}&for={region}:*&{column}={naics}",
        )
        for naics in ASSOCIATIONS
    )


def _vintages(year: int) -> tuple[Vintage, ...]:
    return (
        Vintage(
            str(year),
            (county_file(year), zip_file(year)),
            (year,),
            note="Complete county file and ZIP code industry detail file.",
        ),
        Vintage(
            f"{year}-api",
            (*api_files(year, "county"), *api_files(year, "zip")),
            (),
            note="Answers of the Census API: read instead of the files if the store holds them.",
        ),
    )


SOURCE: Final = Source(
    key="cbp",
    agency="U.S. Census Bureau",
    dataset="County Business Patterns and ZIP Codes Business Patterns",
    citation="U.S. Census Bureau, County Business Patterns.",
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://www.census.gov/programs-surveys/cbp/data/datasets.html",
    access=Access.DOWNLOAD,
    vintages=tuple(vintage for year in YEARS for vintage in _vintages(year)),
    recipe="From the year's page of datasets take the complete county file and the ZIP code industry detail file.",
    usual_release="spring, two years later",
)


def build_cbp_county(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `cbp_county` of a year; notes count what was left out."""
    raw = _obtain(year, "county", retrieval)
    table, retrieval.notes["cbp_county"] = county_table(raw)
    return table


def build_cbp_zip(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `cbp_zip` of a year; notes count it."""
    raw = _obtain(year, "zip", retrieval)
    table, retrieval.notes["cbp_zip"] = zip_table(raw)
    return table


def _obtain(year: int, area: str, retrieval: Retrieval) -> Raw:
    """The cells of the ten industries from the API's answers if they are all there, else from the agency's file."""
    answers = tuple(file.name for file in api_files(year, area))
    if retrieval.has(SOURCE, f"{year}-api", answers):
        return read_api(retrieval.obtain(SOURCE, f"{year}-api", answers), year, area)
    name = (county_file(year) if area == "county" else zip_file(year)).name
    (file,) = retrieval.obtain(SOURCE, str(year), (name,))
    return read_file(file, area, retrieval)


def read_file(file: RawFile, area: str, retrieval: Retrieval) -> Raw:
    """The rows of the ten industries from the agency's file, a zip of one text file."""
    columns = _COUNTY_COLUMNS if area == "county" else _ZIP_COLUMNS
    pattern = r"cbp\d\dco\.(txt|csv)$" if area == "county" else r"zbp\d\ddetail\.(txt|csv)$"
    keep = pl.col("naics").is_in(list(ASSOCIATIONS))
    with unpacked_member(file.path, pattern, source=SOURCE.key, scratch=retrieval.scratch) as data:
        (raw,) = read_filtered(data, columns, keep=keep, source=SOURCE.key, scratch=retrieval.scratch)
    raw.file = file.path.name
    if raw.frame.height == 0:
        raise raw.error("the file holds none of the industries of membership associations.", column="naics")
    return raw


def read_api(files: list[RawFile], year: int, area: str) -> Raw:
    """The rows of the ten industries from the API's answers; one that holds all industries is cut to them."""
    codes = {"state": "state", "county": "county"} if area == "county" else {"zip code": "zip"}
    columns = {**codes, naics_column(year): "naics", "ESTAB": "establishments"}
    parts = []
    for file in files:
        raw = api_table(read_bytes(file.path, source=SOURCE.key), file.path, SOURCE.key)
        # The name of the geography in the header: "zip code", or "zipcode" in the older data set.
        raw.frame = raw.frame.rename({"zipcode": "zip code"}, strict=False)
        raw.select(columns)
        asked = file.name.removesuffix(".json").rpartition("_")[2]
        raw.drop_rows(pl.col("naics") != asked)
        if raw.frame.height == 0:
            raise raw.error(f"the answer holds no rows of industry {asked}.", column=naics_column(year))
        parts.append(raw)
    whole = Raw(pl.concat([part.frame for part in parts]), source=SOURCE.key, file=files[0].path.parent.name)
    whole.file_names = {new: old for old, new in columns.items()}
    return whole


def county_table(raw: Raw) -> tuple[pl.DataFrame, dict[str, int]]:
    """The cells of counties as the table, and counts of what was left out."""
    raw.code("state", width=2, what="state").code("county", width=3, what="county")
    _establishments(raw)
    rows = raw.frame.height
    territory, statewide = pl.col("state").is_in(TERRITORIES), pl.col("county") == STATEWIDE
    notes = {
        "cells read": rows,
        "cells of territories left out": raw.frame.filter(territory).height,
        "cells of no one county (999) left out": raw.frame.filter(statewide & ~territory).height,
    }
    raw.drop_rows(territory | statewide)
    raw.refuse(~pl.col("state").is_in(list(BY_FIPS)), "the state is unknown", column="state")
    raw.unique("state", "county", "naics")
    table = raw.done().select("state", "county", "naics", "establishments").sort("state", "county", "naics")
    return table, {**notes, "cells": table.height, "counties": table.select("state", "county").n_unique()}


def zip_table(raw: Raw) -> tuple[pl.DataFrame, dict[str, int]]:
    """The cells of ZIP codes as the table, and counts."""
    raw.code("zip", width=5, what="ZIP code")
    _establishments(raw)
    raw.unique("zip", "naics")
    table = raw.done().select("zip", "naics", "establishments").sort("zip", "naics")
    return table, {"cells": table.height, "ZIP codes": table["zip"].n_unique()}


def _establishments(raw: Raw) -> None:
    """Numbers of establishments; rows where the agency gives none are cells that are not published."""
    raw.drop_rows(pl.col("establishments").is_in(["", "N", "null"]))
    raw.number("establishments", pl.Int64, minimum=0)


TABLES: Final = (
    Table(
        name="cbp_county",
        title="Membership associations by county and industry",
        description=(
            "Establishments of ten industries of membership associations. A cell that is not there was not published: "
            "from 2017 on the agency withholds cells of fewer than three."
        ),
        model=CbpCounty,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_cbp_county,
    ),
    Table(
        name="cbp_zip",
        title="Membership associations by ZIP code and industry",
        description=(
            "Establishments of ten industries of membership associations. A cell that is not there was not published: "
            "from 2017 on the agency withholds cells of fewer than three."
        ),
        model=CbpZip,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_cbp_zip,
    ),
)
