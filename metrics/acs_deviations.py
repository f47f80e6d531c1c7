"""Where the figures from ACS microdata part from the reference: the same decisions for every such predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from metrics.deviation import Deviation, PublishedRow, Scope

_ONE_YEAR_BEFORE_2020 = (2014, 2015, 2016, 2017, 2018, 2019)
_NO_EFFECTS: Final[Mapping[str, str]] = MappingProxyType({})


def acs_deviations(
    predictor: str,
    *,
    five_year: bool,
    one_year: bool,
    years: tuple[int, ...] | None = None,
    effects: Mapping[str, str] = _NO_EFFECTS,
) -> tuple[Deviation, ...]:
    """Entries of a predictor that is made from the 5-year file, the 1-year file or both.

    `years` are its data years, if they are fewer than those of the files. `effects` says more about the effect of some
    entries on this predictor, by the last part of their id.
    """
    entries = _entries(predictor, five_year=five_year, one_year=one_year)
    if years is not None:
        entries = [_in_years(entry, years) for entry in entries]
    known = {entry.id.removeprefix(f"{predictor}/") for entry in entries}
    if unknown := set(effects) - known:
        raise ValueError(f"{predictor}: no such entries: {sorted(unknown)}")
    return tuple(
        replace(entry, effect=f"{entry.effect} {effects.get(entry.id.removeprefix(f'{predictor}/'), '')}".strip())
        for entry in entries
        # Some entries touch years only that the predictor does not have.
        if entry.rows != ()
    )


def zero_width(predictor: str) -> Deviation:
    """Entry of a share with an interval: what becomes of it where everybody or nobody has the outcome."""
    return Deviation(
        id=f"{predictor}/zero-width",
        kind="kept",
        predictor=predictor,
        reference="Where all records of a cell have the outcome, or none, replicates do not vary: both ends of the "
        "interval are the share itself.",
        ours="The same; such intervals are listed by a warning on the predictor's page.",
        why="An interval without width looks certain, though it comes from a small sample.",
        effect="Shares of exactly 0 or 1, in small cells of subgroups for the most part.",
    )


def _in_years(entry: Deviation, years: tuple[int, ...]) -> Deviation:
    if entry.rows is None:
        return entry
    return replace(entry, rows=tuple(row for row in entry.rows if row.year in years))


def _entries(predictor: str, *, five_year: bool, one_year: bool) -> list[Deviation]:
    years = [y for y in _ONE_YEAR_BEFORE_2020 if one_year or y in (2014, 2016, 2018)]
    entries = [
        Deviation(
            id=f"{predictor}/place-flags-before-2022",
            scope=Scope(level="place", years=(None, 2021)),
            kind="deviation",
            predictor=predictor,
            reference="Grades places by allocation factors that were worked out for the place code across all states; "
            "place codes are unique within a state only.",
            ours="The factors are worked out again within state and place, from the same populations.",
            why="The quality of a place depended on places of the same code in other states. Values and intervals are "
            "not touched.",
            effect="In every year until 2021 the quality of 157 of 485 places; 219 are strong, 249 marginal and 17 "
            "weak instead of 101, 259 and 125 (where they have a value). All become better.",
        ),
        Deviation(
            id=f"{predictor}/valdez-cordova",
            kind="deviation",
            predictor=predictor,
            reference="Gives Chugach (02063) and Copper River (02066) figures before 2020, when they were not counties "
            "yet, and Valdez-Cordova (02261) none.",
            ours="Valdez-Cordova until 2019, its two parts from 2020.",
            why="Figures belong to the counties of their year.",
            effect="02261 can have a figure until 2019; the other two are not in those years.",
            rows=tuple(PublishedRow(y, "county", code) for y in years for code in ("02063", "02066", "02261")),
        ),
        Deviation(
            id=f"{predictor}/county-codes-2014",
            kind="deviation",
            predictor=predictor,
            reference="Files 2014 figures of Kusilvak and Oglala Lakota under codes valid from 2015 (02158, 46102), so "
            "that they are lost when the files are joined.",
            ours="They stand under their codes of 2014 (02270, 46113).",
            why="Figures belong to the codes of their year.",
            effect="2 counties of 2014.",
            rows=tuple(PublishedRow(2014, "county", code) for code in ("02158", "46102", "02270", "46113")),
        ),
    ]
    if five_year:
        entries.append(
            Deviation(
                id=f"{predictor}/pumas-of-2000",
                scope=Scope(years=(2014, 2014)),
                kind="deviation",
                predictor=predictor,
                reference="Allocates interviews of 2010 and 2011 in the 2014 5-year file by the codes of PUMAs of "
                "2010, although they carry those of 2000: they are lost or fall on wrong areas.",
                ours="These interviews are left out, and the figures describe 2012 to 2014 and say so. If Geocorr's "
                "tables of PUMAs of 2000 are at hand, the interviews are allocated by them, and it is 2010 to 2014.",
                why="No crosswalk from PUMAs of 2000 to today's counties and places is part of the method.",
                effect="All figures of the 2014 5-year file, values and intervals. Without two of five years the "
                "sample is 3/5 of the whole, and intervals are about 1.29 times as wide.",
            )
        )
    return entries
