"""The rules of the release gate as asset checks of the release, with their failing rows as tables."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
from upath import UPath

from outputs.release import ReleaseReport
from outputs.rules.register import RELEASE_RULES
from outputs.rules.report import REPORT_JSON, SHOWN_ROWS, GateReport
from outputs.rules.rule import Rule
from pipelines import pictures

_SEVERITY = {"block": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


def check_name(rule: Rule) -> str:
    """Name of a rule's check: its id, with `_` for the dot (`V3_width`)."""
    return rule.id.replace(".", "_")


def check_specs(asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check per rule that is asked of a release."""
    return [
        dg.AssetCheckSpec(
            check_name(rule),
            asset=asset,
            blocking=rule.severity == "block",
            description=f"{rule.title}. Guards against: {rule.catches}.",
            metadata={"rule": rule.id, "severity": rule.severity, "evidence": rule.evidence},
        )
        for rule in RELEASE_RULES
    ]


def _result(
    asset: dg.AssetKey, rule: Rule, status: str, count: int, rows: list[dict[str, Any]], note: str
) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {"status": status, "failing rows": count}
    if note:
        metadata["note"] = note
    if table := pictures.records(rows, SHOWN_ROWS):
        metadata["rows"] = table
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check_name(rule),
        passed=status in ("passed", "not applicable"),
        severity=_SEVERITY[rule.severity],
        description=f"{rule.title}: {status}" + (f", {count} rows" if count else ""),
        metadata=metadata,
    )


def results_of(report: GateReport, asset: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """The results of a gate that was asked now."""
    for r in report.results:
        yield _result(asset, r.rule, r.status, r.count, r.first, r.why or r.note)


def results_kept(release: ReleaseReport, asset: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """The results that lie with a release that was there already."""
    told = json.loads((UPath(release.path) / REPORT_JSON).read_text(encoding="utf-8"))
    kept = {r["id"]: r for r in told["rules"]}
    for rule in RELEASE_RULES:
        r = kept[rule.id]
        note = r["not_applicable_because"] or r["note"] or ""
        yield _result(asset, rule, r["status"], r["rows"], r["first_rows"], note)


def results_missing(error: str, asset: dg.AssetKey) -> Iterator[dg.AssetCheckResult]:
    """All checks failed, because the release could not be made at all."""
    rows = pl.DataFrame({"error": [error]}).to_dicts()
    for rule in RELEASE_RULES:
        yield _result(asset, rule, "not asked: the release could not be made", 0, rows, "")
