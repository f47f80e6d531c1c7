"""The ACS microdata tables: which of the two forms of a sample is read, and what must hold for the whole table."""

from __future__ import annotations

from functools import partial
from typing import Final

import pandera.polars as pa
import polars as pl

from schemas.acs import ADJUST_RANGE, Acs1Households, Acs1Persons, Acs5Households, Acs5Persons
from schemas.errors import InputError
from sources import acs_pums_census, acs_pums_ipums
from sources.acs.asked import cases, uses_of
from sources.acs.ipums_order import Orders, definition, order_name, variables
from sources.acs.parts import READER, Built
from sources.acs.sample import FIVE_YEAR, ONE_YEAR, Sample, Span, Unit
from sources.framework.declare import Table
from sources.framework.retrieve import Retrieval

IPUMS: Final = "IPUMS USA extract"
CENSUS: Final = "Census Bureau files"

# Mean weights are about 100 (1-year) and 20 (5-year). Only a mean that is off by a factor is refused (implied decimals
# not applied, weights of another sample); small and synthetic samples scatter.
_MEAN_WEIGHT: Final = (5.0, 1000.0)
# Replicate weights vary about the full weight; these three show whether all are on its scale.
_SCALE: Final = (0.5, 2.0)
_LOOKED_AT: Final = (1, 40, 80)


def build(unit: Unit, span: Span, year: int, retrieval: Retrieval) -> pl.LazyFrame:
    """The persons or households of one sample, from the one form of it that is at hand.

    Form: what the store, inbox or mirror hold; else an IPUMS extract, if there is a key; else the Census Bureau's
    files. It is noted, with the counts of the reader. Raises `OwedError`, or `InputError` if both forms of the sample
    are at hand, or a file is wrong.
    """
    sample = Sample(year, span)
    form = choose_form(sample, retrieval)
    if form == IPUMS:
        _order(sample, retrieval)
        built = acs_pums_ipums.build(sample, unit, retrieval)
    else:
        built = acs_pums_census.build(sample, unit, retrieval)
    source, vintage = (
        (acs_pums_ipums.KEY, sample.ipums_vintage) if form == IPUMS else (acs_pums_census.KEY, sample.census_vintage)
    )
    retrieval.notes["acs form"] = f"{form}, {vintage}"
    retrieval.notes.update({f"acs {what}": found for what, found in built.counts.items()})
    used = {column for use in uses_of(unit, sample, retrieval.uses).values() for column in use.columns}
    retrieval.notes.update(
        _whole_table(built, unit, source, vintage, replicates=not used or _replicate(unit, 1) in used)
    )
    return built.table


def choose_form(sample: Sample, retrieval: Retrieval) -> str:
    """`IPUMS` or `CENSUS`. A sample whose two forms are both at hand is refused: its tables must not mix them."""
    ipums = retrieval.has(acs_pums_ipums.SOURCE, sample.ipums_vintage)
    census = any(
        retrieval.has(acs_pums_census.SOURCE, sample.census_vintage, (name,))
        for name in (acs_pums_census.PERSONS, acs_pums_census.HOUSING)
    )
    if ipums and census:
        raise InputError(
            f"both forms of the {sample.span}-year sample of {sample.year} are at hand, "
            f"{acs_pums_ipums.KEY}/{sample.ipums_vintage} and {acs_pums_census.KEY}/{sample.census_vintage}; "
            "the tables of one sample must come from one of them.",
            source=acs_pums_ipums.KEY,
            file=sample.ipums_vintage,
            remedy="Take one of the two out of the raw store, the inbox or the mirror.",
        )
    declared = {v.key for v in acs_pums_ipums.SOURCE.vintages}
    can_order = retrieval.ipums_key and not retrieval.offline and sample.ipums_vintage in declared
    if ipums or (not census and can_order):
        return IPUMS
    return CENSUS


