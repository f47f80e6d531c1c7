"""The declarations of all predictors: complete, lawful, and the same columns, years and groups as published."""

from __future__ import annotations

import csv
import json
import re
import string
from pathlib import Path

import polars as pl
import pytest

from metrics.catalog import catalog
from metrics.predictor import PILLARS, Metric, Predictor, Series, complete
from schemas.labels import SAMPLES, SUBGROUPS

KEYS = {
    "rewarding_work": ["employment", "living_wage", "income", "financial_security", "housing_wealth"],
    "education": ["preschool", "public_education", "school_economic_diversity", "college", "digital_access"],
    "neighborhoods": [
        "housing_affordability",
        "homelessness",
        "economic_inclusion",
        "racial_diversity",
        "social_capital",
        "transportation",
    ],
    "health": ["health_access", "neonatal_health", "environment", "trauma"],
    "governance": ["political_participation", "descriptive_representation", "crime", "policing"],
}

# The subgroup type whose rows a group file holds; the overall files hold none.
GROUP_FILES = {
    "12": "race-ethnicity",
    "13": "race-share",
    "14": "income",
    "15": "age",
    "16": "gender",
    "17": "tenure",
    "18": "disability",
    "19": "industry",
    "20": "mothers-education",
    "62": "race-ethnicity",
    "63": "race-share",
    "64": "income",
    "65": "age",
    "66": "gender",
    "67": "tenure",
    "68": "disability",
}

ACS1 = "14-19 21-23"
ACS5 = "14 16 18 21 23"
# Predictor -> published file -> years with two digits (method file published_files.md, section 4).
YEARS = {
    "income": {"11": ACS1, "12": ACS5, "61": ACS1, "62": ACS5},
    "financial_security": {"11": "18 22 23", "13": "18 22 23", "61": "21", "63": "21"},
    "housing_wealth": {"11": ACS1, "15": ACS1, "61": ACS1, "65": ACS1},
    "employment": {"11": ACS1, "12": ACS5, "16": ACS5, "18": ACS5, "61": ACS1, "62": ACS5, "66": ACS5, "68": ACS5},
    "living_wage": {"11": "14 18 21-23", "19": "14 18 21-23"},
    "preschool": dict.fromkeys(("11", "12", "14", "61", "62", "64"), ACS5),
    "public_education": dict.fromkeys(("11", "12", "14", "16", "61", "62", "64", "66"), "14-18"),
    "school_economic_diversity": dict.fromkeys(("11", "61"), "14-21"),
    "college": dict.fromkeys(("11", "12", "16", "18", "61", "62", "66", "68"), ACS5),
    "digital_access": dict.fromkeys(("11", "12", "14", "61", "62", "64"), "18 21 23"),
    "housing_affordability": dict.fromkeys(("11", "17", "61", "67"), ACS1),
    "homelessness": {"11": "14-22", "12": "19-22", "61": "14-22", "62": "19-22"},
    "economic_inclusion": dict.fromkeys(("11", "12", "61", "62"), ACS5),
    "racial_diversity": dict.fromkeys(("11", "61"), "16 18 21 23"),
    "social_capital": dict.fromkeys(("11", "61"), "14-22"),
    "transportation": dict.fromkeys(("11", "13", "61", "63"), "15 19 22"),
    "environment": dict.fromkeys(("11", "13", "14", "61", "63", "64"), "14 18 19"),
    "health_access": {"11": "14-21"},
    "neonatal_health": dict.fromkeys(("11", "12", "20"), "16-23"),
    "trauma": {"11": "14-23", "12": "21-23"},
    "political_participation": dict.fromkeys(("11", "61"), "16 20"),
    "descriptive_representation": dict.fromkeys(("11", "61"), ACS5),
    "crime": dict.fromkeys(("11", "61"), "21-23"),
    "policing": dict.fromkeys(("11", "12", "15", "16", "61", "62", "65", "66"), "21-23"),
}
ALL_FILES = ("11", "61", *GROUP_FILES)
LEADING = {"year", "state", "county", "place", "state_name", "county_name", "place_name", "population"}
PLACEHOLDERS = {"year", "name", "value", "numerator", "denominator", "subgroup"}


def predictors() -> list[Predictor]:
    return [entry.predictor for entry in catalog().values()]


def level_of(file: str) -> str:
    return "county" if file.startswith(("1", "2")) else "place"


def series_in(predictor: Predictor, file: str) -> list[Series]:
    """The series whose figures stand in a published file."""
    kind = GROUP_FILES.get(file)
    here = [s for s in predictor.series if level_of(file) in s.levels]
    if kind is None:
        return [s for s in here if s.overall]
    return [s for s in here if kind in s.subgroups and kind not in s.long_only]


