"""Figures of areas from figures of census tracts: allocation to places, sums, margins of error, weighted means.

A tract lies in one county. A place takes the share of a tract's people that lives in it (`afact`, four decimals, kept
as an integer of 1/10,000). Counts, squared margins of error and factors are integers, so sums of them are exact. Sums
of fractions are taken in the order of the tract codes: sums over groups in parallel differ in the last digits from one
machine to the next.

Margins of error of the American Community Survey are at the 90 % level. The rules for combining them are those of the
Census Bureau's handbook "Understanding and Using American Community Survey Data: What All Data Users Need to Know",
chapter 8. Method files tract_to_place.md, economic_inclusion.md, racial_diversity.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

SCALE: Final = 10_000
"""Factors are integers of 1 / SCALE."""

Z90: Final = 1.645
"""Margin of error at the 90 % level / standard error, as the Census Bureau rounds it."""

SMALL: Final = 30
"""A figure about a group of this many people or fewer is not given."""

MARGINAL_CV: Final = 0.2
WEAK_CV: Final = 0.4
"""Quality is 1 below the first coefficient of variation, 2 below the second, else 3."""

COVERAGE: Final = 0.9
"""A place is given no figure if the tracts with data hold less than this share of its tracts."""

TRACT: Final = ["state", "county", "tract"]
AREA: Final = ["level", "state", "geo"]


# Margins of error -----------------------------------------------------------------------------------------------------


def squared_margin_of_sum(parts: Sequence[str]) -> pl.Expr:
    """Squared margin of error of a sum of counts of one tract, from columns `<part>` and `<part>_moe`.

    The root of the sum of squares; of the parts whose estimate is zero only the largest margin counts, since all of
    them are the same margin of "nobody". A margin that the agency does not give counts as zero.
    """
    margins = {part: pl.col(f"{part}_moe").fill_null(0) for part in parts}
    counted = pl.sum_horizontal(
        pl.when(pl.col(part) != 0).then(margin**2).otherwise(0) for part, margin in margins.items()
    )
    zeros = pl.max_horizontal(pl.when(pl.col(part) == 0).then(margin).otherwise(0) for part, margin in margins.items())
    return counted + zeros**2


def margin_of_proportion(
    numerator: pl.Expr, numerator_margin: pl.Expr, denominator: pl.Expr, denominator_margin: pl.Expr
) -> pl.Expr:
    """Margin of error of numerator / denominator where the numerator is part of the denominator.

    Falls back to the formula for ratios of unrelated counts where the difference under the root is negative. Null if
    the denominator is zero.
    """
    share = quotient(numerator, denominator)
    difference = numerator_margin**2 - share**2 * denominator_margin**2
    together = numerator_margin**2 + share**2 * denominator_margin**2
    return quotient(pl.when(difference >= 0).then(difference).otherwise(together).sqrt(), denominator)


def quality_of(cv: pl.Expr) -> pl.Expr:
    """Quality flag of a coefficient of variation (Int8); null stays null."""
    return (
        pl.when(cv < MARGINAL_CV)
        .then(pl.lit(1, pl.Int8))
        .when(cv < WEAK_CV)
        .then(pl.lit(2, pl.Int8))
        .when(cv >= WEAK_CV)
        .then(pl.lit(3, pl.Int8))
    )


def quotient(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """numerator / denominator; null if the denominator is zero."""
    return pl.when(denominator != 0).then(numerator / denominator)


# Areas ----------------------------------------------------------------------------------------------------------------


def allocate(tracts: pl.DataFrame, tract_place: pl.DataFrame | None) -> pl.DataFrame:
    """The tracts of every county and place, with the share of their people that counts there.

    `tracts` has one row per tract (state, county, tract and figures); `tract_place` state, county, tract, place and
    afact_10k (None: counties only). Returned, sorted by area and tract: level, state, geo, county, tract, share (Int64,
    1/10,000), has_data, and the figures. A tract of the factors without figures has has_data false and nulls.
    """
    members = [
        tracts.select(
            pl.lit("county").alias("level"),
            "state",
            pl.col("county").alias("geo"),
            "county",
            "tract",
            pl.lit(SCALE, pl.Int64).alias("share"),
        )
    ]
    if tract_place is not None:
        members.append(
            tract_place.select(
                pl.lit("place").alias("level"),
                "state",
                pl.col("place").alias("geo"),
                "county",
                "tract",
                pl.col("afact_10k").alias("share"),
            )
        )
    figures = tracts.with_columns(has_data=pl.lit(True))
    return (
        pl.concat(members)
        .join(figures, on=TRACT, how="left", validate="m:1")
        .with_columns(pl.col("has_data").fill_null(False))
        .sort(*AREA, "county", "tract")
    )


def total(members: pl.DataFrame, columns: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Exact sums by area of integer expressions; one row per area, with `n` tracts that have data and their coverage.

    `coverage` is the part of the area's tracts, by their shares, that has data. An expression that is null for a tract
    with data makes the area's sum null: part of the area is unknown.
    """
    data = pl.col("has_data")
    return (
        members.group_by(AREA)
        .agg(
            data.sum().cast(pl.Int64).alias("n"),
            (pl.col("share").filter(data).sum() / pl.col("share").sum()).alias("coverage"),
            *(
                pl.when((expression.is_null() & data).any()).then(None).otherwise(expression.sum()).alias(name)
                for name, expression in columns.items()
            ),
        )
        .sort(AREA)
    )


