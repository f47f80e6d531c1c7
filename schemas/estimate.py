"""`Estimate`: the one shape of every result, and the gate each result passes before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData
from pandera.errors import SchemaErrors

from schemas.errors import GateError
from schemas.labels import GEO_WIDTH, REASONS, SAMPLES, SUBGROUPS

KEY: Final = ("year", "level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")

ESTIMATE: Final[dict[str, type[pl.DataType]]] = {
    "year": pl.Int32,
    "level": pl.String,
    "state": pl.String,
    "geo": pl.String,
    "subgroup_type": pl.String,
    "subgroup": pl.String,
    "metric": pl.String,
    "sample": pl.String,
    "value": pl.Float64,
    "lb": pl.Float64,
    "ub": pl.Float64,
    "quality": pl.Int8,
    "n": pl.Int64,
    "n_effective": pl.Float64,
    "se": pl.Float64,
    "cv": pl.Float64,
    "numerator": pl.Float64,
    "denominator": pl.Float64,
    "allocation": pl.Float64,
    "estimation_area": pl.String,
    "n_areas": pl.Int32,
    "reference_period": pl.String,
    "reason": pl.String,
}

DESCRIPTIONS: Final[dict[str, str]] = {
    "year": "Data year.",
    "level": "county or place.",
    "state": "State FIPS code, 2 digits.",
    "geo": "County (3 digits) or place (5 digits) code within the state.",
    "subgroup_type": "Family of the subgroup; `all` for the whole population.",
    "subgroup": "Published subgroup label; `All` for the whole population.",
    "metric": "Published column name.",
    "sample": "Source sample; overall and subgroup files may use different samples of one year.",
    "value": "The estimate, unrounded; null if it cannot be given.",
    "lb": "Lower bound (95 % interval unless the dictionary says otherwise).",
    "ub": "Upper bound (95 % interval unless the dictionary says otherwise).",
    "quality": "1 strong, 2 marginal, 3 weak; null exactly where the value is null.",
    "n": "Unweighted records, establishments, agencies or other source units behind the value.",
    "n_effective": "Sum of allocation factors over those records (the figure compared with the threshold of 30).",
    "se": "Standard error of the value.",
    "cv": "se / value.",
    "numerator": "Numerator of the value where it is a ratio.",
    "denominator": "Denominator of the value where it is a ratio; blank where its source may not be passed on.",
    "allocation": "Allocation quality of the crosswalk (sum_products), 0 to 1.",
    "estimation_area": "Id of the set of geographies that share this very estimate.",
    "n_areas": "How many geographies share it.",
    "reference_period": "Period the source describes, for example 2018 or 2014-2018.",
    "reason": "Why the value is missing or its quality lowered (closed list).",
}


@dataclass(frozen=True)
class Limits:
    """What the gate holds one metric to."""

    minimum: float | None
    maximum: float | None
    has_interval: bool


def empty() -> pl.DataFrame:
    """An `Estimate` frame without rows."""
    return pl.DataFrame(schema=ESTIMATE)


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns, order and types of `Estimate`; absent columns become null. Unknown columns are an error."""
    unknown = [c for c in frame.columns if c not in ESTIMATE]
    if unknown:
        raise GateError("estimates", [f"unknown column {c}" for c in unknown])
    return frame.select(
        (pl.col(c).cast(t) if c in frame.columns else pl.lit(None, dtype=t).alias(c)) for c, t in ESTIMATE.items()
    )


