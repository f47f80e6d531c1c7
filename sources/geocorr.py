"""Geocorr (Missouri Census Data Center): how PUMAs overlap with counties and places, by population.

The table `puma_geography` is Geocorr's result, tidied and checked; bringing its codes to those of the data year and
judging the allocation is the method's part (`metrics`). Method file crosswalks.md, sections 2 to 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import polars as pl

from schemas.geography import PumaGeographyModel
from schemas.labels import GEO_WIDTH, Level
from schemas.vintages import puma_vintage
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.states import BY_FIPS, PUERTO_RICO, STATES, State, within
from sources.framework.strict import ROW, Raw
from sources.geography import geographies

_REMAINDER: Final = "99999"
_FIRST: Final = 2014
_CHANGE: Final = 2022
_LATEST: Final = 2025
# Factors have four decimals: each may be off by half of the last one, and so may a sum by as much per row.
_ROUNDING: Final = 0.00005
_TOLERANCE: Final = 0.0005


@dataclass(frozen=True)
class Layout:
    """One Geocorr result: its vintage folder, file, and the names of its columns (all in lower case).

    `geo_before` is what an earlier engine calls the column `geo`.
    """

    vintage: str
    level: Level
    puma_vintage: int
    puma: str
    geo: str
    population: str
    file: SourceFile
    geo_before: str | None = None


def _query(source: str, target: str, states: tuple[State, ...] = STATES) -> str:
    """Geocorr 2022 answers the form's whole set of fields, the empty ones included, with a page that links the CSV."""
    fields = [
        ("_PROGRAM", "apps.geocorr2022.sas"),
        ("_SERVICE", "MCDC_long"),
        ("_debug", "0"),
        *(("state", f"{state.postal.capitalize()}{state.fips}") for state in states),
        ("g1_", source),
        ("g2_", target),
        ("wtvar", "pop20"),
        ("nozerob", "1"),
        ("fileout", "1"),
        ("filefmt", "csv"),
        ("lstfmt", "html"),
        ("afacts2", "on"),
        *((name, "") for name in ("title", "counties", "metros", "places", "oropt", "latitude", "longitude")),
        ("distance", ""),
        ("kiloms", "0"),
        ("locname", ""),
    ]
    return f"https://mcdc.missouri.edu/cgi-bin/broker?{urlencode(fields)}"


def _file(name: str, geo: str | None = None) -> SourceFile:
    url = _query("puma22", geo) if geo is not None else None
    return SourceFile(name, "csv", url=url, link=r"/temp/geocorr2022_\d+\.csv" if url else None, min_bytes=100)


_COUNTY_2000: Final = _file("geocorr2014_puma_county_2000.csv")
_PLACE_2000: Final = _file("geocorr2014_puma_place_2000.csv")
_COUNTY_2010: Final = _file("geocorr2018_puma_county_2010.csv")
_PLACE_2010: Final = _file("geocorr2018_puma_place_2010.csv")
_COUNTY_2020: Final = _file("geocorr2022_puma_county_2020.csv", "county")
_PLACE_2020: Final = _file("geocorr2022_puma_place_2020.csv", "place")

LAYOUTS: Final = (
    Layout("puma12-county14", "county", 2010, "puma12", "county14", "pop10", _COUNTY_2010),
    Layout("puma12-place10", "place", 2010, "puma12", "placefp14", "pop10", _PLACE_2010),
    Layout("puma22-county20", "county", 2020, "puma22", "county", "pop20", _COUNTY_2020),
    Layout("puma22-place20", "place", 2020, "puma22", "place", "pop20", _PLACE_2020),
)

# For the interviews of 2010 and 2011 in the 5-year files until 2015. The files can be done without.
FORMER: Final = (
    Layout("puma2k-county14", "county", 2000, "puma2k", "county14", "pop10", _COUNTY_2000, "county"),
    Layout("puma2k-place14", "place", 2000, "puma2k", "placefp14", "pop10", _PLACE_2000, "placefp"),
)
_FORMER_YEARS: Final = (2014, 2015)

