"""The pages of a release for people: a data dictionary to read, a first page, and the release notes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Final

import polars as pl

from metrics.predictor import PILLARS, Entry
from outputs.about import SYNTHETIC_NOTICE, ReleaseMeta
from outputs.comparability import SCOPES, concerns, in_words, years_told
from outputs.dictionary import COLUMNS, PUBLISHED
from outputs.revisions import NEW_METRIC, NEW_YEAR, Summary
from outputs.tables import SideTable
from schemas.labels import LEVELS, QUALITY_MEANING, QUALITY_WORDS, REASONS, Level

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}"
    "th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left;vertical-align:top}"
    "th{background:#f2f2f2}code{background:#f2f2f2}h2{margin-top:2.5rem}.notice{background:#fff3cd;padding:.75rem}"
)
_ALL_STATES: Final = 51


REFERENCE: Final = (
    "The reference is the set of files that the Urban Institute published in May 2025. Where our figures differ from "
    "them, or keep a flaw of theirs, the page says so."
)


def span(years: Collection[int]) -> str:
    """Years in words, neighbors drawn together: 2014-2019, 2021-2023."""
    runs: list[list[int]] = []
    for year in sorted(years):
        if runs and year == runs[-1][-1] + 1:
            runs[-1].append(year)
        else:
            runs.append([year])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)


def _drawn_together(years: str) -> str:
    """A list of years of the dictionary, `2014; 2015; 2018`, as 2014-2015, 2018."""
    return span([int(year) for year in years.split("; ")])


def covered(spines: Mapping[int, pl.DataFrame], meta: ReleaseMeta) -> str:
    """What a release covers, as a sentence: counties, cities and states of the newest year."""
    year = max(spines)
    spine = spines[year]
    counts = dict(spine.group_by("level").len().iter_rows())
    states = sorted(spine["state_name"].drop_nulls().unique())
    whole = len(states) == _ALL_STATES
    where = "all 50 states and the District of Columbia" if whole else ", ".join(states)
    part = "" if meta.states is None and whole else "a part of the nation: "
    words: dict[Level, tuple[str, str]] = {"county": ("county", "counties"), "place": ("city", "cities")}
    told = " and ".join(f"{counts.get(v, 0):,} {words[v][counts.get(v, 0) != 1]}" for v in LEVELS)
    return f"Covers {part}{told} ({year}) of {where}."


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{'' if c is None else escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    return "<table>\n" + "\n".join([line(head, "th"), *(line(row, "td") for row in rows)]) + "\n</table>\n"


def dictionary_page(
    table: pl.DataFrame, breaks: pl.DataFrame, entries: Mapping[str, Entry], meta: ReleaseMeta, name: str
) -> str:
    """The data dictionary as one HTML page: the predictors first, then every column of every file.

    `table` is the dictionary (columns `outputs.dictionary.COLUMNS`), `breaks` the table of `outputs.comparability`.
    """
    published = table.filter(pl.col("status") == PUBLISHED)
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>Data dictionary, release {escape(name)}</title>\n<style>{_STYLE}</style>\n"
        f"<h1>Data dictionary, release {escape(name)}</h1>\n"
    ]
    if meta.synthetic:
        parts.append(f'<p class="notice">{escape(SYNTHETIC_NOTICE)}</p>\n')
    parts.append(f"<p>{escape(REFERENCE)}</p>\n")
    parts.append("<h2>How to read the figures</h2>\n<p>Every figure has a quality:</p>\n")
    parts.append(_table(["quality", "meaning"], [(QUALITY_WORDS[q], text) for q, text in QUALITY_MEANING.items()]))
    parts.append("<p>Where a figure is missing or graded lower, the long file says why:</p>\n")
    parts.append(_table(["reason", "in words"], list(REASONS.items())))
    parts.append("<p>Where figures do not compare, the tables below say how far:</p>\n")
    parts.append(_table(["scope", "meaning"], list(SCOPES.items())))
    for pillar, pillar_title in PILLARS.items():
        here = [e for e in entries.values() if e.predictor.pillar == pillar]
        if here:
            parts.append(f"<h2>{escape(pillar_title)}</h2>\n")
        for entry in here:
            parts.append(_predictor(entry, published, breaks, meta))
    parts.append("<h2>Files and columns</h2>\n")
    for (file,), rows in published.group_by("file", maintain_order=True):
        unique = rows.unique("column", keep="first", maintain_order=True)
        parts.append(f"<h3>{escape(str(file))}</h3>\n")
        shown = ("column", "title", "type", "unit", "interval", "years", "subgroups", "sample")
        shorter = unique.with_columns(pl.col("years").map_elements(_drawn_together, return_dtype=pl.String))
        parts.append(_table(shown, shorter.select(shown).rows()))
    parts.append("<h2>Columns of data_dictionary.csv</h2>\n" + _table(["column", "meaning"], list(COLUMNS.items())))
    return "".join(parts) + "</html>\n"


def _predictor(entry: Entry, published: pl.DataFrame, breaks: pl.DataFrame, meta: ReleaseMeta) -> str:
    predictor = entry.predictor
    parts = [f"<h3>{escape(predictor.title)}</h3>\n<p>{escape(predictor.definition)}</p>\n"]
    rows = []
    for metric in predictor.metrics:
        told = published.filter((pl.col("metric") == metric.column) & (pl.col("column") == metric.column))
        years = span({int(y) for text in told["years"].drop_nulls() for y in text.split("; ")})
        limits = [("from", metric.minimum), ("to", metric.maximum)]
        bounds = " ".join(f"{word} {value:g}" for word, value in limits if value is not None)
        rows.append((metric.column, metric.title, metric.unit, bounds, years or "long file only"))
    parts.append(_table(["column", "what it is", "unit", "limits", "years with figures"], rows))
    notes = [*predictor.notes, *(f"Kept from the reference: {d.effect}" for d in entry.deviations if d.kind == "kept")]
    if notes:
        parts.append("<ul>" + "".join(f"<li>{escape(n)}</li>" for n in notes) + "</ul>\n")
    mine = breaks.filter(pl.col("predictor") == predictor.key)
    if mine.height:
        told = mine.group_by([c for c in mine.columns if c != "metric"], maintain_order=True).agg("metric")
        parts.append("<p>Where figures do not compare:</p>\n")
        parts.append(
            _table(
                ["columns", "concerns", "years", "scope", "kind", "what a reader must know"],
                [
                    (", ".join(r["metric"]), concerns(r), years_told(r), r["scope"], r["kind"], r["text"])
                    for r in told.iter_rows(named=True)
                ],
            )
        )
    notes_of_sources = meta.notes_for(predictor.sources)
    parts.append(
        _table(
            ["source", "citation", "terms"],
            [(n.title, n.citation or n.landing_page, n.licence) for n in notes_of_sources],
        )
    )
    return "".join(parts)


_LONG: Final = (
    "every estimate, one row per figure: bounds, sample size, errors, source sample, period, estimation area, reason"
)
_QUERIES: Final = """\
    -- everything about one county or city, latest figures beside national and state medians
    select * from place_profile('37067');
    -- one metric over the years, with the breaks that fall between them in the table comparability
    select * from place_trend('37067', 'share_employed');
    -- up to six places side by side
    select * from compare_places(['37067', '37081', '3775000'], 'ratio_living_wage');
    -- places of about the same size
    select * from peers('37067', 10);
    -- why figures are missing
    select * from missing where metric = 'share_employed';