class EstimateModel(pa.DataFrameModel):
    """Pandera model of `Estimate`: columns, types, closed lists and the rules that hold within one row."""

    year: pl.Int32 = pa.Field(ge=2000, le=2100)
    level: pl.String = pa.Field(isin=list(GEO_WIDTH))
    state: pl.String = pa.Field(str_matches=r"^\d{2}$")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$")
    subgroup_type: pl.String = pa.Field(isin=list(SUBGROUPS))
    subgroup: pl.String = pa.Field(isin=[label for labels in SUBGROUPS.values() for label in labels])
    metric: pl.String
    sample: pl.String = pa.Field(isin=list(SAMPLES))
    value: pl.Float64 = pa.Field(nullable=True)
    lb: pl.Float64 = pa.Field(nullable=True)
    ub: pl.Float64 = pa.Field(nullable=True)
    quality: pl.Int8 = pa.Field(isin=[1, 2, 3], nullable=True)
    n: pl.Int64 = pa.Field(ge=0, nullable=True)
    n_effective: pl.Float64 = pa.Field(ge=0, nullable=True)
    se: pl.Float64 = pa.Field(ge=0, nullable=True)
    cv: pl.Float64 = pa.Field(nullable=True)
    numerator: pl.Float64 = pa.Field(nullable=True)
    denominator: pl.Float64 = pa.Field(nullable=True)
    allocation: pl.Float64 = pa.Field(ge=0, le=1.01, nullable=True)
    estimation_area: pl.String = pa.Field(nullable=True)
    n_areas: pl.Int32 = pa.Field(ge=1, nullable=True)
    reference_period: pl.String = pa.Field(nullable=True)
    reason: pl.String = pa.Field(isin=list(REASONS), nullable=True)

    class Config:
        """Exactly these columns, in this order."""

        strict = True
        ordered = True

    @pa.dataframe_check(error="a figure is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        floats = [c for c, t in ESTIMATE.items() if t is pl.Float64]
        return data.lazyframe.select(pl.all_horizontal(pl.col(c).is_finite().fill_null(True) for c in floats))

    @pa.dataframe_check(error="the code's width does not fit its level")
    def width(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        wanted = pl.col("level").replace_strict(GEO_WIDTH, default=-1)
        return data.lazyframe.select(pl.col("geo").str.len_bytes() == wanted)

    @pa.dataframe_check(error="value and quality are not missing together")
    def quality_with_value(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("value").is_null() == pl.col("quality").is_null())

    @pa.dataframe_check(error="a value is missing without a reason")
    def reason_where_missing(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("value").is_not_null() | pl.col("reason").is_not_null())

    @pa.dataframe_check(error="a bound stands without a value")
    def bounds_with_value(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        bounded = pl.col("lb").is_not_null() | pl.col("ub").is_not_null()
        return data.lazyframe.select(pl.col("value").is_not_null() | ~bounded)

    @pa.dataframe_check(error="lb <= value <= ub does not hold")
    def bounds_in_order(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        low = (pl.col("lb") <= pl.col("value")).fill_null(True)
        return data.lazyframe.select(low & (pl.col("value") <= pl.col("ub")).fill_null(True))


def _cases(frame: pl.DataFrame, error: SchemaErrors) -> list[str]:
    """One line per failure, with the row it stands in."""
    lines = []
    for case in error.failure_cases.head(21).iter_rows(named=True):
        row = case["index"]
        text = str(case["check"] if case["column"] is None else f"{case['column']}: {case['check']}")
        if row is not None and 0 <= int(row) < frame.height:
            text += f" at {frame.row(int(row), named=True)}"
        elif case["failure_case"] is not None:
            text += f" ({case['failure_case']})"
        lines.append(text)
    return lines


def gate(frame: pl.DataFrame, *, name: str, expected_keys: pl.DataFrame, limits: Mapping[str, Limits]) -> pl.DataFrame:
    """Return `frame` if it is a whole and lawful set of estimates, else raise `GateError` with the failing rows.

    `expected_keys` has the eight key columns and one row for each estimate that must exist (the spine crossed with
    subgroups, metrics and samples). Checked: `EstimateModel`; keys unique and exactly the expected ones, both
    directions; subgroup legal for its type; value inside the metric's limits; no interval where none is declared.
    """
    try:
        EstimateModel.validate(frame, lazy=True)
    except SchemaErrors as error:
        raise GateError(name, _cases(frame, error)) from error

    key = list(KEY)
    expected = expected_keys.select(pl.col(c).cast(ESTIMATE[c]) for c in key)
    legal = pl.DataFrame(
        [(t, s) for t, labels in SUBGROUPS.items() for s in labels], schema=["subgroup_type", "subgroup"], orient="row"
    )
    bounds = pl.DataFrame(
        [(m, b.minimum, b.maximum, b.has_interval) for m, b in limits.items()],
        schema={"metric": pl.String, "minimum": pl.Float64, "maximum": pl.Float64, "has_interval": pl.Boolean},
        orient="row",
    )
    limited = frame.join(bounds, on="metric", how="left", validate="m:1")
    bounded = pl.col("lb").is_not_null() | pl.col("ub").is_not_null()
    broken = {
        "duplicate key": frame.filter(pl.struct(key).is_duplicated()),
        "row missing": expected.join(frame, on=key, how="anti"),
        "row not expected": frame.join(expected, on=key, how="anti"),
        "subgroup not legal for its type": frame.join(legal, on=["subgroup_type", "subgroup"], how="anti"),
        "metric not declared": limited.filter(pl.col("has_interval").is_null()),
        "below the metric's minimum": limited.filter(pl.col("value") < pl.col("minimum")),
        "above the metric's maximum": limited.filter(pl.col("value") > pl.col("maximum")),
        "interval on a metric without one": limited.filter(bounded & ~pl.col("has_interval")),
    }
    problems = [f"{what}: {row}" for what, rows in broken.items() for row in rows.head(21).iter_rows(named=True)]
    if problems:
        raise GateError(name, problems)
    return frame
