"""Economic inclusion: people in poverty who live in high-poverty neighborhoods. Method file economic_inclusion.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import tracts as tract_figures
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS, NEW_TRACTS
from metrics.tract_account import decisions, members_of
from metrics.tracts import AREA, SCALE, Z90
from schemas.estimate import empty
from schemas.labels import ALL

SUBGROUPS: dict[str, tuple[str, ...]] = {
    # The poverty tables by race give no count of Black people without those of Hispanic origin.
    "race-ethnicity": ("Black", "White, Non-Hispanic", "Other Races and Ethnicities", "Hispanic"),
}

PREDICTOR = Predictor(
    key="economic_inclusion",
    title="Economic inclusion",
    pillar="neighborhoods",
    definition=(
        "Share of the people in poverty who live in high-poverty neighborhoods: census tracts where more than 40 "
        "percent of the residents are poor."
    ),
    metrics=(
        Metric(
            "share_poverty_exposure",
            "Share of people in poverty who live in high-poverty neighborhoods",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of people in poverty in {name} lived in a high-poverty neighborhood.",
        ),
    ),
    series=(
        Series("acs5_tables", ACS5_YEARS, ("acs_tract_poverty",), levels=("county",), subgroups=SUBGROUPS),
        Series("acs5_tables", ACS5_YEARS, ("acs_tract_poverty", "tract_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("acs_tables", "geocorr", "ct_tracts"),
    method="economic_inclusion.md",
    notes=(
        FIVE_YEARS,
        "Whether a neighborhood is high-poverty is decided for all residents together, also for the subgroups.",
        "The subgroups overlap: Black and other races include people of Hispanic origin.",
        "An area with few neighborhoods can jump between none and all when one of them crosses the 40 percent line; "
        "quality tells how well the number of poor people is known, not that.",
        "No figure where 30 or fewer people of the group are poor.",
    ),
    breaks=((2021, NEW_TRACTS), (2023, CONNECTICUT)),
)

METRIC: Final = "share_poverty_exposure"
# A tract is high-poverty if more than 4 in 10 of its people are poor; compared in integers.
HIGH_POVERTY: Final = 10 * pl.col("poor") > 4 * pl.col("people")
NOBODY: Final = "denominator is zero"

# Subgroup -> subgroup type, and the counts of poor people that make it up.
GROUPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    ALL: ("all", ("poor",)),
    "Black": ("race-ethnicity", ("poor_black",)),
    "Hispanic": ("race-ethnicity", ("poor_hispanic",)),
    "Other Races and Ethnicities": (
        "race-ethnicity",
        ("poor_aian", "poor_asian", "poor_nhpi", "poor_other_race", "poor_two_or_more"),
    ),
    "White, Non-Hispanic": ("race-ethnicity", ("poor_white_nh",)),
}


def estimate(
    acs_tract_poverty: pl.LazyFrame | None, tract_place: pl.LazyFrame | None, spine: pl.LazyFrame, year: int
) -> pl.DataFrame:
    """Share of poor people who live in high-poverty tracts, for all and by race, in counties and places.

    Without `tract_place` there are rows for counties only. `n` is the number of tracts, `denominator` the number of
    poor people of the group. Method file economic_inclusion.md, sections 4 and 5.
    """
    return compute(acs_tract_poverty, tract_place, spine, year)


def compute(
    acs_tract_poverty: pl.LazyFrame | None,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    reference_flags: bool = False,
) -> pl.DataFrame:
    """`estimate`; with `reference_flags` a place's margin of error is taken for its standard error, as published."""
    if acs_tract_poverty is None:
        return empty()
    factors = None if tract_place is None else tract_place.collect()
    members = tract_figures.allocate(_prepared(acs_tract_poverty.collect()), factors)
    share = pl.col("share")
    sums: dict[str, pl.Expr] = {}
    for group in GROUPS:
        poor = pl.col(f"{group}/poor")
        sums |= {
            f"{group}/poor": share * poor,
            f"{group}/high": share * poor * pl.col("high").cast(pl.Int64),
            f"{group}/variance": share * pl.col(f"{group}/variance"),
        }
    areas = tract_figures.in_universe(tract_figures.total(members, sums), spine.collect())
    if factors is not None:
        areas = areas.join(tract_figures.overlap(factors), on=AREA, how="left", validate="1:1")
    else:
        areas = areas.with_columns(allocation=pl.lit(None, pl.Float64))
    times = pl.when(pl.col("level") == "place").then(Z90**2).otherwise(1.0) if reference_flags else pl.lit(1.0)
    rows = pl.concat(
        areas.select(
            *AREA,
            "n",
            "coverage",
            "allocation",
            subgroup_type=pl.lit(kind),
            subgroup=pl.lit(group),
            people_10k=pl.col(f"{group}/poor"),
            high_10k=pl.col(f"{group}/high"),
            variance_10k=pl.col(f"{group}/variance") * times,
        )
        for group, (kind, _) in GROUPS.items()
    )
    value = tract_figures.quotient(pl.col("high_10k"), pl.col("people_10k"))
    graded = tract_figures.graded(rows, value, nobody=NOBODY)
    return tract_figures.described(graded, year).select(
        *AREA,
        "subgroup_type",
        "subgroup",
        "sample",
        "value",
        "quality",
        "n",
        "allocation",
        "estimation_area",
        "n_areas",
        "reference_period",
        "reason",
        metric=pl.lit(METRIC),
        numerator=pl.col("high_10k") / SCALE,
        denominator=pl.col("people_10k") / SCALE,
    )


