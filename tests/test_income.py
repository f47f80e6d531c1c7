"""Income percentiles: parity on Alaska's households of 2018, universe, values, samples, the account of a figure."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from acs_support import ONE_PUMA, SHARED_PUMAS, households, published, row_of, split_pumas, tables, weight_of, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import allocation_frame

from metrics.acs_reference import Reproduce
from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.predictor import expected_keys
from metrics.rewarding_work.income import DEVIATIONS, PREDICTOR, estimate, explain
from schemas.errors import InputError
from sources.framework import Retrieval, Scope

METRICS = [m.column for m in PREDICTOR.metrics]
PARTS = {"": "value", "_lb": "lb", "_ub": "ub"}
FILE = "01_financial-well-being/final/metrics_income_{}_all_longitudinal"
# Codes of Alaska's file for what was one county until 2019, and the code of that year.
FORMER = {"063", "066"}
VALDEZ_CORDOVA = "261"


def percentiles(records: pl.DataFrame, allocation: pl.DataFrame = ONE_PUMA, **more: Any) -> pl.DataFrame:
    """Of the 1-year file."""
    return estimate(records.lazy(), None, allocation.lazy(), 2018, **more)


def by_group(records: pl.DataFrame, allocation: pl.DataFrame = ONE_PUMA, year: int = 2018, **more: Any) -> pl.DataFrame:
    """Of the 5-year file."""
    return estimate(None, records.lazy(), allocation.lazy(), year, **more)


# ---- parity ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alaska(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Alaska's households of 2018 through the reader of the Census files; its person file is not at hand."""
    folder = tmp_path_factory.mktemp("alaska")
    retrieval = Retrieval(
        root=folder / "data", scope=Scope(("02",)), scratch=folder / "scratch", mirror=mirror, offline=True
    )
    made = tables(retrieval, 2018, ("acs1_households",))
    assert retrieval.notes["acs states without their person file"] == ["02"]
    return made


def compared(ours: pl.DataFrame, realcases: Path, level: str) -> pl.DataFrame:
    """Published and computed figures side by side, a row per geography and metric; `same` tells whether all agree."""
    theirs = published(realcases, FILE.format(level), level).filter(year=2018, state="02")
    long = pl.concat(
        theirs.select(
            "geo",
            pl.lit(metric).alias("metric"),
            *(pl.col(f"{metric}{part}").alias(f"published_{name}") for part, name in PARTS.items()),
            pl.col(f"{metric}_quality").alias("published_quality"),
        )
        for metric in METRICS
    )
    mine = ours.filter(pl.col("level") == level, pl.col("sample") == "acs1")
    both = long.join(mine, on=["geo", "metric"], how="full", coalesce=True, validate="1:1")
    same = [
        ((pl.col(name) - pl.col(f"published_{name}")).abs() < 0.01).fill_null(False)
        | (pl.col(name).is_null() & pl.col(f"published_{name}").is_null())
        for name in PARTS.values()
    ]
    flag = pl.col("quality").cast(pl.Float64).eq_missing(pl.col("published_quality"))
    return both.with_columns(pl.all_horizontal(same).alias("figures"), flag.alias("flag"))


@pytest.mark.parity
def test_counties_of_alaska_2018(alaska, realcases):
    both = compared(whole("income", alaska, 2018), realcases, "county")
    codes = both.group_by("geo").agg(published=pl.col("published_value").len(), n=pl.col("n").count())
    assert codes.height == 31, "30 published counties, two of which were one until 2019, and that one"
    lost = both.filter(pl.col("geo").is_in([*FORMER, VALDEZ_CORDOVA]))
    assert lost["value"].null_count() == lost["published_value"].null_count() == lost.height == 9
    assert lost.filter(pl.col("geo") == VALDEZ_CORDOVA)["n_effective"].to_list() == pytest.approx([418 * 0.0586] * 3)
    wrong = both.filter(~pl.col("figures") | ~pl.col("flag"))
    assert wrong.is_empty(), f"{both.height - wrong.height} of {both.height} rows equal; {wrong}"
    assert both["value"].is_not_null().sum() == 3 * 17, "counties with figures"


