"""Jobs paying a living wage: average pay over the living wage, by county and industry. Method file living_wage.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.wages import (
    GROUP,
    HOURS_PER_WEEK,
    OURS,
    Switches,
    average_pay,
    county_list,
    living_wages,
    off_list,
    side_by_side,
    wage_cells,
)
from schemas.labels import INDUSTRY

METRIC: Final = "ratio_living_wage"
SAMPLE: Final = "qcew_annual"
ENOUGH_ESTABLISHMENTS: Final = 30
CONNECTICUT: Final = "09"

PREDICTOR = Predictor(
    key="living_wage",
    title="Access to jobs paying a living wage",
    pillar="rewarding_work",
    definition=(
        "Average weekly pay of the jobs in the county, divided by what one working adult with two children needs a "
        "week to get by there (40 hours at the hourly living wage)."
    ),
    metrics=(
        Metric(
            METRIC,
            "Ratio of average pay to the living wage",
            "ratio",
            maximum=10.0,
            withheld=("denominator",),
            sentence="In {year}, the average job in {name} paid {value:.2f} times the living wage.",
        ),
    ),
    series=(
        Series(
            SAMPLE,
            (2014, 2018, 2021, 2022, 2023),
            ("qcew_county", "mit_living_wage", "cpi"),
            levels=("county",),
            subgroups={"industry": INDUSTRY},
        ),
    ),
    sources=("qcew", "mit_living_wage", "cpi"),
    method="living_wage.md",
    notes=(
        "Pay is that of all jobs located in the county, part-time jobs included; the living wage is that of its "
        "residents. A low ratio may come from part-time work, and a high one from commuters' jobs.",
        "The figure has no interval: the wage census counts nearly every job. Quality only tells whether 30 or more "
        "workplaces stand behind the figure.",
        "The living wage is put into dollars of the data year with annual averages of consumer prices (CPI-U).",
        "The pay of an industry group made of several parts is the plain mean of the parts' average pay, whatever "
        "their size. Public Administration is federal, state and local employers of all industries.",
        "Industry figures are withheld by the agency in counties with few employers.",
        "Kalawao, Hawaii, is missing in every year; Chugach and Copper River, Alaska, in 2021 and 2022, because the "
        "calculator did not know them yet.",
    ),
    breaks=(
        (
            2021,
            "A newer edition of the living wage, in dollars of 2022 instead of 2019: part of the fall is its doing.",
        ),
        (2022, "Connecticut has no figures from this year on: the sources still report its former counties."),
        (2023, "A newer edition of the living wage, in dollars of 2023."),
    ),
)

DEVIATIONS: Final = (
    Deviation(
        id="living_wage/industry-dollars",
        scope=Scope(years=(None, 2021)),
        kind="deviation",
        predictor="living_wage",
        reference="The industry file divides by the living wage in the dollars of its edition, not of the data year.",
        ours="Industry figures use the same living wage, in dollars of the data year, as the overall figure.",
        why="Wages of one year are compared with prices of another, and the All row contradicts the overall file.",
        effect=(
            "Every value of the industry file, its All rows included, rises by 8.0 % in 2014, 1.8 % in 2018 and 8.0 % "
            "in 2021. None changes in 2022 and 2023."
        ),
    ),
    Deviation(
        id="living_wage/cpi-2022",
        scope=Scope(years=(2021, 2021)),
        kind="deviation",
        predictor="living_wage",
        reference="Takes the average of the first half of 2022 (288.347) for consumer prices of 2022.",
        ours="The annual average (292.655).",
        why="All other years use annual averages.",
        effect="Every overall value of 2021 rises by 1.5 %.",
    ),
    Deviation(
        id="living_wage/zero-pay",
        kind="deviation",
        predictor="living_wage",
        reference=(
            "The overall file takes pay that the agency withholds (shown as 0) for zero, and calls the ratio of 0 "
            "strong. In the industry file the pay of a part that employs nobody enters its group's mean as 0."
        ),
        ours="Withheld pay is missing; a part that employs nobody is left out of the mean.",
        why="Nobody's average pay is zero.",
        effect="Two overall values of 0 become missing. No industry value is known to change (none of 2016 would).",
        rows=(PublishedRow(2018, "county", "19003"), PublishedRow(2023, "county", "32011")),
    ),
    Deviation(
        id="living_wage/county-codes-2014",
        kind="deviation",
        predictor="living_wage",
        reference="Joins pay by the county codes of 2014 with living wages by those of 2015, and loses both counties.",
        ours="All sources are put on the county codes of the year before they are joined.",
        why="02270 (02158) and 46113 (46102) were renamed in 2015, with the same borders.",
        effect=(
            "Two counties gain values, 02270 and 46113 (and those of their industries that are not withheld); the "
            "published file has NA, under the codes of 2015."
        ),
        rows=(PublishedRow(2014, "county", "02270"), PublishedRow(2014, "county", "46113")),
    ),
    Deviation(
        id="living_wage/connecticut",
        kind="kept",
        predictor="living_wage",
        reference="No values for Connecticut's planning regions: both sources report the former counties.",
        ours="The same.",
        why="Average pay of a region cannot be had from counties that it cuts.",
        effect="Nine regions are missing in 2022 and 2023, in all groups.",
        rows=tuple(
            PublishedRow(year, "county", f"09{region}") for year in (2022, 2023) for region in range(110, 200, 10)
        ),
    ),
    Deviation(
        id="living_wage/mean-of-means",
        scope=Scope(subgroup_types=("industry",)),
        kind="kept",
        predictor="living_wage",
        reference="The pay of a group of industries or owners is the plain mean of its parts' average pay.",
        ours="The same; `Switches(pooled_pay=True)` divides the parts' payroll by their employment instead.",
        why="A part with few jobs counts as much as one with many.",
        effect="Public Administration, Professional Services, Leisure and Other.",
    ),
)


def estimate(
    qcew_county: pl.LazyFrame | None,
    mit_living_wage: pl.LazyFrame | None,
    cpi: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    switches: Switches = OURS,
) -> pl.DataFrame:
    """Ratio of average weekly pay to the weekly living wage, for every county of the spine and every industry group.

    `qcew_county`, `mit_living_wage` and `cpi` as in `schemas.wages`; `spine` has level, state, geo. Returns `Estimate`
    columns without year: value; numerator = average weekly pay in dollars; denominator = 40 hours at the living wage in
    dollars of `year`; n = establishments; quality 1 for 30 establishments or more, else 3; reason where missing or
    lowered. Counties of the sources that the spine does not have are left out (`metrics.wages.off_list` counts them).
    No rows if an input is owed (None). Raises `InputError` if a county comes twice after recoding or prices of a year
    are missing. Method file living_wage.md, sections 4 to 6.
    """
    if qcew_county is None or mit_living_wage is None or cpi is None:
        return pl.DataFrame(schema=dict.fromkeys(("level", "state", "geo", *GROUP, "metric", "sample"), pl.String))
    counties = county_list(spine)
    cells = side_by_side(
        counties,
        wage_cells(qcew_county, counties, switches),
        living_wages(mit_living_wage, cpi, counties, year, switches),
        switches,
    )
    # Figures that the sources have for Connecticut lie on other borders than the spine's, if any county is left over.
    left_over = [off_list(table, counties, switches)["state"] for table in (qcew_county, mit_living_wage)]
    old_connecticut = any(CONNECTICUT in states for states in left_over)
    enough = pl.col("establishments") >= ENOUGH_ESTABLISHMENTS
    known = pl.col("value").is_not_null()
    reason = (
        pl.when(~pl.col("covered") & (pl.col("state") == CONNECTICUT) & old_connecticut)
        .then(pl.lit("source on old counties"))
        .when(~pl.col("covered"))
        .then(pl.lit("area not covered by source"))
        .when(pl.col("cells").is_null())
        .then(pl.lit("group not present"))
        .when(pl.col("pay").is_null() & pl.col("withheld"))
        .then(pl.lit("suppressed at source"))
        .when(pl.col("pay").is_null())
        .then(pl.lit("denominator is zero"))
        .when(~enough)
        .then(pl.lit("few establishments"))
    )
    return cells.with_columns(value=pl.col("pay") / pl.col("living_wage")).select(
        pl.lit("county").alias("level"),
        "state",
        pl.col("county").alias("geo"),
        *GROUP,
        pl.lit(METRIC).alias("metric"),
        pl.lit(SAMPLE).alias("sample"),
        "value",
        pl.when(known).then(pl.when(enough).then(1).otherwise(3)).cast(pl.Int8).alias("quality"),
        pl.col("establishments").alias("n"),
        pl.col("pay").alias("numerator"),
        pl.col("living_wage").alias("denominator"),
        pl.when(known).then(pl.format("county-{}{}", "state", "county")).alias("estimation_area"),
        pl.when(known).then(pl.lit(1, dtype=pl.Int32)).alias("n_areas"),
        pl.when(known).then(pl.lit(str(year))).alias("reference_period"),
        reason.alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    qcew_county: pl.LazyFrame,
    mit_living_wage: pl.LazyFrame,
    cpi: pl.LazyFrame,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: its wage cells, the living wage with its price factor, the rules applied.

    `inputs` has one row per wage cell: state, county, ownership, naics, weekly_wage, establishments, employment,
    disclosed, weight (share in the mean; null if the cell has no pay), and the county's living wage if there is one:
    hourly_wage, price_factor, living_wage (a week's, in dollars of the year).
    """
    counties = county_list(spine)
    here = (pl.col("state") == cell.state) & (pl.col("county") == cell.geo)
    listed = wage_cells(qcew_county, counties)
    in_county = listed.filter(here)
    parts = in_county.filter(pl.col("subgroup") == cell.subgroup).sort("ownership", "naics")
    wage = living_wages(mit_living_wage, cpi, counties, year).filter(here)

    pay, establishments = average_pay(parts).select("pay", "establishments").row(0) if parts.height else (None, None)
    ratio = pay / wage["living_wage"].item() if pay is not None and wage.height else None
    paid = pl.col("weekly_wage") > 0
    inputs = parts.select(
        *("state", "county", "ownership", "naics", "weekly_wage", "establishments", "employment", "disclosed"),
        weight=pl.when(paid).then(1 / paid.sum()),
    )
    # Every wage cell shows the living wage it is measured by, so that the figure follows from the rows alone.
    standard = wage.select("hourly_wage", pl.col("factor").alias("price_factor"), "living_wage")
    inputs = inputs.join(standard, how="cross") if standard.height else inputs
    on_list = _on_list("wage cells", qcew_county, counties)
    return Explanation(
        formula=_formula(parts, wage, ratio),
        recomputed=ratio,
        inputs=inputs,
        tables=("qcew_county", "mit_living_wage", "cpi"),
        steps=(
            on_list,
            Step("wage cells of the published groups", on_list.rows_out, listed.height),
            Step(f"wage cells of county {cell.state}{cell.geo}", listed.height, in_county.height),
            Step(f"wage cells of {cell.subgroup}", in_county.height, parts.height),
            _on_list("living wages", mit_living_wage, counties),
        ),
        decisions=_decisions(parts, wage, pay, establishments),
        notes=_price_note(wage, year),
    )


