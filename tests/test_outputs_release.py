"""A release: whole or not at all, the same bytes for the same inputs, checked against what it was made from."""

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from upath import UPath

from metrics.predictor import Entry, Metric, Predictor, Series, complete, expected_keys
from outputs.about import InputFile, ReleaseMeta, SourceNote
from outputs.check import check_dictionary
from outputs.database import content_hashes
from outputs.deliver import latest_release as latest
from outputs.deliver import verify_sums
from outputs.dictionary import PUBLISHED
from outputs.files import FILES, columns
from outputs.long import LONG
from outputs.release import GateFacts, ReleaseError, publish
from outputs.revisions import REVISIONS
from outputs.rules.register import RELEASE_RULES
from outputs.rules.report import GateFailedError, GateReport
from schemas.estimate import KEY, empty, gate
from schemas.labels import DISABILITY, GENDER, RACE_SHARE

YEARS = (2018, 2021)
TEXT = "{numerator:.3f}:{denominator:.3f}"


def _entry(key: str, metrics: tuple[Metric, ...], series: tuple[Series, ...], *, built: bool = True) -> Entry:
    predictor = Predictor(key, key.title(), "health", f"What {key} is.", metrics, series, ("agency",), f"{key}.md")
    return Entry(predictor, empty if built else None, None)


ENTRIES = {
    "work": _entry(
        "work",
        (Metric("share_employed", "Share at work", "share", maximum=1.0, interval="sampling"),),
        (
            Series("acs1", YEARS, ()),
            Series("acs5", YEARS, (), subgroups={"gender": GENDER, "disability": DISABILITY}, overall=False),
        ),
    ),
    "homes": _entry(
        "homes",
        (
            Metric("ratio_white_nh_house_value_households", "Home values to households", "ratio", text_format=TEXT),
            Metric("hidden", "A helper figure", "count", published=False),
        ),
        (Series("acs1", (2021,), (), subgroups={"race-share": RACE_SHARE}),),
    ),
    "later": _entry(
        "later", (Metric("rate_later", "Rate", "rate"),), (Series("wonder", YEARS, (), subgroups={"gender": GENDER}),),
        built=False,
    ),
}  # fmt: skip
PLACES = [
    ("county", "01", "001", "Autauga County"),
    ("county", "35", "013", "Doña Ana County"),
    ("place", "01", "07000", "B"),
]


def _spine(year: int) -> pl.DataFrame:
    places = PLACES if year > 2018 else PLACES[:1] + PLACES[2:]
    rows = [
        (level, state, geo, name, "State", None if geo == "013" else 1000 + year) for level, state, geo, name in places
    ]
    return pl.DataFrame(
        rows, schema=["level", "state", "geo", "name", "state_name", "population"], orient="row",
        schema_overrides={"population": pl.Int64},
    )  # fmt: skip


SPINES = {year: _spine(year) for year in YEARS}


def _estimates(key: str, year: int) -> pl.DataFrame:
    """Lawful estimates: a figure for most cells, and one missing cell per predictor and year."""
    predictor = ENTRIES[key].predictor
    keys = expected_keys(predictor, year, SPINES[year]).with_row_index("i")
    share = (pl.col("i") * 0.037 + 0.0001).mod(1.0)
    bounded = pl.col("metric") == "share_employed"
    rows = keys.filter(pl.col("i") != 1).select(
        *KEY,
        share.alias("value"),
        pl.when(bounded).then(share * 0.5).alias("lb"),
        pl.when(bounded).then(share * 0.5 + 0.5).alias("ub"),
        (pl.col("i") % 3 + 1).alias("quality"),
        share.alias("numerator"),
        pl.lit(0.1235).alias("denominator"),
    )
    frame = complete(rows, predictor, year, SPINES[year])
    return gate(frame, name=key, expected_keys=expected_keys(predictor, year, SPINES[year]), limits=predictor.limits())


@pytest.fixture(scope="module")
def estimates(tmp_path_factory):
    """Parquet files per predictor, as the pipeline keeps them."""
    folder = tmp_path_factory.mktemp("estimates")
    files = {}
    for key, years in (("work", YEARS), ("homes", (2021,))):
        files[key] = []
        for year in years:
            path = folder / key / f"{year}.parquet"
            path.parent.mkdir(exist_ok=True)
            _estimates(key, year).write_parquet(path)
            files[key].append(path)
    return files


