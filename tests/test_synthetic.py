"""The synthetic raw files: the same each time, laid out as the agencies' files, read by the project's own readers."""

import csv
import hashlib
import io
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from metrics.rewarding_work import living_wage
from schemas.errors import InputError
from sources import geocorr, geography, popest, registry, synthetic
from sources.framework import Retrieval, Scope
from sources.framework.mirror import matching
from sources.synthetic import README, STAMP, STATE_CODES, generate, qcew, version, writers
from sources.synthetic import acs_pums_census as acs
from sources.synthetic.files import NOTICE_NAME
from sources.synthetic.people import OCCUPIED, VACANT, draw, hadamard, rounded
from sources.synthetic.world import DATA_YEARS, LAYERS, NOT_A_PLACE, World, county_layer

YEARS = (2014, 2018, 2020, 2023)
WEIGHTS = [f"PWGTP{i}" for i in range(1, 81)]


@pytest.fixture(scope="module")
def world() -> World:
    return World(20250101, YEARS)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with generated raw files of some years."""
    root = tmp_path_factory.mktemp("data")
    generate(root / "raw", years=YEARS)
    return root


@pytest.fixture(scope="module")
def raw(data: Path) -> Path:
    return data / "raw"


@pytest.fixture
def retrieval(data: Path, tmp_path: Path) -> Retrieval:
    return Retrieval(root=data, scope=Scope(STATE_CODES), scratch=tmp_path / "scratch", synthetic=True)


def digests(root: Path) -> dict[str, str]:
    paths = sorted(p for p in root.rglob("*") if p.is_file() and p.name != "provenance.json")
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def microdata(raw: Path, vintage: str, kind: str, *, states: tuple[str, ...] = ()) -> pl.DataFrame:
    """The CSVs of all states (or some postal codes) as text, below each other."""
    frames = []
    for path in sorted((raw / "acs_pums_census" / vintage).glob(f"csv_{kind}*.zip")):
        if states and path.stem[-2:] not in states:
            continue
        with zipfile.ZipFile(path) as archive:
            (member,) = [name for name in archive.namelist() if name.endswith(".csv")]
            frames.append(pl.read_csv(archive.read(member), infer_schema=False))
    return pl.concat(frames)


def geocorr_rows(raw: Path, layout: geocorr.Layout) -> pl.DataFrame:
    text = (raw / "geocorr" / layout.vintage / layout.file.name).read_bytes().decode("latin-1")
    rows = list(csv.reader(io.StringIO(text)))
    frame = pl.DataFrame(rows[2:], schema=[c.lower() for c in rows[0]], orient="row")
    return frame.with_columns(pl.col("afact", "afact2").str.strip_chars().cast(pl.Float64))


# --- the generator


def test_same_seed_gives_the_same_bytes_whatever_the_other_years(raw, tmp_path):
    generate(tmp_path / "raw", years=(2018,))
    alone, together = digests(tmp_path / "raw"), digests(raw)
    shared = [name for name in alone if name != STAMP]
    assert len(shared) > 30
    assert [name for name in shared if alone[name] != together[name]] == []


def test_another_seed_gives_other_figures_of_the_same_layout(tmp_path):
    for seed in (1, 2):
        for write in writers().values():
            write(tmp_path / str(seed), World(seed, (2015,)))
    one, two = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert one.keys() == two.keys()
    # Connecticut is laid out as published, whatever the seed; prices are those of the project.
    same = {name.rsplit("/", 1)[0] for name in one if one[name] == two[name]}
    assert same == {"cpi99/current", "ct_towns/2022", "ct_tracts/2022", "geocorr/ctregion22-place20"}
    frames = [microdata(tmp_path / seed, "2015-1yr", "p", states=("wy",)) for seed in ("1", "2")]
    assert frames[0].columns == frames[1].columns


@pytest.fixture
def few_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the sources that take time."""
    few = {key: write for key, write in writers().items() if key in ("popest", "geocorr")}
    monkeypatch.setattr(synthetic, "writers", lambda: few)


@pytest.mark.usefixtures("few_writers")
def test_nothing_is_written_twice(tmp_path):
    root = tmp_path / "raw"
    written = generate(root, years=(2014,))
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    assert generate(root, years=(2014,)) == written
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


