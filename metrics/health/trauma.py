"""Safety from trauma: injury deaths. Method file trauma.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.health.poisson import bounds
from metrics.predictor import Metric, Predictor, Series, Substitute
from metrics.shared import CONNECTICUT, WONDER_CONNECTICUT
from schemas.errors import InputError
from schemas.estimate import empty
from schemas.labels import ALL, RACE_ETHNICITY
from schemas.vintages import RENAMED_COUNTIES, RENAMED_SINCE

METRIC: Final = "rate_injury_death"

PREDICTOR = Predictor(
    key="trauma",
    title="Safety from trauma",
    pillar="health",
    definition=(
        "Deaths caused by injury (accidents, suicide, homicide and others) per 100,000 residents and year, over the "
        "five years that end with the data year. Not adjusted for age."
    ),
    metrics=(
        Metric(
            METRIC,
            "Injury deaths per 100,000 people",
            "rate per 100,000",
            interval="sampling",
            sentence="Up to {year}, {value:.1f} of every 100,000 people in {name} died of an injury each year.",
        ),
    ),
    series=(
        Series(
            "wonder",
            (2014, 2015, 2016, 2017, 2018, 2019, 2020),
            ("injury_deaths_county",),
            levels=("county",),
        ),
        Series(
            "wonder",
            (2021, 2022, 2023),
            ("injury_deaths_county",),
            levels=("county",),
            subgroups={"race-ethnicity": RACE_ETHNICITY},
        ),
    ),
    sources=("wonder_deaths",),
    method="trauma.md",
    notes=(
        "Neighboring data years share most of their deaths and are not independent.",
        "The source gives no rate with fewer than 20 deaths.",
        "Chugach and Copper River, Alaska, both carry the rate of the former Valdez-Cordova area in 2020 to 2023, "
        "graded weak.",
        "Areas with different age structures differ for that reason alone.",
    ),
    breaks=(
        (
            2021,
            "Deaths are counted by single race. The 2021 figure pools four years (2018 to 2021) instead of five.",
        ),
        (2022, CONNECTICUT + WONDER_CONNECTICUT),
    ),
)

RELIABLE_FROM: Final = 20
STRONG_BELOW: Final = 0.2
MARGINAL_BELOW: Final = 0.4
CONNECTICUT_STATE: Final = "09"
# Areas dissolved before 2014, which the source lists without figures.
DISSOLVED: Final = ("51515", "51560", "02201", "02232", "02280")
# One area that became two; the source still reports the one.
SPLIT_AREA: Final = "02261"
SPLIT_INTO: Final = ("02063", "02066")
SPLIT_FROM: Final = 2020

_GROUP: Final = ["subgroup_type", "subgroup"]
_FIGURES: Final = ("rate", "lb", "ub", "se", "deaths", "population", "deaths_marker", "rate_marker")

DEVIATIONS: Final = (
    Deviation(
        id="trauma/pool-of-four-years",
        scope=Scope(years=(2021, 2021)),
        kind="kept",
        predictor="trauma",
        reference="The data year 2021 pools 2018 to 2021, all others five years.",
        ours="The same; the reference period says so, and the year is marked as a break.",
        why="Deaths by single race begin in 2018.",
        effect="All rows of 2021: more missing values and wider intervals than in 2020 and 2022.",
    ),
    Deviation(
        id="trauma/one-rate-for-two-areas",
        scope=Scope(years=(2020, None), states=("02",)),
        kind="kept",
        predictor="trauma",
        reference="Gives Chugach (02063) and Copper River (02066) the rate of Valdez-Cordova (02261), graded weak.",
        ours="The same, with Valdez-Cordova as their estimation area.",
        why="The source does not report the two areas; a rate cannot be divided among them.",
        effect="16 values of 2020 to 2023, 8 of them overall.",
    ),
    Deviation(
        id="trauma/bounds-from-rankings",
        kind="deviation",
        predictor="trauma",
        reference="Has the bounds as CDC WONDER prints them.",
        ours="The same from that source; where the County Health Rankings stand in for it, bounds computed from count "
        "and rate, rounded to one decimal.",
        why="WONDER computes bounds from figures that it has rounded before.",
        effect="5 of 2,879 rows of 2020 differ by 0.1 in one bound, and only with the substitute switched on.",
        rows=tuple(PublishedRow(2020, "county", c) for c in ("30053", "40077", "46031", "47127", "51097")),
    ),
    Deviation(
        id="trauma/printed-figures",
        kind="kept",
        predictor="trauma",
        reference="Grades quality by standard error / rate, both as printed with one decimal.",
        ours="The same.",
        why="Comparability; at 25 deaths the rounding decides between quality 1 and 2.",
        effect="Counties with about 25 deaths.",
    ),
    Deviation(
        id="trauma/connecticut",
        scope=Scope(years=(2022, None), states=("09",)),
        kind="kept",
        predictor="trauma",
        reference="Leaves Connecticut's planning regions missing in 2022 and 2023.",
        ours="The same, for as long as the source does not report them.",
        why="The source still counts by the former counties; nothing is crosswalked between the two.",
        effect="9 counties in 2022 and 2023, all groups.",
    ),
)


def estimate(injury_deaths_county: pl.LazyFrame | None, spine: pl.LazyFrame | None, year: int) -> pl.DataFrame:
    """`Estimate` rows of one year for the counties of the spine and the groups of the source; sample `wonder`.

    `injury_deaths_county`: the columns of its table. `spine`: level, state, geo. Raises `InputError` for an area of the
    source that is neither on the spine nor one of those the method names.
    """
    if injury_deaths_county is None or spine is None:
        return empty()
    return _estimates(assigned(injury_deaths_county, spine, year), sample="wonder")


def estimate_substitute(
    rankings_injury_deaths_county: pl.LazyFrame | None, spine: pl.LazyFrame | None, year: int
) -> pl.DataFrame:
    """The overall rate from the County Health Rankings; sample `chr`. Called only where `SUBSTITUTE` is on.

    Rates and bounds are rounded to one decimal; rates of fewer than 20 deaths are left out, as the first source does;
    the standard error is rate / sqrt(deaths), and bounds that the workbook does not have are computed from the count.
    """
    if rankings_injury_deaths_county is None or spine is None:
        return empty()
    return _estimates(assigned(as_printed(rankings_injury_deaths_county, year), spine, year), sample="chr")


def as_printed(rankings: pl.LazyFrame, year: int) -> pl.LazyFrame:
    """The Rankings' figures in the form of the table `injury_deaths_county`."""
    reliable = pl.col("deaths") >= RELIABLE_FROM
    low, high = bounds(pl.col("deaths"), pl.col("rate"))
    figures = {
        "rate": pl.col("rate"),
        "lb": pl.coalesce(pl.col("lb"), low),
        "ub": pl.coalesce(pl.col("ub"), high),
        "se": pl.col("rate") / pl.col("deaths").sqrt(),
    }
    return rankings.select(
        "state",
        "geo",
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        pl.lit(year - 4).alias("first_year"),
        pl.lit(year).alias("last_year"),
        "deaths",
        pl.when(pl.col("deaths").is_null()).then(pl.lit("Suppressed")).alias("deaths_marker"),
        pl.lit(None, pl.Int64).alias("population"),
        *(pl.when(reliable).then(value.round(1)).alias(name) for name, value in figures.items()),
        pl.when(pl.col("deaths").is_null())
        .then(pl.lit("Suppressed"))
        .when(~reliable)
        .then(pl.lit("Unreliable"))
        .alias("rate_marker"),
    )


