"""Finished pieces of a table in the scratch folder: made once, in a folder named by what made them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl


def _readers() -> str:
    """A hash of the code that reads microdata: this package and the modules of both forms beside it."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), *sorted(here.parent.glob("acs_pums_*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:10]


# Part of each folder's name: a changed reader does its work again.
READER: Final = _readers()
_COUNTS: Final = "counts.json"
_ROWS: Final = 100_000


class Parts:
    """A folder under way, or done: Parquet files in order, and counts of what was met on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, object] = {}
        self._next = 0
        self._waiting: list[pl.DataFrame] = []

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows; they are put into files of some 100,000."""
        self._waiting.append(frame)
        if sum(f.height for f in self._waiting) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait for more."""
        if any(f.height for f in self._waiting):
            # No statistics: they cost a third of the time, and nothing here is filtered by them.
            rows = pl.concat(self._waiting, rechunk=False)
            rows.write_parquet(self.next_file(), compression="lz4", statistics=False)
        self._waiting = []

    def next_file(self) -> Path:
        """Where the next piece goes."""
        self._next += 1
        return self.folder / f"{self._next - 1:05d}.parquet"

    @property
    def files(self) -> list[Path]:
        """The pieces, in order."""
        return sorted(self.folder.glob("*.parquet"))

    def scan(self) -> pl.LazyFrame:
        """All pieces one after another."""
        return pl.scan_parquet(self.files)


@dataclass(frozen=True)
class Built:
    """A table and what was counted while it was made."""

    table: pl.LazyFrame
    counts: dict[str, object]


def once(folder: Path, make: Callable[[Parts], None]) -> Parts:
    """The parts in `folder`; if it is not there, `make` writes them beside it, and they are moved there when whole."""
    done = Parts(folder)
    if not (folder / _COUNTS).exists():
        beside = folder.with_name(f".{folder.name}.{os.getpid()}.under-way")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        parts = Parts(beside)
        try:
            make(parts)
            parts.flush()
            (beside / _COUNTS).write_text(json.dumps(parts.counts), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            beside.replace(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    done.counts = json.loads((folder / _COUNTS).read_text(encoding="utf-8"))
    return done
