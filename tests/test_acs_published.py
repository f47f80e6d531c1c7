"""The reference's files of income, preschool, college and digital access against our areas, flags and rules.

Their microdata cannot be had without an account, so their values cannot be worked out again (but Alaska's incomes of
2018, see test_income). What follows from the allocation alone can: which areas there are, the flags, which areas share
a figure, and in which order areas of one PUMA are suppressed.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from acs_support import published
from survey_support import county_rows, place_rows, spine

from metrics.acs_deviations import acs_deviations
from metrics.allocation import allocate
from metrics.catalog import catalog
from metrics.education import college, digital_access, preschool
from metrics.rewarding_work import income

pytestmark = pytest.mark.parity

MONEY, SCHOOL = "01_financial-well-being/final", "08_education/data/final"


@dataclass(frozen=True)
class File:
    """A per-metric file: its predictor, level, the sample and subgroup type it holds."""

    key: str
    level: str
    kind: str
    path: str
    sample: str = "acs5"


FILES = [
    *(File("income", x, "all", f"{MONEY}/metrics_income_{x}_all_longitudinal", "acs1") for x in ("county", "place")),
    File("income", "place", "race-ethnicity", f"{MONEY}/metrics_income_place_race-ethnicity_longitudinal"),
    *(File("preschool", x, "all", f"{SCHOOL}/metrics_preschool_{x}_all_longitudinal_all") for x in ("county", "place")),
    *(
        File("preschool", "place", k, f"{SCHOOL}/metrics_preschool_place_{k}_longitudinal")
        for k in ("race-ethnicity", "income")
    ),
    *(File("college", x, "all", f"{SCHOOL}/metrics_college_{x}_all_longitudinal") for x in ("county", "place")),
    *(
        File("college", x, k, f"{SCHOOL}/metrics_college_{x}_{k}_longitudinal")
        for x, k in (
            *(("county", "disability"), ("place", "disability")),
            *(("place", "race-ethnicity"), ("place", "gender")),
        )
    ),
    *(File("digital_access", x, "all", f"{SCHOOL}/digital_access_{x}_all_longitudinal") for x in ("county", "place")),
    File("digital_access", "place", "race-ethnicity", f"{SCHOOL}/digital_access_place_race_ethnicity_longitudinal"),
    File("digital_access", "place", "income", f"{SCHOOL}/digital_access_place_income_longitudinal"),
]
PREDICTORS = {m.PREDICTOR.key: m.PREDICTOR for m in (income, preschool, college, digital_access)}
# Where the reference's file gives different percentiles to areas of one PUMA.
TIES = {
    *(
        (("pctl_income_20", "county", "all"), year, "All", state, puma)
        for year, state, puma in (
            (2017, "54", "01100"),
            (2018, "44", "00300"),
            (2019, "16", "01100"),
            (2021, "26", "00200"),
            (2022, "39", "02200"),
        )
    ),
    *(
        (("pctl_income_80", "county", "all"), year, "All", state, puma)
        for year, state, puma in (
            (2015, "18", "00900"),
            (2015, "48", "01200"),
            (2017, "36", "01500"),
            (2017, "48", "00400"),
            (2018, "04", "00600"),
            (2021, "20", "01100"),
            (2023, "18", "02200"),
        )
    ),
    (("pctl_income_20", "place", "race-ethnicity"), 2023, "White, Non-Hispanic", "26", "02907"),
}
# South Fulton, Georgia, did not exist yet when the crosswalk before 2022 was made.
SOUTH_FULTON = ("13", "72122")


@pytest.fixture(scope="module")
def allocations(mirror: Path) -> dict[bool, pl.DataFrame]:
    """From 2022 on or before: the allocation tables with the codes that the reference uses, those of 2023 and 2021."""
    counties, places = county_rows(mirror), place_rows(mirror)
    return {year >= 2022: allocate(counties, places, spine(mirror, year), year).table for year in (2021, 2023)}


@pytest.fixture(scope="module")
def both(realcases: Path, allocations: dict[bool, pl.DataFrame]) -> dict[File, pl.DataFrame]:
    """Every file joined to the allocation: a row per figure's row, with quality, quality_reference, puma (if one)."""
    joined = {}
    for file in FILES:
        frame = published(realcases, file.path, file.level).with_columns(new=pl.col("year") >= 2022)
        areas = pl.concat(
            table.filter(pl.col("level") == file.level)
            .group_by("state", "geo")
            .agg(
                pl.col("quality", "quality_reference").first(),
                pl.when(pl.len() == 1).then(pl.col("puma").first()).alias("puma"),
                pl.when(pl.len() == 1).then(pl.col("afact").first()).alias("afact"),
            )
            .with_columns(pl.lit(new).alias("new"))
            for new, table in allocations.items()
        )
        joined[file] = frame.join(areas, on=["new", "state", "geo"], how="left", validate="m:1")
    return joined


