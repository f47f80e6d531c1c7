"""Urban Institute, Education Data Portal: what its data sets share.

Each data set comes in two forms with the same columns: pages of the JSON API, and bulk CSV files (all school years in
one file, or one file per year). Identifiers are numbers in some of them, so leading zeros are put back. School years
are named by the fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.errors import InputError, OwedError
from sources.framework import RawFile, Retrieval, Source, SourceFile
from sources.framework.large_csv import read_filtered
from sources.framework.pages import read_page
from sources.framework.states import BY_FIPS
from sources.framework.strict import ROW, Raw

HOST: Final = "https://educationdata.urban.org"
LICENCE: Final = (
    "Open Data Commons Attribution License (ODC-By) 1.0; the Education Data Portal asks to be cited with its version."
)
RECIPE: Final = (
    "The pages of the API can be saved by hand under the names above, in order: each names the address of the next. "
    "A bulk CSV from the portal's documentation serves as well."
)
# Not reported, not applicable, suppressed.
MISSING: Final = ("-1", "-2", "-3")
ALL_YEARS: Final = "all-years"
"""Vintage of the bulk files that hold every school year."""
OUTLYING_AREAS: Final = ("60", "66", "69", "72", "78")
"""American Samoa, Guam, Northern Mariana Islands, Puerto Rico, Virgin Islands."""
RACES: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "20", "99", *MISSING)
SEXES: Final = ("1", "2", "3", "9", "99", *MISSING)
ALL_GRADES: Final = "99"


@dataclass(frozen=True)
class Topic:
    """One data set of the portal: `path` of its API, with "{year}", and its `bulk` file below `/csv/`.

    `bulk` holds one school year if "{year}" is in it, else all of them. `columns` are the ones read.
    """

    name: str
    path: str
    bulk: str
    columns: tuple[str, ...]

    @property
    def pages(self) -> str:
        """Declared name of the pages."""
        return f"{self.name}_*.json"

    def bulk_name(self, year: int) -> str:
        """File name of the bulk file that holds the school year."""
        return self.bulk.rsplit("/", 1)[-1].format(year=year)

    def bulk_file(self, year: int) -> SourceFile:
        """The bulk file that holds the school year."""
        return SourceFile(self.bulk_name(year), "csv", f"{HOST}/csv/{self.bulk.format(year=year)}")

    @property
    def is_yearly(self) -> bool:
        """Whether the bulk file holds one school year."""
        return "{year}" in self.bulk

    def files(self, year: int) -> tuple[SourceFile, ...]:
        """The files of the school year's own vintage: the pages, and the bulk file if there is one for each year."""
        pages = SourceFile(self.pages, "json", f"{HOST}/api/v1/{self.path.format(year=year)}", paged=True)
        return (pages, self.bulk_file(year)) if self.is_yearly else (pages,)


def read(topic: Topic, source: Source, year: int, retrieval: Retrieval, keep: pl.Expr | None = None) -> list[Raw]:
    """The topic's rows of a school year as text, identifiers as they come, one `Raw` per file; `keep` limits them.

    A bulk file at hand is preferred to fetching pages, and whole pages at hand to the bulk file. Rows are numbered by
    their place in the page, or by the line of the CSV. Raises `OwedError` and `InputError`.
    """
    vintage = str(year)
    bulk = vintage if topic.is_yearly else ALL_YEARS, (topic.bulk_name(year),)
    bulk_at_hand = retrieval.has(source, *bulk)
    if not bulk_at_hand or retrieval.has(source, vintage, (topic.pages,)):
        try:
            return _read_pages(retrieval.obtain(source, vintage, (topic.pages,)), topic, year, keep)
        except OwedError:
            if not bulk_at_hand:
                raise
    (file,) = retrieval.obtain(source, *bulk)
    rows = pl.col("year") == vintage
    kept = rows if keep is None else rows & keep
    columns = {c: (c,) for c in topic.columns}
    raws = list(read_filtered(file.path, columns, keep=kept, source=source.key, scratch=retrieval.scratch))
    if not any(raw.frame.height for raw in raws):
        raise InputError(f"there are no rows of {year}.", source=source.key, file=file.path.name)
    return raws


