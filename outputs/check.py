"""What a release must satisfy before a reader may see it. Each check returns its findings; none means passed.

The checks read the files as written, and compare them with the estimates they were made from, not with the frames in
memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from metrics.predictor import Entry
from outputs.about import ReleaseMeta
from outputs.deliver import checksums
from outputs.dictionary import PUBLISHED, Written
from outputs.files import Layout, PublishedFile, choices, metrics_by_column
from outputs.wide import parts_of
from outputs.write import differences, read_csv
from schemas.estimate import KEY
from schemas.labels import QUALITY_WORDS, REASONS

PARTS: Final = ("value", "lb", "ub", "quality")
_CELL: Final = ("level", "metric", "sample", "year", "subgroup_type", "subgroup")


def check_estimates(
    estimates: pl.LazyFrame, spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry]
) -> list[str]:
    """Estimates belong to the years, spines and metrics of the release, with unique keys and lawful reasons.

    `entries` are the predictors of the release.
    """
    found = []
    known = list(metrics_by_column(entries))
    strange = estimates.filter(~pl.col("metric").is_in(known)).select("metric").unique().collect()
    found += [f"metric {m} is not declared by a predictor of the release" for m in sorted(strange["metric"])]
    reasons = estimates.filter(pl.col("reason").is_not_null() & ~pl.col("reason").is_in(list(REASONS)))
    found += [f"reason {r!r} is not in the closed list" for r in reasons.select("reason").unique().collect()["reason"]]
    years = estimates.select("year").unique().collect()["year"].sort().to_list()
    for year in years:
        rows = estimates.filter(pl.col("year") == year).select(KEY).collect(engine="streaming")
        if year not in spines:
            found.append(f"{rows.height} estimates are of {year}, a year without a spine")
            continue
        outside = rows.join(spines[year], on=["level", "state", "geo"], how="anti")
        if outside.height:
            found.append(f"{outside.height} estimates are outside the spine of {year}, such as {outside.row(0)}")
        doubled = rows.filter(pl.struct(KEY).is_duplicated())
        if doubled.height:
            found.append(f"{doubled.height} estimates of {year} share their key, such as {doubled.row(0)}")
    return found


def counts(estimates: pl.LazyFrame) -> pl.DataFrame:
    """Non-null figures per level, metric, sample, year and subgroup, counted for value, bounds and quality."""
    return (
        estimates.group_by(_CELL)
        .agg(pl.col(part).is_not_null().sum().cast(pl.Int64) for part in PARTS)
        .collect(engine="streaming")
    )


def check_wide(
    written: Written,
    csv: Path,
    parquet: Path,
    *,
    expected: pl.DataFrame,
    spines: Mapping[int, pl.DataFrame],
    entries: Mapping[str, Entry],
) -> dict[str, list[str]]:
    """All checks of one wide file. `expected` are the `counts` of the estimates it was made from."""
    file, layout = written.file, written.layout
    schema = {c.name: c.dtype for c in written.columns}
    frame = read_csv(csv, schema)
    return {
        "csv equals parquet": differences(frame, pl.read_parquet(parquet)),
        "rows": _rows(file, frame, spines),
        "keys": _keys(file, frame),
        "reconciliation": _reconcile(written, frame, expected, entries),
        "quality": _quality(written, frame) if layout == "clean" else [],
        "bounds and ranges": _ranges(written, frame, entries) if layout == "clean" else [],
        "years": _empty_years(written, frame, layout),
    }


def _rows(file: PublishedFile, frame: pl.DataFrame, spines: Mapping[int, pl.DataFrame]) -> list[str]:
    """Each year has the spine's geographies times the file's subgroups."""
    found = []
    for (year,), part in frame.group_by("year"):
        wanted = spines[int(str(year))].filter(pl.col("level") == file.level).height * len(file.cells)
        if part.height != wanted:
            found.append(f"{year} has {part.height} rows; geographies times subgroups are {wanted}")
    return sorted(found)


def _keys(file: PublishedFile, frame: pl.DataFrame) -> list[str]:
    width = {"county": 3, "place": 5}[file.level]
    key = ["year", "state", file.level, *([] if file.overall else ["subgroup_type", "subgroup"])]
    found = []
    if frame.select(key).is_duplicated().any():
        found.append(f"{frame.select(key).is_duplicated().sum()} rows share their key")
    if frame.select(pl.any_horizontal(pl.col(c).is_null() for c in key).any()).item():
        found.append("a key is missing")
    short = frame.filter((pl.col("state").str.len_bytes() != 2) | (pl.col(file.level).str.len_bytes() != width))
    if short.height:
        found.append(f"{short.height} codes have lost their zeros, such as {short.row(0)[:3]}")
    places = frame.select("year", "state", file.level)
    if not places.equals(places.sort("year", "state", file.level, maintain_order=True)):
        found.append("rows are not in the order of year, state and code")
    return found


def _reconcile(
    written: Written, frame: pl.DataFrame, expected: pl.DataFrame, entries: Mapping[str, Entry]
) -> list[str]:
    """Non-null figures per metric, year and subgroup are as many in the file as in the estimates (rule S4)."""
    file = written.file
    chosen = choices(file, entries)
    kinds = {kind for kind, _ in file.cells}
    wanted = (
        expected.filter((pl.col("level") == file.level) & pl.col("subgroup_type").is_in(list(kinds)))
        .join(chosen, on=["metric", "year", "sample"], how="inner", validate="m:1")
        .select("metric", "year", "subgroup", *PARTS)
    )
    by = ["year"] if file.overall else ["year", "subgroup"]
    found = []
    for metric, names in parts_of(written.columns).items():
        there = frame.group_by(by).agg(
            pl.col(name).is_not_null().sum().cast(pl.Int64).alias(part) for part, name in names.items()
        )
        if file.overall:
            there = there.with_columns(pl.lit("All").alias("subgroup"))
        here = wanted.filter(pl.col("metric") == metric).select("year", "subgroup", *names)
        both = there.join(here, on=["year", "subgroup"], how="full", coalesce=True, suffix="_estimates")
        for part in names:
            unequal = both.filter(pl.col(part).fill_null(0) != pl.col(f"{part}_estimates").fill_null(0))
            found += [
                f"{metric} {part} {row['year']} {row['subgroup']}: {row[part] or 0} in the file, "
                f"{row[f'{part}_estimates'] or 0} in the estimates"
                for row in unequal.sort("year", "subgroup").iter_rows(named=True)
            ]
    return found


def _quality(written: Written, frame: pl.DataFrame) -> list[str]:
    """Quality is a word of the list, and there exactly where the value is; no bound stands without a value (V1)."""
    found = []
    for metric, names in parts_of(written.columns).items():
        words = frame[names["quality"]].drop_nulls().unique().to_list()
        found += [f"{metric}: unknown quality {w!r}" for w in words if w not in QUALITY_WORDS.values()]
        apart = (frame[names["value"]].is_null() != frame[names["quality"]].is_null()).sum()
        if apart:
            found.append(f"{metric}: value and quality are not missing together in {apart} rows")
        for part in ("lb", "ub"):
            if part in names:
                alone = (frame[names[part]].is_not_null() & frame[names["value"]].is_null()).sum()
                if alone:
                    found.append(f"{metric}: {alone} bounds stand without a value")
    return found


def _ranges(written: Written, frame: pl.DataFrame, entries: Mapping[str, Entry]) -> list[str]:
    """Values are inside the metric's limits and inside their bounds (V3, V6); numbers are finite."""
    declared = metrics_by_column(entries)
    found = []
    for metric, names in parts_of(written.columns).items():
        value = pl.col(names["value"])
        if frame.schema[names["value"]] == pl.String:
            continue
        limits = declared[metric][1].limits
        laws = {"not finite": ~value.is_finite()}
        if limits.minimum is not None:
            laws[f"below {limits.minimum:g}"] = value < limits.minimum
        if limits.maximum is not None:
            laws[f"above {limits.maximum:g}"] = value > limits.maximum
        if "lb" in names:
            laws["below their lower bound"] = value < pl.col(names["lb"])
            laws["above their upper bound"] = value > pl.col(names["ub"])
        for law, broken in laws.items():
            count = frame.select(broken.fill_null(False).sum()).item()
            if count:
                found.append(f"{metric}: {count} values are {law}")
    return found


