"""The assembly against the reference's published files: their per-metric files in, the very same files out.

Files 63 to 68 are the reference's own; 11, 13, 18, 61 and 62 were rebuilt from the same inputs by other means, as the
originals are too large to be at hand. Every cell of every row is compared: texts and missing cells exactly, numbers to
1e-15 of their size. The reference's writer cuts the last digits of some small numbers: these begin with its digits.
"""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from published_reference import all_estimates, declared, metric_files, spines

from outputs import suppress
from outputs.files import FILES, choices, columns, published_file
from outputs.wide import Wide, assemble, parts_of, universe
from schemas.estimate import KEY

pytestmark = pytest.mark.parity
ORIGINAL = (63, 64, 65, 66, 67, 68)
REBUILT = (11, 13, 18, 61, 62)
ROUNDING = 1e-15
SMALL, DIGITS = 0.01, 14
"""The reference's writer may cut numbers below a hundredth to 15 digits, less a zero at their end."""


@pytest.fixture(scope="module")
def case(realcases) -> Path:
    return realcases / "published_files"


@pytest.fixture(scope="module")
def assembled(case):
    """Assemble a file of the reference layout from the reference's per-metric files."""
    made: dict[int, Wide] = {}

    def make(number: int) -> Wide:
        if number not in made:
            file = published_file(number)
            level = all_estimates(case / "raw").lazy().filter(pl.col("level") == file.level)
            estimates = suppress.for_reference(level, number)
            places = universe(spines(case / "raw"), file.level)
            made[number] = assemble(file, estimates, places, declared(), layout="reference")
        return made[number]

    return make


def _expected(case: Path, number: int) -> pl.DataFrame:
    stem = published_file(number).stem
    rebuilt = case / f"expected/reconstructed_{stem}.parquet"
    if rebuilt.exists():
        frame = pl.read_parquet(rebuilt)
        # The rebuilt files keep the leading blank of the 2014 county names, which the reference's reader strips.
        names = [c for c in frame.columns if c.endswith("_name")]
        return frame.with_columns(pl.col(c).str.strip_chars() for c in names)
    text = gzip.decompress((case / f"expected/{stem}.csv.gz").read_bytes())
    return pl.read_csv(text, infer_schema=False, null_values=["NA"])


def _unequal(ours: pl.Series, theirs: pl.Series) -> pl.Series:
    if not ours.dtype.is_float():
        return ~ours.eq_missing(theirs)
    frame = pl.DataFrame({"a": ours, "b": theirs})
    near = (pl.col("a") - pl.col("b")).abs() <= ROUNDING * pl.col("b").abs()
    both = pl.col("a").is_null() & pl.col("b").is_null()
    apart = frame.select(~(near.fill_null(False) | both)).to_series()
    if not apart.any():
        return apart
    digits = [pl.col(c).cast(pl.String).str.replace(r"^-?0\.0+", "").str.replace(".", "", literal=True) for c in "ab"]
    cut = digits[0].str.starts_with(digits[1]) & (digits[1].str.len_chars() >= DIGITS) & (pl.col("b").abs() < SMALL)
    return apart & ~frame.select(cut.fill_null(False)).to_series()


@pytest.mark.parametrize("number", [*ORIGINAL, *REBUILT])
def test_every_cell_of_the_published_file(case, assembled, number):
    wide = assembled(number).frame
    theirs = _expected(case, number)
    assert wide.columns == theirs.columns
    assert wide.height == theirs.height
    theirs = theirs.select(pl.col(c).cast(wide.schema[c]) for c in wide.columns)
    differing = {c: int(_unequal(wide[c], theirs[c]).sum()) for c in wide.columns}
    differing = {c: n for c, n in differing.items() if n}
    cells = wide.height * wide.width
    same = cells - sum(differing.values())
    assert not differing, f"file {number}: {same} of {cells} cells match ({same / cells:.4%}); differing: {differing}"


def test_the_originals_are_compared_whole(assembled):
    """All cells of files 63 to 68 but those of the five key columns, as the method counts them."""
    cells = sum(wide.height * (wide.width - 5) for wide in (assembled(number).frame for number in ORIGINAL))
    assert cells == 1_202_204


def test_nothing_but_geographies_outside_the_universe_is_left_out(case, assembled):
    """Rows of areas that are not in the universe of their year vanish in the reference; they are counted here."""
    estimates = all_estimates(case / "raw")
    for number in (*ORIGINAL, *REBUILT):
        file = published_file(number)
        wide = assembled(number)
        chosen = choices(file, declared())
        here = estimates.filter(
            (pl.col("level") == file.level) & pl.col("subgroup_type").is_in([kind for kind, _ in file.cells])
        ).join(chosen, on=["metric", "year", "sample"], validate="m:1")
        known = universe(spines(case / "raw"), file.level).select("year", "state", "geo")
        strangers = here.join(known, on=["year", "state", "geo"], how="anti").height
        labels = [label for _, label in file.cells]
        assert here.filter(~pl.col("subgroup").is_in(labels)).height == 0
        assert wide.outside == strangers, f"file {number}"


