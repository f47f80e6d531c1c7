"""The account of one figure of housing affordability: formula, filter steps, thresholds, where the limit comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from metrics.affordable_homes import OCCUPIED, OWNERSHP, SHARE_FOR_HOUSING, VACANT
from metrics.areas import MINIMUM_SAMPLE
from metrics.explanation import Cell, Decision, Explanation, Step, allocation_decision
from metrics.income_limits import LIMITS, area_limits

_SHOWN: Final = 6
"""PUMAs, towns or counties written out; all PUMAs stand in the inputs."""


def no_puma(cell: Cell, tables: tuple[str, ...]) -> Explanation:
    """The account of an area that the allocation does not know."""
    decision = Decision("PUMAs of the area", 0.0, "none -> missing", "the value is missing")
    text = f"{cell.metric} is missing: no PUMA lies in the area"
    return Explanation(text, None, pl.DataFrame(), tables, (), (decision,))


def recomputed(inputs: pl.DataFrame, factors: Sequence[int]) -> float:
    """The figure once more, from the rows of the account: a quotient of whole numbers."""
    rows = inputs.select("occupied", "vacant", "low_income").rows()
    homes = sum(factor * (occupied + vacant) for factor, (occupied, vacant, _) in zip(factors, rows, strict=True))
    low_income = sum(factor * low for factor, (_, _, low) in zip(factors, rows, strict=True))
    return float(homes / low_income)


def formula(metric: str, inputs: pl.DataFrame, value: float | None) -> str:
    """The ratio with its numbers, PUMA by PUMA."""
    result = f"{metric} is withheld; it would be" if value is None else f"{metric} = {value:.10g} ="
    rows_shown = inputs.select("afact", "occupied", "vacant", "low_income").rows()
    if len(rows_shown) == 1:
        _, occupied, vacant, low = rows_shown[0]
        return f"{result} ({occupied:,} occupied + {vacant:,} vacant) / {low:,} (one PUMA, its factor cancels)"
    top = " + ".join(f"{a:.4f} x ({o:,} + {v:,})" for a, o, v, _ in rows_shown[:_SHOWN])
    bottom = " + ".join(f"{a:.4f} x {low:,}" for a, _, _, low in rows_shown[:_SHOWN])
    more = f" + ... ({len(rows_shown) - _SHOWN} more PUMAs)" if len(rows_shown) > _SHOWN else ""
    return f"{result} ({top}{more}) / ({bottom}{more})"


def steps(cell: Cell, everything: pl.LazyFrame, local: pl.LazyFrame, low_income: int, percent: int) -> tuple[Step, ...]:
    """How the records of the file become the homes and households that are counted."""
    national = everything.select(pl.len(), OCCUPIED.sum().alias("occupied"), VACANT.sum().alias("vacant"))
    units, occupied, vacant = national.collect(engine="streaming").row(0)
    here = local.select(OCCUPIED.sum().alias("occupied"), VACANT.sum().alias("vacant")).collect().row(0)
    households = local.filter(OCCUPIED)
    if cell.subgroup_type == "tenure":
        households = households.filter(pl.col("ownershp") == OWNERSHP[cell.subgroup])
    group = households.select(pl.len()).collect().item()
    where = f"PUMAs that touch {cell.level} {cell.state}{cell.geo}"
    return (
        Step("occupied homes (GQ 1, 2)", units, occupied),
        Step(f"occupied homes in {where}", occupied, here[0]),
        Step(f"households: {cell.subgroup}", here[0], group),
        Step(f"households at or below the {percent} percent limit", group, low_income),
        Step("vacant homes for rent, for sale, rented or sold", units, vacant),
        Step(f"vacant homes in {where}", vacant, here[1]),
    )


def decisions(
    percent: int, limit: float, effective: float, value: float | None, pairs: pl.DataFrame
) -> tuple[Decision, ...]:
    """The income limit, the effective sample, and the quality of the allocation."""
    if np.isnan(limit):
        return (Decision("income limit", None, "none -> missing", "the value is missing"),)
    passed = [
        Decision(
            f"income limit ({percent} percent), dollars a year",
            limit,
            f"income at or below it is low; a home at up to {SHARE_FOR_HOUSING:.0%} of it is affordable",
            f"homes of up to {SHARE_FOR_HOUSING * limit / 12:,.2f} dollars a month are affordable",
        ),
        Decision(
            "effective sample (sum of afact over low-income households)",
            effective,
            f"below {MINIMUM_SAMPLE} -> missing",
            "the value is missing" if value is None else "the value stands",
        ),
    ]
    if value is not None:
        passed.append(allocation_decision(pairs))
    return tuple(passed)


def notes(
    cell: Cell,
    percent: int,
    pairs: pl.DataFrame,
    upkeep: float,
    hud_income_limits: pl.LazyFrame,
    county_place: pl.LazyFrame | None,
) -> tuple[str, ...]:
    """Where the limit comes from, the factor from contract to gross rent, and the reference's flag if it differs."""
    column, state = LIMITS[percent], pl.col("state") == cell.state
    if cell.level == "county":
        limits = hud_income_limits.filter(state, pl.col("county") == cell.geo).sort("hud_code").collect()
        listed = [f"{name} {limit:,}" for name, limit in limits.select("name", column).head(_SHOWN).iter_rows()]
        source = f"The limit is that of HUD's list, a plain mean if it has several entries ({limits.height})"
        more = limits.height - _SHOWN
    elif county_place is None:
        raise ValueError("the overlaps of counties and places are needed to explain a place's figure")
    else:
        parts = county_place.filter(state, pl.col("place") == cell.geo).sort("county").collect()
        counties = area_limits(hud_income_limits, None).filter(state)
        parts = parts.join(counties, left_on=["state", "county"], right_on=["state", "geo"], how="left", validate="m:1")
        listed = [
            f"county {county} {limit:,.0f} ({people:,} people)" if limit is not None else f"county {county} none"
            for county, limit, people in parts.select("county", column, "population").head(_SHOWN).iter_rows()
        ]
        source = "The limit is the mean of those of the place's counties, weighted by its people in each"
        more = parts.height - _SHOWN
    shown = ", ".join([*listed, *([f"{more} more"] if more > 0 else [])])
    told = [f"{source}: {shown}."]
    if not np.isnan(upkeep):
        told.append(f"Vacant rentals: asked rent x {upkeep:.6f}, the mean ratio of gross to contract rent here.")
    if pairs["quality"][0] != pairs["quality_reference"][0]:
        told.append(f"The reference publishes quality {pairs['quality_reference'][0]} for this place and period.")
    return tuple(told)
