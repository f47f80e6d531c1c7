"""Paged answers of a JSON API: one file per page, in the order in which each page names the next.

A page is an object with `results` (a list of records), `next` (the address of the next page, null on the last) and
`count` (the records of all pages together).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.errors import InputError
from sources.framework.strict import read_bytes
from sources.framework.wanted import Wanted

DIGITS: Final = 4


def page_name(name: str, number: int) -> str:
    """The file of page `number` (from 1) of a paged file declared as `name`, whose "*" becomes the number."""
    return name.replace("*", f"{number:0{DIGITS}d}")


def page(wanted: Wanted, number: int, address: str) -> Wanted:
    """One page of a paged file, as a file of its own that is found at `address`."""
    return replace(wanted, name=page_name(wanted.name, number), accept=(), url=address)


def read_page(path: Path, *, source: str) -> dict[str, Any]:
    """The page's object, with `results`, `next` and `count`. Raises `InputError` if the file is no such page."""

    def refuse(problem: str, row: int | None = None) -> InputError:
        return InputError(problem, source=source, file=path.name, row=row)

    try:
        content: Any = json.loads(read_bytes(path, source=source))
    except json.JSONDecodeError as error:
        raise refuse(f"this is not JSON ({error.msg}).", error.lineno) from error
    if not isinstance(content, dict) or not {"results", "next", "count"} <= content.keys():
        raise refuse("this is no page of an answer: an object with count, next and results is expected.")
    results, following, count = content["results"], content["next"], content["count"]
    if not isinstance(results, list) or not all(isinstance(record, dict) for record in results):
        raise refuse("results is not a list of records.")
    if not (following is None or isinstance(following, str)) or not isinstance(count, int):
        raise refuse("next is not an address, or count is not a number.")
    return content


def next_page(path: Path, addresses: Sequence[str], *, source: str) -> str | None:
    """Where the page after this one is; None after the last. `addresses` are those of the pages so far, this one last.

    An address on another host, or one of those before, is an `InputError`.
    """
    following: str | None = _without_records(path, source=source)["next"]
    if following is None:
        return None
    if urlsplit(following).hostname != urlsplit(addresses[-1]).hostname or following in addresses:
        raise InputError(f"the next page cannot be at {following}.", source=source, file=path.name)
    return following


def _without_records(path: Path, *, source: str) -> dict[str, Any]:
    """The page's object as far as it stands before the records, which come last as a rule; else the whole page."""
    head, _, _ = read_bytes(path, source=source).partition(b'"results"')
    try:
        content: Any = json.loads(head.rstrip().removesuffix(b",") + b"}")
    except json.JSONDecodeError:
        content = None
    if isinstance(content, dict) and isinstance(content.get("next", 0), str | None):
        return content
    return read_page(path, source=source)
