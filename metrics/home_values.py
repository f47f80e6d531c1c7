"""Households and the value of their homes by race-ethnicity and age of the householder, from ACS records.

Sums of weights, and of weight times value, are added up by PUMA in one pass and then allocated to counties and places,
all in integers; shares come last. Method file housing_wealth.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics import acs_recodes
from metrics.allocation import SCALE
from metrics.areas import PUMA_KEY, Areas
from metrics.cells import Figures, sampled
from metrics.replication import HOUSEHOLD_WEIGHTS, Floats, Integers, Weights, ratio, variance
from schemas.errors import InputError
from schemas.labels import HOUSEHOLDER_AGE

RACES: Final = dict(
    zip(("black_nh", "white_nh", "other_nh", "hispanic"), acs_recodes.RACE_ETHNICITY.labels, strict=True)
)
"""Name in column names -> published label, in the order of the codes."""

HOUSEHOLDS: Final = acs_recodes.HOUSEHOLD_POPULATION.keep
"""Households; neither group quarters nor vacant units."""

NO_VALUE: Final = 9_999_999
OLDER_FROM: Final = 45

OWNED: Final = (pl.col("ownershp") == 1) & (pl.col("valueh") != NO_VALUE)
"""The household owns its home, and its value is known."""

KNOWN: Final = pl.all_horizontal(pl.col(c).is_not_null() for c in ("age", "race", "hispan"))
"""There is a record of the householder."""


RACE: Final = pl.when(KNOWN).then(acs_recodes.RACE_ETHNICITY.code)
"""Position in `RACES`."""


COLUMNS: Final = frozenset({*PUMA_KEY, "gq", "ownershp", "valueh", "age", "race", "hispan", *HOUSEHOLD_WEIGHTS.columns})
"""The columns of `acs1_households` that `holdings` uses."""


_OLDER: Final = HOUSEHOLDER_AGE.index("Age 45 and Over")

AGE: Final = pl.when(KNOWN).then(pl.when(pl.col("age") >= OLDER_FROM).then(_OLDER).otherwise(1 - _OLDER).cast(pl.Int8))
"""Position in `HOUSEHOLDER_AGE`."""


@dataclass(frozen=True, eq=False)
class Holdings:
    """Sums by PUMA (as in `Areas`), race (order of `RACES`) and age (`HOUSEHOLDER_AGE`); a last axis for the weights.

    `households`: sums of weights, `value`: of weight times home value in dollars, the full weight first, then the
    replicates, if there are any. `household_records` and `owner_records` (homes of known value) have no last axis.
    `states` have records; of those in `unknown` no householder is known.
    """

    households: Integers
    value: Integers
    household_records: Integers
    owner_records: Integers
    states: tuple[str, ...]
    unknown: tuple[str, ...]

    def of_all_ages(self) -> Holdings:
        """The same with one position on the axis of ages."""
        return Holdings(
            households=self.households.sum(axis=2, keepdims=True),
            value=self.value.sum(axis=2, keepdims=True),
            household_records=self.household_records.sum(axis=2, keepdims=True),
            owner_records=self.owner_records.sum(axis=2, keepdims=True),
            states=self.states,
            unknown=self.unknown,
        )


@dataclass(frozen=True, eq=False)
class Pooled:
    """The same sums by geography (as in `Areas`), race, age and weight.

    `households` and `value` are in units of `areas.factor`; times `unit` (by geography) they are weighted households
    and dollars. Of records there are the number and the effective number (sum of `afact`).
    """

    households: Integers
    value: Integers
    unit: Floats
    household_records: Integers
    owner_records: Integers
    effective_households: Floats
    effective_owners: Floats

    @classmethod
    def of(cls, held: Holdings, areas: Areas) -> Pooled:
        """Allocate sums of PUMAs to counties and places."""
        single = areas.geos["n_pumas"].to_numpy() == 1
        return cls(
            households=areas.pooled(held.households),
            value=areas.pooled(held.value),
            unit=np.where(single, areas.afact[areas.starts], 1 / SCALE),
            household_records=areas.counted(held.household_records),
            owner_records=areas.counted(held.owner_records),
            effective_households=areas.effective(held.household_records),
            effective_owners=areas.effective(held.owner_records),
        )

    def figures(self, race: str, *, every_sample: bool = False) -> dict[str, Figures]:
        """The three metrics of a race: arrays by geography and age, NaN where missing.

        Given are shares with an effective sample of 30 or more, of the group's owners for values, of its households for
        households, of both for the ratio. With `every_sample` one record is enough.
        """
        at = (slice(None), list(RACES).index(race), slice(None))
        enough_owners, enough_households = sampled(self.effective_owners[at]), sampled(self.effective_households[at])
        if every_sample:
            enough_owners, enough_households = self.owner_records[at] > 0, self.household_records[at] > 0
        of_value = self._share(self.value, at, enough_owners)
        of_households = self._share(self.households, at, enough_households)
        of_value |= {"n": self.owner_records[at], "n_effective": self.effective_owners[at]}
        of_households |= {"n": self.household_records[at], "n_effective": self.effective_households[at]}
        return {
            f"ratio_{race}_house_value_households": self._ratio(of_value, of_households, at),
            f"share_house_value_{race}": of_value,
            f"share_households_{race}": of_households,
        }

    def _share(self, sums: Integers, at: tuple[slice, int, slice], enough: npt.NDArray[np.bool_]) -> Figures:
        group, everybody = sums[at], sums.sum(axis=1)
        value = np.where(enough, ratio(group[..., 0], everybody[..., 0]), np.nan)
        weights = group.shape[-1]
        share: Figures = {
            "value": value,
            "numerator": np.where(enough, group[..., 0] * self.unit[:, None], np.nan),
            "denominator": np.where(enough, everybody[..., 0] * self.unit[:, None], np.nan),
        }
        if weights > 1:
            replicates = ((group[..., r], everybody[..., r]) for r in range(1, weights))
            share["se"] = np.sqrt(variance(value, replicates, weights - 1))
        return share

    def _ratio(self, of_value: Figures, of_households: Figures, at: tuple[slice, int, slice]) -> Figures:
        value = np.full(of_value["value"].shape, np.nan)
        np.divide(of_value["value"], of_households["value"], out=value, where=of_households["value"] > 0)
        there = ~np.isnan(value)
        figures: Figures = {
            "value": value,
            "numerator": np.where(there, of_value["value"], np.nan),
            "denominator": np.where(there, of_households["value"], np.nan),
            "n": of_value["n"],
            "n_effective": of_value["n_effective"],
        }
        if "se" in of_value:
            replicates = (self._shares(at, r) for r in range(1, self.value.shape[-1]))
            figures["se"] = np.sqrt(variance(value, replicates, self.value.shape[-1] - 1))
        return figures

    def _shares(self, at: tuple[slice, int, slice], weight: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Share of value and share of households by one weight; both 0 where one of them has no denominator."""
        of_value, of_households = (
            ratio(sums[at][..., weight], sums[..., weight].sum(axis=1)) for sums in (self.value, self.households)
        )
        there = ~np.isnan(of_value) & ~np.isnan(of_households)
        return np.where(there, of_value, 0.0), np.where(there, of_households, 0.0)


