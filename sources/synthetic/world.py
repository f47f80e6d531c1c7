"""The synthetic world: who lives where. Every raw file of the `sample` profile is drawn from this one description.

A state is a line of people (see `states`). A LAYER is a set of stretches of such lines with codes: counties of some
year, places, PUMAs of some vintage. `World.atoms` cuts all lines at every border of every layer, so that each atom lies
in exactly one unit of each layer; overlaps between any two layers are sums over atoms. A new geography (tracts, ZCTAs,
school districts) is one more entry of `LAYERS`.
"""

from __future__ import annotations

import bisect
import itertools
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from sources import geography
from sources.synthetic.states import CONNECTICUT_2020, CONNECTICUT_COUNTIES, STATES, State

DATA_YEARS: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023)
NOT_A_PLACE: Final = "99999"
NEWEST: Final = DATA_YEARS[-1]

# County codes that a stretch of the line bore before it got its newest one: (state, newest) -> (first year of the newer
# code, older code).
FORMER: Final[dict[tuple[str, str], tuple[int, str]]] = {
    ("02", "063"): (2020, "261"),
    ("02", "066"): (2020, "261"),
    ("02", "158"): (2015, "270"),
    ("46", "102"): (2015, "113"),
}
CONNECTICUT_REGIONS_SINCE: Final = 2022
# A cut of a pool moves to a county border that is nearer than this share of a pool.
CLOSE_PERCENT: Final = 12

TRACTS_PER_ZCTA: Final = 3


@dataclass(frozen=True)
class Span:
    """People number `start` to `end` (exclusive) of a state's line belong to the unit `code`."""

    start: int
    end: int
    code: str


@dataclass(frozen=True)
class Line:
    """One state's line: its spans by newest county, in order."""

    state: State
    counties: tuple[Span, ...]

    @property
    def persons(self) -> int:
        """People on the line (2020)."""
        return self.counties[-1].end

    @cached_property
    def start(self) -> dict[str, int]:
        """Where each county begins."""
        return {span.code: span.start for span in self.counties}

    @cached_property
    def end(self) -> dict[str, int]:
        """Where each county ends."""
        return {span.code: span.end for span in self.counties}


def _joined(spans: list[Span]) -> list[Span]:
    """Neighbouring spans of one code as one span."""
    out: list[Span] = []
    for span in spans:
        if out and out[-1].code == span.code and out[-1].end == span.start:
            out[-1] = Span(out[-1].start, span.end, span.code)
        else:
            out.append(span)
    return out


def _laid(sizes: Iterable[tuple[str, int]]) -> list[Span]:
    """Units of the given (code, people) laid one after another from the start of a line."""
    spans, start = [], 0
    for code, persons in sizes:
        spans.append(Span(start, start + persons, code))
        start += persons
    return _joined(spans)


def counties_of(year: int) -> Callable[[Line], list[Span]]:
    """The layer of the counties that were valid in `year`."""

    def spans(line: Line) -> list[Span]:
        if line.state.code == "09" and year < CONNECTICUT_REGIONS_SINCE:
            cuts = [line.start[region] + persons for _, region, persons in CONNECTICUT_COUNTIES]
            codes = [county for county, _, _ in CONNECTICUT_COUNTIES]
            return [Span(a, b, c) for a, b, c in zip([0, *cuts[:-1]], cuts, codes, strict=True)]
        out = []
        for span in line.counties:
            since, older = FORMER.get((line.state.code, span.code), (0, span.code))
            out.append(Span(span.start, span.end, older if year < since else span.code))
        return _joined(out)

    return spans


def places(line: Line) -> list[Span]:
    """The layer of places; what is in none of them is filled in as `NOT_A_PLACE`."""
    parts = line.state.parts
    spans = [Span(line.start[p.county] + p.start, line.start[p.county] + p.start + p.persons, p.place) for p in parts]
    for part, span in zip(parts, spans, strict=True):
        if span.end > line.end[part.county]:
            raise ValueError(f"place {line.state.code}-{part.place} is larger than what is left of {part.county}")
    return sorted(spans, key=lambda span: span.start)