def _order(sample: Sample, retrieval: Retrieval) -> None:
    """Order the sample's extract and put its files into the store, if there is a key and no extract serves the run.

    One extract serves all predictors of the run that use the sample, persons and households alike. If the extracts at
    hand were made for other predictors and lack a variable, another one is ordered, which is used from then on; it
    serves the predictors of earlier runs, too.
    """
    if retrieval.ipums_key is None or retrieval.offline:
        return
    if retrieval.has(acs_pums_ipums.SOURCE, sample.ipums_vintage):
        lacking = acs_pums_ipums.lacking_for(sample, retrieval)
        if not lacking:
            return
        retrieval.notes["acs ordered again for want of"] = lacking
    orders = Orders(retrieval.ipums_key, retrieval.scratch / "acs" / "ipums-orders.json")
    folder = retrieval.scratch / "acs" / "ipums-incoming" / sample.ipums_vintage
    wanted = definition(sample, variables(sample, retrieval.uses_to_order), cases(sample, retrieval.uses_to_order))
    number, files = orders.fetch(wanted, folder)
    for file in files:
        retrieval.add(acs_pums_ipums.SOURCE, sample.ipums_vintage, file, how="download", url=order_name(number))
        file.unlink()


def _replicate(unit: Unit, number: int) -> str:
    """Column of a replicate weight."""
    return f"{'repwtp' if unit == 'persons' else 'repwt'}{number}"


def _whole_table(built: Built, unit: Unit, source: str, vintage: str, *, replicates: bool) -> dict[str, object]:
    """Sums that can be compared with the agency's, and the tests that need the whole table.

    Without `replicates` no predictor of the run uses replicate weights, and the extract may lack them.
    """
    weight = "perwt" if unit == "persons" else "hhwt"
    looked_at = _LOOKED_AT if replicates else ()
    figures = [pl.len().alias("rows"), pl.col(weight).cast(pl.Int64).sum().alias("weight")]
    for i in looked_at:
        column = pl.col(_replicate(unit, i)).cast(pl.Int64)
        full = pl.col(weight).cast(pl.Int64).filter(column.is_not_null()).sum()
        figures.append((column.sum() / full).alias(_replicate(unit, i)))
    if unit == "households":
        figures += [pl.col("adjust").min().alias("low"), pl.col("adjust").max().alias("high")]
    found = built.table.select(figures).collect(engine="streaming").row(0, named=True)

    def refuse(problem: str, column: str) -> InputError:
        return InputError(problem, source=source, file=vintage, column=column)

    if found["rows"] == 0:
        raise refuse("there are no records.", weight.upper())
    mean = found["weight"] / found["rows"]
    if not _MEAN_WEIGHT[0] <= mean <= _MEAN_WEIGHT[1]:
        raise refuse(f"the mean weight is {mean:,.2f}; about 100 (1-year) or 20 (5-year) is expected.", weight.upper())
    for i in looked_at:
        ratio = found[_replicate(unit, i)]
        if not _SCALE[0] <= ratio <= _SCALE[1]:
            problem = f"the replicate weights add up to {ratio:,.4g} times the full weights; about 1 is expected."
            raise refuse(problem, _replicate(unit, i).upper())
    if unit == "households" and not ADJUST_RANGE[0] <= found["low"] <= found["high"] <= ADJUST_RANGE[1]:
        text = f"{found['low']} to {found['high']}"
        raise refuse(f"the income factors are {text}; {ADJUST_RANGE[0]} to {ADJUST_RANGE[1]} is expected.", "ADJUST")
    return {"acs rows": found["rows"], f"acs sum of {weight}": found["weight"]}


def _table(unit: Unit, span: Span) -> Table:
    persons = unit == "persons"
    models: dict[tuple[Unit, Span], type[pa.DataFrameModel]] = {
        ("persons", 1): Acs1Persons,
        ("households", 1): Acs1Households,
        ("persons", 5): Acs5Persons,
        ("households", 5): Acs5Households,
    }
    of = "persons" if persons else "households and vacant units"
    return Table(
        name=f"acs{span}_{unit}",
        title=f"ACS {span}-year microdata: {of}",
        description=(
            f"One row per {'person' if persons else 'household (its householder) and per vacant unit'} of the "
            f"{span}-year American Community Survey sample, with IPUMS names and codes and 80 replicate weights. "
            "States whose Census Bureau files are owed are not in it."
        ),
        model=models[unit, span],
        sources=(acs_pums_ipums.KEY, acs_pums_census.KEY),
        years=ONE_YEAR if span == 1 else FIVE_YEAR,
        build=partial(build, unit, span),
        version=READER,
        gate_rows=False,
    )


TABLES: Final = (_table("persons", 1), _table("households", 1), _table("persons", 5), _table("households", 5))
