"""Racial diversity: exposure to neighbors of other races and ethnicities. Method file racial_diversity.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import tracts as tract_figures
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, FIVE_YEARS, NEW_TRACTS
from metrics.tract_account import decisions, members_of
from metrics.tracts import AREA, SCALE
from schemas.estimate import empty
from schemas.labels import ALL

YEARS = (2016, 2018, 2021, 2023)


def _exposure(group: str, people: str, person: str) -> Metric:
    return Metric(
        f"share_{group}_exposure",
        f"Exposure of {people} to neighbors of other races and ethnicities",
        "share",
        maximum=1.0,
        sentence=(
            f"In {{year}}, the average {person} in {{name}} lived in a neighborhood where {{value:.1%}} of residents "
            "were of another race or ethnicity."
        ),
    )


PREDICTOR = Predictor(
    key="racial_diversity",
    title="Racial diversity",
    pillar="neighborhoods",
    definition=(
        "For the average member of a racial or ethnic group, the share of residents of the neighborhood (census "
        "tract) who do not belong to that group. High values mean diverse surroundings."
    ),
    metrics=(
        _exposure("black_nh", "Black, non-Hispanic people", "Black, non-Hispanic resident"),
        _exposure("hispanic", "Hispanic people", "Hispanic resident"),
        _exposure("other_nh", "non-Hispanic people of other races", "non-Hispanic resident of another race"),
        _exposure("white_nh", "White, non-Hispanic people", "White, non-Hispanic resident"),
    ),
    series=(
        Series("acs5_tables", YEARS, ("acs_tract_race",), levels=("county",)),
        Series("acs5_tables", YEARS, ("acs_tract_race", "tract_place"), levels=("place",)),
    ),
    sources=("acs_tables", "geocorr", "ct_tracts"),
    method="racial_diversity.md",
    notes=(
        FIVE_YEARS,
        "Other races are American Indian, Asian, Pacific Islander, some other race and two or more races, taken "
        "together; people of these races are not counted as exposed to one another.",
        "A group that is a large part of the population has a low value almost by definition.",
        "No figure where 30 or fewer people of the group live.",
        "In Bridgeport, Connecticut, the Black share of residents falls from 32.1 to 19.5 percent in the source "
        "between 2021 and 2023.",
    ),
    breaks=((2021, NEW_TRACTS), (2023, CONNECTICUT)),
)

# Published column -> the counts of people that make up the group. The four groups are disjoint and hold everybody.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "share_black_nh_exposure": ("black_nh",),
    "share_hispanic_exposure": ("hispanic",),
    "share_other_nh_exposure": ("aian_nh", "asian_nh", "nhpi_nh", "other_race_nh", "two_or_more_nh"),
    "share_white_nh_exposure": ("white_nh",),
}
NOBODY: Final = "group not present"


def estimate(
    acs_tract_race: pl.LazyFrame | None, tract_place: pl.LazyFrame | None, spine: pl.LazyFrame, year: int
) -> pl.DataFrame:
    """Exposure of four groups to people who are not of the group, in counties and places.

    A group's exposure is the mean over tracts of the share of residents outside the group, weighted by the group's
    people. Without `tract_place` there are rows for counties only. `n` is the number of tracts, `denominator` the
    number of people of the group. Method file racial_diversity.md, sections 4 and 5.
    """
    if acs_tract_race is None:
        return empty()
    factors = None if tract_place is None else tract_place.collect()
    members = tract_figures.allocate(_prepared(acs_tract_race.collect()), factors)
    share = pl.col("share")
    sums: dict[str, pl.Expr] = {}
    for group in GROUPS:
        sums[f"{group}/people"] = share * pl.col(f"{group}/people")
        sums[f"{group}/variance"] = share * _counted_variance(group)
    means = {group: (_outside(group), share * pl.col(f"{group}/people")) for group in GROUPS}
    areas = tract_figures.total(members, sums).join(
        tract_figures.weighted_means(members, means), on=AREA, how="left", validate="1:1"
    )
    areas = tract_figures.in_universe(areas, spine.collect())
    if factors is not None:
        areas = areas.join(tract_figures.overlap(factors), on=AREA, how="left", validate="1:1")
    else:
        areas = areas.with_columns(allocation=pl.lit(None, pl.Float64))
    rows = pl.concat(
        areas.select(
            *AREA,
            "n",
            "coverage",
            "allocation",
            metric=pl.lit(group),
            people_10k=pl.col(f"{group}/people"),
            variance_10k=pl.col(f"{group}/variance"),
            exposure=pl.col(group),
        )
        for group in GROUPS
    )
    graded = tract_figures.graded(rows, pl.col("exposure"), nobody=NOBODY)
    return tract_figures.described(graded, year).select(
        *AREA,
        "metric",
        "sample",
        "value",
        "quality",
        "n",
        "allocation",
        "estimation_area",
        "n_areas",
        "reference_period",
        "reason",
        subgroup_type=pl.lit("all"),
        subgroup=pl.lit(ALL),
        numerator=pl.col("value") * pl.col("people_10k") / SCALE,
        denominator=pl.col("people_10k") / SCALE,
    )


def _prepared(tracts: pl.DataFrame) -> pl.DataFrame:
    """Per tract: its people, and by group the people and their squared margin of error."""
    return tracts.select(
        *tract_figures.TRACT,
        "people",
        *(pl.sum_horizontal(*parts, ignore_nulls=False).alias(f"{group}/people") for group, parts in GROUPS.items()),
        *(tract_figures.squared_margin_of_sum(parts).alias(f"{group}/variance") for group, parts in GROUPS.items()),
    )


def _outside(group: str) -> pl.Expr:
    """Share of a tract's residents who are not of the group; null in an empty tract."""
    return tract_figures.quotient(pl.col("people") - pl.col(f"{group}/people"), pl.col("people"))


