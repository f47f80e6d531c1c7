"""R's survey package as a peer: the reference's way to the same figures, state by state on the synthetic files.

Optional: without `Rscript` and its package `survey` one line says that it was left out. For one state both sides start
from the state's records in a file of their own and are timed as processes, start included. The reference makes a design
for each state and takes one after another, we make the nation at once: the time of some states of all sizes, times the
nation's records over theirs, is set against our time for the nation. R gets its records joined to areas and multiplied
already, which the reference does in R as well, so that its real time is longer.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import polars as pl

HERE: Final = Path(__file__).resolve().parent
SCRIPT: Final = HERE / "peer_survey.R"
Answer = TypeVar("Answer")
TASKS: Final = ("share", "quantile")
STATES: Final = 6
"""States whose time stands for the nation's, from the smallest to the largest."""


def available() -> str | None:
    """Why the peer cannot be asked, or None if it can."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    asked = subprocess.run(
        ["Rscript", "-e", "library(survey)"], capture_output=True, text=True, check=False, timeout=120
    )
    return None if asked.returncode == 0 else "R's package survey is not installed"


def states_by_size(folder: Path) -> list[str]:
    """Codes of the states by their number of sampling areas."""
    import polars as pl

    allocation = pl.read_parquet(folder / "allocation.parquet").filter(pl.col("level") == "county")
    sizes = allocation.group_by("state").agg(pl.col("puma").n_unique()).sort("puma", "state")
    return [str(state) for state in sizes["state"]]


def write_state(folder: Path, state: str) -> dict[str, int]:
    """Write a state's records for both sides; the number of its persons and households.

    `state/persons.parquet`, `households.parquet` and `allocation.parquet` are as the national ones. For R stand
    `share.csv` and `quantile.csv`: the universe's records once per county, weights times factor, areas below 30 left
    out, as the reference prepares them.
    """
    import polars as pl

    from benchmarks.survey import HOUSEHOLD, PERSON

    allocation = pl.read_parquet(folder / "allocation.parquet").filter(pl.col("level") == "county")
    target = folder / "state"
    target.mkdir(exist_ok=True)
    counties = allocation.filter(pl.col("state") == state)
    counties.write_parquet(target / "allocation.parquet")
    universe = {
        "persons": pl.col("age").is_between(25, 54) & pl.col("gq").is_in([1, 2, 5]),
        "households": pl.col("gq").is_in([1, 2, 5]),
    }
    value = {"persons": (pl.col("empstat") == 1).cast(pl.Int8), "households": pl.col("hhincome") * pl.col("adjust")}
    counts: dict[str, int] = {}
    for task, kind, weights in zip(TASKS, universe, (PERSON, HOUSEHOLD), strict=True):
        records = pl.scan_parquet(folder / f"{kind}.parquet").filter(pl.col("state") == state).collect()
        counts[task] = records.height
        records.write_parquet(target / f"{kind}.parquet")
        spread = (
            records.filter(universe[kind])
            .join(counties.select("geo", "puma", "afact"), on="puma", how="inner")
            # Sums of a geography are compared with 30 as the reference does, up to rounding.
            .filter(pl.col("afact").sum().over("geo") > 30 - 1e-9)
        )
        spread.select(
            "geo",
            value[kind].alias("value"),
            *((pl.col(c) * pl.col("afact")).alias(f"w{i}") for i, c in enumerate(weights)),
        ).write_csv(target / f"{task}.csv")
    return counts


def compare(folder: Path, ours: Callable[[str, Path], object]) -> list[str]:
    """Run both sides on a state of middle size; lines of a table: seconds, ratios, figures that differ.

    Percentiles may differ by one value where the running weight hits the probability exactly: we add integers, R
    fractions.

    `ours(task, folder)` runs this project's way on a folder and leaves `<task>.ours.parquet` there.
    """
    import polars as pl

    ordered = states_by_size(folder)
    state = ordered[len(ordered) // 2]
    write_state(folder, state)
    target = folder / "state"
    lines = []
    for task in TASKS:
        mine, _ = _timed(partial(ours, task, target))
        theirs, failure = _run_r(task, target)
        if failure:
            lines.append(f"{task}: R failed: {failure}")
            continue
        figures, differing, worst = _differences(
            pl.read_parquet(target / f"{task}.ours.parquet"),
            pl.read_csv(target / f"{task}.r.csv", infer_schema=False),
        )
        lines.append(
            f"{f'R survey, one state ({task})':34}wall {theirs.wall:.2f} s, cpu {theirs.cpu:.2f} s; ours "
            f"{mine.wall:.2f} s, {mine.cpu:.2f} s: {theirs.wall / mine.wall:.1f} and {theirs.cpu / mine.cpu:.1f} "
            f"times; {figures:,} figures of state {state}, {differing} differ, by {worst:.0e}"
        )
    return lines


def nation(folder: Path, ours: Mapping[str, float]) -> list[str]:
    """R state by state against this project's nation at once; `ours` are our wall seconds by task, both levels.

    R is timed for counties only, in states of all sizes; its time for the nation is theirs times the nation's records
    over theirs. The start of R counts once, as one session would do all states.
    """
    import polars as pl

    ordered = states_by_size(folder)
    chosen = sorted({round(i * (len(ordered) - 1) / (STATES - 1)) for i in range(STATES)})
    kinds = dict(zip(TASKS, ("persons", "households"), strict=True))
    whole = {t: pl.scan_parquet(folder / f"{k}.parquet").select(pl.len()).collect().item() for t, k in kinds.items()}
    seconds, records = dict.fromkeys(TASKS, 0.0), dict.fromkeys(TASKS, 0)
    start, _ = _timed(available)
    for state in (ordered[i] for i in chosen):
        counts = write_state(folder, state)
        for task in TASKS:
            theirs, failure = _run_r(task, folder / "state")
            if failure:
                return [f"{task}: R failed: {failure}"]
            seconds[task] += max(theirs.wall - start.wall, 0.0)
            records[task] += counts[task]
    lines = []
    for task in TASKS:
        scaled = start.wall + seconds[task] * whole[task] / records[task]
        lines.append(
            f"{f'R survey, nation ({task})':34}{seconds[task]:.1f} s for {len(chosen)} states with "
            f"{records[task]:,} of {whole[task]:,} records, so {scaled:,.0f} s for the nation's counties; ours "
            f"{ours[task]:.2f} s with places: {scaled / ours[task]:.0f} times"
        )
    return lines


def _run_r(task: str, target: Path) -> tuple[_Time, str]:
    """The time R takes for a task in a state's folder, and what went wrong (empty: nothing)."""
    command = ["Rscript", str(SCRIPT), task, str(target / f"{task}.csv"), str(target / f"{task}.r.csv")]
    time, done = _timed(partial(subprocess.run, command, capture_output=True, text=True, check=False))
    if done.returncode == 0:
        return time, ""
    return time, done.stderr.strip().splitlines()[-1] if done.stderr else "no message"


