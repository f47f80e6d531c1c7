"""What changed from one release to the next: every figure, with the reason, and a summary with the largest movers.

Two releases are compared year by year, so that national ones fit into memory. A figure is one field (value, bound or
quality) of one estimate; it is listed if it differs, is new, or is gone. The reason follows from what the releases
record about themselves (`lineage.csv`, see `outputs.lineage`), never from the size of the change. Where nothing that a
figure was made from has changed, the figure may not change either: such a change is `unexplained`, and a release with
one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq
from upath import UPath

from outputs.about import ReleaseMeta
from outputs.deliver import LATEST, MANIFEST, local, manifest_of
from outputs.lineage import CAUSES, LINEAGE_FILE, NOT_RECORDED, causes, read_lineage, recorded
from outputs.suppress import REASON as SUPPRESSED
from outputs.write import ROW_GROUP, csv_text, gzip_writer
from schemas.errors import MobilityError
from schemas.estimate import KEY

FIELDS: Final = ("value", "lb", "ub", "quality")
NEW_METRIC: Final = "new metric"
NEW_YEAR: Final = "new year"
WITHDRAWN: Final = "withdrawn"
SUPPRESSION: Final = "suppression"
OWED: Final = "input owed"
UNEXPLAINED: Final = "unexplained"

REVISION_REASONS: Final[dict[str, str]] = {
    NEW_METRIC: "The earlier release has no figures of this metric.",
    NEW_YEAR: "The earlier release has no figures of this metric for this year.",
    WITHDRAWN: "The later release has no figures of this metric for this year.",
    SUPPRESSION: "A figure is withheld after review, or no longer withheld; see the suppression list.",
    OWED: "A source file was not available for one of the two releases.",
    **CAUSES,
    UNEXPLAINED: "Nothing that the figure was made from has changed; this must not happen.",
}

REVISIONS: Final[dict[str, type[pl.DataType]]] = {
    "year": pl.Int32,
    "level": pl.String,
    "geoid": pl.String,
    "state_name": pl.String,
    "name": pl.String,
    "predictor": pl.String,
    "metric": pl.String,
    "subgroup_type": pl.String,
    "subgroup": pl.String,
    "sample": pl.String,
    "field": pl.String,
    "old": pl.Float64,
    "new": pl.Float64,
    "reason": pl.String,
}
REVISION_DESCRIPTIONS: Final[dict[str, str]] = {
    "year": "Data year.",
    "level": "county or place.",
    "geoid": "State and geography code together: 5 digits for counties, 7 for places.",
    "state_name": "Name of the state.",
    "name": "Name of the county or place.",
    "predictor": "Predictor the metric belongs to.",
    "metric": "Published column name.",
    "subgroup_type": "Family of the subgroup; `all` for the whole population.",
    "subgroup": "Published subgroup label; `All` for the whole population.",
    "sample": "Source sample.",
    "field": "value, lb, ub or quality (1 strong, 2 marginal, 3 weak).",
    "old": "The field in the earlier release; missing if there was none.",
    "new": "The field in this release; missing if there is none any more.",
    "reason": "Why it changed: " + ", ".join(REVISION_REASONS) + ".",
}
_NAMES: Final = ("predictor", "state_name", "name")
_READ: Final = (*KEY, *_NAMES, *FIELDS, "reason")
MOVERS: Final = 5
"""How many of a metric's largest movers the summary names."""


class DiffError(MobilityError):
    """Two releases cannot be compared."""


# ---- pure: two long frames in, revisions out -----------------------------------------------------------------------


