"""Every rule of tables and estimates holds for good data and is broken by the mistake it guards against."""

import dagster as dg
import polars as pl
import pytest

from metrics.catalog import catalog
from metrics.predictor import complete
from outputs.area_matches import COLUMNS, county_matches
from outputs.estimate_rules import GATE, broken_by, estimate_rules, known_counties
from outputs.rules.register import RULES as RELEASE_REGISTER
from pipelines import data_checks
from pipelines.engine import refresh_table
from pipelines.judge import MATCHES, diagnose, findings_of, judge_estimates, table_judge
from pipelines.settings import Settings
from pipelines.workspace import Account, Workspace
from schemas.data_rules import SHOWN_ROWS, DataRule, Finding, ask
from schemas.errors import GateError, InputError
from schemas.table_rules import RULES, SUMMARY, table_rules, to_be_asked

REGIONS = 2022


def universe(year):
    """Two counties and a city of North Carolina, and two of Connecticut's counties or regions of the year."""
    connecticut = ("110", "120") if year >= REGIONS else ("001", "003")
    rows = [("county", "37", "067"), ("county", "37", "081"), ("place", "37", "75000")]
    rows += [("county", "09", geo) for geo in connecticut]
    return pl.DataFrame(rows, schema=["level", "state", "geo"], orient="row")


# Tables ---------------------------------------------------------------------------------------------------------------

PUMAS = pl.DataFrame({
    "level": ["county", "county", "county", "place"], "state": ["37"] * 4, "geo": ["067", "081", "081", "75000"],
    "puma": ["01801", "01801", "01802", "01801"], "puma_vintage": [2010] * 4, "afact": [0.4, 0.6, 0.9998, 0.4],
})  # fmt: skip
TRACTS = pl.DataFrame({
    "state": ["37"] * 2, "county": ["067"] * 2, "tract": ["000100"] * 2, "place": ["75000", "28000"],
    "afact": [0.5, 0.5], "afact2": [0.1, 0.2], "tract_vintage": [2010] * 2,
})  # fmt: skip
ZIPS = TRACTS.select(zcta=pl.lit("27101"), afact="afact", afact2="afact2", zcta_vintage=pl.lit(2020))
CELLS = pl.DataFrame({"establishments": [3, 12]})
GOOD = {
    "spine": pl.DataFrame({"name": ["Forsyth County", "St. Louis city"]}),
    "puma_geography": PUMAS,
    "puma_allocation": PUMAS,
    "tract_place": TRACTS,
    "tract_place_2010": TRACTS,
    "zcta_place": ZIPS,
    "zcta_place_area": pl.DataFrame({"zcta": ["27101", "27101"], "permille": [400, 600]}),
    "county_place": TRACTS.select("state", "county", "place", "afact"),
    "acs1_persons": pl.DataFrame({"survey_year": [2018], "puma_vintage": [2010]}),
    "acs5_persons": pl.DataFrame({"survey_year": [2014, 2016, 2018], "puma_vintage": [2010] * 3}),
    "qcew_county": pl.DataFrame({
        "disclosed": [True, False], "weekly_wage": [900.0, None], "employment": [10.0, None],
        "total_wages": [5e5, None],
    }),
    "mit_living_wage": pl.DataFrame({"dollars_year": [2019, 2019]}),
    "cbp_county": CELLS,
    "cbp_zip": CELLS,
    "seda_county": pl.DataFrame({"grade": [3, 8], "spring": [2014, 2019]}),
    "seda_district": pl.DataFrame({"grade": [3, 8], "spring": [2014, 2019]}),
}  # fmt: skip
GOOD |= {"acs1_households": GOOD["acs1_persons"], "acs5_households": GOOD["acs5_persons"]}
OTHER_CENSUS = pl.when(pl.col("puma") == "01802").then(2020).otherwise(2010).alias("puma_vintage")
LESS = pl.when(pl.col("geo") == "067").then(0.39).otherwise(pl.col("afact")).alias("afact")
MORE = pl.when(pl.col("level") == "place").then(1.001).otherwise(pl.col("afact")).alias("afact")
FIRST = pl.int_range(pl.len()) == 0


