"""Digital access: households with a computer and high-speed internet. Method file digital_access.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, FIVE_YEARS, NEW_PUMAS, SAMPLING_AREAS
from schemas.labels import HOUSEHOLD_INCOME, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="digital_access",
    title="Digital access",
    pillar="education",
    definition=(
        "Share of households that have a computer (desktop, laptop or tablet) and a subscription to high-speed "
        "internet by cable, fiber or DSL."
    ),
    metrics=(
        Metric(
            "share_digital_access",
            "Share of households with a computer and high-speed internet",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of households in {name} had a computer and high-speed internet at home.",
        ),
    ),
    series=(
        Series(
            "acs5",
            (2018, 2021, 2023),
            ("acs5_households", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "income": HOUSEHOLD_INCOME},
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="digital_access.md",
    notes=(
        SAMPLING_AREAS,
        FIVE_YEARS,
        "Satellite, fixed wireless and mobile connections do not count as high-speed. Households in areas for which "
        "the agency withholds the answer (some in 2023) are left out.",
        "The line between the income groups is $50,000 in dollars of the data year. Race and ethnicity are the "
        "householder's.",
    ),
    breaks=((2023, CONNECTICUT), (2023, NEW_PUMAS)),
)
