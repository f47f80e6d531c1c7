"""`make bench`: run all benchmarks and write `benchmarks/README.md`.

    python -m benchmarks [--runs 3] [--only survey,build] [--folder DIR] [--scale 1.0] [--print]

The first run writes some gigabytes of national files, which `--folder` keeps for later ones. Nothing else should run
meanwhile. With `--only` the other parts of the page stay as they are; with a scale other than 1 it is printed, not
written.
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
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("polars", "duckdb", "pandas", "numpy", "pyarrow", "dagster")
NOTES: Final = ROOT / "benchmarks" / "notes.md"
"""Targets, and what is said of those that are missed: kept by hand."""

SECTIONS: Final = {
    "survey": (
        "Survey estimates at national size (1-year file, all counties and 486 places)",
        '"x scan" is the wall time over that of merely scanning and summing the same columns.',
    ),
    "microdata": (
        "Microdata predictors, 1-year and 5-year",
        "From the pipeline's Parquet to estimates with bounds of all counties and 486 places. Shares are those of\n"
        "employment, preschool and college with all subgroups.",
    ),
    "ipums": (
        "Reading a national IPUMS extract",
        'From the gzipped extract to checked Parquet; "x scan" is the wall time over that of decompressing it.',
    ),
    "build": (
        "Whole builds: how cost grows",
        "From raw files only to a release. GB is the memory of the largest process, disk what the build leaves beside\n"
        "the raw files. Below each build stand the seconds of its steps, by kind.",
    ),
    "schools": (
        "Schools at national size",
        "Learning rates of all counties, cohorts and groups of one release, and homeless students of nine school\n"
        "years, both from the agencies' files as they lie in the raw store.",
    ),
    "nibrs": (
        "A NIBRS year",
        "The .rds file is converted once, when it is first used; every build after that starts from its Parquet file.",
    ),
    "release": (
        "A national release",
        "Estimates of every predictor, year and subgroup for all counties and 486 places become a release; a second\n"
        "one with one predictor revised is compared with it.",
    ),
}
"""Script -> title and what is to be said of it."""

SAMPLE: Final = "sample"
SAMPLE_TITLE: Final = "The sample"


def sections(page: str) -> dict[str, str]:
    """Title -> text of the sections of a page."""
    parts = (part.partition("\n") for part in f"\n{page}".split("\n## ")[1:])
    return {title: text.rstrip() + "\n" for title, _, text in parts}


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
        rows.append(("`mobility rebuild living_wage --force`, the same figures", one))
        publishing = []
        for _ in range(runs):
            # Nobody remembers what the release was made from: its files are written and compared.
            (data / ".state" / "last_release.json").unlink()
            publishing.append(command(["rebuild", "living_wage", "--force"], data))
        rows.append(("`mobility rebuild living_wage --force`, a release to write", publishing))
    lines = ["| command | seconds (median) | runs |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {statistics.median(s):.1f} | {len(s)} |" for what, s in rows)])


def arguments_of(script: str, runs: int, folder: Path | None, scale: float) -> list[str]:
    """What a script is called with. Those that measure a release of published size have no scale."""
    own = ["--runs", str(runs)]
    if folder is not None:
        own += ["--folder", str(folder / script if script in ("survey", "release") else folder)]
    if script == "survey" and scale != 1:
        own += ["--persons", str(round(3_300_000 * scale)), "--households", str(round(1_300_000 * scale))]
    elif script not in ("survey", "release"):
        own += ["--scale", str(scale)]
    return own


def table(script: str, arguments: list[str]) -> str:
    """What one of the measuring scripts beside this one prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.rstrip()


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", help=f"some of {', '.join([*SECTIONS, SAMPLE])}, separated by commas")
    parser.add_argument("--folder", type=Path, help="where the national synthetic files are kept between runs")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the national size, to try the benchmarks")
    parser.add_argument("--print", action="store_true", help="print the page instead of writing it")
    options = parser.parse_args()
    everything = [*SECTIONS, SAMPLE]
    chosen = options.only.split(",") if options.only else everything
    if unknown := sorted(set(chosen) - set(everything)):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(everything)}")
    head = f"""# Benchmarks

Written by `make bench`. {machine()}

Each way runs in its own process, in turns with the others; figures are medians of {options.runs}, whole builds and the
publishing of a release are measured once. Ratios within one run are what counts: absolute times depend on the machine
and on what else it does. All files are synthetic.
"""
    measured = {}
    for script in chosen:
        if script == SAMPLE:
            measured[SAMPLE_TITLE] = f"\n{sample_commands(options.runs)}\n"
            continue
        title, about = SECTIONS[script]
        arguments = arguments_of(script, options.runs, options.folder, options.scale)
        measured[title] = f"\n{about}\n\n```\n{table(script, arguments)}\n```\n"
    readme = ROOT / "benchmarks" / "README.md"
    written = sections(readme.read_text(encoding="utf-8")) if options.only and options.scale == 1 else {}
    titles = [*(title for title, _ in SECTIONS.values()), SAMPLE_TITLE]
    found = written | measured
    body = [f"## {title}\n{found[title]}" for title in titles if title in found]
    page = "\n".join([head, *body, NOTES.read_text(encoding="utf-8")])
    if options.print or options.scale != 1:
        print(page)
    else:
        readme.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
