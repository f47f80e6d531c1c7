"""Wealth-building opportunities: home value and households by race and ethnicity. Method file housing_wealth.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS1_YEARS, CONNECTICUT, NEW_PUMAS, SAMPLING_AREAS
from schemas.labels import HOUSEHOLDER_AGE

GROUPS = {
    "black_nh": "Black, non-Hispanic",
    "hispanic": "Hispanic",
    "other_nh": "other non-Hispanic",
    "white_nh": "White, non-Hispanic",
}


def _ratio(group: str, words: str) -> Metric:
    return Metric(
        f"ratio_{group}_house_value_households",
        f"Share of home value to share of households, {words} households",
        "ratio",
        text_format="{numerator:.3f}:{denominator:.3f}",
        sentence=(
            f"In {{year}}, {words} households held {{numerator:.1%}} of the value of owned homes in {{name}} and "
            "were {denominator:.1%} of its households."
        ),
    )


def _value_share(group: str, words: str) -> Metric:
    return Metric(
        f"share_house_value_{group}",
        f"Share of home value, {words} households",
        "share",
        maximum=1.0,
        published=False,
        sentence=f"In {{year}}, {words} households held {{value:.1%}} of the value of owned homes in {{name}}.",
    )


def _household_share(group: str, words: str) -> Metric:
    return Metric(
        f"share_households_{group}",
        f"Share of households, {words} households",
        "share",
        maximum=1.0,
        published=False,
        sentence=f"In {{year}}, {{value:.1%}} of the households in {{name}} were {words}.",
    )


PREDICTOR = Predictor(
    key="housing_wealth",
    title="Wealth-building opportunities",
    pillar="rewarding_work",
    definition=(
        "A racial or ethnic group's share of the total value of the area's owner-occupied homes, next to the group's "
        "share of all its households. Equal shares mean that home wealth is spread as the households are."
    ),
    metrics=(
        *(_ratio(group, words) for group, words in GROUPS.items()),
        *(_value_share(group, words) for group, words in GROUPS.items()),
        *(_household_share(group, words) for group, words in GROUPS.items()),
    ),
    series=(Series("acs1", ACS1_YEARS, ("acs1_households", "puma_allocation"), subgroups={"age": HOUSEHOLDER_AGE}),),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="housing_wealth.md",
    notes=(
        SAMPLING_AREAS,
        "Published as text, the two shares with three decimals and a colon between; the numbers themselves are in the "
        "long file.",
        "Home values are the owners' own estimates and capped by the agency state by state, which matters where homes "
        "are very expensive.",
        "The group and the age are those of the householder. Figures of small groups rest on few households and move "
        "a lot from year to year.",
    ),
    breaks=((2022, CONNECTICUT), (2022, NEW_PUMAS)),
)
