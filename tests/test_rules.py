"""Every rule of the gate can fail: a good small release passes it, and one change breaks it."""

import json
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from gate_support import (
    BALANCE,
    CONTROLS,
    first_row,
    moved,
    nation,
    set_where,
    small_release,
    with_bytes,
    with_long,
    with_wide,
)

from outputs.about import InputFile
from outputs.revisions import REVISIONS
from outputs.rules import across, report, values
from outputs.rules.mistakes import MISTAKES, page
from outputs.rules.register import RELEASE_RULES, RULES, rule
from outputs.rules.report import GateFailedError, GateReport, ask, run_gate
from outputs.rules.rule import Rule, listed
from pipelines.settings import PROJECT

METRIC, YEAR, LEVEL = pl.col("metric"), pl.col("year"), pl.col("level")
HAS = pl.col("value").is_not_null()
EVERYONE = pl.col("subgroup_type") == "all"
HISPANIC = (
    (METRIC == "share_employed") & (pl.col("subgroup") == "Hispanic") & (pl.col("geoid") == "01001") & (YEAR == 2018)
)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return small_release(tmp_path_factory.mktemp("gate"))


def one(metric: str, year: int | None = None, *, level: str = "county", geoid: str = "01001") -> pl.Expr:
    """One figure of the long file (of all years, if none is given)."""
    hit = (metric == METRIC) & (level == LEVEL) & (pl.col("geoid") == geoid) & EVERYONE & HAS
    return hit if year is None else hit & (year == YEAR)


def long(where: pl.Expr, **cells):
    return lambda c, _: with_long(c, *set_where(where, **cells))


def drop(where: pl.Expr):
    return lambda c, _: with_long(c, keep=~where)


def wide(number: int, **cells):
    return lambda c, folder: with_wide(c, number, first_row(**cells), folder)


def edit(number: int, change):
    return lambda c, folder: with_wide(c, number, change, folder)


def raw(number: int, old: bytes, new: bytes):
    return lambda c, folder: with_bytes(c, number, lambda data: data.replace(old, new, 1), folder)


def _twice(c, _):
    frame = c.long.collect()
    return replace(c, long=pl.concat([frame, frame.head(1)]).lazy())


def _dictionary(where: pl.Expr, **cells):
    return lambda c, _: replace(c, dictionary=c.dictionary.with_columns(set_where(where, **cells)))


def _before(where: pl.Expr, **cells):
    def change(c, _):
        earlier = c.before.long.collect().with_columns(set_where(where, **cells)).lazy()
        return replace(c, before=replace(c.before, long=earlier))

    return change


def _revised(reason: str):
    """One figure that differs from the release before, with this reason."""

    def change(c, folder: Path):
        there = folder / "release"
        shutil.copytree(c.folder, there)
        row = {"year": 2018, "level": "county", "geoid": "01001", "metric": "share_employed", "field": "value"}
        row |= {"old": 0.3, "new": 0.9, "reason": reason}
        pl.DataFrame([row], schema=REVISIONS).write_parquet(there / "revisions.parquet")
        return moved(c, there)

    return change


def _shown(c, folder: Path):
    """A median that should be hidden is not."""
    there = folder / "release"
    shutil.copytree(c.folder, there)
    frame = pl.read_csv(there / "medians.csv", infer_schema=False)
    hidden = (pl.col("hidden") == "yes") & (pl.col("area") == "US")
    assert frame.filter(hidden).height
    frame.with_columns(set_where(hidden, median="0.5")).write_csv(there / "medians.csv")
    return moved(c, there)


def _inputs(*more: InputFile):
    return lambda c, _: replace(c, meta=replace(c.meta, inputs=(*c.meta.inputs, *more)))


def _file(name: str, text: str):
    def change(c, folder: Path):
        there = folder / "release"
        shutil.copytree(c.folder, there)
        (there / name).write_text(text)
        return moved(c, there)

    return change


