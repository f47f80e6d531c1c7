"""A release as others open it: pandas, DuckDB, the descriptions for programs, the pages for people."""

import json
import re
import shutil
import subprocess
from csv import reader
from dataclasses import replace
from html.parser import HTMLParser

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from test_outputs_release import ENTRIES, META, SPINES, YEARS, _estimates

from metrics.catalog import catalog
from outputs import calibration
from outputs.about import InputFile, Lineage, OwedFile
from outputs.check import check_no_sources
from outputs.comparability import comparability
from outputs.croissant import CONFORMS_TO
from outputs.lineage import sources_table
from outputs.release import publish
from outputs.revisions import Summary
from outputs.rules.report import GateFailedError
from schemas.labels import REASONS

MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE_LIKE = re.compile(rf"\d+[-/]\d+([-/]\d+)?|\d+:\d+(:\d+)?|\d+[- ]?{MONTH}|{MONTH}[- ]?\d+", re.IGNORECASE)
"""What spreadsheets turn into a date or a time. A pair such as 0.136:0.256 stays text: hours have no decimals."""
CODES = {"state": str, "county": str, "place": str, "geoid": str, "area": str, "geo": str}
OWED = OwedFile("agency", "2022", "Fetch b.csv from the agency's page.", (2022,))
INPUTS = (
    InputFile(
        "agency", "2021", "a.csv", "00ff", url="https://agency.example/a.csv", retrieved_at="2026-01-02T03:04:05"
    ),
)
MADE = tuple(
    Lineage(key, year, "1", (("agency", "2021", "a.csv", "00ff"),)) for key in ("work", "homes") for year in YEARS
)
ABOUT = replace(META, inputs=INPUTS, lineage=MADE, owed=(OWED,))


def frames():
    return {"work": pl.concat([_estimates("work", y) for y in YEARS]).lazy(), "homes": _estimates("homes", 2021).lazy()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("readers")
    extras = [calibration.report(ENTRIES, None)]
    return root / publish(frames(), SPINES, root, ABOUT, entries=ENTRIES, extras=extras).name


# ---- readers --------------------------------------------------------------------------------------------------------


def test_pandas_reads_both_forms_alike_and_keeps_the_zeros(folder):
    for csv in sorted(folder.glob("csv/*.csv")):
        text = pd.read_csv(csv, dtype=CODES)
        typed = pd.read_parquet(folder / "parquet" / f"{csv.stem}.parquet")
        assert list(text.columns) == list(typed.columns)
        assert set(text["state"].str.len()) == {2}
        assert text.isna().equals(typed.isna())
        for name in typed.columns:
            if pd.api.types.is_float_dtype(typed[name]):
                assert (text[name].astype(float) - typed[name]).abs().fillna(0).max() < 1e-15


def test_the_long_file_in_all_its_forms(folder):
    whole = pd.read_parquet(folder / "estimates.parquet")
    years = pd.read_parquet(folder / "estimates")
    assert years.equals(whole)
    assert sorted(p.name for p in (folder / "estimates").iterdir()) == [f"{y}.parquet" for y in YEARS]
    for year in YEARS:
        part = pq.read_table(folder / f"estimates/{year}.parquet")
        assert part["year"].unique().to_pylist() == [year]
        assert part.schema.metadata[b"release"].decode() == folder.name
    text = pd.read_csv(folder / "estimates.csv.gz", dtype=CODES)
    assert text.shape == whole.shape
    with duckdb.connect() as db:
        (n,) = db.execute(f"select count(*) from read_parquet('{folder}/estimates/*.parquet')").fetchone()
        (m,) = db.execute(f"select count(*) from read_csv('{folder}/estimates.csv.gz', nullstr='NA')").fetchone()
    assert n == m == len(whole)


def test_csv_needs_no_guessing(folder):
    """What R's readr and spreadsheets rely on: UTF-8 without a mark, LF, as many cells in each row as in the header."""
    for csv in sorted(folder.rglob("*.csv")):
        data = csv.read_bytes()
        assert not data.startswith(b"\xef\xbb\xbf"), csv.name
        assert b"\r" not in data, csv.name
        assert data.endswith(b"\n"), csv.name
        text = pd.read_csv(csv, dtype=str, keep_default_na=False, on_bad_lines="error")
        assert not (text == "").any().any(), f"{csv.name}: a blank cell, which readers take for missing or for text"


# ---- descriptions for programs --------------------------------------------------------------------------------------


def test_the_data_package_keeps_the_rules_of_frictionless(folder):
    package = json.loads((folder / "datapackage.json").read_text())
    slug = re.compile(r"[-a-z0-9._/]+")
    assert slug.fullmatch(package["name"])
    names = [r["name"] for r in package["resources"]]
    assert len(names) == len(set(names)) > 10
    for resource in package["resources"]:
        assert slug.fullmatch(resource["name"])
        assert not resource["path"].startswith(("/", "."))
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", resource["hash"])
        fields = {f["name"]: f for f in resource["schema"]["fields"]}
        assert all({"name", "type"} <= set(f) for f in fields.values())
        assert set(resource["schema"].get("primaryKey", ())) <= set(fields)
        if resource["path"].endswith(".parquet"):
            assert resource["type"] == "file"
            assert list(fields) == pq.read_schema(folder / resource["path"]).names
            continue
        table = pd.read_csv(folder / resource["path"], dtype=str, keep_default_na=False)
        assert list(table.columns) == list(fields)
        if key := resource["schema"].get("primaryKey"):
            assert not table.duplicated(key).any()
        for name, declared in fields.items():
            cells = table[name][table[name] != "NA"]
            if declared["type"] == "integer":
                assert cells.str.fullmatch(r"-?\d+").all(), (resource["name"], name)
            elif declared["type"] == "number":
                numbers = cells.astype(float)
                limits = declared.get("constraints", {})
                assert (numbers >= limits.get("minimum", float("-inf"))).all()
                assert (numbers <= limits.get("maximum", float("inf"))).all()
            if "enum" in declared.get("constraints", {}):
                assert set(cells) <= set(declared["constraints"]["enum"])
    listed = {r["path"] for r in package["resources"]}
    assert {f"calibration/{table}.csv" for table in ("coterminous", "drift", "published")} <= listed
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".csv", ".gz", ".parquet")}
    assert {p for p in there if not p.startswith("estimates/")} == listed


