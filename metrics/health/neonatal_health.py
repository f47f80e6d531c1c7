"""Neonatal health: births with low birth weight. Method file neonatal_health.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, WONDER_CONNECTICUT
from schemas.errors import InputError
from schemas.estimate import empty
from schemas.labels import MOTHERS_EDUCATION, RACE_ETHNICITY

METRIC: Final = "share_low_birth_weight"

PREDICTOR = Predictor(
    key="neonatal_health",
    title="Neonatal health",
    pillar="health",
    definition="Share of infants who weigh less than 2,500 grams (5 pounds 8 ounces) at birth.",
    metrics=(
        Metric(
            METRIC,
            "Share of infants with low birth weight",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of infants born to mothers living in {name} had a low birth weight.",
        ),
    ),
    series=(
        Series(
            "wonder",
            (2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023),
            ("births_county",),
            levels=("county",),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "mothers-education": MOTHERS_EDUCATION},
        ),
    ),
    sources=("wonder_natality",),
    method="neonatal_health.md",
    notes=(
        "The source names only counties of 100,000 people or more. All others of a state share one pooled figure, "
        "graded weak: about four fifths of all counties. Do not rank, map or add them as their own.",
        "Births are counted where the mother lives; births of unknown weight are left out. Race and ethnicity, and "
        "education, are the mother's.",
        "No figure with fewer than 30 births.",
    ),
    breaks=((2022, CONNECTICUT + WONDER_CONNECTICUT),),
)

POOL: Final = "999"
"""County code of a state's unnamed counties together."""
MISSING_COUNTY: Final = "Missing County"
NOT_LISTED: Final = "Not Listed"
SUPPRESSED: Final = "Suppressed"
CONNECTICUT_STATE: Final = "09"
Z: Final = 1.96
MINIMUM: Final = 30
WEAK_BELOW: Final = 100
MARGINAL_BELOW: Final = 200
FEW_UNNAMED: Final = 5
FEW_COUNTIES: Final = 15
MANY_UNNAMED: Final = 0.5

_GROUP: Final = ["subgroup_type", "subgroup"]
_COUNTY: Final = ["state", "geo"]


@dataclass(frozen=True)
class Reproduce:
    """Which of the reference's decisions to follow where the method knows a better one (default: as we publish).

    `unnamed_by_equal_text`: take a county for unnamed if both its counts print the same text as its state's pool,
    instead of asking whether the source names it.
    """

    unnamed_by_equal_text: bool = False


DEVIATIONS: Final = (
    Deviation(
        id="neonatal_health/unnamed-by-equal-text",
        kind="deviation",
        predictor="neonatal_health",
        reference="Takes a county for unnamed if its two counts equal its state's pool as text.",
        ours="A county is unnamed if the source does not name it.",
        why="Equal text can be a coincidence: both may read 'Suppressed'.",
        effect="None overall. In a subgroup, a named county whose counts are suppressed like the pool's is missing "
        "either way, but the reference counts it as unnamed, which can move the other counties of the state between "
        "quality 1 and 2. The reference's subgroup counts were not at hand to list such rows.",
    ),
    Deviation(
        id="neonatal_health/pooled-value-repeated",
        kind="kept",
        predictor="neonatal_health",
        reference="Gives every unnamed county its state's pooled share, graded weak.",
        ours="The same, with the pool as estimation area, the number of counties that share it, and the reason.",
        why="The source gives nothing else; leaving them out would empty four fifths of the file.",
        effect="20,516 of 25,142 rows of the overall figure.",
    ),
    Deviation(
        id="neonatal_health/zero-width-interval",
        kind="kept",
        predictor="neonatal_health",
        reference="Interval p -/+ 1.96 sqrt(p(1-p)/n): of width 0 where no infant had a low weight.",
        ours="The same.",
        why="Comparability; 0 of n births does not mean that the share is 0 for sure.",
        effect="44 rows of subgroups with p = 0.",
    ),
    Deviation(
        id="neonatal_health/connecticut",
        scope=Scope(years=(2022, None), states=("09",)),
        kind="kept",
        predictor="neonatal_health",
        reference="Leaves Connecticut missing in 2022 and 2023, by a list of years.",
        ours="The same, for as long as the source has no code of a planning region.",
        why="The source still counts by the former counties; nothing is crosswalked between the two.",
        effect="9 counties in 2022 and 2023, all groups.",
    ),
)


def estimate(births_county: pl.LazyFrame | None, spine: pl.LazyFrame | None, year: int) -> pl.DataFrame:
    """`Estimate` rows of one year for the counties of the spine and all nine groups of mothers.

    `births_county`: the columns of its table. `spine`: level, state, geo. Raises `InputError` for a county of the
    source that is not on the spine (Connecticut's former counties excepted).
    """
    if births_county is None or spine is None:
        return empty()
    return compute(births_county, spine, year)


