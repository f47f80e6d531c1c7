"""Students in high-poverty schools: published rows worked back and fed in again, registered entries, every branch."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from school_support import SAME_AREA, place_lists, published, spine_of

from metrics.catalog import catalog
from metrics.city_names import listed_cities
from metrics.education.school_economic_diversity import (
    DEVIATIONS,
    OURS,
    PREDICTOR,
    RACES,
    REFERENCE,
    SAMPLE,
    YEARS,
    Reproduce,
    estimate,
    explain,
)
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL
from sources.ccd import SCHOOL_YEARS
from sources.meps import YEARS as MEPS_YEARS

DIRECTORY = {"ncessch": pl.String, "county": pl.String, "city": pl.String, "enrollment": pl.Int64}
ENROLLMENT = {"ncessch": pl.String, "race": pl.Int8, "sex": pl.Int8, "enrollment": pl.Int64}
POVERTY = {"ncessch": pl.String, "poverty": pl.Float64}
GROUPS = list(RACES.values())
COLUMNS = [f"share_meps20_{group}" for group in GROUPS]
FILES = {"county": "final/meps_county_2014-2021.csv.gz", "place": "final/meps_city_2014-2021.csv.gz"}
MANY = 10**9


# Published rows, worked back to schools -----


# Of the method file, section 8, white students by county: missing, of quality 1, 2, 3; share exactly 0, exactly 1.
WHITE = {
    2014: (4, 3107, 14, 17, 412, 525),
    2015: (4, 3106, 18, 14, 520, 527),
    2016: (4, 3106, 17, 15, 536, 484),
    2017: (4, 3103, 22, 13, 616, 350),
    2018: (4, 3104, 18, 16, 695, 354),
    2019: (4, 3106, 16, 16, 874, 291),
    2020: (5, 3105, 20, 13, 1150, 232),
    2021: (6, 3102, 25, 10, 867, 319),
}
# All three shares exactly 0.
ALL_ZERO = dict(zip(YEARS, (372, 472, 478, 552, 631, 811, 1073, 797), strict=True))
FORSYTH_2021 = {"black": 0.57527846, "hispanic": 0.59987509, "white": 0.16903313}


def students_behind(rows: pl.DataFrame) -> pl.DataFrame:
    """Whole numbers of students that give a published share and fit its quality: geoid, metric, high, all.

    The share of a strong row may come from any number; of a marginal one it must be a fraction of 15 to 29 students,
    of a weak one of 1 to 14. A row for which there is no such fraction stays without.
    """
    marginal, weak = ((2, n) for n in range(15, 30)), ((3, n) for n in range(1, 15))
    sizes = pl.DataFrame([(1, MANY), *marginal, *weak], schema=["q", "all"], orient="row")
    known = rows.drop_nulls("share")
    high = (pl.col("share") * pl.col("all")).round()
    return (
        known.join(sizes, left_on="quality", right_on="q", how="left", validate="m:m")
        .with_columns(high=high.cast(pl.Int64))
        .filter((pl.col("high") / pl.col("all") - pl.col("share")).abs() <= 1e-7)
        .unique(["geoid", "metric"], keep="first", maintain_order=True)
        .select("geoid", "metric", "high", "all")
    )


def shares_of(frame: pl.DataFrame, year: int) -> pl.DataFrame:
    """Published rows of a year: geoid, metric, share, quality."""
    rows = frame.filter(pl.col("year") == year)
    return pl.concat(
        rows.select(
            "geoid",
            pl.lit(column).alias("metric"),
            share=pl.col(column).cast(pl.Float64),
            quality=pl.col(f"{column}_quality").cast(pl.Int64),
        )
        for column in COLUMNS
    )


def schools_behind(students: pl.DataFrame, addresses: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    """A poor and another school for each area: the three tables. `addresses` has geoid, state, county, city."""
    races = {column: race for race, column in zip(RACES, COLUMNS, strict=True)}
    kinds = pl.DataFrame({"kind": [0, 1], "poverty": [20.0, 19.9]})
    schools = (
        addresses.join(students.select("geoid").unique(), on="geoid", how="semi")
        .sort("geoid")
        .join(kinds, how="cross")
        .with_row_index("n")
        .with_columns(ncessch=pl.format("{}{}", "state", (pl.col("n") + 10**9)))
    )
    enrolled = schools.join(students, on="geoid", how="inner", validate="m:m").select(
        "ncessch",
        race=pl.col("metric").replace_strict(races, return_dtype=pl.Int8),
        sex=pl.lit(1, pl.Int8),
        enrollment=pl.when(pl.col("kind") == 0).then("high").otherwise(pl.col("all") - pl.col("high")),
    )
    return {
        "school_directory": schools.select("ncessch", "county", "city", enrollment=pl.lit(1, pl.Int64)).lazy(),
        "school_enrollment": enrolled.lazy(),
        "school_poverty": schools.select("ncessch", "poverty").lazy(),
    }


def compared(computed: pl.DataFrame, wanted: pl.DataFrame, level: str) -> pl.DataFrame:
    ours = computed.filter(pl.col("level") == level).with_columns(geoid=pl.concat_str("state", "geo"))
    both = wanted.join(ours, on=["geoid", "metric"], how="left", validate="1:1", suffix="_ours")
    near = ((pl.col("share") - pl.col("value")).abs() <= 1e-7).fill_null(False)
    missing = pl.col("share").is_null() & pl.col("value").is_null()
    return both.with_columns(
        same=(near | missing) & pl.col("quality").eq_missing(pl.col("quality_ours").cast(pl.Int64))
    )


@pytest.mark.parity
@pytest.mark.parametrize("year", YEARS)
def test_published_counties_come_back(realcases: Path, year: int) -> None:
    """All 25,138 county rows, three shares each: the limits of quality (30, 15) hold in every published row."""
    frame = published(realcases, FILES["county"])
    wanted = shares_of(frame, year)
    assert wanted.height == 3 * (3142 if year < 2020 else 3143)
    students = students_behind(wanted)
    with_share = wanted["share"].count()
    assert students.height == with_share, f"{students.height} of {with_share} shares fit the students of their quality"
    geoid = pl.col("geoid")
    addresses = wanted.select("geoid").unique().with_columns(state=geoid.str.head(2), county=geoid, city=pl.lit("X"))
    tables = schools_behind(students, addresses)
    computed = estimate(**tables, spine=spine_of(realcases, year), year=year)
    ours = compared(computed, wanted, "county")
    same = ours["same"].sum()
    assert same == wanted.height, f"{same} of {wanted.height} shares equal; {ours.filter(~pl.col('same')).head(3)}"

    white = computed.filter(pl.col("level") == "county", pl.col("metric") == "share_meps20_white")
    share, flag = white["value"], white["quality"]
    found = (share.null_count(), *((flag == q).sum() for q in (1, 2, 3)), (share == 0).sum(), (share == 1).sum())
    assert found == WHITE[year]
    zero = computed.filter(pl.col("level") == "county").group_by("state", "geo").agg((pl.col("value") == 0).sum())
    assert (zero["value"] == 3).sum() == ALL_ZERO[year]
    if year == 2021:
        for group, expected in FORSYTH_2021.items():
            assert row_of(computed.filter(pl.col("state") == "37"), "067", group)["value"] == pytest.approx(expected)


@pytest.mark.parity
@pytest.mark.parametrize("year", YEARS)
def test_published_places_come_back(realcases: Path, year: int) -> None:
    """All 3,884 place rows: schools found by the city of their address. Those lost in 2015 come back in ours alone."""
    wanted = shares_of(published(realcases, FILES["place"]), year)
    assert wanted.height == 3 * (485 if year < 2018 else 486)
    students = students_behind(wanted)
    assert students.height == wanted["share"].count()
    (entry,) = (d for d in DEVIATIONS if d.kind == "deviation")
    registered = {row.geoid for row in entry.rows or () if row.year == year}
    # Schools of these places without a county, as in 2015.
    lost = wanted.filter(pl.col("geoid").is_in(list(registered))).select(
        "geoid", "metric", high=pl.lit(1, pl.Int64), all=pl.lit(40, pl.Int64)
    )
    places = listed_cities(place_lists(realcases).filter(pl.col("year") == year))
    addresses = places.select(
        "state",
        geoid=pl.concat_str("state", "geo"),
        # A county that no list has: nothing of this may show up in a county.
        county=pl.when(~pl.concat_str("state", "geo").is_in(list(registered))).then(pl.format("{}999", "state")),
        city=pl.col("city").str.to_uppercase(),
    )
    tables = schools_behind(pl.concat([students, lost], how="vertical_relaxed"), addresses)
    spine = spine_of(realcases, year)
    reference = compared(estimate(**tables, spine=spine, year=year, reproduce=REFERENCE), wanted, "place")
    same = reference["same"].sum()
    assert same == wanted.height, f"{same} of {wanted.height} shares equal"
    computed = estimate(**tables, spine=spine, year=year)
    ours = compared(computed, wanted, "place")
    different = ours.filter(~pl.col("same"))
    assert set(different["geoid"]) == registered, f"{ours['same'].sum()} of {wanted.height} shares equal"
    assert different["value"].to_list() == [1 / 40] * (3 * len(registered))
    assert len(registered) == (17 if year == 2015 else 0)
    assert computed.filter(pl.col("level") == "county")["value"].count() == 0


@pytest.mark.parity
def test_figures_of_the_published_files(realcases: Path) -> None:
    """What the register says of the published figures."""
    city, county = published(realcases, FILES["place"]), published(realcases, FILES["county"])
    empty = pl.all_horizontal(pl.col(c).is_null() for c in COLUMNS)
    missing = {y: set(city.filter(pl.col("year") == y, empty)["geoid"]) for y in YEARS}
    (entry,) = (d for d in DEVIATIONS if d.kind == "deviation")
    assert missing[2015] - missing[2014] - missing[2016] == {row.geoid for row in entry.rows or ()}
    assert [len(missing[y]) for y in YEARS] == [5, 22, 5, 5, 5, 5, 4, 5]
    # Quality stands exactly where a share stands.
    for frame in (city, county):
        for column in COLUMNS:
            assert (frame[column].is_null() == frame[f"{column}_quality"].is_null()).all()
    pairs = pl.DataFrame({"geoid": SAME_AREA.keys(), "same": SAME_AREA.values()})
    both = pairs.join(city, on="geoid").join(county, left_on=["same", "year"], right_on=["geoid", "year"], how="left")
    assert both.height == 144
    apart = {}
    for column in COLUMNS:
        difference = (both[column].cast(pl.Float64) - both[f"{column}_right"].cast(pl.Float64)).abs()
        assert (difference < 1e-7).sum() == 69
        apart[column] = (difference > 0.01).sum(), round(difference.max(), 2)
    assert list(apart.values()) == [(56, 0.23), (68, 0.59), (65, 0.65)]


# Branches -----


def directory(*rows: tuple[str, str | None, str | None, int | None]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=DIRECTORY, orient="row")


def enrollment(*rows: tuple[str, int, int, int | None]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=ENROLLMENT, orient="row")


def poverty(*rows: tuple[str, float | None]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=POVERTY, orient="row")


SPINE = pl.LazyFrame(
    [
        ("county", "37", "067", "Forsyth County"),
        ("county", "37", "001", "Alamance County"),
        ("place", "37", "75000", "Winston-Salem city"),
        ("place", "37", "12000", "Charlotte city"),
    ],
    schema=["level", "state", "geo", "name"],
    orient="row",
)
A, B, C, D = (f"37033300000{n}" for n in range(1, 5))
SCHOOLS = directory((A, "37067", "WINSTON-SALEM", 90), (B, "37067", "Winston-Salem", 60), (C, "37067", "Clemmons", 50))
STUDENTS = enrollment((A, 2, 1, 10), (A, 2, 2, 20), (A, 2, 99, 35), (B, 2, 1, 30), (C, 2, 1, 40), (C, 1, 1, 8))
POOR = poverty((A, 20.0), (B, 19.99), (D, 80.0))


def row_of(frame: pl.DataFrame, geo: str, group: str = "black") -> dict:
    here = (pl.col("geo") == geo) & (pl.col("metric") == f"share_meps20_{group}")
    return frame.row(by_predicate=here, named=True)


def run(reproduce: Reproduce = OURS, **changes: pl.LazyFrame) -> pl.DataFrame:
    tables = {"school_directory": SCHOOLS, "school_enrollment": STUDENTS, "school_poverty": POOR, "spine": SPINE}
    return estimate(**{**tables, **changes}, year=2018, reproduce=reproduce)


def test_a_county():
    """20 percent is high; a school without an estimate stays below the line and adds nothing above it."""
    row = row_of(run(), "067")
    assert (row["numerator"], row["denominator"], row["value"]) == (30, 100, 0.3)
    assert (row["quality"], row["n"], row["reason"]) == (1, 3, None)
    assert (row["estimation_area"], row["n_areas"], row["reference_period"]) == ("county-37067", 1, "2018-19")
    assert (row["sample"], row["subgroup_type"], row["subgroup"]) == (SAMPLE, "all", ALL)


def test_a_place_is_the_schools_whose_address_names_it():
    row = row_of(run(), "75000")
    assert (row["numerator"], row["denominator"], row["n"]) == (30, 60, 2)
    assert row["estimation_area"] == "place-3775000"


def test_reasons_for_missing():
    frame = run()
    white, nobody, elsewhere = row_of(frame, "75000", "white"), row_of(frame, "001"), row_of(frame, "12000")
    assert (white["value"], white["reason"]) == (None, "area not covered by source")
    assert {nobody["reason"], elsewhere["reason"]} == {"area not covered by source"}
    none = run(school_enrollment=enrollment((A, 2, 1, 0), (A, 2, 2, None), (B, 2, 1, None)))
    row = row_of(none, "75000")
    assert (row["value"], row["quality"], row["reason"]) == (None, None, "group not present")
    assert (row["denominator"], row["n"]) == (0, 0)
    silent = row_of(run(school_enrollment=enrollment((A, 2, 1, None), (A, 2, 2, None))), "75000")
    assert silent["reason"] == "area not covered by source"
    region = pl.LazyFrame([("county", "09", "110", "Capitol")], schema=SPINE.collect_schema().names(), orient="row")
    old = run(school_directory=SCHOOLS.with_columns(county=pl.lit("09003")), spine=region)
    assert set(old["reason"]) == {"source on old counties"}
    assert set(run(spine=region)["reason"]) == {"area not covered by source"}


@pytest.mark.parametrize(("students", "quality"), [(1, 3), (14, 3), (15, 2), (29, 2), (30, 1)])
def test_quality(students, quality):
    row = row_of(run(school_enrollment=enrollment((A, 2, 1, students))), "067")
    assert (row["value"], row["quality"]) == (1, quality)
    assert row["reason"] == (None if quality == 1 else "small population")


@pytest.mark.parametrize(("percent", "share"), [(0.0, 0), (19.999, 0), (20.0, 1), (20.001, 1), (100.0, 1), (None, 0)])
def test_limit_of_high_poverty(percent, share):
    row = row_of(run(school_poverty=poverty((A, percent)), school_enrollment=enrollment((A, 2, 1, 30))), "067")
    assert row["value"] == share


@pytest.mark.parametrize("everyone", [None, 0])
def test_schools_without_students_are_left_out(everyone):
    schools = directory((A, "37067", "Winston-Salem", everyone), (B, "37067", "Winston-Salem", 60))
    assert row_of(run(school_directory=schools), "067")["denominator"] == 30


def test_a_school_that_the_directory_lacks_is_left_out():
    students = enrollment((A, 2, 1, 30), (D, 2, 1, 900))
    assert row_of(run(school_enrollment=students), "067")["denominator"] == 30


def test_without_county():
    """No county, no part in a county; the city's state is that of the school's own number."""
    schools = directory((A, None, "Winston-Salem", 90), (B, "37067", "Winston-Salem", 60), (C, None, None, 50))
    ours, reference = run(school_directory=schools), run(REFERENCE, school_directory=schools)
    assert row_of(ours, "067")["denominator"] == row_of(reference, "067")["denominator"] == 30
    assert (row_of(ours, "75000")["numerator"], row_of(ours, "75000")["denominator"]) == (30, 60)
    assert (row_of(reference, "75000")["numerator"], row_of(reference, "75000")["denominator"]) == (0, 30)


def test_county_decides_the_state():
    """The number's state is that of the agency in charge; a school may lie in another."""
    schools = directory(("590000000001", "37067", "Winston-Salem", 90))
    frame = run(school_directory=schools, school_enrollment=enrollment(("590000000001", 2, 1, 40)))
    assert row_of(frame, "75000")["denominator"] == row_of(frame, "067")["denominator"] == 40


