"""Census PUMS files: recodes, vintages, the join of persons and housing, real totals, and what is refused."""

import dataclasses

import polars as pl
import pytest
from acs_files import PWGTP, FolderRetrieval, census_file, csv_of, housing_csv, persons_csv
from polars.testing import assert_frame_equal

from schemas.acs import Acs1Households, Acs1Persons, Acs5Households, Acs5Persons
from schemas.errors import InputError, OwedError
from sources.acs_microdata import TABLES, build
from sources.acs_pums_census import SOURCE
from sources.framework.retrieve import Retrieval, Scope

TABLE = {t.name: t for t in TABLES}
KEY = "acs_pums_census"


@pytest.fixture
def make(tmp_path):
    """Build a table from files of one vintage: persons and housing of Delaware."""

    def make(unit, *, persons=None, housing=None, year=2018, span=1):
        folder = tmp_path / "files" / KEY / f"{year}-{span}yr"
        if persons is not None:
            census_file(folder, persons, "p")
        if housing is not None:
            census_file(folder, housing, "h")
        retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", ("10",))
        return build(unit, span, year, retrieval).collect(), retrieval.notes

    return make


# Recodes --------------------------------------------------------------------------------------------------------------


def test_persons_get_ipums_codes(make):
    rows = [
        {"SPORDER": "01", "SERIALNO": "2018HU0000001"},
        {
            "SPORDER": "02",
            "AGEP": "2",
            "ESR": "",
            "SCHL": "",
            "DREM": "",
            "DPHY": "",
            "DOUT": "",
            "DDRS": "",
            "SEX": "2",
        },
        {"SPORDER": "03", "AGEP": "4", "SCHG": "01", "SCHL": "02", "ESR": "", "RAC1P": "9", "HISP": "24", "DEAR": "1"},
        {
            "SPORDER": "04",
            "AGEP": "19",
            "SCHG": "15",
            "SCHL": "17",
            "ESR": "4",
            "RAC1P": "2",
            "HISP": "02",
            "DEYE": "1",
        },
        {"SPORDER": "05", "AGEP": "50", "SCHL": "24", "ESR": "3", "RAC1P": "5", "HISP": "4", "DREM": "1", "DDRS": "1"},
        {
            "SPORDER": "06",
            "AGEP": "60",
            "SCHL": "15",
            "ESR": "6",
            "RAC1P": "8",
            "DOUT": "1",
            "DPHY": "1",
            "PWGTP1": "-7",
        },
        {"SERIALNO": "2018GQ0000001", "RELP": "16", "ESR": "2", "RAC1P": "7"},
        {"SERIALNO": "2018GQ0000002", "RELP": "17", "ESR": "5", "RAC1P": "6"},
    ]
    table, notes = make("persons", persons=persons_csv(*rows))
    Acs1Persons.validate(table)
    found = table.drop("hhincome", "perwt", *(f"repwtp{i}" for i in range(2, 81)))
    expected = pl.DataFrame(
        {
            "gq": [1, 1, 1, 1, 1, 1, 3, 4],
            "age": [30, 2, 4, 19, 50, 60, 30, 30],
            "sex": [1, 2, 1, 1, 1, 1, 1, 1],
            "empstat": [1, 0, 0, 1, 2, 3, 1, 1],
            "race": [1, 1, 8, 2, 3, 7, 6, 6],
            "hispan": [0, 0, 4, 1, 3, 0, 0, 0],
            "educd": [63, 1, 11, 64, 116, 61, 63, 63],
            "gradeatt": [0, 0, 1, 6, 0, 0, 0, 0],
            "diffrem": [1, 0, 1, 1, 2, 1, 1, 1],
            "diffphys": [1, 0, 1, 1, 1, 2, 1, 1],
            "diffmob": [1, 0, 1, 1, 1, 2, 1, 1],
            "diffsens": [1, 1, 2, 2, 1, 1, 1, 1],
            "diffcare": [1, 0, 1, 1, 2, 1, 1, 1],
            "pernum": [1, 2, 3, 4, 5, 6, 1, 1],
        },
        schema_overrides=dict.fromkeys(["gq"], pl.Int16),
    ).cast(pl.Int16)
    assert_frame_equal(found.select(expected.columns), expected)
    place = table.select("year", "survey_year", "state", "puma", "puma_vintage").unique()
    assert place.rows() == [(2018, 2018, "10", "00200", 2010)]
    assert table["repwtp1"].to_list() == [90] * 5 + [-7] + [90] * 2
    assert table["hhincome"].null_count() == 8
    assert notes["acs persons without a housing record"] == 8
    assert notes["acs states without their housing file"] == ["10"]


