"""Jobs paying a living wage: parity with the reference, the registered deviations, and what must always hold."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from wage_support import FolderRetrieval, county_spine

from metrics.catalog import catalog
from metrics.deviation import Deviation, PublishedRow
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from metrics.rewarding_work.living_wage import DEVIATIONS, METRIC, PREDICTOR, SAMPLE, estimate, explain
from metrics.wages import GROUPS, OURS, REFERENCE, REFERENCE_INDUSTRY, Switches, county_list, off_list
from outputs.long import long_years
from schemas.errors import InputError
from schemas.estimate import gate
from schemas.labels import ALL, INDUSTRY
from sources import cpi, mit_living_wage, qcew

QCEW = {
    "year": pl.Int16,
    "state": pl.String,
    "county": pl.String,
    "ownership": pl.Int8,
    "naics": pl.String,
    "weekly_wage": pl.Float64,
    "establishments": pl.Int64,
    "employment": pl.Float64,
    "total_wages": pl.Float64,
    "disclosed": pl.Boolean,
}
MIT = {"state": pl.String, "county": pl.String, "hourly_wage": pl.Float64, "dollars_year": pl.Int16}
PRICES = cpi.read_csv(cpi.HELD_FILE).lazy()
CPI = dict(PRICES.collect().select("year", "cpi_u").iter_rows())


def wage_table(rows: list[tuple[str, int, str, float | None, int]], employment: float | None = 100.0) -> pl.LazyFrame:
    """`qcew_county` from (geoid, ownership, naics, weekly wage or None if withheld, establishments)."""
    full = [
        (
            *(2018, geoid[:2], geoid[2:], own, naics, wage, estabs),
            *(
                (employment, None if employment is None else wage * 52 * employment)
                if wage is not None
                else (None, None)
            ),
            wage is not None,
        )
        for geoid, own, naics, wage, estabs in rows
    ]
    return pl.LazyFrame(full, schema=QCEW, orient="row")


def living_wage_table(rows: list[tuple[str, float]], dollars: int = 2019) -> pl.LazyFrame:
    return pl.LazyFrame([(g[:2], g[2:], wage, dollars) for g, wage in rows], schema=MIT, orient="row")


def spine(*geoids: str) -> pl.LazyFrame:
    rows = [("county", g[:2], g[2:]) for g in geoids] + [("place", "37", "75000")]
    return pl.LazyFrame(rows, schema=["level", "state", "geo"], orient="row")


def rows_of(frame: pl.DataFrame) -> dict[tuple[str, str], dict[str, object]]:
    return {(r["state"] + r["geo"], r["subgroup"]): r for r in frame.iter_rows(named=True)}


# Parity with 2018 -----


def published(path: Path, year: int) -> pl.DataFrame:
    """A published file of the reference, one year: geoid, subgroup, published, published_quality (null for NA)."""
    frame = pl.read_csv(path, infer_schema=False, null_values="NA").filter(pl.col("year") == str(year))
    if "subgroup" not in frame.columns:
        frame = frame.with_columns(subgroup=pl.lit(ALL))
    return frame.select(
        pl.concat_str("state", "county").alias("geoid"),
        "subgroup",
        pl.col("ratio_living_wage").cast(pl.Float64).alias("published"),
        pl.col("ratio_living_wage_quality").cast(pl.Int8).alias("published_quality"),
    )


def read_dta(path: Path) -> pl.DataFrame:
    """The reference's intermediates, which stand where our table stands (after the reader)."""
    import pandas as pd

    return pl.from_pandas(pd.read_stata(path, convert_categoricals=True).astype({"state": int, "county": int}))


@pytest.fixture(scope="module")
def raw_case(realcases: Path) -> Path:
    return realcases / "living_wage/raw"


@pytest.fixture(scope="module")
def expected(realcases: Path) -> Path:
    return realcases / "living_wage/expected"


def county_totals(raw_case: Path, year: int) -> pl.DataFrame:
    """County totals as in `qcew_county`. The intermediate has no status: pay of 0 is withheld."""
    raw = read_dta(raw_case / f"qcew_county_total_{year}.dta").filter(pl.col("county") != 999)
    wage = pl.col("annualaverageweeklywage").cast(pl.Float64)
    return as_table(
        raw.with_columns(
            ownership=0,
            naics=pl.lit("10"),
            weekly_wage=pl.when(wage != 0).then(wage),
            establishments=pl.col("annualaverageestablishmentcount").cast(pl.Int64),
            disclosed=wage != 0,
        ),
        year,
    )


