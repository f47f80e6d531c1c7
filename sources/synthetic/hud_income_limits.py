"""Synthetic income limits: HUD's workbook of each fiscal year, in the layout and with the list of areas of that year.

Layouts: an .xls with the codes of two censuses in 2014; numbers for state and county until 2021; a reordered table with
codes as text in 2022; other names and a second sheet that describes the fields from 2023 on. Connecticut and Rhode
Island are listed by town, Connecticut's under former counties; Alaska's changed counties stay under older codes for
years, as in the agency's files. Two areas are in territories. Of the limits by household size, those for one, four and
eight people are written.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from sources.synthetic.ct_towns import CONNECTICUT, towns
from sources.synthetic.files import NOTICE, write_bytes
from sources.synthetic.old_excel import xls
from sources.synthetic.people import PRICES
from sources.synthetic.world import World

SOURCE: Final = "hud_income_limits"
WHOLE_COUNTY: Final = "99999"
RHODE_ISLAND: Final = "44"
_TOWNS_PER_COUNTY: Final = 3
# Fiscal year until which a state's counties stand under the codes of an earlier year.
_OLDER_LISTS: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "02": ((2017, 2014), (2022, 2019)),
    CONNECTICUT: ((2024, 2021),),
}
_TERRITORIES: Final = (
    ("72", "PR", "Puerto Rico", "72003", "Aguada Municipio"),
    ("66", "GU", "Guam", "66010", "Guam"),
)
# Limits by household size in permille of those for four, and levels in permille of the area's median.
_SIZES: Final = {1: 700, 4: 1000, 8: 1320}
_LEVELS: Final = {"l50": 500, "ELI": 300, "l80": 800}
# The poverty guideline for four in 2014, which the extremely low limit does not go below.
_POVERTY: Final = 23_850


@dataclass(frozen=True)
class _Area:
    """One row: state, its postal code and name, area code of 10 digits, names of county and town, market, median."""

    state: str
    postal: str
    state_name: str
    code: str
    county_name: str
    name: str
    market: str
    median: int

    def limit(self, level: str, size: int) -> int:
        """A limit in dollars, rounded up to the next 50."""
        amount = self.median * _LEVELS[level] // 1000
        if level == "ELI":
            floor = _POVERTY * self.median // 70_000
            amount = min(max(amount, floor), self.median * _LEVELS["l50"] // 1000)
        return -(-amount * _SIZES[size] // 1000 // 50) * 50


def areas(world: World, year: int) -> list[_Area]:
    """The areas of a fiscal year's workbook in the order of their codes."""
    connecticut = towns(world)
    out = []
    for state in world.states:
        listed = next((y for until, y in _OLDER_LISTS.get(state.code, ()) if year <= until), year)
        counties = world.registry("county", listed).filter(pl.col("state") == state.code)
        for county, name in counties.select("geo", "name").iter_rows():
            if state.code == CONNECTICUT:
                parts = [(town.code, town.name) for town in connecticut if town.county == county]
            elif state.code == RHODE_ISLAND:
                parts = [
                    (f"{i * 11_110 + int(county):05d}", f"Synthetic town {i}") for i in range(1, 1 + _TOWNS_PER_COUNTY)
                ]
            else:
                parts = [(WHOLE_COUNTY, name)]
            for town, town_name in parts:
                # The level of an area stays over the years; it moves with prices.
                level = int(world.rng("income limits", state.code, county, town).integers(520, 920)) * 100
                median = level * PRICES[year] // PRICES[2014] // 100 * 100
                code, market = f"{state.code}{county}{town}", f"Synthetic market {state.code}{county}"
                out.append(_Area(state.code, state.postal, state.name, code, name, town_name, market, median))
    for state_code, postal, state_name, county_code, name in _TERRITORIES:
        market = f"Synthetic market {county_code}"
        out.append(_Area(state_code, postal, state_name, county_code + WHOLE_COUNTY, name, name, market, 30_000))
    return out


