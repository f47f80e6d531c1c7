"""Environmental quality: against published figures, and rule by rule."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_support import areas, figures, published, raw_world, tables_of

from metrics.air_toxics import HAZARDS, RECODED, ranked, recoded
from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.health import environment
from metrics.health.environment import DEVIATIONS, Reproduce, compute, estimate
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL, POVERTY, RACE_SHARE
from schemas.vintages import RENAMED_COUNTIES
from sources.geography import geographies
from sources.registry import all_tables

FOLDER = "06_neighborhoods/environment/data/final"
METRIC = "index_air_hazard"
OF_COLOR, WHITE, MIXED = RACE_SHARE
HIGH, LOW = POVERTY
TRACT = ["state", "county", "tract"]
OURS = Reproduce()

# --- parity with published figures


def tract_index(mirror: Path, year: int) -> pl.DataFrame:
    """An index of tracts as it was found (59,762 of 72,526, whole numbers)."""
    path = mirror / "airtoxscreen" / "tract-index" / "EnvHazIdx2.csv.gz"
    frame = pl.read_csv(path, infer_schema=False)
    code = pl.col("tract").str
    return frame.select(
        state=code.slice(0, 2),
        county=code.slice(2, 3),
        tract=code.slice(5, 6),
        index=pl.col(f"haz_idx{year % 100}").cast(pl.Float64),
    )


def county_means(index: pl.DataFrame, people: pl.DataFrame, year: int) -> pl.DataFrame:
    """The predictor's own means of counties, from an index and people (state, county, tract, people)."""
    race = people.select(*TRACT, "people", white_nh="people").lazy()
    poverty = people.select(*TRACT, "people", poor=pl.lit(0)).lazy()
    spine = geographies(year).filter(pl.col("level") == "county").lazy()
    found = compute(index, race, poverty, people.select(TRACT), None, spine, year)
    return found.filter(pl.col("subgroup") == ALL, pl.col("value").is_not_null())


def published_counties(realcases: Path, year: int) -> pl.DataFrame:
    frame = published(realcases, f"{FOLDER}/environment_county_longitudinal.csv.gz")
    return figures(frame, "county", METRIC).filter(pl.col("year") == year)


@pytest.mark.parity
@pytest.mark.parametrize(("year", "equal"), [(2014, 162), (2018, 95)])
def test_counties_of_one_tract_are_within_1(mirror, realcases, year, equal):
    """The index at hand is an intermediate whose tracts may be off by 1; so may a county of one tract."""
    index = tract_index(mirror, year).filter(pl.len().over("state", "county") == 1)
    index = index.join(geographies(2018).select("state", county="geo"), on=["state", "county"], how="semi")
    ours = county_means(index, index.with_columns(people=pl.lit(4000)), year)
    both = ours.join(published_counties(realcases, year), on=["state", "geo"], how="left", validate="1:1")
    known = both.drop_nulls("published")
    assert known.height == both.height
    off = (known["value"] - known["published"]).abs()
    within = int((off <= 1).sum())
    rate = f"{within} of {known.height} counties within 1, {int((off == 0).sum())} equal"
    assert (known.height, within) == (214, 214), rate
    assert int((off == 0).sum()) == equal, rate
    assert (known["quality"] == known["published_quality"]).all()


@pytest.mark.parity
@pytest.mark.parametrize("year", [2014, 2018])
def test_counties_of_many_tracts_are_within_2(mirror, realcases, year):
    """Massachusetts and Virginia, weighted by the people that another source counts there."""
    index = tract_index(mirror, year)
    people = pl.concat(
        pl.read_csv(mirror / "cnt_ht" / "2015" / name, infer_schema=False).select(
            code=pl.col("tract").str.strip_chars('"'), people=pl.col("population").cast(pl.Float64).cast(pl.Int64)
        )
        for name in ("htaindex_data_tracts_25.csv.gz", "htaindex2015_data_tracts_51.csv.gz")
    )
    code = pl.col("code").str
    people = people.select(state=code.slice(0, 2), county=code.slice(2, 3), tract=code.slice(5, 6), people="people")
    ours = county_means(index, people, year)
    both = ours.join(published_counties(realcases, year), on=["state", "geo"], how="left", validate="1:1")
    off = (both["value"] - both["published"]).abs()
    rate = f"{int((off <= 2).sum())} of {both.height} counties within 2, {int((off <= 1).sum())} within 1"
    assert (both.height, int((off <= 2).sum())) == (147, 147), rate
    assert int((off <= 1).sum()) >= 140, rate


