"""Financial security: debt and medical debt in collections. Method file financial_security.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from schemas.debt import ANY_DEBT, COLOR, MEDICAL, WHITE_SHARE
from schemas.estimate import empty
from schemas.labels import ALL

# The source knows no mixed neighborhoods.
NEIGHBORHOODS: dict[str, tuple[str, ...]] = {"race-share": (COLOR, WHITE_SHARE)}
SAMPLE: Final = "debt_in_america"
METRICS: Final = {ANY_DEBT: "share_debt_coll", MEDICAL: "share_medical_debt_coll"}

PREDICTOR = Predictor(
    key="financial_security",
    title="Financial security",
    pillar="rewarding_work",
    definition=(
        "Share of adults with a credit record who have debt in collections, and the share who have medical debt in "
        "collections."
    ),
    metrics=(
        Metric(
            METRICS[ANY_DEBT],
            "Share of adults with debt in collections",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of adults with a credit record in {name} had debt in collections.",
        ),
        Metric(
            METRICS[MEDICAL],
            "Share of adults with medical debt in collections",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of adults with a credit record in {name} had medical debt in collections.",
        ),
    ),
    series=(
        Series(
            SAMPLE,
            (2018, 2022),
            ("debt_county",),
            levels=("county",),
            subgroups=NEIGHBORHOODS,
            metrics=(METRICS[ANY_DEBT],),
        ),
        Series(SAMPLE, (2023,), ("debt_county",), levels=("county",), subgroups=NEIGHBORHOODS),
        Series(
            SAMPLE,
            (2021,),
            ("debt_place",),
            levels=("place",),
            subgroups=NEIGHBORHOODS,
            metrics=(METRICS[ANY_DEBT],),
        ),
    ),
    sources=("debt_in_america",),
    method="financial_security.md",
    notes=(
        "The figures are the publisher's, made from a sample of credit-bureau records that is not public. It withholds "
        "areas with fewer than 50 records.",
        "City figures (2021) measure derogatory debt, which includes charge-offs and more, for about 100 cities. They "
        "do not compare with the county figures.",
        "Only the county figures of 2018 have an interval.",
        "Neighborhood type is the racial makeup of the ZIP code. The dividing line is 60 percent in 2018 and 2022, "
        "and 50 percent in the city figures of 2021 and the county figures of 2023; areas between the lines are in no "
        "group.",
        "The source lists Connecticut's former counties, so the planning regions have no figures in 2022 and 2023. In "
        "2022 it also lists Valdez-Cordova, Alaska, in place of Chugach and Copper River.",
    ),
    breaks=(
        (2022, "Connecticut has no figures from this year on."),
        (
            2023,
            "From 2022 credit bureaus dropped paid and small medical collections from their records, so part of the "
            "fall since the earlier years is a change of rules.",
        ),
        (2023, "The dividing line between neighborhood types moves from 60 to 50 percent."),
    ),
)

CONNECTICUT: Final = "09"
FORMER_COUNTIES: Final = tuple(f"{number:03d}" for number in range(1, 16, 2))
# The month of the credit records.
RECORDS: Final = {2018: "2018-08", 2021: "2021-08", 2022: "2022-02", 2023: "2023-08"}
# Half of a 95 % interval in standard errors, as the interval of 2018 was made.
HALF_WIDTH: Final = 1.96

DEVIATIONS: Final = (
    Deviation(
        id="financial_security/quality-without-value",
        kind="deviation",
        predictor="financial_security",
        reference=(
            "Missing shares of 2018 (by neighborhood), 2022 and the cities of 2021 are graded weak; the combined "
            "county file keeps that for 2022, the combined city file for 2021."
        ),
        ours="A missing share has no quality.",
        why="There is nothing to grade.",
        effect=(
            "78 counties of 2022 in the overall file; by neighborhood 191, 2,625 and 487 rows of 2018, 78, 2,555 and "
            "338 of 2022, and 22 of the cities of 2021."
        ),
    ),
    Deviation(
        id="financial_security/connecticut",
        kind="kept",
        predictor="financial_security",
        reference="No figures for Connecticut's planning regions: the publisher lists the former counties.",
        ours="The same.",
        why="Shares of a region cannot be had from counties that it cuts; the records are not public.",
        effect="Nine regions are missing in 2022 and 2023, in all groups.",
        rows=tuple(
            PublishedRow(year, "county", f"09{region}") for year in (2022, 2023) for region in range(110, 200, 10)
        ),
    ),
    Deviation(
        id="financial_security/valdez-cordova-2022",
        kind="kept",
        predictor="financial_security",
        reference="The file of 2022 has Valdez-Cordova (02261), which was divided in 2019.",
        ours="The same: Chugach and Copper River are missing in 2022.",
        why="One share cannot be divided between two areas.",
        effect="Two counties are missing in 2022.",
        rows=(PublishedRow(2022, "county", "02063"), PublishedRow(2022, "county", "02066")),
    ),
    Deviation(
        id="financial_security/city-concept",
        scope=Scope(level="place"),
        kind="kept",
        predictor="financial_security",
        reference="City figures measure derogatory debt (charge-offs and more), under the name of debt in collections.",
        ours="The same, said in notes and dictionary.",
        why="No other city figures are published.",
        effect="All city figures of 2021 are higher than the county figures would be.",
    ),
    Deviation(
        id="financial_security/neighborhood-thresholds",
        scope=Scope(subgroup_types=("race-share",)),
        kind="kept",
        predictor="financial_security",
        reference=(
            "Neighborhoods of color and white neighborhoods are ZIP codes with 60 percent in 2018 and 2022, and with "
            "50 percent in the cities of 2021 and the counties of 2023."
        ),
        ours="The same, marked as a break.",
        why="The publisher changed its rule; its records are not public.",
        effect="Shares by neighborhood do not compare across the years.",
    ),
)


def estimate(
    debt_county: pl.LazyFrame | None, debt_place: pl.LazyFrame | None, spine: pl.LazyFrame, year: int
) -> pl.DataFrame:
    """Shares of adults with debt in collections, of the counties and cities of the spine that the publisher lists.

    `debt_county` and `debt_place` as in `schemas.debt`; `spine` has level, state, geo. Returns `Estimate` columns
    without year: value as published, bounds of 2018 with the standard error that they imply, quality 1 wherever there
    is a value. Areas off the spine are left out. Method file financial_security.md, sections 4 to 6.
    """
    parts = [part for part in (_counties(debt_county), _places(debt_place)) if part is not None]
    if not parts:
        return empty()
    area = ["level", "state", "geo"]
    rows = pl.concat(parts).join(spine.select(area), on=area, how="semi").collect()
    known = pl.col("share").is_not_null()
    # A lower bound of zero may have been cut there; the upper one never is.
    error = (pl.col("ub") - pl.col("share")) / HALF_WIDTH
    figures = rows.select(
        *area,
        pl.when(pl.col("subgroup") == ALL).then(pl.lit("all")).otherwise(pl.lit("race-share")).alias("subgroup_type"),
        "subgroup",
        pl.col("debt").replace_strict(METRICS).alias("metric"),
        pl.lit(SAMPLE).alias("sample"),
        pl.col("share").alias("value"),
        "lb",
        "ub",
        pl.when(known).then(1).cast(pl.Int8).alias("quality"),
        error.alias("se"),
        pl.when(pl.col("share") > 0).then(error / pl.col("share")).alias("cv"),
        pl.when(known).then(pl.format("{}-{}{}", *area)).alias("estimation_area"),
        pl.when(known).then(1).cast(pl.Int32).alias("n_areas"),
        pl.when(known).then(pl.lit(records_of(year))).alias("reference_period"),
        pl.when(~known).then(pl.lit("suppressed at source")).alias("reason"),
    )
    return pl.concat([figures, _regions(debt_county, spine, year)], how="diagonal")


def records_of(year: int) -> str:
    """Month of the credit records of a data year; editions since 2023 take August."""
    return RECORDS.get(year, f"{year}-08")


def _counties(debt_county: pl.LazyFrame | None) -> pl.LazyFrame | None:
    if debt_county is None:
        return None
    return debt_county.select(
        pl.lit("county").alias("level"), "state", pl.col("county").alias("geo"), "debt", "subgroup", "share", "lb", "ub"
    )


def _places(debt_place: pl.LazyFrame | None) -> pl.LazyFrame | None:
    if debt_place is None:
        return None
    bound = pl.lit(None, dtype=pl.Float64)
    return debt_place.select(
        pl.lit("place").alias("level"),
        "state",
        pl.col("place").alias("geo"),
        pl.lit(ANY_DEBT).alias("debt"),
        "subgroup",
        "share",
        bound.alias("lb"),
        bound.alias("ub"),
    )


def _regions(debt_county: pl.LazyFrame | None, spine: pl.LazyFrame, year: int) -> pl.DataFrame:
    """Rows without value for Connecticut's planning regions, if the source has the former counties instead."""
    if debt_county is None:
        return empty().drop("year")
    former = (pl.col("state") == CONNECTICUT) & pl.col("county").is_in(FORMER_COUNTIES)
    # A new year has the cells of the newest declared one.
    declared = PREDICTOR.cells(min(year, PREDICTOR.years[-1]))
    cells = [(kind, label, metric.column) for _, level, kind, label, metric in declared if level == "county"]
    regions = spine.filter(
        pl.col("level") == "county", pl.col("state") == CONNECTICUT, ~pl.col("geo").is_in(FORMER_COUNTIES)
    )
    return (
        regions.select("level", "state", "geo")
        .join(debt_county.filter(former).select(former="state").head(1), how="cross")
        .join(
            pl.LazyFrame(cells, schema=["subgroup_type", "subgroup", "metric"], orient="row").unique(
                maintain_order=True
            ),
            how="cross",
        )
        .select(
            pl.exclude("former"),
            sample=pl.lit(SAMPLE),
            reason=pl.lit("source on old counties"),
        )
        .collect()
    )


