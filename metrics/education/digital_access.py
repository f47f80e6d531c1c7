"""Digital access: households with a computer and high-speed internet. Method file digital_access.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from metrics import acs_recodes, acs_reference
from metrics.acs_deviations import acs_deviations
from metrics.acs_owed import owed_groups
from metrics.acs_window import five_years
from metrics.cells import EVERYBODY, Filter
from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Explanation
from metrics.growth import covers
from metrics.identified_counties import MARK, by_unit
from metrics.microdata import used_by
from metrics.predictor import Metric, Predictor, Series
from metrics.replication import Weights
from metrics.shared import CONNECTICUT, FIVE_YEARS, NEW_PUMAS, SAMPLING_AREAS
from metrics.survey import ShareSpec, share_estimates
from metrics.survey_account import explain_share
from schemas.estimate import empty
from schemas.labels import HOUSEHOLD_INCOME, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="digital_access",
    title="Digital access",
    pillar="education",
    definition=(
        "Share of households that have a computer (desktop, laptop or tablet) and a subscription to high-speed "
        "internet by cable, fiber or DSL."
    ),
    metrics=(
        Metric(
            "share_digital_access",
            "Share of households with a computer and high-speed internet",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of households in {name} had a computer and high-speed internet at home.",
        ),
    ),
    series=(
        Series(
            "acs5",
            (2018, 2021, 2023),
            ("acs5_households", "puma_allocation"),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "income": HOUSEHOLD_INCOME},
        ),
    ),
    sources=("acs_pums_ipums", "acs_pums_census", "geocorr"),
    method="digital_access.md",
    notes=(
        SAMPLING_AREAS,
        FIVE_YEARS,
        "Satellite, fixed wireless and mobile connections do not count as high-speed. Households in areas for which "
        "the agency withholds the answer (some in 2023) are left out.",
        "The line between the income groups is $50,000 in dollars of the data year. Race and ethnicity are the "
        "householder's.",
    ),
    breaks=((2023, CONNECTICUT), (2023, NEW_PUMAS)),
)

WEIGHTS: Final = Weights("hhwt")
"""Without replicates: the predictor is published without an interval."""

SUPPRESSED: Final = 88
_ANSWERED: Final = (
    pl.col("cihispeed").is_in([0, 10, 20]) & pl.col("cilaptop").is_not_null() & pl.col("citablet").is_not_null()
)
_COMPUTER: Final = (pl.col("cilaptop") == 1) | (pl.col("citablet") == 1)

SHARE: Final = ShareSpec(
    "share_digital_access",
    # Missing answers stay in, where they are refused.
    (
        acs_recodes.HOUSEHOLD_POPULATION,
        Filter("high-speed internet not withheld (CIHISPEED not 88)", pl.col("cihispeed").ne_missing(SUPPRESSED)),
        Filter("asked about internet access (CINETHH not 0)", pl.col("cinethh").ne_missing(0)),
    ),
    # CIHISPEED 10 cable, fiber or DSL, 20 no such subscription, 0 no subscription at all: both count as no access.
    pl.when(_ANSWERED).then(_COMPUTER & (pl.col("cihispeed") == 10)),
    (EVERYBODY, acs_recodes.RACE_ETHNICITY, acs_recodes.HOUSEHOLD_INCOME),
    suppress_by="n",
)


# Without county codes (the Census Bureau's form) households are allocated by their PUMA.
MICRODATA: Final = {"acs5_households": used_by(SHARE, WEIGHTS, optional=["countyfip"])}


@dataclass(frozen=True)
class Reproduce:
    """Flaws of the reference to put in again, to compare with its files.

    `copies`: a household of a named county counts once per county that its PUMA touches. `place_quality`: the flags of
    places before 2022 as the reference has them.
    """

    copies: bool = False
    place_quality: bool = False


OURS: Final = Reproduce()
REFERENCE: Final = Reproduce(copies=True, place_quality=True)

DEVIATIONS: Final = (
    Deviation(
        id="digital_access/copied-households",
        scope=Scope(level="county"),
        kind="deviation",
        predictor="digital_access",
        reference=(
            "A household whose county the file names appears once for every county that its PUMA touches, each time "
            "with its full weight and its own county."
        ),
        ours="It counts once. `Reproduce(copies=True)` counts it as the reference does.",
        why="Its PUMA weighs two or three times as much as others of the county, and its records are counted again.",
        effect=(
            "Counties that the file names and that pool PUMAs of which at least one touches another county, too: at "
            "most 42 in 2018 and 2021 and 38 in 2023 by the allocation, as every named county is strong. Counties "
            "made of whole PUMAs, counties of a single PUMA and places do not change. Cells that have 30 records only "
            "by copies become missing."
        ),
    ),
    *acs_deviations(
        PREDICTOR.key,
        five_year=False,
        one_year=False,
        years=PREDICTOR.years,
        effects={
            "valdez-cordova": "In 2018 02261 has the figure published under 02063 and 02066 (0.688), that of its PUMA.",
            "place-flags-before-2022": "`Reproduce(place_quality=True)` takes the reference's flags.",
        },
    ),
    Deviation(
        id="digital_access/unnamed-households",
        kind="kept",
        predictor="digital_access",
        reference=(
            "Households without a named county are spread over all counties of their PUMA, those that the file names "
            "elsewhere included. Without county codes in the file (the Census Bureau's form) all households are."
        ),
        ours="The same.",
        why="Some of them are known not to live in a named county.",
        effect="Small shares of the PUMAs at the border of a named county.",
    ),
    Deviation(
        id="digital_access/kinds-of-internet",
        kind="kept",
        predictor="digital_access",
        reference="Only cable, fiber and DSL are high-speed; satellite, fixed wireless and mobile plans are not.",
        ours="The same.",
        why="Other connections may be as fast.",
        effect="Figures are lowest where there is no cable.",
    ),
    Deviation(
        id="digital_access/withheld-answers",
        scope=Scope(years=(2023, None)),
        kind="kept",
        predictor="digital_access",
        reference="Households for which the agency withholds the answer on high-speed internet are left out.",
        ours="The same.",
        why="The rest of their PUMA stands for them.",
        effect="Some PUMAs in 2023.",
    ),
    Deviation(
        id="digital_access/unweighted-minimum",
        kind="kept",
        predictor="digital_access",
        reference=(
            "A figure needs 30 records in all PUMAs that the area touches, counted in full, not by the area's share in "
            "them as other predictors from microdata do."
        ),
        ours="The same.",
        why="A small county gets the figure of its PUMA, however few of the records are its own; its quality is weak.",
        effect="Every county has an overall figure.",
    ),
    Deviation(
        id="digital_access/income-line",
        scope=Scope(subgroup_types=("income",)),
        kind="kept",
        predictor="digital_access",
        reference="Household income is split at 50,000 dollars of the data year in all years.",
        ours="The same.",
        why="With inflation the lower group shrinks.",
        effect="Figures of the two groups of one area are not comparable over the years.",
    ),
)


def estimate(
    acs5_households: pl.LazyFrame | None,
    puma_allocation: pl.LazyFrame | None,
    year: int,
    *,
    reproduce: Reproduce = OURS,
) -> pl.DataFrame:
    """The share of households with computer and high-speed internet, for every county and place, by subgroup.

    `acs5_households` as in `schemas.acs`, `puma_allocation` as `metrics.allocation.ALLOCATION`. Returns `Estimate`
    columns without year, without bounds: see `metrics.survey.share_estimates`, but cells are suppressed below 30
    records. Counties have their named households (`metrics.identified_counties`). Race and ethnicity groups of a state
    without the householder's race (Census households without the person file) are missing as "input owed". No rows if
    an input is owed (None). Raises `InputError` for a household without an answer and for an unknown PUMA. Method file
    digital_access.md, sections 4 to 6.
    """
    if acs5_households is None or puma_allocation is None or not covers(PREDICTOR.years, year):
        return empty().drop("year")
    window = five_years(acs5_households, puma_allocation, year)
    allocation = acs_reference.Reproduce(place_quality=reproduce.place_quality).allocation(window.allocation)
    units = by_unit(window.records, allocation, copies=reproduce.copies)
    found = share_estimates(units.records, units.allocation, [SHARE], weights=WEIGHTS, sample="acs5")
    found = owed_groups(found, window.records, SHARE.filters, SHARE.groupings)
    # 1:m, a geography has a row per group.
    found = found.drop("estimation_area", "n_areas").join(units.areas, on=["level", "state", "geo"], how="left")
    return found.with_columns(pl.lit(window.reference_period).alias("reference_period"))


def explain(cell: Cell, *, year: int, acs5_households: pl.LazyFrame, puma_allocation: pl.LazyFrame) -> Explanation:
    """The account of one figure: its PUMAs with `afact` and sums, the filters, the thresholds.

    `inputs`: see `metrics.survey_account.explain_share`, with one more column: `county`, the county named for the
    households of the row (null for those of no named county). At the county level a row with a county has afact 1.
    """
    window = five_years(acs5_households, puma_allocation, year)
    units = by_unit(window.records, window.allocation)
    told = explain_share(
        cell,
        SHARE,
        replace(window, records=units.records, allocation=units.allocation.lazy()),
        weights=WEIGHTS,
        tables=("acs5_households", "puma_allocation"),
    )
    named = units.named.filter(pl.col("state") == cell.state)
    unknown = named.filter(~pl.col("known"))
    if named.height:
        notes = [f"The file names the county of {named['records'].sum():,} households of state {cell.state}."]
    else:
        notes = [
            f"The file names no county in state {cell.state} (the Census Bureau's form never does): all households are "
            "allocated by the factors."
        ]
    if unknown.height:
        codes = ", ".join(unknown["countyfip"].unique().sort())
        notes.append(
            f"{unknown['records'].sum():,} of them are in counties that their PUMA does not touch ({codes}); they are "
            "allocated by the factors."
        )
    code = pl.col("puma").str.split(MARK)
    inputs = told.inputs.with_columns(
        code.list.first().alias("puma"), code.list.get(1, null_on_oob=True).alias("county")
    )
    return replace(told, inputs=inputs, notes=(*told.notes, *notes))
