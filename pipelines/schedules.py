"""Looking for new editions when the agencies usually release them: a job, and a schedule per source.

A look asks servers for news and takes nothing. What has arrived is then built, only the predictors that read it, into
a candidate release. Nothing promotes itself. All schedules are stopped until somebody switches them on.
"""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from pipelines import pictures
from pipelines.affected import affected, waiting_years
from pipelines.assets import OWNERS, raw_key
from pipelines.freshness import MEANING, inventory
from pipelines.run import run
from pipelines.workspace import Workspace
from schemas.errors import MobilityError
from sources.framework.calendar import rhythm_of
from sources.framework.watch import Look, News, look
from sources.registry import all_sources

INVENTORY = dg.AssetKey(["raw", "source_inventory"])
TIMEZONE = "America/New_York"


class Sources(dg.Config):
    """Which sources to look at; none named means all."""

    sources: list[str] = Field(default_factory=list)


def look_at(ws: Workspace, source: str) -> Look:
    """Look at one source; editions that no table waits for are not asked about."""
    declared = all_sources()[source]
    return look(declared, ws.retrieval(), missing_only=waiting_years(ws, declared))


def arrivals(looks: list[Look]) -> dict[int, list[str]]:
    """Year -> predictors that what has arrived is for."""
    found: dict[int, set[str]] = {}
    for one in looks:
        for finding in one.of(News.ARRIVED):
            for year, predictors in affected(finding.source, finding.data_years).items():
                found.setdefault(year, set()).update(predictors)
    return {year: sorted(predictors) for year, predictors in sorted(found.items())}


@dg.op(description="Ask the sources for new editions, and whether old ones were changed. Nothing is taken.")
def look_for_editions(
    context: dg.OpExecutionContext, config: Sources, workspace: dg.ResourceParam[Workspace]
) -> dict[str, list[str]]:
    """Returns year -> predictors that have something new to read."""
    unknown = sorted(set(config.sources) - set(all_sources()))
    if unknown:
        raise dg.Failure(f"no source {', '.join(unknown)}; there are: {', '.join(all_sources())}", allow_retries=False)
    looks = [look_at(workspace, source) for source in config.sources or list(all_sources())]
    for one in looks:
        for finding in one.findings:
            say = context.log.warning if finding.news in (News.REVISED, News.UNDECLARED) else context.log.info
            say("%s %s %s: %s", finding.source, finding.vintage, finding.news, finding.text)
        context.log_event(
            dg.AssetObservation(
                raw_key(one.source),
                metadata={
                    "looked at": one.looked_at,
                    "news": pictures.records([_shown(f) for f in one.findings]) or "nothing new",
                },
            )
        )
    return {str(year): predictors for year, predictors in arrivals(looks).items()}


def _shown(finding: Any) -> dict[str, str]:
    return {"edition": finding.vintage, "what": str(finding.news), "text": finding.text, "url": finding.url or ""}


@dg.op(description="Build what the new editions change, and only that, into a candidate release.")
def build_candidate(
    context: dg.OpExecutionContext, waiting: dict[str, list[str]], workspace: dg.ResourceParam[Workspace]
) -> dict[str, Any]:
    """Year by year only the predictors concerned; one candidate at the end."""
    return candidate_of(context, workspace, waiting)


def candidate_of(context: dg.OpExecutionContext, workspace: Workspace, waiting: dict[str, list[str]]) -> dict[str, Any]:
    """Build these predictors (year -> keys) and make a candidate of them and all others; nothing if there are none."""
    if not waiting:
        context.log.info("Nothing new has come: nothing is built, no candidate is made.")
        return {"release": None, "candidate": False, "built": {}, "failed": [], "owed": []}
    steps = {int(year): predictors for year, predictors in waiting.items()}
    failed: dict[str, str] = {}
    owed: set[str] = set()
    release, made = None, False
    ordered = list(steps.items())
    for i, (year, predictors) in enumerate(ordered):
        last = i == len(ordered) - 1
        try:
            report = run(workspace, predictors, [year], publish=last, candidate=True)
        except MobilityError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        failed |= report.failed
        owed |= {f"{o['source']} {o['vintage']}" for o in report.owed}
        release, made = report.release, report.candidate
    for name, text in failed.items():
        context.log.error("%s: %s (the last good result of it stays)", name, text)
    if release is None:
        raise dg.Failure(f"No release was made: {'; '.join(failed.values()) or 'see the runs'}", allow_retries=False)
    context.log.info("%s %s; `mobility publish %s` promotes it", "candidate" if made else "release", release, release)
    return {"release": release, "candidate": made, "built": waiting, "failed": sorted(failed), "owed": sorted(owed)}


@dg.job(description="Look for new editions; if some have come, build what they change into a candidate release.")
def look_for_news() -> None:
    """Look, then build."""
    build_candidate(look_for_editions())


@dg.asset(
    key=INVENTORY,
    group_name="sources",
    description="Every source: present, fresh, stale or owed; newest edition, the one expected next, last look, news.",
    owners=OWNERS,
    kinds={"table"},
    tags={"stage": "raw"},
)
def source_inventory(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """What `mobility sources --freshness` prints."""
    rows = inventory(workspace, datetime.now(UTC).date())
    counts = {state: sum(1 for r in rows if r.state == state) for state in MEANING}
    return dg.MaterializeResult(
        metadata={
            "sources": pictures.records([r.row() for r in rows]) or "",
            **{state: dg.MetadataValue.text(f"{n}: {MEANING[state]}") for state, n in counts.items()},
        },
    )


def schedules() -> list[dg.ScheduleDefinition]:
    """One schedule per source that brings out new editions, after its release calendar; stopped at first."""
    found = [
        dg.ScheduleDefinition(
            name=f"look_for_{source}",
            job=look_for_news,
            cron_schedule=cron,
            execution_timezone=TIMEZONE,
            run_config={"ops": {"look_for_editions": {"config": {"sources": [source]}}}},
            tags={"source": source},
            description=f"{all_sources()[source].dataset}: {rhythm.note}. Looks, builds a candidate, promotes nothing.",
            default_status=dg.DefaultScheduleStatus.STOPPED,
        )
        for source in all_sources()
        if (cron := (rhythm := rhythm_of(source)).cron) is not None
    ]
    inventory_job = dg.define_asset_job("source_inventory", selection=dg.AssetSelection.assets(INVENTORY))
    found.append(
        dg.ScheduleDefinition(
            name="take_inventory",
            job=inventory_job,
            cron_schedule="0 7 * * 1",
            execution_timezone=TIMEZONE,
            description="What is present, fresh, stale and owed, every Monday.",
            default_status=dg.DefaultScheduleStatus.STOPPED,
        )
    )
    return found
