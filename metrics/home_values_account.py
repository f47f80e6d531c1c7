"""The account of one figure of housing wealth: formula, filter steps, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from metrics.allocation import SCALE
from metrics.areas import MINIMUM_SAMPLE
from metrics.explanation import Cell, Decision, Step, allocation_decision
from metrics.home_values import AGE, HOUSEHOLDS, OWNED, RACE, RACES
from schemas.labels import HOUSEHOLDER_AGE

_SUMS: Final = ("group_value", "all_value", "group_households", "all_households")


def _pooled(inputs: pl.DataFrame, factors: Sequence[int]) -> tuple[int, ...]:
    """The four sums of the area, in whole numbers (times the unit of the factors)."""
    columns = (inputs[name].to_list() for name in _SUMS)
    return tuple(sum(f * n for f, n in zip(factors, column, strict=True)) for column in columns)


def recomputed(metric: str, inputs: pl.DataFrame, factors: Sequence[int]) -> float:
    """The figure once more, from the rows of the account."""
    # Converted before they are divided, as arrays of whole numbers are.
    group_value, all_value, group_households, all_households = map(float, _pooled(inputs, factors))
    if metric.startswith("share_house_value"):
        return group_value / all_value
    if metric.startswith("share_households"):
        return group_households / all_households
    return (group_value / all_value) / (group_households / all_households)


def formula(metric: str, inputs: pl.DataFrame, factors: Sequence[int], value: float | None) -> str:
    """The shares with their numbers; sums over the area's PUMAs, times `afact`."""
    sums = _pooled(inputs, factors)
    if len(factors) > 1:
        sums = tuple(round(n / SCALE) for n in sums)
    group_value, all_value, group_households, all_households = (f"{n:,}" for n in sums)
    result = f"{metric} is withheld; it would be" if value is None else f"{metric} = {value:.10g} ="
    of_value = f"{group_value} / {all_value} dollars"
    of_households = f"{group_households} / {all_households} households"
    if metric.startswith("share_house_value"):
        return f"{result} {of_value}"
    if metric.startswith("share_households"):
        return f"{result} {of_households}"
    return f"{result} ({of_value}) / ({of_households})"


def steps(cell: Cell, race: str, everything: pl.LazyFrame, local: pl.LazyFrame) -> tuple[Step, ...]:
    """How the records of the file become the group's owners."""
    units, households = (
        everything.select(pl.len().alias("units"), HOUSEHOLDS.sum().alias("households"))
        .collect(engine="streaming")
        .row(0)
    )
    everybody = cell.subgroup_type == "all"
    of_age = HOUSEHOLDS if everybody else AGE.eq(HOUSEHOLDER_AGE.index(cell.subgroup))
    of_race = of_age & RACE.eq(list(RACES).index(race))
    here, aged, group, owners = (
        local.filter(HOUSEHOLDS)
        .select(
            pl.len().alias("here"),
            of_age.fill_null(False).sum().alias("aged"),
            of_race.fill_null(False).sum().alias("group"),
            (of_race & OWNED).fill_null(False).sum().alias("owners"),
        )
        .collect()
        .row(0)
    )
    found = [
        Step("households (GQ 1, 2, 5)", units, households),
        Step(f"PUMAs that touch {cell.level} {cell.state}{cell.geo}", households, here),
    ]
    if not everybody:
        found.append(Step(f"householders: {cell.subgroup}", here, aged))
    found.append(Step(f"householders: {RACES[race]}", aged, group))
    found.append(Step("owners of a home of known value", group, owners))
    return tuple(found)


def decisions(
    metric: str, owners: float, households: float, value: float | None, pairs: pl.DataFrame, *, owed: bool
) -> tuple[Decision, ...]:
    """The effective samples that the metric rests on, and the quality of the allocation."""
    if owed:
        return (Decision("records of householders", 0.0, "none in the state -> missing", "the value is missing"),)
    samples = {"owners": owners, "households": households}
    if metric.startswith("share_house_value"):
        del samples["households"]
    elif metric.startswith("share_households"):
        del samples["owners"]
    passed = [
        Decision(
            f"effective sample of the group's {who} (sum of afact)",
            effective,
            f"below {MINIMUM_SAMPLE} -> missing",
            "the value is missing" if effective < MINIMUM_SAMPLE else "the value stands",
        )
        for who, effective in samples.items()
    ]
    if value is not None:
        passed.append(allocation_decision(pairs))
    return tuple(passed)


def notes(pairs: pl.DataFrame) -> tuple[str, ...]:
    """What to know beside the numbers."""
    told = ["Sums are over the area's PUMAs, each times its afact, which cancels where there is but one."]
    if pairs["quality"][0] != pairs["quality_reference"][0]:
        told.append(f"The reference's flag of its allocation table is {pairs['quality_reference'][0]}.")
    return tuple(told)
