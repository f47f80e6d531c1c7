"""Running ways to the same figures, each in its own process, in turns: wall and processor seconds, peak memory."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Way:
    """One way to the figures of a task. `run` gets the folder of the input files and returns figures: key and value.

    `ours` names the way whose figures the others are compared with; None for ways without figures to compare.
    """

    name: str
    run: Callable[[Path], pl.DataFrame | None]
    ours: str | None = None


def _measure(script: Path, way: Way, folder: Path) -> tuple[float, float, float]:
    command = [sys.executable, str(script), "--way", way.name, "--folder", str(folder)]
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{way.name} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def _result(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', ' ')}.result.parquet"


def _compared(folder: Path, way: Way) -> str:
    """Largest relative difference to our figures; figures that only one of the two has."""
    import polars as pl

    if way.ours is None or way.ours == way.name:
        return ""
    theirs, mine = (pl.read_parquet(_result(folder, name)) for name in (way.name, way.ours))
    on = [c for c in mine.columns if c != "value"]
    both = mine.drop_nulls("value").join(theirs.drop_nulls("value"), on=on, how="full", coalesce=True)
    alone = both["value"].null_count() + both["value_right"].null_count()
    gap = (both["value"] - both["value_right"]).abs() / both["value"].abs().clip(1e-9)
    return f"{both.height:,} figures, largest difference {gap.max() or 0.0:.0e}, {alone} in one only"


def main(script: Path, about: str, write: Callable[[Path], str], ways: Sequence[Way]) -> None:
    """The command line of a benchmark: write the input once, run every way in turns, print a table.

    `write` makes the files in a folder and returns a line about them.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / f"mobility-{script.stem}-benchmark"
    )
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder: Path = options.folder
    if options.write:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "about.txt").write_text(write(folder))
        return
    if options.way:
        result = next(w for w in ways if w.name == options.way).run(folder)
        if result is not None:
            result.write_parquet(_result(folder, options.way))
        return
    if not (folder / "about.txt").exists():
        # In a process of its own: a child's peak memory starts from that of the process it was forked from.
        command = [sys.executable, str(script), "--write", "--folder", str(folder)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    runs: dict[str, list[tuple[float, float, float]]] = {way.name: [] for way in ways}
    for _ in range(options.runs):
        for way in ways:
            runs[way.name].append(_measure(script, way, folder))
    print((folder / "about.txt").read_text())
    print(f"Median (best) of {options.runs} runs, {os.cpu_count()} processors; process start included")
    print(f"{'':52}{'wall s':>16}{'cpu s':>8}{'GB':>7}  against ours (relative)")
    for way in ways:
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs[way.name], strict=True))
        timed = f"{wall:.2f} ({min(runs[way.name])[0]:.2f})"
        print(f"{way.name:52}{timed:>16}{cpu:8.2f}{memory:7.2f}  {_compared(folder, way)}")
