"""Access to health services: people per primary care physician. Method file health_access.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series

PREDICTOR = Predictor(
    key="health_access",
    title="Access to health services",
    pillar="health",
    definition="Number of residents for each primary care physician who treats patients.",
    metrics=(
        Metric(
            "ratio_population_pc_physician",
            "People per primary care physician",
            "people per physician",
            sentence="In {year}, {name} had one primary care physician for every {value:,.0f} people.",
        ),
    ),
    series=(
        Series(
            "ahrf",
            (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021),
            ("physicians_county", "spine"),
            levels=("county",),
        ),
    ),
    sources=("ahrf", "chr", "popest"),
    method="health_access.md",
    notes=(
        "Physicians are doctors under 75 in general practice, family medicine, internal medicine and pediatrics, "
        "without residents and federal doctors.",
        "The value 0 means that an area of 2,000 people or fewer has no physician. Larger areas without one have no "
        "figure, because the source cannot tell none from not reported.",
        "Quality is weak with one physician or none, marginal with two or three: one more or less would change the "
        "figure much.",
        "The physician counts in the yearly County Health Rankings workbook come from the same source, three years "
        "later, and serve to check them. Its ratios divide by other population figures.",
    ),
    breaks=((2020, "The population is the 2020 census count; other years use estimates."),),
)
