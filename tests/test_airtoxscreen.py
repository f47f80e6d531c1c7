"""Reader of EPA's air toxics workbooks."""

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from schemas.errors import InputError, OwedError
from sources import airtoxscreen
from sources.airtoxscreen import WORKBOOKS, file_name, read_workbook
from sources.framework import Retrieval, Scope
from sources.registry import all_sources, all_tables

CANCER, NEURO, RESP = WORKBOOKS
COLUMNS = ("State", "EPA Region", "County", "FIPS", "Tract", "Population")


def header(total: str) -> list[str]:
    return [*COLUMNS, total, "PT-StationaryPoint Cancer Risk (per million)"]


def tract(code: str, total: Any = 30.5, fips: str | None = None) -> list[Any]:
    return ["AL", "EPA Region 4", "Autauga", code[:5] if fips is None else fips, code, 1912, total, 1.5]


ROWS = [
    ["US", "", "Entire US", "00", "00000000000", 312_572_412, 31.7, 2.5],
    ["AL", "EPA Region 4", "Entire State", "01", "01000000000", 4_779_736, 40.1, 3.0],
    ["AL", "EPA Region 4", "Autauga", "01001", "01001000000", 54_571, 38.2, 2.0],
    tract("01001020100", 39.25),
    tract("01001020200", 41),
    ["PR", "EPA Region 2", "Adjuntas", "72001", "72001956300", 4_000, 20.5, 1.0],
    ["VI", "EPA Region 2", "St. Croix", "78010", "78010970100", 4_000, 10.0, 1.0],
]


