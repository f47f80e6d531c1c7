"""Which figures the site shows and where each stands: the cells of the published files, one block per metric and file.

A block is one metric in one published file: its years times the groups of that file. The figures of a place are arrays
in this order (years outside, groups inside), so that a place's file needs no keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.predictor import Entry
from outputs.files import FILES, choices
from schemas.labels import SUBGROUPS, Level

CELL: Final = ("level", "metric", "year", "sample", "subgroup_type", "subgroup")


@dataclass(frozen=True)
class Block:
    """A metric in a published file. `samples` and `periods` (reference periods) go with `years`."""

    metric: str
    level: Level
    kind: str
    years: tuple[int, ...]
    samples: tuple[str, ...]
    periods: tuple[str | None, ...]
    groups: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of figures of one place."""
        return len(self.years) * len(self.groups)


def blocks(long: pl.LazyFrame, entries: Mapping[str, Entry]) -> list[Block]:
    """The blocks of a release, in the order of the files and of the catalog. `long` is the long file.

    Years and groups are those that have rows in the long file, with or without a value: a year in which everything is
    missing is shown with its reasons.
    """
    there = (
        long.group_by(CELL)
        .agg(pl.col("reference_period").drop_nulls().min().alias("period"))
        .sort(CELL)
        .collect(engine="streaming")
    )
    found = []
    for file in FILES:
        kinds = [kind for kind, _ in file.cells]
        cells = there.filter((pl.col("level") == file.level) & pl.col("subgroup_type").is_in(sorted(set(kinds))))
        chosen = choices(file, entries)
        listed = cells.join(chosen, on=["metric", "year", "sample"], how="inner")
        order = [label for _, label in file.cells]
        for metric in chosen["metric"].unique(maintain_order=True):
            mine = listed.filter(pl.col("metric") == metric)
            if mine.is_empty():
                continue
            years = mine.group_by("year").agg(pl.col("sample").first(), pl.col("period").max()).sort("year")
            labels = set(mine["subgroup"])
            found.append(
                Block(
                    metric,
                    file.level,
                    file.kind,
                    tuple(years["year"]),
                    tuple(years["sample"]),
                    tuple(years["period"]),
                    tuple(label for label in order if label in labels),
                )
            )
    return found


def positions(listed: list[Block]) -> pl.DataFrame:
    """Where each cell of the long file goes: the columns of `CELL`, block (index) and position in it.

    A cell may stand in several blocks: the figure for everyone stands beside each family of groups.
    """
    rows = []
    for i, block in enumerate(listed):
        for y, (year, sample) in enumerate(zip(block.years, block.samples, strict=True)):
            for g, group in enumerate(block.groups):
                kind = "all" if group == SUBGROUPS["all"][0] else block.kind
                position = y * len(block.groups) + g
                rows.append((block.level, block.metric, year, sample, kind, group, i, position))
    text = dict.fromkeys(CELL, pl.String) | {"year": pl.Int32}
    return pl.DataFrame(rows, schema=text | {"block": pl.UInt16, "position": pl.UInt16}, orient="row")