def holdings(records: pl.LazyFrame, areas: Areas, *, replicates: bool = True) -> Holdings:
    """Add up households and home values. `records`: the table `acs1_households`.

    Without `replicates`, or if some are missing in the file, only the full weight is added up. Raises `InputError` for
    records in a PUMA that no county has, for a missing weight, and for a state where some householders are known and
    others are not.
    """
    households = records.filter(HOUSEHOLDS)
    weights = HOUSEHOLD_WEIGHTS if replicates else Weights(HOUSEHOLD_WEIGHTS.full)
    sums = _sums(households, weights)
    if replicates and sums["incomplete"].any():
        weights = Weights(HOUSEHOLD_WEIGHTS.full)
        sums = _sums(households, weights)
    if sums["incomplete"].any():
        raise InputError("a weight is missing.", source="ACS microdata", column=weights.full)
    sums = sums.join(areas.pumas, on=PUMA_KEY, how="left", validate="m:1")
    if areas.has_counties and not sums["required"].fill_null(False).all():
        raise areas.unknown_pumas(households)
    unknown = _states_without_householders(sums)
    found = sums.filter(pl.col("ix").is_not_null(), pl.col("race_code").is_not_null())

    shape = (areas.pumas.height, len(RACES), len(HOUSEHOLDER_AGE))
    at = tuple(found[c].to_numpy().astype(np.int64) for c in ("ix", "race_code", "age_code"))

    def dense(columns: list[str]) -> npt.NDArray[np.int64]:
        out = np.zeros((*shape, len(columns)), dtype=np.int64)
        out[at] = found.select(columns).to_numpy()
        return out

    return Holdings(
        households=dense([f"households/{w}" for w in weights.columns]),
        value=dense([f"value/{w}" for w in weights.columns]),
        household_records=dense(["household_records"])[..., 0],
        owner_records=dense(["owner_records"])[..., 0],
        states=tuple(sums["state"].unique().sort()),
        unknown=unknown,
    )


def _sums(households: pl.LazyFrame, weights: Weights) -> pl.DataFrame:
    owned = OWNED.fill_null(False)
    value = pl.when(owned).then(pl.col("valueh")).otherwise(0)
    return (
        households.with_columns(RACE.alias("race_code"), AGE.alias("age_code"))
        .group_by(*PUMA_KEY, "race_code", "age_code")
        .agg(
            pl.len().cast(pl.Int64).alias("household_records"),
            owned.sum().cast(pl.Int64).alias("owner_records"),
            pl.any_horizontal(pl.col(w).is_null() for w in weights.columns).any().alias("incomplete"),
            *(pl.col(w).cast(pl.Int64).sum().alias(f"households/{w}") for w in weights.columns),
            *((pl.col(w).cast(pl.Int64) * value).sum().alias(f"value/{w}") for w in weights.columns),
        )
        .collect(engine="streaming")
    )


def _states_without_householders(sums: pl.DataFrame) -> tuple[str, ...]:
    """States without any record of a householder: their person file is missing."""
    lacking = pl.col("race_code").is_null()
    by_state = (
        sums.group_by("state")
        .agg(
            pl.when(lacking).then("household_records").otherwise(0).sum().alias("lacking"),
            pl.col("household_records").sum().alias("all"),
        )
        .sort("state")
    )
    some = by_state.filter(pl.col("lacking") > 0, pl.col("lacking") < pl.col("all"))
    if some.height:
        state, lost, total = some.row(0)
        raise InputError(
            f"{lost} of {total} households of state {state} have no record of their householder.",
            source="ACS microdata",
            column="race",
        )
    return tuple(by_state.filter(pl.col("lacking") == pl.col("all"))["state"])
