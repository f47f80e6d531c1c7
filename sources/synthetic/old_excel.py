"""Workbooks in the format of Excel 97 (.xls): just enough of it for one sheet of texts and whole numbers.

A compound file (MS-CFB, version 3) with one stream "Workbook" of BIFF8 records (MS-XLS). Nothing in it depends on the
clock or on who writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_SECTOR: Final = 512
_FREE, _END, _FAT, _NONE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
_SMALLEST: Final = 4_096  # shorter streams would have to stand in a stream of small blocks
_IN_HEADER: Final = 109  # sectors of the allocation table that the header can list

_BOF, _EOF, _BOUNDSHEET, _DIMENSIONS, _NUMBER, _LABEL = 0x0809, 0x000A, 0x0085, 0x0200, 0x0203, 0x0204
_GLOBALS, _WORKSHEET = 0x0005, 0x0010


def xls(sheet: str, rows: Sequence[Sequence[str | int]]) -> bytes:
    """A workbook with one sheet. Texts are Latin-1; numbers become number cells, empty texts no cell."""
    return _compound_file(_workbook(sheet, rows))


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def _beginning(of: int) -> bytes:
    return _record(_BOF, struct.pack("<HHHHII", 0x0600, of, 0x0DBB, 0x07CC, 0, 0x0600))


def _workbook(sheet: str, rows: Sequence[Sequence[str | int]]) -> bytes:
    name = sheet.encode("latin-1")

    def globals_at(position: int) -> bytes:
        boundsheet = struct.pack("<IHBB", position, 0, len(name), 0) + name
        return _beginning(_GLOBALS) + _record(_BOUNDSHEET, boundsheet) + _record(_EOF, b"")

    width = max(len(row) for row in rows)
    cells = [_beginning(_WORKSHEET), _record(_DIMENSIONS, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))]
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            if isinstance(value, int):
                cells.append(_record(_NUMBER, struct.pack("<HHHd", r, c, 0, float(value))))
            elif value:
                text = value.encode("latin-1")
                cells.append(_record(_LABEL, struct.pack("<HHHHB", r, c, 0, len(text), 0) + text))
    cells.append(_record(_EOF, b""))
    return globals_at(len(globals_at(0))) + b"".join(cells)


def _compound_file(stream: bytes) -> bytes:
    """Header, allocation table, directory, stream; in this order, each in whole sectors."""
    stream = stream.ljust(_SMALLEST, b"\0")
    stream = stream.ljust(-(-len(stream) // _SECTOR) * _SECTOR, b"\0")
    blocks = len(stream) // _SECTOR
    tables = 1
    while tables * (_SECTOR // 4) < tables + 1 + blocks:
        tables += 1
    if tables > _IN_HEADER:
        raise ValueError("the sheet is too large for this writer")
    chain = [*([_FAT] * tables), _END, *range(tables + 2, tables + 1 + blocks), _END]
    chain += [_FREE] * (tables * (_SECTOR // 4) - len(chain))
    listed = [*range(tables), *([_FREE] * (_IN_HEADER - tables))]
    header = (
        struct.pack("<8s16sHHHHH6x", bytes.fromhex("d0cf11e0a1b11ae1"), b"", 0x003E, 3, 0xFFFE, 9, 6)
        + struct.pack("<IIIIIIIII", 0, tables, tables, 0, _SMALLEST, _END, 0, _END, 0)
        + struct.pack(f"<{_IN_HEADER}I", *listed)
    )
    directory = _entry("Root Entry", 5, child=1, start=_END, size=0)
    directory += _entry("Workbook", 2, child=_NONE, start=tables + 1, size=len(stream))
    directory = directory.ljust(_SECTOR, b"\0")
    return header + struct.pack(f"<{len(chain)}I", *chain) + directory + stream


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    """A directory entry: name, type (5 root, 2 stream), no siblings, where it begins."""
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII36xIQ", text, len(text), kind, 1, _NONE, _NONE, child, start, size)
