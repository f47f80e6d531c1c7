"""The allocation table as arrays: PUMA sums in, sums of counties and places out, exact in integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.allocation import SCALE, estimation_areas
from metrics.replication import Floats, Integers
from schemas.errors import InputError

PUMA_KEY: Final = ("state", "puma", "puma_vintage")
GEO_KEY: Final = ("level", "state", "geo")

MINIMUM_SAMPLE: Final = 30
"""An estimate needs this effective sample (sum of allocation factors over its records)."""

_MORE_DECIMALS: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Areas:
    """Counties and places (`geos`), the PUMAs they are made of (`pumas`), and the pairs between them.

    `geos`: level, state, geo, allocation (sum_products), quality, estimation_area, n_areas, n_pumas; the position of a
    row is the geography's number. `pumas`: state, puma, puma_vintage, ix (its number, UInt32), required (a PUMA of the
    county level, which microdata must find). Pairs are sorted by geography: `pair_geo`, `pair_puma` (numbers), `afact`,
    `afact_10k`, and `factor`, the integer that weights are multiplied with: `afact_10k`, or 1 where the geography is
    one PUMA and the factor cancels. `starts` are the first pairs of each geography.
    """

    geos: pl.DataFrame
    pumas: pl.DataFrame
    pair_geo: Integers
    pair_puma: Integers
    factor: Integers
    afact: Floats
    afact_10k: Integers
    starts: Integers

    @classmethod
    def of(cls, allocation: pl.LazyFrame | pl.DataFrame, levels: tuple[str, ...] | None = None) -> Areas:
        """Index an allocation table (`metrics.allocation.ALLOCATION`), for all levels or some.

        Raises `InputError` if a factor with more than four decimals stands in a geography of several PUMAs, where it
        would not cancel.
        """
        table = allocation.lazy().collect()
        if levels is not None:
            table = table.filter(pl.col("level").is_in(levels))
        pumas = (
            table.group_by(PUMA_KEY)
            .agg((pl.col("level") == "county").any().alias("required"))
            .sort(PUMA_KEY)
            .with_row_index("ix")
        )
        geos = (
            table.group_by(GEO_KEY)
            .agg(
                pl.col("sum_products").first().alias("allocation"),
                pl.col("quality").first(),
                pl.len().cast(pl.Int32).alias("n_pumas"),
            )
            .join(estimation_areas(table), on=GEO_KEY, how="left", validate="1:1")
            .sort(GEO_KEY)
        )
        pairs = (
            table.join(pumas, on=PUMA_KEY, how="inner", validate="m:1")
            .drop("n_pumas")
            .join(geos.select(*GEO_KEY, "n_pumas").with_row_index("geo_ix"), on=GEO_KEY, how="inner", validate="m:1")
            .sort("geo_ix", "ix")
        )
        ragged = (pl.col("afact") * SCALE - pl.col("afact_10k")).abs() > _MORE_DECIMALS
        bad = pairs.filter(ragged & (pl.col("n_pumas") > 1))
        if bad.height:
            row = bad.row(0, named=True)
            raise InputError(
                f"{row['level']} {row['state']}-{row['geo']} pools several PUMAs, one with a factor of more than four "
                f"decimals ({row['afact']}).",
                source="puma_allocation",
                column="afact",
            )
        factor = pairs.select(pl.when(pl.col("n_pumas") == 1).then(1).otherwise(pl.col("afact_10k")).cast(pl.Int64))
        geo_ix = pairs["geo_ix"].to_numpy().astype(np.int64)
        return cls(
            geos=geos,
            pumas=pumas,
            pair_geo=geo_ix,
            pair_puma=pairs["ix"].to_numpy().astype(np.int64),
            factor=factor.to_series().to_numpy(),
            afact=pairs["afact"].to_numpy(),
            afact_10k=pairs["afact_10k"].to_numpy(),
            starts=np.flatnonzero(np.diff(geo_ix, prepend=-1)),
        )

    def pooled(self, by_puma: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Sums of geographies, in units of `factor`: `by_puma` has the PUMA as first axis, the result the geography."""
        return self.pooled_pairs(by_puma[self.pair_puma])

    def pooled_pairs(self, by_pair: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The same where a PUMA counts differently for each geography: the first axis is that of the pairs."""
        return self._sum(by_pair, self.factor)

    def effective(self, records: Integers) -> Floats:
        """Sum of `afact` over records: `records` by PUMA (first axis); result by geography.

        A quotient of integers, so that 75 records times 0.4 are 30 exactly. Factors of more than four decimals (one
        PUMA, the two parts of Alaska's former Valdez-Cordova) add the rest that the integer leaves out.
        """
        return self.effective_pairs(records[self.pair_puma])

    def effective_pairs(self, records: Integers) -> Floats:
        """The same for records counted by pair (first axis)."""
        rest = self.afact - self.afact_10k / SCALE
        rest = np.where(np.abs(rest) * SCALE > _MORE_DECIMALS, rest, 0.0)
        total: Floats = self._sum(records, self.afact_10k) / SCALE + self._sum(records, rest)
        return total

    def people(self, pooled: Integers) -> Floats:
        """Pooled sums (units of `factor`) as weighted numbers of people or households in the geography."""
        single = self.geos["n_pumas"].to_numpy() == 1
        unit = np.where(single, self.afact[self.starts], 1.0)
        shape = (-1,) + (1,) * (pooled.ndim - 1)
        return np.where(single.reshape(shape), pooled * unit.reshape(shape), pooled / SCALE)

    def touched(self, geo_mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """PUMAs (first axis) that belong to a marked geography (first axis of `geo_mask`)."""
        out = np.zeros((self.pumas.height, *geo_mask.shape[1:]), dtype=bool)
        np.logical_or.at(out, self.pair_puma, geo_mask[self.pair_geo])
        return out

    def counted(self, records: Integers) -> Integers:
        """Unweighted records behind each geography: all of its PUMAs' records (PUMA is the first axis)."""
        return self.counted_pairs(records[self.pair_puma])

    def counted_pairs(self, records: Integers) -> Integers:
        """The same for records counted by pair (first axis)."""
        return np.add.reduceat(records, self.starts, axis=0)

    def cells(self, kind: str, labels: tuple[str, ...]) -> pl.DataFrame:
        """One row per geography and label, geography first: the columns of `geos`, subgroup_type, subgroup."""
        return self.geos.join(
            pl.DataFrame({"subgroup_type": [kind] * len(labels), "subgroup": labels}),
            how="cross",
            maintain_order="left",
        )

    @property
    def states(self) -> tuple[Integers, Integers]:
        """State numbers of the geographies and of the PUMAs."""
        names, number = np.unique(self.pumas["state"].to_numpy(), return_inverse=True)
        return np.searchsorted(names, self.geos["state"].to_numpy()), number.astype(np.int64)

    @property
    def has_counties(self) -> bool:
        """Whether the county level is there, which every PUMA must belong to."""
        return bool((self.geos["level"] == "county").any())

    def unknown_pumas(self, records: pl.LazyFrame) -> InputError:
        """The error for records whose PUMA no county has, naming the first such PUMAs."""
        known = self.pumas.filter(pl.col("required")).lazy()
        found = records.join(known, on=PUMA_KEY, how="anti").group_by(PUMA_KEY).len().collect(engine="streaming")
        names = ", ".join(f"{s}-{p} of {v}" for s, p, v in found.select(PUMA_KEY).sort(PUMA_KEY).head(5).iter_rows())
        return InputError(
            f"{found['len'].sum()} records lie in PUMAs that no county of the allocation table has: {names}.",
            source="ACS microdata",
            column="puma",
        )

    def _sum(self, by_pair: npt.NDArray[np.int64], factors: npt.NDArray[Any]) -> npt.NDArray[Any]:
        shape = (-1,) + (1,) * (by_pair.ndim - 1)
        return np.add.reduceat(by_pair * factors.reshape(shape), self.starts, axis=0)