META = ReleaseMeta(
    profile="sample",
    code_version="1.0",
    synthetic=True,
    inputs=(InputFile("agency", "2021", "a.csv", "00ff", "public domain"),),
    sources={"agency": SourceNote("agency", "Agency", "Data set", licence="public domain")},
)
LAYOUTS = ("clean", "reference")


@pytest.fixture(scope="module")
def release(estimates, tmp_path_factory):
    """A published release: its report and its folder."""
    root = tmp_path_factory.mktemp("published")
    report = publish(estimates, SPINES, root, META, entries=ENTRIES, layouts=LAYOUTS)
    return report, root / report.name


def test_what_is_in_a_release(release):
    report, folder = release
    assert report.name.startswith("SYNTHETIC-")
    assert latest(folder.parent) == report.name
    assert (folder.parent / "LATEST").read_text() == f"{report.name}\n"
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    stems = [f.stem for f in FILES if f.number in (11, 13, 16, 18, 61, 63, 66, 68)]
    wide = {f"{form}/{stem}.{form}" for stem in stems for form in ("csv", "parquet")}
    tables = {"estimates.parquet", "estimates.csv.gz", "data_dictionary.csv", "suppressions.csv"}
    tables |= {f"estimates/{year}.parquet" for year in YEARS}
    tables |= {f"{name}.csv" for name in ("medians", "comparability", "sources", "lineage")}
    tables |= {"medians.parquet", "revisions.csv.gz", "revisions.parquet", "revisions.json"}
    tables |= {f"{level}_medians_year_suppressed.csv" for level in ("county", "place")}
    papers = {"datapackage.json", "croissant.json", "mobility.duckdb", "release.json", "SHA256SUMS"}
    papers |= {"gate_report.json", "gate_report.md", "README.md", "RELEASE_NOTES.md", "data_dictionary.html"}
    assert {p for p in there if not p.startswith("reference/")} == wide | tables | papers
    assert sorted(p.name for p in folder.parent.iterdir()) == ["LATEST", report.name]
    assert verify_sums(folder) == []
    assert folder.stat().st_mode & 0o055 == 0o055


