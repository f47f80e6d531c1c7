"""What Dagster is given has been reviewed: assets, groups, checks, jobs, schedules, sensors."""

import difflib

from definitions_snapshot import FILE, snapshot


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
