"""What the gate is told of the survey's files: weights that fall out on the way, and totals beside published ones."""

import polars as pl
import pytest

from pipelines.gate import survey_facts
from pipelines.settings import Settings
from pipelines.workspace import Account, Workspace

PUMA = {"state": "37", "puma": "01801", "puma_vintage": 2010}
PEOPLE = pl.DataFrame({
    "state": ["37"] * 4 + ["44"], "puma": ["01801", "01801", "01802", "01803", "00101"], "puma_vintage": [2010] * 5,
    "age": [0, 40, 80, 30, 50], "gq": [1, 1, 3, 1, 1], "perwt": [100, 200, 300, 400, 70],
})  # fmt: skip
ALLOCATION = pl.DataFrame({
    "level": ["county"] * 3 + ["place"], "state": ["37"] * 4, "geo": ["067", "081", "067", "75000"],
    "puma": ["01801", "01801", "01802", "01801"], "puma_vintage": [2010] * 4, "afact": [0.4, 0.6, 1.0, 0.5],
})  # fmt: skip
SPINE = pl.DataFrame({
    "level": ["county", "county", "place", "county"], "state": ["37", "37", "37", "44"],
    "geo": ["067", "081", "75000", "001"], "population": [600, 401, 300, 70],
})  # fmt: skip


def root(tmp_path, **tables):
    ws = Workspace(Settings(_env_file=None, data=str(tmp_path / "data"), profile="live"))
    for name, frame in tables.items():
        ws.write("tables", frame, Account(name, 2018, "f", "c", None, "live"))
    return ws


def test_weights_before_and_after_allocation_by_state(tmp_path):
    """Records of PUMA 01803 and of the other state are in no crosswalk: their weight is lost."""
    ws = root(tmp_path, acs1_persons=PEOPLE, puma_allocation=ALLOCATION)
    balance, controls = survey_facts(ws)
    assert balance.select("state", "before", "after").rows() == [("37", 1000.0, 600.0), ("44", 70.0, 0.0)]
    assert controls is None


def test_people_beside_the_published_total_where_the_file_holds_everybody(tmp_path):
    """State 44 has no child and nobody in group quarters in the file: an extract for some ages is no total."""
    balance, controls = survey_facts(root(tmp_path, acs1_persons=PEOPLE, spine=SPINE))
    assert balance is None
    assert controls.rows() == [(2018, "acs1_persons", "37", 1000.0, 1001.0)]


def test_the_five_year_file_is_set_beside_the_bureaus_own_total(tmp_path):
    population = SPINE.select("level", "state", "geo", people=pl.col("population") * 2)
    _, controls = survey_facts(root(tmp_path, acs5_persons=PEOPLE, spine=SPINE, acs_area_population=population))
    assert controls["control"].to_list() == [2002.0]


@pytest.mark.parametrize("lacking", [None, 0])
def test_a_total_with_a_gap_is_no_total(tmp_path, lacking):
    gap = pl.when((pl.col("geo") == "081") | (lacking == 0)).then(lacking).otherwise("population").alias("population")
    assert survey_facts(root(tmp_path, acs1_persons=PEOPLE, spine=SPINE.with_columns(gap)))[1].is_empty()


def test_without_microdata_there_is_nothing_to_say(tmp_path):
    assert survey_facts(root(tmp_path, spine=SPINE)) == (None, None)