_CHOICES: Final = {
    "puma2k-county14": "geocorr2014.html: source PUMA (2000), target County (2014), weight Population (2010)",
    "puma2k-place14": "geocorr2014.html: source PUMA (2000), target Place (2014), weight Population (2010)",
    "puma12-county14": "geocorr2018.html: source PUMA (2012), target County (2014), weight Population (2010)",
    "puma12-place10": "geocorr2018.html: source PUMA (2012), target Place (2014), weight Population (2010)",
    "puma22-county20": "geocorr2022.html: source PUMA (2022), target County, weight Population (2020 Census)",
    "puma22-place20": "geocorr2022.html: source PUMA (2022), target Place, weight Population (2020 Census)",
}


# Tracts to places (`sources.tracts` reads them): 2010 tracts until 2019, 2020 tracts afterwards.
TRACT_VINTAGES: Final = (
    Vintage(
        "tract10-place14",
        (SourceFile("geocorr2018_2010tract_to_2014place.csv", "csv", min_bytes=100),),
        tuple(range(_FIRST, 2020)),
        note="Page geocorr2018.html: source Census tract, target Place (2014), weight Population (2010).",
    ),
    Vintage(
        "tract10-place10",
        (SourceFile("geocorr2018_tract_to_place.csv", "csv", min_bytes=100),),
        tuple(range(_FIRST, 2020)),
        note="Page geocorr2018.html: source Census tract, target Place (2010), weight Population (2010).",
    ),
    Vintage(
        "tract20-place20",
        (
            SourceFile(
                "geocorr2022_tract_to_place.csv",
                "csv",
                url=_query("tract", "place"),
                link=r"/temp/geocorr2022_\d+\.csv",
                accept=("tract-place-crosswalk_2020.csv",),
                min_bytes=100,
            ),
        ),
        tuple(range(2020, _LATEST + 1)),
        note="Page geocorr2022.html: source Census tract, target Place, weight Population (2020 Census).",
    ),
)

# Counties to places (`sources.county_place` reads them): counties of 2014 until 2019, of 2020 afterwards. For
# Connecticut's planning regions the engine offers a target of their own, put in place of its counties from 2022.
COUNTY_PLACE_VINTAGES: Final = (
    Vintage(
        "county14-place14",
        (SourceFile("geocorr2018_county_place_2014_thru_2019.csv", "csv", min_bytes=100),),
        tuple(range(_FIRST, 2020)),
        note="Page geocorr2018.html: source County (2014), target Place (2014), weight Population (2010).",
    ),
    Vintage(
        "county20-place20",
        (
            SourceFile(
                "geocorr2022_county_place_2020_2021.csv",
                "csv",
                url=_query("county", "place"),
                link=r"/temp/geocorr2022_\d+\.csv",
                accept=("geocorr2022_county_place.csv",),
                min_bytes=100,
            ),
        ),
        tuple(range(2020, _LATEST + 1)),
        note="Page geocorr2022.html: source County, target Place, weight Population (2020 Census).",
    ),
    Vintage(
        "ctregion22-place20",
        (
            SourceFile(
                "geocorr2022_ct_planning_region_to_place.csv",
                "csv",
                url=_query("ctregion", "place", (BY_FIPS["09"],)),
                link=r"/temp/geocorr2022_\d+\.csv",
                min_bytes=100,
            ),
        ),
        tuple(range(_CHANGE, _LATEST + 1)),
        note=(
            "Page geocorr2022.html: only Connecticut; source Connecticut planning region, target Place, weight "
            "Population (2020 Census)."
        ),
    ),
)

# ZIP code tabulation areas to places (`sources.zcta_place` reads them): 2010 areas until 2019, 2020 areas afterwards.
ZCTA_VINTAGES: Final = (
    Vintage(
        "zcta10-place10",
        (
            SourceFile(
                "geocorr2018_zcta_to_place.csv",
                "csv",
                accept=("2010_ZCTA_2010_Census_Places_Crosswalk.csv",),
                min_bytes=100,
            ),
        ),
        tuple(range(_FIRST, 2020)),
        note="Page geocorr2018.html: source ZIP/ZCTA, target Place, weight Population (2010).",
    ),
    Vintage(
        "zcta20-place20",
        (
            SourceFile(
                "geocorr2022_zcta_to_place.csv",
                "csv",
                url=_query("zcta", "place"),
                link=r"/temp/geocorr2022_\d+\.csv",
                accept=("2020_ZCTA_2021_Census_Places_Crosswalk.csv",),
                min_bytes=100,
            ),
        ),
        tuple(range(2020, _LATEST + 1)),
        note="Page geocorr2022.html: source ZIP/ZCTA, target Place, weight Population (2020 Census).",
    ),
)

