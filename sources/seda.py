"""Stanford Education Data Archive 5.0: mean test scores in English language arts by county and school district.

The archive names a school year by its spring. A cohort's data year is the fall in which it enters grade 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl

from schemas.errors import InputError
from schemas.schools import GRADES, STUDENT_GROUPS, DistrictCity, SedaCounty, SedaDistrict
from sources import ccd
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.large_csv import read_filtered
from sources.framework.states import BY_FIPS, PUERTO_RICO
from sources.framework.strict import HTML, ROW, Raw

T = TypeVar("T")
SOURCE_KEY: Final = "seda"
RELEASE: Final = "5.0"
DATA_YEARS: Final = (2014, 2015, 2016, 2017, 2018)
SPRINGS: Final = tuple(range(2009, 2020))
LAST_GRADE: Final = GRADES[-1]
# Of the cohorts by the spring of grade 8, the first that the method uses.
FIRST_COHORT: Final = 2014
SUBJECT: Final = "rla"
MISSING: Final = ("", "NA", ".")
_BASE: Final = "https://stacks.stanford.edu/file/druid:cs829jn7849"
_CHUNK: Final = 200_000
# seda_county_long_gcs_4.1.dta, ..._v30.dta
_NAMED: Final = re.compile(r"^seda_\w+?_v?(\d)\.?(\d)(?!\d)")


@dataclass(frozen=True)
class Unit:
    """One kind of area: the file's stem, the column that identifies it, and the digits of that number."""

    stem: str
    column: str
    width: int

    @property
    def names(self) -> tuple[str, str]:
        """File names, the preferred form first."""
        return f"{self.stem}.dta", f"{self.stem}.csv"


COUNTY: Final = Unit(f"seda_county_long_gcs_{RELEASE}", "sedacounty", 5)
# The archive replaced its first district file of this release.
DISTRICT: Final = Unit(f"seda_geodist_long_gcs_{RELEASE}_updated_20240319", "sedalea", 7)

SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="Stanford University, Educational Opportunity Project",
    dataset="Stanford Education Data Archive (SEDA) 5.0, county and geographic district, long, GCS scale",
    citation=(
        "Reardon, S. F., et al., Stanford Education Data Archive (Version 5.0), http://purl.stanford.edu/cs829jn7849."
    ),
    licence="Data use agreement of the archive: cite it, and do not try to identify students or schools.",
    redistribute=False,
    landing_page="https://edopportunity.org/get-the-data/seda-archive-downloads/",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(
            RELEASE,
            tuple(
                SourceFile(name, name[-3:], f"{_BASE}/{name}", min_bytes=100)
                for unit in (COUNTY, DISTRICT)
                for name in unit.names
            ),
            DATA_YEARS,
            note="Other releases are refused: earlier ones lack spring 2019, later ones are on other scales.",
        ),
    ),
    recipe="Accept the terms of use on the page, then take the Stata or the CSV file.",
    usual_release="irregular",
    tied=(
        f"the method is tied to release {RELEASE}. Later releases of the archive are on other scales, and no cohort "
        f"after the fall of {DATA_YEARS[-1]} was tested in all of grades 3 to 8."
    ),
)


