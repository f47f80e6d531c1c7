"""Learning rates: scores regressed on grade, one intercept and one slope per area. Method file public_education.md, 4.

The reference fits one regression per cohort and group of students, with a dummy and a slope for every area. Such a
regression falls apart into one line per area, so slopes have a closed form; only the residual variance is shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.schools import GRADES, STUDENT_GROUPS

Floats = npt.NDArray[np.float64]
Z: Final = 1.96
ENOUGH_TESTS: Final = 30
MANY_GRADES: Final = 5
SOME_GRADES: Final = 4
LINE: Final = 2
"""Grades that it takes to lay a line."""


@dataclass(frozen=True)
class Reproduce:
    """What the registered entries decide; the defaults are ours.

    codes_of_the_year: scores of renamed counties are found under the code of the data year. own_variance: each area's
    interval rests on its own residuals, not on those of the whole nation. nearest_city: a school year without an
    office takes the city of the nearest year, not the first in the alphabet.
    """

    codes_of_the_year: bool = True
    own_variance: bool = False
    nearest_city: bool = False


OURS: Final = Reproduce()
REFERENCE: Final = Reproduce(codes_of_the_year=False)


@dataclass(frozen=True)
class Lines:
    """Weighted least squares of every group (first axis) and area (second axis).

    slope, se and the weighted mean grade and score: NaN where an area has no line (no point, for the means). spread:
    sum of w (x - mean)^2. points: scores used. Per group: rows (N), parameters (K), and the weighted sum of squared
    residuals.
    """

    slope: Floats
    se: Floats
    grade: Floats
    score: Floats
    spread: Floats
    points: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    parameters: npt.NDArray[np.int64]
    residual: Floats


def fit(scores: Floats, weights: Floats, *, own_variance: bool = False) -> Lines:
    """Lines of score on grade for all areas of all groups at once.

    `scores` and `weights` have the axes group, area, grade (3 to 8); a score that is NaN, or whose weight is NaN or
    not above zero, is left out. The standard error of a slope is the root of s2 / sum(w (x - mean)^2) with s2 = sum(w
    e^2) / (N - K) over all areas of the group, K = areas + areas with a line; the scale of the weights cancels. With
    `own_variance` an area's error rests on its own residuals and points - 2. NaN where no degree of freedom is left.
    """
    used = np.isfinite(scores) & (np.nan_to_num(weights) > 0)
    w = np.where(used, np.nan_to_num(weights), 0.0)
    y = np.where(used, np.nan_to_num(scores), 0.0)
    x = np.array(GRADES, dtype=np.float64)
    points = used.sum(axis=-1)
    has_line = points >= LINE
    with np.errstate(invalid="ignore", divide="ignore"):
        total = w.sum(axis=-1)
        mean_x = (w * x).sum(axis=-1) / total
        mean_y = (w * y).sum(axis=-1) / total
        dx = np.where(used, x - mean_x[..., None], 0.0)
        dy = np.where(used, y - mean_y[..., None], 0.0)
        spread = (w * dx**2).sum(axis=-1)
        slope = np.where(has_line, (w * dx * dy).sum(axis=-1) / spread, np.nan)
        residuals = np.where(has_line[..., None], dy - np.nan_to_num(slope)[..., None] * dx, 0.0)
        squares = (w * residuals**2).sum(axis=-1)
        rows = points.sum(axis=-1)
        parameters = (points > 0).sum(axis=-1) + has_line.sum(axis=-1)
        residual = squares.sum(axis=-1)
        freedom = (points - LINE) if own_variance else np.broadcast_to((rows - parameters)[:, None], points.shape)
        around = squares if own_variance else np.broadcast_to(residual[:, None], points.shape)
        se = np.where(has_line & (freedom > 0), np.sqrt(around / freedom / spread), np.nan)
    return Lines(slope, se, mean_x, mean_y, spread, points, rows, parameters, residual)


@dataclass(frozen=True)
class Rates:
    """Learning rates of one cohort, and the regression behind them.

    `table` has one row per area and group: area, group, rate, half (half-width of the interval), se, quality, grades
    (scores there are), points (scores used), least (fewest students tested in a grade). `areas` and the axes of
    `lines` are in the same order.
    """

    table: pl.DataFrame
    areas: pl.DataFrame
    lines: Lines

    def position(self, area: str, group: str) -> tuple[int, int] | None:
        """Where `lines` has the area and group."""
        at = self.areas["area"].index_of(area)
        return None if at is None else (STUDENT_GROUPS.index(group), at)


def rates(scores: pl.DataFrame, *, own_variance: bool = False) -> Rates:
    """Learning rates of one cohort from its scores: area, group, grade, score, tests (one row per area, group, grade).

    Quality: 1 with 5 or 6 scores and at least 30 tested in every grade, 2 with 4 scores and the same, else 3. The
    fewest tested are taken over all grades, also those whose score is withheld (method file, sections 5 and 9.2).
    """
    areas = scores.select("area").unique().sort("area").with_row_index("at")
    groups = pl.col("group").replace_strict({g: i for i, g in enumerate(STUDENT_GROUPS)}, return_dtype=pl.UInt32)
    placed = scores.join(areas, on="area", how="left", validate="m:1").select(
        "at", groups.alias("g"), (pl.col("grade") - GRADES[0]).alias("x"), "score", "tests"
    )
    shape = (len(STUDENT_GROUPS), areas.height, len(GRADES))
    where = tuple(placed[c].to_numpy() for c in ("g", "at", "x"))
    y, w = np.full(shape, np.nan), np.full(shape, np.nan)
    y[where] = placed["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    w[where] = placed["tests"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    lines = fit(y, w, own_variance=own_variance)

    grades = np.isfinite(y).sum(axis=-1)
    least = np.where(np.isnan(w), np.inf, w).min(axis=-1)
    enough = least >= ENOUGH_TESTS
    quality = np.where(enough & (grades >= MANY_GRADES), 1, np.where(enough & (grades == SOME_GRADES), 2, 3))
    columns = {
        "rate": lines.slope,
        "se": lines.se,
        "least": least,
        "grades": grades,
        "points": lines.points,
        "quality": quality.astype(np.int8),
    }
    table = (
        pl.DataFrame({"group": STUDENT_GROUPS})
        .join(areas.select("area"), how="cross")
        .with_columns(pl.Series(name, values.ravel()) for name, values in columns.items())
        .with_columns(
            pl.col("rate", "se").fill_nan(None), pl.when(pl.col("least").is_finite()).then("least").alias("least")
        )
    )
    known = pl.col("rate").is_not_null()
    table = table.with_columns(
        half=Z * pl.col("se"), quality=pl.when(known).then("quality"), se=pl.when(known).then("se")
    )
    return Rates(table, areas, lines)
