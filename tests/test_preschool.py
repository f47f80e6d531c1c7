"""Preschool: universe, enrollment, income groups, suppression after all filters, invariance, account of a figure."""

from typing import Any

import polars as pl
import pytest
from acs_support import ONE_PUMA, SHARED_PUMAS, persons, row_of, split_pumas, weight_of
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import allocation_frame, plain_share

from metrics.acs_reference import REFERENCE, Reproduce
from metrics.catalog import catalog
from metrics.education.preschool import PREDICTOR, estimate, explain
from metrics.explanation import Cell
from metrics.predictor import expected_keys
from schemas.errors import InputError


def children(n: int = 60, **changed: Any) -> pl.DataFrame:
    """Four-year-olds in preschool."""
    return persons(n, **{"age": 4, "gradeatt": 1, **changed})


def shares(*parts: pl.DataFrame, allocation: pl.DataFrame = ONE_PUMA, year: int = 2018, **more: Any) -> pl.DataFrame:
    return estimate(pl.concat(parts).lazy(), allocation.lazy(), year, **more)


@pytest.mark.parametrize(("grade", "counted", "enrolled"), [(0, True, False), (1, True, True), (2, True, False)])
def test_kindergarten_and_home_count_below_the_line_only(grade, counted, enrolled):
    others = children(40, gradeatt=grade)
    row = row_of(shares(children(), others))
    assert row["n"] == (100 if counted else 60)
    assert row["denominator"] == weight_of(children()) + weight_of(others)
    assert row["numerator"] == weight_of(children()) + (weight_of(others) if enrolled else 0)
    assert row["value"] == row["numerator"] / row["denominator"]


@pytest.mark.parametrize("grade", [3, 4, 5, 6, 7])
def test_children_in_grades_are_left_out_altogether(grade):
    row = row_of(shares(children(60, gradeatt=0), children(40), children(50, gradeatt=grade)))
    assert (row["n"], row["value"]) == (
        100,
        weight_of(children(40)) / weight_of(pl.concat([children(60), children(40)])),
    )


@pytest.mark.parametrize(("age", "counted"), [(2, False), (3, True), (4, True), (5, False)])
def test_ages_three_and_four(age, counted):
    assert row_of(shares(children(), children(30, age=age)))["n"] == (90 if counted else 60)


@pytest.mark.parametrize("gq", [1, 2, 3, 4, 5])
def test_group_quarters_count(gq):
    assert row_of(shares(children(), children(30, gq=gq)))["n"] == 90


def test_a_child_of_unknown_grade_is_refused():
    with pytest.raises(InputError, match="outcome of share_in_preschool is missing"):
        shares(children(), children(1, gradeatt=None))


INCOMES = [
    (-12_000, "Less than $50,000"),
    (0, "Less than $50,000"),
    (49_999, "Less than $50,000"),
    (50_000, "$50,000 or More"),
    (9_999_998, "$50,000 or More"),
    (9_999_999, None),
    (None, None),
]


@pytest.mark.parametrize(("income", "label"), INCOMES)
def test_the_income_line(income, label):
    frame = shares(children(30, hhincome=income), children(31, hhincome=10), children(32, hhincome=90_000))
    sizes = {r["subgroup"]: r["n"] for r in frame.filter(pl.col("subgroup_type") == "income").iter_rows(named=True)}
    known = {"Less than $50,000": 31, "$50,000 or More": 32}
    assert sizes == {name: n + 30 * (name == label) for name, n in known.items()}
    assert row_of(frame)["n"] == 93


def test_without_household_incomes_the_income_groups_of_that_state_are_owed():
    two = allocation_frame([("county", "01", "001", "00100", 1.0), ("county", "02", "001", "00100", 1.0)])
    frame = shares(children(hhincome=None), children(state="02"), allocation=two)
    reasons = {(r["state"], r["subgroup"]): r["reason"] for r in frame.iter_rows(named=True)}
    assert reasons["01", "$50,000 or More"] == reasons["01", "Less than $50,000"] == "input owed"
    assert reasons["02", "$50,000 or More"] is None
    assert reasons["02", "Less than $50,000"] == "effective sample below 30"
    assert reasons["01", "All"] is reasons["01", "White, Non-Hispanic"] is None
    owed = row_of(frame, state="01", subgroup="$50,000 or More")
    assert [owed[c] for c in ("value", "lb", "ub", "quality", "n", "n_effective", "numerator")] == [None] * 7
    told = explain(
        Cell(2018, "county", "01", "001", "income", "$50,000 or More", "share_in_preschool", "acs5"),
        year=2018,
        acs5_persons=children(hhincome=None).lazy(),
        puma_allocation=ONE_PUMA.lazy(),
    )
    assert told.recomputed is None
    assert any("HHINCOME" in note for note in told.notes)