@pytest.mark.usefixtures("few_writers")
@pytest.mark.parametrize(
    "damage", ["file removed", "file shortened", "stamp damaged", "stamp removed", "other generator", "other years"]
)
def test_files_are_made_again_if_they_are_not_whole(tmp_path, damage):
    root = tmp_path / "raw"
    generate(root, years=(2014,))
    whole = digests(root)
    victim = root / "popest" / "2014" / "co-est2014-alldata.csv"
    if damage == "file removed":
        victim.unlink()
    elif damage == "file shortened":
        victim.write_bytes(b"x")
    elif damage == "stamp damaged":
        (root / STAMP).write_text("{")
    elif damage == "stamp removed":
        (root / STAMP).unlink()
    elif damage == "other years":
        generate(root, years=(2015, 2016))
    else:
        stamp = json.loads((root / STAMP).read_text())
        (root / STAMP).write_text(json.dumps({**stamp, "generator": "older"}))
        entry = {"co-est2014-alldata.csv": {"how": "synthetic"}}
        (root / "popest" / "2014" / "provenance.json").write_text(json.dumps({"files": entry}))
    generate(root, years=(2014,))
    assert digests(root) == whole
    assert not (root / "popest" / "2014" / "provenance.json").exists()


@pytest.mark.usefixtures("few_writers")
def test_a_folder_with_other_files_is_refused(tmp_path):
    real = tmp_path / "raw" / "popest" / "2014" / "co-est2014-alldata.csv"
    real.parent.mkdir(parents=True)
    real.write_text("real")
    with pytest.raises(FileExistsError, match="not synthetic"):
        generate(tmp_path / "raw", years=(2014,))
    assert real.read_text() == "real"


@pytest.mark.usefixtures("few_writers")
@pytest.mark.parametrize("text", ['{"files": {"x.csv": {"how": "person"}}}', '{"files": {"x.csv": {}}}', "[", "[]"])
def test_real_files_among_synthetic_ones_stay(tmp_path, text):
    root = tmp_path / "raw"
    generate(root, years=(2014,))
    (root / "popest" / "2014" / "provenance.json").write_text(text)
    before = digests(root)
    with pytest.raises(FileExistsError, match="not synthetic"):
        generate(root, years=(2015,))
    assert digests(root) == before


def test_unknown_years_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2013"):
        generate(tmp_path / "raw", years=(2013,))


def test_everything_says_that_it_is_synthetic(raw):
    assert "SYNTHETIC" in (raw / README).read_text()
    stamp = json.loads((raw / STAMP).read_text())
    assert stamp["synthetic"] is True
    assert "SYNTHETIC" in stamp["notice"]
    assert stamp["generator"] == version()
    archives = sorted(raw.rglob("*.zip"))
    assert len(archives) > 80
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            assert NOTICE_NAME in archive.namelist()
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_every_writer_writes_its_own_source(raw):
    """A source that has nothing for these years is not there."""
    folders = {p.name for p in raw.iterdir() if p.is_dir()}
    sources = registry.all_sources()
    assert folders == {key for key in writers() if any(sources[key].vintages_for(year) for year in YEARS)}


def test_every_file_is_one_that_its_source_accepts(raw):
    sources = registry.all_sources()
    checked = 0
    for path in raw.glob("*/*/*"):
        key, vintage = path.parts[-3:-1]
        if key not in sources or path.name == "provenance.json":
            continue
        names = {
            name.replace("{st}", world_state.postal.lower()).replace("{fips}", world_state.code)
            for file in sources[key].vintage(vintage).files
            for name in (file.name, *file.accept)
            for world_state in World(0).states
        }
        assert matching([path.name], tuple(names)), path
        checked += 1
    assert checked > 10


def _buildable() -> list[tuple[str, int]]:
    """Tables whose raw files the generator writes, and the generated years they exist in."""
    # Consumer prices are part of the project; microdata come in the Census Bureau's form instead of that of IPUMS.
    made = {*writers(), "cpi", "acs_pums_ipums"}
    return [
        (name, year)
        for name, table in registry.all_tables().items()
        if set(table.sources) <= made
        for year in YEARS
        if year in table.years
    ]


