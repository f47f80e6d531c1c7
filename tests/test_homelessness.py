"""Homeless students: parity with every published row at hand, the registered deviations, and each rule's boundary."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from social_support import at_hand, published, real_spine, same, spine

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.homeless_counts import BLACK, HISPANIC, OTHER, WHITE, Switches, areas, bounded
from metrics.homeless_rules import judged
from metrics.neighborhoods.homelessness import (
    COUNT,
    DEVIATIONS,
    GROUP_YEARS,
    PREDICTOR,
    SAMPLE,
    SHARE,
    YEARS,
    estimate,
    explain,
)
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL, RACE_ETHNICITY
from sources import ccd, edfacts_homeless

HOMELESS = {"leaid": pl.String, "group": pl.String, "students": pl.Int64, "withheld": pl.Boolean}
DIRECTORY = {"leaid": pl.String, "county": pl.String, "city": pl.String, "enrollment": pl.Int64}
ENROLLMENT = {"leaid": pl.String, "race": pl.Int8, "enrollment": pl.Int64}
NO_ENROLLMENT = pl.LazyFrame(schema=ENROLLMENT)


def homeless(rows: dict[tuple[str, str], int | None]) -> pl.LazyFrame:
    """`homeless_lea` from (leaid, group) -> students, None for a withheld number."""
    full = [(leaid, group, n, n is None) for (leaid, group), n in rows.items()]
    return pl.LazyFrame(full, schema=HOMELESS, orient="row")


def directory(rows: list[tuple[str, str | None, str | None, int | None]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=DIRECTORY, orient="row")


def enrollment(rows: list[tuple[str, int, int | None]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=ENROLLMENT, orient="row")


PLACES = spine(
    [
        ("county", "37067", "Forsyth County", 400_000),
        ("county", "37081", "Guilford County", 500_000),
        ("place", "3775000", "Winston-Salem city", 250_000),
        ("place", "3728000", "Greensboro city", 300_000),
        ("place", "3712000", "Charlotte city", 900_000),
    ]
)


def by_cell(frame: pl.DataFrame, metric: str = COUNT) -> dict[tuple[str, str], dict[str, object]]:
    rows = frame.filter(pl.col("metric") == metric).iter_rows(named=True)
    return {(r["state"] + r["geo"], r["subgroup"]): r for r in rows}


# Parity ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(realcases: Path, mirror: Path, tmp_path_factory):
    """(year) -> the tables of the real case; the reference's intermediates stand where `lea_directory` stands."""
    import pandas as pd

    root = tmp_path_factory.mktemp("homelessness")
    retrieval = at_hand(root, mirror=mirror)

    def intermediate(name: str) -> pl.DataFrame:
        frame = pd.read_stata(realcases / "homelessness/raw" / name)
        # Labelled codes for missing numbers come as words.
        frame["enrollment"] = pd.to_numeric(frame["enrollment"].astype(str), errors="coerce")
        return pl.from_pandas(frame).with_columns(
            pl.when(pl.col("enrollment") >= 0).then(pl.col("enrollment")).cast(pl.Int64)
        )

    def tables(year: int) -> tuple[pl.LazyFrame, pl.LazyFrame, pl.LazyFrame]:
        offices = intermediate(f"ccd_lea_{year}.dta")
        if year >= 2019:
            cities = intermediate(f"ccd_lea_{year}_city.dta").select("leaid", city="city_location")
            offices = offices.join(cities, on="leaid", how="left", validate="1:1")
        else:
            offices = offices.with_columns(city=pl.lit(None, dtype=pl.String))
        lea = offices.select("leaid", pl.concat_str("state", "county").alias("county"), "city", "enrollment").lazy()
        counties = real_spine(mirror, year, root).lazy()
        return edfacts_homeless.build_homeless_lea(year, retrieval).lazy(), lea, counties

    return tables


