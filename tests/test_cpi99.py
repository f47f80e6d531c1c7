"""Factors to 1999 dollars: what the reader takes and what it refuses, and that the income series does not use them."""

import polars as pl
import pytest

from metrics.catalog import catalog
from schemas.errors import InputError, OwedError
from schemas.wages import Cpi99
from sources import cpi99
from sources.framework import Retrieval
from sources.synthetic import cpi99 as synthetic
from sources.synthetic.world import World

PAGE = "year,cpi99\n2023,0.547\n2018,0.663\n2014,0.704\n1990,1.275\n"


@pytest.fixture
def read(tmp_path):
    def read(text: str) -> pl.DataFrame:
        file = tmp_path / "cpi99.csv"
        file.write_text(text)
        return cpi99.read(file)

    return read


def test_the_table_of_the_page(read):
    table = read(PAGE)
    Cpi99.validate(table, lazy=True)
    assert table.rows() == [(1990, 1.275), (2014, 0.704), (2018, 0.663), (2023, 0.547)]


BAD = {
    "no factor column": ("year,cpi99", "year,factor", "column is missing", None, "cpi99"),
    "year twice": ("2018,0.663", "2023,0.547", "duplicate key", 3, "year"),
    "factor missing": ("2018,0.663", "2018,", "not a number", 3, "cpi99"),
    "factor is text": ("2018,0.663", "2018,n/a", "not a number", 3, "cpi99"),
    "decimal comma": ("2018,0.663", '2018,"0,663"', "0,663", 3, "cpi99"),
    "zero": ("2018,0.663", "2018,0", "below 0.001", 3, "cpi99"),
    "year is no year": ("2018,0.663", "18,0.663", "below 1850", 3, "year"),
    "the error of 2015": ("2018,0.663", "2015,0.690", r"of 2015 is 0\.69, but .* is 0\.703", 3, "cpi99"),
    "years shifted by one, as in IPUMS CPS": ("2018,0.663", "2018,0.679", r"of 2018 is 0\.679", 3, "cpi99"),
    "no rows": (PAGE, "year,cpi99\n", "no rows", None, None),
    "empty": (PAGE, "", "empty", None, None),
    "web page": (PAGE, "<html><body>x</body></html>", "web page", None, None),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_list_is_refused(case, read):
    old, new, problem, row, column = BAD[case]
    with pytest.raises(InputError, match=problem) as error:
        read(PAGE.replace(old, new))
    assert (error.value.source, error.value.file) == ("cpi99", "cpi99.csv")
    assert (error.value.row, error.value.column) == (row, column)


def retrieval(tmp_path) -> Retrieval:
    return Retrieval(root=tmp_path, scratch=tmp_path / "s", offline=True)


def test_the_table_of_a_year(tmp_path):
    with pytest.raises(OwedError, match="header year,cpi99"):
        cpi99.build(2018, retrieval(tmp_path))
    folder = tmp_path / "raw" / "cpi99" / "current"
    folder.mkdir(parents=True)
    (folder / "cpi99.csv").write_text(PAGE)
    assert cpi99.build(2018, retrieval(tmp_path)).height == 4
    with pytest.raises(InputError, match="no factor of 2016"):
        cpi99.build(2016, retrieval(tmp_path))


def test_the_synthetic_list_is_read(tmp_path):
    synthetic.write(tmp_path, World(0))
    table = cpi99.read(tmp_path / "cpi99" / "current" / "cpi99.csv")
    assert set(cpi99.DATA_YEARS) <= set(table["year"])
    assert table.filter(year=2019)["cpi99"].to_list() == [0.652]


def test_incomes_are_in_dollars_of_their_year():
    """The method leaves the series nominal: no predictor takes the factors."""
    assert not [key for key, entry in catalog().items() if "cpi99" in entry.inputs]