def test_column_orders_of_all_files(case):
    order = json.loads((case / "expected/column_order.json").read_text())
    assert sorted(order) == sorted(f"{file.stem}.csv" for file in FILES)
    for file in FILES:
        assert [c.name for c in columns(file, declared(), "reference")] == order[f"{file.stem}.csv"], file.stem


def test_rows_by_year_of_all_files(case, assembled):
    """Rows follow from the universe, the file's subgroups and the years of the declarations; for all 18 files."""
    rows = pl.read_csv(case / "expected/rows_by_year.csv")
    wanted = {(file, year): n for file, year, n in rows.iter_rows()}
    found = {}
    for file in FILES:
        places = universe(spines(case / "raw"), file.level)
        years = set(choices(file, declared())["year"])
        if file.keeps_empty_years("reference"):
            years = set(places["year"])
        for year in years:
            found[f"{file.stem}.csv", year] = places.filter(pl.col("year") == year).height * len(file.cells)
    assert found == wanted
    for number in (*ORIGINAL, *REBUILT):
        name = f"{published_file(number).stem}.csv"
        made = assembled(number).frame.group_by("year").len().rows()
        assert dict(made) == {year: n for (file, year), n in wanted.items() if file == name}, name


def test_coverage_of_every_metric_year_and_subgroup(case, assembled):
    """How many figures are present per variable, year and subgroup."""
    wanted = pl.read_csv(case / "expected/coverage_nonmissing.csv", schema_overrides={"subgroup": pl.String})
    numbers = {f"{file.stem}.csv": file.number for file in FILES}
    compared = 0
    for (name,), part in wanted.group_by("file"):
        wide = assembled(numbers[str(name)]).frame
        by = ["year"] if part["subgroup"].null_count() == part.height else ["year", "subgroup"]
        counted = (
            wide.select(*by, pl.col(part["variable"].unique().to_list()).is_not_null())
            .group_by(by)
            .sum()
            .unpivot(index=by, variable_name="variable", value_name="n")
            .with_columns(pl.col("year").cast(pl.Int64), pl.col("n").cast(pl.Int64))
        )
        both = part.join(counted, on=[*by, "variable"], how="left", validate="1:1")
        wrong = both.filter(pl.col("n").fill_null(0) != pl.col("n_nonmissing"))
        assert wrong.is_empty(), f"{name}: {wrong.height} of {part.height} counts differ, such as {wrong.row(0)}"
        compared += part.height
    assert compared == wanted.height


def test_figures_named_by_the_method(assembled):
    """published_files.md, section 9."""
    county = assembled(11).frame.filter(
        (pl.col("year") == 2021) & (pl.col("state") == "37") & (pl.col("county") == "067")
    )
    row = county.row(0, named=True)
    assert row["population"] == 385523
    assert row["ratio_black_nh_house_value_households"] == "0.160:0.259"
    assert row["pctl_income_50"] == pytest.approx(58705.896, rel=1e-9)
    assert (row["count_homeless"], row["rate_injury_death"]) == (904, 96.5)
    assert row["rate_crime_violent_quality"] == "Marginal"
    place = assembled(61).frame.filter(
        (pl.col("year") == 2021) & (pl.col("place") == "75000") & (pl.col("state") == "37")
    )
    row = place.row(0, named=True)
    assert (row["share_debt_coll"], row["share_debt_coll_quality"]) == (0.38514, "Strong")
    assert row["count_homeless"] is None
    assert row["share_digital_access_quality"] == "Weak"
    assert (row["subgroup_type"], row["subgroup"]) == ("tenure", "All")


def test_the_clean_layout_has_the_same_figures(case, assembled):
    """The layouts differ in columns and empty years; figures differ only where the suppression list says so."""
    raw = suppress.for_release(all_estimates(case / "raw").lazy()).collect().lazy()
    rules = suppress.suppressions().filter(pl.col("applies_to") != "both")
    for number in (*ORIGINAL, *REBUILT):
        file = published_file(number)
        clean = assemble(file, raw, universe(spines(case / "raw"), file.level), declared())
        years = clean.frame["year"].unique().to_list()
        theirs = assembled(number).frame.filter(pl.col("year").is_in(years))
        assert theirs.height == clean.frame.height
        for metric, names in parts_of(clean.columns).items():
            listed = rules.filter((pl.col("metric") == metric) & (pl.col("level") == file.level))["geoid"]
            untouched = ~pl.concat_str("state", file.level).is_in(listed.to_list())
            both = [name for name in names.values() if name in theirs.columns]
            ours = clean.frame.filter(untouched).select(both)
            assert ours.equals(theirs.filter(untouched).select(both)), f"file {number}, {metric}"
            # Bounds that the reference has for counties only.
            for name in set(names.values()) - set(both):
                assert clean.frame[name].null_count() == clean.frame.height, f"file {number}, {name}"


def test_two_files_of_the_reference_agree_where_they_overlap(case):
    """One long table holds all per-metric files: no key has two figures."""
    estimates = all_estimates(case / "raw")
    assert len(metric_files()) >= 80
    doubled = estimates.filter(pl.struct(KEY).is_duplicated())
    assert doubled.is_empty(), f"{doubled.height} of {estimates.height} rows, such as {doubled.row(0)}"
