"""Home values with households in the counties that the file names, as the reference adds them up.

For comparisons with published figures only. IPUMS names the county of a household where a county is made of whole
PUMAs. The reference puts such a household there with its full weight, once for every county that its PUMA touches; all
others are allocated by `afact`. Places are not affected. Method file housing_wealth.md, sections 4 and 9.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from metrics.allocation import SCALE
from metrics.areas import PUMA_KEY, Areas
from metrics.home_values import AGE, HOUSEHOLDS, OWNED, RACE, Pooled, holdings
from metrics.replication import Integers

_NAMED = pl.col("countyfip").is_not_null()


def pooled_as_identified(records: pl.LazyFrame, areas: Areas, *, all_ages: bool) -> Pooled:
    """Sums by geography, race and age in units of 1 / SCALE; the full weight only.

    Effective numbers of records are those of the allocation. `all_ages` leaves one position on the axis of ages.
    """
    everyone = holdings(records, areas, replicates=False)
    unnamed = holdings(records.filter(~_NAMED), areas, replicates=False)
    named = _named(records, areas)
    if all_ages:
        everyone, unnamed = everyone.of_all_ages(), unnamed.of_all_ages()
        named = named.with_columns(pl.lit(0).alias("age_code"))
    at = tuple(named[c].to_numpy().astype(np.int64) for c in ("geo_ix", "race_code", "age_code"))
    county = (areas.geos["level"] == "county").to_numpy()[:, None, None]

    def summed(column: str, everyone: Integers, unnamed: Integers, factor: Integers, unit: int) -> Integers:
        """Places from everyone; counties from the unnamed and, in full, from those named there."""
        allocated = (
            np.add.reduceat(by_puma[areas.pair_puma] * factor[:, None, None], areas.starts, axis=0)
            for by_puma in (unnamed, everyone)
        )
        out: Integers = np.where(county, *allocated)
        np.add.at(out, at, named[column].to_numpy() * named["times"].to_numpy() * unit)
        return out

    afact, one = areas.afact_10k, np.ones_like(areas.afact_10k)
    return dataclasses.replace(
        Pooled.of(everyone, areas),
        households=summed("households", everyone.households[..., 0], unnamed.households[..., 0], afact, SCALE)[
            ..., None
        ],
        value=summed("value", everyone.value[..., 0], unnamed.value[..., 0], afact, SCALE)[..., None],
        household_records=summed("household_records", everyone.household_records, unnamed.household_records, one, 1),
        owner_records=summed("owner_records", everyone.owner_records, unnamed.owner_records, one, 1),
        unit=np.full(areas.geos.height, 1 / SCALE),
    )


def _named(records: pl.LazyFrame, areas: Areas) -> pl.DataFrame:
    """Sums of the households whose county is named, by county (`geo_ix`), PUMA, race and age.

    `times` is how many counties the PUMA touches.
    """
    touched = (
        pl.DataFrame(
            {"ix": areas.pumas["ix"].gather(areas.pair_puma), "level": areas.geos["level"].gather(areas.pair_geo)}
        )
        .filter(pl.col("level") == "county")
        .group_by("ix")
        .agg(pl.len().cast(pl.Int64).alias("times"))
    )
    pumas = areas.pumas.join(touched, on="ix", how="inner", validate="1:1")
    counties = areas.geos.with_row_index("geo_ix").filter(pl.col("level") == "county").select("geo_ix", "state", "geo")
    owned = OWNED.fill_null(False)
    weight = pl.col("hhwt").cast(pl.Int64)
    return (
        records.filter(HOUSEHOLDS, _NAMED)
        .with_columns(RACE.alias("race_code"), AGE.alias("age_code"))
        .filter(pl.col("race_code").is_not_null())
        .group_by(*PUMA_KEY, "countyfip", "race_code", "age_code")
        .agg(
            weight.sum().alias("households"),
            (weight * pl.when(owned).then(pl.col("valueh")).otherwise(0)).sum().alias("value"),
            pl.len().cast(pl.Int64).alias("household_records"),
            owned.sum().cast(pl.Int64).alias("owner_records"),
        )
        .collect(engine="streaming")
        .join(pumas, on=PUMA_KEY, how="inner", validate="m:1")
        .join(counties, left_on=["state", "countyfip"], right_on=["state", "geo"], how="inner", validate="m:1")
    )
