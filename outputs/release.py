"""Publishing: all files of a release, written beside, checked, renamed; `LATEST` last. A reader never sees half of it.

    <root>/<release>/csv/11_mobility-metrics_county_longitudinal.csv ...
    <root>/<release>/parquet/11_mobility-metrics_county_longitudinal.parquet ...
    <root>/<release>/reference/{csv,parquet}/...      only if the reference layout is asked for
    <root>/<release>/{estimates.parquet, estimates/<year>.parquet, estimates.csv.gz}
    <root>/<release>/{medians, revisions, comparability, suppressions, sources, lineage, data_dictionary}.*
    <root>/<release>/{README.md, RELEASE_NOTES.md, data_dictionary.html, datapackage.json, croissant.json,
                      mobility.duckdb, gate_report.{json,md}, release.json, SHA256SUMS}
    <root>/LATEST                                      one line: the release's name

The same inputs give the same bytes, but for `mobility.duckdb` (the same rows, see `outputs.database.content_hashes`),
the times in `release.json`, and the lines of these two in `SHA256SUMS`; `gate_report` also follows from the release
before, with which it compares.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
from upath import UPath

from metrics.catalog import catalog
from metrics.predictor import Entry
from outputs import check, suppress
from outputs.about import SCHEMA_VERSION, SYNTHETIC_NOTICE, ReleaseMeta
from outputs.croissant import croissant
from outputs.database import WIDE_SCHEMA, row_counts, write_database
from outputs.datapackage import datapackage
from outputs.deliver import (
    LATEST,
    MANIFEST,
    SUMS,
    checksums,
    deliver,
    drafting,
    local,
    manifest_of,
    write_line,
)
from outputs.dictionary import COLUMNS, Written, dictionary, name_of, years_with_values
from outputs.files import FILES, Layout, PublishedFile, choices, is_written, metrics_by_column
from outputs.lineage import lineage
from outputs.long import LONG, Estimates, LongFiles, long_years, parquet_row_sum, scan, text_hash
from outputs.papers import coverage_of, covered, dictionary_page, example_of, readme, release_notes
from outputs.revisions import previous_release
from outputs.rules.context import Before, ReleaseContext, WideFile
from outputs.rules.report import GateFailedError, GateReport, run_gate
from outputs.sides import Sides, write_sides
from outputs.tables import SideTable
from outputs.wide import assemble, universe
from outputs.write import csv_text, write_csv, write_parquet
from schemas.errors import MobilityError
from schemas.labels import LEVELS, Level

DATABASE: Final = "mobility.duckdb"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _now() -> datetime:
    return datetime.now(UTC)


class ReleaseError(MobilityError):
    """A release cannot be published: it failed its checks, or its name is taken by another one."""


@dataclass(frozen=True)
class ReleaseReport:
    """What was published. `rows` counts the rows per file; `reused` is true if the very same release was there.

    `gate` has the results of all rules; None if the release was there already (its `gate_report.json` has them).
    """

    name: str
    path: str
    content: str
    rows: dict[str, int]
    checks: tuple[str, ...]
    reused: bool
    gate: GateReport | None
    not_built: tuple[str, ...]
    without_values: tuple[str, ...]


@dataclass(frozen=True)
class GateFacts:
    """What the gate cannot see in finished files.

    `stale`: predictor and year of figures that were not made again from the present inputs. `balance`: the survey's
    weight before and after allocation (year, table, state, before, after). `controls`: the people of the survey's files
    beside the published totals they are weighted to (year, table, state, weighted, control). `tell` is called with the
    report and the release's name, whatever the verdict, before a failing gate raises.
    """

    stale: tuple[tuple[str, int], ...] = ()
    balance: pl.DataFrame | None = None
    controls: pl.DataFrame | None = None
    tell: Callable[[GateReport, str], None] = lambda _report, _name: None


@dataclass
class _Draft:
    """A release while it is being made, in a folder no reader looks into."""

    folder: Path
    meta: ReleaseMeta
    entries: Mapping[str, Entry]
    included: frozenset[str]
    spines: Mapping[int, pl.DataFrame]
    layouts: tuple[Layout, ...]
    previous_root: Path | UPath
    name: str = ""
    content: str = ""
    written: list[Written] = field(default_factory=list)
    paths: dict[str, tuple[str, str]] = field(default_factory=dict)
    without_values: list[str] = field(default_factory=list)
    sides: Sides | None = None
    sums: dict[str, tuple[int, str]] = field(default_factory=dict)
    long: LongFiles = field(init=False)

    def __post_init__(self) -> None:
        self.long = LongFiles(
            self.folder / "estimates.csv.gz", self.folder / "estimates.parquet", self.folder / "estimates"
        )

    @property
    def here(self) -> dict[str, Entry]:
        """The predictors of the release, in the catalog's order."""
        return {key: entry for key, entry in self.entries.items() if key in self.included}

    @property
    def metadata(self) -> dict[str, str]:
        """Key/value metadata of the Parquet files."""
        return {
            "release": self.name,
            "synthetic": str(self.meta.synthetic).lower(),
            "notice": SYNTHETIC_NOTICE if self.meta.synthetic else "",
            "states": "all" if self.meta.states is None else " ".join(self.meta.states),
            "schema_version": SCHEMA_VERSION,
            "content": self.content,
        }


