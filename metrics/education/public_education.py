"""Effective public education: learning rates in English language arts. Method file public_education.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.city_names import POSTAL_DISTRICTS, listed_cities
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.districts import Districts
from metrics.explanation import Cell, Explanation
from metrics.learning import ENOUGH_TESTS, OURS, Reproduce, rates
from metrics.learning_account import Named, account_of_county, account_of_place
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ROUGH_PLACES
from schemas.labels import ALL, DISADVANTAGE, GENDER
from schemas.schools import GRADES
from schemas.vintages import RENAMED_COUNTIES

METRIC: Final = "rate_learning"
SAMPLE: Final = "seda"
YEARS: Final = (2014, 2015, 2016, 2017, 2018)
SUBGROUPS: Final[dict[str, tuple[str, ...]]] = {
    # Other races and ethnicities have no learning rate.
    "race-ethnicity": ("Black, Non-Hispanic", "White, Non-Hispanic", "Hispanic"),
    "income": DISADVANTAGE,
    "gender": GENDER,
}
# The archive's groups of students -> subgroup type and label.
GROUPS: Final[dict[str, tuple[str, str]]] = {
    "all": ("all", ALL),
    "fem": ("gender", "Female"),
    "mal": ("gender", "Male"),
    "ecd": ("income", "Economically Disadvantaged"),
    "nec": ("income", "Not Economically Disadvantaged"),
    "blk": ("race-ethnicity", "Black, Non-Hispanic"),
    "hsp": ("race-ethnicity", "Hispanic"),
    "wht": ("race-ethnicity", "White, Non-Hispanic"),
}
_KEY: Final = ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")

PREDICTOR = Predictor(
    key="public_education",
    title="Effective public education",
    pillar="education",
    definition=(
        "How many grade levels public school students gain per school year in English language arts between grades 3 "
        "and 8. A value of 1 is about the national average."
    ),
    metrics=(
        Metric(
            METRIC,
            "Average annual improvement in English language arts",
            "grade levels per grade",
            minimum=-10.0,
            maximum=10.0,
            interval="sampling",
            sentence=(
                "Students in {name} who were in eighth grade in the school year that began in {year} had gained "
                "{value:.2f} grade levels a year in English language arts since third grade."
            ),
        ),
    ),
    series=(
        Series(SAMPLE, YEARS, ("seda_county",), levels=("county",), subgroups=SUBGROUPS),
        Series(
            SAMPLE,
            YEARS,
            ("seda_district", "district_city", "listed_places", "spine"),
            levels=("place",),
            subgroups=SUBGROUPS,
        ),
    ),
    sources=("seda", "ccd"),
    method="public_education.md",
    notes=(
        "The year is the fall in which the cohort entered grade 8; the scores behind it go back as far as five years.",
        "The interval rests on one error variance for the whole country, so it says little about an unusual county. A "
        "city's interval is the average of its districts' intervals.",
        "The source withholds small groups; all of New York State is missing in 2018.",
        ROUGH_PLACES + " Cities whose districts have their offices elsewhere have no figure.",
    ),
)


DEVIATIONS: Final = (
    Deviation(
        id="public_education/county-codes-2014",
        kind="deviation",
        predictor="public_education",
        reference="Looks the county codes of 2014 up among the archive's, which are later, and loses two counties.",
        ours="Scores of 02158 and 46102 are found under 02270 and 46113 in 2014.",
        why="Both counties were renamed in 2015 and kept their borders.",
        effect="Two counties gain values in 2014, with those of their groups that the archive does not withhold.",
        rows=(PublishedRow(2014, "county", "02270"), PublishedRow(2014, "county", "46113")),
    ),
    Deviation(
        id="public_education/pooled-variance",
        kind="kept",
        predictor="public_education",
        reference="One residual variance for all counties (or all districts with a listed city) of the nation.",
        ours="The same; `Reproduce(own_variance=True)` takes each area's own.",
        why="An area's interval depends on every other area in the run, and not on how well its own line fits.",
        effect="Every interval. With its own variance an area with two grades has no interval.",
    ),
    Deviation(
        id="public_education/withheld-scores-count-for-quality",
        kind="kept",
        predictor="public_education",
        reference="The fewest students tested are taken over all grades, also over those whose score is withheld.",
        ours="The same.",
        why="A grade that is no part of the rate lowers its quality.",
        effect="Areas with fewer than 30 tested in a withheld grade only are weak instead of strong or marginal.",
    ),
    Deviation(
        id="public_education/normal-quantile",
        kind="kept",
        predictor="public_education",
        reference="Intervals are 1.96 standard errors to either side.",
        ours="The same.",
        why="The exact quantile is 1.959964; the regression has thousands of degrees of freedom.",
        effect="Every half-width is wider by 0.002 %.",
    ),
    Deviation(
        id="public_education/city-by-office",
        scope=Scope(level="place"),
        kind="kept",
        predictor="public_education",
        reference="A district belongs, as a whole, to the city in its office's address, found by its spelling.",
        ours="The same.",
        why="Scores of districts cannot be divided, and their borders are no part of the sources.",
        effect=(
            "78 places are empty in all years, Winston-Salem (spelled without the hyphen) among them; countywide "
            "districts stand for a city. Of the 18 places that are a county of their own, St. Louis has no figure, 13 "
            "agree with the county within 0.01 in all years, and four differ by 0.03 to 0.13."
        ),
    ),
    Deviation(
        id="public_education/averaged-bounds",
        scope=Scope(level="place"),
        kind="kept",
        predictor="public_education",
        reference="A city's bounds and quality are averages over its districts, weighted by students tested.",
        ours="The same.",
        why="The average of intervals is not the interval of the average; it is too wide with several districts.",
        effect="Every city with more than one district.",
    ),
    Deviation(
        id="public_education/first-city-in-the-alphabet",
        scope=Scope(level="place"),
        kind="kept",
        predictor="public_education",
        reference="A school year without an office takes the first in the alphabet of the district's other cities.",
        ours="The same; `Reproduce(nearest_city=True)` takes the nearest year's.",
        why="Offices move.",
        effect="Districts with several cities over the years that also miss a year in the directory.",
    ),
)


def estimate(
    seda_county: pl.LazyFrame | None,
    seda_district: pl.LazyFrame | None,
    district_city: pl.LazyFrame | None,
    listed_places: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """Learning rates of the cohort that entered grade 8 in the fall of `year`, for the counties and places of `spine`.

    The tables are those of `schemas.schools` and cover the nation, whatever `spine` covers: all counties, and all
    districts with a listed city, share one error variance. Returns `Estimate` columns without year: value in grade
    levels per grade; lb and ub; quality; n = scores (county) or districts (place); se and cv (county); reason where
    missing or lowered. A level whose tables are owed (None) has no rows. Areas that the spine does not have are left
    out (`explain` counts them). Method file public_education.md, sections 4 to 6.
    """
    areas = spine.collect()
    parts: list[pl.DataFrame] = []
    if seda_county is not None:
        parts.append(_counties(seda_county, areas, year, reproduce))
    if seda_district is not None and district_city is not None and listed_places is not None:
        parts.append(_places(Districts(seda_district, district_city, listed_places, reproduce), areas, year))
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(_KEY, pl.String))
    return pl.concat(parts, how="diagonal")


# Counties -----------------------------------------------------------------------------------------------------------


def county_scores(seda_county: pl.LazyFrame, counties: pl.DataFrame, reproduce: Reproduce = OURS) -> pl.DataFrame:
    """Scores with the county of the year's list as `area` (5 digits)."""
    scores = seda_county.with_columns(area=pl.concat_str("state", "county"))
    if reproduce.codes_of_the_year:
        listed = set((counties["state"] + counties["geo"]).to_list())
        moves = {new: old for old, new in RENAMED_COUNTIES.items() if old in listed and new not in listed}
        scores = scores.with_columns(pl.col("area").replace(moves))
    return scores.collect()


