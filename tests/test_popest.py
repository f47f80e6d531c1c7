"""Population estimates: every layout, wrong input, and all published figures."""

import gzip
import json

import polars as pl
import pytest

from schemas.errors import InputError, OwedError
from sources import popest
from sources.framework import Retrieval, Scope, Status

COUNTIES = """SUMLEV,REGION,DIVISION,STATE,COUNTY,STNAME,CTYNAME,CENSUS2010POP,POPESTIMATE2018,POPESTIMATE2019
040,4,8,35,000,New Mexico,New Mexico,300,310,320
050,4,8,35,001,New Mexico,Bernalillo County,200,205,210
050,4,8,35,013,New Mexico,Doña Ana County,100,105,110
"""
PLACES = """SUMLEV,STATE,COUNTY,PLACE,COUSUB,CONCIT,PRIMGEO_FLAG,FUNCSTAT,NAME,STNAME,POPESTIMATE2019
040,35,000,00000,00000,00000,0,A,New Mexico,New Mexico,320
050,35,001,00000,00000,00000,0,A,Bernalillo County,New Mexico,210
157,35,001,02000,00000,00000,1,A,Albuquerque city,New Mexico,199
162,35,000,02000,00000,00000,0,A,Albuquerque city,New Mexico,200
162,35,000,39380,00000,00000,0,A,Las Cruces city,New Mexico,90
162,35,001,63460,00000,00000,0,A,Rio Rancho city (pt.),New Mexico,1
"""
CENSUS = [
    ["NAME", "P1_001N", "state", "county"],
    ["Doña Ana County, New Mexico", "105", "35", "013"],
    ["San Juan Municipio, Puerto Rico", "9", "72", "127"],
]


@pytest.fixture
def retrieval(tmp_path):
    return Retrieval(root=tmp_path / "data", scratch=tmp_path / "scratch", offline=True)


@pytest.fixture
def lay(tmp_path):
    def lay(name: str, content: str | bytes, year: int = 2019) -> None:
        folder = tmp_path / "data/raw/popest" / str(year)
        folder.mkdir(parents=True, exist_ok=True)
        # The agency writes Latin-1.
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("latin-1"))

    return lay


def test_the_agency_s_county_file(retrieval, lay):
    lay("co-est2019-alldata.csv", COUNTIES)
    assert popest.population(2019, "county", retrieval).rows() == [("35", "001", 210), ("35", "013", 110)]
    assert retrieval.used[0].name == "co-est2019-alldata.csv"


def test_the_agency_s_place_file(retrieval, lay):
    lay("sub-est2019_all.csv", PLACES)
    assert popest.population(2019, "place", retrieval).rows() == [("35", "02000", 200), ("35", "39380", 90)]


def test_summary_levels_without_leading_zero_and_compressed(retrieval, lay):
    lay("sub-est2019.csv.gz", gzip.compress(PLACES.replace("\n040,", "\n40,").replace("\n050,", "\n50,").encode()))
    assert popest.population(2019, "place", retrieval).height == 2


def test_places_of_2021_and_2022_come_from_vintage_2023(retrieval, lay):
    for year in (2021, 2022):
        text = PLACES.replace("POPESTIMATE2019", "POPESTIMATE2020,POPESTIMATE2021,POPESTIMATE2022,POPESTIMATE2023")
        lay("sub-est2023.csv", text.replace(",200\n", ",200,201,202,203\n").replace(",90\n", ",90,91,92,93\n"), year)
        rows = popest.population(year, "place", retrieval).rows()
        assert rows == [("35", "02000", year - 1820), ("35", "39380", year - 1930)]


def test_the_census_count_of_2020(retrieval, lay):
    lay("dec2020pl-P1_001N-county.json", json.dumps(CENSUS).encode(), 2020)
    assert popest.population(2020, "county", retrieval).rows() == [("35", "013", 105)]
    assert retrieval.notes == {"popest county rows of Puerto Rico left out": 1}


