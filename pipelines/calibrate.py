"""What the calibration report of a release is given: the Census Bureau's own figures, as far as they are at hand."""

from typing import Final

import polars as pl

from outputs.calibration import COMPARED, PUBLISHED
from pipelines.workspace import Workspace

PUBLISHED_TABLE: Final = "acs_published"
"""The Bureau's figures that are fetched to compare with."""
INCOME_TABLE: Final = "acs_area_income"
"""Median household income of the five-year tables (B19013), which a predictor needs anyway."""


def calibrates(metrics: list[str]) -> bool:
    """Whether the Bureau publishes figures to compare with any of these metrics."""
    return any(metric in COMPARED for metric in metrics)


def published_figures(ws: Workspace) -> pl.DataFrame | None:
    """The Bureau's figures of all years that are in the data root (columns `PUBLISHED`); None if there are none."""
    found = []
    for year in ws.years("tables", PUBLISHED_TABLE):
        if (frame := ws.scan("tables", PUBLISHED_TABLE, year)) is not None:
            found.append(frame.with_columns(pl.lit(year, dtype=pl.Int32).alias("year")).select(list(PUBLISHED)))
    for year in ws.years("tables", INCOME_TABLE):
        if (frame := ws.scan("tables", INCOME_TABLE, year)) is not None:
            found.append(
                frame.select(
                    pl.lit(year, dtype=pl.Int32).alias("year"),
                    *("level", "state", "geo"),
                    pl.lit("pctl_income_50").alias("metric"),
                    pl.lit("acs5").alias("sample"),
                    pl.col("median_income").cast(pl.Float64).alias("published"),
                    pl.col("median_income_moe").cast(pl.Float64).alias("published_moe"),
                ).drop_nulls("published")
            )
    if not found:
        return None
    # Both may hold a median income; they are of one table of the Bureau.
    key = [c for c in PUBLISHED if not c.startswith("published")]
    return pl.concat(found).collect().unique(key, keep="first", maintain_order=True)
