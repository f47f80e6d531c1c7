"""County wages: three forms of the agency, one table; every kind of bad input is named."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from wage_support import (
    ANNUAL_HEADERS,
    QUARTERLY_HEADERS,
    WORKBOOK_HEADERS,
    FolderRetrieval,
    annual_row,
    csv_text,
    quarterly_rows,
    workbook_bytes,
    workbook_row,
    zipped,
)

from schemas.errors import InputError, OwedError
from schemas.wages import QcewCounty
from sources import qcew
from sources.qcew_forms import read_annual_csv, read_quarterly_csv, read_workbook

Cell = dict[str, str]
YEAR = 2018


def cell(area: str, own: str, naics: str, wage: int, *, estabs: int = 40, jobs: int = 1200, status: str = "") -> Cell:
    """An annual cell; undisclosed ones show zeros, as the agency does."""
    shown = 0 if status == "N" else 1
    return {
        "area": area,
        "own": own,
        "naics": naics,
        "year": str(YEAR),
        "status": status,
        "estabs": str(estabs),
        "jobs": str(shown * jobs),
        "payroll": str(shown * wage * jobs * 52),
        "wage": str(shown * wage),
    }


CELLS = [
    cell("01001", "0", "10", 1040, estabs=1871, jobs=10_440),
    cell("01001", "1", "10", 1302),
    cell("01001", "5", "101", 990, estabs=139),
    cell("01001", "5", "1023", 0, estabs=3, status="N"),
    cell("01999", "0", "10", 800),
    cell("46102", "0", "10", 782, estabs=29, jobs=12),
    cell("46102", "5", "1029", 0, estabs=1, jobs=0),
]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def annual(tmp_path: Path, text: str) -> Path:
    return put(tmp_path / f"{YEAR}.csv", text)


def workbook(tmp_path: Path, book: bytes, name: str = "allhlcn18.xlsx") -> Path:
    # The agency's zip also holds the quarters' workbooks, whose names begin alike.
    return put(
        tmp_path / f"{YEAR}_all_county_high_level.zip",
        zipped({"allhlcn181.xlsx": b"", name: book, "allhlcn184.xlsx": b""}),
    )


def with_national_rows(rows: list[list[str]]) -> list[list[str]]:
    """The file also holds the nation, states and detailed industries, whose codes look otherwise."""
    nation, state, detailed = list(rows[0]), list(rows[0]), list(rows[0])
    nation[0], nation[3] = "US000", "10"
    state[0], state[3] = "01000", "50"
    detailed[1:4] = ["5", "236115", "78"]
    return [nation, state, *rows, detailed]


# One table from every form -----------------------------------------------------------------------------------------


def test_workbook(tmp_path: Path) -> None:
    state = {**CELLS[0], "area": "01000", "area_type": "State"}
    rows = [workbook_row(state), *(workbook_row(c) for c in CELLS)]
    frame = read_workbook(workbook(tmp_path, workbook_bytes(rows)), year=YEAR)
    assert frame.height == len(CELLS)
    first = frame.row(0, named=True)
    assert first == {
        "state": "01",
        "county": "001",
        "ownership": 0,
        "naics": "10",
        "weekly_wage": 1040.0,
        "establishments": 1871,
        "employment": 10440.0,
        "total_wages": 1040.0 * 10440 * 52,
        "disclosed": True,
    }
    withheld = frame.row(by_predicate=pl.col("naics") == "1023", named=True)
    assert withheld["establishments"] == 3
    assert (withheld["disclosed"], withheld["weekly_wage"], withheld["employment"], withheld["total_wages"]) == (
        *(False, None, None, None),
    )
    nobody = frame.row(by_predicate=pl.col("naics") == "1029", named=True)
    assert (nobody["disclosed"], nobody["weekly_wage"], nobody["employment"]) == (True, None, 0.0)


def test_workbook_with_number_cells(tmp_path: Path) -> None:
    """A sheet whose codes and figures are numbers (01 is 1) says the same as one of texts."""
    text = [workbook_row(c) for c in CELLS]
    numbers: list[list[str | int]] = [list(row) for row in text]
    for row in numbers:
        for column in (1, 2, 3, 4, 5, 13, 14, 15, 16):
            row[column] = int(str(row[column]).replace(",", ""))
    from_text = read_workbook(workbook(tmp_path / "text", workbook_bytes(text)), year=YEAR)
    from_numbers = read_workbook(workbook(tmp_path / "numbers", workbook_bytes(numbers)), year=YEAR)
    assert_frame_equal(from_text, from_numbers)


def test_workbook_headers_in_other_breaks(tmp_path: Path) -> None:
    headers = [h.replace("\n", "  ").replace(" Count", "\r\nCount ") for h in WORKBOOK_HEADERS]
    rows = [workbook_row(c) for c in CELLS]
    plain = put(tmp_path / "allhlcn18.xlsx", workbook_bytes(rows, headers))
    assert_frame_equal(
        read_workbook(plain, year=YEAR), read_workbook(workbook(tmp_path, workbook_bytes(rows)), year=YEAR)
    )


@pytest.mark.parametrize("form", ["plain", "gzip", "zip", "two files", "titles and older name"])
def test_annual_csv_equals_workbook(tmp_path: Path, scratch: Path, form: str) -> None:
    rows = with_national_rows([annual_row(c) for c in CELLS])
    text = csv_text(rows)
    if form == "gzip":
        paths = [put(tmp_path / "a.csv.gz", gzip.compress(text.encode()))]
    elif form == "zip":
        paths = [put(tmp_path / "2018_annual_singlefile.zip", zipped({"2018.annual.singlefile.csv": text.encode()}))]
    elif form == "two files":
        paths = [put(tmp_path / "10.csv", csv_text(rows[:4])), put(tmp_path / "rest.csv", csv_text(rows[4:]))]
    elif form == "titles and older name":
        headers = [*ANNUAL_HEADERS[:8], "area_title", "annual_avg_estabs_count", *ANNUAL_HEADERS[9:]]
        paths = [put(tmp_path / "a.csv", csv_text([[*r[:8], "Doña Ana", *r[8:]] for r in rows], headers))]
    else:
        paths = [put(tmp_path / "a.csv", text)]
    wanted = read_workbook(workbook(tmp_path, workbook_bytes(workbook_row(c) for c in CELLS)), year=YEAR)
    assert_frame_equal(read_annual_csv(paths, year=YEAR, scratch=scratch), wanted)
    assert list(scratch.iterdir()) == []


def test_quarterly_csv_equals_annual(tmp_path: Path, scratch: Path) -> None:
    rows = [row for c in CELLS for row in quarterly_rows(c)]
    quarterly = read_quarterly_csv(
        [put(tmp_path / "q.csv", csv_text(rows, QUARTERLY_HEADERS))], year=YEAR, scratch=scratch
    )
    wanted = read_annual_csv([annual(tmp_path, csv_text(map(annual_row, CELLS)))], year=YEAR, scratch=scratch)
    assert_frame_equal(quarterly, wanted)


def test_quarterly_average(tmp_path: Path, scratch: Path) -> None:
    """Unequal quarters: 12 months' mean, wages' sum, workplaces half up; an absent or "-" quarter is zero."""
    total = quarterly_rows(cell("01001", "0", "10", 100, estabs=10, jobs=100))
    for quarter, months, wages, estabs in zip(total, (90, 100, 110, 121), (1, 2, 3, 4), (10, 10, 10, 12), strict=True):
        quarter[8:13] = [str(estabs), str(months), str(months), str(months), str(wages * 100_000)]
    seasonal = quarterly_rows(cell("01001", "5", "1026", 100, estabs=2, jobs=8))[:2]
    marked = quarterly_rows(cell("01001", "5", "1027", 100, estabs=2, jobs=8))
    for quarter in marked[2:]:
        quarter[7:13] = ["-", "0", "0", "0", "0", "0"]
    hidden = quarterly_rows(cell("01001", "5", "1023", 100))
    hidden[2][7:13] = ["N", "5", "0", "0", "0", "0"]
    text = csv_text([*total, *seasonal, *marked, *hidden], QUARTERLY_HEADERS)
    frame = read_quarterly_csv([put(tmp_path / "q.csv", text)], year=YEAR, scratch=scratch)
    rows = {r["naics"]: r for r in frame.iter_rows(named=True)}
    assert rows["10"]["employment"] == pytest.approx(421 / 4)
    assert rows["10"]["total_wages"] == 1_000_000
    assert rows["10"]["weekly_wage"] == pytest.approx(1_000_000 / (421 / 4) / 52)
    assert rows["10"]["establishments"] == 11
    for part in ("1026", "1027"):
        assert (rows[part]["employment"], rows[part]["establishments"], rows[part]["disclosed"]) == (4.0, 1, True)
        assert rows[part]["weekly_wage"] == pytest.approx(100.0)
    assert (rows["1023"]["disclosed"], rows["1023"]["weekly_wage"]) == (False, None)


def test_table(tmp_path: Path, scratch: Path) -> None:
    extra = [
        cell("72001", "0", "10", 500),
        cell("01001", "2", "1025", 700),
        cell("46102", "5", "1025", 700),
    ]
    rows = read_annual_csv([annual(tmp_path, csv_text(map(annual_row, CELLS + extra)))], year=YEAR, scratch=scratch)
    table, counts = qcew.county_table(rows, YEAR)
    QcewCounty.validate(table)
    assert counts == {
        "rows read": 10,
        "rows of unknown counties (999) left out": 1,
        "rows of territories left out": 1,
        "rows of public employers by industry left out": 1,
        "cells": 7,
        "undisclosed cells": 1,
        "counties": 2,
        "counties without an average wage": 0,
    }
    assert "999" not in table["county"].to_list()


def totals(missing: int, whole: int, how: str = "N") -> pl.DataFrame:
    """Totals of `whole` counties; of `missing` ones the agency withholds the total, or has industries only."""
    absent = how == "absent"
    return pl.DataFrame(
        [
            (*(f"{1 + i // 500:02d}", f"{i % 500:03d}"), *((5, "101") if absent and i < missing else (0, "10")), i)
            for i in range(whole)
        ],
        schema={"state": pl.String, "county": pl.String, "ownership": pl.Int8, "naics": pl.String, "at": pl.Int64},
        orient="row",
    ).with_columns(
        *(pl.when(pl.col("at") >= missing).then(700.0).alias(c) for c in ("weekly_wage", "employment", "total_wages")),
        establishments=30,
        disclosed=pl.col("at") >= missing,
    )


@pytest.mark.parametrize("how", ["N", "absent"])
def test_missing_county_totals(how: str) -> None:
    """One missing total in a small file is the agency's; 1 % of a large one is a reading fault."""
    assert qcew.county_table(totals(1, 20, how), YEAR)[1]["counties without an average wage"] == 1
    assert qcew.county_table(totals(9, 1000, how), YEAR)[1]["counties without an average wage"] == 9
    with pytest.raises(InputError, match="10 of 1000 counties have no average wage in 2018; fewer than 1 %"):
        qcew.county_table(totals(10, 1000, how), YEAR)


