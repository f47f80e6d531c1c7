"""The sample's synthetic world, enlarged to the nation: every county, listed place and state, 84,000 tracts.

    python -m benchmarks.nation FOLDER [--years 2022,2023] [--scale 1.0] [--spans 1,5]

Everything is written by the writers of `sources.synthetic`, in the agencies' own formats, into a folder laid out as the
raw store. Microdata are drawn and written state by state, so that memory stays flat: at scale 1 a 1-year sample has 3.3
million persons and 1.5 million housing records (vacant units among them), a 5-year sample 16 and 7 million, all with 80
replicate weights. SYNTHETIC: no figure was observed.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from sources.synthetic.states import State
    from sources.synthetic.world import World

SEED: Final = 20_251_010
PEOPLE: Final = 331_000_000
PERSONS: Final = {1: 3_300_000, 5: 16_000_000}
"""Person records of a national sample by its span."""
PERSONS_PER_PUMA: Final = 134_500
TRACT_SIZE: Final = {2010: 4_000, 2020: 3_900}
FIRST_ZIP_PREFIX: Final = 300
MICRODATA: Final = "acs_pums_census"


@cache
def states() -> tuple[State, ...]:
    """All states: those of the sample as they are there, others with invented sizes of counties, places and PUMAs."""
    import numpy as np
    import polars as pl

    from sources.framework.states import STATES
    from sources.geography import geographies
    from sources.synthetic import states as sample
    from sources.synthetic.states import PlacePart, PumaPlan, State
    from sources.synthetic.world import NEWEST, TRACTS_PER_ZCTA, World

    rng = np.random.default_rng(SEED)
    listed = geographies(NEWEST, None)
    known = {state.code: state for state in sample.STATES}
    lines = World(SEED).lines
    people = {code: line.persons for code, line in lines.items()}
    drawn: dict[str, tuple[dict[str, int], list[PlacePart]]] = {}
    for fips, _, _ in STATES:
        if fips in known:
            continue
        mine = listed.filter(pl.col("state") == fips)
        counties = mine.filter(pl.col("level") == "county")["geo"].to_list()
        places = mine.filter(pl.col("level") == "place")["geo"].to_list()
        sizes = dict(zip(counties, rng.lognormal(10.2, 1.3, len(counties)).astype(int).tolist(), strict=True))
        # Cities lie in the first counties of a shuffled list, some of them together in one.
        homes = rng.permutation(len(counties))[: max(1, len(places) // 2)].tolist()
        parts, filled = [], {}
        for i, place in enumerate(places):
            county, size = counties[homes[i % len(homes)]], int(rng.integers(75_000, 260_000))
            start = filled.get(county, 1_000)
            parts.append(PlacePart(place, county, start, size))
            filled[county] = start + size + 2_000
        for county, end in filled.items():
            sizes[county] += end * 4 // 3
        drawn[fips] = (sizes, parts)
    wanted, inside = (
        PEOPLE - sum(people.values()),
        {f: sum(p.persons for p in parts) for f, (_, parts) in drawn.items()},
    )
    # Cities keep their size; the land around them is stretched until the nation has its people.
    around = sum(sum(sizes.values()) for sizes, _ in drawn.values()) - sum(inside.values())
    stretch = max((wanted - sum(inside.values())) / around, 1.0)
    out: list[State] = []
    prefix = FIRST_ZIP_PREFIX
    for fips, postal, name in STATES:
        if fips in known:
            state = replace(known[fips], focus=None, tract_size=TRACT_SIZE)
        else:
            sizes, parts = drawn[fips]
            city: dict[str, int] = {}
            for part in parts:
                city[part.county] = city.get(part.county, 0) + part.persons
            sizes = {c: city.get(c, 0) + int((n - city.get(c, 0)) * stretch) for c, n in sizes.items()}
            people[fips] = sum(sizes.values())
            pumas = max(1, round(people[fips] / PERSONS_PER_PUMA))
            codes = tuple(f"{n:03d}00" for n in range(1, pumas + 1))
            newer = tuple(f"{n:03d}01" for n in range(1, pumas + 2))
            plan = {v: PumaPlan(own={}, pooled=newer if v == 2020 else codes) for v in (2000, 2010, 2020)}
            state = State(
                code=fips,
                postal=postal,
                name=name,
                division=1 + len(out) % 9,
                region=1 + len(out) % 4,
                sample=0,
                sizes=sizes,
                plans=plan,
                zip_prefix=prefix,
                parts=tuple(parts),
                tract_size=TRACT_SIZE,
            )
            prefix += 1 + people[fips] // min(TRACT_SIZE.values()) // TRACTS_PER_ZCTA // 100 + 1
        out.append(state)
    everybody = sum(people[s.code] for s in out)
    return tuple(replace(s, sample=PERSONS[1] * people[s.code] // everybody) for s in out)


def world(years: tuple[int, ...], chosen: tuple[str, ...] | None = None) -> World:
    """The nation, or some of its states (FIPS codes), seen in these years."""
    from sources.synthetic.world import World

    return World(SEED, years, tuple(s for s in states() if chosen is None or s.code in chosen))


def write_sources(root: Path, years: tuple[int, ...]) -> None:
    """Everything but microdata, by the sample's writers; nothing is done if these years are there."""
    from sources.synthetic import version, writers

    stamp = root.parent / "sources.json"
    there = json.loads(stamp.read_text()) if stamp.exists() else {}
    same = there.get("generator") == version()
    if same and set(years) <= set(there["years"]):
        return
    chosen = tuple(sorted({*years, *(there["years"] if same else ())}))
    whole = world(chosen)
    whole.prepare()
    for name, write in writers().items():
        if name != MICRODATA:
            write(root, whole)
    stamp.write_text(json.dumps({"generator": version(), "years": list(chosen)}))


