"""What the release gate is told about the data root, and where its report is kept when a release is refused."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from outputs.release import GateFacts
from outputs.rules.report import GateReport
from pipelines.derived import with_upstream
from pipelines.engine import estimates_are_fresh, table_is_current
from pipelines.horizon import catalog
from pipelines.workspace import Workspace

_WEIGHTED = ("acs1_persons", "acs5_persons")
_UNIT = ["state", "puma", "puma_vintage"]


def report_folder(ws: Workspace) -> Path:
    """Where the report of the latest gate stands, of a release that was refused too."""
    return ws.settings.state_root / "gate"


def gate_facts(ws: Workspace, estimates: dict[str, list[int]]) -> GateFacts:
    """What the gate cannot see in files; `estimates` maps predictors to the years that go into the release."""

    def tell(report: GateReport, release: str) -> None:
        report.write(report_folder(ws), release)

    stale = tuple((k, y) for k, years in estimates.items() for y in years if not _is_current(ws, k, y))
    return GateFacts(stale=stale, balance=allocation_balance(ws), tell=tell)


def _is_current(ws: Workspace, key: str, year: int) -> bool:
    """Whether estimates, and the tables behind them, were made from what is there now."""
    tables = with_upstream({*catalog()[key].inputs, "spine"})
    return estimates_are_fresh(ws, key, year) and all(table_is_current(ws, name, year) for name in tables)


def allocation_balance(ws: Workspace) -> pl.DataFrame | None:
    """The survey's weight by state before and after allocation to counties; None without microdata.

    Records of a PUMA that the allocation lacks count as lost; those of a vintage without any crosswalk do not count.
    Columns year, table, state, before, after. One row per microdata table, year and state.
    """
    parts = list(_balances(ws))
    return pl.concat(parts) if parts else None


def _balances(ws: Workspace) -> Iterator[pl.DataFrame]:
    wanted = {i for e in catalog().values() for i in e.inputs}
    for name in (t for t in _WEIGHTED if t in wanted):
        for year in ws.years("tables", name):
            people, allocation = ws.scan("tables", name, year), ws.scan("tables", "puma_allocation", year)
            if people is None or allocation is None:
                continue
            # Interviews coded to areas of a census without a crosswalk are left out of the figures, and so here.
            people = people.join(allocation.select("puma_vintage").unique(), on="puma_vintage", how="semi")
            factors = allocation.filter(pl.col("level") == "county").group_by(_UNIT).agg(pl.col("afact").sum())
            weights = people.group_by(_UNIT).agg(pl.col("perwt").cast(pl.Int64).sum().alias("before"))
            yield (
                weights.join(factors, on=_UNIT, how="left", validate="1:1")
                .group_by("state")
                .agg(
                    pl.col("before").sum().cast(pl.Float64),
                    (pl.col("before") * pl.col("afact").fill_null(0.0)).sum().alias("after"),
                )
                .select(pl.lit(year).alias("year"), pl.lit(name).alias("table"), "state", "before", "after")
                .sort("state")
                .collect(engine="streaming")
            )