@pytest.mark.parity
def test_places_of_alaska_2018(alaska, realcases):
    both = compared(whole("income", alaska, 2018), realcases, "place")
    assert both.select("geo", "metric").rows() == [("03000", metric) for metric in METRICS]
    assert both["figures"].all(), f"{both['figures'].sum()} of {both.height} rows equal"
    # Anchorage: registered as income/place-flags-before-2022.
    assert both.select("published_quality", "quality").unique().rows() == [(2.0, 1)]
    assert "income/place-flags-before-2022" in {d.id for d in DEVIATIONS}
    flagged = estimate(
        alaska["acs1_households"], None, alaska["puma_allocation"], 2018, reproduce=Reproduce(place_quality=True)
    )
    as_reference = compared(flagged, realcases, "place")
    assert as_reference["flag"].all()
    assert as_reference["figures"].all()


@pytest.mark.parity
def test_every_figure_of_alaska_explains_itself(alaska):
    rows = whole("income", alaska, 2018).filter(pl.col("sample") == "acs1")
    for row in rows.iter_rows(named=True):
        cell = Cell(2018, row["level"], "02", row["geo"], "all", "All", row["metric"], "acs1")
        account = explain(
            cell,
            year=2018,
            acs1_households=alaska["acs1_households"],
            acs5_households=None,
            puma_allocation=alaska["puma_allocation"],
        )
        assert account.recomputed == row["value"], cell
        assert account.steps[-1].rows_out == account.inputs["records"].sum() == row["n"]
        assert account.decisions[0].figure == row["n_effective"]
        if row["value"] is not None:
            assert account.inputs["at_or_below"].sum() <= account.inputs["weight"].sum()
            assert account.decisions[-2].outcome == f"lb = {row['lb']}"
            assert account.decisions[-1].outcome == f"ub = {row['ub']}"
    assert rows["value"].is_not_null().sum() == 3 * (17 + 1), "counties and one place"


@pytest.mark.parity
def test_without_the_person_file_groups_are_owed(alaska):
    """The same households as if they were the 5-year file: everybody as in the 1-year file, no group can be told."""
    made = {**alaska, "acs5_households": alaska["acs1_households"]}
    frame = whole("income", made, 2018)
    overall, five = (frame.filter(pl.col("sample") == s, pl.col("subgroup") == "All") for s in ("acs1", "acs5"))
    same = ["level", "geo", "metric", "value", "lb", "ub", "n"]
    assert five.select(same).rows() == overall.select(same).rows()
    groups = frame.filter(pl.col("subgroup") != "All")
    assert groups.height == 6 * overall.height
    assert groups["reason"].unique().to_list() == ["input owed"]
    for column in ("value", "lb", "ub", "quality", "n", "n_effective", "se"):
        assert groups[column].null_count() == groups.height
    cell = Cell(2018, "county", "02", "020", "gender", "Female", "pctl_income_50", "acs5")
    told = explain(
        cell, year=2018, acs1_households=None, **{k: made[k] for k in ("acs5_households", "puma_allocation")}
    )
    assert told.recomputed is None
    assert "No file at hand tells SEX in state 02, so this group's figures are owed." in told.notes


@pytest.mark.parity
def test_published_percentiles_are_incomes_times_one_factor(realcases):
    """What the published 1-year values are made of; it holds for ours, too, as they are equal."""
    factors = {2014: 1.008425, 2016: 1.007588, 2018: 1.013097, 2021: 1.029928, 2023: 1.019518}
    for level in ("county", "place"):
        frame = published(realcases, FILE.format(level), level)
        for year, factor in factors.items():
            of_year = frame.filter(pl.col("year") == year)
            values = pl.concat([of_year[f"{m}{part}"].alias("v") for m in METRICS for part in PARTS]).drop_nulls()
            assert ((values / factor) - (values / factor).round()).abs().max() < 1e-6
            whole_rows = of_year.drop_nulls(METRICS)
            assert (whole_rows["pctl_income_20"] <= whole_rows["pctl_income_50"]).all()
            assert (whole_rows["pctl_income_50"] <= whole_rows["pctl_income_80"]).all()


# ---- universe and value ---------------------------------------------------------------------------------------------


def test_households_count_and_group_quarters_and_vacant_units_do_not():
    counted = [households(20, gq=1, hhincome=[5_000, 10_000] * 10), households(20, hhincome=10_000)]
    counted.append(households(40, gq=2, hhincome=20_000))
    counted.append(households(40, gq=5, hhincome=30_000))
    outside = [
        households(500, gq=gq, hhincome=9_999_999, age=None, sex=None, race=None, hispan=None) for gq in (0, 3, 4)
    ]
    frame = percentiles(pl.concat([*counted, *outside]))
    assert frame["n"].to_list() == [120] * 3
    assert frame["value"].to_list() == [10_000.0, 20_000.0, 30_000.0]


