"""Lines of score on grade in closed form: against plain least squares with dummies, and what must always hold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from metrics.learning import LINE, Z, fit, rates
from schemas.schools import GRADES, STUDENT_GROUPS

X = np.array(GRADES, dtype=float)


def drawn(seed: int, groups: int = 2, areas: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """Scores and weights of areas with six, some, two, one and no usable scores."""
    rng = np.random.default_rng(seed)
    shape = (groups, areas, len(GRADES))
    y = X * rng.normal(1, 0.1, (groups, areas, 1)) + rng.normal(0, 1, (groups, areas, 1)) + rng.normal(0, 0.2, shape)
    w = rng.integers(1, 5000, shape).astype(float)
    y[rng.random(shape) < 0.25] = np.nan
    w[rng.random(shape) < 0.05] = np.nan
    w[rng.random(shape) < 0.05] = 0
    y[:, 0, 2:] = np.nan
    y[:, 1, 1:] = np.nan
    y[:, 2] = np.nan
    return y, w


def least_squares(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and standard errors of one group by a dense design: an intercept and, with two grades, a slope per area.

    Analytic weights as Stata has them: scaled to add up to the number of rows.
    """
    used = np.isfinite(y) & (np.nan_to_num(w) > 0)
    area, grade = np.nonzero(used)
    rows = len(area)
    with_line = np.flatnonzero(used.sum(axis=1) >= LINE)
    present = np.flatnonzero(used.any(axis=1))
    design = np.zeros((rows, len(present) + len(with_line)))
    design[np.arange(rows), np.searchsorted(present, area)] = 1
    for at, unit in enumerate(with_line):
        design[area == unit, len(present) + at] = X[grade[area == unit]]
    scaled = w[used] * rows / w[used].sum()
    root = np.sqrt(scaled)
    beta, _, rank, _ = np.linalg.lstsq(design * root[:, None], y[used] * root, rcond=None)
    assert rank == design.shape[1]
    residuals = y[used] - design @ beta
    variance = (scaled * residuals**2).sum() / (rows - rank)
    covariance = variance * np.linalg.inv((design * scaled[:, None]).T @ design)
    slope, se = np.full(len(y), np.nan), np.full(len(y), np.nan)
    slope[with_line] = beta[len(present) :]
    se[with_line] = np.sqrt(np.diag(covariance)[len(present) :])
    return slope, se


@pytest.mark.parametrize("seed", range(12))
def test_closed_form_is_least_squares_with_dummies(seed):
    y, w = drawn(seed)
    lines = fit(y, w)
    for group in range(len(y)):
        slope, se = least_squares(y[group], w[group])
        np.testing.assert_allclose(lines.slope[group], slope, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(lines.se[group], se, rtol=1e-10, atol=1e-10)
    assert np.isnan(lines.slope[:, 1:3]).all()
    np.testing.assert_array_equal(np.isfinite(lines.slope), lines.points >= LINE)


@pytest.mark.parametrize("seed", range(4))
def test_own_variance_is_one_regression_per_area(seed):
    y, w = drawn(seed, groups=1)
    lines = fit(y, w, own_variance=True)
    np.testing.assert_array_equal(lines.slope, fit(y, w).slope)
    for area in range(y.shape[1]):
        if lines.points[0, area] > LINE:
            slope, se = least_squares(y[0, [area]], w[0, [area]])
            np.testing.assert_allclose([lines.slope[0, area], lines.se[0, area]], [slope[0], se[0]], rtol=1e-10)
        else:
            assert np.isnan(lines.se[0, area])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(0.01, 100),
    level=st.floats(-50, 50),
    steepness=st.floats(-5, 5),
)
def test_what_scores_and_weights_do(seed, scale, level, steepness):
    """Weights matter by their proportions; a level moves no slope; a tilt of all scores moves all slopes by itself."""
    y, w = drawn(seed, groups=1, areas=6)
    plain = fit(y, w)
    heavier = fit(y, w * scale)
    tilted = fit(y + level + steepness * X, w)
    close = {"rtol": 1e-7, "atol": 1e-8}
    np.testing.assert_allclose(heavier.slope, plain.slope, **close)
    np.testing.assert_allclose(heavier.se, plain.se, **close)
    np.testing.assert_allclose(tilted.slope, plain.slope + steepness, **close)
    np.testing.assert_allclose(tilted.se, plain.se, **close)
    np.testing.assert_allclose(fit(y * 2, w).se, plain.se * 2, **close)


