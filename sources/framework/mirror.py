"""A mirror: a folder or base URL laid out as the raw store (`<source>/<vintage>/<file>`), read-only."""

from __future__ import annotations

import fnmatch
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from schemas.errors import MobilityError
from sources.framework.fetch import Downloader, Unavailable
from sources.framework.provenance import PROVENANCE


@dataclass(frozen=True)
class Offer:
    """A file the mirror has; `sha256` if the mirror states it."""

    original: str
    url: str
    sha256: str | None = None


class Mirror(Protocol):
    """What retrieval asks of a mirror. Only names that a source declares are ever looked up."""

    asks_network: bool

    def find(self, source: str, vintage: str, names: tuple[str, ...]) -> list[Offer]:
        """The first of `names` that is there; for a pattern with `*`, every file that matches one of `names`."""
        ...

    def fetch(self, offer: Offer, target: Path) -> Path:
        """A local path to the offered file: `target`, or where it lies already. Raises `Unavailable`."""
        ...


def matching(present: list[str], names: tuple[str, ...]) -> list[str]:
    """The files of `present` that `names` stand for: the first plain name that is there, or all matches of patterns."""
    plain = [name for name in names if "*" not in name and name in present]
    if plain:
        return plain[:1]
    patterns = [name for name in names if "*" in name]
    return sorted(name for name in present if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns))


def _stated(text: str) -> dict[str, str]:
    """File -> sha256 from a mirror's own `provenance.json`; synthetic files are no offer."""
    try:
        files = json.loads(text)["files"]
        return {name: entry["sha256"] for name, entry in files.items() if entry.get("how") != "synthetic"}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


@dataclass
class FolderMirror:
    """A mirror in a local folder. `provenance.json` files are not needed; where there are some, they are compared."""

    folder: Path
    asks_network: bool = False

    def find(self, source: str, vintage: str, names: tuple[str, ...]) -> list[Offer]:
        """See `Mirror`."""
        place = self.folder / source / vintage
        if not place.is_dir():
            return []
        index = place / PROVENANCE
        stated = _stated(index.read_text(encoding="utf-8")) if index.is_file() else None
        present = [f.name for f in place.iterdir() if f.is_file() and f.name != PROVENANCE]
        if stated is not None:
            present = [name for name in present if name in stated]
        return [
            Offer(name, f"mirror:{source}/{vintage}/{name}", stated.get(name) if stated else None)
            for name in matching(present, names)
        ]

    def fetch(self, offer: Offer, target: Path) -> Path:
        """See `Mirror`."""
        path = self.folder / offer.url.removeprefix("mirror:")
        if not os.access(path, os.R_OK):
            raise Unavailable(f"the mirror's {offer.original} cannot be read")
        return path


@dataclass
class UrlMirror:
    """A mirror behind a base URL.

    A server gives no listing: plain names are asked for one by one, patterns need a `provenance.json` beside the files.
    """

    base: str
    downloader: Downloader
    asks_network: bool = True
    _index: dict[tuple[str, str], dict[str, str] | None] = field(default_factory=dict)

    def _stated(self, source: str, vintage: str) -> dict[str, str] | None:
        key = (source, vintage)
        if key not in self._index:
            try:
                text, _ = self.downloader.text(self._url(source, vintage, PROVENANCE))
            except Unavailable:
                self._index[key] = None
            else:
                self._index[key] = _stated(text) or None
        return self._index[key]

    def _url(self, source: str, vintage: str, name: str) -> str:
        return f"{self.base.rstrip('/')}/{quote(source)}/{quote(vintage)}/{quote(name)}"

    def find(self, source: str, vintage: str, names: tuple[str, ...]) -> list[Offer]:
        """See `Mirror`."""
        stated = self._stated(source, vintage)
        if stated is not None:
            found = [name for name in matching(list(stated), names) if "/" not in name]
            return [Offer(name, self._url(source, vintage, name), stated[name]) for name in found]
        for name in names:
            if "*" not in name and self.downloader.exists(self._url(source, vintage, name)):
                return [Offer(name, self._url(source, vintage, name))]
        return []

    def fetch(self, offer: Offer, target: Path) -> Path:
        """See `Mirror`."""
        self.downloader.fetch(offer.url, target, label=offer.original)
        return target


def open_mirror(location: str | Path | Mirror | None, downloader: Downloader) -> Mirror | None:
    """The mirror at `location`: an http(s) base URL, a local folder, or a mirror itself; None if there is none.

    Raises `MobilityError` for a folder that says it holds synthetic files.
    """
    if location is None or location == "":
        return None
    if not isinstance(location, str | Path):
        return location
    text = str(location)
    if text.startswith(("http://", "https://")):
        return UrlMirror(text, downloader)
    folder = Path(text).expanduser()
    if marks := sorted(folder.glob("*SYNTHETIC*")):
        raise MobilityError(f"{folder} holds synthetic files ({marks[0].name}) and cannot be a mirror of real ones.")
    return FolderMirror(folder)
