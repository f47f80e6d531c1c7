"""Crime and juvenile arrests: against published figures as far as the inputs at hand allow, and rule by rule."""

import inspect
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import agencies as police
from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.governance import crime, policing
from metrics.predictor import complete, expected_keys
from metrics.review import above, changes
from outputs.suppress import suppressions
from schemas.estimate import gate
from schemas.justice import FONDLING, PERSONS, PROPERTY, AgenciesModel
from schemas.labels import ALL
from sources import nibrs
from sources.framework import Retrieval, Scope
from sources.geography import geographies
from sources.registry import all_tables
from sources.synthetic import SEED, STATE_CODES, writers
from sources.synthetic.world import World

YEARS = (2021, 2022, 2023)
RATES = ("rate_crime_violent", "rate_crime_property")
ARRESTS = "rate_juv_arrest"
LABELS = {g.label: g for g in policing.GROUPS}
# Subgroup labels of the population file kept beside the published arrests.
POPULATION_LABELS = {
    "all": ALL,
    "white": "White",
    "black": "Black",
    "hispanic": "Hispanic",
    "asian_other": "Other Races and Ethnicities",
}


# --- what was published


def read(path: Path) -> pl.DataFrame:
    """A published file; rates as numbers, flags as integers, `geoid` and `level` beside."""
    frame = pl.read_csv(path, infer_schema=False, null_values="NA")
    level = "county" if "county" in frame.columns else "place"
    rates = [c for c in frame.columns if c.startswith("rate_")]
    return frame.select(
        pl.col("year").cast(pl.Int32),
        "state",
        pl.col(level).alias("geo"),
        pl.lit(level).alias("level"),
        *(c for c in ("subgroup_type", "subgroup") if c in frame.columns),
        *(pl.col(c).cast(pl.Int8 if c.endswith("_quality") else pl.Float64) for c in rates),
    )


def published(realcases: Path, predictor: str) -> dict[str, pl.DataFrame]:
    folder = realcases / predictor / "expected"
    return {path.stem: read(path) for path in sorted(folder.glob("*.csv"))}


def long(wide: pl.DataFrame, level: str, metric: str = "rate_crime_violent") -> pl.DataFrame:
    """One metric of a published file as estimates."""
    return wide.select(
        *("year", "state", "geo"),
        pl.lit(level).alias("level"),
        subgroup_type=pl.lit("all"),
        subgroup=pl.lit(ALL),
        metric=pl.lit(metric),
        sample=pl.lit("nibrs"),
        value=pl.col(metric),
        quality=pl.col(f"{metric}_quality"),
        n=pl.lit(None, pl.Int64),
        numerator=pl.lit(None, pl.Float64),
        denominator=pl.lit(None, pl.Float64),
    )


@pytest.mark.parity
@pytest.mark.parametrize(("predictor", "rows"), [("crime", 10_889), ("policing", 108_890)])
def test_published_rate_and_flag_are_missing_together(realcases, predictor, rows):
    """What our gate demands of every row holds in every published row."""
    found = 0
    for name, frame in published(realcases, predictor).items():
        for rate in (c for c in frame.columns if c.startswith("rate_") and not c.endswith("_quality")):
            same = frame.filter(pl.col(rate).is_null() == pl.col(f"{rate}_quality").is_null()).height
            assert same == frame.height, f"{name}, {rate}: {same} of {frame.height} rows"
        found += frame.height
    assert found == rows


@pytest.mark.parity
@pytest.mark.parametrize(
    ("metric", "whole", "given"), [("rate_crime_violent", 2255, 2857), ("rate_crime_property", 2246, 2857)]
)
def test_crime_rates_of_2021_are_whole_counts_by_our_formula(realcases, metric, whole, given):
    """Where no agency is shared out, the published rate is count / people x 100,000 to the last bit."""
    rates = published(realcases, "crime")["rates_crime_county_all"].filter(pl.col("year") == 2021)
    people = pl.read_csv(realcases / "crime/raw/acs5_2021_county_total_population.csv", infer_schema=False)
    people = people.select(
        "state", pl.col("county").alias("geo"), pl.col("total_people").cast(pl.Int64).alias("people")
    )
    both = rates.join(people, on=["state", "geo"], how="inner", validate="1:1")
    assert both.height == rates.height == 3143, f"{both.height} of {rates.height} counties have a population"
    count = pl.col(metric) * pl.col("people") / police.PER
    both = both.drop_nulls(metric).with_columns(count=count.round(), gap=(count - count.round()).abs())
    assert both.filter(pl.col("people") < police.FEWEST_PEOPLE).height == 0
    exact = both.filter(pl.col("gap") < 1e-6)
    ours = exact.with_columns(ours=police.rate(pl.col("count"), pl.col("people"), pl.col(f"{metric}_quality")))
    equal = ours.filter(pl.col("ours") == pl.col(metric)).height
    assert (equal, exact.height, both.height) == (whole, whole, given), f"{equal} of {both.height} rates equal"