def compared(frame: pl.DataFrame, wanted: pl.DataFrame, level: str) -> pl.DataFrame:
    """Published rows beside the computed ones; `same` if count, bounds, quality (and for All the share) agree."""
    if "subgroup" not in wanted.columns:
        wanted = wanted.with_columns(subgroup=pl.lit(ALL))
    key = ["state", level, "subgroup"]
    here = frame.filter(pl.col("level") == level).rename({"geo": level})
    counts = here.filter(pl.col("metric") == COUNT).select(*key, "value", "lb", "ub", "quality", "reason")
    shares = here.filter(pl.col("metric") == SHARE).select(*key, share="value", share_quality="quality")
    both = wanted.join(counts, on=key, how="left", validate="1:1").join(shares, on=key, how="left", validate="1:1")
    assert both.height == wanted.height
    equal = (
        same("value", COUNT)
        & same("lb", f"{COUNT}_lb")
        & same("ub", f"{COUNT}_ub")
        & same("quality", f"{COUNT}_quality")
    )
    of_all = same("share", SHARE) & same("share_quality", f"{SHARE}_quality")
    return both.with_columns(same=equal & (of_all | (pl.col("subgroup") != ALL)))


def matched(frame: pl.DataFrame, what: str) -> int:
    """How many rows agree, all of which must."""
    agree = int(frame["same"].sum())
    different = frame.filter(~pl.col("same")).head(5).to_dicts()
    assert agree == frame.height, f"{what}: {agree} of {frame.height} rows equal; {different}"
    return agree


@pytest.mark.parity
@pytest.mark.parametrize("year", range(2014, 2021))
def test_parity_of_counties_and_cities(real, realcases: Path, year: int) -> None:
    """All rows of All: counties 2014-2020, cities 2019 and 2020 (earlier extracts have no city)."""
    tables = real(year)
    frame = estimate(tables[0], tables[1], None, tables[2], year)
    expected = realcases / "homelessness/expected"
    span = "2014-2018" if year < 2019 else "2019-2022"
    wanted = published(expected / f"homelessness_{span}_county.csv", year)
    assert matched(compared(frame, wanted, "county"), f"county {year}") == (3143 if year == 2020 else 3142)
    if year >= 2019:
        wanted = published(expected / "homelessness_2019-2022_city.csv", year)
        assert matched(compared(frame, wanted, "place"), f"city {year}") == 486


@pytest.mark.parity
@pytest.mark.parametrize(("year", "counties", "differing"), [(2019, 12_568, 13), (2020, 12_572, 8)])
def test_parity_of_groups(real, realcases: Path, year: int, counties: int, differing: int) -> None:
    """Race counts without enrollment by race, which the history lacks: all city rows, all but 21 county rows.

    The others follow once some group's count exceeds its enrollment: for each county there are groups of which that
    explains all its rows.
    """
    tables = real(year)
    frame = estimate(tables[0], tables[1], NO_ENROLLMENT, tables[2], year)
    groups = pl.col("subgroup") != ALL
    expected = realcases / "homelessness/expected"
    cities = compared(frame, published(expected / "homelessness_2019-2022_subgroups_city.csv", year), "place")
    assert matched(cities.filter(groups), f"city groups {year}") == 1944
    wanted = published(expected / "homelessness_2019-2022_subgroups_county.csv", year)
    rows = compared(frame, wanted, "county").filter(groups)
    different = rows.filter(~pl.col("same"))
    assert (rows.height, different.height) == (counties, differing), f"{rows['same'].sum()} of {rows.height} rows equal"
    for state, county in different.select("state", "county").unique().rows():
        here = pl.col("state") == state, pl.col("county") == county
        assert _explained(tables, wanted.filter(*here), state + county), f"{state}{county} {year} is not explained"


def _explained(tables, wanted: pl.DataFrame, geoid: str) -> bool:
    """Whether some groups with more homeless than enrolled students give the published rows of the county."""
    sums = areas(tables[0], tables[1], NO_ENROLLMENT, tables[2])
    here = sums.filter(pl.col("level") == "county", pl.col("state") + pl.col("geo") == geoid)
    counts = dict(wanted.select("subgroup", COUNT).rows())
    for size in range(1, 5):
        for exceeding in itertools.combinations(RACE_ETHNICITY, size):
            too_few = pl.when(pl.col("subgroup").is_in(exceeding)).then(pl.col("count") - 1).otherwise(10**6)
            rows = judged(
                here.with_columns(enrollment=pl.when(pl.col("subgroup") == ALL).then("enrollment").otherwise(too_few))
            )
            found = {r["subgroup"]: None if r["missing"] else str(r["count"]) for r in rows.iter_rows(named=True)}
            if all(found[group] == counts[group] for group in RACE_ETHNICITY):
                return True
    return False