@pytest.mark.parity
def test_published_rows_that_we_have_otherwise_are_the_registered_ones(realcases):
    registered = {d.id.split("/")[1]: {(r.year, r.geoid) for r in d.rows or ()} for d in DEVIATIONS}
    county = published(realcases, f"{FOLDER}/environment_county_longitudinal.csv.gz")
    for year in environment.YEARS:
        theirs = county.filter(pl.col("year") == year)
        codes = {f"{s}{c}" for s, c in theirs.select("state", "county").rows()}
        listed = geographies(year).filter(pl.col("level") == "county").select("state", "geo").rows()
        ours = {f"{s}{g}" for s, g in listed}
        new = set(RENAMED_COUNTIES) if year == 2014 else set()
        assert {(year, c) for c in ours - codes - new} <= registered["valdez-cordova"]
        assert {(year, c) for c in ours & new} == {r for r in registered["renamed-counties-2014"] if r[0] == year}
        assert codes - ours == (set(RENAMED_COUNTIES.values()) if year == 2014 else set())
        empty = theirs.filter(pl.col(METRIC).is_null()).select("state", "county").rows()
        assert {f"{s}{c}" for s, c in empty} == (set(RENAMED_COUNTIES.values()) if year == 2014 else set())
    place = published(realcases, f"{FOLDER}/environment_place_longitudinal.csv.gz")
    universe = pl.concat(
        geographies(year).filter(pl.col("level") == "place").select(pl.lit(year).alias("year"), "state", place="geo")
        for year in environment.YEARS
    )
    missing = universe.join(place, on=["year", "state", "place"], how="anti")
    assert {(y, f"{s}{p}") for y, s, p in missing.rows()} == registered["places-of-2010"]


@pytest.mark.parity
def test_published_flags_without_a_value_are_of_the_registered_kind(realcases):
    """The poverty file of counties is not at hand; in the others a flag always has a value."""
    for name in ("county", "place", "county_race-ethnicity", "place_race-ethnicity", "place_poverty"):
        frame = published(realcases, f"{FOLDER}/environment_{name}_longitudinal.csv.gz")
        odd = frame.filter(pl.col(METRIC).is_null() & pl.col(f"{METRIC}_quality").is_not_null())
        assert odd.height == 0, name


# --- the rank of a tract


def toxics(*rows: tuple[str, float | None, float | None, float | None]) -> pl.DataFrame:
    """(11-digit code, cancer, neurological, respiratory)."""
    return pl.DataFrame(
        [(c[:2], c[2:5], c[5:], *hazards) for c, *hazards in rows],
        schema={**dict.fromkeys(TRACT, pl.String), **dict.fromkeys(HAZARDS, pl.Float64)},
        orient="row",
    )


def codes(*tracts: str) -> pl.DataFrame:
    return pl.DataFrame([(c[:2], c[2:5], c[5:]) for c in tracts], schema=TRACT, orient="row")


def test_cleaner_air_ranks_higher_and_ties_share_the_lowest_rank():
    rows = [(f"1000100010{i}", x, x, x) for i, x in enumerate((5.0, 1.0, 3.0, 3.0, 9.0))]
    found = ranked(toxics(*rows), codes(*(c for c, *_ in rows)))
    assert found["index"].to_list() == [25.0, 100.0, 50.0, 50.0, 0.0]


