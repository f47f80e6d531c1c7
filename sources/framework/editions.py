"""New editions as lines of data: `sources/editions.csv`, and the file named by MOBILITY_EDITIONS if it is set.

    source,vintage,like,data_years,find,replace,published,note
    qcew,2024,2023,2024,,,2025-06,

declares the edition 2024 of `qcew`, which is like the edition 2023 with its year moved on in file names and addresses.
`data_years` are separated by spaces; an edition that is declared already gets the files and years it lacks. Where an
agency did not keep to its pattern, `find` and `replace` (several parted by `|`) mend what follows from `like`. An
address without a year (a file's number in an archive) is not taken over: the file is owed unless `find` and `replace`
give its new one. Which tables and predictors have the new year follows from this line.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from schemas.errors import InputError
from sources.framework.successor import moved, year_of
from sources.framework.vintage import SourceFile, Vintage

FILE: Final = Path(__file__).parent.parent / "editions.csv"
SETTING: Final = "MOBILITY_EDITIONS"
COLUMNS: Final = ("source", "vintage", "like", "data_years", "find", "replace", "published", "note")


@dataclass(frozen=True)
class Edition:
    """One line: the edition `vintage` of `source` is like its edition `like`."""

    source: str
    vintage: str
    like: str
    data_years: tuple[int, ...]
    mended: tuple[tuple[str, str], ...]
    published: str | None
    note: str
    where: str

    def made_from(self, model: Vintage) -> Vintage:
        """The new edition."""
        old, new = year_of(model), year_of(replace(model, key=self.vintage))
        step = new - old if old is not None and new is not None else 0

        def renew(text: str) -> str:
            text = moved(text, old, step) if old is not None and step else text
            for find, instead in self.mended:
                text = text.replace(find, instead)
            return text

        def file(one: SourceFile) -> SourceFile:
            name, url = renew(one.name), renew(one.url) if one.url else None
            # An address that stays while the name moves on (numbers of an archive) is that of the older file.
            if url == one.url and name != one.name:
                url = None
            return replace(one, name=name, url=url, accept=tuple(renew(name) for name in one.accept))

        return replace(
            model,
            key=self.vintage,
            files=tuple(file(f) for f in model.files),
            data_years=self.data_years,
            published=self.published,
            note=self.note,
        )


def _read(path: Path) -> Iterator[Edition]:
    with path.open(encoding="utf-8", newline="") as stream:
        lines = csv.DictReader(stream)
        if tuple(lines.fieldnames or ()) != COLUMNS:
            raise InputError(f"the columns must be {', '.join(COLUMNS)}.", source="editions", file=path.name, row=1)
        for number, row in enumerate(lines, start=2):
            try:
                years = tuple(int(y) for y in row["data_years"].split())
                pairs = zip(_parts(row["find"]), _parts(row["replace"]), strict=True)
                yield Edition(
                    row["source"], row["vintage"], row["like"], years, tuple(pairs), row["published"] or None,
                    row["note"], f"{path.name}, row {number}",
                )  # fmt: skip
            except (ValueError, AttributeError, TypeError) as error:
                raise InputError(
                    "the line cannot be read: data_years are years, find and replace have equally many parts.",
                    source="editions",
                    file=path.name,
                    row=number,
                ) from error


def _parts(text: str) -> list[str]:
    return text.split("|") if text else []


@cache
def editions() -> tuple[Edition, ...]:
    """All lines, those of the project first."""
    extra = os.environ.get(SETTING)
    return tuple(e for path in (FILE, *([Path(extra)] if extra else [])) for e in _read(path))


def with_new_editions(source: str, vintages: tuple[Vintage, ...]) -> tuple[Vintage, ...]:
    """The editions a source's module declares, and those its lines add. A line may be like one that a line added."""
    known = {v.key: v for v in vintages}
    for line in editions():
        if line.source != source or line.like not in known:
            continue
        made = line.made_from(known[line.like])
        standing = known.get(line.vintage)
        known[line.vintage] = made if standing is None else _joined(standing, made)
    return tuple(known.values())


def _joined(standing: Vintage, made: Vintage) -> Vintage:
    """An edition that is declared already, for other tables: the line adds files and data years to it."""
    names = {f.name for f in standing.files}
    years = tuple(sorted({*standing.data_years, *made.data_years}))
    return replace(standing, files=(*standing.files, *(f for f in made.files if f.name not in names)), data_years=years)


def models(source: str) -> dict[str, frozenset[str]]:
    """New edition -> the editions that it is like, through lines that are like other lines."""
    found: dict[str, frozenset[str]] = {}
    for line in editions():
        if line.source == source:
            found[line.vintage] = found.get(line.vintage, frozenset()) | {line.like} | found.get(line.like, frozenset())
    return found


def check_lines(declared: Mapping[str, tuple[Vintage, ...]], tied: Mapping[str, str]) -> None:
    """Refuse lines that led to nothing: an unknown source, nothing to be like, or a source whose method takes no other.

    `tied` tells, by source, why no line can add to it. `InputError` with the row.
    """
    for line in editions():
        problem = None
        if line.source not in declared:
            problem = f"there is no source {line.source!r}."
        elif tied.get(line.source):
            problem = f"no edition can be added to {line.source}: {tied[line.source]}"
        elif line.vintage not in {v.key for v in declared[line.source]}:
            known = ", ".join(v.key for v in declared[line.source])
            problem = f"{line.source} has no edition {line.like!r} to be like; it has {known}."
        if problem:
            raise InputError(problem, source="editions", file=line.where)


def added_years() -> frozenset[int]:
    """The data years that lines name."""
    return frozenset(y for line in editions() for y in line.data_years)
