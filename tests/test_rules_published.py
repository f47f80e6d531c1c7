"""The rules find the documented mistakes in the reference's own files, and pass what was right in them."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from published_reference import all_estimates, declared, spines

from outputs import suppress
from outputs.about import ReleaseMeta
from outputs.long import long_years
from outputs.rules.context import ReleaseContext
from outputs.rules.register import rule
from outputs.rules.report import Result, ask

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def reference(realcases) -> ReleaseContext:
    """The reference's per-metric files as the long file of a release would have them."""
    raw = realcases / "published_files" / "raw"
    estimates, lists = all_estimates(raw), spines(raw)
    entries = declared()
    empty = pl.DataFrame()
    return ReleaseContext(
        folder=Path(),
        meta=ReleaseMeta(profile="live", code_version="1"),
        entries=entries,
        catalog=entries,
        spines=lists,
        long=pl.concat(list(long_years(estimates.lazy(), lists, entries))).lazy(),
        raw=estimates.lazy(),
        wide=(),
        dictionary=empty,
        suppressions=suppress.suppressions(),
        today=date(2026, 1, 1),
    )


def rows(result: Result, *columns: str) -> set[tuple[object, ...]]:
    return set(result.rows.select(columns).iter_rows())


def test_the_two_zeros_of_undisclosed_wages(reference):
    for found in (ask(rule("Q1"), reference), ask(rule("V7"), reference)):
        assert found.status == "failed"
        assert rows(found, "year", "geoid", "value") == {(2018, "19003", 0.0), (2023, "32011", 0.0)}


def test_flags_without_a_value(reference):
    found = ask(rule("V1"), reference)
    births = found.rows.filter(pl.col("metric") == "share_low_birth_weight")
    assert found.status == "failed"
    assert found.count > 100
    assert births.filter(pl.col("value").is_not_null()).is_empty()


def test_counties_under_codes_of_other_years(reference):
    found = ask(rule("G4"), reference)
    assert found.status == "failed"
    told = rows(found, "year", "geoid")
    assert {(2014, "46102"), (2014, "02158"), (2014, "02063"), (2019, "02066")} <= told
    assert ask(rule("G1"), reference).status == "failed"


def test_homeless_shares_above_one_half_and_zero_widths_are_listed(reference):
    shares = ask(rule("Q7"), reference)
    assert shares.status == "warned"
    assert ("4807000", 2017) in rows(shares, "geoid", "year")
    widths = ask(rule("V3.width"), reference).rows.filter(pl.col("metric") == "share_hs_degree")
    assert widths["intervals"].sum() > 100


def test_doubled_associations_of_cities_are_listed(reference):
    found = ask(rule("X7.other"), reference).rows.filter(pl.col("metric") == "count_membership_associations_per_10k")
    # Twenty-two cities that are their own county, in nine years.
    assert found.height == 22 * 9
    assert found.filter(pl.col("difference") > 0.4).height > 100


def test_what_was_right_passes(reference):
    """Ranks, national figures, cities that are their own county, percentiles, codes, scale: no false alarm."""
    for rule_id in ("T3", "T4", "X7", "A9", "Q14", "V3", "V9"):
        result = ask(rule(rule_id), reference)
        assert result.status == "passed", result.sentence()
    assert "44 national figures" in ask(rule("T4"), reference).note
