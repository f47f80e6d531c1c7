"""What Dagster is given, as text that a person can review in a diff.

`python tests/definitions_snapshot.py` writes `tests/snapshots/definitions.txt` anew; look at the diff before it is
committed. `tests/test_definitions_snapshot.py` compares.
"""

import tempfile
from pathlib import Path

import dagster as dg

from pipelines.jobs import build_definitions
from pipelines.settings import Settings
from pipelines.workspace import Workspace

FILE = Path(__file__).parent / "snapshots" / "definitions.txt"


def _years(partitions: dg.PartitionsDefinition | None) -> str:
    if partitions is None:
        return "not partitioned"
    keys = partitions.get_partition_keys()
    return f"{keys[0]} to {keys[-1]}"


def snapshot() -> str:
    """Assets by group with what they are made from, their checks, then jobs, schedules and sensors."""
    # An empty data root: what lies in that of a developer must not show.
    with tempfile.TemporaryDirectory() as folder:
        defs = build_definitions(Workspace(Settings(_env_file=None, data=folder, profile="sample")))
    graph = defs.resolve_asset_graph()
    lines = []
    for group in sorted({graph.get(key).group_name or "" for key in graph.get_all_asset_keys()}):
        lines += ["", f"group {group}", "-" * (6 + len(group))]
        for key in sorted(k for k in graph.get_all_asset_keys() if graph.get(k).group_name == group):
            node = graph.get(key)
            tags = {k: v for k, v in node.tags.items() if not k.startswith("dagster/")}
            lines.append(key.to_user_string())
            lines.append(f"    years   {_years(node.partitions_def)}")
            lines.append(f"    owner   {', '.join(sorted(node.owners))}; kinds {', '.join(sorted(node.kinds))}")
            lines.append(f"    tags    {', '.join(f'{k}={v}' for k, v in sorted(tags.items()))}")
            if node.parent_keys:
                lines.append(f"    made of {', '.join(sorted(p.to_user_string() for p in node.parent_keys))}")
            checks = sorted(node.check_keys, key=lambda c: c.name)
            blocking = {c.name: graph.get_check_spec(c).blocking for c in checks}
            said = ", ".join(f"{name}{' (blocking)' if stops else ''}" for name, stops in blocking.items())
            if said:
                lines.append(f"    checks  {said}")
    resolved = defs.get_repository_def()
    lines += ["", "jobs", "----"]
    hidden = "__ASSET_JOB"
    lines += [
        f"{job.name}: {job.description or ''}" for job in sorted(resolved.get_all_jobs(), key=lambda j: j.name)
        if not job.name.startswith(hidden)
    ]  # fmt: skip
    lines += ["", "schedules", "---------"]
    lines += [
        f"{s.name}: {s.cron_schedule}, runs {s.job_name}, {s.default_status.value.lower()}"
        for s in sorted(resolved.schedule_defs, key=lambda s: s.name)
    ]
    lines += ["", "sensors", "-------"]
    lines += [f"{s.name}: runs {s.job_name or 'nothing'}" for s in sorted(resolved.sensor_defs, key=lambda s: s.name)]
    return "\n".join(line.rstrip() for line in lines).strip() + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(snapshot(), encoding="utf-8")
    print(f"written: {FILE}")
