"""Settings hide keys and give absolute paths; the workspace keeps accounts and never leaves half a file."""

import json

import polars as pl
import pytest
from upath import UPath

from pipelines.code_version import closure, code_version
from pipelines.engine import gate_table, refresh_estimates, refresh_table
from pipelines.settings import Settings
from pipelines.workspace import Account, ProfileError, Workspace, canonical_hash
from schemas.errors import GateError, InputError
from schemas.geography import SpineModel


def workspace(tmp_path, **changes) -> Workspace:
    return Workspace(Settings(_env_file=None, data=str(tmp_path / "data"), offline=True, **changes))


def account(ws: Workspace, name="spine", year=2018) -> Account:
    return Account(name, year, "f" * 16, "c" * 12, ws.states, ws.profile)


def test_keys_never_show(monkeypatch):
    monkeypatch.setenv("IPUMS_API_KEY", "secret-one")
    monkeypatch.setenv("CENSUS_API_KEY", "secret-two")
    settings = Settings(_env_file=None)
    shown = repr(settings) + str(settings) + settings.model_dump_json() + repr(Workspace(settings).retrieval())
    assert "secret" not in shown
    assert settings.ipums_api_key.get_secret_value() == "secret-one"


def test_paths_and_scope(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(_env_file=None, data="here", states="9, 37,09")
    assert str(settings.data_root) == str(tmp_path / "here")
    assert settings.state_root == tmp_path / "here" / ".state"
    assert settings.state_codes == ("09", "37")
    remote = Settings(_env_file=None, data="s3://bucket/root")
    assert not remote.data_is_local
    assert remote.state_root == tmp_path / ".mobility"


def test_profiles_do_not_meet_in_one_root(tmp_path):
    workspace(tmp_path, profile="sample").claim()
    workspace(tmp_path, profile="sample").claim()
    with pytest.raises(ProfileError, match="sample"):
        workspace(tmp_path, profile="live").claim()


def test_written_table_is_found_only_in_its_own_scope(tmp_path):
    ws = workspace(tmp_path)
    ws.write("tables", pl.DataFrame({"a": [1]}), account(ws))
    assert ws.scan("tables", "spine", 2018).collect().height == 1
    assert ws.years("tables", "spine") == [2018]
    assert workspace(tmp_path, states="37").scan("tables", "spine", 2018) is None
    assert workspace(tmp_path, profile="sample").scan("tables", "spine", 2018) is None


def test_failed_write_leaves_the_last_good_file(tmp_path):
    ws = workspace(tmp_path)
    ws.write("tables", pl.DataFrame({"a": [1, 2]}), account(ws))
    broken = pl.LazyFrame({"a": ["1", "x"]}).select(pl.col("a").cast(pl.Int64))
    with pytest.raises(pl.exceptions.PolarsError):
        ws.write("tables", broken, account(ws))
    assert ws.scan("tables", "spine", 2018).collect()["a"].to_list() == [1, 2]
    assert [f.name for f in (tmp_path / "data" / "tables" / "spine").iterdir()].count("2018.parquet") == 1
    ws.write("tables", pl.DataFrame({"a": [3]}), account(ws))
    assert ws.scan("tables", "spine", 2018).collect()["a"].to_list() == [3]
    assert not list((tmp_path / "data" / "tables" / "spine").glob(".*"))


def test_account_of_owed_input_has_no_table(tmp_path):
    ws = workspace(tmp_path)
    owed = account(ws)
    owed.owed = [{"source": "popest"}]
    ws.write_account("tables", owed)
    assert ws.scan("tables", "spine", 2018) is None
    assert json.loads((tmp_path / "data/tables/spine/2018.json").read_text())["owed"] == [{"source": "popest"}]


def test_canonical_hash_does_not_depend_on_row_order():
    frame = pl.DataFrame({"a": [2, 1], "b": ["x", "y"]})
    assert canonical_hash(frame) == canonical_hash(frame.reverse())
    assert canonical_hash(frame) != canonical_hash(frame.with_columns(a=pl.Series([2, 3])))


def test_code_version_covers_what_a_module_imports():
    assert "schemas.errors" in closure("pipelines.engine")
    assert "pipelines.cli" not in closure("pipelines.engine")
    assert len(code_version("pipelines.engine")) == 12
    assert code_version("schemas.errors") != code_version("schemas.labels")


def test_gate_of_a_table_names_the_row():
    bad = pl.DataFrame(
        {
            "level": ["county", "county"],
            "state": ["37", "37"],
            "geo": ["067", "67"],
            "name": ["Forsyth County", "x"],
            "state_name": ["North Carolina", "North Carolina"],
            "population": [1, 2],
        }
    )
    with pytest.raises(GateError, match="geo"):
        gate_table(bad, SpineModel, "spine", rows=True)


def test_spine_without_populations_is_built_and_reused(tmp_path):
    ws = workspace(tmp_path, states="44")
    first = refresh_table(ws, "spine", 2018)
    spine = ws.scan("tables", "spine", 2018).collect()
    assert first.status == "built"
    assert spine.filter(pl.col("level") == "county").height == 5
    assert spine["population"].null_count() == spine.height


def test_estimates_need_the_list_of_geographies(tmp_path):
    with pytest.raises((InputError, KeyError)):
        refresh_estimates(workspace(tmp_path), "employment", 2018)


def test_data_root_may_be_a_url(tmp_path):
    ws = Workspace(Settings(_env_file=None, data="memory://bucket/data", state=tmp_path))
    ws.claim()
    ws.write("tables", pl.DataFrame({"a": [1]}), account(ws))
    assert UPath("memory://bucket/data/tables/spine/2018.parquet").exists()
    assert ws.account("tables", "spine", 2018).rows == 1