def test_croissant_describes_every_table_and_file(folder):
    told = json.loads((folder / "croissant.json").read_text())
    assert (told["@type"], told["conformsTo"]) == ("sc:Dataset", CONFORMS_TO)
    assert told["description"].startswith("SYNTHETIC")
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    files = {f["@id"]: f for f in told["distribution"]}
    for path, described in files.items():
        assert described["sha256"] == sums[path]
        assert described["contentSize"] == f"{(folder / path).stat().st_size} B"
    data = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix in (".csv", ".gz", ".parquet")}
    assert data - set(files) == set()
    ids = [r["@id"] for r in told["recordSet"]]
    assert len(ids) == len(set(ids))
    for record_set in told["recordSet"]:
        columns = [f["source"]["extract"]["column"] for f in record_set["field"]]
        (path,) = {f["source"]["fileObject"]["@id"] for f in record_set["field"]}
        assert path in files
        there = pq.read_schema(folder / path).names if path.endswith(".parquet") else None
        assert columns == (there or list(pd.read_csv(folder / path, nrows=1).columns))
        assert {k["@id"] for k in record_set.get("key", ())} <= {f["@id"] for f in record_set["field"]}
        assert {f["dataType"] for f in record_set["field"]} <= {"sc:Integer", "sc:Float", "sc:Text"}