def test_unknown_state() -> None:
    with pytest.raises(InputError, match="unknown state '03'"):
        qcew.county_table(totals(0, 3).with_columns(state=pl.lit("03")), YEAR)


# Bad input -----------------------------------------------------------------------------------------------------------


def change(rows: list[list[str]], row: int, column: int, value: str) -> list[list[str]]:
    copy = [list(r) for r in rows]
    copy[row][column] = value
    return copy


Change = Callable[[list[list[str]]], list[list[str]]]
ANNUAL_FAULTS: dict[str, tuple[Change, str]] = {
    "duplicate": (lambda r: [*r, r[0]], r"row 9, column area_fips, area_fips, own_code, industry_code: duplicate key"),
    "text": (lambda r: change(r, 1, 8, "n/a"), r"row 3, column annual_avg_estabs: not a number \(found 'n/a'\)"),
    "thousands": (lambda r: change(r, 0, 13, "1,040"), "row 2, column annual_avg_wkly_wage: thousands comma"),
    "blank": (lambda r: change(r, 0, 9, ""), "row 2, column annual_avg_emplvl: not a number"),
    "leading zero": (
        lambda r: change(r, 2, 0, "1001"),
        "row 4, column area_fips: the area code must have 5 digits; lea",
    ),
    "negative": (lambda r: change(r, 0, 10, "-5"), "row 2, column total_annual_wages: negative"),
    "infinite": (lambda r: change(r, 0, 13, "inf"), "row 2, column annual_avg_wkly_wage: not a finite number"),
    "ownership": (lambda r: change(r, 1, 1, "9"), "row 3, column own_code: unknown ownership"),
    "industry": (lambda r: change(r, 2, 2, "1030"), "row 4, column industry_code: unknown industry"),
    "disclosure": (lambda r: change(r, 0, 7, "X"), "row 2, column disclosure_code: unknown disclosure code"),
    "quarter": (lambda r: change(r, 0, 6, "1"), "row 2, column qtr: unknown period"),
    "year": (lambda r: change(r, 3, 5, "2017"), "row 5, column year: the file must hold 2018"),
    "ragged": (lambda r: [*r, [*r[0], "1"]], "the table cannot be read"),
    "truncated": (lambda r: [*r, r[3][:9]], "row 9, column annual_avg_emplvl: not a number"),
    "no county": (lambda r: [change(r, 0, 3, "50")[0]], "no county rows"),
    "no rows": (lambda _: [], "no county rows"),
}


