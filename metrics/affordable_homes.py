"""Which homes a low-income household can afford, counted by county and place from ACS records.

Whether an income is low and a home affordable depends on the income limit of the county or place, so a record counts
differently in each of the geographies that its PUMA touches. Records are therefore joined to these (two or three for
each), but without replicate weights, and only two small codes of each are kept: which income levels its household is
at or below, and at which levels the home is affordable. Method file housing_affordability.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.acs_recodes import INCOME_NOT_AVAILABLE
from metrics.areas import GEO_KEY, PUMA_KEY, Areas
from metrics.income_limits import LIMITS
from metrics.replication import Integers
from schemas.labels import ALL, TENURE

LEVELS: Final = tuple(LIMITS)
GROUPS: Final = (ALL, *TENURE)
OWNERSHP: Final = {"Owner": 1, "Renter": 2}

SHARE_FOR_HOUSING: Final = 0.3
"""A home is affordable if it costs no more than this share of the income limit."""

OCCUPIED: Final = pl.col("gq").is_in([1, 2])
"""Households; not group quarters, nor (GQ 5) those of ten or more people unrelated to the householder."""

VACANT: Final = (pl.col("gq") == 0) & pl.col("vacancy").is_in([1, 2, 3])
"""Units for rent, for sale, or rented or sold but not yet lived in; not those kept for other uses."""

NO_OWNER_COST: Final = 99_999
NO_VALUE: Final = 9_999_999

# A buyer of a vacant home: ten percent down, 30 years at 6 percent, mortgage insurance of 0.7 percent of the loan a
# year, and property tax and insurance of a quarter of principal and interest.
_LOAN: Final = 0.9
_MONTHLY_RATE: Final = 0.005
_MONTHS: Final = 360
_MORTGAGE_INSURANCE: Final = 0.007
_TAX: Final = 0.25


def owner_cost(value: pl.Expr) -> pl.Expr:
    """What a buyer of a home of this value pays a month, in dollars."""
    loan = _LOAN * value
    growth = (1 + _MONTHLY_RATE) ** _MONTHS
    payment = loan * _MONTHLY_RATE * growth / (growth - 1)
    return payment + _MORTGAGE_INSURANCE * loan / 12 + _TAX * payment


def homes(households: pl.LazyFrame) -> pl.LazyFrame:
    """The homes that count, with what is asked of them, in dollars of the calendar year.

    Adds to PUMA and hhwt: occupied (Boolean); ownershp, income (a year) and cost (a month; gross rent or owner's cost,
    null without cash rent) of the occupied; vacant_rent (contract rent a month, as asked for, not brought to the
    calendar year) and vacant_cost (owner's cost a month) of the vacant; rent and gross_rent of renters.
    """
    rented = OCCUPIED & (pl.col("ownershp") == 2)
    gross = pl.when(pl.col("rentgrs") > 0).then(pl.col("rentgrs"))
    contract = pl.when(pl.col("rent") > 0).then(pl.col("rent"))
    own = pl.when(pl.col("owncost") != NO_OWNER_COST).then(pl.col("owncost"))
    income = pl.when(pl.col("hhincome") != INCOME_NOT_AVAILABLE).then(pl.col("hhincome"))
    value = pl.when(pl.col("valueh") != NO_VALUE).then(pl.col("valueh"))
    adjust = pl.col("adjust")
    return households.filter(OCCUPIED | VACANT).select(
        *PUMA_KEY,
        pl.col("hhwt").cast(pl.Int64),
        OCCUPIED.alias("occupied"),
        pl.when(OCCUPIED).then("ownershp").alias("ownershp"),
        pl.when(OCCUPIED).then(income * adjust).alias("income"),
        pl.when(OCCUPIED).then(pl.when(pl.col("ownershp") == 2).then(gross).otherwise(own) * adjust).alias("cost"),
        pl.when(VACANT).then(contract).alias("vacant_rent"),
        pl.when(VACANT).then(owner_cost(value * adjust)).alias("vacant_cost"),
        pl.when(rented).then(contract).alias("rent"),
        pl.when(rented).then(gross).alias("gross_rent"),
    )


COLUMNS: Final = frozenset(
    {*PUMA_KEY, "gq", "vacancy", "hhwt", "adjust", "ownershp", "owncost", "rent", "rentgrs", "hhincome", "valueh"}
)
"""The columns of `acs1_households` that `homes` uses."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Weights and records by pair of geography and PUMA (first axis, as in `Areas`), group (`GROUPS`) and level.

    `low` and `low_records`: households at or below the income limit. `occupied`: homes affordable at it, `available`:
    those of them that such a household lives in. `vacant`: affordable vacant homes, `vacant_records` the vacant units
    of the PUMA that count at all. `limits`: income limits by geography and level, NaN where there are none. `upkeep` is
    the mean ratio of gross to contract rent by geography, NaN without renters. `states` have records.
    """

    low: Integers
    low_records: Integers
    occupied: Integers
    available: Integers
    vacant: Integers
    vacant_records: Integers
    limits: npt.NDArray[np.float64]
    upkeep: npt.NDArray[np.float64]
    states: tuple[str, ...]


def tally(households: pl.LazyFrame, areas: Areas, limits: pl.DataFrame) -> Tally:
    """Count homes and households. `limits`: level, state, geo, limit_30, limit_50, limit_80 (see `income_limits`).

    Raises `InputError` for records in a PUMA that no county has.
    """
    records = homes(households)
    pumas = records.group_by(PUMA_KEY).len().collect(engine="streaming")
    known = pumas.join(areas.pumas, on=PUMA_KEY, how="left", validate="1:1")
    if areas.has_counties and not known["required"].fill_null(False).all():
        raise areas.unknown_pumas(records)

    of_geo = areas.geos.join(limits, on=GEO_KEY, how="left", validate="1:1", maintain_order="left")
    limit = of_geo.select(LIMITS.values()).cast(pl.Float64).fill_null(np.nan).to_numpy()
    upkeep = _gross_to_contract(records, areas)
    pairs = pl.DataFrame(
        {
            "ix": areas.pumas["ix"].gather(areas.pair_puma),
            "pair": np.arange(len(areas.pair_puma)),
            "upkeep": upkeep[areas.pair_geo],
            **{name: limit[areas.pair_geo, i] for i, name in enumerate(LIMITS.values())},
        }
    ).with_columns(pl.selectors.float().fill_nan(None))
    coded = _coded(records, areas, pairs)
    arrays = _arrays(coded, len(areas.pair_puma))
    return Tally(**arrays, limits=limit, upkeep=upkeep, states=tuple(pumas["state"].unique().sort()))


def _gross_to_contract(records: pl.LazyFrame, areas: Areas) -> npt.NDArray[np.float64]:
    """Weighted mean of gross rent / contract rent over a geography's renters, NaN if it has none.

    The order of addition is fixed (by PUMA and rents), because sums of fractions depend on it.
    """
    sums = (
        records.filter(pl.col("rent").is_not_null(), pl.col("gross_rent").is_not_null())
        .group_by(*PUMA_KEY, "rent", "gross_rent")
        .agg(pl.col("hhwt").sum())
        .collect(engine="streaming")
        .join(areas.pumas, on=PUMA_KEY, how="inner", validate="m:1")
        .sort("ix", "rent", "gross_rent")
    )
    by_puma = np.zeros((areas.pumas.height, 2))
    if sums.height:
        weight = sums["hhwt"].to_numpy()
        ratio = sums["gross_rent"].to_numpy() / sums["rent"].to_numpy()
        ix = sums["ix"].to_numpy().astype(np.int64)
        first = np.flatnonzero(np.diff(ix, prepend=-1))
        both = np.column_stack([weight * ratio, weight])
        by_puma[ix[first]] = np.add.reduceat(both, first, axis=0)
    pooled = np.add.reduceat(by_puma[areas.pair_puma] * areas.factor[:, None], areas.starts, axis=0)
    out = np.full(len(pooled), np.nan)
    np.divide(pooled[:, 0], pooled[:, 1], out=out, where=pooled[:, 1] > 0)
    return out


def _level(amount: pl.Expr, share: float = 1.0) -> pl.Expr:
    """How many of the three limits, times `share`, the yearly amount exceeds: 0 to 3, null if either is unknown.

    The limits are in order: level number k (0, 1, 2) is met where no more than k are exceeded.
    """
    limits = [pl.col(c) for c in LIMITS.values()]
    exceeded = pl.sum_horizontal((amount > share * limit).cast(pl.Int8) for limit in limits).cast(pl.Int8)
    return pl.when(amount.is_not_null() & limits[0].is_not_null()).then(exceeded)


def _coded(records: pl.LazyFrame, areas: Areas, pairs: pl.DataFrame) -> pl.DataFrame:
    """Weight and number of records by pair, tenure and levels."""
    keys = ("pair", "occupied", "ownershp", "income_level", "cost_level", "rental_level", "sale_level")
    return (
        # m:1, then m:m: each record meets every geography that its PUMA touches. (`validate` would end the stream.)
        records.join(areas.pumas.select(*PUMA_KEY, "ix").lazy(), on=PUMA_KEY, how="inner")
        .join(pairs.lazy(), on="ix", how="inner")
        .with_columns(
            _level(pl.col("income")).alias("income_level"),
            _level(12 * pl.col("cost"), SHARE_FOR_HOUSING).alias("cost_level"),
            _level(12 * (pl.col("vacant_rent") * pl.col("upkeep")), SHARE_FOR_HOUSING).alias("rental_level"),
            _level(12 * pl.col("vacant_cost"), SHARE_FOR_HOUSING).alias("sale_level"),
        )
        .group_by(keys)
        .agg(pl.col("hhwt").sum().alias("weight"), pl.len().cast(pl.Int64).alias("records"))
        .collect(engine="streaming")
    )


def _arrays(coded: pl.DataFrame, pairs: int) -> dict[str, Integers]:
    """Sums by pair, group and level as arrays."""
    occupied, weight, records = pl.col("occupied"), pl.col("weight"), pl.col("records")
    sums: dict[str, pl.Expr] = {}
    for g, group in enumerate(GROUPS):
        mine = occupied & (pl.lit(True) if group == ALL else pl.col("ownershp") == OWNERSHP[group])
        # A vacant home with a rent is a rental for everybody; only the owners' figure takes its value even so.
        vacant = {
            ALL: pl.coalesce("rental_level", "sale_level"),
            "Renter": pl.col("rental_level"),
            "Owner": pl.col("sale_level"),
        }[group]
        for k in range(len(LEVELS)):
            low, affordable = pl.col("income_level") <= k, pl.col("cost_level") <= k
            counted = {
                "low": (weight, mine & low),
                "low_records": (records, mine & low),
                "occupied": (weight, mine & affordable),
                "available": (weight, mine & affordable & low),
                "vacant": (weight, ~occupied & (vacant <= k)),
            }
            for name, (amount, where) in counted.items():
                sums[f"{name}/{g}/{k}"] = pl.when(where.fill_null(False)).then(amount).otherwise(0).sum()
    sums["vacant_records"] = pl.when(~occupied).then(records).otherwise(0).sum()
    by_pair = coded.group_by("pair").agg(value.alias(name) for name, value in sums.items())
    at = by_pair["pair"].to_numpy()
    out: dict[str, Integers] = {}
    for name in ("low", "low_records", "occupied", "available", "vacant"):
        columns = [f"{name}/{g}/{k}" for g in range(len(GROUPS)) for k in range(len(LEVELS))]
        dense = np.zeros((pairs, len(columns)), dtype=np.int64)
        dense[at] = by_pair.select(columns).to_numpy()
        out[name] = dense.reshape(pairs, len(GROUPS), len(LEVELS))
    vacant_records = np.zeros(pairs, dtype=np.int64)
    vacant_records[at] = by_pair["vacant_records"].to_numpy()
    return {**out, "vacant_records": vacant_records}
