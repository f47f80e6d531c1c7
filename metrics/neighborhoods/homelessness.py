"""Housing stability: public school students who are homeless during the school year. Method file homelessness.md."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from metrics.city_fit import LEAST_FIT, MOST_FIT, PLACE, fit
from metrics.city_names import listed_cities, postal_city
from metrics.deviation import Deviation
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.homeless_counts import AREA, BLACK, OURS, Switches, area_sums, bounded, enrolled
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

# Rules of the method file, section 5.
STRONG_UP_TO: Final = (21, 20)
MARGINAL_UP_TO: Final = (11, 10)
"""Upper over lower bound, as fractions: whole numbers decide exactly at the thresholds 1.05 and 1.1."""

FEW_ENROLLED: Final = 30
LEAST_TOTAL: Final = 10
FEW_HOMELESS: Final = 30
RACES_ADD_UP: Final = (70, 110)
"""Percent of the total that the groups together must reach, and must not exceed."""

SMALLEST_GROUP: Final = 2

DEVIATIONS: Final = (
    Deviation(
        id="homelessness/enrollment-codes",
        kind="deviation",
        predictor="homelessness",
        reference="Adds the codes for missing enrollment of a group (-1, -2, -3) to the students enrolled.",
        ours="Missing enrollment is missing.",
        why="A code is no number of students.",
        effect="Shares of groups whose districts have such codes fall a little; none of the years at hand can show it.",
    ),
    Deviation(
        id="homelessness/count-without-enrollment",
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
            "withheld numbers have become 1 by then: so the bound is 1, or 0 where a district reports 0."
        ),
        ours="The same; `Switches(smallest_reported_bound=True)` takes the smallest reported number above zero.",
        why="The published bounds; the state's smallest reported number is what the rule means.",
        effect="Upper bounds of counties and cities in states with one or two withheld numbers are too low.",
    ),
    Deviation(
        id="homelessness/other-of-one",
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
        kind="kept",
        predictor="homelessness",
        reference="A district counts as a whole in the city that the address of its office names.",
        ours=(
            "The same. Where students per resident are less than half or more than twice those of the state the reason "
            "says so; `Switches(weak_where_misplaced=True)` also makes them weak."
        ),
        why="The published figures; no list of districts by city, made from ids or shapes, is among the sources.",
        effect=(
            "Some 58 cities never match. In 2020, of 423 cities with a figure, 18 have far too few students (New York "
            "only the districts whose address is New York, Winston-Salem only charter schools) and 48 far too many."
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
    by_race = year in GROUP_YEARS and lea_enrollment is not None
    figures = judged(areas(homeless_lea, lea_directory, lea_enrollment, spine, by_race=by_race, switches=switches))
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


def areas(
    homeless_lea: pl.LazyFrame,
    lea_directory: pl.LazyFrame,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    *,
    by_race: bool,
    switches: Switches = OURS,
) -> pl.DataFrame:
    """Sums per county and city of the spine and subgroup, see `area_sums`, with `fit` (cities) and `weaken`."""
    counts = bounded(homeless_lea, by_race=by_race, switches=switches)
    sums = area_sums(
        counts,
        enrolled(lea_directory, lea_enrollment if by_race else None),
        located(homeless_lea, lea_directory, spine),
    )
    cities = sums.filter(pl.col("level") == "place", pl.col("subgroup") == ALL)
    fits = fit(cities, lea_directory, spine).with_columns(level=pl.lit("place"))
    return sums.join(fits, on=["level", *PLACE], how="left", validate="m:1").with_columns(
        weaken=pl.lit(switches.weak_where_misplaced)
    )


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


def judged(sums: pl.DataFrame) -> pl.DataFrame:
    """Quality, and the rules that withhold figures, in the order of the method file, section 5.

    Adds quality (1 to 3), missing (reason why the figure is withheld), weakened (reason why quality is low) and
    misplaced (reason why a city's figure is not the city's).
    """
    count, overall = pl.col("count"), pl.col("subgroup") == ALL
    few = (overall & (pl.col("enrollment") < FEW_ENROLLED)) | pl.col("total").is_between(
        LEAST_TOTAL, FEW_HOMELESS, closed="left"
    )
    by_bounds = pl.when(_at_most(STRONG_UP_TO)).then(1).when(_at_most(MARGINAL_UP_TO)).then(2).otherwise(3)
    misplaced = (
        pl.when(pl.col("fit") < LEAST_FIT)
        .then(pl.lit("low coverage"))
        .when(pl.col("fit") > MOST_FIT)
        .then(pl.lit("pooled area"))
    )
    weak = few | (pl.col("weaken") & misplaced.is_not_null())
    return (
        sums.with_columns(
            misplaced=misplaced,
            quality=pl.when(weak).then(3).otherwise(by_bounds).cast(pl.Int8),
            weakened=pl.when(few)
            .then(pl.lit("small population"))
            .when(by_bounds > 1)
            .then(pl.lit("estimated at source")),
            missing=pl.when(pl.col("total") < LEAST_TOTAL)
            .then(pl.lit("too few people"))
            .when(count > pl.col("enrollment"), pl.col("enrollment") > 0)
            .then(pl.lit("inconsistent at source")),
        )
        .with_columns(contradictory=~overall & _races_do_not_add_up())
        .with_columns(
            missing=pl.coalesce(
                "missing",
                pl.when("contradictory").then(pl.lit("inconsistent at source")),
                pl.when(count <= SMALLEST_GROUP).then(pl.lit("too few people")),
            )
        )
    )


def _at_most(threshold: tuple[int, int]) -> pl.Expr:
    """Whether the upper bound is at most that many times the lower one; never where the lower one is 0."""
    above, below = threshold
    return (pl.col("lb") > 0) & (below * pl.col("ub") <= above * pl.col("lb"))


def races_sum() -> pl.Expr:
    """Students of the groups that are not withheld so far, over the area."""
    counted = (pl.col("subgroup") != ALL) & pl.col("missing").is_null()
    return pl.when(counted).then(pl.col("count")).otherwise(0).sum().over(AREA)


def _races_do_not_add_up() -> pl.Expr:
    """Whether the groups are far from the total; not asked where the black count is withheld already."""
    black = ((pl.col("subgroup") == BLACK) & pl.col("missing").is_null()).any().over(AREA)
    least, most = RACES_ADD_UP
    percent = 100 * races_sum()
    return black & ((percent < least * pl.col("total")) | (percent > most * pl.col("total")))


def explain(
    cell: Cell,
    *,
    year: int,
    homeless_lea: pl.LazyFrame,
    lea_directory: pl.LazyFrame,
    lea_enrollment: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: the districts of the area with their numbers and bounds, and the rules applied.

    `inputs` has one row per district: leaid, city, enrollment, withheld, count, lb, ub, weight.
    """
    by_race = year in GROUP_YEARS and lea_enrollment is not None
    place = located(homeless_lea, lea_directory, spine).filter(pl.col("level") == cell.level)
    here = place.filter(pl.col("state") == cell.state, pl.col("geo") == cell.geo)
    numbers = bounded(homeless_lea, by_race=by_race).filter(pl.col("subgroup") == cell.subgroup)
    sizes = enrolled(lea_directory, lea_enrollment if by_race else None).filter(pl.col("subgroup") == cell.subgroup)
    inputs = (
        here.select("leaid")
        .join(lea_directory.select("leaid", "city").collect(), on="leaid", how="left", validate="1:1")
        .join(sizes.select("leaid", "enrollment"), on="leaid", how="left", validate="1:1")
        .join(numbers.drop("subgroup"), on="leaid", how="left", validate="1:1")
        .with_columns(weight=pl.lit(1.0))
        .sort("leaid")
    )
    figures = judged(areas(homeless_lea, lea_directory, lea_enrollment, spine, by_race=by_race))
    area = figures.filter(pl.col("level") == cell.level, pl.col("state") == cell.state, pl.col("geo") == cell.geo)
    with_sum = area.with_columns(races=races_sum()) if area.height else area
    mine = with_sum.filter(pl.col("subgroup") == cell.subgroup)
    figure = mine.row(0, named=True) if mine.height else None
    reporting = homeless_lea.select(pl.col("leaid").n_unique()).collect().item()
    known = homeless_lea.select("leaid").unique().join(lea_directory, on="leaid", how="semi").collect().height
    recomputed = _value(cell.metric, figure)
    return Explanation(
        formula=_formula(cell.metric, figure, inputs, recomputed),
        recomputed=recomputed,
        inputs=inputs,
        tables=("homeless_lea", "lea_directory", *(("lea_enrollment",) if by_race else ())),
        steps=(
            Step("reporting districts that the directory knows", reporting, known),
            Step(f"districts with their office in a {cell.level} of the list", known, place.height),
            Step(f"districts in {cell.state}{cell.geo}", place.height, here.height),
            Step(
                f"districts with a number for {cell.subgroup}",
                here.height,
                inputs.filter(pl.col("count").is_not_null()).height,
                "districts that enroll nobody count as zero",
            ),
        ),
        decisions=_decisions(cell, figure) if figure is not None else (),
        notes=(ROUGH_PLACES,) if cell.level == "place" else (),
    )


