"""Input tables of the pillar Responsive & Just Governance that come from police agencies; words their source uses."""

from __future__ import annotations

from typing import ClassVar, Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

# NIBRS offenses as the segment files spell them, in lower case, by what they are crimes against. The FBI counts
# fondling among crimes against persons; it stands apart because the predictor leaves it out (crime.md, section 4).
PERSONS: Final = (
    "assault offenses - aggravated assault",
    "assault offenses - intimidation",
    "assault offenses - simple assault",
    "human trafficking - commercial sex acts",
    "human trafficking - involuntary servitude",
    "kidnapping/abduction",
    "murder/nonnegligent manslaughter",
    "negligent manslaughter",
    "sex offenses - incest",
    "sex offenses - rape",
    "sex offenses - sexual assault with an object",
    "sex offenses - sodomy",
    "sex offenses - statutory rape",
)
FONDLING: Final = (
    "sex offenses - fondling (indecent liberties/child molest)",
    "sex offenses - fondling (incident liberties/child molest)",
)
PROPERTY: Final = (
    "arson",
    "bribery",
    "burglary/breaking and entering",
    "counterfeiting/forgery",
    "destruction/damage/vandalism of property",
    "embezzlement",
    "extortion/blackmail",
    "fraud offenses - credit card/atm fraud",
    "fraud offenses - false pretenses/swindle/confidence game",
    "fraud offenses - hacking/computer invasion",
    "fraud offenses - identity theft",
    "fraud offenses - impersonation",
    "fraud offenses - welfare fraud",
    "fraud offenses - wire fraud",
    "larceny/theft offenses - all other larceny",
    "larceny/theft offenses - pocket-picking",
    "larceny/theft offenses - purse-snatching",
    "larceny/theft offenses - shoplifting",
    "larceny/theft offenses - theft from building",
    "larceny/theft offenses - theft from coin-operated machine or device",
    "larceny/theft offenses - theft from motor vehicle",
    "larceny/theft offenses - theft of motor vehicle parts/accessories",
    "motor vehicle theft",
    "robbery",
    "stolen property offenses (receiving, selling, etc.)",
)
SOCIETY_IN_FAMILIES: Final = ("fraud offenses - money laundering", "justifiable homicide - not a crime")
"""Offenses of the families below that are neither."""

FAMILIES: Final = (
    "arson",
    "assault offenses",
    "bribery",
    "burglary",
    "counterfeiting",
    "destruction",
    "embezzlement",
    "extortion",
    "fraud offenses",
    "human trafficking",
    "justifiable homicide",
    "kidnapping",
    "larceny",
    "motor vehicle theft",
    "murder",
    "negligent manslaughter",
    "robbery",
    "sex offenses",
    "stolen property",
)
"""How the names of offenses against persons and property begin: an unknown name that does is an error of the source."""

RACES: Final = (
    "white",
    "black",
    "asian",
    "native hawaiian or other pacific islander",
    "american indian/alaskan native",
    "unknown",
)
HISPANIC: Final = "hispanic or latino"
ETHNICITIES: Final = (HISPANIC, "not hispanic or latino", "multiple", "unknown")
SEXES: Final = ("male", "female", "nonbinary", "unknown")
JUVENILE: Final = (10, 17)
"""First and last age of a juvenile arrest."""

_ORI: Final = r"^[A-Z0-9]{9}$"


def _ori() -> pl.String:
    field: pl.String = pa.Field(str_matches=_ORI, description="Identifier of the police agency (ORI, 9 characters).")
    return field


class OffensesModel(pa.DataFrameModel):
    """Offenses reported to a police agency in a year, by kind of offense."""

    ori: pl.String = _ori()
    offense: pl.String = pa.Field(description="Kind of offense as NIBRS names it, in lower case.")
    offenses: pl.Int64 = pa.Field(ge=1, description="Offense records.")

    class Config:
        """Exactly these columns, one row per agency and kind of offense."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["ori", "offense"]


class ArrestsModel(pa.DataFrameModel):
    """Arrests of a police agency in a year; juveniles by age, sex, race and ethnicity, all others in one row."""

    ori: pl.String = _ori()
    age: pl.Int16 = pa.Field(
        ge=JUVENILE[0], le=JUVENILE[1], nullable=True, description="Age in years, 10 to 17; null for all other arrests."
    )
    sex: pl.String = pa.Field(isin=list(SEXES), nullable=True, description="Sex; null if not noted or not a juvenile.")
    race: pl.String = pa.Field(
        isin=list(RACES), nullable=True, description="Race as the police note it; null if not noted or not a juvenile."
    )
    ethnicity: pl.String = pa.Field(
        isin=list(ETHNICITIES), nullable=True, description="Ethnicity; null if not noted or not a juvenile."
    )
    arrests: pl.Int64 = pa.Field(ge=1, description="Arrests, citations and summonses.")

    class Config:
        """Exactly these columns, one row per combination."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["ori", "age", "sex", "race", "ethnicity"]


