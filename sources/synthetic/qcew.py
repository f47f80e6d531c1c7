"""Synthetic county wages: the annual county high-level workbook of the Bureau of Labor Statistics inside its zip.

Sheet `US_St_Cn_MSA`: the nation, states, one metropolitan area, counties, and each state's unknown county (999). Cells
of very few establishments are undisclosed (status N, figures 0), and so is one county total. In two states numbers are
typed as text with thousands commas, as they come when a workbook has been saved by hand. Connecticut keeps its former
counties, and Kalawao (15-005) is not in the file: both as the agency has it.
"""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.synthetic.files import NOTICE, write_zip
from sources.synthetic.people import PRICES
from sources.synthetic.world import World, county_layer

SOURCE: Final = "qcew"
YEARS: Final = (2014, 2018, 2021, 2022, 2023)
SHEET: Final = "US_St_Cn_MSA"
HEADER: Final = (
    *("Area\r\nCode", "St", "Cnty", "Own", "NAICS", "Year", "Qtr", "Area Type", "St Name", "Area", "Ownership"),
    *("Industry", "Annual Average Status Code", "Annual Average Establishment Count", "Annual Average Employment"),
    *("Annual Total Wages", "Annual Average Weekly Wage", "Annual Average Pay"),
    *("Employment Location Quotient Relative to U.S.", "Total Wage Location Quotient Relative to U.S."),
)
OWNERSHIP: Final = {
    "0": "Total Covered",
    "1": "Federal Government",
    "2": "State Government",
    "3": "Local Government",
    "5": "Private",
}
INDUSTRY: Final = {
    "10": "Total, all industries",
    "101": "Goods-producing",
    "102": "Service-providing",
    "1011": "Natural resources and mining",
    "1012": "Construction",
    "1013": "Manufacturing",
    "1021": "Trade, transportation, and utilities",
    "1022": "Information",
    "1023": "Financial activities",
    "1024": "Professional and business services",
    "1025": "Education and health services",
    "1026": "Leisure and hospitality",
    "1027": "Other services",
    "1029": "Unclassified",
}
# The lowest cells: ownership and industry -> share of a county's jobs (permille), weekly wage (dollars of 2014).
CELLS: Final[dict[tuple[str, str], tuple[int, int]]] = {
    ("1", "10"): (20, 1_280),
    ("2", "10"): (40, 920),
    ("3", "10"): (100, 790),
    ("5", "1011"): (20, 950),
    ("5", "1012"): (50, 960),
    ("5", "1013"): (90, 1_050),
    ("5", "1021"): (190, 740),
    ("5", "1022"): (20, 1_150),
    ("5", "1023"): (50, 1_220),
    ("5", "1024"): (130, 1_080),
    ("5", "1025"): (150, 850),
    ("5", "1026"): (110, 370),
    ("5", "1027"): (29, 600),
    ("5", "1029"): (1, 700),
}
WEEKS: Final = 52
JOBS_PERMILLE: Final = 430
JOBS_PER_ESTABLISHMENT: Final = 14
WITHHELD_BELOW: Final = 3  # establishments
ABSENT: Final = ("15", "005")
TYPED_AS_TEXT: Final = ("10", "56")
UNKNOWN: Final = "999"
UNKNOWN_PERSONS: Final = 9_000


def _sums() -> pl.DataFrame:
    """Which published cells each lowest cell counts in: own, naics -> into_own, into_naics."""
    rows = []
    for own, naics in CELLS:
        into = [(own, naics), ("0", "10")]
        if own == "5":
            into += [("5", "10"), ("5", "101" if naics < "102" else "102")]
        rows += [(own, naics, *cell) for cell in into]
    return pl.DataFrame(rows, schema=["own", "naics", "into_own", "into_naics"], orient="row")


def _counties(world: World, year: int) -> pl.DataFrame:
    """Every published cell of every county: state, county, own, naics, establishments, jobs, wages (of the year)."""
    people = world.people(county_layer(min(year, 2020)), year).rename({"code": "county"})
    unknown = pl.DataFrame(
        {"state": [s.code for s in world.states], "county": UNKNOWN, "persons": UNKNOWN_PERSONS}, schema=people.schema
    )
    people = people.filter(pl.concat_str("state", "county") != "".join(ABSENT))
    people = pl.concat([people, unknown]).sort("state", "county")
    # One generator per county, the same in all years, so that series are steady.
    draws = [world.rng("qcew", *key) for key in people.select("state", "county").rows()]
    levels = np.array([rng.integers(800, 1250) for rng in draws]) * PRICES[year] // PRICES[2014]
    noise = np.stack([rng.integers(700, 1301, (len(CELLS), 2)) for rng in draws])
    cells = pl.DataFrame(
        [(*cell, share, wage) for cell, (share, wage) in CELLS.items()],
        schema=["own", "naics", "share", "wage"],
        orient="row",
    )
    jobs = pl.col("persons") * JOBS_PERMILLE * pl.col("share") // 1_000_000 * pl.col("jobs_noise") // 1000
    wage = pl.col("wage") * pl.col("level") // 1000 * (700 + pl.col("wage_noise") * 3 // 10) // 1000
    return (
        people.with_columns(level=pl.Series(levels))
        .join(cells, how="cross", maintain_order="left_right")
        .with_columns(jobs_noise=pl.Series(noise[:, :, 0].ravel()), wage_noise=pl.Series(noise[:, :, 1].ravel()))
        .with_columns(jobs=jobs)
        .with_columns(
            establishments=(pl.col("jobs") + JOBS_PER_ESTABLISHMENT - 1) // JOBS_PER_ESTABLISHMENT,
            wages=pl.col("jobs") * wage * WEEKS,
        )
        .join(_sums(), on=["own", "naics"], how="inner", validate="m:m")
        .group_by("state", "county", own="into_own", naics="into_naics")
        .agg(pl.col("establishments", "jobs", "wages").sum())
        .filter(pl.col("establishments") > 0)
    )


