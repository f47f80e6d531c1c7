"""County Business Patterns, the Social Capital Atlas, ZIP areas to places: layouts and every kind of bad input."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from social_support import at_hand, put, raw, refuses

from schemas.errors import OwedError
from schemas.social import (
    ASSOCIATIONS,
    CbpCounty,
    CbpZip,
    ConnectednessCounty,
    ConnectednessZcta,
    ZctaPlace,
    ZctaPlaceArea,
)
from sources import boundaries, cbp, zcta_place
from sources import social_capital_atlas as atlas

OLD_COUNTY = '"fipstate","fipscty","naics","empflag","emp_nf","emp","qp1_nf","qp1","ap_nf","ap","est","n1_4","n5_9"'
NEW_COUNTY = '"fipstate","fipscty","naics","emp_nf","emp","qp1_nf","qp1","ap_nf","ap","est","n<5","n5_9"'
# state, county, industry, establishments
CELLS = [
    ("37", "067", "------", 9000),
    ("37", "067", "813110", 310),
    ("37", "067", "813410", 24),
    ("37", "067", "8134//", 24),
    ("02", "261", "813110", 12),
    ("37", "999", "813910", 5),
    ("72", "001", "813110", 7),
]


def county_text(cells=CELLS, *, new: bool = True, upper: bool = False) -> bytes:
    header = NEW_COUNTY if new else OLD_COUNTY
    flag = "" if new else '"",'
    lines = [header.upper() if upper else header]
    lines += [f'"{s}","{c}","{n}",{flag}"G",1,"G",1,"G",1,{est},{est},"N"' for s, c, n, est in cells]
    return "\r\n".join(lines).encode()


def zip_text(
    cells=(("27101", "813110", 30), ("27101", "------", 99), ("01001", "813410", 3)), *, named: bool = True
) -> bytes:
    name = '"name",' if named else ""
    lines = [f'"zip",{name}"naics","est","n<5"']
    lines += [f'"{z}",{name and chr(34) + "CITY" + chr(34) + ","}"{n}",{est},"N"' for z, n, est in cells]
    return "\n".join(lines).encode()


def packed(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
        archive.writestr("README.txt", b"about")
    return buffer.getvalue()


def put_county(root: Path, year: int, data: bytes) -> None:
    short = f"{year % 100}"
    put(root / f"raw/cbp/{year}/cbp{short}co.zip", packed(f"Cbp{short}co.txt", data))


def put_zip(root: Path, year: int, data: bytes) -> None:
    short = f"{year % 100}"
    put(root / f"raw/cbp/{year}/zbp{short}detail.zip", packed(f"zbp{short}detail.txt", data))


# County Business Patterns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "options"), [(2014, {"new": False}), (2015, {"new": False, "upper": True}), (2018, {})]
)
def test_county_file(tmp_path, year, options):
    put_county(tmp_path, year, county_text(**options))
    retrieval = at_hand(tmp_path)
    table = cbp.build_cbp_county(year, retrieval)
    CbpCounty.validate(table, lazy=True)
    assert table.rows() == [("02", "261", "813110", 12), ("37", "067", "813110", 310), ("37", "067", "813410", 24)]
    assert retrieval.notes["cbp_county"] == {
        "cells read": 5,
        "cells of territories left out": 1,
        "cells of no one county (999) left out": 1,
        "cells": 3,
        "counties": 2,
    }
    left = [path for path in (tmp_path / "scratch").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == [], "nothing unpacked is left behind"


@pytest.mark.parametrize("named", [True, False])
def test_zip_file(tmp_path, named):
    put_zip(tmp_path, 2018, zip_text(named=named))
    retrieval = at_hand(tmp_path)
    table = cbp.build_cbp_zip(2018, retrieval)
    CbpZip.validate(table, lazy=True)
    assert table.rows() == [("01001", "813410", 3), ("27101", "813110", 30)]
    assert retrieval.notes["cbp_zip"] == {"cells": 2, "ZIP codes": 2}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"37","067","813110"', b'"37","67","813110"', ("row 3", "fipscty", "leading zeros")),
        (b'"37","067","813110"', b'"7","067","813110"', ("row 3", "fipstate", "leading zeros")),
        (b'"37","067","813110"', b'"99","067","813110"', ("row 3", "the state is unknown")),
        (b'"37","067","813410"', b'"37","067","813110"', ("row 4", "duplicate key")),
        (b",310,310", b",many,310", ("row 3", "est", "not a number")),
        (b",310,310", b',"1,310",310', ("row 3", "est", "thousands comma")),
        (b",310,310", b",1,310,310", ("cannot be read",)),
        (b",310,310", b",-3,310", ("row 3", "est", "negative")),
        (b'"est"', b'"establishments"', ("column est", "missing")),
        (b'"naics"', b'"industry"', ("column naics", "missing")),
    ],
)
def test_bad_county_files(tmp_path, old, new, words):
    assert old in county_text()
    put_county(tmp_path, 2018, county_text().replace(old, new))
    refuses(lambda: cbp.build_cbp_county(2018, at_hand(tmp_path)), "source cbp", "bp18co", *words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"27101","CITY","813110"', b'"7101","CITY","813110"', ("row 2", "column zip", "leading zeros")),
        (b'"01001","CITY","813410"', b'"27101","CITY","813110"', ("row 4", "duplicate key")),
        (b",30,", b",-30,", ("row 2", "negative")),
    ],
)
def test_bad_zip_files(tmp_path, old, new, words):
    assert old in zip_text()
    put_zip(tmp_path, 2018, zip_text().replace(old, new))
    refuses(lambda: cbp.build_cbp_zip(2018, at_hand(tmp_path)), *words)


def test_files_that_hold_something_else(tmp_path):
    put_county(tmp_path, 2018, county_text([CELLS[0]]))
    refuses(lambda: cbp.build_cbp_county(2018, at_hand(tmp_path)), "none of the industries of membership associations")
    put(tmp_path / "raw/cbp/2019/cbp19co.zip", packed("cbp19us.txt", county_text()))
    refuses(lambda: cbp.build_cbp_county(2019, at_hand(tmp_path)), "the zip must hold one file")
    put(tmp_path / "raw/cbp/2020/cbp20co.zip", packed("cbp20co.txt", county_text())[:-40])
    refuses(lambda: cbp.build_cbp_county(2020, at_hand(tmp_path)), "damaged or truncated")
    put(tmp_path / "raw/cbp/2021/cbp21co.zip", b"<html>no such file</html>")
    refuses(lambda: cbp.build_cbp_county(2021, at_hand(tmp_path)), "web page")
    put(tmp_path / "raw/cbp/2022/cbp22co.zip", packed("cbp22co.txt", b""))
    refuses(lambda: cbp.build_cbp_county(2022, at_hand(tmp_path)), "empty")


@pytest.mark.parity
def test_the_real_national_file_is_not_the_county_file(tmp_path, mirror):
    """Its layout is the agency's; its first column names no county."""
    data = zipfile.ZipFile(mirror / "cbp/2022/cbp22us.zip").read("cbp22us.txt")
    put_county(tmp_path, 2022, data)
    refuses(lambda: cbp.build_cbp_county(2022, at_hand(tmp_path)), "column fipstate", "missing")
    shared = {c.strip('"') for c in data.split(b"\n")[0].decode().strip().split(",")}
    assert {"naics", "est", "emp_nf", "ap"} <= shared


