"""Precinct returns with shapes of the Voting and Election Science Team, laid over places: the table `votes_place`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.elections import VotesPlaceModel
from schemas.errors import InputError
from sources.boundaries import SOURCE as BOUNDARIES
from sources.boundaries import counties_name, places_name, read_boundaries
from sources.framework import Access, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.partial import obtain_available
from sources.framework.shapes import Shapes, columns_of, read_shapes
from sources.framework.states import BY_POSTAL, State
from sources.geography import geographies

if TYPE_CHECKING:
    import geopandas

DATA_YEARS: Final = (2016, 2020)
_SCHEMA: Final = {c: f.dtype.type for c, f in VotesPlaceModel.to_schema().columns.items()}
DECIMALS: Final = 10
# The name of a file whose precinct results were estimated says so.
ESTIMATED_SUFFIX: Final = "_vtd_estimates"
DOI: Final = {2016: "10.7910/DVN/NH5S2I", 2020: "10.7910/DVN/K7760H"}

# Numbers of the files in the Harvard Dataverse, by state.
_FILE_IDS: Final = {
    2016: """
        ak 6550193 al 4751068 ar 4931773 az 4773516 ca 3184156 co 4061282 ct 4986639 dc 3866544 de 3866541 fl 9865414
        ga 4863152 hi 3442919 ia 3612932 id 3904486 il 4749661 in 5117322 ks 6696060 ky 6429540 la 3644961 ma 5007729
        md 5739867 me 5739870 mi 9865416 mn 3194092 mo 5007730 ms 5706481 mt 4773518 nc 4863151 nd 4931776 ne 4931772
        nh 3677990 nj 6492869 nm 5425592 nv 8569128 ny 5706918 oh 6174174 ok 3613878 or 5194698 pa 10596695 ri 4789391
        sc 5739869 sd 6082784 tn 5746906 tx 4934233 ut 3675144 va 6550194 vt 4863154 wa 8569131 wi 8940330 wv 6418337
        wy 4789392
    """,
    2020: """
        ak 6550198 al 4751074 ar 4931787 az 4864722 ca 5206371 co 4863166 ct 4986646 dc 4750435 de 4773531 fl 6696063
        ga 4863164 hi 4750434 ia 4789403 id 4789401 il 4773525 in 5143396 ks 6696064 ky 6550199 la 5739918 ma 5007849
        md 5111331 me 5739920 mi 5739924 mn 4499011 mo 5007850 ms 5706487 mt 4773527 nc 4863162 nd 5342900 ne 5739922
        nh 4499009 nj 6492876 nm 5425599 nv 4863168 ny 5259468 oh 4499012 ok 5790364 or 5194704 pa 5595329 ri 4789406
        sc 4789402 sd 6082788 tn 5746909 tx 4931788 ut 4863167 va 6174181 vt 5739919 wa 5007851 wi 4773528 wv 6418344
        wy 4789404
    """,
}
# In these states precinct results were estimated.
_ESTIMATED: Final[dict[int, tuple[str, ...]]] = {2016: (), 2020: ("KY", "NJ")}


def votes_prefix(year: int) -> str:
    """How the columns with votes for president begin, one per candidate."""
    return f"G{year % 100:02d}PRE"


def file_name(year: int, state: State) -> str:
    """The declared file of one state in the election of `year`."""
    stem = f"{state.postal.lower()}_{year}"
    return next(f.name for f in SOURCE.vintage(f"{year}").files if f.name.split(".")[0].startswith(stem))


def is_estimated(name: str) -> bool:
    """Whether the precinct results of a file are estimates."""
    return ESTIMATED_SUFFIX in name


def _name(year: int, postal: str) -> str:
    suffix = ESTIMATED_SUFFIX if postal.upper() in _ESTIMATED[year] else ""
    return f"{postal}_{year}{suffix}.zip"


def _files(year: int) -> tuple[SourceFile, ...]:
    words = _FILE_IDS[year].split()
    ids = dict(zip(words[::2], words[1::2], strict=True))
    url = "https://dataverse.harvard.edu/api/access/datafile"
    return tuple(
        SourceFile(_name(year, postal), "zip", url=f"{url}/{number}", min_bytes=500) for postal, number in ids.items()
    )


SOURCE: Final = Source(
    key="vest_precincts",
    agency="Voting and Election Science Team",
    dataset="Precinct-level election results with precinct shapes, presidential elections of 2016 and 2020",
    citation=(
        "Voting and Election Science Team, 2016 and 2020 Precinct-Level Election Results, Harvard Dataverse, "
        "doi:10.7910/DVN/NH5S2I and doi:10.7910/DVN/K7760H."
    ),
    licence="Terms on the Harvard Dataverse pages of the data sets; cite the authors.",
    redistribute=False,
    landing_page="https://dataverse.harvard.edu/dataverse/electionscience",
    access=Access.DOWNLOAD,
    vintages=tuple(
        Vintage(key=f"{year}", files=_files(year), data_years=(year,), note=f"doi:{DOI[year]}, one zip per state.")
        for year in DATA_YEARS
    ),
    recipe="From the year's data set take the zip of each state and leave it packed.",
    usual_release="the year after the election; files are mended later",
)


def read_precincts(path: Path, year: int) -> tuple[Shapes, npt.NDArray[np.float64], dict[str, int]]:
    """One state's precincts: shapes, votes for president of each, and counts.

    The votes are the sum of all columns that begin with `votes_prefix`; a missing number counts as zero. Refused: no
    such column, negative votes, text in a number.
    """
    from pandas.api.types import is_numeric_dtype

    prefix = votes_prefix(year)
    columns = [c for c in columns_of(path, source=SOURCE.key) if c.startswith(prefix)]
    if not columns:
        raise InputError(
            f"no column begins with {prefix}: these are not the votes for president of {year}.",
            source=SOURCE.key,
            file=path.name,
            column=prefix,
        )
    shapes = read_shapes(path, columns, source=SOURCE.key)
    votes = np.zeros(len(shapes.frame))
    missing = 0
    for column in columns:
        values = shapes.frame[column]
        if not is_numeric_dtype(values.dtype):
            raise InputError("the votes are text, not numbers.", source=SOURCE.key, file=path.name, column=column)
        numbers = values.to_numpy(dtype=np.float64)
        negative = np.flatnonzero(numbers < 0)
        if negative.size:
            problem = f"negative (found {numbers[negative[0]]:g})."
            raise InputError(problem, source=SOURCE.key, file=path.name, row=int(negative[0]) + 1, column=column)
        missing += int(np.isnan(numbers).sum())
        votes += np.nan_to_num(numbers)
    counts = {
        "precincts": len(votes),
        "votes": round(float(votes.sum())),
        "missing numbers of votes, taken as zero": missing,
        "shapes with a third dimension, flattened": shapes.with_height,
        "invalid shapes, mended": shapes.invalid,
        "precincts without a shape": shapes.absent,
        "votes in precincts without a shape": round(float(votes[shapes.frame.geometry.is_empty.to_numpy()].sum())),
    }
    return shapes, votes, counts


def overlaps(
    precincts: npt.NDArray[np.object_], areas: npt.NDArray[np.object_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Pairs of shapes that share some area: positions in both arrays and the shared area, sorted by position."""
    import shapely

    shapely.prepare(areas)
    found = shapely.STRtree(areas).query(precincts, predicate="intersects")
    first, second = found[:, np.lexsort((found[1], found[0]))]
    # Most precincts lie wholly inside; only the others are cut, which takes long.
    inside = shapely.contains(areas[second], precincts[first])
    shared = shapely.area(precincts[first])
    cut = ~inside
    shared[cut] = shapely.area(shapely.intersection(precincts[first][cut], areas[second][cut]))
    some = shared > 0
    return first[some], second[some], shared[some]


