"""The data dictionary: every column of every file of a release, made from the catalog, so that it cannot drift.

One row per file and column; for the long file's `value` also one row per metric. `status` tells published columns from
those of predictors that are not in the release: `published`, `no values in this release`, `not in this release`,
`not built yet`. Only rows with status `published` describe columns that are there.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from metrics.predictor import PILLARS, Entry, Metric, Predictor
from outputs import suppress
from outputs.about import SYNTHETIC_NOTICE, ReleaseMeta
from outputs.files import FILES, Column, Layout, PublishedFile, columns, is_written, metrics_by_column, series_of
from outputs.long import LONG, LONG_DESCRIPTIONS
from outputs.tables import SideTable
from schemas.labels import QUALITY_WORDS, SAMPLES, SUBGROUPS

PUBLISHED: Final = "published"
NO_VALUES: Final = "no values in this release"
LEFT_OUT: Final = "not in this release"
NOT_BUILT: Final = "not built yet"

COLUMNS: Final[dict[str, str]] = {
    "file": "Name of the file, without folder and extension; files of the reference layout stand under reference/.",
    "column": "Name of the column.",
    "title": "What the column holds.",
    "type": "integer, number or string.",
    "unit": "Unit of the figure.",
    "minimum": "Smallest lawful value.",
    "maximum": "Largest lawful value.",
    "interval": "What lower and upper bound mean.",
    "metric": "Metric the column belongs to.",
    "predictor": "Predictor the metric belongs to.",
    "pillar": "Pillar of the framework.",
    "years": "Years in which the column has a value in this release.",
    "years_declared": "Years for which the predictor declares figures.",
    "levels": "Geographic levels.",
    "subgroups": "Subgroups with figures of their own.",
    "sample": "Source sample the figures come from.",
    "source": "Data sets behind the figures.",
    "licence": "Terms of those data sets.",
    "definition": "What the predictor measures.",
    "notes": "What a reader must know.",
    "status": "published, no values in this release, not in this release, or not built yet.",
}
INTERVALS: Final = {
    "none": "",
    "sampling": "95 % confidence interval from the sampling error",
    "suppression": "range left open by suppression at the source",
}
_HEAD_TITLES: Final = {
    "year": "Data year",
    "state": "State FIPS code, 2 digits",
    "county": "County FIPS code within the state, 3 digits",
    "place": "Census place code within the state, 5 digits",
    "state_name": "Name of the state",
    "county_name": "Name of the county",
    "place_name": "Name of the city or place",
    "population": "Total population of the year (population estimates)",
    "subgroup_type": "Family of the subgroup; all for everyone",
    "subgroup": "Subgroup; All for everyone",
}
_PART_TITLES: Final = {
    "value": "{}",
    "lb": "Lower bound: {}",
    "ub": "Upper bound: {}",
    "quality": "Data quality (Strong, Marginal, Weak): {}",
}
_STRAY_NOTE: Final = (
    "Column of the reference's housing file that its own file 61 carries along; kept in this layout only."
)


@dataclass(frozen=True)
class Written:
    """One wide file of a release: its layout, columns, per column the years that have a value, and its rows."""

    file: PublishedFile
    layout: Layout
    columns: tuple[Column, ...]
    years: Mapping[str, tuple[int, ...]]
    rows: int

    @property
    def name(self) -> str:
        """The file's name in the dictionary."""
        return name_of(self.file, self.layout)


def name_of(file: PublishedFile, layout: Layout) -> str:
    """How the dictionary names a file of a layout."""
    return file.stem if layout == "clean" else f"{layout}/{file.stem}"


def years_with_values(frame: pl.DataFrame) -> dict[str, tuple[int, ...]]:
    """Column -> years in which some row has a value."""
    if frame.is_empty():
        return dict.fromkeys(frame.columns, ())
    present = frame.group_by("year").agg(pl.all().is_not_null().any()).sort("year")
    years = frame["year"].unique().sort().to_list()
    found = {
        name: tuple(y for y, there in present.select("year", name).iter_rows() if there) for name in present.columns[1:]
    }
    return {"year": tuple(years), **found}