def header(year: int) -> list[str]:
    """Column names of a fiscal year's workbook, in order."""
    levels = [f"{level}_{size}" for level in _LEVELS for size in _SIZES]
    median, tail = f"median{year}", ["county_town_name", "state_name", "metro"]
    if year >= 2023:
        front = ["fips", "stusps", "state", "state_name", "hud_area_code", "hud_area_name", "county", "County_Name"]
        return [*front, "county_town_name", "metro", median, *levels]
    if year == 2022:
        front = ["State_Alpha", "fips2010", "cbsasub", median, "Metro_Area_Name", "county_town_name"]
        return [*front, *levels, "state", "county", "County_Name", "state_name", "metro"]
    if year >= 2017:
        front = ["State_Alpha", "fips2010", "State", "County", "cbsasub", "Metro_Area_Name", "County_Name"]
    elif year == 2016:
        front = ["State_Alpha", "fips2010", "State", "County", "cbsasub", "Metro_Area_Name", "fips2000", "County_Name"]
    else:
        front = ["State_Alpha", "fips2000", "State", "County", "County_Name", "CBSASub", "Metro_Area_Name", "fips2010"]
    return [*front, median, *levels, "MSA", *tail]


def _row(area: _Area, columns: Sequence[str], year: int) -> list[str | int]:
    """The cells of an area; state and county are numbers until 2021."""
    texts: dict[str, str | int] = {
        **dict.fromkeys(("State_Alpha", "stusps"), area.postal),
        **dict.fromkeys(("fips", "fips2000", "fips2010"), area.code),
        "State": int(area.state),
        "County": int(area.code[2:5]),
        "state": area.state,
        "county": area.code[2:5],
        "state_name": area.state_name,
        "County_Name": area.county_name,
        "county_town_name": area.name,
        **dict.fromkeys(("Metro_Area_Name", "hud_area_name"), area.market),
        **dict.fromkeys(("cbsasub", "CBSASub", "hud_area_code"), f"NCNTY{area.code[:5]}N{area.code[:5]}"),
        "MSA": 9999,
        "metro": 0,
        f"median{year}": area.median,
    }
    return [texts[c] if c in texts else area.limit(c.split("_")[0], int(c.split("_")[1])) for c in columns]


def _xlsx(sheet: str, rows: Sequence[Sequence[str | int]], fields: Sequence[str]) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"created": datetime.datetime(2000, 1, 1), "comments": NOTICE})
    page = book.add_worksheet(sheet)
    for index, row in enumerate(rows):
        page.write_row(index, 0, row)
    if fields:
        described = book.add_worksheet("Field_Descriptions")
        for index, row in enumerate([("Field_Name", "Description"), *((f, "Synthetic") for f in fields)]):
            described.write_row(index, 0, row)
    book.close()
    return buffer.getvalue()


def workbook(world: World, year: int) -> tuple[str, bytes]:
    """The agency's file name and the workbook of a fiscal year."""
    columns = header(year)
    rows: list[Sequence[str | int]] = [columns, *(_row(area, columns, year) for area in areas(world, year))]
    if year == 2014:
        return "Poverty.xls", xls("LIMITS_COUNTYLEVEL", rows)
    if year < 2019:
        name = "Section8_Rev.xlsx" if year == 2015 else f"Section8-FY{year % 100}.xlsx"
        return name, _xlsx("LIMITS_COUNTYLEVEL", rows, ())
    sheet = "Section8" if year < 2022 else f"Section8-FY{year % 100}"
    return f"Section8-FY{year % 100}.xlsx", _xlsx(sheet, rows, columns if year >= 2023 else ())


def write(root: Path, world: World) -> None:
    """One workbook for each of the world's years."""
    for year in world.years:
        name, data = workbook(world, year)
        write_bytes(root / SOURCE / str(year) / name, data)
