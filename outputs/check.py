"""What the rules of the gate count and compare, and what estimates must satisfy before a release is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import polars as pl

from metrics.predictor import Entry
from outputs.about import ReleaseMeta
from outputs.deliver import checksums
from outputs.dictionary import PUBLISHED, Written
from outputs.files import metrics_by_column
from outputs.wide import parts_of
from schemas.estimate import KEY
from schemas.labels import REASONS

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


def reconcile(
    written: Written, frame: pl.DataFrame, expected: pl.DataFrame, chosen: pl.DataFrame
) -> list[dict[str, object]]:
    """Where a wide file and its estimates have not as many figures per metric, part, year and subgroup.

    `expected` are the `counts` of the estimates, suppressions applied; `chosen` is what the file takes of them
    (`outputs.files.choices`). One dictionary per difference: metric, part, year, subgroup, in_file, in_estimates.
    """
    file = written.file
    kinds = {kind for kind, _ in file.cells}
    wanted = (
        expected.filter((pl.col("level") == file.level) & pl.col("subgroup_type").is_in(list(kinds)))
        .join(chosen, on=["metric", "year", "sample"], how="inner", validate="m:1")
        .select("metric", "year", "subgroup", *PARTS)
    )
    by = ["year"] if file.overall else ["year", "subgroup"]
    found: list[dict[str, object]] = []
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
                {
                    "metric": metric,
                    "part": part,
                    "year": row["year"],
                    "subgroup": row["subgroup"],
                    "in_file": row[part] or 0,
                    "in_estimates": row[f"{part}_estimates"] or 0,
                }
                for row in unequal.sort("year", "subgroup").iter_rows(named=True)
            ]
    return found


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
