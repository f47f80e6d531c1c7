"""School districts in cities, by the city in the postal address of the district's office.

The rule of the reference, kept because no list of ids or shapes of districts is among the sources: a district counts as
a whole in the city whose name its address has. That is wrong where a county's district has its office in one city, or
where several cities share a post office name; `fit` measures how wrong. Method file homelessness.md, sections 4 and 9.
"""

from __future__ import annotations

from typing import Final

import polars as pl

PLACE: Final = ["state", "geo"]

# Words that official names of places have and addresses do not; taken out wherever they stand.
_WORDS: Final = (" town", " village", " municipality", " urban county", " city")
_SHORTER: Final[dict[str, str]] = {
    "San Buenaventura (Ventura)": "Ventura",
    "Athens-Clarke County unified government (balance)": "Athens",
    "Augusta-Richmond County consolidated government (balance)": "Augusta",
    "Macon-Bibb County": "Macon",
    "Boise City": "Boise",
    "Lexington-Fayette": "Lexington",
    "Louisville/Jefferson County metro government (balance)": "Louisville",
    "Nashville-Davidson metropolitan government (balance)": "Nashville",
    "McAllen": "Mcallen",
    "McKinney": "Mckinney",
}

# Students enrolled per resident, over that of the state: outside these the districts are evidently not the city's.
LEAST_FIT: Final = 0.5
MOST_FIT: Final = 2.0


def address_name(place: pl.Expr) -> pl.Expr:
    """An official name of a place as it would stand in an address: `Boise City city` -> `Boise`."""
    for word in _WORDS:
        place = place.str.replace_all(word, "", literal=True)
    return place.replace(_SHORTER)


def spelled(city: pl.Expr) -> pl.Expr:
    """The city of an address in one spelling: a capital after everything that is no letter, the rest small."""
    return city.str.to_lowercase().str.to_titlecase()


def in_places(lea_directory: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    """The districts whose office is in a listed city: leaid, state, geo."""
    places = spine.filter(pl.col("level") == "place").select(*PLACE, city=address_name(pl.col("name")))
    return (
        lea_directory.select("leaid", "state", city=spelled(pl.col("city")))
        .join(places, on=["state", "city"], how="inner", validate="m:1")
        .select("leaid", *PLACE)
        .collect()
    )


def fit(sums: pl.DataFrame, lea_directory: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    """How the students counted in a city compare with its people: state, geo, fit.

    `sums` has state, geo, students (enrolled in the matched districts). `fit` is students per resident over the same
    ratio of the city's state (all districts, all counties): near 1 if the matched districts are the city's, far below
    if most of its students are in districts with another address, far above if the districts reach beyond the city.
    Null if populations are not known.
    """
    people = spine.filter(pl.col("level") == "county").group_by("state").agg(people=_whole("population"))
    pupils = lea_directory.group_by("state").agg(pupils=pl.col("enrollment").sum())
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


def _whole(column: str) -> pl.Expr:
    """The sum, or null if a part of it is missing."""
    return pl.when(pl.col(column).is_not_null().all()).then(pl.col(column).sum())
