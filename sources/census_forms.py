"""The two forms in which the Census Bureau hands out the same ACS table, read into one tidy frame.

The API answers with JSON: a list of rows, the first one with the column names, codes of the geography in columns of
their own. A download from data.census.gov is a CSV with a second header row of labels, the code in `GEO_ID`, and
columns of annotations between the figures. Both mark figures that do not exist with annotation codes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import InputError
from sources.framework.strict import ROW, Raw, read_bytes

CONTROLLED: Final = "-555555555"

# Code of the API -> the sign for the same thing in downloads, and what it means (Census Bureau, "Notes on ACS Estimate
# and Annotation Values").
ANNOTATIONS: Final[dict[str, tuple[str, str]]] = {
    "-999999999": ("N", "not available for this area"),
    "-888888888": ("(X)", "not applicable"),
    "-666666666": ("-", "too few sample cases for an estimate"),
    CONTROLLED: ("*****", "controlled to a fixed total: no sampling error"),
    "-333333333": ("***", "in the lowest or highest interval of an open-ended distribution"),
    "-222222222": ("**", "too few sample cases for a margin of error"),
}
_SIGNS: Final = {sign: code for code, (sign, _) in ANNOTATIONS.items()}
_ABSENT: Final = ("", "null")

# Medians of household income beyond the ends of the distribution: how a download shows them and what the API gives.
OPEN_ENDED: Final[dict[str, str]] = {"250,000+": "250001", "2,500-": "2499"}


@dataclass(frozen=True)
class Geography:
    """A kind of area: the columns of its code with their widths, and its summary level in `GEO_ID`."""

    name: str
    plural: str
    summary_level: str
    parts: tuple[tuple[str, int], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the code columns."""
        return tuple(name for name, _ in self.parts)


TRACT: Final = Geography("tract", "tracts", "140", (("state", 2), ("county", 3), ("tract", 6)))
COUNTY: Final = Geography("county", "counties", "050", (("state", 2), ("county", 3)))
PLACE: Final = Geography("place", "places", "160", (("state", 2), ("place", 5)))


@dataclass(frozen=True)
class Item:
    """One figure of a table: our column, the Census variable without its final E or M, and the end of its label.

    The label is compared in downloads, where it stands in the file; lines of profile and subject tables move between
    vintages. Colons, which came into labels in 2019, do not count.
    """

    column: str
    variable: str
    label: str = ""

    @property
    def variables(self) -> tuple[str, str]:
        """The Census variables of the estimate and its margin of error."""
        return f"{self.variable}E", f"{self.variable}M"

    @property
    def columns(self) -> tuple[str, str]:
        """Our columns of the estimate and its margin of error."""
        return self.column, f"{self.column}_moe"


@dataclass(frozen=True)
class Reading:
    """What a file held: rows with their line numbers, counts of annotation codes, rows of other areas left out."""

    raw: Raw
    annotations: dict[str, int]
    rows_left_out: int


def read(path: Path, items: Sequence[Item], geography: Geography, *, source: str) -> Reading:
    """One file of either form.

    The rows have the code columns of `geography` (zero-padded text) and per item an estimate and its 90 % margin of
    error (`<column>_moe`), Int64. A controlled estimate has margin 0; every other annotated figure is null. Each code
    met is counted. Raises `InputError` for anything that is not such a file.
    """
    text = read_bytes(path, source=source)
    raw = api_table(text, path, source) if text.lstrip()[:1] in (b"[", b"{") else None
    left_out = 0
    if raw is None:
        if text.lstrip()[:6].lower() == b"error:":
            raise InputError(f"the API answered with an error: {_first_line(text)}", source=source, file=path.name)
        raw = Raw.csv(path, source=source)
        left_out = _prepare_download(raw, items, geography)
    raw.select({**{c: c for c in geography.columns}, **_renaming(items)})
    for name, width in geography.parts:
        raw.code(name, width=width, what=f"{name} code")
    annotations = _figures(raw, items)
    raw.unique(*geography.columns)
    return Reading(raw, annotations, left_out)


def _renaming(items: Sequence[Item]) -> dict[str, str]:
    return {variable: column for item in items for variable, column in zip(item.variables, item.columns, strict=True)}


def _first_line(text: bytes) -> str:
    return text.decode().strip().splitlines()[0][:200]


