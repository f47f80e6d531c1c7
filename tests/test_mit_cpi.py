"""Living wages and consumer prices: what the readers take, what they drop, what they refuse."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from wage_support import FolderRetrieval

from schemas.errors import InputError, OwedError
from schemas.wages import Cpi, MitLivingWage
from sources import cpi
from sources import mit_living_wage as mit
from sources.framework.declare import Access

EDITION_2019, EDITION_2022, EDITION_2023 = mit.EDITIONS
FAMILIES = [(adults, children) for adults in mit.ADULTS for children in mit.CHILDREN]
HEADER = "year,state,county,adults,children,wage"


def families(state: str, county: str, wage: float) -> list[str]:
    """The twelve family types of a county; `wage` is that of one adult with two children."""
    own = ("1 Adult", "2 Children")
    return [f"2018,{state},{county},{a},{c},{wage if (a, c) == own else 9.5}" for a, c in FAMILIES]


LINES = [*families("01", "001", 28.27), *families("01", "003", 28.68), *families("48", "301", 27.4)]


def put(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def all_families(tmp_path: Path, lines: list[str], header: str = HEADER) -> Path:
    return put(tmp_path / "mit-living-wage.csv", "\n".join([header, *lines]) + "\n")


def test_all_families(tmp_path: Path) -> None:
    """Ours of twelve family types; rows repeated word for word count once; the year column is not read."""
    table, counts = mit.read(all_families(tmp_path, [*LINES, *LINES[:12]]), EDITION_2019)
    MitLivingWage.validate(table)
    assert table.rows() == [("01", "001", 28.27, 2019), ("01", "003", 28.68, 2019), ("48", "301", 27.4, 2019)]
    assert counts == {
        "rows read": 48,
        "repeated rows dropped": 12,
        "rows of other family types left out": 33,
        "counties without a figure": 0,
        "counties": 3,
    }


def test_one_family(tmp_path: Path) -> None:
    """The other layout: our family type only, codes of their own that may have lost zeros, some without a figure."""
    text = (
        "hourly_living_wage,county_fips_short,state_fips,county_name\n"
        "40.1,1,1,Autauga\n41.25,003,01,Baldwin\nNA,5,15,Kalawao\n41.25,003,01,Baldwin\n"
    )
    table, counts = mit.read(put(tmp_path / "mit-living-wage-2023.csv", text), EDITION_2023)
    MitLivingWage.validate(table)
    assert table.rows() == [("01", "001", 40.1, 2023), ("01", "003", 41.25, 2023)]
    assert counts == {
        "rows read": 4,
        "repeated rows dropped": 1,
        "counties without a figure": 1,
        "counties": 2,
    }


MIT_FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "conflicting": (
        lambda x: [*x, x[2].replace("28.27", "30")],
        r"row 38, column state, county, adults, children: dup",
    ),
    "text": (lambda x: [x[0].replace("9.5", "n.a."), *x[1:]], r"row 2, column wage: not a number \(found 'n.a.'\)"),
    "dollar sign": (lambda x: [x[0].replace("9.5", "$9.5"), *x[1:]], "row 2, column wage: not a number"),
    "thousands": (lambda x: [x[0].replace("9.5", '"1,009.5"'), *x[1:]], "row 2, column wage: thousands comma"),
    "blank": (lambda x: [x[0].replace("9.5", ""), *x[1:]], "row 2, column wage: not a number"),
    "negative": (lambda x: [x[0].replace("9.5", "-9.5"), *x[1:]], "row 2, column wage: below 0.01"),
    "zero": (lambda x: [x[0].replace("9.5", "0"), *x[1:]], "row 2, column wage: below 0.01"),
    "annual pay": (lambda x: [x[0].replace("9.5", "58000"), *x[1:]], "row 2, column wage: above 1000"),
    "lost zero, state": (lambda x: [x[0].replace(",01,", ",1,"), *x[1:]], "row 2, column state: .* zeros are lost"),
    "lost zero, county": (lambda x: [x[0].replace(",001,", ",1,"), *x[1:]], "row 2, column county: .* zeros are lost"),
    "unknown state": (
        lambda x: [x[0].replace(",01,", ",72,"), *x[1:]],
        "row 2, column state: the state code is unknown",
    ),
    "family": (lambda x: [*x, x[0].replace("1 Adult", "1 Person")], "row 38, column adults: unknown family type"),
    "children": (lambda x: [*x, x[0].replace("0 Children", "None")], "row 38, column children: unknown family type"),
    "other families": (
        lambda x: [line for line in x if "2 Children" not in line],
        "no row for 1 Adult with 2 Children",
    ),
    "no rows": (lambda _: [], "the file has a header but no rows"),
}


@pytest.mark.parametrize("fault", MIT_FAULTS)
def test_mit_faults(tmp_path: Path, fault: str) -> None:
    spoil, message = MIT_FAULTS[fault]
    with pytest.raises(InputError, match=message) as caught:
        mit.read(all_families(tmp_path, spoil(LINES)), EDITION_2022)
    assert (caught.value.source, caught.value.file) == ("mit_living_wage", "mit-living-wage.csv")


@pytest.mark.parametrize("column", ["state", "county", "adults", "children", "wage"])
def test_mit_column_missing(tmp_path: Path, column: str) -> None:
    header = HEADER.replace(column, f"{column}_1")
    with pytest.raises(InputError, match=f"column {column}: the column is missing; the nearest is '{column}_1'"):
        mit.read(all_families(tmp_path, LINES, header), EDITION_2019)


def test_mit_editions_are_not_mixed_up(tmp_path: Path) -> None:
    """The layout of one edition handed in for another is refused, not read."""
    with pytest.raises(InputError, match="column state_fips: the column is missing"):
        mit.read(all_families(tmp_path, LINES), EDITION_2023)


MIT_ONE_FAULTS = {
    "conflicting": ("40,1,1\n41,001,01\n", "row 3, column state_fips, county_fips_short: duplicate key"),
    "text": ("forty,1,1\n", "row 2, column hourly_living_wage: not a number"),
    "long code": ("40,1001,1\n", "row 2, column county_fips_short: the county code must have 3 digits"),
    "name": ("40,1,Alabama\n", "row 2, column state_fips: the state code is not made of digits"),
}


@pytest.mark.parametrize("fault", MIT_ONE_FAULTS)
def test_mit_one_family_faults(tmp_path: Path, fault: str) -> None:
    rows, message = MIT_ONE_FAULTS[fault]
    path = put(tmp_path / "mit-living-wage-2023.csv", "hourly_living_wage,county_fips_short,state_fips\n" + rows)
    with pytest.raises(InputError, match=message):
        mit.read(path, EDITION_2023)


CONTENT_FAULTS: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.csv", b"", "the file is empty"),
    "web page": ("a.csv", b"<!doctype html><html></html>", "this is a web page"),
    "utf-16": ("a.csv", HEADER.encode("utf-16"), "the text is not utf-8"),
    "short gzip": ("a.csv.gz", gzip.compress(HEADER.encode() * 50)[:-12], "the gzip is damaged or truncated"),
}


@pytest.mark.parametrize("fault", CONTENT_FAULTS)
@pytest.mark.parametrize("reader", [mit.read_all_families, mit.read_our_family, cpi.read_csv, cpi.read_json])
def test_content_faults(tmp_path: Path, fault: str, reader: Callable[[Path], Any]) -> None:
    name, data, message = CONTENT_FAULTS[fault]
    with pytest.raises(InputError, match=message):
        reader(put(tmp_path / name, data))


def test_mit_source_is_never_fetched_nor_passed_on() -> None:
    assert mit.SOURCE.access is Access.PERSON
    assert not mit.SOURCE.redistribute
    assert all(file.url is None for vintage in mit.SOURCE.vintages for file in vintage.files)
    assert {v.key: v.data_years for v in mit.SOURCE.vintages} == {
        "2019-dollars": (2014, 2018),
        "2022-dollars": (2021, 2022),
        "2023-dollars": (2023,),
    }


def test_mit_owed(tmp_path: Path) -> None:
    with pytest.raises(OwedError, match="Ask the Living Wage Institute"):
        mit.build(2018, FolderRetrieval(tmp_path, tmp_path))
    with pytest.raises(InputError, match="no edition is declared for 2016"):
        mit.build(2016, FolderRetrieval(tmp_path, tmp_path))


@pytest.mark.parity
def test_mit_real_edition(mirror: Path, tmp_path: Path) -> None:
    """The edition of 2019: two counties stand in it twice; the county list is that of 2018."""
    retrieval = FolderRetrieval(mirror, tmp_path)
    table = mit.build(2018, retrieval)
    MitLivingWage.validate(table)
    assert retrieval.notes["mit_living_wage"] == {
        "vintage": "2019-dollars",
        "rows read": 37_728,
        "repeated rows dropped": 24,
        "rows of other family types left out": 34_562,
        "counties without a figure": 0,
        "counties": 3142,
    }
    codes = set(table["state"] + table["county"])
    assert {"02158", "46102", "02261", "09001"} <= codes
    assert not {"02063", "02066", "09110"} & codes
    assert table.filter(pl.col("state") == "01", pl.col("county") == "001")["hourly_wage"].to_list() == [28.27]


# Consumer prices --------------------------------------------------------------------------------------------------

MONTHS_2022 = (
    *(281.148, 283.716, 287.504, 289.109, 292.296, 296.311),
    *(296.276, 296.171, 296.808, 298.012, 297.711, 296.797),
)


def answer(observations: list[tuple[str, str, str]], status: str = "REQUEST_SUCCEEDED") -> str:
    data = [{"year": y, "period": p, "periodName": "", "value": v, "footnotes": [{}]} for y, p, v in observations]
    results = {"series": [{"seriesID": cpi.SERIES, "data": data}]}
    return json.dumps({"status": status, "responseTime": 1, "message": [], "Results": results})


def months(year: int, values: tuple[float, ...]) -> list[tuple[str, str, str]]:
    return [(str(year), f"M{at:02d}", str(v)) for at, v in enumerate(values, start=1)]


def test_held_averages() -> None:
    """The averages that the method is worked out with."""
    table = cpi.read_csv(cpi.HELD_FILE)
    Cpi.validate(table)
    held = dict(table.select("year", "cpi_u").iter_rows())
    assert {y: held[y] for y in (2014, 2018, 2019, 2021, 2022)} == {
        2014: 236.736,
        2018: 251.107,
        2019: 255.657,
        2021: 270.970,
        2022: 292.655,
    }
    assert list(held) == list(range(2014, 2024))
    assert table.drop_nulls("cpi_u_first_half").select("year", "cpi_u_first_half").rows() == [(2022, 288.347)]


def test_api_months(tmp_path: Path) -> None:
    """The published months of 2022 average to both figures: the year's, and the one the reference takes for it."""
    frame = cpi.read_json(put(tmp_path / "a.json", answer(months(2022, MONTHS_2022)[::-1])))
    Cpi.validate(frame)
    assert frame.rows() == [(2022, 292.655, 288.347)]