def test_incomes_are_brought_to_the_year_and_may_be_zero_or_losses():
    incomes = [-8_000] * 10 + [-5_000] * 20 + [0] * 20 + [40_000] * 50 + [90_000] * 20
    frame = percentiles(households(120, hhincome=incomes, adjust=1.013097))
    assert frame["value"].to_list() == [-5_000 * 1.013097, 40_000 * 1.013097, 40_000 * 1.013097]
    assert frame["quality"].to_list() == [1, 1, 1]


def test_top_coded_incomes_count_as_they_are():
    """Only 9999999 stands for no income; whatever is below is one."""
    frame = percentiles(households(100, hhincome=[-59_999] * 15 + [-1] * 15 + [9_999_998] * 70, adjust=1.013097))
    assert frame["value"].to_list() == [-1.013097, 9_999_998 * 1.013097, 9_999_998 * 1.013097]


def test_a_household_without_an_income_is_refused():
    with pytest.raises(InputError, match="a value is missing in the universe"):
        percentiles(pl.concat([households(), households(1, hhincome=9_999_999)]))


def test_the_lowest_value_alone_above_the_wanted_weight_gives_the_second():
    """The rule of R's survey package; registered as kept."""
    frame = percentiles(households(100, hhincome=[0] * 60 + [25_000] * 10 + [50_000] * 30))
    assert row_of(frame, metric="pctl_income_20")["value"] == 25_000
    assert row_of(frame, metric="pctl_income_50")["value"] == 25_000
    assert row_of(frame, metric="pctl_income_80")["value"] == 50_000


GROUPS = [
    ({"hispan": 3, "race": 2}, "race-ethnicity", "Hispanic"),
    ({"race": 1}, "race-ethnicity", "White, Non-Hispanic"),
    ({"race": 2}, "race-ethnicity", "Black, Non-Hispanic"),
    ({"race": 7}, "race-ethnicity", "Other Races and Ethnicities"),
    ({"sex": 1}, "gender", "Male"),
    ({"sex": 2}, "gender", "Female"),
]


@pytest.mark.parametrize(("changed", "kind", "label"), GROUPS)
def test_the_group_is_that_of_the_householder(changed, kind, label):
    frame = by_group(households(**changed)).filter(pl.col("metric") == "pctl_income_50")
    sizes = {r["subgroup"]: r["n"] for r in frame.filter(pl.col("subgroup_type") == kind).iter_rows(named=True)}
    assert {name: n for name, n in sizes.items() if n} == {label: 120}
    assert row_of(frame)["n"] == 120


def test_a_household_of_unknown_race_belongs_to_no_group_but_counts_for_everybody():
    frame = by_group(pl.concat([households(60), households(40, race=None, hispan=None, sex=None)]))
    at = {"metric": "pctl_income_50"}
    assert row_of(frame, **at)["n"] == 100
    assert row_of(frame, subgroup="White, Non-Hispanic", **at)["n"] == 60
    assert frame.filter(pl.col("subgroup") == "Male")["reason"].unique().to_list() == [None]


# ---- areas, suppression, invariance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("records", "factor", "stands"), [(30, 1.0, True), (75, 0.4, True), (2999, 0.01, False)])
def test_an_effective_sample_of_thirty_is_enough(records, factor, stands):
    allocation = allocation_frame(
        [("county", "01", "001", "00100", factor), ("county", "01", "003", "00100", round(1 - factor, 4))][
            : 2 if factor < 1 else 1
        ]
    )
    row = row_of(percentiles(households(records), allocation), geo="001", metric="pctl_income_50")
    assert (row["value"] is not None) is stands
    assert row["n_effective"] == pytest.approx(records * factor, abs=1e-12)
    assert row["reason"] == (None if stands else "effective sample below 30")
    if not stands:
        hidden = ("value", "lb", "ub", "se", "quality")
        assert [row[c] for c in hidden] == [None] * 5


def various(seed: int = 7) -> pl.DataFrame:
    """Households of two PUMAs with many incomes, of men and women."""
    incomes = pl.Series(range(160)).sample(fraction=1.0, shuffle=True, seed=seed).to_list()
    return households(
        160,
        hhincome=[1_000 * i for i in incomes],
        sex=[1 + i % 2 for i in range(160)],
        puma=["00100"] * 70 + ["00200"] * 90,
    )


