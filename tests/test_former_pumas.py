"""PUMAs of 2000: the interviews of 2010 and 2011 in the 2014 5-year file, with and without a table for them."""

from collections.abc import Callable

import polars as pl
import pytest
from acs_support import households, persons, row_of

from metrics.allocation import allocate
from metrics.catalog import catalog
from metrics.education import college, preschool
from metrics.explanation import Cell
from metrics.rewarding_work import employment, housing_wealth, income
from pipelines.derived import derived_tables
from pipelines.engine import gate_table
from schemas.errors import InputError
from schemas.geography import PumaGeographyModel
from sources import geocorr
from sources.framework import Retrieval, Scope

SPINE = pl.DataFrame({"level": ["county", "county", "place"], "state": ["44"] * 3, "geo": ["001", "003", "59000"]})


def _csv(puma: str, geo: str, *rows: tuple[str, str, int, str, str]) -> str:
    """A Geocorr file of Rhode Island: (PUMA, area, people, afact, afact2) under the engine's two header lines."""
    head = f'"state","{puma}","{geo}","pop10","afact","AFACT2"\n"State code","PUMA","area","Population","f","f"\n'
    return head + "".join(f'"44","{p}","{g}",{n},{a},{b} \n' for p, g, n, a, b in rows)


# In 2010 each county is a PUMA of its own; in 2000 one PUMA held the whole of 001 and a fifth of 003. The code 00100 is
# that of another area in 2010 than in 2000.
FILES = {
    "puma12-county14": _csv("puma12", "county14", ("00101", "44001", 800, "1", "1"), ("00100", "44003", 500, "1", "1")),
    "puma12-place10": _csv(
        "puma12",
        "placefp14",
        ("00101", "99999", 800, "1", ".7"),
        ("00100", "59000", 200, ".4", "1"),
        ("00100", "99999", 300, ".6", ".3"),
    ),
    "puma2k-county14": _csv(
        "puma2k",
        "county14",
        ("00100", "44001", 800, ".8889", "1"),
        ("00100", "44003", 100, ".1111", ".2"),
        ("00200", "44003", 400, "1", ".8"),
    ),
    "puma2k-place14": _csv(
        "puma2k",
        "placefp14",
        ("00100", "99999", 900, "1", ".8"),
        ("00200", "59000", 200, ".5", "1"),
        ("00200", "99999", 200, ".5", ".2"),
    ),
}
NEEDED = ("puma12-county14", "puma12-place10")
BOTH = tuple(FILES)


@pytest.fixture
def made(tmp_path):
    """(table `puma_allocation` of a year, notes of `puma_geography`) from the files of these vintages."""

    def make(
        vintages: tuple[str, ...], year: int = 2014, change: Callable[[str], str] = str
    ) -> tuple[pl.DataFrame, dict[str, object]]:
        root = tmp_path / change.__name__ / "-".join(vintages)
        for layout in (*geocorr.LAYOUTS, *geocorr.FORMER):
            if layout.vintage in vintages:
                folder = root / "raw" / "geocorr" / layout.vintage
                folder.mkdir(parents=True, exist_ok=True)
                text = FILES[layout.vintage]
                (folder / layout.file.name).write_text(change(text) if layout in geocorr.FORMER else text)
        r = Retrieval(root=root, scratch=tmp_path / "s", scope=Scope(("44",)), offline=True)
        geography = geocorr.build_puma_geography(year, r)
        PumaGeographyModel.validate(geography, lazy=True)
        derived = derived_tables()["puma_allocation"]
        allocation, _ = derived.compute(puma_geography=geography, spine=SPINE, year=year)
        gate_table(allocation, derived.model, derived.name, rows=True)
        return allocation, r.notes

    return make


def _file_of_2014(make, **changed):
    """60 interviews a year: in 2010 and 2011 in PUMA 00100 of 2000, later half of them in each PUMA of 2010."""
    old = [make(60, state="44", survey_year=y, puma="00100", puma_vintage=2000, **changed) for y in (2010, 2011)]
    new = [
        make(30, state="44", survey_year=y, puma=puma, puma_vintage=2010)
        for y in (2012, 2013, 2014)
        for puma in ("00101", "00100")
    ]
    return pl.concat([*old, *new]).lazy()


def _youths(n, **changed):
    return persons(n, **{"age": 20, **changed})


def test_without_the_table_the_interviews_are_left_out(made):
    allocation, notes = made(NEEDED)
    assert allocation["puma_vintage"].unique().to_list() == [2010]
    assert "owed" not in notes
    found = college.estimate(_file_of_2014(_youths, educd=50), allocation.lazy(), 2014)
    row = row_of(found, level="county", geo="001")
    assert (row["n"], row["n_effective"], row["value"], row["reference_period"]) == (90, 90.0, 1.0, "2012-2014")
    assert row["estimation_area"] == "puma2010-44-00101"


