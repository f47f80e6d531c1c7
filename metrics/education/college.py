"""Preparation for college: young adults with a high school degree. Method file college.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_PUMAS, PUMA_MIX_2014, SAMPLING_AREAS
from schemas.labels import DISABILITY, GENDER, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="college",
    title="Preparation for college",
    pillar="education",
    definition="Share of 19- and 20-year-olds who have a high school diploma, a GED or more education.",
    metrics=(
        Metric(
            "share_hs_degree",
            "Share of 19- and 20-year-olds with a high school degree",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of 19- and 20-year-olds in {name} had a high school degree.",
        ),
    ),
    series=(
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_persons", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "gender": GENDER, "disability": DISABILITY},
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="college.md",
    notes=(
        SAMPLING_AREAS,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Everybody is counted where they live, dormitories and prisons included, so areas with a large campus or "
        "prison reflect those residents.",
        "Shares near 100 percent have an interval cut off at 100 percent.",
    ),
    breaks=((2023, CONNECTICUT), (2023, NEW_PUMAS)),
)
