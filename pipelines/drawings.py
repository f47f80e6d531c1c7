"""Drawings of estimates as SVG text: how figures are distributed, by year, who is lowest and highest, and where.

A plotting library would take longer than the estimates of most years; these take a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import polars as pl

from schemas.labels import ALL

BINS: Final = 24
MOST_PANELS: Final = 4
MOST_MAPS: Final = 2
ENDS: Final = 5
"""So many of the lowest and of the highest counties are named."""
_WIDTH, _HEIGHT, _MARGIN = 260, 90, 16
_INK, _SOFT = "#17202a", "#6b7785"
COLORS: Final = {"county": "#2166ac", "place": "#e08214"}
_WEAK: Final = 3

# Rows of the tile map, west to east; two dots are an empty tile.
_TILES: Final = (
    "AK .. .. .. .. .. .. .. .. .. ME",
    ".. .. .. .. .. WI .. .. .. VT NH",
    "WA ID MT ND MN IL MI .. NY MA ..",
    "OR NV WY SD IA IN OH PA NJ CT RI",
    "CA UT CO NE MO KY WV VA MD DE ..",
    ".. AZ NM KS AR TN NC SC DC .. ..",
    ".. .. .. OK LA MS AL GA .. .. ..",
    "HI .. .. TX .. .. .. .. FL .. ..",
)
TILES: Final[dict[str, tuple[int, int]]] = {
    postal: (x, y) for y, row in enumerate(_TILES) for x, postal in enumerate(row.split()) if postal != ".."
}
_SHADES: Final = ("#e7f0f7", "#b9d3e8", "#7fb0d5", "#4287bf", "#1d5c96")
_TILE: Final = 22


def overall(frame: pl.DataFrame) -> pl.DataFrame:
    """The figures for everyone that there are."""
    return frame.filter(pl.col("value").is_not_null() & (pl.col("subgroup") == ALL))


def spread(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """How the overall figures of a year lie: metric, level, figures, p25, p50, p75, one record per metric and level."""
    value = pl.col("value")
    quartiles = {f"p{q}": value.quantile(q / 100, "linear") for q in (25, 50, 75)}
    return (
        overall(frame).group_by("metric", "level").agg(figures=pl.len(), **quartiles).sort("metric", "level").to_dicts()
    )


def metrics(shown: pl.DataFrame, most: int = MOST_PANELS) -> list[str]:
    """The metrics that are drawn."""
    return list(shown["metric"].unique().sort().to_list()[:most])


def _text(x: float, y: float, said: str, *, size: int = 10, anchor: str = "start", color: str = _INK) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}"'
    return f'<text {where} text-anchor="{anchor}" fill="{color}">{escape(said)}</text>'


def _row(panels: Sequence[str], height: int) -> tuple[str, int, int]:
    """Panels side by side: drawing, width, height."""
    step = _WIDTH + 3 * _MARGIN
    placed = "".join(f'<g transform="translate({_MARGIN + i * step},{_MARGIN})">{p}</g>' for i, p in enumerate(panels))
    return placed, len(panels) * step, height + 3 * _MARGIN


def picture(*rows: tuple[str, int, int]) -> str:
    """Rows of panels below one another, as a whole SVG document on white ground."""
    width, height = max(w for _, w, _ in rows), sum(h for _, _, h in rows)
    body, y = "", 0
    for drawing, _, tall in rows:
        body += f'<g transform="translate(0,{y})">{drawing}</g>'
        y += tall
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{body}</svg>'
    )


def histograms(shown: pl.DataFrame) -> tuple[str, int, int]:
    """A panel per metric: how many counties and places have figures from low to high (`shown`: `overall` ones)."""
    panels = []
    for metric in metrics(shown):
        values = shown.filter(pl.col("metric") == metric)
        low, high = float(values["value"].min()), float(values["value"].max())  # type: ignore[arg-type]
        position = ((pl.col("value") - low) / max(high - low, 1e-300) * BINS).floor().clip(0, BINS - 1).cast(pl.Int32)
        counts = values.group_by("level", position.alias("bin")).len()
        tallest = int(counts["len"].max())  # type: ignore[arg-type]
        bars = "".join(
            f'<rect x="{b * _WIDTH / BINS:.1f}" y="{_HEIGHT - n * _HEIGHT / tallest:.1f}" '
            f'width="{_WIDTH / BINS - 1:.1f}" height="{n * _HEIGHT / tallest:.1f}" '
            f'fill="{COLORS[level]}" fill-opacity="0.6"/>'
            for level, b, n in counts.sort("level", "bin").iter_rows()
        )
        sizes = values.group_by("level").len().sort("level").iter_rows()
        said = "".join(
            _text(_WIDTH, 8 + 11 * i, f"{n:,} {_several(level, n)}", anchor="end", color=COLORS[level])
            for i, (level, n) in enumerate(sizes)
        )
        ends = _text(0, _HEIGHT + 12, f"{low:.4g}") + _text(_WIDTH, _HEIGHT + 12, f"{high:.4g}", anchor="end")
        panels.append(_text(0, -4, metric, size=11) + bars + said + ends)
    return _row(panels, _HEIGHT)


def _several(level: str, n: int) -> str:
    one, many = ("county", "counties") if level == "county" else ("city", "cities")
    return one if n == 1 else many


def years(spreads: Mapping[int, Sequence[Mapping[str, Any]]], named: Sequence[str]) -> tuple[str, int, int]:
    """A panel per metric: for each year the middle half of counties and of places, and the median as a dot."""
    panels = []
    for metric in named:
        rows = [(y, s) for y, found in sorted(spreads.items()) for s in found if s["metric"] == metric]
        low, high = min(s["p25"] for _, s in rows), max(s["p75"] for _, s in rows)
        there = sorted({y for y, _ in rows})
        step = _WIDTH / len(there)

        def at(value: float, low: float = low, high: float = high) -> float:
            return _HEIGHT - (value - low) / max(high - low, 1e-300) * _HEIGHT

        marks = [_text(0, -6, f"{metric} by year", size=11)]
        for year, s in rows:
            x = (there.index(year) + (0.42 if s["level"] == "county" else 0.62)) * step
            color = COLORS[s["level"]]
            marks.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{at(s["p25"]):.1f}" y2="{at(s["p75"]):.1f}" '
                f'stroke="{color}" stroke-width="5" stroke-opacity="0.4" stroke-linecap="round"/>'
                f'<circle cx="{x:.1f}" cy="{at(s["p50"]):.1f}" r="3.2" fill="{color}"/>'
            )
        marks += [_text((i + 0.5) * step, _HEIGHT + 14, str(y), anchor="middle") for i, y in enumerate(there)]
        marks += [
            _text(0, _HEIGHT + 27, "dot: median; bar: middle half of the areas", color=_SOFT, size=9),
            _text(_WIDTH + 4, at(high) + 8, f"{high:.4g}", color=_SOFT, size=9),
            _text(_WIDTH + 4, at(low) + 4, f"{low:.4g}", color=_SOFT, size=9),
        ]
        panels.append("".join(marks))
    return _row(panels, _HEIGHT + 12)


def ranking(shown: pl.DataFrame, names: pl.DataFrame) -> tuple[str, int, int]:
    """A panel per metric: the lowest and the highest counties (places where there are none), by name.

    `names` has level, state, geo and label. Weak figures are hollow; of equal ones the first by code is taken.
    """
    panels, tall, line = [], 0, 13
    for metric in metrics(shown, MOST_MAPS):
        values = shown.filter(pl.col("metric") == metric)
        level = "county" if "county" in values["level"] else "place"
        ranked = values.filter(pl.col("level") == level).sort("value", "state", "geo")
        ends = pl.concat([ranked.head(ENDS), ranked.tail(min(ENDS, max(ranked.height - ENDS, 0)))])
        ends = ends.join(names, on=["level", "state", "geo"], how="left", maintain_order="left")
        low, high = float(ends["value"][0]), float(ends["value"][-1])
        marks = [_text(0, -4, f"{metric}: lowest and highest {_several(level, 2)}", size=11)]
        y = 0
        for i, (value, quality, label) in enumerate(ends.select("value", "quality", "label").iter_rows()):
            y = line * (i + 1) + (6 if i >= ENDS else 0)
            x = 168 + (value - low) / max(high - low, 1e-300) * (_WIDTH - 168 - 44)
            color = COLORS[level]
            marks.append(
                _text(0, y, _cut(label or ""), size=9)
                + f'<circle cx="{x:.1f}" cy="{y - 3}" r="3.4" fill="{"#fff" if quality == _WEAK else color}" '
                f'stroke="{color}"/>' + _text(_WIDTH, y, f"{value:.4g}", size=9, anchor="end")
            )
        tall = max(tall, y)
        panels.append("".join(marks))
    return _row(panels, tall)


def _cut(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"


def tile_map(shown: pl.DataFrame, postal_of: Mapping[str, str]) -> tuple[str, int, int]:
    """A panel per metric: the median county of each state, darker is higher; a state without figures is empty.

    `postal_of` maps FIPS codes of states to postal codes. Cities stand in where a metric has no counties.
    """
    panels = []
    for metric in metrics(shown, MOST_MAPS):
        values = shown.filter(pl.col("metric") == metric)
        level = "county" if "county" in values["level"] else "place"
        medians = dict(
            values.filter(pl.col("level") == level).group_by("state").agg(pl.col("value").median()).sort("state").rows()
        )
        ordered = sorted(medians.values())
        marks = [_text(0, -4, f"{metric}: median {'county' if level == 'county' else 'city'} by state", size=11)]
        by_postal = {postal_of[state]: value for state, value in medians.items() if state in postal_of}
        for postal, (x, y) in TILES.items():
            value = by_postal.get(postal)
            shade = 0 if value is None else ordered.index(value) * len(_SHADES) // len(ordered)
            fill = "#fff" if value is None else _SHADES[shade]
            ink = "#b5bec7" if value is None else "#fff" if shade > 2 else _INK
            marks.append(
                f'<rect x="{x * _TILE}" y="{y * _TILE}" width="{_TILE - 2}" height="{_TILE - 2}" rx="2" fill="{fill}" '
                f'stroke="#d5dce3"/>'
                + _text(x * _TILE + 10, y * _TILE + 13.5, postal, size=9, anchor="middle", color=ink)
            )
        y = len(_TILES) * _TILE + 10
        marks.append(_text(0, y, f"lightest {ordered[0]:.4g}, darkest {ordered[-1]:.4g}", size=9, color=_SOFT))
        panels.append("".join(marks))
    return _row(panels, len(_TILES) * _TILE + 4)
