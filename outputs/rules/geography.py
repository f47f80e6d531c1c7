"""Rules about places and keys (G): who has a row in which year, under which code and name."""

from __future__ import annotations

from typing import Final

import polars as pl

from outputs.files import GEOID
from outputs.pairs import agrees, side_by_side
from outputs.rules.context import ReleaseContext, WideFile, table
from outputs.rules.rule import Rule, Verdict, found, holds, not_applicable
from schemas.estimate import KEY
from schemas.labels import GEO_WIDTH

_PLACE: Final = ["year", "level", "state", "geo"]
CONNECTICUT: Final = "09"
REGIONS_SINCE: Final = 2022


def concat(parts: list[pl.DataFrame]) -> Verdict:
    """One verdict from frames that may be empty and may have different columns."""
    there = [p for p in parts if p.height]
    return found(pl.concat(there, how="diagonal_relaxed")) if there else holds()


def typed(wide: WideFile) -> pl.DataFrame:
    """A wide file's keys as in the list of geographies: year, level, state, geo (+ subgroup columns)."""
    frame = wide.frame
    return frame.select(
        pl.col("year").cast(pl.Int32, strict=False),
        pl.lit(wide.level).alias("level"),
        "state",
        pl.col(wide.level).alias("geo"),
        *(c for c in ("subgroup_type", "subgroup") if c in wide.key),
    )


def same_geographies(context: ReleaseContext) -> Verdict:
    """G1: key sets of every metric and file equal the list of geographies of the year, in both directions."""
    parts = []
    wanted = context.geographies.group_by("year", "level").agg(pl.len().cast(pl.Int64).alias("wanted"))
    short = (
        context.tally.join(wanted, on=["year", "level"], how="left")
        .filter(pl.col("rows") != pl.col("wanted").fill_null(0))
        .select(
            pl.lit("estimates").alias("file"),
            *("metric", "level", "sample", "year", "subgroup_type", "subgroup", "rows", "wanted"),
        )
    )
    parts.append(short)
    keys = context.long.select(_PLACE).unique().collect(engine="streaming")
    strange = keys.join(context.geographies, on=_PLACE, how="anti").sort(_PLACE)
    parts.append(strange.select(pl.lit("estimates").alias("file"), *_PLACE, pl.lit("not in the list").alias("what")))
    for wide in context.wide:
        keys = typed(wide).select(_PLACE).unique()
        years = keys["year"].unique().to_list()
        spine = context.geographies.filter((pl.col("level") == wide.level) & pl.col("year").is_in(years))
        for what, rows in (
            ("not in the list", keys.join(spine, on=_PLACE, how="anti")),
            ("has no row", spine.join(keys, on=_PLACE, how="anti")),
        ):
            parts.append(rows.sort(_PLACE).select(pl.lit(wide.name).alias("file"), *_PLACE, pl.lit(what).alias("what")))
    return concat(parts)


def counts_of_the_nation(context: ReleaseContext) -> Verdict:
    """G1.counts: rows per file and year are exactly the expected ones, which are data and not derived from the run."""
    if why := context.why_not_national:
        return not_applicable(why)
    expected = table("expected_rows", file=pl.Int64, year=pl.Int64, rows=pl.Int64)
    parts = []
    for wide in context.wide:
        layouts = ["both", wide.written.layout]
        wanted = expected.filter((pl.col("file") == wide.written.file.number) & pl.col("layout").is_in(layouts)).select(
            "year", pl.col("rows").alias("expected")
        )
        there = wide.frame.group_by(pl.col("year").cast(pl.Int64)).agg(pl.len().cast(pl.Int64).alias("rows"))
        # A year after the last one listed has the geographies of that one until the list says otherwise.
        last = wanted.sort("year").tail(1)
        new = there.filter(pl.col("year") > pl.lit(last["year"].max())).select("year")
        wanted = pl.concat([wanted, new.join(last.select("expected"), how="cross")])
        unequal = there.join(wanted, on="year", how="left").filter(pl.col("rows").ne_missing(pl.col("expected")))
        parts.append(unequal.sort("year").select(pl.lit(wide.name).alias("file"), "year", "rows", "expected"))
    return concat(parts)


