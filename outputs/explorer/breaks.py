"""Breaks in comparability, as the explorer marks them on time series and heeds them in its verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from metrics.connecticut import STATE as CONNECTICUT_CODE
from metrics.predictor import Predictor
from metrics.shared import CONNECTICUT, NEW_PUMAS, NEW_TRACTS

Kind = Literal["definition", "geography", "sampling areas"]
_SAMPLES: Final = {"1-year file: ": "acs1", "5-year file: ": "acs5"}


@dataclass(frozen=True)
class Break:
    """Figures from `year` on do not compare with earlier ones.

    `sample` limits it to one source sample, `states` to some states (codes); None means all. Kind "sampling areas" is
    a note where both figures are Strong or Marginal, and a break otherwise: such figures come from areas whose borders
    hardly moved.
    """

    year: int
    kind: Kind
    text: str
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
        return Break(year, "geography", text, sample, (CONNECTICUT_CODE,))
    if text == NEW_PUMAS:
        return Break(year, "sampling areas", text, sample)
    if text == NEW_TRACTS:
        return Break(year, "geography", text, sample)
    return Break(year, "definition", text, sample)


def breaks_of(predictor: Predictor) -> Iterator[Break]:
    """The breaks a predictor declares."""
    for year, text in predictor.breaks:
        yield _of(year, text)