def first(column, value):
    return pl.when(FIRST).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)


TABLE_MISTAKES = [
    ("spine", "G7", first("name", " Forsyth County")),
    ("spine", "G7", first("name", "NA")),
    ("spine", "G7", first("name", "Do\ufffda Ana County")),
    ("puma_geography", "X1.counties", LESS),
    ("puma_geography", "X1.places", MORE),
    ("puma_geography", "X2", OTHER_CENSUS),
    ("puma_allocation", "X1.counties", LESS),
    ("puma_allocation", "X1.places", MORE),
    ("puma_allocation", "X2", OTHER_CENSUS),
    ("tract_place", "X1.places", first("afact", 0.502)),
    ("tract_place", "X2", first("tract_vintage", 2020)),
    ("tract_place", "X9", first("afact2", None)),
    ("tract_place_2010", "X1.places", first("afact", 0.502)),
    ("tract_place_2010", "X2", first("tract_vintage", 2020)),
    ("tract_place_2010", "X9", first("afact2", None)),
    ("zcta_place", "X1.places", first("afact", 0.502)),
    ("zcta_place", "X2", first("zcta_vintage", 2010)),
    ("zcta_place", "X9", first("afact2", None)),
    ("zcta_place_area", "X1.places", first("permille", 402)),
    ("county_place", "X1.places", first("afact", 0.502)),
    *((f"acs1_{what}", "A1", first("survey_year", 2017)) for what in ("persons", "households")),
    *((f"acs5_{what}", "A1", first("survey_year", 2013)) for what in ("persons", "households")),
    *((f"acs{n}_{what}", "X5", first("puma_vintage", 2000)) for n in (1, 5) for what in ("persons", "households")),
    ("qcew_county", "Q1", pl.col("weekly_wage").fill_null(0.0)),
    ("mit_living_wage", "Q2", first("dollars_year", 2022)),
    ("cbp_county", "Q10", first("establishments", 2)),
    ("cbp_zip", "Q10", first("establishments", 0)),
    ("seda_county", "Q8", first("spring", 2013)),
    ("seda_district", "Q8", first("spring", 2015)),
]


@pytest.mark.parametrize("name", list(RULES))
def test_good_tables_break_no_rule_and_every_rule_has_its_mistake(name):
    found = ask(table_rules(name, 2018), GOOD[name])
    assert [f.id for f in found if not f.passed] == []
    assert {f.id for f in found} == {rule for table, rule, _ in TABLE_MISTAKES if table == name}


@pytest.mark.parametrize(("name", "rule", "mistake"), TABLE_MISTAKES)
def test_a_mistake_in_a_table_is_found_with_its_rows(name, rule, mistake):
    found = {f.id: f for f in ask(table_rules(name, 2018), GOOD[name].with_columns(mistake))}
    assert not found[rule].passed
    assert found[rule].rows
    assert [f.id for f in found.values() if not f.passed] == [rule]


def test_there_is_no_one_year_file_of_2020_and_withholding_begins_in_2017():
    one = pl.DataFrame({"survey_year": [2020], "puma_vintage": [2010]})
    assert not ask(table_rules("acs1_persons", 2020), one)[0].passed
    few = pl.DataFrame({"establishments": [1, 2]})
    assert ask(table_rules("cbp_county", 2016), few)[0].passed
    assert ask(table_rules("cbp_county", 2017), few)[0].failing == 2


def test_two_vintages_of_areas_in_a_five_year_file_are_lawful_if_each_year_has_one():
    both = pl.DataFrame({"survey_year": [2018, 2021, 2022], "puma_vintage": [2010, 2010, 2020]})
    assert ask(table_rules("acs5_persons", 2022), both)[1].passed
    recoded = pl.DataFrame({"survey_year": [2019, 2023], "puma_vintage": [2020, 2020]})
    assert ask(table_rules("acs5_persons", 2023), recoded)[1].passed
    doubled = pl.DataFrame({"survey_year": [2021, 2021], "puma_vintage": [2010, 2020]})
    assert ask(table_rules("acs5_persons", 2022), doubled)[1].failing == 2


