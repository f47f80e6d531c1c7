"""Jobs of the refresh: bring some predictors up to date into a candidate, and promote a candidate."""

from typing import Any

import dagster as dg
from pydantic import Field

from pipelines.assets import RELEASE
from pipelines.lock import build_lock
from pipelines.release import promote_release
from pipelines.run import run
from pipelines.workspace import Workspace
from schemas.errors import MobilityError


class Refresh(dg.Config):
    """What to bring up to date, and why. Empty lists mean all built predictors, and all their years."""

    predictors: list[str] = Field(default_factory=list)
    years: list[int] = Field(default_factory=list)
    reason: str = "asked for by hand"


class Promote(dg.Config):
    """The candidate (or the earlier release) that becomes the latest."""

    release: str


@dg.op(description="Bring the chosen predictors up to date and make a candidate release of them and all others.")
def refresh_candidate(
    context: dg.OpExecutionContext, config: Refresh, workspace: dg.ResourceParam[Workspace]
) -> dict[str, Any]:
    """What `mobility build --candidate` does; the runs of the years stand beside this one in the list."""
    from pipelines.run import built_predictors

    context.log.info("%s", config.reason)
    report = run(workspace, config.predictors or built_predictors(), config.years or None, candidate=True)
    for name, text in report.failed.items():
        context.log.error("%s: %s (the last good result of it stays)", name, text)
    for item in report.owed:
        context.log.warning("owed: %s %s for %s: %s", item["source"], item["vintage"], item["year"], item["recipe"])
    if report.release is None:
        raise dg.Failure("No release was made; see the errors above.", allow_retries=False)
    told = {
        "release": report.release,
        "folder": report.folder,
        "candidate": report.candidate,
        "failed": sorted(report.failed),
        "owed": sorted({f"{o['source']} {o['vintage']}" for o in report.owed}),
    }
    context.log.info("%s", told)
    return told


@dg.op(description="Make a candidate the latest release: its checksums are compared, it is moved, LATEST moves last.")
def promote_candidate(context: dg.OpExecutionContext, config: Promote, workspace: dg.ResourceParam[Workspace]) -> str:
    """What `mobility publish RELEASE` does."""
    try:
        with build_lock(workspace):
            before = promote_release(workspace, config.release)
    except MobilityError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    context.log_event(
        dg.AssetMaterialization(
            RELEASE, description="promoted", metadata={"release": config.release, "before": before or "none"}
        )
    )
    return config.release


@dg.job(description="Bring predictors up to date into a candidate release; schedules and the inbox sensor start it.")
def refresh() -> None:
    """One step; it starts a run per data year."""
    refresh_candidate()


@dg.job(description="Promote a candidate: give the name of the release in the launchpad.")
def promote() -> None:
    """One step, started by people only."""
    promote_candidate()
