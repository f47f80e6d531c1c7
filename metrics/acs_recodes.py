"""Universes and subgroups of ACS records, by IPUMS codes. Method file acs_microdata.md, sections 4 and 5.

Everything is an expression on the columns of `acs1_persons`, `acs5_persons`, `acs1_households` or `acs5_households`; in
the household tables age, sex and race are those of the reference person.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.cells import Filter, Grouping
from schemas import labels

INCOME_NOT_AVAILABLE: Final = 9_999_999
"""HHINCOME of group quarters and vacant units."""

HALF_OF_100K: Final = 50_000

HOUSEHOLD_POPULATION: Final = Filter("living in a household (GQ 1, 2, 5)", pl.col("gq").is_in([1, 2, 5]))


def ages(first: int, last: int) -> Filter:
    """People of these ages, both included."""
    cases = ("age", frozenset(range(first, last + 1)))
    return Filter(f"ages {first} to {last}", pl.col("age").is_between(first, last), cases)


def _position(names: tuple[str, ...], label: str) -> pl.Expr:
    return pl.lit(names.index(label), dtype=pl.UInt8)


def _race_ethnicity() -> pl.Expr:
    at = {label: _position(labels.RACE_ETHNICITY, label) for label in labels.RACE_ETHNICITY}
    group = (
        pl.when(pl.col("hispan") != 0)
        .then(at["Hispanic"])
        .when(pl.col("race") == 1)
        .then(at["White, Non-Hispanic"])
        .when(pl.col("race") == 2)
        .then(at["Black, Non-Hispanic"])
        .otherwise(at["Other Races and Ethnicities"])
    )
    # Without a race or an origin (no person record) the record belongs to no group.
    return pl.when(pl.col("hispan").is_not_null() & pl.col("race").is_not_null()).then(group)


def _gender() -> pl.Expr:
    male, female = (_position(labels.GENDER, label) for label in ("Male", "Female"))
    return pl.when(pl.col("sex") == 1).then(male).when(pl.col("sex") == 2).then(female)


def _disability() -> pl.Expr:
    difficulties = ("diffrem", "diffphys", "diffmob", "diffsens", "diffcare")
    yes, no = (_position(labels.DISABILITY, label) for label in ("With Disability", "Without Disability"))
    return pl.when(pl.any_horizontal(pl.col(c) == 2 for c in difficulties)).then(yes).otherwise(no)


def _household_income() -> pl.Expr:
    less, more = (_position(labels.HOUSEHOLD_INCOME, label) for label in ("Less than $50,000", "$50,000 or More"))
    known = pl.col("hhincome") != INCOME_NOT_AVAILABLE
    return pl.when(known & (pl.col("hhincome") < HALF_OF_100K)).then(less).when(known).then(more)


RACE_ETHNICITY: Final = Grouping("race-ethnicity", labels.RACE_ETHNICITY, _race_ethnicity())
"""Hispanic of any race; else White, Black, or all others."""

GENDER: Final = Grouping("gender", labels.GENDER, _gender())
"""By SEX."""

DISABILITY: Final = Grouping("disability", labels.DISABILITY, _disability())
"""Any cognitive, ambulatory, independent-living, sensory or self-care difficulty; not asked counts as none."""

HOUSEHOLD_INCOME: Final = Grouping("income", labels.HOUSEHOLD_INCOME, _household_income())
"""Household income in the dollars of the file, without ADJUST; group quarters belong to no group."""
