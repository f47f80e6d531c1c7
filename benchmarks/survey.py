"""Time and memory of the survey mathematics at national size, against scanning the columns and against other ways.

    python benchmarks/survey.py [--runs 3] [--folder DIR] [--persons 3300000] [--households 1300000]

Writes SYNTHETIC national files (2,462 PUMAs, 80 replicate weights) into the folder once, then runs every way in its own
process and prints wall time, processor time, peak memory, the ratio of each to the bare scan, and how far its figures
are from ours. Wall times include the start of the interpreter.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ROOT = Path(__file__).resolve().parent.parent
REPLICATES = 80
PUMAS, STATES, SINGLE_PUMAS, POOLING_COUNTIES, PLACES = 2462, 51, 772, 387, 486


@dataclass(frozen=True)
class Way:
    """One way to the figures of a task; a bare scan returns nothing."""

    name: str
    task: str
    run: Callable[[Path], object]


# ---- synthetic files ------------------------------------------------------------------------------------------------


def write_allocation(folder: Path) -> None:
    """772 PUMAs of 3 or 4 counties each, 387 counties that pool the rest; 131 places in one PUMA, 355 in four."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(7)
    state = np.sort(np.append(np.arange(1, STATES + 1), rng.integers(1, STATES + 1, PUMAS - STATES)))
    rows: list[tuple[str, int, int, float]] = []
    geo = 0
    for puma in range(SINGLE_PUMAS):
        # Every third PUMA is cut into counties, so that both kinds stand in every state.
        shares = (0.4, 0.3, 0.2, 0.1) if puma % 7 < 4 else (0.5, 0.3, 0.2)
        for share in shares:
            rows.append(("county", geo, 3 * puma, share))
            geo += 1
    single = {3 * p for p in range(SINGLE_PUMAS)}
    rest = [p for p in range(PUMAS) if p not in single]
    by_state: dict[int, list[int]] = {}
    for puma in rest:
        by_state.setdefault(int(state[puma]), []).append(puma)
    blocks = []
    for members in by_state.values():
        size = max(1, round(len(rest) / POOLING_COUNTIES))
        blocks += [members[i : i + size] for i in range(0, len(members), size)]
    for block in blocks:
        for puma in block:
            rows.append(("county", geo, puma, 1.0))
        geo += 1
    pooled = [b for b in blocks if len(b) >= 4][: PLACES - 131]
    for i, block in enumerate(pooled):
        rows += [("place", i, puma, share) for puma, share in zip(block[:4], (0.6123, 0.2, 0.1501, 0.3), strict=True)]
    rows += [("place", len(pooled) + i, 3 * i, 0.25) for i in range(131)]
    frame = pl.DataFrame(rows, schema=["level", "geo", "puma", "afact"], orient="row").with_columns(
        pl.Series("state", state[[r[2] for r in rows]])
    )
    width = pl.when(pl.col("level") == "county").then(4).otherwise(5)
    frame.select(
        "level",
        pl.col("state").cast(pl.String).str.zfill(2),
        pl.col("geo").cast(pl.String).str.zfill(width),
        pl.col("puma").cast(pl.String).str.zfill(5),
        pl.lit(2020, dtype=pl.Int16).alias("puma_vintage"),
        "afact",
        (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
        pl.lit(1.0).alias("afact2"),
        pl.lit(1.0).alias("sum_products"),
        pl.lit(1, dtype=pl.Int8).alias("quality"),
        pl.lit(1, dtype=pl.Int8).alias("quality_reference"),
        pl.len().over("level", "state", "geo").cast(pl.Int32).alias("n_pumas"),
    ).write_parquet(folder / "allocation.parquet")


def write_records(folder: Path, kind: str, count: int) -> None:
    """Persons or households, sorted by PUMA as the agency's files are."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(11)
    pumas = pl.read_parquet(folder / "allocation.parquet").select("state", "puma").unique().sort("puma")
    where = pumas[np.sort(rng.integers(0, pumas.height, count))]
    weight = np.clip(np.round(rng.lognormal(4.4, 0.6, count)), 1, None).astype(np.int32)
    columns: dict[str, object] = {
        "state": where["state"],
        "puma": where["puma"],
        "puma_vintage": np.full(count, 2020, np.int16),
        "gq": rng.choice(np.array([1] * 18 + [3, 4], np.int16), count),
    }
    if kind == "persons":
        full, stem = "perwt", "repwtp"
        columns["age"] = rng.integers(0, 92, count).astype(np.int16)
        columns["empstat"] = rng.choice(np.array([1, 1, 1, 1, 1, 1, 2, 3, 3], np.int16), count)
    else:
        full, stem = "hhwt", "repwt"
        income = rng.lognormal(11, 0.9, count)
        heap = rng.choice(np.array([1, 100, 1000, 1000, 5000]), count)
        income = np.round(income / heap) * heap
        income[rng.random(count) < 0.01] = 0
        income[rng.random(count) < 0.002] *= -1
        columns["hhincome"] = income.astype(np.int64)
        columns["adjust"] = np.full(count, 1.042311)
    columns[full] = weight
    factors = np.array([0.3, 1.0, 1.0, 1.7])
    for i in range(1, REPLICATES + 1):
        columns[f"{stem}{i}"] = np.round(weight * rng.choice(factors, count)).astype(np.int32)
    pl.DataFrame(columns).write_parquet(folder / f"{kind}.parquet", compression="zstd", row_group_size=122_880)


# ---- ways to the share ----------------------------------------------------------------------------------------------

PERSON = ["perwt", *(f"repwtp{i}" for i in range(1, REPLICATES + 1))]
HOUSEHOLD = ["hhwt", *(f"repwt{i}" for i in range(1, REPLICATES + 1))]
KEY = ["level", "state", "geo"]


def share_scan_polars(folder: Path) -> None:
    """Read and add up the columns that the share needs."""
    import polars as pl

    sums = [pl.col(c).cast(pl.Int64).sum() for c in [*PERSON, "empstat", "age", "gq"]]
    keys = [pl.col(c).max() for c in ("state", "puma", "puma_vintage")]
    pl.scan_parquet(folder / "persons.parquet").select(*sums, *keys).collect(engine="streaming")


def share_scan_universe(folder: Path) -> None:
    """The same for the records of the universe."""
    import polars as pl

    universe = pl.col("age").is_between(25, 54) & pl.col("gq").is_in([1, 2, 5])
    sums = [pl.col(c).cast(pl.Int64).sum() for c in [*PERSON, "empstat"]]
    keys = [pl.col(c).max() for c in ("state", "puma", "puma_vintage")]
    pl.scan_parquet(folder / "persons.parquet").filter(universe).select(*sums, *keys).collect(engine="streaming")


def share_scan_duckdb(folder: Path) -> None:
    """All records in DuckDB."""
    import duckdb

    sums = ", ".join(f"sum({c})" for c in [*PERSON, "empstat", "age", "gq"])
    query = f"select {sums}, max(state), max(puma), max(puma_vintage) from '{folder}/persons.parquet'"
    duckdb.sql(query).fetchall()


def share_ours(folder: Path) -> object:
    """This project: PUMA sums in one pass, then allocation; bounds and degrees of freedom included."""
    return share_bounds(folder).select(*KEY, "value", "se")


def share_bounds(folder: Path) -> pl.DataFrame:
    """All estimates of the share, as the project makes them."""
    import polars as pl

    from metrics.cells import Filter
    from metrics.replication import PERSON_WEIGHTS
    from metrics.survey import ShareSpec, share_estimates

    universe = (
        Filter("ages 25 to 54", pl.col("age").is_between(25, 54)),
        Filter("in a household", pl.col("gq").is_in([1, 2, 5])),
    )
    spec = ShareSpec("share_employed", universe, pl.col("empstat") == 1)
    return share_estimates(
        pl.scan_parquet(folder / "persons.parquet"),
        pl.scan_parquet(folder / "allocation.parquet"),
        [spec],
        weights=PERSON_WEIGHTS,
        sample="acs1",
    )


def share_duckdb_puma_first(folder: Path) -> object:
    """DuckDB: sums by PUMA and outcome, allocation and ratios in SQL; no bounds, no degrees of freedom."""
    import duckdb

    sums = ", ".join(f"sum({c}) {c}" for c in PERSON)
    allocated = ", ".join(f"sum({c} * afact_10k) d{i}, sum({c} * afact_10k * y) n{i}" for i, c in enumerate(PERSON))
    squares = " + ".join(f"pow(n{i} / d{i} - n0 / d0, 2)" for i in range(1, REPLICATES + 1))
    return duckdb.sql(
        f"""
        with puma as (
            select state, puma, (empstat = 1)::int y, count(*) n, {sums} from '{folder}/persons.parquet'
            where age between 25 and 54 and gq in (1, 2, 5) group by all
        ), area as (
            select level, state, geo, sum(n * afact_10k) e, {allocated}
            from puma join '{folder}/allocation.parquet' using (state, puma) group by all
        )
        select level, state, geo, n0 / d0 as value, sqrt(4 / 80 * ({squares})) se from area where e >= 300000
        """
    ).pl()


def share_polars_join_first(folder: Path) -> object:
    """polars: join records to areas, multiply all weights, add up."""
    import polars as pl

    areas = pl.scan_parquet(folder / "allocation.parquet").select(*KEY, "puma", "afact")
    sums = (
        pl.scan_parquet(folder / "persons.parquet")
        .filter(pl.col("age").is_between(25, 54) & pl.col("gq").is_in([1, 2, 5]))
        .select("state", "puma", (pl.col("empstat") == 1).alias("y"), *PERSON)
        .join(areas, on=["state", "puma"])
        .group_by(KEY)
        .agg(
            pl.col("afact").sum().alias("e"),
            *((pl.col(c) * pl.col("afact")).sum().alias(f"d{i}") for i, c in enumerate(PERSON)),
            *((pl.col(c) * pl.col("afact") * pl.col("y")).sum().alias(f"n{i}") for i, c in enumerate(PERSON)),
        )
        .collect(engine="streaming")
    )
    theta = [pl.col(f"n{i}") / pl.col(f"d{i}") for i in range(REPLICATES + 1)]
    se = (pl.sum_horizontal((t - theta[0]) ** 2 for t in theta[1:]) * 4 / REPLICATES).sqrt()
    return sums.filter(pl.col("e") > 30 - 1e-9).select(*KEY, theta[0].alias("value"), se.alias("se"))


def share_pandas_join_first(folder: Path) -> object:
    """pandas: the same."""
    import pandas as pd
    import polars as pl

    records = pd.read_parquet(folder / "persons.parquet", filters=[("age", ">=", 25), ("age", "<=", 54)])
    records = records[records["gq"].isin([1, 2, 5])]
    areas = pd.read_parquet(folder / "allocation.parquet", columns=[*KEY, "puma", "afact"])
    y = (records["empstat"] == 1).to_numpy()
    records = records[["state", "puma", *PERSON]].assign(y=y).merge(areas, on=["state", "puma"])
    y, factor = records["y"].to_numpy(), records["afact"].to_numpy()
    weights = records[PERSON].mul(factor, axis=0)
    keys = [records[c] for c in KEY]
    below = weights.groupby(keys).sum()
    above = weights.mul(y, axis=0).groupby(keys).sum()
    effective = records["afact"].groupby(keys).sum()
    theta = above / below
    squares = theta[PERSON[1:]].sub(theta[PERSON[0]], axis=0).pow(2).sum(axis=1)
    out = pd.DataFrame({"value": theta[PERSON[0]], "se": (4 / REPLICATES * squares) ** 0.5})
    return pl.from_pandas(out[effective > 30 - 1e-9].reset_index())


# ---- ways to the quantiles ------------------------------------------------------------------------------------------


def quantile_scan_polars(folder: Path) -> None:
    """Read and add up the columns that the quantiles need."""
    import polars as pl

    sums = [pl.col(c).cast(pl.Int64).sum() for c in [*HOUSEHOLD, "hhincome", "gq"]]
    keys = [pl.col(c).max() for c in ("state", "puma", "puma_vintage", "adjust")]
    pl.scan_parquet(folder / "households.parquet").select(*sums, *keys).collect(engine="streaming")


def quantile_ours(folder: Path) -> object:
    """This project: hf3 quantiles with Woodruff bounds, no loop over areas."""
    import polars as pl

    return quantile_bounds(folder).select(*KEY, "metric", "value", pl.col("woodruff_se").alias("se"))


def quantile_bounds(folder: Path) -> pl.DataFrame:
    """All estimates of the quantiles, as the project makes them."""
    import polars as pl

    from metrics.cells import Filter
    from metrics.quantiles import QuantileSpec, quantile_estimates
    from metrics.replication import HOUSEHOLD_WEIGHTS

    spec = QuantileSpec(
        (Filter("in a household", pl.col("gq").is_in([1, 2, 5])),),
        pl.col("hhincome") * pl.col("adjust"),
        {f"pctl_income_{p}": Fraction(p, 100) for p in (20, 50, 80)},
    )
    return quantile_estimates(
        pl.scan_parquet(folder / "households.parquet"),
        pl.scan_parquet(folder / "allocation.parquet"),
        spec,
        weights=HOUSEHOLD_WEIGHTS,
        sample="acs1",
        detail=True,
    )


def quantile_join_and_loop(folder: Path) -> object:
    """polars join, then numpy per area: hf3 quantile and replicate variance of its share; no bounds, no ranks."""
    import numpy as np
    import polars as pl

    areas = pl.read_parquet(folder / "allocation.parquet").select(*KEY, "puma", "afact")
    value = pl.col("hhincome") * pl.col("adjust")
    joined = (
        pl.scan_parquet(folder / "households.parquet")
        .filter(pl.col("gq").is_in([1, 2, 5]))
        .select("state", "puma", value.alias("v"), *HOUSEHOLD)
        .collect(engine="streaming")
        .join(areas, on=["state", "puma"])
    )
    rows = []
    for key, records in joined.group_by(KEY):
        if records["afact"].sum() < 30 - 1e-9:
            continue
        part = records.sort("v")
        factor, values = part["afact"].to_numpy(), part["v"].to_numpy()
        full = part["hhwt"].to_numpy() * factor
        last = np.flatnonzero(np.append(np.diff(values) > 0, True))
        upto = np.cumsum(full)[last]
        replicates = part.select(HOUSEHOLD[1:]).to_numpy() * factor[:, None]
        for p in (0.2, 0.5, 0.8):
            k = max(int(np.searchsorted(upto, p * upto[-1], side="right")), 1)
            tie = upto[k - 1] == p * upto[-1] and k % 2 == 0
            at = k - 1 if tie else min(k, last.size - 1)
            share = upto[at] / upto[-1]
            shares = replicates[: last[at] + 1].sum(axis=0) / replicates.sum(axis=0)
            se = float(np.sqrt(4 / REPLICATES * ((shares - share) ** 2).sum()))
            rows.append((*key, f"pctl_income_{round(100 * p)}", values[last[at]], se))
    return pl.DataFrame(rows, schema=[*KEY, "metric", "value", "se"], orient="row")


WAYS = {
    way.name: way
    for way in (
        Way("scan only, polars", "share", share_scan_polars),
        Way("scan only, DuckDB", "share", share_scan_duckdb),
        Way("scan only, polars, ages 25 to 54", "share", share_scan_universe),
        Way("this project", "share", share_ours),
        Way("DuckDB, PUMA x outcome first", "share", share_duckdb_puma_first),
        Way("polars, join first", "share", share_polars_join_first),
        Way("pandas, join first", "share", share_pandas_join_first),
        Way("scan only, polars (quantile)", "quantile", quantile_scan_polars),
        Way("this project (quantile)", "quantile", quantile_ours),
        Way("polars join, loop over areas (quantile)", "quantile", quantile_join_and_loop),
    )
}


# ---- measuring ------------------------------------------------------------------------------------------------------


def data_folder(options: argparse.Namespace) -> Path:
    """Where the files of this size lie."""
    return options.folder / f"{options.persons}-{options.households}"


def write_files(options: argparse.Namespace) -> None:
    """The allocation table and both kinds of records."""
    folder = data_folder(options)
    write_allocation(folder)
    write_records(folder, "persons", options.persons)
    write_records(folder, "households", options.households)


def measure(name: str, folder: Path, out: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory (GB) of one way in its own process."""
    command = [sys.executable, __file__, "--way", name, "--folder", str(folder), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{name} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def deviation(folder: Path, name: str, ours: str) -> str:
    """Largest relative difference to our figures, and the number of figures that differ by more than 1e-9."""
    import polars as pl

    theirs, mine = (pl.read_parquet(folder / f"{n}.result.parquet") for n in (name, ours))
    on = [c for c in (*KEY, "metric") if c in mine.columns]
    both = mine.drop_nulls("value").join(theirs, on=on, how="full", coalesce=True)
    if both["value"].null_count() or both["value_right"].null_count():
        return "other areas"
    worst, differing = 0.0, 0
    for column in ("value", "se"):
        gap = (both[column] - both[f"{column}_right"]).abs() / both[column].abs().clip(1e-9)
        worst, differing = max(worst, float(gap.max() or 0.0)), differing + int((gap > 1e-9).sum())
    return f"{worst:.0e}, {differing} differ"


def main() -> None:
    """Write the files if they are not there, run every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mobility-survey-benchmark")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--persons", type=int, default=3_300_000)
    parser.add_argument("--households", type=int, default=1_300_000)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_files(options)
        return
    if options.way:
        result = WAYS[options.way].run(options.folder)
        if result is not None:
            result.write_parquet(options.out)  # type: ignore[attr-defined]
        return

    folder = data_folder(options)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "households.parquet").exists():
        # In a process of its own: a child's peak memory starts from that of the process it was forked from.
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--write"], check=True)
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in WAYS}
    for _ in range(options.runs):  # in turns, so that a busy minute hits all of them
        for name in WAYS:
            runs[name].append(measure(name, folder, folder / f"{name}.result.parquet"))
    medians = {n: [statistics.median(column) for column in zip(*r, strict=True)] for n, r in runs.items()}
    best = {n: min(r)[0] for n, r in runs.items()}

    print(f"{options.persons:,} persons, {options.households:,} households, {PUMAS:,} PUMAs; SYNTHETIC data")
    print(f"Median (best) of {options.runs} runs, {os.cpu_count()} processors")
    print(f"{'':42}{'wall s':>16}{'cpu s':>8}{'GB':>7}{'x scan':>8}  against ours (relative)")
    for task, ours, floor in (
        ("share", "this project", "scan only, polars"),
        ("quantile", "this project (quantile)", "scan only, polars (quantile)"),
    ):
        print(f"-- {task}")
        for name in (w.name for w in WAYS.values() if w.task == task):
            wall, cpu, memory = medians[name]
            compared = "" if "scan" in name or name == ours else deviation(folder, name, ours)
            timed = f"{wall:.2f} ({best[name]:.2f})"
            print(f"{name:42}{timed:>16}{cpu:8.2f}{memory:7.2f}{wall / medians[floor][0]:8.2f}  {compared}")
    print("-- against R's survey package")
    ours = {"share": medians["this project"][0], "quantile": medians["this project (quantile)"][0]}
    for line in r_peer(folder, ours):
        print(line)


def r_peer(folder: Path, ours: Mapping[str, float]) -> list[str]:
    """What `benchmarks/peer_r.py` found, or why it was left out; `ours` are our seconds for the nation by task."""
    sys.path.insert(0, str(ROOT))
    from benchmarks import peer_r

    reason = peer_r.available()
    if reason:
        return [f"left out: {reason}"]
    return [*peer_r.compare(folder, peer_r.run_ours), *peer_r.nation(folder, ours)]


if __name__ == "__main__":
    main()
