"""One ACS sample: its year and span, what the two providers call it, and the vintage of its PUMA codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

Span = Literal[1, 5]
Unit = Literal["persons", "households"]
UNITS: Final[tuple[Unit, ...]] = ("persons", "households")

# 2020 is missing on purpose: the Census Bureau's 1-year file of that year has experimental weights.
ONE_YEAR: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2021, 2022, 2023)
FIVE_YEAR: Final = (2014, 2016, 2018, 2021, 2023)


@dataclass(frozen=True)
class Sample:
    """The 1-year sample of `year`, or the 5-year sample that ends in it."""

    year: int
    span: Span

    @property
    def census_vintage(self) -> str:
        """Vintage of the Census Bureau's files, for example `2018-1yr`."""
        return f"{self.year}-{self.span}yr"

    @property
    def ipums_vintage(self) -> str:
        """IPUMS sample id, for example `us2018a` (1-year) or `us2018c` (5-year)."""
        return f"us{self.year}{'a' if self.span == 1 else 'c'}"

    @property
    def ipums_code(self) -> int:
        """Value of the IPUMS variable SAMPLE (samples of 2014 and later)."""
        return self.year * 100 + (1 if self.span == 1 else 3)

    @property
    def survey_years(self) -> range:
        """Years in which the sample's interviews took place."""
        return range(self.year - self.span + 1, self.year + 1)

    @property
    def asks_internet(self) -> bool:
        """Whether the Census Bureau's file has the questions on devices and internet service in their present form."""
        return self.year >= (2016 if self.span == 1 else 2018)

    def puma_vintage(self, survey_year: pl.Expr) -> pl.Expr:
        """Census whose PUMAs a record carries (method file crosswalks.md, section 2).

        The survey year decides: 2000 up to 2011, 2010 up to 2021, then 2020. The 5-year files that end in 2023 or later
        carry 2020 PUMAs throughout.
        """
        if self.span == 5 and self.year >= 2023:
            return pl.lit(2020, pl.Int16)
        by_year = pl.when(survey_year <= 2011).then(2000).when(survey_year <= 2021).then(2010).otherwise(2020)
        return by_year.cast(pl.Int16)


SAMPLES: Final = (*(Sample(year, 1) for year in ONE_YEAR), *(Sample(year, 5) for year in FIVE_YEAR))
