"""Consumer Price Index for All Urban Consumers (BLS): the table `cpi`.

The annual averages up to 2023 are part of the project (`cpi_u.csv` beside this module; BLS, "Consumer Price Index,
Annual and Semi-Annual, U.S. city average", series CUUR0000SA0), so no network is needed. The agency's API answer, if
the store holds it, takes precedence and brings later years. Of the first-half averages only 2022 is kept: the
reference takes it for the year's.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import InputError
from schemas.wages import Cpi
from sources.framework.declare import Access, Source, SourceFile, Table, Vintage
from sources.framework.retrieve import RawFile, Retrieval
from sources.framework.strict import Raw, read_bytes

SOURCE_KEY: Final = "cpi"
SERIES: Final = "CUUR0000SA0"
DATA_YEARS: Final = (2014, 2018, 2021, 2022, 2023)
HELD: Final = "annual-averages"
HELD_FILE: Final = Path(__file__).with_name("cpi_u.csv")
API: Final = "bls-api"
# How BLS publishes the index and its averages since 2007.
DECIMALS: Final = 3
MONTHS: Final = tuple(f"M{month:02d}" for month in range(1, 13))
ANNUAL: Final = "M13"
FIRST_HALF: Final = "S01"
NOT_PUBLISHED: Final = "-"

SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="U.S. Bureau of Labor Statistics",
    dataset="Consumer Price Index for All Urban Consumers (CPI-U), U.S. city average, all items, unadjusted",
    citation=f"U.S. Bureau of Labor Statistics, Consumer Price Index, series {SERIES}, annual averages.",
    licence="Public domain (work of the U.S. government).",
    redistribute=True,
    landing_page="https://www.bls.gov/regions/mid-atlantic/data/consumerpriceindexannualandsemiannual_table.htm",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(HELD, files=(), data_years=DATA_YEARS, note="Part of the project: nothing to fetch."),
        Vintage(
            API,
            files=(
                SourceFile(
                    f"{SERIES}.json",
                    "json",
                    url=f"https://api.bls.gov/publicAPI/v2/timeseries/data/{SERIES}?startyear=2014&endyear=2023",
                ),
            ),
            data_years=(),
            note="Used instead of the project's own averages if the store holds it.",
        ),
    ),
    usual_release="January, for the year before",
)


def read_csv(path: Path) -> pl.DataFrame:
    """The small CSV form: columns year, cpi_u, cpi_u_first_half (may be blank). Raises `InputError`."""
    raw = Raw.csv(path, source=SOURCE_KEY).select(("year", "cpi_u", "cpi_u_first_half"))
    raw.number("year", pl.Int16, minimum=1913, maximum=2100).unique("year")
    raw.number("cpi_u", minimum=0.001).number("cpi_u_first_half", minimum=0.001, missing=("",))
    return raw.done().sort("year")


def read_json(path: Path) -> pl.DataFrame:
    """An answer of the BLS API for the one series: year, cpi_u, cpi_u_first_half.

    The year's average is the agency's own (period M13) if the answer has it, else the mean of the twelve months to
    three decimals, as the agency forms it; likewise the first half (S01, else the mean of six months). A year with
    fewer months has no row. Raises `InputError`.
    """
    observations = _observations(path)
    frame = pl.DataFrame(
        observations, schema={"year": pl.String, "period": pl.String, "value": pl.String}, orient="row", strict=False
    )
    raw = Raw(frame, source=SOURCE_KEY, file=path.name, first_row=1)
    raw.category("period", (*MONTHS, ANNUAL, FIRST_HALF, "S02", "S03"), what="period")
    raw.number("year", pl.Int16, minimum=1913, maximum=2100)
    raw.number("value", minimum=0.001, missing=(NOT_PUBLISHED,)).unique("year", "period")
    value, period = pl.col("value"), pl.col("period")

    def average(stated: str, months: tuple[str, ...]) -> pl.Expr:
        """The stated average, else the mean of these months if all are there."""
        known = value.filter(period.is_in(months) & value.is_not_null())
        mean = pl.when(known.len() == len(months)).then(known.mean().round(DECIMALS))
        return pl.coalesce(value.filter(period == stated).first(), mean)

    return (
        raw.done()
        .group_by("year")
        .agg(cpi_u=average(ANNUAL, MONTHS), cpi_u_first_half=average(FIRST_HALF, MONTHS[:6]))
        .drop_nulls("cpi_u")
        .sort("year")
    )


def _observations(path: Path) -> list[tuple[Any, Any, Any]]:
    """(year, period, value) of every observation in the API's answer."""
    try:
        answer = json.loads(read_bytes(path, source=SOURCE_KEY))
    except json.JSONDecodeError as error:
        problem = f"this is not JSON: {error.msg}."
        raise InputError(problem, source=SOURCE_KEY, file=path.name, row=error.lineno) from error
    if not isinstance(answer, dict) or answer.get("status") != "REQUEST_SUCCEEDED":
        status = answer.get("status") if isinstance(answer, dict) else None
        message = answer.get("message") if isinstance(answer, dict) else None
        problem = f"the API did not answer the request (status {status!r}, message {message!r})."
        raise InputError(problem, source=SOURCE_KEY, file=path.name, column="status")
    try:
        found = [series for series in answer["Results"]["series"] if series["seriesID"] == SERIES]
        observations = [(o["year"], o["period"], o["value"]) for series in found for o in series["data"]]
    except (KeyError, TypeError) as error:
        problem = f"the answer lacks Results / series / data / year, period, value ({error})."
        raise InputError(problem, source=SOURCE_KEY, file=path.name) from error
    if not observations:
        raise InputError(f"the answer holds no figures of series {SERIES}.", source=SOURCE_KEY, file=path.name)
    return observations