def test_counties_of_one_puma_have_its_figures():
    frame = percentiles(various(), SHARED_PUMAS)
    alone = percentiles(various().filter(pl.col("puma") == "00100"), ONE_PUMA)
    # 70 records times 0.25: too few for the county, although its PUMA has a figure.
    assert row_of(frame, geo="001", metric="pctl_income_50")["reason"] == "effective sample below 30"
    more = pl.concat([various(), various()])
    shared = percentiles(more, SHARED_PUMAS).filter(pl.col("geo") == "001")
    twice = percentiles(more.filter(pl.col("puma") == "00100"), ONE_PUMA)
    columns = ["metric", "value", "lb", "ub", "se", "n"]
    assert shared.select(columns).rows() == twice.select(columns).rows()
    assert shared["value"].to_list() == alone["value"].to_list()
    assert shared["estimation_area"].unique().to_list() == ["puma2010-01-00100"]


def test_each_record_weighs_by_its_factor_in_a_pooling_area():
    frame = percentiles(various(), SHARED_PUMAS)
    for geo, factors in (("003", {"00100": 7_500, "00200": 10_000}), ("07000", {"00100": 1_000, "00200": 5_000})):
        weighed = (
            various()
            .with_columns(w=pl.col("hhwt") * pl.col("puma").replace_strict(factors))
            .sort("hhincome")
            .with_columns(upto=pl.col("w").cum_sum())
        )
        for p in (20, 50, 80):
            wanted = weighed.filter(100 * pl.col("upto") > p * pl.col("w").sum())["hhincome"][0]
            assert row_of(frame, geo=geo, metric=f"pctl_income_{p}")["value"] == wanted


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_nothing_depends_on_the_order_of_records(seed):
    first, again = (
        by_group(frame, SHARED_PUMAS) for frame in (various(), various().sample(fraction=1.0, shuffle=True, seed=seed))
    )
    assert first.equals(again)


def test_nothing_depends_on_how_a_puma_is_split():
    first = by_group(various(), SHARED_PUMAS)
    again = by_group(*split_pumas(various(), SHARED_PUMAS))
    same = ["level", "geo", "subgroup", "metric", "value", "lb", "ub", "se", "n", "n_effective"]
    pooling = pl.col("geo") != "001"
    assert first.filter(pooling).select(same).equals(again.filter(pooling).select(same))


def test_percentiles_rise_and_lie_within_their_bounds():
    frame = by_group(various(), SHARED_PUMAS).drop_nulls("value")
    assert frame.height >= 12
    assert (frame["lb"].fill_null(frame["value"]) <= frame["value"]).all()
    assert (frame["ub"].fill_null(frame["value"]) >= frame["value"]).all()
    wide = frame.pivot("metric", index=["level", "geo", "subgroup"], values="value")
    assert (wide["pctl_income_20"] <= wide["pctl_income_50"]).all()
    assert (wide["pctl_income_50"] <= wide["pctl_income_80"]).all()


# ---- samples, years, register ----------------------------------------------------------------------------------------


def test_years_and_missing_tables():
    one, area = households().lazy(), ONE_PUMA.lazy()
    assert estimate(one, one, area, 2020).is_empty()
    assert estimate(None, one, area, 2019).is_empty()
    assert estimate(one, one, None, 2018).is_empty()
    both = estimate(one, one, area, 2018)
    assert both["sample"].unique().sort().to_list() == ["acs1", "acs5"]
    assert dict(both.select("sample", "reference_period").unique().iter_rows()) == {"acs1": "2018", "acs5": "2018-2018"}
    assert catalog()["income"].inputs == ("acs1_households", "acs5_households", "puma_allocation")


def file_of_2014() -> pl.DataFrame:
    """Interviews of 2010 and 2011 in PUMAs of 2000, one of whose codes is also one of 2010; poorer than later ones."""
    old = [
        households(40, survey_year=year, puma_vintage=2000, puma=puma, hhincome=[5_000, *[10_000] * 39])
        for year in (2010, 2011)
        for puma in ("00100", "00999")
    ]
    return pl.concat([*old, *(households(60, survey_year=year) for year in (2012, 2013, 2014))])


