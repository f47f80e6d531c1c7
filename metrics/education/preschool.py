"""Access to preschool. Method file preschool.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_PUMAS, PUMA_MIX_2014, SAMPLING_AREAS
from schemas.labels import HOUSEHOLD_INCOME, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="preschool",
    title="Access to preschool",
    pillar="education",
    definition="Share of 3- and 4-year-old children who are enrolled in nursery school or preschool.",
    metrics=(
        Metric(
            "share_in_preschool",
            "Share of 3- and 4-year-olds in preschool",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of 3- and 4-year-old children in {name} were enrolled in preschool.",
        ),
    ),
    series=(
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_persons", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "income": HOUSEHOLD_INCOME},
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="preschool.md",
    notes=(
        SAMPLING_AREAS,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Children in kindergarten count as not in preschool; children in first grade or above are left out altogether.",
        "The line between the income groups is $50,000 in dollars of the data year, so with inflation the lower group "
        "shrinks. Children in group quarters have no household income and are in neither group.",
    ),
    breaks=((2023, CONNECTICUT), (2023, NEW_PUMAS)),
)
