"""Publishing through the gate: a refused or broken-off release leaves the last good one; what a user is told."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from gate_support import META, estimates, spine
from sample_build import mobility

from metrics.catalog import catalog
from outputs import release as publishing
from outputs.deliver import latest_release, verify_sums
from outputs.files import published_file, reference_columns
from outputs.release import GateFacts, publish
from outputs.rules.register import RELEASE_RULES
from outputs.rules.report import REPORT_JSON, REPORT_TEXT, GateFailedError
from pipelines.gate_checks import check_name
from pipelines.settings import PROJECT, Settings

YEARS = (2018, 2019, 2021)
SPINES = {y: spine(y) for y in YEARS}


def frames(*keys: str) -> dict[str, pl.LazyFrame]:
    entries = catalog()
    return {
        key: pl.concat(
            [estimates(entries[key].predictor, y) for y in YEARS if y in entries[key].predictor.years]
        ).lazy()
        for key in keys
    }


def put(root: Path, *keys: str, **options):
    entries = {key: catalog()[key] for key in keys}
    meta = options.pop("meta", META)
    return publish(frames(*keys), SPINES, root, meta, entries=entries, **options)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with one good release."""
    root = tmp_path_factory.mktemp("published")
    return root, put(root, "preschool")


# --- Broken off -----------------------------------------------------------------------------------------------------

STAGES = (
    *("long_years", "_content", "_write_wide", "assemble", "write_csv", "write_parquet"),
    *("_write_tables", "dictionary", "datapackage", "write_database", "_verify", "run_gate", "_seal", "checksums"),
    *("deliver", "write_line"),
)


@pytest.mark.parametrize("stage", STAGES)
def test_an_error_at_any_stage_leaves_the_last_good_release(published, monkeypatch, stage):
    root, first = published

    def fail(*_args, **_options):
        raise OSError(f"no space left while in {stage}")

    monkeypatch.setattr(publishing, stage, fail)
    with pytest.raises(OSError, match="no space left"):
        put(root, "preschool", meta=replace(META, code_version=stage))
    assert latest_release(root) == first.name
    assert verify_sums(root / first.name) == []
    left = {p.name for p in root.iterdir()} - {"LATEST", first.name}
    if stage == "write_line":
        # The new release is whole, and readers are not sent to it.
        assert len(left) == 1
        assert verify_sums(root / left.pop()) == []
    else:
        assert not [name for name in left if (root / name / "release.json").exists() and verify_sums(root / name)]
        assert not [name for name in left if name.startswith(".draft")]


