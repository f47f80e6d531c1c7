"""Synthetic population estimates and the 2020 census count, in the agency's files of each vintage.

`co-est<Y>-alldata.csv` (states and counties), the subcounty file (states, places, and parts of places by county, which
a reader must leave out; one of 2023 serves 2021 and 2022 too), and for 2020 the answers of the decennial API. Columns
are those the agency puts first; the components of change that follow in its county files are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import NOT_A_PLACE, World, county_layer

SOURCE: Final = "popest"
CENSUS_YEAR: Final = 2020


def subcounty_vintage(year: int) -> int:
    """Vintage of the subcounty file that serves a data year."""
    return 2023 if year in (2021, 2022) else year


def subcounty_name(year: int) -> str:
    """The agency's name of the subcounty file that serves a data year."""
    vintage = subcounty_vintage(year)
    return f"sub-est{vintage}_all.csv" if vintage < CENSUS_YEAR else f"sub-est{vintage}.csv"


def _vintage_columns(year: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Columns of a vintage after the names, and the year each one's figures are of."""
    if year < CENSUS_YEAR:
        years = tuple(range(2010, year + 1))
        return ("CENSUS2010POP", "ESTIMATESBASE2010", *(f"POPESTIMATE{y}" for y in years)), (2010, 2010, *years)
    years = tuple(range(2020, year + 1))
    return ("ESTIMATESBASE2020", *(f"POPESTIMATE{y}" for y in years)), (2020, *years)


def _people(world: World, layer: str, years: Iterable[int]) -> dict[tuple[str, str], list[int]]:
    """(state, code) -> people of each of `years`."""
    out: dict[tuple[str, str], list[int]] = {}
    for year in years:
        for state, code, persons in world.people(layer, year).iter_rows():
            out.setdefault((state, code), []).append(persons)
    return out


def _csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    lines = [",".join(str(cell) for cell in row) for row in [header, *rows]]
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def _counties(path: Path, world: World, year: int) -> None:
    columns, years = _vintage_columns(year)
    figures = _people(world, county_layer(year), years)
    rows: list[list[object]] = []
    for state in world.states:
        counties = world.registry("county", year).filter(pl.col("state") == state.code)
        area = [state.region, state.division, state.code]
        total = [sum(column) for column in zip(*(figures[state.code, c] for c in counties["geo"]), strict=True)]
        rows.append(["040", *area, "000", state.name, state.name, *total])
        rows += [
            ["050", *area, code, state.name, name, *figures[state.code, code]]
            for code, name in counties.select("geo", "name").iter_rows()
        ]
    header = ("SUMLEV", "REGION", "DIVISION", "STATE", "COUNTY", "STNAME", "CTYNAME", *columns)
    write_bytes(path, _csv(header, rows))


def _subcounty(path: Path, world: World, year: int) -> None:
    columns, years = _vintage_columns(year)
    figures = _people(world, "place", years)
    rows: list[list[object]] = []
    for state in world.states:
        named = world.registry("place", year).filter(pl.col("state") == state.code).select("geo", "name").rows()
        places = sorted([*named, *state.elsewhere.items()])
        county = {part.place: part.county for part in state.parts}
        everybody = [sum(v[i] for (s, _), v in figures.items() if s == state.code) for i in range(len(years))]
        rows.append(["040", state.code, "000", "00000", "00000", "00000", 0, "A", state.name, state.name, *everybody])
        for code, name in places:
            end = ("00000", "00000", 0, "A")
            rows.append(["162", state.code, "000", code, *end, name, state.name, *figures[state.code, code]])
            part = [persons - persons // 10 for persons in figures[state.code, code]]
            rows.append(["157", state.code, county[code], code, *end, f"{name} (pt.)", state.name, *part])
    header = (
        *("SUMLEV", "STATE", "COUNTY", "PLACE", "COUSUB", "CONCIT", "PRIMGEO_FLAG", "FUNCSTAT", "NAME", "STNAME"),
        *columns,
    )
    write_bytes(path, _csv(header, rows))


def _census(root: Path, world: World) -> None:
    """The count of 2020 as the API answers: a header row, then one row per unit, all text."""
    for level, layer in (("county", county_layer(CENSUS_YEAR)), ("place", "place")):
        count = _people(world, layer, (CENSUS_YEAR,))
        names = {
            (s, c): f"{n}, {sn}"
            for s, c, n, sn in world.registry(level, CENSUS_YEAR)
            .select("state", "geo", "name", "state_name")
            .iter_rows()
        }
        if level == "place":
            names |= {(s.code, c): f"{n}, {s.name}" for s in world.states for c, n in s.elsewhere.items()}
        rows = [["NAME", "P1_001N", "state", level]]
        rows += [[names[key], str(n[0]), *key] for key, n in sorted(count.items()) if key[1] != NOT_A_PLACE]
        text = "[" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "]"
        write_bytes(root / SOURCE / str(CENSUS_YEAR) / f"dec2020pl-P1_001N-{level}.json", text.encode())


def write(root: Path, world: World) -> None:
    """One vintage for each of the world's years."""
    for year in world.years:
        if year == CENSUS_YEAR:
            _census(root, world)
            continue
        folder = root / SOURCE / str(year)
        _counties(folder / f"co-est{year}-alldata.csv", world, year)
        _subcounty(folder / subcounty_name(year), world, subcounty_vintage(year))
