"""The 28 golden cases of the survey estimator: R's answers, reproduced by the code that computes the predictors."""

import json
import math
from fractions import Fraction

import polars as pl
import pytest
from survey_support import allocation_frame, replicate_names

from metrics.cells import Filter
from metrics.quantiles import QuantileSpec, quantile_estimates
from metrics.replication import Weights
from metrics.single_design import single_design
from metrics.survey import ShareSpec, share_estimates

WEIGHTS = Weights("weight", tuple(replicate_names("rep")))
EVERY_RECORD = (Filter("every record", pl.lit(True)),)
PROBABILITIES = {"q20": Fraction(1, 5), "q50": Fraction(1, 2), "q80": Fraction(4, 5)}
CLOSE = ("t", "estimate", "se", "lb", "ub", "woodruff_f", "woodruff_se", "woodruff_p_lb", "woodruff_p_ub")
CASES = [f"c{i:02d}" for i in range(1, 29)]


@pytest.fixture(scope="module")
def golden(realcases):
    folder = realcases / "survey_golden"
    names = {case["case"][:3]: case["case"] for case in json.loads((folder / "cases.json").read_text())}
    expected = pl.read_csv(folder / "expected.csv", null_values="NA", infer_schema_length=None)
    assert sorted(names) == CASES
    return {
        short: (pl.read_csv(folder / "inputs" / f"{name}.csv"), expected.filter(case=name))
        for short, name in names.items()
    }


def differences(ours: dict, theirs: dict, exact: tuple[str, ...]) -> list[str]:
    """Columns that differ: `exact` ones at all, others by more than 1e-12; null must be null."""
    found = []
    for column in (*exact, *(c for c in CLOSE if c in ours and c not in exact)):
        a, b = ours[column], theirs[column]
        if a is None or b is None:
            same = a is None and b is None
        elif column in exact:
            same = a == b
        else:
            same = math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
        if not same:
            found.append(f"{column}: {a!r}, expected {b!r}")
    return found


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_shares(golden, case):
    frame, expected = golden[case]
    design = single_design(frame, group="group", weights=WEIGHTS)
    spec = ShareSpec("share", EVERY_RECORD, pl.col("y") == 1)
    found = share_estimates(design.records, design.allocation, [spec], weights=WEIGHTS, sample="golden", detail=True)
    assert found.height == expected.filter(stat="share").height
    for row in expected.filter(stat="share").iter_rows(named=True):
        ours = found.row(by_predicate=pl.col("geo") == design.groups[row["group"]], named=True)
        ours["estimate"] = ours["value"]
        assert ours["n"] == row["n"]
        assert differences(ours, row, ("df",)) == [], f"{case} {row['group']}"
        assert (ours["reason"] == "bound not defined") == (row["lb"] is None)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_quantiles(golden, case):
    frame, expected = golden[case]
    design = single_design(frame, group="group", weights=WEIGHTS)
    spec = QuantileSpec(EVERY_RECORD, pl.col("value"), PROBABILITIES)
    found = quantile_estimates(design.records, design.allocation, spec, weights=WEIGHTS, sample="golden", detail=True)
    wanted = expected.filter(pl.col("stat") != "share")
    assert found.height == wanted.height
    # c07 hangs on the last bit of a sum in floating point; exact arithmetic gives the answer of c03.
    exact = golden["c03"][1]
    for row in wanted.iter_rows(named=True):
        answer = exact.row(by_predicate=pl.col("stat") == row["stat"], named=True) if row["fp_sensitive"] else row
        cell = (pl.col("geo") == design.groups[row["group"]]) & (pl.col("metric") == row["stat"])
        ours = found.row(by_predicate=cell, named=True)
        ours["estimate"] = ours["value"]
        assert ours["n"] == row["n"]
        assert differences(ours, answer, ("df", "estimate", "lb", "ub")) == [], f"{case} {row['group']} {row['stat']}"
        assert (ours["reason"] == "bound not defined") == (answer["lb"] is None or answer["ub"] is None)


@pytest.mark.parity
def test_allocated_pumas_from_their_unallocated_records(golden):
    """Case c21 again, from the two PUMAs it was made of: 90 records of one, 70 of the other, and factors."""
    frame, expected = golden["c21"]
    columns = WEIGHTS.columns

    def puma(group: str, first: int, count: int, factor: float, code: str) -> pl.DataFrame:
        part = frame.filter(pl.col("group") == group).slice(first, count)
        return part.select(
            "y",
            "value",
            pl.lit("01").alias("state"),
            pl.lit(code).alias("puma"),
            pl.lit(2010, dtype=pl.Int16).alias("puma_vintage"),
            *((pl.col(c) / factor).round().cast(pl.Int32) for c in columns),
        )

    records = pl.concat([puma("A", 0, 90, 0.3125, "00001"), puma("B", 90, 70, 0.75, "00002")]).lazy()
    factors = {"A": (0.3125, None), "B": (0.4375, 0.75), "C": (0.25, 0.25)}
    allocation = allocation_frame(
        [
            ("county", "01", f"{i:03d}", f"{j:05d}", factor)
            for i, pair in enumerate(factors.values(), start=1)
            for j, factor in enumerate(pair, start=1)
            if factor is not None
        ]
    )
    codes = {group: f"{i:03d}" for i, group in enumerate(factors, start=1)}
    spec = ShareSpec("share", EVERY_RECORD, pl.col("y") == 1)
    shares = share_estimates(records, allocation, [spec], weights=WEIGHTS, sample="golden", detail=True)
    three = QuantileSpec(EVERY_RECORD, pl.col("value"), PROBABILITIES)
    quantiles = quantile_estimates(records, allocation, three, weights=WEIGHTS, sample="golden", detail=True)
    # County A has 28.125 effective records and is suppressed here; B and C have 91.875 and 40.
    for row in expected.filter(pl.col("group") != "A").iter_rows(named=True):
        found = pl.concat([shares, quantiles], how="diagonal")
        cell = (pl.col("geo") == codes[row["group"]]) & (pl.col("metric") == row["stat"])
        ours = found.row(by_predicate=cell, named=True)
        ours["estimate"] = ours["value"]
        exact = ("df",) if row["stat"] == "share" else ("df", "estimate", "lb", "ub")
        ours = {c: v for c, v in ours.items() if row["stat"] != "share" or not c.startswith("woodruff")}
        assert differences(ours, row, exact) == [], f"{row['group']} {row['stat']}"
