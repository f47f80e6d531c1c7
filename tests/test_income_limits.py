"""HUD's income limits and Connecticut's town list: the layouts of all years, wrong input, and the real files."""

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from schemas.errors import InputError, OwedError
from schemas.housing import HudIncomeLimitsModel
from sources import ct_towns
from sources import hud_income_limits as hud
from sources.framework import RawFile, Retrieval, Scope, Status
from sources.geography import geographies
from sources.synthetic import hud_income_limits as synthetic
from sources.synthetic.old_excel import xls
from sources.synthetic.world import World

Rows = list[list[str | int]]
HEADER = ["fips2010", "State", "County", "county_town_name", "median2018", "ELI_4", "l50_4", "l80_4"]
# The three counties of Delaware, and an area in a territory.
ROWS: Rows = [
    ["1000199999", 10, 1, "Kent County", 70_000, 25_100, 34_000, 54_400],
    ["1000399999", 10, 3, "New Castle County", 87_400, 26_250, 43_700, 69_900],
    ["1000599999", 10, 5, "Sussex County", 70_000, 25_100, 34_000, 54_400],
    ["7200199999", 72, 1, "Adjuntas Municipio", 20_000, 7_000, 9_950, 15_900],
]
SHEET = "LIMITS_COUNTYLEVEL"
NAMES = {2018: "Section8-FY18.xlsx", 2014: "Poverty.xls"}


def workbook(rows: Sequence[Sequence[str | int]], sheets: Sequence[str] = (SHEET,)) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False}) as book:
        for sheet in sheets:
            page = book.add_worksheet(sheet)
            for at, row in enumerate(rows):
                page.write_row(at, 0, row)
    return buffer.getvalue()


def changed(row: int, column: str, value: str | int) -> Rows:
    rows = [list(r) for r in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., tuple[pl.DataFrame, dict[str, int]]]:
    """Put a workbook into the store and build the table of Delaware from it."""

    def build(data: bytes, year: int = 2018, *, states: tuple[str, ...] = ("10",), suffix: str = "", towns: str = ""):
        folder = tmp_path / "d/raw/hud_income_limits" / str(year)
        folder.mkdir(parents=True, exist_ok=True)
        name = NAMES.get(year, f"Section8-FY{year % 100}.xlsx")
        (folder / (name + suffix)).write_bytes(data)
        if towns:
            other = tmp_path / "d/raw/ct_towns/2022"
            other.mkdir(parents=True)
            (other / "ct-town-to-planning-region.csv").write_text(towns)
        retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", offline=True, scope=Scope(states))
        table = hud.build(year, retrieval)
        HudIncomeLimitsModel.validate(table, lazy=True)
        return table, retrieval.notes["hud_income_limits"]

    return build


def test_a_workbook_becomes_a_table(build):
    table, notes = build(workbook([HEADER, *ROWS]))
    assert table.rows() == [
        ("10", "001", "1000199999", "Kent County", 25_100, 34_000, 54_400),
        ("10", "003", "1000399999", "New Castle County", 26_250, 43_700, 69_900),
        ("10", "005", "1000599999", "Sussex County", 25_100, 34_000, 54_400),
    ]
    assert notes == {
        "rows of territories left out": 1,
        "rows of other states left out": 0,
        "rows of entries that are no county left out": 0,
        "rows under a county code of the year instead of HUD's": 0,
        "counties": 3,
    }


def test_columns_may_stand_anywhere_and_the_file_may_be_compressed(build, tmp_path):
    packed = build(gzip.compress(workbook([HEADER, *ROWS])), suffix=".gz")[0]
    (tmp_path / "d/raw/hud_income_limits/2018" / f"{NAMES[2018]}.gz").unlink()
    rows = [list(reversed(row)) for row in [HEADER, *ROWS]]
    assert build(workbook(rows))[0].equals(packed)


def test_the_oldest_workbook_is_in_the_old_format(build):
    header = ["median2014" if name == "median2018" else name for name in HEADER]
    table, _ = build(xls(SHEET, [header, *ROWS]), 2014)
    assert table["limit_50"].to_list() == [34_000, 43_700, 34_000]


def test_other_states_are_left_out(build):
    rows = [*ROWS, ["5600199999", 56, 1, "Albany County", 70_000, 25_100, 34_000, 54_400]]
    table, notes = build(workbook([HEADER, *rows]))
    assert (set(table["state"]), notes["rows of other states left out"]) == ({"10"}, 1)


