"""The generators of national files and the ways of the benchmarks, on files of the least size."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from survey_support import allocation_frame

from benchmarks import __main__ as bench
from benchmarks import ipums, microdata, nation, ways
from sources import acs_pums_census
from sources.acs.sample import Sample
from sources.framework import Retrieval
from sources.framework.retrieve import Scope
from sources.geography import geographies
from sources.synthetic.world import World

STATE = "10"
SCALE = 1.0


def zips(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.rglob("*.zip"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A benchmark's folder beside tables of one small state, both samples made of the same records."""
    root = tmp_path_factory.mktemp("benchmarks")
    folder = root / f"ipums-x{SCALE:g}"
    folder.mkdir()
    whole = ways.nation_folder(folder)
    nation.write_state(whole / "raw", STATE, microdata.YEAR, 1, SCALE)
    retrieval = Retrieval(root=whole, scratch=root / "scratch", scope=Scope((STATE,)), synthetic=True)
    for unit in microdata.UNITS:
        table = acs_pums_census.build(Sample(microdata.YEAR, 1), unit, retrieval).table.collect()
        for span in microdata.SPANS:
            target = whole / "tables" / f"acs{span}_{unit}" / f"{microdata.YEAR}.parquet"
            target.parent.mkdir(parents=True)
            table.write_parquet(target)
    pumas = table["puma"].unique().sort().to_list()
    areas = [("county", STATE, f"{i:03d}", puma, 1.0) for i, puma in enumerate(pumas)]
    areas += [("place", STATE, "07000", puma, 0.25) for puma in pumas[:2]]
    target = whole / "tables" / "puma_allocation" / f"{microdata.YEAR}.parquet"
    target.parent.mkdir(parents=True)
    allocation_frame(areas).with_columns(puma_vintage=pl.lit(2020, pl.Int16)).write_parquet(target)
    return folder


def test_the_nation_has_every_state_and_all_its_counties_and_places():
    states = nation.states()
    listed = geographies(2023, None)
    assert [s.code for s in states] == sorted(listed["state"].unique())
    assert sum(s.sample for s in states) == pytest.approx(nation.PERSONS[1], rel=0.001)
    large = next(s for s in states if s.code == "06")
    own = listed.filter(pl.col("state") == "06")
    assert sorted(large.sizes) == sorted(own.filter(pl.col("level") == "county")["geo"])
    assert {p.place for p in large.parts} == set(own.filter(pl.col("level") == "place")["geo"])


def test_a_state_of_the_nation_is_laid_out_like_one_of_the_sample():
    state = next(s for s in nation.states() if s.code == "24")
    line = World(nation.SEED, (2023,), (state,))
    assert line.atoms["end"].max() == sum(state.sizes.values())
    wanted = sum(state.sizes.values()) / nation.TRACT_SIZE[2020]
    assert line.atoms["tract_2020"].n_unique() == pytest.approx(wanted, rel=0.05)


def test_microdata_are_the_same_each_time_and_another_state_has_other_people(tmp_path):
    for attempt in ("first", "second"):
        nation.write_state(tmp_path / attempt, STATE, 2022, 1, 0.01)
    assert zips(tmp_path / "first") == zips(tmp_path / "second")
    assert sorted(zips(tmp_path / "first")) == ["csv_hde.zip", "csv_pde.zip"]
    nation.write_state(tmp_path / "other", "11", 2022, 1, 0.01)
    assert zips(tmp_path / "other")["csv_pdc.zip"] != zips(tmp_path / "first")["csv_pde.zip"]


def test_an_extract_gives_back_the_records_it_was_made_from(folder, monkeypatch):
    monkeypatch.setattr(microdata, "write_tables", lambda *_: None)
    assert "fixed width" in ipums.write(folder, SCALE)
    order = ["state", "puma", "sex", "empstat", "weight"]
    expected = ipums.made_from(folder).sort(order)
    for form in ipums.FORMS:
        assert_frame_equal(ipums.read(form)(folder).sort(order), expected)


def test_shares_and_percentiles_are_those_of_duckdb(folder):
    shares = microdata.shares_one_pass(folder, 5).drop_nulls("value").sort(microdata.CELL)
    assert set(shares["metric"]) == {"share_employed", "share_in_preschool", "share_hs_degree"}
    by_predictor = microdata.shares_by_predictor(folder, 5).drop_nulls("value").sort(microdata.CELL)
    assert_frame_equal(shares, by_predictor)
    theirs = microdata.shares_duckdb(folder, 5).sort(microdata.CELL)
    assert_frame_equal(shares, theirs.select(shares.columns), check_dtypes=False)
    incomes = microdata.incomes_overall(folder, 5).drop_nulls("value").sort(microdata.CELL)
    assert incomes.height > 3
    assert_frame_equal(incomes, microdata.incomes_duckdb(folder, 5).sort(microdata.CELL).select(incomes.columns))


def test_every_section_has_its_script():
    for script in bench.SECTIONS:
        assert (Path(bench.ROOT) / "benchmarks" / f"{script}.py").exists()
    assert bench.arguments_of("ipums", 3, Path("kept"), 0.5) == ["--runs", "3", "--folder", "kept", "--scale", "0.5"]
    assert bench.arguments_of("release", 1, None, 1.0) == ["--runs", "1"]
    assert bench.NOTES.read_text().startswith("## Targets")
