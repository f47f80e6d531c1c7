"""IPUMS extracts in fixed width: rectangular (one line per person) and hierarchical (a household, then its persons)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.errors import InputError
from sources.acs.blocks import BLOCK_BYTES, ahead, blocks, first_line
from sources.acs.ddi import HOUSEHOLD, PERSON, Codebook, Field
from sources.acs.digits import PREFIX, WIDEST, Bytes, Lines, NotANumberError, numbers

ROW: Final = "_row"
RECORD_TYPE: Final = "RECTYPE"
_NEWLINE: Final = 0x0A


@dataclass(frozen=True)
class Records:
    """Records of one type as they stand in the file: whole numbers, implied decimals not yet applied.

    `frame` has `_row` (1-based line of the file) and the variables asked for; blank values are null.
    `owner` is, for persons of a hierarchical file, the position of their household in the block's households.
    """

    frame: pl.DataFrame
    owner: npt.NDArray[np.int64] | None = None


@dataclass
class _Reader:
    codebook: Codebook
    path: Path
    source: str
    rows_done: int = 0

    def error(self, problem: str, *, row: int | None = None, column: str | None = None) -> InputError:
        return InputError(problem, source=self.source, file=self.path.name, row=row, column=column)

    def misfit(self, length: int, expected: int, *, row: int) -> InputError:
        return self.error(
            f"the codebook {self.codebook.file} does not fit: the line has {length} characters, it says {expected}.",
            row=row,
        )

    def frame(self, lines: Lines, fields: Sequence[Field], rows: npt.NDArray[np.int64]) -> pl.DataFrame:
        columns = [pl.Series(ROW, rows)]
        for run in _runs(fields):
            if run[0].width > WIDEST or run[0].is_text:
                texts = [lines.text(i, run[0].start, run[0].end).strip() for i in range(lines.count)]
                columns.append(pl.Series(run[0].name, texts, dtype=pl.String))
                continue
            try:
                found = numbers(lines, run[0].start, run[0].width, len(run))
            except NotANumberError as bad:
                field = run[bad.field]
                text = lines.text(bad.row, field.start, field.end)
                raise self.error(f"not a number (found {text!r}).", row=int(rows[bad.row]), column=field.name) from None
            for i, field in enumerate(run):
                series = pl.Series(field.name, found.values[i])
                if found.blank is not None and found.blank[i].any():
                    series = series.set(pl.Series(found.blank[i]), None)
                columns.append(series)
        return pl.DataFrame(columns)


def _runs(fields: Sequence[Field]) -> list[list[Field]]:
    """Fields in order of position; neighbours of one narrow width together, because they are read in one go."""
    runs: list[list[Field]] = []
    for field in sorted(fields, key=lambda f: f.start):
        last = runs[-1][-1] if runs else None
        joins = (
            last is not None
            and last.end == field.start
            and last.width == field.width <= 8
            and not (last.is_text or field.is_text)
        )
        if joins:
            runs[-1].append(field)
        else:
            runs.append([field])
    return runs


def rectangular(
    codebook: Codebook, path: Path, wanted: frozenset[str], *, source: str, size: int = BLOCK_BYTES
) -> Iterator[Records]:
    """The persons of a rectangular extract, block by block; the variables of `wanted` that the codebook has.

    Raises `InputError` if a line's length is not what the codebook says, or a field is not a number.
    """
    reader = _Reader(codebook, path, source)
    fields = [f for f in codebook.fields if f.name in wanted]
    expected = max(f.end for f in codebook.fields)
    line = first_line(path, source=source)
    if len(line.rstrip(b"\r")) != expected:
        raise reader.misfit(len(line.rstrip(b"\r")), expected, row=1)
    stride = len(line) + 1

    def cut(block: bytes) -> int:
        return len(block) - (len(block) - PREFIX) % stride

    for block in ahead(blocks(path, cut, source=source, size=size)):
        data = np.frombuffer(block, dtype=np.uint8)
        count, rest = divmod(len(data) - PREFIX, stride)
        ends = data[PREFIX + stride - 1 :: stride] == _NEWLINE
        if rest or not ends.all() or np.count_nonzero(data == _NEWLINE) != count:
            raise _first_misfit(reader, block, expected)
        rows = np.arange(reader.rows_done + 1, reader.rows_done + count + 1, dtype=np.int64)
        yield Records(reader.frame(Lines(data, count, stride), fields, rows))
        reader.rows_done += count
    _check_cases(reader)


def hierarchical(
    codebook: Codebook, path: Path, wanted: frozenset[str], *, source: str, size: int = BLOCK_BYTES
) -> Iterator[dict[str, Records]]:
    """Households ("H") and persons ("P") of a hierarchical extract, block by block; a household is never split.

    Lines of one record type have one length: that of the type's own last variable, or of the longest type's.
    """
    reader = _Reader(codebook, path, source)
    types = codebook.record_types()
    marker = next((f for f in codebook.fields if f.name == RECORD_TYPE), None)
    if HOUSEHOLD not in types or marker is None or (marker.start, marker.end) != (0, 1):
        raise reader.error(f"the codebook {codebook.file} describes no household records.", column=RECORD_TYPE)
    ends = {t: max(f.end for f in codebook.fields_on(t)) for t in types}
    first_line(path, source=source)

    def cut(block: bytes) -> int:
        return block.rfind(b"\nH") + 1

    for block in ahead(blocks(path, cut, source=source, size=size)):
        yield _split(reader, np.frombuffer(block, dtype=np.uint8), wanted, ends)
    _check_cases(reader)


def _split(reader: _Reader, data: Bytes, wanted: frozenset[str], ends: dict[str, int]) -> dict[str, Records]:
    """One block of a hierarchical file, by record type."""
    stops = np.flatnonzero(data[PREFIX:] == _NEWLINE) + PREFIX
    starts = np.concatenate([np.array([PREFIX]), stops[:-1] + 1])
    lengths = stops + 1 - starts
    kinds = data[starts]
    rows = np.arange(reader.rows_done + 1, reader.rows_done + len(starts) + 1, dtype=np.int64)
    found: dict[str, Records] = {}
    known = np.zeros(len(starts), dtype=np.bool_)
    households = np.cumsum(kinds == ord(HOUSEHOLD))
    for kind, end in ends.items():
        mine = kinds == ord(kind)
        known |= mine
        count = int(np.count_nonzero(mine))
        stride = int(lengths[mine][0]) if count else end + 1
        first = int(starts[mine][0]) if count else 0
        carriage = 1 if count and stride > 1 and data[first + stride - 2] == 0x0D else 0
        lawful = {end + 1 + carriage, max(ends.values()) + 1 + carriage}
        wrong = mine & (lengths != stride) if stride in lawful else mine
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise reader.misfit(int(lengths[at]) - 1 - carriage, end, row=int(rows[at]))
        picked = data[PREFIX:][np.repeat(mine, lengths)]
        lines = Lines(np.concatenate([np.zeros(PREFIX, dtype=np.uint8), picked]), count, stride)
        fields = [f for f in reader.codebook.fields_on(kind) if f.name in wanted and f.name != RECORD_TYPE]
        owner = households[mine] - 1 if kind == PERSON else None
        if owner is not None and (owner < 0).any():
            at = int(np.flatnonzero(mine)[0])
            raise reader.error("a person record stands before any household record.", row=int(rows[at]))
        found[kind] = Records(reader.frame(lines, fields, rows[mine]), owner)
    if not known.all():
        at = int(np.flatnonzero(~known)[0])
        raise reader.error(
            f"unknown record type (found {chr(int(kinds[at]))!r}).", row=int(rows[at]), column=RECORD_TYPE
        )
    reader.rows_done += len(starts)
    return found


def _first_misfit(reader: _Reader, block: memoryview, expected: int) -> InputError:
    """The first line of a block whose length is wrong."""
    row = reader.rows_done
    for line in bytes(block[PREFIX:]).split(b"\n"):
        row += 1
        length = len(line.rstrip(b"\r"))
        if length != expected:
            return reader.misfit(length, expected, row=row)
    return reader.error("line ends are mixed.", row=reader.rows_done + 1)


def _check_cases(reader: _Reader) -> None:
    stated = reader.codebook.cases
    if stated is not None and stated != reader.rows_done:
        raise reader.error(
            f"the codebook {reader.codebook.file} does not fit: it states {stated:,} records, "
            f"the file has {reader.rows_done:,}."
        )
