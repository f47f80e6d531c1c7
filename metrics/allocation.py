"""From Geocorr's tables to the allocation of PUMAs to counties and places in a data year, and its quality.

Survey microdata know only the PUMA a household lives in. Geocorr gives, for every PUMA and county (or place), the share
of the PUMA's people who live there (`afact`) and the share of the county's people who live in the PUMA (`afact2`), both
with four decimals. A weight times `afact` is the record's weight in the county. Method file crosswalks.md.

Factors are kept as integers of 1/10,000 wherever a threshold or a sum is decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.connecticut import STATE as CONNECTICUT
from metrics.connecticut import planning_regions
from schemas.errors import InputError
from schemas.vintages import RENAMED_COUNTIES, RENAMED_SINCE, puma_vintage

SCALE: Final = 10_000
"""Factors are integers of 1 / SCALE."""

STRONG: Final = 75 * SCALE**2 // 100
MARGINAL: Final = 35 * SCALE**2 // 100
"""Allocation quality 1 from 0.75, 2 from 0.35, else 3 (sum_products as an integer of 1 / SCALE squared)."""

GEOCORR_COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "level": pl.String,
    "state": pl.String,
    "geo": pl.String,
    "puma": pl.String,
    "puma_vintage": pl.Int16,
    "population": pl.Float64,
    "afact": pl.Float64,
    "afact2": pl.Float64,
}

FORMER_PUMAS: Final = 2000
"""Vintage of the PUMAs of interviews until 2011, which the 5-year files until 2015 hold."""

ALLOCATION: Final[dict[str, type[pl.DataType]]] = {
    "level": pl.String,
    "state": pl.String,
    "geo": pl.String,
    "puma": pl.String,
    "puma_vintage": pl.Int16,
    "afact": pl.Float64,
    "afact_10k": pl.Int64,
    "afact2": pl.Float64,
    "sum_products": pl.Float64,
    "quality": pl.Int8,
    "quality_reference": pl.Int8,
    "n_pumas": pl.Int32,
}
"""Columns of the table `puma_allocation`, one row per (level, state, geo, puma, puma_vintage)."""

_GEO: Final = ["level", "state", "geo"]
_PUERTO_RICO: Final = "72"

# Valdez-Cordova was divided in 2020. Its people's shares (2010 census) in 1/10,000 of the PUMA's.
_VALDEZ_CORDOVA: Final = ("02", "261")
_SUCCESSORS: Final = {"063": 0.0435, "066": 0.0160}
_VALDEZ_CORDOVA_SHARE: Final = 0.0595


@dataclass(frozen=True)
class Allocation:
    """The table `puma_allocation` of a data year, and what was left out on the way (row counts by name)."""

    table: pl.DataFrame
    notes: dict[str, int]


def has_former_pumas(year: int) -> bool:
    """Whether the 5-year file that ends in `year` has interviews with PUMAs of 2000."""
    return year - 4 <= 2011


def without_former_pumas(allocation: pl.LazyFrame) -> pl.LazyFrame:
    """The allocation of the PUMAs of the data year's own vintage, without those of 2000."""
    return allocation.filter(pl.col("puma_vintage") != FORMER_PUMAS)


def allocate(county_rows: pl.DataFrame, place_rows: pl.DataFrame, spine: pl.DataFrame, year: int) -> Allocation:
    """Turn tidy Geocorr rows into the allocation table of data year `year`.

    `county_rows` and `place_rows` are Geocorr's results as delivered, tidied: level ("county" | "place"), state
    (2 digits), geo (3 digits, or 5 for places; other places than the spine's, such as 99999, may be there), puma
    (5 digits), puma_vintage (2000 | 2010 | 2020; rows of a vintage that the year does not need are left aside, so all
    files may be stacked), population (people of the PUMA in the geography), afact, afact2 (4 decimals). Further columns
    are ignored. `afact2` of places must be the delivered one: the reference's flags are derived from it. `spine` has
    level, state, geo: the geographies of the year.

    What happens: Puerto Rico leaves; county codes are brought to those of the year; Connecticut's former counties make
    way for the planning regions (2020 PUMAs); only places of the spine stay; rows with a factor of zero are dropped;
    a place's `afact2` is recomputed within state and place (Geocorr 2018 worked it out across states; a registered
    deviation) and the quality follows from sum_products = sum(afact * afact2).

    If there are rows of PUMAs of 2000, and the year's 5-year file has interviews in them (`has_former_pumas`), they
    stand beside the others. Quality is a property of a geography and its period: theirs is that of the year's PUMAs.

    Returns the table (columns and types of `ALLOCATION`, sorted) and counts: `puerto_rico`, `outside_spine_states`,
    `places_not_listed`, `zero_factor` (dropped rows), `spine_without_rows` (geographies of the spine that no PUMA
    touches); those of PUMAs of 2000 end in `_of_2000`. Raises `InputError` for a missing column, a duplicate key, a
    factor with more than four decimals or outside 0 to 1, PUMAs whose county factors do not add up to one, a county
    that the year does not have, and a geography with PUMAs of the year but none of 2000 although others have some.
    """
    rows = pl.concat([_tidy(county_rows, "county"), _tidy(place_rows, "place")])
    vintage = pl.col("puma_vintage")
    own, notes = _listed(rows.filter(vintage == puma_vintage(year)), spine, year)
    table = _with_quality(own)
    former = rows.filter(vintage == FORMER_PUMAS)
    if former.height and has_former_pumas(year):
        of_2000, more = _listed(former, spine, year)
        table = pl.concat([table, _beside(table, _with_quality(of_2000))]).sort(*_GEO, "puma_vintage", "puma")
        notes |= {f"{what}_of_2000": count for what, count in more.items()}
    return Allocation(table, notes)


