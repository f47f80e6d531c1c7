"""One build at a time for a state folder, whether the command line or a run of the Dagster UI asks for it.

A data root on S3, which builds of several machines may share, has a lock of its own besides (`remote_lock`).
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pipelines.remote_lock import BusyError, remote_lock
from pipelines.workspace import Workspace

__all__ = ["BusyError", "build_lock", "inherit"]

LOCK = "build.lock"
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
            handle.truncate(0)
            handle.write(f"{what}, process {os.getpid()}, since {datetime.now(UTC).isoformat(timespec='seconds')}")
            handle.flush()
            with remote_lock(ws.root):
                yield
        finally:
            _held.discard(file)


def inherit(ws: Workspace) -> None:
    """In a process that a holder of the lock started to do a part of its work: it is held already."""
    _held.add(ws.settings.state_root / LOCK)


def _take(handle: TextIO, ws: Workspace, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
