"""Limits of a rate that rests on a count of deaths, as the National Center for Health Statistics computes them."""

from __future__ import annotations

from typing import Final

import polars as pl

# From this many deaths on, the normal approximation is used.
NORMAL_FROM: Final = 100
Z: Final = 1.96


def bounds(deaths: pl.Expr, rate: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Lower and upper 95 % bound of `rate` with `deaths` deaths behind it.

    Below 100 deaths the exact limits of a Poisson count (chi-square), else rate -/+ 1.96 rate / sqrt(deaths). Without
    deaths there are no bounds: the rate, 0, says nothing about them.
    """
    low, high = _exact_factors()
    half = Z * rate / deaths.sqrt()

    def bound(exact: dict[int, float], normal: pl.Expr) -> pl.Expr:
        factor = deaths.replace_strict(exact, default=None, return_dtype=pl.Float64)
        return pl.when(deaths < NORMAL_FROM).then(rate * factor).otherwise(normal)

    return bound(low, rate - half), bound(high, rate + half)


def _exact_factors() -> tuple[dict[int, float], dict[int, float]]:
    """Deaths -> limit of the count / count, for 1 to 99 deaths.

    Half the quantile of chi-square with 2k degrees of freedom is the quantile of the gamma distribution with shape k.
    """
    from scipy.special import gammaincinv

    counts = range(1, NORMAL_FROM)
    low = {d: float(gammaincinv(d, 0.025)) / d for d in counts}
    high = {d: float(gammaincinv(d + 1, 0.975)) / d for d in counts}
    return low, high
