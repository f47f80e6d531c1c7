"""What Dagster is given has been reviewed: assets, groups, checks, jobs, schedules, sensors."""

import difflib

from definitions_snapshot import FILE, snapshot

from pipelines.jobs import build_definitions
from pipelines.settings import Settings
from pipelines.workspace import Workspace


def test_definitions_are_the_reviewed_ones():
    reviewed, found = FILE.read_text(encoding="utf-8"), snapshot()
    changes = "\n".join(
        difflib.unified_diff(reviewed.splitlines(), found.splitlines(), "reviewed", "found", lineterm="")
    )
    assert not changes, f"review, then run `python tests/definitions_snapshot.py` (or `make snapshot`):\n{changes}"


def test_the_snapshot_tells_what_matters():
    text = snapshot()
    assert "estimates/employment" in text
    assert "made of tables/acs1_persons, tables/acs5_persons, tables/puma_allocation, tables/spine" in text
    assert "keys (blocking), plausible, values (blocking)" in text.replace("inputs_present, ", "")
    assert "group rewarding_work" in text


def test_checks_of_years_are_kept_by_year(tmp_path):
    """Years are made side by side: else a page holds the checks of one year against the run of another."""
    graph = build_definitions(Workspace(Settings(_env_file=None, data=str(tmp_path)))).resolve_asset_graph()
    by_year = [key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def is not None]
    assert by_year
    for key in by_year:
        for check in graph.get(key).check_keys:
            assert graph.get_check_spec(check).partitions_def == graph.get(key).partitions_def, check
