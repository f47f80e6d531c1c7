"""Environmental quality: index of exposure to air toxics. Method file environment.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics import tracts as tract_figures
from metrics.air_toxics import HAZARDS, ranked, recoded
from metrics.deviation import Deviation, PublishedRow
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.tracts import AREA, SCALE, TRACT
from schemas.estimate import empty
from schemas.labels import ALL, POVERTY, RACE_SHARE
from schemas.vintages import RENAMED_COUNTIES, RENAMED_SINCE, tract_vintage

YEARS = (2014, 2018, 2019)
SUBGROUPS: dict[str, tuple[str, ...]] = {"race-share": RACE_SHARE, "income": POVERTY}
TABLES = ("air_toxics_tracts", "acs_tract_race", "acs_tract_poverty", "tract_county")
METHODS_CHANGE = "The agency changes its methods with each assessment; assessment years are not a time series."

PREDICTOR = Predictor(
    key="environment",
    title="Environmental quality",
    pillar="health",
    definition=(
        "Index from 0 to 100 of air quality with regard to toxic pollutants: the average rank of the area's "
        "neighborhoods in the nation by cancer, respiratory and neurological hazard. Higher means cleaner air."
    ),
    metrics=(
        Metric(
            "index_air_hazard",
            "Air toxics index (higher is cleaner)",
            "index 0-100",
            maximum=100.0,
            sentence="In {year}, {name} scored {value:.0f} of 100 on the air toxics index, where higher is cleaner.",
        ),
    ),
    series=(
        Series("airtoxscreen", YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("airtoxscreen", YEARS, (*TABLES, "tract_place_2010"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("airtoxscreen", "acs_tables", "geocorr"),
    method="environment.md",
    notes=(
        "The index is relative: it ranks neighborhoods within a year and does not tell whether the air got better.",
        "Neighborhoods are White where at most 40 percent of residents are people of color, of color where at least "
        "60 percent are, and mixed between. They are high-poverty where at least 40 percent are poor (elsewhere in "
        "these data: more than 40 percent).",
        "Neighborhoods weigh in by population. Quality is lowered where 5 percent or more of the people live in "
        "neighborhoods without a figure.",
    ),
    breaks=((2018, METHODS_CHANGE), (2019, METHODS_CHANGE)),
)

METRIC: Final = "index_air_hazard"
SAMPLE: Final = "airtoxscreen"
OF_COLOR, WHITE, MIXED = RACE_SHARE
HIGH_POVERTY, NOT_HIGH_POVERTY = POVERTY
KINDS: Final = {"race-share": "neighborhood", "income": "poverty"}
"""Subgroup type -> the column of a tract that tells its subgroup."""

UNKNOWN_PERCENT: Final = 5
"""Quality is 2 where this part of the people, or more, live in tracts without an index."""


@dataclass(frozen=True)
class Reproduce:
    """What the reference does otherwise, for comparison with its files."""

    rounded_tracts: bool = False
    """The index is rounded in tracts and then again in the mean."""
    old_census_codes: bool = False
    """Census tables of 2014 keep the codes of two renamed counties, which then have no figure."""


def estimate(
    air_toxics_tracts: pl.LazyFrame | None,
    acs_tract_race: pl.LazyFrame | None,
    acs_tract_poverty: pl.LazyFrame | None,
    tract_county: pl.LazyFrame | None,
    tract_place_2010: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
) -> pl.DataFrame:
    """Air toxics index of counties and places, for all and by kind of neighborhood, rounded to a whole number.

    The mean of the tracts' ranks in the nation, weighted by people. Without `tract_place_2010` there are rows for
    counties only; without one of the other tables none. `n` is the number of tracts with an index, `denominator` the
    people in them. Method file environment.md, sections 4 and 5.
    """
    if air_toxics_tracts is None or acs_tract_race is None or acs_tract_poverty is None or tract_county is None:
        return empty()
    listed = tract_county.collect()
    index = ranked(air_toxics_tracts.collect(), listed, census=tract_vintage(year))
    return compute(index, acs_tract_race, acs_tract_poverty, listed, tract_place_2010, spine, year)


def compute(
    index: pl.DataFrame,
    acs_tract_race: pl.LazyFrame,
    acs_tract_poverty: pl.LazyFrame,
    tract_county: pl.DataFrame,
    tract_place_2010: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    reproduce: Reproduce = Reproduce(),
) -> pl.DataFrame:
    """`estimate` from the index of tracts (state, county, tract, index); `reproduce` takes over flaws."""
    census = tract_vintage(year)
    factors = None if tract_place_2010 is None else recoded(tract_place_2010.collect(), "place", census=census)
    race, poverty = acs_tract_race.collect(), acs_tract_poverty.collect()
    tracts = _prepared(index, race, poverty, tract_county, year, reproduce)
    members = _members(tracts, factors, year)
    areas = spine.select(AREA).collect()
    if factors is None:
        areas = areas.filter(pl.col("level") == "county")
    labels = [("all", ALL), *(("race-share", label) for label in RACE_SHARE), *(("income", label) for label in POVERTY)]
    cells = areas.join(pl.DataFrame(labels, schema=["subgroup_type", "subgroup"], orient="row"), how="cross")
    there = (pl.col("state").is_in(frame["state"].unique().implode()) for frame in (race, poverty))
    rows = cells.join(_sums(members), on=[*AREA, "subgroup_type", "subgroup"], how="left", validate="1:1")
    rows = rows.with_columns(
        inputs_there=pl.all_horizontal(there), covered=pl.col("tracts").is_not_null().any().over(AREA)
    )
    if factors is not None:
        rows = rows.join(tract_figures.overlap(factors), on=AREA, how="left", validate="m:1")
    else:
        rows = rows.with_columns(allocation=pl.lit(None, pl.Float64))
    return _figures(rows, year)


def _prepared(
    index: pl.DataFrame,
    race: pl.DataFrame,
    poverty: pl.DataFrame,
    tract_county: pl.DataFrame,
    year: int,
    reproduce: Reproduce,
) -> pl.DataFrame:
    """The tracts of the list with index, people, and the kinds of neighborhood they belong to (null if unknown)."""
    race = race.select(*TRACT, "people", "white_nh")
    poverty = poverty.select(*TRACT, pl.col("people").alias("poverty_universe"), "poor")
    if not reproduce.old_census_codes:
        census = tract_vintage(year)
        race, poverty = recoded(race, census=census), recoded(poverty, census=census)
    rank = pl.col("index").round(mode="half_to_even") if reproduce.rounded_tracts else pl.col("index")
    return (
        tract_county.select(TRACT)
        .join(index.select(*TRACT, rank), on=TRACT, how="left", validate="1:1")
        .join(race, on=TRACT, how="left", validate="1:1")
        .join(poverty, on=TRACT, how="left", validate="1:1")
        .with_columns(neighborhood().alias("neighborhood"), high_poverty().alias("poverty"))
        .sort(TRACT)
    )


def neighborhood() -> pl.Expr:
    """Kind of neighborhood of a tract from its `people` and `white_nh`; compared in integers, null if unknown."""
    people, others = pl.col("people"), pl.col("people") - pl.col("white_nh")
    return (
        pl.when(people == 0)
        .then(None)
        .when(10 * others >= 6 * people)
        .then(pl.lit(OF_COLOR))
        .when(10 * others <= 4 * people)
        .then(pl.lit(WHITE))
        .when(others.is_not_null())
        .then(pl.lit(MIXED))
    )


def high_poverty() -> pl.Expr:
    """Whether at least 40 percent of a tract's `poverty_universe` are `poor`; null if nobody is in it or unknown."""
    universe, poor = pl.col("poverty_universe"), pl.col("poor")
    return (
        pl.when(universe == 0)
        .then(None)
        .when(10 * poor >= 4 * universe)
        .then(pl.lit(HIGH_POVERTY))
        .when(10 * poor < 4 * universe)
        .then(pl.lit(NOT_HIGH_POVERTY))
    )