def _height(table: pl.LazyFrame) -> int:
    return int(table.select(pl.len()).collect().item())


def _on_list(what: str, table: pl.LazyFrame, counties: pl.DataFrame) -> Step:
    """How many rows of a source stand in counties of the year's list; the others by name."""
    outside = off_list(table, counties)
    rows = _height(table)
    names = ", ".join(outside["state"] + outside["county"]) or "none"
    return Step(f"{what} in counties of the year's list", rows, rows - int(outside["rows"].sum()), f"left out: {names}")


def _formula(parts: pl.DataFrame, wage: pl.DataFrame, ratio: float | None) -> str:
    pays = [f"{pay:,.2f}" if pay is not None else "no pay" for pay in parts["weekly_wage"]]
    top = f"weekly pay {pays[0]}" if len(pays) == 1 else f"mean of the weekly pays ({'; '.join(pays)})"
    top = top if pays else "no wage cell"
    bottom = "no living wage"
    if wage.height:
        hourly, factor = wage.select("hourly_wage", "factor").row(0)
        bottom = f"({HOURS_PER_WEEK} hours x {hourly:.2f} living wage x {factor:.6f} change of prices)"
    return f"{top} / {bottom} = {'missing' if ratio is None else f'{ratio:.7g}'}"


def _decisions(
    parts: pl.DataFrame, wage: pl.DataFrame, pay: float | None, establishments: int | None
) -> tuple[Decision, ...]:
    undisclosed = parts.filter(~pl.col("disclosed")).height
    outcome = "the value is missing" if pay is None else "the pay stands"
    decisions = [
        Decision("wage cells", float(parts.height), "none -> missing", outcome),
        Decision("undisclosed wage cells", float(undisclosed), "any -> missing", outcome),
    ]
    if wage.height == 0:
        decisions.append(Decision("living wages of the county", 0.0, "none -> missing", "the value is missing"))
    elif pay is not None and establishments is not None:
        strong = establishments >= ENOUGH_ESTABLISHMENTS
        rule = f"{ENOUGH_ESTABLISHMENTS} or more -> 1, else 3"
        quality = "quality 1" if strong else "quality 3, few establishments"
        decisions.append(Decision("establishments", float(establishments), rule, quality))
    return tuple(decisions)


def _price_note(wage: pl.DataFrame, year: int) -> tuple[str, ...]:
    if wage.height == 0:
        return ()
    hourly, dollars, factor = wage.select("hourly_wage", "dollars_year", "factor").row(0)
    return (f"Hourly living wage {hourly:.2f} in dollars of {dollars}; prices of {year} are {factor:.6f} of those.",)
