"""Running Dagster in this process for a choice of predictors and years; what the command line calls."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from outputs.promote import CANDIDATES, PUBLISHED
from pipelines.calibrate import PUBLISHED_TABLE, calibrates
from pipelines.derived import derived_tables, table, upstream, with_upstream
from pipelines.engine import estimates_are_fresh, table_is_fresh
from pipelines.horizon import catalog
from pipelines.judge import is_judged
from pipelines.lock import build_lock
from pipelines.release import last_candidate, last_release, left_out
from pipelines.substitutes import entry_of
from pipelines.workspace import Workspace
from schemas.errors import MobilityError
from sources.registry import all_tables

if TYPE_CHECKING:
    from pipelines.years import Runs


@dataclass
class RunReport:
    """What happened: steps that failed, inputs that are owed, the release that was published."""

    failed: dict[str, str] = field(default_factory=dict)
    owed: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    release: str | None = None
    folder: str | None = None
    left_out: dict[str, list[int]] = field(default_factory=dict)
    candidate: bool = False


def built_predictors() -> list[str]:
    """Keys of the predictors that can be computed."""
    return [key for key, entry in catalog().items() if entry.built]


def plan(
    predictors: list[str], years: list[int] | None, ws: Workspace | None = None
) -> dict[int, tuple[list[str], list[str]]]:
    """Year -> (tables, predictors) to bring up to date: only what these predictors need in that year.

    With the workspace, substitutes that are in use there take the place of a predictor's own source.
    """
    known = {y for p in predictors for y in catalog()[p].predictor.years}
    chosen = sorted(known & set(years)) if years else sorted(known)
    steps: dict[int, tuple[list[str], list[str]]] = {}
    for year in chosen:
        active = [p for p in predictors if year in catalog()[p].predictor.years]
        needed = {name for p in active for name in tables_of(p, year, ws)} | {"spine"}
        if ws is not None and ws.profile == "live":
            # Nothing is computed from it: the release puts these figures beside ours.
            metrics = [m.column for p in active for m in catalog()[p].predictor.metrics]
            needed |= {PUBLISHED_TABLE} if calibrates(metrics) else set()
        tables = [name for name in with_upstream(needed) if year in table(name).years]
        steps[year] = (tables, active)
    return steps


def stale(ws: Workspace, steps: dict[int, tuple[list[str], list[str]]]) -> dict[int, tuple[list[str], list[str]]]:
    """The part of a plan that has something to do: what changed itself, and what is made from what changed."""
    remaining: dict[int, tuple[list[str], list[str]]] = {}
    for year, (tables, active) in steps.items():
        changed: set[str] = set()
        for name in tables:
            if changed & set(upstream(name)) or not (
                table_is_fresh(ws, name, year) and is_judged(ws, "tables", name, year)
            ):
                changed.add(name)
        behind = [
            p
            for p in active
            if changed & tables_of(p, year, ws)
            or not (estimates_are_fresh(ws, p, year) and is_judged(ws, "estimates", p, year))
        ]
        if changed or behind:
            remaining[year] = ([t for t in tables if t in changed], behind)
    return remaining


def tables_of(predictor: str, year: int, ws: Workspace | None = None) -> set[str]:
    """The tables a predictor reads in a year: parameters of `estimate` that a series of that year asks for.

    Parameters that no series names (the spine, allocation tables) are always needed.
    """
    entry = catalog()[predictor] if ws is None else entry_of(ws, predictor, year)
    series = entry.predictor.series
    named = {t for s in series for t in s.tables}
    active = {t for s in series if year in s.years for t in s.tables}
    return {name for name in entry.inputs if name in active or name not in named}


def missing_modules() -> list[str]:
    """Inputs of built predictors for which no table is declared: an error of the program, found at start."""
    declared = {*all_tables(), *derived_tables()}
    entries = [catalog()[p] for p in built_predictors()]
    needed = {name for entry in entries for name in entry.inputs}
    needed |= {name for entry in entries if entry.substitute for name in entry.substitute.series.tables}
    return sorted(needed - declared)


def run(
    ws: Workspace, predictors: list[str], years: list[int] | None, *, publish: bool = True, candidate: bool = False
) -> RunReport:
    """Bring the chosen predictors up to date, year by year, then publish. Failures of one part do not stop the rest.

    With `candidate` the release goes to `<data>/candidates` and waits there for `promote_release`.
    """
    ws.settings.export()
    ws.settings.state_root.mkdir(parents=True, exist_ok=True)
    report = RunReport()
    seen = ws.progress
    if undeclared := missing_modules():
        raise MobilityError(f"predictors ask for tables that no source declares: {', '.join(undeclared)}.")
    ws.predictors = tuple(predictors)
    steps = plan(predictors, years, ws)

    def watch(stage: str, name: str, status: str) -> None:
        if status.startswith("failed: "):
            report.failed[name] = status.removeprefix("failed: ")
        elif status != "start":
            report.counts[status] = report.counts.get(status, 0) + 1
        if stage == "release" and status == "built":
            report.release = name
        seen(stage, name, status)

    ws.progress = watch
    with build_lock(ws), ExitStack() as at_the_end:

        @cache
        def runs() -> "Runs":
            # Dagster takes seconds to load: only if there is something to do.
            from pipelines.years import Runs

            return at_the_end.enter_context(closing(Runs(ws)))

        ws.claim()
        ws.remember_states()
        ws.look_again()
        due = stale(ws, steps)
        for year, (tables, active) in steps.items():
            ahead = due.get(year, ([], []))
            for name in [*(t for t in tables if t not in ahead[0]), *(p for p in active if p not in ahead[1])]:
                watch("plan", f"{name} {year}", "unchanged")
        if due:
            report.failed |= runs().years(due)
        if publish:
            report.release = last_release(ws) or (last_candidate(ws) if candidate else None)
            if report.release is None:
                report.failed |= runs().release(candidate=candidate)
        for year, (tables, _) in steps.items():
            for name in tables:
                account = ws.account("tables", name, year)
                if account is not None:
                    report.owed += [o | {"table": name, "year": year} for o in account.owed]
    ws.progress = seen
    report.left_out = left_out(ws)
    if report.release is not None:
        waits = candidate and (ws.root / CANDIDATES / report.release).exists()
        report.candidate = waits
        report.folder = str(ws.root / (CANDIDATES if waits else PUBLISHED) / report.release)
    return report
