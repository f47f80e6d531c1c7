"""CDC WONDER natality: births by mother's county, 18 hand-made exports a year. Method file neonatal_health.md.

Counties of fewer than 100,000 people are not named; each state has one row for all of them, "Unidentified Counties"
with the code SS999.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from schemas.health import BIRTH_MARKERS, BirthsCounty
from schemas.labels import ALL
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.strict import Raw
from sources.wonder.accept import Acceptance, acceptances
from sources.wonder.counties import Account, check_total, count_markers, read_counties, split_marker
from sources.wonder.query import Filter, Group, Query, describe
from sources.wonder.vocabulary import OTHER_RACES, RACES

YEARS: Final = (2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023)
PAGE: Final = "https://wonder.cdc.gov/natality-current.html"
SUPPRESSED_UP_TO: Final = 9
POOL: Final = "999"
SUPPRESSED_WORD: Final = "Suppressed"
MISSING_WORD: Final = "Missing County"
NOT_LISTED: Final = "Not Listed"
MEASURE: Final = "Births"

LOW_WEIGHTS: Final = (
    "499 grams or less",
    "500 - 999 grams",
    "1000 - 1499 grams",
    "1500 - 1999 grams",
    "2000 - 2499 grams",
)
KNOWN_WEIGHTS: Final = (
    *LOW_WEIGHTS,
    "2500 - 2999 grams",
    "3000 - 3499 grams",
    "3500 - 3999 grams",
    "4000 - 4499 grams",
    "4500 - 4999 grams",
    "5000 - 8165 grams",
)
LESS_THAN_HIGH_SCHOOL: Final = ("8th grade or less", "9th through 12th grade with no diploma")
HIGH_SCHOOL: Final = ("High school graduate or GED completed",)
SOME_COLLEGE: Final = ("Some college credit, but not a degree", "Associate degree (AA, AS)")
BACHELOR: Final = (
    "Bachelor's degree (BA, AB, BS)",
    "Master's degree (MA, MS, MEng, MEd, MSW, MBA)",
    "Doctorate (PhD, EdD) or Professional Degree (MD, DDS, DVM, LLB, JD)",
)


def _weight(choices: tuple[str, ...], words: str) -> Filter:
    offered = (*KNOWN_WEIGHTS, "Unknown or Not Stated", "Not Stated")
    return Filter("Infant Birth Weight 12", choices, offered=offered, words=words)


def _race(*choices: str) -> Filter:
    offered = (*RACES, "Not Reported", "Not Available", "Unknown or Not Stated")
    return Filter("Mother's Single Race", choices, offered=offered, also=("Mother's Single Race 6",))


def _origin(choice: str) -> Filter:
    offered = ("Hispanic or Latino", "Not Hispanic or Latino", "Unknown or Not Stated")
    return Filter("Mother's Hispanic Origin", (choice,), offered=offered)


def _education(choices: tuple[str, ...]) -> Filter:
    offered = (*LESS_THAN_HIGH_SCHOOL, *HIGH_SCHOOL, *SOME_COLLEGE, *BACHELOR, "Unknown or Not Stated", "Excluded")
    return Filter("Mother's Education", choices, offered=offered)


_NOT_HISPANIC: Final = _origin("Not Hispanic or Latino")
GROUPS: Final = (
    Group("", "all", ALL, ()),
    Group("race_nhwhite_", "race-ethnicity", "White, Non-Hispanic", (_race("White"), _NOT_HISPANIC)),
    Group(
        "race_nhblack_", "race-ethnicity", "Black, Non-Hispanic", (_race("Black or African American"), _NOT_HISPANIC)
    ),
    Group("race_hisp_", "race-ethnicity", "Hispanic", (_origin("Hispanic or Latino"),)),
    Group(
        "race_nhother_",
        "race-ethnicity",
        "Other Races and Ethnicities",
        (_race(*OTHER_RACES), _NOT_HISPANIC),
    ),
    Group("momed_lths_", "mothers-education", "Less than High School", (_education(LESS_THAN_HIGH_SCHOOL),)),
    Group("momed_hs_", "mothers-education", "GED/High School Degree", (_education(HIGH_SCHOOL),)),
    Group("momed_somecol_", "mothers-education", "Some College", (_education(SOME_COLLEGE),)),
    Group("momed_baplus_", "mothers-education", "College Degree or Higher", (_education(BACHELOR),)),
)
WEIGHTS: Final[dict[str, Filter]] = {
    "all": _weight(KNOWN_WEIGHTS, "every class except All Weights and Unknown or Not Stated"),
    "lbw": _weight(LOW_WEIGHTS, "the five classes below 2500 grams (499 grams or less ... 2000 - 2499 grams)"),
}


def query(year: int, group: Group, weight: str) -> Query:
    """The recipe of one export; `weight` is "all" (every known weight) or "lbw" (under 2,500 grams)."""
    return Query(
        file=f"{weight}_births_{group.name}{year}.txt",
        page=PAGE,
        data=f"Natality, 2007 to {year} or later",
        dataset=r"Natality, 2007-(?P<last>\d{4})",
        last_year=year,
        group_by=("County", "County of Residence"),
        measures=(MEASURE,),
        filters=(Filter("Year", (str(year),), "years"), WEIGHTS[weight], *group.filters),
        options={
            "Show Totals": ("True", "Disabled"),
            "Show Zero Values": ("True",),
            "Show Suppressed": ("True",),
        },
        harmless=("Title", "Calculate Rates Per", "Rate Options", "Population Option"),
        unseen=("Measures: Births", "Export Results", "Precision: 2 decimal places", "Data Access Timeout: 10 minutes"),
    )


def queries(year: int) -> Iterator[tuple[Group, str, Query]]:
    """The 18 exports that a data year needs."""
    for group in GROUPS:
        for weight in WEIGHTS:
            yield group, weight, query(year, group, weight)


def _vintage(year: int) -> Vintage:
    recipes = [q for _, _, q in queries(year)]
    return Vintage(
        key=str(year),
        files=tuple(SourceFile(q.file, "text") for q in recipes),
        data_years=(year,),
        note=describe(recipes),
    )


SOURCE: Final = Source(
    key="wonder_natality",
    agency="Centers for Disease Control and Prevention, National Center for Health Statistics",
    dataset="CDC WONDER, Natality 2007 to the present, by county of residence",
    citation=(
        "Centers for Disease Control and Prevention, National Center for Health Statistics, National Vital Statistics "
        "System, Natality on CDC WONDER Online Database."
    ),
    licence=(
        "Public domain, for statistical reporting and analysis only: no attempt to identify a person, and no count of "
        "nine or fewer may be published (CDC WONDER data use restrictions)."
    ),
    redistribute=True,
    landing_page=PAGE,
    access=Access.PERSON,
    vintages=tuple(_vintage(year) for year in YEARS),
    recipe=(
        "Agree to the terms of use. In each query: group results by County, measure Births; select the choices listed "
        "for the export and leave everything else at its default (All); in section 6 check Export Results, Show "
        "Totals, Show Zero Values and Show Suppressed Values, precision 2 decimal places, timeout 10 minutes; Send. "
        "Give the downloaded file the name of the export; its footer is compared with these choices."
    ),
    usual_release="autumn of the next year",
)


def build_births(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `births_county` of one year, from its 18 exports.

    Returns state, geo (999: a state's pool), subgroup_type, subgroup, births, births_marker, low_weight,
    low_weight_marker; states outside the scope are left out. Raises `OwedError` if an export is lacking, `InputError`
    if one is wrong. Notes: query dates and data sets, markers, accepted wording, counties in one export of a pair only.
    """
    accepted = acceptances(retrieval, SOURCE)
    recipes = list(queries(year))
    files = retrieval.obtain(SOURCE, str(year), tuple(q.file for _, _, q in recipes))
    paths = {file.name: file.path for file in files}
    account = Account()
    parts: dict[str, list[pl.DataFrame]] = {weight: [] for weight in WEIGHTS}
    for group, weight, recipe in recipes:
        rows = _read(paths[recipe.file], recipe, accepted, [q for _, _, q in recipes], account)
        labels = {"subgroup_type": group.subgroup_type, "subgroup": group.subgroup}
        parts[weight].append(rows.frame.with_columns(pl.lit(text).alias(name) for name, text in labels.items()))
    table = _pair(pl.concat(parts["all"]), pl.concat(parts["lbw"]))
    one_sided = table.filter((pl.col("births_marker") == NOT_LISTED) | (pl.col("low_weight_marker") == NOT_LISTED))
    if one_sided.height:
        retrieval.notes["counties in one export of a pair only"] = one_sided.height
    if retrieval.scope.states is not None:
        table = table.filter(pl.col("state").is_in(list(retrieval.scope.states)))
    account.note(retrieval.notes)
    return table


