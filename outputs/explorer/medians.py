"""Medians of counties and cities weighted by population, for the nation and each state, hidden where data are thin."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

HIDDEN_ABOVE: Final = 0.15
RULE: Final = (
    "Medians are weighted by population: half of the people live in places with a figure at or below it. A median is "
    "hidden if places whose figure is missing or Weak hold more than 15 percent of the people."
)


def weighted_median(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    """The reference's median (Hmisc `wtd.quantile`, default type): position 1 + (n - 1) / 2 in cumulated weights."""
    order = np.argsort(values, kind="stable")
    values, cumulated = values[order], np.cumsum(weights[order])
    position = 1 + (cumulated[-1] - 1) * 0.5
    low = max(np.floor(position), 1.0)
    at = np.searchsorted(cumulated, [low, min(low + 1, cumulated[-1])], side="left").clip(max=len(values) - 1)
    share = position % 1
    return float((1 - share) * values[at[0]] + share * values[at[1]])


def medians(figures: pl.DataFrame) -> pl.DataFrame:
    """Medians by scope, metric and year: columns scope ("US" or a state code), metric, year, median (null if hidden).

    `figures` has state, metric, year, value, quality, population; one row per place of one level. Places without a
    population do not count. Rounded to four decimals, as the reference's medians are.
    """
    counted = figures.filter(pl.col("population") > 0)
    both = pl.concat([counted.with_columns(pl.lit("US").alias("scope")), counted.with_columns(scope=pl.col("state"))])
    rows = []
    for key, part in both.partition_by("scope", "metric", "year", as_dict=True, maintain_order=False).items():
        values, weights = part["value"].to_numpy(), part["population"].to_numpy().astype(np.float64)
        there = ~np.isnan(values)
        weak = (part["quality"] == 3).fill_null(False).to_numpy()
        missing_share = round(float(weights[~there].sum() / weights.sum()), 4)
        weak_share = round(float(weights[weak].sum() / weights.sum()), 4)
        median = None
        # Both shares have four digits: added as whole ten-thousandths, 0.15 exactly is not above 0.15.
        if there.any() and round((missing_share + weak_share) * 1e4) <= round(HIDDEN_ABOVE * 1e4):
            median = round(weighted_median(values[there], weights[there]), 4)
        rows.append((*key, median))
    schema = {"scope": pl.String, "metric": pl.String, "year": pl.Int32, "median": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("scope", "metric", "year")
