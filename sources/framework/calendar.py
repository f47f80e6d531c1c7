"""When each source usually brings out its next edition: `sources/release_calendar.csv`, one line per source."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, Literal

from schemas.errors import MobilityError
from sources.framework.declare import Source

Cadence = Literal["annual", "election", "irregular", "fixed"]
CADENCES: Final[tuple[Cadence, ...]] = ("annual", "election", "irregular", "fixed")
FILE: Final = Path(__file__).parent.parent / "release_calendar.csv"
_STEP: Final[dict[str, int]] = {"annual": 1, "election": 4}
GRACE_DAYS: Final = 92


@dataclass(frozen=True)
class Rhythm:
    """How often a source brings something new.

    `cadence`: `annual`, `election` (every four years), `irregular` (looked for monthly) or `fixed` (nothing will come).
    `months` are those in which it usually comes, the likeliest first; `lag` the years from a data year to its release.
    """

    source: str
    cadence: Cadence
    months: tuple[int, ...]
    lag: int
    note: str

    @property
    def cron(self) -> str | None:
        """When to look: Mondays of these months, the first of each month if irregular; None if nothing will come."""
        if self.cadence == "fixed":
            return None
        if self.cadence == "irregular":
            return "0 6 1 * *"
        return f"0 6 * {','.join(map(str, sorted(self.months)))} 1"

    def expected(self, newest: int | None) -> tuple[int, date] | None:
        """The data year after `newest` and when its edition is to be expected; None if that cannot be said."""
        step = _STEP.get(self.cadence)
        if step is None or newest is None:
            return None
        year = newest + step
        return year, date(year + self.lag, self.months[0], 1)


@cache
def calendar() -> dict[str, Rhythm]:
    """Source key -> rhythm. `ValueError`, with the line, if the file is wrong."""
    found: dict[str, Rhythm] = {}
    with FILE.open(encoding="utf-8", newline="") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            cadence = next((c for c in CADENCES if c == row["cadence"]), None)
            months = tuple(int(m) for m in row["months"].split())
            regular = cadence in _STEP
            if cadence is None or any(not 1 <= m <= 12 for m in months) or bool(months) != regular:
                raise ValueError(f"{FILE.name}, line {number}: cadence or months of {row['source']} are wrong")
            if row["source"] in found:
                raise ValueError(f"{FILE.name}, line {number}: {row['source']} stands there twice")
            found[row["source"]] = Rhythm(row["source"], cadence, months, int(row["lag"]), row["note"])
    return found


def rhythm_of(source: str) -> Rhythm:
    """The source's line. `MobilityError`, with the file to edit, if there is none."""
    try:
        return calendar()[source]
    except KeyError:
        raise MobilityError(
            f"source {source} has no line in the release calendar. Add one to sources/{FILE.name}: source, cadence "
            f"({', '.join(CADENCES)}), months, lag, note."
        ) from None


def newest_year(source: Source) -> int | None:
    """The newest data year for which an edition is declared."""
    return max((y for v in source.vintages for y in v.data_years), default=None)