def test_switches():
    left_out = row_of(run(Reproduce(without_estimate_left_out=True)), "067")
    assert (left_out["numerator"], left_out["denominator"]) == (30, 60)
    stated = row_of(run(Reproduce(stated_totals=True)), "067")
    assert (stated["numerator"], stated["denominator"]) == (35, 35)


def test_all_races_follow_one_rule():
    """The three shares of an area come from the same schools and the same limit."""
    races = enrollment(*((s, r, 1, n) for r in (1, 2, 3) for s, n in ((A, 10), (B, 20), (C, 30))))
    frame = run(school_enrollment=races)
    for geo in ("067", "75000"):
        rows = [row_of(frame, geo, group) for group in GROUPS]
        assert len({(r["numerator"], r["denominator"], r["value"], r["n"]) for r in rows}) == 1


def test_owed_tables():
    for name in ("school_directory", "school_enrollment", "school_poverty"):
        frame = run(**{name: None})
        assert frame.height == 0
        whole = complete(frame, PREDICTOR, 2018, SPINE.collect(), owed=frozenset({name}))
        assert set(whole["reason"]) == {"input owed"}


def test_order_of_rows_does_not_matter():
    other = {
        "school_directory": SCHOOLS.reverse(),
        "school_enrollment": STUDENTS.reverse(),
        "school_poverty": POOR.reverse(),
    }
    assert_frame_equal(run(), run(**other), check_exact=True)


