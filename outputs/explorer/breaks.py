"""Breaks in comparability, as the explorer marks them on time series and heeds them in its verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from metrics.connecticut import STATE as CONNECTICUT_CODE
from metrics.predictor import Predictor
from metrics.shared import CONNECTICUT, NEW_PUMAS, NEW_TRACTS
from schemas.labels import Level

Kind = Literal["definition", "geography", "sampling areas", "note"]
_SAMPLES: Final = {"1-year file: ": "acs1", "5-year file: ": "acs5"}


@dataclass(frozen=True)
class Break:
    """Figures of `year` and after do not compare with those of `last` and before.

    `level`, `sample` and `states` (codes) limit it; None means all. Kind "sampling areas" is a note where both figures
    are Strong or Marginal, and a break otherwise: such figures come from areas whose borders hardly moved. Kind "note"
    is never a break.
    """

    last: int
    year: int
    kind: Kind
    text: str
    level: Level | None = None
    sample: str | None = None
    states: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Without what is None."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def _of(year: int, text: str) -> Break:
    sample = None
    for prefix, name in _SAMPLES.items():
        if text.startswith(prefix):
            sample, text = name, text.removeprefix(prefix)
    if text.startswith(CONNECTICUT):
        return Break(year - 1, year, "geography", text, sample=sample, states=(CONNECTICUT_CODE,))
    if text == NEW_PUMAS:
        return Break(year - 1, year, "sampling areas", text, sample=sample)
    if text == NEW_TRACTS:
        return Break(year - 1, year, "geography", text, sample=sample)
    return Break(year - 1, year, "definition", text, sample=sample)


def breaks_of(predictor: Predictor) -> Iterator[Break]:
    """The breaks a predictor declares."""
    for year, text in predictor.breaks:
        yield _of(year, text)
