"""CDC WONDER mortality: injury deaths by county, hand-made exports of pooled years. Method file trauma.md.

Data years to 2020 come from the data set with bridged races (1999-2020), later ones from the data set with single races
(2018 onwards). The two are never mixed within a data year, which is why 2021 pools four years.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from schemas.health import DEATH_MARKERS, RATE_MARKERS, InjuryDeathsCounty
from schemas.labels import ALL
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.strict import Raw
from sources.wonder.accept import Acceptance, acceptances
from sources.wonder.counties import Account, check_total, count_markers, read_counties, split_marker
from sources.wonder.query import Filter, Group, Query, describe
from sources.wonder.vocabulary import OTHER_RACES, RACES

YEARS: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023)
LAST_BRIDGED: Final = 2020
FIRST_SINGLE: Final = 2018
POOL: Final = 5
BRIDGED_PAGE: Final = "https://wonder.cdc.gov/ucd-icd10.html"
SINGLE_PAGE: Final = "https://wonder.cdc.gov/ucd-icd10-expanded.html"
SUPPRESSED_UP_TO: Final = 9
# WONDER gives no rate below this many deaths.
RELIABLE_FROM: Final = 20

INJURY: Final = (
    "*U01 (Terrorism - assault (homicide))",
    "*U02 (Sequelae of terrorism)",
    "*U03 (Terrorism - intentional self-harm (suicide))",
    "V01-V99 (Transport accidents)",
    "W00-X59 (Other external causes of accidental injury)",
    "X60-X84 (Intentional self-harm)",
    "X85-Y09 (Assault)",
    "Y10-Y34 (Event of undetermined intent)",
    "Y35-Y36 (Legal intervention and operations of war)",
    "Y85 (Sequelae of transport accidents)",
    "Y86 (Sequelae of other accidents)",
    "Y87 (Sequelae of intentional self-harm, assault and events of undetermined intent)",
    "Y89 (Sequelae of other external causes)",
)
MEASURES: Final[dict[str, str]] = {
    "Deaths": "deaths",
    "Population": "population",
    "Crude Rate": "rate",
    "Crude Rate Lower 95% Confidence Interval": "lb",
    "Crude Rate Upper 95% Confidence Interval": "ub",
    "Crude Rate Standard Error": "se",
}


def _race(*choices: str) -> Filter:
    return Filter("Single Race 6", choices, offered=(*RACES, "Not Available"))


def _origin(choice: str) -> Filter:
    return Filter("Hispanic Origin", (choice,), offered=("Hispanic or Latino", "Not Hispanic or Latino", "Not Stated"))


_NOT_HISPANIC: Final = _origin("Not Hispanic or Latino")
EVERYBODY: Final = Group("all", "all", ALL, ())
RACE_GROUPS: Final = (
    Group("raceth_nhwhite", "race-ethnicity", "White, Non-Hispanic", (_race("White"), _NOT_HISPANIC)),
    Group(
        "raceth_nhblack", "race-ethnicity", "Black, Non-Hispanic", (_race("Black or African American"), _NOT_HISPANIC)
    ),
    Group("raceth_hisp", "race-ethnicity", "Hispanic", (_origin("Hispanic or Latino"),)),
    Group(
        "raceth_nhother",
        "race-ethnicity",
        "Other Races and Ethnicities",
        (_race(*OTHER_RACES), _NOT_HISPANIC),
    ),
)


def pool(year: int) -> tuple[int, int]:
    """First and last year of the deaths that a data year counts."""
    first = year - POOL + 1
    return (first if year <= LAST_BRIDGED else max(first, FIRST_SINGLE)), year


def groups(year: int) -> tuple[Group, ...]:
    """The groups of a data year; single races exist from 2018 on, so no groups before data year 2021."""
    return (EVERYBODY,) if year <= LAST_BRIDGED else (EVERYBODY, *RACE_GROUPS)


def query(year: int, group: Group) -> Query:
    """The recipe of one export."""
    bridged = year <= LAST_BRIDGED
    first, last = pool(year)
    causes = Filter("ICD-10 Codes", INJURY, "icd10", also=("UCD - ICD-10 Codes",))
    return Query(
        file=f"injury_deaths_{group.name}_{year}.txt",
        page=BRIDGED_PAGE if bridged else SINGLE_PAGE,
        data="Underlying Cause of Death, 1999-2020"
        if bridged
        else f"Underlying Cause of Death, 2018 to {year} or later",
        dataset=(
            r"Underlying Cause of Death, 1999-(?P<last>2020)"
            if bridged
            else r"Underlying Cause of Death, 2018-(?P<last>\d{4})(, Single Race)?"
        ),
        last_year=last,
        group_by=("County",),
        measures=tuple(MEASURES),
        filters=(
            Filter("Year/Month", tuple(str(y) for y in range(first, last + 1)), "years", also=("Year",)),
            causes,
            *group.filters,
        ),
        options={
            "Show Totals": ("True", "Disabled"),
            "Show Zero Values": ("True",),
            "Show Suppressed": ("True",),
            "Calculate Rates Per": ("100,000",),
        },
        # Age-adjusted columns of the older data set are not used; which standard they refer to does not matter.
        harmless=("Title", "Rate Options", "Population Option", "Standard Population"),
        unseen=(
            "Measures: Deaths, Population, Crude Rate, 95% Confidence Interval, Standard Error",
            "Precision: 1 decimal place",
            "Data Access Timeout: 10 minutes",
        ),
    )


def queries(year: int) -> Iterator[tuple[Group, Query]]:
    """The exports that a data year needs: one to 2020, five after."""
    for group in groups(year):
        yield group, query(year, group)


def _vintage(year: int) -> Vintage:
    recipes = [q for _, q in queries(year)]
    return Vintage(
        key=str(year),
        files=tuple(SourceFile(q.file, "text") for q in recipes),
        data_years=(year,),
        note=f"On {recipes[0].page}. {describe(recipes)}",
    )


SOURCE: Final = Source(
    key="wonder_deaths",
    agency="Centers for Disease Control and Prevention, National Center for Health Statistics",
    dataset="CDC WONDER, Underlying Cause of Death, by county of residence",
    citation=(
        "Centers for Disease Control and Prevention, National Center for Health Statistics, National Vital Statistics "
        "System, Mortality on CDC WONDER Online Database."
    ),
    licence=(
        "Public domain, for statistical reporting and analysis only: no attempt to identify a person, and no count of "
        "nine or fewer may be published (CDC WONDER data use restrictions)."
    ),
    redistribute=True,
    landing_page="https://wonder.cdc.gov/Deaths-by-Underlying-Cause.html",
    access=Access.PERSON,
    vintages=tuple(_vintage(year) for year in YEARS),
    recipe=(
        "Agree to the terms of use. In each query: group results by County; measures Deaths, Population, Crude Rate "
        "with its 95% Confidence Interval and Standard Error; select the choices listed for the export and leave "
        "everything else at its default (All); in section 7 check Export Results, Show Totals, Show Zero Values and "
        "Show Suppressed Values, precision 1 decimal place, timeout 10 minutes; Send. Give the downloaded file the "
        "name of the export; its footer is compared with these choices."
    ),
    usual_release="autumn of the next year",
)


def build_deaths(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `injury_deaths_county` of one data year, from its one or five exports.

    Returns the columns of `InjuryDeathsCounty`; states outside the scope are left out. Raises `OwedError` if an export
    is lacking, `InputError` if one is wrong. Notes: query dates and data sets, markers, accepted wording.
    """
    accepted = acceptances(retrieval, SOURCE)
    recipes = list(queries(year))
    files = retrieval.obtain(SOURCE, str(year), tuple(q.file for _, q in recipes))
    paths = {file.name: file.path for file in files}
    account = Account()
    first, last = pool(year)
    parts = []
    for group, recipe in recipes:
        rows = _read(paths[recipe.file], recipe, accepted, [q for _, q in recipes], account)
        parts.append(
            rows.frame.select(
                pl.col("code").str.slice(0, 2).alias("state"),
                pl.col("code").str.slice(2).alias("geo"),
                pl.lit(group.subgroup_type).alias("subgroup_type"),
                pl.lit(group.subgroup).alias("subgroup"),
                pl.lit(first, dtype=pl.Int32).alias("first_year"),
                pl.lit(last, dtype=pl.Int32).alias("last_year"),
                *list(InjuryDeathsCounty.to_schema().columns)[6:],
            )
        )
    table = pl.concat(parts)
    if retrieval.scope.states is not None:
        table = table.filter(pl.col("state").is_in(list(retrieval.scope.states)))
    account.note(retrieval.notes)
    return table.sort("subgroup_type", "subgroup", "state", "geo")


