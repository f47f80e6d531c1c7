"""Average pay beside the living wage, by county and industry group. Method file living_wage.md, sections 4 to 6."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from schemas.errors import InputError
from schemas.labels import ALL
from schemas.vintages import RENAMED_COUNTIES

HOURS_PER_WEEK: Final = 40
WEEKS_PER_YEAR: Final = 52

# Subgroup -> its (ownership, industry) cells. Left out: all private employers together, and the industries 102
# (services), 1011 to 1013 (parts of goods) and 1029 (unclassified).
GROUPS: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    ALL: ((0, "10"),),
    "Goods Producing": ((5, "101"),),
    "Public Administration": ((1, "10"), (2, "10"), (3, "10")),
    "Trade, Transit, Utilities": ((5, "1021"),),
    "Information Services": ((5, "1022"),),
    "Professional Services": ((5, "1023"), (5, "1024")),
    "Education and Health": ((5, "1025"),),
    "Leisure and Other": ((5, "1026"), (5, "1027")),
}

COUNTY: Final = ["state", "county"]
GROUP: Final = ["subgroup_type", "subgroup"]


@dataclass(frozen=True)
class Switches:
    """What the registered deviations decide; the defaults are ours.

    industry_in_year_dollars: industry figures use the living wage in dollars of the data year. annual_cpi_2022: prices
    of 2022 are the annual average, not that of the first half. zero_pay_is_missing: pay of zero, and undisclosed pay
    in the overall figure, are missing, not zero. codes_of_the_year: renamed counties are recoded before joining.
    overall_by_industry_rules: `All` as in the reference's industry file, where its value is not that of the overall
    file. pooled_pay: payroll over employment in place of the kept mean of means.
    """

    industry_in_year_dollars: bool = True
    annual_cpi_2022: bool = True
    zero_pay_is_missing: bool = True
    codes_of_the_year: bool = True
    overall_by_industry_rules: bool = False
    pooled_pay: bool = False


OURS: Final = Switches()
REFERENCE: Final = Switches(
    industry_in_year_dollars=False, annual_cpi_2022=False, zero_pay_is_missing=False, codes_of_the_year=False
)
REFERENCE_INDUSTRY: Final = replace(REFERENCE, overall_by_industry_rules=True)


def group_cells() -> pl.DataFrame:
    """GROUPS as rows: subgroup_type, subgroup, ownership (Int8), naics."""
    return pl.DataFrame(
        [("all" if label == ALL else "industry", label, *cell) for label, cells in GROUPS.items() for cell in cells],
        schema={"subgroup_type": pl.String, "subgroup": pl.String, "ownership": pl.Int8, "naics": pl.String},
        orient="row",
    )


def county_list(spine: pl.LazyFrame) -> pl.DataFrame:
    """The counties of the year: state, county."""
    return spine.filter(pl.col("level") == "county").select("state", pl.col("geo").alias("county")).collect()


def recoded(table: pl.LazyFrame, counties: pl.DataFrame, switches: Switches = OURS) -> pl.LazyFrame:
    """The table with each renamed county under the code that the year's county list has for it."""
    if not switches.codes_of_the_year:
        return table
    pairs = pl.DataFrame(
        [(one[:2], one[2:], other[2:]) for pair in RENAMED_COUNTIES.items() for one, other in (pair, pair[::-1])],
        schema=["state", "county", "code_of_the_year"],
        orient="row",
    )
    listed = counties.rename({"county": "code_of_the_year"})
    moves = pairs.join(listed, on=["state", "code_of_the_year"], how="semi").join(counties, on=COUNTY, how="anti")
    return (
        table.join(moves.lazy(), on=COUNTY, how="left", validate="m:1")
        .with_columns(pl.coalesce("code_of_the_year", "county").alias("county"))
        .drop("code_of_the_year")
    )


def off_list(table: pl.LazyFrame, counties: pl.DataFrame, switches: Switches = OURS) -> pl.DataFrame:
    """The counties of the table that the year's list does not have, with their number of rows: state, county, rows."""
    return (
        recoded(table, counties, switches)
        .join(counties.lazy(), on=COUNTY, how="anti")
        .group_by(COUNTY)
        .agg(pl.len().alias("rows"))
        .sort(COUNTY)
        .collect()
    )


def wage_cells(qcew_county: pl.LazyFrame, counties: pl.DataFrame, switches: Switches = OURS) -> pl.DataFrame:
    """The wage cells behind the figures, with subgroup_type and subgroup; counties of the list only."""
    rows = (
        recoded(qcew_county, counties, switches)
        .join(counties.lazy(), on=COUNTY, how="semi")
        .join(group_cells().lazy(), on=["ownership", "naics"], how="inner", validate="m:1")
        .collect()
    )
    return _refuse_doubles(rows, [*COUNTY, "ownership", "naics"], "qcew_county")


