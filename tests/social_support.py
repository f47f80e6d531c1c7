"""What the tests of homelessness, debt and social capital share: files in a store, published rows, comparisons."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from schemas.errors import InputError
from sources.framework import RawFile, Retrieval
from sources.geography import build_spine


def raw(path: Path, *, vintage: str = "2020", source: str = "test") -> RawFile:
    """A file as a reader gets it."""
    return RawFile(source=source, vintage=vintage, name=path.name, path=path, sha256="0" * 64, bytes=1, how="person")


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def at_hand(root: Path, **options) -> Retrieval:
    """A retrieval over the data root `root` that asks no network."""
    return Retrieval(root=root, scratch=root / "scratch", offline=True, **options)


def workbook(rows: Iterable[Sequence[str | float]], sheet: str = "Sheet1") -> bytes:
    """An .xlsx; numbers become number cells."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    page.write_string(number, column, value)
                else:
                    page.write_number(number, column, value)
    return buffer.getvalue()


def refuses(read: Callable[[], object], *words: str) -> None:
    """`read` fails with an `InputError` that says all of `words`."""
    with pytest.raises(InputError) as caught:
        read()
    for word in words:
        assert word in str(caught.value)


def published(path: Path, year: int | None = None) -> pl.DataFrame:
    """A file of the reference as text; NA and empty cells are null."""
    frame = pl.read_csv(path, infer_schema=False, null_values=["NA", ""])
    return frame if year is None else frame.filter(pl.col("year") == str(year))


def same(ours: str, theirs: str, tolerance: float = 1e-6) -> pl.Expr:
    """Equal within the tolerance, or missing in both."""
    other = pl.col(theirs).cast(pl.Float64)
    missing = pl.col(ours).is_null() & other.is_null()
    return ((pl.col(ours) - other).abs() <= tolerance).fill_null(False) | missing


@cache
def real_spine(mirror: Path, year: int, root: Path) -> pl.DataFrame:
    """The counties and places of the year with their published populations."""
    return build_spine(year, at_hand(root, mirror=mirror))


def spine(rows: Iterable[tuple[str, str, str, int | None]]) -> pl.LazyFrame:
    """A spine from (level, GEOID, name, population)."""
    full = [(level, geoid[:2], geoid[2:], name, "State", people) for level, geoid, name, people in rows]
    schema = {
        "level": pl.String,
        "state": pl.String,
        "geo": pl.String,
        "name": pl.String,
        "state_name": pl.String,
        "population": pl.Int64,
    }
    return pl.LazyFrame(full, schema=schema, orient="row")
