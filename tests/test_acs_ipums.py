"""IPUMS extracts: real fixtures, the three forms of a file, several extracts of a sample, and what is refused."""

import gzip

import polars as pl
import pytest
from acs_files import (
    FULL_EXTRACT,
    PERSON_EXTRACT,
    REPWT,
    FolderRetrieval,
    Var,
    codebook,
    csv_text,
    hierarchical,
    lines,
    packed,
    people,
    rectangular,
    rectangular_csv,
)
from polars.testing import assert_frame_equal

from schemas.acs import Acs1Households, Acs1Persons, Acs5Households, Acs5Persons
from schemas.errors import InputError
from sources import acs_pums_ipums
from sources.acs import fixed_width
from sources.acs.ddi import pair, read_codebook
from sources.acs_microdata import build

KEY = "acs_pums_ipums"
FIVE = [Var("MULTYEAR", 4, 0, "H P"), *FULL_EXTRACT]
RECTANGULAR = [v for v in FULL_EXTRACT if v.name not in ("VACANCY",)]


@pytest.fixture
def store(tmp_path):
    """Folder of a vintage; `table` builds from it."""

    class Store:
        def folder(self, vintage="us2018a"):
            path = tmp_path / "files" / KEY / vintage
            path.mkdir(parents=True, exist_ok=True)
            return path

        def table(self, unit, *, year=2018, span=1, states=("10", "44")):
            self.retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", states)
            return build(unit, span, year, self.retrieval).collect()

    return Store()


def expected_persons(persons: pl.DataFrame) -> pl.DataFrame:
    """The table's rows, worked out on the frame the extract was written from."""
    survey = pl.col("MULTYEAR") if persons["YEAR"][0] != persons["MULTYEAR"].min() else pl.col("YEAR")
    return persons.select(
        year="YEAR",
        survey_year=survey,
        state=pl.col("STATEFIP").cast(pl.String).str.zfill(2),
        puma=pl.col("PUMA").cast(pl.String).str.zfill(5),
        perwt=pl.col("PERWT") // 100,
        **{
            name.lower(): name
            for name in ("GQ", "AGE", "SEX", "EMPSTAT", "RACE", "HISPAN", "EDUCD", "GRADEATT", "DIFFREM", "HHINCOME")
        },
        pernum="PERNUM",
        repwtp1="REPWTP1",
        repwtp80="REPWTP80",
    )


# Real extracts --------------------------------------------------------------------------------------------------------


@pytest.mark.parity
@pytest.mark.parametrize(
    ("stem", "rows", "persons", "households"),
    [
        ("usa_00172", 33_057, 3_667_084, 3_246_352),
        ("usa_00301", 910, 158_368, 139_998),
        ("usa_00468", 910, 158_368, 139_998),
    ],
)
@pytest.mark.parametrize("size", [20_000, fixed_width.BLOCK_BYTES])
def test_real_extracts_are_read_without_loss(mirror, stem, rows, persons, households, size):
    folder = mirror / KEY / "fixtures"
    book = read_codebook(folder / f"{stem}.xml", source=KEY)
    data = folder / f"{stem}.dat.gz"
    blocks = list(fixed_width.rectangular(book, data, book.names(), source=KEY, size=size))
    table = pl.concat(b.frame for b in blocks)
    assert table.height == rows
    assert table["_row"].to_list() == list(range(1, rows + 1))
    assert table["PERWT"].sum() == persons * 100
    assert table["HHWT"].sum() == households * 100
    # Every character of the file comes back: the lines can be written again from the table.
    again = [Var(f.name, f.width, f.decimals) for f in book.fields]
    assert lines(table, again) == gzip.decompress(data.read_bytes()).decode().splitlines()


@pytest.mark.parity
def test_real_codebook_of_52_variables(mirror):
    book = read_codebook(mirror / KEY / "fixtures" / "usa_00014.xml.gz", source=KEY)
    assert (len(book.fields), book.stem, book.hierarchical, book.samples) == (52, "usa_00014", False, ("2021 ACS",))
    at = {f.name: (f.start, f.end, f.decimals) for f in book.fields}
    assert at["ADJUST"] == (56, 63, 6)
    assert at["PERWT"] == (129, 139, 2)
    assert "must cite it appropriately" in book.citation
    assert "No fees may be charged" in book.conditions


