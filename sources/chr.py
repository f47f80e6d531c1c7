"""County Health Rankings: yearly workbooks that republish AHRF physicians and NCHS injury deaths by county.

Not a source of published figures: they serve to check them, and stand in for them only where that is switched on
explicitly (`SUBSTITUTE` in the predictors' modules); the figures then carry the sample `chr`. Release R has the
physicians of R-3 and the injury deaths of R-6 to R-2. Method files health_access.md and trauma.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from schemas.health import PhysiciansCounty, RankingsInjuryDeaths
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS
from sources.framework.strict import ROW, Raw
from sources.framework.workbook import read_sheet

SHEET: Final = "Ranked Measure Data"
EXTRACT_SHEET: Final = "Sheet1"
# How the workbook library names a column without a header.
_UNNAMED: Final = "__UNNAMED__"
_ADDRESS: Final = "https://www.countyhealthrankings.org/sites/default/files/media/document/"
_WORKBOOK: Final[dict[str, str]] = {
    "2022": "2022 County Health Rankings Data - v1.xlsx",
    "2023": "2023 County Health Rankings Data - v2.xlsx",
}
# Extracts of the 2022 release with one measure each (columns below), as the reference once kept them.
PHYSICIANS_EXTRACT: Final = "ratio_pop_per_pcp.xlsx"
INJURIES_EXTRACT: Final = "injury_mortality_rate.xlsx"
PHYSICIANS_LAG: Final = 3
INJURIES_LAG: Final = 2
# The 2023 release pools 2017-2021; the data year 2021 pools 2018-2021, so it cannot come from here.
INJURY_RELEASES: Final = ("2022",)


def _workbook(release: str) -> SourceFile:
    name = _WORKBOOK[release]
    return SourceFile(name, "xlsx", url=_ADDRESS + name.replace(" ", "%20"))


SOURCE: Final = Source(
    key="chr",
    agency="University of Wisconsin Population Health Institute",
    dataset="County Health Rankings & Roadmaps, national workbook",
    citation="University of Wisconsin Population Health Institute, County Health Rankings & Roadmaps.",
    licence="Free to use with citation; terms of redistribution not stated in the workbook",
    redistribute=False,
    landing_page="https://www.countyhealthrankings.org/health-data/methodology-and-sources/rankings-data-documentation",
    access=Access.DOWNLOAD,
    vintages=(Vintage("2022", (_workbook("2022"),), (2019, 2020)), Vintage("2023", (_workbook("2023"),), (2020,))),
    usual_release="March",
)
# Taken where they lie beside the workbooks; nobody is asked for them.
_EXTRACTS: Final = replace(
    SOURCE,
    vintages=(
        Vintage("2022", (SourceFile(PHYSICIANS_EXTRACT, "xlsx"), SourceFile(INJURIES_EXTRACT, "xlsx")), (2019, 2020)),
    ),
)


def build_physicians(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `rankings_physicians_county` of data year `year`: state, geo, physicians, population (null here).

    Takes the national workbook if it is at hand or can be downloaded, else the extract. The workbook's own ratios
    divide by another population and are not read.
    """
    release = str(year + PHYSICIANS_LAG)
    file = _either(retrieval, release, PHYSICIANS_EXTRACT)
    if file.name == PHYSICIANS_EXTRACT:
        raw = _sheet(file, EXTRACT_SHEET).select({"fips": "fips", "number_pc_phys": "physicians"})
    else:
        raw = read_measures(file, {("Primary care physicians", "# Primary Care Physicians"): "physicians"})
    raw.number("physicians", pl.Int64, minimum=0, missing=("",))
    return _counties(raw, retrieval).select("state", "geo", "physicians", pl.lit(None, pl.Int64).alias("population"))


