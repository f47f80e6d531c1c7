"""Housing wealth: against a plain recount, rule by rule, in the published text, and through synthetic files.

No microdata with a householder's race and a published result for the same place are at hand; the published files
themselves are checked for what the rules say about them.
"""

import inspect
from pathlib import Path

import polars as pl
import pytest
from housing_support import UNIT, allocation, cell, for_sale, households, owner, renter, sample

from metrics.allocation import allocate
from metrics.catalog import catalog
from metrics.explanation import Cell
from metrics.predictor import complete, expected_keys
from metrics.rewarding_work import housing_wealth as module
from metrics.rewarding_work.housing_wealth import Reproduce
from outputs.files import published_file
from outputs.wide import assemble, universe
from schemas.errors import InputError
from schemas.estimate import gate
from schemas.labels import HOUSEHOLDER_AGE
from sources import acs_microdata, geocorr
from sources.framework import Retrieval, Scope
from sources.geography import geographies
from sources.registry import all_tables
from sources.synthetic import STATE_CODES, writers
from sources.synthetic.world import World

RACES = ("black_nh", "hispanic", "other_nh", "white_nh")
METRICS = [m.column for m in module.PREDICTOR.metrics]
ONE_COUNTY = allocation(("county", "001", "00001", 1.0))
BLACK = {"race": 2}
HISPANIC = {"hispan": 1}
OTHER = {"race": 7}


def of(*rows: dict, areas: pl.LazyFrame = ONE_COUNTY, **kwargs) -> pl.DataFrame:
    return module.compute(households(rows), areas, 2018, **kwargs)


def values(frame: pl.DataFrame, metric: str, geo: str = "001", subgroup: str = "All") -> list[float | None]:
    """A metric of all races, in the order of `RACES`; `{}` in its name stands for the race."""
    return [cell(frame, geo, metric.format(race), subgroup)["value"] for race in RACES]


# --- a plain recount, record by record

AREAS = (
    ("county", "001", "00001", 1.0),
    ("county", "003", "00002", 0.35),
    ("county", "005", "00002", 0.65),
    ("county", "005", "00003", 1.0),
    ("place", "11111", "00001", 0.4),
    ("place", "11111", "00003", 0.1501),
)


def race_of(row: dict) -> str:
    if row["hispan"]:
        return "hispanic"
    return {1: "white_nh", 2: "black_nh"}.get(row["race"], "other_nh")


def recount(rows: list[dict], geo: str, race: str, group: str, *, named: bool = False, weight: str = "hhwt"):
    """(share of value, share of households, owners, households, effective owners, effective households) of a race.

    With `named` a household in a county that the file names counts there in full, once per county of its PUMA.
    """
    factors = {puma: afact for _, g, puma, afact in AREAS if g == geo}
    counties = {}
    for level, g, puma, _ in AREAS:
        if level == "county":
            counties.setdefault(puma, []).append(g)
    total = {"households": 0.0, "value": 0.0}
    mine = {"households": 0.0, "value": 0.0, "n": 0, "owners": 0, "n_effective": 0.0, "owners_effective": 0.0}
    for row in rows:
        if row["gq"] not in (1, 2, 5) or (group != "All" and (row["age"] >= 45) != (group == "Age 45 and Over")):
            continue
        factor = factors.get(row["puma"], 0.0)
        if named and len(geo) == 3 and row.get("countyfip"):
            factor = len(counties[row["puma"]]) if row["countyfip"] == geo else 0.0
        if factor == 0:
            continue
        owned = row.get("ownershp", 1) == 1 and row.get("valueh", 9_999_999) != 9_999_999
        value = row[weight] * row["valueh"] * factor if owned else 0.0
        total["households"] += row[weight] * factor
        total["value"] += value
        if race_of(row) == race:
            mine["households"] += row[weight] * factor
            mine["value"] += value
            mine["n"] += 1
            mine["owners"] += owned
            mine["n_effective"] += factor
            mine["owners_effective"] += owned * factor
    shares = [mine[k] / total[k] if total[k] else None for k in ("value", "households")]
    return (*shares, mine["owners"], mine["n"], mine["owners_effective"], mine["n_effective"])