# The three forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["fixed", "csv", "hierarchical"])
def test_persons_of_every_form(store, form):
    persons, households = people(300)
    if form == "fixed":
        rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    elif form == "csv":
        rectangular_csv(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    else:
        hierarchical(store.folder(), "usa_00001", persons, households, FULL_EXTRACT)
    table = store.table("persons")
    Acs1Persons.validate(table)
    expected = expected_persons(persons)
    assert_frame_equal(table.select(expected.columns), expected, check_dtypes=False)
    assert table["puma_vintage"].unique().to_list() == [2010]
    notes = store.retrieval.notes
    assert notes["acs form"] == "IPUMS USA extract, us2018a"
    assert notes["acs sum of perwt"] == persons["PERWT"].sum() // 100
    assert notes["acs conditions"] == ["Use it for good."]


def test_households_and_vacant_units_of_a_hierarchical_extract(store):
    persons, households = people(300)
    hierarchical(store.folder(), "usa_00001", persons, households, FULL_EXTRACT)
    table = store.table("households")
    Acs1Households.validate(table)
    assert table.height == 300
    assert (table["gq"] == 0).sum() == (households["GQ"] == 0).sum() > 20
    first = households.join(
        persons.filter(pl.col("PERNUM") == 1).select("SERIAL", "AGE", "SEX", "RACE", "HISPAN"),
        on="SERIAL",
        how="left",
        maintain_order="left",
    )
    expected = first.select(
        hhwt=pl.col("HHWT") // 100,
        countyfip=pl.when(pl.col("COUNTYFIP") > 0).then(pl.col("COUNTYFIP").cast(pl.String).str.zfill(3)),
        adjust=pl.lit(1.013097),
        **{
            n.lower(): n
            for n in (
                "GQ",
                "VACANCY",
                "OWNERSHP",
                "BEDROOMS",
                "CILAPTOP",
                "CITABLET",
                "CIHISPEED",
                "CINETHH",
                "HHINCOME",
            )
        },
        **{n.lower(): n for n in ("OWNCOST", "RENT", "RENTGRS", "VALUEH", "AGE", "SEX", "RACE", "HISPAN", *REPWT)},
    )
    assert_frame_equal(table.select(expected.columns), expected, check_dtypes=False)


def test_households_of_persons_with_an_extract_of_vacant_units(store):
    persons, households = people(300)
    hierarchical(store.folder(), "usa_00001", persons, households, FULL_EXTRACT)
    whole = store.table("households").sort("hhwt", "repwt1", "repwt2", "rent")
    for file in store.folder().iterdir():
        file.unlink()
    rectangular(store.folder(), "usa_00002", persons, RECTANGULAR)
    vacant = households.filter(pl.col("GQ") == 0)
    names = {"YEAR", "SAMPLE", "SERIAL", "HHWT", "ADJUST", "STATEFIP", "PUMA", "GQ", "RENT", "RENTGRS", "VALUEH"}
    short = [v for v in FULL_EXTRACT if v.name in {*names, "VACANCY", "BEDROOMS", "COUNTYFIP"}]
    hierarchical(store.folder(), "usa_00003", persons.head(0), vacant, short)
    table = store.table("households")
    Acs1Households.validate(table)
    assert table.filter(pl.col("gq") == 0)["repwt1"].null_count() == vacant.height
    apart = [c for c in table.columns if not c.startswith("repwt")]
    order = ["gq", "hhwt", "rent", "valueh", "hhincome", "bedrooms"]
    unknown = pl.when(pl.col("gq") > 0).then(pl.col("ownershp")).otherwise(0)
    assert_frame_equal(table.select(apart).sort(order), whole.select(apart).with_columns(ownershp=unknown).sort(order))


def test_a_five_year_sample(store):
    persons, households = people(300, year=2014, span=5)
    hierarchical(store.folder("us2014c"), "usa_00001", persons, households, FIVE)
    table = store.table("persons", year=2014, span=5)
    Acs5Persons.validate(table)
    expected = expected_persons(persons)
    assert_frame_equal(table.select(expected.columns), expected, check_dtypes=False)
    vintages = {y: 2000 if y < 2012 else 2010 for y in range(2010, 2015)}
    assert dict(table.select("survey_year", "puma_vintage").unique().iter_rows()) == vintages
    Acs5Households.validate(store.table("households", year=2014, span=5))


def test_a_file_is_read_in_blocks_of_any_size(store, monkeypatch):
    persons, households = people(120)
    hierarchical(store.folder(), "usa_00001", persons, households, FULL_EXTRACT)
    whole = {unit: store.table(unit) for unit in ("persons", "households")}
    book, data = pair(sorted(store.folder().iterdir()), source=KEY)[0]
    for size in (700, 3_000, 50_000):
        found = list(fixed_width.hierarchical(book, data, book.names(), source=KEY, size=size))
        assert sum(r["P"].frame.height for r in found) == whole["persons"].height
        assert sum(r["H"].frame.height for r in found) == whole["households"].height
        rows = pl.concat([r[t].frame.select("_row", "SERIAL") for r in found for t in ("H", "P")]).sort("_row")
        assert rows["_row"].to_list() == list(range(1, rows.height + 1))
        assert rows["SERIAL"].is_sorted()


def test_carriage_returns_and_a_missing_last_line_end(store):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    whole = store.table("persons")
    data = store.folder() / "usa_00001.dat.gz"
    text = gzip.decompress(data.read_bytes())
    data.write_bytes(gzip.compress(text.replace(b"\n", b"\r\n")))
    assert_frame_equal(store.table("persons"), whole)
    data.write_bytes(gzip.compress(text.rstrip(b"\n")))
    assert_frame_equal(store.table("persons"), whole)
    (store.folder() / "usa_00001.dat").write_bytes(text)
    data.unlink()
    assert_frame_equal(store.table("persons"), whole)


def test_a_gzip_of_several_members(store):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    whole = store.table("persons")
    data = store.folder() / "usa_00001.dat.gz"
    text = gzip.decompress(data.read_bytes())
    data.write_bytes(gzip.compress(text[:999]) + gzip.compress(text[999:]))
    assert_frame_equal(store.table("persons"), whole)


def test_extracts_are_converted_once(store, monkeypatch):
    persons, households = people(40)
    hierarchical(store.folder(), "usa_00001", persons, households, FULL_EXTRACT)
    first = store.table("persons")
    monkeypatch.setattr(acs_pums_ipums, "read_pair", None)
    assert_frame_equal(store.table("persons"), first)


def test_only_the_states_of_the_scope(store):
    persons, _ = people(200)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    table = store.table("persons", states=("44",))
    assert table["state"].unique().to_list() == ["44"]
    assert table.height == (persons["STATEFIP"] == 44).sum()
    assert store.retrieval.notes["acs states left out"] == ["10"]
    with pytest.raises(InputError, match="no records of the states 01, 02"):
        store.table("persons", states=None)


def test_two_extracts_of_different_persons_make_one_table(store):
    persons, _ = people(200)
    rectangular(store.folder(), "usa_00001", persons.filter(pl.col("AGE") < 30), PERSON_EXTRACT)
    rectangular_csv(store.folder(), "usa_00002", persons.filter(pl.col("AGE") >= 30), PERSON_EXTRACT)
    assert store.table("persons").height == persons.height


def test_variables_only_other_samples_need_may_be_absent(store):
    persons, _ = people(40)
    short = [v for v in PERSON_EXTRACT if not v.name.startswith("DIFF") and v.name != "EDUCD"]
    rectangular(store.folder(), "usa_00001", persons, short)
    table = store.table("persons")
    Acs1Persons.validate(table)
    assert table["diffrem"].null_count() == table.height
    absent = ["DIFFCARE", "DIFFMOB", "DIFFPHYS", "DIFFREM", "DIFFSENS", "EDUCD"]
    assert store.retrieval.notes["acs variables not in the extract"] == absent


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def refused(store):
    """Write an extract after changing its persons, and see how it is refused."""

    def refused(match, change=None, *, row=None, column=None, unit="persons", variables=PERSON_EXTRACT, form="fixed"):
        persons, _ = people(40)
        if change is not None:
            persons = change(persons)
        write = rectangular if form == "fixed" else rectangular_csv
        write(store.folder(), "usa_00001", persons, variables)
        with pytest.raises(InputError, match=match) as error:
            store.table(unit)
        assert error.value.source == KEY
        assert "usa_00001" in error.value.file
        if row is not None:
            assert (error.value.row, error.value.column) == (row, column)
        return error.value

    return refused


def at(row: int, column: str, value: int | None):
    """A change of one value; `row` counts from 1."""
    here = pl.int_range(pl.len()) == row - 1
    return lambda frame: frame.with_columns(pl.when(here).then(value).otherwise(column).alias(column))


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("PERWT", -500, r"negative \(found -5\.0\)"),
        ("PERWT", 150, r"not a whole number \(found 1\.5\)"),
        ("PERWT", None, "blank"),
        ("GQ", 7, "unknown code"),
        ("SEX", 9, "unknown code"),
        ("EMPSTAT", 8, "unknown code"),
        ("RACE", 0, "unknown code"),
        ("HISPAN", 5, "unknown code"),
        ("EDUCD", 99, "unknown code"),
        ("GRADEATT", 9, "unknown code"),
        ("DIFFMOB", 3, "unknown code"),
        ("DIFFSENS", None, "blank"),
        ("REPWTP1", None, "blank"),
        ("STATEFIP", 72, "unknown state code"),
        ("STATEFIP", 3, "unknown state code"),
        ("PUMA", 0, "below 1"),
        ("PERNUM", 0, "below 1"),
        ("AGE", 200, "above 135"),
        ("YEAR", 2017, "not a record of the year 2018"),
        ("SAMPLE", 201803, "not a record of us2018a"),
    ],
)
@pytest.mark.parametrize("form", ["fixed", "csv"])
def test_unlawful_values_are_named(refused, column, value, problem, form):
    refused(problem, at(5, column, value), row=5 if form == "fixed" else 6, column=column, form=form)


