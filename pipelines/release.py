"""Publishing what lies in the data root: gathers estimates, lists of geographies and provenance for `outputs`."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from outputs import calibration
from outputs.about import SYNTHETIC_NOTICE, InputFile, Lineage, OwedFile, ReleaseMeta, SourceNote
from outputs.deliver import manifest_of
from outputs.explorer import write_explorer
from outputs.files import Layout
from outputs.promote import CANDIDATES, PUBLISHED, discard, promote
from outputs.release import ReleaseReport, publish, report_of
from outputs.rules.report import REPORT_TEXT, GateFailedError
from pipelines.calibrate import published_figures
from pipelines.code_version import code_version
from pipelines.gate import gate_facts, report_folder
from pipelines.horizon import catalog
from pipelines.regions import connecticut_regions
from pipelines.substitutes import entries_as_made
from pipelines.workspace import Workspace, digest
from schemas.errors import MobilityError
from sources.registry import all_sources


class NothingToPublishError(MobilityError):
    """No estimates of this scope."""


def provenance(ws: Workspace, tables: set[tuple[str, int]]) -> list[dict[str, Any]]:
    """The raw files behind these (table, year) pairs, once each, with the terms of their source."""
    files: dict[tuple[str, str, str], dict[str, Any]] = {}
    queue = sorted(tables)
    seen = set(queue)
    while queue:
        name, year = queue.pop()
        account = ws.account("tables", name, year)
        for item in account.inputs if account else []:
            if "table" in item:
                if (parent := (item["table"], year)) not in seen:
                    seen.add(parent)
                    queue.append(parent)
                continue
            source = all_sources()[item["source"]]
            record = {
                k: item.get(k) for k in ("source", "vintage", "name", "sha256", "bytes", "how", "url", "retrieved_at")
            }
            record |= {
                "agency": source.agency,
                "dataset": source.dataset,
                "citation": source.citation,
                "licence": source.licence,
                "redistribute": source.redistribute,
            }
            files[(item["source"], item["vintage"], item["name"])] = record
    return [files[key] for key in sorted(files)]


def lineage_of(ws: Workspace, key: str, year: int) -> Lineage:
    """What a predictor's estimates of a year were made from: the code from reader to estimate, and the source files."""
    account = ws.account("estimates", key, year)
    assert account is not None
    versions = {key: account.code_version}
    files: set[tuple[str, str, str, str]] = set()
    queue = [item["table"] for item in account.inputs]
    while queue:
        name = queue.pop()
        if name in versions or (made := ws.account("tables", name, year)) is None:
            continue
        versions[name] = made.code_version
        for item in made.inputs:
            if "table" in item:
                queue.append(item["table"])
            else:
                files.add((item["source"], item["vintage"], item["name"], item["sha256"]))
    return Lineage(key, year, digest(versions), tuple(sorted(files)))


def owed_files(ws: Workspace, made: dict[str, list[int]]) -> tuple[OwedFile, ...]:
    """Source files that these estimates (predictor -> years) lack, each once with the years it is needed for."""
    years: dict[tuple[str, str, str], set[int]] = {}
    for key, its_years in made.items():
        for year in its_years:
            account = ws.account("estimates", key, year)
            for item in account.owed if account is not None else []:
                years.setdefault((item["source"], item["vintage"], item["recipe"]), set()).add(year)
    return tuple(OwedFile(*what, years=tuple(sorted(years[what]))) for what in sorted(years))


def _state(ws: Workspace, *, candidate: bool = False) -> Path:
    return ws.settings.state_root / ("last_candidate.json" if candidate else "last_release.json")


def _remembered(ws: Workspace, *, candidate: bool) -> dict[str, str]:
    """Which release was made from what, as this state folder remembers it."""
    file = _state(ws, candidate=candidate)
    if not file.exists():
        return {}
    recorded: dict[str, str] = json.loads(file.read_text())
    return recorded


def ingredients(ws: Workspace) -> str:
    """A hash of everything a release of this data root would be made from."""
    entries = entries_as_made(ws)
    accounts = {
        f"{key} {year}": (account.fingerprint, account.content_hash)
        for key, entry in entries.items()
        if entry.built
        for year in ws.years("estimates", key)
        if (account := ws.account("estimates", key, year)) is not None
    }
    declared = [repr(entry.predictor) for entry in entries.values()]
    sources = [repr(source) for source in all_sources().values()]
    return digest(accounts, declared, sources, code_version(__name__), ws.states, ws.profile, layouts_of(ws))


def release_name(ws: Workspace) -> str | None:
    """The latest release's name."""
    latest = ws.root / "published" / "LATEST"
    return latest.read_text().strip() if latest.exists() else None


def last_release(ws: Workspace) -> str | None:
    """The latest release, if it was made from just what lies in the data root now; else None."""
    name = release_name(ws)
    if name is None or not (ws.root / PUBLISHED / name / "SHA256SUMS").exists():
        return None
    recorded = _remembered(ws, candidate=False)
    return name if recorded == {"name": name, "ingredients": ingredients(ws)} else None


