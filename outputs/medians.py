"""Population-weighted medians over counties and cities, for the nation and by state, with the rule when to hide one.

The rule of the reference (method file published_files.md, section 8): per year and metric of the overall file, the
median weighted by population (R's `Hmisc::wtd.quantile`), rounded to 4 digits, and blank where the share of people in
places without a figure plus the share in places graded Weak (each rounded to 4 digits) is above 0.15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.predictor import Entry
from outputs.files import FILES, choices
from outputs.wide import universe
from schemas.estimate import ESTIMATE
from schemas.labels import ALL, LEVELS, Level

NATION: Final = "US"
HIDE_ABOVE: Final = 0.15
WEAK: Final = 3
_DIGITS: Final = 4
REFERENCE_GROUP: Final = "wtd_med"

MEDIANS: Final[dict[str, type[pl.DataType]]] = {
    "year": ESTIMATE["year"],
    "level": pl.String,
    "area": pl.String,
    "area_name": pl.String,
    "metric": pl.String,
    "median": pl.Float64,
    "geographies": pl.Int64,
    "with_value": pl.Int64,
    "population": pl.Int64,
    "share_missing": pl.Float64,
    "share_weak": pl.Float64,
    "hidden": pl.String,
}
MEDIAN_DESCRIPTIONS: Final[dict[str, str]] = {
    "year": "Data year.",
    "level": "county: median over counties; place: over cities.",
    "area": "US, or the 2-digit code of a state.",
    "area_name": "United States, or the state's name.",
    "metric": "Published column name; the figure for everyone of the overall file.",
    "median": "Population-weighted median, rounded to 4 digits; missing if it is hidden or there is no figure.",
    "geographies": "Counties or cities of the area in that year.",
    "with_value": "How many of them have a figure.",
    "population": "People in all of them.",
    "share_missing": "Share of these people in places without a figure.",
    "share_weak": "Share of these people in places whose figure is graded Weak.",
    "hidden": "yes if share_missing and share_weak together are above 0.15, so that no median is given; else no.",
}

# The order of columns of the reference's own file of county medians.
_REFERENCE_ORDER: Final = """
    pctl_income_20 pctl_income_50 pctl_income_80 count_homeless share_homeless share_affordable_30_ami
    share_affordable_50_ami share_affordable_80_ami share_affordable_available_30_ami
    share_affordable_available_50_ami share_affordable_available_80_ami ratio_population_pc_physician
    rate_injury_death share_desc_rep_other share_desc_rep_black_nonhispanic share_desc_rep_hispanic
    share_desc_rep_white_nonhispanic share_poverty_exposure count_membership_associations_per_10k index_air_hazard
    share_in_preschool rate_learning share_meps20_black share_meps20_hispanic share_meps20_white share_hs_degree
    share_employed ratio_living_wage share_transit_commuter share_transportation_cost share_low_birth_weight
    share_election_turnout share_black_nh_exposure share_hispanic_exposure share_other_nh_exposure
    share_white_nh_exposure share_debt_coll share_digital_access rate_crime_violent rate_crime_property
    rate_juv_arrest share_economic_connectedness share_medical_debt_coll