def test_housing_units_get_ipums_codes(make):
    rows = [
        {"SERIALNO": "2018HU0000001"},
        {"SERIALNO": "2018HU0000002", "TEN": "3", "RNTP": "900", "GRNTP": "1000", "SMOCP": "", "VALP": "", "NP": "12"},
        {"SERIALNO": "2018HU0000003", "TEN": "4", "SMOCP": "", "VALP": "", "NP": "11", "NPF": "", "HINCP": "-500"},
        {"SERIALNO": "2018HU0000004", "NP": "10", "NPF": "", "HISPEED": "", "ACCESS": "3", "LAPTOP": "2", "TEN": "2"},
        *(
            {"SERIALNO": f"2018HU001000{i}", "NP": "0", "NPF": "", "VACS": str(i), "TEN": "", "HINCP": "", "SMOCP": ""}
            | {"ACCESS": "", "HISPEED": "", "LAPTOP": "", "TABLET": "", "BDSP": "0", "VALP": "", "RNTP": "700"}
            for i in range(1, 8)
        ),
        *(
            {"SERIALNO": f"2018GQ000000{i}", "NP": "1", "NPF": "", "TYPE": str(i), "TEN": "", "HINCP": "", "WGTP": "0"}
            | {"ACCESS": "", "HISPEED": "", "LAPTOP": "", "TABLET": "", "BDSP": "", "VALP": "", "SMOCP": ""}
            for i in (2, 3)
        ),
    ]
    table, notes = make("households", housing=housing_csv(*rows))
    Acs1Households.validate(table)
    assert table["gq"].to_list() == [1, 5, 5, 1, *[0] * 7, 3, 4]
    assert table["vacancy"].to_list() == [0, 0, 0, 0, 1, 3, 2, 3, 4, 7, 9, 0, 0]
    assert table["ownershp"].to_list() == [1, 2, 2, 1, *[0] * 9]
    assert table["bedrooms"].to_list() == [4, 4, 4, 4, *[1] * 7, 0, 0]
    assert table["hhincome"].to_list() == [60000, 60000, -500, 60000, *[9999999] * 9]
    assert table["owncost"].to_list() == [1200, 99999, 99999, 1200, *[99999] * 9]
    assert table["rent"].to_list() == [0, 900, 0, 0, *[700] * 7, 0, 0]
    assert table["rentgrs"].to_list() == [0, 1000, *[0] * 11]
    assert table["valueh"].to_list() == [250000, 9999999, 9999999, 250000, *[9999999] * 9]
    assert table["cihispeed"].to_list() == [10, 10, 10, 0, *[0] * 9]
    assert table["cinethh"].to_list() == [1, 1, 1, 3, *[0] * 9]
    assert table["cilaptop"].to_list() == [1, 1, 1, 2, *[0] * 9]
    assert table["citablet"].to_list() == [2, 2, 2, 2, *[0] * 9]
    assert table["hhwt"].to_list() == [100] * 11 + [0, 0]
    assert table["adjust"].unique().to_list() == [1013097 / 1_000_000]
    assert table.select("age", "sex", "race", "hispan", "countyfip").null_count().row(0) == (13,) * 5
    assert notes["acs vacant units"] == 7
    assert notes["acs variables not in the files"] == ["COUNTYFIP"]
    assert notes["acs occupied units without a householder record"] == 6


