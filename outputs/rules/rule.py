"""What a rule is, and the three things it can say: nothing broke it, these rows did, or it does not apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

if TYPE_CHECKING:
    from outputs.rules.context import ReleaseContext

Severity = Literal["block", "warn"]
Where = Literal["release", "tables", "estimates", "code", "tests"]
WHERE: Final[dict[Where, str]] = {
    "release": "release gate, on the finished files",
    "tables": "asset checks of the input tables and their readers",
    "estimates": "asset checks and gate of the estimates",
    "code": "the structure of the program (types, import rules, lint)",
    "tests": "the test suite",
}


@dataclass(frozen=True)
class Verdict:
    """What a rule found. `rows` break it (none: it holds); `not_applicable` says why it could not be asked.

    `note` is one sentence for the report about what was compared or left aside.
    """

    rows: pl.DataFrame
    not_applicable: str = ""
    note: str = ""


Check = Callable[["ReleaseContext"], Verdict]


@dataclass(frozen=True)
class Rule:
    """One rule of the gate.

    `id` is the letter and number of the list of documented mistakes; where one entry of the list makes two rules of
    different severity, the second has a word after a dot (`V3.width`). `title` says in plain words what must hold,
    `evidence` where it went wrong, `catches` what a reader would have suffered. `check` is None for a rule that is
    kept elsewhere (`where`, `place`).
    """

    id: str
    title: str
    severity: Severity
    evidence: str
    catches: str
    where: Where = "release"
    place: str = ""
    check: Check | None = None

    def __post_init__(self) -> None:
        if (self.where == "release") != (self.check is not None):
            raise ValueError(f"{self.id}: a rule of the release has a check, others say where they are kept")
        if self.where != "release" and not self.place:
            raise ValueError(f"{self.id}: say where it is kept")

    @property
    def family(self) -> str:
        """The id of the list's entry: `V3` of `V3.width`."""
        return self.id.partition(".")[0]


def holds(note: str = "") -> Verdict:
    """No row breaks the rule."""
    return Verdict(pl.DataFrame(), note=note)


def found(rows: pl.DataFrame | pl.LazyFrame, note: str = "") -> Verdict:
    """These rows break the rule (none if the frame is empty)."""
    return Verdict(rows.collect(engine="streaming") if isinstance(rows, pl.LazyFrame) else rows, note=note)


def listed(rows: Sequence[Mapping[str, Any]], note: str = "") -> Verdict:
    """These rows, given as dictionaries, break the rule; cells become text."""
    if not rows:
        return holds(note)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = {c: [None if row.get(c) is None else str(row[c]) for row in rows] for c in columns}
    return Verdict(pl.DataFrame(cells, schema=dict.fromkeys(columns, pl.String)), note=note)


def not_applicable(why: str) -> Verdict:
    """The rule cannot be asked of this release, because ..."""
    return Verdict(pl.DataFrame(), not_applicable=why)