def test_the_files_are_owed_if_they_cannot_be_had(tmp_path):
    with pytest.raises(OwedError, match="cbp16co") as owed:
        cbp.build_cbp_county(2016, at_hand(tmp_path))
    assert "www2.census.gov/programs-surveys/cbp/datasets/2016" in str(owed.value)


def answers(root: Path, year: int, area: str, *, column: str | None = None, everything: bool = False) -> None:
    """The API's answers, one per industry; `everything`: each holds all industries, as some years' do."""
    column = column or cbp.naics_column(year)
    codes = [("37", "067"), ("02", "261")] if area == "county" else [("27101",), ("01001",)]
    names = ["state", "county"] if area == "county" else ["zip code" if year >= 2019 else "zipcode"]
    for number, naics in enumerate(ASSOCIATIONS):
        asked = ASSOCIATIONS if everything else [naics]
        rows = [[None, str(number + 3), n, n, *code] for n in asked for code in codes]
        body = [["EMP", "ESTAB", column, column + "_P", *names], *rows]
        put(root / f"raw/cbp/{year}-api/{area}_{naics}.json", json.dumps(body))


@pytest.mark.parametrize("year", [2014, 2016, 2017, 2022])
@pytest.mark.parametrize("everything", [False, True])
def test_answers_of_the_api(tmp_path, year, everything):
    """The classification of industries changes in 2017, the data set of ZIP codes in 2019."""
    answers(tmp_path, year, "county", everything=everything)
    answers(tmp_path, year, "zip", everything=everything)
    counties, zips = cbp.build_cbp_county(year, at_hand(tmp_path)), cbp.build_cbp_zip(year, at_hand(tmp_path))
    assert (counties.height, zips.height) == (20, 20)
    assert counties["establishments"].sum() == zips["establishments"].sum() == 2 * sum(range(3, 13))
    assert counties.filter(pl.col("naics") == "711211")["establishments"].to_list() == [3, 3]