def assigned(injury_deaths_county: pl.LazyFrame, spine: pl.LazyFrame, year: int) -> pl.DataFrame:
    """Every county of the spine and every group of the source with the row that stands for it.

    Returns state, geo, subgroup_type, subgroup, `source_code` (the source's code; null if it has none), the source's
    figures, first_year, last_year, `on_old_counties`. Where the source gives no rate, bounds and standard error are
    null, too: it prints bounds for rates that it withholds.
    """
    rows = injury_deaths_county.with_columns((pl.col("state") + pl.col("geo")).alias("code")).collect()
    counties = (
        spine.filter(pl.col("level") == "county").select("state", "geo", code=pl.col("state") + pl.col("geo")).collect()
    )
    rows = rows.filter(pl.col("state").is_in(counties["state"].unique().to_list()))
    groups = rows.select(*_GROUP, "first_year", "last_year").unique().sort(_GROUP)
    placed = _placed(rows, counties, year)
    old = counties.filter(pl.col("state") == CONNECTICUT_STATE)
    on_old = [CONNECTICUT_STATE] if old.height and old.join(placed, on="code", how="semi").is_empty() else []
    # A rate of zero deaths is printed as 0.0 in recent exports and as a word in older ones: never a figure.
    given = pl.col("rate").is_not_null() & (pl.col("deaths") >= RELIABLE_FROM)
    return (
        counties.join(groups, how="cross")
        .join(
            placed.select("code", *_GROUP, "source_code", *_FIGURES),
            on=["code", *_GROUP],
            how="left",
            validate="1:1",
        )
        .with_columns(pl.when(given).then(pl.col(c)).alias(c) for c in ("rate", "lb", "ub", "se"))
        .with_columns(on_old_counties=pl.col("state").is_in(on_old))
        .drop("code")
    )


