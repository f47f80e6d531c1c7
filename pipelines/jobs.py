"""The jobs, and everything Dagster needs to know, for a given workspace."""

import importlib
from collections.abc import Iterator

import dagster as dg

from pipelines.assets import CANDIDATE, RELEASE, YEARS, all_assets
from pipelines.lock import PATIENCE, build_lock
from pipelines.refresh_jobs import promote, refresh
from pipelines.schedules import INVENTORY, look_for_news, schedules, source_inventory
from pipelines.sensors import inbox, take_from_inbox
from pipelines.workspace import Workspace
from schemas.errors import MobilityError


def executor_of(name: str) -> dg.ExecutorDefinition:
    """The executor of a setting: `in_process`, `multiprocess`, or a dotted name (`dagster_k8s.k8s_job_executor`)."""
    known = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}
    if name in known:
        return known[name]
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise MobilityError(f"MOBILITY_EXECUTOR: there is no executor {name!r} ({error}).") from error
    if not isinstance(found, dg.ExecutorDefinition):
        raise MobilityError(f"MOBILITY_EXECUTOR: {name} is no executor.")
    return found


def build_definitions(workspace: Workspace, *, patience: float = PATIENCE) -> dg.Definitions:
    """All assets and jobs, working on this workspace, in one process.

    Whoever starts a run, command line or UI: it has the build lock from its first step to its last, or fails with the
    message who has it. Under other executors than `in_process` the steps have locks instead (`lock.part_lock`).
    """

    @dg.resource(description="Data root, state folder, profile and scope; with the build lock as long as a run lasts.")
    def locked_workspace(context: dg.InitResourceContext) -> Iterator[Workspace]:
        if context.run is None or workspace.settings.executor != "in_process":
            # A sensor only looks. Steps that are processes of their own take the lock of the part that they write.
            workspace.look_again()
            yield workspace
            return
        with build_lock(workspace, f"Dagster run {context.run.run_id[:8]}", patience=patience):
            workspace.look_again()
            yield workspace

    by_year = dg.define_asset_job(
        "one_year",
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(RELEASE, CANDIDATE, INVENTORY),
        partitions_def=YEARS,
        description="All tables and estimates of one data year.",
    )
    publish = dg.define_asset_job(
        "publish",
        selection=dg.AssetSelection.assets(RELEASE),
        description="Publish what has been estimated as a release.",
    )
    candidate = dg.define_asset_job(
        "candidate",
        selection=dg.AssetSelection.assets(CANDIDATE),
        description="Make a candidate release of what has been estimated.",
    )
    return dg.Definitions(
        assets=[*all_assets(workspace), source_inventory],
        jobs=[by_year, publish, candidate, refresh, promote, look_for_news, take_from_inbox],
        schedules=schedules(),
        sensors=[inbox],
        resources={"workspace": locked_workspace},
        executor=executor_of(workspace.settings.executor),
    )
