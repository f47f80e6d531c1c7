"""Dagster assets, made by three short loops: raw sources, tables, estimates; and the release at the end.

Raw sources are not materialized on their own: a table takes just the files it needs and reports them on the source's
page, with sha256, address and licence. Every asset but the release is partitioned by data year.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from metrics.predictor import PILLARS, Entry, Predictor
from metrics.review import Review
from pipelines import data_checks, drawings, gate_checks, pictures
from pipelines.code_version import code_version, module_of
from pipelines.derived import Derived, derived_tables
from pipelines.engine import SPREAD, Outcome, refresh_estimates, refresh_table
from pipelines.horizon import catalog
from pipelines.judge import MATCHES, findings_of
from pipelines.release import RefusedError, provenance, publish_release
from pipelines.substitutes import NOTE, entries_to_make
from pipelines.workspace import Account, Workspace
from schemas.errors import MobilityError
from schemas.estimate import DESCRIPTIONS, ESTIMATE
from sources.framework import Source, Table
from sources.registry import all_sources, all_tables

OWNERS = ["team:mobility-metrics"]


def all_years() -> list[int]:
    """Every data year of a built predictor or of a table."""
    years = {y for e in catalog().values() for y in e.predictor.years}
    return sorted(years | {y for t in all_tables().values() for y in t.years})


YEARS = dg.StaticPartitionsDefinition([str(y) for y in all_years()])
RELEASE = dg.AssetKey(["published", "release"])
CANDIDATE = dg.AssetKey(["published", "candidate"])


def raw_key(source: str) -> dg.AssetKey:
    """Asset key of a source."""
    return dg.AssetKey(["raw", source])


def table_key(name: str) -> dg.AssetKey:
    """Asset key of a table."""
    return dg.AssetKey(["tables", name])


def estimates_key(name: str) -> dg.AssetKey:
    """Asset key of a predictor's estimates."""
    return dg.AssetKey(["estimates", name])


def raw_spec(source: Source) -> dg.AssetSpec:
    """The page of a source: who makes it, under which terms, how it is obtained, which editions are known."""
    vintages = [
        {
            "vintage": v.key,
            "data years": ", ".join(map(str, v.data_years)),
            "published": v.published or "",
            "note": v.note,
        }
        for v in source.vintages
    ]
    return dg.AssetSpec(
        raw_key(source.key),
        partitions_def=YEARS,
        group_name="sources",
        description=f"{source.agency}: {source.dataset}\n\n{source.recipe}",
        owners=OWNERS,
        kinds={"file"},
        tags={"stage": "raw", "access": source.access.value},
        metadata={
            "agency": source.agency,
            "citation": source.citation,
            "licence": source.licence,
            "may be redistributed": source.redistribute,
            "landing page": dg.MetadataValue.url(source.landing_page),
            **({"vintages": rows} if (rows := pictures.records(vintages)) else {}),
        },
    )


def _report_raw_files(context: dg.AssetExecutionContext, outcome: Outcome) -> None:
    """Put the files a table was made from on the pages of their sources."""
    files: dict[str, list[dict[str, Any]]] = {}
    for file in outcome.account.inputs:
        if "sha256" in file:
            files.setdefault(file["source"], []).append(file)
    for source, used in files.items():
        shown = [{k: f[k] for k in ("vintage", "name", "bytes", "sha256", "how", "url", "retrieved_at")} for f in used]
        context.log_event(
            dg.AssetMaterialization(
                raw_key(source),
                partition=context.partition_key,
                metadata={
                    "files": pictures.records(shown) or "",
                    "synthetic": outcome.account.profile == "sample",
                    "licence": all_sources()[source].licence,
                },
                tags={"dagster/data_version": "-".join(sorted(f["sha256"][:12] for f in used))[:200]},
            )
        )


def _outcome_metadata(outcome: Outcome) -> dict[str, Any]:
    account = outcome.account
    metadata: dict[str, Any] = {
        "status": outcome.status,
        "dagster/partition_row_count": account.rows,
        "fingerprint": account.fingerprint,
        "built at": account.built_at,
        "synthetic": account.profile == "sample",
        "states": ", ".join(account.states) if account.states else "all",
    }
    if account.owed:
        metadata["owed"] = pictures.records(account.owed)
    inputs = [{k: v for k, v in i.items() if k != "path"} for i in account.inputs]
    if inputs:
        metadata["made from"] = pictures.records(inputs)
    return metadata


