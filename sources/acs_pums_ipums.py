"""IPUMS USA extracts of ACS microdata: any number of codebook and data pairs per sample, read into table parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from sources.acs import fixed_width, ipums_csv
from sources.acs.asked import Uses, needed, uses_of
from sources.acs.ddi import HOUSEHOLD, PERSON, Codebook, pair
from sources.acs.ipums_order import order_number, variables
from sources.acs.ipums_tables import HOUSEHOLDER, VARIABLES, Harmoniser
from sources.acs.parts import READER, Built, Parts, once
from sources.acs.sample import SAMPLES, UNITS, Sample, Unit
from sources.framework.declare import Access, Source, SourceFile, Vintage
from sources.framework.retrieve import RawFile, Retrieval, fingerprint
from sources.framework.states import within

KEY: Final = "acs_pums_ipums"


def _vintage(sample: Sample) -> Vintage:
    return Vintage(
        key=sample.ipums_vintage,
        files=(SourceFile("usa_*.xml", "xml"), SourceFile("usa_*.dat", "text", accept=("usa_*.csv",))),
        data_years=(sample.year,),
        note=(
            f"Sample {sample.ipums_vintage}: choose the hierarchical structure, fixed width, no case selection, and "
            f"{', '.join(variables(sample))}; keep the names of both files (codebook .xml and data)."
        ),
    )


SOURCE: Final = Source(
    key=KEY,
    agency="IPUMS, University of Minnesota",
    dataset="IPUMS USA, American Community Survey 1-year and 5-year samples with replicate weights",
    citation=(
        "Steven Ruggles, Sarah Flood, Matthew Sobek, et al. IPUMS USA [dataset]. Minneapolis, MN: IPUMS. "
        "https://doi.org/10.18128/D010"
    ),
    licence="IPUMS terms of use: registration, citation, no redistribution of microdata",
    redistribute=False,
    landing_page="https://usa.ipums.org/usa/",
    access=Access.API_KEY,
    vintages=tuple(_vintage(sample) for sample in SAMPLES),
    recipe=(
        "Register at IPUMS USA. With the key of the account (IPUMS_API_KEY) one extract per sample is ordered, with "
        "what the predictors of the run need, and a later run that needs more orders another one; or create an "
        "extract there."
    ),
    usual_release="1-year samples in autumn, 5-year samples early in the year, some weeks after the Census Bureau",
)


def build(sample: Sample, unit: Unit, retrieval: Retrieval) -> Built:
    """The `unit` table of the sample's extracts, with the scope's states.

    Each extract is read once, whole, into the scratch folder; what was made before from the same files is used again.
    Raises `OwedError` if there is no extract, and `InputError` for a file that is wrong, for extracts that do not have
    what the table needs, for records that stand there twice, and for states of the scope that are missing.
    """
    files = retrieval.obtain(SOURCE, sample.ipums_vintage)
    serving, lacking = _serving(files, sample, unit, retrieval.uses)
    names = {name for s in serving for name in (s.codebook.file, s.path.name)}
    files = [file for file in files if file.path.name in names]
    retrieval.used = [f for f in retrieval.used if (f.source, f.vintage) != (KEY, sample.ipums_vintage) or f in files]
    folder = retrieval.scratch / "acs" / f"ipums-{sample.ipums_vintage}-{unit}-{READER}-{fingerprint(files)}"
    parts = once(folder, lambda parts: _convert(serving, unit, parts))
    _see_to_cases(parts, sample, unit, retrieval.uses)
    wanted = [state.fips for state in within(retrieval.scope.states)]
    table = parts.scan().drop("serial")
    found = set(table.select(pl.col("state").unique()).collect(engine="streaming")["state"])
    if missing := sorted(set(wanted) - found):
        raise InputError(
            f"there are no records of the states {', '.join(missing)}.",
            source=KEY,
            file=f"{sample.ipums_vintage}: {', '.join(file.name for file in files)}",
            column="STATEFIP",
            remedy="Hand in extracts of the whole sample, or limit the run to the states that are there.",
        )
    counts = {
        **parts.counts,
        "extracts not used for this table": lacking,
        "states left out": sorted(found - set(wanted)),
    }
    return Built(table.filter(pl.col("state").is_in(wanted)) if found - set(wanted) else table, counts)


def read_pair(codebook: Codebook, path: Path, wanted: frozenset[str]) -> Iterator[dict[str, fixed_width.Records]]:
    """One extract's records by type ("H", "P"), block by block; a rectangular extract has "P" alone."""
    if not codebook.hierarchical:
        read = ipums_csv.rectangular if ".csv" in path.suffixes else fixed_width.rectangular
        for records in read(codebook, path, wanted, source=KEY):
            yield {PERSON: records}
    elif ".csv" in path.suffixes:
        raise InputError(
            "a hierarchical extract can be read in fixed width only.",
            source=KEY,
            file=path.name,
            remedy="Order it as fixed width, or as a rectangular CSV.",
        )
    else:
        yield from fixed_width.hierarchical(codebook, path, wanted, source=KEY)