def _members(tracts: pl.DataFrame, factors: pl.DataFrame | None, year: int) -> pl.DataFrame:
    """The tracts of every county and place of the year; counties under the codes they had then."""
    members = tract_figures.allocate(tracts, factors)
    if year >= RENAMED_SINCE:
        return members
    older = {new: old[2:] for old, new in RENAMED_COUNTIES.items()}
    renamed = (pl.col("state") + pl.col("geo")).replace_strict(older, default=None)
    geo = pl.when(pl.col("level") == "county").then(renamed).fill_null(pl.col("geo"))
    return members.with_columns(geo.alias("geo")).sort(*AREA, "county", "tract")


def _sums(members: pl.DataFrame) -> pl.DataFrame:
    """Sums over the tracts of each area and subgroup, in 1/10,000 people.

    `weighted` is the sum of index x people over tracts with an index, `weight` their people, `unknown` the people in
    tracts without one; `unweighted` whether the people of a tract are not known.
    """
    weight = pl.col("share") * pl.col("people")
    known = pl.col("index").is_not_null()
    groups = [members.with_columns(subgroup_type=pl.lit("all"), subgroup=pl.lit(ALL))]
    for kind, column in KINDS.items():
        groups.append(
            members.filter(pl.col(column).is_not_null()).with_columns(subgroup_type=pl.lit(kind), subgroup=column)
        )
    keys = [*AREA, "subgroup_type", "subgroup"]
    return (
        pl.concat(groups)
        .sort(*keys, "county", "tract")
        .group_by(keys, maintain_order=True)
        .agg(
            pl.len().alias("tracts"),
            known.sum().cast(pl.Int64).alias("n"),
            (weight * pl.col("index")).filter(known).alias("weighted"),
            weight.filter(known).sum().alias("weight"),
            weight.filter(~known).sum().alias("unknown"),
            pl.col("people").is_null().any().alias("unweighted"),
        )
        # Sums of fractions are taken in the order of the tracts.
        .with_columns(pl.col("weighted").list.sum())
    )