def test_the_three_hazards_count_alike():
    rows = [("10001000101", 1.0, 20.0, 0.1), ("10001000102", 2.0, 10.0, 0.2), ("10001000103", 3.0, 30.0, 0.6)]
    found = ranked(toxics(*rows), codes(*(c for c, *_ in rows)))
    z = np.array([h for _, *h in rows])
    expected = -((z - z.mean(0)) / z.std(0, ddof=1)).sum(1)
    assert found["envhealth"].to_list() == pytest.approx(expected.tolist())
    assert found["index"].to_list() == [100.0, 50.0, 0.0]


def test_a_tract_that_lacks_a_hazard_has_no_index_and_no_part_in_the_ranks():
    rows = [("10001000101", 1.0, 1.0, 1.0), ("10001000102", 2.0, None, 2.0), ("10001000103", 3.0, 3.0, 3.0)]
    assert ranked(toxics(*rows), codes(*(c for c, *_ in rows)))["index"].to_list() == [100.0, None, 0.0]


def test_tracts_outside_the_list_are_not_ranked_but_those_of_other_states_are():
    rows = [("10001000101", 1.0, 1.0, 1.0), ("10001980000", 0.5, 0.5, 0.5), ("44001000101", 3.0, 3.0, 3.0)]
    found = ranked(toxics(*rows), codes("10001000101"))
    assert found.select(pl.concat_str(TRACT).alias("c"), "index").rows() == [
        ("10001000101", 100.0),
        ("44001000101", 0.0),
    ]


def test_old_codes_are_replaced_once():
    assert len(RECODED) == 21
    assert not set(RECODED) & set(RECODED.values())
    old = ["02270000100", "04019002701", "46113940800", "51515050100", "10001000100"]
    new = ["02158000100", "04019002704", "10001000100", "46102940800", "51019050100"]
    found = recoded(codes(*old))
    assert found.select(pl.concat_str(TRACT)).to_series().to_list() == new
    doubled = codes("04019002701", "04019002704").with_columns(x=pl.Series([1, 2]))
    assert recoded(doubled).rows() == [("04", "019", "002704", 2)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 20)] * 3), min_size=2, max_size=30), st.randoms())
def test_ranks_depend_on_nothing_but_the_hazards(hazards, random):
    rows = [(f"10001{i:06d}", *map(float, h)) for i, h in enumerate(hazards)]
    listed = codes(*(c for c, *_ in rows))
    found = ranked(toxics(*rows), listed)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert found.equals(ranked(toxics(*shuffled), listed))
    assert found["index"].is_between(0, 100).all()
    assert float(found["index"].min()) == 0
    # Dirtier in one hazard and no cleaner in the others: never ranked higher.
    by_code = dict(zip((c for c, *_ in rows), found["index"].to_list(), strict=True))
    for a, b in itertools.pairwise(rows):
        if all(x <= y for x, y in zip(a[1:], b[1:], strict=True)):
            assert by_code[a[0]] >= by_code[b[0]]


# --- areas, on small tables

SPINE = areas(("county", "10", "001"), ("county", "10", "003"), ("place", "10", "11111"), ("place", "10", "22222"))


def tract(code: str, index: float | None, **more: object) -> dict[str, object]:
    """A tract of 1000 people, all of them White and not poor, unless said."""
    plain = {"state": "10", "county": "001", "people": 1000, "white": 1000, "universe": 1000, "poor": 0}
    return {**plain, "tract": code, "index": index, **more}


def result(
    *tracts: dict[str, object],
    places: list[tuple[str, str, float]] | None = None,
    reproduce: Reproduce = OURS,
    year: int = 2018,
    spine: pl.LazyFrame = SPINE,
    without: str = "",
) -> pl.DataFrame:
    listed = pl.DataFrame(list(tracts), infer_schema_length=None).with_columns(
        pl.col("index").cast(pl.Float64), pl.col("people", "white", "universe", "poor").cast(pl.Int64)
    )
    race = listed.select(*TRACT, "people", white_nh="white")
    poverty = listed.select(*TRACT, people="universe", poor="poor")
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
        listed.select(*TRACT, "index"),
        (race.clear() if without == "race" else race).lazy(),
        (poverty.clear() if without == "poverty" else poverty).lazy(),
        listed.select(TRACT),
        None if factors is None else factors.lazy(),
        spine,
        year,
        reproduce,
    )