RACES = [
    ({"hispan": 4}, "Hispanic"),
    ({"race": 1}, "White, Non-Hispanic"),
    ({"race": 2}, "Black, Non-Hispanic"),
    ({"race": 3}, "Other Races and Ethnicities"),
    ({"race": 9}, "Other Races and Ethnicities"),
]


@pytest.mark.parametrize(("changed", "label"), RACES)
def test_race_and_ethnicity_of_the_child(changed, label):
    frame = shares(children(**changed)).filter(pl.col("subgroup_type") == "race-ethnicity")
    assert {r["subgroup"]: r["n"] for r in frame.iter_rows(named=True) if r["n"]} == {label: 60}


# 9,997 ten-thousandths of 30 children are 29.991 of them.
@pytest.mark.parametrize(
    ("records", "factor", "stands"), [(30, 1.0, True), (29, 1.0, False), (30, 0.9997, False), (75, 0.4, True)]
)
def test_suppression_counts_what_all_filters_leave(records, factor, stands):
    rest = [] if factor == 1 else [("county", "01", "003", "00100", round(1 - factor, 4))]
    allocation = allocation_frame([("county", "01", "001", "00100", factor), *rest])
    in_grades = children(40, gradeatt=3)
    row = row_of(shares(children(records), in_grades, allocation=allocation), geo="001")
    assert row["n"] == records
    assert (row["value"], row["reason"]) == ((1.0, None) if stands else (None, "effective sample below 30"))
    hidden = ("lb", "ub", "quality", "se", "numerator", "denominator")
    assert stands or [row[c] for c in hidden] == [None] * 6


def test_a_share_of_none_or_all_has_no_width():
    for grade, share in ((0, 0.0), (1, 1.0)):
        row = row_of(shares(children(gradeatt=grade)))
        assert (row["value"], row["lb"], row["ub"], row["se"]) == (share, share, share, 0.0)


