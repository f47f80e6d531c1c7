"""Allocation of PUMAs to counties and places: the real Geocorr files, the codes of each year, thresholds, faults."""

import polars as pl
import pytest
from survey_support import county_rows, place_rows, spine

from metrics.allocation import ALLOCATION, allocate, estimation_areas
from metrics.connecticut import planning_regions
from schemas.errors import InputError
from schemas.vintages import puma_vintage

SPINE = pl.DataFrame(
    {"level": ["county", "county", "place"], "state": ["01"] * 3, "geo": ["001", "003", "07000"]},
)


def rows(level: str, *cells: tuple[str, str, float, float, float]) -> pl.DataFrame:
    """(geo, puma, population, afact, afact2) of state 01, PUMAs of 2010."""
    schema = {"geo": pl.String, "puma": pl.String} | dict.fromkeys(("population", "afact", "afact2"), pl.Float64)
    return pl.DataFrame(cells, schema=schema, orient="row").with_columns(
        pl.lit(level).alias("level"), pl.lit("01").alias("state"), pl.lit(2010, dtype=pl.Int16).alias("puma_vintage")
    )


COUNTIES = rows(
    "county", ("001", "00100", 700, 0.7, 1.0), ("003", "00100", 300, 0.3, 0.6), ("003", "00200", 200, 1, 0.4)
)
PLACES = rows(
    "place", ("07000", "00100", 900, 0.9, 0.01), ("99999", "00100", 100, 0.1, 0.5), ("99999", "00200", 200, 1, 0.5)
)


@pytest.fixture(scope="module")
def real(mirror):
    counties, places = county_rows(mirror), place_rows(mirror)
    return {year: allocate(counties, places, spine(mirror, year), year) for year in (2014, 2015, 2018, 2020, 2022)}


def flags(table: pl.DataFrame, level: str, column: str = "quality") -> list[int]:
    one = table.filter(pl.col("level") == level).unique(["state", "geo"])
    return [one.filter(pl.col(column) == flag).height for flag in (1, 2, 3)]


@pytest.mark.parity
def test_row_counts_and_flags_of_the_real_files(real):
    before, after = real[2020].table, real[2022].table
    assert before.schema == ALLOCATION
    counted = {
        (year, level): table.filter(pl.col("level") == level).height
        for year, table in ((2020, before), (2022, after))
        for level in ("county", "place")
    }
    assert counted == {(2020, "county"): 4546, (2020, "place"): 1510, (2022, "county"): 4611, (2022, "place"): 1550}
    assert flags(before, "county") == flags(before, "county", "quality_reference") == [560, 454, 2129]
    assert flags(after, "county") == flags(after, "county", "quality_reference") == [583, 451, 2110]
    assert flags(before, "place", "quality_reference") == [101, 259, 125]
    assert flags(before, "place") == [219, 249, 17]
    assert flags(after, "place") == flags(after, "place", "quality_reference") == [240, 239, 7]
    changed = before.filter((pl.col("level") == "place") & (pl.col("quality") != pl.col("quality_reference")))
    assert changed.unique(["state", "geo"]).height == 157
    assert before.filter(pl.col("level") == "county").unique(["state", "puma"]).height == 2351
    assert after.filter(pl.col("level") == "county").unique(["state", "puma"]).height == 2462


@pytest.mark.parity
def test_county_rows_are_those_of_the_reference_crosswalk(real, mirror):
    # 9,209 rows can be compared: both periods with Puerto Rico, without Connecticut's planning regions.
    counties = county_rows(mirror)
    puerto_rico = counties.filter(pl.col("state") == "72").height
    ours = sum(real[year].table.filter(pl.col("level") == "county").height for year in (2020, 2022))
    assert (puerto_rico, ours + puerto_rico - planning_regions().height) == (79, 9209)
    assert sum(real[year].table.filter(pl.col("level") == "place").height for year in (2020, 2022)) == 3060


