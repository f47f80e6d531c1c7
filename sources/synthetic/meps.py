"""Synthetic Model Estimates of Poverty in Schools: pages of the portal's API.

Cases: schools without an estimate (null, or absent), one at exactly 20 percent, one that the directory lacks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sources.synthetic.schools import layout, write_pages
from sources.synthetic.world import World

SOURCE: Final = "meps"
YEARS: Final = range(2014, 2022)
UNKNOWN_SCHOOL: Final = "370000099999"


def _percents(world: World, numbers: list[str], year: int) -> list[float | None]:
    own = world.rng("poverty").integers(20, 420, len(numbers)).tolist()
    swing = world.rng("poverty", year).integers(-40, 41, len(numbers)).tolist()
    special: dict[int, float | None] = {5: None, 6: 20.0}
    return [
        special.get(int(number[-5:]) % 40, max(0, a + b - 12 * (year - 2014)) / 10)
        for number, a, b in zip(numbers, own, swing, strict=True)
    ]


def write(root: Path, world: World) -> None:
    """One vintage for each of the world's years that has estimates."""
    for year in world.years:
        if year not in YEARS:
            continue
        numbers = [s.ncessch for s in layout(world)[1] if int(s.ncessch[-5:]) % 40 != 8] + [UNKNOWN_SCHOOL]
        records: list[dict[str, Any]] = [
            {
                "year": year,
                "ncessch": number,
                "ncessch_num": int(number),
                "fips": int(number[:2]),
                "meps_poverty_pct": percent,
                "meps_poverty_se": None if percent is None else 1.5,
                "meps_mod_poverty_pct": None if percent is None else percent / 2,
            }
            for number, percent in zip(numbers, _percents(world, numbers, year), strict=True)
        ]
        write_pages(root / SOURCE / str(year), "school_poverty", f"schools/meps/{year}/", records, size=250)
