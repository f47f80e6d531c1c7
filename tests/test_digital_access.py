"""Digital access: universe, access, suppression by records, households of a named county, the account of a figure."""

import itertools
from typing import Any

import polars as pl
import pytest
from acs_support import ONE_PUMA, SHARED_PUMAS, households, row_of, split_pumas, weight_of
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import allocation_frame

from metrics.catalog import catalog
from metrics.education.digital_access import PREDICTOR, Reproduce, estimate, explain
from metrics.explanation import Cell
from metrics.identified_counties import by_unit
from metrics.predictor import complete, expected_keys
from schemas.errors import InputError
from schemas.estimate import gate

OFFLINE = {"cilaptop": 2, "citablet": 2, "cihispeed": 0, "cinethh": 3}


def shares(*parts: pl.DataFrame, allocation: pl.DataFrame = ONE_PUMA, year: int = 2018, **more: Any) -> pl.DataFrame:
    return estimate(pl.concat(parts).lazy(), allocation.lazy(), year, **more)


# ---- universe and outcome ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("laptop", "tablet", "speed"), itertools.product((0, 1, 2), (0, 1, 2), (0, 10, 20)))
def test_access_is_a_computer_and_high_speed_internet(laptop, tablet, speed):
    """Everybody else counts below the line, whatever is missing."""
    asked = households(40, cilaptop=laptop, citablet=tablet, cihispeed=speed)
    row = row_of(shares(asked, households(50, **OFFLINE)))
    access = (laptop == 1 or tablet == 1) and speed == 10
    assert row["n"] == 90
    assert row["numerator"] == (weight_of(asked) if access else 0)
    assert row["denominator"] == weight_of(asked) + weight_of(households(50))


@pytest.mark.parametrize("gq", [1, 2, 5])
def test_households_count(gq):
    assert row_of(shares(households(), households(30, gq=gq)))["n"] == 150


@pytest.mark.parametrize(
    "changed",
    [
        {"gq": 0, "vacancy": 1, "race": None, "hispan": None},
        {"gq": 3},
        {"gq": 4},
        {"cihispeed": 88},
        {"cinethh": 0, "cihispeed": 0},
    ],
)
def test_others_are_left_out_of_both_sides(changed):
    row = row_of(shares(households(60), households(60, **OFFLINE), households(500, **changed)))
    assert (row["n"], row["value"]) == (120, 0.5)


@pytest.mark.parametrize("column", ["cilaptop", "citablet", "cihispeed"])
def test_a_household_without_an_answer_is_refused(column):
    with pytest.raises(InputError, match="outcome of share_digital_access is missing"):
        shares(households(), households(1, **{column: None}))


def test_a_kind_of_internet_that_these_files_do_not_have_is_refused():
    with pytest.raises(InputError, match="outcome of share_digital_access is missing"):
        shares(households(), households(1, cihispeed=11))


def test_there_is_no_interval():
    frame = shares(households(60), households(60, **OFFLINE))
    assert {"lb", "ub", "se", "cv"}.isdisjoint(frame.columns)
    assert frame.filter(pl.col("subgroup") == "All").select("value", "quality", "reason").rows() == [(0.5, 1, None)]


GROUPS = [
    ({"hispan": 2}, "race-ethnicity", "Hispanic"),
    ({"race": 1}, "race-ethnicity", "White, Non-Hispanic"),
    ({"race": 2}, "race-ethnicity", "Black, Non-Hispanic"),
    ({"race": 4}, "race-ethnicity", "Other Races and Ethnicities"),
    ({"hhincome": -7_000}, "income", "Less than $50,000"),
    ({"hhincome": 49_999}, "income", "Less than $50,000"),
    ({"hhincome": 50_000}, "income", "$50,000 or More"),
    # Dollars of the file: the factor does not count.
    ({"hhincome": 49_999, "adjust": 1.05}, "income", "Less than $50,000"),
]


@pytest.mark.parametrize(("changed", "kind", "label"), GROUPS)
def test_groups(changed, kind, label):
    frame = shares(households(**changed))
    sizes = {r["subgroup"]: r["n"] for r in frame.filter(pl.col("subgroup_type") == kind).iter_rows(named=True)}
    assert {name: n for name, n in sizes.items() if n} == {label: 120}