@pytest.mark.parametrize(("name", "year"), _buildable())
def test_readers_make_lawful_tables(retrieval, name, year):
    table = registry.all_tables()[name]
    frame = table.build(year, retrieval).lazy().collect()
    assert frame.height > 0
    assert "owed" not in retrieval.notes
    table.model.validate(frame, lazy=True)


# --- the world


def test_layers_cover_each_line_once(world):
    for line in world.lines.values():
        for name, layer in LAYERS.items():
            spans = layer(line)
            assert all(a.end <= b.start for a, b in itertools.pairwise(spans)), name
            if name != "place":
                assert (spans[0].start, spans[-1].end) == (0, line.persons), name
                assert sum(s.end - s.start for s in spans) == line.persons, name


@pytest.mark.parametrize("year", DATA_YEARS)
def test_counties_and_places_are_those_of_the_registry(world, year):
    layer = world.people(county_layer(year), year)
    assert layer.select("state", geo="code").rows() == world.registry("county", year).select("state", "geo").rows()
    listed = world.registry("place", year).select("state", "geo").rows()
    assert set(listed) <= set(world.people("place", year).select("state", "code").rows())
    assert len(listed) == 26


def test_connecticut_overlaps_as_published(world):
    rows = world.crosswalk("puma_2020", "county_2022", "pop2020").filter(pl.col("state") == "09")
    assert rows.height == 27
    some = {(p, c): (n, a, a2) for _, p, c, n, a, a2 in rows.iter_rows()}
    assert some["20301", "110"] == (11_472, 1074, 118)
    assert some["20301", "150"] == (95_348, 8926, 10_000)
    assert some["20702", "140"] == (177_372, 9959, 3935)
    assert some["20702", "170"] == (726, 41, 13)


def test_forsyth_is_three_whole_pumas(world):
    for vintage, people in (("puma_2010", "pop2010"), ("puma_2020", "pop2020")):
        rows = world.crosswalk(vintage, county_layer(2018), people).filter(
            pl.col("state") == "37", pl.col("target") == "067"
        )
        assert rows["source"].to_list() == ["01801", "01802", "01803"]
        assert rows["afact"].to_list() == [10_000] * 3


@pytest.mark.parametrize("vintage", ["puma_2010", "puma_2020"])
def test_all_kinds_of_overlap_occur(world, vintage):
    people = f"pop{vintage[-4:]}"
    rows = world.crosswalk(vintage, county_layer(2020), people)
    per_county = rows.group_by("state", "target").agg(n=pl.len(), whole=(pl.col("afact") == 10_000).all())
    quality = rows.group_by("state", "target").agg(q=(pl.col("afact") * pl.col("afact2")).sum() / 1e8)["q"]
    assert per_county.filter(pl.col("n") == 1, ~pl.col("whole")).height > 50  # smaller than their PUMA
    assert per_county.filter(pl.col("n") > 1, pl.col("whole")).height >= 3  # made of whole PUMAs
    assert per_county.filter(pl.col("n") > 1, ~pl.col("whole")).height >= 5  # share a PUMA with others and have more
    assert {1 if q >= 0.75 else 2 if q >= 0.35 else 3 for q in quality} == {1, 2, 3}
    places = world.crosswalk(vintage, "place", people).filter(pl.col("target") != NOT_A_PLACE)
    assert places.filter(pl.col("afact") == 0).height >= 1  # a sliver


# --- crosswalks


@pytest.mark.parametrize("layout", geocorr.LAYOUTS, ids=lambda layout: layout.vintage)
def test_factors_of_a_puma_add_up_to_one(raw, layout):
    rows = geocorr_rows(raw, layout)
    sums = rows.group_by("state", layout.puma).agg(pl.col("afact").sum())["afact"]
    assert (sums - 1).abs().max() < 0.0003
    assert ((sums - 1).abs() < 1e-9).mean() > 0.8