def test_a_changed_missing_or_added_file_breaks_the_sums(release, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(release[1], copy)
    (copy / "suppressions.csv").write_text("x")
    (copy / "estimates.csv.gz").unlink()
    (copy / "new.txt").write_text("x")
    assert verify_sums(copy) == ["estimates.csv.gz is missing", "new.txt is not listed", "suppressions.csv has changed"]


def test_wide_rows_columns_and_cells(release):
    _, folder = release
    gender = pl.read_csv(
        folder / "csv/16_mobility-metrics_county_gender_longitudinal.csv", infer_schema=False, null_values=["NA"]
    )
    assert gender.columns[:7] == ["year", "state", "county", "state_name", "county_name", "subgroup_type", "subgroup"]
    assert gender["subgroup"].to_list() == ["All", "Male", "Female"] * 3
    assert gender["year"].to_list() == ["2018"] * 3 + ["2021"] * 6
    work = pl.concat([_estimates("work", year) for year in YEARS]).filter(pl.col("sample") == "acs5")
    for row in gender.iter_rows(named=True):
        same = work.filter(
            (pl.col("year") == int(row["year"]))
            & (pl.col("geo") == row["county"])
            & (pl.col("subgroup") == row["subgroup"])
        ).row(0, named=True)
        for part in ("value", "lb", "ub"):
            text = row["share_employed" if part == "value" else f"share_employed_{part}"]
            assert same[part] == (None if text is None else float(text))
        assert row["share_employed_quality"] == {None: None, 1: "Strong", 2: "Marginal", 3: "Weak"}[same["quality"]]


def test_overall_file_takes_its_own_series_and_keeps_only_years_with_values(release):
    _, folder = release
    overall = pl.read_parquet(folder / "parquet/11_mobility-metrics_county_longitudinal.parquet")
    assert overall.schema["population"] == pl.Int64
    assert overall["population"].to_list() == [3018, 3021, None]
    share, ratio = "share_employed", "ratio_white_nh_house_value_households"
    assert overall.columns[6:] == [ratio, f"{ratio}_quality", share, f"{share}_lb", f"{share}_ub", f"{share}_quality"]
    acs1 = _estimates("work", 2021).filter((pl.col("sample") == "acs1") & (pl.col("level") == "county"))
    assert overall.filter(pl.col("year") == 2021)["share_employed"].to_list() == acs1.sort("state")["value"].to_list()
    shares = pl.read_parquet(folder / "parquet/13_mobility-metrics_county_race-share_longitudinal.parquet")
    assert shares["year"].unique().to_list() == [2021]
    assert shares["subgroup_type"].unique().sort().to_list() == ["all", "race-ethnicity"]


def test_text_is_made_from_numerator_and_denominator(release):
    _, folder = release
    overall = pl.read_parquet(folder / "parquet/61_mobility-metrics_place_longitudinal.parquet")
    homes = _estimates("homes", 2021).filter((pl.col("level") == "place") & (pl.col("subgroup") == "All"))
    numerator = homes.filter(pl.col("metric") == "ratio_white_nh_house_value_households")["numerator"].item()
    # 0.1235 is a hair below in binary, so it rounds down, as C's and R's printf do.
    assert overall.filter(pl.col("year") == 2021)["ratio_white_nh_house_value_households"].to_list() == [
        f"{numerator:.3f}:0.123"
    ]
    assert "hidden" not in overall.columns


def test_both_forms_and_metadata(release):
    report, folder = release
    for parquet in sorted(folder.rglob("parquet/*.parquet")):
        metadata = pl.read_parquet_metadata(parquet)
        assert (metadata["release"], metadata["synthetic"]) == (report.name, "true")
        assert metadata["notice"].startswith("SYNTHETIC")
        csv = parquet.parent.parent / "csv" / f"{parquet.stem}.csv"
        typed = pl.read_parquet(parquet)
        text = pl.read_csv(csv, infer_schema=False, null_values=["NA"])
        assert text.select(pl.col(c).cast(t) for c, t in typed.schema.items()).equals(typed)
        assert csv.read_bytes().isascii() is ("Doña".encode() not in csv.read_bytes())


def test_long_files(release):
    _, folder = release
    long = pl.read_parquet(folder / "estimates.parquet")
    assert dict(long.schema) == {c: t() for c, t in LONG.items()}
    total = sum(_estimates(k, y).height for k, ys in (("work", YEARS), ("homes", (2021,))) for y in ys)
    assert long.height == total
    assert long.equals(long.sort(KEY))
    assert long.filter(pl.col("value").is_null())["reason_text"].null_count() == 0
    assert long.filter(pl.col("geo") == "013").select("geoid", "name", "pillar", "predictor", "unit").row(0) == (
        "35013", "Doña Ana County", "Healthy Environment & Access to Good Health Care", "homes", "count",
    )  # fmt: skip
    assert "hidden" in long["metric"].to_list()
    text = pl.read_csv(
        gzip.decompress((folder / "estimates.csv.gz").read_bytes()), infer_schema=False, null_values=["NA"]
    )
    assert text.select(pl.col(c).cast(t) for c, t in long.schema.items()).equals(long)
    assert pl.read_parquet_metadata(folder / "estimates.parquet")["synthetic"] == "true"


def test_every_column_is_documented_and_every_documented_column_exists(release):
    _, folder = release
    table = pl.read_csv(folder / "data_dictionary.csv", infer_schema=False, null_values=["NA"])
    published = table.filter(pl.col("status") == PUBLISHED)
    there = set()
    for csv in folder.rglob("*.csv"):
        base = "reference/" if "reference" in csv.parts else ""
        header = pl.read_csv(csv, infer_schema=False, n_rows=1).columns
        there |= {(base + csv.stem, column) for column in header}
    there |= {("estimates", column) for column in LONG} | {("revisions", column) for column in REVISIONS}
    assert set(published.select("file", "column").iter_rows()) == there
    later = table.filter(pl.col("metric") == "rate_later")
    assert set(later["status"]) == {"not built yet"}
    assert table["notes"].str.starts_with("SYNTHETIC").all()
    work = table.filter((pl.col("column") == "share_employed") & pl.col("file").str.starts_with("16")).row(
        0, named=True
    )
    assert work["years"] == "2018; 2021"
    assert work["subgroups"] == "Male; Female"
    assert work["sample"].startswith("acs5 (")
    assert (work["source"], work["licence"]) == ("Agency: Data set", "public domain")
    assert (work["minimum"], work["maximum"], work["interval"].split()[0]) == ("0", "1", "95")
    text = table.filter(
        (pl.col("column") == "ratio_white_nh_house_value_households") & pl.col("file").str.starts_with("11")
    ).row(0, named=True)
    assert text["title"] == "Home values to households (text: numerator:denominator)"


def test_data_package_describes_the_files(release):
    _, folder = release
    package = json.loads((folder / "datapackage.json").read_text())
    assert package["synthetic"] is True
    assert package["description"].startswith("SYNTHETIC")
    assert package["sources"][0]["title"] == "Agency: Data set"
    assert package["licenses"] == [{"name": "see-sources", "title": "public domain"}]
    names = [r["name"] for r in package["resources"]]
    assert len(names) == len(set(names))
    for resource in package["resources"]:
        path = folder / resource["path"]
        assert resource["bytes"] == path.stat().st_size
        if resource["path"].endswith(".csv"):
            fields = [f["name"] for f in resource["schema"]["fields"]]
            assert fields == pl.read_csv(path, infer_schema=False, n_rows=1).columns
            assert set(resource["schema"].get("primaryKey", [])) <= set(fields)


def test_database_has_the_files_as_views_and_says_that_it_is_synthetic(release):
    report, folder = release
    with duckdb.connect(folder / "mobility.duckdb", read_only=True) as db:
        for stem, view in (("11_mobility-metrics_county_longitudinal", "county"),
                           ("68_mobility-metrics_place_disability_longitudinal", "place_disability")):  # fmt: skip
            assert db.sql(f"select * from {view}").pl().equals(pl.read_parquet(folder / f"parquet/{stem}.parquet"))
        long = db.sql("select * from estimates").pl()
        assert long.equals(pl.read_parquet(folder / "estimates.parquet"))
        comments = db.sql(
            "select comment from duckdb_tables() union all select comment from duckdb_views() where not internal"
        )
        assert all(c.startswith("SYNTHETIC") for (c,) in comments.fetchall())
        assert db.sql("select release, synthetic from release").fetchall() == [(report.name, True)]
        missing = db.sql("select sum(figures)::int from missing").fetchall()[0][0]
        assert missing == long["value"].null_count()
        titles = db.sql("select comment from duckdb_columns() where column_name = 'share_employed_lb'").fetchall()
        assert ("Lower bound: Share at work",) in titles


def test_manifest(release):
    report, folder = release
    manifest = json.loads((folder / "release.json").read_text())
    assert manifest["name"] == report.name
    assert (manifest["synthetic"], manifest["partial"], manifest["states"]) == (True, False, None)
    assert manifest["notice"].startswith("SYNTHETIC")
    assert manifest["not_built"] == ["later"] == list(report.not_built)
    assert manifest["inputs"] == [
        {"source": "agency", "vintage": "2021", "file": "a.csv", "sha256": "00ff", "licence": "public domain",
         "url": None, "retrieved_at": None}
    ]  # fmt: skip
    work = next(p for p in manifest["predictors"] if p["predictor"] == "work")
    assert work["years"] == list(YEARS)
    assert work["values"] == work["rows"] - 2
    assert (
        sum(manifest["missing_by_reason"].values())
        == pl.read_parquet(folder / "estimates.parquet")["value"].null_count()
    )
    states = {r.rule.id: r.status for r in report.gate.results}
    assert set(states) == {r.id for r in RELEASE_RULES}
    assert report.checks[:4] == ("long files", "database", "source files", "revisions")
    assert report.checks[4:] == tuple(i for i, s in states.items() if s == "passed")
    assert manifest["gate"] == report.gate.counts
    assert manifest["gate"]["failed"] == 0


def test_same_inputs_give_the_same_bytes(release, estimates, tmp_path):
    report, folder = release
    clock = lambda: datetime(2030, 1, 1, tzinfo=UTC)  # noqa: E731
    again = publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, layouts=LAYOUTS, now=clock)
    assert again.name == report.name
    assert not again.reused
    changed = tmp_path / "changed.duckdb"
    shutil.copy(folder / "mobility.duckdb", changed)
    with duckdb.connect(changed) as db:
        db.execute("update estimates set value = value + 1e-12 where year = 2018 and metric = 'share_employed'")
    assert content_hashes(changed) != content_hashes(folder / "mobility.duckdb")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        other = tmp_path / again.name / path.relative_to(folder)
        if path.name == "mobility.duckdb":
            assert content_hashes(path) == content_hashes(other)
        elif path.name not in ("release.json", "SHA256SUMS"):
            assert path.read_bytes() == other.read_bytes(), path.name
    times = [json.loads((f / "release.json").read_text())["created_at"] for f in (folder, tmp_path / again.name)]
    assert times[1] == "2030-01-01T00:00:00+00:00" != times[0]


