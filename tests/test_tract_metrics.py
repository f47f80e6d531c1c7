"""The mathematics of tracts: allocation, exact sums, margins of error, weighted means, quality and suppression."""

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.tracts import (
    SCALE,
    Z90,
    allocate,
    graded,
    in_universe,
    margin_of_proportion,
    overlap,
    quality_of,
    quotient,
    squared_margin_of_sum,
    total,
    weighted_means,
)

counts = st.integers(0, 9_000)
margins = st.integers(0, 2_000)


def frame(**columns: object) -> pl.DataFrame:
    return pl.DataFrame(columns)


def tracts(*rows: tuple[str, str, str, int | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["state", "county", "tract", "people"], orient="row")


def factors(*rows: tuple[str, str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["state", "county", "tract", "place", "afact_10k"], orient="row")


# --- margins of error


def squared(parts: list[tuple[int | None, int | None]]) -> int | None:
    names = [f"p{i}" for i in range(len(parts))]
    data = pl.DataFrame({n: [e] for n, (e, _) in zip(names, parts, strict=True)}, schema=dict.fromkeys(names, pl.Int64))
    data = data.with_columns(pl.lit(m, pl.Int64).alias(f"{n}_moe") for n, (_, m) in zip(names, parts, strict=True))
    return data.select(squared_margin_of_sum(names)).item()


@given(st.lists(st.tuples(counts, margins), min_size=1, max_size=6))
def test_only_the_largest_margin_of_zero_estimates_counts(parts):
    zeros = [m for e, m in parts if e == 0]
    assert squared(parts) == sum(m**2 for e, m in parts if e != 0) + max(zeros, default=0) ** 2


@given(st.lists(st.tuples(counts, margins), min_size=1, max_size=6), st.randoms())
def test_the_order_of_the_parts_does_not_matter(parts, random):
    shuffled = random.sample(parts, len(parts))
    assert squared(shuffled) == squared(parts)


def test_a_margin_that_is_not_given_counts_as_zero():
    assert squared([(5, None), (3, 4)]) == 16
    assert squared([(0, None), (0, 12), (0, 9)]) == 144


def proportion(x: float, mx: float, n: float, mn: float) -> float | None:
    columns = (pl.lit(float(v)) for v in (x, mx, n, mn))
    return pl.select(margin_of_proportion(*columns)).item()


def test_the_margin_of_a_proportion_is_the_handbooks():
    # Handbook's example: 4,634 +- 989 of 31,713 +- 601 is 14.6 percent +- 3.1.
    assert proportion(4634, 989, 31713, 601) == pytest.approx(0.0311, abs=5e-5)


def test_a_negative_root_falls_back_to_the_ratio():
    x, mx, n, mn = 95, 10, 100, 40
    assert mx**2 - (x / n) ** 2 * mn**2 < 0
    assert proportion(x, mx, n, mn) == pytest.approx(math.sqrt(mx**2 + (x / n) ** 2 * mn**2) / n)


@given(counts, margins, st.integers(1, 20_000), margins)
def test_a_margin_of_a_proportion_is_finite_and_not_negative(x, mx, n, mn):
    found = proportion(x, mx, n, mn)
    assert found is not None
    assert found >= 0
    assert math.isfinite(found)


def test_nothing_is_divided_by_zero():
    assert proportion(0, 5, 0, 5) is None
    assert frame(a=[1, 0], b=[0, 0]).select(quotient(pl.col("a"), pl.col("b"))).to_series().to_list() == [None, None]


@pytest.mark.parametrize(
    ("cv", "flag"), [(0.0, 1), (0.1999999, 1), (0.2, 2), (0.3999999, 2), (0.4, 3), (7.0, 3), (None, None)]
)
def test_quality_by_coefficient_of_variation(cv, flag):
    data = pl.DataFrame({"cv": [cv]}, schema={"cv": pl.Float64})
    assert data.select(quality_of(pl.col("cv"))).item() == flag


# --- allocation and sums


def test_a_tract_counts_whole_in_its_county_and_by_its_factors_in_places():
    members = allocate(
        tracts(("10", "001", "000100", 100), ("10", "003", "000100", 50)),
        factors(("10", "001", "000100", "11111", 7500), ("10", "001", "000100", "22222", 2500)),
    )
    assert members.select("level", "geo", "county", "tract", "share", "has_data", "people").rows() == [
        ("county", "001", "001", "000100", SCALE, True, 100),
        ("county", "003", "003", "000100", SCALE, True, 50),
        ("place", "11111", "001", "000100", 7500, True, 100),
        ("place", "22222", "001", "000100", 2500, True, 100),
    ]


def test_a_tract_of_the_factors_without_figures_is_kept_and_marked():
    members = allocate(tracts(("10", "001", "000100", 100)), factors(("10", "001", "000200", "11111", SCALE)))
    row = members.filter(pl.col("level") == "place").row(0, named=True)
    assert (row["has_data"], row["people"]) == (False, None)


def test_a_tract_listed_twice_is_an_error():
    with pytest.raises(pl.exceptions.ComputeError):
        allocate(tracts(("10", "001", "000100", 1), ("10", "001", "000100", 2)), None)


shares = st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, SCALE)), min_size=1, max_size=30)


@given(shares)
def test_sums_are_exact(rows):
    listed = tracts(*(("10", "001", f"{i:06d}", people) for i, (people, _) in enumerate(rows)))
    table = factors(*(("10", "001", f"{i:06d}", "11111", share) for i, (_, share) in enumerate(rows)))
    sums = total(allocate(listed, table), {"people": pl.col("share") * pl.col("people")})
    county, place = sums.rows(named=True)
    assert county["people"] == SCALE * sum(people for people, _ in rows)
    assert place["people"] == sum(people * share for people, share in rows)
    assert (place["n"], place["coverage"]) == (len(rows), 1.0)


