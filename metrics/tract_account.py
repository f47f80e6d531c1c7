"""The account of a figure made from tracts: which tracts, on which way, and the thresholds it had to pass."""

from __future__ import annotations

import polars as pl

from metrics.explanation import Cell, Decision, Step
from metrics.tracts import COVERAGE, MARGINAL_CV, SCALE, SMALL, WEAK_CV, Z90, allocate


def members_of(
    cell: Cell, tracts: pl.DataFrame, tract_place: pl.DataFrame | None
) -> tuple[pl.DataFrame, tuple[Step, ...]]:
    """The tracts of the cell's area (columns as in `metrics.tracts.allocate`) and how they were found."""
    of_state = tracts.filter(pl.col("state") == cell.state)
    factors = None if tract_place is None else tract_place.filter(pl.col("state") == cell.state)
    here = (pl.col("level") == cell.level) & (pl.col("geo") == cell.geo)
    members = allocate(of_state, factors).filter(here)
    with_data = members.filter("has_data")
    source = "county code of the tract" if cell.level == "county" else "tract-to-place factors"
    return members, (
        Step("tracts of the state", tracts.height, of_state.height),
        Step(f"tracts of the {cell.level}", of_state.height, members.height, source),
        Step("tracts with figures", members.height, with_data.height),
    )


def decisions(members: pl.DataFrame, people: pl.Expr, variance: pl.Expr, who: str) -> tuple[Decision, ...]:
    """The thresholds of `metrics.tracts.graded`, worked out again from the tracts of one area.

    `people` and `variance` are a tract's people of the group and their squared margin of error; `who` names them.
    """
    data = members.filter("has_data")
    shares = int(members["share"].sum())
    coverage = int(data["share"].sum()) / shares if shares else None
    found = [
        Decision(
            "tracts of the area with figures",
            coverage,
            f"at least {COVERAGE:.0%}",
            "no figure" if coverage is None or coverage < COVERAGE else "enough",
        )
    ]
    unknown = data.select(people.is_null().sum()).item()
    if unknown:
        found.append(Decision("tracts whose count the agency does not give", unknown, "none", "no figure"))
        return tuple(found)
    share = pl.col("share") / SCALE
    count, squares = data.select((share * people).sum().alias("a"), (share * variance).sum().alias("b")).row(0)
    small = count <= SMALL
    found.append(Decision(f"number of {who}", count, f"more than {SMALL}", "no figure" if small else "enough"))
    if not small:
        cv = squares**0.5 / Z90 / count
        quality = 1 if cv < MARGINAL_CV else 2 if cv < WEAK_CV else 3
        rule = f"below {MARGINAL_CV} is quality 1, below {WEAK_CV} quality 2, else 3"
        found.append(Decision(f"coefficient of variation of the number of {who}", cv, rule, f"quality {quality}"))
    return tuple(found)