def test_without_the_householders_the_race_groups_are_owed():
    frame = shares(households(race=None, hispan=None, age=None, sex=None))
    assert frame.filter(pl.col("subgroup_type") == "race-ethnicity")["reason"].unique().to_list() == ["input owed"]
    assert row_of(frame, subgroup="$50,000 or More")["value"] == 1.0


# ---- suppression and areas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("records", "stands"), [(29, False), (30, True)])
def test_thirty_records_are_enough_however_few_are_the_areas_own(records, stands):
    tiny = allocation_frame(
        [("county", "01", "001", "00100", 0.0001), ("county", "01", "003", "00100", 0.9999)], quality=3
    )
    withheld = households(100, cihispeed=88)
    row = row_of(shares(households(records), withheld, allocation=tiny), geo="001")
    assert (row["n"], row["n_effective"]) == (records, records / 10_000)
    assert row["value"] == (1.0 if stands else None)
    assert row["reason"] == ("area smaller than its sampling area" if stands else "effective sample below 30")
    assert row["quality"] == (3 if stands else None)
    assert (row["estimation_area"], row["n_areas"]) == ("puma2010-01-00100", 2)


def test_records_of_every_puma_that_the_area_touches_count_in_full():
    first, second = households(10), households(20, puma="00200", **OFFLINE)
    row = row_of(shares(first, second, allocation=SHARED_PUMAS), level="place")
    assert (row["n"], row["n_effective"]) == (30, 11.0)
    assert row["numerator"] == pytest.approx(0.1 * weight_of(first))
    assert row["denominator"] == pytest.approx(0.1 * weight_of(first) + 0.5 * weight_of(second))
    assert row["value"] == (1_000 * weight_of(first)) / (1_000 * weight_of(first) + 5_000 * weight_of(second))


