"""How ZIP code tabulation areas (ZCTAs) spread over places: by people (Geocorr) and by area (boundary files).

Both tables name the vintage of the areas: a ZIP area of 2010 and one of 2020 may share a code and not a border, so a
join on the code alone counts twice. Method files social_capital.md, section 3, and tract_to_place.md, section 6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from schemas.social import ZctaPlace, ZctaPlaceArea, zcta_vintage
from sources import boundaries, cbp
from sources.framework import RawFile, Retrieval, Table
from sources.framework.states import BY_FIPS, PUERTO_RICO
from sources.framework.strict import Raw
from sources.geocorr import SOURCE as GEOCORR
from sources.geography import geographies

NO_PLACE: Final = "99999"
AREA_YEARS: Final = (2022,)
_VINTAGES: Final = {2010: "zcta10-place10", 2020: "zcta20-place20"}
# Names of the columns in Geocorr's two engines, small letters.
_ZCTA: Final = ("zcta", "zcta5", "zcta10", "zcta20")
_PLACE: Final = ("place", "placefp", "place10", "place20")
# Factors have four decimals, so those of a ZIP area add up to 1 within half of one unit for each of its places.
_HALF_UNIT: Final = 0.00005


def build_zcta_place(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `zcta_place` of a year: factors of its vintage for the listed places; notes count what was left out."""
    vintage = zcta_vintage(year)
    (file,) = retrieval.obtain(GEOCORR, _VINTAGES[vintage])
    rows, notes = read_factors(file)
    listed = _listed_places(year, retrieval)
    table = rows.join(listed, on=["state", "place"], how="semi").select(
        "zcta", pl.lit(vintage, dtype=pl.Int16).alias("zcta_vintage"), "state", "place", "afact", "afact2"
    )
    lacking = listed.join(table, on=["state", "place"], how="anti")
    retrieval.notes["zcta_place"] = {
        "vintage": _VINTAGES[vintage],
        **notes,
        "rows of places not listed left out": rows.height - table.height,
        "listed places without rows": sorted(lacking["state"] + lacking["place"]),
    }
    return table.sort("zcta", "state", "place")


