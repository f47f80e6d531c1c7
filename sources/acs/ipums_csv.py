"""IPUMS extracts as CSV (rectangular): the same records as in fixed width, with decimals written out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from schemas.errors import InputError
from sources.acs.blocks import BLOCK_BYTES, ahead, blocks, first_line
from sources.acs.ddi import Codebook, Field
from sources.acs.digits import NARROW, PREFIX
from sources.acs.fixed_width import ROW, Records


def rectangular(
    codebook: Codebook, path: Path, wanted: frozenset[str], *, source: str, size: int = BLOCK_BYTES
) -> Iterator[Records]:
    """The persons of an extract, block by block, as `fixed_width.rectangular` gives them.

    Raises `InputError` if the file's columns are not the codebook's, or a value is not a number.
    """

    def error(problem: str, *, row: int | None = None, column: str | None = None) -> InputError:
        return InputError(problem, source=source, file=path.name, row=row, column=column)

    header = _header(codebook, path, source)
    fields = [f for f in codebook.fields if f.name in wanted]
    done = 0
    for block in ahead(blocks(path, lambda block: block.rfind(b"\n") + 1, source=source, size=size)):
        text = bytes(block[PREFIX:])
        if done == 0:
            text = text.partition(b"\n")[2]
        if not text.strip():
            continue
        try:
            frame = _parse(text, header, fields)
        except pl.exceptions.PolarsError as failure:
            row, column, problem = _first_problem(text, header, fields, done + 2, failure)
            raise error(problem, row=row, column=column) from failure
        rows = np.arange(done + 2, done + frame.height + 2, dtype=np.int64)
        for field in (f for f in fields if f.decimals):
            scaled = frame[field.name] * 10**field.decimals
            strange = (scaled - scaled.round()).abs() > 1e-4
            if strange.any():
                at = int(strange.arg_true()[0])
                problem = f"more than {field.decimals} decimals (found {frame[field.name][at]!r})."
                raise error(problem, row=int(rows[at]), column=field.name)
            frame = frame.with_columns(scaled.round().cast(pl.Int64))
        yield Records(frame.insert_column(0, pl.Series(ROW, rows)))
        done += frame.height
    if done == 0:
        raise error("the file has a header but no rows.")
    if codebook.cases is not None and codebook.cases != done:
        raise error(
            f"the codebook {codebook.file} does not fit: it states {codebook.cases:,} records, the file has {done:,}."
        )


def _header(codebook: Codebook, path: Path, source: str) -> list[str]:
    line = first_line(path, source=source)
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as failure:
        raise InputError(
            "the header is not plain ASCII; the file's encoding is wrong.", source=source, file=path.name, row=1
        ) from failure
    header = [name.strip().upper() for name in next(csv.reader(io.StringIO(text)))]
    misfit = f"the codebook {codebook.file} does not fit:"
    for name in sorted(codebook.names() - set(header)):
        raise InputError(f"{misfit} the column is missing.", source=source, file=path.name, row=1, column=name)
    for name in header:
        if name not in codebook.names():
            problem = f"{misfit} it does not know the column."
            raise InputError(problem, source=source, file=path.name, row=1, column=name)
    if len(set(header)) != len(header):
        raise InputError("a column stands there twice.", source=source, file=path.name, row=1)
    return header


def _parse(text: bytes, header: list[str], fields: list[Field]) -> pl.DataFrame:
    wanted = {f.name: _type(f) for f in fields}
    schema = {name: wanted.get(name, pl.String) for name in header}
    return pl.read_csv(text, has_header=False, schema=schema).select(list(wanted))


def _type(field: Field) -> type[pl.DataType]:
    """As the fixed-width reader has it: what fits into 32 bits is read into them, at two thirds of the cost."""
    if field.is_text:
        return pl.String
    if field.decimals:
        return pl.Float64
    return pl.Int32 if field.width <= NARROW else pl.Int64


def _first_problem(
    text: bytes, header: list[str], fields: list[Field], first_row: int, failure: Exception
) -> tuple[int | None, str | None, str]:
    """Row, column and text of the first value that is not a number."""
    for i, line in enumerate(csv.reader(io.StringIO(text.decode("latin-1")))):
        if len(line) != len(header):
            return first_row + i, None, f"the row has {len(line)} cells, the header {len(header)}."
        for field in fields:
            value = line[header.index(field.name)].strip()
            try:
                if value and not field.is_text:
                    (float if field.decimals else int)(value)
            except ValueError:
                return first_row + i, field.name, f"not a number (found {value!r})."
    return None, None, f"the table cannot be read: {str(failure).splitlines()[0]}"