def test_of_microdata_only_distinct_values_are_looked_at():
    people = pl.LazyFrame({"survey_year": [2018] * 4, "puma_vintage": [2010] * 4, "perwt": [1, 2, 3, 4]})
    assert to_be_asked("acs1_persons", people).shape == (1, 2)
    assert set(SUMMARY) <= set(RULES)


# Estimates ------------------------------------------------------------------------------------------------------------


def good(key, year):
    """A whole set of estimates in which every geography has a figure that keeps every rule."""
    predictor = catalog()[key].predictor
    frame = complete(pl.DataFrame(schema={"level": pl.String, "state": pl.String, "geo": pl.String,
        "subgroup_type": pl.String, "subgroup": pl.String, "metric": pl.String, "sample": pl.String}),
        predictor, year, universe(year))  # fmt: skip
    order = pl.int_range(pl.len()).cast(pl.Float64)
    interval = pl.col("metric").is_in([m.column for m in predictor.metrics if m.interval != "none"])
    step = pl.col("metric").replace_strict({"pctl_income_50": 0.1, "pctl_income_80": 0.2}, default=0.0)
    value = 0.5 + step + order * 1e-6
    return frame.with_columns(value=value, quality=pl.lit(1, pl.Int8), n=pl.lit(100, pl.Int64)).with_columns(
        lb=pl.when(interval).then(pl.col("value") - 0.05),
        ub=pl.when(interval).then(pl.col("value") + 0.05),
        n_effective=pl.lit(90.0),
        numerator=pl.lit(50.0),
        denominator=pl.lit(100.0),
        estimation_area=pl.lit("here"),
        n_areas=pl.lit(1, pl.Int32),
        reason=pl.lit(None, pl.String),
    )


def nothing(frame):
    missing = ("value", "lb", "ub", "quality")
    return frame.with_columns(pl.lit(None, frame.schema[c]).alias(c) for c in missing).with_columns(
        reason=pl.lit("area not covered by source")
    )


def put(**values):
    return lambda frame: frame.with_columns(first(c, v) for c, v in values.items())


def far_out(frame):
    many = pl.concat([frame.head(1)] * 200).with_columns(value=0.5 + pl.int_range(200) * 1e-4)
    return pl.concat([many, frame.head(1).with_columns(value=pl.lit(0.9))])


OLD = pl.col("geo") == "110"
MISTAKES = [
    ("employment", 2018, "G1", lambda f: f.tail(-1)),
    ("employment", 2018, "G1", put(geo="999")),
    ("employment", 2018, "G2", lambda f: pl.concat([f, f.head(1)])),
    ("employment", 2018, "G3", put(geo="67")),
    ("employment", 2018, "G4", put(state="46", geo="113")),
    ("employment", 2014, "G4", put(state="02", geo="158")),
    ("employment", 2022, "G5", lambda f: f.with_columns(
        pl.when(OLD).then(None).otherwise(pl.col("value")).alias("value"),
        pl.when(OLD).then(None).otherwise(pl.col("quality")).alias("quality"),
        pl.when(OLD).then(None).otherwise(pl.col("lb")).alias("lb"),
        pl.when(OLD).then(None).otherwise(pl.col("ub")).alias("ub"),
        pl.when(OLD).then(pl.lit("source on old counties")).alias("reason"))),
    ("employment", 2018, "G8", put(year=2017)),
    ("employment", 2018, "S2", put(subgroup="Everybody")),
    ("employment", 2018, "V1", put(quality=None)),
    ("employment", 2018, "V1", put(value=None, quality=None)),
    ("employment", 2018, "V2", put(lb=None)),
    ("employment", 2018, "V3", put(lb=0.99)),
    ("employment", 2018, "V3", put(lb=-0.1)),
    ("employment", 2018, "V4", put(quality=4)),
    ("employment", 2018, "V5", put(value=1.5, ub=1.6)),
    ("employment", 2018, "V7", put(value=0.0, lb=0.0)),
    ("living_wage", 2018, "V7", put(value=0.0, numerator=0.0)),
    ("living_wage", 2018, "Q1", put(value=0.0)),
    ("neonatal_health", 2018, "Q6", put(reason="pooled area", quality=1)),
    ("neonatal_health", 2018, "Q6", put(reason="pooled area", quality=3, estimation_area=None)),
    ("health_access", 2018, "Q12", put(value=0.0, numerator=2001.0, quality=3)),
    ("health_access", 2018, "Q12", put(value=0.0, numerator=500.0, quality=1)),
    ("employment", 2018, "A6", put(n_effective=29.9999)),
    ("digital_access", 2023, "A6", put(n=29)),
    ("income", 2018, "A9", lambda f: f.with_columns(
        pl.when(pl.col("metric") == "pctl_income_50").then(0.45).otherwise(pl.col("value")).alias("value"))),
    ("employment", 2018, "V3.width", put(lb=0.5, ub=0.5)),
    ("employment", 2018, "V6", far_out),
    ("employment", 2018, "V9", nothing),
    ("employment", 2018, "V12", put(denominator=29.0)),
    ("political_participation", 2020, "Q13", put(value=1.0)),
]  # fmt: skip


