"""Synthetic cartographic boundary files: places of each state, counties of the world, ending at the shore."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from sources.boundaries import SOURCE as DECLARED
from sources.boundaries import YEARS, counties_name, places_name
from sources.framework.states import BY_FIPS
from sources.synthetic.shapes import rectangles, south_of, write_shapes
from sources.synthetic.world import LAYERS, World, county_layer


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


def write(root: Path, world: World) -> None:
    """Places by state and the counties, for each election in the world's years."""
    states = [state.code for state in world.states]
    for year in sorted(set(world.years) & set(YEARS)):
        folder = root / DECLARED.key / str(year)
        for state in states:
            _write_layer(folder / places_name(year, BY_FIPS[state]), world, "place", [state])
        _write_layer(folder / counties_name(year), world, county_layer(year), states)
