"""Debt in America (Urban Institute): shares of adults with debt in collections, by county and for about 100 cities.

Every edition has a layout of its own. 2018 is not the publisher's workbook but the reference's table made from it, with
bounds from credit-bureau records that are not public: a frozen input. Method file financial_security.md, section 3.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.debt import ANY_DEBT, COLOR, MEDICAL, WHITE_SHARE, DebtCounty, DebtPlace
from schemas.labels import ALL
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS, BY_POSTAL
from sources.framework.strict import Raw
from sources.framework.workbook import read_grid, read_sheet
from sources.geography import geographies

COUNTY_YEARS: Final = (2018, 2022, 2023)
PLACE_YEARS: Final = (2021,)
_CATALOG: Final = "https://urban-data-catalog.s3.amazonaws.com/drupal-root-live"
_FROZEN_AT: Final = (
    "https://github.com/UI-Research/mobility-from-poverty/blob/d5d4c94d008d9df132c67331b2507d02729e1ba7/"
    "01_financial-well-being/share_debt_2018_long.csv"
)
# The figures stand side by side in this order in every edition.
_GROUPS: Final = (ALL, COLOR, WHITE_SHARE)
_LABELS_2018: Final = {"All": ALL, "Majority Non-White": COLOR, "Majority White": WHITE_SHARE}
_MISSING_2022: Final = ("n/a*", "n/a**", "")
_MISSING: Final = ("NA", "")

# The publisher's names of cities that are not the official ones without their last word.
_OTHERWISE_NAMED: Final[dict[tuple[str, str], str]] = {
    ("HI", "Honolulu"): "71550",
    ("ID", "Boise"): "08830",
    ("IN", "Indianapolis"): "36003",
    ("KY", "Lexington-Fayette"): "46027",
    ("KY", "Louisville"): "48006",
    ("TN", "Nashville-Davidson"): "52006",
    # Census-designated places, which no list of cities has.
    ("NV", "Paradise"): "54600",
    ("NV", "Sunrise Manor"): "71400",
    ("VA", "Arlington"): "03000",
}

# Not downloaded by the program: it is no publication of the agency, so a person decides to take it and answers for it.
FILE_2018: Final = SourceFile("share_debt_2018_long.csv", "csv", min_bytes=100)
FILE_2021: Final = SourceFile(
    "3_city_financial_health_metrics_b.xlsx",
    "xlsx",
    url=f"{_CATALOG}/2022/12/05/3_city_financial_health_metrics_b.xlsx",
)
FILE_2022: Final = SourceFile(
    "county_dia_delinquency_ 7 Jun 2022.xlsx",
    "xlsx",
    url=f"{_CATALOG}/2022/06/16/county_dia_delinquency_%207%20Jun%202022.xlsx",
    accept=("county_dia_delinquency_7 Jun 2022.xlsx", "county_dia_delinquency_%207%20Jun%202022.xlsx"),
)
FILE_2023: Final = SourceFile(
    "dia_lbls_all_overall_county_2023_1Jul2024.xlsx",
    "xlsx",
    url="https://datacatalog.urban.org/dataset/debt-america-2024",
    link=r"https?://[^\"'\s>]+/dia_lbls_all_overall_county_2023[^\"'\s>]*\.xlsx",
)

SOURCE: Final = Source(
    key="debt_in_america",
    agency="Urban Institute",
    dataset="Debt in America (county workbooks) and Financial Health and Wealth Dashboard (city workbook)",
    citation="Urban Institute, Debt in America, and Financial Health and Wealth Dashboard, Urban Data Catalog.",
    licence="ODC Attribution License (ODC-BY); aggregates of credit-bureau records",
    redistribute=False,
    landing_page="https://datacatalog.urban.org/dataset/debt-america-2024",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(
            "2018",
            (FILE_2018,),
            (2018,),
            note=(
                "Credit records of August 2018, 2 percent sample. The reference's own table; its bounds come from "
                "records that are not public."
            ),
            page=_FROZEN_AT,
            recipe=(
                "A frozen input: it cannot be made again and has no newer edition. Take the file as it stands at this "
                "commit (button for the raw file), 3 rows for each of 3,142 counties, and leave it unchanged."
            ),
        ),
        Vintage("2021", (FILE_2021,), (2021,), published="2022-12", note="Credit records of August 2021, 4 percent."),
        Vintage("2022", (FILE_2022,), (2022,), published="2022-06", note="Credit records of February 2022, 4 percent."),
        Vintage("2023", (FILE_2023,), (2023,), published="2024-07", note="Credit records of August 2023."),
    ),
    recipe="Take the county workbook on overall debt from the edition's page in the Urban Data Catalog.",
    usual_release="irregular",
)


def build_debt_county(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `debt_county` of a year, on the publisher's county list; notes count counties and withheld shares."""
    (file,) = retrieval.obtain(SOURCE, str(year))
    # Later editions are laid out as that of 2023.
    table = {2018: read_2018, 2022: read_2022}.get(year, read_2023)(file)
    listed = _listed("county", year, retrieval)
    here = table.select("state", "county").unique()
    key = ["state", "county"]
    stray, lacking = here.join(listed, on=key, how="anti"), listed.join(here, on=key, how="anti")
    retrieval.notes["debt_county"] = {
        "counties": here.height,
        "shares withheld": table["share"].null_count(),
        "counties that the year's list does not have": sorted(stray["state"] + stray["county"]),
        "counties of the year's list without a row": sorted(lacking["state"] + lacking["county"]),
    }
    return table


