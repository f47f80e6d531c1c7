"""County presidential returns of the MIT Election Data and Science Lab: the table `votes_county`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from schemas.elections import VotesCountyModel
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_POSTAL, STATES, within
from sources.framework.strict import ROW, Raw
from sources.geography import former_counties, geographies

_FILE: Final = "https://dataverse.harvard.edu/api/access/datafile/{id}?format=original&gbrecs=true"
NO_FIGURE: Final = ("", "NA")


@dataclass(frozen=True)
class Edition:
    """One file of the returns: its columns' names, and the oldest version that is whole."""

    key: str
    file_id: int
    election: int
    county: str
    fips: str
    oldest_version: int

    @property
    def file(self) -> str:
        """The file's name."""
        return f"countypres_{self.key}.csv"


EDITIONS: Final = (
    Edition("2000-2016", 3641280, 2016, "county", "FIPS", 0),
    # Version 20210622 has a county of California without votes.
    Edition("2000-2020", 6104822, 2020, "county_name", "county_fips", 20220315),
)
BY_YEAR: Final = {edition.election: edition for edition in EDITIONS}
DATA_YEARS: Final = tuple(BY_YEAR)

ALASKA: Final = "02"
TOTAL_MODE: Final = "TOTAL"
# Rows without a county's code that are meant to have none.
STATEWIDE: Final = ("statewide writein", "maine uocava", "federal precinct")
DISTRICT_OF_COLUMBIA: Final = "11001"
# Codes that are no longer those of the Census Bureau.
RECODED: Final = {"46113": "46102", "2938000": "36000"}
MERGED: Final = "51515"
"""Bedford city, which was merged into its county before 2016 and has no votes."""
# A part of a county that counts its votes apart, under a code of its own (state, code) -> the county.
APART: Final[dict[tuple[str, str], str]] = {("29", "36000"): "095"}

SOURCE: Final = Source(
    key="mit_elections",
    agency="MIT Election Data and Science Lab",
    dataset="County Presidential Election Returns",
    citation=(
        "MIT Election Data and Science Lab, County Presidential Election Returns, Harvard Dataverse, "
        "doi:10.7910/DVN/VOQCHQ."
    ),
    licence="Terms on the Harvard Dataverse page of the data set; cite the authors.",
    redistribute=False,
    landing_page="https://doi.org/10.7910/DVN/VOQCHQ",
    access=Access.DOWNLOAD,
    vintages=tuple(
        Vintage(
            key=edition.key,
            files=(SourceFile(edition.file, "csv", url=_FILE.format(id=edition.file_id), min_bytes=1000),),
            data_years=(edition.election,),
        )
        for edition in EDITIONS
    ),
    recipe="On the data set's page choose the file in its original format (comma-separated values).",
    usual_release="the year after the election",
)


def read_returns(path: Path, edition: Edition) -> tuple[pl.DataFrame, dict[str, int]]:
    """Votes by county of the edition's election: state, geo, votes, votes_elsewhere, rows; and what was left out.

    All candidates and all ways of voting are added up; the file's own totals are not used. Alaska's rows are election
    districts and are left out, as are rows that belong to no county. Refused: a candidate listed twice for a county and
    a way of voting, a candidate whose ways of voting are listed beside their sum, negative votes, a code that is no
    county of the state, a version of the file with known gaps.
    """
    raw = Raw.csv(path, source=SOURCE.key)
    columns = {
        "year": "year",
        "state_po": "postal",
        "state": "state_name",
        edition.county: "county_name",
        edition.fips: "fips",
        "office": "office",
        "candidate": "candidate",
        "party": "party",
        "candidatevotes": "votes",
        "totalvotes": "total",
        "version": "version",
        **({"mode": "mode"} if "mode" in raw.frame.columns or edition.election >= 2020 else {}),
    }
    raw.select(columns)
    raw.refuse(~pl.col("year").str.contains(r"^\d{4}$"), "not a year", column="year")
    rows = raw.frame.height
    raw.drop_rows(pl.col("year") != str(edition.election))
    if raw.frame.height == 0:
        raise raw.error(f"the file has no rows of {edition.election}.", column="year")
    if "mode" not in raw.frame.columns:
        raw.frame = raw.frame.with_columns(mode=pl.lit(TOTAL_MODE))
    counts = {"rows of other elections left out": rows - raw.frame.height}
    raw.refuse(pl.col("office").str.to_uppercase().str.contains("PRESIDENT").not_(), "another office", column="office")
    raw.number("version", pl.Int64, minimum=0)
    raw.refuse(
        pl.col("version") < edition.oldest_version,
        f"this version of the file has gaps; take {edition.oldest_version} or a later one",
        column="version",
    )
    raw.number("votes", pl.Int64, minimum=0, missing=NO_FIGURE)
    raw.number("total", pl.Int64, minimum=0, missing=NO_FIGURE)
    _codes(raw, counts)
    _refuse_repeated(raw, counts)
    _refuse_sums_beside_parts(raw)
    return _counties(raw, edition, counts), counts


