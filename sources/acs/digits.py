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
NARROW: Final = 9
"""Numbers of so many characters fit into 32 bits."""

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
    values = np.empty((fields, lines.count), dtype=np.int32 if width <= NARROW else np.int64)
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
        """The `keep` characters before character `end` of each field, less '0', the first in the lowest byte kept.

        Shape (records, fields), the order in which they stand in the file.
        """
        offset = PREFIX + self.first * self.lines.stride + self.start + end - 8
        view = np.ndarray(
            (self.count, self.fields),
            dtype="<u8",
            buffer=self.lines.data,
            offset=offset,
            strides=(self.lines.stride, self.width),
        )
        words = view ^ _u(_each(0x30))
        if keep < 8:
            words &= _u(_top(0xFF, keep))
        return words

    def text(self, position: int) -> str:
        """The characters of the field at a position of the flattened array of words."""
        row, field = divmod(position, self.fields)
        begin = self.start + field * self.width
        return self.lines.text(self.first + row, begin, begin + self.width)

    def refuse(self, position: int) -> NotANumberError:
        row, field = divmod(position, self.fields)
        return NotANumberError(self.first + row, field)


def _top(byte: int, keep: int) -> int:
    """A word with `byte` in its `keep` highest bytes."""
    return (_each(byte) << 8 * (8 - keep)) & (2**64 - 1)


def _unusual(words: Words) -> npt.NDArray[np.intp]:
    """Positions (in the flattened array) of the words that hold anything but digits."""
    # A byte up to 9 stays below 0x80 when 0x76 is added; any other byte has or gets the high bit.
    flags = words + _u(_each(0x76))
    flags |= words
    flags &= _HIGH
    return np.flatnonzero(flags)


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
    if not unusual.size:
        _join(words)
        out[...] = words.T
        return None
    flat = words.reshape(-1)
    strange = flat[unusual]
    is_blank = strange == _u(_top(0x10, window.width))
    digits, negative, lawful = _signed(strange, window.width)
    wrong = unusual[~(lawful | is_blank)]
    if wrong.size:
        raise window.refuse(int(wrong[0]))
    flat[unusual] = np.where(is_blank, _u(0), digits)
    _join(words)
    out[...] = words.T
    row, field = np.divmod(unusual[negative], window.fields)
    out[field, row] *= -1
    return _mask(words, unusual[is_blank])


def _mask(words: Words, positions: npt.NDArray[np.intp]) -> Mask | None:
    """True at these positions of the flattened words, shape (fields, records); None if there are none."""
    if not positions.size:
        return None
    mask = np.zeros(words.shape, dtype=np.bool_)
    mask.reshape(-1)[positions] = True
    return mask.T


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
    unusual = np.union1d(_unusual(last), _unusual(head))
    blank: list[int] = []
    strange: list[tuple[int, int]] = []
    # Rare: IPUMS fills wide fields with zeros, and none of them is ever negative.
    for position in unusual.tolist():
        text = window.text(position).lstrip(" ")
        if not text:
            blank.append(position)
        elif text.isascii() and text.removeprefix("-").isdigit():
            strange.append((position, int(text)))
        else:
            raise window.refuse(position)
    _join(last)
    _join(head)
    out[...] = (head * _u(10**8) + last).T
    for position, value in strange:
        row, field = divmod(position, window.fields)
        out[field, row] = value
    return _mask(last, np.array(blank, dtype=np.intp))
