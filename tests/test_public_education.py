"""Learning rates: published rows worked back and fed in again, the registered entries, and every branch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from school_support import SAME_AREA, place_lists, published, spine_of

from metrics.catalog import catalog
from metrics.city_names import POSTAL_DISTRICTS, listed_cities
from metrics.districts import Districts
from metrics.education.public_education import DEVIATIONS, GROUPS, METRIC, PREDICTOR, SAMPLE, YEARS, estimate, explain
from metrics.explanation import Cell
from metrics.learning import OURS, REFERENCE, Reproduce
from metrics.predictor import complete, expected_keys
from schemas.estimate import gate
from schemas.labels import ALL
from schemas.schools import GRADES, STUDENT_GROUPS
from sources.seda import TABLES as SEDA_TABLES

COUNTY = {
    "state": pl.String,
    "county": pl.String,
    "group": pl.String,
    "grade": pl.Int8,
    "spring": pl.Int16,
    "score": pl.Float64,
    "tests": pl.Int64,
}
DISTRICT = {"leaid": pl.String, **{name: kind for name, kind in COUNTY.items() if name not in ("state", "county")}}
LABELS = {label: group for group, (_, label) in GROUPS.items()}


# Published rows, worked back to scores -----

# Grades behind a quality, and a bend of the scores that leaves line and level alone.
BENDS = {1: [5, -1, -4, -4, -1, 5], 2: [1, -3, 3, -1], 3: [1, -2, 1]}
PRECISION = 1e7


def scores_behind(rates: pl.DataFrame, year: int) -> pl.DataFrame:
    """Scores that have these lines: area, group, grade, spring, score, tests.

    `rates` has area, group, value, half, quality; rows without value get withheld scores. The weights of an area set
    its standard error against the variance that all areas of its group share, which the bends add up to.
    """
    frames = []
    for (group,), rows in rates.partition_by("group", as_dict=True).items():
        known = rows.drop_nulls("value")
        bends = [np.array(BENDS[q], dtype=float) for q in known["quality"]]
        freedom = sum(len(b) for b in bends) - 2 * len(bends)
        for (area, value, half), bend in zip(known.select("area", "value", "half").rows(), bends, strict=True):
            x = np.array(GRADES[: len(bend)], dtype=float)
            spread = ((x - x.mean()) ** 2).sum()
            weight = round(PRECISION / ((half / 1.96) ** 2 * spread))
            amplitude = np.sqrt(PRECISION * freedom / len(bends) / weight / (bend**2).sum())
            frames.append((area, group, list(range(len(bend))), (value * x + amplitude * bend).tolist(), weight))
        frames += [(area, group, [0], [None], None) for area in rows.filter(pl.col("value").is_null())["area"]]
    schema = {"area": pl.String, "group": pl.String, "at": pl.List(pl.Int64), "score": pl.List(pl.Float64)}
    table = pl.DataFrame(frames, schema={**schema, "tests": pl.Int64}, orient="row").explode("at", "score")
    grade = pl.col("at") + GRADES[0]
    return table.with_columns(grade=grade.cast(pl.Int8), spring=(grade + year - 7).cast(pl.Int16)).drop("at")


def rates_of(frame: pl.DataFrame, year: int) -> pl.DataFrame:
    """Published rows of a year: area (geoid), group, value, half, quality, lb, ub."""
    rows = frame.filter(pl.col("year") == year)
    if "subgroup" not in rows.columns:
        rows = rows.with_columns(subgroup=pl.lit(ALL))
    lb, ub = pl.col("learning_rate_lb").cast(pl.Float64), pl.col("learning_rate_ub").cast(pl.Float64)
    return rows.select(
        area="geoid",
        group=pl.col("subgroup").replace_strict(LABELS),
        value=pl.col("learning_rate").cast(pl.Float64),
        half=(ub - lb) / 2,
        quality=pl.col("learning_rate_quality").cast(pl.Int8),
        lb=lb,
        ub=ub,
    )


def compared(computed: pl.DataFrame, wanted: pl.DataFrame, level: str) -> pl.DataFrame:
    """Side by side, one row per published row, with `same`: value, bounds and quality."""
    ours = computed.filter(pl.col("level") == level).with_columns(
        area=pl.concat_str("state", "geo"), group=pl.col("subgroup").replace_strict(LABELS)
    )
    both = wanted.join(ours, on=["area", "group"], how="left", validate="1:1", suffix="_ours")

    def equal(a: str, b: str) -> pl.Expr:
        near = ((pl.col(a) - pl.col(b)).abs() <= 1e-6).fill_null(False)
        return near | (pl.col(a).is_null() & pl.col(b).is_null())

    return both.with_columns(
        same=equal("value", "value_ours")
        & equal("lb", "lb_ours")
        & equal("ub", "ub_ours")
        & pl.col("quality").eq_missing(pl.col("quality_ours"))
    )


# Of the method file, section 8: figures missing and of quality 1, 2, 3.
COUNTY_TALLY = {
    2014: (88, 2484, 384, 186),
    2015: (78, 2410, 434, 220),
    2016: (77, 2368, 392, 305),
    2017: (99, 2360, 387, 296),
    2018: (177, 2346, 404, 215),
}
PLACE_TALLY = {
    2014: (80, 321, 72, 12),
    2015: (80, 299, 79, 27),
    2016: (78, 302, 70, 35),
    2017: (81, 298, 81, 25),
    2018: (86, 294, 81, 25),
}
# Median of the county figures, and the figure of Forsyth County with its bounds.
COUNTY_FIGURES = {
    2014: (1.0174, 0.89265907, 0.84540343, 0.9399147),
    2015: (1.0000, 0.8938607, 0.84769434, 0.94002706),
    2016: (0.9874, 0.90904677, 0.8648755, 0.95321804),
    2017: (0.9501, 0.87005413, 0.82090902, 0.91919923),
    2018: (0.9014, 0.86946338, 0.81981677, 0.91911),
}


def tally(frame: pl.DataFrame, level: str) -> tuple[int, ...]:
    """Overall figures missing and of quality 1, 2, 3."""
    flags = frame.filter(pl.col("level") == level, pl.col("subgroup") == ALL)["quality"]
    return (flags.null_count(), *((flags == q).sum() for q in (1, 2, 3)))


def county_table(scores: pl.DataFrame) -> pl.LazyFrame:
    area = pl.col("area")
    return scores.select(
        state=area.str.head(2), county=area.str.tail(3), **{c: pl.col(c) for c in list(COUNTY)[2:]}
    ).lazy()


@pytest.mark.parity
@pytest.mark.parametrize("year", YEARS)
def test_published_counties_come_back(realcases: Path, year: int) -> None:
    """All 15,710 county rows: their lines in one pooled regression give value, bounds and quality back."""
    wanted = rates_of(published(realcases, "built/SEDA_all_county_2014-2018.csv.gz"), year)
    assert wanted.height == 3142
    # The archive has the later codes; give it scores for the two renamed counties, whatever is published.
    later = {"02270": "02158", "46113": "46102"}
    archive = wanted.with_columns(pl.col("area").replace(later))
    renamed = archive.filter(pl.col("area").is_in(list(later.values())))
    if year == 2014:
        found = renamed.with_columns(value=pl.lit(1.25), half=pl.lit(0.2), quality=pl.lit(1, pl.Int8))
        archive = archive.update(found, on=["area", "group"])
    table = county_table(scores_behind(archive, year))
    reference = estimate(table, None, None, None, spine_of(realcases, year), year, reproduce=REFERENCE)
    as_reference = compared(reference, wanted, "county")
    same = as_reference["same"].sum()
    assert same == 3142, f"{same} of 3142 rows equal; {as_reference.filter(~pl.col('same')).head(3).to_dicts()}"

    assert tally(reference, "county") == COUNTY_TALLY[year]
    overall = reference.filter(pl.col("subgroup") == ALL)
    forsyth = overall.row(by_predicate=pl.concat_str("state", "geo") == "37067", named=True)
    found = (round(overall["value"].median(), 4), forsyth["value"], forsyth["lb"], forsyth["ub"])
    assert found == pytest.approx(COUNTY_FIGURES[year], abs=1e-6)

    ours = compared(estimate(table, None, None, None, spine_of(realcases, year), year), wanted, "county")
    (entry,) = (d for d in DEVIATIONS if d.kind == "deviation")
    registered = {row.geoid for row in entry.rows or () if row.year == year}
    different = ours.filter(~pl.col("same"))
    assert set(different["area"]) == registered, f"{ours['same'].sum()} of 3142 rows equal"
    assert different["value"].null_count() == different.height
    assert different["value_ours"].round(9).to_list() == [1.25] * len(registered)


@pytest.fixture(scope="module")
def places(realcases: Path) -> pl.LazyFrame:
    return place_lists(realcases).filter(pl.col("year") <= 2018).lazy()


@pytest.mark.parity
@pytest.mark.parametrize("year", YEARS)
def test_published_places_come_back(realcases: Path, places: pl.LazyFrame, year: int) -> None:
    """All 19,408 place rows, groups included: districts found by their office's city give the published figures.

    Every third place has two districts; districts of other cities are there and must not be pooled.
    """
    wanted = rates_of(published(realcases, "built/SEDA_all_subgroups_city_2014-2018.csv.gz"), year)
    assert wanted.height == 8 * (486 if year == 2018 else 485)
    overall = rates_of(published(realcases, "built/SEDA_all_city_2014-2018.csv.gz"), year)
    assert_frame_equal(wanted.filter(pl.col("group") == "all"), overall.select(wanted.columns), check_row_order=False)

    named = listed_cities(places.filter(pl.col("year") == year).collect(), POSTAL_DISTRICTS)
    served = wanted.group_by("area", maintain_order=True).agg(pl.col("value").count() > 0).filter("value")
    offices = (
        served.join(named.with_columns(area=pl.concat_str("state", "geo")), on="area", validate="1:1")
        .with_row_index("at")
        .with_columns(copies=pl.when(pl.col("at") % 3 == 0).then(2).otherwise(1))
    )
    districts = offices.select("area", "state", "city", copy=pl.int_ranges("copies")).explode("copy")
    districts = districts.with_row_index("n").with_columns(leaid=pl.format("{}{}", "state", pl.col("n") + 10_000))
    scores = scores_behind(
        districts.select("area", "leaid").join(wanted, on="area", validate="m:m").with_columns(area="leaid"), year
    )
    elsewhere = pl.DataFrame({"leaid": ["0190001"], "city": ["Nowhere"]})
    far = scores_behind(
        pl.DataFrame({"area": "0190001", "group": "all", "value": 3.0, "half": 9.0, "quality": 3}), year
    )
    table = pl.concat([scores, far.with_columns(pl.col("score") * pl.col("grade"))]).rename({"area": "leaid"})
    cities = pl.concat([districts.select("leaid", pl.col("city").str.to_uppercase()), elsewhere])
    falls = pl.DataFrame({"fall": range(2008, 2019)}, schema={"fall": pl.Int16})
    office = cities.join(falls, how="cross").select("leaid", "fall", "city").lazy()
    computed = estimate(None, table.select(*DISTRICT).lazy(), office, places, spine_of(realcases, year), year)
    ours = compared(computed, wanted, "place")
    same = ours["same"].sum()
    assert same == wanted.height, (
        f"{same} of {wanted.height} rows equal; {ours.filter(~pl.col('same')).head(3).to_dicts()}"
    )
    assert ours.filter(pl.col("value").is_null())["reason"].null_count() == 0
    assert tally(computed, "place") == PLACE_TALLY[year]


@pytest.mark.parity
def test_figures_of_the_published_files(realcases: Path) -> None:
    """What the method file and the register say of the published figures; groups, bounds and rows fit together."""
    county = published(realcases, "built/SEDA_all_county_2014-2018.csv.gz")
    city = published(realcases, "built/SEDA_all_city_2014-2018.csv.gz")
    for frame in (county, city):
        value, lb, ub = (pl.col(f"learning_rate{c}").cast(pl.Float64) for c in ("", "_lb", "_ub"))
        skew = frame.select((ub + lb - 2 * value).abs().max()).item()
        assert skew < 3e-7
        flags = frame["learning_rate_quality"].is_null() == frame["learning_rate"].is_null()
        assert flags.all()
    empty = city.group_by("geoid").agg(pl.col("learning_rate").count()).filter(pl.col("learning_rate") == 0)
    assert empty.height == 78
    assert "3775000" in empty["geoid"].to_list()
    silent = county.filter(pl.col("year") == 2018, pl.col("state") == "36")
    assert silent["learning_rate"].null_count() == silent.height == 62
    # Places that are a county: how far the match by office carries.
    pairs = pl.DataFrame({"geoid": SAME_AREA.keys(), "same": SAME_AREA.values()})
    both = pairs.join(city, on="geoid").join(county, left_on=["same", "year"], right_on=["geoid", "year"], how="left")
    apart = both.with_columns(
        d=(pl.col("learning_rate").cast(pl.Float64) - pl.col("learning_rate_right").cast(pl.Float64)).abs()
    )
    worst = dict(apart.group_by("geoid").agg(pl.col("d").max()).rows())
    assert worst.pop("2965000") is None
    assert sum(d <= 0.01 for d in worst.values()) == 13
    assert sorted(round(d, 2) for d in worst.values() if d > 0.01) == [0.03, 0.03, 0.08, 0.13]


@pytest.mark.parity
def test_registered_rows_are_missing_in_the_published_file(realcases: Path) -> None:
    county = published(realcases, "built/SEDA_all_county_2014-2018.csv.gz")
    rows = {(r.year, r.geoid) for d in DEVIATIONS if d.kind == "deviation" for r in d.rows or ()}
    assert rows == {(2014, "02270"), (2014, "46113")}
    for year, geoid in rows:
        row = county.filter(pl.col("year") == year, pl.col("geoid") == geoid)
        assert row["learning_rate"].to_list() == [None]
    # The same two counties have figures under their later codes in every other year: 2014 lost them, not the archive.
    later = county.filter(pl.col("geoid").is_in(["02158", "46102"]))
    assert later["learning_rate"].count() == later.height == 8


# Branches -----


def county_rows(geoid: str, scores: list[float | None], tests: list[int | None], group: str = "all") -> list[tuple]:
    cells = zip(GRADES, scores, tests, strict=True)
    return [(geoid[:2], geoid[2:], group, grade, 2007 + grade, y, w) for grade, y, w in cells]


def county_frame(*rows: list[tuple]) -> pl.LazyFrame:
    return pl.LazyFrame([r for part in rows for r in part], schema=COUNTY, orient="row")


def spine(*geoids: str, name: str = "Some city") -> pl.LazyFrame:
    rows = [("county" if len(g) == 5 else "place", g[:2], g[2:], name if len(g) > 5 else "a county") for g in geoids]
    return pl.LazyFrame(rows, schema=["level", "state", "geo", "name"], orient="row")


def row_of(frame: pl.DataFrame, geoid: str, subgroup: str = ALL) -> dict:
    here = (pl.concat_str("state", "geo") == geoid) & (pl.col("subgroup") == subgroup)
    return frame.row(by_predicate=here, named=True)


SIX = [3.0, 4.1, 4.9, 6.2, 6.8, 8.0]
NONE = [None] * 6


def test_county_reasons():
    """Not in the archive; no score; one score; few grades; few tested; a group without scores."""
    table = county_frame(
        county_rows("01001", SIX, [50] * 6),
        county_rows("01003", NONE, [9] * 6),
        county_rows("01005", [3.0, *NONE[1:]], [50] * 6),
        county_rows("01007", [*SIX[:4], None, None], [50] * 6),
        county_rows("01009", SIX, [29, *[50] * 5]),
        county_rows("01011", [*SIX[:3], None, None, None], [50] * 6),
    )
    frame = estimate(table, None, None, None, spine(*(f"010{n:02d}" for n in range(1, 15, 2)), "0107000"), 2014)
    assert frame.height == 7 * 8
    got = {
        g: (row_of(frame, g)["quality"], row_of(frame, g)["reason"]) for g in (f"010{n:02d}" for n in range(1, 15, 2))
    }
    assert got == {
        "01001": (1, None),
        "01003": (None, "suppressed at source"),
        "01005": (None, "low coverage"),
        "01007": (2, "low coverage"),
        "01009": (3, "small population"),
        "01011": (3, "low coverage"),
        "01013": (None, "area not covered by source"),
    }
    assert row_of(frame, "01001", "Female")["reason"] == "suppressed at source"
    assert row_of(frame, "01013", "Female")["reason"] == "area not covered by source"
    row = row_of(frame, "01001")
    assert row["value"] == pytest.approx(np.polyfit(GRADES, SIX, 1)[0])
    assert row["ub"] - row["value"] == pytest.approx(1.96 * row["se"])
    assert (row["n"], row["n_areas"], row["estimation_area"]) == (6, 1, "county-01001")
    assert row["cv"] == pytest.approx(row["se"] / row["value"])
    assert row["reference_period"] == "2009-10 to 2014-15"


def test_areas_off_the_list_still_share_the_variance():
    """A run that covers one state gives the same figures as one that covers the nation."""
    table = county_frame(county_rows("01001", SIX, [50] * 6), county_rows("02020", [3, 6, 4, 6, 5, 9], [70] * 6))
    nation = estimate(table, None, None, None, spine("01001", "02020"), 2014)
    one = estimate(table, None, None, None, spine("01001"), 2014)
    assert_frame_equal(one, nation.filter(pl.col("state") == "01"))


def test_renamed_counties():
    table = county_frame(county_rows("46102", SIX, [50] * 6), county_rows("01001", SIX[::-1], [50] * 6))
    of_2014 = spine("46113", "01001")
    assert row_of(estimate(table, None, None, None, of_2014, 2014), "46113")["value"] is not None
    missing = row_of(estimate(table, None, None, None, of_2014, 2014, reproduce=REFERENCE), "46113")
    assert (missing["value"], missing["reason"]) == (None, "area not covered by source")
    assert row_of(estimate(table, None, None, None, spine("46102"), 2015), "46102")["value"] is not None


# Places -----


def lea_rows(leaid: str, scores: list[float | None], tests: list[int | None], group: str = "all") -> list[tuple]:
    return [(leaid, *row[2:]) for row in county_rows("00000", scores, tests, group)]


def offices(**cities: dict[int, str | None] | str) -> pl.LazyFrame:
    falls = range(2009, 2019)
    rows = [
        (leaid.removeprefix("l"), fall, city.get(fall) if isinstance(city, dict) else city)
        for leaid, city in cities.items()
        for fall in falls
    ]
    return pl.LazyFrame(rows, schema={"leaid": pl.String, "fall": pl.Int16, "city": pl.String}, orient="row")


LISTED = pl.LazyFrame(
    [(y, s, g, n) for y in YEARS for s, g, n in (("01", "07000", "Some city"), ("01", "09000", "Winston-Salem city"))],
    schema={"year": pl.Int16, "state": pl.String, "geo": pl.String, "name": pl.String},
    orient="row",
)


def districts(*rows: list[tuple]) -> pl.LazyFrame:
    return pl.LazyFrame([r for part in rows for r in part], schema=DISTRICT, orient="row")


def places_of(table: pl.LazyFrame, office: pl.LazyFrame, reproduce: Reproduce = OURS) -> pl.DataFrame:
    both = spine("0107000", "0109000").with_columns(
        name=pl.when(pl.col("geo") == "07000").then(pl.lit("Some city")).otherwise(pl.lit("Winston-Salem city"))
    )
    return estimate(None, table, office, LISTED, both, 2014, reproduce=reproduce)


def test_a_place_is_the_average_of_its_districts_weighted_by_tests():
    """Each district and grade weighs by its own test takers, those of withheld scores included."""
    table = districts(
        lea_rows("0100001", SIX, [100, 200, 300, 100, 100, 100]),
        lea_rows("0100002", [3.0, 5.0, 7.1, None, None, None], [60, 60, 60, 40, None, None]),
        lea_rows("0100003", [1.0, 9.0, 2.0, 8.0, 3.0, 9.0], [500] * 6),
    )
    office = offices(l0100001="SOME", l0100002="some", l0100003="Elsewhere")
    frame = places_of(table, office)
    found = Districts(table, office, LISTED)
    assert found.kept["leaid"].to_list() == ["0100001", "0100002"]
    first, second = (found.rates.table.filter(area=a, group="all").row(0, named=True) for a in ("0100001", "0100002"))
    row = row_of(frame, "0107000")
    assert row["value"] == pytest.approx((900 * first["rate"] + 220 * second["rate"]) / 1120)
    half = (900 * first["half"] + 220 * second["half"]) / 1120
    assert (row["lb"], row["ub"]) == (pytest.approx(row["value"] - half), pytest.approx(row["value"] + half))
    # 900 x 1 + 220 x 3 over 1,120 is 1.39.
    assert (first["quality"], second["quality"], row["quality"], row["reason"]) == (1, 3, 1, None)
    assert (row["n"], row["estimation_area"]) == (2, "place-0107000")
    assert row_of(frame, "0109000")["reason"] == "area not covered by source"
    assert row_of(frame, "0107000", "Male")["reason"] == "area not covered by source"


@pytest.mark.parametrize(
    ("strong", "weak", "quality", "reason"),
    [(301, 100, 1, None), (300, 100, 2, "low coverage"), (101, 300, 2, "low coverage"), (100, 300, 3, "low coverage")],
)
def test_quality_is_rounded_halves_up(strong, weak, quality, reason):
    """Quality 1 and 3 average to 1.5 with three parts to one, and to 2.5 with one to three."""
    table = districts(
        lea_rows("0100001", SIX, [strong * 100] * 6),
        lea_rows("0100002", [*SIX[:3], None, None, None], [weak * 200, weak * 200, weak * 200, None, None, None]),
    )
    row = row_of(places_of(table, offices(l0100001="Some", l0100002="Some")), "0107000")
    assert (row["quality"], row["reason"]) == (quality, reason)


def test_place_reasons():
    def reason(scores: list[float | None], tests: list[int | None]) -> tuple:
        table = districts(lea_rows("0100001", scores, tests), lea_rows("0100002", SIX, [90] * 6))
        row = row_of(places_of(table, offices(l0100001="Some", l0100002="Winston-Salem")), "0107000")
        return row["quality"], row["reason"]

    assert reason(SIX, [50] * 6) == (1, None)
    assert reason(SIX, [50] * 5 + [29]) == (3, "small population")
    assert reason([*SIX[:4], None, None], [50] * 6) == (2, "low coverage")
    assert reason(NONE, [50] * 6) == (None, "suppressed at source")
    assert reason([3.0, *NONE[1:]], [50] * 6) == (None, "low coverage")
    assert reason(SIX, [None] * 6) == (None, "low coverage")


def test_spelling_decides():
    table = districts(lea_rows("0100001", SIX, [50] * 6), lea_rows("0100002", SIX, [70] * 6))
    frame = places_of(table, offices(l0100001="WINSTON SALEM", l0100002="SOME"))
    assert row_of(frame, "0109000")["value"] is None
    frame = places_of(table, offices(l0100001="WINSTON-SALEM", l0100002="SOME"))
    assert row_of(frame, "0109000")["value"] is not None


def test_another_state_is_another_city():
    table = districts(lea_rows("0200001", SIX, [50] * 6), lea_rows("0100002", SIX, [70] * 6))
    found = Districts(table, offices(l0200001="Some", l0100002="Some"), LISTED)
    assert found.kept["leaid"].to_list() == ["0100002"]


def test_a_district_that_moves_counts_where_it_was_each_year():
    """Kept if listed in some year of the list (from 2014 on); its grades go to the city of their school year."""
    cities = {fall: "Some" if fall <= 2011 else "Winston-Salem" for fall in range(2009, 2019)}
    table = districts(lea_rows("0100001", SIX, [50] * 6), lea_rows("0100002", SIX, [70, 70, 70, 70, 70, 71]))
    office = offices(l0100001=cities, l0100002={fall: "Some" if fall < 2014 else "Far" for fall in range(2009, 2019)})
    found = Districts(table, office, LISTED)
    assert found.kept["leaid"].to_list() == ["0100001"]
    here = found.rows.filter(pl.col("group") == "all")
    assert here["city"].to_list() == ["Some"] * 3 + ["Winston-Salem"] * 3
    frame = places_of(table, office)
    # One district alone has four degrees of freedom; both cities show its one rate.
    assert row_of(frame, "0107000")["value"] == pytest.approx(row_of(frame, "0109000")["value"])


def test_years_without_an_office_borrow_a_city():
    """The first in the alphabet as the directory spells it; on request the nearest year's."""
    cities: dict[int, str | None] = {2009: "Zeta", 2010: None, 2011: None, 2012: "Some", 2014: None, 2015: "Alpha"}
    table = districts(lea_rows("0100001", SIX, [50] * 6))

    def cities_of(reproduce: Reproduce) -> dict[int, str]:
        found = Districts(table, offices(l0100001=cities, l0100002={}), LISTED, reproduce)
        return dict(found.cities.select("fall", "city").rows())

    first = cities_of(OURS)
    assert [first[f] for f in (2009, 2010, 2011, 2012, 2014, 2015)] == [
        "Zeta",
        "Alpha",
        "Alpha",
        "Some",
        "Alpha",
        "Alpha",
    ]
    near = cities_of(Reproduce(nearest_city=True))
    assert [near[f] for f in (2009, 2010, 2011, 2012, 2013, 2014, 2016)] == [
        *("Zeta", "Zeta", "Some", "Some", "Some", "Alpha", "Alpha"),
    ]


