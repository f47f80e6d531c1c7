"""Housing stability: public school students who are homeless during the school year. Method file homelessness.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Explanation
from metrics.homeless_account import account
from metrics.homeless_counts import AREA, OURS, Switches, areas
from metrics.homeless_rules import judged
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, ROUGH_PLACES
from schemas.estimate import empty
from schemas.labels import ALL, RACE_ETHNICITY

COUNT: Final = "count_homeless"
SHARE: Final = "share_homeless"
SAMPLE: Final = "edfacts"
YEARS = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022)
GROUP_YEARS = (2019, 2020, 2021, 2022)
TABLES = ("homeless_lea", "lea_directory", "spine")

PREDICTOR = Predictor(
    key="homelessness",
    title="Housing stability",
    pillar="neighborhoods",
    definition=(
        "Number and share of public school students who are homeless at any time during the school year, which "
        "includes children doubled up with other families."
    ),
    metrics=(
        Metric(
            COUNT,
            "Number of public school students who are homeless",
            "count",
            interval="suppression",
            sentence=(
                "In the school year that began in {year}, {value:,.0f} public school students in {name} were homeless "
                "at some time."
            ),
        ),
        Metric(
            SHARE,
            "Share of public school students who are homeless",
            "share",
            maximum=1.0,
            sentence=(
                "In the school year that began in {year}, {value:.1%} of public school students in {name} were "
                "homeless at some time."
            ),
        ),
    ),
    series=(
        Series(SAMPLE, YEARS, TABLES),
        Series(
            SAMPLE,
            GROUP_YEARS,
            (*TABLES, "lea_enrollment"),
            subgroups={"race-ethnicity": RACE_ETHNICITY},
            overall=False,
        ),
    ),
    sources=("edfacts_homeless", "ccd"),
    method="homelessness.md",
    notes=(
        "The year is the fall in which the school year begins.",
        "Districts with one or two homeless students report no number. Each counts as one student; the bounds give the "
        "range that is left open. They are not a sampling interval.",
        "Figures are withheld where fewer than 10 homeless students are counted, where a group has two or fewer, and "
        "where the groups do not add up to about the total.",
        ROUGH_PLACES + " A district counts as a whole where its office is: some cities have no match and no figure, "
        "others the students of the whole county's district, or of a few charter schools only.",
    ),
    breaks=((2022, CONNECTICUT),),
)

DEVIATIONS: Final = (
    Deviation(
        id="homelessness/enrollment-codes",
        scope=Scope(subgroup_types=("race-ethnicity",), metrics=("share_",)),
        kind="deviation",
        predictor="homelessness",
        reference="Adds the codes for missing enrollment of a group (-1, -2, -3) to the students enrolled.",
        ours="Missing enrollment is missing.",
        why="A code is no number of students.",
        effect="Shares of groups whose districts have such codes fall a little; none of the years at hand can show it.",
    ),
    Deviation(
        id="homelessness/count-without-enrollment",
        scope=Scope(years=(2019, None), subgroup_types=("race-ethnicity",), metrics=("count_",)),
        kind="deviation",
        predictor="homelessness",
        reference="A county whose districts enroll nobody of a group keeps the group's count, without a quality.",
        ours="The count keeps its quality; the share is missing.",
        why="Every value has a quality.",
        effect="One count of 2019 (Black, Non-Hispanic) has a quality that it lacks in the reference.",
    ),
    Deviation(
        id="homelessness/upper-bound",
        kind="kept",
        predictor="homelessness",
        reference=(
            "Where a state withholds one or two numbers, their upper bound is the state's smallest number, but "
            "withheld numbers have become 1 by then: so the bound is 1 (0 where a district reports 0)."
        ),
        ours=(
            "The same, but never below the number itself, which is 1. `Switches(smallest_reported_bound=True)` takes "
            "the smallest reported number above zero."
        ),
        why="The published bounds; the state's smallest reported number is what the rule means.",
        effect="Upper bounds of counties and cities in states with one or two withheld numbers are too low.",
    ),
    Deviation(
        id="homelessness/other-of-one",
        scope=Scope(subgroup_types=("race-ethnicity",)),
        kind="kept",
        predictor="homelessness",
        reference=(
            "A district with one student in the four small groups together counts as withheld even if the one is real; "
            "two withheld groups make two students, taken for exact."
        ),
        ours="The same.",
        why="The published bounds.",
        effect="Bounds of Other Races and Ethnicities are too wide or too narrow by one or two students per district.",
    ),
    Deviation(
        id="homelessness/mailing-city",
        scope=Scope(level="place"),
        kind="kept",
        predictor="homelessness",
        reference="A district counts as a whole in the city that the address of its office names.",
        ours=(
            "The same. Where students per resident are less than half or more than twice those of the state the reason "
            "says so; `Switches(weak_where_misplaced=True)` also makes them weak."
        ),
        why="The published figures; no list of districts by city, made from ids or shapes, is among the sources.",
        effect=(
            "Some 58 cities never match. New York has only the districts whose address is New York, Winston-Salem only "
            "charter schools. In 2020, of 423 cities with a figure, 18 have far too few students and 48 far too many."
        ),
    ),
)


def estimate(
    homeless_lea: pl.LazyFrame | None,
    lea_directory: pl.LazyFrame | None,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    switches: Switches = OURS,
) -> pl.DataFrame:
    """Homeless students, and their share of the enrolled, of the counties and cities that have districts.

    `homeless_lea` as in `schemas.students`, `lea_directory` and `lea_enrollment` as in `schemas.schools`; `spine` has
    level, state, geo, name, population. Returns `Estimate` columns without year. lb and ub of the count: what withheld
    numbers leave open. n: districts with a number. numerator and denominator of the share: homeless and enrolled
    students. Groups from 2019 on, if `lea_enrollment` is there; nothing without the other two. Areas off the spine are
    left out.
    """
    if homeless_lea is None or lea_directory is None:
        return empty()
    by_race = lea_enrollment if year in GROUP_YEARS else None
    figures = judged(areas(homeless_lea, lea_directory, by_race, spine, switches=switches), switches)
    known = pl.col("missing").is_null()
    shared = known & (pl.col("enrollment") > 0)
    lowered = pl.coalesce("misplaced", "weakened")
    no_share = (
        pl.when(pl.col("enrollment") == 0)
        .then(pl.lit("denominator is zero"))
        .otherwise(pl.lit("area not covered by source"))
    )
    keys: list[str | pl.Expr] = [
        *AREA,
        pl.when(pl.col("subgroup") == ALL)
        .then(pl.lit("all"))
        .otherwise(pl.lit("race-ethnicity"))
        .alias("subgroup_type"),
        "subgroup",
        pl.lit(SAMPLE).alias("sample"),
        pl.col("leas").alias("n"),
        pl.format("{}-{}{}", "level", "state", "geo").alias("estimation_area"),
        pl.lit(1, dtype=pl.Int32).alias("n_areas"),
        pl.lit(f"{year}-{year + 1}").alias("reference_period"),
    ]
    counts = figures.select(
        *keys,
        pl.lit(COUNT).alias("metric"),
        *(
            pl.when(known).then(pl.col(c)).cast(pl.Float64).alias(v)
            for c, v in (("count", "value"), ("lb", "lb"), ("ub", "ub"))
        ),
        pl.when(known).then("quality").alias("quality"),
        pl.when(known).then(lowered).otherwise("missing").alias("reason"),
    )
    shares = figures.select(
        *keys,
        pl.lit(SHARE).alias("metric"),
        pl.when(shared).then(pl.col("count") / pl.col("enrollment")).alias("value"),
        pl.when(shared).then("quality").alias("quality"),
        pl.when(known).then(pl.col("count")).cast(pl.Float64).alias("numerator"),
        pl.when(known).then(pl.col("enrollment")).cast(pl.Float64).alias("denominator"),
        pl.when(shared).then(lowered).when(known).then(no_share).otherwise("missing").alias("reason"),
    )
    return pl.concat([counts, shares], how="diagonal")


def explain(
    cell: Cell,
    *,
    year: int,
    homeless_lea: pl.LazyFrame,
    lea_directory: pl.LazyFrame,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: the districts of the area with their numbers and bounds, and the rules applied."""
    by_race = lea_enrollment if year in GROUP_YEARS else None
    return account(cell, homeless_lea, lea_directory, by_race, spine, is_count=cell.metric == COUNT)
