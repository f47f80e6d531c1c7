"""Housing affordability: homes that low-income households can afford. Method file housing_affordability.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS1_YEARS, CONNECTICUT, NEW_PUMAS, SAMPLING_AREAS
from schemas.labels import TENURE

INCOMES = {30: "extremely low", 50: "very low", 80: "low"}
SUBGROUPS: dict[str, tuple[str, ...]] = {"tenure": TENURE}
TABLES = ("acs1_households", "puma_allocation", "hud_income_limits")


def _affordable(percent: int, words: str) -> Metric:
    return Metric(
        f"share_affordable_{percent}_ami",
        f"Affordable homes per household with {words} income ({percent} percent of area median)",
        "homes per household",
        sentence=(
            f"In {{year}}, {{name}} had {{value:.2f}} homes affordable at {words} income ({percent} percent of the "
            "area median) for each household with such an income."
        ),
    )


def _available(percent: int, words: str) -> Metric:
    return Metric(
        f"share_affordable_available_{percent}_ami",
        f"Affordable and available homes per household with {words} income ({percent} percent of area median)",
        "homes per household",
        sentence=(
            f"In {{year}}, {{name}} had {{value:.2f}} homes affordable and available at {words} income ({percent} "
            "percent of the area median) for each household with such an income."
        ),
    )


PREDICTOR = Predictor(
    key="housing_affordability",
    title="Housing affordability",
    pillar="neighborhoods",
    definition=(
        "Homes that households with extremely low, very low and low incomes can afford, per such household. Given "
        "twice: for all such homes, and for those that are vacant or lived in by such a household."
    ),
    metrics=(
        *(_affordable(percent, words) for percent, words in INCOMES.items()),
        *(_available(percent, words) for percent, words in INCOMES.items()),
    ),
    series=(
        Series("acs1", ACS1_YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("acs1", ACS1_YEARS, (*TABLES, "county_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr", "hud_income_limits", "ct_towns"),
    method="housing_affordability.md",
    notes=(
        SAMPLING_AREAS,
        "The columns are called shares but are ratios and can exceed 1.",
        "The federal income limits for a household of four are used for households and homes of every size. The "
        "lowest is the federal extremely low limit, which is not exactly 30 percent of the median.",
        "Renters who pay no cash rent need a home but do not count among the affordable ones.",
        "A figure needs at least 30 low-income households in the sample, so the lowest income level is missing most "
        "often.",
        "Income limits are those of the fiscal year; incomes are those of the twelve months before the interview.",
    ),
    breaks=((2022, CONNECTICUT), (2022, NEW_PUMAS)),
)
