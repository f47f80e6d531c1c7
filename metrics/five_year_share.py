"""A share from the persons of the 5-year file, and its account: what predictors of that form have in common."""

from __future__ import annotations

import polars as pl

from metrics.acs_owed import owed_groups
from metrics.acs_reference import Reproduce
from metrics.acs_window import five_years
from metrics.explanation import Cell, Explanation
from metrics.growth import covers
from metrics.predictor import Predictor
from metrics.replication import PERSON_WEIGHTS
from metrics.survey import ShareSpec, share_estimates
from metrics.survey_account import explain_share
from schemas.estimate import empty


def five_year_share(
    predictor: Predictor,
    share: ShareSpec,
    acs5_persons: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    reproduce: Reproduce,
) -> pl.DataFrame:
    """The share for every county and place, by subgroup: `Estimate` columns without year (`share_estimates`).

    `acs5_persons` as in `schemas.acs`, `puma_allocation` as `metrics.allocation.ALLOCATION`. No rows if an input is
    owed (None) or the predictor has no figures of that year. Raises `InputError` for an unknown PUMA.
    """
    if acs5_persons is None or puma_allocation is None or not covers(predictor.years, year):
        return empty().drop("year")
    window = five_years(acs5_persons, puma_allocation, year, by_code=reproduce.pumas_by_code)
    areas = reproduce.allocation(window.allocation)
    found = share_estimates(window.records, areas, [share], weights=PERSON_WEIGHTS, sample="acs5")
    found = owed_groups(found, window.records, share.filters, share.groupings)
    return found.with_columns(pl.lit(window.reference_period).alias("reference_period"))


def explain_five_year_share(
    cell: Cell, share: ShareSpec, *, year: int, acs5_persons: pl.LazyFrame, puma_allocation: pl.LazyFrame
) -> Explanation:
    """The account of one figure: its PUMAs with `afact` and sums, the filters, the thresholds.

    `inputs`: see `metrics.survey_account.explain_share`.
    """
    return explain_share(
        cell,
        share,
        five_years(acs5_persons, puma_allocation, year),
        weights=PERSON_WEIGHTS,
        tables=("acs5_persons", "puma_allocation"),
    )
