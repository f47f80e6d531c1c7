"""Overlaps of counties and places: the layouts of Geocorr's two engines, wrong input, the table of a year."""

import gzip
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from schemas.geography import CountyPlaceModel
from sources import county_place as source
from sources.framework import RawFile, Retrieval, Scope, Status
from sources.geocorr import SOURCE as GEOCORR

FILES = {v.key: v.files[0].name for v in GEOCORR.vintages}

# As delivered: labels in line 2, text in quotes, a blank after the last figure, Latin-1. Durham lies in two counties.
OLDER = """"state","county14","placefp14","stab","cntyname2","placenm14","pop10","afact","AFACT2"
"State code","County code (2014)","Place (2014)","State","Name","Place name","Population (2010)","factor","factor"
"35","35013","39380","NM","Do\xf1a Ana NM","Las Cruces city, NM",75000,0.75,0.1 \r
"35","35013","99999","NM","Do\xf1a Ana NM"," ",25000,0.25,0.1 \r
"37","37063","19000","NC","Durham NC","Durham city, NC",90000,0.9,0.1 \r
"37","37063","99999","NC","Durham NC"," ",10000,0.1,0.1 \r
"37","37135","19000","NC","Orange NC","Durham city, NC",30000,0.3,0.1 \r
"37","37135","11800","NC","Orange NC","Carrboro town, NC",20000,0.2,0.1 \r
"37","37135","99999","NC","Orange NC"," ",50000,0.5,0.1 \r
"37","37183","19000","NC","Wake NC","Durham city, NC",0,0,0 \r
"37","37183","99999","NC","Wake NC"," ",100000,1,0.1 \r
"""
NEWER = """"state","county","place","stab","CountyName","PlaceName","pop20","afact2","afact"
"State code","County code","Place code","State","Name","Place","Total population (2020 Census)","factor","factor"
"09","09001","08000","CT","Fairfield CT","Bridgeport city, CT",150000,1,0.6 \r
"09","09001","99999","CT","Fairfield CT"," ",100000,1,0.4 \r
"37","37063","19000","NC","Durham NC","Durham city, NC",90000,0.9,0.9 \r
"37","37063","99999","NC","Durham NC"," ",10000,0.1,0.1 \r
"72","72003","99999","PR","Aguada PR"," ",38000,1,1 \r
"""
REGIONS = """"ctregion","place","ctregname","PlaceName","pop20","afact2","afact"
"Planning region","Place code","Region","Place","Total population (2020 Census)","factor","factor"
"09120","08000","Greater Bridgeport","Bridgeport city, CT",150000,1,0.5 \r
"09120","99999","Greater Bridgeport"," ",150000,0.1,0.5 \r
"""


def lay(root: Path, vintage: str, content: str | bytes, *, suffix: str = "") -> None:
    folder = root / "raw/geocorr" / vintage
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode("latin-1")
    (folder / (FILES[vintage] + suffix)).write_bytes(data)


def table(tmp_path: Path, year: int, states: tuple[str, ...] | None = None) -> tuple[pl.DataFrame, dict[str, object]]:
    scope = Scope(states)
    retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", offline=True, scope=scope)
    frame = source.build(year, retrieval)
    CountyPlaceModel.validate(frame, lazy=True)
    return frame, retrieval.notes


def test_the_table_until_2019(tmp_path):
    lay(tmp_path / "d", "county14-place14", OLDER)
    frame, notes = table(tmp_path, 2018, ("35", "37"))
    assert frame.rows() == [
        ("35", "013", "39380", 75_000, 0.75, 1.0),
        ("37", "063", "19000", 90_000, 0.9, 0.75),
        ("37", "135", "19000", 30_000, 0.3, 0.25),
    ]
    assert notes["geocorr county14-place14"] == {
        "Puerto Rico": 0,
        "outside places": 4,
        "places not listed": 1,
        "nobody": 1,
    }
    assert notes["county_place"]["listed places without rows"] > 10
    assert table(tmp_path, 2018, ("37",))[0].height == 2
    assert table(tmp_path, 2018, ("10",))[0].is_empty()


def test_planning_regions_take_the_place_of_connecticut_s_counties(tmp_path):
    lay(tmp_path / "d", "county20-place20", NEWER)
    assert table(tmp_path, 2021)[0].select("state", "county", "place").rows() == [
        ("09", "001", "08000"),
        ("37", "063", "19000"),
    ]
    # Without Connecticut the regions are not asked for; with it they are owed.
    assert table(tmp_path, 2022, ("37",))[0].height == 1
    with pytest.raises(OwedError, match="planning region") as owed:
        table(tmp_path, 2022)
    assert owed.value.vintage == "ctregion22-place20"
    lay(tmp_path / "d", "ctregion22-place20", REGIONS)
    frame, notes = table(tmp_path, 2023)
    assert frame.rows() == [("09", "120", "08000", 150_000, 0.5, 1.0), ("37", "063", "19000", 90_000, 0.9, 1.0)]
    assert notes["geocorr county20-place20"]["former counties of Connecticut"] == 2
    assert notes["geocorr county20-place20"]["Puerto Rico"] == 1


@pytest.mark.parametrize(
    "text",
    [
        REGIONS.replace('"09120"', '"120"'),
        REGIONS.replace('"ctregion"', '"county"'),
        "".join(
            f'"{x}",{line}'
            for x, line in zip(("state", "State code", "09", "09"), REGIONS.splitlines(True), strict=True)
        ),
        "".join(line for i, line in enumerate(REGIONS.splitlines(True)) if i != 1),
    ],
    ids=["without the state", "other column name", "with a column of the state", "without labels"],
)
def test_forms_of_the_regions_file(tmp_path, text):
    lay(tmp_path / "d", "county20-place20", NEWER)
    lay(tmp_path / "d", "ctregion22-place20", text)
    assert table(tmp_path, 2022, ("09",))[0].rows() == [("09", "120", "08000", 150_000, 0.5, 1.0)]


