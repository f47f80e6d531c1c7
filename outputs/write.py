"""Writing and reading tables so that both forms hold the same cells and the same inputs give the same bytes.

CSV: UTF-8, LF, comma, missing is `NA`, quotes only where needed, numbers in their shortest form that reads back to the
same number; below a thousandth in the form `7.8e-4`. Parquet: typed, zstd, with key/value metadata.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import GateError

NA: Final = "NA"
_SMALL: Final = 1e-3
ROW_GROUP: Final = 1 << 17
# Half the time of the usual level 6 for files a tenth larger.
_LEVEL: Final = 4


def number_text(numbers: pl.Series) -> pl.Series:
    """Floats as text; null stays null."""
    text = numbers.cast(pl.String).str.strip_suffix(".0")
    size = numbers.abs()
    if (size == 0.0).any():
        text = text.replace("-0", "0")
    small = (size < _SMALL) & (size > 0.0)
    if not small.any():
        return text
    plain_small = (small & ~text.str.contains("e", literal=True)).fill_null(False)
    frame = pl.DataFrame({"text": text, "small": plain_small})
    digits = pl.col("text").str.extract(r"^-?0\.0*(\d+)$")
    exponent = pl.col("text").str.extract(r"^-?0\.(0*)").str.len_bytes() + 1
    sign = pl.when(pl.col("text").str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    point = pl.when(digits.str.len_bytes() > 1).then(pl.lit(".")).otherwise(pl.lit(""))
    scientific = pl.concat_str(
        sign, digits.str.slice(0, 1), point, digits.str.slice(1), pl.lit("e-"), exponent.cast(pl.String)
    )
    return frame.select(pl.when("small").then(scientific).otherwise("text").alias(numbers.name)).to_series()


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as the text that stands in the CSV. A text cell that reads `NA` would be lost and is an error."""
    made = []
    for series in frame.get_columns():
        if series.dtype.is_float():
            made.append(number_text(series))
        elif series.dtype == pl.String:
            if (series == NA).any():
                raise GateError(series.name, [f"a cell holds the text {NA!r}, which means missing"])
            made.append(series)
        else:
            made.append(series.cast(pl.String))
    return pl.DataFrame(made)


def csv_text(frame: pl.DataFrame, *, header: bool = True) -> bytes:
    """The frame as CSV."""
    text = io.BytesIO()
    as_text(frame).write_csv(
        text, include_header=header, null_value=NA, line_terminator="\n", quote_style="necessary", separator=","
    )
    return text.getvalue()


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write the frame as CSV."""
    path.write_bytes(csv_text(frame))


@contextmanager
def gzip_writer(path: Path) -> Iterator[gzip.GzipFile]:
    """A gzip file without name and time in its header, so that equal content gives equal bytes."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=_LEVEL, mtime=0) as file,
    ):
        yield file


def write_parquet(frame: pl.DataFrame, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the frame as Parquet with key/value metadata."""
    frame.write_parquet(
        path, compression="zstd", compression_level=6, row_group_size=ROW_GROUP, metadata=dict(metadata)
    )


def read_csv(path: Path, schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Read a CSV written here back to the types of `schema`. Columns and order must be those of `schema`."""
    frame = pl.read_csv(path, infer_schema=False, null_values=[NA])
    if frame.columns != list(schema):
        raise GateError(path.name, [f"columns {frame.columns} are not {list(schema)}"])
    return frame.select(pl.col(c).cast(t) for c, t in schema.items())


def differences(left: pl.DataFrame, right: pl.DataFrame) -> list[str]:
    """Where two frames differ: columns, types, heights, else one line per column with the number of differing cells."""
    if left.schema != right.schema:
        return [f"schema {left.schema} is not {right.schema}"]
    if left.height != right.height:
        return [f"{left.height} rows are not {right.height}"]
    found = []
    for name in left.columns:
        unequal = (~left[name].eq_missing(right[name])).arg_true()
        if unequal.len():
            row = unequal[0]
            found.append(
                f"{name}: {unequal.len()} cells differ, the first in row {row}: "
                f"{left[name][row]!r} is not {right[name][row]!r}"
            )
    return found
