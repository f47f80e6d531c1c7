"""Synthetic cartographic boundary files: places of each state, counties of the world, ending at the shore.

And the overlay of 2010 ZIP areas and places as the reference made it from such files: there land is people, a stretch
of a state's line being as wide as it has inhabitants in 2020.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.boundaries import OVERLAY, counties_name, places_name
from sources.boundaries import SOURCE as DECLARED
from sources.framework.states import BY_FIPS
from sources.synthetic.files import write_bytes
from sources.synthetic.shapes import rectangles, south_of, write_shapes
from sources.synthetic.world import LAYERS, NEWEST, NOT_A_PLACE, World, county_layer

OVERLAY_NAME: Final = "2010_ZCTA_2021_Census_Places_Crosswalk.csv"
SQUARE_METERS: Final = 2_500
"""Land per inhabitant."""


def _write_layer(path: Path, world: World, layer: str, states: list[str]) -> None:
    """One row per unit of the layer; a unit of several stretches is one shape of several parts."""
    import shapely

    codes, shapes = [], []
    for state in states:
        spans = sorted(LAYERS[layer](world.lines[state]), key=lambda span: (span.code, span.start))
        for code, parts in itertools.groupby(spans, key=lambda span: span.code):
            codes.append(state + code)
            shapes.append(shapely.union_all(rectangles(list(parts), south_of(world, state))))
    if codes:
        names = np.array([f"Synthetic {code}" for code in codes], dtype=object)
        write_shapes(path, np.array(shapes), {"GEOID": np.array(codes, dtype=object), "NAME": names})


def _write_overlay(path: Path, world: World) -> None:
    """One row per ZIP area and place that it touches, with both areas in square meters and the share."""
    names = {(s, c): n for s, c, n, _ in world.registry("place", NEWEST).iter_rows()}
    for state in world.states:
        names |= {(state.code, code): name for code, name in state.elsewhere.items()}
    cut = world.crosswalk("zcta_2010", "place", "pop2020").with_columns(whole=pl.col("persons").sum().over("source"))
    lines = ["ZCTA5CE10,STATEFP,PLACEFP,NAMELSAD,ZCTAarea,IntersectArea,ZCTAinPlace"]
    for state, zcta, place, persons, _, _, whole in cut.iter_rows():
        if place != NOT_A_PLACE:
            area, inside = whole * SQUARE_METERS, persons * SQUARE_METERS
            part = f"{(2000 * persons + whole) // (2 * whole) / 1000:g}"
            lines.append(f"{zcta},{state},{place},{names[state, place]},{area},{inside},{part}")
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def write(root: Path, world: World) -> None:
    """Places by state and the counties, for each election in the world's years; the overlay in any case."""
    _write_overlay(root / DECLARED.key / OVERLAY / OVERLAY_NAME, world)
    states = [state.code for state in world.states]
    for year in (y for y in world.years if any(v.key == str(y) for v in DECLARED.vintages)):
        folder = root / DECLARED.key / str(year)
        for state in states:
            _write_layer(folder / places_name(year, BY_FIPS[state]), world, "place", [state])
        _write_layer(folder / counties_name(year), world, county_layer(year), states)
