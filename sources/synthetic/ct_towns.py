"""Synthetic list of Connecticut's towns with former county and planning region, in the layout of the source.

Two towns for every piece of the state that lies in one former county and one planning region.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import World, county_layer

SOURCE: Final = "ct_towns"
HEADER: Final = "town_name,town_fips_2020,town_fips_2022,ce_name_2022,ce_fips_2022"
CONNECTICUT: Final = "09"
_PER_PIECE: Final = 2


class Town(NamedTuple):
    """A town: its own five digits, former county, planning region, name."""

    code: str
    county: str
    region: str
    name: str


def towns(world: World) -> list[Town]:
    """The towns along the line of the state. Connecticut is laid out as published: they are the same in any world."""
    pieces = (
        world.atoms.filter(pl.col("state") == CONNECTICUT)
        .select(county_layer(2020), county_layer(2022))
        .unique(maintain_order=True)
        .rows()
    )
    out: list[Town] = []
    for county, region in pieces:
        for _ in range(_PER_PIECE):
            number = len(out) + 1
            out.append(Town(f"{number * 1_070 + 10:05d}", county, region, f"Synthetic town {number}"))
    return out


def write(root: Path, world: World) -> None:
    """The one file there is, with its byte-order mark and with codes that have lost their zeros."""
    names = dict(world.registry("county", 2022).filter(pl.col("state") == CONNECTICUT).select("geo", "name").rows())
    lines = [HEADER]
    for town in towns(world):
        old, new = (int(f"{CONNECTICUT}{county}{town.code}") for county in (town.county, town.region))
        lines.append(f"{town.name},{old},{new},{names[town.region]},{int(CONNECTICUT + town.region)}")
    path = root / SOURCE / "2022" / "ct-town-to-planning-region.csv"
    write_bytes(path, b"\xef\xbb\xbf" + ("\r\n".join(lines) + "\r\n").encode())
