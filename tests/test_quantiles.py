"""Quantiles: against the definition cell by cell, invariances, bounds, ranks of small cells, faults, real data."""

import io
import zipfile
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survey_support import (
    allocation_frame,
    county_rows,
    place_rows,
    plain_quantile,
    replicate_names,
    spine,
    with_replicates,
)

from metrics import acs_recodes, quantiles
from metrics.allocation import allocate
from metrics.cells import EVERYBODY, Filter, Grouping
from metrics.quantiles import QuantileSpec, quantile_estimates
from metrics.replication import HOUSEHOLD_WEIGHTS, Weights, rank
from schemas.errors import InputError

WEIGHTS = Weights("w", tuple(replicate_names("r")))
EVERYONE = (Filter("every record", pl.lit(True)),)
THREE = {"p20": Fraction(1, 5), "p50": Fraction(1, 2), "p80": Fraction(4, 5)}
GROUP = Grouping("gender", ("Male", "Female"), pl.col("g"))
SPEC = QuantileSpec(EVERYONE, pl.col("v"), THREE, (EVERYBODY, GROUP))
MAP = allocation_frame(
    [
        ("county", "01", "001", "00100", 0.5),
        ("county", "01", "003", "00100", 0.5),
        ("county", "01", "003", "00200", 0.7),
        ("county", "01", "005", "00200", 0.3),
        ("county", "01", "005", "00300", 1.0),
        ("county", "02", "001", "00100", 1.0),
        ("place", "01", "07000", "00100", 0.8),
        ("place", "01", "08000", "00200", 0.4),
        ("place", "01", "08000", "00300", 0.25),
    ]
)


def people(seed: int, sizes: tuple[int, int, int, int] = (90, 80, 120, 60), step: int = 1000) -> pl.DataFrame:
    """Records of three PUMAs of one state and one of another: v (heaped to `step`), g (0, 1, null), weights."""
    rng = np.random.default_rng(seed)
    keys = [("01", "00100"), ("01", "00200"), ("01", "00300"), ("02", "00100")]
    n = sum(sizes)
    frame = pl.DataFrame(
        {
            "state": np.repeat([k[0] for k in keys], sizes),
            "puma": np.repeat([k[1] for k in keys], sizes),
            "puma_vintage": pl.Series([2010] * n, dtype=pl.Int16),
            "v": np.round(rng.normal(30_000, 25_000, n) / step) * step * 1.013097,
            "g": pl.Series(rng.integers(0, 3, n)).replace_strict({0: 0, 1: 1, 2: None}, return_dtype=pl.UInt8),
            "w": rng.integers(0, 20, n).astype(np.int32) * 10,
        }
    )
    return with_replicates(frame, "w", "r", seed + 1)


WHOLE = people(1)


def estimates(
    frame: pl.DataFrame, allocation: pl.DataFrame = MAP, spec: QuantileSpec = SPEC, **more: object
) -> pl.DataFrame:
    return quantile_estimates(frame.lazy(), allocation, spec, weights=WEIGHTS, sample="test", **more)


