"""The Dagster runs of data years: one after another, or in several processes side by side.

Data years share nothing but sources: a year's tables and estimates are files of their own, the raw store is locked
while it is written to, and scratch files are named by what they are made from.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from threading import Thread
from typing import Any

import dagster as dg

from pipelines.assets import CANDIDATE, RELEASE, estimates_key, table_key
from pipelines.jobs import build_definitions
from pipelines.lock import inherit
from pipelines.settings import PROJECT, Settings
from pipelines.workspace import Progress, Workspace
from schemas.errors import MobilityError

Steps = tuple[list[str], list[str]]
"""Tables and predictors to bring up to date in a year."""

Unexpected = dict[str, str]
"""Step and year -> what went wrong in it that nobody foresaw."""

_QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
# A process takes some seconds to start, in which another one does some hundred steps.
_STEPS_WORTH_A_PROCESS = 100


class Runs:
    """Dagster runs in this process, for a workspace whose progress they report."""

    def __init__(self, ws: Workspace) -> None:
        # What a run is going to do is some hundred events: store them together.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")
        self.instance = dg.DagsterInstance.from_config(str(PROJECT))
        self._ws = ws
        self._definitions: dg.Definitions | None = None

    @property
    def definitions(self) -> dg.Definitions:
        """The assets and jobs, made when they are first needed."""
        if self._definitions is None:
            self._definitions = build_definitions(self._ws)
        return self._definitions

    def year(self, year: int, steps: Steps) -> Unexpected:
        """Bring these tables and predictors of a year up to date."""
        tables, predictors = steps
        keys = [*(table_key(t) for t in tables), *(estimates_key(p) for p in predictors)]
        return self._run("one_year", keys, str(year))

    def years(self, due: Mapping[int, Steps]) -> Unexpected:
        """Bring all these years up to date, in this process if one is enough."""
        count = processes(self._ws.settings, due)
        found = _side_by_side(self._ws, due, count) if count > 1 else [self.year(*one) for one in due.items()]
        return {what: text for one in found for what, text in one.items()}

    def release(self, *, candidate: bool = False) -> Unexpected:
        """Publish what lies in the data root, or make a candidate release of it."""
        job, asset = ("candidate", CANDIDATE) if candidate else ("publish", RELEASE)
        return self._run(job, [asset], None)

    def _run(self, job: str, keys: Sequence[dg.AssetKey], partition: str | None) -> Unexpected:
        failed: dict[str, str] = {}
        seen = self._ws.progress

        def watch(stage: str, name: str, status: str) -> None:
            if status.startswith("failed: "):
                failed[name] = status
            seen(stage, name, status)

        self._ws.progress = watch
        try:
            result = self.definitions.resolve_job_def(job).execute_in_process(
                partition_key=partition,
                asset_selection=list(keys),
                instance=self.instance,
                raise_on_error=False,
                run_config=_QUIET,
            )
        finally:
            self._ws.progress = seen
        return _unexpected(result, failed, partition or job)

    def close(self) -> None:
        """Let go of Dagster's records."""
        self.instance.dispose()


def processes(settings: Settings, due: Mapping[int, Steps]) -> int:
    """How many processes to share the years among: as many as the setting says, but no more than there are years.

    Without a setting: one where files are fetched, so that none is fetched twice; else two (each may hold a nation's
    microdata), if the machine has two processors and there is enough to do to be worth the start of a second one.
    """
    if settings.processes is not None:
        return min(settings.processes, len(due))
    steps = sum(len(tables) + len(predictors) for tables, predictors in due.values())
    enough = len(due) > 1 and steps >= _STEPS_WORTH_A_PROCESS
    return 2 if settings.offline and enough and (os.cpu_count() or 1) > 1 else 1


def _unexpected(result: dg.ExecuteInProcessResult, failed: Mapping[str, str], what: str) -> Unexpected:
    """Step failures that are not already reported in words (errors of the program itself)."""
    found: Unexpected = {}
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause if error is not None and error.cause is not None else error
            text = cause.message.strip() if cause is not None else "failed"
            step = (event.step_key or what).removeprefix("estimates__").removeprefix("tables__")
            known = any(name.split(" ")[0] == step for name in failed)
            if not known and not text.startswith("dagster._core.definitions.events.Failure"):
                found[f"{step} {what}"] = text
                print(error.to_string() if error is not None else text, file=sys.stderr)
    return found


# --- Several processes -----------------------------------------------------------------------------------------------

Message = tuple[str, str, str] | None
_of_this_process: Runs | None = None


def _side_by_side(ws: Workspace, due: Mapping[int, Steps], count: int) -> list[Unexpected]:
    context = multiprocessing.get_context("spawn")
    messages: SimpleQueue[Message] = context.SimpleQueue()
    teller = Thread(target=_tell, args=(messages, ws.progress), daemon=True)
    teller.start()
    # The years with most to do first: the last ones to end are short then.
    order = sorted(due, key=lambda year: (-sum(map(len, due[year])), year))
    try:
        with ProcessPoolExecutor(count, context, _begin, (replace(ws, progress=_silent), messages)) as pool:
            coming = {pool.submit(_work, year, due[year]): year for year in order}
            done = {coming[future]: future.result() for future in as_completed(coming)}
    except BrokenProcessPool as error:
        raise MobilityError(
            "a process that worked on some of the data years ended before its time (was memory short?). What was done "
            "is kept; run the same command again, with MOBILITY_PROCESSES=1 to work on one year at a time."
        ) from error
    finally:
        messages.put(None)
        teller.join()
    return [done[year] for year in due]


def _tell(messages: "SimpleQueue[Message]", progress: Progress) -> None:
    while (message := messages.get()) is not None:
        progress(*message)


def _silent(*_: str) -> None:
    """Progress that nobody watches."""


def _end_with_the_build() -> None:
    """A build that is killed lets go of its lock: its other processes must not go on writing."""
    build = multiprocessing.parent_process()
    if build is not None:
        wait([build.sentinel])
        os._exit(1)


def _begin(ws: Workspace, messages: "SimpleQueue[Message]") -> None:
    """Make ready a process for the years that it will be given."""
    Thread(target=_end_with_the_build, daemon=True).start()
    global _of_this_process  # noqa: PLW0603
    tell: Callable[[Message], None] = messages.put
    ws.progress = lambda *message: tell(message)
    inherit(ws)
    _of_this_process = Runs(ws)


def _work(year: int, steps: Steps) -> Unexpected:
    assert _of_this_process is not None
    return _of_this_process.year(year, steps)
