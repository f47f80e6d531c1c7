"""The account of one learning rate: the line through a county's scores, or the average over a place's districts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from metrics.districts import Districts
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.learning import ENOUGH_TESTS, LINE, MANY_GRADES, SOME_GRADES, Rates, Z, rates


@dataclass(frozen=True)
class Named:
    """The figure that is asked about: its cell, the archive's code of the students, the school years."""

    cell: Cell
    group: str
    period: str


def account_of_county(named: Named, scores: pl.DataFrame, counties: pl.DataFrame) -> Explanation:
    """Of a county. `scores` as in `metrics.learning.rates`, with spring; `counties` is the year's list."""
    cell = named.cell
    area = cell.state + cell.geo
    regression = rates(scores)
    of_group = scores.filter(pl.col("group") == named.group)
    here = of_group.filter(pl.col("area") == area).sort("grade")
    listed = counties["state"] + counties["geo"]
    outside = of_group.filter(~pl.col("area").is_in(listed.implode()))["area"].unique().sort()
    inside = of_group.height - of_group.filter(pl.col("area").is_in(outside.implode())).height
    inputs, slope = _line(here)
    return Explanation(
        formula=_formula(regression, area, named.group, slope),
        recomputed=slope,
        inputs=inputs,
        tables=("seda_county",),
        steps=(
            _used(of_group, "scores of this group in all counties (they share one error variance)"),
            Step("scores in counties of the year's list", of_group.height, inside, _left_out(outside)),
            Step(f"scores of county {area}", inside, here.height, f"school years {named.period}"),
            _used(here, "scores with students tested"),
        ),
        decisions=_quality(regression, area, named.group),
    )


def account_of_place(named: Named, districts: Districts, places: pl.DataFrame) -> Explanation:
    """Of a place. `places` has state, geo, city (`metrics.city_names.listed_cities`)."""
    cell = named.cell
    city = places.filter(pl.col("state") == cell.state, pl.col("geo") == cell.geo)["city"].item()
    of_group = districts.rows.filter(pl.col("group") == named.group)
    here = of_group.filter(pl.col("state") == cell.state, pl.col("city") == city).sort("leaid", "grade")
    rated = pl.col("rate").is_not_null() & (pl.col("tests") > 0)
    inputs = here.select(
        *("leaid", "city", "grade", "spring", "tests", "rate"),
        lb=pl.col("rate") - pl.col("half"),
        ub=pl.col("rate") + pl.col("half"),
        quality="quality",
        weight=pl.when(rated).then(pl.col("tests").cast(pl.Float64)),
    )
    used = inputs.drop_nulls("weight")
    weight, total, flag = _sums(used)
    everyone = districts.scores.filter(pl.col("group") == named.group)
    tested, tested_kept = everyone["tests"].sum(), of_group["tests"].sum()
    share = f"{tested_kept:,} of {tested:,} students tested"
    cities = districts.cities.filter(pl.col("leaid").is_in(everyone["leaid"].unique().implode()))
    return Explanation(
        formula=(
            f"sum of tests x rate / sum of tests = {total:,.4f} / {weight:,.0f} = {total / weight:.7g}"
            if weight
            else f"no district of {city} has a rate"
        ),
        recomputed=total / weight if weight else None,
        inputs=inputs,
        tables=("seda_district", "district_city", "listed_places"),
        steps=(
            Step("districts with an office in some year", everyone["leaid"].n_unique(), cities["leaid"].n_unique()),
            Step(
                "districts with a listed city's name (they share one error variance)",
                cities["leaid"].n_unique(),
                of_group["leaid"].n_unique(),
                share,
            ),
            Step(f"districts of {city}", of_group["leaid"].n_unique(), here["leaid"].n_unique(), named.period),
            Step("districts with a rate", here["leaid"].n_unique(), used["leaid"].n_unique()),
        ),
        decisions=(
            Decision(
                "average quality of the districts",
                flag / weight if weight else None,
                "rounded to the nearest whole number, halves up",
                f"quality {int(flag / weight + 0.5)}" if weight else "the value is missing",
            ),
        ),
        notes=("A district belongs as a whole to the city in its office's address; other districts may serve it too.",),
    )