"""


def weighted_quantile(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], p: float = 0.5) -> float:
    """`Hmisc::wtd.quantile(values, weights, p)`, type "quantile": the weights count repeated observations.

    With n the sum of weights, the quantile stands at position 1 + (n - 1) p of the repeated, sorted values, linear
    between its neighbors. NaN if there is no weight. Weights of zero are left out; values are finite.
    """
    used = weights > 0
    values, weights = values[used], weights[used]
    if not values.size:
        return float("nan")
    order = np.argsort(values, kind="stable")
    values, running = values[order], np.cumsum(weights[order])
    n = float(running[-1])
    position = 1 + (n - 1) * p
    low = max(np.floor(position), 1.0)
    high = min(low + 1, n)
    part = position % 1
    # The repeated value at a position is the first whose running weight reaches it.
    last = values.size - 1
    below, above = (values[min(int(np.searchsorted(running, at, side="left")), last)] for at in (low, high))
    return float((1 - part) * below + part * above)


def overall_figures(
    long: pl.LazyFrame, spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry], level: Level
) -> pl.DataFrame:
    """The figures of a level's overall file, one row per geography, year and metric that is published there.

    Columns year, state, state_name, geo, population, metric, value, quality (integer). `long` has the columns of
    `Estimate`, suppressions applied.
    """
    file = next(f for f in FILES if f.level == level and f.overall)
    chosen = choices(file, entries).select("metric", "year", "sample")
    places = universe(spines, level).select("year", "state", "state_name", "geo", "population")
    figures = long.filter((pl.col("level") == level) & (pl.col("subgroup") == ALL)).select(
        "year", "state", "geo", "metric", "sample", "value", "quality"
    )
    return (
        places.lazy()
        .join(chosen.lazy(), on="year", how="inner")
        .join(figures, on=["year", "state", "geo", "metric", "sample"], how="left", validate="1:1")
        .drop("sample")
        .collect(engine="streaming")
    )


def medians(figures: pl.DataFrame, level: Level) -> pl.DataFrame:
    """National and state medians of one level: columns `MEDIANS`, sorted by year, area (nation first) and metric.

    `figures` as `overall_figures` gives them. Years of a metric without any figure in the nation have no row. People of
    geographies whose population is unknown do not count.
    """
    there = figures.group_by("year", "metric").agg(pl.col("value").is_not_null().any().alias("any")).filter("any")
    kept = figures.join(there.drop("any"), on=["year", "metric"], how="semi")
    nation = kept.with_columns(pl.lit(NATION).alias("area"), pl.lit("United States").alias("area_name"))
    states = kept.with_columns(pl.col("state").alias("area"), pl.col("state_name").alias("area_name"))
    return pl.concat([_of_areas(nation, level), _of_areas(states, level)]).sort(
        "year", pl.col("area") != NATION, "area", "metric"
    )


def _of_areas(rows: pl.DataFrame, level: Level) -> pl.DataFrame:
    group = ["year", "area", "metric"]
    people = pl.col("population").fill_null(0)
    missing = pl.col("value").is_null()
    sums = rows.group_by(group).agg(
        pl.col("area_name").first(),
        pl.len().cast(pl.Int64).alias("geographies"),
        (~missing).sum().cast(pl.Int64).alias("with_value"),
        people.sum().alias("population"),
        people.filter(missing).sum().alias("_missing"),
        people.filter(pl.col("quality") == WEAK).sum().alias("_weak"),
    )
    middles = [
        (*key, weighted_quantile(part["value"].to_numpy(), part["population"].to_numpy().astype(np.float64)))
        for key, part in rows.filter(~missing & (people > 0)).group_by(group)
    ]
    middle = pl.DataFrame(
        middles,
        schema={"year": ESTIMATE["year"], "area": pl.String, "metric": pl.String, "_median": pl.Float64},
        orient="row",
    )
    share_missing = (pl.col("_missing") / pl.col("population")).fill_nan(None).round(_DIGITS)
    share_weak = (pl.col("_weak") / pl.col("population")).fill_nan(None).round(_DIGITS)
    # Both shares have four digits: add them as whole ten-thousandths, so that 0.15 exactly is not above 0.15.
    hidden = ((share_missing + share_weak) * 1e4).round(0) > HIDE_ABOVE * 1e4
    return (
        sums.join(middle, on=group, how="left", validate="1:1")
        .with_columns(
            pl.lit(level).alias("level"),
            share_missing.alias("share_missing"),
            share_weak.alias("share_weak"),
            pl.when(hidden).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("hidden"),
        )
        .with_columns(pl.when(pl.col("hidden") == "no").then(pl.col("_median").round(_DIGITS)).alias("median"))
        .select(pl.col(c).cast(t) for c, t in MEDIANS.items())
    )


def as_reference(table: pl.DataFrame, level: Level, metrics: Sequence[str]) -> pl.DataFrame:
    """National medians in the shape of the reference's file: year, group, and one column per metric.

    `metrics` are those the level publishes as numbers; they stand in the reference's order, others after them.
    """
    nation = table.filter((pl.col("area") == NATION) & (pl.col("level") == level))
    place = {metric: i for i, metric in enumerate(_REFERENCE_ORDER.split())}
    ordered = sorted(metrics, key=lambda m: place.get(m, len(place)))
    years = nation.select("year").unique().sort("year").with_columns(pl.lit(REFERENCE_GROUP).alias("group"))
    for metric in ordered:
        one = nation.filter(pl.col("metric") == metric).select("year", pl.col("median").alias(metric))
        years = years.join(one, on="year", how="left", validate="1:1")
    return years


def all_medians(long: pl.LazyFrame, spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry]) -> pl.DataFrame:
    """Medians of both levels: columns `MEDIANS`."""
    parts = [medians(overall_figures(long, spines, entries, level), level) for level in LEVELS]
    return pl.concat(parts)