def test_own_variance_is_a_switch():
    table = county_frame(
        county_rows("01001", SIX, [50] * 6),
        county_rows("01003", [3.0, 6.0, 4.0, 7.0, 6.0, 9.0], [50] * 6),
        county_rows("01005", [3.0, 4.5, None, None, None, None], [50] * 6),
    )
    counties = spine("01001", "01003", "01005")
    pooled = estimate(table, None, None, None, counties, 2014)
    own = estimate(table, None, None, None, counties, 2014, reproduce=Reproduce(own_variance=True))
    assert pooled["value"].equals(own["value"], null_equal=True)
    assert row_of(pooled, "01001")["se"] == pytest.approx(row_of(pooled, "01003")["se"])
    assert row_of(own, "01001")["se"] < row_of(own, "01003")["se"]
    two_grades = row_of(own, "01005")
    assert (two_grades["lb"], two_grades["ub"], two_grades["value"]) == (None, None, pytest.approx(1.5))


# The whole -----


def test_owed_tables():
    table = county_frame(county_rows("01001", SIX, [50] * 6), county_rows("01003", SIX[::-1], [50] * 6))
    areas = spine("01001", "01003", "0107000")
    only_counties = estimate(table, None, offices(l0100001="Some"), LISTED, areas, 2014)
    assert set(only_counties["level"]) == {"county"}
    nothing = estimate(None, None, None, None, areas, 2014)
    assert nothing.height == 0
    owed = frozenset({"seda_county", "seda_district"})
    whole = complete(nothing, PREDICTOR, 2014, areas.collect(), owed=owed)
    assert set(whole["reason"]) == {"input owed"}


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    rows = [lea_rows(f"01{n:05d}", (np.array(SIX) + rng.normal(0, 1, 6)).tolist(), [90 + n] * 6) for n in range(40)]
    table = districts(*rows)
    office = offices(**{f"l01{n:05d}": "Some" for n in range(40)})
    shuffled = table.collect().sample(fraction=1, shuffle=True, seed=2).lazy()
    one, two = places_of(table, office), places_of(shuffled, office.sort("fall", descending=True))
    assert_frame_equal(one, two, check_exact=True)


