"""Readers of the exports of births and injury deaths: markers, totals, faults, notes, owed files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from health_support import Root

from schemas.errors import InputError, OwedError
from schemas.health import BirthsCounty, InjuryDeathsCounty
from sources.synthetic.wonder_export import export
from sources.wonder.export import read_export
from sources.wonder.query import Query, differences
from sources.wonder_deaths import build_deaths
from sources.wonder_deaths import queries as death_queries
from sources.wonder_natality import build_births
from sources.wonder_natality import queries as birth_queries

BIRTHS_DATA = "Natality, 2007-2023"
BRIDGED = "Underlying Cause of Death, 1999-2020"
SINGLE = "Underlying Cause of Death, 2018-2023, Single Race"
BIRTH_ROWS = [
    ("Baldwin County, AL", "01003", [2246]),
    ("Unidentified Counties, AL", "01999", [23000]),
    ("Cape May County, NJ", "34009", ["Missing County"]),
]
LOW_ROWS = [
    ("Baldwin County, AL", "01003", ["Suppressed"]),
    ("Unidentified Counties, AL", "01999", [0]),
    ("Cape May County, NJ", "34009", ["Missing County"]),
]
DEATH_ROWS = [
    ("Autauga County, AL", "01001", [214, 277_000, "77.3", "66.9", "87.6", "5.3"]),
    ("Bullock County, AL", "01011", [15, 52_000, "Unreliable", "16.1", "47.6", "7.4"]),
    ("Loving County, TX", "48301", ["Suppressed", 500, "Suppressed", "Suppressed", "Suppressed", "Suppressed"]),
    ("Kalawao County, HI", "15005", [0, 440, "0.0", "0.0", "838.4", "0.0"]),
    ("Bedford city, VA", "51515", ["Missing", "Missing", "Missing", "Missing", "Missing", "Missing"]),
    (
        "Elsewhere, VA",
        "51999",
        [12, "Not Applicable", "Not Applicable", "Not Applicable", "Not Applicable", "Not Applicable"],
    ),
]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "data")


def lay_births(root: Root, year: int = 2020, change=lambda _file, text: text) -> None:
    for _, weight, query in birth_queries(year):
        rows = BIRTH_ROWS if weight == "all" else LOW_ROWS
        text = export(query, BIRTHS_DATA, rows, [25_246 if weight == "all" else 5]).decode()
        root.lay("wonder_natality", str(year), query.file, change(query.file, text))


def lay_deaths(root: Root, year: int = 2020, change=lambda _file, text: text) -> None:
    for _, query in death_queries(year):
        total = [245, 329_940, "74.3", "65.0", "83.6", "4.7"]
        text = export(query, BRIDGED if year <= 2020 else SINGLE, DEATH_ROWS, total).decode()
        root.lay("wonder_deaths", str(year), query.file, change(query.file, text))


def in_file(name: str, old: str, new: str):
    """A change to one export, which must have something to change."""

    def change(file: str, text: str) -> str:
        if file != name:
            return text
        assert old in text, (old, text)
        return text.replace(old, new)

    return change


# Births -------------------------------------------------------------------------------------------------------------


def test_births_are_numbers_and_words_apart(root):
    lay_births(root)
    retrieval = root.retrieval()
    table = build_births(2020, retrieval)
    BirthsCounty.validate(table, lazy=True)
    assert table.height == 9 * 3
    every = table.filter(pl.col("subgroup") == "All").drop("subgroup_type", "subgroup")
    assert every.rows() == [
        ("01", "003", 2246, None, None, "Suppressed"),
        ("01", "999", 23000, None, 0, None),
        ("34", "009", None, "Missing County", None, "Missing County"),
    ]
    notes = retrieval.notes
    assert notes["exports"]["all_births_2020.txt"]["data set"] == BIRTHS_DATA
    assert notes["markers instead of numbers"]["lbw_births_2020.txt"] == {
        "births Missing County": 1,
        "births Suppressed": 1,
    }
    assert len(retrieval.used) == 18


def test_births_of_a_scope_only(root):
    lay_births(root)
    assert build_births(2020, root.retrieval(["34"]))["state"].unique().to_list() == ["34"]


def test_a_county_in_one_export_of_a_pair_is_marked_and_counted(root):
    row = '\t"Baldwin County, AL"\t"01003"\tSuppressed\r\n'
    without = in_file("lbw_births_2020.txt", row, "")
    lay_births(root, change=lambda file, text: without(file, text).replace('"Total"\t\t\t5', '"Total"\t\t\tSuppressed'))
    retrieval = root.retrieval()
    table = build_births(2020, retrieval).filter(pl.col("subgroup") == "All", pl.col("geo") == "003")
    assert table.select("births", "low_weight", "low_weight_marker").rows() == [(2246, None, "Not Listed")]
    assert retrieval.notes["counties in one export of a pair only"] == 1


def test_births_owe_every_export_by_name_with_its_choices(root):
    lay_births(root)
    (root.folder / "raw/wonder_natality/2020/lbw_births_momed_hs_2020.txt").unlink()
    with pytest.raises(OwedError, match="High school graduate or GED completed") as owed:
        build_births(2020, root.retrieval())
    assert owed.value.files == ("lbw_births_momed_hs_2020.txt",)
    assert "natality-current" in owed.value.recipe


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tBirths\r\n", "\tDeliveries\r\n", "Births.*missing"),
        ("\t2246\r\n", "\tmany\r\n", r"row 2, column Births: not a number"),
        ("\t2246\r\n", "\t2,246\r\n", "thousands comma"),
        ("\t2246\r\n", "\t-2246\r\n", "negative"),
        ("\t2246\r\n", "\t\r\n", "cell is empty"),
        ("\t2246\r\n", "\tUnreliable\r\n", "not a number"),
        ("\t2246\r\n", "\t1246\r\n", "total row says 25246"),
        ('\t"Baldwin County, AL"\t"01003"\t2246\r\n', "", "total row says"),
        ('"34009"', '"01003"', "duplicate key"),
        ("2007-2023", "2007-2019", "another query"),
        ("Year: 2020", "Year: 2019", "another query"),
    ],
)
def test_faulty_births_are_refused(root, old, new, message):
    lay_births(root, change=in_file("all_births_2020.txt", old, new))
    with pytest.raises(InputError, match=message):
        build_births(2020, root.retrieval())


def test_an_export_of_another_group_is_recognized(root):
    lay_births(root)
    folder = root.folder / "raw/wonder_natality/2020"
    content = (folder / "lbw_births_race_hisp_2020.txt").read_bytes()
    root.lay("wonder_natality", "2020", "lbw_births_race_nhwhite_2020.txt", content)
    with pytest.raises(InputError, match=r"Single Race.*It is the export lbw_births_race_hisp_2020\.txt"):
        build_births(2020, root.retrieval())


def test_accepted_wording_is_used_and_noted(root):
    lay_births(root, change=in_file("all_births_2020.txt", "Year: 2020", "Year: 2020 (final)"))
    with pytest.raises(InputError, match="not known"):
        build_births(2020, root.retrieval())
    root.lay(
        "wonder_natality",
        "accepted",
        "accepted.tsv",
        "file\tparameter\tvalue\taccepted_by\taccepted_on\treason\n"
        "all_births_2020.txt\tYear\t2020 (final)\tA. Analyst\t2025-06-01\tfinal data\n",
    )
    retrieval = root.retrieval()
    build_births(2020, retrieval)
    assert retrieval.notes["accepted wording"][0]["accepted_by"] == "A. Analyst"
    assert "accepted.tsv" in {file.path.name for file in retrieval.used}


# Deaths -------------------------------------------------------------------------------------------------------------


def test_deaths_are_numbers_and_words_apart(root):
    lay_deaths(root)
    retrieval = root.retrieval()
    table = build_deaths(2020, retrieval)
    InjuryDeathsCounty.validate(table, lazy=True)
    assert table["first_year"].unique().to_list() == [2016]
    shown = ["geo", "deaths", "deaths_marker", "population", "population_marker", "rate", "rate_marker", "lb", "se"]
    assert table.select(shown).rows() == [
        ("001", 214, None, 277_000, None, 77.3, None, 66.9, 5.3),
        ("011", 15, None, 52_000, None, None, "Unreliable", 16.1, 7.4),
        ("005", 0, None, 440, None, 0.0, None, 0.0, 0.0),
        ("301", None, "Suppressed", 500, None, None, "Suppressed", None, None),
        ("515", None, "Missing", None, "Missing", None, "Missing", None, None),
        ("999", 12, None, None, "Not Applicable", None, "Not Applicable", None, None),
    ]
    counts = retrieval.notes["markers instead of numbers"]["injury_deaths_all_2020.txt"]
    assert counts == {
        "deaths Missing": 1,
        "deaths Suppressed": 1,
        "population Missing": 1,
        "population Not Applicable": 1,
        "rate Missing": 1,
        "rate Not Applicable": 1,
        "rate Suppressed": 1,
        "rate Unreliable": 1,
    }


def test_single_race_years_have_five_exports_and_2021_pools_four_years(root):
    lay_deaths(root, 2021)
    table = build_deaths(2021, root.retrieval(["01"]))
    assert table.height == 5 * 2
    assert table.select("first_year", "last_year").unique().rows() == [(2018, 2021)]


def test_age_adjusted_columns_of_older_exports_are_not_read(root):
    def adjusted(_: str, text: str) -> str:
        lines = text.split("\r\n")
        cut = lines.index('"---"')
        lines[0] += "\tAge Adjusted Rate"
        lines[1:cut] = [f"{line}\t99.9" for line in lines[1:cut]]
        at = next(i for i, line in enumerate(lines) if line.startswith('"Group By'))
        return "\r\n".join([*lines[:at], '"Standard Population: 2000 U.S. Std. Population"', *lines[at:]])

    lay_deaths(root, change=adjusted)
    assert build_deaths(2020, root.retrieval())["rate"].max() == 77.3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tCrude Rate\t", "\tAge Adjusted Rate\t", r"Crude Rate.*missing"),
        ("\tCrude Rate Standard Error\r\n", "\tError\r\n", "Standard Error.*missing"),
        ("\t77.3\t", "\t81.5\t", "not the crude rate"),
        ("\t77.3\t", "\t77.256\t", "one decimal"),
        ("\t77.3\t", "\tabout 77\t", "not a number"),
        ("\t214\t", "\t-214\t", "negative"),
        ("\t277000\t", "\t277,000\t", "thousands comma"),
        ("\t15\t52000\tUnreliable", "\t15\t52000\t28.8", "fewer than 20 deaths"),
        ("\t214\t277000", "\tSuppressed\t277000", "without deaths or population"),
        ("\t66.9\t", "\tSuppressed\t", "bound is missing"),
        ('"01011"', '"01001"', "duplicate key"),
        ("Show Zero Values: True", "Show Zero Values: False", "another query"),
        ("Y89 (", "Y88 (", "ICD-10 Codes reads"),
        ("100,000", "1,000", "Calculate Rates Per"),
        ("1999-2020", "1999-2019", "Dataset reads"),
        ("\t214\t277000\t77.3", "\t114\t277000\t41.2", "total row says 245"),
    ],
)
def test_faulty_deaths_are_refused(root, old, new, message):
    lay_deaths(root, change=in_file("injury_deaths_all_2020.txt", old, new))
    with pytest.raises(InputError, match=message):
        build_deaths(2020, root.retrieval())


def test_the_crude_rate_tolerance_is_half_a_tenth(root):
    lay_deaths(root, change=in_file("injury_deaths_all_2020.txt", "\t77.3\t", "\t77.2\t"))
    with pytest.raises(InputError, match="not the crude rate"):
        build_deaths(2020, root.retrieval())


def test_deaths_owe_their_exports(root):
    with pytest.raises(OwedError, match="V01-V99") as owed:
        build_deaths(2023, root.retrieval())
    assert len(owed.value.files) == 5


def test_a_footer_made_from_a_recipe_answers_that_recipe_and_no_other(tmp_path):
    recipes: list[tuple[Query, str]] = [(q, BIRTHS_DATA) for y in (2016, 2023) for _, _, q in birth_queries(y)]
    recipes += [(q, BRIDGED if y <= 2020 else SINGLE) for y in (2014, 2020, 2021, 2023) for _, q in death_queries(y)]
    path = tmp_path / "export.txt"
    for recipe, data in recipes:
        path.write_bytes(export(recipe, data, [("X", "01001", [0] * len(recipe.measures))], [0] * len(recipe.measures)))
        footer = read_export(path, source="w").footer
        assert [other.file for other, _ in recipes if not differences(footer, other)] == [recipe.file]