@pytest.mark.parity
def test_known_geographies(real):
    def of(year, level, state, geo):
        return real[year].table.filter(level=level, state=state, geo=geo)

    knox = of(2018, "county", "17", "095")
    assert (knox["sum_products"][0], knox["quality"][0]) == (0.35, 2), "exactly on the threshold"
    forsyth = of(2022, "county", "37", "067")
    assert forsyth["puma"].to_list() == ["01801", "01802", "01803"]
    assert forsyth["sum_products"][0] == 1.0
    salem = of(2018, "place", "37", "75000")
    assert salem["sum_products"][0] == pytest.approx(0.901, abs=5e-4)
    assert (salem["quality"][0], salem["quality_reference"][0]) == (1, 3)
    regions = real[2022].table.filter(pl.col("state") == "09", pl.col("level") == "county").unique("geo")
    assert sorted(regions["geo"]) == ["110", "120", "130", "140", "150", "160", "170", "180", "190"]
    assert regions["quality"].unique().to_list() == [1]


@pytest.mark.parity
def test_codes_of_the_year(real):
    codes = ["02158", "02270", "02261", "02063", "02066", "46102", "46113"]

    def alaska_dakota(year):
        table = real[year].table.filter(pl.col("level") == "county")
        return sorted(set(codes) & set(table["state"] + table["geo"]))

    assert alaska_dakota(2014) == ["02261", "02270", "46113"]
    assert alaska_dakota(2015) == alaska_dakota(2018) == ["02158", "02261", "46102"]
    assert alaska_dakota(2020) == alaska_dakota(2022) == ["02063", "02066", "02158", "46102"]
    parts = real[2020].table.filter(pl.col("state") == "02", pl.col("geo").is_in(["063", "066"]))
    assert parts["afact"].to_list() == pytest.approx([0.042842, 0.015758], abs=1e-6)
    assert parts["afact2"].to_list() == [1.0, 1.0]
    whole = real[2018].table.filter(state="02", geo="261")
    assert (whole["puma"][0], whole["afact"][0]) == ("00300", 0.0586)


@pytest.mark.parity
def test_every_geography_of_the_spine_is_there_but_south_fulton(real, mirror):
    for year, allocation in real.items():
        absent = spine(mirror, year).join(allocation.table, on=["level", "state", "geo"], how="anti")
        assert absent.rows() == ([("place", "13", "72122")] if year in (2018, 2020) else []), year
        assert allocation.notes["spine_without_rows"] == absent.height
    assert real[2018].notes["zero_factor"] == 32


@pytest.mark.parity
def test_estimation_areas_of_the_real_files(real):
    areas = estimation_areas(real[2020].table)
    single = areas.filter(pl.col("estimation_area").str.starts_with("puma"))
    assert single.filter(pl.col("level") == "county").height == 2779
    shared = areas.filter(pl.col("state") == "01", pl.col("geo").is_in(["005", "011"]))
    assert shared["estimation_area"].n_unique() == 1
    assert areas.filter(level="county", state="37", geo="067")["estimation_area"][0] == "county-37067"
    sizes = single.group_by("level", "estimation_area").agg(pl.len().alias("len"), pl.col("n_areas").first())
    assert (sizes["len"] == sizes["n_areas"]).all()


def test_synthetic_table_and_counts():
    found = allocate(COUNTIES, PLACES, SPINE, 2018)
    assert found.table.select(
        "level", "geo", "puma", "afact_10k", "n_pumas", "quality", "quality_reference"
    ).rows() == [
        ("county", "001", "00100", 7000, 1, 2, 2),
        ("county", "003", "00100", 3000, 2, 2, 2),
        ("county", "003", "00200", 10000, 2, 2, 2),
        ("place", "07000", "00100", 9000, 1, 1, 3),
    ]
    assert found.notes == {
        "puerto_rico": 0,
        "outside_spine_states": 0,
        "places_not_listed": 2,
        "zero_factor": 0,
        "spine_without_rows": 0,
    }


