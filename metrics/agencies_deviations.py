"""Deviations that crime and policing share: they come from how police agencies are put into counties and cities."""

from __future__ import annotations

from collections.abc import Sequence

from metrics.deviation import Deviation, PublishedRow, Scope
from schemas.labels import ALL


def former_codes(predictor: str, years: Sequence[int], groups: Sequence[str] = (ALL,)) -> Deviation:
    """Two renamed counties get their agencies. `groups` are the labels of the rows that are published."""
    return Deviation(
        id=f"{predictor}/former-county-codes",
        kind="deviation",
        predictor=predictor,
        reference="Leaves Oglala Lakota County and Kusilvak Census Area without agencies: the list has former codes.",
        ours="Their agencies are found under the former codes (46113, 02270).",
        why="The counties were renamed in 2015; their borders are the same.",
        effect="Two counties may have figures in each year that are missing in the reference.",
        rows=tuple(
            PublishedRow(year, "county", geoid, group)
            for year in years
            for geoid in ("02158", "46102")
            for group in groups
        ),
    )


def single_city(predictor: str, groups: Sequence[str] = (ALL,)) -> Deviation:
    """Connecticut's only listed cities get no agencies of former counties. `groups` as for `former_codes`."""
    return Deviation(
        id=f"{predictor}/single-city-of-former-county",
        kind="deviation",
        predictor=predictor,
        reference=(
            "Credits agencies of Connecticut's former counties to the only listed city of the county in 2022, with "
            "overlaps of 2020."
        ),
        ours="No such credit from 2022 on, when the overlaps are those of planning regions.",
        why="Former counties are no geographies of 2022.",
        effect="Hartford, 2022: agencies elsewhere in the former county, found neither by code nor name, do not count.",
        rows=tuple(PublishedRow(2022, "place", "0937000", group) for group in groups),
    )


def new_york(predictor: str, manhattan: str) -> Deviation:
    """New York City counts in one borough. `manhattan` is the rate that follows from it."""
    return Deviation(
        id=f"{predictor}/new-york",
        scope=Scope(states=("36",)),
        kind="kept",
        predictor=predictor,
        reference="New York City's police counts in New York County alone.",
        ours="The same.",
        why="The source files the agency there.",
        effect=f"{manhattan} per 100,000 in Manhattan in 2023; the other four boroughs are missing.",
    )


def valdez_cordova(predictor: str) -> Deviation:
    """A former census area's agencies count in neither of its successors."""
    return Deviation(
        id=f"{predictor}/valdez-cordova",
        scope=Scope(states=("02",)),
        kind="kept",
        predictor=predictor,
        reference="Agencies of the former Valdez-Cordova Census Area count in neither of its two successors.",
        ours="The same.",
        why="The list does not say in which of the two an agency is.",
        effect="Chugach (02063) and Copper River (02066) are missing.",
    )
