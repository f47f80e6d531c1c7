"""The account of a figure: what it says, and whether the recomputed figure is the stored one."""

import json
import re

import polars as pl
import pytest

from metrics.explanation import Decision, Explanation, Step
from metrics.predictor import Metric, Predictor, Series
from outputs.explain import account, agreement, as_json, as_text
from outputs.page import as_html

PREDICTOR = Predictor(
    "employment",
    "Employment opportunities",
    "rewarding_work",
    "Share of adults who are employed.",
    (
        Metric(
            "share_employed",
            "Share of adults ages 25 to 54 who are employed",
            "share",
            maximum=1.0,
            interval="sampling",
        ),
    ),
    (Series("acs1", (2021,), ("acs1_persons",)),),
    ("acs",),
    "employment.md",
    notes=("Armed forces count as employed.",),
)
ROW = {
    "year": 2021, "level": "county", "state": "37", "geo": "067", "subgroup_type": "all", "subgroup": "All",
    "metric": "share_employed", "sample": "acs1", "value": 0.75, "lb": 0.7, "ub": 0.8, "quality": 2, "n": 40,
    "n_effective": 38.5, "se": 0.025, "cv": 0.0333, "numerator": 75.0, "denominator": 100.0, "allocation": 0.9,
    "estimation_area": "puma2010-37-01801", "n_areas": 3, "reference_period": "2021",
    "reason": "area smaller than its sampling area",
}  # fmt: skip
MADE = Explanation(
    formula="75 / 100 = 0.75",
    recomputed=0.75,
    inputs=pl.DataFrame({"puma": ["01801", "01802"], "afact": [0.5, 0.25], "persons": [1200, 80]}),
    tables=("acs1_persons", "puma_allocation"),
    steps=(Step("ages 25 to 54", 1000, 400, "of both PUMAs"),),
    decisions=(Decision("effective sample", 38.5, "at least 30", "kept"),),
    notes=("One PUMA lies outside in part.",),
)
REST = {
    "name": "Forsyth County, North Carolina",
    "provenance": [
        {"source": "acs_pums_ipums", "vintage": "us2021a", "file": "usa.dat.gz", "sha256": "ab12", "url": None,
         "retrieved_at": "2026-01-02", "licence": "IPUMS terms of use"}
    ],
    "checks": [{"name": "gate", "passed": True}, {"name": "coverage", "passed": False, "detail": "3 of 4"}],
    "deviations": [{"key": "alaska-codes", "kind": "deviation", "summary": "We publish the codes of the year."}],
    "release": "2026.1",
}  # fmt: skip


def tell(row=ROW, made=MADE, **rest):
    return account(row, made, predictor=PREDICTOR, **(REST | rest))


def test_the_text_says_everything():
    text = as_text(tell())
    for said in (
        "Forsyth County, North Carolina (county 37067), 2021, everyone",
        "Rewarding Work > Employment opportunities > share_employed",
        "release 2026.1",
        "0.75 (share)",
        "0.7 to 0.8",
        "2 (Marginal)",
        "area smaller than its sampling area: The survey samples",
        "puma2010-37-01801, shared with 2 other areas",
        "75 / 100 = 0.75",
        "worked out again: 0.75; agrees with the stored figure to the last digit",
        "ages 25 to 54: 1,000 -> 400 rows (of both PUMAs)",
        "effective sample = 38.5\n  rule: at least 30\n  here: kept",
        "- One PUMA lies outside in part.",
        "- Armed forces count as employed.",
        "- acs_pums_ipums, edition us2021a",
        "usa.dat.gz",
        "sha256 ab12",
        "licence: IPUMS terms of use",
        "passed  gate",
        "FAILED  coverage (3 of 4)",
        "- alaska-codes (deviation): We publish the codes of the year.",
    ):
        assert said in text
    assert "SYNTHETIC" not in text
    assert "puma   afact  persons\n01801    0.5     1200\n01802   0.25       80" in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_synthetic_figures_say_so():
    assert as_text(tell(synthetic=True)).startswith("SYNTHETIC")


