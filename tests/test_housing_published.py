"""The housing predictors against the reference's national files, as far as Geocorr and HUD alone decide what they say.

Microdata of the nation are not at hand. But flags follow from Geocorr, and one combination of the published ratios from
HUD's limits: affordable minus available homes are occupied homes only, so the difference of the two ratios is equal in
all counties that lie in one PUMA and have one income limit, whatever the size of their part.
"""

import polars as pl
import pytest
from survey_support import county_rows, place_rows, spine

from metrics.allocation import allocate
from metrics.income_limits import LIMITS, area_limits
from metrics.neighborhoods import housing_affordability
from metrics.rewarding_work import housing_wealth
from sources import hud_income_limits as hud
from sources.framework import Retrieval

pytestmark = pytest.mark.parity

YEARS = housing_affordability.PREDICTOR.years
ALL_YEARS = "2014_2015_2016_2017_2018_2019_2021_2022_2023"
WEALTH = "01_financial-well-being/final/households_house_value_race_ethnicity_all_{}.csv.gz"
AFFORDABILITY = f"02_housing/data/final/housing_{{}}_{ALL_YEARS}{{}}.csv.gz"


@pytest.fixture(scope="module")
def allocations(mirror) -> dict[int, pl.DataFrame]:
    counties, places = county_rows(mirror), place_rows(mirror)
    return {year: allocate(counties, places, spine(mirror, year), year).table for year in YEARS}


def read(realcases, name: str, level: str) -> pl.DataFrame:
    text = pl.read_csv(realcases / "published_files" / "raw" / name, infer_schema=False, null_values=["NA", ""])
    return text.with_columns(pl.col("year").cast(pl.Int32)).rename({level: "geo"})


def flags(published: pl.DataFrame, allocation: pl.DataFrame, level: str, year: int) -> pl.DataFrame:
    """Geographies with a published flag (one for all figures of a row), and the allocation's two flags."""
    of_figures = [pl.col(c).cast(pl.Int8) for c in published.columns if c.endswith("_quality")]
    rows = published.filter(pl.col("year") == year).select(
        "state", "geo", pl.max_horizontal(of_figures).alias("flag"), pl.min_horizontal(of_figures).alias("least")
    )
    rows = rows.filter(pl.col("flag").is_not_null()).unique()
    assert (rows["flag"] == rows["least"]).all(), "figures of one row have different flags"
    ours = allocation.filter(pl.col("level") == level).unique(["state", "geo"])
    return rows.join(
        ours.select("state", "geo", "quality", "quality_reference"), on=["state", "geo"], how="left", validate="1:1"
    )


def others(found: pl.DataFrame, column: str) -> set[str]:
    """GEOIDs whose published flag is not that of `column`; all rows must be known to the allocation."""
    assert found[column].null_count() == 0, f"areas without an allocation: {found.filter(pl.col(column).is_null())}"
    unequal = found.filter(pl.col("flag") != pl.col(column))
    return set(unequal["state"] + unequal["geo"])


def rate(found: pl.DataFrame, wrong: set[str], what: str) -> str:
    return f"{what}: {found.height - len(wrong)} of {found.height} flags equal; others: {sorted(wrong)[:10]}"


def test_flags_of_affordability(allocations, realcases):
    """Counties of all years, and places from 2022, have ours; earlier places the reference's, which is never better."""
    compared = 0
    for level, suffix in (("county", ""), ("place", "_subgroups")):
        published = read(realcases, AFFORDABILITY.format(level, suffix), level)
        for year in YEARS:
            found = flags(published, allocations[year], level, year)
            wrong = others(found, "quality_reference")
            assert not wrong, rate(found, wrong, f"{level} {year}")
            changed = others(found, "quality")
            assert len(changed) == (157 if level == "place" and year < 2022 else 0), rate(
                found, changed, f"{year} ours"
            )
            assert (found["quality"] <= found["quality_reference"]).all()
            compared += found.height
    assert compared == 20_602 + 4_364


def test_flags_of_wealth(allocations, realcases):
    """Counties have ours but for Knox IL until 2021; places of all years those of the allocation of 2014."""
    published = {
        level: read(realcases, WEALTH.format(name), level) for level, name in (("county", "county"), ("place", "city"))
    }
    knox = {(r.year, r.geoid) for d in housing_wealth.DEVIATIONS for r in d.rows or () if d.id.endswith("of-flags")}
    compared = 0
    for year in YEARS:
        found = flags(published["county"], allocations[year], "county", year)
        wrong = others(found, "quality")
        assert wrong == {geoid for y, geoid in knox if y == year}, rate(found, wrong, f"county {year}")
        compared += found.height
        found = flags(published["place"], allocations[2014 if year >= 2022 else year], "place", year)
        # South Fulton is the only place that the allocation of 2014 does not know.
        late = found.filter(pl.col("quality").is_null())
        assert late.select("state", "geo").rows() == ([("13", "72122")] if year >= 2022 else [])
        known = found.filter(pl.col("quality").is_not_null())
        wrong = others(known, "quality_reference")
        assert not wrong, rate(known, wrong, f"place {year}")
        compared += found.height
        ours = flags(published["place"], allocations[year], "place", year)
        changed = others(ours, "quality")
        assert len(changed) == (192 if year >= 2022 else 155), rate(ours, changed, f"place {year} ours")
    assert compared == 28_275 + 4_313


def test_income_limits_in_published_ratios(allocations, realcases, mirror, tmp_path):
    """Counties of one PUMA and one limit: affordable minus available is the same, in every group of every year."""
    published = read(realcases, AFFORDABILITY.format("county", ""), "county")
    groups = equal = counties = apart = 0
    for year in YEARS:
        retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", mirror=mirror, offline=True)
        limits = area_limits(hud.build(year, retrieval).lazy(), None)
        in_one = allocations[year].filter(pl.col("level") == "county", pl.col("n_pumas") == 1)
        rows = in_one.join(limits, on=["level", "state", "geo"], how="left", validate="1:1")
        assert rows["limit_80"].null_count() == 0
        for percent, limit in LIMITS.items():
            affordable, available = (
                pl.col(f"share_affordable{kind}_{percent}_ami").cast(pl.Float64) for kind in ("", "_available")
            )
            taken = published.filter(pl.col("year") == year).select(
                "state", "geo", (affordable - available).alias("taken_by_others")
            )
            both = rows.join(taken.drop_nulls(), on=["state", "geo"], how="inner", validate="1:1")
            spread = pl.col("taken_by_others").max() - pl.col("taken_by_others").min()
            of_puma = both.group_by("state", "puma").agg(spread.alias("spread"), pl.col(limit).n_unique())
            apart += of_puma.filter(pl.col(limit) > 1, pl.col("spread") > 1e-9).height
            shared = (
                both.group_by("state", "puma", limit).agg(spread.alias("spread"), pl.len()).filter(pl.col("len") > 1)
            )
            wrong = shared.filter(pl.col("spread") > 1e-9)
            assert wrong.is_empty(), f"{year}, {percent}: {shared.height - wrong.height} of {shared.height}; {wrong}"
            groups, equal = groups + shared.height, equal + shared.height - wrong.height
            counties += shared["len"].sum()
    assert (groups, equal) == (7_384, 7_384), f"{equal} of {groups} groups equal"
    assert counties == 18_773
    # It is the limits that decide: with different ones the counties of a PUMA do differ.
    assert apart > 1_000
