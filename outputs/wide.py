"""From estimates to one wide file: the universe crossed with the file's subgroups, and one block per metric."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from metrics.predictor import Entry, Metric
from outputs.files import (
    STRAY_METRIC,
    STRAY_VALUES,
    Column,
    Layout,
    Part,
    PublishedFile,
    choices,
    columns,
    metrics_by_column,
    part_name,
)
from schemas.errors import GateError
from schemas.estimate import ESTIMATE
from schemas.labels import QUALITY_WORDS, Level

_PLACE: Final = ("year", "state", "geo")
_ROW: Final = (*_PLACE, "subgroup_type", "subgroup")
_FIGURES: Final = ("value", "lb", "ub", "quality", "numerator", "denominator")
_UNIVERSE: Final[dict[str, type[pl.DataType]]] = {
    "year": ESTIMATE["year"],
    "state": pl.String,
    "geo": pl.String,
    "state_name": pl.String,
    "name": pl.String,
    "population": pl.Int64,
}


@dataclass(frozen=True)
class Wide:
    """An assembled file. `outside` counts the estimates of geographies that are not in the universe of their year."""

    frame: pl.DataFrame
    columns: tuple[Column, ...]
    outside: int


def universe(spines: Mapping[int, pl.DataFrame], level: Level) -> pl.DataFrame:
    """All geographies of all years of a level: year, state, geo, state_name, name, population; sorted by year and code.

    `spines` maps a data year to its spine (level, state, geo, name, state_name, population).
    """
    parts = [
        spine.filter(pl.col("level") == level).select(
            pl.lit(year).alias("year"), "state", "geo", "state_name", pl.col("name"), "population"
        )
        for year, spine in sorted(spines.items())
    ]
    if not parts:
        return pl.DataFrame(schema=_UNIVERSE)
    frame = pl.concat(parts).select(pl.col(c).cast(t) for c, t in _UNIVERSE.items()).sort(_PLACE)
    doubled = frame.filter(pl.struct(_PLACE).is_duplicated())
    if doubled.height:
        raise GateError(f"spine ({level})", [f"duplicate geography: {row}" for row in doubled.head(20).iter_rows()])
    return frame


def assemble(
    file: PublishedFile,
    estimates: pl.LazyFrame,
    places: pl.DataFrame,
    entries: Mapping[str, Entry],
    *,
    layout: Layout = "clean",
) -> Wide:
    """One published file as a frame.

    `estimates` has the columns of `Estimate` (any predictors, any level), suppressions applied; `places` is the
    `universe` of the file's level; `entries` are the predictors of the release. Rows: each year in which some figure is
    present, each geography of that year, each subgroup of the file, in that order. Figures of one metric come from one
    series per year (see `outputs.files.series_of`). Qualities are words; metrics with a `text_format` are text.
    Raises `GateError` if two estimates claim the same cell.
    """
    listed = columns(file, entries, layout)
    cells = _cells(file, estimates, choices(file, entries))
    rows = _rows(file, places)
    placed = cells.join(rows.select(*_ROW, "_row"), on=list(_ROW), how="left", validate="m:1")
    outside = placed["_row"].null_count()
    placed = placed.filter(pl.col("_row").is_not_null())
    doubled = placed.filter(pl.struct("_row", "metric").is_duplicated())
    if doubled.height:
        raise GateError(file.stem, [f"two estimates for one cell: {row}" for row in doubled.iter_rows(named=True)])

    by_metric = {str(key[0]): frame for key, frame in placed.partition_by("metric", as_dict=True).items()}
    declared = metrics_by_column(entries)
    wide = rows
    for metric in dict.fromkeys(c.metric for c in listed if c.metric is not None):
        parts = tuple(c for c in listed if c.metric == metric)
        if metric in by_metric:
            block = _block(by_metric[metric], declared[metric][1], parts)
            wide = wide.join(block, on="_row", how="left", validate="1:1", maintain_order="left")
        else:
            wide = wide.with_columns(pl.lit(None, dtype=c.dtype).alias(c.name) for c in parts)
    wide = _keep_years(wide, file, listed, layout)
    wide = _published_labels(wide, file)
    if any(c.role == "stray" for c in listed):
        wide = _strays(wide, by_metric.get(STRAY_METRIC))
    return Wide(wide.select(pl.col(c.name).cast(c.dtype) for c in listed), listed, outside)


def _cells(file: PublishedFile, estimates: pl.LazyFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The estimates of the file's cells: row key, metric, figures."""
    kinds = sorted({kind for kind, _ in file.cells})
    return (
        estimates.filter(
            (pl.col("level") == file.level)
            & pl.col("subgroup_type").is_in(kinds)
            & pl.col("metric").is_in(chosen["metric"].unique().sort().to_list())
        )
        .join(chosen.lazy().drop("predictor"), on=["metric", "year", "sample"], how="inner", validate="m:1")
        .select(*_ROW, "metric", *_FIGURES)
        .collect(engine="streaming")
    )


