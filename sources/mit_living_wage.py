"""MIT Living Wage Calculator: the table `mit_living_wage`.

The program never visits the calculator's site: a person asks for the data and hands the file in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.wages import STATES, MitLivingWage
from sources.framework.declare import Access, Source, SourceFile, Table, Vintage
from sources.framework.retrieve import Retrieval
from sources.framework.strict import ROW, Raw

SOURCE_KEY: Final = "mit_living_wage"
FAMILY: Final = {"adults": "1 Adult", "children": "2 Children"}
ADULTS: Final = ("1 Adult", "2 Adults (1 Working)", "2 Adults (Both Working)")
CHILDREN: Final = ("0 Children", "1 Child", "2 Children", "3 Children")
# A county for which the calculator shows no figure.
NO_FIGURE: Final = "NA"


@dataclass(frozen=True)
class Edition:
    """One snapshot of the calculator. `all_families`: one row per county and family type, else one row per county."""

    dollars_year: int
    file: str
    data_years: tuple[int, ...]
    all_families: bool

    @property
    def key(self) -> str:
        """The vintage key."""
        return f"{self.dollars_year}-dollars"


EDITIONS: Final = (
    Edition(2019, "mit-living-wage.csv", (2014, 2018), all_families=True),
    Edition(2022, "mit-living-wage-2022.csv", (2021, 2022), all_families=True),
    Edition(2023, "mit-living-wage-2023.csv", (2023,), all_families=False),
)
DATA_YEARS: Final = tuple(sorted(year for edition in EDITIONS for year in edition.data_years))

SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="Massachusetts Institute of Technology, Living Wage Institute",
    dataset="Living Wage Calculator, hourly living wage by county, one working adult with two children",
    citation="Glasmeier, Amy K., Living Wage Calculator, Massachusetts Institute of Technology, livingwage.mit.edu.",
    licence="Terms of use of the calculator: bulk use by permission only; values may not be passed on.",
    redistribute=False,
    landing_page="https://livingwage.mit.edu",
    access=Access.PERSON,
    vintages=tuple(
        Vintage(
            key=edition.key,
            files=(SourceFile(edition.file, "csv"),),
            data_years=edition.data_years,
            note=f"Wages in dollars of {edition.dollars_year}.",
        )
        for edition in EDITIONS
    ),
    recipe=(
        "Ask the Living Wage Institute for the county file (contact form on the landing page); its terms do not allow "
        "copying the pages by program. Save a UTF-8 CSV under the name above. Editions 2019 and 2022: columns state "
        "(2 digits), county (3 digits), adults, children, wage, with the calculator's twelve family types, for example "
        "'1 Adult' and '2 Children'. Edition 2023: columns state_fips, county_fips_short, hourly_living_wage, for one "
        "working adult with two children. Write NA where the calculator has no figure."
    ),
    usual_release="irregular; a new edition about once a year",
)


def read_all_families(path: Path) -> tuple[Raw, dict[str, int]]:
    """Editions with all family types, limited to ours: columns state, county, hourly_wage; and counts.

    The file's own year column is wrong in every edition seen and is not read. Rows that repeat an earlier one word for
    word are dropped and counted; rows of one county and family that disagree are refused. Raises `InputError`.
    """
    raw = Raw.csv(path, source=SOURCE_KEY)
    raw.select(
        {"state": "state", "county": "county", "adults": "adults", "children": "children", "wage": "hourly_wage"}
    )
    raw.category("adults", ADULTS, what="family type").category("children", CHILDREN, what="family type")
    _check_county(raw)
    raw.number("hourly_wage", minimum=0.01, maximum=1000, missing=(NO_FIGURE,))
    read = raw.frame.height
    raw.frame = raw.frame.unique([c for c in raw.frame.columns if c != ROW], keep="first", maintain_order=True)
    counts = {"rows read": read, "repeated rows dropped": read - raw.frame.height}
    raw.unique("state", "county", "adults", "children")
    raw.drop_rows((pl.col("adults") != FAMILY["adults"]) | (pl.col("children") != FAMILY["children"]))
    counts["rows of other family types left out"] = read - counts["repeated rows dropped"] - raw.frame.height
    return raw.select(("state", "county", "hourly_wage")), counts


def read_our_family(path: Path) -> tuple[Raw, dict[str, int]]:
    """The edition that holds our family type only: columns state, county, hourly_wage; and counts.

    Its codes stand in columns of their own and may have lost their leading zeros. Raises `InputError`.
    """
    raw = Raw.csv(path, source=SOURCE_KEY)
    raw.select({"state_fips": "state", "county_fips_short": "county", "hourly_living_wage": "hourly_wage"})
    _check_county(raw, pad=True)
    raw.number("hourly_wage", minimum=0.01, maximum=1000, missing=(NO_FIGURE,))
    read = raw.frame.height
    raw.frame = raw.frame.unique([c for c in raw.frame.columns if c != ROW], keep="first", maintain_order=True)
    raw.unique("state", "county")
    return raw, {"rows read": read, "repeated rows dropped": read - raw.frame.height}


def _check_county(raw: Raw, *, pad: bool = False) -> None:
    raw.code("state", width=2, pad=pad, allowed=STATES, what="state code")
    raw.code("county", width=3, pad=pad, what="county code")


def read(path: Path, edition: Edition) -> tuple[pl.DataFrame, dict[str, int]]:
    """One edition as the table `mit_living_wage`, and what was left out of it, counted. Raises `InputError`."""
    raw, counts = read_all_families(path) if edition.all_families else read_our_family(path)
    if raw.frame.height == 0:
        raise InputError("no row for 1 Adult with 2 Children.", source=SOURCE_KEY, file=path.name)
    counts["counties without a figure"] = raw.frame["hourly_wage"].null_count()
    table = (
        raw.done()
        .drop_nulls("hourly_wage")
        .with_columns(pl.lit(edition.dollars_year, dtype=pl.Int16).alias("dollars_year"))
        .sort("state", "county")
    )
    return table, {**counts, "counties": table.height}


def edition_of(year: int) -> Edition:
    """The edition of a data year. A later one is laid out as the newest known, in dollars of the year in its key."""
    known = next((e for e in EDITIONS if year in e.data_years), None)
    if known is not None:
        return known
    vintage = next((v for v in SOURCE.vintages if year in v.data_years), None)
    if vintage is None:
        raise InputError(f"no edition is declared for {year}.", source=SOURCE_KEY)
    dollars = int(vintage.key.removesuffix("-dollars"))
    return Edition(dollars, vintage.files[0].name, vintage.data_years, EDITIONS[-1].all_families)


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """`mit_living_wage` of the year, from the edition that the method uses for it."""
    edition = edition_of(year)
    (file,) = retrieval.obtain(SOURCE, edition.key)
    table, counts = read(file.path, edition)
    retrieval.notes["mit_living_wage"] = {"vintage": edition.key, **counts}
    return table


TABLES: Final = (
    Table(
        name="mit_living_wage",
        title="Hourly living wage",
        description=(
            "MIT Living Wage Calculator: hourly living wage of one working adult with two children, "
            "one row per county, in dollars of dollars_year."
        ),
        model=MitLivingWage,
        sources=(SOURCE_KEY,),
        years=DATA_YEARS,
        build=build,
    ),
)
