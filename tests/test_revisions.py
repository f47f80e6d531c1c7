"""Revisions: every changed figure with its reason, from what two releases record about themselves."""

import gzip
import json
from dataclasses import replace

import polars as pl
import pytest
from test_outputs_release import ENTRIES, META, SPINES, YEARS, _estimates

from metrics.deviation import Deviation
from outputs.about import InputFile, Lineage, ReleaseMeta
from outputs.lineage import CODE_FIX, LINEAGE, METHOD_CHANGE, NEW_SOURCE, NOT_RECORDED, causes, method_version
from outputs.long import LONG
from outputs.release import publish
from outputs.revisions import (
    FIELDS,
    NEW_METRIC,
    NEW_YEAR,
    OWED,
    REVISION_REASONS,
    REVISIONS,
    SUPPRESSION,
    UNEXPLAINED,
    WITHDRAWN,
    DiffError,
    Release,
    changes,
    changes_without_cause,
    previous_release,
    published,
    unexplained,
    with_reasons,
    write_revisions,
)
from outputs.rules.report import GateFailedError
from schemas.estimate import KEY

NO_CAUSE = causes(None, None)


def long(rows):
    """A long frame of counties in Alabama: (year, geo, metric, value, lb, ub, quality, reason)."""
    frame = pl.DataFrame(
        rows, schema=["year", "geo", "metric", "value", "lb", "ub", "quality", "reason"], orient="row",
        infer_schema_length=None,
    )  # fmt: skip
    fixed = {
        "level": "county", "state": "01", "geoid": "?", "state_name": "Alabama", "name": "A County", "pillar": "p",
        "predictor": "work", "subgroup_type": "all", "subgroup": "All", "unit": "share", "sample": "acs1",
    }  # fmt: skip
    return frame.select(
        (pl.col(c) if c in frame.columns else pl.lit(fixed.get(c)).alias(c)).cast(t) for c, t in LONG.items()
    ).sort(KEY)


OLD = long(
    [
        (2018, "001", "x", 0.5, 0.4, 0.6, 1, None),
        (2018, "003", "x", 0.7, 0.6, 0.8, 2, None),
        (2018, "001", "y", 3.0, None, None, 1, None),
        (2021, "001", "x", 0.9, 0.8, 1.0, 1, None),
    ]
)


def revisions(old, new, why=NO_CAUSE):
    return with_reasons(changes(old, new), published(old.lazy()), published(new.lazy()), why)


def changed(**cells):
    """OLD with other cells in the first row."""
    first = pl.int_range(pl.len()) == 0
    return OLD.with_columns(pl.when(first).then(pl.lit(v)).otherwise(pl.col(c)).alias(c) for c, v in cells.items())


def test_equal_frames_have_no_revisions():
    assert revisions(OLD, OLD).is_empty()
    assert changes_without_cause(OLD.lazy(), OLD.lazy(), NO_CAUSE) == []


def test_each_changed_field_is_one_row():
    found = revisions(OLD, changed(value=0.51, ub=0.61, quality=3))
    assert dict(found.schema) == {c: t() for c, t in REVISIONS.items()}
    assert found.select("field", "old", "new").rows() == [
        ("value", 0.5, 0.51),
        ("ub", 0.6, 0.61),
        ("quality", 1.0, 3.0),
    ]
    assert found["geoid"].unique().to_list() == ["01001"]
    assert found["reason"].unique().to_list() == [UNEXPLAINED]


def test_the_last_digit_counts():
    assert revisions(OLD, changed(value=0.5000000000000001)).height == 1


def test_frames_with_other_rows_are_joined_and_give_the_same_rows():
    """A row that is gone, and one that is new, beside a changed one: no row is matched by its position."""
    new = pl.concat(
        [changed(value=0.51).filter(pl.col("geo") != "003"), long([(2018, "005", "x", 0.2, 0.1, 0.3, 1, None)])]
    )
    found = revisions(OLD, new.sort(KEY))
    told = found.filter(pl.col("field") == "value").select("geoid", "old", "new").rows()
    assert told == [("01001", 0.5, 0.51), ("01003", 0.7, None), ("01005", None, 0.2)]
    assert found["name"].null_count() == 0
    shuffled = changes(OLD, changed(value=0.51).sample(fraction=1.0, shuffle=True, seed=3))
    assert shuffled.select("field", "old", "new").rows() == [("value", 0.5, 0.51)]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (OLD.filter(pl.col("metric") == "y"), OLD, NEW_METRIC),
        (OLD.filter(pl.col("year") == 2018), OLD, NEW_YEAR),
        (OLD, OLD.filter(pl.col("year") == 2018), WITHDRAWN),
        (OLD, OLD.filter(pl.col("metric") == "x"), WITHDRAWN),
        (OLD, changed(value=None, lb=None, ub=None, quality=None, reason="suppressed by us"), SUPPRESSION),
        (changed(value=None, lb=None, ub=None, quality=None, reason="suppressed by us"), OLD, SUPPRESSION),
        (OLD, changed(value=None, lb=None, ub=None, quality=None, reason="input owed"), OWED),
        (OLD, changed(value=0.51), UNEXPLAINED),
    ],
)
def test_reasons_that_follow_from_the_figures(old, new, reason):
    found = revisions(old, new)
    assert found["reason"].unique().to_list() == [reason]
    assert bool(unexplained(found)) is (reason == UNEXPLAINED)


