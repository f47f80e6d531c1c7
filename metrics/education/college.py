"""Preparation for college: young adults with a high school degree. Method file college.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import acs_recodes
from metrics.acs_deviations import acs_deviations, zero_width
from metrics.acs_reference import OURS, Reproduce
from metrics.cells import EVERYBODY
from metrics.deviation import Deviation
from metrics.explanation import Cell, Explanation
from metrics.five_year_share import explain_five_year_share, five_year_share
from metrics.microdata import used_by
from metrics.predictor import Metric, Predictor, Series
from metrics.replication import PERSON_WEIGHTS
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_PUMAS, PUMA_MIX_2014, SAMPLING_AREAS
from metrics.survey import ShareSpec
from schemas.labels import DISABILITY, GENDER, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="college",
    title="Preparation for college",
    pillar="education",
    definition="Share of 19- and 20-year-olds who have a high school diploma, a GED or more education.",
    metrics=(
        Metric(
            "share_hs_degree",
            "Share of 19- and 20-year-olds with a high school degree",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of 19- and 20-year-olds in {name} had a high school degree.",
        ),
    ),
    series=(
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_persons", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "gender": GENDER, "disability": DISABILITY},
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="college.md",
    notes=(
        SAMPLING_AREAS,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Everybody is counted where they live, dormitories and prisons included, so areas with a large campus or "
        "prison reflect those residents.",
        "Shares near 100 percent have an interval cut off at 100 percent.",
    ),
    breaks=((2023, CONNECTICUT), (2023, NEW_PUMAS)),
)

ATTAINMENT_UNKNOWN: Final = (0, 1, 999)
HIGH_SCHOOL: Final = 62
"""EDUCD of a high school graduate or GED; 63 diploma, 64 GED, 65 and more: some college or a degree."""

SHARE: Final = ShareSpec(
    "share_hs_degree",
    (acs_recodes.ages(19, 20),),
    # An unknown attainment must not occur at these ages and is refused.
    pl.when(pl.col("educd").is_in(ATTAINMENT_UNKNOWN).not_()).then(pl.col("educd") >= HIGH_SCHOOL),
    (EVERYBODY, acs_recodes.RACE_ETHNICITY, acs_recodes.GENDER, acs_recodes.DISABILITY),
)

MICRODATA: Final = {"acs5_persons": used_by(SHARE, PERSON_WEIGHTS)}

DEVIATIONS: Final = (
    *acs_deviations(
        PREDICTOR.key,
        five_year=True,
        one_year=False,
        effects={
            "valdez-cordova": "All three lack a figure in every year: so does 02130, a larger part of the same PUMA.",
            "county-codes-2014": "Neither has a published figure: the samples are too small.",
            "pumas-of-2000": "`Reproduce(pumas_by_code=True)` joins by code.",
            "place-flags-before-2022": "`Reproduce(place_quality=True)` takes the reference's flags.",
        },
    ),
    zero_width(PREDICTOR.key),
    Deviation(
        id="college/group-quarters",
        kind="kept",
        predictor="college",
        reference="People in group quarters are counted where they live: students in dormitories, prisoners, soldiers.",
        ours="The same.",
        why="Areas with a large campus or prison reflect these residents rather than the area's own young people.",
        effect="Areas with large group quarters.",
    ),
    Deviation(
        id="college/clipped-interval",
        kind="kept",
        predictor="college",
        reference="The interval is symmetric and cut off at 1; a share of exactly 1 has no width.",
        ours="The same.",
        why="Near 1 a symmetric interval covers poorly; one on the logit scale would not need cutting.",
        effect="The upper end is 1 in 55 counties overall and in 342 counties for Female in 2023.",
    ),
)


def estimate(
    acs5_persons: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """The share of 19- and 20-year-olds with a high school degree, for every county and place, by subgroup.

    `acs5_persons` as in `schemas.acs`, `puma_allocation` as `metrics.allocation.ALLOCATION`. Returns `Estimate` columns
    without year: see `metrics.survey.share_estimates`. No rows if an input is owed (None). Raises `InputError` for an
    unknown attainment and for an unknown PUMA. Method file college.md, sections 4 to 6.
    """
    return five_year_share(PREDICTOR, SHARE, acs5_persons, puma_allocation, year, reproduce)


def explain(cell: Cell, *, year: int, acs5_persons: pl.LazyFrame, puma_allocation: pl.LazyFrame) -> Explanation:
    """The account of one figure: see `metrics.five_year_share.explain_five_year_share`."""
    return explain_five_year_share(cell, SHARE, year=year, acs5_persons=acs5_persons, puma_allocation=puma_allocation)