def _counties(seda_county: pl.LazyFrame, areas: pl.DataFrame, year: int, reproduce: Reproduce) -> pl.DataFrame:
    counties = areas.filter(pl.col("level") == "county").select("level", "state", "geo")
    found = rates(county_scores(seda_county, counties, reproduce), own_variance=reproduce.own_variance).table
    grid = _grid(counties).with_columns(area=pl.concat_str("state", "geo"))
    rows = grid.join(found, on=["area", "group"], how="left", validate="1:1")
    known = pl.col("rate").is_not_null()
    reason = (
        pl.when(pl.col("grades").is_null())
        .then(pl.lit("area not covered by source"))
        .when(~known & (pl.col("grades") == 0))
        .then(pl.lit("suppressed at source"))
        .when(~known)
        .then(pl.lit("low coverage"))
        .when(pl.col("quality") > 1)
        .then(_why_lowered(pl.col("least")))
    )
    return rows.with_columns(lb=pl.col("rate") - pl.col("half"), ub=pl.col("rate") + pl.col("half")).select(
        *_published(year),
        pl.when(pl.col("rate") != 0).then(pl.col("se") / pl.col("rate")).alias("cv"),
        pl.col("points").cast(pl.Int64).alias("n"),
        "se",
        reason.alias("reason"),
    )