def type_name(dtype: type[pl.DataType]) -> str:
    """integer, number or string."""
    if dtype.is_integer():
        return "integer"
    return "number" if dtype.is_float() else "string"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _list(items: Sequence[object]) -> str | None:
    return "; ".join(str(i) for i in items) or None


def _samples(samples: Sequence[str]) -> str | None:
    return _list([f"{s} ({SAMPLES[s]})" for s in dict.fromkeys(samples)])


def metric_facts(predictor: Predictor, metric: Metric, meta: ReleaseMeta) -> dict[str, str | None]:
    """The dictionary's cells about a metric and its predictor."""
    notes = meta.notes_for(predictor.sources)
    breaks = [f"Series break {year}: {text}" for year, text in predictor.breaks]
    return {
        "unit": metric.unit,
        "minimum": _number(metric.minimum),
        "maximum": _number(metric.maximum),
        "interval": INTERVALS[metric.interval] or None,
        "metric": metric.column,
        "predictor": predictor.key,
        "pillar": PILLARS[predictor.pillar],
        "source": _list([n.title for n in notes]),
        "licence": _list(list(dict.fromkeys(n.licence for n in notes if n.licence))),
        "definition": predictor.definition or predictor.title,
        "notes": " ".join([*predictor.notes, *breaks]) or None,
    }


def _declared(predictor: Predictor, metric: str, file: PublishedFile) -> dict[str, str | None]:
    """Years, subgroups and samples that a predictor declares for a metric in a file."""
    chosen = {y: s for y in predictor.years if (s := series_of(predictor, file, metric, y)) is not None}
    labels = {label for s in chosen.values() for label in s.subgroups.get(file.kind, ())}
    samples = [s.sample for s in chosen.values()]
    return {
        "years_declared": _list(sorted(chosen)),
        "levels": file.level,
        "subgroups": None if file.overall else _list([label for label in SUBGROUPS[file.kind] if label in labels]),
        "sample": _samples(samples),
    }


def _wide_rows(
    file: PublishedFile,
    layout: Layout,
    listed: Sequence[Column],
    *,
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
    years: Mapping[str, tuple[int, ...]],
) -> Iterator[dict[str, str | None]]:
    declared = metrics_by_column(entries)
    for column in listed:
        row: dict[str, str | None] = {
            "file": name_of(file, layout),
            "column": column.name,
            "type": type_name(column.dtype),
            "years": _list(years.get(column.name, ())),
            "levels": file.level,
        }
        if column.role == "stray":
            row |= {"title": _HEAD_TITLES[column.name], "notes": _STRAY_NOTE}
        elif column.metric is None:
            row["title"] = _HEAD_TITLES[column.name]
        else:
            part = str(column.part)
            if column.metric in declared:
                predictor, metric = declared[column.metric]
                row |= metric_facts(predictor, metric, meta) | _declared(predictor, metric.column, file)
                row["title"] = _PART_TITLES[part].format(metric.title)
                if metric.text_format is not None and part == "value":
                    row["title"] = f"{metric.title} (text: {_form(metric.text_format)})"
            else:
                row |= {"title": _PART_TITLES[part].format(column.metric), "metric": column.metric}
            if part != "value" or row["type"] == "string":
                row |= {"minimum": None, "maximum": None}
            if row["type"] == "string":
                row |= {"unit": None, "interval": None}
        yield row


def _form(text_format: str) -> str:
    """`{numerator:.3f}:{denominator:.3f}` as readers see it: numerator:denominator."""
    return "".join(literal + (field or "") for literal, field, _, _ in string.Formatter().parse(text_format))