def test_addresses_of_the_api():
    urls = {
        f.name: f.url for v in cbp.SOURCE.vintages for f in v.files if v.key in ("2016-api", "2018-api", "2022-api")
    }
    assert "2022/cbp?get=EMP,ESTAB,NAICS2017&for=zipcode:*&NAICS2017=813410" in urls["zip_813410.json"]
    old = {f.name: f.url for f in cbp.api_files(2016, "zip")}
    assert "2016/zbp?get=EMP,ESTAB,NAICS2012&for=zipcode:*&NAICS2012=813410" in old["zip_813410.json"]
    assert "2016/cbp?get=EMP,ESTAB,NAICS2012&for=county:*&NAICS2012=813410" in cbp.api_files(2016, "county")[5].url


def test_bad_answers_of_the_api(tmp_path):
    answers(tmp_path, 2016, "county", column="NAICS2017")
    refuses(lambda: cbp.build_cbp_county(2016, at_hand(tmp_path)), "column NAICS2012", "missing")
    answers(tmp_path, 2018, "county")
    path = tmp_path / "raw/cbp/2018-api/county_813410.json"
    good = path.read_text()
    for body, words in (
        (good.replace('"813410"', '"813110"'), "no rows of industry 813410"),
        (good.replace('"067"', '"67"'), "leading zeros"),
        (good[:-30], "JSON is damaged or truncated"),
        (json.dumps({"error": "unknown variable"}), "unknown variable"),
        (json.dumps([*json.loads(good), json.loads(good)[1]]), "duplicate key"),
    ):
        files = cbp.api_files(2018, "county")
        read = [
            raw(put(tmp_path / "x" / f.name, body if "813410" in f.name else (path.parent / f.name).read_text()))
            for f in files
        ]
        refuses(lambda read=read: cbp.county_table(cbp.read_api(read, 2018, "county")), words)


# Social Capital Atlas ----------------------------------------------------------------------------------------------