def test_a_file_that_is_not_there_is_owed(retrieval):
    with pytest.raises(OwedError) as owed:
        popest.population(2019, "place", retrieval)
    assert owed.value.files == ("sub-est2019_all.csv",)
    assert "https://www2.census.gov/programs-surveys/popest/datasets/2010-2019/cities/totals/" in owed.value.recipe
    with pytest.raises(KeyError):
        popest.population(popest.years()[-1] + 1, "place", retrieval)


def test_every_vintage_is_declared_with_an_address(retrieval):
    assert popest.years() == tuple(range(2014, popest.years()[-1] + 1))
    for vintage in popest.SOURCE.vintages:
        assert retrieval.status(popest.SOURCE, vintage.key) is Status.DOWNLOADABLE
        for file in vintage.files:
            assert file.url
            assert ("api.census.gov" in file.url) == (vintage.key == "2020")


BAD_COUNTIES = {
    "missing column": (lambda t: t.replace("COUNTY,STNAME", "X,STNAME"), "column is missing", None, "COUNTY"),
    "renamed column": (
        lambda t: t.replace("POPESTIMATE2019", "POP_ESTIMATE2019"),
        "the nearest is 'pop_estimate2019'",
        None,
        "POPESTIMATE2019",
    ),
    "another year's file": (
        lambda t: t.replace("POPESTIMATE2018,POPESTIMATE2019", "POPESTIMATE2017,POPESTIMATE2018"),
        "column is missing",
        None,
        "POPESTIMATE2019",
    ),
    "duplicate": (
        lambda t: t + "050,4,8,35,013,New Mexico,Again,100,105,110\n",
        "duplicate key",
        5,
        "STATE, COUNTY",
    ),
    "text in a number": (lambda t: t.replace("205,210", "205,many"), "not a number", 3, "POPESTIMATE2019"),
    "thousands comma": (lambda t: t.replace("205,210", '205,"1,210"'), "thousands comma", 3, "POPESTIMATE2019"),
    "negative": (lambda t: t.replace("205,210", "205,-210"), "negative", 3, "POPESTIMATE2019"),
    "blank": (lambda t: t.replace("205,210", "205,"), "not a number", 3, "POPESTIMATE2019"),
    "lost leading zeros": (lambda t: t.replace("35,013", "35,13"), "leading zeros are lost", 4, "COUNTY"),
    "state without zero": (lambda t: t.replace("8,35,", "8,1,"), "leading zeros are lost", 2, "STATE"),
    "unknown state": (lambda t: t.replace("8,35,", "8,99,"), "unknown", 2, "STATE"),
    "unknown level": (lambda t: t.replace("040,", "041,"), "unknown", 2, "SUMLEV"),
    "no counties": (lambda t: t.replace("050,", "040,"), "no county rows", None, "SUMLEV"),
    "county missing": (
        lambda t: t.replace("050,4,8,35,013,New Mexico,Doña Ana County,100,105,110\n", ""),
        "add up to 210, the state row says 320",
        2,
        "POPESTIMATE2019",
    ),
    "web page": (lambda _: "<!DOCTYPE html><html></html>", "web page", None, None),
    "empty": (lambda _: "", "empty", None, None),
    "header only": (lambda t: t.splitlines()[0] + "\n", "no rows", None, None),
    "truncated gzip": (lambda t: gzip.compress(t.encode() * 50)[:-20], "damaged or truncated", None, None),
    "UTF-16": (lambda t: t.encode("utf-16"), "UTF-16", None, None),
}


