"""College: universe, attainment, groups, cut intervals, suppression, invariance, the account of a figure."""

from typing import Any

import polars as pl
import pytest
from acs_support import ONE_PUMA, SHARED_PUMAS, persons, row_of, split_pumas, weight_of
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import allocation_frame, plain_share

from metrics.acs_reference import REFERENCE
from metrics.catalog import catalog
from metrics.education.college import PREDICTOR, estimate, explain
from metrics.explanation import Cell
from metrics.predictor import expected_keys
from schemas.acs import CODES
from schemas.errors import InputError

UNKNOWN = (0, 1, 999)


def youths(n: int = 60, **changed: Any) -> pl.DataFrame:
    """Nineteen-year-olds with a diploma."""
    return persons(n, **{"age": 19, **changed})


def shares(*parts: pl.DataFrame, allocation: pl.DataFrame = ONE_PUMA, year: int = 2018, **more: Any) -> pl.DataFrame:
    return estimate(pl.concat(parts).lazy(), allocation.lazy(), year, **more)


@pytest.mark.parametrize("code", [c for c in CODES["educd"] if c not in UNKNOWN])
def test_every_attainment(code):
    """Grade 12 without a diploma (61) is the last code below the line, a diploma or GED (62) the first above."""
    frame = shares(youths(40, educd=code), youths(41, educd=2))
    row = row_of(frame)
    assert row["n"] == 81
    assert row["numerator"] == (weight_of(youths(40)) if code >= 62 else 0)


@pytest.mark.parametrize("code", [*UNKNOWN, None])
def test_an_unknown_attainment_is_refused(code):
    with pytest.raises(InputError, match="outcome of share_hs_degree is missing"):
        shares(youths(), youths(1, educd=code))
    # It does not matter at other ages.
    assert row_of(shares(youths(), youths(1, educd=code, age=18)))["n"] == 60


@pytest.mark.parametrize(("age", "counted"), [(18, False), (19, True), (20, True), (21, False)])
def test_ages_nineteen_and_twenty(age, counted):
    assert row_of(shares(youths(), youths(30, age=age)))["n"] == (90 if counted else 60)


@pytest.mark.parametrize("gq", [1, 2, 3, 4, 5])
def test_dormitories_and_prisons_count(gq):
    assert row_of(shares(youths(), youths(30, gq=gq)))["n"] == 90


GROUPS = [
    ({"hispan": 1, "race": 2}, "race-ethnicity", "Hispanic"),
    ({"hispan": 9}, "race-ethnicity", "Hispanic"),
    ({"race": 1}, "race-ethnicity", "White, Non-Hispanic"),
    ({"race": 2}, "race-ethnicity", "Black, Non-Hispanic"),
    ({"race": 8}, "race-ethnicity", "Other Races and Ethnicities"),
    ({"sex": 1}, "gender", "Male"),
    ({"sex": 2}, "gender", "Female"),
    ({"diffrem": 2}, "disability", "With Disability"),
    ({"diffphys": 2}, "disability", "With Disability"),
    ({"diffmob": 2}, "disability", "With Disability"),
    ({"diffsens": 2}, "disability", "With Disability"),
    ({"diffcare": 2}, "disability", "With Disability"),
    ({"diffrem": 0, "diffmob": 0}, "disability", "Without Disability"),
    ({}, "disability", "Without Disability"),
]


@pytest.mark.parametrize(("changed", "kind", "label"), GROUPS)
def test_groups(changed, kind, label):
    frame = shares(youths(**changed))
    sizes = {r["subgroup"]: r["n"] for r in frame.filter(pl.col("subgroup_type") == kind).iter_rows(named=True)}
    assert {name: n for name, n in sizes.items() if n} == {label: 60}


@pytest.mark.parametrize(
    ("records", "factor", "stands"), [(30, 1.0, True), (29, 1.0, False), (30, 0.9997, False), (100, 0.3, True)]
)
def test_an_effective_sample_of_thirty_is_enough(records, factor, stands):
    rest = [] if factor == 1 else [("county", "01", "003", "00100", round(1 - factor, 4))]
    allocation = allocation_frame([("county", "01", "001", "00100", factor), *rest])
    row = row_of(shares(youths(records), youths(40, age=21), allocation=allocation), geo="001")
    assert (row["value"], row["reason"]) == ((1.0, None) if stands else (None, "effective sample below 30"))
    assert (row["quality"], row["lb"], row["ub"]) == ((1, 1.0, 1.0) if stands else (None, None, None))