def _placed(rows: pl.DataFrame, counties: pl.DataFrame, year: int) -> pl.DataFrame:
    """The source's rows under the codes of the year (`code`), with the code they were listed under (`source_code`).

    Renamed areas get their new code, the split area is given to both its parts, dissolved areas and Connecticut's
    former counties drop out; anything else that is not a county of the year is an error.
    """
    valid = counties["code"].to_list()
    listed = rows["code"].unique().to_list()
    # The source keeps codes that were replaced.
    replacing = RENAMED_COUNTIES if year >= RENAMED_SINCE else {}
    new_code = {old: new for old, new in replacing.items() if new in valid and new not in listed}
    rows = rows.with_columns(source_code=pl.col("code")).with_columns(pl.col("code").replace(new_code))
    if year >= SPLIT_FROM:
        parts = [part for part in SPLIT_INTO if part in valid and part not in listed]
        split = rows.filter(pl.col("code") == SPLIT_AREA)
        rows = pl.concat(
            [
                rows.filter(pl.col("code") != SPLIT_AREA),
                *(split.with_columns(pl.lit(part).alias("code")) for part in parts),
            ]
        )
    replaced = pl.col("source_code").is_in([*DISSOLVED, *RENAMED_COUNTIES]) & pl.col("rate").is_null()
    stray = rows.filter(~pl.col("code").is_in(valid), pl.col("state") != CONNECTICUT_STATE, ~replaced)
    if stray.height:
        codes = ", ".join(sorted(stray["source_code"].unique().to_list()))
        raise InputError(f"areas that are no counties of {year}: {codes}.", source="wonder_deaths")
    return rows.filter(pl.col("code").is_in(valid))


def _estimates(cells: pl.DataFrame, *, sample: str) -> pl.DataFrame:
    code, listed = pl.col("state") + pl.col("geo"), pl.col("source_code")
    split = (listed == SPLIT_AREA) & (code != SPLIT_AREA)
    # The standard error belongs to the area as a whole, so it is not handed on to the parts.
    se = pl.when(~split.fill_null(False)).then(pl.col("se"))
    cv = se / pl.col("rate")
    quality = (
        pl.when(pl.col("rate").is_null())
        .then(None)
        .when(split)
        .then(3)
        .when(cv < STRONG_BELOW)
        .then(1)
        .when(cv < MARGINAL_BELOW)
        .then(2)
        .otherwise(3)
    )
    return cells.with_columns(quality=quality).select(
        pl.lit("county").alias("level"),
        "state",
        "geo",
        *_GROUP,
        pl.lit(METRIC).alias("metric"),
        pl.lit(sample).alias("sample"),
        pl.col("rate").alias("value"),
        "lb",
        "ub",
        "quality",
        pl.col("deaths").alias("n"),
        se.alias("se"),
        cv.alias("cv"),
        pl.col("deaths").alias("numerator"),
        pl.col("population").alias("denominator"),
        (pl.lit("county-") + pl.when(split).then(listed).otherwise(code)).alias("estimation_area"),
        pl.when(split).then(len(SPLIT_INTO)).otherwise(1).cast(pl.Int32).alias("n_areas"),
        pl.format("{}-{}", "first_year", "last_year").alias("reference_period"),
        _reason(split).alias("reason"),
    )