@pytest.mark.parity
def test_arrest_rates_of_2021_are_whole_counts_by_our_formula(realcases):
    """County rates of all and by race times our denominators; figures of the method file, section 8."""
    raw = realcases / "policing/raw/acs5_2021_county_population_10_17_by_race.csv"
    people = pl.read_csv(raw, infer_schema=False).select(
        "state",
        pl.col("county").alias("geo"),
        pl.col("subgroup").replace_strict(POPULATION_LABELS).alias("subgroup"),
        pl.col("population_10_17").cast(pl.Int64).alias("people"),
    )
    rates = published(realcases, "policing")["rate_arrests_county_all_subgroup"]
    both = rates.filter(pl.col("year") == 2021).join(
        people, on=["state", "geo", "subgroup"], how="inner", validate="1:1"
    )
    assert both.height == people.height == 5 * 3143
    counted = both.with_columns(count=pl.col(ARRESTS) * pl.col("people") / police.PER)
    figures = {}
    for label in POPULATION_LABELS.values():
        group = counted.filter(pl.col("subgroup") == label).drop_nulls(ARRESTS)
        exact = group.filter((pl.col("count") - pl.col("count").round()).abs() < 1e-6)
        formula = police.rate(pl.col("count").round(), pl.col("people"), pl.col(f"{ARRESTS}_quality"))
        equal = exact.filter(formula == pl.col(ARRESTS)).height
        assert equal == exact.height, f"{label}: {equal} of {exact.height} rates equal to the last bit"
        assert group.filter(pl.col("people") < police.FEWEST_PEOPLE).height == 0
        figures[label] = (exact.height, group.height, round(group["count"].sum()))
    assert figures == {
        ALL: (2365, 2836, 300_336),
        "White": (2365, 2828, 178_437),
        "Black": (1455, 1754, 102_227),
        "Hispanic": (2175, 2391, 33_728),
        "Other Races and Ethnicities": (2410, 2570, 11_394),
    }
    # A group has no rate exactly where all have none or it has fewer than 30 people.
    everyone = both.filter(pl.col("subgroup") == ALL).select("state", "geo", all_given=pl.col(ARRESTS).is_not_null())
    ruled = both.join(everyone, on=["state", "geo"], how="left", validate="m:1").with_columns(
        expected=pl.col("all_given") & (pl.col("people") >= police.FEWEST_PEOPLE)
    )
    same = ruled.filter(pl.col("expected") == pl.col(ARRESTS).is_not_null()).height
    assert same == ruled.height, f"{same} of {ruled.height} rows missing where the rule says"


@pytest.mark.parity
def test_other_juveniles_are_all_less_white_and_black(realcases):
    """Each group's count stands in for boys of 10 to 14, the other ages being 0: the sums are the same."""
    raw = pl.read_csv(realcases / "policing/raw/acs5_2021_county_population_10_17_by_race.csv", infer_schema=False)
    wide = raw.with_columns(pl.col("population_10_17").cast(pl.Int64)).pivot(
        on="subgroup", index=["state", "county"], values="population_10_17"
    )
    given = {"male_10_14": "all", "white_male_10_14": "white", "black_male_10_14": "black"}
    group = LABELS["Other Races and Ethnicities"]
    ours = wide.with_columns(
        pl.col(given[c]).alias(c) if c in given else pl.lit(0, pl.Int64).alias(c)
        for c in (*group.residents, *group.without)
    )
    same = ours.filter(group.people == pl.col("asian_other")).height
    assert same == wide.height == 3143, f"{same} of {wide.height} counties equal"


@pytest.mark.parity
def test_falls_church_from_its_offense_records(mirror, realcases, tmp_path):
    """One agency, 2022 and 2023: violent crime without fondling gives the published rate."""
    counts = pl.read_csv(mirror / "nibrs/falls-church-counts/falls_church_pd_offense_counts.csv", infer_schema_length=0)
    spelled = {plain(name): name for name in (*PERSONS, *FONDLING, *PROPERTY, *OTHER_OFFENSES)}
    rates = published(realcases, "crime")["rates_crime_county_all"].filter(
        pl.col("state") == "51", pl.col("geo") == "610"
    )
    import pyreadr

    found = {}
    for row in counts.iter_rows(named=True):
        year = int(row["year"])
        # "theft" is a sum of the kinds of larceny.
        kinds = {c: int(n) for c, n in row.items() if c.startswith("offense_") and c != "offense_offense_theft"}
        records = [spelled[plain(c.removeprefix("offense_"))] for c, n in kinds.items() for _ in range(n)]
        frame = pl.DataFrame({"ori": row["ORI"], "year": float(year), "ucr_offense_code": records})
        folder = tmp_path / "raw" / "nibrs" / str(year)
        folder.mkdir(parents=True)
        pyreadr.write_rds(str(folder / nibrs.offense_file(year)), frame.to_pandas(), compress="gzip")
        retrieval = Retrieval(root=tmp_path, scratch=tmp_path / "s", offline=True)
        table = nibrs.build_offenses(year, retrieval)
        violent = crime.counted(table)["violent"].item()
        everything = crime.counted(table, crime.Reproduce(with_fondling=True))["violent"].item()
        rate = rates.filter(pl.col("year") == year)["rate_crime_violent"].item()
        found[year] = (violent, everything, round(violent / rate * police.PER, 6))
    assert found == {2022: (69, 76, 14_576.0), 2023: (73, 82, 14_593.0)}, f"{found}: rate times people is no count"


OTHER_OFFENSES = (
    "drug/narcotic offenses - drug equipment violations",
    "drug/narcotic offenses - drug/narcotic violations",
    "gambling offenses - betting/wagering",
    "gambling offenses - operating/promoting/assisting gambling",
    "gambling offenses - gambling equipment violations",
    "pornography/obscene material",
    "prostitution offenses - assisting or promoting prostitution",
    "prostitution offenses - prostitution",
    "weapon law violations - weapon law violations",
    "justifiable homicide - not a crime",
    "larceny/theft offenses - all other larceny",
)


