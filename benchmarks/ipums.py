"""Reading a national IPUMS extract into Parquet, as fixed width and as CSV, against decompressing it alone.

    python benchmarks/ipums.py [--runs 3] [--folder DIR] [--scale 1.0]

SYNTHETIC: the persons of the national 1-year sample (`benchmarks.nation`), written as the extract that serves the
project's predictors: 3.3 million records with 80 replicate weights, gzipped, in both forms. The project reads, checks,
recodes and writes Parquet; what it read is compared with the records that the extract was made from. Alternatives,
which check nothing: polars reading the CSV at once, and ipumspy reading the first persons of the fixed-width file.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from benchmarks import microdata, ways

if TYPE_CHECKING:
    import polars as pl

STEM: Final = "usa_00001"
FORMS: Final = {"fixed width": f"{STEM}.dat.gz", "CSV": f"{STEM}.csv.gz"}
SLICE: Final = 50_000
"""Records in memory while the files are written."""
FEW: Final = 20_000
"""Persons that ipumspy reads; all of them would take many minutes."""


def _variables() -> list[object]:
    """The variables of the extract: what the project's table of persons has, with widths as IPUMS gives them."""
    import acs_files

    left_out = {"COUNTYFIP", "OWNERSHP", "OWNCOST", "RENT", "RENTGRS", "VALUEH", "VACANCY", "BEDROOMS"}
    left_out |= {"CINETHH", "CILAPTOP", "CITABLET", "CIHISPEED"}
    return [v for v in acs_files.PERSON_EXTRACT if v.name not in left_out]


def _numbers(persons: pl.DataFrame, before: int) -> pl.DataFrame:
    """Records of the table as the unscaled numbers of the extract; `before` households came earlier."""
    import polars as pl

    from sources.acs.sample import Sample

    made = {
        "SAMPLE": pl.lit(Sample(microdata.YEAR, 1).ipums_code),
        # A household begins with its first person.
        "SERIAL": before + (pl.col("pernum") == 1).cast(pl.Int64).cum_sum(),
        "HHWT": pl.col("perwt").cast(pl.Int64) * 100,
        "ADJUST": pl.lit(1_010_000),
        "STATEFIP": pl.col("state").cast(pl.Int64),
        "PUMA": pl.col("puma").cast(pl.Int64),
        "PERWT": pl.col("perwt").cast(pl.Int64) * 100,
        "HHINCOME": pl.col("hhincome").fill_null(9_999_999),
    }
    names = [v.name for v in _variables()]  # type: ignore[attr-defined]
    return persons.select(made.get(n, pl.col(n.lower())).alias(n) for n in names)


def write(folder: Path, scale: float) -> str:
    """Both forms of the extract and their codebook, a slice of records at a time."""
    import acs_files
    import polars as pl

    microdata.write_tables(folder, scale, (1,))
    persons = microdata.table(folder, "acs1_persons")
    total = persons.select(pl.len()).collect().item()
    variables = _variables()
    for form in FORMS:
        (folder / form).mkdir(exist_ok=True)
        (folder / form / f"{STEM}.xml").write_text(acs_files.codebook(STEM, variables))
    households = 0
    paths = [folder / form / name for form, name in FORMS.items()]
    with gzip.open(paths[0], "wb", compresslevel=1) as fixed, gzip.open(paths[1], "wb", compresslevel=1) as text:
        for start in range(0, total, SLICE):
            frame = _numbers(persons.slice(start, SLICE).collect(), households)
            households = int(frame["SERIAL"][-1])
            fixed.write(("\n".join(acs_files.lines(frame, variables)) + "\n").encode())
            rows = acs_files.csv_text(frame, variables)
            text.write(rows if start == 0 else rows.partition(b"\n")[2])
    sizes = ", ".join(f"{_decompressed(folder / f / n) / 1e9:.2f} GB as {f}" for f, n in FORMS.items())
    return f"{total:,} persons with {len(variables)} variables, decompressed {sizes}; SYNTHETIC data"


