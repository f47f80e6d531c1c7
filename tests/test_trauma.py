"""Injury deaths: the rules, the published rows, the substitute source, explanations."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from health_support import Root, counties, figure, published, spine, whole
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from metrics.explanation import Cell
from metrics.health import trauma
from metrics.health.poisson import bounds
from metrics.health.trauma import DEVIATIONS, METRIC, PREDICTOR, SUBSTITUTE
from metrics.predictor import Entry
from metrics.substitute import substituted
from schemas.errors import InputError
from schemas.labels import RACE_ETHNICITY
from sources import geography
from sources.synthetic import STATE_CODES
from sources.synthetic import popest as synthetic_popest
from sources.synthetic import wonder_deaths as synthetic_deaths
from sources.synthetic.wonder_export import export
from sources.synthetic.world import World
from sources.wonder_deaths import TABLES, build_deaths, groups, queries

COLUMNS = {
    "code": pl.String,
    "deaths": pl.Int64,
    "rate": pl.Float64,
    "lb": pl.Float64,
    "ub": pl.Float64,
    "se": pl.Float64,
    "deaths_marker": pl.String,
    "rate_marker": pl.String,
}
PUBLISHED = "trauma/expected/rate_injury_deaths_metric_all_county.csv"
PUBLISHED_GROUPS = "trauma/expected/rate_injury_deaths_metric_subgroup_county.csv"
FIGURES = (("value", ""), ("lb", "_lb"), ("ub", "_ub"))
BRIDGED = "Underlying Cause of Death, 1999-2020"
SINGLE = "Underlying Cause of Death, 2018-2023, Single Race"


def table(*rows: tuple[object, ...], year: int = 2020) -> pl.LazyFrame:
    """`injury_deaths_county` of everybody; a row may end early, what is left is null."""
    filled = [(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows]
    frame = pl.DataFrame(filled, schema=COLUMNS, orient="row")
    return frame.select(
        pl.col("code").str.slice(0, 2).alias("state"),
        pl.col("code").str.slice(2).alias("geo"),
        pl.lit("all").alias("subgroup_type"),
        pl.lit("All").alias("subgroup"),
        pl.lit(year - 4).alias("first_year"),
        pl.lit(year).alias("last_year"),
        pl.lit(100_000, pl.Int64).alias("population"),
        pl.all().exclude("code"),
    ).lazy()


def universe(*codes: str) -> pl.LazyFrame:
    return counties(*((code[:2], code[2:], 1) for code in codes))


def one(*row: object, code: str = "01001", year: int = 2020) -> dict[str, object]:
    return trauma.estimate(table((code, *row), year=year), universe(code), year).row(0, named=True)


# Rules --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "value", "quality", "reason"),
    [
        ((400, 80.0, 72.2, 87.8, 4.0), 80.0, 1, None),
        ((26, 80.0, 52.3, 117.2, 15.9), 80.0, 1, None),
        ((25, 80.0, 51.8, 118.1, 16.0), 80.0, 2, "high sampling error"),
        ((20, 80.0, 48.9, 123.6, 31.9), 80.0, 2, "high sampling error"),
        ((20, 80.0, 48.9, 123.6, 32.0), 80.0, 3, "high sampling error"),
        ((15, None, 40.0, 99.0, 12.0, None, "Unreliable"), None, None, "unreliable at source"),
        ((None, None, None, None, None, "Suppressed", "Suppressed"), None, None, "suppressed at source"),
        ((0, 0.0, 0.0, 9.0, 0.0), None, None, "unreliable at source"),
        ((0, None, 0.0, 9.0, 0.0, None, "Unreliable"), None, None, "unreliable at source"),
        ((None, None, None, None, None, "Missing", "Missing"), None, None, "area not covered by source"),
    ],
)
def test_rate_quality_and_reason(row, value, quality, reason):
    found = one(*row)
    assert (found["value"], found["quality"], found["reason"]) == (value, quality, reason)
    assert (found["lb"], found["ub"]) == ((row[2], row[3]) if value is not None else (None, None))
    assert found["reference_period"] == "2016-2020"


def test_replaced_codes_are_given_the_code_of_the_year():
    rows = [("46113", 40, 190.2, 136.0, 259.0, 30.1), ("02270", 21, 260.0, 161.0, 397.0, 56.7)]
    later = trauma.estimate(table(*rows), universe("46102", "02158"), 2015).sort("state")
    assert later.select("state", "geo", "value").rows() == [("02", "158", 260.0), ("46", "102", 190.2)]
    earlier = trauma.estimate(table(*rows), universe("46113", "02270"), 2014).sort("state")
    assert earlier.select("state", "geo", "value").rows() == [("02", "270", 260.0), ("46", "113", 190.2)]
    both = table(
        ("46102", 45, 200.0, 146.0, 268.0, 29.8), ("46113", None, None, None, None, None, "Missing", "Missing")
    )
    assert trauma.estimate(both, universe("46102"), 2023)["value"].to_list() == [200.0]


def test_one_rate_for_the_two_parts_of_a_split_area():
    source = table(("02261", 66, 143.2, 107.3, 187.4, 18.1))
    parts = trauma.estimate(source, universe("02063", "02066"), 2020)
    shown = ["value", "lb", "ub", "se", "cv", "quality", "reason", "estimation_area", "n_areas"]
    assert parts.select(shown).unique().rows() == [
        (143.2, 107.3, 187.4, None, None, 3, "pooled area", "county-02261", 2)
    ]
    whole_area = trauma.estimate(source, universe("02261"), 2019)
    assert whole_area.select("quality", "estimation_area").rows() == [(1, "county-02261")]
    withheld = table(("02261", None, None, None, None, None, "Suppressed", "Suppressed"))
    assert trauma.estimate(withheld, universe("02063", "02066"), 2022)["reason"].unique().to_list() == [
        "suppressed at source"
    ]
    own = table(("02261", 66, 143.2, 107.3, 187.4, 18.1), ("02063", 50, 140.0, 103.9, 184.6, 19.8))
    found = trauma.estimate(own, universe("02063", "02066"), 2025).sort("geo")
    assert found.select("geo", "value", "quality").rows() == [("063", 140.0, 1), ("066", 143.2, 3)]


def test_connecticut_is_missing_while_the_source_has_the_former_counties():
    found = trauma.estimate(table(("09001", 400, 59.7, 53.8, 65.5, 3.0)), universe("09110", "09120"), 2022)
    assert found.select("value", "reason").unique().rows() == [(None, "source on old counties")]
    newer = trauma.estimate(table(("09110", 400, 59.7, 53.8, 65.5, 3.0)), universe("09110", "09120"), 2024)
    assert newer.sort("geo")["reason"].to_list() == [None, "area not covered by source"]


def test_dissolved_areas_drop_out_and_other_strays_are_errors():
    gone = ("51515", None, None, None, None, None, "Missing", "Missing")
    assert trauma.estimate(table(gone), universe("51001"), 2016)["value"].to_list() == [None]
    for stray in (("51777", 40, 80.0, 57.0, 109.0, 12.6), ("51515", 40, 80.0, 57.0, 109.0, 12.6)):
        with pytest.raises(InputError, match=str(stray[0])):
            trauma.estimate(table(stray), universe("51001"), 2016)


def test_owed_tables_give_no_rows():
    assert trauma.estimate(None, counties(), 2020).is_empty()
    assert trauma.estimate_substitute(None, counties(), 2020).is_empty()


# Bounds -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 400), st.floats(1, 500))
def test_bounds_are_those_of_the_agency(deaths, rate):
    low, high = bounds(pl.col("d"), pl.col("r"))
    row = pl.DataFrame({"d": [deaths], "r": [rate]}).select(low.alias("low"), high.alias("high")).row(0)
    if deaths < 100:
        wanted = [chi2.ppf(0.025, 2 * deaths) / 2, chi2.ppf(0.975, 2 * (deaths + 1)) / 2]
    else:
        wanted = [deaths - 1.96 * deaths**0.5, deaths + 1.96 * deaths**0.5]
    assert row == pytest.approx([w / deaths * rate for w in wanted], rel=1e-9)


def test_no_deaths_have_no_bounds():
    low, high = bounds(pl.col("d"), pl.col("r"))
    assert pl.DataFrame({"d": [0], "r": [0.0]}).select(low.alias("low"), high.alias("high")).row(0) == (None, None)


@pytest.mark.parity
def test_bounds_printed_by_the_source_follow_from_its_counts(mirror):
    from sources.wonder.export import read_export

    path = mirror / "wonder_exports/Underlying_Cause_of_Death_1999-2020_states_with_bounds_.txt"
    rows = read_export(path, source="w").rows.frame
    printed = rows.select(
        pl.col("Deaths").cast(pl.Int64).alias("d"),
        pl.col("Population").cast(pl.Int64).alias("n"),
        figure("Crude Rate Lower 95% Confidence Interval").alias("lb"),
        figure("Crude Rate Upper 95% Confidence Interval").alias("ub"),
    ).with_columns(r=pl.col("d") / pl.col("n") * 100_000)
    low, high = bounds(pl.col("d"), pl.col("r"))
    off = printed.select((low - pl.col("lb")).abs().max(), (high - pl.col("ub")).abs().max().alias("high")).row(0)
    assert max(off) < 0.0015, f"51 of 51 states within the last printed digit: {off}"


# The published figures ----------------------------------------------------------------------------------------------


def compared(ours: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.Expr]]:
    """Our rows beside the published ones, and whether each of the four figures is the same."""
    name = "rate_injury_death"
    key = ["state", "geo", "subgroup"]
    both = ours.join(
        theirs.rename({"county": "geo"}), on=key, how="full", coalesce=True, validate="1:1", suffix="_theirs"
    )
    same = [pl.col(c).eq_missing(figure(name + suffix)).alias(c) for c, suffix in FIGURES]
    return both, [*same, pl.col("quality").cast(pl.Float64).eq_missing(figure(f"{name}_quality")).alias("quality")]


def rankings_2022(shared: Path) -> pl.LazyFrame:
    """Deaths of 2016 to 2020, from the workbooks of the Rankings."""
    extract = published(shared / "realcases/county_health_rankings_2022/raw/chr_2022_national_extract.csv")
    names = {"rate": "injury_death_rate", "lb": "injury_death_rate_ci_low", "ub": "injury_death_rate_ci_high"}
    return extract.select(
        pl.col("fips").str.slice(0, 2).alias("state"),
        pl.col("fips").str.slice(2).alias("geo"),
        pl.col("n_injury_deaths").cast(pl.Int64, strict=False).alias("deaths"),
        *(pl.col(theirs).cast(pl.Float64, strict=False).alias(ours) for ours, theirs in names.items()),
    ).lazy()


@pytest.mark.parity
@pytest.mark.parametrize("published_bounds", [True, False])
def test_2020_from_the_rankings_equals_the_published_rows(shared, realcases, published_bounds):
    source = rankings_2022(shared)
    if not published_bounds:
        source = source.with_columns(lb=pl.lit(None, pl.Float64), ub=pl.lit(None, pl.Float64))
    ours = trauma.estimate_substitute(source, spine(realcases, 2020), 2020)
    theirs = published(realcases / PUBLISHED).filter(pl.col("year") == "2020").with_columns(subgroup=pl.lit("All"))
    both, same = compared(ours, theirs)
    counts = dict(zip(("value", "lb", "ub", "quality"), both.select(e.sum() for e in same).row(0), strict=True))
    assert both.height == 3143
    assert (counts["value"], counts["quality"]) == (3143, 3143), counts
    different = both.filter(~pl.all_horizontal(same))
    registered = next(d for d in DEVIATIONS if d.id == "trauma/bounds-from-rankings")
    assert {row["state"] + row["geo"] for row in different.iter_rows(named=True)} == {r.geoid for r in registered.rows}
    assert counts == {"value": 3143, "lb": 3141, "ub": 3140, "quality": 3143}
    for column, suffix in FIGURES:
        assert both.select((pl.col(column) - figure(f"rate_injury_death{suffix}")).abs().max()).item() < 0.11
    assert both["value"].null_count() == 264
    assert ours["quality"].value_counts().sort("quality").rows() == [(None, 264), (1, 2791), (2, 86), (3, 2)]


@pytest.mark.parity
def test_the_extract_of_the_mirror_has_two_decimals_only(shared, realcases, tmp_path):
    from sources import chr as rankings
    from sources.framework import Retrieval

    retrieval = Retrieval(root=tmp_path, mirror=shared / "mirror", offline=True)
    source = rankings.build_injury_deaths(2020, retrieval).lazy()
    first = trauma.estimate_substitute(source, spine(realcases, 2020), 2020).sort("state", "geo")
    exact = trauma.estimate_substitute(rankings_2022(shared), spine(realcases, 2020), 2020).sort("state", "geo")
    off = (first["value"] - exact["value"]).abs()
    assert (off.null_count(), off.max() < 0.11, (off > 0.01).sum()) == (264, True, 128), "twice rounded"
    assert "rounded" in retrieval.notes["rates taken from an extract"]


def exports_of_published(root: Root, realcases: Path, year: int) -> None:
    """Exports that hold the published figures of a year under the source's own codes.

    Deaths and population are made up to fit the rate, the standard error to fit the quality. This tests reader, codes,
    universe and groups on all published rows; the figures themselves go in as they come out.
    """
    theirs = published(realcases / PUBLISHED).filter(pl.col("year") == str(year)).with_columns(subgroup=pl.lit("All"))
    if year >= 2021:
        grouped = published(realcases / PUBLISHED_GROUPS).filter(pl.col("year") == str(year))
        theirs = pl.concat([theirs, grouped.filter(pl.col("subgroup") != "All")], how="diagonal")
    since_2015, since_2020 = {"46102": "46113", "02158": "02270"}, {"02063": "02261", "02066": "02261"}
    codes = {**(since_2015 if year >= 2015 else {}), **(since_2020 if year >= 2020 else {})}
    listed = theirs.with_columns(code=(pl.col("state") + pl.col("county")).replace(codes)).unique(["code", "subgroup"])
    if year >= 2022:
        listed = listed.filter(pl.col("state") != "09")
    for group, query in queries(year):
        rows = []
        of_group = listed.filter(pl.col("subgroup") == group.subgroup).sort("code")
        for i, row in enumerate(of_group.iter_rows(named=True)):
            if row["rate_injury_death"] is None:
                cells = (
                    ["Suppressed", 900, *["Suppressed"] * 4]
                    if i % 2
                    else [12, 10_000, "Unreliable", "62.0", "209.6", "34.6"]
                )
            else:
                rate = float(row["rate_injury_death"])
                se = rate * (0.1 if row["rate_injury_death_quality"] == "1" else 0.3)
                low, high = (f"{float(row[f'rate_injury_death{s}']):.1f}" for s in ("_lb", "_ub"))
                cells = [round(rate * 100), 10_000_000, f"{rate:.1f}", low, high, f"{se:.1f}"]
            rows.append(("X", row["code"], cells))
        if year <= 2020:
            rows += [("X", code, ["Missing"] * 6) for code in ("02201", "02232", "02280", "51515", "51560")]
        if year >= 2022:
            rows += [("X", f"09{n:03d}", [400, 1_000_000, "40.0", "36.1", "43.9", "2.0"]) for n in range(1, 16, 2)]
        known = sum(c[0] for _, _, c in rows if isinstance(c[0], int))
        content = export(query, BRIDGED if year <= 2020 else SINGLE, rows, [known, 1, "1.0", "1.0", "1.0", "0.1"])
        root.lay("wonder_deaths", str(year), query.file, content)


@pytest.mark.parity
@pytest.mark.parametrize("year", range(2014, 2024))
def test_every_published_row_comes_back_from_exports_of_the_published_figures(realcases, tmp_path, year):
    root = Root(tmp_path)
    exports_of_published(root, realcases, year)
    counties_of_year = spine(realcases, year)
    source = build_deaths(year, root.retrieval())
    done = whole(trauma.estimate(source.lazy(), counties_of_year, year), PREDICTOR, year, counties_of_year)
    theirs = published(realcases / PUBLISHED).filter(pl.col("year") == str(year)).with_columns(subgroup=pl.lit("All"))
    if year >= 2021:
        grouped = published(realcases / PUBLISHED_GROUPS).filter(pl.col("year") == str(year))
        # "All" stands in both files, with the same figures.
        theirs = grouped
    both, same = compared(done, theirs)
    equal = both.select(pl.all_horizontal(same).sum()).item()
    expected = {2020: 3143, 2021: 3143 * 5, 2022: 3144 * 5, 2023: 3144 * 5}.get(year, 3142)
    assert equal == both.height == expected, f"{equal} of {both.height} rows"
    weak = both.filter(pl.col("quality") == 3)
    assert weak.filter(pl.col("subgroup") == "All").height == (2 if year >= 2020 else 0)
    assert set(weak["estimation_area"]) <= {"county-02261"}
    old = both.filter(pl.col("reason") == "source on old counties")
    assert old.height == (9 * 5 if year >= 2022 else 0)


@pytest.mark.parity
def test_sixteen_values_of_the_split_area(realcases):
    grouped = published(realcases / PUBLISHED_GROUPS).filter(pl.col("rate_injury_death_quality") == "3")
    overall = published(realcases / PUBLISHED).filter(pl.col("rate_injury_death_quality") == "3")
    codes = {"063", "066"}
    assert (overall.height, set(overall["county"])) == (8, codes)
    assert grouped.filter(pl.col("subgroup") != "All").height + overall.height == 16
    assert set(grouped["state"]) == {"02"}


def test_deviations_are_well_formed():
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)


# The substitute -----------------------------------------------------------------------------------------------------


def test_the_substitute_takes_the_place_of_2020_only_when_asked():
    assert {s.sample for s in PREDICTOR.series} == {"wonder"}
    switched = substituted(PREDICTOR, SUBSTITUTE.series)
    assert [(s.sample, s.years) for s in switched.series] == [
        ("wonder", (2014, 2015, 2016, 2017, 2018, 2019)),
        ("wonder", (2021, 2022, 2023)),
        ("chr", (2020,)),
    ]
    entry = Entry(switched, trauma.estimate_substitute, trauma.explain_substitute)
    assert entry.inputs == ("rankings_injury_deaths_county", "spine")


@pytest.mark.parity
def test_the_substitute_passes_the_gate(shared, realcases):
    counties_of_year = spine(realcases, 2020)
    ours = trauma.estimate_substitute(rankings_2022(shared), counties_of_year, 2020)
    done = whole(ours, substituted(PREDICTOR, SUBSTITUTE.series), 2020, counties_of_year)
    assert done["sample"].unique().to_list() == ["chr"]
    told = trauma.explain_substitute(
        Cell(2020, "county", "37", "067", "all", "All", METRIC, "chr"),
        year=2020,
        rankings_injury_deaths_county=rankings_2022(shared),
        spine=counties_of_year,
    )
    assert told.recomputed == 86.2


# Explanations -------------------------------------------------------------------------------------------------------


def cell(code: str, label: str = "All", kind: str = "all") -> Cell:
    return Cell(2020, "county", code[:2], code[2:], kind, label, METRIC, "wonder")


def test_explanations_of_a_rate_a_shared_rate_and_a_missing_one():
    source = table(
        ("01001", 77, 77.0, 60.8, 96.2, 8.8),
        ("02261", 66, 66.0, 51.0, 84.0, 8.1),
        ("01003", 15, None, 8.4, 24.7, 3.9, None, "Unreliable"),
    )
    spine_ = universe("01001", "01003", "01005", "02063", "02066")
    told = trauma.explain(cell("01001"), year=2020, injury_deaths_county=source, spine=spine_)
    assert told.recomputed == 77.0
    assert told.formula == "77 deaths / 100,000 person-years * 100,000 = 77.0 (printed rate 77.0)"
    assert told.decisions[1].figure == pytest.approx(8.8 / 77)
    shared_rate = trauma.explain(cell("02063"), year=2020, injury_deaths_county=source, spine=spine_)
    assert (shared_rate.recomputed, shared_rate.decisions[1].figure) == (66.0, None)
    assert "02261" in shared_rate.notes[0]
    few = trauma.explain(cell("01003"), year=2020, injury_deaths_county=source, spine=spine_)
    assert (few.recomputed, few.decisions[0].outcome) == (None, "no figure")
    assert "Unreliable" in few.formula
    absent = trauma.explain(cell("01005"), year=2020, injury_deaths_county=source, spine=spine_)
    assert "not in the export" in absent.formula
    former = trauma.explain(
        cell("09110"),
        year=2022,
        injury_deaths_county=table(("09001", 40, 40.0, 28.6, 54.5, 6.3)),
        spine=universe("09110"),
    )
    assert "former counties" in former.formula


# From synthetic files to gated estimates ----------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2014, 2020, 2021, 2023])
def test_from_synthetic_files_to_gated_estimates(tmp_path, year):
    root = Root(tmp_path)
    world = World(20250101, (year,))
    for writer in (synthetic_deaths, synthetic_popest):
        writer.write(root.folder / "raw", world)
    retrieval = root.retrieval(STATE_CODES, synthetic=True)
    source = build_deaths(year, retrieval)
    TABLES[0].model.validate(source, lazy=True)
    spine_ = geography.build_spine(year, retrieval).lazy()
    done = whole(trauma.estimate(source.lazy(), spine_, year), PREDICTOR, year, spine_)
    assert len(groups(year)) == (1 if year <= 2020 else 5)
    assert set(done["subgroup"]) == {"All"} if year <= 2020 else {"All", *RACE_ETHNICITY}
    assert {1, 2} <= set(done["quality"].drop_nulls())
    assert {"suppressed at source", "unreliable at source"} <= set(done["reason"].drop_nulls())
    assert ("source on old counties" in set(done["reason"])) == (year >= 2022)
    alaska = done.filter(pl.col("state") == "02", pl.col("subgroup") == "All")
    assert {"270" if year == 2014 else "158", *(["261"] if year < 2020 else ["063", "066"])} <= set(alaska["geo"])
    for row in done.filter(pl.col("value").is_not_null()).gather_every(100).iter_rows(named=True):
        told = trauma.explain(
            cell(row["state"] + row["geo"], row["subgroup"], row["subgroup_type"]),
            year=year,
            injury_deaths_county=source.lazy(),
            spine=spine_,
        )
        assert told.recomputed == row["value"]
