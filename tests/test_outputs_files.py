"""Published files as data: names, rows and columns; the suppression list; text and typed forms hold the same cells."""

import gzip

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_reference import declared

from metrics.catalog import catalog
from metrics.predictor import Entry, Metric, Predictor, Series
from outputs import suppress
from outputs.files import FILES, choices, columns, is_written, published_file, reference_columns, series_of
from outputs.wide import assemble, universe
from outputs.write import (
    as_text,
    csv_text,
    differences,
    gzip_writer,
    number_text,
    read_csv,
    write_csv,
    write_parquet,
)
from schemas.errors import GateError, InputError
from schemas.estimate import ESTIMATE, empty
from schemas.labels import GENDER, RACE_SHARE, SUBGROUPS


def test_the_eighteen_files():
    assert [f.number for f in FILES] == [*range(11, 21), *range(61, 69)]
    assert published_file(11).stem == "11_mobility-metrics_county_longitudinal"
    assert published_file(12).stem == "12_mobility-metrics_county_race-ethnicity_longitudinal"
    assert published_file(20).stem == "20_mobility-metrics_county_mothers_education_longitudinal"
    assert published_file(68).stem == "68_mobility-metrics_place_disability_longitudinal"
    assert published_file(13).cells == (("all", "All"), *(("race-share", label) for label in RACE_SHARE))
    assert [len(f.cells) for f in FILES] == [1, 7, 4, 7, 5, 3, 3, 3, 8, 5, 1, 7, 4, 7, 5, 3, 3, 3]
    assert len({f.view for f in FILES}) == len(FILES)
    with pytest.raises(KeyError, match="no published file 21"):
        published_file(21)


def test_columns_of_both_layouts_hold_the_same_figures():
    entries = declared()
    for file in FILES:
        clean = [c for c in columns(file, entries) if c.role == "metric"]
        theirs = [c for c in columns(file, entries, "reference") if c.role == "metric"]
        only_clean = {c.name for c in clean} - {c.name for c in theirs}
        assert {c.name for c in theirs} <= {c.name for c in clean}
        # The reference has no bounds for cities where only counties have them.
        assert only_clean <= {
            f"{m}_{b}" for m in ("share_debt_coll", "share_economic_connectedness") for b in ("lb", "ub")
        }
        assert (file.level == "place") or not only_clean


def test_clean_blocks_are_regular_and_in_one_order():
    entries = declared()
    order = [c.metric for c in columns(published_file(11), entries) if c.part == "value"]
    for file in FILES:
        listed = [c for c in columns(file, entries) if c.role == "metric"]
        metrics = [c.metric for c in listed if c.part == "value"]
        assert metrics == [m for m in order if m in metrics]
        for metric in metrics:
            parts = [c.part for c in listed if c.metric == metric]
            assert parts in (["value", "quality"], ["value", "lb", "ub", "quality"])
    group = [c.name for c in columns(published_file(66), entries)][:7]
    assert group == ["year", "state", "place", "state_name", "place_name", "subgroup_type", "subgroup"]
    overall = [c.name for c in columns(published_file(61), entries)][:6]
    assert overall == ["year", "state", "place", "state_name", "place_name", "population"]


def test_the_catalog_gives_the_files_what_is_published():
    """Metrics, years, and labels of each file follow from the declarations, and are those of the reference."""
    ours = catalog()
    theirs = {key: entry for key, entry in declared().items() if key in ours}
    assert theirs
    for file in FILES:
        assert columns(file, ours) == columns(file, theirs), file.stem
        left, right = (choices(file, e).select("metric", "year").sort("metric", "year") for e in (ours, theirs))
        assert left.equals(right), file.stem
        for predictor, metric, year, _ in choices(file, ours).iter_rows():
            labels = [
                set(series_of(e[predictor].predictor, file, metric, year).subgroups.get(file.kind, ()))
                for e in (ours, theirs)
            ]
            assert file.overall or labels[0] == labels[1], (file.stem, metric, year)


def test_a_predictor_that_is_not_there_leaves_clean_columns_out_and_reference_columns_empty():
    entries = {"living_wage": declared()["living_wage"]}
    assert [f.number for f in FILES if is_written(f, entries)] == [11, 19]
    file = published_file(11)
    assert [c.name for c in columns(file, entries) if c.role == "metric"] == [
        "ratio_living_wage",
        "ratio_living_wage_quality",
    ]
    assert len(columns(file, entries, "reference")) == 6 + len(reference_columns(11)) == 124


def test_long_only_groups_stand_in_no_file():
    series = Series("acs5", (2018,), (), subgroups={"gender": GENDER}, long_only=("gender",))
    metric = Metric("share_x", "X", "share")
    entries = {"x": Entry(Predictor("x", "X", "health", "", (metric,), (series,), (), ""), empty, None)}
    assert [f.number for f in FILES if is_written(f, entries)] == [11, 61]


