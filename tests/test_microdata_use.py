"""What predictors say they use of microdata is what they use; a table is made again for one it did not serve."""

import polars as pl
import pytest
from acs_files import FULL_EXTRACT, Var, hierarchical, people

from metrics.catalog import catalog
from pipelines.engine import refresh_table, table_is_fresh
from pipelines.microdata import microdata_uses
from pipelines.sample import prepare
from pipelines.settings import Settings
from pipelines.workspace import Workspace
from schemas.errors import InputError

MICRODATA = ("acs1_persons", "acs1_households", "acs5_persons", "acs5_households")
USERS = [key for key, entry in catalog().items() if entry.microdata]
YEAR = 2018
STATE = "44"
# Every extract has it; whether it is looked at depends on the file.
GIVEN = {"survey_year"}


def test_every_predictor_from_microdata_says_what_it_uses():
    for key, entry in catalog().items():
        tables = {name for series in entry.predictor.series for name in series.tables} & set(MICRODATA)
        assert set(entry.microdata) == tables, key
    assert len(USERS) == 7


def _inputs(root, key: str) -> dict[str, pl.LazyFrame | None]:
    ws = Workspace(prepare(Settings(_env_file=None, data=str(root), profile="sample")))
    frames = {name: ws.scan("tables", name, YEAR) for name in catalog()[key].inputs}
    return {
        name: frame.filter(pl.col("state") == STATE) if frame is not None and name in MICRODATA else frame
        for name, frame in frames.items()
    }


@pytest.mark.xdist_group("sample")
@pytest.mark.parametrize("key", USERS)
def test_what_is_said_to_be_used_is_enough_and_no_more_than_enough(key, sample_root):
    entry = catalog()[key]
    inputs = _inputs(sample_root, key)
    whole = entry.estimate(**inputs, year=YEAR)
    uses = {name: use for name, use in entry.microdata.items() if inputs.get(name) is not None}
    assert uses
    limited = dict(inputs)
    for name, use in uses.items():
        assert use.columns.isdisjoint(use.optional)
        frame = inputs[name].select(sorted(use.columns | use.optional))
        for column, codes in use.cases.items():
            frame = frame.filter(pl.col(column).is_in(sorted(codes)))
        limited[name] = frame
    # A column that is not there at all would be an error: the reader gives it, without values.
    for name, frame in limited.items():
        if name in uses:
            schema = inputs[name].collect_schema()
            rest = [c for c in schema if c not in uses[name].columns | uses[name].optional]
            limited[name] = frame.with_columns(pl.lit(None, dtype=schema[c]).alias(c) for c in rest)
    found = entry.estimate(**limited, year=YEAR)
    assert found.equals(whole)
    for name, use in uses.items():
        replicates = {c for c in use.columns if c.startswith("repw")}
        for column in sorted((use.columns - GIVEN - replicates) | set(sorted(replicates)[:1])):
            lacking = {**limited, name: limited[name].drop(column)}
            with pytest.raises(pl.exceptions.ColumnNotFoundError):
                entry.estimate(**lacking, year=YEAR)


@pytest.fixture
def root(tmp_path):
    """A data root of the 5-year sample of 2018 by IPUMS, in a hand-made extract without attainment."""
    persons, households = people(600, span=5)
    some = [*(v for v in FULL_EXTRACT if v.name != "EDUCD"), Var("MULTYEAR", 4, 0, "H")]
    hierarchical(tmp_path / "raw" / "acs_pums_ipums" / "us2018c", "usa_00001", persons, households, some)
    return tmp_path


def workspace(root, *predictors: str) -> Workspace:
    settings = Settings(_env_file=None, data=str(root), profile="live", states="DE,RI", offline=True)
    return Workspace(settings, predictors=predictors or None)


def test_a_table_that_did_not_serve_a_predictor_is_made_again(root):
    table, year = "acs5_persons", 2018
    made = refresh_table(workspace(root, "preschool"), table, year)
    assert (made.status, made.account.serves) == ("built", ["preschool"])
    assert table_is_fresh(workspace(root, "preschool"), table, year)
    assert not table_is_fresh(workspace(root, "employment"), table, year)
    again = refresh_table(workspace(root, "employment"), table, year)
    assert (again.status, again.account.serves) == ("built", ["employment", "preschool"])
    assert again.account.fingerprint == made.account.fingerprint, "the same content: estimates stay as they are"
    assert table_is_fresh(workspace(root, "employment", "preschool"), table, year)


def test_a_table_that_cannot_serve_a_predictor_is_an_error_and_the_last_good_one_stays(root):
    table, year = "acs5_persons", 2018
    refresh_table(workspace(root, "preschool"), table, year)
    for ws in (workspace(root, "college", "preschool"), workspace(root)):
        assert not table_is_fresh(ws, table, year)
        with pytest.raises(InputError, match=r"lacks variables that the persons table needs: EDUCD \(college\)"):
            refresh_table(ws, table, year)
    ws = workspace(root, "preschool")
    assert table_is_fresh(ws, table, year)
    assert ws.scan("tables", table, year).collect()["gradeatt"].null_count() == 0


def test_an_order_serves_the_predictors_of_earlier_runs_too(root):
    refresh_table(workspace(root, "preschool"), "acs5_persons", 2018)
    retrieval = workspace(root, "employment").retrieval(2018)
    assert set(retrieval.uses["acs5_persons"]) == {"employment"}
    assert set(retrieval.uses_to_order["acs5_persons"]) == {"employment", "preschool"}
    everything = workspace(root).retrieval(2018)
    assert everything.uses_to_order == everything.uses == microdata_uses(None, 2018)
