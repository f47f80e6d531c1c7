"""Small pictures and tables for the asset pages of the Dagster UI."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

BINS = 24
_COLUMNS = 24
_WIDTH, _HEIGHT, _MARGIN = 260, 90, 16
_COLORS = {"county": "#2166ac", "place": "#e08214"}


def histogram(frame: pl.DataFrame, title: str) -> dg.MarkdownMetadataValue | None:
    """How the overall values are distributed: a panel per metric (at most four), counties and places; None if empty.

    Drawn as SVG text: a plotting library would take longer than the estimates of most years.
    """
    shown = frame.filter(pl.col("value").is_not_null() & (pl.col("subgroup") == "All"))
    metrics = shown["metric"].unique().sort().to_list()[:4]
    if not metrics:
        return None
    panels = []
    for number, metric in enumerate(metrics):
        values = shown.filter(pl.col("metric") == metric)
        low, high = float(values["value"].min()), float(values["value"].max())  # type: ignore[arg-type]
        position = ((pl.col("value") - low) / max(high - low, 1e-300) * BINS).floor().clip(0, BINS - 1).cast(pl.Int32)
        counts = values.group_by("level", position.alias("bin")).len()
        tallest = int(counts["len"].max())  # type: ignore[arg-type]
        bars = "".join(
            f'<rect x="{b * _WIDTH / BINS:.1f}" y="{_HEIGHT - n * _HEIGHT / tallest:.1f}" '
            f'width="{_WIDTH / BINS - 1:.1f}" '
            f'height="{n * _HEIGHT / tallest:.1f}" fill="{_COLORS[level]}" fill-opacity="0.6"/>'
            for level, b, n in counts.sort("level", "bin").iter_rows()
        )
        sizes = ", ".join(f"{n} {level}" for level, n in values.group_by("level").len().sort("level").iter_rows())
        panels.append(
            f'<g transform="translate({_MARGIN + number * (_WIDTH + 2 * _MARGIN)},{_MARGIN})">'
            f'<text y="-4" font-size="11">{metric} ({sizes})</text>{bars}'
            f'<text y="{_HEIGHT + 12}" font-size="10">{low:.4g}</text>'
            f'<text x="{_WIDTH}" y="{_HEIGHT + 12}" font-size="10" text-anchor="end">{high:.4g}</text></g>'
        )
    width, height = len(metrics) * (_WIDTH + 2 * _MARGIN), _HEIGHT + 3 * _MARGIN
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
        f"{''.join(panels)}</svg>"
    )
    data = base64.b64encode(picture.encode()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{data})")


def table(frame: pl.DataFrame, limit: int = 20) -> dg.TableMetadataValue:
    """The first rows of a frame, every cell as text (the UI accepts only plain values).

    Of a wide table the first columns: all of them, with types and meaning, stand in the asset's column schema.
    """
    frame = frame.select(frame.columns[:_COLUMNS])
    head = frame.head(limit).with_columns(pl.all().cast(pl.String).fill_null(""))
    schema = dg.TableSchema(columns=[dg.TableColumn(c, str(t)) for c, t in frame.schema.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in head.iter_rows(named=True)], schema=schema)


def note(value: object) -> dg.MetadataValue[Any]:
    """A count or text as it is, anything nested as JSON."""
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return dg.MetadataValue.text(str(value))


def preview(estimates: pl.LazyFrame) -> dg.TableMetadataValue:
    """A few estimates that have a value, with the columns a reader looks for first; empty columns are left out."""
    first = ["state", "geo", "subgroup", "metric", "value", "lb", "ub", "quality", "n", "numerator", "denominator"]
    rows = estimates.filter(pl.col("value").is_not_null()).select(*first, "n_areas", "reason", "sample").head(12)
    shown = rows.collect()
    return table(shown.select(c for c in shown.columns if shown[c].null_count() < shown.height))


def records(rows: Sequence[Mapping[str, object]], limit: int = 50) -> dg.TableMetadataValue | None:
    """A table made from dictionaries; None if there are none."""
    if not rows:
        return None
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [
        dg.TableRecord({c: str(row.get(c) if row.get(c) is not None else "") for c in columns}) for row in rows[:limit]
    ]
    return dg.MetadataValue.table(cells, schema=dg.TableSchema(columns=[dg.TableColumn(c, "string") for c in columns]))