"""


def example_of(spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry]) -> tuple[str, str]:
    """A geography and a metric of the release, for examples: Forsyth County and employment if they are there."""
    spine = spines[max(spines)].select("level", pl.concat_str("state", "geo").alias("geoid")).sort("level", "geoid")
    metrics = [m.column for entry in entries.values() for m in entry.predictor.metrics if m.published]
    geoids = spine["geoid"].to_list()
    return (
        "37067" if "37067" in geoids else geoids[0],
        "share_employed" if "share_employed" in metrics else metrics[0],
    )


def _reading(example: tuple[str, str], wide: Mapping[str, str]) -> str:
    """How to read one metric of one place with common programs; each piece runs in the release's folder as it is."""
    geoid, metric = example
    stem = next(iter(wide), "11_mobility-metrics_county_longitudinal")
    kind = "place" if "_place" in stem else "county"
    return f"""## Reading one metric of one place

The files in `csv/` and `parquet/` have a row per place and year and a column per metric. The long file has a row per
figure, with everything that is known about it; `geoid` is state and county (5 digits) or state and place (7 digits).
It stands as one Parquet file, as one Parquet file per year, and as compressed text, which every program below reads
without unpacking.

### pandas

    import pandas as pd

    wanted = [("geoid", "==", "{geoid}"), ("metric", "==", "{metric}")]
    rows = pd.read_parquet("estimates.parquet", filters=wanted)

    codes = {{"state": str, "county": str, "place": str, "geo": str, "geoid": str, "area": str}}
    wide = pd.read_csv("csv/{stem}.csv", dtype=codes)

### polars

    import polars as pl

    here = (pl.col("geoid") == "{geoid}") & (pl.col("metric") == "{metric}")
    rows = pl.scan_parquet("estimates/*.parquet").filter(here).collect()

### DuckDB

    select * from 'estimates.parquet' where geoid = '{geoid}' and metric = '{metric}' order by year;
    select * from read_csv('estimates.csv.gz', nullstr = 'NA') where geoid = '{geoid}' and metric = '{metric}';

### R

    wide <- read.csv("csv/{stem}.csv",
                     colClasses = c(state = "character", {kind} = "character"))
    rows <- wide[paste0(wide$state, wide${kind}) == "{geoid}", c("year", "{metric}")]

`readr` guesses columns from their first rows and takes columns that begin with missing cells for logical ones. Let it
look at all rows:

    library(readr)
    wide <- read_csv("csv/{stem}.csv", guess_max = Inf)

### Excel

Use Data > From Text/CSV on a file in `csv/`, with file origin 65001 (UTF-8); choose Transform Data, set `state` and
`{kind}` to Text, load, and filter. A double click on the file drops the leading zeros of the codes and may garble
names with accents. The long file of the whole nation has more rows than a sheet.

"""