def cell_records(frame: pl.DataFrame, row: dict) -> pl.DataFrame:
    """Records of a cell, joined to the geography, with the integer factor `f`."""
    here = MAP.filter(level=row["level"], state=row["state"], geo=row["geo"])
    joined = frame.join(here.select("state", "puma", "afact_10k"), on=["state", "puma"], how="inner", validate="m:1")
    if row["subgroup"] != "All":
        joined = joined.filter(pl.col("g") == GROUP.labels.index(row["subgroup"]))
    return joined.rename({"afact_10k": "f"})


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), step=st.sampled_from([1, 1000, 20_000]))
def test_every_cell_follows_the_definition(seed, step):
    frame = people(seed, step=step)
    found = estimates(frame, detail=True)
    assert found.height == 6 * 3 * 3
    for row in found.iter_rows(named=True):
        records = cell_records(frame, row)
        assert row["n"] == records.height
        assert row["n_effective"] == records["f"].sum() / 10_000
        if row["n_effective"] < 30:
            assert (row["value"], row["reason"]) == (None, "effective sample below 30")
            continue
        weights = (records["w"] * records["f"]).to_list()
        values = records["v"].to_list()
        assert row["value"] == plain_quantile(values, weights, THREE[row["metric"]])
        below = records["v"] <= row["value"]
        replicates = records.select(pl.col(c).cast(pl.Int64) * pl.col("f") for c in WEIGHTS.replicates)
        shares = [(column * below).sum() / column.sum() for column in replicates.get_columns()]
        share = (records["w"] * records["f"] * below).sum() / (records["w"] * records["f"]).sum()
        se = np.sqrt(4 / 80 * sum((s - share) ** 2 for s in shares))
        assert row["woodruff_f"] == pytest.approx(share, rel=1e-14)
        assert row["woodruff_se"] == pytest.approx(se, rel=1e-10)
        assert row["df"] == rank(replicates.to_numpy()) - 1
        for bound, p in (("lb", row["woodruff_p_lb"]), ("ub", row["woodruff_p_ub"])):
            if not 0 <= p <= 1:
                assert row[bound] is None
            elif abs((Fraction(p) * sum(weights)) % 1) > Fraction(1, 1000):
                assert row[bound] == plain_quantile(values, weights, Fraction(p))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_nothing_depends_on_row_order(seed):
    shuffled = WHOLE.sample(fraction=1.0, shuffle=True, seed=seed)
    assert estimates(shuffled, detail=True).equals(estimates(WHOLE, detail=True))


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_nothing_depends_on_how_a_puma_is_split(data):
    moved = data.draw(st.lists(st.booleans(), min_size=WHOLE.height, max_size=WHOLE.height))
    puma = pl.when(pl.Series(moved) & (pl.col("puma") == "00300")).then(pl.lit("00350")).otherwise("puma")
    cut = pl.concat([MAP, MAP.filter(pl.col("puma") == "00300").with_columns(pl.lit("00350").alias("puma"))])
    cut = cut.with_columns(pl.len().over("level", "state", "geo").cast(pl.Int32).alias("n_pumas"))
    figures = ["value", "lb", "ub", "n", "n_effective", "df"]
    split = estimates(WHOLE.with_columns(puma.alias("puma")), cut, detail=True)
    assert split.select(figures).equals(estimates(WHOLE, detail=True).select(figures))


def test_geographies_in_one_puma_share_its_answer():
    found = estimates(WHOLE)
    within = found.filter(pl.col("geo").is_in(["001", "07000"]), pl.col("state") == "01", pl.col("subgroup") == "All")
    assert within.height == 6
    for metric in THREE:
        assert within.filter(pl.col("metric") == metric).select("value", "lb", "ub").unique().height == 1
    own = allocation_frame([("county", "01", f"{i:03d}", f"00{i}00", 1.0) for i in (1, 2, 3)])
    alone = estimates(WHOLE.filter(pl.col("state") == "01"), own).filter(
        pl.col("geo") == "001", pl.col("subgroup") == "All"
    )
    assert (
        alone.select("value", "lb", "ub").rows()
        == within.filter(pl.col("geo") == "001").select("value", "lb", "ub").rows()
    )


def test_order_and_membership():
    found = estimates(WHOLE).filter(pl.col("value").is_not_null())
    assert set(found["value"]) | set(found["lb"].drop_nulls()) | set(found["ub"].drop_nulls()) <= set(WHOLE["v"])
    assert found.select((pl.col("lb") <= pl.col("value")).all() & (pl.col("value") <= pl.col("ub")).all()).item()
    wide = found.pivot("metric", index=["level", "state", "geo", "subgroup"], values="value")
    assert wide.select((pl.col("p20") <= pl.col("p50")).all() & (pl.col("p50") <= pl.col("p80")).all()).item()


