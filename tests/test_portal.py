"""Common Core of Data and poverty estimates from the Education Data Portal: what is read, counted, refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from school_support import API, csv_of, district, enrolled, lay, page, retrieval, school

from schemas.errors import InputError, OwedError
from schemas.schools import LeaDirectory, LeaEnrollment, SchoolDirectory, SchoolEnrollment, SchoolPoverty
from sources import ccd, meps
from sources.education_portal import ALL_YEARS
from sources.framework import Status

YEAR = 2018
BULK = "schools_ccd_directory.csv"


def directory(root: Path, *records: dict) -> tuple[pl.DataFrame, dict]:
    lay(root / "raw/ccd/2018", "school_directory_0001.json", page(list(records)))
    r = retrieval(root)
    table = ccd.build_school_directory(YEAR, r)
    SchoolDirectory.validate(table, lazy=True)
    return table, r.notes["school_directory"]


def test_school_directory(tmp_path):
    """Numbers lose their zeros and get them back; what is not reported is null; outlying areas are left out."""
    table, counts = directory(
        tmp_path,
        school(),
        school("10000500870", county_code=1095, city_location=" ALBERTVILLE ", enrollment=-1),
        school("010000600871", county_code="01095", city_location="-2", enrollment=None),
        school("010000600872", county_code=-2, city_location=None, enrollment=0),
        school("010000600873", county_code=None, enrollment="-3"),
        school("720003000001", county_code=72127, city_location="San Juan"),
    )
    assert table.rows() == [
        ("010000500870", "01095", "ALBERTVILLE", None),
        ("010000600871", "01095", None, None),
        ("010000600872", None, None, 0),
        ("010000600873", None, "Winston-Salem", None),
        ("370333000368", "37067", "Winston-Salem", 500),
    ]
    assert counts == {
        "rows read": 6,
        "in outlying areas, left out": 1,
        "without county": 2,
        "without city": 2,
        "without enrollment": 3,
    }


def test_bulk_and_pages_give_the_same(tmp_path):
    records = [school(), school("10000500870", county_code=1095, enrollment=-2)]
    from_pages, _ = directory(tmp_path / "a", *records)
    others = [school(year=2017, enrollment=1), *records, school("370333000369", year=2019)]
    lay(tmp_path / f"b/raw/ccd/{ALL_YEARS}", BULK, csv_of(others))
    from_bulk = ccd.build_school_directory(YEAR, retrieval(tmp_path / "b"))
    assert from_bulk.rows() == from_pages.rows()
    lay(tmp_path / f"c/raw/ccd/{ALL_YEARS}", f"{BULK}.gz", gzip.compress(csv_of(others).encode()))
    assert ccd.build_school_directory(YEAR, retrieval(tmp_path / "c")).rows() == from_pages.rows()
    with pytest.raises(InputError, match=r"file schools_ccd_directory.csv: there are no rows of 2016"):
        ccd.build_school_directory(2016, retrieval(tmp_path / "b"))


def test_pages_at_hand_come_before_bulk_files(tmp_path):
    lay(tmp_path / f"raw/ccd/{ALL_YEARS}", BULK, csv_of([school(enrollment=1)]))
    assert directory(tmp_path, school())[0]["enrollment"].to_list() == [500]


def test_a_broken_off_list_gives_way_to_the_bulk_file(tmp_path):
    broken = page([school(enrollment=1)], count=2, following=f"{API}schools/ccd/directory/2018/?page=2")
    lay(tmp_path / "raw/ccd/2018", "school_directory_0001.json", broken)
    with pytest.raises(OwedError, match=r"school_directory_0002.json is missing"):
        ccd.build_school_directory(YEAR, retrieval(tmp_path))
    lay(tmp_path / f"raw/ccd/{ALL_YEARS}", BULK, csv_of([school()]))
    assert ccd.build_school_directory(YEAR, retrieval(tmp_path))["enrollment"].to_list() == [500]


def test_nothing_at_hand_is_owed_with_its_recipe(tmp_path):
    with pytest.raises(OwedError, match=rf"school_directory_\*.json.*{API}schools/ccd/directory/2018/.*bulk CSV"):
        ccd.build_school_directory(YEAR, retrieval(tmp_path))
    assert retrieval(tmp_path).status(ccd.SOURCE, "2018") is Status.DOWNLOADABLE


FAULTS: dict[str, tuple[Callable[[dict], dict], str]] = {
    "column missing": (lambda r: {k: v for k, v in r.items() if k != "city_location"}, "city_location: the column is"),
    "column renamed": (
        lambda r: {("countycode" if k == "county_code" else k): v for k, v in r.items()},
        "'countycode'",
    ),
    "text in a number": (lambda r: {**r, "enrollment": "many"}, r"row 2, column enrollment: not a number"),
    "thousands comma": (lambda r: {**r, "enrollment": "1,200"}, "row 2, column enrollment: thousands comma"),
    "negative count": (lambda r: {**r, "enrollment": -7}, "row 2, column enrollment: negative"),
    "fraction": (lambda r: {**r, "enrollment": 7.5}, "row 2, column enrollment: not a number"),
    "unknown state": (
        lambda r: {**r, "county_code": 99001},
        "row 2, column county_code: the county's state",
    ),
    "county code too long": (lambda r: {**r, "county_code": 370670}, "row 2, column county_code: this is no county"),
    "county name": (lambda r: {**r, "county_code": "Forsyth"}, "row 2, column county_code: this is no county code"),
    "number without state": (lambda r: {**r, "ncessch": 333000368}, "row 2, column ncessch: ncessch names no state"),
    "number too long": (lambda r: {**r, "ncessch": "3703330003680"}, "ncessch must have 12 digits"),
    "number with letters": (lambda r: {**r, "ncessch": "37033300036A"}, "ncessch is not made of digits"),
    "number missing": (lambda r: {**r, "ncessch": None}, "row 2, column ncessch: "),
    "another year": (lambda r: {**r, "year": 2017}, "row 2, column year: this is not the school year 2018"),
    "duplicate": (lambda r: {**r, "ncessch": "370333000001"}, r"row 2, column ncessch: duplicate key \(ncessch=37033"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_directory_faults(tmp_path, fault):
    spoil, message = FAULTS[fault]
    first, second = school("370333000001"), spoil(school("370333000002"))
    if "column" in fault:
        first = spoil(first)
    with pytest.raises(InputError, match=message) as caught:
        directory(tmp_path, first, second)
    assert (caught.value.source, caught.value.file) == ("ccd", "school_directory_0001.json")


BULK_FAULTS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "column missing": (lambda t: t.replace("county_code", "county").encode(), "county_code: the column is missing"),
    "thousands comma": (lambda t: t.replace(",500", ",1,500").encode(), "the table cannot be read"),
    "encoding": (lambda t: t.replace("Winston", "Wi\xf1ston").encode("latin-1"), "the text is not utf-8"),
    "web page": (lambda _: b"<html></html>", "this is a web page"),
}


@pytest.mark.parametrize("fault", BULK_FAULTS)
def test_bulk_faults(tmp_path, fault):
    spoil, message = BULK_FAULTS[fault]
    lay(tmp_path / f"raw/ccd/{ALL_YEARS}", BULK, spoil(csv_of([school()])))
    with pytest.raises(InputError, match=message):
        ccd.build_school_directory(YEAR, retrieval(tmp_path))


def test_truncated_bulk(tmp_path):
    packed = gzip.compress(csv_of([school(f"3703330{n:05d}") for n in range(500)]).encode())[:-30]
    lay(tmp_path / f"raw/ccd/{ALL_YEARS}", f"{BULK}.gz", packed)
    with pytest.raises(InputError, match="gzip is damaged or truncated"):
        ccd.build_school_directory(YEAR, retrieval(tmp_path))


def two_pages(root: Path, first: list[dict], second: list[dict], **kwargs) -> pl.DataFrame:
    following = f"{API}schools/ccd/directory/2018/?page=2"
    total = len(first) + len(second)
    lay(root / "raw/ccd/2018", "school_directory_0001.json", page(first, count=total, following=following))
    lay(root / "raw/ccd/2018", "school_directory_0002.json", page(second, **{"count": total, **kwargs}))
    return ccd.build_school_directory(YEAR, retrieval(root))


def test_several_pages(tmp_path):
    one, two = school("370333000001"), school("370333000002")
    assert two_pages(tmp_path / "a", [one], [two]).height == 2
    assert two_pages(tmp_path / "b", [one, two], []).height == 2
    with pytest.raises(InputError, match=r"file school_directory_0002.json, row 1, column ncessch: duplicate key"):
        two_pages(tmp_path / "c", [one], [one])
    with pytest.raises(InputError, match="the pages hold 2 records and speak of 2 and 3: not of one answer"):
        two_pages(tmp_path / "d", [one], [two], count=3)
    with pytest.raises(InputError, match="the pages hold no records"):
        two_pages(tmp_path / "e", [], [])


def test_a_page_cut_short_is_noticed(tmp_path):
    lay(tmp_path / "raw/ccd/2018", "school_directory_0001.json", page([school()], count=2))
    with pytest.raises(InputError, match=r"the pages hold 1 records and speak of 2.* Remove the pages"):
        ccd.build_school_directory(YEAR, retrieval(tmp_path))


# Enrollment -----


def test_school_enrollment(tmp_path):
    """Grade 99 of three races, every sex and the stated total; from pages and from the bulk file."""
    records = [
        enrolled("370333000368", 1, 1, 10),
        enrolled("370333000368", 1, 2, -3),
        enrolled("370333000368", 1, 99, 25),
        enrolled("370333000368", 3, 9, None),
        enrolled("370333000368", 4, 1, 5),
        enrolled("370333000368", 99, 99, 30),
    ]
    expected = [("370333000368", 1, 1, 10), ("370333000368", 1, 2, None), ("370333000368", 1, 99, 25)]
    expected.append(("370333000368", 3, 9, None))
    lay(tmp_path / "a/raw/ccd/2018", "school_enrollment_0001.json", page(records))
    r = retrieval(tmp_path / "a")
    table = ccd.build_school_enrollment(YEAR, r)
    SchoolEnrollment.validate(table, lazy=True)
    assert table.rows() == expected
    counts = {"rows read": 6, "of other races, left out": 2, "rows without enrollment": 2}
    assert r.notes["school_enrollment"] == counts
    lay(
        tmp_path / "b/raw/ccd/2018",
        "schools_ccd_enrollment_2018.csv",
        csv_of([enrolled("370333000368", 1, 1, 4, grade=5), *records]),
    )
    r = retrieval(tmp_path / "b")
    assert ccd.build_school_enrollment(YEAR, r).rows() == expected
    assert r.notes["school_enrollment"] == counts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"race": 12}, r"row 2, column race: unknown race \(found '12'\)"),
        ({"sex": 4}, r"row 2, column sex: unknown sex \(found '4'\)"),
        ({"enrollment": -9}, "row 2, column enrollment: negative"),
        ({"enrollment": "ten"}, "row 2, column enrollment: not a number"),
        ({"sex": 1}, r"row 2, column ncessch, race, sex: duplicate key"),
        ({"year": 2016}, "row 2, column year: this is not the school year 2018"),
    ],
)
def test_enrollment_faults(tmp_path, change, message):
    records = [enrolled("370333000368", 1, 1, 10), {**enrolled("370333000368", 1, 2, 10), **change}]
    lay(tmp_path / "raw/ccd/2018", "school_enrollment_0001.json", page(records))
    with pytest.raises(InputError, match=message):
        ccd.build_school_enrollment(YEAR, retrieval(tmp_path))


# Districts -----


def test_lea_tables(tmp_path):
    folder = tmp_path / "raw/ccd/2019"
    lay(folder, "lea_directory_0001.json", page([district(year=2019), district("100005", year=2019, county_code=1095)]))
    sexes = [enrolled("100005", r, s, r, key="leaid", year=2019) for r in (1, 7, 9, 99) for s in (1, 2, 99)]
    lay(folder, "lea_enrollment_0001.json", page(sexes))
    r = retrieval(tmp_path)
    table = ccd.build_lea_directory(2019, r)
    LeaDirectory.validate(table, lazy=True)
    assert table.rows() == [
        ("0100005", "01095", "Winston Salem", 9000),
        ("3703330", "37067", "Winston Salem", 9000),
    ]
    races = ccd.build_lea_enrollment(2019, r)
    LeaEnrollment.validate(races, lazy=True)
    assert races.rows() == [("0100005", 1, 1), ("0100005", 7, 7)]
    assert r.notes["lea_enrollment"]["of other races, left out"] == 2


def test_vintages_serve_the_years_that_need_them():
    falls = {v.key: v for v in ccd.SOURCE.vintages}
    assert falls["2008"].data_years == (2014, 2015, 2016, 2017, 2018)
    assert falls["2018"].data_years == (2014, 2015, 2016, 2017, 2018)
    assert falls["2021"].data_years == (2021,)
    names = {key: {f.name.split("_*")[0] for f in v.files} for key, v in falls.items()}
    assert names["2013"] == {"lea_directory"}
    assert {"school_directory", "school_enrollment", "lea_directory"} <= names["2014"]
    assert "school_directory" not in names["2022"]
    assert {f.name for f in falls[ALL_YEARS].files} == {BULK, "school-districts_lea_directory.csv"}
    assert [v.key for v in meps.SOURCE.vintages] == [*map(str, range(2014, 2022)), ALL_YEARS]


# Poverty -----


def poverty(root: Path, *records: dict) -> tuple[pl.DataFrame, dict]:
    lay(root / "raw/meps/2018", "school_poverty_0001.json", page(list(records)))
    r = retrieval(root)
    table = meps.build(YEAR, r)
    SchoolPoverty.validate(table, lazy=True)
    return table, r.notes["school_poverty"]


def estimate(number: str = "370333000368", percent: object = 20.0) -> dict:
    """The modified estimate, which is not to be read, stands beside it."""
    return {"year": 2018, "ncessch": number, "meps_poverty_pct": percent, "meps_mod_poverty_pct": 1.0}


def test_school_poverty(tmp_path):
    table, counts = poverty(tmp_path, estimate(), estimate("10000500870", 0), estimate("010000500871", None))
    assert table.rows() == [("010000500870", 0.0), ("010000500871", None), ("370333000368", 20.0)]
    assert counts == {"schools": 3, "without estimate": 1}
    bulk = [estimate(), {**estimate(percent=30.5), "year": 2017}, estimate("10000500870", 0)]
    lay(tmp_path / f"b/raw/meps/{ALL_YEARS}", "schools_meps.csv", csv_of(bulk))
    from_bulk = meps.build(YEAR, retrieval(tmp_path / "b"))
    assert from_bulk.rows() == [("010000500870", 0.0), ("370333000368", 20.0)]


@pytest.mark.parametrize(
    ("percent", "message"),
    [(-0.5, "negative"), (100.5, "above 100"), ("high", "not a number"), ("NaN", "not a finite number")],
)
def test_poverty_faults(tmp_path, percent, message):
    with pytest.raises(InputError, match=f"row 2, column meps_poverty_pct: {message}"):
        poverty(tmp_path, estimate(), estimate("370333000369", percent))


def test_poverty_twice(tmp_path):
    with pytest.raises(InputError, match="row 2, column ncessch: duplicate key"):
        poverty(tmp_path, estimate(), estimate())
