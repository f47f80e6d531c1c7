"""Successive-difference replication: variance, degrees of freedom and t quantile of ACS estimates.

The ACS microdata carry 80 replicate weights. With `theta` the estimate by the full weight and `theta_r` the one by
replicate r, var = 4/80 * sum((theta_r - theta)^2): deviations from the full estimate, not from the replicates' mean
(Census Bureau, PUMS Accuracy of the Data). Degrees of freedom are the rank of the matrix of replicate weights minus
one, as R's survey package counts it. Method file acs_microdata.md, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

VARIANCE_SCALE: Final = 4.0
"""Successive-difference replication: 4 / (number of replicates) times the sum of squares."""

RANK_TOLERANCE: Final = 1e-5
"""A column is dependent if less than this part of its norm is left after the columns before it (R's `qr`)."""

CERTAIN: Final = 3e-4
"""Where the rank is inferred from sums or from some of the records, columns must keep this part of their norm."""

PROBES: Final = 96
"""Rows that are enough to show a rank of 80. From about 100 rows on, linear algebra libraries start threads for each
small matrix, which takes far longer than the work itself."""

SUMMED: Final = 4
"""Records, or sums of them, that are added up to one row of probes. Neighbors in the file have replicate weights of few
patterns: so many single rows may well not show a rank that sums of several show."""

_BATCH: Final = 20_000


@dataclass(frozen=True)
class Weights:
    """Names of the full weight and of its replicates (none if no variance is wanted)."""

    full: str
    replicates: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """All weight columns, the full weight first."""
        return [self.full, *self.replicates]


PERSON_WEIGHTS: Final = Weights("perwt", tuple(f"repwtp{i}" for i in range(1, 81)))
HOUSEHOLD_WEIGHTS: Final = Weights("hhwt", tuple(f"repwt{i}" for i in range(1, 81)))


def ratio(numerator: Integers, denominator: Integers) -> Floats:
    """numerator / denominator, NaN where the denominator is 0. Sums are integers, so the quotient is well rounded."""
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def variance(theta: Floats, replicates: Iterable[tuple[Integers, Integers]], count: int) -> Floats:
    """SDR variance of ratios `theta` (any shape), NaN where theta is NaN.

    `replicates` yields (numerator, denominator) of theta_r for r = 1..count; a replicate with denominator 0 adds
    nothing, while the factor 4/count stays. Squares are added in the order of the replicates, so the result does not
    depend on how cells are batched.
    """
    total = np.zeros(theta.shape)
    for numerator, denominator in replicates:
        difference = ratio(numerator, denominator) - theta
        total += np.where(denominator != 0, difference * difference, 0.0)
    return np.where(np.isnan(theta), np.nan, VARIANCE_SCALE / count * total)


def t_quantile(df: Integers) -> Floats:
    """The 0.975 quantile of Student's t for each df; NaN where df < 1."""
    from scipy.special import stdtrit

    safe = np.maximum(df, 1).astype(np.float64)
    return np.where(df >= 1, stdtrit(safe, 0.975), np.nan)


def rank(rows: npt.NDArray[np.number]) -> int:
    """Rank of a matrix (records x replicates) by R's rule: columns in order, each compared with its own norm.

    If the first rows show for certain that it is full, that settles it. Otherwise all rows are reduced batch by batch
    to one triangle, which has the same lengths of, and angles between, columns.
    """
    columns = int(rows.shape[1])
    if rows.shape[0] > PROBES and certainly_full_each(rows[None, :PROBES].astype(np.float64))[0]:
        return columns
    reduced: Floats = np.zeros((0, columns))
    for start in range(0, rows.shape[0], _BATCH):
        reduced = np.asarray(np.linalg.qr(np.vstack([reduced, rows[start : start + _BATCH]]), mode="r"))
    norms = np.linalg.norm(reduced, axis=0)
    kept = 0
    for j in range(columns):
        length = np.linalg.norm(reduced[:, j])
        if norms[j] == 0 or length < RANK_TOLERANCE * norms[j]:
            continue
        kept += 1
        if kept == reduced.shape[0]:
            break
        direction = reduced[:, j] / length
        reduced[:, j + 1 :] -= np.outer(direction, direction @ reduced[:, j + 1 :])
    return kept


def certainly_full_each(stack: Floats) -> npt.NDArray[np.bool_]:
    """For each matrix of a stack (matrices x rows x columns), whether its rank is full with room to spare."""
    if stack.shape[1] < stack.shape[2]:
        return np.zeros(stack.shape[0], dtype=bool)
    diagonal = np.abs(np.diagonal(np.linalg.qr(stack, mode="r"), axis1=1, axis2=2))
    return np.asarray((diagonal > CERTAIN * np.linalg.norm(stack, axis=1)).all(axis=1))


def rank_each(stack: Floats, records: Integers) -> Integers:
    """`rank` of each matrix of a stack; matrix i has `records[i]` rows, its other rows are zero.

    One stacked QR settles every matrix whose first min(records, columns) columns are independent; only those with
    repeated or proportional rows or columns are looked at one by one.
    """
    columns = stack.shape[2]
    norms = np.linalg.norm(stack, axis=1)
    diagonal = np.abs(np.diagonal(np.linalg.qr(stack, mode="r"), axis1=1, axis2=2))
    kept = diagonal >= RANK_TOLERANCE * norms[:, : diagonal.shape[1]]
    kept &= norms[:, : diagonal.shape[1]] > 0
    wanted = np.minimum(records, columns)
    generic = (kept | (np.arange(diagonal.shape[1]) >= wanted[:, None])).all(axis=1)
    out = wanted.copy()
    for i in np.flatnonzero(~generic):
        out[i] = rank(stack[i])
    return out