COUNTY_CSV = """county,county_name,num_below_p50,pop2018,ec_county,ec_se_county,child_ec_county
1001,"Autauga, Alabama",5922.3921,55200,.72077,.0083100004,1.11754
37067,"Forsyth, North Carolina",1,1,.6421,.00563,.9
48301,"Loving, Texas",1,102,,,
"""
ZIP_CSV = """zip,county,num_below_p50,pop2018,ec_zip,ec_se_zip
1001,25013,995.78,17621,.88156998,.024219999
27101,37067,1312.1,30066,1.18348,.02227
83601,,12.1,66,1.08901,.02
99501,2020,12.1,66,,
"""


def test_atlas(tmp_path):
    counties = atlas.read_county(raw(put(tmp_path / "c.csv", COUNTY_CSV)))
    ConnectednessCounty.validate(counties, lazy=True)
    assert counties.rows() == [
        ("01", "001", 0.72077, 0.0083100004),
        ("37", "067", 0.6421, 0.00563),
        ("48", "301", None, None),
    ]
    zips = atlas.read_zip(raw(put(tmp_path / "z.csv", ZIP_CSV)))
    ConnectednessZcta.validate(zips, lazy=True)
    assert zips.rows() == [
        ("01001", "25", 0.88156998),
        ("27101", "37", 1.18348),
        ("83601", None, 1.08901),
        ("99501", "02", None),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ec_county,", "ec,", ("column ec_county", "missing")),
        ("37067,", "1001,", ("row 3", "column county", "duplicate key")),
        ("37067,", "067,", ("row 3", "not a county code")),
        ("37067,", "99067,", ("row 3", "the state is unknown")),
        (".6421", "2.6421", ("row 3", "column ec_county", "above 2")),
        (".6421", "-.6421", ("row 3", "column ec_county", "negative")),
        (".6421", "high", ("row 3", "column ec_county", "not a number")),
        (".00563", "", ("row 3", "standard error is missing")),
        (".00563", "-1", ("row 3", "column ec_se_county", "negative")),
    ],
)
def test_bad_atlas_counties(tmp_path, old, new, words):
    assert old in COUNTY_CSV
    path = put(tmp_path / "c.csv", COUNTY_CSV.replace(old, new, 1))
    refuses(lambda: atlas.read_county(raw(path)), "source social_capital_atlas, file c.csv", *words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("27101,37067", "1001,37067", ("row 3", "column zip", "duplicate key")),
        ("27101,37067", "127101,37067", ("row 3", "column zip", "5 digits")),
        ("27101,37067", "27101,x", ("row 3", "column county", "not a county code")),
        ("1.18348", "11.8348", ("row 3", "column ec_zip", "above 2")),
    ],
)
def test_bad_atlas_zips(tmp_path, old, new, words):
    refuses(lambda: atlas.read_zip(raw(put(tmp_path / "z.csv", ZIP_CSV.replace(old, new, 1)))), *words)


@pytest.mark.parametrize("read", [atlas.read_county, atlas.read_zip])
@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.csv", "empty"),
        (b"<!doctype html><html>", "a.csv", "web page"),
        (b"county,ec\n1,\xf1\n", "a.csv", "not utf-8"),
        (b"\x1f\x8b\x08\x00\x00", "a.csv.gz", "damaged or truncated"),
        (b"county,ec_county\n", "a.csv", "no rows"),
    ],
)
def test_what_is_no_atlas_is_refused(tmp_path, read, data, name, words):
    refuses(lambda: read(raw(put(tmp_path / name, data))), words)


@pytest.mark.parity
def test_the_real_atlas(tmp_path, mirror):
    retrieval = at_hand(tmp_path, mirror=mirror)
    counties, zips = atlas.build_connectedness_county(2022, retrieval), atlas.build_connectedness_zcta(2022, retrieval)
    ConnectednessCounty.validate(counties, lazy=True)
    ConnectednessZcta.validate(zips, lazy=True)
    assert retrieval.notes["connectedness_county"] == {"counties": 3089, "without a figure": 71}
    assert retrieval.notes["connectedness_zcta"] == {
        "ZIP areas": 23_028,
        "without a figure": 4_048,
        "without a county, so without a state": 3,
    }


