"""Asking all rules, and telling what came of it: for programs (JSON) and for people (Markdown)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from outputs.about import SYNTHETIC_NOTICE
from outputs.rules.context import ReleaseContext
from outputs.rules.register import RELEASE_RULES
from outputs.rules.rule import Rule, Severity
from schemas.errors import MobilityError

Status = Literal["passed", "failed", "warned", "not applicable"]
SHOWN_ROWS: Final = 20
LISTED_ROWS: Final = 1000
_IN_MESSAGE: Final = 3
REPORT_JSON: Final = "gate_report.json"
REPORT_TEXT: Final = "gate_report.md"
SEVERITY_WORDS: Final[dict[Severity, str]] = {"block": "blocks", "warn": "warns"}


@dataclass(frozen=True)
class Result:
    """What became of one rule. `count` rows break it, the first thousand are `rows`; `why` it does not apply."""

    rule: Rule
    status: Status
    count: int
    rows: pl.DataFrame
    why: str = ""
    note: str = ""

    @property
    def first(self) -> list[dict[str, Any]]:
        """The first failing rows, cells that are empty in all of them left out."""
        return self.told(SHOWN_ROWS)

    def told(self, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` failing rows."""
        rows = self.rows.head(limit)
        shown = rows.select(c for c in rows.columns if rows[c].null_count() < rows.height)
        return [{k: _plain(v) for k, v in row.items()} for row in shown.iter_rows(named=True)]

    def sentence(self) -> str:
        """Rule, number of rows and the first of them, in one line."""
        rows = "; ".join(
            ", ".join(f"{k} {v}" for k, v in row.items() if v is not None) for row in self.first[:_IN_MESSAGE]
        )
        more = f" (and {self.count - _IN_MESSAGE} more)" if self.count > _IN_MESSAGE else ""
        return f"rule {self.rule.id} ({self.rule.title}): {self.count} row{'s' * (self.count != 1)}: {rows}{more}"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


@dataclass(frozen=True)
class GateReport:
    """The results of all rules that are asked of a release, in the register's order."""

    results: tuple[Result, ...]
    synthetic: bool = False

    def of(self, status: Status) -> list[Result]:
        """The results of that status."""
        return [r for r in self.results if r.status == status]

    @property
    def passes(self) -> bool:
        """Whether no blocking rule is broken."""
        return not self.of("failed")

    @property
    def counts(self) -> dict[str, int]:
        """How many rules passed, failed, warned, and do not apply."""
        states: tuple[Status, ...] = ("passed", "failed", "warned", "not applicable")
        return {s: len(self.of(s)) for s in states}

    def as_json(self, release: str) -> str:
        """For programs: one object per rule with its failing rows (the first thousand)."""
        rules = [
            {
                "id": r.rule.id,
                "title": r.rule.title,
                "severity": r.rule.severity,
                "status": r.status,
                "rows": r.count,
                "not_applicable_because": r.why or None,
                "note": r.note or None,
                "catches": r.rule.catches,
                "evidence": r.rule.evidence,
                "first_rows": r.told(LISTED_ROWS),
            }
            for r in self.results
        ]
        told = {"release": release, "synthetic": self.synthetic, "passes": self.passes, "counts": self.counts}
        return json.dumps(told | {"rules": rules}, indent=1, ensure_ascii=False) + "\n"

    def as_text(self, release: str) -> str:
        """For people: what blocks first, then what to look at, then what passed and what was not asked."""
        counts = ", ".join(f"{n} {what}" for what, n in self.counts.items())
        verdict = "passes the gate" if self.passes else "does NOT pass the gate and is not published"
        parts = [f"# Gate report\n\nRelease `{release}` {verdict}: {counts}.\n"]
        if self.synthetic:
            parts.append(f"{SYNTHETIC_NOTICE}\n")
        for status, title in (("failed", "Blocks the release"), ("warned", "Look at these")):
            if results := self.of(status):  # type: ignore[arg-type]
                parts.append(f"## {title}\n")
                parts += [_section(r) for r in results]
        parts.append("## Passed\n")
        parts.append("| rule | what holds | note |\n|---|---|---|")
        parts += [f"| {r.rule.id} | {_cell(r.rule.title)} | {_cell(r.note)} |" for r in self.of("passed")]
        parts.append("\n## Not applicable to this release\n")
        parts.append("| rule | what it asks | not applicable because |\n|---|---|---|")
        parts += [f"| {r.rule.id} | {_cell(r.rule.title)} | {_cell(r.why)} |" for r in self.of("not applicable")]
        return "\n".join(parts) + "\n"

    def write(self, folder: Path, release: str) -> None:
        """Write both forms into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REPORT_JSON).write_text(self.as_json(release), encoding="utf-8")
        (folder / REPORT_TEXT).write_text(self.as_text(release), encoding="utf-8")


class GateFailedError(MobilityError):
    """A blocking rule is broken: nothing is published, the last good release stays. `report` has all results."""

    def __init__(self, report: GateReport, release: str) -> None:
        self.report = report
        self.release = release
        failed = report.of("failed")
        told = "; ".join(r.sentence() for r in failed[:5])
        more = f"; and {len(failed) - 5} more rules" if len(failed) > 5 else ""
        number = "a blocking rule is" if len(failed) == 1 else f"{len(failed)} blocking rules are"
        super().__init__(f"the release fails its checks and is not published, {number} broken: {told}{more}.")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _section(result: Result) -> str:
    rule = result.rule
    lines = [f"### {rule.id}: {rule.title}\n", f"Guards against: {rule.catches}. {result.note}".rstrip() + "\n"]
    rows = result.first
    if rows:
        names = list(rows[0])
        lines.append("| " + " | ".join(names) + " |\n|" + "---|" * len(names))
        lines += ["| " + " | ".join(_cell(row[n]) for n in names) + " |" for row in rows]
    if result.count > len(rows):
        lines.append(f"\n{result.count} rows in all, the first {len(rows)} are shown; {REPORT_JSON} has more.")
    return "\n".join(lines) + "\n"


def ask(rule: Rule, context: ReleaseContext) -> Result:
    """One rule's result. A rule that cannot be worked out counts as broken: what is not known to hold, does not."""
    broken: Status = "failed" if rule.severity == "block" else "warned"
    assert rule.check is not None
    try:
        verdict = rule.check(context)
    except Exception as error:
        what = f"could not be worked out: {type(error).__name__}: {error}"
        return Result(rule, broken, 1, pl.DataFrame({"what": [what[:500]]}))
    if verdict.not_applicable:
        return Result(rule, "not applicable", 0, pl.DataFrame(), why=verdict.not_applicable)
    count = verdict.rows.height
    status: Status = broken if count else "passed"
    return Result(rule, status, count, verdict.rows.head(LISTED_ROWS), note=verdict.note)


def run_gate(context: ReleaseContext, rules: Sequence[Rule] = RELEASE_RULES) -> GateReport:
    """Ask every rule; none is skipped because another is broken."""
    return GateReport(tuple(ask(rule, context) for rule in rules), context.meta.synthetic)