@dataclass(frozen=True)
class _Serving:
    """An extract that a table is made from. `order` is the extract's number if this program has ordered it."""

    harmoniser: Harmoniser
    codebook: Codebook
    path: Path
    order: int | None


def _convert(serving: Sequence[_Serving], unit: Unit, parts: Parts) -> None:
    keys = [_convert_pair(s.harmoniser, s.codebook, s.path, unit, parts) for s in serving]
    parts.flush()
    if not all(k.grows for k in keys) or len(keys) > 1:
        _refuse_duplicates(parts, unit, [s.path.name for s in serving])
    absent = {v for s in serving if not s.harmoniser.vacant_only for v in s.harmoniser.absent}
    parts.counts |= {
        "extracts": [s.path.name for s in serving],
        "variables not in the extract": sorted(absent),
        "records": sum(k.records for k in keys),
        "citation": sorted({s.codebook.citation for s in serving}),
        "conditions": sorted({s.codebook.conditions for s in serving}),
    }


def _serving(
    files: Sequence[RawFile], sample: Sample, unit: Unit, uses: Uses
) -> tuple[list[_Serving], dict[str, list[str]]]:
    """The extracts that have what the table needs, and for each other one what it lacks.

    An extract that this program ordered is of the whole sample: the newest that serves is taken alone. Extracts that
    people handed in may be parts of it: all that serve are taken.
    """
    found: list[_Serving] = []
    lacking: dict[str, list[str]] = {}
    need = needed(unit, sample, uses)
    numbers = {file.path.name: order_number(file.url) for file in files}
    for codebook, path in pair([file.path for file in files], source=KEY):
        harmoniser = Harmoniser(unit, sample, codebook, file=path.name, source=KEY, asked=frozenset(need))
        if unit == "households" and harmoniser.missing and "PERNUM" not in codebook.names():
            harmoniser = replace(harmoniser, vacant_only=True)
        if harmoniser.missing:
            lacking[path.name] = list(harmoniser.missing)
        else:
            found.append(_Serving(harmoniser, codebook, path, numbers[path.name]))
    ordered = sorted((s for s in found if s.order is not None), key=lambda s: s.order or 0)
    if ordered:
        return ordered[-1:], lacking
    if all(s.harmoniser.vacant_only for s in found):
        if not lacking:
            raise InputError(
                f"no extract of {sample.ipums_vintage} holds occupied households.", source=KEY, file=files[0].path.name
            )
        file, names = min(lacking.items(), key=lambda item: (len(item[1]), item[0]))
        raise InputError(
            f"the extract lacks variables that the {unit} table needs: {_with_users(names, need)}.",
            source=KEY,
            file=file,
            column=names[0],
            remedy=(
                "Set IPUMS_API_KEY, and an extract that has them is ordered; or hand in one: "
                + SOURCE.vintage(sample.ipums_vintage).note
            ),
        )
    return found, lacking


def _with_users(names: Sequence[str], need: Mapping[str, tuple[str, ...]]) -> str:
    """Variables, with the predictors that need them where the run is of some predictors."""
    return ", ".join(f"{name} ({', '.join(need[name])})" if name in need else name for name in names)


def lacking_for(sample: Sample, retrieval: Retrieval) -> list[str]:
    """Variables that no extract at hand has although a predictor of the run needs them; empty if all is served.

    Raises `InputError` for codebooks and data that do not belong together.
    """
    files = retrieval.obtain(SOURCE, sample.ipums_vintage)
    names: set[str] = set()
    for unit in UNITS:
        need = needed(unit, sample, retrieval.uses)
        if not need:
            continue
        books = [codebook for codebook, _ in pair([file.path for file in files], source=KEY)]
        short = [Harmoniser(unit, sample, b, b.file, KEY, asked=frozenset(need)).missing for b in books]
        if all(short):
            nearest = min(short, key=len)
            names |= set(nearest)
    return sorted(names)


def _see_to_cases(parts: Parts, sample: Sample, unit: Unit, uses: Uses) -> None:
    """Refuse an extract that is a selection of other persons than a predictor of the run counts."""
    for predictor, use in uses_of(unit, sample, uses).items():
        for column, codes in use.cases.items():
            here = parts.scan().filter(pl.col(column).is_in(sorted(codes))).head(1).collect(engine="streaming")
            if here.is_empty():
                raise InputError(
                    f"no record has {column.upper()} {_range(codes)}, which {predictor} counts: the extract is a "
                    "selection of other persons.",
                    source=KEY,
                    file=", ".join(str(name) for name in parts.counts["extracts"]),  # type: ignore[attr-defined]
                    column=column.upper(),
                    remedy="Hand in an extract without case selection.",
                )