SOURCE: Final = Source(
    key="geocorr",
    agency="Missouri Census Data Center",
    dataset="Geocorr 2018 and 2022, geographic correspondence engine",
    citation="Missouri Census Data Center, Geocorr 2018 and Geocorr 2022: Geographic Correspondence Engine.",
    licence="free to use with attribution",
    redistribute=True,
    landing_page="https://mcdc.missouri.edu/applications/geocorr.html",
    access=Access.DOWNLOAD,
    vintages=(
        *(
            Vintage(
                layout.vintage,
                (layout.file,),
                tuple(y for y in range(_FIRST, _LATEST + 1) if puma_vintage(y) == layout.puma_vintage),
                note=f"Page {_CHOICES[layout.vintage]}.",
            )
            for layout in LAYOUTS
        ),
        *(
            Vintage(
                layout.vintage,
                (layout.file,),
                (),
                note=(
                    f"Optional: page {_CHOICES[layout.vintage]}. With both tables of PUMAs of 2000 the interviews of "
                    "2010 and 2011 in the 2014 5-year file are used; without them they are left out."
                ),
            )
            for layout in FORMER
        ),
        *TRACT_VINTAGES,
        *COUNTY_PLACE_VINTAGES,
        *ZCTA_VINTAGES,
    ),
    recipe=(
        "Choose all states, the source and target geography below, tick the second allocation factor, ignore blocks "
        "with no weight, and save the CSV under the name above."
    ),
    usual_release="does not change; a new engine follows each census",
)


