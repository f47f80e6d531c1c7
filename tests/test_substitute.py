"""Another source in the place of a predictor's own: only where asked for, said everywhere, and taken back whole."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from sample_build import mobility

from metrics.catalog import catalog
from metrics.substitute import declared, names, switched
from pipelines.assets import estimates_key
from pipelines.engine import estimates_are_fresh, refresh_estimates, refresh_table
from pipelines.jobs import build_definitions
from pipelines.run import missing_modules, plan, stale, tables_of
from pipelines.settings import Settings
from pipelines.substitutes import chosen, entries_as_made, stands_in
from pipelines.workspace import Workspace
from schemas.errors import MobilityError

KEYS = ("health_access", "trauma")
PHYSICIANS = "ratio_population_pc_physician"


def workspace(root: Path, substitute: str | None = None) -> Workspace:
    from pipelines.sample import prepare

    return Workspace(prepare(Settings(_env_file=None, data=str(root), profile="sample", substitute=substitute)))


# Declarations -------------------------------------------------------------------------------------------------------


def test_the_rankings_stand_in_for_two_predictors_and_nothing_does_unless_asked():
    assert names(catalog()) == {"chr": ("health_access", "trauma")}
    assert not any(s.sample == "chr" for entry in catalog().values() for s in entry.predictor.series)
    assert missing_modules() == []


@pytest.mark.parametrize("key", KEYS)
def test_a_declaration_says_what_stands_in(key):
    entry = catalog()[key]
    (year,) = entry.substitute.series.years
    assert declared(entry, ()) is entry
    assert declared(entry, (1999,)) is entry
    said = declared(entry, (year, 1999))
    assert {y for s in said.predictor.series if s.sample == "chr" for y in s.years} == {year}
    assert said.predictor.years == entry.predictor.years
    assert said.predictor.notes == (*entry.predictor.notes, entry.substitute.note)
    assert said.predictor.sources == (*entry.predictor.sources, "chr")
    assert said.inputs == entry.inputs
    assert switched(entry, year).inputs == entry.substitute.series.tables
    assert switched(entry, year - 1) is entry


def test_what_can_be_asked_for():
    assert chosen(None) is None
    assert chosen(" ") is None
    assert chosen("none") == frozenset()
    assert chosen(" chr ,none") == {"chr"}
    with pytest.raises(MobilityError, match=r"no substitute ahrf; there are: chr \(for health_access, trauma\)"):
        chosen("ahrf")


# In a data root -----------------------------------------------------------------------------------------------------


def build(ws: Workspace, key: str, year: int) -> str:
    """Bring one predictor's year up to date, as a run does; what became of its estimates."""
    for name in (plan([key], [year], ws)[year])[0]:
        refresh_table(ws, name, year)
    return refresh_estimates(ws, key, year).status


def samples(ws: Workspace, key: str, year: int) -> set[str]:
    return set(ws.scan("estimates", key, year).collect()["sample"])


