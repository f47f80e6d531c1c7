"""Connecticut's 169 towns: the former county and the planning region each one lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.framework import Access, Source, SourceFile, Vintage
from sources.framework.strict import Raw

STATE: Final = "09"
VINTAGE: Final = "2022"
REGIONS_SINCE: Final = 2022

SOURCE: Final = Source(
    key="ct_towns",
    agency="CT Data Collaborative",
    dataset="Connecticut towns with 2020 counties and 2022 planning regions",
    citation="CT Data Collaborative. Connecticut town to planning region crosswalk.",
    licence="Free to use; the repository asks for attribution",
    redistribute=True,
    landing_page="https://github.com/CT-Data-Collaborative/ct-town-to-planning-region",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(
            key=VINTAGE,
            files=(
                SourceFile(
                    "ct-town-to-planning-region.csv",
                    "csv",
                    url=(
                        "https://raw.githubusercontent.com/CT-Data-Collaborative/ct-town-to-planning-region/"
                        "refs/heads/main/ct-town-to-planning-region.csv"
                    ),
                    min_bytes=100,
                ),
            ),
            data_years=tuple(range(REGIONS_SINCE, 2026)),
        ),
    ),
    recipe="Take the CSV from the repository's main page.",
    usual_release="does not change",
)


def read(path: Path) -> pl.DataFrame:
    """The towns: town (5 digits), county (former, 3 digits), region (planning region, 3 digits), name; sorted by town.

    Codes in the file are numbers and have lost the leading zero of the state; they are padded. Refused are codes of
    another state, former counties and regions there never were, a town whose own five digits differ between its two
    codes or whose region is not that of its newer code, and a town listed twice.
    """
    raw = Raw.csv(path, source=SOURCE.key)
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    raw.select({"town_name": "name", "town_fips_2020": "old", "town_fips_2022": "new", "ce_fips_2022": "region"})
    raw.refuse(pl.col("name") == "", "the town has no name", column="name")
    for column, width, what in (("old", 10, "town code"), ("new", 10, "town code"), ("region", 5, "region code")):
        # One digit is lost to the number format. A shorter code has lost more than that.
        raw.refuse(pl.col(column).str.len_chars() < width - 1, f"the {what} has too few digits", column=column)
        raw.code(column, width=width, pad=True, what=what)
        raw.refuse(~pl.col(column).str.starts_with(STATE), "not in Connecticut", column=column)
    raw.refuse(~pl.col("old").str.contains(r"^090(01|03|05|07|09|11|13|15)"), "not a former county", column="old")
    raw.refuse(~pl.col("region").str.contains(r"^091[1-9]0$"), "not a planning region", column="region")
    raw.refuse(pl.col("new").str.head(5) != pl.col("region"), "the town's code names another region", column="new")
    town = pl.col("new").str.tail(5)
    raw.refuse(pl.col("old").str.tail(5) != town, "the five digits of the town changed", column="new")
    raw.frame = raw.frame.with_columns(town.alias("town"))
    raw.unique("town")
    return (
        raw.done()
        .select("town", pl.col("old").str.slice(2, 3).alias("county"), pl.col("region").str.tail(3), "name")
        .sort("town")
    )
