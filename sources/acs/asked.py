"""From what predictors use of the microdata tables to the IPUMS variables and cases of an extract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.microdata import RecordUse
from sources.acs.ipums_tables import HOUSEHOLDER, TECHNICAL, VARIABLES
from sources.acs.sample import UNITS, Sample, Unit

Uses = Mapping[str, Mapping[str, RecordUse]]
"""Table -> predictor -> what it uses."""

# Columns that the readers make of variables that every extract has.
_MADE: Final = frozenset({"survey_year", "state", "puma", "puma_vintage"})
# A table of households cannot be checked without these: units that nobody lives in, first persons, and the factor.
_OF_HOUSEHOLDS: Final = frozenset({"VACANCY", "PERNUM", "ADJUST", "HHWT"})
_OF_PERSONS: Final = frozenset({"PERNUM", "PERWT"})


def table_of(unit: Unit, sample: Sample) -> str:
    """Name of the table of the sample's persons or households."""
    return f"acs{sample.span}_{unit}"


def uses_of(unit: Unit, sample: Sample, uses: Uses) -> Mapping[str, RecordUse]:
    """What each predictor uses of that table; empty if none of them does."""
    return uses.get(table_of(unit, sample), {})


def needed(unit: Unit, sample: Sample, uses: Uses, *, optional: bool = False) -> dict[str, tuple[str, ...]]:
    """IPUMS variable -> the predictors that cannot do without it, or (`optional`) that use it if it is there.

    Variables that the table as such needs are there for all of its predictors. Nothing if no predictor uses the table.
    """
    mine = uses_of(unit, sample, uses)
    if not mine:
        return {}
    always = {*TECHNICAL, *(_OF_PERSONS if unit == "persons" else _OF_HOUSEHOLDS)}
    always |= {"MULTYEAR"} if sample.span == 5 else set()
    by_variable: dict[str, set[str]] = {variable: set(mine) for variable in always}
    for predictor, use in mine.items():
        columns = use.columns | use.optional if optional else use.columns
        for column in columns - _MADE:
            by_variable.setdefault(column.upper(), set()).add(predictor)
    return {variable: tuple(sorted(by_variable[variable])) for variable in sorted(by_variable)}


def ordered(sample: Sample, uses: Uses) -> frozenset[str]:
    """The variables of the one extract of the sample that serves these predictors; all there are without uses."""
    if not any(uses_of(unit, sample, uses) for unit in UNITS):
        return frozenset(v for unit in UNITS for v in VARIABLES[unit])
    found = {v for unit in UNITS for v in needed(unit, sample, uses, optional=True)}
    # The householder's variables are those of a person record.
    return frozenset(found | ({"PERNUM"} if found & set(HOUSEHOLDER) else set()))


def cases(sample: Sample, uses: Uses) -> dict[str, frozenset[int]]:
    """The selection of persons that serves all of these predictors, by IPUMS variable; empty if all must be there.

    There is one only if no table of households is made from the extract (it needs every first person and the vacant
    units), and every predictor limits the same variable.
    """
    persons = uses_of("persons", sample, uses).values()
    if not persons or uses_of("households", sample, uses):
        return {}
    shared = frozenset.intersection(*(frozenset(use.cases) for use in persons))
    return {variable.upper(): _union(use.cases[variable] for use in persons) for variable in sorted(shared)}


def _union(codes: Iterable[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*codes)