def cell(frame: pl.DataFrame, level: str = "county", geo: str = "001", group: str = ALL) -> dict:
    found = frame.filter(pl.col("level") == level, pl.col("geo") == geo, pl.col("subgroup") == group)
    assert found.height == 1
    return found.row(0, named=True)


def test_a_county_is_the_mean_weighted_by_people():
    row = cell(result(tract("000100", 10), tract("000200", 50, people=3000)))
    assert (row["value"], row["denominator"], row["n"], row["quality"]) == (40.0, 4000, 2, 1)
    assert (row["sample"], row["reference_period"], row["reason"]) == ("airtoxscreen", "2018", None)


def test_a_place_takes_its_share_of_the_people():
    frame = result(
        tract("000100", 10),
        tract("000200", 50, people=3000),
        places=[("000100", "11111", 1.0), ("000200", "11111", 0.1)],
    )
    row = cell(frame, "place", "11111")
    assert (row["value"], row["denominator"]) == (pytest.approx(19), 1300)
    assert cell(frame, "place", "22222")["reason"] == "area not covered by source"


@pytest.mark.parametrize(("indices", "value"), [((0, 1), 0.0), ((1, 2), 2.0), ((2, 3), 2.0), ((3, 4), 4.0)])
def test_halves_are_rounded_to_the_even_number(indices, value):
    assert cell(result(tract("000100", indices[0]), tract("000200", indices[1])))["value"] == value


def test_tracts_are_averaged_unrounded():
    tracts = (tract("000100", 10.4), tract("000200", 10.4), tract("000300", 10.9))
    assert cell(result(*tracts))["value"] == 11.0
    # The reference rounds to 10, 10 and 11 first.
    assert cell(result(*tracts, reproduce=Reproduce(rounded_tracts=True)))["value"] == 10.0


@pytest.mark.parametrize(
    ("white", "kind"), [(1000, WHITE), (600, WHITE), (599, MIXED), (401, MIXED), (400, OF_COLOR), (0, OF_COLOR)]
)
def test_kinds_of_neighborhoods(white, kind):
    frame = result(tract("000100", 7, white=white))
    for group in RACE_SHARE:
        row = cell(frame, group=group)
        assert (row["value"], row["reason"]) == ((7.0, None) if group == kind else (None, "group not present"))
        assert row["subgroup_type"] == "race-share"


@pytest.mark.parametrize(("poor", "kind"), [(0, LOW), (399, LOW), (400, HIGH), (401, HIGH), (1000, HIGH)])
def test_high_poverty_begins_at_40_percent(poor, kind):
    frame = result(tract("000100", 7, poor=poor))
    for group in POVERTY:
        assert cell(frame, group=group)["value"] == (7.0 if group == kind else None)
        assert cell(frame, group=group)["subgroup_type"] == "income"


def test_a_tract_of_no_kind_counts_for_everybody_only():
    frame = result(tract("000100", 10), tract("000200", 30, universe=0, poor=0))
    assert cell(frame)["value"] == 20.0
    assert cell(frame, group=LOW)["value"] == 10.0


@pytest.mark.parametrize(("people", "quality"), [(49, 1), (50, 2), (51, 2), (900, 2)])
def test_quality_by_people_in_tracts_without_an_index(people, quality):
    row = cell(result(tract("000100", 10, people=1000 - people), tract("000200", None, people=people)))
    assert (row["value"], row["quality"], row["n"]) == (10.0, quality, 1)
    assert row["reason"] == ("low coverage" if quality == 2 else None)


def test_no_index_at_all_gives_neither_value_nor_flag():
    frame = result(tract("000100", None), tract("000200", 5, poor=900))
    row = cell(frame, group=LOW)
    assert (row["value"], row["quality"], row["reason"]) == (None, None, "area not covered by source")
    assert cell(result(tract("000100", None)))["reason"] == "area not covered by source"