def test_intervals_are_cut_at_zero_and_one():
    high = row_of(shares(youths(59), youths(1, educd=61)))
    assert high["ub"] == 1.0
    assert high["lb"] < high["value"] < 1.0
    assert high["value"] + 1.990450 * high["se"] > 1.0
    low = row_of(shares(youths(1), youths(59, educd=61)))
    assert low["lb"] == 0.0
    assert low["ub"] > low["value"] > 0.0


def mixed() -> pl.DataFrame:
    """180 young people of two PUMAs, of all attainments and groups."""
    n = 180
    return persons(
        n,
        age=[19 + i % 2 for i in range(n)],
        educd=[(63, 64, 61, 65, 71, 50)[i % 6] for i in range(n)],
        sex=[1 + i // 3 % 2 for i in range(n)],
        race=[(1, 1, 2, 6)[i % 4] for i in range(n)],
        hispan=[int(i % 7 == 0) for i in range(n)],
        diffrem=[2 if i % 4 == 1 else 1 for i in range(n)],
        puma=["00100"] * 70 + ["00200"] * 110,
    )


def test_every_figure_follows_the_definition():
    records = mixed().with_columns(y=pl.col("educd") >= 62)
    groups = {
        "All": pl.lit(True),
        "Female": pl.col("sex") == 2,
        "Black, Non-Hispanic": (pl.col("hispan") == 0) & (pl.col("race") == 2),
        "With Disability": pl.col("diffrem") == 2,
        "Without Disability": pl.col("diffrem") == 1,
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
            compared += 1
    assert compared >= 7


def test_groups_add_up():
    frame = shares(mixed(), allocation=allocation_frame([("county", "01", "001", p, 1.0) for p in ("00100", "00200")]))
    everybody = row_of(frame)
    for kind in ("race-ethnicity", "gender", "disability"):
        groups = frame.filter(pl.col("subgroup_type") == kind)
        assert groups["n"].sum() == everybody["n"] == 180
        if groups["value"].null_count() == 0:
            assert groups["numerator"].sum() == everybody["numerator"]
            assert groups["denominator"].sum() == everybody["denominator"]
            assert groups["value"].min() <= everybody["value"] <= groups["value"].max()


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


def test_counties_of_one_puma_share_its_figure():
    twice = pl.concat([mixed(), mixed()])
    first = row_of(shares(twice, allocation=SHARED_PUMAS), geo="001")
    alone = row_of(shares(twice.filter(pl.col("puma") == "00100")))
    assert [first[c] for c in ("value", "n")] == [alone[c] for c in ("value", "n")]
    assert (first["estimation_area"], first["n_areas"]) == ("puma2010-01-00100", 1)
    assert first["denominator"] == 0.25 * alone["denominator"]


def test_the_2014_file_rests_on_interviews_with_a_crosswalk():
    old = [youths(40, survey_year=y, puma_vintage=2000, educd=50, puma=p) for y in (2010, 2011) for p in ("00100", "7")]
    new = [youths(60, survey_year=year) for year in (2012, 2013, 2014)]
    row = row_of(shares(*old, *new, year=2014))
    assert (row["n"], row["value"], row["reference_period"]) == (180, 1.0, "2012-2014")
    row = row_of(shares(*old, *new, year=2014, reproduce=REFERENCE))
    assert (row["n"], row["reference_period"]) == (260, "2010-2014")
    assert row["value"] < 1


def test_years_keys_and_missing_tables():
    assert estimate(None, ONE_PUMA.lazy(), 2018).is_empty()
    assert estimate(youths().lazy(), None, 2018).is_empty()
    assert shares(youths(), year=2022).is_empty()
    assert catalog()["college"].inputs == ("acs5_persons", "puma_allocation")
    spine = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    assert sorted(shares(youths())["subgroup"]) == sorted(expected_keys(PREDICTOR, 2018, spine)["subgroup"])


@pytest.mark.parametrize(("level", "geo"), [("county", "003"), ("place", "07000"), ("county", "001")])
def test_the_account(level, geo):
    row = row_of(shares(mixed(), allocation=SHARED_PUMAS), level=level, geo=geo, subgroup="Female")
    account = explain(
        Cell(2018, level, "01", geo, "gender", "Female", "share_hs_degree", "acs5"),
        year=2018,
        acs5_persons=pl.concat([mixed(), youths(25, age=50)]).lazy(),
        puma_allocation=SHARED_PUMAS.lazy(),
    )
    assert account.recomputed == row["value"]
    assert account.decisions[0].figure == row["n_effective"]
    assert (account.steps[1].name, account.steps[1].rows_in, account.steps[1].rows_out) == ("ages 19 to 20", 205, 180)
    assert account.steps[-1].rows_out == account.inputs["records"].sum() == row["n"]
    assert account.tables == ("acs5_persons", "puma_allocation")
