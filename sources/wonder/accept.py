"""Holding an export to its recipe, and wording that a person has accepted.

A person accepts wording that the program does not understand (never a conflict) in a tab-separated file whose name
starts with "accepted", in the folder `raw/<source>/accepted/` of the data root. It has one line per acceptance:

    file    parameter    value    accepted_by    accepted_on    reason

with the parameter and value exactly as the refusal prints them. Acceptances are raw files like all others (stored with
their SHA-256), and each one that was used is put into the table's notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from sources.framework import Source, SourceFile, Vintage
from sources.framework.retrieve import Retrieval
from sources.framework.strict import ROW, Raw
from sources.wonder.export import Export
from sources.wonder.query import Query, differences

ACCEPTED: Final = Vintage(
    key="accepted",
    files=(SourceFile("accepted*.tsv", "text"),),
    data_years=(),
)


@dataclass(frozen=True)
class Acceptance:
    """One wording that a person has accepted for one export."""

    file: str
    parameter: str
    value: str
    accepted_by: str
    accepted_on: str
    reason: str


def acceptances(retrieval: Retrieval, source: Source) -> tuple[Acceptance, ...]:
    """All acceptances that were handed in for a source; usually none."""
    # Not one of the source's own vintages, so that nobody is told to hand them in.
    folder = replace(source, vintages=(ACCEPTED,))
    if not retrieval.has(folder, ACCEPTED.key):
        return ()
    found = retrieval.obtain(folder, ACCEPTED.key)
    return tuple(a for file in found for a in read_acceptances(file.path, source=source.key))


def read_acceptances(path: Path, *, source: str) -> tuple[Acceptance, ...]:
    """The acceptances of one file. Every field must be filled in, and the date be written as 2025-01-31."""
    columns = [f.name for f in fields(Acceptance)]
    raw = Raw.csv(path, source=source, separator="\t").select(columns)
    for column in columns:
        raw.refuse(pl.col(column) == "", "a field is empty", column=column)
    raw.refuse(~pl.col("accepted_on").str.contains(r"^\d{4}-\d{2}-\d{2}$"), "not a date", column="accepted_on")
    return tuple(Acceptance(**row) for row in raw.frame.drop(ROW).to_dicts())


def hold_to(
    export: Export, query: Query, accepted: Sequence[Acceptance], *, source: str, others: Iterable[Query] = ()
) -> list[dict[str, str]]:
    """Refuse an export that does not answer `query`; returns the acceptances that were needed, for the notes.

    The refusal shows every difference, and names the recipe of `others` that the export does answer, if there is one.
    """
    found = differences(export.footer, query)
    conflicts = [d for d in found if d.conflict]
    used: list[Acceptance] = []
    unknown = []
    for difference in found:
        if difference.conflict:
            continue
        match = [
            a
            for a in accepted
            if (a.file, a.parameter, a.value) == (query.file, difference.parameter, difference.value)
        ]
        used += match[:1]
        if not match:
            unknown.append(difference)
    if conflicts:
        fits = next((o.file for o in others if o != query and not differences(export.footer, o)), None)
        hint = f" It is the export {fits}." if fits else ""
        raise InputError(
            f"the export answers another query: {'; '.join(map(str, [*conflicts, *unknown]))}.{hint}",
            source=source,
            file=query.file,
            remedy=f"Repeat it on {query.page} with {query.instructions()}; everything else at All.",
        )
    if unknown:
        header = "\t".join(f.name for f in fields(Acceptance))
        lines = "\n".join("\t".join((query.file, d.parameter, d.value or "", "NAME", "DATE", "WHY")) for d in unknown)
        raise InputError(
            f"the export's query is worded in a way that is not known: {'; '.join(map(str, unknown))}.",
            source=source,
            file=query.file,
            remedy=(
                f"If it asks for the same, accept the wording: write to raw/{source}/{ACCEPTED.key}/accepted.tsv of "
                f"the data root (tab-separated):\n{header}\n{lines}"
            ),
        )
    return [asdict(a) for a in used]
