"""IPUMS factors to constant 1999 dollars (CPI99): the table `cpi99`.

Multiplying an amount of a year by its factor gives 1999 dollars. The factors are the ratio of two annual averages of
the Consumer Price Index for All Urban Consumers, of 1999 and of the year, to three decimals; they are compared with the
project's own averages, since IPUMS once had a wrong one on its page (0.690 for 2015). The published series are in
dollars of their own year: no figure is made from this table, it is there to compare amounts of different years.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from schemas.wages import Cpi99
from sources.cpi import HELD_FILE, read_csv
from sources.framework.declare import Access, Source, SourceFile, Table, Vintage
from sources.framework.retrieve import Retrieval
from sources.framework.strict import ROW, Raw

KEY: Final = "cpi99"
VINTAGE: Final = "current"
FILE: Final = "cpi99.csv"
DATA_YEARS: Final = tuple(range(2014, 2024))
INDEX_1999: Final = 166.6
"""Annual average of the CPI-U (CUUR0000SA0) in 1999, 1982-84 = 100."""

_DECIMALS: Final = 3
# Half of the last decimal, and as much again for an average that BLS printed with one decimal before 2007.
_TOLERANCE: Final = 0.001

SOURCE: Final = Source(
    key=KEY,
    agency="IPUMS, University of Minnesota",
    dataset="IPUMS USA, CPI99: CPI-U adjustment factors to 1999 dollars",
    citation=(
        "Steven Ruggles, Sarah Flood, Matthew Sobek, et al. IPUMS USA [dataset]. Minneapolis, MN: IPUMS. "
        "https://doi.org/10.18128/D010"
    ),
    licence="IPUMS terms of use: citation",
    redistribute=True,
    landing_page="https://usa.ipums.org/usa/cpi99.shtml",
    access=Access.PERSON,
    vintages=(
        Vintage(
            VINTAGE,
            files=(SourceFile(FILE, "csv"),),
            data_years=DATA_YEARS,
            note="Optional: no published figure needs it.",
        ),
    ),
    recipe=(
        "Copy the table of factors from the page into a CSV with the header year,cpi99 (the year, and the factor that "
        "an amount of that year is multiplied with), one line per year."
    ),
    usual_release="with the 1-year sample, in autumn",
)


def read(path: Path) -> pl.DataFrame:
    """The factors by year: year, cpi99. Raises `InputError`, also for a factor that is not the ratio of the indexes."""
    raw = Raw.csv(path, source=KEY).select(("year", "cpi99"))
    raw.number("year", pl.Int16, minimum=1850, maximum=2100).unique("year")
    raw.number("cpi99", minimum=0.001, maximum=100)
    if raw.frame.height == 0:
        raise raw.error("the file has a header but no rows.")
    index = read_csv(HELD_FILE).select("year", (INDEX_1999 / pl.col("cpi_u")).round(_DECIMALS).alias("expected"))
    # 1:1, years are unique on both sides; other years cannot be compared.
    compared = raw.frame.join(index, on="year", how="inner", validate="1:1")
    wrong = compared.filter((pl.col("cpi99") - pl.col("expected")).abs() > _TOLERANCE).sort("year").head(1)
    for row in wrong.iter_rows(named=True):
        raise raw.error(
            f"the factor of {row['year']} is {row['cpi99']}, but the price index of 1999 divided by that of the year "
            f"is {row['expected']}.",
            row=row[ROW],
            column="cpi99",
        )
    return raw.done().sort("year")


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """`cpi99`: all years there are. Raises `InputError` if `year` is not among them, `OwedError` without the file."""
    (file,) = retrieval.obtain(SOURCE, VINTAGE)
    table = read(file.path)
    if table.filter(pl.col("year") == year).is_empty():
        raise Raw(table, source=KEY, file=file.path.name).error(f"there is no factor of {year}.", column="year")
    return table


TABLES: Final = (
    Table(
        name="cpi99",
        title="Factors to 1999 dollars (CPI99)",
        description="What an amount of a year is multiplied with to be in 1999 dollars: one row per year.",
        model=Cpi99,
        sources=(KEY,),
        years=DATA_YEARS,
        build=build,
    ),
)