def _rows(file: PublishedFile, places: pl.DataFrame) -> pl.DataFrame:
    groups = pl.DataFrame(file.cells, schema=["subgroup_type", "subgroup"], orient="row")
    return places.join(groups, how="cross", maintain_order="left_right").with_row_index("_row")


def _block(cells: pl.DataFrame, metric: Metric, parts: tuple[Column, ...]) -> pl.DataFrame:
    """The columns of one metric, keyed by `_row`."""
    made = []
    for column in parts:
        if column.part == "quality":
            made.append(pl.col("quality").replace_strict(QUALITY_WORDS, return_dtype=pl.String).alias(column.name))
        elif column.part == "value" and metric.text_format is not None:
            made.append(_as_text(cells, metric.text_format).alias(column.name))
        else:
            made.append(pl.col(str(column.part)).alias(column.name))
    return cells.select("_row", *made)


def _as_text(cells: pl.DataFrame, text_format: str) -> pl.Expr:
    """The metric's text made from other columns of the estimate, as `text_format` says; null where the value is null.

    Decimals are rounded as C and R round them (the exact binary number), which rounding to a number first would not do.
    """
    pieces: list[pl.Expr] = []
    for literal, field, spec, _ in string.Formatter().parse(text_format):
        if literal:
            pieces.append(pl.lit(literal))
        if field is not None:
            numbers = cells[field].fill_null(0.0).to_numpy()
            pieces.append(pl.lit(pl.Series(np.char.mod(f"%{spec or '.17g'}", numbers).tolist(), dtype=pl.String)))
    fields = [f for _, f, _, _ in string.Formatter().parse(text_format) if f is not None]
    complete = pl.all_horizontal(pl.col(c).is_not_null() for c in ("value", *fields))
    return pl.when(complete).then(pl.concat_str(pieces))


def _keep_years(wide: pl.DataFrame, file: PublishedFile, listed: tuple[Column, ...], layout: Layout) -> pl.DataFrame:
    """Only years with some figure; a quality alone is no figure."""
    if file.keeps_empty_years(layout):
        return wide
    values = [c.name for c in listed if c.role == "metric" and c.part == "value"]
    present = wide.select("year", pl.any_horizontal(pl.col(v).is_not_null() for v in values).alias("present"))
    years = present.filter("present")["year"].unique()
    return wide.filter(pl.col("year").is_in(years.to_list()))


def _published_labels(wide: pl.DataFrame, file: PublishedFile) -> pl.DataFrame:
    return wide.with_columns(
        pl.col("geo").alias(file.level),
        pl.col("name").alias(f"{file.level}_name"),
        pl.col("subgroup_type").replace({file.kind: file.published_type}),
    )


def _strays(wide: pl.DataFrame, housing: pl.DataFrame | None) -> pl.DataFrame:
    """The housing file's own subgroup columns, where it has a row."""
    rows = pl.Series([], dtype=pl.UInt32) if housing is None else housing["_row"]
    there = pl.col("_row").is_in(rows.to_list())
    return wide.with_columns(pl.when(there).then(pl.lit(text)).alias(name) for name, text in STRAY_VALUES.items())


def parts_of(listed: tuple[Column, ...]) -> dict[str, dict[Part, str]]:
    """Metric -> part -> column name, for the figures among `listed`."""
    found: dict[str, dict[Part, str]] = {}
    for column in listed:
        if column.metric is not None and column.part is not None:
            found.setdefault(column.metric, {})[column.part] = part_name(column.metric, column.part)
    return found
