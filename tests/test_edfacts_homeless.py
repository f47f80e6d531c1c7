"""Homeless students by district: the agency's two layouts give one table; every kind of bad input is named."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from social_support import at_hand, put, raw, refuses

from schemas.errors import InputError, OwedError
from schemas.students import HomelessLea
from sources import ccd
from sources import edfacts_homeless as edfacts
from sources.framework import Status

WIDE_HEADER = ("SCHOOL_YEAR_TEXT", "STNAM", "FIPST", "LEAID", "LEANM", "SUBGRANT_STATUS", "TOTAL", "DATE_CUR")
WIDE_ROWS = [
    ("2018-2019", "ALABAMA", "01", "0100005", "Albertville City", "Yes", "101", "08APR20"),
    ("2018-2019", "ALABAMA", "01", "0100006", "Marshall County", "No", "S", "08APR20"),
    ("2018-2019", "ALABAMA", "01", "0100007", "Hoover City", "", ".", "08APR20"),
    ("2018-2019", "BUREAU OF INDIAN EDUCATION", "59", "5900001", "A school", "", "12", "08APR20"),
]
LONG_HEADER = (
    *("School Year", "State", "NCES LEA ID", "LEA", "School", "NCES SCH ID", "Data Group", "Data Description", "Value"),
    *("Numerator", "Denominator", "Population", "Subgroup", "Characteristics", "Age/Grade", "Academic Subject"),
    *("Outcome", "Program Type"),
)
YEAR = 2019


def long_row(leaid: str, group: str, value: str, *, living: str = "", year: str = "2019-2020", data_group: str = "655"):
    return (
        *(year, "ALABAMA", leaid, "A district", "", "", data_group, "Homeless Students Enrolled", value, "", ""),
        *("Homeless Students", group, living, "Pre-K through 12th grade", "", "", ""),
    )


LONG_ROWS = [
    long_row("0100005", "All Students in LEA", "102"),
    long_row("0100005", "White", "60"),
    long_row("0100005", "Asian", "S"),
    long_row("0100005", "Children with disabilities", "4"),
    long_row("0100005", "Children with one or more disabilities (IDEA)", "4"),
    long_row("0100005", "", "70", living="Doubled-up"),
    long_row("0100006", "All Students", "S"),
    long_row("0100006", "Two or more races", "0"),
    long_row("0100006", "All Students in LEA", "7", year="2018-2019"),
    long_row("0100006", "All Students in LEA", "8", data_group="818"),
]


def text(header, rows) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def packed(rows=LONG_ROWS, header=LONG_HEADER) -> bytes:
    return zipped(
        {
            "SY1920_FS118_DG655_LEA.csv": text(header, rows).encode(),
            "SY1920_FS118_DG655_LEA_data_notes.csv": b'"School Year",State,Note\n',
            "SY1920_FS118_DG655_LEA_README.txt": b"read me",
        }
    )


def read_wide(tmp_path: Path, content: str | bytes, year: int = 2018) -> tuple[pl.DataFrame, dict[str, int]]:
    return edfacts.read_wide(raw(put(tmp_path / "wide.csv", content)), year)


def read_long(tmp_path: Path, content: str | bytes, name: str = "long.zip", year: int = YEAR):
    return edfacts.read_long(raw(put(tmp_path / name, content)), year, scratch=tmp_path)


def test_wide_layout(tmp_path):
    table, notes = read_wide(tmp_path, text(WIDE_HEADER, WIDE_ROWS))
    assert table.rows() == [("0100005", "all", 101, False), ("0100006", "all", None, True)]
    assert notes == {
        "rows read": 4,
        "districts that reported nothing, left out": 1,
        "districts of the Bureau of Indian Education left out": 1,
        "rows": 2,
        "numbers withheld by the agency": 1,
    }
    HomelessLea.validate(table, lazy=True)


def test_wide_layout_of_the_first_year_has_no_school_year(tmp_path):
    table, notes = read_wide(tmp_path, text(WIDE_HEADER[1:], [row[1:] for row in WIDE_ROWS]), 2014)
    # The Bureau of Indian Education is left out of 2018 alone.
    assert table["leaid"].to_list() == ["0100005", "0100006", "5900001"]
    assert notes["districts of the Bureau of Indian Education left out"] == 0


@pytest.mark.parametrize("form", ["zip", "csv", "csv.gz"])
def test_long_layout(tmp_path, form):
    if form == "zip":
        table, notes = read_long(tmp_path, packed())
    else:
        import gzip

        content = text(LONG_HEADER, LONG_ROWS).encode()
        table, notes = read_long(tmp_path, gzip.compress(content) if form == "csv.gz" else content, f"long.{form}")
    assert table.rows() == [
        ("0100005", "all", 102, False),
        ("0100005", "asian", None, True),
        ("0100005", "white", 60, False),
        ("0100006", "all", None, True),
        ("0100006", "two_or_more", 0, False),
    ]
    assert notes == {
        "rows read": 10,
        "rows of other school years or data groups left out": 2,
        "rows by place to live left out": 1,
        "rows of groups that are not racial or ethnic left out": 2,
        "rows": 5,
        "numbers withheld by the agency": 2,
    }
    assert [path.name for path in tmp_path.iterdir()] == [f"long.{form}"], "nothing unpacked is left behind"


def change(rows, at: int, column: int, value: str):
    changed = [list(row) for row in rows]
    changed[at][column] = value
    return changed


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (WIDE_HEADER, change(WIDE_ROWS, 0, 6, "1,101"), ("row 2", "column TOTAL", "thousands comma")),
        (WIDE_HEADER, change(WIDE_ROWS, 0, 6, "many"), ("row 2", "column TOTAL", "not a number")),
        (WIDE_HEADER, change(WIDE_ROWS, 0, 6, "-4"), ("row 2", "column TOTAL", "negative")),
        (WIDE_HEADER, change(WIDE_ROWS, 0, 6, ""), ("row 2", "column TOTAL", "not a number")),
        (WIDE_HEADER, change(WIDE_ROWS, 1, 3, "100006"), ("row 3", "column LEAID", "leading zeros")),
        (WIDE_HEADER, change(WIDE_ROWS, 1, 3, "0100005"), ("row 3", "duplicate key")),
        (WIDE_HEADER, change(WIDE_ROWS, 1, 2, "02"), ("row 3", "column LEAID", "another state")),
        (WIDE_HEADER, change(WIDE_ROWS, 2, 0, "2017-2018"), ("row 4", "not the school year 2018-2019")),
        (("SCHOOL_YEAR_TEXT", "STNAM", "FIPST", "LEA_ID", *WIDE_HEADER[4:]), WIDE_ROWS, ("column LEAID", "missing")),
    ],
)
def test_bad_wide_files_are_refused(tmp_path, header, rows, words):
    refuses(lambda: read_wide(tmp_path, text(header, rows)), "source edfacts_homeless, file wide.csv", *words)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (change(LONG_ROWS, 0, 8, "1,102"), ("row 2", "column Value", "thousands comma")),
        (change(LONG_ROWS, 0, 8, "n/a"), ("row 2", "column Value", "not a number")),
        (change(LONG_ROWS, 0, 8, "-1"), ("row 2", "column Value", "negative")),
        (change(LONG_ROWS, 0, 8, ""), ("row 2", "column Value", "not a number")),
        (change(LONG_ROWS, 1, 12, "All Students in LEA"), ("row 3", "duplicate key (leaid=0100005, group=all)")),
        (change(LONG_ROWS, 1, 12, "Martian"), ("row 3", "column Subgroup", "unknown group of students")),
        (change(LONG_ROWS, 1, 2, "100005"), ("row 3", "column NCES LEA ID", "leading zeros")),
        (change(LONG_ROWS, 5, 13, ""), ("row 7", "neither a group nor a place to live")),
        ([long_row("0100005", "White", "3", year="2020-2021")], ("no rows of data group 655 in 2019-2020",)),
    ],
)
def test_bad_long_files_are_refused(tmp_path, rows, words):
    refuses(lambda: read_long(tmp_path, packed(rows)), "source edfacts_homeless, file long.zip", *words)


@pytest.mark.parametrize("mark", ["<=2", "*", "-1", "-2", "", " ", "s", "S*", "NA", "n<3"])
def test_no_other_mark_passes_for_withheld_or_not_reported(tmp_path, mark):
    """`S` is withheld and `.` not reported, and only where the layout has it; whatever else stands there is refused."""
    words = "negative" if mark.startswith("-") else "not a number"
    wide, long = change(WIDE_ROWS, 1, 6, mark), change(LONG_ROWS, 2, 8, mark)
    refuses(lambda: read_wide(tmp_path, text(WIDE_HEADER, wide)), "row 3", "column TOTAL", words)
    refuses(lambda: read_long(tmp_path, packed(long)), "row 4", "column Value", words)
    refuses(lambda: read_long(tmp_path, packed(change(LONG_ROWS, 2, 8, "."))), "row 4", "not a number")


def test_withheld_not_reported_and_none_at_all_are_three_things(tmp_path):
    rows = [*WIDE_ROWS[:3], ("2018-2019", "ALABAMA", "01", "0100008", "Zero", "", "0", "08APR20")]
    table, notes = read_wide(tmp_path, text(WIDE_HEADER, rows))
    assert table.rows()[1:] == [("0100006", "all", None, True), ("0100008", "all", 0, False)]
    assert (notes["districts that reported nothing, left out"], notes["numbers withheld by the agency"]) == (1, 1)


def test_a_missing_or_renamed_column_is_named(tmp_path):
    header = [c if c != "Value" else "Values" for c in LONG_HEADER]
    refuses(lambda: read_long(tmp_path, packed(header=header)), "column Value", "missing", "'values'")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (packed()[:-200], "damaged or truncated"),
        (zipped({"notes.txt": b"x"}), "must hold one file"),
        (zipped({"a.csv": b"x", "b.csv": b"y"}), "must hold one file"),
        (zipped({"a.csv": b""}), "empty"),
        (zipped({"a.csv": "School Year,Espa\u00f1ola\n".encode("latin-1")}), "not utf-8"),
    ],
)
def test_what_is_no_zip_of_data_is_refused(tmp_path, content, words):
    refuses(lambda: read_long(tmp_path, content), "source edfacts_homeless", words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<html>", "web page"),
        (text(WIDE_HEADER, []), "no rows"),
        (b"LEAID\n1,2,3\n", "cannot be read"),
    ],
)
def test_what_is_no_csv_is_refused(tmp_path, content, words):
    refuses(lambda: read_wide(tmp_path, content), "source edfacts_homeless", words)


def test_names_in_latin_1_are_no_obstacle(tmp_path):
    rows = change(WIDE_ROWS, 0, 4, "Espa\u00f1ola")
    assert read_wide(tmp_path, text(WIDE_HEADER, rows).encode("latin-1"))[0].height == 2


def test_the_edfacts_file_is_preferred_and_the_other_taken_if_it_is_there_alone(tmp_path):
    folder = tmp_path / "raw/edfacts_homeless"
    rows = [long_row("0100005", "All Students in LEA", "55", year="2018-2019")]
    put(folder / "2018-express/SY1819_FS118_DG655_LEA_data_files.zip", packed(rows))
    retrieval = at_hand(tmp_path)
    assert edfacts.build_homeless_lea(2018, retrieval).rows() == [("0100005", "all", 55, False)]
    assert retrieval.notes["homeless_lea"]["vintage"] == "2018-express"
    put(folder / "2018/EDFacts_Homelessness_2018.csv", text(WIDE_HEADER, WIDE_ROWS))
    assert edfacts.build_homeless_lea(2018, retrieval).height == 2
    assert retrieval.notes["homeless_lea"]["vintage"] == "2018"


def test_the_same_year_from_both_layouts(tmp_path):
    wide, _ = read_wide(tmp_path, text(WIDE_HEADER, WIDE_ROWS))
    rows = [
        long_row("0100005", "All Students in LEA", "101", year="2018-2019"),
        long_row("0100006", "All Students in LEA", "S", year="2018-2019"),
    ]
    assert_frame_equal(wide, read_long(tmp_path, packed(rows), year=2018)[0])


def test_what_is_owed_says_how_to_get_it(tmp_path):
    retrieval = at_hand(tmp_path)
    with pytest.raises(OwedError, match="lea-homeless-enrolled-sy2014-15"):
        edfacts.build_homeless_lea(2014, retrieval)
    with pytest.raises(OwedError, match="data download tool") as owed:
        edfacts.build_homeless_lea(2022, retrieval)
    assert owed.value.vintage == "2022"
    assert retrieval.status(edfacts.SOURCE, "2022") is Status.OWED
    assert retrieval.status(edfacts.SOURCE, "2021") is Status.DOWNLOADABLE


def test_a_hand_made_download_of_2022(tmp_path):
    rows = [long_row("0100005", "All Students in LEA", "9", year="2022-2023")]
    rows += [long_row("0100005", "All Students in LEA", "3", year="2022-2023", data_group="818")]
    put(tmp_path / "inbox/edfacts_homeless/2022-23 LEA homeless student data.csv", text(LONG_HEADER, rows))
    assert edfacts.build_homeless_lea(2022, at_hand(tmp_path)).rows() == [("0100005", "all", 9, False)]


@pytest.mark.parametrize("code", [-1, -2, -9, None])
def test_unknown_enrollment_of_a_district_is_missing(tmp_path, code):
    """The directory of 2015 has a code that the other tables do not know."""
    record = {"year": 2015, "leaid": "0100005", "county_code": 1095, "city_location": "Albertville", "enrollment": code}
    page = {"count": 1, "next": None, "previous": None, "results": [record]}
    put(tmp_path / "raw/ccd/2015/lea_directory_0001.json", json.dumps(page))
    table = ccd.build_lea_directory(2015, at_hand(tmp_path))
    assert table.rows() == [("0100005", "01095", "Albertville", None)]


def test_the_gate_refuses_contradictions():
    row = {"leaid": ["0100005"], "group": ["all"], "students": [None], "withheld": [False]}
    frame = pl.DataFrame(row, schema_overrides={"students": pl.Int64})
    with pytest.raises(Exception, match="not withheld"):
        HomelessLea.validate(frame, lazy=True)


@pytest.mark.parity
def test_the_real_files(tmp_path, mirror):
    """Rows and withheld numbers of every year in the mirror, as counted in the method file."""
    retrieval = at_hand(tmp_path, mirror=mirror)
    found = {}
    for year in range(2014, 2021):
        table = edfacts.build_homeless_lea(year, retrieval)
        HomelessLea.validate(table, lazy=True)
        found[year] = (
            table.filter(pl.col("group") == "all").height,
            table.filter(pl.col("withheld")).height,
        )
    assert found == {
        2014: (11_802, 2_233),
        2015: (12_092, 2_097),
        2016: (12_386, 2_075),
        2017: (12_265, 1_536),
        2018: (13_084, 1_689),
        2019: (13_125, 23_756),
        2020: (12_919, 20_946),
    }


@pytest.mark.parity
def test_a_damaged_real_file_is_refused(tmp_path, mirror):
    data = (mirror / "edfacts_homeless/2019/EdDataEx_Homelessness_2019.zip").read_bytes()
    put(tmp_path / "raw/edfacts_homeless/2019/EdDataEx_Homelessness_2019.zip", data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged or truncated"):
        edfacts.build_homeless_lea(2019, at_hand(tmp_path))