def test_nobody_to_weigh_with():
    assert cell(result(tract("000100", 5, people=0, white=0)))["reason"] == "denominator is zero"
    row = cell(result(tract("000100", 5), tract("000200", 5, people=None)))
    assert (row["value"], row["reason"]) == (None, "low coverage")
    frame = result(tract("000100", 5), places=[("000100", "11111", 1.0), ("009900", "11111", 0.001)])
    assert cell(frame, "place", "11111")["reason"] == "low coverage"


@pytest.mark.parametrize("owed", ["race", "poverty"])
def test_what_rests_on_a_missing_state_is_owed(owed):
    assert set(result(tract("000100", 5), without=owed)["reason"]) == {"input owed"}


def test_renamed_counties_have_figures_under_the_codes_of_the_year():
    spine = areas(("county", "46", "113"))
    renamed = {"state": "46", "county": "102"}
    listed = tract("940500", 98, **renamed)
    assert cell(result(listed, year=2014, spine=spine), geo="113")["value"] == 98.0
    assert cell(result(listed, year=2018, spine=areas(("county", "46", "102"))), geo="102")["value"] == 98.0


def test_the_reference_loses_renamed_counties_of_2014():
    listed = codes("46102940500")
    index = listed.with_columns(index=pl.lit(98.0))
    race = codes("46113940500").with_columns(people=pl.lit(100), white_nh=pl.lit(5)).lazy()
    poverty = codes("46113940500").with_columns(people=pl.lit(100), poor=pl.lit(5)).lazy()
    spine = areas(("county", "46", "113"))
    ours = compute(index, race, poverty, listed, None, spine, 2014)
    theirs = compute(index, race, poverty, listed, None, spine, 2014, Reproduce(old_census_codes=True))
    assert cell(ours, geo="113")["value"] == 98.0
    assert cell(theirs, geo="113")["value"] is None


def test_a_missing_table_leaves_nothing_and_missing_factors_the_counties():
    table = pl.LazyFrame()
    for position in range(4):
        inputs = [None if i == position else table for i in range(4)]
        assert estimate(*inputs, None, SPINE, 2018).height == 0
    assert set(result(tract("000100", 5))["level"]) == {"county"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.integers(1, 9000), st.integers(0, 1000), st.integers(1, 10_000)),
        min_size=1,
        max_size=6,
    )
)
def test_figures_lie_between_those_of_their_tracts(rows):
    tracts = [tract(f"{i:06d}", x, people=p, white=p * w // 1000) for i, (x, p, w, _) in enumerate(rows, start=1)]
    places = [(f"{i:06d}", "11111", share / 10_000) for i, (*_, share) in enumerate(rows, start=1)]
    frame = result(*tracts, places=places)
    values = frame.filter(pl.col("geo").is_in(["001", "11111"]))["value"].drop_nulls()
    indices = [x for x, *_ in rows]
    assert values.is_between(round(min(indices)) - 1, round(max(indices)) + 1).all()
    assert (values % 1 == 0).all()
    assert frame.equals(result(*reversed(tracts), places=list(reversed(places))))
    kinds = frame.filter(pl.col("level") == "county", pl.col("geo") == "001", pl.col("subgroup_type") == "race-share")
    assert kinds["denominator"].sum() == sum(p for _, p, *_ in rows)


# --- the whole way on synthetic files

YEARS = (2014, 2018)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, pl.LazyFrame]]:
    root = raw_world(tmp_path_factory.mktemp("data"), YEARS, ("acs_tables", "ct_tracts", "geocorr", "airtoxscreen"))
    return {year: tables_of(environment, year, root) for year in YEARS}


@pytest.fixture(scope="module")
def whole(inputs: dict[int, dict[str, pl.LazyFrame]]) -> dict[int, pl.DataFrame]:
    out = {}
    for year in YEARS:
        computed = estimate(**inputs[year], year=year)
        out[year] = complete(computed, environment.PREDICTOR, year, inputs[year]["spine"].collect())
    return out


