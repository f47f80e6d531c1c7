"""What a file must look like to enter the raw store: its size, its type by its first bytes, and its end."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from schemas.errors import InputError

_CHUNK: Final = 1 << 20
_TEXT: Final = ("csv", "text", "json", "xml")
_MAGIC: Final[dict[str, tuple[bytes, ...]]] = {
    "zip": (b"PK\x03\x04",),
    "xlsx": (b"PK\x03\x04",),
    "gzip": (b"\x1f\x8b",),
    "xls": (b"\xd0\xcf\x11\xe0",),
    # Stata 13 and later.
    "dta": (b"<stata_dta>",),
    # R data: compressed with gzip, bzip2 or xz, or plain (binary or ASCII).
    "rds": (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"X\n", b"A\n"),
}
KINDS: Final = (*_MAGIC, *_TEXT)
_WEB_PAGE: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def sha256(path: Path) -> str:
    """The file's SHA-256, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check(path: Path, kind: str, *, name: str, source: str, min_bytes: int = 1, remedy: str | None = None) -> None:
    """Refuse a file that cannot be what its declaration says.

    `kind` is one of `KINDS`; a `name` ending in .gz holds that kind gzip-compressed. Refused, as `InputError`: an empty
    file, one smaller than `min_bytes`, a web page, a file of another type, and a zip, gzip or JSON that is damaged or
    ends too early.
    """
    if kind not in KINDS:
        raise ValueError(f"source {source}, file {name}: unknown kind {kind!r}; it is one of {', '.join(KINDS)}")

    def refuse(problem: str) -> InputError:
        return InputError(problem, source=source, file=name, remedy=remedy)

    size = path.stat().st_size
    if size == 0:
        raise refuse("the file is empty.")
    with path.open("rb") as stream:
        head = stream.read(1024)
    if _is_web_page(head):
        raise refuse("this is a web page, not data.")
    if size < min_bytes:
        raise refuse(f"the file has {size} bytes, at least {min_bytes} are expected.")

    if name.endswith(".gz") or kind == "gzip":
        if not head.startswith(_MAGIC["gzip"]):
            raise refuse("this is not a gzip file.")
        try:
            inner = _gunzip_head(path)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refuse(f"the gzip is damaged or truncated ({error}).") from error
        if not inner.strip():
            raise refuse("the file is empty.")
        if _is_web_page(inner):
            raise refuse("this is a web page, not data.")
        if kind != "gzip":
            _check_type(inner, kind, refuse)
        return

    _check_type(head, kind, refuse)
    if kind in ("zip", "xlsx"):
        try:
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
                names = archive.namelist()
        except (zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
            raise refuse(f"the zip is damaged or truncated ({error}).") from error
        if broken is not None:
            raise refuse(f"the zip is damaged: {broken} in it does not match its checksum.")
        if not names:
            raise refuse("the zip is empty.")
        if kind == "xlsx" and "[Content_Types].xml" not in names:
            raise refuse("this is a zip, but no Excel workbook.")
    elif kind == "json":
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            raise refuse(f"the JSON is damaged or truncated ({error}).") from error


def is_web_page(path: Path) -> bool:
    """Whether the file is an HTML page."""
    with path.open("rb") as stream:
        return _is_web_page(stream.read(1024))


def _is_web_page(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    # An XML declaration may stand before a page, too.
    if start.startswith(b"<?xml"):
        start = start.partition(b"?>")[2].lstrip()
    return start.startswith(_WEB_PAGE)


def _gunzip_head(path: Path) -> bytes:
    """The first bytes of the content; reads to the end, so that the length and checksum stored there are compared."""
    with gzip.open(path) as stream:
        head = stream.read(1024)
        while stream.read(_CHUNK):
            pass
    return head


def _check_type(head: bytes, kind: str, refuse: Callable[[str], InputError]) -> None:
    if kind in _MAGIC:
        if not head.startswith(_MAGIC[kind]):
            raise refuse(f"this is not a file of type {kind}.")
        return
    if head.startswith(_UTF16):
        raise refuse("the text is encoded in UTF-16.")
    if b"\0" in head:
        raise refuse(f"this is a binary file, not {kind}.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if kind == "json" and not start.startswith((b"{", b"[")):
        raise refuse("this is not JSON.")
    if kind == "xml" and not start.startswith(b"<"):
        raise refuse("this is not XML.")