def test_a_duplicate_person_is_refused(refused, store):
    doubled = lambda p: pl.concat([p.head(7), p[6:]])  # noqa: E731
    refused(r"duplicate key \(SERIAL=\d+, PERNUM=\d+\)", doubled, row=8, column="SERIAL, PERNUM")
    refused(r"duplicate key.*stands there 2 times", lambda p: pl.concat([p, p.head(3)]))
    for file in store.folder().iterdir():
        file.unlink()
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    rectangular_csv(store.folder(), "usa_00002", persons.tail(5), PERSON_EXTRACT)
    with pytest.raises(InputError, match=r"usa_00001\.dat\.gz, usa_00002\.csv\.gz.*duplicate key"):
        store.table("persons")


def test_a_duplicate_household_is_refused(store):
    persons, households = people(40)
    hierarchical(store.folder(), "usa_00001", persons, pl.concat([households, households[5:6]]), FULL_EXTRACT)
    with pytest.raises(InputError, match="duplicate key"):
        store.table("households")


def test_records_out_of_order_are_no_fault(store):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons[::-1], PERSON_EXTRACT)
    assert store.table("persons").height == persons.height


def test_missing_variables_are_named(refused, store):
    error = refused("lacks variables that the persons table needs: EMPSTAT", variables=PERSON_EXTRACT_BUT("EMPSTAT"))
    assert error.column == "EMPSTAT"
    assert "choose the hierarchical structure" in error.remedy
    refused("needs: REPWTP80", variables=PERSON_EXTRACT_BUT("REPWTP80"))
    refused("households table needs: REPWT1, REPWT10", unit="households")
    persons, households = people(40, year=2014, span=5)
    hierarchical(store.folder("us2014c"), "usa_00001", persons, households, FULL_EXTRACT)
    with pytest.raises(InputError, match="needs: MULTYEAR"):
        store.table("persons", year=2014, span=5)