@pytest.mark.parametrize(("key", "year"), sorted({(key, year) for key, year, _, _ in MISTAKES}))
def test_good_estimates_break_no_rule(key, year):
    frame, predictor = good(key, year), catalog()[key].predictor
    assert [f.id for f in ask(estimate_rules(predictor, year, universe(year)), frame) if not f.passed] == []
    assert [f.id for f in ask(broken_by(frame, predictor, year, universe(year)), frame) if not f.passed] == []


@pytest.mark.parametrize(("key", "year", "rule", "mistake"), MISTAKES)
def test_a_mistake_in_estimates_is_found_with_its_rows(key, year, rule, mistake):
    frame, predictor = mistake(good(key, year)), catalog()[key].predictor
    found = {f.id: f for f in ask(broken_by(frame, predictor, year, universe(year)), frame)}
    assert not found[rule].passed, rule
    assert found[rule].rows


def test_every_rule_of_every_predictor_has_its_mistake():
    """X4 is held where no estimate comes to be: the estimator refuses records it cannot place. G9 is of the inputs."""
    rules = {r.id for e in catalog().values() for r in estimate_rules(e.predictor, 2022, universe(2022))}
    assert rules - {rule for _, _, rule, _ in MISTAKES} == {"X4", "G9"}


def test_ids_are_those_of_the_list_of_mistakes():
    families = {r.family for r in RELEASE_REGISTER}
    ours = {r.id for e in catalog().values() for r in estimate_rules(e.predictor, 2022, universe(2022))}
    ours |= {r.id for name in RULES for r in table_rules(name, 2022)}
    assert {i.partition(".")[0] for i in ours} <= families


def test_figures_without_an_interval_by_declaration_or_reason_need_none():
    frame = good("employment", 2018).with_columns(first("lb", None), first("reason", "bound not defined"))
    predictor = catalog()["employment"].predictor
    assert [f.id for f in ask(estimate_rules(predictor, 2018, universe(2018)), frame) if f.blocks] == []


def test_a_rule_is_asked_in_exactly_one_way():
    with pytest.raises(ValueError, match="exactly one way"):
        DataRule("V1", "values", "block", "t")
    with pytest.raises(ValueError, match="exactly one way"):
        DataRule("V1", "values", "block", "t", bad=pl.lit(True), held_by=GATE)


def test_all_failing_rows_are_counted_and_the_first_are_kept():
    rule = DataRule("V1", "values", "block", "t", bad=pl.col("x") > 0)
    found = ask([rule], pl.DataFrame({"x": list(range(100))}))[0]
    assert (found.failing, len(found.rows), found.checked) == (99, SHOWN_ROWS, 100)
    assert Finding.from_told(found.told()) == found


