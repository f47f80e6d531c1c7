"""Looking for news at the agencies without taking anything: new editions, and old ones that were changed in silence.

What was found is kept in `<data root>/watch/<source>.json`, with the time of the look.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from schemas.errors import InputError
from sources.framework.calendar import rhythm_of
from sources.framework.declare import Source, Vintage
from sources.framework.fetch import Marks, NotThere, Unavailable
from sources.framework.mirror import FolderMirror
from sources.framework.provenance import Record
from sources.framework.retrieve import Retrieval, Status
from sources.framework.successor import next_editions
from sources.framework.verify import check, sha256
from sources.framework.wanted import Wanted, wanted_files

log = logging.getLogger(__name__)
WATCH: Final = "watch"
_ELECTION_STEP: Final = 4


class News(StrEnum):
    """What a look may find."""

    ARRIVED = "arrived"
    UNDECLARED = "not declared yet"
    REVISED = "revised"
    UNKNOWN = "could not ask"


@dataclass(frozen=True)
class Finding:
    """One piece of news. `text` is for a person and says what to do, if there is something to do."""

    source: str
    vintage: str
    news: News
    text: str
    url: str | None = None
    data_years: tuple[int, ...] = ()
    file: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Look:
    """When a source was looked at last, and what was found."""

    source: str
    looked_at: str
    findings: tuple[Finding, ...] = field(default=())

    def of(self, *news: News) -> tuple[Finding, ...]:
        """The findings of these kinds."""
        return tuple(f for f in self.findings if f.news in news)


def look(source: Source, retrieval: Retrieval, *, missing_only: frozenset[int] | None = None) -> Look:
    """Ask the live source (and compare a mirror folder) for news; nothing is stored but the result of the look.

    `missing_only` limits declared editions to those of these data years (the ones something waits for).
    """
    findings: list[Finding] = []
    for vintage in source.vintages:
        status = retrieval.status(source, vintage.key)
        if status is Status.PRESENT:
            findings += _revisions(source, vintage, retrieval)
        elif status in (Status.DOWNLOADABLE, Status.IN_MIRROR) and _wanted(vintage, missing_only):
            findings += _arrival(source, vintage, retrieval, status)
    findings += _successors(source, retrieval)
    result = Look(source.key, datetime.now(UTC).isoformat(timespec="seconds"), tuple(findings))
    remember(retrieval, result)
    return result


def remember(retrieval: Retrieval, result: Look) -> None:
    """Keep the result of a look in the data root."""
    file = retrieval.store.root / WATCH / f"{result.source}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def last_look(retrieval: Retrieval, source: str) -> Look | None:
    """The last look at a source; None if there was none, or what was kept of it is damaged."""
    file = retrieval.store.root / WATCH / f"{source}.json"
    if not file.exists():
        return None
    try:
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        findings = tuple(
            Finding(**{**f, "news": News(f["news"]), "data_years": tuple(f["data_years"])}) for f in kept["findings"]
        )
        return Look(kept["source"], kept["looked_at"], findings)
    except (ValueError, KeyError, TypeError):
        return None


def accept(source: Source, vintage: str, retrieval: Retrieval) -> list[str]:
    """Consent to other files than the stored ones: these are set aside, and the vintage is obtained again.

    Returns a line per file that changed. If the new files cannot be had or are wrong, the old ones are put back and the
    error is raised.
    """
    store = retrieval.store
    before = dict(store.records(source.key, vintage))
    if not before:
        raise InputError("nothing of this edition is stored.", source=source.key, file=vintage)
    aside = {file: store.set_aside(source.key, vintage, file) for file in before}
    try:
        retrieval.obtain(source, vintage)
    except Exception:
        for file, record in before.items():
            if file not in store.records(source.key, vintage):
                store.put(
                    store.staged(aside[file]), source, vintage,
                    file=file, name=record.name, how=record.how, url=record.url, original=record.original,
                    marks=Marks(record.etag, record.last_modified),
                )  # fmt: skip
                aside[file].unlink()
        raise
    after = store.records(source.key, vintage)
    lines = []
    for file, record in before.items():
        new = after.get(file)
        if new is not None and new.sha256 == record.sha256:
            aside[file].unlink()
        else:
            found = new.sha256[:12] if new is not None else "not there"
            lines.append(f"{file}: {record.sha256[:12]} -> {found}; the old one is {aside[file]}")
    return lines or ["nothing changed: the files are the stored ones"]


def _wanted(vintage: Vintage, years: frozenset[int] | None) -> bool:
    return bool(vintage.data_years if years is None else years & set(vintage.data_years))


def _step(source: Source) -> int:
    return _ELECTION_STEP if rhythm_of(source.key).cadence == "election" else 1


def _asked(wanted: list[Wanted]) -> Wanted | None:
    """One file stands for its edition: the first that has an address."""
    return next((w for w in wanted if w.url), None)


def _arrival(source: Source, vintage: Vintage, retrieval: Retrieval, status: Status) -> list[Finding]:
    if status is Status.IN_MIRROR:
        text = f"{vintage.key} lies in the mirror."
        return [Finding(source.key, vintage.key, News.ARRIVED, text, None, vintage.data_years)]
    one = _asked(wanted_files(source, vintage.key, None, retrieval.scope.states))
    if one is None or one.url is None or retrieval.offline:
        return []
    try:
        retrieval.downloader.ask(one.url, secret=retrieval.secret_for(one.url))
    except NotThere:
        return []
    except Unavailable as error:
        return [Finding(source.key, vintage.key, News.UNKNOWN, f"{one.name}: {error}", one.url, vintage.data_years)]
    text = f"{vintage.key} can be downloaded now."
    return [Finding(source.key, vintage.key, News.ARRIVED, text, one.url, vintage.data_years)]


def _successors(source: Source, retrieval: Retrieval) -> list[Finding]:
    """Editions that are not declared and answer under the address the newest one would have a year later."""
    if retrieval.offline or rhythm_of(source.key).cadence == "fixed":
        return []
    known = {f.url for v in source.vintages for f in v.files}
    found = []
    for vintage in next_editions(source, _step(source)):
        file = next((f for f in vintage.files if f.url and f.url not in known and f.link is None), None)
        if file is None:
            continue
        trial = Source(**{**vars(source), "vintages": (Vintage(vintage.key, (file,), vintage.data_years),)})
        one = _asked(wanted_files(trial, vintage.key, None, retrieval.scope.states))
        if one is None or one.url is None:
            continue
        try:
            retrieval.downloader.ask(one.url, secret=retrieval.secret_for(one.url))
        except Unavailable:
            continue
        text = (
            f"{one.url} answers: declare the edition by a line in sources/editions.csv "
            f"({source.key},{vintage.key},...), then build."
        )
        found.append(Finding(source.key, vintage.key, News.UNDECLARED, text, one.url, vintage.data_years))
    return found


def _revisions(source: Source, vintage: Vintage, retrieval: Retrieval) -> list[Finding]:
    """Stored files that the place they came from gives otherwise today."""
    found = []
    for record in retrieval.store.records(source.key, vintage.key).values():
        try:
            digest = _todays(source, vintage, record, retrieval)
        except Unavailable as error:
            found.append(
                Finding(source.key, vintage.key, News.UNKNOWN, f"{record.file}: {error}", record.url, file=record.file)
            )
            continue
        if digest is not None and digest != record.sha256:
            found.append(_revised(source.key, vintage, record, digest))
    return found


def _revised(source: str, vintage: Vintage, record: Record, digest: str) -> Finding:
    return Finding(
        source,
        vintage.key,
        News.REVISED,
        f"{record.file} is another file today (sha256 {digest[:12]}, stored {record.sha256[:12]}); the stored one is "
        f"kept. To take the new one: mobility sources --accept {source} {vintage.key}",
        record.url,
        vintage.data_years,
        record.file,
        digest,
    )


def _todays(source: Source, vintage: Vintage, record: Record, retrieval: Retrieval) -> str | None:
    """The sha256 of the file as its place of origin gives it now; None if that is not to be asked or not different."""
    if record.how == "mirror":
        return _in_mirror(source.key, vintage.key, record, retrieval)
    if record.how != "download" or record.url is None or retrieval.offline or "://" not in record.url:
        return None
    declared = next(
        (w for w in wanted_files(source, vintage.key, None, retrieval.scope.states) if w.url == record.url), None
    )
    if declared is None or declared.declared.link is not None or declared.declared.paged:
        return None
    secret = retrieval.secret_for(record.url)
    known = Marks(record.etag, record.last_modified, record.bytes)
    marks = retrieval.downloader.ask(record.url, known, secret=secret)
    if marks.same:
        return None
    # Other marks need not mean another file: look at the bytes themselves.
    scratch = retrieval.scratch / "compare" / source.key / vintage.key
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / record.file
    try:
        marks = retrieval.downloader.fetch(record.url, path, label=f"{source.key} {record.file}", secret=secret)
        check(path, declared.declared.kind, name=record.file, source=source.key, min_bytes=declared.declared.min_bytes)
        digest = sha256(path)
    except InputError as error:
        raise Unavailable(f"today's file is wrong: {error.problem}") from error
    finally:
        path.unlink(missing_ok=True)
    if digest == record.sha256:
        retrieval.store.remark(source.key, vintage.key, record.file, marks)
    return digest


def _in_mirror(source: str, vintage: str, record: Record, retrieval: Retrieval) -> str | None:
    mirror = retrieval.mirror
    if not isinstance(mirror, FolderMirror) or record.original is None:
        return None
    offers = mirror.find(source, vintage, (record.original,))
    if not offers:
        return None
    path: Path = mirror.fetch(offers[0], retrieval.scratch / "unused")
    return sha256(path)
