"""Strict reading: everything comes in as text, and each step that gives it a type names the row that does not fit."""

from __future__ import annotations

import difflib
import gzip
import io
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Self

import polars as pl

from schemas.errors import InputError

ROW: Final = "_row"
HTML: Final = (b"<!doctype html", b"<html", b"<head", b"<?xml version")


def read_bytes(path: Path, *, source: str, encoding: str = "utf-8") -> bytes:
    """The file's bytes as UTF-8, gunzipped if the name ends in .gz.

    Refuses an empty file, a truncated gzip, an HTML page in place of data, and text that is not in `encoding`.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"the gzip is damaged or truncated ({error}).", source=source, file=path.name) from error
    if not data.strip():
        raise InputError("the file is empty.", source=source, file=path.name)
    if data[:200].lstrip().lower().startswith(HTML):
        raise InputError("this is a web page, not data.", source=source, file=path.name)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"the text is not {encoding}: {error.reason}.", source=source, file=path.name, row=row
        ) from error
    return text.removeprefix("\ufeff").encode()


class Raw:
    """A raw table as text, with the line each row stands on; methods check and convert column by column.

    Every method returns the same object, so that a reader is one chain ending in `.frame`. Each failure is an
    `InputError` with source, file, row and column.
    """

    def __init__(self, frame: pl.DataFrame, *, source: str, file: str, first_row: int = 2) -> None:
        self.source = source
        self.file = file
        self.frame = frame if ROW in frame.columns else frame.with_row_index(ROW, offset=first_row)
        self.file_names: dict[str, str] = {}

    @classmethod
    def csv(
        cls,
        path: Path,
        *,
        source: str,
        encoding: str = "utf-8",
        separator: str = ",",
        skip_rows: int = 0,
        file: str | None = None,
    ) -> Self:
        """Read a delimited text file (or .gz of one), all columns as text, names and cells stripped of blanks."""
        data = read_bytes(path, source=source, encoding=encoding)
        name = file or path.name
        try:
            frame = pl.read_csv(
                io.BytesIO(data),
                infer_schema=False,
                separator=separator,
                skip_rows=skip_rows,
            )
        except pl.exceptions.PolarsError as error:
            first_line = str(error).splitlines()[0]
            raise InputError(f"the table cannot be read: {first_line}", source=source, file=name) from error
        frame = frame.rename({c: c.strip() for c in frame.columns}).with_columns(
            pl.all().str.strip_chars().fill_null("")
        )
        if frame.height == 0:
            raise InputError("the file has a header but no rows.", source=source, file=name)
        return cls(frame, source=source, file=name, first_row=skip_rows + 2)

    def error(self, problem: str, *, row: int | None = None, column: str | None = None) -> InputError:
        """An `InputError` about this file; a renamed column goes by the name it has in the file."""
        if column is not None:
            column = self.file_names.get(column, column)
        return InputError(problem, source=self.source, file=self.file, row=row, column=column)

    def select(self, columns: Sequence[str] | dict[str, str]) -> Self:
        """Keep (and rename) these columns; a missing one is an error that names the nearest column there is."""
        wanted = columns if isinstance(columns, dict) else {c: c for c in columns}
        for column in wanted:
            if column not in self.frame.columns:
                near = difflib.get_close_matches(column.lower(), [c.lower() for c in self.frame.columns], n=1)
                hint = f"; the nearest is {near[0]!r}" if near else ""
                raise self.error(f"the column is missing{hint}.", column=column)
        self.frame = self.frame.select(ROW, *(pl.col(c).alias(new) for c, new in wanted.items()))
        self.file_names = {new: self.file_names.get(c, c) for c, new in wanted.items()}
        return self

    def drop_rows(self, where: pl.Expr) -> Self:
        """Leave out rows that are no data (label rows, footers)."""
        self.frame = self.frame.filter(~where)
        return self

    def refuse(self, where: pl.Expr, problem: str, *, column: str) -> Self:
        """Fail on the first row for which `where` holds."""
        bad = self.frame.filter(where.fill_null(False)).head(1)
        if bad.height:
            row = bad.row(0, named=True)
            raise self.error(f"{problem} (found {row.get(column)!r}).", row=row[ROW], column=column)
        return self

    def code(
        self, column: str, *, width: int, pad: bool = False, allowed: Collection[str] | None = None, what: str = "code"
    ) -> Self:
        """A code of exactly `width` digits. Shorter ones have lost leading zeros: refused, or padded if `pad`."""
        if pad:
            self.frame = self.frame.with_columns(pl.col(column).str.zfill(width))
        text = pl.col(column)
        self.refuse(text.is_null() | (text == ""), f"the {what} is missing", column=column)
        self.refuse(~text.str.contains(r"^\d+$"), f"the {what} is not made of digits", column=column)
        self.refuse(
            text.str.len_chars() < width, f"the {what} must have {width} digits; leading zeros are lost", column=column
        )
        self.refuse(text.str.len_chars() > width, f"the {what} must have {width} digits", column=column)
        if allowed is not None:
            self.refuse(~text.is_in(list(allowed)), f"the {what} is unknown", column=column)
        return self

    def number(
        self,
        column: str,
        dtype: type[pl.DataType] = pl.Float64,
        *,
        minimum: float | None = None,
        maximum: float | None = None,
        missing: Collection[str] = (),
        thousands: bool = False,
    ) -> Self:
        """A number. `missing` lists the texts that mean null; a thousands comma is refused unless `thousands`."""
        text = pl.when(pl.col(column).is_in(list(missing))).then(None).otherwise(pl.col(column))
        if thousands:
            grouped = text.str.contains(r"^-?\d{1,3}(,\d{3})+(\.\d*)?$")
            text = pl.when(grouped).then(text.str.replace_all(",", "", literal=True)).otherwise(text)
        else:
            self.refuse(pl.col(column).str.contains(r"^-?\d{1,3}(,\d{3})+(\.\d*)?$"), "thousands comma", column=column)
        parsed = text.cast(dtype, strict=False)
        self.refuse(text.is_not_null() & parsed.is_null(), "not a number", column=column)
        if dtype in (pl.Float32, pl.Float64):
            self.refuse(~parsed.is_finite(), "not a finite number", column=column)
        if minimum is not None:
            problem = "negative" if minimum == 0 else f"below {minimum}"
            self.refuse(parsed < minimum, problem, column=column)
        if maximum is not None:
            self.refuse(parsed > maximum, f"above {maximum}", column=column)
        self.frame = self.frame.with_columns(parsed.alias(column))
        return self

    def category(self, column: str, allowed: Collection[str], *, what: str = "code") -> Self:
        """A text from a closed list."""
        return self.refuse(~pl.col(column).is_in(list(allowed)), f"unknown {what}", column=column)

    def unique(self, *key: str) -> Self:
        """No two rows with the same key."""
        doubled = self.frame.filter(pl.struct(key).is_duplicated())
        if doubled.height:
            second = doubled.filter(~pl.struct(key).is_first_distinct()).row(0, named=True)
            values = ", ".join(f"{k}={second[k]}" for k in key)
            columns = ", ".join(self.file_names.get(k, k) for k in key)
            raise self.error(f"duplicate key ({values}).", row=second[ROW], column=columns)
        return self

    def done(self) -> pl.DataFrame:
        """The table without the row numbers."""
        return self.frame.drop(ROW)
