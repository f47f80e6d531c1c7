"""Housing affordability: homes that low-income households can afford. Method file housing_affordability.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.affordability_account import decisions, formula, no_puma, notes, recomputed, steps
from metrics.affordable_homes import COLUMNS, GROUPS, LEVELS, Tally, tally
from metrics.allocation import SCALE, without_former_pumas
from metrics.areas import GEO_KEY, PUMA_KEY, Areas
from metrics.cells import EVERYBODY, Grouping, rows, sampled
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Explanation
from metrics.income_limits import LIMITS, area_limits
from metrics.predictor import Metric, Predictor, Series
from metrics.replication import Integers, ratio
from metrics.shared import ACS1_YEARS, CONNECTICUT, NEW_PUMAS, SAMPLING_AREAS
from schemas.estimate import empty
from schemas.labels import TENURE
from schemas.microdata import RecordUse

INCOMES = {30: "extremely low", 50: "very low", 80: "low"}
SUBGROUPS: dict[str, tuple[str, ...]] = {"tenure": TENURE}
TABLES = ("acs1_households", "puma_allocation", "hud_income_limits")


def _affordable(percent: int, words: str) -> Metric:
    return Metric(
        f"share_affordable_{percent}_ami",
        f"Affordable homes per household with {words} income ({percent} percent of area median)",
        "homes per household",
        sentence=(
            f"In {{year}}, {{name}} had {{value:.2f}} homes affordable at {words} income ({percent} percent of the "
            "area median) for each household with such an income."
        ),
    )


def _available(percent: int, words: str) -> Metric:
    return Metric(
        f"share_affordable_available_{percent}_ami",
        f"Affordable and available homes per household with {words} income ({percent} percent of area median)",
        "homes per household",
        sentence=(
            f"In {{year}}, {{name}} had {{value:.2f}} homes affordable and available at {words} income ({percent} "
            "percent of the area median) for each household with such an income."
        ),
    )


PREDICTOR = Predictor(
    key="housing_affordability",
    title="Housing affordability",
    pillar="neighborhoods",
    definition=(
        "Homes that households with extremely low, very low and low incomes can afford, per such household. Given "
        "twice: for all such homes, and for those that are vacant or lived in by such a household."
    ),
    metrics=(
        *(_affordable(percent, words) for percent, words in INCOMES.items()),
        *(_available(percent, words) for percent, words in INCOMES.items()),
    ),
    series=(
        Series("acs1", ACS1_YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("acs1", ACS1_YEARS, (*TABLES, "county_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr", "hud_income_limits", "ct_towns"),
    method="housing_affordability.md",
    notes=(
        SAMPLING_AREAS,
        "The columns are called shares but are ratios and can exceed 1.",
        "The federal income limits for a household of four are used for households and homes of every size. The "
        "lowest is the federal extremely low limit, which is not exactly 30 percent of the median.",
        "Renters who pay no cash rent need a home but do not count among the affordable ones.",
        "A figure needs at least 30 low-income households in the sample, so the lowest income level is missing most "
        "often.",
        "Income limits are those of the fiscal year; incomes are those of the twelve months before the interview.",
    ),
    breaks=((2022, CONNECTICUT), (2022, NEW_PUMAS)),
)

SAMPLE: Final = "acs1"
NO_LIMIT: Final = "area not covered by source"
BY_TENURE: Final = Grouping("tenure", TENURE, pl.col("ownershp").replace_strict({2: 0, 1: 1}, default=None))

# Metric -> (income level, whether an occupied home must be lived in by a low-income household to count).
_METRICS: Final = {m.column: (int(m.column.split("_")[-2]), "available" in m.column) for m in PREDICTOR.metrics}

MICRODATA: Final = {"acs1_households": RecordUse(COLUMNS)}

DEVIATIONS: Final = (
    Deviation(
        id="housing_affordability/vacant-in-full",
        kind="deviation",
        predictor="housing_affordability",
        reference="Counts a vacant home in full in every county and city that its PUMA touches.",
        ours="A vacant home counts with the area's share of its PUMA, as occupied ones do.",
        why="Small areas get all vacant homes of a large PUMA on top of their own share of the occupied ones.",
        effect=(
            "Every figure of an area that has but a part of some PUMA falls, the more the smaller its part: published "
            "medians of affordable and available homes at low income in 2023 are 0.886 where all PUMAs lie in the "
            "county, 1.126 where its largest part is 0.1 to 0.2, 1.390 below 0.1. In Alaska 2018, 36 of the 58 figures "
            "that exist fall, by up to 0.70; those of Anchorage stay."
        ),
    ),
    Deviation(
        id="housing_affordability/no-vacant-homes",
        kind="deviation",
        predictor="housing_affordability",
        reference="No figure where the sample holds no vacant home in the area's PUMAs.",
        ours="Then no vacant home is affordable: occupied homes alone are counted.",
        why="No vacant homes is a finding, not a missing figure.",
        effect="Four counties and three cities gain values in a year each.",
        rows=(
            PublishedRow(2021, "county", "23011"),
            PublishedRow(2019, "county", "27171"),
            PublishedRow(2021, "county", "35061"),
            PublishedRow(2023, "county", "41071"),
            PublishedRow(2023, "place", "0604982"),
            PublishedRow(2022, "place", "0672016"),
            PublishedRow(2019, "place", "2555745"),
        ),
    ),
    Deviation(
        id="housing_affordability/county-codes",
        kind="deviation",
        predictor="housing_affordability",
        reference=(
            "Joins income limits and microdata by county codes of different years: until 2017 the limits know Oglala "
            "Lakota and Kusilvak under their former codes, and until 2019 only Valdez-Cordova as a whole."
        ),
        ours="Limits and allocation are brought to the county codes of the data year.",
        why="The counties have the same borders under both codes.",
        effect=(
            "46102 (46113 in 2014) may gain values in 2014 to 2017, 02158 (02270) too, and 02261 in 2014 to 2019, as "
            "far as enough low-income households were sampled there; in 2018 none were in 02261."
        ),
        rows=(
            *(PublishedRow(year, "county", "46113" if year < 2015 else "46102") for year in range(2014, 2018)),
            *(PublishedRow(year, "county", "02270" if year < 2015 else "02158") for year in range(2014, 2018)),
            *(PublishedRow(year, "county", "02261") for year in range(2014, 2020)),
        ),
    ),
    Deviation(
        id="housing_affordability/place-flags",
        scope=Scope(level="place", years=(None, 2021)),
        kind="deviation",
        predictor="housing_affordability",
        reference="Takes the share of a city in its PUMAs from factors worked out for its code across all states.",
        ours="Works the share out within the state.",
        why="Place codes are unique only within a state.",
        effect="Flags of 157 of 485 cities are better in 2014 to 2021, values are the same.",
    ),
    Deviation(
        id="housing_affordability/large-households",
        kind="kept",
        predictor="housing_affordability",
        reference="Leaves out households of ten or more people unrelated to the householder; other predictors do not.",
        ours="The same.",
        why="They are few, and published figures rest on it.",
        effect="None that is known to be visible.",
    ),
    Deviation(
        id="housing_affordability/no-cash-rent",
        kind="kept",
        predictor="housing_affordability",
        reference="A renter who pays no cash rent needs a home but never has an affordable one.",
        ours="The same.",
        why="There is no rent to compare with the limit.",
        effect="Ratios are somewhat too low where many live rent-free.",
    ),
    Deviation(
        id="housing_affordability/limits-for-four",
        kind="kept",
        predictor="housing_affordability",
        reference="Uses the limit for four people for households and homes of every size.",
        ours="The same.",
        why="It is the published definition.",
        effect="Every figure: small households count as low-income too often, large ones too seldom.",
    ),
    Deviation(
        id="housing_affordability/mean-of-towns",
        scope=Scope(level="county", states=("09", "23", "25", "33", "36", "44", "50")),
        kind="kept",
        predictor="housing_affordability",
        reference="A New England county's limit is the plain mean of its towns', whatever their size.",
        ours="The same.",
        why="Published figures rest on it.",
        effect="Counties of New England whose towns lie in several housing markets; two of New York until 2020.",
    ),
    Deviation(
        id="housing_affordability/sullivan",
        kind="kept",
        predictor="housing_affordability",
        reference="The mean of Crawford County MO has HUD's entry for its part of Sullivan until 2021, not afterwards.",
        ours="The same: an entry counts in the county that HUD's workbook names.",
        why="HUD filed the entry under the county, and since 2022 under a code of its own.",
        effect="The limits of 29055 are higher until 2021 than those of the county alone.",
        rows=tuple(PublishedRow(year, "county", "29055") for year in ACS1_YEARS if year < 2022),
    ),
    Deviation(
        id="housing_affordability/asked-rent",
        kind="kept",
        predictor="housing_affordability",
        reference="Rents of vacant homes are not brought to dollars of the calendar year; all other amounts are.",
        ours="The same.",
        why="Published figures rest on it.",
        effect="Vacant rentals look cheaper by the yearly factor, 0.1 to 4.2 percent.",
    ),
    Deviation(
        id="housing_affordability/fiscal-year",
        kind="kept",
        predictor="housing_affordability",
        reference="Limits of the federal fiscal year meet incomes of the twelve months before the interview.",
        ours="The same.",
        why="HUD publishes limits by fiscal year only.",
        effect="Every figure, slightly.",
    ),
)


@dataclass(frozen=True)
class Reproduce:
    """Behaviour of the reference that we do not follow, to be switched on for comparisons with its figures."""

    vacant_in_full: bool = False
    """A vacant home counts in full in every area that its PUMA touches."""
    missing_without_vacant: bool = False
    """No figure where the sample holds no vacant home."""
    published_flags: bool = False
    """Flags of places before 2022 from factors that were worked out across states."""


OURS: Final = Reproduce()


def estimate(
    acs1_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    hud_income_limits: pl.LazyFrame | None,
    county_place: pl.LazyFrame | None,
    year: int,
) -> pl.DataFrame:
    """Affordable, and affordable and available, homes per low-income household: `Estimate` columns.

    Method file housing_affordability.md, sections 4 and 5. Without `county_place` there are rows for counties only;
    without another table there are none. `n` and `n_effective` are those of the low-income households of the group,
    which decide about suppression; `numerator` and `denominator` are weighted homes and households.
    """
    return compute(acs1_households, puma_allocation, hud_income_limits, county_place, year)


def compute(
    acs1_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    hud_income_limits: pl.LazyFrame | None,
    county_place: pl.LazyFrame | None,
    year: int,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """`estimate`, or with `reproduce` as the reference has it."""
    if acs1_households is None or puma_allocation is None or hud_income_limits is None:
        return empty().drop("year")
    puma_allocation = without_former_pumas(puma_allocation)
    if reproduce.published_flags:
        puma_allocation = puma_allocation.with_columns(pl.col("quality_reference").alias("quality"))
    areas = Areas.of(puma_allocation, None if county_place is not None else ("county",))
    counted = tally(acs1_households, areas, area_limits(hud_income_limits, county_place))
    figures = {metric: _figures(metric, areas, counted, reproduce) for metric in _METRICS}
    frames = [
        rows(areas, grouping, metric, {name: values[:, columns] for name, values in arrays.items()})
        for metric, arrays in figures.items()
        for grouping, columns in ((EVERYBODY, slice(0, 1)), (BY_TENURE, slice(1, None)))
    ]
    found = pl.concat(frames).filter(pl.col("state").is_in(counted.states))
    return _described(found, areas, counted.limits).with_columns(
        pl.lit(SAMPLE).alias("sample"), pl.lit(str(year)).alias("reference_period")
    )


def _figures(metric: str, areas: Areas, counted: Tally, reproduce: Reproduce) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a metric by geography and group, NaN where missing."""
    percent, available = _METRICS[metric]
    at = (slice(None), slice(None), LEVELS.index(percent))
    low: Integers = areas.pooled_pairs(counted.low[at])
    number = _homes(areas, (counted.available if available else counted.occupied)[at], counted.vacant[at], reproduce)
    records = areas.counted_pairs(counted.low_records[at])
    effective = areas.effective_pairs(counted.low_records[at])
    effective = np.where(np.isnan(counted.limits[:, [LEVELS.index(percent)]]), np.nan, effective)
    enough = sampled(effective)
    if reproduce.missing_without_vacant:
        enough = enough & (areas.counted_pairs(counted.vacant_records) > 0)[:, None]
    return {
        "value": np.where(enough, ratio(number, low), np.nan),
        "n": records,
        "n_effective": effective,
        "numerator": np.where(enough, areas.people(number), np.nan),
        "denominator": np.where(enough, areas.people(low), np.nan),
    }


