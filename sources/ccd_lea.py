"""Common Core of Data, school districts (LEAs): where their offices are and whom they enroll.

From the Education Data Portal of the Urban Institute, which serves the Common Core of the National Center for Education
Statistics: the directory by its API (pages of 10,000 districts), or as one CSV of all years that a person hands in;
enrollment by race as one CSV per year. Years are named by the fall. Method file homelessness.md, section 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import InputError
from schemas.students import LeaDirectory, LeaEnrollment
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.large_csv import read_filtered
from sources.framework.strict import Raw, read_bytes

YEARS: Final = tuple(range(2014, 2023))
RACE_YEARS: Final = tuple(range(2019, 2023))
PORTAL: Final = "https://educationdata.urban.org"
PAGE_SIZE: Final = 10_000
PAGES: Final = 2
ALL: Final = "99"
"""Code of the portal for all grades, both sexes, all races."""

RACES: Final = {"1": "white", "2": "black", "3": "hispanic", "4": "asian", "5": "aian", "6": "nhpi", "7": "two_or_more"}
# Other codes of race: nonresident, unknown, other, all.
_OTHER_RACES: Final = ("8", "9", "20", ALL)
# Not reported, does not apply, withheld; -9 occurs in the directory of 2015.
MISSING_CODES: Final = ("-1", "-2", "-3", "-9")
_ABSENT: Final = ("", ".", "null")
_DIRECTORY: Final = {
    "year": "year",
    "leaid": "leaid",
    "lea_name": "name",
    "county_code": "county_code",
    "city_location": "city",
    "enrollment": "enrollment",
}


def directory_pages(year: int) -> tuple[SourceFile, ...]:
    """The directory of a year as the portal's API gives it."""
    address = f"{PORTAL}/api/v1/school-districts/ccd/directory/{year}/"
    return tuple(
        SourceFile(f"lea_directory_{year}_{page}.json", "json", url=f"{address}?page={page}")
        for page in range(1, PAGES + 1)
    )


DIRECTORY_CSV: Final = SourceFile(
    "school-districts_lea_directory.csv",
    "csv",
    url=f"{PORTAL}/csv/ccd/school-districts_lea_directory.csv",
    min_bytes=100,
)


def enrollment_file(year: int) -> SourceFile:
    """Enrollment of a year by grade, race and sex."""
    name = f"schools_ccd_lea_enrollment_{year}.csv"
    return SourceFile(name, "csv", url=f"{PORTAL}/csv/ccd/{name}", min_bytes=100)


ALL_DIRECTORIES: Final = Vintage(
    "directories", (DIRECTORY_CSV,), (), note="All years in one file: read instead of the API's pages if it is there."
)


def lea_files(year: int) -> tuple[SourceFile, ...]:
    """The files about districts in the vintage of a year."""
    race = (enrollment_file(year),) if year in RACE_YEARS else ()
    return (*directory_pages(year), *race)


SOURCE: Final = Source(
    key="ccd_lea",
    agency="National Center for Education Statistics, through the Education Data Portal of the Urban Institute",
    dataset="Common Core of Data, school district directory and enrollment by race",
    citation=(
        "Education Data Portal, Urban Institute, under ODC Attribution License; Common Core of Data, National Center "
        "for Education Statistics, U.S. Department of Education."
    ),
    licence="ODC Attribution License (ODC-BY 1.0)",
    redistribute=True,
    landing_page=f"{PORTAL}/documentation/school-districts.html",
    access=Access.DOWNLOAD,
    vintages=(*(Vintage(key=str(year), files=lea_files(year), data_years=(year,)) for year in YEARS), ALL_DIRECTORIES),
    recipe=f"By hand: {DIRECTORY_CSV.url} holds the directories of all years (vintage `{ALL_DIRECTORIES.key}`).",
    usual_release="irregular, one to two years after the school year begins",
)


