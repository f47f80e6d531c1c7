"""Social capital: parity with every published row at hand, the registered deviations, and each rule's boundary."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from social_support import at_hand, published, real_spine, same, spine

from metrics import associations, connectedness
from metrics.catalog import catalog
from metrics.deviation import PublishedRow
from metrics.explanation import Cell
from metrics.neighborhoods.social_capital import (
    ASSOCIATIONS,
    ATLAS,
    CBP,
    CONNECTEDNESS,
    DEVIATIONS,
    PREDICTOR,
    YEARS,
    Switches,
    estimate,
    explain,
)
from metrics.predictor import complete, expected_keys
from schemas.estimate import conform, gate
from schemas.labels import ALL
from schemas.social import ASSOCIATIONS as INDUSTRIES
from schemas.social import CbpCounty, zcta_vintage
from sources import cbp, social_capital_atlas, zcta_place

FINAL = "published_files/raw/06_neighborhoods/social-capital/final"
TABLES = ("cbp_county", "cbp_zip", "zcta_place", "connectedness_county", "connectedness_zcta", "zcta_place_area")
# Columns of the tabulation in the mirror -> industry.
TABULATED = {
    "Religious": "813110",
    "Civic": "813410",
    "Business": "813910",
    "Political": "813940",
    "Professional": "813920",
    "Labor": "813930",
    "Bowling": "713950",
    "Recreational": "713940",
    "Golf": "713910",
    "Sports": "711211",
}


def figures(places: pl.LazyFrame, year: int, switches: Switches | None = None, **tables: pl.LazyFrame) -> pl.DataFrame:
    given = {name: tables.get(name) for name in TABLES}
    return estimate(**given, spine=places, year=year, **({"switches": switches} if switches else {}))


def county_cells(rows: list[tuple[str, str, int]]) -> pl.LazyFrame:
    full = [(geoid[:2], geoid[2:], naics, n) for geoid, naics, n in rows]
    schema = {"state": pl.String, "county": pl.String, "naics": pl.String, "establishments": pl.Int64}
    return pl.LazyFrame(full, schema=schema, orient="row")


def zip_cells(rows: list[tuple[str, str, int]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema={"zip": pl.String, "naics": pl.String, "establishments": pl.Int64}, orient="row")


def factors(rows: list[tuple[str, int, str, float, float]]) -> pl.LazyFrame:
    """`zcta_place` from (zcta, vintage, GEOID of the place, afact, afact2)."""
    schema = {
        "zcta": pl.String,
        "zcta_vintage": pl.Int16,
        "state": pl.String,
        "place": pl.String,
        "afact": pl.Float64,
        "afact2": pl.Float64,
    }
    return pl.LazyFrame([(z, v, g[:2], g[2:], a, b) for z, v, g, a, b in rows], schema=schema, orient="row")


def atlas_counties(rows: list[tuple[str, float | None, float | None]]) -> pl.LazyFrame:
    schema = {"state": pl.String, "county": pl.String, "ec": pl.Float64, "ec_se": pl.Float64}
    return pl.LazyFrame([(g[:2], g[2:], ec, se) for g, ec, se in rows], schema=schema, orient="row")


def atlas_zips(rows: list[tuple[str, str | None, float | None]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema={"zcta": pl.String, "state": pl.String, "ec": pl.Float64}, orient="row")


def parts(rows: list[tuple[str, str, int]]) -> pl.LazyFrame:
    """`zcta_place_area` from (zcta, GEOID of the place, permille)."""
    schema = {"zcta": pl.String, "state": pl.String, "place": pl.String, "permille": pl.Int32}
    return pl.LazyFrame([(z, g[:2], g[2:], p) for z, g, p in rows], schema=schema, orient="row")


PLACES = spine(
    [
        ("county", "37067", "Forsyth County", 380_000),
        ("county", "48301", "Loving County", 64),
        ("place", "3775000", "Winston-Salem city", 250_000),
        ("place", "3712000", "Charlotte city", 900_000),
    ]
)


def only(frame: pl.DataFrame, geo: str) -> dict[str, object]:
    return frame.filter(pl.col("geo") == geo).row(0, named=True)


# Parity ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("social")


def beside(frame: pl.DataFrame, wanted: pl.DataFrame, level: str = "county") -> pl.DataFrame:
    here = conform(frame).select(
        "state", pl.col("geo").alias(level), "value", "lb", "ub", "quality", "numerator", "reason"
    )
    return wanted.join(here, on=["state", level], how="left", validate="1:1")


@pytest.fixture(scope="module")
def associations_2014(mirror: Path) -> pl.DataFrame:
    """The tabulation of the agency's cells of 2014; no establishments in a cell means that it is not there."""
    path = mirror / "cbp/2014/social-capital-variables-spreadsheet-for-2014.xlsx"
    frame = pl.read_excel(path, infer_schema_length=0)
    counts = {naics: pl.col(f"{column}2014").cast(pl.Int64) for column, naics in TABULATED.items()}
    cells = frame.select(geoid=pl.col("FIPS").str.zfill(5), **counts).unpivot(
        index="geoid", variable_name="naics", value_name="establishments"
    )
    table = cells.filter(pl.col("establishments") > 0).select(
        state=pl.col("geoid").str.head(2),
        county=pl.col("geoid").str.tail(3),
        naics="naics",
        establishments="establishments",
    )
    CbpCounty.validate(table, lazy=True)
    assert set(TABULATED.values()) == set(INDUSTRIES)
    return table