def test_small_cells_have_their_own_degrees_of_freedom(monkeypatch):
    frame = people(3, sizes=(40, 60, 200, 60))
    found = estimates(frame, detail=True)
    few = found.filter(pl.col("geo") == "001", pl.col("state") == "02", pl.col("subgroup") == "All")
    weighted = frame.filter(pl.col("state") == "02", pl.col("w") > 0).height
    assert few["df"].unique().to_list() == [weighted - 1]
    monkeypatch.setattr(quantiles, "certainly_full_each", lambda stack: np.zeros(stack.shape[0], dtype=bool))
    assert estimates(frame, detail=True).equals(found), "the long way gives the same ranks"


def test_repeated_replicates_of_large_cells():
    frame = people(4, sizes=(300, 300, 300, 300))
    frame = frame.with_columns(pl.col(f"r{(i - 1) % 20 + 1}").alias(f"r{i}") for i in range(1, 81))
    found = estimates(frame, detail=True).filter(pl.col("value").is_not_null())
    assert found["df"].unique().to_list() == [19]


def test_no_variance_gives_the_value_itself_as_bounds():
    frame = WHOLE.with_columns(
        (pl.col("w") * (i % 7 + 1)).cast(pl.Int32).alias(c) for i, c in enumerate(WEIGHTS.replicates)
    )
    frame = pl.concat([frame, frame.with_columns(pl.col("w") * 0, pl.col(WEIGHTS.replicates[0]) * 0)])
    found = estimates(frame, detail=True).filter(pl.col("value").is_not_null(), pl.col("woodruff_se") == 0)
    assert found.filter(pl.col("df") > 0).select(pl.col("lb", "ub") == pl.col("value")).to_numpy().all()


def test_everything_suppressed_and_nothing_there():
    few = estimates(people(1, sizes=(5, 5, 5, 5)))
    assert few["value"].null_count() == few.height == 54
    assert estimates(WHOLE.clear()).is_empty()
    weightless = WHOLE.with_columns(pl.lit(0, dtype=pl.Int32).alias("w"))
    assert set(estimates(weightless)["reason"]) == {"denominator is zero", "effective sample below 30"}


def test_without_replicates_there_is_no_interval():
    found = quantile_estimates(WHOLE.lazy(), MAP, SPEC, weights=Weights("w"), sample="test")
    assert not {"lb", "ub", "se"} & set(found.columns)
    assert found["value"].equals(estimates(WHOLE)["value"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"puma": pl.lit("00900")}, "350 records lie in PUMAs"),
        ({"v": pl.lit(None, dtype=pl.Float64)}, "a value is missing"),
        ({"v": pl.lit(float("nan"))}, "a value is missing"),
        ({"w": pl.lit(None, dtype=pl.Int32)}, "a weight is missing"),
        ({"r3": pl.when(pl.col("g") == 1).then("r3")}, "column r3: a weight is missing"),
    ],
)
def test_faults_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        estimates(WHOLE.with_columns(**changed))


def test_records_that_change_their_order_are_refused():
    order = iter(range(100))

    def shuffle(frame):
        return frame.sample(fraction=1.0, shuffle=True, seed=next(order))

    lazy = WHOLE.lazy().map_batches(shuffle, projection_pushdown=False, predicate_pushdown=False)
    with pytest.raises(InputError, match="changed their order"):
        quantile_estimates(lazy, MAP, SPEC, weights=WEIGHTS, sample="test")


# ---- real microdata ------------------------------------------------------------------------------------------------


