"""How well the school districts that are counted in a city are the city's: a measure of the matching by name.

A district counts as a whole in the city that its office's address names (`metrics.city_names`). That is wrong where a
county's district has its office in one city, or most of a city's students are in districts with another address. Method
file homelessness.md, section 9.
"""

from __future__ import annotations

from typing import Final

import polars as pl

PLACE: Final = ["state", "geo"]

# Outside these the districts are evidently not the city's.
LEAST_FIT: Final = 0.5
MOST_FIT: Final = 2.0


def fit(sums: pl.DataFrame, lea_directory: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    """How the students counted in a city compare with its people: state, geo, fit.

    `sums` has state, geo, students (enrolled in the matched districts). `fit` is students per resident over the same
    ratio of the city's state (all districts, all counties): near 1 if the matched districts are the city's, far below
    if most of its students are in other districts, far above if the districts reach beyond the city. Null if
    populations are not known.
    """
    population = pl.col("population")
    people = (
        spine.filter(pl.col("level") == "county")
        .group_by("state")
        .agg(people=pl.when(population.is_not_null().all()).then(population.sum()))
    )
    pupils = lea_directory.group_by(pl.col("county").str.head(2).alias("state")).agg(pupils=pl.col("enrollment").sum())
    usual = people.join(pupils, on="state", how="inner", validate="1:1").select(
        "state", usual=pl.col("pupils") / pl.col("people")
    )
    residents = spine.filter(pl.col("level") == "place").select(*PLACE, residents="population")
    ratio = pl.col("students") / pl.col("residents") / pl.col("usual")
    return (
        sums.lazy()
        .join(residents, on=PLACE, how="left", validate="1:1")
        .join(usual, on="state", how="left", validate="m:1")
        .select(*PLACE, pl.when(ratio.is_finite()).then(ratio).alias("fit"))
        .collect()
    )