def ids(file: File) -> str:
    return f"{file.key}-{file.level}-{file.kind}"


def metrics(file: File) -> list[str]:
    return [m.column for m in PREDICTORS[file.key].metrics]


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_files_have_the_declared_years_groups_and_columns(both, file):
    frame = both[file]
    series = next(s for s in PREDICTORS[file.key].series if s.sample == file.sample)
    assert set(frame["year"]) == set(series.years)
    labels = {label for kind, label in series.cells if kind in ("all", file.kind)}
    assert set(frame["subgroup"]) == labels
    for metric in PREDICTORS[file.key].metrics:
        suffixes = ("", "_quality") if metric.interval == "none" else ("", "_lb", "_ub", "_quality")
        assert {f"{metric.column}{s}" for s in suffixes} <= set(frame.columns)
        assert metric.interval != "none" or f"{metric.column}_lb" not in frame.columns
    assert frame.select("year", "state", "geo", "subgroup").is_duplicated().sum() == 0


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_files_have_the_areas_of_our_allocation(both, allocations, file):
    """And before 2022 the county codes of 2021: registered as valdez-cordova and county-codes-2014."""
    frame = both[file]
    unknown = frame.filter(pl.col("quality").is_null()).select("state", "geo").unique().rows()
    assert unknown in ([], [SOUTH_FULTON])
    for year in frame["year"].unique():
        theirs = set(frame.filter(pl.col("year") == year).select("state", "geo").iter_rows())
        ours = allocations[year >= 2022].filter(pl.col("level") == file.level).select("state", "geo").unique()
        assert theirs - {SOUTH_FULTON} == set(ours.iter_rows()) - {SOUTH_FULTON}


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_flags_are_those_of_our_allocation(both, file):
    frame = both[file]
    improved: set[tuple[str, str]] = set()
    for metric in metrics(file):
        given = frame.filter(pl.col(metric).is_not_null())
        missing = frame.filter(pl.col(metric).is_null())
        assert missing[f"{metric}_quality"].null_count() == missing.height
        same = given[f"{metric}_quality"] == given["quality_reference"]
        assert same.all(), f"{metric}: {same.sum()} of {given.height} flags equal"
        differs = given.filter(pl.col("quality") != pl.col("quality_reference"))
        assert (differs["quality"] < differs["quality_reference"]).all()
        assert differs.filter(pl.col("year") >= 2022).is_empty()
        improved |= set(differs.select("state", "geo").iter_rows())
    # Registered as place-flags-before-2022; no flag of a county differs.
    assert (len(improved) > 100) is (file.level == "place")
    registered = {d.id for d in catalog()[file.key].deviations}
    assert f"{file.key}/place-flags-before-2022" in registered


def test_the_registered_effect_on_places(allocations):
    places = allocations[False].filter(pl.col("level") == "place").unique(["state", "geo"])
    assert places.height == 485
    assert dict(places["quality"].value_counts().iter_rows()) == {1: 219, 2: 249, 3: 17}
    assert dict(places["quality_reference"].value_counts().iter_rows()) == {1: 101, 2: 259, 3: 125}
    assert (places["quality"] != places["quality_reference"]).sum() == 157