def unique_keys(context: ReleaseContext) -> Verdict:
    """G2: keys are unique, no key is missing, and a file has geographies times subgroups rows in each year."""
    key = list(KEY)
    doubled = context.long.group_by(key).len().filter(pl.col("len") > 1).collect(engine="streaming")
    parts = [
        doubled.sort(key).select(pl.lit("estimates").alias("file"), *key, pl.lit("rows share a key").alias("what"))
    ]
    sizes = context.geographies.group_by("year", "level").agg(pl.len().cast(pl.Int64).alias("places"))
    for wide in context.wide:
        frame, key = wide.frame, wide.key
        what = pl.lit("rows share their key")
        parts.append(wide.show(frame.filter(pl.struct(key).is_duplicated()).sort(key), what=what))
        blank = frame.filter(pl.any_horizontal(pl.col(c).is_null() for c in key))
        parts.append(wide.show(blank, what=pl.lit("a key is missing")))
        cells = len(wide.written.file.cells)
        per_year = frame.group_by(pl.col("year").cast(pl.Int32)).agg(pl.len().cast(pl.Int64).alias("rows"))
        wanted = per_year.join(sizes.filter(pl.col("level") == wide.level), on="year", how="left").with_columns(
            (pl.col("places").fill_null(0) * cells).alias("expected")
        )
        unequal = wanted.filter(pl.col("rows") != pl.col("expected")).sort("year")
        parts.append(unequal.select(pl.lit(wide.name).alias("file"), "year", "rows", "expected"))
        order = frame.select("year", "state", wide.level)
        if not order.equals(order.sort("year", "state", wide.level, maintain_order=True)):
            what = pl.lit("rows are not in the order of year, state and code")
            parts.append(pl.select(pl.lit(wide.name).alias("file"), what.alias("what")))
    return concat(parts)


def codes_are_text(context: ReleaseContext) -> Verdict:
    """G3: state 2, county 3, place 5 digits with their zeros, in every file that carries codes."""
    parts = []
    for wide in context.wide:
        width = GEO_WIDTH[wide.level]
        bad = ~pl.col("state").str.contains(r"^\d{2}$") | ~pl.col(wide.level).str.contains(rf"^\d{{{width}}}$")
        what = pl.lit("codes have lost their zeros")
        parts.append(wide.show(wide.text.filter(bad.fill_null(False)), what=what))
    wanted = pl.col("level").replace_strict(GEO_WIDTH, default=-1, return_dtype=pl.Int32)
    bad = (
        ~pl.col("state").str.contains(r"^\d{2}$")
        | ~pl.col("geo").str.contains(r"^\d+$")
        | (pl.col("geo").str.len_bytes() != wanted)
        | (pl.col("geoid") != pl.concat_str("state", "geo"))
    )
    long = context.long.filter(bad).select("year", "level", "state", "geo", "geoid", "metric").head(1000).collect()
    parts.append(long.with_columns(pl.lit("estimates").alias("file")))
    listed_codes = context.suppressions.filter(
        pl.col("geoid").str.len_bytes()
        != pl.col("level").replace_strict({"county": 5, "place": 7}, default=-1, return_dtype=pl.Int32)
    )
    parts.append(listed_codes.select(pl.lit("suppressions").alias("file"), "year", "level", "geoid", "metric"))
    return concat(parts)


def codes_in_their_time(context: ReleaseContext) -> Verdict:
    """G4: no code before it was valid or after it was retired; intervals stay open, so a new year needs no edit."""
    validity = table("code_validity", first_year=pl.Int64, last_year=pl.Int64).drop("note")
    early = (pl.col("year") < pl.col("first_year")).fill_null(False)
    late = (pl.col("year") > pl.col("last_year")).fill_null(False)
    keys = context.long.select("year", "level", "geoid").unique().collect(engine="streaming")
    parts = []
    for name, there in [("estimates", keys), *((w.name, typed(w).with_columns(GEOID)) for w in context.wide)]:
        strange = (
            there.select("year", "level", "geoid")
            .unique()
            .join(validity, on=["level", "geoid"], how="inner")
            .filter(early | late)
            .sort("year", "geoid")
        )
        parts.append(strange.select(pl.lit(name).alias("file"), "year", "level", "geoid", "first_year", "last_year"))
    return concat(parts)


