"""Racial diversity: exposure to neighbors of other races and ethnicities. Method file racial_diversity.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, FIVE_YEARS, NEW_TRACTS

YEARS = (2016, 2018, 2021, 2023)


def _exposure(group: str, people: str, person: str) -> Metric:
    return Metric(
        f"share_{group}_exposure",
        f"Exposure of {people} to neighbors of other races and ethnicities",
        "share",
        maximum=1.0,
        sentence=(
            f"In {{year}}, the average {person} in {{name}} lived in a neighborhood where {{value:.1%}} of residents "
            "were of another race or ethnicity."
        ),
    )


PREDICTOR = Predictor(
    key="racial_diversity",
    title="Racial diversity",
    pillar="neighborhoods",
    definition=(
        "For the average member of a racial or ethnic group, the share of residents of the neighborhood (census "
        "tract) who do not belong to that group. High values mean diverse surroundings."
    ),
    metrics=(
        _exposure("black_nh", "Black, non-Hispanic people", "Black, non-Hispanic resident"),
        _exposure("hispanic", "Hispanic people", "Hispanic resident"),
        _exposure("other_nh", "non-Hispanic people of other races", "non-Hispanic resident of another race"),
        _exposure("white_nh", "White, non-Hispanic people", "White, non-Hispanic resident"),
    ),
    series=(
        Series("acs5_tables", YEARS, ("acs_tract_race",), levels=("county",)),
        Series("acs5_tables", YEARS, ("acs_tract_race", "tract_place"), levels=("place",)),
    ),
    sources=("acs_tables", "geocorr"),
    method="racial_diversity.md",
    notes=(
        FIVE_YEARS,
        "Other races are American Indian, Asian, Pacific Islander, some other race and two or more races, taken "
        "together; people of these races are not counted as exposed to one another.",
        "A group that is a large part of the population has a low value almost by definition.",
        "No figure where 30 or fewer people of the group live.",
        "In Bridgeport, Connecticut, the Black share of residents falls from 32 to 19 percent in the source between "
        "2021 and 2023.",
    ),
    breaks=((2021, NEW_TRACTS), (2023, CONNECTICUT)),
)
