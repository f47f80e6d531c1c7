"""The plain tables of a release beside the wide files: one declaration each, from which everything else follows.

Dictionary, data package, Croissant, database and pages all read this list, so that no file is undescribed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class SideTable:
    """A table: its name in the dictionary and the database, its columns, and the files that hold it.

    `paths` are relative to the release; the first is the CSV form. `key` names the columns that identify a row, empty
    if none do. `in_database` is false for tables the database has by another way.
    """

    name: str
    title: str
    types: Mapping[str, type[pl.DataType]]
    descriptions: Mapping[str, str]
    paths: tuple[str, ...]
    key: tuple[str, ...] = ()
    in_database: bool = True
