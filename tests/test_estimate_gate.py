"""The gate: a lawful set of estimates passes; each kind of fault is refused and named."""

import polars as pl
import pytest

from metrics.predictor import Metric, Predictor, Series, complete, expected_keys
from schemas.errors import GateError
from schemas.estimate import ESTIMATE, gate

SHARE = Metric("share_x", "Share of x", "share", maximum=1.0, interval="sampling")
PREDICTOR = Predictor(
    "x", "X", "rewarding_work", "X.", (SHARE,), (Series("acs1", (2018,), ("acs1_persons",)),), (), "x.md"
)
SPINE = pl.DataFrame({"level": ["county", "place"], "state": ["01", "01"], "geo": ["001", "00001"]})
ROW = {
    "level": ["county"],
    "state": ["01"],
    "geo": ["001"],
    "subgroup_type": ["all"],
    "subgroup": ["All"],
    "metric": ["share_x"],
    "sample": ["acs1"],
    "value": [0.5],
    "lb": [0.4],
    "ub": [0.6],
    "quality": [1],
}


def whole() -> pl.DataFrame:
    return complete(pl.DataFrame(ROW), PREDICTOR, 2018, SPINE)


def check(frame: pl.DataFrame) -> pl.DataFrame:
    return gate(frame, name="x", expected_keys=expected_keys(PREDICTOR, 2018, SPINE), limits=PREDICTOR.limits())


def test_whole_frame_passes_and_covers_the_spine():
    frame = check(whole())
    assert frame.height == 2
    assert frame.filter(pl.col("level") == "place")["reason"].to_list() == ["area not covered by source"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("value", float("nan"), "NaN"),
        ("value", float("inf"), "infinite"),
        ("value", 2.0, "lb <= value <= ub"),
        ("lb", 0.7, "lb <= value <= ub"),
        ("ub", 0.45, "lb <= value <= ub"),
        ("quality", None, "not missing together"),
        ("quality", 4, "quality"),
        ("reason", "because", "reason"),
        ("geo", "01", "geo"),
        ("geo", "00001", "width"),
        ("geo", "003", "row missing"),
        ("state", "1", "state"),
        ("subgroup", "everyone", "subgroup"),
        ("subgroup", "Male", "not legal"),
        ("sample", "survey", "sample"),
        ("metric", "share_y", "not declared"),
    ],
)
def test_each_fault_is_refused(column, value, message):
    changed = pl.when(pl.col("level") == "county").then(pl.lit(value)).otherwise(pl.col(column))
    frame = whole().with_columns(changed.cast(ESTIMATE[column]).alias(column))
    with pytest.raises(GateError, match=message):
        check(frame)


def test_value_out_of_range_is_refused_without_bounds():
    frame = whole().with_columns(
        pl.when(pl.col("level") == "county").then(1.5).alias("value"),
        pl.lit(None, dtype=pl.Float64).alias("lb"),
        pl.lit(None, dtype=pl.Float64).alias("ub"),
    )
    with pytest.raises(GateError, match="above the metric's maximum"):
        check(frame)


def test_duplicate_and_missing_rows_are_refused():
    frame = whole()
    with pytest.raises(GateError, match="duplicate key"):
        check(pl.concat([frame, frame]))
    with pytest.raises(GateError, match="row missing"):
        check(frame.head(1))


def test_missing_values_need_a_reason_and_no_bounds():
    blank = pl.when(pl.col("level") == "place").then(None).otherwise(pl.col("reason")).alias("reason")
    with pytest.raises(GateError, match="without a reason"):
        check(whole().with_columns(blank))
    with pytest.raises(GateError, match="without a value"):
        check(whole().with_columns(pl.lit(0.1).alias("lb")))


def test_owed_input_is_the_reason():
    frame = complete(pl.DataFrame(ROW).clear(), PREDICTOR, 2018, SPINE, owed=frozenset({"acs1_persons"}))
    assert frame["reason"].unique().to_list() == ["input owed"]
    check(frame)
