"""Strict reading: each fault of a text file is refused with source, file, row and column."""

import gzip

import polars as pl
import pytest

from schemas.errors import InputError
from sources.framework.strict import Raw

GOOD = "state,county,wage\n01,001,12.5\n02,013,13\n"


def read(tmp_path, text, name="wages.csv", encoding="utf-8"):
    path = tmp_path / name
    data = text if isinstance(text, bytes) else text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return (
        Raw.csv(path, source="mit")
        .select(["state", "county", "wage"])
        .code("state", width=2)
        .code("county", width=3)
        .number("wage", minimum=0)
        .unique("state", "county")
        .done()
    )


def test_good_file_plain_and_gzip(tmp_path):
    for name in ("wages.csv", "wages.csv.gz"):
        frame = read(tmp_path, GOOD, name)
        assert frame["wage"].to_list() == [12.5, 13.0]
        assert frame["state"].to_list() == ["01", "02"]
        assert frame.schema["wage"] == pl.Float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("state,county,wage\n", "no rows"),
        ("<!DOCTYPE html><html></html>", "web page"),
        (GOOD.replace("wage", "Wages"), "column wage: the column is missing; the nearest is 'wages'"),
        (GOOD.replace("01,001", "1,001"), r"row 2, column state.*leading zeros"),
        (GOOD.replace("02,013", "02,0133"), r"row 3, column county.*3 digits"),
        (GOOD.replace("12.5", "n/a"), r"row 2, column wage: not a number \(found 'n/a'\)"),
        (GOOD.replace("12.5", '"1,200"'), r"row 2, column wage: thousands comma"),
        (GOOD.replace("13\n", "-13\n"), r"row 3, column wage: negative"),
        (GOOD.replace("12.5", "inf"), r"row 2, column wage: not a finite"),
        (GOOD + "01,001,9\n", r"row 4, column state, county: duplicate key"),
        (GOOD + "03,001\n", r"row 4, column wage: not a number \(found ''\)"),
        (GOOD.encode() + b"03,\xf1,1\n", r"row 4.*not utf-8"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert "source mit, file wages.csv" in str(caught.value)


def test_truncated_gzip(tmp_path):
    path = tmp_path / "wages.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 100)[:-20])
    with pytest.raises(InputError, match=r"file wages\.csv\.gz: the gzip is damaged or truncated"):
        Raw.csv(path, source="mit")


def test_thousands_are_read_where_the_source_writes_them(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('n\n"1,040"\n7\n')
    assert Raw.csv(path, source="s").number("n", pl.Int64, thousands=True).done()["n"].to_list() == [1040, 7]
