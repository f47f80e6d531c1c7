"""Synthetic list of Connecticut's tracts with old county and planning region, in the layout of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import World, county_layer

SOURCE: Final = "ct_tracts"
HEADER: Final = (
    *("tract_fips_2020", "Tract_fips_2022", "tract_name", "town_name", "town_fips_2020", "town_fips_2022"),
    *("county_name", "county_fips_2020", "ce_name_2022", "ce_fips_2022", "school_district_code"),
    *("school_district_name", "zip5_zcta2020", "PUMA2020code", "PUMA2020name"),
)


def write(root: Path, world: World) -> None:
    """The one file there is; like the real one it leaves out the tract of water."""
    names = {
        level: dict(world.registry("county", year).filter(pl.col("state") == "09").select("geo", "name").rows())
        for level, year in (("old", 2020), ("new", 2022))
    }
    tracts = (
        world.atoms.filter(pl.col("state") == "09")
        .select(county_layer(2020), county_layer(2022), pl.col("tract_2020"), "puma_2020")
        .unique(["tract_2020"], keep="first", maintain_order=True)
        .sort("tract_2020")
    )
    lines = [",".join(HEADER)]
    for old, new, tract, puma in tracts.iter_rows():
        name = f"{int(tract[:4])}" + (f".{tract[4:]}" if tract[4:] != "00" else "")
        town = (f"Synthetic town {name}", f"09{old}00000", f"09{new}00000")
        counties = (names["old"][old].removesuffix(" County"), f"09{old}", names["new"][new], f"09{new}")
        rest = ("0", "Synthetic district", "06000", puma, f"Synthetic area {puma}")
        lines.append(",".join([f"09{old}{tract}", f"09{new}{tract}", name, *town, *counties, *rest]))
    write_bytes(root / SOURCE / "2022" / "2022tractcrosswalk.csv", ("\r\n".join(lines) + "\r\n").encode("utf-8-sig"))
