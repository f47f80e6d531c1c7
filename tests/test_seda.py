"""The Stanford Education Data Archive: both forms of both files, cohorts, and what is refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from school_support import archive_row, cohort, csv_of, district, lay, page, retrieval, stata

from schemas.errors import InputError, OwedError
from schemas.schools import STUDENT_GROUPS, DistrictCity, ListedPlaces, SedaCounty, SedaDistrict
from sources import ccd, listed_places, seda

COUNTY_DTA, COUNTY_CSV = seda.COUNTY.names
DISTRICT_DTA, DISTRICT_CSV = seda.DISTRICT.names


def store(root: Path, name: str, content: bytes | str) -> Path:
    lay(root / "raw/seda/5.0", name, content)
    return root


def rows(*more: dict) -> list[dict]:
    """The cohorts of springs 2015 and 2016 of two counties, some of another subject, some withheld."""
    first = cohort(1001, 2015, gcs_mn_blk=None)
    return [
        *first,
        *cohort(37067, 2015, tot_asmt_hsp=None, gcs_mn_hsp=None),
        *cohort(37067, 2016),
        archive_row(1001, 3, 2010, subject="mth", gcs_mn_all=99.0),
        *more,
    ]


@pytest.mark.parametrize("form", ["dta", "csv", "csv.gz", "dta.gz"])
def test_county_scores(tmp_path, form):
    """Codes get their zeros back; a withheld score is null beside its test takers; mathematics is left out."""
    content = stata(rows()) if form.startswith("dta") else csv_of(rows()).encode()
    name = COUNTY_DTA if form.startswith("dta") else COUNTY_CSV
    packed = gzip.compress(content) if form.endswith("gz") else content
    r = retrieval(store(tmp_path, f"{name}.gz" if form.endswith("gz") else name, packed))
    table = seda.build_county(2014, r)
    SedaCounty.validate(table, lazy=True)
    assert table.height == 2 * 8 * 6
    here = table.filter(pl.col("state") == "01", pl.col("county") == "001")
    everyone = here.filter(pl.col("group") == "all")
    assert everyone["score"].to_list() == [3, 4, 5, 6, 7, 8]
    assert everyone["tests"].to_list() == [100] * 6
    assert here.filter(pl.col("group") == "blk").select("score", "tests").unique().rows() == [(None, 100)]
    assert r.notes["seda_county"] == {
        "scores of the subject": 18,
        "of Puerto Rico, left out": 0,
        "scores of the cohort": 84,
        "scores withheld": 12,
        "scores without test takers": 0,
    }


def test_the_year_is_the_fall_of_grade_8_and_scores_are_named_by_spring(tmp_path):
    """Data year 2014: grade 3 in spring 2010, grade 8 in spring 2015 (school year 2014-15)."""
    table = seda.build_county(2014, retrieval(store(tmp_path, COUNTY_DTA, stata(rows()))))
    pairs = table.select("grade", "spring").unique().sort("grade")
    assert pairs.rows() == [(g, 2007 + g) for g in range(3, 9)]
    later = seda.build_county(2015, retrieval(tmp_path))
    assert later.select("grade", "spring").unique().sort("grade").rows() == [(g, 2008 + g) for g in range(3, 9)]
    assert later["county"].unique().to_list() == ["067"]
    for year in (2013, 2019):
        with pytest.raises(InputError, match=f"release 5.0 has no whole cohort for {year}"):
            seda.build_county(year, retrieval(tmp_path))


def test_both_forms_give_the_same(tmp_path):
    from_stata = seda.build_county(2014, retrieval(store(tmp_path / "a", COUNTY_DTA, stata(rows()))))
    from_csv = seda.build_county(2014, retrieval(store(tmp_path / "b", COUNTY_CSV, csv_of(rows()))))
    assert_frame_equal(from_stata, from_csv)


def test_puerto_rico_is_left_out(tmp_path):
    r = retrieval(store(tmp_path, COUNTY_CSV, csv_of(rows(*cohort(72001, 2015)))))
    assert "72" not in seda.build_county(2014, r)["state"].to_list()
    assert r.notes["seda_county"]["of Puerto Rico, left out"] == 6


def test_district_scores(tmp_path):
    records = cohort(100005, 2015, column="sedalea") + cohort(3703330, 2015, column="sedalea", tot_asmt_all=0)
    r = retrieval(store(tmp_path, DISTRICT_DTA, stata(records)))
    table = seda.build_district(2014, r)
    SedaDistrict.validate(table, lazy=True)
    assert table["leaid"].unique().sort().to_list() == ["0100005", "3703330"]
    assert r.notes["seda_district"]["scores without test takers"] == 6


# What is refused -----

FAULTS: dict[str, tuple[Callable[[dict], dict], str]] = {
    "unknown state": (lambda r: {**r, "sedacounty": 99001}, "row 2, column sedacounty: the state is unknown"),
    "code too long": (lambda r: {**r, "sedacounty": 137067}, "row 2, column sedacounty: the sedacounty must have 5"),
    "grade": (lambda r: {**r, "grade": 9}, "row 2, column grade: grades are 3 to 8"),
    "later release": (lambda r: {**r, "year": 2022}, r"row 2, column year: release 5.0 has the years 2009 to 2019"),
    "duplicate": (lambda r: {**r, "grade": 3, "year": 2010}, "row 2, column sedacounty, grade, year: duplicate key"),
    "negative count": (lambda r: {**r, "tot_asmt_fem": -1}, "row 2, column tot_asmt_fem: negative"),
    "fraction": (lambda r: {**r, "tot_asmt_fem": 1.5}, "row 2, column tot_asmt_fem: not a (whole )?number"),
}


def spoilt(spoil: Callable[[dict], dict]) -> list[dict]:
    records = cohort(37067, 2015)
    records[1] = spoil(records[1])
    return records


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_both_forms(tmp_path, fault):
    spoil, message = FAULTS[fault]
    with pytest.raises(InputError, match=message.replace("row 2", "row 3")) as caught:
        seda.build_county(2014, retrieval(store(tmp_path / "a", COUNTY_CSV, csv_of(spoilt(spoil)))))
    assert (caught.value.source, caught.value.file) == ("seda", COUNTY_CSV)
    with pytest.raises(InputError, match=message):
        seda.build_county(2014, retrieval(store(tmp_path / "b", COUNTY_DTA, stata(spoilt(spoil)))))


CSV_FAULTS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "column missing": (lambda t: t.replace("gcs_mn_ecd", "mn_ecd").encode(), "gcs_mn_ecd: the column is missing"),
    "text": (lambda t: t.replace(",3.0,", ",low,", 1).encode(), "row 2, column gcs_mn_all: not a number"),
    "infinite": (lambda t: t.replace(",3.0,", ",inf,", 1).encode(), "row 2, column gcs_mn_all: not a finite number"),
    "letters": (lambda t: t.replace("37067", "37O67", 1).encode(), "sedacounty is not made of digits"),
    "thousands comma": (lambda t: t.replace(",100", ',"1,100"', 1).encode(), "column tot_asmt_all: thousands comma"),
    "loose thousands comma": (lambda t: t.replace(",100", ",1,100", 1).encode(), "the table cannot be read"),
    "other subject": (lambda t: t.replace("rla", "ela").encode(), "there are no rows of the subject rla"),
    "encoding": (lambda t: t.replace("rla", "rl\xe4", 1).encode("latin-1"), "the text is not utf-8"),
    "empty": (lambda _: b"", "the file is empty"),
    "web page": (lambda _: b"<!DOCTYPE html><html><body>" + b" " * 200, "this is a web page"),
    "release 4.1": (lambda t: t.replace("tot_asmt", "totgyb").encode(), "this is release 4.1 or earlier, not 5.0"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_csv_faults(tmp_path, fault):
    spoil, message = CSV_FAULTS[fault]
    store(tmp_path, COUNTY_CSV, spoil(csv_of(cohort(37067, 2015))))
    with pytest.raises(InputError, match=message):
        seda.build_county(2014, retrieval(tmp_path))


STATA_FAULTS: dict[str, tuple[Callable[[list[dict]], bytes], str]] = {
    "column missing": (
        lambda r: stata([{k: v for k, v in row.items() if k != "gcs_mn_ecd"} for row in r]),
        "column gcs_mn_ecd: the column is missing; the nearest is 'gcs_mn_",
    ),
    "release 4.1": (
        lambda r: stata([{k.replace("tot_asmt", "totgyb"): v for k, v in row.items()} for row in r]),
        "this is release 4.1 or earlier, not 5.0",
    ),
    "other subject": (lambda r: stata([{**row, "subject": "ela"} for row in r]), "no rows of the subject rla"),
    "truncated": (lambda r: stata(r)[:-400], "the Stata file is damaged or truncated"),
    "grade missing": (lambda r: stata([{**r[0], "grade": None}, *r[1:]]), "row 1, column grade: not a whole number"),
    # What the reference has under the name of the archive's file.
    "web page": (lambda _: b"<!DOCTYPE html><html><body>Not found</body></html>" * 9, "this is a web page, not data"),
    "csv": (lambda r: csv_of(r).encode(), "this is not a file of type dta"),
    "empty": (lambda _: b"", "the file is empty"),
    "gzip cut": (lambda r: gzip.compress(stata(r))[:-20], "gzip is damaged or truncated"),
}


@pytest.mark.parametrize("fault", STATA_FAULTS)
def test_stata_faults(tmp_path, fault):
    spoil, message = STATA_FAULTS[fault]
    name = f"{COUNTY_DTA}.gz" if fault == "gzip cut" else COUNTY_DTA
    store(tmp_path, name, spoil(cohort(37067, 2015)))
    with pytest.raises(InputError, match=message):
        seda.build_county(2014, retrieval(tmp_path))


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("seda_county_long_gcs_4.1.dta", "release 4.1"),
        ("seda_county_long_gcs_v41.dta", "release 4.1"),
        ("seda_county_long_gcs_v30.csv", "release 3.0"),
        ("seda_county_long_gcs_6.0.dta.gz", "release 6.0"),
        ("seda_county_pool_new.csv", "another file"),
    ],
)
@pytest.mark.parametrize("place", ["inbox/seda", "inbox/seda/5.0", "raw/seda/5.0"])
def test_another_release_is_refused_by_name(tmp_path, name, release, place):
    lay(tmp_path / place, name, stata(cohort(37067, 2015)))
    with pytest.raises(InputError, match=f"file {name}: this is {release} of the archive.* Expected: {COUNTY_DTA}"):
        seda.build_county(2014, retrieval(tmp_path))
    with pytest.raises(OwedError, match="Accept the terms of use"):
        seda.build_district(2014, retrieval(tmp_path))


@pytest.mark.parametrize("place", ["inbox/seda", "raw/seda/5.0"])
def test_two_releases_in_one_folder_are_refused(tmp_path, place):
    """The right file is there, and so is another release of it: neither is taken until a person has sorted them."""
    lay(tmp_path / place, COUNTY_DTA, stata(cohort(37067, 2015)))
    assert seda.build_county(2014, retrieval(tmp_path)).height > 0
    lay(tmp_path / place, "seda_county_long_gcs_4.1.dta", stata(cohort(37067, 2015)))
    with pytest.raises(InputError, match=r"gcs_4.1.dta: this is release 4.1 .*no other release beside"):
        seda.build_county(2014, retrieval(tmp_path))


def test_the_first_district_file_of_the_release_is_refused(tmp_path):
    """The archive replaced it; its name lacks the date."""
    lay(tmp_path / "inbox/seda", "seda_geodist_long_gcs_5.0.dta", stata(cohort(100005, 2015, column="sedalea")))
    with pytest.raises(InputError, match=r"this is release 5.0 of the archive, not the file .*updated_20240319"):
        seda.build_district(2014, retrieval(tmp_path))


def test_nothing_there_is_owed(tmp_path):
    with pytest.raises(OwedError, match=r"druid:cs829jn7849/seda_county_long_gcs_5.0.dta"):
        seda.build_county(2014, retrieval(tmp_path))
    assert [v.key for v in seda.SOURCE.vintages] == ["5.0"]
    assert not seda.SOURCE.redistribute


# Offices of districts -----


def offices(root: Path) -> Path:
    for fall in ccd.CITY_FALLS:
        listed = (
            [district(year=fall, city_location=f"City {fall}")] if fall != 2012 else [district("9900001", year=fall)]
        )
        lay(root / f"raw/ccd/{fall}", "lea_directory_0001.json", page(listed))
    return root


def test_district_city(tmp_path):
    """One row per district and school year with scores; the directory is looked up by the fall of that school year."""
    records = cohort(3703330, 2015, column="sedalea") + cohort(100005, 2019, column="sedalea")
    # Grade 8 in spring 2013 is no cohort of the method.
    records += [archive_row(3703330, 8, 2013, column="sedalea"), archive_row(3703330, 3, 2019, column="sedalea")]
    r = retrieval(offices(store(tmp_path, DISTRICT_CSV, csv_of(records))))
    table = seda.build_district_city(2014, r)
    DistrictCity.validate(table, lazy=True)
    assert table.filter(pl.col("leaid") == "3703330").rows() == [
        ("3703330", fall, None if fall == 2012 else f"City {fall}") for fall in (*range(2009, 2015), 2018)
    ]
    assert table.filter(pl.col("leaid") == "0100005")["city"].null_count() == 6
    assert_frame_equal(table, seda.build_district_city(2018, retrieval(tmp_path)))
    assert r.notes["district_city"] == {
        "districts": 2,
        "districts without an office in any year": 1,
        "school years of districts": 13,
        "school years without an office": 7,
    }
    assert {f.vintage for f in r.used if f.source == "ccd"} == {str(fall) for fall in ccd.CITY_FALLS}


def test_district_city_needs_every_directory(tmp_path):
    root = offices(store(tmp_path, DISTRICT_CSV, csv_of(cohort(3703330, 2015, column="sedalea"))))
    (root / "raw/ccd/2010/lea_directory_0001.json").unlink()
    with pytest.raises(OwedError, match="ccd 2010"):
        seda.build_district_city(2014, retrieval(root))


def test_listed_places_are_national(tmp_path):
    table = listed_places.build(2014, retrieval(tmp_path))
    ListedPlaces.validate(table, lazy=True)
    assert dict(table.group_by("year").len().rows()) == {2014: 485, 2015: 485, 2016: 485, 2017: 485, 2018: 486}
    assert len(STUDENT_GROUPS) == 8
