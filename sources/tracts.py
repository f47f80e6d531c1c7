"""Census tracts: the county each one lies in, and how its population spreads over places.

Lists of tracts come with the ACS tables. Tract-to-place factors come from Geocorr of the Missouri Census Data Center.
From 2022 Connecticut's tracts lie in planning regions instead of counties; their six digits have not changed, and a
list of the CT Data Collaborative tells which region each belongs to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from schemas.census import TractCountyModel, TractPlaceModel
from schemas.errors import InputError
from schemas.vintages import tract_vintage
from sources import acs_tables
from sources.acs_tables import RACE_YEARS, TRACT_LIST_VINTAGES
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS, PUERTO_RICO, within
from sources.framework.strict import Raw, read_bytes
from sources.geocorr import SOURCE as GEOCORR
from sources.geography import geographies

CONNECTICUT: Final = "09"
REGIONS_SINCE: Final = 2022
FIRST_REGION: Final = "110"
NO_PLACE: Final = "99999"
PLACES_2010_YEARS: Final = (2014, 2018, 2019)

# Factors have four decimals, so a tract's factors add up to 1 within half of one unit for each of its places.
SUM_TOLERANCE: Final = 0.002

# Vintage of the factors -> names of the place column in Geocorr's two engines.
PLACE_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "tract10-place14": ("placefp14", "place14"),
    "tract10-place10": ("placefp", "place10", "place"),
    "tract20-place20": ("place", "place20"),
}
_VINTAGES: Final = {"tract10-place14": (2010, 2014), "tract10-place10": (2010, 2010), "tract20-place20": (2020, 2020)}


def read_tract_place(path: Path, vintage: str, *, source: str = "geocorr") -> pl.DataFrame:
    """Tract-to-place factors as Geocorr delivers them (with or without its second header row), or as a plain list.

    A plain list has the columns `geoid` (or `tract`; 11 digits), `place` and `afact`. Returned, sorted by code: state,
    county, tract, place (text; `99999` is outside any place), afact and afact2 (null in a plain list). Refused: tract
    codes in scientific notation or without their zeros, factors that are not between 0 and 1 or do not add up to 1 in a
    tract, a tract and place listed twice.
    """
    raw = Raw.csv(path, source=source, encoding=_encoding(path, source))
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    columns = raw.frame.columns
    plain = "county" not in columns and "county14" not in columns
    place = next((c for c in PLACE_COLUMNS[vintage] if c in columns), PLACE_COLUMNS[vintage][0])
    if plain:
        raw.select({"geoid" if "geoid" in columns else "tract": "geoid", place: "place", "afact": "afact"})
        _refuse_scientific(raw, "geoid")
        raw.code("geoid", width=11, what="tract code")
        code = pl.col("geoid")
        raw.frame = raw.frame.with_columns(
            state=code.str.slice(0, 2), county=code.str.slice(2, 3), tract=code.str.slice(5, 6), afact2=pl.lit("")
        )
    else:
        county = "county" if "county" in columns else "county14"
        raw.select({county: "county", "tract": "tract", place: "place", "afact": "afact", "afact2": "afact2"})
        raw.drop_rows(pl.col("tract").str.to_lowercase().is_in(["tract", "census tract"]))
        _refuse_scientific(raw, "tract")
        raw.code("county", width=5, what="county code")
        _complete_tract_codes(raw)
        raw.frame = raw.frame.with_columns(
            state=pl.col("county").str.slice(0, 2), county=pl.col("county").str.slice(2, 3)
        )
    raw.code("state", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state code")
    raw.code("place", width=5, what="place code")
    raw.number("afact", minimum=0, maximum=1)
    raw.number("afact2", minimum=0, maximum=1, missing=[""])
    _factors_add_up(raw)
    raw.unique("state", "county", "tract", "place")
    return raw.done().select("state", "county", "tract", "place", "afact", "afact2").sort(pl.all().exclude("^afact.*$"))


def _encoding(path: Path, source: str) -> str:
    """Geocorr writes names in Latin-1; a file that was saved again may be UTF-8."""
    try:
        read_bytes(path, source=source)
    except InputError as error:
        if "not utf-8" not in error.problem:
            raise
        return "latin-1"
    return "utf-8"


def _refuse_scientific(raw: Raw, column: str) -> None:
    raw.refuse(
        pl.col(column).str.contains(r"^\d+(\.\d*)?[eE][+-]?\d+$"),
        "the tract code is in scientific notation: a spreadsheet or a program has rewritten it and digits are lost",
        column=column,
    )


def _complete_tract_codes(raw: Raw) -> None:
    """`201.01` -> `020101`, `0201` -> `020100`; done on the text, because binary fractions truncate some codes."""
    text = pl.col("tract")
    raw.refuse(
        ~text.str.contains(r"^(\d{1,4}(\.\d{1,2})?|\d{6})$"),
        "not a tract code (up to 4 digits and 2 decimals, or 6 digits)",
        column="tract",
    )
    before, after = text.str.extract(r"^(\d+)", 1), text.str.extract(r"\.(\d+)$", 1).fill_null("")
    raw.frame = raw.frame.with_columns(
        pl.when(text.str.len_chars() == 6, ~text.str.contains(".", literal=True))
        .then(text)
        .otherwise(before.str.zfill(4) + after.str.pad_end(2, "0"))
        .alias("tract")
    )


def _factors_add_up(raw: Raw) -> None:
    total = pl.col("afact").sum().over("state", "county", "tract")
    raw.refuse(
        total > 1 + SUM_TOLERANCE,
        "the tract's factors add up to more than 1: several tracts bear one code, so the codes were rewritten",
        column="afact",
    )
    raw.refuse(total < 1 - SUM_TOLERANCE, "the tract's factors add up to less than 1: rows are missing", column="afact")


def read_ct_tracts(path: Path, *, source: str = "ct_tracts") -> pl.DataFrame:
    """Connecticut's tracts of 2020 with the old county and the planning region.

    Columns: state, county (old, 3 digits), tract (6 digits), region (3 digits). One row per tract; refused are a tract
    in two regions and a tract whose six digits differ between the two codes.
    """
    raw = Raw.csv(path, source=source)
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    raw.select({"tract_fips_2020": "old", "tract_fips_2022": "new"})
    for column in ("old", "new"):
        _refuse_scientific(raw, column)
        raw.code(column, width=11, what="tract code")
        raw.refuse(~pl.col(column).str.starts_with(CONNECTICUT), "not in Connecticut", column=column)
    digits = pl.col("new").str.slice(5, 6)
    raw.refuse(pl.col("old").str.slice(5, 6) != digits, "the six digits of the tract changed", column="new")
    raw.refuse(~pl.col("old").str.contains(r"^090(01|03|05|07|09|11|13|15)"), "not an old county", column="old")
    raw.refuse(~pl.col("new").str.contains(r"^091[1-9]0"), "not a planning region", column="new")
    raw.frame = raw.frame.with_columns(tract=digits)
    raw.unique("tract")
    return (
        raw.done()
        .select(
            state=pl.lit(CONNECTICUT),
            county=pl.col("old").str.slice(2, 3),
            tract="tract",
            region=pl.col("new").str.slice(2, 3),
        )
        .sort("county", "tract")
    )


def in_regions(frame: pl.DataFrame, regions: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """`frame` (state, county, tract, ...) with Connecticut's old counties replaced by planning regions.

    Also returned: how many of its rows had no region and were left out (tracts of water only).
    """
    columns = frame.columns
    moved = frame.join(regions, on=["state", "county", "tract"], how="left", validate="m:1", maintain_order="left")
    elsewhere = pl.col("state") != CONNECTICUT
    kept = moved.filter(elsewhere | pl.col("region").is_not_null())
    county = pl.when(elsewhere).then("county").otherwise("region").alias("county")
    return kept.with_columns(county).select(columns), moved.height - kept.height


def to_regions(frame: pl.DataFrame, year: int, retrieval: Retrieval) -> pl.DataFrame:
    """`frame` (state, county, tract, ...) with the counties as the Census Bureau reports them in `year`."""
    former = (pl.col("state") == CONNECTICUT) & (pl.col("county") < FIRST_REGION)
    if year < REGIONS_SINCE or frame.filter(former).height == 0:
        return frame
    (file,) = retrieval.obtain(CT_TRACTS, "2022")
    frame, lost = in_regions(frame, read_ct_tracts(file.path))
    retrieval.notes["ct_tracts"] = {"rows without a planning region left out": lost}
    return frame


def tract_county(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `tract_county`; owed unless the list of every state can be had."""
    census = tract_vintage(year)
    listed = acs_tables.TRACT_RACE.read(TRACT_LIST_VINTAGES[census], retrieval, whole=True)
    frame = to_regions(listed.select("state", "county", "tract"), year, retrieval)
    return frame.sort("state", "county", "tract").with_columns(pl.lit(census, dtype=pl.Int16).alias("tract_vintage"))


