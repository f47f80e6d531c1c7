"""The long file: every estimate with names, units and, for each missing or lowered figure, the reason in words."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from metrics.predictor import PILLARS, Entry
from outputs.files import GEOID, metrics_by_column
from outputs.write import ROW_GROUP, csv_text, gzip_writer
from schemas.errors import GateError
from schemas.estimate import DESCRIPTIONS, ESTIMATE, KEY
from schemas.labels import QUALITY_WORDS, REASONS

LONG: Final[dict[str, type[pl.DataType]]] = {
    "year": ESTIMATE["year"],
    "level": pl.String,
    "state": pl.String,
    "geo": pl.String,
    "geoid": pl.String,
    "state_name": pl.String,
    "name": pl.String,
    "pillar": pl.String,
    "predictor": pl.String,
    "subgroup_type": pl.String,
    "subgroup": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    **{c: t for c, t in ESTIMATE.items() if c not in KEY and c not in ("quality", "reason")},
    "quality": ESTIMATE["quality"],
    "quality_label": pl.String,
    "sample": pl.String,
    "reason": pl.String,
    "reason_text": pl.String,
}
LONG_DESCRIPTIONS: Final[dict[str, str]] = {
    **DESCRIPTIONS,
    "geoid": "State and geography code together: 5 digits for counties, 7 for places.",
    "state_name": "Name of the state.",
    "name": "Name of the county or place.",
    "pillar": "Pillar of the framework the predictor belongs to.",
    "predictor": "Predictor the metric belongs to.",
    "unit": "Unit of value and bounds.",
    "quality_label": "Quality in words: Strong, Marginal, Weak.",
    "reason_text": "The reason as a sentence.",
}

_WRAP: Final = 1 << 64

Estimates = Mapping[str, pl.LazyFrame | Sequence[str | os.PathLike[str]]] | pl.LazyFrame


def scan(estimates: Estimates) -> tuple[pl.LazyFrame, frozenset[str] | None]:
    """One lazy frame of `Estimate` columns, and the predictors it holds (None if only its rows can tell).

    `estimates` maps a predictor to its Parquet files or frame, or is one frame of all predictors.
    """
    if isinstance(estimates, pl.LazyFrame):
        return estimates.select(pl.col(c).cast(t) for c, t in ESTIMATE.items()), None
    frames = []
    for predictor, given in estimates.items():
        frame = given if isinstance(given, pl.LazyFrame) else pl.scan_parquet([os.fspath(p) for p in given])
        missing = set(ESTIMATE) - set(frame.collect_schema().names())
        if missing:
            raise GateError(f"estimates of {predictor}", [f"the column {c} is missing" for c in sorted(missing)])
        frames.append(frame.select(pl.col(c).cast(t) for c, t in ESTIMATE.items()))
    if not frames:
        raise GateError("estimates", ["there are none"])
    return pl.concat(frames), frozenset(estimates)


def _about(entries: Mapping[str, Entry]) -> pl.DataFrame:
    rows = [
        (column, predictor.key, PILLARS[predictor.pillar], metric.unit)
        for column, (predictor, metric) in metrics_by_column(entries).items()
    ]
    return pl.DataFrame(rows, schema=["metric", "predictor", "pillar", "unit"], orient="row")


def _withheld(entries: Mapping[str, Entry]) -> list[pl.Expr]:
    """Figures that a source's licence keeps out of releases, as blanks."""
    metrics: dict[str, list[str]] = {}
    for column, (_, metric) in metrics_by_column(entries).items():
        for figure in metric.withheld:
            metrics.setdefault(figure, []).append(column)
    return [
        pl.when(~pl.col("metric").is_in(columns)).then(pl.col(figure)).alias(figure)
        for figure, columns in metrics.items()
    ]


def long_years(
    estimates: pl.LazyFrame, spines: Mapping[int, pl.DataFrame], entries: Mapping[str, Entry]
) -> Iterator[pl.DataFrame]:
    """The long file, one frame of columns `LONG` per year, sorted by key; one year is in memory at a time.

    Estimates of geographies that are not in the year's spine get no name; publishing refuses them. Figures that may not
    be passed on (`Metric.withheld`) are blank.
    """
    about = _about(entries)
    withheld = _withheld(entries)
    for year in sorted(spines):
        names = spines[year].select("level", "state", "geo", "state_name", "name")
        frame = (
            estimates.filter(pl.col("year") == year)
            .join(names.lazy(), on=["level", "state", "geo"], how="left", validate="m:1")
            .join(about.lazy(), on="metric", how="left", validate="m:1")
            .with_columns(
                GEOID,
                pl.col("quality").replace_strict(QUALITY_WORDS, return_dtype=pl.String).alias("quality_label"),
                pl.col("reason").replace_strict(REASONS, return_dtype=pl.String).alias("reason_text"),
                *withheld,
            )
            .select(pl.col(c).cast(t) for c, t in LONG.items())
            .sort(KEY)
            .collect(engine="streaming")
        )
        if frame.height:
            yield frame


