"""A small lawful release with all predictors, as the gate sees it, for tests that break one thing at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from metrics.catalog import catalog
from metrics.predictor import Predictor, complete, expected_keys
from outputs import release as publishing
from outputs.about import InputFile, Lineage, ReleaseMeta, SourceNote
from outputs.rules.context import Before, ReleaseContext, WideFile, table
from outputs.rules.report import GateReport, run_gate
from outputs.write import csv_text

REGIONS = ["110", "120", "130", "140", "150", "160", "170", "180", "190"]
OLD_COUNTIES = ["001", "003", "005", "007", "009", "011", "013", "015"]
STATES = ("01", "09", "11", "13", "36", "37", "51")
BALANCE = pl.DataFrame(
    {"year": [2018], "table": ["acs1_persons"], "state": ["37"], "before": [1000.0], "after": [1000.2]}
)
CONTROLS = pl.DataFrame(
    {"year": [2018], "table": ["acs1_persons"], "state": ["37"], "weighted": [100_050.0], "control": [100_000.0]}
)


def spine(year: int) -> pl.DataFrame:
    """Two cities that are their own county, two young cities, Connecticut, a suppressed county, and some others."""
    connecticut = REGIONS if year >= 2022 else OLD_COUNTIES
    rows = [
        ("county", "01", "001", "Autauga County"),
        *(("county", "09", code, f"Area {code}") for code in connecticut),
        ("county", "11", "001", "District of Columbia"),
        ("county", "13", "121", "Fulton County"),
        ("county", "36", "061", "New York County"),
        ("county", "37", "001", "Alamance County"),
        ("county", "37", "003", "Alexander County"),
        ("county", "51", "510", "Alexandria city"),
        ("place", "01", "07000", "Birmingham city"),
        ("place", "11", "50000", "Washington city"),
        ("place", "13", "49008", "Macon-Bibb County"),
        *([("place", "13", "72122", "South Fulton city")] if year >= 2018 else []),
        ("place", "36", "51000", "New York city"),
        ("place", "51", "01000", "Alexandria city"),
    ]
    frame = pl.DataFrame(rows, schema=["level", "state", "geo", "name"], orient="row")
    return frame.with_columns(pl.concat_str(pl.lit("State "), "state").alias("state_name"), population=pl.lit(50_000))


def estimates(predictor: Predictor, year: int) -> pl.DataFrame:
    """Lawful figures for every cell of a year but those of one county; a city has the figure of its own county."""
    keys = expected_keys(predictor, year, spine(year))
    code = pl.concat_str("state", "geo").replace({"1150000": "11001", "5101000": "51510"})
    i = (code.cast(pl.Int64) % 7).cast(pl.Float64)
    metric = pl.col("metric")
    groups = pl.when(pl.col("subgroup") == "All").then(4.0).otherwise(1.0)
    bands = {"pctl_income_20": 20_000.0, "pctl_income_50": 50_000.0, "pctl_income_80": 80_000.0}
    value = (
        pl.when(metric.is_in(list(bands)))
        .then(metric.replace_strict(bands, default=0.0, return_dtype=pl.Float64) + 100 * i)
        .when(metric == "ratio_population_pc_physician")
        .then(1500.0 + i)
        .when(metric == "count_homeless")
        .then(10.0 * groups)
        .when(metric == "count_membership_associations_per_10k")
        .then(9.0 + i / 10)
        .when(metric == "rate_learning")
        .then(1.0 + i / 100)
        .when(metric.str.starts_with("rate_"))
        .then(100.0 + i)
        .when(metric.str.starts_with("index_"))
        .then(40.0 + i)
        .when(metric.str.starts_with("ratio_"))
        .then(0.8 + i / 100)
        .otherwise(0.30 + i / 100)
    )
    bounded = metric.is_in([m.column for m in predictor.metrics if m.interval != "none"])
    five = pl.concat_str(pl.max_horizontal(pl.col("year") - 4, pl.lit(2012)), pl.lit("-"), "year")
    period = pl.when(pl.col("sample").is_in(["acs5", "acs5_tables"])).then(five)
    pooled = (metric == "share_low_birth_weight") & (pl.col("state") == "37")
    per = pl.when(metric.str.starts_with("rate_")).then(100_000.0).otherwise(1.0)
    rows = (
        keys.filter(pl.col("geo") != "121")
        .with_columns(value.alias("value"))
        .with_columns(pl.when(pooled).then(0.08).otherwise("value").alias("value"))
        .with_columns(
            pl.when(bounded).then(pl.col("value") * 0.9).alias("lb"),
            pl.when(bounded).then(pl.col("value") * 1.1).alias("ub"),
            pl.when(pooled).then(3).otherwise(1 + i.cast(pl.Int64) % 3).alias("quality"),
            pl.lit(100).alias("n"),
            pl.lit(100.0).alias("n_effective"),
            (pl.col("value") * 20_000.0 / per).alias("numerator"),
            pl.lit(20_000.0).alias("denominator"),
            pl.when(pooled).then(pl.lit("county-37-pool")).alias("estimation_area"),
            pl.when(pooled).then(2).otherwise(1).alias("n_areas"),
            period.otherwise(pl.col("year").cast(pl.String)).alias("reference_period"),
            pl.when(pooled).then(pl.lit("pooled area")).alias("reason"),
        )
    )
    # The two numbers of a text ratio are shares, and physicians are counted.
    house = metric.str.ends_with("_house_value_households")
    rows = rows.with_columns(
        pl.when(house).then(pl.col("value") * 0.25).otherwise("numerator").alias("numerator"),
        pl.when(house).then(0.25).otherwise("denominator").alias("denominator"),
    )
    without = table("without_bounds", year=pl.Int32)
    for row in without.iter_rows(named=True):
        hit = (metric == row["metric"]) & (pl.col("level") == row["level"])
        hit = hit if row["year"] is None else hit & (pl.col("year") == row["year"])
        rows = rows.with_columns(pl.when(~hit).then(pl.col(c)).alias(c) for c in ("lb", "ub"))
    return complete(rows, predictor, year, spine(year))


META = ReleaseMeta(
    profile="live",
    code_version="1",
    states=STATES,
    inputs=(
        InputFile("cpi", "2024", "cpi.xlsx", "aa"),
        InputFile("mit_living_wage", "2022", "wages.csv", "bb"),
    ),
    sources={"mit_living_wage": SourceNote("mit_living_wage", redistribute=False)},
    lineage=tuple(Lineage(key, y, "1") for key, entry in catalog().items() for y in entry.predictor.years),
)


def small_release(root: Path) -> ReleaseContext:
    """Publish the small release under `root` and return what its gate saw, in a copy that stays."""
    entries = catalog()
    frames = {
        key: pl.concat([estimates(e.predictor, year) for year in e.predictor.years]).lazy()
        for key, e in entries.items()
    }
    spines = {y: spine(y) for y in range(2014, 2024)}
    kept: list[ReleaseContext] = []

    def keep(context: ReleaseContext) -> GateReport:
        folder = root / "kept"
        shutil.copytree(context.folder, folder)
        kept.append(moved(context, folder))
        return run_gate(context)

    before = publishing.run_gate
    publishing.run_gate = keep
    try:
        publishing.publish(
            frames, spines, root / "published", META, facts=publishing.GateFacts(balance=BALANCE, controls=CONTROLS)
        )
    finally:
        publishing.run_gate = before
    context = kept[0]
    manifest = {"synthetic": False, "states": list(STATES)}
    return replace(context, before=Before("earlier", manifest, context.long), today=date(2026, 1, 1))


def moved(context: ReleaseContext, folder: Path) -> ReleaseContext:
    """The same context over a copy of its folder."""
    there = {
        w.name: WideFile(w.written, *(folder / p.relative_to(context.folder) for p in (w.csv, w.parquet)))
        for w in context.wide
    }
    long = pl.read_parquet(folder / "estimates.parquet").lazy()
    return replace(context, folder=folder, wide=tuple(there.values()), long=long)


# --- Breaking one thing ---------------------------------------------------------------------------------------------


def with_long(context: ReleaseContext, *changes: pl.Expr, keep: pl.Expr | None = None) -> ReleaseContext:
    """The context with other figures in the long file."""
    frame = context.long.collect().with_columns(*changes)
    return replace(context, long=(frame if keep is None else frame.filter(keep)).lazy())


def set_where(where: pl.Expr, **values: object) -> list[pl.Expr]:
    """Expressions that put values where a condition holds."""
    return [
        pl.when(where).then(v if isinstance(v, pl.Expr) else pl.lit(v)).otherwise(pl.col(c)).alias(c)
        for c, v in values.items()
    ]


def with_wide(
    context: ReleaseContext, number: int, change: Callable[[pl.DataFrame], pl.DataFrame], folder: Path
) -> ReleaseContext:
    """The context with one CSV file changed, cell text for cell text."""

    def edited(wide: WideFile) -> WideFile:
        csv = folder / wide.csv.name
        csv.write_bytes(csv_text(change(wide.text)))
        return WideFile(wide.written, csv, wide.parquet)

    return _other(context, number, edited)


def with_bytes(context: ReleaseContext, number: int, change: Callable[[bytes], bytes], folder: Path) -> ReleaseContext:
    """The context with the bytes of one CSV file changed."""

    def edited(wide: WideFile) -> WideFile:
        csv = folder / wide.csv.name
        data = change(wide.raw)
        assert data != wide.raw
        csv.write_bytes(data)
        return WideFile(wide.written, csv, wide.parquet)

    return _other(context, number, edited)


def _other(context: ReleaseContext, number: int, edited: Callable[[WideFile], WideFile]) -> ReleaseContext:
    assert any(w.written.file.number == number for w in context.wide)
    return replace(context, wide=tuple(edited(w) if w.written.file.number == number else w for w in context.wide))


def first_row(**cells: str | None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Put text into the first row that has a value in all of these columns."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        there = frame.with_row_index("_i").filter(pl.all_horizontal(pl.col(c).is_not_null() for c in cells))
        row = there["_i"][0]
        return frame.with_row_index("_i").with_columns(set_where(pl.col("_i") == row, **cells)).drop("_i")

    return change


def nation(context: ReleaseContext) -> ReleaseContext:
    """The context as if it covered all states: one county and one place in each."""
    codes = [f"{n:02}" for n in range(1, 57) if n not in (3, 7, 14, 43, 52)]
    rows = [(level, s, geo) for s in codes for level, geo in (("county", "001"), ("place", "07000"))]
    frame = pl.DataFrame(rows, schema=["level", "state", "geo"], orient="row").with_columns(
        pl.lit("Name").alias("name"), pl.lit("State").alias("state_name"), pl.lit(1000).alias("population")
    )
    meta = replace(context.meta, states=None)
    return replace(context, meta=meta, spines=dict.fromkeys(context.spines, frame))
