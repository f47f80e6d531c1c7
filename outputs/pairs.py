"""Cities that are a county of their own: their figures beside those of the county, in one place.

The gate (rule X7) and the calibration report look at the same pairs with the same arithmetic; they differ in how close
two figures must be. Source of the pairs: counts of the 2020 census (place and county of one state with the same
population).
"""

from __future__ import annotations

from importlib import resources
from typing import Final

import polars as pl

KEY: Final = ("metric", "sample", "year", "subgroup_type", "subgroup")


def pairs_list() -> pl.DataFrame:
    """place (7 digits), county (5 digits), name: the cities that are a county of their own."""
    return pl.read_csv((resources.files("outputs") / "coterminous.csv").read_bytes(), infer_schema=False)


def side_by_side(long: pl.LazyFrame) -> pl.DataFrame:
    """Every metric, sample, year and subgroup of which one side of a pair has a figure.

    Columns: place, county, name, those of `KEY`, county_value, county_reason, place_value, place_reason, difference
    (place less county) and relative (to the county's figure; null if that is zero or one side is missing).
    """
    listed = pairs_list()
    rows = long.select("level", *KEY, pl.concat_str("state", "geo").alias("geoid"), "value", "reason")

    def side(level: str) -> pl.DataFrame:
        mine = rows.filter((pl.col("level") == level) & pl.col("geoid").is_in(listed[level].to_list()))
        figures = {f"{level}_value": pl.col("value"), f"{level}_reason": pl.col("reason")}
        return mine.select(*KEY, pl.col("geoid").alias(level), **figures).collect(engine="streaming")

    difference = pl.col("place_value") - pl.col("county_value")
    return (
        listed.join(side("county"), on="county", how="inner")
        .join(side("place"), on=["place", *KEY], how="inner", validate="1:1")
        .filter(pl.col("county_value").is_not_null() | pl.col("place_value").is_not_null())
        .with_columns(
            difference=difference,
            relative=pl.when(pl.col("county_value") != 0).then(difference / pl.col("county_value").abs()),
        )
    )


def agrees(tolerance: pl.Expr) -> pl.Expr:
    """Whether the two figures are equal but for `tolerance` of the county's; null if one side is missing."""
    near = pl.col("relative").abs() <= tolerance
    return (
        pl.when(pl.col("difference").is_not_null())
        .then((pl.col("difference") == 0) | near.fill_null(False))
        .otherwise(None)
    )
