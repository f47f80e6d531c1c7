"""Lists of tracts, tract-to-place factors of Geocorr, and Connecticut's change of counties in 2022."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from sources import tracts as source
from sources.framework import Retrieval, Scope
from sources.registry import all_sources, all_tables
from sources.synthetic import STATE_CODES, writers
from sources.synthetic.world import World
from sources.tracts import in_regions, read_ct_tracts, read_tract_place

RECOVERED = "derived_tract2020_place_recovered.csv.gz"
MANGLED = "crosswalk_city_v2.csv.gz"

# As the engines deliver it: two header rows, text quoted, a blank after the last figure, Latin-1.
LINES = [
    '"county","tract","state","place","CountyName","PlaceName","pop20","afact2","afact"',
    '"County code","Tract","State code","Place code","County name","Place name","Total population","b","a"',
    '"35013","0201.01","35","39380","Do\xf1a Ana NM","Las Cruces city, NM",3000,0.03,0.75 ',
    '"35013","0201.01","35","99999","Do\xf1a Ana NM"," ",1000,0.01,0.25 ',
    '"35013","1000.00","35","39380","Do\xf1a Ana NM","Las Cruces city, NM",2000,0.02,1 ',
]


def write(tmp_path: Path, lines: list[str], encoding: str = "latin-1", name: str = "geocorr.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def edited(old: str, new: str) -> list[str]:
    text = "\n".join(LINES)
    assert old in text
    return text.replace(old, new).split("\n")


def refusal(path: Path, vintage: str = "tract20-place20") -> InputError:
    with pytest.raises(InputError) as caught:
        read_tract_place(path, vintage)
    assert (caught.value.source, caught.value.file) == ("geocorr", path.name)
    return caught.value


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig"])
def test_geocorr_is_read_as_delivered(tmp_path, encoding):
    frame = read_tract_place(write(tmp_path, LINES, encoding), "tract20-place20")
    assert frame.rows() == [
        ("35", "013", "020101", "39380", 0.75, 0.03),
        ("35", "013", "020101", "99999", 0.25, 0.01),
        ("35", "013", "100000", "39380", 1.0, 0.02),
    ]


def test_the_row_of_labels_may_be_gone(tmp_path):
    assert read_tract_place(write(tmp_path, [LINES[0], *LINES[2:]]), "tract20-place20").height == 3


@pytest.mark.parametrize(
    ("written", "code"),
    [("202.01", "020201"), ("0201", "020100"), ("201.1", "020110"), ("9.00", "000900"), ("8.29", "000829")],
)
def test_tract_codes_are_completed_as_text(tmp_path, written, code):
    frame = read_tract_place(write(tmp_path, edited('"1000.00"', f'"{written}"')), "tract20-place20")
    assert code in frame["tract"].to_list()


def test_places_of_2014_stand_in_their_own_column(tmp_path):
    header = [LINES[0].replace('"place"', '"placefp14"').replace('"PlaceName"', '"placefp"'), *LINES[2:]]
    assert set(read_tract_place(write(tmp_path, header), "tract10-place14")["place"]) == {"39380", "99999"}
    error = refusal(write(tmp_path, LINES), "tract10-place14")
    assert (error.column, "missing" in error.problem) == ("placefp14", True)


def test_a_plain_list_is_read(tmp_path):
    path = write(tmp_path, ["geoid,place,afact", "01001020100,62328,0.98", "01001020100,99999,0.02"])
    frame = read_tract_place(path, "tract20-place20")
    assert frame.rows() == [
        ("01", "001", "020100", "62328", 0.98, None),
        ("01", "001", "020100", "99999", 0.02, None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "column", "problem"),
    [
        ('"1000.00"', '"1e+05"', "tract", "scientific notation"),
        ('"1000.00"', '"1.0E5"', "tract", "scientific notation"),
        ('"1000.00"', '"10000"', "tract", "not a tract code"),
        ('"1000.00"', '"1000.005"', "tract", "not a tract code"),
        ('"1000.00"', '"abc"', "tract", "not a tract code"),
        ('"35013","1000.00"', '"3513","1000.00"', "county", "leading zeros are lost"),
        ('"35013","1000.00"', '"99013","1000.00"', "state", "unknown"),
        ('"1000.00","35","39380"', '"1000.00","35","9380"', "place", "leading zeros are lost"),
        ("0.02,1 ", "0.02,1.5 ", "afact", "above 1"),
        ("0.02,1 ", "0.02,-1 ", "afact", "negative"),
        ("0.02,1 ", '0.02,"1,000"', "afact", "thousands comma"),
        ("0.02,1 ", "0.02,x ", "afact", "not a number"),
        ("0.02,1 ", "0.02,0.9 ", "afact", "less than 1"),
    ],
)
def test_bad_cells_are_named(tmp_path, old, new, column, problem):
    error = refusal(write(tmp_path, edited(old, new)))
    assert (error.row, error.column) == (5, column)
    assert problem in error.problem


def test_factors_that_lack_a_row_are_refused(tmp_path):
    error = refusal(write(tmp_path, [*LINES[:3], LINES[4]]))
    assert (error.row, "less than 1: rows are missing" in error.problem) == (3, True)


def test_a_tract_listed_twice_in_a_place_is_refused(tmp_path):
    twice = [*LINES, LINES[4].replace("0.02,1 ", "0.02,0 ")]
    assert "duplicate key" in refusal(write(tmp_path, twice)).problem


@pytest.mark.parametrize("column", ["tract", "afact", "afact2", "place"])
def test_a_missing_column_is_named(tmp_path, column):
    error = refusal(write(tmp_path, [LINES[0].replace(f'"{column}"', '"zzz"'), *LINES[1:]]))
    assert (error.column, "missing" in error.problem) == (column, True)


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"", "empty"), (b"<html></html>", "web page"), (b'"county","tract","place","afact","afact2"\n', "no rows")],
)
def test_what_is_no_table_is_refused(tmp_path, data, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    assert problem in refusal(path).problem


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress("\n".join(LINES).encode("latin-1"))[:-10])
    assert "damaged" in refusal(path).problem


@pytest.mark.parity
def test_the_file_with_rewritten_tract_codes_is_refused_and_the_recovered_one_read(mirror):
    folder = mirror / "geocorr" / "tract20-place20"
    assert "several tracts bear one code" in refusal(folder / MANGLED).problem
    frame = read_tract_place(folder / RECOVERED, "tract20-place20")
    assert frame.select("state", "county", "tract").n_unique() == 82_495
    sums = frame.group_by("state", "county", "tract").agg(pl.col("afact").sum())["afact"]
    assert (sums - 1).abs().to_numpy().max() < 0.001


@pytest.mark.parity
def test_the_mirror_offers_no_factors(tmp_path, mirror):
    retrieval = Retrieval(root=tmp_path, scope=Scope(("48",)), scratch=tmp_path / "s", mirror=mirror, offline=True)
    with pytest.raises(OwedError, match="Census tract"):
        source.tract_place(2016, retrieval)
    with pytest.raises(OwedError, match=r"geocorr2022_tract_to_place\.csv"):
        source.tract_place(2021, retrieval)


# --- Connecticut


CT_HEADER = "tract_fips_2020,Tract_fips_2022,tract_name,town_name"
CT_ROWS = ["09001071000,09120071000,710,Bridgeport", "09009341100,09140341100,3411,Beacon Falls"]


def ct(tmp_path: Path, *rows: str, header: str = CT_HEADER) -> Path:
    return write(tmp_path, [header, *rows], "utf-8-sig", "ct.csv")


def test_connecticut_tracts_have_one_region_each(tmp_path):
    assert read_ct_tracts(ct(tmp_path, *CT_ROWS)).rows() == [
        ("09", "001", "071000", "120"),
        ("09", "009", "341100", "140"),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("09009071000,09170071000,710,X", "duplicate key"),
        ("09001071000,09140071000,710,X", "duplicate key"),
        ("09001071100,09120071200,711,X", "six digits"),
        ("9001071100,09120071100,711,X", "leading zeros are lost"),
        ("9.001071e+09,09120071100,711,X", "scientific notation"),
        ("36001071100,09120071100,711,X", "not in Connecticut"),
        ("09002071100,09120071100,711,X", "not an old county"),
        ("09001071100,09001071100,711,X", "not a planning region"),
    ],
)
def test_bad_rows_of_connecticut_are_refused(tmp_path, row, problem):
    with pytest.raises(InputError, match=problem) as caught:
        read_ct_tracts(ct(tmp_path, *CT_ROWS, row))
    assert (caught.value.row, caught.value.source) == (4, "ct_tracts")


def test_a_renamed_column_of_connecticut_is_named(tmp_path):
    with pytest.raises(InputError, match="missing") as caught:
        read_ct_tracts(ct(tmp_path, *CT_ROWS, header=CT_HEADER.replace("Tract_fips_2022", "tract_22")))
    assert caught.value.column == "tract_fips_2022"


def test_only_connecticut_moves_and_lost_rows_are_counted(tmp_path):
    frame = pl.DataFrame(
        [("09", "001", "071000", 1), ("09", "007", "990100", 2), ("36", "001", "071000", 3)],
        schema=["state", "county", "tract", "x"],
        orient="row",
    )
    moved, lost = in_regions(frame, read_ct_tracts(ct(tmp_path, *CT_ROWS)))
    assert moved.rows() == [("09", "120", "071000", 1), ("36", "001", "071000", 3)]
    assert lost == 1


# --- tables, made from synthetic files


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    world = World(7, (2016, 2021, 2023))
    for key in ("acs_tables", "ct_tracts", "geocorr"):
        writers()[key](root / "raw", world)
    return root


@pytest.fixture
def retrieval(data: Path, tmp_path: Path) -> Retrieval:
    return Retrieval(root=data, scope=Scope(STATE_CODES), scratch=tmp_path, synthetic=True)


def test_the_declarations_are_found():
    assert all_sources()["ct_tracts"] is source.CT_TRACTS
    assert {"tract_county", "tract_place", "tract_place_2010"} <= set(all_tables())
    vintages = {v.key for v in all_sources()["geocorr"].vintages}
    assert set(source.PLACE_COLUMNS) <= vintages


@pytest.mark.parametrize("year", [2016, 2021, 2023])
@pytest.mark.parametrize("table", ["tract_county", "tract_place"])
def test_tables_fit_their_models(retrieval, table, year):
    declared = all_tables()[table]
    frame = declared.build(year, retrieval)
    declared.model.validate(frame, lazy=True)
    assert set(frame["tract_vintage"]) == {2010 if year < 2020 else 2020}
    counties = frame.filter(pl.col("state") == "09")["county"]
    assert all((c >= "110") == (year >= 2022) for c in counties)


def test_each_tract_has_one_county(retrieval):
    before, after = source.tract_county(2021, retrieval), source.tract_county(2023, retrieval)
    for frame in (before, after):
        connecticut = frame.filter(pl.col("state") == "09")
        assert connecticut["tract"].n_unique() == connecticut.height
    elsewhere = pl.col("state") != "09"
    assert before.filter(elsewhere).equals(after.filter(elsewhere))
    # The tract of water has no region.
    assert retrieval.notes["ct_tracts"] == {"rows without a planning region left out": 1}
    assert before.height - after.height == 1


def test_factors_of_connecticut_move_with_their_tracts(retrieval):
    before, after = source.tract_place(2021, retrieval), source.tract_place(2023, retrieval)
    keys = ["state", "tract", "place", "afact"]
    assert before.select(keys).sort(keys).equals(after.select(keys).sort(keys))


def test_what_is_left_out_is_counted(retrieval):
    frame = source.tract_place(2021, retrieval)
    notes = retrieval.notes["geocorr tract20-place20"]
    assert isinstance(notes, dict)
    assert notes["rows in Puerto Rico left out"] == 1
    assert notes["rows outside any place left out"] > 1000
    assert notes["rows of places not listed left out"] > 0
    assert notes["listed places without rows"] == 0
    assert not set(frame["place"]) & {"99999", "00004"}
    assert "72" not in set(frame["state"])


def test_tract_100000_survives(retrieval):
    assert source.tract_county(2021, retrieval).filter(pl.col("tract") == "100000").height == 1
    assert source.tract_county(2016, retrieval).filter(pl.col("tract") == "100000").height == 1