def last_candidate(ws: Workspace) -> str | None:
    """The newest candidate, if it was made from just what lies in the data root now; else None."""
    recorded = _remembered(ws, candidate=True)
    name = recorded.get("name")
    if name is None or manifest_of(ws.root / CANDIDATES, name) is None:
        return None
    return name if recorded.get("ingredients") == ingredients(ws) else None


def promote_release(ws: Workspace, name: str) -> str | None:
    """Make a candidate the latest release (see `outputs.promote.promote`); returns the one before."""
    before = promote(ws.root, name)
    recorded = _remembered(ws, candidate=True)
    if recorded.get("name") == name:
        _state(ws).write_text(json.dumps(recorded))
        _state(ws, candidate=True).unlink(missing_ok=True)
    return before


def left_out(ws: Workspace) -> dict[str, list[int]]:
    """Estimates that lie in the data root but belong to another choice of states: predictor -> years."""
    others: dict[str, list[int]] = {}
    for key in catalog():
        folder = ws.root / "estimates" / key
        years = sorted(int(f.stem) for f in folder.glob("*.json")) if folder.exists() else []
        if foreign := [y for y in years if ws.account("estimates", key, y) is None]:
            others[key] = foreign
    return others


class RefusedError(GateFailedError):
    """The release gate refused the release; `folder` has the whole report."""

    def __init__(self, refused: GateFailedError, folder: Path) -> None:
        super().__init__(refused.report, refused.release)
        self.folder = folder
        self.args = (f"{refused} All failing rows, rule by rule: {folder / REPORT_TEXT}",)


def layouts_of(ws: Workspace) -> tuple[Layout, ...]:
    """The layouts a release is written in: always our own, and the reference's if the settings ask for it."""
    return ("clean", "reference") if ws.settings.layout == "reference" else ("clean",)


def publish_release(ws: Workspace, name: str | None = None, *, candidate: bool = False) -> ReleaseReport:
    """Publish every estimate of the data root that was made for this profile and these states.

    A candidate is the same release in `<data>/candidates`, and `LATEST` does not move; if the very same release is
    published already, there is no candidate, and the report is about the published one. Nothing is written if the
    latest release was made from just what lies in the data root now.
    Raises `RefusedError` if a blocking rule of the gate is broken; the last good release stays as it is.
    """
    if name is None and (there := last_release(ws)) is not None:
        return report_of(ws.root / PUBLISHED, there)
    estimates: dict[str, list[str]] = {}
    tables: set[tuple[str, int]] = set()
    versions: dict[str, str] = {}
    made: dict[str, list[int]] = {}
    entries = entries_as_made(ws)
    for key, entry in entries.items():
        if not entry.built:
            continue
        for year in ws.years("estimates", key):
            account = ws.account("estimates", key, year)
            assert account is not None
            estimates.setdefault(key, []).append(str(ws.path("estimates", key, year)))
            made.setdefault(key, []).append(year)
            tables |= {(i["table"], year) for i in account.inputs}
            versions[key] = account.code_version
    if not estimates:
        raise NothingToPublishError("there are no estimates to publish; run `mobility build` first.")
    spines = {
        year: frame.collect()
        for year in ws.years("tables", "spine")
        if (frame := ws.scan("tables", "spine", year)) is not None
    }
    names = {s.key: s for s in all_sources().values()}
    notes = {
        key: SourceNote(key, s.agency, s.dataset, s.citation, s.licence, s.redistribute, s.landing_page)
        for key, s in names.items()
    }
    inputs = tuple(
        InputFile(f["source"], f["vintage"], f["name"], f["sha256"], f["licence"], f["url"], f["retrieved_at"])
        for f in provenance(ws, tables)
    )
    meta = ReleaseMeta(
        profile=ws.profile,
        code_version=digest(versions),
        synthetic=ws.profile == "sample",
        states=tuple(ws.states) if ws.states is not None and ws.profile == "live" else None,
        inputs=inputs,
        sources=notes,
        lineage=tuple(lineage_of(ws, key, year) for key, its_years in made.items() for year in its_years),
        owed=owed_files(ws, made),
    )
    try:
        report = publish(
            {key: [str(path) for path in paths] for key, paths in estimates.items()},
            spines,
            ws.root / (CANDIDATES if candidate else PUBLISHED),
            meta,
            name=name,
            latest=not candidate,
            previous_root=ws.root / PUBLISHED,
            entries=entries,
            layouts=layouts_of(ws),
            facts=gate_facts(ws, {key: ws.years("estimates", key) for key in estimates}),
            extras=(
                partial(write_explorer, meta=meta, entries=entries, regions=connecticut_regions(ws.retrieval())),
                calibration.report(entries, published_figures(ws), notice=SYNTHETIC_NOTICE if meta.synthetic else ""),
            ),
            scratch=ws.scratch,
        )
    except GateFailedError as refused:
        raise RefusedError(refused, report_folder(ws)) from refused
    made_from = json.dumps({"name": report.name, "ingredients": ingredients(ws)})
    if candidate:
        standing = manifest_of(ws.root / PUBLISHED, report.name)
        if standing is not None and standing["content"] == report.content:
            discard(ws.root, report.name)
            report = replace(report, path=str(ws.root / PUBLISHED / report.name), reused=True)
            candidate = release_name(ws) != report.name
    _state(ws, candidate=candidate).write_text(made_from)
    return report
