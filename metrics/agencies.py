"""Police agencies and the areas they serve: which agency counts where, how far an area is covered, rates of counts.

Shared by the predictors that come from NIBRS. Method file crime.md, sections 4, 4b and 5 (policing.md refers to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from metrics.explanation import Decision, Explanation, Step
from metrics.review import Review, above, changes
from schemas.vintages import RENAMED_COUNTIES

AREA: Final = ("level", "state", "geo")
PER: Final = 100_000
FEWEST_PEOPLE: Final = 30
FEW_EVENTS: Final = 20
"""Rates on fewer events are called unreliable in vital statistics; `explain` says so, quality does not."""

STATE_POLICE: Final = "state police"
FACTS: Final = ("core_city", "population", "months")
"""What is known of an agency and goes with it into the areas it serves."""
COUNTIES: Final = tuple(f"county_{i}" for i in range(1, 6))
# City names that the agency list spells in its own way: (state, place) -> its spelling.
CITY_SPELLINGS: Final = {
    ("06", "65042"): "ventura",
    ("12", "24000"): "ft lauderdale",
    ("13", "04204"): "augusta",
    ("18", "36003"): "indianapolis",
    ("29", "65000"): "saint louis",
    ("37", "75000"): "winston salem",
}
_KIND_OF_PLACE: Final = r" (city|municipality|village|town)$"
_CONNECTICUT: Final = "09"
_REGIONS_SINCE: Final = 2022
_REGIONS_IN_AGENCY_LIST: Final = 2023


@dataclass(frozen=True)
class Reproduce:
    """What the reference does and we do not. All false: our own way."""

    former_county_codes: bool = False
    """Leave the two renamed counties without agencies: the agency list keeps their codes of before 2015."""


def located(agencies: pl.DataFrame) -> pl.DataFrame:
    """Agencies without the state police, with the crosswalk's county where the list gives no first county.

    Such an agency loses all five counties of the list. Agencies of which no county is known stay, with null.
    """
    listed = agencies.filter(pl.col("agency_indicator").ne_missing(pl.lit(STATE_POLICE)))
    unknown = pl.col("county_1").is_null()
    return listed.with_columns(
        pl.coalesce("county_1", "leaic_county").alias("county_1"),
        *(pl.when(~unknown).then(pl.col(c)).alias(c) for c in COUNTIES[1:]),
    )


def county_members(agencies: pl.DataFrame, people: pl.DataFrame, reproduce: Reproduce | None = None) -> pl.DataFrame:
    """Agencies by county served: level, state, geo, ori, `FACTS`, share (of the agency's events).

    `people` has level, state, geo, people. An agency's events are shared out by the people of those of its counties
    that are in `people`; pairs with other counties are left out.
    """
    pairs = located(agencies).unpivot(on=COUNTIES, index=["ori", "state", *FACTS], value_name="geo").drop_nulls("geo")
    if reproduce is None or not reproduce.former_county_codes:
        renamed = pl.DataFrame(
            [(old[:2], old[2:], new[2:]) for old, new in RENAMED_COUNTIES.items()],
            schema=["state", "geo", "new"],
            orient="row",
        )
        pairs = pairs.join(renamed, on=["state", "geo"], how="left", validate="m:1").with_columns(
            pl.coalesce("new", "geo").alias("geo")
        )
    counties = people.filter(pl.col("level") == "county", pl.col("people").is_not_null())
    served = pairs.join(counties, on=["state", "geo"], how="inner", validate="m:1")
    together = pl.col("people").sum().over("ori")
    # An agency with one county has all of it, be it without people.
    share = pl.when(pl.len().over("ori") == 1).then(1.0).otherwise(_quotient(pl.col("people"), together))
    return served.select(*AREA, "ori", *FACTS, share.alias("share")).sort(*AREA, "ori")


def place_members(agencies: pl.DataFrame, county_place: pl.DataFrame, spine: pl.DataFrame, year: int) -> pl.DataFrame:
    """Agencies by listed place served, as `county_members`; each agency belongs to one place at most, with share 1.

    The place is, in this order, that of the identifiers crosswalk (which sends sheriffs to pseudo-places, 99xxx), the
    listed place of the agency's city name, or the only listed place of its first county. The last rule needs overlaps
    with counties and does not hold in Connecticut's planning regions.
    """
    places = spine.filter(pl.col("level") == "place")
    by_name = _place_names(places)
    single = county_place.group_by("state", "county").agg(
        pl.col("place").n_unique().alias("places"), pl.col("place").first().alias("by_county")
    )
    single = single.filter(pl.col("places") == 1).drop("places")
    if year >= _REGIONS_SINCE:
        single = single.filter(pl.col("state") != _CONNECTICUT)
    placed = (
        located(agencies)
        .join(by_name, on=["state", "city_name"], how="left", validate="m:1")
        .join(single, left_on=["state", "county_1"], right_on=["state", "county"], how="left", validate="m:1")
        .with_columns(pl.coalesce("leaic_place", "by_name", "by_county").alias("geo"))
    )
    inside = placed.join(places.select("state", "geo"), on=["state", "geo"], how="semi")
    return inside.select(
        pl.lit("place").alias("level"),
        "state",
        "geo",
        "ori",
        *FACTS,
        pl.lit(1.0).alias("share"),
    ).sort(*AREA, "ori")


def members_by_level(
    agencies: pl.DataFrame,
    people: pl.DataFrame,
    county_place: pl.DataFrame | None,
    spine: pl.DataFrame,
    year: int,
    reproduce: Reproduce | None = None,
) -> dict[str, pl.DataFrame]:
    """Level -> agencies by area served; no places without `county_place`.

    Agencies of several counties are shared out by `people` of all ages.
    """
    members = {"county": county_members(agencies, people.select(*AREA, "people"), reproduce)}
    if county_place is not None:
        members["place"] = place_members(agencies, county_place, spine, year)
    return members


def _place_names(places: pl.DataFrame) -> pl.DataFrame:
    """state, city_name, by_name (the place): names in lower case as the agency list spells them, if unique."""
    spelled = pl.DataFrame(
        [(state, place, name) for (state, place), name in CITY_SPELLINGS.items()],
        schema=["state", "geo", "spelled"],
        orient="row",
    )
    plain = pl.col("name").str.to_lowercase().str.replace(_KIND_OF_PLACE, "")
    return (
        places.join(spelled, on=["state", "geo"], how="left", validate="1:1")
        .select("state", pl.coalesce("spelled", plain).alias("city_name"), pl.col("geo").alias("by_name"))
        .filter(~pl.struct("state", "city_name").is_duplicated())
    )


def coverage(members: pl.DataFrame, reporting: pl.Series) -> pl.DataFrame:
    """How far each area is covered: one row per area with agencies.

    `reporting` are the agencies with at least one event. Columns: level, state, geo; agencies, agencies_reporting;
    core (whether all agencies of core cities report; null if there is none, or one of which it is not known);
    effective (sum of shares of the reporting agencies); served (share of the people served by agencies that report,
    agencies without population left out); population_known (of all agencies); quality by `grade`.
    """
    marked = members.with_columns(reports=pl.col("ori").is_in(reporting.to_list()))
    people = pl.col("population") * pl.col("share")
    reports, core = pl.col("reports"), pl.col("core_city")
    areas = marked.group_by(AREA, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("agencies"),
        reports.sum().cast(pl.Int64).alias("agencies_reporting"),
        core.sum().alias("cores"),
        (core & reports).sum().alias("cores_reporting"),
        core.is_null().any().alias("core_unknown"),
        pl.col("share").filter(reports).sum().alias("effective"),
        people.sum().alias("people_served"),
        people.filter(reports).sum().alias("people_reporting"),
        pl.col("population").is_not_null().all().alias("population_known"),
    )
    known = ~pl.col("core_unknown") & (pl.col("cores") > 0)
    return areas.with_columns(
        core=pl.when(known).then(pl.col("cores") == pl.col("cores_reporting")),
        served=_quotient(pl.col("people_reporting"), pl.col("people_served")).clip(0.0, 1.0),
    ).select(
        *AREA,
        "agencies",
        "agencies_reporting",
        "core",
        "effective",
        "served",
        "population_known",
        grade(pl.col("agencies_reporting"), pl.col("agencies"), pl.col("core")).alias("quality"),
    )


def grade(reporting: pl.Expr, agencies: pl.Expr, core: pl.Expr) -> pl.Expr:
    """1 if all agencies report; 2 if four fifths do, or all of core cities; 3 if one does; else null (section 5)."""
    return (
        pl.when(reporting == 0)
        .then(None)
        .when(reporting == agencies)
        .then(1)
        .when((5 * reporting >= 4 * agencies) | core.fill_null(False))
        .then(2)
        .when(reporting > 0)
        .then(3)
        .cast(pl.Int8)
    )


def totals(members: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Sums by area of the columns of `events` (one row per ori) times the agency's share; agencies without are 0.

    Rows are added in the order of the agencies' identifiers, so that the last digit does not depend on the machine.
    """
    counted = members.join(events, on="ori", how="left", validate="m:1").sort(*AREA, "ori")
    columns = [c for c in events.columns if c != "ori"]
    return counted.group_by(AREA, maintain_order=True).agg(
        (pl.col("share") * pl.col(c)).sum().alias(c) for c in columns
    )


def covered_areas(level: str, members: pl.DataFrame, events: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """All areas of `people` of a level with the columns of `coverage` and `totals`, which are null without agency."""
    return (
        people.filter(pl.col("level") == level)
        .join(coverage(members, events["ori"]), on=AREA, how="left", validate="1:1")
        .join(totals(members, events), on=AREA, how="left", validate="1:1")
    )


def rate(count: pl.Expr, people: pl.Expr, quality: pl.Expr) -> pl.Expr:
    """Events per 100,000 people; null with fewer than 30 people or where nobody reports."""
    given = (people >= FEWEST_PEOPLE) & quality.is_not_null()
    return pl.when(given).then(count / people * PER)


def reason(year: int, people: pl.Expr, *, group: bool = False) -> pl.Expr:
    """Why a rate (column `value`) is missing or its quality lowered; reads the columns of `coverage`."""
    missing = pl.col("value").is_null()
    return (
        pl.when(missing & pl.col("agencies").is_null())
        .then(_nobody(year))
        .when(missing & (pl.col("agencies_reporting") == 0))
        .then(pl.lit("no records at source"))
        .when(missing & (people == 0))
        .then(pl.lit("group not present" if group else "denominator is zero"))
        .when(missing & (people < FEWEST_PEOPLE))
        .then(pl.lit("too few people"))
        .when(missing)
        .then(pl.lit("area not covered by source"))
        .when(pl.col("quality") > 1)
        .then(pl.lit("low coverage"))
    )


def _nobody(year: int) -> pl.Expr:
    """Why an area has no agency."""
    former = (pl.col("level") == "county") & (pl.col("state") == _CONNECTICUT)
    on_former = former if _REGIONS_SINCE <= year < _REGIONS_IN_AGENCY_LIST else pl.lit(False)
    return pl.when(on_former).then(pl.lit("source on old counties")).otherwise(pl.lit("area not covered by source"))


def described(year: int) -> list[pl.Expr]:
    """Columns of `Estimate` that are the same for all figures of an area."""
    return [
        pl.lit("nibrs").alias("sample"),
        pl.col("agencies_reporting").alias("n"),
        pl.col("effective").alias("n_effective"),
        pl.format("{}-{}{}", "level", "state", "geo").alias("estimation_area"),
        pl.lit(1, pl.Int32).alias("n_areas"),
        pl.lit(str(year)).alias("reference_period"),
    ]


def counting_error(value: pl.Expr, count: pl.Expr) -> list[pl.Expr]:
    """`se` and `cv` of a rate of counted events (square root of the count); null without events."""
    relative = pl.when(count > 0).then(1 / count.sqrt())
    cv = pl.when(value.is_not_null()).then(relative)
    return [(value * cv).alias("se"), cv.alias("cv")]


def served_rows(areas: pl.DataFrame, metric: str, year: int) -> pl.DataFrame:
    """Rows of `Estimate` with the share of people served by agencies that report.

    It is 0 where there are agencies and none reports, and missing without agencies, or if they serve nobody: a campus,
    or agencies of which the population is not known. Quality 1 if the population of every agency is known, else 2.
    """
    value, known = pl.col("served"), pl.col("population_known")
    return areas.select(
        *AREA,
        pl.lit("all").alias("subgroup_type"),
        pl.lit("All").alias("subgroup"),
        pl.lit(metric).alias("metric"),
        value.alias("value"),
        pl.when(value.is_not_null()).then(pl.when(known).then(1).otherwise(2)).cast(pl.Int8).alias("quality"),
        *described(year),
        pl.when(value.is_null() & pl.col("agencies").is_not_null())
        .then(pl.lit("denominator is zero"))
        .when(value.is_null())
        .then(_nobody(year))
        .when(~known)
        .then(pl.lit("low coverage"))
        .alias("reason"),
    )


def in_universe(rows: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """The rows of geographies of the year; others (the tables may know more) are dropped."""
    return rows.join(spine, on=AREA, how="semi")


def reviews(bounds: Mapping[str, tuple[float, float]]) -> tuple[Review, ...]:
    """What a person should look at in rates of reported events; `bounds` as in `metrics.review.above`."""
    metrics = tuple(bounds)
    return (
        Review(
            "year_on_year",
            "Rates for everybody that more than doubled or halved from the year before: mostly agencies that came or "
            "went.",
            partial(changes, metrics=metrics),
            looks_back=True,
        ),
        Review(
            "plausible_rates",
            "Rates above what is plausible; they are published all the same.",
            partial(above, bounds=bounds),
        ),
    )


def losses(agencies: pl.DataFrame, members: pl.DataFrame, events: pl.DataFrame, what: str) -> tuple[Step, ...]:
    """How many agencies and events of the run reach no area: state police, no county known, no such area.

    `events` has ori and `events`, the number that counts; agencies that are not listed for the year are lost, too.
    """
    plain = agencies.filter(pl.col("agency_indicator").ne_missing(pl.lit(STATE_POLICE)))
    total = int(events["events"].sum())

    def held(by: pl.DataFrame) -> int:
        return int(events.join(by.select("ori").unique(), on="ori", how="semi")["events"].sum())

    return (
        Step("agencies of the year, without state police", agencies.height, plain.height),
        Step("agencies that serve a known area of this level", plain.height, members["ori"].n_unique()),
        Step(f"{what} of agencies listed for the year", total, held(agencies), "in all states of the run"),
        Step(f"{what} of agencies that are not state police", held(agencies), held(plain)),
        Step(f"{what} of agencies that serve a known area of this level", held(plain), held(members)),
    )


def decisions(area: Mapping[str, object], people: float | None, count: float | None) -> tuple[Decision, ...]:
    """The thresholds that a rate had to pass. `area` is its row of `covered_areas`."""
    agencies, reporting = area.get("agencies"), area.get("agencies_reporting")
    quality = area.get("quality")
    share = reporting / agencies if isinstance(agencies, int) and isinstance(reporting, int) else None
    core = area.get("core")
    told = "there is none, or it is not known" if core is None else "all report" if core else "not all report"
    found = [
        Decision(
            "share of agencies reporting",
            share,
            "1 if all; 2 from 0.8, or if all agencies of core cities report; 3 above 0",
            "no figure" if quality is None else f"quality {quality}",
        ),
        Decision("agencies of core cities", None if core is None else float(bool(core)), "all report", told),
        Decision(
            "people of the group",
            people,
            f"at least {FEWEST_PEOPLE}",
            "passed" if people is not None and people >= FEWEST_PEOPLE else "no figure",
        ),
    ]
    if count is not None:
        steady = "steady" if count >= FEW_EVENTS else "few: the rate may move a lot from year to year"
        found.append(Decision("events counted", count, f"fewer than {FEW_EVENTS} are few", steady))
    return tuple(found)


def explain_served(
    mine: pl.DataFrame,
    reporting: pl.Series,
    area: Mapping[str, object],
    tables: tuple[str, ...],
    steps: tuple[Step, ...] = (),
) -> Explanation:
    """How the share of people served by reporting agencies came about.

    `mine` are the agencies of the area, `steps` how agencies were chosen before (see `losses`).
    """
    inputs = mine.with_columns(reports=pl.col("ori").is_in(reporting.to_list())).select(
        "ori", "core_city", "months", "reports", pl.col("share").alias("weight"), "population"
    )
    served = pl.col("weight") * pl.col("population")
    everyone = float(inputs.select(served.sum()).item())
    reached = float(inputs.filter("reports").select(served.sum()).item())
    value = min(reached / everyone, 1.0) if everyone else None
    result = "no figure" if value is None else f"{value:.4f}"
    outcome = "no figure" if value is None else f"quality {1 if area.get('population_known') else 2}"
    return Explanation(
        formula=f"{reached:,.1f} people served by agencies that report / {everyone:,.1f} people served = {result}",
        recomputed=value,
        inputs=inputs,
        tables=tables,
        steps=(
            *(s for s in steps if s.name.startswith("agencies")),
            Step(
                "agencies that serve the area",
                next((s.rows_out for s in reversed(steps) if s.name.startswith("agencies")), inputs.height),
                inputs.height,
            ),
            Step("of them, agencies that report", inputs.height, int(inputs["reports"].sum())),
        ),
        decisions=(
            Decision("agencies of the area", float(inputs.height), "none -> missing", outcome),
            Decision(
                "agencies whose population is not stated",
                float(inputs["population"].null_count()),
                "none -> quality 1, else quality 2",
                outcome,
            ),
        ),
        notes=("Agencies whose population the FBI does not state are left out.",),
    )


def _quotient(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """part / whole; null for nothing by nothing."""
    return pl.when(whole > 0).then(part / whole)
