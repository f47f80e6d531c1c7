"""Figures withheld after review. The list is data (`suppressions.csv`), applied to every file of a metric alike."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

import polars as pl

from outputs.files import GEOID, Part
from schemas.errors import InputError
from schemas.estimate import ESTIMATE
from schemas.labels import LEVELS, REASONS

REASON: Final = "suppressed by us"
if REASON not in REASONS:
    raise ValueError(f"the reason {REASON!r} is not in the closed list")

SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "year": ESTIMATE["year"],
    "level": pl.String,
    "geoid": pl.String,
    "subgroups": pl.String,
    "metric": pl.String,
    "columns": pl.String,
    "applies_to": pl.String,
    "reason": pl.String,
    "source_note": pl.String,
    "expires": pl.String,
}
DESCRIPTIONS: Final[dict[str, str]] = {
    "year": "Data year.",
    "level": "county or place.",
    "geoid": "State and county (5 digits) or place (7 digits) code.",
    "subgroups": "every: all rows of the metric; groups: all but `All`.",
    "metric": "Published column name.",
    "columns": "every: value, bounds and quality; quality: the quality alone.",
    "applies_to": "release: what we publish; reference:NN: only file NN of the reference layout; both.",
    "reason": "Why the figure is withheld.",
    "source_note": "Where the decision comes from.",
    "expires": "Date after which no release is published before somebody has looked at the figure again.",
}
_PARTS: Final[tuple[Part, ...]] = ("value", "lb", "ub", "quality")
# What would give the figure away goes with it; record counts and the crosswalk's quality stay.
_FIGURES: Final = (*_PARTS, "se", "cv", "numerator", "denominator")
_KEY: Final = ("year", "level", "geoid", "metric")


@cache
def suppressions() -> pl.DataFrame:
    """The list, checked: columns of `SCHEMA`, one row per year, geography, metric and place of application."""
    text = resources.files("outputs").joinpath("suppressions.csv").read_bytes()
    return parse(text)


def parse(data: bytes) -> pl.DataFrame:
    """A suppression list from CSV; `InputError` if a column is missing or a cell is not lawful."""
    frame = pl.read_csv(data, infer_schema=False)

    def refuse(problem: str, column: str, row: int | None = None) -> InputError:
        return InputError(problem, source="suppressions", file="suppressions.csv", row=row, column=column)

    for column in SCHEMA:
        if column not in frame.columns:
            raise refuse("the column is missing.", column)
    lawful = {
        "year": pl.col("year").str.contains(r"^20\d\d$"),
        "level": pl.col("level").is_in(list(LEVELS)),
        "geoid": pl.when(pl.col("level") == "county")
        .then(pl.col("geoid").str.contains(r"^\d{5}$"))
        .otherwise(pl.col("geoid").str.contains(r"^\d{7}$")),
        "subgroups": pl.col("subgroups").is_in(["every", "groups"]),
        "metric": pl.col("metric").str.contains(r"^[a-z0-9_]+$"),
        "columns": pl.col("columns").is_in(["every", "quality"]),
        "applies_to": pl.col("applies_to").str.contains(r"^(both|release|reference:\d\d)$"),
        "reason": pl.col("reason").str.len_chars() > 0,
        "source_note": pl.col("source_note").str.len_chars() > 0,
        "expires": pl.col("expires").str.to_date("%Y-%m-%d", strict=False).is_not_null(),
    }
    for column, law in lawful.items():
        bad = frame.with_row_index("row", offset=2).filter(~law.fill_null(False))
        if bad.height:
            raise refuse(f"not lawful ({bad[column][0]!r}).", column, bad["row"][0])
    key = [*_KEY, "subgroups", "applies_to"]
    doubled = frame.with_row_index("row", offset=2).filter(pl.struct(key).is_duplicated())
    if doubled.height:
        raise refuse("the same suppression stands twice.", ", ".join(key), doubled["row"][1])
    return frame.select(pl.col(c).cast(t) for c, t in SCHEMA.items())


def _apply(estimates: pl.LazyFrame, rules: pl.DataFrame, parts: tuple[str, ...], *, with_reason: bool) -> pl.LazyFrame:
    if rules.is_empty():
        return estimates
    marks = rules.select(*_KEY, pl.lit(True).alias("_listed"), (pl.col("subgroups") == "every").alias("_all"))
    marks = marks.group_by(_KEY).agg(pl.col("_listed").any(), pl.col("_all").any())
    names = list(estimates.collect_schema().names())
    hit = pl.col("_listed").fill_null(False) & (pl.col("_all") | (pl.col("subgroup_type") != "all"))
    blanked = [pl.when(~hit).then(pl.col(c)).alias(c) for c in parts if c in names]
    if with_reason:
        had = hit & pl.col("value").is_not_null()
        blanked.append(pl.when(had).then(pl.lit(REASON)).otherwise(pl.col("reason")).alias("reason"))
    return (
        estimates.with_columns(GEOID)
        .join(marks.lazy(), on=list(_KEY), how="left", validate="m:1", maintain_order="left")
        .with_columns(blanked)
        .select(names)
    )


def for_release(estimates: pl.LazyFrame, rules: pl.DataFrame | None = None) -> pl.LazyFrame:
    """The estimates as we publish them: listed figures are null with reason "suppressed by us".

    Value, bounds, quality, error, numerator and denominator go; a value that was null before keeps its own reason.
    """
    rules = suppressions() if rules is None else rules
    ours = rules.filter(pl.col("applies_to").is_in(["both", "release"]) & (pl.col("columns") == "every"))
    return _apply(estimates, ours, _FIGURES, with_reason=True)


def for_reference(estimates: pl.LazyFrame, file_number: int, rules: pl.DataFrame | None = None) -> pl.LazyFrame:
    """The estimates as file `file_number` of the reference has them; the reference suppresses file by file."""
    rules = suppressions() if rules is None else rules
    theirs = rules.filter(pl.col("applies_to").is_in(["both", f"reference:{file_number}"]))
    whole = _apply(estimates, theirs.filter(pl.col("columns") == "every"), _PARTS, with_reason=False)
    return _apply(whole, theirs.filter(pl.col("columns") == "quality"), ("quality",), with_reason=False)
