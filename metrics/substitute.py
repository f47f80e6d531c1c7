"""Putting another source in the place of a predictor's own, for some years, where somebody asks for it."""

from __future__ import annotations

from dataclasses import replace

from metrics.predictor import Predictor, Series


def substituted(predictor: Predictor, substitute: Series) -> Predictor:
    """The predictor with `substitute` in place of its own series in the years of `substitute`.

    Figures of those years then carry the sample of the substitute. Levels, subgroups and metrics that the substitute
    does not have are not published for them. `ValueError` if the predictor has none of the years.
    """
    if not set(substitute.years) & set(predictor.years):
        raise ValueError(f"{predictor.key} has none of the years {substitute.years}")
    own = [replace(s, years=tuple(y for y in s.years if y not in substitute.years)) for s in predictor.series]
    return replace(predictor, series=(*(s for s in own if s.years), substitute))
