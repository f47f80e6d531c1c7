"""Vintages of many files, of which a table uses those that can be had: one file per state, for example."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import OwedError
from sources.framework.declare import Source
from sources.framework.retrieve import Retrieval
from sources.framework.store import RawFile
from sources.framework.wanted import wanted_files


def obtain_available(
    retrieval: Retrieval, source: Source, vintage: str, names: Sequence[str] | None = None
) -> dict[str, RawFile]:
    """The files of a vintage (or those of `names`) that can be had, by name.

    The others stand in `retrieval.notes["owed"]`. Raises `OwedError` if there is none at all, `InputError` for a file
    that is there and wrong.
    """
    wanted = None if names is None else tuple(names)
    try:
        files = retrieval.obtain(source, vintage, wanted)
    except OwedError as owed:
        note_owed(retrieval, owed)
        declared = [n for n in (wanted or _declared(retrieval, source, vintage)) if n not in owed.files]
        if not declared:
            raise
        files = retrieval.obtain(source, vintage, tuple(declared))
    return {file.name: file for file in files}


def note_owed(retrieval: Retrieval, owed: OwedError) -> None:
    """Say in the table's account which files are owed, and how they are provided."""
    note = {"source": owed.source, "vintage": owed.vintage, "files": list(owed.files), "recipe": owed.recipe}
    others = retrieval.notes.get("owed", [])
    known = others if isinstance(others, list) else []
    if note not in known:
        retrieval.notes["owed"] = [*known, note]


def _declared(retrieval: Retrieval, source: Source, vintage: str) -> list[str]:
    """The names of all files of the vintage, states filled in."""
    return [w.name for w in wanted_files(source, vintage, None, retrieval.scope.states)]
