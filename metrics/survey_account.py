"""The account of one share: its PUMAs with factors and sums, the filters, and the thresholds that decided.

Steps, thresholds and notes that quantiles have as well are public here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import polars as pl

from metrics.acs_owed import lacking
from metrics.acs_window import Window
from metrics.allocation import SCALE
from metrics.areas import MINIMUM_SAMPLE, PUMA_KEY
from metrics.cells import Filter, Grouping, Sample, universe
from metrics.explanation import Cell, Decision, Explanation, Step, allocation_decision
from metrics.replication import Weights
from metrics.survey import ShareSpec, share_estimates

_SHOWN: Final = 6
"""PUMAs written out in the formula; all of them stand in the inputs."""


def explain_share(
    cell: Cell,
    spec: ShareSpec,
    window: Window,
    *,
    weights: Weights,
    tables: tuple[str, ...],
) -> Explanation:
    """Follow one figure of `share_estimates` back to its PUMAs.

    `inputs` has one row per PUMA of the geography: state, puma, puma_vintage, afact, afact2, records, and numerator and
    denominator (weights of records with the outcome and of all records of the group, before allocation).
    """
    grouping = next(g for g in spec.groupings if g.kind == cell.subgroup_type)
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    pairs = window.allocation.filter(here).sort("puma_vintage", "puma").collect()
    member = member_of(grouping, cell)
    chosen = in_area(window, pairs, spec.filters)
    weight = pl.col(weights.full).cast(pl.Int64)
    sums = (
        chosen.filter(member)
        .group_by(PUMA_KEY)
        .agg(
            pl.len().cast(pl.Int64).alias("records"),
            (weight * spec.outcome).sum().alias("numerator"),
            weight.sum().alias("denominator"),
        )
        .collect(engine="streaming")
    )
    inputs = pairs.select(*PUMA_KEY, "afact", "afact2", "afact_10k").join(sums, on=PUMA_KEY, how="left", validate="1:1")
    inputs = inputs.with_columns(pl.col("records", "numerator", "denominator").fill_null(0))

    state = window.records.filter(pl.col("state") == cell.state)
    areas = window.allocation.filter(pl.col("state") == cell.state)
    alone = replace(spec, groupings=(grouping,))
    found = share_estimates(state, areas, [alone], weights=weights, sample=cell.sample, detail=True).filter(
        here & (pl.col("subgroup") == cell.subgroup)
    )
    row = found.row(0, named=True) if found.height else None
    recomputed = _ratio(inputs) if row is not None and row["value"] is not None else None
    return Explanation(
        formula=_formula(cell, inputs, recomputed),
        recomputed=recomputed,
        inputs=inputs.drop("afact_10k"),
        tables=tables,
        steps=filter_steps(cell, spec.filters, window, chosen, member),
        decisions=(*sample_decisions(row, pairs, spec.suppress_by), *_interval(row)),
        notes=area_notes(cell, window, pairs, spec.filters, grouping),
    )


def member_of(grouping: Grouping, cell: Cell) -> pl.Expr:
    """Whether a record belongs to the cell's group."""
    return grouping.code == grouping.labels.index(cell.subgroup)


def in_area(window: Window, pairs: pl.DataFrame, filters: tuple[Filter, ...]) -> pl.LazyFrame:
    """The universe's records in the PUMAs of one geography, in the order of the file."""
    # By vintage, as a code of one may be that of another area in the next.
    of_area = [
        pl.lit(False),
        *(
            pl.col("state").is_in(of_vintage["state"].unique().implode())
            & (pl.col("puma_vintage") == vintage)
            & pl.col("puma").is_in(of_vintage["puma"].unique().implode())
            for (vintage,), of_vintage in pairs.group_by("puma_vintage", maintain_order=True)
        ),
    ]
    return window.records.filter(pl.any_horizontal(of_area)).filter(universe(filters))


def _ratio(inputs: pl.DataFrame) -> float | None:
    factor = inputs["afact_10k"] if inputs.height > 1 else 1
    numerator = int((inputs["numerator"] * factor).sum())
    denominator = int((inputs["denominator"] * factor).sum())
    return numerator / denominator if denominator else None


def _formula(cell: Cell, inputs: pl.DataFrame, value: float | None) -> str:
    result = f"{cell.metric} is withheld; it would be" if value is None else f"{cell.metric} = {value:.10g} ="
    if inputs.height == 0:
        return f"{cell.metric} is missing: no PUMA lies in the area"
    if inputs.height == 1:
        whole = f"{inputs['numerator'][0]:,} / {inputs['denominator'][0]:,}"
        return f"{result} {whole} (one PUMA: its factor {inputs['afact'][0]:.4f} cancels)"

    def side(column: str) -> str:
        terms = [f"{a:.4f} x {n:,}" for a, n in inputs.select("afact", column).head(_SHOWN).iter_rows()]
        more = [f"... ({inputs.height - _SHOWN} more PUMAs)"] if inputs.height > _SHOWN else []
        return " + ".join(terms + more)

    def total(column: str) -> str:
        return f"{int((inputs[column] * inputs['afact_10k']).sum()) / SCALE:,.10g}"

    sums = f"{total('numerator')} / {total('denominator')}"
    return f"{result} {sums} = ({side('numerator')}) / ({side('denominator')})"