def _areas(world: World, year: int) -> pl.DataFrame:
    """The cells of all areas, with area, st, cnty, kind, st_name and title; in the order of the sheet."""
    counties = _counties(world, year)
    names = world.registry("county", min(year, 2021)).select("state", county="geo", name="name")
    states = pl.DataFrame({"state": [s.code for s in world.states], "st_name": [s.name for s in world.states]})
    figures = pl.col("establishments", "jobs", "wages").sum()
    nation = counties.group_by("own", "naics").agg(figures)
    parts = [
        nation.with_columns(
            area=pl.lit("US000"),
            st=pl.lit("US"),
            cnty=pl.lit("000"),
            kind=pl.lit("Nation"),
            st_name=pl.lit(""),
            title=pl.lit("U.S. TOTAL"),
        ),
        counties.group_by("state", "own", "naics")
        .agg(figures)
        .join(states, on="state", how="left", validate="m:1")
        .with_columns(
            area=pl.col("state") + "000",
            st="state",
            cnty=pl.lit("000"),
            kind=pl.lit("State"),
            title=pl.col("st_name") + " -- Statewide",
        ),
        counties.filter((pl.col("state") == "37") & (pl.col("county") == "067")).with_columns(
            area=pl.lit("C4918"),
            st=pl.lit("C4"),
            cnty=pl.lit("918"),
            kind=pl.lit("MSA"),
            st_name=pl.lit(""),
            title=pl.lit("Winston-Salem, NC MSA"),
        ),
        counties.join(names, on=["state", "county"], how="left", validate="m:1")
        .join(states, on="state", how="left", validate="m:1")
        .with_columns(
            area=pl.col("state") + pl.col("county"),
            st="state",
            cnty="county",
            kind=pl.lit("County"),
            title=pl.col("name").fill_null("Unknown Or Undefined") + ", " + pl.col("st_name"),
        ),
    ]
    columns = ("area", "st", "cnty", "own", "naics", "kind", "st_name", "title", "establishments", "jobs", "wages")
    return pl.concat([part.select(columns).sort("area", "own", "naics") for part in parts])


def sheet(world: World, year: int) -> pl.DataFrame:
    """The rows of the sheet: text columns, then status, four numbers and two quotients."""
    cells = _areas(world, year)
    total = (pl.col("own") == "0") & (pl.col("kind") == "County") & (pl.col("cnty") != UNKNOWN)
    # The smallest county of Alaska has its total withheld.
    smallest = cells.filter(total & (pl.col("st") == "02")).sort("establishments", "area")["area"][0]
    few = (pl.col("own") == "5") & (pl.col("naics") != "10") & (pl.col("establishments") < WITHHELD_BELOW)
    withheld = (few & (pl.col("kind") == "County")) | (total & (pl.col("area") == smallest))
    hours = pl.col("jobs") * WEEKS
    weekly = pl.when(hours > 0).then((2 * pl.col("wages") + hours) // (2 * hours)).otherwise(0)
    return cells.with_columns(weekly=weekly, withheld=withheld).select(
        *("area", "st", "cnty", "own", "naics"),
        pl.lit(str(year)).alias("year"),
        pl.lit("A").alias("qtr"),
        *("kind", "st_name", "title"),
        pl.col("own").replace_strict(OWNERSHIP).alias("ownership"),
        (pl.col("naics") + " " + pl.col("naics").replace_strict(INDUSTRY)).alias("industry"),
        pl.when("withheld").then(pl.lit("N")).otherwise(pl.lit("")).alias("status"),
        "establishments",
        *(
            pl.when("withheld").then(0).otherwise(figure).alias(name)
            for name, figure in (("jobs", pl.col("jobs")), ("wages", pl.col("wages")), ("weekly", pl.col("weekly")))
        ),
        pl.when("withheld").then(0).otherwise(pl.col("weekly") * WEEKS).alias("pay"),
        pl.when("withheld").then(0).otherwise(1).alias("employment_quotient"),
        pl.when("withheld").then(0).otherwise(1).alias("wage_quotient"),
    )


def workbook(table: pl.DataFrame) -> bytes:
    """The workbook of one sheet, the same bytes each time."""
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    book.set_properties({"created": datetime.datetime(2000, 1, 1), "comments": NOTICE})
    page = book.add_worksheet(SHEET)
    page.write_row(0, 0, HEADER)
    numbers = ("establishments", "jobs", "wages", "weekly", "pay")
    typed = table.columns.index("establishments")
    for index, row in enumerate(table.iter_rows(), start=1):
        cells = list(row)
        if row[1] in TYPED_AS_TEXT:
            cells[typed : typed + len(numbers)] = [f"{n:,}" for n in cells[typed : typed + len(numbers)]]
        page.write_row(index, 0, cells)
    book.close()
    return buffer.getvalue()


def write(root: Path, world: World) -> None:
    """`qcew/<year>/<year>_all_county_high_level.zip` for the years that have wages."""
    for year in YEARS:
        if year in world.years:
            name = f"{year}_all_county_high_level.zip"
            member = f"allhlcn{year % 100:02d}.xlsx"
            write_zip(root / SOURCE / str(year) / name, {member: workbook(sheet(world, year))})