def years_of(text: str) -> set[int]:
    """'14-16 21' -> {2014, 2015, 2016, 2021}."""
    spans = [(part.split("-")[0], part.split("-")[-1]) for part in text.split()]
    return {2000 + year for first, last in spans for year in range(int(first), int(last) + 1)}


def columns_of(metric: Metric) -> set[str]:
    """The columns of a metric in the published files."""
    bounds = {f"{metric.column}_lb", f"{metric.column}_ub"} if metric.interval != "none" else set()
    return {metric.column, f"{metric.column}_quality"} | bounds


def test_the_catalog_holds_the_24_predictors_in_five_pillars():
    assert {pillar: len(keys) for pillar, keys in KEYS.items()} == dict(zip(PILLARS, (5, 5, 6, 4, 4), strict=True))
    found = {pillar: {p.key for p in predictors() if p.pillar == pillar} for pillar in PILLARS}
    assert found == {pillar: set(keys) for pillar, keys in KEYS.items()}


def test_years_by_file_are_those_of_the_published_files():
    declared = {
        (p.key, file): {y for s in series for y in s.years}
        for p in predictors()
        for file in ALL_FILES
        if (series := series_in(p, file))
    }
    expected = {(key, file): years_of(text) for key, files in YEARS.items() for file, text in files.items()}
    assert declared == expected


def test_no_column_belongs_to_two_metrics():
    columns = [c for p in predictors() for m in p.metrics for c in sorted(columns_of(m))]
    assert len(columns) == len(set(columns))


@pytest.mark.parametrize("predictor", predictors(), ids=lambda p: p.key)
class TestEachPredictor:
    def test_words_for_readers_are_there(self, predictor):
        texts = (predictor.title, predictor.definition, predictor.method, *predictor.notes)
        assert all(text.strip() == text and text for text in texts)
        assert predictor.definition.endswith(".")
        assert predictor.notes
        assert all(m.title and m.unit and m.sentence for m in predictor.metrics)
        assert len(set(predictor.notes)) == len(predictor.notes)

    def test_sentences_format(self, predictor):
        for metric in predictor.metrics:
            fields = {f for _, f, _, _ in string.Formatter().parse(metric.sentence) if f is not None}
            assert {"year", "name"} <= fields <= PLACEHOLDERS
            assert fields & {"value", "numerator"}
            text = metric.sentence.format(
                year=2021, name="Forsyth County", value=0.5, numerator=0.25, denominator=0.75, subgroup="All"
            )
            assert "2021" in text
            assert "Forsyth County" in text
            assert not re.search(r"[{}]|  ", text)
            assert text.endswith(".")
            if metric.text_format:
                assert metric.text_format.format(numerator=0.16, denominator=0.259) == "0.160:0.259"

    def test_labels_and_samples_are_lawful(self, predictor):
        for series in predictor.series:
            assert series.sample in SAMPLES
            assert series.tables
            assert series.levels
            assert list(series.years) == sorted(set(series.years))
            assert {m.column for m in predictor.metrics} >= set(series.metrics)
            for kind, labels in series.subgroups.items():
                assert set(labels) <= set(SUBGROUPS[kind])
                assert len(labels) == len(set(labels))

    def test_series_of_one_sample_agree_where_they_overlap(self, predictor):
        """An overall figure has one sample per level, year and metric, and so has a group file."""
        for year in predictor.years:
            for file in ALL_FILES:
                found: dict[str, set[str]] = {}
                for series in series_in(predictor, file):
                    if year in series.years:
                        for metric in predictor.metrics_of(series):
                            found.setdefault(metric.column, set()).add(series.sample)
                assert all(len(samples) == 1 for samples in found.values()), (year, file)

    def test_limits_make_sense(self, predictor):
        for metric in predictor.metrics:
            assert metric.minimum is not None
            assert metric.maximum is None or metric.minimum < metric.maximum
            if metric.unit == "share":
                assert (metric.minimum, metric.maximum) == (0.0, 1.0)

    def test_breaks_fall_inside_the_years(self, predictor):
        for year, text in predictor.breaks:
            assert year in predictor.years[1:]
            assert text.endswith(".")

    def test_an_owed_table_takes_just_its_own_cells(self, predictor):
        """Every table of every series is needed for at least one figure, and figures without it keep their reason."""
        spine = pl.DataFrame({"level": ["county", "place"], "state": ["01", "01"], "geo": ["001", "00001"]})
        nothing = pl.DataFrame(schema=dict.fromkeys(("level", "state", "geo", "metric", "sample"), pl.String))
        nothing = nothing.with_columns(pl.lit(None, dtype=pl.String).alias(c) for c in ("subgroup_type", "subgroup"))
        nothing = nothing.with_columns(pl.lit(None, dtype=pl.Float64).alias(c) for c in ("value", "lb", "ub"))
        for series in predictor.series:
            year = series.years[-1]
            for table in series.tables:
                rows = complete(nothing, predictor, year, spine, owed=frozenset({table}))
                users = [s for s in predictor.series if year in s.years and table in s.tables]
                owed = rows.filter(pl.col("reason") == "input owed")
                assert owed.height > 0
                assert set(owed["level"]) <= {level for s in users for level in s.levels}
                assert set(owed["metric"]) <= {m.column for s in users for m in predictor.metrics_of(s)}