def lay_over(
    shapes: geopandas.GeoDataFrame,
    votes: npt.NDArray[np.float64],
    places: geopandas.GeoDataFrame,
    counties: geopandas.GeoDataFrame,
) -> pl.DataFrame:
    """Precincts over places: state, geo, precinct, votes, share_area, share_land; one row where they overlap.

    `share_area` is the shared area / the precinct's whole area, `share_land` the shared area / the precinct's area in
    `counties`, which end at the shore. All shapes in one equal-area projection.
    """
    import shapely

    precincts = shapes.geometry.to_numpy()
    first, second, shared = overlaps(precincts, places.geometry.to_numpy())
    whole = shapely.area(precincts[first])
    used, position = np.unique(first, return_inverse=True)
    ashore, _, dry = overlaps(precincts[used], counties.geometry.to_numpy())
    land = np.bincount(ashore, weights=dry, minlength=used.size)[position]
    # Shores of the two files differ a little: a precinct has at least the land that a place of it has.
    land = np.minimum(np.maximum(land, shared), whole)
    return pl.DataFrame(
        {
            "state": places["state"].to_numpy()[second].astype(str),
            "geo": places["geo"].to_numpy()[second].astype(str),
            "precinct": (first + 1).astype(np.int32),
            "votes": votes[first],
            # Geometry libraries differ in the last digits from one build to the next.
            "share_area": np.round(np.minimum(shared / whole, 1.0), DECIMALS),
            "share_land": np.round(np.minimum(shared / land, 1.0), DECIMALS),
        },
        schema={c: t for c, t in _SCHEMA.items() if c != "estimated"},
    )


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `votes_place`: the listed places of the year and the precincts that overlap them.

    Precincts are laid over the places of their own state. States without a listed place are not asked for; those whose
    files cannot be had are owed, by name.
    """
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place")
    states = [state for state in BY_POSTAL.values() if state.fips in set(listed["state"])]
    (land,) = retrieval.obtain(BOUNDARIES, str(year), (counties_name(year),))
    limits = obtain_available(retrieval, BOUNDARIES, str(year), [places_name(year, s) for s in states])
    returns = obtain_available(retrieval, SOURCE, str(year), [file_name(year, s) for s in states])
    counties = read_boundaries(land.path, "county")
    notes: dict[str, object] = {}
    parts = []
    for state in states:
        if file_name(year, state) not in returns or places_name(year, state) not in limits:
            continue
        places = read_boundaries(limits[places_name(year, state)].path, "place")
        wanted = listed.filter(pl.col("state") == state.fips)["geo"].to_list()
        places = places[(places["state"] == state.fips) & places["geo"].isin(wanted)]
        shapes, votes, counts = read_precincts(returns[file_name(year, state)].path, year)
        ours = counties[counties["state"] == state.fips]
        estimated = pl.lit(is_estimated(file_name(year, state)))
        part = lay_over(shapes.frame, votes, places, ours).with_columns(estimated.alias("estimated"))
        parts.append(part)
        notes[state.postal] = {
            **counts,
            "listed places": len(wanted),
            "listed places without limits": len(wanted) - len(places),
            "precincts in listed places": part["precinct"].n_unique(),
        }
    retrieval.notes["vest_precincts"] = notes
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *parts]).sort("state", "geo", "precinct")


TABLES: Final = (
    Table(
        name="votes_place",
        title="Precincts and their votes by place",
        description=(
            "Precincts that overlap a listed place, with their votes for president and the part of their area, and of "
            "their land, that lies in the place. States whose files are owed are not in it."
        ),
        model=VotesPlaceModel,
        sources=(SOURCE.key, BOUNDARIES.key),
        years=DATA_YEARS,
        build=build,
    ),
)
