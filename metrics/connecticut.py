"""Connecticut's planning regions: their PUMA factors, and sources that still report the counties before them.

From 2022 the Census Bureau reports Connecticut by nine planning regions instead of eight counties. Geocorr offers them
as a separate target (`ctregion`, population of the 2020 census), not in its county file, so they come here as data:
PUMA, region, population, `afact` (share of the PUMA in the region) and `afact2` (share of the region in the PUMA).
Method file crosswalks.md, section 8.
"""

from __future__ import annotations

from typing import Final

import polars as pl

STATE: Final = "09"
FIRST_REGION: Final = "110"
"""The regions' codes begin here; those of the former counties lie below."""

OLD_COUNTIES: Final = "source on old counties"
"""The reason where a source still reports the former counties."""

_ROWS: Final = (
    ("20201", "110", 121054, 1.0, 0.1240),
    ("20202", "110", 159641, 1.0, 0.1635),
    ("20203", "110", 113449, 1.0, 0.1162),
    ("20204", "110", 140973, 1.0, 0.1444),
    ("20205", "110", 113838, 1.0, 0.1166),
    ("20206", "110", 155336, 1.0, 0.1591),
    ("20207", "110", 160485, 1.0, 0.1644),
    ("20301", "110", 11472, 0.1074, 0.0118),
    ("20801", "120", 148654, 1.0, 0.4563),
    ("20802", "120", 177124, 1.0, 0.5437),
    ("20500", "130", 174225, 1.0, 1.0),
    ("20701", "140", 114403, 1.0, 0.2538),
    ("20702", "140", 177372, 0.9959, 0.3935),
    ("20703", "140", 158964, 1.0, 0.3527),
    ("20301", "150", 95348, 0.8926, 1.0),
    ("20100", "160", 112503, 1.0, 1.0),
    ("20601", "170", 134023, 1.0, 0.2346),
    ("20602", "170", 136292, 1.0, 0.2386),
    ("20603", "170", 166415, 1.0, 0.2913),
    ("20604", "170", 133757, 1.0, 0.2342),
    ("20702", "170", 726, 0.0041, 0.0013),
    ("20401", "180", 122385, 1.0, 0.4364),
    ("20402", "180", 158045, 1.0, 0.5636),
    ("20901", "190", 198988, 1.0, 0.3207),
    ("20902", "190", 104776, 1.0, 0.1688),
    ("20903", "190", 118325, 1.0, 0.1907),
    ("20904", "190", 198460, 1.0, 0.3198),
)


def stands_on_old_counties(codes: pl.DataFrame, counties: pl.DataFrame) -> bool:
    """Whether a source has Connecticut by its former counties in a year that has planning regions.

    `codes` are those of the source, `counties` those of the year; both state and geo (3 digits). Follows from the two
    alone, so that a new year needs no list. False where the source has a region, or nothing of Connecticut.
    """
    source, year = (frame.filter(pl.col("state") == STATE)["geo"] for frame in (codes, counties))
    regions = bool((year >= FIRST_REGION).any())
    return regions and source.len() > 0 and not (source >= FIRST_REGION).any()


def planning_regions() -> pl.DataFrame:
    """The 27 rows of 2020-vintage PUMAs to planning regions, in the shape of tidy Geocorr county rows."""
    frame = pl.DataFrame(
        _ROWS,
        schema={
            "puma": pl.String,
            "geo": pl.String,
            "population": pl.Float64,
            "afact": pl.Float64,
            "afact2": pl.Float64,
        },
        orient="row",
    )
    return frame.select(
        pl.lit("county").alias("level"),
        pl.lit(STATE).alias("state"),
        "geo",
        "puma",
        pl.lit(2020, dtype=pl.Int16).alias("puma_vintage"),
        "population",
        "afact",
        "afact2",
    )
