"""Rules of the input tables that go beyond their models: crosswalks, survey files, wage and business counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import polars as pl

from schemas.data_rules import DataRule

MODEL: Final = "the table's model and its reader"
CROSSWALK_TOLERANCE: Final = 0.0005
"""Geocorr gives factors with four decimals; those of a PUMA or tract add up to 1 but for this much."""

# Interviews of a year are coded to the areas of this census, in the files as they were first published.
_AREAS_2010: Final = 2012
_AREAS_2020: Final = 2022
WITHHOLDING_BELOW: Final = 3
WITHHOLDING_SINCE: Final = 2017

COMMON: Final = (
    DataRule("G3", "schema", "block", "Codes are text with their leading zeros", held_by=MODEL),
    DataRule("G8", "schema", "block", "The year is the year of the file", held_by=MODEL),
    DataRule("V8", "schema", "block", "Codes for missing and capped amounts are known ones", held_by=MODEL),
)
"""What every model holds its table to; the check `schema` says so."""


def _sums(
    unit: tuple[str, ...], factor: str, *, whole: bool, of: pl.Expr | None = None, scale: float = 1.0
) -> DataRule:
    """X1: the factors of each source unit add up to 1 (`whole`) or to no more (places do not cover the land)."""

    def find(frame: pl.DataFrame) -> pl.DataFrame:
        rows = frame if of is None else frame.filter(of)
        total = pl.col(factor).sum().alias("sum_of_factors") / scale
        over = pl.col("sum_of_factors") > 1 + CROSSWALK_TOLERANCE + 1e-9
        under = pl.col("sum_of_factors") < 1 - CROSSWALK_TOLERANCE - 1e-9
        return rows.group_by(unit).agg(total).filter(over | under if whole else over).sort(unit)

    named = "counties" if whole else "places"
    limit = "add up to 1" if whole else "add up to 1 at most"
    return DataRule(
        f"X1.{named}", "rules", "block", f"Factors of each source unit to {named} {limit} (0.0005)", find=find
    )


def _one_vintage(*columns: str) -> DataRule:
    """X2: a crosswalk of a year is of one vintage, so that no row is there twice under two of them."""

    def find(frame: pl.DataFrame) -> pl.DataFrame:
        kinds = frame.group_by(columns).len("rows").sort(columns)
        return kinds if kinds.height > 1 else kinds.clear()

    said = " and ".join(c.replace("_", " ") for c in columns)
    return DataRule("X2", "rules", "block", f"One {said} in a data year", find=find)


def _both_directions() -> DataRule:
    return DataRule(
        "X9", "rules", "warn", "Both directions of allocation are there", bad=pl.col("afact2").is_null()
    )  # fmt: skip


def _survey_years(year: int, length: int) -> DataRule:
    """A1: one-year files hold interviews of their year, five-year files those of five; none is of 2020 alone."""

    def find(frame: pl.DataFrame) -> pl.DataFrame:
        lawful = range(year - length + 1, year + 1)
        strange = frame.filter(~pl.col("survey_year").is_in(list(lawful)))
        absent = frame.filter(pl.lit(length == 1 and year == 2020))
        return pl.concat([strange, absent])

    words = f"interviews of {year}" if length == 1 else f"interviews of {year - length + 1} to {year}"
    return DataRule("A1", "rules", "block", f"Exactly the requested sample: {words}", find=find)


def _areas_of_interviews() -> DataRule:
    """X5: interviews of one year are coded to the areas of one census, the one in force then or a later one."""

    def find(frame: pl.DataFrame) -> pl.DataFrame:
        survey_year, vintage = pl.col("survey_year"), pl.col("puma_vintage")
        first = pl.when(survey_year < _AREAS_2010).then(2000).when(survey_year < _AREAS_2020).then(2010).otherwise(2020)
        several = pl.len().over("survey_year") > 1
        return frame.filter(several | (vintage < first)).sort("survey_year", "puma_vintage")

    return DataRule(
        "X5", "rules", "block", "Interviews of a year use the areas of one census, in force then", find=find
    )  # fmt: skip


def _editions(column: str, what: str, rule_id: str) -> DataRule:
    def find(frame: pl.DataFrame) -> pl.DataFrame:
        kinds = frame.group_by(column).len("rows").sort(column)
        return kinds if kinds.height > 1 else kinds.clear()

    return DataRule(rule_id, "rules", "block", f"One {what} in a data year", find=find)


def _spring(year: int) -> DataRule:
    expected = year + 1 - 8 + pl.col("grade").cast(pl.Int32)
    return DataRule(
        "Q8", "rules", "block", "A cohort's test in a grade is of the spring in which it was in that grade",
        bad=pl.col("spring").cast(pl.Int32) != expected,
    )  # fmt: skip


def _withheld_cells(year: int) -> DataRule:
    few = pl.col("establishments") < WITHHOLDING_BELOW if year >= WITHHOLDING_SINCE else pl.lit(False)
    return DataRule(
        "Q10", "rules", "block", "From 2017 no cell below three workplaces is published; what is withheld is not zero",
        bad=few | (pl.col("establishments") == 0),
    )  # fmt: skip


def _names() -> DataRule:
    name = pl.col("name")
    words = name.str.to_uppercase().is_in(["NA", "N/A", "NULL", "NAN"])
    return DataRule(
        "G7", "rules", "block", "Names are trimmed, readable, and not a word for missing",
        bad=name.str.contains(r"^\s|\s$|\s\s") | name.str.contains("\ufffd|[\\x00-\\x1f]|Ã|â€") | words,
    )  # fmt: skip


def _puma_geography(_year: int) -> Iterable[DataRule]:
    unit = ("state", "puma", "puma_vintage")
    yield _sums(unit, "afact", whole=True, of=pl.col("level") == "county")
    yield _sums(unit, "afact", whole=False, of=pl.col("level") == "place")
    yield _one_vintage("puma_vintage")


def _tract_place(_year: int) -> Iterable[DataRule]:
    yield _sums(("state", "county", "tract"), "afact", whole=False)
    yield _one_vintage("tract_vintage")
    yield _both_directions()


def _zcta_place(_year: int) -> Iterable[DataRule]:
    yield _sums(("zcta",), "afact", whole=False)
    yield _one_vintage("zcta_vintage")
    yield _both_directions()


def _one_year(year: int) -> Iterable[DataRule]:
    yield from (_survey_years(year, 1), _areas_of_interviews())


def _five_years(year: int) -> Iterable[DataRule]:
    yield from (_survey_years(year, 5), _areas_of_interviews())


def _wages(_year: int) -> Iterable[DataRule]:
    figures = ("weekly_wage", "employment", "total_wages")
    told = pl.any_horizontal(pl.col(c).is_not_null() for c in figures)
    yield DataRule(
        "Q1",
        "rules",
        "block",
        "What the agency does not disclose is missing, not zero",
        bad=~pl.col("disclosed") & told,
    )


RULES: Final[dict[str, Callable[[int], Iterable[DataRule]]]] = {
    "spine": lambda _year: (_names(),),
    "puma_geography": _puma_geography,
    "puma_allocation": _puma_geography,
    "tract_place": _tract_place,
    "tract_place_2010": _tract_place,
    "zcta_place": _zcta_place,
    "zcta_place_area": lambda _year: (_sums(("zcta",), "permille", whole=False, scale=1000.0),),
    "county_place": lambda _year: (_sums(("state", "county"), "afact", whole=False),),
    "acs1_persons": _one_year,
    "acs1_households": _one_year,
    "acs5_persons": _five_years,
    "acs5_households": _five_years,
    "qcew_county": _wages,
    "mit_living_wage": lambda _year: (_editions("dollars_year", "edition of the living wage", "Q2"),),
    "cbp_county": lambda year: (_withheld_cells(year),),
    "cbp_zip": lambda year: (_withheld_cells(year),),
    "seda_county": lambda year: (_spring(year),),
    "seda_district": lambda year: (_spring(year),),
}
"""Table -> its rules for a data year, beyond those of its model."""

SUMMARY: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(
    ("acs1_persons", "acs1_households", "acs5_persons", "acs5_households"), ("survey_year", "puma_vintage")
)
"""Tables too large to hold: their rules are asked of the distinct values of these columns."""


def table_rules(name: str, year: int) -> list[DataRule]:
    """The rules of a table in a data year, beyond its model; none for most tables."""
    return list(RULES[name](year)) if name in RULES else []


def to_be_asked(name: str, table: pl.LazyFrame) -> pl.DataFrame:
    """What the rules of a table look at: the table, or of microdata the distinct values that matter."""
    columns = SUMMARY.get(name)
    return (
        table.collect() if columns is None else table.select(columns).unique().sort(columns).collect(engine="streaming")
    )
