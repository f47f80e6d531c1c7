"""From a source to what is made of it: which predictors and years wait for its files or change with them."""

from collections.abc import Iterable

from pipelines.derived import Derived, table, with_upstream
from pipelines.horizon import catalog
from pipelines.run import built_predictors, tables_of
from pipelines.workspace import Workspace
from sources.framework import Source


def affected(source: str, years: Iterable[int]) -> dict[int, list[str]]:
    """Year -> predictors that read the source in that year, also through other tables."""
    found: dict[int, list[str]] = {}
    for year in sorted(set(years)):
        readers = [p for p in built_predictors() if year in catalog()[p].predictor.years and _reads(p, year, source)]
        if readers:
            found[year] = readers
    return found


def _reads(predictor: str, year: int, source: str) -> bool:
    return any(
        not isinstance(found := table(name), Derived) and source in found.sources and year in found.years
        for name in with_upstream({*tables_of(predictor, year), "spine"})
    )


def waiting_years(ws: Workspace, source: Source) -> frozenset[int]:
    """Data years in which a table of this source is missing, or lacks one of the source's files."""
    from sources.registry import all_tables

    years: set[int] = set()
    for found in all_tables().values():
        if source.key in found.sources:
            for year in found.years:
                account = ws.account("tables", found.name, year)
                owes = account is not None and any(o["source"] == source.key for o in account.owed)
                if account is None or not account.present or owes:
                    years.add(year)
    return frozenset(years)
