"""Census Bureau ACS PUMS: person and housing files by state, read into table parts with IPUMS names and codes."""

from __future__ import annotations

import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import polars as pl

from schemas.acs import Acs1Households, Acs1Persons, columns
from schemas.errors import InputError, OwedError
from sources.acs import census_recodes
from sources.acs.blocks import first_line
from sources.acs.census_recodes import SERIAL, Header, Recode
from sources.acs.parts import READER, Built, Parts, once
from sources.acs.sample import SAMPLES, Sample, Unit
from sources.framework.declare import Access, Source, SourceFile, Vintage
from sources.framework.retrieve import RawFile, Retrieval
from sources.framework.states import BY_POSTAL, within

KEY: Final = "acs_pums_census"
PERSONS: Final = "csv_p{st}.zip"
HOUSING: Final = "csv_h{st}.zip"
_FOLDER: Final = "https://www2.census.gov/programs-surveys/acs/data/pums/{year}/{span}-Year/"


LACKING: Final = ("COUNTYFIP",)
"""Variables of the tables that the files do not have, in any vintage."""


def _vintage(sample: Sample) -> Vintage:
    folder = _FOLDER.format(year=sample.year, span=sample.span)
    return Vintage(
        key=sample.census_vintage,
        files=tuple(SourceFile(name, "zip", url=folder + name) for name in (PERSONS, HOUSING)),
        data_years=(sample.year,),
    )


SOURCE: Final = Source(
    key=KEY,
    agency="US Census Bureau",
    dataset="American Community Survey Public Use Microdata Sample, 1-year and 5-year files",
    citation="US Census Bureau, American Community Survey Public Use Microdata Sample.",
    licence="public domain (US government work)",
    redistribute=True,
    landing_page="https://www.census.gov/programs-surveys/acs/microdata/access.html",
    access=Access.DOWNLOAD,
    vintages=tuple(_vintage(sample) for sample in SAMPLES),
    recipe=(
        "On the FTP site, by year and span, there is one zip per state: csv_p (persons) and csv_h (housing units). "
        "Both are needed: incomes of persons and what describes householders come from the other one. The files serve "
        f"every predictor; only {' and '.join(LACKING)} is not in them, so that digital access allocates all "
        "households by their sampling area (an extract of IPUMS USA names the county of many)."
    ),
    usual_release="1-year files in October, 5-year files in January or later",
)


_MATCHED: Final = "_matched"
_GQ: Final = "_gq"


@dataclass(frozen=True)
class _Kind:
    """Person or housing files: their name for readers, how they are recoded, and what makes a record unique."""

    name: str
    recodes: Callable[[Header, Sample, str], list[Recode]]
    key: tuple[str, ...]


_KINDS: Final[dict[str, _Kind]] = {
    PERSONS: _Kind("person", census_recodes.persons, (SERIAL, "pernum")),
    HOUSING: _Kind("housing", census_recodes.housing, (SERIAL,)),
}


def build(sample: Sample, unit: Unit, retrieval: Retrieval) -> Built:
    """The `unit` table of the states of the scope whose files can be had.

    Persons take their household's income from the housing file of their state, households the householder's age, sex,
    race and Hispanic origin from the person file; without the other file these columns are null. What cannot be had
    stands in `retrieval.notes["owed"]`; if that is every file of the table's own, `OwedError` is raised. Raises
    `InputError` for a file that is wrong.
    """
    own, other = (PERSONS, HOUSING) if unit == "persons" else (HOUSING, PERSONS)
    vintage = sample.census_vintage
    files, owed = _files(own, vintage, retrieval)
    if not files and owed is not None:
        raise owed
    others, others_owed = _files(other, vintage, retrieval)
    if notes := [_note(error) for error in (owed, others_owed) if error is not None]:
        retrieval.notes["owed"] = notes
    scratch = retrieval.scratch / "acs"
    done: list[Parts] = []
    for state, file in files.items():
        mine = read_state(file, sample, state, scratch)
        partner = read_state(others[state], sample, state, scratch) if state in others else None
        digests = "-".join(f.sha256[:16] for f in (file, others.get(state)) if f is not None)
        folder = scratch / f"census-{vintage}-{unit}-{state}-{READER}-{digests}"
        names = " and ".join(f.path.name for f in (file, others.get(state)) if f is not None)
        done.append(once(folder, partial(_join, unit, mine, partner, names)))
    counts: dict[str, object] = {
        what: sum(int(str(parts.counts.get(what, 0))) for parts in done) for what in done[0].counts
    }
    if unit == "households":
        counts["variables not in the files"] = list(LACKING)
    if missing := sorted(set(files) - set(others)):
        counts[f"states without their {_KINDS[other].name} file"] = missing
    return Built(pl.scan_parquet([path for parts in done for path in parts.files]), counts)


