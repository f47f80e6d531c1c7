"""R data files (.rds) of one large data frame: a few columns of it, as text, without ever holding the others.

R stores a data frame column by column and the columns' names at the end. So the file is read twice: once for the names,
once for the wanted columns, each kept as numbers into a list of its different values.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zlib
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from schemas.errors import InputError
from sources.framework.strict import HTML, Raw

if TYPE_CHECKING:
    from sources.framework.retrieve import RawFile


class _Codes(dict[Any, int]):
    """Value -> running number, given out as values are met."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


@dataclass
class _Column:
    """One wanted column: text as `numbers` into `values`, or `data` as the library gives them (`labels`: a factor)."""

    values: _Codes = field(default_factory=_Codes)
    numbers: array[int] = field(default_factory=lambda: array("I"))
    data: Any = None
    whole: bool = False
    labels: dict[int, str | None] = field(default_factory=dict)

    def series(self, name: str) -> pl.Series:
        """The column as text, blanks stripped, whole numbers without a decimal point; missing as null."""
        if self.data is None:
            # The library gives NaN for missing text.
            texts = [value if isinstance(value, str) else None for value in self.values]
            distinct = pl.Series(name, texts, dtype=pl.String).str.strip_chars()
            return distinct.gather(pl.Series(self.numbers, dtype=pl.UInt32))
        if self.whole:
            numbers = pl.Series(name, self.data).cast(pl.Int64)
            # R's missing integer is the smallest one.
            numbers = numbers.set(numbers == -(2**31), None)
            if self.labels:
                return numbers.replace_strict(self.labels, default=None, return_dtype=pl.String)
        else:
            numbers = pl.Series(name, self.data).cast(pl.Float64).fill_nan(None)
            if bool((numbers.drop_nulls() % 1 == 0).all()):
                numbers = numbers.cast(pl.Int64)
        return numbers.cast(pl.String)


def _names(path: Path) -> list[dict[int, str | None]]:
    """Names of the columns by position, one dictionary per object of the file."""
    from pyreadr.librdata import Parser

    class Names(Parser):  # type: ignore[misc]
        parse_current_table = False  # passes over all values

        def __init__(self) -> None:
            self.tables: list[dict[int, str | None]] = []

        def handle_table(self, name: str | None) -> None:
            self.tables.append({})

        def handle_column_name(self, name: str | None, index: int) -> None:
            self.tables[-1][index] = name

    parser = Names()
    parser.parse(os.fsencode(path))
    return list(parser.tables)


def _columns(path: Path, wanted: Collection[int]) -> dict[int, _Column]:
    """The columns at these positions."""
    from pyreadr.librdata import Parser

    class Columns(Parser):  # type: ignore[misc]
        def __init__(self) -> None:
            self.place = -1
            self.found: dict[int, _Column] = {}
            self.labels: dict[int, str | None] = {}
            self.column: _Column | None = None

        def handle_table(self, name: str | None) -> None:
            pass

        def handle_column(self, name: str | None, data_type: Any, data: Any, count: int) -> None:
            self.place += 1
            self.column = None
            if self.place in wanted:
                self.column = _Column(data=data, whole=data_type.name in ("INTEGER", "LOGICAL"), labels=self.labels)
                self.found[self.place] = self.column
            self.labels = {}

        def handle_text_value(self, value: Any, index: int) -> None:
            if self.column is not None:
                self.column.numbers.append(self.column.values[value])

        def handle_value_label(self, value: str | None, index: int) -> None:
            self.labels[index + 1] = value

        def handle_column_name(self, name: str | None, index: int) -> None:
            pass

        def handle_row_name(self, name: str | None, index: int) -> None:
            pass

    parser = Columns()
    parser.parse(os.fsencode(path))
    return dict(parser.found)


def read_columns(path: Path, columns: Sequence[str], *, source: str, optional: Sequence[str] = ()) -> pl.DataFrame:
    """These columns of the data frame in an .rds file (or a .gz of one), all as text, missing as null.

    Columns of `optional` that are not in the file come as nulls. Raises `InputError` for a file that is empty, a web
    page, damaged, no data frame or without rows, and for a missing column.
    """
    name = path.name
    if path.suffix == ".gz":
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / path.stem
            try:
                with gzip.open(path, "rb") as packed, unpacked.open("wb") as target:
                    shutil.copyfileobj(packed, target)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                problem = f"the gzip is damaged or truncated ({error})."
                raise InputError(problem, source=source, file=name) from error
            return _read(unpacked, columns, optional, source=source, file=name)
    return _read(path, columns, optional, source=source, file=name)


def _read(path: Path, columns: Sequence[str], optional: Sequence[str], *, source: str, file: str) -> pl.DataFrame:
    from pyreadr import LibrdataError, PyreadrError

    with path.open("rb") as stream:
        head = stream.read(200).lstrip().lower()
    if not head:
        raise InputError("the file is empty.", source=source, file=file)
    if head.startswith(HTML):
        raise InputError("this is a web page, not data.", source=source, file=file)
    try:
        tables = _names(path)
        if len(tables) != 1 or not tables[0]:
            raise InputError("the R object is not one data frame with named columns.", source=source, file=file)
        places = {name: place for place, name in tables[0].items() if name is not None}
        # `Raw` names a missing column and the nearest one there is.
        layout = Raw(pl.DataFrame(schema=dict.fromkeys(places, pl.String)), source=source, file=file)
        present = [*columns, *(c for c in optional if c in places)]
        layout.select(present)
        found = _columns(path, {places[c] for c in present})
    except UnicodeDecodeError as error:
        raise InputError(f"the text is not utf-8: {error.reason}.", source=source, file=file) from error
    except (LibrdataError, PyreadrError) as error:
        problem = f"the R data cannot be read: they are damaged, truncated or of another kind ({error})."
        raise InputError(problem, source=source, file=file) from error
    frame = pl.DataFrame([found[places[c]].series(c) for c in present])
    if frame.height == 0:
        raise InputError("the data frame has no rows.", source=source, file=file)
    absent = [pl.lit(None, dtype=pl.String).alias(c) for c in optional if c not in places]
    return frame.with_columns(absent).select(*columns, *optional)


def as_parquet(file: RawFile, columns: Sequence[str], *, scratch: Path, optional: Sequence[str] = ()) -> pl.LazyFrame:
    """The columns of `read_columns`, converted once per file to Parquet in `scratch` and scanned from there.

    The Parquet file is named after the file's SHA-256 and the columns, and written beside before it gets its name.
    """
    folder = scratch / "rds"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = zlib.crc32("\0".join((*columns, "", *optional)).encode())
    target = folder / f"{file.sha256}-{wanted:08x}.parquet"
    if not target.exists():
        frame = read_columns(file.path, columns, source=file.source, optional=optional)
        beside = target.with_suffix(f".{os.getpid()}")
        frame.write_parquet(beside)
        beside.replace(target)
    return pl.scan_parquet(target)