@pytest.mark.parametrize("file", FILES, ids=ids)
def test_areas_of_one_puma_share_their_figures(both, file):
    """What `estimation_area` says: within one PUMA, all figures that are given are the same."""
    frame = both[file].filter(pl.col("puma").is_not_null())
    shared, differing = 0, {}
    for metric in metrics(file):
        for part in ("", "_lb", "_ub"):
            if f"{metric}{part}" not in frame.columns:
                continue
            groups = (
                frame.filter(pl.col(metric).is_not_null())
                .group_by("year", "subgroup", "state", "puma")
                .agg(pl.len(), (pl.col(f"{metric}{part}").max() - pl.col(f"{metric}{part}").min()).alias("spread"))
                .filter(pl.col("len") > 1)
            )
            shared += groups.height
            # Sums of weights times factors differ in the last digits; ours do not, as the factor is not applied.
            apart = groups.filter(pl.col("spread").fill_null(0) > 1e-9)
            differing[f"{metric}{part}"] = set(apart.select("year", "subgroup", "state", "puma").iter_rows())
    assert shared > 100 or file.level == "place"
    # Registered as income/rounded-ties: values differ by a tie, their bounds only together with them.
    for metric in metrics(file):
        ties = {t[1:] for t in TIES if t[0] == (metric, file.level, file.kind)}
        assert differing[metric] == ties, f"{shared - len(ties)} of {shared} groups equal"
        assert differing.get(f"{metric}_lb", set()) | differing.get(f"{metric}_ub", set()) <= ties


@pytest.mark.parametrize("file", [f for f in FILES if f.key != "digital_access"], ids=ids)
def test_the_smaller_part_of_a_puma_is_suppressed_first(both, file):
    """The sum of `afact` decides: an area with a figure has no missing one of a larger factor in its PUMA."""
    frame = both[file].filter(pl.col("puma").is_not_null())
    metric = metrics(file)[0]
    group = ["year", "subgroup", "state", "puma"]
    limits = frame.group_by(group).agg(
        pl.col("afact").filter(pl.col(metric).is_not_null()).min().alias("smallest_given"),
        pl.col("afact").filter(pl.col(metric).is_null()).max().alias("largest_missing"),
    )
    decided = limits.drop_nulls()
    wrong = decided.filter(pl.col("smallest_given") < pl.col("largest_missing"))
    assert wrong.is_empty(), f"{decided.height - wrong.height} of {decided.height} PUMAs in order; {wrong}"
    assert decided.height > 20 or file.level == "place"


@pytest.mark.parametrize("file", [f for f in FILES if f.key == "digital_access"], ids=ids)
def test_access_is_suppressed_by_records_not_by_factors(both, file):
    """Areas of one PUMA have a figure all or none, the smallest, too."""
    frame = both[file].filter(pl.col("puma").is_not_null())
    missing = pl.col("share_digital_access").is_null()
    groups = frame.group_by("year", "subgroup", "state", "puma").agg(
        missing.any().alias("any"), missing.all().alias("all")
    )
    assert (groups["any"] == groups["all"]).all()
    if file.kind == "all":
        assert frame["share_digital_access"].null_count() == 0
        assert file.level == "place" or frame["afact"].min() < 0.001


@pytest.mark.parametrize("file", [f for f in FILES if f.key != "digital_access"], ids=ids)
def test_bounds_are_clipped_and_lie_around_the_value(both, file):
    frame = both[file]
    for metric in metrics(file):
        given = frame.filter(pl.col(metric).is_not_null())
        assert (given[f"{metric}_lb"] <= given[metric] + 1e-9).all()
        assert (given[f"{metric}_ub"] >= given[metric] - 1e-9).all()
        missing = given[f"{metric}_lb"].null_count() + given[f"{metric}_ub"].null_count()
        if file.key != "income":
            assert missing == 0
            assert given[f"{metric}_lb"].min() >= 0
            assert given[f"{metric}_ub"].max() <= 1
        elif file.kind == "all":
            assert missing == 0
    if (file.key, file.kind) == ("income", "race-ethnicity"):
        # Registered as income/interval-ends: three ends are missing.
        ends = [
            frame.filter(pl.col(m).is_not_null())[f"{m}{e}"].null_count() for m in metrics(file) for e in ("_lb", "_ub")
        ]
        assert ends == [1, 0, 0, 0, 0, 2]


