"""IPUMS codebooks (DDI): where each variable stands in the data file, and which data file belongs to which codebook."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from schemas.errors import InputError

HOUSEHOLD: Final = "H"
PERSON: Final = "P"
DATA_SUFFIXES: Final = (".dat.gz", ".dat", ".csv.gz", ".csv")


@dataclass(frozen=True)
class Field:
    """One variable: characters `start` to `end` (0-based, end excluded) of the records it stands on.

    `decimals` are implied. `records` are the record types of a hierarchical file; empty means every record.
    """

    name: str
    start: int
    end: int
    decimals: int
    is_text: bool
    records: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of characters."""
        return self.end - self.start

    def on(self, record: str) -> bool:
        """Whether the variable stands on records of that type."""
        return not self.records or record in self.records


@dataclass(frozen=True)
class Codebook:
    """What a DDI says: the layout of its data file, and the terms the data come under."""

    file: str
    data: str
    hierarchical: bool
    fields: tuple[Field, ...]
    cases: int | None
    samples: tuple[str, ...]
    citation: str
    conditions: str

    @property
    def stem(self) -> str:
        """Name of the extract, for example `usa_00014`."""
        return _stem(self.data)

    def record_types(self) -> tuple[str, ...]:
        """`("H", "P")` or less for a hierarchical file; `("P",)` for a rectangular one."""
        if not self.hierarchical:
            return (PERSON,)
        return tuple(t for t in (HOUSEHOLD, PERSON) if any(t in f.records for f in self.fields))

    def fields_on(self, record: str) -> tuple[Field, ...]:
        """Variables of one record type, in order of position."""
        return tuple(sorted((f for f in self.fields if f.on(record)), key=lambda f: f.start))

    def names(self) -> frozenset[str]:
        """Names of all variables, in capitals."""
        return frozenset(f.name for f in self.fields)


def _stem(name: str) -> str:
    for suffix in (".gz", ".xml", ".dat", ".csv"):
        name = name.removesuffix(suffix)
    return name


def read_codebook(path: Path, *, source: str) -> Codebook:
    """Read a DDI (`.xml` or `.xml.gz`). Raises `InputError` if it is not an IPUMS codebook."""
    from ipumspy import readers  # brings pandas with it

    try:
        with warnings.catch_warnings():
            # The terms are not dropped: they are kept in the codebook and noted with the table.
            warnings.simplefilter("ignore")
            ddi = readers.read_ipums_ddi(path)
        cases = _stated_cases(path)
    except (ElementTree.ParseError, EOFError, OSError, AttributeError, KeyError, ValueError, RuntimeError) as e:
        raise InputError(
            f"this is not a readable IPUMS codebook (DDI): {type(e).__name__} {e}.", source=source, file=path.name
        ) from e
    if not ddi.data_description:
        raise InputError("the codebook describes no variables.", source=source, file=path.name)
    hierarchical = ddi.file_description.structure == "hierarchical"
    fields = tuple(
        Field(
            name=v.name.upper(),
            start=v.start,
            end=v.end,
            decimals=v.shift or 0,
            is_text=v.vartype not in ("integer", "numeric", "float"),
            records=tuple(v.rectype.split()) if hierarchical else (),
        )
        for v in ddi.data_description
    )
    return Codebook(
        file=path.name,
        data=ddi.file_description.filename,
        hierarchical=hierarchical,
        fields=fields,
        cases=cases,
        samples=tuple(ddi.samples_description),
        citation=" ".join((ddi.ipums_citation or "").split()),
        conditions=" ".join((ddi.ipums_conditions or "").split()),
    )


def _stated_cases(path: Path) -> int | None:
    """The number of records the codebook states (`caseQnty`), if it does."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        root = ElementTree.parse(stream).getroot()
    found = [e.text for e in root.iter() if e.tag.rpartition("}")[2] == "caseQnty" and e.text]
    return int(found[0].replace(",", "")) if len(found) == 1 else None


def pair(paths: Sequence[Path], *, source: str) -> list[tuple[Codebook, Path]]:
    """The codebooks among `paths`, each with its data file, in order of name.

    An extract's two files share their name up to the suffix. Raises `InputError`, naming the file, for a codebook
    without data, data without a codebook, and two data files of one extract.
    """
    pairs: list[tuple[Codebook, Path]] = []
    data = [p for p in paths if p.name.endswith(DATA_SUFFIXES)]
    used: set[Path] = set()
    for path in sorted(p for p in paths if p.name.endswith((".xml", ".xml.gz"))):
        codebook = read_codebook(path, source=source)
        names = {codebook.stem, _stem(path.name)}
        found = [p for p in data if _stem(p.name) in names]
        if len(found) != 1:
            problem = (
                f"its data file ({codebook.stem}.dat.gz or .csv.gz) is not there."
                if not found
                else f"more than one data file belongs to it: {', '.join(p.name for p in found)}."
            )
            raise InputError(problem, source=source, file=path.name)
        used |= set(found)
        pairs.append((codebook, found[0]))
    for path in data:
        if path not in used:
            raise InputError("its codebook (.xml) is not there.", source=source, file=path.name)
    return pairs