def _read_pages(files: Sequence[RawFile], topic: Topic, year: int, keep: pl.Expr | None) -> list[Raw]:
    raws: list[Raw] = []
    counts: set[int] = set()
    read = 0
    for file in files:
        page = read_page(file.path, source=file.source)
        counts.add(page["count"])
        read += len(page["results"])
        if page["results"]:
            names = pl.DataFrame(schema=dict.fromkeys(page["results"][0], pl.String))
            Raw(names, source=file.source, file=file.path.name).select(topic.columns)
            frame = pl.DataFrame(page["results"], schema=dict.fromkeys(topic.columns, pl.String), strict=False)
            frame = frame.with_columns(pl.all().str.strip_chars().fill_null(""))
            raw = Raw(frame, source=file.source, file=file.path.name, first_row=1)
            raw.refuse(pl.col("year") != str(year), f"this is not the school year {year}", column="year")
            raws.append(raw if keep is None else raw.drop_rows(~keep))
    if not raws:
        raise InputError("the pages hold no records.", source=files[0].source, file=files[0].path.name)
    if counts != {read}:
        stated = " and ".join(f"{n:,}" for n in sorted(counts))
        raise InputError(
            f"the pages hold {read:,} records and speak of {stated}: not of one answer, or cut short.",
            source=files[0].source,
            file=files[0].path.name,
            remedy="Remove the pages of this year so that they are fetched again.",
        )
    return raws


def combined(raws: Sequence[Raw], key: Sequence[str]) -> pl.DataFrame:
    """The rows of all files as one table sorted by `key`; a key that occurs twice is an `InputError`."""
    rows = pl.concat([raw.frame.with_columns(pl.lit(at).alias("at")) for at, raw in enumerate(raws)])
    again = rows.filter(~pl.struct(key).is_first_distinct()).head(1)
    for row in again.iter_rows(named=True):
        values = ", ".join(f"{k}={row[k]}" for k in key)
        raise raws[row["at"]].error(f"duplicate key ({values}).", row=row[ROW], column=", ".join(key))
    return rows.drop("at", ROW).sort(key)


# Columns that several topics share -----------------------------------------------------------------------------------


def identifier(raw: Raw, column: str, width: int) -> None:
    """An agency's number of `width` digits, of which the first two tell the state; leading zeros are put back."""
    raw.code(column, width=width, pad=True, what=column)
    raw.refuse(pl.col(column).str.starts_with("00"), f"{column} names no state", column=column)


def county(raw: Raw, column: str = "county_code") -> None:
    """A county's 5 digits, or null where it is not reported."""
    text = pl.col(column).str.replace(r"\.0$", "")
    missing = text.is_in([*MISSING, ""])
    raw.frame = raw.frame.with_columns(pl.when(~missing).then(text.str.zfill(5)).alias(column))
    raw.refuse(~pl.col(column).str.contains(r"^\d{5}$"), "this is no county code", column=column)
    known = pl.col(column).str.slice(0, 2).is_in([*BY_FIPS, *OUTLYING_AREAS])
    raw.refuse(~known, "the county's state is unknown", column=column)


def in_the_states(raw: Raw, column: str = "county_code") -> int:
    """Leave out rows of Puerto Rico and the other outlying areas; their number."""
    before = raw.frame.height
    raw.drop_rows(pl.col(column).str.slice(0, 2).is_in(OUTLYING_AREAS).fill_null(False))
    return before - raw.frame.height


def count(raw: Raw, column: str = "enrollment", missing: Sequence[str] = MISSING) -> None:
    """A number of students (Int64), null where it is not reported or suppressed."""
    raw.frame = raw.frame.with_columns(pl.col(column).str.replace(r"\.0$", ""))
    raw.number(column, pl.Int64, minimum=0, missing=("", *missing))


def text_or_null(raw: Raw, column: str) -> None:
    """A text, null where it is not reported."""
    raw.frame = raw.frame.with_columns(pl.when(~pl.col(column).is_in([*MISSING, ""])).then(column).alias(column))
