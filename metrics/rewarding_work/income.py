"""Opportunities for income: percentiles of household income. Method file income.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import (
    ACS1_YEARS,
    ACS5_YEARS,
    CONNECTICUT,
    FIVE_YEARS,
    NEW_PUMAS,
    PUMA_MIX_2014,
    SAMPLING_AREAS,
    TWO_SAMPLES,
)
from schemas.labels import GENDER, RACE_ETHNICITY


def _percentile(p: int) -> Metric:
    return Metric(
        f"pctl_income_{p}",
        f"Household income at the {p}th percentile",
        "dollars",
        interval="sampling",
        sentence=f"In {{year}}, {p} percent of households in {{name}} had an income of ${{value:,.0f}} or less.",
    )


PREDICTOR = Predictor(
    key="income",
    title="Opportunities for income",
    pillar="rewarding_work",
    definition=(
        "Household income before taxes at the 20th, 50th and 80th percentile: the incomes that 20, 50 and 80 percent "
        "of the area's households do not exceed."
    ),
    metrics=(_percentile(20), _percentile(50), _percentile(80)),
    series=(
        Series("acs1", ACS1_YEARS, ("acs1_households", "puma_allocation")),
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_households", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "gender": GENDER},
            overall=False,
            long_only=("gender",),
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="income.md",
    notes=(
        SAMPLING_AREAS,
        TWO_SAMPLES,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Dollars are those of the data year; nothing is adjusted for inflation between years.",
        "The race, ethnicity or gender of a household is that of its reference person. People in group quarters, such "
        "as dormitories and nursing homes, are left out.",
        "Incomes of zero or below are kept. The agency caps very high components of income.",
        "Percentiles and interval ends are incomes that were reported, so an end may equal the figure itself; from a "
        "small sample one end can be missing.",
    ),
    breaks=((2022, CONNECTICUT), (2022, f"1-year file: {NEW_PUMAS}"), (2023, f"5-year file: {NEW_PUMAS}")),
)
