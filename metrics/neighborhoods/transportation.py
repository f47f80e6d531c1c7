"""Transportation access: transit commuters and the cost of transportation. Method file transportation.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics import tracts as tract_figures
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step, weakest
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_TRACTS
from metrics.tract_account import members_of
from metrics.tracts import AREA, SCALE, TRACT
from schemas.estimate import empty
from schemas.labels import ALL, RACE_SHARE

YEARS = (2015, 2019, 2022)
SUBGROUPS: dict[str, tuple[str, ...]] = {"race-share": RACE_SHARE}
TABLES = ("ht_tracts", "acs_tract_race", "acs_tract_housing", "acs_area_income")

PREDICTOR = Predictor(
    key="transportation",
    title="Transportation access",
    pillar="neighborhoods",
    definition=(
        "For a household with a moderate income (80 percent of the regional median): the modelled share of commuters "
        "who use transit, and the modelled share of income spent on transportation."
    ),
    metrics=(
        Metric(
            "share_transit_commuter",
            "Share of commuters who use transit",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of commuters in moderate-income households in {name} used transit.",
        ),
        Metric(
            "share_transportation_cost",
            "Share of income spent on transportation",
            "share",
            maximum=1.0,
            sentence="In {year}, transportation cost a moderate-income household in {name} {value:.1%} of its income.",
        ),
    ),
    series=(
        Series("cnt_ht", YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("cnt_ht", YEARS, (*TABLES, "tract_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("cnt_ht", "acs_tables", "geocorr", "ct_tracts"),
    method="transportation.md",
    notes=(
        "The source's figures are modelled for each neighborhood and given in whole percents.",
        "Neighborhoods are White where at least 60 percent of residents are White and not Hispanic, of color where at "
        "least 60 percent are not, and mixed otherwise.",
        "Quality tells how precisely the survey knows the area's housing units and median income and, for cities, how "
        "well neighborhoods fit the city limits. The income part is the whole area's, also for subgroups.",
    ),
    breaks=(
        (2022, "The source changed its model, so changes since 2019 are partly changes of method."),
        (2022, NEW_TRACTS),
        (2022, CONNECTICUT),
    ),
)

# Published column -> the tract's figure, in percent.
FIGURES: Final = {"share_transit_commuter": "transit_percent", "share_transportation_cost": "cost_percent"}
OF_COLOR, WHITE, MIXED = RACE_SHARE

Z90: Final = 1.6448536269514722
"""Margin of error at the 90 % level / standard error: the quantile itself, not rounded."""

# A coefficient of variation below the first bound is quality 1, below the second 2, else 3.
HOUSING_BOUNDS: Final = (0.08, 0.15)
INCOME_BOUNDS: Final = (0.1, 0.3)
UNKNOWN_INCOME_CV: Final = 0.5
"""Stands in where the agency gives no median income or no margin of error: quality 3."""

MOSTLY: Final = SCALE // 2
"""A tract counts as inside a place if more than half of its people live there."""


@dataclass(frozen=True)
class Reproduce:
    """What the reference does otherwise, for comparison with its files."""

    without_connecticut: bool = False
    """Connecticut's places have no figures from 2022 (the factors still have the old counties)."""
    scientific_codes: bool = False
    """Tracts 100000, 200000, ..., 900000 are lost in places: their codes turn into 1e+05 and so on."""


def estimate(
    ht_tracts: pl.LazyFrame | None,
    acs_tract_race: pl.LazyFrame | None,
    acs_tract_housing: pl.LazyFrame | None,
    acs_area_income: pl.LazyFrame | None,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
) -> pl.DataFrame:
    """Transit commuters and transportation cost of counties and places, for all and by kind of neighborhood.

    Means over tracts weighted by households. Without `tract_place` there are rows for counties only; without one of the
    other tables none. `n` is the number of tracts, `denominator` the households. Method file transportation.md,
    sections 4 to 6.
    """
    if ht_tracts is None or acs_tract_race is None or acs_tract_housing is None or acs_area_income is None:
        return empty()
    return compute(ht_tracts, acs_tract_race, acs_tract_housing, acs_area_income, tract_place, spine, year)