@pytest.fixture(scope="module")
def random_rows() -> list[dict]:
    return sample(4_500, 8, ("00001", "00002", "00003"), owners=8)


@pytest.fixture(scope="module")
def inputs(random_rows) -> dict[str, pl.LazyFrame]:
    return {
        "acs1_households": households(random_rows, replicates=4),
        "puma_allocation": allocation(*AREAS),
    }


def test_every_figure_is_that_of_a_plain_recount(random_rows, inputs):
    found = module.estimate(**inputs, year=2018)
    assert found.height == 4 * 12 * 3
    given = 0
    for geo in ("001", "003", "005", "11111"):
        for race in RACES:
            for group in ("All", *HOUSEHOLDER_AGE):
                a, b, owners, n, enough_owners, enough = recount(random_rows, geo, race, group)
                ratio, value, share = (
                    cell(found, geo, metric, group)
                    for metric in (
                        f"ratio_{race}_house_value_households",
                        f"share_house_value_{race}",
                        f"share_households_{race}",
                    )
                )
                assert (ratio["n"], value["n"], share["n"]) == (owners, owners, n)
                assert ratio["n_effective"] == value["n_effective"] == pytest.approx(enough_owners)
                assert share["n_effective"] == pytest.approx(enough)
                assert share["value"] == (pytest.approx(b, rel=1e-12) if enough >= 30 else None)
                assert value["value"] == (pytest.approx(a, rel=1e-12) if enough_owners >= 30 else None)
                assert ratio["value"] == (pytest.approx(a / b, rel=1e-12) if enough_owners >= 30 else None)
                if ratio["value"] is not None:
                    assert (ratio["numerator"], ratio["denominator"]) == (value["value"], share["value"])
                    given += 1
    assert 15 < given < 48


def test_standard_errors_are_those_of_the_replicates(random_rows, inputs):
    """4/80 of the squared differences between the figure by each replicate weight and the figure."""
    frame = inputs["acs1_households"].collect()
    replicated = [{**row, **frame.row(i, named=True)} for i, row in enumerate(random_rows)]
    found = module.estimate(**inputs, year=2018)
    for geo, race, group in (("005", "hispanic", "All"), ("11111", "other_nh", "Age 45 and Over")):
        by_weight = [recount(replicated, geo, race, group, weight=f"repwt{i}")[:2] for i in range(1, 81)]
        a, b = recount(random_rows, geo, race, group)[:2]
        for metric, figure, others in (
            (f"share_house_value_{race}", a, [x for x, _ in by_weight]),
            (f"share_households_{race}", b, [y for _, y in by_weight]),
            (f"ratio_{race}_house_value_households", a / b, [x / y for x, y in by_weight]),
        ):
            row = cell(found, geo, metric, group)
            variance = 4 / 80 * sum((x - figure) ** 2 for x in others)
            assert row["se"] == pytest.approx(variance**0.5, rel=1e-9)
            assert row["cv"] == pytest.approx(row["se"] / row["value"])


def test_without_replicate_weights_there_is_no_standard_error(random_rows, inputs):
    plain = {**inputs, "acs1_households": households(random_rows)}
    frames = [module.estimate(**tables, year=2018) for tables in (inputs, plain)]
    assert "se" not in frames[1].columns
    same = [c for c in frames[1].columns if c not in ("se", "cv")]
    assert frames[0].select(same).equals(frames[1].select(same))


def test_the_order_of_records_does_not_matter(inputs):
    shuffled = inputs["acs1_households"].collect().sample(fraction=1.0, shuffle=True, seed=3).lazy()
    frames = [
        module.estimate(**{**inputs, "acs1_households": t}, year=2018) for t in (inputs["acs1_households"], shuffled)
    ]
    assert frames[0].equals(frames[1])


def test_shares_of_all_races_add_up_to_one(inputs):
    found = module.estimate(**inputs, year=2018)
    for geo in ("001", "005"):
        for metric in ("share_house_value_{}", "share_households_{}"):
            assert sum(values(found, metric, geo)) == pytest.approx(1)


