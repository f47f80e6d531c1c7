"""One build at a time on a data root in object storage: a lock object, made by a conditional PUT.

`<root>/.build-lock` holds who builds and since when. It is renewed while the build lives; one that has not been renewed
for ten minutes was left by a build that died, and is taken over (also conditionally: of two that try, one wins).

Steps that run on several machines have a lock object each, `<root>/.part-locks/<part>`. Both sides first take their own
lock and then look for the other's, so that of a build and a step that begin at once at least one gives way.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from upath import UPath

from schemas.errors import MobilityError

NAME: Final = ".build-lock"
PARTS: Final = ".part-locks"
RENEW_SECONDS: Final = 60.0
STALE_SECONDS: Final = 600.0


class BusyError(MobilityError):
    """Another build works on the same data root."""


@contextlib.contextmanager
def remote_lock(root: UPath, *, now: Callable[[], float] = time.time, renew: float = RENEW_SECONDS) -> Iterator[None]:
    """Hold the lock of a data root on S3 (other object stores have none: there the local lock alone counts)."""
    if root.protocol not in ("s3", "s3a"):
        yield
        return
    with _kept(_Lock(root, root / NAME, now), renew):
        for path in _parts(root):
            if (said := _Lock(root, path, now).living()) is not None:
                raise BusyError(f"a step is writing {path.name} on {root} ({_who(said)}). Start again when it is done.")
        yield


@contextlib.contextmanager
def remote_part_lock(
    root: UPath, part: str, *, now: Callable[[], float] = time.time, renew: float = RENEW_SECONDS
) -> Iterator[None]:
    """Hold the lock of one part of a data root on S3, while no build has the whole of it."""
    if root.protocol not in ("s3", "s3a"):
        yield
        return
    with _kept(_Lock(root, root / PARTS / part, now), renew):
        if (said := _Lock(root, root / NAME, now).living()) is not None:
            raise BusyError(f"another build is running on {root} ({_who(said)}). Start again when it is done.")
        yield


def _parts(root: UPath) -> list[UPath]:
    root.fs.invalidate_cache()
    try:
        return sorted((root / PARTS).iterdir(), key=lambda path: path.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _who(said: dict[str, Any]) -> str:
    return f"on {said.get('host', 'another machine')}, process {said.get('process', '?')}"


@contextlib.contextmanager
def _kept(lock: _Lock, renew: float) -> Iterator[None]:
    """Take a lock, renew it, and give it back."""
    lock.take()
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(renew):
            if not lock.renew():
                return

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        lock.release()


class _Lock:
    """A lock object of a data root; `etag` is that of the content this process wrote."""

    def __init__(self, root: UPath, path: UPath, now: Callable[[], float]) -> None:
        self.root = root
        self.path = path
        self.now = now
        self.etag = ""
        self.mine = uuid.uuid4().hex

    def _put(self, **condition: str) -> None:
        bucket, _, key = self.path.path.partition("/")
        said = {"host": socket.gethostname(), "process": os.getpid(), "renewed": self.now(), "id": self.mine}
        body = json.dumps(said).encode()
        self.etag = self.path.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=body, **condition)["ETag"]

    def _holder(self) -> tuple[dict[str, Any], str]:
        """What the lock says, and its mark."""
        self.path.fs.invalidate_cache()
        mark = f'"{self.path.fs.info(self.path.path)["ETag"].strip(chr(34))}"'
        try:
            said: dict[str, Any] = json.loads(self.path.read_text())
        except ValueError:
            said = {}
        return said, mark

    def living(self) -> dict[str, Any] | None:
        """Who has it; None if nobody has, or the holder died."""
        try:
            said, _ = self._holder()
        except OSError:
            return None
        return said if self.now() - float(said.get("renewed", 0)) < STALE_SECONDS else None

    def take(self) -> None:
        """`BusyError` if a living build or step has it."""
        for _ in range(3):
            try:
                self._put(IfNoneMatch="*")
            except OSError:
                pass
            else:
                return
            try:
                said, mark = self._holder()
            except OSError:
                # Given back, or renewed, between the question and the reading.
                continue
            if self.now() - float(said.get("renewed", 0)) < STALE_SECONDS:
                break
            try:
                self._put(IfMatch=mark)
            except OSError:
                continue
            return
        said = {}
        with contextlib.suppress(OSError):
            said = self._holder()[0]
        remedy = f"If it is not, wait ten minutes or remove {self.path}."
        raise BusyError(f"another build is running on {self.root} ({_who(said)}). {remedy}")

    def renew(self) -> bool:
        """Say that the build lives; false if the lock has become another's."""
        try:
            self._put(IfMatch=self.etag)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Give it back, unless another build has taken it over."""
        with contextlib.suppress(OSError):
            if self._holder()[0].get("id") == self.mine:
                self.path.unlink()
