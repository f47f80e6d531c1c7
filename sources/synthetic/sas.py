"""A writer of small SAS7BDAT files (32 bit, little-endian, not compressed): HRSA publishes the AHRF in this format.

After the format description "SAS7BDAT Database Binary Format" (M. Shotwell, 2013): a header, one page of metadata made
of subheaders, then pages of rows of fixed length. Texts are Latin-1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

Column = Sequence[float | None] | Sequence[str]

_MAGIC: Final = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011")
_HEADER: Final = 1024
_PAGE_HEADER: Final = 24
_POINTER: Final = 12
_DATA_PAGE: Final = 0x0100
_NUMBER, _TEXT = 1, 2
# A missing number is a not-a-number whose sixth byte is the complement of the letter "." stands for.
_MISSING: Final = bytes.fromhex("0000000000feffff")


def sas7bdat(columns: Mapping[str, Column], *, page: int = 65536) -> bytes:
    """A file of these columns (all of one length), each of numbers, with None for a missing one, or of texts."""
    widths = {name: 8 if _is_number(c) else max(1, *(len(str(v)) for v in c)) for name, c in columns.items()}
    length = sum(widths.values())
    cells = [[_cell(v, widths[name]) for v in column] for name, column in columns.items()]
    rows = [b"".join(row) for row in zip(*cells, strict=True)]
    per_page = (page - _PAGE_HEADER) // length
    pages = [_metadata(columns, widths, len(rows), page)]
    for start in range(0, len(rows), per_page):
        block = rows[start : start + per_page]
        body = bytes(16) + struct.pack("<HHHH", _DATA_PAGE, len(block), 0, 0) + b"".join(block)
        pages.append(body.ljust(page, b"\0"))
    return _header(page, len(pages)) + b"".join(pages)


def _is_number(column: Column) -> bool:
    return not any(isinstance(value, str) for value in column)


def _cell(value: float | str | None, width: int) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1").ljust(width)
    return _MISSING if value is None else struct.pack("<d", value)


def _header(page: int, pages: int) -> bytes:
    data = bytearray(_HEADER)
    data[0:32] = _MAGIC
    # Not 64 bit, no padding, little-endian, Unix, Latin-1.
    data[32], data[35], data[37], data[39], data[70] = 0x22, 0x22, 1, 0x31, 29
    data[84:92], data[92:156], data[156:164] = b"SAS FILE", b"SYNTHETIC".ljust(64), b"DATA    "
    struct.pack_into("<III", data, 196, _HEADER, page, pages)
    data[216:224] = b"9.0401M1"
    return bytes(data)


def _metadata(columns: Mapping[str, Column], widths: Mapping[str, int], rows: int, page: int) -> bytes:
    """The first page: a list of pointers at its start, the subheaders at its end."""
    n = len(columns)
    size = bytearray(480)
    size[0:4] = b"\xf7\xf7\xf7\xf7"
    struct.pack_into("<II", size, 20, sum(widths.values()), rows)
    struct.pack_into("<II", size, 36, n, 0)
    struct.pack_into("<I", size, 52, page)

    text = bytearray(20)
    names = b""
    for name in columns:
        names += struct.pack("<HHHH", 0, len(text), len(name), 0)
        text += name.encode().ljust(-(-len(name) // 4) * 4)
    struct.pack_into("<H", text, 0, len(text))

    attributes, at = b"", 0
    for name, column in columns.items():
        kind = _NUMBER if _is_number(column) else _TEXT
        attributes += struct.pack("<IIHBB", at, widths[name], 0x0400, kind, 0)
        at += widths[name]

    subheaders = [
        bytes(size),
        b"\xf6\xf6\xf6\xf6" + struct.pack("<II", n, 0),
        b"\xfd\xff\xff\xff" + bytes(text) + bytes(8),
        b"\xff\xff\xff\xff" + struct.pack("<HHHH", len(names) + 8, 0, 0, 0) + names + bytes(8),
        b"\xfc\xff\xff\xff" + struct.pack("<HHHH", len(attributes) + 8, 0, 0, 0) + attributes + bytes(8),
        *[b"\xfe\xfb\xff\xff".ljust(52, b"\0")] * n,
    ]
    data = bytearray(page)
    struct.pack_into("<HHH", data, 18, len(subheaders), len(subheaders), 0)
    end = page
    for i, subheader in enumerate(subheaders):
        end -= len(subheader)
        data[end : end + len(subheader)] = subheader
        struct.pack_into("<II", data, _PAGE_HEADER + _POINTER * i, end, len(subheader))
    return bytes(data)
