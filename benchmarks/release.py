"""Time and memory of a national release: assembling and writing all files, and comparing two releases.

    python benchmarks/release.py [--folder DIR] [--alternatives]

Writes SYNTHETIC estimates of national size (every county and city, every predictor, year and subgroup of the catalog)
into the folder once, publishes them, publishes them again with one predictor revised, and compares the two releases
with `mobility diff`'s own code. Each step runs in its own process; wall seconds include the start of the interpreter.
`--alternatives` adds the same comparison and the writing of the largest published file in pandas.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
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


# ---- the steps ------------------------------------------------------------------------------------------------------


def _inputs(folder: Path):  # noqa: ANN202
    import polars as pl

    estimates = {p.name: sorted(p.glob("*.parquet")) for p in sorted((folder / "estimates").iterdir())}
    spines = {int(p.stem): pl.read_parquet(p) for p in sorted((folder / "spine").glob("*.parquet"))}
    return estimates, spines


def publish_release(folder: Path, name: str, *, revised: bool = False) -> None:
    """Publish under `folder/published`."""
    import polars as pl

    from outputs.about import ReleaseMeta
    from outputs.release import publish

    estimates, spines = _inputs(folder)
    given: dict[str, object] = dict(estimates)
    if revised:
        given[REVISED] = pl.concat([pl.scan_parquet(p) for p in estimates[REVISED]]).with_columns(
            pl.col("value", "lb", "ub") * 0.999
        )
    meta = ReleaseMeta("sample", "2" if revised else "1", synthetic=True)
    report = publish(given, spines, folder / "published", meta, name=name)  # type: ignore[arg-type]
    print(sum(report.rows.values()), "rows in", len(report.rows), "files")


STEPS: Final[dict[str, Callable[[Path], None]]] = {
    "write": write_estimates,
    "publish": lambda folder: publish_release(folder, "first"),
    "publish revised": lambda folder: publish_release(folder, "second", revised=True),
}


def measured(step: str, folder: Path) -> tuple[float, float, str]:
    """Wall seconds, peak memory in GB and output of one step in a process of its own."""
    code = (
        "import resource, sys, pathlib; from benchmarks import release as r; "
        "r.STEPS[sys.argv[1]](pathlib.Path(sys.argv[2])); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, step, str(folder)], capture_output=True, text=True, env=environment, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stderr)
    return seconds, int(done.stderr.split()[-1]) / 1024**2, done.stdout.strip()


if __name__ == "__main__":
    f = Path(sys.argv[1])
    f.mkdir(exist_ok=True, parents=True)
    for s in sys.argv[2:]:
        print(s, measured(s, f), flush=True)
