"""Social capital: membership associations and economic connectedness. Method file social_capital.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics import associations, connectedness
from metrics.associations import UNIT, allocation_quality, rate
from metrics.connectedness import place_quality
from metrics.deviation import Deviation, PublishedRow, Scope
from metrics.explanation import Cell, Explanation
from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT
from metrics.social_account import city_associations, city_connectedness, county_associations, county_connectedness
from schemas.estimate import empty
from schemas.labels import ALL

ASSOCIATIONS = "count_membership_associations_per_10k"
CONNECTEDNESS = "share_economic_connectedness"
CBP: Final = "cbp"
ATLAS: Final = "social_capital_atlas"
YEARS = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022)

PREDICTOR = Predictor(
    key="social_capital",
    title="Social capital",
    pillar="neighborhoods",
    definition=(
        "Number of membership associations (civic, religious, labor, business, political and sports organizations) per "
        "10,000 people, and the share of the friends of people of low socioeconomic status who are of high status."
    ),
    metrics=(
        Metric(
            ASSOCIATIONS,
            "Membership associations per 10,000 people",
            "rate per 10,000",
            maximum=10_000.0,
            sentence="In {year}, {name} had {value:.1f} membership associations per 10,000 people.",
        ),
        Metric(
            CONNECTEDNESS,
            "Economic connectedness: share of friends of high status among people of low status",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence=(
                "In {year}, {value:.1%} of the friends of people of low socioeconomic status in {name} were of high "
                "socioeconomic status."
            ),
        ),
    ),
    series=(
        Series(CBP, YEARS, ("cbp_county", "spine"), levels=("county",), metrics=(ASSOCIATIONS,)),
        Series(CBP, YEARS, ("cbp_zip", "zcta_place", "spine"), levels=("place",), metrics=(ASSOCIATIONS,)),
        Series(ATLAS, (2022,), ("connectedness_county",), levels=("county",), metrics=(CONNECTEDNESS,)),
        Series(
            ATLAS,
            (2022,),
            ("connectedness_zcta", "zcta_place_area"),
            levels=("place",),
            metrics=(CONNECTEDNESS,),
        ),
    ),
    sources=("cbp", "popest", "geocorr", "social_capital_atlas", "boundaries"),
    method="social_capital.md",
    notes=(
        "From 2017 the source publishes no number of associations of one kind in an area that has fewer than three of "
        "them. A missing figure means that nothing was published, not that there are no associations.",
        "City figures of associations add up ZIP codes, for which more is withheld, and leave out post-office-box ZIP "
        "codes.",
        "Connectedness is one snapshot, of friendships on Facebook as of May 2022 among people aged 25 to 44.",
        "The connectedness source lists the counties of 2020: Connecticut's planning regions and Chugach and Copper "
        "River, Alaska, have no figure.",
        "City connectedness weighs ZIP areas by the part of their land and water inside the city, not by people, and "
        "has no interval.",
    ),
    breaks=(
        (2017, "Small numbers of associations are no longer published, which lowers the figures; do not chain."),
        (2022, CONNECTICUT),
    ),
)

SNAPSHOT: Final = "2022-05"
FORMER_COUNTIES: Final = tuple(f"{number:03d}" for number in range(1, 16, 2))
OVERLAPS: Final = "area partly outside its sampling area"


@dataclass(frozen=True)
class Switches:
    """What the registered deviations decide; the defaults are ours.

    stacked_crosswalks: use every row of `zcta_place`, whatever its vintage, as the reference does with both vintages.
    """

    stacked_crosswalks: bool = False


OURS: Final = Switches()

DEVIATIONS: Final = (
    Deviation(
        id="social_capital/city-doubled",
        scope=Scope(level="place", metrics=("count_",)),
        kind="deviation",
        predictor="social_capital",
        reference=(
            "Joins ZIP codes with the 2010 and the 2020 crosswalk of ZIP areas to places, stacked without a year, so "
            "that nearly every association counts twice; the quality is summed twice, too."
        ),
        ours="One crosswalk per year: ZIP areas of 2010 until 2019, of 2020 afterwards; the quality on the same one.",
        why="An association is counted once. Cities that are counties have twice the county's figure in the reference.",
        effect="All city figures of associations, about half of the published ones; more cities are marginal or weak.",
    ),
    Deviation(
        id="social_capital/county-codes",
        kind="deviation",
        predictor="social_capital",
        reference=(
            "Joins by county code although the source keeps the codes 02270 and 46113 (Kusilvak and Oglala Lakota "
            "since 2015) for some years more, and loses both counties."
        ),
        ours="The source is put on the county codes of the year.",
        why="The counties were renamed, with the same borders.",
        effect="Kusilvak and Oglala Lakota have figures in 2015 and 2016 wherever the source has cells for them.",
        rows=tuple(PublishedRow(year, "county", geoid) for year in (2015, 2016) for geoid in ("02158", "46102")),
    ),
    Deviation(
        id="social_capital/quality-at-the-threshold",
        kind="deviation",
        predictor="social_capital",
        reference="A city with exactly 0.15 of its ZIP areas wholly inside has connectedness without a quality.",
        ours="Quality 3.",
        why="Every value has a quality; the gap is one of the rules' wording.",
        effect="One city.",
        rows=(PublishedRow(2022, "place", "2053775"),),
    ),
    Deviation(
        id="social_capital/withheld-cells",
        scope=Scope(years=(2017, None), metrics=("count_",)),
        kind="kept",
        predictor="social_capital",
        reference="Adds up the cells that are published; from 2017 on those of fewer than three are not.",
        ours="The same; a county without any cell is missing, never 0.",
        why="What is withheld is not known. The fall in 2017 is marked as a break.",
        effect="All counties and cities from 2017 on: the median county falls from 12.6 to 11.4.",
    ),
    Deviation(
        id="social_capital/zip-codes",
        scope=Scope(level="place", metrics=("count_",)),
        kind="kept",
        predictor="social_capital",
        reference="Takes ZIP codes for ZIP areas of the same digits; post-office-box ZIP codes have none and are lost.",
        ours="The same.",
        why="No relation of ZIP codes to areas is among the sources.",
        effect="City figures of associations are a little low.",
    ),
    Deviation(
        id="social_capital/alaska-2020",
        kind="kept",
        predictor="social_capital",
        reference="In 2020 and 2021 the source still reports Valdez-Cordova (02261); its associations are lost.",
        ours="The same: Chugach and Copper River are missing in 2020 and 2021.",
        why="The source does not say in which of the two areas the associations are.",
        effect="Two counties are missing in two years.",
        rows=tuple(PublishedRow(year, "county", geoid) for year in (2020, 2021) for geoid in ("02063", "02066")),
    ),
    Deviation(
        id="social_capital/counties-of-2020",
        kind="kept",
        predictor="social_capital",
        reference=(
            "Connectedness is dated 2022 but stands on the counties of 2020: the former counties of Connecticut are "
            "lost when it is joined with those of 2022, and Valdez-Cordova (02261) is lost before."
        ),
        ours="The same: the planning regions, Chugach and Copper River are missing.",
        why="A region's connectedness cannot be had from counties that it cuts.",
        effect="Eleven counties are missing.",
        rows=tuple(
            PublishedRow(2022, "county", geoid)
            for geoid in ("02063", "02066", *(f"09{region}" for region in range(110, 200, 10)))
        ),
    ),
    Deviation(
        id="social_capital/area-weights",
        scope=Scope(level="place", metrics=("share_",)),
        kind="kept",
        predictor="social_capital",
        reference="City connectedness weighs ZIP areas by the part of their land and water inside, not by people.",
        ours="The same.",
        why="The published figures.",
        effect="All city figures of connectedness.",
    ),
)


def estimate(
    cbp_county: pl.LazyFrame | None,
    cbp_zip: pl.LazyFrame | None,
    zcta_place: pl.LazyFrame | None,
    connectedness_county: pl.LazyFrame | None,
    connectedness_zcta: pl.LazyFrame | None,
    zcta_place_area: pl.LazyFrame | None,
    spine: pl.LazyFrame,
    year: int,
    *,
    switches: Switches = OURS,
) -> pl.DataFrame:
    """Associations per 10,000 people and economic connectedness of the counties and cities of the spine.

    Tables as in `schemas.social`; `spine` has level, state, geo, population. What cannot be had (None) leaves its
    figures out. Returns `Estimate` columns without year. Associations: n = published cells (county) or ZIP areas with
    one (city), numerator = associations, denominator = people. Connectedness of counties with its sampling interval,
    of cities with n = ZIP areas. Areas off the spine are left out. Method file social_capital.md, sections 4 and 5.
    """
    parts = []
    if cbp_county is not None:
        parts.append(_county_associations(cbp_county, spine, year))
    if cbp_zip is not None and zcta_place is not None:
        parts.append(_city_associations(cbp_zip, zcta_place, spine, year, switches))
    if connectedness_county is not None:
        parts.append(_county_connectedness(connectedness_county, spine))
    if connectedness_zcta is not None and zcta_place_area is not None:
        parts.append(_city_connectedness(connectedness_zcta, zcta_place_area, spine))
    return pl.concat(parts, how="diagonal") if parts else empty()


def _keys(level: str, metric: str, sample: str, period: str) -> list[pl.Expr]:
    """The key columns of an estimate and where it comes from; `geo` must be there."""
    return [
        pl.lit(level).alias("level"),
        pl.col("state"),
        pl.col("geo"),
        pl.lit("all").alias("subgroup_type"),
        pl.lit(ALL).alias("subgroup"),
        pl.lit(metric).alias("metric"),
        pl.lit(sample).alias("sample"),
        pl.format(f"{level}-{{}}{{}}", "state", "geo").alias("estimation_area"),
        pl.lit(1, dtype=pl.Int32).alias("n_areas"),
        pl.lit(period).alias("reference_period"),
    ]


def _county_associations(cbp_county: pl.LazyFrame, spine: pl.LazyFrame, year: int) -> pl.DataFrame:
    counted = associations.county_counts(cbp_county, spine).rename({"county": "geo"})
    known = pl.col("value").is_not_null()
    return counted.with_columns(value=rate(pl.col("count"))).select(
        *_keys("county", ASSOCIATIONS, CBP, str(year)),
        "value",
        pl.when(known).then(1).cast(pl.Int8).alias("quality"),
        pl.col("cells").cast(pl.Int64).alias("n"),
        pl.col("count").cast(pl.Float64).alias("numerator"),
        pl.col("population").cast(pl.Float64).alias("denominator"),
        pl.when(~known).then(pl.lit("input owed")).alias("reason"),
    )


def _city_associations(
    cbp_zip: pl.LazyFrame, zcta_place: pl.LazyFrame, spine: pl.LazyFrame, year: int, switches: Switches
) -> pl.DataFrame:
    parts = associations.place_parts(cbp_zip, zcta_place, year, stacked=switches.stacked_crosswalks)
    counted = associations.place_counts(parts).rename({"place": "geo"})
    people = spine.filter(pl.col("level") == "place").select("state", "geo", "population").collect()
    known, quality = pl.col("value").is_not_null(), allocation_quality(pl.col("products"))
    reason = (
        pl.when(known & (quality > 1))
        .then(pl.lit(OVERLAPS))
        .when(~known & pl.col("count").is_null())
        .then(pl.lit("area not covered by source"))
        .when(~known)
        .then(pl.lit("input owed"))
    )
    return (
        counted.join(people, on=["state", "geo"], how="inner", validate="1:1")
        .with_columns(count=pl.col("weighted") / UNIT)
        .with_columns(value=rate(pl.col("count")))
        .select(
            *_keys("place", ASSOCIATIONS, CBP, str(year)),
            "value",
            pl.when(known).then(quality).alias("quality"),
            pl.col("zips").cast(pl.Int64).alias("n"),
            pl.col("count").alias("numerator"),
            pl.col("population").cast(pl.Float64).alias("denominator"),
            # Rounded factors may add up to a little more than one.
            (pl.col("products") / UNIT**2).clip(0, 1).alias("allocation"),
            reason.alias("reason"),
        )
    )


def _county_connectedness(connectedness_county: pl.LazyFrame, spine: pl.LazyFrame) -> pl.DataFrame:
    counties = spine.filter(pl.col("level") == "county").select("state", "geo").collect()
    shares = connectedness.county_shares(connectedness_county).rename({"county": "geo"})
    known = pl.col("share").is_not_null()
    former = (pl.col("state") == "09") & pl.col("geo").is_in(FORMER_COUNTIES)
    old_connecticut = shares.filter(former).height > 0
    # Regions have rows of their own here only to say why they are missing.
    return (
        counties.join(shares, on=["state", "geo"], how="left", validate="1:1")
        .with_columns(region=pl.lit(old_connecticut) & (pl.col("state") == "09") & ~former)
        .select(
            *_keys("county", CONNECTEDNESS, ATLAS, SNAPSHOT),
            pl.col("share").alias("value"),
            "lb",
            "ub",
            pl.when(known).then(1).cast(pl.Int8).alias("quality"),
            "se",
            (pl.col("se") / pl.col("share")).alias("cv"),
            pl.when(pl.col("region") & ~known)
            .then(pl.lit("source on old counties"))
            .when(~known)
            .then(pl.lit("area not covered by source"))
            .alias("reason"),
        )
    )


def _city_connectedness(
    connectedness_zcta: pl.LazyFrame, zcta_place_area: pl.LazyFrame, spine: pl.LazyFrame
) -> pl.DataFrame:
    parts = connectedness.place_parts(connectedness_zcta, zcta_place_area)
    shares = connectedness.place_shares(parts).rename({"place": "geo"})
    places = spine.filter(pl.col("level") == "place").select("state", "geo").collect()
    known = pl.col("share").is_not_null()
    quality = pl.when(known).then(place_quality())
    return shares.join(places, on=["state", "geo"], how="semi").select(
        *_keys("place", CONNECTEDNESS, ATLAS, SNAPSHOT),
        pl.col("share").alias("value"),
        quality.alias("quality"),
        pl.col("zips").cast(pl.Int64).alias("n"),
        pl.col("area").alias("n_effective"),
        pl.when(~known)
        .then(pl.lit("area not covered by source"))
        .when(quality > 1)
        .then(pl.lit(OVERLAPS))
        .alias("reason"),
    )


def explain(
    cell: Cell,
    *,
    year: int,
    cbp_county: pl.LazyFrame | None,
    cbp_zip: pl.LazyFrame | None,
    zcta_place: pl.LazyFrame | None,
    connectedness_county: pl.LazyFrame | None,
    connectedness_zcta: pl.LazyFrame | None,
    zcta_place_area: pl.LazyFrame | None,
    spine: pl.LazyFrame,
) -> Explanation:
    """The account of one figure. `inputs`: industry cells of the county, or ZIP areas of the city with their weights.

    Raises `ValueError` if a table that the figure is made from is not there.
    """
    if cell.metric == ASSOCIATIONS and cell.level == "county":
        return county_associations(cell, year, cbp_county, spine)
    if cell.metric == ASSOCIATIONS:
        return city_associations(cell, year, cbp_zip, zcta_place, spine)
    if cell.level == "county":
        return county_connectedness(cell, connectedness_county, spine)
    return city_connectedness(cell, connectedness_zcta, zcta_place_area)
