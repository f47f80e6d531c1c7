"""Rules a predictor's estimates of one year are asked as they are made; the release asks its own (`outputs.rules`)."""

from __future__ import annotations

from importlib import resources
from typing import Final

import polars as pl

from metrics.predictor import Predictor, expected_keys
from outputs.area_matches import COLUMNS, beyond_tolerance
from schemas.data_rules import DataRule
from schemas.estimate import KEY
from schemas.labels import ALL, SUBGROUPS

GATE: Final = "the gate of the estimates"
FEWEST_RECORDS: Final = 30
SURVEY: Final = ("acs1", "acs5")
# Shares whose threshold is the number of records themselves, not that of records after allocation.
BY_RECORDS: Final = ("share_digital_access",)
# A figure of these metrics is never zero; a zero has been a withheld or missing cell read as a number.
NEVER_ZERO: Final = ("ratio_living_wage", "pctl_income_50", "pctl_income_80", "share_low_birth_weight")
# People per physician: where nobody practices, the figure is 0 although people are counted (rule Q12).
UPSIDE_DOWN: Final = ("ratio_population_pc_physician",)
PLAUSIBLE_SPAN: Final = 3.0
"""Figures farther out than so many times the span of the middle 98 percent are listed."""
SMALL_DENOMINATOR: Final = 30
SMALL_FOR_ONE_PHYSICIAN: Final = 2000

_SHOWN: Final = ("state", "geo", "subgroup", "metric", "sample", "value", "lb", "ub", "quality", "n", "reason")


def table(name: str, **types: type[pl.DataType]) -> pl.DataFrame:
    """A list of the rules of the release (`outputs/rules/data`), which are the rules of the estimates as well."""
    data = resources.files("outputs").joinpath("rules", "data", f"{name}.csv").read_bytes()
    return pl.read_csv(data, infer_schema=False).with_columns(pl.col(c).cast(t) for c, t in types.items())


def _is_null(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(c).is_null() for c in columns)


def estimate_rules(
    predictor: Predictor, year: int, universe: pl.DataFrame, matches: pl.DataFrame | None = None
) -> list[DataRule]:
    """The rules of a predictor in a year.

    `universe` has level, state and geo of the year's geographies, `matches` how the input tables fit it
    (`outputs.area_matches`; None: no table names counties).
    """
    return [
        *_keys(predictor, year, universe),
        _joins(matches),
        *_values(predictor, year),
        *_survey(predictor),
        *_plausible(predictor),
    ]


def _keys(predictor: Predictor, year: int, universe: pl.DataFrame) -> list[DataRule]:
    validity = table("code_validity", first_year=pl.Int64, last_year=pl.Int64)
    early = (pl.col("first_year") > year).fill_null(False)
    late = (pl.col("last_year") < year).fill_null(False)
    wrong = validity.filter(early | late).select("level", "geoid")
    pairs = list(zip(wrong["level"], wrong["geoid"], strict=True))
    geoid = pl.concat_str("state", "geo")
    retired = pl.any_horizontal(
        pl.lit(False),
        *(
            (pl.col("level") == level) & geoid.is_in([g for w, g in pairs if w == level])
            for level in ("county", "place")
        ),
    )
    legal = [f"{kind}|{label}" for kind, labels in SUBGROUPS.items() for label in labels]
    return [
        DataRule("G1", "keys", "block", "Every county and place of the year has its rows, and no other", held_by=GATE),
        DataRule("G2", "keys", "block", "No two rows share their key", held_by=GATE),
        DataRule("G3", "keys", "block", "State 2, county 3, place 5 digits, as text", held_by=GATE),
        DataRule("G4", "keys", "block", "No code before it was valid or after it ended", bad=retired, shown=_SHOWN),
        DataRule("G5", "keys", "block", "Connecticut from 2022: all regions have figures or none", find=_connecticut),
        DataRule("G8", "keys", "block", "Every row is of the year", bad=(pl.col("year") != year).fill_null(True)),
        DataRule(
            "S2", "keys", "block", "Subgroups are from the closed list of their type",
            bad=~pl.concat_str("subgroup_type", pl.lit("|"), "subgroup").is_in(legal), shown=_SHOWN,
        ),
    ]  # fmt: skip


