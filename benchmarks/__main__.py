"""`make bench`: run all benchmarks and write `benchmarks/README.md`.

    python -m benchmarks [--runs 3] [--folder DIR] [--print]

Takes about twenty minutes. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("polars", "duckdb", "pandas", "numpy", "pyarrow", "dagster")


def machine() -> str:
    """Processor, cores, memory, versions."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{p} {version(p)}" for p in PACKAGES)
    name = names[0] if names else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB; Python {platform.python_version()}, {versions}."


def command(arguments: list[str], data: Path) -> float:
    """Wall seconds of a `mobility` command, process start included."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_")}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env={**environment, "MOBILITY_DATA": str(data)},
    )
    return time.perf_counter() - start


def sample_commands(runs: int) -> str:
    """The sample build and the rebuild of one predictor, as a table."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        rows = [
            ("`mobility build --profile sample`, nothing there yet", [command(["build", "--profile", "sample"], data)])
        ]
        force = [command(["build", "--force"], data) for _ in range(runs)]
        rows.append(("`mobility build --force`, sources there (warm)", force))
        rows.append(("`mobility build`, nothing changed", [command(["build"], data) for _ in range(runs)]))
        one = [command(["rebuild", "living_wage", "--force"], data) for _ in range(runs)]
        rows.append(("`mobility rebuild living_wage --force`", one))
    lines = ["| command | seconds (median) | runs |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {statistics.median(s):.1f} | {len(s)} |" for what, s in rows)])


def table(script: str, runs: int, folder: Path | None) -> str:
    """What one of the measuring scripts beside this one prints."""
    own = ["--folder", str(folder / script)] if folder else []
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), "--runs", str(runs), *own],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.rstrip()


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the national synthetic files are kept between runs")
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    options = parser.parse_args()
    page = f"""# Benchmarks

Written by `make bench`. {machine()}

Each way runs in its own process, in turns with the others; figures are medians of {options.runs}. Ratios within one run
are what counts: absolute times depend on the machine and on what else it does.

## Survey estimates at national size (1-year file, all counties and 486 places)

"x scan" is the wall time over that of merely scanning and summing the same columns.

```
{table("survey", options.runs, options.folder)}
```

## Schools at national size

Learning rates of all counties, cohorts and groups of one release, and homeless students of nine school years, both from
the agencies' files as they lie in the raw store.

```
{table("schools", options.runs, options.folder)}
```

## A NIBRS year

The .rds file is converted once, when it is first used; every build after that starts from its Parquet file.

```
{table("nibrs", options.runs, options.folder)}
```

## A national release

Estimates of every predictor, year and subgroup for all counties and 486 places become a release; a second one with one
predictor revised is compared with it.

```
{table("release", options.runs, options.folder)}
```

## The sample

{sample_commands(options.runs)}
"""
    if options.print:
        print(page)
    else:
        (ROOT / "benchmarks" / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