@pytest.mark.parametrize("fault", ANNUAL_FAULTS)
def test_annual_csv_faults(tmp_path: Path, scratch: Path, fault: str) -> None:
    spoil, message = ANNUAL_FAULTS[fault]
    text = csv_text(spoil([annual_row(c) for c in CELLS]))
    with pytest.raises(InputError, match=message) as caught:
        read_annual_csv([annual(tmp_path, text)], year=YEAR, scratch=scratch)
    assert caught.value.source == "qcew"


def test_annual_csv_cell_in_two_files(tmp_path: Path, scratch: Path) -> None:
    text = csv_text(map(annual_row, CELLS))
    paths = [put(tmp_path / "a.csv", text), put(tmp_path / "b.csv", text)]
    with pytest.raises(InputError, match="two of the files hold the same cell"):
        read_annual_csv(paths, year=YEAR, scratch=scratch)


@pytest.mark.parametrize(("old", "new", "hint"), [("own_code", "owner", "own_code"), ("qtr", "", "qtr")])
def test_csv_column_missing_or_renamed(tmp_path: Path, scratch: Path, old: str, new: str, hint: str) -> None:
    text = csv_text(map(annual_row, CELLS)).replace(f'"{old}"', f'"{new}"')
    with pytest.raises(InputError, match="the column is missing") as caught:
        read_annual_csv([annual(tmp_path, text)], year=YEAR, scratch=scratch)
    assert caught.value.column == hint