def publish(
    estimates: Estimates,
    spines: Mapping[int, pl.DataFrame],
    out_root: Path | UPath,
    meta: ReleaseMeta,
    *,
    name: str | None = None,
    layouts: Sequence[Layout] = ("clean",),
    entries: Mapping[str, Entry] | None = None,
    extras: Sequence[Callable[[Path], Sequence[SideTable] | None]] = (),
    facts: GateFacts | None = None,
    latest: bool = True,
    scratch: Path | None = None,
    previous_root: Path | UPath | None = None,
    now: Callable[[], datetime] = _now,
) -> ReleaseReport:
    """Publish a release under `out_root` (a local folder or an `s3://` path) and point `LATEST` to it.

    `estimates` maps predictors to their Parquet files (or lazy frames) of `Estimate` columns, or is one lazy frame of
    all; they have passed their gate. `spines` maps each data year to its spine. `entries` is the catalog. `extras` are
    called with the draft's folder before it is checked and sealed, to add files (explorer, calibration); tables among
    them that they return are described for programs. `facts` are what the gate cannot see in files. `latest` false
    leaves `LATEST` alone, for a candidate. `scratch` is where a remote release is drafted. The release is compared with
    the earlier one under `previous_root` (default: `out_root`).

    Without a `name`, the release is called by a hash of its content (estimates, spines, declarations, layouts, code),
    after `SYNTHETIC-` if its figures are generated and `partial-` if it covers some states only; the same inputs give
    the same name. A given name gets these marks too, unless it has them. Publishing the same content again writes
    nothing but `LATEST`; other content under a name that is taken is refused.

    Raises `GateFailedError` if a blocking rule is broken, `ReleaseError` if files do not hold what was written to them;
    the releases that are there, and `LATEST`, stay as they are.
    """
    root = local(out_root)
    if "clean" not in layouts:
        raise ReleaseError("a release always has the clean layout; `layouts` may add the reference layout to it")
    entries = catalog() if entries is None else entries
    frame, named = scan(estimates)
    included = _owners(frame, entries) if named is None else named
    if unknown := sorted(included - set(entries)):
        raise ReleaseError(f"the catalog does not know {', '.join(unknown)}")
    here = {key: entry for key, entry in entries.items() if key in included}
    _refuse("the estimates cannot be published", {"estimates": check.check_estimates(frame, spines, here)})

    with drafting(root, scratch) as folder:
        draft = _Draft(folder, meta, entries, included, spines, tuple(layouts), previous_root or out_root)
        ours = suppress.for_release(frame)
        draft.long.write(long_years(ours, spines, draft.here))
        draft.content = _content(draft)
        draft.name = _marked(name or draft.content[:12], meta)
        reused = _is_there(root, draft)
        draft.long.close(draft.metadata)
        if not reused:
            _write_wide(draft, frame)
            table = _write_tables(draft)
            _describe(draft, [added for extra in extras for added in extra(folder) or ()])
            _verify(draft, ours)
            created = now()
            gate = _pass_gate(draft, frame, table, facts or GateFacts(), created)
            _write_papers(draft, table, gate)
            _seal(draft, gate, created)
            deliver(folder, root, draft.name)
        if latest:
            write_line(root, LATEST, draft.name)
        return report_of(root, draft.name, gate=None if reused else gate)


