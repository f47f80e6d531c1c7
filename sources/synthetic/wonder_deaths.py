"""Synthetic injury deaths by county, in CDC WONDER's exports of pooled years.

The source keeps replaced codes: Alaska's Wade Hampton (02270) and Valdez-Cordova (02261) and Connecticut's counties are
listed in all years, the older data set also lists areas dissolved before 2014. Counts of 1 to 9 are suppressed, rates
of fewer than 20 deaths unreliable, their bounds printed all the same. A rate without deaths is "Unreliable", and 0.0
in the exports of the last year.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.synthetic.files import write_bytes
from sources.synthetic.wonder_export import export
from sources.synthetic.world import World
from sources.wonder.query import Group
from sources.wonder_deaths import (
    LAST_BRIDGED,
    RELIABLE_FROM,
    SUPPRESSED_UP_TO,
    YEARS,
    groups,
    pool,
    query,
)

SOURCE: Final = "wonder_deaths"
BRIDGED: Final = "Underlying Cause of Death, 1999-2020"
SINGLE: Final = "Underlying Cause of Death, 2018-2023, Single Race"
# The layer that has the codes the source uses in all years.
LAYER: Final = "county_2014"
DISSOLVED: Final = {
    "02201": "Prince of Wales-Outer Ketchikan Census Area, AK",
    "02232": "Skagway-Hoonah-Angoon Census Area, AK",
    "02280": "Wrangell-Petersburg Census Area, AK",
}
RATE: Final = (45, 140)
SHARES: Final = {
    "White, Non-Hispanic": 0.62,
    "Black, Non-Hispanic": 0.18,
    "Hispanic": 0.14,
    "Other Races and Ethnicities": 0.06,
}


def write(root: Path, world: World) -> None:
    """One export a year to 2020, five after."""
    names = _names(world)
    for year in (y for y in world.years if y in YEARS):
        for group in groups(year):
            figures = drawn(world, year, group)
            rows = [(names[code], code, _row(deaths, exposed, year)) for code, deaths, exposed in figures]
            if year <= LAST_BRIDGED:
                rows += [(name, code, ["Missing"] * 6) for code, name in DISSOLVED.items()]
            recipe = query(year, group)
            total = _row(sum(deaths for _, deaths, _ in figures), sum(exposed for _, _, exposed in figures), year)
            content = export(
                recipe, BRIDGED if year <= LAST_BRIDGED else SINGLE, sorted(rows, key=lambda r: r[1]), total
            )
            write_bytes(root / SOURCE / str(year) / recipe.file, content)


def drawn(world: World, year: int, group: Group) -> list[tuple[str, int, int]]:
    """Code, deaths and person-years of a group in the pool of years that ends with `year`, nothing withheld."""
    first, last = pool(year)
    people = pl.concat([world.people(LAYER, y) for y in range(first, last + 1)])
    people = people.group_by("state", "code").agg(pl.col("persons").sum()).sort("state", "code")
    codes = (people["state"] + people["code"]).to_list()
    rates = world.rng(SOURCE).integers(*RATE, len(codes))
    exposed = np.rint(np.array(people["persons"].to_list()) * SHARES.get(group.subgroup, 1.0)).astype(np.int64)
    deaths = world.rng(SOURCE, year, group.name).poisson(exposed * rates / 100_000)
    return list(zip(codes, deaths.tolist(), exposed.tolist(), strict=True))


def _names(world: World) -> dict[str, str]:
    """Code -> name with the state's postal code."""
    postal = {s.code: s.postal for s in world.states}
    return {
        state + geo: f"{name}, {postal[state]}"
        for state, geo, name in world.registry("county", 2014).select("state", "geo", "name").iter_rows()
    }


def _row(deaths: int, people: int, year: int) -> list[object]:
    """Deaths, population, crude rate, its bounds and standard error, or the words in their place."""
    if 1 <= deaths <= SUPPRESSED_UP_TO:
        return ["Suppressed", people, *["Suppressed"] * 4]
    per_death = 100_000 / people
    bounds = [f"{limit * per_death:.1f}" for limit in _limits(deaths)]
    if deaths == 0:
        return [0, people, "0.0" if year == YEARS[-1] else "Unreliable", *bounds, "0.0"]
    printed = f"{deaths * per_death:.1f}" if deaths >= RELIABLE_FROM else "Unreliable"
    return [deaths, people, printed, *bounds, f"{deaths**0.5 * per_death:.1f}"]


@cache
def _limits(deaths: int) -> tuple[float, float]:
    """95 % limits of the number of deaths: exact below 100, else by the normal approximation."""
    from scipy.special import gammaincinv

    if deaths >= 100:
        return deaths - 1.96 * deaths**0.5, deaths + 1.96 * deaths**0.5
    return float(gammaincinv(deaths, 0.025)) if deaths else 0.0, float(gammaincinv(deaths + 1, 0.975))