def compute(
    ht_tracts: pl.LazyFrame,
    acs_tract_race: pl.LazyFrame,
    acs_tract_housing: pl.LazyFrame,
    acs_area_income: pl.LazyFrame,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    reproduce: Reproduce = Reproduce(),
) -> pl.DataFrame:
    """`estimate` of tables that are there; `reproduce` takes over flaws of the reference."""
    areas = spine.select(AREA).collect()
    factors = None if tract_place is None else _factors(tract_place.collect(), year, reproduce)
    if factors is None:
        areas = areas.filter(pl.col("level") == "county")
    tracts, race, housing = ht_tracts.collect(), acs_tract_race.collect(), acs_tract_housing.collect()
    members = tract_figures.allocate(_prepared(tracts, race, housing), factors).filter("has_data")
    listed = tracts.select(pl.lit("county").alias("level"), "state", pl.col("county").alias("geo")).unique()
    cells = areas.join(pl.DataFrame({"subgroup": [ALL, *RACE_SHARE]}), how="cross")
    rows = (
        cells.join(_sums(members), on=[*AREA, "subgroup"], how="left", validate="1:1")
        .join(_income(acs_area_income.collect()), on=AREA, how="left", validate="m:1")
        .join(listed.with_columns(listed=pl.lit(True)), on=AREA, how="left", validate="m:1")
        .with_columns(
            inputs_there=pl.all_horizontal(
                pl.col("state").is_in(frame["state"].unique().implode()) for frame in (tracts, race, housing)
            ),
            inhabited=pl.col("n").is_not_null().any().over(AREA),
        )
    )
    if factors is not None:
        rows = rows.join(tract_figures.overlap(factors), on=AREA, how="left", validate="m:1")
    else:
        rows = rows.with_columns(allocation=pl.lit(None, pl.Float64))
    return pl.concat(_figures(rows, metric, year) for metric in FIGURES)


def _factors(tract_place: pl.DataFrame, year: int, reproduce: Reproduce) -> pl.DataFrame:
    """The factors; without the rows that the reference loses, if that is wanted."""
    if reproduce.without_connecticut and year >= 2022:
        tract_place = tract_place.filter(pl.col("state") != "09")
    if reproduce.scientific_codes:
        tract_place = tract_place.filter(~pl.col("tract").str.contains("^[1-9]00000$"))
    return tract_place


def _prepared(ht: pl.DataFrame, race: pl.DataFrame, housing: pl.DataFrame) -> pl.DataFrame:
    """Tracts with households, their kind of neighborhood and their housing units.

    Tracts where the census counts nobody are left out. Kind and units are null for a tract that the census tables do
    not have.
    """
    return (
        ht.filter(pl.col("households") > 0)
        .join(race.select(*TRACT, "people", "white_nh"), on=TRACT, how="left", validate="1:1")
        .join(housing, on=TRACT, how="left", validate="1:1")
        .filter((pl.col("people") > 0).fill_null(True))
        .with_columns(neighborhood().alias("kind"))
    )


def neighborhood() -> pl.Expr:
    """Kind of neighborhood of a tract from its `people` and `white_nh`; compared in integers, null if unknown."""
    people, white = pl.col("people"), pl.col("white_nh")
    return (
        pl.when(10 * white >= 6 * people)
        .then(pl.lit(WHITE))
        .when(10 * (people - white) >= 6 * people)
        .then(pl.lit(OF_COLOR))
        .when(people.is_not_null() & white.is_not_null())
        .then(pl.lit(MIXED))
    )