@pytest.mark.parametrize("case", BAD_COUNTIES)
def test_a_wrong_county_file_is_refused(case, retrieval, lay):
    change, problem, row, column = BAD_COUNTIES[case]
    name = "co-est2019-alldata.csv" + (".gz" if "gzip" in case else "")
    lay(name, change(COUNTIES))
    with pytest.raises(InputError, match=problem) as error:
        popest.population(2019, "county", retrieval)
    assert (error.value.source, error.value.file, error.value.row, error.value.column) == ("popest", name, row, column)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda rows: [*rows, rows[1]], "duplicate key"),
        (lambda rows: [rows[0][:3], *rows[1:]], "does not have 3 texts"),
        (lambda rows: [["NAME", "P1_001N", "state", "place"], *rows[1:]], "column is missing"),
        (lambda rows: [["NAME", "state", "state", "county"], *rows[1:]], "column names"),
        (lambda rows: [*rows, ["x", "1", "5", "001"]], "leading zeros are lost"),
        (lambda rows: [*rows, ["x", "many", "35", "001"]], "not a number"),
        (lambda rows: [*rows, ["x", None, "35", "001"]], "not a number"),
        (lambda rows: [*rows, ["x", 5, "35", "001"]], "texts"),
        (lambda rows: rows[:1], "no rows"),
        (lambda _: {"error": "unknown variable"}, "list of rows"),
    ],
)
def test_a_wrong_census_answer_is_refused(change, problem, retrieval, lay):
    lay("dec2020pl-P1_001N-county.json", json.dumps(change(CENSUS)).encode(), 2020)
    with pytest.raises(InputError, match=problem) as error:
        popest.population(2020, "county", retrieval)
    assert error.value.file == "dec2020pl-P1_001N-county.json"


def test_an_error_text_of_the_api_is_refused(retrieval, lay):
    lay("dec2020pl-P1_001N-county.json", b"error: unknown variable 'P1_001'", 2020)
    with pytest.raises(InputError, match="not JSON"):
        popest.population(2020, "county", retrieval)


# Real files ---------------------------------------------------------------------------------------------------------

US = {2014: 318_857_056, 2019: 328_239_523, 2020: 331_449_281, 2023: 334_914_895}
FORSYTH = {2014: 365_298, 2020: 382_590, 2023: 392_921}
WINSTON_SALEM = {2014: 239_269, 2020: 249_545, 2023: 252_975}


@pytest.fixture(scope="module")
def real(mirror, tmp_path_factory):
    folder = tmp_path_factory.mktemp("popest")
    retrieval = Retrieval(root=folder / "data", scratch=folder / "s", mirror=mirror, offline=True, scope=Scope())

    def read(level):
        years = range(2014, 2024)
        return pl.concat(popest.population(y, level, retrieval).with_columns(pl.lit(y).alias("year")) for y in years)

    return {level: read(level) for level in ("county", "place")}


@pytest.mark.parity
def test_known_totals(real):
    sums = dict(real["county"].group_by("year").agg(pl.col("population").sum()).iter_rows())
    assert {year: sums[year] for year in US} == US
    for level, code, known in (("county", ("37", "067"), FORSYTH), ("place", ("37", "75000"), WINSTON_SALEM)):
        one = real[level].filter(pl.col("state") == code[0], pl.col("geo") == code[1])
        found = dict(one.select("year", "population").iter_rows())
        assert {year: found[year] for year in known} == known


@pytest.mark.parity
@pytest.mark.parametrize(("level", "rows"), [("county", 31_426), ("place", 4_856)])
def test_every_published_population(real, realcases, level, rows):
    file = realcases / f"published_files/raw/geographic-crosswalks/data/{level}-populations.csv.gz"
    text = gzip.decompress(file.read_bytes()).decode("latin-1").encode()
    published = pl.read_csv(text, infer_schema=False, null_values="NA").select(
        pl.col("year").cast(pl.Int32), "state", pl.col(level).alias("geo"), pl.col("population").cast(pl.Int64)
    )
    both = published.join(real[level], on=["year", "state", "geo"], how="full", coalesce=True, validate="1:1")
    equal = both.filter(pl.col("population") == pl.col("population_right")).height
    assert (equal, both.height) == (rows, rows), f"{equal} of {both.height} {level} populations equal"
