"""The raw store: agency files exactly as they came, one folder per source and vintage, each with its provenance.

    <data root>/raw/<source>/<vintage>/<file>
    <data root>/raw/<source>/<vintage>/provenance.json

A file is never changed once it is there, and its SHA-256 is compared each time it is read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from upath import UPath

from schemas.errors import InputError
from sources.framework import provenance
from sources.framework.declare import Source
from sources.framework.fetch import Marks
from sources.framework.mirror import matching
from sources.framework.provenance import PROVENANCE, How, Record
from sources.framework.verify import sha256

_LOCAL: Final = ("", "file", "local")


@dataclass(frozen=True)
class RawFile:
    """One verified file of the raw store, with its provenance.

    `name` is the declared name; `path` is a local path (of the store itself, or of a staged copy of a remote store) and
    ends in .gz if the file came compressed.
    """

    source: str
    vintage: str
    name: str
    path: Path
    sha256: str
    bytes: int
    how: str
    url: str | None = None
    retrieved_at: str | None = None


class Store:
    """The raw store below a data root: a local folder or `s3://...` (any universal path)."""

    def __init__(self, root: UPath | Path | str, scratch: Path) -> None:
        self.root = UPath(root)
        self.scratch = scratch
        self.is_local = self.root.protocol in _LOCAL

    def folder(self, source: str, vintage: str) -> UPath:
        """Where the files of a vintage lie."""
        return self.root / "raw" / source / vintage

    def records(self, source: str, vintage: str) -> dict[str, Record]:
        """Stored file name -> provenance."""
        file = self.folder(source, vintage) / PROVENANCE
        self._forget(file)
        if not file.exists():
            return {}
        return provenance.load(file.read_text(encoding="utf-8"), source=source, vintage=vintage)

    def listing(self, folder: UPath) -> list[str]:
        """Names of the files in a folder of the data root; working files and provenance left out."""
        self._forget(folder)
        if not folder.is_dir():
            return []
        names = sorted(f.name for f in folder.iterdir() if f.is_file())
        return [name for name in names if name != PROVENANCE and not name.startswith(".")]

    def find(self, source: str, vintage: str, name: str, names: tuple[str, ...]) -> list[str]:
        """Stored names of the declared file `name`, which may be stored under any of `names`."""
        present = self.listing(self.folder(source, vintage))
        if not present:
            return []
        known = [r.file for r in self.records(source, vintage).values() if r.name == name and r.file in present]
        return known[:1] or matching(present, names)

    def put(
        self,
        path: Path,
        source: Source,
        vintage: str,
        *,
        file: str,
        name: str,
        how: How,
        url: str | None = None,
        original: str | None = None,
        marks: Marks | None = None,
    ) -> Record:
        """Copy a local file into the store, whole or not at all, and write its provenance.

        A different file of that name is not replaced (`InputError`), except a synthetic one by a synthetic one.
        """
        digest = sha256(path)
        with self._locked(source.key, vintage):
            folder = self.folder(source.key, vintage)
            records = self.records(source.key, vintage)
            present = file in self.listing(folder)
            old = records.get(file)
            if present and old is not None and old.sha256 == digest:
                return old
            if present and not (old is not None and old.how == how == "synthetic"):
                raise InputError(
                    "the store already holds another file of this name.",
                    source=source.key,
                    file=f"{vintage}/{file}",
                    remedy="Files of a vintage are never changed; remove the old one if it is wrong.",
                )
            self._write(path, folder / file)
            record = self._record(
                source, path, digest, file=file, name=name, how=how, url=url, original=original or path.name
            )
            if marks is not None:
                record = replace(record, etag=marks.etag, last_modified=marks.last_modified)
            self._write_records(source.key, vintage, {**records, file: record})
            return record

    def adopt(self, source: Source, vintage: str, *, file: str, name: str, how: How) -> Record:
        """Write the provenance of a file that somebody laid into the store's folder."""
        path = self._local_copy(source.key, vintage, file)
        with self._locked(source.key, vintage):
            records = self.records(source.key, vintage)
            record = self._record(source, path, sha256(path), file=file, name=name, how=how, url=None, original=file)
            self._write_records(source.key, vintage, {**records, file: record})
            return record

    def remark(self, source: str, vintage: str, file: str, marks: Marks) -> None:
        """Note how the server marks a file today whose content is the stored one."""
        with self._locked(source, vintage):
            records = self.records(source, vintage)
            if file in records:
                records[file] = replace(records[file], etag=marks.etag, last_modified=marks.last_modified)
                self._write_records(source, vintage, records)

    def set_aside(self, source: str, vintage: str, file: str) -> UPath:
        """Move a file out of the way of its successor: `<vintage>/superseded/<first of its sha256>-<file>`.

        What was made from it can still be looked into; the file and its provenance leave the vintage.
        """
        with self._locked(source, vintage):
            folder = self.folder(source, vintage)
            records = self.records(source, vintage)
            record = records.pop(file, None)
            mark = record.sha256[:12] if record is not None else "unknown"
            aside = folder / "superseded" / f"{mark}-{file}"
            self._write(self.staged(folder / file), aside)
            self._write_records(source, vintage, records)
            (folder / file).unlink()
            self._forget(folder / file)
            return aside

    def read(self, source: str, vintage: str, file: str, record: Record) -> RawFile:
        """The file as a local path, after its SHA-256 has been compared with the provenance."""
        path = self._local_copy(source, vintage, file)
        found = sha256(path)
        if found != record.sha256 and not self.is_local:
            self._mark(path).unlink(missing_ok=True)
            found = sha256(self._local_copy(source, vintage, file))
        if found != record.sha256:
            raise InputError(
                f"the file was changed after it was stored (sha256 {found[:12]}..., recorded {record.sha256[:12]}...).",
                source=source,
                file=f"{vintage}/{file}",
                remedy="Put the original back, or remove the file so that it is obtained again.",
            )
        return RawFile(
            source=source,
            vintage=vintage,
            name=record.name,
            path=path,
            sha256=found,
            bytes=record.bytes,
            how=record.how,
            url=record.url,
            retrieved_at=record.retrieved_at,
        )

    def staged(self, path: UPath) -> Path:
        """A local path to a file of the data root; a remote one is copied to scratch, again if it has changed there."""
        if self.is_local:
            return Path(str(path))
        copy = self.scratch / "staged" / path.path.lstrip("/")
        mark = self._mark(copy)
        self._forget(path)
        state = str(path.fs.checksum(path.path))
        if not (copy.exists() and mark.exists() and mark.read_text() == state):
            copy.parent.mkdir(parents=True, exist_ok=True)
            beside = copy.with_name(f".{copy.name}.{os.getpid()}.tmp")
            path.fs.get_file(path.path, str(beside))
            beside.replace(copy)
            mark.write_text(state)
        return copy

    @staticmethod
    def _mark(copy: Path) -> Path:
        """Beside a staged copy: which state of the remote file it was made from."""
        return copy.with_name(f".{copy.name}.state")

    def _local_copy(self, source: str, vintage: str, file: str) -> Path:
        return self.staged(self.folder(source, vintage) / file)

    @staticmethod
    def _record(
        source: Source, path: Path, digest: str, *, file: str, name: str, how: How, url: str | None, original: str
    ) -> Record:
        return Record(
            file=file,
            name=name,
            source=source.key,
            sha256=digest,
            bytes=path.stat().st_size,
            how=how,
            retrieved_at=datetime.now(UTC).isoformat(timespec="seconds"),
            agency=source.agency,
            licence=source.licence,
            redistribute=source.redistribute,
            url=url,
            original=original,
        )

    def _write_records(self, source: str, vintage: str, records: dict[str, Record]) -> None:
        beside = self.scratch / f".provenance-{source}-{vintage}.{os.getpid()}.tmp"
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(provenance.dump(source, vintage, records), encoding="utf-8")
        try:
            self._write(beside, self.folder(source, vintage) / PROVENANCE)
        finally:
            beside.unlink()

    def _write(self, path: Path, target: UPath) -> None:
        """Local: written beside, then renamed. Remote: an upload becomes visible only when it is complete."""
        if not self.is_local:
            target.fs.put_file(str(path), target.path)
            self._forget(target)
            return
        local = Path(str(target))
        local.parent.mkdir(parents=True, exist_ok=True)
        beside = local.with_name(f".{local.name}.{os.getpid()}.tmp")
        try:
            with path.open("rb") as source, beside.open("wb") as out:
                while chunk := source.read(1 << 20):
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            beside.replace(local)
        finally:
            beside.unlink(missing_ok=True)

    def _forget(self, path: UPath) -> None:
        """Remote file systems remember listings; what somebody else has written since must be seen."""
        if not self.is_local:
            path.fs.invalidate_cache()

    @contextlib.contextmanager
    def _locked(self, source: str, vintage: str) -> Iterator[None]:
        """One writer at a time per vintage folder, across threads and processes of this machine."""
        folder = self.scratch / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{source}-{vintage}.lock").open("w") as handle:
            try:
                import fcntl  # not on every platform
            except ImportError:
                yield
                return
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)
