"""Tables of the American Community Survey at tract, county and place level, and the lists of tracts.

Counts are people; a column ending in `_moe` is the margin of error of the count before it, at the 90 % level.
Null: the agency gives no figure (an annotation code).
"""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl


def _code(width: int, what: str) -> pl.String:
    field: pl.String = pa.Field(str_matches=rf"^\d{{{width}}}$", description=what)
    return field


def _count(what: str) -> pl.Int64:
    field: pl.Int64 = pa.Field(ge=0, nullable=True, description=what)
    return field


class TractPovertyModel(pa.DataFrameModel):
    """People in poverty by race, one row per tract (table B17001)."""

    state: pl.String = _code(2, "State FIPS code.")
    county: pl.String = _code(3, "County code, as of the data year.")
    tract: pl.String = _code(6, "Tract code.")
    people: pl.Int64 = _count("People for whom poverty status is determined.")
    people_moe: pl.Int64 = _count("Margin of error of people.")
    poor: pl.Int64 = _count("People in poverty.")
    poor_moe: pl.Int64 = _count("Margin of error of poor.")
    poor_black: pl.Int64 = _count("Black alone, in poverty.")
    poor_black_moe: pl.Int64 = _count("Margin of error of poor_black.")
    poor_aian: pl.Int64 = _count("American Indian or Alaska Native alone, in poverty.")
    poor_aian_moe: pl.Int64 = _count("Margin of error of poor_aian.")
    poor_asian: pl.Int64 = _count("Asian alone, in poverty.")
    poor_asian_moe: pl.Int64 = _count("Margin of error of poor_asian.")
    poor_nhpi: pl.Int64 = _count("Native Hawaiian or Pacific Islander alone, in poverty.")
    poor_nhpi_moe: pl.Int64 = _count("Margin of error of poor_nhpi.")
    poor_other_race: pl.Int64 = _count("Some other race alone, in poverty.")
    poor_other_race_moe: pl.Int64 = _count("Margin of error of poor_other_race.")
    poor_two_or_more: pl.Int64 = _count("Two or more races, in poverty.")
    poor_two_or_more_moe: pl.Int64 = _count("Margin of error of poor_two_or_more.")
    poor_white_nh: pl.Int64 = _count("White alone, not Hispanic, in poverty.")
    poor_white_nh_moe: pl.Int64 = _count("Margin of error of poor_white_nh.")
    poor_hispanic: pl.Int64 = _count("Hispanic of any race, in poverty.")
    poor_hispanic_moe: pl.Int64 = _count("Margin of error of poor_hispanic.")

    class Config:
        """Exactly these columns; one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract"]


class TractRaceModel(pa.DataFrameModel):
    """People by race and Hispanic origin, one row per tract (table B03002)."""

    state: pl.String = _code(2, "State FIPS code.")
    county: pl.String = _code(3, "County code, as of the data year.")
    tract: pl.String = _code(6, "Tract code.")
    people: pl.Int64 = _count("All residents.")
    people_moe: pl.Int64 = _count("Margin of error of people.")
    hispanic: pl.Int64 = _count("Hispanic of any race.")
    hispanic_moe: pl.Int64 = _count("Margin of error of hispanic.")
    white_nh: pl.Int64 = _count("White alone, not Hispanic.")
    white_nh_moe: pl.Int64 = _count("Margin of error of white_nh.")
    black_nh: pl.Int64 = _count("Black alone, not Hispanic.")
    black_nh_moe: pl.Int64 = _count("Margin of error of black_nh.")
    aian_nh: pl.Int64 = _count("American Indian or Alaska Native alone, not Hispanic.")
    aian_nh_moe: pl.Int64 = _count("Margin of error of aian_nh.")
    asian_nh: pl.Int64 = _count("Asian alone, not Hispanic.")
    asian_nh_moe: pl.Int64 = _count("Margin of error of asian_nh.")
    nhpi_nh: pl.Int64 = _count("Native Hawaiian or Pacific Islander alone, not Hispanic.")
    nhpi_nh_moe: pl.Int64 = _count("Margin of error of nhpi_nh.")
    other_race_nh: pl.Int64 = _count("Some other race alone, not Hispanic.")
    other_race_nh_moe: pl.Int64 = _count("Margin of error of other_race_nh.")
    two_or_more_nh: pl.Int64 = _count("Two or more races, not Hispanic.")
    two_or_more_nh_moe: pl.Int64 = _count("Margin of error of two_or_more_nh.")

    class Config:
        """Exactly these columns; one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract"]