def build_debt_place(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `debt_place` of a year; notes count cities, those that are not listed by name, and withheld shares."""
    (file,) = retrieval.obtain(SOURCE, str(year))
    table = read_2021(file, year)
    listed = _listed("place", year, retrieval)
    cities = table.select("state", "place", "city").unique()
    stray = cities.join(listed, on=["state", "place"], how="anti").sort("city")
    retrieval.notes["debt_place"] = {
        "cities": cities.height,
        "shares withheld": table["share"].null_count(),
        "cities that the year's list does not have": stray["city"].to_list(),
    }
    return table


def _listed(level: str, year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The counties or places of the year and the scope: state, and county or place."""
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == level)
    return listed.select("state", pl.col("geo").alias(level))


def read_2018(file: RawFile) -> pl.DataFrame:
    """The reference's table of 2018: one row per county and neighborhood type, with bounds.

    A row without share and quality is a county that the publisher does not have: left out. One without share but with
    quality 3 is withheld.
    """
    raw = Raw.csv(file.path, source=SOURCE.key)
    raw.select(
        {
            "year": "year",
            "state": "state",
            "county": "county",
            "subgroup": "subgroup",
            "share_debt_coll": "share",
            "share_debt_coll_lb": "lb",
            "share_debt_coll_ub": "ub",
            "share_debt_coll_quality": "quality",
        }
    )
    raw.refuse(pl.col("year") != "2018", "not the year 2018", column="year")
    raw.code("state", width=2, allowed=BY_FIPS, what="state").code("county", width=3, what="county")
    raw.category("subgroup", list(_LABELS_2018), what="neighborhood type")
    raw.category("quality", ["1", "3", *_MISSING], what="quality")
    for column in ("share", "lb", "ub"):
        raw.number(column, minimum=0, maximum=1, missing=_MISSING)
    raw.refuse(
        pl.col("share").is_null() != (pl.col("quality") != "1"),
        "share and quality contradict each other",
        column="quality",
    )
    raw.drop_rows(pl.col("share").is_null() & pl.col("quality").is_in(_MISSING))
    raw.frame = raw.frame.with_columns(pl.col("subgroup").replace_strict(_LABELS_2018), debt=pl.lit(ANY_DEBT))
    raw.unique("state", "county", "subgroup")
    return _county_table(raw)


def read_2022(file: RawFile) -> pl.DataFrame:
    """The county workbook of June 2022, by position: B the county, D to F the shares."""
    raw = read_grid(_bytes(file), source=SOURCE.key, file=file.path.name)
    _need(raw, "F")
    head = raw.frame.row(0, named=True)
    if head["B"].upper() != "GEOID":
        raise raw.error(f"GEOID is expected at the head of the column (found {head['B']!r}).", row=1, column="B")
    raw.drop_rows(pl.col("B") == head["B"])
    raw.select({"B": "geoid", **dict(zip("DEF", _GROUPS, strict=True))})
    raw.frame = _split_code(raw).with_columns(debt=pl.lit(ANY_DEBT))
    return _unpivoted(raw, _MISSING_2022)


def read_2023(file: RawFile) -> pl.DataFrame:
    """The county workbook on overall debt of July 2024, by header; it repeats the shares of the medical workbook."""
    book = read_sheet(_bytes(file), "Sheet1", source=SOURCE.key, file=file.path.name)
    tables = []
    for debt, word in ((ANY_DEBT, "any"), (MEDICAL, "medical")):
        raw = Raw(book.frame, source=book.source, file=book.file)
        share = f"Share with {word} debt in collections"
        headers = (f"{share}, All", f"{share}, Comm of color", f"{share}, White comm")
        raw.select({"County FIPS": "geoid", **dict(zip(headers, _GROUPS, strict=True))})
        raw.frame = _split_code(raw).with_columns(debt=pl.lit(debt))
        tables.append(_unpivoted(raw, _MISSING))
    return pl.concat(tables).sort("state", "county", "debt", "subgroup")