def test_persons_and_housing_of_a_state_complete_each_other(make):
    persons = persons_csv(
        {"SERIALNO": "2018HU0000002", "SPORDER": "01", "AGEP": "40", "SEX": "2", "RAC1P": "2", "HISP": "01"},
        {"SERIALNO": "2018HU0000002", "SPORDER": "02", "AGEP": "9"},
        {"SERIALNO": "2018HU0000001", "SPORDER": "01", "AGEP": "77", "HISP": "03"},
        {"SERIALNO": "2018HU0000009", "SPORDER": "01"},
    )
    housing = housing_csv(
        {"SERIALNO": "2018HU0000001", "HINCP": "1000", "NP": "11", "NPF": ""},
        {"SERIALNO": "2018HU0000002", "HINCP": "2000"},
        {"SERIALNO": "2018HU0000003", "HINCP": "3000"},
    )
    people, notes = make("persons", persons=persons, housing=housing)
    assert people["hhincome"].to_list() == [2000, 2000, 1000, None]
    assert people["gq"].to_list() == [1, 1, 5, 1], "only the housing record tells households of many unrelated people"
    assert notes["acs persons without a housing record"] == 1
    homes, notes = make("households")
    assert homes.select("age", "sex", "race", "hispan").rows() == [(77, 1, 1, 2), (40, 2, 2, 0), (None,) * 4]
    assert notes["acs occupied units without a householder record"] == 1


def test_negative_and_top_coded_incomes_are_incomes(make):
    """Losses down to the bottom code, and the highest incomes, which the agency replaces by their mean in the state."""
    housing = housing_csv(
        *({"SERIALNO": f"2018HU000000{i}", "HINCP": text} for i, text in enumerate(("-59999", "0", "-1", "4216000")))
    )
    homes, _ = make("households", housing=housing)
    assert homes["hhincome"].to_list() == [-59_999, 0, -1, 4_216_000]


# Vintages -------------------------------------------------------------------------------------------------------------


def test_newer_files_rename_columns(make):
    persons = persons_csv({"SERIALNO": "2023HU0000001", "RELP": "37"}, {"SERIALNO": "2023HU0000002", "RELP": "38"})
    persons = persons.rename({"ST": "STATE", "RELP": "RELSHIPP"})
    housing = housing_csv({"SERIALNO": "2023HU0000001", "HISPEED": "8", "ADJINC": "1019518"})
    housing = housing.rename({"ST": "STATE", "TYPE": "TYPEHUGQ", "ACCESS": "ACCESSINET"})
    people, _ = make("persons", persons=persons, year=2023)
    assert people["gq"].to_list() == [3, 4]
    assert people["puma_vintage"].to_list() == [2020, 2020]
    homes, _ = make("households", housing=housing, year=2023)
    assert homes["cihispeed"].to_list() == [88]


def test_older_files_write_weights_in_small_letters_and_have_short_serial_numbers(make):
    persons = persons_csv({"SERIALNO": "0000084"}).rename({name: name.lower() for name in PWGTP})
    people, _ = make("persons", persons=persons, year=2014)
    assert people["repwtp80"].to_list() == [169]
    assert people["survey_year"].to_list() == [2014]
    homes, _ = make(
        "households",
        housing=housing_csv({"SERIALNO": "0000084"}).drop("HISPEED", "LAPTOP", "TABLET", "ACCESS", "ADJHSG"),
        year=2014,
    )
    assert homes.select("cilaptop", "citablet", "cihispeed", "cinethh").row(0) == (None,) * 4


def test_five_year_files_of_two_puma_vintages(make):
    persons = pl.concat(
        [
            persons_csv({"SERIALNO": "2011000000007"}).with_columns(PUMA00=pl.lit("00300"), PUMA10=pl.lit("-9")),
            persons_csv({"SERIALNO": "2012000000007"}).with_columns(PUMA00=pl.lit("-0009"), PUMA10=pl.lit("00200")),
        ]
    ).drop("PUMA")
    people, _ = make("persons", persons=persons, year=2014, span=5)
    Acs5Persons.validate(people)
    assert people.select("survey_year", "puma", "puma_vintage").rows() == [(2011, "00300", 2000), (2012, "00200", 2010)]


