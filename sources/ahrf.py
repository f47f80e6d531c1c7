"""HRSA Area Health Resources Files: primary care physicians and population by county. Method file health_access.md.

A release is a zip with one county table of several thousand columns, as a SAS file or as CSV. Releases up to 2021-2022
have columns named by field numbers and all years; later ones have worded names and only the newest years, so history
comes from the older release.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.errors import InputError
from schemas.health import PhysiciansCounty
from sources import geography
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS
from sources.framework.strict import ROW, Raw

# Guam, Puerto Rico and the Virgin Islands are in the files and outside the universe.
TERRITORIES: Final = ("66", "72", "78")
_SAS: Final = ".sas7bdat"
_CHUNK: Final = 200


@dataclass(frozen=True)
class Release:
    """The layout of one release: the table's name in the zip (without suffix), and its columns by data year."""

    key: str
    table: str
    state: str
    county: str
    physicians: dict[int, str]
    population: dict[int, str]


RELEASES: Final = (
    Release(
        key="2021-2022",
        table="ahrf2022",
        state="f00011",
        county="f00012",
        physicians={year: f"f14675{year % 100}" for year in range(2014, 2021)},
        # 2020 is the census count, the years before are the Census Bureau's estimates.
        population={**{year: f"f11984{year % 100}" for year in range(2014, 2020)}, 2020: "f0453020"},
    ),
    Release(
        key="2022-2023",
        table="ahrf2023",
        state="fips_st",
        county="fips_cnty",
        physicians={2021: "phys_nf_prim_care_pc_exc_rsdt_21"},
        population={2021: "popn_est_21"},
    ),
)
_ADDRESS: Final[dict[str, str]] = {
    "2021-2022": "https://data.hrsa.gov//DataDownload/AHRF/AHRF_2021-2022_SAS.zip",
    "2022-2023": "https://data.hrsa.gov//DataDownload/AHRF/AHRF_SAS_2022-2023.zip",
}


def _vintage(release: Release) -> Vintage:
    address = _ADDRESS[release.key]
    accept = (f"AHRF_{release.key}_CSV.zip", f"AHRF_CSV_{release.key}.zip")
    return Vintage(
        key=release.key,
        files=(SourceFile(address.rpartition("/")[2], "zip", url=address, accept=accept),),
        data_years=tuple(release.physicians),
        published=release.key[-4:],
    )


SOURCE: Final = Source(
    key="ahrf",
    agency="Health Resources and Services Administration, Bureau of Health Workforce",
    dataset="Area Health Resources Files, county file",
    citation="US Department of Health and Human Services, HRSA, Area Health Resources Files (AHRF).",
    licence="US government work; physician counts from the AMA Physician Masterfile as published by HRSA",
    redistribute=True,
    landing_page="https://data.hrsa.gov/data/download",
    access=Access.DOWNLOAD,
    vintages=tuple(_vintage(release) for release in RELEASES),
    usual_release="summer",
)


def release_of(year: int) -> Release:
    """The release a data year is taken from. A later one is laid out as the newest known, its columns named by year."""
    known = next((r for r in RELEASES if year in r.physicians), None)
    if known is not None:
        return known
    newest = RELEASES[-1]
    last = max(newest.physicians)
    vintage = next(v for v in SOURCE.vintages if year in v.data_years)
    return Release(
        key=vintage.key,
        table=f"ahrf{vintage.key[-4:]}",
        state=newest.state,
        county=newest.county,
        physicians={year: newest.physicians[last].replace(f"_{last % 100}", f"_{year % 100}")},
        population={year: newest.population[last].replace(f"_{last % 100}", f"_{year % 100}")},
    )


