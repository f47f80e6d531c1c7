"""Housing + Transportation Affordability Index of the Center for Neighborhood Technology: the table `ht_tracts`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from schemas.transport import HtTractsModel
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.partial import obtain_available
from sources.framework.states import State, within
from sources.framework.strict import Raw
from sources.geography import geographies

DATA_YEARS: Final = (2015, 2019, 2022)
# Household at 80 % of the median income of its region.
COLUMNS: Final = {
    "tract": "geoid",
    "households": "households",
    "pct_transit_commuters_80ami": "transit_percent",
    "t_80ami": "cost_percent",
}
NO_FIGURE: Final = ("", "NA")

SOURCE: Final = Source(
    key="cnt_ht",
    agency="Center for Neighborhood Technology",
    dataset="Housing + Transportation (H+T) Affordability Index, census tracts",
    citation="Center for Neighborhood Technology, Housing + Transportation Affordability Index, htaindex.cnt.org.",
    licence="Terms of use of the index: free for use with attribution; the files are not to be passed on.",
    redistribute=False,
    landing_page="https://htaindex.cnt.org/download/",
    access=Access.PERSON,
    vintages=tuple(
        Vintage(
            key=f"{year}",
            files=(
                SourceFile(
                    f"htaindex{year}_data_tracts_{{fips}}.csv",
                    "csv",
                    accept=("htaindex_data_tracts_{fips}.csv",),
                ),
            ),
            data_years=(year,),
            note=f"Index of {year}.",
        )
        for year in DATA_YEARS
    ),
    recipe=(
        "On the download page (it may ask you to register) choose the year of the index and 'Tracts', and download one "
        "ZIP per state. Unpack it: the CSV in it carries the state's FIPS code at the end of its name."
    ),
    usual_release="every three or four years",
)


def read_tracts(path: Path, state: State) -> pl.DataFrame:
    """One state's file: state, county, tract, households (Int64), transit_percent, cost_percent (null: no figure).

    The codes stand in literal quotes in the file. Refused: a tract of another state, one listed twice, percentages
    outside 0 to 100 (cost: below 0), a fraction of a household.
    """
    raw = Raw.csv(path, source=SOURCE.key).select(COLUMNS)
    raw.frame = raw.frame.with_columns(pl.col("geoid").str.strip_chars('" '))
    raw.refuse(pl.col("geoid").str.contains("[eE]"), "the tract code is in scientific notation", column="geoid")
    raw.code("geoid", width=11, what="tract code")
    raw.refuse(~pl.col("geoid").str.starts_with(state.fips), f"the tract is not in {state.name}", column="geoid")
    raw.number("households", minimum=0)
    raw.refuse(pl.col("households").mod(1) != 0, "not a whole number", column="households")
    raw.number("transit_percent", minimum=0, maximum=100, missing=NO_FIGURE)
    raw.number("cost_percent", minimum=0, missing=NO_FIGURE)
    raw.unique("geoid")
    return (
        raw.done()
        .select(
            state=pl.col("geoid").str.slice(0, 2),
            county=pl.col("geoid").str.slice(2, 3),
            tract=pl.col("geoid").str.slice(5, 6),
            households=pl.col("households").cast(pl.Int64),
            transit_percent="transit_percent",
            cost_percent="cost_percent",
        )
        .sort("state", "county", "tract")
    )


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `ht_tracts`: the states of the scope whose files can be had; the others are owed, by name."""
    files = obtain_available(retrieval, SOURCE, str(year))
    states = {f"htaindex{year}_data_tracts_{state.fips}.csv": state for state in within(retrieval.scope.states)}
    frame = pl.concat(read_tracts(file.path, states[name]) for name, file in files.items())
    listed = geographies(year).filter(pl.col("level") == "county").select("state", pl.col("geo").alias("county"))
    known = frame.join(listed, on=["state", "county"], how="semi")
    inhabited = known.filter(pl.col("households") > 0)
    retrieval.notes["cnt_ht"] = {
        "tracts": frame.height,
        f"tracts of counties that do not exist in {year}, left out": frame.height - known.height,
        "tracts without households": known.height - inhabited.height,
        "inhabited tracts without a figure": inhabited.filter(
            pl.any_horizontal(pl.col("transit_percent", "cost_percent").is_null())
        ).height,
        "states": len(files),
    }
    return known.sort("state", "county", "tract")


TABLES: Final = (
    Table(
        name="ht_tracts",
        title="Transit use and transportation cost by tract",
        description=(
            "Of a household at 80 percent of the regional median income: share of commuters who use transit, and "
            "transportation cost as a share of income, in whole percents. States whose files are owed are not in it."
        ),
        model=HtTractsModel,
        sources=(SOURCE.key,),
        years=DATA_YEARS,
        build=build,
    ),
)
