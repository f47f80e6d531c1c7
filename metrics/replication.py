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

# fmt: off
_T_975: Final = np.array((
    np.nan,
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146,
    2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274,
    2.200985160091639, 2.1788128296672284, 2.1603686564627913, 2.144786687917804, 2.131449545559776,
    2.1199052992212546, 2.1098155778333156, 2.1009220402410382, 2.0930240544083087, 2.085963447265864,
    2.0796138447276795, 2.0738730679040254, 2.0686576104190486, 2.0638985616280245, 2.0595385527532972,
    2.0555294386428735, 2.0518305164802846, 2.0484071417952454, 2.045229642132703, 2.0422724563012378,
    2.039513446396408, 2.0369333434601016, 2.0345152974493383, 2.0322445093177186, 2.030107928250343,
    2.0280940009804502, 2.0261924630291093, 2.0243941639119694, 2.022690920036761, 2.021075390306273,
    2.019540970441376, 2.0180817028184443, 2.016692199227824, 2.0153675744437636, 2.014103388880846,
    2.012895598919429, 2.0117405137297655, 2.010634757624232, 2.0095752371292392, 2.008559112100761,
    2.007583770315836, 2.006646805061688, 2.0057459953178687, 2.0048792881880564, 2.0040447832891455,
    2.003240718847872, 2.002465459291007, 2.0017174841452356, 2.000995378088267, 2.0002978220142604,
    1.999623584994939, 1.9989715170333788, 1.998340542520741, 1.997729654317693, 1.9971379083920038,
    1.9965644189523117, 1.996008354025296, 1.9954689314298435, 1.9949454151072374, 1.994437111771186,
    1.9939433678456255, 1.9934635666618719, 1.992997125889855, 1.992543495180932, 1.9921021540022417,
    1.9916726096446642, 1.9912543953883846, 1.9908470688116906, 1.9904502102301285,
))
# fmt: on
"""The 0.975 quantile of Student's t for 0 to 79 degrees of freedom, all that 80 replicates can have (a test compares
them with `scipy.special.stdtrit`). The library takes longer to import than national bounds take to compute."""


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
    if df.max(initial=0) < _T_975.size:
        return np.asarray(_T_975[np.maximum(df, 0)])
    from scipy.special import stdtrit

    return np.where(df >= 1, stdtrit(np.maximum(df, 1).astype(np.float64), 0.975), np.nan)


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
