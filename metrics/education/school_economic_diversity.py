"""School economic diversity: students in high-poverty schools. Method file school_economic_diversity.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ROUGH_PLACES

YEARS = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021)
TABLES = ("school_directory", "school_enrollment", "school_poverty")


def _share(group: str, words: str) -> Metric:
    return Metric(
        f"share_meps20_{group}",
        f"Share of {words} students in high-poverty schools",
        "share",
        maximum=1.0,
        sentence=(
            f"In the school year that began in {{year}}, {{value:.1%}} of {words} public school students in {{name}} "
            "attended a high-poverty school."
        ),
    )


PREDICTOR = Predictor(
    key="school_economic_diversity",
    title="School economic diversity",
    pillar="education",
    definition=(
        "Share of Black, Hispanic and White public school students who attend a high-poverty school: one where an "
        "estimated 20 percent or more of the students live below the federal poverty level."
    ),
    metrics=(_share("black", "Black"), _share("hispanic", "Hispanic"), _share("white", "White")),
    series=(
        Series("meps_ccd", YEARS, TABLES, levels=("county",)),
        Series("meps_ccd", YEARS, (*TABLES, "spine"), levels=("place",)),
    ),
    sources=("meps", "ccd"),
    method="school_economic_diversity.md",
    notes=(
        "School poverty is a model's estimate. Students of schools without one count as not in a high-poverty school.",
        "Black and White mean non-Hispanic.",
        ROUGH_PLACES + " A city can therefore be wider or narrower than its legal limits.",
        "Quality tells only how many students of the group the area has (30 or more, 15 to 29, fewer).",
        "In 2015 many schools lack a county code.",
    ),
    breaks=((2019, "Modelled poverty swings strongly from 2019 to 2021, around the pandemic, and figures with it."),),
)