EXTRAS: Final[dict[str, str]] = {
    "explorer": "the data explorer, a static site: `mobility explore`, or any web server; compare, map, profiles",
    "calibration": "figures beside others that should say the same; `calibration/calibration.md` explains them",
}
"""Folders that a release may hold besides its files."""


def readme(
    name: str,
    meta: ReleaseMeta,
    tables: Sequence[SideTable],
    wide: Mapping[str, str],
    folders: Collection[str] = (),
    *,
    covers: str,
    example: tuple[str, str],
) -> str:
    """The release's first page, as Markdown. `wide` maps the wide files' names to their titles.

    `covers` says what the release covers (`covered`), `example` names a geoid and a metric it has, `folders`
    are those of `EXTRAS` that the release holds.
    """
    notice = f"**{SYNTHETIC_NOTICE}**\n\n" if meta.synthetic else ""
    files = "\n".join(f"| `csv/{stem}.csv`, `parquet/{stem}.parquet` | {title} |" for stem, title in wide.items())
    others = "\n".join(f"| {', '.join(f'`{p}`' for p in t.paths)} | {t.title} |" for t in tables)
    extras = "".join(f"| `{folder}/` | {title} |\n" for folder, title in EXTRAS.items() if folder in folders)
    return f"""# Mobility metrics, release {name}

{notice}Predictors of upward mobility for US counties and large cities. {covers}

Start with `data_dictionary.html`; what is new stands in `RELEASE_NOTES.md`, the sources and their terms in
`sources.csv`.

| file | what it holds |
|---|---|
{files}
| `estimates.parquet`, `estimates/<year>.parquet`, `estimates.csv.gz` | {_LONG} |
{others}
| `revisions.json` | counts and largest movers of the revisions |
| `suppressions.csv` | figures withheld after review |
| `mobility.duckdb` | all of it, ready to query |
{extras}| `data_dictionary.html`, `data_dictionary.csv` | every column of every table but those of `calibration/` |
| `datapackage.json`, `croissant.json` | all tables for programs (Frictionless, Croissant) |
| `RELEASE_NOTES.md`, `gate_report.md`, `gate_report.json` | what is new; the rules this release was held to |
| `release.json`, `SHA256SUMS` | facts about this release, checksums |

Missing is `NA` in CSV and null in Parquet. Codes of states, counties and places are text with leading zeros.

{_reading(example, wide)}
## Queries

Open `mobility.duckdb` with DuckDB (read-only is enough). Each wide file is a view (`county`, `place_race_ethnicity`,
...), each table above a table; tables and columns carry comments.

{_QUERIES}
"""