class AreaRaceModel(pa.DataFrameModel):
    """People by race and Hispanic origin, one row per county or place (table B03002)."""

    state: pl.String = _code(2, "State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$", description="County (3 digits) or place (5 digits) code.")
    people: pl.Int64 = _count("All residents.")
    people_moe: pl.Int64 = _count("Margin of error of people.")
    hispanic: pl.Int64 = _count("Hispanic of any race.")
    hispanic_moe: pl.Int64 = _count("Margin of error of hispanic.")
    white_nh: pl.Int64 = _count("White alone, not Hispanic.")
    white_nh_moe: pl.Int64 = _count("Margin of error of white_nh.")
    black_nh: pl.Int64 = _count("Black alone, not Hispanic.")
    black_nh_moe: pl.Int64 = _count("Margin of error of black_nh.")
    aian_nh: pl.Int64 = _count("American Indian or Alaska Native alone, not Hispanic.")
    aian_nh_moe: pl.Int64 = _count("Margin of error of aian_nh.")
    asian_nh: pl.Int64 = _count("Asian alone, not Hispanic.")
    asian_nh_moe: pl.Int64 = _count("Margin of error of asian_nh.")
    nhpi_nh: pl.Int64 = _count("Native Hawaiian or Pacific Islander alone, not Hispanic.")
    nhpi_nh_moe: pl.Int64 = _count("Margin of error of nhpi_nh.")
    other_race_nh: pl.Int64 = _count("Some other race alone, not Hispanic.")
    other_race_nh_moe: pl.Int64 = _count("Margin of error of other_race_nh.")
    two_or_more_nh: pl.Int64 = _count("Two or more races, not Hispanic.")
    two_or_more_nh_moe: pl.Int64 = _count("Margin of error of two_or_more_nh.")

    class Config:
        """Exactly these columns; one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "geo"]


class TractCountyModel(pa.DataFrameModel):
    """Which county each tract lies in, one row per tract."""

    state: pl.String = _code(2, "State FIPS code.")
    county: pl.String = _code(3, "County code, as of the data year.")
    tract: pl.String = _code(6, "Tract code.")
    tract_vintage: pl.Int16 = pa.Field(isin=[2010, 2020], description="Census whose tracts these are.")

    class Config:
        """Exactly these columns; one row per tract."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract"]


class TractPlaceModel(pa.DataFrameModel):
    """How much of each tract's population lives in each place, one row per tract and place."""

    state: pl.String = _code(2, "State FIPS code.")
    county: pl.String = _code(3, "County code, as of the data year.")
    tract: pl.String = _code(6, "Tract code.")
    place: pl.String = _code(5, "Place code.")
    afact: pl.Float64 = pa.Field(gt=0, le=1, description="Share of the tract's population that lives in the place.")
    afact_10k: pl.Int64 = pa.Field(ge=0, le=10_000, description="afact in 1/10,000, rounded.")
    afact2: pl.Float64 = pa.Field(
        ge=0, le=1, nullable=True, description="Share of the place's population that lives in the tract."
    )
    tract_vintage: pl.Int16 = pa.Field(isin=[2010, 2020], description="Census whose tracts these are.")
    place_vintage: pl.Int16 = pa.Field(isin=[2010, 2014, 2020], description="Year of the places' limits.")

    class Config:
        """Exactly these columns; one row per tract and place."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "county", "tract", "place"]
