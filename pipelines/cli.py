"""The `mobility` command."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable

from pipelines.settings import PROJECT, Settings
from schemas.errors import MobilityError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    help="Predictors of upward mobility for every US county and 486 cities, from the agencies' files to a release.",
)
out = Console()
err = Console(stderr=True)


class ProfileName(StrEnum):
    """Which sources a run uses."""

    SAMPLE = "sample"
    LIVE = "live"


class LayoutName(StrEnum):
    """Which shapes of the published files a release has."""

    CLEAN = "clean"
    REFERENCE = "reference"


DataOption = Annotated[str | None, typer.Option("--data", help="Data root: a folder or s3:// URL (MOBILITY_DATA).")]
ProfileOption = Annotated[
    ProfileName | None,
    typer.Option(help="sample: synthetic sources, offline. live: real sources. Default: what the data root holds."),
]
StatesOption = Annotated[
    str | None, typer.Option(help="Only these states: FIPS or postal codes separated by commas (a partial release).")
]
LayoutOption = Annotated[
    LayoutName | None,
    typer.Option(
        help="reference: beside our own files also the same figures in the shape of the reference's files "
        "(MOBILITY_LAYOUT). Default: clean."
    ),
]
YearsOption = Annotated[str | None, typer.Option(help="Data years: 2018 or 2014,2018 or 2018-2021. Default: all.")]
CandidateOption = Annotated[
    bool, typer.Option("--candidate", help="Make a candidate that `mobility publish` promotes, instead of a release.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


SubstituteOption = Annotated[
    str | None,
    typer.Option(
        help="Let another source stand in for a predictor's own where it can: chr (County Health Rankings: physicians "
        "of 2019, injury deaths of 2020), or none. Such figures carry its name as their sample. Default of build: "
        "none; of rebuild: as last built."
    ),
]


def settings_for(
    data: str | None,
    profile: ProfileName | None = None,
    states: str | None = None,
    substitute: str | None = None,
    layout: LayoutName | None = None,
) -> Settings:
    """Settings from the environment, overridden by the command line; the profile defaults to the data root's own."""
    changes: dict[str, Any] = {}
    if data is not None:
        changes["data"] = data
    if states is not None:
        changes["states"] = states
    if substitute is not None:
        changes["substitute"] = substitute
    if layout is not None:
        changes["layout"] = layout.value
    given = Settings()
    settings = given.model_copy(update=changes)
    if profile is not None:
        return settings.model_copy(update={"profile": profile.value})
    marker = settings.data_root / "PROFILE"
    if "profile" not in given.model_fields_set and marker.exists():
        return settings.model_copy(update={"profile": marker.read_text().strip()})
    return settings


def as_last_built(settings: Settings) -> Settings:
    """Settings with the states the data root was last built for, unless others are asked for."""
    marker = settings.data_root / "STATES"
    if settings.states is None and settings.profile == "live" and marker.exists():
        return settings.model_copy(update={"states": marker.read_text().strip() or None})
    return settings


def parse_years(text: str | None) -> list[int] | None:
    """2018 -> [2018]; 2014,2018 -> both; 2018-2020 -> 2018, 2019, 2020."""
    if not text:
        return None
    years: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise typer.BadParameter(f"{text!r} is not a year, a list of years or a range of years")
        years |= set(range(int(first), int(last or first) + 1))
    return sorted(years)


def parse_predictors(text: str | None) -> list[str]:
    """Comma-separated predictor keys; all built ones by default."""
    from pipelines.horizon import catalog
    from pipelines.run import built_predictors

    built = built_predictors()
    if not text:
        return built
    chosen = [p.strip() for p in text.split(",") if p.strip()]
    for name in chosen:
        if name not in catalog():
            raise typer.BadParameter(f"no predictor {name!r}; there are: {', '.join(catalog())}")
        if name not in built:
            raise typer.BadParameter(f"{name} is declared but not built yet; built are: {', '.join(built)}")
    return chosen


