"""What a predictor says about one of its figures, so that an auditor can follow it back to the sources."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Cell:
    """One published figure: the key of `Estimate`."""

    year: int
    level: str
    state: str
    geo: str
    subgroup_type: str
    subgroup: str
    metric: str
    sample: str


@dataclass(frozen=True)
class Step:
    """A filter or join on the way: how many rows went in and came out."""

    name: str
    rows_in: int
    rows_out: int
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """A threshold that was applied: the figure, the rule it was compared with, and what followed."""

    name: str
    figure: float | None
    rule: str
    outcome: str


def allocation_decision(pairs: pl.DataFrame, reason: str | None = None) -> Decision:
    """The quality of an area's allocation; `pairs` are its PUMAs with sum_products and quality, alike in each row."""
    quality = pairs["quality"][0]
    return Decision(
        "allocation quality (sum of afact x afact2)",
        float(pairs["sum_products"][0]),
        "0.75 or more -> 1, 0.35 or more -> 2, else 3",
        f"quality {quality}" + (f", {reason}" if reason is not None else ""),
    )


def weakest(*graded: Decision) -> tuple[Decision, ...]:
    """Decisions that each end in "quality 1" to "quality 3", and the one that follows: the weakest of them."""
    worst = max(int(d.outcome.removeprefix("quality ")) for d in graded)
    return (
        *graded,
        Decision("quality of the figure", float(worst), "the weakest of the grades above", f"quality {worst}"),
    )


@dataclass(frozen=True)
class Explanation:
    """The account of one figure.

    `formula` has the numbers filled in. `recomputed` is the figure worked out again from `inputs` (null if it is
    missing). `inputs` has one row per input group (PUMA, tract, agency, wage cell) with its weight. `tables` names the
    input tables used, so that the source files can be looked up.
    """

    formula: str
    recomputed: float | None
    inputs: pl.DataFrame
    tables: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)
