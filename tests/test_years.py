"""Data years one after another and side by side: the same results, the same reports."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.lock import build_lock
from pipelines.settings import Settings
from pipelines.workspace import Workspace
from pipelines.years import Runs, processes

DUE = {2018: (["spine"], []), 2021: (["spine"], ["living_wage"]), 2022: (["spine"], [])}
MANY = {year: ([f"table {i}" for i in range(40)], ["living_wage"]) for year in range(2014, 2024)}


def settings(root, **changes):
    return Settings(_env_file=None, data=str(root), states="44", offline=True, **changes)


@pytest.fixture(autouse=True)
def _own_records(tmp_path, monkeypatch):
    monkeypatch.setenv("MOBILITY_STATE", str(tmp_path / "state"))


def build(root, processes):
    told = []
    ws = Workspace(settings(root, processes=processes), progress=lambda *message: told.append(message))
    ws.settings.state_root.mkdir(parents=True)
    with build_lock(ws):
        runs = Runs(ws)
        unexpected = runs.years(DUE)
        runs.close()
    years = {
        (kind, name, y)
        for y, of in DUE.items()
        for kind, names in zip(("tables", "estimates"), of, strict=True)
        for name in names
    }
    hashes = {}
    for kind, name, year in years:
        account = ws.account(kind, name, year)
        hashes[kind, name, year] = None if account is None else (account.fingerprint, account.content_hash)
    return unexpected, sorted(told), hashes


def test_side_by_side_gives_what_one_after_another_gives(tmp_path, monkeypatch):
    found = []
    for count in (1, 2):
        state = tmp_path / f"state {count}"
        monkeypatch.setenv("MOBILITY_STATE", str(state))
        found.append(build(tmp_path / f"data {count}", count))
    one, two = found
    assert one == two
    unexpected, told, hashes = one
    assert unexpected == {}
    assert ("table", "spine 2018", "built") in told
    assert ("estimates", "living_wage 2021", "built") in told
    assert all(hashes.values())


def test_what_nobody_foresaw_in_another_process_is_reported(tmp_path):
    ws = Workspace(settings(tmp_path / "data", processes=2))
    ws.settings.state_root.mkdir(parents=True, exist_ok=True)
    with build_lock(ws):
        # A predictor without its spine cannot be computed: an input error, told by the step itself.
        told = []
        ws.progress = lambda *message: told.append(message)
        runs = Runs(ws)
        runs.years({2021: ([], ["living_wage"]), 2022: ([], ["living_wage"])})
        runs.close()
    failed = {name for _, name, status in told if status.startswith("failed: ")}
    assert failed == {"living_wage 2021", "living_wage 2022"}


def test_how_many_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    here = settings(tmp_path)
    assert processes(here, MANY) == 2
    assert processes(here, DUE) == 1, "not worth it"
    assert processes(here.model_copy(update={"offline": False}), MANY) == 1, "no file is fetched twice"
    assert processes(settings(tmp_path, processes=5), MANY) == 5
    assert processes(settings(tmp_path, processes=5), DUE) == 3
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert processes(here, MANY) == 1


BUILD_WITH_A_PROCESS = """
import multiprocessing, time
from pipelines.years import _end_with_the_build

if __name__ == "__main__":
    part = multiprocessing.get_context("spawn").Process(target=_end_with_the_build)
    part.start()
    print(part.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_process_of_a_killed_build_lives_on(tmp_path):
    """The lock is free then; a process that went on writing would write into the next build's files."""
    script = tmp_path / "build.py"
    script.write_text(BUILD_WITH_A_PROCESS)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as build:
        part = Path(f"/proc/{build.stdout.readline().strip()}/stat")
        time.sleep(5)
        assert part.exists(), "it must still be there while the build lives"
        build.kill()
    until = time.monotonic() + 20
    while part.exists() and part.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.2)
    assert not part.exists() or part.read_text().split()[2] == "Z"
