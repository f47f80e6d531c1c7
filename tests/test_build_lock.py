"""One build at a time: the command line and runs of the Dagster UI take the same lock."""

import subprocess
import sys
from contextlib import contextmanager

import dagster as dg
import pytest

from pipelines.assets import table_key
from pipelines.jobs import build_definitions
from pipelines.lock import BusyError, build_lock, part_lock
from pipelines.run import run
from pipelines.settings import Settings
from pipelines.workspace import Workspace

HOLD = """
import sys
from pipelines.lock import build_lock, part_lock
from pipelines.settings import Settings
from pipelines.workspace import Workspace
ws = Workspace(Settings(_env_file=None, data=sys.argv[1]))
with part_lock(ws, *sys.argv[2:4], int(sys.argv[4])) if sys.argv[2:] else build_lock(ws, "somebody else"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ws(tmp_path, monkeypatch):
    for name in ("DATA", "STATE", "PROFILE", "OFFLINE", "MIRROR", "STATES"):
        # A build sets them for its children; they are put back afterwards.
        monkeypatch.setenv(f"MOBILITY_{name}", "")
        monkeypatch.delenv(f"MOBILITY_{name}")
    return Workspace(Settings(_env_file=None, data=str(tmp_path / "data"), states="44", offline=True))


@contextmanager
def held_by_another_process(ws, *part):
    """The build lock, or the lock of a part (stage, name, year)."""
    command = [sys.executable, "-c", HOLD, str(ws.root), *map(str, part)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        yield
        other.stdin.close()


def materialize(ws):
    """What the UI does: a run of the job, without the command line around it."""
    definitions = build_definitions(ws, patience=0)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("one_year").execute_in_process(
            partition_key="2018", asset_selection=[table_key("spine")], instance=instance, raise_on_error=False
        )
        events = instance.all_logs(result.run_id)
    return result.success, "\n".join(str(e.dagster_event) for e in events if e.is_dagster_event)


def test_a_run_of_the_ui_is_refused_while_another_build_works(ws):
    with held_by_another_process(ws):
        success, log = materialize(ws)
        assert not success
        assert "another build is running" in log
        assert "somebody else, process" in log
        assert not ws.path("tables", "spine", 2018).exists()
    success, log = materialize(ws)
    assert success, log
    assert ws.scan("tables", "spine", 2018) is not None


def test_the_command_line_is_refused_while_a_run_of_the_ui_works(ws):
    with held_by_another_process(ws), pytest.raises(BusyError, match="somebody else, process"):
        run(ws, ["living_wage"], [2022])
    assert not (ws.root / "PROFILE").exists()


def test_the_lock_is_waited_for(ws):
    with held_by_another_process(ws), pytest.raises(BusyError), build_lock(ws, "impatient", patience=0.3):
        pass
    with build_lock(ws, "patient", patience=30):
        assert (ws.settings.state_root / "build.lock").read_text().startswith("patient, process")


def test_runs_of_one_build_share_its_lock(ws):
    with build_lock(ws, "a build"):
        success, log = materialize(ws)
        assert success, log
        with build_lock(ws, "once more"):
            pass
    with held_by_another_process(ws), pytest.raises(BusyError), build_lock(ws, "after the build"):
        pass


def with_steps_of_their_own(ws):
    """The workspace of a run whose steps are processes of their own, so that the run has no lock."""
    return Workspace(ws.settings.model_copy(update={"executor": "multiprocess"}))


def test_steps_share_the_build_lock_and_have_their_part_alone(ws, monkeypatch):
    monkeypatch.setattr("pipelines.lock.PATIENCE", 0.0)
    steps = with_steps_of_their_own(ws)
    with held_by_another_process(ws, "tables", "spine", 2018):
        success, log = materialize(steps)
        assert not success
        assert "the step tables/spine 2018, process" in log
        with part_lock(ws, "tables", "spine", 2022), part_lock(ws, "estimates", "income", 2018):
            pass
        # Neither a build nor a release begins while a step writes.
        with pytest.raises(BusyError, match="the step"):
            run(ws, ["living_wage"], [2022])
    success, log = materialize(steps)
    assert success, log


def test_a_step_is_refused_while_a_build_works_and_does_without_a_lock_inside_one(ws, monkeypatch):
    monkeypatch.setattr("pipelines.lock.PATIENCE", 0.0)
    steps = with_steps_of_their_own(ws)
    with held_by_another_process(ws):
        success, log = materialize(steps)
        assert not success
        assert "somebody else, process" in log
        assert not ws.path("tables", "spine", 2018).exists()
    with build_lock(ws, "a build"):
        success, log = materialize(steps)
        assert success, log


def test_a_release_of_separate_steps_waits_for_the_steps_that_write(ws, monkeypatch):
    monkeypatch.setattr("pipelines.assets.PATIENCE", 0.0)
    job = build_definitions(with_steps_of_their_own(ws)).resolve_job_def("candidate")
    with held_by_another_process(ws, "tables", "spine", 2018), dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        events = instance.all_logs(result.run_id)
    assert not result.success
    assert "the step tables/spine 2018, process" in "\n".join(str(e.dagster_event) for e in events)


def test_a_sensor_looks_while_a_build_works(ws):
    live = Workspace(ws.settings.model_copy(update={"profile": "live"}))
    definitions = build_definitions(live, patience=0)
    resources = definitions.get_repository_def().get_top_level_resources()
    with held_by_another_process(ws), dg.build_sensor_context(resources={"workspace": resources["workspace"]}) as looks:
        result = definitions.resolve_sensor_def("inbox").evaluate_tick(looks)
    assert result.skip_message == "nothing new in the inbox"
