"""EPA's air toxics assessments by census tract (NATA, AirToxScreen): the table `air_toxics_tracts`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.air import HAZARDS, AirToxicsTractsModel
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS
from sources.framework.workbook import read_sheet, sheet_names
from sources.tracts import CT_TRACTS, to_regions

DATA_YEARS: Final = (2014, 2018, 2019)
# Puerto Rico and the Virgin Islands, whose tracts are not ranked.
TERRITORIES: Final = ("72", "78")
WHOLE: Final = "000000"


@dataclass(frozen=True)
class Hazard:
    """One of the three workbooks of an assessment: its part of the file name, and the column of all sources."""

    name: str
    part: str
    total: str


WORKBOOKS: Final = (
    Hazard("cancer", "CancerRisk", "Total Cancer Risk (per million)"),
    Hazard("neurological", "NeurHI", "Total Neurological (hazard quotient)"),
    Hazard("respiratory", "RespHI", "Total Respiratory (hazard quotient)"),
)
_NATA: Final = "https://www.epa.gov/sites/production/files/2018-08"
_AIRTOXSCREEN: Final = "https://www.epa.gov/system/files/documents/2022-12"


def file_name(hazard: Hazard, year: int) -> str:
    """The agency's name of the workbook."""
    if year == 2014:
        return f"nata{year}v2_national_{hazard.part.lower()}_by_tract_srcgrp.xlsx"
    return f"{year}_National_{hazard.part}_by_tract_srcgrp.xlsx"


def _file(hazard: Hazard, year: int) -> SourceFile:
    name = file_name(hazard, year)
    # Of the later assessments only the address of the cancer file is known; the agency moves its files.
    known = {2014: _NATA} if hazard.name != "cancer" else {2014: _NATA, 2018: _AIRTOXSCREEN, 2019: _AIRTOXSCREEN}
    folder = known.get(year)
    return SourceFile(name, "xlsx", url=f"{folder}/{name}" if folder else None, min_bytes=1000)


SOURCE: Final = Source(
    key="airtoxscreen",
    agency="U.S. Environmental Protection Agency",
    dataset="National Air Toxics Assessment 2014; Air Toxics Screening Assessment (AirToxScreen) 2018, 2019",
    citation="U.S. Environmental Protection Agency, Air Toxics Screening Assessment, risks by census tract.",
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://www.epa.gov/AirToxScreen",
    access=Access.PERSON,
    vintages=tuple(
        Vintage(
            key=f"{year}",
            files=tuple(_file(hazard, year) for hazard in WORKBOOKS),
            data_years=(year,),
            note=f"{'NATA' if year == 2014 else 'AirToxScreen'}, assessment year {year}.",
        )
        for year in DATA_YEARS
    ),
    recipe=(
        "From the page 'Assessment Results' of the assessment year take the three national workbooks by census tract "
        "and source group: cancer risk, neurological hazard index, respiratory hazard index. Do not save them again "
        "with a spreadsheet program."
    ),
    usual_release="irregular, about three years after the assessment year",
)


def read_workbook(path: Path, hazard: Hazard) -> tuple[pl.DataFrame, dict[str, int]]:
    """One workbook: state, county, tract, and the total in a column of the hazard's name; and what was left out.

    Left out: totals of the nation, of states and of counties, territories, and tracts without a total. A tract code
    that has become a number and lost its leading zero is completed, if the county's code beside it agrees. Refused: a
    code that does not fit its county, an unknown state, a tract listed twice, a total that is negative or no number.
    """
    data = path.read_bytes()
    sheet = sheet_names(data, source=SOURCE.key, file=path.name)[0]
    raw = read_sheet(data, sheet, source=SOURCE.key, file=path.name)
    headers = {c.lower(): c for c in raw.frame.columns}
    wanted = {"FIPS": "fips", "Tract": "geoid", hazard.total: hazard.name}
    raw.select({headers.get(column.lower(), column): new for column, new in wanted.items()})
    rows = raw.frame.height
    geoid = pl.col("geoid")
    raw.drop_rows((geoid == "") | geoid.str.ends_with(WHOLE) | geoid.str.contains(r"^0+$"))
    totals = rows - raw.frame.height
    raw.refuse(geoid.str.contains("[eE.]"), "not a tract code; a spreadsheet program has rewritten it", column="geoid")
    short = raw.frame.filter(geoid.str.len_chars() == 10).height
    raw.frame = raw.frame.with_columns(
        pl.when(geoid.str.len_chars() == 10).then(geoid.str.zfill(11)).otherwise(geoid).alias("geoid"),
        pl.col("fips").str.zfill(5),
    )
    raw.code("geoid", width=11, what="tract code")
    raw.refuse(geoid.str.head(5) != pl.col("fips"), "the tract is not in the county of its row", column="geoid")
    raw.refuse(~geoid.str.head(2).is_in([*BY_FIPS, *TERRITORIES]), "the state is unknown", column="geoid")
    raw.number(hazard.name, minimum=0, missing=["", "NA", "N/A"])
    raw.unique("geoid")
    frame = raw.done()
    territory = pl.col("geoid").str.head(2).is_in(TERRITORIES)
    kept = frame.filter(~territory, pl.col(hazard.name).is_not_null())
    if kept.height == 0:
        raise raw.error("no tract has a figure.", column=hazard.name)
    counts = {
        "rows": rows,
        "totals left out": totals,
        "tracts of territories left out": frame.filter(territory).height,
        "tracts without a figure left out": frame.filter(~territory, pl.col(hazard.name).is_null()).height,
        "tract codes whose leading zero was restored": short,
        "tracts": kept.height,
    }
    code = pl.col("geoid").str
    return (
        kept.select(
            state=code.slice(0, 2), county=code.slice(2, 3), tract=code.slice(5, 6), **{hazard.name: hazard.name}
        ),
        counts,
    )


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `air_toxics_tracts`: all tracts of the nation, whatever the scope, for a tract is ranked among all.

    Tracts of the cancer workbook; the other two are joined to them. Connecticut's are brought to the planning regions
    in the years that have them.
    """
    names = tuple(file_name(hazard, year) for hazard in WORKBOOKS)
    files = {file.name: file for file in retrieval.obtain(SOURCE, str(year), names)}
    tract = ["state", "county", "tract"]
    notes: dict[str, object] = {}
    table: pl.DataFrame | None = None
    for hazard in WORKBOOKS:
        frame, counts = read_workbook(files[file_name(hazard, year)].path, hazard)
        notes[hazard.name] = counts
        if table is None:
            table = frame
        else:
            notes[f"{hazard.name} without cancer risk, left out"] = frame.join(table, on=tract, how="anti").height
            table = table.join(frame, on=tract, how="left", validate="1:1")
    assert table is not None
    notes["tracts without all three figures"] = table.filter(pl.any_horizontal(pl.col(HAZARDS).is_null())).height
    retrieval.notes["airtoxscreen"] = notes
    return to_regions(table.select(*tract, *HAZARDS), year, retrieval).sort(tract)


TABLES: Final = (
    Table(
        name="air_toxics_tracts",
        title="Cancer risk and hazards of air toxics by tract",
        description=(
            "Cancer risk and the neurological and respiratory hazard quotients from all sources of air toxics, for "
            "every tract of the 50 states and the District of Columbia, with the agency's tract codes."
        ),
        model=AirToxicsTractsModel,
        sources=(SOURCE.key, CT_TRACTS.key),
        years=DATA_YEARS,
        build=build,
    ),
)
