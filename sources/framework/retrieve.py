"""Obtaining raw files: the store first, then the inbox, a mirror, the live source, else the recipe for a person."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from upath import UPath

from schemas.errors import InputError, OwedError
from schemas.microdata import RecordUse
from sources.framework.declare import Access, Source
from sources.framework.fetch import Downloader, Marks, Unavailable
from sources.framework.mirror import Mirror, matching, open_mirror
from sources.framework.pages import next_page, page
from sources.framework.provenance import How
from sources.framework.states import within
from sources.framework.store import RawFile, Store
from sources.framework.verify import check, is_web_page, sha256
from sources.framework.wanted import Wanted, wanted_files

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["RawFile", "Retrieval", "Scope", "Status", "fingerprint"]

log = logging.getLogger(__name__)

IPUMS_HOST: Final = "ipums.org"
CENSUS_API_HOST: Final = "api.census.gov"


@dataclass(frozen=True)
class Scope:
    """Which part of the nation a run covers. `states` are 2-digit FIPS codes, or None for all."""

    states: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        within(self.states)


class Status(StrEnum):
    """Where a file stands, as far as it is known without a network; ordered from best to worst."""

    PRESENT = "present"
    IN_MIRROR = "in mirror"
    DOWNLOADABLE = "downloadable"
    NEEDS_KEY = "needs key"
    OWED = "owed"


class Key(str):
    """An agency's key: usable as text, never shown by `repr` (tracebacks, logs of objects)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Retrieval:
    """What a table's `build` asks for its raw files.

    `root` is the data root (local or `s3://...`), `mirror` a folder or base URL laid out as the raw store, `scratch` a
    local folder for working files. `offline` cuts off every network but leaves store, inbox and a mirror folder.
    `synthetic` is for the sample profile: offline, without mirror and inbox, and only there synthetic files are read.
    `uses` says, by table and predictor, what the predictors of the run use of microdata; a table that is not in it is
    read with everything its sample has. `uses_to_order` adds those of earlier runs: an extract that is ordered serves
    them, too. Files handed out are collected in `used`, what readers left out or changed in `notes`. The keys are part
    of no message, log or `repr`.
    """

    def __init__(
        self,
        *,
        root: UPath | Path | str,
        scope: Scope | None = None,
        scratch: Path | None = None,
        mirror: str | Path | Mirror | None = None,
        offline: bool = False,
        synthetic: bool = False,
        ipums_key: str | None = None,
        census_key: str | None = None,
        console: Console | None = None,
        downloader: Downloader | None = None,
        uses: Mapping[str, Mapping[str, RecordUse]] | None = None,
        uses_to_order: Mapping[str, Mapping[str, RecordUse]] | None = None,
    ) -> None:
        self.scope = scope or Scope()
        self.uses = uses or {}
        self.uses_to_order = uses_to_order or self.uses
        self.scratch = scratch or Path(tempfile.gettempdir()) / "mobility-scratch"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.used: list[RawFile] = []
        self.notes: dict[str, object] = {}
        self.offline = offline or synthetic
        self.synthetic = synthetic
        self.ipums_key: str | None = Key(ipums_key) if ipums_key else None
        self.census_key: str | None = Key(census_key) if census_key else None
        self.store = Store(root, self.scratch)
        self._downloader = downloader or Downloader(console=console)
        self._mirror = None if synthetic else open_mirror(mirror, self._downloader)

    def __repr__(self) -> str:
        return f"Retrieval(root={str(self.store.root)!r}, scope={self.scope}, offline={self.offline})"

    # What a reader asks --------------------------------------------------------------------------------------------

    def obtain(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> list[RawFile]:
        """The files of that vintage (or those of `names`), verified, in declared order and by state.

        A declared name with "{st}" or "{fips}" gives one file per state of the scope, one with "*" every file that
        matches, a paged one all pages up to the last. Raises `OwedError`, with every missing file and how to get it, or
        `InputError` for a file that is there and wrong.
        """
        files: list[RawFile] = []
        missing: dict[Wanted, str] = {}
        for wanted in wanted_files(source, vintage, names, self.scope.states):
            found, reason = self._obtain_pages(wanted) if wanted.declared.paged else self._obtain_one(wanted)
            files += found
            if not found:
                missing[wanted] = reason
        if missing:
            raise OwedError(
                source=source.key,
                vintage=vintage,
                files=tuple(w.name for w in missing),
                recipe=self._recipe(source, vintage, missing),
            )
        self.used += [f for f in files if f not in self.used]
        return files

    def has(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> bool:
        """Whether store, inbox or mirror hold all of these files; the live source is not asked.

        False too for an edition that is not declared: a year may come in one of several forms only.
        """
        if all(v.key != vintage for v in source.vintages):
            return False
        mirror = self._mirror if self._mirror is not None and not (self.offline and self._mirror.asks_network) else None
        return all(
            self._at_hand(wanted) or (mirror is not None and bool(mirror.find(source.key, vintage, wanted.names)))
            for wanted in wanted_files(source, vintage, names, self.scope.states)
        )

    def status(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> Status:
        """Where the files stand (the worst of them), without a network: a mirror behind a URL is not asked."""
        order = list(Status)
        found = [self._status_one(wanted) for wanted in wanted_files(source, vintage, names, self.scope.states)]
        return max(found, key=order.index, default=Status.OWED)

    def recipe(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> str:
        """What a person does to provide the files that are not at hand; empty if all are."""
        missing = {w: "" for w in wanted_files(source, vintage, names, self.scope.states) if not self._at_hand(w)}
        return self._recipe(source, vintage, missing) if missing else ""

    def add(
        self, source: Source, vintage: str, path: Path, *, file: str | None = None, how: How, url: str | None = None
    ) -> RawFile:
        """Take a file that the program made or fetched itself (an API extract, a synthetic file) into the store.

        `file` is its name there (default: its own), `url` its address or extract id. Returns the stored file, which
        counts as used.
        """
        file = file or path.name
        name, kind, least = file, None, 1
        for wanted in wanted_files(source, vintage, None, self.scope.states):
            if matching([file], wanted.names):
                name, kind, least = wanted.declared_as(file), wanted.declared.kind, wanted.declared.min_bytes
        if kind is not None:
            check(path, kind, name=file, source=source.key, min_bytes=least)
        record = self.store.put(path, source, vintage, file=file, name=name, how=how, url=url, original=path.name)
        raw = self.store.read(source.key, vintage, record.file, record)
        if raw not in self.used:
            self.used.append(raw)
        return raw

    # Store, inbox, mirror, live source -----------------------------------------------------------------------------

    def _obtain_pages(self, wanted: Wanted) -> tuple[list[RawFile], str]:
        """All pages of a paged answer, each a file of its own, or nothing and why."""
        files: list[RawFile] = []
        addresses: list[str] = []
        address = wanted.url
        while address is not None:
            addresses.append(address)
            one = page(wanted, len(addresses), address)
            found, reason = self._obtain_one(one)
            if not found:
                return [], reason or (f"{one.name} is missing" if files else "")
            files += found
            address = next_page(found[0].path, addresses, source=wanted.source.key)
        return files, ""

    def _obtain_one(self, wanted: Wanted) -> tuple[list[RawFile], str]:
        """The file (for a pattern: the files), or nothing and why."""
        stored = self._from_store(wanted) or self._from_inbox(wanted)
        if stored:
            return stored, ""
        reasons: list[str] = []
        for way in (self._from_mirror, self._from_live_source):
            try:
                found = way(wanted)
            except Unavailable as error:
                reasons.append(f"{wanted.name}: {error}")
                log.warning("%s %s %s: %s", wanted.source.key, wanted.vintage, wanted.name, error)
            else:
                if found:
                    return found, ""
        return [], "; ".join(reasons)

    def _from_store(self, wanted: Wanted) -> list[RawFile]:
        source, vintage = wanted.source.key, wanted.vintage
        self._refuse_two(self.store.folder(source, vintage), wanted)
        files: list[RawFile] = []
        for file in self.store.find(source, vintage, wanted.name, wanted.names):
            record = self.store.records(source, vintage).get(file)
            if record is None:
                path = self.store.staged(self.store.folder(source, vintage) / file)
                self._check(path, wanted, file)
                how: How = "synthetic" if self.synthetic else "person"
                record = self.store.adopt(wanted.source, vintage, file=file, name=wanted.declared_as(file), how=how)
            if record.how == "synthetic" and not self.synthetic:
                raise InputError(
                    "this is a synthetic file; real results cannot be made from it.",
                    source=source,
                    file=f"{vintage}/{file}",
                    remedy="Use another data root for real data.",
                )
            files.append(self.store.read(source, vintage, file, record))
        return files

    def _inbox(self, wanted: Wanted) -> list[UPath]:
        """Files that a person handed in, below the folder of the source or of its vintage."""
        if self.synthetic:
            return []
        folder = self.store.root / "inbox" / wanted.source.key
        places = [folder / wanted.vintage]
        if not wanted.is_ambiguous:
            places.append(folder)
        for place in places:
            found = matching(self.store.listing(place), wanted.names)
            if found:
                return [place / name for name in found]
        return []

    def _from_inbox(self, wanted: Wanted) -> list[RawFile]:
        handed_in = self._inbox(wanted)
        if handed_in:
            self._refuse_two(handed_in[0].parent, wanted)
        for path in handed_in:
            local = self.store.staged(path)
            self._check(local, wanted, path.name)
            self._put(local, wanted, delivered=path.name, how="person", url=None)
        return self._from_store(wanted) if handed_in else []

    def _refuse_two(self, place: UPath, wanted: Wanted) -> None:
        """One file is wanted: two releases of it in one folder, under two names it may have, are a person's to sort."""
        if any("*" in name for name in wanted.names):
            return
        present = set(self.store.listing(place))
        there = [name for name in wanted.names if name in present]
        if len(there) > 1 and len({sha256(self.store.staged(place / name)) for name in there}) > 1:
            raise InputError(
                f"{' and '.join(there)} lie in one folder, and either could be the file that is wanted.",
                source=wanted.source.key,
                file=f"{wanted.vintage}/{there[1]}",
                remedy=f"Leave the one that is meant in {place} and take the other away.",
            )

    def _from_mirror(self, wanted: Wanted) -> list[RawFile]:
        if self._mirror is None or (self.offline and self._mirror.asks_network):
            return []
        offers = self._mirror.find(wanted.source.key, wanted.vintage, wanted.names)
        for offer in offers:
            with self._working_file(wanted) as target:
                path = self._mirror.fetch(offer, target)
                self._check(path, wanted, offer.original)
                if offer.sha256 is not None and sha256(path) != offer.sha256:
                    raise InputError(
                        "the mirror's file does not match the mirror's own provenance.",
                        source=wanted.source.key,
                        file=f"{wanted.vintage}/{offer.original}",
                    )
                self._put(path, wanted, delivered=offer.original, how="mirror", url=offer.url)
        return self._from_store(wanted) if offers else []

    def _from_live_source(self, wanted: Wanted) -> list[RawFile]:
        if self.offline or wanted.url is None:
            return []
        address = wanted.url
        delivered = "*" if "*" in wanted.name else wanted.name
        if wanted.declared.link is not None:
            page, found_at = self._downloader.text(address)
            link = re.search(wanted.declared.link, page)
            if link is None:
                raise Unavailable("the answering page holds no link to the file")
            address = urljoin(found_at, link.group(0))
        if delivered == "*":
            delivered = Path(urlsplit(address).path).name
        census = urlsplit(address).hostname == CENSUS_API_HOST
        secret = self.secret_for(address)
        with self._working_file(wanted) as path:
            marks = self._downloader.fetch(address, path, label=f"{wanted.source.key} {delivered}", secret=secret)
            if census and is_web_page(path):
                # Without a key, or with a wrong one, the API sends a page and says that all is well.
                problem = "wants a key (CENSUS_API_KEY)" if secret is None else "refuses the key in CENSUS_API_KEY"
                raise Unavailable(f"the Census API {problem}")
            self._check(path, wanted, delivered)
            self._put(path, wanted, delivered=delivered, how="download", url=wanted.url, marks=marks)
        return self._from_store(wanted)

    # Small parts ---------------------------------------------------------------------------------------------------

    def _put(
        self, path: Path, wanted: Wanted, *, delivered: str, how: How, url: str | None, marks: Marks | None = None
    ) -> None:
        self.store.put(
            path,
            wanted.source,
            wanted.vintage,
            file=wanted.stored_as(delivered),
            name=wanted.declared_as(delivered),
            how=how,
            url=url,
            original=delivered,
            marks=marks,
        )
        log.info("%s %s: %s stored (%s)", wanted.source.key, wanted.vintage, delivered, how)

    def _working_file(self, wanted: Wanted) -> _WorkingFile:
        return _WorkingFile(self.scratch / "incoming" / wanted.source.key / wanted.vintage)

    def _check(self, path: Path, wanted: Wanted, delivered: str) -> None:
        check(
            path,
            wanted.declared.kind,
            name=delivered,
            source=wanted.source.key,
            min_bytes=wanted.declared.min_bytes,
            remedy=f"Expected: {wanted.name} of {wanted.source.landing_page}",
        )

    def _at_hand(self, wanted: Wanted) -> bool:
        stored = self.store.find(wanted.source.key, wanted.vintage, wanted.name, wanted.names)
        return bool(stored or self._inbox(wanted))

    def _status_one(self, wanted: Wanted) -> Status:
        if self._at_hand(wanted):
            return Status.PRESENT
        mirror = self._mirror
        if (
            mirror is not None
            and not mirror.asks_network
            and mirror.find(wanted.source.key, wanted.vintage, wanted.names)
        ):
            return Status.IN_MIRROR
        if wanted.source.access is Access.API_KEY:
            return Status.DOWNLOADABLE if self.key_for(wanted.source)[1] else Status.NEEDS_KEY
        return Status.DOWNLOADABLE if wanted.url is not None else Status.OWED

    @property
    def mirror(self) -> Mirror | None:
        """The mirror, if there is one."""
        return self._mirror

    @property
    def downloader(self) -> Downloader:
        """What asks servers for this retrieval."""
        return self._downloader

    def secret_for(self, address: str) -> tuple[str, str] | None:
        """The query parameter with a key that goes to that host, if any does."""
        census = urlsplit(address).hostname == CENSUS_API_HOST
        return ("key", self.census_key) if census and self.census_key is not None else None

    def key_for(self, source: Source) -> tuple[str, str | None]:
        """The setting that holds the key for a source that needs one, and the key if it is set."""
        host = urlsplit(source.landing_page).hostname or ""
        if host.endswith(IPUMS_HOST):
            return "IPUMS_API_KEY", self.ipums_key
        return "CENSUS_API_KEY", self.census_key

    def _recipe(self, source: Source, vintage: str, missing: dict[Wanted, str]) -> str:
        reasons = list(dict.fromkeys(reason for reason in missing.values() if reason))
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        parts = [f"Tried: {'; '.join(reasons[:3])}{more}."] if reasons else []
        if source.access is Access.API_KEY:
            setting, key = self.key_for(source)
            if key is None:
                parts.append(f"Set {setting} to have it fetched, or fetch it yourself:")
        names = ", ".join(w.name for w in missing)
        accepted = sorted({name for w in missing for name in w.accept})
        edition = source.vintage(vintage)
        page = edition.page or source.landing_page
        parts.append(f"Fetch {names} ({source.dataset}, {source.agency}) from {page}.")
        addresses = [w.url for w in missing if w.url and w.declared.link is None]
        if addresses:
            parts.append(f"Address: {addresses[0]}{' and the like' if len(addresses) > 1 else ''}.")
        if recipe := source.recipe if edition.recipe is None else edition.recipe:
            parts.append(recipe)
        if edition.note:
            parts.append(edition.note)
        if accepted:
            parts.append(f"Also accepted as: {', '.join(accepted)}.")
        inbox = self.store.root / "inbox" / source.key
        if any(w.is_ambiguous for w in missing):
            inbox = inbox / vintage
        parts.append(f"Put it in {self.store.folder(source.key, vintage)}/ or in {inbox}/.")
        return " ".join(parts)


class _WorkingFile:
    """A path for a file under way, removed at the end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(dir=folder)

    def __enter__(self) -> Path:
        return Path(self._folder.name) / "incoming"

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def fingerprint(files: Iterable[RawFile]) -> str:
    """16 hexadecimal digits that change when a file is added, removed or another one; their order does not matter."""
    lines = sorted(f"{f.source}/{f.vintage}/{f.name} {f.sha256}" for f in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