def compute(
    births_county: pl.LazyFrame, spine: pl.LazyFrame, year: int, *, reproduce: Reproduce = Reproduce()
) -> pl.DataFrame:
    """Share, interval and quality per county and group."""
    births, low = pl.col("births"), pl.col("low_weight")
    share = low / births
    value = pl.when(births >= MINIMUM).then(share)
    graded = assigned(births_county, spine, reproduce=reproduce).with_columns(value=value).with_columns(se=_se())
    half = Z * pl.col("se")
    return graded.with_columns(_quality().alias("quality")).select(
        pl.lit("county").alias("level"),
        *_COUNTY,
        *_GROUP,
        pl.lit(METRIC).alias("metric"),
        pl.lit("wonder").alias("sample"),
        "value",
        (pl.col("value") - half).alias("lb"),
        (pl.col("value") + half).alias("ub"),
        "quality",
        births.alias("n"),
        "se",
        pl.when(pl.col("value") > 0).then(pl.col("se") / pl.col("value")).alias("cv"),
        low.alias("numerator"),
        births.alias("denominator"),
        (pl.lit("county-") + pl.col("state") + pl.when("pooled").then(pl.lit(POOL)).otherwise("geo")).alias(
            "estimation_area"
        ),
        pl.when("pooled").then(pl.col("unnamed_counties")).otherwise(1).cast(pl.Int32).alias("n_areas"),
        pl.lit(str(year)).alias("reference_period"),
        _reason().alias("reason"),
    )


def assigned(births_county: pl.LazyFrame, spine: pl.LazyFrame, *, reproduce: Reproduce = Reproduce()) -> pl.DataFrame:
    """Every county of the spine and every group with the counts that stand for it.

    Returns state, geo, subgroup_type, subgroup, births, births_marker, low_weight, low_weight_marker, `pooled` (counts
    are those of the state's pool), `unnamed` (as quality counts it), `unnamed_counties` and `counties` (of the state in
    the group), `on_old_counties`.
    """
    rows = births_county.collect()
    counties = spine.filter(pl.col("level") == "county").select(_COUNTY).collect()
    rows = rows.filter(pl.col("state").is_in(counties["state"].unique().to_list()))
    groups = rows.select(_GROUP).unique().sort(_GROUP)
    old = _on_old_counties(rows, counties)
    rows = rows.filter(~pl.col("state").is_in(old))

    figures = ["births", "births_marker", "low_weight", "low_weight_marker"]
    absent = [MISSING_COUNTY, NOT_LISTED]
    named = rows.filter(
        pl.col("geo") != POOL,
        ~pl.col("births_marker").is_in(absent).fill_null(False),
        ~pl.col("low_weight_marker").is_in(absent).fill_null(False),
    )
    pools = rows.filter(pl.col("geo") == POOL).select(
        "state", *_GROUP, *(pl.col(c).alias(f"pool_{c}") for c in figures), has_pool=pl.lit(True)
    )
    joined = (
        counties.join(groups, how="cross")
        .join(
            named.select(*_COUNTY, *_GROUP, *figures, named=pl.lit(True)),
            on=[*_COUNTY, *_GROUP],
            how="left",
            validate="1:1",
        )
        .join(pools, on=["state", *_GROUP], how="left", validate="m:1")
    )

    is_named, has_pool = pl.col("named").fill_null(False), pl.col("has_pool").fill_null(False)
    pooled = ~is_named & has_pool
    unnamed = pooled
    if reproduce.unnamed_by_equal_text:
        same = [pl.col(c).eq_missing(pl.col(f"pool_{c}")) for c in figures]
        unnamed = has_pool & (pooled | pl.all_horizontal(same))
    by_state = ["state", *_GROUP]
    return (
        joined.with_columns(
            pooled=pooled,
            unnamed=unnamed,
            on_old_counties=pl.col("state").is_in(old),
            **{c: pl.when(is_named).then(pl.col(c)).otherwise(pl.col(f"pool_{c}")) for c in figures},
        )
        .with_columns(unnamed_counties=pl.col("unnamed").sum().over(by_state), counties=pl.len().over(by_state))
        .select(
            *(*_COUNTY, *_GROUP, *figures),
            *("pooled", "unnamed", "unnamed_counties", "counties", "on_old_counties"),
        )
    )


def _on_old_counties(rows: pl.DataFrame, counties: pl.DataFrame) -> list[str]:
    """States that the source reports by former counties: Connecticut, while it names no planning region."""
    listed = rows.filter(pl.col("geo") != POOL).select(_COUNTY).unique()
    stray = listed.join(counties, on=_COUNTY, how="anti").sort(_COUNTY)
    other = stray.filter(pl.col("state") != CONNECTICUT_STATE)
    if other.height:
        codes = ", ".join(f"{state}{geo}" for state, geo in other.iter_rows())
        raise InputError(f"counties that do not exist in the year: {codes}.", source="wonder_natality")
    here = counties.filter(pl.col("state") == CONNECTICUT_STATE)
    known = listed.join(here, on=_COUNTY, how="semi")
    return [CONNECTICUT_STATE] if here.height and rows.height and known.is_empty() else []


