"""The inbox sensor: a file that a person drops there is checked, filed, and what waited for it is built."""

import json
import warnings
from typing import Any

import dagster as dg

from pipelines.affected import affected
from pipelines.assets import raw_key
from pipelines.schedules import candidate_of
from pipelines.workspace import Workspace
from schemas.errors import MobilityError
from sources.framework.inbox import HandedIn, clear_reason, handed_in, refuse, take
from sources.registry import all_sources, all_tables

# Dagster warns of a parameter of its own when it copies a sensor.
warnings.filterwarnings("ignore", message="Parameter `owners`", category=dg.BetaWarning)


class Files(dg.Config):
    """Files of the inbox, by path below it."""

    files: list[str]


@dg.op(description="Check files of the inbox and file them in the raw store; a bad one is refused in writing.")
def take_files(
    context: dg.OpExecutionContext, config: Files, workspace: dg.ResourceParam[Workspace]
) -> dict[str, list[str]]:
    """Returns year -> predictors that read what was filed."""
    waiting: dict[int, set[str]] = {}
    there = {item.path: item for item in handed_in(workspace.root)}
    for path in config.files:
        if path not in there:
            context.log.warning("%s is not in the inbox any more", path)
            continue
        taken = take_one(context, workspace, there[path])
        for year, predictors in taken.items():
            waiting.setdefault(year, set()).update(predictors)
    return {str(year): sorted(predictors) for year, predictors in sorted(waiting.items())}


def take_one(context: dg.OpExecutionContext, ws: Workspace, item: HandedIn) -> dict[int, list[str]]:
    """File one file; a refusal is written beside it and ends nothing else."""
    source = all_sources().get(item.source)
    if source is None:
        return _refused(context, ws, item, f"There is no source {item.source}. There are: {', '.join(all_sources())}.")
    try:
        filed = take(item, source, [t for t in all_tables().values() if source.key in t.sources], ws.retrieval())
    except MobilityError as error:
        return _refused(context, ws, item, str(error))
    clear_reason(item, ws.root)
    context.log.info("%s filed as %s %s (sha256 %s)", item.path, filed.source, filed.vintage, filed.sha256)
    context.log_event(
        dg.AssetObservation(
            raw_key(source.key),
            metadata={"handed in": item.name, "edition": filed.vintage, "sha256": filed.sha256, "bytes": filed.bytes},
        )
    )
    return affected(source.key, source.vintage(filed.vintage).data_years)


def _refused(context: dg.OpExecutionContext, ws: Workspace, item: HandedIn, reason: str) -> dict[int, list[str]]:
    context.log.error("refused: %s (written to %s)", reason, refuse(item, ws.root, reason))
    return {}


@dg.op(description="Build what waited for the files, and only that, into a candidate release.")
def build_what_waited(
    context: dg.OpExecutionContext, waiting: dict[str, list[str]], workspace: dg.ResourceParam[Workspace]
) -> dict[str, Any]:
    """Year by year only the predictors concerned; one candidate at the end."""
    return candidate_of(context, workspace, waiting)


@dg.job(description="Take files from the inbox, then build what waited for them into a candidate release.")
def take_from_inbox() -> None:
    """Take, then build."""
    build_what_waited(take_files())


@dg.sensor(
    job=take_from_inbox,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Watches inbox/<source>/. A file is taken once it has not changed between two looks, and once only: after a "
        "refusal it is looked at again when it is replaced."
    ),
)
def inbox(context: dg.SensorEvaluationContext, workspace: dg.ResourceParam[Workspace]) -> dg.SensorResult:
    """The cursor holds each file's stamp, and whether it was asked for."""
    if workspace.profile == "sample":
        return dg.SensorResult(skip_reason="A sample build takes no files from people.", cursor=context.cursor)
    known: dict[str, dict[str, Any]] = json.loads(context.cursor) if context.cursor else {}
    now = {item.path: item for item in handed_in(workspace.root)}
    settled = [
        item
        for path, item in now.items()
        if path in known and known[path]["stamp"] == item.stamp and not known[path]["asked"]
    ]
    asked = {item.path for item in settled}
    cursor = {
        path: {
            "stamp": item.stamp,
            "asked": path in asked
            or (path in known and known[path]["stamp"] == item.stamp and bool(known[path]["asked"])),
        }
        for path, item in now.items()
    }
    text = json.dumps(cursor, sort_keys=True)
    if not settled:
        new = sum(1 for entry in cursor.values() if not entry["asked"])
        reason = f"{new} files are still arriving" if new else "nothing new in the inbox"
        return dg.SensorResult(skip_reason=reason, cursor=text)
    key = ";".join(f"{item.path}@{item.stamp}" for item in settled)
    request = dg.RunRequest(
        run_key=key, run_config={"ops": {"take_files": {"config": {"files": [item.path for item in settled]}}}}
    )
    return dg.SensorResult(run_requests=[request], cursor=text)
