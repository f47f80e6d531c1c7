"""Medians: R's weighted quantile, the hiding rule at its limit, and the reference's own published medians."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_reference import all_estimates, declared, spines

from outputs import suppress
from outputs.medians import MEDIANS, all_medians, as_reference, medians, overall_figures, weighted_quantile


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_weights_are_repetitions(pairs, p):
    """Hmisc's definition: the ordinary quantile of the values, each repeated as often as its weight says."""
    values, weights = (np.array(x, dtype=float) for x in zip(*pairs, strict=True))
    repeated = np.repeat(values, weights.astype(int))
    found = weighted_quantile(values, weights, p)
    if repeated.size == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.quantile(repeated, p), abs=1e-9)


def figures(rows):
    schema = {
        "year": pl.Int32, "state": pl.String, "state_name": pl.String, "geo": pl.String, "population": pl.Int64,
        "metric": pl.String, "value": pl.Float64, "quality": pl.Int8,
    }  # fmt: skip
    return pl.DataFrame([(2021, s, f"State {s}", g, n, "x", v, q) for s, g, n, v, q in rows], schema, orient="row")


def test_a_median_is_hidden_above_fifteen_percent_and_not_at_it():
    at = figures([("01", "001", 850, 1.00005, 1), ("01", "003", 100, None, None), ("01", "005", 50, 9.0, 3)])
    row = medians(at, "county").row(0, named=True)
    assert (row["area"], row["share_missing"], row["share_weak"], row["hidden"]) == ("US", 0.1, 0.05, "no")
    assert (row["median"], row["geographies"], row["with_value"], row["population"]) == (1.0001, 3, 2, 1000)
    above = figures([("01", "001", 849, 1.0, 1), ("01", "003", 100, None, None), ("01", "005", 51, 9.0, 3)])
    row = medians(above, "county").row(0, named=True)
    assert (row["median"], row["hidden"]) == (None, "yes")


def test_states_are_judged_by_themselves():
    rows = [
        ("01", "001", 900, 1.0, 1),
        ("01", "003", 900, 3.0, 2),
        ("02", "001", 10, 7.0, 3),
        ("03", "001", 5, None, None),
    ]
    table = medians(figures(rows), "place")
    assert table.schema == {c: t() for c, t in MEDIANS.items()}
    told = {r["area"]: (r["median"], r["hidden"]) for r in table.iter_rows(named=True)}
    assert told == {"US": (3.0, "no"), "01": (2.0, "no"), "02": (None, "yes"), "03": (None, "yes")}
    assert table["area"].to_list() == ["US", "01", "02", "03"]


def test_years_without_a_figure_have_no_row_and_unknown_population_does_not_count():
    assert medians(figures([("01", "001", 900, None, None)]), "county").is_empty()
    row = medians(figures([("01", "001", None, 5.0, 1), ("01", "003", 10, 2.0, 1)]), "county").row(0, named=True)
    assert (row["median"], row["with_value"], row["population"]) == (2.0, 2, 10)


@pytest.mark.parity
def test_the_reference_s_county_medians(realcases):
    """424 of the 430 published cells; the two shares of transportation were re-rounded after they were made."""
    case = realcases / "published_files"
    raw = case / "raw"
    estimates = suppress.for_reference(all_estimates(raw).lazy().filter(pl.col("level") == "county"), 11)
    table = medians(overall_figures(estimates, spines(raw), declared(), "county"), "county")
    numbers = [m.column for e in declared().values() for m in e.predictor.metrics if m.text_format is None]
    ours = as_reference(table, "county", numbers)
    path = case / "expected/county_medians_year_suppressed.csv"
    theirs = pl.read_csv(path, null_values=["NA"], infer_schema_length=None)
    assert ours.columns == theirs.columns
    assert ours["year"].to_list() == theirs["year"].to_list()
    assert ours["group"].to_list() == theirs["group"].to_list()
    differing, equal = {}, 0
    for metric in theirs.columns[2:]:
        for year, a, b in zip(theirs["year"], ours[metric], theirs[metric].cast(pl.Float64), strict=True):
            if a == b or (a is not None and b is not None and abs(a - b) < 1e-9):
                equal += 1
            else:
                differing[metric, year] = (a, b)
    assert (equal, len(differing)) == (424, 6), differing
    assert set(differing) == {
        (m, y) for m in ("share_transit_commuter", "share_transportation_cost") for y in (2015, 2019, 2022)
    }


@pytest.mark.parity
def test_city_medians_of_the_reference_s_figures(realcases):
    """No medians of cities are published; they are held against an independent count over the published file 61."""
    case = realcases / "published_files"
    table = all_medians(all_estimates(case / "raw").lazy(), spines(case / "raw"), declared())
    city = pl.read_parquet(case / "expected/reconstructed_61_mobility-metrics_place_longitudinal.parquet")
    row = table.filter(
        (pl.col("level") == "place") & (pl.col("area") == "US") & (pl.col("metric") == "share_meps20_white")
    )
    assert row.height == 8
    for year, median, hidden in row.select("year", "median", "hidden").iter_rows():
        part = city.filter(pl.col("year").cast(pl.Int32) == year)
        people = part["population"].cast(pl.Float64)
        value = part["share_meps20_white"].cast(pl.Float64)
        bad = people.filter(value.is_null() | (part["share_meps20_white_quality"] == "Weak").fill_null(False)).sum()
        assert hidden == ("yes" if bad / people.sum() > 0.15 else "no")
        if median is not None:
            lower = people.filter((value < median - 1e-4).fill_null(False)).sum()
            upper = people.filter((value > median + 1e-4).fill_null(False)).sum()
            total = people.filter(value.is_not_null()).sum()
            assert lower <= total / 2
            assert upper <= total / 2
