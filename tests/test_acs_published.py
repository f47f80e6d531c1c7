"""The Bureau's published tables: read in the API's form, put into our units, owed where they cannot be had."""

import json

import polars as pl
import pytest

from pipelines.calibrate import calibrates, published_figures
from pipelines.engine import refresh_table
from pipelines.settings import Settings
from pipelines.workspace import Workspace
from schemas.errors import InputError, OwedError
from schemas.published import AcsPublishedModel
from sources.acs_published import (
    AGES,
    ENROLLED,
    NOT_ENROLLED,
    SOURCE,
    TABLES_PUBLISHED,
    VARIABLES,
    published,
    vintage_key,
)
from sources.framework import Retrieval, Scope

BY_NAME = {p.table: p for p in TABLES_PUBLISHED}
CODES = {"county": {"state": "08", "county": "031"}, "place": {"state": "08", "place": "20000"}}


def write(mirror, table, figures, *, level="county", sample="acs5", year=2018, header=None, codes=None):
    """A file as the API answers; `figures` maps a variable to (estimate, margin), others are 10 and 1."""
    columns = header or [*BY_NAME[table].columns, *CODES[level]]
    cells = {}
    for variable in BY_NAME[table].variables:
        estimate, margin = figures.get(variable, (10, 1))
        cells |= {f"{variable}E": str(estimate), f"{variable}M": str(margin)}
    cells |= codes or CODES[level]
    folder = mirror / SOURCE.key / vintage_key(sample, year)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{level}_{table}.json").write_text(json.dumps([columns, [cells.get(c) for c in columns]]))


def read(tmp_path, year=2018, states=None):
    retrieval = Retrieval(
        root=tmp_path / "root", mirror=tmp_path / "mirror", scratch=tmp_path / "scratch", offline=True,
        scope=Scope(states),
    )  # fmt: skip
    return published(year, retrieval), retrieval


def figure(frame, metric, sample="acs5"):
    row = frame.filter((pl.col("metric") == metric) & (pl.col("sample") == sample)).row(0, named=True)
    return row["published"], row["published_moe"]


def test_incomes_are_taken_as_they_are(tmp_path):
    mirror = tmp_path / "mirror"
    write(mirror, "B19013", {"B19013_001": (68_592, 1_021)}, sample="acs1")
    write(mirror, "B19080", {"B19080_001": (25_000, 900), "B19080_004": (140_000, 3_000)}, level="place")
    frame, _ = read(tmp_path)
    AcsPublishedModel.validate(frame, lazy=True)
    assert figure(frame, "pctl_income_50", "acs1") == (68_592.0, 1_021.0)
    assert figure(frame, "pctl_income_20") == (25_000.0, 900.0)
    assert figure(frame, "pctl_income_80") == (140_000.0, 3_000.0)
    assert set(frame.filter(pl.col("level") == "place")["geo"]) == {"20000"}


def test_the_employed_of_ages_25_to_54_are_put_together_by_people(tmp_path):
    counts = (1070, 10, 10, 100, 100, 200, 600, 10, 10, 10, 20)
    people = {f"S2301_C01_{i:03d}": (n, 5) for i, n in enumerate(counts, start=1)}
    rates = {f"S2301_C03_{i:03d}": (r, 2.0) for i, r in zip(range(4, 8), (80.0, 70.0, 75.5, 60.0), strict=True)}
    write(tmp_path / "mirror", "S2301", people | rates, sample="acs1")
    value, margin = figure(read(tmp_path)[0], "share_employed", "acs1")
    assert value == pytest.approx((80 + 70 + 151 + 360) / 1000)
    assert margin == pytest.approx((2**2 + 2**2 + 4**2 + 12**2) ** 0.5 / 1000)


def test_shares_are_made_of_counts_with_the_margin_of_a_proportion(tmp_path):
    figures = dict.fromkeys(ENROLLED, (30, 2)) | dict.fromkeys(NOT_ENROLLED, (20, 3))
    write(tmp_path / "mirror", "B14003", figures)
    value, margin = figure(read(tmp_path)[0], "share_in_preschool")
    assert value == pytest.approx(120 / 160)
    part, all_ = 4 * 4, 4 * 4 + 9 * 2
    under = part - value**2 * all_
    assert margin == pytest.approx((under if under >= 0 else part + value**2 * all_) ** 0.5 / 160)


HOUSEHOLDS = {"S2801_C01_001": (100, 1), "S2801_C01_012": (90, 1), "S2801_C01_019": (10, 1)}


def test_broadband_is_a_percentage_of_households(tmp_path):
    write(tmp_path / "mirror", "S2801", HOUSEHOLDS | {"S2801_C02_017": (72.5, 1.5)})
    assert figure(read(tmp_path)[0], "share_digital_access") == pytest.approx((0.725, 0.015))


@pytest.mark.parametrize(
    ("table", "figures"),
    [
        ("S2801", HOUSEHOLDS | {"S2801_C01_019": (45, 1)}),
        ("S2301", dict.fromkeys(AGES, (50, 1)) | {"S2301_C01_001": (900, 1)}),
    ],
)
def test_lines_of_another_vintage_are_refused(tmp_path, table, figures):
    """The parts do not make the whole: where a line has moved, its number names another group."""
    write(tmp_path / "mirror", table, figures)
    with pytest.raises(InputError, match=rf"county_{table}\.json.*add up"):
        read(tmp_path)


