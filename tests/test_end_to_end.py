"""The sample build as a user sees it: command line, release, trace, rebuild, Dagster records."""

import csv
import hashlib
import json
import shutil

import dagster as dg
import duckdb
import polars as pl
import pytest
from sample_build import mobility

from metrics.catalog import catalog
from metrics.predictor import expected_keys
from pipelines.settings import PROJECT, Settings
from pipelines.workspace import Workspace
from schemas.estimate import EstimateModel

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sample")]

BUILT = [key for key, entry in catalog().items() if entry.built]


def release_of(root):
    name = (root / "published" / "LATEST").read_text().strip()
    return root / "published" / name


def workspace(root) -> Workspace:
    from pipelines.sample import prepare

    return Workspace(prepare(Settings(_env_file=None, data=str(root), profile="sample")))


def test_closing_message_says_where_to_look_and_that_it_is_synthetic(sample_root):
    text = (sample_root / "closing-message.txt").read_text()
    assert "SYNTHETIC" in text
    assert release_of(sample_root).name in text
    assert "owed" not in text, text


def test_every_estimate_of_every_built_predictor_is_there_and_lawful(sample_root):
    ws = workspace(sample_root)
    for key in BUILT:
        predictor = catalog()[key].predictor
        values = 0
        for year in predictor.years:
            frame = ws.scan("estimates", key, year)
            assert frame is not None, f"{key} {year} is missing"
            estimates = frame.collect()
            EstimateModel.validate(estimates, lazy=True)
            spine = ws.scan("tables", "spine", year).collect()
            assert estimates.height == expected_keys(predictor, year, spine).height
            values += estimates["value"].count()
        assert values > 0, f"{key} has no value in any year of the sample"