@pytest.mark.parametrize("geo", ["067", "75000"])
def test_account(geo):
    level = "county" if len(geo) == 3 else "place"
    tables = {"school_directory": SCHOOLS, "school_enrollment": STUDENTS, "school_poverty": POOR, "spine": SPINE}
    cell = Cell(2018, level, "37", geo, "all", ALL, "share_meps20_black", SAMPLE)
    row = row_of(run(), geo)
    account = explain(cell, year=2018, **tables)
    assert account.recomputed == row["value"]
    assert account.formula.endswith(f"{row['numerator']:.0f} / {row['denominator']:.0f} = {row['value']:.7g}")
    assert account.inputs["students"].sum() == row["denominator"]
    assert account.inputs["weight"].sum() == pytest.approx(1)
    assert account.steps[0].rows_in == account.steps[0].rows_out == 3
    assert account.steps[-1].rows_out == row["n"]
    covered = account.decisions[1].figure
    assert covered == (0.6 if level == "county" else 1)
    empty = explain(Cell(2018, "county", "37", "001", "all", ALL, "share_meps20_white", SAMPLE), year=2018, **tables)
    assert (empty.recomputed, empty.inputs.height) == (None, 0)
    assert empty.formula.endswith("0 / 0 = missing")


def test_declarations():
    entry = catalog()["school_economic_diversity"]
    assert entry.inputs == ("school_directory", "school_enrollment", "school_poverty", "spine")
    assert entry.explain is explain
    assert PREDICTOR.years == YEARS == SCHOOL_YEARS == MEPS_YEARS
    assert [m.column for m in PREDICTOR.metrics] == COLUMNS
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    spine = SPINE.collect()
    whole = complete(run(), PREDICTOR, 2018, spine)
    gate(whole, name="meps", expected_keys=expected_keys(PREDICTOR, 2018, spine), limits=PREDICTOR.limits())