@pytest.mark.parametrize(
    ("year", "surveyed", "vintage"), [(2018, 2014, 2010), (2021, 2021, 2010), (2023, 2019, 2020), (2023, 2023, 2020)]
)
def test_puma_vintage_of_five_year_files(make, year, surveyed, vintage):
    people, _ = make("persons", persons=persons_csv({"SERIALNO": f"{surveyed}HU0000001"}), year=year, span=5)
    assert people.select("survey_year", "puma_vintage").row(0) == (surveyed, vintage)


def test_five_year_dollars_are_those_of_the_last_year(make):
    housing = housing_csv(
        {"SERIALNO": "2018HU0000001", "ADJHSG": "1078962", "ADJINC": "1093093", "HINCP": "43500", "SMOCP": "1000"},
        {"SERIALNO": "2021HU0000001", "ADJHSG": "1000000", "ADJINC": "1029928", "HINCP": "-50"},
        {"SERIALNO": "2020HU0000001", "ADJHSG": "1046695", "ADJINC": "1053131", "HINCP": "", "TYPE": "1"},
    )
    homes, _ = make("households", housing=housing, year=2021, span=5)
    Acs5Households.validate(homes)
    assert homes["hhincome"].to_list() == [46935, -50, 9_999_999]  # 43,500 * 1.078962 = 46,934.8
    assert homes["owncost"].to_list() == [1079, 1200, 1256]
    assert homes["adjust"].to_list() == pytest.approx([1.013097, 1.029928, 1.006149], abs=1e-6)


# Refused --------------------------------------------------------------------------------------------------------------

GOOD = ({"SPORDER": "01"}, {"SPORDER": "02"}, {"SPORDER": "03"})


def with_text(column: str, text: str) -> tuple[dict[str, str], ...]:
    return (*GOOD[:2], {"SPORDER": "03", column: text})


@pytest.mark.parametrize(
    ("column", "text", "problem"),
    [
        ("PWGTP", "-5", "negative weight"),
        ("PWGTP", "1,234", "thousands comma"),
        ("PWGTP", "12.5", "not a number"),
        ("PWGTP", "", "missing"),
        ("PWGTP7", "many", "not a number"),
        ("PWGTP7", "", "missing"),
        ("AGEP", "x", "not a number"),
        ("AGEP", "-1", "not a number that can be"),
        ("PUMA", "200", "leading zeros are lost"),
        ("PUMA", "00A00", "not a PUMA code"),
        ("ST", "1", "leading zeros are lost"),
        ("ST", "44", "not the state 10"),
        ("ESR", "7", "unknown code"),
        ("RELP", "18", "unknown code"),
        ("HISP", "25", "unknown code"),
        ("RAC1P", "0", "unknown code"),
        ("RAC1P", "", "missing"),
        ("SCHL", "25", "unknown code"),
        ("SCHG", "17", "unknown code"),
        ("SEX", "M", "unknown code"),
        ("DREM", "3", "unknown code"),
        ("DEAR", "9", "unknown code"),
        ("SERIALNO", "", "missing"),
        ("SERIALNO", "2017000000001", "not a serial number of 2018-1yr"),
        ("SPORDER", "0", "not a number that can be"),
    ],
)
def test_unlawful_values_of_persons_are_named(make, column, text, problem):
    with pytest.raises(InputError, match=problem) as error:
        make("persons", persons=persons_csv(*with_text(column, text)))
    assert (error.value.source, error.value.row, error.value.column) == (KEY, 4, column)
    assert error.value.file == "csv_pde.zip/psam_p10.csv"
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    ("changes", "column", "problem"),
    [
        ({"WGTP": "-1"}, "WGTP", "negative weight"),
        ({"WGTP80": "a"}, "WGTP80", "not a number"),
        ({"TYPE": "4"}, "TYPE", "no known type"),
        ({"NP": "x"}, "TYPE", "no known type"),
        ({"TEN": "5"}, "TEN", "unknown code"),
        ({"VACS": "8", "NP": "0"}, "VACS", "unknown code"),
        ({"NP": "0"}, "VACS", "missing"),
        ({"VACS": "1"}, "VACS", "not that of a vacant unit"),
        ({"HINCP": "1,000"}, "HINCP", "thousands comma"),
        ({"GRNTP": "-3"}, "GRNTP", "not a dollar amount"),
        ({"HINCP": "9999999"}, "HINCP", "not a dollar amount"),
        ({"HINCP": "12.5"}, "HINCP", "not a number"),
        ({"VALP": "high"}, "VALP", "not a number"),
        ({"LAPTOP": "3"}, "LAPTOP", "unknown code"),
        ({"HISPEED": "9"}, "HISPEED", "unknown code"),
        ({"ADJINC": ""}, "ADJINC", "missing"),
    ],
)
def test_unlawful_values_of_housing_are_named(make, changes, column, problem):
    rows = ({"SERIALNO": "2018HU0000001"}, {"SERIALNO": "2018HU0000002"} | changes)
    with pytest.raises(InputError, match=problem) as error:
        make("households", housing=housing_csv(*rows))
    assert (error.value.row, error.value.column) == (3, column)


