"""The rules of tables and estimates as asset checks, one per group: a page shows at a glance what is wrong.

A check says how many of its rules hold; its table has a line per rule, and each broken rule has a table of its rows.
One check per rule would cost more time in Dagster's event log than the rules themselves.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import dagster as dg

from pipelines import pictures
from schemas.data_rules import SHOWN_ROWS, Finding
from schemas.errors import GateError, InputError, MobilityError
from schemas.table_rules import RULES

# Checks by partition are new in Dagster, which says so at each of them.
warnings.filterwarnings("ignore", message="Specifying a partitions_def", category=dg.PreviewWarning)

GROUPS: Final[dict[str, tuple[str, bool]]] = {
    "schema": ("Columns, types, codes and values fit the model of the table.", True),
    "rules": ("Crosswalks add up, samples and editions are the right ones, withheld cells are no zeros.", True),
    "keys": ("Every county and place of the year, no other, each once; codes and labels of the year.", True),
    "values": (
        "Figures, bounds and quality belong together and lie inside their limits; the method's thresholds.",
        True,
    ),
    "plausible": ("Figures a person should look at: nothing is withheld for them.", False),
}
"""Check -> what it is about, and whether a broken rule stops what depends on the asset."""
TABLE_GROUPS: Final = ("schema", "rules")
ESTIMATE_GROUPS: Final = ("keys", "values", "plausible")


def groups_of_table(name: str) -> tuple[str, ...]:
    """The checks of a table's page."""
    return TABLE_GROUPS if name in RULES else TABLE_GROUPS[:1]


def specs(asset: dg.AssetKey, groups: Iterable[str], years: dg.PartitionsDefinition[str]) -> list[dg.AssetCheckSpec]:
    """The checks of an asset, each year's on their own: years are made side by side, and a page shows them by year."""
    return [
        dg.AssetCheckSpec(
            name,
            asset=asset,
            blocking=GROUPS[name][1],
            partitions_def=years,
            description=GROUPS[name][0] + ("" if GROUPS[name][1] else " A warning."),
        )
        for name in groups
    ]


def results(groups: Iterable[str], found: Sequence[Finding], note: str = "") -> Iterator[dg.AssetCheckResult]:
    """What the rules said, group by group. Without findings (`note` says why) every check holds."""
    for name in groups:
        mine = [f for f in found if f.group == name]
        broken = [f for f in mine if not f.passed]
        blocking = any(f.blocks for f in broken)
        metadata: dict[str, Any] = {"broken rules": len(broken), "failing rows": sum(f.failing for f in broken)}
        if note:
            metadata["note"] = note
        if lines := pictures.records([_line(f) for f in sorted(mine, key=lambda f: f.passed)]):
            metadata["rules"] = lines
        for f in broken:
            if rows := pictures.records(f.rows, SHOWN_ROWS):
                metadata[f"rows that break {f.id}"] = rows
        said = ", ".join(f"{f.id} ({f.failing:,})" for f in broken)
        yield dg.AssetCheckResult(
            check_name=name,
            passed=not broken,
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description=f"{len(broken)} of {len(mine)} rules broken: {said}" if broken else f"{len(mine)} rules hold",
            metadata=metadata,
        )


def refused(groups: Sequence[str], error: MobilityError) -> Iterator[dg.AssetCheckResult]:
    """The checks of an asset that could not be made: the groups whose rules were broken, or else all of them."""
    if isinstance(error, GateError) and any(f.blocks for f in error.findings):
        yield from results(groups, error.findings)
        return
    cases = [{"case": case} for case in error.cases] if isinstance(error, GateError) else []
    if isinstance(error, InputError):
        place = {"source": error.source, "file": error.file, "row": error.row, "column": error.column}
        cases = [{**{k: str(v) for k, v in place.items() if v is not None}, "problem": error.problem}]
    metadata: dict[str, Any] = {"error": str(error)}
    if rows := pictures.records(cases, SHOWN_ROWS):
        metadata["rows"] = rows
    for name in groups:
        yield dg.AssetCheckResult(
            check_name=name, passed=False, description="not made: " + str(error)[:200], metadata=metadata
        )


def _line(finding: Finding) -> dict[str, Any]:
    result = "holds" if finding.passed else "BROKEN" if finding.blocks else "look at it"
    return {
        "rule": finding.id,
        "result": result,
        "failing rows": finding.failing,
        "rows asked": finding.checked,
        "what must hold": finding.title,
        "note": finding.note,
    }
