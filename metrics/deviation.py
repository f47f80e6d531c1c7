"""Where we and the reference part, or knowingly do not: the entries that `docs/deviations.md` is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from schemas.labels import ALL

Kind = Literal["deviation", "kept"]
KINDS: Final[tuple[Kind, ...]] = ("deviation", "kept")


class PublishedRow(NamedTuple):
    """One row of the reference's files: data year, level, GEOID (2 digits of the state and 3 or 5 more), subgroup."""

    year: int
    level: str
    geoid: str
    subgroup: str = ALL


@dataclass(frozen=True)
class Scope:
    """Which figures a deviation can touch at all, where that follows from their key; None: of any kind.

    `years` are data years, first and last one included (None: open). `metrics` are beginnings of column names.
    """

    level: str | None = None
    years: tuple[int | None, int | None] = (None, None)
    states: tuple[str, ...] | None = None
    subgroup_types: tuple[str, ...] | None = None
    metrics: tuple[str, ...] = ("",)

    def holds(self, *, year: int, level: str, state: str, subgroup_type: str, metric: str) -> bool:
        """Whether a figure is inside."""
        first, last = self.years
        return (
            self.level in (None, level)
            and (first is None or first <= year)
            and (last is None or year <= last)
            and (self.states is None or state in self.states)
            and (self.subgroup_types is None or subgroup_type in self.subgroup_types)
            and metric.startswith(self.metrics)
        )


EVERYWHERE: Final = Scope()


@dataclass(frozen=True)
class Deviation:
    """One decision about a flaw of the reference.

    kind "deviation": we publish otherwise, and parity must show exactly these differences. kind "kept": a known flaw
    that we reproduce; the better value is behind a switch. `reference` says what the reference does, `ours` what we do,
    `effect` which rows differ and by how much. `rows` lists the rows if they are few; None: the rows that `effect`
    describes. `scope` says which figures these can be, so that accounts of others do not speak of it.
    """

    id: str
    kind: Kind
    predictor: str
    reference: str
    ours: str
    why: str
    effect: str
    rows: tuple[PublishedRow, ...] | None = None
    scope: Scope = EVERYWHERE

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: {self.kind!r} is neither deviation nor kept")
        if not self.id.startswith(f"{self.predictor}/"):
            raise ValueError(f"{self.id}: the id must begin with {self.predictor}/")
        if self.rows is not None and len(set(self.rows)) != len(self.rows):
            raise ValueError(f"{self.id}: a row is listed twice")

    def touches(self, *, year: int, level: str, state: str, geo: str, subgroup_type: str, metric: str) -> bool:
        """Whether it can concern this figure: one of its rows, or one inside its scope."""
        if self.rows is not None and not any(
            (r.year, r.level, r.geoid) == (year, level, state + geo) for r in self.rows
        ):
            return False
        return self.scope.holds(year=year, level=level, state=state, subgroup_type=subgroup_type, metric=metric)
