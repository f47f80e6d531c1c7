"""Files for the ACS tests: IPUMS extracts (codebook and data, fixed width or CSV) and Census zips, from frames."""

import gzip
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from schemas.errors import OwedError
from schemas.microdata import RecordUse
from sources.framework.declare import Source
from sources.framework.retrieve import RawFile, Scope
from sources.framework.states import within

REPWTP = [f"REPWTP{i}" for i in range(1, 81)]
REPWT = [f"REPWT{i}" for i in range(1, 81)]


@dataclass(frozen=True)
class Var:
    """A variable of an extract: width, implied decimals, and the record types it stands on (hierarchical files)."""

    name: str
    width: int
    decimals: int = 0
    records: str = ""


H_VARS = [
    *(Var("YEAR", 4, 0, "H P"), Var("SAMPLE", 6, 0, "H P"), Var("SERIAL", 8, 0, "H P")),
    *(Var("HHWT", 10, 2, "H"), Var("ADJUST", 7, 6, "H"), Var("STATEFIP", 2, 0, "H"), Var("COUNTYFIP", 3, 0, "H")),
    *(Var("PUMA", 5, 0, "H"), Var("GQ", 1, 0, "H"), Var("OWNERSHP", 1, 0, "H"), Var("OWNCOST", 5, 0, "H")),
    *(Var("RENT", 4, 0, "H"), Var("RENTGRS", 4, 0, "H"), Var("HHINCOME", 7, 0, "H"), Var("VALUEH", 7, 0, "H")),
    *(Var("VACANCY", 1, 0, "H"), Var("BEDROOMS", 2, 0, "H"), Var("CINETHH", 1, 0, "H"), Var("CILAPTOP", 1, 0, "H")),
    *(Var("CITABLET", 1, 0, "H"), Var("CIHISPEED", 2, 0, "H")),
]
P_VARS = [
    *(Var("PERNUM", 4, 0, "P"), Var("PERWT", 10, 2, "P"), Var("SEX", 1, 0, "P"), Var("AGE", 3, 0, "P")),
    *(Var("RACE", 1, 0, "P"), Var("HISPAN", 1, 0, "P"), Var("EDUCD", 3, 0, "P"), Var("GRADEATT", 1, 0, "P")),
    *(Var("EMPSTAT", 1, 0, "P"), Var("DIFFREM", 1, 0, "P"), Var("DIFFPHYS", 1, 0, "P"), Var("DIFFMOB", 1, 0, "P")),
    *(Var("DIFFCARE", 1, 0, "P"), Var("DIFFSENS", 1, 0, "P")),
]
PERSON_EXTRACT = [*H_VARS, *P_VARS, *(Var(name, 6, 0, "P") for name in REPWTP)]
FULL_EXTRACT = [*H_VARS, *(Var(n, 6, 0, "H") for n in REPWT), *P_VARS, *(Var(n, 6, 0, "P") for n in REPWTP)]


def variable_xml(var: Var, start: int, *, hierarchical: bool = False, kind: str = "numeric") -> str:
    records = f' rectype="{var.records}"' if hierarchical else ""
    name = f'ID="{var.name}" name="{var.name}" dcml="{var.decimals}"'
    return (
        f'    <var {name} files="ExtractData" intrvl="contin"{records}>\n'
        f'      <location EndPos="{start + var.width - 1}" StartPos="{start}" width="{var.width}"/>\n'
        f"      <labl>{var.name}</labl>\n      <txt>{var.name}</txt>\n      <concept>Technical</concept>\n"
        f'      <varFormat schema="other" type="{kind}"/>\n    </var>\n'
    )


def starts(variables: list[Var], *, hierarchical: bool) -> dict[str, int]:
    """First character (1-based) of each variable; household and person variables lie over each other."""
    if not hierarchical:
        ends = np.cumsum([v.width for v in variables])
        return {v.name: int(e) - v.width + 1 for v, e in zip(variables, ends, strict=True)}
    at = {"H": 2, "P": 2}
    found = {}
    for var in variables:
        kinds = var.records.split()
        found[var.name] = max(at[k] for k in kinds)
        for kind in kinds:
            at[kind] = found[var.name] + var.width
    return found