def _sums(used: pl.DataFrame) -> tuple[float, float, float]:
    """Students tested, and with them as weights the sums of rates and of quality.

    Rates are added up as in `Districts.by_city`, in order and within a group, so that the last digit is the stored one.
    """
    weight = pl.col("weight")
    sums = used.group_by("city").agg(
        weight=weight.sum(),
        rate=(weight * pl.col("rate")).sort().sum(),
        quality=(weight * pl.col("quality").cast(pl.Int64)).sum(),
    )
    return sums.select("weight", "rate", "quality").row(0) if sums.height else (0.0, 0.0, 0.0)


def _line(here: pl.DataFrame) -> tuple[pl.DataFrame, float | None]:
    """A county's scores with the fitted line, and its slope worked out again from them."""
    weight = pl.when(pl.col("score").is_not_null() & (pl.col("tests") > 0)).then(pl.col("tests").cast(pl.Float64))
    rows = here.with_columns(weight=weight)
    used = rows.drop_nulls("weight")
    slope: float | None = None
    at_zero: float | None = None
    if used.height >= LINE:
        w, x, y = (pl.col(c).cast(pl.Float64) for c in ("weight", "grade", "score"))
        mean_x, mean_y = (w * x).sum() / w.sum(), (w * y).sum() / w.sum()
        steepness = (w * (x - mean_x) * (y - mean_y)).sum() / (w * (x - mean_x) ** 2).sum()
        slope, at_zero = used.select(slope=steepness, at_zero=mean_y - steepness * mean_x).row(0)
    fitted = pl.lit(at_zero, pl.Float64) + pl.lit(slope, pl.Float64) * pl.col("grade")
    columns = ("grade", "spring", "score", "tests")
    return rows.select(*columns, fitted.alias("fitted"), "weight"), slope


def _formula(regression: Rates, area: str, group: str, slope: float | None) -> str:
    at = regression.position(area, group)
    if at is None or slope is None:
        return "no line: it takes scores of two grades"
    lines = regression.lines
    row = regression.table.row(by_predicate=(pl.col("area") == area) & (pl.col("group") == group), named=True)
    interval = "no interval"
    if row["half"] is not None:
        lower, upper = slope - row["half"], slope + row["half"]
        interval = (
            f"{Z} x root({lines.residual[at[0]]:.6g} / ({lines.rows[at[0]]} - {lines.parameters[at[0]]}) / "
            f"{lines.spread[at]:.6g}) = {row['half']:.7g} to either side: {lower:.7g} to {upper:.7g}"
        )
    return (
        f"sum of tests x (grade - {lines.grade[at]:.4f}) x (score - {lines.score[at]:.4f}) / "
        f"sum of tests x (grade - {lines.grade[at]:.4f})^2 = {slope * lines.spread[at]:.6g} / {lines.spread[at]:.6g} = "
        f"{slope:.7g}; {interval}"
    )


def _quality(regression: Rates, area: str, group: str) -> tuple[Decision, ...]:
    if regression.position(area, group) is None:
        return (Decision("scores", 0.0, f"{LINE} or more, else missing", "the value is missing"),)
    row = regression.table.row(by_predicate=(pl.col("area") == area) & (pl.col("group") == group), named=True)
    outcome = "the value is missing" if row["rate"] is None else f"quality {row['quality']}"
    return (
        Decision("scores used", float(row["points"]), f"{LINE} or more, else missing", outcome),
        Decision("scores", float(row["grades"]), f"{MANY_GRADES} or more -> 1, {SOME_GRADES} -> 2, else 3", outcome),
        Decision("fewest tested in a grade", row["least"], f"{ENOUGH_TESTS} or more, else 3", outcome),
    )


def _used(scores: pl.DataFrame, name: str) -> Step:
    used = scores.filter(pl.col("score").is_not_null(), pl.col("tests") > 0)
    return Step(name, scores.height, used.height, f"{scores['score'].null_count()} withheld")


def _left_out(areas: pl.Series) -> str:
    return f"left out: {', '.join(areas.head(10)) or 'none'}"