@dataclass(frozen=True)
class _Time:
    """Wall and processor seconds of a process."""

    wall: float
    cpu: float


def _timed(run: Callable[[], Answer]) -> tuple[_Time, Answer]:
    """The time of the child processes that `run` starts and waits for, and what it returns."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    answer = run()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Time(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), answer


def _differences(ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[int, int, float]:
    """Figures both have, how many of them differ by more than 1e-9 (relative), and the largest difference."""
    import polars as pl

    numbers = [pl.col(c).str.strip_chars().cast(pl.Float64, strict=False) for c in ("value", "lb", "ub")]
    both = ours.drop_nulls("value").join(
        theirs.with_columns(numbers), on=["geo", "metric"], how="full", coalesce=True, suffix="_r"
    )
    figures, differing, worst = 0, 0, 0.0
    for column in ("value", "lb", "ub"):
        mine, other = both[column], both[f"{column}_r"]
        one_sided = int((mine.is_null() != other.is_null()).sum())
        gap = ((mine - other).abs() / mine.abs().clip(1e-9)).drop_nulls()
        figures += gap.len() + one_sided
        differing += int((gap > 1e-9).sum()) + one_sided
        worst = max(worst, float(gap.max() or 0.0))  # type: ignore[arg-type]
    return figures, differing, worst


def run_ours(task: str, folder: Path) -> None:
    """This project's way in a process of its own."""
    subprocess.run([sys.executable, "-m", "benchmarks.peer_r", task, str(folder)], check=True, cwd=HERE.parent)


def main() -> None:
    """`python -m benchmarks.peer_r <task> <folder>`: this project's figures of the state, with bounds."""
    from benchmarks.survey import quantile_bounds, share_bounds

    task, folder = sys.argv[1], Path(sys.argv[2])
    found = share_bounds(folder) if task == "share" else quantile_bounds(folder)
    found.write_parquet(folder / f"{task}.ours.parquet")


if __name__ == "__main__":
    main()
