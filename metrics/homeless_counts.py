"""Homeless students: bounds around withheld numbers, and sums over the districts of a county or city.

Method file homelessness.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.city_fit import PLACE, fit
from metrics.city_names import listed_cities, postal_city
from schemas.labels import ALL, RACE_ETHNICITY

BLACK, WHITE, OTHER, HISPANIC = RACE_ETHNICITY
# Group of the source -> published label; the four others together are `OTHER`.
LABELS: Final = {"all": ALL, "black": BLACK, "white": WHITE, "hispanic": HISPANIC}
PARTS_OF_OTHER: Final = ("asian", "aian", "nhpi", "two_or_more")
# The same of the Common Core of Data.
RACE_LABELS: Final = {1: WHITE, 2: BLACK, 3: HISPANIC, 4: OTHER, 5: OTHER, 6: OTHER, 7: OTHER}
AREA: Final = ["level", "state", "geo"]

# A withheld number is one or two students; it is counted as one.
WITHHELD_AS: Final = 1
WITHHELD_AT_MOST: Final = 2
# So few withheld numbers in a state may include one that hides another: they may be larger.
FEW_WITHHELD: Final = 2


@dataclass(frozen=True)
class Switches:
    """What the registered decisions about flaws of the reference decide; the defaults are what we publish.

    smallest_reported_bound: where one or two numbers of a state are withheld, the upper bound is the smallest number
    above zero that a district of the state reports, instead of the smallest one after withheld numbers became one.
    weak_where_misplaced: figures of a city whose matched districts do not fit its size have quality 3.
    """

    smallest_reported_bound: bool = False
    weak_where_misplaced: bool = False


OURS: Final = Switches()


def bounded(homeless_lea: pl.LazyFrame, *, by_race: bool, switches: Switches = OURS) -> pl.DataFrame:
    """Each district's number with its bounds: leaid, subgroup (published label), count, lb, ub, withheld.

    With `by_race`, the four published racial and ethnic groups stand beside `All`. A district without a row for a group
    has none here; `OTHER` exists for every district, as one student where all its parts are missing.
    """
    rows = homeless_lea.select("leaid", "group", "withheld", count=pl.col("students").fill_null(WITHHELD_AS)).collect()
    named = rows.filter(pl.col("group").is_in(list(LABELS) if by_race else ["all"]))
    parts = [named.with_columns(pl.col("group").replace_strict(LABELS).alias("subgroup")).drop("group")]
    if by_race:
        other = rows.filter(pl.col("group").is_in(PARTS_OF_OTHER)).group_by("leaid").agg(pl.col("count").sum())
        everyone = rows.select("leaid").unique().join(other, on="leaid", how="left", validate="1:1")
        count = pl.col("count").fill_null(WITHHELD_AS)
        # A sum of one may be a withheld part or a real one: it is taken for withheld.
        parts.append(everyone.select("leaid", withheld=count == WITHHELD_AS, count=count, subgroup=pl.lit(OTHER)))
    columns = ["leaid", "subgroup", "count", "withheld"]
    return _with_bounds(pl.concat([part.select(columns) for part in parts]), switches)


def _with_bounds(rows: pl.DataFrame, switches: Switches) -> pl.DataFrame:
    state = [pl.col("leaid").str.head(2), pl.col("subgroup")]
    withheld, count = pl.col("withheld"), pl.col("count")
    smallest = count.min().over(state)
    if switches.smallest_reported_bound:
        smallest = pl.when(~withheld & (count > 0)).then(count).min().over(state).fill_null(WITHHELD_AT_MOST)
    few = withheld.sum().over(state) <= FEW_WITHHELD
    # A district that reports zero must not put the bound below the number itself.
    upper = pl.when(few).then(pl.max_horizontal(smallest, pl.lit(WITHHELD_AS))).otherwise(WITHHELD_AT_MOST)
    return rows.select(
        "leaid",
        "subgroup",
        "count",
        pl.when(withheld).then(0).otherwise(count).alias("lb"),
        pl.when(withheld).then(upper).otherwise(count).alias("ub"),
        "withheld",
    ).sort("leaid", "subgroup")


def enrolled(lea_directory: pl.LazyFrame, lea_enrollment: pl.LazyFrame | None) -> pl.DataFrame:
    """Students enrolled per district: leaid, subgroup, enrollment; null where nothing is reported."""
    everyone = lea_directory.select("leaid", pl.lit(ALL).alias("subgroup"), "enrollment").collect()
    if lea_enrollment is None:
        return everyone
    students = pl.col("enrollment")
    by_race = (
        lea_enrollment.group_by("leaid", pl.col("race").replace_strict(RACE_LABELS).alias("subgroup"))
        .agg(enrollment=pl.when(students.is_not_null().any()).then(students.sum()))
        .collect()
    )
    return pl.concat([everyone, by_race])


def area_sums(counts: pl.DataFrame, enrollment: pl.DataFrame, located: pl.DataFrame) -> pl.DataFrame:
    """Sums over the districts of each county and city.

    `located` has level, state, geo, leaid: the districts that report on homeless students and where they are counted.
    A district that enrolls nobody counts as zero. Returned, one row per area and subgroup of `counts`: level, state,
    geo, subgroup, count, lb, ub, leas (districts with a number), withheld (of these), enrollment (null if no district
    reports it), total and students (count and enrollment of `All`).
    """
    everyone = enrollment.filter(pl.col("subgroup") == ALL).select("leaid", size="enrollment")
    there = located.join(everyone, on="leaid", how="left", validate="m:1").with_columns(pl.col("size").fill_null(0))
    numbers = ["count", "lb", "ub"]
    counted = (
        counts.join(there, on="leaid", how="inner", validate="m:m")
        .with_columns(pl.when(pl.col("size") > 0).then(pl.col(c)).otherwise(0).alias(c) for c in numbers)
        .group_by([*AREA, "subgroup"])
        .agg(pl.col(numbers).sum(), leas=pl.len(), withheld=(pl.col("withheld") & (pl.col("size") > 0)).sum())
    )
    people = pl.col("enrollment")
    attending = (
        enrollment.join(there, on="leaid", how="inner", validate="m:m")
        .group_by([*AREA, "subgroup"])
        .agg(enrollment=pl.when(people.is_not_null().any()).then(people.sum()))
    )
    labels = counts.select("subgroup").unique()
    grid = there.select(AREA).unique().join(labels, how="cross")
    sums = (
        grid.join(counted, on=[*AREA, "subgroup"], how="left", validate="1:1")
        .join(attending, on=[*AREA, "subgroup"], how="left", validate="1:1")
        .with_columns(pl.col("count", "lb", "ub", "leas", "withheld").fill_null(0))
    )
    # Districts that report no enrollment count as enrolling nobody.
    overall = pl.col("subgroup") == ALL
    sums = sums.with_columns(pl.when(overall).then(people.fill_null(0)).otherwise(people).alias("enrollment"))
    whole = sums.filter(overall).select(*AREA, total="count", students="enrollment")
    return sums.join(whole, on=AREA, how="left", validate="m:1").sort([*AREA, "subgroup"])


def areas(
    homeless_lea: pl.LazyFrame,
    lea_directory: pl.LazyFrame,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    *,
    switches: Switches = OURS,
) -> pl.DataFrame:
    """Sums per county and city of the spine and subgroup, see `area_sums`, and how the districts `fit` a city.

    Groups if `lea_enrollment` is given.
    """
    sums = area_sums(
        bounded(homeless_lea, by_race=lea_enrollment is not None, switches=switches),
        enrolled(lea_directory, lea_enrollment),
        located(homeless_lea, lea_directory, spine),
    )
    cities = sums.filter(pl.col("level") == "place", pl.col("subgroup") == ALL)
    fits = fit(cities, lea_directory, spine).with_columns(level=pl.lit("place"))
    return sums.join(fits, on=["level", *PLACE], how="left", validate="m:1")


def located(homeless_lea: pl.LazyFrame, lea_directory: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    """Where each reporting district counts: level, state, geo, leaid; counties and cities of the spine only."""
    offices = lea_directory.join(homeless_lea, on="leaid", how="semi").select(
        "leaid",
        state=pl.col("county").str.head(2),
        county=pl.col("county").str.tail(3),
        city=postal_city("city"),
    )
    listed = listed_cities(spine.filter(pl.col("level") == "place").select(*AREA, "name").collect()).lazy()
    columns = [*AREA, "leaid"]
    counties = offices.select("state", "leaid", level=pl.lit("county"), geo="county").join(spine, on=AREA, how="semi")
    cities = offices.join(listed, on=["state", "city"], how="inner", validate="m:1")
    return pl.concat([counties.select(columns), cities.select(columns)]).collect()