def connecticut(context: ReleaseContext) -> Verdict:
    """G5: from 2022 a metric has all its Connecticut figures from planning regions, or none and says why.

    A metric and year in which some regions have figures and others lack them because the source is "on old counties"
    has been crosswalked half; one whose figures are missing as if the source did not cover the state hides the cause.
    """
    published = [m for m, (_, metric) in context.declared.items() if metric.published]
    regions = context.of(*published).filter(
        (pl.col("state") == CONNECTICUT)
        & (pl.col("level") == "county")
        & (pl.col("year") >= REGIONS_SINCE)
        & (pl.col("subgroup_type") == "all")
    )
    counted = (
        regions.group_by("metric", "sample", "year")
        .agg(
            pl.len().alias("rows"),
            pl.col("value").is_not_null().sum().alias("values"),
            (pl.col("reason") == "source on old counties").sum().alias("on_old_counties"),
            (pl.col("reason") == "area not covered by source").sum().alias("not_covered"),
        )
        .collect(engine="streaming")
        .sort("metric", "sample", "year")
    )
    if counted.is_empty():
        return not_applicable("the release has no Connecticut figures of 2022 or later")
    half = (pl.col("values") > 0) & (pl.col("on_old_counties") > 0)
    silent = (pl.col("values") == 0) & (pl.col("not_covered") == pl.col("rows"))
    return concat(
        [
            counted.filter(half).with_columns(pl.lit("figures and old counties are mixed").alias("what")),
            counted.filter(silent).with_columns(pl.lit("all missing without naming the old counties").alias("what")),
        ]
    )


def names_are_clean(context: ReleaseContext) -> Verdict:
    """G7: names are there, trimmed, readable, without `NA`, and one code has one name unless it was renamed."""
    renamed = table("renames")
    parts = []
    for wide in context.wide:
        name = f"{wide.level}_name"
        text = wide.text.select(
            "year", "state", pl.col(wide.level).alias("geo"), pl.col(name).alias("name"), "state_name"
        )
        laws = {
            "missing": pl.col("name").is_null() | pl.col("state_name").is_null(),
            "not trimmed": pl.col("name").str.contains(r"^\s|\s$|\s\s") | pl.col("state_name").str.contains(r"^\s|\s$"),
            "not readable": pl.col("name").str.contains("\ufffd|[\\x00-\\x1f]|Ã|â€"),
            "says NA": pl.col("name").str.to_uppercase().is_in(["NA", "N/A", "NULL", "NAN"]),
            "comma in the state's name": pl.col("state_name").str.contains(",", literal=True),
        }
        distinct = text.unique(maintain_order=True)
        for law, broken in laws.items():
            bad = distinct.filter(broken.fill_null(False))
            parts.append(
                bad.select(pl.lit(wide.name).alias("file"), pl.all().cast(pl.String), pl.lit(law).alias("what"))
            )
        several = (
            distinct.with_columns(GEOID)
            .join(renamed.filter(pl.col("level") == wide.level), on="geoid", how="anti")
            .group_by("geoid")
            .agg(pl.col("name").unique().sort())
            .filter(pl.col("name").list.len() > 1)
            .sort("geoid")
        )
        parts.append(
            several.select(
                pl.lit(wide.name).alias("file"),
                pl.col("geoid").alias("geo"),
                pl.col("name").list.join(" | "),
                pl.lit("several names").alias("what"),
            )
        )
    return concat(parts)


def years_are_whole(context: ReleaseContext) -> Verdict:
    """G8: the year is a whole number in every row, and one of the years of the release."""
    years = sorted(context.spines)
    parts = []
    for wide in context.wide:
        bad = ~pl.col("year").str.contains(r"^\d{4}$").fill_null(False)
        strange = ~pl.col("year").cast(pl.Int64, strict=False).is_in(years).fill_null(False)
        parts.append(wide.show(wide.text.filter(bad | strange), what=pl.lit("not a year of the release")))
    bad_long = context.long.filter(pl.col("year").is_null() | ~pl.col("year").is_in(years)).head(1000).collect()
    parts.append(bad_long.select(pl.lit("estimates").alias("file"), *(pl.col(c).cast(pl.String) for c in KEY)))
    return concat(parts)


def late_places(context: ReleaseContext) -> Verdict:
    """X6: places incorporated after the base of a crosswalk have their row, with a figure or a reason for none."""
    wanted = table("late_places", first_year=pl.Int64).select("geoid", "first_year")
    levels = context.tally.filter(pl.col("level") == "place").select("metric", "sample", "year").unique()
    states = {s for spine in context.spines.values() for s in spine["state"].unique()}
    wanted = wanted.filter(pl.col("geoid").str.slice(0, 2).is_in(list(states)))
    if wanted.is_empty() or levels.is_empty():
        return not_applicable("none of the states with such places has place figures in this release")
    expected = levels.join(wanted, how="cross").filter(pl.col("year") >= pl.col("first_year"))
    there = (
        context.long.filter((pl.col("level") == "place") & (pl.col("subgroup_type") == "all"))
        .filter(pl.col("geoid").is_in(wanted["geoid"].to_list()))
        .filter(pl.col("value").is_not_null() | pl.col("reason").is_not_null())
        .select("metric", "sample", pl.col("year"), "geoid")
        .collect()
    )
    missing = expected.join(there, on=["metric", "sample", "year", "geoid"], how="anti")
    return found(missing.sort("metric", "year", "geoid"))


