"""IPUMS USA extracts of ACS microdata: any number of codebook and data pairs per sample, read into table parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from schemas.errors import InputError
from sources.acs import fixed_width, ipums_csv
from sources.acs.ddi import HOUSEHOLD, PERSON, Codebook, pair
from sources.acs.ipums_order import variables
from sources.acs.ipums_tables import HOUSEHOLDER, VARIABLES, Harmoniser
from sources.acs.parts import READER, Built, Parts, once
from sources.acs.sample import SAMPLES, Sample, Unit
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
    recipe="Register at IPUMS USA and create an extract there.",
    usual_release="1-year samples in autumn, 5-year samples early in the year, some weeks after the Census Bureau",
)


def build(sample: Sample, unit: Unit, retrieval: Retrieval) -> Built:
    """The `unit` table of the sample's extracts, with the scope's states.

    Each extract is read once, whole, into the scratch folder; what was made before from the same files is used again.
    Raises `OwedError` if there is no extract, and `InputError` for a file that is wrong, for extracts that do not have
    what the table needs, for records that stand there twice, and for states of the scope that are missing.
    """
    files = retrieval.obtain(SOURCE, sample.ipums_vintage)
    folder = retrieval.scratch / "acs" / f"ipums-{sample.ipums_vintage}-{unit}-{READER}-{fingerprint(files)}"
    parts = once(folder, lambda parts: _convert(files, sample, unit, parts))
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
    counts = {**parts.counts, "states left out": sorted(found - set(wanted))}
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


def _convert(files: Sequence[RawFile], sample: Sample, unit: Unit, parts: Parts) -> None:
    pairs = pair([file.path for file in files], source=KEY)
    serving, lacking = _serving(pairs, sample, unit)
    keys = [_convert_pair(harmoniser, codebook, path, unit, parts) for harmoniser, codebook, path in serving]
    parts.flush()
    if not all(k.grows for k in keys) or len(keys) > 1:
        _refuse_duplicates(parts, unit, [path.name for _, _, path in serving])
    parts.counts |= {
        "extracts": [path.name for _, _, path in serving],
        "extracts not used for this table": lacking,
        "variables not in the extract": sorted({v for h, _, _ in serving if not h.vacant_only for v in h.absent}),
        "records": sum(k.records for k in keys),
        "citation": sorted({codebook.citation for _, codebook, _ in serving}),
        "conditions": sorted({codebook.conditions for _, codebook, _ in serving}),
    }


def _serving(
    pairs: Sequence[tuple[Codebook, Path]], sample: Sample, unit: Unit
) -> tuple[list[tuple[Harmoniser, Codebook, Path]], dict[str, list[str]]]:
    """The extracts that have what the table needs, and for each other one what it lacks."""
    serving: list[tuple[Harmoniser, Codebook, Path]] = []
    lacking: dict[str, list[str]] = {}
    for codebook, path in pairs:
        harmoniser = Harmoniser(unit, sample, codebook, file=path.name, source=KEY)
        if unit == "households" and harmoniser.missing and "PERNUM" not in codebook.names():
            harmoniser = Harmoniser(unit, sample, codebook, file=path.name, source=KEY, vacant_only=True)
        if harmoniser.missing:
            lacking[path.name] = list(harmoniser.missing)
        else:
            serving.append((harmoniser, codebook, path))
    if all(h.vacant_only for h, _, _ in serving):
        if not lacking:
            raise InputError(
                f"no extract of {sample.ipums_vintage} holds occupied households.", source=KEY, file=pairs[0][1].name
            )
        file, names = next(iter(lacking.items()))
        raise InputError(
            f"the extract lacks variables that the {unit} table needs: {', '.join(names)}.",
            source=KEY,
            file=file,
            column=names[0],
            remedy=SOURCE.vintage(sample.ipums_vintage).note,
        )
    return serving, lacking


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