def known_counties() -> frozenset[str]:
    """County codes that some year knows and another does not, those that ended before our first year among them."""
    return frozenset(table("code_validity").filter(pl.col("level") == "county")["geoid"])


def _joins(matches: pl.DataFrame | None) -> DataRule:
    broken = pl.DataFrame(schema=COLUMNS) if matches is None else beyond_tolerance(matches)
    return DataRule(
        "G9", "keys", "block", "At most 1 percent of the counties of an input table are unknown to every year",
        find=lambda _frame: broken,
    )  # fmt: skip


def _connecticut(frame: pl.DataFrame) -> pl.DataFrame:
    """Metrics of which some planning regions have a figure while others lack it because of the old counties."""
    here = frame.filter(
        (pl.col("state") == "09")
        & (pl.col("level") == "county")
        & (pl.col("geo") >= "110")
        & (pl.col("subgroup") == ALL)
    )
    counts = here.group_by("metric", "sample").agg(
        values=pl.col("value").is_not_null().sum(), old=(pl.col("reason") == "source on old counties").sum()
    )
    return counts.filter((pl.col("values") > 0) & (pl.col("old") > 0)).sort("metric", "sample")


def _values(predictor: Predictor, year: int) -> list[DataRule]:
    value, limits = pl.col("value"), {m.column: m for m in predictor.metrics}
    # A new year of a source is as the newest listed one.
    newest = pl.col("year").max().over("metric", "level")
    excused = table("without_bounds", year=pl.Int64).filter(
        pl.col("year").is_null() | (pl.col("year") == year) | (newest < year)
    )
    without = pl.any_horizontal(
        pl.lit(False),
        *(
            (pl.col("metric") == metric) & (pl.col("level") == level)
            for metric, level in excused.select("metric", "level").iter_rows()
        ),
    )
    promised = pl.col("metric").is_in([m.column for m in predictor.metrics if m.interval != "none"])
    undefined = (pl.col("reason") == "bound not defined").fill_null(False)
    floors = {c: m.minimum for c, m in limits.items()}
    ceilings = {c: m.maximum for c, m in limits.items()}
    low = pl.col("metric").replace_strict(floors, default=None, return_dtype=pl.Float64)
    high = pl.col("metric").replace_strict(ceilings, default=None, return_dtype=pl.Float64)
    counted = (pl.col("numerator") != 0).fill_null(False) & ~pl.col("metric").is_in(UPSIDE_DOWN)
    rules = [
        DataRule(
            "V1", "values", "block", "Figure and quality are missing together; no bound without a figure", held_by=GATE
        ),
        DataRule(
            "V2", "values", "block", "Where a metric has an interval, a figure has both bounds or a reason for none",
            bad=promised & value.is_not_null() & _is_null("lb", "ub") & ~undefined & ~without, shown=_SHOWN,
        ),
        DataRule(
            "V3", "values", "block", "Lower bound <= figure <= upper bound, inside the limits of the metric",
            bad=(pl.col("lb") > value) | (pl.col("ub") < value) | (pl.col("lb") < low) | (pl.col("ub") > high),
            shown=_SHOWN,
        ),
        DataRule("V4", "values", "block", "Quality is 1, 2 or 3", held_by=GATE),
        DataRule(
            "V5", "values", "block", "Shares lie between 0 and 1, other figures inside their limits", held_by=GATE
        ),
        DataRule(
            "V7", "values", "block", "A zero is a count of zero, never a gap or a withheld cell",
            bad=(value == 0) & (counted | pl.col("metric").is_in(NEVER_ZERO)), shown=(*_SHOWN, "numerator"),
        ),
    ]  # fmt: skip
    if predictor.key == "living_wage":
        rules.append(DataRule(
            "Q1", "values", "block", "An undisclosed wage gives no ratio, and no ratio is zero",
            bad=value <= 0, shown=_SHOWN,
        ))  # fmt: skip
    if predictor.key == "neonatal_health":
        pooled = pl.col("reason") == "pooled area"
        rules.append(DataRule(
            "Q6", "values", "block", "A state's pooled births are graded 3 and name the area they describe",
            bad=pooled & value.is_not_null() & ((pl.col("quality") != 3) | _is_null("estimation_area", "n_areas")),
            shown=(*_SHOWN, "estimation_area", "n_areas"),
        ))  # fmt: skip
    if predictor.key == "health_access":
        small = pl.col("numerator") <= SMALL_FOR_ONE_PHYSICIAN
        rules.append(DataRule(
            "Q12", "values", "block", "No physician: 0 and weak up to 2,000 people, missing above",
            bad=(value == 0) & (~small | (pl.col("quality") != 3)), shown=(*_SHOWN, "numerator"),
        ))  # fmt: skip
    return rules


