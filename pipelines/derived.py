"""Tables made from other tables by a pure function of `metrics` (no raw file of their own)."""

from collections.abc import Callable
from dataclasses import dataclass

import pandera.polars as pa
import polars as pl

from metrics.allocation import allocate
from schemas.geography import PumaAllocationModel
from sources.framework import Table
from sources.registry import all_tables


@dataclass(frozen=True)
class Derived:
    """A derived table: `compute` gets its `inputs` as frames by name, and `year`; it returns the table and counts."""

    name: str
    title: str
    description: str
    model: type[pa.DataFrameModel]
    inputs: tuple[str, ...]
    years: tuple[int, ...]
    compute: Callable[..., tuple[pl.DataFrame, dict[str, int]]]


def _puma_allocation(
    puma_geography: pl.DataFrame, spine: pl.DataFrame, year: int
) -> tuple[pl.DataFrame, dict[str, int]]:
    counties, places = (puma_geography.filter(pl.col("level") == level) for level in ("county", "place"))
    allocation = allocate(counties, places, spine, year)
    return allocation.table, allocation.notes


def derived_tables() -> dict[str, Derived]:
    """Name -> derived table."""
    geography = all_tables()["puma_geography"]
    return {
        "puma_allocation": Derived(
            name="puma_allocation",
            title="Allocation of PUMAs to counties and places",
            description=(
                "How much of each PUMA's population lives in each county and place (afact), with the quality of the "
                "allocation and its flag."
            ),
            model=PumaAllocationModel,
            inputs=("puma_geography", "spine"),
            years=geography.years,
            compute=_puma_allocation,
        )
    }


def table(name: str) -> Table | Derived:
    """The table of that name."""
    return derived_tables().get(name) or all_tables()[name]


def upstream(name: str) -> tuple[str, ...]:
    """The tables a table is made from."""
    found = table(name)
    return found.inputs if isinstance(found, Derived) else ()


def with_upstream(names: set[str]) -> list[str]:
    """These tables and all they are made from, upstream first."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        for parent in upstream(name):
            visit(parent)
        if name not in ordered:
            ordered.append(name)

    for name in sorted(names):
        visit(name)
    return ordered
