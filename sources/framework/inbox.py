"""Files that people hand in: which edition they belong to, whether they can be right, and filing them in the store.

<data root>/inbox/<source>/<file>                 where the name alone says which edition it is
<data root>/inbox/<source>/<vintage>/<file>       where it does not
<data root>/inbox/<source>/<file>.refused.txt     why a file was not taken; written by the program
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from upath import UPath

from schemas.errors import InputError, MobilityError, OwedError
from sources.framework.declare import Source, Table
from sources.framework.mirror import Offer, matching
from sources.framework.retrieve import Retrieval
from sources.framework.store import RawFile, Store
from sources.framework.verify import check
from sources.framework.wanted import Wanted, wanted_files

INBOX: Final = "inbox"
REFUSED: Final = ".refused.txt"


@dataclass(frozen=True)
class HandedIn:
    """A file in the inbox. `path` is below the inbox, with slashes; `stamp` changes when the file does."""

    path: str
    stamp: str

    @property
    def source(self) -> str:
        """The folder it lies in."""
        return self.path.split("/")[0]

    @property
    def vintage(self) -> str | None:
        """The edition, if it lies in the folder of one."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 else None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.split("/")[-1]


def handed_in(root: UPath) -> list[HandedIn]:
    """Every file of the inbox, sorted; hidden files and written reasons are left out."""
    base = root / INBOX
    if root.protocol not in ("", "file", "local"):
        base.fs.invalidate_cache()
    if not base.exists():
        return []
    found = []
    for folder in sorted((f for f in base.iterdir() if f.is_dir()), key=lambda f: f.name):
        for item in folder.iterdir():
            # An object store may list the empty object that stands for a folder: neither file nor folder.
            inside = item.iterdir() if item.is_dir() else ()
            files = [item] if item.is_file() else [f for f in inside if f.is_file()]
            for file in files:
                if not file.name.startswith(".") and not file.name.endswith(REFUSED):
                    path = f"{folder.name}/{file.name}" if item.is_file() else f"{folder.name}/{item.name}/{file.name}"
                    found.append(HandedIn(path, _stamp(file)))
    return sorted(found, key=lambda h: h.path)


def _stamp(file: UPath) -> str:
    if file.protocol in ("", "file", "local"):
        stat = Path(str(file)).stat()
        return f"{stat.st_size}-{stat.st_mtime_ns}"
    return str(file.fs.checksum(file.path))


def place_of(item: HandedIn, source: Source, states: tuple[str, ...] | None = None) -> Wanted:
    """The declared file this is. `InputError` if it is none, or if its name fits several editions."""
    names = [v.key for v in source.vintages if item.vintage in (None, v.key)]
    if not names:
        known = ", ".join(v.key for v in source.vintages)
        raise InputError(
            f"there is no edition {item.vintage}.", source=source.key, file=item.path, remedy=f"There are: {known}."
        )
    fits = [w for name in names for w in wanted_files(source, name, None, states) if matching([item.name], w.names)]
    if not fits:
        examples = ", ".join(w.name for w in wanted_files(source, names[-1], None, states)[:6])
        raise InputError(
            "no edition of this source has a file of this name.",
            source=source.key,
            file=item.path,
            remedy=f"Names of {names[-1]}: {examples}. Rename the file, if it is the right one.",
        )
    editions = {w.vintage for w in fits}
    if len(editions) > 1:
        raise InputError(
            f"the name fits several editions ({', '.join(sorted(editions))}).",
            source=source.key,
            file=item.path,
            remedy=f"Put it into {INBOX}/{source.key}/<edition>/.",
        )
    return fits[0]


def take(item: HandedIn, source: Source, tables: Iterable[Table], retrieval: Retrieval) -> RawFile:
    """Check a file by its declaration and by the readers of the tables made from it, then file it in the store.

    A reader that also needs files which are not here yet is left for the build. Raises `InputError` with the file's
    name; then nothing was filed.
    """
    if retrieval.synthetic:
        raise InputError("a sample build takes no files from people.", source=source.key, file=item.path)
    wanted = place_of(item, source, retrieval.scope.states)
    local = retrieval.store.staged(retrieval.store.root / INBOX / item.path)
    check(
        local,
        wanted.declared.kind,
        name=item.name,
        source=source.key,
        min_bytes=wanted.declared.min_bytes,
        remedy=f"Expected: {wanted.name} of {source.landing_page}",
    )
    _try_readers(item, wanted, local, tables, retrieval)
    record = retrieval.store.put(
        local, source, wanted.vintage, file=wanted.stored_as(item.name), name=wanted.declared_as(item.name),
        how="person", original=item.name,
    )  # fmt: skip
    return retrieval.store.read(source.key, wanted.vintage, record.file, record)


@dataclass
class _Others:
    """The files of a store, local or remote, as a mirror of them."""

    store: Store
    asks_network: bool = False

    def find(self, source: str, vintage: str, names: tuple[str, ...]) -> list[Offer]:
        """The files with provenance; what nobody has recorded yet is no offer."""
        records = self.store.records(source, vintage)
        present = [name for name in self.store.listing(self.store.folder(source, vintage)) if name in records]
        found = matching(present, names)
        return [Offer(name, f"{source}/{vintage}/{name}", records[name].sha256) for name in found]

    def fetch(self, offer: Offer, target: Path) -> Path:
        """Where the file lies, or a local copy of it."""
        return self.store.staged(self.store.root / "raw" / offer.url)


def _try_readers(item: HandedIn, wanted: Wanted, local: Path, tables: Iterable[Table], retrieval: Retrieval) -> None:
    """Read the file in a store of its own, which borrows all other files from the real one."""
    source, vintage = wanted.source, wanted.vintage
    years = source.vintage(vintage).data_years
    borrow = _Others(retrieval.store)
    for table in tables:
        for year in (y for y in table.years if y in years and source.key in table.sources):
            with tempfile.TemporaryDirectory(dir=retrieval.scratch) as folder:
                root = Path(folder)
                trial = Store(UPath(root), root)
                trial.put(
                    local, source, vintage, file=wanted.stored_as(item.name), name=wanted.declared_as(item.name),
                    how="person", original=item.name,
                )  # fmt: skip
                attempt = Retrieval(root=UPath(root), scope=retrieval.scope, scratch=root, mirror=borrow, offline=True)
                try:
                    frame = table.build(year, attempt)
                    table.model.validate(frame.lazy(), lazy=True)
                    frame.lazy().collect()
                except OwedError:
                    continue
                except InputError as error:
                    # A fault of another file is told by the build, by that file's name.
                    mine = (item.name, wanted.name, wanted.stored_as(item.name))
                    if error.source == source.key and (error.file is None or any(n in error.file for n in mine)):
                        raise
                except MobilityError:
                    continue


def refuse(item: HandedIn, root: UPath, reason: str) -> UPath:
    """Write the reason beside the file, which stays where it is."""
    file = root / INBOX / f"{item.path}{REFUSED}"
    file.write_text(
        f"{item.name} was not taken.\n\n{reason}\n\nReplace or remove the file; a new one is looked at again.\n",
        encoding="utf-8",
    )
    return file


def clear_reason(item: HandedIn, root: UPath) -> None:
    """Remove the reason of an earlier refusal."""
    (root / INBOX / f"{item.path}{REFUSED}").unlink(missing_ok=True)