def test_another_area_changes_intervals_but_no_slope():
    y, w = drawn(1, groups=1)
    more_y = np.concatenate([y, [[[3, 9, 5, 1, 7, 2]]]], axis=1)
    more_w = np.concatenate([w, np.full((1, 1, 6), 100.0)], axis=1)
    some, more = fit(y, w), fit(more_y, more_w)
    np.testing.assert_array_equal(some.slope, more.slope[:, :-1])
    ratio = (more.se[:, :-1] / some.se)[np.isfinite(some.se)]
    assert ratio.min() > 1
    np.testing.assert_allclose(ratio, ratio[0])


def test_counts_of_the_regression():
    y = np.array([[[3.0, 4, 5, 6, 7, 8.5], [3, 5, np.nan, np.nan, np.nan, np.nan], [4, *[np.nan] * 5]]])
    lines = fit(y, np.ones_like(y))
    assert (lines.rows.tolist(), lines.parameters.tolist()) == ([9], [5])
    assert lines.points.tolist() == [[6, 2, 1]]
    assert lines.slope[0, 1] == pytest.approx(2)


def test_no_degree_of_freedom_no_interval():
    y = np.array([[[3.0, 5, *[np.nan] * 4]]])
    lines = fit(y, np.ones_like(y))
    assert lines.slope[0, 0] == pytest.approx(2)
    assert np.isnan(lines.se).all()
    assert fit(np.full((1, 1, 6), np.nan), np.ones((1, 1, 6))).rows.tolist() == [0]


# From tables -----


def scores(**areas: tuple[list[float | None], list[int | None]]) -> pl.DataFrame:
    """Scores of everyone and, the same, of every other group."""
    rows = [
        (area, group, grade, y, w)
        for area, (values, weights) in areas.items()
        for group in STUDENT_GROUPS
        for grade, y, w in zip(GRADES, values, weights, strict=False)
    ]
    schema = {"area": pl.String, "group": pl.String, "grade": pl.Int8, "score": pl.Float64, "tests": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


LINE_OF_SIX = [3.0, 4.1, 4.9, 6.2, 6.8, 8.0]


def quality_of(values: list[float | None], weights: list[int | None]) -> int | None:
    found = rates(scores(a=(values, weights), b=(LINE_OF_SIX, [50] * 6))).table
    return found.row(by_predicate=(pl.col("area") == "a") & (pl.col("group") == "all"), named=True)["quality"]


@pytest.mark.parametrize(
    ("grades", "least", "quality"),
    [(6, 30, 1), (5, 30, 1), (4, 30, 2), (3, 30, 3), (2, 30, 3), (1, 30, None), (0, 30, None), (6, 29, 3), (4, 29, 3)],
)
def test_quality(grades, least, quality):
    values = [*LINE_OF_SIX[:grades], *[None] * (6 - grades)]
    assert quality_of(values, [least, *[400] * 5]) == quality


def test_withheld_scores_count_for_the_fewest_tested():
    withheld = [*LINE_OF_SIX[:5], None]
    assert quality_of(withheld, [100] * 5 + [29]) == 3
    assert quality_of(withheld, [100] * 5 + [None]) == 1
    # A score without test takers is no part of the line, but counts as a score.
    assert quality_of(LINE_OF_SIX, [100] * 5 + [None]) == 1
    assert quality_of(LINE_OF_SIX, [100] * 5 + [0]) == 3


def test_table_of_rates():
    table = scores(a=(LINE_OF_SIX, [50] * 6), b=([3, 4, *[None] * 4], [40, 60, *[None] * 4]), c=([None] * 6, [9] * 6))
    found = rates(table).table
    assert found.height == 3 * 8
    row = found.row(by_predicate=(pl.col("area") == "a") & (pl.col("group") == "wht"), named=True)
    assert row["rate"] == pytest.approx(np.polyfit(X, LINE_OF_SIX, 1)[0])
    assert row["half"] == Z * row["se"]
    silent = found.filter(pl.col("area") == "c")
    assert silent.select("rate", "se", "half", "quality").unique().rows() == [(None, None, None, None)]
    assert silent.select("grades", "least").unique().rows() == [(0, 9.0)]
    assert_frame_equal(rates(table.sample(fraction=1, shuffle=True, seed=3)).table, found, check_exact=True)
