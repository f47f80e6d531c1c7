"""Births with low weight: the rules, every published row, explanations."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from health_support import Root, counties, figure, published, spine, whole
from hypothesis import given
from hypothesis import strategies as st

from metrics.explanation import Cell
from metrics.health import neonatal_health as neonatal
from metrics.health.neonatal_health import DEVIATIONS, METRIC, PREDICTOR, Reproduce
from schemas.errors import InputError
from schemas.labels import MOTHERS_EDUCATION, RACE_ETHNICITY
from sources import geography
from sources.synthetic import STATE_CODES
from sources.synthetic import popest as synthetic_popest
from sources.synthetic import wonder_natality as synthetic_births
from sources.synthetic.wonder_export import export
from sources.synthetic.world import World
from sources.wonder_natality import TABLES, build_births, queries

TABLE = {
    "state": pl.String,
    "geo": pl.String,
    "births": pl.Int64,
    "births_marker": pl.String,
    "low_weight": pl.Int64,
    "low_weight_marker": pl.String,
}
PUBLISHED = "neonatal_health/expected/rate_low_birth_weight_metric_all_county.csv"
PREVIOUS = "neonatal_health/expected/previous_release_neonatal_health_subgroup_2022.csv"
RECOVERED = "neonatal_health/raw/recovered_births_wonder_rows_2016_2023.csv"
OLD_CONNECTICUT = ("001", "003", "005", "007", "009", "011", "013", "015")
Count = int | str


def table(*rows: tuple[str, str, Count, Count]) -> pl.LazyFrame:
    """`births_county` of the group All; a word instead of a number is a marker."""
    cells = [
        (
            state,
            geo,
            *((n, None) if isinstance(n, int) else (None, n)),
            *((k, None) if isinstance(k, int) else (None, k)),
        )
        for state, geo, n, k in rows
    ]
    frame = pl.DataFrame(cells, schema=TABLE, orient="row")
    return frame.with_columns(subgroup_type=pl.lit("all"), subgroup=pl.lit("All")).lazy()


def state_of(named: int, unnamed: int, births: int = 1000, low: int = 80) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """A state with so many named counties of `births` births, and unnamed ones in a pool: table and spine."""
    codes = [f"{n:03d}" for n in range(1, named + unnamed + 1)]
    rows: list[tuple[str, str, Count, Count]] = [("01", code, births, low) for code in codes[:named]]
    pool: list[tuple[str, str, Count, Count]] = [("01", "999", 5000, 450)] if unnamed else []
    return table(*rows, *pool), counties(*(("01", code, 1) for code in codes))


def qualities(births: pl.LazyFrame, universe: pl.LazyFrame, **kwargs: object) -> list[int | None]:
    return neonatal.compute(births, universe, 2020, **kwargs).sort("geo")["quality"].to_list()


# Rules --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("births", "low", "value", "quality", "reason"),
    [
        (29, 12, None, None, "too few people"),
        (30, 12, 0.4, 3, "small population"),
        (99, 12, 12 / 99, 3, "small population"),
        (100, 12, 0.12, 2, "small population"),
        (199, 12, 12 / 199, 2, "small population"),
        (200, 12, 0.06, 1, None),
        (0, 0, None, None, "group not present"),
        ("Suppressed", "Suppressed", None, None, "suppressed at source"),
        (500, "Suppressed", None, None, "suppressed at source"),
        (20, "Suppressed", None, None, "suppressed at source"),
        (500, 0, 0.0, 1, None),
    ],
)
def test_share_quality_and_reason_by_births(births, low, value, quality, reason):
    others: list[tuple[str, str, Count, Count]] = [("01", f"{n:03d}", 1000, 80) for n in range(2, 12)]
    source = table(("01", "001", births, low), *others, ("01", "999", 5000, 450))
    universe = counties(*(("01", f"{n:03d}", 1) for n in range(1, 40)))
    row = neonatal.estimate(source, universe, 2020).filter(pl.col("geo") == "001").row(0, named=True)
    assert (row["value"], row["quality"], row["reason"]) == (value, quality, reason)


@pytest.mark.parametrize(
    ("named", "unnamed", "quality"),
    [
        (3, 0, 2),  # every county named, few counties
        (15, 0, 2),
        (16, 0, 1),
        (20, 1, 2),  # one to four unnamed ones
        (20, 4, 2),
        (20, 5, 1),
        (8, 7, 2),  # 15 counties, fewer than half of them unnamed
        (7, 8, 1),
        (8, 8, 1),  # 16 counties
        (6, 6, 1),  # exactly half
        (7, 5, 2),
    ],
)
def test_quality_by_the_state_s_unnamed_counties(named, unnamed, quality):
    found = qualities(*state_of(named, unnamed))
    assert found == [quality] * named + [3] * unnamed


@given(st.integers(30, 20_000), st.data())
def test_the_interval_surrounds_the_share(births, data):
    low = data.draw(st.integers(10, births)) if births > 10 else 0
    source, universe = table(("01", "001", births, low)), counties(("01", "001", 1))
    row = neonatal.estimate(source, universe, 2020).row(0, named=True)
    half = 1.96 * math.sqrt(row["value"] * (1 - row["value"]) / births)
    assert row["value"] == low / births
    assert row["lb"] == pytest.approx(row["value"] - half, abs=1e-12)
    assert row["ub"] == pytest.approx(row["value"] + half, abs=1e-12)
    assert row["lb"] > 0
    assert (row["n"], row["numerator"], row["denominator"]) == (births, low, births)


def test_no_low_weight_birth_gives_an_interval_without_width():
    row = neonatal.estimate(table(("01", "001", 500, 0)), counties(("01", "001", 1)), 2020).row(0, named=True)
    assert (row["value"], row["lb"], row["ub"], row["cv"]) == (0.0, 0.0, 0.0, None)


def test_unnamed_counties_share_the_pool_and_say_so():
    source = table(("01", "001", 1000, 80), ("01", "999", 5000, 450), ("34", "009", "Missing County", "Missing County"))
    universe = counties(("01", "001", 1), ("01", "003", 1), ("01", "005", 1), ("34", "009", 1))
    rows = neonatal.estimate(source, universe, 2020).sort("state", "geo")
    shown = ["geo", "value", "estimation_area", "n_areas", "reason"]
    assert rows.select(shown).rows() == [
        ("001", 0.08, "county-01001", 1, "few counties in the state"),
        ("003", 0.09, "county-01999", 2, "pooled area"),
        ("005", 0.09, "county-01999", 2, "pooled area"),
        ("009", None, "county-34009", 1, "area not covered by source"),
    ]


def test_a_county_listed_without_figures_takes_the_pool():
    source = table(("34", "009", "Missing County", "Missing County"), ("34", "001", 900, 60), ("34", "999", 4000, 300))
    row = neonatal.estimate(source, counties(("34", "001", 1), ("34", "009", 1)), 2020).sort("geo").row(1, named=True)
    assert (row["value"], row["reason"]) == (0.075, "pooled area")


def test_a_pool_that_is_suppressed_leaves_its_counties_missing():
    source = table(("01", "001", 1000, 80), ("01", "999", 8, "Suppressed"))
    row = neonatal.estimate(source, counties(("01", "001", 1), ("01", "003", 1)), 2020).sort("geo").row(1, named=True)
    assert (row["value"], row["quality"], row["reason"]) == (None, None, "suppressed at source")


def test_connecticut_is_missing_while_the_source_names_no_region():
    regions = counties(("09", "110", 1), ("09", "120", 1))
    for rows in ([("09", "001", 9000, 700)], [("09", "999", 9000, 700)]):
        found = neonatal.estimate(table(*rows), regions, 2022)
        assert found.select("value", "reason").unique().rows() == [(None, "source on old counties")]
    newer = table(("09", "110", 9000, 700), ("09", "999", 300, 20))
    assert neonatal.estimate(newer, regions, 2024).sort("geo")["reason"].to_list() == [
        "few counties in the state",
        "pooled area",
    ]


def test_a_stray_county_is_an_error():
    with pytest.raises(InputError, match="01777"):
        neonatal.estimate(table(("01", "777", 100, 10)), counties(("01", "001", 1)), 2020)


def test_states_off_the_spine_are_no_strays():
    assert neonatal.estimate(table(("02", "020", 100, 10)), counties(("01", "001", 1)), 2020)["value"].to_list() == []


def test_counting_by_equal_text_takes_suppressed_named_counties_for_unnamed():
    names = [f"{n:03d}" for n in range(1, 21)]
    rows: list[tuple[str, str, Count, Count]] = [("01", code, 1000, 80) for code in names[:14]]
    rows += [("01", code, "Suppressed", "Suppressed") for code in names[14:19]]
    source = table(*rows, ("01", "999", "Suppressed", "Suppressed"))
    universe = counties(*(("01", code, 1) for code in names))
    assert qualities(source, universe)[:14] == [2] * 14, "one unnamed county"
    assert qualities(source, universe, reproduce=Reproduce(unnamed_by_equal_text=True))[:14] == [1] * 14, "six of them"


def test_owed_tables_give_no_rows():
    assert neonatal.estimate(None, counties(), 2020).is_empty()


def test_deviations_are_well_formed():
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)


# The published figures ----------------------------------------------------------------------------------------------


def lay_exports(root: Root, year: int, groups: dict[tuple[str, str], pl.DataFrame]) -> None:
    """Write the 18 exports of a year. `groups`: (type, label) -> code, births, low (text); others are suppressed."""
    template = groups["all", "All"]
    for group, weight, query in queries(year):
        rows = groups.get(
            (group.subgroup_type, group.subgroup),
            template.with_columns(births=pl.lit("Suppressed"), low=pl.lit("Suppressed")),
        )
        column = "births" if weight == "all" else "low"
        cells = [("X", code, [value]) for code, value in rows.select("code", column).iter_rows()]
        known = [int(v[0]) for _, _, v in cells if v[0].isdigit()]
        hidden = sum(v[0] == "Suppressed" for _, _, v in cells)
        root.lay(
            "wonder_natality", str(year), query.file, export(query, "Natality, 2007-2023", cells, [sum(known) + hidden])
        )


def recovered(realcases: Path, year: int) -> pl.DataFrame:
    """The rows of the real exports: code, births, low, with what the recovery cannot show added.

    Added are the two counties listed without figures, and in 2022 and 2023 Connecticut's former counties, which the
    exports still have; their counts are unknown and must not matter.
    """
    rows = published(realcases / RECOVERED).filter(pl.col("year") == str(year))
    rows = rows.select((pl.col("state") + pl.col("county")).alias("code"), births="births_all", low="births_lbw")
    extra = [(code, "Missing County", "Missing County") for code in ("34009", "51740")]
    if year >= 2022:
        extra += [(f"09{geo}", "5000", "400") for geo in (*OLD_CONNECTICUT, "999")]
    return pl.concat([rows, pl.DataFrame(extra, schema=rows.schema, orient="row")]).sort("code")


@pytest.mark.parity
@pytest.mark.parametrize("year", range(2016, 2024))
def test_every_published_row_from_exports_of_the_real_counts(realcases, tmp_path, year):
    root = Root(tmp_path)
    lay_exports(root, year, {("all", "All"): recovered(realcases, year)})
    births = build_births(year, root.retrieval())
    universe = spine(realcases, year)
    done = whole(neonatal.estimate(births.lazy(), universe, year), PREDICTOR, year, universe)
    ours = done.filter(pl.col("subgroup") == "All")
    theirs = published(realcases / PUBLISHED).filter(pl.col("year") == str(year))
    rows = ours.join(theirs, left_on=["state", "geo"], right_on=["state", "county"], how="full", validate="1:1")
    name = "rate_low_birth_weight"
    same = [
        ((pl.col(c) - figure(name + suffix)).abs() < 1e-12).fill_null(
            pl.col(c).is_null() & pl.col(name + suffix).is_null()
        )
        for c, suffix in (("value", ""), ("lb", "_lb"), ("ub", "_ub"))
    ]
    same.append(pl.col("quality").eq_missing(figure(f"{name}_quality").cast(pl.Int8)))
    equal = rows.select(pl.all_horizontal(same).sum()).item()
    assert (
        equal == rows.height == {2016: 3142, 2017: 3142, 2018: 3142, 2019: 3142, 2020: 3143, 2021: 3143}.get(year, 3144)
    ), f"{equal} of {rows.height} rows"
    counts = ours["quality"].value_counts().sort("quality").rows()
    unnamed, named = (2564 if year < 2020 else 2565), (57 if year < 2022 else 49)
    assert counts == [*([(None, 9)] if year >= 2022 else []), (1, 521), (2, named), (3, unnamed)]


@pytest.mark.parity
def test_births_of_the_exports_add_up_to_the_known_totals(realcases):
    totals = (
        published(realcases / RECOVERED).group_by("year").agg(figure("births_all").sum(), figure("births_lbw").sum())
    )
    found = {row[0]: row[1:] for row in totals.iter_rows()}
    assert found["2016"] == (3_941_357, 321_839)
    assert found["2023"] == (3_558_565, 305_531)


@pytest.mark.parity
def test_subgroups_of_the_previous_release_from_their_own_counts(realcases, tmp_path):
    """Counts recovered from share and interval give the published shares and bounds again, through exports and reader.

    The quality flags of that release follow an older rule; under ours the four education groups have 128 missing and
    10,268 weak rows, as the newest release publishes (24 rows more marginal than there, unexplained).
    """
    year = 2022
    old = published(realcases / PREVIOUS).with_columns(
        value=figure("rate_low_birth_weight"),
        lb=figure("rate_low_birth_weight_lb"),
        ub=figure("rate_low_birth_weight_ub"),
    )
    named = recovered(realcases, year).filter(pl.col("births") != "Missing County")["code"]
    variance = pl.col("value") * (1 - pl.col("value"))
    births = (variance * (1.96 * 2 / (pl.col("ub") - pl.col("lb"))) ** 2).round()
    # A share of 0 has no width to recover births from: any number that is graded alike.
    births = pl.when(pl.col("value") == 0).then(150).otherwise(births).cast(pl.Int64)
    counted = old.with_columns(code=pl.col("state") + pl.col("county"), births=births).with_columns(
        low=(pl.col("births") * pl.col("value")).round().cast(pl.Int64)
    )
    words = [pl.col(c).cast(pl.String).fill_null("Suppressed") for c in ("births", "low")]
    groups = {}
    for (kind, label), rows in counted.group_by("subgroup_type", "subgroup"):
        own = rows.filter(pl.col("code").is_in(named.to_list())).select("code", *words)
        pooled = rows.filter(~pl.col("code").is_in(named.to_list()), ~pl.col("state").is_in(["09", "10", "11"]))
        pools = pooled.group_by("state").agg(pl.col("births", "low").first(), pl.len())
        distinct = pooled.select("state", "births", "low").unique().height
        assert distinct == pools.height, "the unnamed counties of a state have one share"
        pools = pools.select((pl.col("state") + "999").alias("code"), *words)
        former = pl.DataFrame({"code": ["09001"], "births": ["5000"], "low": ["400"]})
        groups[kind, label] = pl.concat([own, pools, former]).sort("code")
    root = Root(tmp_path)
    lay_exports(root, year, groups)
    universe = spine(realcases, year)
    ours = neonatal.estimate(build_births(year, root.retrieval()).lazy(), universe, year)
    key = ["state", "geo", "subgroup_type", "subgroup"]
    both = ours.join(counted.rename({"county": "geo"}), on=key, how="full", validate="1:1", suffix="_old")
    same = pl.all_horizontal(
        ((pl.col(c) - pl.col(f"{c}_old")).abs() < 2e-8).fill_null(pl.col(c).is_null() & pl.col(f"{c}_old").is_null())
        for c in ("value", "lb", "ub")
    )
    equal = both.select(same.sum()).item()
    assert equal == both.height == 9 * 3144, f"{equal} of {both.height} rows"
    schools = ours.filter(pl.col("subgroup_type") == "mothers-education")["quality"].value_counts().sort("quality")
    assert schools.rows() == [(None, 128), (1, 1824), (2, 356), (3, 10_268)]


# Explanations -------------------------------------------------------------------------------------------------------


def cell(state: str, geo: str, label: str = "All", kind: str = "all") -> Cell:
    return Cell(2020, "county", state, geo, kind, label, METRIC, "wonder")


def test_explanations_of_a_named_an_unnamed_and_a_missing_county():
    source = table(("01", "001", 1000, 80), ("01", "007", 40, "Suppressed"), ("01", "999", 5000, 450))
    universe = counties(*(("01", code, 1) for code in ("001", "003", "005", "007")))
    named = neonatal.explain(cell("01", "001"), year=2020, births_county=source, spine=universe)
    assert named.recomputed == 0.08
    assert named.formula.startswith("80 births under 2,500 grams / 1,000 births")
    pooled = neonatal.explain(cell("01", "003"), year=2020, births_county=source, spine=universe)
    assert pooled.recomputed == 0.09
    assert pooled.inputs["geo"].to_list() == ["999"]
    assert "2 counties" in pooled.notes[0]
    missing = neonatal.explain(cell("01", "007"), year=2020, births_county=source, spine=universe)
    assert missing.recomputed is None
    assert "Suppressed" in missing.formula
    old = neonatal.explain(
        cell("09", "110"), year=2022, births_county=table(("09", "001", 900, 70)), spine=counties(("09", "110", 1))
    )
    assert "former counties" in old.formula


# From synthetic files to gated estimates ----------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2016, 2023])
def test_from_synthetic_files_to_gated_estimates(tmp_path, year):
    root = Root(tmp_path)
    world = World(20250101, (year,))
    for writer in (synthetic_births, synthetic_popest):
        writer.write(root.folder / "raw", world)
    retrieval = root.retrieval(STATE_CODES, synthetic=True)
    births = build_births(year, retrieval)
    TABLES[0].model.validate(births, lazy=True)
    universe = geography.build_spine(year, retrieval).lazy()
    done = whole(neonatal.estimate(births.lazy(), universe, year), PREDICTOR, year, universe)
    labels = {"All", *RACE_ETHNICITY, *MOTHERS_EDUCATION}
    assert set(done["subgroup"]) == labels
    assert set(done["quality"].drop_nulls()) == {1, 2, 3}
    reasons = set(done["reason"].drop_nulls())
    assert {"pooled area", "few counties in the state", "suppressed at source"} <= reasons
    assert ("source on old counties" in reasons) == (year >= 2022)
    north_carolina = done.filter(pl.col("state") == "37", pl.col("geo") == "123", pl.col("subgroup") == "All")
    assert north_carolina["reason"].to_list() == ["pooled area"]
    for row in done.filter(pl.col("value").is_not_null()).gather_every(400).iter_rows(named=True):
        told = neonatal.explain(
            cell(row["state"], row["geo"], row["subgroup"], row["subgroup_type"]),
            year=year,
            births_county=births.lazy(),
            spine=universe,
        )
        assert told.recomputed == row["value"]
