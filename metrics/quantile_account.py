"""The account of one quantile: its PUMAs, the running weight around it, Woodruff's interval, and the thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import polars as pl

from metrics.acs_window import Window
from metrics.allocation import SCALE
from metrics.areas import PUMA_KEY
from metrics.explanation import Cell, Decision, Explanation
from metrics.quantiles import QuantileSpec, quantile_estimates
from metrics.replication import Weights
from metrics.survey_account import area_notes, filter_steps, in_area, member_of, sample_decisions


@dataclass(frozen=True)
class Position:
    """Where a quantile lies: different values `x` in order, running weights `upto`, position `at` of the answer.

    `reached` is k, the number of values whose running weight does not exceed p * W; `tie` says that value k reaches
    p * W exactly and k is even.
    """

    x: list[float]
    upto: list[int]
    at: int
    reached: int
    tie: bool


def hf3(values: pl.DataFrame, p: Fraction) -> Position | None:
    """The hf3 rule, value by value. `values` has value and weight (integers, of records or sums); None without weight.

    Method file acs_microdata.md, section 8.
    """
    table = values.filter(pl.col("weight") != 0).group_by("value").agg(pl.col("weight").sum()).sort("value")
    if table.is_empty():
        return None
    x, upto = table["value"].to_list(), table["weight"].cum_sum().to_list()
    target = p * upto[-1]
    reached = sum(c <= target for c in upto)
    tie = reached > 0 and reached % 2 == 0 and upto[reached - 1] == target
    # Value k + 1, counted from 1; value 2 even if the first one alone exceeds the target.
    at = reached - 1 if tie else min(max(reached, 1), len(x) - 1)
    return Position(x, upto, at, reached, tie)


def explain_quantile(
    cell: Cell,
    spec: QuantileSpec,
    window: Window,
    *,
    weights: Weights,
    tables: tuple[str, ...],
) -> Explanation:
    """Follow one figure of `quantile_estimates` back to its PUMAs.

    `inputs` has one row per PUMA of the geography: state, puma, puma_vintage, afact, records, weight (of the group's
    records, before allocation) and at_or_below (the weight of those at or below the quantile; null if it is missing).
    """
    grouping = next(g for g in spec.groupings if g.kind == cell.subgroup_type)
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    pairs = window.allocation.filter(here).sort("puma_vintage", "puma").collect()
    chosen = in_area(window, pairs, spec.filters)
    member = member_of(grouping, cell)

    # A quantile and its degrees of freedom rest on the records of the area alone.
    alone = replace(spec, groupings=(grouping,), probabilities={cell.metric: spec.probabilities[cell.metric]})
    found = quantile_estimates(chosen, pairs, alone, weights=weights, sample=cell.sample, detail=True)
    found = found.filter(pl.col("subgroup") == cell.subgroup)
    row = found.row(0, named=True) if found.height else None

    records = (
        chosen.filter(member)
        .select(*PUMA_KEY, spec.value.cast(pl.Float64).alias("value"), pl.col(weights.full).cast(pl.Int64))
        .collect(engine="streaming")
    )
    factor = pl.col("afact_10k") if pairs.height > 1 else pl.lit(1, dtype=pl.Int64)
    allocated = records.join(pairs.select(*PUMA_KEY, "afact_10k"), on=PUMA_KEY, how="inner", validate="m:1")
    stands = row is not None and row["value"] is not None
    position = (
        hf3(allocated.select("value", (pl.col(weights.full) * factor).alias("weight")), spec.probabilities[cell.metric])
        if stands
        else None
    )
    value = position.x[position.at] if position else None
    weight = pl.col(weights.full)
    below = pl.lit(False) if value is None else pl.col("value") <= value
    sums = records.group_by(PUMA_KEY).agg(
        pl.len().cast(pl.Int64).alias("records"),
        weight.sum().alias("weight"),
        weight.filter(below).sum().alias("at_or_below"),
    )
    inputs = pairs.select(*PUMA_KEY, "afact").join(sums, on=PUMA_KEY, how="left", validate="1:1")
    inputs = inputs.with_columns(pl.col("records", "weight", "at_or_below").fill_null(0))
    if value is None:
        inputs = inputs.with_columns(pl.lit(None, dtype=pl.Int64).alias("at_or_below"))
    return Explanation(
        formula=_formula(cell, position, spec.probabilities[cell.metric], pairs.height),
        recomputed=value,
        inputs=inputs,
        tables=tables,
        steps=filter_steps(cell, spec.filters, window, chosen, member),
        decisions=(*sample_decisions(row, pairs), *_decisions(row, position)),
        notes=area_notes(cell, window, pairs, spec.filters, grouping),
    )


def _formula(cell: Cell, position: Position | None, p: Fraction, pumas: int) -> str:
    if position is None:
        return f"{cell.metric} = missing" + ("" if pumas else ": no PUMA lies in the area")
    unit = SCALE if pumas > 1 else 1
    total = position.upto[-1]

    def amount(weight: float) -> str:
        return f"{weight / unit:,.10g}"

    at = position.at
    below = f"{amount(position.upto[at - 1])} up to {position.x[at - 1]:,.10g}, " if at else ""
    return (
        f"{cell.metric} = {position.x[at]:.10g}: of {amount(total)} weighted records, {below}"
        f"{amount(position.upto[at])} up to {position.x[at]:,.10g}; wanted {float(p):g} x {amount(total)} = "
        f"{amount(float(p * total))}"
    )


def _decisions(row: dict[str, Any] | None, position: Position | None) -> tuple[Decision, ...]:
    if row is None or position is None:
        return ()
    k = position.reached
    if position.tie:
        outcome = "income k reaches the wanted weight exactly and k is even: income k"
    elif k == 0:
        outcome = "even the lowest income exceeds the wanted weight: the second one all the same"
        outcome = outcome if len(position.x) > 1 else "there is only one income"
    else:
        outcome = f"income {k + 1}" if k < len(position.x) else "the highest income"
    decisions = [
        Decision(
            f"k, how many of the {len(position.x)} different incomes, from the lowest up, weigh no more than wanted",
            float(k),
            "income k + 1 is the percentile; income k if it reaches the wanted weight exactly and k is even "
            "(Hyndman and Fan's third definition)",
            outcome,
        )
    ]
    if "df" in row:
        t = row["t"]
        decisions.append(
            Decision(
                "degrees of freedom (rank of the cell's replicate weights - 1)",
                float(row["df"]),
                "below 1 -> no interval",
                "no interval" if t is None else f"t = {t:.6f}",
            )
        )
        for end, sign in (("lb", "-"), ("ub", "+")):
            probability, bound = row[f"woodruff_p_{end}"], row[end]
            decisions.append(
                Decision(
                    f"share of households at {end}: {row['woodruff_f']:.10g} (at or below the figure) {sign} t x "
                    f"{row['woodruff_se']:.10g} (its standard error)",
                    probability,
                    "below 0 or above 1 -> this bound is missing; else the income at this share (Woodruff's interval)",
                    "the bound is missing" if bound is None else f"{end} = {bound}",
                )
            )
    return tuple(decisions)