def test_every_number_has_its_label_and_every_labelled_one_is_asked_for():
    assert {v for p in TABLES_PUBLISHED for v in p.variables} == {v for found in VARIABLES.values() for v in found}
    for table in TABLES_PUBLISHED:
        assert all(v.startswith(table.table) for v in table.variables)
        assert {table.whole, *table.parts} - {""} <= set(table.variables)
        for value, margin in (figures() for figures in table.figures.values()):
            used = {*value.meta.root_names(), *margin.meta.root_names()}
            assert used <= set(table.columns)
    for variables, words in ((ENROLLED, "enrolled in "), (NOT_ENROLLED, "not enrolled in ")):
        assert all(
            f", {words}" in VARIABLES["B14003"][v] and "3 and 4 years" in VARIABLES["B14003"][v] for v in variables
        )
    ages = [VARIABLES["S2301"][f"S2301_C03_{i:03d}"].partition(": ")[2] for i in range(4, 8)]
    assert ages == ["25 to 29 years", "30 to 34 years", "35 to 44 years", "45 to 54 years"]
    assert ages == [VARIABLES["S2301"][f"S2301_C01_{i:03d}"].partition(": ")[2] for i in range(4, 8)]


def test_a_table_is_not_asked_for_before_its_first_year():
    names = {f.name for f in SOURCE.vintage("acs5-2016").files}
    assert "county_S2801.json" not in names
    assert "county_S2801.json" in {f.name for f in SOURCE.vintage("acs5-2017").files}
    # The Census API takes fifty variables at a time.
    assert all(len(p.columns) < 50 for p in TABLES_PUBLISHED)


def test_annotated_and_missing_figures_have_no_row_and_controlled_ones_no_margin(tmp_path):
    mirror = tmp_path / "mirror"
    write(mirror, "B19013", {"B19013_001": (-666666666, -222222222)})
    write(mirror, "B19013", {"B19013_001": (50_000, -555555555)}, level="place")
    frame, retrieval = read(tmp_path)
    assert frame.rows() == [("place", "08", "20000", "pctl_income_50", "acs5", 50_000.0, 0.0)]
    assert retrieval.notes["B19013 county acs5"] == {"areas": 1, "figures": 0}


def test_nobody_in_the_denominator_gives_no_figure(tmp_path):
    write(tmp_path / "mirror", "B14003", dict.fromkeys((*ENROLLED, *NOT_ENROLLED), (0, 1)))
    write(tmp_path / "mirror", "B19013", {})
    assert set(read(tmp_path)[0]["metric"]) == {"pctl_income_50"}


def test_other_states_are_left_out(tmp_path):
    write(tmp_path / "mirror", "B19013", {})
    assert read(tmp_path, states=("44",))[0].is_empty()


def test_what_cannot_be_had_is_owed(tmp_path):
    with pytest.raises(OwedError, match="acs_published"):
        read(tmp_path)
    write(tmp_path / "mirror", "B19013", {})
    _, retrieval = read(tmp_path)
    owed = {(o["vintage"], name) for o in retrieval.notes["owed"] for name in o["files"]}
    assert ("acs5-2018", "county_B14003.json") in owed
    assert ("acs5-2018", "county_B19013.json") not in owed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"figures": {"B19013_001": ("many", 1)}}, "many"),
        ({"figures": {"B19013_001": (-5, 1)}}, "-5"),
        ({"header": ["B19013_001E", "state", "county"]}, "B19013_001M"),
        ({"codes": {"state": "8", "county": "1x1"}}, "county"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, change, said):
    write(tmp_path / "mirror", "B19013", **({"figures": {}} | change))
    with pytest.raises(InputError, match=r"county_B19013\.json") as caught:
        read(tmp_path)
    assert said in str(caught.value)


def test_there_is_no_one_year_vintage_of_2020_and_five_year_tables_alone_have_preschool():
    keys = {v.key for v in SOURCE.vintages}
    assert "acs1-2020" not in keys
    assert {"acs5-2020", "acs1-2019", "acs1-2021"} <= keys
    names = {f.name for f in SOURCE.vintage("acs1-2019").files}
    assert names == {f"{level}_{t}.json" for level in ("county", "place") for t in ("B19013", "B19080", "S2301")}
    urls = {f.name: f.url for f in SOURCE.vintage("acs1-2019").files}
    assert "/acs1/subject?get=S2301_C01_001E,S2301_C01_001M" in urls["county_S2301.json"]
    assert urls["place_B19013.json"].endswith("&for=place:*&in=state:*")


def test_the_table_reaches_the_calibration(tmp_path):
    write(tmp_path / "mirror", "B19013", {"B19013_001": (68_592, 1_021)})
    ws = Workspace(
        Settings(
            _env_file=None, data=str(tmp_path / "data"), profile="live", mirror=str(tmp_path / "mirror"), offline=True
        )
    )
    assert published_figures(ws) is None
    assert refresh_table(ws, "acs_published", 2018).status == "built"
    row = published_figures(ws).row(0, named=True)
    assert (row["year"], row["geo"], row["metric"], row["published"]) == (2018, "031", "pctl_income_50", 68_592.0)
    assert calibrates(["share_employed"])
    assert not calibrates(["ratio_living_wage"])
