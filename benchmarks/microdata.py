"""Every ACS microdata predictor at national size: shares, percentiles and all of them, 1-year and 5-year file.

    python benchmarks/microdata.py [--runs 3] [--folder DIR] [--scale 1.0]

SYNTHETIC national samples of 2023 (`benchmarks.nation`), read into Parquet by the project's own reader. Alternatives:
DuckDB in SQL (PUMA sums with grouping sets, allocation, ratios and standard errors; no bounds, ranks, quality), polars
joined to areas with a loop over them, and the floor of scanning and adding up the needed columns once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import ways

if TYPE_CHECKING:
    import polars as pl

    from metrics.acs_window import Window
    from metrics.survey import ShareSpec
    from pipelines.workspace import Workspace

YEAR: Final = 2023
SPANS: Final = (1, 5)
REPLICATES: Final = 80
KEY: Final = ["level", "state", "geo"]
CELL: Final = [*KEY, "metric", "subgroup_type", "subgroup"]
PREDICTORS: Final = (
    *("employment", "preschool", "college", "digital_access", "income", "housing_affordability", "housing_wealth"),
)
UNITS: Final = ("persons", "households")
TABLES: Final = tuple(f"acs{span}_{unit}" for span in SPANS for unit in UNITS)


# ---- files ----------------------------------------------------------------------------------------------------------


def workspace(folder: Path) -> Workspace:
    """The data root of the national files; what is made there is synthetic, as in the profile `sample`."""
    from pipelines.settings import Settings
    from pipelines.workspace import Workspace
    from sources.framework.states import STATES

    states = ",".join(state.fips for state in STATES)
    settings = Settings(data=str(ways.nation_folder(folder)), profile="sample", offline=True, states=states)
    return Workspace(settings.model_copy(update={"mirror": None, "substitute": "none"}))


def write_tables(folder: Path, scale: float, spans: Sequence[int]) -> None:
    """The raw files of the samples and of what goes with them, and the tables that the predictors read."""
    import shutil

    from benchmarks import nation
    from pipelines.engine import refresh_table
    from pipelines.run import plan

    raw = ways.nation_folder(folder) / "raw"
    nation.write_microdata(raw, [(YEAR, span) for span in spans], scale=scale)
    nation.write_sources(raw, (YEAR,))
    ws = workspace(folder)
    ws.claim()
    ws.predictors = PREDICTORS
    others = [f"acs{span}_{unit}" for span in SPANS if span not in spans for unit in UNITS]
    for name in plan(list(PREDICTORS), [YEAR], ws)[YEAR][0]:
        if name not in others:
            refresh_table(ws, name, YEAR)
    shutil.rmtree(ws.scratch, ignore_errors=True)


def write(folder: Path, scale: float) -> str:
    """All that the ways need."""
    write_tables(folder, scale, SPANS)
    counts = {name: table(folder, name).select(_length()).collect().item() for name in TABLES}
    listed = ", ".join(f"{counts[name]:,} {name.replace('_', ' ').replace('acs', 'ACS')}" for name in TABLES)
    pumas = table(folder, "puma_allocation").select("state", "puma").unique().collect().height
    return f"{listed}, {pumas:,} PUMAs, {REPLICATES} replicate weights each; SYNTHETIC data"


def _length() -> pl.Expr:
    import polars as pl

    return pl.len()


def table(folder: Path, name: str) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_parquet(ways.nation_folder(folder) / "tables" / name / f"{YEAR}.parquet")


def _window(folder: Path, unit: str, span: int) -> Window:
    from metrics.acs_window import of_sample

    sample = f"acs{span}"
    return of_sample(sample, table(folder, f"{sample}_{unit}"), table(folder, "puma_allocation"), YEAR)


# ---- floors ---------------------------------------------------------------------------------------------------------


def _scan(folder: Path, unit: str, span: int, columns: set[str]) -> None:
    """Read the columns once and add them up."""
    import polars as pl

    records = table(folder, f"acs{span}_{unit}")
    schema = records.collect_schema()
    sums = [
        pl.col(c).max()
        if schema[c] == pl.String
        else pl.col(c).cast(pl.Float64 if schema[c].is_float() else pl.Int64).sum()
        for c in sorted(columns)
    ]
    records.select(sums).collect(engine="streaming")


def _columns_of(*predictors: str, unit: str) -> set[str]:
    from metrics.catalog import catalog

    return set().union(*(catalog()[p].microdata[f"acs5_{unit}"].columns for p in predictors))


def scan_shares(folder: Path, span: int) -> None:
    """The columns of all person-level shares."""
    _scan(folder, "persons", span, _columns_of("employment", "preschool", "college", unit="persons"))


def scan_incomes(folder: Path, span: int) -> None:
    """The columns of the percentiles."""
    _scan(folder, "households", span, _columns_of("income", unit="households"))


def scan_everything(folder: Path) -> None:
    """All columns of all four tables, one after another."""
    for span in SPANS:
        for unit in UNITS:
            _scan(folder, unit, span, set(table(folder, f"acs{span}_{unit}").collect_schema().names()))


# ---- shares ---------------------------------------------------------------------------------------------------------


def share_specs() -> list[ShareSpec]:
    """The shares of persons, with all their subgroups."""
    from metrics.education import college, preschool
    from metrics.rewarding_work import employment

    return [employment.BY_GROUP, preschool.SHARE, college.SHARE]


def _shares(folder: Path, span: int, passes: Sequence[Sequence[ShareSpec]]) -> pl.DataFrame:
    import polars as pl

    from metrics.replication import PERSON_WEIGHTS
    from metrics.survey import share_estimates

    window = _window(folder, "persons", span)
    found = [
        share_estimates(window.records, window.allocation, specs, weights=PERSON_WEIGHTS, sample=f"acs{span}")
        for specs in passes
    ]
    return pl.concat(found)


def shares_one_pass(folder: Path, span: int) -> pl.DataFrame:
    """All three shares from one pass over the records."""
    return _shares(folder, span, [share_specs()]).select(*CELL, "value")


def shares_by_predictor(folder: Path, span: int) -> pl.DataFrame:
    """A pass for each predictor, as the pipeline does, in which each predictor is a step of its own."""
    return _shares(folder, span, [[spec] for spec in share_specs()]).select(*CELL, "value")


def shares_duckdb(folder: Path, span: int) -> pl.DataFrame:
    """DuckDB: sums by PUMA, outcome and subgroup in one query a metric, allocation, ratios and standard errors."""
    import duckdb
    import polars as pl

    from schemas import labels

    root = ways.nation_folder(folder) / "tables"
    persons, areas = (root / name / f"{YEAR}.parquet" for name in (f"acs{span}_persons", "puma_allocation"))
    weights = ["perwt", *(f"repwtp{i}" for i in range(1, REPLICATES + 1))]
    race = (
        "case when hispan <> 0 then 'Hispanic' when race = 1 then 'White, Non-Hispanic' "
        "when race = 2 then 'Black, Non-Hispanic' else 'Other Races and Ethnicities' end"
    )
    sex = "case sex when 1 then 'Male' when 2 then 'Female' end"
    difficulties = " or ".join(f"{d} = 2" for d in ("diffrem", "diffphys", "diffmob", "diffsens", "diffcare"))
    disability = f"case when {difficulties} then 'With Disability' else 'Without Disability' end"
    income = (
        f"case when hhincome = 9999999 then null when hhincome < 50000 then '{labels.HOUSEHOLD_INCOME[0]}' "
        f"else '{labels.HOUSEHOLD_INCOME[1]}' end"
    )
    by_group = {"race-ethnicity": race, "gender": sex, "disability": disability}
    tasks = (
        ("share_employed", "age between 25 and 54 and gq in (1, 2, 5)", "empstat = 1", by_group),
        (
            "share_in_preschool",
            "age in (3, 4) and gradeatt <= 2",
            "gradeatt = 1",
            {"race-ethnicity": race, "income": income},
        ),
        ("share_hs_degree", "age in (19, 20)", "educd >= 62", by_group),
    )
    parts = []
    for metric, universe, outcome, groups in tasks:
        names = [f"g{i}" for i in range(len(groups))]
        columns = ", ".join(f"{expression} {n}" for n, expression in zip(names, groups.values(), strict=True))
        sets = ", ".join(["(state, puma, y)", *(f"(state, puma, y, {n})" for n in names)])
        which = " ".join(f"when grouping({n}) = 0 then '{kind}'" for n, kind in zip(names, groups, strict=True))
        allocated = ", ".join(
            f"sum({w} * afact_10k) d{i}, sum({w} * afact_10k * y) n{i}" for i, w in enumerate(weights)
        )
        squares = " + ".join(f"coalesce(pow(n{i} / d{i} - n0 / d0, 2), 0)" for i in range(1, REPLICATES + 1))
        parts.append(
            duckdb.sql(
                f"""
                with records as (
                    select state, puma, ({outcome})::int y, {columns}, {", ".join(weights)}
                    from '{persons}' where {universe}
                ), sums as (
                    select state, puma, y, case {which} else 'all' end subgroup_type,
                        coalesce({", ".join(names)}, 'All') subgroup, count(*) n,
                        {", ".join(f"sum({w}) {w}" for w in weights)}
                    from records group by grouping sets ({sets})
                ), area as (
                    select level, state, geo, subgroup_type, subgroup, sum(n * afact_10k) e, {allocated}
                    from sums join '{areas}' using (state, puma)
                    where subgroup_type = 'all' or subgroup <> 'All' group by all
                )
                select level, state, geo, '{metric}' as metric, subgroup_type, subgroup, n0 / d0 as value,
                    sqrt(4 / 80 * ({squares})) se
                from area where e >= 300000 and d0 > 0
                """
            ).pl()
        )
    return pl.concat(parts).select(*CELL, "value")


def digital_access(folder: Path) -> pl.DataFrame:
    """Households with a computer and high-speed internet, from the 5-year file."""
    from metrics.education import digital_access as predictor

    found = predictor.estimate(table(folder, "acs5_households"), table(folder, "puma_allocation"), YEAR)
    return found.select(*CELL, "value")


# ---- percentiles ----------------------------------------------------------------------------------------------------


def incomes(folder: Path, span: int) -> pl.DataFrame:
    """Percentiles with Woodruff bounds: everybody (1-year), everybody and all subgroups (5-year), as published."""
    from metrics.quantiles import quantile_estimates
    from metrics.replication import HOUSEHOLD_WEIGHTS
    from metrics.rewarding_work import income

    window = _window(folder, "households", span)
    spec = income.SPECS[f"acs{span}"]
    found = quantile_estimates(window.records, window.allocation, spec, weights=HOUSEHOLD_WEIGHTS, sample=f"acs{span}")
    return found.select(*CELL, "value")


def incomes_overall(folder: Path, span: int) -> pl.DataFrame:
    """The same for everybody alone."""
    from metrics.quantiles import quantile_estimates
    from metrics.replication import HOUSEHOLD_WEIGHTS
    from metrics.rewarding_work import income

    window = _window(folder, "households", span)
    found = quantile_estimates(
        window.records, window.allocation, income.OVERALL, weights=HOUSEHOLD_WEIGHTS, sample=f"acs{span}"
    )
    return found.select(*CELL, "value")


def incomes_duckdb(folder: Path, span: int) -> pl.DataFrame:
    """DuckDB: running weights by area, the quantile (ties not by rule) and sums of all weights below it."""
    import duckdb
    import polars as pl

    root = ways.nation_folder(folder) / "tables"
    households, areas = (root / name / f"{YEAR}.parquet" for name in (f"acs{span}_households", "puma_allocation"))
    weights = ["hhwt", *(f"repwt{i}" for i in range(1, REPLICATES + 1))]
    sums = ", ".join(f"sum({w} * afact_10k) t{i}" for i, w in enumerate(weights))
    below = ", ".join(
        f"sum({w} * afact_10k) filter (v <= q{p}) b{p}_{i}" for p in (20, 50, 80) for i, w in enumerate(weights)
    )
    con = duckdb.connect()
    con.execute(
        f"""
        create temp table spread as
        select level, state, geo, afact_10k, hhincome * adjust v, {", ".join(weights)}
        from '{households}' records join '{areas}' areas using (state, puma) where gq in (1, 2, 5)
        """
    )
    quantiles = ", ".join(f"min(v) filter (upto > {p} / 100 * total) q{p}" for p in (20, 50, 80))
    con.execute(
        f"""
        create temp table cut as
        select level, state, geo, {quantiles} from (
            select level, state, geo, v, n, sum(w) over (partition by level, state, geo order by v) upto,
                sum(w) over (partition by level, state, geo) total, sum(n) over (partition by level, state, geo) e
            from (
                select level, state, geo, v, sum(hhwt * afact_10k) w, sum(afact_10k) n
                from spread group by all
            )
        ) where e >= 300000 group by all
        """
    )
    found = con.sql(
        f"select level, state, geo, any_value(q20) q20, any_value(q50) q50, any_value(q80) q80, {sums}, {below} "
        "from spread join cut using (level, state, geo) group by all"
    ).pl()
    parts = [
        found.select(
            *KEY,
            pl.lit(f"pctl_income_{p}").alias("metric"),
            pl.lit("all").alias("subgroup_type"),
            pl.lit("All").alias("subgroup"),
            pl.col(f"q{p}").alias("value"),
        )
        for p in (20, 50, 80)
    ]
    return pl.concat(parts)


# ---- all of them ----------------------------------------------------------------------------------------------------


def every_predictor(folder: Path) -> None:
    """All ACS microdata predictors, subgroups and levels by the steps of the pipeline: made, gated, judged, written."""
    from pipelines.engine import refresh_estimates

    ws = workspace(folder)
    ws.force = True
    for key in PREDICTORS:
        refresh_estimates(ws, key, YEAR)


def _rows(folder: Path, name: str) -> int:
    return int(table(folder, name).select(_length()).collect().item())


def summary(folder: Path, medians: ways.Medians) -> list[str]:
    """What the targets ask: growth of time and memory from the 1-year to the 5-year file."""
    lines = []
    for task, unit in (("shares", "persons"), ("percentiles, everybody", "households")):
        one, five = (medians.get(f"{task}, {span}-year, this project") for span in SPANS)
        if one and five:
            rows = _rows(folder, f"acs5_{unit}") / _rows(folder, f"acs1_{unit}")
            lines.append(
                f"{task}: 5-year file {rows:.2f} times the rows, {five[0] / one[0]:.2f} times the time "
                f"({five[0] / one[0] / rows:.2f} a row), {five[2] / one[2]:.2f} times the memory"
            )
    return lines


def _ways() -> list[ways.Way]:
    from functools import partial

    found = []
    for span in SPANS:
        shares, floor = f"shares, {span}-year, this project", f"shares, {span}-year, scan only"
        found += [
            ways.Way(floor, partial(scan_shares, span=span)),
            ways.Way(shares, partial(shares_one_pass, span=span), shares, floor),
            ways.Way(
                f"shares, {span}-year, a pass a predictor", partial(shares_by_predictor, span=span), shares, floor
            ),
            ways.Way(f"shares, {span}-year, DuckDB", partial(shares_duckdb, span=span), shares, floor),
        ]
    access = "digital access, 5-year, this project"
    found.append(ways.Way(access, digital_access, access))
    for span in SPANS:
        overall, floor = f"percentiles, everybody, {span}-year, this project", f"percentiles, {span}-year, scan only"
        found += [
            ways.Way(floor, partial(scan_incomes, span=span)),
            ways.Way(overall, partial(incomes_overall, span=span), overall, floor),
            ways.Way(
                f"percentiles, everybody, {span}-year, DuckDB", partial(incomes_duckdb, span=span), overall, floor
            ),
        ]
    groups = "percentiles, all subgroups, 5-year, this project"
    found.append(ways.Way(groups, partial(incomes, span=5), groups, "percentiles, 5-year, scan only"))
    floor = "all columns of all four tables, scan only"
    found.append(ways.Way(floor, scan_everything))
    found.append(ways.Way("all ACS predictors, made and written", every_predictor, None, floor))
    return found


if __name__ == "__main__":
    ways.main(Path(__file__).resolve(), __doc__ or "", write, _ways(), summary)
