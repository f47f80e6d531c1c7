"""Synthetic air toxics workbooks: three per assessment year, national, with totals and territories between the tracts.

The oldest assessment has unrounded totals and the codes of its time (02270); later ones have rounded totals with many
ties. A settlement's only tract has no figure in any workbook, one tract of a larger county lacks one hazard.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.airtoxscreen import SOURCE as DECLARED
from sources.airtoxscreen import WORKBOOKS, Hazard, file_name
from sources.synthetic.acs_tables import tract_people
from sources.synthetic.workbook import Cell, write_workbook
from sources.synthetic.world import World

HEADER: Final = ("State", "EPA Region", "County", "FIPS", "Tract", "Population")
GROUPS: Final = ("PT-StationaryPoint", "OR-LightDuty-OnNetwork-Gas")
NO_FIGURE: Final = ("15", "005")
# Permille of the hazard's middle value that a tract may have.
SPREAD: Final = (300, 2_400)
MIDDLE: Final = {"cancer": 26.0, "neurological": 0.03, "respiratory": 0.4}
TERRITORIES: Final = (("72", "PR", "Aguada", "72003"), ("78", "VI", "St. Croix", "78010"))


def _rows(world: World, hazard: Hazard, year: int) -> list[list[Cell]]:
    """The rows of one workbook: the nation, then each state, its counties and their tracts, then the territories."""
    # The agency is not expected to change to Connecticut's planning regions.
    listed = tract_people(world, year, counties_of=min(year, 2021)).sort("state", "county", "tract")
    listed = listed.filter(~((pl.col("state") == NO_FIGURE[0]) & (pl.col("county") == NO_FIGURE[1])))
    spread = world.rng("airtoxscreen", year, hazard.name).integers(*SPREAD, listed.height)
    base = world.rng("airtoxscreen", year).integers(*SPREAD, listed.height)
    digits = 6 if year == 2014 else 0 if hazard.name == "cancer" else 2
    scale = 10 if hazard.name != "cancer" and year != 2014 else 1
    middle = MIDDLE[hazard.name]
    totals = [round(middle * scale * int(a + b) / 2_000, digits) / scale for a, b in zip(spread, base, strict=True)]
    postal = {s.code: s.postal for s in world.states}
    region = {s.code: f"EPA Region {s.region}" for s in world.states}
    out: list[list[Cell]] = [["US", "", "Entire US", "00", "00000000000", int(listed["people"].sum()), *_split(middle)]]
    seen: set[str] = set()
    last = listed.height - 1
    for index, (state, county, tract, people) in enumerate(
        listed.select("state", "county", "tract", "people").iter_rows()
    ):
        for code, name in ((state, "Entire State"), (state + county, f"Synthetic County {county}")):
            if code not in seen:
                seen.add(code)
                whole = f"{code:0<11}"
                out.append([postal[state], region[state], name, whole[:5], whole, 0, *_split(middle)])
        total = totals[index]
        lacks = hazard.name == "respiratory" and index == last
        figures = ["", "", ""] if lacks else _split(total)
        name = f"Synthetic County {county}"
        out.append([postal[state], region[state], name, state + county, state + county + tract, people, *figures])
    for _, code, name, fips in TERRITORIES:
        out.append([code, "EPA Region 2", name, fips, f"{fips}000100", 4_000, *_split(middle)])
    return out


def _split(total: float) -> list[Cell]:
    """A total and its parts by source group."""
    return [total, round(total * 0.25, 6), round(total * 0.75, 6)]


def write(root: Path, world: World) -> None:
    """The three workbooks of each assessment year."""
    for year in (y for y in world.years if DECLARED.vintages_for(y)):
        for hazard in WORKBOOKS:
            unit = hazard.total.removeprefix("Total ")
            header = [*HEADER, hazard.total.replace(" (", "\n("), *(f"{group} {unit}" for group in GROUPS)]
            path = root / DECLARED.key / str(year) / file_name(hazard, year)
            write_workbook(path, [header, *_rows(world, hazard, year)])
