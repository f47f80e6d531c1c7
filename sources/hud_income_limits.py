"""HUD Section 8 income limits by county, in New England by town. Method file housing_affordability.md, 3, 4 and 9.

A workbook of a fiscal year is used for the data year of that name. Its columns moved and were renamed several times;
they are found by their names. Its list of counties is not quite that of the data year: it is held against what HUD
listed then, and brought to the counties of the data year.
"""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.housing import HudIncomeLimitsModel
from sources import ct_towns
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS, PUERTO_RICO, within
from sources.framework.strict import Raw
from sources.framework.workbook import read_sheet, sheet_names
from sources.geography import geographies

YEARS: Final = tuple(range(2014, 2026))
WHOLE_COUNTY: Final = "99999"
TERRITORIES: Final = ("60", "66", "69", PUERTO_RICO, "78")
# Limits for a household of four: extremely low, very low and low income.
LIMITS: Final[dict[str, str]] = {"eli_4": "limit_30", "l50_4": "limit_50", "l80_4": "limit_80"}

# Counties that HUD lists under another code than the data year has: (state, county) -> (HUD's code, fiscal years).
OTHER_CODES: Final[dict[tuple[str, str], tuple[str, range]]] = {
    ("02", "158"): ("270", range(2015, 2018)),
    ("46", "102"): ("113", range(2015, 2018)),
    # The two successors of Valdez-Cordova have its limits until HUD lists them.
    ("02", "063"): ("261", range(2020, 2023)),
    ("02", "066"): ("261", range(2020, 2023)),
}
# Entries that are no county of the data year: the part of Sullivan city in Crawford County MO, which is in another
# housing market than the county; Virginia's independent cities of Bedford and Clifton Forge, counties no longer.
NO_COUNTIES: Final[dict[tuple[str, str], range]] = {
    ("29", "056"): range(2014, 2100),
    ("51", "515"): range(2014, 2020),
    ("51", "560"): range(2014, 2016),
}
# Until this fiscal year Connecticut's towns bear the codes of the former counties.
LAST_FORMER_CODES: Final = 2024

_AGENCY_FILES: Final[dict[int, tuple[str, str]]] = {
    2014: ("Poverty.xls", "xls"),
    2015: ("Section8_Rev.xlsx", "xlsx"),
}


def _vintage(year: int) -> Vintage:
    name, kind = _AGENCY_FILES.get(year, (f"Section8-FY{year % 100}.xlsx", "xlsx"))
    url = f"https://www.huduser.gov/portal/datasets/il/il{year % 100}/{name}"
    return Vintage(
        key=str(year),
        files=(SourceFile(name, kind, url=url, accept=(f"FY{year}_AMI.{kind}",), min_bytes=1000),),
        data_years=(year,),
        note=f"Fiscal year {year}: Section 8 income limits with the extremely low limits, all areas, as a workbook.",
    )


SOURCE: Final = Source(
    key="hud_income_limits",
    agency="U.S. Department of Housing and Urban Development",
    dataset="Section 8 income limits",
    citation=(
        "U.S. Department of Housing and Urban Development, Office of Policy Development and Research. Income Limits."
    ),
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://www.huduser.gov/portal/datasets/il.html",
    access=Access.DOWNLOAD,
    vintages=tuple(_vintage(year) for year in YEARS),
    recipe="Choose the fiscal year, then the data for Section 8 income limits in Excel.",
    usual_release="April, for the fiscal year that began in October",
)


def listed_counties(year: int, states: tuple[str, ...]) -> pl.DataFrame:
    """Which code HUD's workbook of a fiscal year has for each county: state, county, hud_county.

    One row per county of the data year, in Connecticut per former county (`county` is null) where the workbook still
    has those.
    """
    counties = geographies(year, states).filter(pl.col("level") == "county").select("state", county="geo")
    codes = {key: code for key, (code, years) in OTHER_CODES.items() if year in years}
    former = year >= ct_towns.REGIONS_SINCE and year <= LAST_FORMER_CODES
    rows = [
        (state, county, codes.get((state, county), county))
        for state, county in counties.iter_rows()
        if not (former and state == ct_towns.STATE)
    ]
    if former and ct_towns.STATE in states:
        old = geographies(ct_towns.REGIONS_SINCE - 1, (ct_towns.STATE,)).filter(pl.col("level") == "county")
        rows += [(ct_towns.STATE, None, code) for code in old["geo"]]
    return pl.DataFrame(rows, schema=dict.fromkeys(("state", "county", "hud_county"), pl.String), orient="row")


