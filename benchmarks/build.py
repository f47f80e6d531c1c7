"""Whole builds at national size: from the agencies' files to a release, one state, the nation, and several years.

    python benchmarks/build.py [--folder DIR] [--scale 1.0] [--years 2014,...]

SYNTHETIC files of the nation (`benchmarks.nation`): microdata, tables of 84,000 tracts, wages, crime and all other
sources. Every build starts from a data root that has raw files only and runs in a process of its own, by the code
behind `mobility build`. 2022 has a 1-year sample, 2023 a 5-year sample, too; ten years have nine 1-year and five 5-year
samples and so cost at most five times these two. `--years` builds others (needs their files: a minute and half a
gigabyte for each, three minutes and two gigabytes more for a 5-year sample) and says what they really took.

The alternative is to read the same microdata with pandas, without recoding, joining, checking or computing anything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ONE_STATE: Final = "37"
PAIR: Final = (2022, 2023)
PAIRS_OF_TEN_YEARS: Final = 5


@dataclass(frozen=True)
class Build:
    """What is built: years, states (FIPS codes, comma-separated; empty: all), processes side by side (0: as usual)."""

    name: str
    years: tuple[int, ...]
    states: str = ""
    processes: int = 0


@dataclass(frozen=True)
class Measured:
    """Wall and processor seconds, peak memory (GB) of the largest process, and what the build says of itself."""

    wall: float
    cpu: float
    memory: float
    steps: dict[str, float]
    counts: dict[str, int]
    disk: float


def builds(years: tuple[int, ...]) -> list[Build]:
    """The builds in the order of their size."""
    if years != PAIR:
        return [Build(f"nation, {', '.join(map(str, years))}", years)]
    return [
        Build("one state, 2022", PAIR[:1], ONE_STATE, 1),
        Build("nation, 2022: 1-year sample", PAIR[:1], processes=1),
        Build("nation, 2023: both samples", PAIR[1:], processes=1),
        Build("nation, 2022 and 2023, side by side", PAIR, processes=2),
    ]


def kind_of(stage: str, name: str) -> str:
    """What a step counts among in the table."""
    if stage == "release":
        return "release"
    from metrics.catalog import catalog

    name = name.partition(" ")[0]
    if stage == "table":
        if name.startswith(("acs1_", "acs5_")):
            return f"reading {name[:4]} microdata"
        return "reading all other sources"
    return "ACS microdata predictors" if catalog()[name].microdata else "all other predictors"


def run_build(data: Path, build: Build) -> None:
    """Build in this process and leave an account of the steps beside the data root."""
    from pipelines.run import built_predictors, run
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace
    from sources.framework.states import STATES

    states = build.states or ",".join(state.fips for state in STATES)
    settings = Settings(data=str(data), profile="sample", offline=True, states=states)
    changes = {"mirror": None, "substitute": "none", "processes": build.processes or None}
    begun: dict[str, float] = {}
    steps: dict[str, float] = {}

    def progress(stage: str, name: str, status: str) -> None:
        if status == "start":
            begun[name] = time.perf_counter()
            return
        # A release begins under another name than it ends with.
        started = begun.pop("published files" if stage == "release" else name, None)
        if started is not None:
            kind = kind_of(stage, name)
            steps[kind] = steps.get(kind, 0.0) + time.perf_counter() - started

    report = run(Workspace(settings.model_copy(update=changes), progress=progress), built_predictors(), [*build.years])
    if report.failed:
        raise SystemExit(f"{build.name}: {report.failed}")
    data.with_suffix(".json").write_text(json.dumps({"steps": steps, "counts": report.counts}))


def measure(raw: Path, build: Build, folder: Path) -> Measured:
    """One build from raw files only; its data root is removed again."""
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    (data / "raw").symlink_to(raw, target_is_directory=True)
    command = [sys.executable, __file__, "--at", str(data), "--build", json.dumps(vars(build))]
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{build.name} failed")
    said = json.loads(data.with_suffix(".json").read_text())
    disk = sum(p.stat().st_size for p in data.rglob("*") if p.is_file() and not p.is_symlink()) / 1e9
    (data / "raw").unlink()
    shutil.rmtree(data)
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(wall, cpu, usage.ru_maxrss / 1e6, said["steps"], said["counts"], disk)


def read_with_pandas(raw: Path, vintage: str) -> None:
    """Every CSV of a sample into pandas, one after another."""
    import zipfile

    import pandas as pd

    for path in sorted((raw / "acs_pums_census" / vintage).glob("csv_*.zip")):
        with zipfile.ZipFile(path) as archive:
            member = next(n for n in archive.namelist() if n.endswith(".csv"))
            with archive.open(member) as stream:
                pd.read_csv(stream, low_memory=False)


def measure_pandas(raw: Path, vintage: str) -> tuple[float, float, float]:
    """Wall and processor seconds and peak memory (GB)."""
    command = [sys.executable, __file__, "--at", str(raw), "--pandas", vintage]
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("reading with pandas failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def write(folder: Path, years: tuple[int, ...], scale: float) -> Path:
    """The raw files of these years; what is there already stays."""
    from benchmarks import nation
    from sources.acs.sample import FIVE_YEAR, ONE_YEAR

    raw = folder / f"nation-{scale:g}" / "raw"
    samples = [(y, span) for span, there in ((1, ONE_YEAR), (5, FIVE_YEAR)) for y in years if y in there]
    nation.write_microdata(raw, samples, scale=scale)
    nation.write_sources(raw, years)
    return raw


def main() -> None:
    """Write the files if they are not there, run the builds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mobility-benchmarks")
    parser.add_argument("--runs", type=int, default=1, help="not used: a build is long enough to be measured once")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the microdata, to try the benchmark out")
    parser.add_argument("--years", help="build these years instead of the pair")
    parser.add_argument("--only", help="builds whose name contains this")
    parser.add_argument("--write", action="store_true", help="only write the raw files")
    for name in ("--at", "--build", "--pandas"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        wanted = json.loads(options.build)
        run_build(Path(options.at), Build(**{**wanted, "years": tuple(wanted["years"])}))
        return
    if options.pandas:
        read_with_pandas(Path(options.at), options.pandas)
        return
    years = tuple(int(y) for y in options.years.split(",")) if options.years else PAIR
    raw = write(options.folder, years, options.scale)
    if options.write:
        return
    chosen = [b for b in builds(years) if not options.only or options.only in b.name]
    found = {b.name: measure(raw, b, options.folder / f"build-x{options.scale:g}") for b in chosen}
    print(f"{'':46}{'wall s':>9}{'cpu s':>9}{'GB':>7}{'disk GB':>9}")
    for name, m in found.items():
        print(f"{name:46}{m.wall:9.1f}{m.cpu:9.1f}{m.memory:7.2f}{m.disk:9.2f}  {m.counts.get('built', 0):,} steps")
        for kind, seconds in sorted(m.steps.items(), key=lambda step: -step[1]):
            print(f"    {kind:42}{seconds:9.1f}")
    pair = found.get("nation, 2022 and 2023, side by side")
    if pair is not None:
        release = pair.steps.get("release", 0.0)
        most = PAIRS_OF_TEN_YEARS * (pair.wall - release)
        print(f"ten years, at most five times that pair: {most / 60:.1f} minutes, and one release of ten years")
    if years == PAIR and not options.only:
        for vintage in ("2022-1yr", "2023-5yr"):
            wall, cpu, memory = measure_pandas(raw, vintage)
            print(f"{f'pandas.read_csv alone, microdata {vintage}':46}{wall:9.1f}{cpu:9.1f}{memory:7.2f}")


if __name__ == "__main__":
    main()