BAD: dict[str, tuple[list[Sequence[str | int]], str, int | None, str | None]] = {
    "moved header": ([["Income limits"], HEADER, *ROWS], "the column is missing; the first columns of row 1", 1, None),
    "missing column": ([HEADER[:-1], *(r[:-1] for r in ROWS)], "column is missing", None, "l80_4"),
    "renamed column": ([[*HEADER[:-1], "l80_4p"], *ROWS], "nearest is 'l80_4p'", None, "l80_4"),
    "no code": ([["area", *HEADER[1:]], *ROWS], "column is missing", None, "fips2010"),
    "two years": ([[*HEADER, "median2019"], *([*r, 1] for r in ROWS)], "fiscal year 2018 and 2019, not 2018", 1, None),
    "county missing": (
        [HEADER, ROWS[0], ROWS[2]],
        "1 counties of fiscal year 2018 are missing: 10-003",
        None,
        "fips2010",
    ),
    "unknown county": (
        [HEADER, *ROWS, ["1000799999", 10, 7, "X", 1, 1, 1, 1]],
        "10-007 .* is no county of fiscal year 2018",
        6,
        "fips2010",
    ),
    "unknown state": (
        [HEADER, *ROWS, ["9900199999", 99, 1, "X", 1, 1, 1, 1]],
        "the state is unknown",
        6,
        "state",
    ),
    "duplicate": ([HEADER, *ROWS, ROWS[1]], "duplicate key .hud_code=1000399999", 6, "fips2010"),
    "lost zero": ([HEADER, *changed(0, "fips2010", "100199999")], "leading zeros are lost", 2, "fips2010"),
    "letters": ([HEADER, *changed(0, "fips2010", "10001X9999")], "not made of digits", 2, "fips2010"),
    "codes disagree": ([HEADER, *changed(1, "County", 5)], "does not agree with the columns", 3, "fips2010"),
    "text": ([HEADER, *changed(1, "ELI_4", "n/a")], "not a number", 3, "ELI_4"),
    "thousands comma": ([HEADER, *changed(1, "l50_4", "43,700")], "thousands comma", 3, "l50_4"),
    "blank": ([HEADER, *changed(2, "l80_4", "")], "not a number", 4, "l80_4"),
    "negative": ([HEADER, *changed(2, "l80_4", -54_400)], "below 1", 4, "l80_4"),
    "cents": ([HEADER, *changed(2, "l80_4", "54400.5")], "not a number", 4, "l80_4"),
    "not in order": ([HEADER, *changed(1, "ELI_4", 43_800)], "above that of l50_4", 3, "ELI_4"),
    "no name": ([HEADER, *changed(1, "county_town_name", "")], "no name", 3, "county_town_name"),
    "no rows": ([HEADER], "has no rows", None, None),
    "twice the same column": ([[*HEADER[:-1], "ELI_4"], *ROWS], "column", None, None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_workbook_is_refused(case, build):
    rows, problem, row, column = BAD[case]
    with pytest.raises(InputError, match=problem) as error:
        build(workbook(rows))
    assert (error.value.source, error.value.file) == ("hud_income_limits", "Section8-FY18.xlsx")
    if row is not None:
        assert error.value.row == row
    if column is not None:
        assert error.value.column.lower() == column.lower()


def test_the_workbook_of_another_year_is_refused(build):
    """Mixed vintages: the right name, the wrong content."""
    with pytest.raises(InputError, match="is of fiscal year 2018, not 2019") as error:
        build(workbook([HEADER, *ROWS]), 2019)
    assert error.value.column == "median2018"


@pytest.mark.parametrize(
    ("data", "suffix", "problem"),
    [
        (b"<html>" + b"x" * 2000, "", "web page"),
        (b"", "", "empty"),
        (workbook([HEADER, *ROWS])[:3000], "", "damaged or truncated"),
        (b"PK\x03\x04" + b"x" * 2000, "", "damaged"),
        (b"fips2010,State\n" * 200, "", "not a file of type xlsx"),
        (gzip.compress(workbook([HEADER, *ROWS]))[:-20], ".gz", "damaged or truncated"),
        (workbook([HEADER, *ROWS], ("one", "two")), "", "one sheet of limits is expected"),
    ],
)
def test_what_is_no_workbook_of_limits_is_refused(data, suffix, problem, build):
    with pytest.raises(InputError, match=problem):
        build(data, suffix=suffix)


def test_a_damaged_stored_file_is_refused(tmp_path):
    """Past the store: the reader itself, too, says what is wrong with bytes that are no workbook."""
    for name, data, problem in (
        ("a.xlsx", b"", "empty"),
        ("a.xlsx", b"<!DOCTYPE html><p>", "web page"),
        ("a.xlsx", b"PK\x03\x04xx", "cannot be read"),
        ("a.xlsx.gz", gzip.compress(b"abc" * 100)[:-8], "damaged or truncated"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        file = RawFile(source=hud.SOURCE.key, vintage="2018", name=name, path=path, sha256="", bytes=1, how="person")
        with pytest.raises(InputError, match=problem):
            hud.read(file, 2018)


def test_declared_files(tmp_path):
    retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", offline=True)
    assert [v.key for v in hud.SOURCE.vintages] == [str(y) for y in range(2014, 2026)]
    for year, address in {
        2014: "https://www.huduser.gov/portal/datasets/il/il14/Poverty.xls",
        2015: "https://www.huduser.gov/portal/datasets/il/il15/Section8_Rev.xlsx",
        2016: "https://www.huduser.gov/portal/datasets/il/il16/Section8-FY16.xlsx",
        2023: "https://www.huduser.gov/portal/datasets/il/il23/Section8-FY23.xlsx",
    }.items():
        (file,) = hud.SOURCE.vintage(str(year)).files
        assert file.url == address
        assert retrieval.status(hud.SOURCE, str(year)) is Status.DOWNLOADABLE
    with pytest.raises(OwedError, match=r"FY2018_AMI\.xlsx"):
        hud.build(2018, retrieval)


# Counties under other codes -----------------------------------------------------------------------------------------


def test_alaska_and_south_dakota_have_the_codes_of_the_year():
    def code(year: int, state: str, county: str) -> str:
        listed = hud.listed_counties(year, (state,))
        return listed.filter(pl.col("county") == county)["hud_county"].item()

    assert [code(y, "46", c) for y, c in ((2014, "113"), (2015, "102"), (2017, "102"), (2018, "102"))] == [
        *("113", "113", "113", "102"),
    ]
    assert [code(y, "02", c) for y, c in ((2014, "270"), (2017, "158"), (2018, "158"))] == ["270", "270", "158"]
    assert [code(y, "02", "063") for y in (2020, 2022, 2023)] == ["261", "261", "063"]
    assert code(2019, "02", "261") == "261"


def test_connecticut_is_listed_by_former_county_until_2024():
    listed = {y: hud.listed_counties(y, ("09",)) for y in (2021, 2022, 2024, 2025)}
    assert listed[2021]["county"].to_list() == listed[2022]["hud_county"].to_list() == ["001", *_odd()]
    assert listed[2024]["county"].null_count() == 8
    assert listed[2025]["hud_county"].to_list() == [f"{n}" for n in range(110, 200, 10)]


def _odd() -> list[str]:
    return [f"{n:03d}" for n in range(3, 16, 2)]


TOWNS = """town_name,town_fips_2020,town_fips_2022,ce_name_2022,ce_fips_2022
Andover,901301080,911001080,Capitol Planning Region,9110
Ansonia,900901220,914001220,Naugatuck Valley Planning Region,9140
"""
CT_HEADER = ["fips", "state", "county", "county_town_name", "median2023", "ELI_4", "l50_4", "l80_4"]


def connecticut(*towns: tuple[str, str]) -> Rows:
    """A workbook of 2023 with these towns (former county, town), and one more in each other former county."""
    rest = [(c, f"00{c}") for c in ("001", *_odd()) if c not in {c for c, _ in towns}]
    rows = [[f"09{c}{t}", "09", c, f"Town {t}", 100_000, 35_000, 56_000, 80_000] for c, t in [*towns, *rest]]
    return [CT_HEADER, *rows]


def town_list(*towns: tuple[str, str, str]) -> str:
    """A town list of these towns (former county, town, region) and the others of `connecticut`, in region 190."""
    rest = [(c, f"00{c}", "190") for c in ("001", *_odd()) if c not in {c for c, _, _ in towns}]
    lines = [f"Town {t},9{c}{t},9{r}{t},Region,9{r}" for c, t, r in [*towns, *rest]]
    return "\n".join([TOWNS.splitlines()[0], *lines]) + "\n"


def test_towns_move_into_planning_regions(build):
    workbook_of = workbook(connecticut(("013", "01080"), ("013", "20000"), ("009", "01220")))
    listed = town_list(("013", "01080", "110"), ("013", "20000", "150"), ("009", "01220", "140"))
    table, notes = build(workbook_of, 2023, states=("09",), towns=listed)
    moved = table.filter(pl.col("county") != "190").select("county", "hud_code").rows()
    assert moved == [("110", "0901301080"), ("140", "0900901220"), ("150", "0901320000")]
    assert notes["rows under a county code of the year instead of HUD's"] == table.height == 9


def test_a_town_must_stand_in_both_lists(build, tmp_path):
    rows = workbook(connecticut(("013", "01080")))
    with pytest.raises(
        InputError, match="1 of Connecticut's towns are not in the list of towns, the first is 0901301080"
    ):
        build(rows, 2023, states=("09",), towns=town_list(("013", "01090", "110")))


def test_a_town_missing_in_the_workbook_is_refused(build):
    rows = workbook(connecticut(("013", "01080")))
    listed = town_list(("013", "01080", "110"), ("013", "01090", "110"))
    with pytest.raises(InputError, match="not in the workbook, the first is 0901301090"):
        build(rows, 2023, states=("09",), towns=listed)


def test_the_town_list_is_owed_only_where_connecticut_counts(build):
    with pytest.raises(OwedError) as owed:
        build(workbook(connecticut()), 2023, states=("09",))
    assert owed.value.source == "ct_towns"


# The town list ------------------------------------------------------------------------------------------------------


def towns_of(tmp_path: Path, content: str | bytes, name: str = "ct-town-to-planning-region.csv") -> pl.DataFrame:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8-sig") if isinstance(content, str) else content)
    return ct_towns.read(path)


def test_towns_get_their_zeros_back(tmp_path):
    assert towns_of(tmp_path, TOWNS).rows() == [("01080", "013", "110", "Andover"), ("01220", "009", "140", "Ansonia")]
    padded = TOWNS.replace("90", "090", 1).replace("911001080", "0911001080").replace(",9110\n", ",09110\n")
    assert towns_of(tmp_path, padded).rows() == towns_of(tmp_path, TOWNS).rows()


@pytest.mark.parametrize(
    ("old", "new", "column", "problem"),
    [
        ("901301080", "91301080", "town_fips_2020", "too few digits"),
        ("901301080", "9.01301e8", "town_fips_2020", "not made of digits"),
        ("901301080", "1001301080", "town_fips_2020", "not in Connecticut"),
        ("901301080", "901401080", "town_fips_2020", "not a former county"),
        ("901301080", "901301090", "town_fips_2022", "the five digits of the town changed"),
        (",9110\n", ",9115\n", "ce_fips_2022", "not a planning region"),
        (",9110\n", ",9120\n", "town_fips_2022", "names another region"),
        (",9110\n", ",911\n", "ce_fips_2022", "too few digits"),
        ("Andover", "", "town_name", "no name"),
    ],
)
def test_a_wrong_town_is_named(tmp_path, old, new, column, problem):
    assert old in TOWNS
    with pytest.raises(InputError, match=problem) as error:
        towns_of(tmp_path, TOWNS.replace(old, new))
    assert (error.value.source, error.value.row, error.value.column) == ("ct_towns", 2, column)


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (TOWNS.replace("town_fips_2020", "town_fips"), "t.csv", "column is missing; the nearest is"),
        (TOWNS + TOWNS.splitlines()[1] + "\n", "t.csv", "duplicate key"),
        (TOWNS.splitlines()[0] + "\n", "t.csv", "no rows"),
        (b"<html></html>", "t.csv", "web page"),
        ("", "t.csv", "empty"),
        (TOWNS.encode("utf-16"), "t.csv", "not utf-8"),
        (gzip.compress(TOWNS.encode())[:-9], "t.csv.gz", "damaged or truncated"),
    ],
)
def test_what_is_no_town_list_is_refused(tmp_path, content, name, problem):
    with pytest.raises(InputError, match=problem):
        towns_of(tmp_path, content, name)


@pytest.mark.parity
def test_the_real_town_list(mirror):
    towns = ct_towns.read(mirror / "ct_towns/2022/ct-town-to-planning-region.csv")
    assert (towns.height, towns["county"].n_unique(), towns["region"].n_unique()) == (169, 8, 9)


# The twelve real workbooks ------------------------------------------------------------------------------------------

# Rows of each workbook, and of its entries in territories, as the method file counts the former.
ROWS_OF = dict(
    zip(range(2014, 2026), (4767, 4767, 4771, 4771, 4771, 4769, 4768, 4766, 4765, 4764, 4764, 4764), strict=True)
)


@pytest.mark.parity
@pytest.mark.parametrize("year", hud.YEARS)
def test_every_real_workbook_is_read_to_its_own_list(year, mirror, tmp_path):
    """All rows are accounted for, and the counties are exactly those of the data year."""
    retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", mirror=mirror, offline=True)
    table = hud.build(year, retrieval)
    HudIncomeLimitsModel.validate(table, lazy=True)
    counties = geographies(year).filter(pl.col("level") == "county").select("state", county="geo")
    assert table.select("state", "county").unique().sort("state", "county").equals(counties)
    notes = retrieval.notes["hud_income_limits"]
    left_out = sum(number for what, number in notes.items() if what.endswith("left out"))
    doubled = 1 if 2020 <= year <= 2022 else 0  # Valdez-Cordova's row stands for both of its successors
    assert table.height + left_out - doubled == ROWS_OF[year]
    assert notes["rows of other states left out"] == 0
    # Sullivan counts in Crawford County MO as long as HUD files it there.
    crawford = table.filter(pl.col("state") == "29", pl.col("county") == "055")
    assert crawford["hud_code"].to_list() == ["2905599999", hud.SULLIVAN][: 2 if year <= 2021 else 1]
    towns = table.filter(pl.col("state") == "09")
    assert (towns.height, towns["county"].n_unique()) == ((169, 9) if year >= 2022 else (169, 8))
    # Towns are listed in New England, and until 2020 in two counties of New York.
    by_town = set(table.filter(~pl.col("hud_code").str.ends_with("99999"))["state"])
    assert by_town == {"09", "23", "25", "33", "44", "50"} | ({"36"} if year <= 2020 else set())


@pytest.mark.parity
def test_figures_of_real_workbooks(mirror, tmp_path):
    """Forsyth NC and Anchorage AK, read off the oldest and a newer workbook."""
    codes = {"37": "3706799999", "02": "0202099999"}
    for year, name, code in ((2014, "FY2014_AMI.xls", "fips2010"), (2023, "FY2023_AMI.xlsx", "fips")):
        scope = Scope(tuple(codes))
        retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", mirror=mirror, offline=True, scope=scope)
        table = hud.build(year, retrieval)
        sheet = pl.read_excel(mirror / f"hud_income_limits/{year}/{name}", infer_schema_length=0)
        for state, area in codes.items():
            ours = table.filter(pl.col("state") == state, pl.col("county") == area[2:5])
            theirs = sheet.filter(pl.col(code) == area).select("ELI_4", "l50_4", "l80_4").cast(pl.Int64)
            assert ours.select("limit_30", "limit_50", "limit_80").rows() == theirs.rows()


@pytest.mark.parity
@pytest.mark.parametrize("year", [y for y in hud.YEARS if y <= 2023])
def test_synthetic_workbooks_have_the_layout_of_the_real_ones(year, mirror):
    import fastexcel

    (path,) = (mirror / "hud_income_limits" / str(year)).iterdir()
    real = fastexcel.read_excel(path.read_bytes())
    _, data = synthetic.workbook(World(1, (year,)), year)
    ours = fastexcel.read_excel(data)
    assert ours.sheet_names == real.sheet_names
    columns = [pl.read_excel(book, infer_schema_length=0).columns for book in (path.read_bytes(), data)]
    assert [c for c in columns[0] if c in columns[1]] == columns[1]
    assert set(columns[0]) - set(columns[1]) == {
        f"{level}_{size}" for level in ("l50", "ELI", "l80") for size in (2, 3, 5, 6, 7)
    }