def test_with_the_table_they_count_in_the_areas_of_their_pumas(made):
    allocation, notes = made(BOTH)
    assert allocation["puma_vintage"].unique().sort().to_list() == [2000, 2010]
    assert "owed" not in notes
    records = _file_of_2014(_youths, educd=50)
    found = college.estimate(records, allocation.lazy(), 2014)
    row = row_of(found, level="county", geo="001")
    assert set(found["reference_period"]) == {"2010-2014"}
    # 90 of the county's own PUMA and .8889 of the 120 earlier ones, all without a degree.
    assert (row["n"], row["n_effective"]) == (210, 90 + 120 * 0.8889)
    frame = records.collect()
    new = frame.filter(pl.col("puma") == "00101")["perwt"].sum() * 10_000
    old = frame.filter(pl.col("puma_vintage") == 2000)["perwt"].sum() * 8_889
    assert row["value"] == new / (new + old)
    other = row_of(found, level="county", geo="003")
    assert (other["n"], other["n_effective"]) == (210, 90 + 120 * 0.1111)
    # The place lies in PUMA 00200 of 2000, where nobody was interviewed, and in 00100 of 2010.
    place = row_of(found, level="place", geo="59000")
    assert (place["n"], place["n_effective"], place["value"]) == (90, 36.0, 1.0)
    assert (row["estimation_area"], row["n_areas"]) == ("county-44001", 1)


def test_every_predictor_of_the_5_year_file_uses_the_table(made):
    allocation = made(BOTH)[0].lazy()
    people, homes = _file_of_2014(persons), _file_of_2014(households, hhincome=10_000)
    for found in (
        preschool.estimate(people.with_columns(pl.lit(3).alias("age")), allocation, 2014),
        income.estimate(None, homes, allocation, 2014),
    ):
        assert set(found["reference_period"]) == {"2010-2014"}
        assert set(found.filter(level="county", geo="001", subgroup="All")["n"]) == {210}


def test_the_quality_is_that_of_the_pumas_of_the_period(made):
    before, after = made(NEEDED)[0], made(BOTH)[0]
    key = ["level", "state", "geo", "sum_products", "quality", "quality_reference"]
    assert after.select(key).unique().sort(key).equals(before.select(key).unique().sort(key))
    assert after.filter(pl.col("puma_vintage") == 2010).equals(before)
    assert after.filter(geo="003")["n_pumas"].to_list() == [2, 2, 1]


def test_the_1_year_file_does_not_see_them(made):
    before, after = (made(v)[0].lazy() for v in (NEEDED, BOTH))
    people = persons(90, state="44", survey_year=2014, puma="00101", empstat=1).lazy()
    plain, beside = (employment.estimate(people, None, a, 2014) for a in (before, after))
    assert plain.equals(beside)
    assert row_of(beside, geo="001")["estimation_area"] == "puma2010-44-00101"
    homes = households(90, state="44", survey_year=2014, puma="00101", ownershp=1)
    homes = homes.with_columns(pl.lit(100_000, dtype=pl.Int64).alias("valueh")).lazy()
    plain, beside = (housing_wealth.estimate(homes, a, 2014) for a in (before, after))
    assert plain.equals(beside)


def test_the_account_names_both_vintages(made):
    allocation = made(BOTH)[0].lazy()
    records = _file_of_2014(_youths, educd=50)
    row = row_of(college.estimate(records, allocation, 2014), level="county", geo="001")
    cell = Cell(2014, "county", "44", "001", "all", "All", "share_hs_degree", "acs5")
    account = college.explain(cell, year=2014, acs5_persons=records, puma_allocation=allocation)
    assert account.recomputed == row["value"]
    assert account.inputs.select("puma", "puma_vintage", "records").rows() == [
        ("00100", 2000, 120),
        ("00101", 2010, 90),
    ]
    homes = _file_of_2014(households, hhincome=10_000)
    row = row_of(income.estimate(None, homes, allocation, 2014), level="county", geo="001", metric="pctl_income_50")
    cell = Cell(2014, "county", "44", "001", "all", "All", "pctl_income_50", "acs5")
    account = income.explain(cell, year=2014, acs1_households=None, acs5_households=homes, puma_allocation=allocation)
    assert account.recomputed == row["value"]


def test_one_table_alone_is_not_used_and_the_other_is_owed(made):
    allocation, notes = made((*NEEDED, "puma2k-county14"))
    assert allocation["puma_vintage"].unique().to_list() == [2010]
    (owed,) = notes["owed"]
    assert (owed["source"], owed["vintage"]) == ("geocorr", "puma2k-place14")
    assert "geocorr2014_puma_county_2000.csv is at hand; neither is used" in owed["recipe"]
    assert "geocorr2014.html" in owed["recipe"]


def test_columns_may_be_named_as_in_the_older_engine(made):
    def older(text: str) -> str:
        return text.replace("county14", "county").replace("placefp14", "placefp")

    assert made(BOTH, change=older)[0].equals(made(BOTH)[0])


def test_later_years_have_no_such_interviews(made):
    allocation, notes = made(BOTH, 2018)
    assert allocation["puma_vintage"].unique().to_list() == [2010]
    assert not [key for key in notes if "puma2k" in key]


def test_a_table_of_other_areas_is_refused(made):
    geography = pl.concat(
        [
            made(BOTH)[0].select("level", "state", "geo", "puma", "puma_vintage", "afact", "afact2"),
        ]
    ).with_columns(pl.lit(100.0).alias("population"))
    lacking = geography.filter(~((pl.col("puma_vintage") == 2000) & (pl.col("geo") == "59000")))
    counties, places = (lacking.filter(level=level) for level in ("county", "place"))
    with pytest.raises(InputError, match="place 44-59000 has no PUMAs of 2000"):
        allocate(counties, places, SPINE, 2014)


def test_the_register_says_so():
    entry = next(d for d in catalog()["college"].deviations if d.id == "college/pumas-of-2000")
    assert "2012 to 2014" in entry.ours
    assert "2010 to 2014" in entry.ours
