"""Synthetic ACS public use microdata in the Census Bureau's form: one zip of persons and one of housing per state.

Layouts follow the year: relationship is RELP until 2018 and RELSHIPP after; the type of unit is TYPE until 2019 and
TYPEHUGQ after; internet access is ACCESS until 2019 and ACCESSINET after; broadband and tablets are asked since 2016
(and given for all survey years in the 5-year files from 2018 on); the state is ST until 2022 and STATE from 2023;
replicate weights of the 1-year files are in small letters until 2016; serial numbers carry the survey year from 2017 on
(5-year files: always) and HU or GQ from 2018 on. The 2010-2014 file holds PUMA00 and PUMA10, of which one applies,
and names the serial number in small letters.
Columns are a subset of the agency's, in the agency's order.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from sources.synthetic.files import write_zip
from sources.synthetic.people import GROUP_QUARTERS, PRICES, draw
from sources.synthetic.world import World

SOURCE: Final = "acs_pums_census"
ONE_YEAR: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2021, 2022, 2023)
FIVE_YEAR: Final = (2014, 2016, 2018, 2021, 2023)
NO_PUMA: Final = "-0009"

# Adjustment factor of the 1-year file of each year, in millionths (ADJINC of the agency's data dictionaries).
ADJINC: Final = {
    2010: 1_007_624,
    2011: 1_018_237,
    2012: 1_010_207,
    2013: 1_007_549,
    2014: 1_008_425,
    2015: 1_001_264,
    2016: 1_007_588,
    2017: 1_011_189,
    2018: 1_013_097,
    2019: 1_010_145,
    2020: 1_006_149,
    2021: 1_029_928,
    2022: 1_042_311,
    2023: 1_019_518,
}
# RELP (until 2018) -> RELSHIPP.
_RELSHIPP: Final = {0: 20, 1: 21, 2: 25, 12: 34, 15: 36, 16: 37, 17: 38}
_PERSON: Final = (
    *(
        "RT",
        "SERIALNO",
        "DIVISION",
        "SPORDER",
        "PUMA",
        "REGION",
        "ST",
        "ADJINC",
        "PWGTP",
        "AGEP",
        "DDRS",
        "DEAR",
        "DEYE",
    ),
    *("DOUT", "DPHY", "DREM", "RELP", "SCH", "SCHG", "SCHL", "SEX", "DIS", "ESR", "HISP", "RAC1P"),
)
_HOUSING: Final = (
    *("RT", "SERIALNO", "DIVISION", "PUMA", "REGION", "ST", "ADJHSG", "ADJINC", "WGTP", "NP", "TYPE", "ACCESS", "BDSP"),
    *("HISPEED", "LAPTOP", "RNTP", "TABLET", "TEN", "VACS", "VALP", "GRNTP", "HINCP", "NPF", "SMOCP"),
)
# Codes of two characters keep their leading zero.
_TWO_DIGITS: Final = ("HISP", "RELP", "SCHG", "SCHL")


@dataclass(frozen=True)
class Layout:
    """How the files of one sample look."""

    year: int
    span: int

    @property
    def vintage(self) -> str:
        """Folder of the raw store."""
        return f"{self.year}-{self.span}yr"

    @property
    def puma_vintages(self) -> dict[str, int]:
        """PUMA column -> vintage of its codes."""
        if (self.year, self.span) == (2014, 5):
            return {"PUMA00": 2000, "PUMA10": 2010}
        return {"PUMA": 2010 if self.year < 2022 else 2020}

    def member(self, kind: str, postal: str, code: str) -> str:
        """Name of the CSV in the zip; `kind` is p or h."""
        if self.year < 2017:
            return f"ss{self.year % 100}{kind}{postal.lower()}.csv"
        return f"psam_{kind}{code}.csv"

    def columns(self, master: tuple[str, ...]) -> dict[str, str]:
        """Columns of the file in order: name in `master` (or of a PUMA) -> name in the file."""
        gone: set[str] = set()
        if self.year < 2017 and master is _PERSON:
            gone |= {"DIVISION", "REGION"}
        if (self.year < 2016 and self.span == 1) or (self.year < 2018 and self.span == 5):
            gone |= {"HISPEED", "TABLET"}
        if self.year < 2018 and self.span == 5:
            gone |= {"ACCESS", "LAPTOP"}
        renamed = {
            "RELP": "RELSHIPP" if self.year >= 2019 else "RELP",
            "TYPE": "TYPEHUGQ" if self.year >= 2020 else "TYPE",
            "ACCESS": "ACCESSINET" if self.year >= 2020 else "ACCESS",
            "ST": "STATE" if self.year >= 2023 else "ST",
            "SERIALNO": "serialno" if (self.year, self.span) == (2014, 5) else "SERIALNO",
        }
        out: dict[str, str] = {}
        for name in master:
            if name == "PUMA":
                out |= {puma: puma for puma in self.puma_vintages}
            elif name not in gone:
                out[name] = renamed.get(name, name)
        return out

    def replicate(self, weight: str, number: int) -> str:
        """Name of a replicate weight."""
        name = f"{weight}{number}"
        return name.lower() if self.year < 2017 and self.span == 1 else name


def adjustments(layout: Layout, survey_year: int) -> tuple[int, int]:
    """ADJHSG and ADJINC of a record, in millionths.

    ADJHSG brings amounts of a survey year to prices of the file's last year; ADJINC also has the factor of the year.
    """
    housing = 1_000_000 * PRICES[layout.year] // PRICES[survey_year]
    return housing, (ADJINC[survey_year] * housing + 500_000) // 1_000_000


def _coded(frame: pl.DataFrame, layout: Layout, world: World) -> pl.DataFrame:
    """Adds what persons and housing have in common: RT aside, serial number, geography, adjustment factors."""
    group_quarters = pl.col("kind") == GROUP_QUARTERS
    number, year = pl.col("serial") * 7 + 14, pl.col("survey_year")
    dated = pl.format("{}{}", year, number.cast(pl.String).str.zfill(9))
    if layout.year >= 2018:
        kind = pl.when(group_quarters).then(pl.lit("GQ")).otherwise(pl.lit("HU"))
        modern = pl.format("{}{}{}", year, kind, number.cast(pl.String).str.zfill(7))
        serial = pl.when(year >= 2018).then(modern).otherwise(dated)
    else:
        serial = number.cast(pl.String) if layout.year < 2017 and layout.span == 1 else dated
    factors = {y: adjustments(layout, y) for y in range(layout.year - layout.span + 1, layout.year + 1)}
    pumas = {}
    for column, vintage in layout.puma_vintages.items():
        code = pl.lit(world.atoms[f"puma_{vintage}"]).gather(pl.col("atom"))
        applies = {"PUMA00": year < 2012, "PUMA10": year >= 2012}.get(column, pl.lit(value=True))
        pumas[column] = pl.when(applies).then(code).otherwise(pl.lit(NO_PUMA))
    return frame.with_columns(
        SERIALNO=serial,
        ST=pl.lit(pl.Series([s.code for s in world.states])).gather(pl.col("state")),
        DIVISION=pl.lit(pl.Series([s.division for s in world.states])).gather(pl.col("state")),
        REGION=pl.lit(pl.Series([s.region for s in world.states])).gather(pl.col("state")),
        ADJHSG=year.replace_strict({y: f[0] for y, f in factors.items()}, return_dtype=pl.Int64),
        ADJINC=year.replace_strict({y: f[1] for y, f in factors.items()}, return_dtype=pl.Int64),
        **pumas,
    )


def _table(
    frame: pl.DataFrame, replicates: npt.NDArray[np.int32], master: tuple[str, ...], weight: str, layout: Layout
) -> pl.DataFrame:
    """The file's columns in order, replicate weights last."""
    padded = [pl.col(c).cast(pl.String).str.zfill(2) for c in _TWO_DIGITS if c in frame.columns]
    weights = pl.DataFrame(replicates.T, schema=[layout.replicate(weight, i + 1) for i in range(len(replicates))])
    names = layout.columns(master)
    return frame.with_columns(padded).select(pl.col(c).alias(new) for c, new in names.items()).hstack(weights)


