"""Columns of whole numbers out of fixed-width text, eight characters at a time.

Slicing and casting text costs about 250 ns a value on lines of 600 characters, and a national 5-year extract has 1.6
billion values. Here a value costs a few nanoseconds: eight characters are loaded as one 64-bit word and turned into a
number by three multiplications that add up neighbouring digits, pairs and quads (all values of a chunk at once).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

# Words are loaded ending at a field's last character, so up to eight bytes before the first line are touched.
PREFIX: Final = 8
WIDEST: Final = 16

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

_CHUNK: Final = 131_072


def _u(value: int) -> np.uint64:
    return np.uint64(value)


def _each(byte: int) -> int:
    return byte * 0x0101010101010101


_HIGH: Final = _u(_each(0x80))


@dataclass(frozen=True)
class Lines:
    """`count` records of `stride` bytes each (line end included), after `PREFIX` bytes of anything."""

    data: Bytes
    count: int
    stride: int

    def text(self, row: int, start: int, end: int) -> str:
        """The characters `start` to `end` of one record."""
        begin = PREFIX + row * self.stride
        return self.data[begin + start : begin + end].tobytes().decode("latin-1")


class NotANumberError(Exception):
    """The first record, and the field of the run, that hold something else than a number or blanks."""

    def __init__(self, row: int, field: int) -> None:
        self.row = row
        self.field = field
        super().__init__(f"record {row}, field {field}")


@dataclass(frozen=True)
class Numbers:
    """Values of neighbouring columns, shape (fields, records); `blank` marks those that are all blanks (None: none)."""

    values: npt.NDArray[np.int32] | npt.NDArray[np.int64]
    blank: Mask | None


def numbers(lines: Lines, start: int, width: int, fields: int = 1) -> Numbers:
    """Read `fields` neighbouring fields of `width` characters, the first of which begins at character `start`.

    Accepted: digits, also with leading blanks or zeros, with a minus sign directly before the first digit, or blanks
    only. Raises `NotANumberError`.
    """
    if not 1 <= width <= WIDEST:
        raise ValueError(f"a field of {width} characters")
    step = max(2048, _CHUNK // fields)
    values = np.empty((fields, lines.count), dtype=np.int32 if width <= 9 else np.int64)
    blank: Mask | None = None
    for first in range(0, lines.count, step):
        window = _Window(lines, first, min(step, lines.count - first), start, width, fields)
        part = slice(first, first + window.count)
        is_blank = (_narrow if width <= 8 else _wide)(window, values[:, part])
        if is_blank is not None:
            blank = np.zeros(values.shape, dtype=np.bool_) if blank is None else blank
            blank[:, part] = is_blank
    return Numbers(values, blank)


@dataclass(frozen=True)
class _Window:
    """Some records of some neighbouring fields of one width."""

    lines: Lines
    first: int
    count: int
    start: int
    width: int
    fields: int

    def words(self, end: int, keep: int) -> Words:
        """The `keep` characters before character `end` of each field, less '0', the first in the lowest byte kept."""
        offset = PREFIX + self.first * self.lines.stride + self.start + end - 8
        view = np.ndarray(
            (self.fields, self.count),
            dtype="<u8",
            buffer=self.lines.data,
            offset=offset,
            strides=(self.width, self.lines.stride),
        )
        words = view ^ _u(_each(0x30))
        if keep < 8:
            before = _u(8 * (8 - keep))
            words >>= before
            words <<= before
        return words

    def text(self, field: int, row: int) -> str:
        begin = self.start + field * self.width
        return self.lines.text(self.first + row, begin, begin + self.width)

    def refuse(self, field: int, row: int) -> NotANumberError:
        return NotANumberError(self.first + row, field)


def _blanks(keep: int) -> np.uint64:
    """The word of `keep` blanks."""
    return _u((_each(0x10) << 8 * (8 - keep)) & (2**64 - 1))


def _unusual(words: Words) -> Mask | None:
    """Which words hold anything but digits; None if none does."""
    # A byte up to 9 stays below 0x80 when 0x76 is added; any other byte has or gets the high bit.
    flags = words + _u(_each(0x76))
    flags |= words
    flags &= _HIGH
    return np.asarray(flags != 0) if flags.any() else None


def _join(words: Words) -> None:
    """Turn eight digits (one a byte, the first in the lowest byte) into their number, in place."""
    words *= _u(10 * 256 + 1)
    words >>= _u(8)
    words &= _u(0x00FF00FF00FF00FF)
    words *= _u(100 * 65_536 + 1)
    words >>= _u(16)
    words &= _u(0x0000FFFF0000FFFF)
    words *= _u(10_000 * 2**32 + 1)
    words >>= _u(32)


def _narrow(window: _Window, out: npt.NDArray[np.signedinteger]) -> Mask | None:
    """Numbers of up to eight characters. Returns which are blank."""
    words = window.words(window.width, window.width)
    unusual = _unusual(words)
    if unusual is None:
        _join(words)
        out[...] = words
        return None
    blank = words == _blanks(window.width)
    words[blank] = 0
    field, row = np.nonzero(unusual & ~blank)
    words[field, row], negative, lawful = _signed(words[field, row], window.width)
    if not lawful.all():
        worst = np.lexsort((field, row, lawful))[0]
        raise window.refuse(int(field[worst]), int(row[worst]))
    _join(words)
    out[...] = words
    out[field[negative], row[negative]] *= -1
    return np.asarray(blank)


def _signed(words: Words, width: int) -> tuple[Words, Mask, Mask]:
    """Words with leading blanks or a sign: their digits, whether they are negative, and whether they are numbers."""
    padding = 8 - width
    # Blank (0x10) and minus (0x1D) have this bit after '0' is taken off; digits do not.
    other = (words >> _u(4)) & _u(_each(0x01))
    mask = other * _u(0xFF)
    digits = words & ~mask
    leading = mask >> _u(8 * padding)
    prefix = (leading & (leading + _u(1))) == 0
    count = np.bitwise_count(other).astype(np.uint64)
    # The low half-bytes of the characters before the digits: none for blanks, 0xD for a minus that stands last.
    low = words & mask & _u(_each(0x0F))
    minus = _u(0x0D) << (_u(8) * (count + _u(padding) - _u(1)))
    negative = (low == minus) & (count > 0)
    clean = ((words & _u(_each(0xE0))) == 0) & (((digits + _u(_each(0x76))) & _HIGH) == 0)
    lawful = clean & prefix & (count < width) & (negative | (low == 0))
    return digits, negative, lawful


def _wide(window: _Window, out: npt.NDArray[np.signedinteger]) -> Mask | None:
    """Numbers of nine to sixteen characters, from two words. Returns which are blank."""
    width = window.width
    last, head = window.words(width, 8), window.words(width - 8, width - 8)
    unusual = [mask for mask in (_unusual(last), _unusual(head)) if mask is not None]
    blank: Mask | None = None
    strange: list[tuple[int, int, int]] = []
    if unusual:
        blank = (last == _blanks(8)) & (head == _blanks(width - 8))
        last[blank] = 0
        head[blank] = 0
        # Rare: IPUMS fills wide fields with zeros, and none of them is ever negative.
        for field, row in np.argwhere(np.logical_or.reduce(unusual) & ~blank).tolist():
            text = window.text(field, row).lstrip(" ")
            if not (text.isascii() and text.removeprefix("-").isdigit()):
                raise window.refuse(field, row)
            strange.append((field, row, int(text)))
    _join(last)
    _join(head)
    out[...] = head * _u(10**8) + last
    for field, row, value in strange:
        out[field, row] = value
    return blank
