"""Where releases stand: drafts beside them, delivery at one stroke, checksums, and the line that names the latest."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from upath import UPath

LATEST: Final = "LATEST"
MANIFEST: Final = "release.json"
SUMS: Final = "SHA256SUMS"
_DRAFT: Final = ".draft-"
_STALE_SECONDS: Final = 24 * 3600


def local(root: Path | UPath) -> Path | UPath:
    """A plain path for local folders, so that renaming is the file system's own."""
    if isinstance(root, UPath) and root.protocol in ("", "file", "local"):
        return Path(root.path)
    return root


@contextmanager
def drafting(root: Path | UPath, scratch: Path | None) -> Iterator[Path]:
    """A folder to make the release in: hidden beside the releases, or local if these are remote. Gone afterwards."""
    base = (scratch or Path(tempfile.gettempdir())) if isinstance(root, UPath) else root
    base.mkdir(parents=True, exist_ok=True)
    for left in base.glob(f"{_DRAFT}*"):
        # Left by a run that was killed; a live one is younger.
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    folder = base / f"{_DRAFT}{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def manifest_of(root: Path | UPath, name: str) -> dict[str, Any] | None:
    """The manifest of a whole release, None if there is none of that name."""
    path = root / name / MANIFEST
    if not path.exists():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def deliver(folder: Path, root: Path | UPath, name: str) -> None:
    """Make a draft the release `name`: one rename, or uploads of which the manifest is the last."""
    if isinstance(root, UPath):
        files = [path for path, _, _ in checksums(folder)]
        for path in sorted(files, key=lambda p: (p == MANIFEST, p)):
            root.fs.put_file(str(folder / path), (root / name / path).path)
    else:
        folder.replace(root / name)


def write_line(root: Path | UPath, name: str, line: str) -> None:
    """Write a one-line file so that a reader sees the old or the new line, nothing between."""
    if isinstance(root, UPath):
        (root / name).write_text(f"{line}\n", encoding="utf-8")
        return
    beside = root / f".{name}-{uuid.uuid4().hex}"
    beside.write_text(f"{line}\n", encoding="utf-8")
    beside.replace(root / name)


def checksums(folder: Path, only: Iterable[str] | None = None) -> Iterator[tuple[str, int, str]]:
    """Path within the release, bytes and sha256 of each file (or of some), sorted by path."""
    files = (p for p in folder.rglob("*") if p.is_file()) if only is None else (folder / name for name in only)
    for path in sorted(files):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        yield path.relative_to(folder).as_posix(), path.stat().st_size, digest.hexdigest()


def latest_release(out_root: Path | UPath) -> str | None:
    """The name in `LATEST`, None if nothing was published yet."""
    path = local(out_root) / LATEST
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def verify_sums(folder: Path) -> list[str]:
    """Compare the files of a local release with its `SHA256SUMS`; one line per difference, none if whole."""
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    wanted = {path: sha256 for sha256, path in (line.split("  ", 1) for line in lines)}
    there = {path: sha256 for path, _, sha256 in checksums(folder) if path != SUMS}
    found = [f"{path} is missing" for path in wanted if path not in there]
    found += [f"{path} is not listed" for path in there if path not in wanted]
    found += [f"{path} has changed" for path, sha256 in wanted.items() if there.get(path, sha256) != sha256]
    return sorted(found)
