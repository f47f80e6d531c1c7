"""What a predictor uses of a microdata table, so that extracts can be ordered to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RecordUse:
    """The columns of a microdata table that a predictor cannot do without, and the records it looks at.

    `optional` columns are used if they are there. `cases` maps a column to the codes of the records that count; records
    with others are never looked at (empty: all records may count).
    """

    columns: frozenset[str]
    optional: frozenset[str] = frozenset()
    cases: Mapping[str, frozenset[int]] = field(default_factory=dict)
