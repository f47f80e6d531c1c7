"""Synthetic homeless students by district: EDFacts, ED Data Express, and the CSV of its Data Builder.

Districts are those of the synthetic Common Core. Numbers of one and two are withheld (S). There are districts that
report nothing, one that the directory does not have, and (2018) one of the Bureau of Indian Education.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sources.edfacts_homeless import LAST_WIDE, long_file, school_year, wide_file
from sources.synthetic.ccd import students
from sources.synthetic.files import write_bytes, write_zip
from sources.synthetic.schools import layout
from sources.synthetic.world import World

SOURCE: Final = "edfacts_homeless"
YEARS: Final = tuple(range(2014, 2023))
EVERYBODY: Final = "All Students in LEA"
# In the order of the races of the Common Core.
RACES: Final = (
    "White",
    "Black or African American",
    "Hispanic/Latino",
    "Asian",
    "American Indian or Alaska Native",
    "Native Hawaiian or Other Pacific Islander",
    "Two or more races",
)
# Homeless students per 1,000 of the race.
PER_1000: Final = (14, 42, 28, 6, 45, 50, 30)
LONG_HEADER: Final = (
    *("School Year", "State", "NCES LEA ID", "LEA", "School", "NCES SCH ID", "Data Group", "Data Description", "Value"),
    *("Numerator", "Denominator", "Population", "Subgroup", "Characteristics", "Age/Grade", "Academic Subject"),
    *("Outcome", "Program Type"),
)
NOT_IN_DIRECTORY: Final = "5699999"
INDIAN_EDUCATION: Final = "5900001"


def homeless(world: World, fall: int) -> dict[str, list[int]]:
    """Homeless students of every district by race; a few districts report nothing (left out)."""
    enrolled: dict[str, list[int]] = {}
    for school, races in zip(layout(world)[1], students(world, fall), strict=True):
        before = enrolled.get(school.leaid, [0] * len(races))
        enrolled[school.leaid] = [a + b for a, b in zip(before, races, strict=True)]
    draws = world.rng("homeless", fall).integers(0, 1600, (len(enrolled), len(RACES)))
    found = {
        leaid: [people * usual * int(draw) // 1_000_000 for people, usual, draw in zip(p, PER_1000, row, strict=True)]
        for (leaid, p), row in zip(sorted(enrolled.items()), draws, strict=True)
        if int(leaid) % 240 != 30
    }
    return {**found, NOT_IN_DIRECTORY: [5, 0, 1, 0, 0, 0, 0]}


def _shown(number: int) -> str:
    return "S" if number in (1, 2) else str(number)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def wide(world: World, fall: int) -> bytes:
    """The CSV of EDFacts: one row per district."""
    year = ("SCHOOL_YEAR_TEXT",) if fall > 2014 else ()
    header = (
        *year,
        "STNAM",
        "FIPST",
        "LEAID",
        "LEANM",
        "SUBGRANT_STATUS",
        "TOTAL",
        "PREK_FLAG",
        "DOUBLED_UP",
        "DATE_CUR",
    )
    names = {state.code: state.name.upper() for state in world.states}
    numbers = {leaid: _shown(sum(races)) for leaid, races in homeless(world, fall).items()}
    silent = [d.leaid for d in layout(world)[0] if d.leaid not in numbers]
    numbers |= dict.fromkeys(silent, ".")
    if fall == LAST_WIDE:
        numbers[INDIAN_EDUCATION] = "9"
    rows = [
        [
            *([school_year(fall)] if year else []),
            *(names.get(leaid[:2], "BUREAU OF INDIAN EDUCATION"), leaid[:2], leaid, f"Synthetic district {leaid}"),
            *("No", number, "", ".", "01JAN20"),
        ]
        for leaid, number in sorted(numbers.items())
    ]
    return _csv(header, rows)


def long(world: World, fall: int) -> bytes:
    """The CSV of ED Data Express: one row per district and group, and rows by where the students live."""
    names = {state.code: state.name.upper() for state in world.states}

    def row(leaid: str, group: str, living: str, value: str) -> list[str]:
        return [
            *(school_year(fall), names[leaid[:2]], leaid, f"Synthetic district {leaid}", "", "", "655"),
            *("Homeless Students Enrolled", value, "", "", "Homeless Students", group, living),
            *("Pre-K through 12th grade", "", "", ""),
        ]

    rows = []
    for leaid, races in sorted(homeless(world, fall).items()):
        total = sum(races)
        rows.append(row(leaid, EVERYBODY, "", _shown(total)))
        rows += [row(leaid, group, "", _shown(n)) for group, n in zip(RACES, races, strict=True) if n]
        rows.append(row(leaid, "English Learner", "", _shown(total // 5)))
        rows.append(row(leaid, "", "Doubled-up", _shown(total * 3 // 4)))
    return _csv(LONG_HEADER, rows)


def write(root: Path, world: World) -> None:
    """The file of each school year in its form."""
    for fall in YEARS:
        if fall not in world.years:
            continue
        folder = root / SOURCE / str(fall)
        if fall <= LAST_WIDE:
            write_bytes(folder / wide_file(fall).name, wide(world, fall))
            continue
        file = long_file(fall)
        if file.kind == "csv":
            write_bytes(folder / file.name, long(world, fall))
        else:
            years = file.name.partition("_")[0]
            notes = b'"School Year",State\n'
            stem = f"{years}_FS118_DG655_LEA"
            write_zip(folder / file.name, {f"{stem}.csv": long(world, fall), f"{stem}_data_notes.csv": notes})