def PERSON_EXTRACT_BUT(*names):  # noqa: N802
    return [v for v in PERSON_EXTRACT if v.name not in names]


def test_households_are_not_made_from_a_selection_of_persons(refused, store):
    change = lambda p: p.filter((pl.col("AGE") >= 25) & (pl.col("AGE") <= 54))  # noqa: E731
    refused("first persons .PERNUM 1.", change, unit="households", variables=RECTANGULAR)
    for file in store.folder().iterdir():
        file.unlink()
    persons, households = people(40)
    hierarchical(store.folder(), "usa_00001", persons.filter(pl.col("PERNUM") > 1), households, FULL_EXTRACT)
    with pytest.raises(InputError, match="without its first person"):
        store.table("households")


def test_occupied_units_need_more_than_an_extract_of_vacant_ones(store):
    persons, households = people(40)
    names = ("YEAR", "SAMPLE", "SERIAL", "HHWT", "ADJUST", "STATEFIP", "PUMA", "GQ", "RENT", "VALUEH", "VACANCY")
    short = [v for v in FULL_EXTRACT if v.name in names]
    hierarchical(store.folder(), "usa_00001", persons.head(0), households.filter(pl.col("GQ") == 0), short)
    with pytest.raises(InputError, match="no extract of us2018a holds occupied households"):
        store.table("households")
    hierarchical(store.folder(), "usa_00001", persons.head(0), households, short)
    rectangular(store.folder(), "usa_00002", persons.filter(pl.col("SERIAL") < 5), RECTANGULAR)
    with pytest.raises(InputError, match="an occupied unit, but the extract lacks"):
        store.table("households")


