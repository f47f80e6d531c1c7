"""Economic inclusion: people in poverty who live in high-poverty neighborhoods. Method file economic_inclusion.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_TRACTS

SUBGROUPS: dict[str, tuple[str, ...]] = {
    # The poverty tables by race give no count of Black people without those of Hispanic origin.
    "race-ethnicity": ("Black", "White, Non-Hispanic", "Other Races and Ethnicities", "Hispanic"),
}

PREDICTOR = Predictor(
    key="economic_inclusion",
    title="Economic inclusion",
    pillar="neighborhoods",
    definition=(
        "Share of the people in poverty who live in high-poverty neighborhoods: census tracts where more than 40 "
        "percent of the residents are poor."
    ),
    metrics=(
        Metric(
            "share_poverty_exposure",
            "Share of people in poverty who live in high-poverty neighborhoods",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of people in poverty in {name} lived in a high-poverty neighborhood.",
        ),
    ),
    series=(
        Series("acs5_tables", ACS5_YEARS, ("acs_tract_poverty",), levels=("county",), subgroups=SUBGROUPS),
        Series("acs5_tables", ACS5_YEARS, ("acs_tract_poverty", "tract_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("acs_tables", "geocorr"),
    method="economic_inclusion.md",
    notes=(
        FIVE_YEARS,
        "Whether a neighborhood is high-poverty is decided for all residents together, also for the subgroups.",
        "The subgroups overlap: Black and other races include people of Hispanic origin.",
        "An area with few neighborhoods can jump between none and all when one of them crosses the 40 percent line; "
        "quality tells how well the number of poor people is known, not that.",
        "No figure where 30 or fewer people of the group are poor.",
    ),
    breaks=((2021, NEW_TRACTS), (2023, CONNECTICUT)),
)