# Groups of tables by the module of `schemas` that holds their model, where its name does not say enough. Short: the
# graph shows sixteen letters of `tables_...`.
TABLE_GROUPS = {
    "acs": "survey",
    "air": "air",
    "census": "census",
    "justice": "police",
    "published": "compare",
    "social": "social",
    "students": "schools",
    "wages": "wages",
}


def table_group(found: Table | Derived) -> str:
    """Tables are grouped by what they are about."""
    about = found.model.__module__.rpartition(".")[2]
    return f"tables_{TABLE_GROUPS.get(about, about)}"


def table_asset(found: Table | Derived) -> dg.AssetsDefinition:
    """One tidy input table."""
    if isinstance(found, Derived):
        deps = [table_key(name) for name in found.inputs]
        module = found.compute.__module__
    else:
        deps = [raw_key(name) for name in found.sources]
        module = module_of(found.build)
    columns = found.model.to_schema().columns
    schema = dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable,
                    unique=column.unique,
                    other=[str(c.error or c.name) for c in column.checks],
                ),
            )
            for name, column in columns.items()
        ]
    )
    groups = data_checks.groups_of_table(found.name)

    @dg.asset(
        key=table_key(found.name),
        deps=deps,
        partitions_def=YEARS,
        group_name=table_group(found),
        description=f"{found.title}\n\n{found.description}",
        owners=OWNERS,
        kinds={"polars", "parquet"},
        tags={"stage": "table"},
        code_version=code_version(module),
        metadata={"dagster/column_schema": schema},
        check_specs=data_checks.specs(table_key(found.name), groups, YEARS),
        output_required=False,
    )
    def build(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[Any]:
        year = int(context.partition_key)
        if year not in found.years:
            context.log.info("%s has no data year %s", found.name, year)
            yield from data_checks.results(groups, [], "no such data year")
            return
        workspace.progress("table", f"{found.name} {year}", "start")
        try:
            outcome = refresh_table(workspace, found.name, year)
        except MobilityError as error:
            workspace.progress("table", f"{found.name} {year}", f"failed: {error}")
            yield from data_checks.refused(groups, error)
            raise dg.Failure(str(error), allow_retries=False) from error
        workspace.progress("table", f"{found.name} {year}", outcome.status)
        _report_raw_files(context, outcome)
        metadata = _outcome_metadata(outcome)
        metadata |= {f"note: {k}": pictures.note(v) for k, v in outcome.account.notes.items()}
        frame = workspace.scan("tables", found.name, year)
        if frame is not None:
            metadata["preview"] = pictures.table(frame.head(8).collect())
        told = "" if outcome.account.checks else "input owed: there is no table to ask"
        yield dg.MaterializeResult(
            metadata=metadata, data_version=dg.DataVersion(outcome.account.fingerprint or "owed")
        )
        # After what they are about: a page shows the checks of a year only if nothing newer has come since.
        yield from data_checks.results(groups, findings_of(outcome.account), told)

    return build


def _reviewed(workspace: Workspace, key: str, year: int, review: Review) -> dg.AssetCheckResult:
    """The rows of this year that a review lists, as a warning."""
    before = workspace.scan("estimates", key, year - 1) if review.looks_back else None
    frames = [f for f in (before, workspace.scan("estimates", key, year)) if f is not None]
    listed = review.find(pl.concat(frames)).filter(pl.col("year") == year)
    metadata: dict[str, Any] = {"count": listed.height}
    if listed.height:
        metadata["rows"] = pictures.table(listed, limit=50)
    if review.looks_back and before is None:
        metadata["note"] = f"there are no estimates of {year - 1} to compare with"
    return dg.AssetCheckResult(
        check_name=review.name,
        passed=listed.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _pictures(workspace: Workspace, predictor: Predictor, year: int, frame: pl.DataFrame) -> dict[str, Any]:
    """The pictures of a page of estimates: distributions by year as far as years are there, and who stands where."""
    accounts = ((y, workspace.account("estimates", predictor.key, y)) for y in predictor.years if y != year)
    spreads = {y: a.notes.get(SPREAD, []) for y, a in accounts if a is not None} | {year: drawings.spread(frame)}
    found = {"distribution": pictures.distribution(frame, predictor.title, spreads)}
    if (spine := workspace.scan("tables", "spine", year)) is not None:
        found["lowest and highest"] = pictures.places(frame, predictor.title, spine.collect())
    return {label: shown for label, shown in found.items() if shown is not None}


ESTIMATE_SCHEMA = dg.TableSchema(
    columns=[dg.TableColumn(name, str(kind()), description=DESCRIPTIONS[name]) for name, kind in ESTIMATE.items()]
)


def _counts(notes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The counts among the notes of a table; of what is listed one by one, how many there are."""
    for what, note in notes.items():
        if isinstance(note, dict):
            yield from ((f"{what}: {part}", count) for part, count in _counts(note))
        elif isinstance(note, int | list):
            yield what, note if isinstance(note, int) else len(note)


def _behind(workspace: Workspace, account: Account) -> dict[str, Any]:
    """The source files behind estimates, and what was dropped or left unmatched when their tables were made."""
    names = sorted({i["table"] for i in account.inputs})
    columns = ("source", "vintage", "name", "sha256", "url", "retrieved_at", "licence")
    files = [{c: f[c] for c in columns} for f in provenance(workspace, {(name, account.year) for name in names})]
    counts = [
        {"table": name, "what": what, "count": count}
        for name in names
        if (made := workspace.account("tables", name, account.year)) is not None
        for what, count in _counts(made.notes)
    ]
    shown = {"source files": pictures.records(files), "dropped and unmatched": pictures.records(counts)}
    return {label: rows if rows is not None else "none" for label, rows in shown.items()}


def estimates_asset(entry: Entry) -> dg.AssetsDefinition:
    """The estimates of one predictor: its inputs are the parameters of its `estimate`, and what its series need."""
    predictor = entry.predictor
    key = estimates_key(predictor.key)
    assert entry.estimate is not None
    inputs = {*entry.inputs, *(t for s in predictor.series for t in s.tables), "spine"}
    groups = data_checks.ESTIMATE_GROUPS
    ruled = data_checks.specs(key, groups, YEARS)
    owed = dg.AssetCheckSpec(
        "inputs_present", asset=key, description="No input of this year is owed.", partitions_def=YEARS
    )
    reviews = [
        dg.AssetCheckSpec(r.name, asset=key, description=f"{r.title} A warning.", partitions_def=YEARS)
        for r in entry.reviews
    ]

    @dg.asset(
        key=key,
        deps=[table_key(name) for name in sorted(inputs)],
        partitions_def=YEARS,
        group_name=predictor.pillar,
        description=(
            f"{predictor.title} ({PILLARS[predictor.pillar]})\n\n{predictor.definition}\n\n"
            + "\n".join(f"* `{m.column}`: {m.title} ({m.unit})" for m in predictor.metrics)
            + ("\n\nGood to know:\n\n" + "\n".join(f"* {n}" for n in predictor.notes) if predictor.notes else "")
        ),
        owners=OWNERS,
        kinds={"polars", "parquet"},
        tags={"stage": "estimates", "pillar": predictor.pillar, "predictor": predictor.key},
        code_version=code_version(entry.estimate.__module__),
        metadata={
            "dagster/column_schema": ESTIMATE_SCHEMA,
            "method": predictor.method,
            "method in code": dg.MetadataValue.path(f"{module_of(entry.estimate).replace('.', '/')}.py"),
            "differences from the reference": dg.MetadataValue.path("docs/deviations.md"),
            "years": ", ".join(map(str, predictor.years)),
            "sources": ", ".join(predictor.sources),
        },
        check_specs=[*ruled, owed, *reviews],
        output_required=False,
    )
    def build(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[Any]:
        year = int(context.partition_key)
        others = [c.name for c in (owed, *reviews)]
        if year not in predictor.years:
            context.log.info("%s is not published for %s", predictor.key, year)
            yield from data_checks.results(groups, [], "not published in this year")
            for name in others:
                yield dg.AssetCheckResult(check_name=name, passed=True, metadata={"note": "not published in this year"})
            return
        workspace.progress("estimates", f"{predictor.key} {year}", "start")
        try:
            outcome = refresh_estimates(workspace, predictor.key, year)
        except MobilityError as error:
            workspace.progress("estimates", f"{predictor.key} {year}", f"failed: {error}")
            yield from data_checks.refused(groups, error)
            for name in others:
                yield dg.AssetCheckResult(check_name=name, passed=False, metadata={"error": str(error)})
            raise dg.Failure(str(error), allow_retries=False) from error
        workspace.progress("estimates", f"{predictor.key} {year}", outcome.status)
        account = outcome.account
        metadata = _outcome_metadata(outcome) | _behind(workspace, account)
        for name in ("quality", "reasons", MATCHES):
            told = [{"figures" if c == "len" else c: v for c, v in row.items()} for row in account.notes.get(name, [])]
            if rows := pictures.records(told):
                metadata[name] = rows
        if entry.substitute is not None and (stand_in := account.notes.get(NOTE)):
            metadata["substitute"] = f"{stand_in}: {entry.substitute.note}"
        frame = workspace.scan("estimates", predictor.key, year)
        if frame is not None:
            metadata["preview"] = pictures.preview(frame)
            metadata |= _pictures(workspace, predictor, year, frame.collect())
        # What people look at first stands first on the page.
        order = ("distribution", "lowest and highest", "quality", "reasons", "preview")
        first = {name: metadata[name] for name in order if name in metadata}
        last = {name: metadata.pop(name) for name in ("made from", "source files") if name in metadata}
        yield dg.MaterializeResult(metadata=first | metadata | last, data_version=dg.DataVersion(account.content_hash))
        # After what they are about: a page shows the checks of a year only if nothing newer has come since.
        yield from data_checks.results(groups, findings_of(account))
        yield dg.AssetCheckResult(
            check_name="inputs_present",
            passed=not account.owed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"owed": pictures.records(account.owed) or "nothing"},
        )
        for review in entry.reviews:
            yield _reviewed(workspace, predictor.key, year, review)

    return build


@dg.asset(
    key=RELEASE,
    deps=[estimates_key(k) for k, e in catalog().items() if e.built],
    group_name="published",
    description=(
        "The release: published files (CSV and Parquet), the long file of all estimates, data dictionary, database, "
        "checksums. Written beside, verified, renamed; the last good release stays until the new one is whole."
    ),
    owners=OWNERS,
    kinds={"csv", "parquet", "duckdb"},
    tags={"stage": "published"},
    code_version=code_version("pipelines.release"),
    check_specs=gate_checks.check_specs(RELEASE),
    output_required=False,
)
def release(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[Any]:
    """Publish all estimates of the data root as one release, if the gate lets it pass."""
    yield from _publish(workspace, RELEASE)


@dg.asset(
    key=CANDIDATE,
    deps=[estimates_key(k) for k, e in catalog().items() if e.built],
    group_name="published",
    description=(
        "A candidate: a whole, checked release in `candidates/` that waits for a person. The job `promote` (or "
        "`mobility publish RELEASE`) makes it the latest; readers of the published releases do not see it before."
    ),
    owners=OWNERS,
    kinds={"csv", "parquet", "duckdb"},
    tags={"stage": "candidate"},
    code_version=code_version("pipelines.release"),
    check_specs=gate_checks.check_specs(CANDIDATE),
    output_required=False,
)
def candidate(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Iterator[Any]:
    """Make a candidate release of all estimates of the data root."""
    yield from _publish(workspace, CANDIDATE)


def _publish(workspace: Workspace, asset: dg.AssetKey) -> Iterator[Any]:
    workspace.progress("release", "published files", "start")
    try:
        report = publish_release(workspace, candidate=asset == CANDIDATE)
    except MobilityError as error:
        workspace.progress("release", "published files", f"failed: {error}")
        if isinstance(error, RefusedError):
            yield from gate_checks.results_of(error.report, asset)
        else:
            yield from gate_checks.results_missing(str(error), asset)
        raise dg.Failure(str(error), allow_retries=False) from error
    workspace.progress("release", report.name, "built")
    yield from (
        gate_checks.results_kept(report, asset) if report.gate is None else gate_checks.results_of(report.gate, asset)
    )
    files = [{"file": name, "rows": rows} for name, rows in report.rows.items()]
    yield dg.MaterializeResult(
        metadata={
            "release": report.name,
            "folder": report.path,
            "synthetic": workspace.profile == "sample",
            "files": pictures.records(files) or "",
            "checks": "\n".join(report.checks),
            "not built yet": ", ".join(report.not_built),
        },
        data_version=dg.DataVersion(report.content),
    )


def all_assets(workspace: Workspace) -> list[Any]:
    """Everything of the asset graph, with the substitutes that are in use in this workspace."""
    entries = entries_to_make(workspace)
    return [
        *(raw_spec(s) for s in all_sources().values()),
        *(table_asset(t) for t in all_tables().values()),
        *(table_asset(t) for t in derived_tables().values()),
        *(estimates_asset(e) for e in entries.values() if e.built),
        release,
        candidate,
    ]