def test_two_estimates_for_one_cell_are_refused():
    entries = {"living_wage": declared()["living_wage"]}
    row = dict.fromkeys(ESTIMATE) | {
        "year": 2018,
        "level": "county",
        "state": "01",
        "geo": "001",
        "subgroup_type": "all",
        "subgroup": "All",
        "metric": "ratio_living_wage",
        "sample": "qcew_annual",
        "value": 0.5,
        "quality": 1,
    }
    spine = {
        "level": ["county"],
        "state": ["01"],
        "geo": ["001"],
        "name": ["A"],
        "state_name": ["B"],
        "population": [1],
    }
    places = universe({2018: pl.DataFrame(spine)}, "county")
    twice = pl.DataFrame([row, row | {"value": 0.6}], schema=ESTIMATE)
    once = assemble(published_file(11), twice.head(1).lazy(), places, entries).frame
    assert once.select("ratio_living_wage", "ratio_living_wage_quality").row(0) == (0.5, "Strong")
    with pytest.raises(GateError, match="two estimates for one cell"):
        assemble(published_file(11), twice.lazy(), places, entries)
    with pytest.raises(GateError, match="duplicate geography"):
        universe({2018: pl.DataFrame({k: v * 2 for k, v in spine.items()})}, "county")


# --- Suppressions ---------------------------------------------------------------------------------------------------

HEADER = b"year,level,geoid,subgroups,metric,columns,applies_to,reason,source_note,expires\n"
RULE = b"2021,county,36061,every,rate_x,every,both,Too low.,Reviewed.,2030-01-31\n"


def test_the_list_is_lawful_and_names_metrics_of_the_catalog():
    rules = suppress.suppressions()
    assert rules.height > 0
    assert set(rules["metric"]) <= {m.column for e in declared().values() for m in e.predictor.metrics}
    crime = rules.filter(pl.col("metric").str.starts_with("rate_"))
    few_people = pl.col("geoid").is_in(["48261", "48301"])
    assert set(crime.filter(few_people).select("year", "geoid").rows()) == {
        (2021, "48301"),
        (2022, "48301"),
        (2023, "48301"),
        (2023, "48261"),
    }
    crime = crime.filter(~few_people)
    assert set(crime["geoid"]) == {"36061", "06067", "06085", "3651000", "0668000", "0664000"}
    assert 2023 not in crime["year"].to_list()


def test_each_withheld_figure_has_its_own_reason_and_a_date_that_fits_it():
    """What a next edition of the source may mend is looked at again soon; figures of past surveys stay as they are."""
    rules = suppress.suppressions().filter(pl.col("applies_to") != "reference:61")
    places = rules.group_by("reason").agg(pl.col("geoid", "metric").n_unique())
    assert places.filter(pl.col("geoid") > 1).is_empty()
    reissued = pl.col("reason").str.contains("missing or incomplete in the source")
    assert rules.filter(reissued)["expires"].max() < rules.filter(~reissued)["expires"].min()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"2021", b"21", "row 2, column year"),
        (b"county,", b"tract,", "row 2, column level"),
        (b"36061", b"6061", "row 2, column geoid"),
        (b"every,rate", b"some,rate", "row 2, column subgroups"),
        (b"every,both", b"lb,both", "row 2, column columns"),
        (b"both", b"reference:6", "row 2, column applies_to"),
        (b"Too low.", b"", "row 2, column reason"),
        (b"2030-01-31", b"2030-02-31", "row 2, column expires"),
        (RULE, RULE * 2, "row 3.*stands twice"),
    ],
)
def test_an_unlawful_list_is_refused(old, new, message):
    assert suppress.parse(HEADER + RULE).height == 1
    with pytest.raises(InputError, match=message):
        suppress.parse(HEADER + RULE.replace(old, new))


def test_a_list_without_a_column_is_refused():
    with pytest.raises(InputError, match="column reason: the column is missing"):
        suppress.parse(HEADER.replace(b"reason", b"why") + RULE)


def _crime(**change):
    row = {"year": 2021, "level": "county", "state": "36", "geo": "061", "metric": "rate_x", "sample": "nibrs"}
    row |= {"subgroup_type": "all", "subgroup": "All", "value": 3.0, "lb": 2.0, "ub": 4.0, "quality": 2, "se": 0.5}
    row |= {"numerator": 3.0, "denominator": 9.0, "n": 12, "reason": "low coverage"}
    return dict.fromkeys(ESTIMATE) | row | change


def test_suppression_takes_every_figure_and_gives_a_reason():
    rows = [
        _crime(),
        _crime(subgroup_type="gender", subgroup="Male"),
        _crime(year=2023),
        _crime(metric="rate_y"),
        _crime(geo="063"),
        _crime(value=None, quality=None, lb=None, ub=None, reason="input owed"),
    ]
    frame = pl.DataFrame(rows, schema=ESTIMATE)
    told = suppress.for_release(frame.lazy(), suppress.parse(HEADER + RULE)).collect()
    assert told.columns == frame.columns
    assert told["reason"].to_list() == ["suppressed by us"] * 2 + ["low coverage"] * 3 + ["input owed"]
    figures = told.head(2).select("value", "lb", "ub", "quality", "se", "cv", "numerator", "denominator")
    assert figures.null_count().sum_horizontal().item() == 16
    assert told["n"].to_list() == [12] * 6
    assert told.slice(2, 3).equals(frame.slice(2, 3))


