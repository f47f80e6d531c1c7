"""Where figures do not compare: breaks per metric and year as data (`comparability.csv` in this package).

The package's list names a predictor, or one metric of it; the published table has a row per metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

import polars as pl

from metrics.predictor import Entry
from schemas.errors import InputError
from schemas.estimate import ESTIMATE
from schemas.labels import LEVELS, SAMPLES, SUBGROUPS

KINDS: Final[dict[str, str]] = {
    "definition": "What is measured, or how groups are drawn, differs.",
    "source": "The source changed its edition, its rules or its coverage.",
    "geography": "The areas, or the neighborhoods they are made of, were redrawn.",
    "sampling areas": "The areas the survey samples were redrawn; Strong and Marginal figures hardly feel it.",
    "sample": "The figures come from other samples, or share one.",
    "index": "The scale or the model behind an index changed.",
}
SCOPES: Final[dict[str, str]] = {
    "across years": "A break: figures of from_year and before do not compare with those of to_year and after.",
    "with care": "No break: figures of from_year to to_year compare with others if the text is kept in mind.",
    "within year": "In each of these years, the figures named in the text do not compare with each other.",
    "earlier editions": "Figures of these years do not compare with those that earlier editions of the data published.",
}
COMPARABILITY: Final[dict[str, type[pl.DataType]]] = {
    "metric": pl.String,
    "predictor": pl.String,
    "level": pl.String,
    "sample": pl.String,
    "subgroup_types": pl.String,
    "states": pl.String,
    "from_year": ESTIMATE["year"],
    "to_year": ESTIMATE["year"],
    "scope": pl.String,
    "kind": pl.String,
    "text": pl.String,
}
COMPARABILITY_DESCRIPTIONS: Final[dict[str, str]] = {
    "metric": "Published column name.",
    "predictor": "Predictor the metric belongs to.",
    "level": "county or place; missing: both.",
    "sample": "Source sample; missing: all.",
    "subgroup_types": "Families of groups the note is about (subgroup_type of the long file), separated by blanks;"
    " missing: every figure.",
    "states": "2-digit codes of the states the note is about, separated by blanks; missing: all.",
    "from_year": "Last year before the break, or first year the note is about (see scope).",
    "to_year": "First year after the break, or last year the note is about (see scope).",
    "scope": " ".join(f"{k}: {v}" for k, v in SCOPES.items()),
    "kind": " ".join(f"{k}: {v}" for k, v in KINDS.items()),
    "text": "What a reader must know.",
}


@cache
def breaks() -> pl.DataFrame:
    """The package's list, checked; `metric` is null where all of the predictor's metrics are meant."""
    return parse(resources.files("outputs").joinpath("comparability.csv").read_bytes())


def parse(data: bytes) -> pl.DataFrame:
    """A list of breaks from CSV; `InputError` if a column is missing or a cell is not lawful."""
    frame = pl.read_csv(data, infer_schema=False)

    def refuse(problem: str, column: str, row: int | None = None) -> InputError:
        return InputError(problem, source="comparability", file="comparability.csv", row=row, column=column)

    for column in COMPARABILITY:
        if column not in frame.columns:
            raise refuse("the column is missing.", column)
    year = r"^20\d\d$"
    types = "|".join(SUBGROUPS)
    lawful = {
        "predictor": pl.col("predictor").str.contains(r"^[a-z_]+$"),
        "level": pl.col("level").is_null() | pl.col("level").is_in(list(LEVELS)),
        "sample": pl.col("sample").is_null() | pl.col("sample").is_in(list(SAMPLES)),
        "subgroup_types": pl.col("subgroup_types").is_null()
        | pl.col("subgroup_types").str.contains(f"^({types})( ({types}))*$"),
        "states": pl.col("states").is_null() | pl.col("states").str.contains(r"^\d{2}( \d{2})*$"),
        "from_year": pl.col("from_year").str.contains(year),
        "to_year": pl.col("to_year").str.contains(year) & (pl.col("to_year") >= pl.col("from_year")),
        "scope": pl.col("scope").is_in(list(SCOPES)),
        "kind": pl.col("kind").is_in(list(KINDS)),
        "text": pl.col("text").str.len_chars() > 0,
    }
    for column, law in lawful.items():
        bad = frame.with_row_index("row", offset=2).filter(~law.fill_null(False))
        if bad.height:
            raise refuse(f"not lawful ({bad[column][0]!r}).", column, bad["row"][0])
    return frame.select(pl.col(c).cast(t) for c, t in COMPARABILITY.items())


def comparability(entries: Mapping[str, Entry], listed: pl.DataFrame | None = None) -> pl.DataFrame:
    """The breaks of the metrics of these predictors, one row per metric: columns `COMPARABILITY`, sorted by metric."""
    listed = breaks() if listed is None else listed
    metrics = pl.DataFrame(
        [(key, m.column) for key, e in entries.items() for m in e.predictor.metrics],
        schema={"predictor": pl.String, "_metric": pl.String},
        orient="row",
    )
    return (
        metrics.with_row_index("_order")
        .join(listed, on="predictor", how="inner")
        .filter(pl.col("metric").is_null() | (pl.col("metric") == pl.col("_metric")))
        .sort("_order", "to_year", "from_year", "kind", "level", "sample", "text", nulls_last=True)
        .with_columns(pl.col("_metric").alias("metric"))
        .select(list(COMPARABILITY))
    )


def concerns(row: Mapping[str, Any]) -> str:
    """Level, sample, families of groups and states that a row is about; "all figures" if it is not restricted."""
    told = [row["level"], SAMPLES.get(row["sample"] or ""), row["subgroup_types"]]
    told.append(row["states"] and f"state {row['states']}")
    return "; ".join(t for t in told if t) or "all figures"


def years_told(row: Mapping[str, Any]) -> str:
    """A row's years: those on both sides of a break, or those that a note is about."""
    if row["scope"] == "across years":
        return f"{row['from_year']} | {row['to_year']}"
    return " to ".join(dict.fromkeys((str(row["from_year"]), str(row["to_year"]))))


def in_words(table: pl.DataFrame) -> list[str]:
    """The breaks as Markdown list items, equal ones of several metrics of a predictor told once."""
    facts = [c for c in COMPARABILITY if c != "metric"]
    told = table.group_by(facts, maintain_order=True).agg("metric")
    lines = []
    for row in told.iter_rows(named=True):
        lines.append(
            f"- **{', '.join(row['metric'])}** ({row['scope']}, {years_told(row)}; {concerns(row)}; {row['kind']}): "
            f"{row['text']}"
        )
    return lines