# How they reach accounts and pages ------------------------------------------------------------------------------------


def account(name="employment", year=2018, rows=0):
    return Account(name, year, "f", "c", None, "sample", rows=rows)


def test_a_broken_blocking_rule_refuses_and_a_warning_does_not():
    predictor = catalog()["employment"].predictor
    bad = put(n_effective=3.0)(good("employment", 2018))
    with pytest.raises(GateError, match=r"A6 .* 1 rows, such as") as caught:
        judge_estimates(account(), predictor, bad, universe(2018), {})
    assert [f.id for f in caught.value.findings if f.blocks] == ["A6"]
    kept = account()
    judge_estimates(kept, predictor, put(denominator=29.0)(good("employment", 2018)), universe(2018), {})
    assert [f.id for f in findings_of(kept) if not f.passed] == ["V12"]
    assert kept.rules


COUNTIES = pl.DataFrame({"state": ["09", "09", "37", "37", "48"], "geo": ["001", "003", "067", "081", "301"]})
WAGES = COUNTIES.select("state", county="geo", ownership=pl.lit(0)).lazy()


def test_inputs_whose_counties_no_year_knows_are_refused():
    """One column too far: both sides of the join find nothing, and no row says so."""
    predictor, frame = catalog()["employment"].predictor, good("employment", 2018)
    kept = account()
    judge_estimates(kept, predictor, frame, universe(2018), {"wages": WAGES, "owed": None})
    assert [f.id for f in findings_of(kept) if not f.passed] == []
    (fits,) = kept.notes[MATCHES]
    assert (fits["table"], fits["counties"], fits["unknown"], fits["without_a_row"]) == ("wages", 4, 0, 0)
    shifted = WAGES.with_columns(county=pl.col("county").replace("067", "670"))
    with pytest.raises(GateError, match=r"G9 .*670") as caught:
        judge_estimates(account(), predictor, frame, universe(2018), {"wages": shifted})
    (broken,) = [f for f in caught.value.findings if f.blocks]
    assert (broken.id, broken.rows[0]["examples"], broken.rows[0]["without_a_row"]) == ("G9", "37670", 1)


def test_codes_of_another_year_and_what_is_in_no_county_are_no_mistake():
    regions = universe(2022)
    rest = pl.DataFrame({"state": ["37", "37", "02"], "geo": ["999", "000", "201"]})
    former = pl.concat([COUNTIES, rest]).lazy()
    (fits,) = county_matches({"births": former}, regions, known_counties()).to_dicts()
    assert {k: fits[k] for k in ("counties", "unknown", "of_another_year", "without_a_row")} == {
        "counties": 4, "unknown": 0, "of_another_year": 2, "without_a_row": 2,
    }  # fmt: skip
    both = pl.concat([COUNTIES.with_columns(level=pl.lit("county")), pl.DataFrame(
        {"state": ["37"], "geo": ["75000"], "level": ["place"]})]).lazy()  # fmt: skip
    assert county_matches({"both": both}, universe(2018), known_counties())["unknown"].to_list() == [0]
    other = {"cities": pl.LazyFrame({"state": ["37"], "geo": ["75000"]}), "prices": pl.LazyFrame({"year": [2018]})}
    assert county_matches(other, universe(2018), known_counties()).is_empty()


@pytest.mark.parametrize(("counties", "unknown", "broken"), [(100, 1, 0), (99, 1, 1), (300, 3, 0), (300, 4, 1)])
def test_one_percent_of_a_tables_counties_may_be_unknown(counties, unknown, broken):
    row = {"table": "t", "counties": counties, "unknown": unknown, "of_another_year": 0, "without_a_row": 0}
    matches = pl.DataFrame([row | {"examples": ""}], schema=COLUMNS)
    rules = estimate_rules(catalog()["employment"].predictor, 2018, universe(2018), matches)
    (found,) = ask([r for r in rules if r.id == "G9"], good("employment", 2018))
    assert found.failing == broken