def test_a_year_that_was_owed_before_is_new():
    blank = OLD.with_columns(pl.when(pl.col("year") != 2021).then(pl.col(c)).alias(c) for c in FIELDS).with_columns(
        reason=pl.when(pl.col("year") == 2021).then(pl.lit("input owed"))
    )
    assert revisions(blank, OLD)["reason"].unique().to_list() == [NEW_YEAR]


# ---- causes ---------------------------------------------------------------------------------------------------------


def lineage_frame(method="m", code="c", files=(("qcew", "2018", "a.csv", "00"),), year=2018):
    return pl.DataFrame([("work", year, method, code, *f) for f in files], schema=LINEAGE, orient="row")


@pytest.mark.parametrize(
    ("new", "cause", "evidence"),
    [
        (lineage_frame(files=(("qcew", "2018", "a.csv", "11"),)), NEW_SOURCE, "qcew 2018 a.csv was replaced"),
        (lineage_frame(files=(("qcew", "2018b", "a.csv", "00"),)), NEW_SOURCE, "qcew 2018b a.csv is new"),
        (lineage_frame(code="d"), CODE_FIX, "program c is now d"),
        (lineage_frame(method="n", code="d"), METHOD_CHANGE, "method m is now n; program c is now d"),
        (lineage_frame(code="d", files=(("qcew", "2018", "a.csv", "11"),)), NEW_SOURCE, "program c is now d"),
    ],
)
def test_causes_follow_from_the_lineage(new, cause, evidence):
    why = causes(lineage_frame(), new)
    assert why["cause"].to_list() == [cause]
    assert evidence in why["evidence"][0]
    assert revisions(OLD, changed(value=0.51), why)["reason"].to_list() == [cause]


def test_nothing_changed_in_the_making_explains_nothing():
    """The rule that old years stay: a cause of another year or predictor does not excuse a change."""
    assert causes(lineage_frame(), lineage_frame()).is_empty()
    other_year = causes(lineage_frame(year=2021), lineage_frame(year=2021, code="d"))
    findings = changes_without_cause(OLD.lazy(), changed(value=0.51).lazy(), other_year)
    assert len(findings) == 1
    assert findings[0].startswith("x 2018: 1 figures changed although nothing they are made from did")
    assert "value of 01001 from 0.5 to 0.51" in findings[0]


def test_a_release_without_lineage_is_no_accusation():
    found = revisions(OLD, changed(value=0.51), None)
    assert found["reason"].to_list() == [NOT_RECORDED]
    assert unexplained(found) == []


def test_the_method_version_follows_the_declaration():
    entry = ENTRIES["work"]
    before = method_version(entry, 2018)
    assert method_version(entry, 2018) == before
    flaw = Deviation("work/x", "kept", "work", "theirs", "ours", "why", "effect")
    assert method_version(replace(entry, deviations=(flaw,)), 2018) != before
    one_year_more = replace(
        entry.predictor, series=tuple(replace(s, years=(*s.years, 2022)) for s in entry.predictor.series)
    )
    assert method_version(replace(entry, predictor=one_year_more), 2018) == before


# ---- releases -------------------------------------------------------------------------------------------------------

FILE = InputFile("agency", "2021", "a.csv", "00ff", "public domain")


def meta(code="1", sha256="00ff", **rest):
    files = (("agency", "2021", "a.csv", sha256),)
    made = tuple(Lineage(key, year, code, files) for key in ("work", "homes") for year in YEARS)
    return replace(META, inputs=(replace(FILE, sha256=sha256),), lineage=made, **rest)


def estimates(shift=0.0, years=YEARS):
    frames = {"work": pl.concat([_estimates("work", year) for year in years]), "homes": _estimates("homes", 2021)}
    if shift:
        moved = (pl.col("metric") == "share_employed") & (pl.col("year") == 2018) & (pl.col("level") == "county")
        frames["work"] = frames["work"].with_columns(
            pl.when(moved).then(pl.col("value") + shift).otherwise("value").alias("value")
        )
    return {key: frame.lazy() for key, frame in frames.items()}


def put(root, frames, about, **rest):
    report = publish(frames, SPINES, root, about, entries=ENTRIES, **rest)
    return root / report.name