def _sums(members: pl.DataFrame) -> pl.DataFrame:
    """Sums over the tracts of each area and kind of neighborhood (`subgroup`).

    `<figure>_sum` and `<figure>_weight` are sums of percent x households x share and of households x share (1/10,000).
    A tract without a figure makes a county's sums null; in a place it is left out. `units` and `squares` are the
    housing units (times share) and the squared margins (of whole tracts); null if they are unknown for a tract.
    """
    share, county = pl.col("share"), pl.col("level") == "county"
    weight = share * pl.col("households")
    unknown = pl.col("housing_units").is_null() | pl.col("housing_units_moe").is_null()
    groups = pl.concat(
        [members.with_columns(subgroup=pl.lit(ALL)), members.with_columns(subgroup="kind").drop_nulls("subgroup")]
    )
    sums = (
        groups.sort(*AREA, "subgroup", "county", "tract")
        .group_by(*AREA, "subgroup", maintain_order=True)
        .agg(
            *((weight * pl.col(c)).alias(f"{c}_sum") for c in FIGURES.values()),
            *(weight.filter(pl.col(c).is_not_null()).sum().alias(f"{c}_weight") for c in FIGURES.values()),
            *((pl.col(c).is_null() & county).any().alias(f"{c}_unknown") for c in FIGURES.values()),
            pl.len().cast(pl.Int64).alias("n"),
            (share > MOSTLY).mean().alias("match"),
            pl.when(~unknown.any()).then((share * pl.col("housing_units")).sum()).alias("units"),
            pl.when(~unknown.any()).then((pl.col("housing_units_moe") ** 2).sum()).alias("squares"),
        )
    )
    # Sums of fractions are taken in the order of the tracts.
    return sums.with_columns(
        pl.when(~pl.col(f"{c}_unknown")).then(pl.col(f"{c}_sum").list.sum()).alias(f"{c}_sum") for c in FIGURES.values()
    )


def _income(income: pl.DataFrame) -> pl.DataFrame:
    """The coefficient of variation of each area's median income; `income_there` is true where the table has a row."""
    cv = tract_figures.quotient(pl.col("median_income_moe") / Z90, pl.col("median_income"))
    return income.select(*AREA, income_cv=cv.fill_null(UNKNOWN_INCOME_CV), income_there=pl.lit(True))


def _flag(cv: pl.Expr, bounds: tuple[float, float]) -> pl.Expr:
    """1, 2 or 3 by two bounds; an unknown coefficient is 3."""
    first, second = bounds
    return pl.when(cv < first).then(1).when(cv < second).then(2).otherwise(3).cast(pl.Int8)


def housing_cv(units_10k: pl.Expr, squares: pl.Expr) -> pl.Expr:
    """Coefficient of variation of an area's housing units; null if there are none."""
    return tract_figures.quotient(squares.sqrt() / Z90, units_10k / SCALE)