def mixed() -> pl.DataFrame:
    """180 children of two PUMAs, of all grades, races and incomes."""
    n = 180
    return persons(
        n,
        age=[3 + i % 2 for i in range(n)],
        gradeatt=[(0, 1, 1, 2, 0, 3)[i % 6] for i in range(n)],
        race=[(1, 1, 2, 6)[i % 4] for i in range(n)],
        hispan=[int(i % 7 == 0) for i in range(n)],
        hhincome=[(20_000, 80_000, 9_999_999)[i // 6 % 3] for i in range(n)],
        puma=["00100"] * 70 + ["00200"] * 110,
    )


def test_every_figure_follows_the_definition():
    records = mixed().filter(pl.col("gradeatt") <= 2).with_columns(y=pl.col("gradeatt") == 1)
    less = pl.col("hhincome") < 50_000
    groups = {
        "All": pl.lit(True),
        "Hispanic": pl.col("hispan") == 1,
        "White, Non-Hispanic": (pl.col("hispan") == 0) & (pl.col("race") == 1),
        "Less than $50,000": less,
        "$50,000 or More": ~less & (pl.col("hhincome") != 9_999_999),
    }
    frame = shares(mixed(), allocation=SHARED_PUMAS)
    compared = 0
    for (level, geo), (label, group) in (
        (g, s) for g in (("county", "003"), ("place", "07000")) for s in groups.items()
    ):
        plain = plain_share(records.filter(group), SHARED_PUMAS, (level, "01", geo), "perwt", "repwtp")
        row = row_of(frame, level=level, geo=geo, subgroup=label)
        assert row["n_effective"] == plain["n_effective"]
        assert (row["value"] is None) == (plain["value"] is None)
        if plain["value"] is not None:
            assert row["value"] == pytest.approx(plain["value"], rel=1e-14)
            assert row["se"] == pytest.approx(plain["se"], rel=1e-12)
            assert row["lb"] == pytest.approx(max(row["value"] - 1.990450 * row["se"], 0), abs=1e-6)
            assert row["ub"] == pytest.approx(min(row["value"] + 1.990450 * row["se"], 1), abs=1e-6)
            compared += 1
    assert compared >= 5


def test_groups_add_up():
    frame = shares(mixed(), allocation=allocation_frame([("county", "01", "001", p, 1.0) for p in ("00100", "00200")]))
    everybody = row_of(frame)
    races = frame.filter(pl.col("subgroup_type") == "race-ethnicity")
    incomes = frame.filter(pl.col("subgroup_type") == "income")
    assert races["n"].sum() == everybody["n"] == 150
    assert incomes["n"].sum() == 100
    kept = races.drop_nulls("value")
    assert kept["numerator"].sum() <= everybody["numerator"]
    in_grades_kept = incomes["denominator"].sum() + weight_of(
        mixed().filter(pl.col("hhincome") == 9_999_999, pl.col("gradeatt") <= 2)
    )
    assert in_grades_kept == everybody["denominator"]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_nothing_depends_on_the_order_of_records(seed):
    shuffled = mixed().sample(fraction=1.0, shuffle=True, seed=seed)
    assert shares(mixed(), allocation=SHARED_PUMAS).equals(shares(shuffled, allocation=SHARED_PUMAS))


def test_nothing_depends_on_how_a_puma_is_split():
    records, allocation = split_pumas(mixed(), SHARED_PUMAS)
    same = ["level", "geo", "subgroup", "value", "lb", "ub", "se", "n", "n_effective"]
    pooling = pl.col("geo") != "001"
    first, again = shares(mixed(), allocation=SHARED_PUMAS), shares(records, allocation=allocation)
    assert first.filter(pooling).select(same).equals(again.filter(pooling).select(same))


def test_a_county_of_exactly_one_puma_has_its_share():
    allocation = allocation_frame([("county", "01", "001", "00100", 1.0), ("county", "01", "003", "00200", 1.0)])
    row = row_of(shares(mixed(), allocation=allocation), geo="003")
    alone = mixed().filter(pl.col("puma") == "00200", pl.col("gradeatt") <= 2)
    assert row["value"] == weight_of(alone.filter(pl.col("gradeatt") == 1)) / weight_of(alone)
    assert (row["estimation_area"], row["n_areas"], row["n"]) == ("puma2010-01-00200", 1, alone.height)


def test_the_2014_file_rests_on_interviews_with_a_crosswalk():
    old = [
        children(40, survey_year=y, puma_vintage=2000, gradeatt=0, puma=p) for y in (2010, 2011) for p in ("00100", "7")
    ]
    new = [children(60, survey_year=year) for year in (2012, 2013, 2014)]
    row = row_of(shares(*old, *new, year=2014))
    assert (row["n"], row["value"], row["reference_period"]) == (180, 1.0, "2012-2014")
    row = row_of(shares(*old, *new, year=2014, reproduce=REFERENCE))
    assert (row["n"], row["reference_period"]) == (260, "2010-2014")
    assert row["value"] < 1


def test_flags_of_places_as_the_reference_has_them():
    allocation = SHARED_PUMAS.with_columns(pl.lit(3, dtype=pl.Int8).alias("quality_reference"))
    for switches, quality in ((Reproduce(), 1), (Reproduce(place_quality=True), 3)):
        row = row_of(shares(mixed(), allocation=allocation, reproduce=switches), geo="07000")
        assert row["quality"] == quality


def test_years_keys_and_missing_tables():
    assert estimate(None, ONE_PUMA.lazy(), 2018).is_empty()
    assert estimate(children().lazy(), None, 2018).is_empty()
    assert shares(children(), year=2017).is_empty()
    assert catalog()["preschool"].inputs == ("acs5_persons", "puma_allocation")
    spine = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    assert sorted(shares(children())["subgroup"]) == sorted(expected_keys(PREDICTOR, 2018, spine)["subgroup"])


@pytest.mark.parametrize("geo", ["001", "003"])
def test_the_account(geo):
    row = row_of(shares(mixed(), allocation=SHARED_PUMAS), geo=geo, subgroup="$50,000 or More")
    account = explain(
        Cell(2018, "county", "01", geo, "income", "$50,000 or More", "share_in_preschool", "acs5"),
        year=2018,
        acs5_persons=mixed().lazy(),
        puma_allocation=SHARED_PUMAS.lazy(),
    )
    assert account.recomputed == row["value"]
    assert account.decisions[0].figure == row["n_effective"]
    steps = {s.name: (s.rows_in, s.rows_out) for s in account.steps}
    assert steps["ages 3 to 4"] == (180, 180)
    assert steps["not in first grade or above"] == (180, 150)
    assert account.steps[-1].rows_out == account.inputs["records"].sum() == row["n"]
    if geo == "003":
        assert account.inputs["afact"].to_list() == [0.75, 1.0]
        assert f"{row['value']:.10g}" in account.formula
