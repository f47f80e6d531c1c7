"""`mobility doctor`: is everything in place?"""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.settings import PROJECT, Settings


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: Literal["ok", "note", "wrong"]
    what: str
    text: str


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.write_text("")
        probe.unlink()
    except OSError:
        return False
    return True


def examine(settings: Settings) -> list[Finding]:
    """All findings; nothing is changed and no key is shown."""
    found: list[Finding] = []
    version = ".".join(map(str, sys.version_info[:3]))
    found.append(Finding("ok" if sys.version_info >= (3, 11) else "wrong", "Python", version))
    state = settings.state_root
    writable = _writable(state)
    found.append(
        Finding("ok" if writable else "wrong", "state folder", f"{state}{'' if writable else ' cannot be written'}")
    )
    free = shutil.disk_usage(state).free / 2**30
    found.append(Finding("ok" if free > 20 else "note", "disk", f"{free:.0f} GiB free; the nation wants about 20"))
    found.append(Finding("ok", "data root", f"{settings.data_root}, profile {settings.profile}"))
    if settings.mirror is None:
        found.append(Finding("note", "mirror", "none (MOBILITY_MIRROR); files come from the store or the agencies"))
    elif "://" in settings.mirror or Path(settings.mirror).is_dir():
        found.append(Finding("ok", "mirror", settings.mirror))
    else:
        found.append(Finding("wrong", "mirror", f"{settings.mirror} is not there"))
    for name, key, use in (
        ("IPUMS_API_KEY", settings.ipums_api_key, "microdata come from the Census form instead"),
        ("CENSUS_API_KEY", settings.census_api_key, "the Census API allows only small use without"),
    ):
        found.append(Finding("ok", name, "set") if key else Finding("note", name, f"not set; {use}"))
    there = (PROJECT / "dagster.yaml").exists()
    found.append(Finding("ok" if there else "wrong", "dagster.yaml", "found" if there else "missing"))
    found.append(_release(settings))
    return found


def _release(settings: Settings) -> Finding:
    """Whether the latest release is whole: every file has the checksum it was published with."""
    latest = settings.data_root / "published" / "LATEST"
    if not latest.exists():
        return Finding("note", "release", "none yet; run `mobility build`")
    name = latest.read_text().strip()
    folder = settings.data_root / "published" / name
    sums = folder / "SHA256SUMS"
    if not sums.exists():
        return Finding("wrong", "release", f"{name} has no SHA256SUMS")
    for line in sums.read_text().splitlines():
        wanted, _, file = line.partition("  ")
        path = folder / file
        if not path.exists():
            return Finding("wrong", "release", f"{name}: {file} is missing")
        with path.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != wanted:  # type: ignore[arg-type]
                return Finding("wrong", "release", f"{name}: {file} has changed since it was published")
    return Finding("ok", "release", f"{name} is whole")
