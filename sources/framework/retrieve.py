"""Obtaining raw files: the store first, then a mirror, then the live source, else the recipe for a person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sources.framework.declare import Source


@dataclass(frozen=True)
class Scope:
    """Which part of the nation a run covers. `states` are 2-digit FIPS codes, or None for all."""

    states: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RawFile:
    """One verified file of the raw store, with its provenance."""

    source: str
    vintage: str
    name: str
    path: Path
    sha256: str
    bytes: int
    how: str
    url: str | None = None
    retrieved_at: str | None = None


class Retrieval(Protocol):
    """What a table's `build` may ask for."""

    scope: Scope
    scratch: Path
    used: list[RawFile]
    notes: dict[str, object]

    def obtain(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> list[RawFile]:
        """The files of that vintage (or those of `names`), verified; raises `OwedError` or `InputError`."""
        ...

    def has(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> bool:
        """Whether the store or the mirror holds all of these files (no network)."""
        ...