def read_factors(file: RawFile) -> tuple[pl.DataFrame, dict[str, int]]:
    """A Geocorr CSV of ZIP areas to places: zcta, state, place, afact, afact2, and counts of rows left out.

    Known quirks: a second line of labels, capitals in column names, Latin-1 names, factors in either order, rows in no
    ZIP area (blank code). Left out: these, rows in no place, and Puerto Rico. The factors of a ZIP area must add up to
    1, those in no place included.
    """
    raw = Raw.csv(file.path, source=GEOCORR.key, encoding="latin-1")
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns})
    columns = raw.frame.columns
    zcta = next((c for c in _ZCTA if c in columns), _ZCTA[0])
    place = next((c for c in _PLACE if c in columns), _PLACE[0])
    raw.select({zcta: "zcta", "state": "state", place: "place", "afact": "afact", "afact2": "afact2"})
    raw.drop_rows(pl.col("state").str.to_lowercase() == "state code")
    rows = raw.frame.height
    raw.drop_rows(pl.col("zcta").is_in(["", NO_PLACE]))
    if raw.frame.height == 0:
        raise raw.error("there are labels but no rows.")
    nowhere = rows - raw.frame.height
    raw.code("zcta", width=5, what="ZIP area").code("place", width=5, what="place code")
    raw.code("state", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state")
    raw.number("afact", minimum=0, maximum=1).number("afact2", minimum=0, maximum=1)
    raw.unique("zcta", "state", "place")
    total, parts = pl.col("afact").sum().over("zcta"), pl.len().over("zcta")
    raw.refuse(
        (total - 1).abs() > parts * _HALF_UNIT + 1e-9,
        "the factors of the ZIP area do not add up to 1: rows are missing or doubled",
        column="afact",
    )
    outside, puerto_rico = pl.col("place") == NO_PLACE, pl.col("state") == PUERTO_RICO
    notes = {
        "rows": rows,
        "rows in no ZIP area left out": nowhere,
        "rows of Puerto Rico left out": raw.frame.filter(puerto_rico).height,
        "rows in no place left out": raw.frame.filter(outside & ~puerto_rico).height,
    }
    return raw.drop_rows(outside | puerto_rico).done(), notes


def build_zcta_place_area(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `zcta_place_area`: from a finished overlay if the store holds one, else from the boundary files."""
    listed = _listed_places(year, retrieval)
    if retrieval.has(boundaries.SOURCE, boundaries.OVERLAY):
        (file,) = retrieval.obtain(boundaries.SOURCE, boundaries.OVERLAY)
        rows = read_overlay(file)
        form = boundaries.OVERLAY
    else:
        (areas,) = retrieval.obtain(boundaries.SOURCE, boundaries.ZCTA_2010)
        (places,) = retrieval.obtain(boundaries.SOURCE, boundaries.PLACE_2021)
        rows = overlay(areas.path, places.path, listed)
        form = f"{boundaries.ZCTA_2010} and {boundaries.PLACE_2021}"
    table = rows.join(listed, on=["state", "place"], how="semi").sort("zcta", "state", "place")
    lacking = listed.join(table, on=["state", "place"], how="anti")
    retrieval.notes["zcta_place_area"] = {
        "made from": form,
        "rows of places not listed left out": rows.height - table.height,
        "listed places without rows": sorted(lacking["state"] + lacking["place"]),
    }
    return table


def read_overlay(file: RawFile) -> pl.DataFrame:
    """The reference's overlay of 2010 ZIP areas and 2021 places: zcta, state, place, permille."""
    raw = Raw.csv(file.path, source=boundaries.SOURCE.key)
    raw.select({"ZCTA5CE10": "zcta", "STATEFP": "state", "PLACEFP": "place", "ZCTAinPlace": "permille"})
    # The codes may have been written as numbers; each has a column of its own, so that its zeros are known.
    raw.code("zcta", width=5, pad=True, what="ZIP area").code("place", width=5, pad=True, what="place code")
    raw.code("state", width=2, pad=True, what="state")
    raw.number("permille", minimum=0, maximum=1)
    raw.unique("zcta", "state", "place")
    return raw.done().select(
        "zcta", "state", "place", (pl.col("permille") * 1000).round().cast(pl.Int32).alias("permille")
    )


def overlay(areas: Path, places: Path, listed: pl.DataFrame) -> pl.DataFrame:
    """2010 ZIP areas cut by the borders of listed places: zcta, state, place, permille of the area inside.

    `areas` and `places` are zipped shapefiles, `listed` has state and place. Land and water count alike, as the files
    have both; all is measured in an equal-area projection. Areas that only touch a place are left out.
    """
    shapes = boundaries.read(places, ["STATEFP", "PLACEFP"])
    wanted = set(listed.select(pl.col("state") + pl.col("place")).to_series())
    shapes = shapes[(shapes["STATEFP"] + shapes["PLACEFP"]).isin(wanted)].reset_index(drop=True)
    cut = boundaries.read(areas, ["ZCTA5CE10"])
    of_place, of_area = cut.sindex.query(shapes.geometry, predicate="intersects")
    inside = shapes.geometry.iloc[of_place].intersection(cut.geometry.iloc[of_area], align=False)
    whole = cut.geometry.iloc[of_area].area
    rows = pl.DataFrame(
        {
            "zcta": cut["ZCTA5CE10"].iloc[of_area].to_list(),
            "state": shapes["STATEFP"].iloc[of_place].to_list(),
            "place": shapes["PLACEFP"].iloc[of_place].to_list(),
            "inside": inside.area.to_list(),
            "whole": whole.to_list(),
        },
        schema_overrides={"zcta": pl.String, "state": pl.String, "place": pl.String},
    )
    part = (1000 * pl.col("inside") / pl.col("whole")).round().clip(0, 1000).cast(pl.Int32)
    return rows.filter(pl.col("inside") > 0).select("zcta", "state", "place", part.alias("permille"))


def _listed_places(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The listed places of the year and the scope: state, place."""
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place")
    return listed.select("state", pl.col("geo").alias("place"))


TABLES: Final = (
    Table(
        name="zcta_place",
        title="ZIP areas to places, by people",
        description=(
            "Share of each ZIP area's people who live in a listed place, and the other way round. Areas of the 2010 "
            "census until 2019, of the 2020 census afterwards."
        ),
        model=ZctaPlace,
        sources=(GEOCORR.key,),
        years=cbp.YEARS,
        build=build_zcta_place,
    ),
    Table(
        name="zcta_place_area",
        title="2010 ZIP areas to places of 2021, by area",
        description="Part of each ZIP area's land and water inside a listed place, in thousandths.",
        model=ZctaPlaceArea,
        sources=(boundaries.SOURCE.key,),
        years=AREA_YEARS,
        build=build_zcta_place_area,
    ),
)
