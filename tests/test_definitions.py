"""The asset graph loads, and each asset says what a newcomer needs."""

import dagster as dg
import polars as pl

from metrics.catalog import catalog
from pipelines.assets import _reviewed, all_years, estimates_key
from pipelines.cli import parse_years
from pipelines.code_version import closure, module_of
from pipelines.definitions import defs
from pipelines.derived import derived_tables
from pipelines.run import missing_modules, plan, tables_of
from pipelines.settings import Settings
from pipelines.workspace import Account, Workspace
from schemas.estimate import ESTIMATE
from sources.registry import all_sources, all_tables


def test_definitions_load():
    dg.Definitions.validate_loadable(defs)


def test_every_input_of_a_built_predictor_is_a_table():
    assert missing_modules() == []


def test_every_asset_has_group_owner_description_and_kinds():
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        pillar = spec.group_name in {"rewarding_work", "education", "neighborhoods", "health", "governance"}
        stage = spec.key.path[0]
        if stage == "tables":
            assert spec.group_name.startswith("tables_"), name
        elif stage == "estimates":
            assert pillar, name
        else:
            assert spec.group_name == {"raw": "sources", "published": "published"}[stage], name
        assert spec.owners, name
        assert spec.description, name
        assert spec.kinds, name
        if spec.key.path[0] in ("tables", "estimates"):
            schema = spec.metadata["dagster/column_schema"]
            assert all(c.description for c in schema.columns), [c.name for c in schema.columns if not c.description]
            assert spec.code_version, name


def test_assets_follow_the_declarations():
    keys = {tuple(s.key.path) for s in defs.resolve_all_asset_specs()}
    assert {("raw", s) for s in all_sources()} <= keys
    assert {("tables", t) for t in (*all_tables(), *derived_tables())} <= keys
    assert {("estimates", k) for k, e in catalog().items() if e.built} <= keys
    assert ("published", "release") in keys


def test_plan_asks_only_for_what_a_year_needs():
    steps = plan(["living_wage"], None)
    assert set(steps) == set(catalog()["living_wage"].predictor.years)
    tables, active = steps[2022]
    assert active == ["living_wage"]
    assert set(tables) == {"qcew_county", "mit_living_wage", "cpi", "spine"}
    assert plan(["living_wage"], [2015]) == {}
    employment = tables_of("employment", 2015)
    assert "acs1_persons" in employment
    assert "acs5_persons" not in employment


def test_figures_to_compare_with_are_asked_for_in_live_builds_alone(tmp_path):
    live, sample = (Workspace(Settings(_env_file=None, data=str(tmp_path / p), profile=p)) for p in ("live", "sample"))
    assert "acs_published" in plan(["employment"], [2018], live)[2018][0]
    assert "acs_published" not in plan(["employment"], [2018], sample)[2018][0]
    assert "acs_published" not in plan(["living_wage"], [2018], live)[2018][0]


def test_years():
    assert parse_years(None) is None
    assert parse_years("2018") == [2018]
    assert parse_years("2014, 2016-2018") == [2014, 2016, 2017, 2018]
    assert set(range(2014, 2024)) <= set(all_years())


def test_every_table_is_made_by_code_whose_changes_are_noticed():
    for table in all_tables().values():
        modules = closure(module_of(table.build))
        assert any(m.startswith("sources.") for m in modules), table.name


def test_reviews_are_warnings_that_show_their_rows(tmp_path):
    ws = Workspace(Settings(_env_file=None, data=str(tmp_path / "data"), offline=True))
    for year, rate in ((2021, 100.0), (2022, 250.0), (2023, 260.0)):
        row = dict.fromkeys(ESTIMATE) | {"year": year, "level": "county", "state": "37", "geo": "067", "value": rate}
        row |= {"subgroup_type": "all", "subgroup": "All", "metric": "rate_crime_violent", "sample": "nibrs"}
        account = Account("crime", year, f"{year}", "c" * 12, ws.states, ws.profile)
        ws.write("estimates", pl.DataFrame([row], schema=ESTIMATE), account)
    changes, plausible = catalog()["crime"].reviews
    told = {year: _reviewed(ws, "crime", year, changes) for year in (2021, 2022, 2023)}
    assert {year: check.passed for year, check in told.items()} == {2021: True, 2022: False, 2023: True}
    assert "no estimates of 2020" in told[2021].metadata["note"].value
    assert told[2022].severity is dg.AssetCheckSeverity.WARN
    (shown,) = told[2022].metadata["rows"].records
    assert (shown.data["geo"], shown.data["before"], shown.data["after"], shown.data["ratio"]) == (
        *("067", "100.0", "250.0", "2.5"),
    )
    assert _reviewed(ws, "crime", 2022, plausible).passed


def test_reviews_are_checks_of_their_assets():
    checks = {
        (spec.asset_key, spec.name) for assets in defs.resolve_asset_graph().assets_defs for spec in assets.check_specs
    }
    for key, entry in catalog().items():
        assert {(estimates_key(key), review.name) for review in entry.reviews} <= checks
    assert (estimates_key("policing"), "year_on_year") in checks
