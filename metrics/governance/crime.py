"""Safety from crime: reported violent and property crime. Method file crime.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics import agencies as police
from metrics.agencies import AREA, PER
from metrics.agencies_deviations import former_codes, new_york, single_city, valdez_cordova
from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Explanation
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_YORK, NIBRS_CONNECTICUT, NIBRS_COVERAGE
from schemas.estimate import empty
from schemas.justice import FONDLING, PERSONS, PROPERTY
from schemas.labels import ALL

YEARS = (2021, 2022, 2023)
TABLES = ("nibrs_offenses", "nibrs_agencies", "acs_area_population")
COVERAGE: Final = "coverage_crime"


def _rate(kind: str) -> Metric:
    return Metric(
        f"rate_crime_{kind}",
        f"Reported {kind} crimes per 100,000 people",
        "rate per 100,000",
        sentence=f"In {{year}}, {{value:,.0f}} {kind} crimes per 100,000 people were reported to police in {{name}}.",
    )


PREDICTOR = Predictor(
    key="crime",
    title="Safety from crime",
    pillar="governance",
    definition="Violent crimes and property crimes reported to the police, per 100,000 residents.",
    metrics=(
        _rate("violent"),
        _rate("property"),
        Metric(
            COVERAGE,
            "Share of people served by police agencies that reported crimes",
            "share",
            maximum=1.0,
            published=False,
            sentence="In {year}, police agencies that serve {value:.0%} of people in {name} reported crimes.",
        ),
    ),
    series=(
        Series("nibrs", YEARS, TABLES, levels=("county",)),
        Series("nibrs", YEARS, (*TABLES, "county_place", "spine"), levels=("place",)),
    ),
    sources=("nibrs", "leaic", "acs_tables", "geocorr"),
    method="crime.md",
    notes=(
        NIBRS_COVERAGE,
        "Violent crime here means all offenses against persons but fondling: simple assault and intimidation count, "
        "robbery does not (it counts as property crime). It is not the FBI's definition.",
        "More agencies report each year, so a trend is crime and coverage together.",
        NEW_YORK,
        "Withheld before 2023 as implausible: New York County, Sacramento and Santa Clara Counties, and the cities of "
        "New York, Sacramento and San Jose. Loving County, Texas, is withheld in all years and Kenedy County, Texas, "
        "in 2023.",
        "An agency that serves several counties is shared out by their populations.",
    ),
    breaks=((2022, CONNECTICUT + NIBRS_CONNECTICUT),),
)

RATES: Final[dict[str, str]] = {"rate_crime_violent": "violent", "rate_crime_property": "property"}
"""Published column -> class of offenses."""

# A violent offense for each tenth resident, a property offense for each seventh.
REVIEWS: Final = police.reviews(
    {"rate_crime_violent": (10_000.0, 10_000.0), "rate_crime_property": (15_000.0, 15_000.0)}
)


@dataclass(frozen=True)
class Reproduce(police.Reproduce):
    """What the reference does and we do not, and the better way where we follow it. All false: as published here."""

    with_fondling: bool = False
    """Count fondling among violent crimes, as the FBI does with crimes against persons."""


def estimate(
    nibrs_offenses: pl.LazyFrame | None,
    nibrs_agencies: pl.LazyFrame | None,
    acs_area_population: pl.LazyFrame | None,
    county_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
) -> pl.DataFrame:
    """Violent and property crimes per 100,000 residents of counties and places, and the share of people covered.

    Without `county_place` there are rows for counties only. `n` is the number of agencies that report, `numerator` the
    offenses, `denominator` the residents; `se` is the error of counting, not of sampling. Method file crime.md,
    sections 4, 4b and 5.
    """
    if nibrs_offenses is None or nibrs_agencies is None or acs_area_population is None:
        return empty()
    return compute(
        nibrs_offenses.collect(),
        nibrs_agencies.collect(),
        acs_area_population.collect(),
        None if county_place is None else county_place.collect(),
        spine.collect(),
        year,
    )


def compute(
    offenses: pl.DataFrame,
    agencies: pl.DataFrame,
    people: pl.DataFrame,
    county_place: pl.DataFrame | None,
    spine: pl.DataFrame,
    year: int,
    reproduce: Reproduce | None = None,
) -> pl.DataFrame:
    """`estimate` on eager tables, with the switches of `reproduce`."""
    switches = reproduce or Reproduce()
    counts = counted(offenses, switches)
    parts = []
    for level, members in police.members_by_level(agencies, people, county_place, spine, year, switches).items():
        areas = police.in_universe(police.covered_areas(level, members, counts, people), spine)
        parts += [_rows(areas, metric, kind, year) for metric, kind in RATES.items()]
        parts.append(police.served_rows(areas, COVERAGE, year))
    return pl.concat(parts, how="diagonal")


def counted(offenses: pl.DataFrame, reproduce: Reproduce | None = None) -> pl.DataFrame:
    """Offenses by agency: ori, all, violent, property (section 4, steps 1 and 2)."""
    violent = (*PERSONS, *FONDLING) if reproduce is not None and reproduce.with_fondling else PERSONS
    number, offense = pl.col("offenses"), pl.col("offense")
    return (
        offenses.group_by("ori")
        .agg(
            number.sum().alias("all"),
            number.filter(offense.is_in(violent)).sum().alias("violent"),
            number.filter(offense.is_in(PROPERTY)).sum().alias("property"),
        )
        .sort("ori")
    )


def _rows(areas: pl.DataFrame, metric: str, kind: str, year: int) -> pl.DataFrame:
    """One metric as rows of `Estimate`."""
    count, people = pl.col(kind).cast(pl.Float64), pl.col("people")
    valued = areas.with_columns(police.rate(count, people, pl.col("quality")).alias("value"))
    given = pl.col("value").is_not_null()
    return valued.select(
        *AREA,
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        pl.lit(metric).alias("metric"),
        "value",
        pl.when(given).then(pl.col("quality")).alias("quality"),
        *police.described(year),
        *police.counting_error(pl.col("value"), count),
        count.alias("numerator"),
        people.cast(pl.Float64).alias("denominator"),
        police.reason(year, people).alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    nibrs_offenses: pl.LazyFrame,
    nibrs_agencies: pl.LazyFrame,
    acs_area_population: pl.LazyFrame,
    county_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The agencies behind one figure with their offenses and shares, what was lost on the way, and the thresholds."""
    offenses, agencies = nibrs_offenses.collect(), nibrs_agencies.collect()
    people = acs_area_population.collect()
    overlaps = None if county_place is None else county_place.collect()
    members = police.members_by_level(agencies, people, overlaps, spine.collect(), year)[cell.level]
    counts = counted(offenses)
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    area = police.covered_areas(cell.level, members, counts, people).filter(here)
    figures = area.row(0, named=True) if area.height else {}
    steps = police.losses(agencies, members, counts.select("ori", pl.col("all").alias("events")), "offenses")
    tables = (*TABLES, *(("county_place", "spine") if cell.level == "place" else ()))
    mine = members.filter(here)
    if cell.metric == COVERAGE:
        return police.explain_served(mine, counts["ori"], figures, tables, steps)
    kind = RATES[cell.metric]
    inputs = (
        mine.join(counts, on="ori", how="left", validate="m:1")
        .with_columns(reports=pl.col("all").is_not_null())
        .select(
            *("ori", "core_city", "population", "months", "reports", pl.col("share").alias("weight"), kind),
            (pl.col("share") * pl.col(kind)).alias("counted"),
        )
    )
    count = float(inputs["counted"].sum())
    residents = figures.get("people")
    decisions = police.decisions(figures, residents, count)
    given = not any(d.outcome == "no figure" for d in decisions)
    value = count / residents * PER if given and residents else None
    result = "no figure" if value is None else f"{value:,.4f}"
    of_kind = pl.col("offense").is_in(PERSONS if kind == "violent" else PROPERTY)
    by_kind = (
        offenses.filter(of_kind, pl.col("ori").is_in(mine["ori"].to_list()))
        .group_by("offense")
        .agg(pl.col("offenses").sum())
        .sort("offenses", "offense", descending=[True, False])
    )
    listed = ", ".join(f"{number:,} {name}" for name, number in by_kind.rows())
    return Explanation(
        formula=f"{count:,.4f} {kind} offenses / {residents or 0:,} residents x {PER:,} = {result}",
        recomputed=value,
        inputs=inputs,
        tables=tables,
        steps=steps,
        decisions=decisions,
        notes=(f"Offenses of these agencies, before sharing out: {listed or 'none'}.",),
    )


