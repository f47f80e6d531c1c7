"""Synthetic Geocorr results: PUMA to county and place, tract and county to place, in the two engines' column orders.

As delivered: two header rows, text quoted, numbers bare with trailing zeros dropped, a blank after the last figure of
each line, Latin-1. The older engine (2018) computed the second factor of places over the bare place code across states;
that flaw is reproduced. The newer one (2022) still gives Connecticut's former counties, and Puerto Rico.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from sources.synthetic.ct_towns import CONNECTICUT
from sources.synthetic.files import write_bytes
from sources.synthetic.world import NOT_A_PLACE, World, county_layer

SOURCE: Final = "geocorr"
ENCODING: Final = "latin-1"

# Two rows of Puerto Rico, which the newer engine's files hold and the project leaves out.
_PUERTO_RICO: Final = (
    ("72", "00100", "72003", "PR", "Aguada Municipio PR", "Synthetic area", 38_000, 10_000, 4_000),
    ("72", "00100", "72011", "PR", "A\u00f1asco Municipio PR", "Synthetic area", 57_000, 10_000, 6_000),
)


def _factor(ten_thousandths: int) -> str:
    """A factor as Geocorr prints it: four decimals, trailing zeros dropped."""
    return f"{ten_thousandths / 10_000:.4f}".rstrip("0").rstrip(".")


def _line(texts: Sequence[str], numbers: Sequence[str]) -> str:
    return ",".join([*(f'"{text}"' for text in texts), *numbers]) + (" \n" if numbers else "\n")


def _puma_name(state: str, puma: str) -> str:
    """A name that says what it is; one has a letter outside ASCII, as some real ones do."""
    return "Pe\u00f1a Blanca, synthetic area" if (state, puma) == ("56", "00100") else f"Synthetic area {puma}"


def _names(world: World, level: str, years: Sequence[int]) -> dict[tuple[str, str], str]:
    """(state, code) -> registry name, over some years; later ones win."""
    out: dict[tuple[str, str], str] = {}
    for year in years:
        for row in world.registry(level, year).iter_rows(named=True):
            out[row["state"], row["geo"]] = row["name"]
    if level == "place":
        out |= {(state.code, code): name for state in world.states for code, name in state.elsewhere.items()}
    return out


def _rows(world: World, puma: str, target: str, people: str) -> list[tuple[str, str, str, int, int, int]]:
    """(state, puma, target, persons, afact, afact2) in the order of the file."""
    return list(world.crosswalk(puma, target, people).iter_rows())


def _write(path: Path, header: Sequence[str], labels: Sequence[str], lines: Sequence[str]) -> None:
    text = "".join([_line(header, ()), _line(labels, ()), *lines])
    write_bytes(path, text.encode(ENCODING))


def _county_name(name: str, postal: str) -> str:
    return f"{name.removesuffix(' County')} {postal}"


def _counties(root: Path, world: World) -> None:
    postal = {s.code: s.postal for s in world.states}
    names = _names(world, "county", (2014, 2020))
    lines = [
        _line(
            (s, p, s + c, postal[s], _county_name(names[s, c], postal[s]), _puma_name(s, p)),
            (str(n), _factor(a), _factor(a2)),
        )
        for s, p, c, n, a, a2 in _rows(world, "puma_2010", county_layer(2014), "pop2010")
    ]
    header = ("state", "puma12", "county14", "stab", "cntyname2", "PUMAname", "pop10", "afact", "AFACT2")
    labels = (
        *("State code", "PUMA (2012)", "County code (2014)", "State abbreviation", "2014 county name", "PUMA12 name"),
        *("Population (2010)", "puma12 to county14 allocation factor", "county14 to puma12 allocation factor"),
    )
    _write(root / SOURCE / "puma12-county14" / "geocorr2018_puma_county_2010.csv", header, labels, lines)

    rows = [
        (s, p, s + c, postal[s], _county_name(names[s, c], postal[s]), _puma_name(s, p), n, a2, a)
        for s, p, c, n, a, a2 in _rows(world, "puma_2020", county_layer(2020), "pop2020")
    ]
    lines = [_line(row[:6], (str(row[6]), _factor(row[7]), _factor(row[8]))) for row in [*rows, *_PUERTO_RICO]]
    header = ("state", "puma22", "county", "stab", "CountyName", "PUMA22name", "pop20", "afact2", "afact")
    labels = (
        *("State code", "PUMA (2022)", "County code", "State abbr.", "County name", "PUMA22 name"),
        *("Total population (2020 Census)", "county-to-puma22 allocation factor", "puma22-to-county allocation factor"),
    )
    _write(root / SOURCE / "puma22-county20" / "geocorr2022_puma_county_2020.csv", header, labels, lines)


def _places(root: Path, world: World) -> None:
    postal = {s.code: s.postal for s in world.states}
    names = _names(world, "place", world.years)

    def name(state: str, place: str, remainder: str) -> str:
        return remainder if place == NOT_A_PLACE else f"{names[state, place]}, {postal[state]}"

    flawed = (
        world.crosswalk("puma_2010", "place", "pop2010")
        .with_columns(everywhere=pl.col("persons").sum().over("target"))
        .with_columns(afact2=(20_000 * pl.col("persons") + pl.col("everywhere")).floordiv(2 * pl.col("everywhere")))
        .drop("everywhere")
    )
    lines = [
        _line(
            (s, p, c, postal[s], " ", " ", name(s, c, " "), _puma_name(s, p)),
            (str(n), _factor(a), _factor(a2)),
        )
        for s, p, c, n, a, a2 in flawed.iter_rows()
    ]
    header: tuple[str, ...] = (
        *("state", "puma12", "placefp14", "stab", "placefp", "placenm", "placenm14", "PUMAname", "pop10"),
        *("afact", "AFACT2"),
    )
    labels: tuple[str, ...] = (
        *("State code", "PUMA (2012)", "Place (2014)", "State abbreviation", "placefp", "placenm", "Place name 2014"),
        *("PUMA12 name", "Population (2010)", "puma12 to placefp14 allocation factor"),
        "placefp14 to puma12 allocation factor",
    )
    _write(root / SOURCE / "puma12-place10" / "geocorr2018_puma_place_2010.csv", header, labels, lines)

    lines = [
        _line(
            (s, p, c, postal[s], name(s, c, "[not in a place]"), _puma_name(s, p)),
            (str(n), _factor(a2), _factor(a)),
        )
        for s, p, c, n, a, a2 in _rows(world, "puma_2020", "place", "pop2020")
    ]
    header = ("state", "puma22", "place", "stab", "PlaceName", "PUMA22name", "pop20", "afact2", "afact")
    labels = (
        *("State code", "PUMA (2022)", "Place code", "State abbr.", "Place name", "PUMA22 name"),
        *("Total population (2020 Census)", "place-to-puma22 allocation factor", "puma22-to-place allocation factor"),
    )
    _write(root / SOURCE / "puma22-place20" / "geocorr2022_puma_place_2020.csv", header, labels, lines)


def _tract_name(code: str) -> str:
    """A tract as Geocorr prints it: 0201.01, 1000.00."""
    return f"{code[:4]}.{code[4:]}"


def _tracts(root: Path, world: World) -> None:
    """Tracts to places: 2010 tracts to places of 2014 and of 2010 (one engine), 2020 tracts to places of 2020."""
    names = _names(world, "place", world.years)

    def name(state: str, place: str) -> str:
        return "[not in a place]" if place == NOT_A_PLACE else names[state, place]

    def rows(tracts: str, counties: str, people: str) -> list[tuple[str, ...]]:
        county = {(s, t): c for s, t, c in world.atoms.select("state", tracts, counties).unique().iter_rows()}
        return [
            (s, s + county[s, t], _tract_name(t), p, str(n), _factor(a), _factor(a2))
            for s, t, p, n, a, a2 in world.crosswalk(tracts, "place", people).iter_rows()
        ]

    older = rows("tract_2010", county_layer(2014), "pop2010")
    for vintage, file, place, other in (
        ("tract10-place14", "geocorr2018_2010tract_to_2014place.csv", "placefp14", "placefp"),
        ("tract10-place10", "geocorr2018_tract_to_place.csv", "placefp", "placefp14"),
    ):
        header: tuple[str, ...] = ("state", "county", "tract", place, other, "placenm", "pop10", "afact", "AFACT2")
        labels: tuple[str, ...] = (
            *("State code", "County code", "Tract", "Place code", other, "Place name", "Population (2010)"),
            *("tract to place allocation factor", "place to tract allocation factor"),
        )
        lines = [_line((s, c, t, p, " ", name(s, p)), (n, a, a2)) for s, c, t, p, n, a, a2 in older]
        _write(root / SOURCE / vintage / file, header, labels, lines)

    header = ("county", "tract", "state", "place", "CountyName", "PlaceName", "pop20", "afact2", "afact")
    labels = (
        *("County code", "Tract", "State code", "Place code", "County name", "Place name"),
        *("Total population (2020 Census)", "place-to-tract allocation factor", "tract-to-place allocation factor"),
    )
    newer = rows("tract_2020", county_layer(2020), "pop2020")
    newer.append(("72", "72003", "4303.00", NOT_A_PLACE, "5000", "1", "0.0020"))
    lines = [_line((c, t, s, p, "Synthetic county", name(s, p)), (n, a2, a)) for s, c, t, p, n, a, a2 in newer]
    _write(root / SOURCE / "tract20-place20" / "geocorr2022_tract_to_place.csv", header, labels, lines)


def _county_places(root: Path, world: World) -> None:
    """Counties to places: of 2014, of 2020, and Connecticut's planning regions to places of 2020."""
    postal = {s.code: s.postal for s in world.states}
    counties, places = _names(world, "county", (2014, 2020, 2022)), _names(world, "place", world.years)

    def texts(state: str, county: str, place: str) -> tuple[str, ...]:
        name = "[not in a place]" if place == NOT_A_PLACE else places[state, place]
        return state, state + county, place, postal[state], _county_name(counties[state, county], postal[state]), name

    older = [
        _line(texts(s, c, p), (str(n), _factor(a), _factor(a2)))
        for s, c, p, n, a, a2 in world.crosswalk(county_layer(2014), "place", "pop2010").iter_rows()
    ]
    header: tuple[str, ...] = (
        *("state", "county14", "placefp14", "stab", "cntyname2", "placenm14", "pop10", "afact", "AFACT2"),
    )
    labels: tuple[str, ...] = (
        *("State code", "County code (2014)", "Place (2014)", "State abbreviation", "2014 county name"),
        *("Place name 2014", "Population (2010)", "county14 to placefp14 allocation factor"),
        "placefp14 to county14 allocation factor",
    )
    file = "geocorr2018_county_place_2014_thru_2019.csv"
    _write(root / SOURCE / "county14-place14" / file, header, labels, older)

    for vintage, file, source, label in (
        ("county20-place20", "geocorr2022_county_place_2020_2021.csv", "county", "County code"),
        (
            "ctregion22-place20",
            "geocorr2022_ct_planning_region_to_place.csv",
            "ctregion",
            "Connecticut planning region",
        ),
    ):
        layer = county_layer(2020 if source == "county" else 2022)
        rows = world.crosswalk(layer, "place", "pop2020")
        if source == "ctregion":
            rows = rows.filter(pl.col("state") == CONNECTICUT)
        lines = [_line(texts(s, c, p), (str(n), _factor(a2), _factor(a))) for s, c, p, n, a, a2 in rows.iter_rows()]
        if source == "county":
            puerto_rico = ("72", "72003", NOT_A_PLACE, "PR", "Aguada Municipio PR", "[not in a place]")
            lines.append(_line(puerto_rico, ("38000", "1", "1")))
        header = ("state", source, "place", "stab", "CountyName", "PlaceName", "pop20", "afact2", "afact")
        labels = (
            *("State code", label, "Place code", "State abbr.", "County name", "Place name"),
            *("Total population (2020 Census)", f"place-to-{source} allocation factor"),
            f"{source}-to-place allocation factor",
        )
        _write(root / SOURCE / vintage / file, header, labels, lines)