def codebook(stem: str, variables: list[Var], *, hierarchical: bool = False, cases: int | None = None) -> str:
    at = starts(variables, hierarchical=hierarchical)
    body = "".join(variable_xml(v, at[v.name], hierarchical=hierarchical) for v in variables)
    structure = '<fileStrc type="rectangular"/>'
    if hierarchical:
        body = variable_xml(Var("RECTYPE", 1, 0, "H P"), 1, hierarchical=True, kind="character") + body
        structure = (
            '<fileStrc type="hierarchical"><recGrp keyvar="SERIAL" recidvar="RECTYPE" rectype="P"/>'
            '<recGrp recidvar="RECTYPE" rectype="H"/></fileStrc>'
        )
    stated = f"<dimensns><caseQnty>{cases}</caseQnty></dimensns>" if cases is not None else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<codeBook ID="x" version="2.5" xmlns="ddi:codebook:2_5">
  <stdyDscr>
    <citation><serStmt><serName abbr="usa">IPUMS USA</serName><serInfo>DOI</serInfo></serStmt></citation>
    <stdyInfo><notes>Additional notes on a sample that is part of this study:  2018 ACS</notes></stdyInfo>
    <dataAccs><useStmt><citReq>Cite IPUMS.</citReq><conditions>Use it for good.</conditions></useStmt></dataAccs>
  </stdyDscr>
  <fileDscr ID="ExtractData"><fileTxt><fileName>{stem}.dat</fileName><fileCont>Microdata records</fileCont>
    {structure}<fileType charset="ISO-8859-1">ISO-8859-1 data file</fileType><format>fixed length fields</format>
    <filePlac>IPUMS</filePlac>{stated}</fileTxt></fileDscr>
  <dataDscr>
{body}  </dataDscr>
</codeBook>
"""


def lines(frame: pl.DataFrame, variables: list[Var], prefix: str = "") -> list[str]:
    """Fixed-width lines of a frame of unscaled whole numbers (implied decimals included); null is blank."""
    fields = [
        pl.col(v.name).cast(pl.String).str.zfill(v.width).fill_null(" " * v.width)
        if v.name in frame.columns
        else pl.lit("0" * v.width)
        for v in variables
    ]
    return frame.select(pl.concat_str([pl.lit(prefix), *fields]))[:, 0].to_list()


def packed(rows: list[str]) -> bytes:
    return gzip.compress(("\n".join(rows) + "\n").encode(), compresslevel=1)


def rectangular(folder: Path, stem: str, frame: pl.DataFrame, variables: list[Var], **kwargs) -> None:
    """A rectangular fixed-width extract of persons."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.xml").write_text(codebook(stem, variables, **kwargs))
    (folder / f"{stem}.dat.gz").write_bytes(packed(lines(frame, variables)))


