"""The registry of geographies, its rule, the spine and its gate."""

import gzip
from importlib.resources import files

import polars as pl
import pytest
from pandera.errors import SchemaErrors

from schemas.errors import InputError
from schemas.geography import PumaAllocationModel, PumaGeographyModel, SpineModel
from schemas.labels import GEO_WIDTH
from sources import popest
from sources.framework import Retrieval, Scope
from sources.framework.states import BY_FIPS, BY_POSTAL, STATES, within
from sources.geography import TABLES, build_spine, geographies, registry

LATEST = popest.years()[-1]


def codes(year: int, level: str = "county") -> set[str]:
    frame = geographies(year).filter(pl.col("level") == level)
    return set((frame["state"] + frame["geo"]).to_list())


@pytest.mark.parametrize("year", [*range(2014, LATEST + 2), 2040])
def test_how_many_there_are(year):
    counties = 3142 if year < 2020 else 3143 if year < 2022 else 3144
    assert geographies(year).group_by("level").len().sort("level").rows() == [
        ("county", counties),
        ("place", 485 if year < 2018 else 486),
    ]
    assert geographies(year).select(pl.struct("level", "state", "geo").is_unique().all()).item()


@pytest.mark.parametrize(
    ("year", "gone", "come"),
    [
        (2015, {"02270", "46113"}, {"02158", "46102"}),
        (2020, {"02261"}, {"02063", "02066"}),
        (2022, {f"090{n:02}" for n in range(1, 16, 2)}, {f"09{n}" for n in range(110, 200, 10)}),
    ],
)
def test_counties_change_in_three_years_only(year, gone, come):
    assert codes(year - 1) - codes(year) == gone
    assert codes(year) - codes(year - 1) == come


def test_nothing_else_changes():
    changed = [year for year in range(2015, LATEST + 2) if codes(year) != codes(year - 1)]
    assert changed == [2015, 2020, 2022]
    assert [y for y in range(2015, LATEST + 2) if codes(y, "place") != codes(y - 1, "place")] == [2018]
    assert codes(2018, "place") - codes(2017, "place") == {"1372122"}
    assert "51515" not in codes(2014)


def test_the_year_after_the_latest_needs_no_edit():
    assert geographies(LATEST + 1).equals(geographies(LATEST))


def test_a_year_before_the_registry_is_refused():
    with pytest.raises(ValueError, match="begins in 2014"):
        geographies(2013)


def test_names():
    def name(year, state, geo):
        return geographies(year).filter(pl.col("state") == state, pl.col("geo") == geo)["name"].item()

    assert name(2014, "35", "013") == name(2023, "35", "013") == "Doña Ana County"
    assert (name(2015, "04", "07940"), name(2016, "04", "07940")) == ("Buckeye town", "Buckeye city")
    assert (name(2015, "18", "23278"), name(2016, "18", "23278")) == ("Fishers town", "Fishers city")
    assert name(2022, "09", "130") == "Lower Connecticut River Valley Planning Region"
    # One name per code, apart from those two.
    names = pl.concat(geographies(y) for y in range(2014, LATEST + 1)).unique()
    renamed = names.filter(pl.struct("level", "state", "geo").is_duplicated())
    assert set(renamed["geo"].to_list()) == {"07940", "23278"}
    assert not names["state_name"].str.contains(",").any()


def test_the_registry_file_is_clean():
    text = (files("sources.data") / "geographies.csv").read_bytes()
    assert b"\r" not in text
    assert text.decode("utf-8").startswith("level,state,code,name,valid_from,valid_to,note\n")
    table = registry()
    assert table["name"].str.contains(r"^\S(.*\S)?$").all()
    assert table["state"].is_in(list(BY_FIPS)).all()
    assert (table["code"].str.len_chars() == table["level"].replace_strict(GEO_WIDTH)).all()
    assert table.equals(table.sort("level", "state", "code", "valid_from"))
    # Spells of one code follow each other without overlap.
    spells = table.with_columns(pl.col("valid_from").shift(-1).over("level", "state", "code").alias("next"))
    assert (spells["valid_from"] <= spells["valid_to"].fill_null(9999)).all()
    later = spells.filter(pl.col("next").is_not_null())
    assert later.height == 2
    assert (later["next"] == later["valid_to"] + 1).all()