def _csv(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_csv(buffer)
    return buffer.getvalue()


def write_sample(root: Path, world: World, layout: Layout) -> None:
    """The person and housing zips of one sample, one of each for every state of the world."""
    sample = draw(world, layout.year, layout.span)
    persons, households = _coded(sample.persons, layout, world), _coded(sample.households, layout, world)
    persons = persons.with_columns(RT=pl.lit("P"))
    if layout.year >= 2019:
        persons = persons.with_columns(pl.col("RELP").replace_strict(_RELSHIPP))
    households = households.with_columns(RT=pl.lit("H"))
    tables = {
        "p": (persons["state"], _table(persons, sample.person_replicates, _PERSON, "PWGTP", layout)),
        "h": (households["state"], _table(households, sample.household_replicates, _HOUSING, "WGTP", layout)),
    }

    def write_state(kind: str, index: int) -> None:
        state = world.states[index]
        numbers, table = tables[kind]
        first, count = int(numbers.search_sorted(index, "left")), int((numbers == index).sum())
        member = layout.member(kind, state.postal, state.code)
        path = root / SOURCE / layout.vintage / f"csv_{kind}{state.postal.lower()}.zip"
        write_zip(path, {member: _csv(table.slice(first, count))})

    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(write_state, kind, i) for kind in tables for i in range(len(world.states))]
        for job in jobs:
            job.result()


def write(root: Path, world: World) -> None:
    """All samples of the world's years: `acs_pums_census/<year>-<span>yr/csv_{p,h}{st}.zip`."""
    for span, years in ((1, ONE_YEAR), (5, FIVE_YEAR)):
        for year in years:
            if year in world.years:
                write_sample(root, world, Layout(year, span))
