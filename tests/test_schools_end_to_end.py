"""Both school predictors on synthetic files: reader, gate of the table, estimate, completion, gate of the estimates."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from pipelines.derived import table
from pipelines.engine import gate_table
from schemas.estimate import KEY, gate
from sources.framework import Retrieval, Scope, Source, Table
from sources.registry import all_sources, all_tables
from sources.synthetic import STATE_CODES, ccd, meps, popest, seda
from sources.synthetic.world import World

YEARS = (2014, 2015, 2016, 2018, 2020)
SCHOOLS = ("school_directory", "school_enrollment", "school_poverty")


@pytest.fixture(scope="module")
def world() -> World:
    world = World(20250101, YEARS)
    world.prepare()
    return world


@pytest.fixture(scope="module")
def data(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for writer in (ccd, meps, seda, popest):
        writer.write(root / "raw", world)
    return root


def built(data: Path, name: str, year: int, states: tuple[str, ...] = STATE_CODES) -> tuple[pl.LazyFrame, Retrieval]:
    retrieval = Retrieval(root=data, scope=Scope(states), scratch=data / "scratch", synthetic=True)
    found = table(name)
    assert isinstance(found, Table)
    frame = found.build(year, retrieval)
    gate_table(frame, found.model, name, rows=True)
    assert retrieval.notes.keys() <= {name, *retrieval.notes}
    return frame.lazy(), retrieval


def estimated(
    data: Path, key: str, year: int, states: tuple[str, ...] = STATE_CODES
) -> tuple[pl.DataFrame, dict[str, pl.LazyFrame]]:
    entry = catalog()[key]
    assert entry.estimate is not None
    frames = {name: built(data, name, year, states)[0] for name in entry.inputs}
    spine = frames["spine"].collect()
    whole = complete(entry.estimate(**frames, year=year), entry.predictor, year, spine)
    expected = expected_keys(entry.predictor, year, spine)
    return gate(whole, name=key, expected_keys=expected, limits=entry.predictor.limits()), frames


@pytest.mark.parametrize(
    ("key", "year"),
    [
        ("public_education", 2014),
        ("public_education", 2018),
        ("school_economic_diversity", 2015),
        ("school_economic_diversity", 2018),
        ("school_economic_diversity", 2020),
    ],
)
def test_from_files_to_estimates(data: Path, key: str, year: int) -> None:
    """Every account gives its figure back."""
    whole, frames = estimated(data, key, year)
    assert whole["value"].count() > whole.height / 3
    explain = catalog()[key].explain
    assert explain is not None
    for row in whole.sample(25, seed=year).iter_rows(named=True):
        account = explain(Cell(**{k: row[k] for k in KEY}), year=year, **frames)
        if row["value"] is None:
            assert account.recomputed is None
        else:
            assert account.recomputed == pytest.approx(row["value"], rel=1e-9)


def test_every_case_occurs(data: Path) -> None:
    """The synthetic files hold each case that the methods treat."""
    rates, _ = estimated(data, "public_education", 2018)
    assert set(rates["quality"]) == {None, 1, 2, 3}
    reasons = {"area not covered by source", "suppressed at source", "low coverage", "small population", None}
    assert set(rates["reason"]) == reasons
    winston = rates.filter(pl.col("geo") == "75000")
    assert winston["value"].null_count() == winston.height == 8
    silent = rates.filter(pl.col("state") == "44", pl.col("level") == "county")
    assert set(silent["reason"]) == {"suppressed at source"}
    assert rates.filter(pl.col("geo") == "55000")["value"].null_count() == 0
    shares, _ = estimated(data, "school_economic_diversity", 2015)
    assert set(shares["quality"]) == {None, 1, 2, 3}
    assert {0.0, 1.0} < set(shares["value"].drop_nulls().unique())


def test_counts_of_what_is_left_out(data: Path) -> None:
    notes = built(data, "school_directory", 2015)[1].notes["school_directory"]
    assert isinstance(notes, dict)
    assert notes["in outlying areas, left out"] == 1
    assert notes["without county"] > 20
    assert built(data, "school_directory", 2014)[1].notes["school_directory"]["without enrollment"] > 0  # type: ignore[index]
    assert built(data, "school_poverty", 2018)[1].notes["school_poverty"]["without estimate"] > 0  # type: ignore[index]
    offices = built(data, "district_city", 2014)[1].notes["district_city"]
    assert isinstance(offices, dict)
    assert offices["school years without an office"] > 0


def test_a_run_for_one_state_gives_the_same_figures(data: Path) -> None:
    whole, _ = estimated(data, "public_education", 2014)
    part, _ = estimated(data, "public_education", 2014, ("37",))
    assert part.height > 0
    assert_frame_equal(part, whole.filter(pl.col("state") == "37"))


def test_renamed_counties_have_figures_in_2014(data: Path) -> None:
    rates, _ = estimated(data, "public_education", 2014)
    kusilvak = rates.filter(pl.col("state") == "02", pl.col("geo") == "270", pl.col("subgroup") == "All")
    assert kusilvak["value"].count() == 1


@pytest.mark.parametrize("name", [*SCHOOLS, "seda_county", "seda_district", "district_city", "listed_places"])
def test_tables_are_the_same_each_time(data: Path, name: str) -> None:
    one, two = built(data, name, 2016)[0], built(data, name, 2016)[0]
    assert_frame_equal(one.collect(), two.collect(), check_exact=True)


@pytest.mark.parametrize(("name", "year"), [("lea_directory", 2014), ("lea_enrollment", 2020), ("lea_directory", 2020)])
def test_tables_of_districts(data: Path, name: str, year: int) -> None:
    frame, retrieval = built(data, name, year)
    assert frame.collect().height > 100
    assert name in retrieval.notes


def test_declarations() -> None:
    """Each source and table of the two predictors is found, and each vintage that serves a data year is declared."""
    sources: dict[str, Source] = all_sources()
    for key in ("public_education", "school_economic_diversity"):
        predictor = catalog()[key].predictor
        assert set(predictor.sources) <= set(sources)
        for name in catalog()[key].inputs:
            assert set(predictor.years) <= set(all_tables()[name].years)
            for source in all_tables()[name].sources:
                assert all(sources[source].vintages_for(year) for year in predictor.years)