def _even(span: Span, codes: tuple[str, ...]) -> list[Span]:
    """The span cut into one piece per code, as equal as whole people allow."""
    size = span.end - span.start
    cuts = [span.start + size * i // len(codes) for i in range(len(codes) + 1)]
    return [Span(a, b, code) for (a, b), code in zip(itertools.pairwise(cuts), codes, strict=True)]


def _pooled(counties: list[Span], codes: tuple[str, ...]) -> list[Span]:
    """The counties' people in order, cut into pools of equal size, one per code.

    A cut that comes close to a county border moves there, any other goes through the county: so a pool holds many whole
    counties and, at its ends, often a part of one.
    """
    borders = np.cumsum([0, *(c.end - c.start for c in counties)]).tolist()
    cuts = [0]
    for i in range(1, len(codes)):
        wanted = borders[-1] * i // len(codes)
        nearest = min(borders, key=lambda border: abs(border - wanted))
        close = abs(nearest - wanted) * len(codes) * 100 < borders[-1] * CLOSE_PERCENT
        cuts.append(nearest if close and nearest > cuts[-1] else wanted)
    out = []
    for county, offset in zip(counties, borders[:-1], strict=True):
        end = offset + county.end - county.start
        marks = [offset, *(c for c in cuts if offset < c < end), end]
        for a, b in itertools.pairwise(marks):
            code = codes[bisect.bisect_right(cuts, a) - 1]
            out.append(Span(county.start + a - offset, county.start + b - offset, code))
    return out


def pumas_of(vintage: int) -> Callable[[Line], list[Span]]:
    """The layer of PUMAs of `vintage` (2000, 2010, 2020): counties with codes of their own, pools for the rest."""

    def spans(line: Line) -> list[Span]:
        connecticut = line.state.code == "09"
        if connecticut and vintage == 2020:
            return _laid((puma, persons) for puma, _, persons in CONNECTICUT_2020)
        plan = line.state.plans[vintage]
        counties = counties_of(2010 if connecticut else NEWEST)(line)
        own = [piece for c in counties if c.code in plan.own for piece in _even(c, plan.own[c.code])]
        rest = _pooled([c for c in counties if c.code not in plan.own], plan.pooled)
        return sorted([*own, *rest], key=lambda span: span.start)

    return spans


def tract_code(number: int) -> str:
    """Code of the tract with that running number in its state: 040101, 040102, ..., 041000, 041002, ...

    Every tenth pair begins with a whole number, so that 100000 occurs, which some programs write as 1e+05.
    """
    whole, second = 401 + number // 2, number % 2
    return f"{whole:04d}{2 if second else 0 if whole % 10 == 0 else 1:02d}"


def tracts_of(vintage: int) -> Callable[[Line], list[Span]]:
    """The layer of the census tracts of `vintage` (2010 or 2020): even pieces of counties, numbered along the line.

    A tract lies in one county of every year, in Connecticut also in one planning region.
    """

    def spans(line: Line) -> list[Span]:
        counties = [span for year in (2014, 2020, 2022) for span in counties_of(year)(line)]
        borders = sorted({x for span in counties for x in (span.start, span.end)})
        out: list[Span] = []
        for start, end in itertools.pairwise(borders):
            count = max(1, (end - start) // line.state.tract_size[vintage])
            codes = tuple(tract_code(len(out) + i) for i in range(count))
            out += _even(Span(start, end, ""), codes)
        return out

    return spans


def zctas_of(vintage: int) -> Callable[[Line], list[Span]]:
    """The layer of the ZIP areas (ZCTAs) of `vintage`: neighbouring tracts, across the borders of counties and places.

    The areas of 2010 and of 2020 share codes and not borders, as real ones do.
    """

    def spans(line: Line) -> list[Span]:
        tracts = tracts_of(vintage)(line)
        first = line.state.zip_prefix * 100
        numbers = [first + number // TRACTS_PER_ZCTA for number in range(len(tracts))]
        return _joined([Span(t.start, t.end, f"{n:05d}") for t, n in zip(tracts, numbers, strict=True)])

    return spans


LAYERS: Final[dict[str, Callable[[Line], list[Span]]]] = {
    "county_2014": counties_of(2014),
    "county_2015": counties_of(2015),
    "county_2020": counties_of(2020),
    "county_2022": counties_of(2022),
    "place": places,
    "puma_2000": pumas_of(2000),
    "puma_2010": pumas_of(2010),
    "puma_2020": pumas_of(2020),
    "tract_2010": tracts_of(2010),
    "tract_2020": tracts_of(2020),
    "zcta_2010": zctas_of(2010),
    "zcta_2020": zctas_of(2020),
}


def county_layer(year: int) -> str:
    """Name of the layer that holds the counties of `year`."""
    return max(name for name in LAYERS if name.startswith("county_") and int(name[-4:]) <= year)


class World:
    """The synthetic world of one seed, seen for the data years `years`; by default of the few states of the sample.

    Nothing here depends on the machine, on hash order or on the order of calls: each table draws from a generator of
    its own (`rng`), and all arithmetic on people is in integers.
    """

    def __init__(self, seed: int, years: tuple[int, ...] = DATA_YEARS, states: tuple[State, ...] = STATES) -> None:
        self.seed = seed
        self.years = years
        self.states = states

    def rng(self, *labels: str | int) -> np.random.Generator:
        """A generator for one purpose; equal labels give equal draws."""
        text = "/".join(str(label) for label in labels)
        return np.random.default_rng([self.seed, zlib.crc32(text.encode())])

    def registry(self, level: str, year: int) -> pl.DataFrame:
        """The project's geographies of `level` in `year` that lie in the world: state, geo, name, state_name."""
        listed = geography.geographies(year, [state.code for state in self.states])
        return listed.filter(pl.col("level") == level).drop("level").sort("state", "geo")

    def prepare(self) -> None:
        """Lay out lines and atoms, so that writers may share the world between threads."""
        _ = self.atoms

    @cached_property
    def lines(self) -> dict[str, Line]:
        """Each state's line of people."""
        newest = self.registry("county", NEWEST)
        out = {}
        for state in self.states:
            if state.code == "09":
                spans = _laid((region, persons) for _, region, persons in CONNECTICUT_2020)
            else:
                codes = newest.filter(pl.col("state") == state.code)["geo"].to_list()
                drawn = self.rng("county size", state.code).integers(*state.small, len(codes)).tolist()
                spans = _laid((code, state.sizes.get(code, size)) for code, size in zip(codes, drawn, strict=True))
            out[state.code] = Line(state, tuple(spans))
        return out

    @cached_property
    def atoms(self) -> pl.DataFrame:
        """All lines cut at every border: state, start, end, one code column per layer, pop2010, pop2020.

        Rows are in the order of the lines. `pop2010` shrinks or grows the people of 2020 by a rate of the county.
        """
        frames = []
        for line in self.lines.values():
            spans = {name: layer(line) for name, layer in LAYERS.items()}
            borders = {0, line.persons} | {x for layer in spans.values() for s in layer for x in (s.start, s.end)}
            cuts = sorted(borders)
            columns: dict[str, list[str]] = {}
            for name, layer in spans.items():
                starts = [s.start for s in layer]
                at = [bisect.bisect_right(starts, a) - 1 for a in cuts[:-1]]
                columns[name] = [
                    layer[i].code if i >= 0 and a < layer[i].end else NOT_A_PLACE
                    for i, a in zip(at, cuts[:-1], strict=True)
                ]
            rates = self.rng("growth", line.state.code).integers(880, 1031, len(line.counties)).tolist()
            rate = {span.code: r for span, r in zip(line.counties, rates, strict=True)}
            size = np.diff(cuts)
            growth = np.array([rate[code] for code in columns[county_layer(NEWEST)]])
            frames.append(
                pl.DataFrame({"state": [line.state.code] * (len(cuts) - 1), "start": cuts[:-1], "end": cuts[1:]})
                .with_columns(pl.Series(name, values) for name, values in columns.items())
                .with_columns(pop2010=pl.Series(size * growth // 1000), pop2020=pl.Series(size))
            )
        return pl.concat(frames)

    def people(self, layer: str, year: int) -> pl.DataFrame:
        """People of each unit of `layer` in `year`: state, code, persons. Linear between 2010 and 2020, half after."""
        step = year - 2010 if year <= 2020 else 10
        after = max(0, year - 2020)
        change = pl.col("pop2020") - pl.col("pop2010")
        persons = pl.col("pop2010") + (change * step).floordiv(10) + (change * after).floordiv(20)
        units = self.atoms.group_by("state", pl.col(layer).alias("code")).agg(pl.col("pop2010", "pop2020").sum())
        return units.select("state", "code", persons=persons).sort("state", "code")

    def crosswalk(self, source: str, target: str, people: str) -> pl.DataFrame:
        """How the units of `source` spread over those of `target`, by the people column `people`.

        Columns: state, source, target, persons, afact and afact2 (Int64, in units of 1e-4): the shares of the source's
        and of the target's people, each rounded half up on its own as Geocorr does, so that the factors of a source may
        miss 10,000 by one or two.
        """

        def share(group: str) -> pl.Expr:
            total = pl.col("persons").sum().over("state", group)
            return (20_000 * pl.col("persons") + total).floordiv(2 * total)

        return (
            self.atoms.group_by("state", pl.col(source).alias("source"), pl.col(target).alias("target"))
            .agg(persons=pl.col(people).sum())
            .filter(pl.col("persons") > 0)
            .sort("state", "source", "target")
            .with_columns(afact=share("source"), afact2=share("target"))
        )