def _homes(areas: Areas, occupied: Integers, vacant: Integers, reproduce: Reproduce) -> npt.NDArray[Any]:
    """Affordable homes by geography and group, in units of `areas.factor`."""
    if not reproduce.vacant_in_full:
        return areas.pooled_pairs(occupied + vacant)
    # Undo the factor, which is 1 in place of afact where a geography is one PUMA.
    whole = np.where(areas.factor == 1, 1 / areas.afact, float(SCALE))[:, None]
    in_full: npt.NDArray[Any] = np.add.reduceat(vacant * whole, areas.starts, axis=0)
    number: npt.NDArray[Any] = areas.pooled_pairs(occupied) + in_full
    return number


def _described(found: pl.DataFrame, areas: Areas, limits: npt.NDArray[np.float64]) -> pl.DataFrame:
    """With the reason for areas without a limit, and with who shares an estimate: one PUMA and the same limits."""
    of_geo = areas.geos.select(
        *GEO_KEY,
        "n_pumas",
        "estimation_area",
        *(pl.Series(name, limits[:, i]) for i, name in enumerate(LIMITS.values())),
    )
    different = pl.struct(LIMITS.values()).n_unique().over("level", "estimation_area") > 1
    written = (pl.col(c).round(2).cast(pl.String).str.strip_suffix(".0") for c in LIMITS.values())
    by_limits = pl.format("{}-limits-{}-{}-{}", "estimation_area", *written)
    shared = of_geo.select(
        *GEO_KEY,
        pl.when((pl.col("n_pumas") == 1) & different)
        .then(by_limits)
        .otherwise("estimation_area")
        .alias("estimation_area"),
        pl.col(LIMITS[30]).is_nan().alias("no_limit"),
    ).with_columns(pl.len().over("level", "estimation_area").cast(pl.Int32).alias("n_areas"))
    return (
        found.drop("estimation_area", "n_areas")
        .join(shared, on=GEO_KEY, how="left", validate="m:1")
        .with_columns(pl.when("no_limit").then(pl.lit(NO_LIMIT)).otherwise("reason").alias("reason"))
        .drop("no_limit")
    )