def test_the_older_engine_adds_places_up_across_states(raw):
    layout = next(x for x in geocorr.LAYOUTS if x.vintage == "puma12-place10")
    rows = geocorr_rows(raw, layout).with_columns(people=pl.col("pop10").cast(pl.Int64))
    everywhere = pl.col("people") / pl.col("people").sum().over("placefp14")
    inside = pl.col("people") / pl.col("people").sum().over("state", "placefp14")
    rows = rows.with_columns(everywhere=everywhere, inside=inside)
    assert ((rows["afact2"] - rows["everywhere"]).abs() < 0.0001).all()
    winston_salem = rows.filter(pl.col("state") == "37", pl.col("placefp14") == "75000")
    right = (winston_salem["afact"] * winston_salem["inside"]).sum()
    flawed = (winston_salem["afact"] * winston_salem["afact2"]).sum()
    assert right >= 0.75
    assert flawed < 0.75


@pytest.mark.parametrize("year", [2018, 2023])
def test_geocorr_is_read(retrieval, year):
    (table,) = [t for t in geocorr.TABLES if t.name == "puma_geography"]
    frame = table.build(year, retrieval)
    table.model.validate(frame, lazy=True)
    counties = frame.filter(pl.col("level") == "county").select("state", "geo").n_unique()
    assert counties == geography.geographies(2020, STATE_CODES).filter(pl.col("level") == "county").height - (
        year < 2020
    )


# --- populations


@pytest.mark.parametrize("year", YEARS)
def test_populations_are_read(retrieval, world, year):
    spine = geography.build_spine(year, retrieval)
    assert "owed" not in retrieval.notes
    assert spine["population"].null_count() == 0
    counties = spine.filter(pl.col("level") == "county").select("state", "geo", "population").sort("state", "geo")
    assert counties.rows() == world.people(county_layer(year), year).rows()


@pytest.mark.parametrize("level", ["county", "place"])
def test_populations_of_every_year_are_read(tmp_path, level):
    """All years at once: file names and columns change with the vintage."""
    generate_only = World(20250101)
    writers()["popest"](tmp_path / "raw", generate_only)
    retrieval = Retrieval(root=tmp_path, scope=Scope(STATE_CODES), scratch=tmp_path / "scratch", synthetic=True)
    for year in DATA_YEARS:
        frame = popest.population(year, level, retrieval)
        assert frame["population"].min() > 0


# --- microdata


def test_weights_have_the_scale_of_the_real_files(raw):
    one, five = microdata(raw, "2018-1yr", "p"), microdata(raw, "2018-5yr", "p")
    assert 90 < one["PWGTP"].cast(pl.Int64).mean() < 110
    assert 18 < five["PWGTP"].cast(pl.Int64).mean() < 22


def test_the_replicate_design_is_that_of_successive_differences():
    matrix = hadamard()
    assert (matrix @ matrix.T == 80 * np.eye(80, dtype=np.int64)).all()


@pytest.mark.parametrize("state", STATE_CODES)
def test_replicate_weights_of_a_state_have_full_rank(raw, state):
    postal = next(s.postal for s in World(0).states if s.code == state).lower()
    frame = microdata(raw, "2018-1yr", "p", states=(postal,)).select(pl.col("PWGTP", *WEIGHTS).cast(pl.Float64))
    weights = frame.select(WEIGHTS).to_numpy()
    assert np.linalg.matrix_rank(weights[:300]) == 80
    ratio = weights.sum(axis=0) / frame["PWGTP"].sum()
    assert (np.abs(ratio - 1) < 0.2).all()
    assert (weights >= 0).all()


@pytest.mark.parametrize(
    ("vintage", "present", "absent"),
    [
        ("2014-1yr", {"RELP", "ST", "PUMA", "pwgtp80"}, {"RELSHIPP", "PUMA10", "PWGTP80", "REGION"}),
        ("2014-5yr", {"RELP", "ST", "PUMA00", "PUMA10", "PWGTP80"}, {"PUMA"}),
        ("2018-1yr", {"RELP", "ST", "PUMA", "PWGTP80", "REGION"}, {"RELSHIPP", "pwgtp80"}),
        ("2018-5yr", {"RELP", "ST", "PUMA", "PWGTP80"}, {"RELSHIPP", "PUMA10"}),
        ("2023-1yr", {"RELSHIPP", "STATE", "PUMA"}, {"RELP", "ST"}),
        ("2023-5yr", {"RELSHIPP", "STATE", "PUMA"}, {"RELP", "ST", "PUMA10"}),
    ],
)
def test_person_layouts_follow_their_year(raw, vintage, present, absent):
    columns = set(microdata(raw, vintage, "p", states=("wy",)).columns)
    assert present <= columns
    assert not absent & columns