def _owners(frame: pl.LazyFrame, entries: Mapping[str, Entry]) -> frozenset[str]:
    """The predictors whose metrics are in the frame; unknown metrics are found by the checks."""
    declared = metrics_by_column(entries)
    there = frame.select("metric").unique().collect(engine="streaming")["metric"]
    return frozenset(declared[m][0].key for m in there if m in declared)


def _refuse(what: str, findings: Mapping[str, list[str]]) -> None:
    lines = [f"{name}: {problem}" for name, problems in findings.items() for problem in problems]
    if lines:
        more = f" (and {len(lines) - 20} more)" if len(lines) > 20 else ""
        raise ReleaseError(f"{what}: " + "; ".join(lines[:20]) + more)


def _content(draft: _Draft) -> str:
    """Hash of everything the release follows from: two releases with the same hash say the same."""
    digest = hashlib.sha256(draft.long.text_sha256.encode())
    meta = draft.meta
    for level in LEVELS:
        digest.update(csv_text(universe(draft.spines, level)))
    said = [
        asdict(meta) | {"inputs": [], "sources": {k: asdict(v) for k, v in sorted(meta.sources.items())}, "lineage": []}
    ]
    said += [asdict(entry.predictor) | {"built": entry.built} for entry in draft.entries.values()]
    facts = {"said": said, "included": sorted(draft.included), "layouts": draft.layouts, "schema": SCHEMA_VERSION}
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    # What it was made from belongs to the release; when a file was retrieved does not make it another one.
    digest.update(csv_text(lineage(meta, draft.here)))
    # A change of the publishing code is a change of content, even if the version of the code was not raised.
    here = Path(__file__).parent
    for source in sorted(p for form in ("*.py", "*.csv", "*.html", "*.js", "*.css") for p in here.rglob(form)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _marked(name: str, meta: ReleaseMeta) -> str:
    """The release's name with the marks that its data ask for."""
    if not _NAME.fullmatch(name):
        raise ReleaseError(f"{name!r} is no name for a release: letters, digits, dot, dash and underscore only")
    if meta.states is not None and "partial-" not in name:
        name = f"partial-{name}"
    if meta.synthetic and not name.startswith("SYNTHETIC-"):
        name = f"SYNTHETIC-{name}"
    return name


# --- Writing the draft ----------------------------------------------------------------------------------------------


def _as_theirs(draft: _Draft, raw: pl.LazyFrame, file: PublishedFile) -> pl.LazyFrame:
    """The estimates that a file of the reference layout needs, with the reference's suppressions."""
    metrics = choices(file, draft.here)["metric"].unique().to_list()
    needed = raw.filter((pl.col("level") == file.level) & pl.col("metric").is_in(metrics))
    return suppress.for_reference(needed, file.number)


def _write_wide(draft: _Draft, raw: pl.LazyFrame) -> None:
    """The wide files of each layout, as CSV and Parquet. Files without any value in this release are left out.

    The clean files are made from the long file, which has our suppressions and is quick to read.
    """
    ours = pl.scan_parquet(draft.long.parquet)
    places: dict[Level, pl.DataFrame] = {level: universe(draft.spines, level) for level in LEVELS}
    for layout in draft.layouts:
        base = "" if layout == "clean" else f"{layout}/"
        for form in ("csv", "parquet"):
            (draft.folder / base / form).mkdir(parents=True)
        for file in FILES:
            if not is_written(file, draft.here):
                continue
            estimates = ours if layout == "clean" else _as_theirs(draft, raw, file)
            wide = assemble(file, estimates, places[file.level], draft.here, layout=layout)
            frame = wide.frame
            name = name_of(file, layout)
            if frame.is_empty():
                draft.without_values.append(name)
                continue
            csv, parquet = f"{base}csv/{file.stem}.csv", f"{base}parquet/{file.stem}.parquet"
            write_csv(frame, draft.folder / csv)
            write_parquet(frame, draft.folder / parquet, draft.metadata | {"file": file.stem, "layout": layout})
            draft.written.append(Written(file, layout, wide.columns, years_with_values(frame), frame.height))
            draft.paths[name] = (csv, parquet)


def _write_tables(draft: _Draft) -> pl.DataFrame:
    """Plain tables, dictionary and database; returns the dictionary."""
    draft.sides = sides = write_sides(
        draft.folder,
        name=draft.name,
        root=draft.previous_root,
        spines=draft.spines,
        entries=draft.here,
        meta=draft.meta,
        metadata=draft.metadata,
    )
    table = dictionary(
        draft.entries, draft.included, draft.written, draft.meta, layouts=draft.layouts, tables=sides.tables
    )
    write_csv(table, draft.folder / "data_dictionary.csv")
    rules = suppress.suppressions()
    if "reference" not in draft.layouts:
        rules = rules.filter(pl.col("applies_to").is_in(["both", "release"]))
    write_csv(rules, draft.folder / "suppressions.csv")
    draft.sums = {path: (size, sha256) for path, size, sha256 in checksums(draft.folder)}
    write_database(
        draft.folder / DATABASE,
        release=draft.name,
        long_parquet=draft.long.parquet,
        dictionary=table,
        suppressions=rules,
        wide=[(w, draft.folder / draft.paths[w.name][1]) for w in draft.written if w.layout == "clean"],
        spines=draft.spines,
        entries=draft.here,
        meta=draft.meta,
        tables=sides.tables,
    )
    return table


def _describe(draft: _Draft, added: Sequence[SideTable]) -> None:
    """The descriptions for programs: the files as they were written, and the tables that were added to them."""
    assert draft.sides is not None
    tables = [*draft.sides.tables, *added]
    paths = [path for table in added for path in table.paths]
    sums = draft.sums | {path: (size, sha256) for path, size, sha256 in checksums(draft.folder, paths)}
    package = datapackage(
        draft.name, draft.written, draft.paths, sums, entries=draft.here, meta=draft.meta, tables=tables
    )
    (draft.folder / "datapackage.json").write_text(package, encoding="utf-8")
    described = croissant(draft.name, draft.written, draft.paths, tables, sums, entries=draft.here, meta=draft.meta)
    (draft.folder / "croissant.json").write_text(described, encoding="utf-8")


# --- Checking it ----------------------------------------------------------------------------------------------------


def _verify(draft: _Draft, ours: pl.LazyFrame) -> None:
    """Long file and database hold what was written to them; else `ReleaseError`. The rest is asked by the gate."""
    findings = {"long files": _long_findings(draft, ours), "database": _database_findings(draft)}
    _refuse("the release fails its checks and is not published", findings)


def _pass_gate(
    draft: _Draft, raw: pl.LazyFrame, table: pl.DataFrame, facts: GateFacts, created: datetime
) -> GateReport:
    """Ask all rules of the draft and write their report into it; `GateFailedError` if a blocking one is broken."""
    columns_of = {w.name: [c.name for c in w.columns] for w in draft.written}
    columns_of |= {"estimates": list(LONG), "suppressions": list(suppress.SCHEMA), "data_dictionary": list(COLUMNS)}
    assert draft.sides is not None
    columns_of |= {side.name: list(side.types) for side in draft.sides.tables}
    context = ReleaseContext(
        folder=draft.folder,
        meta=draft.meta,
        entries=draft.here,
        catalog=draft.entries,
        spines=draft.spines,
        long=pl.scan_parquet(draft.long.parquet),
        raw=raw,
        wide=tuple(WideFile(w, *(draft.folder / path for path in draft.paths[w.name])) for w in draft.written),
        dictionary=table,
        suppressions=suppress.suppressions(),
        today=created.date(),
        before=_before(draft),
        stale=facts.stale,
        balance=facts.balance,
        controls=facts.controls,
        columns_of=columns_of,
    )
    report = run_gate(context)
    facts.tell(report, draft.name)
    if not report.passes:
        raise GateFailedError(report, draft.name)
    report.write(draft.folder, draft.name)
    return report


def _before(draft: _Draft) -> Before | None:
    """The release that this one is compared with: of the same kind and states, the latest if it is one."""
    folder = previous_release(draft.previous_root, draft.meta, but=draft.name)
    manifest = None if folder is None else manifest_of(folder.parent, folder.name)
    if folder is None or manifest is None:
        return None
    path = folder / "estimates.parquet"
    if isinstance(path, UPath):
        copy = draft.folder.parent / f"{draft.folder.name}.before.parquet"
        path.fs.get_file(path.path, str(copy))
        frame = pl.read_parquet(copy).lazy()
        copy.unlink()
        return Before(folder.name, manifest, frame)
    return Before(folder.name, manifest, pl.scan_parquet(path))


def _long_findings(draft: _Draft, ours: pl.LazyFrame) -> list[str]:
    long = draft.long
    found = []
    if text_hash(long.csv_gz) != long.text_sha256:
        found.append("estimates.csv.gz does not hold what was written to it")
    # The files of the years were read from estimates.parquet: if they hold what was written to it, so does it.
    if parquet_row_sum(sorted((draft.folder / "estimates").iterdir())) != long.row_sum:
        found.append("estimates.parquet or the files under estimates/ do not hold what was written to them")
    rows = ours.select(pl.len()).collect().item()
    if long.rows != rows:
        found.append(f"estimates.parquet has {long.rows} rows, the estimates have {rows}")
    return found


def _database_findings(draft: _Draft) -> list[str]:
    rows = row_counts(draft.folder / DATABASE)
    wanted = {"estimates": draft.long.rows}
    wanted |= {f"{WIDE_SCHEMA}.{w.file.stem}": w.rows for w in draft.written if w.layout == "clean"}
    return [f"{t} has {rows.get(t, 0)} rows, the file has {n}" for t, n in wanted.items() if rows.get(t) != n]


def _write_papers(draft: _Draft, table: pl.DataFrame, gate: GateReport) -> None:
    """The pages for people: dictionary, first page and release notes."""
    assert draft.sides is not None
    sides, meta, entries = draft.sides, draft.meta, draft.here
    long = pl.scan_parquet(draft.long.parquet)
    wide = {w.file.stem: w.file.title for w in draft.written if w.layout == "clean"}
    covers = covered(draft.spines, meta)
    notes = release_notes(
        draft.name,
        covers=covers,
        entries=entries,
        meta=meta,
        revisions=sides.revisions,
        breaks=sides.breaks,
        coverage=coverage_of(long),
        missing=_missing(long),
        suppressions=long.filter(pl.col("reason") == suppress.REASON).select(pl.len()).collect().item(),
        checks=gate.counts,
        warnings=[f"{r.rule.id}, {r.count:,} row{'s' * (r.count != 1)}: {r.rule.title}" for r in gate.of("warned")],
        without_values=draft.without_values,
    )
    pages = {
        "data_dictionary.html": dictionary_page(table, sides.breaks, entries, meta, draft.name),
        "README.md": readme(
            draft.name,
            meta,
            sides.tables,
            wide,
            {p.name for p in draft.folder.iterdir() if p.is_dir()},
            covers=covers,
            example=example_of(draft.spines, entries),
        ),
        "RELEASE_NOTES.md": notes,
    }
    for name, text in pages.items():
        (draft.folder / name).write_text(text, encoding="utf-8")


def _missing(long: pl.LazyFrame) -> dict[str, int]:
    """Missing figures by reason, the most frequent first."""
    reasons = (
        long.filter(pl.col("value").is_null())
        .group_by("reason")
        .len("figures")
        .sort("figures", "reason", descending=[True, False])
        .collect(engine="streaming")
    )
    return dict(reasons.iter_rows())


# --- Sealing it ------------------------------------------------------------------------------------------------------


def _seal(draft: _Draft, gate: GateReport, created: datetime) -> None:
    """Write `release.json` and `SHA256SUMS`."""
    meta = draft.meta
    ours = pl.scan_parquet(draft.long.parquet)
    predictors = (
        ours.group_by("predictor", "year")
        .agg(pl.len().alias("rows"), pl.col("value").is_not_null().sum().alias("values"))
        .collect(engine="streaming")
        .group_by("predictor")
        .agg(pl.col("rows", "values").sum(), pl.col("year").filter(pl.col("values") > 0).unique().sort().alias("years"))
        .sort("predictor")
    )
    files = list(checksums(draft.folder))
    manifest: dict[str, Any] = {
        "name": draft.name,
        "created_at": created.isoformat(timespec="seconds"),
        "notice": SYNTHETIC_NOTICE if meta.synthetic else None,
        "synthetic": meta.synthetic,
        "partial": meta.states is not None,
        "states": None if meta.states is None else list(meta.states),
        "covers": covered(draft.spines, meta),
        "profile": meta.profile,
        "code_version": meta.code_version,
        "schema_version": SCHEMA_VERSION,
        "content": draft.content,
        "layouts": list(draft.layouts),
        "predictors": predictors.rows(named=True),
        "not_built": [key for key, entry in draft.entries.items() if not entry.built],
        "files_without_values": draft.without_values,
        "missing_by_reason": _missing(ours),
        "compared_with": None if draft.sides is None else draft.sides.revisions.old,
        "gate": gate.counts,
        "checks_passed": [
            "long files",
            "database",
            "source files",
            "revisions",
            *(r.rule.id for r in gate.of("passed")),
        ],
        "rows": {"estimates": draft.long.rows} | {w.name: w.rows for w in draft.written},
        "inputs": [asdict(i) for i in meta.inputs],
        "files": [{"path": path, "bytes": size, "sha256": sha256} for path, size, sha256 in files],
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (draft.folder / MANIFEST).write_text(text, encoding="utf-8")
    sums = [*((path, sha256) for path, _, sha256 in files), (MANIFEST, hashlib.sha256(text.encode()).hexdigest())]
    lines = [f"{sha256}  {path}\n" for path, sha256 in sorted(sums)]
    (draft.folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _is_there(root: Path | UPath, draft: _Draft) -> bool:
    """Whether this very release is there already; `ReleaseError` if another one has its name."""
    manifest = manifest_of(root, draft.name)
    if manifest is not None and manifest["content"] == draft.content:
        return True
    # A folder without a manifest is the rest of a remote upload that broke off; it is written over.
    if manifest is not None or (not isinstance(root, UPath) and (root / draft.name).exists()):
        raise ReleaseError(f"a release {draft.name} with other content is there already; choose another name")
    return False


def report_of(root: Path | UPath, name: str, *, gate: GateReport | None = None) -> ReleaseReport:
    """The report about a release that is there; with `gate`, about one that has just been published."""
    manifest = manifest_of(root, name)
    if manifest is None:
        raise ReleaseError(f"the release {name} is not where it was put")
    return ReleaseReport(
        name=name,
        path=str(root / name),
        content=manifest["content"],
        rows=manifest["rows"],
        checks=tuple(manifest["checks_passed"]),
        reused=gate is None,
        gate=gate,
        not_built=tuple(manifest["not_built"]),
        without_values=tuple(manifest["files_without_values"]),
    )
