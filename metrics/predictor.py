"""How a predictor declares itself. Everything else about it (files, dictionary, checks, UI) is derived from this."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import polars as pl

from metrics.deviation import Deviation
from metrics.review import Review
from schemas.estimate import ESTIMATE, Limits
from schemas.labels import ALL, LEVELS, SAMPLES, SUBGROUPS, Level
from schemas.microdata import RecordUse

Pillar = Literal["rewarding_work", "education", "neighborhoods", "health", "governance"]
PILLARS: Final[dict[Pillar, str]] = {
    "rewarding_work": "Rewarding Work",
    "education": "High-Quality Education",
    "neighborhoods": "Opportunity-Rich & Inclusive Neighborhoods",
    "health": "Healthy Environment & Access to Good Health Care",
    "governance": "Responsive & Just Governance",
}
Interval = Literal["none", "sampling", "suppression"]


@dataclass(frozen=True)
class Metric:
    """One published figure.

    `unit` is a short word for readers (share, ratio, dollars, count, rate per 100,000, index 0-100, ...).
    `minimum`/`maximum` are hard limits of the value. `interval` tells what `lb`/`ub` mean: a 95 % sampling interval,
    or the range left open by suppression at the source. `text_format` is set where the reference publishes text made
    from numerator and denominator, e.g. "{numerator:.3f}:{denominator:.3f}". A metric with `published=False` appears
    in the long file only. `withheld` names figures beside the value (columns of `Estimate`) that are a source's own and
    may not be passed on under its licence: accounts of the data root show them, releases leave them blank.
    """

    column: str
    title: str
    unit: str
    minimum: float | None = 0.0
    maximum: float | None = None
    interval: Interval = "none"
    text_format: str | None = None
    published: bool = True
    withheld: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def limits(self) -> Limits:
        """What the gate checks."""
        return Limits(self.minimum, self.maximum, self.interval != "none")


@dataclass(frozen=True)
class Series:
    """One source sample of a predictor: its years, levels and subgroups, and the tables it is made from.

    `subgroups` maps a subgroup type to the labels published for it; the type "all" is always there and need not be
    listed. `overall` is true if the overall file (11/61) takes its figure from this series. `tables` are the input
    tables without which the series cannot be computed (names of `estimate` parameters). `metrics` limits the series
    to some of the predictor's metrics; empty means all. `long_only` names subgroup types that are computed but stand in
    the long file only, not in a group file. Two series may share a sample, as long as they agree where they overlap.
    """

    sample: str
    years: tuple[int, ...]
    tables: tuple[str, ...]
    levels: tuple[Level, ...] = LEVELS
    subgroups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    overall: bool = True
    metrics: tuple[str, ...] = ()
    long_only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.sample not in SAMPLES:
            raise ValueError(f"sample {self.sample!r} is not in the closed list")
        for kind, labels in self.subgroups.items():
            if kind == "all" or not set(labels) <= set(SUBGROUPS[kind]):
                raise ValueError(f"subgroups {kind}: {labels} are not in the closed list")
        if not set(self.long_only) <= set(self.subgroups):
            raise ValueError(f"long_only {self.long_only} names subgroup types that the series does not have")

    @property
    def cells(self) -> list[tuple[str, str]]:
        """(subgroup_type, subgroup) pairs, `All` first."""
        return [("all", ALL), *((kind, label) for kind, labels in self.subgroups.items() for label in labels)]


@dataclass(frozen=True)
class Predictor:
    """One of the 24 predictors: names for readers, what is published, and the series that make it up."""

    key: str
    title: str
    pillar: Pillar
    definition: str
    metrics: tuple[Metric, ...]
    series: tuple[Series, ...]
    sources: tuple[str, ...]
    method: str
    notes: tuple[str, ...] = ()
    breaks: tuple[tuple[int, str], ...] = ()

    @property
    def years(self) -> tuple[int, ...]:
        """All years in which some series exists."""
        return tuple(sorted({y for s in self.series for y in s.years}))

    def years_of(self, sample: str) -> tuple[int, ...]:
        """Years in which some series of that sample exists."""
        return tuple(sorted({y for s in self.series if s.sample == sample for y in s.years}))

    @property
    def levels(self) -> tuple[Level, ...]:
        """Levels for which some series exists."""
        return tuple(level for level in LEVELS if any(level in s.levels for s in self.series))

    def metric(self, column: str) -> Metric:
        """The metric of that column name."""
        return next(m for m in self.metrics if m.column == column)

    def metrics_of(self, series: Series) -> tuple[Metric, ...]:
        """The metrics a series computes."""
        return tuple(m for m in self.metrics if not series.metrics or m.column in series.metrics)

    def limits(self) -> dict[str, Limits]:
        """Gate limits by metric column."""
        return {m.column: m.limits for m in self.metrics}

    def cells(self, year: int) -> Iterator[tuple[Series, Level, str, str, Metric]]:
        """Every (series, level, subgroup type, subgroup, metric) that must exist in `year`."""
        for series in self.series:
            if year in series.years:
                for level in series.levels:
                    for kind, label in series.cells:
                        for metric in self.metrics_of(series):
                            yield series, level, kind, label, metric


Estimator = Callable[..., pl.DataFrame]


@dataclass(frozen=True)
class Substitute:
    """Another source that can stand in for a predictor's own in the years of `series`, where a user asks for it.

    Its name, by which it is asked for, is the sample of `series`. `source` is the key of the source, `note` what a
    reader of the figures must know. `estimate` and `explain` take the place of the predictor's own in these years.
    """

    series: Series
    source: str
    note: str
    estimate: Estimator
    explain: Callable[..., Any]

    @property
    def name(self) -> str:
        """What a user asks for."""
        return self.series.sample


@dataclass(frozen=True)
class Entry:
    """A predictor of the catalog with its functions; `estimate` is None while the predictor is not built yet.

    `microdata` says, by table, what it uses of microdata.
    """

    predictor: Predictor
    estimate: Estimator | None
    explain: Callable[..., Any] | None
    deviations: tuple[Deviation, ...] = ()
    substitute: Substitute | None = None
    reviews: tuple[Review, ...] = ()
    microdata: Mapping[str, RecordUse] = field(default_factory=dict)

    @property
    def built(self) -> bool:
        """Whether the predictor can be computed."""
        return self.estimate is not None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Upstream tables: the parameter names of `estimate`, apart from `year` and switches (which have a default)."""
        if self.estimate is None:
            return ()
        parameters = inspect.signature(self.estimate).parameters.values()
        return tuple(p.name for p in parameters if p.name != "year" and p.default is p.empty)


