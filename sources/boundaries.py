"""Cartographic boundary files of the Census Bureau, 1:500,000: shapes of places, counties and ZIP areas.

They make no table of their own: the places' votes, and ZIP areas' shares in places, are found with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import InputError
from sources.framework import Access, Source, SourceFile, Vintage
from sources.framework.shapes import read_shapes
from sources.framework.states import State

if TYPE_CHECKING:
    import geopandas

YEARS: Final = (2016, 2020)
WIDTH: Final = {"county": 5, "place": 7}
# Albers' equal-area projection of the contiguous states; sizes are right elsewhere, too.
EQUAL_AREA: Final = "EPSG:5070"
ZCTA_2010: Final = "zcta-2010"
PLACE_2021: Final = "place-2021"
OVERLAY: Final = "zcta10-place21"
REGIONS: Final = "counties-2022"


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


def _shapes(name: str, year: int) -> SourceFile:
    url = f"https://www2.census.gov/geo/tiger/GENZ{year}/shp/{name}.zip"
    return SourceFile(f"{name}.zip", "zip", url=url, min_bytes=100)


SOURCE: Final = Source(
    key="boundaries",
    agency="U.S. Census Bureau",
    dataset="Cartographic boundary files, 1:500,000",
    citation="U.S. Census Bureau, Cartographic Boundary Files.",
    licence="Public domain (U.S. government work)",
    redistribute=True,
    landing_page="https://www.census.gov/geographies/mapping-files/time-series/geo/cartographic-boundary.html",
    access=Access.DOWNLOAD,
    vintages=(
        *(Vintage(key=f"{year}", files=_files(year), data_years=(year,), note=f"Limits of {year}.") for year in YEARS),
        Vintage(
            ZCTA_2010,
            (_shapes("cb_2018_us_zcta510_500k", 2018),),
            (2022,),
            note="ZIP code tabulation areas of the 2010 census, as drawn in 2018.",
        ),
        Vintage(PLACE_2021, (_shapes("cb_2021_us_place_500k", 2021),), (2022,)),
        Vintage(
            REGIONS,
            (_shapes("cb_2022_us_county_500k", 2022),),
            (),
            note="Counties of 2022 with Connecticut's planning regions: for the explorer's map, if at hand.",
        ),
        Vintage(
            OVERLAY,
            (SourceFile("2010_ZCTA_2021_Census_Places_Crosswalk.csv", "csv", min_bytes=100),),
            (),
            note="Made by the reference from both sets of shapes: read instead of them if the store holds it.",
        ),
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


def read(path: Path, columns: list[str]) -> Any:
    """A zipped shapefile as a GeoDataFrame of `columns` and geometry in an equal-area projection.

    Raises `InputError` if it cannot be read, lacks a column, says nothing about its projection, or has no rows.
    """
    import geopandas

    def refuse(problem: str, column: str | None = None) -> InputError:
        return InputError(problem, source=SOURCE.key, file=path.name, column=column)

    try:
        frame = geopandas.read_file(path)
    except Exception as error:  # the reader's own errors have no common base
        raise refuse(f"the shapes cannot be read: {str(error).splitlines()[0]}") from error
    for column in columns:
        if column not in frame.columns:
            raise refuse("the column is missing.", column)
    if frame.crs is None:
        raise refuse("the file does not say which projection its coordinates have.")
    if frame.empty:
        raise refuse("the file holds no shapes.")
    doubled = frame[columns].duplicated()
    if doubled.any():
        raise refuse(f"duplicate key ({', '.join(map(str, frame[columns][doubled].iloc[0]))}).", ", ".join(columns))
    shapes = frame[[*columns, "geometry"]].to_crs(EQUAL_AREA)
    return shapes.set_geometry(shapes.geometry.make_valid())
