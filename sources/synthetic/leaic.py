"""Synthetic identifiers crosswalk of police agencies, in the layout of ICPSR 35158: text with tabs, codes unpadded.

City agencies have their place, sheriffs a pseudo-place (99 and the county), and some agencies are not in it at all, as
the crosswalk of 2012 lacks later ones. Two agencies have no identifier.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from sources.leaic import FILE, SOURCE, VINTAGE
from sources.synthetic.files import write_bytes
from sources.synthetic.nibrs import CITY, SHERIFF, agencies
from sources.synthetic.world import World

# Every n-th agency is missing from the crosswalk.
MISSING_EVERY: Final = 9


def write(root: Path, world: World) -> None:
    """The crosswalk; it has the agencies of the first year that the segment files are made for."""
    if not set(world.years) & set(SOURCE.vintage(VINTAGE).data_years):
        return
    listed = agencies(world, 2021).filter(pl.col("kind").is_in([CITY, SHERIFF, "university or college"]))
    kept = listed.with_row_index("n").filter(pl.col("n") % MISSING_EVERY != 0)
    place = (
        pl.when(pl.col("kind") == CITY)
        .then("place")
        .when(pl.col("kind") == SHERIFF)
        .then(pl.concat_str(pl.lit("99"), "county"))
    )
    rows = kept.select(
        pl.col("ori").str.head(7).alias("ORI7"),
        pl.col("ori").alias("ORI9"),
        pl.col("city_name").str.to_uppercase().alias("NAME"),
        pl.col("state").cast(pl.Int64).cast(pl.String).alias("FIPS_ST"),
        pl.col("county").cast(pl.Int64).cast(pl.String).alias("FIPS_COUNTY"),
        place.cast(pl.Int64).cast(pl.String).fill_null("").alias("FPLACE"),
    )
    without = pl.DataFrame(
        {
            "ORI7": "-1",
            "ORI9": ["-1", "-1"],
            "NAME": "SYNTHETIC",
            "FIPS_ST": "37",
            "FIPS_COUNTY": "1",
            "FPLACE": "99001",
        }
    )
    text = pl.concat([rows, without.select(rows.columns)]).write_csv(separator="\t")
    write_bytes(root / SOURCE.key / VINTAGE / FILE, text.encode())