def _figures(rows: pl.DataFrame, metric: str, year: int) -> pl.DataFrame:
    """One metric of all cells, as columns of `Estimate`."""
    column = FIGURES[metric]
    weight = pl.col(f"{column}_weight")
    # From percent to a share within the one division, which rounds once.
    value = tract_figures.quotient(pl.col(f"{column}_sum"), 100 * weight)
    housing = _flag(housing_cv(pl.col("units"), pl.col("squares")), HOUSING_BOUNDS)
    income = _flag(pl.col("income_cv"), INCOME_BOUNDS)
    match = pl.when(pl.col("level") == "county").then(1).when(pl.col("match") >= 0.5).then(1).otherwise(2)
    quality = pl.max_horizontal(housing, income, match.cast(pl.Int8))
    everyone = pl.col("subgroup") == ALL
    missing = (
        pl.when(~pl.col("inputs_there"))
        .then(pl.lit("input owed"))
        .when(~pl.col("inhabited") & pl.col("listed"))
        .then(pl.lit("denominator is zero"))
        .when(~pl.col("inhabited"))
        .then(pl.lit("area not covered by source"))
        .when(pl.col("n").is_null())
        .then(pl.lit("group not present"))
        .when(pl.col("income_there").is_null())
        .then(pl.lit("input owed"))
        .when(value.is_null())
        .then(pl.lit("unreliable at source"))
    )
    lowered = (
        pl.when(pl.max_horizontal(housing, income) > 1)
        .then(pl.lit("high sampling error"))
        .when(quality > 1)
        .then(pl.lit("area partly outside its sampling area"))
    )
    given = missing.is_null()
    return rows.select(
        *AREA,
        pl.when(everyone).then(pl.lit("all")).otherwise(pl.lit("race-share")).alias("subgroup_type"),
        "subgroup",
        pl.lit(metric).alias("metric"),
        pl.lit("cnt_ht").alias("sample"),
        pl.when(given).then(value).alias("value"),
        pl.when(given).then(quality).alias("quality"),
        "n",
        pl.when(given).then(pl.col(f"{column}_sum") / SCALE / 100).alias("numerator"),
        (weight / SCALE).alias("denominator"),
        "allocation",
        pl.format("{}-{}{}", "level", "state", "geo").alias("estimation_area"),
        pl.lit(1, pl.Int32).alias("n_areas"),
        pl.lit(str(year)).alias("reference_period"),
        missing.fill_null(lowered).alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    ht_tracts: pl.LazyFrame,
    acs_tract_race: pl.LazyFrame,
    acs_tract_housing: pl.LazyFrame,
    acs_area_income: pl.LazyFrame,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The tracts behind one figure with their households and percentages, and the three parts of its quality."""
    column = FIGURES[cell.metric]
    tracts = _prepared(ht_tracts.collect(), acs_tract_race.collect(), acs_tract_housing.collect())
    members, steps = members_of(cell, tracts, None if tract_place is None else tract_place.collect())
    inhabited = members.filter("has_data")
    grouped = inhabited if cell.subgroup == ALL else inhabited.filter(pl.col("kind") == cell.subgroup)
    afact = pl.col("share") / SCALE
    inputs = grouped.select(
        *TRACT,
        "households",
        afact.alias("afact"),
        (afact * pl.col("households")).alias("weight"),
        (pl.col(column) / 100).alias("tract_share"),
        pl.col("kind").alias("neighborhood"),
        "housing_units",
        "housing_units_moe",
    )
    row = compute(
        ht_tracts, acs_tract_race, acs_tract_housing, acs_area_income, tract_place, _only(spine, cell), year
    ).row(by_predicate=(pl.col("subgroup") == cell.subgroup) & (pl.col("metric") == cell.metric), named=True)
    # In the units and the order of `_sums`, so that the last digit agrees.
    counted = grouped.filter(pl.col(column).is_not_null()).with_columns(weight=pl.col("share") * pl.col("households"))
    weight = int(counted["weight"].sum())
    value = None
    if row["value"] is not None:
        percent = counted.select((pl.col("weight") * pl.col(column)).implode().list.sum()).item()
        value = float(percent) / (100 * weight)
    top = "" if value is None else f" {value * weight / SCALE:,.2f}"
    result = f"no figure ({row['reason']})" if value is None else f"{value:.6f}"
    return Explanation(
        formula=f"sum of households x share of the tract{top} / {weight / SCALE:,.4f} households = {result}",
        recomputed=value,
        inputs=inputs,
        tables=(*TABLES, *(() if cell.level == "county" else ("tract_place",))),
        steps=(*steps, Step(f"tracts of {cell.subgroup}", inhabited.height, grouped.height)),
        decisions=() if value is None else _decisions(cell, grouped, acs_area_income.collect()),
        notes=(
            "Shares of tracts are for a household at 80 percent of the regional median income, in whole percents.",
            "Quality does not describe the source's model; it tells how well housing units and income are known.",
        ),
    )


def _only(spine: pl.LazyFrame, cell: Cell) -> pl.LazyFrame:
    """The one area of a cell."""
    return spine.filter(pl.col("level") == cell.level, pl.col("state") == cell.state, pl.col("geo") == cell.geo)


def _decisions(cell: Cell, members: pl.DataFrame, income: pl.DataFrame) -> tuple[Decision, ...]:
    """The parts of the quality, worked out again from the tracts of one area."""
    units, squares = members.select(
        (pl.col("share") * pl.col("housing_units")).sum().alias("a"),
        (pl.col("housing_units_moe") ** 2).sum().alias("b"),
    ).row(0)
    unknown = members.select(pl.any_horizontal(pl.col("housing_units", "housing_units_moe").is_null()).any()).item()
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    income_cv = _income(income).filter(here)["income_cv"].item()
    cv = None if unknown or not units else squares**0.5 / Z90 / (units / SCALE)
    found = [
        _graded("coefficient of variation of the number of housing units", cv, HOUSING_BOUNDS),
        _graded("coefficient of variation of the area's median income", income_cv, INCOME_BOUNDS),
    ]
    if cell.level == "place":
        match = float((members["share"].to_numpy() > MOSTLY).mean())
        quality = 1 if match >= 0.5 else 2
        found.append(
            Decision(
                "share of the tracts that lie mostly inside the place",
                match,
                "half or more is quality 1, else 2",
                f"quality {quality}",
            )
        )
    return weakest(*found)


def _graded(name: str, cv: float | None, bounds: tuple[float, float]) -> Decision:
    first, second = bounds
    quality = 3 if cv is None or cv >= second else 2 if cv >= first else 1
    return Decision(name, cv, f"below {first} is quality 1, below {second} quality 2, else 3", f"quality {quality}")


_CONNECTICUT_PLACES: Final = ("08000", "18430", "37000", "52000", "55990", "73000", "80000")
_HOUSTON: Final = "4835000"

DEVIATIONS: Final = (
    Deviation(
        id="transportation/scientific-tract-codes",
        kind="deviation",
        predictor="transportation",
        reference="The place file by kind of neighborhood loses tracts 100000 to 900000, written as 1e+05 and so on.",
        ours="Codes are text throughout; the figures of everybody are the same beside subgroups and alone.",
        why="A tract that is there must count.",
        effect="Houston in 2015 and 2019: everybody in the subgroup file, and the kind its lost tract belongs to.",
        rows=(PublishedRow(2015, "place", _HOUSTON), PublishedRow(2019, "place", _HOUSTON)),
    ),
    Deviation(
        id="transportation/connecticut-places-2022",
        kind="deviation",
        predictor="transportation",
        reference="Joins the planning regions of 2022 to factors with the old counties; the cities get no figures.",
        ours="Moves the factors to the planning regions; the cities have figures.",
        why="The tracts are the same ones, only their county codes changed.",
        effect="Seven cities of Connecticut in 2022, all and by kind of neighborhood.",
        rows=tuple(PublishedRow(2022, "place", f"09{city}") for city in _CONNECTICUT_PLACES),
    ),
    Deviation(
        id="transportation/owed-census-figures",
        kind="deviation",
        predictor="transportation",
        reference="Takes a state without census tables for one with an unknown income (quality 3).",
        ours="No figure where the tables of a state could not be had.",
        why="Its quality is unknown, not weak.",
        effect="None where the tables are whole.",
        rows=(),
    ),
    Deviation(
        id="transportation/places-missing-tracts-share",
        scope=Scope(level="place"),
        kind="kept",
        predictor="transportation",
        reference="The part of a place's tracts that lie mostly inside it is counted by tracts, not by households.",
        ours="The same.",
        why="Published flags rest on it; the reference meant to weight it, but the weight was never used.",
        effect="At most the flags of places with many small slivers of tracts.",
    ),
    Deviation(
        id="transportation/place-margins-of-whole-tracts",
        scope=Scope(level="place"),
        kind="kept",
        predictor="transportation",
        reference="A place takes its share of a tract's housing units, but the whole of their margin of error.",
        ours="The same.",
        why="It errs on the side of caution.",
        effect="Coefficients of variation of places with divided tracts are a little too large.",
    ),
    Deviation(
        id="transportation/housing-units-for-households",
        kind="kept",
        predictor="transportation",
        reference="Quality is that of the number of housing units, vacant ones included, where households are meant.",
        ours="The same.",
        why="Published flags rest on it.",
        effect="Flags of areas with many vacant homes.",
    ),
    Deviation(
        id="transportation/income-of-the-whole-area",
        scope=Scope(subgroup_types=("race-share",)),
        kind="kept",
        predictor="transportation",
        reference="The income part of the quality is that of the whole area, also for kinds of neighborhoods.",
        ours="The same.",
        why="The source has no median income by kind of neighborhood.",
        effect="Flags of all subgroups.",
    ),
    Deviation(
        id="transportation/one-missing-tract",
        kind="kept",
        predictor="transportation",
        reference="One inhabited tract without a figure leaves its county without one; a place skips it.",
        ours="The same.",
        why="It keeps to the published rule.",
        effect="None in the files examined: every inhabited tract has a figure.",
    ),
)