def test_households_in_named_counties_as_the_reference_has_them(random_rows, inputs):
    found = module.compute(**inputs, year=2018, reproduce=Reproduce(identified_counties=True, every_sample=True))
    differs = 0
    ours = module.compute(**inputs, year=2018, reproduce=Reproduce(every_sample=True))
    for geo in ("001", "003", "005", "11111"):
        for race in RACES:
            for group in ("All", *HOUSEHOLDER_AGE):
                a, b, owners, n, *_ = recount(random_rows, geo, race, group, named=True)
                assert cell(found, geo, f"share_households_{race}", group)["value"] == (pytest.approx(b) if n else None)
                row = cell(found, geo, f"share_house_value_{race}", group)
                assert row["value"] == (pytest.approx(a) if owners else None)
                differs += row["value"] != cell(ours, geo, row["metric"], group)["value"]
    assert differs > 20
    places = [f.filter(pl.col("level") == "place").select("metric", "subgroup", "value") for f in (found, ours)]
    assert places[0].equals(places[1])


def test_explanations_recompute_the_figures(inputs):
    for row in module.estimate(**inputs, year=2018).gather_every(5).iter_rows(named=True):
        key = ("level", "state", "geo", "subgroup_type", "subgroup", "metric", "sample")
        account = module.explain(Cell(2018, *(row[c] for c in key)), year=2018, **inputs)
        assert account.recomputed == row["value"]
        counted = "household_records" if "share_households" in row["metric"] else "owner_records"
        assert account.inputs[counted].sum() == row["n"]
        assert account.steps[-1].rows_out == account.inputs["owner_records"].sum()
        assert all(a.rows_out == b.rows_in for a, b in zip(account.steps, account.steps[1:], strict=False))
        assert len(account.decisions) == (2 if "ratio" in row["metric"] else 1) + (row["value"] is not None)
        samples = [d.figure for d in account.decisions if d.name.startswith("effective")]
        assert row["n_effective"] == pytest.approx(samples[0])


# --- the rules, one by one


def test_who_is_counted_as_what():
    """Hispanic of any race; then White, Black, and everybody else."""
    groups = [({"race": 1}, 3), ({"race": 2}, 0), ({"race": 3}, 2), ({"race": 9}, 2)]
    groups += [({"race": race, "hispan": hispan}, 1) for race, hispan in ((1, 1), (2, 2), (8, 9))]
    for fields, at in groups:
        frame = of(*[owner(**fields)] * 30)
        assert [v is not None for v in values(frame, "share_households_{}")] == [i == at for i in range(4)]
        assert values(frame, "ratio_{}_house_value_households")[at] == 1.0


@pytest.mark.parametrize(("age", "label"), [(18, 0), (44, 0), (45, 1), (95, 1)])
def test_the_ages(age, label):
    frame = of(*[owner(age=age)] * 30)
    given = [cell(frame, "001", "share_households_white_nh", g)["value"] for g in HOUSEHOLDER_AGE]
    assert given == [1.0 if i == label else None for i in range(2)]
    assert HOUSEHOLDER_AGE == ("Under Age 45", "Age 45 and Over")


@pytest.mark.parametrize(
    ("record", "households_counted", "owners_counted"),
    [
        (owner(), 31, 31),
        (owner(gq=2), 31, 31),
        # Ten or more unrelated people: a household here.
        (owner(gq=5), 31, 31),
        (owner(gq=3), 30, 30),
        (owner(gq=4), 30, 30),
        (renter(), 31, 30),
        # A renter's home has no value, whatever stands there; an owner's may be unknown.
        (renter(valueh=100_000), 31, 30),
        (owner(valueh=9_999_999), 31, 30),
        (for_sale(100_000), 30, 30),
    ],
)
def test_who_is_in_the_universe(record, households_counted, owners_counted):
    frame = of(*[owner()] * 30, record)
    assert cell(frame, "001", "share_households_white_nh")["n"] == households_counted
    assert cell(frame, "001", "share_house_value_white_nh")["n"] == owners_counted


