"""From the figures of survey cells to rows of `Estimate`: missing values, reasons and flags, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.areas import MINIMUM_SAMPLE, Areas
from schemas.labels import ALL

Figures = dict[str, npt.NDArray[Any]]

COLUMNS: Final = (
    *("level", "state", "geo", "subgroup_type", "subgroup", "metric", "value", "lb", "ub", "quality", "n"),
    *("n_effective", "se", "cv", "numerator", "denominator", "allocation", "estimation_area", "n_areas", "reason"),
)
"""The columns of `Estimate` that survey cells fill; those they have no figure for are left out."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """A subgroup type of the records: `code` is the position in `labels`, null for a record of no group."""

    kind: str
    labels: tuple[str, ...]
    code: pl.Expr


Sample = Literal["n_effective", "n"]
"""The count that must reach the minimum: allocation factors added up over records, or the records themselves."""

EVERYBODY: Final = Grouping("all", (ALL,), pl.lit(0, dtype=pl.UInt8))


@dataclass(frozen=True, eq=False)
class Filter:
    """One step of a universe: records for which `keep` is true stay.

    `cases` is a column and the codes outside which no record stays, where the step is one of codes: an extract of the
    microdata may be limited to them.
    """

    name: str
    keep: pl.Expr
    cases: tuple[str, frozenset[int]] | None = None


def universe(filters: tuple[Filter, ...]) -> pl.Expr:
    """True for records that pass all filters (a null counts as false)."""
    return reduce(and_, (f.keep for f in filters)).fill_null(False)


def rows(
    areas: Areas,
    grouping: Grouping,
    metric: str,
    figures: Mapping[str, npt.NDArray[Any]],
    *,
    suppress_by: Sample = "n_effective",
) -> pl.DataFrame:
    """Cells (geographies x labels) as `Estimate` columns, without year and sample.

    Each array of `figures` has a row per geography and a column per label; NaN means missing. `value`, `n` and
    `n_effective` must be there; `lb` and `ub` only where an interval is wanted; further arrays become columns of their
    name. A value is only given where the sample (`suppress_by`) suffices. Where it does not, everything that the value
    could be told from is missing, too.
    """
    cells = areas.cells(grouping.kind, grouping.labels).with_columns(
        pl.lit(metric).alias("metric"), *(pl.Series(name, values.reshape(-1)) for name, values in figures.items())
    )
    floats = [c for c, t in cells.schema.items() if t == pl.Float64]
    missing = pl.col("value").is_null()
    bounded = {"lb", "ub"} <= set(cells.columns)
    no_bound = (pl.col("lb").is_null() | pl.col("ub").is_null()) if bounded else pl.lit(False)
    reason = (
        pl.when(pl.col(suppress_by) < MINIMUM_SAMPLE)
        .then(pl.lit("effective sample below 30"))
        .when(missing)
        .then(pl.lit("denominator is zero"))
        .when(no_bound)
        .then(pl.lit("bound not defined"))
        .when(pl.col("quality") == 3)
        .then(pl.lit("area smaller than its sampling area"))
        .when(pl.col("quality") == 2)
        .then(pl.lit("area partly outside its sampling area"))
    )
    cells = cells.with_columns(pl.col(floats).fill_nan(None)).with_columns(
        reason.alias("reason"), pl.when(~missing).then("quality").alias("quality")
    )
    if "se" in cells.columns:
        cells = cells.with_columns(pl.when(pl.col("value") > 0).then(pl.col("se") / pl.col("value")).alias("cv"))
    extra = [c for c in figures if c not in COLUMNS]
    return cells.select(*(c for c in COLUMNS if c in cells.columns), *extra)


def sampled(count: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Cells whose sample is not below the minimum."""
    return np.asarray(count >= MINIMUM_SAMPLE)
