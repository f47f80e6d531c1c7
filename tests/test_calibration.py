"""The calibration report: cities that are counties, drift from year to year, and the Bureau's published tables."""

import polars as pl
import pytest

from metrics.catalog import catalog
from outputs.calibration import (
    COMPARED,
    MEANING,
    PUBLISHED,
    WHY,
    as_markdown,
    beside_published,
    calibrate,
    coterminous,
    drift,
    report,
)
from outputs.pairs import agrees, pairs_list, side_by_side

ENTRIES = catalog()
COLUMNS = ("year", "level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample", "value", "lb", "ub",
           "n_areas", "reason")  # fmt: skip


def row(level, geoid, value, *, metric="share_employed", sample="acs1", year=2018, lb=None, ub=None, areas=1, why=None):
    return (year, level, geoid[:2], geoid[2:], "all", "All", metric, sample, value, lb, ub, areas, why)


def long(*rows):
    types = {"value": pl.Float64, "lb": pl.Float64, "ub": pl.Float64, "reason": pl.String, "year": pl.Int32}
    return pl.DataFrame(list(rows), schema=list(COLUMNS), orient="row", schema_overrides=types).lazy()


def test_the_pairs_are_the_22_cities_with_the_people_of_their_county():
    pairs = pairs_list()
    assert pairs.height == 22
    assert pairs["place"].n_unique() == pairs["county"].n_unique() == 22
    assert (pairs["place"].str.len_bytes() == 7).all()
    assert (pairs["county"].str.len_bytes() == 5).all()
    assert (pairs["place"].str.head(2) == pairs["county"].str.head(2)).all()
    assert pairs.filter(pl.col("place").str.starts_with("51")).height == 11


def test_survey_figures_of_a_pair_agree_to_the_millionth_others_to_a_hundredth():
    frame = long(
        row("county", "08031", 0.8),
        row("place", "0820000", 0.8 + 1e-9),
        row("county", "02020", 0.8),
        row("place", "0203000", 0.80001),
        row("county", "08031", 10.0, metric="rate_crime_violent", sample="nibrs"),
        row("place", "0820000", 10.09, metric="rate_crime_violent", sample="nibrs"),
        row("county", "24510", 10.0, metric="rate_crime_violent", sample="nibrs"),
        row("place", "2404000", 12.0, metric="rate_crime_violent", sample="nibrs"),
    )
    found = coterminous(frame, ENTRIES)
    said = {(r["metric"], r["name"]): r for r in found.iter_rows(named=True)}
    assert said["share_employed", "Denver, Colorado"]["agrees"]
    assert said["share_employed", "Denver, Colorado"]["reason"] is None
    assert not said["share_employed", "Anchorage, Alaska"]["agrees"]
    assert said["share_employed", "Anchorage, Alaska"]["reason"] == "none is known"
    assert said["rate_crime_violent", "Denver, Colorado"]["agrees"]
    baltimore = said["rate_crime_violent", "Baltimore, Maryland"]
    assert not baltimore["agrees"]
    assert (baltimore["difference"], baltimore["relative"]) == (2.0, 0.2)
    assert baltimore["reason"] == WHY["crime"]


def test_gate_and_report_compare_the_same_pairs_and_differ_in_how_close_they_must_be():
    """A difference of half a percent: the report says that two figures of one survey differ, the gate lets it pass."""
    frame = long(row("county", "08031", 0.800), row("place", "0820000", 0.804))
    (pair,) = side_by_side(frame).iter_rows(named=True)
    assert (pair["county"], pair["place"], pair["relative"]) == ("08031", "0820000", pytest.approx(0.005))
    assert coterminous(frame, ENTRIES)["agrees"].to_list() == [False]
    assert side_by_side(frame).select(agrees(pl.lit(0.01))).to_series().to_list() == [True]


@pytest.mark.parametrize(("county", "place", "said"), [(0.0, 0.0, True), (0.0, 0.1, False), (None, 0.1, None)])
def test_zero_and_missing_figures_of_a_pair(county, place, said):
    frame = long(row("county", "08031", county), row("place", "0820000", place))
    assert side_by_side(frame).select(agrees(pl.lit(0.01))).to_series().to_list() == [said]


def test_a_pair_of_which_one_side_is_missing_says_why():
    frame = long(row("county", "08031", 0.8), row("place", "0820000", None, why="input owed"))
    (found,) = coterminous(frame, ENTRIES).iter_rows(named=True)
    assert found["difference"] is None
    assert found["reason"] == "no city figure: input owed"
    neither = long(row("county", "08031", None, why="x"), row("place", "0820000", None, why="x"))
    assert coterminous(neither, ENTRIES).is_empty()


def test_reasons_name_predictors_of_the_catalog():
    assert set(WHY) <= set(ENTRIES)
    assert set(COMPARED) <= {m.column for e in ENTRIES.values() for m in e.predictor.metrics}