def as_table(frame: pl.DataFrame, year: int) -> pl.DataFrame:
    return frame.select(
        pl.lit(year, pl.Int16).alias("year"),
        pl.format("{}", "state").str.zfill(2).alias("state"),
        pl.format("{}", "county").str.zfill(3).alias("county"),
        pl.col("ownership").cast(pl.Int8),
        "naics",
        "weekly_wage",
        "establishments",
        pl.lit(None, pl.Float64).alias("employment"),
        pl.lit(None, pl.Float64).alias("total_wages"),
        "disclosed",
    )


@pytest.fixture(scope="module")
def wages_2018(raw_case: Path) -> pl.LazyFrame:
    """Totals and industries of 2018. The industry intermediate holds averages of groups: each enters as one cell."""
    raw = read_dta(raw_case / "qcew_county_industry_2018.dta")
    first = pl.DataFrame(
        [(label, *cells[0]) for label, cells in GROUPS.items()], schema=["group", "ownership", "naics"], orient="row"
    )
    groups = raw.with_columns(group=pl.col("industry_type").cast(pl.String)).join(first, on="group", validate="m:1")
    assert groups.height == raw.height == 25_004
    industries = groups.filter(pl.col("group") != ALL).with_columns(
        disclosed=pl.col("statuscode") == 0,
        weekly_wage=pl.when(pl.col("statuscode") == 0).then("avgwkwage"),
        establishments=pl.col("avgestct").cast(pl.Int64),
    )
    return pl.concat([county_totals(raw_case, 2018), as_table(industries, 2018)]).lazy()


@pytest.fixture(scope="module")
def living_2019(mirror: Path) -> pl.LazyFrame:
    path = mirror / "mit_living_wage/2019-dollars/mit-living-wage.csv"
    return mit_living_wage.read(path, mit_living_wage.EDITIONS[0])[0].lazy()