def test_an_error_while_files_move_into_place_leaves_the_last_good_release(published, monkeypatch):
    root, first = published
    replacing = Path.replace

    def fail(self: Path, target: Path):
        if self.name.startswith(".draft"):
            raise OSError("the disk is gone")
        return replacing(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        put(root, "preschool", meta=replace(META, code_version="moved"))
    assert latest_release(root) == first.name
    assert verify_sums(root / first.name) == []


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = [{tests!r}]
from dataclasses import replace
import outputs.release as publishing
from test_release_gate import META, put
setattr(publishing, {stage!r}, lambda *a, **o: os._exit(9))
put(Path({root!r}), "preschool", meta=replace(META, code_version="killed in " + {stage!r}))
"""


@pytest.mark.parametrize("stage", ["run_gate", "write_line"])
def test_a_killed_run_leaves_the_last_good_release_and_the_next_run_works(tmp_path, published, stage):
    _, first = published
    root = tmp_path / "published"
    shutil.copytree(published[0] / first.name, root / first.name)
    (root / "LATEST").write_text(f"{first.name}\n")
    script = KILLED.format(tests=str(PROJECT / "tests"), stage=stage, root=str(root))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 9, done.stderr.decode()
    assert latest_release(root) == first.name
    assert verify_sums(root / first.name) == []
    again = put(root, "preschool", meta=replace(META, code_version=f"killed in {stage}"))
    assert latest_release(root) == again.name != first.name
    assert verify_sums(root / again.name) == []
    assert again.reused is (stage == "write_line")


# --- Refused --------------------------------------------------------------------------------------------------------


def test_a_refused_release_leaves_the_last_good_one_and_tells_why(published):
    root, first = published
    told = []
    bad = {k: f.with_columns(pl.col("ub") * 0.5) for k, f in frames("preschool").items()}
    entries = {"preschool": catalog()["preschool"]}
    facts = GateFacts(tell=lambda report, name: told.append((report, name)))
    with pytest.raises(GateFailedError, match=r"rule V3 .*lb <= value <= ub.*geoid 01001") as refused:
        publish(bad, SPINES, root, META, entries=entries, facts=facts)
    assert latest_release(root) == first.name
    assert verify_sums(root / first.name) == []
    assert [p for p in root.iterdir() if p.name.startswith(".")] == []
    assert told[0][0] is refused.value.report
    assert {r.rule.id for r in told[0][0].of("failed")} == {"V3", "T2"}


def test_the_report_lies_in_the_release_and_in_its_sums(published):
    root, first = published
    folder = root / first.name
    told = json.loads((folder / REPORT_JSON).read_text())
    assert told["release"] == first.name
    assert [r["id"] for r in told["rules"]] == [r.id for r in RELEASE_RULES]
    assert told["counts"] == first.gate.counts
    assert REPORT_TEXT in (folder / "SHA256SUMS").read_text()
    assert "passes the gate" in (folder / REPORT_TEXT).read_text()


def test_the_next_release_is_compared_with_the_last(published, tmp_path):
    """A figure may not change without a cause; a change of the predictor's code is one, and is told."""
    root = tmp_path / "published"
    shutil.copytree(published[0], root)
    entries = {"preschool": catalog()["preschool"]}
    figure = (pl.col("state") == "01") & (pl.col("level") == "county") & (pl.col("year") == 2018)
    moved = pl.when(figure).then(pl.col("value") + 1e-9).otherwise("value").alias("value")
    changed = {k: f.with_columns(moved) for k, f in frames("preschool").items()}
    with pytest.raises(GateFailedError, match=r"T2 .*01.*2018|T2 .*2018.*01"):
        publish(changed, SPINES, root, META, entries=entries)
    fixed = replace(META, lineage=tuple(replace(made, code_version="2") for made in META.lineage))
    report = publish(changed, SPINES, root, fixed, entries=entries)
    assert latest_release(root) == report.name
    assert "code fix" in next(r for r in report.gate.results if r.rule.id == "T2").note
    # A candidate is compared with what is published, wherever it stands itself.
    with pytest.raises(GateFailedError, match="T2"):
        put(tmp_path / "candidates", "preschool", meta=fixed, previous_root=root, latest=False)


# --- The reference layout -------------------------------------------------------------------------------------------

QUIRKY = ("housing_affordability", "homelessness", "transportation", "environment", "financial_security", "crime")


@pytest.fixture(scope="module")
def both_layouts(tmp_path_factory):
    """A release with the reference layout, and its folder."""
    root = tmp_path_factory.mktemp("layouts")
    report = put(root, *QUIRKY, layouts=("clean", "reference"))
    return root / report.name


def header(folder: Path, number: int) -> list[str]:
    return (folder / "csv" / f"{published_file(number).stem}.csv").read_text().split("\n", 1)[0].split(",")


def cells(folder: Path, number: int) -> pl.DataFrame:
    return pl.read_csv(folder / "csv" / f"{published_file(number).stem}.csv", infer_schema=False)


def test_the_reference_layout_has_its_quirks(both_layouts):
    theirs, ours = both_layouts / "reference", both_layouts
    county, city = header(theirs, 11), header(theirs, 61)
    assert county[6:] == list(reference_columns(11))
    assert city[6:] == list(reference_columns(61))
    # Upper before lower bound, in the debt block alone.
    start = county.index("share_debt_coll")
    assert county[start : start + 3] == ["share_debt_coll", "share_debt_coll_ub", "share_debt_coll_lb"]
    # Two stray columns of the housing file stand after the homelessness block of file 61.
    at = city.index("subgroup_type")
    assert city[at - 1 : at + 3] == ["share_homeless_quality", "subgroup_type", "subgroup", "share_affordable_30_ami"]
    strays = cells(theirs, 61).filter(pl.col("share_affordable_30_ami") != "NA")
    assert strays.select("subgroup_type", "subgroup").unique().rows() == [("tenure", "All")]
    # Cities have the hazard before the commuters, counties after the cost.
    assert city.index("index_air_hazard") < city.index("share_transit_commuter")
    assert county.index("index_air_hazard") > county.index("share_transportation_cost")
    # Values of the crime block come before their qualities; so do those of the income bands.
    at = county.index("rate_crime_violent")
    assert county[at + 1 : at + 3] == ["rate_crime_property", "rate_crime_violent_quality"]
    # Group files name the subgroup before its type; ours the type first.
    assert header(theirs, 13)[5:7] == ["subgroup", "subgroup_type"]
    assert header(ours, 13)[5:7] == ["subgroup_type", "subgroup"]
    # File 13 keeps years without any value; ours does not.
    assert set(cells(theirs, 13)["year"]) == {"2018", "2019", "2021"}
    assert set(cells(ours, 13)["year"]) == {"2018", "2019"}
    assert not {"subgroup", "subgroup_type"} & set(header(ours, 61))


def test_columns_of_the_reference_stay_where_a_predictor_is_not_in_the_release(both_layouts):
    theirs = cells(both_layouts / "reference", 11)
    assert theirs["pctl_income_50"].unique().to_list() == ["NA"]
    assert "pctl_income_50" not in header(both_layouts, 11)


def test_both_layouts_hold_the_same_figures(both_layouts):
    key = ["year", "state", "county"]
    theirs, ours = cells(both_layouts / "reference", 11), cells(both_layouts, 11)
    both = sorted(set(theirs.columns) & set(ours.columns))
    assert len(both) > 30
    assert theirs.select(both).sort(key).equals(ours.select(both).sort(key))


def test_numbers_are_written_in_their_shortest_form(tmp_path):
    """Shortest text that reads back; below a thousandth as 7.8e-4; whole numbers without a point; NA for missing."""
    small = {k: f.with_columns(
        pl.when(pl.col("value").is_not_null()).then(pl.lit(0.000782090138580633)).alias("value"),
        pl.when(pl.col("lb").is_not_null()).then(pl.lit(0.0)).alias("lb"),
        pl.when(pl.col("ub").is_not_null()).then(pl.lit(1.0)).alias("ub"),
    ) for k, f in frames("preschool").items()}  # fmt: skip
    entries = {"preschool": catalog()["preschool"]}
    report = publish(small, SPINES, tmp_path, META, entries=entries, layouts=("clean", "reference"))
    for layout in ("", "reference"):
        table = cells(tmp_path / report.name / layout, 11).filter(pl.col("share_in_preschool") != "NA")
        shown = table.select("share_in_preschool", "share_in_preschool_lb", "share_in_preschool_ub").unique()
        assert shown.rows() == [("7.82090138580633e-4", "0", "1")]


def test_the_layout_is_a_setting_and_an_option(tmp_path, monkeypatch):
    from pipelines.cli import LayoutName, settings_for
    from pipelines.release import layouts_of
    from pipelines.workspace import Workspace

    monkeypatch.delenv("MOBILITY_LAYOUT", raising=False)
    plain = settings_for(str(tmp_path))
    assert layouts_of(Workspace(plain)) == ("clean",)
    asked = settings_for(str(tmp_path), layout=LayoutName.REFERENCE)
    assert layouts_of(Workspace(asked)) == ("clean", "reference")
    monkeypatch.setenv("MOBILITY_LAYOUT", "reference")
    assert Settings(_env_file=None).layout == "reference"
    assert settings_for(str(tmp_path), layout=LayoutName.CLEAN).layout == "clean"


# --- As a user meets it ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_predictors(sample_root, tmp_path_factory):
    """A data root with two predictors of the sample, published once."""
    root = tmp_path_factory.mktemp("gate") / "data"
    keep = ("living_wage", "neonatal_health")
    for name in ("PROFILE", "STATES"):
        if (sample_root / name).exists():
            root.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sample_root / name, root / name)
    for folder in ("raw", "tables"):
        shutil.copytree(sample_root / folder, root / folder)
    for key in keep:
        shutil.copytree(sample_root / "estimates" / key, root / "estimates" / key)
    return root


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
def test_a_refused_release_on_the_command_line_and_in_the_ui(two_predictors, monkeypatch):
    root = two_predictors
    arguments = ("rebuild", "living_wage", "--years", "2022", "--layout", "reference")
    done = mobility(*arguments, data=root)
    assert done.returncode == 0, done.stdout + done.stderr
    name = (root / "published" / "LATEST").read_text().strip()
    assert (root / "published" / name / "reference" / "csv" / f"{published_file(19).stem}.csv").exists()
    assert json.loads((root / "published" / name / REPORT_JSON).read_text())["passes"] is True

    file = root / "estimates" / "living_wage" / "2018.parquet"
    frame = pl.read_parquet(file)
    first = frame.filter(pl.col("value").is_not_null()).row(0, named=True)
    key = pl.all_horizontal(pl.col(c) == first[c] for c in ("state", "geo", "subgroup"))
    frame.with_columns(pl.when(key).then(0.0).otherwise("value").alias("value")).write_parquet(file)
    (root / ".state" / "last_release.json").unlink()
    done = mobility(*arguments, data=root)
    text = done.stdout.replace("\n", " ")
    assert done.returncode == 1
    assert "rule Q1 (Undisclosed wages are missing; no ratio is zero): 1 row" in text
    assert f"geoid {first['state']}{first['geo']}" in text
    assert str(root / ".state" / "gate" / REPORT_TEXT) in text.replace(" ", "")
    assert "Nothing was published" in text
    assert (root / "published" / "LATEST").read_text().strip() == name
    assert verify_sums(root / "published" / name) == []
    told = json.loads((root / ".state" / "gate" / REPORT_JSON).read_text())
    assert told["passes"] is False
    assert "does NOT pass the gate" in (root / ".state" / "gate" / REPORT_TEXT).read_text()

    monkeypatch.setenv("MOBILITY_STATE", str(root / ".state"))
    asset = dg.AssetKey(["published", "release"])
    with dg.DagsterInstance.from_config(str(PROJECT)) as instance:
        keys = [dg.AssetCheckKey(asset, check_name(r)) for r in RELEASE_RULES]
        records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
        results = {k.name: r.event.asset_check_evaluation for k, r in records.items()}
    assert set(results) == {check_name(r) for r in RELEASE_RULES}
    zero = results["Q1"]
    assert (zero.passed, zero.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert zero.metadata["rows"].value.records[0].data["geoid"] == first["state"] + first["geo"]
    assert results["S9"].severity == dg.AssetCheckSeverity.WARN
    assert results["G1"].passed is True
    assert "synthetic" in results["G1_counts"].metadata["note"].value
