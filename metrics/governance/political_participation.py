"""Political participation: turnout in presidential elections. Method file political_participation.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step, weakest
from metrics.predictor import Metric, Predictor, Series
from metrics.tracts import AREA, Z90, quotient
from schemas.estimate import empty
from schemas.labels import ALL

YEARS = (2016, 2020)

PREDICTOR = Predictor(
    key="political_participation",
    title="Political participation",
    pillar="governance",
    definition="Votes cast for president as a share of the citizens of voting age.",
    metrics=(
        Metric(
            "share_election_turnout",
            "Share of the citizen voting-age population who voted",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of the citizens of voting age in {name} voted for president.",
        ),
    ),
    series=(
        Series("elections", YEARS, ("votes_county", "cvap"), levels=("county",)),
        Series("elections", YEARS, ("votes_place", "cvap"), levels=("place",)),
    ),
    sources=("mit_elections", "cvap", "vest_precincts", "boundaries"),
    method="political_participation.md",
    notes=(
        "Citizens of voting age are a survey estimate over five years. Turnout above 100 percent is set to 100 "
        "percent.",
        "Alaska counts votes by election district, so its counties have no figure; neither has Kalawao, Hawaii.",
        "Kansas City, Missouri, counts its votes apart from its county. They are in no county, so turnout in Jackson "
        "County is far too low and graded weak.",
        "City votes are estimated from precincts by the part of each precinct's land inside the city. Precincts in "
        "Kentucky and New Jersey in 2020 are themselves estimates and graded weak.",
    ),
)

METRIC: Final = "share_election_turnout"
SAMPLE: Final = "elections"

# Coefficient of variation of the citizens of voting age, and messiness of a place's precincts: below the first bound
# quality 1, below the second 2, else 3.
CV_BOUNDS: Final = (0.05, 0.15)
MESSINESS_BOUNDS: Final = (0.05, 0.1)

# States whose precinct results are estimates, by election.
ESTIMATED_PRECINCTS: Final[dict[int, tuple[str, ...]]] = {2020: ("21", "34")}


@dataclass(frozen=True)
class Reproduce:
    """What the reference does otherwise, for comparison with its files.

    For its places of 2016 it also takes citizens of 2016-2020: give `compute` the table `cvap` of 2020.
    """

    whole_precincts: bool = False
    """A precinct's votes are spread over all of its area, water too."""
    unmarked_gaps: bool = False
    """A county that lacks the votes of a part of it is not graded weak for that."""
    uncapped_places: bool = False
    """A place's turnout may be above 1."""


def estimate(
    votes_county: pl.LazyFrame | None,
    votes_place: pl.LazyFrame | None,
    cvap: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
) -> pl.DataFrame:
    """Votes for president / citizens of voting age, in counties and places.

    A level without its votes has no rows; without `cvap` there are none. `numerator` are the votes, `denominator` the
    citizens, `n` the precincts of a place, `cv` that of the citizens. Method file political_participation.md,
    sections 4 and 5.
    """
    return compute(votes_county, votes_place, cvap, spine, year)


def compute(
    votes_county: pl.LazyFrame | None,
    votes_place: pl.LazyFrame | None,
    cvap: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    reproduce: Reproduce = Reproduce(),
    add_votes_elsewhere: bool = False,
) -> pl.DataFrame:
    """`estimate`; `reproduce` takes over flaws of the reference.

    `add_votes_elsewhere` adds the votes that a part of a county counts apart, and does not grade the county for them.
    """
    if cvap is None:
        return empty()
    parts: dict[str, pl.DataFrame] = {}
    if votes_county is not None:
        parts["county"] = _counties(votes_county.collect(), reproduce, add_votes_elsewhere=add_votes_elsewhere)
    if votes_place is not None:
        parts["place"] = _places(votes_place.collect(), year, reproduce)
    if not parts:
        return empty()
    areas = spine.select(AREA).filter(pl.col("level").is_in(list(parts))).collect()
    rows = (
        areas.join(pl.concat(parts.values()), on=AREA, how="left", validate="1:1")
        .join(cvap.collect(), on=AREA, how="left", validate="1:1")
        .with_columns(
            votes_owed=(pl.col("level") == "place") & ~pl.col("state").is_in(_states(parts.get("place"))),
        )
    )
    return _figures(rows, year, reproduce)


