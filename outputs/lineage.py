"""What each predictor's figures of a year were made from, as data: source files, code and method, and how they differ.

`lineage.csv` has a row per predictor, year and source file; `sources.csv` one per source file, with the terms of its
source. From the lineage of two releases follows why figures changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import polars as pl

from metrics.predictor import Entry
from outputs.about import ReleaseMeta
from outputs.write import NA
from schemas.errors import GateError

LINEAGE_FILE: Final = "lineage.csv"
SOURCES_FILE: Final = "sources.csv"

METHOD_CHANGE: Final = "method change"
NEW_SOURCE: Final = "new source vintage"
CODE_FIX: Final = "code fix"
NOT_RECORDED: Final = "not recorded"
CAUSES: Final[dict[str, str]] = {
    METHOD_CHANGE: "The predictor's declared method changed: its definition, its deviations, or the year's samples.",
    NEW_SOURCE: "A source file was replaced by another edition, corrected by its agency, added or taken away.",
    CODE_FIX: "The program that makes the figure changed; its sources and its declared method did not.",
    NOT_RECORDED: "One of the two releases does not record what it was made from.",
}

LINEAGE: Final[dict[str, type[pl.DataType]]] = {
    "predictor": pl.String,
    "year": pl.Int32,
    "method_version": pl.String,
    "code_version": pl.String,
    "source": pl.String,
    "vintage": pl.String,
    "file": pl.String,
    "sha256": pl.String,
}
LINEAGE_DESCRIPTIONS: Final[dict[str, str]] = {
    "predictor": "Predictor.",
    "year": "Data year.",
    "method_version": "Fingerprint of the declared method: metrics, samples of the year, deviations.",
    "code_version": "Fingerprint of the program that reads the sources and makes the figures.",
    "source": "Key of the source; missing where no file was read.",
    "vintage": "Edition of the source.",
    "file": "Name of the file.",
    "sha256": "Checksum of the file.",
}
SOURCES: Final[dict[str, type[pl.DataType]]] = {
    "source": pl.String,
    "vintage": pl.String,
    "file": pl.String,
    "agency": pl.String,
    "dataset": pl.String,
    "citation": pl.String,
    "licence": pl.String,
    "redistribute": pl.String,
    "landing_page": pl.String,
    "url": pl.String,
    "retrieved": pl.String,
    "sha256": pl.String,
    "predictors": pl.String,
}
SOURCE_DESCRIPTIONS: Final[dict[str, str]] = {
    "source": "Key of the source.",
    "vintage": "Edition of the source.",
    "file": "Name of the file as the agency gives it.",
    "agency": "Who publishes it.",
    "dataset": "Name of the data set.",
    "citation": "How to cite it.",
    "licence": "Terms of use.",
    "redistribute": "yes: the file itself may be passed on; no: get it from the agency. No release holds source files.",
    "landing_page": "Page about the data set.",
    "url": "Where the file was retrieved; missing if a person handed it in.",
    "retrieved": "Day of retrieval; missing for generated files.",
    "sha256": "Checksum of the file.",
    "predictors": "Predictors made from it.",
}


def method_version(entry: Entry, year: int) -> str:
    """A fingerprint of what a predictor declares about its figures of a year."""
    predictor = entry.predictor
    facts = {
        "metrics": [
            (m.column, m.unit, m.minimum, m.maximum, m.interval, m.text_format, m.published) for m in predictor.metrics
        ],
        "series": [{**asdict(s), "years": None, "tables": None} for s in predictor.series if year in s.years],
        "definition": predictor.definition,
        "deviations": [(d.id, d.kind, d.reference, d.ours) for d in entry.deviations],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def lineage(meta: ReleaseMeta, entries: Mapping[str, Entry]) -> pl.DataFrame:
    """The lineage that a release records: columns `LINEAGE`, sorted."""
    rows: list[tuple[object, ...]] = []
    for made in (m for m in meta.lineage if m.predictor in entries):
        head = (made.predictor, made.year, method_version(entries[made.predictor], made.year), made.code_version)
        nothing: tuple[str | None, ...] = (None,) * 4
        rows += [(*head, *file) for file in made.files or (nothing,)]
    frame = pl.DataFrame(rows, schema=LINEAGE, orient="row")
    return frame.sort(list(LINEAGE), nulls_last=True)


def read_lineage(data: bytes) -> pl.DataFrame:
    """A release's `lineage.csv`."""
    frame = pl.read_csv(data, infer_schema=False, null_values=[NA])
    if missing := [c for c in LINEAGE if c not in frame.columns]:
        raise GateError(LINEAGE_FILE, [f"the column {c} is missing" for c in missing])
    return frame.select(pl.col(c).cast(t) for c, t in LINEAGE.items())