def test_values_and_households_are_weighted():
    frame = of(
        *[owner(hhwt=10, valueh=300_000)] * 30,
        *[owner(hhwt=20, valueh=100_000, **BLACK)] * 30,
        *[renter(hhwt=30, **BLACK)] * 10,
    )
    assert values(frame, "share_house_value_{}") == [60 / 150, None, None, 90 / 150]
    assert values(frame, "share_households_{}") == [900 / 1_200, None, None, 300 / 1_200]
    row = cell(frame, "001", "ratio_black_nh_house_value_households")
    assert (row["value"], row["numerator"], row["denominator"]) == (0.4 / 0.75, 0.4, 0.75)
    shares = cell(frame, "001", "share_house_value_black_nh")
    assert (shares["numerator"], shares["denominator"]) == (60_000_000, 150_000_000)
    assert cell(frame, "001", "share_households_black_nh")["denominator"] == 1_200


@pytest.mark.parametrize(
    ("owners", "renters", "value", "share"),
    [(30, 0, True, True), (29, 0, False, False), (29, 1, False, True), (0, 30, False, True), (0, 29, False, False)],
)
def test_thirty_of_the_group_are_enough(owners, renters, value, share):
    frame = of(*[owner()] * 40, *[owner(**HISPANIC)] * owners, *[renter(**HISPANIC)] * renters)
    given = {
        "ratio_hispanic_house_value_households": value,
        "share_house_value_hispanic": value,
        "share_households_hispanic": share,
    }
    for metric, there in given.items():
        row = cell(frame, "001", metric)
        assert (row["value"] is not None, row["quality"]) == (there, 1 if there else None)
        assert row["reason"] == (None if there else "effective sample below 30")
        assert there or (row["numerator"], row["denominator"]) == (None, None)
    # The small group stays in everybody's total.
    assert cell(frame, "001", "share_households_white_nh")["value"] == 40 / (40 + owners + renters)


def test_the_threshold_is_decided_exactly():
    """75 records x 0.4 are 30, for everybody also where they are of both ages."""
    areas = allocation(("county", "001", "00001", 0.4), ("county", "003", "00001", 0.6))
    for older, younger, there in ((37, 38, True), (37, 37, False), (75, 0, True)):
        frame = of(*[owner()] * older, *[owner(age=30)] * younger, areas=areas)
        row = cell(frame, "001", "share_house_value_white_nh")
        assert (row["value"] is not None) is there
        assert row["n_effective"] == (30 if there else 29.6)


def test_without_the_sample_rule_one_owner_is_enough():
    frame = of(owner(), owner(**OTHER), renter(**BLACK), reproduce=Reproduce(every_sample=True))
    assert values(frame, "ratio_{}_house_value_households") == [None, None, 0.5 / (1 / 3), 0.5 / (1 / 3)]
    assert values(frame, "share_households_{}") == [1 / 3, None, 1 / 3, 1 / 3]


def test_flags_are_the_allocation_s_of_the_year():
    """Exactly 0.35 is marginal, as everywhere; the city's flag is that of the year, worked out within the state."""
    areas = allocation(
        ("county", "095", "00001", 1.0), ("place", "75000", "00001", 1.0), quality={"095": 2}, reference={"75000": 3}
    )
    frame = of(*[owner()] * 30, areas=areas)
    assert cell(frame, "095", "share_households_white_nh")["quality"] == 2
    assert cell(frame, "095", "share_households_white_nh")["reason"] == "area partly outside its sampling area"
    assert cell(frame, "75000", "share_households_white_nh")["quality"] == 1


def test_counties_of_one_puma_share_their_figures():
    areas = allocation(("county", "001", "00001", 0.5), ("county", "003", "00001", 0.5))
    frame = of(*[owner()] * 60, areas=areas)
    shared = frame.select("estimation_area", "n_areas").unique().rows()
    assert shared == [("puma2010-10-00001", 2)]
    assert set(frame["reference_period"]) == {"2018"}


