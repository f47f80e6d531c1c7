"""What the tests of transportation, environment and turnout share: published figures, comparison, synthetic inputs."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import polars as pl

from sources.framework import Retrieval, Scope
from sources.geography import geographies
from sources.registry import all_tables
from sources.synthetic import STATE_CODES, writers
from sources.synthetic.world import World


def published(realcases: Path, name: str) -> pl.DataFrame:
    """A published final file as text (NA is null), with the year as a number."""
    path = realcases / "published_files" / "raw" / name
    return pl.read_csv(path, infer_schema=False, null_values=["NA"]).with_columns(pl.col("year").cast(pl.Int32))


def figures(frame: pl.DataFrame, geo: str, column: str, published_as: str | None = None) -> pl.DataFrame:
    """One published column as year, state, geo, [subgroup,] published, published_quality."""
    name = published_as or column
    return frame.select(
        "year",
        "state",
        pl.col(geo).alias("geo"),
        *(["subgroup"] if "subgroup" in frame.columns else []),
        pl.col(name).cast(pl.Float64).alias("published"),
        pl.col(f"{name}_quality").cast(pl.Int8).alias("published_quality"),
    )


def raw_world(root: Path, years: tuple[int, ...], keys: tuple[str, ...]) -> Path:
    """A data root with the synthetic raw files of these sources."""
    world = World(7, years)
    world.prepare()
    for key in keys:
        writers()[key](root / "raw", world)
    return root


def synthetic(root: Path) -> Retrieval:
    """A retrieval of the synthetic files in `root`."""
    return Retrieval(root=root, scope=Scope(STATE_CODES), scratch=root / "scratch", synthetic=True)


def tables_of(module: ModuleType, year: int, root: Path) -> dict[str, pl.LazyFrame]:
    """The inputs of a predictor, read from synthetic files and held to their models."""
    found: dict[str, pl.LazyFrame] = {"spine": geographies(year, STATE_CODES).lazy()}
    for name in inspect.signature(module.estimate).parameters:
        if name not in ("year", "spine"):
            table = all_tables()[name]
            frame = table.build(year, synthetic(root))
            table.model.validate(frame.lazy().collect(), lazy=True)
            found[name] = frame.lazy()
    return found


def areas(*codes: tuple[str, str, str]) -> pl.LazyFrame:
    """A small spine of (level, state, geo)."""
    return pl.DataFrame(codes, schema=["level", "state", "geo"], orient="row").lazy()