def explain(
    cell: Cell,
    *,
    year: int,
    acs1_households: pl.LazyFrame,
    puma_allocation: pl.LazyFrame,
    hud_income_limits: pl.LazyFrame,
    county_place: pl.LazyFrame | None,
) -> Explanation:
    """The account of one figure: its PUMAs with factors and homes, the income limit, the thresholds.

    `inputs` has one row per PUMA: state, puma, puma_vintage, afact, low_income_records, and weights before allocation:
    low_income (households), occupied (affordable homes lived in; of the available ones only those that count as such)
    and vacant (affordable vacant homes).
    """
    percent, available = _METRICS[cell.metric]
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    pairs = without_former_pumas(puma_allocation).filter(here).sort("puma").collect()
    if cell.level == "county":
        county_place = None
    tables = (
        "acs1_households",
        "puma_allocation",
        "hud_income_limits",
        *(("county_place",) if county_place is not None else ()),
    )
    if pairs.is_empty():
        return no_puma(cell, tables)
    local = acs1_households.join(pairs.lazy().select(PUMA_KEY), on=PUMA_KEY, how="semi")
    areas = Areas.of(pairs)
    limits = area_limits(hud_income_limits, county_place).join(pairs.select(GEO_KEY).unique(), on=GEO_KEY, how="semi")
    counted = tally(local, areas, limits)
    at = (slice(None), GROUPS.index(cell.subgroup), LEVELS.index(percent))
    figures = {name: float(values[0, at[1]]) for name, values in _figures(cell.metric, areas, counted, OURS).items()}
    inputs = areas.pumas.select(PUMA_KEY).with_columns(
        pl.Series("afact", areas.afact),
        pl.Series("low_income_records", counted.low_records[at]),
        pl.Series("low_income", counted.low[at]),
        pl.Series("occupied", (counted.available if available else counted.occupied)[at]),
        pl.Series("vacant", counted.vacant[at]),
    )
    value = None if np.isnan(figures["value"]) else figures["value"]
    return Explanation(
        formula=formula(cell.metric, inputs, value),
        recomputed=None if value is None else recomputed(inputs, areas.factor.tolist()),
        inputs=inputs,
        tables=tables,
        steps=steps(cell, acs1_households, local, int(figures["n"]), percent),
        decisions=decisions(percent, float(counted.limits[0, at[2]]), figures["n_effective"], value, pairs),
        notes=notes(cell, percent, pairs, float(counted.upkeep[0]), hud_income_limits, county_place),
    )