def test_sums_cover_everything(folder):
    listed = {line.split("  ", 1)[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there - listed == {"SHA256SUMS"}
    assert listed <= there


# ---- sources --------------------------------------------------------------------------------------------------------


def test_sources_are_told_with_their_terms(folder):
    row = pd.read_csv(folder / "sources.csv", dtype=str).iloc[0]
    assert (row["source"], row["file"], row["sha256"], row["licence"]) == ("agency", "a.csv", "00ff", "public domain")
    assert (row["redistribute"], row["predictors"], row["url"]) == (
        "yes",
        "homes; work",
        "https://agency.example/a.csv",
    )
    # Generated files have no day of their own; real ones do.
    assert pd.isna(row["retrieved"])
    assert sources_table(replace(ABOUT, synthetic=False))["retrieved"].to_list() == ["2026-01-02"]
    lineage = pd.read_csv(folder / "lineage.csv", dtype=str)
    assert len(lineage) == 4
    assert set(lineage["sha256"]) == {"00ff"}


@pytest.mark.parametrize("name", ["estimates_raw.csv", "a.csv"])
def test_a_source_file_never_enters_the_bundle(tmp_path, name):
    """Neither under its own name nor, byte for byte, under another."""
    import hashlib

    content = b"licensed"
    about = replace(ABOUT, inputs=(replace(INPUTS[0], sha256=hashlib.sha256(content).hexdigest()),))

    def smuggle(folder):
        (folder / name).write_bytes(content if name != "a.csv" else b"changed a little")

    with pytest.raises(GateFailedError, match=f"Q2.*{name} is a source file"):
        publish(frames(), SPINES, tmp_path, about, entries=ENTRIES, extras=[smuggle])
    assert list(tmp_path.iterdir()) == []


# ---- pages ----------------------------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """Rows of the tables of a page, and tags that were opened and not closed."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag in ("table", "tr", "td", "th", "ul", "li", "p", "h1", "h2", "h3"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_dictionary_page_tells_every_column_of_every_file(folder):
    page = (folder / "data_dictionary.html").read_text()
    cells = Cells(page)
    assert cells.open == []
    assert "SYNTHETIC" in page
    first = {row[0] for row in cells.rows if row}
    for csv in folder.rglob("*.csv"):
        if csv.parent.name == "calibration":  # its own page does
            told = (csv.parent / "calibration.md").read_text()
            assert all(f"| `{column}` |" in told for column in pd.read_csv(csv, nrows=1).columns), csv.name
            continue
        assert f"<h3>{csv.stem}</h3>" in page
        assert set(pd.read_csv(csv, nrows=1).columns) <= first, csv.name
    for reason, words in REASONS.items():
        assert [reason, words] in cells.rows
    assert ["Agency: Data set", "", "public domain"] in cells.rows
    work = next(row for row in cells.rows if row[0] == "share_employed" and len(row) == 5)
    assert work[-1] == "2018, 2021"


def test_the_notes_say_what_a_reader_must_know(folder):
    notes = (folder / "RELEASE_NOTES.md").read_text()
    assert "Covers a part of the nation: 2 counties and 1 city (2021) of State." in notes
    for part in ("SYNTHETIC", "What is new", "Inputs owed", "Revisions", "Checks", "do not compare"):
        assert part in notes
    assert "- agency 2022, for 2022: Fetch b.csv from the agency's page." in notes
    assert re.search(r"\| Work \| share_employed \| 2018, 2021 \|", notes)
    assert re.search(r"Rules of the release gate: \d+ passed, 0 failed", notes)
    assert "first release" in Summary(None, "x").as_text()


def test_the_first_page_names_every_file_and_its_queries_run(folder):
    page = (folder / "README.md").read_text()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder).as_posix()
        relative = "calibration/" if relative.startswith("calibration/") else relative
        if path.is_file() and not relative.startswith("estimates/") and relative != "README.md":
            assert f"`{relative}`" in page, relative
    queries = re.findall(r"^    (select .*?;)$", page[page.index("## Queries") :], flags=re.M)
    assert len(queries) == 5
    with duckdb.connect(folder / "mobility.duckdb", read_only=True) as db:
        for query in queries:
            db.execute(query)


def _pieces(page, heading):
    """The indented pieces of code under a heading of the first page, run together."""
    text = re.search(rf"^### {heading}\n(.*?)(?=^##)", page, flags=re.M | re.S)[1]
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") or not line)


@pytest.fixture
def page(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return (folder / "README.md").read_text()


@pytest.mark.parametrize("program", ["pandas", "polars"])
def test_the_python_examples_of_the_first_page_run(page, program):
    names = {}
    exec(_pieces(page, program), names)
    rows = names["rows"]
    assert len(rows) == 12  # two years: everyone from one sample; everyone and four groups from the other
    assert set(rows["geoid"]) == {"01001"}
    assert set(rows["metric"]) == {"share_employed"}
    if program == "pandas":
        assert set(names["wide"]["county"].str.len()) == {3}


def test_the_duckdb_examples_of_the_first_page_run(page):
    statements = [s for s in _pieces(page, "DuckDB").split(";") if s.strip()]
    with duckdb.connect() as db:
        parquet, text = (db.sql(s).pl() for s in statements)
    key = ["year", "sample", "subgroup"]
    assert parquet.height == text.height == 12
    assert parquet.sort(key)["value"].to_list() == text.sort(key)["value"].to_list()


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")
def test_the_r_example_of_the_first_page_runs(page):
    base, readr = _pieces(page, "R").split("library(readr)")
    assert "read_csv" in readr
    told = base + 'cat(nrow(rows), class(rows$share_employed), unique(nchar(wide$state)), sep = " ")'
    done = subprocess.run(["Rscript", "--vanilla", "-e", told], capture_output=True, text=True, check=True)
    assert done.stdout == "2 numeric 2"


def test_a_spreadsheet_takes_no_cell_for_something_else(folder):
    """No formula, no date and no line break in a cell; what looks like a number is one, or a code read as text."""
    for csv in sorted(folder.rglob("*.csv")):
        with csv.open(newline="", encoding="utf-8") as file:
            head, *rows = list(reader(file, dialect="excel"))
        assert {len(row) for row in rows} <= {len(head)}, csv.name
        for column, cells in zip(head, zip(*rows, strict=True), strict=False):
            for cell in set(cells):
                assert "\n" not in cell, (csv.name, column)
                assert not re.match(r"[=+@]|-(?![\d.])", cell), (csv.name, column, cell)
                if column != "expires":
                    assert not DATE_LIKE.fullmatch(cell), (csv.name, column, cell)
                assert not re.fullmatch(r"0\d+", cell) or column in CODES or column == "states", (csv.name, column)


# ---- queries --------------------------------------------------------------------------------------------------------


@pytest.fixture
def db(folder):
    with duckdb.connect(folder / "mobility.duckdb", read_only=True) as opened:
        yield opened


def test_every_view_table_and_column_has_a_comment(db):
    bare = db.execute(
        "select view_name from duckdb_views() where not internal and comment is null"
        " union all select table_name from duckdb_tables() where comment is null"
    ).fetchall()
    assert bare == []
    columns = db.execute(
        "select table_name, column_name from duckdb_columns() where not internal and comment is null and table_name not"
        " in ('metrics', 'geographies', 'release', 'missing', 'overall_figures', 'overall_series')"
    ).fetchall()
    assert columns == []


def test_a_place_profile(db):
    """Each metric once, the latest year with a value, from the sample of the overall file, beside both medians."""
    rows = db.sql("select * from place_profile('01001')").pl()
    assert rows["metric"].to_list() == ["share_employed", "ratio_white_nh_house_value_households"]
    work = rows.row(0, named=True)
    assert (work["year"], work["sample"], work["name"]) == (2021, "acs1", "Autauga County")
    own = db.execute(
        "select value, lb, ub, quality_label from estimates where geoid = '01001' and metric = 'share_employed'"
        " and year = 2021 and sample = 'acs1' and subgroup = 'All'"
    ).fetchone()
    assert (work["value"], work["lb"], work["ub"], work["quality"]) == own
    national, state = (
        db.execute(
            f"select median from medians where year = 2021 and level = 'county' and metric = 'share_employed'"
            f" and area = '{area}'"
        ).fetchone()[0]
        for area in ("US", "01")
    )
    assert (work["national_median"], work["state_median"]) == (national, state)
    assert db.execute("select count(*) from place_profile('99999')").fetchone() == (0,)


def test_a_profile_falls_back_to_the_latest_year_with_a_value_and_else_says_why_not(tmp_path):
    lost = (pl.col("year") == 2021) & (pl.col("geo") == "001") & (pl.col("metric") == "share_employed")
    never = (pl.col("geo") == "07000") & (pl.col("metric") == "share_employed")
    gone = lost | never
    work = frames()["work"].with_columns(
        *(pl.when(~gone).then(pl.col(c)).alias(c) for c in ("value", "lb", "ub", "quality")),
        pl.when(gone).then(pl.lit("group not present")).otherwise("reason").alias("reason"),
    )
    report = publish({**frames(), "work": work}, SPINES, tmp_path, ABOUT, entries=ENTRIES)
    with duckdb.connect(tmp_path / report.name / "mobility.duckdb", read_only=True) as db:
        ask = "select year, value is null, reason from place_profile('{}') where metric = 'share_employed'"
        assert db.sql(ask.format("01001")).fetchall() == [(2018, False, None)]
        assert db.sql(ask.format("0107000")).fetchall() == [(2021, True, REASONS["group not present"])]
        trend = db.sql("select year, value is null from place_trend('01001', 'share_employed')").fetchall()
        assert trend == [(2018, False), (2021, True)]


def test_places_are_compared_and_peers_found(db):
    both = db.sql("select year, geoid from compare_places(['0107000', '01001'], 'share_employed')").fetchall()
    assert both == [(2018, "0107000"), (2018, "01001"), (2021, "0107000"), (2021, "01001")]
    # The other county has no known population and is nobody's peer; a city is not a county's peer.
    assert db.sql("select geoid from peers('01001', 5)").fetchall() == []


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
class TestSample:
    """The sample release: every predictor at once."""

    @pytest.fixture
    def release(self, sample_root):
        return sample_root / "published" / (sample_root / "published" / "LATEST").read_text().strip()

    def test_peers_trend_and_breaks(self, release):
        with duckdb.connect(release / "mobility.duckdb", read_only=True) as db:
            peers = db.sql("select geoid, population_ratio from peers('37067', 4)").fetchall()
            assert len(peers) == 4
            gaps = [abs(1 - ratio) if ratio > 1 else abs(1 - 1 / ratio) for _, ratio in peers]
            assert gaps == sorted(gaps)
            ask = "select year, break_before from place_trend('{}', 'share_employed') where break_before is not null"
            ((year, text),) = db.sql(ask.format("37067")).fetchall()
            assert year == 2022
            assert "2020 census" in text
            assert "Connecticut" not in text
            ((_, text),) = db.sql(ask.format("09110")).fetchall()
            assert "Connecticut" in text
            profile = db.sql("select metric, value, reason from place_profile('37067')").pl()
            published = {
                m.column
                for e in catalog().values()
                for m in e.predictor.metrics
                if m.published and any(s.overall and "county" in s.levels for s in e.predictor.series)
            }
            assert set(profile["metric"]) == published
            assert profile.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()

    def test_the_long_file_tells_all_it_can(self, release):
        """Columns that each predictor fills wherever it has a value; period, area and reason are filled by all."""
        long = pl.read_parquet(release / "estimates.parquet")
        everywhere = ["estimation_area", "n_areas", "reference_period", "unit", "quality_label"]
        survey = ["n", "n_effective", "numerator", "denominator", "allocation"]
        ratios = ["economic_inclusion", "racial_diversity", "health_access", "school_economic_diversity"]
        ratios += ["transportation"]
        precise = [*survey, "se", "cv", "lb", "ub"]
        filled = {
            "employment": precise, "college": precise, "preschool": precise, "digital_access": survey,
            "housing_affordability": survey, "crime": ["n", "n_effective", "numerator", "denominator"],
            "policing": ["n", "n_effective", "numerator", "denominator"],
            "neonatal_health": ["n", "se", "cv", "numerator", "denominator"],
            "trauma": ["n", "lb", "ub", "numerator", "denominator"],
            "descriptive_representation": ["se", "numerator", "denominator"],
            "environment": ["n", "denominator"], "public_education": ["n", "lb", "ub"],
            "income": ["n", "n_effective", "allocation"],
            **{key: ["n", "numerator", "denominator"] for key in ratios},
            "political_participation": ["cv", "numerator", "denominator"], "homelessness": ["n"],
            "living_wage": ["n", "numerator"],
            "housing_wealth": ["n", "n_effective", "numerator", "denominator", "allocation"],
        }  # fmt: skip
        there = long.filter(pl.col("value").is_not_null() & ~pl.col("metric").str.contains("coverage"))
        for (key,), rows in there.group_by("predictor"):
            for column in [*everywhere, *filled.get(str(key), [])]:
                assert rows[column].null_count() == 0, f"{key}: {column} is missing beside a value"
        # The living wage itself may not be passed on under the terms of its source.
        assert there.filter(pl.col("predictor") == "living_wage")["denominator"].is_null().all()
        assert long.filter(pl.col("value").is_null() | (pl.col("quality") > 1))["reason_text"].null_count() == 0
        shared = long.filter(pl.col("n_areas") > 1).group_by(
            "year", "metric", "sample", "subgroup_type", "subgroup", "level", "estimation_area"
        )
        assert shared.agg(pl.col("value").drop_nulls().n_unique()).filter(pl.col("value") > 1).is_empty()

    def test_breaks_and_notes_cover_all_predictors(self, release):
        table = pl.read_csv(release / "comparability.csv", infer_schema=False, null_values=["NA"])
        assert set(table["metric"]) == set(comparability(catalog())["metric"])
        sources = pl.read_csv(release / "sources.csv", infer_schema=False, null_values=["NA"])
        assert sources["sha256"].str.contains(r"^[0-9a-f]{64}$").all()
        for column in ("agency", "dataset", "citation", "licence", "predictors"):
            assert sources[column].null_count() == 0, column
        lineage = pl.read_csv(release / "lineage.csv", infer_schema=False, null_values=["NA"])
        assert set(lineage["predictor"]) == set(catalog())
        assert lineage["file"].null_count() == 0

    def test_no_source_file_is_in_it(self, release):
        manifest = json.loads((release / "release.json").read_text())
        inputs = tuple(InputFile(i["source"], i["vintage"], i["file"], i["sha256"]) for i in manifest["inputs"])
        assert len(inputs) > 50
        assert check_no_sources(release, replace(ABOUT, inputs=inputs)) == []