def _states(votes: pl.DataFrame | None) -> list[str]:
    """The states of a votes table."""
    return [] if votes is None else votes["state"].unique().to_list()


def _counties(votes: pl.DataFrame, reproduce: Reproduce, *, add_votes_elsewhere: bool) -> pl.DataFrame:
    """Votes of counties; `grade` is 3 where the votes of a part of the county are missing."""
    elsewhere = pl.col("votes_elsewhere")
    gap = (elsewhere > 0) & pl.lit(not reproduce.unmarked_gaps and not add_votes_elsewhere)
    return votes.select(
        pl.lit("county").alias("level"),
        "state",
        "geo",
        (pl.col("votes") + (elsewhere if add_votes_elsewhere else 0)).cast(pl.Float64).alias("votes"),
        pl.lit(None, pl.Int64).alias("n"),
        pl.when(gap).then(3).otherwise(1).cast(pl.Int8).alias("grade"),
        pl.when(gap).then(pl.lit("low coverage")).alias("grade_reason"),
    ).sort(AREA)


def _share(reproduce: Reproduce) -> pl.Expr:
    """The part of a precinct's votes that a place takes."""
    return pl.col("share_area" if reproduce.whole_precincts else "share_land")


def _places(precincts: pl.DataFrame, year: int, reproduce: Reproduce) -> pl.DataFrame:
    """Votes of places from the precincts that overlap them, and the grade of this estimate.

    Messiness is the mean of 0.5 - |share - 0.5|, weighted by the votes taken: 0 where every precinct is inside or
    outside, 0.5 where the limits halve every precinct. Sums run in the order of the precincts.
    """
    taken = pl.col("votes") * _share(reproduce)
    mess = taken * (0.5 - (_share(reproduce) - 0.5).abs())
    sums = (
        precincts.sort("state", "geo", "precinct")
        .group_by("state", "geo", maintain_order=True)
        .agg(taken.alias("votes"), mess.alias("mess"), pl.len().cast(pl.Int64).alias("n"))
        .with_columns(pl.col("votes").list.sum(), pl.col("mess").list.sum())
        .with_columns(messiness=quotient(pl.col("mess"), pl.col("votes")))
    )
    estimated = pl.col("state").is_in(list(ESTIMATED_PRECINCTS.get(year, ())))
    messy = _grade(pl.col("messiness"), MESSINESS_BOUNDS)
    return sums.select(
        pl.lit("place").alias("level"),
        "state",
        "geo",
        "votes",
        "n",
        pl.when(estimated).then(3).otherwise(messy).cast(pl.Int8).alias("grade"),
        pl.when(estimated)
        .then(pl.lit("estimated at source"))
        .when(messy > 1)
        .then(pl.lit("area partly outside its sampling area"))
        .alias("grade_reason"),
    ).sort(AREA)


def _grade(figure: pl.Expr, bounds: tuple[float, float]) -> pl.Expr:
    """1, 2 or 3 by two bounds; an undefined figure is 3."""
    return pl.when(figure < bounds[0]).then(1).when(figure < bounds[1]).then(2).otherwise(3).cast(pl.Int8)


