"""What the release gate is told about the data root, and where its report is kept when a release is refused."""

from pathlib import Path

import polars as pl

from outputs.release import GateFacts
from outputs.rules.report import GateReport
from pipelines.derived import with_upstream
from pipelines.engine import estimates_are_fresh, table_is_current
from pipelines.horizon import catalog
from pipelines.workspace import Workspace

_WEIGHTED = ("acs1_persons", "acs5_persons")
_QUARTERS = [3, 4]
"""Codes of `gq` of people who live in no household: institutions and other group quarters."""
_UNIT = ["state", "puma", "puma_vintage"]


def report_folder(ws: Workspace) -> Path:
    """Where the report of the latest gate stands, of a release that was refused too."""
    return ws.settings.state_root / "gate"


def gate_facts(ws: Workspace, estimates: dict[str, list[int]]) -> GateFacts:
    """What the gate cannot see in files; `estimates` maps predictors to the years that go into the release."""

    def tell(report: GateReport, release: str) -> None:
        report.write(report_folder(ws), release)

    stale = tuple((k, y) for k, years in estimates.items() for y in years if not _is_current(ws, k, y))
    balance, controls = survey_facts(ws)
    return GateFacts(stale=stale, balance=balance, controls=controls, tell=tell)


def _is_current(ws: Workspace, key: str, year: int) -> bool:
    """Whether estimates, and the tables behind them, were made from what is there now."""
    tables = with_upstream({*catalog()[key].inputs, "spine"})
    return estimates_are_fresh(ws, key, year) and all(table_is_current(ws, name, year) for name in tables)


def survey_facts(ws: Workspace) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """What the survey's files of people say of themselves: (balance, controls), each None without microdata.

    Balance: the weight by state before and after allocation to counties (year, table, state, before, after). Records of
    a PUMA that the allocation lacks count as lost; those of a vintage without any crosswalk do not count. Controls: the
    people of a state beside its published total (year, table, state, weighted, control), for files that hold everybody:
    an extract may have been ordered for some ages only. The one-year file is weighted to the population estimates of
    its year, the five-year file to the Bureau's own total of the five years.
    """
    balances, controls = [], []
    wanted = {i for e in catalog().values() for i in e.inputs}
    for name in (t for t in _WEIGHTED if t in wanted):
        for year in ws.years("tables", name):
            if (people := ws.scan("tables", name, year)) is None:
                continue
            weights = (
                people.group_by(_UNIT)
                .agg(
                    pl.col("perwt").cast(pl.Int64).sum().alias("weight"),
                    pl.col("age").min().alias("youngest"),
                    pl.col("gq").is_in(_QUARTERS).any().alias("quarters"),
                )
                .collect(engine="streaming")
            )
            if (allocation := ws.scan("tables", "puma_allocation", year)) is not None:
                balances.append(_balance(weights, allocation.collect(), year, name))
            if (totals := _published_totals(ws, name, year)) is not None:
                controls.append(_controls(weights, totals, year, name))
    return (pl.concat(balances) if balances else None), (pl.concat(controls) if controls else None)


def _balance(weights: pl.DataFrame, allocation: pl.DataFrame, year: int, name: str) -> pl.DataFrame:
    # Interviews coded to areas of a census without a crosswalk are left out of the figures, and so here.
    placed = weights.join(allocation.select("puma_vintage").unique(), on="puma_vintage", how="semi")
    factors = allocation.filter(pl.col("level") == "county").group_by(_UNIT).agg(pl.col("afact").sum())
    return (
        placed.join(factors, on=_UNIT, how="left", validate="1:1")
        .group_by("state")
        .agg(
            pl.col("weight").sum().cast(pl.Float64).alias("before"),
            (pl.col("weight") * pl.col("afact").fill_null(0.0)).sum().alias("after"),
        )
        .select(pl.lit(year).alias("year"), pl.lit(name).alias("table"), "state", "before", "after")
        .sort("state")
    )


def _published_totals(ws: Workspace, name: str, year: int) -> pl.DataFrame | None:
    """state, control: the residents of each state that the file of the year is weighted to; None if not at hand."""
    table, people = ("spine", "population") if name == "acs1_persons" else ("acs_area_population", "people")
    counties = ws.scan("tables", table, year)
    if counties is None:
        return None
    return (
        counties.filter(pl.col("level") == "county")
        .group_by("state")
        .agg(pl.col(people).sum().cast(pl.Float64).alias("control"), pl.col(people).is_null().any().alias("partly"))
        .filter(~pl.col("partly") & (pl.col("control") > 0))
        .select("state", "control")
        .collect()
    )


def _controls(weights: pl.DataFrame, totals: pl.DataFrame, year: int, name: str) -> pl.DataFrame:
    everybody = weights.group_by("state").agg(
        pl.col("weight").sum().cast(pl.Float64).alias("weighted"), pl.col("youngest").min(), pl.col("quarters").any()
    )
    return (
        everybody.filter((pl.col("youngest") == 0) & pl.col("quarters"))
        .join(totals, on="state", how="inner", validate="1:1")
        .select(pl.lit(year).alias("year"), pl.lit(name).alias("table"), "state", "weighted", "control")
        .sort("state")
    )
