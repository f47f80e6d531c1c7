"""NIBRS segments, the batch header, the identifiers crosswalk and the ACS denominators: layouts and bad input."""

import gzip
import json
from pathlib import Path

import polars as pl
import pyreadr
import pytest

from schemas.errors import InputError, OwedError
from sources import acs_tables, leaic, nibrs
from sources.framework import Retrieval, Scope
from sources.framework.rds import as_parquet, read_columns
from sources.synthetic import SEED, STATE_CODES, writers
from sources.synthetic.world import World

YEAR = 2022


def rds(path: Path, frame: pl.DataFrame, *, factors: tuple[str, ...] = ()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyreadr.write_rds(str(path), frame.to_pandas().astype(dict.fromkeys(factors, "category")), compress="gzip")
    return path


class Laid:
    """A data root into which a test lays its files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, source: str, vintage: str) -> Path:
        return self.root / "raw" / source / vintage

    def offenses(self, rows: list[tuple], columns: tuple[str, ...] = ("ori", "year", "ucr_offense_code")) -> None:
        frame = pl.DataFrame(rows, schema=list(columns), orient="row")
        rds(self.folder("nibrs", str(YEAR)) / nibrs.offense_file(YEAR), frame)

    def arrests(self, rows: list[tuple], group_b: list[tuple] | None = None) -> None:
        columns = ["ori", "year", *(f"{t}_of_arrestee" for t in ("age", "sex", "race", "ethnicity"))]
        for name, part in zip(nibrs.arrest_files(YEAR), (rows, rows if group_b is None else group_b), strict=True):
            frame = pl.DataFrame(part, schema=dict.fromkeys(columns, pl.String), orient="row")
            rds(self.folder("nibrs", str(YEAR)) / name, frame)

    def header(self, *changes: dict, drop: tuple[str, ...] = ()) -> None:
        plain = {
            **{"ori": "NC0010000", "year": "2022", "state": "north carolina", "state_abbreviation": "NC"},
            **{"city_name": "CARY", "agency_indicator": "City", "core_city": "Y", "population": 5000.0},
            nibrs.MONTHS: 12.0,
            **dict.fromkeys(nibrs.COUNTIES),
            nibrs.COUNTIES[0]: "183",
        }
        schema = {c: pl.Float64 if c in ("population", nibrs.MONTHS) else pl.String for c in plain}
        frame = pl.DataFrame([{**plain, **change} for change in changes], schema=schema).drop(drop)
        rds(self.folder("nibrs", nibrs.HEADER_VINTAGE) / nibrs.HEADER.name, frame)

    def crosswalk(self, *rows: tuple[str, str, str], header: str = "ORI9\tFIPS_COUNTY\tFPLACE") -> None:
        self.crosswalk_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")

    def crosswalk_text(self, text: str | bytes) -> None:
        path = self.folder("leaic", leaic.VINTAGE) / leaic.FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def retrieval(self, states: tuple[str, ...] | None = None) -> Retrieval:
        return Retrieval(root=self.root, scope=Scope(states), scratch=self.root / "scratch", offline=True)


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    root = Laid(tmp_path)
    root.crosswalk(("NC0010000", "1", "10740"), ("NC0020000", "2", "99002"), ("-1", "3", "4"), ("-1", "3", "5"))
    return root


# --- R files


def test_wanted_columns_come_as_text_whatever_their_type(tmp_path):
    frame = pl.DataFrame(
        {
            "text": [" a", None, "b "],
            "whole": [1.0, None, 3.0],
            "part": [1.5, 2.0, None],
            "integer": [7, 8, 9],
            "label": ["x", "y", "x"],
            "other": ["long", "text", "here"],
        },
        schema_overrides={"integer": pl.Int32},
    )
    path = rds(tmp_path / "a.rds", frame, factors=("label",))
    read = read_columns(path, ["label", "text", "whole", "part", "integer"], source="nibrs", optional=["absent"])
    assert read.to_dict(as_series=False) == {
        "label": ["x", "y", "x"],
        "text": ["a", None, "b"],
        "whole": ["1", None, "3"],
        "part": ["1.5", "2.0", None],
        "integer": ["7", "8", "9"],
        "absent": [None, None, None],
    }
    packed = tmp_path / "a.rds.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_columns(packed, ["text"], source="nibrs")["text"].to_list() == ["a", None, "b"]


def damaged(path: Path, kind: str) -> Path:
    whole = path.read_bytes()
    broken = {
        "empty": b"",
        "web page": b"<!DOCTYPE html><html></html>",
        "truncated": whole[: len(whole) // 2],
        "other": gzip.compress(b"not R data at all" * 50),
    }
    path.write_bytes(broken[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("empty", "file is empty"),
        ("web page", "web page"),
        ("truncated", "cannot be read"),
        ("other", "cannot be read"),
    ],
)
def test_a_damaged_r_file_is_refused(tmp_path, kind, problem):
    path = rds(tmp_path / "a.rds", pl.DataFrame({"ori": [f"NC{i:07d}" for i in range(2000)]}))
    with pytest.raises(InputError, match=problem) as error:
        read_columns(damaged(path, kind), ["ori"], source="nibrs")
    assert error.value.file == "a.rds"


def test_a_truncated_gzip_around_an_r_file_is_refused(tmp_path):
    path = rds(tmp_path / "a.rds", pl.DataFrame({"ori": ["NC0010000"]}))
    packed = tmp_path / "b.rds.gz"
    packed.write_bytes(gzip.compress(path.read_bytes())[:-12])
    with pytest.raises(InputError, match="gzip is damaged or truncated"):
        read_columns(packed, ["ori"], source="nibrs")


def test_missing_columns_and_rows_are_refused(tmp_path):
    path = rds(tmp_path / "a.rds", pl.DataFrame({"ori9": ["NC0010000"]}))
    with pytest.raises(InputError, match="missing; the nearest is 'ori9'"):
        read_columns(path, ["ori"], source="nibrs")
    path = rds(tmp_path / "b.rds", pl.DataFrame({"ori": []}, schema={"ori": pl.String}))
    with pytest.raises(InputError, match="no rows"):
        read_columns(path, ["ori"], source="nibrs")


def test_a_file_is_converted_once(laid):
    laid.offenses([("NC0010000", 2022.0, "robbery")])
    retrieval = laid.retrieval()
    (file,) = retrieval.obtain(nibrs.SOURCE, str(YEAR), (nibrs.offense_file(YEAR),))
    first = as_parquet(file, ["ori"], scratch=retrieval.scratch).collect()
    converted = list((retrieval.scratch / "rds").iterdir())
    assert [p.suffix for p in converted] == [".parquet"]
    file.path.unlink()
    assert as_parquet(file, ["ori"], scratch=retrieval.scratch).collect().equals(first)


# --- offenses


def test_offenses_are_counted_by_agency_and_kind(laid):
    laid.offenses(
        [
            ("nc0010000", 2022.0, "Robbery"),
            ("NC0010000", 2022.0, "robbery"),
            ("NC0010000", 2022.0, "sex offenses - fondling (indecent liberties/child molest)"),
            ("NC0020000", 2022.0, "animal cruelty"),
        ]
    )
    retrieval = laid.retrieval()
    table = nibrs.build_offenses(YEAR, retrieval)
    nibrs.OffensesModel.validate(table)
    assert table.rows() == [
        ("NC0010000", "robbery", 2),
        ("NC0010000", "sex offenses - fondling (indecent liberties/child molest)", 1),
        ("NC0020000", "animal cruelty", 1),
    ]
    notes = retrieval.notes["nibrs offenses 2022"]
    assert notes["records"] == 4
    assert notes["fondling, not counted"] == 1
    assert notes["other offenses, counted only for reporting"] == {"animal cruelty": 1}


@pytest.mark.parametrize(
    ("row", "problem", "column"),
    [
        (("NC0010000", 2022.0, "larceny/theft offenses - of time"), "unknown offense", "ucr_offense_code"),
        (("NC0010000", 2022.0, "sex offenses - rapes"), "unknown offense", "ucr_offense_code"),
        (("NC0010000", 2022.0, None), "offense is missing", "ucr_offense_code"),
        (("NC0010000", 2021.0, "robbery"), "not of 2022", "year"),
        (("NC0010000", None, "robbery"), "not of 2022", "year"),
        (("10000", 2022.0, "robbery"), "9 letters and digits", "ori"),
        ((None, 2022.0, "robbery"), "identifier is missing", "ori"),
    ],
)
def test_bad_offenses_name_their_row(laid, row, problem, column):
    laid.offenses([("NC0010000", 2022.0, "robbery"), ("NC0010000", 2022.0, "arson"), row])
    with pytest.raises(InputError, match=problem) as error:
        nibrs.build_offenses(YEAR, laid.retrieval())
    assert (error.value.row, error.value.column) == (3, column)


def test_a_renamed_column_of_offenses_is_an_error(laid):
    laid.offenses([("NC0010000", 2022.0, "robbery")], ("ori", "year", "ucr_offence_code"))
    with pytest.raises(InputError, match="nearest is 'ucr_offence_code'"):
        nibrs.build_offenses(YEAR, laid.retrieval())


# --- arrests


def arrest(age: str | None, sex="male", race="white", ethnicity: str | None = "unknown") -> tuple:
    return ("NC0010000", "2022", age, sex, race, ethnicity)


def test_both_segments_are_added_up_and_only_juveniles_keep_their_traits(laid):
    group_a = [arrest("9"), arrest("10"), arrest("17", ethnicity=None), arrest("18"), arrest("unknown")]
    laid.arrests(group_a, [arrest("10"), arrest("over 98 years old", race="purple"), arrest(None)])
    retrieval = laid.retrieval()
    table = nibrs.build_arrests(YEAR, retrieval)
    nibrs.ArrestsModel.validate(table)
    assert table.rows() == [
        ("NC0010000", None, None, None, None, 5),
        ("NC0010000", 10, "male", "white", "unknown", 2),
        ("NC0010000", 17, "male", "white", None, 1),
    ]
    notes = retrieval.notes[nibrs.arrest_files(YEAR)[0]]
    assert notes["ages in words"] == {"unknown": 1}
    assert notes["juvenile arrests without ethnicity"] == 1


@pytest.mark.parametrize(
    ("row", "problem", "column"),
    [
        (arrest("1,2"), "not a number", "age_of_arrestee"),
        (arrest("1,234"), "thousands comma", "age_of_arrestee"),
        (arrest("-3"), "negative", "age_of_arrestee"),
        (arrest("170"), "above 99", "age_of_arrestee"),
        (arrest("12", sex="m"), "unknown sex", "sex_of_arrestee"),
        (arrest("12", race="asian/pacific islander"), "unknown race", "race_of_arrestee"),
        (arrest("12", ethnicity="hispanic origin"), "unknown ethnicity", "ethnicity_of_arrestee"),
    ],
)
def test_bad_arrests_name_their_row(laid, row, problem, column):
    laid.arrests([arrest("12"), row])
    with pytest.raises(InputError, match=problem) as error:
        nibrs.build_arrests(YEAR, laid.retrieval())
    assert (error.value.row, error.value.column) == (2, column)


# --- agencies


def test_agencies_get_state_counties_and_the_place_of_the_crosswalk(laid):
    laid.header(
        {"year": "2021", "ori": "NC0090000"},
        {nibrs.COUNTIES[1]: "63"},
        {"ori": "WY0010000", "state": "Wyoming V2", "state_abbreviation": "wy", "core_city": "N", "population": None},
        {"ori": "NB0010000", "state": "nebraska", "state_abbreviation": "NB", "core_city": "u", nibrs.COUNTIES[0]: ""},
        {"ori": "GM0010000", "state": "guam", "state_abbreviation": "GM"},
    )
    retrieval = laid.retrieval()
    table = nibrs.build_agencies(YEAR, retrieval)
    nibrs.AgenciesModel.validate(table)
    columns = ["ori", "state", "core_city", "county_1", "county_2", "population", "leaic_county", "leaic_place"]
    assert table.select(columns).rows() == [
        ("NB0010000", "31", None, None, None, 5000, None, None),
        ("NC0010000", "37", True, "183", "063", 5000, "001", "10740"),
        ("WY0010000", "56", False, "183", None, None, None, None),
    ]
    notes = retrieval.notes["nibrs agencies 2022"]
    assert notes["agencies of territories, left out"] == 1
    assert notes["agencies without first county"] == 1
    assert notes["agencies without population"] == 1
    assert retrieval.notes["leaic agencies without an identifier, left out"] == 2
    assert nibrs.build_agencies(YEAR, laid.retrieval(("37",)))["ori"].to_list() == ["NC0010000"]


def test_a_header_without_population_or_months_leaves_them_unknown(laid):
    laid.header({}, drop=("population", nibrs.MONTHS))
    table = nibrs.build_agencies(YEAR, laid.retrieval())
    assert table.select("population", "months").rows() == [(None, None)]


def test_months_reported_tell_silence_from_nothing_to_report(laid):
    laid.header({}, {"ori": "NC0020000", nibrs.MONTHS: 0.0}, {"ori": "NC0030000", nibrs.MONTHS: None})
    retrieval = laid.retrieval()
    assert nibrs.build_agencies(YEAR, retrieval)["months"].to_list() == [12, 0, None]
    notes = retrieval.notes["nibrs agencies 2022"]
    assert notes["agencies that reported no month"] == 1
    assert notes["agencies of which the months reported are not given"] == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"state": "carolina"}, "unknown state"),
        ({"state": None}, "unknown state"),
        ({"state_abbreviation": "SC"}, "abbreviation is of another state"),
        ({nibrs.COUNTIES[0]: "37183"}, "county code has 3 digits"),
        ({nibrs.COUNTIES[2]: "x"}, "county code has 3 digits"),
        ({"population": -1.0}, "negative"),
        ({nibrs.MONTHS: 13.0}, "above 12"),
        ({nibrs.MONTHS: -1.0}, "negative"),
        ({"ori": "NC0010000"}, "duplicate key"),
    ],
)
def test_bad_agencies_name_their_row(laid, change, problem):
    laid.header({}, {"ori": "NC0020000", **change})
    with pytest.raises(InputError, match=problem) as error:
        nibrs.build_agencies(YEAR, laid.retrieval())
    assert error.value.row == 2


def test_two_versions_of_the_batch_header_in_one_folder_are_refused(laid):
    """Each version changes past years: which of the two belongs to the segments is not for the program to say."""
    laid.header({})
    folder = laid.folder("nibrs", nibrs.HEADER_VINTAGE)
    newer = folder / nibrs.HEADER.accept[0]
    newer.write_bytes((folder / nibrs.HEADER.name).read_bytes())
    assert nibrs.build_agencies(YEAR, laid.retrieval()).height == 1, "the same file twice is no conflict"
    laid.header({}, {"ori": "NC0020000"})
    (folder / "provenance.json").unlink()
    with pytest.raises(InputError, match=r"1991_2023.rds and nibrs_batch_header_1991_2024.rds lie in one folder"):
        nibrs.build_agencies(YEAR, laid.retrieval())


def test_a_header_without_the_year_is_an_error(laid):
    laid.header({"year": "2021"})
    with pytest.raises(InputError, match="no agencies of 2022"):
        nibrs.build_agencies(YEAR, laid.retrieval())


def test_missing_segments_are_owed_with_the_way_to_get_them(tmp_path):
    for build in (nibrs.build_offenses, nibrs.build_arrests, nibrs.build_agencies):
        with pytest.raises(OwedError, match="licence form"):
            build(YEAR, Laid(tmp_path).retrieval())


# --- the identifiers crosswalk


@pytest.mark.parametrize(
    ("rows", "header", "problem"),
    [
        ([("NC0010000", "1", "2"), ("NC0010000", "1", "3")], None, "duplicate key"),
        ([("NC001", "1", "2")], None, "9 letters and digits"),
        ([("NC0010000", "1234", "2")], None, "code has 3 digits"),
        ([("NC0010000", "1", "x")], None, "code has 5 digits"),
        ([("NC0010000", "1", "2")], "ORI9\tFIPS_COUNTY\tPLACE", "missing; the nearest is 'place'"),
    ],
)
def test_bad_identifiers_are_refused(laid, rows, header, problem):
    laid.crosswalk(*rows, **({"header": header} if header else {}))
    with pytest.raises(InputError, match=problem):
        leaic.read(laid.retrieval())


@pytest.mark.parametrize(("content", "problem"), [("<html>" + "x" * 50, "web page"), ("", "empty")])
def test_no_crosswalk_is_refused(laid, content, problem):
    laid.crosswalk_text(content)
    with pytest.raises(InputError, match=problem):
        leaic.read(laid.retrieval())


# --- denominators


@pytest.fixture(scope="module")
def world() -> World:
    return World(SEED, (YEAR,))


@pytest.fixture
def census(tmp_path: Path, world: World) -> Path:
    writers()["acs_tables"](tmp_path / "raw", world)
    return tmp_path


def test_denominators_have_all_counties_and_the_listed_places(census, world):
    retrieval = Retrieval(root=census, scope=Scope(STATE_CODES), scratch=census / "s", synthetic=True)
    people, ages = acs_tables.area_population(YEAR, retrieval), acs_tables.area_age(YEAR, retrieval)
    acs_tables.AreaPopulationModel.validate(people)
    acs_tables.AreaAgeModel.validate(ages)
    for level in ("county", "place"):
        listed = world.registry(level, YEAR).select("state", "geo")
        for table in (people, ages):
            assert table.filter(pl.col("level") == level).select("state", "geo").sort("state", "geo").equals(listed)
    assert ages.select("level", "state", "geo", "people").equals(people)


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("B01001A_005E", "99999999", "more White and Black juveniles"),
        ("B01001I_020E", "99999999", "more Hispanic juveniles"),
        ("B01003_001E", "3", "more juveniles than people"),
        ("B01003_001E", "1,234", "thousands comma"),
        ("B01003_001E", "-5", "negative"),
        ("state", "9", "leading zeros are lost"),
    ],
)
def test_bad_denominators_are_refused(census, variable, value, problem):
    path = census / "raw" / "acs_tables" / f"acs5-{YEAR}" / "county_B01001_de.json"
    rows = json.loads(path.read_text())
    rows[1][rows[0].index(variable)] = value
    path.write_text(json.dumps(rows))
    retrieval = Retrieval(root=census, scope=Scope(("10",)), scratch=census / "s", synthetic=True)
    with pytest.raises(InputError, match=problem):
        acs_tables.area_age(YEAR, retrieval)


def test_owed_states_are_told_for_both_levels(census):
    for level in ("county", "place"):
        (census / "raw" / "acs_tables" / f"acs5-{YEAR}" / f"{level}_B01003_nc.json").unlink()
    retrieval = Retrieval(root=census, scope=Scope(("10", "37")), scratch=census / "s", synthetic=True)
    table = acs_tables.area_population(YEAR, retrieval)
    assert table["state"].unique().to_list() == ["10"]
    assert [file for note in retrieval.notes["owed"] for file in note["files"]] == [
        "county_B01003_nc.json",
        "place_B01003_nc.json",
    ]
