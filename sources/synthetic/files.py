"""Writing files that are byte for byte the same each time: no clock, no file order, no user name gets into them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

NOTICE: Final = (
    "SYNTHETIC DATA. Made by the project's own generator in the layout of the agency's file. "
    "No figure in it was observed; do not cite it.\n"
)
NOTICE_NAME: Final = "SYNTHETIC.txt"
_STAMP: Final = (1980, 1, 1, 0, 0, 0)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_zip(path: Path, members: dict[str, bytes], *, level: int = 1) -> Path:
    """A zip of `members` (name -> bytes) with fixed timestamps; the SYNTHETIC notice comes last as its own member."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in {**members, NOTICE_NAME: NOTICE.encode()}.items():
            info = zipfile.ZipInfo(name, date_time=_STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data, compresslevel=level)
    return path