def test_account_of_a_county():
    table = county_frame(
        county_rows("01001", [*SIX[:5], None], [50, 60, 70, 80, 90, 10]), county_rows("46102", SIX, [50] * 6)
    )
    tables = {
        **{"seda_county": table, "seda_district": None, "district_city": None, "listed_places": None},
        "spine": spine("01001", "46113"),
    }
    row = row_of(estimate(**tables, year=2014), "01001")
    cell = Cell(2014, "county", "01", "001", "all", ALL, METRIC, SAMPLE)
    account = explain(cell, year=2014, **tables)
    assert account.recomputed == pytest.approx(row["value"], rel=1e-12)
    assert f"= {row['value']:.7g}" in account.formula
    assert f"{row['lb']:.7g} to {row['ub']:.7g}" in account.formula
    assert account.inputs["weight"].to_list() == [50, 60, 70, 80, 90, None]
    assert account.tables == ("seda_county",)
    assert [(s.rows_in, s.rows_out) for s in account.steps] == [(12, 11), (12, 12), (12, 6), (6, 5)]
    figures = {d.name: (d.figure, d.outcome) for d in account.decisions}
    assert figures["fewest tested in a grade"] == (10.0, "quality 3")
    missing = explain(Cell(2014, "county", "01", "003", "all", ALL, METRIC, SAMPLE), year=2014, **tables)
    assert (missing.recomputed, missing.inputs.height) == (None, 0)
    with pytest.raises(ValueError, match="seda_county"):
        explain(cell, year=2014, **{**tables, "seda_county": None})