@pytest.mark.parametrize(
    ("vintage", "present", "absent"),
    [
        ("2014-1yr", {"TYPE", "ACCESS", "LAPTOP", "wgtp80"}, {"TYPEHUGQ", "HISPEED", "TABLET", "WGTP80"}),
        ("2014-5yr", {"TYPE", "PUMA00", "PUMA10", "WGTP80"}, {"PUMA", "ACCESS"}),
        ("2018-1yr", {"TYPE", "ACCESS", "HISPEED", "TABLET"}, {"TYPEHUGQ", "ACCESSINET"}),
        ("2018-5yr", {"TYPE", "ACCESS", "HISPEED", "TABLET"}, {"TYPEHUGQ", "ACCESSINET"}),
        ("2023-1yr", {"TYPEHUGQ", "ACCESSINET", "STATE"}, {"TYPE", "ACCESS", "ST"}),
        ("2023-5yr", {"TYPEHUGQ", "ACCESSINET", "STATE"}, {"TYPE", "ACCESS", "ST"}),
    ],
)
def test_housing_layouts_follow_their_year(raw, vintage, present, absent):
    columns = set(microdata(raw, vintage, "h", states=("wy",)).columns)
    assert present <= columns
    assert not absent & columns


def test_pumas_carry_the_vintage_of_their_survey_year(raw, world):
    codes = {
        vintage: set(world.people(f"puma_{vintage}", 2020).select("state", "code").rows())
        for vintage in (2000, 2010, 2020)
    }
    mixed = microdata(raw, "2014-5yr", "p").with_columns(survey=pl.col("serialno").str.head(4).cast(pl.Int16))
    old, new = mixed.filter(pl.col("survey") < 2012), mixed.filter(pl.col("survey") >= 2012)
    assert min(old.height, new.height) > 1000
    assert set(old.select("ST", "PUMA00").rows()) == codes[2000]
    assert set(new.select("ST", "PUMA10").rows()) == codes[2010]
    assert set(old["PUMA10"]) == set(new["PUMA00"]) == {"-0009"}
    assert set(microdata(raw, "2018-5yr", "p").select("ST", "PUMA").rows()) == codes[2010]
    assert set(microdata(raw, "2023-5yr", "p").select("STATE", "PUMA").rows()) == codes[2020]


def test_five_year_files_bring_amounts_to_the_last_year(raw):
    year = pl.col("SERIALNO").str.head(4).alias("year")
    factors = (
        microdata(raw, "2018-5yr", "h").select(year, pl.col("ADJHSG", "ADJINC").cast(pl.Int64)).unique().sort("year")
    )
    assert factors["year"].to_list() == ["2014", "2015", "2016", "2017", "2018"]
    assert factors["ADJHSG"].is_sorted(descending=True)
    assert factors["ADJHSG"].to_list()[-1] == 1_000_000
    own = [round(a / h, 6) for a, h in factors.select("ADJINC", "ADJHSG").iter_rows()]
    assert own == pytest.approx([1.008425, 1.001264, 1.007588, 1.011189, 1.013097], abs=2e-6)
    one = microdata(raw, "2018-1yr", "h")
    assert one.select("ADJHSG", "ADJINC").unique().rows() == [("1000000", "1013097")]


def test_serial_numbers_join_persons_and_housing(raw):
    for vintage, gq in (("2014-1yr", None), ("2018-1yr", "GQ"), ("2023-5yr", "GQ")):
        persons, housing = microdata(raw, vintage, "p"), microdata(raw, vintage, "h")
        assert housing["SERIALNO"].is_unique().all()
        assert persons.select("SERIALNO", "SPORDER").is_unique().all()
        counted = housing.join(persons.group_by("SERIALNO").len(), on="SERIALNO", how="left", validate="1:1")
        assert (counted["NP"].cast(pl.Int64) == counted["len"].fill_null(0)).all()
        if gq:
            kind = next(c for c in ("TYPE", "TYPEHUGQ") if c in housing.columns)
            assert (housing["SERIALNO"].str.contains(gq) == (housing[kind] != "1")).all()