def build_puma_geography(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `puma_geography` of a data year: level, state, geo, puma, puma_vintage, population, afact, afact2.

    One row per county or listed place of the year and PUMA of the year's vintage, within the scope; codes of counties
    and the factors are Geocorr's own (2014 counties, or 2020 counties with Connecticut's former ones). Rows whose
    factor is rounded to zero are kept, for their people count among the place's. Notes, by level: rows of Puerto Rico,
    of the remainder outside places (99999) and of places that are not listed, all left out; rows with factor zero.

    Years whose 5-year file has interviews in PUMAs of 2000 have rows of these, too, if both of their files are at hand;
    if one is, it is not used, and the other one is owed.
    """
    layouts = [layout for layout in LAYOUTS if layout.puma_vintage == puma_vintage(year)]
    if year in _FORMER_YEARS:
        layouts += _former(retrieval)
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place").select("state", "geo")
    states = [state.fips for state in within(retrieval.scope.states)]
    parts = []
    for layout in layouts:
        (file,) = retrieval.obtain(SOURCE, layout.vintage)
        rows = read(file, layout)
        counts = {"Puerto Rico": rows.filter(pl.col("state") == PUERTO_RICO).height}
        rows = rows.filter(pl.col("state").is_in(states))
        if layout.level == "place":
            remainder = pl.col("geo") == _REMAINDER
            counts["outside places"] = rows.filter(remainder).height
            places = rows.filter(~remainder)
            rows = places.join(listed, on=["state", "geo"], how="semi")
            counts["places not listed"] = places.height - rows.height
            counts["listed places without rows"] = listed.join(rows, on=["state", "geo"], how="anti").height
        counts["factor zero"] = rows.filter(pl.col("afact") == 0).height
        retrieval.notes[f"geocorr {layout.vintage}"] = counts
        parts.append(rows)
    return pl.concat(parts).sort("level", "state", "geo", "puma_vintage", "puma")


def _former(retrieval: Retrieval) -> list[Layout]:
    """The layouts of PUMAs of 2000 if both files are at hand; if only one is, the note says what is owed."""
    there = [layout for layout in FORMER if retrieval.has(SOURCE, layout.vintage)]
    lacking = [layout for layout in FORMER if layout not in there]
    if there and lacking:
        retrieval.notes["owed"] = [
            {
                "source": SOURCE.key,
                "vintage": layout.vintage,
                "files": [layout.file.name],
                "recipe": (
                    f"Of the two tables of PUMAs of 2000 only {there[0].file.name} is at hand; neither is used. "
                    + retrieval.recipe(SOURCE, layout.vintage)
                ),
            }
            for layout in lacking
        ]
    return there if not lacking else []


def read(file: RawFile, layout: Layout) -> pl.DataFrame:
    """Read one Geocorr CSV, all rows of it, with the columns of `puma_geography`.

    Known quirks: a second line of labels, capitals in column names, blanks at the end of lines, Latin-1 names, factors
    in either order. Raises `InputError` for anything else: see `check_shares`.
    """
    raw = Raw.csv(file.path, source=SOURCE.key, encoding="latin-1")
    raw.frame = raw.frame.rename({c: c.lower() for c in raw.frame.columns if c != ROW})
    if layout.geo not in raw.frame.columns and layout.geo_before in raw.frame.columns:
        raw.frame = raw.frame.rename({layout.geo_before: layout.geo})
    raw.select(["state", layout.puma, layout.geo, layout.population, "afact", "afact2"])
    raw.drop_rows(pl.col("state") == "State code")
    if raw.frame.height == 0:
        raise raw.error("there are labels but no rows.")
    raw.code("state", width=2, allowed=[*BY_FIPS, PUERTO_RICO], what="state")
    raw.code(layout.puma, width=5, what="PUMA")
    raw.code(layout.geo, width=5, what=layout.level)
    if layout.level == "county":
        raw.refuse(
            pl.col(layout.geo).str.head(2) != pl.col("state"), "the county lies in another state", column=layout.geo
        )
    raw.number(layout.population, pl.Float64, minimum=0)
    raw.number("afact", pl.Float64, minimum=0, maximum=1).number("afact2", pl.Float64, minimum=0, maximum=1)
    raw.unique("state", layout.puma, layout.geo)
    check_shares(raw, layout.puma, "PUMA", layout.population)
    return raw.done().select(
        pl.lit(layout.level).alias("level"),
        "state",
        pl.col(layout.geo).str.tail(GEO_WIDTH[layout.level]).alias("geo"),
        pl.col(layout.puma).alias("puma"),
        pl.lit(layout.puma_vintage, dtype=pl.Int16).alias("puma_vintage"),
        pl.col(layout.population).alias("population"),
        "afact",
        "afact2",
    )


def check_shares(raw: Raw, source: str, what: str, population: str) -> None:
    """The factors of each source area add up to one, so that no row is missing, and are its population shares.

    `source` is the column of the source's code (unique within `state`), `what` its name in messages, `population` the
    column of the people in both areas.
    """
    area = ["state", source]
    sums = raw.frame.group_by(area).agg(
        pl.col("afact").sum().alias("sum"), pl.len().alias("rows"), pl.col(ROW).min().alias("first")
    )
    allowed = pl.max_horizontal(pl.lit(_TOLERANCE), pl.col("rows") * _ROUNDING)
    for row in sums.filter((pl.col("sum") - 1).abs() > allowed + 1e-9).sort("first").head(1).iter_rows(named=True):
        raise raw.error(
            f"the factors of {what} {row['state']}-{row[source]}, from this row on, add up to {row['sum']:.4f}, "
            "not to 1; rows are missing or wrong.",
            row=row["first"],
            column="afact",
        )
    people = pl.col(population).sum().over(area)
    # Populations are printed as whole numbers, too.
    raw.refuse(
        (pl.col("afact") - pl.col(population) / people).abs() > _ROUNDING + 1 / people,
        f"the factor is not the share of the {what}'s people",
        column="afact",
    )


TABLES: Final = (
    Table(
        name="puma_geography",
        title="Overlap of PUMAs with counties and places",
        description=(
            "Geocorr's allocation factors for the PUMAs that the microdata of the year carry: 2010 PUMAs with 2014 "
            "counties and places until 2021, 2020 PUMAs with 2020 counties and places from 2022. For the interviews of "
            "2010 and 2011 in the 2014 5-year file also PUMAs of 2000, if these tables are at hand."
        ),
        model=PumaGeographyModel,
        sources=(SOURCE.key,),
        years=tuple(sorted({year for vintage in SOURCE.vintages for year in vintage.data_years})),
        build=build_puma_geography,
    ),
)