# ZIP areas to places -----------------------------------------------------------------------------------------------


FACTORS = """"zcta","state","place","stab","PlaceName","pop20","afact2","afact"
"ZIP census tabulation area","State code","Place code","State abbr.","Place name","Total population","p to z","z to p"
"27101","37","75000","NC","Winston-Salem city",20000,0.08,0.8\x20
"27101","37","99999","NC","[not in a place]",5000,0.001,0.2\x20
"27106","37","75000","NC","Winston-Salem city",40000,0.16,1\x20
"27107","37","00004","NC","Synthetic town",100,0.5,1\x20
"00601","72","99999","PR","Pe\u00f1uelas",17000,1,1\x20
" ","37","99999","NC","[not in a place]",3,0.0001,1\x20
"""
OLDER = FACTORS.replace('"zcta","state","place","stab"', '"zcta5","state","placefp","stab"').replace(
    '"afact2"', '"AFACT2"'
)


def put_factors(
    root: Path, text: str, vintage: str = "zcta20-place20", name: str = "geocorr2022_zcta_to_place.csv"
) -> None:
    put(root / f"raw/geocorr/{vintage}/{name}", text.encode("latin-1"))


@pytest.mark.parametrize(
    ("year", "vintage", "name", "text"),
    [
        (2022, "zcta20-place20", "2020_ZCTA_2021_Census_Places_Crosswalk.csv", FACTORS),
        (2020, "zcta20-place20", "geocorr2022_zcta_to_place.csv", FACTORS),
        (2019, "zcta10-place10", "2010_ZCTA_2010_Census_Places_Crosswalk.csv", OLDER),
        (2014, "zcta10-place10", "geocorr2018_zcta_to_place.csv", OLDER),
    ],
)
def test_factors_of_the_year_s_vintage(tmp_path, year, vintage, name, text):
    put_factors(tmp_path, text, vintage, name)
    retrieval = at_hand(tmp_path)
    table = zcta_place.build_zcta_place(year, retrieval)
    ZctaPlace.validate(table, lazy=True)
    census = 2020 if year >= 2020 else 2010
    assert table.rows() == [("27101", census, "37", "75000", 0.8, 0.08), ("27106", census, "37", "75000", 1.0, 0.16)]
    notes = retrieval.notes["zcta_place"]
    assert len(notes.pop("listed places without rows")) == (485 if year >= 2018 else 484)
    assert notes == {
        "vintage": vintage,
        "rows": 6,
        "rows in no ZIP area left out": 1,
        "rows of Puerto Rico left out": 1,
        "rows in no place left out": 1,
        "rows of places not listed left out": 1,
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"afact"\n', '"factor"\n', ("column afact", "missing")),
        ('"zcta",', '"zip",', ("column zcta", "missing")),
        ('"27106"', '"7106"', ("row 5", "column zcta", "leading zeros")),
        ('"37","75000","NC","Winston-Salem city",40000', '"7","75000","NC","W",40000', ("row 5", "column state")),
        ('"37","75000","NC","Winston-Salem city",40000', '"37","5000","NC","W",40000', ("row 5", "column place")),
        ('"27106","37","75000"', '"27101","37","75000"', ("row 5", "duplicate key")),
        ("0.16,1\x20", "0.16,0.5\x20", ("row 5", "do not add up to 1")),
        ("0.08,0.8\x20", "0.08,-0.8\x20", ("row 3", "negative")),
        ("0.08,0.8\x20", "0.08,1.8\x20", ("row 3", "above 1")),
        ("0.08,0.8\x20", "eight,0.8\x20", ("row 3", "not a number")),
    ],
)
def test_bad_factors(tmp_path, old, new, words):
    assert old in FACTORS
    put_factors(tmp_path, FACTORS.replace(old, new, 1))
    refuses(lambda: zcta_place.build_zcta_place(2022, at_hand(tmp_path)), "source geocorr", *words)