def build_county(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `seda_county`: scores of the cohort that enters grade 8 in the fall of `year`."""
    scores, counts = _scores_of(COUNTY, retrieval)
    table = _long(_cohort(scores, year), COUNTY)
    retrieval.notes["seda_county"] = {**counts, **_tally(table)}
    number = pl.col(COUNTY.column)
    return (
        table.with_columns(state=number.str.head(2), county=number.str.tail(3))
        .select("state", "county", "group", "grade", "spring", "score", "tests")
        .sort("state", "county", "group", "grade")
    )


def build_district(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `seda_district`: scores of the cohort that enters grade 8 in the fall of `year`."""
    scores, counts = _scores_of(DISTRICT, retrieval)
    table = _long(_cohort(scores, year), DISTRICT)
    retrieval.notes["seda_district"] = {**counts, **_tally(table)}
    return table.rename({DISTRICT.column: "leaid"}).sort("leaid", "group", "grade")


def build_district_city(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `district_city`, the same for every data year: offices of all districts and school years with scores.

    Method file public_education.md, section 4b: school years count in which some cohort of the method was tested.
    """
    scores, _ = _scores_of(DISTRICT, retrieval)
    cohort = pl.col("spring") - pl.col("grade") + LAST_GRADE
    falls = scores.filter(cohort >= FIRST_COHORT).select(leaid=DISTRICT.column, fall=pl.col("spring") - 1).unique()
    offices = pl.concat(
        ccd.lea_directory(fall, retrieval)[0].select("leaid", "city", fall=pl.lit(fall, pl.Int16))
        for fall in ccd.CITY_FALLS
    )
    table = falls.join(offices, on=["leaid", "fall"], how="left", validate="1:1").sort("leaid", "fall")
    with_city = table.group_by("leaid").agg(pl.col("city").count() > 0)["city"]
    retrieval.notes["district_city"] = {
        "districts": with_city.len(),
        "districts without an office in any year": with_city.len() - int(with_city.sum()),
        "school years of districts": table.height,
        "school years without an office": table["city"].null_count(),
    }
    return table.select("leaid", "fall", "city")


# Files --------------------------------------------------------------------------------------------------------------


def _scores_of(unit: Unit, retrieval: Retrieval) -> tuple[pl.DataFrame, dict[str, int]]:
    """All scores of the subject: the unit's number, grade, spring, and score_<group>, tests_<group>; and counts."""
    file = _obtain(unit, retrieval)
    scores, counts = read(file.path, unit, file.sha256, retrieval.scratch)
    return scores, dict(counts)


def _obtain(unit: Unit, retrieval: Retrieval) -> RawFile:
    """The unit's file in either form, one at hand first; a file of another release in its place is named."""
    _refuse_other_releases(unit, retrieval)
    name = next((n for n in unit.names if retrieval.has(SOURCE, RELEASE, (n,))), unit.names[0])
    return retrieval.obtain(SOURCE, RELEASE, (name,))[0]


def _refuse_other_releases(unit: Unit, retrieval: Retrieval) -> None:
    """Somebody may have handed in another file of the archive, in place of the right one or beside it; say so.

    Two releases in one folder are refused, too: which one was meant is for a person to say.
    """
    root = retrieval.store.root
    places = (root / "raw" / SOURCE_KEY / RELEASE, root / "inbox" / SOURCE_KEY, root / "inbox" / SOURCE_KEY / RELEASE)
    kind = unit.stem.split("_")[1]
    for name in [name for place in places for name in retrieval.store.listing(place)]:
        if name.startswith(f"seda_{kind}_") and name.removesuffix(".gz") not in unit.names:
            named = _NAMED.match(name)
            release = f"release {named[1]}.{named[2]}" if named else "another file"
            raise InputError(
                f"this is {release} of the archive, not the file that the method uses.",
                source=SOURCE_KEY,
                file=name,
                remedy=f"Expected: {' or '.join(unit.names)}, and no other release beside it.",
            )


@lru_cache(maxsize=2)
def read(path: Path, unit: Unit, sha256: str, scratch: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """The file's scores in English language arts, checked; see `_scores_of`. Kept for the next data year.

    `sha256` is the file's, so that a changed file is read anew. Raises `InputError`.
    """
    stata = path.name.removesuffix(".gz").endswith(".dta")
    raw = _read_stata(path, unit) if stata else _read_csv(path, unit, scratch)
    counts = {"scores of the subject": raw.frame.height}
    raw.code(unit.column, width=unit.width, pad=True, what=unit.column)
    if unit is COUNTY:
        raw.drop_rows(pl.col(unit.column).str.starts_with(PUERTO_RICO))
        counts["of Puerto Rico, left out"] = counts["scores of the subject"] - raw.frame.height
        raw.refuse(~pl.col(unit.column).str.head(2).is_in(list(BY_FIPS)), "the state is unknown", column=unit.column)
    raw.refuse(~pl.col("grade").is_in(GRADES), "grades are 3 to 8", column="grade")
    other_years = f"release {RELEASE} has the years {SPRINGS[0]} to {SPRINGS[-1]}"
    raw.refuse(~pl.col("spring").is_in(SPRINGS), other_years, column="spring")
    raw.unique(unit.column, "grade", "spring")
    return raw.done().drop("subject"), counts


def _columns(unit: Unit) -> dict[str, str]:
    """Columns of the file -> ours."""
    scores = {f"gcs_mn_{g}": f"score_{g}" for g in STUDENT_GROUPS}
    tests = {f"tot_asmt_{g}": f"tests_{g}" for g in STUDENT_GROUPS}
    return {unit.column: unit.column, "subject": "subject", "grade": "grade", "year": "spring", **scores, **tests}


def _of_another_release(columns: Sequence[str], path: Path) -> None:
    """Releases before 5.0 have the test takers in columns of another name."""
    if "totgyb_all" in columns and "tot_asmt_all" not in columns:
        raise InputError(f"this is release 4.1 or earlier, not {RELEASE}.", source=SOURCE_KEY, file=path.name)


def _some(raw: Raw) -> Raw:
    if raw.frame.height == 0:
        raise raw.error(f"there are no rows of the subject {SUBJECT}.", column="subject")
    return raw


def _read_csv(path: Path, unit: Unit, scratch: Path) -> Raw:
    columns = {ours: (theirs,) for theirs, ours in _columns(unit).items()}
    keep = pl.col("subject") == SUBJECT
    try:
        (raw,) = read_filtered(path, columns, keep=keep, source=SOURCE_KEY, scratch=scratch)
    except InputError as error:
        if error.column is not None:
            _of_another_release(pl.read_csv(path, infer_schema=False, n_rows=0).columns, path)
        raise
    _some(raw).number("grade", pl.Int8).number("spring", pl.Int16)
    for group in STUDENT_GROUPS:
        raw.number(f"score_{group}", missing=MISSING)
        raw.frame = raw.frame.with_columns(pl.col(f"tests_{group}").str.replace(r"\.0+$", ""))
        raw.number(f"tests_{group}", pl.Int64, minimum=0, missing=MISSING)
    return raw


def _read_stata(path: Path, unit: Unit) -> Raw:
    """The Stata file; rows are numbered as its observations."""
    columns = _columns(unit)
    names = _stata(path, lambda reader: list(reader.variable_labels()))
    _of_another_release(names, path)
    raw = Raw(pl.DataFrame(schema=dict.fromkeys(names, pl.String)), source=SOURCE_KEY, file=path.name).select(columns)
    frames: list[pl.DataFrame] = _stata(path, lambda reader: list(_pieces(reader, columns)), columns=list(columns))
    raw.frame = pl.concat(frames, how="vertical_relaxed")
    _some(raw)
    raw.frame = raw.frame.with_columns(
        pl.col(unit.column).cast(pl.String).str.strip_chars().str.replace(r"\.0$", "").fill_null(""),
        pl.col("^(score|tests)_.*$").cast(pl.Float64),
        pl.col("grade", "spring").cast(pl.Int64, strict=False),
    )
    for group in STUDENT_GROUPS:
        tests = pl.col(f"tests_{group}")
        raw.refuse(~pl.col(f"score_{group}").is_finite(), "not a finite number", column=f"score_{group}")
        raw.refuse(tests < 0, "negative", column=f"tests_{group}")
        raw.refuse(tests != tests.round(), "not a whole number", column=f"tests_{group}")
    for column in ("grade", "spring"):
        raw.refuse(pl.col(column).is_null(), "not a whole number", column=column)
    raw.frame = raw.frame.with_columns(
        pl.col("grade").cast(pl.Int8, strict=False),
        pl.col("spring").cast(pl.Int16, strict=False),
        pl.col("^tests_.*$").cast(pl.Int64),
    )
    return raw


def _pieces(reader: Any, columns: dict[str, str]) -> Iterator[pl.DataFrame]:
    """The rows of the subject, with their numbers, one piece of the file after the other."""
    first = 1
    for piece in reader:
        frame = pl.from_pandas(piece).rename(columns).with_row_index(ROW, offset=first)
        first += frame.height
        yield frame.filter(pl.col("subject") == SUBJECT)


def _stata(path: Path, use: Callable[[Any], T], columns: list[str] | None = None) -> T:
    """What `use` makes of a reader of the Stata file, which gives the file in pieces of `columns`."""
    import pandas as pd

    with path.open("rb") as stream:
        head = stream.read(200)
    if not head:
        raise InputError("the file is empty.", source=SOURCE_KEY, file=path.name)
    if head.lstrip().lower().startswith(HTML):
        raise InputError("this is a web page, not data.", source=SOURCE_KEY, file=path.name)
    try:
        with pd.read_stata(path, columns=columns, chunksize=_CHUNK, convert_categoricals=False) as reader:
            return use(reader)
    except Exception as error:
        # The library raises errors of many kinds for a damaged file.
        problem = f"the Stata file is damaged or truncated ({error})."
        raise InputError(problem, source=SOURCE_KEY, file=path.name) from error


# Tables -------------------------------------------------------------------------------------------------------------


def _cohort(scores: pl.DataFrame, year: int) -> pl.DataFrame:
    """The rows of the cohort that enters grade 8 in the fall of `year`."""
    if year not in DATA_YEARS:
        raise InputError(f"release {RELEASE} has no whole cohort for {year}.", source=SOURCE_KEY)
    return scores.filter(pl.col("spring") - pl.col("grade") + LAST_GRADE == year + 1)


def _long(scores: pl.DataFrame, unit: Unit) -> pl.DataFrame:
    """One row per unit, group and grade, withheld scores included."""
    return pl.concat(
        scores.select(
            unit.column,
            pl.lit(group).alias("group"),
            "grade",
            "spring",
            pl.col(f"score_{group}").alias("score"),
            pl.col(f"tests_{group}").alias("tests"),
        )
        for group in STUDENT_GROUPS
    )


def _tally(table: pl.DataFrame) -> dict[str, int]:
    tested = pl.col("tests").fill_null(0) > 0
    return {
        "scores of the cohort": table["score"].count(),
        "scores withheld": table["score"].null_count(),
        "scores without test takers": table.filter(pl.col("score").is_not_null() & ~tested).height,
    }


def _table(
    name: str, title: str, description: str, model: type, build: Callable[..., pl.DataFrame], *more: str
) -> Table:
    return Table(name, title, description, model, (SOURCE_KEY, *more), DATA_YEARS, build)


TABLES: Final = (
    _table(
        "seda_county",
        "Test scores by county",
        "Mean scores in English language arts, grades 3 to 8, of the cohort that enters grade 8 in the data year.",
        SedaCounty,
        build_county,
    ),
    _table(
        "seda_district",
        "Test scores by school district",
        "Mean scores in English language arts, grades 3 to 8, of the cohort that enters grade 8 in the data year.",
        SedaDistrict,
        build_district,
    ),
    _table(
        "district_city",
        "City of each school district's office",
        "The city in the office address of every school district with test scores, by school year.",
        DistrictCity,
        build_district_city,
        ccd.SOURCE_KEY,
    ),
)