def _medians_shown(c, folder: Path):
    """Every median that is hidden is shown after all."""
    medians = pl.read_csv(c.folder / "medians.csv", infer_schema=False)
    shown = pl.when(pl.col("median") == "NA").then(pl.lit("1")).otherwise("median").alias("median")
    return _file("medians.csv", medians.with_columns(shown).write_csv())(c, folder)


def _listed(**cells):
    def change(c, _):
        row = {"year": 2018, "level": "county", "geoid": "01001", "subgroups": "every", "metric": "share_employed"}
        row |= {"columns": "every", "applies_to": "both", "reason": "r", "source_note": "n", "expires": "2030-01-01"}
        more = pl.DataFrame([row | cells], schema=c.suppressions.schema)
        return replace(c, suppressions=pl.concat([c.suppressions, more]))

    return change


def _employed_in_old_regions(c, _):
    where = (METRIC == "share_employed") & (pl.col("geoid") == "09110") & (YEAR == 2022)
    return with_long(c, *set_where(where, value=None, reason="source on old counties"))


def _spelling(c, folder):
    spelt = pl.col("subgroup").replace({"White neighborhoods": "White Neighborhoods"})
    return with_wide(c, 63, lambda f: f.with_columns(spelt), folder)


def _no_strong_before(c, folder):
    return _before((METRIC == "share_employed") & HAS, quality=pl.lit(3, pl.Int8))(c, folder)


def _places_2019(c, _):
    """Forty counties in two years, in the opposite order in the second."""
    rows = c.long.collect().filter(one("share_employed", 2018) & (pl.col("sample") == "acs1"))
    many = pl.concat(
        [
            rows.with_columns(
                pl.lit(f"{i:03}").alias("geo"), pl.lit(f"01{i:03}").alias("geoid"), pl.lit(y, pl.Int32).alias("year"),
                pl.lit(i if y == 2018 else 40 - i).cast(pl.Float64).alias("value"),
            )
            for i in range(40) for y in (2018, 2019)
        ]
    )  # fmt: skip
    return replace(c, long=many.lazy())


def _swap(frame: pl.DataFrame) -> pl.DataFrame:
    names = frame.columns
    return frame.select(*names[:-2], names[-1], names[-2])


def _declared_to_two(c, _):
    entry = c.entries["employment"]
    metric = replace(entry.predictor.metrics[0], maximum=2.0)
    entries = dict(c.entries) | {"employment": replace(entry, predictor=replace(entry.predictor, metrics=(metric,)))}
    return replace(c, entries=entries)


def _without_breaks(c, _):
    entry = c.entries["trauma"]
    return replace(
        c, entries=dict(c.entries) | {"trauma": replace(entry, predictor=replace(entry.predictor, breaks=()))}
    )


def _without_definition(c, _):
    entry = c.entries["digital_access"]
    predictor = replace(entry.predictor, definition="Share of households with access.", notes=(), breaks=())
    return replace(c, entries=dict(c.entries) | {"digital_access": replace(entry, predictor=predictor)})


