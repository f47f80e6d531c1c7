"""The account of one figure on social capital: its cells or ZIP areas, the formula, the rule of its quality.

A table that the figure is made from and that is not there is a `ValueError`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from metrics import associations, connectedness
from metrics.associations import MARGINAL_FROM, PER, STRONG_FROM, UNIT, allocation_quality, rate
from metrics.connectedness import place_quality
from metrics.explanation import Cell, Decision, Explanation, Step
from schemas.social import zcta_vintage

WITHHELD_SINCE: Final = 2017
"""From this year on the source publishes no cell of fewer than three establishments."""


def _there(table: pl.LazyFrame | None, name: str) -> pl.LazyFrame:
    if table is None:
        raise ValueError(f"{name} is not there, so the figure has no account")
    return table


def _height(table: pl.LazyFrame) -> int:
    return int(table.select(pl.len()).collect().item())


def _residents(cell: Cell, spine: pl.LazyFrame) -> int | None:
    here = (pl.col("level") == cell.level) & (pl.col("state") == cell.state) & (pl.col("geo") == cell.geo)
    found = spine.filter(here).select("population").collect()
    return found["population"].item() if found.height else None


def _rate(count: float | None, residents: int | None) -> float | None:
    if count is None or residents is None:
        return None
    frame = pl.DataFrame({"count": [count], "population": [residents]})
    value: float | None = frame.select(rate(pl.col("count"))).item()
    return value


def _rate_formula(count: float | None, residents: int | None, value: float | None) -> str:
    if count is None:
        return "no published cell, so no figure (not 0)"
    if residents is None:
        return f"{count:g} associations, population not known"
    shown = "missing" if value is None else f"{value:.1f}"
    return f"{count:g} associations / ({residents:,} people / {PER:,}) = {shown}"


def _threshold_note(year: int) -> tuple[str, ...]:
    note = "Cells of fewer than three establishments are not published, and so not counted."
    return (note,) if year >= WITHHELD_SINCE else ()


def county_associations(cell: Cell, year: int, cbp_county: pl.LazyFrame | None, spine: pl.LazyFrame) -> Explanation:
    """Associations of a county: `inputs` are its industry cells."""
    cbp_county = _there(cbp_county, "cbp_county")
    counties = associations.county_list(spine)
    cells = associations.county_cells(cbp_county, counties)
    listed = cells.join(counties, on=["state", "county"], how="semi")
    here = listed.filter(pl.col("state") == cell.state, pl.col("county") == cell.geo).sort("naics")
    count = float(here["establishments"].sum()) if here.height else None
    residents = _residents(cell, spine)
    value = _rate(count, residents)
    return Explanation(
        formula=_rate_formula(count, residents, value),
        recomputed=value,
        inputs=here.with_columns(weight=pl.lit(1.0)),
        tables=("cbp_county", "spine"),
        steps=(
            Step("published cells in counties of the year's list", cells.height, listed.height),
            Step(f"published cells of {cell.state}{cell.geo}", listed.height, here.height),
        ),
        decisions=(
            Decision("published cells", float(here.height), "none -> missing, else quality 1", _outcome(value, 1)),
        ),
        notes=_threshold_note(year),
    )


def _outcome(value: float | None, quality: int | None) -> str:
    return "the value is missing" if value is None else f"quality {quality}"


def city_associations(
    cell: Cell, year: int, cbp_zip: pl.LazyFrame | None, zcta_place: pl.LazyFrame | None, spine: pl.LazyFrame
) -> Explanation:
    """Associations of a city: `inputs` are its ZIP areas with both factors."""
    cbp_zip, zcta_place = _there(cbp_zip, "cbp_zip"), _there(zcta_place, "zcta_place")
    parts = associations.place_parts(cbp_zip, zcta_place, year)
    here = parts.filter(pl.col("state") == cell.state, pl.col("place") == cell.geo)
    sums = associations.place_counts(here)
    weighted, products = sums.select("weighted", "products").row(0) if sums.height else (None, None)
    count = None if weighted is None else weighted / UNIT
    residents = _residents(cell, spine)
    value = _rate(count, residents)
    quality = sums.select(allocation_quality(pl.col("products"))).item() if sums.height else None
    zips = cbp_zip.select(pl.col("zip").n_unique()).collect().item()
    matched = cbp_zip.join(zcta_place, left_on="zip", right_on="zcta", how="semi")
    rule = f"{STRONG_FROM / UNIT} or more -> 1, {MARGINAL_FROM / UNIT} or more -> 2, else 3"
    return Explanation(
        formula=_rate_formula(count, residents, value),
        recomputed=value,
        inputs=here.select(
            "zcta",
            "zcta_vintage",
            "cells",
            "establishments",
            weight=pl.col("afact_10k") / UNIT,
            share_of_place=pl.col("afact2_10k") / UNIT,
        ),
        tables=("cbp_zip", "zcta_place", "spine"),
        steps=(
            Step(
                "ZIP codes that are ZIP areas of a listed place",
                zips,
                matched.select(pl.col("zip").n_unique()).collect().item(),
                "the others lie outside, or are post office boxes",
            ),
            Step(
                f"parts of ZIP areas of the census of {zcta_vintage(year)}",
                _height(zcta_place),
                parts.height,
                "one vintage of ZIP areas per year",
            ),
            Step(f"parts of ZIP areas in {cell.state}{cell.geo}", parts.height, here.height),
        ),
        decisions=(
            Decision(
                "how far the ZIP areas are the city's",
                None if products is None else products / UNIT**2,
                rule,
                _outcome(value, quality),
            ),
        ),
        notes=_threshold_note(year),
    )


def county_connectedness(cell: Cell, connectedness_county: pl.LazyFrame | None, spine: pl.LazyFrame) -> Explanation:
    """Connectedness of a county: `inputs` is the source's row."""
    connectedness_county = _there(connectedness_county, "connectedness_county")
    counties = associations.county_list(spine).select("state", "county")
    listed = connectedness_county.join(counties.lazy(), on=["state", "county"], how="semi").collect()
    here = listed.filter(pl.col("state") == cell.state, pl.col("county") == cell.geo)
    figures = connectedness.county_shares(here.lazy())
    found = figures.row(0, named=True) if figures.height else dict.fromkeys(("share", "se", "lb", "ub"))
    share, se, lb, ub = (found[k] for k in ("share", "se", "lb", "ub"))
    formula = "the source has no figure for this county"
    if share is not None:
        formula = (
            f"{connectedness.HALF} x {share / connectedness.HALF:.7g} = {share:.7g}; bounds {share:.7g} -+ "
            f"{connectedness.Z:.6f} x {se:.7g} = {lb:.7g} to {ub:.7g}"
        )
    return Explanation(
        formula=formula,
        recomputed=share,
        inputs=here.with_columns(weight=pl.lit(connectedness.HALF)),
        tables=("connectedness_county",),
        steps=(
            Step("counties of the source on the year's list", _height(connectedness_county), listed.height),
            Step(f"rows of {cell.state}{cell.geo}", listed.height, here.height),
        ),
        decisions=(Decision("figure given", share, "given -> quality 1", _outcome(share, 1)),),
        notes=("The source lists the counties of 2020. The figure is one snapshot, of May 2022.",),
    )