@pytest.mark.parametrize(
    ("stored", "recomputed", "agrees", "said"),
    [
        (0.75, 0.75, True, "agrees with the stored figure to the last digit"),
        (0.75, 0.7500000000000001, False, "DIFFERS from the stored figure 0.75, apart by 1.1102230246251565e-16"),
        (None, None, True, "worked out again: no figure, as stored"),
        (None, 0.75, False, "DIFFERS from the stored figure missing"),
        (0.75, None, False, "worked out again: missing; DIFFERS from the stored figure 0.75"),
    ],
)
def test_agreement_is_to_the_last_digit(stored, recomputed, agrees, said):
    assert agreement(stored, recomputed)["agrees"] is agrees
    made = Explanation("f", recomputed, MADE.inputs, ())
    assert said in as_text(tell(ROW | {"value": stored}, made))


def test_long_inputs_are_cut_in_the_text_and_whole_in_the_dictionary():
    made = Explanation("f", 0.75, pl.DataFrame({"tract": [f"{i:06}" for i in range(50)]}), ())
    told = tell(made=made)
    assert "... and 10 more" in as_text(told)
    assert "000049" not in as_text(told)
    assert len(told["inputs"]) == 50


def test_a_missing_figure_without_inputs():
    row = ROW | dict.fromkeys(("value", "lb", "ub", "quality", "n", "n_effective", "se", "estimation_area"))
    row |= {"reason": "input owed", "subgroup_type": "gender", "subgroup": "Male"}
    text = as_text(account(row, Explanation("not computed", None, pl.DataFrame(), ()), predictor=PREDICTOR))
    assert "county 37067, 2021, Male (gender)" in text
    assert re.search(r"^value +missing$", text, flags=re.M)
    assert "input owed: A source file this figure needs" in text
    assert "Input rows" not in text
    assert "\nquality" not in text


def test_the_dictionary_is_json_and_the_text_can_be_made_from_it():
    told = tell(made=Explanation("f", 0.75, pl.DataFrame({"x": [float("nan"), 1.0], "day": [None, "2021"]}), ()))
    back = json.loads(as_json(told))
    assert back == told
    assert back["inputs"] == [{"x": None, "day": None}, {"x": 1.0, "day": "2021"}]
    assert as_text(back) == as_text(told)


def test_what_files_of_one_edition_share_is_said_once_and_those_of_other_states_are_counted():
    def file(name, state):
        return REST["provenance"][0] | {"file": name, "sha256": f"sum of {name}", "agency": "Bureau", "state": state}

    files = [file("nation.csv", None), file("p_nc.zip", "37"), file("p_ri.zip", "44"), file("p_wy.zip", "56")]
    told = tell(provenance=files)
    text = as_text(told)
    assert text.count("licence: IPUMS terms of use") == text.count("edition us2021a: Bureau") == 1
    assert "sum of nation.csv" in text
    assert "sum of p_nc.zip" in text
    assert "p_ri.zip" not in text
    assert "and 2 files of other states read with them" in text
    assert [f["sha256"] for f in json.loads(as_json(told))["provenance"]] == [f["sha256"] for f in files]
    page = as_html(told)
    assert all(f["sha256"] in page for f in files)
    elsewhere = as_text(tell(provenance=files[2:]))
    assert "sum of p_ri.zip" in elsewhere


def test_checks_stand_under_what_they_were_asked_of():
    checks = [
        {"name": "V6 No outlier", "passed": False, "severity": "warn", "of": "estimates", "rows": 1200, "detail": "3"},
        {"name": "G3 Codes", "passed": True, "severity": "block", "of": "estimates", "rows": 1200, "detail": ""},
        {"name": "G3 Codes", "passed": True, "severity": "block", "of": "table spine", "rows": 9, "detail": ""},
    ]
    text = as_text(tell(checks=checks))
    assert "estimates (1,200 rows)\n  warning V6 No outlier (3)\n  passed  G3 Codes\ntable spine (9 rows)\n" in text
    assert "3 checks: 1 with a warning" in text


def test_numbers_on_the_way_have_twelve_digits_and_the_figure_all():
    made = Explanation("f", 0.1 + 0.2, pl.DataFrame({"afact": [0.1 + 0.2, 1.0], "weight": [1060149200000.0, 1.0]}), ())
    text = as_text(tell(ROW | {"value": 0.1 + 0.2}, made))
    assert "0.30000000000000004 (share)" in text
    assert "afact         weight\n  0.3  1060149200000\n    1" in text
