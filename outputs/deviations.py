"""`docs/deviations.md`: where we and the reference part, made from the register that code and tests also read.

`python -m outputs.deviations docs/deviations.md` writes the page (`make docs`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from metrics.catalog import catalog
from metrics.deviation import Deviation
from metrics.predictor import PILLARS, Entry

_INTRODUCTION = """# Where we differ from the reference

Made from the register in the predictors' modules by `make docs`; do not edit by hand.

A **deviation** is a flaw of the reference that we do not repeat: our figures differ, and the parity tests show exactly
these differences, no more and no fewer. A flaw that is **kept** is reproduced, so that figures stay comparable; where a
better value can be computed, a switch gives it. Both are shown by `mobility trace` for the figures they touch.
"""


def _row_list(deviation: Deviation) -> str:
    if deviation.rows is None:
        return ""
    shown = [f"{r.geoid} {r.year}" + (f" {r.subgroup}" if r.subgroup != "All" else "") for r in deviation.rows[:12]]
    more = f" and {len(deviation.rows) - 12} more" if len(deviation.rows) > 12 else ""
    return f"- **Rows** ({len(deviation.rows)}): {', '.join(shown)}{more}\n"


def _entry(deviation: Deviation) -> str:
    return (
        f"#### `{deviation.id}` ({deviation.kind})\n\n"
        f"- **Reference**: {deviation.reference}\n"
        f"- **Ours**: {deviation.ours}\n"
        f"- **Why**: {deviation.why}\n"
        f"- **Effect**: {deviation.effect}\n"
        f"{_row_list(deviation)}"
    )


def page(entries: Mapping[str, Entry]) -> str:
    """The whole page as Markdown, by pillar and predictor."""
    parts = [_INTRODUCTION]
    counts = [d.kind for entry in entries.values() for d in entry.deviations]
    parts.append(f"{counts.count('deviation')} deviations, {counts.count('kept')} flaws kept.\n")
    for pillar, title in PILLARS.items():
        told = [e for e in entries.values() if e.predictor.pillar == pillar and e.deviations]
        if told:
            parts.append(f"## {title}\n")
        for entry in told:
            parts.append(f"### {entry.predictor.title}\n")
            parts += [_entry(d) for d in entry.deviations]
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(catalog()), encoding="utf-8")
