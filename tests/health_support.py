"""What the tests of physicians, births and injury deaths share: spines, a data root to lay files into, exports."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from metrics.predictor import Predictor, complete, expected_keys
from schemas.estimate import gate
from sources.framework import Retrieval, Scope


def spine(realcases: Path, year: int) -> pl.LazyFrame:
    """The counties of a year with their populations, from the reference's own list."""
    path = realcases / "health_access/raw/county-populations.csv"
    frame = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy").filter(pl.col("year") == str(year))
    return frame.select(
        pl.lit("county").alias("level"),
        "state",
        pl.col("county").alias("geo"),
        pl.lit("X").alias("name"),
        pl.lit("X").alias("state_name"),
        pl.col("population").cast(pl.Int64),
    ).lazy()


def counties(*rows: tuple[str, str, int | None]) -> pl.LazyFrame:
    """A small spine of (state, county, population)."""
    schema = {"state": pl.String, "geo": pl.String, "population": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(level=pl.lit("county")).lazy()


def published(path: Path) -> pl.DataFrame:
    """A published file as text, NA as null."""
    return pl.read_csv(path, infer_schema=False, null_values="NA")


def figure(column: str) -> pl.Expr:
    """A published figure as a number."""
    return pl.col(column).cast(pl.Float64)


class Root:
    """A data root of a test: files are laid into its raw store and read back through a real `Retrieval`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lay(self, source: str, vintage: str, name: str, content: bytes | str) -> Path:
        """Put a file into the raw store; a file of that name is replaced as if it had come in first."""
        path = self.folder / "raw" / source / vintage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "provenance.json").unlink(missing_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def copy(self, source: str, vintage: str, name: str, original: Path) -> Path:
        """Put a copy of a file into the raw store."""
        path = self.lay(source, vintage, name, b"-")
        shutil.copyfile(original, path)
        return path

    def retrieval(self, states: Sequence[str] | None = None, *, synthetic: bool = False) -> Retrieval:
        """Offline, this store only."""
        scope = Scope(tuple(states)) if states else Scope()
        scratch = self.folder / "scratch"
        return Retrieval(root=self.folder, scope=scope, scratch=scratch, offline=True, synthetic=synthetic)


def whole(
    computed: pl.DataFrame,
    predictor: Predictor,
    year: int,
    universe: pl.LazyFrame,
    *,
    owed: frozenset[str] = frozenset(),
) -> pl.DataFrame:
    """Completed to the universe of the year and past the gate."""
    counties_of_year = universe.collect()
    done = complete(computed, predictor, year, counties_of_year, owed=owed)
    keys = expected_keys(predictor, year, counties_of_year)
    return gate(done, name=predictor.key, expected_keys=keys, limits=predictor.limits())
