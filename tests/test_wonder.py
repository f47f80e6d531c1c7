"""CDC WONDER exports: the parser on real exports, the comparison of queries, accepted wording."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError
from sources.wonder import icd10
from sources.wonder.accept import Acceptance, hold_to, read_acceptances
from sources.wonder.counties import Account, read_counties
from sources.wonder.export import read_export
from sources.wonder.query import Filter, describe, differences, normal
from sources.wonder_deaths import EVERYBODY, RACE_GROUPS
from sources.wonder_deaths import queries as death_queries
from sources.wonder_deaths import query as death_query
from sources.wonder_natality import GROUPS
from sources.wonder_natality import queries as birth_queries
from sources.wonder_natality import query as birth_query

BIRTHS = birth_query(2021, GROUPS[0], "lbw")
WHITE = birth_query(2021, GROUPS[1], "lbw")
# As WONDER prints it, wrapped lines and all; written down here independently of the recipes.
FOOTER = '''"---"
"Dataset: Natality, 2007-2023"
"Query Parameters:"
"Title: lbw_births_2021"
"Infant Birth Weight 12: 499 grams or less; 500 - 999 grams; 1000 - 1499 grams; 1500 - 1999 grams;"
"2000 - 2499 grams"
"Year: 2021"
"Group By: County"
"Show Totals: True"
"Show Zero Values: True"
"Show Suppressed: True"
"Calculate Rates Per: 1,000"
"Rate Options: Default intercensal populations for years 2001-2009"
"---"
"Help: See http://wonder.cdc.gov/wonder/help/Natality.html for more information."
"---"
"Query Date: May 7, 2025 10:57:12 AM"
"---"
Messages:
"1. Counties with fewer than 100,000 persons are shown under the label ""Unidentified Counties"" of the"
"state."
"2. Another remark."
"---"
Caveats:
"1. Each birth record represents one liveborn infant."'''
TABLE = """"Notes"\t"County"\t"County Code"\tBirths
\t"Baldwin County, AL"\t"01003"\t174
\t"Unidentified Counties, AL"\t"01999"\tSuppressed
"Total"\t\t\t180"""


def laid(tmp_path: Path, text: str, name: str = "export.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text.replace("\n", "\r\n").encode())
    return path


def answer(tmp_path: Path, footer: str = FOOTER, query=BIRTHS):
    return differences(read_export(laid(tmp_path, f"{TABLE}\n{footer}"), source="w").footer, query)


def footer(old: str, new: str) -> str:
    assert old in FOOTER
    return FOOTER.replace(old, new)


# The parser ---------------------------------------------------------------------------------------------------------


def test_table_total_and_footer_are_told_apart(tmp_path):
    export = read_export(laid(tmp_path, f"{TABLE}\n{FOOTER}"), source="w")
    assert export.rows.frame.rows() == [
        (2, "", "Baldwin County, AL", "01003", "174"),
        (3, "", "Unidentified Counties, AL", "01999", "Suppressed"),
    ]
    assert export.total == {"County": "", "County Code": "", "Births": "180"}
    found = export.footer
    assert (found.dataset, found.group_by) == ("Natality, 2007-2023", ("County",))
    assert found.parameters["Infant Birth Weight 12"].endswith("1500 - 1999 grams; 2000 - 2499 grams"), (
        "lines are joined"
    )
    assert found.query_date == "May 7, 2025 10:57:12 AM"
    assert found.messages == (
        'Counties with fewer than 100,000 persons are shown under the label "Unidentified Counties" of the state.',
        "Another remark.",
    )


def test_the_comma_separated_form_is_read_the_same(tmp_path):
    table = '"Notes","County","County Code",Births\n,"Baldwin County, AL","01003",174\n"Total",,,174'
    export = read_export(laid(tmp_path, f"{table}\n{FOOTER}"), source="w")
    assert export.rows.frame.rows() == [(2, "", "Baldwin County, AL", "01003", "174")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("<html><body>Please sign in</body></html>", "web page"),
        (TABLE, "no footer"),
        ('"Notes"\t"County"\n' + FOOTER, "no rows"),
        (TABLE.replace('"Notes"', '"Remarks"') + "\n" + FOOTER, "first column"),
        ('"Notes"\t"County"\t"County Code"\tBirths\n"Total"\t\t\t5\n' + FOOTER, "no rows"),
        (TABLE + '\n"---"\n"Caveats:"', "data set"),
        (TABLE + "\n" + FOOTER.replace("Query Parameters:", "Parameters"), "query parameters"),
        (TABLE + "\n\ta\tb\tc\td\te\tf\n" + FOOTER, "cannot be read"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read_export(laid(tmp_path, content), source="w")


def test_wrong_encoding_and_truncated_gzip_are_refused(tmp_path):
    path = tmp_path / "export.txt"
    path.write_bytes(f"{TABLE}\n{FOOTER}".replace("Baldwin", "Doña").encode("latin-1"))
    with pytest.raises(InputError, match=r"not utf-8.*|row 2"):
        read_export(path, source="w")
    packed = tmp_path / "export.txt.gz"
    packed.write_bytes(gzip.compress(f"{TABLE}\n{FOOTER}".encode())[:-10])
    with pytest.raises(InputError, match="truncated"):
        read_export(packed, source="w")


@pytest.mark.parity
def test_real_exports_are_parsed_and_refused_by_every_recipe(mirror):
    folder = mirror / "wonder_exports"
    exports = {p.name.split(".")[0]: read_export(p, source="w") for p in sorted(folder.iterdir())}
    assert {name: e.rows.frame.height for name, e in exports.items()} == {
        "Natality_2016-2022_expanded_state_month_": 4284,
        "Natality_2016-2022_expanded_states_": 51,
        "Underlying_Cause_of_Death_1999-2020_Colorado_counties_": 2267,
        "Underlying_Cause_of_Death_1999-2020_states_with_bounds_": 51,
    }
    states = exports["Natality_2016-2022_expanded_states_"]
    assert sum(map(int, states.rows.frame["Births"])) == int(states.total["Births"]) == 3_664_292
    bounds = exports["Underlying_Cause_of_Death_1999-2020_states_with_bounds_"]
    assert sum(map(int, bounds.rows.frame["Deaths"])) == int(bounds.total["Deaths"])
    # The years it prints are those of the standard population; the deaths are of all years.
    assert "Year/Month" not in bounds.footer.parameters
    assert "19 years" in bounds.footer.parameters["Single-Year Ages"], "a wrapped line"

    recipes = [q for y in (2016, 2021) for _, _, q in birth_queries(y)]
    recipes += [q for y in (2014, 2020, 2021) for _, q in death_queries(y)]
    for name, export in exports.items():
        for recipe in recipes:
            conflicts = {d.parameter for d in differences(export.footer, recipe) if d.conflict}
            assert "Group By" in conflicts, (name, recipe.file)
            assert conflicts & {"Dataset", "Year", "Year/Month", "ICD-10 Codes"}, (name, recipe.file)
    colorado = exports["Underlying_Cause_of_Death_1999-2020_Colorado_counties_"].footer
    said = {d.parameter: d for d in differences(colorado, death_query(2020, EVERYBODY))}
    assert set(said) == {"Group By", "ICD-10 Codes", "Year/Month", "Show Zero Values", "Show Suppressed", "States"}
    assert said["ICD-10 Codes"].value == "J00-J98"
    assert said["States"].wanted == "All"


# The comparison -----------------------------------------------------------------------------------------------------


def test_the_right_query_has_no_difference(tmp_path):
    assert answer(tmp_path) == []


@pytest.mark.parametrize(
    "same",
    [
        footer("Natality, 2007-2023", "Natality, 2007-2024"),
        footer("Group By: County", "Group By: County of Residence"),
        footer("499 grams or less; 500 - 999 grams", "500-999 grams; 499 Grams or Less (01)"),
        footer("Show Totals: True", "Show Totals: Disabled"),
        footer('"Year: 2021"', '"States: All"\n"Mother\'s Education: All"\n"Year: 2021"'),
        footer('"Year: 2021"', '"2013 Urbanization: All Categories"\n"Year: 2021"'),
        footer('"Year: 2021"', '"States: *All* (The United States)"\n"Mother\'s Single Race: All Races"\n"Year: 2021"'),
        footer("Title: lbw_births_2021", "Title: whatever"),
    ],
)
def test_another_wording_of_the_same_query_is_no_difference(tmp_path, same):
    assert answer(tmp_path, same) == []


@pytest.mark.parametrize(
    ("other", "parameter"),
    [
        (footer("Natality, 2007-2023", "Natality, 2007-2020"), "Dataset"),
        (footer("Natality, 2007-2023", "Natality, 2016-2023 expanded"), "Dataset"),
        (footer("Natality, 2007-2023", "Provisional Natality, 2023 through Last Month"), "Dataset"),
        (footer("Natality, 2007-2023", "Underlying Cause of Death, 1999-2020"), "Dataset"),
        (footer("Group By: County", "Group By: State"), "Group By"),
        (footer("Group By: County", "Group By: County; Year"), "Group By"),
        (footer('"Group By: County"\n', ""), "Group By"),
        (footer("Year: 2021", "Year: 2020"), "Year"),
        (footer("Year: 2021", "Year: 2020; 2021"), "Year"),
        (footer('"Year: 2021"\n', ""), "Year"),
        (footer("Year: 2021", "Year: All"), "Year"),
        (footer("; 500 - 999 grams", ""), "Infant Birth Weight 12"),
        (footer("2000 - 2499 grams", "2000 - 2499 grams; 2500 - 2999 grams"), "Infant Birth Weight 12"),
        (footer("2000 - 2499 grams", "2000 - 2499 grams; Unknown or Not Stated"), "Infant Birth Weight 12"),
        (footer('"Year: 2021"', '"States: Alabama (01)"\n"Year: 2021"'), "States"),
        (footer('"Year: 2021"', '"Mother\'s Single Race: White"\n"Year: 2021"'), "Mother's Single Race"),
        (footer('"Year: 2021"', '"Mother\'s Bridged Race: White"\n"Year: 2021"'), "Mother's Bridged Race"),
        (footer('"Year: 2021"', '"Plurality: Single"\n"Year: 2021"'), "Plurality"),
        (footer('"Year: 2021"', '"Birthplace: All other places"\n"Year: 2021"'), "Birthplace"),
        (footer("Show Zero Values: True", "Show Zero Values: False"), "Show Zero Values"),
        (footer('"Show Suppressed: True"\n', ""), "Show Suppressed"),
    ],
)
def test_another_query_is_a_conflict(tmp_path, other, parameter):
    (difference,) = answer(tmp_path, other)
    assert (difference.parameter, difference.conflict) == (parameter, True)


@pytest.mark.parametrize(
    ("other", "parameter", "value"),
    [
        (
            footer("Natality, 2007-2023", "Births of the Nation, 2007-2023"),
            "Dataset",
            "Births of the Nation, 2007-2023",
        ),
        (footer("Group By: County", "Group By: Parish"), "Group By", "Parish"),
        (footer("Year: 2021", "Year: 2021 (final)"), "Year", "2021 (final)"),
        (footer("499 grams or less", "Up to 499 grams"), "Infant Birth Weight 12", "Up to 499 grams"),
        (footer('"Year: 2021"', '"Births Shown: Registered"\n"Year: 2021"'), "Births Shown", "Registered"),
    ],
)
def test_wording_that_is_not_known_is_refused_but_no_conflict(tmp_path, other, parameter, value):
    (difference,) = answer(tmp_path, other)
    assert (difference.parameter, difference.value, difference.conflict) == (parameter, value, False)


def test_an_older_race_scheme_never_passes_for_the_newer_one(tmp_path):
    text = footer(
        '"Year: 2021"',
        '"Mother\'s Bridged Race: White"\n"Mother\'s Hispanic Origin: Not Hispanic or Latino"\n"Year: 2021"',
    )
    found = {d.parameter: d.conflict for d in answer(tmp_path, text, WHITE)}
    assert found == {"Mother's Single Race": True, "Mother's Bridged Race": True}
    right = text.replace("Bridged Race", "Single Race 6")
    assert answer(tmp_path, right, WHITE) == []


def test_bridged_and_single_race_deaths_are_not_mixed():
    single, bridged = death_query(2021, EVERYBODY), death_query(2020, EVERYBODY)
    assert "1999-2020" in bridged.data
    assert "1999" not in single.data
    years = {q.last_year: q.filters[0].choices for q in (single, bridged)}
    assert years == {2020: ("2016", "2017", "2018", "2019", "2020"), 2021: ("2018", "2019", "2020", "2021")}
    assert [f.parameter for f in death_query(2022, RACE_GROUPS[0]).filters[2:]] == ["Single Race 6", "Hispanic Origin"]


def test_recipes_name_every_export_of_a_year_once():
    births = [q.file for _, _, q in birth_queries(2020)]
    assert len(births) == len(set(births)) == 18
    assert {"all_births_2020.txt", "lbw_births_race_nhother_2020.txt", "all_births_momed_baplus_2020.txt"} <= set(
        births
    )
    deaths = [q.file for y in range(2014, 2024) for _, q in death_queries(y)]
    assert len(deaths) == len(set(deaths)) == 22
    words = describe([q for _, q in death_queries(2022)])
    assert words.count("V01-V99") == 1, "what all exports share is said once"
    assert "injury_deaths_raceth_hisp_2022.txt: Hispanic Origin: Hispanic or Latino" in words


# Causes of death ----------------------------------------------------------------------------------------------------


def test_selections_of_causes_are_compared_as_categories():
    wanted = death_query(2020, EVERYBODY).filters[1]
    blocks = (
        "V01-V09 (Pedestrian injured); V10-V99; W00-W19 (Falls); W20-W99; X00-X59; X60-X84; X85-X99; Y00-Y09 (Assault);"
        " Y10-Y34; Y35-Y36; Y85-Y87; Y89; *U01-*U03 (Terrorism)"
    )
    assert wanted.parse(blocks) == (wanted.wanted(), ())
    assert wanted.parse("Y85-Y89")[0] - wanted.wanted() == {"Y88"}, "sequelae of medical care are no injuries"
    assert wanted.parse("V01-X59; GR113-112")[1] == ("GR113-112",)
    assert icd10.categories("Y87.0 (Sequelae of intentional self-harm)") is None
    assert icd10.categories("X59-W00") is None
    assert icd10.ranges(wanted.wanted()) == "U01-U03; V01-Y36; Y85-Y87; Y89"


CODES = st.integers(0, 2599).map(lambda n: f"{chr(65 + n // 100)}{n % 100:02d}")


@given(st.frozensets(CODES, min_size=1, max_size=40))
def test_ranges_and_categories_are_inverse(codes):
    parsed = [icd10.categories(part) for part in icd10.ranges(codes).split("; ")]
    assert frozenset().union(*parsed) == codes


@given(st.permutations(["White", "Asian", "More than one race"]), st.sampled_from(["", " (2106-3)"]))
def test_order_and_codes_of_labels_do_not_matter(labels, code):
    wanted = Filter(
        "Race", ("Asian", "White", "More than one race"), offered=("Asian", "White", "More than one race", "X")
    )
    assert wanted.parse("; ".join(f"{x}{code}" for x in labels)) == (wanted.wanted(), ())


def test_names_in_parentheses_are_no_codes():
    assert normal("Associate degree (AA,AS)") == normal("Associate degree (AA, AS)") != normal("Associate degree")
    assert normal("Bachelor’s degree (BA, AB, BS)") == normal("Bachelor's degree (BA,AB,BS)")


# Refusal and acceptance ---------------------------------------------------------------------------------------------


def held(tmp_path, text: str, accepted=(), others=(), query=BIRTHS):
    return hold_to(
        read_export(laid(tmp_path, f"{TABLE}\n{text}"), source="w"), query, accepted, source="w", others=others
    )


def test_a_conflict_says_what_differs_and_which_export_it_is(tmp_path):
    others = [q for _, _, q in birth_queries(2021)] + [q for _, _, q in birth_queries(2020)]
    with pytest.raises(InputError) as refusal:
        held(tmp_path, footer("Year: 2021", "Year: 2020"), others=others)
    text = str(refusal.value)
    assert "Year reads '2020', the recipe says 2021" in text
    assert "It is the export lbw_births_2020.txt" in text
    assert "natality-current.html" in text


def test_unknown_wording_is_refused_until_a_person_accepts_it(tmp_path):
    other = footer("499 grams or less", "Up to 499 grams")
    with pytest.raises(InputError, match=r"Up to 499 grams[\s\S]*accepted\.tsv[\s\S]*accepted_by") as refusal:
        held(tmp_path, other)
    line = (
        str(refusal.value)
        .splitlines()[-1]
        .replace("NAME", "A. Analyst")
        .replace("DATE", "2025-06-01")
        .replace("WHY", "new label")
    )
    header = str(refusal.value).splitlines()[-2]
    path = laid(tmp_path, f"{header}\n{line}\n", "accepted.tsv")
    accepted = read_acceptances(path, source="w")
    assert held(tmp_path, other, accepted) == [
        {
            "file": "lbw_births_2021.txt",
            "parameter": "Infant Birth Weight 12",
            "value": "Up to 499 grams",
            "accepted_by": "A. Analyst",
            "accepted_on": "2025-06-01",
            "reason": "new label",
        }
    ]
    assert held(tmp_path, FOOTER, accepted) == [], "an acceptance that is not needed is not noted"
    with pytest.raises(InputError, match="Below 500"):
        held(tmp_path, footer("499 grams or less", "Below 500"), accepted)


def test_a_conflict_cannot_be_accepted(tmp_path):
    accepted = (Acceptance("lbw_births_2021.txt", "Year", "2020", "A", "2025-06-01", "x"),)
    with pytest.raises(InputError, match="another query"):
        held(tmp_path, footer("Year: 2021", "Year: 2020"), accepted)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("f\tYear\t2021 (final)\t\t2025-06-01\tx", "accepted_by"),
        ("f\tYear\t2021 (final)\tA\t1 June 2025\tx", "accepted_on"),
        ("f\tYear\t2021 (final)\tA\t2025-06-01\t", "reason"),
    ],
)
def test_an_acceptance_needs_a_name_a_date_and_a_reason(tmp_path, line, column):
    path = laid(tmp_path, f"file\tparameter\tvalue\taccepted_by\taccepted_on\treason\n{line}\n", "accepted.tsv")
    with pytest.raises(InputError, match=column):
        read_acceptances(path, source="w")


# Counties -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"County Code"', '"Code"', "County Code.*missing"),
        ("\tBirths", "\tLive Births", "Births.*missing"),
        ('"01999"', '"01003"', "duplicate key"),
        ('"01003"', '""', "code is missing"),
        ('"01003"', '"AL003"', "not made of digits"),
        ('"01003"', '"001003"', "must have 5 digits"),
    ],
)
def test_wrong_codes_and_columns_are_refused(tmp_path, old, new, message):
    path = laid(tmp_path, f"{TABLE.replace(old, new)}\n{FOOTER}")
    with pytest.raises(InputError, match=message):
        read_counties(path, BIRTHS, {"Births": "births"}, source="w", account=Account())


def test_a_code_that_lost_its_zero_is_padded_and_counted(tmp_path):
    account = Account()
    short = TABLE.replace('"01003"', "1003")
    path = laid(tmp_path, f"{short}\n{FOOTER}")
    export = read_counties(path, BIRTHS, {"Births": "births"}, source="w", account=account)
    assert export.rows.frame["code"].to_list() == ["01003", "01999"]
    assert account.padded_codes == 1
