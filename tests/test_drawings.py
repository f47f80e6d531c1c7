"""The drawings of asset pages show what the figures say: by year, by name, by state."""

import re
from xml.etree import ElementTree

import polars as pl
import pytest

from pipelines import drawings
from sources.framework.states import STATES

POSTAL = {"37": "NC", "44": "RI"}


def estimates(values, *, level="county", state="37", metric="share_employed", quality=1):
    return pl.DataFrame({
        "level": level, "state": state, "geo": [f"{i:03}" for i in range(len(values))], "metric": metric,
        "subgroup": "All", "value": values, "quality": [quality] * len(values),
    }, schema_overrides={"value": pl.Float64})  # fmt: skip


def texts(drawing):
    """The words of a drawing, which is well-formed XML."""
    root = ElementTree.fromstring(drawings.picture(drawing))
    return [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]


def named(frame):
    return frame.select("level", "state", "geo", label=pl.format("Area {}, NC", "geo"))


def test_the_spread_of_a_year_is_that_of_the_overall_figures():
    frame = pl.concat([
        estimates([0.0, 0.25, 0.5, 0.75, 1.0]),
        estimates([None, 0.9], level="place"),
        estimates([9.0]).with_columns(subgroup=pl.lit("Female")),
    ])  # fmt: skip
    county, place = drawings.spread(frame)
    assert county == {
        "metric": "share_employed", "level": "county", "figures": 5, "p25": 0.25, "p50": 0.5, "p75": 0.75,
    }  # fmt: skip
    assert (place["figures"], place["p50"]) == (1, 0.9)


def test_each_year_that_is_there_has_its_bands():
    spreads = {y: drawings.spread(estimates([0.1 * (y - 2013), 0.2, 0.9])) for y in (2014, 2018, 2016)}
    drawing = drawings.years(spreads, ["share_employed"])
    said = texts(drawing)
    assert [t for t in said if re.fullmatch(r"20\d\d", t)] == ["2014", "2016", "2018"]
    assert drawing[0].count("<circle") == 3
    lone = drawings.years({2018: drawings.spread(estimates([0.4]))}, ["share_employed"])
    assert "2018" in texts(lone)


def test_lowest_and_highest_stand_in_order_and_weak_ones_are_hollow():
    frame = pl.concat([estimates([x / 100 for x in range(20)]), estimates([5.0], state="44", quality=3)])
    drawing = drawings.ranking(frame, named(frame))
    labels = [t for t in texts(drawing) if t.startswith("Area")]
    assert labels == [f"Area {i:03}, NC" for i in (0, 1, 2, 3, 4, 16, 17, 18, 19, 0)]
    assert drawing[0].count('fill="#fff" stroke') == 1


@pytest.mark.parametrize("count", [1, 4, 7, 10])
def test_of_few_areas_none_is_named_twice(count):
    frame = estimates([0.5] * count)
    assert sum(t.startswith("Area") for t in texts(drawings.ranking(frame, named(frame)))) == count


def test_names_are_text_not_markup():
    frame = estimates([0.5])
    drawing = drawings.ranking(frame, named(frame).with_columns(label=pl.lit("<b>Doña & Ana</b>")))
    assert "<b>Doña & Ana</b>" in texts(drawing)


def test_every_state_has_one_tile_and_the_highest_is_the_darkest():
    assert set(drawings.TILES) == {s.postal for s in STATES}
    assert len(set(drawings.TILES.values())) == len(STATES)
    frame = pl.concat([estimates([0.1, 0.2, 0.3]), estimates([0.8], state="44")])
    drawing = drawings.tile_map(frame, POSTAL)
    assert "lightest 0.2, darkest 0.8" in texts(drawing)
    fills = {x[1]: x[0] for x in re.findall(r'fill="(#\w+)" stroke="#d5dce3"/><text [^>]*>(\w\w)<', drawing[0])}
    assert fills["WY"] == "#fff"
    assert len({fills["NC"], fills["RI"], fills["WY"]}) == 3


def test_cities_stand_in_where_a_metric_has_no_counties():
    frame = estimates([0.1, 0.2], level="place")
    assert "share_employed: lowest and highest cities" in texts(drawings.ranking(frame, named(frame)))
    assert "share_employed: median city by state" in texts(drawings.tile_map(frame, POSTAL))