@pytest.mark.parity
@pytest.mark.parametrize("level", ["county", "place"])
def test_published_race_shares_are_counts_over_whole_numbers_of_students(realcases: Path, level: str) -> None:
    """The denominator since the change: enrolled students of the race. All published race shares of the real case."""
    name = "city" if level == "place" else level
    rows = published(realcases / f"homelessness/expected/homelessness_2019-2022_subgroups_{name}.csv")
    shares = rows.filter(pl.col("subgroup") != ALL, pl.col(SHARE).is_not_null()).with_columns(
        pl.col(COUNT, SHARE).cast(pl.Float64)
    )
    enrolled = (pl.col(COUNT) / pl.col(SHARE)).round()
    # Shares are printed from single precision, to ten decimals.
    off = (pl.col(COUNT) / enrolled - pl.col(SHARE)).abs() - 1e-7 * pl.col(SHARE)
    assert shares.height > 1000
    assert shares.select(off.max()).item() < 1e-10, f"{shares.height} shares"
    assert shares[SHARE].max() <= 1


@pytest.mark.parity
def test_upper_bounds_of_few_withheld_numbers_are_too_low(real) -> None:
    """The kept flaw occurs: with the smallest reported number as the rule means it, upper bounds rise, none falls."""
    tables = real(2018)
    ours = bounded(tables[0], by_race=False)
    better = bounded(tables[0], by_race=False, switches=Switches(smallest_reported_bound=True))
    both = ours.join(better, on=["leaid", "subgroup"], suffix="_better", validate="1:1")
    assert both.filter(pl.col("ub_better") < pl.col("ub")).height == 0
    raised = both.filter(pl.col("ub_better") > pl.col("ub"))
    assert raised.height > 0
    assert raised["withheld"].all()


@pytest.mark.parity
def test_contamination_of_cities(real) -> None:
    """How many cities of 2020 have far too few or far too many students, as the register says."""
    tables = real(2020)
    cities = judged(areas(*tables[:2], None, tables[2])).filter(pl.col("level") == "place", pl.col("missing").is_null())
    found = dict(cities.group_by("misplaced").len().rows())
    assert found == {None: 357, "low coverage": 18, "pooled area": 48}
    register = next(d for d in DEVIATIONS if d.id == "homelessness/mailing-city")
    for number in ("423", "18", "48"):
        assert number in register.effect
    fits = {s + g: f for s, g, f in cities.select("state", "geo", "fit").rows()}
    assert fits["3651000"] == pytest.approx(0.147, abs=0.001)
    frame = estimate(*tables[:2], None, tables[2], 2020)
    new_york = by_cell(frame)["3651000", ALL]
    assert (new_york["quality"], new_york["reason"]) == (1, "low coverage")
    weak = estimate(*tables[:2], None, tables[2], 2020, switches=Switches(weak_where_misplaced=True))
    assert by_cell(weak)["3651000", ALL]["quality"] == 3


@pytest.mark.parity
def test_sanity_figures(real) -> None:
    """Method file, section 8, as far as inputs are at hand."""
    wanted = {
        (2014, "37067"): (515, 515, 515, 0.0094043314, 1),
        (2019, "37067"): (572, 572, 572, 0.0103604421, 1),
        (2019, "06037"): (55180, 55123, 55237, 0.0393620469, 1),
    }
    for year in (2014, 2019):
        tables = real(year)
        frame = estimate(*tables[:2], None, tables[2], year)
        counts, shares = by_cell(frame), by_cell(frame, SHARE)
        for (at, geoid), (count, lb, ub, share, quality) in wanted.items():
            if at == year:
                row = counts[geoid, ALL]
                assert (row["value"], row["lb"], row["ub"], row["quality"]) == (count, lb, ub, quality)
                assert shares[geoid, ALL]["value"] == pytest.approx(share, rel=1e-7)
        county = frame.filter(pl.col("level") == "county", pl.col("metric") == COUNT)
        assert county["value"].sum() == {2014: 1_284_974, 2019: 1_306_490}[year]


# Bounds ----------------------------------------------------------------------------------------------------------


def bounds_of(rows: dict[tuple[str, str], int | None], **switches) -> dict[tuple[str, str], tuple[int, int, int]]:
    frame = bounded(homeless(rows), by_race=True, switches=Switches(**switches))
    return {(r[0], r[1]): r[2:5] for r in frame.rows()}