DEVIATIONS: Final = (
    former_codes("crime", YEARS),
    single_city("crime"),
    Deviation(
        id="crime/definition-of-violent",
        kind="kept",
        predictor="crime",
        reference="Counts simple assault and intimidation as violent crime, and robbery as property crime.",
        ours="The same, said in the dictionary.",
        why="It is the published definition (crimes against persons and against property).",
        effect="Rates are not comparable with the FBI's violent crime.",
    ),
    Deviation(
        id="crime/fondling",
        scope=Scope(metrics=("rate_crime_violent",)),
        kind="kept",
        predictor="crime",
        reference="Misspells fondling in its list of violent offenses, so that none is counted.",
        ours="Fondling is left out, too; a switch counts it.",
        why="Published figures rest on it.",
        effect="Violent crime is too low by the offenses of fondling: 7 of 76 in one city in 2022, 9 of 82 in 2023.",
    ),
    Deviation(
        id="crime/silent-agencies",
        kind="kept",
        predictor="crime",
        reference="A large agency that does not report leaves a rate near zero; quality counts agencies, not people.",
        ours="The same, with the share of people served by reporting agencies beside it (coverage_crime).",
        why="Published figures rest on it.",
        effect="Los Angeles, New York and San Jose in 2021, and others.",
    ),
    new_york("crime", "13,174 violent crimes"),
    valdez_cordova("crime"),
    Deviation(
        id="crime/whole-agencies-in-quality",
        scope=Scope(level="county"),
        kind="kept",
        predictor="crime",
        reference="An agency of several counties counts as a whole agency in the share of each.",
        ours="The same.",
        why="Published flags rest on it.",
        effect="Flags only.",
    ),
    Deviation(
        id="crime/single-listed-city",
        scope=Scope(level="place"),
        kind="kept",
        predictor="crime",
        reference=(
            "Drops sheriffs from cities, and credits any other agency without a city of its own to the only listed "
            "city of its county."
        ),
        ours="The same.",
        why="Published figures rest on it.",
        effect="Rates of cities that are the only listed one of their county are a little too high.",
    ),
    Deviation(
        id="crime/changing-agencies",
        kind="kept",
        predictor="crime",
        reference="Takes the agencies as listed in each year; 2022 and 2023 gain agencies.",
        ours="The same.",
        why="Agencies that never reported cannot be filled in.",
        effect="584 of 5,678 pairs of violent crime in counties more than double or halve from one year to the next.",
    ),
)