def _run(
    settings: Settings,
    predictors: list[str],
    years: list[int] | None,
    *,
    strict: bool,
    force: bool,
    candidate: bool = False,
) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from pipelines.run import plan, run
    from pipelines.sample import prepare
    from pipelines.workspace import Workspace

    began = time.monotonic()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=False) as bar:
        if settings.profile == "sample":
            task = bar.add_task("writing synthetic sources", total=1)
            settings = prepare(settings)
            bar.update(task, completed=1, description="synthetic sources written")
        workspace = Workspace(settings, force=force)
        steps = plan(predictors, years, workspace)
        if not steps:
            raise MobilityError("none of these predictors is published for these years.")
        total = sum(len(tables) + len(active) for tables, active in steps.values()) + 1
        task = bar.add_task("starting", total=total)

        def progress(_stage: str, name: str, status: str) -> None:
            if status == "start":
                bar.update(task, description=name)
            else:
                bar.advance(task)
                if status.startswith("failed"):
                    bar.console.print(f"[red]failed[/red] {name}: {status.removeprefix('failed: ')}", highlight=False)

        workspace.progress = progress
        report = run(workspace, predictors, years, candidate=candidate)
        bar.update(task, description="done", completed=total)
    _summary(settings, report, time.monotonic() - began)
    if report.failed or report.release is None:
        raise typer.Exit(1)
    if report.owed and strict:
        raise typer.Exit(1)


def _summary(settings: Settings, report: Any, seconds: float) -> None:
    did = ", ".join(f"{n} {what}" for what, n in sorted(report.counts.items()))
    out.print(f"\n{did or 'nothing done'} in {seconds:.1f} s", highlight=False)
    if report.owed:
        recipes: dict[str, set[int]] = {}
        for item in report.owed:
            recipes.setdefault(f"{item['source']} {item['vintage']}: {item['recipe']}", set()).add(item["year"])
        out.print(f"\n[yellow]Inputs owed ({len(recipes)})[/yellow]; what needs them is null ('input owed') or kept:")
        for recipe, years in sorted(recipes.items()):
            out.print(
                f"  • {recipe} (data years {', '.join(map(str, sorted(years)))})", highlight=False, soft_wrap=True
            )
    if report.left_out:
        listed = "; ".join(f"{key} {', '.join(map(str, years))}" for key, years in sorted(report.left_out.items()))
        out.print(
            f"[yellow]Not in this release[/yellow], because they were built for other states: {listed}",
            highlight=False,
            soft_wrap=True,
        )
    for name, text in report.failed.items():
        out.print(f"[red]Failed[/red] {name}: {text}", highlight=False, soft_wrap=True)
    if report.failed:
        out.print("What failed was not replaced: the last good result of it, if there was one, is still in place.")
    if report.folder is None:
        out.print("[red]Nothing was published.[/red]")
        return
    if settings.profile == "sample":
        out.print("\n[bold yellow]SYNTHETIC[/bold yellow]: every figure of this release is made up.")
    out.print(f"\n{'Candidate' if report.candidate else 'Release'} [bold]{report.release}[/bold]")
    out.print(f"  {report.folder}", soft_wrap=True, highlight=False)
    if report.candidate:
        out.print(f"It waits for `mobility publish {report.release}`; the latest release has not changed.")
    out.print(
        "Look at: README.md, csv/11_mobility-metrics_county_longitudinal.csv (a row per county and year),\n"
        f"  mobility.duckdb (ready views), {_traceable(report.folder)}`mobility explore`, `mobility ui`.",
        highlight=False,
    )


def _traceable(folder: str) -> str:
    """A command that follows a figure of this release back; empty if the release has none for everyone."""
    import polars as pl
    from upath import UPath

    long = UPath(folder) / "estimates.parquet"
    with long.open("rb") as file:
        figures = (
            pl.read_parquet(file, columns=["geoid", "year", "metric", "subgroup_type", "value"])
            .filter(pl.col("value").is_not_null() & (pl.col("subgroup_type") == "all"))
            .sort(pl.col("metric") != "share_employed", pl.col("geoid") != "37067", "year", "geoid")
        )
    if figures.is_empty():
        return ""
    geoid, year, metric = figures.select("geoid", "year", "metric").row(0)
    return f"`mobility trace {geoid} {year} {metric}`, "