def plain(name: str) -> str:
    """An offense as column names have it; the sum of thefts stands for one kind."""
    text = "".join(c if c.isalnum() else "_" for c in name)
    text = "_".join(part for part in text.split("_") if part)
    return "larceny_theft_offenses_all_other_larceny" if text == "theft" else text


@pytest.mark.parity
def test_years_that_do_not_fit_together_are_found_as_counted(realcases):
    """Violent crime: pairs of years that more than doubled or halved, of all pairs that are not nothing twice.

    The place pairs that do not rise from nothing are the 96 of 794 counted by an earlier audit.
    """
    found = {}
    for level in ("county", "place"):
        frame = long(published(realcases, "crime")[f"rates_crime_{level}_all"], level)
        one = {y: frame.filter(pl.col("year") == y).drop_nulls("value").select("state", "geo", "value") for y in YEARS}
        pairs = 0
        for first, second in ((2021, 2022), (2022, 2023)):
            both = one[first].join(one[second], on=["state", "geo"], how="inner", validate="1:1")
            pairs += both.filter((pl.col("value") > 0) | (pl.col("value_right") > 0)).height
        jumps = changes(frame.lazy(), ("rate_crime_violent",))
        assert set(jumps["year"]) == {2022, 2023}
        found[level] = (jumps.height, pairs)
        if level == "place":
            rises = jumps["ratio"].null_count()
            assert (jumps.height - rises, pairs - rises) == (96, 794)
    assert found == {"county": (584, 5678), "place": (102, 800)}


@pytest.mark.parity
def test_implausible_rates_of_the_published_files_are_listed(realcases):
    """Manhattan, which carries all of New York City, is one of them; nothing is dropped."""
    frame = published(realcases, "crime")["rates_crime_county_all"]
    plausible = next(r for r in crime.REVIEWS if r.name == "plausible_rates")
    listed = plausible.find(pl.concat([long(frame, "county", rate) for rate in RATES]).lazy())
    keys = set(listed.select("year", "state", "geo", "metric").rows())
    assert {(2023, "36", "061", rate) for rate in RATES} <= keys
    assert listed.filter(pl.col("value") <= pl.col("bound")).is_empty()
    by_hand = sum(frame.filter(pl.col(rate) > bound).height for rate, bound in zip(RATES, (1e4, 1.5e4), strict=True))
    assert listed.height == by_hand


def figures(*rows: tuple[int, str, str, float | None]) -> pl.LazyFrame:
    """Estimates of one metric: (year, county, subgroup, value)."""
    return pl.DataFrame(
        [
            (year, "county", "37", geo, "all" if label == ALL else "gender", label, ARRESTS, "nibrs", value, 1, 5)
            for year, geo, label, value in rows
        ],
        schema=[
            *("year", "level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample"),
            *("value", "quality", "n"),
        ],
        orient="row",
    ).lazy()


def test_changes_compare_neighboring_years_of_one_series_for_everybody():
    estimates = figures(
        *((2021, "001", ALL, 100.0), (2022, "001", ALL, 200.0), (2023, "001", ALL, 401.0)),  # doubled; more than that
        *((2021, "003", ALL, 100.0), (2022, "003", ALL, 50.0), (2023, "003", ALL, 24.0)),  # halved; more than that
        *((2021, "005", ALL, 0.0), (2022, "005", ALL, 0.0), (2023, "005", ALL, 3.0)),  # from nothing
        *((2021, "007", ALL, 7.0), (2022, "007", ALL, 0.0)),  # to nothing
        *((2021, "009", ALL, 7.0), (2022, "009", ALL, None), (2023, "009", ALL, 70.0)),  # a gap is no comparison
        *((2021, "011", "Male", 1.0), (2022, "011", "Male", 9.0)),  # groups are not compared
    )
    found = changes(estimates, (ARRESTS,))
    assert found.select("year", "geo", "ratio").rows() == [
        (2022, "007", 0.0),
        (2023, "001", 2.005),
        (2023, "003", 0.48),
        (2023, "005", None),
    ]
    assert changes(estimates, ("rate_crime_violent",)).is_empty()
    assert changes(estimates, (ARRESTS,), factor=3.0)["geo"].to_list() == ["007", "005"]


def test_rates_above_their_bound_are_listed_and_stay():
    estimates = figures(
        *((2023, "001", ALL, 20_000.0), (2023, "003", ALL, 20_000.1), (2023, "005", ALL, None)),
        *((2023, "001", "Male", 99_000.0), (2023, "003", "Male", 248_207.4)),
    ).with_columns(numerator=pl.lit(1.0), denominator=pl.lit(2.0))
    found = above(estimates, {ARRESTS: (20_000.0, 100_000.0)})
    assert found.select("geo", "subgroup", "bound").rows() == [("003", ALL, 20_000.0), ("003", "Male", 100_000.0)]


@pytest.mark.parametrize("module", [crime, policing])
def test_reviews_are_declared_for_the_published_rates(module):
    entry = catalog()[module.PREDICTOR.key]
    assert [(r.name, r.looks_back) for r in entry.reviews] == [("year_on_year", True), ("plausible_rates", False)]
    rates = [m.column for m in module.PREDICTOR.metrics if m.published]
    known = figures((2022, "001", ALL, 1e6)).with_columns(numerator=pl.lit(1.0), denominator=pl.lit(2.0))
    for rate in rates:
        here = known.with_columns(metric=pl.lit(rate))
        risen = pl.concat([here, here.with_columns(year=pl.lit(2021, pl.Int64), value=pl.lit(1.0))])
        assert all(review.find(risen).height == 1 for review in entry.reviews)
    unpublished = known.with_columns(metric=pl.lit(module.COVERAGE))
    assert all(review.find(unpublished).is_empty() for review in entry.reviews)


