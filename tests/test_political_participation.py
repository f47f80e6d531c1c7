"""Turnout: against published figures, and rule by rule."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transport_support import areas, figures, published, raw_world, tables_of

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.governance import political_participation as turnout
from metrics.governance.political_participation import DEVIATIONS, Reproduce, compute, estimate
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from sources import mit_elections
from sources.framework import Retrieval
from sources.geography import geographies
from sources.registry import all_tables

FOLDER = "05_local-governance/voter-turnout"
METRIC = "share_election_turnout"
SMALL = "election_turnout"
OURS = Reproduce()

# --- parity with published figures


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> pl.LazyFrame:
    root = tmp_path_factory.mktemp("data")
    return mit_elections.build(2016, Retrieval(root=root, scratch=root / "s", mirror=mirror, offline=True)).lazy()


def implied_citizens(mirror: Path) -> pl.LazyFrame:
    """Votes / published turnout: it drives the code and proves nothing about the citizens. Margins are not known."""
    frame = pl.read_csv(mirror / "mit_elections" / "2000-2016" / "derived_implied_cvap_2016.csv", infer_schema=False)
    code = pl.col("FIPS").str
    return frame.select(
        pl.lit("county").alias("level"),
        state=code.head(2),
        geo=code.tail(3),
        cvap=pl.col("cvap_implied").cast(pl.Int64),
        cvap_moe=pl.lit(0, pl.Int64),
    ).lazy()


def published_2016(realcases: Path) -> pl.DataFrame:
    return figures(published(realcases, f"{FOLDER}/voter-turnout-2016.csv.gz"), "county", METRIC, SMALL)


@pytest.mark.parity
def test_votes_fit_the_published_turnout_of_every_county(votes, realcases):
    """Citizens are published in multiples of 5: votes / turnout must be one, in every county below 1."""
    both = published_2016(realcases).join(votes.collect(), on=["state", "geo"], how="left", validate="1:1")
    assert both.height == 3142
    missing = both.filter(pl.col("published").is_null())
    assert missing.height == 30
    assert missing["votes"].drop_nulls().len() == 0
    known = both.filter(pl.col("published").is_not_null())
    assert known["votes"].null_count() == 0
    below = known.filter(pl.col("published") < 1).with_columns(cvap=pl.col("votes") / pl.col("published"))
    fit = below.filter((pl.col("cvap") / 5 - (pl.col("cvap") / 5).round()).abs() < 1e-6)
    assert (below.height, fit.height) == (3108, 3108), f"{fit.height} of {below.height} counties fit"
    capped = known.filter(pl.col("published") == 1).select(pl.col("state") + pl.col("geo")).to_series()
    assert capped.sort().to_list() == ["08111", "35021", "48301", "48311"]


@pytest.mark.parity
def test_turnout_of_all_counties(votes, mirror, realcases):
    """With citizens that follow from the published turnout, the whole way gives it back; who is missing is as there."""
    spine = geographies(2016).lazy()
    ours = estimate(votes, None, implied_citizens(mirror), spine, 2016)
    both = published_2016(realcases).join(ours, on=["state", "geo"], how="left", validate="1:1")
    same = both.filter((pl.col("value") - pl.col("published")).abs() <= 1e-12)
    absent = both.filter(pl.col("value").is_null() & pl.col("published").is_null())
    rate = f"{same.height} equal and {absent.height} missing on both sides, of {both.height}"
    assert (both.height, same.height, absent.height) == (3142, 3112, 30), rate
    assert set(absent["reason"]) == {"area not covered by source"}
    assert absent.filter(pl.col("state") == "02").height == 29
    assert absent.filter(pl.col("state") != "02").select("state", "geo").rows() == [("15", "005")]


@pytest.mark.parity
def test_kansas_city_is_flagged_and_allocated_on_demand(votes, mirror, realcases):
    spine = geographies(2016, ("29",)).lazy()
    citizens = implied_citizens(mirror)
    ours = estimate(votes, None, citizens, spine, 2016)
    theirs = compute(votes, None, citizens, spine, 2016, reproduce=Reproduce(unmarked_gaps=True))
    both = ours.join(theirs, on=["state", "geo"], how="left", validate="1:1")
    assert both.filter(pl.col("value") != pl.col("value_right")).height == 0
    different = both.filter(pl.col("quality") != pl.col("quality_right"))
    (entry,) = [d for d in DEVIATIONS if d.id.endswith("kansas-city-quality")]
    assert [(2016, f"{s}{g}") for s, g in different.select("state", "geo").rows()] == [
        (r.year, r.geoid) for r in entry.rows or () if r.year == 2016
    ]
    assert different.select("value", "quality", "reason", "quality_right").rows() == [
        (pytest.approx(0.346980, abs=5e-7), 3, "low coverage", 1)
    ]
    whole = compute(votes, None, citizens, spine, 2016, add_votes_elsewhere=True).filter(pl.col("geo") == "095")
    assert whole.select("value", "numerator", "quality").rows() == [(pytest.approx(301_876 / 499_380), 301_876.0, 1)]
    # Clay, Platte and Cass, into which the city reaches, do not lack its votes: their turnout is that of the state.
    around = ours.filter(pl.col("geo").is_in(["047", "165", "037"]))["value"]
    assert around.min() > ours["value"].median()


@pytest.mark.parity
def test_figures_of_the_method_file(votes, mirror):
    found = estimate(votes, None, implied_citizens(mirror), geographies(2016).lazy(), 2016)
    by_code = {s + g: (v, n) for s, g, v, n in found.select("state", "geo", "value", "numerator").iter_rows()}
    for code, value, cast in (
        ("37067", 0.687945, 178_312),
        ("01001", 0.613738, None),
        ("06037", 0.560842, None),
        ("11001", 0.629982, None),
        ("46102", 0.327878, None),
        ("29095", 0.346980, 173_275),
        ("48301", 1.0, 65),
        ("13053", 0.158585, None),
    ):
        assert by_code[code][0] == pytest.approx(value, abs=5e-7), code
        assert cast is None or by_code[code][1] == cast
    values = found["value"].drop_nulls()
    assert (round(values.median(), 6), round(values.mean(), 6)) == (0.595241, 0.594054)


@pytest.mark.parity
def test_published_flags_and_counts(realcases):
    """What the published files themselves must hold for our rules: section 8 of the method file."""
    for year, flags, missing in ((2016, (3046, 63, 3), 30), (2020, (3021, 81, 10), 31)):
        frame = figures(published(realcases, f"{FOLDER}/voter-turnout-{year}.csv.gz"), "county", METRIC, SMALL)
        assert tuple(frame.filter(pl.col("published_quality") == q).height for q in (1, 2, 3)) == flags
        assert frame["published"].null_count() == missing
        listed = geographies(year).filter(pl.col("level") == "county")
        codes = frame.select("state", "geo")
        assert codes.join(listed, on=["state", "geo"], how="anti").height == 0
        assert codes.height == listed.height
    city = figures(published(realcases, f"{FOLDER}/voter-turnout-city-2020.csv.gz"), "place", METRIC, SMALL)
    estimated = city.filter(pl.col("state").is_in(turnout.ESTIMATED_PRECINCTS[2020]))
    assert estimated.group_by("state").len().sort("state").rows() == [("21", 2), ("34", 6)]
    assert set(estimated["published_quality"]) == {3}
    (entry,) = [d for d in DEVIATIONS if d.id.endswith("/places-above-1")]
    older = figures(published(realcases, f"{FOLDER}/data/final/voter-turnout-city-2016.csv.gz"), "place", METRIC)
    assert entry.rows == ()
    assert max(city["published"].max(), older["published"].max()) < 1


# --- counties, on small tables

SPINE = areas(("county", "10", "001"), ("county", "10", "003"), ("place", "10", "11111"), ("place", "44", "22222"))


def counties(votes: int | None, elsewhere: int = 0) -> pl.LazyFrame:
    rows = [] if votes is None else [("10", "001", votes, elsewhere, 3)]
    schema = {"state": pl.String, "geo": pl.String, "votes": pl.Int64, "votes_elsewhere": pl.Int64, "rows": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row").lazy()


def citizens(cvap: int = 100_000, moe: int = 0) -> pl.LazyFrame:
    rows = [("county", "10", "001"), ("place", "10", "11111"), ("place", "44", "22222")]
    frame = pl.DataFrame(rows, schema=["level", "state", "geo"], orient="row")
    return frame.with_columns(cvap=pl.lit(cvap, pl.Int64), cvap_moe=pl.lit(moe, pl.Int64)).lazy()


def cell(frame: pl.DataFrame, level: str = "county", geo: str = "001") -> dict:
    found = frame.filter(pl.col("level") == level, pl.col("geo") == geo)
    assert found.height == 1
    return found.row(0, named=True)


def county(votes: int | None = 60_000, *, elsewhere: int = 0, cvap: int = 100_000, moe: int = 0) -> dict:
    return cell(estimate(counties(votes, elsewhere), None, citizens(cvap, moe), SPINE, 2020))


def test_votes_over_citizens():
    row = county(moe=1645)
    assert row["value"] == 0.6
    assert (row["numerator"], row["denominator"], row["cv"]) == (60_000, 100_000, pytest.approx(0.01))
    assert (row["subgroup"], row["sample"], row["reference_period"]) == ("All", "elections", "2020")
    assert (row["estimation_area"], row["n_areas"], row["n"]) == ("county-10001", 1, None)


@pytest.mark.parametrize(("votes", "value"), [(99_999, 0.99999), (100_000, 1.0), (100_001, 1.0), (500_000, 1.0)])
def test_turnout_above_1_is_set_to_1(votes, value):
    row = county(votes)
    assert (row["value"], row["numerator"]) == (value, votes)


@pytest.mark.parametrize(
    ("moe", "quality"), [(0, 1), (8_224, 1), (8_225, 2), (8_226, 2), (24_674, 2), (24_675, 3), (99_999, 3)]
)
def test_quality_by_the_margin_of_the_citizens(moe, quality):
    """8,225 / 1.645 / 100,000 is 0.05, 24,675 / 1.645 / 100,000 is 0.15."""
    row = county(moe=moe)
    assert (row["quality"], row["reason"]) == (quality, None if quality == 1 else "high sampling error")


def test_a_county_that_lacks_votes_of_a_part_is_weak():
    row = county(elsewhere=1)
    assert (row["value"], row["quality"], row["reason"]) == (0.6, 3, "low coverage")
    tables = (counties(60_000, 20_000), None, citizens(), SPINE, 2020)
    assert cell(compute(*tables, reproduce=Reproduce(unmarked_gaps=True)))["quality"] == 1
    row = cell(compute(*tables, add_votes_elsewhere=True))
    assert (row["value"], row["quality"]) == (0.8, 1)


def test_what_is_not_there():
    assert county(None)["reason"] == "area not covered by source"
    assert county(cvap=0)["reason"] == "denominator is zero"
    assert county(0)["value"] == 0
    found = estimate(counties(5), None, citizens(), SPINE, 2020)
    assert cell(found, geo="003")["reason"] == "area not covered by source"
    assert set(found["level"]) == {"county"}
    assert estimate(counties(5), None, None, SPINE, 2020).height == 0
    assert estimate(None, None, citizens(), SPINE, 2020).height == 0


# --- places, on small tables


def precincts(*rows: tuple[float, float, float], state: str = "10", geo: str = "11111") -> pl.LazyFrame:
    """(votes, share of area, share of land)."""
    frame = pl.DataFrame(
        rows, schema={"votes": pl.Float64, "share_area": pl.Float64, "share_land": pl.Float64}, orient="row"
    )
    return (
        frame.with_row_index("precinct", offset=1)
        .select(
            pl.lit(state).alias("state"),
            pl.lit(geo).alias("geo"),
            pl.col("precinct").cast(pl.Int32),
            pl.all().exclude("precinct"),
        )
        .lazy()
    )


def place(
    *rows: tuple[float, float, float],
    cvap: int = 1000,
    moe: int = 0,
    year: int = 2016,
    reproduce: Reproduce = OURS,
    state: str = "10",
) -> dict:
    spine = areas(("place", state, "11111"))
    people = citizens(cvap, moe).with_columns(state=pl.lit(state)).filter(pl.col("geo") == "11111")
    return cell(
        compute(None, precincts(*rows, state=state), people, spine, year, reproduce=reproduce), "place", "11111"
    )


def test_a_place_takes_votes_by_land():
    rows = ((400, 1.0, 1.0), (200, 0.25, 0.5))
    row = place(*rows)
    assert (row["value"], row["numerator"], row["n"]) == (0.5, 500, 2)
    assert place(*rows, reproduce=Reproduce(whole_precincts=True))["value"] == 0.45


@pytest.mark.parametrize(
    ("share", "messiness", "quality"),
    [
        (1.0, 0.0, 1),
        (0.96, 0.04, 1),
        (0.951, 0.049, 1),
        (0.94, 0.06, 2),
        (0.901, 0.099, 2),
        (0.89, 0.11, 3),
        (0.5, 0.5, 3),
    ],
)
def test_quality_by_precincts_cut_through(share, messiness, quality):
    assert 0.5 - abs(share - 0.5) == pytest.approx(messiness)
    row = place((500, share, share))
    assert (row["quality"], row["reason"]) == (
        quality,
        None if quality == 1 else "area partly outside its sampling area",
    )


def test_messiness_is_weighted_by_the_votes_taken():
    """Slivers of large precincts outside count with the few votes that they give."""
    assert place((1000, 1.0, 1.0), (1000, 0.01, 0.01), cvap=10_000)["quality"] == 1
    # (500 x 0.5) / (1000 + 500) = 0.167
    assert place((1000, 1.0, 1.0), (1000, 0.5, 0.5), cvap=10_000)["quality"] == 3


def test_the_worst_part_counts_and_is_named():
    row = place((500, 0.94, 0.94), moe=400)
    assert (row["quality"], row["reason"]) == (3, "high sampling error")
    row = place((500, 0.94, 0.94), moe=100)
    assert (row["quality"], row["reason"]) == (2, "area partly outside its sampling area")


@pytest.mark.parametrize(
    ("state", "year", "quality"), [("21", 2020, 3), ("34", 2020, 3), ("21", 2016, 1), ("10", 2020, 1)]
)
def test_estimated_precincts_are_weak(state, year, quality):
    row = place((500, 1.0, 1.0), state=state, year=year)
    assert (row["quality"], row["reason"]) == (quality, None if quality == 1 else "estimated at source")


def test_places_are_capped_as_counties_are():
    assert place((1500, 1.0, 1.0))["value"] == 1.0
    assert place((1500, 1.0, 1.0), reproduce=Reproduce(uncapped_places=True))["value"] == 1.5


def test_a_place_whose_precincts_have_no_votes():
    row = place((0, 1.0, 1.0))
    assert (row["value"], row["quality"]) == (0.0, 3)


def test_places_of_states_without_returns_are_owed():
    found = estimate(None, precincts((500, 1.0, 1.0), geo="99999"), citizens(), SPINE, 2020)
    assert cell(found, "place", "11111")["reason"] == "area not covered by source"
    assert cell(found, "place", "22222")["reason"] == "input owed"
    assert set(found["level"]) == {"place"}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.integers(1, 50_000),
)
def test_turnout_is_a_share_and_does_not_depend_on_order(rows, cvap):
    ordered = [(float(v), min(a, b), max(a, b)) for v, a, b in rows]
    row = place(*ordered, cvap=cvap)
    assert 0 <= row["value"] <= 1
    taken = sum(v * land for v, _, land in ordered)
    assert row["numerator"] == pytest.approx(taken)
    assert row["value"] == pytest.approx(min(taken / cvap, 1))
    # Water only takes votes away.
    assert place(*ordered, cvap=cvap, reproduce=Reproduce(whole_precincts=True))["value"] <= row["value"] + 1e-12
    assert row["quality"] in (1, 2, 3)


# --- the whole way on synthetic files

YEARS = (2016, 2020)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, pl.LazyFrame]]:
    keys = ("mit_elections", "cvap", "boundaries", "vest_precincts")
    root = raw_world(tmp_path_factory.mktemp("data"), YEARS, keys)
    return {year: tables_of(turnout, year, root) for year in YEARS}


@pytest.fixture(scope="module")
def whole(inputs: dict[int, dict[str, pl.LazyFrame]]) -> dict[int, pl.DataFrame]:
    out = {}
    for year in YEARS:
        computed = estimate(**inputs[year], year=year)
        out[year] = complete(computed, turnout.PREDICTOR, year, inputs[year]["spine"].collect())
    return out


@pytest.mark.parametrize("year", YEARS)
def test_estimates_pass_their_gate(whole, inputs, year):
    keys = expected_keys(turnout.PREDICTOR, year, inputs[year]["spine"].collect())
    gate(whole[year], name="test", expected_keys=keys, limits=turnout.PREDICTOR.limits())
    missing = whole[year].filter(pl.col("value").is_null())
    assert set(missing["level"]) == {"county"}
    assert set(missing.filter(pl.col("state") != "02").select("state", "geo").rows()) == {("15", "005")}
    assert missing.filter(pl.col("state") == "02").height == (29 if year == 2016 else 30)
    crowded = cell(whole[year].filter(pl.col("state") == "56"), geo="027")
    assert (crowded["value"], crowded["numerator"] > crowded["denominator"]) == (1.0, True)
    assert {1, 2} <= set(whole[year]["quality"].drop_nulls())


def test_water_takes_votes_from_places_by_the_sea_only(whole, inputs):
    """Honolulu and Anchorage; the other places have no water."""
    for year in YEARS:
        theirs = compute(**inputs[year], year=year, reproduce=Reproduce(whole_precincts=True))
        both = whole[year].join(theirs, on=["level", "state", "geo"], how="left", validate="1:1", suffix="_theirs")
        places = both.filter(pl.col("level") == "place").with_columns(part=pl.col("value_theirs") / pl.col("value"))
        coastal = places.filter(pl.col("state").is_in(["02", "15"]))
        assert coastal.height == 2
        # Four tenths of water under one of land: 1 / 1.4 of the votes are found.
        assert coastal["part"].is_between(0.70, 0.73).all()
        assert places.filter(~pl.col("state").is_in(["02", "15"]))["part"].is_between(0.995, 1.0000001).all()


def test_the_reference_takes_citizens_of_other_years_for_places_of_2016(whole, inputs):
    theirs = compute(None, inputs[2016]["votes_place"], inputs[2020]["cvap"], inputs[2016]["spine"], 2016)
    ours = whole[2016].filter(pl.col("level") == "place")
    both = ours.join(theirs, on=["state", "geo"], how="left", validate="1:1", suffix="_theirs")
    assert both.filter(pl.col("value") == pl.col("value_theirs")).height < both.height / 10
    assert both["numerator"].equals(both["numerator_theirs"])


def test_the_declared_tables_are_the_parameters():
    declared = {t for s in turnout.PREDICTOR.series for t in s.tables}
    assert declared | {"spine"} == set(catalog()["political_participation"].inputs)


@pytest.mark.parametrize("year", YEARS)
def test_explanations_recompute_the_figures(whole, inputs, year):
    frame = whole[year]
    some = pl.concat(
        [
            frame.filter(pl.col("level") == "place").gather_every(3),
            frame.filter(pl.col("value").is_null()).gather_every(13),
            frame.filter(pl.col("quality") > 1),
            frame.filter(pl.col("level") == "county").gather_every(41),
        ]
    )
    names = [f.name for f in dataclasses.fields(Cell)]
    for row in some.iter_rows(named=True):
        account = turnout.explain(Cell(**{n: row[n] for n in names}), year=year, **inputs[year])
        assert set(account.tables) <= set(all_tables())
        if row["value"] is None:
            assert account.recomputed is None
            assert row["reason"] in account.formula
        else:
            assert account.recomputed == row["value"]
            *parts, closing = [int(d.outcome.removeprefix("quality ")) for d in account.decisions]
            assert max(parts) == closing == row["quality"]
            assert len(parts) == (2 if row["level"] == "county" else 3)
            assert account.inputs.height == (row["n"] or 1)


def test_deviations_are_registered_under_their_predictor():
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    assert {d.predictor for d in DEVIATIONS} == {"political_participation"}
    assert catalog()["political_participation"].deviations == DEVIATIONS
