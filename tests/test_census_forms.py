"""Reading ACS tables: the API's JSON and downloads, annotation codes, and everything that may be wrong with a file."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import InputError
from sources.census_forms import COUNTY, PLACE, TRACT, Item, read

ITEMS = (Item("people", "B17001_001", "Total"), Item("poor", "B17001_002", "Income below poverty level"))
HEADER = ["B17001_001E", "B17001_001M", "B17001_002E", "B17001_002M", "state", "county", "tract"]
ROWS = [
    ["4000", "210", "500", "95", "06", "001", "400100"],
    ["3100", "180", "0", "13", "06", "001", "400200"],
    ["2500", "150", "1200", "200", "06", "003", "010000"],
]


def api(tmp_path: Path, rows: list[list[object]] | None = None, header: list[str] | None = None) -> Path:
    """A file as the API writes it: one row per line."""
    path = tmp_path / "tract_B17001_ca.json"
    lines = [json.dumps(row) for row in [header or HEADER, *(ROWS if rows is None else rows)]]
    path.write_text("[" + ",\n".join(lines) + "]")
    return path


def changed(row: int, column: str, value: object) -> list[list[object]]:
    """The rows with one cell changed."""
    rows: list[list[object]] = [list(r) for r in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


def download(tmp_path: Path, text: str, encoding: str = "utf-8-sig") -> Path:
    path = tmp_path / "ACSDT5Y2021.B17001-Data.csv"
    path.write_bytes(text.encode(encoding))
    return path


DOWNLOAD = (
    '"GEO_ID","NAME","B17001_001E","B17001_001EA","B17001_001M","B17001_001MA","B17001_002E","B17001_002M",\n'
    '"Geography","Geographic Area Name","Estimate!!Total:","Annotation of Estimate!!Total:","Margin of Error!!Total:",'
    '"Annotation of Margin of Error!!Total:","Estimate!!Total:!!Income below poverty level:",'
    '"Margin of Error!!Total:!!Income below poverty level:",\n'
    '"1400000US06001400100","Census Tract 4001","4000","null","210","null","500","95",\n'
    '"1400000US06001400200","Census Tract 4002","3100","null","180","null","0","**",\n'
)


def test_the_api_form_is_read(tmp_path):
    reading = read(api(tmp_path), ITEMS, TRACT, source="acs_tables")
    frame = reading.raw.done()
    assert frame.columns == ["state", "county", "tract", "people", "people_moe", "poor", "poor_moe"]
    assert frame.rows() == [
        ("06", "001", "400100", 4000, 210, 500, 95),
        ("06", "001", "400200", 3100, 180, 0, 13),
        ("06", "003", "010000", 2500, 150, 1200, 200),
    ]
    assert reading.annotations == {}


def test_numbers_without_quotes_and_nulls_are_read(tmp_path):
    rows = changed(0, "B17001_001E", 4000)
    rows[1][3] = None
    rows[2][0] = "2500.0"
    frame = read(api(tmp_path, rows), ITEMS, TRACT, source="acs_tables").raw.done()
    assert frame["people"].to_list() == [4000, 3100, 2500]
    assert frame["poor_moe"].to_list() == [95, None, 200]


def test_both_forms_of_one_table_give_the_same_frame(tmp_path):
    one = read(api(tmp_path, ROWS[:2]), ITEMS, TRACT, source="acs_tables").raw.done()
    two = read(download(tmp_path, DOWNLOAD.replace('"**"', '"13"')), ITEMS, TRACT, source="acs_tables").raw.done()
    assert one.equals(two)


@pytest.mark.parametrize("packed", [False, True])
def test_a_download_is_read_with_or_without_compression(tmp_path, packed):
    path = download(tmp_path, DOWNLOAD)
    if packed:
        target = path.with_name(path.name + ".gz")
        target.write_bytes(gzip.compress(path.read_bytes()))
        path = target
    reading = read(path, ITEMS, TRACT, source="acs_tables")
    assert reading.raw.done()["poor_moe"].to_list() == [95, None]
    assert reading.annotations == {"margin of error -222222222 (too few sample cases for a margin of error)": 1}


@pytest.mark.parametrize(
    ("code", "column", "value"),
    [
        ("-555555555", "B17001_002M", 0),
        ("-222222222", "B17001_002M", None),
        ("-333333333", "B17001_002M", None),
        ("-999999999", "B17001_002M", None),
        ("-666666666", "B17001_002E", None),
        ("-888888888", "B17001_002E", None),
        ("-999999999", "B17001_002E", None),
    ],
)
def test_annotation_codes_are_what_they_mean_and_are_counted(tmp_path, code, column, value):
    reading = read(api(tmp_path, changed(0, column, code)), ITEMS, TRACT, source="acs_tables")
    ours = "poor_moe" if column.endswith("M") else "poor"
    assert reading.raw.frame[ours].to_list()[0] == value
    ((text, count),) = reading.annotations.items()
    kind = "margin of error" if column.endswith("M") else "estimate"
    assert (text.startswith(f"{kind} {code} ("), count) == (True, 1)


@pytest.mark.parametrize("sign", ["*****", "***", "**", "-", "N", "(X)"])
def test_the_signs_of_downloads_are_the_same_codes(tmp_path, sign):
    reading = read(download(tmp_path, DOWNLOAD.replace('"**"', f'"{sign}"')), ITEMS, TRACT, source="acs_tables")
    assert reading.raw.frame["poor_moe"].to_list()[1] == (0 if sign == "*****" else None)
    assert sum(reading.annotations.values()) == 1


def test_an_estimate_is_never_taken_for_controlled(tmp_path):
    rows = changed(0, "B17001_001E", "-555555555")
    assert read(api(tmp_path, rows), ITEMS, TRACT, source="x").raw.frame["people"].to_list()[0] is None


def test_other_kinds_of_areas_are_left_out_and_counted(tmp_path):
    text = DOWNLOAD + '"0400000US06","California","39000000","null","0","null","5000000","900",\n'
    reading = read(download(tmp_path, text), ITEMS, TRACT, source="acs_tables")
    assert (reading.raw.frame.height, reading.rows_left_out) == (2, 1)


def test_counties_and_places_are_split_from_their_identifier(tmp_path):
    text = DOWNLOAD.replace("1400000US06001400100", "0500000US06001").replace("1400000US06001400200", "0500000US06003")
    frame = read(download(tmp_path, text), ITEMS, COUNTY, source="acs_tables").raw.done()
    assert frame.select("state", "county").rows() == [("06", "001"), ("06", "003")]
    text = text.replace("0500000US06001", "1600000US0600562").replace("0500000US06003", "1600000US0644000")
    frame = read(download(tmp_path, text), ITEMS, PLACE, source="acs_tables").raw.done()
    assert frame.select("state", "place").rows() == [("06", "00562"), ("06", "44000")]


def failure(path: Path, geography=TRACT) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, ITEMS, geography, source="acs_tables")
    assert caught.value.source == "acs_tables"
    assert caught.value.file == path.name
    return caught.value


@pytest.mark.parametrize(
    ("cell", "column", "problem"),
    [
        ("n/a", "B17001_001E", "not a number"),
        ("4,000", "B17001_001E", "thousands comma"),
        ("-5", "B17001_002E", "negative"),
        ("-777777777", "B17001_002M", "negative"),
        ("12.5", "B17001_002E", "not a whole number"),
        ("NaN", "B17001_002E", "not a whole number|finite"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_and_column(tmp_path, cell, column, problem):
    error = failure(api(tmp_path, changed(1, column, cell)))
    assert (error.row, error.column) == (3, column)
    assert any(p in error.problem for p in problem.split("|"))


@pytest.mark.parametrize(
    ("column", "cell", "problem"),
    [
        ("state", "6", "leading zeros are lost"),
        ("county", "1", "leading zeros are lost"),
        ("tract", "10000", "leading zeros are lost"),
        ("tract", "1e+05", "not made of digits"),
        ("tract", "", "missing"),
    ],
)
def test_a_bad_code_is_named(tmp_path, column, cell, problem):
    error = failure(api(tmp_path, changed(2, column, cell)))
    assert (error.row, error.column) == (4, column)
    assert problem in error.problem


def test_a_duplicate_area_is_refused(tmp_path):
    error = failure(api(tmp_path, [*ROWS, ROWS[0]]))
    assert "duplicate key" in error.problem
    assert error.row == 5


def test_a_missing_variable_names_the_nearest(tmp_path):
    path = api(tmp_path, header=[h.replace("B17001_002E", "B17001_003E") for h in HEADER])
    error = failure(path)
    assert error.column == "B17001_002E"
    assert "b17001_003e" in error.problem


def test_a_variable_whose_line_moved_is_refused(tmp_path):
    error = failure(download(tmp_path, DOWNLOAD.replace("Income below poverty level:", "Income above poverty level:")))
    assert error.column == "B17001_002E"
    assert "moved" in error.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("<html><body>Missing Key</body></html>", "web page"),
        ("error: unknown variable 'B17001_999E'", "unknown variable 'B17001_999E'"),
        ('{"error": "unknown variable B17001_999E"}', "unknown variable B17001_999E"),
        ('{"status": 500}', "status"),
        ('[["B17001_001E","state"],["1","06"', "truncated"),
        ("[]", "not a table"),
        ('["a", "b"]', "not a table"),
        (json.dumps([HEADER]), "no rows"),
        (json.dumps([HEADER, ROWS[0][:-1]]), "6 cells, the header 7"),
        (json.dumps([[*HEADER, "state"], [*ROWS[0], "06"]]), "twice"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, problem):
    path = tmp_path / "tract_B17001_ca.json"
    path.write_text(text)
    assert problem in failure(path).problem


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(api(tmp_path).read_bytes())[:-20])
    assert "damaged or truncated" in failure(path).problem


def test_another_encoding_is_refused(tmp_path):
    path = download(tmp_path, DOWNLOAD.replace("Census Tract 4001", "Do\xf1a Ana"), encoding="latin-1")
    assert "not utf-8" in failure(path).problem


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"GEO_ID"', '"GEOID"', "not a download"),
        ("\n" + DOWNLOAD.splitlines()[1], "", "second header row"),
        ("1400000US06001400100", "06001400100", "not a geographic identifier"),
        ("1400000US06001400100", "1400000US6001400100", "11 digits"),
        ("1400000US", "0500000US", "no tract"),
    ],
)
def test_a_download_of_another_layout_is_refused(tmp_path, old, new, problem):
    assert problem in failure(download(tmp_path, DOWNLOAD.replace(old, new))).problem


def test_a_download_of_the_whole_state_reads_as_counts(mirror):
    path = mirror / "acs_tables" / "acs5-2023" / "CA_places_ACSDT5Y2023.B03002-Data.csv.gz"
    reading = read(path, (Item("people", "B03002_001", "Total"),), PLACE, source="acs_tables")
    assert reading.raw.frame.height == 1618
    assert reading.raw.frame.filter(pl.col("place") == "44000")["people"].to_list() == [3857897]
