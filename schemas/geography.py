"""Gates of the tables about geographies: the spine, Geocorr's factors and overlaps, and the allocation made of them."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.labels import GEO_WIDTH, LEVELS

_GEO: Final = ["level", "state", "geo"]


def _width(data: PolarsData) -> pl.LazyFrame:
    wanted = pl.col("level").replace_strict(GEO_WIDTH, default=-1)
    return data.lazyframe.select(pl.col("geo").str.len_bytes() == wanted)


def _finite(data: PolarsData, *columns: str) -> pl.LazyFrame:
    return data.lazyframe.select(pl.all_horizontal(pl.col(c).is_finite() for c in columns))


class SpineModel(pa.DataFrameModel):
    """The geographies of one year with their populations."""

    level: pl.String = pa.Field(isin=list(LEVELS), description="county or place")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$", description="County (3) or place (5 digits) code")
    name: pl.String = pa.Field(str_matches=r"^\S(.*\S)?$", description="Official name in that year")
    state_name: pl.String = pa.Field(str_matches=r"^[A-Z][A-Za-z ]+$", description="Name of the state")
    population: pl.Int64 = pa.Field(
        ge=0, nullable=True, description="Resident population; null if the estimates could not be had"
    )

    class Config:
        """Exactly these columns, one row per geography."""

        strict = True
        ordered = True
        unique = _GEO

    @pa.dataframe_check(error="the code's width does not fit its level")
    def width(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _width(data)


class PumaGeographyModel(pa.DataFrameModel):
    """How PUMAs overlap with counties and places, as Geocorr gives it.

    PUMAs of 2000 are there for data years whose 5-year file has interviews in them, if their table is at hand.
    """

    level: pl.String = pa.Field(isin=list(LEVELS), description="county or place")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    geo: pl.String = pa.Field(
        str_matches=r"^(\d{3}|\d{5})$", description="County or place code of the crosswalk's own vintage"
    )
    puma: pl.String = pa.Field(str_matches=r"^\d{5}$", description="PUMA code within the state")
    puma_vintage: pl.Int16 = pa.Field(isin=[2000, 2010, 2020], description="Census the PUMA was drawn after")
    population: pl.Float64 = pa.Field(ge=0, description="People of the PUMA in the geography, at that census")
    afact: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the PUMA's people in the geography")
    afact2: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the geography's people in the PUMA, as delivered")

    class Config:
        """Exactly these columns, one row per geography and PUMA."""

        strict = True
        ordered = True
        unique = [*_GEO, "puma", "puma_vintage"]  # noqa: RUF012

    @pa.dataframe_check(error="the code's width does not fit its level")
    def width(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _width(data)

    @pa.dataframe_check(error="a factor or population is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "population", "afact", "afact2")


class PumaAllocationModel(pa.DataFrameModel):
    """The allocation of PUMAs to the counties and places of a data year, with its quality."""

    level: pl.String = pa.Field(isin=list(LEVELS), description="county or place")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$", description="County or place code of the data year")
    puma: pl.String = pa.Field(str_matches=r"^\d{5}$", description="PUMA code within the state")
    puma_vintage: pl.Int16 = pa.Field(isin=[2000, 2010, 2020], description="Census the PUMA was drawn after")
    afact: pl.Float64 = pa.Field(gt=0, le=1, description="Share of the PUMA's people in the geography")
    afact_10k: pl.Int64 = pa.Field(ge=0, le=10_000, description="round(10,000 * afact), for exact sums")
    afact2: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the geography's people in the PUMA")
    sum_products: pl.Float64 = pa.Field(
        ge=0, le=1.01, description="Sum of afact * afact2 over the geography's PUMAs: allocation quality"
    )
    quality: pl.Int8 = pa.Field(isin=[1, 2, 3], description="1 from 0.75, 2 from 0.35, else 3")
    quality_reference: pl.Int8 = pa.Field(isin=[1, 2, 3], description="The flag the reference publishes")
    n_pumas: pl.Int32 = pa.Field(ge=1, description="PUMAs of this geography and vintage")

    class Config:
        """Exactly these columns, one row per geography and PUMA."""

        strict = True
        ordered = True
        unique = [*_GEO, "puma", "puma_vintage"]  # noqa: RUF012

    @pa.dataframe_check(error="the code's width does not fit its level")
    def width(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _width(data)

    @pa.dataframe_check(error="a factor is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "afact", "afact2", "sum_products")

    @pa.dataframe_check(error="n_pumas is not the number of the geography's rows")
    def counted(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("n_pumas") == pl.len().over(*_GEO, "puma_vintage"))

    @pa.dataframe_check(error="afact_10k is not afact in 1/10,000")
    def integers(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select((pl.col("afact") * 10_000 - pl.col("afact_10k")).abs() <= 0.5)


class CountyPlaceModel(pa.DataFrameModel):
    """How the listed places overlap with counties, by population."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code of the data year")
    place: pl.String = pa.Field(str_matches=r"^\d{5}$", description="Place code")
    population: pl.Int64 = pa.Field(ge=0, description="People of the place in the county, at the crosswalk's census")
    afact: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the county's people in the place, as delivered")
    place_share: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the place's people in the county")

    class Config:
        """Exactly these columns, one row per county and place."""

        strict = True
        ordered = True
        unique = ["state", "county", "place"]  # noqa: RUF012

    @pa.dataframe_check(error="a share is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "afact", "place_share")

    @pa.dataframe_check(error="the shares of a place do not add up to one")
    def whole_places(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        total = pl.col("place_share").sum().over("state", "place")
        return data.lazyframe.select((total - 1).abs() < 1e-9)