def weighted_means(members: pl.DataFrame, pairs: Mapping[str, tuple[pl.Expr, pl.Expr]]) -> pl.DataFrame:
    """Weighted means by area of (value, weight) expressions; tracts whose value is null have no weight.

    Null where the weights add up to zero. The sums run in the order of the rows.
    """
    products = {name: value * weight for name, (value, weight) in pairs.items()}
    weights = {name: pl.when(value.is_not_null()).then(weight) for name, (value, weight) in pairs.items()}
    lists = members.group_by(AREA).agg(
        *(product.alias(name) for name, product in products.items()),
        *(weight.alias(f"{name}_weight") for name, weight in weights.items()),
    )
    return (
        lists.select(
            *AREA,
            *(quotient(pl.col(n).list.sum(), pl.col(f"{n}_weight").list.sum()).alias(n) for n in pairs),
        )
    ).sort(AREA)


def overlap(tract_place: pl.DataFrame) -> pl.DataFrame:
    """How well places and tracts coincide: level, state, geo, allocation (sum of afact * afact2; null if unknown)."""
    product = pl.col("afact") * pl.col("afact2")
    return (
        tract_place.sort("state", "place", "county", "tract")
        .group_by("state", pl.col("place").alias("geo"))
        .agg(product.alias("products"), product.is_null().any().alias("unknown"))
        .select(
            pl.lit("place").alias("level"),
            "state",
            "geo",
            pl.when(~pl.col("unknown")).then(pl.col("products").list.sum()).alias("allocation"),
        )
        .sort(AREA)
    )


def in_universe(areas: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """All areas of the spine, of the levels that `areas` has, beside their sums (null where there are none).

    An area that the spine does not have stays, so that the gate reports it.
    """
    wanted = spine.select(AREA).filter(pl.col("level").is_in(areas["level"].unique().implode()))
    return wanted.join(areas, on=AREA, how="full", coalesce=True, validate="1:1").sort(AREA)


def graded(rows: pl.DataFrame, value: pl.Expr, *, nobody: str) -> pl.DataFrame:
    """Add value, quality and reason to rows with a group's people in an area and their sampling error.

    `rows` has level, people_10k (people of the group, 1/10,000; null: unknown), variance_10k (sum of share times
    squared margin of error, 1/10,000), coverage and n (null: the area has no tracts). `value` stands where more than 30
    people are in the group and the area is covered; its quality is that of the coefficient of variation of the number
    of people (column `people_cv`). `nobody` is the reason where the group has no people.
    """
    people = pl.col("people_10k")
    cv = quotient((pl.col("variance_10k") / SCALE).sqrt() / Z90, people / SCALE)
    missing = (
        pl.when(pl.col("n").is_null() & (pl.col("level") == "place"))
        .then(pl.lit("area not covered by source"))
        .when(pl.col("n").fill_null(0) == 0)
        .then(pl.lit("input owed"))
        .when(pl.col("coverage") < COVERAGE)
        .then(pl.lit("low coverage"))
        .when(people.is_null() | pl.col("variance_10k").is_null())
        .then(pl.lit("unreliable at source"))
        .when(people == 0)
        .then(pl.lit(nobody))
        .when(people <= SMALL * SCALE)
        .then(pl.lit("small population"))
        .when(value.is_null())
        .then(pl.lit("unreliable at source"))
    )
    return (
        rows.with_columns(missing.alias("reason"))
        .with_columns(
            pl.when(pl.col("reason").is_null()).then(c).alias(n) for n, c in (("value", value), ("people_cv", cv))
        )
        .with_columns(quality=quality_of(pl.col("people_cv")))
        .with_columns(
            reason=pl.when(pl.col("quality") > 1).then(pl.lit("high sampling error")).otherwise(pl.col("reason"))
        )
    )


def described(rows: pl.DataFrame, year: int) -> pl.DataFrame:
    """Add what all figures from 5-year tables share: sample, an estimation area of their own, reference period."""
    return rows.with_columns(
        sample=pl.lit("acs5_tables"),
        estimation_area=pl.format("{}-{}{}", "level", "state", "geo"),
        n_areas=pl.lit(1, pl.Int32),
        reference_period=pl.lit(f"{year - 4}-{year}"),
    )
