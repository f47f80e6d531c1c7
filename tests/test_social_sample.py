"""Homelessness, debt and social capital on the synthetic files, from the reader to the gated estimate."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from schemas.estimate import KEY, gate
from schemas.labels import ALL
from sources.framework import Retrieval, Scope
from sources.registry import all_tables
from sources.synthetic import SEED, STATE_CODES, writers
from sources.synthetic.world import World

YEARS = (2014, 2018, 2019, 2021, 2022, 2023)
SOURCES = (
    *("popest", "ccd", "edfacts_homeless", "debt_in_america", "cbp", "social_capital_atlas", "boundaries", "geocorr"),
)
CASES = [
    (key, year)
    for key in ("homelessness", "financial_security", "social_capital")
    for year in YEARS
    if year in catalog()[key].predictor.years
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    world = World(SEED, YEARS)
    for source in SOURCES:
        writers()[source](root / "raw", world)
    return root


@pytest.fixture(scope="module")
def table(data: Path):
    """(name, year) -> the gated table, or None in years that it is not made for."""
    retrieval = Retrieval(root=data, scope=Scope(STATE_CODES), scratch=data / "scratch", synthetic=True)
    made: dict[tuple[str, int], pl.LazyFrame | None] = {}

    def table(name: str, year: int) -> pl.LazyFrame | None:
        if (name, year) not in made:
            declared = all_tables()[name]
            frame = None
            if year in declared.years:
                frame = declared.build(year, retrieval).lazy().collect()
                declared.model.validate(frame, lazy=True)
                frame = frame.lazy()
            made[name, year] = frame
        return made[name, year]

    return table


def built(table, key: str, year: int) -> tuple[pl.DataFrame, dict[str, pl.LazyFrame | None]]:
    entry = catalog()[key]
    arguments = {name: table(name, year) for name in entry.inputs}
    spine = arguments["spine"].collect()
    owed = frozenset(name for name, frame in arguments.items() if frame is None)
    whole = complete(entry.estimate(**arguments, year=year), entry.predictor, year, spine, owed=owed)
    keys = expected_keys(entry.predictor, year, spine)
    return gate(whole, name=key, expected_keys=keys, limits=entry.predictor.limits()), arguments


@pytest.mark.parametrize(("key", "year"), CASES)
def test_estimates_pass_the_gate_and_are_mostly_there(table, key: str, year: int) -> None:
    whole, _ = built(table, key, year)
    assert whole["value"].count() > 0.25 * whole.height
    assert "input owed" not in whole["reason"].to_list()
    if key == "financial_security" and year >= 2022:
        assert whole.filter(pl.col("state") == "09")["reason"].unique().to_list() == ["source on old counties"]


@pytest.mark.parametrize("key", ["homelessness", "financial_security", "social_capital"])
def test_every_kind_of_figure_occurs(table, key: str) -> None:
    """The synthetic files hold what the methods treat: withheld, contradictory, misplaced and partial figures."""
    frames = [built(table, k, year)[0] for k, year in CASES if k == key]
    reasons = set(pl.concat(frames)["reason"].unique().drop_nulls())
    wanted = {
        "homelessness": {
            *("too few people", "inconsistent at source", "small population", "low coverage"),
            "area not covered by source",
        },
        "financial_security": {"suppressed at source", "source on old counties", "area not covered by source"},
        "social_capital": {
            *("area not covered by source", "area partly outside its sampling area", "source on old counties"),
        },
    }
    assert wanted[key] <= reasons


@pytest.mark.parametrize(
    ("key", "year"), [("homelessness", 2019), ("financial_security", 2021), ("social_capital", 2022)]
)
def test_accounts_agree_with_the_estimates(table, key: str, year: int) -> None:
    whole, arguments = built(table, key, year)
    chosen = whole.filter(pl.col("state") == "37").sample(12, seed=1)
    for row in chosen.iter_rows(named=True):
        account = catalog()[key].explain(Cell(**{k: row[k] for k in KEY}), year=year, **arguments)
        assert account.recomputed == (None if row["value"] is None else pytest.approx(row["value"], rel=1e-12))


def test_winston_salem_has_charter_schools_or_nothing(table) -> None:
    """Its district's address lacks the hyphen, as in the real directory, so the city's students are not its own."""
    whole, _ = built(table, "homelessness", 2019)
    city = whole.filter(pl.col("state") == "37", pl.col("geo") == "75000", pl.col("subgroup") == ALL)
    assert city["value"].null_count() == city.height


def test_cities_are_not_counted_twice(table) -> None:
    """Anchorage is a city and a county: both rates of associations agree, within what ZIP codes withhold."""
    whole, _ = built(table, "social_capital", 2014)
    anchorage = whole.filter(pl.col("state") == "02", pl.col("geo").is_in(["020", "03000"]))
    county, city = anchorage.sort("level")["value"].to_list()
    assert 0.8 < city / county < 1.25


def test_synthetic_files_are_the_same_each_time(data: Path, tmp_path: Path) -> None:
    world = World(SEED, YEARS)
    for source in ("edfacts_homeless", "debt_in_america", "cbp", "social_capital_atlas", "boundaries"):
        writers()[source](tmp_path, world)
        files = [path for path in (tmp_path / source).rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert path.read_bytes() == (data / "raw" / path.relative_to(tmp_path)).read_bytes()
