"""Geocorr's files: their quirks, wrong input, and the real national files."""

import gzip
import re
from urllib.parse import parse_qsl, urlsplit

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from schemas.geography import PumaGeographyModel
from sources import geocorr
from sources.framework import Retrieval, Scope, Status
from sources.geography import geographies

COUNTY = """"state","puma12","county14","stab","cntyname2","PUMAname","pop10","afact","AFACT2"
"State code","PUMA (2012)","County code (2014)","State","Name","PUMA name","Population (2010)","factor","factor"
"37","01801","37067","NC","Forsyth NC","Forsyth (1)",100000,1,0.4 \r
"35","00900","35013","NM","Do\xf1a Ana NM","South",75000,0.75,1 \r
"35","00900","35023","NM","Hidalgo NM","South",25000,0.25,1 \r
"""
PLACE = """"state","puma22","place","stab","PlaceName","PUMA22name","pop20","afact2","afact"
"State code","PUMA (2022)","Place code","State abbr.","Place name","PUMA22 name","Population","factor","factor"
"37","01801","75000","NC","Winston-Salem city, NC","Forsyth",60000,0.9,0.6 \r
"37","01801","35480","NC","Kernersville (part)","Forsyth",10000,1,0.1 \r
"37","01801","99999","NC","[not in a place]","Forsyth",30000,0.1,0.3 \r
"37","01900","75000","NC","Winston-Salem city, NC","Guilford",3,0,0 \r
"37","01900","99999","NC","[not in a place]","Guilford",99997,0.1,1 \r
"72","00100","99999","PR","[not in a place]","San Juan",100,0.1,1 \r
"""
LAYOUTS = {layout.vintage: layout for layout in geocorr.LAYOUTS}


@pytest.fixture
def retrieval(tmp_path):
    def make(**kwargs):
        return Retrieval(**{"root": tmp_path / "d", "scratch": tmp_path / "s", "offline": True, **kwargs})

    return make


@pytest.fixture
def lay(tmp_path):
    def lay(vintage: str, content: str | bytes, *, suffix: str = "") -> str:
        folder = tmp_path / "d/raw/geocorr" / vintage
        folder.mkdir(parents=True, exist_ok=True)
        name = LAYOUTS[vintage].file.name + suffix
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))
        return name

    return lay


@pytest.fixture
def read(retrieval, lay):
    def read(content: str | bytes, vintage: str = "puma12-county14", **kwargs) -> pl.DataFrame:
        lay(vintage, content, **kwargs)
        (file,) = retrieval().obtain(geocorr.SOURCE, vintage)
        return geocorr.read(file, LAYOUTS[vintage])

    return read


def test_known_quirks_are_taken(read):
    """A label line, capitals, blanks at line ends, Latin-1 names, both orders of the factors."""
    rows = read(COUNTY)
    assert rows.rows() == [
        ("county", "37", "067", "01801", 2010, 100_000.0, 1.0, 0.4),
        ("county", "35", "013", "00900", 2010, 75_000.0, 0.75, 1.0),
        ("county", "35", "023", "00900", 2010, 25_000.0, 0.25, 1.0),
    ]
    PumaGeographyModel.validate(rows, lazy=True)
    assert read(PLACE, "puma22-place20").row(0) == ("place", "37", "75000", "01801", 2020, 60000.0, 0.6, 0.9)


def test_without_a_label_line_and_compressed(read):
    lines = COUNTY.splitlines(keepends=True)
    text = "".join([lines[0], *lines[2:]])
    assert read(gzip.compress(text.encode("latin-1")), suffix=".gz").height == 3


def test_rounded_factors_are_taken(read):
    """Three counties with a third each: the factors add up to 0.9999."""
    text = COUNTY.replace(",75000,0.75,", ",1,0.3333,").replace(",25000,0.25,", ",1,0.3333,")
    text += '"35","00900","35029","NM","Luna NM","South",1,0.3333,1 \r\n'
    assert read(text).height == 4