def _read(path: Path, recipe: Query, accepted: tuple[Acceptance, ...], others: list[Query], account: Account) -> Raw:
    """One export with numbers and markers apart; the rates hold up against deaths and population."""
    export = read_counties(path, recipe, MEASURES, source=SOURCE.key, accepted=accepted, others=others, account=account)
    rows = export.rows
    for column in ("rate", "lb", "ub", "se"):
        number = pl.col(column).str.contains(r"^\d+(\.\d+)?$")
        rows.refuse(
            number & ~pl.col(column).str.contains(r"^\d+\.\d$"),
            "rates must be exported with one decimal, for quality is decided by the printed figures",
            column=column,
        )
    split_marker(rows, "deaths", DEATH_MARKERS, pl.Int64)
    split_marker(rows, "population", DEATH_MARKERS, pl.Int64)
    split_marker(rows, "rate", RATE_MARKERS, pl.Float64)
    for column in ("lb", "ub", "se"):
        rows.number(column, pl.Float64, minimum=0, missing=RATE_MARKERS)
    count_markers(rows, ["deaths", "population", "rate"], account, recipe.file)
    _check_rates(rows)
    check_total(rows, "deaths", (export.total or {}).get("Deaths"), suppressed_up_to=SUPPRESSED_UP_TO)
    return rows