def dictionary(
    entries: Mapping[str, Entry],
    included: frozenset[str],
    written: Sequence[Written],
    meta: ReleaseMeta,
    *,
    layouts: Sequence[Layout] = ("clean",),
    tables: Sequence[SideTable] = (),
) -> pl.DataFrame:
    """The dictionary as a frame of text (columns of `COLUMNS`).

    `entries` is the whole catalog, `included` the predictors of this release, `written` its wide files, `tables`
    its plain tables.
    """
    rows: list[dict[str, str | None]] = []
    declared = metrics_by_column(entries)
    here = {key: entry for key, entry in entries.items() if key in included}
    done = {(w.name): w for w in written}
    for layout in layouts:
        for file in FILES:
            there = done.get(name_of(file, layout))
            if there is not None:
                for row in _wide_rows(file, layout, there.columns, entries=entries, meta=meta, years=there.years):
                    rows.append(row | {"status": PUBLISHED})
                published = {c.name for c in there.columns}
            else:
                published = set()
            if not is_written(file, entries):
                continue
            planned = [c for c in columns(file, entries, layout) if c.name not in published]
            described = _wide_rows(file, layout, planned, entries=entries, meta=meta, years={})
            for column, row in zip(planned, described, strict=True):
                owner = declared[column.metric][0].key if column.metric in declared else None
                rows.append(row | {"status": _status(owner, file, here, entries)})
    rows += list(_long_rows(here, meta))
    rows += _plain("suppressions", suppress.SCHEMA, suppress.DESCRIPTIONS)
    for side in tables:
        rows += _plain(side.name, side.types, side.descriptions)
    rows += _plain("data_dictionary", dict.fromkeys(COLUMNS, pl.String), COLUMNS)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))
    if meta.synthetic:
        marked = pl.concat_str(pl.lit(SYNTHETIC_NOTICE), pl.col("notes"), separator=" ", ignore_nulls=True)
        frame = frame.with_columns(marked.alias("notes"))
    return frame


def _status(owner: str | None, file: PublishedFile, here: Mapping[str, Entry], entries: Mapping[str, Entry]) -> str:
    if owner is None:
        return NO_VALUES if is_written(file, here) else (LEFT_OUT if is_written(file, _built(entries)) else NOT_BUILT)
    if owner in here:
        return NO_VALUES
    return LEFT_OUT if entries[owner].built else NOT_BUILT


def _built(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {key: entry for key, entry in entries.items() if entry.built}


def _plain(file: str, types: Mapping[str, type[pl.DataType]], titles: Mapping[str, str]) -> list[dict[str, str | None]]:
    return [
        {"file": file, "column": c, "title": titles[c].rstrip("."), "type": type_name(t), "status": PUBLISHED}
        for c, t in types.items()
    ]


def _long_rows(here: Mapping[str, Entry], meta: ReleaseMeta) -> Iterator[dict[str, str | None]]:
    for row in _plain("estimates", LONG, LONG_DESCRIPTIONS):
        yield row
        if row["column"] == "value":
            for predictor, metric in metrics_by_column(here).values():
                wide_note = None if metric.published else "In the long file only."
                facts = metric_facts(predictor, metric, meta)
                yield (
                    row
                    | facts
                    | {
                        "title": metric.title,
                        "years_declared": _list(predictor.years),
                        "levels": _list(predictor.levels),
                        "subgroups": _list(
                            [label for _, label in dict.fromkeys(c for s in predictor.series for c in s.cells)]
                        ),
                        "sample": _list(
                            [f"{s} ({SAMPLES[s]})" for s in dict.fromkeys(x.sample for x in predictor.series)]
                        ),
                        "notes": _list([n for n in (facts["notes"], wide_note) if n]),
                    }
                )


def field_schema(column: Column, entries: Mapping[str, Entry]) -> dict[str, Any]:
    """A column as a field of a Frictionless table schema."""
    declared = metrics_by_column(entries)
    constraints: dict[str, Any] = {}
    title = _HEAD_TITLES.get(column.name, column.name)
    if column.role == "key":
        constraints["required"] = True
    if column.metric in declared:
        metric = declared[column.metric][1]
        title = _PART_TITLES[str(column.part)].format(metric.title)
        if column.part == "value" and column.dtype.is_float():
            limits = {"minimum": metric.minimum, "maximum": metric.maximum}
            constraints |= {k: v for k, v in limits.items() if v is not None}
    if column.part == "quality":
        constraints["enum"] = list(QUALITY_WORDS.values())
    shape: dict[str, Any] = {"name": column.name, "type": type_name(column.dtype), "title": title}
    return shape | ({"constraints": constraints} if constraints else {})