CONTENT_FAULTS: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "empty": ("a.csv", lambda _: b"", "the file is empty"),
    "web page": ("a.csv", lambda _: b"<!DOCTYPE html><html>Access denied</html>", "this is a web page"),
    "utf-16": ("a.csv", lambda d: d.decode().encode("utf-16"), "the text is not utf-8"),
    "latin-1": ("a.csv", lambda d: d.replace(b"01999", b"01\xf199"), "the text is not utf-8"),
    "short gzip": ("a.csv.gz", lambda d: gzip.compress(d)[:-20], "the gzip is damaged or truncated"),
    "no gzip": ("a.csv.gz", lambda d: d, "the gzip is damaged or truncated"),
    "short zip": ("a.zip", lambda d: zipped({"a.csv": d})[:-40], "the zip is damaged or truncated"),
    "web page as zip": ("a.zip", lambda _: b"<html>Not found</html>", "this is a web page"),
    "empty zip": ("a.zip", lambda _: b"", "the file is empty"),
    "zip without csv": ("a.zip", lambda d: zipped({"a.txt": d}), "the zip holds no CSV file"),
    "zip with web page": ("a.zip", lambda _: zipped({"a.csv": b"<html></html>"}), "file a.zip/a.csv: this is a web"),
}


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
@pytest.mark.parametrize("reader", [read_annual_csv, read_quarterly_csv])
def test_csv_content_faults(tmp_path: Path, scratch: Path, fault: str, reader: Callable[..., pl.DataFrame]) -> None:
    name, spoil, message = CONTENT_FAULTS[fault]
    path = put(tmp_path / name, spoil(csv_text(map(annual_row, CELLS)).encode()))
    with pytest.raises(InputError, match=message):
        reader([path], year=YEAR, scratch=scratch)


