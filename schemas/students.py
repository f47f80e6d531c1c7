"""Table of homeless students by school district (LEA, local education agency)."""

from __future__ import annotations

from typing import Final

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

# Everybody, then the racial and ethnic groups of the Department of Education. Hispanics are in no other group.
EVERYBODY: Final = "all"
STUDENT_GROUPS: Final = ("white", "black", "hispanic", "asian", "aian", "nhpi", "two_or_more")

_LEAID: Final = r"^\d{7}$"


class HomelessLea(pa.DataFrameModel):
    """Homeless students per LEA and group; a row exists where the LEA reports a number or the agency withholds it."""

    leaid: pl.String = pa.Field(str_matches=_LEAID, description="NCES id of the LEA; begins with its state")
    group: pl.String = pa.Field(isin=[EVERYBODY, *STUDENT_GROUPS], description="all, or a racial or ethnic group")
    students: pl.Int64 = pa.Field(ge=0, nullable=True, description="Students; null where withheld (one or two)")
    withheld: pl.Boolean = pa.Field(description="Whether the agency withholds the number")

    class Config:
        """Exactly these columns, one row per LEA and group."""

        strict = True
        ordered = True
        unique = ["leaid", "group"]  # noqa: RUF012

    @pa.dataframe_check(error="a number is missing and not withheld, or the other way round")
    def withheld_is_null(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        return data.lazyframe.select(pl.col("withheld") == pl.col("students").is_null())