def test_a_withheld_number_is_one_between_zero_and_two() -> None:
    rows = {(f"010000{n}", "all"): None for n in range(3)} | {("0100009", "all"): 40}
    found = bounds_of(rows)
    assert found["0100000", ALL] == (1, 0, 2)
    assert found["0100009", ALL] == (40, 40, 40)


@pytest.mark.parametrize("withheld", [1, 2])
def test_few_withheld_numbers_of_a_state_are_bounded_by_its_smallest(withheld: int) -> None:
    """The smallest after a withheld number became one; another state does not count."""
    rows = {(f"010000{n}", "all"): None for n in range(withheld)}
    rows |= {("0100008", "all"): 9, ("0100009", "all"): 40, ("0200001", "all"): 0}
    assert bounds_of(rows)["0100000", ALL] == (1, 0, 1)
    assert bounds_of(rows | {("0100007", "all"): 0})["0100000", ALL] == (1, 0, 1), "never below the number"
    assert bounds_of(rows, smallest_reported_bound=True)["0100000", ALL] == (1, 0, 9)
    assert bounds_of(rows | {("0100007", "all"): 0}, smallest_reported_bound=True)["0100000", ALL] == (1, 0, 9)
    alone = {(f"010000{n}", "all"): None for n in range(withheld)}
    assert bounds_of(alone, smallest_reported_bound=True)["0100000", ALL] == (1, 0, 2)


def test_other_groups_together() -> None:
    rows: dict[tuple[str, str], int | None] = {(f"010000{n}", "all"): 50 for n in range(8)}
    rows |= {("0100001", "asian"): None, ("0100001", "aian"): None}  # two withheld parts: two, exact
    rows |= {("0100002", "nhpi"): 1}  # a real one is taken for withheld
    rows |= {("0100003", "two_or_more"): 5, ("0100003", "asian"): None}
    found = bounds_of(rows)
    assert found["0100000", OTHER] == (1, 0, 2)  # no part at all
    assert found["0100001", OTHER] == (2, 2, 2)
    assert found["0100002", OTHER] == (1, 0, 2)
    assert found["0100003", OTHER] == (6, 6, 6)
    assert ("0100000", BLACK) not in found


# Sums and rules --------------------------------------------------------------------------------------------------


def one_county(
    counts: dict[str, int | None],
    *,
    students: int | None = 1000,
    by_race: dict[int, int | None] | None = None,
    year=2019,
) -> dict[str, dict[str, object]]:
    """The counts of a county of one district: label -> row."""
    rows = {("3700001", group): n for group, n in counts.items()}
    races = None if by_race is None else enrollment([("3700001", race, n) for race, n in by_race.items()])
    frame = estimate(homeless(rows), directory([("3700001", "37067", "Elsewhere", students)]), races, PLACES, year)
    found = by_cell(frame)
    shares = by_cell(frame, SHARE)
    return {label: {**row, "share": shares[geoid, label]} for (geoid, label), row in found.items()}


def test_a_whole_row() -> None:
    row = one_county({"all": 40}, year=2014)[ALL]
    share = row.pop("share")
    common = {
        "level": "county",
        "state": "37",
        "geo": "067",
        "subgroup_type": "all",
        "subgroup": ALL,
        "sample": SAMPLE,
        "quality": 1,
        "n": 1,
        "estimation_area": "county-37067",
        "n_areas": 1,
        "reference_period": "2014-2015",
        "reason": None,
    }
    assert row == {**common, "metric": COUNT, "value": 40, "lb": 40, "ub": 40, "numerator": None, "denominator": None}
    assert share == {
        **common,
        "metric": SHARE,
        "value": 0.04,
        "lb": None,
        "ub": None,
        "numerator": 40,
        "denominator": 1000,
    }


@pytest.mark.parametrize(
    ("total", "value", "quality", "reason"),
    [
        (9, None, None, "too few people"),
        (10, 10, 3, "small population"),
        (29, 29, 3, "small population"),
        (30, 30, 1, None),
    ],
)
def test_small_totals(total: int, value: int | None, quality: int | None, reason: str | None) -> None:
    row = one_county({"all": total})[ALL]
    assert (row["value"], row["quality"], row["reason"]) == (value, quality, reason)
    assert row["share"]["value"] == (None if value is None else total / 1000)
    assert row["share"]["reason"] == reason