def _read(path: Path, recipe: Query, accepted: tuple[Acceptance, ...], others: list[Query], account: Account) -> Raw:
    """One export as code, births, births_marker."""
    export = read_counties(
        path, recipe, {MEASURE: "births"}, source=SOURCE.key, accepted=accepted, others=others, account=account
    )
    rows = split_marker(export.rows, "births", [m for m in BIRTH_MARKERS if m != NOT_LISTED], pl.Int64)
    count_markers(rows, ["births"], account, recipe.file)
    check_total(rows, "births", (export.total or {}).get(MEASURE), suppressed_up_to=SUPPRESSED_UP_TO)
    return rows


def _pair(every: pl.DataFrame, low: pl.DataFrame) -> pl.DataFrame:
    """All births beside low-weight births. A county that only one of the two exports lists is marked in the other."""
    key = ["code", "subgroup_type", "subgroup"]
    figures = ["births", "births_marker"]
    low = low.select(*key, *(pl.col(c).alias(c.replace("births", "low_weight")) for c in figures))
    joined = every.select(*key, *figures).join(low, on=key, how="full", coalesce=True, validate="1:1")
    absent = [
        pl.when(pl.col(c).is_null() & pl.col(f"{c}_marker").is_null())
        .then(pl.lit(NOT_LISTED))
        .otherwise(pl.col(f"{c}_marker"))
        .alias(f"{c}_marker")
        for c in ("births", "low_weight")
    ]
    return (
        joined.with_columns(
            *absent, pl.col("code").str.slice(0, 2).alias("state"), pl.col("code").str.slice(2).alias("geo")
        )
        .select(list(BirthsCounty.to_schema().columns))
        .sort("subgroup_type", "subgroup", "state", "geo")
    )


TABLES: Final = (
    Table(
        name="births_county",
        title="Births and low-weight births by county and group",
        description=(
            "Births of known weight, and births under 2,500 grams, by county of the mother's residence. Only counties "
            "of 100,000 people or more are named; code 999 is the pool of a state's other counties. Numbers and the "
            "words printed in their place stand in separate columns."
        ),
        model=BirthsCounty,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_births,
    ),
)