def _check_rates(rows: Raw) -> None:
    """A printed rate is the crude one, deaths / population * 100,000, and rests on enough deaths or on none.

    Exports of recent years print 0.0 where nobody died; older ones print "Unreliable" there, too.
    """
    printed = pl.col("rate").is_not_null()
    rows.refuse(
        printed & (pl.col("deaths") > 0) & (pl.col("deaths") < RELIABLE_FROM),
        f"a rate is printed for fewer than {RELIABLE_FROM} deaths",
        column="rate",
    )
    rows.refuse(
        printed & (pl.col("deaths").is_null() | (pl.col("population").fill_null(0) == 0)),
        "a rate is printed without deaths or population",
        column="rate",
    )
    crude = pl.col("deaths") / pl.col("population") * 100_000
    rows.refuse(
        printed & ((crude - pl.col("rate")).abs() > 0.0501),
        "the rate is not deaths by population, so it is not the crude rate",
        column="rate",
    )
    rows.refuse(printed & pl.any_horizontal(pl.col("lb", "ub", "se").is_null()), "a bound is missing", column="rate")


TABLES: Final = (
    Table(
        name="injury_deaths_county",
        title="Injury deaths and crude rates by county and group",
        description=(
            "Deaths by injury in the years of the pool, population added up over these years, and the crude rate per "
            "100,000 with its 95 % bounds and standard error as printed. Numbers and the words printed in their place "
            "stand in separate columns."
        ),
        model=InjuryDeathsCounty,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_deaths,
    ),
)
