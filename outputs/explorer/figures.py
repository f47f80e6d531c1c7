"""Figures as compact JSON: one file per place, and one per metric, level and year.

Parts of a figure, each an array over the positions of its block (see `outputs.explorer.layout`):

    v, l, u   value and bounds, in full precision
    q         quality as text, one character per figure: 1, 2, 3, or - where there is no value
    r         index into the catalog's reasons, -1 for none, -2 if the place did not exist; one number if all are alike
    a         how many areas share the figure, 0 if not known
    n         records behind the figure
    x, y      numerator and denominator, for metrics that are published as a pair

A part that says nothing is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from outputs.explorer.layout import CELL, Block
from schemas.labels import REASONS, Level

REASON_INDEX: Final = {reason: i for i, reason in enumerate(REASONS)}
NO_REASON: Final = -1
NOT_THERE: Final = -2
_PAIR: Final = {"x": "numerator", "y": "denominator"}
_STATES_AT_ONCE: Final = 6


def dump(path: Path, content: Any) -> None:
    """Write JSON without blanks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def placed(long: pl.LazyFrame, where: pl.DataFrame) -> pl.LazyFrame:
    """The figures of the site: state, geoid, year, block, position and the parts `v` .. `y`."""
    return (
        long.join(where.lazy(), on=list(CELL), how="inner")
        .select(
            "state",
            "geoid",
            "year",
            "block",
            "position",
            pl.col("value").alias("v"),
            pl.col("lb").alias("l"),
            pl.col("ub").alias("u"),
            pl.col("quality").cast(pl.String).fill_null("-").alias("q"),
            pl.col("reason")
            .replace_strict(REASON_INDEX, return_dtype=pl.Int8, default=None)
            .fill_null(NO_REASON)
            .alias("r"),
            pl.col("n_areas").fill_null(0).alias("a"),
            "n",
            pl.col("numerator").alias("x"),
            pl.col("denominator").alias("y"),
        )
        .with_columns(pl.col("n").cast(pl.Int64))
    )


def _filled(size: int, positions: Sequence[int], values: Sequence[Any], empty: Any) -> list[Any]:
    if len(positions) == size:
        return list(values)
    filled = [empty] * size
    for position, value in zip(positions, values, strict=True):
        filled[position] = value
    return filled


def parts(columns: dict[str, list[Any]], size: int, *, pair: bool) -> dict[str, Any]:
    """The parts of one array of figures. `columns` has `position` (ascending) and the parts, as lists."""
    at = columns["position"]
    made: dict[str, Any] = {}
    for part in ("v", "l", "u", "n", *(_PAIR if pair else ())):
        values = columns[part]
        if values.count(None) < len(values):
            made[part] = _filled(size, at, values, None)
    quality = "".join(_filled(size, at, columns["q"], "-"))
    if quality.strip("-"):
        made["q"] = quality
    reasons = _filled(size, at, columns["r"], NOT_THERE)
    low, high = min(reasons), max(reasons)
    if low != high:
        made["r"] = reasons
    elif low != NO_REASON:
        made["r"] = low
    if max(columns["a"]) > 1:
        made["a"] = _filled(size, at, columns["a"], 0)
    return made


_COLUMNS: Final = ("position", "v", "l", "u", "q", "r", "a", "n", "x", "y")


def place_files(
    figures: pl.LazyFrame, listed: list[Block], pairs: frozenset[str], states: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Code and content of each place's file: metric -> kind -> parts. A few states are in memory at a time."""
    for first in range(0, len(states), _STATES_AT_ONCE):
        some = list(states[first : first + _STATES_AT_ONCE])
        frame = figures.filter(pl.col("state").is_in(some)).sort("geoid", "block", "position").collect()
        whole = {name: frame[name].to_list() for name in _COLUMNS}
        runs = (
            frame.with_row_index("row")
            .group_by("geoid", "block", maintain_order=True)
            .agg(pl.col("row").first().alias("start"), pl.len().alias("rows"))
        )
        content: dict[str, Any] = {}
        current = None
        for geoid, block, start, rows in runs.iter_rows():
            if geoid != current:
                if current is not None:
                    yield current, content
                current, content = geoid, {}
            cut = {name: values[start : start + rows] for name, values in whole.items()}
            mine = listed[block]
            made = parts(cut, mine.size, pair=mine.metric in pairs)
            content.setdefault(mine.metric, {})[mine.kind] = made
        if current is not None:
            yield current, content


def metric_files(
    figures: pl.DataFrame, listed: list[Block], order: Mapping[Level, Mapping[str, int]], pairs: frozenset[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and content of each metric-year's file: `i` (places, as positions in the list of places) and the parts.

    `figures` are those for everyone; `order` maps a level's codes to their positions.
    """
    for (block, year), part in sorted(figures.partition_by("block", "year", as_dict=True).items()):
        mine = listed[block]
        rank = order[mine.level]
        rows = part.with_columns(pl.col("geoid").replace_strict(rank, return_dtype=pl.Int64).alias("i")).sort("i")
        columns = {name: rows[name].to_list() for name in _COLUMNS}
        columns["position"] = list(range(rows.height))
        made = parts(columns, rows.height, pair=mine.metric in pairs)
        yield f"{mine.metric}/{mine.level}-{year}.json", {"i": rows["i"].to_list(), **made}
