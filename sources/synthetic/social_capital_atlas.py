"""Synthetic Social Capital Atlas: connectedness by county and by 2010 ZIP area, codes as numbers.

The counties are those before 2020: Connecticut's former ones, Valdez-Cordova undivided. Small counties have no figure,
and some ZIP areas; one ZIP area is in no county.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import World, county_layer

SOURCE: Final = "social_capital_atlas"
VINTAGE: Final = 2022
PEOPLE_OF: Final = 2018
TOO_SMALL: Final = 3_500
COUNTY_HEADER: Final = "county,county_name,num_below_p50,pop2018,ec_county,ec_se_county,child_ec_county"
ZIP_HEADER: Final = "zip,county,num_below_p50,pop2018,ec_zip,ec_se_zip,nbhd_ec_zip"


def _figures(number: int, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Connectedness, its standard error and the one in childhood, as text with five decimals."""
    ec = rng.integers(35_000, 135_001, number)
    se = rng.integers(500, 3_001, number)
    child = rng.integers(30_000, 140_001, number)

    def text(number: int) -> str:
        return f"{number / 100_000:.5f}".lstrip("0")

    return [(text(a), text(b), text(c)) for a, b, c in zip(ec, se, child, strict=True)]


def _counties(world: World) -> list[str]:
    layer = county_layer(PEOPLE_OF)
    people = world.people(layer, PEOPLE_OF)
    names = {(s, c): n for s, c, n, _ in world.registry("county", PEOPLE_OF).iter_rows()}
    figures = _figures(people.height, world.rng("atlas", "county"))
    lines = [COUNTY_HEADER]
    for (state, code, persons), (ec, se, child) in zip(people.iter_rows(), figures, strict=True):
        known = (ec, se, child) if persons >= TOO_SMALL else ("", "", "")
        name = f'"{names.get((state, code), "Synthetic")}, Synthetic"'
        lines.append(",".join((str(int(state + code)), name, f"{persons * 45 / 100:.1f}", str(persons), *known)))
    return lines


def _zips(world: World) -> list[str]:
    layer = county_layer(PEOPLE_OF)
    # The county that has most of the ZIP area's people.
    county = (
        world.atoms.group_by("state", "zcta_2010", layer)
        .agg(pl.col("pop2020").sum())
        .sort("state", "zcta_2010", "pop2020", layer, descending=[False, False, True, False])
        .unique(["state", "zcta_2010"], keep="first", maintain_order=True)
    )
    people = {(s, z): n for s, z, n in world.people("zcta_2010", PEOPLE_OF).iter_rows()}
    figures = _figures(county.height, world.rng("atlas", "zip"))
    lines = [ZIP_HEADER]
    for at, (row, (ec, se, child)) in enumerate(zip(county.iter_rows(named=True), figures, strict=True)):
        state, zcta, persons = row["state"], row["zcta_2010"], people[row["state"], row["zcta_2010"]]
        known = ("", "", child) if at % 6 == 2 else (ec, se, child)
        code = "" if at == 0 else str(int(state + row[layer]))
        lines.append(",".join((str(int(zcta)), code, f"{persons * 45 / 100:.1f}", str(persons), *known)))
    return lines


def write(root: Path, world: World) -> None:
    """`social_capital_atlas/2022`: both tables, if the snapshot's year is one of the world's."""
    if VINTAGE not in world.years:
        return
    folder = root / SOURCE / str(VINTAGE)
    for name, lines in (("social_capital_county.csv", _counties(world)), ("social_capital_zip.csv", _zips(world))):
        write_bytes(folder / name, ("\n".join(lines) + "\n").encode())
