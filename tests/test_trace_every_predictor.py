"""Figures of each of the 24 predictors are followed back on the sample: to the last digit, with nothing left unsaid."""

import json
import re
import shutil

import polars as pl
import pytest
from sample_build import mobility
from test_outputs_page import Page

from metrics.catalog import catalog
from outputs import suppress
from outputs.explain import account, as_json, as_text
from outputs.glossary import INPUT_COLUMNS
from outputs.page import as_html
from pipelines import trace
from pipelines.sample import prepare
from pipelines.settings import Settings
from pipelines.trace import TraceError, trace_figure
from pipelines.workspace import Workspace

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sample")]

WEIGHTS = {"afact", "weight", "share_land"}


def settings_of(root):
    return Settings(_env_file=None, data=str(root), profile="sample")


def figures(ws, key):
    """For each level and sample one overall and one subgroup figure of the newest year with values, and one missing."""
    predictor = catalog()[key].predictor
    found, missing = {}, None
    for year in reversed(predictor.years):
        frame = ws.scan("estimates", key, year).collect()
        if missing is None and (none := frame.filter(pl.col("value").is_null())).height:
            missing = none.row(none.height // 2, named=True)
        for row in frame.filter(pl.col("value").is_not_null()).gather_every(7).iter_rows(named=True):
            found.setdefault((row["level"], row["sample"], row["subgroup"] == "All"), row)
    return [*found.values(), *([missing] if missing else [])]


def told_about(root, row):
    figure = trace_figure(
        settings_of(root),
        row["state"] + row["geo"],
        row["year"],
        row["metric"],
        subgroup_type=row["subgroup_type"],
        subgroup=row["subgroup"],
        sample=row["sample"],
    )
    return account(figure.row, figure.explanation, **figure.facts)


@pytest.mark.parametrize("key", [k for k, e in catalog().items() if e.built])
def test_every_figure_explains_itself(sample_root, key):
    rows = figures(Workspace(prepare(settings_of(sample_root))), key)
    assert any(row["value"] is not None for row in rows)
    for row in rows:
        told = told_about(sample_root, row)
        name = {k: row[k] for k in ("year", "level", "state", "geo", "metric", "sample", "subgroup")}
        assert told["agreement"]["agrees"], (name, told["agreement"])
        assert (told["agreement"]["recomputed"] is None) == (row["value"] is None), name
        if row["value"] is None:
            assert told["reason_text"], name
            continue
        # Inputs: one row per group of the source, each column explained, with its weight.
        assert told["inputs"], name
        assert WEIGHTS & set(told["inputs"][0]) or len(told["inputs"]) == 1, name
        assert set(told["inputs"][0]) <= set(INPUT_COLUMNS), (name, set(told["inputs"][0]) - set(INPUT_COLUMNS))
        # Filters with counts in and out; the last ones lead to this area.
        assert told["steps"], name
        assert all(0 <= s["rows_out"] <= s["rows_in"] for s in told["steps"]), (name, told["steps"])
        assert any(s["rows_out"] < s["rows_in"] for s in told["steps"]), (name, told["steps"])
        # Thresholds with the figure compared and what followed.
        assert any(d["figure"] is not None for d in told["decisions"]), (name, told["decisions"])
        assert all(d["rule"] and d["outcome"] for d in told["decisions"]), name
        # Formula with numbers filled in.
        assert re.search(r"\d", told["formula"]), name
        # Source files.
        assert told["provenance"], name
        for file in told["provenance"]:
            assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"]), (name, file)
            assert file["vintage"], (name, file)
            assert file["retrieved_at"] or file["how"] == "part of the project", (name, file)
            assert file["licence"], (name, file)
        assert told["checks"], name
        assert told["code"]["version"], name
        # The three renderings are of one and the same account.
        page = Page(as_html(told)).text
        text = " ".join(as_text(told).split())
        for said in (repr(row["value"]).removesuffix(".0"), told["provenance"][0]["sha256"], told["code"]["version"]):
            assert said in page, (name, said)
            assert said in text, (name, said)
        assert json.loads(as_json(told))["figure"]["value"] == row["value"]


def test_the_page_is_written_by_the_command(sample_root, tmp_path):
    file = tmp_path / "handed over" / "account.html"
    done = mobility("trace", "37067", "2022", "ratio_living_wage", "--html", str(file), data=sample_root)
    assert done.returncode == 0, done.stderr
    assert "agrees with the stored figure to the last digit" in done.stdout
    page = Page(file.read_text(encoding="utf-8"))
    assert "SYNTHETIC" in page.text
    assert "Forsyth County, North Carolina" in page.text
    assert "mobility trace 37067 2022 ratio_living_wage --sample qcew_annual" in page.text


def test_a_figure_that_was_tampered_with_is_found_out(sample_root, tmp_path):
    """The trace works the figure out again: it does not repeat what is stored."""
    root = tmp_path / "data"
    shutil.copytree(sample_root, root, ignore=shutil.ignore_patterns("raw", "published", ".state"))
    (root / "raw").symlink_to(sample_root / "raw")
    file = root / "estimates" / "living_wage" / "2022.parquet"
    frame = pl.read_parquet(file)
    frame.with_columns(pl.col("value") + 1e-12).write_parquet(file)
    done = mobility("trace", "37067", "2022", "ratio_living_wage", data=root)
    assert done.returncode == 1
    assert "DIFFERS from the stored figure" in done.stdout


def part_of(sample_root, tmp_path, *folders):
    """A data root of its own that shares the rest with the sample build."""
    root = tmp_path / "data"
    root.mkdir()
    for item in sample_root.iterdir():
        if item.name in folders:
            shutil.copytree(item, root / item.name)
        elif item.name != "published":
            (root / item.name).symlink_to(item)
    return root


def asked(root, geoid="37067", year=2022, metric="ratio_living_wage", **names):
    names = {"subgroup_type": None, "subgroup": None, "sample": None} | names
    figure = trace_figure(settings_of(root), geoid, year, metric, **names)
    return account(figure.row, figure.explanation, **figure.facts)


def test_a_figure_that_is_owed_says_what_is_owed_and_how_it_is_had(sample_root, tmp_path):
    root = part_of(sample_root, tmp_path, "estimates", "tables")
    file = root / "tables" / "qcew_county" / "2022.json"
    made = json.loads(file.read_text())
    owed = {"source": "qcew", "vintage": "2022", "files": ["2022_all_county_high_level.zip"], "recipe": "Fetch it."}
    file.write_text(json.dumps(made | {"rows": 0, "content_hash": "", "owed": [owed]}))
    estimates = root / "estimates" / "living_wage" / "2022.parquet"
    frame = pl.read_parquet(estimates)
    gone = [pl.lit(None, frame.schema[c]).alias(c) for c in ("value", "lb", "ub", "quality", "numerator")]
    frame.with_columns(*gone, reason=pl.lit("input owed")).write_parquet(estimates)
    told = asked(root)
    assert told["agreement"] == {"agrees": True, "stored": None, "recomputed": None, "difference": None}
    text = " ".join(as_text(told).split())
    assert "input owed: A source file this figure needs" in text
    assert "not worked out: tables owed, qcew_county" in text
    assert "Owed: 2022_all_county_high_level.zip of qcew, edition 2022. Fetch it." in text
    assert "warning every file of the inputs is here (qcew 2022: 2022_all_county_high_level.zip)" in text


def test_a_figure_withheld_after_review_says_by_whom_and_why(sample_root, monkeypatch):
    row = next(
        r for r in figures(Workspace(prepare(settings_of(sample_root))), "crime")
        if r["value"] is not None and r["metric"].startswith("rate_")
    )  # fmt: skip
    cells = [
        str(row["year"]), row["level"], row["state"] + row["geo"], "every", row["metric"], "every", "both",
        "Too low by far.", "Seen in the review of 2026.", "2030-01-01",
    ]  # fmt: skip
    one = pl.DataFrame([cells], schema=list(suppress.SCHEMA), orient="row").cast(suppress.SCHEMA)
    monkeypatch.setattr(suppress, "suppressions", lambda: one)
    monkeypatch.setattr(trace, "suppressions", lambda: one)
    told = told_about(sample_root, row)
    assert told["figure"]["value"] is None
    assert told["figure"]["reason"] == "suppressed by us"
    assert told["agreement"]["agrees"]
    assert told["inputs"]
    (review,) = [d for d in told["decisions"] if d["name"] == "review by a person"]
    assert "Too low by far. Seen in the review of 2026." in review["rule"]
    assert "2030-01-01" in review["outcome"]
    assert told["formula"].startswith("withheld after review")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"metric": "share_emploied"}, "did you mean share_employed"),
        ({"metric": "ratio_living_wage_quality", "geoid": "37068"}, r"37068 is not a county of 2022.*37067 \(Forsyth"),
        ({"geoid": "09001"}, "09001 is not a county of 2022, but of 2014, 2018, 2021"),
        ({"geoid": "48301"}, "state 48 has none"),
        ({"geoid": "3775000"}, "not published for a place in 2022; there are figures of each county"),
        ({"geoid": "375"}, "5 digits"),
        ({"year": 2015}, "no estimates for 2015.*2014, 2018, 2021"),
        ({"subgroup": "Everybody"}, "nothing fits; choose one of:\n.*--subgroup 'All'"),
        ({"subgroup_type": "industry"}, "more than one figure fits; choose one of:"),
        (
            {"metric": "share_employed", "year": 2018, "subgroup_type": "gender", "subgroup": "Men"},
            "of:\n[^\n]*'Female'",
        ),
    ],
)
def test_a_question_that_is_not_clear_gets_the_choices(sample_root, question, said):
    with pytest.raises(TraceError, match=f"(?s){said}"):
        asked(sample_root, **question)


def test_a_metric_of_the_long_file_alone_says_so(sample_root):
    row = next(
        r for r in figures(Workspace(prepare(settings_of(sample_root))), "crime") if r["metric"] == "coverage_crime"
    )
    assert "in the long file only" in as_text(told_about(sample_root, row))
    assert "in the long file only" not in as_text(asked(sample_root))