def expected_keys(predictor: Predictor, year: int, spine: pl.DataFrame) -> pl.DataFrame:
    """The key of every estimate that must exist in `year`: the spine crossed with the predictor's cells.

    `spine` has level, state, geo (one row per geography of the year). Returns the eight key columns of `Estimate`.
    """
    cells = pl.DataFrame(
        [(level, kind, label, metric.column, s.sample) for s, level, kind, label, metric in predictor.cells(year)],
        schema=dict.fromkeys(("level", "subgroup_type", "subgroup", "metric", "sample"), pl.String),
        orient="row",
    ).unique(maintain_order=True)
    return (
        spine.select("level", "state", "geo")
        .join(cells, on="level", how="inner")
        .select(pl.lit(year, dtype=ESTIMATE["year"]).alias("year"), "level", "state", "geo", *cells.columns[1:])
    )


def _owed_cells(predictor: Predictor, year: int, owed: frozenset[str]) -> pl.DataFrame:
    """Cells of `year` that no series with all its tables gives. Columns: level .. sample of the key, `owed` (true)."""
    whole: set[tuple[str, ...]] = set()
    lacking: set[tuple[str, ...]] = set()
    for series, level, kind, label, metric in predictor.cells(year):
        cell = (level, kind, label, metric.column, series.sample)
        (lacking if owed & set(series.tables) else whole).add(cell)
    columns = ("level", "subgroup_type", "subgroup", "metric", "sample")
    frame = pl.DataFrame(sorted(lacking - whole), schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(pl.lit(True).alias("owed"))


def complete(
    computed: pl.DataFrame,
    predictor: Predictor,
    year: int,
    spine: pl.DataFrame,
    *,
    owed: frozenset[str] = frozenset(),
    default_reason: str = "area not covered by source",
) -> pl.DataFrame:
    """Fill `computed` up to the whole universe of the year, so that every missing value has a row and a reason.

    `computed` has any subset of the `Estimate` columns (the key without `year` at least), at most one row per key.
    Rows outside the universe are an error of the estimator and stay in the frame, where the gate reports them. `owed`
    names input tables that could not be had: a missing value that no series can give without one of them has reason
    "input owed". Other absent rows, and null values without a reason, get `default_reason`. Quality and bounds of null
    values are removed. Returns an `Estimate` frame sorted by key.
    """
    rows = computed.with_columns(pl.lit(year, dtype=ESTIMATE["year"]).alias("year"))
    rows = rows.select(
        (pl.col(c).cast(t) if c in rows.columns else pl.lit(None, dtype=t).alias(c)) for c, t in ESTIMATE.items()
    )
    unknown = set(computed.columns) - set(ESTIMATE)
    if unknown:
        raise ValueError(f"{predictor.key}: unknown columns {sorted(unknown)}")
    keys = expected_keys(predictor, year, spine)
    absent = keys.join(rows, on=keys.columns, how="anti")
    rows = pl.concat([rows, absent], how="diagonal").select(list(ESTIMATE))
    lacking = _owed_cells(predictor, year, owed)
    rows = rows.join(lacking, on=lacking.columns[:-1], how="left", validate="m:1")
    reason = (
        pl.when(pl.col("reason").is_not_null() | pl.col("value").is_not_null())
        .then(pl.col("reason"))
        .when(pl.col("owed"))
        .then(pl.lit("input owed"))
        .otherwise(pl.lit(default_reason))
    )
    missing = pl.col("value").is_null()
    return (
        rows.with_columns(reason.alias("reason"))
        .select(list(ESTIMATE))
        .with_columns(pl.when(~missing).then(pl.col(c)).alias(c) for c in ("lb", "ub", "quality"))
        .sort("level", "state", "geo", "sample", "subgroup_type", "subgroup", "metric")
    )