@pytest.mark.parametrize(
    ("students", "quality", "share"), [(29, 3, None), (30, 3, 1.0), (60, 1, 0.5), (None, None, None)]
)
def test_small_enrollment(students: int | None, quality: int | None, share: float | None) -> None:
    """30 homeless students in an enrollment of 29 contradict it; of nobody (or unknown) they are not counted."""
    row = one_county({"all": 30}, students=students)[ALL]
    assert row["share"]["value"] == share
    if students == 29:
        assert row["reason"] == "inconsistent at source"
    elif students is None:
        assert (row["value"], row["reason"]) == (None, "too few people")
    else:
        assert row["quality"] == (1 if students >= 30 else quality)


def judge(*, weaken: bool = False, **columns) -> dict[str, object]:
    """The rules on one area of All."""
    row = {
        "level": "county",
        "state": "37",
        "geo": "067",
        "subgroup": ALL,
        "count": 100,
        "lb": 100,
        "ub": 100,
        "enrollment": 1000,
        "total": 100,
        "fit": None,
        **columns,
    }
    rows = pl.DataFrame([row], schema_overrides={"fit": pl.Float64})
    return judged(rows, Switches(weak_where_misplaced=weaken)).row(0, named=True)


@pytest.mark.parametrize(
    ("lb", "ub", "quality"),
    [
        (20, 21, 1),
        (100, 105, 1),
        (100, 106, 2),
        (10, 11, 2),
        (100, 110, 2),
        (100, 111, 3),
        (0, 0, 3),
        (0, 2, 3),
        (7, 7, 1),
    ],
)
def test_quality_by_bounds(lb: int, ub: int, quality: int) -> None:
    row = judge(lb=lb, ub=ub)
    assert row["quality"] == quality
    assert row["weakened"] == ("estimated at source" if quality > 1 else None)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_whole_numbers_decide_as_the_fractions_do(lb: int, more: int) -> None:
    ratio = (lb + more) / lb
    assert judge(lb=lb, ub=lb + more)["quality"] == (1 if ratio <= 1.05 else 2 if ratio <= 1.1 else 3)


@pytest.mark.parametrize(
    ("fit", "misplaced"), [(0.49, "low coverage"), (0.5, None), (2.0, None), (2.01, "pooled area"), (None, None)]
)
def test_fit_of_districts_to_a_city(fit: float | None, misplaced: str | None) -> None:
    row = judge(fit=fit)
    assert (row["misplaced"], row["quality"]) == (misplaced, 1)
    assert judge(fit=fit, weaken=True)["quality"] == (3 if misplaced else 1)


BALANCED = {"all": 100, "black": 30, "white": 40, "hispanic": 20, "asian": 10}


def test_groups_of_a_county() -> None:
    found = one_county(BALANCED, by_race={1: 400, 2: 300, 3: 200, 4: 60, 5: 20, 6: None, 7: 20})
    assert {label: row["value"] for label, row in found.items()} == {
        ALL: 100,
        BLACK: 30,
        WHITE: 40,
        HISPANIC: 20,
        OTHER: 10,
    }
    assert found[BLACK]["share"]["value"] == 0.1
    assert found[OTHER]["share"]["value"] == 0.1
    assert found[OTHER]["share"]["denominator"] == 100
    assert found[BLACK]["subgroup_type"] == "race-ethnicity"


def test_group_years_and_owed_enrollment() -> None:
    assert set(one_county(BALANCED, by_race={}, year=2018)) == {ALL}
    assert set(one_county(BALANCED, by_race=None)) == {ALL}
    assert set(one_county(BALANCED, by_race={})) == {ALL, *RACE_ETHNICITY}


def test_a_group_larger_than_its_enrollment_is_withheld() -> None:
    """And the percentage is of the rest; it is not asked if the group is Black."""
    rest = {1: 400, 3: 200, 4: 100}
    found = one_county(BALANCED, by_race={**rest, 2: 29})
    assert found[BLACK]["reason"] == "inconsistent at source"
    assert {found[g]["value"] for g in (WHITE, HISPANIC, OTHER)} == {40, 20, 10}
    found = one_county(BALANCED, by_race={2: 300, 1: 39, 3: 200, 4: 100})
    assert all(found[g]["reason"] == "inconsistent at source" for g in RACE_ETHNICITY), "60 percent remain"