def test_a_missing_column_is_named_with_the_nearest(make):
    with pytest.raises(InputError, match=r"column ESR: the column is missing") as error:
        make("persons", persons=persons_csv(*GOOD).drop("ESR"))
    assert error.value.row == 1
    with pytest.raises(InputError, match=r"column PWGTP: the column is missing; the nearest is 'PWGTPX'"):
        make("persons", persons=persons_csv(*GOOD).rename({"PWGTP": "PWGTPX"}))
    with pytest.raises(InputError, match="column RELP or RELSHIPP: the column is missing"):
        make("persons", persons=persons_csv(*GOOD).drop("RELP"))
    with pytest.raises(InputError, match="column TYPE or TYPEHUGQ: the column is missing"):
        make("households", housing=persons_csv(*GOOD))


def test_both_names_of_a_renamed_column_are_refused(make):
    with pytest.raises(InputError, match="ST and STATE are both there"):
        make("persons", persons=persons_csv(*GOOD).with_columns(STATE=pl.lit("10")))


def test_a_column_that_stands_there_twice_is_refused(make):
    text = persons_csv(*GOOD).write_csv().replace("AGEP", "SEX", 1)
    with pytest.raises(InputError, match="column SEX: the column stands there twice"):
        make("persons", persons=text)


def test_a_duplicate_record_is_refused(make):
    with pytest.raises(InputError, match=r"row 5, column SERIALNO, SPORDER: duplicate key.*SPORDER=2"):
        make("persons", persons=persons_csv(*GOOD, {"SPORDER": "02"}))
    with pytest.raises(InputError, match=r"row 3, column SERIALNO: duplicate key"):
        make("households", housing=housing_csv({}, {}))


def test_a_row_with_too_many_or_too_few_cells_is_refused(make):
    text = persons_csv(*GOOD).write_csv().splitlines()
    with pytest.raises(InputError, match=r"row 3, column"):
        make("persons", persons="\n".join([*text[:2], text[2].replace(",10,", ",10,,"), text[3]]))
    with pytest.raises(InputError, match=r"row 4, column PWGTP\d+: missing"):
        make("persons", persons="\n".join([*text[:3], text[3].rpartition(",")[0]]))


