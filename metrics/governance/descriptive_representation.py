"""Descriptive representation: residents by race and ethnicity. Method file descriptive_representation.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS


def _share(group: str, words: str) -> Metric:
    return Metric(
        f"share_desc_rep_{group}",
        f"Share of residents who are {words}",
        "share",
        maximum=1.0,
        sentence=f"In {{year}}, {{value:.1%}} of the residents of {{name}} were {words}.",
    )


PREDICTOR = Predictor(
    key="descriptive_representation",
    title="Descriptive representation",
    pillar="governance",
    definition=(
        "Share of residents who belong to each racial or ethnic group, to be set against the same group's share of "
        "local elected officials, which communities gather themselves."
    ),
    metrics=(
        _share("other", "of other races and not Hispanic"),
        _share("black_nonhispanic", "Black and not Hispanic"),
        _share("hispanic", "Hispanic"),
        _share("white_nonhispanic", "White and not Hispanic"),
    ),
    series=(Series("acs5_tables", ACS5_YEARS, ("acs_area_race",)),),
    sources=("acs_tables",),
    method="descriptive_representation.md",
    notes=(
        FIVE_YEARS,
        "These are shares of residents only; no national source counts elected officials by race and ethnicity.",
        "Every figure is graded strong, even in very small counties, where the survey's margin of error is wide.",
        "In Bridgeport, Connecticut, the Black share falls from 32 to 20 percent in the source between 2021 and 2023.",
    ),
    breaks=((2023, CONNECTICUT),),
)
