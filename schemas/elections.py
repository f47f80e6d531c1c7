"""Presidential votes of counties and precincts, and citizens of voting age."""

from __future__ import annotations

from typing import ClassVar

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from schemas.labels import GEO_WIDTH, LEVELS


class VotesCountyModel(pa.DataFrameModel):
    """Votes cast for president by county, one row per county that reports them."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^\d{3}$", description="County code, as of the election.")
    votes: pl.Int64 = pa.Field(ge=0, description="Votes for all candidates together.")
    votes_elsewhere: pl.Int64 = pa.Field(
        ge=0, description="Votes of a part of the county that counts them apart, not in `votes`."
    )
    rows: pl.Int32 = pa.Field(ge=1, description="Rows of the source added up (candidates and ways of voting).")

    class Config:
        """Exactly these columns; one row per county."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "geo"]


class VotesPlaceModel(pa.DataFrameModel):
    """Precincts and the places they overlap, one row per precinct and place."""

    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^\d{5}$", description="Place code, as of the election.")
    precinct: pl.Int32 = pa.Field(ge=1, description="Number of the precinct in its state's file, from 1.")
    votes: pl.Float64 = pa.Field(ge=0, description="Votes for president cast in the whole precinct.")
    share_area: pl.Float64 = pa.Field(ge=0, le=1, description="Part of the precinct's area, with water, in the place.")
    share_land: pl.Float64 = pa.Field(ge=0, le=1, description="Part of the precinct's land that lies in the place.")
    estimated: pl.Boolean = pa.Field(description="Whether the source says that its precinct results are estimates.")

    class Config:
        """Exactly these columns; one row per precinct and place."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["state", "geo", "precinct"]

    @pa.dataframe_check(error="votes or a share is NaN or infinite")
    def finite(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        figures = ("votes", "share_area", "share_land")
        return data.lazyframe.select(pl.all_horizontal(pl.col(c).is_finite() for c in figures))


class CvapModel(pa.DataFrameModel):
    """Citizens of voting age by county and place."""

    level: pl.String = pa.Field(isin=list(LEVELS), description="county or place.")
    state: pl.String = pa.Field(str_matches=r"^\d{2}$", description="State FIPS code.")
    geo: pl.String = pa.Field(str_matches=r"^(\d{3}|\d{5})$", description="County (3 digits) or place (5 digits) code.")
    cvap: pl.Int64 = pa.Field(ge=0, description="Citizens aged 18 and over, survey estimate rounded to 5.")
    cvap_moe: pl.Int64 = pa.Field(ge=0, description="Margin of error of cvap at the 90 % level.")

    class Config:
        """Exactly these columns; one row per area."""

        strict = True
        ordered = True
        unique: ClassVar[list[str]] = ["level", "state", "geo"]

    @pa.dataframe_check(error="the code's width does not fit its level")
    def width(cls, data: PolarsData) -> pl.LazyFrame:  # noqa: D102, N805
        wanted = pl.col("level").replace_strict(GEO_WIDTH, default=-1)
        return data.lazyframe.select(pl.col("geo").str.len_bytes() == wanted)