def _empty_years(written: Written, frame: pl.DataFrame, layout: Layout) -> list[str]:
    if written.file.keeps_empty_years(layout):
        return []
    values = [names["value"] for names in parts_of(written.columns).values()]
    empty = frame.group_by("year").agg(pl.all_horizontal(pl.col(v).is_null().all() for v in values).alias("empty"))
    return [f"{year} has no value" for year in empty.filter("empty")["year"].sort()]


def check_no_sources(folder: Path, meta: ReleaseMeta) -> list[str]:
    """No file of a release is a source file, by name or by content: many may not be passed on."""
    sums = {item.sha256: item for item in meta.inputs}
    names = {item.file for item in meta.inputs}
    found = []
    for path, _, sha256 in checksums(folder):
        if sha256 in sums or Path(path).name in names:
            found.append(f"{path} is a source file ({sums[sha256].source if sha256 in sums else 'by its name'})")
    return found


def check_dictionary(table: pl.DataFrame, columns_of: Mapping[str, list[str]]) -> list[str]:
    """Every column of every file is documented once, and every documented column is there (S6).

    `columns_of` maps a file's name (as in the dictionary) to its columns.
    """
    published = table.filter(pl.col("status") == PUBLISHED)
    found = []
    for file, there in columns_of.items():
        documented = published.filter(pl.col("file") == file)["column"].unique(maintain_order=True).to_list()
        found += [f"{file}: column {c} is not documented" for c in there if c not in documented]
        found += [f"{file}: documented column {c} does not exist" for c in documented if c not in there]
    strange = set(published["file"]) - set(columns_of)
    found += [f"documented file {file} does not exist" for file in sorted(strange)]
    for column in ("title", "type"):
        blank = table.filter(pl.col(column).is_null())
        found += [f"{row['file']}: column {row['column']} has no {column}" for row in blank.iter_rows(named=True)]
    return found