def changes(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Fields that differ between two long frames (columns of the long file; one year or more).

    Returns key, names, `field`, `old`, `new`, `old_reason`, `new_reason`; one row per field that is not the same in
    both. Numbers are compared exactly. Frames sorted alike by key, as releases are, are compared without a join.
    """
    key = list(KEY)
    keys_agree = old.height == new.height and all(old[c].equals(new[c]) for c in key)
    if keys_agree:
        differs = pl.Series("differs", [False]).new_from_index(0, old.height)
        for name in FIELDS:
            differs |= old[name].ne_missing(new[name])
        before, after = old.filter(differs), new.filter(differs)
        both = before.select(*(pl.col(c).alias(f"old_{c}") for c in (*FIELDS, "reason")))
        both = pl.concat([after.select(*key, *_NAMES, *FIELDS, "reason"), both], how="horizontal")
    else:
        renamed = {c: f"old_{c}" for c in (*_NAMES, *FIELDS, "reason")}
        both = new.select(*key, *_NAMES, *FIELDS, "reason").join(
            old.select(*key, *(pl.col(c).alias(o) for c, o in renamed.items())),
            on=key,
            how="full",
            coalesce=True,
            validate="1:1",
        )
        both = both.with_columns(pl.coalesce(c, f"old_{c}").alias(c) for c in _NAMES).filter(
            pl.any_horizontal(pl.col(f).ne_missing(pl.col(f"old_{f}")) for f in FIELDS)
        )
    parts = [
        both.filter(pl.col(f).ne_missing(pl.col(f"old_{f}"))).select(
            *key,
            *_NAMES,
            pl.lit(f).alias("field"),
            pl.col(f"old_{f}").cast(pl.Float64).alias("old"),
            pl.col(f).cast(pl.Float64).alias("new"),
            "old_reason",
            pl.col("reason").alias("new_reason"),
        )
        for f in FIELDS
    ]
    return pl.concat(parts)


def published(long: pl.LazyFrame) -> pl.DataFrame:
    """Metric and year for which a release has some value."""
    there = long.filter(pl.col("value").is_not_null()).select("metric", "year").unique()
    return there.collect(engine="streaming")


def with_reasons(found: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame, why: pl.DataFrame | None) -> pl.DataFrame:
    """Revisions from `changes`: columns `REVISIONS`, sorted by key and field.

    `old` and `new` are what the two releases have (`published`), `why` the causes by predictor and year
    (`outputs.lineage.causes`), or None if a release does not record what it was made from.
    """
    otherwise = NOT_RECORDED if why is None else UNEXPLAINED
    if why is None:
        why = causes(None, None)
    metric_year = ["metric", "year"]
    here = (
        found.join(old.with_columns(pl.lit(True).alias("_before")), on=metric_year, how="left", validate="m:1")
        .join(new.with_columns(pl.lit(True).alias("_after")), on=metric_year, how="left", validate="m:1")
        .join(why.select("predictor", "year", "cause"), on=["predictor", "year"], how="left", validate="m:1")
    )
    hidden = (pl.col("old_reason") == SUPPRESSED).fill_null(False) | (pl.col("new_reason") == SUPPRESSED).fill_null(
        False
    )
    owed = (pl.col("old_reason") == OWED).fill_null(False) | (pl.col("new_reason") == OWED).fill_null(False)
    reason = (
        pl.when(~pl.col("metric").is_in(old["metric"].unique().to_list()))
        .then(pl.lit(NEW_METRIC))
        .when(pl.col("_after").is_null())
        .then(pl.lit(WITHDRAWN))
        .when(pl.col("_before").is_null())
        .then(pl.lit(NEW_YEAR))
        .when(hidden)
        .then(pl.lit(SUPPRESSION))
        .when(owed)
        .then(pl.lit(OWED))
        .otherwise(pl.coalesce("cause", pl.lit(otherwise)))
    )
    geoid = pl.concat_str("state", "geo").alias("geoid")
    order = pl.col("field").replace_strict({f: i for i, f in enumerate(FIELDS)}, return_dtype=pl.Int8)
    return (
        here.with_columns(reason.alias("reason"), geoid)
        .sort(*KEY, order)
        .select(pl.col(c).cast(t) for c, t in REVISIONS.items())
    )


def unexplained(revisions: pl.DataFrame) -> list[str]:
    """The rule that figures of old years stay: one finding per metric and year with changes that nothing explains."""
    bad = revisions.filter(pl.col("reason") == UNEXPLAINED)
    found = bad.group_by("metric", "year", maintain_order=True).agg(
        pl.len(), pl.col("geoid").first(), pl.col("field").first(), pl.col("old").first(), pl.col("new").first()
    )
    return [
        f"{metric} {year}: {n} figures changed although nothing they are made from did, such as {what} of {geoid} "
        f"from {old} to {new}"
        for metric, year, n, geoid, what, old, new in found.sort("metric", "year").iter_rows()
    ]


def changes_without_cause(old: pl.LazyFrame, new: pl.LazyFrame, why: pl.DataFrame | None) -> list[str]:
    """Findings of the rule over two whole long frames; none means that every change has its reason."""
    revisions = with_reasons(
        changes(old.select(_READ).collect(), new.select(_READ).collect()), published(old), published(new), why
    )
    return unexplained(revisions)


# ---- a summary that is added up year by year -----------------------------------------------------------------------


@dataclass
class Summary:
    """Counts and movers of a comparison."""

    old: str | None
    new: str
    figures: int = 0
    causes: list[dict[str, Any]] = field(default_factory=list)
    _counts: list[pl.DataFrame] = field(default_factory=list)
    _movers: list[pl.DataFrame] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def add(self, revisions: pl.DataFrame, figures: int) -> None:
        """Take in the revisions of one year; `figures` counts those that were compared."""
        self.figures += figures
        self._counts.append(revisions.group_by("metric", "year", "reason", "field").len("figures"))
        moved = revisions.filter(
            (pl.col("field") == "value") & pl.col("old").is_not_null() & pl.col("new").is_not_null()
        ).with_columns((pl.col("new") - pl.col("old")).alias("change"))
        top = moved.sort(pl.col("change").abs(), "geoid", "subgroup", descending=[True, False, False])
        self._movers.append(top.group_by("metric", maintain_order=True).head(MOVERS))
        self.findings += unexplained(revisions)

    @property
    def counts(self) -> pl.DataFrame:
        """Changed figures by metric, year, reason and field."""
        if not self._counts:
            schema = {
                "metric": pl.String,
                "year": pl.Int32,
                "reason": pl.String,
                "field": pl.String,
                "figures": pl.UInt32,
            }
            return pl.DataFrame(schema=schema)
        return pl.concat(self._counts).sort("metric", "year", "reason", "field")

    @property
    def movers(self) -> pl.DataFrame:
        """The values that moved most, at most `MOVERS` per metric, the metrics in order."""
        if not self._movers:
            return pl.DataFrame(schema={**REVISIONS, "change": pl.Float64})
        top = pl.concat(self._movers).sort(
            pl.col("metric"), pl.col("change").abs(), "geoid", "year", descending=[False, True, False, False]
        )
        return top.group_by("metric", maintain_order=True).head(MOVERS)

    @property
    def by_reason(self) -> dict[str, int]:
        """Changed figures by reason, in the order of the closed list."""
        sums = dict(self.counts.group_by("reason").agg(pl.col("figures").sum()).iter_rows())
        return {reason: sums[reason] for reason in REVISION_REASONS if reason in sums}

    @property
    def changed(self) -> int:
        """How many figures changed."""
        return sum(self.by_reason.values())

    def as_json(self) -> str:
        """The summary for programs."""
        told = {
            "old": self.old,
            "new": self.new,
            "figures_compared": self.figures,
            "figures_changed": self.changed,
            "by_reason": self.by_reason,
            "counts": self.counts.to_dicts(),
            "largest_movers": self.movers.drop("field").to_dicts(),
            "causes": self.causes,
            "unexplained": self.findings,
        }
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"

    def as_text(self) -> str:
        """The summary for people, as Markdown."""
        if self.old is None:
            return "This is the first release of its kind here; there is no earlier one to compare with.\n"
        lines = [f"Compared with {self.old}: {self.changed:,} of {self.figures:,} figures changed.", ""]
        if not self.changed:
            return lines[0] + "\n"
        lines += ["| reason | figures | what it means |", "|---|---|---|"]
        lines += [f"| {r} | {n:,} | {REVISION_REASONS[r]} |" for r, n in self.by_reason.items()]
        table = self.counts.group_by("metric", "reason", maintain_order=True).agg(
            pl.col("year").unique().sort(), pl.col("figures").sum()
        )
        lines += ["", "| metric | years | reason | figures |", "|---|---|---|---|"]
        lines += [
            f"| {metric} | {', '.join(map(str, years))} | {reason} | {n:,} |"
            for metric, reason, years, n in table.iter_rows()
        ]
        if self.causes:
            lines += ["", "What changed in the making:", ""]
            lines += [f"- {c['predictor']} {c['year']}: {c['cause']} ({c['evidence']})" for c in self.causes]
        if self.movers.height:
            lines += ["", "Largest movers:", "", "| metric | year | where | subgroup | old | new | reason |"]
            lines.append("|---|---|---|---|---|---|---|")
            lines += [
                f"| {m['metric']} | {m['year']} | {m['name']}, {m['state_name']} ({m['geoid']}) | {m['subgroup']} "
                f"| {m['old']:.6g} | {m['new']:.6g} | {m['reason']} |"
                for m in self.movers.iter_rows(named=True)
            ]
        return "\n".join(lines) + "\n"


# ---- releases on disk ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """What a comparison reads of a release: its name, its long file and, if it has one, its lineage."""

    name: str
    estimates: Path
    lineage: pl.DataFrame | None

    @classmethod
    def at(cls, folder: Path | UPath, scratch: Path) -> Release:
        """The release in a folder; a remote one is copied into `scratch`."""
        folder = local(folder)
        if not (folder / MANIFEST).exists() or not (folder / "estimates.parquet").exists():
            raise DiffError(f"{folder} is not a release: {MANIFEST} or estimates.parquet is missing.")
        name = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["name"]
        estimates, lineage = folder / "estimates.parquet", folder / LINEAGE_FILE
        known = read_lineage(lineage.read_bytes()) if lineage.exists() else None
        if isinstance(folder, UPath):
            copy = scratch / f"{name}-estimates.parquet"
            folder.fs.get_file((folder / "estimates.parquet").path, str(copy))
            return cls(name, copy, known)
        return cls(name, Path(str(estimates)), known)


def previous_release(root: Path | UPath, meta: ReleaseMeta, *, but: str) -> Path | UPath | None:
    """The release under `root` to compare a new one with: of the same kind (synthetic or real) and the same states.

    `LATEST` if it is one, else the newest. `but` is the new release's own name.
    """
    root = local(root)
    if not root.exists():
        return None

    def fits(name: str) -> dict[str, Any] | None:
        manifest = manifest_of(root, name) if name != but else None
        states = None if meta.states is None else list(meta.states)
        if manifest is None or (manifest["synthetic"], manifest["states"]) != (meta.synthetic, states):
            return None
        return manifest

    pointer = root / LATEST
    if pointer.exists() and fits(latest := pointer.read_text(encoding="utf-8").strip()) is not None:
        return root / latest
    names = [p.name for p in root.iterdir() if not p.name.startswith(".") and (p / MANIFEST).exists()]
    dated = [(m["created_at"], name) for name in names if (m := fits(name)) is not None]
    return root / max(dated)[1] if dated else None


def _years(path: Path) -> set[int]:
    return set(pl.scan_parquet(path).select(pl.col("year").unique()).collect(engine="streaming")["year"])


def compare(old: Release, new: Release) -> Iterator[tuple[pl.DataFrame, int]]:
    """Revisions year by year, each with the number of figures compared (fields that are present in either release)."""
    frames = {release.name: pl.scan_parquet(release.estimates) for release in (old, new)}
    before, after = published(frames[old.name]), published(frames[new.name])
    why = causes(old.lineage, new.lineage) if recorded(old.lineage, new.lineage) else None
    for year in sorted(_years(old.estimates) | _years(new.estimates)):
        earlier, later = (frames[r.name].filter(pl.col("year") == year).select(_READ).collect() for r in (old, new))
        count = max(sum(f[c].count() for c in FIELDS) for f in (earlier, later))
        yield with_reasons(changes(earlier, later), before, after, why), count


def write_revisions(
    old: Release | None,
    new: Release,
    *,
    parquet: Path | None = None,
    csv_gz: Path | None = None,
    metadata: Mapping[str, str] | None = None,
    on_year: Callable[[int], None] | None = None,
) -> Summary:
    """Compare two releases, write the revisions (columns `REVISIONS`) to the files asked for, and sum them up.

    Without an earlier release the files have no rows.
    """
    summary = Summary(None if old is None else old.name, new.name)
    if old is not None:
        summary.causes = causes(old.lineage, new.lineage).sort("predictor", "year").to_dicts()
    empty = pl.DataFrame(schema=REVISIONS)
    arrow = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema.with_metadata(dict(metadata or {}))
    writer = pq.ParquetWriter(parquet, arrow, compression="zstd") if parquet is not None else None
    pieces = iter(()) if old is None else compare(old, new)
    try:
        if csv_gz is None:
            for revisions, figures in pieces:
                _take(summary, revisions, figures, writer)
        else:
            with gzip_writer(csv_gz) as csv:
                csv.write(csv_text(empty))
                for revisions, figures in pieces:
                    csv.write(csv_text(revisions, header=False))
                    _take(summary, revisions, figures, writer)
    finally:
        if writer is not None:
            writer.close()
    return summary


def _take(summary: Summary, revisions: pl.DataFrame, figures: int, writer: pq.ParquetWriter | None) -> None:
    summary.add(revisions, figures)
    if writer is not None and revisions.height:
        table = revisions.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer.write_table(table, row_group_size=ROW_GROUP)
