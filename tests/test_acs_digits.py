"""Numbers out of fixed-width text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.acs.digits import PREFIX, WIDEST, Lines, NotANumberError, numbers


def lines_of(rows: list[str]) -> Lines:
    text = bytes(PREFIX) + "".join(f"{row}\n" for row in rows).encode("latin-1")
    return Lines(np.frombuffer(text, dtype=np.uint8), len(rows), len(rows[0]) + 1)


def values_of(rows: list[str], start: int, width: int, fields: int = 1) -> list[list[int | None]]:
    found = numbers(lines_of(rows), start, width, fields)
    blank = np.zeros(found.values.shape, dtype=bool) if found.blank is None else found.blank
    return [
        [None if blank[f, r] else int(found.values[f, r]) for f in range(fields)] for r in range(found.values.shape[1])
    ]


@st.composite
def written(draw):
    """A width, and numbers in the ways they can be written in it."""
    width = draw(st.integers(1, WIDEST))
    cells = []
    for _ in range(draw(st.integers(1, 12))):
        value = draw(st.none() | st.integers(-(10 ** (width - 1)) + 1, 10**width - 1))
        if value is None:
            text = " " * width
        elif draw(st.booleans()):
            text = f"{value:0{width}d}"
        else:
            text = f"{value:>{width}d}"
        cells.append((value, text))
    return width, cells


@given(written(), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_every_way_of_writing_a_number(case, before):
    width, cells = case
    rows = ["9" * before + text for _, text in cells]
    assert values_of(rows, before, width) == [[value] for value, _ in cells]


def test_neighbouring_fields_are_read_together():
    rows = ["x00120013-0140015", "x0016    00180019", "x  -1   200030004"]
    assert values_of(rows, 1, 4, 4) == [[12, 13, -14, 15], [16, None, 18, 19], [-1, 2, 3, 4]]


def test_long_columns_are_read_in_windows():
    rows = [f"{i:07d}{i * 3:012d}" for i in range(300_000)]
    found = numbers(lines_of(rows), 0, 7)
    assert (found.values[0] == np.arange(300_000)).all()
    assert (numbers(lines_of(rows), 7, 12).values[0] == np.arange(300_000) * 3).all()


@pytest.mark.parametrize(
    "text",
    ["1 3", "1-3", "--1", "12a", "1.5", "1,2", "- 1", "+12", "  -", " - ", ":12", "12 ", "-1 ", "\x8012"[:3], "\n12"],
)
@pytest.mark.parametrize("width", [3, 11])
def test_what_is_no_number_is_found(text, width):
    rows = ["0" * width, text.rjust(width), "0" * width]
    with pytest.raises(NotANumberError) as error:
        numbers(lines_of(rows), 0, width)
    assert (error.value.row, error.value.field) == (1, 0)


def test_the_first_strange_field_is_named():
    rows = ["000111", "00a11b", "x00111"]
    with pytest.raises(NotANumberError) as error:
        numbers(lines_of(rows), 0, 3, 2)
    assert (error.value.row, error.value.field) == (1, 0)
