"""School economic diversity: students in high-poverty schools. Method file school_economic_diversity.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.city_names import listed_cities, postal_city
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ROUGH_PLACES
from schemas.labels import ALL

SAMPLE: Final = "meps_ccd"
YEARS: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021)
TABLES: Final = ("school_directory", "school_enrollment", "school_poverty")
HIGH_POVERTY: Final = 20.0
"""Percent of students in poverty from which a school counts as a high-poverty school."""
STRONG: Final = 30
MARGINAL: Final = 15
BOTH_SEXES: Final = 99
# Race codes of the Common Core of Data -> the metric's group.
RACES: Final[dict[int, str]] = {2: "black", 3: "hispanic", 1: "white"}
_KEY: Final = ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")


def _column(group: str) -> str:
    return f"share_meps20_{group}"


def _share(group: str, words: str) -> Metric:
    return Metric(
        _column(group),
        f"Share of {words} students in high-poverty schools",
        "share",
        maximum=1.0,
        sentence=(
            f"In the school year that began in {{year}}, {{value:.1%}} of {words} public school students in {{name}} "
            "attended a high-poverty school."
        ),
    )


PREDICTOR = Predictor(
    key="school_economic_diversity",
    title="School economic diversity",
    pillar="education",
    definition=(
        "Share of Black, Hispanic and White public school students who attend a high-poverty school: one where an "
        "estimated 20 percent or more of the students live below the federal poverty level."
    ),
    metrics=(_share("black", "Black"), _share("hispanic", "Hispanic"), _share("white", "White")),
    series=(
        Series(SAMPLE, YEARS, TABLES, levels=("county",)),
        Series(SAMPLE, YEARS, (*TABLES, "spine"), levels=("place",)),
    ),
    sources=("meps", "ccd"),
    method="school_economic_diversity.md",
    notes=(
        "School poverty is a model's estimate. Students of schools without one count as not in a high-poverty school.",
        "Black and White mean non-Hispanic.",
        ROUGH_PLACES + " A city can therefore be wider or narrower than its legal limits.",
        "Quality tells only how many students of the group the area has (30 or more, 15 to 29, fewer).",
        "In 2015 many schools lack a county code.",
    ),
    breaks=((2019, "Modelled poverty swings strongly from 2019 to 2021, around the pandemic, and figures with it."),),
)


@dataclass(frozen=True)
class Reproduce:
    """What the registered entries decide; the defaults are ours.

    state_of_the_school: a school without a county code is looked up in the state of its own number.
    without_estimate_left_out: students of schools without an estimate of poverty are in neither sum.
    stated_totals: students of a race are its stated total, not the sum over the sexes.
    """

    state_of_the_school: bool = True
    without_estimate_left_out: bool = False
    stated_totals: bool = False


OURS: Final = Reproduce()
REFERENCE: Final = Reproduce(state_of_the_school=False)

# Places that are empty in the reference's file of 2015 only.
_LOST_IN_2015: Final = (
    *("1702154", "1703012", "1706613", "1712385", "1714000", "1714351", "1723074", "1724582", "1738570"),
    *("1751622", "1759000", "1765000", "1768003", "1772000", "1779293", "4513330", "4550875"),
)

DEVIATIONS: Final = (
    Deviation(
        id="school_economic_diversity/schools-without-county-2015",
        kind="deviation",
        predictor="school_economic_diversity",
        reference="Takes a school's state from its county code; a school without one belongs to no city.",
        ours="Such a school's state is that of its own number (the first two digits).",
        why="Many schools of 2015 lack the county code; whole cities vanish, others lose schools.",
        effect=(
            "Seventeen places that are empty in 2015 only have values. Other places with such schools (a few in 2014, "
            "more in 2015) differ too, by amounts that the published file does not show."
        ),
        rows=tuple(PublishedRow(2015, "place", geoid) for geoid in _LOST_IN_2015),
    ),
    Deviation(
        id="school_economic_diversity/schools-without-estimate",
        kind="kept",
        predictor="school_economic_diversity",
        reference="A school without an estimate of poverty adds its students to the denominator and none above.",
        ours="The same; `Reproduce(without_estimate_left_out=True)` leaves it out of both. `explain` tells its share.",
        why="Its students count as if the school were known not to be poor.",
        effect="Shares are too low where a state's estimates are incomplete.",
    ),
    Deviation(
        id="school_economic_diversity/city-by-address",
        scope=Scope(level="place"),
        kind="kept",
        predictor="school_economic_diversity",
        reference="A school belongs to the city in its address, found by its spelling.",
        ours="The same.",
        why="The directory gives no code of the place; postal cities are wider or narrower than legal ones.",
        effect=(
            "Five places never match, Urban Honolulu and Indianapolis among them. Of 144 figures of the 18 places that "
            "are a county of their own, 69 equal the county's; 56 (Black), 68 (Hispanic) and 65 (White) differ by more "
            "than 0.01, the largest by 0.65."
        ),
    ),
    Deviation(
        id="school_economic_diversity/sum-over-sexes",
        kind="kept",
        predictor="school_economic_diversity",
        reference="Adds up the sexes of a race and ignores the stated total, which differs where a sex is suppressed.",
        ours="The same; `Reproduce(stated_totals=True)` takes the stated total.",
        why="Students whose sex is withheld are lost.",
        effect="Few schools; the published file does not show which.",
    ),
)


def estimate(
    school_directory: pl.LazyFrame | None,
    school_enrollment: pl.LazyFrame | None,
    school_poverty: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """Share of the students of a race who attend a high-poverty school, for the counties and places of `spine`.

    The tables are those of `schemas.schools`. Returns `Estimate` columns without year: value; numerator and denominator
    (students); quality by the denominator (30 or more, 15 to 29, fewer); n = schools with students of the race; reason
    where missing or lowered. No rows if a table is owed (None). Schools of other areas are left out (`explain` counts
    them). Method file school_economic_diversity.md, sections 4 and 5.
    """
    if school_directory is None or school_enrollment is None or school_poverty is None:
        return pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String))
    students = students_by_school(school_directory, school_enrollment, school_poverty, reproduce)
    areas = _areas(spine.collect())
    races = pl.DataFrame(
        [(race, _column(group)) for race, group in RACES.items()],
        schema={"race": pl.Int8, "metric": pl.String},
        orient="row",
    )
    sums = pl.concat(_sums(students, level) for level in ("county", "place"))
    rows = areas.join(races, how="cross").join(sums, on=["level", "area", "race"], how="left", validate="1:1")
    known = pl.col("value").is_not_null()
    enough = pl.col("denominator") >= STRONG
    some = pl.col("denominator") >= MARGINAL
    reason = (
        pl.when(~known & pl.col("reported").fill_null(False))
        .then(pl.lit("group not present"))
        .when(~known)
        .then(pl.lit("area not covered by source"))
        .when(~enough)
        .then(pl.lit("small population"))
    )
    share = pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator"))
    return rows.with_columns(value=share).select(
        *("level", "state", "geo"),
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        "metric",
        pl.lit(SAMPLE).alias("sample"),
        "value",
        pl.when(known).then(pl.when(enough).then(1).when(some).then(2).otherwise(3)).cast(pl.Int8).alias("quality"),
        pl.col("schools").cast(pl.Int64).alias("n"),
        pl.col("numerator", "denominator").cast(pl.Float64),
        pl.when(known).then(pl.format("{}-{}{}", "level", "state", "geo")).alias("estimation_area"),
        pl.when(known).then(pl.lit(1, pl.Int32)).alias("n_areas"),
        pl.when(known).then(pl.lit(f"{year}-{(year + 1) % 100:02d}")).alias("reference_period"),
        reason.alias("reason"),
    )


def students_by_school(
    school_directory: pl.LazyFrame,
    school_enrollment: pl.LazyFrame,
    school_poverty: pl.LazyFrame,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """One row per school with students and race: ncessch, race, students, poverty, high, county, place.

    `students` is null where the race is not reported. `high` tells whether the school's poverty reaches the limit,
    null without an estimate. `county` is the code of the address (null: none), `place` the state and the city it names
    ("37 Winston-Salem"; null: none). Schools without students are left out.
    """
    sexes = pl.col("sex") == BOTH_SEXES if reproduce.stated_totals else pl.col("sex") != BOTH_SEXES
    # All sexes missing: the race is not reported; some missing: they count as none.
    by_race = (
        school_enrollment.filter(sexes)
        .group_by("ncessch", "race")
        .agg(students=pl.when(pl.col("enrollment").count() > 0).then(pl.col("enrollment").sum()))
    )
    state = pl.col("county").str.head(2)
    if reproduce.state_of_the_school:
        state = pl.coalesce(state, pl.col("ncessch").str.head(2))
    races = pl.LazyFrame({"race": list(RACES)}, schema={"race": pl.Int8})
    return (
        school_directory.filter(pl.col("enrollment") > 0)
        .with_columns(place=pl.concat_str([state, postal_city("city")], separator=" "))
        .join(school_poverty, on="ncessch", how="left", validate="1:1")
        .with_columns(high=pl.col("poverty") >= HIGH_POVERTY)
        .join(races, how="cross")
        .join(by_race, on=["ncessch", "race"], how="left", validate="1:1")
        .filter((pl.lit(not reproduce.without_estimate_left_out)) | pl.col("high").is_not_null())
        .select("ncessch", "race", "students", "poverty", "high", "county", "place")
        .sort("ncessch", "race")
        .collect()
    )


def _areas(spine: pl.DataFrame) -> pl.DataFrame:
    """Counties and places of the year with the text by which schools name them: level, state, geo, area."""
    counties = spine.filter(pl.col("level") == "county").with_columns(area=pl.concat_str("state", "geo"))
    places = listed_cities(spine.filter(pl.col("level") == "place"))
    places = places.with_columns(area=pl.concat_str(["state", "city"], separator=" "))
    columns = ("level", "state", "geo", "area")
    return pl.concat([counties.select(columns), places.select(columns)])


def _sums(students: pl.DataFrame, level: str) -> pl.DataFrame:
    """Per area and race: numerator (students in high-poverty schools), denominator, schools, reported."""
    number = pl.col("students")
    return (
        students.drop_nulls(level)
        .group_by(pl.col(level).alias("area"), "race")
        .agg(
            numerator=number.filter(pl.col("high").fill_null(False)).sum(),
            denominator=number.sum(),
            schools=(number > 0).sum(),
            reported=number.is_not_null().any(),
        )
        .with_columns(level=pl.lit(level))
    )


# Account ------------------------------------------------------------------------------------------------------------


def explain(
    cell: Cell,
    *,
    year: int,
    school_directory: pl.LazyFrame,
    school_enrollment: pl.LazyFrame,
    school_poverty: pl.LazyFrame,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: its schools with their students of the race and their poverty.

    `inputs` has one row per school of the area: ncessch, students, poverty, high, weight (its students over all; null
    without). The share of students in schools with an estimate of poverty is among the decisions.
    """
    everyone = students_by_school(school_directory, school_enrollment, school_poverty)
    race = next(r for r, group in RACES.items() if _column(group) == cell.metric)
    areas = _areas(spine.collect())
    of_level = areas.filter(pl.col("level") == cell.level)
    area = of_level.filter(pl.col("state") == cell.state, pl.col("geo") == cell.geo)["area"].item()
    schools = everyone.filter(pl.col("race") == race)
    placed = schools.drop_nulls(cell.level)
    listed = placed.filter(pl.col(cell.level).is_in(of_level["area"].implode()))
    here = listed.filter(pl.col(cell.level) == area)
    total = int(here["students"].sum())
    high = int(here.filter("high")["students"].sum())
    estimated = int(here.drop_nulls("high")["students"].sum())
    share = high / total if total else None
    return Explanation(
        formula=(
            f"students in schools with {HIGH_POVERTY:.0f} % or more poverty / students = {high:,} / {total:,} = "
            + ("missing" if share is None else f"{share:.7g}")
        ),
        recomputed=share,
        inputs=here.select(
            *("ncessch", "students", "poverty", "high"),
            weight=pl.when(pl.lit(total > 0)).then(pl.col("students") / max(total, 1)),
        ),
        tables=TABLES,
        steps=(
            *_directory_steps(school_directory, schools.height),
            Step(f"schools with a {cell.level}", schools.height, placed.height, f"school year {year}"),
            Step(f"schools in a {cell.level} of the year's list", placed.height, listed.height),
            Step(f"schools of {area}", listed.height, here.height),
        ),
        decisions=_decisions(total, estimated),
        notes=_spelling(cell.level, area),
    )


def _directory_steps(school_directory: pl.LazyFrame, kept: int) -> Sequence[Step]:
    height = int(school_directory.select(pl.len()).collect().item())
    return (Step("schools with students", height, kept),)


def _decisions(total: int, estimated: int) -> tuple[Decision, ...]:
    quality = 1 if total >= STRONG else 2 if total >= MARGINAL else 3
    covered = estimated / total if total else None
    return (
        Decision(
            "students of the group",
            float(total),
            f"{STRONG} or more -> 1, {MARGINAL} or more -> 2, else 3; none -> missing",
            f"quality {quality}" if total else "the value is missing",
        ),
        Decision(
            "share of them in schools with an estimate of poverty",
            covered,
            "the others count as not in a high-poverty school",
            "does not apply" if covered is None else f"{1 - covered:.1%} counted so",
        ),
    )


def _spelling(level: str, area: str) -> tuple[str, ...]:
    return (f"Schools whose address names the city {area[3:]}.",) if level == "place" else ()