def build_injury_deaths(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `rankings_injury_deaths_county` of data year `year`: state, geo, deaths, rate, lb, ub.

    The extract has no bounds, and its rates have two decimals only, so that rounding them again to one is off by 0.1
    now and then (128 of 2,877 counties); the notes say so.
    """
    release = str(year + INJURIES_LAG)
    file = _either(retrieval, release, INJURIES_EXTRACT)
    if file.name == INJURIES_EXTRACT:
        columns = {"fips": "fips", "number_injury_deaths": "deaths", "injury_death_rate": "rate"}
        raw = _sheet(file, EXTRACT_SHEET).select(columns)
        raw.frame = raw.frame.with_columns(lb=pl.lit(""), ub=pl.lit(""))
        retrieval.notes["rates taken from an extract"] = "rounded to two decimals, no bounds"
    else:
        measure = "Injury deaths"
        raw = read_measures(
            file,
            {
                (measure, "# Injury Deaths"): "deaths",
                (measure, "Injury Death Rate"): "rate",
                (measure, "95% CI - Low"): "lb",
                (measure, "95% CI - High"): "ub",
            },
        )
    raw.number("deaths", pl.Int64, minimum=0, missing=("",))
    for column in ("rate", "lb", "ub"):
        raw.number(column, pl.Float64, minimum=0, missing=("",))
    raw.refuse(
        pl.col("deaths").is_null() != pl.col("rate").is_null(), "deaths and rate differ in being blank", column="rate"
    )
    return _counties(raw, retrieval).select(list(RankingsInjuryDeaths.to_schema().columns))


def read_measures(file: RawFile, columns: dict[tuple[str, str], str]) -> Raw:
    """Columns of the sheet of ranked measures as text: `fips` and those of `columns`, by (measure, column) name.

    The sheet has two header rows: the name of a measure stands over its first column only, and column names such as
    "95% CI - Low" repeat. Rows of whole states (code ending in 000) are left out. Raises `InputError` for a missing
    sheet, measure or column.
    """
    raw = _sheet(file, SHEET)
    if "FIPS" in raw.frame.columns:
        raise raw.error("there is one header row; two are expected, the first with the names of the measures.")
    found: dict[tuple[str, str], str] = {}
    measure = ""
    for name, below in raw.frame.drop(ROW).row(0, named=True).items():
        measure = measure if name.startswith(_UNNAMED) else name
        found.setdefault((measure, below), name)
    wanted = {("", "FIPS"): "fips", **columns}
    for key in wanted:
        if key not in found:
            near = [f"{m} / {c}" for m, c in found if m == key[0]][:8]
            raise raw.error(f"the column is missing under {key[0]!r}; there are {near}.", column=key[1])
    raw.frame = raw.frame.slice(1)
    raw.select({found[key]: new for key, new in wanted.items()})
    return raw.drop_rows((pl.col("fips") == "") | pl.col("fips").str.ends_with("000"))


def _either(retrieval: Retrieval, release: str, extract: str) -> RawFile:
    """The national workbook of a release, or the extract where only that is at hand."""
    if release not in _WORKBOOK:
        raise ValueError(f"no release {release} of the County Health Rankings is declared")
    extracts = any(v.key == release for v in _EXTRACTS.vintages)
    if extracts and not retrieval.has(SOURCE, release) and retrieval.has(_EXTRACTS, release, (extract,)):
        return retrieval.obtain(_EXTRACTS, release, (extract,))[0]
    return retrieval.obtain(SOURCE, release)[0]


def _sheet(file: RawFile, sheet: str) -> Raw:
    return read_sheet(file.path.read_bytes(), sheet, source=SOURCE.key, file=file.path.name)


def _counties(raw: Raw, retrieval: Retrieval) -> pl.DataFrame:
    """State and county codes checked, the scope applied."""
    raw.code("fips", width=5, what="county").unique("fips")
    raw.frame = raw.frame.with_columns(state=pl.col("fips").str.slice(0, 2), geo=pl.col("fips").str.slice(2))
    raw.refuse(~pl.col("state").is_in(list(BY_FIPS)), "the state is unknown", column="fips")
    if retrieval.scope.states is not None:
        raw.drop_rows(~pl.col("state").is_in(list(retrieval.scope.states)))
    return raw.done().sort("state", "geo")


TABLES: Final = (
    Table(
        name="rankings_physicians_county",
        title="Primary care physicians by county, as republished by the County Health Rankings",
        description="Physician counts of HRSA's Area Health Resources Files, three years later. Not published.",
        model=PhysiciansCounty,
        sources=(SOURCE.key,),
        years=tuple(int(release) - PHYSICIANS_LAG for release in _WORKBOOK),
        build=build_physicians,
    ),
    Table(
        name="rankings_injury_deaths_county",
        title="Injury deaths by county, as republished by the County Health Rankings",
        description="Deaths by injury, crude rates and bounds of a five-year pool. Not published.",
        model=RankingsInjuryDeaths,
        sources=(SOURCE.key,),
        years=tuple(int(release) - INJURIES_LAG for release in INJURY_RELEASES),
        build=build_injury_deaths,
    ),
)
