"""Just policing: juvenile arrests. Method file policing.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics import agencies as police
from metrics.agencies import AREA, FEWEST_PEOPLE, PER
from metrics.agencies_deviations import former_codes, new_york, single_city, valdez_cordova
from metrics.deviation import Deviation, Scope
from metrics.explanation import Cell, Decision, Explanation
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_YORK, NIBRS_CONNECTICUT, NIBRS_COVERAGE
from schemas.estimate import empty
from schemas.justice import HISPANIC
from schemas.labels import ALL, GENDER, JUVENILE_AGE

YEARS = (2021, 2022, 2023)
TABLES = ("nibrs_arrests", "nibrs_agencies", "acs_area_age")
RATE: Final = "rate_juv_arrest"
COVERAGE: Final = "coverage_juv_arrest"
SUBGROUPS: dict[str, tuple[str, ...]] = {
    # Race as the police note it, whether Hispanic or not.
    "race-ethnicity": ("Black", "White", "Other Races and Ethnicities", "Hispanic"),
    "gender": GENDER,
    "age": JUVENILE_AGE,
}

PREDICTOR = Predictor(
    key="policing",
    title="Just policing",
    pillar="governance",
    definition="Arrests of young people ages 10 to 17 for any offense, per 100,000 residents of those ages.",
    metrics=(
        Metric(
            RATE,
            "Juvenile arrests per 100,000 people ages 10 to 17",
            "rate per 100,000",
            sentence="In {year}, {name} had {value:,.0f} arrests per 100,000 young people ages 10 to 17.",
        ),
        Metric(
            COVERAGE,
            "Share of people served by police agencies that reported arrests",
            "share",
            maximum=1.0,
            published=False,
            sentence="In {year}, police agencies that serve {value:.0%} of people in {name} reported arrests.",
        ),
    ),
    series=(
        Series("nibrs", YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS, metrics=(RATE,)),
        Series(
            "nibrs", YEARS, (*TABLES, "county_place", "spine"), levels=("place",), subgroups=SUBGROUPS, metrics=(RATE,)
        ),
        Series("nibrs", YEARS, TABLES, levels=("county",), metrics=(COVERAGE,)),
        Series("nibrs", YEARS, (*TABLES, "county_place", "spine"), levels=("place",), metrics=(COVERAGE,)),
    ),
    sources=("nibrs", "leaic", "acs_tables", "geocorr"),
    method="policing.md",
    notes=(
        NIBRS_COVERAGE,
        "Arrests, citations and summonses are counted, not people, so a rate can exceed 100,000.",
        "Black and White are the race alone and overlap with Hispanic. Other races are understated: the survey counts "
        "people of some other or several races, the police do not.",
        "Ethnicity is missing on part of the arrest records, so the figures for Hispanic young people are too low.",
        "A rate needs only 30 young people of the group in the area; rates on so few are mostly chance.",
        NEW_YORK,
        "Withheld before 2023 as implausible: New York County, Sacramento and Santa Clara Counties, and the cities of "
        "New York, Sacramento and San Jose.",
    ),
    breaks=((2022, CONNECTICUT + NIBRS_CONNECTICUT),),
)

# An arrest for each fifth young person; in a group, more arrests than young people.
REVIEWS: Final = police.reviews({RATE: (20_000.0, 100_000.0)})

_AGES: Final = ("male_10_14", "male_15_17", "female_10_14", "female_15_17")


@dataclass(frozen=True)
class Group:
    """A published group: which juvenile arrests are its own, and its residents (columns added, columns taken away)."""

    kind: str
    label: str
    column: str
    arrests: pl.Expr
    residents: tuple[str, ...]
    without: tuple[str, ...] = ()

    @property
    def people(self) -> pl.Expr:
        """Residents of the group; null if a count is."""
        added = pl.sum_horizontal(*self.residents, ignore_nulls=False)
        return added - pl.sum_horizontal(*self.without, ignore_nulls=False) if self.without else added


def _of(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{age}" for age in _AGES)


_RACE, _AGE = pl.col("race"), pl.col("age")
_OTHER_RACES: Final = ("asian", "native hawaiian or other pacific islander", "american indian/alaskan native")
GROUPS: Final = (
    Group("all", ALL, "everyone", pl.lit(True), _AGES),
    Group("race-ethnicity", "Black", "black", _RACE == "black", _of("black")),
    Group("race-ethnicity", "White", "white", _RACE == "white", _of("white")),
    # Everybody but White and Black people: other races and, in the survey alone, some other and several races.
    Group(
        "race-ethnicity",
        "Other Races and Ethnicities",
        "other",
        _RACE.is_in(_OTHER_RACES),
        _AGES,
        without=(*_of("white"), *_of("black")),
    ),
    Group("race-ethnicity", "Hispanic", "hispanic", pl.col("ethnicity") == HISPANIC, _of("hispanic")),
    Group("gender", "Male", "male", pl.col("sex") == "male", _AGES[:2]),
    Group("gender", "Female", "female", pl.col("sex") == "female", _AGES[2:]),
    Group("age", "Age 10 to 14", "age_10_14", _AGE <= 14, (_AGES[0], _AGES[2])),
    Group("age", "Age 15 to 17", "age_15_17", _AGE >= 15, (_AGES[1], _AGES[3])),
)
"""All published groups (policing.md, section 4)."""


@dataclass(frozen=True)
class Reproduce(police.Reproduce):
    """What the reference does and we do not. All false: our own way."""

    lost_ethnicity: bool = False
    """Leave out the Hispanic arrests of every agency that has one juvenile arrest without ethnicity."""


def estimate(
    nibrs_arrests: pl.LazyFrame | None,
    nibrs_agencies: pl.LazyFrame | None,
    acs_area_age: pl.LazyFrame | None,
    county_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
) -> pl.DataFrame:
    """Juvenile arrests per 100,000 residents ages 10 to 17 of counties and places, by race, sex and age.

    Without `county_place` there are rows for counties only. `n` is the number of agencies that report arrests of any
    age, `numerator` the arrests, `denominator` the residents of the group; `se` is the error of counting, not of
    sampling. Method file policing.md, sections 4 and 5.
    """
    if nibrs_arrests is None or nibrs_agencies is None or acs_area_age is None:
        return empty()
    return compute(
        nibrs_arrests.collect(),
        nibrs_agencies.collect(),
        acs_area_age.collect(),
        None if county_place is None else county_place.collect(),
        spine.collect(),
        year,
    )


def compute(
    arrests: pl.DataFrame,
    agencies: pl.DataFrame,
    people: pl.DataFrame,
    county_place: pl.DataFrame | None,
    spine: pl.DataFrame,
    year: int,
    reproduce: Reproduce | None = None,
) -> pl.DataFrame:
    """`estimate` on eager tables, with the switches of `reproduce`."""
    switches = reproduce or Reproduce()
    counts = counted(arrests, switches)
    parts = []
    for level, members in police.members_by_level(agencies, people, county_place, spine, year, switches).items():
        areas = police.in_universe(police.covered_areas(level, members, counts, people), spine)
        parts += [_rows(areas, group, year) for group in GROUPS]
        parts.append(police.served_rows(areas, COVERAGE, year))
    return pl.concat(parts, how="diagonal")


def counted(arrests: pl.DataFrame, reproduce: Reproduce | None = None) -> pl.DataFrame:
    """Arrests by agency: ori, all (any age), and juvenile arrests in a column per group of `GROUPS`."""
    number, juvenile = pl.col("arrests"), _AGE.is_not_null()
    counts = arrests.group_by("ori").agg(
        number.sum().alias("all"),
        *(number.filter(juvenile & group.arrests).sum().alias(group.column) for group in GROUPS),
        (juvenile & pl.col("ethnicity").is_null()).any().alias("lost"),
    )
    if reproduce is not None and reproduce.lost_ethnicity:
        counts = counts.with_columns(pl.when(~pl.col("lost")).then(pl.col("hispanic")).alias("hispanic"))
    return counts.drop("lost").sort("ori")


def _rows(areas: pl.DataFrame, group: Group, year: int) -> pl.DataFrame:
    """One group as rows of `Estimate`. Without a rate for all there is none for a group."""
    count = pl.col(group.column).cast(pl.Float64)
    sized = areas.with_columns(group.people.alias("group"), GROUPS[0].people.alias("juveniles"))
    enough = pl.col("juveniles") >= FEWEST_PEOPLE
    value = pl.when(enough).then(police.rate(count, pl.col("group"), pl.col("quality")))
    valued = sized.with_columns(value.alias("value"))
    # Too few juveniles in all leave too few in a group.
    smaller = pl.when(enough).then(pl.col("group")).otherwise(pl.min_horizontal("group", "juveniles"))
    return valued.select(
        *AREA,
        pl.lit(group.kind).alias("subgroup_type"),
        pl.lit(group.label).alias("subgroup"),
        pl.lit(RATE).alias("metric"),
        "value",
        pl.when(pl.col("value").is_not_null()).then(pl.col("quality")).alias("quality"),
        *police.described(year),
        *police.counting_error(pl.col("value"), count),
        count.alias("numerator"),
        pl.col("group").cast(pl.Float64).alias("denominator"),
        police.reason(year, smaller, group=group.kind != "all").alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    nibrs_arrests: pl.LazyFrame,
    nibrs_agencies: pl.LazyFrame,
    acs_area_age: pl.LazyFrame,
    county_place: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The agencies behind one figure with their arrests and shares, what was lost on the way, and the thresholds."""
    arrests, agencies, people = nibrs_arrests.collect(), nibrs_agencies.collect(), acs_area_age.collect()
    overlaps = None if county_place is None else county_place.collect()
    members = police.members_by_level(agencies, people, overlaps, spine.collect(), year)[cell.level]
    counts = counted(arrests)
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    area = police.covered_areas(cell.level, members, counts, people).filter(here)
    figures = area.row(0, named=True) if area.height else {}
    mine = members.filter(here)
    tables = (*TABLES, *(("county_place", "spine") if cell.level == "place" else ()))
    steps = police.losses(agencies, members, counts.select("ori", events="everyone"), "juvenile arrests")
    if cell.metric == COVERAGE:
        return police.explain_served(mine, counts["ori"], figures, tables, steps)
    group = next(g for g in GROUPS if (g.kind, g.label) == (cell.subgroup_type, cell.subgroup))
    inputs = (
        mine.join(counts, on="ori", how="left", validate="m:1")
        .with_columns(reports=pl.col("all").is_not_null())
        .select(
            *("ori", "core_city", "population", "months", "reports", pl.col("share").alias("weight")),
            pl.col("all").alias("arrests_any_age"),
            pl.col(group.column).alias("arrests"),
            (pl.col("share") * pl.col(group.column)).alias("counted"),
        )
    )
    count = float(inputs["counted"].sum())
    sizes = area.select(group.people.alias("group"), GROUPS[0].people.alias("juveniles"))
    sized: dict[str, int | None] = sizes.row(0, named=True) if area.height else {}
    residents, juveniles = sized.get("group"), sized.get("juveniles")
    decisions = [*police.decisions(figures, residents, count)]
    if group.kind != "all":
        enough = juveniles is not None and juveniles >= FEWEST_PEOPLE
        passed = "passed" if enough else "no figure"
        decisions.append(Decision("all residents ages 10 to 17", juveniles, f"at least {FEWEST_PEOPLE}", passed))
    given = not any(d.outcome == "no figure" for d in decisions)
    value = count / residents * PER if given and residents else None
    result = "no figure" if value is None else f"{value:,.4f}"
    return Explanation(
        formula=f"{count:,.4f} juvenile arrests / {residents or 0:,} residents of the group x {PER:,} = {result}",
        recomputed=value,
        inputs=inputs,
        tables=tables,
        steps=steps,
        decisions=tuple(decisions),
        notes=("An agency reports if it has arrests of any age.",),
    )


