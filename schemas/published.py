"""Model of the Census Bureau's own published figures that ours are compared with."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl


class AcsPublishedModel(pa.DataFrameModel):
    """One published figure of one area and sample."""

    level: pl.String = pa.Field(isin=["county", "place"], description="county or place.")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$", description="County (3 digits) or place (5 digits) code.")
    metric: pl.String = pa.Field(description="Our metric that the figure is compared with.")
    sample: pl.String = pa.Field(isin=["acs1", "acs5"], description="Survey file: one year or five.")
    published: pl.Float64 = pa.Field(ge=0, description="The Bureau's figure, in the unit of our metric.")
    published_moe: pl.Float64 = pa.Field(
        ge=0, nullable=True, description="Its margin of error at 90 percent; null where none can be given."
    )

    class Config:
        """Exactly these columns; one row per area, metric and sample."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["level", "state", "geo", "metric", "sample"]
