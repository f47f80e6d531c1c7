"""The list of factors to 1999 dollars, as a person copies it from the page: made from the project's price indexes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.cpi import HELD_FILE, read_csv
from sources.cpi99 import FILE, INDEX_1999, VINTAGE
from sources.synthetic.files import write_bytes
from sources.synthetic.world import World

SOURCE: Final = "cpi99"


def write(root: Path, world: World) -> None:
    """All years of the price index, the latest first as on the page, whatever years the world has."""
    del world
    rows = read_csv(HELD_FILE).select("year", "cpi_u").sort("year", descending=True).iter_rows()
    lines = ["year,cpi99", *(f"{year},{INDEX_1999 / index:.3f}" for year, index in rows)]
    write_bytes(root / SOURCE / VINTAGE / FILE, ("\n".join(lines) + "\n").encode())