def test_households_hold_all_cases_the_methods_treat(world):
    sample = draw(world, 2018, 1)
    homes, persons = sample.households, sample.persons
    assert set(homes["VACS"].drop_nulls()) == set(range(1, 8))
    assert set(homes["TEN"].drop_nulls()) == {1, 2, 3, 4}
    assert set(homes["TYPE"]) == {1, 2, 3}
    assert (homes["HINCP"] == 0).any()
    assert (homes["HINCP"] < 0).any()
    assert (homes.filter(pl.col("TYPE") != 1)["WGTP"] == 0).all()
    assert homes.filter(pl.col("NP") >= 10, pl.col("NPF").is_null()).height > 0  # ten and more unrelated people
    occupied, vacant = homes.filter(pl.col("kind") == OCCUPIED), homes.filter(pl.col("kind") == VACANT)
    assert occupied["HINCP"].null_count() == 0
    assert vacant["HINCP"].null_count() == vacant.height
    assert vacant.filter(pl.col("RNTP").is_not_null())["VACS"].unique().sort().to_list() == [1, 2]
    assert set(persons["RAC1P"]) <= set(range(1, 10))
    assert set(persons["ESR"].drop_nulls()) == {1, 2, 3, 4, 5, 6}
    assert persons.filter(pl.col("AGEP") < 16)["ESR"].null_count() == persons.filter(pl.col("AGEP") < 16).height
    toddlers = persons.filter(pl.col("AGEP").is_between(3, 4))
    assert {1, 2, 3} <= set(toddlers["SCHG"].drop_nulls())
    assert toddlers["SCHG"].null_count() > 0


def test_figures_are_plausible(world):
    sample = draw(world, 2018, 1)
    adults = sample.persons.filter(pl.col("AGEP").is_between(25, 54), pl.col("kind") == OCCUPIED)
    assert 0.72 < adults["ESR"].is_in([1, 2, 4, 5]).mean() < 0.85
    young = sample.persons.filter(pl.col("AGEP").is_between(19, 20))
    assert 0.80 < (young["SCHL"] >= 16).mean() < 0.96
    incomes = sample.households["HINCP"].drop_nulls()
    assert 45_000 < incomes.median() < 80_000
    assert (incomes % 5_000 == 0).mean() > 0.2  # heaped
    assert (rounded(incomes.to_numpy()) == incomes.to_numpy()).all()


def test_both_sides_of_the_suppression_threshold_occur(raw, world):
    """Effective sample: the sum of the factors over the records, at least 30 or the figure is withheld."""
    persons = microdata(raw, "2018-1yr", "p").filter(
        pl.col("AGEP").cast(pl.Int64).is_between(25, 54), ~pl.col("RELP").is_in(["16", "17"])
    )
    records = persons.group_by(state="ST", source="PUMA").len()
    for target in (county_layer(2018), "place"):
        factors = world.crosswalk("puma_2010", target, "pop2010").filter(pl.col("target") != NOT_A_PLACE)
        effective = (
            factors.join(records, on=["state", "source"], how="left", validate="m:1")
            .group_by("state", "target")
            .agg(n=(pl.col("afact") * pl.col("len")).sum())
        )
        kept = effective.filter(pl.col("n") >= 300_000)
        assert kept.height >= 15, target
        assert effective.height - kept.height >= 3, target
    forsyth = records.filter(pl.col("state") == "37", pl.col("source").is_in(["01801", "01802", "01803"]))
    assert forsyth["len"].sum() >= 30


def test_every_group_of_winston_salem_has_figures(world):
    """The place that examples show: at least 30 adults of each group in a 5-year file."""
    persons = draw(world, 2018, 5).persons.with_columns(place=pl.lit(world.atoms["place"]).gather(pl.col("atom")))
    nc = [s.code for s in world.states].index("37")
    adults = persons.filter(
        pl.col("state") == nc, pl.col("place") == "75000", pl.col("AGEP").is_between(25, 54), pl.col("kind") == OCCUPIED
    )
    hispanic, race = pl.col("HISP") != 1, pl.col("RAC1P")
    groups = {
        "Hispanic": hispanic,
        "White": ~hispanic & (race == 1),
        "Black": ~hispanic & (race == 2),
        "Other": ~hispanic & (race > 2),
        "disability": pl.col("DIS") == 1,
        "female": pl.col("SEX") == 2,
    }
    assert {name: n for name, group in groups.items() if (n := adults.filter(group).height) < 35} == {}