class LongFiles:
    """Writes the long CSV (gzip) and Parquet files side by side, one year at a time.

    With a folder `by_year`, each year stands there in a Parquet file of its own, too.

    The Parquet metadata are given last, because the release's name, which they carry, follows from the content.
    """

    def __init__(self, csv_gz: Path, parquet: Path, by_year: Path | None = None) -> None:
        self.csv_gz = csv_gz
        self.parquet = parquet
        self.by_year = by_year
        self.rows = 0
        self.text_sha256 = ""
        self.row_sum = 0
        self._writer: pq.ParquetWriter | None = None
        self._groups: dict[int, range] = {}

    def write(self, frames: Iterator[pl.DataFrame]) -> None:
        """Write all frames; sets `rows`, `text_sha256` (hash of the CSV text) and `row_sum` (of the frames' rows)."""
        digest = hashlib.sha256()

        def keep(text: bytes, table: pa.Table) -> None:
            digest.update(text)
            csv.write(text)
            if self._writer is None:
                self._writer = pq.ParquetWriter(self.parquet, table.schema, compression="zstd")
            self._writer.write_table(table, row_group_size=ROW_GROUP)

        # Hashing and compressing take as long as making the text: both go on while the next year is read.
        with gzip_writer(self.csv_gz) as csv, ThreadPoolExecutor(max_workers=1) as behind:
            pending: Future[None] | None = None
            for frame in frames:
                text = csv_text(frame, header=self.rows == 0)
                if pending is not None:
                    pending.result()
                table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
                pending = behind.submit(keep, text, table)
                self.row_sum = (self.row_sum + row_sum(frame)) % _WRAP
                first = max((g.stop for g in self._groups.values()), default=0)
                self._groups[int(frame["year"][0])] = range(first, first + -(-frame.height // ROW_GROUP))
                self.rows += frame.height
            if pending is not None:
                pending.result()
        self.text_sha256 = digest.hexdigest()

    def close(self, metadata: Mapping[str, str]) -> None:
        """Finish the Parquet file with these key/value metadata, and write the files of the years."""
        if self._writer is None:
            raise GateError("estimates", ["there are no rows in the years of the spine"])
        self._writer.add_key_value_metadata(dict(metadata))
        self._writer.close()
        if self.by_year is not None:
            self.by_year.mkdir()
            for year, group in self._groups.items():
                self._write_year(year, group, metadata)

    def _write_year(self, year: int, groups: range, metadata: Mapping[str, str]) -> None:
        assert self.by_year is not None
        whole = pq.ParquetFile(self.parquet)
        schema = whole.schema_arrow.with_metadata(dict(metadata))
        with pq.ParquetWriter(self.by_year / f"{year}.parquet", schema, compression="zstd") as writer:
            for group in groups:
                writer.write_table(whole.read_row_group(group).cast(schema), row_group_size=ROW_GROUP)


def text_hash(path: Path) -> str:
    """sha256 of a gzip file's uncompressed content."""
    digest = hashlib.sha256()
    unzip = zlib.decompressobj(wbits=31)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(unzip.decompress(block))
    digest.update(unzip.flush())
    return digest.hexdigest()


def row_sum(frame: pl.DataFrame) -> int:
    """A number that follows from every cell of the rows, whatever their order: the sum of their hashes."""
    return int(frame.hash_rows().cast(pl.UInt128).sum() if frame.height else 0) % _WRAP


def parquet_row_sum(paths: Sequence[Path]) -> int:
    """`row_sum` over the rows of long Parquet files, read row group by row group."""
    total = 0
    for path in paths:
        file = pq.ParquetFile(path)
        for i in range(file.num_row_groups):
            frame = pl.DataFrame(file.read_row_group(i))
            total += row_sum(frame.select(pl.col(c).cast(t) for c, t in LONG.items()))
    return total % _WRAP