@app.command()
def build(
    profile: ProfileOption = None,
    years: YearsOption = None,
    states: StatesOption = None,
    predictors: Annotated[str | None, typer.Option(help="Only these predictors, separated by commas.")] = None,
    data: DataOption = None,
    substitute: SubstituteOption = None,
    layout: LayoutOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if an input is owed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Compute again even what has not changed.")] = False,
    candidate: CandidateOption = False,
) -> None:
    """Build everything that is chosen and publish it as a release.

    What has not changed since the last build is not computed again. An input that cannot be had does not stop the rest:
    its estimates are null with reason "input owed", and the list of what is owed stands at the end.
    """
    settings = settings_for(data, profile, states, substitute, layout)
    _run(
        settings if settings.substitute else settings.model_copy(update={"substitute": "none"}),
        parse_predictors(predictors),
        parse_years(years),
        strict=strict,
        force=force,
        candidate=candidate,
    )


@app.command()
def rebuild(
    predictor: Annotated[str, typer.Argument(help="Key of the predictor, for example living_wage.")],
    years: YearsOption = None,
    data: DataOption = None,
    profile: ProfileOption = None,
    states: StatesOption = None,
    substitute: SubstituteOption = None,
    layout: LayoutOption = None,
    force: Annotated[bool, typer.Option("--force", help="Compute again even what has not changed.")] = False,
    candidate: CandidateOption = False,
) -> None:
    """Rebuild one predictor alone, and publish a release in which everything else is unchanged."""
    _run(
        as_last_built(settings_for(data, profile, states, substitute, layout)),
        parse_predictors(predictor),
        parse_years(years),
        strict=False,
        force=force,
        candidate=candidate,
    )


@app.command()
def releases(data: DataOption = None, json_output: JsonOption = False) -> None:
    """List the releases of a data root: published ones, the latest, and candidates with the reports to read first."""
    from outputs.promote import releases as known

    found = known(settings_for(data).data_root)
    if json_output:
        print(json.dumps([{**vars(r), "reports": r.reports} for r in found], indent=1))
        return
    # The name is what one types next: it is not cut short.
    name = Column("release", no_wrap=True, min_width=max((len(r.name) for r in found), default=0))
    table = RichTable(name, "state", "made (UTC)", "predictors", "years", "read first", title="Releases")
    for r in found:
        years = f"{r.years[0]}-{r.years[-1]}" if r.years else ""
        table.add_row(r.name, r.state, r.created_at[:16], str(len(r.predictors)), years, "\n".join(r.reports) or "-")
    out.print(table)
    waiting = [r for r in found if r.state == "candidate"]
    out.print(
        "\n".join(f"`mobility publish {r.name}` makes this candidate the latest: {r.path}" for r in waiting)
        or "No candidate waits.",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def publish(
    release: Annotated[str, typer.Argument(help="Name of a candidate, or of an earlier release to go back to.")],
    data: DataOption = None,
) -> None:
    """Make a candidate the latest release (or go back to an earlier one). A damaged one is refused, LATEST stays."""
    from pipelines.lock import build_lock
    from pipelines.release import promote_release
    from pipelines.workspace import Workspace

    ws = Workspace(as_last_built(settings_for(data)))
    with build_lock(ws):
        before = promote_release(ws, release)
    out.print(f"[bold]{release}[/bold] is the latest release now.", soft_wrap=True)
    if before not in (None, release):
        out.print(f"Before it was {before}, which stays; `mobility publish {before}` goes back.", soft_wrap=True)


@app.command()
def trace(
    geoid: Annotated[str, typer.Argument(help="5 digits for a county, 7 for a place.")],
    year: int,
    metric: Annotated[str, typer.Argument(help="Published column name, for example share_employed.")],
    subgroup_type: Annotated[str | None, typer.Option("--subgroup-type")] = None,
    subgroup: Annotated[str | None, typer.Option("--subgroup")] = None,
    sample: Annotated[str | None, typer.Option("--sample", help="Default: the sample of the overall file.")] = None,
    data: DataOption = None,
    states: StatesOption = None,
    json_output: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Write the account to this file, as one page of HTML.")
    ] = None,
) -> None:
    """Follow one published figure back to its source files: formula, inputs, weights, decisions, checksums.

    Exit code 1 if the figure cannot be worked out again to the last digit.
    """
    from outputs.explain import account, agreement_text, as_json, as_text
    from outputs.page import as_html
    from pipelines.trace import trace_figure

    settings = as_last_built(settings_for(data, None, states))
    figure = trace_figure(settings, geoid, year, metric, subgroup_type=subgroup_type, subgroup=subgroup, sample=sample)
    told = account(figure.row, figure.explanation, **figure.facts)
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(as_html(told), encoding="utf-8")
    if json_output or html is None:
        print(as_json(told) if json_output else as_text(told))
    else:
        out.print(f"Written to {html}: {agreement_text(told['agreement'])}.", highlight=False, soft_wrap=True)
    if not told["agreement"]["agrees"]:
        raise typer.Exit(1)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The earlier release: its name, or its folder.")],
    new: Annotated[str, typer.Argument(help="The later release: its name, or its folder.")],
    data: DataOption = None,
    out_file: Annotated[
        str | None, typer.Option("--out", help="Write every changed figure here (.parquet or .csv.gz).")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if a change has no reason.")] = False,
    json_output: JsonOption = False,
) -> None:
    """What changed between two releases: figures by metric, year and reason, and the largest movers.

    Reasons follow from what the releases record about their sources, code and method. A name is looked for among the
    published releases of the data root, then among its candidates.
    """
    from pipelines.revisions import diff_releases

    summary = diff_releases(settings_for(data), old, new, out_file)
    print(summary.as_json() if json_output else summary.as_text(), end="")
    if strict and summary.findings:
        raise typer.Exit(1)