def test_what_the_gate_refuses_is_said_by_rule():
    predictor = catalog()["employment"].predictor
    frame = good("employment", 2018).tail(-2)
    said = diagnose(GateError("estimates", ["row missing"]), predictor, frame, universe(2018), 2018)
    assert str(said) == str(GateError("estimates", ["row missing"]))
    assert [(f.id, f.failing) for f in said.findings if f.blocks] == [("G1", 2)]
    results = {r.check_name: r for r in data_checks.refused(data_checks.ESTIMATE_GROUPS, said)}
    assert {n: r.passed for n, r in results.items()} == {"keys": False, "values": True, "plausible": True}
    assert results["keys"].severity is dg.AssetCheckSeverity.ERROR
    assert results["keys"].description == "1 of 8 rules broken: G1 (2)"
    table = results["keys"].metadata["rows that break G1"]
    assert len(table.records) == 2
    assert {c.name for c in table.schema.columns} >= {"level", "geo", "what"}


def test_checks_of_a_page_say_at_a_glance_what_is_wrong():
    found = [
        Finding("V3", "values", "block", "order", 9, 2, ({"geo": "001"},)),
        Finding("V1", "values", "block", "together", 9, 0),
        Finding("V6", "plausible", "warn", "far", 9, 1, ({"geo": "003"},)),
    ]
    keys, values, plausible = data_checks.results(data_checks.ESTIMATE_GROUPS, found)
    assert keys.passed
    assert (values.passed, values.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert values.description == "1 of 2 rules broken: V3 (2)"
    lines = values.metadata["rules"].records
    assert [(x.data["rule"], x.data["result"]) for x in lines] == [("V3", "BROKEN"), ("V1", "holds")]
    assert values.metadata["rows that break V3"].records[0].data == {"geo": "001"}
    assert (plausible.passed, plausible.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_wrong_file_is_named_on_the_page():
    error = InputError("is no number.", source="cbp", file="cbp22co.zip", row=7, column="EST")
    (result,) = data_checks.refused(["schema"], error)
    assert result.metadata["rows"].records[0].data == {
        "source": "cbp", "file": "cbp22co.zip", "row": "7", "column": "EST", "problem": "is no number.",
    }  # fmt: skip


def workspace(tmp_path):
    return Workspace(Settings(_env_file=None, data=str(tmp_path / "data"), profile="live"))


def test_a_table_that_breaks_a_rule_is_not_written_and_the_last_good_one_stays(tmp_path):
    ws = workspace(tmp_path)
    name = "puma_allocation"
    kept = Account(name, 2018, "f", "c", None, "live")
    ws.write("tables", PUMAS, kept, inspect=table_judge(kept))
    assert findings_of(ws.account("tables", name, 2018))
    for bad in (PUMAS.with_columns(LESS), PUMAS.with_columns(LESS).lazy()):
        refused = Account(name, 2018, "g", "c", None, "live")
        with pytest.raises(GateError, match=r"X1\.counties"):
            ws.write("tables", bad, refused, inspect=table_judge(refused))
        assert ws.scan("tables", name, 2018).collect().equals(PUMAS)
        assert ws.account("tables", name, 2018).fingerprint == "f"
        assert [p.name for p in (ws.root / "tables" / name).iterdir() if "tmp" in p.name] == []


def test_a_table_made_before_the_rules_changed_is_asked_again_without_being_made_again(tmp_path, monkeypatch):
    ws = workspace(tmp_path)
    kept = Account("puma_allocation", 2018, "f", "c", None, "live")
    ws.write("tables", PUMAS, kept)
    monkeypatch.setattr("pipelines.engine.table_is_fresh", lambda *_: True)
    written = (ws.root / "tables" / "puma_allocation" / "2018.parquet").stat().st_mtime_ns
    assert refresh_table(ws, "puma_allocation", 2018).status == "unchanged"
    assert [f.id for f in findings_of(ws.account("tables", "puma_allocation", 2018))][-1] == "X2"
    assert (ws.root / "tables" / "puma_allocation" / "2018.parquet").stat().st_mtime_ns == written
