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

    `ours` names the way whose figures, time and memory the others are compared with; None for ways without figures to
    compare. `floor` names the way that only reads what this one needs.
    """

    name: str
    run: Callable[[Path], pl.DataFrame | None]
    ours: str | None = None
    floor: str | None = None


Medians = dict[str, tuple[float, float, float]]
"""Way -> median wall seconds, processor seconds and peak memory (GB)."""


def _measure(script: Path, way: Way, folder: Path) -> tuple[float, float, float]:
    command = [sys.executable, str(script), "--way", way.name, "--at", str(folder)]
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


def nation_folder(folder: Path) -> Path:
    """Where the national files of a benchmark lie: one folder for all benchmarks of one scale."""
    return folder.parent / f"nation-{folder.name.rpartition('-x')[2]}"


def main(
    script: Path,
    about: str,
    write: Callable[[Path, float], str],
    ways: Sequence[Way],
    summary: Callable[[Path, Medians], Sequence[str]] = lambda _folder, _medians: (),
) -> None:
    """The command line of a benchmark: write the input once, run every way in turns, print a table.

    `write` makes the files, `scale` times their usual size, in a folder and returns a line about them; `summary` adds
    lines below the table.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual size, to try a benchmark out")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mobility-benchmarks")
    parser.add_argument("--only", help="ways whose name contains this")
    parser.add_argument("--write", action="store_true", help="only write the input files")
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        result = next(w for w in ways if w.name == options.way).run(options.at)
        if result is not None:
            result.write_parquet(_result(options.at, options.way))
        return
    if options.at:
        (options.at / "about.txt").write_text(write(options.at, options.scale))
        return
    folder: Path = options.folder / f"{script.stem}-x{options.scale:g}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "about.txt").exists():
        # In a process of its own: a child's peak memory starts from that of the process it was forked from.
        command = [sys.executable, str(script), "--at", str(folder), "--scale", str(options.scale)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    if options.write:
        return
    chosen = [way for way in ways if not options.only or options.only in way.name]
    runs: dict[str, list[tuple[float, float, float]]] = {way.name: [] for way in chosen}
    for _ in range(options.runs):
        for way in chosen:
            runs[way.name].append(_measure(script, way, folder))
    medians: Medians = {}
    for name, measured in runs.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*measured, strict=True))
        medians[name] = (wall, cpu, memory)
    print((folder / "about.txt").read_text())
    print(f"Median (best) of {options.runs} runs, {os.cpu_count()} processors; process start included")
    print(f"{'':52}{'wall s':>16}{'cpu s':>8}{'GB':>7}{'x scan':>8}{'x ours':>8}  figures against ours (relative)")
    for way in chosen:
        wall, cpu, memory = medians[way.name]
        timed = f"{wall:.2f} ({min(runs[way.name])[0]:.2f})"
        ratios = "".join(
            f"{wall / medians[other][0]:8.2f}" if other in medians and other != way.name else f"{'':8}"
            for other in (way.floor, way.ours)
        )
        compared = _compared(folder, way) if way.ours in medians else ""
        print(f"{way.name:52}{timed:>16}{cpu:8.2f}{memory:7.2f}{ratios}  {compared}")
    for line in summary(folder, medians):
        print(line)
