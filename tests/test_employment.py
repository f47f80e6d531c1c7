"""Employment: parity on real microdata, recodes, the 5-year window, the account of a figure, and the gate."""

import polars as pl
import pytest
from survey_support import (
    allocation_frame,
    census_persons,
    county_rows,
    place_rows,
    spine,
    with_replicates,
)

from metrics.allocation import allocate
from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from metrics.rewarding_work.employment import PREDICTOR, estimate, explain
from schemas.errors import InputError
from schemas.estimate import gate

STATES = {"de": "10", "hi": "15", "ri": "44", "vt": "50", "wy": "56"}
BOUNDS = ("share_employed", "share_employed_lb", "share_employed_ub")


@pytest.fixture(scope="module")
def persons_2018(mirror):
    folder = mirror / "acs_pums_census" / "2018-1yr"
    return pl.concat([census_persons(folder, postal, 2018, 2010) for postal in STATES]).lazy()


@pytest.fixture(scope="module")
def allocation_2018(mirror):
    return allocate(county_rows(mirror), place_rows(mirror), spine(mirror, 2018), 2018).table.lazy()


def published(realcases, level: str) -> pl.DataFrame:
    folder = realcases / "published_files" / "raw" / "09_employment" / "data" / "final"
    frame = pl.read_csv(folder / f"metrics_employment_{level}_all_longitudinal.csv.gz", infer_schema=False)
    frame = frame.filter(pl.col("year") == "2018", pl.col("state").is_in(list(STATES.values())))
    figures = [pl.when(pl.col(c) != "NA").then(pl.col(c)).cast(pl.Float64).alias(c) for c in BOUNDS]
    flag = pl.when(pl.col("share_employed_quality") != "NA").then("share_employed_quality").cast(pl.Int8)
    return frame.select("state", pl.col(level).alias("geo"), *figures, flag.alias("flag"))


@pytest.mark.parity
@pytest.mark.parametrize(("level", "geographies", "flags"), [("county", 50, {}), ("place", 5, {"59000": (3, 1)})])
def test_2018_equals_the_published_figures(persons_2018, allocation_2018, realcases, level, geographies, flags):
    ours = estimate(persons_2018, None, allocation_2018, 2018).filter(pl.col("level") == level)
    theirs = published(realcases, level)
    both = theirs.join(ours, on=["state", "geo"], how="full", coalesce=True, validate="1:1")
    assert both.height == theirs.height == ours.height == geographies
    pairs = list(zip(BOUNDS, ("value", "lb", "ub"), strict=True))
    missing = pl.any_horizontal(pl.col(a).is_null() != pl.col(b).is_null() for a, b in pairs)
    differs = pl.any_horizontal(((pl.col(a) - pl.col(b)).abs() > 1e-9).fill_null(False) for a, b in pairs)
    wrong = both.filter(missing | differs)
    assert wrong.is_empty(), f"{both.height - wrong.height} of {both.height} equal; {wrong}"
    unequal = both.filter(pl.col("flag").ne_missing(pl.col("quality")))
    assert {row["geo"]: (row["flag"], row["quality"]) for row in unequal.iter_rows(named=True)} == flags


@pytest.mark.parity
def test_2018_passes_the_gate_and_explains_itself(persons_2018, allocation_2018, mirror):
    five = spine(mirror, 2018).filter(pl.col("state").is_in(list(STATES.values())))
    whole = complete(estimate(persons_2018, None, allocation_2018, 2018), PREDICTOR, 2018, five)
    gate(whole, name="employment", expected_keys=expected_keys(PREDICTOR, 2018, five), limits=PREDICTOR.limits())
    overall = whole.filter(pl.col("sample") == "acs1")
    assert overall["reference_period"].drop_nulls().unique().to_list() == ["2018"]
    shown = overall.filter(((pl.col("state") == "56") & pl.col("value").is_null()) | (pl.col("level") == "place"))
    assert shown.height >= 6
    for row in shown.iter_rows(named=True):
        cell = Cell(2018, row["level"], row["state"], row["geo"], "all", "All", "share_employed", "acs1")
        tables = {"acs1_persons": persons_2018, "acs5_persons": None, "puma_allocation": allocation_2018}
        account = explain(cell, year=2018, **tables)
        assert account.recomputed == row["value"], cell
        assert account.steps[-1].rows_out == account.inputs["records"].sum() == row["n"]
        assert account.decisions[0].figure == row["n_effective"]