def _files(name: str, vintage: str, retrieval: Retrieval) -> tuple[dict[str, RawFile], OwedError | None]:
    """The files of that name by FIPS code of their state, and what is owed of them."""
    try:
        return _by_state(retrieval.obtain(SOURCE, vintage, (name,))), None
    except OwedError as error:
        # What could be had is in the store by now.
        states = within(retrieval.scope.states)
        names = [name.replace("{st}", state.postal.lower()) for state in states]
        there = tuple(n for n in names if retrieval.has(SOURCE, vintage, (n,)))
        return _by_state(retrieval.obtain(SOURCE, vintage, there)) if there else {}, error


def _note(owed: OwedError) -> dict[str, object]:
    return {"source": owed.source, "vintage": owed.vintage, "files": list(owed.files), "recipe": owed.recipe}


def _by_state(files: Sequence[RawFile]) -> dict[str, RawFile]:
    """The files by FIPS code of their state, which is in their name."""
    found: dict[str, RawFile] = {}
    for file in files:
        match = re.fullmatch(r"csv_[hp]([a-z]{2})\.zip", file.name)
        if match is None or match[1].upper() not in BY_POSTAL:
            raise InputError("the file's name does not say which state it is of.", source=KEY, file=file.name)
        found[BY_POSTAL[match[1].upper()].fips] = file
    return dict(sorted(found.items()))


def read_state(file: RawFile, sample: Sample, state: str, scratch: Path) -> Parts:
    """One zip as Parquet: `serialno`, then the columns of its table that it has itself. Read once per file.

    Raises `InputError` for a damaged zip, missing or unknown columns, values that are not lawful, and duplicate keys.
    """
    kind = _KINDS[PERSONS if file.name.startswith("csv_p") else HOUSING]
    folder = scratch / f"census-{sample.census_vintage}-{kind.name}-{state}-{READER}-{file.sha256[:16]}"

    def make(parts: Parts) -> None:
        csv = _unpack(file.path, parts.folder)
        _read_csv(csv, kind, sample, state, parts.next_file(), file=f"{file.path.name}/{csv.name}")
        csv.unlink()

    return once(folder, make)


