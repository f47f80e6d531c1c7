"""Wealth-building opportunities: home value and households by race and ethnicity. Method file housing_wealth.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from metrics.allocation import without_former_pumas
from metrics.areas import PUMA_KEY, Areas
from metrics.cells import EVERYBODY, Grouping, rows
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation
from metrics.home_values import AGE, COLUMNS, RACES, Pooled, holdings
from metrics.home_values_account import decisions, formula, notes, recomputed, steps
from metrics.home_values_reference import pooled_as_identified
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS1_YEARS, CONNECTICUT, NEW_PUMAS, SAMPLING_AREAS
from schemas.estimate import empty
from schemas.labels import HOUSEHOLDER_AGE
from schemas.microdata import RecordUse

GROUPS = {
    "black_nh": "Black, non-Hispanic",
    "hispanic": "Hispanic",
    "other_nh": "other non-Hispanic",
    "white_nh": "White, non-Hispanic",
}


def _ratio(group: str, words: str) -> Metric:
    return Metric(
        f"ratio_{group}_house_value_households",
        f"Share of home value to share of households, {words} households",
        "ratio",
        text_format="{numerator:.3f}:{denominator:.3f}",
        sentence=(
            f"In {{year}}, {words} households held {{numerator:.1%}} of the value of owned homes in {{name}} and "
            "were {denominator:.1%} of its households."
        ),
    )


def _value_share(group: str, words: str) -> Metric:
    return Metric(
        f"share_house_value_{group}",
        f"Share of home value, {words} households",
        "share",
        maximum=1.0,
        published=False,
        sentence=f"In {{year}}, {words} households held {{value:.1%}} of the value of owned homes in {{name}}.",
    )


def _household_share(group: str, words: str) -> Metric:
    return Metric(
        f"share_households_{group}",
        f"Share of households, {words} households",
        "share",
        maximum=1.0,
        published=False,
        sentence=f"In {{year}}, {{value:.1%}} of the households in {{name}} were {words}.",
    )


PREDICTOR = Predictor(
    key="housing_wealth",
    title="Wealth-building opportunities",
    pillar="rewarding_work",
    definition=(
        "A racial or ethnic group's share of the total value of the area's owner-occupied homes, next to the group's "
        "share of all its households. Equal shares mean that home wealth is spread as the households are."
    ),
    metrics=(
        *(_ratio(group, words) for group, words in GROUPS.items()),
        *(_value_share(group, words) for group, words in GROUPS.items()),
        *(_household_share(group, words) for group, words in GROUPS.items()),
    ),
    series=(Series("acs1", ACS1_YEARS, ("acs1_households", "puma_allocation"), subgroups={"age": HOUSEHOLDER_AGE}),),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="housing_wealth.md",
    notes=(
        SAMPLING_AREAS,
        "Published as text, the two shares with three decimals and a colon between; the numbers themselves are in the "
        "long file.",
        "Home values are the owners' own estimates and capped by the agency state by state, which matters where homes "
        "are very expensive.",
        "The group and the age are those of the householder. A share of households needs at least 30 households of the "
        "group in the sample, a share of home value 30 of its owners; even so, figures of small groups move a lot from "
        "year to year.",
    ),
    breaks=((2022, CONNECTICUT), (2022, NEW_PUMAS)),
)

MICRODATA: Final = {"acs1_households": RecordUse(COLUMNS)}

DEVIATIONS: Final = (
    Deviation(
        id="housing_wealth/sample-size",
        kind="deviation",
        predictor="housing_wealth",
        reference=(
            "Suppresses nothing for small samples; a figure is missing if the area's first slice of a PUMA has 30 or "
            "fewer people, or if none of the group's households in the sample owns its home."
        ),
        ours=(
            "A group needs an effective sample of 30 owners for its share of home value, 30 households for its share "
            "of households, and both for the ratio."
        ),
        why="The people of one slice say nothing about the group's sample; the documented rule asks for its size.",
        effect=(
            "Most ratios of small groups become missing, and those of white householders in small counties. Six cities "
            "that were missing in every year gain figures: Hawthorne, Ventura and Vacaville CA, Ann Arbor MI, "
            "Rochester NY, Renton WA."
        ),
    ),
    Deviation(
        id="housing_wealth/place-flags",
        scope=Scope(level="place"),
        kind="deviation",
        predictor="housing_wealth",
        reference=(
            "Takes the flags of cities in all years from the allocation of 2014, in which the share of a city in its "
            "PUMAs was worked out for its code across all states."
        ),
        ours="The flag of the year's own allocation, with that share worked out within the state.",
        why="PUMAs changed in 2022, and place codes are unique only within a state.",
        effect=(
            "Flags of 155 of 479 cities until 2021, all better, and of 192 of 480 in 2022 and 2023: Winston-Salem is "
            "weak there and strong here."
        ),
    ),
    Deviation(
        id="housing_wealth/identified-counties",
        scope=Scope(level="county"),
        kind="deviation",
        predictor="housing_wealth",
        reference=(
            "A household whose county the file names counts there in full, once for every county that its PUMA "
            "touches; a county that the file does not name loses its slices of such PUMAs."
        ),
        ours="Every household counts in each county with the county's share of its PUMA.",
        why="PUMAs on a county line get double weight, and all other predictors allocate.",
        effect="Counties with a PUMA that does not lie wholly in them; only 28 PUMAs have a largest part of 0.9 to 1.",
    ),
    Deviation(
        id="housing_wealth/boundary-of-flags",
        kind="deviation",
        predictor="housing_wealth",
        reference="An allocation quality of exactly 0.35 is weak here, marginal in all other predictors.",
        ours="Marginal.",
        why="One flag for one allocation.",
        effect="Knox County IL until 2021: flag 2 instead of 3.",
        rows=tuple(PublishedRow(year, "county", "17095") for year in ACS1_YEARS if year < 2022),
    ),
    Deviation(
        id="housing_wealth/county-codes",
        kind="deviation",
        predictor="housing_wealth",
        reference="The allocation has the county codes of 2020 for all years before 2022, the list those of the year.",
        ours="The allocation has the county codes of the year.",
        why="The counties have the same borders under both codes, or are parts of the former one.",
        effect="02261 (until 2019), 02270 and 46113 (2014) may gain values where enough households were sampled.",
        rows=(
            *(PublishedRow(year, "county", "02261") for year in range(2014, 2020)),
            PublishedRow(2014, "county", "02270"),
            PublishedRow(2014, "county", "46113"),
        ),
    ),
    Deviation(
        id="housing_wealth/top-coded-values",
        kind="kept",
        predictor="housing_wealth",
        reference="Home values are capped by the agency state by state and not adjusted to the calendar year.",
        ours="The same.",
        why="Shares need no adjustment, and the uncapped values are not public.",
        effect="Shares in areas with very expensive homes.",
    ),
)

SAMPLE: Final = "acs1"
OWED: Final = "input owed"
BY_AGE: Final = Grouping("age", HOUSEHOLDER_AGE, AGE)


@dataclass(frozen=True)
class Reproduce:
    """Behavior of the reference that we do not follow, to be switched on for comparisons with its figures."""

    identified_counties: bool = False
    """A household whose county the file names counts there in full, once for each county that its PUMA touches."""
    every_sample: bool = False
    """Figures of groups of any size, as long as one of their households owns its home."""


OURS: Final = Reproduce()


def estimate(acs1_households: pl.LazyFrame | None, puma_allocation: pl.LazyFrame | None, year: int) -> pl.DataFrame:
    """Shares of home value and of households by race and ethnicity, and their ratio: `Estimate` columns.

    Method file housing_wealth.md, sections 4 and 5, without the flaws of section 9. `n` and `n_effective` are those of
    the group's owners with a known value; of its households for the shares of households. The ratio has the two shares
    as numerator and denominator. `se` is by successive differences of the replicate weights, null if the file lacks
    them.
    """
    return compute(acs1_households, puma_allocation, year)


def compute(
    acs1_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """`estimate`, or with `reproduce` as the reference has it."""
    if acs1_households is None or puma_allocation is None:
        return empty().drop("year")
    areas = Areas.of(without_former_pumas(puma_allocation))
    held = holdings(acs1_households, areas, replicates=reproduce == OURS)
    frames = []
    for grouping, ages in ((EVERYBODY, held.of_all_ages()), (BY_AGE, held)):
        pooled = Pooled.of(ages, areas)
        if reproduce.identified_counties:
            pooled = pooled_as_identified(acs1_households, areas, all_ages=grouping is EVERYBODY)
        for race in RACES:
            for metric, figures in pooled.figures(race, every_sample=reproduce.every_sample).items():
                frames.append(rows(areas, grouping, metric, figures))
    found = pl.concat(frames).filter(pl.col("state").is_in(held.states))
    owed = pl.col("state").is_in(held.unknown)
    return found.with_columns(
        pl.when(owed).then(pl.lit(OWED)).otherwise("reason").alias("reason"),
        *(pl.when(~owed).then(c).alias(c) for c in ("n", "n_effective")),
        pl.lit(SAMPLE).alias("sample"),
        pl.lit(str(year)).alias("reference_period"),
    )


def explain(cell: Cell, *, year: int, acs1_households: pl.LazyFrame, puma_allocation: pl.LazyFrame) -> Explanation:
    """The account of one figure: its PUMAs with factors and sums, the filters, the thresholds.

    `inputs` has one row per PUMA: state, puma, puma_vintage, afact, the group's household_records and owner_records,
    and sums before allocation: group_value and all_value (weight times dollars), group_households and all_households
    (weights).
    """
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    pairs = without_former_pumas(puma_allocation).filter(here).sort("puma").collect()
    tables = ("acs1_households", "puma_allocation")
    if pairs.is_empty():
        text = f"{cell.metric} is missing: no PUMA lies in the area"
        decision = Decision("PUMAs of the area", 0.0, "none -> missing", "the value is missing")
        return Explanation(text, None, pl.DataFrame(), tables, (), (decision,))
    race = next(r for r in RACES if r in cell.metric)
    local = acs1_households.join(pairs.lazy().select(PUMA_KEY), on=PUMA_KEY, how="semi")
    areas = Areas.of(pairs)
    held = holdings(local, areas, replicates=False)
    held = held.of_all_ages() if cell.subgroup_type == "all" else held
    at = (list(RACES).index(race), 0 if cell.subgroup_type == "all" else HOUSEHOLDER_AGE.index(cell.subgroup))
    figures = Pooled.of(held, areas).figures(race)
    value = float(figures[cell.metric]["value"][0, at[1]])
    inputs = areas.pumas.select(PUMA_KEY).with_columns(
        pl.Series("afact", areas.afact),
        pl.Series("household_records", held.household_records[:, *at]),
        pl.Series("owner_records", held.owner_records[:, *at]),
        pl.Series("group_value", held.value[:, *at, 0]),
        pl.Series("all_value", held.value[:, :, at[1], 0].sum(axis=1)),
        pl.Series("group_households", held.households[:, *at, 0]),
        pl.Series("all_households", held.households[:, :, at[1], 0].sum(axis=1)),
    )
    given = None if np.isnan(value) else value
    owed = cell.state in held.unknown
    return Explanation(
        formula=formula(cell.metric, inputs, areas.factor.tolist(), given),
        recomputed=None if given is None else recomputed(cell.metric, inputs, areas.factor.tolist()),
        inputs=inputs,
        tables=tables,
        steps=steps(cell, race, acs1_households, local),
        decisions=decisions(
            cell.metric,
            float(figures[f"share_house_value_{race}"]["n_effective"][0, at[1]]),
            float(figures[f"share_households_{race}"]["n_effective"][0, at[1]]),
            given,
            pairs,
            owed=owed,
        ),
        notes=notes(pairs),
    )