def test_wrong_encodings_are_refused(make):
    text = persons_csv(*GOOD).write_csv()
    with pytest.raises(InputError, match="not UTF-8"):
        make("persons", persons=text.encode("utf-16"))
    with pytest.raises(InputError, match=r"row 3: the text is not UTF-8"):
        make("persons", persons=text.encode().replace(b"02,00200", b"\xff2,00200"))
    with pytest.raises(InputError, match=r"row 3, column ESR: unknown code \(found ESR 'é'\)"):
        make("persons", persons=persons_csv({}, {"SPORDER": "02", "ESR": "é"}))


def test_files_without_data_are_refused(make, tmp_path):
    with pytest.raises(InputError, match="header but no rows"):
        make("persons", persons=persons_csv(*GOOD).write_csv().partition("\n")[0] + "\n")
    with pytest.raises(InputError, match="the file is empty"):
        make("persons", persons="")
    with pytest.raises(InputError, match="web page"):
        make("persons", persons="<!DOCTYPE html><html>not found</html>")


def test_damaged_zips_are_refused(make, tmp_path):
    folder = tmp_path / "files" / KEY / "2018-1yr"
    path = census_file(folder, persons_csv(*GOOD), "p")
    whole = path.read_bytes()
    for content, problem in (
        (whole[: len(whole) // 2], "damaged or truncated"),
        (whole[:200] + bytes(100) + whole[300:], "damaged or truncated"),
        (b"", "empty"),
        (b"<html><body>busy</body></html>", "web page"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=problem) as error:
            make("persons")
        assert error.value.file == "csv_pde.zip"


def test_a_zip_without_its_csv_is_refused(make, tmp_path):
    import zipfile

    path = tmp_path / "files" / KEY / "2018-1yr" / "csv_pde.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.pdf", b"%PDF")
    with pytest.raises(InputError, match="0 CSV files"):
        make("persons")


def test_files_of_different_vintages_are_not_joined(make):
    housing = housing_csv({"SERIALNO": "2018HU0000008"}, {"SERIALNO": "2018HU0000009"})
    with pytest.raises(
        InputError, match=r"csv_pde\.zip and csv_hde\.zip, column SERIALNO: .*no serial number in common"
    ):
        make("persons", persons=persons_csv(*GOOD), housing=housing)


def test_an_impossible_mean_weight_is_refused(make):
    with pytest.raises(InputError, match=r"column PERWT: the mean weight is 10,000\.00"):
        make("persons", persons=persons_csv({"PWGTP": "10000"}))


def test_an_impossible_income_factor_is_refused(make):
    with pytest.raises(InputError, match=r"column ADJUST: the income factors are 1\.2"):
        make("households", housing=housing_csv({"ADJINC": "1200000"}))


def test_nothing_of_a_refused_file_is_kept(make, tmp_path):
    with pytest.raises(InputError):
        make("persons", persons=persons_csv(*with_text("ESR", "9")))
    assert not [f for f in (tmp_path / "scratch").rglob("*") if f.is_file()]


def test_missing_files_are_owed(make):
    with pytest.raises(OwedError, match=r"csv_pde\.zip"):
        make("persons", housing=housing_csv({}))


def test_a_table_is_made_of_the_states_at_hand(tmp_path):
    folder = tmp_path / "files" / KEY / "2018-1yr"
    census_file(folder, persons_csv({}), "p")
    census_file(folder, persons_csv({"ST": "44", "AGEP": "50"}), "p", state="ri")
    census_file(folder, housing_csv({"ST": "44"}), "h", state="ri")
    retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", ("10", "44", "56"))
    table = build("persons", 1, 2018, retrieval).collect()
    assert table.select("state", "age", "hhincome").rows() == [("10", 30, None), ("44", 50, 60_000)]
    owed = retrieval.notes["owed"]
    assert [(o["source"], o["vintage"], o["files"]) for o in owed] == [
        (KEY, "2018-1yr", ["csv_pwy.zip"]),
        (KEY, "2018-1yr", ["csv_hde.zip", "csv_hwy.zip"]),
    ]
    assert retrieval.notes["acs states without their housing file"] == ["10"]


# Declaration and real files -------------------------------------------------------------------------------------------


def test_addresses_by_vintage():
    vintages = {v.key: v for v in SOURCE.vintages}
    assert sorted(vintages) == sorted(
        [f"{y}-1yr" for y in (2014, 2015, 2016, 2017, 2018, 2019, 2021, 2022, 2023)]
        + [f"{y}-5yr" for y in (2014, 2016, 2018, 2021, 2023)]
    )
    base = "https://www2.census.gov/programs-surveys/acs/data/pums"
    assert [f.url for f in vintages["2021-5yr"].files] == [f"{base}/2021/5-Year/csv_{k}{{st}}.zip" for k in "ph"]
    assert [f.url for f in vintages["2014-1yr"].files] == [f"{base}/2014/1-Year/csv_{k}{{st}}.zip" for k in "ph"]
    assert [v.key for v in SOURCE.vintages_for(2018)] == ["2018-1yr", "2018-5yr"]


@pytest.fixture(scope="module")
def real(mirror, tmp_path_factory):
    def real(name, states):
        tmp = tmp_path_factory.mktemp("real")
        retrieval = Retrieval(
            root=tmp / "data", scratch=tmp / "scratch", mirror=mirror, offline=True, scope=Scope(states)
        )
        return TABLE[name].build(2018, retrieval).collect(), retrieval

    return real


@pytest.mark.parity
def test_real_persons_of_five_states(real, mirror):
    """Records and weights as the files have them; populations of 2018 as published by the Census Bureau."""
    states = {"10": ("de", 967_171), "15": ("hi", 1_420_491), "44": ("ri", 1_057_315)}
    states |= {"50": ("vt", 626_299), "56": ("wy", 577_737)}
    table, retrieval = real("acs1_persons", tuple(states))
    Acs1Persons.validate(table)
    found = table.group_by("state").agg(pl.len(), pl.col("^(perwt|repwtp.*)$").cast(pl.Int64).sum()).sort("state")
    for code, (postal, population) in states.items():
        raw = csv_of(mirror / KEY / "2018-1yr" / f"csv_p{postal}.zip")
        row = found.row(by_predicate=pl.col("state") == code, named=True)
        assert row["len"] == raw.height
        assert row["perwt"] == population
        for i in range(1, 81):
            assert row[f"repwtp{i}"] == raw[f"PWGTP{i}"].cast(pl.Int64).sum()
        assert table.filter(pl.col("state") == code)["puma"].to_list() == raw["PUMA"].to_list()
    assert retrieval.notes["acs rows"] == 46_188
    assert retrieval.notes["acs sum of perwt"] == 4_649_013
    assert [f.name for f in retrieval.used] == [f"csv_p{p}.zip" for p, _ in states.values()]


@pytest.mark.parity
def test_real_housing_of_alaska(real, mirror):
    """The 2018 housing units of Alaska as published (318,352), vacant units included."""
    table, retrieval = real("acs1_households", ("02",))
    Acs1Households.validate(table)
    raw = csv_of(mirror / KEY / "2018-1yr" / "csv_hak.zip").with_columns(pl.col("WGTP", "NP").cast(pl.Int64))
    assert table.height == raw.height == 3_713
    assert table["hhwt"].cast(pl.Int64).sum() == raw["WGTP"].sum() == 318_352
    assert (table["gq"] == 0).sum() == ((raw["NP"] == 0).sum()) == 892
    income = table.filter(pl.col("hhincome") != 9_999_999)["hhincome"].sum()
    assert income == raw["HINCP"].drop_nulls().cast(pl.Int64).sum()
    assert table["countyfip"].null_count() == table.height
    assert retrieval.notes["acs form"] == "Census Bureau files, 2018-1yr"
    assert retrieval.notes["acs states without their person file"] == ["02"]


@pytest.mark.parity
def test_real_persons_are_read_without_any_other_file(real):
    table, retrieval = real("acs1_persons", ("56",))
    assert table.height == 5_740
    assert dataclasses.asdict(retrieval.used[0])["name"] == "csv_pwy.zip"
