"""Synthetic overlay of 2010 ZIP areas and places, as the reference made it from boundary files.

In the synthetic world land is people: a stretch of a state's line is as wide as it has inhabitants in 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import NEWEST, NOT_A_PLACE, World

SOURCE: Final = "boundaries"
NAME: Final = "2010_ZCTA_2021_Census_Places_Crosswalk.csv"
SQUARE_METERS: Final = 2_500
"""Land per inhabitant."""


def write(root: Path, world: World) -> None:
    """`boundaries/zcta10-place21/2010_ZCTA_2021_Census_Places_Crosswalk.csv`, whatever the world's years."""
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
    write_bytes(root / SOURCE / "zcta10-place21" / NAME, ("\n".join(lines) + "\n").encode())
