"""Employment opportunities: share of adults aged 25 to 54 who are employed. Method file employment.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import acs_recodes
from metrics.acs_deviations import acs_deviations, zero_width
from metrics.acs_window import of_sample
from metrics.cells import EVERYBODY
from metrics.explanation import Cell, Explanation
from metrics.growth import covers
from metrics.microdata import used_by
from metrics.predictor import Metric, Predictor, Series
from metrics.replication import PERSON_WEIGHTS
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
from metrics.survey import ShareSpec, share_estimates
from metrics.survey_account import explain_share
from schemas.estimate import empty
from schemas.labels import DISABILITY, GENDER, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="employment",
    title="Employment opportunities",
    pillar="rewarding_work",
    definition="Share of adults aged 25 to 54, living in households, who are employed.",
    metrics=(
        Metric(
            "share_employed",
            "Share of adults aged 25 to 54 who are employed",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of adults aged 25 to 54 in {name} were employed.",
        ),
    ),
    series=(
        Series("acs1", ACS1_YEARS, ("acs1_persons", "puma_allocation")),
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_persons", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "gender": GENDER, "disability": DISABILITY},
            overall=False,
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="employment.md",
    notes=(
        SAMPLING_AREAS,
        TWO_SAMPLES,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Everybody of that age is counted below the line: the unemployed and those who neither work nor look for work, "
        "too. Members of the armed forces count as employed. People in group quarters, such as dormitories, prisons "
        "and nursing homes, are left out.",
    ),
    breaks=((2022, CONNECTICUT), (2022, f"1-year file: {NEW_PUMAS}"), (2023, f"5-year file: {NEW_PUMAS}")),
)

DEVIATIONS: Final = (
    *acs_deviations(PREDICTOR.key, five_year=True, one_year=True),
    zero_width(PREDICTOR.key),
)

FILTERS: Final = (acs_recodes.ages(25, 54), acs_recodes.HOUSEHOLD_POPULATION)

EMPLOYED: Final = pl.when(pl.col("empstat").is_in([1, 2, 3])).then(pl.col("empstat") == 1)
"""EMPSTAT 1 employed, 2 unemployed, 3 not in the labor force; 0 (not asked) must not occur at these ages."""

OVERALL: Final = ShareSpec("share_employed", FILTERS, EMPLOYED)
BY_GROUP: Final = ShareSpec(
    "share_employed",
    FILTERS,
    EMPLOYED,
    (EVERYBODY, acs_recodes.RACE_ETHNICITY, acs_recodes.GENDER, acs_recodes.DISABILITY),
)


MICRODATA: Final = {
    "acs1_persons": used_by(OVERALL, PERSON_WEIGHTS),
    "acs5_persons": used_by(BY_GROUP, PERSON_WEIGHTS),
}


def estimate(
    acs1_persons: pl.LazyFrame | None,
    acs5_persons: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
) -> pl.DataFrame:
    """The employed share of every county and place, overall (1-year file) and by subgroup (5-year file).

    Tables of a series that is not published for `year`, or whose input is owed, may be None.
    """
    frames = []
    for sample, records, spec in (("acs1", acs1_persons, OVERALL), ("acs5", acs5_persons, BY_GROUP)):
        if records is None or puma_allocation is None or not covers(PREDICTOR.years_of(sample), year):
            continue
        window = of_sample(sample, records, puma_allocation, year)
        found = share_estimates(window.records, window.allocation, [spec], weights=PERSON_WEIGHTS, sample=sample)
        frames.append(found.with_columns(pl.lit(window.reference_period).alias("reference_period")))
    return pl.concat(frames) if frames else empty().drop("year")


def explain(
    cell: Cell,
    *,
    year: int,
    acs1_persons: pl.LazyFrame | None,
    acs5_persons: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: its PUMAs with `afact` and sums, the filters, the thresholds.

    The table of the cell's sample must be there. `inputs`: see `metrics.survey_account.explain_share`.
    """
    records, spec = (acs1_persons, OVERALL) if cell.sample == "acs1" else (acs5_persons, BY_GROUP)
    if records is None:
        raise ValueError(f"the records of {cell.sample} are needed to explain one of its figures")
    return explain_share(
        cell,
        spec,
        of_sample(cell.sample, records, puma_allocation, year),
        weights=PERSON_WEIGHTS,
        tables=(f"{cell.sample}_persons", "puma_allocation"),
    )