def _prepared(tracts: pl.DataFrame) -> pl.DataFrame:
    """Per tract: people, poor, high (null if unknown), and by group its poor people and their squared margin.

    A tract without people counts with zeros.
    """
    inhabited = pl.col("people") != 0
    return tracts.select(
        *tract_figures.TRACT,
        "people",
        "poor",
        (HIGH_POVERTY & inhabited).alias("high"),
        *(
            pl.when(~inhabited).then(0).otherwise(pl.sum_horizontal(*parts, ignore_nulls=False)).alias(f"{group}/poor")
            for group, (_, parts) in GROUPS.items()
        ),
        *(
            pl.when(~inhabited).then(0).otherwise(tract_figures.squared_margin_of_sum(parts)).alias(f"{group}/variance")
            for group, (_, parts) in GROUPS.items()
        ),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    acs_tract_poverty: pl.LazyFrame,
    tract_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The tracts behind one figure, which of them are high-poverty, and the thresholds the figure had to pass."""
    _, parts = GROUPS[cell.subgroup]
    who = "poor people" if cell.subgroup == ALL else f"poor people ({cell.subgroup})"
    tracts = _prepared(acs_tract_poverty.collect())
    members, steps = members_of(cell, tracts, None if tract_place is None else tract_place.collect())
    poor, variance = pl.col(f"{cell.subgroup}/poor"), pl.col(f"{cell.subgroup}/variance")
    afact = pl.col("share") / SCALE
    inputs = members.filter("has_data").select(
        *tract_figures.TRACT,
        "people",
        "poor",
        tract_figures.quotient(pl.col("poor"), pl.col("people")).alias("poverty_rate"),
        pl.col("high").alias("high_poverty"),
        poor.alias("group"),
        variance.sqrt().alias("group_moe"),
        afact.alias("afact"),
        (afact * poor).alias("counted"),
        (afact * poor * pl.col("high").cast(pl.Int64)).alias("counted_in_high_poverty"),
    )
    everyone, exposed = (float(inputs[c].sum()) for c in ("counted", "counted_in_high_poverty"))
    passed = decisions(members, poor, variance, who)
    given = not any(d.outcome == "no figure" for d in passed) and inputs["high_poverty"].null_count() == 0
    value = exposed / everyone if given else None
    result = "no figure" if value is None else f"{value:.6f}"
    inhabited = inputs.filter(pl.col("people") != 0)
    return Explanation(
        formula=f"{exposed:,.4f} {who} in high-poverty tracts / {everyone:,.4f} {who} = {result}",
        recomputed=value,
        inputs=inputs,
        tables=("acs_tract_poverty", *(() if cell.level == "county" else ("tract_place",))),
        steps=(
            *steps,
            Step("tracts with people", inputs.height, inhabited.height),
            Step("high-poverty tracts", inhabited.height, inhabited.filter("high_poverty").height, "over 40 percent"),
        ),
        decisions=passed,
        notes=(
            f"Made of the counts {', '.join(parts)} of the tables for {year - 4}-{year}.",
            "Quality grades how well the number of poor people is known, not whether a tract is over 40 percent.",
        ),
    )


DEVIATIONS: Final = (
    Deviation(
        id="economic_inclusion/place-standard-error",
        scope=Scope(level="place"),
        kind="deviation",
        predictor="economic_inclusion",
        reference="Takes the margin of error of a place's number of poor people for its standard error.",
        ours="Divides the margin of error by 1.645 in places, as in counties.",
        why="The source's margins are at the 90 percent level; the reference's coefficients are 1.645 times too large.",
        effect="Flags of places may be one grade better than published, never worse; values are the same.",
    ),
    Deviation(
        id="economic_inclusion/south-fulton-2018",
        kind="deviation",
        predictor="economic_inclusion",
        reference="The place file has no row for South Fulton in 2018, the file by race has an empty one.",
        ours="An empty row in both.",
        why="Every geography of the year has a row.",
        effect="One more row, without a value.",
        rows=(PublishedRow(2018, "place", "1372122"),),
    ),
    Deviation(
        id="economic_inclusion/more-than-40-percent",
        kind="kept",
        predictor="economic_inclusion",
        reference="A tract is high-poverty above 40 percent; environmental quality counts 40 percent itself as well.",
        ours="The same.",
        why="Published figures rest on both definitions.",
        effect="Tracts with exactly 40 percent, few of them.",
    ),
    Deviation(
        id="economic_inclusion/flag-of-the-count",
        kind="kept",
        predictor="economic_inclusion",
        reference="Grades how well the number of poor people is known; tracts close to 40 percent do not show in it.",
        ours="The same.",
        why="It is the published definition of the flag; the explanation of a figure shows the rate of every tract.",
        effect="Counties of few tracts jump between 0 and 1 with good flags, such as 02158 in 2016, 2018 and 2021.",
    ),
    Deviation(
        id="economic_inclusion/overlapping-races",
        scope=Scope(subgroup_types=("race-ethnicity",)),
        kind="kept",
        predictor="economic_inclusion",
        reference="Black and other races include people of Hispanic origin, so that the subgroups overlap.",
        ours="The same.",
        why="The source has no poverty count of Black people without those of Hispanic origin.",
        effect="The four subgroups add up to more than all poor people, in every area.",
    ),
    Deviation(
        id="economic_inclusion/squared-margins-by-factor",
        scope=Scope(level="place"),
        kind="kept",
        predictor="economic_inclusion",
        reference="Multiplies a tract's squared margin of error by its factor for the place, not by its square.",
        ours="The same.",
        why="It errs on the side of caution: the margin of a part of a tract is not known.",
        effect="Flags of places with many divided tracts may be a grade worse than with squared factors.",
    ),
    Deviation(
        id="economic_inclusion/incomplete-places",
        kind="deviation",
        predictor="economic_inclusion",
        reference="Adds up whatever tracts of a place the tables have.",
        ours="No figure for a place if the tables lack more than a tenth of its tracts.",
        why="A table may lack a state or a county whose file could not be had.",
        effect="None where the tables are whole.",
        rows=(),
    ),
)
