"""Quarterly Census of Employment and Wages (BLS): the table `qcew_county`."""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.wages import STATES, QcewCounty
from sources.framework.declare import Access, Source, SourceFile, Table, Vintage
from sources.framework.retrieve import Retrieval
from sources.qcew_forms import KEY, SOURCE_KEY, read_annual_csv, read_quarterly_csv, read_workbook

DATA_YEARS: Final = (2014, 2018, 2021, 2022, 2023)
DECLARED_YEARS: Final = range(2014, 2024)
FILES: Final = "https://data.bls.gov/cew/data/files"
SLICES: Final = "https://data.bls.gov/cew/data/api"
# The industries that the workbook also has, less the sums that nothing needs.
SLICE_CODES: Final = ("10", "101", "1021", "1022", "1023", "1024", "1025", "1026", "1027")
UNKNOWN_COUNTY: Final = "999"
MISSING_SHARE: Final = 0.01


def _workbook(year: int) -> Vintage:
    name = f"{year}_all_county_high_level.zip"
    workbook = f"allhlcn{year % 100:02d}.xlsx"
    return Vintage(
        key=f"{year}",
        files=(SourceFile(name, "zip", url=f"{FILES}/{year}/xls/{name}", accept=(workbook,), min_bytes=1000),),
        data_years=(year,) if year in DATA_YEARS else (),
        note="Annual averages, county high-level workbook.",
    )


def _single_file(year: int) -> Vintage:
    name = f"{year}_annual_singlefile.zip"
    return Vintage(
        key=f"{year}-singlefile",
        files=(SourceFile(name, "zip", url=f"{FILES}/{year}/csv/{name}", min_bytes=1000),),
        data_years=(),
        note="Annual averages, open-data single file: read instead of the workbook if the store holds it.",
    )


def _slices(year: int) -> Vintage:
    files = tuple(SourceFile(f"{c}.csv", "csv", url=f"{SLICES}/{year}/a/industry/{c}.csv") for c in SLICE_CODES)
    return Vintage(
        key=f"{year}-industry",
        files=files,
        data_years=(),
        note="Annual averages, open-data industry slices: read instead of the workbook if the store holds them.",
    )


QUARTERLY_2016: Final = Vintage(
    key="2016-quarterly",
    files=(SourceFile("2016.q1-q4.by_area.county_highlevel.csv", "csv"),),
    data_years=(),
    note="Not the workbook: county rows (levels 70 to 73) of the quarterly by-area CSVs of 2016, under one header.",
)

SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="U.S. Bureau of Labor Statistics",
    dataset="Quarterly Census of Employment and Wages, annual averages, county high-level",
    citation="U.S. Bureau of Labor Statistics, Quarterly Census of Employment and Wages, NAICS-based annual averages.",
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://www.bls.gov/cew/downloadable-data-files.htm",
    access=Access.DOWNLOAD,
    vintages=(
        *(form(year) for year in DECLARED_YEARS for form in (_workbook, _single_file, _slices)),
        QUARTERLY_2016,
    ),
    recipe=(
        "From the page of downloadable data files take the year's annual county high-level workbook (NAICS-based)."
    ),
    usual_release="June of the following year",
)


def county_table(rows: pl.DataFrame, year: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """The rows of any form as the table `qcew_county`, and what was left out of it, counted.

    Left out: the states' remainders "unknown or undefined county" (999), Puerto Rico and the Virgin Islands, and
    public employers by industry, which only the CSV forms have (a county's public employers stand in industry "10").
    Raises `InputError` if a state code is unknown or 1 % or more of the county totals (and at least two) have no wage.
    """
    unknown = rows.filter(~pl.col("state").is_in([*STATES, "72", "78"]))
    if unknown.height:
        raise InputError(f"unknown state {unknown['state'][0]!r}.", source=SOURCE_KEY, column="state")
    remainder = pl.col("county") == UNKNOWN_COUNTY
    territory = ~pl.col("state").is_in(list(STATES))
    public_industry = (pl.col("naics") != "10") & (pl.col("ownership") != 5)
    kept = rows.filter(~remainder & ~territory & ~public_industry)

    totals = kept.filter((pl.col("naics") == "10") & (pl.col("ownership") == 0))
    counties = kept.select("state", "county").n_unique()
    paid = totals.filter(pl.col("weekly_wage") > 0).height
    if (counties == 0) or (counties - paid > 1 and counties - paid >= MISSING_SHARE * counties):
        raise InputError(
            f"{counties - paid} of {counties} counties have no average wage in {year}; fewer than 1 % may lack it.",
            source=SOURCE_KEY,
            column="weekly_wage",
        )
    counts = {
        "rows read": rows.height,
        "rows of unknown counties (999) left out": rows.filter(remainder).height,
        "rows of territories left out": rows.filter(territory & ~remainder).height,
        "rows of public employers by industry left out": rows.filter(public_industry & ~territory & ~remainder).height,
        "cells": kept.height,
        "undisclosed cells": kept.filter(~pl.col("disclosed")).height,
        "counties": counties,
        "counties without an average wage": counties - paid,
    }
    table = kept.select(pl.lit(year, dtype=pl.Int16).alias("year"), pl.all()).sort(KEY)
    return table, counts


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """`qcew_county` of the year from whichever form the store or mirror holds, else from the workbook's download."""
    forms = (f"{year}", f"{year}-singlefile", f"{year}-industry", f"{year}-quarterly")
    declared = [key for key in forms if key in {v.key for v in SOURCE.vintages}]
    if not declared:
        raise InputError(f"no vintage is declared for {year}.", source=SOURCE_KEY)
    vintage = next((key for key in declared if retrieval.has(SOURCE, key)), declared[0])
    paths = [file.path for file in retrieval.obtain(SOURCE, vintage)]
    if vintage.endswith("-quarterly"):
        rows = read_quarterly_csv(paths, year=year, scratch=retrieval.scratch)
    elif vintage.endswith(("-singlefile", "-industry")):
        rows = read_annual_csv(paths, year=year, scratch=retrieval.scratch)
    else:
        rows = read_workbook(paths[0], year=year)
    table, counts = county_table(rows, year)
    retrieval.notes["qcew_county"] = {"vintage": vintage, **counts}
    return table


TABLES: Final = (
    Table(
        name="qcew_county",
        title="County wages by ownership and industry",
        description=(
            "Annual averages of the Quarterly Census of Employment and Wages: one row per county, ownership and "
            "industry (supersectors for private employers only). Weekly wage in dollars; null where undisclosed."
        ),
        model=QcewCounty,
        sources=(SOURCE_KEY,),
        years=DATA_YEARS,
        build=build,
    ),
)
