"""Time and memory of a national release: assembling and writing all files, and comparing two releases.

    python benchmarks/release.py [--runs 3] [--folder DIR]

Writes SYNTHETIC estimates of national size (every county and city, every predictor, year and subgroup of the catalog)
into the folder once, publishes them, publishes them again with one predictor revised, and compares the two releases as
`mobility diff` does. The figures are random, so rules about plausible figures are broken: every rule of the gate is
asked, none is obeyed. The comparison, and writing the largest published file, are done in pandas, too. Each way runs in
its own process; wall seconds include the start of the interpreter.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
YEARS: Final = range(2014, 2024)
REVISED: Final = "employment"
"""The predictor whose figures differ between the two releases."""


# ---- synthetic estimates --------------------------------------------------------------------------------------------


def write_estimates(folder: Path) -> None:
    """Lawful estimates for all predictors and years, about two thirds of them with a value; populations by year."""
    import polars as pl

    from metrics.catalog import catalog
    from sources.geography import geographies

    for year in YEARS:
        spine = geographies(year).with_row_index("i")
        people = (pl.col("i").hash(11) % 900_000 + 500).cast(pl.Int64).alias("population")
        spine = spine.select("level", "state", "geo", "name", "state_name", people)
        path = folder / "spine" / f"{year}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        spine.write_parquet(path)
        for key, entry in catalog().items():
            if year in entry.predictor.years:
                path = folder / "estimates" / key / f"{year}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                figures(entry.predictor, year, spine).write_parquet(path)


def figures(predictor, year: int, spine):  # noqa: ANN001, ANN201
    """The estimates of one predictor and year."""
    import numpy as np
    import polars as pl

    from metrics.predictor import expected_keys
    from schemas.estimate import ESTIMATE

    keys = expected_keys(predictor, year, spine).sort("level", "state", "geo", "sample", "subgroup_type", "subgroup")
    rng = np.random.default_rng([year, *predictor.key.encode()])
    low = keys["metric"].replace_strict({m.column: m.minimum or 0.0 for m in predictor.metrics}).to_numpy()
    high = {m.column: m.maximum if m.maximum is not None else 50_000.0 for m in predictor.metrics}
    span = keys["metric"].replace_strict(high).to_numpy() - low
    value = low + span * (0.1 + 0.8 * rng.random(keys.height))
    width = 0.05 * span
    there = pl.Series(rng.random(keys.height) < 0.66)
    bounded = keys["metric"].is_in([m.column for m in predictor.metrics if m.interval != "none"])
    count = pl.Series(rng.integers(30, 30_000, keys.height))
    frame = keys.with_columns(
        pl.Series("value", value),
        pl.Series("lb", value - width),
        pl.Series("ub", value + width),
        pl.Series("quality", rng.integers(1, 4, keys.height)),
        pl.Series("se", width / 1.96),
        pl.Series("cv", width / 1.96 / value),
        pl.Series("denominator", count * 37.5),
        pl.Series("numerator", value * count.to_numpy() * 37.5),
        pl.Series("allocation", rng.random(keys.height)),
        pl.concat_str(pl.lit("P"), (pl.col("geo").hash(5) % 2_400).cast(pl.String)).alias("estimation_area"),
        pl.lit(3).alias("n_areas"),
        count.alias("n"),
        (count * 0.73).alias("n_effective"),
        pl.lit(f"{year - 4}-{year}").alias("reference_period"),
    )
    shown = frame.with_columns(
        *(pl.when(there).then(c).alias(c) for c in ("value", "quality", "se", "cv", "numerator", "denominator")),
        *(pl.when(there & bounded).then(c).alias(c) for c in ("lb", "ub")),
        pl.when(~there).then(pl.lit("effective sample below 30")).alias("reason"),
    )
    return shown.select(pl.col(c).cast(t) for c, t in ESTIMATE.items())


# ---- the ways -------------------------------------------------------------------------------------------------------

LARGEST: Final = "12_mobility-metrics_county_race-ethnicity_longitudinal"


def _publish(folder: Path, name: str, *, revised: bool) -> None:
    """Publish under `folder/published`; a release of that name that is there is removed first."""
    from outputs import release
    from outputs.rules.report import GateReport, run_gate

    def asked_not_obeyed(context):  # noqa: ANN001, ANN202
        told = run_gate(context)
        results = tuple(replace(r, status="warned") if r.status == "failed" else r for r in told.results)
        return GateReport(results, told.synthetic)

    release.run_gate = asked_not_obeyed  # type: ignore[assignment]
    shutil.rmtree(folder / "published" / f"SYNTHETIC-{name}", ignore_errors=True)
    given, spines, meta = _ingredients(folder, revised=revised)
    report = release.publish(given, spines, folder / "published", meta, name=name)
    print(f"{sum(report.rows.values()):,} rows in {len(report.rows)} files and their other form")


def _ingredients(folder: Path, *, revised: bool):  # noqa: ANN202
    """Estimates, spines and facts of a release, as `publish` takes them."""
    import polars as pl

    from outputs.about import Lineage, ReleaseMeta

    estimates = {p.name: sorted(p.glob("*.parquet")) for p in sorted((folder / "estimates").iterdir())}
    spines = {int(p.stem): pl.read_parquet(p) for p in sorted((folder / "spine").glob("*.parquet"))}
    made = tuple(
        Lineage(key, int(path.stem), "2" if revised and key == REVISED else "1")
        for key, paths in estimates.items()
        for path in paths
    )
    given: dict[str, object] = dict(estimates)
    if revised:
        moved = pl.col("value", "lb", "ub") * 0.999
        given[REVISED] = pl.concat([pl.scan_parquet(p) for p in estimates[REVISED]]).with_columns(moved)
    return given, spines, ReleaseMeta("sample", "2" if revised else "1", synthetic=True, lineage=made)


class _AllWrittenError(Exception):
    """Raised in place of what comes after assembling and writing."""


def assemble_and_write(folder: Path) -> None:
    """All wide files and the long file, in CSV and Parquet: a release until its tables, database, checks and pages."""
    from outputs import release

    def stop(draft):  # noqa: ANN001, ANN202
        cells = sum(w.rows * sum(1 for c in w.columns if c.metric is not None) for w in draft.written)
        print(
            f"{cells:,} cells of metrics in {len(draft.written)} wide files, {draft.long.rows:,} rows in the long file"
        )
        raise _AllWrittenError

    release._write_tables = stop
    given, spines, meta = _ingredients(folder, revised=False)
    with tempfile.TemporaryDirectory(dir=folder) as scratch, contextlib.suppress(_AllWrittenError):
        release.publish(given, spines, Path(scratch), meta, name="timed")


def _folders(folder: Path) -> tuple[Path, Path]:
    return folder / "published" / "SYNTHETIC-first", folder / "published" / "SYNTHETIC-second"


def compare_ours(folder: Path) -> None:
    """The comparison of `mobility diff`, with every changed figure written."""
    from outputs.revisions import Release, write_revisions

    with tempfile.TemporaryDirectory() as scratch:
        old, new = (Release.at(f, Path(scratch)) for f in _folders(folder))
        told = write_revisions(old, new, parquet=Path(scratch) / "revisions.parquet")
    print(f"{told.changed:,} of {told.figures:,} figures changed")


def compare_pandas(folder: Path) -> None:
    """The same changed figures by an outer merge in pandas; no reasons, no summary."""
    import pandas as pd

    from schemas.estimate import KEY

    fields = ["value", "lb", "ub", "quality"]
    old, new = (pd.read_parquet(f / "estimates.parquet", columns=[*KEY, *fields]) for f in _folders(folder))
    both = old.merge(new, on=list(KEY), how="outer", suffixes=("_old", "_new"), validate="1:1")
    changed = 0
    for field in fields:
        a, b = both[f"{field}_old"], both[f"{field}_new"]
        changed += int(((a != b) & ~(a.isna() & b.isna())).sum())
    print(f"{changed:,} figures changed")


def write_ours(folder: Path) -> None:
    """The largest published file, read from Parquet and written as CSV."""
    import polars as pl

    from outputs.write import write_csv

    frame = pl.read_parquet(_folders(folder)[0] / "parquet" / f"{LARGEST}.parquet")
    write_csv(frame, folder / "ours.csv")
    print(f"{frame.height * frame.width:,} cells")


def write_pandas(folder: Path) -> None:
    """The same in pandas; its numbers below a thousandth stand in another form."""
    import pandas as pd

    frame = pd.read_parquet(_folders(folder)[0] / "parquet" / f"{LARGEST}.parquet")
    frame.to_csv(folder / "pandas.csv", index=False, na_rep="NA", lineterminator="\n")
    print(f"{frame.size:,} cells")


WAYS: Final[dict[str, Callable[[Path], None]]] = {
    "assemble and write all files, CSV and Parquet": assemble_and_write,
    "publish: all files, database, checks, gate": lambda folder: _publish(folder, "first", revised=False),
    "publish again, one predictor revised": lambda folder: _publish(folder, "second", revised=True),
    "compare two releases, this project": compare_ours,
    "compare two releases, pandas": compare_pandas,
    "write the largest CSV, this project": write_ours,
    "write the largest CSV, pandas": write_pandas,
}


# ---- measuring ------------------------------------------------------------------------------------------------------


def measure(way: str, folder: Path) -> tuple[float, float, float, str]:
    """Wall seconds, processor seconds, peak memory (GB) and output of one way in its own process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [sys.executable, __file__, "--way", way, "--folder", str(folder)], env=environment, stdout=out
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{way} failed")
        out.seek(0)
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6, out.read().strip()


def main() -> None:
    """Write the estimates if they are not there, run every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mobility-release-benchmark")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_estimates(options.folder)
        return
    if options.way:
        WAYS[options.way](options.folder)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / "estimates" / "trauma" / f"{YEARS[-1]}.parquet").exists():
        # In a process of its own: a child's peak memory starts from that of the process it was forked from.
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--write"], check=True)
    runs = {way: [measure(way, options.folder) for _ in range(options.runs)] for way in WAYS}
    print(f"Median of {options.runs} runs, {os.cpu_count()} processors; SYNTHETIC figures")
    print(f"{'':46}{'wall s':>8}{'cpu s':>8}{'GB':>7}")
    for way, measured in runs.items():
        wall, cpu, memory = (statistics.median(m[i] for m in measured) for i in range(3))
        print(f"{way:46}{wall:8.1f}{cpu:8.1f}{memory:7.2f}  {measured[0][3]}")


if __name__ == "__main__":
    main()
