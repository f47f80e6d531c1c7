"""How the counties of a predictor's input tables and those of the year's list find each other, in both directions.

Codes of another year (Connecticut's former counties, say) are known codes: that such rows find no area is the method's
business, and the figure says so. A code that no year knows is a wrong one: one lost zero, one column too far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

TOLERANCE: Final = 0.01
"""Share of a table's county codes in the states of the run that may be unknown; above it the join is wrong."""
# Agencies give what they cannot place in a county codes from here on, and the whole state 000.
_NO_COUNTY: Final = "900"
_SHOWN: Final = 5
COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "table": pl.String,
    "counties": pl.Int64,
    "unknown": pl.Int64,
    "of_another_year": pl.Int64,
    "without_a_row": pl.Int64,
    "examples": pl.String,
}


def county_matches(
    tables: Mapping[str, pl.LazyFrame | None], universe: pl.DataFrame, known: frozenset[str]
) -> pl.DataFrame:
    """One row per table that names counties: how many of them the year's list knows, and how many of it have no row.

    `universe` has level, state and geo of the year; `known` are county codes (5 digits) valid in some year. Columns:
    table, counties (different codes in the states of the universe), unknown (of no year), of_another_year,
    without_a_row (counties of the list that the table lacks), examples (of unknown codes).
    """
    ours = universe.filter(pl.col("level") == "county").select(pl.concat_str("state", "geo"))["state"].to_list()
    states = universe["state"].unique().to_list()
    rows = [
        row
        for name, table in sorted(tables.items())
        if table is not None and (row := _of_table(name, table, set(ours), states, known)) is not None
    ]
    return pl.DataFrame(rows, schema=COLUMNS)


def _of_table(
    name: str, table: pl.LazyFrame, ours: set[str], states: list[str], known: frozenset[str]
) -> dict[str, Any] | None:
    columns = table.collect_schema().names()
    column = "county" if "county" in columns else "geo"
    if "state" not in columns or column not in columns:
        return None
    if "level" in columns:
        table = table.filter(pl.col("level") == "county")
    codes = table.select("state", column).unique().filter(pl.col("state").is_in(states)).collect(engine="streaming")
    county = codes.filter((pl.col(column).str.len_bytes() == 3) & (pl.col(column) < _NO_COUNTY))
    found = {s + c for s, c in county.iter_rows() if c != "000"}
    if not found:
        return None
    elsewhere = found - ours
    unknown = sorted(elsewhere - known)
    return {
        "table": name,
        "counties": len(found),
        "unknown": len(unknown),
        "of_another_year": len(elsewhere) - len(unknown),
        "without_a_row": len(ours - found),
        "examples": ", ".join(unknown[:_SHOWN]),
    }


def beyond_tolerance(matches: pl.DataFrame) -> pl.DataFrame:
    """The tables of which more counties are unknown than may be."""
    return matches.filter(pl.col("unknown") > pl.col("counties") * TOLERANCE)
