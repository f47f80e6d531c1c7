"""Readers of the Area Health Resources Files (SAS and CSV) and of the County Health Rankings workbooks."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from health_support import Root

from schemas.errors import InputError, OwedError
from schemas.health import PhysiciansCounty, RankingsInjuryDeaths
from sources import ahrf
from sources import chr as rankings
from sources.framework import RawFile
from sources.synthetic.sas import Column, sas7bdat

OLD, NEW = ahrf.RELEASES
COLUMNS: dict[str, Column] = {
    "f00010": ["Valdez-Cordova", "Doña Ana", "Loving", "Guam", "Glasscock"],
    "F00011": ["02", "35", "48", "66", "48"],
    "F00012": ["261", "013", "301", "010", "173"],
    "F1467519": [11.0, 130.0, 0.0, 40.0, None],
    "f1198419": [9202.0, 218195.0, 169.0, None, 1409.0],
    "f1467520": [11.0, 131.0, 0.0, 40.0, None],
    "f0453020": [None, 219561.0, 64.0, None, 1116.0],
}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "data")


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return buffer.getvalue()


def lay_sas(root: Root, columns: dict[str, Column] = COLUMNS, table: str = "ahrf2022") -> None:
    data = zipped(**{f"DATA__{table}_dot_sas7bdat": sas7bdat(columns), "DOC__readme_dot_txt": b"text"})
    root.lay("ahrf", OLD.key, "AHRF_2021-2022_SAS.zip", data)


def csv(text: str, encoding: str = "latin-1") -> bytes:
    return zipped(**{"AHRF_SAS_2022-2023__ahrf2023_dot_csv": text.encode(encoding)})


CSV = (
    "fips_st_cnty,cnty_name,fips_st,fips_cnty,phys_nf_prim_care_pc_exc_rsdt_21,phys_nf_prim_care_pc_exc_rsdt_20,popn_est_21\n"
    "01001,Autauga,01,001,25,24,59095\n35013,Doña Ana,35,013,131,130,221508\n72001,Adjuntas,72,001,3,3,17800\n"
    "09001,Fairfield,09,001,890,880,959768\n48301,Loving,48,301,0,0,57\n"
)


def lay_csv(root: Root, text: str = CSV, encoding: str = "latin-1") -> None:
    root.lay("ahrf", NEW.key, "AHRF_CSV_2022-2023.zip", csv(text, encoding))


# Physicians ---------------------------------------------------------------------------------------------------------


def test_sas_release(root):
    lay_sas(root)
    retrieval = root.retrieval(["02", "35", "48"])
    table = ahrf.build_physicians(2019, retrieval)
    PhysiciansCounty.validate(table, lazy=True)
    assert table.rows() == [
        ("02", "261", 11, 9202),
        ("35", "013", 130, 218_195),
        ("48", "173", None, 1409),
        ("48", "301", 0, 169),
    ]
    assert retrieval.notes["AHRF rows of territories left out"] == 1


def test_areas_that_do_not_exist_in_the_year_are_left_out_and_noted(root):
    lay_sas(root)
    retrieval = root.retrieval(["02"])
    assert ahrf.build_physicians(2020, retrieval).is_empty()
    assert retrieval.notes["AHRF areas that do not exist in the year, left out (physicians)"] == {"02261": 11}
    assert {"02063", "02066"} <= set(retrieval.notes["counties that AHRF does not have"])


def test_csv_release_with_names_in_latin_1_and_a_byte_order_mark(root):
    for encoding in ("latin-1", "utf-8-sig"):
        lay_csv(root, encoding=encoding)
        table = ahrf.build_physicians(2021, root.retrieval(["01", "09", "35", "48"]))
        assert table.rows() == [
            ("01", "001", 25, 59_095),
            ("09", "001", 890, 959_768),
            ("35", "013", 131, 221_508),
            ("48", "301", 0, 57),
        ]


def test_codes_without_leading_zeros_are_padded(root):
    lay_csv(root, CSV.replace("01001,Autauga,01,001", "1001,Autauga,1,1"))
    assert ahrf.build_physicians(2021, root.retrieval(["01"])).rows() == [("01", "001", 25, 59_095)]
    numbers: dict[str, Column] = {**COLUMNS, "F00011": [2.0, 35.0, 48.0, 66.0, 48.0]}
    lay_sas(root, numbers)
    assert ahrf.build_physicians(2019, root.retrieval(["02"])).rows() == [("02", "261", 11, 9202)]


def test_many_pages_and_chunks_of_a_sas_file(root):
    codes = [f"{n:03d}" for n in range(1, 1000, 2)]
    columns: dict[str, Column] = {
        "f00011": ["48"] * len(codes),
        "f00012": codes,
        "f1467519": [float(n) for n in range(len(codes))],
        "f1198419": [float(n) * 1000 for n in range(len(codes))],
    }
    root.lay("ahrf", OLD.key, "AHRF_2021-2022_SAS.zip", zipped(ahrf2022_dot_sas7bdat=sas7bdat(columns, page=4096)))
    file = RawFile("ahrf", OLD.key, "x", root.folder / "raw/ahrf/2021-2022/AHRF_2021-2022_SAS.zip", "", 0, "person")
    frame = ahrf.read_release(file, OLD, 2019).frame
    assert frame["geo"].to_list() == codes
    assert frame["physicians"].to_list() == list(range(len(codes)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("phys_nf_prim_care_pc_exc_rsdt_21", "phys_nf_prim_care_pc_21", "phys_nf_prim_care_pc_exc_rsdt_21.*missing"),
        ("fips_cnty", "county", "fips_cnty.*missing"),
        ("35013,Doña Ana,35,013", "01001,Autauga,01,001", "duplicate key"),
        (",131,130", ",many,130", "not a number"),
        (",131,130", ',"1,131",130', "thousands comma"),
        (",131,130", ",-131,130", "negative"),
        (",131,130", ",131.5,130", "not a number"),
        (",35,013", ",35,0130", "must have 3 digits"),
        (",35,013", ",NM,013", "not made of digits"),
        (",35,013", ",07,013", "state is unknown"),
        (",35,013", ",,013", "state"),
    ],
)
def test_faulty_csv_releases_are_refused(root, old, new, message):
    assert old in CSV
    lay_csv(root, CSV.replace(old, new))
    with pytest.raises(InputError, match=message):
        ahrf.build_physicians(2021, root.retrieval())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<html><body>moved</body></html>", "web page"),
        (csv(CSV)[:-30], "zip is damaged"),
        (zipped(ahrf2023hp_dot_csv=CSV.encode()), "holds no ahrf2023"),
        (csv(""), "empty"),
        (csv(CSV.splitlines()[0] + "\n"), "no rows"),
        (
            csv(
                CSV.replace(",25,", ",,")
                .replace(",131,", ",,")
                .replace(",3,3,", ",,3,")
                .replace(",890,", ",,")
                .replace(",0,0,", ",.,0,")
            ),
            "every row is blank",
        ),
        (zipped(ahrf2023_dot_sas7bdat=b"not a SAS file" * 40), "SAS file cannot be read"),
        (zipped(ahrf2023_dot_sas7bdat=sas7bdat({"a": [1.0]})[:70000]), "SAS file cannot be read"),
    ],
)
def test_what_is_no_release_is_refused(root, content, message):
    root.lay("ahrf", NEW.key, "AHRF_SAS_2022-2023.zip", content)
    with pytest.raises(InputError, match=message):
        ahrf.build_physicians(2021, root.retrieval())


def test_a_sas_file_without_a_column_is_refused(root):
    lay_sas(root, {k: v for k, v in COLUMNS.items() if k != "F1467519"})
    with pytest.raises(InputError, match=r"f1467519.*missing"):
        ahrf.build_physicians(2019, root.retrieval())


def test_every_year_has_a_release_and_its_columns():
    assert [y for r in ahrf.RELEASES for y in r.physicians] == list(range(2014, 2022))
    assert (OLD.physicians[2014], OLD.population[2014]) == ("f1467514", "f1198414")
    assert OLD.population[2020] == "f0453020"


def test_an_absent_release_is_owed_with_its_address(root):
    with pytest.raises(OwedError, match=r"data\.hrsa\.gov"):
        ahrf.build_physicians(2019, root.retrieval())


# Rankings -----------------------------------------------------------------------------------------------------------


def workbook(rows: list[list[object]], sheet: str = "Ranked Measure Data") -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.add_worksheet("Introduction").write(0, 0, "About")
    page = book.add_worksheet(sheet)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            if cell is not None:
                page.write(i, j, cell)
    book.close()
    return buffer.getvalue()


PCP = "Primary care physicians"
ROWS: list[list[object]] = [
    [None, None, None, PCP, None, "Injury deaths", None, None, None, "Dentists", None],
    [
        "FIPS",
        "State",
        "County",
        "# Primary Care Physicians",
        "Primary Care Physicians Ratio",
        "# Injury Deaths",
        "Injury Death Rate",
        "95% CI - Low",
        "95% CI - High",
        "# Dentists",
        "95% CI - Low",
    ],
    ["01000", "Alabama", None, 3000, "1600:1", 20000, 80.1, 79.0, 81.2, 9, 1],
    ["01001", "Alabama", "Autauga", 25, "2235:1", 191, 68.573069812, 58.847994355, 78.298145269, 8, 2],
    ["02016", "Alaska", "Aleutians West", None, None, None, None, None, None, 7, 3],
]


def lay_workbook(root: Root, rows: list[list[object]] = ROWS, sheet: str = "Ranked Measure Data") -> None:
    root.lay("chr", "2022", "2022 County Health Rankings Data - v1.xlsx", workbook(rows, sheet))


def test_the_workbook_with_two_header_rows(root):
    lay_workbook(root)
    physicians = rankings.build_physicians(2019, root.retrieval())
    PhysiciansCounty.validate(physicians, lazy=True)
    assert physicians.rows() == [("01", "001", 25, None), ("02", "016", None, None)]
    deaths = rankings.build_injury_deaths(2020, root.retrieval())
    RankingsInjuryDeaths.validate(deaths, lazy=True)
    assert deaths.rows() == [
        ("01", "001", 191, 68.573069812, 58.847994355, 78.298145269),
        ("02", "016", None, None, None, None),
    ]
    assert rankings.build_injury_deaths(2020, root.retrieval(["02"])).height == 1


def changed(row: int, column: int, value: object) -> list[list[object]]:
    return [[value if (i, j) == (row, column) else cell for j, cell in enumerate(r)] for i, r in enumerate(ROWS)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(0, 5, "Injuries"), "missing"),
        (changed(1, 6, "Rate"), "missing"),
        (changed(3, 0, 1001), "leading zeros are lost"),
        (changed(3, 0, "03001"), "state is unknown"),
        (changed(4, 0, "01001"), "duplicate key"),
        (changed(3, 5, "many"), "not a number"),
        (changed(3, 5, "1,191"), "thousands comma"),
        (changed(3, 5, -191), "negative"),
        (changed(3, 6, None), "differ in being blank"),
    ],
)
def test_faulty_workbooks_are_refused(root, rows, message):
    lay_workbook(root, rows)
    with pytest.raises(InputError, match=message):
        rankings.build_injury_deaths(2020, root.retrieval())


@pytest.mark.parametrize("rows", [ROWS[1:], ROWS[1:2], ROWS[:1]])
def test_a_workbook_with_one_header_row_is_refused(root, rows):
    """Without the names of the measures, "95% CI - Low" could be of any of them."""
    lay_workbook(root, rows)
    for build, year in ((rankings.build_injury_deaths, 2020), (rankings.build_physicians, 2019)):
        with pytest.raises(InputError, match=r"there is one header row|has no rows"):
            build(year, root.retrieval())


def test_a_workbook_without_the_sheet_and_what_is_no_workbook(root):
    lay_workbook(root, sheet="Other")
    with pytest.raises(InputError, match="Ranked Measure Data"):
        rankings.build_physicians(2019, root.retrieval())
    for content in (b"", b"<html><body>x</body></html>", workbook(ROWS)[:500]):
        root.lay("chr", "2022", "2022 County Health Rankings Data - v1.xlsx", content)
        with pytest.raises(InputError):
            rankings.build_physicians(2019, root.retrieval())


def test_the_release_of_a_year_and_the_four_year_pool():
    physicians, deaths = rankings.TABLES
    assert physicians.years == (2019, 2020)
    assert deaths.years == (2020,), "2021 pools four years, which the Rankings do not have"


@pytest.mark.parity
def test_state_workbooks_hold_what_the_national_extract_says(shared):
    extract = pl.read_csv(
        shared / "realcases/county_health_rankings_2022/raw/chr_2022_national_extract.csv", infer_schema=False
    )
    measure = "Injury deaths"
    columns = {
        (PCP, "# Primary Care Physicians"): "physicians",
        (measure, "# Injury Deaths"): "deaths",
        (measure, "Injury Death Rate"): "rate",
        (measure, "95% CI - Low"): "lb",
        (measure, "95% CI - High"): "ub",
    }
    names = ["n_primary_care_physicians", "n_injury_deaths", "injury_death_rate", "injury_death_rate_ci_low"]
    seen = 0
    for path in sorted((shared / "mirror/chr/2022").glob("[A-Z]*.xlsx")):
        file = RawFile("chr", "2022", path.name, path, "", 0, "mirror")
        ours = rankings.read_measures(file, columns).done()
        theirs = extract.filter(pl.col("fips").is_in(ours["fips"].to_list()))
        assert theirs.height == ours.height
        joined = ours.join(theirs, on="fips", how="inner", validate="1:1")
        for mine, other in zip(("physicians", "deaths", "rate", "lb"), names, strict=True):
            a, b = (joined[c].cast(pl.Float64, strict=False) for c in (mine, other))
            assert a.is_null().equals(b.is_null()), (path.name, mine)
            assert (a - b).abs().max() in (None, 0.0) or (a - b).abs().max() < 1e-9
        seen += ours.height
    assert seen == 263, f"{seen} counties of seven workbooks"


@pytest.mark.parity
def test_the_mirror_offers_the_extracts(shared, tmp_path):
    from sources.framework import Retrieval

    retrieval = Retrieval(root=tmp_path, mirror=shared / "mirror", offline=True)
    physicians = rankings.build_physicians(2019, retrieval)
    deaths = rankings.build_injury_deaths(2020, retrieval)
    assert (physicians.height, physicians["physicians"].null_count()) == (3142, 155)
    assert (deaths.height, deaths["deaths"].null_count()) == (3142, 105)
    assert {f.name for f in retrieval.used} == {rankings.PHYSICIANS_EXTRACT, rankings.INJURIES_EXTRACT}
