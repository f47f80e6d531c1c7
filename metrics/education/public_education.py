"""Effective public education: learning rates in English language arts. Method file public_education.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ROUGH_PLACES
from schemas.labels import DISADVANTAGE, GENDER

YEARS = (2014, 2015, 2016, 2017, 2018)
SUBGROUPS: dict[str, tuple[str, ...]] = {
    # Other races and ethnicities have no learning rate.
    "race-ethnicity": ("Black, Non-Hispanic", "White, Non-Hispanic", "Hispanic"),
    "income": DISADVANTAGE,
    "gender": GENDER,
}

PREDICTOR = Predictor(
    key="public_education",
    title="Effective public education",
    pillar="education",
    definition=(
        "How many grade levels public school students gain per school year in English language arts between grades 3 "
        "and 8. A value of 1 is about the national average."
    ),
    metrics=(
        Metric(
            "rate_learning",
            "Average annual improvement in English language arts",
            "grade levels per grade",
            minimum=-10.0,
            maximum=10.0,
            interval="sampling",
            sentence=(
                "Students in {name} who were in eighth grade in the school year that began in {year} had gained "
                "{value:.2f} grade levels a year in English language arts since third grade."
            ),
        ),
    ),
    series=(
        Series("seda", YEARS, ("seda_county",), levels=("county",), subgroups=SUBGROUPS),
        Series("seda", YEARS, ("seda_district", "lea_directory", "spine"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("seda", "ccd"),
    method="public_education.md",
    notes=(
        "The year is the fall in which the cohort entered grade 8; the scores behind it go back as far as five years.",
        "The interval rests on one error variance for the whole country, so it says little about an unusual county. A "
        "city's interval is the average of its districts' intervals.",
        "The source withholds small groups; all of New York State is missing in 2018.",
        ROUGH_PLACES + " Cities whose districts have their offices elsewhere have no figure.",
    ),
)