def _survey(predictor: Predictor) -> list[DataRule]:
    """Rules of figures from survey microdata."""
    if not any(s.sample in SURVEY for s in predictor.series):
        return []
    by_records = pl.col("metric").is_in(BY_RECORDS)
    size = pl.when(by_records).then(pl.col("n").cast(pl.Float64)).otherwise(pl.col("n_effective"))
    rules = [
        DataRule(
            "A6", "values", "block", "No survey figure rests on fewer than 30 records; suppressed ones keep their row",
            bad=pl.col("sample").is_in(SURVEY) & pl.col("value").is_not_null() & (size < FEWEST_RECORDS),
            shown=(*_SHOWN, "n_effective"),
        ),
        DataRule(
            "X4", "values", "block", "Every PUMA of the microdata is in the crosswalk of the year (counties)",
            held_by="the survey estimator, which refuses records it cannot place",
        ),
    ]  # fmt: skip
    if predictor.key == "income":
        rules.append(
            DataRule("A9", "values", "block", "The 20th percentile <= the 50th <= the 80th", find=_crossing_percentiles)
        )
    return rules


def _crossing_percentiles(frame: pl.DataFrame) -> pl.DataFrame:
    key = [c for c in KEY if c != "metric"]
    steps = ["pctl_income_20", "pctl_income_50", "pctl_income_80"]
    figures = [pl.col("value").filter(pl.col("metric") == m).first().alias(m) for m in steps]
    crossing = (pl.col(steps[0]) > pl.col(steps[1])) | (pl.col(steps[1]) > pl.col(steps[2]))
    crossing = crossing | (pl.col(steps[0]) > pl.col(steps[2]))
    return frame.group_by(key).agg(figures).filter(crossing.fill_null(False)).sort(key)


def _plausible(predictor: Predictor) -> list[DataRule]:
    """Rules whose rows a person looks at; nothing is withheld for them."""
    value = pl.col("value")
    rules = [
        DataRule(
            "V3.width", "plausible", "warn", "The two bounds of an interval differ",
            bad=pl.col("lb") == pl.col("ub"), shown=_SHOWN,
        ),
        DataRule("V6", "plausible", "warn", "No figure is far from all others of the year", find=_far_out),
        DataRule("V9", "plausible", "warn", "Every metric and sample has a figure somewhere", find=_all_missing),
        DataRule(
            "V12", "plausible", "warn", "A rate of fewer than 30 people is not graded strong",
            bad=value.is_not_null() & (pl.col("quality") == 1) & (pl.col("denominator") < SMALL_DENOMINATOR)
            & pl.col("metric").is_in(
                [m.column for m in predictor.metrics if m.unit == "share" or m.unit.startswith("rate")]
            ),
            shown=(*_SHOWN, "denominator"),
        ),
    ]  # fmt: skip
    if predictor.key == "political_participation":
        rules.append(DataRule(
            "Q13", "plausible", "warn", "Nobody's turnout is at its ceiling", bad=value >= 1, shown=_SHOWN,
        ))  # fmt: skip
    return rules