_EVERY_GROUP: Final = tuple(group.label for group in GROUPS)

DEVIATIONS: Final = (
    Deviation(
        id="policing/lost-ethnicity",
        scope=Scope(subgroup_types=("race-ethnicity",)),
        kind="deviation",
        predictor="policing",
        reference="One juvenile arrest without ethnicity makes the agency's Hispanic arrests missing, then nothing.",
        ours="Arrests noted as Hispanic count, whatever other records lack; a switch loses them again.",
        why="A sum must not lose what is known. Records without ethnicity are no evidence either way.",
        effect=(
            "Rates of Hispanic juveniles rise or stay, in no place fall: 51 percent of counties have exactly 0 in 2021 "
            "in the reference, against 17 percent for White juveniles."
        ),
    ),
    former_codes("policing", YEARS, _EVERY_GROUP),
    single_city("policing", _EVERY_GROUP),
    Deviation(
        id="policing/other-races",
        scope=Scope(subgroup_types=("race-ethnicity",)),
        kind="kept",
        predictor="policing",
        reference="Divides arrests of Asian, Pacific Islander and American Indian juveniles by residents of all other "
        "races, some other race and several races among them.",
        ours="The same, said in the dictionary.",
        why="The police have no codes for some other or several races.",
        effect="Rates of other races are too low; the median county has 0.",
    ),
    Deviation(
        id="policing/small-groups",
        scope=Scope(subgroup_types=("race-ethnicity",)),
        kind="kept",
        predictor="policing",
        reference="Gives a rate for every group of 30 juveniles, with the quality of the whole area.",
        ours="The same; the error of counting stands beside the rate (cv).",
        why="Published figures rest on it.",
        effect="Rates of up to 248,207 per 100,000 (Black juveniles, 2023).",
    ),
    new_york("policing", "7,515 arrests"),
    valdez_cordova("policing"),
    Deviation(
        id="policing/state-police",
        kind="kept",
        predictor="policing",
        reference="Arrests by the state police, and by agencies without a county, count nowhere.",
        ours="The same; the trace of a figure says how many arrests that is.",
        why="The list does not say where the arrests were made.",
        effect="Rates are too low where the state police patrols.",
    ),
)