def compared(computed: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Computed and published side by side; every published row has its computed one. Adds `same`."""
    frame = wanted.join(
        computed.with_columns(geoid=pl.concat_str("state", "geo")), on=["geoid", "subgroup"], validate="1:1"
    )
    assert frame.height == wanted.height
    close = ((pl.col("value") - pl.col("published")).abs() <= 1e-6).fill_null(False)
    missing = pl.col("value").is_null() & pl.col("published").is_null()
    return frame.with_columns(
        same=(close | missing) & pl.col("quality").eq_missing(pl.col("published_quality")),
    )


def assert_all_same(frame: pl.DataFrame, what: str) -> None:
    same = int(frame["same"].sum())
    different = frame.filter(~pl.col("same")).select("geoid", "subgroup", "value", "published").head(5)
    assert same == frame.height, f"{what}: {same} of {frame.height} rows equal; {different.to_dicts()}"


@pytest.mark.parity
def test_parity_overall_2018(
    wages_2018: pl.LazyFrame, living_2019: pl.LazyFrame, realcases: Path, expected: Path
) -> None:
    wanted = published(expected / "living_wage_county_all_longitudinal.csv", 2018)
    counties = county_spine(realcases, 2018)
    assert wanted.height == 3142
    as_reference = compared(
        estimate(wages_2018, living_2019, PRICES, counties, 2018, switches=REFERENCE).filter(pl.col("subgroup") == ALL),
        wanted,
    )
    assert_all_same(as_reference, "overall 2018, reference's rules")

    ours = compared(estimate(wages_2018, living_2019, PRICES, counties, 2018), wanted)
    different = ours.filter(~pl.col("same"))
    registered = {r.geoid for d in DEVIATIONS if d.kind == "deviation" and d.rows for r in d.rows if r.year == 2018}
    assert set(different["geoid"]) == registered == {"19003"}, f"{ours['same'].sum()} of {ours.height} rows equal"
    assert different.select("value", "published", "reason").rows() == [(None, 0.0, "suppressed at source")]


@pytest.mark.parity
def test_parity_industry_2018(
    wages_2018: pl.LazyFrame, living_2019: pl.LazyFrame, realcases: Path, expected: Path
) -> None:
    wanted = published(expected / "metrics_wage_ratio_2018_subgroup.csv", 2018)
    counties = county_spine(realcases, 2018)
    assert wanted.height == 25_136
    as_reference = estimate(wages_2018, living_2019, PRICES, counties, 2018, switches=REFERENCE_INDUSTRY)
    assert as_reference.height == wanted.height
    assert_all_same(compared(as_reference, wanted), "industry 2018, reference's rules")

    # By default each value differs, by the price factor of living_wage/industry-dollars and by nothing else.
    ours = compared(estimate(wages_2018, living_2019, PRICES, counties, 2018), wanted)
    valued = ours.filter(pl.col("published").is_not_null())
    assert not valued["same"].any()
    shifted = ours.with_columns(published=pl.col("published") * CPI[2019] / CPI[2018])
    assert_all_same(
        compared(shifted.select(*(c for c in as_reference.columns)), shifted.select(wanted.columns)), "ours"
    )


@pytest.mark.parity
def test_figures_2018(wages_2018: pl.LazyFrame, living_2019: pl.LazyFrame, realcases: Path) -> None:
    """The figures that the method file states for 2018, with the reference's rules and with ours."""
    counties = county_spine(realcases, 2018)
    reference = estimate(wages_2018, living_2019, PRICES, counties, 2018, switches=REFERENCE)
    overall = reference.filter(pl.col("subgroup") == ALL)
    assert dict(overall["quality"].value_counts().iter_rows()) == {None: 1, 1: 3130, 3: 11}
    assert overall.filter(pl.col("value").is_null()).select("state", "geo", "reason").rows() == [
        ("15", "005", "area not covered by source")
    ]
    figures = overall["value"]
    assert (figures.min(), round(figures.median(), 4), round(figures.max(), 4)) == (0, 0.6853, 1.6378)
    industries = reference.filter(pl.col("subgroup") != ALL)
    assert dict(industries["quality"].value_counts().iter_rows()) == {1: 15874, 3: 4296, None: 1824}
    industry_file = estimate(wages_2018, living_2019, PRICES, counties, 2018, switches=REFERENCE_INDUSTRY)
    withheld = industry_file.filter(pl.col("subgroup") == ALL, pl.col("value").is_null())
    assert (withheld["state"] + withheld["geo"]).to_list() == ["15005", "19003"]

    ours = rows_of(estimate(wages_2018, living_2019, PRICES, counties, 2018))
    known = {"37067": 0.8894523, "01001": 0.6653613, "06037": 0.843253, "36061": 1.407471}
    for geoid, ratio in known.items():
        assert ours[geoid, ALL]["value"] == pytest.approx(ratio, rel=1e-6)
    forsyth = (0.8736225, 1.032705, 0.9017656, 0.6585496, 0.9500534, 1.255777, 1.047814, 0.4159261)
    found = rows_of(industry_file)
    for label, ratio in zip(GROUPS, forsyth, strict=True):
        assert found["37067", label]["value"] == pytest.approx(ratio, rel=1e-6)
        assert found["37067", label]["quality"] == 1
        # Ours: the same in dollars of 2018.
        assert ours["37067", label]["value"] == pytest.approx(ratio * CPI[2019] / CPI[2018], rel=1e-6)


@pytest.mark.parity
def test_registered_rows_are_really_there(expected: Path) -> None:
    """Every listed row stands in the published file as the register says; there are no zeros besides."""
    path = expected / "living_wage_county_all_longitudinal.csv"
    files = {year: published(path, year) for year in PREDICTOR.years}
    rows = {d.id: d.rows for d in DEVIATIONS if d.rows}
    zeros = {(y, g) for y, f in files.items() for g in f.filter(pl.col("published") == 0)["geoid"]}
    assert zeros == {(r.year, r.geoid) for r in rows["living_wage/zero-pay"]}
    missing = {(y, g) for y, f in files.items() for g in f.filter(pl.col("published").is_null())["geoid"]}
    assert {(r.year, r.geoid) for r in rows["living_wage/connecticut"]} <= missing
    assert len(rows["living_wage/connecticut"]) == 18
    later_codes = {"02270": "02158", "46113": "46102"}
    assert {(2014, later_codes[r.geoid]) for r in rows["living_wage/county-codes-2014"]} <= missing
    assert len(missing) == 3 + 1 + 3 + 12 + 10


# Other years, worked back from the published ratios -----


def implied(frame: pl.DataFrame, figure: pl.Expr, unit: float, tolerance: float) -> pl.DataFrame:
    """`figure` must be a whole number of `unit`s in every row; adds it, rounded, as `implied`."""
    units = figure / unit
    off = frame.select((units - units.round()).abs().max()).item()
    assert off < tolerance, f"{frame.height} rows, furthest from a whole number: {off}"
    return frame.with_columns(implied=units.round() * unit)


@pytest.mark.parity
def test_published_2014(living_2019: pl.LazyFrame, realcases: Path, expected: Path) -> None:
    """2014: the pay behind every published ratio is a whole dollar; fed in again it gives all rows, by the right price
    factor; the two counties lost between codes come back."""
    wanted = published(expected / "living_wage_county_all_longitudinal.csv", 2014)
    living = living_2019.collect().with_columns(geoid=pl.concat_str("state", "county"))
    known = wanted.drop_nulls("published").join(living, on="geoid", validate="1:1")
    weekly = pl.col("published") * 40 * pl.col("hourly_wage") * CPI[2014] / CPI[2019]
    known = implied(known, weekly, unit=1.0, tolerance=7e-4)
    assert known.height == 3139
    pay = [
        (geoid, 0, "10", wage, 30 if quality == 1 else 29)
        for geoid, wage, quality in known.select("geoid", "implied", "published_quality").iter_rows()
    ]
    wages = wage_table([*pay, ("02270", 0, "10", 560.0, 40), ("46113", 0, "10", 640.0, 40)])
    counties = county_spine(realcases, 2014)

    reference = estimate(wages, living_2019, PRICES, counties, 2014, switches=REFERENCE)
    overall = reference.filter(pl.col("subgroup") == ALL)
    both = wanted.join(overall.select(geoid=pl.concat_str("state", "geo")), on="geoid", how="semi")
    assert set(wanted["geoid"]) - set(both["geoid"]) == {"02158", "46102"}
    assert_all_same(compared(overall, both), "overall 2014, reference's rules")
    assert rows_of(overall)["02270", ALL]["value"] is None

    ours = rows_of(estimate(wages, living_2019, PRICES, counties, 2014))
    gained = {g for (g, label), r in ours.items() if label == ALL and r["value"] is not None} - set(known["geoid"])
    (entry,) = (d for d in DEVIATIONS if d.id == "living_wage/county-codes-2014")
    assert entry.rows is not None
    assert gained == {row.geoid for row in entry.rows}
    assert ours["37067", ALL]["value"] == pytest.approx(0.8839411, rel=1e-6)
    assert ours["01001", ALL]["value"] == pytest.approx(0.628396, rel=1e-6)
    alaska = living.row(by_predicate=pl.col("geoid") == "02158", named=True)["hourly_wage"]
    assert ours["02270", ALL]["value"] == pytest.approx(560 / (40 * alaska * CPI[2014] / CPI[2019]))


@pytest.fixture(scope="module")
def living_2022(raw_case: Path, expected: Path) -> pl.LazyFrame:
    """The edition in dollars of 2022, worked back from pay and published ratios of 2021: whole cents everywhere."""
    wanted = published(expected / "living_wage_county_all_longitudinal.csv", 2021).drop_nulls("published")
    totals = county_totals(raw_case, 2021).with_columns(geoid=pl.concat_str("state", "county"))
    known = wanted.join(totals, on="geoid", validate="1:1")
    assert known.height == 3140
    hourly = pl.col("weekly_wage") / (40 * pl.col("published")) * 288.347 / CPI[2021]
    cents = implied(known, hourly, unit=0.01, tolerance=5e-3)
    # The county list of that edition is older: it has Valdez-Cordova.
    return living_wage_table([*cents.select("geoid", "implied").iter_rows(), ("02261", 40.0)], dollars=2022)


@pytest.mark.parity
def test_published_2021(living_2022: pl.LazyFrame, raw_case: Path, realcases: Path, expected: Path) -> None:
    """2021: the first half's prices give all published rows; ours differ from each by living_wage/cpi-2022 alone."""
    wanted = published(expected / "living_wage_county_all_longitudinal.csv", 2021)
    wages, counties = county_totals(raw_case, 2021).lazy(), county_spine(realcases, 2021)
    reference = estimate(wages, living_2022, PRICES, counties, 2021, switches=REFERENCE).filter(
        pl.col("subgroup") == ALL
    )
    assert_all_same(compared(reference, wanted), "overall 2021, reference's rules")
    ours = estimate(wages, living_2022, PRICES, counties, 2021)
    overall = ours.filter(pl.col("subgroup") == ALL)
    shifted = wanted.with_columns(pl.col("published") * 292.655 / 288.347)
    assert_all_same(compared(overall, shifted), "overall 2021, ours against published x 292.655 / 288.347")
    assert not compared(overall, wanted.drop_nulls("published"))["same"].any()
    missing = overall.filter(pl.col("value").is_null())
    assert (missing["state"] + missing["geo"]).to_list() == ["02063", "02066", "15005"]
    assert missing["reason"].unique().to_list() == ["area not covered by source"]
    assert off_list(living_2022, county_list(counties)).rows() == [("02", "261", 1)]


@pytest.mark.parity
def test_published_2022(living_2022: pl.LazyFrame, realcases: Path, expected: Path) -> None:
    """2022: pay worked back is a whole dollar; the sources' old Connecticut counties give no region a figure."""
    wanted = published(expected / "living_wage_county_all_longitudinal.csv", 2022)
    living = living_2022.collect().with_columns(geoid=pl.concat_str("state", "county"))
    known = wanted.drop_nulls("published").join(living, on="geoid", validate="1:1")
    known = implied(known, pl.col("published") * 40 * pl.col("hourly_wage"), unit=1.0, tolerance=2e-3)
    assert known.height == 3132
    pay = [
        (geoid, 0, "10", wage, 30 if quality == 1 else 29)
        for geoid, wage, quality in known.select("geoid", "implied", "published_quality").iter_rows()
    ]
    old = [f"09{code:03d}" for code in range(1, 16, 2)]
    wages = wage_table([*pay, *((geoid, 0, "10", 1500.0, 900) for geoid in old), ("02063", 0, "10", 900.0, 90)])
    counties = county_spine(realcases, 2022)
    for switches in (OURS, REFERENCE):
        frame = estimate(wages, living_2022, PRICES, counties, 2022, switches=switches).filter(
            pl.col("subgroup") == ALL
        )
        assert_all_same(compared(frame, wanted), "overall 2022")
    missing = frame.filter(pl.col("value").is_null())
    reasons = dict(zip(missing["state"] + missing["geo"], missing["reason"], strict=True))
    assert reasons == {
        **dict.fromkeys(("02063", "02066", "15005"), "area not covered by source"),
        **{f"09{code}": "source on old counties" for code in range(110, 200, 10)},
    }
    left_out = off_list(wages, county_list(counties))
    assert (left_out["state"] + left_out["county"]).to_list() == old


# The agency's files of 2016, end to end -----


@pytest.fixture(scope="module")
def inputs_2016(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.LazyFrame]:
    retrieval = FolderRetrieval(mirror, tmp_path_factory.mktemp("scratch"))
    return {
        "qcew_county": qcew.build(2016, retrieval).lazy(),
        "mit_living_wage": mit_living_wage.build(2018, retrieval).lazy(),
        "cpi": cpi.build(2016, retrieval).lazy(),
    }


@pytest.mark.parity
def test_real_2016(inputs_2016: dict[str, pl.LazyFrame], realcases: Path) -> None:
    """From the agency's files to ratios: one county by hand, all counties but Kalawao, groups as the method counts."""
    counties = county_spine(realcases, 2016)
    frame = estimate(**inputs_2016, spine=counties, year=2016)
    assert frame.height == 3142 * 8
    found = rows_of(frame)
    living = inputs_2016["mit_living_wage"].filter(state="37", county="067").collect()["hourly_wage"].item()
    price = CPI[2016] / CPI[2019]
    pay = 8_884_848_703 / 182_388.66666666666 / 52
    assert found["37067", ALL]["value"] == pytest.approx(pay / (40 * living * price), rel=1e-12)
    table = inputs_2016["qcew_county"].filter(state="37", county="067").collect()
    wage = {(r["ownership"], r["naics"]): r["weekly_wage"] for r in table.iter_rows(named=True)}
    for label, cells in GROUPS.items():
        mean = sum(wage[c] for c in cells) / len(cells)
        assert found["37067", label]["numerator"] == pytest.approx(mean, rel=1e-12)
    missing = {g: r["reason"] for (g, label), r in found.items() if label == ALL and r["value"] is None}
    assert missing == {"15005": "area not covered by source"}
    reasons = dict(frame.filter(pl.col("subgroup") != ALL)["reason"].value_counts().iter_rows())
    assert set(reasons) == {
        *(None, "few establishments", "suppressed at source", "group not present", "area not covered by source")
    }


@pytest.mark.parity
def test_zero_pay_2016(inputs_2016: dict[str, pl.LazyFrame], realcases: Path) -> None:
    """living_wage/zero-pay touches no cell of 2016: no total is withheld, and no group has a part without workers."""
    counties = county_spine(realcases, 2016)
    ours = estimate(**inputs_2016, spine=counties, year=2016)
    as_zero = estimate(**inputs_2016, spine=counties, year=2016, switches=Switches(zero_pay_is_missing=False))
    assert_frame_equal(ours, as_zero)
    assert ours["value"].min() > 0


@pytest.mark.parity
def test_mean_of_means_2016(inputs_2016: dict[str, pl.LazyFrame], realcases: Path) -> None:
    """living_wage/mean-of-means (kept): pooling changes groups of several parts only, and gives none and takes none."""
    counties = county_spine(realcases, 2016)
    kept = estimate(**inputs_2016, spine=counties, year=2016)
    pooled = estimate(**inputs_2016, spine=counties, year=2016, switches=Switches(pooled_pay=True))
    both = kept.join(pooled, on=["state", "geo", "subgroup"], validate="1:1")
    assert (both["value"].is_null() == both["value_right"].is_null()).all()
    moved = both.filter((pl.col("value") / pl.col("value_right") - 1).abs() > 1e-12)
    assert set(moved["subgroup"]) == {label for label, cells in GROUPS.items() if len(cells) > 1}


@pytest.mark.parity
def test_gate_2016(inputs_2016: dict[str, pl.LazyFrame], realcases: Path) -> None:
    """A whole year of real estimates, filled up to the spine, passes the gate of a published year."""
    counties = county_spine(realcases, 2016)
    frame = estimate(**inputs_2016, spine=counties, year=2016)
    year = 2018
    whole = complete(frame, PREDICTOR, year, counties.collect())
    gate(
        whole,
        name="living_wage",
        expected_keys=expected_keys(PREDICTOR, year, counties.collect()),
        limits=PREDICTOR.limits(),
    )
    assert whole.height == 25_136
    assert whole["value"].is_null().sum() == frame["value"].is_null().sum()


@pytest.mark.parity
def test_explanations_2016(inputs_2016: dict[str, pl.LazyFrame], realcases: Path) -> None:
    """The account of a figure arrives at the very figure, for values, withheld and absent ones."""
    counties = county_spine(realcases, 2016)
    frame = estimate(**inputs_2016, spine=counties, year=2016)
    some = pl.concat(
        [frame.filter(pl.col("reason").eq_missing(pl.lit(r))).head(3) for r in frame["reason"].unique().to_list()]
    )
    assert some.height >= 13
    for row in some.iter_rows(named=True):
        cell = Cell(
            2016,
            "county",
            row["state"],
            row["geo"],
            row["subgroup_type"],
            row["subgroup"],
            row["metric"],
            row["sample"],
        )
        account = explain(cell, year=2016, **inputs_2016, spine=counties)
        assert account.recomputed == row["value"], row
        if row["value"] is not None:
            weighted = account.inputs.select((pl.col("weekly_wage") * pl.col("weight")).sum()).item()
            assert weighted == pytest.approx(row["numerator"])
            assert account.decisions[-1].figure == row["n"]
            assert f"quality {row['quality']}" in account.decisions[-1].outcome
        else:
            assert account.formula.endswith("= missing")
    assert all(a.rows_out == b.rows_in for a, b in zip(account.steps[:3], account.steps[1:4], strict=True))


# What must always hold -----

PARTS = [(own, naics) for cells in GROUPS.values() for own, naics in cells]
pays = st.lists(st.integers(200, 5000), min_size=len(PARTS), max_size=len(PARTS))


def one_county(wages: list[float | None], estabs: int = 40, hourly: float = 25.0, **kwargs: object) -> pl.DataFrame:
    table = wage_table([("37067", own, naics, w, estabs) for (own, naics), w in zip(PARTS, wages, strict=True)])
    return estimate(table, living_wage_table([("37067", hourly)]), PRICES, spine("37067"), 2018, **kwargs)  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(pays, st.floats(0.1, 10), st.floats(5, 100))
def test_scaling(wages: list[float], scale: float, hourly: float) -> None:
    """Pay times k: ratio times k. Living wage times k: ratio over k."""
    base = one_county(list(wages), hourly=hourly)["value"]
    more_pay = one_county([w * scale for w in wages], hourly=hourly)["value"]
    more_need = one_county(list(wages), hourly=hourly * scale)["value"]
    for one, pay, need in zip(base, more_pay, more_need, strict=True):
        assert pay == pytest.approx(one * scale, rel=1e-12)
        assert need == pytest.approx(one / scale, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(pays, st.integers(0, len(PARTS) - 1))
def test_one_undisclosed_part_takes_its_group_away(wages: list[float], at: int) -> None:
    """No value without all parts; every other group is untouched; zero is never published."""
    before = rows_of(one_county(list(wages)))
    after = rows_of(one_county([None if i == at else w for i, w in enumerate(wages)]))
    hit = next(label for label, cells in GROUPS.items() if PARTS[at] in cells)
    for key, row in after.items():
        if key[1] == hit:
            assert (row["value"], row["quality"], row["numerator"]) == (None, None, None)
            assert row["reason"] == "suppressed at source"
            assert row["n"] == before[key]["n"]
        else:
            assert row == before[key]
    assert all(r["value"] is None or r["value"] > 0 for r in after.values())  # type: ignore[operator]


@settings(max_examples=25, deadline=None)
@given(pays, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(wages: list[float], random: object) -> None:
    rows = [
        (geoid, own, naics, w / 7, 40)
        for geoid in ("37067", "37001", "01001")
        for (own, naics), w in zip(PARTS, wages, strict=True)
    ]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    living = [("37067", 25.0), ("37001", 24.0), ("01001", 23.0)]
    counties = spine("37067", "01001", "37001")
    first = estimate(wage_table(rows), living_wage_table(living), PRICES, counties, 2018)
    second = estimate(wage_table(shuffled), living_wage_table(living[::-1]), PRICES, counties, 2018)
    assert_frame_equal(first, second, check_exact=True, check_row_order=False)


def test_thirty_establishments() -> None:
    """The threshold is met at exactly 30, on the sum over the parts of a group."""
    table = [
        *(("37001", 0, "10", 900.0, 29), ("37067", 0, "10", 900.0, 30)),
        *(("37001", 5, "1023", 900.0, 14), ("37001", 5, "1024", 900.0, 15)),
        *(("37067", 5, "1023", 900.0, 14), ("37067", 5, "1024", 900.0, 16)),
    ]
    living = living_wage_table([("37001", 25.0), ("37067", 25.0)])
    found = rows_of(estimate(wage_table(table), living, PRICES, spine("37001", "37067"), 2018))
    for label in (ALL, "Professional Services"):
        low, high = found["37001", label], found["37067", label]
        assert (low["n"], low["quality"], low["reason"]) == (29, 3, "few establishments")
        assert (high["n"], high["quality"], high["reason"]) == (30, 1, None)
        assert low["value"] == high["value"]


def test_one_row() -> None:
    """A figure by hand, with everything that is said about it."""
    frame = estimate(
        wage_table([("37067", 0, "10", 900.0, 9000)]),
        living_wage_table([("37067", 25.0)]),
        PRICES,
        spine("37067"),
        2018,
    )
    need = 40 * 25.0 * 251.107 / 255.657
    assert frame.filter(pl.col("subgroup") == ALL).row(0, named=True) == {
        "level": "county",
        "state": "37",
        "geo": "067",
        "subgroup_type": "all",
        "subgroup": ALL,
        "metric": METRIC,
        "sample": SAMPLE,
        "value": pytest.approx(900 / need),
        "quality": 1,
        "n": 9000,
        "numerator": 900.0,
        "denominator": pytest.approx(need),
        "estimation_area": "county-37067",
        "n_areas": 1,
        "reference_period": "2018",
        "reason": None,
    }
    rest = frame.filter(pl.col("subgroup") != ALL)
    assert set(rest["subgroup"]) == set(INDUSTRY)
    assert rest["reason"].unique().to_list() == ["group not present"]
    assert rest["value"].is_null().all()


def test_nobody_employed() -> None:
    """A part without workers has no pay to average; a group without workers has nothing to divide by."""
    living = living_wage_table([("37067", 25.0)])
    table = pl.concat(
        [
            wage_table([("37067", 5, "1023", 800.0, 10), ("37067", 0, "10", 0.0, 50)]),
            wage_table([("37067", 5, "1024", 0.0, 5), ("37067", 5, "1022", 0.0, 2)], employment=0.0),
            wage_table([("37067", 5, "1025", 0.0, 2)], employment=None),
        ]
    )
    found = rows_of(estimate(table, living, PRICES, spine("37067"), 2018))
    assert (found["37067", "Professional Services"]["numerator"], found["37067", "Professional Services"]["n"]) == (
        800,
        15,
    )
    assert found["37067", "Information Services"]["reason"] == "denominator is zero"
    # Zero pay with workers, or with an unknown number of them, is pay withheld.
    assert found["37067", ALL]["reason"] == "suppressed at source"
    assert found["37067", "Education and Health"]["reason"] == "suppressed at source"
    pooled = rows_of(estimate(table, living, PRICES, spine("37067"), 2018, switches=Switches(pooled_pay=True)))
    assert pooled["37067", "Professional Services"]["numerator"] == pytest.approx(800)
    assert pooled["37067", "Information Services"]["value"] is None


def test_dollars_of_another_year() -> None:
    """No factor where the edition is in dollars of the year; prices of a year that is not there are an error."""
    wages, counties = wage_table([("37067", 0, "10", 900.0, 90)]), spine("37067")
    same = estimate(wages, living_wage_table([("37067", 25.0)], dollars=2018), PRICES.head(0), counties, 2018)
    assert same["denominator"].unique().to_list() == [1000.0]
    with pytest.raises(InputError, match="source cpi, column cpi_u: no annual average of 2019"):
        estimate(wages, living_wage_table([("37067", 25.0)]), PRICES.filter(pl.col("year") != 2019), counties, 2018)


@pytest.mark.parametrize("coded_in", [("02270", "02158"), ("02158", "02270"), ("02158", "02158")])
@pytest.mark.parametrize("listed", ["02270", "02158"])
def test_renamed_counties(coded_in: tuple[str, str], listed: str) -> None:
    """Whichever code pay and living wage use, they meet under the code of the year's list."""
    wages, living = wage_table([(coded_in[0], 0, "10", 900.0, 90)]), living_wage_table([(coded_in[1], 25.0)])
    found = rows_of(estimate(wages, living, PRICES, spine(listed), 2018))
    assert found[listed, ALL]["value"] == pytest.approx(900 / (1000 * CPI[2018] / CPI[2019]))
    assert off_list(wages, county_list(spine(listed))).height == 0
    unmoved = rows_of(estimate(wages, living, PRICES, spine(listed), 2018, switches=REFERENCE))
    assert (unmoved[listed, ALL]["value"] is not None) == (coded_in == (listed, listed))


def test_county_under_both_codes_is_refused() -> None:
    twice = wage_table([("02270", 0, "10", 900.0, 90), ("02158", 0, "10", 900.0, 90)])
    living = living_wage_table([("02158", 25.0), ("02270", 25.0)])
    with pytest.raises(InputError, match="two rows for 02, 158, 0, 10, after recoding"):
        estimate(twice, living, PRICES, spine("02158"), 2018)
    with pytest.raises(InputError, match="source mit_living_wage: two rows for 02, 158"):
        estimate(wage_table([("02158", 0, "10", 900.0, 90)]), living, PRICES, spine("02158"), 2018)


def test_connecticut_reason_only_with_old_counties() -> None:
    """A Connecticut gap is laid to the old counties only if a source has them."""
    living = living_wage_table([("37067", 25.0)])
    old = wage_table([("37067", 0, "10", 900.0, 90), ("09001", 0, "10", 900.0, 90)])
    counties = spine("37067", "09110")
    assert rows_of(estimate(old, living, PRICES, counties, 2018))["09110", ALL]["reason"] == "source on old counties"
    none = wage_table([("37067", 0, "10", 900.0, 90)])
    gap = rows_of(estimate(none, living, PRICES, counties, 2018))["09110", ALL]
    assert gap["reason"] == "area not covered by source"


@pytest.mark.parametrize("owed", ["qcew_county", "mit_living_wage", "cpi"])
def test_owed_input(owed: str) -> None:
    """Without one of its inputs the predictor gives no rows; the universe is filled with that reason."""
    tables: dict[str, pl.LazyFrame | None] = {
        "qcew_county": wage_table([("37067", 0, "10", 900.0, 90)]),
        "mit_living_wage": living_wage_table([("37067", 25.0)]),
        "cpi": PRICES,
    }
    tables[owed] = None
    frame = estimate(**tables, spine=spine("37067"), year=2018)
    assert frame.height == 0
    whole = complete(frame, PREDICTOR, 2018, spine("37067").collect(), owed=frozenset({owed}))
    assert whole.height == 8
    assert whole["reason"].unique().to_list() == ["input owed"]


# Declarations -----


def test_catalog_entry() -> None:
    entry = catalog()["living_wage"]
    assert entry.inputs == ("qcew_county", "mit_living_wage", "cpi", "spine")
    assert entry.explain is explain
    assert PREDICTOR.levels == ("county",)
    assert PREDICTOR.years == (2014, 2018, 2021, 2022, 2023)
    assert set(PREDICTOR.years) == set(qcew.DATA_YEARS) == set(mit_living_wage.DATA_YEARS) == set(cpi.DATA_YEARS)
    assert list(GROUPS) == [ALL, *INDUSTRY]


def test_deviations_are_named_once() -> None:
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    assert {d.kind for d in DEVIATIONS} == {"deviation", "kept"}
    with pytest.raises(ValueError, match="neither deviation nor kept"):
        Deviation("a/b", "other", "a", "", "", "", "")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the id must begin with a/"):
        Deviation("b", "kept", "a", "", "", "", "")
    row = PublishedRow(2018, "county", "19003")
    with pytest.raises(ValueError, match="listed twice"):
        Deviation("a/b", "kept", "a", "", "", "", "", rows=(row, row))


def test_the_living_wage_itself_stays_out_of_the_long_file():
    """Its licence forbids to pass it on; pay, a public figure, and the ratio stand there."""
    spines = {2018: spine("37067").collect().with_columns(pl.lit("North Carolina").alias("state_name"), name="geo")}
    one = estimate(
        wage_table([("37067", 0, "10", 900.0, 40)]), living_wage_table([("37067", 25.0)]), PRICES, spine("37067"), 2018
    )
    figures = complete(one, PREDICTOR, 2018, spines[2018])
    (long,) = long_years(figures.lazy(), spines, {"living_wage": catalog()["living_wage"]})
    row = long.filter(pl.col("value").is_not_null(), pl.col("subgroup") == "All").row(0, named=True)
    assert figures["denominator"].null_count() < figures.height
    assert row["denominator"] is None
    assert row["numerator"] is not None
