"""Input tables of the pillar Healthy Environment & Access to Good Health Care: physicians, births, injury deaths."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.labels import SUBGROUPS

# Words that CDC WONDER prints in place of a number. "Not Listed" is ours: one of the two exports lacks the county.
BIRTH_MARKERS: Final = ("Suppressed", "Missing County", "Not Listed")
DEATH_MARKERS: Final = ("Suppressed", "Missing", "Not Applicable")
RATE_MARKERS: Final = ("Suppressed", "Unreliable", "Missing", "Not Applicable")

_LABELS: Final = [label for labels in SUBGROUPS.values() for label in labels]


def _either(data: PolarsData, column: str) -> pl.LazyFrame:
    """A number or a marker, never both and never neither."""
    return data.lazyframe.select(pl.col(column).is_null() != pl.col(f"{column}_marker").is_null())


class PhysiciansCounty(pa.DataFrameModel):
    """Primary care physicians by county, from one source, with the population that source states."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County FIPS code, as the source has it.")
    physicians: pl.Int64 = pa.Field(
        ge=0,
        nullable=True,
        description=(
            "Non-federal primary care physicians (MD and DO, under 75) in patient care, without residents; null if the "
            "source leaves it blank."
        ),
    )
    population: pl.Int64 = pa.Field(ge=0, nullable=True, description="Population as the source states it.")

    class Config:
        """Exactly these columns, one row per county."""

        strict = True
        ordered = True
        unique = ["state", "geo"]  # noqa: RUF012


class BirthsCounty(pa.DataFrameModel):
    """Births of one year by mother's county and group; code 999 is a state's pool of unnamed counties."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code of the mother's residence.")
    geo: pl.String = pa.Field(
        str_matches=r"^\d{3}$", description="County FIPS code as exported; 999 pools the counties not named."
    )
    subgroup_type: pl.String = pa.Field(
        isin=["all", "race-ethnicity", "mothers-education"], description="Group family."
    )
    subgroup: pl.String = pa.Field(isin=_LABELS, description="Group of mothers; All for all of them.")
    births: pl.Int64 = pa.Field(ge=0, nullable=True, description="Births of known weight.")
    births_marker: pl.String = pa.Field(isin=BIRTH_MARKERS, nullable=True, description="Word in place of births.")
    low_weight: pl.Int64 = pa.Field(ge=0, nullable=True, description="Births under 2,500 grams.")
    low_weight_marker: pl.String = pa.Field(
        isin=BIRTH_MARKERS, nullable=True, description="Word in place of low-weight births."
    )

    class Config:
        """Exactly these columns, one row per county and group."""

        strict = True
        ordered = True
        unique = ["state", "geo", "subgroup_type", "subgroup"]  # noqa: RUF012

    @pa.dataframe_check(error="births has neither or both of number and marker")
    def births_or_marker(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _either(data, "births")

    @pa.dataframe_check(error="low_weight has neither or both of number and marker")
    def low_weight_or_marker(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _either(data, "low_weight")

    @pa.dataframe_check(error="more births of low weight than births")
    def part_of_whole(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select((pl.col("low_weight") <= pl.col("births")).fill_null(True))


class InjuryDeathsCounty(pa.DataFrameModel):
    """Deaths by injury and crude rates of a pool of years, by county and group, as printed by CDC WONDER."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code of residence.")
    geo: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County FIPS code as exported.")
    subgroup_type: pl.String = pa.Field(isin=["all", "race-ethnicity"], description="Group family.")
    subgroup: pl.String = pa.Field(isin=_LABELS, description="Group; All for the whole population.")
    first_year: pl.Int32 = pa.Field(description="First year of the pool.")
    last_year: pl.Int32 = pa.Field(description="Last year of the pool (the data year).")
    deaths: pl.Int64 = pa.Field(ge=0, nullable=True, description="Deaths by injury in all years of the pool.")
    deaths_marker: pl.String = pa.Field(isin=DEATH_MARKERS, nullable=True, description="Word in place of deaths.")
    population: pl.Int64 = pa.Field(ge=0, nullable=True, description="Population, added up over the years of the pool.")
    population_marker: pl.String = pa.Field(
        isin=DEATH_MARKERS, nullable=True, description="Word in place of the population."
    )
    rate: pl.Float64 = pa.Field(
        ge=0, le=100_000, nullable=True, description="Crude rate per 100,000 and year, one decimal."
    )
    rate_marker: pl.String = pa.Field(isin=RATE_MARKERS, nullable=True, description="Word in place of the rate.")
    lb: pl.Float64 = pa.Field(ge=0, nullable=True, description="Lower 95 % bound of the rate, one decimal.")
    ub: pl.Float64 = pa.Field(ge=0, nullable=True, description="Upper 95 % bound of the rate, one decimal.")
    se: pl.Float64 = pa.Field(ge=0, nullable=True, description="Standard error of the rate, one decimal.")

    class Config:
        """Exactly these columns, one row per county and group."""

        strict = True
        ordered = True
        unique = ["state", "geo", "subgroup_type", "subgroup"]  # noqa: RUF012

    @pa.dataframe_check(error="deaths has neither or both of number and marker")
    def deaths_or_marker(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _either(data, "deaths")

    @pa.dataframe_check(error="population has neither or both of number and marker")
    def population_or_marker(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _either(data, "population")

    @pa.dataframe_check(error="rate has neither or both of number and marker")
    def rate_or_marker(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _either(data, "rate")

    @pa.dataframe_check(error="a printed rate lacks a bound or its standard error")
    def rate_complete(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        parts = pl.col("lb").is_not_null() & pl.col("ub").is_not_null() & pl.col("se").is_not_null()
        return data.lazyframe.select(pl.col("rate").is_null() | parts)


class RankingsInjuryDeaths(pa.DataFrameModel):
    """Injury deaths by county as republished by the County Health Rankings (five-year pool)."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County FIPS code, as the source has it.")
    deaths: pl.Int64 = pa.Field(ge=0, nullable=True, description="Deaths by injury in all years of the pool.")
    rate: pl.Float64 = pa.Field(ge=0, nullable=True, description="Crude rate per 100,000 and year.")
    lb: pl.Float64 = pa.Field(
        ge=0, nullable=True, description="Lower 95 % bound as published; null if not in the file."
    )
    ub: pl.Float64 = pa.Field(
        ge=0, nullable=True, description="Upper 95 % bound as published; null if not in the file."
    )

    class Config:
        """Exactly these columns, one row per county."""

        strict = True
        ordered = True
        unique = ["state", "geo"]  # noqa: RUF012