BAD = {
    "missing column": (lambda t: t.replace('"pop10"', '"pop"'), "missing; the nearest is 'pop'", None, "pop10"),
    "another layout": (lambda _: NEWER, "column is missing", None, "placefp14"),
    "duplicate": (lambda t: t + t.splitlines(True)[2], "duplicate key", 12, "state, county14, placefp14"),
    "text": (lambda t: t.replace("75000,0.75", "many,0.75"), "not a number", 3, "pop10"),
    "thousands comma": (lambda t: t.replace("75000,0.75", '"75,000",0.75'), "thousands comma", 3, "pop10"),
    "negative": (lambda t: t.replace("75000,0.75", "-75000,0.75"), "negative", 3, "pop10"),
    "above one": (lambda t: t.replace("75000,0.75", "75000,1.75"), "above 1", 3, "afact"),
    "state lost its zero": (lambda t: t.replace('"35","35013","3', '"5","35013","3'), "zeros are lost", 3, "state"),
    "county lost its zero": (lambda t: t.replace('"35013","3', '"5013","3'), "zeros are lost", 3, "county14"),
    "place lost its zero": (lambda t: t.replace('"39380"', '"9380"'), "zeros are lost", 3, "placefp14"),
    "unknown state": (lambda t: t.replace('"35","35013","3', '"66","66013","3'), "state is unknown", 3, "state"),
    "other state": (lambda t: t.replace('"35","35013","3', '"35","36013","3'), "in another state", 3, "county14"),
    "factor wrong": (lambda t: t.replace("75000,0.75", "75000,0.7502"), "not the share", 3, "afact"),
    "factors too large": (lambda t: t.replace("75000,0.75", "75000,0.756"), r"add up to 1\.0060", 3, "afact"),
    "labels only": (lambda t: "".join(t.splitlines(True)[:2]), "labels but no rows", None, None),
    "web page": (lambda _: "<html><body>" + "x" * 200, "web page", None, None),
    "empty": (lambda _: "", "empty", None, None),
    "truncated gzip": (lambda t: gzip.compress(t.encode("latin-1"))[:-9], "damaged or truncated", None, None),
    "UTF-16": (lambda t: t.encode("utf-16"), "UTF-16", None, None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_refused(case, tmp_path):
    change, problem, row, column = BAD[case]
    suffix = ".gz" if "gzip" in case else ""
    lay(tmp_path / "d", "county14-place14", change(OLDER), suffix=suffix)
    with pytest.raises(InputError, match=problem) as error:
        table(tmp_path, 2018)
    found = (error.value.source, error.value.file, error.value.row, error.value.column)
    assert found == ("geocorr", FILES["county14-place14"] + suffix, row, column)


def test_a_lost_row_is_noticed(tmp_path):
    lay(tmp_path / "d", "county14-place14", OLDER.replace(OLDER.splitlines(True)[5], ""))
    with pytest.raises(InputError, match=r"county 37-063, from this row on, add up to 0\.9000"):
        table(tmp_path, 2018)


def test_an_unknown_county_is_refused(tmp_path):
    lay(tmp_path / "d", "county14-place14", OLDER.replace("37063", "37777"))
    with pytest.raises(InputError, match=r"county 37-777 .of place 19000. is not among the counties of 2018"):
        table(tmp_path, 2018)


@pytest.mark.parametrize(("old", "new"), [('"09120"', '"09001"'), ('"09120"', '"001"')])
def test_a_region_that_is_none_is_refused(tmp_path, old, new):
    path = tmp_path / "r.csv"
    path.write_text(REGIONS.replace(old, new), encoding="latin-1")
    file = RawFile(source="geocorr", vintage="v", name="r.csv", path=path, sha256="", bytes=1, how="person")
    with pytest.raises(InputError, match="not a planning region") as error:
        source.read(file, source.CT_REGION)
    assert (error.value.row, error.value.column) == (3, "ctregion")


def test_vintages_by_year():
    assert source.layouts(2019, ("09", "37")) == (source.COUNTY_2014,)
    assert source.layouts(2021, ("09", "37")) == (source.COUNTY_2020,)
    assert source.layouts(2022, ("09", "37")) == (source.COUNTY_2020, source.CT_REGION)
    assert source.layouts(2022, ("37",)) == (source.COUNTY_2020,)
    years = {v.key: v.data_years for v in GEOCORR.vintages}
    assert years["county14-place14"] == tuple(range(2014, 2020))
    assert years["county20-place20"][0] == 2020
    assert years["ctregion22-place20"][0] == 2022


def test_where_the_files_come_from(tmp_path):
    retrieval = Retrieval(root=tmp_path / "d", scratch=tmp_path / "s", offline=True)
    assert retrieval.status(GEOCORR, "county14-place14") is Status.OWED
    for vintage, fields in {
        "county20-place20": ("county", "place", 51),
        "ctregion22-place20": ("ctregion", "place", 1),
    }.items():
        assert retrieval.status(GEOCORR, vintage) is Status.DOWNLOADABLE
        query = parse_qsl(urlsplit(GEOCORR.vintage(vintage).files[0].url).query, keep_blank_values=True)
        named = dict(query)
        assert (named["g1_"], named["g2_"], sum(k == "state" for k, _ in query)) == fields
    with pytest.raises(OwedError, match=r"geocorr2018\.html: source County .2014., target Place"):
        retrieval.obtain(GEOCORR, "county14-place14")