def test_the_registered_effects_on_county_codes(realcases, allocations):
    """Figures that the assembled files lose, under the codes of 2021."""

    def figure(key: str, metric: str, year: int, geoid: str) -> float | None:
        file = next(f for f in FILES if (f.key, f.level, f.kind) == (key, "county", "all"))
        frame = published(realcases, file.path, "county")
        return frame.row(
            by_predicate=(pl.col("year") == year) & (pl.col("state") + pl.col("geo") == geoid), named=True
        )[metric]

    assert figure("digital_access", "share_digital_access", 2018, "02063") == pytest.approx(0.688, abs=5e-4)
    assert figure("digital_access", "share_digital_access", 2018, "02066") == pytest.approx(0.688, abs=5e-4)
    assert figure("preschool", "share_in_preschool", 2014, "02158") == pytest.approx(0.440, abs=5e-4)
    assert figure("preschool", "share_in_preschool", 2014, "46102") == pytest.approx(0.334, abs=5e-4)
    for code in ("02158", "46102"):
        assert figure("income", "pctl_income_50", 2014, code) is not None
        assert figure("college", "share_hs_degree", 2014, code) is None
    # 02261 had 0.0586 of the PUMA; 02130 has more of it and yet too few records.
    fairbanks = allocations[False].filter(pl.col("state") == "02", pl.col("puma") == "00300", pl.col("geo") == "130")
    assert fairbanks["afact"].item() > 0.0586
    for key, metric in (("preschool", "share_in_preschool"), ("college", "share_hs_degree")):
        assert [figure(key, metric, year, "02130") for year in (2014, 2016, 2018)] == [None] * 3
    rows = {d.id: {(r.year, r.geoid) for r in d.rows} for p in PREDICTORS for d in catalog()[p].deviations if d.rows}
    alaska = ("02063", "02066", "02261")
    assert rows["digital_access/valdez-cordova"] == {(2018, code) for code in alaska}
    assert rows["preschool/valdez-cordova"] == {(year, code) for year in (2014, 2016, 2018) for code in alaska}
    assert "digital_access/county-codes-2014" not in rows
    for key in ("income", "preschool", "college"):
        assert rows[f"{key}/county-codes-2014"] == {(2014, c) for c in ("02158", "46102", "02270", "46113")}


def test_few_counties_can_change_for_copied_households(allocations):
    """Registered as digital_access/copied-households: strong counties that pool PUMAs, one of several counties."""
    found = {}
    for new, table in allocations.items():
        counties = table.filter(pl.col("level") == "county").with_columns(touched=pl.len().over("state", "puma"))
        copied = (pl.col("afact") > 0.5) & (pl.col("touched") > 1)
        areas = counties.group_by("state", "geo").agg(
            pl.len().alias("pumas"), copied.any().alias("copied"), pl.col("quality").first()
        )
        found[new] = areas.filter(pl.col("pumas") > 1, pl.col("copied"), pl.col("quality") == 1).height
    assert found == {False: 42, True: 38}


def test_every_entry_of_the_register_is_whole():
    for key in PREDICTORS:
        found = catalog()[key].deviations
        assert len({d.id for d in found}) == len(found)
        assert all(d.predictor == key for d in found)
    assert "digital_access/pumas-of-2000" not in {d.id for d in catalog()["digital_access"].deviations}
    with pytest.raises(ValueError, match="no such entries"):
        acs_deviations("income", five_year=False, one_year=True, effects={"pumas-of-2000": "none"})
