"""Subgroups that cannot be told because a state's file lacks the columns they are made from.

The Census Bureau's person and housing files come apart: without the other one, a household has no race, sex or age of
its householder, and a person no household income. These columns are then null for the whole state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from metrics.cells import Filter, Grouping, universe

REASON: Final = "input owed"

_FIGURES: Final = ("value", "lb", "ub", "quality", "n", "n_effective", "se", "cv", "numerator", "denominator")


def lacking(records: pl.LazyFrame, filters: tuple[Filter, ...], groupings: Sequence[Grouping]) -> pl.DataFrame:
    """Columns of groupings that are null in all of a state's records: state, subgroup_type, column."""
    needs = [(g.kind, column) for g in groupings for column in sorted(set(g.code.meta.root_names()))]
    columns = sorted({column for _, column in needs})
    if not columns:
        return pl.DataFrame(schema=dict.fromkeys(("state", "subgroup_type", "column"), pl.String))
    found = (
        records.filter(universe(filters))
        .group_by("state")
        .agg(pl.col(column).is_null().all() for column in columns)
        .collect(engine="streaming")
        .unpivot(index="state", variable_name="column", value_name="lacking")
        .filter("lacking")
    )
    kinds = pl.DataFrame(needs, schema={"subgroup_type": pl.String, "column": pl.String}, orient="row")
    # m:m, a column may serve several subgroup types, in several states.
    return found.join(kinds, on="column", how="inner").select("state", "subgroup_type", "column").sort(pl.all())


def owed_groups(
    estimates: pl.DataFrame, records: pl.LazyFrame, filters: tuple[Filter, ...], groupings: Sequence[Grouping]
) -> pl.DataFrame:
    """`estimates` where cells of groups that cannot be told are missing for that reason, not for want of a sample."""
    owed = lacking(records, filters, groupings).select("state", "subgroup_type").unique()
    marked = estimates.join(owed.with_columns(pl.lit(True).alias("owed")), on=owed.columns, how="left", validate="m:1")
    known = pl.col("owed").is_null()
    figures = [c for c in _FIGURES if c in estimates.columns]
    return marked.with_columns(
        pl.when(known).then("reason").otherwise(pl.lit(REASON)).alias("reason"),
        *(pl.when(known).then(c).alias(c) for c in figures),
    ).drop("owed")
