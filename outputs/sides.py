"""Writing the plain tables of a release: medians, breaks, sources, lineage, revisions."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
from upath import UPath

from metrics.predictor import Entry
from outputs.about import ReleaseMeta
from outputs.comparability import COMPARABILITY, COMPARABILITY_DESCRIPTIONS, comparability
from outputs.files import FILES, columns
from outputs.lineage import (
    LINEAGE,
    LINEAGE_DESCRIPTIONS,
    LINEAGE_FILE,
    SOURCE_DESCRIPTIONS,
    SOURCES,
    SOURCES_FILE,
    lineage,
    sources_table,
)
from outputs.medians import MEDIAN_DESCRIPTIONS, MEDIANS, all_medians, as_reference
from outputs.revisions import (
    REVISION_DESCRIPTIONS,
    REVISIONS,
    Release,
    Summary,
    previous_release,
    write_revisions,
)
from outputs.tables import SideTable
from outputs.write import write_csv, write_parquet
from schemas.labels import LEVELS

REVISIONS_SUMMARY: Final = "revisions.json"
_REVISION_KEY: Final = ("year", "level", "geoid", "metric", "subgroup_type", "subgroup", "sample", "field")


@dataclass(frozen=True)
class Sides:
    """The plain tables as written, the comparison with the earlier release, and the breaks in force."""

    tables: tuple[SideTable, ...]
    revisions: Summary
    breaks: pl.DataFrame


def write_sides(
    folder: Path,
    *,
    name: str,
    root: Path | UPath,
    spines: Mapping[int, pl.DataFrame],
    entries: Mapping[str, Entry],
    meta: ReleaseMeta,
    metadata: Mapping[str, str],
) -> Sides:
    """Write all plain tables into the draft, whose long file is there. `root` is where the earlier release is sought.

    `entries` are the predictors of the release; `metadata` goes into the Parquet files.
    """
    tables = _medians(folder, spines, entries, metadata)
    breaks = comparability(entries)
    write_csv(breaks, folder / "comparability.csv")
    tables.append(
        SideTable(
            "comparability",
            "Where figures do not compare",
            COMPARABILITY,
            COMPARABILITY_DESCRIPTIONS,
            ("comparability.csv",),
        )
    )
    write_csv(sources_table(meta), folder / SOURCES_FILE)
    tables.append(
        SideTable(
            "sources", "Source files", SOURCES, SOURCE_DESCRIPTIONS, (SOURCES_FILE,), ("source", "vintage", "file")
        )
    )
    made_from = lineage(meta, entries)
    write_csv(made_from, folder / LINEAGE_FILE)
    tables.append(
        SideTable("lineage", "What the figures were made from", LINEAGE, LINEAGE_DESCRIPTIONS, (LINEAGE_FILE,))
    )
    before = previous_release(root, meta, but=name)
    with tempfile.TemporaryDirectory() as scratch:
        summary = write_revisions(
            None if before is None else Release.at(before, Path(scratch)),
            Release(name, folder / "estimates.parquet", made_from),
            parquet=folder / "revisions.parquet",
            csv_gz=folder / "revisions.csv.gz",
            metadata=metadata,
        )
    (folder / REVISIONS_SUMMARY).write_text(summary.as_json(), encoding="utf-8")
    tables.append(
        SideTable(
            "revisions",
            "Figures that differ from the earlier release",
            REVISIONS,
            REVISION_DESCRIPTIONS,
            ("revisions.csv.gz", "revisions.parquet"),
            _REVISION_KEY,
        )
    )
    return Sides(tuple(tables), summary, breaks)


def _medians(
    folder: Path, spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry], metadata: Mapping[str, str]
) -> list[SideTable]:
    table = all_medians(pl.scan_parquet(folder / "estimates.parquet"), spines, entries)
    write_csv(table, folder / "medians.csv")
    write_parquet(table, folder / "medians.parquet", metadata)
    paths = ("medians.csv", "medians.parquet")
    title = "Population-weighted medians, nation and states"
    found = [SideTable("medians", title, MEDIANS, MEDIAN_DESCRIPTIONS, paths, ("year", "level", "area", "metric"))]
    for level in LEVELS:
        file = next(f for f in FILES if f.level == level and f.overall)
        numbers = [
            c.name
            for c in columns(file, entries)
            if c.part == "value" and c.metric is not None and c.dtype == pl.Float64
        ]
        wide = as_reference(table, level, numbers)
        if wide.is_empty():
            continue
        stem = f"{level}_medians_year_suppressed"
        write_csv(wide, folder / f"{stem}.csv")
        about = {"year": "Data year.", "group": "wtd_med: population-weighted median of the nation."}
        about |= {m: f"Median of {m}; missing if hidden (see the table medians)." for m in wide.columns[2:]}
        found.append(
            SideTable(
                stem,
                f"National medians over {'counties' if level == 'county' else 'cities'}, one column per metric",
                {"year": pl.Int32, "group": pl.String, **dict.fromkeys(wide.columns[2:], pl.Float64)},
                about,
                (f"{stem}.csv",),
                ("year",),
            )
        )
    return found
