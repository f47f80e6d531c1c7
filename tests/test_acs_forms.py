"""One sample in its two forms: the same tables from both, and only one of them at a time."""

import gzip

import polars as pl
import pytest
from acs_files import (
    FULL_EXTRACT,
    PERSON_EXTRACT,
    REPWTP,
    FolderRetrieval,
    Var,
    census_file,
    hierarchical,
    housing_csv,
    lines,
    packed,
    people,
    persons_csv,
    rectangular,
    rectangular_csv,
    variable_xml,
)
from pandera.errors import SchemaErrors
from polars.testing import assert_frame_equal

from schemas.acs import REPLICATES, AcsHouseholds, AcsPersons, columns
from schemas.errors import InputError, OwedError
from sources.acs.ddi import read_codebook
from sources.acs.sample import FIVE_YEAR, ONE_YEAR, Sample
from sources.acs_microdata import CENSUS, IPUMS, TABLES, build, choose_form
from sources.acs_pums_census import PERSONS, read_state
from sources.framework.retrieve import Retrieval, Scope
from sources.registry import all_sources, all_tables

STATES = ("10", "15", "44", "50", "56")


# The same table from both forms ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def census(mirror, tmp_path_factory):
    """The persons of five real states from the Census Bureau's files."""
    tmp = tmp_path_factory.mktemp("census")
    retrieval = Retrieval(root=tmp / "data", scratch=tmp / "scratch", mirror=mirror, offline=True, scope=Scope(STATES))
    return build("persons", 1, 2018, retrieval).collect()


def as_ipums(table: pl.DataFrame) -> pl.DataFrame:
    """The same records as IPUMS numbers, implied decimals included. `pernum` 1 begins a household."""
    return table.select(
        *(pl.col(c).alias(c.upper()) for c in table.columns if c not in ("state", "puma", "perwt", "year")),
        YEAR="year",
        SAMPLE=pl.lit(201801),
        SERIAL=(pl.col("pernum") == 1).cum_sum(),
        STATEFIP=pl.col("state").cast(pl.Int32),
        PUMA=pl.col("puma").cast(pl.Int32),
        PERWT=pl.col("perwt").cast(pl.Int64) * 100,
        # What the table does not hold, so that each variable of the codebook has a value.
        HHWT=pl.lit(100),
        ADJUST=pl.lit(1_013_097),
    )


@pytest.mark.parity
@pytest.mark.parametrize("form", ["fixed", "csv"])
def test_five_real_states_give_the_same_persons_as_ipums_extract(census, mirror, tmp_path, form):
    """In the layout of a real 52-variable extract, with replicate weights and disability items put behind it."""
    real = read_codebook(mirror / "acs_pums_ipums" / "fixtures" / "usa_00014.xml.gz", source="test")
    fields = sorted(real.fields, key=lambda f: f.start)
    appended = [Var(name, 6) for name in REPWTP]
    appended += [Var(name, 1) for name in ("DIFFREM", "DIFFPHYS", "DIFFMOB", "DIFFSENS", "DIFFCARE")]
    variables = [*(Var(f.name, f.width, f.decimals) for f in fields), *appended]
    folder = tmp_path / "files" / "acs_pums_ipums" / "us2018a"
    frame = as_ipums(census)
    if form == "csv":
        rectangular_csv(folder, "usa_00014", frame, variables)
    else:
        folder.mkdir(parents=True)
        (folder / "usa_00014.dat.gz").write_bytes(packed(lines(frame, variables)))
    text = gzip.decompress((mirror / "acs_pums_ipums" / "fixtures" / "usa_00014.xml.gz").read_bytes()).decode()
    begin, added = max(f.end for f in fields) + 1, ""
    for var in appended:
        added += variable_xml(var, begin)
        begin += var.width
    (folder / "usa_00014.xml").write_text(text.replace("</dataDscr>", f"{added}  </dataDscr>"), encoding="utf-8")

    retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", STATES)
    table = build("persons", 1, 2018, retrieval).collect()
    assert table.height == 46_188
    assert_frame_equal(table, census)
    assert retrieval.notes["acs form"] == "IPUMS USA extract, us2018a"
    assert retrieval.notes["acs variables not in the extract"] == []


@pytest.mark.parity
def test_real_alaska_gives_the_same_households_as_ipums_extract(mirror, tmp_path):
    """Housing units, vacant ones and group quarters, as a hierarchical extract without person records."""
    retrieval = Retrieval(
        root=tmp_path / "data", scratch=tmp_path / "scratch", mirror=mirror, offline=True, scope=Scope(("02",))
    )
    census = build("households", 1, 2018, retrieval).collect()
    frame = census.select(
        *(pl.col(c).alias(c.upper()) for c in census.columns if c.startswith("repwt") or c in COMMON),
        YEAR="year",
        SAMPLE=pl.lit(201801),
        SERIAL=pl.int_range(1, pl.len() + 1),
        STATEFIP=pl.col("state").cast(pl.Int32),
        PUMA=pl.col("puma").cast(pl.Int32),
        HHWT=pl.col("hhwt").cast(pl.Int64) * 100,
        ADJUST=(pl.col("adjust") * 1_000_000).round().cast(pl.Int64),
        COUNTYFIP=pl.lit(0),
    )
    folder = tmp_path / "files" / "acs_pums_ipums" / "us2018a"
    hierarchical(folder, "usa_00001", people(1)[0].head(0), frame, [v for v in FULL_EXTRACT if "H" in v.records])
    table = build("households", 1, 2018, FolderRetrieval(tmp_path / "files", tmp_path / "scratch", ("02",))).collect()
    assert table["hhwt"].sum() == 318_352
    assert_frame_equal(table, census)