@pytest.mark.parity
@pytest.mark.parametrize(("predictor", "module"), [("crime", crime), ("policing", policing)])
def test_counties_under_former_codes_are_missing_in_the_reference(realcases, predictor, module):
    """The rows of the registered deviation are there, and all of them are missing."""
    register = next(d for d in module.DEVIATIONS if d.id == f"{predictor}/former-county-codes")
    rows = pl.DataFrame(
        [(r.year, r.geoid, r.subgroup) for r in register.rows], schema=["year", "geoid", "subgroup"], orient="row"
    )
    name = "rates_crime_county_all" if predictor == "crime" else "rate_arrests_county_all_subgroup"
    frame = published(realcases, predictor)[name].with_columns(geoid=pl.col("state") + pl.col("geo"))
    if "subgroup" not in frame.columns:
        frame = frame.with_columns(subgroup=pl.lit(ALL))
    there = rows.with_columns(pl.col("year").cast(pl.Int32)).join(frame, on=rows.columns, how="inner")
    rate = "rate_crime_violent" if predictor == "crime" else ARRESTS
    assert (there.height, there[rate].null_count()) == (rows.height, rows.height)


@pytest.mark.parity
def test_lost_ethnicity_shows_in_the_published_zeros(realcases):
    """Exactly 0 in 2021: half of the counties for Hispanic juveniles, a sixth for White ones."""
    frame = published(realcases, "policing")["rate_arrests_county_all_subgroup"].filter(pl.col("year") == 2021)
    share = {
        label: round(100 * (frame.filter(pl.col("subgroup") == label)[ARRESTS].drop_nulls() == 0).mean())
        for label in ("Hispanic", "White")
    }
    assert share == {"Hispanic": 51, "White": 17}


@pytest.mark.parity
def test_counties_withheld_by_name_are_withheld_at_publishing(realcases):
    frame = published(realcases, "crime")["rates_crime_county_all"]
    named = [(2021, "48301"), (2022, "48301"), (2023, "48301"), (2023, "48261")]
    for year, geoid in named:
        row = frame.filter(pl.col("year") == year, pl.col("state") + pl.col("geo") == geoid).row(0, named=True)
        assert row["rate_crime_violent"] is None, (year, geoid)
        assert row["rate_crime_property"] is None, (year, geoid)
    listed = suppressions().filter(pl.col("geoid").is_in(["48301", "48261"]))
    assert sorted(listed.select("year", "geoid", "metric").rows()) == sorted(
        (year, geoid, metric) for year, geoid in named for metric in RATES
    )


# Counties that are one listed city.
COTERMINOUS = {
    **{"06075": "0667000", "08031": "0820000", "11001": "1150000", "15003": "1571550", "42101": "4260000"},
    **{"02020": "0203000", "24510": "2404000", "29510": "2965000", "51510": "5101000", "51550": "5116000"},
    **{"51650": "5135000", "51700": "5156000", "51710": "5157000", "51740": "5164000", "51760": "5167000"},
    **{"51800": "5176432", "51810": "5182000"},
}


@pytest.mark.parity
def test_published_coterminous_pairs(realcases):
    """Counties that are a city agree with it unless further agencies serve the county; those that do not are listed."""
    pairs = pl.DataFrame(list(COTERMINOUS.items()), schema=["county", "place"], orient="row")
    frames = {}
    for level in ("county", "place"):
        frame = published(realcases, "crime")[f"rates_crime_{level}_all"]
        frames[level] = frame.select("year", pl.concat_str("state", "geo").alias(level), *RATES)
    both = pairs.join(frames["county"], on="county", how="inner").join(
        frames["place"], on=["place", "year"], how="inner"
    )
    both = both.drop_nulls([RATES[1], f"{RATES[1]}_right"])
    gap = (pl.col(f"{RATES[1]}_right") / pl.col(RATES[1]) - 1).abs()
    apart = both.filter(gap >= 0.01)
    # Anchorage's and Baltimore's other agencies are nobody's in the city.
    assert set(apart["county"]) == {"02020", "24510"}, f"{both.height - apart.height} of {both.height} pairs agree"
    assert (both.height, apart.height) == (48, 6)


# --- rules, one by one


def agency(ori: str, county: str | None, **more) -> dict:
    row = dict.fromkeys(AgenciesModel.to_schema().columns)
    state = more.pop("state", "37")
    return {**row, "ori": ori, "state": state, "agency_indicator": "city", "county_1": county, **more}


def table(*rows: dict) -> pl.DataFrame:
    schema = {c: column.dtype.type for c, column in AgenciesModel.to_schema().columns.items()}
    return pl.DataFrame(list(rows), schema=schema)


def people(**counties: int) -> pl.DataFrame:
    """People of counties of North Carolina, named c001, ..., or of state 46 with s46_102."""
    rows = [
        ("county", *((name[1:3], name[4:]) if name.startswith("s") else ("37", name[1:])), number)
        for name, number in counties.items()
    ]
    return pl.DataFrame(rows, schema=["level", "state", "geo", "people"], orient="row")