def filter_steps(
    cell: Cell, filters: tuple[Filter, ...], window: Window, chosen: pl.LazyFrame, member: pl.Expr
) -> tuple[Step, ...]:
    """From the records of the file to those of the cell. `chosen` are the universe's records in the cell's PUMAs."""
    kept, counts = pl.lit(True), [pl.len().alias("all")]
    for i, step in enumerate(filters):
        kept = kept & step.keep.fill_null(False)
        counts.append(kept.sum().alias(f"filter {i}"))
    national = window.records.select(counts).collect(engine="streaming").row(0)
    local = chosen.select(pl.len().alias("all"), member.fill_null(False).sum().alias("group")).collect()
    lost = int(window.left_out["records"].sum())
    steps = [Step("records of the file", national[0] + lost, national[0] + lost)]
    if lost:
        years = " and ".join(str(y) for y in window.left_out["survey_year"].unique().sort())
        note = f"interviews of {years} are coded to PUMAs of the 2000 census, for which no table is at hand"
        steps.append(Step("PUMAs with a crosswalk", national[0] + lost, national[0], note))
    for step, before, after in zip(filters, national[:-1], national[1:], strict=True):
        steps.append(Step(step.name, before, after))
    steps.append(Step(f"PUMAs that touch {cell.level} {cell.state}{cell.geo}", national[-1], local["all"][0]))
    if cell.subgroup_type != "all":
        steps.append(Step(f"of group {cell.subgroup}", local["all"][0], local["group"][0]))
    return tuple(steps)


def sample_decisions(
    row: dict[str, Any] | None, pairs: pl.DataFrame, suppress_by: Sample = "n_effective"
) -> tuple[Decision, ...]:
    """Whether the sample suffices, and the quality of the allocation. `row` are the cell's figures."""
    if row is None or pairs.height == 0:
        return (Decision("PUMAs of the area with records in the file", 0.0, "none -> missing", "the value is missing"),)
    names = {"n_effective": "effective sample (sum of afact over records)", "n": "records of the group in the PUMAs"}
    enough = row[suppress_by] >= MINIMUM_SAMPLE
    decisions = [
        Decision(
            names[suppress_by],
            float(row[suppress_by]),
            f"below {MINIMUM_SAMPLE} -> missing",
            "the value stands" if enough else "the value is missing",
        )
    ]
    if row["value"] is not None:
        lowered = pairs["quality"][0] != 1
        decisions.append(allocation_decision(pairs, row["reason"] if lowered else None))
    return tuple(decisions)


def _interval(row: dict[str, Any] | None) -> tuple[Decision, ...]:
    if row is None or row["value"] is None or "df" not in row:
        return ()
    t = row["t"]
    return (
        Decision(
            "degrees of freedom (rank of the state's replicate weights - 1)",
            float(row["df"]),
            "below 1 -> no interval; else value -/+ t x se, cut to 0 and 1",
            ("no interval" if t is None else f"t = {t:.6f}")
            + f", se = {row['se']}, lb = {row['lb']}, ub = {row['ub']}",
        ),
    )


def area_notes(
    cell: Cell, window: Window, pairs: pl.DataFrame, filters: tuple[Filter, ...], grouping: Grouping
) -> tuple[str, ...]:
    """Period of the interviews, and what is special about the area, its flag and its state's files."""
    notes = [f"Interviews of {window.reference_period}."]
    if window.left_out.height:
        notes.append("Weighted sums are those of the interviews that are left; they are not scaled up to five years.")
    owed = lacking(window.records.filter(pl.col("state") == cell.state), filters, [grouping])
    if owed.height:
        columns = ", ".join(owed["column"].str.to_uppercase())
        notes.append(f"No file at hand tells {columns} in state {cell.state}, so this group's figures are owed.")
    if pairs.height and pairs["quality"][0] != pairs["quality_reference"][0]:
        notes.append(
            f"The reference publishes quality {pairs['quality_reference'][0]}: its second allocation factor was worked "
            "out for the place code across all states."
        )
    if pairs.height > 1:
        notes.append(f"Weights are multiplied by afact in units of 1/{SCALE:,}, so sums are exact.")
    return tuple(notes)
