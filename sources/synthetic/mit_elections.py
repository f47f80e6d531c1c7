"""Synthetic county presidential returns, both files of the source.

Special cases: election districts in Alaska, a county that counts with its neighbor (15-005, absent), statewide rows
without a code, the District's missing code and ways of voting in the newer file, a city that counts apart from its
county (Kansas City, the only rows of Missouri), rows of an earlier election.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from sources.mit_elections import EDITIONS, Edition
from sources.mit_elections import SOURCE as DECLARED
from sources.synthetic.files import write_bytes
from sources.synthetic.world import World, county_layer

VERSION: Final = {2016: 20191203, 2020: 20220315}
COLUMNS: Final = {
    2016: "year,state,state_po,county,FIPS,office,candidate,party,candidatevotes,totalvotes,version",
    2020: "year,state,state_po,county_name,county_fips,office,candidate,party,candidatevotes,totalvotes,version,mode",
}
# Candidate, party, permille of the votes.
CANDIDATES: Final = {
    2016: (("Hillary Clinton", "democrat", 470), ("Donald Trump", "republican", 460), ("Other", "NA", 70)),
    2020: (("JOSEPH R BIDEN JR", "DEMOCRAT", 500), ("DONALD J TRUMP", "REPUBLICAN", 470), ("OTHER", "OTHER", 30)),
}
# States that report by way of voting in the newer file.
BY_MODE: Final = {"37": ("ABSENTEE", "ELECTION DAY", "ONE STOP", "PROVISIONAL")}
WITH_NEIGHBOR: Final = ("15", "005")
# County of few people in which more votes are counted than there are citizens.
CROWDED: Final = ("56", "027")
DISTRICTS: Final = 40
MISSOURI: Final = (("29095", "Jackson", 196_000), ("36000", "Kansas City", 128_000))


def county_votes(world: World, year: int) -> list[tuple[str, str, str, int]]:
    """(state, county, name, votes) of all counties of the world in `year`."""
    people = world.people(county_layer(year), year).sort("state", "code")
    names = {(s, g): n for s, g, n in world.registry("county", year).select("state", "geo", "name").iter_rows()}
    drawn = world.rng("mit_elections", year).integers(340, 520, people.height).tolist()
    out = []
    for (state, code, persons), permille in zip(people.iter_rows(), drawn, strict=True):
        share = 900 if (state, code) == CROWDED else permille
        out.append((state, code, names[state, code].removesuffix(" County"), persons * share // 1000))
    return out


def _split(total: int, permille: list[int]) -> list[int]:
    """A number cut into parts that add up to it."""
    cuts = np.cumsum([0, *permille]) * total // sum(permille)
    return [int(n) for n in np.diff(cuts)]


class _Lines:
    """Rows of one file as text."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition
        self.year = edition.election
        self.rows: list[str] = [COLUMNS[self.year]]

    def add(self, state: str, postal: str, county: str, fips: str, votes: int | None, *, year: int = 0) -> None:
        """The rows of one county, one per candidate and, where the state reports so, per way of voting."""
        newer = self.year >= 2020
        office = "US PRESIDENT" if newer else "President"
        names = (state.upper(), postal, county.upper(), fips) if newer else (state, postal, county, fips)
        shares = [share for _, _, share in CANDIDATES[self.year]]
        parts = [None] * len(shares) if votes is None else _split(votes, shares)
        modes = BY_MODE.get(fips[:2] if len(fips) == 5 else "", ("TOTAL",)) if newer else ("",)
        for (candidate, party, _), part in zip(CANDIDATES[self.year], parts, strict=True):
            cast = [part] * len(modes) if part is None else _split(part, list(range(len(modes), 0, -1)))
            for mode, number in zip(modes, cast, strict=True):
                cells = [year or self.year, *names, office, candidate, party]
                cells += ["NA" if number is None else number, votes or 0, VERSION[self.year]]
                self.rows.append(",".join(str(cell) for cell in [*cells, *([mode] if newer else [])]))


def _file(world: World, edition: Edition) -> str:
    lines = _Lines(edition)
    year = edition.election
    states = {state.code: state for state in world.states}
    for state, code, name, votes in county_votes(world, year):
        if state == "02" or (state, code) == WITH_NEIGHBOR:
            continue
        lines.add(states[state].name, states[state].postal, name, f"{int(state)}{code}", votes)
        if code == "001":
            lines.add(states[state].name, states[state].postal, name, f"{int(state)}{code}", votes // 2, year=year - 4)
    for number in range(1, DISTRICTS + 1):
        lines.add("Alaska", "AK", f"District {number}", f"20{number:02d}", 6_000 + 20 * number)
    for fips, name, votes in MISSOURI:
        lines.add("Missouri", "MO", name, fips, votes)
    if year < 2020:
        lines.add("Connecticut", "NA", "Statewide writein", "NA", None)
        lines.add("Rhode Island", "NA", "Federal Precinct", "NA", 728)
        lines.add("Virginia", "VA", "Bedford", "51515", None)
    else:
        lines.add("District of Columbia", "DC", "District of Columbia", "NA", 344_000)
        lines.add("Rhode Island", "RI", "Federal Precinct", "NA", 1_200)
    return "\n".join(lines.rows) + "\n"


def write(root: Path, world: World) -> None:
    """The file of each election in the world's years."""
    for edition in EDITIONS:
        if edition.election in world.years:
            path = root / DECLARED.key / edition.key / edition.file
            write_bytes(path, _file(world, edition).encode())
