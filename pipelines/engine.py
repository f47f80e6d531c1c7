"""The work itself, free of Dagster: bring one table or one predictor's estimates of one year up to date."""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors
from upath import UPath

from metrics.predictor import Entry, complete, expected_keys
from pipelines.code_version import code_version, module_of
from pipelines.derived import Derived, table
from pipelines.drawings import spread
from pipelines.judge import diagnose, is_judged, judge_estimates, table_judge
from pipelines.microdata import microdata_uses
from pipelines.substitutes import NOTE, entry_of, stands_in
from pipelines.workspace import Account, Workspace, canonical_hash, digest
from schemas.errors import GateError, InputError, OwedError
from schemas.estimate import gate
from sources.framework import Table
from sources.registry import all_sources

Status = Literal["built", "unchanged", "owed", "kept"]

_LISTED = 20  # areas named per cell where intervals have no width
SPREAD: Final = "spread"
"""Note of an account of estimates: quartiles of the overall figures, for the picture by year."""


@dataclass(frozen=True)
class Outcome:
    """What became of one table or estimate.

    `built`: computed now. `unchanged`: nothing it depends on has changed. `owed`: an input is missing and there is no
    earlier result. `kept`: an input is missing now, the earlier result stands.
    """

    status: Status
    account: Account


