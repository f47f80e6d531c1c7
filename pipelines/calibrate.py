"""What the calibration report of a release is given: the Census Bureau's own figures, as far as they are at hand."""

import polars as pl

from outputs.calibration import PUBLISHED
from pipelines.workspace import Workspace

INCOME_TABLE = "acs_area_income"
"""Median household income of the Bureau's five-year tables (B19013), by county and place."""


def published_figures(ws: Workspace) -> pl.DataFrame | None:
    """The Bureau's figures of all years that are in the data root (columns `PUBLISHED`); None if there are none."""
    found = []
    for year in ws.years("tables", INCOME_TABLE):
        frame = ws.scan("tables", INCOME_TABLE, year)
        if frame is not None:
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
    return pl.concat(found).collect().select(list(PUBLISHED)) if found else None
