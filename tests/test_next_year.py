"""A new data year is a line of data: editions are added, and every predictor that has its sources gets the year."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from sample_build import mobility

from metrics.catalog import catalog
from metrics.growth import covers, with_new_years
from sources.framework import SourceFile, Vintage
from sources.framework.editions import FILE, Edition
from sources.registry import all_sources

HEADER = "source,vintage,like,data_years,find,replace,published,note\n"
LINES = """\
acs_pums_census,2024-1yr,2023-1yr,2024,,,,
acs_pums_census,2024-5yr,2023-5yr,2024,,,,
acs_tables,acs5-2024,acs5-2023,2024,,,,
airtoxscreen,2024,2019,2024,,,,
boundaries,2024,2020,2024,,,,
ahrf,2023-2024,2022-2023,2022,,,,
cbp,2023,2022,2023,,,,
ccd,2022,2021,2022,,,,
ccd,2023,2022,2023,,,,
cnt_ht,2024,2022,2024,,,,
cpi,bls-api-2024,bls-api,2024,endyear=2023,endyear=2024,,
cvap,2024,2020,2024,,,,
debt_in_america,2024,2023,2024,,,,
edfacts_homeless,2023,2022,2023,,,,
meps,2022,2021,2022,,,,
mit_elections,2000-2024,2000-2020,2024,datafile/6104822,datafile/1,,
mit_living_wage,2024-dollars,2023-dollars,2024,,,,
nibrs,1991-2024,1991-2023,2024,,,,
nibrs,2024,2023,2024,,,,
qcew,2024,2023,2024,,,2025-06,
vest_precincts,2024,2020,2024,ky_2024_vtd_estimates|datafile/4931788,ky_2024|datafile/2,,
wonder_deaths,2024,2023,2024,,,,
wonder_natality,2024,2023,2024,,,,
"""
EXPECTED = {
    2022: {"school_economic_diversity", "health_access"},
    2023: {"homelessness", "social_capital"},
    2024: {
        "employment", "living_wage", "income", "financial_security", "housing_wealth", "preschool", "college",
        "digital_access", "housing_affordability", "economic_inclusion", "racial_diversity", "neonatal_health",
        "trauma", "political_participation", "descriptive_representation", "crime", "policing", "transportation",
        "environment",
    },
}  # fmt: skip


# Predictors that no line can bring a new year, and why (docs/refresh.md).
TIED = {"public_education": "the method is tied to release 5.0"}
# Levels that come in editions of their own, of which the lines above name none.
LEVELS_APART = {"financial_security": {"place"}}
OLD_COUNTIES = {("health_access", 2022), ("school_economic_diversity", 2022), ("political_participation", 2024)}


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("editions") / "editions.csv"
    file.write_text(HEADER + LINES)
    return file


def python(*arguments: str, lines: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_")}
    environment = {**clean, "MOBILITY_EDITIONS": str(lines)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=900
    )


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
def test_the_next_year_flows_through_every_predictor_that_has_its_sources(sample_root, lines, tmp_path):
    script = Path(__file__).with_name("next_year.py")
    done = python(str(script), str(sample_root / "raw"), str(tmp_path / "data"), lines=lines)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for year, predictors in EXPECTED.items():
        found = told[str(year)]
        assert found["failed"] == {}
        assert found["owed"] == []
        assert set(found["values"]) == predictors
        assert all(found["values"].values()), found["values"]
    long = pl.scan_parquet(f"{told['folder']}/estimates.parquet")
    published = long.filter(pl.col("value").is_not_null()).select("predictor", "year", "level").unique().collect()
    found = {y: set(published.filter(pl.col("year") == y)["predictor"]) for y in EXPECTED}
    assert found == EXPECTED
    # Each level that a predictor has, it has in the new year, too.
    newest = {p: y for y, predictors in EXPECTED.items() for p in predictors}
    for predictor, year in newest.items():
        levels = published.filter(pl.col("predictor") == predictor, pl.col("year") == year)["level"]
        assert set(levels) == set(catalog()[predictor].predictor.levels) - LEVELS_APART.get(predictor, set()), predictor
    # Files of before the planning regions, a year or more later: the regions say what they lack.
    regions = long.filter(
        pl.col("level") == "county", pl.col("state") == "09", pl.col("geo") >= "110", pl.col("value").is_null()
    )
    named = regions.filter(pl.col("reason") == "source on old counties").select("predictor", "year").unique().collect()
    assert set(named.rows()) >= OLD_COUNTIES
    wide = pl.read_csv(f"{told['folder']}/csv/11_mobility-metrics_county_longitudinal.csv", infer_schema=False)
    counties = long.filter(pl.col("year") == 2024, pl.col("level") == "county").select("state", "geo").unique()
    assert wide.filter(pl.col("year") == "2024").height == counties.collect().height > 0


def test_every_predictor_has_a_new_year_by_lines_or_is_named():
    assert {p for predictors in EXPECTED.values() for p in predictors} | set(TIED) == set(catalog())
    for predictor, reason in TIED.items():
        tied = [all_sources()[s].tied for s in catalog()[predictor].predictor.sources]
        assert any(reason in t for t in tied)


def test_a_number_in_an_archive_is_not_that_of_the_next_file():
    source = all_sources()["vest_precincts"]
    pairs = (("datafile/4931788", "datafile/2"), ("ky_2024_vtd_estimates", "ky_2024"))
    line = Edition("vest_precincts", "2024", "2020", (2024,), pairs, None, "", "row 2")
    files = {f.name: f.url for f in line.made_from(source.vintage("2020")).files}
    assert files["tx_2024.zip"] == "https://dataverse.harvard.edu/api/access/datafile/2"
    assert files["ak_2024.zip"] is None, "owed by a person"
    assert {"ky_2024.zip", "nj_2024_vtd_estimates.zip"} <= set(files)


def test_a_year_between_two_others_is_a_line_too(tmp_path):
    """The assessment of 2020, whose census tables are declared for other uses only."""
    file = tmp_path / "editions.csv"
    file.write_text(HEADER + "acs_tables,acs5-2020,acs5-2023,2020,,,,\nairtoxscreen,2020,2019,2020,,,,\n")
    code = (
        "from pipelines.horizon import catalog; from metrics.catalog import catalog as c; "
        "print({k: sorted(set(e.predictor.years) - set(c()[k].predictor.years)) for k, e in catalog().items()})"
    )
    done = python("-c", code, lines=file)
    added = {k: years for k, years in ast.literal_eval(done.stdout).items() if years}
    assert added == {"environment": [2020]}, done.stderr


def test_without_lines_no_year_is_added():
    code = "from pipelines.horizon import catalog; from metrics.catalog import catalog as c; print(catalog() == c())"
    done = python("-c", code, lines=FILE)
    assert done.stdout.strip() == "True", done.stderr


def test_the_new_year_is_owed_and_listed_before_its_files_are_there(lines, tmp_path):
    settings = {"MOBILITY_EDITIONS": str(lines), "MOBILITY_PROFILE": "live", "MOBILITY_OFFLINE": "1"}
    done = mobility("sources", "--json", "--source", "qcew", data=tmp_path / "data", **settings)
    found = {r["vintage"]: r for r in json.loads(done.stdout)}
    assert found["2024"]["data_years"] == [2024]
    assert found["2024"]["status"] == "downloadable"
    assert "2024_all_county_high_level.zip" in found["2024"]["recipe"]


def test_a_line_follows_its_model_and_mends_what_the_agency_changed():
    file = SourceFile("cbp23co.zip", "zip", "https://x.example/2023/cbp23co.zip", ("cbp23co.txt",))
    line = Edition("cbp", "2025", "2023", (2025,), (("x.example/2025", "y.example/new"),), "2027-04", "", "row 2")
    made = line.made_from(Vintage("2023", (file,), (2023,)))
    assert made.key == "2025"
    assert made.files[0] == SourceFile("cbp25co.zip", "zip", "https://y.example/new/cbp25co.zip", ("cbp25co.txt",))
    assert made.data_years == (2025,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,vintage\n", "the columns must be"),
        (HEADER + "qcew,2024,2023,next year,,,,\n", "row 2: the line cannot be read"),
        (HEADER + "qcew,2024,2023,2024,a|b,c,,\n", "row 2: the line cannot be read"),
        (HEADER + "nobody,2024,2023,2024,,,,\n", "there is no source 'nobody'"),
        (HEADER + "qcew,2024,1900,2024,,,,\n", "qcew has no edition '1900' to be like"),
        (HEADER + "seda,6.0,5.0,2019,,,,\n", "no edition can be added to seda: the method is tied to release 5.0"),
    ],
)
def test_a_wrong_line_is_refused_by_row(tmp_path, text, message):
    file = tmp_path / "editions.csv"
    file.write_text(text)
    done = mobility("sources", data=tmp_path / "data", MOBILITY_EDITIONS=str(file), MOBILITY_PROFILE="live")
    assert done.returncode == 1
    assert message in done.stderr


def test_only_the_newest_series_of_a_kind_grows():
    entry = catalog()["trauma"]
    years = {t: frozenset(range(2014, 2026)) for t in entry.inputs}
    grown = with_new_years(entry, years, frozenset({2024}))
    assert [s.years[-1] for s in entry.predictor.series] == [2020, 2023]
    assert [s.years[-1] for s in grown.predictor.series] == [2020, 2024]
    lacking = years | {"injury_deaths_county": frozenset({2023})}
    assert with_new_years(entry, lacking, frozenset({2024})) is entry


def test_years_that_a_series_covers():
    assert covers((2014, 2016), 2016)
    assert covers((2014, 2016), 2017), "a new year"
    assert not covers((2014, 2016), 2015)