# Rule -> a change that breaks it. A rule may have several.
BREAKS = [
    ("G1", drop(one("share_employed", 2018))),
    ("G1", long(one("share_employed", 2018), geo="999", geoid="01999")),
    ("G1", edit(11, lambda f: f.filter(~((pl.col("year") == "2018") & (pl.col("county") == "061"))))),
    ("G2", _twice),
    ("G2", edit(16, lambda f: f.with_columns(pl.col("subgroup").replace({"Male": "Female"})))),
    ("G2", edit(61, lambda f: f.tail(-1))),
    ("G2", edit(61, lambda f: f.reverse())),
    ("G3", raw(11, b"2018,01,001", b"2018,1,001")),
    ("G3", long(one("share_employed", 2018), geo="1")),
    ("G4", long(one("share_employed", 2018), geoid="46113")),
    ("G4", edit(11, lambda f: f.with_columns(pl.col("county").replace({"110": "001"})))),
    ("G5", _employed_in_old_regions),
    (
        "G5",
        long(
            (METRIC == "share_employed") & (pl.col("state") == "09") & (YEAR == 2022),
            value=None,
            reason="area not covered by source",
        ),
    ),
    ("G7", raw(11, b"Autauga County", "Doña Autauga".encode("latin-1"))),
    ("G7", wide(12, county_name=" Autauga County")),
    ("G7", wide(13, county_name="Autauga")),
    ("G7", wide(14, state_name="State, 01")),
    ("G8", wide(11, year="20x8")),
    ("G8", long(one("share_employed", 2018), year=2031)),
    ("S1", edit(15, lambda f: f.with_columns(pl.lit("1").alias("_FREQ_")))),
    ("S1", edit(15, lambda f: f.select(f.columns[:-1]))),
    ("S1", edit(15, _swap)),
    ("S2", edit(12, lambda f: f.with_columns(pl.col("subgroup_type").replace({"race-ethnicity": "race-ethncity"})))),
    ("S2", edit(17, lambda f: f.with_columns(pl.col("subgroup_type").replace({"all": "tenure"})))),
    ("S2", long(one("share_employed", 2018), subgroup_type="age")),
    ("S3", _spelling),
    (
        "S3",
        long(
            (METRIC == "ratio_living_wage") & (pl.col("subgroup_type") == "industry"),
            subgroup_type="tenure",
            subgroup="Owner",
        ),
    ),
    ("S4", wide(18, share_employed=None, share_employed_quality=None)),
    ("S5", long(METRIC == "share_employed", predictor="income")),
    ("S5.stale", lambda c, _: replace(c, stale=(("income", 2018),))),
    ("S6", _dictionary(pl.col("column") == "share_employed", column="share_employedd")),
    ("S6", _dictionary(pl.col("column") == "share_employed", years="2014")),
    ("S7", _dictionary(pl.col("column") == "index_air_hazard", subgroups="High-Poverty, Not High-Poverty")),
    ("S8", wide(11, share_employed="Suppressed")),
    ("S8", wide(11, ratio_white_nh_house_value_households="0.136")),
    ("S8", wide(15, ratio_white_nh_house_value_households="0.777:0.250")),
    ("V1", long(one("share_employed", 2018), quality=None)),
    ("V1", long((METRIC == "share_employed") & ~HAS, lb=0.1)),
    ("V1", wide(11, share_employed=None)),
    ("V2", long(one("share_employed", 2018), ub=None)),
    ("V3", long(one("share_employed", 2018), lb=0.9)),
    ("V3", long(one("share_employed", 2018), value=float("nan"))),
    ("V3", wide(16, share_employed_lb="0.99")),
    ("V3.width", long(one("share_employed", 2018), lb=pl.col("value"), ub=pl.col("value"))),
    ("V3.scale", long(one("share_employed", 2018), ub=1.2)),
    ("V4", long(one("share_employed", 2018), quality=pl.lit(4, pl.Int8))),
    ("V4", long(one("share_employed", 2018), quality_label="Good")),
    ("V4", wide(12, share_employed_quality="1")),
    ("V5", long(one("share_in_preschool", 2018), value=37.0)),
    ("V5", _declared_to_two),
    ("V6", long(one("index_air_hazard", 2018), value=130.0)),
    ("V6", wide(13, index_air_hazard="130")),
    ("V6.soft", long(HISPANIC, value=0.9)),
    ("V7", long(one("ratio_living_wage", 2018), value=0.0)),
    ("V7", long(one("share_homeless", 2018), value=0.0, numerator=3.0)),
    ("V7", long(one("rate_injury_death", 2018), value=0.0, numerator=0.0, reason="suppressed at source")),
    (
        "V9",
        edit(
            20,
            lambda f: f.with_columns(
                pl.when(pl.col("year") != "2018").then(pl.col(c)).alias(c) for c in f.columns if c.startswith("share_")
            ),
        ),
    ),
    (
        "V9",
        lambda c, _: nation(
            with_long(
                c,
                *set_where(
                    (METRIC == "share_hs_degree") & (YEAR == 2018), value=None, reason="area not covered by source"
                ),
            )
        ),
    ),
    ("V9.owed", long(METRIC == "share_hs_degree", value=None, reason="input owed")),
    ("V9.owed", drop((METRIC == "share_hs_degree") & (YEAR == 2018))),
    ("V10", _no_strong_before),
    ("V12", long(one("rate_crime_violent", 2022), denominator=82.0, numerator=0.0, quality=pl.lit(1, pl.Int8))),
    ("V13", _listed()),
    ("V13", long(one("share_employed", 2018), value=None, quality=None, reason="suppressed by us")),
    (
        "V13",
        edit(
            11,
            lambda f: f.with_columns(
                set_where(
                    (pl.col("year") == "2021") & (pl.col("county") == "061") & (pl.col("state") == "36"),
                    rate_crime_violent="7",
                )
            ),
        ),
    ),
    ("V13.expiry", lambda c, _: replace(c, today=date(2040, 1, 1))),
    ("V13.expiry", _listed(geoid="36061", metric="rate_juv_arrest", expires="2025-12-31")),
    ("X3", lambda c, _: replace(c, balance=BALANCE.with_columns(after=pl.lit(1998.0)))),
    ("A4", lambda c, _: replace(c, controls=CONTROLS.with_columns(weighted=pl.lit(99_899.0)))),
    ("X6", drop((pl.col("geoid") == "1372122") & (METRIC == "share_employed"))),
    ("X7", long(one("share_employed", 2018, level="place", geoid="1150000"), value=0.6)),
    ("X7.other", long(one("share_meps20_white", 2018, level="place", geoid="1150000"), value=0.6)),
    ("A6", long(one("share_employed", 2018), n=12, n_effective=11.5)),
    ("A8", _inputs(InputFile("cpi", "2023", "cpi.xlsx", "cc"))),
    ("A9", long(one("pctl_income_20", 2018), value=60_000.0)),
    ("Q1", long(one("ratio_living_wage", 2018), numerator=0.0)),
    ("Q1", long(one("ratio_living_wage", 2018), value=0.0)),
    ("Q2", _file("wages.csv", "secret")),
    ("Q3", long(one("rate_crime_violent", 2022), value=300.0)),
    ("Q3", long(one("coverage_crime", 2022), value=None)),
    ("Q6", long(one("share_low_birth_weight", 2018, geoid="37001"), quality=pl.lit(1, pl.Int8))),
    ("Q6", long(one("share_low_birth_weight", 2018, geoid="37001"), value=0.07)),
    ("Q6", long(one("share_low_birth_weight", 2018, geoid="37001"), reason=None)),
    ("Q7", long(one("share_homeless", 2018), value=0.6)),
    ("Q7", long(one("count_homeless", 2021), value=100.0)),
    ("Q11", _without_breaks),
    ("Q12", long(one("ratio_population_pc_physician", 2018), value=0.0, numerator=5000.0, denominator=0.0)),
    ("Q13", long(one("share_election_turnout", 2016), value=1.0)),
    ("Q13", long(one("share_election_turnout", 2016), state="02")),
    ("Q14", long(METRIC == "share_economic_connectedness", value=pl.col("value") * 2.2)),
    ("Q14", long(one("share_economic_connectedness", 2022), value=1.01)),
    ("Q15", _without_definition),
    ("T1", wide(17, share_affordable_50_ami="9.5")),
    (
        "T1.samples",
        edit(
            16,
            lambda f: f.with_columns(
                set_where((pl.col("subgroup") == "All") & pl.col("share_employed").is_not_null(), share_employed="0.5")
            ),
        ),
    ),
    ("T2", _revised("unexplained")),
    ("T3", _places_2019),
    ("T5", edit(16, lambda f: f.filter(pl.col("year") != "2018"))),
    ("T5", edit(16, lambda f: f.filter(pl.col("subgroup") != "Male"))),
    (
        "T5",
        lambda c, _: nation(
            with_long(
                c,
                *set_where(
                    (METRIC == "share_hs_degree") & (pl.col("subgroup") == "Male") & (YEAR == 2018),
                    value=None,
                    reason="area not covered by source",
                ),
            )
        ),
    ),
    (
        "T7",
        _dictionary(
            (pl.col("column") == "share_employed") & pl.col("file").str.starts_with("16"), sample="acs1 (one-year file)"
        ),
    ),
    ("T6", _shown),
    ("T7", long(one("share_employed", 2018), reference_period="2021")),
    (
        "T8",
        _dictionary(
            (pl.col("column") == "share_employed") & pl.col("file").str.starts_with("11"), years="2014; 2015; 2018"
        ),
    ),
    ("T9", raw(11, b"Autauga", b"Aut\xe1uga")),
    ("T9", raw(11, b"Autauga", b"Autauge")),
    ("T9", lambda c, folder: with_bytes(c, 11, lambda d: d.replace(b"\n", b"\r\n"), folder)),
    ("T9", raw(11, b",NA,", b",,")),
    ("T10", _file("DataPackage.JSON", "{}")),
    ("T6", _medians_shown),
    ("T10", _file("datapackage.json", json.dumps({"resources": [{"path": "csv/11_Mobility.csv"}]}))),
]
# Rules that the small release cannot be asked of as it is have tests of their own.
APART = {"G1.counts", "S9", "T4"}