@app.command()
def sources(
    data: DataOption = None,
    states: StatesOption = None,
    json_output: JsonOption = False,
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    freshness: Annotated[bool, typer.Option("--freshness", help="One line per source: fresh, stale, owed.")] = False,
    look: Annotated[bool, typer.Option("--look", help="Ask the agencies for news now; nothing is taken.")] = False,
    accept: Annotated[
        tuple[str, str] | None,
        typer.Option("--accept", metavar="SOURCE VINTAGE", help="Take an edition anew that its agency has changed."),
    ] = None,
) -> None:
    """Each source and vintage: present, in the mirror, downloadable, or owed by a person (with the recipe).

    --freshness tells what is fresh, stale or owed, and when the next edition is to be expected. --look asks for it.
    """
    from pipelines.sample import prepare
    from pipelines.workspace import Workspace
    from sources.registry import all_sources

    if unknown := {source, accept[0] if accept else None} - {None, *all_sources()}:
        raise MobilityError(f"no source {unknown.pop()!r}; there are: {', '.join(all_sources())}.")
    if accept is not None:
        _accept(Workspace(as_last_built(settings_for(data, None, states))), *accept)
        return
    if look:
        _look(Workspace(as_last_built(settings_for(data, None, states))), source, json_output=json_output)
        return
    if freshness:
        _freshness(Workspace(prepare(as_last_built(settings_for(data, None, states)))), source, json_output=json_output)
        return
    settings = prepare(as_last_built(settings_for(data, None, states)))
    retrieval = Workspace(settings).retrieval()
    rows: list[dict[str, Any]] = []
    for key, declared in all_sources().items():
        if source in (None, key):
            for vintage in declared.vintages:
                status = retrieval.status(declared, vintage.key)
                rows.append(
                    {
                        "source": key,
                        "vintage": vintage.key,
                        "status": str(status),
                        "data_years": list(vintage.data_years),
                        "agency": declared.agency,
                        "licence": declared.licence,
                        "redistribute": declared.redistribute,
                        "landing_page": declared.landing_page,
                        "recipe": retrieval.recipe(declared, vintage.key) if str(status) != "present" else "",
                    }
                )
    if json_output:
        print(json.dumps(rows, indent=1))
        return
    table = RichTable("source", "vintage", "status", "data years", title=f"Sources for {settings.data_root}")
    for row in rows:
        years = row["data_years"]
        shown = f"{years[0]}-{years[-1]}" if len(years) > 1 else "".join(map(str, years))
        table.add_row(row["source"], row["vintage"], row["status"], shown)
    out.print(table)
    owed = [r for r in rows if r["status"] in ("owed", "needs key")]
    if owed:
        out.print("\nOwed by a person (what is needed, where from, where to put it):")
    for row in owed:
        out.print(f"• [bold]{row['source']} {row['vintage']}[/bold] {row['recipe']}", highlight=False, soft_wrap=True)


