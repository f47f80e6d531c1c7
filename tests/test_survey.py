"""Shares: against the definition, invariances, thresholds decided exactly, degrees of freedom, faults."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import allocation_frame, plain_share, replicate_names, with_replicates

from metrics import acs_recodes, replication, survey
from metrics.areas import Areas
from metrics.cells import EVERYBODY, Filter, Grouping
from metrics.replication import Weights, rank, rank_each, t_quantile
from metrics.survey import ShareSpec, share_estimates
from schemas.errors import InputError

WEIGHTS = Weights("w", tuple(replicate_names("r")))
EVERYONE = (Filter("every record", pl.lit(True)),)
SPEC = ShareSpec("share", EVERYONE, pl.col("y"))
GROUP = Grouping("gender", ("Male", "Female"), pl.col("g"))
FIGURES = ["value", "lb", "ub", "se", "n_effective", "numerator", "denominator"]

# Two states, PUMAs shared and pooled, a place in one PUMA and one across two.
MAP = allocation_frame(
    [
        ("county", "01", "001", "00100", 0.4),
        ("county", "01", "003", "00100", 0.6),
        ("county", "01", "003", "00200", 1.0),
        ("county", "01", "005", "00300", 0.2),
        ("county", "01", "007", "00300", 0.8),
        ("county", "02", "001", "00100", 1.0),
        ("place", "01", "07000", "00100", 0.3001),
        ("place", "01", "07000", "00200", 0.0999),
        ("place", "02", "03000", "00100", 0.5),
    ]
)


def people(sizes: dict[tuple[str, str], int], seed: int = 0) -> pl.DataFrame:
    """Random records of (state, puma): y, g (0, 1 or null), weight and replicates."""
    rng = np.random.default_rng(seed)
    keys = [key for key, n in sizes.items() for _ in range(n)]
    n = len(keys)
    frame = pl.DataFrame(
        {
            "state": [k[0] for k in keys],
            "puma": [k[1] for k in keys],
            "puma_vintage": pl.Series([2010] * n, dtype=pl.Int16),
            "y": rng.random(n) < 0.7,
            "g": pl.Series(rng.choice([0, 1, 1, 2], n)).replace_strict({0: 0, 1: 1, 2: None}, return_dtype=pl.UInt8),
            "w": rng.integers(0, 300, n).astype(np.int32),
        }
    )
    return with_replicates(frame, "w", "r", seed + 1)


def shares(frame: pl.DataFrame, allocation: pl.DataFrame = MAP, spec: ShareSpec = SPEC, **more: object) -> pl.DataFrame:
    return share_estimates(frame.lazy(), allocation, [spec], weights=WEIGHTS, sample="test", **more)


SIZES = {("01", "00100"): 140, ("01", "00200"): 60, ("01", "00300"): 120, ("02", "00100"): 70}
WHOLE = people(SIZES)


def test_every_cell_follows_the_definition():
    found = shares(WHOLE)
    assert found.height == 7
    assert found["value"].null_count() == 1, "county 01-005 has 24 effective records"
    for row in found.iter_rows(named=True):
        plain = plain_share(WHOLE, MAP, (row["level"], row["state"], row["geo"]), "w", "r")
        assert row["n_effective"] == plain["n_effective"]
        assert (row["value"] is None) == (plain["value"] is None)
        if row["value"] is not None:
            assert row["value"] == pytest.approx(plain["value"], rel=1e-15)
            assert row["se"] == pytest.approx(plain["se"], rel=1e-12)
            assert row["cv"] == row["se"] / row["value"]
            assert row["value"] == pytest.approx(row["numerator"] / row["denominator"], rel=1e-12)


def test_columns_flags_areas_and_reasons():
    weak = MAP.with_columns(pl.when(pl.col("geo") == "007").then(3).otherwise("quality").cast(pl.Int8).alias("quality"))
    found = {(r["level"], r["state"], r["geo"]): r for r in shares(WHOLE, weak).iter_rows(named=True)}
    suppressed = found["county", "01", "005"]
    assert suppressed["reason"] == "effective sample below 30"
    hidden = ("value", "lb", "ub", "se", "cv", "quality", "numerator", "denominator")
    assert [suppressed[c] for c in hidden] == [None] * 8
    assert (suppressed["n"], suppressed["n_effective"]) == (120, 24.0)
    shared = found["county", "01", "007"]
    assert (shared["reason"], shared["quality"]) == ("area smaller than its sampling area", 3)
    assert (shared["estimation_area"], shared["n_areas"]) == ("puma2010-01-00300", 2)
    pooled = found["county", "01", "003"]
    assert (pooled["estimation_area"], pooled["n_areas"], pooled["reason"]) == ("county-01003", 1, None)


def test_a_county_of_one_puma_has_the_pumas_own_estimate():
    own = allocation_frame([("county", "01", f"{i:03d}", puma, 1.0) for i, (_, puma) in enumerate(list(SIZES)[:3])])
    alone = shares(WHOLE.filter(pl.col("state") == "01"), own).filter(pl.col("geo") == "002")
    within = shares(WHOLE).filter(pl.col("geo") == "007")
    assert alone.select("value", "lb", "ub", "se").rows() == within.select("value", "lb", "ub", "se").rows()
    assert within["denominator"][0] == pytest.approx(0.8 * alone["denominator"][0], rel=1e-15)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(2, 5))
def test_nothing_depends_on_row_order_or_chunks(seed, parts):
    shuffled = WHOLE.sample(fraction=1.0, shuffle=True, seed=seed % 2**31)
    size = math.ceil(shuffled.height / parts)
    chunks = pl.concat([shuffled.slice(i * size, size) for i in range(parts)], rechunk=False)
    assert shares(chunks, detail=True).equals(shares(WHOLE, detail=True))


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_nothing_depends_on_how_a_puma_is_split(data):
    """A PUMA whose people all have the same factors may be cut into two of those factors."""
    moved = data.draw(st.lists(st.booleans(), min_size=WHOLE.height, max_size=WHOLE.height))
    puma = pl.when(pl.Series(moved) & (pl.col("puma") == "00200")).then(pl.lit("00250")).otherwise("puma")
    cut = pl.concat([MAP, MAP.filter(pl.col("puma") == "00200").with_columns(pl.lit("00250").alias("puma"))])
    cut = cut.with_columns(pl.len().over("level", "state", "geo").cast(pl.Int32).alias("n_pumas"))
    split = WHOLE.with_columns(puma.alias("puma"))
    assert shares(split, cut).select(FIGURES).equals(shares(WHOLE).select(FIGURES))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_identities_of_shares(seed):
    frame = people(SIZES, seed)
    both = Grouping("all", ("All",), pl.lit(0))
    other = ShareSpec("share", EVERYONE, ~pl.col("y"), (both, GROUP))
    yes = shares(frame, spec=ShareSpec("share", EVERYONE, pl.col("y"), (both, GROUP)))
    no = shares(frame, spec=other)
    assert (yes["value"] + no["value"] - 1).abs().max() < 1e-15
    assert (yes["se"] - no["se"]).abs().max() < 1e-12
    assert yes.select((pl.col("lb") <= pl.col("value")).all() & (pl.col("value") <= pl.col("ub")).all()).item()
    groups = yes.filter(pl.col("subgroup_type") == "gender").group_by("level", "state", "geo").agg(pl.col("n").sum())
    everybody = yes.filter(pl.col("subgroup_type") == "all").join(groups, on=["level", "state", "geo"], validate="1:1")
    assert (everybody["n"] >= everybody["n_right"]).all(), "records of no group count among everybody only"


@pytest.mark.parametrize(
    ("records", "factor", "kept"),
    [(30, 1.0, True), (29, 1.0, False), (75, 0.4, True), (100, 0.3, True), (100, 0.2999, False), (2999, 0.01, False)],
)
def test_the_effective_sample_is_compared_exactly(records, factor, kept):
    allocation = allocation_frame(
        [("county", "01", "001", "00100", factor), ("county", "01", "003", "00100", 1 - factor)]
    )
    row = shares(people({("01", "00100"): records}), allocation).row(by_predicate=pl.col("geo") == "001", named=True)
    assert (row["value"] is not None) == kept
    assert row["n_effective"] == pytest.approx(records * factor)
    assert (row["n_effective"] == 30.0) == (kept and records * factor < 30.5)


def test_sums_of_several_pumas_reach_the_threshold_exactly():
    cells = [("county", "01", "001", f"{i:05d}", 0.1) for i in range(1, 31)]
    frame = people({("01", f"{i:05d}"): 10 for i in range(1, 31)})
    assert shares(frame, allocation_frame(cells))["n_effective"].to_list() == [30.0]


def test_a_factor_of_more_decimals_is_used_in_full_and_cancels():
    factor = 0.0586 * 0.0435 / 0.0595
    parts = [("county", "02", "063", "00300", factor), ("county", "02", "066", "00300", 1 - factor)]
    frame = people({("02", "00300"): 701})
    found = shares(frame, allocation_frame(parts)).filter(pl.col("geo") == "063")
    assert found["n_effective"][0] == pytest.approx(701 * factor, rel=1e-12)
    assert found["n_effective"][0] >= 30 > 700 * factor
    whole = shares(frame, allocation_frame([("county", "02", "001", "00300", 1.0)]))
    assert found["value"].to_list() == whole["value"].to_list()
    assert found["denominator"][0] == pytest.approx(whole["denominator"][0] * factor, rel=1e-12)
    with pytest.raises(InputError, match="four decimals"):
        Areas.of(allocation_frame([*parts, ("county", "02", "063", "00400", 1.0)]))


def test_one_pass_serves_metrics_with_other_universes_and_groups():
    first = ShareSpec("first", (Filter("g", pl.col("g") == 1),), pl.col("y"))
    second = ShareSpec("second", (Filter("heavy", pl.col("w") > 100),), pl.col("w") > 200, (EVERYBODY, GROUP))
    together = share_estimates(WHOLE.lazy(), MAP, [first, second], weights=WEIGHTS, sample="test", detail=True)
    apart = pl.concat([shares(WHOLE, spec=spec, detail=True) for spec in (first, second)])
    assert together.equals(apart)
    assert together.filter(pl.col("metric") == "second")["subgroup"].unique().sort().to_list() == [
        "All",
        "Female",
        "Male",
    ]


def test_degrees_of_freedom_are_those_of_the_state_that_suppression_leaves():
    found = {(r["level"], r["state"]): r["df"] for r in shares(WHOLE, detail=True).iter_rows(named=True)}
    assert found["county", "01"] == 79
    assert found["county", "02"] == 69, "70 records"
    # Group 0 of state 02 is too small; the design for the groups has the records of group 1 only.
    groups = shares(WHOLE, spec=ShareSpec("share", EVERYONE, pl.col("y"), (GROUP,)), detail=True)
    state = groups.filter(pl.col("state") == "02", pl.col("level") == "county")
    kept = WHOLE.filter(pl.col("state") == "02", pl.col("g") == 1)
    assert state.filter(pl.col("subgroup") == "Male")["value"].to_list() == [None]
    assert state.filter(pl.col("subgroup") == "Female")["df"].to_list() == [
        rank(kept.select(WEIGHTS.replicates).to_numpy()) - 1
    ]


def test_rank_from_sums_agrees_with_rank_from_records(monkeypatch):
    frame = people({("01", "00100"): 400, ("01", "00200"): 300, ("01", "00300"): 500, ("02", "00100"): 90})
    quick = shares(frame, detail=True)
    monkeypatch.setattr(survey, "certainly_full_each", lambda stack: np.zeros(stack.shape[0], dtype=bool))
    assert shares(frame, detail=True).equals(quick)


def test_open_designs_of_several_shares_are_read_once_or_a_state_at_a_time(monkeypatch):
    first = ShareSpec("first", (Filter("light", pl.col("w") < 150),), pl.col("y"), (EVERYBODY, GROUP))
    second = ShareSpec("second", (Filter("heavy", pl.col("w") > 100),), pl.col("w") > 200, (GROUP,))
    run = {"weights": WEIGHTS, "sample": "test", "detail": True}
    quick = share_estimates(WHOLE.lazy(), MAP, [first, second], **run)
    monkeypatch.setattr(survey, "certainly_full_each", lambda stack: np.zeros(stack.shape[0], dtype=bool))
    readings, read = [], survey._records_in

    def counted(pumas, *rest):
        readings.append(pumas["state"].unique().sort().to_list())
        return read(pumas, *rest)

    monkeypatch.setattr(survey, "_records_in", counted)
    assert share_estimates(WHOLE.lazy(), MAP, [first, second], **run).equals(quick)
    assert readings == [["01", "02"]]
    readings.clear()
    monkeypatch.setattr(survey, "_RECORDS_AT_ONCE", 1)
    assert share_estimates(WHOLE.lazy(), MAP, [first, second], **run).equals(quick)
    assert readings == [["01"], ["02"]]


def test_repeated_replicates_leave_fewer_degrees_of_freedom():
    frame = WHOLE.with_columns(pl.col(f"r{(i - 1) % 20 + 1}").alias(f"r{i}") for i in range(1, 81))
    assert shares(frame, detail=True)["df"].unique().to_list() == [19]
    same = WHOLE.with_columns(pl.col("w").alias(c) for c in WEIGHTS.replicates)
    found = shares(same).filter(pl.col("value").is_not_null())
    assert found["reason"].unique().to_list() == ["bound not defined"]
    assert found["lb"].null_count() == found["ub"].null_count() == found.height
    assert found["se"].unique().to_list() == [0.0]


def test_rank_of_stacks_and_of_batches(monkeypatch):
    rng = np.random.default_rng(5)
    full, repeated = rng.normal(size=(200, 80)), np.repeat(rng.normal(size=(200, 20)), 4, axis=1)
    short, zero = rng.normal(size=(40, 80)), np.zeros((3, 80))
    matrices = (full, repeated, short, zero)
    assert [rank(m) for m in matrices] == [80, 20, 40, 0]
    monkeypatch.setattr(replication, "_BATCH", 7)
    monkeypatch.setattr(replication, "PROBES", 1000)
    assert [rank(m) for m in matrices] == [80, 20, 40, 0]
    stack = np.zeros((4, 200, 80))
    for matrix, target in zip(matrices, stack, strict=True):
        target[: matrix.shape[0]] = matrix
    assert rank_each(stack, np.array([200, 200, 40, 3])).tolist() == [80, 20, 40, 0]


def test_without_replicates_there_is_no_interval():
    found = share_estimates(WHOLE.lazy(), MAP, [SPEC], weights=Weights("w"), sample="test")
    assert not {"lb", "ub", "se"} & set(found.columns)
    assert found["value"].equals(shares(WHOLE)["value"])
    assert "bound not defined" not in found["reason"].to_list()


def test_all_weights_zero_is_missing_not_zero():
    nobody = WHOLE.with_columns(pl.when(pl.col("state") == "02").then(0).otherwise("w").cast(pl.Int32).alias("w"))
    found = shares(nobody).filter(pl.col("state") == "02", pl.col("level") == "county")
    assert found.select("value", "lb", "ub", "quality", "reason").row(0) == (
        None,
        None,
        None,
        None,
        "denominator is zero",
    )


def test_states_without_records_have_no_rows():
    found = shares(WHOLE.filter(pl.col("state") == "01"))
    assert found["state"].unique().to_list() == ["01"]


def test_places_alone_leave_out_pumas_that_touch_none():
    places = MAP.filter(pl.col("level") == "place")
    only = shares(WHOLE, places)
    assert only.select(FIGURES).equals(shares(WHOLE).filter(pl.col("level") == "place").select(FIGURES))
    assert shares(WHOLE, levels=("place",)).equals(only)
    sums = survey.puma_sums(WHOLE.lazy(), Areas.of(places), [SPEC], WEIGHTS)
    assert sums.outside == SIZES["01", "00300"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"puma": pl.lit("00900")}, r"390 records lie in PUMAs .*01-00900 of 2010"),
        ({"puma_vintage": pl.lit(2000, dtype=pl.Int16)}, "of 2000"),
        ({"y": pl.lit(None, dtype=pl.Boolean)}, "outcome of share is missing"),
        ({"w": pl.lit(None, dtype=pl.Int32)}, "column w: a weight is missing"),
        ({"r80": pl.when(pl.col("g") == 1).then("r80")}, "column r80: a weight is missing"),
    ],
)
def test_faults_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        shares(WHOLE.with_columns(**changed))


def test_income_groups_and_missing_race():
    frame = pl.DataFrame(
        {
            "hhincome": [-5000, 49_999, 50_000, 9_999_999, None],
            "race": pl.Series([1, 2, 3, None, 1], dtype=pl.Int16),
            "hispan": pl.Series([0, 1, 0, None, None], dtype=pl.Int16),
        }
    )
    income, race = acs_recodes.HOUSEHOLD_INCOME, acs_recodes.RACE_ETHNICITY

    def named(grouping):
        codes = frame.select(grouping.code.alias("code"))["code"].to_list()
        return [None if code is None else grouping.labels[code] for code in codes]

    assert named(income) == ["Less than $50,000", "Less than $50,000", "$50,000 or More", None, None]
    assert named(race) == ["White, Non-Hispanic", "Hispanic", "Other Races and Ethnicities", None, None]


def test_listed_t_quantiles_are_those_of_the_library():
    from scipy.special import stdtrit

    df = np.arange(120)
    expected = np.where(df < 1, np.nan, stdtrit(np.maximum(df, 1).astype(float), 0.975))
    assert np.array_equal(t_quantile(df), expected, equal_nan=True)
    assert np.array_equal(t_quantile(df[:80].reshape(8, 10)), expected[:80].reshape(8, 10), equal_nan=True)
    assert np.isnan(t_quantile(np.array([-1, 0]))).all()
