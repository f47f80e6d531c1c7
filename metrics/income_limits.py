"""Income limits of counties and places, from HUD's limits by county or town.

Method file housing_affordability.md, section 4.
"""

from __future__ import annotations

from typing import Final

import polars as pl

LIMITS: Final[dict[int, str]] = {30: "limit_30", 50: "limit_50", 80: "limit_80"}
"""Income level (percent of the area median, by name) -> column of the limit in dollars a year, household of four."""

_COLUMNS: Final = tuple(LIMITS.values())


def area_limits(hud_income_limits: pl.LazyFrame, county_place: pl.LazyFrame | None) -> pl.DataFrame:
    """Limits of counties and, if their overlaps are given, of places: level, state, geo, limit_30, limit_50, limit_80.

    A county's limit is the plain mean of its rows (towns in New England). A place's is the mean of its counties',
    weighted by the place's people in each; null if one of them has none. Limits are Float64, dollars a year.
    """
    counties = (
        hud_income_limits.group_by("state", "county")
        .agg(pl.len().alias("rows"), *(pl.col(c).sum() for c in _COLUMNS))
        .collect()
        .sort("state", "county")
        .select("state", "county", *(pl.col(c) / pl.col("rows") for c in _COLUMNS))
    )
    limits = counties.select(pl.lit("county").alias("level"), "state", pl.col("county").alias("geo"), *_COLUMNS)
    if county_place is None:
        return limits
    people = pl.col("population")

    def mean(limit: str) -> pl.Expr:
        known = (pl.col(limit).null_count() == 0) & (people.sum() > 0)
        return pl.when(known).then((pl.col(limit) * people).sum() / people.sum()).alias(limit)

    # Sorted, and added up in that order: a sum of fractions depends on its order.
    places = (
        county_place.select("state", "county", "place", "population")
        .collect()
        .join(counties, on=["state", "county"], how="left", validate="m:1")
        .sort("state", "place", "county")
        .group_by("state", "place", maintain_order=True)
        .agg(mean(c) for c in _COLUMNS)
        .select(pl.lit("place").alias("level"), "state", pl.col("place").alias("geo"), *_COLUMNS)
    )
    return pl.concat([limits, places])