def rectangular_csv(folder: Path, stem: str, frame: pl.DataFrame, variables: list[Var]) -> None:
    """The same extract as CSV: decimals written out, no leading zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.xml").write_text(codebook(stem, variables))
    (folder / f"{stem}.csv.gz").write_bytes(gzip.compress(csv_text(frame, variables), compresslevel=1))


def csv_text(frame: pl.DataFrame, variables: list[Var]) -> bytes:
    columns = [
        pl.lit(0).alias(v.name)
        if v.name not in frame.columns
        else (pl.col(v.name) / 10**v.decimals if v.decimals else pl.col(v.name))
        for v in variables
    ]
    return frame.select(columns).write_csv(quote_style="non_numeric").encode()


def hierarchical(
    folder: Path, stem: str, persons: pl.DataFrame, households: pl.DataFrame, variables: list[Var], **kwargs
) -> None:
    """A hierarchical fixed-width extract: each household before its persons."""
    folder.mkdir(parents=True, exist_ok=True)
    h_vars = [v for v in variables if "H" in v.records]
    p_vars = [v for v in variables if "P" in v.records]
    both = pl.concat(
        [
            households.select("SERIAL", pl.lit(0).alias("n"), pl.Series("line", lines(households, h_vars, "H"))),
            persons.select(
                "SERIAL", pl.col("PERNUM").cast(pl.Int32).alias("n"), pl.Series("line", lines(persons, p_vars, "P"))
            ),
        ],
        how="vertical_relaxed",
    ).sort("SERIAL", "n", maintain_order=True)
    (folder / f"{stem}.xml").write_text(codebook(stem, variables, hierarchical=True, **kwargs))
    (folder / f"{stem}.dat.gz").write_bytes(packed(both["line"].to_list()))


def replicates(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """80 replicate weights: 0.29, 1 or 1.71 times the weight; a few are negative, as in the real files."""
    made = weight * rng.choice(np.array([29, 100, 100, 171]), (80, len(weight))) // 100
    return np.where(rng.random(made.shape) < 0.002, -made, made)


def people(count: int, *, year: int = 2018, span: int = 1, states: tuple[int, ...] = (10, 44), seed: int = 3):
    """Persons and households (with vacant units) of an invented sample, as IPUMS numbers with implied decimals."""
    rng = np.random.default_rng(seed)
    size = rng.integers(0, 5, count)
    serial = np.arange(1, count + 1)
    n = len(serial)
    survey = np.full(n, year) if span == 1 else rng.integers(year - 4, year + 1, n)
    vacant = size == 0
    weight = rng.integers(1, 300, n) if span == 1 else rng.integers(1, 60, n)
    owner = rng.integers(1, 3, n)

    def occupied(values, otherwise):
        return np.where(vacant, otherwise, values)

    households = pl.DataFrame(
        {
            "YEAR": np.full(n, year),
            "MULTYEAR": survey,
            "SAMPLE": np.full(n, year * 100 + (1 if span == 1 else 3)),
            "SERIAL": serial,
            "HHWT": weight * 100,
            "ADJUST": np.full(n, 1_013_097),
            "STATEFIP": np.sort(rng.choice(states, n)),
            "COUNTYFIP": rng.choice([0, 1, 33], n),
            "PUMA": rng.choice([100, 200, 12345], n),
            "GQ": occupied(rng.choice([1, 1, 1, 2, 5, 3, 4], n), 0),
            "OWNERSHP": occupied(owner, 0),
            "OWNCOST": np.where(vacant | (owner == 2), 99_999, rng.integers(100, 4000, n)),
            "RENT": np.where(vacant | (owner == 2), rng.integers(100, 3000, n), 0),
            "RENTGRS": np.where(~vacant & (owner == 2), rng.integers(100, 3500, n), 0),
            "HHINCOME": occupied(rng.integers(-5_000, 300_000, n), 9_999_999),
            "VALUEH": np.where(owner == 1, rng.integers(10_000, 900_000, n), 9_999_999),
            "VACANCY": np.where(vacant, rng.choice([1, 2, 3, 9], n), 0),
            "BEDROOMS": rng.integers(1, 6, n),
            "CINETHH": occupied(rng.integers(1, 4, n), 0),
            "CILAPTOP": occupied(rng.integers(1, 3, n), 0),
            "CITABLET": occupied(rng.integers(1, 3, n), 0),
            "CIHISPEED": occupied(rng.choice([0, 10, 20, 88], n), 0),
            **dict(zip(REPWT, replicates(weight, rng), strict=True)),
        }
    )
    index = np.repeat(np.arange(n), size)
    m = len(index)
    pernum = np.arange(m) - np.repeat(np.cumsum(size) - size, size) + 1
    perwt = weight[index] + rng.integers(0, 3, m)
    persons = households[index].with_columns(
        PERNUM=pl.Series(pernum),
        PERWT=pl.Series(perwt * 100),
        SEX=pl.Series(rng.integers(1, 3, m)),
        AGE=pl.Series(rng.integers(0, 96, m)),
        RACE=pl.Series(rng.integers(1, 10, m)),
        HISPAN=pl.Series(rng.integers(0, 5, m)),
        EDUCD=pl.Series(rng.choice([1, 2, 61, 63, 64, 65, 101], m)),
        GRADEATT=pl.Series(rng.integers(0, 8, m)),
        EMPSTAT=pl.Series(rng.integers(0, 4, m)),
        **{d: pl.Series(rng.integers(0, 3, m)) for d in ("DIFFREM", "DIFFPHYS", "DIFFMOB", "DIFFSENS", "DIFFCARE")},
        **{name: pl.Series(w) for name, w in zip(REPWTP, replicates(perwt, rng), strict=True)},
    )
    return persons, households


# Census Bureau form -----------------------------------------------------------------------------------------------

PWGTP = [f"PWGTP{i}" for i in range(1, 81)]
WGTP = [f"WGTP{i}" for i in range(1, 81)]
PERSON = {
    **{"RT": "P", "SERIALNO": "2018HU0000001", "SPORDER": "01", "PUMA": "00200", "ST": "10", "ADJINC": "1013097"},
    **{"PWGTP": "100", "AGEP": "30", "DDRS": "2", "DEAR": "2", "DEYE": "2", "DOUT": "2", "DPHY": "2", "DREM": "2"},
    **{"RELP": "00", "SCHG": "", "SCHL": "16", "SEX": "1", "ESR": "1", "HISP": "01", "RAC1P": "1"},
    **{name: str(90 + i) for i, name in enumerate(PWGTP)},
}
UNIT = {
    **{"RT": "H", "SERIALNO": "2018HU0000001", "PUMA": "00200", "ST": "10", "ADJHSG": "1000000", "ADJINC": "1013097"},
    **{"WGTP": "100", "NP": "2", "TYPE": "1", "ACCESS": "1", "BDSP": "3", "HISPEED": "1", "LAPTOP": "1", "RNTP": ""},
    **{"TABLET": "2", "TEN": "1", "VACS": "", "VALP": "250000", "GRNTP": "", "HINCP": "60000", "NPF": "2"},
    **{"SMOCP": "1200", **{name: str(90 + i) for i, name in enumerate(WGTP)}},
}


def persons_csv(*changes: dict[str, str]) -> pl.DataFrame:
    """A person file as text: one row for each set of changes to `PERSON`."""
    return pl.DataFrame([PERSON | change for change in changes])


def housing_csv(*changes: dict[str, str]) -> pl.DataFrame:
    """A housing file as text: one row for each set of changes to `UNIT`."""
    return pl.DataFrame([UNIT | change for change in changes])


def census_file(folder: Path, frame: pl.DataFrame | str | bytes, kind: str, *, state: str = "de") -> Path:
    """The zip of one state as the Census Bureau makes it: one CSV and a readme."""
    folder.mkdir(parents=True, exist_ok=True)
    text = frame.write_csv() if isinstance(frame, pl.DataFrame) else frame
    path = folder / f"csv_{kind}{state}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"psam_{kind}10.csv", text)
        archive.writestr("ACS2018_PUMS_README.pdf", b"%PDF")
    return path


def csv_of(zip_path: Path) -> pl.DataFrame:
    """The CSV of a Census zip, as text."""
    with zipfile.ZipFile(zip_path) as archive:
        member = next(n for n in archive.namelist() if n.endswith(".csv"))
        return pl.read_csv(io.BytesIO(archive.read(member)), infer_schema=False)


# Retrieval ----------------------------------------------------------------------------------------------------------


class FolderRetrieval:
    """Serves files of a folder laid out as the raw store, unchecked, so that the readers' own checks are seen."""

    def __init__(self, folder: Path, scratch: Path, states: tuple[str, ...] | None = None) -> None:
        self.folder = folder
        self.scratch = scratch
        self.scope = Scope(states)
        self.notes: dict[str, object] = {}
        self.used: list[RawFile] = []
        self.uses: dict[str, dict[str, RecordUse]] = {}
        self.uses_to_order = self.uses
        self.ipums_key: str | None = None
        self.offline = False

    def _found(self, source: Source, vintage: str, names: tuple[str, ...] | None) -> dict[str, list[Path]]:
        wanted: dict[str, list[Path]] = {}
        folder = self.folder / source.key / vintage
        for file in source.vintage(vintage).files:
            for state in within(self.scope.states) if file.per_state else (None,):
                patterns = [p.replace("{st}", state.postal.lower() if state else "") for p in (file.name, *file.accept)]
                if names is None or {file.name, patterns[0]} & set(names):
                    there = {p for pattern in patterns for end in ("", ".gz") for p in folder.glob(pattern + end)}
                    wanted[patterns[0]] = sorted(there)
        return wanted

    def has(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> bool:
        return all(self._found(source, vintage, names).values())

    def obtain(self, source: Source, vintage: str, names: tuple[str, ...] | None = None) -> list[RawFile]:
        found = self._found(source, vintage, names)
        if not all(found.values()):
            missing = tuple(name for name, paths in found.items() if not paths)
            raise OwedError(source=source.key, vintage=vintage, files=missing, recipe="")
        files = [self._raw(source.key, vintage, p) for paths in found.values() for p in paths]
        self.used += [f for f in files if f not in self.used]
        return files

    @staticmethod
    def _raw(source: str, vintage: str, path: Path) -> RawFile:
        url = path.with_name(f"{path.name}.url")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        address = url.read_text() if url.exists() else None
        return RawFile(source, vintage, path.name, path, digest, path.stat().st_size, "test", url=address)

    def add(self, source: Source, vintage: str, path: Path, *, file=None, how: str, url: str | None = None) -> None:
        target = self.folder / source.key / vintage
        target.mkdir(parents=True, exist_ok=True)
        (target / path.name).write_bytes(path.read_bytes())
        if url is not None:
            (target / f"{path.name}.url").write_text(url)
        self.notes["added"] = (*self.notes.get("added", ()), (path.name, how, url))