def test_api_stated_averages_come_first(tmp_path: Path) -> None:
    """A stated average (M13, S01) is taken; a year with a month short (shown as "-") has no row."""
    broken = [("2025", "M10", "-") if o[1] == "M10" else o for o in months(2025, MONTHS_2022)]
    stated = [("2023", "M13", "304.702"), ("2023", "S01", "302.408"), ("2023", "S02", "306.996")]
    frame = cpi.read_json(put(tmp_path / "a.json", answer([*broken, *stated, *months(2024, MONTHS_2022[:11])])))
    assert frame.rows() == [(2023, 304.702, 302.408)]


API_FAULTS = {
    "no json": ("{", "row 1: this is not JSON"),
    "a list": ("[]", "column status: the API did not answer the request"),
    "refused": (answer([], "REQUEST_NOT_PROCESSED"), "the API did not answer the request .*REQUEST_NOT_PROCESSED"),
    "no results": ('{"status": "REQUEST_SUCCEEDED"}', "the answer lacks Results"),
    "no data": (answer([]), "the answer holds no figures of series CUUR0000SA0"),
    "text": (answer([("2022", "M01", "high")]), "row 1, column value: not a number"),
    "negative": (answer([("2022", "M01", "-3")]), "column value: below"),
    "period": (answer([("2022", "Q01", "281")]), "column period: unknown period"),
    "twice": (answer([("2022", "M01", "281"), ("2022", "M01", "281")]), "row 2, column year, period: duplicate key"),
}


