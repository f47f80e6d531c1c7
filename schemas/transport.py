"""Tracts of the Housing + Transportation Affordability Index."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData


class HtTractsModel(pa.DataFrameModel):
    """Modelled transit use and transportation cost of a household at 80 % of the regional median income, by tract."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code, as of the edition.")
    tract: pl.String = pa.Field(str_matches=r"^\d{6}$", description="Tract code.")
    households: pl.Int64 = pa.Field(ge=0, description="Households.")
    transit_percent: pl.Float64 = pa.Field(
        ge=0, le=100, nullable=True, description="Commuters who use transit, percent; null where nobody lives."
    )
    cost_percent: pl.Float64 = pa.Field(
        ge=0, nullable=True, description="Transportation cost, percent of income; null where nobody lives."
    )

    class Config:
        """Exactly these columns; one row per tract."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract"]

    @pa.dataframe_check(error="a percentage is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        percents = (pl.col(c).is_finite().fill_null(True) for c in ("transit_percent", "cost_percent"))
        return data.lazyframe.select(pl.all_horizontal(percents))