def test_the_good_release_passes_every_rule(good):
    report = run_gate(good)
    assert report.passes
    assert [r.rule.id for r in report.of("warned")] == ["S9"]
    assert [r.rule.id for r in report.of("not applicable")] == ["G1.counts", "T4"]


def test_every_rule_of_a_release_has_a_change_that_breaks_it():
    assert {r.id for r in RELEASE_RULES} == {i for i, _ in BREAKS} | APART


@pytest.mark.parametrize(("rule_id", "change"), BREAKS, ids=[f"{i}-{n}" for n, (i, _) in enumerate(BREAKS)])
def test_a_change_breaks_the_rule(good, tmp_path, rule_id, change):
    asked = rule(rule_id)
    result = ask(asked, change(good, tmp_path))
    assert result.status == ("failed" if asked.severity == "block" else "warned")
    assert result.count > 0
    assert "could not be worked out" not in str(result.first)
    if rule_id == "T10":
        assert ask(asked, _file("release.txt", "")(good, tmp_path / "other")).status == "passed"


def _years_of(context, number: int, rows: int):
    """The context with one file of so many rows of 2018."""
    found = next(w for w in context.wide if w.written.file.number == number)
    found = replace(found)
    found.frame = pl.DataFrame({"year": pl.Series([2018] * rows, dtype=pl.Int32)})
    return replace(nation(context), wide=(found,))