@pytest.mark.parametrize("fault", API_FAULTS)
def test_api_faults(tmp_path: Path, fault: str) -> None:
    text, message = API_FAULTS[fault]
    with pytest.raises(InputError, match=message):
        cpi.read_json(put(tmp_path / "CUUR0000SA0.json", text))


CSV_FAULTS = {
    "missing": ("year,cpi\n2022,1\n", "column cpi_u: the column is missing; the nearest is 'cpi'"),
    "text": ("year,cpi_u,cpi_u_first_half\n2022,high,\n", "row 2, column cpi_u: not a number"),
    "blank": ("year,cpi_u,cpi_u_first_half\n2022,,\n", "row 2, column cpi_u: not a number"),
    "zero": ("year,cpi_u,cpi_u_first_half\n2022,0,\n", "row 2, column cpi_u: below"),
    "twice": ("year,cpi_u,cpi_u_first_half\n2022,1,\n2022,1,\n", "row 3, column year: duplicate key"),
    "year": ("year,cpi_u,cpi_u_first_half\n22,1,\n", "row 2, column year: below 1913"),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_csv_faults(tmp_path: Path, fault: str) -> None:
    text, message = CSV_FAULTS[fault]
    with pytest.raises(InputError, match=message):
        cpi.read_csv(put(tmp_path / "cpi.csv", text))


def test_cpi_needs_no_file(tmp_path: Path) -> None:
    retrieval = FolderRetrieval(tmp_path, tmp_path)
    for year in cpi.DATA_YEARS:
        assert_frame_equal(cpi.build(year, retrieval), cpi.read_csv(cpi.HELD_FILE))
    assert {(f.vintage, f.how) for f in retrieval.used} == {("annual-averages", "part of the project")}
    with pytest.raises(InputError, match="there is no annual average of 2030"):
        cpi.build(2030, retrieval)


def test_cpi_answer_takes_precedence(tmp_path: Path) -> None:
    put(tmp_path / "cpi/bls-api/CUUR0000SA0.json", answer([("2023", "M13", "304.703"), ("2024", "M13", "313.689")]))
    retrieval = FolderRetrieval(tmp_path, tmp_path)
    table = cpi.build(2024, retrieval)
    Cpi.validate(table)
    assert table.filter(pl.col("year") >= 2022)["cpi_u"].to_list() == [292.655, 304.703, 313.689]
    assert retrieval.notes["cpi"] == {"vintage": "bls-api", "years": 11}
