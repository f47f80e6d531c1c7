"""Membership associations per 10,000 people, by county and by city. Method file social_capital.md, sections 4 and 5."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.wages import recoded
from schemas.social import zcta_vintage

PER: Final = 10_000
UNIT: Final = 10_000
"""Factors have four decimals: in ten-thousandths all sums are whole numbers, the same in any order."""

STRONG_FROM: Final = 7_500
MARGINAL_FROM: Final = 3_500
"""Thresholds of the allocation quality, 0.75 and 0.35, in ten-thousandths."""

COUNTY: Final = ["state", "county"]
PLACE: Final = ["state", "place"]


def county_list(spine: pl.LazyFrame) -> pl.DataFrame:
    """The counties of the year: state, county, population."""
    return (
        spine.filter(pl.col("level") == "county").select("state", pl.col("geo").alias("county"), "population").collect()
    )


def county_cells(cbp_county: pl.LazyFrame, counties: pl.DataFrame) -> pl.DataFrame:
    """The published cells on the county codes of the year; those of areas that the list does not have included."""
    return recoded(cbp_county, counties.select("state", "county")).collect()


def county_counts(cbp_county: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    """Associations of the counties of the year that have a published cell: state, county, population, count, cells."""
    counties = county_list(spine)
    cells = (
        county_cells(cbp_county, counties).group_by(COUNTY).agg(count=pl.col("establishments").sum(), cells=pl.len())
    )
    return counties.join(cells, on=COUNTY, how="inner", validate="1:1").sort(COUNTY)


def place_parts(cbp_zip: pl.LazyFrame, zcta_place: pl.LazyFrame, year: int, *, stacked: bool = False) -> pl.DataFrame:
    """The ZIP areas of each place with the associations published for the ZIP code of the same digits.

    Columns: state, place, zcta, zcta_vintage, afact_10k and afact2_10k (ten-thousandths), establishments (null where no
    cell is published), cells. Only rows of the year's vintage of ZIP areas count, unless `stacked`.
    """
    counts = cbp_zip.group_by("zip").agg(pl.col("establishments").sum(), cells=pl.len())
    vintage = pl.lit(stacked) | (pl.col("zcta_vintage") == zcta_vintage(year))
    return (
        zcta_place.filter(vintage)
        .join(counts, left_on="zcta", right_on="zip", how="left", validate="m:1")
        .select(
            *PLACE,
            "zcta",
            "zcta_vintage",
            *((pl.col(c) * UNIT).round().cast(pl.Int64).alias(f"{c}_10k") for c in ("afact", "afact2")),
            "establishments",
            "cells",
        )
        .sort([*PLACE, "zcta", "zcta_vintage"])
        .collect()
    )


def place_counts(parts: pl.DataFrame) -> pl.DataFrame:
    """Sums over the ZIP areas of each place.

    Columns: state, place, weighted (associations, in ten-thousandths; null if no ZIP area has a published cell), zips
    (ZIP areas with a cell), products (allocation quality: sum of both factors' products, in units of 1e-8).
    """
    known = pl.col("establishments").is_not_null()
    weighted = pl.col("establishments") * pl.col("afact_10k")
    return (
        parts.group_by(PLACE)
        .agg(
            weighted=pl.when((known & (pl.col("afact_10k") > 0)).any()).then(weighted.sum()),
            zips=known.sum(),
            products=(pl.col("afact_10k") * pl.col("afact2_10k")).sum(),
        )
        .sort(PLACE)
    )


def rate(count: pl.Expr) -> pl.Expr:
    """Associations per 10,000 of `population`, to one decimal; null without people."""
    people = pl.col("population")
    return pl.when(people > 0).then((count / (people / PER)).round(1))


def allocation_quality(products: pl.Expr) -> pl.Expr:
    """1 from 0.75, 2 from 0.35, else 3; `products` in units of 1e-8."""
    return (
        pl.when(products >= STRONG_FROM * UNIT).then(1).when(products >= MARGINAL_FROM * UNIT).then(2).otherwise(3)
    ).cast(pl.Int8)