def build_physicians(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `physicians_county` of one year: state, geo, physicians, population (Int64, null where blank).

    Codes are those of the file. Rows of territories, of states outside the scope, and of areas that do not exist in
    that year (Connecticut's former counties apart) are left out and counted in the notes, the latter by code with their
    physicians.
    """
    release = release_of(year)
    (file,) = retrieval.obtain(SOURCE, release.key)
    raw = read_release(file, release, year)
    notes = retrieval.notes
    notes["AHRF rows of territories left out"] = raw.frame.filter(pl.col("state").is_in(TERRITORIES)).height
    raw.drop_rows(pl.col("state").is_in(TERRITORIES))
    raw.refuse(~pl.col("state").is_in(list(BY_FIPS)), "the state is unknown", column="state")
    if retrieval.scope.states is not None:
        raw.drop_rows(~pl.col("state").is_in(list(retrieval.scope.states)))
    universe = geography.geographies(year, retrieval.scope.states).filter(pl.col("level") == "county")
    # Where the release keeps Connecticut's former counties, they say why its planning regions have no figure.
    known = pl.concat([universe, geography.former_counties()]).unique(["state", "geo"])
    table = raw.frame.drop(ROW).sort("state", "geo")
    stray = table.join(known, on=["state", "geo"], how="anti")
    notes["AHRF areas that do not exist in the year, left out (physicians)"] = {
        row["state"] + row["geo"]: row["physicians"] for row in stray.iter_rows(named=True)
    }
    lacking = universe.join(table, on=["state", "geo"], how="anti").sort("state", "geo")
    notes["counties that AHRF does not have"] = (lacking["state"] + lacking["geo"]).to_list()
    return table.join(known, on=["state", "geo"], how="semi")


def read_release(file: RawFile, release: Release, year: int) -> Raw:
    """State, county (`geo`), physicians and population of one year from a release's zip, SAS or CSV.

    Codes that a CSV has lost the leading zeros of are padded: state and county stand in columns of their own, so that
    nothing is ambiguous. Raises `InputError` for a zip without the table, a missing column, text in a number, a
    negative number, and a county that occurs twice.
    """
    columns = {
        release.state: "state",
        release.county: "geo",
        release.physicians[year]: "physicians",
        release.population[year]: "population",
    }
    raw = _member(file.path, release, columns).select(columns)
    raw.code("state", width=2, pad=True, what="state").code("geo", width=3, pad=True, what="county").unique(
        "state", "geo"
    )
    for column in ("physicians", "population"):
        # SAS writes a missing number as a point.
        raw.number(column, pl.Int64, minimum=0, missing=("", "."))
        if raw.frame[column].is_null().all():
            raise raw.error("every row is blank.", column=column)
    return raw


def _member(path: Path, release: Release, columns: Iterable[str]) -> Raw:
    """The county table of the zip as text; only the wanted columns of its thousands."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InputError(f"the zip is damaged ({error}).", source=SOURCE.key, file=path.name) from error
    with archive:
        names = {name.rpartition("/")[2].lower(): name for name in archive.namelist()}
        for suffix, read in ((_SAS, _sas), (".csv", _csv)):
            name = names.get(release.table + suffix)
            if name is not None:
                member = f"{path.name}!{name}"
                frame = read(archive.read(name), list(columns), member)
                if frame.height == 0:
                    raise InputError("the table has no rows.", source=SOURCE.key, file=member)
                return Raw(frame, source=SOURCE.key, file=member)
    wanted = f"{release.table}{_SAS} or {release.table}.csv"
    raise InputError(f"the zip holds no {wanted}; it has {sorted(names)[:10]}.", source=SOURCE.key, file=path.name)


def _csv(data: bytes, columns: list[str], file: str) -> pl.DataFrame:
    """The wanted columns that are there, as text. County names are Latin-1, which only has to be got past."""
    if not data.strip():
        raise InputError("the file is empty.", source=SOURCE.key, file=file)
    text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1").encode()
    header = pl.read_csv(io.BytesIO(text), n_rows=0, infer_schema=False).columns
    present = [c for c in header if c.strip().lower() in columns]
    try:
        frame = pl.read_csv(io.BytesIO(text), columns=present or header[:1], infer_schema=False)
    except pl.exceptions.PolarsError as error:
        problem = f"the table cannot be read: {str(error).splitlines()[0]}"
        raise InputError(problem, source=SOURCE.key, file=file) from error
    frame = frame.rename({c: c.strip().lower() for c in frame.columns})
    return frame.with_columns(pl.all().str.strip_chars().fill_null(""))


def _sas(data: bytes, columns: list[str], file: str) -> pl.DataFrame:
    """The wanted columns that are there, as text."""
    import pandas as pd

    parts: list[pl.DataFrame] = []
    try:
        with pd.read_sas(io.BytesIO(data), format="sas7bdat", encoding="latin-1", chunksize=_CHUNK) as reader:
            for chunk in reader:
                names = {str(c).strip().lower(): c for c in chunk.columns}
                present = [c for c in columns if c in names] or list(names)[:1]
                parts.append(pl.DataFrame({c: _text(chunk[names[c]]) for c in present}))
    except (ValueError, IndexError, EOFError, OSError) as error:
        raise InputError(f"the SAS file cannot be read ({error}).", source=SOURCE.key, file=file) from error
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))


def _text(column: Any) -> pl.Series:
    """A pandas column as text. SAS numbers are floating point: 25.0 is "25". A missing value is ""."""
    if column.dtype.kind != "f":
        return pl.Series(column.fillna("").astype(str).tolist(), dtype=pl.String).str.strip_chars()
    number = pl.col("number")
    whole = number.cast(pl.Int64, strict=False)
    text = pl.when(number == whole).then(whole.cast(pl.String)).otherwise(number.cast(pl.String)).fill_null("")
    return pl.DataFrame({"number": column.to_numpy()}).with_columns(number.fill_nan(None)).select(text.alias("t"))["t"]


TABLES: Final = (
    Table(
        name="physicians_county",
        title="Primary care physicians by county",
        description=(
            "Non-federal primary care physicians in patient care, without residents, and the population that the same "
            "file states, for the counties that exist in the year."
        ),
        model=PhysiciansCounty,
        sources=(SOURCE.key,),
        years=tuple(year for release in RELEASES for year in release.physicians),
        build=build_physicians,
    ),
)