def test_codebooks_that_do_not_fit_their_data(store):
    persons, _ = people(40)
    folder = store.folder()

    def write(book: str, data: bytes | None = None, name="usa_00001.dat.gz"):
        for file in folder.iterdir():
            file.unlink()
        (folder / "usa_00001.xml").write_text(book)
        (folder / name).write_bytes(data if data is not None else packed(lines(persons, PERSON_EXTRACT)))

    good = codebook("usa_00001", PERSON_EXTRACT)
    length = sum(v.width for v in PERSON_EXTRACT)
    write(codebook("usa_00001", PERSON_EXTRACT_BUT("BEDROOMS")))
    with pytest.raises(InputError, match=rf"codebook usa_00001\.xml does not fit: the line has {length} characters"):
        store.table("persons")

    rows = lines(persons, PERSON_EXTRACT)
    write(good, packed([*rows[:9], rows[9][:-1], *rows[10:]]))
    with pytest.raises(InputError, match=rf"row 10: .* the line has {length - 1} characters, it says {length}"):
        store.table("persons")
    write(good, packed([*rows[:9], rows[9] + "0", *rows[10:]]))
    with pytest.raises(InputError, match=rf"row 10: .* the line has {length + 1} characters"):
        store.table("persons")

    write(codebook("usa_00001", PERSON_EXTRACT, cases=persons.height + 1))
    with pytest.raises(InputError, match=rf"it states {persons.height + 1} records, the file has {persons.height}"):
        store.table("persons")
    write(codebook("usa_00001", PERSON_EXTRACT, cases=persons.height))
    assert store.table("persons").height == persons.height

    shifted = [Var("GQ", 1), *[v for v in PERSON_EXTRACT if v.name != "GQ"]]
    write(codebook("usa_00001", shifted))
    with pytest.raises(InputError, match=r"column (YEAR|SAMPLE|GQ|STATEFIP)"):
        store.table("persons")

    text = csv_text(persons, PERSON_EXTRACT)
    write(good, gzip.compress(text.replace(b'"AGE"', b'"AGED"', 1)), "usa_00001.csv.gz")
    with pytest.raises(InputError, match=r"row 1, column AGE: the codebook usa_00001\.xml does not fit"):
        store.table("persons")
    write(codebook("usa_00001", PERSON_EXTRACT_BUT("SEX")), gzip.compress(text), "usa_00001.csv.gz")
    with pytest.raises(InputError, match=r"column SEX: .* it does not know the column"):
        store.table("persons")


