"""Synthetic tabulation of citizens of voting age: a zip with County.csv and Place.csv, Latin-1, figures rounded to 5.

The older file has capitals in its header and short codes, the newer one neither. Both hold Puerto Rico and places that
the project does not list; margins of error are large where few people live.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.cvap import DATA_YEARS, MEMBERS, SUMMARY_LEVEL, file_name
from sources.cvap import SOURCE as DECLARED
from sources.synthetic.files import write_zip
from sources.synthetic.world import NOT_A_PLACE, World, county_layer

HEADER: Final = ("geoname", "lntitle", "geoid", "lnnumber")
FIGURES: Final = ("tot_est", "tot_moe", "adu_est", "adu_moe", "cit_est", "cit_moe", "cvap_est", "cvap_moe")
# Line, title, permille of all people.
GROUPS: Final = ((1, "Total", 1000), (2, "Not Hispanic or Latino", 850), (13, "Hispanic or Latino", 150))
# Permille of the people: adults, citizens, citizens of voting age.
PARTS: Final = (1000, 780, 930, 720)
PUERTO_RICO: Final = {"county": ("72011", "A\u00f1asco Municipio"), "place": ("7214290", "Catano zona urbana")}


def _rounded(number: float) -> int:
    return round(number / 5) * 5


def _rows(level: str, code: str, name: str, people: int, *, newer: bool) -> list[str]:
    """The rows of one area, one per group."""
    prefix = SUMMARY_LEVEL["county" if level == "county" else "place"] + ("0000" if newer else "00")
    rows = []
    for line, title, share in GROUPS:
        figures = []
        for part in PARTS:
            number = people * share * part / 1_000_000
            figures += [_rounded(number), _rounded(6 * number**0.5) if people > 400 else _rounded(number / 3)]
        rows.append(",".join([f'"{name}"', title, f"{prefix}US{code}", str(line), *map(str, figures)]))
    return rows


def _member(world: World, level: str, year: int) -> bytes:
    newer = year >= 2020
    layer = county_layer(year) if level == "county" else "place"
    names = {
        s + g: f"{n}, {state}"
        for s, g, n, state in world.registry("county" if level == "county" else "place", year)
        .select("state", "geo", "name", "state_name")
        .iter_rows()
    }
    header = [*HEADER, *FIGURES]
    lines = [",".join(header if newer else [h.upper() for h in header])]
    for state, code, people in world.people(layer, year - 2).sort("state", "code").iter_rows():
        if code != NOT_A_PLACE:
            lines += _rows(level, state + code, names.get(state + code, "Synthetic town"), people, newer=newer)
    code, name = PUERTO_RICO[level]
    lines += _rows(level, code, f"{name}, Puerto Rico", 29_000, newer=newer)
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def write(root: Path, world: World) -> None:
    """The archive of each election's five years."""
    for year in sorted(set(world.years) & set(DATA_YEARS)):
        members = {member: _member(world, level, year) for level, member in MEMBERS.items()}
        write_zip(root / DECLARED.key / str(year) / file_name(year), members)