def test_a_state_without_its_person_file_is_owed():
    """Housing records alone do not tell the householder's race; other states are not affected."""
    areas = pl.concat([ONE_COUNTY.collect(), allocation(("county", "001", "00001", 1.0), state="44").collect()]).lazy()
    unknown = dict.fromkeys(("age", "race", "hispan", "sex"))
    frame = of(*[owner()] * 30, *[owner(state="44", **unknown)] * 50, areas=areas)
    lost = frame.filter(pl.col("state") == "44")
    assert lost.height == 36
    assert lost["value"].null_count() == lost["n"].null_count() == 36
    assert set(lost["reason"]) == {"input owed"}
    assert frame.filter(pl.col("state") == "10", pl.col("metric") == "share_households_white_nh")["value"][0] == 1.0
    account = module.explain(
        Cell(2018, "county", "44", "001", "all", "All", "share_households_white_nh", "acs1"),
        year=2018,
        acs1_households=households([owner(state="44", **unknown)] * 50),
        puma_allocation=areas,
    )
    assert account.recomputed is None
    assert account.decisions[0].name == "records of householders"


def test_some_households_without_their_householder_are_an_error():
    unknown = dict.fromkeys(("age", "race", "hispan", "sex"))
    with pytest.raises(InputError, match="1 of 31 households of state 10 have no record of their householder"):
        of(*[owner()] * 30, owner(**unknown))
    # Vacant units and group quarters have none to know.
    assert of(*[owner()] * 30, {**UNIT, "vacancy": 1}, {**unknown, "gq": 3}).height == 36


def test_bad_records_are_refused():
    with pytest.raises(InputError, match="no county of the allocation table has: 10-00009 of 2010"):
        of(*[owner()] * 30, owner(puma="00009"))
    with pytest.raises(InputError, match="a weight is missing"):
        of(*[owner()] * 30, owner(hhwt=None))


def test_what_is_owed_has_no_rows(inputs):
    for name in inputs:
        assert module.estimate(**{**inputs, name: None}, year=2018).height == 0


def test_alaska_s_housing_records_alone_give_no_figure(mirror, tmp_path):
    """The real file, in the Census Bureau's form; the person file of the state is not at hand."""
    retrieval = Retrieval(root=tmp_path, scratch=tmp_path / "s", mirror=mirror, offline=True, scope=Scope(("02",)))
    overlap = geocorr.build_puma_geography(2018, retrieval)
    counties, places = (overlap.filter(pl.col("level") == level) for level in ("county", "place"))
    areas = allocate(counties, places, geographies(2018, ("02",)), 2018).table.lazy()
    frame = module.estimate(acs_microdata.build("households", 1, 2018, retrieval), areas, 2018)
    assert (frame.height, frame["value"].null_count(), set(frame["reason"])) == (1_080, 1_080, {"input owed"})
    assert retrieval.notes["acs states without their person file"] == ["02"]


# --- published files


@pytest.mark.parity
def test_published_ratios_are_text_of_two_shares(realcases):
    """The form we write, and what the reference's rules imply: shares of households of a county add up to 1."""
    folder = realcases / "published_files/raw/01_financial-well-being/final"
    wide = pl.read_csv(
        folder / "households_house_value_race_ethnicity_all_county.csv.gz", infer_schema=False, null_values="NA"
    )
    columns = [f"ratio_{race}_house_value_households" for race in RACES]
    texts = pl.concat([wide[c] for c in columns]).drop_nulls()
    assert texts.str.contains(r"^[01]\.\d{3}:[01]\.\d{3}$").all()
    whole = wide.drop_nulls(columns)
    share = [pl.col(c).str.split(":").list.get(1).cast(pl.Float64) for c in columns]
    total = whole.select(pl.sum_horizontal(share))[:, 0]
    assert whole.height > 20_000
    assert (total - 1).abs().max() < 0.0025
    forsyth = wide.filter(pl.col("year") == "2022", pl.col("state") == "37", pl.col("county") == "067")
    metric = module.PREDICTOR.metric(columns[0])
    assert (
        metric.text_format.format(numerator=0.1359, denominator=0.25649) == forsyth[columns[0]].item() == "0.136:0.256"
    )


# --- the whole way on synthetic files

