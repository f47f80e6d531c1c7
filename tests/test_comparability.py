"""Breaks as data: lawful, about metrics and years that exist, and whole with regard to what predictors declare."""

import polars as pl
import pytest

from metrics.catalog import catalog
from outputs.comparability import COMPARABILITY, KINDS, breaks, comparability, in_words, parse
from schemas.errors import InputError


def test_every_row_is_about_figures_that_exist():
    for row in breaks().iter_rows(named=True):
        predictor = catalog()[row["predictor"]].predictor
        assert row["metric"] is None or row["metric"] in {m.column for m in predictor.metrics}, row
        fitting = [
            s
            for s in predictor.series
            if row["level"] in (None, *s.levels)
            and row["sample"] in (None, s.sample)
            and (row["metric"] is None or not s.metrics or row["metric"] in s.metrics)
        ]
        years = {y for s in fitting for y in s.years}
        assert row["from_year"] in years, row
        assert row["to_year"] in years, row
        families = {kind for s in fitting for kind, _ in s.cells}
        assert set((row["subgroup_types"] or "all").split()) <= families | {"all"}, row
        if row["scope"] == "across years":
            assert row["from_year"] < row["to_year"], row


def test_every_break_a_predictor_declares_is_in_the_table():
    for key, entry in catalog().items():
        listed = set(breaks().filter(pl.col("predictor") == key)["to_year"])
        assert {year for year, _ in entry.predictor.breaks} <= listed, key


def test_the_known_breaks_are_there():
    table = comparability(catalog())
    assert set(table["kind"]) == set(KINDS)
    assert table.schema == {c: t() for c, t in COMPARABILITY.items()}

    def told(metric, to_year, word):
        rows = table.filter((pl.col("metric") == metric) & (pl.col("to_year") == to_year))
        return any(word in text for text in rows["text"])

    assert told("index_air_hazard", 2018, "not a time series")
    assert told("share_economic_connectedness", 2022, "twice")
    assert told("share_digital_access", 2023, "lower")
    assert told("share_debt_coll", 2023, "50 percent")
    groups = table.filter(pl.col("subgroup_types").is_not_null()).select("metric", "subgroup_types").unique()
    assert ("share_debt_coll", "race-share") in groups.rows()
    assert ("share_digital_access", "income") in groups.rows()
    assert told("rate_injury_death", 2020, "age-adjusted")
    assert told("share_homeless", 2022, "of that race")
    assert told("share_employed", 2023, "1-year")
    assert told("pctl_income_50", 2022, "2020 census")
    assert told("count_membership_associations_per_10k", 2017, "Do not chain")
    # A row about one metric is not told of its neighbors; one about the predictor is told of all.
    assert not told("share_economic_connectedness", 2017, "Do not chain")
    assert told("pctl_income_20", 2022, "2020 census")


def test_only_the_predictors_of_the_release_are_told():
    few = {k: v for k, v in catalog().items() if k == "environment"}
    assert set(comparability(few)["metric"]) == {"index_air_hazard"}
    words = in_words(comparability({k: v for k, v in catalog().items() if k == "income"}))
    assert any(
        line.startswith("- **pctl_income_20, pctl_income_50, pctl_income_80** (across years, 2021 | 2022; ")
        for line in words
    )


LAWFUL = {
    "predictor": "income",
    "from_year": "2014",
    "to_year": "2015",
    "scope": "across years",
    "kind": "source",
    "text": "x",
}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("predictor", "Income"),
        ("level", "town"),
        ("sample", "acs9"),
        ("subgroup_types", "income mood"),
        ("states", "x9"),
        ("to_year", "2013"),
        ("scope", "some day"),
        ("kind", "mood"),
        ("text", ""),
    ],
)
def test_an_unlawful_list_is_refused(column, cell):
    def listed(row):
        cells = {c: row.get(c) or None for c in COMPARABILITY}
        return pl.DataFrame([cells], dict.fromkeys(COMPARABILITY, pl.String)).write_csv().encode()

    assert parse(listed(LAWFUL)).height == 1
    with pytest.raises(InputError) as error:
        parse(listed(LAWFUL | {column: cell}))
    assert (error.value.column, error.value.row) == (column, 2)
    with pytest.raises(InputError, match="column is missing"):
        parse(b"metric\nx\n")