def sources_table(meta: ReleaseMeta) -> pl.DataFrame:
    """The source files of a release with the terms of their sources: columns `SOURCES`, sorted."""
    users: dict[tuple[str, str, str], set[str]] = {}
    for made in meta.lineage:
        for source, vintage, file, _ in made.files:
            users.setdefault((source, vintage, file), set()).add(made.predictor)
    rows = []
    for item in meta.inputs:
        note = meta.notes_for([item.source])[0]
        used = users.get((item.source, item.vintage, item.file), set())
        rows.append(
            {
                "source": item.source,
                "vintage": item.vintage,
                "file": item.file,
                "agency": note.agency or None,
                "dataset": note.dataset or None,
                "citation": note.citation or None,
                "licence": note.licence or item.licence or None,
                "redistribute": "yes" if note.redistribute else "no",
                "landing_page": note.landing_page or None,
                "url": item.url,
                # Generated files are as old as the run that made them: their day would say nothing.
                "retrieved": None if meta.synthetic or item.retrieved_at is None else item.retrieved_at[:10],
                "sha256": item.sha256,
                "predictors": "; ".join(sorted(used)) or None,
            }
        )
    return pl.DataFrame(rows, schema=SOURCES).sort("source", "vintage", "file")


def recorded(old: pl.DataFrame | None, new: pl.DataFrame | None) -> bool:
    """Whether both releases say what they were made from."""
    return old is not None and new is not None and not old.is_empty() and not new.is_empty()


def causes(old: pl.DataFrame | None, new: pl.DataFrame | None) -> pl.DataFrame:
    """Why the figures of a predictor and year may have changed: predictor, year (Int32), cause, evidence.

    `old` and `new` are lineages (columns `LINEAGE`). A pair that is the same in both has no row, and
    nothing has one if a release does not record its lineage. The cause is the first
    that applies of method change, new source vintage, code fix; the evidence names all of them.
    """
    schema = {"predictor": pl.String, "year": pl.Int32, "cause": pl.String, "evidence": pl.String}
    if not recorded(old, new):
        return pl.DataFrame(schema=schema)
    assert old is not None
    assert new is not None
    rows = []
    before, after = _facts(old), _facts(new)
    for pair in sorted(before.keys() & after.keys()):
        evidence = []
        cause = None
        (method, code, files), (method_now, code_now, files_now) = before[pair], after[pair]
        if method != method_now:
            cause = METHOD_CHANGE
            evidence.append(f"method {method} is now {method_now}")
        if files != files_now:
            cause = cause or NEW_SOURCE
            evidence += _file_changes(files, files_now)
        if code != code_now:
            cause = cause or CODE_FIX
            evidence.append(f"program {code} is now {code_now}")
        if cause is not None:
            rows.append((*pair, cause, "; ".join(evidence)))
    return pl.DataFrame(rows, schema=schema, orient="row")


Files = dict[tuple[str, str, str], str]


def _facts(frame: pl.DataFrame) -> dict[tuple[str, int], tuple[str, str, Files]]:
    found: dict[tuple[str, int], tuple[str, str, Files]] = {}
    for predictor, year, method, code, source, vintage, file, sha256 in frame.select(list(LINEAGE)).iter_rows():
        _, _, files = found.setdefault((predictor, year), (method, code, {}))
        if source is not None:
            files[(source, vintage, file)] = sha256
    return found


def _file_changes(old: Files, new: Files) -> list[str]:
    told = [f"{s} {v} {f} was replaced" for s, v, f in sorted(old.keys() & new.keys()) if old[s, v, f] != new[s, v, f]]
    told += [f"{s} {v} {f} is new" for s, v, f in sorted(new.keys() - old.keys())]
    told += [f"{s} {v} {f} is no longer used" for s, v, f in sorted(old.keys() - new.keys())]
    return told if len(told) <= 4 else [*told[:4], f"{len(told) - 4} more files"]
