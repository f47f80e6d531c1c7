"""Just policing: juvenile arrests. Method file policing.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_YORK, NIBRS_CONNECTICUT, NIBRS_COVERAGE
from schemas.labels import GENDER, JUVENILE_AGE

YEARS = (2021, 2022, 2023)
TABLES = ("nibrs_arrests", "nibrs_agencies", "acs_area_age")
SUBGROUPS: dict[str, tuple[str, ...]] = {
    # Race as the police note it, whether Hispanic or not.
    "race-ethnicity": ("Black", "White", "Other Races and Ethnicities", "Hispanic"),
    "gender": GENDER,
    "age": JUVENILE_AGE,
}

PREDICTOR = Predictor(
    key="policing",
    title="Just policing",
    pillar="governance",
    definition="Arrests of young people ages 10 to 17 for any offense, per 100,000 residents of those ages.",
    metrics=(
        Metric(
            "rate_juv_arrest",
            "Juvenile arrests per 100,000 people ages 10 to 17",
            "rate per 100,000",
            sentence="In {year}, {name} had {value:,.0f} arrests per 100,000 young people ages 10 to 17.",
        ),
    ),
    series=(
        Series("nibrs", YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("nibrs", YEARS, (*TABLES, "county_place", "spine"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("nibrs", "leaic", "acs_tables", "geocorr"),
    method="policing.md",
    notes=(
        NIBRS_COVERAGE,
        "Arrests, citations and summonses are counted, not people, so a rate can exceed 100,000.",
        "Black and White are the race alone and overlap with Hispanic. Other races are understated: the survey counts "
        "people of some other or several races, the police do not.",
        "Ethnicity is missing on part of the arrest records, so the figures for Hispanic young people are too low.",
        "A rate needs only 30 young people of the group in the area; rates on so few are mostly chance.",
        NEW_YORK,
        "Withheld before 2023 as implausible: New York County, Sacramento and Santa Clara Counties, and the cities of "
        "New York, Sacramento and San Jose.",
    ),
    breaks=((2022, CONNECTICUT + NIBRS_CONNECTICUT),),
)