def _far_out(frame: pl.DataFrame) -> pl.DataFrame:
    """Figures beyond the 1st or 99th percentile by more than three times the distance between the two."""
    cell = ["metric", "level", "sample", "subgroup"]
    spans = (
        frame.filter(pl.col("value").is_not_null())
        .group_by(cell)
        .agg(p01=pl.col("value").quantile(0.01), p99=pl.col("value").quantile(0.99), figures=pl.len())
        .filter((pl.col("figures") >= 100) & (pl.col("p99") > pl.col("p01")))
    )
    if spans.is_empty():
        return spans
    span = PLAUSIBLE_SPAN * (pl.col("p99") - pl.col("p01"))
    outside = (pl.col("value") < pl.col("p01") - span) | (pl.col("value") > pl.col("p99") + span)
    return frame.join(spans, on=cell, how="inner").filter(outside).select(*_SHOWN, "level", "p01", "p99")


def _all_missing(frame: pl.DataFrame) -> pl.DataFrame:
    """Metrics of which no geography of a level has a figure, though their inputs are there, with the reasons given."""
    return (
        frame.group_by("metric", "level", "sample")
        .agg(figures=pl.col("value").count(), reasons=pl.col("reason").drop_nulls().unique().sort().str.join("; "))
        .filter((pl.col("figures") == 0) & (pl.col("reasons") != "input owed"))
        .sort("metric", "level", "sample")
    )


def broken_by(frame: pl.DataFrame, predictor: Predictor, year: int, universe: pl.DataFrame) -> list[DataRule]:
    """The rules the gate holds, as rules that find the rows: to say which of them a refused set of estimates breaks."""
    value, expected = pl.col("value"), expected_keys(predictor, year, universe)
    key = list(KEY)
    bounds = {m.column: (m.minimum, m.maximum) for m in predictor.metrics}
    low = pl.col("metric").replace_strict({c: b[0] for c, b in bounds.items()}, default=None, return_dtype=pl.Float64)
    high = pl.col("metric").replace_strict({c: b[1] for c, b in bounds.items()}, default=None, return_dtype=pl.Float64)

    def universe_differs(rows: pl.DataFrame) -> pl.DataFrame:
        lacking = expected.join(rows, on=key, how="anti").with_columns(what=pl.lit("row missing"))
        strange = rows.select(key).join(expected, on=key, how="anti").with_columns(what=pl.lit("row not expected"))
        return pl.concat([lacking.select(strange.columns), strange])

    width = pl.when(pl.col("level") == "county").then(3).otherwise(5)
    alone = value.is_null() & (pl.col("lb").is_not_null() | pl.col("ub").is_not_null())
    ways: dict[str, dict[str, object]] = {
        "G1": {"find": universe_differs},
        "G2": {"find": lambda rows: rows.filter(pl.struct(key).is_duplicated()).select(_SHOWN)},
        "G3": {"bad": ~pl.col("state").str.contains(r"^\d{2}$") | (pl.col("geo").str.len_bytes() != width)},
        "V1": {"bad": (value.is_null() != pl.col("quality").is_null()) | alone},
        "V4": {"bad": ~pl.col("quality").is_in([1, 2, 3])},
        "V5": {"bad": (value < low) | (value > high) | ~value.is_finite()},
    }
    return [
        DataRule(r.id, r.group, r.severity, r.title, shown=_SHOWN if "bad" in ways[r.id] else (), **ways[r.id])  # type: ignore[arg-type]
        if r.held_by == GATE
        else r
        for r in estimate_rules(predictor, year, universe)
    ]