def _accept(ws: Any, source: str, vintage: str) -> None:
    from pipelines.lock import build_lock
    from sources.framework.watch import accept
    from sources.registry import all_sources

    declared = all_sources()[source]
    if vintage not in {v.key for v in declared.vintages}:
        raise MobilityError(
            f"{source} has no vintage {vintage!r}; it has {', '.join(v.key for v in declared.vintages)}."
        )
    with build_lock(ws):
        lines = accept(declared, vintage, ws.retrieval())
    out.print("\n".join(lines), highlight=False, soft_wrap=True)
    out.print("The next build computes what follows from it.")


def _look(ws: Any, source: str | None, *, json_output: bool) -> None:
    from pipelines.schedules import look_at
    from sources.registry import all_sources

    looks = [look_at(ws, key) for key in ([source] if source else all_sources())]
    if json_output:
        print(json.dumps([vars(f) | {"looked_at": one.looked_at} for one in looks for f in one.findings], indent=1))
        return
    for one in looks:
        for f in one.findings:
            out.print(f"[bold]{f.source} {f.vintage}[/bold] {f.news}: {f.text}", highlight=False, soft_wrap=True)
    if not any(one.findings for one in looks):
        out.print("Nothing new.")


def _freshness(ws: Any, source: str | None, *, json_output: bool) -> None:
    from pipelines.freshness import MEANING, inventory

    rows = [r for r in inventory(ws, datetime.now(UTC).date()) if source in (None, r.source)]
    if json_output:
        print(json.dumps([r.row() for r in rows], indent=1))
        return
    table = RichTable("source", "state", "newest edition", "at hand", "expected next", "last looked at")
    for r in rows:
        table.add_row(r.source, r.state, r.newest, r.have, r.expected, r.looked_at[:16])
    out.print(table)
    for r in rows:
        for text in r.news:
            out.print(f"• [bold]{r.source}[/bold] {text}", highlight=False, soft_wrap=True)
    for state in dict.fromkeys(r.state for r in rows):
        out.print(f"{state}: {MEANING[state]}", highlight=False)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 3000,
    data: DataOption = None,
    profile: ProfileOption = None,
    states: StatesOption = None,
) -> None:
    """Open the Dagster UI on loopback: graph, asset pages, checks, runs. Ctrl-C ends it."""
    from pipelines.sample import prepare
    from pipelines.workspace import Workspace

    settings = prepare(as_last_built(settings_for(data, profile, states)))
    Workspace(settings).claim()
    settings.export()
    settings.state_root.mkdir(parents=True, exist_ok=True)
    # Dagster keeps small files of its own beside its configuration: let both lie in the state folder.
    shutil.copyfile(PROJECT / "dagster.yaml", settings.state_root / "dagster.yaml")
    out.print(f"Data root {settings.data_root} (profile {settings.profile}); http://127.0.0.1:{port}", soft_wrap=True)
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "pipelines.definitions",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    environment = {**os.environ, "DAGSTER_HOME": str(settings.state_root)}
    raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)


@app.command()
def explore(
    release: Annotated[str | None, typer.Argument(help="Name or folder of a release. Default: the latest.")] = None,
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes any free one.")] = 8765,
    data: DataOption = None,
) -> None:
    """Open the data explorer of a release on loopback: compare places, map, profiles. Ctrl-C ends it."""
    from pipelines.explore import explorer_of, server_for

    folder = explorer_of(settings_for(data).data_root / "published", release)
    with server_for(folder, port) as server:
        print(f"Explorer of {folder.parent.name}: http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@app.command()
def doctor(data: DataOption = None) -> None:
    """Check the set-up: Python, data root, mirror, keys, last release. Exit code 1 if something is wrong."""
    from pipelines.doctor import examine

    findings = examine(settings_for(data))
    marks = {"ok": "[green]ok  [/green]", "note": "[yellow]note[/yellow]", "wrong": "[red]wrong[/red]"}
    for finding in findings:
        out.print(f"{marks[finding.state]} {finding.what}: {finding.text}", highlight=False, soft_wrap=True)
    if any(f.state == "wrong" for f in findings):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: errors meant for people are shown as one line, with exit code 1."""
    try:
        app()
    except MobilityError as error:
        err.print(f"[red]Error[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
