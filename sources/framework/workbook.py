"""Excel sheets as text."""

from __future__ import annotations

import re

import polars as pl

from schemas.errors import InputError
from sources.framework.strict import HTML, Raw


def sheet_names(data: bytes, *, source: str, file: str) -> list[str]:
    """Names of the sheets of a workbook (.xlsx or the older .xls). Raises `InputError` if the bytes are none."""
    import fastexcel

    if not data:
        raise InputError("the file is empty.", source=source, file=file)
    if data[:200].lstrip().lower().startswith(HTML):
        raise InputError("this is a web page, not a workbook.", source=source, file=file)
    try:
        return list(fastexcel.read_excel(data).sheet_names)
    except fastexcel.FastExcelError as error:
        problem = f"the workbook cannot be read: {str(error).splitlines()[0]}"
        raise InputError(problem, source=source, file=file) from error


def read_sheet(data: bytes, sheet: str, *, source: str, file: str) -> Raw:
    """The sheet with all cells as text, blanks and line breaks in its headers collapsed, wholly empty rows left out.

    Numbers come without their display format (1040, not "1,040"); text cells keep what was typed. Raises `InputError`
    if the bytes are no workbook or the sheet is missing or empty.
    """
    sheets = sheet_names(data, source=source, file=file)
    if sheet not in sheets:
        raise InputError(f"sheet {sheet!r} is missing; there are {sheets}.", source=source, file=file)
    frame = pl.read_excel(
        data,
        sheet_name=sheet,
        infer_schema_length=0,
        drop_empty_rows=False,
        drop_empty_cols=False,
        raise_if_empty=False,
    )
    headers = {c: re.sub(r"\s+", " ", c).strip() for c in frame.columns}
    for header in headers.values():
        if list(headers.values()).count(header) > 1:
            raise InputError(f"sheet {sheet!r} has two such columns.", source=source, file=file, column=header)
    frame = frame.rename(headers)
    raw = Raw(frame.with_columns(pl.all().str.strip_chars().fill_null("")), source=source, file=file)
    raw.drop_rows(pl.all_horizontal(pl.col(c) == "" for c in frame.columns))
    if raw.frame.height == 0:
        raise InputError(f"sheet {sheet!r} has no rows.", source=source, file=file)
    return raw


def read_grid(data: bytes, *, source: str, file: str) -> Raw:
    """The first sheet with all cells as text and no header: columns are named by their letters (A, B, ... AA).

    For layouts that are read by position. Wholly empty rows are left out. Raises `InputError` if the bytes are no
    workbook or the sheet is empty.
    """
    sheet = sheet_names(data, source=source, file=file)[0]
    frame = pl.read_excel(
        data,
        sheet_name=sheet,
        has_header=False,
        infer_schema_length=0,
        drop_empty_rows=False,
        drop_empty_cols=False,
        raise_if_empty=False,
    )
    frame.columns = [_letters(number) for number in range(frame.width)]
    raw = Raw(frame.with_columns(pl.all().str.strip_chars().fill_null("")), source=source, file=file, first_row=1)
    raw.drop_rows(pl.all_horizontal(pl.col(c) == "" for c in frame.columns))
    if raw.frame.height == 0:
        raise InputError(f"sheet {sheet!r} has no rows.", source=source, file=file)
    return raw


def _letters(number: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA: how a spreadsheet names its columns."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