def test_an_owed_table_of_a_subgroup_series_leaves_the_overall_figure():
    share = Metric("share_x", "Share of x", "share", maximum=1.0)
    predictor = Predictor(
        "x",
        "X",
        "education",
        "X.",
        (share,),
        (
            Series("edfacts", (2019,), ("counts",)),
            Series("edfacts", (2019,), ("counts", "groups"), subgroups={"gender": ("Male",)}, overall=False),
        ),
        (),
        "x.md",
    )
    spine = pl.DataFrame({"level": ["county"], "state": ["01"], "geo": ["001"]})
    computed = pl.DataFrame(
        schema=dict.fromkeys(
            ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample", "value"), pl.String
        )
    )
    rows = complete(computed, predictor, 2019, spine, owed=frozenset({"groups"}))
    assert dict(zip(rows["subgroup"], rows["reason"], strict=True)) == {
        "All": "area not covered by source",
        "Male": "input owed",
    }


def test_long_only_must_name_a_subgroup_type_of_the_series():
    with pytest.raises(ValueError, match="long_only"):
        Series("acs5", (2018,), ("acs5_persons",), long_only=("gender",))


@pytest.mark.parity
def test_columns_are_those_of_the_published_files(realcases: Path):
    files = json.loads((realcases / "published_files" / "expected" / "column_order.json").read_text())
    # The two subgroup columns are keys of the group files, and stray columns of file 61.
    published = {c for columns in files.values() for c in columns} - LEADING - {"subgroup", "subgroup_type"}
    declared = {c for p in predictors() for m in p.metrics if m.published for c in columns_of(m)}
    assert declared == published, f"{len(declared & published)} of {len(published)} columns are declared"


@pytest.mark.parity
def test_titles_sources_and_methods_are_those_of_the_method_files(shared: Path):
    text = (shared / "methods" / "sources.md").read_text()
    keys = {key for cell in re.findall(r"^\| ([a-z0-9_ /]+) \|", text, re.M) for key in cell.split(" / ")}
    keys.add("ct_tracts")  # the tract file beside ct_towns; described in tract_to_place.md, section 4
    section = (shared / "methods" / "published_files.md").read_text().split("\n## ")[4]
    titles = set(re.findall(r"^\| ([^|]+) \|", section, re.M))
    for predictor in predictors():
        assert predictor.sources
        assert set(predictor.sources) <= keys, predictor.key
        assert len(set(predictor.sources)) == len(predictor.sources)
        assert predictor.title in titles, predictor.key
        assert (shared / "methods" / predictor.method).is_file()


@pytest.mark.parity
def test_every_published_figure_is_declared_and_every_declared_one_was_published(realcases: Path):
    """Metric, year and subgroup of the files whose coverage is known (11, 13, 18, 61-68)."""
    path = realcases / "published_files" / "expected" / "coverage_nonmissing.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    files = {row["file"][:2] for row in rows}
    published = {
        (row["file"][:2], row["variable"], int(row["year"]), row["subgroup"] or "All")
        for row in rows
        if int(row["n_nonmissing"]) > 0
    }
    declared = {
        (file, metric.column, year, label)
        for p in predictors()
        for file in files
        for series in series_in(p, file)
        for metric in p.metrics_of(series)
        if metric.published
        for year in series.years
        for label in ("All", *(series.subgroups[GROUP_FILES[file]] if file in GROUP_FILES else ()))
    }
    assert declared == published, f"{len(declared & published)} of {len(declared | published)} agree"


@pytest.mark.parity
def test_published_values_keep_within_the_declared_limits(realcases: Path):
    """All values of the files at hand (11, 13, 18, 61-68); the home value ratios are text and are left out."""
    folder = realcases / "published_files" / "expected"
    tables = [pl.read_parquet(path) for path in sorted(folder.glob("reconstructed_*.parquet"))]
    tables += [pl.read_csv(path, null_values="NA", infer_schema=False) for path in sorted(folder.glob("6*.csv.gz"))]
    assert len(tables) == 11
    checked = 0
    for metric in (m for p in predictors() for m in p.metrics if m.published and m.text_format is None):
        for table in tables:
            if metric.column in table.columns:
                values = table[metric.column].cast(pl.Float64).drop_nulls()
                high = float("inf") if metric.maximum is None else metric.maximum
                outside = values.filter(~values.is_between(metric.minimum, high))
                assert outside.is_empty(), f"{metric.column}: {outside.len()} of {values.len()} values are outside"
                checked += values.len()
    assert checked > 1_000_000, f"only {checked} values were compared"
