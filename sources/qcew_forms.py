"""The forms in which the Bureau of Labor Statistics gives county wages, each read into the same columns.

Columns of every reader's result (one row per county, ownership and industry; aggregation levels county total, by
ownership, by domain, by supersector): state (2 digits), county (3 digits), ownership (Int8), naics, weekly_wage,
establishments, employment, total_wages, disclosed. Figures of undisclosed cells (code N; the file has 0) are null, but
for the number of establishments, which the agency always gives. Layouts: BLS, "QCEW Field Layouts for NAICS-Based,
Annual CSV Files" and the quarterly counterpart; headers of the county high-level workbook.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.wages import NAICS, OWNERSHIPS
from sources.framework.large_csv import opened_zip, read_filtered
from sources.framework.strict import Raw
from sources.framework.workbook import read_sheet

SOURCE_KEY: Final = "qcew"
KEY: Final = ("state", "county", "ownership", "naics")
COLUMNS: Final = (*KEY, "weekly_wage", "establishments", "employment", "total_wages", "disclosed")
SHEET: Final = "US_St_Cn_MSA"
# County total covered; by ownership; by domain; by supersector.
COUNTY_LEVELS: Final = ("70", "71", "72", "73")
WITHHELD: Final = "N"
WEEKS: Final = 52

WORKBOOK_COLUMNS: Final = {
    "St": "state",
    "Cnty": "county",
    "Own": "ownership",
    "NAICS": "naics",
    "Year": "year",
    "Qtr": "qtr",
    "Area Type": "area_type",
    "Annual Average Status Code": "status",
    "Annual Average Establishment Count": "establishments",
    "Annual Average Employment": "employment",
    "Annual Total Wages": "total_wages",
    "Annual Average Weekly Wage": "weekly_wage",
}
_CSV_KEY: Final = {
    "area": ("area_fips",),
    "ownership": ("own_code",),
    "naics": ("industry_code",),
    "level": ("agglvl_code",),
    "year": ("year",),
    "qtr": ("qtr",),
    "status": ("disclosure_code",),
}
ANNUAL_COLUMNS: Final = {
    **_CSV_KEY,
    "establishments": ("annual_avg_estabs", "annual_avg_estabs_count"),
    "employment": ("annual_avg_emplvl",),
    "total_wages": ("total_annual_wages",),
    "weekly_wage": ("annual_avg_wkly_wage",),
}
MONTHS: Final = ("month1", "month2", "month3")
QUARTERLY_COLUMNS: Final = {
    **_CSV_KEY,
    "establishments": ("qtrly_estabs", "qtrly_estabs_count"),
    **{month: (f"{month}_emplvl",) for month in MONTHS},
    "total_wages": ("total_qtrly_wages",),
}


def read_workbook(path: Path, *, year: int) -> pl.DataFrame:
    """The annual county high-level workbook `allhlcn{YY}.xlsx`, on its own or inside the agency's zip.

    Numbers may be typed as text with thousands commas. Raises `InputError`.
    """
    wanted = f"allhlcn{year % 100:02d}.xlsx"
    if path.suffix == ".zip":
        with opened_zip(path, source=SOURCE_KEY) as archive:
            member = next((n for n in archive.namelist() if Path(n).name.lower() == wanted), None)
            if member is None:
                problem = f"the zip does not hold {wanted}; it holds {', '.join(archive.namelist())}."
                raise InputError(problem, source=SOURCE_KEY, file=path.name)
            data, file = archive.read(member), f"{path.name}/{wanted}"
    else:
        data, file = path.read_bytes(), path.name
    raw = read_sheet(data, SHEET, source=SOURCE_KEY, file=file).select(WORKBOOK_COLUMNS)
    raw.drop_rows(pl.col("area_type") != "County")
    # The sheet keeps state and county apart, so a number cell (1 for 01) loses nothing.
    raw.code("state", width=2, pad=True).code("county", width=3, pad=True)
    _check_codes(raw, year=year, periods=("A",), statuses=("", WITHHELD))
    for column, dtype in (("establishments", pl.Int64), ("employment", pl.Float64), ("total_wages", pl.Float64)):
        raw.number(column, dtype, minimum=0, thousands=True)
    raw.number("weekly_wage", minimum=0, thousands=True).unique(*KEY)
    return _annual(raw.done())


def read_annual_csv(paths: Iterable[Path], *, year: int, scratch: Path) -> pl.DataFrame:
    """Annual open-data CSVs: the single file, by-area or by-industry slices, plain, gzipped or zipped.

    All files together make the table; a cell that stands in two of them is an error. Raises `InputError`.
    """
    parts = []
    for path in paths:
        for raw in _county_rows(path, ANNUAL_COLUMNS, scratch):
            _check_codes(raw, year=year, periods=("A",), statuses=("", WITHHELD))
            raw.number("establishments", pl.Int64, minimum=0)
            for column in ("employment", "total_wages", "weekly_wage"):
                raw.number(column, minimum=0)
            parts.append(raw.unique(*KEY).done())
    return _annual(_together(parts, KEY))


def read_quarterly_csv(paths: Iterable[Path], *, year: int, scratch: Path) -> pl.DataFrame:
    """Quarterly CSVs (by area or single file), averaged over the year.

    employment = mean of the twelve months; total_wages = sum of the quarters; weekly_wage = total_wages / employment /
    52, not rounded; establishments = mean of the four quarters, rounded half up. A quarter without establishments
    counts as zero, whether it is absent or marked "-". A cell is disclosed if each of its quarters is. Raises
    `InputError`, also if a county's total lacks a quarter.
    """
    quarters = ("1", "2", "3", "4")
    parts = []
    for path in paths:
        for raw in _county_rows(path, QUARTERLY_COLUMNS, scratch):
            _check_codes(raw, year=year, periods=quarters, statuses=("", WITHHELD, "-"))
            raw.number("establishments", pl.Int64, minimum=0)
            for column in (*MONTHS, "total_wages"):
                raw.number(column, pl.Int64, minimum=0)
            parts.append(raw.unique(*KEY, "qtr").done())
    cells = (
        _together(parts, (*KEY, "qtr"))
        .group_by(KEY)
        .agg(
            quarters=pl.col("qtr").n_unique(),
            disclosed=(pl.col("status") != WITHHELD).all(),
            # Half up in integers.
            establishments=(pl.col("establishments").sum() + len(quarters) // 2) // len(quarters),
            jobs=pl.sum_horizontal(MONTHS).sum(),
            payroll=pl.col("total_wages").sum(),
        )
    )
    short = cells.filter((pl.col("naics") == "10") & (pl.col("ownership") == 0) & (pl.col("quarters") < len(quarters)))
    if short.height:
        row = short.sort(KEY).row(0, named=True)
        problem = f"the total of county {row['state']}{row['county']} has {row['quarters']} of 4 quarters."
        raise InputError(problem, source=SOURCE_KEY, column="qtr")
    employment = pl.col("jobs") / 12
    return (
        cells.with_columns(
            employment=pl.when("disclosed").then(employment),
            total_wages=pl.when("disclosed").then(pl.col("payroll").cast(pl.Float64)),
            weekly_wage=pl.when(pl.col("disclosed") & (pl.col("jobs") > 0)).then(
                pl.col("payroll") / employment / WEEKS
            ),
        )
        .select(COLUMNS)
        .sort(KEY)
    )


def _county_rows(path: Path, columns: dict[str, tuple[str, ...]], scratch: Path) -> Iterable[Raw]:
    """The county-level rows of each CSV in `path`, with state and county split off the area code."""
    keep = pl.col("level").is_in(COUNTY_LEVELS)
    for raw in read_filtered(path, columns, keep=keep, source=SOURCE_KEY, scratch=scratch):
        raw.code("area", width=5, what="area code")
        raw.frame = raw.frame.with_columns(
            state=pl.col("area").str.slice(0, 2), county=pl.col("area").str.slice(2)
        ).drop("area", "level")
        raw.file_names |= dict.fromkeys(("state", "county"), "area_fips")
        yield raw


def _check_codes(raw: Raw, *, year: int, periods: tuple[str, ...], statuses: tuple[str, ...]) -> None:
    """Closed lists: year, period, status, ownership (becomes Int8), industry."""
    raw.refuse(pl.col("year") != str(year), f"the file must hold {year}", column="year")
    raw.category("qtr", periods, what="period")
    raw.category("status", statuses, what="disclosure code")
    raw.category("ownership", [str(code) for code in OWNERSHIPS], what="ownership")
    raw.category("naics", NAICS, what="industry")
    raw.number("ownership", pl.Int8)


def _together(parts: list[pl.DataFrame], key: tuple[str, ...]) -> pl.DataFrame:
    """All parts below each other; no key may come twice."""
    frame = pl.concat(parts) if parts else pl.DataFrame()
    if frame.height == 0:
        raise InputError("no county rows (aggregation levels 70 to 73).", source=SOURCE_KEY)
    doubled = frame.filter(pl.struct(key).is_duplicated())
    if doubled.height:
        row = doubled.row(0, named=True)
        values = ", ".join(f"{c}={row[c]}" for c in key)
        raise InputError(f"two of the files hold the same cell ({values}).", source=SOURCE_KEY)
    return frame


def _annual(frame: pl.DataFrame) -> pl.DataFrame:
    """Annual figures: those of undisclosed cells, and the wage of nobody, are null."""
    disclosed = pl.col("status") != WITHHELD
    nobody = (pl.col("employment") == 0) & (pl.col("total_wages") == 0)
    return (
        frame.with_columns(
            disclosed=disclosed,
            weekly_wage=pl.when(disclosed & ~nobody).then(pl.col("weekly_wage")),
            employment=pl.when(disclosed).then(pl.col("employment")),
            total_wages=pl.when(disclosed).then(pl.col("total_wages")),
        )
        .select(COLUMNS)
        .sort(KEY)
    )
