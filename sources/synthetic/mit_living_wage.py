"""Synthetic living wages: two editions with twelve family types, one with ours only, in their own layouts.

The first two hold a wrong year column, as the real ones do, and the first repeats the rows of its first county.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sources.synthetic.files import write_bytes
from sources.synthetic.world import World, county_layer

SOURCE: Final = "mit_living_wage"
# Edition -> file, data years that need it, counties as of, the year column's (wrong) content, price level in permille.
EDITIONS: Final[dict[str, tuple[str, tuple[int, ...], int, int, int]]] = {
    "2019-dollars": ("mit-living-wage.csv", (2014, 2018), 2018, 2018, 1000),
    "2022-dollars": ("mit-living-wage-2022.csv", (2021, 2022), 2018, 2021, 1340),
    "2023-dollars": ("mit-living-wage-2023.csv", (2023,), 2020, 2023, 1420),
}
# Family type -> wage in permille of that of one adult with two children.
FAMILIES: Final[dict[tuple[str, str], int]] = {
    ("1 Adult", "0 Children"): 400,
    ("1 Adult", "1 Child"): 805,
    ("1 Adult", "2 Children"): 1000,
    ("1 Adult", "3 Children"): 1250,
    ("2 Adults (1 Working)", "0 Children"): 655,
    ("2 Adults (1 Working)", "1 Child"): 795,
    ("2 Adults (1 Working)", "2 Children"): 880,
    ("2 Adults (1 Working)", "3 Children"): 985,
    ("2 Adults (Both Working)", "0 Children"): 330,
    ("2 Adults (Both Working)", "1 Child"): 450,
    ("2 Adults (Both Working)", "2 Children"): 545,
    ("2 Adults (Both Working)", "3 Children"): 650,
}
BASE: Final = (2_250, 3_050)  # cents an hour, one adult with two children, dollars of 2019


def _dollars(cents: int) -> str:
    """Cents as the files print dollars: no trailing zero."""
    return f"{cents / 100:.2f}".rstrip("0").rstrip(".")


def write(root: Path, world: World) -> None:
    """The editions that the world's years need."""
    for edition, (file, years, counties_as_of, year, level) in EDITIONS.items():
        if not set(years) & set(world.years):
            continue
        counties = world.people(county_layer(counties_as_of), counties_as_of).select("state", "code").rows()
        drawn = world.rng("living wage").integers(*BASE, len(counties)).tolist()
        wages = [(s, c, cents * level // 1000) for (s, c), cents in zip(counties, drawn, strict=True)]
        if edition == "2023-dollars":
            lines = ["state_fips,county_fips_short,family,hourly_living_wage"]
            lines += [f"{int(s)},{int(c)},1 Adult 2 Children,{_dollars(w)}" for s, c, w in wages]
        else:
            first = wages[:1] if edition == "2019-dollars" else []
            lines = ["year,state,county,adults,children,wage"]
            lines += [
                f"{year},{s},{c},{adults},{children},{_dollars(w * share // 1000)}"
                for s, c, w in [*first, *wages]
                for (adults, children), share in FAMILIES.items()
            ]
        write_bytes(root / SOURCE / edition / file, ("\n".join(lines) + "\n").encode())
