"""Putting another source in the place of a predictor's own, for some years, where somebody asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from metrics.predictor import Entry, Predictor, Series


def substituted(predictor: Predictor, substitute: Series) -> Predictor:
    """The predictor with `substitute` in place of its own series in the years of `substitute`.

    Figures of those years then carry the sample of the substitute. Levels, subgroups and metrics that the substitute
    does not have are not published for them. `ValueError` if the predictor has none of the years.
    """
    if not set(substitute.years) & set(predictor.years):
        raise ValueError(f"{predictor.key} has none of the years {substitute.years}")
    own = [replace(s, years=tuple(y for y in s.years if y not in substitute.years)) for s in predictor.series]
    return replace(predictor, series=(*(s for s in own if s.years), substitute))


def names(entries: Mapping[str, Entry]) -> dict[str, tuple[str, ...]]:
    """The substitutes there are: name -> keys of the predictors that have it."""
    found: dict[str, tuple[str, ...]] = {}
    for key, entry in entries.items():
        if entry.substitute is not None:
            found[entry.substitute.name] = (*found.get(entry.substitute.name, ()), key)
    return found


def declared(entry: Entry, years: Collection[int]) -> Entry:
    """The entry as it declares itself with its substitute in use in `years`: series, sources and a note say so.

    Years that the substitute does not have do not count; without any the entry is returned as it is. `estimate` and
    `explain` stay the predictor's own.
    """
    substitute = entry.substitute
    used = () if substitute is None else tuple(y for y in substitute.series.years if y in years)
    if substitute is None or not used:
        return entry
    predictor = substituted(entry.predictor, replace(substitute.series, years=used))
    sources = dict.fromkeys((*predictor.sources, substitute.source))
    return replace(
        entry, predictor=replace(predictor, sources=tuple(sources), notes=(*predictor.notes, substitute.note))
    )


def switched(entry: Entry, year: int) -> Entry:
    """The entry as it works in `year` with its substitute: its declaration and functions, or its own where it has none.

    To be used for that one year: other years of the predictor still come from its own source.
    """
    substitute = entry.substitute
    if substitute is None or year not in substitute.series.years:
        return entry
    return replace(declared(entry, (year,)), estimate=substitute.estimate, explain=substitute.explain)
