"""Zipped shapefiles of the synthetic world, byte for byte the same each time.

A state is a strip of land along a parallel; its line of people runs from west to east. So each stretch of the line is a
rectangle, and areas are in proportion to people.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sources.synthetic.files import write_zip
from sources.synthetic.world import Span, World

DEGREES_PER_PERSON: Final = 2e-6
WEST: Final = -110.0
SOUTH: Final = 28.0
HEIGHT: Final = 1.0
GAP: Final = 2.0
CRS: Final = "EPSG:4269"
# Long edges get points in between, so that neighbors stay neighbors in any projection.
STEP: Final = 0.1
# The date of the last change, in the header of the attribute table: years since 1900, month, day.
_DATE: Final = bytes([100, 1, 1])


def south_of(world: World, state: str) -> float:
    """The southern edge of a state's strip."""
    return SOUTH + GAP * [s.code for s in world.states].index(state)


def rectangles(spans: Sequence[Span], south: float, *, below: Sequence[float] | float = 0.0) -> npt.NDArray[np.object_]:
    """One rectangle per stretch, from `below` degrees under the strip (water) to its northern edge."""
    import shapely

    west = WEST + DEGREES_PER_PERSON * np.array([s.start for s in spans], dtype=np.float64)
    east = WEST + DEGREES_PER_PERSON * np.array([s.end for s in spans], dtype=np.float64)
    boxes = shapely.box(west, south - np.asarray(below), east, south + HEIGHT)
    found: npt.NDArray[np.object_] = shapely.segmentize(boxes, STEP)
    return found


def write_shapes(path: Path, shapes: npt.NDArray[np.object_], fields: dict[str, npt.NDArray[Any]]) -> None:
    """A zipped shapefile of polygons with these attributes; the zip also says that it is synthetic."""
    import pyogrio.raw  # type: ignore[import-untyped]
    import shapely

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{path.stem}.shp"
        pyogrio.raw.write(
            file,
            geometry=shapely.to_wkb(shapes),
            field_data=list(fields.values()),
            fields=list(fields),
            geometry_type="Polygon Z" if bool(shapely.has_z(shapes).any()) else "Polygon",
            crs=CRS,
            driver="ESRI Shapefile",
        )
        members = {part.name: part.read_bytes() for part in sorted(Path(folder).iterdir())}
    table = f"{path.stem}.dbf"
    members[table] = members[table][:1] + _DATE + members[table][4:]
    write_zip(path, members)
