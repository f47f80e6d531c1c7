"""Collecting what is known about one published figure: the estimate, its inputs, its files, its checks."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import polars as pl

from metrics.explanation import Cell, Decision, Explanation
from metrics.predictor import Entry
from outputs.suppress import REASON as REVIEWED
from outputs.suppress import for_release, suppressions
from pipelines.engine import estimates_are_fresh, input_frames
from pipelines.horizon import catalog
from pipelines.judge import findings_of
from pipelines.release import last_release, provenance
from pipelines.sample import prepare
from pipelines.settings import Settings
from pipelines.substitutes import entry_as_made
from pipelines.workspace import Account, Workspace
from schemas.errors import MobilityError
from schemas.estimate import KEY
from schemas.labels import ALL
from sources.framework.states import BY_POSTAL


@dataclass(frozen=True)
class Figure:
    """What `outputs.explain.account` is told: the row of the estimate, its explanation, and facts around them."""

    row: dict[str, Any]
    explanation: Explanation
    facts: dict[str, Any]


_STATE_FILE = re.compile(r"(.*?)([a-z]{2})((?:\.[a-z0-9]+)+)")
"""Name of a file of one state: whatever stands before its postal code, and the endings after it."""


class TraceError(MobilityError):
    """The figure asked for does not exist or is not named clearly enough."""


def _entry(metric: str) -> Entry:
    for entry in catalog().values():
        if any(m.column == metric for m in entry.predictor.metrics):
            return entry
    base = metric
    for suffix in ("_quality", "_lb", "_ub"):
        base = base.removesuffix(suffix)
    if base != metric:
        return _entry(base)
    names = sorted(m.column for e in catalog().values() for m in e.predictor.metrics)
    near = get_close_matches(metric, names, n=5, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}."
    raise TraceError(f"no metric {metric!r}; {meant}")


def split_geoid(geoid: str) -> tuple[str, str, str]:
    """(level, state, geo) of a GEOID with 5 (county) or 7 (place) digits."""
    if not geoid.isdigit() or len(geoid) not in (5, 7):
        raise TraceError(f"{geoid!r} is not a GEOID: a county has 5 digits, a place 7 (leading zeros kept).")
    return ("county" if len(geoid) == 5 else "place"), geoid[:2], geoid[2:]


def trace_figure(
    settings: Settings,
    geoid: str,
    year: int,
    metric: str,
    *,
    subgroup_type: str | None,
    subgroup: str | None,
    sample: str | None,
) -> Figure:
    """The figure with everything known about it. Raises `TraceError` if it is not there or not named clearly."""
    settings = prepare(settings)
    ws = Workspace(settings)
    level, state, geo = split_geoid(geoid)
    entry = _entry(metric)
    predictor = entry.predictor
    metric = max((m.column for m in predictor.metrics if metric.startswith(m.column)), key=len)
    if not entry.built:
        raise TraceError(f"{predictor.key} is declared but not built yet.")
    entry = entry_as_made(ws, predictor.key, year)
    predictor = entry.predictor
    frame = ws.scan("estimates", predictor.key, year)
    if frame is None:
        have = ws.years("estimates", predictor.key)
        raise TraceError(
            f"{predictor.key} has no estimates for {year} in {ws.root}"
            + (f"; there are {', '.join(map(str, have))}." if have else "; run `mobility build` first.")
        )
    # What is withheld after review is withheld here, too.
    here = (
        for_release(frame)
        .filter(
            (pl.col("level") == level)
            & (pl.col("state") == state)
            & (pl.col("geo") == geo)
            & (pl.col("metric") == metric)
        )
        .collect()
    )
    if here.is_empty():
        raise TraceError(_why_not_there(ws, entry, level, geoid, metric, year))
    row = _choose(here, entry, year, subgroup_type, subgroup, sample)
    cell = Cell(**{k: row[k] for k in KEY})
    account = ws.account("estimates", predictor.key, year)
    assert account is not None
    series = next(
        s
        for s, place, kind, label, shown in predictor.cells(year)
        if (s.sample, place, kind, label, shown.column)
        == (row["sample"], row["level"], row["subgroup_type"], row["subgroup"], row["metric"])
    )
    frames = input_frames(ws, entry, year)
    owed = [t for t in series.tables if frames.get(t) is None]
    if entry.explain is None or owed:
        why = f"not worked out: tables owed, {', '.join(owed)}" if owed else "this predictor gives no account yet"
        explanation = Explanation(formula=why, recomputed=None, inputs=pl.DataFrame(), tables=series.tables)
    else:
        explanation = entry.explain(cell, year=year, **frames)
    if row["reason"] == REVIEWED:
        explanation = _withheld(explanation, geoid, row)
    others = {t for s in predictor.series for t in s.tables} - set(series.tables)
    tables = {(i["table"], year) for i in account.inputs if i["table"] not in others}
    lacking = [o for name, _ in sorted(tables) if (a := ws.account("tables", name, year)) is not None for o in a.owed]
    if owed:
        explanation = replace(explanation, notes=(*explanation.notes, *map(_owed, lacking)))
    files = _of_states([{**f, "file": f["name"]} for f in provenance(ws, tables)], state)
    facts = {
        "predictor": predictor,
        "name": _name(ws, level, state, geo, year),
        "provenance": files,
        "checks": [
            *_rules(ws, predictor.key, account, {i["table"] for i in account.inputs if i["table"] not in others}),
            {
                "name": "every file of the inputs is here",
                "passed": not lacking,
                "severity": "warn",
                "detail": "; ".join(f"{o['source']} {o['vintage']}: {', '.join(o['files'])}" for o in lacking),
            },
            {
                "name": "up to date",
                "passed": estimates_are_fresh(ws, predictor.key, year),
                "detail": f"code version {account.code_version}",
            },
        ],
        "deviations": [
            {"key": d.id, "kind": d.kind, "reference": d.reference, "ours": d.ours, "why": d.why, "effect": d.effect}
            for d in entry.deviations
            if d.touches(**{k: row[k] for k in ("year", "level", "state", "geo", "subgroup_type", "metric")})
        ],
        "release": last_release(ws) or "none yet with these estimates as they stand now",
        "synthetic": ws.profile == "sample",
        "code": {
            "version": account.code_version,
            "module": entry.estimate.__module__ if entry.estimate is not None else "",
            "built_at": account.built_at,
            "command": _command(geoid, row),
        },
    }
    return Figure(row, explanation, facts)


def _owed(note: dict[str, Any]) -> str:
    """What is owed, and how it is had."""
    files = ", ".join(note.get("files") or ["its files"])
    return f"Owed: {files} of {note['source']}, edition {note['vintage']}. {note.get('recipe') or ''}".strip()


def _withheld(explanation: Explanation, geoid: str, row: dict[str, Any]) -> Explanation:
    """The account of a figure that a person withheld: the inputs as they are, and who decided why."""
    listed = suppressions().filter(
        (pl.col("geoid") == geoid)
        & (pl.col("year") == row["year"])
        & (pl.col("level") == row["level"])
        & (pl.col("metric") == row["metric"])
        & pl.col("applies_to").is_in(["both", "release"])
    )
    decisions = [
        Decision(
            "review by a person",
            None,
            f"listed in outputs/suppressions.csv: {reason} {note}",
            f"the figure is withheld; it is looked at again by {expires} at the latest",
        )
        for reason, note, expires in listed.select("reason", "source_note", "expires").iter_rows()
    ]
    return replace(
        explanation,
        formula=f"withheld after review; the inputs alone give: {explanation.formula}",
        recomputed=None,
        decisions=(*explanation.decisions, *decisions),
    )


def _why_not_there(ws: Workspace, entry: Entry, level: str, geoid: str, metric: str, year: int) -> str:
    """Why a figure has no row: the area is none of that year (with those it may be), or the level is not published."""
    state, geo = geoid[:2], geoid[2:]
    areas = {y: spine for y in entry.predictor.years if (spine := ws.scan("tables", "spine", y)) is not None}
    here = pl.col("level").eq(level) & pl.col("state").eq(state)
    if year not in areas:
        return f"{geoid} has no {metric} in {year}."
    known = areas[year].filter(here).select("geo", "name").collect()
    if geo in known["geo"]:
        levels = sorted({place for _, place, _, _, shown in entry.predictor.cells(year) if shown.column == metric})
        return f"{metric} is not published for a {level} in {year}" + (
            f"; there are figures of each {' and each '.join(levels)}." if levels else "."
        )
    others = [str(y) for y, spine in areas.items() if spine.filter(here & pl.col("geo").eq(geo)).collect().height]
    if others:
        return f"{geoid} is not a {level} of {year}, but of {', '.join(others)}."
    if known.is_empty():
        return f"{geoid} is not a {level} of {year}: state {state} has none in this data root."
    near = known.sort((pl.col("geo").cast(pl.Int64) - int(geo)).abs(), "geo").head(5)
    meant = ", ".join(f"{state}{code} ({name})" for code, name in near.iter_rows())
    return f"{geoid} is not a {level} of {year} in this data root; near it are {meant}."


def _of_states(files: list[dict[str, Any]], state: str) -> list[dict[str, Any]]:
    """The files with the state of those that exist once per state (None: of the nation); those of `state` first."""
    patterns = [_STATE_FILE.fullmatch(f["name"].lower()) for f in files]
    families = Counter((f["source"], f["vintage"], p[1], p[3]) for f, p in zip(files, patterns, strict=True) if p)
    for file, p in zip(files, patterns, strict=True):
        several = p is not None and families[file["source"], file["vintage"], p[1], p[3]] > 1
        found = BY_POSTAL.get(p[2].upper()) if p is not None and several else None
        file["state"] = None if found is None else found.fips
    return sorted(files, key=lambda f: (f["source"], f["vintage"], f["state"] not in (None, state)))


def _rules(ws: Workspace, key: str, account: Account, tables: set[str]) -> list[dict[str, Any]]:
    """What the rules said of the estimates of the year and of the tables behind them, broken ones first."""
    asked = [(f"estimates of {key} {account.year}", account)]
    for name in sorted(tables):
        behind = ws.account("tables", name, account.year)
        if behind is not None and behind.present:
            asked.append((f"table {name} {account.year}", behind))
    found = [
        {
            "name": f"{f.id} {f.title}",
            "passed": f.passed,
            "severity": f.severity,
            "of": of,
            "rows": f.checked,
            "detail": "; ".join(
                [*([] if f.passed else [f"{f.failing:,} of {f.checked:,} rows"]), *([f.note] if f.note else [])]
            ),
        }
        for of, made in asked
        for f in findings_of(made)
    ]
    return sorted(found, key=lambda f: f["passed"])


def _command(geoid: str, row: dict[str, Any]) -> str:
    """The command that gives this very account (on the same data root)."""
    parts = ["mobility", "trace", geoid, str(row["year"]), str(row["metric"])]
    if row["subgroup_type"] != "all":
        parts += ["--subgroup-type", str(row["subgroup_type"]), "--subgroup", str(row["subgroup"])]
    return shlex.join([*parts, "--sample", str(row["sample"])])


def _name(ws: Workspace, level: str, state: str, geo: str, year: int) -> str:
    spine = ws.scan("tables", "spine", year)
    if spine is None:
        return f"{state}{geo}"
    here = spine.filter((pl.col("level") == level) & (pl.col("state") == state) & (pl.col("geo") == geo)).collect()
    return f"{here['name'][0]}, {here['state_name'][0]}" if here.height else f"{state}{geo}"


def _choose(
    here: pl.DataFrame, entry: Entry, year: int, subgroup_type: str | None, subgroup: str | None, sample: str | None
) -> dict[str, Any]:
    """The one row that is meant; an error that lists the choices if there is not exactly one."""
    if subgroup is None and subgroup_type in (None, "all"):
        chosen = here.filter(pl.col("subgroup") == ALL)
        if sample is None:
            overall = [s.sample for s in entry.predictor.series if s.overall and year in s.years]
            if preferred := [s for s in overall if s in chosen["sample"].to_list()]:
                chosen = chosen.filter(pl.col("sample") == preferred[0])
    else:
        chosen = here
        if subgroup_type is not None:
            chosen = chosen.filter(pl.col("subgroup_type") == subgroup_type)
        if subgroup is not None:
            chosen = chosen.filter(pl.col("subgroup") == subgroup)
    if sample is not None:
        chosen = chosen.filter(pl.col("sample") == sample)
    if chosen.height != 1:
        of_type = here.filter(pl.col("subgroup_type") == subgroup_type) if subgroup_type is not None else here
        listed = chosen if chosen.height else of_type if of_type.height else here
        choices = [
            f"--subgroup-type {r['subgroup_type']} --subgroup {r['subgroup']!r} --sample {r['sample']}"
            for r in listed.iter_rows(named=True)
        ]
        problem = "nothing fits" if chosen.is_empty() else "more than one figure fits"
        raise TraceError(f"{problem}; choose one of:\n  " + "\n  ".join(choices))
    return chosen.row(0, named=True)