def read(file: RawFile, year: int) -> Raw:
    """The workbook of a fiscal year: state, hud_county, town, name, limit_30, limit_50, limit_80; one row per area.

    `InputError` for a workbook of another fiscal year, a missing or moved column, codes that lost their zeros or do not
    agree with each other, limits that are no whole dollars or not in order, and an area listed twice.
    """
    raw = _sheet(file)
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    _refuse_other_year(raw, year)
    code = "fips" if "fips" in raw.frame.columns else "fips2010"
    raw.select(
        {code: "code", "state": "state", "county": "hud_county", "county_town_name": "name", **LIMITS},
    )
    raw.code("code", width=10, what="area code")
    _refuse_contradiction(raw)
    raw.frame = raw.frame.with_columns(
        pl.col("code").str.slice(0, 2).alias("state"),
        pl.col("code").str.slice(2, 3).alias("hud_county"),
        pl.col("code").str.slice(5, 5).alias("town"),
    )
    raw.code("state", width=2, allowed=[*BY_FIPS, *TERRITORIES], what="state")
    raw.refuse(pl.col("name") == "", "the area has no name", column="name")
    for limit in LIMITS.values():
        raw.number(limit, pl.Int64, minimum=1)
    for lower, higher in (("limit_30", "limit_50"), ("limit_50", "limit_80")):
        raw.refuse(pl.col(lower) > pl.col(higher), f"the limit is above that of {raw.file_names[higher]}", column=lower)
    raw.unique("code")
    return raw


def _sheet(file: RawFile) -> Raw:
    """The one sheet with limits; newer workbooks have a second one that describes the fields."""
    data = file.path.read_bytes()
    if file.path.suffix == ".gz":
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            problem = f"the gzip is damaged or truncated ({error})."
            raise InputError(problem, source=SOURCE.key, file=file.path.name) from error
    names = sheet_names(data, source=SOURCE.key, file=file.path.name)
    sheets = [name for name in names if name != "Field_Descriptions"]
    if len(sheets) != 1:
        raise InputError(f"one sheet of limits is expected; there are {names}.", source=SOURCE.key, file=file.path.name)
    return read_sheet(data, sheets[0], source=SOURCE.key, file=file.path.name)


def _refuse_other_year(raw: Raw, year: int) -> None:
    """The median's column is named after the fiscal year."""
    found = sorted(int(c.removeprefix("median")) for c in raw.frame.columns if re.fullmatch(r"median\d{4}", c))
    if not found:
        first = ", ".join([c for c in raw.frame.columns if c != "_row"][:4])
        problem = f"the column is missing; the first columns of row 1 are {first}."
        raise raw.error(problem, row=1, column=f"median{year}")
    if found != [year]:
        years = " and ".join(map(str, found))
        raise raw.error(f"the workbook is of fiscal year {years}, not {year}.", row=1, column=f"median{found[0]}")