@pytest.mark.parity
def test_parity_of_associations_2014(associations_2014, realcases: Path, mirror: Path, root: Path) -> None:
    """All 3,142 counties; 23 of them without a cell are missing."""
    wanted = published(realcases / FINAL / "social_associations_all_county.csv.gz", 2014)
    frame = figures(real_spine(mirror, 2014, root).lazy(), 2014, cbp_county=associations_2014.lazy())
    rows = beside(frame, wanted).with_columns(
        ok=same("value", ASSOCIATIONS, 1e-9) & same("quality", f"{ASSOCIATIONS}_quality")
    )
    different = rows.filter(~pl.col("ok")).head(3).to_dicts()
    assert rows.height == 3142
    assert rows["ok"].all(), f"{rows['ok'].sum()} of {rows.height} rows equal; {different}"
    assert rows["value"].null_count() == 23
    found = {s + c: v for s, c, v in rows.select("state", "county", "value").rows()}
    assert (found["37067"], found["01001"], found["06037"], found["36061"]) == (10.9, 13.7, 5.6, 13.1)


@pytest.mark.parity
@pytest.mark.parametrize("year", YEARS)
def test_every_published_rate_is_one_of_a_whole_number_of_associations(
    realcases: Path, mirror: Path, root: Path, year: int
) -> None:
    """Denominator, rounding and withheld cells of all 28,282 county rows: some whole number gives the published rate.

    From 2017 on a county with a figure has three establishments at least, before that one.
    """
    wanted = published(realcases / FINAL / "social_associations_all_county.csv.gz", year)
    people = real_spine(mirror, year, root).filter(pl.col("level") == "county").rename({"geo": "county"})
    rows = wanted.join(people, on=["state", "county"], how="left", validate="1:1").with_columns(
        pl.col(ASSOCIATIONS).cast(pl.Float64)
    )
    assert rows["population"].null_count() == 0
    nearest = (pl.col(ASSOCIATIONS) * pl.col("population") / 10_000).round().cast(pl.Int64)
    fits = [(associations.rate(nearest + shift) == pl.col(ASSOCIATIONS)) for shift in (-1, 0, 1)]
    known = rows.filter(pl.col(ASSOCIATIONS).is_not_null())
    assert known.select(pl.any_horizontal(fits).all()).item(), f"{year}: {known.height} figures"
    # Where a tenth of the rate is less than one establishment, the number is certain.
    small = known.filter(pl.col("population") < 50_000)
    assert small.select(nearest.min()).item() == (3 if year >= 2017 else 1)
    missing = {2014: 23, 2015: 24, 2016: 25, 2017: 141, 2018: 138, 2019: 141, 2020: 152, 2021: 154, 2022: 150}
    assert rows[ASSOCIATIONS].null_count() == missing[year]