def write_state(root: Path, code: str, year: int, span: int, scale: float) -> None:
    """One state's person and housing zip of a sample, in the Census Bureau's form."""
    from sources.synthetic.acs_pums_census import Layout, write_sample
    from sources.synthetic.people import FIVE_YEARS
    from sources.synthetic.world import World

    state = next(s for s in states() if s.code == code)
    enlarged = scale * (PERSONS[5] / PERSONS[1] / FIVE_YEARS if span == 5 else 1.0)
    # At least a few records of each kind, so that files of small scales are read, too.
    one = replace(state, sample=max(round(state.sample * enlarged), 40))
    # A seed of its own: else all states would draw the same people.
    write_sample(root, World(SEED + int(code), (year,), (one,)), Layout(year, span))


def write_microdata(
    root: Path, samples: list[tuple[int, int]], *, scale: float = 1.0, chosen: tuple[str, ...] | None = None
) -> None:
    """The samples (year, span) of all states, two states at a time; what is there already is not written again."""
    codes = [s.code for s in sorted(states(), key=lambda s: -s.sample) if chosen is None or s.code in chosen]
    for year, span in samples:
        done = root / MICRODATA / f"{year}-{span}yr" / ".whole"
        about = json.dumps({"seed": SEED, "scale": scale, "states": sorted(codes)})
        if done.exists() and done.read_text() == about:
            continue
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            list(pool.map(partial(_state, root, year, span, scale), codes))
        done.write_text(about)


def _state(root: Path, year: int, span: int, scale: float, code: str) -> None:
    write_state(root, code, year, span, scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", default="2022,2023")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--spans", default="1,5")
    parser.add_argument("--states", help="microdata of these states only (FIPS codes)")
    parser.add_argument("--no-sources", action="store_true", help="microdata only")
    options = parser.parse_args()
    from sources.acs.sample import FIVE_YEAR, ONE_YEAR

    years = tuple(int(y) for y in options.years.split(","))
    spans = {int(s) for s in options.spans.split(",") if s}
    chosen = tuple(options.states.split(",")) if options.states else None
    samples = [(y, s) for s, there in ((1, ONE_YEAR), (5, FIVE_YEAR)) for y in years if s in spans and y in there]
    write_microdata(options.folder, samples, scale=options.scale, chosen=chosen)
    if not options.no_sources:
        write_sources(options.folder, years)


if __name__ == "__main__":
    main()