def _figures(rows: pl.DataFrame, year: int, reproduce: Reproduce) -> pl.DataFrame:
    """Turnout of areas with their votes and citizens, as columns of `Estimate`."""
    votes, citizens = pl.col("votes"), pl.col("cvap")
    turnout = quotient(votes, citizens)
    capped = pl.when(pl.lit(reproduce.uncapped_places) & (pl.col("level") == "place")).then(turnout)
    value = capped.otherwise(turnout.clip(upper_bound=1.0))
    cv = quotient(pl.col("cvap_moe") / Z90, citizens)
    sampled = _grade(cv, CV_BOUNDS)
    quality = pl.max_horizontal(sampled, pl.col("grade"))
    missing = (
        pl.when(pl.col("votes_owed"))
        .then(pl.lit("input owed"))
        .when(votes.is_null() | citizens.is_null())
        .then(pl.lit("area not covered by source"))
        .when(citizens == 0)
        .then(pl.lit("denominator is zero"))
    )
    lowered = (
        pl.when(pl.col("grade") == quality)
        .then(pl.col("grade_reason"))
        .when(sampled > 1)
        .then(pl.lit("high sampling error"))
    )
    given = missing.is_null()
    return rows.select(
        *AREA,
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        pl.lit(METRIC).alias("metric"),
        pl.lit(SAMPLE).alias("sample"),
        pl.when(given).then(value).alias("value"),
        pl.when(given).then(quality).alias("quality"),
        "n",
        pl.when(given).then(cv).alias("cv"),
        votes.alias("numerator"),
        citizens.cast(pl.Float64).alias("denominator"),
        pl.format("{}-{}{}", "level", "state", "geo").alias("estimation_area"),
        pl.lit(1, pl.Int32).alias("n_areas"),
        pl.lit(str(year)).alias("reference_period"),
        missing.fill_null(lowered).alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    votes_county: pl.LazyFrame | None,
    votes_place: pl.LazyFrame | None,
    cvap: pl.LazyFrame,
    spine: pl.LazyFrame,
) -> Explanation:
    """The votes and citizens behind one figure, precinct by precinct in a place, and the parts of its quality."""
    here = (pl.col("state") == cell.state, pl.col("geo") == cell.geo)
    only = spine.filter(pl.col("level") == cell.level, *here)
    row = compute(votes_county, votes_place, cvap, only, year).row(0, named=True)
    votes = votes_county if cell.level == "county" else votes_place
    assert votes is not None
    table = votes.collect()
    inputs = table.filter(*here).sort("precinct") if cell.level == "place" else table.filter(*here)
    in_state = table.filter(pl.col("state") == cell.state).height
    citizens_of = cvap.collect()
    unit = "precinct" if cell.level == "place" else "county"
    notes = ["Citizens of voting age are estimated from five years of interviews; votes are counts."]
    counted = inputs["votes"].cast(pl.Float64)
    if cell.level == "place":
        inputs = inputs.with_columns(votes_taken=pl.col("votes") * pl.col("share_land"))
        counted = inputs["votes_taken"]
        notes.append("Each precinct gives the place the part of its votes that its land in the place is of its land.")
    value = None
    if row["value"] is not None:
        # In the order of `_places`, so that the last digit agrees.
        value = min(float(counted.implode().list.sum().item()) / row["denominator"], 1.0)
    cast = "unknown" if row["numerator"] is None else f"{row['numerator']:,.2f}"
    citizens = "unknown" if row["denominator"] is None else f"{row['denominator']:,.0f}"
    result = f"no figure ({row['reason']})" if value is None else f"{value:.6f}"
    # Every row shows what it is divided by, so that the figure follows from the rows alone.
    divisor = citizens_of.filter(pl.col("level") == cell.level, *here).select("cvap", "cvap_moe")
    inputs = inputs.join(divisor, how="cross") if divisor.height else inputs.with_columns(cvap=None, cvap_moe=None)
    return Explanation(
        formula=f"{cast} votes / {citizens} citizens of voting age = {result}",
        recomputed=value,
        inputs=inputs,
        tables=("votes_county" if cell.level == "county" else "votes_place", "cvap"),
        steps=(
            Step("rows of votes in the table, those of the state", table.height, in_state),
            Step(f"rows of the {cell.level}", in_state, inputs.height, f"one row per {unit}, from those of the state"),
            Step(f"estimates of citizens, that of the {cell.level}", citizens_of.height, divisor.height),
        ),
        decisions=() if value is None else _decisions(cell, inputs, row, year),
        notes=tuple(notes),
    )


def _decisions(cell: Cell, inputs: pl.DataFrame, row: dict[str, float], year: int) -> tuple[Decision, ...]:
    """The parts of the quality, worked out again from the rows of one area."""
    found = [_graded("coefficient of variation of the citizens of voting age", row["cv"], CV_BOUNDS)]
    if cell.level == "county":
        elsewhere = float(inputs["votes_elsewhere"].sum())
        outcome = "quality 3" if elsewhere else "quality 1"
        rule = "none -> 1, else 3 (they are missing in the county's votes)"
        return weakest(*found, Decision("votes that a part of the county counts apart", elsewhere, rule, outcome))
    taken, share = inputs["votes_taken"], inputs["share_land"]
    total = float(taken.sum())
    messiness = float((taken * (0.5 - (share - 0.5).abs())).sum()) / total if total else None
    found.append(_graded("messiness: how far precincts are cut by the place's limits", messiness, MESSINESS_BOUNDS))
    estimated = cell.state in ESTIMATED_PRECINCTS.get(year, ())
    found.append(
        Decision(
            "precinct results are estimates (1 yes, 0 no)",
            float(estimated),
            "no -> 1, yes -> 3",
            "quality 3" if estimated else "quality 1",
        )
    )
    return weakest(*found)