def _zctas(root: Path, world: World) -> None:
    """ZIP areas to places, of the 2010 census (one engine) and of 2020; land in no ZIP area has a blank code."""
    names = _names(world, "place", world.years)
    postal = {s.code: s.postal for s in world.states}

    def lines(zctas: str, people: str) -> list[tuple[str, ...]]:
        rows = [
            (
                z,
                s,
                p,
                postal[s],
                "[not in a place]" if p == NOT_A_PLACE else names[s, p],
                str(n),
                _factor(a),
                _factor(b),
            )
            for s, z, p, n, a, b in world.crosswalk(zctas, "place", people).iter_rows()
        ]
        return [*rows, (" ", "56", NOT_A_PLACE, "WY", "[not in a place]", "40", "1", "0.0001")]

    labels = ("ZIP census tabulation area", "State code", "Place code", "State abbr.", "Place name")
    factors = ("zcta-to-place allocation factor", "place-to-zcta allocation factor")
    _write(
        root / SOURCE / "zcta10-place10" / "geocorr2018_zcta_to_place.csv",
        ("zcta5", "state", "placefp", "stab", "placenm", "pop10", "afact", "AFACT2"),
        (*labels, "Population (2010)", *factors),
        [_line(row[:5], row[5:]) for row in lines("zcta_2010", "pop2010")],
    )
    newer = [*lines("zcta_2020", "pop2020"), ("00601", "72", NOT_A_PLACE, "PR", "[not in a place]", "17000", "1", "1")]
    _write(
        root / SOURCE / "zcta20-place20" / "geocorr2022_zcta_to_place.csv",
        ("zcta", "state", "place", "stab", "PlaceName", "pop20", "afact2", "afact"),
        (*labels, "Total population (2020 Census)", *reversed(factors)),
        [_line(row[:5], (row[5], row[7], row[6])) for row in newer],
    )


def write(root: Path, world: World) -> None:
    """The results the predictors need; they do not depend on the world's years."""
    _counties(root, world)
    _places(root, world)
    _tracts(root, world)
    _county_places(root, world)
    _zctas(root, world)
