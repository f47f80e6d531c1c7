"""The register of deviations: ids are unique, and the page in docs is made from it."""

from metrics.catalog import catalog
from outputs.deviations import page
from pipelines.settings import PROJECT


def test_page_is_up_to_date():
    assert (PROJECT / "docs" / "deviations.md").read_text() == page(catalog()), "run `make docs`"


def test_ids_are_unique_and_every_field_is_told():
    register = [d for entry in catalog().values() for d in entry.deviations]
    assert len({d.id for d in register}) == len(register)
    for deviation in register:
        for field in ("reference", "ours", "why", "effect"):
            assert getattr(deviation, field).strip(), f"{deviation.id}: {field}"


def entry(deviation):
    """The entry of the register of that id."""
    return next(d for found in catalog().values() for d in found.deviations if d.id == deviation)


def test_an_account_speaks_of_a_deviation_only_where_it_can_touch():
    """Of a figure's key, each deviation says whether it can concern it; one of some rows knows them by name."""
    flags = entry("employment/place-flags-before-2022")
    cell = {"year": 2018, "level": "place", "state": "37", "geo": "75000", "subgroup_type": "all"}
    assert flags.touches(**cell, metric="share_employed")
    assert not flags.touches(**cell | {"year": 2022}, metric="share_employed")
    assert not flags.touches(**cell | {"level": "county", "geo": "067"}, metric="share_employed")
    doubled = entry("social_capital/city-doubled")
    assert doubled.touches(**cell, metric="count_membership_associations_per_10k")
    assert not doubled.touches(**cell, metric="share_economic_connectedness")
    alaska = entry("political_participation/alaska")
    county = cell | {"level": "county", "geo": "067"}
    assert not alaska.touches(**county, metric="share_election_turnout")
    assert alaska.touches(**county | {"state": "02"}, metric="share_election_turnout")
    income = entry("preschool/income-line")
    assert not income.touches(**county, metric="share_in_preschool")
    assert income.touches(**county | {"subgroup_type": "income"}, metric="share_in_preschool")
    row = entry("living_wage/connecticut").rows[0]
    one = {"year": row.year, "level": row.level, "state": row.geoid[:2], "geo": row.geoid[2:], "subgroup_type": "all"}
    assert entry("living_wage/connecticut").touches(**one, metric="ratio_living_wage")
    assert not entry("living_wage/connecticut").touches(**county | {"year": row.year}, metric="ratio_living_wage")


def test_every_scope_can_hold_a_published_figure():
    for key, found in catalog().items():
        metrics = [m.column for m in found.predictor.metrics]
        kinds = {kind for s in found.predictor.series for kind in s.subgroups} | {"all"}
        levels = {level for s in found.predictor.series for level in s.levels}
        for d in found.deviations:
            first, last = d.scope.years
            assert any((first or y) <= y <= (last or y) for y in found.predictor.years), d.id
            assert any(m.startswith(d.scope.metrics) for m in metrics), d.id
            assert d.scope.subgroup_types is None or set(d.scope.subgroup_types) <= kinds, (key, d.id)
            assert d.scope.level is None or d.scope.level in levels, d.id
