"""School districts behind the places: which count, and for which city. Method file public_education.md, section 4b."""

from __future__ import annotations

import polars as pl

from metrics.city_names import POSTAL_DISTRICTS, listed_cities, postal_city
from metrics.learning import ENOUGH_TESTS, OURS, Rates, Reproduce, rates


class Districts:
    """The districts behind the places: which are kept, their rates, and their rows with the city of each school year.

    rows: leaid, state, city, group, grade, spring, tests, rate, half, quality, least, grades; one row per kept
    district, group and grade of the cohort.
    """

    def __init__(
        self,
        seda_district: pl.LazyFrame,
        district_city: pl.LazyFrame,
        listed_places: pl.LazyFrame,
        reproduce: Reproduce = OURS,
    ) -> None:
        self.cities = _cities(district_city, reproduce)
        self.kept = _kept(self.cities, listed_places)
        self.scores = seda_district.collect()
        pooled = self.scores.join(self.kept, on="leaid", how="semi")
        self.rates: Rates = rates(pooled.rename({"leaid": "area"}), own_variance=reproduce.own_variance)
        found = self.rates.table.rename({"area": "leaid"}).drop("se", "points")
        self.rows = (
            pooled.with_columns(fall=pl.col("spring") - 1)
            .join(self.cities, on=["leaid", "fall"], how="left", validate="m:1")
            .join(found, on=["leaid", "group"], how="left", validate="m:1")
            .with_columns(state=pl.col("leaid").str.head(2))
        )

    def by_city(self) -> pl.DataFrame:
        """Sums over the districts of each city: state, city, group, and per group of students

        districts (with a rate), scores (most scores of a district), weight (students tested), rate and half (sums,
        weighted), bounded (every rate has an interval), quality (sum, weighted), lowered (students tested in districts
        below quality 1), small (those where fewer than 30 are tested in a grade).
        """
        weight = pl.when(pl.col("rate").is_not_null() & (pl.col("tests") > 0)).then("tests")
        lowered = pl.when(pl.col("quality") > 1).then(weight)
        # Sorted, so that sums of fractions do not depend on the order of rows; quality is averaged in whole numbers.
        return (
            self.rows.with_columns(weight=weight, lowered=lowered)
            .group_by("state", "city", "group")
            .agg(
                districts=pl.col("leaid").filter(pl.col("weight").is_not_null()).n_unique(),
                scores=pl.col("grades").max(),
                weight=pl.col("weight").sum(),
                rate=(pl.col("weight") * pl.col("rate")).sort().sum(),
                half=(pl.col("weight") * pl.col("half")).sort().sum(),
                bounded=pl.col("half").filter(pl.col("weight").is_not_null()).is_not_null().all(),
                quality=(pl.col("weight") * pl.col("quality").cast(pl.Int64)).sum(),
                lowered=pl.col("lowered").sum(),
                small=pl.col("lowered").filter(pl.col("least") < ENOUGH_TESTS).sum(),
            )
        )


def _cities(district_city: pl.LazyFrame, reproduce: Reproduce) -> pl.DataFrame:
    """leaid, fall, city: the city of every school year, borrowed from another year where the directory lacks it.

    Districts without a city in any year are left out.
    """
    cities = district_city.collect().sort("leaid", "fall")
    # Both take the nearest year's: the forward fill looks back, the backward fill ahead.
    years = pl.when(pl.col("city").is_not_null()).then("fall")
    back, ahead = years.forward_fill().over("leaid"), years.backward_fill().over("leaid")
    nearer = (pl.col("fall") - back).fill_null(999) <= (ahead - pl.col("fall")).fill_null(999)
    nearest = (
        pl.when(nearer)
        .then(pl.col("city").forward_fill().over("leaid"))
        .otherwise(pl.col("city").backward_fill().over("leaid"))
    )
    borrowed = nearest if reproduce.nearest_city else pl.col("city").min().over("leaid")
    return (
        cities.with_columns(pl.coalesce("city", borrowed).alias("city"))
        .drop_nulls("city")
        .with_columns(postal_city("city"))
    )


def _kept(cities: pl.DataFrame, listed_places: pl.LazyFrame) -> pl.DataFrame:
    """leaid of the districts that have a listed place's name in some year of the list."""
    listed = listed_cities(listed_places.collect(), POSTAL_DISTRICTS)
    placed = cities.with_columns(state=pl.col("leaid").str.head(2))
    return (
        placed.join(listed, left_on=["fall", "state", "city"], right_on=["year", "state", "city"], how="semi")
        .select("leaid")
        .unique()
        .sort("leaid")
    )