def _graded(name: str, figure: float | None, bounds: tuple[float, float]) -> Decision:
    quality = 3 if figure is None or figure >= bounds[1] else 2 if figure >= bounds[0] else 1
    return Decision(
        name, figure, f"below {bounds[0]} is quality 1, below {bounds[1]} quality 2, else 3", f"quality {quality}"
    )


JACKSON: Final = "29095"
KALAWAO: Final = "15005"

DEVIATIONS: Final = (
    Deviation(
        id="political_participation/citizens-of-the-wrong-years",
        scope=Scope(level="place", years=(2016, 2016)),
        kind="deviation",
        predictor="political_participation",
        reference="Divides the places' votes of 2016 by the citizens of 2016-2020.",
        ours="Divides them by the citizens of 2012-2016, as in counties.",
        why="Figures of counties and cities of one election must be comparable.",
        effect="All places of 2016, by up to 12 percent of the figure.",
    ),
    Deviation(
        id="political_participation/votes-over-water",
        scope=Scope(level="place"),
        kind="deviation",
        predictor="political_participation",
        reference="Spreads a precinct's votes over its whole area; what falls on water is lost to the place.",
        ours="Spreads them over the precinct's land.",
        why="Nobody votes on the water.",
        effect=(
            "Places by the sea: of the votes cast in 2020 the reference finds 86 percent in Hampton and Newport News, "
            "91 in Norfolk, 92 in Suffolk, 93 in Virginia Beach, 98 in Portsmouth."
        ),
    ),
    Deviation(
        id="political_participation/precincts-of-the-own-state",
        scope=Scope(level="place"),
        kind="deviation",
        predictor="political_participation",
        reference="Lays the precincts of all states over all places.",
        ours="Lays a state's precincts over the places of that state.",
        why="Precincts do not cross state lines; where their drawings do, it is an error of drawing.",
        effect="Slivers along state lines.",
    ),
    Deviation(
        id="political_participation/kansas-city",
        kind="kept",
        predictor="political_participation",
        reference="Leaves out the votes that Kansas City counts apart; the turnout of Jackson County is far too low.",
        ours="The same value; with a switch the votes are added to the county.",
        why="It is the published value.",
        effect="Jackson County, Missouri: 0.347 instead of 0.605 in 2016, 0.381 instead of 0.646 in 2020.",
        rows=(PublishedRow(2016, "county", JACKSON), PublishedRow(2020, "county", JACKSON)),
    ),
    Deviation(
        id="political_participation/kansas-city-quality",
        kind="deviation",
        predictor="political_participation",
        reference="Grades this value strong.",
        ours="Grades it weak.",
        why="A third of the county's votes are not in it.",
        effect="The flag of Jackson County, Missouri, is 3 instead of 1.",
        rows=(PublishedRow(2016, "county", JACKSON), PublishedRow(2020, "county", JACKSON)),
    ),
    Deviation(
        id="political_participation/alaska",
        scope=Scope(level="county", states=("02",)),
        kind="kept",
        predictor="political_participation",
        reference="Has no figures for the counties of Alaska, which reports by election district.",
        ours="The same.",
        why="The source has no votes by county.",
        effect="All counties of Alaska: 29 in 2016, 30 in 2020.",
    ),
    Deviation(
        id="political_participation/kalawao",
        kind="kept",
        predictor="political_participation",
        reference="Has no figure for Kalawao, Hawaii, whose votes are counted with Maui's.",
        ours="The same.",
        why="The source has no votes of its own for it.",
        effect="One county.",
        rows=(PublishedRow(2016, "county", KALAWAO), PublishedRow(2020, "county", KALAWAO)),
    ),
    Deviation(
        id="political_participation/places-above-1",
        kind="deviation",
        predictor="political_participation",
        reference="Sets turnout above 1 to 1 in counties, but not in places.",
        ours="Sets it to 1 in both.",
        why="It is a share, and both levels follow one rule.",
        effect="None in the published files: no place is above 1.",
        rows=(),
    ),
)