def mixed(n: int = 240) -> pl.DataFrame:
    """Households of two PUMAs, of all groups, half of them with access."""
    return households(
        n,
        cihispeed=[10 if i % 5 else 20 for i in range(n)],
        citablet=[2] * n,
        cilaptop=[1 + i % 3 // 2 for i in range(n)],
        race=[(1, 1, 2, 6)[i % 4] for i in range(n)],
        hispan=[int(i % 7 == 0) for i in range(n)],
        hhincome=[(20_000, 80_000)[i // 6 % 2] for i in range(n)],
        puma=["00100"] * 100 + ["00200"] * (n - 100),
    )


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_nothing_depends_on_the_order_of_records(seed):
    shuffled = mixed().sample(fraction=1.0, shuffle=True, seed=seed)
    assert shares(mixed(), allocation=SHARED_PUMAS).equals(shares(shuffled, allocation=SHARED_PUMAS))


def test_nothing_depends_on_how_a_puma_is_split():
    records, allocation = split_pumas(mixed(), SHARED_PUMAS)
    same = ["level", "geo", "subgroup", "value", "n", "n_effective", "numerator", "denominator"]
    first, again = shares(mixed(), allocation=SHARED_PUMAS), shares(records, allocation=allocation)
    pooling = pl.col("geo") != "001"
    assert first.filter(pooling).select(same).equals(again.filter(pooling).select(same))


def test_groups_add_up():
    frame = shares(mixed(), allocation=SHARED_PUMAS)
    for geo in ("001", "003", "07000"):
        everybody = row_of(frame, geo=geo)
        here = frame.filter(pl.col("geo") == geo)
        for kind in ("race-ethnicity", "income"):
            groups = here.filter(pl.col("subgroup_type") == kind)
            assert groups["n"].sum() == everybody["n"]
            if groups["value"].null_count() == 0:
                assert groups["denominator"].sum() == pytest.approx(everybody["denominator"], rel=1e-14)
                assert groups["numerator"].sum() == pytest.approx(everybody["numerator"], rel=1e-14)


# ---- households of a named county ----------------------------------------------------------------------------------

NAMED = {"countyfip": "003"}
YES, NO = households(90), households(60, puma="00200", **OFFLINE)


def test_a_named_county_has_its_households_wholly_and_others_none_of_them():
    """PUMA 00100 is three quarters in county 003, which the file names for all of it."""
    frame = shares(households(90, **NAMED), NO, allocation=SHARED_PUMAS)
    row = row_of(frame, geo="003")
    assert row["value"] == weight_of(YES) / (weight_of(YES) + weight_of(NO))
    assert (row["n"], row["n_effective"], row["denominator"]) == (150, 150.0, weight_of(YES) + weight_of(NO))
    assert (row["estimation_area"], row["n_areas"]) == ("county-01003", 1)
    # Nothing is left for the county that has a quarter of the PUMA.
    assert frame.filter(pl.col("geo") == "001").is_empty()
    spine = pl.DataFrame({"level": ["county"] * 2, "state": ["01"] * 2, "geo": ["001", "003"]})
    whole = complete(frame.filter(pl.col("level") == "county"), PREDICTOR, 2018, spine)
    gate(whole, name="x", expected_keys=expected_keys(PREDICTOR, 2018, spine), limits=PREDICTOR.limits())
    assert row_of(whole, geo="001")["reason"] == "area not covered by source"


def test_without_names_the_factors_spread_all_households():
    frame = shares(YES, NO, allocation=SHARED_PUMAS)
    row = row_of(frame, geo="003")
    assert row["value"] == 7_500 * weight_of(YES) / (7_500 * weight_of(YES) + 10_000 * weight_of(NO))
    assert row_of(frame, geo="001")["value"] == 1.0


def test_unnamed_households_are_spread_over_named_counties_too():
    frame = shares(YES, households(60, puma="00200", **{**OFFLINE, **NAMED}), allocation=SHARED_PUMAS)
    row = row_of(frame, geo="003")
    assert row["value"] == 7_500 * weight_of(YES) / (7_500 * weight_of(YES) + 10_000 * weight_of(NO))
    alone = row_of(frame, geo="001")
    assert (alone["value"], alone["estimation_area"], alone["n_areas"]) == (1.0, "puma2010-01-00100", 1)


def test_names_do_not_touch_places():
    named = shares(households(90, **NAMED), NO, allocation=SHARED_PUMAS)
    unnamed = shares(YES, NO, allocation=SHARED_PUMAS)
    place = pl.col("level") == "place"
    assert named.filter(place).equals(unnamed.filter(place))


def test_names_change_nothing_where_counties_are_made_of_whole_pumas():
    whole = allocation_frame(
        [
            ("county", "01", "003", "00100", 1.0),
            ("county", "01", "003", "00200", 1.0),
            ("county", "01", "005", "00300", 1.0),
        ]
    )
    other = households(40, puma="00300")
    plain = shares(YES, NO, other, allocation=whole)
    named = shares(
        households(90, **NAMED), households(60, puma="00200", **{**OFFLINE, **NAMED}), other, allocation=whole
    )
    assert named.equals(plain)


def test_a_name_that_the_puma_does_not_touch_is_no_name():
    strange = households(90, countyfip="777")
    assert shares(strange, NO, allocation=SHARED_PUMAS).equals(shares(YES, NO, allocation=SHARED_PUMAS))
    cell = Cell(2018, "county", "01", "003", "all", "All", "share_digital_access", "acs5")
    records = pl.concat([strange, NO]).lazy()
    account = explain(cell, year=2018, acs5_households=records, puma_allocation=SHARED_PUMAS.lazy())
    assert any("90 of them are in counties that their PUMA does not touch (777)" in note for note in account.notes)


def test_one_puma_may_have_named_and_unnamed_households():
    frame = shares(households(50, **NAMED), households(40, **OFFLINE), NO, allocation=SHARED_PUMAS)
    first, second = weight_of(households(50)), weight_of(households(40))
    row = row_of(frame, geo="003")
    assert row["numerator"] == pytest.approx(first)
    assert row["denominator"] == pytest.approx(first + 0.75 * second + weight_of(NO))
    assert row["n_effective"] == 50 + 0.75 * 40 + 60
    assert row_of(frame, geo="001")["value"] == 0.0
    unsplit = shares(households(50), households(40, **OFFLINE), NO, allocation=SHARED_PUMAS)
    at_places = ["geo", "subgroup", "value", "n", "n_effective", "numerator", "estimation_area", "n_areas"]
    place = pl.col("level") == "place"
    assert frame.filter(place).select(at_places).equals(unsplit.filter(place).select(at_places))


def test_the_reference_counts_a_named_household_once_per_county_of_its_puma():
    """Registered as digital_access/copied-households."""
    records = (households(90, **NAMED), households(60, puma="00200", **{**OFFLINE, **NAMED}))
    ours = row_of(shares(*records, allocation=SHARED_PUMAS), geo="003")
    frame = shares(*records, allocation=SHARED_PUMAS, reproduce=Reproduce(copies=True))
    theirs = row_of(frame, geo="003")
    assert ours["value"] == weight_of(YES) / (weight_of(YES) + weight_of(NO))
    assert theirs["value"] == 2 * weight_of(YES) / (2 * weight_of(YES) + weight_of(NO))
    assert (ours["n"], theirs["n"]) == (150, 240)
    # Fifteen records, seen twice, make a figure of the reference.
    few = households(15, **NAMED)
    assert row_of(shares(few, allocation=SHARED_PUMAS), geo="003")["value"] is None
    assert row_of(shares(few, allocation=SHARED_PUMAS, reproduce=Reproduce(copies=True)), geo="003")["value"] == 1.0
    # Places stay as they are.
    place = pl.col("level") == "place"
    assert frame.filter(place).equals(shares(*records, allocation=SHARED_PUMAS).filter(place))


def test_units_add_up_to_their_pumas():
    records = pl.concat([households(50, **NAMED), households(40), NO])
    units = by_unit(records.lazy(), SHARED_PUMAS.lazy())
    found = dict(units.records.group_by("puma").len().collect().iter_rows())
    assert found == {"00100c003": 50, "00100": 40, "00200": 60}
    sums = (
        units.allocation.filter(level="county").group_by("puma").agg(pl.col("afact").sum(), pl.col("afact_10k").sum())
    )
    assert sums["afact"].to_list() == [1.0] * 3
    assert sums["afact_10k"].to_list() == [10_000] * 3
    assert units.named.rows() == [("01", "00100", 2010, "003", 50, True)]
    assert units.areas.select("level", "geo").rows() == [("county", "001"), ("county", "003"), ("place", "07000")]


def test_flags_of_places_as_the_reference_has_them():
    allocation = SHARED_PUMAS.with_columns(pl.lit(3, dtype=pl.Int8).alias("quality_reference"))
    for switches, quality in ((Reproduce(), 1), (Reproduce(place_quality=True), 3)):
        assert row_of(shares(mixed(), allocation=allocation, reproduce=switches), geo="07000")["quality"] == quality


# ---- years, keys, account ------------------------------------------------------------------------------------------


def test_years_keys_and_missing_tables():
    assert estimate(None, ONE_PUMA.lazy(), 2018).is_empty()
    assert estimate(households().lazy(), None, 2018).is_empty()
    assert shares(households(), year=2014).is_empty()
    assert catalog()["digital_access"].inputs == ("acs5_households", "puma_allocation")
    spine = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    assert sorted(shares(households())["subgroup"]) == sorted(expected_keys(PREDICTOR, 2018, spine)["subgroup"])
    assert shares(households())["reference_period"].unique().to_list() == ["2018-2018"]


def test_an_unknown_puma_is_refused():
    with pytest.raises(InputError, match="01-00999 of 2010"):
        shares(households(), households(5, puma="00999", **NAMED))


@pytest.mark.parametrize(
    ("level", "geo", "label"),
    [("county", "003", "All"), ("county", "001", "Hispanic"), ("place", "07000", "$50,000 or More")],
)
def test_the_account(level, geo, label):
    records = pl.concat([mixed(), households(30, **NAMED), households(20, cihispeed=88)])
    row = row_of(shares(records, allocation=SHARED_PUMAS), level=level, geo=geo, subgroup=label)
    cell = Cell(2018, level, "01", geo, row["subgroup_type"], label, "share_digital_access", "acs5")
    account = explain(cell, year=2018, acs5_households=records.lazy(), puma_allocation=SHARED_PUMAS.lazy())
    assert account.recomputed == row["value"]
    assert (account.decisions[0].name, account.decisions[0].figure) == ("records of the group in the PUMAs", row["n"])
    steps = {s.name: (s.rows_in, s.rows_out) for s in account.steps}
    assert steps["high-speed internet not withheld (CIHISPEED not 88)"] == (290, 270)
    assert account.steps[-1].rows_out == account.inputs["records"].sum() == row["n"]
    pairs = account.inputs.select("puma", "county", "afact").rows()
    if geo == "003":
        assert pairs == [("00100", None, 0.75), ("00100", "003", 1.0), ("00200", None, 1.0)]
    assert "The file names the county of 30 households of state 01." in account.notes
    assert not any("degrees of freedom" in d.name for d in account.decisions)
