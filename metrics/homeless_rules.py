"""Homeless students: which figures are withheld, how good the others are. Method file homelessness.md, section 5."""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics.city_fit import LEAST_FIT, MOST_FIT
from metrics.homeless_counts import AREA, BLACK, OURS, Switches
from schemas.labels import ALL

STRONG_UP_TO: Final = (21, 20)
MARGINAL_UP_TO: Final = (11, 10)
"""Upper over lower bound, as fractions: whole numbers decide exactly at the thresholds 1.05 and 1.1."""

FEW_ENROLLED: Final = 30
LEAST_TOTAL: Final = 10
FEW_HOMELESS: Final = 30
RACES_ADD_UP: Final = (70, 110)
"""Percent of the total that the groups together must reach, and must not exceed."""

SMALLEST_GROUP: Final = 2


def judged(sums: pl.DataFrame, switches: Switches = OURS) -> pl.DataFrame:
    """Quality, and the rules that withhold figures, in the order of the method file, section 5.

    Adds quality (1 to 3), missing (reason why the figure is withheld), weakened (reason why quality is low), misplaced
    (reason why a city's figure is not the city's), races (students of the groups when they are compared with the total)
    and contradictory (they do not add up to about the total).
    """
    count, overall = pl.col("count"), pl.col("subgroup") == ALL
    few = (overall & (pl.col("enrollment") < FEW_ENROLLED)) | pl.col("total").is_between(
        LEAST_TOTAL, FEW_HOMELESS, closed="left"
    )
    by_bounds = pl.when(_at_most(STRONG_UP_TO)).then(1).when(_at_most(MARGINAL_UP_TO)).then(2).otherwise(3)
    misplaced = (
        pl.when(pl.col("fit") < LEAST_FIT)
        .then(pl.lit("low coverage"))
        .when(pl.col("fit") > MOST_FIT)
        .then(pl.lit("pooled area"))
    )
    weak = few | misplaced.is_not_null() if switches.weak_where_misplaced else few
    return (
        sums.with_columns(
            misplaced=misplaced,
            quality=pl.when(weak).then(3).otherwise(by_bounds).cast(pl.Int8),
            weakened=pl.when(few)
            .then(pl.lit("small population"))
            .when(by_bounds > 1)
            .then(pl.lit("estimated at source")),
            missing=pl.when(pl.col("total") < LEAST_TOTAL)
            .then(pl.lit("too few people"))
            .when(count > pl.col("enrollment"), pl.col("enrollment") > 0)
            .then(pl.lit("inconsistent at source")),
        )
        .with_columns(races=_races_sum())
        .with_columns(contradictory=~overall & _races_do_not_add_up())
        .with_columns(
            missing=pl.coalesce(
                "missing",
                pl.when("contradictory").then(pl.lit("inconsistent at source")),
                pl.when(count <= SMALLEST_GROUP).then(pl.lit("too few people")),
            )
        )
    )


def _at_most(threshold: tuple[int, int]) -> pl.Expr:
    """Whether the upper bound is at most that many times the lower one; never where the lower one is 0."""
    above, below = threshold
    return (pl.col("lb") > 0) & (below * pl.col("ub") <= above * pl.col("lb"))


def _races_sum() -> pl.Expr:
    """Students of the groups that are not withheld so far, over the area."""
    counted = (pl.col("subgroup") != ALL) & pl.col("missing").is_null()
    return pl.when(counted).then(pl.col("count")).otherwise(0).sum().over(AREA)


def _races_do_not_add_up() -> pl.Expr:
    """Whether the groups are far from the total; not asked where the black count is withheld already."""
    black = ((pl.col("subgroup") == BLACK) & pl.col("missing").is_null()).any().over(AREA)
    least, most = RACES_ADD_UP
    percent = 100 * pl.col("races")
    return black & ((percent < least * pl.col("total")) | (percent > most * pl.col("total")))
