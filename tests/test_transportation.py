"""Transportation: against published figures, and rule by rule."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_support import areas, figures, published, raw_world, tables_of

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.neighborhoods import transportation
from metrics.neighborhoods.transportation import DEVIATIONS, FIGURES, Reproduce, compute, estimate
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL, RACE_SHARE
from sources import cnt_ht
from sources.framework import Retrieval, Scope
from sources.geography import geographies
from sources.registry import all_tables
from sources.synthetic import STATE_CODES

FOLDER = "06_neighborhoods/Transportation/final"
TRANSIT, COST = FIGURES
OF_COLOR, WHITE, MIXED = RACE_SHARE

# --- parity with published figures

# Cities of Virginia that are counties of their own: place code, county code.
INDEPENDENT = {
    "01000": "510",
    "16000": "550",
    "35000": "650",
    "47672": "680",
    "56000": "700",
    "57000": "710",
    "64000": "740",
    "67000": "760",
    "68000": "770",
    "76432": "800",
    "82000": "810",
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> pl.DataFrame:
    """Estimates for Massachusetts and Virginia in 2015 from the source's own files.

    The census tables of that year are not at hand: stand-ins from the source's households, so that flags say nothing.
    """
    root = tmp_path_factory.mktemp("data")
    retrieval = Retrieval(root=root, scope=Scope(("25", "51")), scratch=root / "s", mirror=mirror, offline=True)
    tracts = cnt_ht.build(2015, retrieval)
    code = ("state", "county", "tract")
    race = tracts.select(*code, people=pl.lit(1000), white_nh=pl.lit(1000)).lazy()
    housing = tracts.select(*code, housing_units="households", housing_units_moe=pl.lit(0)).lazy()
    income = geographies(2015, ("25", "51")).select("level", "state", "geo", median_income=1, median_income_moe=0)
    own = pl.DataFrame({"place": list(INDEPENDENT), "county": list(INDEPENDENT.values())})
    inside = tracts.filter(pl.col("state") == "51").join(own, on="county", how="inner")
    factors = inside.select(*code, "place", afact=1.0, afact_10k=pl.lit(10_000, pl.Int64), afact2=0.5)
    spine = geographies(2015, ("25", "51"))
    places = pl.col("geo").is_in(list(INDEPENDENT)) | (pl.col("level") == "county")
    return estimate(tracts.lazy(), race, housing, income.lazy(), factors.lazy(), spine.filter(places).lazy(), 2015)


def compared(ours: pl.DataFrame, theirs: pl.DataFrame, tolerance: float) -> tuple[int, int, pl.DataFrame]:
    both = theirs.join(ours, on=["state", "geo"], how="left", validate="1:1")
    same = both.filter((pl.col("value") - pl.col("published")).abs() <= tolerance)
    return both.height, same.height, both.join(same, on=["state", "geo"], how="anti")


@pytest.mark.parity
@pytest.mark.parametrize("metric", FIGURES)
@pytest.mark.parametrize(("state", "counties"), [("25", 14), ("51", 133)])
def test_all_counties_of_two_states_are_as_published(real, realcases, state, counties, metric):
    theirs = figures(published(realcases, f"{FOLDER}/transportation_all_county.csv.gz"), "county", metric)
    theirs = theirs.filter(pl.col("year") == 2015, pl.col("state") == state)
    ours = real.filter(pl.col("level") == "county", pl.col("subgroup") == ALL, pl.col("metric") == metric)
    rows, same, others = compared(ours, theirs, 1e-15)
    assert (rows, same) == (counties, counties), f"{same} of {rows} counties equal in {metric}; others: {others}"


@pytest.mark.parity
@pytest.mark.parametrize("metric", FIGURES)
def test_cities_that_are_counties_are_as_published(real, realcases, metric):
    """Slivers of neighboring tracts make the published places differ in the fifth digit (tract_to_place.md, 7)."""
    theirs = figures(published(realcases, f"{FOLDER}/transportation_all_city.csv.gz"), "place", metric)
    theirs = theirs.filter(pl.col("year") == 2015, pl.col("state") == "51", pl.col("geo").is_in(list(INDEPENDENT)))
    ours = real.filter(pl.col("level") == "place", pl.col("subgroup") == ALL, pl.col("metric") == metric)
    rows, same, others = compared(ours, theirs, 2e-5)
    assert (rows, same) == (11, 11), f"{same} of {rows} places within 2e-5 in {metric}; others: {others}"


@pytest.mark.parity
def test_the_two_place_files_differ_where_registered(realcases):
    alone = published(realcases, f"{FOLDER}/transportation_all_city.csv.gz")
    beside = published(realcases, f"{FOLDER}/transportation_subgroup_city.csv.gz").filter(pl.col("subgroup") == ALL)
    both = alone.join(beside, on=["year", "state", "place"], how="full", coalesce=True, validate="1:1")
    assert both.height == 1457
    different = both.filter(pl.any_horizontal(pl.col(m).ne_missing(pl.col(f"{m}_right")) for m in FIGURES))
    found = {(y, f"{s}{p}") for y, s, p in different.select("year", "state", "place").rows()}
    (entry,) = [d for d in DEVIATIONS if d.id.endswith("scientific-tract-codes")]
    assert entry.rows is not None
    assert found == {(r.year, r.geoid) for r in entry.rows}


@pytest.mark.parity
def test_the_two_county_files_agree(realcases):
    alone = published(realcases, f"{FOLDER}/transportation_all_county.csv.gz")
    beside = published(realcases, f"{FOLDER}/transportation_subgroup_county.csv.gz").filter(pl.col("subgroup") == ALL)
    assert alone.height == 9428
    assert alone.equals(beside.select(alone.columns))


@pytest.mark.parity
def test_published_places_without_figures_are_the_registered_ones(realcases):
    missing = published(realcases, f"{FOLDER}/transportation_all_city.csv.gz").filter(pl.col(TRANSIT).is_null())
    found = {(y, f"{s}{p}") for y, s, p in missing.select("year", "state", "place").rows()}
    (entry,) = [d for d in DEVIATIONS if d.id.endswith("connecticut-places-2022")]
    assert entry.rows is not None
    # South Fulton is missing on both sides: the factors know the places of 2014.
    assert found == {(r.year, r.geoid) for r in entry.rows} | {(2019, "1372122")}


@pytest.mark.parity
def test_published_flags_follow_the_rule_of_missing_values(realcases):
    """Both figures carry one flag, and a figure has a flag where it has a value."""
    for name in ("all_county", "all_city", "subgroup_county", "subgroup_city"):
        frame = published(realcases, f"{FOLDER}/transportation_{name}.csv.gz")
        assert frame.filter(pl.col(f"{TRANSIT}_quality").ne_missing(pl.col(f"{COST}_quality"))).height == 0
        assert frame.filter(pl.col(TRANSIT).is_null() != pl.col(f"{TRANSIT}_quality").is_null()).height == 0


# --- the rules, on small tables

SPINE = areas(("county", "10", "001"), ("county", "10", "003"), ("place", "10", "11111"), ("place", "10", "22222"))
OURS = Reproduce()
CODE = {"state": pl.String, "county": pl.String, "tract": pl.String}


def tract(code: str, **more: object) -> dict[str, object]:
    """A tract in all three tables; 100 households, 10 % transit, 30 % cost, White, well counted, unless said."""
    plain = {"state": "10", "county": "001", "households": 100, "transit": 10.0, "cost": 30.0, "people": 1000}
    return {**plain, "tract": code, "white": 1000, "units": 1000, "moe": 10, **more}


def result(
    *tracts: dict[str, object],
    places: list[tuple[str, str, float]] | None = None,
    income: tuple[int | None, int | None] = (60_000, 1000),
    reproduce: Reproduce = OURS,
    year: int = 2019,
    without: frozenset[str] = frozenset(),
) -> pl.DataFrame:
    listed = pl.DataFrame(list(tracts), infer_schema_length=None).with_columns(
        pl.col("transit", "cost").cast(pl.Float64),
        pl.col("households", "people", "white", "units", "moe").cast(pl.Int64),
    )
    code = tuple(CODE)
    tables = {
        "ht": listed.select(*code, "households", transit_percent="transit", cost_percent="cost"),
        "race": listed.select(*code, "people", white_nh="white"),
        "housing": listed.select(*code, housing_units="units", housing_units_moe="moe"),
    }
    for name in without - {"income"}:
        tables[name] = tables[name].clear()
    kinds = SPINE.collect().with_columns(
        median_income=pl.lit(income[0], pl.Int64), median_income_moe=pl.lit(income[1], pl.Int64)
    )
    factors = None
    if places is not None:
        factors = pl.DataFrame(places, schema=["tract", "place", "afact"], orient="row").select(
            pl.lit("10").alias("state"),
            pl.lit("001").alias("county"),
            "tract",
            "place",
            "afact",
            (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
            afact2=pl.lit(0.5),
        )
    return compute(
        tables["ht"].lazy(),
        tables["race"].lazy(),
        tables["housing"].lazy(),
        kinds.clear().lazy() if "income" in without else kinds.lazy(),
        None if factors is None else factors.lazy(),
        SPINE,
        year,
        reproduce,
    )


def cell(frame: pl.DataFrame, level: str = "county", geo: str = "001", group: str = ALL, metric: str = TRANSIT) -> dict:
    found = frame.filter(
        pl.col("level") == level, pl.col("geo") == geo, pl.col("subgroup") == group, pl.col("metric") == metric
    )
    assert found.height == 1
    return found.row(0, named=True)


def test_a_county_is_the_mean_weighted_by_households():
    frame = result(tract("000100", transit=10, cost=40), tract("000200", households=300, transit=2, cost=20))
    row = cell(frame)
    assert row["value"] == pytest.approx((100 * 10 + 300 * 2) / 400 / 100)
    assert (row["n"], row["denominator"], row["numerator"]) == (2, 400, pytest.approx(16))
    assert cell(frame, metric=COST)["value"] == pytest.approx(0.25)
    assert (row["estimation_area"], row["n_areas"], row["reference_period"]) == ("county-10001", 1, "2019")


def test_a_place_takes_its_share_of_each_tract():
    frame = result(
        tract("000100", transit=10),
        tract("000200", households=300, transit=2),
        places=[("000100", "11111", 1.0), ("000200", "11111", 0.25)],
    )
    row = cell(frame, "place", "11111")
    assert row["value"] == pytest.approx((100 * 10 + 75 * 2) / 175 / 100)
    assert row["denominator"] == 175
    assert row["allocation"] == pytest.approx(0.625)
    assert cell(frame, "place", "22222")["reason"] == "area not covered by source"
    assert cell(frame, "place", "22222", WHITE)["reason"] == "area not covered by source"


def test_tracts_without_households_or_people_do_not_count():
    frame = result(
        tract("000100"),
        tract("000200", households=0, transit=None, cost=None, moe=10_000),
        tract("000300", people=0, white=0, transit=90, moe=10_000),
    )
    assert (cell(frame)["value"], cell(frame)["n"], cell(frame)["quality"]) == (0.1, 1, 1)


def test_one_unknown_tract_leaves_a_county_without_figure_but_not_a_place():
    frame = result(
        tract("000100"),
        tract("000200", transit=None),
        places=[("000100", "11111", 1.0), ("000200", "11111", 1.0)],
    )
    assert (cell(frame)["value"], cell(frame)["reason"]) == (None, "unreliable at source")
    assert cell(frame, metric=COST)["value"] == pytest.approx(0.3)
    assert cell(frame, "place", "11111")["value"] == pytest.approx(0.1)
    assert cell(frame, "place", "11111")["denominator"] == 100


@pytest.mark.parametrize(
    ("white", "kind"), [(600, WHITE), (599, MIXED), (401, MIXED), (400, OF_COLOR), (0, OF_COLOR), (1000, WHITE)]
)
def test_kinds_of_neighborhoods(white, kind):
    frame = result(tract("000100", white=white))
    for group in RACE_SHARE:
        row = cell(frame, group=group)
        assert (row["value"], row["reason"]) == ((0.1, None) if group == kind else (None, "group not present"))
        assert row["subgroup_type"] == "race-share"


def test_groups_are_means_of_their_tracts():
    frame = result(
        tract("000100", white=900, transit=4),
        tract("000200", white=800, transit=8),
        tract("000300", white=500, transit=50),
    )
    assert cell(frame, group=WHITE)["value"] == pytest.approx(0.06)
    assert cell(frame, group=MIXED)["value"] == pytest.approx(0.5)
    assert cell(frame)["value"] == pytest.approx(62 / 300)


Z = 1.6448536269514722


@pytest.mark.parametrize(("cv", "quality"), [(0.0, 1), (0.0799, 1), (0.0801, 2), (0.1499, 2), (0.1501, 3), (2.0, 3)])
def test_quality_by_housing_units(cv, quality):
    units = 10_000_000
    row = cell(result(tract("000100", units=units, moe=round(cv * Z * units))))
    assert (row["quality"], row["reason"]) == (quality, None if quality == 1 else "high sampling error")


@pytest.mark.parametrize(("cv", "quality"), [(0.0, 1), (0.0999, 1), (0.1001, 2), (0.2999, 2), (0.3001, 3)])
def test_quality_by_median_income(cv, quality):
    median = 10_000_000
    row = cell(result(tract("000100"), income=(median, round(cv * Z * median))))
    assert (row["quality"], row["reason"]) == (quality, None if quality == 1 else "high sampling error")


@pytest.mark.parametrize("income", [(None, None), (50_000, None), (None, 100), (0, 0)])
def test_an_unknown_income_is_weak(income):
    assert cell(result(tract("000100"), income=income))["quality"] == 3


def test_no_housing_units_are_weak():
    assert cell(result(tract("000100", units=0)))["quality"] == 3
    assert cell(result(tract("000100", units=None)))["quality"] == 3
    assert cell(result(tract("000100", moe=None), tract("000200")))["quality"] == 3


def test_margins_add_as_squares_in_counties_and_whole_in_places():
    """Two tracts of 1,000 units, margins 120 and 160: 200 / 1.645 / 2000 = 0.061; in half of them 0.122."""
    tracts = (tract("000100", moe=120), tract("000200", moe=160))
    frame = result(*tracts, places=[("000100", "11111", 0.5), ("000200", "11111", 0.5)])
    assert cell(frame)["quality"] == 1
    assert cell(frame, "place", "11111")["quality"] == 2


@pytest.mark.parametrize(
    ("shares", "quality"),
    [((0.5001, 0.2), 1), ((0.5, 0.2), 2), ((1.0, 0.5, 0.1), 2), ((0.6, 0.6, 0.1, 0.1), 1), ((0.6, 0.1, 0.1), 2)],
)
def test_quality_of_places_by_tracts_mostly_inside(shares, quality):
    tracts = [tract(f"00{i}00".rjust(6, "0"), moe=0) for i in range(1, len(shares) + 1)]
    places = [(t["tract"], "11111", share) for t, share in zip(tracts, shares, strict=True)]
    row = cell(result(*tracts, places=places), "place", "11111")
    assert row["quality"] == quality
    assert row["reason"] == (None if quality == 1 else "area partly outside its sampling area")


def test_the_worst_part_counts():
    row = cell(result(tract("000100", moe=200), income=(60_000, 40_000)))
    assert row["quality"] == 3


def test_a_county_without_any_household():
    frame = result(tract("000100"), tract("000200", county="003", households=0, transit=None, cost=None))
    assert cell(frame, geo="003")["reason"] == "denominator is zero"
    assert cell(frame, geo="003", group=WHITE)["reason"] == "denominator is zero"
    assert cell(result(tract("000100")), geo="003")["reason"] == "area not covered by source"


@pytest.mark.parametrize("owed", ["ht", "race", "housing", "income"])
def test_what_rests_on_a_missing_state_is_owed(owed):
    frame = result(tract("000100"), without=frozenset({owed}))
    assert frame.filter(pl.col("value").is_not_null()).height == 0
    assert set(frame.filter(pl.col("geo") == "001", pl.col("subgroup") == ALL)["reason"]) == {"input owed"}


def test_a_missing_table_leaves_nothing_and_missing_factors_the_counties():
    table = pl.LazyFrame()
    for position in range(4):
        inputs = [None if i == position else table for i in range(4)]
        assert estimate(*inputs, None, SPINE, 2019).height == 0
    assert set(result(tract("000100"))["level"]) == {"county"}


def test_the_reference_loses_tracts_with_round_codes_in_places():
    tracts = (tract("100000", transit=90), tract("000100", transit=10))
    places = [("100000", "11111", 1.0), ("000100", "11111", 1.0)]
    assert cell(result(*tracts, places=places), "place", "11111")["value"] == pytest.approx(0.5)
    theirs = result(*tracts, places=places, reproduce=Reproduce(scientific_codes=True))
    assert cell(theirs, "place", "11111")["value"] == pytest.approx(0.1)
    assert cell(theirs)["value"] == pytest.approx(0.5)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 4000), st.integers(0, 100), st.integers(0, 1000), st.integers(1, 10_000)),
        min_size=1,
        max_size=6,
    )
)
def test_figures_lie_between_those_of_their_tracts(rows):
    tracts = [
        tract(f"{i:06d}", households=h, transit=p, cost=p, white=w) for i, (h, p, w, _) in enumerate(rows, start=1)
    ]
    places = [(f"{i:06d}", "11111", share / 10_000) for i, (_, _, _, share) in enumerate(rows, start=1)]
    frame = result(*tracts, places=places)
    shares = [p / 100 for _, p, _, _ in rows]
    everyone = frame.filter(pl.col("subgroup") == ALL, pl.col("geo").is_in(["001", "11111"]))
    assert everyone["value"].is_between(min(shares) - 1e-12, max(shares) + 1e-12).all()
    again = result(*reversed(tracts), places=list(reversed(places)))
    assert frame.equals(again)
    # Groups divide the tracts: their households add up, and their means average to the whole.
    for level, geo in (("county", "001"), ("place", "11111")):
        part = frame.filter(pl.col("level") == level, pl.col("geo") == geo, pl.col("metric") == TRANSIT)
        groups = part.filter(pl.col("subgroup") != ALL, pl.col("value").is_not_null())
        whole = part.filter(pl.col("subgroup") == ALL).row(0, named=True)
        assert groups["denominator"].sum() == pytest.approx(whole["denominator"])
        assert (groups["value"] * groups["denominator"]).sum() == pytest.approx(whole["numerator"], abs=1e-9)


# --- the whole way on synthetic files

YEARS = (2015, 2022)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_world(tmp_path_factory.mktemp("data"), YEARS, ("acs_tables", "ct_tracts", "geocorr", "cnt_ht"))


@pytest.fixture(scope="module")
def inputs(root: Path) -> dict[int, dict[str, pl.LazyFrame]]:
    return {year: tables_of(transportation, year, root) for year in YEARS}


@pytest.fixture(scope="module")
def whole(inputs: dict[int, dict[str, pl.LazyFrame]]) -> dict[int, pl.DataFrame]:
    out = {}
    for year in YEARS:
        computed = estimate(**inputs[year], year=year)
        out[year] = complete(computed, transportation.PREDICTOR, year, inputs[year]["spine"].collect())
    return out


@pytest.mark.parametrize("year", YEARS)
def test_estimates_pass_their_gate(whole, inputs, year):
    predictor = transportation.PREDICTOR
    keys = expected_keys(predictor, year, inputs[year]["spine"].collect())
    gate(whole[year], name="test", expected_keys=keys, limits=predictor.limits())
    everyone = whole[year].filter(pl.col("subgroup") == ALL)
    assert everyone.filter(pl.col("value").is_null()).height == (2 if year == 2015 else 0)
    assert set(everyone.drop_nulls("value")["quality"]) == {1, 2, 3}


def test_the_declared_tables_are_the_parameters():
    declared = {t for s in transportation.PREDICTOR.series for t in s.tables}
    assert declared | {"spine"} == set(catalog()["transportation"].inputs)


def test_a_place_that_is_a_county_has_its_figures(whole):
    """Anchorage."""
    for year, frame in whole.items():
        both = [
            frame.filter(pl.col("level") == level, pl.col("state") == "02", pl.col("geo") == geo)
            .select("subgroup", "metric", "value", "denominator")
            .sort("subgroup", "metric")
            for level, geo in (("county", "020"), ("place", "03000"))
        ]
        assert both[0].equals(both[1]), year


def test_connecticut_has_figures_in_2022_and_the_reference_has_none(whole, inputs):
    here = (pl.col("level") == "place") & (pl.col("state") == "09") & (pl.col("subgroup") == ALL)
    assert whole[2022].filter(here)["value"].null_count() == 0
    theirs = compute(**inputs[2022], year=2022, reproduce=Reproduce(without_connecticut=True))
    assert theirs.filter(here)["value"].drop_nulls().len() == 0
    elsewhere = pl.col("state") != "09"
    assert theirs.filter(elsewhere).equals(estimate(**inputs[2022], year=2022).filter(elsewhere))


@pytest.mark.parametrize("year", YEARS)
def test_explanations_recompute_the_figures(whole, inputs, year):
    frame = whole[year]
    some = pl.concat(
        [
            frame.filter(pl.col("level") == "place").gather_every(23),
            frame.filter(pl.col("value").is_null()).gather_every(97),
            frame.filter(pl.col("quality") > 1),
            frame.filter(pl.col("level") == "county").gather_every(301),
        ]
    )
    names = [f.name for f in dataclasses.fields(Cell)]
    for row in some.iter_rows(named=True):
        account = transportation.explain(Cell(**{n: row[n] for n in names}), year=year, **inputs[year])
        assert set(account.tables) <= set(all_tables())
        assert all(a.rows_out == b.rows_in for a, b in zip(account.steps, account.steps[1:], strict=False))
        if row["value"] is None:
            assert account.recomputed is None
            assert row["reason"] in account.formula
        else:
            assert account.recomputed == row["value"]
            *parts, closing = [int(d.outcome.removeprefix("quality ")) for d in account.decisions]
            assert max(parts) == closing == row["quality"]
            assert len(parts) == (2 if row["level"] == "county" else 3)
            assert account.inputs.height == row["n"]


def test_deviations_are_registered_under_their_predictor():
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    assert {d.predictor for d in DEVIATIONS} == {"transportation"}
    assert catalog()["transportation"].deviations == DEVIATIONS


def test_the_states_of_the_synthetic_world_are_all_there(whole):
    assert set(whole[2015]["state"]) == set(STATE_CODES)
