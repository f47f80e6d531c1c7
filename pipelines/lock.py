"""One build at a time for a state folder, whether the command line or a run of the Dagster UI asks for it.

A build has the lock alone. Where the steps of a run are processes of their own (executor `multiprocess` and those of
several machines), nobody has it for the whole run: each step shares it with other steps, and has one more lock alone,
that of the part that it writes (one table or set of estimates, one year). So runs of different years work side by side,
no part is written by two, and neither a build nor a release begins while a step writes.

A data root on S3, which builds of several machines may share, has locks of its own besides (`remote_lock`).
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pipelines.remote_lock import BusyError, remote_lock, remote_part_lock
from pipelines.workspace import Workspace

__all__ = ["BusyError", "build_lock", "inherit", "part_lock"]

LOCK = "build.lock"
PARTS = "locks"
PATIENCE = 15.0
"""Seconds a run or a step waits: the one before it may be over for Dagster and just about to let go."""
_POLL_SECONDS = 0.2

# Locks that this process has: the command line takes one for all of its runs, each of which asks for it again.
_held: set[Path] = set()


@contextlib.contextmanager
def build_lock(ws: Workspace, what: str = "the command line", *, patience: float = 0.0) -> Iterator[None]:
    """Hold the build lock of the workspace's state folder; it goes with the process.

    `what` tells others who has it. A lock that another process has is waited for, for `patience` seconds; then
    `BusyError` says who has it.
    """
    folder = ws.settings.state_root
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK
    if file in _held:
        yield
        return
    with file.open("a+") as handle:
        _take(handle, ws, patience)
        _held.add(file)
        try:
            _sign(handle, what)
            with remote_lock(ws.root):
                yield
        finally:
            _held.discard(file)


@contextlib.contextmanager
def part_lock(ws: Workspace, stage: str, name: str, year: int, *, patience: float | None = None) -> Iterator[None]:
    """Hold the lock of one part (`stage` is tables or estimates) while it is written.

    Nothing is done in a process that has the build lock. `BusyError` if a build works on the data root, or another step
    on the same part.
    """
    folder = ws.settings.state_root
    if folder / LOCK in _held:
        yield
        return
    patience = PATIENCE if patience is None else patience
    part = f"{stage}-{name}-{year}"
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as shared, (folder / PARTS / f"{part}.lock").open("a+") as own:
        _take(shared, ws, patience, fcntl.LOCK_SH)
        _take(own, ws, patience)
        for handle in (shared, own):
            _sign(handle, f"the step {stage}/{name} {year}")
        with remote_part_lock(ws.root, part):
            yield


def _sign(handle: TextIO, what: str) -> None:
    """Write down who has a lock."""
    handle.truncate(0)
    handle.write(f"{what}, process {os.getpid()}, since {datetime.now(UTC).isoformat(timespec='seconds')}")
    handle.flush()


def inherit(ws: Workspace) -> None:
    """In a process that a holder of the lock started to do a part of its work: it is held already."""
    _held.add(ws.settings.state_root / LOCK)


def _take(handle: TextIO, ws: Workspace, patience: float, how: int = fcntl.LOCK_EX) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
                continue
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise BusyError(
                f"another build is running on {ws.root} ({holder}). Start this one again when that one is done "
                f"(lock {handle.name})."
            ) from error
        return