def _held_file() -> RawFile:
    """The project's own averages, as a file that a table was made from."""
    data = HELD_FILE.read_bytes()
    return RawFile(
        source=SOURCE_KEY,
        vintage=HELD,
        name=HELD_FILE.name,
        path=HELD_FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        how="part of the project",
        url=SOURCE.landing_page,
    )


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """`cpi`: all years there are (a year's wages are put into its dollars from those of another year)."""
    held = read_csv(HELD_FILE)
    table, vintage = held, HELD
    # The newest answer of the API that the store holds; a later year must come from one.
    answers = [v.key for v in reversed(SOURCE.vintages) if v.files]
    wanted = next((key for key in answers if retrieval.has(SOURCE, key)), None)
    if wanted is None and held.filter(pl.col("year") == year).height == 0:
        wanted = next((v.key for v in SOURCE.vintages if v.files and year in v.data_years), None)
    if wanted is not None:
        (file,) = retrieval.obtain(SOURCE, wanted)
        answer = read_json(file.path)
        lacking = held.join(answer, on="year", how="anti")
        # All amounts rest on one edition of the index, unless the answer leaves out years that the project holds.
        table, vintage = pl.concat([answer, lacking]).sort("year"), wanted
        if lacking.height == 0:
            held = lacking
    if held.height:
        retrieval.used.append(_held_file())
    if table.filter(pl.col("year") == year).height == 0:
        raise InputError(f"there is no annual average of {year}.", source=SOURCE_KEY, column="year")
    retrieval.notes["cpi"] = {"vintage": vintage, "years": table.height}
    return table


TABLES: Final = (
    Table(
        name="cpi",
        title="Consumer prices (CPI-U), annual averages",
        description="Consumer Price Index for All Urban Consumers, U.S. city average, 1982-84 = 100: one row per year.",
        model=Cpi,
        sources=(SOURCE_KEY,),
        years=DATA_YEARS,
        build=build,
        # The held averages belong to the code: tables are made again when they change.
        version=hashlib.sha256(HELD_FILE.read_bytes()).hexdigest()[:12],
    ),
)
