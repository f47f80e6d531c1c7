"""Tables of the social-capital predictor: associations, connectedness, and how ZIP areas (ZCTAs) spread over places."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

# Industries of membership associations (the list of the County Health Rankings); the same in NAICS 2012 and 2017.
ASSOCIATIONS: Final[dict[str, str]] = {
    "711211": "sports teams and clubs",
    "713910": "golf courses and country clubs",
    "713940": "fitness and recreational sports centers",
    "713950": "bowling centers",
    "813110": "religious organizations",
    "813410": "civic and social organizations",
    "813910": "business associations",
    "813920": "professional organizations",
    "813930": "labor unions",
    "813940": "political organizations",
}
ZCTA_VINTAGES: Final = (2010, 2020)


def zcta_vintage(year: int) -> int:
    """The census whose ZIP areas a data year is allocated with: 2010 until 2019, 2020 afterwards."""
    return 2010 if year < 2020 else 2020


_STATE: Final = r"^\d{2}$"
_FIVE: Final = r"^\d{5}$"


class CbpCounty(pa.DataFrameModel):
    """One row per county and industry of associations for which a number of establishments is published."""

    state: pl.String = pa.Field(str_matches=_STATE, description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", ne="999", description="County code of the source's own list")
    naics: pl.String = pa.Field(isin=list(ASSOCIATIONS), description="Industry")
    establishments: pl.Int64 = pa.Field(ge=0, description="Establishments")

    class Config:
        """Exactly these columns, one row per cell."""

        strict = True
        ordered = True
        unique = ["state", "county", "naics"]  # noqa: RUF012


class CbpZip(pa.DataFrameModel):
    """One row per ZIP code and industry of associations for which a number of establishments is published."""

    zip: pl.String = pa.Field(str_matches=_FIVE, description="ZIP code")
    naics: pl.String = pa.Field(isin=list(ASSOCIATIONS), description="Industry")
    establishments: pl.Int64 = pa.Field(ge=0, description="Establishments")

    class Config:
        """Exactly these columns, one row per cell."""

        strict = True
        ordered = True
        unique = ["zip", "naics"]  # noqa: RUF012


class ZctaPlace(pa.DataFrameModel):
    """How the people of ZIP areas spread over listed places, by census blocks."""

    zcta: pl.String = pa.Field(str_matches=_FIVE, description="ZIP code tabulation area")
    zcta_vintage: pl.Int16 = pa.Field(isin=list(ZCTA_VINTAGES), description="Census the areas were drawn for")
    state: pl.String = pa.Field(str_matches=_STATE, description="State of the place")
    place: pl.String = pa.Field(str_matches=_FIVE, ne="99999", description="Place code")
    afact: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the ZIP area's people who live in the place")
    afact2: pl.Float64 = pa.Field(ge=0, le=1, description="Share of the place's people who live in the ZIP area")

    class Config:
        """Exactly these columns, one row per ZIP area, vintage and place."""

        strict = True
        ordered = True
        unique = ["zcta", "zcta_vintage", "state", "place"]  # noqa: RUF012

    @pa.dataframe_check(error="a factor is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("afact").is_finite() & pl.col("afact2").is_finite())


class ZctaPlaceArea(pa.DataFrameModel):
    """Which part of a 2010 ZIP area's land and water lies in a listed place of 2021."""

    zcta: pl.String = pa.Field(str_matches=_FIVE, description="ZIP code tabulation area of 2010")
    state: pl.String = pa.Field(str_matches=_STATE, description="State of the place")
    place: pl.String = pa.Field(str_matches=_FIVE, description="Place code")
    permille: pl.Int32 = pa.Field(ge=0, le=1000, description="Part of the ZIP area in the place, in thousandths")

    class Config:
        """Exactly these columns, one row per ZIP area and place."""

        strict = True
        ordered = True
        unique = ["zcta", "state", "place"]  # noqa: RUF012


def _ec() -> pl.Float64:
    # Twice the share of friends of high status: 1 where friends are like the nation.
    field: pl.Float64 = pa.Field(ge=0, le=2, nullable=True, description="Economic connectedness; null if not given")
    return field


class ConnectednessCounty(pa.DataFrameModel):
    """Economic connectedness by county, on a scale from 0 to 2."""

    state: pl.String = pa.Field(str_matches=_STATE, description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code of the source's own list")
    ec: pl.Float64 = _ec()
    ec_se: pl.Float64 = pa.Field(ge=0, nullable=True, description="Standard error of ec")

    class Config:
        """Exactly these columns, one row per county."""

        strict = True
        ordered = True
        unique = ["state", "county"]  # noqa: RUF012

    @pa.dataframe_check(error="connectedness and its standard error are not missing together")
    def both(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("ec").is_null() == pl.col("ec_se").is_null())


class ConnectednessZcta(pa.DataFrameModel):
    """Economic connectedness by 2010 ZIP area, on a scale from 0 to 2."""

    zcta: pl.String = pa.Field(str_matches=_FIVE, unique=True, description="ZIP code tabulation area of 2010")
    state: pl.String = pa.Field(
        str_matches=_STATE, nullable=True, description="State of the county the source puts it in; null if in none"
    )
    ec: pl.Float64 = _ec()

    class Config:
        """Exactly these columns, one row per ZIP area."""

        strict = True
        ordered = True