def explain(
    cell: Cell, *, year: int, debt_county: pl.LazyFrame | None, debt_place: pl.LazyFrame | None, spine: pl.LazyFrame
) -> Explanation:
    """The account of one figure: the publisher's row. `inputs` has its columns as published and weight 1."""
    county = cell.level == "county"
    table = debt_county if county else debt_place
    name, code = ("debt_county", "county") if county else ("debt_place", "place")
    if table is None:
        raise ValueError(f"{name} is not there, so the figure has no account")
    debt = next(kind for kind, metric in METRICS.items() if metric == cell.metric)
    of_kind = table.filter(pl.col("debt") == debt) if county else table
    rows = of_kind.filter(pl.col("subgroup") == cell.subgroup).collect()
    listed = rows.join(
        spine.filter(pl.col("level") == cell.level).select("state", pl.col("geo").alias(code)).collect(),
        on=["state", code],
        how="semi",
    )
    here = listed.filter(pl.col("state") == cell.state, pl.col(code) == cell.geo)
    value = here["share"].item() if here.height else None
    threshold = "ZIP codes with 60 percent" if year in (2018, 2022) else "ZIP codes with 50 percent"
    notes = [f"Credit records of {records_of(year)}."]
    notes += [f"Neighborhood type: {threshold}."] if cell.subgroup != ALL else []
    notes += ["The figure measures derogatory debt, which is more than debt in collections."] if not county else []
    formula = "the publisher lists no such area" if not here.height else "the publisher withholds the share"
    return Explanation(
        formula=formula if value is None else f"as published: {value:.7g}",
        recomputed=value,
        inputs=here.with_columns(weight=pl.lit(1.0)),
        tables=(name,),
        steps=(
            Step(f"rows of {cell.subgroup}", int(table.select(pl.len()).collect().item()), rows.height),
            Step("rows of areas of the year's list", rows.height, listed.height),
            Step(f"rows of {cell.state}{cell.geo}", listed.height, here.height),
        ),
        decisions=(
            Decision(
                "share published",
                value,
                "withheld by the publisher below 50 records",
                "missing" if value is None else "quality 1",
            ),
        ),
        notes=tuple(notes),
    )