def test_estimates_may_come_as_one_lazy_frame_in_any_order(release, estimates, tmp_path):
    report, folder = release
    frame = pl.concat([pl.read_parquet(p) for paths in estimates.values() for p in paths]).sample(
        fraction=1.0, shuffle=True, seed=1
    )
    again = publish(frame.lazy(), SPINES, tmp_path, META, entries=ENTRIES, layouts=LAYOUTS)
    assert again.name == report.name
    assert (tmp_path / again.name / "estimates.csv.gz").read_bytes() == (folder / "estimates.csv.gz").read_bytes()


def test_publishing_the_same_again_writes_nothing_but_latest(release, estimates):
    report, folder = release
    before = (folder / "release.json").read_bytes()
    (folder.parent / "LATEST").write_text("another\n")
    again = publish(estimates, SPINES, folder.parent, META, entries=ENTRIES, layouts=LAYOUTS)
    assert again.reused
    assert latest(folder.parent) == report.name
    assert (folder / "release.json").read_bytes() == before


def test_other_content_under_a_taken_name_is_refused(estimates, tmp_path):
    first = publish(estimates, SPINES, tmp_path, META, name="2026.1", entries=ENTRIES)
    assert first.name == "SYNTHETIC-2026.1"
    with pytest.raises(ReleaseError, match="other content"):
        publish({"work": estimates["work"]}, SPINES, tmp_path, META, name="2026.1", entries=ENTRIES)
    assert latest(tmp_path) == first.name


