"""Homeless students by school district (US Department of Education, file specification 118): table `homeless_lea`.

Two layouts. ED Data Express: a zip with one long CSV, one row per district and group. EDFacts (school years 2014-15 to
2018-19): one CSV per year with one row per district. Both withhold numbers of one or two students. Years are named by
the fall in which the school year begins. Method file homelessness.md, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import OwedError
from schemas.students import EVERYBODY, HomelessLea
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.large_csv import read_filtered, unpacked_member
from sources.framework.strict import Raw

YEARS: Final = tuple(range(2014, 2023))
WITHHELD: Final = "S"
NOT_REPORTED: Final = "."
DATA_GROUP: Final = "655"
"""Homeless students enrolled; the same download may hold data group 818, young children served."""

LAST_WIDE: Final = 2018

INDIAN_EDUCATION: Final = "59"
"""State code of the Bureau of Indian Education, which ED Data Express does not have for the fall of 2018."""

GROUPS: Final[dict[str, str]] = {
    "All Students in LEA": EVERYBODY,
    "All Students": EVERYBODY,
    "White": "white",
    "Black or African American": "black",
    "Hispanic/Latino": "hispanic",
    "Asian": "asian",
    "American Indian or Alaska Native": "aian",
    "Native Hawaiian or Other Pacific Islander": "nhpi",
    "Two or more races": "two_or_more",
}
# Groups of another kind, which nothing needs: disability, language, migration, living without a parent.
_OTHER_KINDS: Final = r"(?i)disabilit|english|migra|unaccompanied"
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "year": ("School Year",),
    "leaid": ("NCES LEA ID",),
    "data_group": ("Data Group",),
    "students": ("Value",),
    "group": ("Subgroup",),
    "living": ("Characteristics",),
}
_DATA_FILES: Final = "https://www2.ed.gov/about/inits/ed/edfacts/data-files"
_LIBRARY: Final = "https://eddataexpress.ed.gov/sites/default/files/data_download"
# Fall -> number of the download, school years in its name.
_DOWNLOADS: Final[dict[int, tuple[str, str]]] = {
    **dict.fromkeys((2014, 2015, 2016, 2017), ("EID_1350", "SY1018")),
    2018: ("EID_2111", "SY1819"),
    2019: ("EID_6526", "SY1920"),
    2020: ("EID_8321", "SY2021"),
    2021: ("EID_11718", "SY2122"),
}


def school_year(year: int) -> str:
    """`2019` -> `2019-2020`."""
    return f"{year}-{year + 1}"


def long_file(year: int) -> SourceFile:
    """The file of ED Data Express for the school year that begins in `year`."""
    ours = f"EdDataEx_Homelessness_{year}"
    if year not in _DOWNLOADS:
        return SourceFile(
            f"homeless_students_lea_{school_year(year)}.csv",
            "csv",
            accept=(f"{ours}.csv", f"{year}-{year % 100 + 1} LEA homeless student data.csv"),
            min_bytes=100,
        )
    folder, years = _DOWNLOADS[year]
    name = f"{years}_FS118_DG655_LEA_data_files.zip"
    return SourceFile(name, "zip", url=f"{_LIBRARY}/{folder}/{name}", accept=(f"{ours}.zip",), min_bytes=100)


def wide_file(year: int) -> SourceFile:
    """The file of EDFacts, which was published until the school year that begins in 2018."""
    name = f"lea-homeless-enrolled-sy{year}-{year % 100 + 1}{'-wide' if year == LAST_WIDE else ''}.csv"
    accept = (f"EDFacts_Homelessness_{year}.csv",)
    return SourceFile(name, "csv", url=f"{_DATA_FILES}/{name}", accept=accept, min_bytes=100)


def vintages(year: int) -> tuple[Vintage, ...]:
    """The ways to have a school year, the first one preferred."""
    if year <= LAST_WIDE:
        return (
            Vintage(str(year), (wide_file(year),), (year,), note="EDFacts, one row per district."),
            Vintage(
                f"{year}-express",
                (long_file(year),),
                (),
                note="ED Data Express, one row per district and group: taken if the EDFacts file cannot be had.",
            ),
        )
    by_hand = (
        "Open the data download tool (Data Builder), choose school year 2022-2023, population Homeless Students and "
        "level Local Education Agency, and download the CSV."
    )
    return (Vintage(str(year), (long_file(year),), (year,), note="" if year in _DOWNLOADS else by_hand),)


SOURCE: Final = Source(
    key="edfacts_homeless",
    agency="U.S. Department of Education",
    dataset="EDFacts / ED Data Express, file specification 118, data group 655, homeless students enrolled, LEA level",
    citation="U.S. Department of Education, EDFacts, Homeless Students Enrolled (FS118, DG655).",
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://eddataexpress.ed.gov/download/data-library",
    access=Access.DOWNLOAD,
    vintages=tuple(vintage for year in YEARS for vintage in vintages(year)),
    recipe=(
        "In the data library choose level LEA and data group 655; for the falls of 2014 to 2018 there are also EDFacts "
        "CSVs, one per school year."
    ),
    usual_release="irregular, about two years after the school year",
)


def build_homeless_lea(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `homeless_lea` of the fall `year`: leaid, group, students, withheld; the nation, whatever the scope.

    The bounds that the method puts around withheld numbers depend on all districts of a state. Notes say which file was
    read and what was left out.
    """
    ways = vintages(year)
    chosen = next((v for v in ways if retrieval.has(SOURCE, v.key)), None)
    file = _first([chosen] if chosen else ways, retrieval)
    if file.vintage == str(year) and year <= LAST_WIDE:
        table, notes = read_wide(file, year)
    else:
        table, notes = read_long(file, year, scratch=retrieval.scratch)
    retrieval.notes["homeless_lea"] = {"vintage": file.vintage, **notes}
    return table


