"""Downloading over HTTP: retries where they help, resume where the server allows it, no waiting on dead hosts."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

if TYPE_CHECKING:
    from rich.console import Console

# httpx and httpcore log full addresses, and a Census key is part of the address.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

T = TypeVar("T")
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 120.0
_REMEMBER: Final = 600.0
_AT_ONCE: Final = 2
_REASONS: Final[dict[int, str]] = {
    401: "the server wants a sign-in",
    403: "the server refuses access",
    404: "the server has no such file; the address may have moved",
    410: "the server has removed the file",
    429: "the server limits the number of requests",
}


class Unavailable(Exception):  # noqa: N818  a finding, not a fault: the caller goes on to the next way
    """The file cannot be had from this address; the text says why and holds no key."""


class NotThere(Unavailable):
    """The server answers, and has no file of that name."""


@dataclass(frozen=True)
class Marks:
    """What a server says about a file without sending it. `same` is true if it is the one that was asked about."""

    etag: str | None = None
    last_modified: str | None = None
    bytes: int | None = None
    same: bool = False


class _Transient(Exception):  # noqa: N818
    """Worth another attempt, after `wait` seconds if the server said so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(reason)


class _RangeRefused(_Transient):
    """The server cannot give the rest alone."""


class Hosts:
    """Hosts that could not be reached lately, shared by all downloads of a process."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[float, str]] = {}
        self._turns: dict[str, threading.BoundedSemaphore] = {}
        self._guard = threading.Lock()

    def turn(self, host: str) -> threading.BoundedSemaphore:
        """At most two requests at a time go to a host."""
        with self._guard:
            return self._turns.setdefault(host, threading.BoundedSemaphore(_AT_ONCE))

    def fail(self, host: str, reason: str) -> None:
        """Remember for ten minutes that the host cannot be reached."""
        self._failed[host] = (time.monotonic(), reason)

    def reason(self, host: str) -> str | None:
        """Why the host cannot be reached, if that is known."""
        when, reason = self._failed.get(host, (0.0, ""))
        return reason if reason and time.monotonic() - when < _REMEMBER else None


SHARED_HOSTS: Final = Hosts()


@dataclass
class _Partial:
    """A download under way: the bytes so far and what proves that the rest belongs to them."""

    path: Path
    validator: str | None = None
    marks: Marks = field(default_factory=Marks)

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0


@dataclass
class Downloader:
    """Fetches files over HTTP.

    Server errors (429, 5xx), timeouts and broken connections are tried again, `attempts` times in all, with growing
    pauses or the pause the server asks for (Retry-After). A host that cannot be reached at all (no such name, refused,
    no answer within `connect_timeout` seconds) is not tried again by this process for ten minutes. With a `console` a
    progress bar is shown there.
    """

    console: Console | None = None
    connect_timeout: float = 4.0
    read_timeout: float = 60.0
    attempts: int = 5
    sleep: Callable[[float], None] = time.sleep
    hosts: Hosts = field(default_factory=lambda: SHARED_HOSTS)
    _made: httpx.Client | None = field(default=None, init=False, repr=False)

    def fetch(self, url: str, target: Path, *, label: str, secret: tuple[str, str] | None = None) -> Marks:
        """Write the file at `url` to `target`, whole or not at all; returns how the server marks this edition of it.

        `secret` is a query parameter (name, key) that is sent, but appears in no message. Raises `Unavailable`.
        """
        partial = _Partial(target.with_name(target.name + ".part"))
        partial.path.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._with_retries(lambda: self._attempt(url, partial, label, secret))
            partial.path.replace(target)
        finally:
            partial.path.unlink(missing_ok=True)
        return partial.marks

    def ask(self, url: str, known: Marks | None = None, *, secret: tuple[str, str] | None = None) -> Marks:
        """How the server marks the file at `url`, without fetching it; `known` marks make the request conditional.

        Raises `NotThere` if there is no such file, `Unavailable` if the server does not say.
        """
        headers = {"Accept-Encoding": "identity"}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        if known is not None and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified

        def attempt(method: str) -> Marks:
            with self._response(method, url, headers, secret) as response:
                page = response.headers.get("Content-Type", "").startswith("text/html")
                if page and not url.endswith((".html", ".htm", "/")) and httpx.URL(url).path.count(".") > 0:
                    raise NotThere("the server answers with a web page instead of the file")
                return _marks(response, known)

        try:
            return self._with_retries(lambda: attempt("HEAD"))
        except NotThere:
            raise
        except Unavailable:
            # Some servers know no HEAD: begin to fetch it, and leave.
            return self._with_retries(lambda: attempt("GET"))

    def text(self, url: str) -> tuple[str, str]:
        """The page at `url` and the address it was finally found at. Raises `Unavailable`."""

        def attempt() -> tuple[str, str]:
            with self._response("GET", url, {}, None) as response:
                response.read()
                return response.text, str(response.url)

        return self._with_retries(attempt)

    def exists(self, url: str) -> bool:
        """Whether the server has a file at `url`; false if it cannot be asked."""

        def attempt() -> bool:
            with self._response("HEAD", url, {}, None):
                return True

        try:
            return self._with_retries(attempt)
        except Unavailable:
            return False

    def _with_retries(self, attempt: Callable[[], T]) -> T:
        retrying = Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_Transient),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Transient as error:
            raise Unavailable(f"{error} ({self.attempts} attempts)") from error

    @staticmethod
    def _wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, _Transient) and error.wait is not None:
            return error.wait
        return wait_exponential_jitter(initial=1, max=30, jitter=1)(state)

    def _attempt(self, url: str, partial: _Partial, label: str, secret: tuple[str, str] | None) -> None:
        # Compressed transfer would make sizes and ranges refer to other bytes than the file's.
        headers = {"Accept-Encoding": "identity"}
        start = partial.size if partial.validator else 0
        if start and partial.validator:
            headers |= {"Range": f"bytes={start}-", "If-Range": partial.validator}
        try:
            self._receive(url, headers, partial, label, secret)
        except _RangeRefused:
            partial.path.unlink(missing_ok=True)
            raise

    def _receive(
        self, url: str, headers: dict[str, str], partial: _Partial, label: str, secret: tuple[str, str] | None
    ) -> None:
        start = partial.size
        with self._response("GET", url, headers, secret) as response:
            resumed = response.status_code == 206
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise _RangeRefused("the server sent another part of the file than the one asked for")
            partial.validator = _validator(response)
            partial.marks = _marks(response, None)
            packed = "Content-Encoding" in response.headers and not httpx.URL(url).path.endswith(".gz")
            length = response.headers.get("Content-Length")
            total = int(length) + (start if resumed else 0) if length and not packed else None
            # As they arrive: a fixed chunk size would lose what came before a break.
            chunks = response.iter_bytes() if packed else response.iter_raw()
            with partial.path.open("ab" if resumed else "wb") as out, self._bar(label, total, partial) as advance:
                for chunk in chunks:
                    out.write(chunk)
                    advance(len(chunk))
        if total is not None and partial.size != total:
            raise _Transient(f"the connection ended after {partial.size} of {total} bytes")

    @contextlib.contextmanager
    def _response(
        self, method: str, url: str, headers: dict[str, str], secret: tuple[str, str] | None
    ) -> Iterator[httpx.Response]:
        """An answer that holds the file; every other outcome becomes `Unavailable` or `_Transient`."""
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise Unavailable(f"{url} is not an address") from error
        host = address.netloc.decode()
        if reason := self.hosts.reason(host):
            raise Unavailable(reason)
        self._resolve(address, host)
        if secret is not None:
            address = address.copy_merge_params({secret[0]: secret[1]})
        try:
            with (
                self.hosts.turn(host),
                self._client().stream(method, address, headers=headers) as response,
            ):
                _judge(response)
                yield response
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            reason = f"{host} cannot be reached ({_words(error)})"
            self.hosts.fail(host, reason)
            raise Unavailable(reason) from None
        except httpx.TimeoutException:
            raise _Transient(f"{host} stopped answering") from None
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            raise _Transient(f"the connection to {host} broke ({_words(error)})") from None
        except httpx.HTTPError as error:
            raise Unavailable(f"{host}: {_words(error)}") from None

    def _client(self) -> httpx.Client:
        """One client for all requests: making one reads the certificates anew."""
        if self._made is None:
            self._made = httpx.Client(
                timeout=httpx.Timeout(self.read_timeout, connect=self.connect_timeout),
                follow_redirects=True,
                headers={"User-Agent": "mobility-metrics (public-data pipeline)"},
            )
        return self._made

    def _resolve(self, address: httpx.URL, host: str) -> None:
        """Look the host's name up, for at most `connect_timeout` seconds: the system's own lookup knows no limit."""
        if urllib.request.getproxies().keys() - {"no"}:
            return
        failure: list[str] = ["no answer from the name server"]

        def look_up() -> None:
            try:
                socket.getaddrinfo(address.host, address.port or 443)
                failure.clear()
            except OSError as error:
                failure[:] = [str(error)]

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(self.connect_timeout)
        if failure:
            reason = f"{host} cannot be reached ({failure[0]})"
            self.hosts.fail(host, reason)
            raise Unavailable(reason)

    @contextlib.contextmanager
    def _bar(self, label: str, total: int | None, partial: _Partial) -> Iterator[Callable[[int], None]]:
        if self.console is None:
            yield lambda _: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(label, total=total, completed=partial.size)
            yield lambda size: progress.advance(task, size)


def _judge(response: httpx.Response) -> None:
    status = response.status_code
    if status in (200, 206, 304):
        return
    reason = f"{_REASONS.get(status, 'the server answers with an error')} (HTTP {status})"
    if status in _TRANSIENT:
        wait = _retry_after(response)
        if wait is not None and wait > _LONGEST_WAIT:
            raise Unavailable(f"{reason}; it asks to come back in {wait:.0f} seconds")
        raise _Transient(reason, wait)
    if status == 416:
        raise _RangeRefused("the server cannot resume the download")
    if status in (404, 410):
        raise NotThere(reason)
    raise Unavailable(reason)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds the server asks to wait: a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _validator(response: httpx.Response) -> str | None:
    """What If-Range may be compared with; None if the server gives nothing that identifies the very bytes."""
    if response.headers.get("Accept-Ranges", "").lower() != "bytes" and response.status_code != 206:
        return None
    tag: str | None = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _marks(response: httpx.Response, known: Marks | None) -> Marks:
    headers = response.headers
    if response.status_code == 304 and known is not None:
        return Marks(known.etag, known.last_modified, known.bytes, same=True)
    length = headers.get("Content-Length") if "Content-Encoding" not in headers else None
    size = int(length) if length and length.isdigit() and response.status_code == 200 else None
    found = Marks(headers.get("ETag"), headers.get("Last-Modified"), size)
    if known is None:
        return found
    # Servers that know no conditional requests: the marks themselves are compared, the strongest first.
    for mine, theirs in ((known.etag, found.etag), (known.last_modified, found.last_modified)):
        if mine and theirs:
            return Marks(found.etag, found.last_modified, size, same=mine == theirs)
    return Marks(found.etag, found.last_modified, size, same=size is not None and size == known.bytes)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