def test_partial_and_real_releases_are_named_so(estimates, tmp_path):
    real = ReleaseMeta(profile="real", code_version="1.0", states=("01", "35"))
    report = publish(estimates, SPINES, tmp_path, real, entries=ENTRIES, latest=False)
    assert report.name.startswith("partial-")
    assert latest(tmp_path) is None
    folder = tmp_path / report.name
    assert json.loads((folder / "release.json").read_text())["states"] == ["01", "35"]
    assert b"SYNTHETIC" not in (folder / "data_dictionary.csv").read_bytes()
    assert pl.read_parquet_metadata(folder / "estimates.parquet")["states"] == "01 35"
    with pytest.raises(ReleaseError, match="no name for a release"):
        publish(estimates, SPINES, tmp_path, real, name="../up", entries=ENTRIES)


def test_a_release_of_some_predictors_documents_the_others(estimates, tmp_path):
    report = publish({"homes": estimates["homes"]}, SPINES, tmp_path, META, entries=ENTRIES)
    assert set(report.rows) == {"estimates", *(f.stem for f in FILES if f.number in (11, 13, 61, 63))}
    table = pl.read_csv(tmp_path / report.name / "data_dictionary.csv", infer_schema=False, null_values=["NA"])
    assert set(table.filter(pl.col("metric") == "share_employed")["status"]) == {"not in this release"}
    # Geographies have a row in each year of the file, and no other year.
    assert report.rows["11_mobility-metrics_county_longitudinal"] == 2


def test_a_metric_without_any_value_is_not_published_and_said_so(tmp_path):
    blank = complete(
        pl.DataFrame(schema=dict.fromkeys(KEY[1:], pl.String)), ENTRIES["homes"].predictor, 2021, SPINES[2021]
    )
    report = publish({"homes": blank.lazy()}, SPINES, tmp_path, META, entries=ENTRIES)
    assert set(report.rows) == {"estimates"}
    assert len(report.without_values) == 4
    table = pl.read_csv(tmp_path / report.name / "data_dictionary.csv", infer_schema=False, null_values=["NA"])
    wide = table.filter(pl.col("file").str.contains("mobility-metrics") & pl.col("metric").str.starts_with("ratio_"))
    assert set(wide["status"]) == {"no values in this release"}


# --- Faults ---------------------------------------------------------------------------------------------------------