def test_damaged_zip_member(tmp_path: Path, scratch: Path) -> None:
    data = bytearray(zipped({"a.csv": csv_text(map(annual_row, CELLS)).encode()}))
    data[60] ^= 0xFF
    with pytest.raises(InputError, match="the zip is damaged"):
        read_annual_csv([put(tmp_path / "a.zip", bytes(data))], year=YEAR, scratch=scratch)


QUARTERLY_FAULTS: dict[str, tuple[Change, str]] = {
    "duplicate": (lambda r: [*r, r[0]], "duplicate key"),
    "missing quarter": (lambda r: r[1:], "the total of county 01001 has 3 of 4 quarters"),
    "annual row": (lambda r: change(r, 0, 6, "A"), "row 2, column qtr: unknown period"),
    "fraction": (lambda r: change(r, 1, 9, "10.5"), "row 3, column month1_emplvl: not a number"),
    "negative": (lambda r: change(r, 1, 11, "-1"), "row 3, column month3_emplvl: negative"),
    "thousands": (lambda r: change(r, 2, 12, "1,000"), "row 4, column total_qtrly_wages: thousands comma"),
    "leading zero": (lambda r: change(r, 0, 0, "1001"), "row 2, column area_fips: the area code must have 5 digits"),
    "unknown code": (lambda r: change(r, 0, 7, "Q"), "row 2, column disclosure_code: unknown disclosure code"),
    "year": (lambda r: change(r, 0, 5, "2016"), "row 2, column year: the file must hold 2018"),
}


@pytest.mark.parametrize("fault", QUARTERLY_FAULTS)
def test_quarterly_csv_faults(tmp_path: Path, scratch: Path, fault: str) -> None:
    spoil, message = QUARTERLY_FAULTS[fault]
    rows = spoil([row for c in CELLS for row in quarterly_rows(c)])
    path = put(tmp_path / "q.csv", csv_text(rows, QUARTERLY_HEADERS))
    with pytest.raises(InputError, match=message):
        read_quarterly_csv([path], year=YEAR, scratch=scratch)


WORKBOOK_FAULTS: dict[str, tuple[Change, str]] = {
    "duplicate": (lambda r: [*r, r[1]], "row 9, column St, Cnty, Own, NAICS: duplicate key"),
    "text": (lambda r: change(r, 0, 16, "n/a"), r"row 2, column Annual Average Weekly Wage: not a number"),
    "broken comma": (lambda r: change(r, 0, 16, "10,40"), r"row 2, column Annual Average Weekly Wage: not a number"),
    "negative": (lambda r: change(r, 0, 13, "-1"), "row 2, column Annual Average Establishment Count: negative"),
    "ownership": (lambda r: change(r, 1, 3, "4"), "row 3, column Own: unknown ownership"),
    "industry": (lambda r: change(r, 2, 4, "236"), "row 4, column NAICS: unknown industry"),
    "state": (lambda r: change(r, 2, 1, "AL"), "row 4, column St: the code is not made of digits"),
    "county": (lambda r: change(r, 2, 2, "0001"), "row 4, column Cnty: the code must have 3 digits"),
    "status": (lambda r: change(r, 0, 12, "-"), "row 2, column Annual Average Status Code: unknown disclosure code"),
    "quarter": (lambda r: change(r, 0, 6, "4"), "row 2, column Qtr: unknown period"),
    "year": (lambda r: change(r, 0, 5, "2021"), "row 2, column Year: the file must hold 2018"),
}


