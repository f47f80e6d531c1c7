"""Breaks in comparability, as the explorer marks them on time series and heeds them in its verdicts.

They are the rows of the release's table `comparability` about figures of different years.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from metrics.predictor import Entry
from outputs.comparability import comparability
from schemas.labels import Level

Kind = Literal["definition", "source", "geography", "index", "sampling areas", "note"]
CARE: Final = "with care"


@dataclass(frozen=True)
class Break:
    """Figures of `year` and after do not compare with those of `last` and before.

    `level`, `sample`, `states` (codes) and `groups` (families) limit it; None means all. Kind "sampling areas" is a
    note where both figures are Strong or Marginal, and a break otherwise: such figures come from areas whose borders
    hardly moved. Kind "note" is never a break: it tells what else a difference from figures of the years `last` to
    `year` may reflect.
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


def _words(cell: str | None) -> tuple[str, ...] | None:
    return None if cell is None else tuple(cell.split(" "))


def breaks_of(entry: Entry, metric: str) -> Iterator[Break]:
    """The breaks and notes of a metric that concern figures of different years, by year.

    What the samples of a survey share is left to the verdict, which allows for it.
    """
    table = comparability({entry.predictor.key: entry})
    for row in table.iter_rows(named=True):
        care = row["scope"] == CARE
        if row["metric"] != metric or row["scope"] not in ("across years", CARE) or (care and row["kind"] == "sample"):
            continue
        yield Break(
            row["from_year"],
            row["to_year"],
            "note" if care else row["kind"],
            row["text"],
            row["level"],
            row["sample"],
            _words(row["states"]),
            _words(row["subgroup_types"]),
        )