# --- wages


def test_the_wage_workbook_has_undisclosed_cells_and_typed_thousands(world):
    table = qcew.sheet(world, 2018)
    counties = table.filter(pl.col("kind") == "County", pl.col("cnty") != "999")
    withheld = table.filter(pl.col("status") == "N")
    assert withheld.height > 50
    assert withheld.select(pl.col("jobs", "wages", "weekly", "pay") == 0).to_numpy().all()
    totals = counties.filter(pl.col("own") == "0")
    assert totals.filter(pl.col("status") == "N").height == 1
    assert totals.filter(pl.col("establishments") < 30).height >= 1
    assert ("15005" in counties["area"]) is False
    assert {"09001", "37067"} <= set(counties["area"])
    with zipfile.ZipFile(io.BytesIO(qcew.workbook(table))) as book:
        assert b"1,0" in book.read("xl/sharedStrings.xml")


def test_wage_cells_add_up(world):
    table = qcew.sheet(world, 2018).filter(pl.col("kind") == "State", pl.col("st") == "37")
    jobs = {(own, naics): n for own, naics, n in table.select("own", "naics", "jobs").iter_rows()}
    assert jobs["0", "10"] == sum(jobs[own, "10"] for own in "1235")
    assert jobs["5", "10"] == jobs["5", "101"] + jobs["5", "102"]


@pytest.mark.parametrize("year", [2018, 2023])
def test_living_wage_ratios_of_all_kinds_occur(retrieval, year):
    names = ("qcew_county", "mit_living_wage", "cpi", "spine")
    tables = {name: registry.all_tables()[name].build(year, retrieval).lazy() for name in names}
    found = living_wage.estimate(**tables, year=year)
    total = found.filter(pl.col("subgroup") == "All")
    assert 0.5 < total["value"].median() < 1.2
    assert {1, 3, None} <= set(total["quality"])
    reasons = {"suppressed at source", "few establishments", "area not covered by source"}
    assert reasons | ({"source on old counties"} if year == 2023 else set()) <= set(found["reason"])


# --- layouts against real files


def real_header(path: Path) -> list[str]:
    return next(csv.reader(io.StringIO(path.read_bytes().decode("latin-1"))))


@pytest.mark.parity
@pytest.mark.parametrize("layout", geocorr.LAYOUTS, ids=lambda layout: layout.vintage)
def test_geocorr_layout_is_the_real_one(raw, mirror, layout):
    ours, real = (root / layout.vintage / layout.file.name for root in (raw / "geocorr", mirror / "geocorr"))
    assert ours.read_bytes().split(b"\n")[:2] == real.read_bytes().split(b"\n")[:2]
    assert {path.read_bytes().split(b"\n")[2][-1:] for path in (ours, real)} == {b" "}


@pytest.mark.parity
def test_living_wage_layout_is_the_real_one(tmp_path, mirror):
    writers()["mit_living_wage"](tmp_path, World(1))
    name = Path("2019-dollars") / "mit-living-wage.csv"
    ours, real = tmp_path / "mit_living_wage" / name, mirror / "mit_living_wage" / name
    families = [
        pl.read_csv(path, infer_schema=False).select("year", "adults", "children").head(12) for path in (ours, real)
    ]
    assert real_header(ours) == real_header(real)
    assert families[0].equals(families[1])


@pytest.mark.parity
@pytest.mark.parametrize("year", [y for y in DATA_YEARS if y != 2020])
def test_population_files_have_the_real_columns(tmp_path, mirror, year):
    """The mirror's files are cut to the needed columns; ours have these in the same order among others."""
    writers()["popest"](tmp_path, World(1, (year,)))
    for ours in sorted((tmp_path / "popest" / str(year)).iterdir()):
        real = mirror / "popest" / str(year) / ours.name
        if not real.exists():
            real = mirror / "popest" / str(year) / f"sub-est{year}.csv"
        wanted, there = real_header(real), real_header(ours)
        assert [c for c in there if c in wanted] == wanted
        assert ours.read_bytes().count(b"\r\n") == ours.read_bytes().count(b"\n")