def test_scope():
    two = geographies(2022, ("37", "09"))
    assert two["state"].unique().sort().to_list() == ["09", "37"]
    assert two["state_name"].unique().sort().to_list() == ["Connecticut", "North Carolina"]
    assert two.filter(pl.col("level") == "county").height == 109
    with pytest.raises(ValueError, match="unknown state"):
        geographies(2022, ("3",))


def test_states():
    assert len(STATES) == len(BY_FIPS) == len(BY_POSTAL) == 51
    assert (BY_FIPS["11"].postal, BY_POSTAL["NC"].fips) == ("DC", "37")
    assert [s.fips for s in within(("37", "01", "37"))] == ["01", "37"]
    assert {s.fips for s in STATES} == set(geographies(2014)["state"].to_list())


# Spine ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def retrieval(tmp_path):
    def make(**kwargs):
        return Retrieval(**{"root": tmp_path / "d", "scratch": tmp_path / "s", "offline": True, **kwargs})

    return make


def lay(tmp_path, name, text, year=2019):
    folder = tmp_path / "d/raw/popest" / str(year)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


DELAWARE = """SUMLEV,STATE,COUNTY,STNAME,CTYNAME,POPESTIMATE2019
050,10,001,Delaware,Kent County,10
050,10,003,Delaware,New Castle County,20
050,10,005,Delaware,Sussex County,30
"""


def test_the_spine_stands_without_populations(retrieval):
    r = retrieval(scope=Scope(("10", "37")))
    spine = build_spine(2019, r)
    SpineModel.validate(spine, lazy=True)
    assert spine["population"].null_count() == spine.height == 103 + 13
    owed = r.notes["owed"]
    assert [(o["source"], o["vintage"], o["files"]) for o in owed] == [
        ("popest", "2019", ["co-est2019-alldata.csv"]),
        ("popest", "2019", ["sub-est2019_all.csv"]),
    ]
    assert all("census.gov" in o["recipe"] for o in owed)


def test_the_spine_of_a_year_without_estimates_yet(retrieval):
    r = retrieval(scope=Scope(("10",)))
    spine = build_spine(LATEST + 1, r)
    assert spine["population"].null_count() == spine.height == 3
    assert [o["vintage"] for o in r.notes["owed"]] == [str(LATEST + 1)]


def test_populations_are_joined_level_by_level(retrieval, tmp_path):
    lay(tmp_path, "co-est2019-alldata.csv", DELAWARE)
    r = retrieval(scope=Scope(("10", "11")))
    spine = build_spine(2019, r)
    assert spine.filter(pl.col("level") == "county")["population"].to_list() == [10, 20, 30, None]
    assert len(r.notes["owed"]) == 1
    assert r.notes["spine rows without population"] == {"county": 1, "place": 1}


def test_a_county_that_the_registry_does_not_know_is_refused(retrieval, tmp_path):
    lay(tmp_path, "co-est2019-alldata.csv", DELAWARE + "050,10,007,Delaware,New County,5\n")
    with pytest.raises(InputError, match="10-007"):
        build_spine(2019, retrieval(scope=Scope(("10",))))
    # Other states than the scope's are not looked at.
    build_spine(2019, retrieval(scope=Scope(("11",))))


@pytest.mark.parity
@pytest.mark.parametrize("year", range(2014, 2024))
def test_every_geography_of_every_year_has_its_population(year, retrieval, mirror):
    r = retrieval(mirror=mirror)
    spine = build_spine(year, r)
    SpineModel.validate(spine, lazy=True)
    assert spine["population"].null_count() == 0
    assert spine["population"].min() > 0
    assert r.notes == {}


def published(realcases, level: str) -> pl.DataFrame:
    """The reference's list of geographies; some of its lines are UTF-8 and some Latin-1."""
    file = realcases / f"published_files/raw/geographic-crosswalks/data/{level}-populations.csv.gz"
    lines = []
    for line in gzip.decompress(file.read_bytes()).splitlines(keepends=True):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1"))
    return pl.read_csv("".join(lines).encode(), infer_schema=False).rename({level: "geo", f"{level}_name": "published"})


