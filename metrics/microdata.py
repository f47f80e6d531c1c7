"""What estimates use of a microdata table, read off the expressions they are made with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from metrics.areas import PUMA_KEY
from metrics.cells import Filter
from metrics.quantiles import QuantileSpec
from metrics.replication import Weights
from metrics.survey import ShareSpec
from schemas.microdata import RecordUse

PLACE_AND_TIME: Final = frozenset({*PUMA_KEY, "survey_year"})
"""Where and when an interview took place: every estimate needs them."""


def columns_of(expressions: Iterable[pl.Expr]) -> frozenset[str]:
    """The columns that expressions are made from."""
    return frozenset(name for expression in expressions for name in expression.meta.root_names())


def used_by(spec: ShareSpec | QuantileSpec, weights: Weights, *, optional: Iterable[str] = ()) -> RecordUse:
    """What the estimates of `spec` with `weights` use."""
    value = spec.outcome if isinstance(spec, ShareSpec) else spec.value
    expressions = (*(f.keep for f in spec.filters), value, *(g.code for g in spec.groupings))
    return RecordUse(
        columns=PLACE_AND_TIME | columns_of(expressions) | frozenset(weights.columns),
        optional=frozenset(optional),
        cases=cases_of(spec.filters),
    )


def cases_of(filters: Iterable[Filter]) -> dict[str, frozenset[int]]:
    """Codes by column outside which the filters let no record through."""
    cases: dict[str, frozenset[int]] = {}
    for column, codes in (f.cases for f in filters if f.cases is not None):
        cases[column] = cases[column] & codes if column in cases else codes
    return cases