def _codes(raw: Raw, counts: dict[str, int]) -> None:
    """Make `state` and `fips` (5 digits) from the file's codes; leave out rows of no county, counted."""
    names = {state.name.upper(): state.fips for state in STATES}
    fips = pl.when(pl.col("fips").is_in(NO_FIGURE)).then(pl.lit("")).otherwise(pl.col("fips"))
    raw.frame = raw.frame.with_columns(
        fips.str.replace(r"\.0$", "").alias("fips"),
        pl.col("postal")
        .replace_strict({postal: state.fips for postal, state in BY_POSTAL.items()}, default=None)
        .fill_null(pl.col("state_name").str.to_uppercase().replace_strict(names, default=None))
        .alias("state"),
    )
    raw.refuse(pl.col("state").is_null(), "the state is unknown", column="postal")
    columbia = (pl.col("fips") == "") & (pl.col("state") == DISTRICT_OF_COLUMBIA[:2])
    raw.frame = raw.frame.with_columns(
        pl.when(columbia).then(pl.lit(DISTRICT_OF_COLUMBIA)).otherwise("fips").alias("fips")
    )
    nowhere = pl.col("fips") == ""
    meant = pl.col("county_name").str.to_lowercase().is_in(STATEWIDE)
    raw.refuse(nowhere & ~meant, "the county's code is missing", column="fips")
    counts["rows of no county left out"] = raw.frame.filter(nowhere).height
    counts["votes in them"] = _votes(raw.frame.filter(nowhere))
    raw.drop_rows(nowhere)
    raw.frame = raw.frame.with_columns(pl.col("fips").replace(RECODED))
    raw.refuse(~pl.col("fips").str.contains(r"^\d{4,5}$"), "not a county code", column="fips")
    raw.frame = raw.frame.with_columns(pl.col("fips").str.zfill(5))


def _votes(frame: pl.DataFrame) -> int:
    return int(frame.select(pl.col("votes").sum()).item() or 0)


def _refuse_repeated(raw: Raw, counts: dict[str, int]) -> None:
    """One row per county, candidate and way of voting; only "other" may stand for several candidates."""
    key = ["state", "fips", "candidate", "party", "mode"]
    other = pl.col("candidate").str.to_uppercase() == "OTHER"
    shared = raw.frame.filter(other, pl.struct(key).is_duplicated())
    counts["rows of other candidates that share county and way of voting"] = shared.height
    raw.refuse(
        ~other & ~pl.struct(key).is_first_distinct(),
        "the candidate is listed twice for the county and the way of voting",
        column="candidate",
    )