@pytest.mark.parity
def test_parity_of_county_connectedness(realcases: Path, mirror: Path, root: Path) -> None:
    """All 3,143 rows on the counties of 2020: share, both bounds, quality."""
    wanted = published(realcases / "social_capital/expected/economic_connectedness_version2025_county_2022.csv")
    retrieval = at_hand(root, mirror=mirror)
    table = social_capital_atlas.build_connectedness_county(2022, retrieval).lazy()
    frame = figures(real_spine(mirror, 2020, root).lazy(), 2022, connectedness_county=table)
    equal = same("value", CONNECTEDNESS, 1e-12) & same("quality", f"{CONNECTEDNESS}_quality")
    for bound in ("lb", "ub"):
        equal = equal & same(bound, f"{CONNECTEDNESS}_{bound}", 1e-12)
    rows = beside(frame, wanted).with_columns(ok=equal)
    assert rows.height == 3143
    assert rows["ok"].all(), f"{rows['ok'].sum()} of {rows.height} rows equal"
    assert rows["value"].null_count() == 126
    assert (rows["value"].min(), rows["value"].max()) == (pytest.approx(0.147345), pytest.approx(0.67985))
    # The rows that readers of the reference's overall file lack on the counties of 2022, as registered.
    kept = next(d for d in DEVIATIONS if d.id == "social_capital/counties-of-2020")
    places = real_spine(mirror, 2022, root)
    ours = figures(places.lazy(), 2022, connectedness_county=table)
    assert ours.height == 3144
    gone = ours.filter(pl.col("value").is_null()).select(pl.col("state") + pl.col("geo")).to_series()
    assert {row.geoid for row in kept.rows or ()} <= set(gone)
    assert ours["value"].count() == 3009
    reasons = dict(ours.filter(pl.col("value").is_null()).group_by("reason").len().rows())
    assert reasons == {"source on old counties": 9, "area not covered by source": 126}


@pytest.mark.parity
def test_published_city_figures_are_doubled(realcases: Path) -> None:
    """The registered deviation occurs: in cities that are a county the published figure is up to twice the county's."""
    folder = realcases / FINAL
    city = published(folder / "social_associations_all_city.csv.gz")
    county = published(folder / "social_associations_all_county.csv.gz")
    same_area = {
        *(("0203000", "02020"), ("0667000", "06075"), ("0820000", "08031"), ("1150000", "11001"), ("2404000", "24510")),
        *(("2965000", "29510"), ("4260000", "42101"), ("5101000", "51510"), ("5116000", "51550"), ("5135000", "51650")),
        *(("5147672", "51680"), ("5156000", "51700"), ("5157000", "51710"), ("5164000", "51740"), ("5167000", "51760")),
        *(("5168000", "51770"), ("5176432", "51800"), ("5182000", "51810")),
    }
    pairs = pl.DataFrame(sorted(same_area), schema=["place_id", "county_id"], orient="row")
    rows = (
        pairs.join(city.with_columns(place_id=pl.col("state") + pl.col("place")), on="place_id")
        .join(
            county.with_columns(county_id=pl.col("state") + pl.col("county")),
            on=["county_id", "year"],
            suffix="_county",
        )
        .with_columns(ratio=pl.col(ASSOCIATIONS).cast(pl.Float64) / pl.col(f"{ASSOCIATIONS}_county").cast(pl.Float64))
    )
    assert rows["ratio"].count() > 150
    assert 1.7 < rows["ratio"].median() < 2.05
    assert rows.filter(pl.col("ratio") > 1.5).height > 0.95 * rows["ratio"].count()


@pytest.mark.parity
def test_the_city_at_the_threshold_has_a_figure_without_quality(realcases: Path) -> None:
    """The registered deviation occurs in one row of the published file."""
    rows = published(realcases / FINAL / "economic_connectedness_version2025_place_2022.csv.gz")
    bare = rows.filter(pl.col(CONNECTEDNESS).is_not_null(), pl.col(f"{CONNECTEDNESS}_quality").is_null())
    register = next(d for d in DEVIATIONS if d.id == "social_capital/quality-at-the-threshold")
    assert [PublishedRow(2022, "place", s + p) for s, p in bare.select("state", "place").rows()] == list(register.rows)


