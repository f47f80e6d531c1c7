"""Access to health services: people per primary care physician. Method file health_access.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series, Substitute
from schemas.estimate import empty
from schemas.labels import ALL
from schemas.vintages import RENAMED_COUNTIES

METRIC: Final = "ratio_population_pc_physician"
YEARS: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021)

PREDICTOR = Predictor(
    key="health_access",
    title="Access to health services",
    pillar="health",
    definition="Number of residents for each primary care physician who treats patients.",
    metrics=(
        Metric(
            METRIC,
            "People per primary care physician",
            "people per physician",
            sentence="In {year}, {name} had one primary care physician for every {value:,.0f} people.",
        ),
    ),
    series=(Series("ahrf", YEARS, ("physicians_county", "spine"), levels=("county",)),),
    sources=("ahrf", "popest"),
    method="health_access.md",
    notes=(
        "Physicians are doctors under 75 in general practice, family medicine, internal medicine and pediatrics, "
        "without residents and federal doctors.",
        "The value 0 means that an area of 2,000 people or fewer has no physician. Larger areas without one have no "
        "figure, because the source cannot tell none from not reported.",
        "Quality is weak with one physician or none, marginal with two or three: one more or less would change the "
        "figure much.",
        "The physician counts in the yearly County Health Rankings workbook come from the same source, three years "
        "later, and serve to check them. Its ratios divide by other population figures.",
    ),
    breaks=((2020, "The population is the 2020 census count; other years use estimates."),),
)

# Up to this many people, no physician at all is taken for a fact and not for a gap in the source.
SMALL: Final = 2000
# In the source's file with the population of its own; later years take the spine's.
SOURCE_POPULATION_YEAR: Final = 2014
STRONG_BELOW: Final = 0.2
MARGINAL_BELOW: Final = 0.4
WEAK_BELOW: Final = 0.6
# The change by one physician where the ratio is 0 cannot be computed; the largest there is stands for it (one of one).
LARGEST_CHANGE: Final = 0.5


@dataclass(frozen=True)
class Reproduce:
    """Which of the reference's decisions to follow where the method knows a better one (default: as we publish).

    `connecticut_2021`: leave Connecticut's eight counties out in 2021, as the reference does; we publish them.
    `codes_of_2014`: leave Oglala Lakota and Kusilvak out in 2014, when they bore other codes; we do the same. Switched
    off, they get their figures under the codes of that year.
    """

    connecticut_2021: bool = False
    codes_of_2014: bool = True


DEVIATIONS: Final = (
    Deviation(
        id="health_access/connecticut-2021",
        kind="deviation",
        predictor="health_access",
        reference="Drops Connecticut in 2021 because its universe once had planning regions in that year.",
        ours="The eight counties have their figures.",
        why="Source and universe both have the eight counties in 2021.",
        effect="8 rows of 2021 with a value where the reference has none.",
        rows=tuple(
            PublishedRow(2021, "county", f"09{county}")
            for county in ("001", "003", "005", "007", "009", "011", "013", "015")
        ),
    ),
    Deviation(
        id="health_access/population-2021",
        scope=Scope(years=(2021, 2021)),
        kind="deviation",
        predictor="health_access",
        reference="Divides the population of 2021 as a later edition of the estimates revised it.",
        ours="Divides the population of 2021 in the edition of 2021, as in the list of counties of that year.",
        why="One population per county and year in all predictors; the published file of 2024 was made with an older "
        "list of counties, and the present list has the edition of 2021.",
        effect="Most rows of 2021: the implied populations of counties with up to 20 physicians differ by 0.2 percent "
        "(median) and at most 7.7 percent; about one ratio in six is the same.",
    ),
    Deviation(
        id="health_access/codes-of-2014",
        kind="kept",
        predictor="health_access",
        reference="Carries the 2014 figures of Oglala Lakota (46102) and Kusilvak (02158) under codes valid from 2015, "
        "so that they are lost when the files are joined.",
        ours="The same: missing in 2014.",
        why="Comparability of the published series; the switch `codes_of_2014` gives both under their codes of 2014.",
        effect="2 rows of 2014 without a value (46113, 02270); one of them would have one.",
        rows=(PublishedRow(2014, "county", "46113"), PublishedRow(2014, "county", "02270")),
    ),
    Deviation(
        id="health_access/valdez-cordova-2020",
        kind="kept",
        predictor="health_access",
        reference="Drops the 11 physicians that the source still counts in Valdez-Cordova (02261) in 2020.",
        ours="The same: Chugach and Copper River are missing in 2020.",
        why="The source does not say in which of the two areas the physicians are.",
        effect="2 rows of 2020 without a value.",
        rows=(PublishedRow(2020, "county", "02063"), PublishedRow(2020, "county", "02066")),
    ),
    Deviation(
        id="health_access/joint-ratio-in-rankings",
        kind="deviation",
        predictor="health_access",
        reference="Has the physicians of Jasper (29097) and Newton, Missouri (29145).",
        ours="The same from the same file; missing where the County Health Rankings stand in for it.",
        why="The Rankings give one ratio for both counties and no counts.",
        effect="2 rows of 2019, and only with the substitute switched on.",
        rows=(PublishedRow(2019, "county", "29097"), PublishedRow(2019, "county", "29145")),
    ),
    Deviation(
        id="health_access/zero-as-value",
        kind="kept",
        predictor="health_access",
        reference="Publishes 0, graded weak, where 2,000 people or fewer have no physician.",
        ours="The same.",
        why="The figure reads as a ratio of 0 but means that there is nobody; the note says so.",
        effect="67 to 75 counties a year.",
    ),
    Deviation(
        id="health_access/populations",
        kind="kept",
        predictor="health_access",
        reference="Divides by populations of different kinds: 2014 the source's, 2020 the census count, other years "
        "that year's estimate.",
        ours="The same.",
        why="Comparability with the published series; marked as a break in 2020.",
        effect="All rows; the figures of 2019 to 2021 are not a smooth series.",
    ),
)


def estimate(physicians_county: pl.LazyFrame | None, spine: pl.LazyFrame | None, year: int) -> pl.DataFrame:
    """`Estimate` rows of one year for the counties of the spine; sample `ahrf`.

    `physicians_county`: state, geo, physicians, population. `spine`: level, state, geo, population.
    """
    if physicians_county is None or spine is None:
        return empty()
    return compute(physicians_county, spine, year, sample="ahrf")


def estimate_substitute(
    rankings_physicians_county: pl.LazyFrame | None, spine: pl.LazyFrame | None, year: int
) -> pl.DataFrame:
    """The same from the County Health Rankings; sample `chr`. Called only where `SUBSTITUTE` is switched on."""
    if rankings_physicians_county is None or spine is None:
        return empty()
    return compute(rankings_physicians_county, spine, year, sample="chr")


def compute(
    physicians_county: pl.LazyFrame,
    spine: pl.LazyFrame,
    year: int,
    *,
    sample: str,
    reproduce: Reproduce = Reproduce(),
) -> pl.DataFrame:
    """Ratio and quality per county of the spine; areas of the source that are not on it drop out."""
    return (
        _joined(physicians_county, spine, year, reproduce)
        .with_columns(_ratio().alias("value"))
        .with_columns(_quality(_change()).alias("quality"))
        .select(
            pl.lit("county").alias("level"),
            "state",
            "geo",
            pl.lit("all").alias("subgroup_type"),
            pl.lit(ALL).alias("subgroup"),
            pl.lit(METRIC).alias("metric"),
            pl.lit(sample).alias("sample"),
            "value",
            "quality",
            pl.col("physicians").alias("n"),
            pl.col("population").alias("numerator"),
            pl.col("physicians").alias("denominator"),
            (pl.lit("county-") + pl.col("state") + pl.col("geo")).alias("estimation_area"),
            pl.lit(1).alias("n_areas"),
            pl.lit(str(year)).alias("reference_period"),
            _reason().alias("reason"),
        )
        .collect()
    )


def _joined(physicians: pl.LazyFrame, spine: pl.LazyFrame, year: int, reproduce: Reproduce) -> pl.LazyFrame:
    """The counties of the spine with physicians and the population to divide: state, geo, physicians, population."""
    if year == 2014 and not reproduce.codes_of_2014:
        # The source has renamed counties under the later codes in all years.
        earlier = pl.DataFrame(
            [(later[:2], later[2:], code[2:]) for code, later in RENAMED_COUNTIES.items()],
            schema=["state", "geo", "earlier"],
            orient="row",
        ).lazy()
        physicians = physicians.join(earlier, on=["state", "geo"], how="left", validate="m:1").with_columns(
            pl.coalesce("earlier", "geo").alias("geo")
        )
    if year == 2021 and reproduce.connecticut_2021:
        physicians = physicians.filter(pl.col("state") != "09")
    counties = spine.filter(pl.col("level") == "county").select("state", "geo", "population")
    joined = counties.join(
        physicians.select("state", "geo", "physicians", pl.col("population").alias("stated")),
        on=["state", "geo"],
        how="left",
        validate="1:1",
    )
    people = "stated" if year == SOURCE_POPULATION_YEAR else "population"
    return joined.select("state", "geo", "physicians", pl.col(people).alias("population"))


def _ratio() -> pl.Expr:
    """People per physician, rounded half to even; 0 where few people have none, null where many have none."""
    physicians, population = pl.col("physicians"), pl.col("population")
    return (
        pl.when(physicians > 0)
        .then((population / physicians).round(0, mode="half_to_even"))
        .when((physicians == 0) & (population <= SMALL))
        .then(0.0)
    )


def _change() -> pl.Expr:
    """By what part one more physician would change the rounded ratio, in floating point as the method writes it."""
    change = (pl.col("population") / (pl.col("physicians") + 1) - pl.col("value")).abs() / pl.col("value")
    return pl.when(pl.col("value") == 0).then(LARGEST_CHANGE).otherwise(change)


def _quality(change: pl.Expr) -> pl.Expr:
    return (
        pl.when(change < STRONG_BELOW).then(1).when(change < MARGINAL_BELOW).then(2).when(change < WEAK_BELOW).then(3)
    )


def _reason() -> pl.Expr:
    """Why the ratio is missing or its quality lowered."""
    missing = pl.col("value").is_null()
    return (
        pl.when(missing & pl.col("physicians").is_not_null() & pl.col("population").is_null())
        .then(pl.lit("input owed"))
        .when(missing & (pl.col("physicians") == 0))
        .then(pl.lit("denominator is zero"))
        .when(missing)
        .then(pl.lit("area not covered by source"))
        .when(pl.col("quality") > 1)
        .then(pl.lit("small population"))
    )


def explain(cell: Cell, *, year: int, physicians_county: pl.LazyFrame, spine: pl.LazyFrame) -> Explanation:
    """How one county's ratio came about."""
    return _explain(cell, year, physicians_county, spine, "physicians_county")


