"""The table `listed_places`: the places that figures are published for, in the whole nation whatever a run covers.

Districts are chosen by their city's name before a regression that pools all of them, so the list must not shrink with
the states of a run.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.schools import ListedPlaces
from sources.framework import Retrieval, Table
from sources.geography import geographies
from sources.seda import DATA_YEARS


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Every listed place of the years that have learning rates; the same for each data year."""
    return pl.concat(
        geographies(listed)
        .filter(pl.col("level") == "place")
        .select(pl.lit(listed, pl.Int16).alias("year"), "state", "geo", "name")
        for listed in DATA_YEARS
    )


TABLES: Final = (
    Table(
        name="listed_places",
        title="Listed places, nationwide",
        description="The places that figures are published for, by year from 2014 to 2018, with their official names.",
        model=ListedPlaces,
        sources=(),
        years=DATA_YEARS,
        build=build,
    ),
)
