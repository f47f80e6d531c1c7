"""Synthetic microdata through readers, gates and estimates: income, preschool, college and digital access."""

from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl
import pytest
from acs_support import tables, whole

from metrics.catalog import catalog
from metrics.explanation import Cell
from sources.framework import Retrieval, Scope
from sources.synthetic import writers
from sources.synthetic.world import World

YEARS = (2014, 2018, 2023)
STATES = ("09", "37")  # Connecticut with its regions, North Carolina
KEYS = ("income", "preschool", "college", "digital_access")
CASES = [(key, year) for key in KEYS for year in YEARS if year in catalog()[key].predictor.years]

Made = Callable[[int], dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Tables of a year, from files written once."""
    root = tmp_path_factory.mktemp("synthetic")
    world = World(20250101, YEARS)
    for source in ("acs_pums_census", "geocorr", "popest"):
        writers()[source](root / "raw", world)

    @cache
    def of_year(year: int) -> dict[str, Any]:
        retrieval = Retrieval(root=root, scope=Scope(STATES), scratch=root / "scratch", synthetic=True)
        names = ("acs1_households", "acs5_households", "acs5_persons")
        found = tables(retrieval, year, names)
        assert not [note for note in retrieval.notes if "without their" in note]
        return found

    return of_year


def estimates(made: Made, key: str, year: int, cached: dict[tuple[str, int], pl.DataFrame] = {}) -> pl.DataFrame:  # noqa: B006
    if (key, year) not in cached:
        cached[key, year] = whole(key, made(year), year)
    return cached[key, year]


@pytest.mark.parametrize(("key", "year"), CASES)
def test_every_area_has_its_rows_and_the_gate_lets_them_pass(made: Made, key: str, year: int) -> None:
    frame = estimates(made, key, year)
    spine = made(year)["spine"]
    cells = {(s.sample, k, label) for s, _, k, label, _ in catalog()[key].predictor.cells(year)}
    assert frame.height == spine.height * len(cells) * len(catalog()[key].predictor.metrics)
    assert "input owed" not in frame["reason"].to_list()
    forsyth = frame.filter(pl.col("state") == "37", pl.col("geo") == "067", pl.col("subgroup") == "All")
    assert forsyth["value"].null_count() == 0
    assert forsyth["quality"].to_list() == [1] * forsyth.height
    period = "2012-2014" if year == 2014 else f"{year - 4}-{year}"
    assert set(frame.filter(pl.col("sample") == "acs5")["reference_period"].drop_nulls()) == {period}
    if key == "digital_access":
        assert frame.filter(pl.col("subgroup") == "All")["value"].null_count() == 0
        assert frame.select(pl.col("lb", "ub", "se").null_count()).row(0) == (frame.height,) * 3
    else:
        assert {"effective sample below 30"} < set(frame["reason"]) | {None}
        bounded = frame.filter(pl.col("value").is_not_null(), pl.col("reason").ne_missing("bound not defined"))
        assert bounded.select(pl.col("lb", "ub", "se").null_count()).row(0) == (0, 0, 0)
        assert bounded.filter((pl.col("lb") > pl.col("value")) | (pl.col("ub") < pl.col("value"))).is_empty()


@pytest.mark.parametrize(("key", "year"), CASES)
def test_areas_of_one_estimation_area_share_their_figures(made: Made, key: str, year: int) -> None:
    frame = estimates(made, key, year).drop_nulls("value")
    cell = ["level", "estimation_area", "sample", "subgroup", "metric"]
    spread = frame.group_by(cell).agg(pl.col("value", "lb", "ub", "se", "n").n_unique())
    assert spread.select(pl.col("value", "lb", "ub", "se", "n").max()).row(0) == (1,) * 5
    sizes = frame.group_by(cell).agg(pl.len(), pl.col("n_areas").first())
    assert (sizes["len"] <= sizes["n_areas"]).all()


@pytest.mark.parametrize(("key", "year"), CASES)
def test_figures_explain_themselves(made: Made, key: str, year: int) -> None:
    entry = catalog()[key]
    assert entry.explain is not None
    frame = estimates(made, key, year)
    # One of each kind: sample, level, whether it is a group, and whether and why it is missing or weak.
    kinds = ["sample", "level", pl.col("subgroup_type") == "all", "reason"]
    for row in frame.filter(pl.struct(kinds).is_first_distinct()).iter_rows(named=True):
        cell = Cell(year, *(row[c] for c in ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")))
        account = entry.explain(cell, year=year, **{name: made(year).get(name) for name in entry.inputs})
        assert account.recomputed == row["value"], cell
        assert account.inputs["records"].sum() == account.steps[-1].rows_out == row["n"], cell
        assert account.inputs.height == 0 or account.inputs["afact"].min() > 0


def test_connecticut_has_its_counties_and_then_its_regions(made: Made) -> None:
    for year, codes in ((2018, {"001", "015"}), (2023, {"110", "190"})):
        frame = estimates(made, "digital_access", year)
        here = frame.filter(pl.col("state") == "09", pl.col("level") == "county", pl.col("subgroup") == "All")
        assert codes < set(here["geo"])
        assert here.height == (8 if year == 2018 else 9)
        assert here["value"].null_count() == 0


def test_shares_of_groups_lie_around_that_of_everybody(made: Made) -> None:
    for key, kind in (("preschool", "income"), ("college", "gender"), ("digital_access", "income")):
        frame = estimates(made, key, 2018)
        groups = (
            frame.filter(pl.col("subgroup_type") == kind)
            .group_by("level", "state", "geo")
            .agg(
                pl.col("value").min().alias("low"),
                pl.col("value").max().alias("high"),
                pl.col("value").null_count().alias("missing"),
            )
        )
        everybody = frame.filter(pl.col("subgroup") == "All").select("level", "state", "geo", "value")
        both = everybody.join(groups, on=["level", "state", "geo"], validate="1:1").filter(pl.col("missing") == 0)
        # Children without household income belong to neither group, but to everybody.
        slack = 0.02 if key == "preschool" else 1e-12
        assert both.height > 0
        assert both.filter(~pl.col("value").is_between(pl.col("low") - slack, pl.col("high") + slack)).is_empty()
