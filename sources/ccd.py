"""Common Core of Data: public schools and school districts, their addresses, and their students by race.

Taken from the Education Data Portal. Years are the fall of the school year.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import polars as pl

from schemas.schools import RACES, LeaDirectory, LeaEnrollment, SchoolDirectory, SchoolEnrollment
from sources import education_portal as portal
from sources.education_portal import ALL_GRADES, ALL_YEARS, SEXES, Topic
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.strict import Raw

SOURCE_KEY: Final = "ccd"
BOTH_SEXES: Final = "99"
# The district directory of 2015 has one more code for enrollment that is not known.
DIRECTORY_MISSING: Final = (*portal.MISSING, "-9")

ENROLLMENT_COLUMNS: Final = ("year", "grade", "race", "sex", "enrollment")
ADDRESS_COLUMNS: Final = ("year", "county_code", "city_location", "enrollment")
SCHOOL_DIRECTORY: Final = Topic(
    "school_directory", "schools/ccd/directory/{year}/", "ccd/schools_ccd_directory.csv", ("ncessch", *ADDRESS_COLUMNS)
)
SCHOOL_ENROLLMENT: Final = Topic(
    "school_enrollment",
    "schools/ccd/enrollment/{year}/grade-99/race/sex/",
    "ccd/schools_ccd_enrollment_{year}.csv",
    ("ncessch", *ENROLLMENT_COLUMNS),
)
LEA_DIRECTORY: Final = Topic(
    "lea_directory",
    "school-districts/ccd/directory/{year}/",
    "ccd/school-districts_lea_directory.csv",
    ("leaid", *ADDRESS_COLUMNS),
)
LEA_ENROLLMENT: Final = Topic(
    "lea_enrollment",
    "school-districts/ccd/enrollment/{year}/grade-99/race/sex/",
    "ccd/schools_ccd_lea_enrollment_{year}.csv",
    ("leaid", *ENROLLMENT_COLUMNS),
)

# Data years of the tables.
SCHOOL_YEARS: Final = tuple(range(2014, 2022))
LEA_YEARS: Final = tuple(range(2014, 2023))
LEA_RACE_YEARS: Final = tuple(range(2019, 2023))
# School years whose district offices place the test scores of every data year from 2014 to 2018.
CITY_FALLS: Final = tuple(range(2008, 2019))
CITY_DATA_YEARS: Final = (2014, 2015, 2016, 2017, 2018)
TOPIC_FALLS: Final[dict[Topic, tuple[int, ...]]] = {
    SCHOOL_DIRECTORY: SCHOOL_YEARS,
    SCHOOL_ENROLLMENT: SCHOOL_YEARS,
    LEA_DIRECTORY: tuple(range(CITY_FALLS[0], LEA_YEARS[-1] + 1)),
    LEA_ENROLLMENT: LEA_RACE_YEARS,
}


def _vintage(fall: int) -> Vintage:
    topics = [topic for topic, falls in TOPIC_FALLS.items() if fall in falls]
    years = {fall} if fall in LEA_YEARS else set()
    years |= set(CITY_DATA_YEARS) if fall in CITY_FALLS else set()
    files = tuple(file for topic in topics for file in topic.files(fall))
    return Vintage(str(fall), files, tuple(sorted(years)), note=f"School year {fall}-{(fall + 1) % 100:02d}.")


def _bulk_files() -> tuple[SourceFile, ...]:
    return tuple(topic.bulk_file(0) for topic in TOPIC_FALLS if not topic.is_yearly)


SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="National Center for Education Statistics, by way of the Urban Institute",
    dataset="Common Core of Data: directories and enrollment of public schools and school districts",
    citation=(
        "U.S. Department of Education, National Center for Education Statistics, Common Core of Data; Education Data "
        "Portal, Urban Institute."
    ),
    licence=portal.LICENCE,
    redistribute=True,
    landing_page=f"{portal.HOST}/documentation/",
    access=Access.DOWNLOAD,
    vintages=(
        *(_vintage(fall) for fall in TOPIC_FALLS[LEA_DIRECTORY]),
        Vintage(ALL_YEARS, _bulk_files(), LEA_YEARS, note="Bulk files with every school year."),
    ),
    recipe=portal.RECIPE,
    usual_release="irregular; a school year about two years after it began",
)


def _address(raws: Sequence[Raw], key: str, width: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """A directory: key, county, city, enrollment; and what was left out or is missing, counted."""
    counts = {"rows read": 0, "in outlying areas, left out": 0}
    for raw in raws:
        counts["rows read"] += raw.frame.height
        portal.identifier(raw, key, width)
        portal.county(raw)
        portal.text_or_null(raw, "city_location")
        portal.count(raw, missing=DIRECTORY_MISSING)
        counts["in outlying areas, left out"] += portal.in_the_states(raw)
    table = portal.combined(raws, [key]).select(
        key, county="county_code", city="city_location", enrollment="enrollment"
    )
    for column in ("county", "city", "enrollment"):
        counts[f"without {column}"] = table[column].null_count()
    return table, counts


def _by_race(raws: Sequence[Raw], key: str, width: int, races: Sequence[int]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Enrollment by race and sex: key, race, sex (Int8), enrollment; and what was left out or is missing, counted."""
    counts = {"rows read": 0, "of other races, left out": 0}
    for raw in raws:
        read = raw.frame.height
        raw.category("race", portal.RACES, what="race").category("sex", SEXES, what="sex")
        raw.drop_rows(~pl.col("race").is_in([str(race) for race in races]))
        portal.identifier(raw, key, width)
        raw.number("race", pl.Int8).number("sex", pl.Int8)
        portal.count(raw)
        counts["rows read"] += read
        counts["of other races, left out"] += read - raw.frame.height
    table = portal.combined(raws, [key, "race", "sex"]).select(key, "race", "sex", "enrollment")
    counts["rows without enrollment"] = table["enrollment"].null_count()
    return table, counts