def _tamper(name: str, old: bytes, new: bytes):
    def change(folder: Path) -> None:
        path = folder / name
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("11_mobility-metrics_county_longitudinal", b"Autauga", b"Autauge", "T9.*csv equals parquet: county_name"),
        ("11_mobility-metrics_county_longitudinal", b"2018,01,001", b"2018,1,001", "G3.*state 1|G3.*lost their zeros"),
        ("11_mobility-metrics_county_longitudinal", b"Strong", b"Great", "V4.*quality Great, what unknown quality"),
        ("11_mobility-metrics_county_longitudinal", b"Strong", b"NA", "V1.*1 row: .*not missing together"),
        (
            "16_mobility-metrics_county_gender_longitudinal",
            b",Male,",
            b",Female,",
            "G2.*subgroup Female.*share their key",
        ),
    ],
)
def test_a_release_that_fails_its_checks_is_not_published(estimates, tmp_path, name, old, new, message):
    first = publish({"work": estimates["work"]}, SPINES, tmp_path, META, entries=ENTRIES)
    told: list[tuple[GateReport, str]] = []
    facts = GateFacts(tell=lambda report, release: told.append((report, release)))
    extras = [_tamper(f"csv/{name}.csv", old, new)]
    with pytest.raises(GateFailedError, match=message) as refused:
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, extras=extras, facts=facts)
    assert name in str(refused.value)
    assert told == [(refused.value.report, refused.value.release)]
    assert not told[0][0].passes
    assert sorted(p.name for p in tmp_path.iterdir()) == ["LATEST", first.name]
    assert latest(tmp_path) == first.name
    assert verify_sums(tmp_path / first.name) == []


def test_a_dictionary_that_drifts_is_found(release):
    _, folder = release
    table = pl.read_csv(folder / "data_dictionary.csv", infer_schema=False, null_values=["NA"])
    published = table.filter(pl.col("status") == PUBLISHED)
    documented = {str(name): part["column"].to_list() for (name,), part in published.group_by("file")}
    assert check_dictionary(table, documented) == []
    name = "11_mobility-metrics_county_longitudinal"
    found = check_dictionary(table, {name: ["new"]})
    assert f"{name}: column new is not documented" in found
    assert f"{name}: documented column population does not exist" in found
    assert "documented file suppressions does not exist" in found
    blank = table.with_columns(pl.lit(None, pl.String).alias("title"))
    assert f"{name}: column year has no title" in check_dictionary(blank, documented)


def test_metrics_of_predictors_that_are_not_in_the_release_are_refused(estimates, tmp_path):
    with pytest.raises(ReleaseError, match="share_employed is not declared by a predictor of the release"):
        publish({"homes": estimates["work"]}, SPINES, tmp_path, META, entries=ENTRIES)


def test_a_lost_figure_is_found_by_reconciliation(estimates, tmp_path):
    def lose(folder: Path) -> None:
        for form in ("csv", "parquet"):
            path = folder / form / f"18_mobility-metrics_county_disability_longitudinal.{form}"
            frame = pl.read_parquet(path) if form == "parquet" else pl.read_csv(path, infer_schema=False)
            first = pl.int_range(pl.len()) == 0
            parts = ("share_employed", "share_employed_lb", "share_employed_ub", "share_employed_quality")
            blank = pl.lit(None) if form == "parquet" else pl.lit("NA")
            frame = frame.with_columns(pl.when(first).then(blank).otherwise(pl.col(c)).alias(c) for c in parts)
            frame.write_parquet(path) if form == "parquet" else frame.write_csv(path)

    found = r"S4.*18_.*metric share_employed, part value, year 2018, subgroup All, in_file 0, in_estimates 1"
    with pytest.raises(GateFailedError, match=found):
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, extras=[lose])


def test_lost_rows_and_emptied_files_are_found(estimates, tmp_path):
    def cut(folder: Path) -> None:
        path = folder / "csv/61_mobility-metrics_place_longitudinal.csv"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    with pytest.raises(GateFailedError, match=r"S4.*61_.*in_file 0, in_estimates 1"):
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, extras=[cut])

    def gz(folder: Path) -> None:
        (folder / "estimates.csv.gz").write_bytes(gzip.compress(b"year\n"))

    with pytest.raises(ReleaseError, match="does not hold what was written"):
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, extras=[gz])
    assert list(tmp_path.iterdir()) == []