def test_hierarchical_files_that_do_not_fit(store):
    persons, households = people(40)
    folder = store.folder()
    hierarchical(folder, "usa_00001", persons, households, FULL_EXTRACT)
    data = folder / "usa_00001.dat.gz"
    rows = gzip.decompress(data.read_bytes()).decode().splitlines()
    first_person = next(i for i, r in enumerate(rows) if r[0] == "P")
    another = next(i for i, r in enumerate(rows) if i > first_person and r[0] == "H" and rows[i + 1][0] == "P")

    def changed(i: int, text: str):
        data.write_bytes(packed([*rows[:i], *([text] if text else []), *rows[i + 1 :]]))
        with pytest.raises(InputError) as error:
            store.table("persons")
        return str(error.value)

    assert "unknown record type (found 'X')" in changed(3, "X" + rows[3][1:])
    assert f"row {first_person + 1}" in changed(first_person, rows[first_person][:-1])
    assert "stands below another household" in changed(another, "")
    data.write_bytes(packed(rows[first_person:]))
    with pytest.raises(InputError, match="a person record stands before any household"):
        store.table("persons")
    data.write_bytes(packed([r.ljust(max(map(len, rows))) for r in rows]))
    assert store.table("persons").height == persons.height, "lines padded to one length are as good"


def test_hierarchical_csv_is_refused(store):
    persons, _ = people(10)
    (store.folder() / "usa_00001.xml").write_text(codebook("usa_00001", FULL_EXTRACT, hierarchical=True))
    (store.folder() / "usa_00001.csv.gz").write_bytes(gzip.compress(csv_text(persons, FULL_EXTRACT)))
    with pytest.raises(InputError, match="fixed width only"):
        store.table("persons")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"0000012", b"00000x2", "not a number"),
        (b"0000012", b"0001,012"[:7], "not a number"),
        (b"0000012", b"00000\xe92", "not a number"),
    ],
)
def test_text_in_a_number_is_named(store, old, new, problem):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    data = store.folder() / "usa_00001.dat.gz"
    text = gzip.decompress(data.read_bytes())
    place = text.index(b"\n", 3000) + 1 + 11  # SERIAL of a record
    data.write_bytes(gzip.compress(text[:place] + new + text[place + 7 :]))
    with pytest.raises(InputError, match=problem) as error:
        store.table("persons")
    assert error.value.column == "SERIAL"
    assert error.value.row > 1