@pytest.mark.parity
def test_renamed_and_divided_counties_are_missing_in_the_published_file(realcases: Path) -> None:
    rows = published(realcases / FINAL / "social_associations_all_county.csv.gz")
    value = {
        PublishedRow(int(y), "county", s + c): v
        for y, s, c, v in rows.select("year", "state", "county", ASSOCIATIONS).rows()
    }
    for name in ("county-codes", "alaska-2020"):
        registered = next(d for d in DEVIATIONS if d.id == f"social_capital/{name}")
        assert all(value[row] is None for row in registered.rows)
    # Neighboring years have figures under the code of their year.
    assert value[PublishedRow(2014, "county", "02270")] == "6.2"
    assert value[PublishedRow(2019, "county", "02261")] == "16.3"


# Associations ------------------------------------------------------------------------------------------------------


def test_county_rate() -> None:
    cells = county_cells([("37067", "813110", 300), ("37067", "813410", 99), ("37001", "813110", 7)])
    frame = figures(PLACES, 2018, cbp_county=cells)
    assert frame.height == 1
    assert only(frame, "067") == {
        "level": "county",
        "state": "37",
        "geo": "067",
        "subgroup_type": "all",
        "subgroup": ALL,
        "metric": ASSOCIATIONS,
        "sample": CBP,
        "estimation_area": "county-37067",
        "n_areas": 1,
        "reference_period": "2018",
        "value": 10.5,
        "quality": 1,
        "n": 2,
        "numerator": 399.0,
        "denominator": 380_000.0,
        "reason": None,
    }
    whole = complete(frame, PREDICTOR, 2018, PLACES.collect())
    loving = only(whole, "301")
    assert (loving["value"], loving["quality"], loving["reason"]) == (None, None, "area not covered by source")


@pytest.mark.parametrize("coded", ["02270", "02158"])
@pytest.mark.parametrize("listed", ["02270", "02158"])
def test_renamed_counties_meet_under_the_code_of_the_year(coded: str, listed: str) -> None:
    places = spine([("county", listed, "Kusilvak", 8_000)])
    frame = figures(places, 2015, cbp_county=county_cells([(coded, "813110", 5)]))
    assert frame.select("geo", "value").rows() == [(listed[2:], 6.2)]


def test_a_divided_county_is_lost() -> None:
    places = spine([("county", "02063", "Chugach", 7_000), ("county", "02066", "Copper River", 2_600)])
    assert figures(places, 2021, cbp_county=county_cells([("02261", "813110", 16)])).height == 0


def test_without_people_there_is_no_rate() -> None:
    """Populations not known, or nobody."""
    for people in (None, 0):
        places = spine(
            [("county", "37067", "Forsyth County", people), ("place", "3775000", "Winston-Salem city", people)]
        )
        frame = figures(
            places,
            2018,
            cbp_county=county_cells([("37067", "813110", 5)]),
            cbp_zip=zip_cells([("27101", "813110", 5)]),
            zcta_place=factors([("27101", 2010, "3775000", 1.0, 1.0)]),
        )
        assert frame["value"].to_list() == [None, None]
        assert frame["reason"].to_list() == ["input owed", "input owed"]


ZIPS = [("27101", "813110", 200), ("27101", "813410", 100), ("27106", "813110", 75), ("28999", "813110", 9)]
BOTH = [
    ("27101", 2010, "3775000", 0.5, 0.25),
    ("27106", 2010, "3775000", 1.0, 0.75),
    ("27101", 2020, "3775000", 0.75, 0.5),
    ("27106", 2020, "3775000", 0.6, 0.5),
    ("27555", 2020, "3712000", 1.0, 1.0),
]


@pytest.mark.parametrize(
    ("year", "count", "products"),
    [(2014, 225.0, 0.875), (2019, 225.0, 0.875), (2020, 270.0, 0.675), (2022, 270.0, 0.675)],
)
def test_city_rate_takes_one_vintage_of_zip_areas(year: int, count: float, products: float) -> None:
    """300 x 0.5 + 75 until 2019; 300 x 0.75 + 75 x 0.6 afterwards; the post office box is nowhere."""
    frame = figures(PLACES, year, cbp_zip=zip_cells(ZIPS), zcta_place=factors(BOTH))
    row = only(frame, "75000")
    assert (row["numerator"], row["value"], row["n"]) == (count, round(count / 25, 1), 2)
    assert row["allocation"] == pytest.approx(products)
    assert (row["quality"], row["reason"]) == (
        (1, None) if products >= 0.75 else (2, "area partly outside its sampling area")
    )


