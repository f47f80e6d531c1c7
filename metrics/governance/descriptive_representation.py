"""Descriptive representation: residents by race and ethnicity. Method file descriptive_representation.md."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.deviation import Deviation
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import ACS5_YEARS, CONNECTICUT, FIVE_YEARS
from metrics.tracts import AREA, Z90, described, margin_of_proportion, quotient, squared_margin_of_sum
from schemas.estimate import empty
from schemas.labels import ALL


def _share(group: str, words: str) -> Metric:
    return Metric(
        f"share_desc_rep_{group}",
        f"Share of residents who are {words}",
        "share",
        maximum=1.0,
        sentence=f"In {{year}}, {{value:.1%}} of the residents of {{name}} were {words}.",
    )


PREDICTOR = Predictor(
    key="descriptive_representation",
    title="Descriptive representation",
    pillar="governance",
    definition=(
        "Share of residents who belong to each racial or ethnic group, to be set against the same group's share of "
        "local elected officials, which communities gather themselves."
    ),
    metrics=(
        _share("other", "of other races and not Hispanic"),
        _share("black_nonhispanic", "Black and not Hispanic"),
        _share("hispanic", "Hispanic"),
        _share("white_nonhispanic", "White and not Hispanic"),
    ),
    series=(
        Series("acs5_tables", ACS5_YEARS, ("acs_county_race",), levels=("county",)),
        Series("acs5_tables", ACS5_YEARS, ("acs_place_race",), levels=("place",)),
    ),
    sources=("acs_tables",),
    method="descriptive_representation.md",
    notes=(
        FIVE_YEARS,
        "These are shares of residents only; no national source counts elected officials by race and ethnicity.",
        "Every figure is graded strong, even in very small counties, where the survey's margin of error is wide.",
        "In Bridgeport, Connecticut, the Black share falls from 32.1 to 19.5 percent in the source between 2021 and "
        "2023.",
    ),
    breaks=((2023, CONNECTICUT),),
)

# Published column -> the counts of residents that make up the group. The four groups are disjoint and hold everybody.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "share_desc_rep_other": ("aian_nh", "asian_nh", "nhpi_nh", "other_race_nh", "two_or_more_nh"),
    "share_desc_rep_black_nonhispanic": ("black_nh",),
    "share_desc_rep_hispanic": ("hispanic",),
    "share_desc_rep_white_nonhispanic": ("white_nh",),
}
WHOSE: Final[dict[str, str]] = {
    "aian_nh": "American Indian and Alaska Native, not Hispanic",
    "asian_nh": "Asian, not Hispanic",
    "nhpi_nh": "Pacific Islander, not Hispanic",
    "other_race_nh": "some other race, not Hispanic",
    "two_or_more_nh": "two or more races, not Hispanic",
    "black_nh": "Black, not Hispanic",
    "hispanic": "Hispanic, of any race",
    "white_nh": "White, not Hispanic",
    "people": "all residents",
}
"""The counts in words, for accounts of single figures."""


def estimate(
    acs_county_race: pl.LazyFrame | None, acs_place_race: pl.LazyFrame | None, spine: pl.LazyFrame, year: int
) -> pl.DataFrame:
    """Shares of residents by race and Hispanic origin, in counties and places.

    Quality is 1 everywhere and nothing is withheld (the method's rule); `se` and `cv` tell how precise a share is.
    Without one of the tables there are no rows of its level. Method file descriptive_representation.md, section 4.
    """
    given = {"county": acs_county_race, "place": acs_place_race}
    levels = [_shares(level, table, spine) for level, table in given.items() if table is not None]
    return described(pl.concat(levels), year) if levels else empty()


def _shares(level: str, table: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    areas = table.collect().with_columns(pl.lit(level).alias("level"), has_data=pl.lit(True))
    wanted = spine.filter(pl.col("level") == level).select(AREA).collect()
    areas = wanted.join(areas, on=AREA, how="full", coalesce=True, validate="1:1").sort(AREA)
    return pl.concat(areas.select(*AREA, *_share_of(group, parts)) for group, parts in GROUPS.items())


def _share_of(group: str, parts: tuple[str, ...]) -> tuple[pl.Expr, ...]:
    members = pl.sum_horizontal(*parts, ignore_nulls=False)
    value = quotient(members, pl.col("people"))
    se = _standard_error(parts)
    reason = (
        pl.when(pl.col("has_data").is_null())
        .then(pl.lit("input owed"))
        .when(pl.col("people") == 0)
        .then(pl.lit("denominator is zero"))
        .when(value.is_null())
        .then(pl.lit("unreliable at source"))
    )
    return (
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        pl.lit(group).alias("metric"),
        value.alias("value"),
        pl.when(value.is_not_null()).then(pl.lit(1, pl.Int8)).alias("quality"),
        se.alias("se"),
        quotient(se, value).alias("cv"),
        members.cast(pl.Float64).alias("numerator"),
        pl.col("people").cast(pl.Float64).alias("denominator"),
        reason.alias("reason"),
    )


def _standard_error(parts: tuple[str, ...]) -> pl.Expr:
    """Standard error of a group's share of all people (Census Bureau's formula for proportions)."""
    members = pl.sum_horizontal(*parts, ignore_nulls=False)
    margin = squared_margin_of_sum(parts).sqrt()
    return margin_of_proportion(members, margin, pl.col("people"), pl.col("people_moe").fill_null(0)) / Z90


def explain(
    cell: Cell,
    *,
    year: int,
    acs_county_race: pl.LazyFrame | None,
    acs_place_race: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The counts of the area that the share is made of, with their margins of error."""
    name, table = ("acs_county_race", acs_county_race) if cell.level == "county" else ("acs_place_race", acs_place_race)
    parts = GROUPS[cell.metric]
    whole = pl.DataFrame(schema={"state": pl.String, "geo": pl.String}) if table is None else table.collect()
    in_state = whole.filter(pl.col("state") == cell.state)
    row = in_state.filter(pl.col("geo") == cell.geo)
    columns = (*parts, "people")
    inputs = pl.DataFrame(
        {
            "whose": [WHOSE[c] for c in columns],
            "people": [row[c].first() if row.height else None for c in columns],
            "margin_of_error": [row[f"{c}_moe"].first() if row.height else None for c in columns],
            "weight": [1.0] * len(columns),
        },
        schema_overrides={"people": pl.Int64, "margin_of_error": pl.Int64},
    )
    counts = inputs["people"].to_list()
    people = counts[-1]
    group = None if None in counts else sum(counts[:-1])
    value = None if group is None or not people else group / people
    result = "no figure" if value is None else f"{value:.6f}"
    return Explanation(
        formula=f"({' + '.join(f'{c:,}' if c is not None else 'not given' for c in counts[:-1])}) / "
        f"{people if people is None else format(people, ',')} = {result}",
        recomputed=value,
        inputs=inputs,
        tables=(name,),
        steps=(
            Step(f"{cell.level} rows of the table, those of the state", whole.height, in_state.height),
            Step(f"rows of the {cell.level}", in_state.height, row.height),
        ),
        decisions=_decisions(row, parts, value),
        notes=(
            f"Made of the counts {', '.join(parts)} of the tables for {year - 4}-{year}.",
            "The method grades every figure 1; standard error and coefficient of variation stand beside it.",
        ),
    )


def _decisions(row: pl.DataFrame, parts: tuple[str, ...], value: float | None) -> tuple[Decision, ...]:
    """What decides between a figure and none, and the figures that a grade would rest on."""
    people = row.select(pl.col("people").cast(pl.Float64)).item() if row.height else None
    found = [
        Decision(
            "people of the area",
            people,
            "none, or a count the agency does not give -> missing",
            "the value is missing" if value is None else "the value stands",
        )
    ]
    if value is not None:
        cv = row.select(quotient(_standard_error(parts), pl.lit(value))).item()
        found.append(Decision("coefficient of variation of the share", cv, "not graded by it: always 1", "quality 1"))
    return tuple(found)


DEVIATIONS: Final = (
    Deviation(
        id="descriptive_representation/always-strong",
        kind="kept",
        predictor="descriptive_representation",
        reference="Grades every figure 1, also in counties of a few hundred people.",
        ours="The same; the long file gives the standard error and the coefficient of variation beside it.",
        why="Published flags rest on it.",
        effect="Flags of small counties and groups promise more than the survey can keep.",
    ),
)