def coterminous(context: ReleaseContext, *, block: bool) -> Verdict:
    """X7: a city that is its own county has the county's figure, within the tolerance of the metric."""
    tolerance = table("parity", tolerance=pl.Float64)
    strict = tolerance.filter(pl.col("severity") == "block").drop("severity", "why")
    everyone = context.long.filter(pl.col("subgroup_type") == "all")
    both = side_by_side(everyone).drop_nulls("difference")
    if block:
        both = both.join(strict, on="metric", how="inner", validate="m:1")
    else:
        both = both.join(strict, on="metric", how="anti").with_columns(pl.lit(0.01).alias("tolerance"))
    if both.is_empty():
        return not_applicable("no city that is its own county has both figures in this release")
    rows = both.filter(~agrees(pl.col("tolerance")))
    return found(
        rows.sort(pl.col("relative").abs(), "metric", "year", descending=[True, False, False], nulls_last=False).select(
            *("year", "place", "county", "name", "metric"),
            pl.col("place_value").alias("value"),
            pl.col("county_value").alias("of_the_county"),
            pl.col("relative").alias("difference"),
        ),
        note=f"{both.height} pairs of figures compared",
    )


RULES: Final = (
    Rule("G1", "Every metric and file has exactly the counties and places of its year", "block",
         "#26 #33 #284 #413 #519", "counties or cities that vanish in a join, or that should not exist",
         check=same_geographies),
    Rule("G1.counts", "Rows per file and year are exactly the expected numbers of the whole nation", "block",
         "#26 #33 #284 #413 #519", "a list of geographies that is itself wrong", check=counts_of_the_nation),
    Rule("G2", "Keys are unique; rows are geographies times subgroups, in order", "block",
         "ed1d0a6 39d261b 1242ffc #55", "duplicate or missing rows", check=unique_keys),
    Rule("G3", "Codes are text with their leading zeros: state 2, county 3, place 5 digits", "block",
         "f597202 d04977e", "codes that match nothing when files are joined", check=codes_are_text),
    Rule("G4", "No retired code after its end, none before its start", "block", "#26 #218 #426 #431 #590",
         "Alaska, South Dakota, Virginia and Connecticut under codes of other years", check=codes_in_their_time),
    Rule("G5", "Connecticut from 2022: planning regions with figures, or missing and the reason said", "block",
         "#587 #590 #218 #441", "old counties passed off as planning regions", check=connecticut),
    Rule("G6", "Geographies are a function of the year: the year after the latest needs no edit", "block",
         "2026 reviewer guide", "next year's release with last year's counties", where="tests",
         place="tests/test_geography.py, tests/test_rules.py (codes of a later year)"),
    Rule("G7", "Names are readable, trimmed, and one per code unless renamed", "block", "#612",
         "mangled names such as that of Doña Ana County", check=names_are_clean),
    Rule("G8", "The year is a whole number in every row, and a year of the release", "block",
         "connectedness file: 126 rows without a year", "rows that belong to no year", check=years_are_whole),
    Rule("G9", "Joins declare their cardinality; unmatched rows are counted", "block", "#358 #348 #299 9ab8949",
         "rows multiplied or lost in a join", where="estimates",
         place="codes of counties that no year knows, above 1 percent of a table's; `validate=` on joins; counts in "
         "the accounts of tables and estimates, in both directions"),
    Rule("X6", "Places newer than a crosswalk have a figure or a reason", "block", "#454 #425 #565",
         "South Fulton and other young cities lost", check=late_places),
    Rule("X7", "A city that is its own county has the county's figure (metrics measured to agree)", "block",
         "#348 #349 #350 #358", "a city crosswalk that doubles or loses people",
         check=lambda c: coterminous(c, block=True)),
    Rule("X7.other", "A city that is its own county: other metrics' differences are listed", "warn",
         "#348 #349 #350 #358", "differences of method between city and county nobody knows of",
         check=lambda c: coterminous(c, block=False)),
)  # fmt: skip