def gate_table(frame: pl.DataFrame | pl.LazyFrame, model: type[pa.DataFrameModel], name: str, *, rows: bool) -> None:
    """Hold a table to its pandera model; `rows` false checks columns and types only."""
    try:
        if rows:
            model.validate(frame.lazy().collect(), lazy=True)
        else:
            model.validate(frame.lazy(), lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.head(21).iter_rows(named=True)
        raise GateError(
            name, [f"{c['column']}: {c['check']} {c['failure_case']} row {c['index']}" for c in cases]
        ) from error


def inventory(ws: Workspace, source_names: tuple[str, ...], year: int) -> str:
    """A hash of what lies in store, inbox and a mirror folder for these sources and this year (see `ws.listing`).

    Vintages without data years (other forms of the same figures) count for every year. A mirror behind an address
    gives no listing; of it, only the address counts.
    """
    root: UPath | Path = Path(str(ws.root)) if ws.settings.data_is_local else ws.root
    raw, inbox = root / "raw", root / "inbox"
    folders: list[UPath | Path] = [raw, inbox]
    if ws.settings.mirror and "://" not in ws.settings.mirror:
        folders.append(Path(ws.settings.mirror))
    files: list[tuple[str, list[tuple[str, str]]]] = []
    for name in source_names:
        vintages = [v for v in all_sources()[name].vintages if year in v.data_years or not v.data_years]
        places = [folder / name / v.key for folder in folders for v in vintages] + [inbox / name]
        files += [(str(place), found) for place in places if (found := ws.listing(place))]
    return digest(files, ws.settings.mirror, ws.settings.offline)


def table_is_fresh(ws: Workspace, name: str, year: int) -> bool:
    """Whether `refresh_table` would change nothing (its upstream tables being fresh themselves)."""
    found = table(name)
    before = ws.account("tables", name, year)
    if ws.force or before is None or not before.present or before.owed:
        return False
    if isinstance(found, Derived):
        return before.fingerprint == _derived_fingerprint(ws, found, year)
    if not set(microdata_uses(ws.predictors, year).get(name, {})) <= set(before.serves):
        return False
    return (before.code_version, before.inventory) == (_reader_version(found), inventory(ws, found.sources, year))


def table_is_current(ws: Workspace, name: str, year: int) -> bool:
    """Whether the table that is there was made from what is there now; true if there is none.

    Unlike `table_is_fresh`, a table that was made without an input that is still owed is current.
    """
    found = table(name)
    before = ws.account("tables", name, year)
    if before is None or not before.present:
        return True
    if isinstance(found, Derived):
        return before.fingerprint == _derived_fingerprint(ws, found, year)
    return (before.code_version, before.inventory) == (_reader_version(found), inventory(ws, found.sources, year))


def estimates_are_fresh(ws: Workspace, key: str, year: int) -> bool:
    """Whether `refresh_estimates` would change nothing (its tables being fresh themselves)."""
    before = ws.account("estimates", key, year)
    return not ws.force and before is not None and before.present and before.fingerprint == _made_from(ws, key, year)[0]


def refresh_table(ws: Workspace, name: str, year: int) -> Outcome:
    """Bring `tables/<name>/<year>.parquet` up to date. Raises `InputError` or `GateError`; the last good file stays."""
    found = table(name)
    return _refresh_derived(ws, found, year) if isinstance(found, Derived) else _refresh_read(ws, found, year)


def _refresh_read(ws: Workspace, found: Table, year: int) -> Outcome:
    version = _reader_version(found)
    before = ws.account("tables", found.name, year)
    if before is not None and table_is_fresh(ws, found.name, year):
        return Outcome("unchanged", _judged_table(ws, before))
    retrieval = ws.retrieval(year)
    account = Account(found.name, year, "", version, ws.states, ws.profile)
    try:
        frame = found.build(year, retrieval)
    except OwedError as error:
        owed = {"source": error.source, "vintage": error.vintage, "files": list(error.files), "recipe": error.recipe}
        if before is not None and before.present:
            before.owed = [owed | {"recipe": f"(an earlier result is kept) {error.recipe}"}]
            ws.write_account("tables", before)
            return Outcome("kept", before)
        account.owed = [owed]
        ws.write_account("tables", account)
        return Outcome("owed", account)
    gate_table(frame, found.model, found.name, rows=found.gate_rows)
    account.inputs = [{**asdict(f), "path": None} for f in retrieval.used]
    account.notes = dict(retrieval.notes)
    # A table that can do without one of its inputs says itself what is owed.
    account.owed = list(account.notes.pop("owed", []))
    account.fingerprint = digest(found.name, year, version, ws.states, sorted(f.sha256 for f in retrieval.used))
    # The reader has seen to what the predictors of this run use; if nothing else changed, so had it for earlier ones.
    earlier = before.serves if before is not None and before.fingerprint == account.fingerprint else []
    account.serves = sorted({*retrieval.uses.get(found.name, {}), *earlier})
    # The store has taken files over from the mirror or the network by now: list it as it is for the next comparison.
    account.inventory = inventory(ws, found.sources, year)
    return Outcome("built", ws.write("tables", frame, account, inspect=table_judge(account)))


def _judged_table(ws: Workspace, account: Account) -> Account:
    """A table that needs no making is still asked the rules if they have changed."""
    frame = ws.scan("tables", account.name, account.year)
    if frame is not None and not is_judged(ws, "tables", account.name, account.year):
        table_judge(account)(frame)
        ws.write_account("tables", account)
    return account


def _reader_version(found: Table) -> str:
    return digest(code_version(module_of(found.build)), found.version)


def _derived_fingerprint(ws: Workspace, found: Derived, year: int) -> str:
    parents = {name: ws.account("tables", name, year) for name in found.inputs}
    version = code_version(found.compute.__module__)
    return digest(found.name, year, version, {n: a.fingerprint if a else None for n, a in parents.items()})


def _refresh_derived(ws: Workspace, found: Derived, year: int) -> Outcome:
    version = code_version(found.compute.__module__)
    parents = {name: ws.account("tables", name, year) for name in found.inputs}
    fingerprint = _derived_fingerprint(ws, found, year)
    before = ws.account("tables", found.name, year)
    if before is not None and table_is_fresh(ws, found.name, year):
        return Outcome("unchanged", _judged_table(ws, before))
    account = Account(found.name, year, fingerprint, version, ws.states, ws.profile)
    account.inputs = [{"table": n, "fingerprint": a.fingerprint if a else None} for n, a in parents.items()]
    frames = {name: ws.scan("tables", name, year) for name in found.inputs}
    missing = [name for name, frame in frames.items() if frame is None]
    if missing:
        account.owed = [o for n in missing if (a := parents[n]) is not None for o in a.owed]
        ws.write_account("tables", account)
        return Outcome("owed", account)
    frame, notes = found.compute(**{n: f.collect() for n, f in frames.items() if f is not None}, year=year)
    gate_table(frame, found.model, found.name, rows=True)
    account.notes = dict(notes)
    return Outcome("built", ws.write("tables", frame, account, inspect=table_judge(account)))


def input_frames(ws: Workspace, entry: Entry, year: int) -> dict[str, Any]:
    """The arguments of a predictor's `estimate` or `explain`: its tables as LazyFrames (None if owed)."""
    return {name: ws.scan("tables", name, year) for name in entry.inputs}


def refresh_estimates(ws: Workspace, key: str, year: int) -> Outcome:
    """Bring `estimates/<predictor>/<year>.parquet` up to date; always a whole, gated set, with nulls where owed."""
    entry = entry_of(ws, key, year)
    if entry.estimate is None:
        raise KeyError(f"{key} is not built yet")
    predictor = entry.predictor
    fingerprint, parents = _made_from(ws, key, year)
    before = ws.account("estimates", key, year)
    fresh = before is not None and estimates_are_fresh(ws, key, year)
    if before is not None and fresh and is_judged(ws, "estimates", key, year):
        return Outcome("unchanged", before)
    spine = ws.scan("tables", "spine", year)
    if spine is None:
        raise InputError("the list of counties and places of the year is missing.", source="spine", file=str(year))
    universe = spine.collect()
    stored = ws.scan("estimates", key, year)
    if before is not None and fresh and stored is not None:
        judge_estimates(before, predictor, stored.collect(), universe, input_frames(ws, entry, year))
        ws.write_account("estimates", before)
        return Outcome("unchanged", before)
    frames = input_frames(ws, entry, year)
    owed = frozenset(name for name, frame in frames.items() if frame is None)
    arguments: dict[str, Any] = dict(frames)
    if "year" in _parameters(entry):
        arguments["year"] = year
    computed = entry.estimate(**arguments)
    whole = complete(computed, predictor, year, universe, owed=owed)
    try:
        gated = gate(
            whole,
            name=f"estimates of {key} {year}",
            expected_keys=expected_keys(predictor, year, universe),
            limits=predictor.limits(),
        )
    except GateError as error:
        raise diagnose(error, predictor, whole, universe, year) from error
    account = Account(key, year, fingerprint, code_version(entry.estimate.__module__), ws.states, ws.profile)
    account.inputs = [{"table": n, "fingerprint": a.fingerprint if a else None} for n, a in parents.items()]
    account.owed = [o for a in parents.values() if a is not None for o in a.owed]
    account.notes = _tallies(gated) | {SPREAD: spread(gated)}
    if (substitute := stands_in(ws, key, year)) is not None:
        account.notes[NOTE] = substitute.name
    judge_estimates(account, predictor, gated, universe, frames)
    account.content_hash = canonical_hash(gated)
    return Outcome("built", ws.write("estimates", gated, account))


def _made_from(ws: Workspace, key: str, year: int) -> tuple[str, dict[str, Account | None]]:
    """Fingerprint of a predictor's estimates as they would be made now, and the accounts of the tables behind them."""
    entry = entry_of(ws, key, year)
    assert entry.estimate is not None
    parents = {name: ws.account("tables", name, year) for name in sorted({*entry.inputs, "spine"})}
    made_from = {n: a.fingerprint if a is not None and a.present else None for n, a in parents.items()}
    return digest(key, year, code_version(entry.estimate.__module__), made_from, ws.states), parents


def _parameters(entry: Entry) -> Mapping[str, object]:
    return inspect.signature(entry.estimate).parameters if entry.estimate else {}


def _tallies(frame: pl.DataFrame) -> dict[str, Any]:
    """Counts for the account: quality flags and reasons per metric and level."""
    quality = frame.group_by("metric", "level", "sample", "quality").len().sort("metric", "level", "sample", "quality")
    reasons = (
        frame.filter(pl.col("reason").is_not_null())
        .group_by("metric", "level", "sample", "reason", missing=pl.col("value").is_null())
        .len()
        .sort("metric", "level", "sample", "reason")
    )
    zero_width = (
        frame.filter((pl.col("lb") == pl.col("ub")) & pl.col("value").is_not_null())
        .group_by("metric", "level", "sample", "subgroup_type", "subgroup")
        .agg(
            pl.len(),
            pl.concat_str("state", "geo").sort().head(_LISTED).str.join(", ").alias("areas"),
        )
        .sort("metric", "level", "sample", "subgroup_type", "subgroup")
    )
    return {
        "quality": quality.to_dicts(),
        "reasons": reasons.to_dicts(),
        "zero_width_intervals": int(zero_width["len"].sum()),
        "zero_width": zero_width.to_dicts(),
    }