def _figures(rows: pl.DataFrame, year: int) -> pl.DataFrame:
    """The index of all cells, as columns of `Estimate`."""
    weight, unknown = pl.col("weight"), pl.col("unknown")
    mean = tract_figures.quotient(pl.col("weighted"), weight)
    value = mean.round(mode="half_to_even")
    quality = _quality(weight, unknown)
    missing = (
        pl.when(~pl.col("inputs_there"))
        .then(pl.lit("input owed"))
        .when(~pl.col("covered"))
        .then(pl.lit("area not covered by source"))
        .when(pl.col("tracts").is_null())
        .then(pl.lit("group not present"))
        .when(pl.col("unweighted"))
        .then(pl.lit("low coverage"))
        .when(weight + unknown == 0)
        .then(pl.lit("denominator is zero"))
        .when(value.is_null())
        .then(pl.lit("area not covered by source"))
    )
    given = missing.is_null()
    lowered = pl.when(quality == 2).then(pl.lit("low coverage"))
    return rows.select(
        *AREA,
        "subgroup_type",
        "subgroup",
        pl.lit(METRIC).alias("metric"),
        pl.lit(SAMPLE).alias("sample"),
        pl.when(given).then(value).alias("value"),
        pl.when(given).then(quality).alias("quality"),
        "n",
        (weight / SCALE).alias("denominator"),
        "allocation",
        pl.format("{}-{}{}", "level", "state", "geo").alias("estimation_area"),
        pl.lit(1, pl.Int32).alias("n_areas"),
        pl.lit(str(year)).alias("reference_period"),
        missing.fill_null(lowered).alias("reason"),
    )


def _quality(weight: pl.Expr, unknown: pl.Expr) -> pl.Expr:
    """2 where too many people live in tracts without an index, else 1; compared in integers."""
    return pl.when(100 * unknown >= UNKNOWN_PERCENT * (weight + unknown)).then(2).otherwise(1).cast(pl.Int8)


