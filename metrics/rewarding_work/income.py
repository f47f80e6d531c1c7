"""Opportunities for income: percentiles of household income. Method file income.md."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import polars as pl

from metrics import acs_recodes
from metrics.acs_deviations import acs_deviations
from metrics.acs_owed import owed_groups
from metrics.acs_reference import OURS, Reproduce
from metrics.acs_window import of_sample
from metrics.cells import EVERYBODY
from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Explanation
from metrics.growth import covers
from metrics.microdata import used_by
from metrics.predictor import Metric, Predictor, Series
from metrics.quantile_account import explain_quantile
from metrics.quantiles import QuantileSpec, quantile_estimates
from metrics.replication import HOUSEHOLD_WEIGHTS
from metrics.shared import (
    ACS1_YEARS,
    ACS5_YEARS,
    CONNECTICUT,
    FIVE_YEARS,
    NEW_PUMAS,
    PUMA_MIX_2014,
    SAMPLING_AREAS,
    TWO_SAMPLES,
)
from schemas.estimate import empty
from schemas.labels import GENDER, RACE_ETHNICITY

PERCENTILES: Final = (20, 50, 80)
LARGEST_LOSS: Final = -65_000.0
"""An income can be a loss; the agency cuts losses at 59,999 dollars, before the adjustment to the year."""


def _percentile(p: int) -> Metric:
    return Metric(
        f"pctl_income_{p}",
        f"Household income at the {p}th percentile",
        "dollars",
        minimum=LARGEST_LOSS,
        interval="sampling",
        sentence=f"In {{year}}, {p} percent of households in {{name}} had an income of ${{value:,.0f}} or less.",
    )


PREDICTOR = Predictor(
    key="income",
    title="Opportunities for income",
    pillar="rewarding_work",
    definition=(
        "Household income before taxes at the 20th, 50th and 80th percentile: the incomes that 20, 50 and 80 percent "
        "of the area's households do not exceed."
    ),
    metrics=tuple(_percentile(p) for p in PERCENTILES),
    series=(
        Series("acs1", ACS1_YEARS, ("acs1_households", "puma_allocation")),
        Series(
            "acs5",
            ACS5_YEARS,
            ("acs5_households", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "gender": GENDER},
            overall=False,
            long_only=("gender",),
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="income.md",
    notes=(
        SAMPLING_AREAS,
        TWO_SAMPLES,
        FIVE_YEARS,
        PUMA_MIX_2014,
        "Dollars are those of the data year; nothing is adjusted for inflation between years.",
        "The race, ethnicity or gender of a household is that of its reference person. People in group quarters, such "
        "as dormitories and nursing homes, are left out.",
        "Incomes of zero or below are kept. The agency caps very high components of income.",
        "Percentiles and interval ends are incomes that were reported, so an end may equal the figure itself; from a "
        "small sample one end can be missing.",
    ),
    breaks=((2022, CONNECTICUT), (2022, f"1-year file: {NEW_PUMAS}"), (2023, f"5-year file: {NEW_PUMAS}")),
)

FILTERS: Final = (acs_recodes.HOUSEHOLD_POPULATION,)

INCOME: Final = pl.when(pl.col("hhincome") != acs_recodes.INCOME_NOT_AVAILABLE).then(
    pl.col("hhincome") * pl.col("adjust")
)
"""Dollars of the calendar year. Every household has an income; it may be zero or negative."""

PROBABILITIES: Final = {f"pctl_income_{p}": Fraction(p, 100) for p in PERCENTILES}
OVERALL: Final = QuantileSpec(FILTERS, INCOME, PROBABILITIES)
BY_GROUP: Final = QuantileSpec(
    FILTERS, INCOME, PROBABILITIES, (EVERYBODY, acs_recodes.RACE_ETHNICITY, acs_recodes.GENDER)
)
SPECS: Final = {"acs1": OVERALL, "acs5": BY_GROUP}

MICRODATA: Final = {f"{sample}_households": used_by(spec, HOUSEHOLD_WEIGHTS) for sample, spec in SPECS.items()}

DEVIATIONS: Final = (
    *acs_deviations(
        PREDICTOR.key,
        five_year=True,
        one_year=True,
        effects={
            "valdez-cordova": (
                "Its 1-year figures are missing, as its sample is too small (an effective 24.5 households in 2018); in "
                "the 5-year files it has those of its PUMA, 02-00300."
            ),
            "county-codes-2014": "Their 1-year figures are those published under 02158 and 46102.",
            "pumas-of-2000": "1-year figures stay. `Reproduce(pumas_by_code=True)` joins by code.",
            "place-flags-before-2022": "`Reproduce(place_quality=True)` takes the reference's flags.",
        },
    ),
    Deviation(
        id="income/rounded-ties",
        kind="deviation",
        predictor="income",
        reference=(
            "Weights are multiplied by the allocation factor before they are added up. Where the running weight is "
            "exactly the wanted one, the rounding of these products decides, so that counties of one PUMA have "
            "different percentiles."
        ),
        ours=(
            "Sums of integers, without the factor where an area is one PUMA; an exact tie is decided by the rule of "
            "hf3, and counties of one PUMA have the same percentiles and bounds."
        ),
        why="Which of two neighboring incomes is published should not hang on the last bit of a sum.",
        effect=(
            "Twelve times (PUMA, year, percentile) do counties of one PUMA differ in the 1-year file: 52 figures, one "
            "of the two incomes of each PUMA stays. Once do places, in the 5-year file by race and ethnicity. The two "
            "incomes differ by 0.1 to 2 percent. Ties in areas that pool PUMAs cannot be seen from outside."
        ),
    ),
    Deviation(
        id="income/two-samples",
        kind="kept",
        predictor="income",
        reference="The overall file is made from the 1-year sample, All rows of the group files from the 5-year one.",
        ours="The same; the column `sample` of the long file tells them apart.",
        why="Only the 5-year sample is large enough for subgroups.",
        effect="Two different figures for everybody of one area and year.",
    ),
    Deviation(
        id="income/first-value",
        kind="kept",
        predictor="income",
        reference=(
            "Where the lowest income alone weighs more than the wanted share, the quantile (or interval end) is the "
            "second lowest income."
        ),
        ours="The same: it is how R's survey package picks a quantile by its rule hf3.",
        why="The lowest income would be meant.",
        effect="Small cells in which many households have the same lowest income, as a rule zero.",
    ),
    Deviation(
        id="income/interval-ends",
        kind="kept",
        predictor="income",
        reference=(
            "Interval ends are reported incomes. One end is missing where its probability falls below 0 or exceeds 1, "
            "and the figure stands."
        ),
        ours='The same; the reason is then "bound not defined".',
        why="Woodruff's method has no clipping.",
        effect="Ends may equal the figure; three ends are missing in the reference's place file by race and ethnicity.",
    ),
    Deviation(
        id="income/large-households",
        kind="kept",
        predictor="income",
        reference=(
            "Households of ten or more people unrelated to the householder (GQ 5) count here, but not in housing "
            "affordability."
        ),
        ours="The same.",
        why="The two predictors take different households for one area.",
        effect="Few households in the nation.",
    ),
    Deviation(
        id="income/gender",
        scope=Scope(subgroup_types=("gender",)),
        kind="kept",
        predictor="income",
        reference="Percentiles by the householder's gender are worked out but stand in no published group file.",
        ours="They stand in the long file only.",
        why="The published files keep their columns.",
        effect="No published cell.",
    ),
)


def estimate(
    acs1_households: pl.LazyFrame | None,
    acs5_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """Income percentiles of every county and place, overall (1-year file) and by subgroup (5-year file).

    The household tables as in `schemas.acs`, `puma_allocation` as `metrics.allocation.ALLOCATION`. Returns `Estimate`
    columns without year, in dollars: see `metrics.quantiles.quantile_estimates`. A subgroup whose column no file of a
    state has (the householder's race and sex, without the Census person file) is missing as "input owed". Tables of a
    series that is not published for `year`, or whose input is owed, may be None. Raises `InputError` for a household
    without an income and for an unknown PUMA. Method file income.md, sections 4 to 6.
    """
    frames = []
    for sample, records in (("acs1", acs1_households), ("acs5", acs5_households)):
        if records is None or puma_allocation is None or not covers(PREDICTOR.years_of(sample), year):
            continue
        spec = SPECS[sample]
        window = of_sample(sample, records, puma_allocation, year, by_code=reproduce.pumas_by_code)
        areas = reproduce.allocation(window.allocation)
        found = quantile_estimates(window.records, areas, spec, weights=HOUSEHOLD_WEIGHTS, sample=sample)
        found = owed_groups(found, window.records, spec.filters, spec.groupings)
        frames.append(found.with_columns(pl.lit(window.reference_period).alias("reference_period")))
    return pl.concat(frames) if frames else empty().drop("year")


def explain(
    cell: Cell,
    *,
    year: int,
    acs1_households: pl.LazyFrame | None,
    acs5_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame,
) -> Explanation:
    """The account of one figure: its PUMAs with `afact` and weights, the running weight around it, the thresholds.

    The table of the cell's sample must be there. `inputs`: see `metrics.quantile_account.explain_quantile`.
    """
    records = acs1_households if cell.sample == "acs1" else acs5_households
    if records is None:
        raise ValueError(f"the records of {cell.sample} are needed to explain one of its figures")
    return explain_quantile(
        cell,
        SPECS[cell.sample],
        of_sample(cell.sample, records, puma_allocation, year),
        weights=HOUSEHOLD_WEIGHTS,
        tables=(f"{cell.sample}_households", "puma_allocation"),
    )