def test_an_agency_is_shared_out_by_the_people_of_its_counties():
    listed = table(agency("A", "001", county_2="003", county_3="999"), agency("B", "001"))
    members = police.county_members(listed, people(c001=300, c003=100, c005=50))
    assert members.select("geo", "ori", "share").rows() == [("001", "A", 0.75), ("001", "B", 1.0), ("003", "A", 0.25)]


def test_state_police_and_agencies_without_county_are_left_out():
    listed = table(
        agency("A", None, county_2="003", leaic_county="005"),
        agency("B", None),
        agency("C", "001", agency_indicator="state police"),
        agency("D", "001", agency_indicator=None),
    )
    members = police.county_members(listed, people(c001=300, c003=100, c005=50))
    assert members.select("geo", "ori").rows() == [("001", "D"), ("005", "A")]


def test_former_county_codes_are_found_unless_switched_off():
    listed = table(agency("A", "113", state="46"))
    areas = people(s46_102=1000)
    assert police.county_members(listed, areas)["geo"].to_list() == ["102"]
    assert police.county_members(listed, areas, police.Reproduce(former_county_codes=True)).height == 0


def spine(*places: tuple[str, str, str]) -> pl.DataFrame:
    schema = ["state", "geo", "name"]
    return pl.DataFrame(places, schema=schema, orient="row").with_columns(level=pl.lit("place"))


def overlaps(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["state", "county", "place"], orient="row")


def test_the_place_of_an_agency_by_crosswalk_then_name_then_only_city_of_the_county():
    places = spine(("37", "10740", "Cary town"), ("37", "75000", "Winston-Salem city"), ("37", "55000", "Raleigh city"))
    pairs = overlaps(("37", "183", "10740"), ("37", "183", "55000"), ("37", "067", "75000"))
    listed = table(
        agency("A", "067", leaic_place="55000", city_name="cary"),
        agency("B", "183", city_name="cary"),
        agency("C", "067", city_name="nowhere"),
        agency("D", "183", city_name="nowhere"),
        agency("E", "067", leaic_place="99067"),
        agency("F", "183", city_name="winston salem"),
        agency("G", "067", state="45", city_name="cary"),
        agency("H", None, leaic_county="067"),
    )
    members = police.place_members(listed, pairs, places, 2021)
    assert dict(members.select("ori", "geo").rows()) == {
        "A": "55000",
        "B": "10740",
        "C": "75000",
        "F": "75000",
        "H": "75000",
    }
    assert members["share"].unique().to_list() == [1.0]


def test_no_credit_to_the_only_city_of_a_planning_region():
    places = spine(("09", "37000", "Hartford city"))
    pairs, listed = overlaps(("09", "110", "37000")), table(agency("A", "110", state="09"))
    assert police.place_members(listed, pairs, places, 2021).height == 1
    assert police.place_members(listed, pairs, places, 2023).height == 0


def graded(reporting: int, agencies: int, core: bool | None) -> int | None:
    frame = pl.DataFrame({"r": [reporting], "n": [agencies], "c": [core]}, schema_overrides={"c": pl.Boolean})
    return frame.select(police.grade(pl.col("r"), pl.col("n"), pl.col("c"))).item()


@pytest.mark.parametrize(
    ("reporting", "agencies", "core", "quality"),
    [
        (5, 5, None, 1),
        (4, 5, None, 2),
        (79, 100, None, 3),
        (80, 100, False, 2),
        (1, 100, True, 2),
        (1, 100, False, 3),
        (0, 4, None, None),
        (0, 4, True, None),
    ],
)
def test_quality_by_share_of_agencies_and_core_cities(reporting, agencies, core, quality):
    assert graded(reporting, agencies, core) == quality


@given(st.integers(1, 400), st.data())
@settings(max_examples=60, deadline=None)
def test_more_reporting_agencies_never_lower_the_quality(agencies, data):
    reporting = data.draw(st.integers(1, agencies))
    worse, better = graded(reporting - 1, agencies, None), graded(reporting, agencies, None)
    assert better is not None
    assert worse is None or worse >= better
    assert (better == 1) == (reporting == agencies)


@pytest.mark.parametrize(
    ("cores", "reporting", "core"),
    [
        ([True, False], ["A"], True),
        ([True, True], ["A"], False),
        ([True, None], ["A"], None),
        ([False, False], ["A"], None),
        ([True, True], ["A", "B"], True),
    ],
)
def test_core_cities_must_all_report_and_be_known(cores, reporting, core):
    listed = table(*(agency(ori, "001", core_city=c) for ori, c in zip("AB", cores, strict=True)))
    members = police.county_members(listed, people(c001=1000))
    assert police.coverage(members, pl.Series(reporting))["core"].item() == core


def test_coverage_counts_the_people_of_reporting_agencies():
    listed = table(
        agency("A", "001", population=600, county_2="003"),
        agency("B", "001", population=300),
        agency("C", "001", population=None),
        agency("D", "003", population=0),
    )
    members = police.county_members(listed, people(c001=100, c003=200))
    found = police.coverage(members, pl.Series(["B", "D"]))
    assert found.select("geo", "agencies", "agencies_reporting", "served", "population_known", "effective").rows() == [
        ("001", 3, 1, 300 / 500, False, 1.0),
        ("003", 2, 1, 0.0, True, 1.0),
    ]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 500)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_shared_out_events_add_up_to_the_agencies_own(rows):
    """Every event of an agency in a known county counts once, however many counties the agency serves."""
    oris = [f"A{i:03d}" for i in range(len(rows))]
    listed = table(
        *(
            agency(ori, f"00{a}", county_2=f"00{b}" if b != a else None)
            for ori, (a, b, _) in zip(oris, rows, strict=True)
        )
    )
    events = pl.DataFrame({"ori": oris, "x": [n for *_, n in rows]})
    members = police.county_members(listed, people(c001=10, c002=1000, c003=70, c004=31))
    found = police.totals(members, events)["x"].sum()
    known = events.join(members.select("ori").unique(), on="ori", how="semi")["x"].sum()
    assert found == pytest.approx(known, rel=1e-12)