@pytest.mark.parametrize(("factor", "flag"), [(0.75, 1), (0.7499, 2), (0.35, 2), (0.3499, 3)])
def test_quality_thresholds_are_inclusive(factor, flag):
    counties = rows("county", ("001", "00100", 700, factor, 1.0), ("003", "00100", 300, 1 - factor, 1.0))
    table = allocate(counties, PLACES.clear(), SPINE, 2018).table
    assert table.filter(pl.col("geo") == "001")["quality"].to_list() == [flag]


def test_zero_factors_are_dropped_and_counted():
    counties = pl.concat([COUNTIES, rows("county", ("001", "00200", 0.4, 0.0, 0.0001))])
    found = allocate(counties, PLACES, SPINE, 2018)
    assert found.notes["zero_factor"] == 1
    assert found.table.equals(allocate(COUNTIES, PLACES, SPINE, 2018).table)


def test_vintage_follows_the_year():
    assert [puma_vintage(year) for year in (2014, 2021, 2022, 2023)] == [2010, 2010, 2020, 2020]
    assert allocate(COUNTIES, PLACES, SPINE, 2023).table.is_empty()


@pytest.mark.parametrize(
    ("counties", "message"),
    [
        (COUNTIES.drop("afact2"), "lack the columns"),
        (PLACES, "county rows expected"),
        (pl.concat([COUNTIES, COUNTIES.head(1)]), "duplicate key"),
        (COUNTIES.with_columns(pl.col("afact") * 0.99995), "four decimals"),
        (COUNTIES.with_columns(-pl.col("afact")), "between 0 and 1"),
        (COUNTIES.head(1), r"add up to 0\.7000"),
        (COUNTIES.with_columns(pl.col("geo").replace("001", "005")), "not among the counties of 2018"),
    ],
)
def test_faults_are_refused(counties, message):
    with pytest.raises(InputError, match=message):
        allocate(counties, PLACES, SPINE, 2018)


@pytest.mark.parity
def test_flags_equal_those_of_every_published_row(mirror, realcases):
    """Published quality, all years: counties and places since 2022 equal ours, earlier places `quality_reference`."""
    counties, places = county_rows(mirror), place_rows(mirror)
    folder = realcases / "published_files" / "raw" / "09_employment" / "data" / "final"
    compared, better, elsewhere = 0, {}, set()
    for level in ("county", "place"):
        published = pl.read_csv(folder / f"metrics_employment_{level}_all_longitudinal.csv.gz", infer_schema=False)
        flagged = published.filter(pl.col("share_employed_quality") != "NA")
        for (year,), rows_of_year in flagged.group_by("year"):
            table = allocate(counties, places, spine(mirror, int(year)), int(year)).table
            here = table.filter(pl.col("level") == level).unique(["state", "geo"])
            both = rows_of_year.select("state", pl.col(level).alias("geo"), "share_employed_quality")
            both = both.join(here, on=["state", "geo"], how="left", validate="1:1")
            absent = both.filter(pl.col("quality").is_null())
            elsewhere |= {(year, *row) for row in absent.select("state", "geo").rows()}
            both = both.filter(pl.col("quality").is_not_null())
            unequal = both.filter(pl.col("share_employed_quality").cast(pl.Int8) != pl.col("quality_reference"))
            equal = f"{level} {year}: {both.height - unequal.height} of {both.height} equal"
            assert unequal.is_empty(), f"{equal}; {unequal}"
            compared += both.height
            changed = both.filter(pl.col("quality") != pl.col("quality_reference"))
            assert (changed["quality"] < changed["quality_reference"]).all()
            if changed.height:
                better[level, year] = changed.height
    assert better == {("place", str(year)): 157 for year in (*range(2014, 2020), 2021)}
    # Codes of later years, see the registered deviations.
    assert elsewhere == {("2014", "46", "102"), ("2014", "02", "158")}
    assert compared == 28_289 - (488 + 491 + 504 + 510 + 512 + 529 + 536 + 542 + 544) + 4_374 - 7 - len(elsewhere)