def test_interviews_in_pumas_of_2000_are_left_out_and_counted():
    row = row_of(by_group(file_of_2014(), year=2014), metric="pctl_income_20")
    assert (row["n"], row["value"], row["reference_period"]) == (180, 60_000, "2012-2014")
    cell = Cell(2014, "county", "01", "001", "all", "All", "pctl_income_20", "acs5")
    account = explain(
        cell,
        year=2014,
        acs1_households=None,
        acs5_households=file_of_2014().lazy(),
        puma_allocation=ONE_PUMA.lazy(),
    )
    assert account.recomputed == row["value"]
    assert [(s.rows_in, s.rows_out) for s in account.steps][:2] == [(340, 340), (340, 180)]


def test_the_reference_takes_their_codes_for_those_of_2010():
    frame = by_group(file_of_2014(), year=2014, reproduce=Reproduce(pumas_by_code=True))
    row = row_of(frame, metric="pctl_income_20")
    assert (row["n"], row["value"], row["reference_period"]) == (180 + 80, 10_000, "2010-2014")


def test_an_unknown_puma_is_refused():
    with pytest.raises(InputError, match=r"5 records lie in PUMAs .* 01-00999 of 2010"):
        percentiles(pl.concat([households(), households(5, puma="00999")]))


def test_the_account_of_a_pooled_figure_and_of_a_suppressed_one():
    frame = percentiles(various(), SHARED_PUMAS)
    tables_ = {"acs1_households": various().lazy(), "acs5_households": None, "puma_allocation": SHARED_PUMAS.lazy()}
    for geo, level in (("003", "county"), ("07000", "place"), ("001", "county")):
        row = row_of(frame, geo=geo, metric="pctl_income_80")
        account = explain(Cell(2018, level, "01", geo, "all", "All", "pctl_income_80", "acs1"), year=2018, **tables_)
        assert account.recomputed == row["value"]
        assert account.decisions[0].figure == row["n_effective"]
        assert account.decisions[0].outcome == ("the value stands" if geo != "001" else "the value is missing")
        if geo == "003":
            assert account.inputs.select("puma", "afact", "records").rows() == [("00100", 0.75, 70), ("00200", 1.0, 90)]
            assert account.inputs["weight"].sum() == weight_of(various())
            assert account.formula.startswith(f"pctl_income_80 = {row['value']:.10g}: of ")
            assert "wanted 0.8 x" in account.formula
    empty = {**tables_, "acs1_households": various().filter(pl.col("puma") == "00200").lazy()}
    nobody = explain(Cell(2018, "county", "01", "001", "all", "All", "pctl_income_80", "acs1"), year=2018, **empty)
    assert (nobody.recomputed, nobody.decisions[0].figure) == (None, 0.0)
    assert nobody.inputs["records"].to_list() == [0]
    elsewhere = explain(Cell(2018, "county", "01", "999", "all", "All", "pctl_income_80", "acs1"), year=2018, **tables_)
    assert elsewhere.recomputed is None
    assert elsewhere.formula.endswith("no PUMA lies in the area")


def test_the_account_names_the_rule_that_decided():
    def rule(incomes: list[int], metric: str, weights: list[int]) -> str:
        frame = households(len(incomes), hhincome=incomes).with_columns(pl.Series("hhwt", weights, dtype=pl.Int32))
        cell = Cell(2018, "county", "01", "001", "all", "All", metric, "acs1")
        frames = {"acs1_households": frame.lazy(), "acs5_households": None, "puma_allocation": ONE_PUMA.lazy()}
        account = explain(cell, year=2018, **frames)
        assert account.recomputed == row_of(percentiles(frame), metric=metric)["value"]
        return account.decisions[2].outcome

    forty = [10] * 40
    assert rule([0] * 20 + [1] * 20, "pctl_income_20", forty).startswith("even the lowest income exceeds")
    assert rule([0] * 10 + [1] * 10 + [2] * 20, "pctl_income_50", forty).endswith("k is even: income k")
    assert rule([0] * 20 + [1] * 20, "pctl_income_50", forty) == "income 2"
    assert rule([5] * 40, "pctl_income_80", forty) == "there is only one income"


def test_every_key_of_a_five_year_county_is_there():
    spine = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    wanted = expected_keys(PREDICTOR, 2018, spine).filter(pl.col("sample") == "acs5")
    found = by_group(households())
    assert sorted(found.select("subgroup", "metric").rows()) == sorted(wanted.select("subgroup", "metric").rows())
    nobody = row_of(found, subgroup="Female", metric="pctl_income_20")
    assert (nobody["n"], nobody["reason"]) == (0, "effective sample below 30")