@pytest.mark.parametrize(("hispanic", "stands"), [(9, False), (10, True), (49, True), (50, True), (51, False)])
def test_groups_must_add_up(hispanic: int, stands: bool) -> None:
    """30 + 20 + 10 and Hispanic students: 70 to 110 percent of 100."""
    counts = {"all": 100, "black": 30, "white": 20, "hispanic": hispanic, "asian": 10}
    found = one_county(counts, by_race={})
    assert all((found[group]["value"] is not None) == stands for group in RACE_ETHNICITY)
    assert found[ALL]["value"] == 100


def test_smallest_groups_are_withheld() -> None:
    counts = {"all": 100, "black": 2, "white": 80, "hispanic": 3, "asian": 12}
    found = one_county(counts, by_race={})
    assert (found[BLACK]["value"], found[BLACK]["reason"]) == (None, "too few people")
    assert found[HISPANIC]["value"] == 3


def test_a_share_without_enrollment_leaves_the_count_and_its_quality() -> None:
    """Zero enrolled, or not known: the registered deviation, for the reference has no quality here."""
    found = one_county(BALANCED, by_race={1: 400, 2: 0, 3: None, 4: 100})
    assert (found[BLACK]["value"], found[BLACK]["quality"]) == (30, 1)
    assert (found[BLACK]["share"]["value"], found[BLACK]["share"]["reason"]) == (None, "denominator is zero")
    assert found[HISPANIC]["share"]["reason"] == "area not covered by source"
    assert found[HISPANIC]["share"]["quality"] is None


def test_all_is_missing_and_so_are_its_groups_in_a_small_county() -> None:
    found = one_county({"all": 9, "black": 5, "white": 4}, by_race={1: 100, 2: 100})
    assert all(row["value"] is None and row["reason"] == "too few people" for row in found.values())


def test_districts_are_added_up_where_their_office_is() -> None:
    """County by code, city by name; districts without students count as zero, unknown ones are left out."""
    rows = {
        ("3700001", "all"): 40,
        ("3700002", "all"): None,
        ("3700003", "all"): 25,
        ("3700004", "all"): 99,  # enrolls nobody
        ("3700005", "all"): 77,  # not in the directory
        ("3700006", "all"): 66,  # without a county
        ("3700007", "all"): 55,  # in Puerto Rico
    }
    offices = directory(
        [
            ("3700001", "37067", "WINSTON-SALEM", 1000),
            ("3700002", "37067", "Winston Salem", 500),
            ("3700003", "37081", "winston-salem", 300),
            ("3700004", "37067", "Winston-Salem", None),
            ("3700006", None, "Charlotte", 900),
            ("3700007", "72001", "Adjuntas", 900),
            ("3700008", "37067", "Winston-Salem", 800),  # reports nothing
        ]
    )
    frame = estimate(homeless(rows), offices, None, PLACES, 2014)
    found, shares = by_cell(frame), by_cell(frame, SHARE)
    assert set(found) == {("37067", ALL), ("37081", ALL), ("3775000", ALL)}
    forsyth, city = found["37067", ALL], found["3775000", ALL]
    assert (forsyth["value"], forsyth["lb"], forsyth["ub"], forsyth["n"]) == (41, 40, 41, 3)
    assert shares["37067", ALL]["value"] == 41 / 1500
    assert (city["value"], city["n"]) == (65, 3)
    assert shares["3775000", ALL]["denominator"] == 1300


def test_unknown_populations_leave_the_fit_open() -> None:
    nobody = PLACES.with_columns(population=pl.lit(None, dtype=pl.Int64))
    offices = directory([("3700001", "37067", "Charlotte", 90), ("3700002", "37081", "Nowhere", 5000)])
    rows = homeless({("3700001", "all"): 40})
    assert by_cell(estimate(rows, offices, None, nobody, 2014))["3712000", ALL]["reason"] is None
    assert by_cell(estimate(rows, offices, None, PLACES, 2014))["3712000", ALL]["reason"] == "low coverage"