@pytest.mark.parametrize("year", YEARS)
def test_estimates_pass_their_gate(whole, inputs, year):
    keys = expected_keys(environment.PREDICTOR, year, inputs[year]["spine"].collect())
    gate(whole[year], name="test", expected_keys=keys, limits=environment.PREDICTOR.limits())
    everyone = whole[year].filter(pl.col("subgroup") == ALL)
    missing = everyone.filter(pl.col("value").is_null()).select("state", "geo").rows()
    # The settlement whose only tract has no figure in the source.
    assert missing == [("15", "005")]
    assert set(everyone["quality"].drop_nulls()) == {1, 2}
    assert 40 < everyone["value"].mean() < 60


def test_the_renamed_county_has_its_figure_in_both_years(whole):
    for year, code in ((2014, "270"), (2018, "158")):
        assert cell(whole[year].filter(pl.col("state") == "02"), geo=code)["value"] is not None


def test_the_declared_tables_are_the_parameters():
    declared = {t for s in environment.PREDICTOR.series for t in s.tables}
    assert declared | {"spine"} == set(catalog()["environment"].inputs)


def test_a_place_that_is_a_county_has_its_figures(whole):
    """Anchorage."""
    for year, frame in whole.items():
        both = [
            frame.filter(pl.col("level") == level, pl.col("state") == "02", pl.col("geo") == geo)
            .select("subgroup", "value", "denominator", "quality")
            .sort("subgroup")
            for level, geo in (("county", "020"), ("place", "03000"))
        ]
        assert both[0].equals(both[1]), year


def test_rounding_twice_moves_figures_by_1_at_most(inputs):
    tables = inputs[2018]
    listed = tables["tract_county"].collect()
    index = ranked(tables["air_toxics_tracts"].collect(), listed)
    rest = (tables["acs_tract_race"], tables["acs_tract_poverty"], listed, tables["tract_place_2010"], tables["spine"])
    ours = compute(index, *rest, 2018)
    theirs = compute(index, *rest, 2018, Reproduce(rounded_tracts=True))
    keys = ["level", "state", "geo", "subgroup"]
    both = ours.join(theirs.select(*keys, theirs="value"), on=keys, how="left", validate="1:1")
    off = (both["value"] - both["theirs"]).abs().drop_nulls()
    assert off.max() == 1.0
    assert 0 < int((off == 1).sum()) < 0.2 * off.len()


@pytest.mark.parametrize("year", YEARS)
def test_explanations_recompute_the_figures(whole, inputs, year):
    frame = whole[year]
    some = pl.concat(
        [
            frame.filter(pl.col("level") == "place").gather_every(29),
            frame.filter(pl.col("value").is_null()).gather_every(97),
            frame.filter(pl.col("quality") > 1),
            frame.filter(pl.col("level") == "county").gather_every(211),
        ]
    )
    names = [f.name for f in dataclasses.fields(Cell)]
    for row in some.iter_rows(named=True):
        account = environment.explain(Cell(**{n: row[n] for n in names}), year=year, **inputs[year])
        assert set(account.tables) <= set(all_tables())
        steps = account.steps[1:]
        assert all(a.rows_out == b.rows_in for a, b in itertools.pairwise(steps))
        assert account.recomputed == row["value"]
        (decision,) = account.decisions
        if row["value"] is None:
            assert row["reason"] in account.formula
        else:
            assert decision.outcome == f"quality {row['quality']}"
            assert (decision.figure >= 0.05) == (row["quality"] == 2)
            assert account.inputs["index"].drop_nulls().len() == row["n"]
            assert set(HAZARDS) <= set(account.inputs.columns)


def test_deviations_are_registered_under_their_predictor():
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    assert {d.predictor for d in DEVIATIONS} == {"environment"}
    assert catalog()["environment"].deviations == DEVIATIONS
