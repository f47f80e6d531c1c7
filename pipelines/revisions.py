"""Comparing two releases of a data root, by name or by folder."""

import tempfile
from pathlib import Path

from upath import UPath

from outputs.deliver import MANIFEST
from outputs.revisions import DiffError, Release, Summary, write_revisions
from pipelines.settings import Settings


def find_release(settings: Settings, name: str) -> UPath:
    """The folder of a release: among the published ones, the candidates, or `name` itself if it is a folder."""
    places = [settings.data_root / "published" / name, settings.data_root / "candidates" / name, UPath(name)]
    for place in places:
        if (place / MANIFEST).exists():
            return place
    published = settings.data_root / "published"
    known = sorted(p.name for p in published.iterdir() if (p / MANIFEST).exists()) if published.exists() else []
    there = f"there are: {', '.join(known)}" if known else "nothing was published yet"
    raise DiffError(f"no release {name!r} in {settings.data_root}, nor a folder of one; {there}.")


def diff_releases(settings: Settings, old: str, new: str, out: str | None = None) -> Summary:
    """Compare two releases; `out` names a file (.parquet or .csv.gz) that takes every changed figure."""
    if out is not None and not out.endswith((".parquet", ".csv.gz")):
        raise DiffError(f"{out!r}: the name must end in .parquet or .csv.gz.")
    with tempfile.TemporaryDirectory() as scratch:
        before, after = (Release.at(find_release(settings, name), Path(scratch)) for name in (old, new))
        target = Path(out) if out is not None else None
        as_parquet = target is not None and target.suffix == ".parquet"
        return write_revisions(
            before, after, parquet=target if as_parquet else None, csv_gz=None if as_parquet else target
        )
