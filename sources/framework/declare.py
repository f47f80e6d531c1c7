"""How a source and the tables made from it declare themselves. Vintages, URLs and file names are data here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

    from sources.framework.retrieve import Retrieval


class Access(StrEnum):
    """How a file is obtained when neither the store nor a mirror has it."""

    DOWNLOAD = "download"
    API_KEY = "api_key"
    PERSON = "person"


@dataclass(frozen=True)
class SourceFile:
    """One file of a vintage.

    `name` is the agency's file name, and the name in the store. A name with "{st}" (lower-case postal code) or
    "{fips}" stands for one file per state; one with "*" for every file that matches. `accept` lists other names under
    which a mirror or a person may deliver it; a trailing ".gz" is always accepted. `url` is where it is downloaded;
    None for files that a person must fetch. `accept` and `url` are filled in per state like the name, "{ST}" with the
    postal code in capitals. With `link`, a regular expression, `url` answers with a page and the file is behind the
    first text on it that matches. `kind` is checked on arrival: zip, gzip, csv, json, xlsx, xls, text, xml, rds, dta
    (where the name ends in .gz: what is inside). `min_bytes` refuses stubs. With `paged`, `url` answers with the first
    page of a list (see `sources.framework.pages`); the "*" of `name` stands for the number of the page.
    """

    name: str
    kind: str
    url: str | None = None
    accept: tuple[str, ...] = ()
    min_bytes: int = 1
    link: str | None = None
    paged: bool = False

    @property
    def per_state(self) -> bool:
        """Whether the file comes once per state."""
        return "{st}" in self.name or "{fips}" in self.name


@dataclass(frozen=True)
class Vintage:
    """One edition of a source: a folder of the raw store (`raw/<source>/<key>/`).

    `data_years` are the data years that are computed from it. `published` is the agency's release date or month, where
    known (ISO text). `page` and `recipe` take the place of the source's where an edition lies elsewhere.
    """

    key: str
    files: tuple[SourceFile, ...]
    data_years: tuple[int, ...]
    published: str | None = None
    note: str = ""
    page: str | None = None
    recipe: str | None = None


@dataclass(frozen=True)
class Source:
    """A data set of one agency."""

    key: str
    agency: str
    dataset: str
    citation: str
    licence: str
    redistribute: bool
    landing_page: str
    access: Access
    vintages: tuple[Vintage, ...]
    recipe: str = ""
    usual_release: str = ""

    def vintage(self, key: str) -> Vintage:
        """The vintage of that key; `KeyError` if there is none."""
        for vintage in self.vintages:
            if vintage.key == key:
                return vintage
        raise KeyError(f"source {self.key} has no vintage {key!r}; it has {[v.key for v in self.vintages]}")

    def vintages_for(self, year: int) -> tuple[Vintage, ...]:
        """The vintages that data year `year` is computed from."""
        return tuple(v for v in self.vintages if year in v.data_years)


@dataclass(frozen=True)
class Need:
    """One vintage a table is made from in a year. `names` limits it to some of the files (None: all of them)."""

    source: str
    vintage: str
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Table:
    """A tidy input table, one Parquet file per data year (`tables/<name>/<year>.parquet`).

    `build(year, retrieval)` obtains its raw files through `retrieval` (which records them), reads them, and returns the
    table; a LazyFrame is written streaming. It raises `OwedError` if a file cannot be had and `InputError` if a file is
    wrong. `model` is the pandera model of the table; `gate_rows` false limits the gate to columns and types (for
    microdata too large to collect, whose reader checks the values itself while streaming).
    """

    name: str
    title: str
    description: str
    model: type[pa.DataFrameModel]
    sources: tuple[str, ...]
    years: tuple[int, ...]
    build: Callable[[int, Retrieval], pl.DataFrame | pl.LazyFrame]
    version: str = "1"
    gate_rows: bool = True