def build_school_directory(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `school_directory` of a school year."""
    table, counts = _address(portal.read(SCHOOL_DIRECTORY, SOURCE, year, retrieval), "ncessch", 12)
    retrieval.notes["school_directory"] = counts
    return table


def build_school_enrollment(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `school_enrollment` of a school year: White, Black and Hispanic students."""
    all_grades = pl.col("grade") == ALL_GRADES
    raws = portal.read(SCHOOL_ENROLLMENT, SOURCE, year, retrieval, keep=all_grades)
    table, counts = _by_race(raws, "ncessch", 12, RACES[:3])
    retrieval.notes["school_enrollment"] = counts
    return table


def build_lea_directory(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `lea_directory` of a school year."""
    table, counts = lea_directory(year, retrieval)
    retrieval.notes["lea_directory"] = counts
    return table


def lea_directory(fall: int, retrieval: Retrieval) -> tuple[pl.DataFrame, dict[str, int]]:
    """School districts of a school year: leaid, county, city, enrollment; and counts."""
    return _address(portal.read(LEA_DIRECTORY, SOURCE, fall, retrieval), "leaid", 7)


def build_lea_enrollment(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `lea_enrollment` of a school year."""
    both = (pl.col("grade") == ALL_GRADES) & (pl.col("sex") == BOTH_SEXES)
    table, counts = _by_race(portal.read(LEA_ENROLLMENT, SOURCE, year, retrieval, keep=both), "leaid", 7, RACES)
    retrieval.notes["lea_enrollment"] = counts
    return table.drop("sex")


def _table(
    name: str, title: str, description: str, model: type, years: tuple[int, ...], build: Callable[..., pl.DataFrame]
) -> Table:
    return Table(name, title, description, model, (SOURCE_KEY,), years, build)


TABLES: Final = (
    _table(
        "school_directory",
        "Public schools",
        "Every public school of the year with the county and city of its address and its number of students.",
        SchoolDirectory,
        SCHOOL_YEARS,
        build_school_directory,
    ),
    _table(
        "school_enrollment",
        "Students by race and school",
        "White, Black and Hispanic students of every public school, by sex.",
        SchoolEnrollment,
        SCHOOL_YEARS,
        build_school_enrollment,
    ),
    _table(
        "lea_directory",
        "School districts",
        "Every school district of the year with the county and city of its office and its number of students.",
        LeaDirectory,
        LEA_YEARS,
        build_lea_directory,
    ),
    _table(
        "lea_enrollment",
        "Students by race and school district",
        "Students of every school district by race and ethnicity.",
        LeaEnrollment,
        LEA_RACE_YEARS,
        build_lea_enrollment,
    ),
)
