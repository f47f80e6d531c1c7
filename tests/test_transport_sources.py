"""Readers behind transportation: the H+T index, and the tables of housing units and median income."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from sources import acs_tables, cnt_ht
from sources.census_forms import COUNTY, PLACE, TRACT
from sources.framework import Retrieval, Scope
from sources.framework.states import BY_FIPS
from sources.registry import all_sources, all_tables
from sources.synthetic.cnt_ht import HEADER as SYNTHETIC_HEADER

DELAWARE = BY_FIPS["10"]
HEADER = "tract,cbsa,households,t_80ami,pct_transit_commuters_80ami"
ROWS = [
    '"""10001040100""","""Dover, DE""",1402.00,36,0',
    '"""10003000200""","""Dover, DE""",20,31,12',
    '"""10003980100""","""Dover, DE""",0.00,,',
]


def write(tmp_path: Path, rows: list[str], header: str = HEADER, name: str = "ht.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        cnt_ht.read_tracts(path, DELAWARE)
    assert (caught.value.source, caught.value.file) == ("cnt_ht", path.name)
    return caught.value


def test_quotes_in_codes_are_taken_off(tmp_path):
    assert cnt_ht.read_tracts(write(tmp_path, ROWS), DELAWARE).rows() == [
        ("10", "001", "040100", 1402, 0.0, 36.0),
        ("10", "003", "000200", 20, 12.0, 31.0),
        ("10", "003", "980100", 0, None, None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "column", "problem"),
    [
        ("10003000200", "1003000200", "tract", "leading zeros are lost"),
        ("10003000200", "1.0003E+10", "tract", "scientific notation"),
        ("10003000200", "10003O00200", "tract", "not made of digits"),
        ("10003000200", "51003000200", "tract", "not in Delaware"),
        (",20,", ",-20,", "households", "negative"),
        (",20,", ',"1,020",', "households", "thousands comma"),
        (",20,", ",20.5,", "households", "not a whole number"),
        (",20,", ",many,", "households", "not a number"),
        (",20,", ",,", "households", "not a number"),
        (",31,12", ",31,112", "pct_transit_commuters_80ami", "above 100"),
        (",31,12", ",31,-1", "pct_transit_commuters_80ami", "negative"),
        (",31,12", ",-31,12", "t_80ami", "negative"),
        (",31,12", ",n/d,12", "t_80ami", "not a number"),
    ],
)
def test_bad_cells_are_named(tmp_path, old, new, column, problem):
    assert old in ROWS[1]
    error = refusal(write(tmp_path, [ROWS[0], ROWS[1].replace(old, new), ROWS[2]]))
    assert (error.row, error.column) == (3, column)
    assert problem in error.problem


def test_a_tract_listed_twice_is_refused(tmp_path):
    error = refusal(write(tmp_path, [*ROWS, ROWS[1]]))
    assert (error.row, error.column, "duplicate key" in error.problem) == (5, "tract", True)


@pytest.mark.parametrize("column", ["tract", "households", "t_80ami", "pct_transit_commuters_80ami"])
@pytest.mark.parametrize("new", ["zzz", "{}_new"])
def test_a_missing_or_renamed_column_is_named(tmp_path, column, new):
    error = refusal(write(tmp_path, ROWS, HEADER.replace(column, new.format(column))))
    assert (error.column, "missing" in error.problem) == (column, True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (f"{HEADER}\n".encode(), "no rows"),
        ((HEADER + "\n" + ROWS[0].replace("Dover", "Do\xf1a")).encode("latin-1"), "not utf-8"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, problem):
    path = tmp_path / "ht.csv"
    path.write_bytes(data)
    assert problem in refusal(path).problem


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "ht.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS]).encode())[:-12])
    assert "damaged" in refusal(path).problem


def retrieval(root: Path, *states: str, mirror: Path | None = None) -> Retrieval:
    return Retrieval(root=root, scope=Scope(states), scratch=root / "s", mirror=mirror, offline=True)


def store(root: Path, name: str, rows: list[str]) -> None:
    folder = root / "raw" / "cnt_ht" / "2015"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, rows, name=name)


def test_states_without_a_file_are_owed_by_name(tmp_path):
    store(tmp_path, "htaindex2015_data_tracts_10.csv", ROWS)
    obtained = retrieval(tmp_path, "10", "44")
    frame = cnt_ht.build(2015, obtained)
    all_tables()["ht_tracts"].model.validate(frame, lazy=True)
    assert set(frame["state"]) == {"10"}
    (owed,) = obtained.notes["owed"]
    assert owed["files"] == ["htaindex2015_data_tracts_44.csv"]
    assert "one ZIP per state" in owed["recipe"]
    assert obtained.notes["cnt_ht"]["tracts without households"] == 1
    with pytest.raises(OwedError, match=r"htaindex2015_data_tracts_44\.csv"):
        cnt_ht.build(2015, retrieval(tmp_path, "44"))


def test_counties_that_the_year_does_not_have_are_left_out_and_counted(tmp_path):
    store(tmp_path, "htaindex2015_data_tracts_10.csv", [*ROWS, '"""10007000100""","""x""",5,20,1'])
    obtained = retrieval(tmp_path, "10")
    assert cnt_ht.build(2015, obtained).height == 3
    assert obtained.notes["cnt_ht"]["tracts of counties that do not exist in 2015, left out"] == 1


def test_a_web_page_in_place_of_the_file_is_refused_on_arrival(tmp_path):
    folder = tmp_path / "raw" / "cnt_ht" / "2015"
    folder.mkdir(parents=True)
    (folder / "htaindex2015_data_tracts_10.csv").write_text("<html><body>Please register</body></html>")
    with pytest.raises(InputError, match="web page"):
        cnt_ht.build(2015, retrieval(tmp_path, "10"))


def test_the_source_asks_for_a_person_and_says_how():
    source = all_sources()["cnt_ht"]
    assert source.access.value == "person"
    assert not source.redistribute
    assert {v.data_years for v in source.vintages} == {(2015,), (2019,), (2022,)}
    assert all(f.url is None for v in source.vintages for f in v.files)


@pytest.mark.parity
def test_the_real_files_are_read_whole(tmp_path, mirror):
    obtained = retrieval(tmp_path, "25", "51", mirror=mirror)
    frame = cnt_ht.build(2015, obtained)
    assert frame.height == 1471 + 1895
    assert obtained.notes["cnt_ht"] == {
        "tracts": 3366,
        "tracts of counties that do not exist in 2015, left out": 0,
        "tracts without households": 34,
        "inhabited tracts without a figure": 0,
        "states": 2,
    }
    assert frame.select(((pl.col("transit_percent") % 1 == 0) & (pl.col("cost_percent") % 1 == 0)).all()).item()


@pytest.mark.parity
def test_the_synthetic_layout_is_the_real_one(mirror):
    for name in ("htaindex2015_data_tracts_51.csv.gz", "htaindex_data_tracts_25.csv.gz"):
        real = pl.read_csv(mirror / "cnt_ht" / "2015" / name, infer_schema=False, n_rows=1)
        assert [c for c in real.columns if c in SYNTHETIC_HEADER] == list(SYNTHETIC_HEADER)
        assert real["tract"][0].startswith('"')


# --- housing units and median income


def answer(root: Path, year: int, name: str, header: list[str], rows: list[list[str]]) -> None:
    folder = root / "raw" / "acs_tables" / f"acs5-{year}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps([header, *rows]))


HOUSING = ["B25001_001E", "B25001_001M", "state", "county", "tract"]
INCOME = ["B19013_001E", "B19013_001M", "state"]


@pytest.mark.parametrize("year", acs_tables.HOUSING_YEARS)
def test_variables_are_those_of_the_method(year):
    (housing,) = acs_tables.HOUSING.forms(year)[0].items
    (county,) = acs_tables.COUNTY_INCOME.forms(year)[0].items
    assert housing.variables == ("B25001_001E", "B25001_001M")
    assert county.variables == ("B19013_001E", "B19013_001M")
    assert (acs_tables.HOUSING.geography, acs_tables.PLACE_INCOME.geography) == (TRACT, PLACE)
    names = {f.name for f in acs_tables.SOURCE.vintage(f"acs5-{year}").files}
    assert {"tract_B25001_{st}.json", "county_B19013_{st}.json", "place_B19013_{st}.csv"} <= names
    assert acs_tables.COUNTY_INCOME.geography is COUNTY
    assert year in acs_tables.SOURCE.vintage(f"acs5-{year}").data_years


def test_housing_units_are_read(tmp_path):
    answer(tmp_path, 2015, "tract_B25001_de.json", HOUSING, [["412", "33", "10", "001", "040100"]])
    frame = acs_tables.tract_housing(2015, retrieval(tmp_path, "10"))
    all_tables()["acs_tract_housing"].model.validate(frame, lazy=True)
    assert frame.rows() == [("10", "001", "040100", 412, 33)]


def test_incomes_of_counties_and_listed_places_stand_in_one_table(tmp_path):
    answer(
        tmp_path,
        2015,
        "county_B19013_ri.json",
        [*INCOME, "county"],
        [["61000", "900", "44", "003"], ["-666666666", "-222222222", "44", "001"]],
    )
    places = [["40000", "1200", "44", "59000"], ["250001", "-333333333", "44", "99990"]]
    answer(tmp_path, 2015, "place_B19013_ri.json", [*INCOME, "place"], places)
    obtained = retrieval(tmp_path, "44")
    frame = acs_tables.area_income(2015, obtained)
    all_tables()["acs_area_income"].model.validate(frame, lazy=True)
    assert frame.rows() == [
        ("county", "44", "001", None, None),
        ("county", "44", "003", 61000, 900),
        ("place", "44", "59000", 40000, 1200),
    ]
    assert obtained.notes["places"] == {"not listed, left out": 1, "listed, without rows": 3}
    annotated = obtained.notes["acs_tables counties 2015"]["annotated figures"]
    assert annotated == {
        "estimate -666666666 (too few sample cases for an estimate)": 1,
        "margin of error -222222222 (too few sample cases for a margin of error)": 1,
    }


def test_what_is_owed_of_both_kinds_is_noted(tmp_path):
    for level, code in (("county", "003"), ("place", "59000")):
        answer(tmp_path, 2015, f"{level}_B19013_ri.json", [*INCOME, level], [["61000", "900", "44", code]])
    obtained = retrieval(tmp_path, "10", "44")
    acs_tables.area_income(2015, obtained)
    files = [name for note in obtained.notes["owed"] for name in note["files"]]
    assert files == ["county_B19013_de.json", "place_B19013_de.json"]


def test_downloads_show_open_ended_medians_in_words(tmp_path):
    folder = tmp_path / "raw" / "acs_tables" / "acs5-2022"
    folder.mkdir(parents=True)
    label = "Estimate!!Median household income in the past 12 months (in 2022 inflation-adjusted dollars)"
    lines = [
        '"GEO_ID","NAME","B19013_001E","B19013_001M"',
        f'"Geography","Geographic Area Name","{label}","Margin of Error!!Median household income"',
        '"0500000US44001","Bristol","250,000+","***"',
        '"0500000US44003","Kent","2,500-","**"',
        '"0500000US44005","Newport","90000","1000"',
    ]
    (folder / "county_B19013_ri.csv").write_text("\n".join(lines) + "\n")
    frame = acs_tables.COUNTY_INCOME.read(2022, retrieval(tmp_path, "44"))
    assert frame.select("county", "median_income", "median_income_moe").rows() == [
        ("001", 250_001, None),
        ("003", 2_499, None),
        ("005", 90_000, 1_000),
    ]


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        (["-5", "900", "44", "003"], "B19013_001E", "negative"),
        (["many", "900", "44", "003"], "B19013_001E", "not a number"),
        (["61000", "900", "10", "003"], "state", "not in Rhode Island"),
        (["61000", "900", "44", "3"], "county", "leading zeros are lost"),
    ],
)
def test_bad_incomes_are_refused(tmp_path, row, column, problem):
    answer(tmp_path, 2015, "county_B19013_ri.json", [*INCOME, "county"], [row])
    answer(tmp_path, 2015, "place_B19013_ri.json", [*INCOME, "place"], [["40000", "1200", "44", "59000"]])
    with pytest.raises(InputError, match=problem) as caught:
        acs_tables.area_income(2015, retrieval(tmp_path, "44"))
    assert caught.value.column == column
