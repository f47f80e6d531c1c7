"""Tables of debt in collections: shares of adults with a credit record, by county or city and neighborhood type."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.labels import ALL, RACE_SHARE

COLOR, WHITE_SHARE, _ = RACE_SHARE
NEIGHBORHOODS: Final = (ALL, COLOR, WHITE_SHARE)
ANY_DEBT: Final = "any"
MEDICAL: Final = "medical"


class DebtCounty(pa.DataFrameModel):
    """One row per county, kind of debt and neighborhood type that the publisher lists."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code of the publisher's county list")
    debt: pl.String = pa.Field(isin=[ANY_DEBT, MEDICAL], description="Any debt in collections, or medical debt")
    subgroup: pl.String = pa.Field(isin=list(NEIGHBORHOODS), description="All, or neighborhood type by ZIP code")
    share: pl.Float64 = pa.Field(ge=0, le=1, nullable=True, description="Share of adults; null where withheld")
    lb: pl.Float64 = pa.Field(ge=0, le=1, nullable=True, description="Lower bound, 95 %; 2018 only")
    ub: pl.Float64 = pa.Field(ge=0, le=1, nullable=True, description="Upper bound, 95 %; 2018 only")

    class Config:
        """Exactly these columns, one row per cell."""

        strict = True
        ordered = True
        unique = ["state", "county", "debt", "subgroup"]  # noqa: RUF012

    @pa.dataframe_check(error="lb <= share <= ub does not hold, or a bound stands without a share")
    def bounds(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        low = (pl.col("lb") <= pl.col("share")).fill_null(True)
        ordered = low & (pl.col("share") <= pl.col("ub")).fill_null(True)
        return data.lazyframe.select(ordered & (pl.col("share").is_not_null() | pl.col("lb").is_null()))

    @pa.dataframe_check(error="a bound stands alone")
    def both_bounds(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("lb").is_null() == pl.col("ub").is_null())


class DebtPlace(pa.DataFrameModel):
    """One row per city and neighborhood type that the publisher lists: derogatory debt."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    place: pl.String = pa.Field(str_matches=r"^\d{5}$", description="Place FIPS code")
    city: pl.String = pa.Field(description="The publisher's name of the city")
    subgroup: pl.String = pa.Field(isin=list(NEIGHBORHOODS), description="All, or neighborhood type by ZIP code")
    share: pl.Float64 = pa.Field(ge=0, le=1, nullable=True, description="Share of adults; null where withheld")

    class Config:
        """Exactly these columns, one row per cell."""

        strict = True
        ordered = True
        unique = ["state", "place", "subgroup"]  # noqa: RUF012