@pytest.mark.parametrize("owed", ["homeless_lea", "lea_directory", "lea_enrollment"])
def test_owed_inputs(owed: str) -> None:
    tables = {
        "homeless_lea": homeless({("3700001", g): n for g, n in BALANCED.items()}),
        "lea_directory": directory([("3700001", "37067", "Charlotte", 1000)]),
        "lea_enrollment": enrollment([("3700001", 1, 300)]),
    }
    tables[owed] = None
    frame = estimate(**tables, spine=PLACES, year=2019)
    whole = complete(frame, PREDICTOR, 2019, PLACES.collect(), owed=frozenset({owed}))
    forsyth = whole.filter(pl.col("geo") == "067", pl.col("metric") == COUNT)
    reasons = dict(forsyth.select("subgroup", "reason").rows())
    assert reasons[BLACK] == "input owed"
    assert (reasons[ALL] == "input owed") == (owed != "lea_enrollment")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["37067", "37081", None]),
            st.sampled_from(["Charlotte", "GREENSBORO", "Nowhere", None]),
            st.one_of(st.none(), st.integers(0, 5000)),
            st.dictionaries(
                st.sampled_from(["all", "white", "black", "hispanic", "asian", "nhpi"]),
                st.one_of(st.none(), st.integers(0, 400)),
                min_size=1,
            ),
            st.lists(st.one_of(st.none(), st.integers(0, 900)), min_size=7, max_size=7),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_districts_pass_the_gate(districts) -> None:
    """Whatever is reported: quality with every value, a reason without one, bounds in order, shares up to 1."""
    rows = {(f"37{n:05d}", g): count for n, d in enumerate(districts) for g, count in d[3].items()}
    offices = directory([(f"37{n:05d}", d[0], d[1], d[2]) for n, d in enumerate(districts)])
    races = enrollment([(f"37{n:05d}", race, m) for n, d in enumerate(districts) for race, m in enumerate(d[4], 1)])
    frame = estimate(homeless(rows), offices, races, PLACES, 2019)
    whole = complete(frame, PREDICTOR, 2019, PLACES.collect())
    gate(whole, name="any", expected_keys=expected_keys(PREDICTOR, 2019, PLACES.collect()), limits=PREDICTOR.limits())
    counts = by_cell(whole)
    for (geoid, label), share in by_cell(whole, SHARE).items():
        count = counts[geoid, label]
        if share["value"] is not None:
            assert share["value"] == count["value"] / share["denominator"]
            assert share["quality"] == count["quality"]


# Trace -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    rows = {("3700001", g): n for g, n in BALANCED.items()} | {("3700002", "all"): None, ("3700002", "black"): None}
    offices = directory([("3700001", "37067", "Charlotte", 1000), ("3700002", "37067", "Greensboro", 400)])
    races = enrollment([("3700001", race, 250) for race in (1, 2, 3, 4)] + [("3700002", 2, 100)])
    return homeless(rows), offices, races, PLACES


@pytest.mark.parametrize("metric", [COUNT, SHARE])
@pytest.mark.parametrize("label", [ALL, *RACE_ETHNICITY])
@pytest.mark.parametrize("area", [("county", "37", "067"), ("place", "37", "12000"), ("county", "37", "081")])
def test_the_account_gives_the_same_figure(small, area, label: str, metric: str) -> None:
    lea, offices, races, places = small
    kind = "all" if label == ALL else "race-ethnicity"
    cell = Cell(2019, *area, kind, label, metric, SAMPLE)
    account = explain(cell, year=2019, homeless_lea=lea, lea_directory=offices, lea_enrollment=races, spine=places)
    row = by_cell(estimate(lea, offices, races, places, 2019), metric).get((area[1] + area[2], label))
    assert account.recomputed == (row["value"] if row else None)
    assert [step.rows_in >= step.rows_out for step in account.steps] == [True] * len(account.steps)
    if row is None:
        assert "no reporting district" in account.formula
    elif row["value"] is not None:
        inputs = account.inputs
        assert (inputs["count"] * inputs["weight"]).sum() == (row["numerator"] if metric == SHARE else row["value"])
        assert f"{account.recomputed:.8g}" in account.formula
        assert account.decisions[-1].outcome == f"quality {row['quality']}"
    else:
        assert row["reason"] in account.formula or account.formula.endswith("missing")


# Declarations ----------------------------------------------------------------------------------------------------


def test_declarations_fit_each_other() -> None:
    entry = catalog()["homelessness"]
    assert entry.inputs == ("homeless_lea", "lea_directory", "lea_enrollment", "spine")
    assert entry.explain is explain
    tables = {table.name: table for table in (*edfacts_homeless.TABLES, *ccd.TABLES)}
    assert tables["homeless_lea"].years == tables["lea_directory"].years == YEARS
    assert tables["lea_enrollment"].years == GROUP_YEARS
    assert set(PREDICTOR.sources) == {edfacts_homeless.SOURCE.key, ccd.SOURCE.key}
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