def _range(codes: Iterable[int]) -> str:
    ordered = sorted(codes)
    whole = ordered == list(range(ordered[0], ordered[-1] + 1))
    return f"{ordered[0]} to {ordered[-1]}" if whole and len(ordered) > 1 else ", ".join(map(str, ordered))


@dataclass
class _Keys:
    """What is seen of an extract's keys, block after block."""

    file: str
    grows: bool = True
    records: int = 0
    serials: int = 0
    first_persons: int = 0
    last_key: int = -1
    last_serial: int = -1

    def see(self, frame: pl.DataFrame) -> None:
        """Refuse a key that stands there twice in a row; remember whether keys grow.

        `frame` has SERIAL, and PERNUM if the records are persons.
        """
        if not frame.height:
            return
        serial = frame["SERIAL"].cast(pl.Int64)
        key = serial * 10_000
        if "PERNUM" in frame.columns:
            key = key + frame["PERNUM"].cast(pl.Int64)
            self.first_persons += int((frame["PERNUM"] == 1).sum())
        steps = key - key.shift(1, fill_value=self.last_key)
        if (steps == 0).any():
            row = frame.row(int((steps == 0).arg_true()[0]), named=True)
            names = [name for name in ("SERIAL", "PERNUM") if name in row]
            raise InputError(
                f"duplicate key ({', '.join(f'{name}={row[name]}' for name in names)}).",
                source=KEY,
                file=self.file,
                row=row[fixed_width.ROW],
                column=", ".join(names),
            )
        self.grows &= bool((steps > 0).all())
        self.serials += int((serial != serial.shift(1, fill_value=self.last_serial)).sum())
        self.records += frame.height
        self.last_key = int(key[-1])
        self.last_serial = int(serial[-1])


def _convert_pair(harmoniser: Harmoniser, codebook: Codebook, path: Path, unit: Unit, parts: Parts) -> _Keys:
    keys = _Keys(path.name)
    for records in read_pair(codebook, path, frozenset(VARIABLES[unit])):
        if not codebook.hierarchical:
            frame = records[PERSON].frame
            keys.see(frame)
            if unit == "households":
                frame = frame.filter(pl.col("PERNUM") == 1)
        elif unit == "persons":
            frame = _with_household(records, path)
            keys.see(frame)
        else:
            frame = _with_householder(records)
            keys.see(records[HOUSEHOLD].frame)
        parts.write(harmoniser.table(frame))
    if unit == "households" and not codebook.hierarchical and keys.first_persons != keys.serials:
        raise InputError(
            f"{keys.serials:,} households, but {keys.first_persons:,} first persons (PERNUM 1).",
            source=KEY,
            file=path.name,
            column="PERNUM",
            remedy="Households cannot be made from a selection of persons; order the extract without case selection.",
        )
    return keys


def _with_household(records: dict[str, fixed_width.Records], path: Path) -> pl.DataFrame:
    """Persons of a hierarchical block with the variables of their household."""
    persons, households = records[PERSON], records[HOUSEHOLD].frame
    theirs = households.select(pl.exclude(fixed_width.ROW))[pl.Series(persons.owner)]
    other = (persons.frame["SERIAL"] != theirs["SERIAL"]).arg_true()
    if other.len():
        row = persons.frame.row(int(other[0]), named=True)
        raise InputError(
            f"a person of household {row['SERIAL']} stands below another household.",
            source=KEY,
            file=path.name,
            row=row[fixed_width.ROW],
            column="SERIAL",
        )
    return persons.frame.with_columns(theirs.select(pl.exclude(persons.frame.columns)))


def _with_householder(records: dict[str, fixed_width.Records]) -> pl.DataFrame:
    """Households of a hierarchical block with PERNUM and the householder's variables; null where nobody lives."""
    households = records[HOUSEHOLD].frame
    persons = records.get(PERSON)
    if persons is None or "PERNUM" not in persons.frame.columns:
        return households
    own = [c for c in ("PERNUM", *HOUSEHOLDER) if c in persons.frame.columns]
    first = (
        persons.frame.select(own)
        .with_columns(pl.Series("_owner", persons.owner, dtype=pl.UInt32))
        .filter(pl.col("PERNUM") == 1)
    )
    return (
        households.with_row_index("_owner")
        .join(first, on="_owner", how="left", validate="1:1", maintain_order="left")
        .drop("_owner")
    )


def _refuse_duplicates(parts: Parts, unit: Unit, files: list[str]) -> None:
    """Search the whole table for keys that stand there twice (needed only if the records are not in order)."""
    key = ["serial", "pernum"] if unit == "persons" else ["serial"]
    doubled = parts.scan().group_by(key).len().filter(pl.col("len") > 1).sort(key).head(1).collect(engine="streaming")
    if doubled.height:
        row = doubled.row(0, named=True)
        text = ", ".join(f"{k.upper()}={row[k]}" for k in key)
        raise InputError(
            f"duplicate key ({text}): the record stands there {row['len']} times.",
            source=KEY,
            file=", ".join(files),
            column=", ".join(k.upper() for k in key),
        )
