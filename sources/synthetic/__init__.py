"""Deterministic SYNTHETIC raw files in the agencies' own formats, for the profile `sample`.

`generate(root)` fills a folder laid out as the raw store (`<source key>/<vintage>/<agency file name>`). The files look
like the agencies' (layouts of their year, their quirks included), so that everything downstream runs unchanged and
offline; no figure in them was observed.

How it is made
    `states`    which states, with sizes and the codes of their PUMAs and places
    `world`     every state is a line of people; all geographies are stretches of it, all crosswalks follow from them
    `people`    households and persons of an ACS sample
    `files`     writing zips and text without clock or file order
    all others  one writer module per source, named after the source key

How to add a source
    Add a module with `def write(root: Path, world: World) -> None` that writes `root/<source>/<vintage>/<file>` for the
    data years in `world.years`; it is found by scanning this package. Draw from `world.rng("<source>", ...)`, calculate
    in integers, fix the order of rows by sorting. Take lists of counties and places from `world.registry`, people from
    `world.people`, overlaps from `world.crosswalk`. A new geography (tracts, ZCTAs, towns, school districts) is one
    more entry in `world.LAYERS`: a function from a state's line to the stretches of its units; they must not overlap.
    Give each special case that a method treats (suppressed cells, missing areas, odd codes) at least one instance.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sources.framework.provenance import PROVENANCE
from sources.synthetic.files import NOTICE
from sources.synthetic.states import STATES
from sources.synthetic.world import DATA_YEARS, World

SEED: Final = 20250101
STAMP: Final = "synthetic.json"
README: Final = "README-SYNTHETIC.txt"
STATE_CODES: Final[tuple[str, ...]] = tuple(state.code for state in STATES)
"""The states of the synthetic world: the scope of a sample run."""


def writers() -> dict[str, Callable[[Path, World], None]]:
    """Source key -> its `write` function, found by scanning this package."""
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        function = getattr(importlib.import_module(f"{__name__}.{name}"), "write", None)
        if function is not None:
            found[name] = function
    return found


def version() -> str:
    """SHA-256 over the generator's own source files and the list of geographies it draws on."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    world = World(SEED)
    for level in ("county", "place"):
        for year in DATA_YEARS:
            digest.update(world.registry(level, year).write_csv().encode())
    return digest.hexdigest()


def _stamped(root: Path) -> dict[str, object]:
    """The stamp of an earlier run; empty if there is none or it is damaged."""
    try:
        stamp = json.loads((root / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _files(root: Path, stamp: dict[str, object]) -> dict[Path, int]:
    """The files of a stamp with their sizes in bytes."""
    listed = stamp.get("files")
    return {root / str(name): int(size) for name, size in listed.items()} if isinstance(listed, dict) else {}


def _holds_real_files(folder: Path) -> bool:
    """Whether the provenance of a vintage folder names a file that is not synthetic, or cannot be read."""
    try:
        files = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))["files"]
        return any(entry["how"] != "synthetic" for entry in files.values())
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError, AttributeError):
        return True


def _clear(root: Path) -> None:
    """Remove what an earlier run wrote, with the provenance of those files; refuse a folder with real files."""
    if not root.exists():
        return
    folders = [folder for source in writers() for folder in sorted((root / source).glob("*")) if folder.is_dir()]
    foreign = any(root.iterdir()) and not (root / README).is_file()
    if foreign or any(_holds_real_files(folder) for folder in folders):
        raise FileExistsError(f"{root} holds files that are not synthetic; synthetic files need a folder of their own")
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                path.unlink()
    (root / STAMP).unlink(missing_ok=True)


def generate(root: Path, *, seed: int = SEED, years: tuple[int, ...] | None = None) -> list[Path]:
    """Write all synthetic raw files below `root` and return their paths, sorted.

    `years` limits the data years (default: all, 2014-2023). Nothing is done if `root` already holds the files of this
    generator, seed and years. What an earlier run wrote is replaced, with its provenance. Raises `FileExistsError` if
    `root` holds files that are not synthetic.
    """
    chosen = DATA_YEARS if years is None else tuple(sorted(set(years)))
    if not set(chosen) <= set(DATA_YEARS):
        raise ValueError(f"the synthetic world has the years {DATA_YEARS}, not {sorted(set(chosen) - set(DATA_YEARS))}")
    wanted: dict[str, object] = {"synthetic": True, "generator": version(), "seed": seed, "years": list(chosen)}
    stamp = _stamped(root)
    files = _files(root, stamp)
    same = all(stamp.get(key) == value for key, value in wanted.items())
    if same and files and all(p.is_file() and p.stat().st_size == size for p, size in files.items()):
        return sorted(files)

    _clear(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / README).write_text(NOTICE, encoding="utf-8")
    world = World(seed, chosen)
    world.prepare()
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(write, root, world) for write in writers().values()]:
            job.result()
    written = sorted(p for source in writers() for p in (root / source).rglob("*") if p.is_file())
    sizes = {path.relative_to(root).as_posix(): path.stat().st_size for path in written}
    (root / STAMP).write_text(json.dumps({**wanted, "notice": NOTICE.strip(), "files": sizes}, indent=1) + "\n")
    return written