def test_a_crash_leaves_no_trace(estimates, tmp_path):
    def crash(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, extras=[crash])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.with_columns(pl.lit("999").alias("geo")), "outside the spine of 2018"),
        (lambda f: pl.concat([f, f.head(1)]), "share their key"),
        (lambda f: f.with_columns(pl.lit(2030, pl.Int32).alias("year")), "a year without a spine"),
        (lambda f: f.with_columns(pl.lit("share_y").alias("metric")), "metric share_y is not declared"),
        (lambda f: f.with_columns(pl.lit("because").alias("reason")), "'because' is not in the closed list"),
        (lambda f: f.drop("value"), "the column value is missing"),
    ],
)
def test_estimates_that_do_not_fit_are_refused(tmp_path, change, message):
    frame = change(_estimates("work", 2018))
    with pytest.raises(Exception, match=message):
        publish({"work": frame.lazy()}, SPINES, tmp_path, META, entries=ENTRIES)
    assert list(tmp_path.iterdir()) == []


def test_a_value_outside_its_range_or_bounds_is_found(tmp_path):
    high = _estimates("work", 2018).with_columns(
        pl.when(pl.col("value").is_not_null()).then(1.5).alias("value"), pl.lit(None, pl.Float64).alias("lb")
    )
    with pytest.raises(GateFailedError) as refused:
        publish({"work": high.lazy()}, SPINES, tmp_path, META, entries=ENTRIES)
    assert {"V2", "V3", "V5", "V6"} <= {r.rule.id for r in refused.value.report.of("failed")}


def test_unknown_predictors_and_layouts_are_refused(estimates, tmp_path):
    with pytest.raises(ReleaseError, match="does not know play"):
        publish({"play": estimates["work"]}, SPINES, tmp_path, META, entries=ENTRIES)
    with pytest.raises(ReleaseError, match="always has the clean layout"):
        publish(estimates, SPINES, tmp_path, META, entries=ENTRIES, layouts=("reference",))


def test_the_reference_layout_stands_beside(release):
    _, folder = release
    name = "61_mobility-metrics_place_longitudinal"
    frame = pl.read_csv(folder / f"reference/csv/{name}.csv", infer_schema=False)
    assert frame.columns == [c.name for c in columns(next(f for f in FILES if f.number == 61), ENTRIES, "reference")]
    table = pl.read_csv(folder / "data_dictionary.csv", infer_schema=False)
    assert f"reference/{name}" in table["file"].to_list()


# --- Remote ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket():
    """An object store on loopback."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    where = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    client = boto3.client("s3", aws_access_key_id="k", aws_secret_access_key="s", **where)
    client.create_bucket(Bucket="mobility")
    yield UPath("s3://mobility/published", key="k", secret="s", client_kwargs=where)
    server.stop()


def test_a_remote_release_points_to_it_last(bucket, release, estimates, tmp_path):
    report, folder = release
    remote = publish(estimates, SPINES, bucket, META, entries=ENTRIES, layouts=LAYOUTS, scratch=tmp_path)
    assert remote.name == report.name
    assert latest(bucket) == report.name
    for path in (p for p in folder.rglob("*") if p.suffix in (".csv", ".parquet", ".gz")):
        assert (bucket / remote.name / path.relative_to(folder).as_posix()).read_bytes() == path.read_bytes()
    assert list(tmp_path.iterdir()) == []
    assert publish(estimates, SPINES, bucket, META, entries=ENTRIES, layouts=LAYOUTS, scratch=tmp_path).reused


def test_a_broken_upload_leaves_the_last_release(bucket, estimates, tmp_path, monkeypatch):
    before = latest(bucket)
    put = bucket.fs.put_file

    def fail(local, remote, **rest):
        if "estimates" in remote:
            raise OSError("connection lost")
        return put(local, remote, **rest)

    monkeypatch.setattr(bucket.fs, "put_file", fail)
    with pytest.raises(OSError, match="connection lost"):
        publish(estimates, SPINES, bucket, META, name="2026.2", entries=ENTRIES, scratch=tmp_path)
    assert latest(bucket) == before
    monkeypatch.undo()
    again = publish(estimates, SPINES, bucket, META, name="2026.2", entries=ENTRIES, scratch=tmp_path)
    assert latest(bucket) == again.name == "SYNTHETIC-2026.2"