@pytest.mark.parity
def test_income_of_alaska_2018_equals_the_published_percentiles(mirror, realcases):
    with zipfile.ZipFile(mirror / "acs_pums_census" / "2018-1yr" / "csv_hak.zip") as archive:
        frame = pl.read_csv(archive.read("psam_h02.csv"), infer_schema=False)
    weights = [f"WGTP{i}" for i in ("", *range(1, 81))]
    # A household is a housing unit (TYPE 1) with people in it; its record stands for the reference person.
    households = frame.filter(pl.col("TYPE") == "1", pl.col("NP").cast(pl.Int32) > 0).select(
        pl.col("ST").str.zfill(2).alias("state"),
        pl.col("PUMA").str.zfill(5).alias("puma"),
        pl.lit(2010, dtype=pl.Int16).alias("puma_vintage"),
        pl.lit(1, dtype=pl.Int16).alias("gq"),
        pl.col("HINCP").cast(pl.Int64).alias("hhincome"),
        (pl.col("ADJINC").cast(pl.Int64) / pl.lit(1_000_000)).alias("adjust"),
        *(pl.col(o).cast(pl.Int32).alias(n) for o, n in zip(weights, HOUSEHOLD_WEIGHTS.columns, strict=True)),
    )
    allocation = allocate(county_rows(mirror), place_rows(mirror), spine(mirror, 2018), 2018).table
    probabilities = {f"pctl_income_{p}": Fraction(p, 100) for p in (20, 50, 80)}
    spec = QuantileSpec((acs_recodes.HOUSEHOLD_POPULATION,), pl.col("hhincome") * 1.013097, probabilities)
    ours = quantile_estimates(households.lazy(), allocation, spec, weights=HOUSEHOLD_WEIGHTS, sample="acs1")
    compared = 0
    for level in ("county", "place"):
        name = f"metrics_income_{level}_all_longitudinal.csv.gz"
        path = realcases / "published_files" / "raw" / "01_financial-well-being" / "final" / name
        theirs = pl.read_csv(io.BytesIO(path.read_bytes()), null_values="NA", infer_schema_length=None)
        theirs = theirs.filter(pl.col("year") == 2018, pl.col("state").cast(pl.String).str.zfill(2) == "02")
        for row in theirs.iter_rows(named=True):
            geo = str(row[level]).zfill(3 if level == "county" else 5)
            if geo in ("063", "066"):  # before 2020 the spine has 02-261 instead, see the deviations
                continue
            for metric in probabilities:
                mine = ours.row(by_predicate=(pl.col("geo") == geo) & (pl.col("metric") == metric), named=True)
                for column, theirs_column in (("value", metric), ("lb", f"{metric}_lb"), ("ub", f"{metric}_ub")):
                    a, b = mine[column], row[theirs_column]
                    assert (a is None) == (b is None), (geo, metric, column)
                    assert a is None or a == pytest.approx(b, rel=1e-12), (geo, metric, column)
                    compared += 1
                assert mine["quality"] == row[f"{metric}_quality"] or level == "place"
    assert compared == (len(ours.unique("geo")) - 1) * 9


def test_states_may_be_taken_together_or_one_by_one(monkeypatch):
    frame = people(4).sample(fraction=1.0, shuffle=True, seed=1)
    run = {"weights": WEIGHTS, "sample": "acs5", "detail": True}
    together = quantile_estimates(frame.lazy(), MAP, SPEC, **run)
    monkeypatch.setattr(quantiles, "_RECORDS_OF_STATES", 1)
    assert quantiles._ranges_of_states(frame.lazy(), MAP, SPEC) == [("01", "01"), ("02", "02")]
    assert quantile_estimates(frame.lazy(), MAP, SPEC, **run).equals(together)


@pytest.mark.parametrize("state", ["00", "015", "03"])
def test_a_state_that_no_area_has_is_refused_wherever_it_stands(monkeypatch, state):
    monkeypatch.setattr(quantiles, "_RECORDS_OF_STATES", 1)
    frame = people(4)
    stray = pl.concat([frame, frame.head(1).with_columns(pl.lit(state).alias("state"))]).lazy()
    with pytest.raises(InputError, match=f"1 records lie in PUMAs that no county .* has: {state}-00100"):
        quantile_estimates(stray, MAP, SPEC, weights=WEIGHTS, sample="acs5")
    nowhere = frame.with_columns(pl.lit(None, dtype=pl.String).alias("state")).lazy()
    with pytest.raises(InputError, match="no state"):
        quantile_estimates(nowhere, MAP, SPEC, weights=WEIGHTS, sample="acs5")