def _decompressed(path: Path) -> int:
    """The size of a gzipped file, decompressed."""
    size = 0
    with gzip.open(path) as stream:
        while piece := stream.read(1 << 20):
            size += len(piece)
    return size


def _sums(persons: pl.LazyFrame) -> pl.DataFrame:
    """Figures to compare: weight and its last replicate by area, sex and employment."""
    import polars as pl

    sums = (
        persons.group_by("state", "puma", "sex", "empstat")
        .agg(pl.col("perwt", "repwtp80").cast(pl.Int64).sum())
        .unpivot(index=["state", "puma", "sex", "empstat"], variable_name="weight")
        .with_columns(pl.col("value").cast(pl.Float64))
    )
    return sums.collect(engine="streaming")


def made_from(folder: Path) -> pl.DataFrame:
    """The sums of the records that the extract was made from."""
    return _sums(microdata.table(folder, "acs1_persons"))


def decompress(form: str) -> Callable[[Path], None]:
    """Decompressing the file of a form and nothing else."""

    def run(folder: Path) -> None:
        _decompressed(folder / form / FORMS[form])

    return run


def read(form: str) -> Callable[[Path], pl.DataFrame]:
    """From the extract to checked, harmonised Parquet."""

    def run(folder: Path) -> pl.DataFrame:
        import tempfile

        from pipelines.microdata import microdata_uses
        from sources import acs_pums_ipums
        from sources.acs.asked import needed
        from sources.acs.ddi import pair
        from sources.acs.ipums_tables import Harmoniser
        from sources.acs.parts import Parts
        from sources.acs.sample import Sample

        sample = Sample(microdata.YEAR, 1)
        (codebook, path) = pair(sorted((folder / form).iterdir()), source="benchmark")[0]
        asked = frozenset(needed("persons", sample, microdata_uses(None, microdata.YEAR)))
        harmoniser = Harmoniser("persons", sample, codebook, file=path.name, source="benchmark", asked=asked)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            parts = Parts(Path(scratch))
            acs_pums_ipums._convert_pair(harmoniser, codebook, path, "persons", parts)
            parts.flush()
            return _sums(parts.scan())

    return run


def read_with_polars(folder: Path) -> None:
    """The CSV at once, without checks, and written as Parquet."""
    import polars as pl

    frame = pl.read_csv(folder / "CSV" / FORMS["CSV"])
    frame.write_parquet(folder / "polars.parquet", compression="lz4", statistics=False)
    (folder / "polars.parquet").unlink()


def read_with_ipumspy(folder: Path) -> None:
    """The first persons of the fixed-width file."""
    from ipumspy import readers

    book = readers.read_ipums_ddi(folder / "fixed width" / f"{STEM}.xml")
    chunks = readers.read_microdata_chunked(book, folder / "fixed width" / FORMS["fixed width"], chunksize=FEW)
    next(iter(chunks))


def summary(folder: Path, medians: ways.Medians) -> list[str]:
    """The speed of reading as a part of that of decompressing."""
    lines = []
    for form in FORMS:
        alone, whole = medians.get(f"{form}: decompression alone"), medians.get(f"{form}: this project")
        if alone and whole:
            lines.append(f"{form}: read into Parquet at {alone[0] / whole[0]:.0%} of the speed of decompression alone")
    return lines


SOURCE: Final = "the records the extract was made from"
WAYS: Final = [ways.Way(SOURCE, made_from, SOURCE)]
for _form in FORMS:
    _floor = f"{_form}: decompression alone"
    WAYS.append(ways.Way(_floor, decompress(_form)))
    WAYS.append(ways.Way(f"{_form}: this project", read(_form), SOURCE, _floor))
WAYS.append(ways.Way("CSV: polars at once", read_with_polars, None, "CSV: decompression alone"))
WAYS.append(ways.Way(f"fixed width: ipumspy, {FEW:,} persons alone", read_with_ipumspy))

if __name__ == "__main__":
    ways.main(Path(__file__).resolve(), __doc__ or "", write, WAYS, summary)