def release_notes(
    name: str,
    *,
    covers: str,
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
    revisions: Summary,
    breaks: pl.DataFrame,
    coverage: pl.DataFrame,
    missing: Mapping[str, int],
    suppressions: int,
    checks: Mapping[str, int],
    warnings: Sequence[str],
    without_values: Sequence[str],
) -> str:
    """The notes of a release, drafted from what the run knows, as Markdown for a person to edit.

    `covers` says what the release covers (`covered`).
    `coverage` has one row per predictor: predictor, metrics, years (lists), rows, values. `missing` counts the figures
    that are missing by reason; `checks` counts the rules of the gate by outcome, `warnings` tells those that warn.
    """
    notice = f"**{SYNTHETIC_NOTICE}**\n\n" if meta.synthetic else ""
    lines = [
        f"# Release notes: {name}",
        "",
        f"{notice}{covers}",
        "",
        REFERENCE,
        "",
        "## What is new",
        "",
        *_news(revisions),
    ]
    lines += ["", "## What is in it", "", "| predictor | metrics | years | figures | with a value |"]
    lines.append("|---|---|---|---|---|")
    place = {key: i for i, key in enumerate(entries)}
    for row in sorted(coverage.iter_rows(named=True), key=lambda row: place[row["predictor"]]):
        title = entries[row["predictor"]].predictor.title
        years = span(row["years"]) or "none"
        lines.append(f"| {title} | {', '.join(row['metrics'])} | {years} | {row['rows']:,} | {row['values']:,} |")
    if without_values:
        lines += ["", f"Files without any value, left out: {', '.join(without_values)}."]
    lines += ["", "Why figures are missing:", ""]
    lines += [f"- {n:,} figures: {REASONS.get(reason, reason)} (`{reason}`)" for reason, n in missing.items()]
    lines += ["", f"{suppressions:,} figures are withheld after review; `suppressions.csv` says which and why."]
    lines += ["", "## Inputs owed", ""]
    lines += [
        f"- {o.source} {o.vintage}, for {span(o.years) or 'no particular year'}: {o.recipe}" for o in meta.owed
    ] or ["None: every source file was there."]
    lines += ["", "## Revisions", "", revisions.as_text().rstrip()]
    lines += ["", "## Checks", "", _checks(checks), *(f"- {warning}" for warning in warnings)]
    lines += ["", "## Where these figures differ from the reference", ""]
    for entry in entries.values():
        for kind, word in (("deviation", "ours differ"), ("kept", "flaws kept")):
            listed = [d for d in entry.deviations if d.kind == kind]
            if listed:
                told = "; ".join(f"`{d.id.split('/', 1)[1]}`: {d.effect}" for d in listed)
                lines.append(f"- **{entry.predictor.title}**, {word}: {told}")
    if not any(entry.deviations for entry in entries.values()):
        lines.append("Nowhere, as far as is known.")
    lines += ["", "## Where figures do not compare", "", *(in_words(breaks) or ["No break is known."])]
    return "\n".join(lines) + "\n"


def _news(revisions: Summary) -> list[str]:
    if revisions.old is None:
        return ["This is the first release of its kind here: everything is new."]
    counts = revisions.counts
    lines = []
    for reason, text in ((NEW_METRIC, "New metrics"), (NEW_YEAR, "New years")):
        rows = counts.filter((pl.col("reason") == reason) & (pl.col("field") == "value"))
        told = rows.group_by("metric", maintain_order=True).agg("year", pl.col("figures").sum())
        items = [f"{m} {', '.join(map(str, sorted(y)))} ({n:,} values)" for m, y, n in told.iter_rows()]
        if items:
            lines.append(f"- {text}: {'; '.join(items)}")
    others = {r: n for r, n in revisions.by_reason.items() if r not in (NEW_METRIC, NEW_YEAR)}
    lines += [f"- {n:,} figures changed: {reason}" for reason, n in others.items()]
    return lines or [f"Nothing: all figures are those of {revisions.old}."]


def _checks(checks: Mapping[str, int]) -> str:
    """What came of the rules, in a sentence."""
    told = ", ".join(f"{n} {what}" for what, n in checks.items())
    return f"Rules of the release gate: {told}. `gate_report.md` lists all of them, and the rows behind each warning:\n"


def coverage_of(long: pl.LazyFrame) -> pl.DataFrame:
    """For each predictor its metrics, the years with a value, rows and values, in the order of the keys."""
    return (
        long.group_by("predictor", "metric", "year")
        .agg(pl.len().alias("rows"), pl.col("value").count().alias("values"))
        .collect(engine="streaming")
        .group_by("predictor")
        .agg(
            pl.col("metric").unique().sort().alias("metrics"),
            pl.col("year").filter(pl.col("values") > 0).unique().sort().alias("years"),
            pl.col("rows", "values").sum(),
        )
        .sort("predictor")
    )
