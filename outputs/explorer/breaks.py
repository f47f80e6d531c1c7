"""Breaks in comparability, as the explorer marks them on time series and heeds them in its verdicts.

They are those of the release's table `comparability`. Three things are added that its columns do not hold: whom a break
concerns (some states, some families of groups), whether it only describes the samples, and whether it is about the
survey's sampling areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from metrics.connecticut import STATE as CONNECTICUT
from metrics.predictor import Entry
from outputs.comparability import comparability
from schemas.labels import Level

Kind = Literal["definition", "source", "geography", "index", "sampling areas", "note"]
NEW_YORK: Final = "36"

SAMPLING_AREAS: Final = "The survey's sampling areas follow"
STATES: Final[dict[str, tuple[str, ...]]] = {
    "Connecticut": (CONNECTICUT,),
    "The source lists Connecticut's former counties": (CONNECTICUT,),
    "In Bridgeport, Connecticut": (CONNECTICUT,),
    "All of New York State is missing": (NEW_YORK,),
}
"""Beginning of a text -> the states that it concerns."""
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "The line between the income groups": ("income",),
    "Figures by race and ethnicity begin": ("race-ethnicity",),
}
"""Beginning of a text -> the families of groups that it concerns."""


@dataclass(frozen=True)
class Break:
    """Figures of `year` and after do not compare with those of `last` and before.

    `level`, `sample`, `states` (codes) and `groups` (families) limit it; None means all. Kind "sampling areas" is a
    note where both figures are Strong or Marginal, and a break otherwise: such figures come from areas whose borders
    hardly moved. Kind "note" is never a break: it tells of samples that share years, which a verdict allows for.
    """

    last: int
    year: int
    kind: Kind
    text: str
    level: Level | None = None
    sample: str | None = None
    states: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Without what is None."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def _concerned(text: str, listed: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    return next((whom for beginning, whom in listed.items() if text.startswith(beginning)), None)


def breaks_of(entry: Entry, metric: str) -> Iterator[Break]:
    """The breaks across years of a metric, by year."""
    table = comparability({entry.predictor.key: entry})
    for row in table.iter_rows(named=True):
        if row["metric"] != metric or row["scope"] != "across years":
            continue
        text, kind = row["text"], row["kind"]
        if text.startswith(SAMPLING_AREAS):
            kind = "sampling areas"
        elif kind == "sample":
            kind = "note"
        yield Break(
            row["from_year"],
            row["to_year"],
            kind,
            text,
            row["level"],
            row["sample"],
            _concerned(text, STATES),
            _concerned(text, GROUPS),
        )