def test_stacked_vintages_count_twice() -> None:
    """The reference's way, behind a switch: sums and quality of both vintages."""
    stacked = figures(
        PLACES, 2021, Switches(stacked_crosswalks=True), cbp_zip=zip_cells(ZIPS), zcta_place=factors(BOTH)
    )
    row = only(stacked, "75000")
    assert row["numerator"] == 225 + 270
    assert (row["quality"], row["allocation"]) == (1, 1.0)


def test_a_city_without_a_published_cell_is_missing_not_zero() -> None:
    frame = figures(PLACES, 2021, cbp_zip=zip_cells(ZIPS), zcta_place=factors(BOTH))
    charlotte = only(frame, "12000")
    assert (charlotte["value"], charlotte["quality"], charlotte["reason"]) == (None, None, "area not covered by source")
    # A factor that is rounded to zero brings nothing either.
    sliver = factors([("27101", 2020, "3775000", 0.0, 0.0)])
    assert only(figures(PLACES, 2021, cbp_zip=zip_cells(ZIPS), zcta_place=sliver), "75000")["value"] is None


@pytest.mark.parametrize(
    ("first", "second", "quality"),
    [
        (0.75, 1.0, 1),
        (0.7499, 1.0, 2),
        (0.35, 1.0, 2),
        (0.3499, 1.0, 3),
        (0.5, 0.7, 2),
        (0.5, 0.6998, 3),
        (0.0001, 0.0001, 3),
    ],
)
def test_quality_of_cities(first: float, second: float, quality: int) -> None:
    frame = figures(
        PLACES, 2021, cbp_zip=zip_cells(ZIPS), zcta_place=factors([("27101", 2020, "3775000", first, second)])
    )
    assert only(frame, "75000")["quality"] == quality


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_sums_do_not_depend_on_the_order_of_rows(pairs) -> None:
    rows = [(f"27{n:03d}", 2020, "3775000", a / 10_000, b / 10_000) for n, (a, b) in enumerate(pairs)]
    cells = zip_cells([(f"27{n:03d}", "813110", n + 1) for n in range(len(rows))])
    forth = figures(PLACES, 2021, cbp_zip=cells, zcta_place=factors(rows))
    back = figures(PLACES, 2021, cbp_zip=cells, zcta_place=factors(rows[::-1]))
    assert forth.rows() == back.rows()
    exact = sum((n + 1) * a for n, (a, _) in enumerate(pairs))
    found = forth["numerator"].item()
    assert found == (exact / 10_000 if any(a for a, _ in pairs) else None)
    products = sum(a * b for a, b in pairs)
    wanted = 1 if products >= 75_000_000 else 2 if products >= 35_000_000 else 3
    assert forth["quality"].item() == (wanted if found is not None else None)


# Connectedness -----------------------------------------------------------------------------------------------------


def test_county_connectedness() -> None:
    table = atlas_counties([("37067", 0.64, 0.01), ("48301", None, None), ("37001", 1.0, 0.1)])
    frame = figures(PLACES, 2022, connectedness_county=table)
    row = only(frame, "067")
    assert (row["value"], row["se"], row["cv"], row["quality"]) == (0.32, 0.005, pytest.approx(0.005 / 0.32), 1)
    assert row["lb"] == pytest.approx(0.32 - 1.959963984540054 * 0.005, abs=1e-15)
    assert row["ub"] == pytest.approx(0.32 + 1.959963984540054 * 0.005, abs=1e-15)
    assert (row["sample"], row["reference_period"], row["metric"]) == (ATLAS, "2022-05", CONNECTEDNESS)
    missing = only(frame, "301")
    assert (missing["value"], missing["lb"], missing["reason"]) == (None, None, "area not covered by source")


