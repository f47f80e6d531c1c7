"""Reading exports grouped by county: one row per county (or pool of counties), with numbers and markers apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from sources.framework.strict import Raw
from sources.wonder.accept import Acceptance, hold_to
from sources.wonder.export import Export, read_export
from sources.wonder.query import Query

SUPPRESSED: Final = "Suppressed"
UNRELIABLE: Final = "Unreliable"
MISSING: Final = "Missing"
MISSING_COUNTY: Final = "Missing County"
NOT_APPLICABLE: Final = "Not Applicable"
COUNTY_NAMES: Final = ("County", "County of Residence")


@dataclass
class Account:
    """What is worth noting about the exports of one year."""

    queries: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: list[dict[str, str]] = field(default_factory=list)
    markers: dict[str, dict[str, int]] = field(default_factory=dict)
    padded_codes: int = 0
    without_total: list[str] = field(default_factory=list)

    def note(self, notes: dict[str, object]) -> None:
        """Put it into a retrieval's notes."""
        notes["exports"] = self.queries
        notes["markers instead of numbers"] = self.markers
        notes["county codes padded with zeros"] = self.padded_codes
        notes["exports without a total row"] = self.without_total
        if self.accepted:
            notes["accepted wording"] = self.accepted


def read_counties(
    path: Path,
    query: Query,
    columns: dict[str, str],
    *,
    source: str,
    accepted: Sequence[Acceptance] = (),
    others: Collection[Query] = (),
    account: Account,
) -> Export:
    """Read an export by county, hold it to its recipe, and check its codes.

    `columns` maps measures to new names. The rows come back as text with `code` (5 digits, unique) and those columns.
    Raises `InputError` for a wrong query, a missing column and a wrong or repeated code.
    """
    export = read_export(path, source=source, file=query.file)
    account.accepted += hold_to(export, query, accepted, source=source, others=others)
    rows = export.rows
    name = next((n for n in COUNTY_NAMES if f"{n} Code" in rows.frame.columns), COUNTY_NAMES[0])
    rows.select({f"{name} Code": "code", **columns})
    rows.refuse(pl.col("code") == "", "the county code is missing", column="code")
    short = rows.frame.filter(pl.col("code").str.len_chars() < 5).height
    rows.code("code", width=5, pad=True, what="county code").unique("code")
    account.padded_codes += short
    account.queries[query.file] = {
        "data set": export.footer.dataset,
        "query date": export.footer.query_date,
        "rows": rows.frame.height,
        "messages": list(export.footer.messages),
    }
    if export.total is None:
        account.without_total.append(query.file)
    return export


def split_marker(rows: Raw, column: str, markers: Collection[str], dtype: type[pl.DataType]) -> Raw:
    """Turn a text column into a number and a column `<column>_marker` with the word that stands in its place."""
    rows.refuse(pl.col(column) == "", "the cell is empty", column=column)
    rows.frame = rows.frame.with_columns(
        pl.when(pl.col(column).is_in(list(markers))).then(pl.col(column)).alias(f"{column}_marker")
    )
    return rows.number(column, dtype, minimum=0, missing=markers)


def count_markers(rows: Raw, columns: Sequence[str], account: Account, file: str) -> None:
    """Note how often each marker occurs in each column."""
    counts = {
        f"{column} {row[0]}": row[1]
        for column in columns
        for row in rows.frame.group_by(f"{column}_marker").len().sort(f"{column}_marker").iter_rows()
        if row[0] is not None
    }
    if counts:
        account.markers[file] = counts


def check_total(rows: Raw, column: str, printed: str | None, *, suppressed_up_to: int) -> None:
    """The rows must add up to the printed grand total, less what suppressed rows can hold.

    A total that is absent or itself a marker is not checked.
    """
    if printed is None or not printed.isdigit():
        return
    total = int(printed)
    known = int(rows.frame[column].sum())
    hidden = rows.frame.filter(pl.col(f"{column}_marker") == SUPPRESSED).height
    if not known <= total <= known + suppressed_up_to * hidden:
        raise rows.error(
            f"the rows add up to {known} (with {hidden} suppressed), the total row says {total}; rows are missing or "
            "changed.",
            column=column,
        )