def test_factors_that_are_only_labels(tmp_path):
    put_factors(tmp_path, "\n".join(FACTORS.split("\n")[:2]))
    refuses(lambda: zcta_place.build_zcta_place(2022, at_hand(tmp_path)), "labels but no rows")
    with pytest.raises(OwedError, match="source ZIP/ZCTA"):
        zcta_place.build_zcta_place(2014, at_hand(tmp_path))


OVERLAY = """ZCTA5CE10,STATEFP,PLACEFP,NAMELSAD,ZCTAarea,IntersectArea,ZCTAinPlace
27101,37,75000,Winston-Salem city,1000,800,0.8
27106,37,75000,Winston-Salem city,1000,1000,1
99501,2,3000,Anchorage municipality,1000,400,0.4
27107,37,00004,Synthetic town,1000,3,0.003
"""


def test_finished_overlay(tmp_path):
    put(tmp_path / "raw/boundaries/zcta10-place21/2010_ZCTA_2021_Census_Places_Crosswalk.csv", OVERLAY)
    retrieval = at_hand(tmp_path)
    table = zcta_place.build_zcta_place_area(2022, retrieval)
    ZctaPlaceArea.validate(table, lazy=True)
    assert table.rows() == [
        ("27101", "37", "75000", 800),
        ("27106", "37", "75000", 1000),
        ("99501", "02", "03000", 400),
    ]
    assert retrieval.notes["zcta_place_area"]["rows of places not listed left out"] == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ZCTAinPlace", "share", ("column ZCTAinPlace", "missing")),
        ("27106,37", "27101,37", ("row 3", "duplicate key")),
        ("800,0.8", "800,80", ("row 2", "above 1")),
        ("800,0.8", "800,-1", ("row 2", "negative")),
        ("27101,37", "x,37", ("row 2", "not made of digits")),
    ],
)
def test_bad_overlays(tmp_path, old, new, words):
    refuses(lambda: zcta_place.read_overlay(raw(put(tmp_path / "o.csv", OVERLAY.replace(old, new, 1)))), *words)


def shapefile(
    path: Path,
    columns: dict[str, list[str]],
    boxes: list[tuple[float, float, float, float]],
    crs: str | None = "EPSG:4269",
) -> Path:
    """A zipped shapefile of boxes (west, south, east, north) in degrees."""
    import geopandas
    from shapely.geometry import box

    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f"{path.stem}-parts"
    folder.mkdir()
    frame = geopandas.GeoDataFrame(columns, geometry=[box(*b) for b in boxes], crs=crs)
    frame.to_file(folder / f"{path.stem}.shp")
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(folder.iterdir()):
            archive.write(part, part.name)
            part.unlink()
    folder.rmdir()
    return path