def test_expected_rows_are_compared_exactly(good):
    counts = rule("G1.counts")
    assert ask(counts, _years_of(good, 11, 3142)).status == "passed"
    short = ask(counts, _years_of(good, 11, 3141))
    assert short.status == "failed"
    assert short.first == [
        {"file": "11_mobility-metrics_county_longitudinal", "year": 2018, "rows": 3141, "expected": 3142}
    ]
    assert ask(counts, _years_of(good, 63, 4 * 486)).status == "passed"
    assert ask(counts, _years_of(good, 63, 4 * 485)).status == "failed"
    # The year after the latest has the latest's geographies; a year that nobody expected has none.
    for number, year, rows, status in (
        (11, 2024, 3144, "passed"),
        (11, 2024, 3143, "failed"),
        (18, 2015, 9426, "failed"),
    ):
        context = _years_of(good, number, rows)
        context.wide[0].frame = context.wide[0].frame.with_columns(pl.lit(year).alias("year"))
        assert ask(counts, context).status == status, (number, year)


def test_codes_of_a_later_year_need_no_edit(good):
    """Validity stays open at its end: next year's release has this year's codes, and no retired one."""
    newest = good.long.filter(pl.col("year") == 2023).with_columns(pl.lit(2035, pl.Int32).alias("year"))
    later = replace(good, long=newest, wide=())
    assert ask(rule("G4"), later).status == "passed"
    retired = with_long(later, *set_where(pl.col("geoid") == "09110", geoid="09001"))
    assert ask(rule("G4"), retired).status == "failed"


