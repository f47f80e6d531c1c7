"""How fast a national IPUMS extract is read: decompression alone against decompression, reading and writing Parquet.

    python benchmarks/acs_ipums.py [households]

Makes an invented extract of about 200,000 persons with 80 replicate weights (default: 100,000 households), in fixed
width (rectangular and hierarchical) and as CSV, and prints the best of five readings of each, in elapsed and in
processor seconds (the latter say what a machine with nothing else to do would need, spread over its cores).
"""

import gzip
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import acs_files

from sources import acs_pums_ipums
from sources.acs.ddi import pair
from sources.acs.ipums_tables import Harmoniser
from sources.acs.parts import Parts
from sources.acs.sample import Sample

SAMPLE = Sample(2018, 1)
REPETITIONS = 5


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """The least elapsed and processor seconds of some repetitions."""
    found = []
    for _ in range(REPETITIONS):
        begin, used = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - begin, time.process_time() - used))
    return min(f[0] for f in found), min(f[1] for f in found)


def decompress(path: Path) -> int:
    """The file's size, decompressed."""
    size = 0
    with gzip.open(path) as stream:
        while piece := stream.read(1 << 20):
            size += len(piece)
    return size


def read(folder: Path, unit: str) -> None:
    """From the extract to checked, harmonised Parquet."""
    (codebook, path) = pair(sorted(folder.iterdir()), source="benchmark")[0]
    harmoniser = Harmoniser(unit, SAMPLE, codebook, file=path.name, source="benchmark")
    with tempfile.TemporaryDirectory() as scratch:
        parts = Parts(Path(scratch))
        acs_pums_ipums._convert_pair(harmoniser, codebook, path, unit, parts)
        parts.flush()


def main() -> None:
    households = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    root = Path(tempfile.mkdtemp())
    try:
        persons, units = acs_files.people(households, states=(1, 6, 48))
        acs_files.rectangular(root / "fixed width", "usa_00001", persons, acs_files.PERSON_EXTRACT)
        acs_files.hierarchical(root / "hierarchical", "usa_00002", persons, units, acs_files.FULL_EXTRACT)
        acs_files.rectangular_csv(root / "CSV", "usa_00003", persons, acs_files.PERSON_EXTRACT)
        for form, unit in (
            ("fixed width", "persons"),
            ("hierarchical", "persons"),
            ("hierarchical", "households"),
            ("CSV", "persons"),
        ):
            data = next(f for f in (root / form).iterdir() if f.name.endswith("gz"))
            alone, alone_cpu = timed(lambda data=data: decompress(data))
            whole, whole_cpu = timed(lambda form=form, unit=unit: read(root / form, unit))
            print(
                f"{form}, {unit}: {decompress(data) / 1e6:,.0f} MB, {persons.height:,} persons; "
                f"decompression alone {alone:.2f} s ({alone_cpu:.2f} processor), "
                f"reading into Parquet {whole:.2f} s ({whole_cpu:.2f}): {alone / whole:.0%} of its speed"
            )
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
