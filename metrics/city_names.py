"""Finding the listed place that an address's city means, by its name. Method file homelessness.md, section 4, step 7.

Rough: a postal city is not a legal one, a district's office may lie outside the city it serves, and a spelling that
differs ("Winston Salem") does not match. The reference works so, and its figures cannot be had otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from schemas.errors import InputError

# Left out of official names wherever they stand, in this order.
KINDS: Final = (" town", " village", " municipality", " urban county", " city")
# What is then left of an official name -> the postal spelling.
POSTAL: Final[dict[str, str]] = {
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
# The learning rates of the reference know two more.
POSTAL_DISTRICTS: Final[dict[str, str]] = {**POSTAL, "Lee's Summit": "Lees Summit", "O'Fallon": "Ofallon"}


def postal_city(column: str) -> pl.Expr:
    """The city of an address in the spelling that is compared: a capital after anything but a letter, else small."""
    return pl.col(column).str.to_lowercase().str.to_titlecase()


def listed_cities(places: pl.DataFrame, postal: Mapping[str, str] = POSTAL) -> pl.DataFrame:
    """The listed places with the spelling they are looked up by: the columns of `places` and `city`.

    `places` has state, geo, name and maybe year. Two places of one state (and year) with one spelling are an
    `InputError`.
    """
    city = pl.col("name")
    for kind in KINDS:
        city = city.str.replace_all(kind, "", literal=True)
    named = places.with_columns(city.replace(postal).alias("city"))
    key = [c for c in ("year", "state", "city") if c in named.columns]
    doubled = named.filter(pl.struct(key).is_duplicated())
    if doubled.height:
        row = doubled.row(0, named=True)
        raise InputError(f"two places of state {row['state']} would be called {row['city']}.", source="listed_places")
    return named
