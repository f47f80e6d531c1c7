"""Tables about public schools, school districts and test scores. School years are named by the fall."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.wages import STATES

GRADES: Final = (3, 4, 5, 6, 7, 8)
# Test takers of the Stanford Education Data Archive: all, by gender, by economic disadvantage, by race.
STUDENT_GROUPS: Final = ("all", "fem", "mal", "ecd", "nec", "blk", "hsp", "wht")
# Common Core of Data: White, Black, Hispanic (all races of Hispanics), Asian, American Indian, Pacific Islander, two.
RACES: Final = (1, 2, 3, 4, 5, 6, 7)
_SCHOOL: Final = r"^\d{12}$"
_LEA: Final = r"^\d{7}$"


def _county() -> pl.String:
    return pa.Field(str_matches=r"^\d{5}$", nullable=True, description="County of the address, FIPS")  # type: ignore[no-any-return]


def _finite(data: PolarsData, column: str) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(column).is_finite().fill_null(True))


class SedaCounty(pa.DataFrameModel):
    """Mean test scores in English language arts of one cohort: one row per county, group of students and grade.

    A score is null where the archive withholds it. The county codes are the archive's (those of 2015 to 2019).
    """

    state: pl.String = pa.Field(isin=sorted(STATES), description="State FIPS code")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code")
    group: pl.String = pa.Field(isin=list(STUDENT_GROUPS), description="Group of students, the archive's code")
    grade: pl.Int8 = pa.Field(isin=list(GRADES), description="Grade tested")
    spring: pl.Int16 = pa.Field(ge=2009, le=2019, description="Spring in which the cohort was in that grade")
    score: pl.Float64 = pa.Field(nullable=True, description="Mean score, in grade levels (GCS scale)")
    tests: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students tested")

    class Config:
        """Exactly these columns, one row per county, group and grade."""

        strict = True
        ordered = True
        unique = ["state", "county", "group", "grade"]  # noqa: RUF012

    @pa.dataframe_check(error="a score is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "score")


class SedaDistrict(pa.DataFrameModel):
    """Mean test scores in English language arts of one cohort: one row per geographic district, group and grade."""

    leaid: pl.String = pa.Field(str_matches=_LEA, description="District, NCES number")
    group: pl.String = pa.Field(isin=list(STUDENT_GROUPS), description="Group of students, the archive's code")
    grade: pl.Int8 = pa.Field(isin=list(GRADES), description="Grade tested")
    spring: pl.Int16 = pa.Field(ge=2009, le=2019, description="Spring in which the cohort was in that grade")
    score: pl.Float64 = pa.Field(nullable=True, description="Mean score, in grade levels (GCS scale)")
    tests: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students tested")

    class Config:
        """Exactly these columns, one row per district, group and grade."""

        strict = True
        ordered = True
        unique = ["leaid", "group", "grade"]  # noqa: RUF012

    @pa.dataframe_check(error="a score is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "score")


class DistrictCity(pa.DataFrameModel):
    """The city in the office address of each district that has test scores, by school year."""

    leaid: pl.String = pa.Field(str_matches=_LEA, description="District, NCES number")
    fall: pl.Int16 = pa.Field(ge=2008, le=2018, description="Fall of a school year for which the archive has scores")
    city: pl.String = pa.Field(
        nullable=True, description="City as the Common Core of Data spells it; null if it lacks the district that year"
    )

    class Config:
        """Exactly these columns, one row per district and school year."""

        strict = True
        ordered = True
        unique = ["leaid", "fall"]  # noqa: RUF012


class ListedPlaces(pa.DataFrameModel):
    """The places that figures are published for, in the whole nation, by year."""

    year: pl.Int16 = pa.Field(ge=2014, le=2100, description="Year")
    state: pl.String = pa.Field(isin=sorted(STATES), description="State FIPS code")
    geo: pl.String = pa.Field(str_matches=r"^\d{5}$", description="Place code")
    name: pl.String = pa.Field(str_matches=r"^\S(.*\S)?$", description="Official name in that year")

    class Config:
        """Exactly these columns, one row per place and year."""

        strict = True
        ordered = True
        unique = ["year", "state", "geo"]  # noqa: RUF012


class SchoolDirectory(pa.DataFrameModel):
    """One row per public school of the year: where it is and how many students it has."""

    ncessch: pl.String = pa.Field(str_matches=_SCHOOL, description="School, NCES number")
    county: pl.String = _county()
    city: pl.String = pa.Field(nullable=True, description="City of the address, as the source spells it")
    enrollment: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students, all grades")

    class Config:
        """Exactly these columns, one row per school."""

        strict = True
        ordered = True
        unique = ["ncessch"]  # noqa: RUF012


class SchoolEnrollment(pa.DataFrameModel):
    """Students of each public school by race and sex, all grades. Sex 99 is the stated total of the race."""

    ncessch: pl.String = pa.Field(str_matches=_SCHOOL, description="School, NCES number")
    race: pl.Int8 = pa.Field(isin=[1, 2, 3], description="1 White, 2 Black (both not Hispanic), 3 Hispanic")
    sex: pl.Int8 = pa.Field(description="1 male, 2 female, 3 another, 9 unknown, 99 all; negative: not reported")
    enrollment: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students")

    class Config:
        """Exactly these columns, one row per school, race and sex."""

        strict = True
        ordered = True
        unique = ["ncessch", "race", "sex"]  # noqa: RUF012


class SchoolPoverty(pa.DataFrameModel):
    """The modelled share of poor students of each public school (Model Estimates of Poverty in Schools)."""

    ncessch: pl.String = pa.Field(str_matches=_SCHOOL, description="School, NCES number")
    poverty: pl.Float64 = pa.Field(
        ge=0, le=100, nullable=True, description="Percent of students in families below the federal poverty level"
    )

    class Config:
        """Exactly these columns, one row per school."""

        strict = True
        ordered = True
        unique = ["ncessch"]  # noqa: RUF012

    @pa.dataframe_check(error="a percentage is NaN")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return _finite(data, "poverty")


class LeaDirectory(pa.DataFrameModel):
    """One row per school district (local education agency) of the year: where its office is, and its students."""

    leaid: pl.String = pa.Field(str_matches=_LEA, description="District, NCES number")
    county: pl.String = _county()
    city: pl.String = pa.Field(nullable=True, description="City of the office's address, as the source spells it")
    enrollment: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students, all grades")

    class Config:
        """Exactly these columns, one row per district."""

        strict = True
        ordered = True
        unique = ["leaid"]  # noqa: RUF012


class LeaEnrollment(pa.DataFrameModel):
    """Students of each school district by race, all grades, both sexes."""

    leaid: pl.String = pa.Field(str_matches=_LEA, description="District, NCES number")
    race: pl.Int8 = pa.Field(isin=list(RACES), description="Race or ethnicity, code of the Common Core of Data")
    enrollment: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students")

    class Config:
        """Exactly these columns, one row per district and race."""

        strict = True
        ordered = True
        unique = ["leaid", "race"]  # noqa: RUF012