YEARS = (2014, 2022)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, pl.LazyFrame]]:
    """Input tables of two years from synthetic files, through their readers."""
    root: Path = tmp_path_factory.mktemp("data")
    world = World(12, YEARS)
    for key in ("acs_pums_census", "geocorr", "popest"):
        writers()[key](root / "raw", world)
    out = {}
    for year in YEARS:
        retrieval = Retrieval(root=root, scope=Scope(STATE_CODES), scratch=root / "s", synthetic=True)
        spine = all_tables()["spine"].build(year, retrieval)
        overlap = geocorr.build_puma_geography(year, retrieval)
        counties, places = (overlap.filter(pl.col("level") == level) for level in ("county", "place"))
        out[year] = {
            "acs1_households": all_tables()["acs1_households"].build(year, retrieval).lazy(),
            "puma_allocation": allocate(counties, places, spine, year).table.lazy(),
            "spine": spine.lazy(),
        }
    return out


@pytest.fixture(scope="module")
def gated(synthetic) -> dict[int, pl.DataFrame]:
    out = {}
    for year, tables in synthetic.items():
        spine = tables["spine"].collect()
        inputs = {n: tables[n] for n in inspect.signature(module.estimate).parameters if n != "year"}
        found = complete(module.estimate(**inputs, year=year), module.PREDICTOR, year, spine)
        keys = expected_keys(module.PREDICTOR, year, spine)
        out[year] = gate(found, name="test", expected_keys=keys, limits=module.PREDICTOR.limits())
    return out


@pytest.mark.parametrize("year", YEARS)
def test_synthetic_files_become_a_gated_estimate(gated, year):
    given = gated[year].filter(pl.col("value").is_not_null())
    assert set(given["level"]) == {"county", "place"}
    assert set(given["subgroup"]) == {"All", *HOUSEHOLDER_AGE}
    # Owners of other races are too few in the thin sample.
    assert set(METRICS) - set(given["metric"]) <= {m for m in METRICS if "other_nh" in m}
    assert given["se"].null_count() == 0
    # Forsyth NC has many records on purpose: every group of everybody has a figure there.
    forsyth = given.filter(pl.col("state") == "37", pl.col("geo") == "067", pl.col("subgroup") == "All")
    assert "share_households_black_nh" in set(forsyth["metric"])


def test_the_published_file_has_the_ratios_as_text(gated, synthetic):
    """File 11: `0.136:0.256` where there is a value, nothing where there is none."""
    spines = {year: tables["spine"].collect() for year, tables in synthetic.items()}
    estimates = pl.concat(gated.values())
    entries = {"housing_wealth": catalog()["housing_wealth"]}
    wide = assemble(published_file(11), estimates.lazy(), universe(spines, "county"), entries).frame
    columns = [c for c in wide.columns if c.endswith("_house_value_households")]
    assert columns == [f"ratio_{race}_house_value_households" for race in RACES]
    assert not [c for c in wide.columns if c.startswith("share_")]
    for column in columns:
        everybody = estimates.filter(
            pl.col("metric") == column, pl.col("level") == "county", pl.col("subgroup") == "All"
        ).sort("year", "state", "geo")
        expected = [
            None if v is None else f"{a:.3f}:{b:.3f}"
            for v, a, b in everybody.select("value", "numerator", "denominator").iter_rows()
        ]
        assert wide[column].to_list() == expected
        if "other_nh" not in column:
            assert wide[column].null_count() < wide.height


def test_the_declared_tables_are_the_parameters():
    declared = {t for s in module.PREDICTOR.series for t in s.tables}
    assert declared == set(catalog()["housing_wealth"].inputs)


def test_the_deviations_are_registered():
    assert catalog()["housing_wealth"].deviations == module.DEVIATIONS
    assert len({d.id for d in module.DEVIATIONS}) == len(module.DEVIATIONS) == 6
    knox = next(d for d in module.DEVIATIONS if d.id.endswith("boundary-of-flags"))
    assert [r.year for r in knox.rows] == [2014, 2015, 2016, 2017, 2018, 2019, 2021]