@pytest.mark.parity
@pytest.mark.parametrize("level", ["county", "place"])
def test_the_census_count_has_the_real_form(raw, mirror, level):
    name = f"dec2020pl-P1_001N-{level}.json"
    ours, real = (json.loads((root / "popest" / "2020" / name).read_bytes()) for root in (raw, mirror))
    assert ours[0] == real[0]
    names = {tuple(row[2:]): row[0] for row in real[1:]}
    assert [row for row in ours[1:] if names.get(tuple(row[2:]), row[0]) != row[0]] == []


@pytest.mark.parity
@pytest.mark.parametrize(("kind", "state"), [("p", "wy"), ("h", "ak")])
def test_microdata_columns_are_a_subset_of_the_real_ones(raw, mirror, kind, state):
    with zipfile.ZipFile(mirror / "acs_pums_census" / "2018-1yr" / f"csv_{kind}{state}.zip") as archive:
        (member,) = [name for name in archive.namelist() if name.endswith(".csv")]
        with archive.open(member) as file:
            real = next(csv.reader(io.TextIOWrapper(file)))
            rows = list(csv.DictReader(io.TextIOWrapper(archive.open(member))))
    ours = microdata(raw, "2018-1yr", kind, states=(state,))
    with zipfile.ZipFile(raw / "acs_pums_census" / "2018-1yr" / f"csv_{kind}{state}.zip") as archive:
        assert member in archive.namelist()
    assert [c for c in real if c in ours.columns] == ours.columns
    texts = ("SERIALNO", "PUMA", "ST", "ADJINC", "RELP", "ESR", "HISP", "SCHL", "SCHG", "DREM", "SEX", "TEN", "VACS")
    for column in [c for c in texts if c in ours.columns]:
        assert {len(value or "") for value in ours[column]} <= {len(row[column]) for row in rows}, column


@pytest.mark.parity
def test_codes_are_those_of_the_data_dictionary(raw, mirror):
    allowed: dict[str, set[str]] = {}
    text = (mirror / "acs_pums_census" / "2018-1yr" / "PUMS_Data_Dictionary_2018.csv").read_text("latin-1")
    for row in csv.reader(io.StringIO(text)):
        if row[0] == "VAL" and row[4] == row[5]:
            allowed.setdefault(row[1], set()).add("" if set(row[4]) == {"b"} else row[4])
    coded = (
        "DDRS",
        "DEAR",
        "DEYE",
        "DIS",
        "DOUT",
        "DPHY",
        "DREM",
        "ESR",
        "HISP",
        "RAC1P",
        "RELP",
        "SCH",
        "SCHG",
        "SCHL",
    )
    coded += ("ACCESS", "HISPEED", "LAPTOP", "TABLET", "TEN", "TYPE", "VACS", "SEX", "RT", "DIVISION", "REGION", "ST")
    seen = set()
    for kind in ("p", "h"):
        frame = microdata(raw, "2018-1yr", kind)
        for column in [c for c in coded if c in frame.columns]:
            assert {value or "" for value in frame[column]} <= allowed[column], column
            seen.add(column)
    assert seen == set(coded)


def test_synthetic_files_are_no_input_of_real_results(data, tmp_path):
    sample = Retrieval(root=data, scope=Scope(STATE_CODES), scratch=tmp_path / "a", synthetic=True)
    popest.population(2018, "county", sample)
    real = Retrieval(root=data, scope=Scope(STATE_CODES), scratch=tmp_path / "b", offline=True)
    with pytest.raises(InputError, match="synthetic"):
        popest.population(2018, "county", real)


def test_layouts_name_every_sample():
    assert acs.Layout(2016, 1).member("h", "CT", "09") == "ss16hct.csv"
    assert acs.Layout(2017, 1).member("p", "CT", "09") == "psam_p09.csv"
    assert {acs.Layout(y, 5).vintage for y in acs.FIVE_YEAR} == {
        "2014-5yr",
        "2016-5yr",
        "2018-5yr",
        "2021-5yr",
        "2023-5yr",
    }
