"""Small pictures and tables for the asset pages of the Dagster UI."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from pipelines import drawings
from sources.framework.states import BY_FIPS

_COLUMNS = 24


def _shown(title: str, drawing: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()})")


def distribution(
    frame: pl.DataFrame, title: str, spreads: Mapping[int, Sequence[Mapping[str, Any]]]
) -> dg.MarkdownMetadataValue | None:
    """How the overall figures are distributed, this year and by year: a panel per metric (at most four); None if empty.

    `spreads` has the records of `pipelines.drawings.spread` of every year that is there, this one among them.
    """
    shown = drawings.overall(frame)
    if shown.is_empty():
        return None
    by_year = drawings.years(spreads, drawings.metrics(shown))
    return _shown(title, drawings.picture(drawings.histograms(shown), by_year))


def places(frame: pl.DataFrame, title: str, spine: pl.DataFrame) -> dg.MarkdownMetadataValue | None:
    """Who is lowest and highest, and the median county of each state on a tile map; None if there is no figure.

    `spine` has level, state, geo and name of the year's geographies.
    """
    shown = drawings.overall(frame)
    if shown.is_empty():
        return None
    postal_of = {fips: state.postal for fips, state in BY_FIPS.items()}
    postal = pl.col("state").replace_strict(postal_of, default="", return_dtype=pl.String)
    names = spine.select("level", "state", "geo", label=pl.format("{}, {}", "name", postal))
    return _shown(title, drawings.picture(drawings.ranking(shown, names), drawings.tile_map(shown, postal_of)))


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
    shown = rows.collect().with_columns(pl.selectors.float().round_sig_figs(6))
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
