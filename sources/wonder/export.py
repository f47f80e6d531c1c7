"""Reading one CDC WONDER export: the table above, and the account of the query in the footer below it.

An export is tab-separated (newer ones may be comma-separated), quoted, with the columns `Notes`, the group-by columns
and the measures. Rows with a note in `Notes` are totals. Below the table, after a line "---", the footer repeats the
query: the data set, each choice that is not the default, the options, the date. Long footer lines are wrapped.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from sources.framework.strict import ROW, Raw, read_bytes

RULE: Final = "---"
NOTES: Final = "Notes"
# What follows this line describes the population that age-adjusted rates are standardized to, not the query: its years
# and places are not those of the deaths.
STANDARD_POPULATION: Final = "Non-standard Age Adjusted Rate Parameters"
_PARAMETER: Final = re.compile(r"^(?P<name>[A-Z0-9][^:;]{0,59}):(?:\s+(?P<value>.*))?$")


@dataclass(frozen=True)
class Footer:
    """What the export says about its own query.

    `parameters` has each "name: value" line of the query, unwrapped, in the order printed; `group_by` and `dataset`
    stand apart. `messages` are WONDER's remarks on this result (hidden rows, disabled totals).
    """

    dataset: str
    group_by: tuple[str, ...]
    parameters: dict[str, str]
    query_date: str | None
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Export:
    """An export: its data rows as text, its grand total (null if it has none), and its footer."""

    rows: Raw
    total: dict[str, str] | None
    footer: Footer


def read_export(path: Path, *, source: str, file: str | None = None) -> Export:
    """Read an export strictly.

    `rows` has every column of the export as text and the line number of each row; total rows are left out. Raises
    `InputError` for a file without footer (an export that was cut off), without a `Notes` column, without rows, and for
    all that `strict.read_bytes` refuses.
    """
    name = file or path.name
    lines = read_bytes(path, source=source).decode().splitlines()
    end = next((i for i, line in enumerate(lines) if _unquoted(line) == RULE), None)
    if end is None:
        raise InputError(
            "the export has no footer, so the file is incomplete and its query is unknown.", source=source, file=name
        )
    table = [line for line in lines[:end] if line.strip()]
    if len(table) < 2:
        raise InputError("the export has no rows.", source=source, file=name)
    rows, total = _table("\n".join(table).encode(), table[0], source=source, file=name)
    return Export(rows, total, _footer(lines[end:], first_row=end + 1, source=source, file=name))


def _table(data: bytes, header: str, *, source: str, file: str) -> tuple[Raw, dict[str, str] | None]:
    try:
        frame = pl.read_csv(io.BytesIO(data), separator="\t" if "\t" in header else ",", infer_schema=False)
    except pl.exceptions.PolarsError as error:
        problem = f"the table cannot be read: {str(error).splitlines()[0]}"
        raise InputError(problem, source=source, file=file) from error
    frame = frame.rename({c: c.strip() for c in frame.columns}).with_columns(pl.all().str.strip_chars().fill_null(""))
    raw = Raw(frame, source=source, file=file)
    if frame.columns[0] != NOTES:
        raise raw.error("the first column of an export is 'Notes'.", row=1, column=frame.columns[0])
    is_total = pl.col(NOTES).str.starts_with("Total")
    totals = raw.frame.filter(is_total).drop(ROW, NOTES)
    raw.drop_rows(is_total)
    if raw.frame.height == 0:
        raise raw.error("the export has no rows.")
    return raw, totals.row(-1, named=True) if totals.height else None


def _unquoted(line: str) -> str:
    text = line.strip()
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return text[1:-1].replace('""', '"').strip()
    return text


def _footer(lines: list[str], *, first_row: int, source: str, file: str) -> Footer:
    """The footer's blocks, separated by "---": the query, help, date, citation, messages, footnotes, caveats."""
    blocks: list[list[str]] = []
    for line in lines:
        text = _unquoted(line)
        if text == RULE:
            blocks.append([])
        elif text:
            blocks[-1].append(text)
    query = next((b for b in blocks if b[:1] and b[0].startswith("Dataset:")), None)
    if query is None or "Query Parameters:" not in query:
        problem = "the footer does not name the data set and the query parameters."
        raise InputError(problem, source=source, file=file, row=first_row)
    pairs = _pairs(query)
    dataset = pairs.pop("Dataset")
    group_by = tuple(part.strip() for part in pairs.pop("Group By", "").split(";") if part.strip())
    dates = [text for b in blocks for text in b if text.startswith("Query Date:")]
    messages = next((b[1:] for b in blocks if b[:1] == ["Messages:"]), [])
    return Footer(
        dataset=dataset,
        group_by=group_by,
        parameters=pairs,
        query_date=dates[0].partition(":")[2].strip() if dates else None,
        messages=_numbered(messages),
    )


def _pairs(lines: list[str]) -> dict[str, str]:
    """Name -> value. A line that starts no parameter, or comes after one that ends in ";", continues the last one."""
    pairs: dict[str, str] = {}
    last = ""
    for line in lines:
        if line == "Query Parameters:":
            continue
        if line.startswith(STANDARD_POPULATION):
            break
        found = _PARAMETER.match(line)
        if found and not pairs.get(last, "").endswith(";"):
            last = found["name"].strip()
            pairs[last] = (found["value"] or "").strip()
        elif last:
            pairs[last] = f"{pairs[last]} {line}".strip()
    return pairs


def _numbered(lines: list[str]) -> tuple[str, ...]:
    """Numbered remarks, each as one text."""
    remarks: list[str] = []
    for line in lines:
        if re.match(r"^\d+\. ", line) or not remarks:
            remarks.append(re.sub(r"^\d+\. ", "", line))
        else:
            remarks[-1] += f" {line}"
    return tuple(remarks)