@pytest.mark.parametrize("cell", ["1,234", "many", "1.5.0", "é"])
def test_text_in_a_csv_number_is_named(store, cell):
    persons, _ = people(40)
    rectangular_csv(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    rows = csv_text(persons, PERSON_EXTRACT).decode().splitlines()
    cells = rows[4].split(",")
    cells[[v.name for v in PERSON_EXTRACT].index("REPWTP3")] = f'"{cell}"'
    rows[4] = ",".join(cells)
    (store.folder() / "usa_00001.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    with pytest.raises(InputError, match="not a number") as error:
        store.table("persons")
    assert (error.value.row, error.value.column) == (5, "REPWTP3")


def test_csv_rows_of_another_length_and_odd_decimals_are_named(store):
    persons, _ = people(40)
    rectangular_csv(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    rows = csv_text(persons, PERSON_EXTRACT).decode().splitlines()
    file = store.folder() / "usa_00001.csv.gz"
    file.write_bytes(gzip.compress("\n".join([*rows[:3], rows[3] + ",1", *rows[4:]]).encode()))
    with pytest.raises(InputError, match=r"row 4.*the row has \d+ cells"):
        store.table("persons")
    cells = rows[6].split(",")
    cells[[v.name for v in PERSON_EXTRACT].index("PERWT")] = "12.345"
    file.write_bytes(gzip.compress("\n".join([*rows[:6], ",".join(cells), *rows[7:]]).encode()))
    with pytest.raises(InputError, match=r"row 7, column PERWT: more than 2 decimals \(found 12.345\)"):
        store.table("persons")


def test_damaged_and_empty_files_are_refused(store):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    data = store.folder() / "usa_00001.dat.gz"
    whole = data.read_bytes()
    for content, problem in (
        (whole[:-20], "gzip is truncated"),
        (whole[: len(whole) // 2], "gzip is truncated"),
        (whole[:100] + bytes(20) + whole[120:], "gzip is damaged"),
        (b"not a gzip at all", "gzip is damaged"),
        (b"", "the file is empty"),
        (gzip.compress(b""), "the file is empty"),
        (gzip.compress(b"<!DOCTYPE html><html></html>"), "web page"),
    ):
        data.write_bytes(content)
        with pytest.raises(InputError, match=problem) as error:
            store.table("persons")
        assert error.value.file == "usa_00001.dat.gz"
    data.unlink()
    (store.folder() / "usa_00001.csv.gz").write_bytes(gzip.compress(csv_text(persons.head(0), PERSON_EXTRACT)))
    with pytest.raises(InputError, match="header but no rows"):
        store.table("persons")


@pytest.mark.parametrize("text", ["<html><body>Sign in</body></html>", "<codeBook/>", "no xml", ""])
def test_what_is_no_codebook_is_refused(store, text):
    persons, _ = people(10)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    (store.folder() / "usa_00001.xml").write_text(text)
    with pytest.raises(InputError, match="not a readable IPUMS codebook") as error:
        store.table("persons")
    assert error.value.file == "usa_00001.xml"


def test_pairs_must_be_whole(store):
    persons, _ = people(10)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    rectangular(store.folder(), "usa_00002", persons, PERSON_EXTRACT)
    (store.folder() / "usa_00002.xml").unlink()
    with pytest.raises(InputError, match=r"usa_00002\.dat\.gz: its codebook \(\.xml\) is not there"):
        store.table("persons")
    (store.folder() / "usa_00002.xml").write_text(codebook("usa_00002", PERSON_EXTRACT))
    (store.folder() / "usa_00002.dat.gz").unlink()
    with pytest.raises(InputError, match=r"usa_00002\.xml: its data file .* is not there"):
        store.table("persons")
    rectangular_csv(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    with pytest.raises(InputError, match=r"usa_00001\.xml: more than one data file"):
        store.table("persons")


def test_weights_whose_decimals_were_not_applied_are_refused(store):
    persons, _ = people(40)
    plain = [Var(v.name, v.width) if v.name == "PERWT" else v for v in PERSON_EXTRACT]
    rectangular(store.folder(), "usa_00001", persons, plain)
    with pytest.raises(InputError, match="column PERWT: the mean weight is"):
        store.table("persons")


def test_replicate_weights_on_another_scale_are_refused(store):
    persons, _ = people(40)
    rectangular(store.folder(), "usa_00001", persons.with_columns(pl.col("REPWTP40") * 100), PERSON_EXTRACT)
    with pytest.raises(InputError, match="column REPWTP40: the replicate weights add up to 9"):
        store.table("persons")


def test_reading_costs_little_more_than_decompression(store):
    """Processor time, which does not depend on what else the machine does. Slicing text would take 20 times as much."""
    import time

    persons, _ = people(10_000)
    rectangular(store.folder(), "usa_00001", persons, PERSON_EXTRACT)
    book, data = pair(sorted(store.folder().iterdir()), source=KEY)[0]

    def seconds(work) -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    alone = min(seconds(lambda: gzip.decompress(data.read_bytes())) for _ in range(5))
    wanted = frozenset(v.name for v in PERSON_EXTRACT)
    read = min(seconds(lambda: list(fixed_width.rectangular(book, data, wanted, source=KEY))) for _ in range(5))
    assert read < 8 * alone
