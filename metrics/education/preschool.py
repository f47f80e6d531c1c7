"""Access to preschool. Method file preschool.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import acs_recodes
from metrics.acs_deviations import acs_deviations, zero_width
from metrics.acs_reference import OURS, Reproduce
from metrics.cells import EVERYBODY, Filter
from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Explanation
from metrics.five_year_share import explain_five_year_share, five_year_share
from metrics.microdata import used_by
from metrics.predictor import Metric, Predictor, Series
from metrics.replication import PERSON_WEIGHTS
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_PUMAS, PUMA_MIX_2014, SAMPLING_AREAS
from metrics.survey import ShareSpec
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

KINDERGARTEN: Final = 2
"""GRADEATT 0 not attending, 1 nursery school or preschool, 2 kindergarten; 3 and more: first grade and above."""

# A missing grade stays in, where it is refused.
NOT_IN_GRADES: Final = Filter("not in first grade or above", (pl.col("gradeatt") <= KINDERGARTEN).fill_null(True))

SHARE: Final = ShareSpec(
    "share_in_preschool",
    (acs_recodes.ages(3, 4), NOT_IN_GRADES),
    pl.col("gradeatt") == 1,
    (EVERYBODY, acs_recodes.RACE_ETHNICITY, acs_recodes.HOUSEHOLD_INCOME),
)

MICRODATA: Final = {"acs5_persons": used_by(SHARE, PERSON_WEIGHTS)}

DEVIATIONS: Final = (
    *acs_deviations(
        PREDICTOR.key,
        five_year=True,
        one_year=False,
        effects={
            "valdez-cordova": "All three lack a figure in every year: so does 02130, a larger part of the same PUMA.",
            "county-codes-2014": (
                "The published figures, 0.440 and 0.334, rest on other interviews than ours (see pumas-of-2000)."
            ),
            "pumas-of-2000": "`Reproduce(pumas_by_code=True)` joins by code.",
            "place-flags-before-2022": "`Reproduce(place_quality=True)` takes the reference's flags.",
        },
    ),
    zero_width(PREDICTOR.key),
    Deviation(
        id="preschool/kindergarten",
        kind="kept",
        predictor="preschool",
        reference="Children in kindergarten count as not in preschool; those in first grade or above are left out.",
        ours="The same.",
        why="A child who is already in kindergarten lowers the share.",
        effect="Every figure; few children of 3 and 4 are in kindergarten, hardly any in first grade.",
    ),
    Deviation(
        id="preschool/not-applicable",
        kind="kept",
        predictor="preschool",
        reference="Children without a grade (GRADEATT 0) count as not attending.",
        ours="The same: from age 3 on the question is asked of everybody.",
        why="The code also stands for questions that are not asked.",
        effect="None is known.",
    ),
    Deviation(
        id="preschool/income-line",
        scope=Scope(subgroup_types=("income",)),
        kind="kept",
        predictor="preschool",
        reference="Household income is split at 50,000 dollars of the data year in all years.",
        ours="The same.",
        why="With inflation the lower group shrinks: 2,261 counties had no figure for it in 2014, 2,619 in 2023.",
        effect="Figures of the two groups of one area are not comparable over the years.",
    ),
)


def estimate(
    acs5_persons: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """The share of 3- and 4-year-olds in preschool, for every county and place, overall and by subgroup.

    `acs5_persons` as in `schemas.acs`, `puma_allocation` as `metrics.allocation.ALLOCATION`. Returns `Estimate` columns
    without year: see `metrics.survey.share_estimates`. Income groups of a state whose persons have no household income
    (Census persons without the housing file) are missing as "input owed". No rows if an input is owed (None). Raises
    `InputError` for a child without a grade and for an unknown PUMA. Method file preschool.md, sections 4 to 6.
    """
    return five_year_share(PREDICTOR, SHARE, acs5_persons, puma_allocation, year, reproduce)


def explain(cell: Cell, *, year: int, acs5_persons: pl.LazyFrame, puma_allocation: pl.LazyFrame) -> Explanation:
    """The account of one figure: see `metrics.five_year_share.explain_five_year_share`."""
    return explain_five_year_share(cell, SHARE, year=year, acs5_persons=acs5_persons, puma_allocation=puma_allocation)