def _se() -> pl.Expr:
    return (pl.col("value") * (1 - pl.col("value")) / pl.col("births")).sqrt()


def _quality() -> pl.Expr:
    """The first rule that holds; missing where the share is."""
    births, unnamed, counties = pl.col("births"), pl.col("unnamed_counties"), pl.col("counties")
    return (
        pl.when(pl.col("value").is_null())
        .then(None)
        .when(pl.col("unnamed") | (births < WEAK_BELOW))
        .then(3)
        .when((births < MARGINAL_BELOW) | _few_counties(unnamed, counties))
        .then(2)
        .otherwise(1)
    )


def _few_counties(unnamed: pl.Expr, counties: pl.Expr) -> pl.Expr:
    """Few unnamed counties, or a state of few counties most of which are named. True also for states that name all."""
    few = (unnamed > 0) & (unnamed < FEW_UNNAMED)
    return few | ((counties <= FEW_COUNTIES) & (unnamed / counties < MANY_UNNAMED))


def _reason() -> pl.Expr:
    """Why the share is missing or its quality lowered."""
    births = pl.col("births")
    suppressed = (pl.col("births_marker") == SUPPRESSED) | (pl.col("low_weight_marker") == SUPPRESSED)
    return (
        pl.when("on_old_counties")
        .then(pl.lit("source on old counties"))
        .when(pl.col("value").is_null() & suppressed)
        .then(pl.lit("suppressed at source"))
        .when(pl.col("value").is_null() & (births == 0))
        .then(pl.lit("group not present"))
        .when(pl.col("value").is_null() & (births < MINIMUM))
        .then(pl.lit("too few people"))
        .when(pl.col("value").is_null())
        .then(pl.lit("area not covered by source"))
        .when("pooled")
        .then(pl.lit("pooled area"))
        .when(births < MARGINAL_BELOW)
        .then(pl.lit("small population"))
        .when(pl.col("quality") > 1)
        .then(pl.lit("few counties in the state"))
    )


def explain(cell: Cell, *, year: int, births_county: pl.LazyFrame, spine: pl.LazyFrame) -> Explanation:
    """How one county's share came about."""
    in_group = (pl.col("subgroup_type") == cell.subgroup_type) & (pl.col("subgroup") == cell.subgroup)
    cells = assigned(births_county, spine).filter(in_group)
    source = births_county.filter(in_group, pl.col("state") == cell.state).collect()
    row = cells.filter(pl.col("state") == cell.state, pl.col("geo") == cell.geo).row(0, named=True)
    births, low = row["births"], row["low_weight"]
    value = low / births if births is not None and low is not None and births >= MINIMUM else None
    if row["on_old_counties"]:
        formula = "the source reports this state by former counties"
    elif births is None or low is None:
        words = {row["births_marker"], row["low_weight_marker"]} - {None}
        formula = f"no count for this county ({', '.join(sorted(words)) or 'not in the export'})"
    elif value is None:
        formula = f"{low:,} of {births:,} births: too few for a share"
    else:
        formula = f"{low:,} births under 2,500 grams / {births:,} births of known weight = {value:.6f}"
    used = POOL if row["pooled"] else cell.geo
    steps = (
        Step(
            "rows of the state in the exports of this group", source.height, source.filter(pl.col("geo") == used).height
        ),
        Step(
            "counties of the state", row["counties"], row["counties"] - row["unnamed_counties"], "named by the source"
        ),
    )
    rule = f"weak if unnamed or below {WEAK_BELOW} births, marginal below {MARGINAL_BELOW}"
    share = row["unnamed_counties"] / row["counties"]
    decisions = (
        Decision("births", births, f"at least {MINIMUM}", "published" if value is not None else "no figure"),
        Decision("births", births, rule, "unnamed: the state's pool" if row["pooled"] else "named"),
        Decision(
            "unnamed counties of the state",
            float(row["unnamed_counties"]),
            f"marginal if 1 to {FEW_UNNAMED - 1}, or in a state of at most {FEW_COUNTIES} counties below half of them",
            f"{row['unnamed_counties']} of {row['counties']} ({share:.2f})",
        ),
    )
    return Explanation(
        formula=formula,
        recomputed=value,
        inputs=source.filter(pl.col("geo") == used).with_columns(weight=pl.lit(1.0)),
        tables=("births_county", "spine"),
        steps=steps,
        decisions=decisions,
        notes=(f"Shared by {row['unnamed_counties']} counties of the state.",) if row["pooled"] else (),
    )