def test_long_names_are_listed(good):
    births = replace(good, wide=tuple(w for w in good.wide if w.written.file.number == 20))
    assert ask(rule("S9"), births).status == "passed"
    assert ask(rule("S9"), good).count == 21


def test_national_means(good):
    national = nation(good)
    people = pl.DataFrame(
        {"year": [2020], "geoid": ["01001"], "level": ["county"], "metric": ["share_election_turnout"],
         "sample": ["elections"], "subgroup_type": ["all"], "value": [0.67]},
        schema_overrides={"year": pl.Int32},
    )  # fmt: skip
    assert ask(rule("T4"), replace(national, long=people.lazy())).status == "passed"
    off = ask(rule("T4"), replace(national, long=people.with_columns(value=pl.lit(0.067)).lazy()))
    assert (off.status, off.count) == ("warned", 1)
    assert ask(rule("T4"), good).why.startswith("the release is partial")


def test_a_change_with_a_reason_is_no_silent_change(good, tmp_path):
    """T2 lets a changed figure pass if its code or its input files changed, and says so."""
    told = ask(rule("T2"), _revised("code fix")(good, tmp_path / "code"))
    assert told.status == "passed"
    assert told.note == "compared with earlier; figures that differ: 1 code fix"
    assert ask(rule("T2"), good).note == "compared with earlier; figures that differ: none"
    assert ask(rule("T2"), replace(good, before=None)).why.startswith("there is no release of this kind")


def test_rules_adapt_to_what_was_asked_for(good):
    """A synthetic or partial release, or one of some predictors, says why a rule does not apply."""
    synthetic = replace(good, meta=replace(good.meta, synthetic=True))
    told = {i: ask(rule(i), synthetic).why for i in ("G1.counts", "T3", "T4", "V13.expiry")}
    assert all("synthetic" in why for why in told.values())
    alone = with_long(good, keep=METRIC == "share_employed")
    for rule_id in ("A9", "Q1", "Q3", "Q6", "Q7", "Q12", "Q13", "Q14", "V12"):
        assert ask(rule(rule_id), replace(alone, entries={"employment": good.entries["employment"]})).why
    assert ask(rule("X3"), replace(good, balance=None)).why
    assert ask(rule("A4"), replace(good, controls=None)).why
    assert "synthetic" in ask(rule("A4"), synthetic).why


def test_a_rule_that_cannot_be_worked_out_is_broken(good):
    def fail(context):
        raise ZeroDivisionError("by zero")

    for severity, status in (("block", "failed"), ("warn", "warned")):
        result = ask(Rule("T99", "Holds", severity, "none", "nothing", check=fail), good)
        assert result.status == status
        assert "ZeroDivisionError: by zero" in result.sentence()