def api_table(text: bytes, path: Path, source: str) -> Raw:
    """The API's rows as text; row numbers are lines of the file, which holds one row per line."""

    def refuse(problem: str, row: int | None = None) -> InputError:
        return InputError(problem, source=source, file=path.name, row=row)

    try:
        body: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise refuse(f"the JSON is damaged or truncated ({error.msg}).", error.lineno) from error
    if isinstance(body, dict):
        problem = body.get("error") or body.get("message") or ", ".join(body)
        raise refuse(f"the API answered with an error: {problem}")
    if not body or not all(isinstance(row, list) for row in body):
        raise refuse("the JSON is not a table of the Census API (a list of rows).")
    header, rows = body[0], body[1:]
    if not rows:
        raise refuse("the table has a header but no rows.")
    if len(set(header)) != len(header):
        raise refuse("a column name stands twice in the header.", 1)
    uneven = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if uneven is not None:
        raise refuse(f"the row has {len(rows[uneven])} cells, the header {len(header)}.", uneven + 2)
    columns = zip(header, zip(*rows, strict=True), strict=True)
    frame = pl.DataFrame(
        {name: ["" if cell is None else str(cell).strip() for cell in cells] for name, cells in columns}
    )
    return Raw(frame, source=source, file=path.name)


def _prepare_download(raw: Raw, items: Sequence[Item], geography: Geography) -> int:
    """Check and drop the row of labels, split `GEO_ID`; returns the number of rows of other kinds of areas."""
    if "GEO_ID" not in raw.frame.columns:
        raise raw.error("the column is missing; this is not a download from data.census.gov.", column="GEO_ID")
    labels = raw.frame.row(0, named=True)
    if labels["GEO_ID"].lower() not in ("geography", "id"):
        raise raw.error("the second header row, with the labels, is missing.", row=labels[ROW], column="GEO_ID")
    for item in items:
        variable = item.variables[0]
        found = labels.get(variable)
        if found is not None and not found.replace(":", "").lower().endswith(item.label.lower()):
            raise raw.error(
                f"the variable is labelled {found!r}, expected is {item.label!r}; its number has moved.",
                row=labels[ROW],
                column=variable,
            )
    raw.drop_rows(pl.col(ROW) == labels[ROW])
    raw.refuse(~pl.col("GEO_ID").str.contains(r"^\w{7}US\d*$"), "not a geographic identifier", column="GEO_ID")
    before = raw.frame.height
    raw.drop_rows(pl.col("GEO_ID").str.slice(0, 3) != geography.summary_level)
    if raw.frame.height == 0:
        raise raw.error(
            f"the file holds no {geography.name} (summary level {geography.summary_level}).", column="GEO_ID"
        )
    code = pl.col("GEO_ID").str.extract(r"US(\d*)$", 1)
    width = sum(w for _, w in geography.parts)
    raw.refuse(code.str.len_chars() != width, f"the code of a {geography.name} has {width} digits", column="GEO_ID")
    start = 0
    for name, part in geography.parts:
        raw.frame = raw.frame.with_columns(code.str.slice(start, part).alias(name))
        start += part
    return before - raw.frame.height


def _figures(raw: Raw, items: Sequence[Item]) -> dict[str, int]:
    """Make the columns of the items whole numbers; returns how often each annotation code stood in them."""
    columns = {column: margin for item in items for column, margin in zip(item.columns, (False, True), strict=True)}
    raw.frame = raw.frame.with_columns(pl.col(list(columns)).replace(_SIGNS | OPEN_ENDED))
    annotated = raw.frame.select(pl.col(list(columns)).is_in(list(ANNOTATIONS)).sum())
    counts: Counter[str] = Counter()
    for column, found in annotated.row(0, named=True).items():
        if found:
            kind = "margin of error" if columns[column] else "estimate"
            codes = raw.frame[column].value_counts().filter(pl.col(column).is_in(list(ANNOTATIONS)))
            counts.update({f"{kind} {code} ({ANNOTATIONS[code][1]})": n for code, n in codes.rows()})
    margins = [column for column, margin in columns.items() if margin]
    raw.frame = raw.frame.with_columns(pl.col(margins).replace({CONTROLLED: "0"}))
    missing = [*_ABSENT, *ANNOTATIONS]
    # All columns at once; a column that has a flaw is read again on its own, which names the row.
    parsed: dict[str, pl.Expr] = {
        c: pl.when(~pl.col(c).is_in(missing)).then(pl.col(c).cast(pl.Int64, strict=False)) for c in columns
    }
    flawed = raw.frame.select(
        ((~pl.col(c).is_in(missing) & value.is_null()) | (value < 0)).any().alias(c) for c, value in parsed.items()
    ).row(0, named=True)
    for column in (c for c, bad in flawed.items() if bad):
        raw.number(column, minimum=0, missing=missing)
        raw.refuse(pl.col(column).mod(1) != 0, "not a whole number", column=column)
        parsed[column] = pl.col(column).cast(pl.Int64)
    raw.frame = raw.frame.with_columns(value.alias(c) for c, value in parsed.items())
    return dict(counts)