COMMON = (
    *("gq", "vacancy", "ownershp", "bedrooms", "cilaptop", "citablet", "cihispeed", "cinethh"),
    *("hhincome", "owncost", "rent", "rentgrs", "valueh"),
)


# Which form is read ---------------------------------------------------------------------------------------------------


@pytest.fixture
def held(tmp_path):
    """A store that holds the forms asked for, of Delaware."""

    def held(*forms, key=None, offline=False):
        files = tmp_path / "files"
        if "census persons" in forms:
            census_file(files / "acs_pums_census" / "2018-1yr", persons_csv({}), "p")
        if "census housing" in forms:
            census_file(files / "acs_pums_census" / "2018-1yr", housing_csv({}), "h")
        if "ipums" in forms:
            persons, _ = people(20, states=(10,))
            rectangular(files / "acs_pums_ipums" / "us2018a", "usa_00001", persons, PERSON_EXTRACT)
        retrieval = FolderRetrieval(files, tmp_path / "scratch", ("10",))
        retrieval.ipums_key, retrieval.offline = key, offline
        return retrieval

    return held


@pytest.mark.parametrize(
    ("forms", "key", "offline", "form"),
    [
        ((), None, False, CENSUS),
        ((), "a key", False, IPUMS),
        ((), "a key", True, CENSUS),
        (("ipums",), None, False, IPUMS),
        (("census persons",), None, False, CENSUS),
        (("census persons",), "a key", False, CENSUS),
        (("census housing",), "a key", False, CENSUS),
    ],
)
def test_the_form_is_what_is_at_hand(held, forms, key, offline, form):
    assert choose_form(Sample(2018, 1), held(*forms, key=key, offline=offline)) == form


@pytest.mark.parametrize("other", ["census persons", "census housing"])
def test_two_forms_of_one_sample_are_refused(held, other):
    retrieval = held("ipums", other)
    for unit in ("persons", "households"):
        with pytest.raises(InputError, match=r"both forms of the 1-year sample of 2018.*us2018a.*2018-1yr"):
            build(unit, 1, 2018, retrieval)
    assert choose_form(Sample(2019, 1), retrieval) == CENSUS, "another sample is another matter"


def test_the_form_is_noted(held):
    retrieval = held("census persons")
    build("persons", 1, 2018, retrieval)
    assert retrieval.notes["acs form"] == "Census Bureau files, 2018-1yr"
    retrieval = held("census persons")
    with pytest.raises(OwedError, match="csv_hde"):
        build("households", 1, 2018, retrieval)


def test_each_table_needs_its_own_file_alone(held):
    assert build("persons", 1, 2018, held("census persons")).collect().height == 1
    retrieval = held("census persons", "census housing")
    assert build("households", 1, 2018, retrieval).collect()["age"].to_list() == [30]
    assert build("persons", 1, 2018, retrieval).collect()["hhincome"].to_list() == [60_000]


# Declarations ---------------------------------------------------------------------------------------------------------


def test_tables_are_found_and_complete():
    tables = all_tables()
    assert {"acs1_persons", "acs1_households", "acs5_persons", "acs5_households"} <= set(tables)
    for table in TABLES:
        assert set(table.sources) <= set(all_sources())
        assert table.years == (ONE_YEAR if "acs1" in table.name else FIVE_YEAR)
        assert not table.gate_rows
        names = list(columns(table.model))
        assert names == list(columns(AcsPersons if "persons" in table.name else AcsHouseholds))
        assert names[-REPLICATES:] == [f"{'repwtp' if 'persons' in table.name else 'repwt'}{i}" for i in range(1, 81)]
        for source in table.sources:
            assert {y for v in all_sources()[source].vintages for y in v.data_years} >= set(table.years)
    assert not all_sources()["acs_pums_ipums"].redistribute


def test_the_model_refuses_what_the_readers_refuse(held):
    table = build("persons", 1, 2018, held("census persons")).collect()
    model = next(t.model for t in TABLES if t.name == "acs1_persons")
    model.validate(table)
    wrong = {"gq": 8, "perwt": -1, "survey_year": 2017, "puma": "200", "repwtp9": None}
    with pytest.raises(SchemaErrors) as error:
        model.validate(table.with_columns(pl.lit(v, table.schema[c]).alias(c) for c, v in wrong.items()), lazy=True)
    cases = error.value.failure_cases
    assert set(wrong) - {"survey_year"} <= set(cases["column"])
    assert cases["check"].str.contains("the survey year is not the sample year").any()


def test_one_zip_is_read_once(held, tmp_path):
    retrieval = held("census persons", "census housing")
    build("persons", 1, 2018, retrieval)
    (file,) = retrieval.obtain(all_sources()["acs_pums_census"], "2018-1yr", (PERSONS,))
    written = read_state(file, Sample(2018, 1), "10", tmp_path / "scratch" / "acs").files[0].stat().st_mtime_ns
    build("households", 1, 2018, retrieval)
    assert read_state(file, Sample(2018, 1), "10", tmp_path / "scratch" / "acs").files[0].stat().st_mtime_ns == written