def _first(ways: Sequence[Vintage], retrieval: Retrieval) -> RawFile:
    """The file of the first way that leads to one; if none does, what is owed is the first one's."""
    owed: list[OwedError] = []
    for way in ways:
        try:
            (file,) = retrieval.obtain(SOURCE, way.key)
        except OwedError as error:
            owed.append(error)
        else:
            return file
    raise owed[0]


def read_wide(file: RawFile, year: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """An EDFacts CSV: districts with a total or a withheld one, and counts of the others.

    Left out are districts that reported nothing and, in 2018, those of the Bureau of Indian Education: so the result is
    that of ED Data Express.
    """
    raw = Raw.csv(file.path, source=SOURCE.key, encoding="latin-1")
    if "SCHOOL_YEAR_TEXT" in raw.frame.columns:
        raw.refuse(
            pl.col("SCHOOL_YEAR_TEXT") != school_year(year),
            f"not the school year {school_year(year)}",
            column="SCHOOL_YEAR_TEXT",
        )
    raw.select({"FIPST": "state", "LEAID": "leaid", "TOTAL": "students"})
    raw.code("state", width=2, what="state").code("leaid", width=7, what="LEA id")
    raw.refuse(pl.col("leaid").str.head(2) != pl.col("state"), "the LEA id is of another state", column="leaid")
    rows = raw.frame.height
    silent = raw.frame.filter(pl.col("students") == NOT_REPORTED).height
    raw.drop_rows(pl.col("students") == NOT_REPORTED)
    reported = raw.frame.height
    if year == 2018:
        raw.drop_rows(pl.col("state") == INDIAN_EDUCATION)
    raw.frame = raw.frame.with_columns(group=pl.lit(EVERYBODY))
    notes = {
        "rows read": rows,
        "districts that reported nothing, left out": silent,
        "districts of the Bureau of Indian Education left out": reported - raw.frame.height,
    }
    return _counted(raw, notes)


def read_long(file: RawFile, year: int, *, scratch: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """A CSV of ED Data Express, or the zip of one: the rows of the school year by racial and ethnic group, and counts.

    Left out are rows of other school years or data groups, of places where the students live, and of groups that are
    not racial or ethnic.
    """
    raw = _long_table(file.path, scratch)
    rows = raw.frame.height
    wanted = (pl.col("year") == school_year(year)) & (pl.col("data_group") == DATA_GROUP)
    raw.drop_rows(~wanted)
    if raw.frame.height == 0:
        raise raw.error(f"there are no rows of data group {DATA_GROUP} in {school_year(year)}.", column="Data Group")
    of_year = raw.frame.height
    raw.refuse(
        (pl.col("group") == "") & (pl.col("living") == ""),
        "neither a group nor a place to live is named",
        column="group",
    )
    raw.drop_rows(pl.col("group") == "")
    with_group = raw.frame.height
    raw.drop_rows(pl.col("group").str.contains(_OTHER_KINDS))
    raw.category("group", list(GROUPS), what="group of students")
    raw.code("leaid", width=7, what="LEA id")
    raw.frame = raw.frame.with_columns(pl.col("group").replace_strict(GROUPS))
    notes = {
        "rows read": rows,
        "rows of other school years or data groups left out": rows - of_year,
        "rows by place to live left out": of_year - with_group,
        "rows of groups that are not racial or ethnic left out": with_group - raw.frame.height,
    }
    return _counted(raw, notes)


def _long_table(path: Path, scratch: Path) -> Raw:
    """The data table of the file as text; the notes that lie beside it in the zip are not read."""
    with unpacked_member(path, r"(?<!notes)\.csv$", source=SOURCE.key, scratch=scratch) as data:
        (raw,) = read_filtered(data, _COLUMNS, keep=pl.lit(True), source=SOURCE.key, scratch=scratch)
    raw.file = path.name
    return raw


def _counted(raw: Raw, notes: dict[str, int]) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows as the table, once numbers are numbers and keys single."""
    raw.frame = raw.frame.with_columns(withheld=pl.col("students") == WITHHELD)
    raw.number("students", pl.Int64, minimum=0, missing=(WITHHELD,)).unique("leaid", "group")
    table = raw.done().select("leaid", "group", "students", "withheld").sort("leaid", "group")
    withheld = table.filter(pl.col("withheld")).height
    return table, {**notes, "rows": table.height, "numbers withheld by the agency": withheld}


TABLES: Final = (
    Table(
        name="homeless_lea",
        title="Homeless students by school district",
        description=(
            "Students who were homeless at any time of the school year, per district and racial or ethnic group "
            "(groups from the fall of 2019). Null where the agency withholds one or two students."
        ),
        model=HomelessLea,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_homeless_lea,
    ),
)