@pytest.mark.parametrize(
    ("source", "reason"), [("09001", "source on old counties"), ("09110", "area not covered by source")]
)
def test_regions_are_blamed_only_on_old_counties(source: str, reason: str) -> None:
    places = spine([("county", "09110", "Capitol", 900_000), ("county", "09120", "Bridgeport", 300_000)])
    frame = figures(places, 2022, connectedness_county=atlas_counties([(source, 0.9, 0.01)]))
    assert only(frame, "120")["reason"] == reason
    assert (only(frame, "110")["value"] is not None) == (source == "09110")


def test_city_connectedness_weighs_by_area() -> None:
    """Zip areas of another state, without a figure, or without a state do not count; a sliver counts as an area."""
    table = atlas_zips(
        [
            ("27101", "37", 0.8),
            ("27106", "37", 1.2),
            ("27107", "37", None),
            ("27109", None, 1.0),
            ("24001", "51", 1.9),
            ("27110", "37", 1.9),
        ]
    )
    inside = parts(
        [
            *(
                ("27101", "3775000", 1000),
                ("27106", "3775000", 250),
                ("27107", "3775000", 500),
                ("27109", "3775000", 500),
            ),
            *(("24001", "3775000", 300), ("27110", "3775000", 0), ("27101", "3700004", 10)),
        ]
    )
    frame = figures(PLACES, 2022, connectedness_zcta=table, zcta_place_area=inside)
    row = only(frame, "75000")
    assert frame.height == 1
    assert row["value"] == pytest.approx(0.5 * (0.8 * 1.0 + 1.2 * 0.25) / 1.25)
    assert (row["n"], row["n_effective"], row["quality"]) == (3, 1.25, 2)
    assert row["reason"] == "area partly outside its sampling area"


def test_a_city_of_slivers_has_no_connectedness() -> None:
    frame = figures(
        PLACES,
        2022,
        connectedness_zcta=atlas_zips([("27101", "37", 0.8)]),
        zcta_place_area=parts([("27101", "3775000", 0)]),
    )
    row = only(frame, "75000")
    assert (row["value"], row["quality"], row["reason"]) == (None, None, "area not covered by source")


@pytest.mark.parametrize(
    ("whole", "zips", "quality"),
    [
        (1, 1, 1),
        (1, 2, 1),
        (9, 19, 2),
        (10, 20, 1),
        (4, 20, 2),
        (3, 20, 3),
        (3, 19, 2),
        (2, 20, 3),
        (0, 5, 3),
        (6, 40, 3),
    ],
)
def test_quality_of_connectedness(whole: int, zips: int, quality: int) -> None:
    """0.5 and more is strong, above 0.15 marginal; 0.15 itself is weak, where the reference has no rule."""
    names = [f"27{n:03d}" for n in range(zips)]
    table = atlas_zips([(name, "37", 1.0) for name in names])
    inside = parts([(name, "3775000", 1000 if n < whole else 999) for n, name in enumerate(names)])
    frame = figures(PLACES, 2022, connectedness_zcta=table, zcta_place_area=inside)
    assert only(frame, "75000")["quality"] == quality


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 1000)), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None)
def test_connectedness_lies_between_its_parts(pairs) -> None:
    table = atlas_zips([(f"27{n:03d}", "37", ec) for n, (ec, _) in enumerate(pairs)])
    inside = parts([(f"27{n:03d}", "3775000", p) for n, (_, p) in enumerate(pairs)])
    value = only(figures(PLACES, 2022, connectedness_zcta=table, zcta_place_area=inside), "75000")["value"]
    counted = [ec for ec, p in pairs if p]
    if counted:
        assert min(counted) / 2 - 1e-12 <= value <= max(counted) / 2 + 1e-12
    else:
        assert value is None


# Owed inputs, gate, trace --------------------------------------------------------------------------------------------


@pytest.fixture
def tables() -> dict[str, pl.LazyFrame]:
    return {
        "cbp_county": county_cells([("37067", "813110", 300), ("37067", "813410", 99)]),
        "cbp_zip": zip_cells(ZIPS),
        "zcta_place": factors(BOTH),
        "connectedness_county": atlas_counties([("37067", 0.64, 0.01), ("48301", None, None)]),
        "connectedness_zcta": atlas_zips([("27101", "37", 0.8), ("27106", "37", 1.2)]),
        "zcta_place_area": parts([("27101", "3775000", 1000), ("27106", "3775000", 250)]),
    }


