"""Any table of records with replicate weights as one survey design, for the same code that computes the predictors.

Each group of the table becomes a county that is exactly one PUMA, all of them in one state. So a share's degrees of
freedom are those of the whole table and a quantile's those of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.allocation import ALLOCATION, SCALE
from metrics.replication import Weights
from schemas.errors import InputError

STATE: Final = "00"
_DECIMALS: Final = 12


@dataclass(frozen=True, eq=False)
class SingleDesign:
    """Records and allocation table of the design; `groups` maps the group's name to its county code (`geo`)."""

    records: pl.LazyFrame
    allocation: pl.DataFrame
    groups: dict[str, str]


def single_design(frame: pl.DataFrame, *, group: str, weights: Weights) -> SingleDesign:
    """Prepare `frame` (one row per record, up to 999 groups) for `share_estimates` and `quantile_estimates`.

    Weights may have decimals (weights that an allocation factor was already applied to): they are multiplied by the
    smallest power of ten that makes all of them integers, which changes no ratio. Raises `InputError` if more than 12
    decimals would be needed.
    """
    columns = weights.columns
    for decimals in range(_DECIMALS + 1):
        scaled = [pl.col(c).cast(pl.Float64) * 10.0**decimals for c in columns]
        # A decimal number times a power of ten is an integer up to its own rounding.
        error = pl.max_horizontal((s - s.round()).abs() / pl.max_horizontal(s.abs(), 1.0) for s in scaled).max()
        if frame.select(error).item() < 1e-14:
            break
    else:
        raise InputError(f"weights have more than {_DECIMALS} decimals.", source="single design", column=weights.full)
    names = frame[group].unique(maintain_order=True).to_list()
    codes = {name: f"{i:03d}" for i, name in enumerate(names, start=1)}
    puma = pl.col(group).replace_strict(codes, return_dtype=pl.String).str.zfill(5)
    records = frame.lazy().with_columns(
        pl.lit(STATE).alias("state"),
        puma.alias("puma"),
        pl.lit(0, dtype=pl.Int16).alias("puma_vintage"),
        *(s.round().cast(pl.Int64).alias(c) for c, s in zip(columns, scaled, strict=True)),
    )
    table = pl.DataFrame({"geo": list(codes.values())}).with_columns(
        pl.lit("county").alias("level"),
        pl.lit(STATE).alias("state"),
        pl.col("geo").str.zfill(5).alias("puma"),
        pl.lit(0).alias("puma_vintage"),
        pl.lit(1.0).alias("afact"),
        pl.lit(SCALE).alias("afact_10k"),
        *(pl.lit(1).alias(c) for c in ("afact2", "sum_products", "quality", "quality_reference", "n_pumas")),
    )
    allocation = table.select(pl.col(c).cast(t) for c, t in ALLOCATION.items())
    return SingleDesign(records, allocation, codes)
