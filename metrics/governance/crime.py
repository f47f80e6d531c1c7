"""Safety from crime: reported violent and property crime. Method file crime.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_YORK, NIBRS_CONNECTICUT, NIBRS_COVERAGE

YEARS = (2021, 2022, 2023)
TABLES = ("nibrs_offenses", "nibrs_agencies", "acs_area_population")


def _rate(kind: str) -> Metric:
    return Metric(
        f"rate_crime_{kind}",
        f"Reported {kind} crimes per 100,000 people",
        "rate per 100,000",
        sentence=f"In {{year}}, {{value:,.0f}} {kind} crimes per 100,000 people were reported to police in {{name}}.",
    )


PREDICTOR = Predictor(
    key="crime",
    title="Safety from crime",
    pillar="governance",
    definition="Violent crimes and property crimes reported to the police, per 100,000 residents.",
    metrics=(_rate("violent"), _rate("property")),
    series=(
        Series("nibrs", YEARS, TABLES, levels=("county",)),
        Series("nibrs", YEARS, (*TABLES, "county_place", "spine"), levels=("place",)),
    ),
    sources=("nibrs", "leaic", "acs_tables", "geocorr"),
    method="crime.md",
    notes=(
        NIBRS_COVERAGE,
        "Violent crime here means all offenses against persons but fondling: simple assault and intimidation count, "
        "robbery does not (it counts as property crime). It is not the FBI's definition.",
        "More agencies report each year, so a trend is crime and coverage together.",
        NEW_YORK,
        "Withheld before 2023 as implausible: New York County, Sacramento and Santa Clara Counties, and the cities of "
        "New York, Sacramento and San Jose. Loving County, Texas, is withheld in all years and Kenedy County, Texas, "
        "in 2023.",
        "An agency that serves several counties is shared out by their populations.",
    ),
    breaks=((2022, CONNECTICUT + NIBRS_CONNECTICUT),),
)