def _refuse_sums_beside_parts(raw: Raw) -> None:
    """A candidate's votes by way of voting must not stand beside their sum, or they would be counted twice."""
    key = ["state", "fips", "candidate", "party"]
    whole = pl.col("mode").str.to_uppercase() == TOTAL_MODE
    votes = pl.col("votes")
    both = (
        raw.frame.group_by(key)
        .agg(
            votes.filter(whole).sum().alias("whole"),
            votes.filter(~whole).sum().alias("parts"),
            (whole.any() & whole.not_().any()).alias("both"),
            pl.col(ROW).filter(whole).first().alias("at"),
        )
        .filter("both", pl.col("whole") == pl.col("parts"), pl.col("whole") > 0)
        .sort("at")
    )
    if both.height:
        row = both.row(0, named=True)
        raise raw.error(
            f"the votes for {row['candidate']} in {row['fips']} by way of voting stand beside their sum.",
            row=row["at"],
            column="mode",
        )


def _counties(raw: Raw, edition: Edition, counts: dict[str, int]) -> pl.DataFrame:
    alaska = pl.col("state") == ALASKA
    counts["rows of Alaska's election districts left out"] = raw.frame.filter(alaska).height
    counts["votes in Alaska"] = _votes(raw.frame.filter(alaska))
    raw.drop_rows(alaska)
    raw.refuse((pl.col("fips") == MERGED) & (pl.col("votes") > 0), "a city that was merged has votes", column="votes")
    raw.drop_rows(pl.col("fips") == MERGED)
    raw.refuse(pl.col("votes").is_null(), "the votes are missing", column="votes")

    apart = pl.struct("state", "fips").is_in([{"state": s, "fips": f} for s, f in APART])
    other = (
        raw.frame.filter(apart)
        .group_by("state", "fips")
        .agg(pl.col("votes").sum().alias("votes_elsewhere"))
        .with_columns(geo=pl.col("fips").replace_strict({f: county for (_, f), county in APART.items()}))
    )
    counts["votes counted apart from their county"] = int(other["votes_elsewhere"].sum())
    raw.drop_rows(apart)
    raw.refuse(pl.col("fips").str.head(2) != pl.col("state"), "the county is not in the row's state", column="fips")
    listed = geographies(edition.election).filter(pl.col("level") == "county")
    # The file may keep Connecticut's former counties: its planning regions then have no votes, and a reason.
    codes = pl.concat([listed, former_counties()]).select(pl.col("state") + pl.col("geo")).to_series().to_list()
    raw.refuse(~pl.col("fips").is_in(codes), f"there is no such county in {edition.election}", column="fips")
    frame = (
        raw.done()
        .group_by("state", pl.col("fips").str.tail(3).alias("geo"))
        .agg(
            pl.col("votes").sum(),
            pl.len().cast(pl.Int32).alias("rows"),
            pl.col("total").max().alias("total"),
        )
        .join(other.drop("fips"), on=["state", "geo"], how="left", validate="1:1")
    )
    counts["counties"] = frame.height
    counts["votes"] = _votes(frame)
    counts["counties whose sum is not the file's total"] = frame.filter(pl.col("votes") != pl.col("total")).height
    return frame.select("state", "geo", "votes", pl.col("votes_elsewhere").fill_null(0), "rows").sort("state", "geo")


def edition_of(year: int) -> Edition:
    """The file of an election. A later one is laid out as the newest known."""
    if year in BY_YEAR:
        return BY_YEAR[year]
    newest = EDITIONS[-1]
    vintage = next(v for v in SOURCE.vintages if year in v.data_years)
    return replace(newest, key=vintage.key, election=year)


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `votes_county`: the counties of the scope that report votes."""
    edition = edition_of(year)
    (file,) = retrieval.obtain(SOURCE, edition.key)
    frame, counts = read_returns(file.path, edition)
    states = [state.fips for state in within(retrieval.scope.states)]
    kept = frame.filter(pl.col("state").is_in(states))
    retrieval.notes["mit_elections"] = {**counts, "counties outside the scope left out": frame.height - kept.height}
    return kept


TABLES: Final = (
    Table(
        name="votes_county",
        title="Votes for president by county",
        description=(
            "Votes for all candidates together. Alaska counts by election district and is not in it; votes that a part "
            "of a county counts apart stand in a column of their own."
        ),
        model=VotesCountyModel,
        sources=(SOURCE.key,),
        years=DATA_YEARS,
        build=build,
    ),
)
