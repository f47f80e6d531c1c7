"""Precincts laid over places: shapefiles, boundaries, areal interpolation, the table `votes_place`."""

import itertools
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from schemas.errors import InputError, OwedError
from sources import boundaries, vest_precincts
from sources.framework import Retrieval, Scope
from sources.framework.shapes import EQUAL_AREA, columns_of, read_shapes
from sources.framework.states import BY_FIPS, BY_POSTAL
from sources.registry import all_sources, all_tables
from sources.vest_precincts import is_estimated, lay_over, overlaps, read_precincts

SQUARE = box(0, 0, 1000, 1000)


def shapefile(path: Path, shapes: list, crs: str | None = EQUAL_AREA, **columns: list) -> Path:
    """A zipped shapefile as agencies deliver it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f"{path.stem}-parts"
    folder.mkdir()
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs)
    frame.to_file(folder / f"{path.stem}.shp", engine="pyogrio")
    with zipfile.ZipFile(path, "w") as zipped:
        for part in folder.iterdir():
            zipped.write(part, part.name)
    return path


def without(path: Path, *endings: str) -> Path:
    """The zip without some of its parts."""
    other = path.with_name(f"less-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            if not name.endswith(endings):
                new.writestr(name, old.read(name))
    return other


def refusal(path: Path, columns: tuple[str, ...] = ("A",)) -> InputError:
    with pytest.raises(InputError) as caught:
        read_shapes(path, columns, source="test")
    assert (caught.value.source, caught.value.file) == ("test", path.name)
    return caught.value


# --- shapefiles


def test_shapes_are_brought_to_one_flat_valid_projection(tmp_path):
    crossing = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    high = shapely.force_3d(box(0, 0, 1, 1), 7.0)
    path = shapefile(tmp_path / "a.zip", [crossing, high], A=[1, 2])
    read = read_shapes(path, ["A"], source="test")
    assert (read.with_height, read.invalid, read.absent) == (2, 1, 0)
    assert read.frame.crs == EQUAL_AREA
    assert read.frame.geometry.is_valid.all()
    assert not shapely.has_z(read.frame.geometry.to_numpy()).any()
    assert read.frame.geometry.area.tolist() == pytest.approx([2.0, 1.0])


def test_degrees_become_square_metres(tmp_path):
    path = shapefile(tmp_path / "a.zip", [box(-96, 37, -95, 38)], crs="EPSG:4269", A=[1])
    area = read_shapes(path, ["A"], source="test").frame.geometry.area.iloc[0]
    # One degree of longitude and of latitude at 37.5 degrees north: 88.4 km x 111.0 km.
    assert area == pytest.approx(88.4e3 * 111.0e3, rel=0.005)


def test_an_absent_shape_is_counted_and_empty(tmp_path):
    read = read_shapes(shapefile(tmp_path / "a.zip", [SQUARE, None], A=[1, 2]), ["A"], source="test")
    assert read.absent == 1
    assert read.frame.geometry.is_empty.tolist() == [False, True]


def test_flawed_zips_are_refused(tmp_path):
    path = shapefile(tmp_path / "a.zip", [SQUARE], A=[1])
    assert columns_of(path, source="test") == ["A"]
    assert (refusal(path, ("B",)).column, "missing" in refusal(path, ("B",)).problem) == ("B", True)
    assert "lacks its part .prj" in refusal(without(path, ".prj")).problem
    assert "lacks its part .dbf" in refusal(without(path, ".dbf")).problem
    assert "one shapefile is expected in the zip; there are 0" in refusal(without(path, ".shp")).problem
    cut = tmp_path / "cut.zip"
    cut.write_bytes(path.read_bytes()[:-50])
    assert "damaged" in refusal(cut).problem
    page = tmp_path / "page.zip"
    page.write_bytes(b"<html></html>")
    assert "damaged" in refusal(page).problem
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.writestr("other.shp", b"")
    assert len(read_shapes(path, ["A"], source="test").frame) == 1  # the one of the zip's name
    renamed = path.rename(tmp_path / "b.zip")
    assert "there are 2" in refusal(renamed).problem


def test_a_damaged_shapefile_is_refused(tmp_path):
    path = shapefile(tmp_path / "a.zip", [SQUARE], A=[1])
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"nonsense" if name.endswith(".shp") else old.read(name))
    with pytest.raises(InputError, match="cannot be read"):
        read_shapes(broken, ["A"], source="test")


def test_a_shapefile_without_rows_is_refused(tmp_path):
    frame = geopandas.GeoDataFrame({"A": [1]}, geometry=[SQUARE], crs=EQUAL_AREA).iloc[:0]
    folder = tmp_path / "x"
    folder.mkdir()
    frame.to_file(folder / "a.shp", engine="pyogrio")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for part in folder.iterdir():
            zipped.write(part, part.name)
    assert "no rows" in refusal(tmp_path / "a.zip").problem


# --- boundaries


def test_codes_of_places_are_split(tmp_path):
    path = shapefile(tmp_path / "p.zip", [SQUARE, SQUARE], GEOID=["3775000", "3712000"])
    frame = boundaries.read_boundaries(path, "place")
    assert list(zip(frame["state"], frame["geo"], strict=True)) == [("37", "75000"), ("37", "12000")]


@pytest.mark.parametrize(
    ("codes", "row", "problem"),
    [
        (["3775000", "3775000"], 2, "duplicate key"),
        (["3775000", "37067"], 2, "not the code of a place"),
        (["375000", "3712000"], 1, "not the code of a place"),
        (["375000.0", "3712000"], 1, "not the code of a place"),
    ],
)
def test_bad_codes_are_named(tmp_path, codes, row, problem):
    with pytest.raises(InputError, match=problem) as caught:
        boundaries.read_boundaries(shapefile(tmp_path / "p.zip", [SQUARE, SQUARE], GEOID=codes), "place")
    assert (caught.value.source, caught.value.row, caught.value.column) == ("boundaries", row, "GEOID")


def test_boundary_files_are_the_agencys():
    urls = {f.url for v in all_sources()["boundaries"].vintages for f in v.files}
    assert "https://www2.census.gov/geo/tiger/GENZ2020/shp/cb_2020_{fips}_place_500k.zip" in urls
    assert "https://www2.census.gov/geo/tiger/GENZ2016/shp/cb_2016_us_county_500k.zip" in urls


# --- precincts


def test_votes_are_the_sum_of_the_candidates_for_president(tmp_path):
    path = shapefile(
        tmp_path / "nc.zip",
        [SQUARE, box(1000, 0, 2000, 1000)],
        G20PREDBID=[10, 20],
        G20PRERTRU=[5, 7],
        G20USSDCUN=[99, 99],
        NAME=["a", "b"],
    )
    _, votes, counts = read_precincts(path, 2020)
    assert votes.tolist() == [15, 27]
    assert (counts["precincts"], counts["votes"]) == (2, 42)


def test_missing_numbers_and_shapes_are_counted(tmp_path):
    path = shapefile(tmp_path / "nc.zip", [SQUARE, None], G16PREDCLI=[10.0, np.nan], G16PRERTRU=[1.0, 3.0])
    _, votes, counts = read_precincts(path, 2016)
    assert votes.tolist() == [11, 3]
    assert counts["missing numbers of votes, taken as zero"] == 1
    assert (counts["precincts without a shape"], counts["votes in precincts without a shape"]) == (1, 3)


@pytest.mark.parametrize(
    ("columns", "row", "column", "problem"),
    [
        ({"G20PREDBID": [10, -1]}, 2, "G20PREDBID", "negative"),
        ({"G20PREDBID": ["10", "7"]}, None, "G20PREDBID", "text, not numbers"),
        ({"G16PREDCLI": [10, 1]}, None, "G20PRE", "not the votes for president of 2020"),
        ({"NAME": [10, 1]}, None, "G20PRE", "no column begins with"),
    ],
)
def test_bad_votes_are_named(tmp_path, columns, row, column, problem):
    path = shapefile(tmp_path / "nc.zip", [SQUARE, SQUARE], **columns)
    with pytest.raises(InputError, match=problem) as caught:
        read_precincts(path, 2020)
    assert (caught.value.source, caught.value.row, caught.value.column) == ("vest_precincts", row, column)


def frame(shapes: list, codes: list[tuple[str, str]] | None = None) -> geopandas.GeoDataFrame:
    out = geopandas.GeoDataFrame(geometry=shapes, crs=EQUAL_AREA)
    if codes:
        out["state"], out["geo"] = zip(*codes, strict=True)
    return out


COUNTY = frame([box(0, 0, 10_000, 1000)], [("37", "001")])


def test_votes_go_by_shared_area():
    precincts = frame([box(0, 0, 1000, 1000), box(1000, 0, 2000, 1000), box(5000, 0, 6000, 1000)])
    places = frame([box(0, 0, 1250, 1000), box(1250, 0, 1500, 500)], [("37", "00001"), ("37", "00002")])
    table = lay_over(precincts, np.array([100.0, 200.0, 400.0]), places, COUNTY)
    assert table.select("geo", "precinct", "votes", "share_area", "share_land").rows() == [
        ("00001", 1, 100.0, 1.0, 1.0),
        ("00001", 2, 200.0, 0.25, 0.25),
        ("00002", 2, 200.0, 0.125, 0.125),
    ]


def test_votes_do_not_fall_on_water():
    """Half of the precinct is sea: the place takes all of its land."""
    precincts = frame([box(0, -1000, 1000, 1000), box(1000, -1000, 2000, 1000)])
    places = frame([box(0, 0, 1500, 1000)], [("37", "00001")])
    table = lay_over(precincts, np.array([100.0, 100.0]), places, COUNTY)
    assert table["share_area"].to_list() == [0.5, 0.25]
    assert table["share_land"].to_list() == [1.0, 0.5]


def test_a_precinct_in_two_counties_has_the_land_of_both():
    counties = frame([box(0, 0, 500, 1000), box(500, 0, 10_000, 1000)], [("37", "001"), ("37", "003")])
    table = lay_over(frame([SQUARE]), np.array([9.0]), frame([box(0, 0, 250, 1000)], [("37", "00001")]), counties)
    assert table["share_land"].to_list() == [0.25]


def test_a_place_beyond_the_counties_shore_takes_no_more_than_all():
    """Shores of the two files differ: the place reaches 100 m further out than the county."""
    precincts = frame([box(0, -1000, 1000, 1000)])
    table = lay_over(precincts, np.array([9.0]), frame([box(0, -100, 1000, 1000)], [("37", "00001")]), COUNTY)
    assert table["share_land"].to_list() == [1.0]
    table = lay_over(precincts, np.array([9.0]), frame([box(0, -900, 1000, -100)], [("37", "00001")]), COUNTY)
    assert table["share_area"].item() == pytest.approx(0.4)
    assert table["share_land"].item() == pytest.approx(0.8)


def test_a_place_of_several_parts_is_one():
    parts = MultiPolygon([box(0, 0, 100, 1000), box(300, 0, 500, 1000)])
    table = lay_over(frame([SQUARE]), np.array([9.0]), frame([parts], [("37", "00001")]), COUNTY)
    assert table.select("precinct", "share_area").rows() == [(1, pytest.approx(0.3))]


def test_touching_is_not_overlapping():
    table = lay_over(frame([SQUARE]), np.array([9.0]), frame([box(1000, 0, 2000, 1000)], [("37", "00001")]), COUNTY)
    assert table.height == 0
    none = frame([], []).assign(state=[], geo=[])
    assert lay_over(frame([SQUARE]), np.array([9.0]), none, COUNTY).height == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=8, unique=True), st.integers(1, 9_999))
def test_shares_of_places_that_cover_everything_add_up_to_1(cuts, border):
    edges = [0, *sorted(cuts), 10_000]
    precincts = np.array([box(a, 0, b, 1000) for a, b in itertools.pairwise(edges)])
    places = np.array([box(0, 0, border, 1000), box(border, 0, 10_000, 1000)])
    first, _, shared = overlaps(precincts, places)
    whole = np.bincount(first, weights=shared, minlength=len(precincts))
    assert whole == pytest.approx(shapely.area(precincts), rel=1e-9)


# --- the table

HAWAII, RHODE_ISLAND = BY_FIPS["15"], BY_FIPS["44"]


def raw(root: Path, source: str, name: str) -> Path:
    return root / "raw" / source / "2020" / name


def two_states(root: Path) -> None:
    """Providence is a whole precinct and half of another; Honolulu has no returns."""
    shapefile(
        raw(root, "boundaries", "cb_2020_us_county_500k.zip"),
        [box(0, 0, 9000, 1000), box(20_000, 0, 30_000, 1000)],
        GEOID=["44007", "15003"],
    )
    shapefile(
        raw(root, "boundaries", "cb_2020_44_place_500k.zip"),
        [box(0, 0, 1500, 1000), box(3000, 0, 4000, 1000)],
        GEOID=["4459000", "4400000"],
    )
    shapefile(raw(root, "boundaries", "cb_2020_15_place_500k.zip"), [box(20_000, 0, 21_000, 1000)], GEOID=["1571550"])
    precincts = [box(i * 1000, 0, i * 1000 + 1000, 1000) for i in range(4)]
    shapefile(raw(root, "vest_precincts", "ri_2020.zip"), precincts, G20PREDBID=[10, 20, 30, 40], G20PRERTRU=[1] * 4)


def retrieval(root: Path, *states: str) -> Retrieval:
    return Retrieval(root=root, scope=Scope(states), scratch=root / "s", offline=True)


def test_the_table_has_listed_places_and_names_what_is_owed(tmp_path):
    two_states(tmp_path)
    obtained = retrieval(tmp_path, "15", "44")
    table = vest_precincts.build(2020, obtained)
    all_tables()["votes_place"].model.validate(table, lazy=True)
    assert table.rows() == [
        ("44", "59000", 1, 11.0, 1.0, 1.0, False),
        ("44", "59000", 2, 21.0, 0.5, 0.5, False),
    ]
    (owed,) = obtained.notes["owed"]
    assert (owed["source"], owed["files"]) == ("vest_precincts", ["hi_2020.zip"])
    notes = obtained.notes["vest_precincts"]["RI"]
    assert (notes["precincts"], notes["votes"], notes["precincts in listed places"]) == (4, 104, 2)
    assert (notes["listed places"], notes["listed places without limits"]) == (4, 3)


def test_states_without_listed_places_are_not_asked_for(tmp_path):
    two_states(tmp_path)
    obtained = retrieval(tmp_path, "10", "44", "56")
    assert vest_precincts.build(2020, obtained).height == 2
    assert "owed" not in obtained.notes


def test_without_any_state_the_table_is_owed(tmp_path):
    two_states(tmp_path)
    with pytest.raises(OwedError, match=r"hi_2020\.zip"):
        vest_precincts.build(2020, retrieval(tmp_path, "15"))
    with pytest.raises(OwedError, match=r"cb_2016_us_county_500k\.zip"):
        vest_precincts.build(2016, retrieval(tmp_path, "15"))


def test_every_state_has_its_file_number():
    for year in vest_precincts.DATA_YEARS:
        files = all_sources()["vest_precincts"].vintage(str(year)).files
        assert {f.name[:2].upper() for f in files} == set(BY_POSTAL)
        assert len({f.url for f in files}) == 51
    assert vest_precincts.file_name(2020, BY_POSTAL["KY"]) == "ky_2020_vtd_estimates.zip"
    assert vest_precincts.file_name(2016, BY_POSTAL["KY"]) == "ky_2016.zip"
    estimated = [f.name for f in all_sources()["vest_precincts"].vintage("2020").files if is_estimated(f.name)]
    assert estimated == ["ky_2020_vtd_estimates.zip", "nj_2020_vtd_estimates.zip"]
    texas = next(f for f in all_sources()["vest_precincts"].vintage("2020").files if f.name == "tx_2020.zip")
    assert texas.url == "https://dataverse.harvard.edu/api/access/datafile/4931788"


def test_precincts_keep_their_number_in_the_file(tmp_path):
    """Without a shape or votes a precinct still counts, so that numbers are rows of the agency's file."""
    path = shapefile(tmp_path / "x.zip", [None, SQUARE], G20PREDBID=[0, 8])
    shapes, votes, _ = read_precincts(path, 2020)
    table = lay_over(shapes.frame, votes, frame([SQUARE], [("37", "00001")]), COUNTY)
    assert table.select("precinct", "votes").rows() == [(2, 8.0)]
    assert table.schema["precinct"] == pl.Int32
