"""Economic inclusion, racial diversity and descriptive representation: against published figures, and rule by rule."""

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.governance import descriptive_representation
from metrics.neighborhoods import economic_inclusion, racial_diversity
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL
from sources import acs_tables, tracts
from sources.framework import Retrieval, Scope
from sources.geography import geographies
from sources.registry import all_tables
from sources.synthetic import STATE_CODES, writers
from sources.synthetic.world import World

MODULES = (economic_inclusion, racial_diversity, descriptive_representation)
POVERTY, RACE = "poverty-exposure", "race-ethnicity-exposure"


def published(realcases: Path, name: str) -> pl.DataFrame:
    """A published final file, as text, with value and quality columns as numbers (NA is null)."""
    path = realcases / "published_files" / "raw" / name
    frame = pl.read_csv(path, infer_schema=False, null_values=["NA"])
    return frame.with_columns(pl.selectors.starts_with("share_").cast(pl.Float64), pl.col("year").cast(pl.Int32))


def long(frame: pl.DataFrame, geo: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """Published wide rows as state, geo, metric, published, published_quality."""
    return pl.concat(
        frame.select(
            "state",
            pl.col(geo).alias("geo"),
            pl.lit(c).alias("metric"),
            pl.col(c).alias("published"),
            pl.col(f"{c}_quality").cast(pl.Int8).alias("published_quality"),
            *(["subgroup"] if "subgroup" in frame.columns else []),
        )
        for c in columns
    )


def compared(ours: pl.DataFrame, theirs: pl.DataFrame, tolerance: float) -> tuple[int, int, pl.DataFrame]:
    """Rows compared, rows with value and flag equal, and the others."""
    keys = [c for c in ("state", "geo", "metric", "subgroup") if c in theirs.columns]
    both = theirs.join(ours, on=keys, how="left", validate="1:1")
    same_value = ((pl.col("value") - pl.col("published")).abs() <= tolerance).fill_null(False)
    same_value |= pl.col("value").is_null() & pl.col("published").is_null()
    same = both.filter(same_value, pl.col("quality").eq_missing(pl.col("published_quality")))
    others = both.join(same, on=keys, how="anti")
    return both.height, same.height, others


# --- parity with published figures


@pytest.fixture(scope="module")
def texas(tmp_path_factory: pytest.TempPathFactory, mirror: Path) -> Retrieval:
    root = tmp_path_factory.mktemp("data")
    return Retrieval(root=root, scope=Scope(("48",)), scratch=root / "s", mirror=mirror, offline=True)


@pytest.fixture(scope="module")
def texas_places(mirror: Path) -> pl.LazyFrame:
    """The recovered factors in the shape of the table `tract_place`."""
    folder = mirror / "geocorr" / "tract20-place20"
    frame = tracts.read_tract_place(folder / "derived_tract2020_place_recovered.csv.gz", "tract20-place20")
    listed = geographies(2021, ("48",)).filter(pl.col("level") == "place").select("state", pl.col("geo").alias("place"))
    shares = frame.with_columns(afact_10k=(pl.col("afact") * 10_000).round().cast(pl.Int64))
    return shares.join(listed, on=["state", "place"], how="semi").filter(pl.col("afact_10k") > 0).lazy()


def spine(year: int, *states: str) -> pl.LazyFrame:
    return geographies(year, states).lazy()


@pytest.fixture(scope="module")
def inclusion(texas: Retrieval, texas_places: pl.LazyFrame) -> Callable[[bool], pl.DataFrame]:
    poverty = acs_tables.tract_poverty(2021, texas).lazy()

    def compute(reference_flags: bool) -> pl.DataFrame:
        return economic_inclusion.compute(
            poverty, texas_places, spine(2021, "48"), 2021, reference_flags=reference_flags
        )

    return compute


@pytest.mark.parity
def test_economic_inclusion_of_bexar_county(inclusion, realcases):
    """The figure for all from the published file, those by race from the method file (section 8, six digits)."""
    ours = inclusion(False).filter(pl.col("level") == "county")
    figures = {
        ALL: 0.078092,
        "Black": 0.113370,
        "Hispanic": 0.083578,
        "Other Races and Ethnicities": 0.058461,
        "White, Non-Hispanic": 0.037806,
    }
    theirs = pl.DataFrame(
        [("48", "029", "share_poverty_exposure", value, 1, group) for group, value in figures.items()],
        schema=["state", "geo", "metric", "published", "published_quality", "subgroup"],
        orient="row",
    ).with_columns(pl.col("published_quality").cast(pl.Int8))
    rows, same, others = compared(ours, theirs, 5e-7)
    assert (rows, same) == (5, 5), f"{same} of {rows} rows equal in value and flag; others: {others}"
    alone = published(realcases, "06_neighborhoods/poverty-exposure/final/poverty-exposure_county.csv.gz")
    alone = alone.filter(pl.col("year") == 2021, pl.col("state") == "48", pl.col("county") == "029")
    everyone = ours.filter(pl.col("subgroup") == ALL)
    rows, same, others = compared(everyone, long(alone, "county", ("share_poverty_exposure",)), 1e-14)
    assert (rows, same) == (1, 1), f"{same} of {rows} rows equal; others: {others}"
    assert ours.filter(pl.col("geo") == "029", pl.col("subgroup") == ALL)["n"].item() == 375


@pytest.mark.parity
def test_economic_inclusion_of_san_antonio(inclusion, realcases):
    """Value by value; the tract in Medina County (factor 0.0017) is not in the mirror."""
    theirs = published(realcases, "06_neighborhoods/poverty-exposure/final/poverty-exposure_race-ethnicity_city.csv.gz")
    theirs = theirs.filter(pl.col("year") == 2021, pl.col("state") == "48", pl.col("place") == "65000")
    ours = inclusion(True).filter(pl.col("level") == "place")
    rows, same, others = compared(ours, long(theirs, "place", ("share_poverty_exposure",)), 3e-6)
    assert (rows, same) == (5, 5), f"{same} of {rows} rows equal in value and flag; others: {others}"
    everyone = ours.filter(pl.col("geo") == "65000", pl.col("subgroup") == ALL).row(0, named=True)
    assert round(everyone["value"], 6) == 0.088332


@pytest.mark.parity
def test_our_flags_of_places_are_never_worse(inclusion):
    keys = ["level", "state", "geo", "subgroup"]
    both = inclusion(False).join(inclusion(True), on=keys, how="left", validate="1:1")
    assert both.filter(pl.col("value").ne_missing(pl.col("value_right"))).height == 0
    assert both.filter(pl.col("quality") > pl.col("quality_right")).height == 0
    counties = both.filter(pl.col("level") == "county", pl.col("quality").ne_missing(pl.col("quality_right")))
    assert counties.height == 0


@pytest.mark.parity
@pytest.mark.parametrize(
    ("level", "geo", "file", "tolerance"),
    [
        ("county", "029", f"06_neighborhoods/{RACE}/final/{RACE}-county.csv.gz", 1e-14),
        ("place", "65000", f"06_neighborhoods/{RACE}/{RACE}-city.csv.gz", 3e-6),
    ],
)
def test_racial_diversity_of_bexar_and_san_antonio(texas, texas_places, realcases, level, geo, file, tolerance):
    race = acs_tables.tract_race(2021, texas).lazy()
    ours = racial_diversity.estimate(race, texas_places, spine(2021, "48"), 2021).filter(pl.col("level") == level)
    theirs = published(realcases, file).filter(pl.col("year") == 2021, pl.col("state") == "48", pl.col(level) == geo)
    rows, same, others = compared(ours, long(theirs, level, tuple(racial_diversity.GROUPS)), tolerance)
    assert (rows, same) == (4, 4), f"{same} of {rows} rows equal in value and flag; others: {others}"


@pytest.mark.parity
def test_descriptive_representation_of_california_places(tmp_path, mirror, realcases):
    retrieval = Retrieval(root=tmp_path, scope=Scope(("06",)), scratch=tmp_path / "s", mirror=mirror, offline=True)
    places = acs_tables.place_race(2023, retrieval).lazy()
    ours = descriptive_representation.estimate(None, places, spine(2023, "06"), 2023)
    folder = "05_local-governance/descriptive-representation/data/final"
    theirs = published(realcases, f"{folder}/descriptive_rep_denominator_city_all.csv.gz")
    theirs = theirs.filter(pl.col("year") == 2023, pl.col("state") == "06")
    rows, same, others = compared(ours, long(theirs, "place", tuple(descriptive_representation.GROUPS)), 1e-15)
    assert (rows, same) == (472, 472), f"{same} of {rows} shares (118 places) equal; others: {others}"
    assert ours.height == 472


@pytest.mark.parity
def test_descriptive_representation_of_bexar_county_from_its_tracts(texas, realcases):
    """The county's counts are the sums of its tracts' (without margins of error)."""
    race = acs_tables.tract_race(2021, texas)
    sums = race.group_by("state", pl.col("county").alias("geo")).agg(pl.selectors.integer().sum()).lazy()
    ours = descriptive_representation.estimate(sums, None, spine(2021, "48"), 2021)
    theirs = published(
        realcases,
        "05_local-governance/descriptive-representation/data/final/descriptive_rep_denominator_county_all.csv.gz",
    ).filter(pl.col("year") == 2021, pl.col("state") == "48", pl.col("county") == "029")
    rows, same, others = compared(ours, long(theirs, "county", tuple(descriptive_representation.GROUPS)), 1e-15)
    assert (rows, same) == (4, 4), f"{same} of {rows} shares equal; others: {others}"


@pytest.mark.parity
def test_rows_missing_in_the_older_city_file_are_the_registered_ones(realcases):
    universe = published(realcases, "geographic-crosswalks/data/place-populations.csv.gz")
    universe = universe.filter(pl.col("year").is_in(racial_diversity.YEARS))
    file = published(realcases, f"06_neighborhoods/{RACE}/{RACE}-city.csv.gz")
    missing = universe.join(file, on=["year", "state", "place"], how="anti")
    found = {(y, f"{s}{p}") for y, s, p in missing.select("year", "state", "place").rows()}
    (entry,) = [d for d in racial_diversity.DEVIATIONS if d.id.endswith("missing-in-older-city-file")]
    assert entry.rows is not None
    # South Fulton has no 2014 factors, so there is no figure for 2018 on either side.
    assert found == {(r.year, r.geoid) for r in entry.rows} | {(2018, "1372122")}


@pytest.mark.parity
def test_south_fulton_is_missing_where_registered(realcases):
    file = published(realcases, "06_neighborhoods/poverty-exposure/final/poverty-exposure_city.csv.gz")
    universe = published(realcases, "geographic-crosswalks/data/place-populations.csv.gz")
    universe = universe.filter(pl.col("year").is_in(file["year"].unique().implode()))
    missing = universe.join(file, on=["year", "state", "place"], how="anti").select("year", "state", "place").rows()
    (entry,) = [d for d in economic_inclusion.DEVIATIONS if d.id.endswith("south-fulton-2018")]
    assert entry.rows is not None
    assert [(y, f"{s}{p}") for y, s, p in missing] == [(r.year, r.geoid) for r in entry.rows]


# --- the rules, on small tables

POOR = tuple(c for c in all_tables()["acs_tract_poverty"].model.to_schema().columns if c.startswith("poor"))
PEOPLE = tuple(all_tables()["acs_county_race"].model.to_schema().columns)[2:]


def poverty_table(*rows: dict[str, object]) -> pl.LazyFrame:
    columns = ["state", "county", "tract", "people", "people_moe", *POOR]
    filled = [{**dict.fromkeys(columns[3:], 0), "state": "10", "county": "001", **row} for row in rows]
    return pl.DataFrame(filled, schema={c: pl.String if i < 3 else pl.Int64 for i, c in enumerate(columns)}).lazy()


def race_table(*rows: dict[str, object]) -> pl.LazyFrame:
    columns = ["state", "county", "tract", *PEOPLE]
    filled = [{**dict.fromkeys(PEOPLE, 0), "state": "10", "county": "001", **row} for row in rows]
    return pl.DataFrame(filled, schema={c: pl.String if i < 3 else pl.Int64 for i, c in enumerate(columns)}).lazy()


def place_table(*rows: tuple[str, str, float, float | None]) -> pl.LazyFrame:
    """(tract, place, afact, afact2) in county 10-001."""
    frame = pl.DataFrame(rows, schema=["tract", "place", "afact", "afact2"], orient="row")
    return frame.select(
        pl.lit("10").alias("state"),
        pl.lit("001").alias("county"),
        "tract",
        "place",
        "afact",
        (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
        pl.col("afact2").cast(pl.Float64),
    ).lazy()


AREAS = pl.DataFrame(
    {"level": ["county", "county", "place", "place"], "state": ["10"] * 4, "geo": ["001", "003", "11111", "22222"]}
).lazy()


def cell(frame: pl.DataFrame, level: str, geo: str, **where: str) -> dict[str, object]:
    found = frame.filter(pl.col("level") == level, pl.col("geo") == geo, *(pl.col(k) == v for k, v in where.items()))
    assert found.height == 1
    return found.row(0, named=True)


def inclusion_of(*rows: dict[str, object], places: pl.LazyFrame | None = None) -> pl.DataFrame:
    return economic_inclusion.estimate(poverty_table(*rows), places, AREAS, 2021)


@pytest.mark.parametrize(("poor", "value"), [(400, 0.0), (401, 1.0), (399, 0.0)])
def test_high_poverty_begins_above_40_percent(poor, value):
    frame = inclusion_of({"tract": "000100", "people": 1000, "poor": poor, "poor_moe": 50})
    row = cell(frame, "county", "001", subgroup=ALL)
    assert (row["value"], row["numerator"], row["denominator"]) == (value, poor * value, poor)


def test_the_rate_of_all_people_decides_for_every_group():
    frame = inclusion_of(
        {"tract": "000100", "people": 1000, "poor": 500, "poor_black": 20, "poor_hispanic": 80},
        {"tract": "000200", "people": 1000, "poor": 100, "poor_black": 60, "poor_hispanic": 20},
    )
    assert cell(frame, "county", "001", subgroup="Black")["value"] == 0.25
    assert cell(frame, "county", "001", subgroup="Hispanic")["value"] == 0.8
    assert cell(frame, "county", "001", subgroup=ALL)["value"] == pytest.approx(500 / 600)


def test_other_races_are_five_groups_with_the_zero_rule():
    frame = inclusion_of(
        {
            "tract": "000100",
            "people": 1000,
            "poor": 100,
            "poor_aian": 30,
            "poor_aian_moe": 20,
            "poor_two_or_more": 10,
            "poor_two_or_more_moe": 9,
            "poor_asian_moe": 13,
            "poor_nhpi_moe": 12,
            "poor_other_race_moe": 11,
        }
    )
    row = cell(frame, "county", "001", subgroup="Other Races and Ethnicities")
    assert row["denominator"] == 40
    # cv = sqrt(20^2 + 9^2 + 13^2) / 1.645 / 40 = 0.387
    assert (row["quality"], row["reason"]) == (2, "high sampling error")


def test_tracts_without_people_count_for_nothing():
    tracts_with = ({"tract": "000100", "people": 1000, "poor": 100, "poor_moe": 32},)
    empty = {"tract": "980000", "poor_moe": 999}
    assert cell(inclusion_of(*tracts_with), "county", "001", subgroup=ALL)["quality"] == 1
    assert cell(inclusion_of(*tracts_with, empty), "county", "001", subgroup=ALL)["quality"] == 1


@pytest.mark.parametrize(("poor", "reason"), [(0, "denominator is zero"), (30, "small population"), (31, None)])
def test_thirty_poor_people_or_fewer_have_no_figure(poor, reason):
    row = cell(inclusion_of({"tract": "000100", "people": 1000, "poor": poor}), "county", "001", subgroup=ALL)
    assert (row["value"] is None, row["reason"]) == (reason is not None, reason)


def test_a_place_takes_its_share_and_keeps_the_tract_test():
    frame = inclusion_of(
        {"tract": "000100", "people": 1000, "poor": 500, "poor_moe": 100},
        {"tract": "000200", "people": 1000, "poor": 100, "poor_moe": 60},
        places=place_table(("000100", "11111", 0.2, 0.5), ("000200", "11111", 1.0, 0.5)),
    )
    row = cell(frame, "place", "11111", subgroup=ALL)
    assert (row["numerator"], row["denominator"], row["value"]) == (100.0, 200.0, 0.5)
    assert row["allocation"] == pytest.approx(0.2 * 0.5 + 0.5)
    assert (row["estimation_area"], row["n_areas"], row["n"]) == ("place-1011111", 1, 2)
    assert row["reference_period"] == "2017-2021"
    missing = cell(frame, "place", "22222", subgroup=ALL)
    assert (missing["value"], missing["reason"]) == (None, "area not covered by source")


def test_the_margin_of_a_place_is_divided_as_in_counties():
    rows = ({"tract": "000100", "people": 1000, "poor": 100, "poor_moe": 30},)
    places = place_table(("000100", "11111", 1.0, 1.0))
    ours = economic_inclusion.compute(poverty_table(*rows), places, AREAS, 2021)
    reference = economic_inclusion.compute(poverty_table(*rows), places, AREAS, 2021, reference_flags=True)
    assert [cell(f, "place", "11111", subgroup=ALL)["quality"] for f in (ours, reference)] == [1, 2]
    assert [cell(f, "county", "001", subgroup=ALL)["quality"] for f in (ours, reference)] == [1, 1]


def test_the_squared_margin_is_multiplied_by_the_factor():
    rows = ({"tract": "000100", "people": 1000, "poor": 400, "poor_moe": 100},)
    frame = inclusion_of(*rows, places=place_table(("000100", "11111", 0.25, 1.0)))
    # cv = sqrt(0.25 * 100^2) / 1.645 / 100 = 0.304; with the factor squared it would be 0.152.
    assert cell(frame, "place", "11111", subgroup=ALL)["quality"] == 2


def test_a_place_whose_tracts_are_not_all_there_has_no_figure():
    rows = ({"tract": "000100", "people": 1000, "poor": 400},)
    places = place_table(("000100", "11111", 1.0, 0.5), ("000200", "11111", 1.0, 0.5), ("000300", "22222", 1.0, 1.0))
    frame = inclusion_of(*rows, places=places)
    assert cell(frame, "place", "11111", subgroup=ALL)["reason"] == "low coverage"
    assert cell(frame, "place", "22222", subgroup=ALL)["reason"] == "input owed"


def test_a_county_without_tracts_is_owed_and_a_strange_one_reaches_the_gate():
    frame = inclusion_of({"tract": "000100", "county": "999", "people": 1000, "poor": 400})
    assert cell(frame, "county", "001", subgroup=ALL)["reason"] == "input owed"
    assert cell(frame, "county", "999", subgroup=ALL)["value"] == 0.0


@pytest.mark.parametrize("column", ["people", "poor", "poor_black"])
def test_a_count_that_the_agency_does_not_give_makes_no_figure(column):
    frame = inclusion_of(
        {"tract": "000100", "people": 1000, "poor": 400, "poor_black": 100},
        {"tract": "000200", "people": 1000, "poor": 400, "poor_black": 100, column: None},
    )
    row = cell(frame, "county", "001", subgroup="Black")
    assert (row["value"], row["reason"]) == (None, "unreliable at source")


def test_without_factors_there_are_counties_only():
    frame = inclusion_of({"tract": "000100", "people": 1000, "poor": 400})
    assert set(frame["level"]) == {"county"}
    assert economic_inclusion.estimate(None, None, AREAS, 2021).height == 0


def diversity_of(*rows: dict[str, object], places: pl.LazyFrame | None = None) -> pl.DataFrame:
    return racial_diversity.estimate(race_table(*rows), places, AREAS, 2021)


def test_exposure_is_the_weighted_share_outside_the_group():
    frame = diversity_of(
        {"tract": "000100", "people": 1000, "black_nh": 900, "white_nh": 100},
        {"tract": "000200", "people": 1000, "black_nh": 100, "white_nh": 700, "asian_nh": 150, "nhpi_nh": 50},
        {"tract": "980000"},
    )
    black = cell(frame, "county", "001", metric="share_black_nh_exposure")
    assert black["value"] == pytest.approx((900 * 0.1 + 100 * 0.9) / 1000)
    assert (black["denominator"], black["numerator"]) == (1000, pytest.approx(180))
    other = cell(frame, "county", "001", metric="share_other_nh_exposure")
    assert other["value"] == pytest.approx(0.8)
    hispanic = cell(frame, "county", "001", metric="share_hispanic_exposure")
    assert (hispanic["value"], hispanic["reason"]) == (None, "group not present")


def test_a_segregated_county_has_no_exposure_and_a_lone_group_full_exposure():
    frame = diversity_of(
        {"tract": "000100", "people": 500, "black_nh": 500}, {"tract": "000200", "people": 500, "white_nh": 500}
    )
    assert cell(frame, "county", "001", metric="share_black_nh_exposure")["value"] == 0.0
    frame = diversity_of({"tract": "000100", "people": 5000, "black_nh": 50, "white_nh": 4950})
    assert cell(frame, "county", "001", metric="share_black_nh_exposure")["value"] == 0.99


def test_a_place_weighs_with_its_share_of_the_group_and_keeps_the_composition():
    frame = diversity_of(
        {"tract": "000100", "people": 1000, "hispanic": 400, "white_nh": 600},
        {"tract": "000200", "people": 1000, "hispanic": 100, "white_nh": 900},
        places=place_table(("000100", "11111", 0.25, 0.5), ("000200", "11111", 1.0, 0.5)),
    )
    row = cell(frame, "place", "11111", metric="share_hispanic_exposure")
    assert row["value"] == pytest.approx((100 * 0.6 + 100 * 0.9) / 200)
    assert row["denominator"] == 200


def test_margins_of_empty_tracts_count_in_counties_only():
    frame = diversity_of(
        {"tract": "000100", "people": 1000, "hispanic": 100, "white_nh": 900, "hispanic_moe": 30},
        {"tract": "980000", "hispanic_moe": 30},
        places=place_table(("000100", "11111", 1.0, 0.5), ("980000", "11111", 1.0, 0.5)),
    )
    # 30 / 1.645 / 100 = 0.18; with the empty tract's margin 0.26.
    assert cell(frame, "county", "001", metric="share_hispanic_exposure")["quality"] == 2
    assert cell(frame, "place", "11111", metric="share_hispanic_exposure")["quality"] == 1


def area_table(*rows: dict[str, object]) -> pl.LazyFrame:
    filled = [{**dict.fromkeys(PEOPLE, 0), "state": "10", **row} for row in rows]
    return pl.DataFrame(filled, schema={"state": pl.String, "geo": pl.String, **dict.fromkeys(PEOPLE, pl.Int64)}).lazy()


def test_shares_of_residents():
    county = {"geo": "001", "people": 1000, "hispanic": 200, "white_nh": 500, "black_nh": 250, "asian_nh": 50}
    frame = descriptive_representation.estimate(
        area_table({**county, "hispanic_moe": 33, "people_moe": 0}), area_table({"geo": "11111"}), AREAS, 2021
    )
    values = {m: cell(frame, "county", "001", metric=m)["value"] for m in descriptive_representation.GROUPS}
    assert list(values.values()) == [0.05, 0.25, 0.2, 0.5]
    row = cell(frame, "county", "001", metric="share_desc_rep_hispanic")
    assert (row["quality"], row["reason"]) == (1, None)
    assert row["se"] == pytest.approx(33 / 1.645 / 1000)
    assert row["cv"] == pytest.approx(row["se"] / 0.2)
    assert cell(frame, "place", "11111", metric="share_desc_rep_hispanic")["reason"] == "denominator is zero"
    assert cell(frame, "place", "22222", metric="share_desc_rep_hispanic")["reason"] == "input owed"
    assert cell(frame, "county", "003", metric="share_desc_rep_hispanic")["reason"] == "input owed"


def test_a_level_without_its_table_has_no_rows():
    frame = descriptive_representation.estimate(area_table({"geo": "001", "people": 3}), None, AREAS, 2021)
    assert set(frame["level"]) == {"county"}
    assert descriptive_representation.estimate(None, None, AREAS, 2021).height == 0


# --- the whole way on synthetic files: gate, explanations, places that are counties

SYNTHETIC_YEARS = (2016, 2021, 2023)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    world = World(7, SYNTHETIC_YEARS)
    for key in ("acs_tables", "ct_tracts", "geocorr"):
        writers()[key](root / "raw", world)
    return root


@pytest.fixture(scope="module")
def inputs(data: Path) -> dict[int, dict[str, pl.LazyFrame]]:
    """All tables of the three predictors by year."""
    names = {n for m in MODULES for n in inspect.signature(m.estimate).parameters} - {"year", "spine"}
    out = {}
    for year in SYNTHETIC_YEARS:
        retrieval = Retrieval(root=data, scope=Scope(STATE_CODES), scratch=data / "s", synthetic=True)
        tables = {name: all_tables()[name].build(year, retrieval).lazy() for name in names}
        out[year] = {**tables, "spine": geographies(year, STATE_CODES).lazy()}
    return out


def arguments(module: ModuleType, tables: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    return {n: tables[n] for n in inspect.signature(module.estimate).parameters if n != "year"}


@pytest.fixture(scope="module")
def whole(inputs: dict[int, dict[str, pl.LazyFrame]]) -> dict[tuple[str, int], pl.DataFrame]:
    out = {}
    for module in MODULES:
        for year in SYNTHETIC_YEARS:
            areas = inputs[year]["spine"].collect()
            computed = module.estimate(**arguments(module, inputs[year]), year=year)
            out[module.PREDICTOR.key, year] = complete(computed, module.PREDICTOR, year, areas)
    return out


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("year", SYNTHETIC_YEARS)
def test_estimates_pass_their_gate(whole, inputs, module, year):
    areas = inputs[year]["spine"].collect()
    keys = expected_keys(module.PREDICTOR, year, areas)
    frame = gate(whole[module.PREDICTOR.key, year], name="test", expected_keys=keys, limits=module.PREDICTOR.limits())
    assert frame.filter(pl.col("value").is_not_null()).height > 0.9 * frame.height
    assert catalog()[module.PREDICTOR.key].built


@pytest.mark.parametrize("module", MODULES)
def test_the_declared_tables_are_the_parameters(module):
    declared = {t for s in module.PREDICTOR.series for t in s.tables}
    assert declared | {"spine"} == set(catalog()[module.PREDICTOR.key].inputs)


def test_a_place_that_is_a_county_has_its_figures(whole):
    """Anchorage."""
    for (key, year), frame in whole.items():
        both = [
            frame.filter(pl.col("level") == level, pl.col("state") == "02", pl.col("geo") == geo)
            .select("subgroup", "metric", "value", "denominator")
            .sort("subgroup", "metric")
            for level, geo in (("county", "020"), ("place", "03000"))
        ]
        assert both[0].equals(both[1]), (key, year)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("year", SYNTHETIC_YEARS)
def test_explanations_recompute_the_figures(whole, inputs, module, year):
    frame = whole[module.PREDICTOR.key, year]
    some = pl.concat(
        [
            frame.filter(pl.col("level") == "place").gather_every(37),
            frame.filter(pl.col("value").is_null()).head(4),
            frame.filter(pl.col("quality") > 1).head(4),
            frame.filter(pl.col("level") == "county").gather_every(151),
        ]
    )
    names = [f.name for f in dataclasses.fields(Cell)]
    for row in some.iter_rows(named=True):
        account = module.explain(Cell(**{n: row[n] for n in names}), year=year, **arguments(module, inputs[year]))
        if row["value"] is None:
            assert account.recomputed is None
        else:
            assert account.recomputed == pytest.approx(row["value"], rel=1e-12)
            assert account.inputs.height > 0
        assert set(account.tables) <= set(all_tables())
        for decision in account.decisions:
            if decision.outcome.startswith("quality"):
                assert decision.outcome == f"quality {row['quality']}"


def test_an_explanation_tells_the_way_to_the_figure(inputs):
    account = economic_inclusion.explain(
        Cell(2021, "place", "37", "75000", "race-ethnicity", "Black", "share_poverty_exposure", "acs5_tables"),
        year=2021,
        **arguments(economic_inclusion, inputs[2021]),
    )
    assert [s.name for s in account.steps] == [
        "tracts of the state",
        "tracts of the place",
        "tracts with figures",
        "tracts with people",
        "high-poverty tracts",
    ]
    assert all(a.rows_out == b.rows_in for a, b in zip(account.steps, account.steps[1:], strict=False))
    assert account.inputs["counted"].sum() == pytest.approx((account.inputs["group"] * account.inputs["afact"]).sum())
    assert account.tables == ("acs_tract_poverty", "tract_place")


@pytest.mark.parametrize("module", MODULES)
def test_deviations_are_registered_under_their_predictor(module):
    assert module.DEVIATIONS
    assert len({d.id for d in module.DEVIATIONS}) == len(module.DEVIATIONS)
    assert {d.predictor for d in module.DEVIATIONS} == {module.PREDICTOR.key}
