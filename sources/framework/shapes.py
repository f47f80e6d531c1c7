"""Zipped shapefiles: read strictly, brought to one projection, flat and valid. Geometry libraries load on first use."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import InputError

if TYPE_CHECKING:
    import geopandas

EQUAL_AREA: Final = "EPSG:5070"
"""Albers projection of the conterminous United States: areas are true, in square metres."""

PARTS: Final = (".shp", ".shx", ".dbf", ".prj")


@dataclass(frozen=True)
class Shapes:
    """Shapes in `EQUAL_AREA`, with what was mended: shapes with a third dimension, invalid ones, absent ones."""

    frame: geopandas.GeoDataFrame
    with_height: int
    invalid: int
    absent: int


def columns_of(path: Path, *, source: str) -> list[str]:
    """The attribute columns of the shapefile in the zip."""
    import pyogrio  # type: ignore[import-untyped]

    try:
        return [str(c) for c in pyogrio.read_info(_inside(path, source), layer=0)["fields"]]
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f"the shapefile cannot be read: {error}", source=source, file=path.name) from error


def read_shapes(path: Path, columns: Sequence[str], *, source: str) -> Shapes:
    """The shapefile in the zip with these attribute columns, shapes flat, valid and in `EQUAL_AREA`.

    Rows keep the order of the file; an absent shape becomes an empty one. Of several shapefiles the one of the zip's
    own name is read. Raises `InputError` for a damaged zip, one without a whole shapefile or with several, a missing
    column, a shapefile without rows or without a projection.
    """
    import geopandas
    import pyogrio
    import shapely

    inside = _inside(path, source)
    there = columns_of(path, source=source)
    for column in columns:
        if column not in there:
            raise InputError("the column is missing.", source=source, file=path.name, column=column)
    try:
        frame = pyogrio.read_dataframe(inside, columns=list(columns))
    except pyogrio.errors.DataSourceError as error:
        raise InputError(f"the shapefile cannot be read: {error}", source=source, file=path.name) from error
    if len(frame) == 0:
        raise InputError("the shapefile has no rows.", source=source, file=path.name)
    if frame.crs is None:
        raise InputError("the shapefile does not tell its projection.", source=source, file=path.name)
    shapes = frame.geometry.to_numpy()
    absent = shapely.is_missing(shapes)
    shapes[absent] = shapely.from_wkt("POLYGON EMPTY")
    with_height = int(shapely.has_z(shapes).sum())
    flat = geopandas.GeoSeries(shapely.force_2d(shapes), crs=frame.crs).to_crs(EQUAL_AREA).to_numpy()
    bad = ~shapely.is_valid(flat)
    flat[bad] = shapely.make_valid(flat[bad])
    frame = geopandas.GeoDataFrame(frame.drop(columns="geometry"), geometry=flat, crs=EQUAL_AREA)
    return Shapes(frame, with_height, int(bad.sum()), int(absent.sum()))


def _inside(path: Path, source: str) -> str:
    """The address of the shapefile within its zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            names = archive.namelist()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"the zip is damaged or truncated ({error}).", source=source, file=path.name) from error
    if broken is not None:
        raise InputError(f"the zip is damaged: {broken}.", source=source, file=path.name)
    found = [name for name in names if name.lower().endswith(".shp") and not Path(name).name.startswith(".")]
    found = [name for name in found if "__MACOSX" not in name]
    if len(found) > 1:
        found = [name for name in found if Path(name).stem.lower() == path.stem.lower()] or found
    if len(found) != 1:
        problem = f"one shapefile is expected in the zip; there are {len(found)} ({', '.join(found)})."
        raise InputError(problem, source=source, file=path.name)
    stem = found[0][:-4].lower()
    there = {name.lower() for name in names}
    missing = [part for part in PARTS if stem + part not in there]
    if missing:
        raise InputError(f"the shapefile lacks its part {', '.join(missing)}.", source=source, file=path.name)
    return f"/vsizip/{path}/{found[0]}"
