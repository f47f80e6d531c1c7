"""A simulated year: sources appear over time, some are owed, one is faulty, one was revised; schedules do the rest."""

import json
import os
import shutil
from datetime import date

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from refresh_support import clean_environment, latest, workspace, write_raw
from sample_build import mobility

from outputs.promote import releases
from pipelines.affected import affected, waiting_years
from pipelines.freshness import freshness
from pipelines.jobs import build_definitions
from pipelines.run import run
from sources.framework.inbox import handed_in
from sources.registry import all_sources

STATES = "10,37"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the agencies will bring out, laid out as the raw store."""
    folder = tmp_path_factory.mktemp("agencies")
    write_raw(folder, (2021, 2022, 2023))
    return folder / "raw"


class Year:
    """A live data root whose agencies are a mirror folder that fills up, and whose people use the inbox."""

    def __init__(self, files, base) -> None:
        self.files, self.mirror, self.root = files, base / "mirror", base / "data"
        self.mirror.mkdir(parents=True)
        self.workspace = workspace(self.root, profile="live", mirror=str(self.mirror), states=STATES)
        self.definitions = build_definitions(self.workspace)
        self.cursor = None
        (self.root / "inbox").mkdir(parents=True)

    def publish_by_agency(self, source: str, vintage: str) -> None:
        shutil.copytree(self.files / source / vintage, self.mirror / source / vintage)

    def hand_in(self, source: str, vintage: str, name: str, content: bytes | None = None):
        target = self.root / "inbox" / source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if content is not None else (self.files / source / vintage / name).read_bytes())
        return target

    def run(self, job: str, config: dict) -> dg.ExecuteInProcessResult:
        with clean_environment(), dg.DagsterInstance.ephemeral() as instance:
            return self.definitions.resolve_job_def(job).execute_in_process(
                instance=instance, raise_on_error=False, run_config=config
            )

    def scheduled(self, source: str) -> dict:
        """Let a schedule tick, and run what it asks for."""
        schedule = self.definitions.resolve_schedule_def(f"look_for_{source}")
        tick = schedule.evaluate_tick(dg.build_schedule_context())
        (request,) = tick.run_requests
        result = self.run("look_for_news", request.run_config)
        assert result.success
        return result.output_for_node("build_candidate")

    def sense(self) -> list[dg.RunRequest]:
        context = dg.build_sensor_context(cursor=self.cursor, resources={"workspace": self.workspace})
        result = self.definitions.resolve_sensor_def("inbox").evaluate_tick(context)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def sensed(self) -> dict | None:
        """Two ticks of the sensor (a file must have settled), and the run that is asked for."""
        first = self.sense()
        requests = first or self.sense()
        if not requests:
            return None
        result = self.run("take_from_inbox", requests[0].run_config)
        assert result.success
        return result.output_for_node("build_what_waited")

    def living_wage(self, year: int) -> pl.DataFrame:
        frame = self.workspace.scan("estimates", "living_wage", year)
        assert frame is not None
        return frame.filter(pl.col("level") == "county").collect()


@pytest.fixture
def year(files, tmp_path):
    return Year(files, tmp_path)


def test_a_simulated_year(year):
    # Spring: populations are out. Living wages need more; the candidate says what is owed.
    assert year.scheduled("popest") == {"release": None, "candidate": False, "built": {}, "failed": [], "owed": []}
    year.publish_by_agency("popest", "2022")
    spring = year.scheduled("popest")
    assert spring["candidate"]
    assert "living_wage" in spring["built"]["2022"]
    assert "employment" in spring["built"]["2022"]
    assert {"qcew 2022", "mit_living_wage 2022-dollars"} <= set(spring["owed"])
    assert year.living_wage(2022)["reason"].drop_nulls().unique().to_list() == ["input owed"]
    assert not (year.root / "published").exists(), "nothing promotes itself"

    # June: pay is out. Only what reads it is built.
    year.publish_by_agency("qcew", "2022")
    june = year.scheduled("qcew")
    assert june["built"] == {"2022": ["living_wage"]}
    assert "qcew 2022" not in june["owed"]

    # A person hands in a faulty file, then the right one.
    bad = year.hand_in("mit_living_wage", "2022-dollars", "mit-living-wage-2022.csv", b"<html>Please sign in</html>")
    refused = year.sensed()
    assert refused == {"release": None, "candidate": False, "built": {}, "failed": [], "owed": []}
    assert bad.exists()
    reason = bad.with_name(bad.name + ".refused.txt")
    assert "this is a web page, not data" in reason.read_text()
    assert year.sensed() is None, "no endless retries"
    year.hand_in("mit_living_wage", "2022-dollars", "mit-living-wage-2022.csv")
    done = year.sensed()
    # The edition in dollars of 2022 serves two data years.
    assert done["built"] == {"2021": ["living_wage"], "2022": ["living_wage"]}
    assert done["candidate"]
    assert not reason.exists()
    values = year.living_wage(2022).filter(pl.col("value").is_not_null())
    assert values.height > 0
    assert year.sensed() is None

    # The candidate is promoted by a person.
    promoted = year.run("promote", {"ops": {"promote_candidate": {"config": {"release": done["release"]}}}})
    assert promoted.success
    assert latest(year.root) == done["release"]
    first = (year.root / "raw/qcew/2022").iterdir()
    stored = {p.name: p.read_bytes() for p in first if p.is_file()}

    # Summer: an old edition was changed in silence. It is reported, and nothing follows from it without consent.
    shutil.copytree(year.files / "qcew" / "2021", year.mirror / "qcew" / "other")
    (other,) = (year.mirror / "qcew" / "other").glob("*.zip")
    (mirrored,) = (year.mirror / "qcew" / "2022").glob("*.zip")
    mirrored.write_bytes(other.read_bytes())
    shutil.rmtree(year.mirror / "qcew" / "other")
    assert year.scheduled("qcew")["release"] is None
    state = freshness(all_sources()["qcew"], year.workspace.retrieval(), date(2024, 7, 1))
    assert (state.have, state.state) == ("2022", "to be fetched")
    assert "revised" in state.news[0]
    assert "--accept qcew 2022" in state.news[0]
    assert {p.name: p.read_bytes() for p in (year.root / "raw/qcew/2022").iterdir() if p.is_file()} == stored
    assert latest(year.root) == done["release"]

    # Next year: new editions, one after the other; the release of last year stays the latest until the end.
    year.publish_by_agency("popest", "2023")
    assert year.scheduled("popest")["candidate"]
    # The agency's first file is cut off: it is named, not stored, and harms nothing; the next look finds the right one.
    year.publish_by_agency("qcew", "2023")
    (zipped,) = (year.mirror / "qcew" / "2023").glob("*.zip")
    whole = zipped.read_bytes()
    zipped.write_bytes(whole[: len(whole) // 2])
    faulty = year.scheduled("qcew")
    assert faulty["failed"] == ["qcew_county 2023"]
    assert not [p for p in (year.root / "raw" / "qcew" / "2023").glob("*") if p.suffix == ".zip"]
    assert latest(year.root) == done["release"]
    zipped.write_bytes(whole)
    assert year.scheduled("qcew")["candidate"]
    year.hand_in("mit_living_wage", "2023-dollars", "mit-living-wage-2023.csv")
    final = year.sensed()
    assert final["built"] == {"2023": ["living_wage"]}
    states = {r.name: r for r in releases(year.root)}
    assert states[done["release"]].state == "latest"
    candidate = states[final["release"]]
    assert candidate.state == "candidate"
    assert {2022, 2023} <= set(candidate.years)
    long = pl.scan_parquet(f"{candidate.path}/estimates.parquet").filter(pl.col("predictor") == "living_wage")
    figures = long.filter(pl.col("value").is_not_null()).group_by("year").len().collect()
    assert set(figures["year"]) == {2022, 2023}
    # The candidate is right: after all that, its figures are those of a build that had every file from the start.
    at_once = workspace(year.root.parent / "at-once", profile="live", mirror=str(year.files), states=STATES)
    with clean_environment():
        report = run(at_once, ["living_wage"], [2022, 2023])
    assert report.failed == {}
    expected = pl.scan_parquet(f"{report.folder}/estimates.parquet")
    keys = ["year", "geo", "state", "subgroup_type", "subgroup"]
    came = pl.scan_parquet(f"{candidate.path}/estimates.parquet").filter(
        pl.col("predictor") == "living_wage", pl.col("year") >= 2022
    )
    same = [came.sort(keys).select(expected.collect_schema().names()).collect(), expected.sort(keys).collect()]
    assert_frame_equal(*same)
    assert same[0]["value"].is_not_null().sum() > 100


def test_schedules_follow_the_calendar_and_start_switched_off(year):
    found = {s.name: s for s in year.definitions.schedules}
    assert found["look_for_qcew"].cron_schedule == "0 6 * 6,7 1"
    assert "look_for_leaic" not in found, "what does not change is not looked for"
    assert {s.default_status for s in found.values()} == {dg.DefaultScheduleStatus.STOPPED}
    assert {s.default_status for s in year.definitions.sensors} == {dg.DefaultSensorStatus.STOPPED}
    promoting = [s.name for s in found.values() if "promote" in s.job_name or "publish" in s.job_name]
    assert promoting == [], "nothing promotes itself"


def test_the_sensor_waits_until_a_file_has_settled(year):
    file = year.hand_in("mit_living_wage", "2022-dollars", "mit-living-wage-2022.csv")
    assert year.sense() == []
    file.write_bytes(file.read_bytes() + b" ")
    os.utime(file, ns=(1, 1))
    assert year.sense() == [], "it changed between the looks"
    (request,) = year.sense()
    assert request.run_config["ops"]["take_files"]["config"]["files"] == ["mit_living_wage/mit-living-wage-2022.csv"]
    assert year.sense() == []


@pytest.mark.parametrize(
    ("source", "name", "content", "reason"),
    [
        ("mit_living_wage", "wages.csv", b"a,b\n", "no edition of this source has a file of this name"),
        ("mit_living_wage", "mit-living-wage-2022.csv", b"a,b\n1,2\n", "mit-living-wage-2022.csv"),
        ("mit_living_wage", "2018/mit-living-wage-2022.csv", b"a,b\n", "there is no edition 2018"),
        ("no_such_source", "a.csv", b"a,b\n", "There is no source no_such_source"),
        ("airtoxscreen", "2018_National_CancerRisk_by_tract_srcgrp.xlsx", b"PK\x03\x04", "smaller|bytes|zip"),
    ],
)
def test_a_bad_file_is_refused_in_writing_and_left_in_place(year, source, name, content, reason):
    file = year.hand_in(source, "", name, content)
    done = year.sensed()
    assert done["release"] is None
    text = file.with_name(file.name + ".refused.txt").read_text()
    assert any(part in text for part in reason.split("|")), text
    assert file.read_bytes() == content
    assert not (year.root / "raw" / source).exists() or not list((year.root / "raw" / source).rglob("*.csv"))
    assert [item.path for item in handed_in(year.workspace.root)] == [f"{source}/{name}"]
    assert year.sensed() is None


def test_a_file_that_differs_from_the_stored_one_needs_consent(year):
    year.hand_in("mit_living_wage", "2022-dollars", "mit-living-wage-2022.csv")
    year.sensed()
    good = (year.files / "mit_living_wage/2022-dollars/mit-living-wage-2022.csv").read_bytes()
    file = year.hand_in("mit_living_wage", "", "mit-living-wage-2022.csv", good[: good.rstrip().rindex(b"\n") + 1])
    year.sensed()
    assert "already holds another file" in file.with_name(file.name + ".refused.txt").read_text()


def test_a_sample_root_takes_no_files(tmp_path):
    made = workspace(tmp_path / "data")
    sensor = build_definitions(made).resolve_sensor_def("inbox")
    result = sensor.evaluate_tick(dg.build_sensor_context(resources={"workspace": made}))
    assert not result.run_requests
    assert "sample" in result.skip_message


def test_affected_predictors_follow_from_the_declarations():
    assert affected("qcew", [2022]) == {2022: ["living_wage"]}
    assert "crime" in affected("nibrs", [2021])[2021]
    assert len(affected("popest", [2021])[2021]) > 10, "every year has its list of geographies"
    assert affected("qcew", [2016]) == {}


def test_what_a_table_waits_for(year):
    assert waiting_years(year.workspace, all_sources()["qcew"]) == {2014, 2018, 2021, 2022, 2023}


def test_states_of_freshness(year):
    def state(source: str, on: date) -> str:
        return freshness(all_sources()[source], year.workspace.retrieval(), on).state

    assert state("qcew", date(2024, 1, 1)) == "to be fetched"
    assert state("mit_living_wage", date(2024, 1, 1)) == "owed"
    year.publish_by_agency("qcew", "2023")
    assert state("qcew", date(2024, 1, 1)) == "to be fetched"
    retrieval = year.workspace.retrieval()
    retrieval.obtain(all_sources()["qcew"], "2023")
    assert state("qcew", date(2025, 6, 30)) == "fresh"
    assert state("qcew", date(2025, 12, 1)) == "stale", "the next edition is months overdue"


def test_the_inventory_is_an_asset_and_a_command(year):
    result = year.run("source_inventory", {})
    assert result.success
    (event,) = result.asset_materializations_for_node("raw__source_inventory")
    rows = [r.data for r in event.metadata["sources"].value.records]
    assert {r["source"] for r in rows} == set(all_sources())
    done = mobility("sources", "--freshness", "--json", data=year.root, MOBILITY_PROFILE="live", MOBILITY_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert {r["source"]: r["state"] for r in json.loads(done.stdout)}["mit_living_wage"] == "owed"


def test_looking_and_consenting_by_command(year):
    year.publish_by_agency("qcew", "2022")
    settings = {"MOBILITY_PROFILE": "live", "MOBILITY_OFFLINE": "1", "MOBILITY_MIRROR": str(year.mirror)}
    done = mobility("sources", "--look", "--source", "qcew", data=year.root, **settings)
    assert "qcew 2022 arrived" in done.stdout
    year.workspace.retrieval().obtain(all_sources()["qcew"], "2022")
    (mirrored,) = (year.mirror / "qcew" / "2022").glob("*.zip")
    (other,) = (year.files / "qcew" / "2021").glob("*.zip")
    mirrored.write_bytes(other.read_bytes())
    assert "qcew 2022 revised" in mobility("sources", "--look", data=year.root, **settings).stdout
    taken = mobility("sources", "--accept", "qcew", "2022", data=year.root, **settings)
    assert taken.returncode == 0, taken.stderr
    assert "superseded" in taken.stdout
    wrong = mobility("sources", "--accept", "qcew", "1999", data=year.root, **settings)
    assert wrong.returncode == 1
    assert "has no vintage '1999'" in wrong.stderr
