"""What the tests of the ACS predictors share: plain records, areas, published files, and tables from raw files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from survey_support import allocation_frame, with_replicates

from metrics.catalog import catalog
from metrics.predictor import complete, expected_keys
from pipelines.derived import derived_tables
from pipelines.engine import gate_table
from schemas.estimate import gate
from sources import registry
from sources.framework import Retrieval

ONE_PUMA = allocation_frame([("county", "01", "001", "00100", 1.0)])
"""A county that is exactly one PUMA."""

SHARED_PUMAS = allocation_frame(
    [
        ("county", "01", "001", "00100", 0.25),
        ("county", "01", "003", "00100", 0.75),
        ("county", "01", "003", "00200", 1.0),
        ("place", "01", "07000", "00100", 0.1),
        ("place", "01", "07000", "00200", 0.5),
    ]
)
"""County 001 is a quarter of the first PUMA, 003 the rest of it and the second PUMA; a place lies in both."""

_PERSON = {
    **{"survey_year": 2018, "gq": 1, "age": 30, "sex": 1, "race": 1, "hispan": 0, "educd": 63, "gradeatt": 0},
    **dict.fromkeys(("diffrem", "diffphys", "diffmob", "diffsens", "diffcare"), 1),
}
_HOUSEHOLD = {
    **{"survey_year": 2018, "gq": 1, "vacancy": 0, "age": 50, "sex": 1, "race": 1, "hispan": 0},
    **{"cilaptop": 1, "citablet": 1, "cihispeed": 10, "cinethh": 1},
}
_TYPES = {
    "state": pl.String,
    "puma": pl.String,
    "puma_vintage": pl.Int16,
    "hhincome": pl.Int64,
    "adjust": pl.Float64,
    "countyfip": pl.String,
}
_PLACE = {"state": "01", "puma": "00100", "puma_vintage": 2010}


def _records(n: int, weight: str, stem: str, base: dict[str, Any], changed: dict[str, Any]) -> pl.DataFrame:
    """Each value of `changed` is a value for all records or a list with one for each."""
    frame = pl.DataFrame({weight: pl.Series([50 + i % 41 for i in range(n)], dtype=pl.Int32)})
    columns = {**_PLACE, **base, **changed}
    return with_replicates(
        frame.with_columns(
            pl.Series(name, value if isinstance(value, list) else [value] * n, dtype=_TYPES.get(name, pl.Int16))
            for name, value in columns.items()
        ),
        weight,
        stem,
        seed=n,
    )


def persons(n: int = 120, **changed: Any) -> pl.DataFrame:
    """White men of 30 in a household of 60,000 dollars, with a diploma and without disability."""
    return _records(n, "perwt", "repwtp", {**_PERSON, "hhincome": 60_000}, changed)


def households(n: int = 120, **changed: Any) -> pl.DataFrame:
    """Households of White men of 50, with 60,000 dollars, a laptop, a tablet and high-speed internet."""
    return _records(n, "hhwt", "repwt", {**_HOUSEHOLD, "hhincome": 60_000, "adjust": 1.0, "countyfip": None}, changed)


def weight_of(frame: pl.DataFrame) -> int:
    """Sum of the full weight."""
    return int(frame["perwt" if "perwt" in frame.columns else "hhwt"].sum())


def split_pumas(records: pl.DataFrame, allocation: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each PUMA as two, of every other record, each allocated as the whole one was."""
    half = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("9")).otherwise(pl.lit("8"))
    parts = pl.concat([allocation.with_columns((pl.lit(x) + pl.col("puma").str.slice(1)).alias("puma")) for x in "98"])
    parts = parts.with_columns(pl.len().over("level", "state", "geo").cast(pl.Int32).alias("n_pumas"))
    return records.with_columns((half + pl.col("puma").str.slice(1)).alias("puma")), parts


def row_of(frame: pl.DataFrame, **where: str) -> dict[str, Any]:
    """The one row with these values; `All` where no subgroup is said."""
    wanted = {"subgroup": "All", **where}
    return frame.row(by_predicate=pl.all_horizontal(pl.col(c) == v for c, v in wanted.items()), named=True)


def published(realcases: Path, file: str, level: str) -> pl.DataFrame:
    """A per-metric file of the reference: year, state, geo, subgroup, then its figures as numbers."""
    text = pl.read_csv(realcases / "published_files" / "raw" / f"{file}.csv.gz", infer_schema=False, null_values=["NA"])
    if "subgroup" not in text.columns:
        text = text.with_columns(pl.lit("All").alias("subgroup"))
    key = ("year", "state", level, "subgroup_type", "subgroup")
    return text.select(
        pl.col("year").cast(pl.Int32),
        "state",
        pl.col(level).alias("geo"),
        "subgroup",
        pl.col([c for c in text.columns if c not in key]).cast(pl.Float64),
    )


def tables(retrieval: Retrieval, year: int, names: Iterable[str]) -> dict[str, Any]:
    """The named tables, gated, with the spine and `puma_allocation` of the year."""
    known = registry.all_tables()
    made: dict[str, Any] = {}
    for name in ("spine", "puma_geography", *names):
        if year in known[name].years:
            made[name] = known[name].build(year, retrieval)
            gate_table(made[name], known[name].model, name, rows=True)
    spine, geography = (made[name].lazy().collect() for name in ("spine", "puma_geography"))
    derived = derived_tables()["puma_allocation"]
    allocation, _ = derived.compute(puma_geography=geography, spine=spine, year=year)
    gate_table(allocation, derived.model, derived.name, rows=True)
    return {**made, "spine": spine, "puma_allocation": allocation.lazy()}


def whole(key: str, made: dict[str, Any], year: int) -> pl.DataFrame:
    """The predictor's estimates of the year for the whole spine, through the gate."""
    entry = catalog()[key]
    assert entry.estimate is not None
    owed = frozenset(name for name in entry.inputs if made.get(name) is None)
    found = entry.estimate(**{name: made.get(name) for name in entry.inputs}, year=year)
    frame = complete(found, entry.predictor, year, made["spine"], owed=owed)
    keys = expected_keys(entry.predictor, year, made["spine"])
    return gate(frame, name=key, expected_keys=keys, limits=entry.predictor.limits())
