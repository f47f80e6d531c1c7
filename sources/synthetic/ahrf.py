"""Synthetic Area Health Resources Files: release 2021-2022 as a SAS file, release 2022-2023 as CSV, as delivered.

Both hold more than the universe: territories, and areas that are gone. The codes are those of the release in all years.
Valdez-Cordova keeps its physicians in 2020, and its successors have none in that year; areas that do not exist in a
year are blank.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.ahrf import RELEASES, SOURCE, Release
from sources.synthetic.files import write_zip
from sources.synthetic.sas import Column, sas7bdat
from sources.synthetic.world import World, county_layer

PEOPLE_PER_PHYSICIAN: Final = 1_900
TERRITORIES: Final = ("66010", "72001", "78010")
VALDEZ_CORDOVA: Final = "02261"
SUCCESSORS: Final = ("02063", "02066")


def write(root: Path, world: World) -> None:
    """The releases that the world's years need."""
    for release in RELEASES:
        years = tuple(release.physicians)
        if not set(years) & set(world.years):
            continue
        codes, figures = columns(world, release)
        name = SOURCE.vintage(release.key).files[0].name
        path = root / SOURCE.key / release.key / name
        if release.key == RELEASES[0].key:
            texts: dict[str, Column] = {
                release.state: [c[:2] for c in codes],
                release.county: [c[2:] for c in codes],
            }
            numbers = {k: [None if v is None else float(v) for v in values] for k, values in figures.items()}
            write_zip(path, {f"DATA/{release.table}.sas7bdat": sas7bdat({**texts, **numbers})})
        else:
            header = ["fips_st_cnty", release.state, release.county, *figures]
            cells = [[c, c[:2], c[2:]] for c in codes]
            lines = [
                ",".join([*first, *("" if v is None else str(v) for v in row)])
                for first, row in zip(cells, zip(*figures.values(), strict=True), strict=True)
            ]
            csv = "\r\n".join([",".join(header), *lines]) + "\r\n"
            write_zip(path, {f"{path.stem}/{release.table}.csv": csv.encode("latin-1")})


def columns(world: World, release: Release) -> tuple[list[str], dict[str, list[int | None]]]:
    """Codes of the release, and physicians and population of each year (null: not in the year)."""
    figures: dict[int, dict[str, int]] = {}
    for year in release.physicians:
        people = world.people(county_layer(min(year, 2020)), year)
        figures[year] = {_code(state + code): persons for state, code, persons in people.iter_rows()}
        if year == 2020:
            figures[year] = {code: n for code, n in figures[year].items() if code not in SUCCESSORS}
        if year >= 2020:
            figures[year][VALDEZ_CORDOVA] = 9_000
    codes = sorted({c for f in figures.values() for c in f} | {*TERRITORIES, *SUCCESSORS, VALDEZ_CORDOVA})
    draws = dict(zip(codes, world.rng(SOURCE.key).integers(55, 190, len(codes)).tolist(), strict=True))
    found: dict[str, list[int | None]] = {}
    for year, now in figures.items():
        doctors = [now[c] * draws[c] // (100 * PEOPLE_PER_PHYSICIAN) if c in now else None for c in codes]
        found[release.physicians[year]] = doctors
        found[release.population[year]] = [now.get(c) for c in codes]
    return codes, found


def _code(code: str) -> str:
    """The source uses the codes valid from 2015 in all years."""
    return "02158" if code == "02270" else code
