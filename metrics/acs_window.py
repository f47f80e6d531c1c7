"""Which interviews of an ACS file a figure rests on: those whose PUMA codes the year's allocation knows.

The 2010-2014 file carries PUMAs of the 2000 census for its interviews of 2010 and 2011, and no crosswalk exists for
them. Joining them by code alone would put them into wrong areas (the reference does so, a registered deviation): they
are left out, and the figure's reference period is 2012-2014. Method file acs_microdata.md, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

WITHOUT_CROSSWALK: Final = 2000
"""PUMA vintage for which there is no allocation to today's counties and places."""


@dataclass(frozen=True, eq=False)
class Window:
    """Records that can be allocated and the period they describe, for example `2014-2018` or `2012-2014`.

    `left_out` has survey_year, puma_vintage and records (their number) of the interviews without a crosswalk.
    """

    records: pl.LazyFrame
    reference_period: str
    left_out: pl.DataFrame


def one_year(records: pl.LazyFrame, year: int) -> Window:
    """The 1-year file: all of its records."""
    schema = {"survey_year": pl.Int16, "puma_vintage": pl.Int16, "records": pl.Int64}
    return Window(records, str(year), pl.DataFrame(schema=schema))


def five_years(records: pl.LazyFrame, allocation: pl.LazyFrame, year: int) -> Window:
    """The 5-year file ending in `year`, without interviews coded to PUMAs of 2000.

    `records` has survey_year and puma_vintage, `allocation` is the year's table `puma_allocation`. Records of another
    vintage that the table does not know stay in, where the survey functions refuse them.
    """
    known = allocation.select("puma_vintage").unique().collect()["puma_vintage"]
    found = (
        records.group_by("survey_year", "puma_vintage")
        .agg(pl.len().cast(pl.Int64).alias("records"))
        .collect(engine="streaming")
        .sort("survey_year", "puma_vintage")
    )
    lost = (pl.col("puma_vintage") == WITHOUT_CROSSWALK) & ~pl.col("puma_vintage").is_in(known.implode())
    kept, left_out = found.filter(~lost), found.filter(lost)
    if left_out.height:
        records = records.filter(pl.col("puma_vintage") != WITHOUT_CROSSWALK)
    first = kept["survey_year"].to_list()[0] if kept.height else year - 4
    return Window(records, f"{first}-{year}", left_out)
