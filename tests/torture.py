"""Builds that are killed at any moment, and what must hold afterwards: `make torture`, and ten kills in the test suite.

A build runs in a process of its own and kills itself (SIGKILL) at the n-th time that it opens a file for writing,
renames, makes or removes one; or it is killed from outside after some time. Whatever was published before must be whole
then, and a run without a kill must end with the same published bytes as one that was never disturbed.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from refresh_support import workspace, write_raw

from outputs.database import content_hashes
from outputs.deliver import latest_release, verify_sums
from pipelines.run import run

PREDICTORS = ["neonatal_health"]
YEARS = [2022, 2023]
SOURCES = ("popest", "wonder_natality")
TIMED = ("release.json", "SHA256SUMS", "mobility.duckdb")
"""Files of a release that hold the time, or (the database) are compared by their rows."""


class DisturbedError(AssertionError):
    """What must hold after a kill does not."""


def prepare(root: Path) -> None:
    """Raw files that are quick to read."""
    write_raw(root, tuple(YEARS), SOURCES)


def _touches(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
        return writes or (isinstance(mode, str) and any(c in mode for c in "wax+"))
    return event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "shutil.copyfile")


def build(root: Path, die_at: int | None = None, count_to: Path | None = None) -> None:
    """One build in this process; it kills itself at the `die_at`-th change of a file below the data root."""
    seen = 0
    home = str(root)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if _touches(event, arguments) and str(arguments[0]).startswith(home):
            seen += 1
            if seen == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    report = run(workspace(root), PREDICTORS, YEARS)
    if report.failed or report.release is None:
        raise DisturbedError(f"the build failed: {report.failed}")
    if count_to is not None:
        count_to.write_text(str(seen))


def forked(work, *, kill_after: float | None = None) -> int:
    """Run `work` in a child process; returns how it ended (negative: the signal)."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            work()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def published(root: Path) -> dict[str, object]:
    """What is published: the latest release's name, each file's sha256, and the rows of the database."""
    name = latest_release(root / "published")
    assert name is not None
    folder = root / "published" / name
    files = {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name not in TIMED
    }
    return {"name": name, "files": files, "database": content_hashes(folder / "mobility.duckdb")}


def told(root: Path) -> dict[str, object]:
    """`published`, worked out in a child: this process must not start the libraries' threads before it forks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "told.json"
        code = forked(lambda: file.write_text(json.dumps(published(root), sort_keys=True)) and None)
        if code != 0:
            raise DisturbedError(f"what is published cannot be read ({code})")
        return json.loads(file.read_text())


def whole(root: Path) -> None:
    """Every release that a reader may see is whole."""
    name = latest_release(root / "published") if (root / "published").exists() else None
    if name is not None and (problems := verify_sums(root / "published" / name)):
        raise DisturbedError(f"the latest release is damaged: {problems[:3]}")
    for folder in (root / "published").glob("[!.]*/") if (root / "published").exists() else []:
        if problems := verify_sums(folder):
            raise DisturbedError(f"{folder.name} is damaged: {problems[:3]}")


def forget(root: Path, keep: random.Random, *, all_of_it: bool) -> None:
    """Go back to the raw files, or only some of the way."""
    for name in ("tables", "estimates", "published", "candidates", ".state"):
        if all_of_it or keep.random() < 0.5 or name == "published":
            shutil.rmtree(root / name, ignore_errors=True)


def torture(folder: Path, kills: int, *, seed: int = 1, settle_every: int = 5, timed: bool = False) -> list[str]:
    """Kill builds `kills` times; returns a line per kill. Raises `DisturbedError`."""
    chance = random.Random(seed)
    calm, root = folder / "calm", folder / "data"
    for made in (calm, root):
        if forked(lambda made=made: prepare(made)) != 0:
            raise DisturbedError("the raw files could not be written")
    counted = folder / "count"
    began = time.monotonic()
    if forked(lambda: build(calm, count_to=counted)) != 0:
        raise DisturbedError("the undisturbed build failed")
    seconds, changes = time.monotonic() - began, int(counted.read_text())
    expected = told(calm)
    lines = [f"an undisturbed build changes files {changes} times in {seconds:.1f} s"]
    fresh = True
    for number in range(1, kills + 1):
        by_time = timed and number % 2 == 0
        # Later builds of a row have less to do.
        at = chance.randint(1, changes if fresh else changes // 6)
        fresh = False
        after = chance.uniform(0, seconds) if by_time else None
        code = forked(lambda at=at, by=by_time: build(root, die_at=None if by else at), kill_after=after)
        whole(root)
        where = f"after {after:.2f} s" if after is not None else f"at change {at}"
        died = code == -signal.SIGKILL
        lines.append(f"kill {number} {where}: {'killed' if died else 'had ended'}")
        # A build that had ended leaves the next ones nothing to do.
        if number % settle_every == 0 or number == kills or not died:
            if forked(lambda: build(root)) != 0:
                raise DisturbedError(f"after kill {number} the build does not work any more")
            whole(root)
            if told(root) != expected:
                raise DisturbedError(f"after kill {number} ({where}) other bytes are published")
            if leftovers := [p for p in root.rglob("*.tmp") if ".state" not in p.parts]:
                raise DisturbedError(f"left behind: {leftovers[:3]}")
            lines.append("settled: the same bytes as an undisturbed run")
            forget(root, chance, all_of_it=not timed)
            fresh = True
    return lines


def main() -> None:
    """`make torture`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--timed", action="store_true", help="every other kill comes from outside, after some time")
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory() as folder:
        for line in torture(Path(folder), chosen.kills, seed=chosen.seed, settle_every=5, timed=chosen.timed):
            print(line)
    print(f"{chosen.kills} kills: the published bytes were always those of an undisturbed run")


if __name__ == "__main__":
    main()