def test_release_is_whole_and_says_synthetic_everywhere(sample_root):
    folder = release_of(sample_root)
    assert folder.name.startswith("SYNTHETIC")
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        wanted, _, name = line.partition("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == wanted, name
    manifest = json.loads((folder / "release.json").read_text())
    assert "SYNTHETIC" in json.dumps(manifest)
    assert "SYNTHETIC" in (folder / "data_dictionary.csv").read_text()
    for file in (folder / "parquet").glob("*.parquet"):
        assert any("SYNTHETIC" in v for v in pl.read_parquet_metadata(file).values()), file.name
    with duckdb.connect(str(folder / "mobility.duckdb"), read_only=True) as database:
        comments = database.sql("select comment from duckdb_views() where comment is not null").fetchall()
        assert comments
        assert all("SYNTHETIC" in c[0] for c in comments)


def test_published_csv_keeps_zeros_and_marks_missing(sample_root):
    file = release_of(sample_root) / "csv" / "11_mobility-metrics_county_longitudinal.csv"
    with file.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert list(rows[0])[:6] == ["year", "state", "county", "state_name", "county_name", "population"]
    assert {len(r["state"]) for r in rows} == {2}
    assert {len(r["county"]) for r in rows} == {3}
    assert {r["ratio_living_wage_quality"] for r in rows} <= {"Strong", "Marginal", "Weak", "NA"}
    assert "" not in {r["ratio_living_wage"] for r in rows}
    assert any(r["county"] == "110" and r["state"] == "09" and r["year"] == "2022" for r in rows)
    assert any(r["county"] == "001" and r["state"] == "09" and r["year"] == "2021" for r in rows)


def test_figures_of_the_2014_5_year_file_say_which_interviews_they_rest_on(sample_root):
    """The sample has interviews in PUMAs of 2000 and no table of these."""
    published = pl.scan_parquet(release_of(sample_root) / "estimates.parquet").filter(pl.col("sample") == "acs5")
    periods = published.select("year", "reference_period", "predictor").unique().collect()
    old = periods.filter(pl.col("year") == 2014)
    assert set(old["predictor"]) >= {"employment", "income", "preschool", "college"}
    assert set(old["reference_period"].drop_nulls()) == {"2012-2014"}
    assert set(periods.filter(pl.col("year") == 2018)["reference_period"].drop_nulls()) == {"2014-2018"}


def test_the_census_form_serves_every_predictor_from_microdata(sample_root):
    users = [key for key, entry in catalog().items() if entry.microdata]
    published = pl.scan_parquet(release_of(sample_root) / "estimates.parquet").filter(pl.col("predictor").is_in(users))
    values = published.group_by("predictor").agg(pl.col("value").count(), (pl.col("reason") == "input owed").sum())
    found = values.collect()
    assert set(found["predictor"]) == set(users)
    assert found["value"].min() > 0
    assert found["reason"].sum() == 0


def test_intervals_without_width_are_listed(sample_root):
    ws = workspace(sample_root)
    notes = ws.account("estimates", "college", 2018).notes
    flat = ws.scan("estimates", "college", 2018).filter(pl.col("lb") == pl.col("ub"), pl.col("value").is_not_null())
    frame = flat.collect()
    assert notes["zero_width_intervals"] == frame.height > 0
    assert sum(row["len"] for row in notes["zero_width"]) == frame.height
    first = notes["zero_width"][0]
    same = frame.filter(pl.col(c) == first[c] for c in ("metric", "level", "sample", "subgroup_type", "subgroup"))
    assert first["areas"].split(", ")[0] == (same["state"] + same["geo"]).min()


def test_trace_on_the_command_line(sample_root):
    done = mobility("trace", "37067", "2022", "ratio_living_wage", data=sample_root)
    assert done.returncode == 0, done.stderr
    assert "Forsyth County, North Carolina" in done.stdout
    assert "agrees with the stored figure" in done.stdout
    assert "sha256" in done.stdout
    as_json = mobility(
        "trace", "37067", "2022", "ratio_living_wage", "--subgroup", "Leisure and Other", "--json", data=sample_root
    )
    assert json.loads(as_json.stdout)["key"]["subgroup"] == "Leisure and Other"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["37067", "2022", "ratio_of_things"], "no metric"),
        (["3706", "2022", "ratio_living_wage"], "not a GEOID"),
        (["37999", "2022", "ratio_living_wage"], "not a county of 2022"),
        (["37067", "1999", "ratio_living_wage"], "no estimates for 1999"),
        (["37067", "2022", "ratio_living_wage", "--subgroup-type", "industry"], "choose one of"),
        (["37067", "2022", "ratio_living_wage", "--subgroup", "Nobody"], "nothing fits"),
    ],
)
def test_trace_of_what_is_not_there_says_what_to_do(sample_root, arguments, message):
    done = mobility("trace", *arguments, data=sample_root)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_done_again_when_nothing_changed(sample_root):
    before = release_of(sample_root)
    done = mobility("build", data=sample_root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "built" not in done.stdout.split("unchanged")[0]
    assert release_of(sample_root) == before


def test_rebuild_of_one_predictor_leaves_the_others_alone(sample_root):
    ws = workspace(sample_root)
    others = {k: ws.path("estimates", k, y).stat().st_mtime for k in BUILT[1:3] for y in ws.years("estimates", k)[:1]}
    done = mobility("rebuild", "living_wage", "--years", "2022", "--force", data=sample_root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {k: ws.path("estimates", k, ws.years("estimates", k)[0]).stat().st_mtime for k in others} == others


def test_bad_input_is_named_and_the_last_good_result_stays(sample_root, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(sample_root, root)
    release = release_of(root).name
    file = next((root / "raw" / "mit_living_wage" / "2022-dollars").glob("*.csv"))
    file.write_bytes(file.read_bytes().replace(b"1 Adult", b"9 Adult"))
    done = mobility("build", "--predictors", "living_wage", "--years", "2022", data=root)
    assert done.returncode == 1
    assert "mit_living_wage" in done.stdout
    assert "last good result" in done.stdout
    assert (root / "published" / release / "SHA256SUMS").exists()
    assert (root / "estimates" / "living_wage" / "2022.parquet").exists()


def test_sources_lists_each_vintage(sample_root):
    rows = json.loads(mobility("sources", "--json", data=sample_root).stdout)
    assert {r["status"] for r in rows} >= {"present"}
    assert {r["source"] for r in rows} >= {"qcew", "popest", "geocorr", "mit_living_wage"}
    assert mobility("sources", "--source", "nowhere", data=sample_root).returncode == 1


def test_doctor_finds_a_damaged_release(sample_root, tmp_path):
    assert mobility("doctor", data=sample_root).returncode == 0
    root = tmp_path / "data"
    shutil.copytree(release_of(sample_root), root / "published" / "x")
    (root / "published" / "LATEST").write_text("x\n")
    (root / "published" / "x" / "data_dictionary.csv").write_text("gone")
    done = mobility("doctor", data=root)
    assert done.returncode == 1
    assert "has changed since it was published" in done.stdout


def test_synthetic_root_refuses_a_live_build(sample_root):
    done = mobility("build", "--profile", "live", "--years", "2022", data=sample_root, MOBILITY_OFFLINE="1")
    assert done.returncode == 1
    assert "profile 'sample'" in done.stderr


def test_live_build_without_network_ends_with_the_owed_list(tmp_path):
    root = tmp_path / "live"
    options = ["--profile", "live", "--predictors", "living_wage", "--years", "2022", "--states", "44"]
    done = mobility("build", *options, data=root, MOBILITY_OFFLINE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "owed" in done.stdout
    assert "mit_living_wage 2022-dollars" in done.stdout
    estimates = pl.read_parquet(root / "estimates" / "living_wage" / "2022.parquet")
    assert estimates["reason"].unique().to_list() == ["input owed"]
    assert release_of(root).name.startswith("partial-")
    assert mobility("build", *options, "--strict", data=root, MOBILITY_OFFLINE="1").returncode == 1


def test_dagster_knows_what_was_done(sample_root, monkeypatch):
    """The promised metadata of every estimates asset, read from Dagster's records as the UI does."""
    monkeypatch.setenv("MOBILITY_STATE", str(sample_root / ".state"))
    with dg.DagsterInstance.from_config(str(PROJECT)) as instance:
        for key in BUILT:
            event = instance.get_latest_materialization_event(dg.AssetKey(["estimates", key]))
            assert event is not None, key
            metadata = event.asset_materialization.metadata
            promised = {"status", "dagster/partition_row_count", "made from", "quality", "preview", "distribution"}
            assert promised <= set(metadata), (key, promised - set(metadata))
            assert metadata["synthetic"].value is True
        files = instance.get_latest_materialization_event(dg.AssetKey(["raw", "qcew"]))
        table = files.asset_materialization.metadata["files"].value
        assert len(table.records[0].data["sha256"]) == 64
        release = instance.get_latest_materialization_event(dg.AssetKey(["published", "release"]))
        assert release.asset_materialization.metadata["synthetic"].value is True


def test_other_states_are_not_lost_in_silence(tmp_path):
    """A build for other states in the same root says what its release leaves out; a rebuild goes by the last states."""
    root = tmp_path / "live"
    options = ["--profile", "live", "--predictors", "living_wage"]
    first = mobility("build", *options, "--years", "2021", "--states", "RI", data=root, MOBILITY_OFFLINE="1")
    assert first.returncode == 0
    second = mobility("build", *options, "--years", "2022", "--states", "10", data=root, MOBILITY_OFFLINE="1")
    assert "Not in this release" in second.stdout
    assert "living_wage 2021" in second.stdout
    again = mobility("rebuild", "living_wage", "--years", "2022", data=root, MOBILITY_OFFLINE="1")
    assert again.returncode == 0
    assert pl.read_parquet(root / "estimates/living_wage/2022.parquet")["state"].unique().to_list() == ["10"]
    wrong = mobility("build", *options, "--states", "XX", data=root, MOBILITY_OFFLINE="1")
    assert wrong.returncode == 1
    assert "no such state" in wrong.stderr