def test_declaration_is_in_the_catalog():
    entry = catalog()["employment"]
    assert entry.inputs == ("acs1_persons", "acs5_persons", "puma_allocation")
    assert entry.built


# ---- synthetic records ---------------------------------------------------------------------------------------------

ONE_PUMA = allocation_frame([("county", "01", "001", "00100", 1.0)])


def people(n: int = 120, **changed: object) -> pl.DataFrame:
    """Employed men of 30 in a household, White, without disability; `changed` sets columns."""
    base = {
        "survey_year": 2018,
        "gq": 1,
        "age": 30,
        "empstat": 1,
        "sex": 1,
        "race": 1,
        "hispan": 0,
        **dict.fromkeys(("diffrem", "diffphys", "diffmob", "diffsens", "diffcare"), 1),
    }
    frame = pl.DataFrame({"perwt": [50 + i % 41 for i in range(n)]}).with_columns(
        pl.lit("01").alias("state"),
        pl.lit("00100").alias("puma"),
        pl.lit(2010, dtype=pl.Int16).alias("puma_vintage"),
        *(pl.lit(value, dtype=pl.Int16).alias(name) for name, value in {**base, **changed}.items()),
    )
    return with_replicates(frame.with_columns(pl.col("perwt").cast(pl.Int32)), "perwt", "repwtp", n)


def share(*parts: pl.DataFrame) -> pl.DataFrame:
    return estimate(pl.concat(parts).lazy(), None, ONE_PUMA.lazy(), 2018)


def test_universe_and_outcome():
    idle, seeking = people(60, empstat=3), people(60, empstat=2)
    outside = [people(40, age=24), people(40, age=55), people(40, gq=3), people(40, gq=4, empstat=3)]
    other = [people(30, age=25, gq=2), people(30, age=54, gq=5)]
    row = share(people(60), idle, seeking, *outside, *other).row(0, named=True)
    assert row["n"] == 240
    employed, everybody = (sum(int(p["perwt"].sum()) for p in some) for some in ((people(60), *other), ()))
    everybody = employed + int(idle["perwt"].sum()) + int(seeking["perwt"].sum())
    assert (row["numerator"], row["denominator"]) == (employed, everybody)
    assert row["value"] == employed / everybody
    assert row["quality"] == 1
    assert row["reason"] is None


def test_employment_status_must_be_known_in_the_universe():
    with pytest.raises(InputError, match="outcome of share_employed is missing"):
        share(people(), people(1, empstat=0))


GROUPS = [
    ({"hispan": 1, "race": 1}, "race-ethnicity", "Hispanic"),
    ({"hispan": 9, "race": 2}, "race-ethnicity", "Hispanic"),
    ({"race": 1}, "race-ethnicity", "White, Non-Hispanic"),
    ({"race": 2}, "race-ethnicity", "Black, Non-Hispanic"),
    ({"race": 3}, "race-ethnicity", "Other Races and Ethnicities"),
    ({"race": 9}, "race-ethnicity", "Other Races and Ethnicities"),
    ({"sex": 1}, "gender", "Male"),
    ({"sex": 2}, "gender", "Female"),
    ({"diffrem": 2}, "disability", "With Disability"),
    ({"diffphys": 2}, "disability", "With Disability"),
    ({"diffmob": 2}, "disability", "With Disability"),
    ({"diffsens": 2}, "disability", "With Disability"),
    ({"diffcare": 2}, "disability", "With Disability"),
    ({"diffrem": 0}, "disability", "Without Disability"),
    ({}, "disability", "Without Disability"),
]


@pytest.mark.parametrize(("changed", "kind", "label"), GROUPS)
def test_each_record_falls_into_its_group(changed, kind, label):
    frame = estimate(None, people(**changed).lazy(), ONE_PUMA.lazy(), 2018)
    sizes = {r["subgroup"]: r["n"] for r in frame.filter(pl.col("subgroup_type") == kind).iter_rows(named=True)}
    assert {name for name, n in sizes.items() if n} == {label}
    assert frame.filter(pl.col("subgroup") == "All")["n"].to_list() == [120]


