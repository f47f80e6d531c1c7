"""Rules that a table or a set of estimates is asked as it is made, and what they found.

A rule is a row that must not be (an expression), or a function that returns the rows that must not be. All expressions
of a frame are asked in one pass; only the rows of those that fail are fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import polars as pl

Severity = Literal["block", "warn"]
SHOWN_ROWS: Final = 20
"""Failing rows that are kept with a finding; all of them are counted."""


@dataclass(frozen=True)
class DataRule:
    """One rule about a frame.

    `id` is the letter and number of the list of documented mistakes, as in the rules of the release (`outputs.rules`);
    a word after a dot tells two rules of one entry apart. `group` gathers rules into one check of the asset's page.
    `title` says in plain words what must hold. Exactly one of these asks the rule: `bad`, true for a row that breaks
    it; `find`, the rows that break it; `held_by`, who has refused such rows before the frame is asked (a model, the
    gate, the estimator), so that a frame that is there keeps the rule. `shown` are the columns listed of failing rows
    of `bad` (none: all).
    """

    id: str
    group: str
    severity: Severity
    title: str
    bad: pl.Expr | None = None
    find: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    held_by: str = ""
    shown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ways = (self.bad is not None) + (self.find is not None) + bool(self.held_by)
        if ways != 1:
            raise ValueError(f"{self.id}: a rule is asked in exactly one way, this one in {ways}")


@dataclass(frozen=True)
class Finding:
    """What one rule said of one frame: how many rows it looked at and how many broke it, with the first of them."""

    id: str
    group: str
    severity: Severity
    title: str
    checked: int
    failing: int
    rows: tuple[dict[str, Any], ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether no row broke the rule."""
        return self.failing == 0

    @property
    def blocks(self) -> bool:
        """Whether the frame must not be used."""
        return not self.passed and self.severity == "block"

    def told(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self) | {"rows": [dict(row) for row in self.rows]}

    @classmethod
    def from_told(cls, told: Mapping[str, Any]) -> Finding:
        """The finding that `told` gave."""
        return cls(**{**told, "rows": tuple(told["rows"])})


def ask(rules: Sequence[DataRule], frame: pl.DataFrame) -> list[Finding]:
    """What the rules say of `frame`, in their order."""
    asked = {f"rule {i}": rule.bad.fill_null(False).sum() for i, rule in enumerate(rules) if rule.bad is not None}
    counts = frame.select(**asked).row(0, named=True) if asked else {}
    found = []
    for i, rule in enumerate(rules):
        rows, failing, note = frame.clear(), 0, f"held by {rule.held_by}" if rule.held_by else ""
        if rule.bad is not None and (failing := int(counts[f"rule {i}"] or 0)):
            rows = frame.lazy().filter(rule.bad.fill_null(False)).head(SHOWN_ROWS).collect()
        elif rule.find is not None:
            rows = rule.find(frame)
            failing = rows.height
        shown = rows.select(rule.shown) if rule.shown and set(rule.shown) <= set(rows.columns) else rows
        first = tuple(shown.head(SHOWN_ROWS).to_dicts())
        found.append(Finding(rule.id, rule.group, rule.severity, rule.title, frame.height, failing, first, note))
    return found