@given(shares, st.randoms())
@settings(max_examples=30)
def test_the_order_of_the_rows_does_not_matter(rows, random):
    listed = tracts(*(("10", "001", f"{i:06d}", people) for i, (people, _) in enumerate(rows)))
    table = factors(*(("10", "001", f"{i:06d}", "11111", share) for i, (_, share) in enumerate(rows)))
    pairs = {"mean": (1 / (1 + pl.col("people")), pl.col("share"))}
    first = weighted_means(allocate(listed, table), pairs)
    order = random.sample(range(listed.height), listed.height)
    again = weighted_means(allocate(listed[order], table[list(reversed(order))]), pairs)
    assert first.equals(again)


@given(shares)
@settings(max_examples=50)
def test_a_weighted_mean_is_the_fraction(rows):
    table = factors(*(("10", "001", f"{i:06d}", "11111", share) for i, (_, share) in enumerate(rows)))
    listed = tracts(*(("10", "001", f"{i:06d}", people) for i, (people, _) in enumerate(rows)))
    means = weighted_means(allocate(listed, table), {"mean": (pl.col("people"), pl.col("share"))})
    exact = Fraction(sum(p * s for p, s in rows), sum(s for _, s in rows))
    assert means.filter(pl.col("level") == "place")["mean"].item() == pytest.approx(float(exact), rel=1e-14)


def test_missing_values_have_no_weight_and_no_weight_is_no_mean():
    listed = pl.DataFrame(
        [("10", "001", "000100", 5, 1), ("10", "001", "000200", None, 9), ("10", "003", "000100", 5, 0)],
        schema=["state", "county", "tract", "value", "weight"],
        orient="row",
    )
    means = weighted_means(allocate(listed, None), {"mean": (pl.col("value"), pl.col("weight"))})
    assert means["mean"].to_list() == [5.0, None]


def test_part_of_an_area_that_is_unknown_makes_the_sum_unknown():
    listed = tracts(("10", "001", "000100", 100), ("10", "001", "000200", None), ("10", "003", "000100", 7))
    sums = total(allocate(listed, None), {"people": pl.col("people")})
    assert sums.select("geo", "people").rows() == [("001", None), ("003", 7)]


def test_coverage_is_the_part_of_the_tracts_with_figures():
    table = factors(("10", "001", "000100", "11111", 6000), ("10", "001", "000200", "11111", 4000))
    sums = total(allocate(tracts(("10", "001", "000100", 100)), table), {"people": pl.col("share") * pl.col("people")})
    place = sums.filter(pl.col("level") == "place").row(0, named=True)
    assert (place["n"], place["coverage"], place["people"]) == (1, 0.6, 600_000)


def test_overlap_is_unknown_where_a_factor_is():
    table = pl.DataFrame(
        [
            ("10", "001", "1", "11111", 0.5, 0.5),
            ("10", "001", "2", "11111", 1.0, 0.5),
            ("10", "001", "3", "22222", 1.0, None),
        ],
        schema=["state", "county", "tract", "place", "afact", "afact2"],
        orient="row",
    )
    assert overlap(table).select("geo", "allocation").rows() == [("11111", 0.75), ("22222", None)]


def test_the_universe_is_whole_and_a_strange_area_stays():
    areas = pl.DataFrame({"level": ["county", "county"], "state": ["10", "10"], "geo": ["001", "999"], "n": [3, 1]})
    spine = pl.DataFrame({"level": ["county", "county", "place"], "state": ["10"] * 3, "geo": ["001", "003", "11111"]})
    assert in_universe(areas, spine).rows() == [
        ("county", "10", "001", 3),
        ("county", "10", "003", None),
        ("county", "10", "999", 1),
    ]


# --- quality and suppression


def grade(level: str = "county", **changes: object) -> dict[str, object]:
    row = {"level": level, "people_10k": 100 * SCALE, "variance_10k": 0, "coverage": 1.0, "n": 3, **changes}
    schema = {"people_10k": pl.Int64, "variance_10k": pl.Int64, "coverage": pl.Float64, "n": pl.Int64}
    data = pl.DataFrame([row], schema_overrides=schema)
    return graded(data, pl.lit(0.5), nobody="denominator is zero").row(0, named=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"people_10k": 30 * SCALE}, "small population"),
        ({"people_10k": 1}, "small population"),
        ({"people_10k": 0}, "denominator is zero"),
        ({"people_10k": None}, "unreliable at source"),
        ({"coverage": 0.89}, "low coverage"),
        ({"n": 0, "coverage": 0.0}, "input owed"),
        ({"n": None, "coverage": None, "people_10k": None}, "input owed"),
        ({"n": None, "coverage": None, "people_10k": None, "level": "place"}, "area not covered by source"),
    ],
)
def test_why_there_is_no_value(changes, reason):
    row = grade(**changes)
    assert (row["value"], row["quality"], row["reason"]) == (None, None, reason)


def test_the_threshold_of_thirty_is_exact():
    assert grade(people_10k=30 * SCALE + 1)["value"] == 0.5
    # 75 people by a factor of 0.4 are 30, not 29.999999999999996.
    assert grade(people_10k=75 * 4000)["value"] is None


@pytest.mark.parametrize(
    ("margin", "quality", "reason"),
    [(0, 1, None), (32, 1, None), (33, 2, "high sampling error"), (66, 3, "high sampling error")],
)
def test_quality_is_that_of_the_number_of_people(margin, quality, reason):
    row = grade(variance_10k=margin**2 * SCALE)
    assert row["people_cv"] == pytest.approx(margin / Z90 / 100)
    assert (row["value"], row["quality"], row["reason"]) == (0.5, quality, reason)
