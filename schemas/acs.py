"""ACS microdata tables: persons and households of the 1-year and 5-year samples, with IPUMS USA names and codes."""

from __future__ import annotations

from typing import Final, cast

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

REPLICATES: Final = 80

# Closed lists of codes (IPUMS USA). The readers refuse any other code, so the models repeat what the readers enforce.
CODES: Final[dict[str, tuple[int, ...]]] = {
    "gq": tuple(range(7)),
    "sex": (1, 2),
    "race": tuple(range(1, 10)),
    "hispan": (0, 1, 2, 3, 4, 9),
    "empstat": (0, 1, 2, 3),
    "educd": (
        *(0, 1, 2, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25, 26, 30, 40, 50, 60, 61, 62, 63, 64, 65),
        *(70, 71, 80, 81, 82, 83, 90, 100, 101, 110, 111, 112, 113, 114, 115, 116, 999),
    ),
    "gradeatt": tuple(range(8)),
    "diffrem": (0, 1, 2),
    "diffphys": (0, 1, 2),
    "diffmob": (0, 1, 2),
    "diffsens": (0, 1, 2),
    "diffcare": (0, 1, 2),
    "vacancy": tuple(range(10)),
    "ownershp": (0, 1, 2),
    "cilaptop": (0, 1, 2),
    "citablet": (0, 1, 2),
    "cihispeed": (0, *range(10, 18), 20, 88),
    "cinethh": (0, 1, 2, 3),
}

MEANINGS: Final[dict[str, str]] = {
    "gq": "Group quarters: 1, 2, 5 household; 3 institution; 4 other quarters; 0 vacant unit.",
    "sex": "1 male, 2 female.",
    "race": "1 white, 2 Black, 3 to 9 other races.",
    "hispan": "0 not Hispanic; else Hispanic.",
    "empstat": "0 not applicable, 1 employed (armed forces included), 2 unemployed, 3 not in the labor force.",
    "educd": "Educational attainment; 62 to 64 high school degree or GED, 65 and more beyond it.",
    "gradeatt": "Grade attended: 0 none, 1 nursery school, 2 kindergarten, 3 and more above.",
    "diffrem": "Cognitive difficulty: 1 no, 2 yes, 0 not applicable.",
    "diffphys": "Ambulatory difficulty: 1 no, 2 yes, 0 not applicable.",
    "diffmob": "Independent-living difficulty: 1 no, 2 yes, 0 not applicable.",
    "diffsens": "Vision or hearing difficulty: 1 no, 2 yes, 0 not applicable.",
    "diffcare": "Self-care difficulty: 1 no, 2 yes, 0 not applicable.",
    "vacancy": "0 occupied; else why the unit is vacant (1 for rent, 2 for sale, 3 rented or sold).",
    "ownershp": "1 owned, 2 rented, 0 not applicable.",
    "cilaptop": "Laptop or desktop computer: 1 yes, 2 no, 0 not applicable.",
    "citablet": "Tablet: 1 yes, 2 no, 0 not applicable.",
    "cihispeed": "Broadband such as cable, fiber or DSL: 10 to 17 yes, 20 no, 0 not applicable, 88 withheld.",
    "cinethh": "Internet access: 1 with a subscription, 2 without, 3 none, 0 not applicable.",
}

# What IPUMS writes where a dollar amount does not apply.
NOT_APPLICABLE: Final[dict[str, int]] = {
    "hhincome": 9_999_999,
    "owncost": 99_999,
    "rent": 0,
    "rentgrs": 0,
    "valueh": 9_999_999,
}
ADJUST_RANGE: Final = (0.99, 1.06)


def _code(name: str, *, nullable: bool = False) -> pl.Int16:
    return cast(pl.Int16, pa.Field(isin=list(CODES[name]), nullable=nullable, description=MEANINGS[name]))


class _Record(pa.DataFrameModel):
    """Sample and place of a record."""

    year: pl.Int16 = pa.Field(ge=2000, le=2100, description="Sample year; the last year of a 5-year file.")
    survey_year: pl.Int16 = pa.Field(ge=2000, le=2100, description="Year of the interview (MULTYEAR).")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code (STATEFIP).")
    puma: pl.String = pa.Field(str_matches=r"^\d{5}$", description="Public use microdata area, unique in its state.")
    puma_vintage: pl.Int16 = pa.Field(isin=[2000, 2010, 2020], description="Census whose areas `puma` names.")

    class Config:
        """Exactly these columns, in this order."""

        strict = True
        ordered = True


