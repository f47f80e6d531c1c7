"""Synthetic tract files of the Housing + Transportation index: one CSV per state, codes in literal quotes.

Each state has a tract without households and figures. The county of the smallest settlement (15-005) has no households
in 2015.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.cnt_ht import SOURCE as DECLARED
from sources.synthetic.acs_tables import tract_people
from sources.synthetic.files import write_bytes
from sources.synthetic.world import World

EMPTY_TRACT: Final = "980000"
NO_HOUSEHOLDS: Final = ("15", "005", 2015)
HEADER: Final = (
    *("tract", "cbsa", "blkgrps", "population", "households", "land_acres", "ht_ami", "ht_80ami", "ht_nmi"),
    *("h_ami", "h_80ami", "h_nmi", "t_ami", "t_80ami", "t_nmi", "co2_per_hh_local", "co2_per_acre_local"),
    *("autos_per_hh_ami", "autos_per_hh_80ami", "autos_per_hh_nmi", "vmt_per_hh_ami", "vmt_per_hh_80ami"),
    *("vmt_per_hh_nmi", "pct_transit_commuters_ami", "pct_transit_commuters_80ami", "pct_transit_commuters_nmi"),
)


def tracts(world: World, year: int) -> pl.DataFrame:
    """Households and whole percents of every tract: state, county, tract, people, households, transit, cost."""
    listed = tract_people(world, year).sort("state", "county", "tract")
    rng = world.rng("cnt_ht", year)
    nobody = (
        (pl.col("state") == NO_HOUSEHOLDS[0])
        & (pl.col("county") == NO_HOUSEHOLDS[1])
        & pl.lit(year == NO_HOUSEHOLDS[2])
    )
    size = rng.integers(340, 420, listed.height)
    inhabited = listed.with_columns(
        pl.when(nobody).then(0).otherwise((pl.col("people") * pl.Series(size)).floordiv(1000)).alias("households"),
        pl.Series("transit", rng.integers(0, 4, listed.height) ** 2),
        pl.Series("cost", rng.integers(14, 43, listed.height)),
    )
    empty = listed.group_by("state").agg(pl.col("county").min())
    empty = empty.with_columns(
        tract=pl.lit(EMPTY_TRACT),
        people=pl.lit(800, pl.Int64),
        households=pl.lit(0, pl.Int64),
        transit=pl.lit(0, pl.Int64),
        cost=pl.lit(0, pl.Int64),
    )
    return pl.concat([inhabited, empty.select(inhabited.columns)]).sort("state", "county", "tract")


def _line(code: str, people: int, households: int, transit: int, cost: int) -> str:
    """One row; a tract without households has no figures."""
    cells = dict.fromkeys(HEADER, "")
    cells |= {
        "tract": f'"""{code}"""',
        "cbsa": '"""Synthetic area"""',
        "blkgrps": "3.00",
        "population": f"{people}.00",
        "households": f"{households}.00",
        "land_acres": f"{households * 2}.50",
    }
    if households:
        cells |= {f"pct_transit_commuters_{kind}": str(transit) for kind in ("ami", "80ami", "nmi")}
        cells |= {"t_ami": str(cost - 3), "t_80ami": str(cost), "t_nmi": str(cost - 5)}
        cells |= {"ht_ami": str(cost + 25), "ht_80ami": str(cost + 30), "ht_nmi": str(cost + 20)}
    return ",".join(cells.values())


def write(root: Path, world: World) -> None:
    """One file per state and edition."""
    for year in (y for y in world.years if DECLARED.vintages_for(y)):
        (declared,) = DECLARED.vintage(str(year)).files
        for (state,), rows in tracts(world, year).group_by("state", maintain_order=True):
            lines = [_line(f"{s}{c}{t}", *figures) for s, c, t, *figures in rows.iter_rows()]
            text = "\n".join([",".join(HEADER), *lines]) + "\n"
            name = declared.name.replace("{fips}", str(state))
            write_bytes(root / DECLARED.key / str(year) / name, text.encode())