@pytest.mark.parametrize("owed", [None, *TABLES])
def test_an_owed_table_takes_just_its_own_figures(tables, owed: str | None) -> None:
    given_tables = {name: table for name, table in tables.items() if name != owed}
    frame = figures(PLACES, 2022, **given_tables)
    places = PLACES.collect()
    whole = complete(frame, PREDICTOR, 2022, places, owed=frozenset({owed} if owed else ()))
    gate(whole, name="social", expected_keys=expected_keys(PREDICTOR, 2022, places), limits=PREDICTOR.limits())
    assert whole.height == 8
    gone = whole.filter(pl.col("reason") == "input owed").select("level", "metric").unique().rows()
    place, county = ("place", ASSOCIATIONS), ("county", ASSOCIATIONS)
    wanted = {
        None: [],
        "cbp_county": [county],
        "cbp_zip": [place],
        "zcta_place": [place],
        "connectedness_county": [("county", CONNECTEDNESS)],
        "connectedness_zcta": [("place", CONNECTEDNESS)],
        "zcta_place_area": [("place", CONNECTEDNESS)],
    }
    assert gone == wanted[owed]


@pytest.mark.parametrize(
    "area", [("county", "37", "067"), ("county", "48", "301"), ("place", "37", "75000"), ("place", "37", "12000")]
)
@pytest.mark.parametrize("metric", [ASSOCIATIONS, CONNECTEDNESS])
def test_the_account_gives_the_same_figure(tables, area, metric: str) -> None:
    cell = Cell(2022, *area, "all", ALL, metric, CBP if metric == ASSOCIATIONS else ATLAS)
    account = explain(cell, year=2022, spine=PLACES, **tables)
    frame = figures(PLACES, 2022, **tables)
    row = frame.filter(pl.col("geo") == area[2], pl.col("metric") == metric)
    value = row["value"].item() if row.height else None
    assert account.recomputed == value
    assert all(step.rows_in >= step.rows_out for step in account.steps)
    assert set(account.tables) <= {*TABLES, "spine"}
    if value is None:
        assert "no" in account.formula
        assert account.decisions[0].outcome == "the value is missing"
        return
    assert account.decisions[0].outcome == f"quality {row['quality'].item()}"
    inputs = account.inputs
    if metric == ASSOCIATIONS:
        assert (inputs["establishments"] * inputs["weight"]).sum() == pytest.approx(row["numerator"].item())
        assert f"{value:.1f}" in account.formula
    elif area[0] == "place":
        mean = (inputs["ec"] * inputs["weight"]).sum() / inputs["weight"].sum()
        assert value == pytest.approx(connectedness.HALF * mean)
    else:
        assert value == inputs["ec"].item() * inputs["weight"].item()


@pytest.mark.parametrize(
    ("level", "geo", "metric", "lacking"),
    [
        ("county", "067", ASSOCIATIONS, "cbp_county"),
        ("place", "75000", ASSOCIATIONS, "zcta_place"),
        ("county", "067", CONNECTEDNESS, "connectedness_county"),
        ("place", "75000", CONNECTEDNESS, "zcta_place_area"),
    ],
)
def test_no_account_without_the_table(tables, level: str, geo: str, metric: str, lacking: str) -> None:
    cell = Cell(2022, level, "37", geo, "all", ALL, metric, CBP)
    with pytest.raises(ValueError, match=lacking):
        explain(cell, year=2022, spine=PLACES, **{**tables, lacking: None})


def test_declarations_fit_each_other() -> None:
    entry = catalog()["social_capital"]
    assert entry.inputs == (*TABLES, "spine")
    assert YEARS == cbp.YEARS
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    assert [zcta_vintage(year) for year in (2014, 2019, 2020, 2022)] == [2010, 2010, 2020, 2020]
    declared = {t.name: t.years for m in (cbp, social_capital_atlas, zcta_place) for t in m.TABLES}
    for series in PREDICTOR.series:
        for table in series.tables:
            assert table == "spine" or set(series.years) <= set(declared[table])
    spoken = {"cbp", "popest", "geocorr", "social_capital_atlas", "boundaries"}
    assert set(PREDICTOR.sources) == spoken