@pytest.mark.parametrize("fault", WORKBOOK_FAULTS)
def test_workbook_faults(tmp_path: Path, fault: str) -> None:
    spoil, message = WORKBOOK_FAULTS[fault]
    book = workbook_bytes(spoil([workbook_row(c) for c in CELLS]))
    with pytest.raises(InputError, match=message) as caught:
        read_workbook(workbook(tmp_path, book), year=YEAR)
    assert caught.value.file == "2018_all_county_high_level.zip/allhlcn18.xlsx"


def test_workbook_content_faults(tmp_path: Path) -> None:
    rows = [workbook_row(c) for c in CELLS]
    book = workbook_bytes(rows)
    spoiled = {
        "the zip does not hold allhlcn18.xlsx; it holds allhlcn181.xlsx": zipped({"allhlcn181.xlsx": book}),
        "the zip is damaged or truncated": zipped({"allhlcn18.xlsx": book})[:-50],
        "this is a web page": b"<html></html>",
        "the file is empty": b"",
        "the workbook cannot be read": zipped({"allhlcn18.xlsx": b"no workbook"}),
        "this is a web page, not a workbook": zipped({"allhlcn18.xlsx": b"<html></html>"}),
        "sheet 'US_St_Cn_MSA' is missing; there are": zipped({"allhlcn18.xlsx": workbook_bytes(rows, sheet="Data")}),
        "sheet 'US_St_Cn_MSA' has no rows": zipped({"allhlcn18.xlsx": workbook_bytes([])}),
        "column NAICS: the column is missing; the nearest is 'naics code'": zipped(
            {"allhlcn18.xlsx": workbook_bytes(rows, [("NAICS Code" if h == "NAICS" else h) for h in WORKBOOK_HEADERS])}
        ),
        "column Annual Average Weekly Wage: the column is missing": zipped(
            {"allhlcn18.xlsx": workbook_bytes([r[:16] for r in rows], WORKBOOK_HEADERS[:16])}
        ),
        "column Own: sheet 'US_St_Cn_MSA' has two such columns": zipped(
            {"allhlcn18.xlsx": workbook_bytes(rows, [("Own " if h == "Area" else h) for h in WORKBOOK_HEADERS])}
        ),
    }
    for message, data in spoiled.items():
        with pytest.raises(InputError, match=message):
            read_workbook(put(tmp_path / f"{YEAR}_all_county_high_level.zip", data), year=YEAR)


# Which form ------------------------------------------------------------------------------------------------------


def test_build_takes_what_the_store_has(tmp_path: Path, scratch: Path) -> None:
    root = tmp_path / "store"
    retrieval = FolderRetrieval(root, scratch)
    with pytest.raises(OwedError, match="2018_all_county_high_level"):
        qcew.build(YEAR, retrieval)
    text = csv_text(map(annual_row, CELLS))
    put(root / "qcew/2018-singlefile/2018_annual_singlefile.zip", zipped({"2018.annual.singlefile.csv": text.encode()}))
    single = qcew.build(YEAR, retrieval)
    assert retrieval.notes["qcew_county"]["vintage"] == "2018-singlefile"  # type: ignore[index]
    book = workbook_bytes(map(workbook_row, CELLS))
    put(root / "qcew/2018/2018_all_county_high_level.zip", zipped({"allhlcn18.xlsx": book}))
    assert_frame_equal(qcew.build(YEAR, retrieval), single)
    assert retrieval.notes["qcew_county"]["vintage"] == "2018"  # type: ignore[index]
    assert [file.vintage for file in retrieval.used] == ["2018-singlefile", "2018"]


