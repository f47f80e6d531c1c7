"""Economic connectedness of counties and cities. Method file social_capital.md, sections 4 and 5."""

from __future__ import annotations

from typing import Final

import polars as pl

HALF: Final = 0.5
"""The source divides the share of friends of high status by one half; we publish the share itself."""

Z: Final = 1.959963984540054
"""The normal quantile of a 95 % interval."""

PLACE: Final = ["state", "place"]
WHOLE: Final = 1000
"""Thousandths of a ZIP area: all of it lies in the place, as far as three decimals tell."""


def county_shares(connectedness_county: pl.LazyFrame) -> pl.DataFrame:
    """Shares with their intervals: state, county, share, se, lb, ub (null where the source gives none)."""
    share, se = HALF * pl.col("ec"), HALF * pl.col("ec_se")
    return connectedness_county.select(
        "state", "county", share=share, se=se, lb=share - Z * se, ub=share + Z * se
    ).collect()


def place_parts(connectedness_zcta: pl.LazyFrame, zcta_place_area: pl.LazyFrame) -> pl.DataFrame:
    """The ZIP areas of each place that have a figure: state, place, zcta, ec, permille (of the area in the place).

    A part of a ZIP area in another state than the one the source puts the area in is lost, as in the reference.
    """
    return (
        zcta_place_area.join(
            connectedness_zcta.filter(pl.col("ec").is_not_null()),
            on=["state", "zcta"],
            how="inner",
            validate="m:1",
        )
        .select(*PLACE, "zcta", "ec", "permille")
        .sort([*PLACE, "zcta"])
        .collect()
    )


def place_shares(parts: pl.DataFrame) -> pl.DataFrame:
    """Averages over the ZIP areas of each place, weighted by the part of their area in it.

    Columns: state, place, share (null if all parts round to nothing), zips, whole (ZIP areas wholly inside), area (sum
    of the parts, in ZIP areas).
    """
    weight = pl.col("permille").sum()
    mean = (pl.col("ec") * pl.col("permille")).sum() / weight
    return parts.group_by(PLACE, maintain_order=True).agg(
        share=pl.when(weight > 0).then(HALF * mean),
        zips=pl.len(),
        whole=(pl.col("permille") == WHOLE).sum(),
        area=weight / WHOLE,
    )


def place_quality() -> pl.Expr:
    """By the part of the ZIP areas that lie wholly inside: 1 from a half, 2 above 0.15, else 3.

    In whole numbers, so that 3 of 20 is exactly 0.15. The reference has no rule for 0.15 itself.
    """
    whole, zips = pl.col("whole").cast(pl.Int64), pl.col("zips").cast(pl.Int64)
    return (pl.when(2 * whole >= zips).then(1).when(20 * whole > 3 * zips).then(2).otherwise(3)).cast(pl.Int8)