BAD = {
    "missing column": (lambda t: t.replace('"pop10",', '"pop",'), "missing; the nearest is 'pop'", None, "pop10"),
    "another layout": (lambda t: t.replace("puma12", "puma22"), "column is missing", None, "puma12"),
    "no second factor": (lambda t: t.replace(',"AFACT2"', ',"x"'), "column is missing", None, "afact2"),
    "duplicate": (
        lambda t: t + t.splitlines()[2] + "\n",
        "duplicate key",
        6,
        "state, puma12, county14",
    ),
    "text in a number": (lambda t: t.replace("100000,1,0.4", "many,1,0.4"), "not a number", 3, "pop10"),
    "thousands comma": (lambda t: t.replace("100000,1,0.4", '"100,000",1,0.4'), "thousands comma", 3, "pop10"),
    "negative population": (lambda t: t.replace("100000,1,0.4", "-100000,1,0.4"), "negative", 3, "pop10"),
    "negative factor": (lambda t: t.replace("100000,1,0.4", "100000,1,-0.4"), "negative", 3, "afact2"),
    "factor above one": (lambda t: t.replace("100000,1,0.4", "100000,1.4,0.4"), "above 1", 3, "afact"),
    "no factor": (lambda t: t.replace("100000,1,0.4", "100000,,0.4"), "not a number", 3, "afact"),
    "state lost its zero": (lambda t: t.replace('"37","01801"', '"7","01801"'), "leading zeros are lost", 3, "state"),
    "PUMA lost its zero": (lambda t: t.replace('"00900","35023"', '"900","35023"'), "zeros are lost", 5, "puma12"),
    "county lost its zero": (lambda t: t.replace('"35023"', '"5023"'), "leading zeros are lost", 5, "county14"),
    "unknown state": (lambda t: t.replace('"37","01801"', '"66","01801"'), "state is unknown", 3, "state"),
    "county of another state": (lambda t: t.replace('"37067"', '"36067"'), "lies in another state", 3, "county14"),
    "row lost": (lambda t: "".join(t.splitlines(keepends=True)[:-1]), r"35-00900.*add up to 0\.7500", 4, "afact"),
    "factors too large": (lambda t: t.replace("75000,0.75", "75000,0.7506"), r"add up to 1\.0006", 4, "afact"),
    "factor is not the share": (lambda t: t.replace("75000,0.75", "75000,0.7502"), "not the share", 4, "afact"),
    "people wrong": (lambda t: t.replace(",25000,0.25", ",15000,0.25"), "not the share", 4, "afact"),
    "nobody": (lambda t: t.replace(",75000,0.75,", ",0,0.75,").replace(",25000,0.25", ",0,0.25"), "share", 4, "afact"),
    "labels only": (lambda t: "".join(t.splitlines(keepends=True)[:2]), "no rows", None, None),
    "web page": (lambda _: "<html><body>" + "x" * 200, "web page", None, None),
    "empty": (lambda _: "", "empty", None, None),
    "stub": (lambda _: "ERROR", "at least 100", None, None),
    "truncated gzip": (lambda t: gzip.compress(t.encode("latin-1"))[:-9], "damaged or truncated", None, None),
    "UTF-16": (lambda t: t.encode("utf-16"), "UTF-16", None, None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_refused(case, read):
    change, problem, row, column = BAD[case]
    suffix = ".gz" if "gzip" in case else ""
    with pytest.raises(InputError, match=problem) as error:
        read(change(COUNTY), suffix=suffix)
    found = (error.value.source, error.value.file, error.value.row, error.value.column)
    assert found == ("geocorr", "geocorr2018_puma_county_2010.csv" + suffix, row, column)


# The table ------------------------------------------------------------------------------------------------------------

COUNTY_2020 = """"state","puma22","county","stab","CountyName","PUMA22name","pop20","afact2","afact"
"State code","PUMA (2022)","County code","State","County","PUMA22 name","Population","factor","factor"
"37","01801","37067","NC","Forsyth NC","Forsyth",100000,1,1
"37","01900","37081","NC","Guilford NC","Guilford",100000,1,1
"72","00100","72127","PR","San Juan PR","San Juan",100,1,1
"""


def test_the_table_of_a_year(retrieval, lay):
    lay("puma22-county20", COUNTY_2020)
    lay("puma22-place20", PLACE)
    r = retrieval(scope=Scope(("37",)))
    table = geocorr.build_puma_geography(2023, r)
    PumaGeographyModel.validate(table, lazy=True)
    assert table.select("level", "geo", "puma", "afact").rows() == [
        ("county", "067", "01801", 1.0),
        ("county", "081", "01900", 1.0),
        ("place", "75000", "01801", 0.6),
        ("place", "75000", "01900", 0.0),
    ]
    assert r.notes == {
        "geocorr puma22-county20": {"Puerto Rico": 1, "factor zero": 0},
        "geocorr puma22-place20": {
            "Puerto Rico": 1,
            "outside places": 2,
            "places not listed": 1,
            "listed places without rows": 12,
            "factor zero": 1,
        },
    }
    assert [f.vintage for f in r.used] == ["puma22-county20", "puma22-place20"]
    assert geocorr.build_puma_geography(2023, retrieval(scope=Scope(("10",)))).is_empty()


def test_the_vintage_is_a_function_of_the_year(retrieval, lay):
    assert [geocorr.puma_vintage(y) for y in (2014, 2021, 2022, 2030)] == [2010, 2010, 2020, 2020]
    with pytest.raises(OwedError) as owed:
        geocorr.build_puma_geography(2021, retrieval())
    assert owed.value.vintage == "puma12-county14"
    lay("puma22-county20", COUNTY_2020)
    lay("puma22-place20", PLACE)
    later = geocorr.TABLES[0].years[-1] + 1
    assert geocorr.build_puma_geography(later, retrieval()).height == 4


def test_vintages_and_recipes(retrieval):
    r = retrieval()
    for vintage, status in {
        "puma12-county14": Status.OWED,
        "puma12-place10": Status.OWED,
        "puma22-county20": Status.DOWNLOADABLE,
        "puma22-place20": Status.DOWNLOADABLE,
    }.items():
        assert r.status(geocorr.SOURCE, vintage) is status
        with pytest.raises(OwedError, match=r"geocorr20(18|22)\.html") as owed:
            r.obtain(geocorr.SOURCE, vintage)
        assert "second allocation factor" in owed.value.recipe
    years = {v.key: v.data_years for v in geocorr.SOURCE.vintages}
    assert years["puma12-county14"][-1] + 1 == years["puma22-county20"][0] == 2022


def test_the_query_asks_for_every_state_and_both_factors():
    for vintage, geo in (("puma22-county20", "county"), ("puma22-place20", "place")):
        file = LAYOUTS[vintage].file
        query = parse_qsl(urlsplit(file.url).query, keep_blank_values=True)
        states = [value for name, value in query if name == "state"]
        assert (len(states), states[0], states[-1]) == (51, "Al01", "Wy56")
        fields = dict(query)
        assert (fields["g1_"], fields["g2_"], fields["wtvar"], fields["afacts2"]) == ("puma22", geo, "pop20", "on")
        # The engine fails if fields that stay empty are not sent.
        assert {"latitude", "longitude", "distance", "locname"} <= fields.keys()
        assert re.search(file.link, '<a href="/temp/geocorr2022_2611807397.csv">').group(0).endswith("397.csv")


@pytest.fixture(scope="module")
def real(mirror, tmp_path_factory):
    folder = tmp_path_factory.mktemp("geocorr")

    def build(year):
        r = Retrieval(root=folder / "d", scratch=folder / "s", mirror=mirror, offline=True)
        return geocorr.build_puma_geography(year, r), r.notes

    return {year: build(year) for year in (2014, 2022)}


@pytest.mark.parity
@pytest.mark.parametrize(
    ("year", "vintage", "counties", "pumas", "places"),
    [(2014, 2010, 3142, 2351, 485), (2022, 2020, 3143, 2462, 486)],
)
def test_the_national_files(year, vintage, counties, pumas, places, real):
    table, notes = real[year]
    PumaGeographyModel.validate(table, lazy=True)
    assert table["puma_vintage"].unique().to_list() == [vintage]
    county = table.filter(pl.col("level") == "county")
    assert county.select(pl.struct("state", "geo").n_unique()).item() == counties
    assert county.select(pl.struct("state", "puma").n_unique()).item() == pumas
    sums = county.group_by("state", "puma").agg(pl.col("afact").sum())["afact"]
    assert sums.min() > 0.9995
    assert sums.max() < 1.0005
    place = table.filter(pl.col("level") == "place")
    assert place.select(pl.struct("state", "geo").n_unique()).item() == places
    # Rows of the reference's own place file: those with a factor above zero.
    assert place.filter(pl.col("afact") > 0).height == {2010: 1_510, 2020: 1_550}[vintage]
    assert (
        notes[f"geocorr {'puma12-place10' if vintage == 2010 else 'puma22-place20'}"]["listed places without rows"] == 0
    )


@pytest.mark.parity
def test_counties_are_those_of_the_crosswalk_s_vintage(real):
    """Geocorr 2018 has the counties of 2014 exactly; Geocorr 2022 those of 2020, before Connecticut's regions."""
    for year, same_as in ((2014, 2014), (2022, 2021)):
        table, _ = real[year]
        registry = geographies(same_as).filter(pl.col("level") == "county").select("state", "geo")
        found = table.filter(pl.col("level") == "county").select("state", "geo").unique().sort("state", "geo")
        assert found.equals(registry)