def test_suppression_of_groups_leaves_everyone():
    rules = suppress.parse(HEADER + RULE.replace(b",every,rate", b",groups,rate"))
    frame = pl.DataFrame([_crime(), _crime(subgroup_type="gender", subgroup="Male")], schema=ESTIMATE)
    assert suppress.for_release(frame.lazy(), rules).collect()["value"].to_list() == [3.0, None]


def test_the_reference_suppresses_file_by_file():
    rules = suppress.parse(
        HEADER + RULE.replace(b"both", b"reference:61") + RULE.replace(b"every,both", b"quality,both")
    )
    frame = pl.DataFrame([_crime()], schema=ESTIMATE).lazy()
    for number, value in ((61, None), (67, 3.0)):
        told = suppress.for_reference(frame, number, rules).collect()
        assert told.select("value", "quality").row(0) == (value, None)
    assert suppress.for_release(frame, rules).collect()["value"].to_list() == [3.0]


# --- Writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.30000000000000004, "0.30000000000000004"),
        (904.0, "904"),
        (100000.0, "100000"),
        (-0.0, "0"),
        (0.001, "0.001"),
        (0.000782090138580633, "7.82090138580633e-4"),
        (-0.0005, "-5e-4"),
        (0.000015, "1.5e-5"),
        (2.5e-7, "2.5e-7"),
        (None, None),
    ],
)
def test_numbers_in_the_published_form(number, text):
    assert number_text(pl.Series([number], dtype=pl.Float64)).to_list() == [text]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_number_text_reads_back_to_the_same_number(numbers):
    text = number_text(pl.Series(numbers, dtype=pl.Float64))
    assert [float(t) for t in text] == numbers
    assert text.cast(pl.Float64).to_list() == numbers


FRAME = pl.DataFrame(
    {
        "year": pl.Series([2018, 2021], dtype=pl.Int32),
        "state": ["01", "35"],
        "name": ["Doña Ana County", None],
        "group": ["Trade, Transit, Utilities", 'a "quoted" word'],
        "value": [0.1 + 0.2, None],
        "population": pl.Series([None, 12], dtype=pl.Int64),
    }
)


def test_csv_form():
    assert csv_text(FRAME).decode() == (
        "year,state,name,group,value,population\n"
        '2018,01,Doña Ana County,"Trade, Transit, Utilities",0.30000000000000004,NA\n'
        '2021,35,NA,"a ""quoted"" word",NA,12\n'
    )
    assert as_text(FRAME)["value"].to_list() == ["0.30000000000000004", None]
    with pytest.raises(GateError, match="means missing"):
        csv_text(pl.DataFrame({"name": ["NA"]}))


def test_both_forms_hold_the_same_cells_and_equal_frames_give_equal_bytes(tmp_path):
    for i in range(2):
        write_csv(FRAME, tmp_path / f"{i}.csv")
        write_parquet(FRAME, tmp_path / f"{i}.parquet", {"release": "r", "synthetic": "true"})
        with gzip_writer(tmp_path / f"{i}.csv.gz") as file:
            file.write(csv_text(FRAME))
    for form in ("csv", "parquet", "csv.gz"):
        assert (tmp_path / f"0.{form}").read_bytes() == (tmp_path / f"1.{form}").read_bytes()
    back = pl.read_parquet(tmp_path / "0.parquet")
    assert back.schema == FRAME.schema
    assert differences(read_csv(tmp_path / "0.csv", FRAME.schema), back) == []
    assert gzip.decompress((tmp_path / "0.csv.gz").read_bytes()) == csv_text(FRAME)
    assert pl.read_parquet_metadata(tmp_path / "0.parquet")["synthetic"] == "true"
    with pytest.raises(GateError, match="columns"):
        read_csv(tmp_path / "0.csv", {"year": pl.Int32})


def test_differences_are_named():
    assert differences(FRAME, FRAME.head(1)) == ["2 rows are not 1"]
    assert "schema" in differences(FRAME, FRAME.drop("year"))[0]
    changed = FRAME.with_columns(pl.Series("value", [0.3, None]))
    assert differences(FRAME, changed) == [
        "value: 1 cells differ, the first in row 0: 0.30000000000000004 is not 0.3",
    ]


def test_every_label_of_the_closed_lists_has_its_row_in_a_county_file():
    rows = {cell for file in FILES if file.level == "county" for cell in file.cells}
    assert rows == {(kind, label) for kind, labels in SUBGROUPS.items() for label in labels}
