"""The account of one figure on homeless students: its districts, the formula, the rules in their order."""

from __future__ import annotations

from typing import Any

import polars as pl

from metrics.city_fit import LEAST_FIT, MOST_FIT
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.homeless_counts import areas, bounded, enrolled, located
from metrics.homeless_rules import (
    FEW_ENROLLED,
    FEW_HOMELESS,
    LEAST_TOTAL,
    MARGINAL_UP_TO,
    RACES_ADD_UP,
    SMALLEST_GROUP,
    STRONG_UP_TO,
    judged,
)
from metrics.shared import ROUGH_PLACES
from schemas.labels import ALL


def account(
    cell: Cell,
    homeless_lea: pl.LazyFrame,
    lea_directory: pl.LazyFrame,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    *,
    is_count: bool,
) -> Explanation:
    """The account of a count (`is_count`) or share; groups if `lea_enrollment` is given.

    `inputs` has one row per district: leaid, city, enrollment (of the group), count, lb, ub, withheld, weight (0 for a
    district that enrolls nobody).
    """
    by_race = lea_enrollment is not None
    place = located(homeless_lea, lea_directory, spine).filter(pl.col("level") == cell.level)
    here = place.filter(pl.col("state") == cell.state, pl.col("geo") == cell.geo)
    numbers = bounded(homeless_lea, by_race=by_race).filter(pl.col("subgroup") == cell.subgroup)
    sizes = enrolled(lea_directory, lea_enrollment).filter(pl.col("subgroup") == cell.subgroup)
    offices = lea_directory.select("leaid", "city", everyone="enrollment").collect()
    enrolls = pl.col("everyone").fill_null(0) > 0
    inputs = (
        here.select("leaid")
        .join(offices, on="leaid", how="left", validate="1:1")
        .join(sizes.select("leaid", "enrollment"), on="leaid", how="left", validate="1:1")
        .join(numbers.drop("subgroup"), on="leaid", how="left", validate="1:1")
        .with_columns(weight=pl.when(enrolls).then(1.0).otherwise(0.0))
        .drop("everyone")
        .sort("leaid")
    )
    figures = judged(areas(homeless_lea, lea_directory, lea_enrollment, spine))
    mine = figures.filter(
        pl.col("level") == cell.level,
        pl.col("state") == cell.state,
        pl.col("geo") == cell.geo,
        pl.col("subgroup") == cell.subgroup,
    )
    figure = mine.row(0, named=True) if mine.height else None
    reporting = homeless_lea.select(pl.col("leaid").n_unique()).collect().item()
    known = homeless_lea.select("leaid").unique().join(lea_directory, on="leaid", how="semi").collect().height
    recomputed = _value(figure, inputs, is_count=is_count)
    return Explanation(
        formula=_formula(figure, inputs, recomputed, is_count=is_count),
        recomputed=recomputed,
        inputs=inputs,
        tables=("homeless_lea", "lea_directory", *(("lea_enrollment",) if by_race else ())),
        steps=(
            Step("reporting districts that the directory knows", reporting, known),
            Step(f"districts with their office in a {cell.level} of the list", known, place.height),
            Step(f"districts in {cell.state}{cell.geo}", place.height, here.height),
            Step(
                f"districts with a number for {cell.subgroup}",
                here.height,
                inputs.filter(pl.col("count").is_not_null()).height,
                "districts that enroll nobody count as zero",
            ),
        ),
        decisions=_decisions(cell, figure) if figure is not None else (),
        notes=(ROUGH_PLACES,) if cell.level == "place" else (),
    )


def _value(figure: dict[str, Any] | None, inputs: pl.DataFrame, *, is_count: bool) -> float | None:
    """The figure worked out again from its districts; None if it is withheld or has nothing to divide by."""
    if figure is None or figure["missing"] is not None:
        return None
    count = float((inputs["count"] * inputs["weight"]).sum())
    students = int(inputs["enrollment"].sum())
    if is_count:
        return count
    return count / students if students else None


def _formula(figure: dict[str, Any] | None, inputs: pl.DataFrame, value: float | None, *, is_count: bool) -> str:
    if figure is None:
        return "no reporting district, so no figure"
    counted = inputs["count"].drop_nulls().len()
    text = f"{figure['count']:,} students in {counted} {'district' if counted == 1 else 'districts'}"
    if not is_count:
        enrollment = figure["enrollment"]
        text += " / no enrollment" if enrollment is None else f" / {enrollment:,} enrolled"
    else:
        text += f" (withheld: {figure['withheld']}; bounds {figure['lb']:,} to {figure['ub']:,})"
    if figure["missing"] is not None:
        return f"{text}: withheld, {figure['missing']}"
    return f"{text} = {'missing' if value is None else f'{value:.8g}'}"


def _up_to(upper: float, lower: float, limit: tuple[int, int]) -> bool:
    """Whether upper / lower is at most the limit, a fraction, without rounding."""
    return upper * limit[1] <= lower * limit[0]


def _decisions(cell: Cell, figure: dict[str, Any]) -> tuple[Decision, ...]:
    """The rules in the order in which they are applied."""
    lb, ub, total, enrollment = (figure[k] for k in ("lb", "ub", "total", "enrollment"))
    ratio = ub / lb if lb else None
    by_bounds = 3 if not lb else 1 if _up_to(ub, lb, STRONG_UP_TO) else 2 if _up_to(ub, lb, MARGINAL_UP_TO) else 3
    some = "quality 3" if total < FEW_HOMELESS else "enough"
    found = [
        Decision(
            "upper over lower bound",
            ratio,
            "up to 1.05 -> 1, up to 1.1 -> 2, else (or no lower bound) 3",
            f"quality {by_bounds}",
        ),
        Decision(
            "homeless students in all groups",
            float(total),
            f"below {LEAST_TOTAL} -> withheld, below {FEW_HOMELESS} -> quality 3",
            "withheld" if total < LEAST_TOTAL else some,
        ),
    ]
    if cell.subgroup == ALL:
        few_students = "enough" if enrollment >= FEW_ENROLLED else "quality 3"
        found.append(
            Decision("students enrolled", float(enrollment), f"below {FEW_ENROLLED} -> quality 3", few_students)
        )
    share = figure["count"] / enrollment if enrollment else None
    found.append(
        Decision("share of the enrolled", share, "above 1 -> withheld", "withheld" if (share or 0) > 1 else "stands")
    )
    if cell.subgroup != ALL:
        percent = 100 * figure["races"] / total if total else None
        least, most = RACES_ADD_UP
        outcome = "withheld" if figure["contradictory"] else "stands, or is not asked"
        found.append(Decision("groups in percent of the total", percent, f"{least} to {most}, else withheld", outcome))
    few = figure["count"] <= SMALLEST_GROUP
    found.append(
        Decision(
            "students of the group",
            float(figure["count"]),
            f"{SMALLEST_GROUP} or fewer -> withheld",
            "withheld" if few else "stands",
        )
    )
    if cell.level == "place":
        rule = f"below {LEAST_FIT}: low coverage; above {MOST_FIT}: pooled area (quality stays)"
        outcome = figure["misplaced"] or "the districts fit the city"
        found.append(Decision("students per resident, relative to the state", figure["fit"], rule, outcome))
    if figure["missing"] is None:
        quality = int(figure["quality"])
        found.append(
            Decision("quality of the figure", quality, "the weakest of the grades above", f"quality {quality}")
        )
    return tuple(found)
