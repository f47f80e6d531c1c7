"""The source `acs_tables`: files of each vintage, choice of form, checks of the figures, and its tables."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from sources import acs_tables as source
from sources.acs_tables import COUNTY_RACE, PLACE_RACE, POVERTY, SOURCE, TRACT_RACE, Form, batches
from sources.census_forms import TRACT, Geography, Item
from sources.framework import Retrieval, Scope
from sources.registry import all_sources, all_tables

RACE = {
    "hispanic": "B03002_012",
    "white_nh": "B03002_003",
    "black_nh": "B03002_004",
    "aian_nh": "B03002_005",
    "asian_nh": "B03002_006",
    "nhpi_nh": "B03002_007",
    "other_race_nh": "B03002_008",
    "two_or_more_nh": "B03002_009",
}


def retrieval(root: Path, *states: str, mirror: Path | None = None) -> Retrieval:
    return Retrieval(root=root, scope=Scope(states), scratch=root / "scratch", mirror=mirror, offline=True)


def put(root: Path, vintage: str, name: str, form: Form, geography: Geography, rows: list[dict[str, object]]) -> None:
    """An answer of the API in the store: counts by our column names; margins are 10 unless given."""
    for file, items in zip(form.files(geography, 2021), form.parts, strict=True):
        header = [*(v for i in items for v in i.variables), *geography.columns]
        lines = [header]
        for row in rows:
            figures = [str(row.get(c, 10 if c.endswith("_moe") else 0)) for i in items for c in i.columns]
            lines.append([*figures, *(str(row[c]) for c in geography.columns)])
        path = root / "raw" / "acs_tables" / vintage / file.name.replace("{st}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[" + ",\n".join(json.dumps(line) for line in lines) + "]")


def tract(county: str, code: str, state: str = "10", **figures: object) -> dict[str, object]:
    return {"state": state, "county": county, "tract": code, **figures}


def test_the_declarations_are_found():
    assert all_sources()["acs_tables"] is SOURCE
    assert {"acs_tract_poverty", "acs_tract_race", "acs_county_race", "acs_place_race"} <= set(all_tables())


@pytest.mark.parametrize("year", source.VINTAGES)
@pytest.mark.parametrize("content", [POVERTY, TRACT_RACE, COUNTY_RACE, PLACE_RACE])
def test_every_answer_of_the_api_keeps_its_limit(content, year):
    for file in content.files(year):
        if file.url is not None:
            parts = urlsplit(file.url)
            assert parts.hostname == "api.census.gov"
            assert parts.path == f"/data/{year}/acs/acs5"
            query = parse_qs(parts.query)
            assert "key" not in query
            assert len(query["get"][0].split(",")) <= 50
            assert query["in"] == ["state:{fips}"]


def test_variables_of_2021_are_those_of_the_method():
    form = source.race_forms(2021)[0]
    assert {i.column: i.variable for i in form.items} == {"people": "B03002_001", **RACE}
    form = source.poverty_forms(2021)[0]
    assert {i.column: i.variable for i in form.items} == {
        "people": "B17001_001",
        "poor": "B17001_002",
        "poor_black": "B17001B_002",
        "poor_aian": "B17001C_002",
        "poor_asian": "B17001D_002",
        "poor_nhpi": "B17001E_002",
        "poor_other_race": "B17001F_002",
        "poor_two_or_more": "B17001G_002",
        "poor_white_nh": "B17001H_002",
        "poor_hispanic": "B17001I_002",
    }


@pytest.mark.parametrize(("year", "hispanic", "last"), [(2016, 66, 78), (2018, 71, 83), (2021, 71, 83), (2023, 76, 88)])
def test_profile_lines_move_between_vintages(year, hispanic, last):
    (profile,) = [f for f in source.race_forms(year) if f.table == "DP05"]
    lines = {i.column: i.variable for i in profile.items}
    assert lines["hispanic"] == f"DP05_{hispanic:04d}"
    assert lines["two_or_more_nh"] == f"DP05_{last:04d}"


def test_a_vintage_without_a_documented_profile_offers_none():
    assert {f.table for f in source.race_forms(2022)} == {"B03002"}


def test_many_items_are_asked_in_batches():
    items = tuple(Item(f"c{i}", f"B99999_{i:03d}") for i in range(1, 61))
    assert [len(b) for b in batches(items)] == [25, 25, 10]
    form = Form("B99999", items, True)
    names = [f.name for f in form.files(TRACT, 2021)]
    assert names == ["tract_B99999_{st}.json", "tract_B99999_{st}_2.json", "tract_B99999_{st}_3.json"]


@pytest.fixture
def three_answers(monkeypatch) -> Form:
    """The poverty table cut into answers of four variables."""
    monkeypatch.setattr(source, "batches", lambda items: batches(items, 4))
    return POVERTY.forms(2021)[0]


@pytest.fixture
def vintage_of_batches(monkeypatch, three_answers) -> None:
    changed = type(SOURCE)(**{**vars(SOURCE), "vintages": (source._vintage(2021),)})
    monkeypatch.setattr(source, "SOURCE", changed)


@pytest.mark.usefixtures("vintage_of_batches")
def test_answers_to_one_table_are_put_side_by_side(tmp_path, three_answers):
    rows = [tract("001", "040100", people=100, poor=30, poor_black=7, poor_hispanic=9), tract("003", "010000")]
    put(tmp_path, "acs5-2021", "de", three_answers, TRACT, rows)
    frame = source.tract_poverty(2021, retrieval(tmp_path, "10"))
    assert len(three_answers.parts) == 5
    assert frame.select("people", "poor", "poor_black", "poor_hispanic").rows() == [(100, 30, 7, 9), (0, 0, 0, 0)]


@pytest.mark.usefixtures("vintage_of_batches")
def test_answers_for_different_areas_are_refused(tmp_path, three_answers):
    put(tmp_path, "acs5-2021", "de", three_answers, TRACT, [tract("001", "040100"), tract("003", "010000")])
    path = tmp_path / "raw" / "acs_tables" / "acs5-2021" / "tract_B17001_de_3.json"
    path.write_text(path.read_text().replace("010000", "010001"))
    with pytest.raises(InputError, match="the tracts are not those of"):
        source.tract_poverty(2021, retrieval(tmp_path, "10"))


def test_the_states_of_the_scope_are_read_and_sorted(tmp_path):
    form = TRACT_RACE.forms(2021)[0]
    for name, state in (("ri", "44"), ("de", "10")):
        rows = [tract("003", "010000", state, people=5, hispanic=5), tract("001", "990000", state)]
        put(tmp_path, "acs5-2021", name, form, TRACT, rows)
    obtained = retrieval(tmp_path, "44", "10")
    frame = source.tract_race(2021, obtained)
    assert frame.select("state", "county", "people").rows() == [
        ("10", "001", 0),
        ("10", "003", 5),
        ("44", "001", 0),
        ("44", "003", 5),
    ]
    assert obtained.notes == {
        "acs_tables tracts 2021": {
            "states by form": {"B03002, API": 2},
            "annotated figures": {},
            "rows of other kinds of areas left out": 0,
        }
    }
    all_tables()["acs_tract_race"].model.validate(frame, lazy=True)


def test_a_missing_state_is_owed_by_name(tmp_path):
    with pytest.raises(OwedError, match=r"tract_B03002_ri\.json") as caught:
        source.tract_race(2021, retrieval(tmp_path, "44"))
    assert "data.census.gov" in caught.value.recipe


def test_other_states_are_read_without_the_missing_one(tmp_path):
    put(tmp_path, "acs5-2021", "de", TRACT_RACE.forms(2021)[0], TRACT, [tract("001", "040100")])
    obtained = retrieval(tmp_path, "44", "10")
    assert source.tract_race(2021, obtained)["state"].to_list() == ["10"]
    (owed,) = obtained.notes["owed"]
    assert (owed["source"], owed["vintage"], owed["files"]) == ("acs_tables", "acs5-2021", ["tract_B03002_ri.json"])
    with pytest.raises(OwedError, match=r"tract_B03002_ri\.json"):
        TRACT_RACE.read(2021, retrieval(tmp_path, "44", "10"), whole=True)


def test_states_may_come_in_different_forms(tmp_path):
    api, download, _ = TRACT_RACE.forms(2021)
    put(tmp_path, "acs5-2021", "de", api, TRACT, [tract("001", "040100")])
    header = ["GEO_ID", *(v for i in download.items for v in i.variables)]
    labels = ["Geography", *(f"Estimate!!{i.label}" for i in download.items for _ in i.variables)]
    row = ["1400000US44007000100", *("0" for _ in header[1:])]
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in (header, labels, row))
    (tmp_path / "raw" / "acs_tables" / "acs5-2021" / "tract_B03002_ri.csv").write_text(text)
    obtained = retrieval(tmp_path, "44", "10")
    assert source.tract_race(2021, obtained)["state"].to_list() == ["10", "44"]
    assert "owed" not in obtained.notes


@pytest.mark.parametrize(
    ("rows", "column", "problem"),
    [
        ([tract("001", "040100", people=9, hispanic=4, white_nh=4)], "B03002_001E", "do not add up"),
        ([tract("001", "040100", state="44")], "state", "not in Delaware"),
        ([tract("007", "040100")], "county", "no such county in 2021"),
    ],
)
def test_figures_that_cannot_be_are_refused(tmp_path, rows, column, problem):
    put(tmp_path, "acs5-2021", "de", TRACT_RACE.forms(2021)[0], TRACT, rows)
    with pytest.raises(InputError, match=problem) as caught:
        source.tract_race(2021, retrieval(tmp_path, "10"))
    assert (caught.value.row, caught.value.column) == (2, column)


@pytest.mark.parametrize(("poor", "black", "column"), [(11, 0, "B17001_002E"), (5, 6, "B17001B_002E")])
def test_more_poor_than_there_are_is_refused(tmp_path, poor, black, column):
    rows = [tract("001", "040100", people=10, poor=poor, poor_black=black)]
    put(tmp_path, "acs5-2021", "de", POVERTY.forms(2021)[0], TRACT, rows)
    with pytest.raises(InputError, match="more people in poverty") as caught:
        source.tract_poverty(2021, retrieval(tmp_path, "10"))
    assert caught.value.column == column


def test_connecticut_has_counties_until_2021_and_regions_after(tmp_path):
    form = TRACT_RACE.forms(2021)[0]
    put(tmp_path, "acs5-2021", "ct", form, TRACT, [tract("001", "071000", "09")])
    put(tmp_path, "acs5-2022", "ct", form, TRACT, [tract("120", "071000", "09")])
    assert source.tract_race(2021, retrieval(tmp_path, "09"))["county"].to_list() == ["001"]
    assert source.tract_race(2022, retrieval(tmp_path, "09"))["county"].to_list() == ["120"]
    put(tmp_path / "other", "acs5-2022", "ct", form, TRACT, [tract("001", "071000", "09")])
    with pytest.raises(InputError, match="no such county in 2022"):
        source.tract_race(2022, retrieval(tmp_path / "other", "09"))


@pytest.mark.parity
def test_downloads_of_the_mirror_stand_in_for_the_api(tmp_path, mirror):
    texas = retrieval(tmp_path, "48", mirror=mirror)
    poverty, race = source.tract_poverty(2021, texas), source.tract_race(2021, texas)
    assert (poverty.height, race.height) == (375, 375)
    assert poverty["people"].sum() > 1_900_000
    assert {f.name for f in texas.used} == {"tract_S1701_tx.csv", "tract_DP05_tx.csv"}
    california = retrieval(tmp_path, "06", mirror=mirror)
    places = source.place_race(2023, california)
    assert places.height == 118
    assert california.notes["places"] == {"not listed, left out": 1500, "listed, without rows": 0}
    with pytest.raises(OwedError):
        source.county_race(2023, california)


@pytest.mark.parity
def test_profile_and_poverty_universe_of_the_same_tracts_agree(tmp_path, mirror):
    texas = retrieval(tmp_path, "48", mirror=mirror)
    both = source.tract_poverty(2021, texas).join(
        source.tract_race(2021, texas), on=["state", "county", "tract"], how="inner", validate="1:1"
    )
    assert both.height == 375
    assert both.filter(pl.col("people") > pl.col("people_right")).height == 0
