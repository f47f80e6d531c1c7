"""Counties that changed their code and nothing else, so that sources on other codes meet the list of the year."""

from __future__ import annotations

from typing import Final

import polars as pl

# State, code before 2015, code since: Wade Hampton / Kusilvak, Shannon / Oglala Lakota.
RENAMED: Final = (("02", "270", "158"), ("46", "113", "102"))


def on_codes_of_the_year(table: pl.LazyFrame, counties: pl.DataFrame) -> pl.LazyFrame:
    """The table with each renamed county under the code that the year's list has for it.

    Both have the columns state and county. Codes that the list has stay as they are.
    """
    pairs = pl.DataFrame(
        [pair for state, old, new in RENAMED for pair in ((state, old, new), (state, new, old))],
        schema=["state", "county", "code_of_the_year"],
        orient="row",
    )
    listed = counties.select("state", pl.col("county").alias("code_of_the_year"))
    key = ["state", "county"]
    moves = pairs.join(listed, on=["state", "code_of_the_year"], how="semi").join(counties, on=key, how="anti")
    return (
        table.join(moves.lazy(), on=key, how="left", validate="m:1")
        .with_columns(pl.coalesce("code_of_the_year", "county").alias("county"))
        .drop("code_of_the_year")
    )
