"""Synthetic Common Core of Data: pages of the portal's API; every fourth year the enrollment as its bulk CSV.

Cases: schools without a county code (2015 above all), without students, with a suppressed sex, with a race that is not
reported; a school of Puerto Rico.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from sources.synthetic.files import write_bytes
from sources.synthetic.schools import FALLS, county_of, layout, write_pages
from sources.synthetic.world import World

SOURCE: Final = "ccd"
SCHOOL_YEARS: Final = range(2014, 2022)
LEA_RACE_YEARS: Final = range(2019, 2023)
CITY_YEARS: Final = range(2014, 2019)
CITY_FALLS: Final = range(2008, 2019)
# Permille of a school's students by race: White, Black, Hispanic, Asian, American Indian, Pacific Islander, two.
RACES: Final = (430, 210, 240, 50, 20, 10, 40)
NOT_REPORTED: Final = -1
NOT_APPLICABLE: Final = -2
SUPPRESSED: Final = -3
ELSEWHERE: Final = ("720003000001", "72127", "San Juan")


@lru_cache(maxsize=16)
def students(world: World, fall: int) -> list[list[int]]:
    """Students by race of every school, in the order of `layout`: drawn for the year around the school's own mix."""
    schools = layout(world)[1]
    own = world.rng("races").integers(2, 20, (len(schools), len(RACES)))
    drawn = world.rng("students", fall).integers(900, 1101, (len(schools), len(RACES)))
    mix = own * np.array(RACES)
    sizes = np.array([school.students for school in schools])
    found: list[list[int]] = (sizes[:, None] * mix * drawn // (mix.sum(axis=1)[:, None] * 1000)).tolist()
    return found


def _is_odd(number: str, one_in: int, which: int) -> bool:
    """Every `one_in`-th school, beginning with the one of number `which`."""
    return int(number[-5:]) % one_in == which


def _directory(root: Path, world: World, fall: int) -> None:
    records: list[dict[str, Any]] = []
    for school, races in zip(layout(world)[1], students(world, fall), strict=True):
        county: int | None = int(county_of(school.counties, fall))
        if _is_odd(school.ncessch, 9 if fall == 2015 else 97, 4):
            county = NOT_APPLICABLE if fall == 2015 else None
        everyone = sum(races)
        if _is_odd(school.ncessch, 60, 7):
            everyone = 0 if fall % 2 else NOT_REPORTED
        records.append(_address("ncessch", school.ncessch, fall, county, school.city, everyone))
    number, code, city = ELSEWHERE
    drawn = int(world.rng("elsewhere", fall).integers(100, 900))
    records.append(_address("ncessch", number, fall, int(code), city, drawn))
    write_pages(root / SOURCE / str(fall), "school_directory", f"schools/ccd/directory/{fall}/", records, size=250)


def _address(key: str, number: str, fall: int, county: int | None, city: str, enrollment: int) -> dict[str, Any]:
    return {
        "year": fall,
        key: number,
        f"{key}_num": int(number),
        "fips": int(number[:2]),
        "county_code": county,
        "city_location": city.upper() if fall < 2014 else city,
        "enrollment": enrollment,
    }


def _rows(key: str, number: str, fall: int, races: list[int], *, odd: bool, silent: bool) -> list[dict[str, Any]]:
    """Students by race and sex; `odd` suppresses one sex of the second race, `silent` reports nothing of the third."""
    rows: list[dict[str, Any]] = []
    for race, everyone in enumerate(races, start=1):
        male = everyone // 2
        cells: dict[int, int] = {1: male, 2: everyone - male, 99: everyone}
        if odd and race == 2:
            cells[2] = SUPPRESSED
        if silent and race == 3:
            cells = dict.fromkeys(cells, NOT_REPORTED)
        rows += [
            {"year": fall, key: number, "fips": int(number[:2]), "grade": 99, "race": race, "sex": sex, "enrollment": n}
            for sex, n in cells.items()
        ]
    total = {"race": 99, "sex": 99, "enrollment": sum(races)}
    return [*rows, {"year": fall, key: number, "fips": int(number[:2]), "grade": 99, **total}]


def _enrollment(root: Path, world: World, fall: int) -> None:
    rows: list[dict[str, Any]] = []
    for school, races in zip(layout(world)[1], students(world, fall), strict=True):
        odd, silent = _is_odd(school.ncessch, 11, 3), _is_odd(school.ncessch, 50, 9)
        rows += _rows("ncessch", school.ncessch, fall, races, odd=odd, silent=silent)
    folder = root / SOURCE / str(fall)
    if fall % 4:
        address = f"schools/ccd/enrollment/{fall}/grade-99/race/sex/"
        write_pages(folder, "school_enrollment", address, rows, size=5_000)
        return
    # The bulk file has every grade; numbers lose their leading zeros there.
    lines = [",".join(rows[0])]
    for row in rows:
        plain = {**row, "ncessch": int(row["ncessch"])}
        lines.append(",".join(str(value) for value in plain.values()))
        if row["race"] == 1:
            lines.append(",".join(str(value) for value in {**plain, "grade": 5}.values()))
    text = "\n".join(lines) + "\n"
    write_bytes(folder / f"schools_ccd_enrollment_{fall}.csv", text.encode())


def _districts(root: Path, world: World, fall: int) -> None:
    drawn = world.rng("lea", fall).integers(80, 130, len(layout(world)[0])).tolist()
    records = [
        _address(
            *("leaid", district.leaid, fall, int(county_of(district.counties, fall)), district.office(fall)),
            NOT_REPORTED if int(district.leaid) % 40 == 7 else district.people * share // 1000,
        )
        for district, share in zip(layout(world)[0], drawn, strict=True)
        if fall not in district.absent
    ]
    address = f"school-districts/ccd/directory/{fall}/"
    write_pages(root / SOURCE / str(fall), "lea_directory", address, records, size=150)


def _districts_by_race(root: Path, world: World, fall: int) -> None:
    sums: dict[str, list[int]] = {}
    for school, races in zip(layout(world)[1], students(world, fall), strict=True):
        before = sums.get(school.leaid, [0] * len(races))
        sums[school.leaid] = [a + b for a, b in zip(before, races, strict=True)]
    rows = [row for leaid, races in sums.items() for row in _rows("leaid", leaid, fall, races, odd=False, silent=False)]
    address = f"school-districts/ccd/enrollment/{fall}/grade-99/race/sex/"
    write_pages(root / SOURCE / str(fall), "lea_enrollment", address, rows, size=3_000)


def write(root: Path, world: World) -> None:
    """The school years that the world's years need."""
    years = set(world.years)
    for fall in FALLS:
        if fall in years or (fall in CITY_FALLS and years & set(CITY_YEARS)):
            _districts(root, world, fall)
        if fall in years and fall in SCHOOL_YEARS:
            _directory(root, world, fall)
            _enrollment(root, world, fall)
        if fall in years and fall in LEA_RACE_YEARS:
            _districts_by_race(root, world, fall)
