"""Synthetic precinct returns with shapes: precincts are even pieces of counties, not of places.

Special cases: precincts by the sea reach into the water (Honolulu, Anchorage), shapes with a third dimension (Rhode
Island), a shape that crosses itself, a precinct without a shape.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sources.framework.states import BY_FIPS
from sources.synthetic.shapes import rectangles, south_of, write_shapes
from sources.synthetic.world import LAYERS, Span, World, county_layer
from sources.vest_precincts import SOURCE as DECLARED
from sources.vest_precincts import file_name, votes_prefix

PRECINCT_SIZE: Final = 9_000
COASTAL: Final = {("15", "003"), ("02", "020")}
WATER: Final = 0.4
THREE_DIMENSIONS: Final = "44"
SELF_CROSSING: Final = "37"
WITHOUT_SHAPE: Final = "09"
# Candidate's part of the column's name, permille of the votes.
CANDIDATES: Final = {2016: {"DCLI": 470, "RTRU": 460, "OOTH": 70}, 2020: {"DBID": 500, "RTRU": 470, "LJOR": 30}}


def _pieces(county: Span) -> list[Span]:
    """Even pieces of a county."""
    count = max(1, (county.end - county.start) // PRECINCT_SIZE)
    cuts = [county.start + (county.end - county.start) * i // count for i in range(count + 1)]
    return [Span(a, b, county.code) for a, b in itertools.pairwise(cuts)]


def _shapes(world: World, state: str, precincts: list[Span]) -> npt.NDArray[np.object_]:
    import shapely

    below = [WATER if (state, p.code) in COASTAL else 0.0 for p in precincts]
    shapes = rectangles(precincts, south_of(world, state), below=below)
    if state == THREE_DIMENSIONS:
        shapes = shapely.force_3d(shapes, 0.0)
    if state == SELF_CROSSING:
        west, south, east, north = shapely.bounds(shapes[0])
        shapes[0] = shapely.Polygon([(west, south), (east, north), (east, south), (west, north)])
    if state == WITHOUT_SHAPE:
        shapes[-1] = None
    return shapes


def _write(path: Path, world: World, state: str, year: int) -> None:
    precincts = [piece for county in LAYERS[county_layer(year)](world.lines[state]) for piece in _pieces(county)]
    turnout = world.rng("vest_precincts", year, state).integers(350, 520, len(precincts))
    votes = np.array([p.end - p.start for p in precincts]) * turnout // 1000
    if state == WITHOUT_SHAPE:
        votes[-1] = 0
    fields: dict[str, npt.NDArray[Any]] = {
        "COUNTYFP": np.array([p.code for p in precincts], dtype=object),
        "NAME": np.array([f"Synthetic precinct {i}" for i in range(1, len(precincts) + 1)], dtype=object),
    }
    rest = votes.copy()
    candidates = list(CANDIDATES.get(year, CANDIDATES[2020]).items())
    for name, share in candidates[1:]:
        part = votes * share // 1000
        fields[votes_prefix(year) + name] = part.astype(np.int64)
        rest -= part
    fields[votes_prefix(year) + candidates[0][0]] = rest.astype(np.int64)
    # Votes for other offices stand beside them.
    fields[f"G{year % 100}USSDXXX"] = (votes // 2).astype(np.int64)
    write_shapes(path, _shapes(world, state, precincts), fields)


def write(root: Path, world: World) -> None:
    """One zip per state and election."""
    for year in (y for y in world.years if DECLARED.vintages_for(y)):
        for state in (s.code for s in world.states):
            _write(root / DECLARED.key / str(year) / file_name(year, BY_FIPS[state]), world, state, year)