def build_lea_directory(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `lea_directory` of a year; the nation, whatever the scope. Notes count what is missing."""
    if retrieval.has(SOURCE, ALL_DIRECTORIES.key):
        (file,) = retrieval.obtain(SOURCE, ALL_DIRECTORIES.key)
        table, notes = read_directory_csv(file, year, scratch=retrieval.scratch)
    else:
        pages = retrieval.obtain(SOURCE, str(year), tuple(page.name for page in directory_pages(year)))
        table, notes = read_directory(pages, year)
    retrieval.notes["lea_directory"] = notes
    return table


def build_lea_enrollment(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `lea_enrollment` of a year: students per district and racial or ethnic group."""
    (file,) = retrieval.obtain(SOURCE, str(year), (enrollment_file(year).name,))
    table, notes = read_enrollment(file, year, scratch=retrieval.scratch)
    retrieval.notes["lea_enrollment"] = notes
    return table


def read_directory(pages: Iterable[RawFile], year: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """The API's pages of one directory, and counts. All pages must be there: each states the number of districts."""
    parts: list[Raw] = []
    stated = 0
    for page in pages:
        raw, stated = _page(page.path)
        parts.append(raw)
    found = sum(raw.frame.height for raw in parts)
    last = parts[-1]
    if found != stated:
        raise InputError(
            f"the pages hold {found} districts, the portal says {stated}: a page is missing.",
            source=SOURCE.key,
            file=last.file,
            remedy=f"Hand in {DIRECTORY_CSV.name} instead.",
        )
    return _directory(Raw(pl.concat([raw.frame for raw in parts]), source=last.source, file=last.file), year)


def read_directory_csv(file: RawFile, year: int, *, scratch: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows of a year from the CSV of all directories, and counts."""
    columns = {ours: (theirs,) for theirs, ours in _DIRECTORY.items()}
    keep = pl.col("year") == str(year)
    (raw,) = read_filtered(file.path, columns, keep=keep, source=SOURCE.key, scratch=scratch)
    if raw.frame.height == 0:
        raise raw.error(f"there are no rows of {year}.", column="year")
    return _directory(raw.code("leaid", width=7, pad=True, what="LEA id"), year)


def _page(path: Path) -> tuple[Raw, int]:
    """One page of the API as text, and the number of all districts that it states. Row numbers count results."""

    def refuse(problem: str, **where: Any) -> InputError:
        return InputError(problem, source=SOURCE.key, file=path.name, **where)

    try:
        body: Any = json.loads(read_bytes(path, source=SOURCE.key))
    except json.JSONDecodeError as error:
        raise refuse(f"the JSON is damaged or truncated ({error.msg}).", row=error.lineno) from error
    if not isinstance(body, dict) or not isinstance(body.get("results"), list):
        raise refuse("this is not an answer of the portal's API (an object with `results`).")
    if not isinstance(body.get("count"), int):
        raise refuse("the answer does not say how many districts there are.", column="count")
    results = body["results"]
    if not results or not all(isinstance(row, dict) for row in results):
        raise refuse("the answer holds no districts.", column="results")
    lacking = next(((n, c) for n, row in enumerate(results, 1) for c in _DIRECTORY if c not in row), None)
    if lacking is not None:
        raise refuse("the field is missing.", row=lacking[0], column=lacking[1])
    frame = pl.DataFrame(
        {
            ours: ["" if row[theirs] is None else str(row[theirs]).strip() for row in results]
            for theirs, ours in _DIRECTORY.items()
        }
    )
    raw = Raw(frame, source=SOURCE.key, file=path.name, first_row=1)
    raw.file_names = {ours: theirs for theirs, ours in _DIRECTORY.items()}
    return raw, body["count"]


def _directory(raw: Raw, year: int) -> tuple[pl.DataFrame, dict[str, int]]:
    raw.refuse(pl.col("year") != str(year), f"not the year {year}", column="year")
    raw.code("leaid", width=7, what="LEA id").unique("leaid")
    # The code is a number in some answers, so that states 01 to 09 have four digits.
    code = pl.col("county_code")
    raw.frame = raw.frame.with_columns(
        pl.when(~code.is_in([*MISSING_CODES, *_ABSENT])).then(code.str.zfill(5)).alias("county_code")
    )
    raw.refuse(~code.str.contains(r"^\d{5}$"), "not a county code", column="county_code")
    rows = raw.frame.height
    missing = raw.frame.filter(pl.col("enrollment").is_in(MISSING_CODES)).height
    _students(raw, "enrollment")
    table = (
        raw.done()
        .select(
            "leaid",
            pl.when(pl.col("name") != "").then("name").alias("name"),
            pl.col("county_code").str.head(2).alias("state"),
            pl.col("county_code").str.tail(3).alias("county"),
            pl.when(~pl.col("city").is_in([*MISSING_CODES, *_ABSENT])).then("city").alias("city"),
            "enrollment",
        )
        .sort("leaid")
    )
    notes = {
        "districts": rows,
        "without a county": table["county"].null_count(),
        "without a city": table["city"].null_count(),
        "without enrollment": table["enrollment"].null_count(),
        "of these with a code instead (-1, -2, -3, -9)": missing,
    }
    return table, notes


def read_enrollment(file: RawFile, year: int, *, scratch: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """All grades and both sexes by race from the year's CSV of enrollment, and counts."""
    columns = {c: (c,) for c in ("year", "leaid", "grade", "race", "sex", "enrollment")}
    keep = (pl.col("grade") == ALL) & (pl.col("sex") == ALL)
    (raw,) = read_filtered(file.path, columns, keep=keep, source=SOURCE.key, scratch=scratch)
    if raw.frame.height == 0:
        raise raw.error(f"there are no rows of all grades and both sexes (code {ALL}).", column="grade")
    raw.refuse(pl.col("year") != str(year), f"not the year {year}", column="year")
    raw.category("race", [*RACES, *_OTHER_RACES], what="code of race")
    rows = raw.frame.height
    raw.drop_rows(pl.col("race").is_in(_OTHER_RACES))
    # The portal's CSVs may have ids as numbers, without the zero of states 01 to 09.
    raw.code("leaid", width=7, pad=True, what="LEA id")
    coded = raw.frame.filter(pl.col("enrollment").is_in(MISSING_CODES)).height
    _students(raw, "enrollment")
    raw.frame = raw.frame.with_columns(pl.col("race").replace_strict(RACES).alias("group"))
    raw.unique("leaid", "group")
    table = raw.done().select("leaid", "group", students="enrollment").sort("leaid", "group")
    notes = {
        "rows of all grades and both sexes": rows,
        "rows of all races or of none of the seven left out": rows - table.height,
        "rows": table.height,
        "without enrollment": table["students"].null_count(),
        "of these with a code instead (-1, -2, -3, -9)": coded,
    }
    return table, notes


def _students(raw: Raw, column: str) -> None:
    """A number of students; the portal's codes for missing numbers become null, other negative ones are refused."""
    # Figures pass through floating point on their way into the portal.
    raw.frame = raw.frame.with_columns(pl.col(column).str.replace(r"\.0$", ""))
    raw.number(column, pl.Int64, missing=[*MISSING_CODES, *_ABSENT])
    raw.refuse(pl.col(column) < 0, "negative", column=column)


TABLES: Final = (
    Table(
        name="lea_directory",
        title="School districts: office and enrollment",
        description=(
            "County and city in which each district has its office, as of the year's Common Core of Data, and the "
            "number of students it enrolls in all grades."
        ),
        model=LeaDirectory,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_lea_directory,
    ),
    Table(
        name="lea_enrollment",
        title="School districts: enrollment by race and ethnicity",
        description="Students of all grades and both sexes per district and racial or ethnic group.",
        model=LeaEnrollment,
        sources=(SOURCE.key,),
        years=RACE_YEARS,
        build=build_lea_enrollment,
    ),
)