def test_account_of_a_place():
    table = districts(
        lea_rows("0100001", SIX, [100] * 6),
        lea_rows("0100002", [*SIX[:3], None, None, None], [60] * 6),
        lea_rows("0100003", SIX, [50] * 6),
        lea_rows("0100004", SIX, [50] * 6),
    )
    office = offices(l0100001="Some", l0100002="Some", l0100003="Far", l0100004={})
    tables = {
        **{"seda_county": None, "seda_district": table, "district_city": office, "listed_places": LISTED},
        "spine": spine("0107000"),
    }
    row = row_of(estimate(**tables, year=2014), "0107000")
    cell = Cell(2014, "place", "01", "07000", "all", ALL, METRIC, SAMPLE)
    account = explain(cell, year=2014, **tables)
    assert account.recomputed == row["value"], "added up in the same order, so to the last digit"
    assert account.inputs.select("leaid", "grade").n_unique() == 12
    assert [(s.rows_in, s.rows_out) for s in account.steps] == [(4, 3), (3, 2), (2, 2), (2, 2)]
    assert account.steps[1].note == "960 of 1,560 students tested"
    assert account.decisions[0].outcome == f"quality {row['quality']}"
    nobody = explain(Cell(2014, "place", "01", "07000", "gender", "Male", METRIC, SAMPLE), year=2014, **tables)
    assert (nobody.recomputed, nobody.formula) == (None, "no district of Some has a rate")
    with pytest.raises(ValueError, match="seda_district"):
        explain(cell, year=2014, **{**tables, "listed_places": None})


def test_declarations():
    entry = catalog()["public_education"]
    assert entry.inputs == ("seda_county", "seda_district", "district_city", "listed_places", "spine")
    assert entry.explain is explain
    assert {t.name for t in SEDA_TABLES} <= set(entry.inputs)
    assert tuple(GROUPS) == STUDENT_GROUPS
    declared = {cell for series in PREDICTOR.series for cell in series.cells}
    assert declared == set(GROUPS.values())
    assert len({d.id for d in DEVIATIONS}) == len(DEVIATIONS)
    table = county_frame(county_rows("01001", SIX, [50] * 6), county_rows("01003", SIX[::-1], [50] * 6))
    areas = spine("01001", "01003", "0107000")
    whole = complete(estimate(table, None, None, None, areas, 2014), PREDICTOR, 2014, areas.collect())
    expected = expected_keys(PREDICTOR, 2014, areas.collect())
    gate(whole, name="public_education", expected_keys=expected, limits=PREDICTOR.limits())