@pytest.mark.parity
@pytest.mark.parametrize(("level", "rows"), [("county", 31_426), ("place", 4_856)])
def test_names_are_the_published_ones(realcases, level, rows):
    """All names; blanks before those of 2014 aside, one row of the reference is garbled (method file, section 7)."""
    ours = pl.concat(geographies(y).with_columns(pl.lit(str(y)).alias("year")) for y in range(2014, 2024))
    both = published(realcases, level).join(
        ours.filter(pl.col("level") == level), on=["year", "state", "geo"], how="full", coalesce=True, validate="1:1"
    )
    same = (pl.col("name") == pl.col("published").str.strip_chars()) & (
        pl.col("state_name") == pl.col("state_name_right")
    )
    equal = both.filter(same).height
    differing = both.filter(~same.fill_null(False)).select("year", "state", "geo").rows()
    assert both.height == rows, f"{equal} of {both.height} {level} names equal"
    assert differing == ([("2014", "35", "013")] if level == "county" else [])


def test_the_spine_is_declared():
    (table,) = TABLES
    assert (table.name, table.sources, table.years) == ("spine", ("popest",), popest.years())


# Gates ----------------------------------------------------------------------------------------------------------------

SPINE = {"level": "place", "state": "37", "geo": "75000", "name": "W", "state_name": "North Carolina", "population": 1}
PUMA = {
    "level": "county",
    "state": "37",
    "geo": "067",
    "puma": "01801",
    "puma_vintage": 2010,
    "population": 9.0,
    "afact": 1.0,
    "afact2": 0.3,
}
ALLOCATION = {
    **{k: v for k, v in PUMA.items() if k != "population"},
    "afact_10k": 10_000,
    "sum_products": 1.0,
    "quality": 1,
    "quality_reference": 1,
    "n_pumas": 1,
}
MODELS = {SpineModel: SPINE, PumaGeographyModel: PUMA, PumaAllocationModel: ALLOCATION}
WRONG = [
    (SpineModel, {"geo": "067"}),
    (SpineModel, {"state": "7"}),
    (SpineModel, {"level": "tract"}),
    (SpineModel, {"name": " Winston-Salem city"}),
    (SpineModel, {"name": None}),
    (SpineModel, {"state_name": "New Mexico, Dona Ana County"}),
    (SpineModel, {"population": -1}),
    (PumaGeographyModel, {"puma": "1801"}),
    (PumaGeographyModel, {"puma_vintage": 2012}),
    (PumaGeographyModel, {"afact": 1.1}),
    (PumaGeographyModel, {"afact2": -0.1}),
    (PumaGeographyModel, {"afact2": float("nan")}),
    (PumaGeographyModel, {"population": float("nan")}),
    (PumaGeographyModel, {"geo": "37067"}),
    (PumaAllocationModel, {"afact": 0.0, "afact_10k": 0}),
    (PumaAllocationModel, {"afact_10k": 9_999}),
    (PumaAllocationModel, {"quality": 4}),
    (PumaAllocationModel, {"quality": None}),
    (PumaAllocationModel, {"n_pumas": 2}),
    (PumaAllocationModel, {"sum_products": float("nan")}),
]


def frame(model, *rows):
    schema = {name: column.dtype.type for name, column in model.to_schema().columns.items()}
    return pl.DataFrame(list(rows), schema=schema)


@pytest.mark.parametrize("model", MODELS)
def test_a_right_row_passes_and_a_doubled_one_does_not(model):
    model.validate(frame(model, MODELS[model]), lazy=True)
    with pytest.raises(SchemaErrors):
        model.validate(frame(model, MODELS[model], MODELS[model]), lazy=True)


@pytest.mark.parametrize(("model", "change"), WRONG)
def test_a_wrong_row_is_refused(model, change):
    with pytest.raises(SchemaErrors):
        model.validate(frame(model, {**MODELS[model], **change}), lazy=True)