def write(
    path: Path, rows: list[list[Any]], head: list[str] | None = None, sheets: tuple[str, ...] = ("Sheet1",)
) -> Path:
    """A workbook as a spreadsheet library writes it: texts in a shared list, numbers as numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = xlsxwriter.Workbook(path, {"strings_to_numbers": False})
    for sheet in sheets:
        page = book.add_worksheet(sheet)
        if sheet == sheets[0]:
            for index, row in enumerate([head or header(CANCER.total), *rows]):
                page.write_row(index, 0, row)
        else:
            page.write_row(0, 0, ["Notes"])
    book.close()
    return path


def refusal(path: Path, hazard: airtoxscreen.Hazard = CANCER) -> InputError:
    with pytest.raises(InputError) as caught:
        read_workbook(path, hazard)
    assert (caught.value.source, caught.value.file) == ("airtoxscreen", path.name)
    return caught.value


def test_tracts_are_read_and_all_else_is_counted(tmp_path):
    frame, counts = read_workbook(write(tmp_path / "a.xlsx", [*ROWS, tract("01001020300", "")]), CANCER)
    assert frame.rows() == [("01", "001", "020100", 39.25), ("01", "001", "020200", 41.0)]
    assert counts == {
        "rows": 8,
        "totals left out": 3,
        "tracts of territories left out": 2,
        "tracts without a figure left out": 1,
        "tract codes whose leading zero was restored": 0,
        "tracts": 2,
    }


@pytest.mark.parametrize(
    "total",
    ["Total Cancer Risk\r\n(per million)", "TOTAL CANCER RISK (PER MILLION)", " Total  Cancer Risk (per million)"],
)
def test_the_column_of_all_sources_is_found_however_it_is_set(tmp_path, total):
    frame, _ = read_workbook(write(tmp_path / "a.xlsx", ROWS, header(total)), CANCER)
    assert frame["cancer"].to_list() == [39.25, 41.0]


def test_further_sheets_do_not_matter(tmp_path):
    frame, _ = read_workbook(write(tmp_path / "a.xlsx", ROWS, sheets=("cancer risk", "Notes")), CANCER)
    assert frame.height == 2


def test_codes_that_became_numbers_get_their_zero_back(tmp_path):
    row = ["AL", "EPA Region 4", "Autauga", 1001, 1001020100, 1912, 39.25, 1.5]
    frame, counts = read_workbook(write(tmp_path / "a.xlsx", [row]), CANCER)
    assert frame.rows() == [("01", "001", "020100", 39.25)]
    assert counts["tract codes whose leading zero was restored"] == 1


def test_tracts_without_a_code_are_totals(tmp_path):
    state = ["AL", "EPA Region 4", "Entire State", "01", "", 4_779_736, 40.1, 3.0]
    _, counts = read_workbook(write(tmp_path / "a.xlsx", [state, *ROWS]), CANCER)
    assert counts["totals left out"] == 4


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        (tract("01001020300", -1), CANCER.total, "negative"),
        (tract("01001020300", "low"), CANCER.total, "not a number"),
        (tract("01001020300", "1,040"), CANCER.total, "thousands comma"),
        (tract("01001020300", fips="01003"), "Tract", "not in the county of its row"),
        (tract("99001020300"), "Tract", "the state is unknown"),
        (tract("1.00102E+10"), "Tract", "rewritten"),
        (tract("010010203"), "Tract", "leading zeros are lost"),
        (tract("010010203001"), "Tract", "must have 11 digits"),
        (tract("0100102O300"), "Tract", "not made of digits"),
        (tract("01001020100"), "Tract", "duplicate key"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, column, problem):
    error = refusal(write(tmp_path / "a.xlsx", [*ROWS, row]))
    assert (error.row, error.column) == (9, column)
    assert problem in error.problem


@pytest.mark.parametrize("column", ["FIPS", "Tract", CANCER.total])
def test_a_missing_column_is_named(tmp_path, column):
    head = ["x" if c == column else c for c in header(CANCER.total)]
    error = refusal(write(tmp_path / "a.xlsx", ROWS, head))
    assert (error.column, "missing" in error.problem) == (column, True)


def test_the_workbook_of_another_hazard_is_refused(tmp_path):
    error = refusal(write(tmp_path / "a.xlsx", ROWS), NEURO)
    assert error.column == NEURO.total


def test_a_workbook_without_any_figure_is_refused(tmp_path):
    assert "no tract has a figure" in refusal(write(tmp_path / "a.xlsx", [tract("01001020100", "")])).problem


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"", "empty"), (b"<html><body>404</body></html>", "web page"), (b"State,FIPS,Tract\n", "cannot be read")],
)
def test_what_is_no_workbook_is_refused(tmp_path, data, problem):
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    assert problem in refusal(path).problem


def test_a_truncated_workbook_is_refused(tmp_path):
    path = write(tmp_path / "a.xlsx", ROWS)
    path.write_bytes(path.read_bytes()[:-400])
    assert "cannot be read" in refusal(path).problem


# --- the table


def store(root: Path, year: int, hazards: tuple[airtoxscreen.Hazard, ...] = WORKBOOKS, **rows: list[list[Any]]) -> None:
    for hazard in hazards:
        path = root / "raw" / "airtoxscreen" / str(year) / file_name(hazard, year)
        write(path, rows.get(hazard.name, ROWS), header(hazard.total))


def retrieval(root: Path) -> Retrieval:
    return Retrieval(root=root, scope=Scope(("37",)), scratch=root / "s", offline=True)


def test_the_three_workbooks_are_joined_to_the_tracts_of_the_first(tmp_path):
    resp = [*ROWS[:4], tract("01001020300", 0.5)]
    store(tmp_path, 2018, respiratory=resp)
    obtained = retrieval(tmp_path)
    frame = airtoxscreen.build(2018, obtained)
    all_tables()["air_toxics_tracts"].model.validate(frame, lazy=True)
    # The scope does not matter: a tract is ranked in the nation.
    assert frame.rows() == [("01", "001", "020100", 39.25, 39.25, 39.25), ("01", "001", "020200", 41.0, 41.0, None)]
    notes = obtained.notes["airtoxscreen"]
    assert notes["respiratory without cancer risk, left out"] == 1
    assert notes["tracts without all three figures"] == 1


def test_a_missing_workbook_is_owed_with_its_recipe(tmp_path):
    store(tmp_path, 2019, hazards=(CANCER, NEURO))
    with pytest.raises(OwedError) as caught:
        airtoxscreen.build(2019, retrieval(tmp_path))
    assert caught.value.files == ("2019_National_RespHI_by_tract_srcgrp.xlsx",)
    assert "Assessment Results" in caught.value.recipe


def test_names_are_the_agencys():
    names = {v.key: [f.name for f in v.files] for v in all_sources()["airtoxscreen"].vintages}
    assert names["2014"] == [
        "nata2014v2_national_cancerrisk_by_tract_srcgrp.xlsx",
        "nata2014v2_national_neurhi_by_tract_srcgrp.xlsx",
        "nata2014v2_national_resphi_by_tract_srcgrp.xlsx",
    ]
    assert names["2018"][0] == "2018_National_CancerRisk_by_tract_srcgrp.xlsx"
    assert names["2019"][1] == "2019_National_NeurHI_by_tract_srcgrp.xlsx"