def _beside(own: pl.DataFrame, former: pl.DataFrame) -> pl.DataFrame:
    """Rows of PUMAs of 2000 with the quality that the year's own PUMAs (`own`) give the geography."""
    quality = own.select(*_GEO, "sum_products", "quality", "quality_reference").unique()
    lost = quality.join(former, on=_GEO, how="anti").sort(_GEO)
    if lost.height:
        row = lost.row(0, named=True)
        raise InputError(
            f"{row['level']} {row['state']}-{row['geo']} has no PUMAs of 2000; the table must have the counties and "
            "places of the data year.",
            source="geocorr",
            column="geo",
        )
    beside = former.drop("sum_products", "quality", "quality_reference")
    return beside.join(quality, on=_GEO, how="inner", validate="m:1").select(own.columns)


def _listed(rows: pl.DataFrame, spine: pl.DataFrame, year: int) -> tuple[pl.DataFrame, dict[str, int]]:
    """Rows of one vintage with the year's geographies, plus `share_of_geo`; and what was left out."""
    _check(rows)
    notes = {"puerto_rico": rows.filter(pl.col("state") == _PUERTO_RICO).height}
    rows = _codes_of_year(rows.filter(pl.col("state") != _PUERTO_RICO), year)

    states = spine["state"].unique().to_list()
    outside = ~pl.col("state").is_in(states)
    notes["outside_spine_states"] = rows.filter(outside).height
    rows = rows.filter(~outside)
    # A place's people are counted over all rows, before those whose factor is rounded to zero go.
    rows = rows.with_columns((pl.col("population") / pl.col("population").sum().over(_GEO)).alias("share_of_geo"))

    listed = spine.select(_GEO).unique()
    unlisted = rows.join(listed, on=_GEO, how="anti")
    unknown = unlisted.filter(pl.col("level") == "county")
    if unknown.height:
        row = unknown.row(0, named=True)
        raise InputError(
            f"county {row['state']}-{row['geo']} (PUMA {row['puma']}) is not among the counties of {year}.",
            source="geocorr",
            column="geo",
        )
    notes["places_not_listed"] = unlisted.height
    rows = rows.join(listed, on=_GEO, how="semi")
    zero = pl.col("afact").is_null() | (pl.col("afact") <= 0)
    notes["zero_factor"] = rows.filter(zero).height
    rows = rows.filter(~zero)
    notes["spine_without_rows"] = listed.join(rows, on=_GEO, how="anti").height
    return rows, notes


def estimation_areas(allocation: pl.DataFrame) -> pl.DataFrame:
    """Which geographies must share an estimate: level, state, geo, estimation_area, n_areas; one row per geography.

    All counties (or places) that lie in the same single PUMA have the PUMA's estimate: `puma2010-37-01801`. A geography
    that pools several PUMAs has its own: `county-37067`, `place-3775000`.
    """
    in_one = "puma" + pl.col("puma_vintage").first().cast(pl.String) + "-" + pl.col("state") + "-"
    own = pl.col("level") + "-" + pl.col("state") + pl.col("geo")
    return (
        allocation.group_by(_GEO)
        .agg(
            pl.when(pl.len() == 1)
            .then(in_one.first() + pl.col("puma").first())
            .otherwise(own.first())
            .alias("estimation_area")
        )
        .with_columns(pl.len().over("level", "estimation_area").cast(pl.Int32).alias("n_areas"))
        .sort(_GEO)
    )


def quality_of(products: pl.Expr) -> pl.Expr:
    """Allocation quality (1 strong, 2 marginal, 3 weak) of a sum_products given as an integer of 1 / SCALE squared."""
    return pl.when(products >= STRONG).then(1).when(products >= MARGINAL).then(2).otherwise(3).cast(pl.Int8)


def divide(integers: pl.Series, divisor: int) -> pl.Series:
    """`integers / divisor`, correctly rounded (polars multiplies by the reciprocal, which makes 0.35 too large)."""
    return pl.Series(integers.name, integers.to_numpy() / divisor)


