"""`mobility.duckdb`: one file to query. Estimates, metrics, dictionary, geographies, and a view per wide file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from metrics.predictor import PILLARS, Entry
from outputs.about import SYNTHETIC_NOTICE, ReleaseMeta
from outputs.dictionary import COLUMNS, Written
from outputs.files import FILES, choices, metrics_by_column
from outputs.long import LONG_DESCRIPTIONS
from outputs.queries import QUERIES
from outputs.suppress import DESCRIPTIONS as SUPPRESSION_DESCRIPTIONS
from outputs.tables import SideTable
from outputs.write import read_csv

WIDE_SCHEMA: Final = "published"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def metrics_table(entries: Mapping[str, Entry]) -> pl.DataFrame:
    """One row per metric in the catalog's order: column, title, unit, limits, interval, predictor, definition."""
    rows = [
        {
            "position": position,
            "metric": column,
            "title": metric.title,
            "unit": metric.unit,
            "minimum": metric.minimum,
            "maximum": metric.maximum,
            "interval": metric.interval,
            "predictor": predictor.key,
            "predictor_title": predictor.title,
            "pillar": PILLARS[predictor.pillar],
            "definition": predictor.definition,
            "sentence": metric.sentence,
        }
        for position, (column, (predictor, metric)) in enumerate(metrics_by_column(entries).items())
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def write_database(
    path: Path,
    *,
    release: str,
    long_parquet: Path,
    dictionary: pl.DataFrame,
    suppressions: pl.DataFrame,
    wide: Sequence[tuple[Written, Path]],
    spines: Mapping[int, pl.DataFrame],
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
    tables: Sequence[SideTable] = (),
) -> None:
    """Write the database of a release.

    Tables `estimates`, `metrics`, `data_dictionary`, `suppressions`, `geographies`, `release`, `overall_series` and one
    per plain table (`tables`, whose files are beside `long_parquet`); per wide file of the clean layout a table in
    schema `published` and a view with a short name (`county`, `place_race_ethnicity`, ...); `missing` counts the
    missing figures by reason; the queries of `outputs.queries` stand as views and table macros. Tables, views and
    columns carry comments; those of synthetic releases say so. The file holds copies, so it can be moved.
    """
    notice = f"{SYNTHETIC_NOTICE} " if meta.synthetic else ""
    places = pl.concat(
        [spine.select(pl.lit(year, pl.Int32).alias("year"), pl.all()) for year, spine in sorted(spines.items())],
        how="vertical_relaxed",
    )
    facts = pl.DataFrame(
        {
            "release": [release],
            "synthetic": [meta.synthetic],
            "states": [None if meta.states is None else " ".join(meta.states)],
            "profile": [meta.profile],
            "code_version": [meta.code_version],
            "notice": [notice.strip() or None],
        },
        schema_overrides={"states": pl.String, "notice": pl.String},
    )
    with duckdb.connect(path) as db:
        db.begin()  # one commit for all statements: each of its own would wait for the disk
        db.execute(f"create table estimates as select * from read_parquet({_quoted(str(long_parquet))})")
        comments = {"estimates": f"{notice}Every estimate of release {release}, one row per figure."}
        frames = {
            "metrics": (metrics_table(entries), "One row per metric of the release."),
            "data_dictionary": (dictionary, "Every column of every published file."),
            "suppressions": (suppressions, "Figures withheld after review."),
            "geographies": (places, "Counties and places of each year, with population."),
            "release": (facts, "This release."),
            "overall_series": (
                overall_series(entries),
                "The sample that the overall files take a metric's figures from.",
            ),
        }
        for table, (frame, comment) in frames.items():
            db.register("_frame", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            db.execute(f"create table {table} as select * from _frame")
            db.unregister("_frame")
            comments[table] = notice + comment
        described = {
            "estimates": LONG_DESCRIPTIONS,
            "suppressions": SUPPRESSION_DESCRIPTIONS,
            "data_dictionary": COLUMNS,
        }
        for side in tables:
            _side(db, side, long_parquet.parent)
            comments[side.name] = f"{notice}{side.title}."
            described[side.name] = dict(side.descriptions)
        for table, comment in comments.items():
            db.execute(f"comment on table {table} is {_quoted(comment)}")
        for table, texts in described.items():
            for column, text in texts.items():
                db.execute(f"comment on column {table}.{_name(column)} is {_quoted(text)}")
        db.execute(f"create schema {WIDE_SCHEMA}")
        for written, parquet in wide:
            _wide(db, written, parquet, dictionary, notice)
        db.execute(
            "create view missing as select predictor, metric, year, level, subgroup_type, reason, count(*) as figures"
            " from estimates where value is null group by all order by all"
        )
        db.execute(f"comment on view missing is {_quoted(notice + 'Missing figures by reason.')}")
        for query in QUERIES:
            db.execute(query.sql)
            kind = "view" if query.is_view else "macro table"
            db.execute(f"comment on {kind} {query.name} is {_quoted(notice + query.comment)}")
        db.commit()


def overall_series(entries: Mapping[str, Entry]) -> pl.DataFrame:
    """Level, metric, year and sample of every figure of the two overall files."""
    parts = [
        choices(f, entries).select(pl.lit(f.level).alias("level"), "metric", "year", "sample")
        for f in FILES
        if f.overall
    ]
    return pl.concat(parts)


def _side(db: duckdb.DuckDBPyConnection, side: SideTable, folder: Path) -> None:
    """A plain table, from its Parquet file if it has one, else from its CSV."""
    parquet = next((p for p in side.paths if p.endswith(".parquet")), None)
    if parquet is not None:
        db.execute(f"create table {side.name} as select * from read_parquet({_quoted(str(folder / parquet))})")
        return
    frame = read_csv(folder / side.paths[0], side.types)
    db.register("_frame", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    db.execute(f"create table {side.name} as select * from _frame")
    db.unregister("_frame")


def _wide(
    db: duckdb.DuckDBPyConnection, written: Written, parquet: Path, dictionary: pl.DataFrame, notice: str
) -> None:
    table = f"{WIDE_SCHEMA}.{_name(written.file.stem)}"
    view = written.file.view
    comment = _quoted(f"{notice}{written.file.title}: file {written.file.stem}.")
    db.execute(f"create table {table} as select * from read_parquet({_quoted(str(parquet))})")
    db.execute(f"create view {view} as select * from {table}")
    db.execute(f"comment on table {table} is {comment}")
    db.execute(f"comment on view {view} is {comment}")
    titles = dictionary.filter(pl.col("file") == written.name).select("column", "title")
    for column, title in titles.iter_rows():
        if column in {c.name for c in written.columns}:
            for owner in (table, view):
                db.execute(f"comment on column {owner}.{_name(column)} is {_quoted(title)}")


def _tables(db: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Table name (with its schema, unless main) -> how SQL names it."""
    found = db.execute(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' order by all"
    ).fetchall()
    return {(t if s == "main" else f"{s}.{t}"): f"{_name(s)}.{_name(t)}" for s, t in found}


def row_counts(path: Path) -> dict[str, int]:
    """Table -> number of rows."""
    with duckdb.connect(path, read_only=True) as db:
        return {t: int(db.execute(f"select count(*) from {sql}").fetchall()[0][0]) for t, sql in _tables(db).items()}


def content_hashes(path: Path) -> dict[str, str]:
    """Table -> "rows-hash" over its rows in any order: databases that hold the same have the same hashes.

    DuckDB's files differ from run to run, their content does not. Each row's JSON text is hashed (md5), and the two
    halves of the hashes are summed. Views are not hashed; they follow from the tables.
    """
    found = {}
    with duckdb.connect(path, read_only=True) as db:
        for table, sql in _tables(db).items():
            rows, low, high = db.execute(
                "select count(*), coalesce(sum(md5_number_lower(t)::hugeint), 0),"
                " coalesce(sum(md5_number_upper(t)::hugeint), 0)"
                f" from (select to_json(r)::varchar as t from {sql} r)"
            ).fetchall()[0]
            found[table] = f"{rows}-{int(low):x}-{int(high):x}"
    return found