def test_the_report_for_people_and_programs(good, tmp_path):
    broken = with_long(good, *set_where(one("share_employed", 2018), value=7.0, quality=None))
    asked = run_gate(broken, [rule(i) for i in ("V1", "V6", "S9", "G3", "T4")])
    asked.write(tmp_path, "R1")
    told = json.loads((tmp_path / report.REPORT_JSON).read_text())
    assert (told["release"], told["passes"]) == ("R1", False)
    assert told["counts"] == {"passed": 1, "failed": 2, "warned": 1, "not applicable": 1}
    by_id = {r["id"]: r for r in told["rules"]}
    assert by_id["S9"]["rows"] == len(by_id["S9"]["first_rows"]) == 21
    assert by_id["V6"]["first_rows"][0]["geoid"] == "01001"
    assert by_id["T4"]["not_applicable_because"].startswith("the release is partial")
    text = (tmp_path / report.REPORT_TEXT).read_text()
    assert "does NOT pass the gate" in text
    assert text.index("### V1") < text.index("### S9") < text.index("| G3 |") < text.index("| T4 |")
    assert "21 rows in all, the first 20 are shown" in text
    error = GateFailedError(asked, "R1")
    assert "2 blocking rules are broken: rule V1" in str(error)
    assert "geoid 01001" in str(error)
    rows = listed([{"a": f"x|{i}"} for i in range(1500)]).rows
    many = GateReport((report.Result(rule("V1"), "failed", 1500, rows),))
    assert "x\\|0" in many.as_text("R")
    assert len(json.loads(many.as_json("R"))["rules"][0]["first_rows"]) == 1000


def test_the_register_is_whole():
    ids = [r.id for r in RULES]
    assert len(set(ids)) == len(ids)
    for r in RULES:
        assert re.fullmatch(r"[GSVXAQT]\d+(\.[a-z]+)?", r.id)
        assert r.title
        assert r.evidence
        assert r.catches
        for cited in re.findall(r"tests/\w+\.py|`(?:metrics|sources|schemas)[./][\w./]*`", r.place):
            path = cited.strip("`")
            path = path if "/" in path else path.replace(".", "/")
            assert (PROJECT / path).exists() or (PROJECT / f"{path}.py").exists(), cited


def test_data_of_the_rules_name_what_exists(good):
    metrics = set(good.declared)
    for name in ("parity", "correlation_floors", "benchmarks", "without_bounds"):
        assert set(values.table(name)["metric"]) <= metrics, name
    assert set(values.NEVER_ZERO) <= metrics
    # Names that stand in the code of the rules are names of metrics, so that no rule looks for what is not there.
    code = "".join(p.read_text() for p in sorted((PROJECT / "outputs" / "rules").glob("*.py")))
    named = set(re.findall(r'"((?:share|rate|ratio|pctl|count|coverage|index)_[a-z0-9_]+)"', code))
    assert len(named) > 10
    assert named <= metrics | {"share_affordable"}
    assert set(across.table("breaks")["predictor"]) <= set(good.entries)


# --- The page of mistakes -------------------------------------------------------------------------------------------


def test_the_page_of_mistakes_is_up_to_date():
    assert (PROJECT / "docs" / "mistakes.md").read_text() == page(), "run `make docs`"


def test_every_mistake_is_caught_by_a_rule_and_every_entry_of_the_list_has_its_rule():
    assert all(m.rules and m.evidence for m in MISTAKES)
    assert {i for m in MISTAKES for i in m.rules} <= {r.id for r in RULES}
    # The list of documented mistakes has these entries; each has a rule here or says where it is kept.
    entries = {"G": 9, "S": 9, "V": 13, "X": 9, "A": 9, "Q": 15, "T": 10}
    assert {r.family for r in RULES} == {f"{letter}{n}" for letter, last in entries.items() for n in range(1, last + 1)}


def test_a_rule_kept_elsewhere_says_where_and_one_of_the_release_has_a_check():
    with pytest.raises(ValueError, match="has a check"):
        Rule("T99", "Holds", "block", "e", "c")
    with pytest.raises(ValueError, match="where it is kept"):
        Rule("T99", "Holds", "block", "e", "c", where="tests")