def test_overlay_of_shapes(tmp_path):
    """Whole, half, a touch, a sliver, a place of two parts, one that no list has."""
    vintages = tmp_path / "raw/boundaries"
    shapefile(
        vintages / "zcta-2010/cb_2018_us_zcta510_500k.zip",
        {"ZCTA5CE10": ["27101", "27106", "27107", "27109"]},
        [
            (-80.3, 36.1, -80.2, 36.2),
            (-80.2, 36.1, -80.1, 36.2),
            (-80.1, 36.1, -80.0, 36.2),
            (-80.3, 36.0, -80.2, 36.1),
        ],
    )
    shapefile(
        vintages / "place-2021/cb_2021_us_place_500k.zip",
        {"STATEFP": ["37", "37"], "PLACEFP": ["75000", "00004"], "NAMELSAD": ["Winston-Salem city", "Synthetic town"]},
        [(-80.3, 36.1, -80.15, 36.2), (-80.15, 36.1, -80.0, 36.2)],
    )
    retrieval = at_hand(tmp_path)
    table = zcta_place.build_zcta_place_area(2022, retrieval)
    ZctaPlaceArea.validate(table, lazy=True)
    # The last ZIP area shares a border with the place, which in this projection is a sliver at most.
    assert table.filter(pl.col("zcta") != "27109").rows() == [
        ("27101", "37", "75000", 1000),
        ("27106", "37", "75000", 500),
    ]
    assert table.filter(pl.col("zcta") == "27109")["permille"].to_list() in ([], [0])
    assert retrieval.notes["zcta_place_area"]["made from"] == "zcta-2010 and place-2021"


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_bad_shapes(tmp_path):
    good = {"ZCTA5CE10": ["27101", "27106"]}
    boxes = [(-80.3, 36.1, -80.2, 36.2), (-80.2, 36.1, -80.1, 36.2)]
    path = shapefile(tmp_path / "a.zip", {"ZCTA5CE20": ["27101", "27106"]}, boxes)
    refuses(
        lambda: boundaries.read(path, ["ZCTA5CE10"]), "source boundaries, file a.zip", "column ZCTA5CE10", "missing"
    )
    path = shapefile(tmp_path / "b.zip", good, boxes, crs=None)
    refuses(lambda: boundaries.read(path, ["ZCTA5CE10"]), "which projection")
    path = shapefile(tmp_path / "c.zip", {"ZCTA5CE10": ["27101", "27101"]}, boxes)
    refuses(lambda: boundaries.read(path, ["ZCTA5CE10"]), "duplicate key (27101)")
    for name, data in (("d.zip", b"PK\x03\x04 broken"), ("e.zip", packed("notes.txt", b"no shapes"))):
        refuses(
            lambda name=name, data=data: boundaries.read(put(tmp_path / name, data), ["ZCTA5CE10"]), "cannot be read"
        )


def test_a_repaired_shape_keeps_its_area(tmp_path):
    """A bow tie: its lines cross, and its two halves must not cancel."""
    import geopandas
    from shapely.geometry import Polygon

    frame = geopandas.GeoDataFrame(
        {"ZCTA5CE10": ["27101"]},
        geometry=[Polygon([(0, 0), (2000, 2000), (2000, 0), (0, 2000)])],
        crs=boundaries.EQUAL_AREA,
    )
    frame.to_file(tmp_path / "tie.shp")
    with zipfile.ZipFile(tmp_path / "tie.zip", "w") as archive:
        for part in tmp_path.glob("tie.*"):
            if part.suffix != ".zip":
                archive.write(part, part.name)
    shape = boundaries.read(tmp_path / "tie.zip", ["ZCTA5CE10"])
    assert shape.geometry.area.item() == pytest.approx(2_000_000, rel=1e-6)


def test_without_overlay_or_shapes_the_shapes_are_owed(tmp_path):
    with pytest.raises(OwedError, match="cb_2018_us_zcta510_500k"):
        zcta_place.build_zcta_place_area(2022, at_hand(tmp_path))


def test_the_form_at_hand_does_not_matter(tmp_path):
    """County cells from the file and from the API are one table."""
    cells = [(s, c, n, i + 3) for i, n in enumerate(ASSOCIATIONS) for s, c in (("37", "067"), ("02", "261"))]
    put_county(tmp_path / "a", 2018, county_text(cells))
    answers(tmp_path / "b", 2018, "county")
    assert_frame_equal(
        cbp.build_cbp_county(2018, at_hand(tmp_path / "a")), cbp.build_cbp_county(2018, at_hand(tmp_path / "b"))
    )


def test_tables_are_declared_for_the_years_of_their_sources():
    for module in (cbp, atlas, zcta_place):
        for table in module.TABLES:
            assert table.years
            assert table.description.endswith(".")
    assert {t.name for m in (cbp, atlas, zcta_place) for t in m.TABLES} == {
        *("cbp_county", "cbp_zip", "connectedness_county", "connectedness_zcta", "zcta_place", "zcta_place_area"),
    }
