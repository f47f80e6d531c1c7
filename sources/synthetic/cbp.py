"""Synthetic County Business Patterns: the county file and the ZIP code industry detail file, each a zip of a text file.

From 2017 on cells of fewer than three establishments are left out and the columns of size change, as at the agency.
County codes lag: Kusilvak has its former code until 2016, Valdez-Cordova is undivided until 2021. Beside the industries
of associations there are totals and another industry; establishments of no one county (999); ZIP codes of post office
boxes, which are no ZIP areas.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.social import zcta_vintage
from sources.synthetic.files import write_zip
from sources.synthetic.world import World, county_layer

SOURCE: Final = "cbp"
YEARS: Final = tuple(range(2014, 2023))
THRESHOLD_SINCE: Final = 2017
SHOWN_FROM: Final = 3
OTHER_INDUSTRY: Final = "722511"
# Establishments per 100,000 people.
PER_100_000: Final = {
    "711211": 2,
    "713910": 4,
    "713940": 11,
    "713950": 2,
    "813110": 58,
    "813410": 9,
    "813910": 5,
    "813920": 3,
    "813930": 5,
    "813940": 1,
    OTHER_INDUSTRY: 75,
}
SIZES: Final = ("n5_9", "n10_19", "n20_49", "n50_99", "n100_249", "n250_499", "n500_999", "n1000")
POST_OFFICE_BOXES: Final = "99"
"""Last two digits of a ZIP code that no ZIP area has."""


def county_codes(year: int) -> str:
    """The layer whose county codes the edition uses."""
    return county_layer(2014 if year <= 2016 else 2019 if year <= 2021 else year)


def _cells(world: World, layer: str, year: int) -> pl.DataFrame:
    """Establishments per unit of the layer and industry: state, code, naics, est; withheld cells left out."""
    units = world.people(layer, year)
    draws = world.rng("cbp", layer, year).integers(0, 100_000, (units.height, len(PER_100_000)))
    cells = units.join(pl.DataFrame({"naics": list(PER_100_000), "usual": list(PER_100_000.values())}), how="cross")
    # Rounded up or down by lot, so that small units have some.
    shares = pl.col("persons") * pl.col("usual") + pl.Series("draw", draws.ravel())
    least = SHOWN_FROM if year >= THRESHOLD_SINCE else 1
    return (
        cells.with_columns(est=shares // 100_000).filter(pl.col("est") >= least).select("state", "code", "naics", "est")
    )


def _with_totals(cells: pl.DataFrame) -> pl.DataFrame:
    """A row of all industries before each unit's cells, as the agency has them."""
    total = cells.group_by("state", "code").agg(naics=pl.lit("------"), est=pl.col("est").sum())
    return pl.concat([total, cells]).sort("state", "code", "naics")


def _text(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    lines = [",".join(f'"{name}"' for name in header)]
    lines += [",".join(f'"{cell}"' if isinstance(cell, str) else str(cell) for cell in row) for row in rows]
    return ("\r\n".join(lines) + "\r\n").encode()


def _size_columns(year: int) -> tuple[str, ...]:
    return ("n<5" if year >= THRESHOLD_SINCE else "n1_4", *SIZES)


def _sizes(est: int, year: int) -> list[Any]:
    """All establishments are small; the other sizes are withheld from 2017 on, zero before."""
    return [est, *(["N"] if year >= THRESHOLD_SINCE else [0]) * len(SIZES)]


def county_file(world: World, year: int) -> bytes:
    """The text of the complete county file."""
    cells = _cells(world, county_codes(year), year)
    nowhere = pl.DataFrame({"state": ["37"], "code": ["999"], "naics": ["813910"], "est": [12]}, schema=cells.schema)
    flags = ("empflag",) if year < THRESHOLD_SINCE else ()
    header = ("fipstate", "fipscty", "naics", *flags, "emp_nf", "emp", "qp1_nf", "qp1", "ap_nf", "ap", "est")
    empty = [""] * len(flags)
    rows = (
        [state, code, naics, *empty, "G", est * 9, "G", est * 60, "G", est * 250, est, *_sizes(est, year)]
        for state, code, naics, est in _with_totals(pl.concat([cells, nowhere])).iter_rows()
    )
    return _text((*header, *_size_columns(year)), rows)


def zip_file(world: World, year: int) -> bytes:
    """The text of the ZIP code industry detail file."""
    cells = _cells(world, f"zcta_{zcta_vintage(year)}", year)
    boxes = pl.DataFrame(
        {"state": ["37"], "code": [f"289{POST_OFFICE_BOXES}"], "naics": ["813110"], "est": [4]}, schema=cells.schema
    )
    named = ("name",) if year >= THRESHOLD_SINCE else ()
    rows = (
        [code, *(["SYNTHETIC"] if named else []), naics, est, *_sizes(est, year)]
        for _, code, naics, est in _with_totals(pl.concat([cells, boxes])).iter_rows()
    )
    return _text(("zip", *named, "naics", "est", *_size_columns(year)), rows)


def write(root: Path, world: World) -> None:
    """`cbp/<year>/cbp<yy>co.zip` and `zbp<yy>detail.zip`."""
    for year in YEARS:
        if year in world.years:
            short = year % 100
            folder = root / SOURCE / str(year)
            write_zip(folder / f"cbp{short}co.zip", {f"cbp{short}co.txt": county_file(world, year)})
            write_zip(folder / f"zbp{short}detail.zip", {f"zbp{short}detail.txt": zip_file(world, year)})
