"""Synthetic Debt in America: the reference's table of 2018, and the workbooks of 2021 (cities), 2022 and 2023.

Counties are those of their edition: Connecticut's former ones throughout, Valdez-Cordova undivided until 2022. Small
counties have no share, and most have no neighborhood of one of the types.
"""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any, Final

from sources.synthetic.files import NOTICE, write_bytes
from sources.synthetic.world import World, county_layer

SOURCE: Final = "debt_in_america"
TOO_SMALL: Final = 2_500
GROUPS: Final = ("All", "Majority Non-White", "Majority White")
# City -> postal code: listed places of the world, one of them otherwise named, and one place that no list has.
CITIES: Final = (
    *(("Anchorage", "AK"), ("Charlotte", "NC"), ("Durham", "NC"), ("Fayetteville", "NC"), ("Greensboro", "NC")),
    *(("Honolulu", "HI"), ("Paradise", "NV"), ("Raleigh", "NC"), ("Winston-Salem", "NC")),
)


def _shares(world: World, year: int, layer_year: int) -> list[tuple[str, str, int, list[int | None]]]:
    """State, county, people and the three shares (in 1e-7; None: withheld) of the counties of an edition."""
    people = world.people(county_layer(layer_year), year)
    draws = world.rng("debt", year).integers(500_000, 5_500_000, (people.height, 3)).tolist()
    rows = []
    for at, ((state, county, persons), drawn) in enumerate(zip(people.iter_rows(), draws, strict=True)):
        shares: list[int | None] = list(drawn)
        if persons < TOO_SMALL:
            shares = [None, None, None]
        elif at % 4:
            shares[1 + at % 2] = None
        rows.append((state, county, persons, shares))
    return rows


def _text(share: int | None, missing: str) -> str:
    """A share as the publisher writes it: `.2609164`."""
    return missing if share is None else f".{share:07d}".rstrip("0")


def table_2018(world: World) -> bytes:
    """The reference's table: bounds beside the shares, quality 3 where a share is withheld, blank where none exists."""
    lines = [
        "year,state,county,share_debt_coll,county_name,share_debt_coll_ub,share_debt_coll_lb,share_debt_coll_quality,"
        "subgroup,subgroup_type"
    ]
    for at, (state, county, _, shares) in enumerate(_shares(world, 2018, 2018)):
        for label, share in zip(GROUPS, shares, strict=True):
            half = 150_000 + 1_000 * (at % 90)
            figures = [_text(share, ""), "Synthetic County", "", ""]
            if share is not None:
                figures[2:] = [_text(share + half, ""), _text(max(0, share - half), "")]
            quality = "1" if share is not None else "" if at % 50 == 49 else "3"
            lines.append(",".join(["2018", state, county, *figures, quality, label, "race-ethnicity"]))
    return ("\n".join(lines) + "\n").encode()


def _workbook(sheet: str, rows: list[list[Any]]) -> bytes:
    """A workbook of one sheet, the same bytes each time; texts stay texts."""
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"created": datetime.datetime(2000, 1, 1), "comments": NOTICE})
    page = book.add_worksheet(sheet)
    for number, row in enumerate(rows):
        page.write_row(number, 0, row)
    book.close()
    return buffer.getvalue()


def workbook_2022(world: World) -> bytes:
    """Columns by position: B the county, D to F the shares as numbers or signs for missing ones."""
    head = ["", "GEOID", "NAME", "Share, all", "Share, communities of color", "Share, white", "Median, all"]
    rows = [
        [at, state + county, "Synthetic County", *_numbers(shares), 1500]
        for at, (state, county, _, shares) in enumerate(_shares(world, 2022, 2019))
    ]
    return _workbook("county", [head, *rows])


def _numbers(shares: list[int | None]) -> list[float | str]:
    signs = ("n/a*", "n/a**", "n/a**")
    return [sign if share is None else share / 10_000_000 for share, sign in zip(shares, signs, strict=True)]


def workbook_2023(world: World) -> bytes:
    """All cells text; the shares with medical debt stand in columns 10 to 12."""
    kinds = ("All", "Comm of color", "White comm")
    head = ["County FIPS", "County Name", "State Name"]
    head += [f"Share with any debt in collections, {kind}" for kind in kinds]
    head += [f"Median debt in collections, {kind}" for kind in kinds]
    head += [f"Share with medical debt in collections, {kind}" for kind in kinds]
    rows = []
    for state, county, _, shares in _shares(world, 2023, 2021):
        medical = [None if share is None else share // 5 for share in shares]
        texts = [*(_text(s, "NA") for s in shares), *["1500"] * 3, *(_text(s, "NA") for s in medical)]
        rows.append([state + county, "Synthetic County", "Synthetic", *texts])
    return _workbook("Sheet1", [head, *rows])


def workbook_2021(world: World) -> bytes:
    """Two rows of titles; A the city, C its state, AH to AJ the shares."""
    draws = world.rng("debt", "cities").integers(10_000, 55_000, (len(CITIES), 3)).tolist()
    title, head = ["Synthetic city metrics"] + [""] * 35, [""] * 36
    head[:3], head[33:] = ["city name", "place name", "state"], ["overall", "residents of color", "white"]
    rows = []
    for at, ((city, postal), drawn) in enumerate(zip(CITIES, draws, strict=True)):
        row: list[Any] = [""] * 36
        row[:3], row[33:] = [f"{city}, {postal}", city, postal], [n / 100_000 for n in drawn]
        if at % 4 == 1:
            row[34] = "NA"
        rows.append(row)
    return _workbook("city", [title, head, *rows])


def write(root: Path, world: World) -> None:
    """The edition of each year in its own layout."""
    editions = {
        2018: ("share_debt_2018_long.csv", table_2018),
        2021: ("3_city_financial_health_metrics_b.xlsx", workbook_2021),
        2022: ("county_dia_delinquency_ 7 Jun 2022.xlsx", workbook_2022),
        2023: ("dia_lbls_all_overall_county_2023_1Jul2024.xlsx", workbook_2023),
    }
    for year, (name, make) in editions.items():
        if year in world.years:
            write_bytes(root / SOURCE / str(year) / name, make(world))
