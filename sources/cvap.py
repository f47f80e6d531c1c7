"""Citizens of voting age: the Census Bureau's special tabulation (CVAP), the table `cvap`."""

from __future__ import annotations

import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.elections import CvapModel
from schemas.errors import InputError
from schemas.labels import GEO_WIDTH, Level
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS, PUERTO_RICO
from sources.framework.strict import Raw
from sources.geography import geographies

_BASE: Final = "https://www2.census.gov/programs-surveys/decennial/rdo/datasets"
DATA_YEARS: Final = (2016, 2020)
MEMBERS: Final[dict[Level, str]] = {"county": "County.csv", "place": "Place.csv"}
SUMMARY_LEVEL: Final[dict[Level, str]] = {"county": "050", "place": "160"}
EVERYBODY: Final = "Total"
# Names of places are Latin-1; the figures that are read are ASCII.
ENCODING: Final = "latin-1"
COLUMNS: Final = {"lntitle": "group", "geoid": "geoid", "cvap_est": "cvap", "cvap_moe": "cvap_moe"}


def file_name(year: int) -> str:
    """The agency's file for the five years that end in `year`."""
    return f"CVAP_{year - 4}-{year}_ACS_csv_files.zip"


SOURCE: Final = Source(
    key="cvap",
    agency="U.S. Census Bureau",
    dataset="Citizen Voting Age Population (CVAP) special tabulation from the 5-year American Community Survey",
    citation="U.S. Census Bureau, Citizen Voting Age Population by Race and Ethnicity, special tabulation.",
    licence="Public domain (U.S. government work)",
    redistribute=True,
    landing_page="https://www.census.gov/programs-surveys/decennial-census/about/voting-rights/cvap.html",
    access=Access.DOWNLOAD,
    vintages=tuple(
        Vintage(
            key=f"{year}",
            files=(
                SourceFile(file_name(year), "zip", url=f"{_BASE}/{year}/{year}-cvap/{file_name(year)}", min_bytes=1000),
            ),
            data_years=(year,),
            note=f"Interviews of {year - 4}-{year}; the archive's County.csv and Place.csv are read.",
        )
        for year in DATA_YEARS
    ),
    recipe="From the landing page take the CSV files of the five years that end in the election's year.",
    usual_release="February of the second following year",
)


@dataclass(frozen=True)
class Reading:
    """Citizens of voting age of one level, and how many rows were left out."""

    frame: pl.DataFrame
    counts: dict[str, int]


def read_level(path: Path, level: Level, scratch: Path) -> Reading:
    """One level of the archive: level, state, geo, cvap, cvap_moe (Int64), one row per area of the 50 states and DC.

    Headers may be in capitals (2016) or not (2020), codes with a component of two digits or four. Refused: an area
    listed twice, an area without a row for everybody, figures that are negative or no numbers, an unknown state.
    """
    member = MEMBERS[level]
    text = scratch / f"{path.stem}-{os.getpid()}-{member}"
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).name.lower(): name for name in archive.namelist()}
            if member.lower() not in names:
                raise InputError(f"{member} is not in the archive.", source=SOURCE.key, file=path.name)
            text.write_bytes(archive.read(names[member.lower()]))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        problem = f"the zip is damaged or truncated ({error})."
        raise InputError(problem, source=SOURCE.key, file=path.name) from error
    try:
        raw = Raw.csv(text, source=SOURCE.key, encoding=ENCODING, file=f"{path.name}/{member}")
    finally:
        text.unlink(missing_ok=True)
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    raw.select(COLUMNS)
    width = GEO_WIDTH[level]
    pattern = rf"^{SUMMARY_LEVEL[level]}\d{{2,4}}US(\d{{{2 + width}}})$"
    code = pl.col("geoid").str.extract(pattern, 1)
    raw.refuse(code.is_null(), f"not the identifier of a {level}", column="geoid")
    raw.frame = raw.frame.with_columns(state=code.str.head(2), geo=code.str.slice(2))
    areas = raw.frame.select("state", "geo").n_unique()
    raw.refuse(~pl.col("state").is_in([*BY_FIPS, PUERTO_RICO]), "the state is unknown", column="geoid")
    rows = raw.frame.height
    raw.drop_rows(pl.col("group") != EVERYBODY)
    groups = rows - raw.frame.height
    if raw.frame.height < areas:
        raise raw.error(f"{areas - raw.frame.height} areas have no row {EVERYBODY!r}.", column="group")
    raw.unique("state", "geo")
    for column in ("cvap", "cvap_moe"):
        raw.number(column, pl.Int64, minimum=0)
    frame = raw.done()
    kept = frame.filter(pl.col("state") != PUERTO_RICO)
    counts = {"rows of groups left out": groups, "rows of Puerto Rico left out": frame.height - kept.height}
    columns = (pl.lit(level).alias("level"), "state", "geo", "cvap", "cvap_moe")
    return Reading(kept.select(columns).sort("state", "geo"), counts)


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `cvap`: the counties and listed places of the year and the scope; what else there is, is counted."""
    (file,) = retrieval.obtain(SOURCE, str(year))
    listed = geographies(year, retrieval.scope.states).select("level", "state", "geo")
    notes: dict[str, object] = {}
    parts = []
    for level in MEMBERS:
        reading = read_level(file.path, level, retrieval.scratch)
        kept = reading.frame.join(listed, on=["level", "state", "geo"], how="semi")
        wanted = listed.filter(pl.col("level") == level)
        notes[level] = {
            **reading.counts,
            "not listed, left out": reading.frame.height - kept.height,
            "listed, without rows": wanted.height - kept.height,
        }
        parts.append(kept)
    retrieval.notes["cvap"] = notes
    return pl.concat(parts).sort("level", "state", "geo")


TABLES: Final = (
    Table(
        name="cvap",
        title="Citizens of voting age",
        description=(
            "Citizens aged 18 and over by county and listed place, estimated from five years of interviews, with "
            "margins of error."
        ),
        model=CvapModel,
        sources=(SOURCE.key,),
        years=DATA_YEARS,
        build=build,
    ),
)