def _why_lowered(least: pl.Expr) -> pl.Expr:
    return pl.when(least < ENOUGH_TESTS).then(pl.lit("small population")).otherwise(pl.lit("low coverage"))


# Places -------------------------------------------------------------------------------------------------------------


def _places(districts: Districts, areas: pl.DataFrame, year: int) -> pl.DataFrame:
    places = areas.filter(pl.col("level") == "place").select("level", "state", "geo", "name")
    named = listed_cities(places, POSTAL_DISTRICTS).select("level", "state", "geo", "city")
    grid = _grid(named)
    rows = grid.join(districts.by_city(), on=["state", "city", "group"], how="left", validate="1:1")
    known = pl.col("weight") > 0
    half = pl.when("bounded").then(pl.col("half") / pl.col("weight"))
    reason = (
        pl.when(pl.col("weight").is_null())
        .then(pl.lit("area not covered by source"))
        .when(~known & (pl.col("scores") == 0))
        .then(pl.lit("suppressed at source"))
        .when(~known)
        .then(pl.lit("low coverage"))
        .when(pl.col("quality") > 1)
        .then(
            pl.when(2 * pl.col("small") >= pl.col("lowered"))
            .then(pl.lit("small population"))
            .otherwise(pl.lit("low coverage"))
        )
    )
    return (
        rows.with_columns(
            rate=pl.when(known).then(pl.col("rate") / pl.col("weight")),
            half=pl.when(known).then(half),
            # To the nearest whole number, halves up.
            quality=pl.when(known)
            .then((2 * pl.col("quality") + pl.col("weight")).floordiv(2 * pl.col("weight")))
            .cast(pl.Int8),
        )
        .with_columns(lb=pl.col("rate") - pl.col("half"), ub=pl.col("rate") + pl.col("half"))
        .select(*_published(year), pl.col("districts").cast(pl.Int64).alias("n"), reason.alias("reason"))
    )


# Both levels --------------------------------------------------------------------------------------------------------


def _grid(areas: pl.DataFrame) -> pl.DataFrame:
    """Every area crossed with every group of students."""
    groups = pl.DataFrame(
        [(group, *label) for group, label in GROUPS.items()],
        schema=["group", "subgroup_type", "subgroup"],
        orient="row",
    )
    return areas.join(groups, how="cross")


def _published(year: int) -> list[pl.Expr]:
    """The columns of `Estimate` that both levels fill alike, from rate, lb, ub, quality."""
    known = pl.col("rate").is_not_null()
    return [
        pl.col("level", "state", "geo", "subgroup_type", "subgroup"),
        pl.lit(METRIC).alias("metric"),
        pl.lit(SAMPLE).alias("sample"),
        pl.col("rate").alias("value"),
        pl.col("lb", "ub", "quality"),
        pl.when(known).then(pl.format("{}-{}{}", "level", "state", "geo")).alias("estimation_area"),
        pl.when(known).then(pl.lit(1, pl.Int32)).alias("n_areas"),
        pl.when(known).then(pl.lit(_period(year))).alias("reference_period"),
    ]


def _school_year(fall: int) -> str:
    return f"{fall}-{(fall + 1) % 100:02d}"


def _period(year: int) -> str:
    """The school years in which the cohort was in grades 3 to 8."""
    return f"{_school_year(year - GRADES[-1] + GRADES[0])} to {_school_year(year)}"


def explain(
    cell: Cell,
    *,
    year: int,
    seda_county: pl.LazyFrame | None,
    seda_district: pl.LazyFrame | None,
    district_city: pl.LazyFrame | None,
    listed_places: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure; the tables of the cell's level must be there.

    `inputs` of a county has one row per grade: grade, spring, score, tests, fitted (on the line), weight (tests if the
    score is used, else null). Of a place, one row per district and grade: leaid, city, grade, spring, tests, rate, lb,
    ub, quality, weight.
    """
    areas = spine.collect()
    group = next(g for g, label in GROUPS.items() if label == (cell.subgroup_type, cell.subgroup))
    named = Named(cell, group, _period(year))
    if cell.level == "county":
        if seda_county is None:
            raise ValueError("a county's account needs the table seda_county")
        counties = areas.filter(pl.col("level") == "county").select("level", "state", "geo")
        return account_of_county(named, county_scores(seda_county, counties), counties)
    if seda_district is None or district_city is None or listed_places is None:
        raise ValueError("a place's account needs the tables seda_district, district_city and listed_places")
    places = listed_cities(areas.filter(pl.col("level") == "place"), POSTAL_DISTRICTS)
    return account_of_place(named, Districts(seda_district, district_city, listed_places), places)