def test_five_year_rows_cover_every_group_and_a_group_without_people_is_suppressed():
    frame = estimate(None, people().lazy(), ONE_PUMA.lazy(), 2018)
    spine_rows = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    wanted = expected_keys(PREDICTOR, 2018, spine_rows).filter(pl.col("sample") == "acs5")
    assert sorted(frame["subgroup"]) == sorted(wanted["subgroup"])
    nobody = frame.row(by_predicate=pl.col("subgroup") == "Female", named=True)
    assert (nobody["n"], nobody["value"], nobody["reason"]) == (0, None, "effective sample below 30")


def test_years_and_missing_tables():
    assert estimate(people().lazy(), None, ONE_PUMA.lazy(), 2020).is_empty()
    assert estimate(None, people().lazy(), ONE_PUMA.lazy(), 2019).is_empty()
    assert estimate(people().lazy(), people().lazy(), None, 2018).is_empty()
    both = estimate(people().lazy(), people().lazy(), ONE_PUMA.lazy(), 2018)
    assert both["sample"].unique().sort().to_list() == ["acs1", "acs5"]


def file_of_2014() -> pl.LazyFrame:
    def interviews(year, vintage, **changed):
        return people(60, survey_year=year, **changed).with_columns(
            pl.lit(vintage, dtype=pl.Int16).alias("puma_vintage")
        )

    old = [interviews(year, 2000, empstat=3) for year in (2010, 2011)]
    return pl.concat([*old, *(interviews(year, 2010) for year in (2012, 2013, 2014))]).lazy()


def test_interviews_in_pumas_of_2000_are_left_out_and_counted():
    frame = estimate(None, file_of_2014(), ONE_PUMA.lazy(), 2014)
    row = frame.row(by_predicate=pl.col("subgroup") == "All", named=True)
    assert (row["n"], row["value"], row["reference_period"]) == (180, 1.0, "2012-2014")
    cell = Cell(2014, "county", "01", "001", "race-ethnicity", "White, Non-Hispanic", "share_employed", "acs5")
    tables = {"acs1_persons": None, "acs5_persons": file_of_2014(), "puma_allocation": ONE_PUMA.lazy()}
    account = explain(cell, year=2014, **tables)
    assert [(s.rows_in, s.rows_out) for s in account.steps][:2] == [(300, 300), (300, 180)]
    assert "2010 and 2011" in account.steps[1].note
    assert account.recomputed == 1.0


def test_an_unknown_puma_is_refused():
    strange = people(5).with_columns(pl.lit("00999").alias("puma"))
    with pytest.raises(InputError, match=r"5 records lie in PUMAs .* 01-00999 of 2010"):
        share(people(), strange)
    later = people(5).with_columns(pl.lit(2020, dtype=pl.Int16).alias("puma_vintage"))
    with pytest.raises(InputError, match="01-00100 of 2020"):
        estimate(None, pl.concat([people(), later]).lazy(), ONE_PUMA.lazy(), 2018)


def test_account_of_a_pooled_geography():
    allocation = allocation_frame(
        [
            ("county", "01", "001", "00100", 0.25),
            ("county", "01", "001", "00200", 1.0),
            ("county", "01", "003", "00100", 0.75),
        ],
        quality=2,
    ).lazy()
    second = people(90, empstat=3).with_columns(pl.lit("00200").alias("puma"))
    records = pl.concat([people(), second]).lazy()
    row = estimate(records, None, allocation, 2018).row(by_predicate=pl.col("geo") == "001", named=True)
    cell = Cell(2018, "county", "01", "001", "all", "All", "share_employed", "acs1")
    account = explain(cell, year=2018, acs1_persons=records, acs5_persons=None, puma_allocation=allocation)
    assert account.recomputed == row["value"]
    assert row["reason"] == "area partly outside its sampling area"
    assert account.inputs.select("puma", "afact", "records").rows() == [("00100", 0.25, 120), ("00200", 1.0, 90)]
    assert "0.2500 x" in account.formula
    assert account.decisions[0].figure == row["n_effective"] == 120
    small = explain(cell, year=2018, acs1_persons=people(20).lazy(), acs5_persons=None, puma_allocation=allocation)
    assert small.recomputed is None
    assert small.decisions[0].outcome == "the value is missing"
