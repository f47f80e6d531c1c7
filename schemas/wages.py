"""Tables of the living-wage predictor: county wages, living wages, consumer prices."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

# The 50 states and the District of Columbia; the FIPS numbers skip five values.
STATES: Final = frozenset(f"{n:02d}" for n in range(1, 57)) - {"03", "07", "14", "43", "52"}
OWNERSHIPS: Final = {0: "total", 1: "federal", 2: "state", 3: "local", 5: "private"}
# All industries, the two domains, and the supersectors of BLS.
NAICS: Final = (
    *("10", "101", "102"),
    *("1011", "1012", "1013"),
    *("1021", "1022", "1023", "1024", "1025", "1026", "1027", "1028", "1029"),
)


class QcewCounty(pa.DataFrameModel):
    """One row per county, ownership and industry: annual averages of the Quarterly Census of Employment and Wages.

    Industries other than "10" (all) come with private ownership only. Undisclosed cells have establishments, but
    neither employment nor wages. `weekly_wage` is also null where nobody is employed.
    """

    year: pl.Int16 = pa.Field(ge=1990, le=2100, description="Data year.")
    state: pl.String = pa.Field(isin=sorted(STATES), description="State FIPS code.")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", ne="999", description="County FIPS code within the state.")
    ownership: pl.Int8 = pa.Field(isin=list(OWNERSHIPS), description="0 total, 1 federal, 2 state, 3 local, 5 private.")
    naics: pl.String = pa.Field(isin=list(NAICS), description="Industry: 10 all, 101 goods, 1021 to 1027 supersectors.")
    weekly_wage: pl.Float64 = pa.Field(
        ge=0,
        nullable=True,
        description="Annual average weekly wage in dollars; null if withheld or nobody is employed.",
    )
    establishments: pl.Int64 = pa.Field(ge=0, description="Annual average number of establishments.")
    employment: pl.Float64 = pa.Field(ge=0, nullable=True, description="Annual average employment.")
    total_wages: pl.Float64 = pa.Field(ge=0, nullable=True, description="Total annual wages in dollars.")
    disclosed: pl.Boolean = pa.Field(description="False where the agency withholds the figures.")

    class Config:
        """Exactly these columns, one row per cell."""

        strict = True
        ordered = True
        unique = ["state", "county", "ownership", "naics"]  # noqa: RUF012

    @pa.dataframe_check(error="an undisclosed cell has a wage, employment or payroll")
    def withheld_is_null(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        figures = ("weekly_wage", "employment", "total_wages")
        return data.lazyframe.select(pl.col("disclosed") | pl.all_horizontal(pl.col(c).is_null() for c in figures))

    @pa.dataframe_check(error="an industry cell is not private")
    def industries_private(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select((pl.col("naics") == "10") | (pl.col("ownership") == 5))

    @pa.dataframe_check(error="a figure is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        figures = ("weekly_wage", "employment", "total_wages")
        return data.lazyframe.select(pl.all_horizontal(pl.col(c).is_finite().fill_null(True) for c in figures))


class MitLivingWage(pa.DataFrameModel):
    """One row per county: hourly living wage of one working adult with two children, in dollars of `dollars_year`."""

    state: pl.String = pa.Field(isin=sorted(STATES), description="State FIPS code.")
    county: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County FIPS code within the state.")
    hourly_wage: pl.Float64 = pa.Field(
        gt=0, le=1000, description="Living wage in dollars an hour, one working adult with two children."
    )
    dollars_year: pl.Int16 = pa.Field(ge=2000, le=2100, description="Year whose dollars these are.")

    class Config:
        """Exactly these columns, one row per county."""

        strict = True
        ordered = True
        unique = ["state", "county"]  # noqa: RUF012


class Cpi(pa.DataFrameModel):
    """One row per year: Consumer Price Index for All Urban Consumers, U.S. city average, all items, 1982-84 = 100."""

    year: pl.Int16 = pa.Field(ge=1913, le=2100, unique=True, description="Calendar year.")
    cpi_u: pl.Float64 = pa.Field(gt=0, le=10_000, description="Annual average, 1982-84 = 100.")
    cpi_u_first_half: pl.Float64 = pa.Field(
        gt=0, le=10_000, nullable=True, description="Average of the first half of the year, where needed."
    )

    class Config:
        """Exactly these columns."""

        strict = True
        ordered = True


class Cpi99(pa.DataFrameModel):
    """One row per year: what an amount of the year is multiplied with to be in 1999 dollars."""

    year: pl.Int16 = pa.Field(ge=1850, le=2100, unique=True, description="Year of the amount.")
    cpi99: pl.Float64 = pa.Field(gt=0, le=100, description="Price index of 1999 divided by that of the year.")

    class Config:
        """Exactly these columns."""

        strict = True
        ordered = True
