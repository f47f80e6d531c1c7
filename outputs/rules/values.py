"""Rules about figures (V): missing or there, inside their limits and bounds, graded, withheld by the list alone."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from outputs import suppress
from outputs.files import GEOID
from outputs.rules.context import ReleaseContext, table
from outputs.rules.geography import concat
from outputs.rules.rule import Rule, Verdict, found, listed, not_applicable
from schemas.labels import QUALITY_WORDS

SHOWN: Final = ("year", "level", "geoid", "name", "subgroup", "metric", "sample", "value")
_ROWS: Final = 2000
"""Failing rows of the long file that are counted one by one; more are reported as "at least" so many."""

# A figure of these metrics is never zero: nobody pays no wage, and a half or more of all households have an income.
# A zero there has been a suppressed or missing cell read as a number.
NEVER_ZERO: Final[dict[str, str]] = {
    "ratio_living_wage": "an undisclosed cell of the wage census reads as zero",
    "pctl_income_50": "half of all households have an income",
    "pctl_income_80": "most households have an income",
    "share_low_birth_weight": "fewer than ten births are suppressed at the source",
}
# Reasons that come with a withheld or absent source figure: no value, and so no zero, may stand beside them.
WITHHELD: Final = ("suppressed at source", "unreliable at source", "input owed", "suppressed by us")

# Shares in name that count units per household and so may be larger than one.
MAY_EXCEED_ONE: Final = "share_affordable"


def _rows(context: ReleaseContext, broken: pl.Expr, *more: str) -> pl.DataFrame:
    """The first rows of the long file for which `broken` holds."""
    return context.long.filter(broken.fill_null(False)).select(*SHOWN, *more).head(_ROWS).collect(engine="streaming")


def missing_together(context: ReleaseContext) -> Verdict:
    """V1: value and quality are missing together, metric by metric; no bound stands without a value."""
    apart = pl.col("value").is_null() != pl.col("quality").is_null()
    alone = pl.col("value").is_null() & (pl.col("lb").is_not_null() | pl.col("ub").is_not_null())
    parts = [_rows(context, apart | alone, "lb", "ub", "quality").with_columns(pl.lit("estimates").alias("file"))]
    for wide in context.clean:
        for metric, names in wide.parts.items():
            if not set(names.values()) <= set(wide.frame.columns):
                continue
            value = pl.col(names["value"])
            laws = {"value and quality are not missing together": value.is_null() != pl.col(names["quality"]).is_null()}
            for part in ("lb", "ub"):
                if part in names:
                    laws[f"{part} without a value"] = pl.col(names[part]).is_not_null() & value.is_null()
            parts += [
                wide.show(bad, metric=pl.lit(metric), what=pl.lit(law))
                for law, broken in laws.items()
                if (bad := wide.frame.filter(broken)).height
            ]
    return concat(parts)


def bounds_where_declared(context: ReleaseContext) -> Verdict:
    """V2: a value of a metric with an interval has both bounds, unless its reason says why a bound is not defined.

    Series that have no bounds in their source are listed in `data/without_bounds.csv`.
    """
    declared = [m for m, (_, metric) in context.declared.items() if metric.interval != "none"]
    if not declared:
        return not_applicable("no metric of the release declares an interval")
    without = table("without_bounds", year=pl.Int32).select("metric", "level", "year")
    lacking = context.of(*declared).filter(
        pl.col("value").is_not_null()
        & (pl.col("lb").is_null() | pl.col("ub").is_null())
        & pl.col("reason").ne_missing("bound not defined")
    )
    rows = lacking.join(without.lazy(), on=["metric", "level", "year"], how="anti", nulls_equal=True)
    everywhere = without.filter(pl.col("year").is_null()).select("metric", "level")
    rows = rows.join(everywhere.lazy(), on=["metric", "level"], how="anti")
    # A new year of a source is as the newest listed one.
    newest = without.group_by("metric", "level").agg(pl.col("year").max().alias("listed")).drop_nulls()
    rows = rows.join(newest.lazy(), on=["metric", "level"], how="left", validate="m:1").filter(
        pl.col("listed").is_null() | (pl.col("year") < pl.col("listed"))
    )
    return found(rows.select(*SHOWN, "lb", "ub", "reason").head(_ROWS))


def bounds_in_order(context: ReleaseContext) -> Verdict:
    """V3: figures are finite, and lb <= value <= ub."""
    order = (pl.col("lb") > pl.col("value")) | (pl.col("value") > pl.col("ub")) | (pl.col("lb") > pl.col("ub"))
    finite = pl.any_horizontal(~pl.col(c).is_finite().fill_null(True) for c in ("value", "lb", "ub"))
    parts = [
        _rows(context, order.fill_null(False) | finite, "lb", "ub").with_columns(pl.lit("estimates").alias("file"))
    ]
    for wide in context.clean:
        for metric, names in wide.parts.items():
            if "lb" not in names or not set(names.values()) <= set(wide.frame.columns):
                continue
            value, low, high = (pl.col(names[p]) for p in ("value", "lb", "ub"))
            bad = wide.frame.filter(((low > value) | (value > high) | (low > high)).fill_null(False))
            if bad.height:
                parts.append(wide.show(bad, metric=pl.lit(metric), lb=low, value=value, ub=high))
    return concat(parts)


def zero_width(context: ReleaseContext) -> Verdict:
    """V3.width: sampling intervals without width, counted by metric, year and level."""
    sampling = [m for m, (_, metric) in context.declared.items() if metric.interval == "sampling"]
    flat = context.of(*sampling).filter((pl.col("lb") == pl.col("ub")) & pl.col("value").is_not_null())
    counted = flat.group_by("metric", "level", "sample", "year").agg(
        pl.len().alias("intervals"), pl.col("geoid").first().alias("such as"), pl.col("value").first()
    )
    return found(
        counted.collect(engine="streaming").sort("intervals", "metric", "year", descending=[True, False, False])
    )


def bounds_inside_the_scale(context: ReleaseContext) -> Verdict:
    """V3.scale: bounds beyond the limits of their metric, counted by metric, year and level."""
    limits = _limits(context).lazy()
    outside = context.long.join(limits, on="metric", how="inner", validate="m:1").filter(
        ((pl.col("lb") < pl.col("minimum")) | (pl.col("ub") > pl.col("maximum"))).fill_null(False)
    )
    counted = outside.group_by("metric", "level", "sample", "year").agg(
        pl.len().alias("intervals"), pl.col("lb").min(), pl.col("ub").max(), pl.col("geoid").first().alias("such as")
    )
    return found(counted.collect(engine="streaming").sort("metric", "level", "year"))


def graded(context: ReleaseContext) -> Verdict:
    """V4: quality is 1, 2 or 3, its word in the files is Strong, Marginal or Weak, and both agree."""
    word = pl.col("quality").replace_strict(QUALITY_WORDS, default="?", return_dtype=pl.String)
    there = pl.col("quality").is_not_null()
    wrong = (there & pl.col("quality_label").ne_missing(word)) | (~there & pl.col("quality_label").is_not_null())
    parts = [_rows(context, wrong, "quality", "quality_label").with_columns(pl.lit("estimates").alias("file"))]
    words = list(QUALITY_WORDS.values())
    for wide in context.wide:
        for metric, names in wide.parts.items():
            if (name := names["quality"]) not in wide.frame.columns:
                continue
            found_words = wide.frame[name].unique().drop_nulls().to_list()
            if strange := [w for w in found_words if w not in words]:
                bad = wide.frame.filter(pl.col(name).is_in(strange))
                parts.append(
                    wide.show(bad, metric=pl.lit(metric), quality=pl.col(name), what=pl.lit("unknown quality"))
                )
    return concat(parts)


def shares_are_shares(context: ReleaseContext) -> Verdict:
    """V5: what is called a share is between 0 and 1 and declares so, but for units per household."""
    shares = [m for m in context.declared if m.startswith("share_") and not m.startswith(MAY_EXCEED_ONE)]
    undeclared = [
        {"metric": m, "what": "declares no limits of 0 and 1"}
        for m in shares
        if (context.declared[m][1].minimum, context.declared[m][1].maximum) != (0.0, 1.0)
    ]
    outside = pl.col("metric").is_in(shares) & ((pl.col("value") < 0) | (pl.col("value") > 1))
    return concat([listed(undeclared).rows, _rows(context, outside)])


def _limits(context: ReleaseContext) -> pl.DataFrame:
    return pl.DataFrame(
        [(m, metric.minimum, metric.maximum) for m, (_, metric) in context.declared.items()],
        schema={"metric": pl.String, "minimum": pl.Float64, "maximum": pl.Float64},
        orient="row",
    )


def inside_limits(context: ReleaseContext) -> Verdict:
    """V6: every value is inside the hard limits its metric declares, in the long file and in the files."""
    limits = _limits(context)
    outside = (
        context.long.join(limits.lazy(), on="metric", how="left", validate="m:1")
        .filter(((pl.col("value") < pl.col("minimum")) | (pl.col("value") > pl.col("maximum"))).fill_null(False))
        .select(*SHOWN, "minimum", "maximum")
        .head(_ROWS)
        .collect(engine="streaming")
    )
    parts = [outside.with_columns(pl.lit("estimates").alias("file"))]
    for wide in context.clean:
        for metric, names in wide.parts.items():
            name = names["value"]
            if name not in wide.frame.columns or wide.frame.schema[name] == pl.String:
                continue
            low, high = context.declared[metric][1].minimum, context.declared[metric][1].maximum
            broken = (pl.col(name) < pl.lit(low, pl.Float64)).fill_null(False) | (
                pl.col(name) > pl.lit(high, pl.Float64)
            ).fill_null(False)
            bad = wide.frame.filter(broken)
            if bad.height:
                limit = pl.lit(f"{low:g} to {'any' if high is None else format(high, 'g')}" if low is not None else "")
                parts.append(wide.show(bad, metric=pl.lit(metric), value=pl.col(name), limits=limit))
    return concat(parts)


def unusual(context: ReleaseContext) -> Verdict:
    """V6.soft: values more than three times the distance from the median to the 1st or 99th percentile away from it.

    The percentiles are those of all values of the metric, level and subgroup in the release; metrics with fewer than
    200 values are left aside. The first 20 of each metric are listed.
    """
    group = ["metric", "level", "subgroup_type"]
    values = context.long.filter(pl.col("value").is_not_null()).select(*SHOWN, "subgroup_type", "quality")
    spread = values.group_by(group).agg(
        pl.len().alias("count"),
        pl.col("value").median().alias("median"),
        pl.col("value").quantile(0.01).alias("p1"),
        pl.col("value").quantile(0.99).alias("p99"),
    )
    low = pl.col("median") - 3 * (pl.col("median") - pl.col("p1"))
    high = pl.col("median") + 3 * (pl.col("p99") - pl.col("median"))
    far = (
        values.join(spread.filter(pl.col("count") >= 200), on=group, how="inner", validate="m:1")
        .filter((pl.col("value") < low) | (pl.col("value") > high))
        .with_columns(((pl.col("value") - pl.col("median")).abs() / (pl.col("p99") - pl.col("p1"))).alias("distance"))
        .collect(engine="streaming")
    )
    ranked = far.sort("metric", "distance", "geoid", "year", descending=[False, True, False, False])
    first = ranked.group_by("metric", maintain_order=True).head(20)
    return found(
        first.select(*SHOWN, "quality", "median", "p1", "p99"),
        note=f"{far.height} values in all; at most 20 of each metric are listed",
    )


def honest_zeros(context: ReleaseContext) -> Verdict:
    """V7: a zero is a counted zero: its numerator is zero, the metric can be zero, and nothing was withheld."""
    never = pl.col("metric").is_in(list(NEVER_ZERO))
    withheld = pl.col("reason").is_in(list(WITHHELD))
    not_counted = pl.col("numerator").is_not_null() & (pl.col("numerator") != 0)
    physicians = pl.col("metric") == "ratio_population_pc_physician"
    # There a zero stands for "no physician": numerator is the people (rule Q12).
    broken = (pl.col("value") == 0) & (never | withheld.fill_null(False) | (not_counted & ~physicians))
    return found(_rows(context, broken, "numerator", "denominator", "reason"))


def promised_years(context: ReleaseContext) -> Verdict:
    """V9: a metric and year of the release has figures, and no file has a year without any.

    Missing as a whole because an input is owed, or because the method gives none, is lawful and listed by V9.owed.
    """
    rows: list[dict[str, object]] = []
    for wide in context.clean:
        values = [n["value"] for n in wide.parts.values() if n["value"] in wide.frame.columns]
        present = wide.frame.group_by("year").agg(
            pl.any_horizontal(pl.col(v).is_not_null().any() for v in values).alias("there")
        )
        empty = present.filter(~pl.col("there"))["year"].sort().to_list()
        rows += [{"file": wide.name, "year": y, "what": "has no value"} for y in empty]
    note = ""
    if context.whole_nation:
        whole = context.tally.group_by("metric", "level", "sample", "year", maintain_order=True).agg(
            pl.col("rows", "values", "owed", "undefined").sum()
        )
        blank = whole.filter((pl.col("values") == 0) & (pl.col("owed") + pl.col("undefined") < pl.col("rows")))
        rows += [{**r, "what": "has no value, and no input is owed"} for r in blank.drop("owed").iter_rows(named=True)]
    else:
        note = f"metrics without any figure are not asked for: {context.why_not_national}"
    return listed(rows, note=note)


def owed_years(context: ReleaseContext) -> Verdict:
    """V9.owed: metrics and years the registry promises for which the release has no figure, and why."""
    rows: list[dict[str, object]] = []
    whole = context.tally.group_by("metric", "level", "sample", "year", maintain_order=True).agg(
        pl.col("rows", "values", "owed").sum()
    )
    for row in whole.filter(pl.col("values") == 0).iter_rows(named=True):
        why = "an input is owed" if row["owed"] == row["rows"] else "no figure"
        rows.append({k: row[k] for k in ("metric", "level", "sample", "year")} | {"why": why})
    built = {(p, y) for p, y in context.tally.select("predictor", "year").unique().iter_rows()}
    for key, entry in context.catalog.items():
        missing = [y for y in entry.predictor.years if (key, y) not in built]
        if missing and entry.built:
            rows.append({"metric": f"all of {key}", "year": ", ".join(map(str, missing)), "why": "not in this release"})
    return listed(rows)


def quality_moves(context: ReleaseContext) -> Verdict:
    """V10: the share of Strong figures moved by 10 points or more since the release before, or grades nothing.

    A metric and year of at least 200 figures that are nearly all of one grade tells readers nothing; it is listed too.
    """
    group = ["metric", "level", "sample", "year"]
    counts = [pl.col(f"quality_{q}").sum() for q in (1, 2, 3)]
    now = context.tally.group_by(group, maintain_order=True).agg(pl.col("values").sum(), *counts)
    grades = pl.max_horizontal("quality_1", "quality_2", "quality_3")
    useless = now.filter((pl.col("values") >= 200) & (grades >= 0.99 * pl.col("values"))).select(
        *group, "values", *(f"quality_{q}" for q in (1, 2, 3)), pl.lit("nearly all of one grade").alias("what")
    )
    if context.before is None:
        return Verdict(useless, note="there is no release before this one to compare with")
    strong = (pl.col("quality") == 1).sum() / pl.col("value").is_not_null().sum()
    before = (
        context.before.long.filter(pl.col("value").is_not_null())
        .group_by(group)
        .agg(strong.alias("strong_before"), pl.len().alias("values_before"))
        .collect(engine="streaming")
    )
    both = now.filter(pl.col("values") > 0).join(before, on=group, how="inner", validate="1:1")
    moved = both.with_columns((pl.col("quality_1") / pl.col("values")).alias("strong")).filter(
        (pl.col("strong") - pl.col("strong_before")).abs() >= 0.10
    )
    shown = moved.select(*group, "values", "strong", "strong_before", pl.lit("share of Strong moved").alias("what"))
    return concat([shown, useless])


def small_denominators(context: ReleaseContext) -> Verdict:
    """V12: rates of places where fewer than 5 events would be expected, and that are not graded weak."""
    rates = [m for m in context.declared if m.startswith("rate_") and m != "rate_learning"]
    if not rates:
        return not_applicable("the release has no rate")
    group = ["metric", "level", "year", "subgroup"]
    rows = context.of(*rates).filter(pl.col("value").is_not_null() & (pl.col("denominator") > 0))
    pooled = rows.group_by(group).agg((pl.col("numerator").sum() / pl.col("denominator").sum()).alias("pooled"))
    few = (
        rows.join(pooled, on=group, how="inner", validate="m:1")
        .with_columns((pl.col("pooled") * pl.col("denominator")).alias("expected_events"))
        .filter((pl.col("expected_events") < 5) & (pl.col("quality") < 3))
        .select(*SHOWN, "denominator", "expected_events", "quality")
        .sort("metric", "expected_events", "year", "geoid")
        .collect(engine="streaming")
    )
    return found(few)


def by_the_list_alone(context: ReleaseContext) -> Verdict:
    """V13: figures are withheld by the suppression list alone, and what it lists is withheld everywhere."""
    ours = context.suppressions.filter(pl.col("applies_to").is_in(["both", "release"]) & (pl.col("columns") == "every"))
    marks = ours.group_by("year", "level", "geoid", "metric").agg((pl.col("subgroups") == "every").any().alias("every"))
    on = ["year", "level", "geoid", "metric"]
    key = pl.col("year").cast(pl.Int32)
    marks = marks.with_columns(key)
    withheld = context.long.filter(pl.col("reason") == suppress.REASON).select(*SHOWN, "subgroup_type").collect()
    listed_here = withheld.join(marks, on=on, how="left", validate="m:1")
    covered = pl.col("every") | (pl.col("subgroup_type") != "all")
    parts = [
        listed_here.filter(~covered.fill_null(False)).select(
            pl.lit("estimates").alias("file"), *SHOWN, pl.lit("withheld without standing in the list").alias("what")
        )
    ]
    figures = ("value", "lb", "ub", "quality", "se", "cv", "numerator", "denominator")
    left = (
        context.long.join(marks.lazy(), on=on, how="inner", validate="m:1")
        .filter(covered & pl.any_horizontal(pl.col(c).is_not_null() for c in figures))
        .select(*SHOWN)
        .collect()
    )
    what = pl.lit("listed, but a figure is left").alias("what")
    parts.append(left.select(pl.lit("estimates").alias("file"), *SHOWN, what))
    for wide in context.clean:
        for metric, names in wide.parts.items():
            mine = marks.filter((pl.col("metric") == metric) & (pl.col("level") == wide.level))
            if mine.is_empty() or not set(names.values()) <= set(wide.frame.columns):
                continue
            keyed = wide.frame.with_columns(
                pl.col("year").cast(pl.Int32, strict=False), pl.col(wide.level).alias("geo")
            )
            hit = keyed.with_columns(GEOID).join(
                mine.select("year", "geoid", "every"), on=["year", "geoid"], how="inner", validate="m:1"
            )
            group = pl.lit(False) if wide.written.file.overall else pl.col("subgroup_type") != "all"
            bad = hit.filter(
                (pl.col("every") | group) & pl.any_horizontal(pl.col(n).is_not_null() for n in names.values())
            )
            parts.append(wide.show(bad, metric=pl.lit(metric), what=what))
    return concat([p for p in parts if p.height])


def suppressions_run_out(context: ReleaseContext) -> Verdict:
    """V13.expiry: no entry of the suppression list is past its date; somebody looks again, or takes it out."""
    if context.meta.synthetic:
        return not_applicable("the figures are synthetic; nothing is decided about real places")
    today = date.isoformat(context.today)
    return found(context.suppressions.filter(pl.col("expires") < today).sort("expires", "metric", "geoid", "year"))


RULES: Final = (
    Rule("V1", "Value and quality are missing together; no bound without a value", "block",
         "#179 #370 #317 #568", "flags on missing figures, bounds of suppressed ones", check=missing_together),
    Rule("V2", "A value of a metric with an interval has both bounds", "block", "18e3c32",
         "figures without the interval they are promised with", check=bounds_where_declared),
    Rule("V3", "Figures are finite and lb <= value <= ub", "block", "`test_bounds` of the reference",
         "intervals that do not hold their value", check=bounds_in_order),
    Rule("V3.width", "Intervals without width are listed", "warn", "zero widths in published files",
         "a certainty that a survey cannot give", check=zero_width),
    Rule("V3.scale", "Bounds beyond the scale of their metric are listed", "warn", "`test_bounds` of the reference",
         "shares with an upper bound above 1", check=bounds_inside_the_scale),
    Rule("V4", "Quality is 1, 2, 3 or Strong, Marginal, Weak, and both agree", "block", "#342",
         "grades nobody can read", check=graded),
    Rule("V5", "Shares are between 0 and 1 and declare it", "block", "a MEPS file on a scale of 0 to 100",
         "percentages published as shares", check=shares_are_shares),
    Rule("V6", "Values are inside the hard limits of their metric", "block", "README of the reference; #293 #463",
         "impossible figures", check=inside_limits),
    Rule("V6.soft", "Values far from all others of their metric are listed", "warn",
         "#293 #463 (21,000 crimes per 100,000 people)", "implausible figures nobody looked at", check=unusual),
    Rule("V7", "A zero is a counted zero, never a suppressed or missing cell", "block",
         "ca02c48 d6268db ed44ee6 003c765", "suppressed figures that read as zero", check=honest_zeros),
    Rule("V8", "Top codes and words of missing in sources are mapped before arithmetic; unknown ones fail", "block",
         "news of 2024-02-13; #587 #317 #449 #284", "9999999 dollars taken for an income", where="tables",
         place="strict readers in `sources/`, closed lists of codes in `schemas/`"),
    Rule("V9", "A metric and year of the release has figures; no file has an empty year", "block",
         "#392 9897d49 #367", "empty or missing years", check=promised_years),
    Rule("V9.owed", "Promised metrics and years without a figure are listed with the cause", "warn",
         "#392 9897d49 #367", "a gap readers learn of by accident", check=owed_years),
    Rule("V10", "Grades moved since the last release, or all of one grade, are listed", "warn", "#454",
         "a grade that says nothing", check=quality_moves),
    Rule("V11", "Each branch of a quality rule is tested, at its boundary values too", "block", "#284",
         "a condition in the wrong order", where="tests", place="test file of each predictor"),
    Rule("V12", "Rates of fewer than 5 expected events that are not graded weak are listed", "warn", "#293 #463",
         "rates that one event would double", check=small_denominators),
    Rule("V13", "Figures are withheld by the suppression list alone, in every file and column", "block",
         "#487 8567e40", "a list typed into many programs, and one forgotten", check=by_the_list_alone),
    Rule("V13.expiry", "No entry of the suppression list is past its date", "block", "#487 8567e40",
         "figures withheld for a reason that no longer holds", check=suppressions_run_out),
)  # fmt: skip
