"""Sets of ICD-10 categories, so that selections worded differently can be compared."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_RANGE: Final = re.compile(r"^\*?([A-Z]\d\d)(?:\s*-\s*\*?([A-Z]\d\d))?(?:\s*\(.*\))?$", re.DOTALL)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@cache
def categories(selection: str) -> frozenset[str] | None:
    """The three-character categories of one selection, such as "W00-X59 (Accidents)" or "*U01"; null if not understood.

    A single subcategory ("Y87.0") is not a whole category and not understood.
    """
    found = _RANGE.match(selection.strip())
    if found is None:
        return None
    first, last = found[1], found[2] or found[1]
    low, high = _number(first), _number(last)
    if low > high:
        return None
    return frozenset(f"{_LETTERS[n // 100]}{n % 100:02d}" for n in range(low, high + 1))


def _number(category: str) -> int:
    return _LETTERS.index(category[0]) * 100 + int(category[1:])


def ranges(codes: frozenset[str]) -> str:
    """The categories as ranges, for a message: "U01-U03; V01-X59"."""
    runs: list[list[int]] = []
    for number in sorted(_number(code) for code in codes):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = [(f"{_LETTERS[a // 100]}{a % 100:02d}", f"{_LETTERS[b // 100]}{b % 100:02d}") for a, b in runs]
    return "; ".join(a if a == b else f"{a}-{b}" for a, b in text)
