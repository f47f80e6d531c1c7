"""What the rules look at: a draft of a release as written, what it was made from, and the release before it."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

import polars as pl

from metrics.predictor import Entry, Metric, Predictor
from outputs.about import ReleaseMeta
from outputs.dictionary import Written, years_with_values
from outputs.files import choices, metrics_by_column
from outputs.wide import parts_of
from outputs.write import NA
from schemas.labels import Level

NATION: Final = 51
"""States of a whole release, with the District of Columbia."""


@dataclass
class WideFile:
    """One published file of a draft, read as text once."""

    written: Written
    csv: Path
    parquet: Path

    @property
    def name(self) -> str:
        """The file's name in the dictionary."""
        return self.written.name

    @property
    def level(self) -> Level:
        """county or place."""
        return self.written.file.level

    @property
    def clean(self) -> bool:
        """Whether it is of the layout that our own rules hold for."""
        return self.written.layout == "clean"

    @cached_property
    def raw(self) -> bytes:
        """The CSV as it stands on disk."""
        return self.csv.read_bytes()

    @cached_property
    def text(self) -> pl.DataFrame:
        """The CSV with every cell as text, `NA` as null; bytes that are no UTF-8 are replaced (T9 reports them)."""
        try:
            codecs.utf_8_decode(self.raw, "strict", True)
        except UnicodeDecodeError:
            return pl.read_csv(
                self.raw.decode("utf-8", errors="replace").encode(), infer_schema=False, null_values=[NA]
            )
        return pl.read_csv(self.raw, infer_schema=False, null_values=[NA])

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The CSV with its declared types; a cell that has not the type is null (rule S8 reports it)."""
        types = {c.name: c.dtype for c in self.written.columns}
        return self.text.select(pl.col(c).cast(types.get(c, pl.String), strict=False) for c in self.text.columns)

    @cached_property
    def years(self) -> dict[str, tuple[int, ...]]:
        """Column -> the years in which some row has a value."""
        return years_with_values(self.frame)

    @property
    def key(self) -> list[str]:
        """The key columns."""
        base = ["year", "state", self.level]
        return base if self.written.file.overall else [*base, "subgroup_type", "subgroup"]

    @property
    def parts(self) -> dict[str, dict[Any, str]]:
        """Metric -> part -> column."""
        return parts_of(self.written.columns)

    def show(self, rows: pl.DataFrame, **more: pl.Expr) -> pl.DataFrame:
        """Failing rows for the report: file and key as text, and `more`."""
        said = {c: pl.col(c) for c in self.key if c in rows.columns}
        said.setdefault("subgroup_type", pl.lit("all"))
        said.setdefault("subgroup", pl.lit("All"))
        said["geo"] = said.pop(self.level, pl.lit(None))
        order = ["year", "state", "geo", "subgroup_type", "subgroup"]
        columns = {"file": pl.lit(self.name), **{c: said[c] for c in order}, **more}
        return rows.select(e.cast(pl.String).alias(c) for c, e in columns.items())


@dataclass(frozen=True)
class Before:
    """The release before this one: its name, manifest and long file."""

    name: str
    manifest: Mapping[str, Any]
    long: pl.LazyFrame


@dataclass
class ReleaseContext:
    """Everything a rule may look at.

    `long` is the long file as written, `raw` the estimates before suppression. `spines` maps a year to its geographies.
    `stale` lists predictor and year of figures that were not made again from the present inputs; `balance` has the
    weight of the survey before and after allocation by state (columns year, table, state, before, after), and
    `controls` its people beside the published totals (year, table, state, weighted, control); each is None where it is
    not at hand. `today` decides whether a suppression has expired.
    """

    folder: Path
    meta: ReleaseMeta
    entries: Mapping[str, Entry]
    catalog: Mapping[str, Entry]
    spines: Mapping[int, pl.DataFrame]
    long: pl.LazyFrame
    raw: pl.LazyFrame
    wide: tuple[WideFile, ...]
    dictionary: pl.DataFrame
    suppressions: pl.DataFrame
    today: date
    before: Before | None = None
    stale: tuple[tuple[str, int], ...] = ()
    balance: pl.DataFrame | None = None
    controls: pl.DataFrame | None = None
    columns_of: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def clean(self) -> list[WideFile]:
        """The files of our own layout."""
        return [w for w in self.wide if w.clean]

    @property
    def whole_nation(self) -> bool:
        """Whether the release is real and covers all states."""
        return self.why_not_national == ""

    @property
    def why_not_national(self) -> str:
        """Why rules about the whole nation cannot be asked; empty if they can."""
        if self.meta.synthetic:
            return "the figures are synthetic and cover a few states"
        if self.meta.states is not None:
            return f"the release is partial (states {', '.join(self.meta.states)})"
        states = {s for spine in self.spines.values() for s in spine["state"].unique()}
        if len(states) != NATION:
            return f"the lists of geographies cover {len(states)} states"
        return ""

    @cached_property
    def declared(self) -> dict[str, tuple[Predictor, Metric]]:
        """Metric -> predictor and declaration, for the predictors of the release."""
        return metrics_by_column(self.entries)

    @cached_property
    def geographies(self) -> pl.DataFrame:
        """year, level, state, geo, geoid, name, state_name, population of all years of the release."""
        parts = [
            spine.select(
                pl.lit(year, dtype=pl.Int32).alias("year"),
                *("level", "state", "geo"),
                pl.concat_str("state", "geo").alias("geoid"),
                *("name", "state_name", "population"),
            )
            for year, spine in sorted(self.spines.items())
        ]
        return pl.concat(parts)

    @cached_property
    def tally(self) -> pl.DataFrame:
        """Counts of the long file by predictor, metric, level, sample, year and subgroup.

        rows, values, owed (missing because an input is owed), undefined (the method gives no figure), strong.
        """
        return (
            self.long.group_by("predictor", "metric", "level", "sample", "year", "subgroup_type", "subgroup")
            .agg(
                pl.len().cast(pl.Int64).alias("rows"),
                pl.col("value").is_not_null().sum().cast(pl.Int64).alias("values"),
                *(pl.col(p).is_not_null().sum().cast(pl.Int64).alias(f"n_{p}") for p in ("lb", "ub", "quality")),
                (pl.col("value").is_null() & (pl.col("reason") == "input owed")).sum().cast(pl.Int64).alias("owed"),
                (pl.col("value").is_null() & (pl.col("reason") == "not defined by method"))
                .sum()
                .cast(pl.Int64)
                .alias("undefined"),
                *((pl.col("quality") == q).sum().cast(pl.Int64).alias(f"quality_{q}") for q in (1, 2, 3)),
            )
            .collect(engine="streaming")
            .sort("predictor", "metric", "level", "sample", "year", "subgroup_type", "subgroup")
        )

    @cached_property
    def chosen(self) -> dict[str, pl.DataFrame]:
        """File name -> what the file takes: predictor, metric, year, sample."""
        return {w.name: choices(w.written.file, self.entries) for w in self.wide}

    def of(self, *metrics: str) -> pl.LazyFrame:
        """The long file's rows of these metrics."""
        return self.long.filter(pl.col("metric").is_in(list(metrics)))


def table(name: str, **types: type[pl.DataType]) -> pl.DataFrame:
    """A table of this package's `data` folder; columns are text unless `types` says otherwise."""
    data = resources.files("outputs.rules").joinpath("data", f"{name}.csv").read_bytes()
    frame = pl.read_csv(data, infer_schema=False)
    return frame.with_columns(pl.col(c).cast(t) for c, t in types.items())
