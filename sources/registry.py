"""All sources and tables, found by their modules. A provider module holds `SOURCE` (or `SOURCES`) and `TABLES`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import sources as package
from sources.framework.declare import Source, Table


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
            found[table.name] = table
    return found