def test_drift_compares_each_year_with_the_next_that_has_figures():
    values = {"08001": (0.5, 0.55), "08003": (0.6, 0.6), "08005": (0.7, 0.63), "08007": (0.8, None)}
    frame = long(
        *(row("county", geo, pair[0], year=2018) for geo, pair in values.items()),
        *(row("county", geo, pair[1], year=2021) for geo, pair in values.items()),
    )
    (found,) = drift(frame).iter_rows(named=True)
    assert (found["from_year"], found["to_year"], found["areas"]) == (2018, 2021, 3)
    assert found["median_change"] == pytest.approx(0.0)
    assert found["median_absolute_change"] == pytest.approx(0.1)
    assert found["largest_change"] == pytest.approx(0.1)
    assert found["rank_correlation"] == pytest.approx(1.0)


def test_drift_of_reversed_ranks_and_of_too_few_areas():
    turned = long(
        *(row("county", f"0800{i}", i / 10, year=2018) for i in (1, 3, 5)),
        *(row("county", f"0800{i}", 1 - i / 10, year=2019) for i in (1, 3, 5)),
    )
    assert drift(turned)["rank_correlation"].item() == pytest.approx(-1.0)
    two = turned.filter(pl.col("geo") != "005")
    assert drift(two)["rank_correlation"].item() is None


def published(value, moe, *, geoid="08031", metric="share_employed", sample="acs1"):
    row_ = (2018, "county", geoid[:2], geoid[2:], metric, sample, value, moe)
    return pl.DataFrame([row_], schema=PUBLISHED, orient="row")


@pytest.mark.parametrize(
    ("value", "moe", "overlap"),
    [(0.8, 0.01, True), (0.84, 0.01, True), (0.87, 0.01, False), (0.73, 0.01, False), (0.8, None, None)],
)
def test_intervals_at_95_percent_overlap_or_not(value, moe, overlap):
    """Ours is 0.75 to 0.85; the Bureau's margin at 90 percent is widened to 95."""
    frame = long(row("county", "08031", 0.8, lb=0.75, ub=0.85))
    found = beside_published(frame, published(value, moe))
    assert found["overlap"].item() is overlap
    assert found["alone"].item() is True


def test_margins_are_widened_to_95_percent():
    frame = long(row("county", "08031", 0.8, lb=0.75, ub=0.85))
    assert beside_published(frame, published(0.8610, 0.01))["overlap"].item() is True  # 0.8610 - 0.0119 < 0.85
    assert beside_published(frame, published(0.8621, 0.01))["overlap"].item() is False


def test_a_figure_shared_with_neighbors_says_so_and_other_samples_are_not_compared():
    shared = long(row("county", "08031", 0.8, lb=0.75, ub=0.85, areas=3))
    assert beside_published(shared, published(0.8, 0.01))["alone"].item() is False
    assert beside_published(shared, published(0.8, 0.01, sample="acs5")).is_empty()


def test_what_is_not_at_hand_is_owed():
    frame = long(row("county", "08031", 0.8), row("county", "08031", 50_000.0, metric="pctl_income_50", sample="acs5"))
    found = calibrate(frame, ENTRIES, None)
    assert found.published.is_empty()
    assert [what.partition(":")[0] for what in found.owed] == ["share_employed", "pctl_income_50"]
    some = calibrate(frame, ENTRIES, published(5e4, 1e3, metric="pctl_income_50", sample="acs5"))
    assert [what.partition(":")[0] for what in some.owed] == ["share_employed"]
    text = as_markdown(some, "SYNTHETIC")
    for said in ("SYNTHETIC", "`pctl_income_50` (acs5)", "Owed", "S2301", "No pair of this release has figures."):
        assert said in text


def test_the_report_is_written_into_a_release(tmp_path):
    frame = long(row("county", "08031", 0.8), row("place", "0820000", 0.8), row("county", "08031", 0.82, year=2019))
    frame.collect().write_parquet(tmp_path / "estimates.parquet")
    report(ENTRIES, None)(tmp_path)
    folder = tmp_path / "calibration"
    assert {p.name for p in folder.iterdir()} == {"calibration.md", "coterminous.csv", "drift.csv", "published.csv"}
    for table, meanings in MEANING.items():
        with (folder / f"{table}.csv").open(encoding="utf-8") as file:
            assert file.readline().strip().split(",") == list(meanings), table
    text = (folder / "calibration.md").read_text(encoding="utf-8")
    assert "| `share_employed` | 1 | 1 | 0 | 0.00% |  |" in text
    assert "| `share_employed` (acs1) | county | 2018-2019 | 1 | 2.50% | 2.50% |  |" in text
    assert "Denver" in (folder / "coterminous.csv").read_text(encoding="utf-8")


@pytest.mark.e2e
@pytest.mark.xdist_group("sample")
def test_every_release_has_its_calibration(sample_root):
    name = (sample_root / "published" / "LATEST").read_text().strip()
    folder = sample_root / "published" / name / "calibration"
    text = (folder / "calibration.md").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    pairs = pl.read_csv(folder / "coterminous.csv", null_values=["NA"], infer_schema_length=None)
    assert pairs.filter(pl.col("predictor").is_in(["employment", "income", "preschool"]))["agrees"].all()
    assert pairs.filter(~pl.col("agrees"))["reason"].str.len_chars().min() > 0
    moved = pl.read_csv(folder / "drift.csv", null_values=["NA"], infer_schema_length=None)
    assert set(moved["level"]) == {"county", "place"}
    sums = (folder.parent / "SHA256SUMS").read_text()
    assert "calibration/calibration.md" in sums