def _tidy(rows: pl.DataFrame, level: str) -> pl.DataFrame:
    missing = [c for c in GEOCORR_COLUMNS if c not in rows.columns]
    if missing:
        raise InputError(f"the {level} rows lack the columns {missing}.", source="geocorr", column=missing[0])
    tidy = rows.select(pl.col(c).cast(t) for c, t in GEOCORR_COLUMNS.items())
    other = tidy.filter(pl.col("level") != level)
    if other.height:
        raise InputError(f"{level} rows expected, found level {other['level'][0]!r}.", source="geocorr", column="level")
    return tidy


def _check(rows: pl.DataFrame) -> None:
    doubled = rows.filter(pl.struct(*_GEO, "puma").is_duplicated())
    if doubled.height:
        raise InputError(f"duplicate key {doubled.row(0)[:4]}.", source="geocorr", column="puma")
    for factor in ("afact", "afact2"):
        scaled = pl.col(factor) * SCALE
        bad = rows.filter(((scaled - scaled.round()).abs() > 1e-6) | ~pl.col(factor).is_between(0, 1))
        if bad.height:
            raise InputError(
                f"{factor} must lie between 0 and 1 with at most four decimals; it does not in {bad.row(0)}.",
                source="geocorr",
                column=factor,
            )
    sums = (
        rows.filter(pl.col("level") == "county").group_by("state", "puma").agg(pl.col("afact").sum().alias("sum_afact"))
    )
    bad = sums.filter(~pl.col("sum_afact").is_between(0.999, 1.001)).sort("state", "puma")
    if bad.height:
        row = bad.row(0, named=True)
        raise InputError(
            f"the county factors of PUMA {row['state']}-{row['puma']} add up to {row['sum_afact']:.4f}, not to 1.",
            source="geocorr",
            column="afact",
        )


def _codes_of_year(rows: pl.DataFrame, year: int) -> pl.DataFrame:
    """County rows with the codes of the year; place rows unchanged."""
    county = pl.col("level") == "county"
    geo = pl.col("geo")
    for old, new in RENAMED_COUNTIES.items():
        source, target = (old, new) if year >= RENAMED_SINCE else (new, old)
        renamed = county & (pl.col("state") == source[:2]) & (pl.col("geo") == source[2:])
        geo = pl.when(renamed).then(pl.lit(target[2:])).otherwise(geo)
    rows = rows.with_columns(geo.alias("geo"))

    state, code = _VALDEZ_CORDOVA
    divided = county & (pl.col("state") == state) & (pl.col("geo") == code)
    if year >= 2020:
        before = rows.filter(divided)
        parts = [
            before.with_columns(
                pl.lit(successor).alias("geo"),
                pl.col("population") * share / _VALDEZ_CORDOVA_SHARE,
                pl.col("afact") * share / _VALDEZ_CORDOVA_SHARE,
                pl.lit(1.0).alias("afact2"),
            )
            for successor, share in _SUCCESSORS.items()
        ]
        rows = pl.concat([rows.filter(~divided), *parts])

    former = county & (pl.col("state") == CONNECTICUT)
    if puma_vintage(year) == 2020 and rows.filter(former).height:
        rows = pl.concat([rows.filter(~former), planning_regions().select(rows.columns)])
    return rows


def _with_quality(rows: pl.DataFrame) -> pl.DataFrame:
    """Integer factors, quality statistic and flags. `share_of_geo` is population / population of the geography."""
    afact_10k = (pl.col("afact") * SCALE).round().cast(pl.Int64)
    ours = pl.when(pl.col("level") == "place").then(pl.col("share_of_geo")).otherwise(pl.col("afact2"))
    rows = rows.with_columns(
        afact_10k.alias("afact_10k"),
        (ours * SCALE).round().cast(pl.Int64).alias("afact2_10k"),
        (pl.col("afact2") * SCALE).round().cast(pl.Int64).alias("delivered_10k"),
    )

    def products(second: str) -> pl.Expr:
        """sum(afact * afact2) of the geography as an exact integer of 1 / SCALE squared."""
        return (pl.col("afact_10k") * pl.col(second)).sum().over(_GEO)

    rows = rows.with_columns(products("afact2_10k").alias("products"), products("delivered_10k").alias("products_ref"))
    # The two parts of Valdez-Cordova have factors of more than four decimals; their statistic is that factor itself.
    exact = ((pl.col("afact") * SCALE - pl.col("afact_10k")).abs() < 1e-6).all().over(_GEO)
    inexact = (pl.col("afact") * pl.col("afact2_10k")).sum().over(_GEO) / SCALE
    table = rows.with_columns(
        divide(rows["afact2_10k"], SCALE).alias("afact2"),
        pl.when(exact).then(divide(rows["products"], SCALE**2)).otherwise(inexact).alias("sum_products"),
        quality_of(pl.col("products")).alias("quality"),
        quality_of(pl.col("products_ref")).alias("quality_reference"),
        pl.len().over(_GEO).alias("n_pumas"),
    )
    return table.select(pl.col(c).cast(t) for c, t in ALLOCATION.items()).sort(*_GEO, "puma")
