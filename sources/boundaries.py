"""Cartographic boundary files of the Census Bureau, 1:500,000: shapes of places and of counties, clipped to the shore.

They make no table of their own: the places' votes are found with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import InputError
from sources.framework import Access, Source, SourceFile, Vintage
from sources.framework.shapes import read_shapes
from sources.framework.states import State

if TYPE_CHECKING:
    import geopandas

YEARS: Final = (2016, 2020)
WIDTH: Final = {"county": 5, "place": 7}


def places_name(year: int, state: State | None = None) -> str:
    """The file of a state's places; without a state the declared name."""
    return f"cb_{year}_{state.fips if state else '{fips}'}_place_500k.zip"


def counties_name(year: int) -> str:
    """The file of the nation's counties."""
    return f"cb_{year}_us_county_500k.zip"


def _files(year: int) -> tuple[SourceFile, ...]:
    base = f"https://www2.census.gov/geo/tiger/GENZ{year}/shp"
    names = (places_name(year), counties_name(year))
    return tuple(SourceFile(name, "zip", url=f"{base}/{name}", min_bytes=500) for name in names)


SOURCE: Final = Source(
    key="boundaries",
    agency="U.S. Census Bureau",
    dataset="Cartographic boundary files, places and counties, 1:500,000",
    citation="U.S. Census Bureau, Cartographic Boundary Files.",
    licence="Public domain (U.S. government work)",
    redistribute=True,
    landing_page="https://www.census.gov/geographies/mapping-files/time-series/geo/cartographic-boundary.html",
    access=Access.DOWNLOAD,
    vintages=tuple(
        Vintage(key=f"{year}", files=_files(year), data_years=(year,), note=f"Limits of {year}.") for year in YEARS
    ),
    recipe="Choose the year, the shapefile format and 1:500,000; places come by state, counties for the nation.",
    usual_release="spring of the following year",
)


def read_boundaries(path: Path, level: str) -> geopandas.GeoDataFrame:
    """Shapes in the equal-area projection, with `state` and `geo` (3 or 5 digits), one row per county or place.

    Refused: codes of another width (another kind of file), a code listed twice.
    """
    frame = read_shapes(path, ["GEOID"], source=SOURCE.key).frame
    codes = frame["GEOID"].astype(str)
    wrong = codes[~codes.str.fullmatch(rf"\d{{{WIDTH[level]}}}")]
    if len(wrong):
        problem = f"not the code of a {level} (found {wrong.iloc[0]!r})."
        raise InputError(problem, source=SOURCE.key, file=path.name, row=int(wrong.index[0]) + 1, column="GEOID")
    twice = codes[codes.duplicated()]
    if len(twice):
        problem = f"duplicate key (GEOID={twice.iloc[0]})."
        raise InputError(problem, source=SOURCE.key, file=path.name, row=int(twice.index[0]) + 1, column="GEOID")
    return frame.assign(state=codes.str[:2], geo=codes.str[2:]).drop(columns="GEOID")