def _unpack(path: Path, folder: Path) -> Path:
    """The zip's one CSV, unpacked into `folder`."""

    def refuse(problem: str) -> InputError:
        return InputError(problem, source=KEY, file=path.name)

    if path.stat().st_size == 0:
        raise refuse("the file is empty.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".csv")]
            if len(members) != 1:
                raise refuse(f"the zip holds {len(members)} CSV files, not one.")
            target = folder / Path(members[0].filename).name
            with archive.open(members[0]) as packed, target.open("wb") as out:
                shutil.copyfileobj(packed, out, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        with path.open("rb") as stream:
            head = stream.read(200).lstrip().lower()
        if head.startswith((b"<!doctype html", b"<html", b"<head")):
            raise refuse("this is a web page, not data.") from error
        raise refuse(f"the zip is damaged or truncated ({error}).") from error
    return target


def _read_csv(csv: Path, kind: _Kind, sample: Sample, state: str, target: Path, *, file: str) -> None:
    """Recode the CSV into `target`, streaming, then make sure that nothing was lost on the way."""
    header = _header(csv, file)
    recodes = kind.recodes(header, sample, state)
    numbers = {recode.raw[0]: recode.number for recode in recodes if recode.number is not None}
    try:
        _recode(_scan(csv, header, recodes, numbers), recodes, target)
    except pl.exceptions.PolarsError:
        # A number that is none ends the fast way; as text, its place in the file can be found.
        try:
            _recode(_scan(csv, header, recodes, {}), recodes, target)
        except pl.exceptions.PolarsError as error:
            raise _unreadable(csv, file, error) from error
    table = pl.scan_parquet(target)
    nulls = table.select(pl.len().alias("rows"), pl.all().null_count()).collect(engine="streaming").row(0, named=True)
    if nulls["rows"] == 0:
        raise InputError("the file has a header but no rows.", source=KEY, file=file)
    for recode in recodes:
        if nulls[recode.name]:
            raise _unlawful(_scan(csv, header, recodes, {}), recode, file)
    _refuse_duplicates(table, kind.key, file)


def _scan(
    csv: Path, header: Header, recodes: Sequence[Recode], numbers: Mapping[str, type[pl.DataType]]
) -> pl.LazyFrame:
    """The columns the recodes are made from, under their names in capitals; text, but for `numbers`."""
    wanted = sorted({raw for recode in recodes for raw in recode.raw})
    schema = {there: numbers.get(name, pl.String) for name, there in header.names.items()}
    return pl.scan_csv(csv, schema=schema).select(pl.col(header.names[raw]).alias(raw) for raw in wanted)


def _recode(raw: pl.LazyFrame, recodes: Sequence[Recode], target: Path) -> None:
    made = raw.select(recode.value.alias(recode.name) for recode in recodes)
    made.sink_parquet(target, compression="zstd", compression_level=1, statistics=False)


def _header(csv: Path, file: str) -> Header:
    try:
        line = first_line(csv, source=KEY).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("the text is not UTF-8.", source=KEY, file=file, row=1) from error
    except InputError as error:
        raise InputError(error.problem, source=KEY, file=file) from error
    names: dict[str, str] = {}
    for name in line.strip("\r").split(","):
        bare = name.strip().strip('"')
        if bare.upper() in names:
            raise InputError("the column stands there twice.", source=KEY, file=file, row=1, column=bare)
        names[bare.upper()] = bare
    return Header(names, file, KEY)


def _unlawful(text: pl.LazyFrame, recode: Recode, file: str) -> InputError:
    """The first value that a recode does not understand."""
    row = (
        text.with_row_index("_row", offset=2)
        .filter(recode.value.is_null())
        .select("_row", *recode.raw)
        .head(1)
        .collect()
        .row(0, named=True)
    )
    found = ", ".join(f"{raw} {row[raw] or ''!r}" for raw in recode.raw)
    problem = f"{census_recodes.reason(recode, row)} (found {found})."
    return InputError(problem, source=KEY, file=file, row=row["_row"], column=recode.raw[0])


def _unreadable(csv: Path, file: str, error: Exception) -> InputError:
    """The first line that is not UTF-8 or has another number of cells than the header."""
    with csv.open("rb") as lines:
        width = next(lines).count(b",")
        for row, line in enumerate(lines, start=2):
            try:
                line.decode()
            except UnicodeDecodeError as failure:
                return InputError(f"the text is not UTF-8: {failure.reason}.", source=KEY, file=file, row=row)
            if line.strip() and line.count(b",") != width:
                problem = f"the row has {line.count(b',') + 1} cells, the header {width + 1}."
                return InputError(problem, source=KEY, file=file, row=row)
    return InputError(f"the table cannot be read: {str(error).splitlines()[0]}", source=KEY, file=file)


def _refuse_duplicates(table: pl.LazyFrame, key: tuple[str, ...], file: str) -> None:
    keys = table.select(key).with_row_index("_row", offset=2).collect()
    again = keys.filter(~pl.struct(key).is_first_distinct()).head(1)
    if again.height:
        row = again.row(0, named=True)
        names = [{SERIAL: "SERIALNO", "pernum": "SPORDER"}[k] for k in key]
        text = ", ".join(f"{name}={row[k]}" for name, k in zip(names, key, strict=True))
        raise InputError(f"duplicate key ({text}).", source=KEY, file=file, row=row["_row"], column=", ".join(names))


def _join(unit: Unit, mine: Parts, partner: Parts | None, files: str, parts: Parts) -> None:
    """One state's table: the columns of its own file and those it takes from the other one (null without it)."""
    other = None if partner is None else partner.scan()
    joined, counts = (_persons if unit == "persons" else _households)(mine.scan(), other)
    counts[_MATCHED] = pl.col(_MATCHED).is_not_null().sum()
    found = joined.select(number.alias(what) for what, number in counts.items()).collect(engine="streaming")
    numbers = found.row(0, named=True)
    if numbers.pop(_MATCHED) == 0 and partner is not None:
        raise InputError(
            "the person and the housing file have no serial number in common; they are not of one vintage.",
            source=KEY,
            file=files,
            column="SERIALNO",
        )
    parts.counts |= numbers
    have = joined.collect_schema().names()
    if _GQ in have:
        joined = joined.with_columns(pl.col(_GQ).alias("gq"))
    table = joined.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in columns(Acs1Persons if unit == "persons" else Acs1Households).items()
    )
    table.sink_parquet(parts.next_file(), compression="zstd", compression_level=1, statistics=False)


def _with(
    left: pl.LazyFrame, right: pl.LazyFrame | None, taken: Sequence[str], validate: Literal["m:1", "1:1"]
) -> pl.LazyFrame:
    """`left` with the columns `taken` of `right`; `_MATCHED` is null where there is no such record."""
    if right is None:
        return left.with_columns(pl.lit(None, pl.Int64).alias(name) for name in (*taken, _MATCHED))
    right = right.select(SERIAL, *taken, pl.lit(1).alias(_MATCHED))
    return left.join(right, on=SERIAL, how="left", validate=validate, maintain_order="left")


def _persons(persons: pl.LazyFrame, housing: pl.LazyFrame | None) -> tuple[pl.LazyFrame, dict[str, pl.Expr]]:
    """Persons with their household's income, and with GQ 5, which only the housing file can tell from 1."""
    units = None if housing is None else housing.rename({"gq": "gq_of_unit"})
    joined = _with(persons, units, ("hhincome", "gq_of_unit"), "m:1")
    household = (pl.col("gq") == 1) & pl.col("gq_of_unit").is_in([1, 5])
    counts = {
        "persons": pl.len(),
        "persons without a housing record": pl.col(_MATCHED).is_null().sum(),
        "persons whose housing record is of another type": (~household & (pl.col("gq") != pl.col("gq_of_unit"))).sum(),
    }
    # Under a name of its own, because the counts still look at the person's.
    return joined.with_columns(pl.when(household).then("gq_of_unit").otherwise("gq").alias(_GQ)), counts


def _households(housing: pl.LazyFrame, persons: pl.LazyFrame | None) -> tuple[pl.LazyFrame, dict[str, pl.Expr]]:
    """Housing units with age, sex, race and Hispanic origin of the householder."""
    first = None if persons is None else persons.filter(pl.col("pernum") == 1)
    joined = _with(housing, first, ("age", "sex", "race", "hispan"), "1:1")
    vacant = pl.col("gq") == 0
    counts = {
        "units": pl.len(),
        "vacant units": vacant.sum(),
        "occupied units without a householder record": (pl.col(_MATCHED).is_null() & ~vacant).sum(),
    }
    return joined, counts