def read_2021(file: RawFile, year: int) -> pl.DataFrame:
    """The city workbook of December 2022, by position: A the city, C its state, AH to AJ the shares."""
    raw = read_grid(_bytes(file), source=SOURCE.key, file=file.path.name)
    _need(raw, "AJ")
    raw.drop_rows((pl.col("B") == "") | (pl.col("A").str.to_lowercase() == "city name"))
    if raw.frame.height == 0:
        raise raw.error("there are no cities.", column="A")
    raw.select({"A": "city", "C": "postal", **dict(zip(("AH", "AI", "AJ"), _GROUPS, strict=True))})
    raw.category("postal", list(BY_POSTAL), what="state")
    raw.refuse(
        ~pl.col("city").str.ends_with(pl.lit(", ") + pl.col("postal")), "the city is not of the state", column="city"
    )
    raw.unique("city")
    fips = {postal: state.fips for postal, state in BY_POSTAL.items()}
    raw.frame = raw.frame.with_columns(
        state=pl.col("postal").replace_strict(fips), short=pl.col("city").str.replace(r", [A-Z]{2}$", "")
    ).join(_city_codes(year), on=["state", "short"], how="left", validate="m:1")
    raw.refuse(pl.col("place").is_null(), "no place of that name is known", column="city")
    for group in _GROUPS:
        raw.number(group, minimum=0, maximum=1, missing=_MISSING)
    return (
        raw.done()
        .unpivot(on=_GROUPS, index=["state", "place", "city"], variable_name="subgroup", value_name="share")
        .select("state", "place", "city", "subgroup", "share")
        .sort("state", "place", "subgroup")
    )


def _city_codes(year: int) -> pl.DataFrame:
    """The publisher's short name of each city: state, short, place."""
    named = pl.DataFrame(
        [(BY_POSTAL[postal].fips, short, place) for (postal, short), place in _OTHERWISE_NAMED.items()],
        schema=["state", "short", "place"],
        orient="row",
    )
    listed = geographies(year).filter(pl.col("level") == "place")
    usual = listed.select(
        "state", pl.col("name").str.replace(r" (city|town|village|municipality)$", "").alias("short"), place="geo"
    )
    return pl.concat([usual.join(named, on=["state", "place"], how="anti"), named])


def _split_code(raw: Raw) -> pl.DataFrame:
    """The rows with state and county from the 5-digit code."""
    raw.code("geoid", width=5, what="county code")
    raw.frame = raw.frame.with_columns(state=pl.col("geoid").str.head(2), county=pl.col("geoid").str.tail(3))
    raw.refuse(~pl.col("state").is_in(list(BY_FIPS)), "the state is unknown", column="geoid")
    raw.unique("geoid")
    return raw.frame


def _unpivoted(raw: Raw, missing: tuple[str, ...]) -> pl.DataFrame:
    """One row per county and neighborhood type from three columns side by side."""
    for group in _GROUPS:
        raw.number(group, minimum=0, maximum=1, missing=missing)
    raw.frame = raw.frame.unpivot(
        on=_GROUPS, index=["state", "county", "debt", "_row"], variable_name="subgroup", value_name="share"
    ).with_columns(lb=pl.lit(None, dtype=pl.Float64), ub=pl.lit(None, dtype=pl.Float64))
    return _county_table(raw)


def _county_table(raw: Raw) -> pl.DataFrame:
    columns = ["state", "county", "debt", "subgroup", "share", "lb", "ub"]
    return raw.done().select(columns).sort("state", "county", "debt", "subgroup")


def _bytes(file: RawFile) -> bytes:
    return file.path.read_bytes()


def _need(raw: Raw, column: str) -> None:
    """The sheet must reach as far as that column."""
    if column not in raw.frame.columns:
        raise raw.error("the sheet ends before this column.", column=column)


TABLES: Final = (
    Table(
        name="debt_county",
        title="Debt in collections by county and neighborhood type",
        description=(
            "Share of adults with a credit record who have any debt, and medical debt (2023), in collections. Null "
            "where fewer than 50 records stand behind it, or no neighborhood of the type exists."
        ),
        model=DebtCounty,
        sources=(SOURCE.key,),
        years=COUNTY_YEARS,
        build=build_debt_county,
    ),
    Table(
        name="debt_place",
        title="Derogatory debt by city and neighborhood type",
        description="Share of adults with a credit record who have derogatory debt, which is more than collections.",
        model=DebtPlace,
        sources=(SOURCE.key,),
        years=PLACE_YEARS,
        build=build_debt_place,
    ),
)
