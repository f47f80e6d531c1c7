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
class Deviation:
    """One decision about a flaw of the reference.

    kind "deviation": we publish otherwise, and parity must show exactly these differences. kind "kept": a known flaw
    that we reproduce; the better value is behind a switch. `reference` says what the reference does, `ours` what we do,
    `effect` which rows differ and by how much. `rows` lists the rows if they are few; None: the rows that `effect`
    describes.
    """

    id: str
    kind: Kind
    predictor: str
    reference: str
    ours: str
    why: str
    effect: str
    rows: tuple[PublishedRow, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: {self.kind!r} is neither deviation nor kept")
        if not self.id.startswith(f"{self.predictor}/"):
            raise ValueError(f"{self.id}: the id must begin with {self.predictor}/")
        if self.rows is not None and len(set(self.rows)) != len(self.rows):
            raise ValueError(f"{self.id}: a row is listed twice")