def test_a_release_lists_what_changed_since_the_last(tmp_path):
    first = put(tmp_path, estimates(), meta())
    told = json.loads((first / "revisions.json").read_text())
    assert (told["old"], told["figures_changed"]) == (None, 0)
    assert pl.read_parquet(first / "revisions.parquet").is_empty()
    assert "first release" in (first / "RELEASE_NOTES.md").read_text()

    second = put(tmp_path, estimates(shift=0.001), meta(sha256="11ee"))
    typed = pl.read_parquet(second / "revisions.parquet")
    before = pl.read_parquet(first / "estimates.parquet").filter(pl.col("value").is_not_null())
    moved = before.filter(
        (pl.col("year") == 2018) & (pl.col("level") == "county") & (pl.col("metric") == "share_employed")
    )
    assert typed.height == moved.height > 0
    assert typed["field"].unique().to_list() == ["value"]
    assert ((typed["new"] - typed["old"]) - 0.001).abs().max() < 1e-12
    assert typed["reason"].unique().to_list() == [NEW_SOURCE]
    text = pl.read_csv(
        gzip.decompress((second / "revisions.csv.gz").read_bytes()), infer_schema=False, null_values=["NA"]
    )
    assert text.select(pl.col(c).cast(t) for c, t in typed.schema.items()).equals(typed)
    told = json.loads((second / "revisions.json").read_text())
    assert told["old"] == first.name == json.loads((second / "release.json").read_text())["compared_with"]
    assert told["by_reason"] == {NEW_SOURCE: typed.height}
    assert [(c["metric"], c["year"], c["figures"]) for c in told["counts"]] == [("share_employed", 2018, typed.height)]
    assert 0 < len(told["largest_movers"]) <= 5
    assert "agency 2021 a.csv was replaced" in (second / "RELEASE_NOTES.md").read_text()


def test_a_change_that_nothing_explains_is_not_published(tmp_path):
    first = put(tmp_path, estimates(), meta())
    with pytest.raises(GateFailedError, match=r"rule T2 .*: 6 rows: year 2018, .*metric share_employed"):
        put(tmp_path, estimates(shift=0.001), meta())
    assert (tmp_path / "LATEST").read_text().strip() == first.name
    assert put(tmp_path, estimates(shift=0.001), meta(code="2")).exists()


def test_new_and_withdrawn_years(tmp_path):
    put(tmp_path, estimates(years=(2018,)), meta())
    second = put(tmp_path, estimates(), meta())
    told = json.loads((second / "revisions.json").read_text())
    assert set(told["by_reason"]) == {NEW_YEAR}
    assert "New years: share_employed 2021" in (second / "RELEASE_NOTES.md").read_text()
    third = put(tmp_path, estimates(years=(2021,)), meta())
    assert set(json.loads((third / "revisions.json").read_text())["by_reason"]) == {WITHDRAWN}


def test_only_releases_of_the_same_kind_are_compared(tmp_path):
    first = put(tmp_path, estimates(), meta())
    real = ReleaseMeta(profile="live", code_version="1", states=("01",))
    partial = put(tmp_path, estimates(), real)
    assert json.loads((partial / "revisions.json").read_text())["old"] is None
    # LATEST is the partial one now; the newest of the right kind is found all the same.
    assert previous_release(tmp_path, meta(), but="x") == first
    assert previous_release(tmp_path, meta(), but=first.name) is None
    assert previous_release(tmp_path / "nowhere", meta(), but="x") is None


def test_comparing_two_folders(tmp_path):
    first, second = put(tmp_path / "a", estimates(), meta()), put(tmp_path / "b", estimates(0.001), meta(code="2"))
    old, new = Release.at(first, tmp_path), Release.at(second, tmp_path)
    forth = write_revisions(old, new, parquet=tmp_path / "x.parquet")
    assert set(forth.by_reason) == {CODE_FIX}
    assert pl.read_parquet(tmp_path / "x.parquet").height == forth.changed
    back = write_revisions(new, old)
    assert back.changed == forth.changed
    assert "| share_employed | 2018 | code fix |" in forth.as_text()
    assert set(forth.by_reason) <= set(REVISION_REASONS)
    with pytest.raises(DiffError, match="is not a release"):
        Release.at(tmp_path, tmp_path)


def test_the_command(tmp_path):
    from typer.testing import CliRunner

    from pipelines.cli import app

    first = put(tmp_path / "published", estimates(), meta())
    second = put(tmp_path / "published", estimates(0.001), meta(code="2"))
    run = CliRunner().invoke
    there = ["--data", str(tmp_path)]
    done = run(app, ["diff", first.name, second.name, *there])
    assert done.exit_code == 0
    assert "code fix" in done.stdout
    out = tmp_path / "changes.csv.gz"
    done = run(app, ["diff", str(first), second.name, "--json", "--out", str(out), *there])
    changed_figures = json.loads(done.stdout)["figures_changed"]
    assert gzip.decompress(out.read_bytes()).count(b"\n") == changed_figures + 1
    for wrong in (["diff", "nobody", second.name], ["diff", first.name, second.name, "--out", "x.txt"]):
        assert isinstance(run(app, [*wrong, *there]).exception, DiffError)
