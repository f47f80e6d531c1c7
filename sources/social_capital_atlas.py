"""Social Capital Atlas (Opportunity Insights and Meta): economic connectedness by county and by 2010 ZIP area.

Codes come as numbers, without leading zeros. Method file social_capital.md, section 3.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.social import ConnectednessCounty, ConnectednessZcta
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS
from sources.framework.strict import Raw

YEARS: Final = (2022,)
VINTAGE: Final = "2022"
SCALE: Final = 2.0
_HDX: Final = "https://data.humdata.org/dataset/85ee8e10-0c66-4635-b997-79b6fad44c71/resource"
COUNTY_FILE: Final = SourceFile(
    "social_capital_county.csv",
    "csv",
    url=f"{_HDX}/ec896b64-c922-4737-b759-e4bd7f73b8cc/download/social_capital_county.csv",
    min_bytes=100,
)
ZIP_FILE: Final = SourceFile(
    "social_capital_zip.csv",
    "csv",
    url=f"{_HDX}/ab878625-279b-4bef-a2b3-c132168d536e/download/social_capital_zip.csv",
    min_bytes=100,
)

SOURCE: Final = Source(
    key="social_capital_atlas",
    agency="Opportunity Insights, with Meta",
    dataset="Social Capital Atlas, county and ZIP code tables",
    citation=(
        "Chetty, R., Jackson, M. O., Kuchler, T., Stroebel, J., et al. (2022). Social Capital Atlas, Opportunity "
        "Insights; by way of the Humanitarian Data Exchange."
    ),
    licence="Creative Commons Attribution 4.0 (CC BY 4.0)",
    redistribute=True,
    landing_page="https://data.humdata.org/dataset/social-capital-atlas",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(
            VINTAGE,
            (COUNTY_FILE, ZIP_FILE),
            YEARS,
            published="2022-08",
            note="One snapshot: friendships as of May 2022 of people aged 25 to 44.",
        ),
    ),
    usual_release="once",
)


def build_connectedness_county(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `connectedness_county`; the snapshot is that of the vintage, whatever the year."""
    (file,) = retrieval.obtain(SOURCE, _vintage(year), (COUNTY_FILE.name,))
    table = read_county(file)
    retrieval.notes["connectedness_county"] = {"counties": table.height, "without a figure": table["ec"].null_count()}
    return table


def build_connectedness_zcta(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `connectedness_zcta`; the snapshot is that of the vintage, whatever the year."""
    (file,) = retrieval.obtain(SOURCE, _vintage(year), (ZIP_FILE.name,))
    table = read_zip(file)
    retrieval.notes["connectedness_zcta"] = {
        "ZIP areas": table.height,
        "without a figure": table["ec"].null_count(),
        "without a county, so without a state": table["state"].null_count(),
    }
    return table


def _vintage(year: int) -> str:
    return next(vintage.key for vintage in SOURCE.vintages if year in vintage.data_years)


def read_county(file: RawFile) -> pl.DataFrame:
    """The county file: state, county, ec, ec_se."""
    raw = Raw.csv(file.path, source=SOURCE.key)
    raw.select({"county": "geoid", "ec_county": "ec", "ec_se_county": "ec_se"})
    _county_code(raw)
    raw.unique("geoid").number("ec", minimum=0, maximum=SCALE, missing=("",)).number("ec_se", minimum=0, missing=("",))
    raw.refuse(
        pl.col("ec").is_null() != pl.col("ec_se").is_null(), "a figure or its standard error is missing", column="ec_se"
    )
    geoid = pl.col("geoid")
    return (
        raw.done()
        .select(geoid.str.head(2).alias("state"), geoid.str.tail(3).alias("county"), "ec", "ec_se")
        .sort("state", "county")
    )


def read_zip(file: RawFile) -> pl.DataFrame:
    """The ZIP code file: zcta, state, ec."""
    raw = Raw.csv(file.path, source=SOURCE.key)
    raw.select({"zip": "zcta", "county": "geoid", "ec_zip": "ec"})
    raw.code("zcta", width=5, pad=True, what="ZIP area").unique("zcta")
    raw.number("ec", minimum=0, maximum=SCALE, missing=("",))
    # A few ZIP areas are in no county.
    nowhere = pl.col("geoid") == ""
    located = Raw(raw.frame.filter(~nowhere), source=raw.source, file=raw.file)
    located.file_names = raw.file_names
    _county_code(located)
    state = located.frame.select("zcta", state=pl.col("geoid").str.head(2))
    return raw.done().join(state, on="zcta", how="left", validate="1:1").select("zcta", "state", "ec").sort("zcta")


def _county_code(raw: Raw) -> None:
    raw.refuse(~pl.col("geoid").str.contains(r"^\d{4,5}$"), "not a county code", column="geoid")
    raw.code("geoid", width=5, pad=True, what="county code")
    raw.refuse(~pl.col("geoid").str.head(2).is_in(list(BY_FIPS)), "the state is unknown", column="geoid")


TABLES: Final = (
    Table(
        name="connectedness_county",
        title="Economic connectedness by county",
        description=(
            "Twice the share of friends of high status among people of low status (1: friends are like the nation), "
            "with its standard error. One snapshot of May 2022."
        ),
        model=ConnectednessCounty,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_connectedness_county,
    ),
    Table(
        name="connectedness_zcta",
        title="Economic connectedness by ZIP area",
        description=(
            "Twice the share of friends of high status among people of low status (1: friends are like the nation), by "
            "ZIP code tabulation area of 2010. One snapshot of May 2022."
        ),
        model=ConnectednessZcta,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_connectedness_zcta,
    ),
)
