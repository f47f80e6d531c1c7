"""From IPUMS records to the two tables: which variables are needed, which codes are lawful, and how they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from schemas.acs import CODES, NOT_APPLICABLE, REPLICATES, Acs1Households, Acs1Persons, columns
from schemas.errors import InputError
from sources.acs.ddi import Codebook
from sources.acs.fixed_width import ROW
from sources.acs.sample import Sample, Unit
from sources.framework.states import BY_FIPS

PERSON_KEY: Final = ("SERIAL", "PERNUM")
TECHNICAL: Final = ("YEAR", "SAMPLE", "SERIAL", "STATEFIP", "PUMA", "GQ")
_PERSON_REPLICATES: Final = tuple(f"REPWTP{i}" for i in range(1, REPLICATES + 1))
_HOUSEHOLD_REPLICATES: Final = tuple(f"REPWT{i}" for i in range(1, REPLICATES + 1))
_PERSON_OWN: Final = (
    *("PERNUM", "PERWT", "AGE", "SEX", "EMPSTAT", "RACE", "HISPAN", "EDUCD", "GRADEATT"),
    *("DIFFREM", "DIFFPHYS", "DIFFMOB", "DIFFSENS", "DIFFCARE"),
)
_HOUSEHOLD_OWN: Final = (
    *("HHWT", "VACANCY", "OWNERSHP", "BEDROOMS", "CILAPTOP", "CITABLET", "CIHISPEED", "CINETHH"),
    *("HHINCOME", "OWNCOST", "RENT", "RENTGRS", "VALUEH", "ADJUST", "COUNTYFIP"),
)
# A household record takes these from its first person, the householder.
HOUSEHOLDER: Final = ("AGE", "SEX", "RACE", "HISPAN")

VARIABLES: Final[dict[Unit, tuple[str, ...]]] = {
    "persons": (*TECHNICAL, "MULTYEAR", "HHINCOME", *_PERSON_OWN, *_PERSON_REPLICATES),
    "households": (*TECHNICAL, "MULTYEAR", *_HOUSEHOLD_OWN, "PERNUM", *HOUSEHOLDER, *_HOUSEHOLD_REPLICATES),
}

# What the estimates made from a table cannot do without, by span of the sample (section 3 of their method files). The
# other columns are null if an extract lacks them; that is noted with the table.
REQUIRED: Final[dict[tuple[Unit, int], tuple[str, ...]]] = {
    ("persons", 1): (*TECHNICAL, "PERNUM", "PERWT", "AGE", "EMPSTAT", *_PERSON_REPLICATES),
    ("persons", 5): (*TECHNICAL, "MULTYEAR", "HHINCOME", *_PERSON_OWN, *_PERSON_REPLICATES),
    ("households", 1): (
        *(*TECHNICAL, "HHWT", "VACANCY", "OWNERSHP", "HHINCOME", "OWNCOST", "RENT", "RENTGRS", "VALUEH", "ADJUST"),
        *_HOUSEHOLD_REPLICATES,
    ),
    ("households", 5): (
        *(*TECHNICAL, "MULTYEAR", "HHWT", "HHINCOME", "ADJUST", "CILAPTOP", "CITABLET", "CIHISPEED", "CINETHH"),
        *_HOUSEHOLD_REPLICATES,
    ),
}
# An extract of vacant units alone has no use for what describes occupants.
REQUIRED_OF_VACANT: Final = (*TECHNICAL, "HHWT", "VACANCY", "RENT", "VALUEH", "ADJUST")

# Lawful values of what is no code.
_LIMITS: Final[dict[str, tuple[int, int | None]]] = {
    "PERNUM": (1, None),
    "PERWT": (0, None),
    "HHWT": (0, None),
    "AGE": (0, 135),
    "BEDROOMS": (0, 100),
    "PUMA": (1, 99_999),
    "OWNCOST": (0, None),
    "RENT": (0, None),
    "RENTGRS": (0, None),
    "VALUEH": (0, None),
    "COUNTYFIP": (0, 999),
}
_WEIGHTS: Final = frozenset({"PERWT", "HHWT", *_PERSON_REPLICATES, *_HOUSEHOLD_REPLICATES})
# What may be blank: a person's household income if the file was recoded from one without it; what describes occupants,
# where a unit is vacant.
_MAY_BE_BLANK: Final[dict[Unit, frozenset[str]]] = {
    "persons": frozenset({"HHINCOME"}),
    "households": frozenset({*HOUSEHOLDER, "PERNUM", *_HOUSEHOLD_REPLICATES}),
}
# The columns are the same for both spans.
_COLUMNS: Final = {"persons": columns(Acs1Persons), "households": columns(Acs1Households)}


@dataclass(frozen=True)
class _Test:
    """`bad` holds where a value is not lawful."""

    bad: pl.Expr
    column: str
    problem: str


@dataclass(frozen=True)
class Harmoniser:
    """Turns raw records of one extract into rows of one table.

    `asked` are the variables that the predictors of the run cannot do without (empty: those of all predictors).
    """

    unit: Unit
    sample: Sample
    codebook: Codebook
    file: str
    source: str
    vacant_only: bool = False
    asked: frozenset[str] = frozenset()
    decimals: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decimals.update({f.name: f.decimals for f in self.codebook.fields})

    @property
    def required(self) -> frozenset[str]:
        """Variables that a table of occupants and vacant units cannot do without."""
        return self.asked or frozenset(REQUIRED[self.unit, self.sample.span])

    @property
    def missing(self) -> tuple[str, ...]:
        """Required variables that the extract does not have."""
        required = set(REQUIRED_OF_VACANT if self.vacant_only else self.required)
        if self.sample.span == 5:
            required.add("MULTYEAR")
        if not self.codebook.hierarchical:
            # Every record is a person's, so no unit is vacant.
            required.discard("VACANCY")
        return tuple(sorted(required - self.codebook.names()))

    @property
    def absent(self) -> tuple[str, ...]:
        """Variables of the table, required or not, that the extract does not have."""
        mine = set(VARIABLES[self.unit]) - ({"MULTYEAR"} if self.sample.span == 1 else set())
        return tuple(sorted(mine - self.codebook.names()))

    def table(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the table, with `serial` added. Raises `InputError`, naming row and variable, for unlawful values."""
        self._refuse(frame, self._tests(frame))
        have = set(frame.columns)
        survey_year = pl.col("MULTYEAR") if self.sample.span == 5 else pl.col("YEAR")
        made: dict[str, pl.Expr] = {
            "survey_year": survey_year,
            "state": pl.col("STATEFIP").cast(pl.String).str.zfill(2),
            "puma": pl.col("PUMA").cast(pl.String).str.zfill(5),
            "puma_vintage": self.sample.puma_vintage(survey_year),
        }
        if "ADJUST" in have:
            made["adjust"] = pl.col("ADJUST") / 10 ** self.decimals["ADJUST"]
        if "COUNTYFIP" in have:
            county = pl.when(pl.col("COUNTYFIP") > 0).then(pl.col("COUNTYFIP"))
            made["countyfip"] = county.cast(pl.String).str.zfill(3)
        selected = []
        for name, dtype in _COLUMNS[self.unit].items():
            variable = name.upper()
            if name in made:
                value = made[name]
            elif variable not in have:
                value = pl.lit(self._without(name))
            elif variable in _WEIGHTS and self.decimals[variable]:
                value = pl.col(variable) // 10 ** self.decimals[variable]
            else:
                value = pl.col(variable)
            selected.append(value.cast(dtype).alias(name))
        return frame.select(pl.col("SERIAL").cast(pl.Int64).alias("serial"), *selected)

    def _without(self, name: str) -> int | None:
        """The value of a column the extract lacks: "not applicable" for vacant units, else unknown."""
        if name == "vacancy":
            return 0
        if not self.vacant_only or name.upper() in HOUSEHOLDER:
            return None
        return NOT_APPLICABLE.get(name, 0 if name in CODES else None)

    def _tests(self, frame: pl.DataFrame) -> list[_Test]:
        sample = self.sample
        tests = [
            _Test(pl.col("YEAR") != sample.year, "YEAR", f"not a record of the year {sample.year}"),
            _Test(pl.col("SAMPLE") != sample.ipums_code, "SAMPLE", f"not a record of {sample.ipums_vintage}"),
            _Test(~pl.col("STATEFIP").is_in([int(s) for s in BY_FIPS]), "STATEFIP", "unknown state code"),
        ]
        if sample.span == 5:
            years = list(sample.survey_years)
            tests.append(_Test(~pl.col("MULTYEAR").is_in(years), "MULTYEAR", f"not a survey year of {years}"))
        for column in frame.columns:
            if column == ROW:
                continue
            value = pl.col(column)
            # First, so that a test of blanks is not passed by a comparison that is null.
            if column not in _MAY_BE_BLANK[self.unit]:
                tests.insert(0, _Test(value.is_null(), column, "blank"))
            if column.lower() in CODES:
                tests.append(_Test(~value.is_in(list(CODES[column.lower()])), column, "unknown code"))
            low, high = _LIMITS.get(column, (None, None))
            if low is not None:
                tests.append(_Test(value < low, column, "negative" if low == 0 else f"below {low}"))
            if high is not None:
                tests.append(_Test(value > high, column, f"above {high}"))
            if column in _WEIGHTS and self.decimals[column]:
                tests.append(_Test(value % 10 ** self.decimals[column] != 0, column, "not a whole number"))
        if self.unit == "households":
            tests += self._household_tests(frame)
        return tests

    def _household_tests(self, frame: pl.DataFrame) -> list[_Test]:
        """What holds between the variables of a household."""
        vacant = pl.col("GQ") == 0
        status = pl.col("VACANCY") if "VACANCY" in frame.columns else pl.lit(0)
        column = "VACANCY" if "VACANCY" in frame.columns else "GQ"
        tests = [
            _Test(vacant & (status == 0), column, "a vacant unit without vacancy status"),
            _Test(~vacant & (status != 0), column, "an occupied unit with a vacancy status"),
        ]
        if self.vacant_only:
            lacking = sorted(self.required - self.codebook.names())
            text = ", ".join(lacking[:5])
            tests.append(_Test(~vacant, "GQ", f"an occupied unit, but the extract lacks {text}"))
        elif "PERNUM" in frame.columns:
            problem = "a household without its first person; the extract must not be a selection of persons"
            tests.append(_Test(~vacant & pl.col("PERNUM").is_null(), "PERNUM", problem))
        return tests

    def _refuse(self, frame: pl.DataFrame, tests: Sequence[_Test]) -> None:
        found = frame.select(t.bad.any().alias(str(i)) for i, t in enumerate(tests)).row(0)
        for test, bad in zip(tests, found, strict=True):
            if bad:
                row = frame.filter(test.bad.fill_null(False)).row(0, named=True)
                value = row[test.column]
                if test.column in _WEIGHTS and value is not None and self.decimals[test.column]:
                    value = value / 10 ** self.decimals[test.column]
                raise InputError(
                    f"{test.problem} (found {value!r}).",
                    source=self.source,
                    file=self.file,
                    row=row[ROW],
                    column=test.column,
                )
