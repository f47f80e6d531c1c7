"""New data years: a predictor has a year as soon as the tables of a series have it. No list of years is edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from metrics.predictor import Entry, Series


def covers(years: Iterable[int], year: int) -> bool:
    """Whether a series of these years has `year`: it is one of them, or a new one, after the newest of them."""
    known = tuple(years)
    return year in known or year > max(known)


def with_new_years(entry: Entry, table_years: Mapping[str, frozenset[int]], added: frozenset[int]) -> Entry:
    """The entry with the years of `added` for which all tables of a series exist (`table_years`: name -> years).

    Only the newest series of its kind (same sample, metrics, levels and subgroups overlapping) grows; the years that a
    module declares are never taken away. Tables that no series names are needed by all of them.
    """
    predictor = entry.predictor
    named = {t for s in predictor.series for t in s.tables}
    always = [t for t in entry.inputs if t not in named]

    def grown(series: Series) -> Series:
        newest = max(series.years)
        if any(_succeeds(other, series) for other in predictor.series):
            return series
        needed = [*series.tables, *always]
        new = sorted(y for y in added if y > newest and all(y in table_years[t] for t in needed if t in table_years))
        return replace(series, years=(*series.years, *new)) if new else series

    series = tuple(grown(s) for s in predictor.series)
    return entry if series == predictor.series else replace(entry, predictor=replace(predictor, series=series))


def _succeeds(other: Series, series: Series) -> bool:
    """Whether `other` carries on what `series` ended with."""
    same = other is not series and other.sample == series.sample and bool(set(other.levels) & set(series.levels))
    overlap = not series.metrics or not other.metrics or bool(set(series.metrics) & set(other.metrics))
    return same and overlap and max(other.years) > max(series.years)
