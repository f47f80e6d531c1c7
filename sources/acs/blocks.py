"""Large text files, plain or gzip, as blocks of whole lines; the next block is read while one is worked on."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from schemas.errors import InputError
from sources.acs.digits import PREFIX

T = TypeVar("T")

# Large enough to work on in one go, small enough that memory is used again instead of being taken anew.
BLOCK_BYTES: Final = 16 << 20
_PIECE: Final = 1 << 20
_PADDING: Final = bytes(PREFIX)


def pieces(path: Path, *, source: str) -> Iterator[bytes]:
    """The file's bytes in pieces, decompressed if the name ends in .gz. Refuses a damaged or truncated gzip."""
    with path.open("rb") as stream:
        if path.suffix != ".gz":
            while piece := stream.read(_PIECE):
                yield piece
            return
        decoder = zlib.decompressobj(31)
        begun = False
        try:
            while piece := stream.read(_PIECE):
                while piece:
                    if decoder.eof:
                        decoder = zlib.decompressobj(31)
                    begun = True
                    yield decoder.decompress(piece)
                    piece = decoder.unused_data
        except zlib.error as error:
            raise InputError(f"the gzip is damaged ({error}).", source=source, file=path.name) from error
        if begun and not decoder.eof:
            raise InputError("the gzip is truncated.", source=source, file=path.name)


def blocks(path: Path, cut: Callable[[bytes], int], *, source: str, size: int = BLOCK_BYTES) -> Iterator[memoryview]:
    """Blocks of at least `size` bytes, each after `PREFIX` bytes of padding; the last line of the file gets its end.

    `cut` says how many bytes of a block (padding included) belong to it; the rest begins the next one.
    """
    kept = [b""]
    length = 0
    for piece in pieces(path, source=source):
        kept.append(piece)
        length += len(piece)
        if length < size:
            continue
        block = b"".join((_PADDING, *kept))
        end = cut(block)
        if end > PREFIX:
            yield memoryview(block)[:end]
            kept = [block[end:]]
            length = len(kept[0])
    if length:
        block = b"".join((_PADDING, *kept))
        yield memoryview(block if block.endswith(b"\n") else block + b"\n")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next one being made by another thread while the caller works on one."""
    end = object()
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]


def first_line(path: Path, *, source: str) -> bytes:
    """The first line without its end. Refuses an empty file and a web page."""
    start = b""
    for piece in pieces(path, source=source):
        start += piece
        if b"\n" in start or len(start) > _PIECE:
            break
    if not start.strip():
        raise InputError("the file is empty.", source=source, file=path.name)
    if start[:200].lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        raise InputError("this is a web page, not data.", source=source, file=path.name)
    return start.partition(b"\n")[0]
