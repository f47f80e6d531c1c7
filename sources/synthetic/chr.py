"""Synthetic County Health Rankings: national workbooks that republish the physicians and injury deaths of the world.

Their physicians and deaths are those of the synthetic AHRF and CDC WONDER files, so that what stands in for them may be
compared with them. As in the real workbooks two header rows stand over the columns, whole states over their counties,
and counts are blank where nobody counts: no physician for more than 2,000 people, fewer than 10 deaths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.ahrf import RELEASES
from sources.chr import INJURIES_LAG, PHYSICIANS_LAG, SHEET, SOURCE
from sources.synthetic import ahrf, wonder_deaths
from sources.synthetic.workbook import Cell, write_workbook
from sources.synthetic.world import World
from sources.wonder_deaths import groups

SMALL: Final = 2_000
FEWEST_DEATHS: Final = 10
# The Rankings keep the counties of before 2020.
COUNTY_YEAR: Final = 2019
HEADER: Final = (
    ("", "", "", "Primary care physicians", "", "Injury deaths", "", "", ""),
    (
        *("FIPS", "State", "County", "# Primary Care Physicians", "Primary Care Physicians Ratio"),
        *("# Injury Deaths", "Injury Death Rate", "95% CI - Low", "95% CI - High"),
    ),
)


def write(root: Path, world: World) -> None:
    """One workbook per release that the world's years need."""
    counties = {state + geo: (name, whole) for state, geo, name, whole in world.registry("county", COUNTY_YEAR).rows()}
    for vintage in SOURCE.vintages:
        if not set(vintage.data_years) & set(world.years):
            continue
        release = int(vintage.key)
        physicians = _physicians(world, release - PHYSICIANS_LAG)
        deaths = _deaths(world, release - INJURIES_LAG) if release - INJURIES_LAG in vintage.data_years else {}
        rows: list[tuple[Cell, ...]] = [*HEADER]
        for state in world.states:
            rows.append((f"{state.code}000", state.name, *[""] * (len(HEADER[1]) - 2)))
            for code in sorted(c for c in counties if c[:2] == state.code):
                name, whole = counties[code]
                figures = (*physicians.get(code, ("", "")), *deaths.get(code, [""] * 4))
                rows.append((code, whole, name, *figures))
        write_workbook(root / SOURCE.key / vintage.key / vintage.files[0].name, rows, sheet=SHEET)


def _physicians(world: World, year: int) -> dict[str, tuple[Cell, Cell]]:
    """Code -> physicians and the ratio as the workbook prints it."""
    release = next(r for r in RELEASES if year in r.physicians)
    codes, columns = ahrf.columns(world, release)
    found: dict[str, tuple[Cell, Cell]] = {}
    for code, doctors, people in zip(
        codes, columns[release.physicians[year]], columns[release.population[year]], strict=True
    ):
        if doctors is None or people is None or (doctors == 0 and people > SMALL):
            continue
        found[code] = (doctors, f"{round(people / doctors)}:1" if doctors else f"{people}:0")
    return found


def _deaths(world: World, year: int) -> dict[str, list[Cell]]:
    """Code -> deaths, crude rate and its bounds (normal approximation), of the pool of years that ends with `year`."""
    everyone = groups(year)[0]
    found: dict[str, list[Cell]] = {}
    for code, count, exposed in wonder_deaths.drawn(world, year, everyone):
        if count >= FEWEST_DEATHS:
            rate = count * 100_000 / exposed
            error = 1.96 * rate / count**0.5
            found[code] = [count, rate, rate - error, rate + error]
    return found