def average_pay(cells: pl.DataFrame, switches: Switches = OURS) -> pl.DataFrame:
    """Average weekly pay per county and group, from its wage cells.

    Columns: state, county, subgroup_type, subgroup, pay, establishments (sum), withheld, cells (their number).
    `withheld`: some cell is undisclosed, or has workers without pay. `pay` is the mean over the cells with workers;
    null if something is withheld or nobody works there.
    """
    wage = pl.col("weekly_wage")
    withheld = ~pl.col("disclosed")
    if switches.zero_pay_is_missing:
        wage = pl.when(wage > 0).then(wage)
        withheld = withheld | (wage.is_null() & (pl.col("employment").fill_null(1) > 0))
    else:
        wage = wage.fill_null(0.0)
    # Sorted, so that the sum of fractional wages does not depend on the order of rows.
    average = wage.sort().mean()
    if switches.pooled_pay:
        jobs = pl.col("employment").sort().sum()
        average = pl.when(jobs > 0).then(pl.col("total_wages").sort().sum() / jobs / WEEKS_PER_YEAR)
    pay = cells.group_by([*COUNTY, *GROUP]).agg(
        pay=average, establishments=pl.col("establishments").sum(), withheld=withheld.any(), cells=pl.len()
    )
    kept = ~pl.col("withheld")
    if not (switches.zero_pay_is_missing or switches.overall_by_industry_rules):
        kept = kept | (pl.col("subgroup") == ALL)
    return pay.with_columns(pay=pl.when(kept).then("pay"))


def living_wages(
    mit_living_wage: pl.LazyFrame, cpi: pl.LazyFrame, counties: pl.DataFrame, year: int, switches: Switches = OURS
) -> pl.DataFrame:
    """Weekly living wage per county in dollars of the year.

    Columns: state, county, hourly_wage and dollars_year (as the source has them), factor (prices of the year over those
    of the source's dollars), living_wage (40 hours).
    """
    prices = cpi.collect()
    if not switches.annual_cpi_2022:
        first_half = pl.when(pl.col("year") == 2022).then(pl.col("cpi_u_first_half"))
        prices = prices.with_columns(cpi_u=pl.coalesce(first_half, "cpi_u"))
    prices_of = dict(prices.select("year", "cpi_u").iter_rows())
    rows = recoded(mit_living_wage, counties, switches).join(counties.lazy(), on=COUNTY, how="semi").collect()
    _refuse_doubles(rows, COUNTY, "mit_living_wage")
    factors = {year: 1.0}
    for dollars in set(rows["dollars_year"].to_list()) - {year}:
        missing = sorted({year, dollars} - set(prices_of))
        if missing:
            raise InputError(f"no annual average of {missing[0]}.", source="cpi", column="cpi_u")
        factors[dollars] = prices_of[year] / prices_of[dollars]
    factor = pl.col("dollars_year").replace_strict(factors, return_dtype=pl.Float64)
    return rows.select(*COUNTY, "hourly_wage", "dollars_year", factor=factor).with_columns(
        living_wage=HOURS_PER_WEEK * pl.col("hourly_wage") * pl.col("factor")
    )


def side_by_side(
    counties: pl.DataFrame, cells: pl.DataFrame, wages: pl.DataFrame, switches: Switches = OURS
) -> pl.DataFrame:
    """Every county crossed with every group, with pay and living wage as far as there are.

    Columns: state, county, subgroup_type, subgroup, pay, establishments, withheld, cells (null: no such cell),
    living_wage, covered (the county is in the wage census and in the calculator).
    """
    present = cells.select(COUNTY).unique().with_columns(has_pay=True)
    grid = (
        counties.join(group_cells().select(GROUP).unique(maintain_order=True), how="cross")
        .join(average_pay(cells, switches), on=[*COUNTY, *GROUP], how="left", validate="1:1")
        .join(present, on=COUNTY, how="left", validate="m:1")
        .join(wages, on=COUNTY, how="left", validate="m:1")
    )
    living_wage = pl.col("living_wage")
    if not switches.industry_in_year_dollars:
        adjusted = (pl.col("subgroup") == ALL) & (not switches.overall_by_industry_rules)
        living_wage = pl.when(adjusted).then(living_wage).otherwise(HOURS_PER_WEEK * pl.col("hourly_wage"))
    return grid.select(
        *COUNTY,
        *GROUP,
        "pay",
        "establishments",
        "withheld",
        "cells",
        living_wage.alias("living_wage"),
        covered=pl.col("has_pay").fill_null(False) & pl.col("living_wage").is_not_null(),
    )


def _refuse_doubles(rows: pl.DataFrame, key: list[str], table: str) -> pl.DataFrame:
    doubled = rows.filter(pl.struct(key).is_duplicated())
    if doubled.height:
        cell = ", ".join(str(value) for value in doubled.select(key).row(0))
        raise InputError(f"two rows for {cell}, after recoding renamed counties.", source=table)
    return rows