def offenses(*rows: tuple[str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["ori", "offense", "offenses"], orient="row")


def county_spine(*codes: str, state: str = "37") -> pl.DataFrame:
    return pl.DataFrame({"level": "county", "state": state, "geo": list(codes), "name": "x"})


def test_classes_of_offenses():
    found = crime.counted(
        offenses(
            ("A", "robbery", 2),
            ("A", "assault offenses - simple assault", 3),
            ("A", FONDLING[0], 5),
            ("A", "fraud offenses - money laundering", 7),
            ("A", "justifiable homicide - not a crime", 11),
        )
    )
    assert found.rows() == [("A", 28, 3, 2)]
    assert (len(PERSONS), len(PROPERTY)) == (13, 25)
    assert not set(PERSONS) & set(PROPERTY)


def test_crime_rates_and_why_they_are_missing():
    listed = table(
        *(agency(o, c, population=50) for o, c in zip("ABCDE", ("001", "001", "003", "005", "007"), strict=True))
    )
    counts = offenses(("A", "robbery", 3), ("D", "weapon law violations", 1), ("E", "arson", 1))
    areas = people(c001=30_000, c003=500, c005=29, c007=0, c009=10)
    rows = crime.compute(counts, listed, areas, None, county_spine("001", "003", "005", "007", "009"), 2021)
    columns = ["geo", "value", "quality", "n", "numerator", "denominator", "reason"]
    assert rows.filter(pl.col("metric") == RATES[1]).select(columns).rows() == [
        ("001", 3 / 30_000 * 100_000, 3, 1, 3.0, 30_000.0, "low coverage"),
        ("003", None, None, 0, 0.0, 500.0, "no records at source"),
        ("005", None, None, 1, 0.0, 29.0, "too few people"),
        ("007", None, None, 1, 1.0, 0.0, "denominator is zero"),
        ("009", None, None, None, None, 10.0, "area not covered by source"),
    ]
    violent = rows.filter(pl.col("metric") == RATES[0], pl.col("geo") == "001").row(0, named=True)
    # Nothing reported is a rate of 0 where somebody reports, and has no error of counting.
    assert (violent["value"], violent["quality"], violent["se"]) == (0.0, 3, None)
    served = rows.filter(pl.col("metric") == crime.COVERAGE).select("geo", "value", "quality").rows()
    assert served == [("001", 0.5, 1), ("003", 0.0, 1), ("005", 1.0, 1), ("007", 1.0, 1), ("009", None, None)]


def test_the_share_of_people_covered_says_why_it_is_missing_or_zero():
    """Silent agencies give 0; agencies that serve nobody known have no share; without agencies there is nothing."""
    listed = table(
        agency("A", "001", population=50), agency("B", "003", population=50), agency("C", "005", population=None)
    )
    areas = people(c001=300, c003=300, c005=300, c007=300)
    spine = county_spine("001", "003", "005", "007")
    rows = crime.compute(offenses(("A", "arson", 1), ("C", "arson", 1)), listed, areas, None, spine, 2021)
    assert rows.filter(pl.col("metric") == "coverage_crime").select("geo", "value", "quality", "reason").rows() == [
        ("001", 1.0, 1, None),
        ("003", 0.0, 1, None),
        ("005", None, None, "denominator is zero"),
        ("007", None, None, "area not covered by source"),
    ]


def test_a_trace_shows_which_silent_agencies_say_that_they_reported():
    listed = table(
        *(agency("A", "001", months=12), agency("B", "001", months=12), agency("C", "001", months=0)),
        agency("D", "001", months=None),
    )
    told = crime.explain(
        Cell(2021, "county", "37", "001", "all", ALL, "rate_crime_violent", "nibrs"),
        year=2021,
        nibrs_offenses=offenses(("A", "sex offenses - rape", 1)).lazy(),
        nibrs_agencies=listed.lazy(),
        acs_area_population=people(c001=300).lazy(),
        county_place=None,
        spine=county_spine("001").lazy(),
    )
    assert told.inputs.select("ori", "reports", "months").rows() == [
        *(("A", True, 12), ("B", False, 12), ("C", False, 0), ("D", False, None)),
    ]


def test_exactly_thirty_people_are_enough():
    areas = people(c001=30)
    rows = crime.compute(offenses(("A", "arson", 1)), table(agency("A", "001")), areas, None, county_spine("001"), 2021)
    assert rows.filter(pl.col("metric") == RATES[1])["value"].item() == 1 / 30 * 100_000


@pytest.mark.parametrize(("year", "reason"), [(2022, "source on old counties"), (2023, "area not covered by source")])
def test_connecticut_says_why(year, reason):
    areas = pl.DataFrame({"level": ["county"], "state": ["09"], "geo": ["110"], "people": [9000]})
    listed = table(agency("A", "003", state="09"))
    rows = crime.compute(offenses(("A", "arson", 1)), listed, areas, None, county_spine("110", state="09"), year)
    assert rows.filter(pl.col("metric") == RATES[0])["reason"].to_list() == [reason]


def arrests(*rows: tuple) -> pl.DataFrame:
    schema = {"ori": pl.String, "age": pl.Int16, "sex": pl.String, "race": pl.String, "ethnicity": pl.String}
    return pl.DataFrame(rows, schema={**schema, "arrests": pl.Int64}, orient="row")


def ages(geo: str = "001", **counts: int) -> pl.DataFrame:
    names = ["people", *dict.fromkeys(c for g in policing.GROUPS for c in (*g.residents, *g.without))]
    row = {"level": "county", "state": "37", "geo": geo, **{n: counts.get(n, 0) for n in names}}
    return pl.DataFrame([row])


def test_groups_of_juvenile_arrests():
    counts = policing.counted(
        arrests(
            ("A", None, None, None, None, 9),
            ("A", 10, "male", "white", "hispanic or latino", 2),
            ("A", 14, "female", "black", "unknown", 3),
            ("A", 15, "male", "asian", None, 4),
            ("A", 17, "nonbinary", "unknown", "hispanic or latino", 5),
            ("B", None, None, None, None, 1),
        )
    )
    assert counts.row(0, named=True) == {
        **{"ori": "A", "all": 23, "everyone": 14, "white": 2, "black": 3, "other": 4, "hispanic": 7},
        **{"male": 6, "female": 3, "age_10_14": 5, "age_15_17": 9},
    }
    assert counts.row(1, named=True)["everyone"] == 0


def test_one_record_without_ethnicity_loses_the_hispanic_arrests_only_in_the_reference():
    listed = arrests(
        ("A", 12, "male", "white", "hispanic or latino", 6),
        ("A", 12, "male", "white", None, 1),
        ("B", 13, "male", "white", "hispanic or latino", 2),
        ("B", None, None, None, None, 1),
    )
    agencies = table(agency("A", "001"), agency("B", "001"))
    residents = ages(people=5000, male_10_14=400, white_male_10_14=400, hispanic_male_10_14=100)
    both = {
        switch: policing.compute(
            listed, agencies, residents, None, county_spine("001"), 2021, policing.Reproduce(lost_ethnicity=switch)
        )
        for switch in (False, True)
    }
    values = {
        s: dict(f.filter(pl.col("metric") == ARRESTS).select("subgroup", "numerator").rows()) for s, f in both.items()
    }
    differing = {label for label in values[False] if values[False][label] != values[True][label]}
    assert differing == {"Hispanic"}
    assert (values[False]["Hispanic"], values[True]["Hispanic"]) == (8.0, 2.0)


def test_arrest_rates_need_thirty_juveniles_of_the_group_and_of_all():
    listed = arrests(("A", 12, "male", "white", "unknown", 6))
    agencies = table(agency("A", "001"), agency("A2", "001"))
    residents = ages(people=5000, male_10_14=30, white_male_10_14=29)
    rows = policing.compute(listed, agencies, residents, None, county_spine("001"), 2021)
    found = {r["subgroup"]: r for r in rows.filter(pl.col("metric") == ARRESTS).to_dicts()}
    assert (found[ALL]["value"], found[ALL]["quality"]) == (6 / 30 * 100_000, 3)
    assert (found["White"]["value"], found["White"]["reason"]) == (None, "too few people")
    assert (found["Black"]["value"], found["Black"]["reason"]) == (None, "group not present")
    assert found["Other Races and Ethnicities"]["denominator"] == 1.0
    few = ages(people=5000, male_10_14=29, white_male_10_14=29, hispanic_male_10_14=29)
    rows = policing.compute(listed, agencies, few, None, county_spine("001"), 2021)
    assert rows.filter(pl.col("metric") == ARRESTS)["value"].null_count() == len(policing.GROUPS)


def test_reporting_of_arrests_is_judged_on_all_ages():
    listed = arrests(("A", None, None, None, None, 3))
    residents = ages(people=5000, male_10_14=300)
    rows = policing.compute(listed, table(agency("A", "001")), residents, None, county_spine("001"), 2021)
    row = rows.filter(pl.col("subgroup") == ALL, pl.col("metric") == ARRESTS).row(0, named=True)
    assert (row["value"], row["quality"], row["n"]) == (0.0, 1, 1)


def test_a_county_that_is_a_city_has_the_figures_of_the_city():
    """Coterminous pairs: the same agencies and people give the same rate and flag at both levels."""
    listed = table(agency("A", "001", leaic_place="10740"), agency("B", "001", leaic_place="10740"))
    areas = pl.concat(
        [
            people(c001=4321),
            pl.DataFrame([("place", "37", "10740", 4321)], schema=["level", "state", "geo", "people"], orient="row"),
        ]
    )
    places = pl.concat(
        [county_spine("001"), spine(("37", "10740", "Cary town")).select("level", "state", "geo", "name")]
    )
    rows = crime.compute(offenses(("A", "arson", 7)), listed, areas, overlaps(("37", "001", "10740")), places, 2021)
    for metric in (*RATES, crime.COVERAGE):
        county, place = (
            rows.filter(pl.col("level") == level, pl.col("metric") == metric).select("value", "quality", "n").rows()
            for level in ("county", "place")
        )
        assert county == place, metric


def test_without_inputs_there_is_nothing():
    nothing = county_spine("001").lazy()
    assert crime.estimate(None, None, None, None, nothing, 2021).is_empty()
    assert policing.estimate(None, None, None, None, nothing, 2021).is_empty()


# --- from synthetic files to estimates


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> tuple[World, dict[int, dict[str, pl.LazyFrame]]]:
    """The input tables of all years, made from synthetic files and past their models."""
    root = tmp_path_factory.mktemp("data")
    world = World(SEED, YEARS)
    for name in ("nibrs", "leaic", "acs_tables", "geocorr"):
        writers()[name](root / "raw", world)
    frames: dict[int, dict[str, pl.LazyFrame]] = {}
    names = ("nibrs_offenses", "nibrs_arrests", "nibrs_agencies", "acs_area_population", "acs_area_age", "county_place")
    for year in YEARS:
        retrieval = Retrieval(root=root, scope=Scope(STATE_CODES), scratch=root / "s", synthetic=True)
        built = {}
        for declared in (all_tables()[name] for name in names):
            built[declared.name] = declared.model.validate(declared.build(year, retrieval)).lazy()
        listed = geographies(year, STATE_CODES)
        built["spine"] = listed.with_columns(population=pl.lit(1, pl.Int64)).lazy()
        frames[year] = built
    return world, frames


def finished(module, year: int, frames: dict[str, pl.LazyFrame]) -> pl.DataFrame:
    entry = catalog()[module.PREDICTOR.key]
    universe = frames["spine"].collect()
    done = complete(entry.estimate(**{n: frames[n] for n in entry.inputs}, year=year), module.PREDICTOR, year, universe)
    keys = expected_keys(module.PREDICTOR, year, universe)
    return gate(done, name=module.PREDICTOR.key, expected_keys=keys, limits=module.PREDICTOR.limits())


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("module", [crime, policing])
def test_from_files_to_estimates(synthetic, module, year):
    done = finished(module, year, synthetic[1][year])
    found = done.filter(pl.col("metric").str.starts_with("rate_"))
    assert found["value"].count() > found.height * 0.6
    assert {1, 3} <= set(found["quality"].drop_nulls().to_list())
    reasons = set(found["reason"].drop_nulls().to_list())
    assert {"area not covered by source", "low coverage"} <= reasons
    assert ("source on old counties" in reasons) == (year == 2022)
    connecticut = found.filter(pl.col("state") == "09", pl.col("level") == "county")
    assert (connecticut["value"].count() == 0) == (year == 2022)


def test_alaska_under_its_former_code_has_figures(synthetic):
    frames = synthetic[1][2023]
    plain = (
        frames["nibrs_offenses"].collect(),
        frames["nibrs_agencies"].collect(),
        frames["acs_area_population"].collect(),
    )
    universe = frames["spine"].collect()
    ours, theirs = (
        crime.compute(*plain, None, universe, 2023, crime.Reproduce(former_county_codes=switch))
        for switch in (False, True)
    )
    both = ours.join(theirs, on=["level", "state", "geo", "metric"], how="left", validate="1:1")
    changed = both.filter(pl.col("value").ne_missing(pl.col("value_right")))
    assert {row[:2] for row in changed.select("state", "geo").rows()} == {("02", "158")}


@pytest.mark.parametrize("module", [crime, policing])
def test_every_figure_is_explained_by_its_agencies(synthetic, module):
    """Some figures of each metric, level, group and quality, missing ones included."""
    year = 2021
    frames = synthetic[1][year]
    entry = catalog()[module.PREDICTOR.key]
    done = finished(module, year, frames)
    some = (
        done.group_by("level", "metric", "subgroup", "quality").first().sort("level", "metric", "subgroup", "quality")
    )
    assert some.height > 15
    for row in some.to_dicts():
        cell = Cell(**{k: row[k] for k in Cell.__dataclass_fields__})
        told = entry.explain(cell, year=year, **{n: frames[n] for n in entry.inputs})
        assert told.recomputed == (None if row["value"] is None else pytest.approx(row["value"], rel=1e-12)), row
        assert told.inputs.height == 0 or "weight" in told.inputs.columns
        assert any(d.outcome == "no figure" for d in told.decisions) == (row["value"] is None), (row, told.decisions)
        if told.steps:
            assert all(step.rows_in >= step.rows_out for step in told.steps)


def test_losses_on_the_way_are_counted(synthetic):
    """Offenses of unlisted agencies and of the state police are told by the explanation."""
    frames = synthetic[1][2021]
    cell = Cell(2021, "county", "37", "067", "all", ALL, RATES[0], "nibrs")
    steps = crime.explain(cell, year=2021, **{n: frames[n] for n in catalog()["crime"].inputs}).steps
    lost = {s.name: s.rows_in - s.rows_out for s in steps}
    assert lost["offenses of agencies listed for the year"] == 6  # four of an unlisted agency, two of Guam
    assert lost["agencies of the year, without state police"] == len(STATE_CODES)
    assert lost["offenses of agencies that serve a known area of this level"] > 0


@pytest.mark.parametrize("module", [crime, policing])
def test_inputs_are_declared_tables(module):
    names = set(catalog()[module.PREDICTOR.key].inputs)
    assert names <= set(all_tables())
    series = {name for s in module.PREDICTOR.series for name in s.tables}
    assert names == series
    assert set(inspect.signature(module.explain).parameters) == {*names, "cell", "year"}


def test_synthetic_files_are_the_same_each_time(tmp_path):
    world = World(SEED, (2022,))
    for folder in ("a", "b"):
        for name in ("nibrs", "leaic"):
            writers()[name](tmp_path / folder, world)
    paths = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(paths) == 5
    assert all((tmp_path / "a" / p).read_bytes() == (tmp_path / "b" / p).read_bytes() for p in paths)
