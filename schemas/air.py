"""Tracts of EPA's air toxics assessments."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

HAZARDS = ("cancer", "neurological", "respiratory")


def _hazard(what: str) -> pl.Float64:
    field: pl.Float64 = pa.Field(ge=0, nullable=True, description=what)
    return field


class AirToxicsTractsModel(pa.DataFrameModel):
    """Cancer risk and hazard quotients of air toxics, all sources together, one row per tract of the nation."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code, as the agency has it.")
    tract: pl.String = pa.Field(str_matches=r"^\d{6}$", description="Tract code, as the agency has it.")
    cancer: pl.Float64 = pa.Field(ge=0, description="Lifetime cancer risk, cases per million people.")
    neurological: pl.Float64 = _hazard("Neurological hazard quotient.")
    respiratory: pl.Float64 = _hazard("Respiratory hazard quotient.")

    class Config:
        """Exactly these columns; one row per tract."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract"]

    @pa.dataframe_check(error="a hazard is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.all_horizontal(pl.col(c).is_finite().fill_null(True) for c in HAZARDS))