class AgenciesModel(pa.DataFrameModel):
    """Police agencies that the FBI lists for a year, with the counties they serve."""

    ori: pl.String = _ori()
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    city_name: pl.String = pa.Field(nullable=True, description="Name of the agency's city, in lower case.")
    agency_indicator: pl.String = pa.Field(nullable=True, description="Kind of agency, in lower case.")
    core_city: pl.Boolean = pa.Field(nullable=True, description="Whether it serves the core city of a metro area.")
    county_1: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="First county served.")
    county_2: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="Second county served.")
    county_3: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="Third county served.")
    county_4: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="Fourth county served.")
    county_5: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="Fifth county served.")
    population: pl.Int64 = pa.Field(ge=0, nullable=True, description="People the agency serves, as the FBI states it.")
    months: pl.Int8 = pa.Field(
        ge=0, le=12, nullable=True, description="Months of the year it reported, zero reports included; null: not said."
    )
    leaic_county: pl.String = pa.Field(
        str_matches=r"^\d{3}$", nullable=True, description="County of the 2012 identifiers crosswalk."
    )
    leaic_place: pl.String = pa.Field(
        str_matches=r"^\d{5}$", nullable=True, description="Place of the 2012 identifiers crosswalk; 99xxx: a county."
    )

    class Config:
        """Exactly these columns, one row per agency."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["ori"]


def _people(what: str) -> pl.Int64:
    field: pl.Int64 = pa.Field(ge=0, nullable=True, description=what)
    return field


class AreaPopulationModel(pa.DataFrameModel):
    """Residents of counties and listed places (ACS table B01003, 5-year estimates)."""

    level: pl.String = pa.Field(isin=["county", "place"], description="county or place.")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^\d{3}(\d{2})?$", description="County (3 digits) or place (5 digits) code.")
    people: pl.Int64 = _people("All residents.")

    class Config:
        """Exactly these columns, one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["level", "state", "geo"]


class AreaAgeModel(AreaPopulationModel):
    """Residents of ages 10 to 17 of counties and listed places (ACS tables B01001, A, B, I), and all residents."""

    male_10_14: pl.Int64 = _people("Boys of 10 to 14.")
    male_15_17: pl.Int64 = _people("Boys of 15 to 17.")
    female_10_14: pl.Int64 = _people("Girls of 10 to 14.")
    female_15_17: pl.Int64 = _people("Girls of 15 to 17.")
    white_male_10_14: pl.Int64 = _people("White boys of 10 to 14.")
    white_male_15_17: pl.Int64 = _people("White boys of 15 to 17.")
    white_female_10_14: pl.Int64 = _people("White girls of 10 to 14.")
    white_female_15_17: pl.Int64 = _people("White girls of 15 to 17.")
    black_male_10_14: pl.Int64 = _people("Black boys of 10 to 14.")
    black_male_15_17: pl.Int64 = _people("Black boys of 15 to 17.")
    black_female_10_14: pl.Int64 = _people("Black girls of 10 to 14.")
    black_female_15_17: pl.Int64 = _people("Black girls of 15 to 17.")
    hispanic_male_10_14: pl.Int64 = _people("Hispanic boys of 10 to 14.")
    hispanic_male_15_17: pl.Int64 = _people("Hispanic boys of 15 to 17.")
    hispanic_female_10_14: pl.Int64 = _people("Hispanic girls of 10 to 14.")
    hispanic_female_15_17: pl.Int64 = _people("Hispanic girls of 15 to 17.")

    class Config:
        """Exactly these columns, one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["level", "state", "geo"]

    @pa.dataframe_check(error="more juveniles than residents")
    def juveniles_are_residents(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        juveniles = pl.sum_horizontal("male_10_14", "male_15_17", "female_10_14", "female_15_17")
        return data.lazyframe.select((juveniles <= pl.col("people")).fill_null(True))
