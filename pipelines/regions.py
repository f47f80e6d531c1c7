"""Shapes of Connecticut's planning regions for the explorer's map, if the boundary files at hand have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from metrics.connecticut import STATE
from sources import boundaries
from sources.framework.retrieve import Retrieval

TOLERANCE_METERS: Final = 250
"""The other shapes of the map are about as coarse."""
DIGITS: Final = 4
DEGREES: Final = "EPSG:4326"


def shapes_of(path: Path) -> dict[str, Any]:
    """The regions of a county boundary file as GeoJSON features with `id` (5 digits), in degrees.

    Outer rings run clockwise, as the map's library wants them. Raises `InputError` if the file is not one of counties.
    """
    import geopandas
    import shapely
    from shapely.geometry.polygon import orient

    frame = boundaries.read_boundaries(path, "county")
    frame = frame[frame["state"] == STATE].sort_values("geo")
    plain = geopandas.GeoSeries(frame.geometry.simplify(TOLERANCE_METERS), crs=frame.crs).to_crs(DEGREES)
    features = []
    for geo, shape in zip(frame["geo"], plain, strict=True):
        parts = [orient(part, sign=-1.0) for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
        rounded = shapely.transform(shapely.MultiPolygon(parts), lambda xy: xy.round(DIGITS))
        features.append({"type": "Feature", "id": STATE + geo, "geometry": json.loads(shapely.to_geojson(rounded))})
    return {"type": "FeatureCollection", "features": features}


def connecticut_regions(retrieval: Retrieval) -> dict[str, Any] | None:
    """The shapes; None if store, inbox and mirror do not hold the file, which nobody is asked for."""
    if not retrieval.has(boundaries.SOURCE, boundaries.REGIONS):
        return None
    [file] = retrieval.obtain(boundaries.SOURCE, boundaries.REGIONS)
    return shapes_of(file.path)
