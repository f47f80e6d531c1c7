"""Schools and school districts of the synthetic world, shared by the writers of the three education sources.

Every stretch of a state's line has one to three schools. Each listed place has a district of its own, the rest of a
county one more. The cases that the methods treat are in it: Winston-Salem's district is spelled without the hyphen,
Honolulu is no listed name, one district moves its office, one is missing from the directory in some years.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.world import NEWEST, NOT_A_PLACE, World, county_layer

HOST: Final = "https://educationdata.urban.org/api/v1"
FALLS: Final = tuple(range(2008, 2023))
MOVES: Final = 2013
"""Fall from which the moving district's office is elsewhere."""


@dataclass(frozen=True)
class District:
    """A district: its number, the cities of its office before and since `MOVES`, its county by year, its people."""

    leaid: str
    offices: tuple[str, str]
    counties: dict[str, str]
    people: int
    absent: tuple[int, ...] = ()

    def office(self, fall: int) -> str:
        """The city of its office in that fall; in capitals before 2014, as the source writes it."""
        city = self.offices[fall >= MOVES]
        return city.upper() if fall < 2014 else city


@dataclass(frozen=True)
class School:
    """A school: its number, its district, the city of its address, its county by year, its students (2020)."""

    ncessch: str
    leaid: str
    city: str
    counties: dict[str, str]
    students: int


def county_of(counties: dict[str, str], fall: int) -> str:
    """The county code that was valid in that fall."""
    return counties[county_layer(max(fall, 2014))]


def _short(name: str) -> str:
    """A place as its address has it."""
    for kind in (" city", " town", " municipality"):
        name = name.removesuffix(kind)
    return "Honolulu" if name == "Urban Honolulu CDP" else name


@lru_cache(maxsize=4)
def layout(world: World) -> tuple[tuple[District, ...], tuple[School, ...]]:
    """All districts and schools, by number."""
    names = {(s, c): _short(n) for s, c, n, _ in world.registry("place", NEWEST).iter_rows()}
    layers = [column for column in world.atoms.columns if column.startswith("county_")]
    districts: dict[tuple[str, str, str], District] = {}
    schools: list[School] = []
    numbers: dict[str, int] = {}
    # Of all borders of the world, only those of counties and places matter here.
    atoms = world.atoms.with_columns(people=pl.col("end") - pl.col("start"))
    stretches = atoms.group_by("state", *layers, "place", maintain_order=True).agg(pl.col("people").sum())
    for atom in stretches.iter_rows(named=True):
        state, place, people = atom["state"], atom["place"], atom["people"]
        if people < 2_000:
            continue
        counties = {layer: state + atom[layer] for layer in layers}
        city = names.get((state, place), f"Synthetic {atom[layers[0]]}")
        key = (state, place, "" if place != NOT_A_PLACE else atom[layers[0]])
        if key not in districts:
            numbers[state] = numbers.get(state, 0) + 1
            office = city.replace("-", " ")
            moves = office == "Raleigh"
            districts[key] = District(
                leaid=f"{state}{numbers[state] * 30:05d}",
                offices=("Cary" if moves else office, office),
                counties=counties,
                people=people,
                absent=(2009, 2010) if office in ("Raleigh", "Durham") else (),
            )
        leaid = districts[key].leaid
        for _ in range(1 + min(2, people // 90_000)):
            number = f"{leaid}{len(schools) + 1:05d}"
            schools.append(School(number, leaid, city, counties, 120 + people % 700))
    return tuple(districts.values()), tuple(schools)


def write_pages(folder: Path, name: str, address: str, records: list[dict[str, Any]], *, size: int) -> None:
    """The pages of an answer of the Education Data Portal: `<name>_0001.json` and so on."""
    pages = [records[at : at + size] for at in range(0, len(records), size)]
    addresses = [f"{HOST}/{address}", *(f"{HOST}/{address}?page={n}" for n in range(2, len(pages) + 1))]
    for number, page in enumerate(pages):
        body = {
            "count": len(records),
            "next": addresses[number + 1] if number + 1 < len(pages) else None,
            "previous": addresses[number - 1] if number else None,
            "results": page,
        }
        text = json.dumps(body, separators=(",", ":"))
        write_bytes(folder / f"{name}_{number + 1:04d}.json", text.encode())