def test_build_from_industry_slices(tmp_path: Path, scratch: Path) -> None:
    root = tmp_path / "store"
    for code in qcew.SLICE_CODES:
        rows = [annual_row(c) for c in CELLS if c["naics"] == code] or [["US000", *annual_row(CELLS[0])[1:3], "10"]]
        rows = [r + ["0"] * (len(ANNUAL_HEADERS) - len(r)) for r in rows]
        put(root / f"qcew/2018-industry/{code}.csv", csv_text(rows))
    table = qcew.build(YEAR, FolderRetrieval(root, scratch))
    QcewCounty.validate(table)
    assert table["naics"].unique().sort().to_list() == ["10", "101", "1023"]


def test_undeclared_year(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no vintage is declared for 1999"):
        qcew.build(1999, FolderRetrieval(tmp_path, tmp_path))


def test_declared_files() -> None:
    """Each data year has one vintage, its workbook, at the agency's address."""
    for year in qcew.DATA_YEARS:
        (vintage,) = qcew.SOURCE.vintages_for(year)
        assert vintage.files[0].url == (
            f"https://data.bls.gov/cew/data/files/{year}/xls/{year}_all_county_high_level.zip"
        )
    assert {f"{year}" for year in range(2014, 2024)} <= {v.key for v in qcew.SOURCE.vintages}


# The agency's own files of 2016 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quarterly_2016(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    (file,) = FolderRetrieval(mirror, mirror).obtain(qcew.SOURCE, "2016-quarterly")
    return read_quarterly_csv([file.path], year=2016, scratch=tmp_path_factory.mktemp("scratch"))


@pytest.mark.parity
def test_real_2016_totals(quarterly_2016: pl.DataFrame) -> None:
    """The totals that stand beside the files: jobs, payroll, one county, one state."""
    everywhere = quarterly_2016.filter(pl.col("naics") == "10", pl.col("ownership") == 0)
    assert quarterly_2016.height * 4 == 419_440
    assert everywhere.height == 3271
    nation = everywhere.filter(~pl.col("state").is_in(["72", "78"]))
    known, unknown = nation.filter(pl.col("county") != "999"), nation.filter(pl.col("county") == "999")
    assert (known.height, round(known["employment"].sum())) == (3141, 138_853_609)
    assert (unknown.height, round(unknown["employment"].sum())) == (48, 3_016_458)
    assert nation["total_wages"].sum() == 7_607_227_485_238
    carolina = nation.filter(pl.col("state") == "37")
    assert (carolina.height, round(carolina["employment"].sum())) == (101, 4_259_276)
    forsyth = known.row(by_predicate=(pl.col("state") == "37") & (pl.col("county") == "067"), named=True)
    assert round(forsyth["employment"]) == 182_389
    assert forsyth["total_wages"] == 8_884_848_703
    assert round(forsyth["weekly_wage"], 2) == 936.80
    codes = set(known["state"] + known["county"])
    assert {"46102", "02158"} <= codes
    assert not {"15005", "46113", "02270"} & codes


@pytest.mark.parity
def test_real_2016_original_area_files(quarterly_2016: pl.DataFrame, mirror: Path, tmp_path: Path) -> None:
    """Eight counties' files as published (one zip, more columns, bare numbers) agree with the national extract."""
    path = mirror / "qcew/2016-quarterly/2016.q1-q4.by_area.sample_counties.zip"
    originals = read_quarterly_csv([path], year=2016, scratch=tmp_path)
    assert originals.select("state", "county").n_unique() == 8
    assert_frame_equal(
        originals, quarterly_2016.join(originals, on=["state", "county", "ownership", "naics"], how="semi")
    )
    assert originals.height == 287


@pytest.mark.parity
def test_real_2016_table(mirror: Path, tmp_path: Path) -> None:
    retrieval = FolderRetrieval(mirror, tmp_path)
    table = qcew.build(2016, retrieval)
    QcewCounty.validate(table)
    assert table.height == 54_422
    notes = retrieval.notes["qcew_county"]
    assert isinstance(notes, dict)
    assert notes["counties"] == 3141
    assert notes["counties without an average wage"] == 0
    assert notes["undisclosed cells"] == 3908
