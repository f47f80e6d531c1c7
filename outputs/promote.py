"""From candidate to published: a finished release is moved beside the published ones, and `LATEST` moves last.

<root>/candidates/<release>/     finished and checked, waits for a person
<root>/published/<release>/      what readers see
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from upath import UPath

from outputs.deliver import LATEST, MANIFEST, SUMS, latest_release, local, manifest_of, write_line
from outputs.release import ReleaseError

CANDIDATES: Final = "candidates"
PUBLISHED: Final = "published"


@dataclass(frozen=True)
class Known:
    """One release of a data root. `state` is `latest`, `published` or `candidate`; `files` are paths within it."""

    name: str
    state: str
    created_at: str
    content: str
    years: tuple[int, ...]
    predictors: tuple[str, ...]
    synthetic: bool
    partial: bool
    path: str
    files: tuple[str, ...]

    @property
    def reports(self) -> tuple[str, ...]:
        """The files a person reads before promoting it: gate report, revisions, release notes."""
        words = ("gate_report", "revisions", "RELEASE_NOTES")
        return tuple(f for f in self.files if f.startswith(words))


def releases(root: Path | UPath) -> list[Known]:
    """All whole releases below a data root, oldest first. What has no manifest is not whole and is left out."""
    root = local(root)
    latest = latest_release(root / PUBLISHED)
    found: list[Known] = []
    for place in (PUBLISHED, CANDIDATES):
        for name in _names(root / place):
            manifest = manifest_of(root / place, name)
            if manifest is not None:
                state = "candidate" if place == CANDIDATES else "latest" if name == latest else "published"
                found.append(_known(root / place, name, state, manifest))
    return sorted(found, key=lambda r: (r.created_at, r.name))


def promote(root: Path | UPath, name: str) -> str | None:
    """Make the candidate `name` (or a release that is published already) the latest; returns the one before.

    Every file is compared with `SHA256SUMS` first. `ReleaseError` if there is no such release, if it is damaged, or if
    another one of that name is published: then nothing has moved.
    """
    root = local(root)
    before = latest_release(root / PUBLISHED)
    waiting = manifest_of(root / CANDIDATES, name)
    standing = manifest_of(root / PUBLISHED, name)
    if waiting is None and standing is None:
        known = ", ".join(r.name for r in releases(root)) or "none"
        raise ReleaseError(f"there is no release {name}; there are: {known}")
    if waiting is not None and standing is not None and waiting["content"] != standing["content"]:
        raise ReleaseError(f"another release {name} is published already; the candidate stays where it is")
    place = PUBLISHED if standing is not None else CANDIDATES
    if problems := damage(root / place / name):
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise ReleaseError(f"the release {name} is damaged and was not promoted: {'; '.join(problems[:5])}{more}")
    if standing is None:
        _move(root / CANDIDATES / name, root / PUBLISHED / name)
    write_line(root / PUBLISHED, LATEST, name)
    if waiting is not None:
        discard(root, name)
    return before


def discard(root: Path | UPath, name: str) -> None:
    """Remove a candidate; nothing if there is none of that name."""
    folder = local(root) / CANDIDATES / name
    if isinstance(folder, UPath):
        if folder.exists():
            # Without its manifest it is no release any more, even if the rest of the removal breaks off.
            (folder / MANIFEST).unlink(missing_ok=True)
            folder.fs.rm(folder.path, recursive=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def damage(folder: Path | UPath) -> list[str]:
    """Files of a release, local or remote, that are missing or do not have the checksum in `SHA256SUMS`."""
    if not (folder / SUMS).exists():
        return [f"{SUMS} is missing"]
    found = []
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        wanted, path = line.split("  ", 1)
        file = folder / path
        if not file.exists():
            found.append(f"{path} is missing")
            continue
        with file.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != wanted:
            found.append(f"{path} has changed")
    return found


def _known(place: Path | UPath, name: str, state: str, manifest: dict[str, Any]) -> Known:
    predictors = manifest["predictors"]
    return Known(
        name=name,
        state=state,
        created_at=manifest["created_at"],
        content=manifest["content"],
        years=tuple(sorted({y for p in predictors for y in p["years"]})),
        predictors=tuple(p["predictor"] for p in predictors),
        synthetic=manifest["synthetic"],
        partial=manifest["partial"],
        path=str(place / name),
        files=tuple(f["path"] for f in manifest["files"]),
    )


def _names(folder: Path | UPath) -> list[str]:
    if isinstance(folder, UPath):
        folder.fs.invalidate_cache()
    if not folder.exists():
        return []
    return sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _files(folder: UPath) -> Iterator[str]:
    base = folder.path.rstrip("/") + "/"
    for path in folder.fs.find(folder.path):
        yield str(path).removeprefix(base)


def _move(source: Path | UPath, target: Path | UPath) -> None:
    """One rename; in object storage copies, of which the manifest is the last (the candidate is removed later)."""
    if isinstance(source, UPath) and isinstance(target, UPath):
        for path in sorted(_files(source), key=lambda p: (p == MANIFEST, p)):
            source.fs.copy((source / path).path, (target / path).path)
        source.fs.invalidate_cache()
        return
    Path(str(target)).parent.mkdir(parents=True, exist_ok=True)
    Path(str(source)).replace(Path(str(target)))