def _value(metric: str, figure: dict[str, Any] | None) -> float | None:
    if figure is None or figure["missing"] is not None:
        return None
    if metric == COUNT:
        return float(figure["count"])
    return figure["count"] / figure["enrollment"] if figure["enrollment"] else None


def _formula(metric: str, figure: dict[str, Any] | None, inputs: pl.DataFrame, value: float | None) -> str:
    if figure is None:
        return "no reporting district, so no figure"
    counted = inputs["count"].drop_nulls().len()
    text = f"{figure['count']:,} students in {counted} {'district' if counted == 1 else 'districts'}"
    if metric == SHARE:
        enrollment = figure["enrollment"]
        text += " / no enrollment" if enrollment is None else f" / {enrollment:,} enrolled"
    else:
        text += f" (withheld: {figure['withheld']}; bounds {figure['lb']:,} to {figure['ub']:,})"
    if figure["missing"] is not None:
        return f"{text}: withheld, {figure['missing']}"
    return f"{text} = {'missing' if value is None else f'{value:.8g}'}"


def _decisions(cell: Cell, figure: dict[str, Any]) -> tuple[Decision, ...]:
    """The rules in the order in which they are applied."""
    lb, ub, total, enrollment = (figure[k] for k in ("lb", "ub", "total", "enrollment"))
    ratio = ub / lb if lb else None
    quality = f"quality {figure['quality']}"
    found = [
        Decision(
            "upper over lower bound", ratio, "up to 1.05 -> 1, up to 1.1 -> 2, else (or no lower bound) 3", quality
        ),
        Decision(
            "homeless students in all groups",
            float(total),
            f"below {LEAST_TOTAL} -> withheld, below {FEW_HOMELESS} -> quality 3",
            "withheld" if total < LEAST_TOTAL else quality,
        ),
    ]
    if cell.subgroup == ALL:
        found.append(Decision("students enrolled", float(enrollment), f"below {FEW_ENROLLED} -> quality 3", quality))
    share = figure["count"] / enrollment if enrollment else None
    found.append(
        Decision("share of the enrolled", share, "above 1 -> withheld", "withheld" if (share or 0) > 1 else "stands")
    )
    if cell.subgroup != ALL:
        percent = 100 * figure["races"] / total if total else None
        least, most = RACES_ADD_UP
        outcome = "withheld" if figure["contradictory"] else "stands, or is not asked"
        found.append(Decision("groups in percent of the total", percent, f"{least} to {most}, else withheld", outcome))
    few = figure["count"] <= SMALLEST_GROUP
    found.append(
        Decision(
            "students of the group",
            float(figure["count"]),
            f"{SMALLEST_GROUP} or fewer -> withheld",
            "withheld" if few else "stands",
        )
    )
    if cell.level == "place":
        rule = f"below {LEAST_FIT}: low coverage; above {MOST_FIT}: pooled area (quality stays)"
        outcome = figure["misplaced"] or "the districts fit the city"
        found.append(Decision("students per resident, relative to the state", figure["fit"], rule, outcome))
    return tuple(found)
