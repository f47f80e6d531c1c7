"""How a source and the tables made from it declare themselves. Vintages, URLs and file names are data here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sources.framework.editions import with_new_editions
from sources.framework.vintage import SourceFile, Vintage

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

    from sources.framework.retrieve import Retrieval


__all__ = ["Access", "Need", "Source", "SourceFile", "Table", "Vintage"]


class Access(StrEnum):
    """How a file is obtained when neither the store nor a mirror has it."""

    DOWNLOAD = "download"
    API_KEY = "api_key"
    PERSON = "person"


@dataclass(frozen=True)
class Source:
    """A data set of one agency. Lines of `sources/editions.csv` add to the `vintages` that its module declares.

    `tied`, if not empty, is why none can be added: the method is tied to one edition.
    """

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
    tied: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vintages", with_new_editions(self.key, self.vintages))

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
    microdata too large to collect, whose reader checks the values itself while streaming). `in_every_edition` says that
    every new edition of its source holds the table, though it is read in some years only.
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
    in_every_edition: bool = False
