"""Cities by name: spellings, and that every listed place has one of its own."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from school_support import place_lists

from metrics.city_names import POSTAL, POSTAL_DISTRICTS, listed_cities, postal_city
from schemas.errors import InputError
from sources.geography import geographies


def spelling(name: str) -> str:
    return pl.DataFrame({"city": [name]}).select(postal_city("city")).item()


@pytest.mark.parametrize(
    ("address", "city"),
    [
        ("WINSTON-SALEM", "Winston-Salem"),
        ("winston salem", "Winston Salem"),
        ("LEE'S SUMMIT", "Lee'S Summit"),
        ("O'FALLON", "O'Fallon"),
        ("McAllen", "Mcallen"),
        ("ST. LOUIS", "St. Louis"),
    ],
)
def test_spelling_of_addresses(address, city):
    assert spelling(address) == city


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_spelling_is_that_of_the_reference(text):
    """A capital after anything but a letter, as its programs and this language's `title` have it."""
    assert spelling(text) == text.lower().title()


@pytest.mark.parametrize(
    ("name", "city"),
    [
        ("Winston-Salem city", "Winston-Salem"),
        ("Kansas City city", "Kansas City"),
        ("Boise City city", "Boise"),
        ("Anchorage municipality", "Anchorage"),
        ("Cary town", "Cary"),
        ("Arlington Heights village", "Arlington Heights"),
        ("Lexington-Fayette urban county", "Lexington"),
        ("Nashville-Davidson metropolitan government (balance)", "Nashville"),
        ("San Buenaventura (Ventura) city", "Ventura"),
        ("McKinney city", "Mckinney"),
        ("Macon-Bibb County", "Macon"),
        # These are never found.
        ("Urban Honolulu CDP", "Urban Honolulu CDP"),
        ("Indianapolis city (balance)", "Indianapolis (balance)"),
        ("Lee's Summit city", "Lee's Summit"),
    ],
)
def test_spelling_of_listed_places(name, city):
    assert listed_cities(pl.DataFrame({"state": ["01"], "geo": ["00001"], "name": [name]}))["city"].item() == city


def test_districts_know_two_more():
    places = pl.DataFrame({"state": ["29"] * 2, "geo": ["1", "2"], "name": ["Lee's Summit city", "O'Fallon city"]})
    assert listed_cities(places, POSTAL_DISTRICTS)["city"].to_list() == ["Lees Summit", "Ofallon"]
    assert listed_cities(places)["city"].to_list() == ["Lee's Summit", "O'Fallon"]


def test_two_places_of_one_name_are_refused():
    places = pl.DataFrame({"state": ["37", "37"], "geo": ["1", "2"], "name": ["Cary town", "Cary city"]})
    with pytest.raises(InputError, match="two places of state 37 would be called Cary"):
        listed_cities(places)
    assert listed_cities(places.with_columns(state=pl.Series(["37", "38"]))).height == 2
    assert listed_cities(places.with_columns(year=pl.Series([2014, 2015]))).height == 2


@pytest.mark.parametrize("year", range(2014, 2024))
def test_every_listed_place_has_a_name_of_its_own(year):
    places = geographies(year).filter(pl.col("level") == "place").select("state", "geo", "name")
    titled = pl.col("city").str.to_lowercase().str.to_titlecase()
    never = {"Urban Honolulu CDP", "Indianapolis (balance)"}
    for postal, unmatched in ((POSTAL, {*never, "Lee's Summit"}), (POSTAL_DISTRICTS, never)):
        named = listed_cities(places, postal)
        assert not named["city"].str.contains(r"\d").any()
        assert set(postal.values()) <= set(named["city"])
        # Names that title case would change: no address is spelled so, and the place is never found.
        assert set(named.filter(pl.col("city") != titled)["city"]) == unmatched


@pytest.mark.parity
def test_names_are_those_of_the_reference(realcases):
    """Our registry's names give the same spelling as the reference's list, in every row of it."""
    theirs = listed_cities(place_lists(realcases)).sort("year", "state", "geo")
    ours = pl.concat(
        geographies(year)
        .filter(pl.col("level") == "place")
        .select(pl.lit(year, pl.Int16).alias("year"), "state", "geo", "name")
        for year in range(2014, 2024)
    )
    ours = listed_cities(ours).sort("year", "state", "geo")
    both = theirs.join(ours, on=["year", "state", "geo"], how="left", validate="1:1")
    same = (both["city"] == both["city_right"]).sum()
    assert same == both.height == theirs.height == 4856, f"{same} of {theirs.height} names agree"