def tract_place(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `tract_place`: places of 2014 until 2019, of 2020 afterwards."""
    vintage = "tract10-place14" if tract_vintage(year) == 2010 else "tract20-place20"
    return _tract_place(vintage, year, retrieval)


def tract_place_2010(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `tract_place_2010`: places with their limits of 2010; with those of 2020 once tracts are of that census."""
    return _tract_place("tract10-place10" if tract_vintage(year) == 2010 else "tract20-place20", year, retrieval)


def _tract_place(vintage: str, year: int, retrieval: Retrieval) -> pl.DataFrame:
    (file,) = retrieval.obtain(GEOCORR, vintage)
    frame = read_tract_place(file.path, vintage)
    counts = {"rows in Puerto Rico left out": frame.filter(pl.col("state") == PUERTO_RICO).height}
    frame = frame.filter(pl.col("state").is_in([state.fips for state in within(retrieval.scope.states)]))
    counts["tracts"] = frame.select("state", "county", "tract").n_unique()
    counts["rows outside any place left out"] = frame.filter(pl.col("place") == NO_PLACE).height
    counts["rows with factor 0 left out"] = frame.filter(pl.col("place") != NO_PLACE, pl.col("afact") == 0).height
    frame = frame.filter(pl.col("place") != NO_PLACE, pl.col("afact") > 0)
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place")
    listed = listed.select("state", pl.col("geo").alias("place"))
    counts["rows of places not listed left out"] = frame.join(listed, on=["state", "place"], how="anti").height
    counts["listed places without rows"] = listed.join(frame, on=["state", "place"], how="anti").height
    retrieval.notes[f"geocorr {vintage}"] = counts
    frame = to_regions(frame.join(listed, on=["state", "place"], how="semi"), year, retrieval)
    tracts, places = _VINTAGES[vintage]
    return frame.sort("state", "county", "tract", "place").select(
        "state",
        "county",
        "tract",
        "place",
        "afact",
        (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
        "afact2",
        pl.lit(tracts, dtype=pl.Int16).alias("tract_vintage"),
        pl.lit(places, dtype=pl.Int16).alias("place_vintage"),
    )


CT_TRACTS: Final = Source(
    key="ct_tracts",
    agency="CT Data Collaborative",
    dataset="Connecticut census tracts with 2020 counties and 2022 planning regions",
    citation="CT Data Collaborative. 2022 tract crosswalk.",
    licence="Free to use; the repository asks for attribution",
    redistribute=True,
    landing_page="https://github.com/CT-Data-Collaborative/2022-tract-crosswalk",
    access=Access.DOWNLOAD,
    vintages=(
        Vintage(
            key="2022",
            files=(
                SourceFile(
                    "2022tractcrosswalk.csv",
                    "csv",
                    url=(
                        "https://raw.githubusercontent.com/CT-Data-Collaborative/2022-tract-crosswalk/main/"
                        "2022tractcrosswalk.csv"
                    ),
                    accept=("tract_crosswalk_2022_connecticut.csv",),
                    min_bytes=1000,
                ),
            ),
            data_years=tuple(range(REGIONS_SINCE, 2026)),
        ),
    ),
    recipe="Take the CSV from the repository's main page.",
    usual_release="does not change",
)
SOURCES: Final = (CT_TRACTS,)

TABLES: Final = (
    Table(
        name="tract_county",
        title="Tracts and their counties",
        description=(
            "Every census tract with the county it lies in: tracts of the 2010 census until 2019, of the 2020 census "
            "afterwards, Connecticut in planning regions from 2022."
        ),
        model=TractCountyModel,
        sources=("acs_tables", "ct_tracts"),
        years=RACE_YEARS,
        build=tract_county,
        in_every_edition=True,
    ),
    Table(
        name="tract_place",
        title="Tracts and the places their people live in",
        description=(
            "Share of each tract's population that lives in each listed place: 2010 tracts and 2014 places until 2019, "
            "2020 tracts and places afterwards."
        ),
        model=TractPlaceModel,
        sources=("geocorr", "ct_tracts"),
        years=RACE_YEARS,
        build=tract_place,
    ),
    Table(
        name="tract_place_2010",
        title="Tracts and the places of 2010 their people live in",
        description=(
            "The same with the places' limits of 2010, which environmental quality uses; from 2020 on, of 2020."
        ),
        model=TractPlaceModel,
        sources=("geocorr", "ct_tracts"),
        years=PLACES_2010_YEARS,
        build=tract_place_2010,
    ),
)