@pytest.fixture(scope="module")
def linked(sample_root: Path, tmp_path_factory) -> Path:
    """A data root like that of the sample build: its large files are links, which a build replaces and never changes.

    It is left with the substitute in use for health_access.
    """
    root = tmp_path_factory.mktemp("substitute") / "data"

    def link(source: str, target: str) -> None:
        (os.link if source.endswith((".parquet", ".zip", ".gz", ".csv")) else shutil.copyfile)(source, target)

    shutil.copytree(sample_root, root, copy_function=link, ignore=shutil.ignore_patterns(".state", "published"))
    return root


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
@pytest.mark.parametrize(("key", "year"), [("health_access", 2019), ("trauma", 2020)])
def test_switching_on_and_off_makes_just_that_year_stale(sample_root, tmp_path, key, year):
    root = tmp_path / "data"
    needed = {name for y in (year, year - 1) for name in plan([key], [y])[y][0]}
    for name in sorted(needed):
        shutil.copytree(sample_root / "tables" / name, root / "tables" / name)
    shutil.copytree(sample_root / "estimates" / key, root / "estimates" / key)
    (root / "raw").symlink_to(sample_root / "raw")
    plain, asked, off = workspace(root), workspace(root, "chr"), workspace(root, "none")
    own = plain.account("estimates", key, year)
    substitute = catalog()[key].substitute
    table = substitute.series.tables[0]

    assert stands_in(plain, key, year) is None
    assert stands_in(asked, key, year) is substitute
    assert stands_in(asked, key, year - 1) is None
    assert table in tables_of(key, year, asked)
    assert table not in tables_of(key, year)
    for year_ in (year, year - 1):
        assert estimates_are_fresh(plain, key, year_)
        assert estimates_are_fresh(off, key, year_)
        assert estimates_are_fresh(asked, key, year_) == (year_ != year)
    # The files lie elsewhere now, so tables are made again; they are the same, and so are the estimates.
    assert [build(plain, key, y) for y in (year - 1, year)] == ["unchanged", "unchanged"]
    assert stale(plain, plan([key], [year - 1, year], plain)) == {}
    assert stale(asked, plan([key], [year - 1, year], asked)) == {year: ([table], [key])}

    assert build(asked, key, year) == "built"
    made = asked.scan("estimates", key, year).collect()
    assert set(made["sample"]) == {"chr"}
    assert made["value"].count() > 30
    assert made.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()
    assert made.filter(pl.col("value").is_null() != pl.col("quality").is_null()).is_empty()
    assert asked.account("estimates", key, year).notes["substitute"] == "chr"
    # Whoever does not say otherwise goes on as last built.
    assert build(plain, key, year) == "unchanged"
    assert entries_as_made(plain)[key].predictor.sources[-1] == "chr"
    assert not estimates_are_fresh(off, key, year)
    assert build(off, key, year) == "built"
    back = off.account("estimates", key, year)
    assert (back.fingerprint, back.content_hash) == (own.fingerprint, own.content_hash)
    assert "substitute" not in back.notes
    assert entries_as_made(plain)[key] is catalog()[key]


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
def test_the_rankings_give_the_physicians_of_the_first_source(sample_root, tmp_path):
    """Where the synthetic workbook has a count it is that of the synthetic AHRF, and so is the ratio."""
    root = tmp_path / "data"
    shutil.copytree(sample_root / "tables" / "spine", root / "tables" / "spine")
    (root / "raw").symlink_to(sample_root / "raw")
    asked = workspace(root, "chr")
    build(asked, "health_access", 2019)
    ours = asked.scan("estimates", "health_access", 2019).collect()
    theirs = pl.read_parquet(sample_root / "estimates" / "health_access" / "2019.parquet")
    both = ours.join(theirs, on=["level", "state", "geo", "subgroup", "metric"], how="inner", validate="1:1")
    assert both.height == ours.height == theirs.height
    assert both.filter(pl.col("value").ne_missing(pl.col("value_right"))).is_empty()
    assert both.filter(pl.col("quality").ne_missing(pl.col("quality_right"))).is_empty()


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
def test_the_command_line_says_where_a_substitute_was_used(linked):
    """`rebuild --substitute`, its release, trace and asset graph, and how it would go on."""
    done = mobility("rebuild", "health_access", "--years", "2019", "--substitute", "chr", data=linked)
    assert done.returncode == 0, done.stdout + done.stderr
    release = linked / "published" / (linked / "published" / "LATEST").read_text().strip()
    long = pl.read_parquet(release / "estimates.parquet", columns=["year", "metric", "sample"]).unique()
    used = set(long.filter(pl.col("sample") == "chr").rows())
    assert used == {(2019, PHYSICIANS, "chr")}
    dictionary = pl.read_csv(release / "data_dictionary.csv", infer_schema=False)
    told = dictionary.filter(pl.col("metric") == PHYSICIANS, pl.col("file").str.starts_with("11_"))
    assert all("County Health Rankings" in text for text in told["sample"])
    assert all("County Health Rankings of 2022" in text for text in told["notes"])
    wide = pl.read_csv(release / "csv/11_mobility-metrics_county_longitudinal.csv", infer_schema=False)
    assert wide.filter(pl.col("year") == "2019", pl.col(PHYSICIANS) != "NA").height > 30

    traced = mobility("trace", "37067", "2019", PHYSICIANS, "--json", data=linked)
    assert traced.returncode == 0, traced.stderr
    account = json.loads(traced.stdout)
    assert account["key"]["sample"] == "chr"
    assert account["sample"] == "County Health Rankings"
    assert account["agreement"]["agrees"]
    assert {c["name"]: c["passed"] for c in account["checks"]}["up to date"]
    assert {f["source"] for f in account["provenance"]} >= {"chr"}
    assert "ahrf" not in {f["source"] for f in account["provenance"]}
    assert any("County Health Rankings of 2022" in note for note in account["predictor"]["notes"])

    ws = workspace(linked)
    spec = next(s for s in build_definitions(ws).resolve_all_asset_specs() if s.key == estimates_key("health_access"))
    assert "County Health Rankings of 2022" in spec.description
    assert "rankings_physicians_county" in {d.asset_key.path[-1] for d in spec.deps}
    assert samples(ws, "health_access", 2019) == {"chr"}

    # Without the option a rebuild would go on as last built, and find nothing to do; `none` takes it back.
    assert stale(ws, plan(["health_access"], [2019], ws)) == {}
    back = workspace(linked, "none")
    assert stale(back, plan(["health_access"], [2019], back)) == {2019: (["physicians_county"], ["health_access"])}
    wrong = mobility("rebuild", "health_access", "--substitute", "cdc", data=linked)
    assert wrong.returncode == 1
    assert "no substitute cdc" in wrong.stderr
