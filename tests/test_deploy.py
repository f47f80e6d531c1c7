"""The same definitions under other executors, and the configurations for more than one machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from refresh_support import workspace, write_raw

from pipelines.jobs import build_definitions, executor_of
from pipelines.settings import PROJECT, Settings
from schemas.errors import MobilityError
from sources.synthetic import STATE_CODES

DEPLOY = PROJECT / "docs" / "deploy"


def test_the_multiprocess_executor_builds_a_table(tmp_path):
    write_raw(tmp_path / "data", (2022,), ("wonder_natality", "popest"))
    home = tmp_path / "home"
    home.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MOBILITY_", "DAGSTER_"))}
    environment = {
        **clean,
        "DAGSTER_HOME": str(home),
        "MOBILITY_DATA": str(tmp_path / "data"),
        "MOBILITY_PROFILE": "sample",
        "MOBILITY_OFFLINE": "1",
        "MOBILITY_STATES": ",".join(STATE_CODES),
        "MOBILITY_EXECUTOR": "multiprocess",
    }
    select = 'key:"tables/births_county"'
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "pipelines.definitions"]
    done = subprocess.run(
        [*command, "--select", select, "--partition", "2022"],
        env=environment, capture_output=True, text=True, check=False, timeout=600, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "subprocess" in done.stderr.lower(), "the step ran in a process of its own"
    made = workspace(tmp_path / "data")
    assert made.scan("tables", "births_county", 2022) is not None
    # The step, not the run, had the lock of what it wrote.
    lock = (made.settings.state_root / "locks/tables-births_county-2022.lock").read_text()
    run_process = re.search(r"- (\d+) - RUN_START", done.stderr)
    assert run_process is not None
    assert re.match(r"the step tables/births_county 2022, process (?!" + run_process[1] + r"\b)\d+,", lock)


def test_executors_by_name(tmp_path):
    assert executor_of("in_process") is dg.in_process_executor
    assert executor_of("dagster.multiprocess_executor") is dg.multiprocess_executor
    for name in ("nothing", "no.such_executor", "dagster.asset"):
        with pytest.raises(MobilityError, match="MOBILITY_EXECUTOR"):
            executor_of(name)
    made = build_definitions(workspace(tmp_path, executor="multiprocess"))
    assert made.resolve_job_def("one_year").executor_def.name == "multiprocess"


@pytest.mark.parametrize("name", ["dagster-kubernetes.yaml", "dagster-queue.yaml"])
def test_instance_configurations_hold_known_keys_and_no_secret(name):
    from dagster._config import process_config
    from dagster._core.instance.config import dagster_instance_config_schema

    config = yaml.safe_load((DEPLOY / name).read_text())
    assert set(config) <= set(dagster_instance_config_schema())
    checked = process_config(dagster_instance_config_schema(), {k: v for k, v in config.items() if k != "storage"})
    assert checked.success, checked.errors
    secrets = [config["storage"]["postgres"]["postgres_db"][key] for key in ("hostname", "username", "password")]
    assert all(set(secret) == {"env"} for secret in secrets)


def test_the_chart_names_settings_that_exist():
    values = yaml.safe_load((DEPLOY / "values-kubernetes.yaml").read_text())
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    fields = {f"MOBILITY_{name.upper()}" for name in Settings.model_fields}
    assert {entry["name"] for entry in deployment["env"]} <= fields
    assert deployment["dagsterApiGrpcArgs"] == ["-m", "pipelines.definitions"]
    assert not values["ingress"]["enabled"]


def test_the_page_names_files_that_are_there():
    text = (DEPLOY / "README.md").read_text()
    for path in DEPLOY.glob("*.yaml"):
        assert path.name in text
    assert Path(DEPLOY / "README.md").exists()