def _refuse_contradiction(raw: Raw) -> None:
    """State and county stand in columns of their own, too; those of the older workbooks have no leading zeros."""
    code = pl.col("code")
    agree = (pl.col("state").str.zfill(2) == code.str.slice(0, 2)) & (
        (pl.col("hud_county").str.zfill(3) == code.str.slice(2, 3)) | (code.str.head(5) == "29056")
    )
    raw.refuse(~agree, "the area code does not agree with the columns of state and county", column="code")


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `hud_income_limits`: one row per county or New England town of the scope, for the counties of the year.

    Until 2024 HUD gives Connecticut's towns under the former counties; from 2022 on the town list moves them into their
    planning regions. Notes: rows of territories and other states left out, entries that are no county of the year left
    out, rows whose county code was brought to that of the year. Raises `InputError` if a county that HUD listed in
    that fiscal year is missing, or there is one that it did not.
    """
    (file,) = retrieval.obtain(SOURCE, str(year))
    raw = read(file, year)
    states = tuple(state.fips for state in within(retrieval.scope.states))
    territory = pl.col("state").is_in(list(TERRITORIES))
    inside = pl.col("state").is_in(list(states))
    counts = {
        "rows of territories left out": raw.frame.filter(territory).height,
        "rows of other states left out": raw.frame.filter(~territory & ~inside).height,
    }
    raw.frame = raw.frame.filter(inside)
    no_counties = [f"{s}{c}" for (s, c), years in NO_COUNTIES.items() if year in years]
    no_county = pl.col("code").str.head(5).is_in(no_counties)
    counts["rows of entries that are no county left out"] = raw.frame.filter(no_county).height
    raw.drop_rows(no_county)

    listed = listed_counties(year, states)
    _refuse_other_list(raw, listed, year)
    # A code of HUD stands for one county, or for the two that Valdez-Cordova became.
    table = raw.done().join(listed, on=["state", "hud_county"], how="inner", validate="m:m")
    if table["county"].null_count():
        (list_file,) = retrieval.obtain(ct_towns.SOURCE, ct_towns.VINTAGE)
        table = _in_regions(table, ct_towns.read(list_file.path), raw)
    counts["rows under a county code of the year instead of HUD's"] = table.filter(
        pl.col("county") != pl.col("hud_county")
    ).height
    counts["counties"] = table.select("state", "county").n_unique()
    retrieval.notes["hud_income_limits"] = counts
    return table.select(list(HudIncomeLimitsModel.to_schema().columns)).sort("state", "county", "town")


def _refuse_other_list(raw: Raw, listed: pl.DataFrame, year: int) -> None:
    """The workbook has the counties that HUD listed in that fiscal year."""
    key = ["state", "hud_county"]
    unknown = raw.frame.join(listed, on=key, how="anti").head(1)
    if unknown.height:
        row = unknown.row(0, named=True)
        code = f"{row['state']}-{row['hud_county']}"
        raise raw.error(f"{code} ({row['name']}) is no county of fiscal year {year}.", row=row["_row"], column="code")
    missing = listed.join(raw.frame, on=key, how="anti").sort(key)
    if missing.height:
        codes = ", ".join(f"{s}-{c}" for s, c in missing.select(key).unique().sort(key).head(10).iter_rows())
        problem = f"{missing.select(key).n_unique()} counties of fiscal year {year} are missing: {codes}."
        raise raw.error(problem, column="code")


def _in_regions(table: pl.DataFrame, towns: pl.DataFrame, raw: Raw) -> pl.DataFrame:
    """Connecticut's towns with their planning regions as counties. Every town must be in both lists."""
    here = pl.col("state") == ct_towns.STATE
    hud = table.filter(here)
    key = ["hud_county", "town"]
    regions = towns.select(pl.col("county").alias("hud_county"), "town", "region")
    for one, other, where in ((hud, regions, "the list of towns"), (regions, hud, "the workbook")):
        lost = one.join(other, on=key, how="anti").sort(key)
        if lost.height:
            code = "".join(lost.select(key).row(0))
            problem = f"{lost.height} of Connecticut's towns are not in {where}, the first is 09{code}."
            raise raw.error(problem, column="code")
    moved = hud.drop("county").join(regions, on=key, how="left", validate="1:1").rename({"region": "county"})
    return pl.concat([table.filter(~here), moved.select(table.columns)])


TABLES: Final = (
    Table(
        name="hud_income_limits",
        title="Federal income limits",
        description=(
            "HUD's extremely low, very low and low income limits of the fiscal year for a household of four, by county "
            "of the data year, in New England by town."
        ),
        model=HudIncomeLimitsModel,
        sources=(SOURCE.key, ct_towns.SOURCE.key),
        years=YEARS,
        build=build,
    ),
)
