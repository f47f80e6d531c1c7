"""Households whose county the file names: for counties they count there, for places by the factors of their PUMA.

IPUMS names the county (COUNTYFIP) where it follows from the PUMA. Such a household belongs wholly to its county,
whatever the PUMA's factors; all others are spread by the factors over the counties that their PUMA touches. To let one
pass over the records serve both levels, PUMAs are divided into units: the households of a PUMA for which one county is
named are a unit of their own. Method file digital_access.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.allocation import ALLOCATION, SCALE, estimation_areas
from metrics.areas import GEO_KEY, PUMA_KEY

MARK: Final = "c"
"""Between PUMA and county in the code of a unit: `01801c067`."""

_AT_COUNTY: Final = pl.col("level") == "county"
_HOUSEHOLD_KEY: Final = (*PUMA_KEY, "countyfip")


@dataclass(frozen=True, eq=False)
class Units:
    """Records and allocation table by unit instead of PUMA; the unit's code stands in the column `puma`.

    `areas` has level, state, geo, estimation_area, n_areas. `named` has state, puma, puma_vintage, countyfip, records
    (households whose county is named) and `known`: whether the allocation table has that county for that PUMA. If not,
    the households are allocated like those of no named county.
    """

    records: pl.LazyFrame
    allocation: pl.DataFrame
    areas: pl.DataFrame
    named: pl.DataFrame


def by_unit(records: pl.LazyFrame, puma_allocation: pl.LazyFrame, *, copies: bool = False) -> Units:
    """Divide PUMAs into units. `records` has state, puma, puma_vintage and countyfip (null where none is named).

    `copies` counts a household of a named county once per county that its PUMA touches, each time with its full weight:
    what the reference does.
    """
    table = puma_allocation.collect()
    found = records.group_by(_HOUSEHOLD_KEY).agg(pl.len().alias("records")).collect(engine="streaming")
    pairs = table.filter(_AT_COUNTY).select(
        *PUMA_KEY,
        pl.col("geo").alias("countyfip"),
        pl.lit(True).alias("known"),
        pl.len().over(PUMA_KEY).alias("counties"),
    )
    found = found.join(pairs, on=_HOUSEHOLD_KEY, how="left", validate="1:1").with_columns(
        pl.col("known").fill_null(False)
    )
    named = found.filter(pl.col("countyfip").is_not_null()).drop("counties").sort(_HOUSEHOLD_KEY)
    if not named["known"].any():
        return Units(records, table, estimation_areas(table), named)

    units = _units(found, copies=copies)
    # 1:m for copies only. Each household finds its unit; where no county is named the unit is the PUMA.
    of_household = units.filter(pl.col("countyfip").is_not_null()).select(*_HOUSEHOLD_KEY, "unit")
    divided = records.join(of_household.lazy(), on=_HOUSEHOLD_KEY, how="left")
    allocation = _allocated(table, units)
    return Units(
        records=divided.with_columns(pl.coalesce("unit", "puma").alias("puma")).drop("unit"),
        allocation=allocation,
        areas=_areas(table, allocation),
        named=named,
    )


def _units(found: pl.DataFrame, *, copies: bool) -> pl.DataFrame:
    """Key of the household, county (only if known), copy (from 1 on), unit: its code."""
    number = pl.when(pl.col("known") & copies).then("counties").otherwise(1)
    units = found.with_columns(pl.int_ranges(1, number + 1).alias("copy")).explode("copy")
    first = pl.format("{}{}{}", "puma", pl.lit(MARK), "countyfip")
    code = pl.when(pl.col("copy") == 1).then(first).otherwise(pl.format("{}x{}", first, "copy"))
    return units.select(
        *_HOUSEHOLD_KEY,
        pl.when("known").then("countyfip").alias("county"),
        "copy",
        pl.when("known").then(code).otherwise("puma").alias("unit"),
    )


def _allocated(table: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """The allocation table by unit: a named county has its units wholly; PUMAs without records stay as they are."""
    own = units.select(*PUMA_KEY, "county", "copy", "unit").unique()
    # m:m, a PUMA has several geographies and may have several units.
    rows = table.join(own, on=PUMA_KEY, how="left").with_columns(pl.coalesce("unit", "puma").alias("puma"))
    named = pl.col("county").is_not_null()
    belongs = ~named | (pl.col("county") == pl.col("geo"))
    rows = rows.filter(pl.when(_AT_COUNTY).then(belongs).otherwise(pl.col("copy").fill_null(1) == 1))
    whole = _AT_COUNTY & named
    return rows.with_columns(
        pl.when(whole).then(1.0).otherwise("afact").alias("afact"),
        pl.when(whole).then(SCALE).otherwise("afact_10k").alias("afact_10k"),
        pl.len().over(GEO_KEY).alias("n_pumas"),
    ).select(pl.col(c).cast(t) for c, t in ALLOCATION.items())


def _areas(table: pl.DataFrame, allocation: pl.DataFrame) -> pl.DataFrame:
    """Estimation areas: those of PUMAs, but a county that has a named unit shares its figure with no other."""
    named = allocation.filter(_AT_COUNTY, pl.col("puma").str.contains(MARK, literal=True)).select(GEO_KEY).unique()
    counties = estimation_areas(allocation.filter(_AT_COUNTY)).join(
        named.with_columns(pl.lit(True).alias("named")), on=GEO_KEY, how="left", validate="1:1"
    )
    own = pl.format("{}-{}{}", "level", "state", "geo")
    counties = counties.with_columns(
        pl.when("named").then(own).otherwise("estimation_area").alias("estimation_area")
    ).with_columns(pl.len().over("estimation_area").cast(pl.Int32).alias("n_areas"))
    places = estimation_areas(table.filter(~_AT_COUNTY))
    return pl.concat([counties.drop("named"), places]).sort(GEO_KEY)