def explain(
    cell: Cell,
    *,
    year: int,
    air_toxics_tracts: pl.LazyFrame,
    acs_tract_race: pl.LazyFrame,
    acs_tract_poverty: pl.LazyFrame,
    tract_county: pl.LazyFrame,
    tract_place_2010: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The tracts behind one figure: their hazards, their rank in the nation, their people, and how many have none."""
    listed, toxics = tract_county.collect(), air_toxics_tracts.collect()
    census = tract_vintage(year)
    index = ranked(toxics, listed, census=census)
    only = spine.filter(pl.col("level") == cell.level, pl.col("state") == cell.state, pl.col("geo") == cell.geo)
    given = compute(index, acs_tract_race, acs_tract_poverty, listed, tract_place_2010, only, year)
    row = given.row(by_predicate=pl.col("subgroup") == cell.subgroup, named=True)
    factors = None if tract_place_2010 is None else recoded(tract_place_2010.collect(), "place", census=census)
    tracts = _prepared(index, acs_tract_race.collect(), acs_tract_poverty.collect(), listed, year, Reproduce())
    of_state = tracts.filter(pl.col("state") == cell.state)
    members = _members(of_state, factors if factors is None else factors.filter(pl.col("state") == cell.state), year)
    members = members.filter(pl.col("level") == cell.level, pl.col("geo") == cell.geo)
    column = KINDS.get(cell.subgroup_type)
    grouped = members if column is None else members.filter(pl.col(column) == cell.subgroup)
    afact = pl.col("share") / SCALE
    inputs = grouped.join(
        recoded(toxics, census=tract_vintage(year)), on=TRACT, how="left", validate="m:1", maintain_order="left"
    ).select(
        *TRACT,
        *HAZARDS,
        "index",
        "people",
        afact.alias("afact"),
        (afact * pl.col("people")).alias("weight"),
        "neighborhood",
        "poverty",
    )
    known = inputs.filter(pl.col("index").is_not_null())
    weighted, weight = float((known["index"] * known["weight"]).sum()), float(known["weight"].sum())
    value = None if row["value"] is None else float(pl.Series([weighted / weight]).round(mode="half_to_even")[0])
    result = f"no figure ({row['reason']})" if value is None else f"{weighted / weight:.4f}, rounded {value:.0f}"
    without = float(inputs.filter(pl.col("index").is_null())["weight"].sum())
    share = without / (weight + without) if weight + without else None
    outcome = f"quality {row['quality']}" if value is not None else "no figure"
    return Explanation(
        formula=f"sum of index x people {weighted:,.2f} / people {weight:,.2f} = {result}",
        recomputed=value,
        inputs=inputs,
        tables=(*TABLES, *(() if cell.level == "county" else ("tract_place_2010",))),
        steps=(
            Step("tracts ranked in the nation", toxics.height, index.height, "territories and odd codes left out"),
            Step("tracts of the state", tracts.height, of_state.height),
            Step(f"tracts of the {cell.level}", of_state.height, members.height),
            Step(f"tracts of {cell.subgroup}", members.height, grouped.height),
            Step("tracts with an index", grouped.height, known.height),
        ),
        decisions=(
            Decision("share of people in tracts without an index", share, f"{UNKNOWN_PERCENT} % or more is 2", outcome),
        ),
        notes=(
            "A tract's index is the percent rank, in the nation, of minus the sum of its three standardized hazards.",
            "Tracts are averaged unrounded; only the result is rounded.",
        ),
    )


_VALDEZ_CORDOVA: Final = "02261"
_NO_PLACE_OF_2010: Final = ("0637692", "1349008", "1372122")

DEVIATIONS: Final = (
    Deviation(
        id="environment/rounded-twice",
        kind="deviation",
        predictor="environment",
        reference="Rounds the index of tracts to whole numbers, and their mean again.",
        ours="Rounds once, at the end.",
        why="The first rounding adds noise and can move a figure by one.",
        effect="Figures may differ by 1, in any area and group.",
    ),
    Deviation(
        id="environment/valdez-cordova",
        kind="deviation",
        predictor="environment",
        reference="Has no overall row for Valdez-Cordova, Alaska, and rows for its successors of 2020 by group.",
        ours="Has rows for the counties of the year.",
        why="The successors did not exist in these years.",
        effect="02261 has figures; 02063 and 02066, empty there, have no rows.",
        rows=tuple(PublishedRow(year, "county", _VALDEZ_CORDOVA) for year in YEARS),
    ),
    Deviation(
        id="environment/renamed-counties-2014",
        kind="deviation",
        predictor="environment",
        reference="Has two renamed counties under their new codes in 2014, without figures: census codes were the old.",
        ours="Brings both sides to one code and gives the figures to the counties of 2014, 02270 and 46113.",
        why="The tracts are the same ones.",
        effect="Two counties of 2014 have figures.",
        rows=(PublishedRow(2014, "county", "02270"), PublishedRow(2014, "county", "46113")),
    ),
    Deviation(
        id="environment/flag-without-value",
        kind="deviation",
        predictor="environment",
        reference="Gives a quality where there is no value, because no tract of the group has an index.",
        ours="No quality without a value.",
        why="There is nothing to grade.",
        effect="High-poverty neighborhoods of 26083 in 2018 and 2019 and of 53057 in 2019.",
        rows=(
            PublishedRow(2018, "county", "26083", HIGH_POVERTY),
            PublishedRow(2019, "county", "26083", HIGH_POVERTY),
            PublishedRow(2019, "county", "53057", HIGH_POVERTY),
        ),
    ),
    Deviation(
        id="environment/owed-census-figures",
        kind="deviation",
        predictor="environment",
        reference="Needs the census tables of every state.",
        ours="No figure in a state whose tables could not be had; the other states' figures are the same.",
        why="Ranks are taken over the nation, means within an area.",
        effect="None where the tables are whole.",
        rows=(),
    ),
    Deviation(
        id="environment/from-40-percent",
        kind="kept",
        predictor="environment",
        reference="A tract is high-poverty from 40 percent on; economic inclusion counts those above 40 percent.",
        ours="The same.",
        why="Published figures rest on both definitions.",
        effect="Tracts with exactly 40 percent, few of them.",
    ),
    Deviation(
        id="environment/places-of-2010",
        kind="kept",
        predictor="environment",
        reference="Takes the limits that places had in 2010; places that came later have no figure.",
        ours="The same.",
        why="Published figures rest on it.",
        effect="Jurupa Valley, Macon-Bibb and South Fulton have no figures.",
        rows=tuple(
            PublishedRow(year, "place", geoid)
            for year in YEARS
            for geoid in _NO_PLACE_OF_2010
            if (year, geoid) != (2014, "1372122")
        ),
    ),
)