def _reason(split: pl.Expr) -> pl.Expr:
    """Why the rate is missing or its quality lowered."""
    missing, marker = pl.col("rate").is_null(), pl.col("rate_marker")
    return (
        pl.when(missing & pl.col("on_old_counties"))
        .then(pl.lit("source on old counties"))
        .when(missing & (marker == "Suppressed"))
        .then(pl.lit("suppressed at source"))
        .when(missing & (pl.col("deaths").is_not_null()))
        .then(pl.lit("unreliable at source"))
        .when(missing)
        .then(pl.lit("area not covered by source"))
        .when(split)
        .then(pl.lit("pooled area"))
        .when(pl.col("quality") > 1)
        .then(pl.lit("high sampling error"))
    )


def explain(cell: Cell, *, year: int, injury_deaths_county: pl.LazyFrame, spine: pl.LazyFrame) -> Explanation:
    """How one county's rate came about."""
    return _explain(cell, year, injury_deaths_county, spine, "injury_deaths_county")


def explain_substitute(
    cell: Cell, *, year: int, rankings_injury_deaths_county: pl.LazyFrame, spine: pl.LazyFrame
) -> Explanation:
    """How one county's rate came about from the County Health Rankings."""
    printed = as_printed(rankings_injury_deaths_county, year)
    return _explain(cell, year, printed, spine, "rankings_injury_deaths_county")


def _explain(cell: Cell, year: int, deaths: pl.LazyFrame, spine: pl.LazyFrame, table: str) -> Explanation:
    in_group = (pl.col("subgroup_type") == cell.subgroup_type) & (pl.col("subgroup") == cell.subgroup)
    here = (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    cells = assigned(deaths, spine, year).filter(in_group)
    row = cells.filter(here).row(0, named=True)
    listed = row["source_code"]
    source = deaths.filter(in_group, (pl.col("state") + pl.col("geo")) == pl.lit(listed, pl.String)).collect()
    rows = deaths.filter(in_group).select(pl.len()).collect().item()
    rate, count, people, se = (row[k] for k in ("rate", "deaths", "population", "se"))
    printed = f"printed rate {rate}"
    if row["on_old_counties"]:
        formula, recomputed = "the source reports this state by former counties", None
    elif rate is None:
        words = row["rate_marker"] or (f"{count:,} deaths" if count is not None else "not in the export")
        formula, recomputed = f"no rate for this area ({words})", None
    elif people is None:
        formula, recomputed = f"{printed}, {count:,} deaths (population not in the source)", rate
    else:
        recomputed = round(count / people * 100_000, 1)
        formula = f"{count:,} deaths / {people:,} person-years * 100,000 = {recomputed} ({printed})"
    decisions = [
        Decision(
            "deaths in the pool",
            None if count is None else float(count),
            f"the source gives a rate from {RELIABLE_FROM} deaths on",
            "published" if rate is not None else "no figure",
        )
    ]
    if rate is not None:
        rule = f"1 below {STRONG_BELOW}, 2 below {MARGINAL_BELOW}, else 3; 3 for a part of an area reported as one"
        cv = se / rate if se is not None and listed == cell.state + cell.geo else None
        decisions.append(Decision("standard error / rate, both as printed", cv, rule, f"se {se}, rate {rate}"))
    notes = (
        [] if listed in (None, cell.state + cell.geo) else [f"The source reports this area under the code {listed}."]
    )
    return Explanation(
        formula=formula,
        recomputed=recomputed,
        inputs=source.with_columns(weight=pl.lit(1.0)),
        tables=(table, "spine"),
        steps=(
            Step(
                "areas in the export of this group, with a rate",
                rows,
                cells.filter(pl.col("rate").is_not_null()).height,
            ),
            Step("counties of the year that the export has", cells.height, cells["source_code"].drop_nulls().len()),
            Step("of them, the row of this county", cells["source_code"].drop_nulls().len(), source.height),
        ),
        decisions=tuple(decisions),
        notes=tuple(notes),
    )


# The County Health Rankings of 2022 hold the pool 2016 to 2020. They are used only where somebody asks for it.
SUBSTITUTE: Final = Substitute(
    series=Series("chr", (2020,), ("rankings_injury_deaths_county", "spine"), levels=("county",)),
    source="chr",
    note=(
        "The figures of 2020 come from the County Health Rankings of 2022, which republish deaths and rates of the "
        "same pool of years (2016 to 2020); single bounds may be off by 0.1."
    ),
    estimate=estimate_substitute,
    explain=explain_substitute,
)
