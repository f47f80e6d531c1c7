"""Readers of county presidential returns and of citizens of voting age."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from sources import cvap, mit_elections
from sources.framework import Retrieval, Scope
from sources.mit_elections import BY_YEAR, read_returns
from sources.registry import all_sources, all_tables

HEAD_2016 = "year,state,state_po,county,FIPS,office,candidate,party,candidatevotes,totalvotes,version"
HEAD_2020 = "year,state,state_po,county_name,county_fips,office,candidate,party,candidatevotes,totalvotes,version,mode"


def row16(fips: str, candidate: str, votes: str, *, state: str = "Alabama", po: str = "AL", county: str = "X") -> str:
    return f"2016,{state},{po},{county},{fips},President,{candidate},NA,{votes},99,20191203"


def row20(fips: str, candidate: str, votes: str, mode: str, *, state: str = "ALABAMA", po: str = "AL", **k: str) -> str:
    county, version = k.get("county", "X"), k.get("version", "20220315")
    return f"2020,{state},{po},{county},{fips},US PRESIDENT,{candidate},NA,{votes},99,{version},{mode}"


ROWS_2016 = [row16("1001", "Hillary Clinton", "60"), row16("1001", "Donald Trump", "35"), row16("1001", "Other", "4")]


def write(tmp_path: Path, rows: list[str], head: str = HEAD_2016) -> Path:
    path = tmp_path / "returns.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def read(tmp_path: Path, rows: list[str], year: int = 2016) -> tuple[pl.DataFrame, dict[str, int]]:
    head = HEAD_2016 if year == 2016 else HEAD_2020
    return read_returns(write(tmp_path, rows, head), BY_YEAR[year])


def refusal(path: Path, year: int = 2016) -> InputError:
    with pytest.raises(InputError) as caught:
        read_returns(path, BY_YEAR[year])
    assert (caught.value.source, caught.value.file) == ("mit_elections", path.name)
    return caught.value


def test_candidates_are_added_up_and_the_files_total_is_not_used(tmp_path):
    frame, counts = read(tmp_path, [*ROWS_2016, row16("1003", "Donald Trump", "7"), "2012" + ROWS_2016[0][4:]])
    assert frame.rows() == [("01", "001", 99, 0, 3), ("01", "003", 7, 0, 1)]
    assert counts["rows of other elections left out"] == 1
    assert counts["counties whose sum is not the file's total"] == 1
    assert counts["votes"] == 106


def test_ways_of_voting_are_added_up(tmp_path):
    rows = [row20("1001", "A", str(n), mode) for n, mode in ((5, "ABSENTEE"), (6, "ELECTION DAY"), (0, "PROVISIONAL"))]
    frame, _ = read(tmp_path, [*rows, row20("1001", "B", "4", "ABSENTEE")], 2020)
    assert frame.rows() == [("01", "001", 15, 0, 4)]


def test_ways_of_voting_beside_their_sum_are_refused(tmp_path):
    rows = [row20("1001", "A", n, mode) for n, mode in (("5", "ABSENTEE"), ("6", "ELECTION DAY"), ("11", "TOTAL"))]
    error = refusal(write(tmp_path, rows, HEAD_2020), 2020)
    assert (error.row, error.column) == (4, "mode")
    assert "beside their sum" in error.problem


def test_a_candidate_listed_twice_is_refused(tmp_path):
    error = refusal(write(tmp_path, [*ROWS_2016, row16("1001", "Donald Trump", "35")]))
    assert (error.row, error.column, "listed twice" in error.problem) == (5, "candidate", True)
    twice = [row20("1001", "A", "5", "ABSENTEE"), row20("1001", "A", "6", "ABSENTEE")]
    assert refusal(write(tmp_path, twice, HEAD_2020), 2020).row == 3


def test_other_candidates_may_share_a_name(tmp_path):
    frame, counts = read(tmp_path, [row20("1001", "OTHER", n, "TOTAL") for n in ("1", "1")], 2020)
    assert frame["votes"].to_list() == [2]
    assert counts["rows of other candidates that share county and way of voting"] == 2


def test_alaska_is_left_out_although_district_numbers_look_like_counties(tmp_path):
    alaska = row16("2020", "Donald Trump", "500", state="Alaska", po="AK", county="District 20")
    frame, counts = read(tmp_path, [*ROWS_2016, alaska])
    assert set(frame["state"]) == {"01"}
    assert counts["votes in Alaska"] == 500


def test_rows_of_no_county_are_left_out_and_counted(tmp_path):
    rows = [
        row16("NA", "Other", "NA", state="Connecticut", po="NA", county="Statewide writein"),
        row16("NA", "Other", "321", state="Maine", po="NA", county="Maine UOCAVA"),
        row16("NA", "Other", "38", state="Rhode Island", po="NA", county="Federal Precinct"),
        row16("51515", "Other", "NA", state="Virginia", po="VA", county="Bedford"),
    ]
    frame, counts = read(tmp_path, [*ROWS_2016, *rows])
    assert frame.height == 1
    assert (counts["rows of no county left out"], counts["votes in them"]) == (3, 359)
    error = refusal(write(tmp_path, [*ROWS_2016, row16("NA", "Other", "3")]))
    assert (error.row, "code is missing" in error.problem) == (5, True)


def test_codes_are_brought_to_those_of_the_year(tmp_path):
    shannon = row16("46113", "Other", "9", state="South Dakota", po="SD")
    assert read(tmp_path, [shannon])[0].rows() == [("46", "102", 9, 0, 1)]
    columbia = row20("NA", "A", "8", "TOTAL", state="DISTRICT OF COLUMBIA", po="DC", county="DISTRICT OF COLUMBIA")
    assert read(tmp_path, [columbia], 2020)[0].rows() == [("11", "001", 8, 0, 1)]


@pytest.mark.parametrize("code", ["36000", "2938000"])
def test_kansas_city_stands_beside_its_county(tmp_path, code):
    rows = [
        row20("29095", "A", "100", "TOTAL", state="MISSOURI", po="MO"),
        row20(code, "A", "60", "TOTAL", state="MISSOURI", po="MO", county="KANSAS CITY"),
    ]
    frame, counts = read(tmp_path, rows, 2020)
    assert frame.rows() == [("29", "095", 100, 60, 1)]
    assert counts["votes counted apart from their county"] == 60


def test_an_older_version_with_gaps_is_refused(tmp_path):
    error = refusal(write(tmp_path, [row20("1001", "A", "5", "TOTAL", version="20210622")], HEAD_2020), 2020)
    assert (error.row, error.column) == (2, "version")
    assert "20220315" in error.problem


@pytest.mark.parametrize(
    ("old", "new", "column", "problem"),
    [
        (",35,", ",-35,", "candidatevotes", "negative"),
        (",35,", ',"1,035",', "candidatevotes", "thousands comma"),
        (",35,", ",many,", "candidatevotes", "not a number"),
        (",35,", ",3.5,", "candidatevotes", "not a number"),
        (",35,", ",NA,", "candidatevotes", "missing"),
        (",1001,", ",1002,", "FIPS", "no such county in 2016"),
        (",1001,", ",101,", "FIPS", "not a county code"),
        (",1001,", ",O1001,", "FIPS", "not a county code"),
        (",1001,", ",13001,", "FIPS", "not in the row's state"),
        (",Alabama,AL,", ",Albion,AX,", "state_po", "state is unknown"),
        (",President,", ",Senate,", "office", "another office"),
        ("2016,Al", "16,Al", "year", "not a year"),
    ],
)
def test_bad_cells_are_named(tmp_path, old, new, column, problem):
    rows = [ROWS_2016[0], ROWS_2016[1].replace(old, new, 1), ROWS_2016[2]]
    assert rows[1] != ROWS_2016[1]
    error = refusal(write(tmp_path, rows))
    assert (error.row, error.column) == (3, column)
    assert problem in error.problem


def test_votes_of_a_merged_city_are_refused(tmp_path):
    assert "merged" in refusal(write(tmp_path, [row16("51515", "Other", "3", state="Virginia", po="VA")])).problem


@pytest.mark.parametrize("column", ["FIPS", "candidatevotes", "year", "state_po", "version"])
def test_a_missing_or_renamed_column_is_named(tmp_path, column):
    error = refusal(write(tmp_path, ROWS_2016, HEAD_2016.replace(column, f"{column}_")))
    assert (error.column, "missing" in error.problem) == (column, True)


def test_the_newer_file_needs_its_way_of_voting(tmp_path):
    error = refusal(write(tmp_path, [row20("1001", "A", "5", "TOTAL")], HEAD_2020.replace("mode", "kind")), 2020)
    assert error.column == "mode"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"<!doctype html><html>Guestbook</html>", "web page"),
        (HEAD_2016.encode() + b"\n", "no rows"),
        (f"{HEAD_2016}\n{ROWS_2016[0]}".replace("X", "Do\xf1a").encode("latin-1"), "not utf-8"),
        (f"{HEAD_2016}\n{ROWS_2016[0]}".replace("2016,A", "2012,A").encode(), "no rows of 2016"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, problem):
    path = tmp_path / "returns.csv"
    path.write_bytes(data)
    assert problem in refusal(path).problem


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "returns.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEAD_2016, *ROWS_2016]).encode())[:-9])
    assert "damaged" in refusal(path).problem


@pytest.mark.parity
def test_the_real_returns_of_2016(tmp_path, mirror):
    obtained = Retrieval(root=tmp_path, scratch=tmp_path / "s", mirror=mirror, offline=True)
    frame = mit_elections.build(2016, obtained)
    all_tables()["votes_county"].model.validate(frame, lazy=True)
    assert obtained.notes["mit_elections"] == {
        "rows of other elections left out": 41_050,
        "rows of no county left out": 9,
        "votes in them": 4_714,
        "rows of other candidates that share county and way of voting": 0,
        "rows of Alaska's election districts left out": 123,
        "votes in Alaska": 318_398,
        "votes counted apart from their county": 128_601,
        "counties": 3_112,
        "votes": 136_043_834,
        "counties whose sum is not the file's total": 4,
        "counties outside the scope left out": 0,
    }
    votes = {s + g: v for s, g, v in frame.select("state", "geo", "votes").iter_rows()}
    assert (votes["37067"], votes["29095"], votes["48301"]) == (178_312, 173_275, 65)


def test_a_scope_limits_the_table(tmp_path):
    folder = tmp_path / "raw" / "mit_elections" / "2000-2016"
    folder.mkdir(parents=True)
    rows = [*ROWS_2016, row16("37067", "Other", "5", state="North Carolina", po="NC")]
    many = [row16("37067", f"Candidate {i}", "5", state="North Carolina", po="NC") for i in range(20)]
    write(folder, [*rows, *many]).rename(folder / "countypres_2000-2016.csv")
    obtained = Retrieval(root=tmp_path, scope=Scope(("37",)), scratch=tmp_path / "s", offline=True)
    assert mit_elections.build(2016, obtained).rows() == [("37", "067", 105, 0, 21)]
    assert obtained.notes["mit_elections"]["counties outside the scope left out"] == 1


# --- citizens of voting age

COUNTY_2016 = "GEONAME,LNTITLE,GEOID,LNNUMBER,TOT_EST,TOT_MOE,ADU_EST,ADU_MOE,CIT_EST,CIT_MOE,CVAP_EST,CVAP_MOE"
PLACE_2020 = COUNTY_2016.lower()


def area(geoid: str, cvap_est: str = "40000", moe: str = "395", group: str = "Total", name: str = "X") -> str:
    return f'"{name}",{group},{geoid},1,1,1,1,1,1,1,{cvap_est},{moe}'


COUNTIES = [
    area("05000US01001"),
    area("05000US01001", group="Hispanic or Latino"),
    area("05000US72011", name="A\xf1asco"),
]
PLACES = [area("1600000US3775000", "180000", "2000"), area("1600000US3700004", "900", "95")]


def archive(path: Path, counties: list[str], places: list[str], head: str = COUNTY_2016) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as zipped:
        for name, rows in (("County.csv", counties), ("Place.csv", places)):
            zipped.writestr(name, "\r\n".join([head, *rows]).encode("latin-1"))
        zipped.writestr("BlockGr.csv", "x" * 2000)
    return path


def cvap_refusal(path: Path, level: str, tmp_path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        cvap.read_level(path, level, tmp_path)
    assert caught.value.source == "cvap"
    return caught.value


def test_both_forms_of_header_and_code_are_read(tmp_path):
    older = cvap.read_level(archive(tmp_path / "a.zip", COUNTIES, PLACES), "county", tmp_path)
    assert older.frame.rows() == [("county", "01", "001", 40_000, 395)]
    assert older.counts == {"rows of groups left out": 1, "rows of Puerto Rico left out": 1}
    newer = cvap.read_level(archive(tmp_path / "b.zip", COUNTIES, PLACES, PLACE_2020), "place", tmp_path)
    assert newer.frame.rows() == [("place", "37", "00004", 900, 95), ("place", "37", "75000", 180_000, 2_000)]


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        (area("05000US01003", "-5"), "cvap_est", "negative"),
        (area("05000US01003", moe="-5"), "cvap_moe", "negative"),
        (area("05000US01003", '"1,040"'), "cvap_est", "thousands comma"),
        (area("05000US01003", "few"), "cvap_est", "not a number"),
        (area("05000US1003"), "geoid", "not the identifier"),
        (area("16000US0100124"), "geoid", "not the identifier"),
        (area("05000US99003"), "geoid", "state is unknown"),
        (area("05000US01001"), "geoid", "duplicate key"),
    ],
)
def test_bad_areas_are_named(tmp_path, row, column, problem):
    error = cvap_refusal(archive(tmp_path / "a.zip", [*COUNTIES, row], PLACES), "county", tmp_path)
    assert error.file == "a.zip/County.csv"
    assert error.row == 5
    assert error.column is not None
    assert error.column.split(",")[0].lower() in (column, "state")
    assert problem in error.problem


def test_an_area_without_everybody_is_refused(tmp_path):
    rows = [*COUNTIES, area("05000US01003", group="Hispanic or Latino")]
    error = cvap_refusal(archive(tmp_path / "a.zip", rows, PLACES), "county", tmp_path)
    assert "1 areas have no row 'Total'" in error.problem


@pytest.mark.parametrize("column", ["LNTITLE", "GEOID", "CVAP_EST", "CVAP_MOE"])
def test_a_missing_column_of_the_tabulation_is_named(tmp_path, column):
    path = archive(tmp_path / "a.zip", COUNTIES, PLACES, COUNTY_2016.replace(column, "Z"))
    assert cvap_refusal(path, "county", tmp_path).column == column.lower()


def test_a_damaged_archive_and_one_without_the_file_are_refused(tmp_path):
    path = archive(tmp_path / "a.zip", COUNTIES, PLACES)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in cvap_refusal(cut, "county", tmp_path).problem
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as zipped:
        zipped.writestr("Tract.csv", "x")
    assert "County.csv is not in the archive" in cvap_refusal(tmp_path / "other.zip", "county", tmp_path).problem
    with zipfile.ZipFile(tmp_path / "html.zip", "w") as zipped:
        zipped.writestr("County.csv", "<html></html>")
    assert "web page" in cvap_refusal(tmp_path / "html.zip", "county", tmp_path).problem
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as zipped:
        zipped.writestr("County.csv", "")
    assert "empty" in cvap_refusal(tmp_path / "empty.zip", "county", tmp_path).problem


def test_the_table_has_the_listed_areas_of_the_scope(tmp_path):
    path = tmp_path / "raw" / "cvap" / "2020" / "CVAP_2016-2020_ACS_csv_files.zip"
    archive(path, [area("0500000US37067"), *COUNTIES], PLACES, PLACE_2020)
    obtained = Retrieval(root=tmp_path, scope=Scope(("37",)), scratch=tmp_path / "s", offline=True)
    frame = cvap.build(2020, obtained)
    all_tables()["cvap"].model.validate(frame, lazy=True)
    assert frame.select("level", "state", "geo").rows() == [("county", "37", "067"), ("place", "37", "75000")]
    assert obtained.notes["cvap"]["place"]["not listed, left out"] == 1
    assert obtained.notes["cvap"]["county"]["listed, without rows"] == 99
    with pytest.raises(OwedError, match=r"CVAP_2012-2016_ACS_csv_files\.zip"):
        cvap.build(2016, obtained)


def test_declarations_name_the_agencys_files():
    url = {v.key: v.files[0].url for v in all_sources()["cvap"].vintages}
    base = "https://www2.census.gov/programs-surveys/decennial/rdo/datasets"
    assert url["2016"] == f"{base}/2016/2016-cvap/CVAP_2012-2016_ACS_csv_files.zip"
    assert url["2020"] == f"{base}/2020/2020-cvap/CVAP_2016-2020_ACS_csv_files.zip"
    assert "3641280" in (all_sources()["mit_elections"].vintage("2000-2016").files[0].url or "")