class _Person(_Record):
    gq: pl.Int16 = _code("gq")
    age: pl.Int16 = pa.Field(ge=0, le=135, description="Years.")
    sex: pl.Int16 = _code("sex", nullable=True)
    empstat: pl.Int16 = _code("empstat")
    race: pl.Int16 = _code("race", nullable=True)
    hispan: pl.Int16 = _code("hispan", nullable=True)
    educd: pl.Int16 = _code("educd", nullable=True)
    gradeatt: pl.Int16 = _code("gradeatt", nullable=True)
    diffrem: pl.Int16 = _code("diffrem", nullable=True)
    diffphys: pl.Int16 = _code("diffphys", nullable=True)
    diffmob: pl.Int16 = _code("diffmob", nullable=True)
    diffsens: pl.Int16 = _code("diffsens", nullable=True)
    diffcare: pl.Int16 = _code("diffcare", nullable=True)
    hhincome: pl.Int64 = pa.Field(nullable=True, description="Dollars; 9999999 not applicable; null if not known.")
    pernum: pl.Int16 = pa.Field(ge=1, description="Number of the person in the household; 1 is the householder.")
    perwt: pl.Int32 = pa.Field(ge=0, description="Person weight.")


class _Household(_Record):
    gq: pl.Int16 = _code("gq")
    vacancy: pl.Int16 = _code("vacancy")
    ownershp: pl.Int16 = _code("ownershp", nullable=True)
    bedrooms: pl.Int16 = pa.Field(
        ge=0, le=100, nullable=True, description="Number of bedrooms, as coded by the source."
    )
    cilaptop: pl.Int16 = _code("cilaptop", nullable=True)
    citablet: pl.Int16 = _code("citablet", nullable=True)
    cihispeed: pl.Int16 = _code("cihispeed", nullable=True)
    cinethh: pl.Int16 = _code("cinethh", nullable=True)
    hhincome: pl.Int64 = pa.Field(description="Dollars; 9999999 not applicable.")
    owncost: pl.Int64 = pa.Field(ge=0, nullable=True, description="Dollars a month; 99999 not applicable.")
    rent: pl.Int64 = pa.Field(ge=0, nullable=True, description="Dollars a month; 0 not applicable.")
    rentgrs: pl.Int64 = pa.Field(ge=0, nullable=True, description="Dollars a month; 0 not applicable.")
    valueh: pl.Int64 = pa.Field(ge=0, nullable=True, description="Dollars; 9999999 not applicable.")
    adjust: pl.Float64 = pa.Field(
        ge=ADJUST_RANGE[0], le=ADJUST_RANGE[1], description="To dollars of the calendar year of interview."
    )
    age: pl.Int16 = pa.Field(ge=0, le=135, nullable=True, description="Of the householder, like the next three.")
    sex: pl.Int16 = _code("sex", nullable=True)
    race: pl.Int16 = _code("race", nullable=True)
    hispan: pl.Int16 = _code("hispan", nullable=True)
    countyfip: pl.String = pa.Field(str_matches=r"^\d{3}$", nullable=True, description="Null where not identified.")
    hhwt: pl.Int32 = pa.Field(ge=0, description="Household weight.")


def _with_replicates(base: type[_Record], name: str, prefix: str, doc: str, *, nullable: bool) -> type[_Record]:
    """`base` with 80 replicate weights after its columns; these may be zero or negative."""
    weights = [f"{prefix}{i}" for i in range(1, REPLICATES + 1)]
    namespace: dict[str, object] = {
        "__module__": __name__,
        "__doc__": doc,
        "__annotations__": dict.fromkeys(weights, pl.Int32),
        **{
            weight: pa.Field(nullable=nullable, description=f"Replicate weight {i}.")
            for i, weight in enumerate(weights, 1)
        },
    }
    return cast(type[_Record], type(name, (base,), namespace))


AcsPersons = _with_replicates(_Person, "AcsPersons", "repwtp", "One row per person.", nullable=False)
AcsHouseholds = _with_replicates(
    _Household,
    "AcsHouseholds",
    "repwt",
    "One row per household or group-quarters resident (of the householder), and one per vacant unit.",
    # An IPUMS extract of vacant units need not have replicate weights: no estimate with an interval uses these units.
    nullable=True,
)


class Acs1Persons(AcsPersons):  # type: ignore[misc, valid-type]
    """Persons of a 1-year sample."""

    @pa.dataframe_check(error="the survey year is not the sample year")
    def one_year(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("survey_year") == pl.col("year"))


class Acs5Persons(AcsPersons):  # type: ignore[misc, valid-type]
    """Persons of a 5-year sample."""

    @pa.dataframe_check(error="the survey year is not one of the sample's five")
    def five_years(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select((pl.col("year") - pl.col("survey_year")).is_between(0, 4))


class Acs1Households(AcsHouseholds):  # type: ignore[misc, valid-type]
    """Households and vacant units of a 1-year sample."""

    @pa.dataframe_check(error="the survey year is not the sample year")
    def one_year(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("survey_year") == pl.col("year"))


class Acs5Households(AcsHouseholds):  # type: ignore[misc, valid-type]
    """Households and vacant units of a 5-year sample."""

    @pa.dataframe_check(error="the survey year is not one of the sample's five")
    def five_years(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select((pl.col("year") - pl.col("survey_year")).is_between(0, 4))


def columns(model: type[pa.DataFrameModel]) -> dict[str, pl.DataType]:
    """Column name -> polars type of a table model, in order."""
    return {name: cast(pl.DataType, column.dtype.type) for name, column in model.to_schema().columns.items()}