def city_connectedness(
    cell: Cell, connectedness_zcta: pl.LazyFrame | None, zcta_place_area: pl.LazyFrame | None
) -> Explanation:
    """Connectedness of a city: `inputs` are its ZIP areas with the part of each inside."""
    connectedness_zcta = _there(connectedness_zcta, "connectedness_zcta")
    zcta_place_area = _there(zcta_place_area, "zcta_place_area")
    parts = connectedness.place_parts(connectedness_zcta, zcta_place_area)
    here = parts.filter(pl.col("state") == cell.state, pl.col("place") == cell.geo)
    shares = connectedness.place_shares(here)
    found = shares.with_columns(quality=place_quality()).row(0, named=True) if shares.height else None
    share = found["share"] if found else None
    formula = "no ZIP area with a figure lies in this city"
    if found and share is not None:
        formula = (
            f"{connectedness.HALF} x mean of {found['zips']} ZIP areas, weighted by the part of their area inside (sum "
            f"{found['area']:.3f}) = {share:.7g}"
        )
    whole = found["whole"] / found["zips"] if found else None
    return Explanation(
        formula=formula,
        recomputed=share,
        inputs=here.select("zcta", "ec", weight=pl.col("permille") / connectedness.WHOLE),
        tables=("connectedness_zcta", "zcta_place_area"),
        steps=(
            Step("parts of ZIP areas with a figure, in their own state", _height(zcta_place_area), parts.height),
            Step(f"parts of ZIP areas in {cell.state}{cell.geo}", parts.height, here.height),
        ),
        decisions=(
            Decision(
                "part of the ZIP areas wholly inside",
                whole,
                "0.5 or more -> 1, above 0.15 -> 2, else 3",
                _outcome(share, found["quality"] if found else None),
            ),
        ),
        notes=("ZIP areas of 2010, cities of 2021. The figure is one snapshot, of May 2022.",),
    )
