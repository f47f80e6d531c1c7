"""Gate of the table of federal income limits."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData


class HudIncomeLimitsModel(pa.DataFrameModel):
    """HUD's Section 8 income limits for a household of four, in dollars a year."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code of the data year")
    town: pl.String = pa.Field(str_matches=r"^\d{5}$", description="County subdivision; 99999 is the whole county")
    hud_county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code as the workbook has it")
    name: pl.String = pa.Field(str_matches=r"^\S(.*\S)?$", description="County or town")
    limit_30: pl.Int64 = pa.Field(ge=1, description="Extremely low income (at or near 30 percent of the area median)")
    limit_50: pl.Int64 = pa.Field(ge=1, description="Very low income (at or near 50 percent of the area median)")
    limit_80: pl.Int64 = pa.Field(ge=1, description="Low income (at or near 80 percent of the area median)")

    class Config:
        """Exactly these columns, one row per county or town."""

        strict = True
        ordered = True
        unique = ["state", "county", "town"]  # noqa: RUF012

    @pa.dataframe_check(error="the three limits are not in order")
    def in_order(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(
            (pl.col("limit_30") <= pl.col("limit_50")) & (pl.col("limit_50") <= pl.col("limit_80"))
        )