def explain_substitute(
    cell: Cell, *, year: int, rankings_physicians_county: pl.LazyFrame, spine: pl.LazyFrame
) -> Explanation:
    """How one county's ratio came about from the County Health Rankings."""
    return _explain(cell, year, rankings_physicians_county, spine, "rankings_physicians_county")


def _explain(cell: Cell, year: int, physicians: pl.LazyFrame, spine: pl.LazyFrame, table: str) -> Explanation:
    here = (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    joined = _joined(physicians, spine, year, Reproduce())
    row = joined.filter(here).with_columns(_ratio().alias("value")).with_columns(_change().alias("change")).collect()
    listed = physicians.select(pl.len()).collect().item()
    counties = joined.select(pl.len()).collect().item()
    matched = joined.filter(pl.col("physicians").is_not_null()).select(pl.len()).collect().item()
    steps = (
        Step("areas of the source that are counties of the year, with a count", listed, matched),
        Step("counties of the year that have a count", counties, matched),
        Step("of them, this county", matched, row.filter(pl.col("physicians").is_not_null()).height),
    )
    figures = row.row(0, named=True) if row.height else dict.fromkeys(("physicians", "population", "value", "change"))
    number, people, value, change = (figures[k] for k in ("physicians", "population", "value", "change"))
    if number is None or people is None:
        formula = (
            "no count of physicians for this area, so no ratio" if number is None else "no population, so no ratio"
        )
    elif number == 0:
        outcome = "0" if people <= SMALL else "no figure"
        formula = f"no physician for {people:,} people: {outcome}"
    else:
        formula = f"{people:,} people / {number:,} physicians = {people / number:.4f}, rounded to {value:.0f}"
    decisions = [
        Decision(
            "residents",
            None if people is None else float(people),
            f"asked only where no physician is counted: up to {SMALL:,} people -> 0 and quality 3, above -> no figure",
            "the figure is 0"
            if number == 0 and value == 0
            else "no figure"
            if number == 0
            else "not asked: there are physicians",
        )
    ]
    if value is not None:
        rule = f"1 below {STRONG_BELOW}, 2 below {MARGINAL_BELOW}, 3 below {WEAK_BELOW}"
        quality = row.select(_quality(pl.col("change")).alias("q"))["q"][0]
        decisions.append(Decision("change of the ratio by one more physician", change, rule, f"quality {quality}"))
    notes = [d.effect for d in DEVIATIONS if PublishedRow(year, "county", cell.state + cell.geo) in (d.rows or ())]
    return Explanation(
        formula=formula,
        recomputed=value,
        inputs=row.select("state", "geo", "physicians", "population").with_columns(weight=pl.lit(1.0)),
        tables=(table, "spine"),
        steps=steps,
        decisions=tuple(decisions),
        notes=tuple(notes),
    )


# The County Health Rankings of 2022 hold the physicians of 2019. They are used only where somebody asks for it.
SUBSTITUTE: Final = Substitute(
    series=Series("chr", (2019,), ("rankings_physicians_county", "spine"), levels=("county",)),
    source="chr",
    note=(
        "The physicians of 2019 come from the County Health Rankings of 2022, which republish those of the Area Health "
        "Resources Files; a county without physicians cannot be told from one that is not reported."
    ),
    estimate=estimate_substitute,
    explain=explain_substitute,
)
