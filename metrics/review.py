"""Figures that a person should look at before a release: listed with their rows, never dropped or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.labels import ALL

SERIES: Final = ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")
"""The key of `Estimate` without the year: figures with the same values are one series."""


@dataclass(frozen=True)
class Review:
    """One list of a predictor.

    `find` gets estimates (columns of `Estimate`, any predictors and years) and returns the rows to look at, with
    `year` and the columns of `SERIES` first, sorted by them. With `looks_back`, a figure is compared with that of the
    year before, so that both years must be in the frame.
    """

    name: str
    title: str
    find: Callable[[pl.LazyFrame], pl.DataFrame]
    looks_back: bool = False


def changes(estimates: pl.LazyFrame, metrics: tuple[str, ...], *, factor: float = 2.0) -> pl.DataFrame:
    """Figures for everybody that more than doubled or halved (`factor`) from one year to the next.

    Columns: year (the later one) and `SERIES`; before, after, ratio; quality_before, quality_after; n_before, n_after
    (agencies reporting). A rise from nothing is listed with a null ratio; nothing in both years is no change. Missing
    figures are not compared.
    """
    figures = estimates.filter(
        pl.col("metric").is_in(metrics), pl.col("subgroup") == ALL, pl.col("value").is_not_null()
    ).select("year", *SERIES, "value", "quality", "n")
    earlier = figures.with_columns(pl.col("year") + 1).rename(
        {"value": "before", "quality": "quality_before", "n": "n_before"}
    )
    later = figures.rename({"value": "after", "quality": "quality_after", "n": "n_after"})
    ratio = pl.when(pl.col("before") > 0).then(pl.col("after") / pl.col("before"))
    risen = (pl.col("before") == 0) & (pl.col("after") > 0)
    return (
        later.join(earlier, on=["year", *SERIES], how="inner", validate="1:1")
        .with_columns(ratio.alias("ratio"))
        .filter(risen | ((pl.col("ratio") > factor) | (pl.col("ratio") < 1 / factor)).fill_null(False))
        .select(
            "year",
            *SERIES,
            *("before", "after", "ratio", "quality_before", "quality_after", "n_before", "n_after"),
        )
        .sort("year", *SERIES)
        .collect()
    )


def above(estimates: pl.LazyFrame, bounds: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """Figures above what is plausible.

    `bounds`: metric -> (bound for everybody, bound for a group). Columns: year and `SERIES`; value, bound, numerator,
    denominator, quality. A figure equal to its bound is not above it.
    """
    everybody, group = ({m: pair[i] for m, pair in bounds.items()} for i in (0, 1))
    bound = (
        pl.when(pl.col("subgroup") == ALL)
        .then(pl.col("metric").replace_strict(everybody, return_dtype=pl.Float64))
        .otherwise(pl.col("metric").replace_strict(group, return_dtype=pl.Float64))
    )
    return (
        estimates.filter(pl.col("metric").is_in(list(bounds)))
        .with_columns(bound.alias("bound"))
        .filter(pl.col("value") > pl.col("bound"))
        .select("year", *SERIES, "value", "bound", "numerator", "denominator", "quality")
        .sort("year", *SERIES)
        .collect()
    )
