"""Large delimited files, plain, gzipped or zipped: unpacked to disk, filtered while streaming, kept as text."""

from __future__ import annotations

import codecs
import gzip
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from schemas.errors import InputError
from sources.framework.strict import HTML, ROW, Raw

HEAD_BYTES = 65_536


def check_head(path: Path, *, source: str, file: str) -> None:
    """Refuse a file that is empty, a web page, or not UTF-8 text, judged by its first bytes."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip():
        raise InputError("the file is empty.", source=source, file=file)
    if head[:200].lstrip().lower().startswith(HTML):
        raise InputError("this is a web page, not data.", source=source, file=file)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        row = head[: error.start].count(b"\n") + 1
        raise InputError(f"the text is not utf-8: {error.reason}.", source=source, file=file, row=row) from error


@contextmanager
def opened_zip(path: Path, *, source: str) -> Iterator[zipfile.ZipFile]:
    """The zip archive; damage found while it is open is an `InputError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        head = path.read_bytes()[:200].lstrip().lower()
        problem = f"the zip is damaged or truncated ({error})."
        if not head:
            problem = "the file is empty."
        elif head.startswith(HTML):
            problem = "this is a web page, not data."
        raise InputError(problem, source=source, file=path.name) from error


@contextmanager
def unpacked_member(path: Path, pattern: str, *, source: str, scratch: Path) -> Iterator[Path]:
    """The one member of a zip whose name matches `pattern` (a regular expression, small letters), on disk.

    A file that is no zip is given as it is. The unpacked file lives in `scratch` until the block ends.
    """
    if path.suffix != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        with opened_zip(path, source=source) as archive:
            names = [name for name in archive.namelist() if re.search(pattern, name.lower())]
            if len(names) != 1:
                problem = f"the zip must hold one file like {pattern!r}; it holds {sorted(archive.namelist())}."
                raise InputError(problem, source=source, file=path.name)
            # Under its last name only: where a member wants to lie does not count.
            unpacked = Path(folder) / Path(names[0]).name
            with archive.open(names[0]) as member, unpacked.open("wb") as out:
                shutil.copyfileobj(member, out, 1 << 20)
        yield unpacked


def plain_csvs(path: Path, *, source: str, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Each CSV of `path` as an uncompressed file on disk, with its name for messages.

    A `.zip` gives every member that ends in `.csv`; a `.gz` is unpacked; any other file is given as it is. Unpacked
    files live in `scratch` until the next one is asked for.
    """
    if path.suffix not in (".zip", ".gz"):
        yield path.name, path
        return
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        target = Path(folder) / "unpacked.csv"
        if path.suffix == ".gz":
            try:
                with gzip.open(path, "rb") as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                problem = f"the gzip is damaged or truncated ({error})."
                raise InputError(problem, source=source, file=path.name) from error
            yield path.name.removesuffix(".gz"), target
            return
        with opened_zip(path, source=source) as archive:
            members = sorted(n for n in archive.namelist() if n.lower().endswith(".csv"))
            if not members:
                raise InputError("the zip holds no CSV file.", source=source, file=path.name)
            for member in members:
                with archive.open(member) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                yield f"{path.name}/{Path(member).name}", target


def read_filtered(
    path: Path, columns: Mapping[str, tuple[str, ...]], *, keep: pl.Expr, source: str, scratch: Path
) -> Iterator[Raw]:
    """The rows of each CSV of `path` for which `keep` holds, as text with their line numbers.

    `columns` maps each wanted name to the names the agency has given it over the years; `keep` uses the wanted names.
    Yields one `Raw` per CSV (possibly without rows). Raises `InputError` for a missing column, a line with too many
    cells, an unclosed quote, wrong encoding.
    """
    for name, file in plain_csvs(path, source=source, scratch=scratch):
        check_head(file, source=source, file=name)
        try:
            table = pl.scan_csv(file, infer_schema=False, row_index_name=ROW, row_index_offset=2)
            present = table.collect_schema().names()
            found = {next((n for n in names if n in present), names[0]): new for new, names in columns.items()}
            raw = Raw(pl.DataFrame(schema=dict.fromkeys(present, pl.String)), source=source, file=name).select(found)
            raw.frame = (
                table.select(ROW, *(pl.col(c).str.strip_chars().fill_null("").alias(n) for c, n in found.items()))
                .filter(keep)
                # Without projection pushdown every cell is parsed: a line with one too many (an unquoted thousands
                # comma) would otherwise shift its figures unnoticed.
                .collect(engine="streaming", optimizations=pl.QueryOptFlags(projection_pushdown=False))
            )
        except pl.exceptions.PolarsError as error:
            first_line = str(error).splitlines()[0]
            raise InputError(f"the table cannot be read: {first_line}", source=source, file=name) from error
        yield raw
