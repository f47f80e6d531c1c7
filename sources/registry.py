"""All sources and tables, found by their modules. A provider module holds `SOURCE` (or `SOURCES`) and `TABLES`."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache
from types import ModuleType

import sources as package
from sources.framework.calendar import rhythm_of
from sources.framework.declare import Source, Table
from sources.framework.editions import added_years, check_lines, models


@cache
def _modules() -> tuple[ModuleType, ...]:
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and m.name != "registry")
    return tuple(importlib.import_module(f"{package.__name__}.{name}") for name in names)


@cache
def all_sources() -> dict[str, Source]:
    """Source key -> declaration. A key declared twice is an error."""
    found: dict[str, Source] = {}
    for module in _modules():
        single = getattr(module, "SOURCE", None)
        for source in (*getattr(module, "SOURCES", ()), *((single,) if single else ())):
            if source.key in found:
                raise ValueError(f"source {source.key} is declared twice")
            found[source.key] = source
    check_lines(
        {key: source.vintages for key, source in found.items()}, {key: source.tied for key, source in found.items()}
    )
    return found


@cache
def all_tables() -> dict[str, Table]:
    """Table name -> declaration. Each table's sources must be declared."""
    found: dict[str, Table] = {}
    for module in _modules():
        for table in getattr(module, "TABLES", ()):
            if table.name in found:
                raise ValueError(f"table {table.name} is declared twice")
            unknown = set(table.sources) - set(all_sources())
            if unknown:
                raise ValueError(f"table {table.name} names unknown sources {sorted(unknown)}")
            found[table.name] = _with_new_years(table)
    return found


def _with_new_years(table: Table) -> Table:
    """The table with the years that lines of `sources/editions.csv` add.

    A year that is missing is added if a line names it that goes back to an edition of the table's year before it (of
    several sources, some hold the same figures in other forms, and what is lacking is owed), or if all sources of the
    year before cover it. Of a table that stands in every edition, a line that goes back to any edition will do.
    """
    grown = []
    for year in sorted(added_years() - set(table.years)):
        before = max((y for y in table.years if y < year), default=None)
        if before is None:
            continue
        needed = [source for key in table.sources if (source := all_sources()[key]).vintages_for(before)]
        model = None if table.in_every_edition else before
        by_line = any(_lines_for(source, model, year) for source in needed)
        if by_line or all(_covers(source, model, year) for source in needed):
            grown.append(year)
    return replace(table, years=tuple(sorted((*table.years, *grown)))) if grown else table


def _lines_for(source: Source, model: int | None, year: int) -> bool:
    """Whether a line declares an edition for `year` that is like one of the data year `model` (None: of any)."""
    declared = {v.key: v for v in source.vintages}
    return any(
        year in declared[key].data_years
        and any(declared[like].data_years if model is None else model in declared[like].data_years for like in likes)
        for key, likes in models(source.key).items()
    )


def _covers(source: Source, model: int | None, year: int) -> bool:
    """Whether the source has `year`: by a line, or because nothing new comes and an edition serves the year."""
    if _lines_for(source, model, year):
        return True
    # Another form of figures that the project holds itself, such as consumer prices.
    forms = {v.key for v in source.vintages if not v.data_years}
    if any(year in source.vintage(key).data_years and likes <= forms for key, likes in models(source.key).items()):
        return True
    return rhythm_of(source.key).cadence == "fixed" and bool(source.vintages_for(year))
