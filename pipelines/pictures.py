"""Small pictures and tables for the asset pages of the Dagster UI."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl


def histogram(frame: pl.DataFrame, title: str) -> dg.MarkdownMetadataValue | None:
    """A histogram of `value`, one panel per metric (at most four), counties and places side by side; None if empty."""
    from matplotlib.figure import Figure

    shown = frame.filter(pl.col("value").is_not_null() & (pl.col("subgroup") == "All"))
    metrics = shown["metric"].unique().sort().to_list()[:4]
    if not metrics:
        return None
    figure = Figure(figsize=(3.4 * len(metrics), 2.2), dpi=70, layout="tight")
    axes = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        for level in ("county", "place"):
            values = shown.filter((pl.col("metric") == metric) & (pl.col("level") == level))["value"].to_numpy()
            if values.size:
                axis.hist(values, bins=24, alpha=0.6, label=f"{level} ({values.size})")
        axis.set_title(metric, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{data})")


def table(frame: pl.DataFrame, limit: int = 20) -> dg.TableMetadataValue:
    """The first rows of a frame, every cell as text (the UI accepts only plain values)."""
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