def _counted_variance(group: str) -> pl.Expr:
    """The margins of empty tracts count in counties, but not in places (racial_diversity.md, section 9)."""
    empty_in_place = (pl.col("level") == "place") & (pl.col("people") == 0)
    return pl.when(empty_in_place).then(0).otherwise(pl.col(f"{group}/variance"))


def explain(
    cell: Cell,
    *,
    year: int,
    acs_tract_race: pl.LazyFrame,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The tracts behind one figure with their composition, and the thresholds the figure had to pass."""
    group = cell.metric
    tracts = _prepared(acs_tract_race.collect())
    members, steps = members_of(cell, tracts, None if tract_place is None else tract_place.collect())
    people, afact = pl.col(f"{group}/people"), pl.col("share") / SCALE
    inputs = members.filter("has_data").select(
        *tract_figures.TRACT,
        "people",
        people.alias("group"),
        pl.col(f"{group}/variance").sqrt().alias("group_moe"),
        afact.alias("afact"),
        (afact * people).alias("weight"),
        _outside(group).alias("share_outside_group"),
    )
    counted = inputs.filter(pl.col("people") != 0)
    weight = float(counted["weight"].sum())
    weighted = float((counted["weight"] * counted["share_outside_group"]).sum())
    passed = decisions(members, people, _counted_variance(group), "people of the group")
    given = not any(d.outcome == "no figure" for d in passed)
    # The same sum in the same order as the estimate's, so that the last digit agrees.
    mean = tract_figures.weighted_means(members, {group: (_outside(group), pl.col("share") * people)})
    value = mean[group][0] if given and mean.height else None
    result = "no figure" if value is None else f"{value:.6f}"
    return Explanation(
        formula=(
            f"sum of weight x share outside the group {weighted:,.4f} / people of the group {weight:,.4f} = {result}"
        ),
        recomputed=value,
        inputs=inputs,
        tables=("acs_tract_race", *(() if cell.level == "county" else ("tract_place",))),
        steps=(*steps, Step("tracts with people", inputs.height, counted.height)),
        decisions=passed,
        notes=(
            f"Made of the counts {', '.join(GROUPS[group])} of the tables for {year - 4}-{year}.",
            "The weight of a tract is the number of the group's people in it that the area takes.",
        ),
    )


_NOT_IN_OLDER_FILE: Final = (
    *(PublishedRow(year, "place", geoid) for year in (2016, 2018) for geoid in ("0637692", "1349008")),
    *(
        PublishedRow(2023, "place", f"09{city}")
        for city in ("08000", "18430", "37000", "52000", "55990", "73000", "80000")
    ),
)

DEVIATIONS: Final = (
    Deviation(
        id="racial_diversity/older-city-file",
        scope=Scope(level="place", years=(2016, 2018)),
        kind="deviation",
        predictor="racial_diversity",
        reference="The combined place file takes an older edition of the metric's city file, made with other factors.",
        ours="The figures of the metric itself.",
        why="One metric has one set of figures.",
        effect=(
            "Places of 2016 and 2018 differ slightly (median below 1e-7, at most 0.22 for Black residents of one city "
            "and 0.025 for the other groups)."
        ),
    ),
    Deviation(
        id="racial_diversity/missing-in-older-city-file",
        kind="deviation",
        predictor="racial_diversity",
        reference="The same file lacks two places formed after 2010, and the seven cities of Connecticut in 2023.",
        ours="Figures for them.",
        why="One metric has one set of figures.",
        effect="Eleven rows with figures that the combined place file does not have.",
        rows=_NOT_IN_OLDER_FILE,
    ),
    Deviation(
        id="racial_diversity/annotated-margins",
        kind="deviation",
        predictor="racial_diversity",
        reference="Sets the code for a controlled estimate to zero in the margins of Hispanics only.",
        ours="Reads every annotation code as what it means, in all columns; a margin that is not given counts as zero.",
        why="A code such as -555555555 taken for a margin of error would make the flag meaningless.",
        effect="None in the files examined.",
        rows=(),
    ),
    Deviation(
        id="racial_diversity/margins-of-empty-tracts",
        kind="kept",
        predictor="racial_diversity",
        reference="Counts the margins of error of tracts without people in counties, but not in places.",
        ours="The same.",
        why="Published flags rest on it.",
        effect="Coefficients of variation of counties with empty tracts are a little larger; few flags, no values.",
    ),
    Deviation(
        id="racial_diversity/incomplete-places",
        kind="deviation",
        predictor="racial_diversity",
        reference="Adds up whatever tracts of a place the tables have.",
        ours="No figure for a place if the tables lack more than a tenth of its tracts.",
        why="A table may lack a state or a county whose file could not be had.",
        effect="None where the tables are whole.",
        rows=(),
    ),
)
