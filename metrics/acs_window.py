"""Which interviews of an ACS file a figure rests on: those whose PUMA codes the year's allocation knows.

The 2010-2014 file carries PUMAs of the 2000 census for its interviews of 2010 and 2011. Joining them by code to PUMAs
of 2010 would put them into wrong areas (the reference does so, a registered deviation). If the allocation table has
PUMAs of 2000, they are allocated by those, and the figure's reference period is 2010-2014; if not, they are left out,
and it is 2012-2014. Method file acs_microdata.md, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.allocation import FORMER_PUMAS, without_former_pumas

LEFT_OUT: Final[dict[str, type[pl.DataType]]] = {
    "survey_year": pl.Int16,
    "puma_vintage": pl.Int16,
    "records": pl.Int64,
}


@dataclass(frozen=True, eq=False)
class Window:
    """Records that can be allocated and the period they describe, for example `2014-2018` or `2012-2014`.

    `allocation` is the part of the table `puma_allocation` that has their PUMAs. `left_out` has survey_year,
    puma_vintage and records (their number) of the interviews that are not in `records`.
    """

    records: pl.LazyFrame
    allocation: pl.LazyFrame
    reference_period: str
    left_out: pl.DataFrame


def one_year(records: pl.LazyFrame, allocation: pl.LazyFrame, year: int) -> Window:
    """The 1-year file: all of its records, which carry the PUMAs of the year's own vintage."""
    return Window(records, without_former_pumas(allocation), str(year), pl.DataFrame(schema=LEFT_OUT))


def five_years(records: pl.LazyFrame, allocation: pl.LazyFrame, year: int, *, by_code: bool = False) -> Window:
    """The 5-year file ending in `year`, without interviews in PUMAs of 2000 unless the allocation table has those.

    `records` has survey_year and puma_vintage, `allocation` is the year's table `puma_allocation`. Records of another
    vintage that the table does not know stay in, where the survey functions refuse them. `by_code` takes every PUMA
    code for one of the table's, whatever its vintage, and leaves out the codes that the table does not have: what the
    reference does.
    """
    if by_code:
        return _five_years_by_code(records, allocation, year)
    known = allocation.select("puma_vintage").unique().collect()["puma_vintage"]
    found = (
        records.group_by("survey_year", "puma_vintage")
        .agg(pl.len().cast(pl.Int64).alias("records"))
        .collect(engine="streaming")
        .sort("survey_year", "puma_vintage")
    )
    lost = (pl.col("puma_vintage") == FORMER_PUMAS) & ~pl.col("puma_vintage").is_in(known.implode())
    kept, left_out = found.filter(~lost), found.filter(lost)
    if left_out.height:
        records = records.filter(pl.col("puma_vintage") != FORMER_PUMAS)
    if FORMER_PUMAS not in kept["puma_vintage"]:
        allocation = without_former_pumas(allocation)
    first = kept["survey_year"].to_list()[0] if kept.height else year - 4
    return Window(records, allocation, f"{first}-{year}", left_out)


def of_sample(
    sample: str, records: pl.LazyFrame, allocation: pl.LazyFrame, year: int, *, by_code: bool = False
) -> Window:
    """`one_year` for the sample acs1, `five_years` for acs5."""
    return (
        one_year(records, allocation, year)
        if sample == "acs1"
        else five_years(records, allocation, year, by_code=by_code)
    )


def _five_years_by_code(records: pl.LazyFrame, allocation: pl.LazyFrame, year: int) -> Window:
    allocation = without_former_pumas(allocation)
    known = allocation.filter(pl.col("level") == "county").select("state", "puma", "puma_vintage").unique()
    # m:1, a code stands once in each state, as only one vintage is left. Quantiles need the order of records.
    joined = records.rename({"puma_vintage": "own_vintage"}).join(
        known, on=["state", "puma"], how="left", maintain_order="left"
    )
    lost = pl.col("puma_vintage").is_null()
    left_out = (
        joined.filter(lost)
        .group_by("survey_year", pl.col("own_vintage").alias("puma_vintage"))
        .agg(pl.len().cast(pl.Int64).alias("records"))
        .collect(engine="streaming")
        .sort("survey_year", "puma_vintage")
    )
    return Window(joined.filter(~lost).drop("own_vintage"), allocation, f"{year - 4}-{year}", left_out)
