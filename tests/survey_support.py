"""Helpers of the survey tests: real Geocorr files and spines read minimally, and small synthetic designs."""

import io
import json
import math
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl

REPLICATES = 80


def geocorr(path: Path, level: str, vintage: int, names: dict[str, str]) -> pl.DataFrame:
    """Tidy rows of a Geocorr file as delivered. `names` maps puma, geo and population to the file's columns."""
    text = path.read_bytes().decode("latin-1")
    frame = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False)
    frame = frame.rename({c: c.strip().lower() for c in frame.columns}).with_columns(pl.all().str.strip_chars())
    geo = pl.col(names["geo"])
    return frame.filter(pl.col("state") != "State code").select(
        pl.lit(level).alias("level"),
        "state",
        (geo.str.slice(2) if level == "county" else geo).alias("geo"),
        pl.col(names["puma"]).alias("puma"),
        pl.lit(vintage, dtype=pl.Int16).alias("puma_vintage"),
        pl.col(names["population"]).cast(pl.Float64).alias("population"),
        pl.col("afact", "afact2").cast(pl.Float64),
    )


def county_rows(mirror: Path) -> pl.DataFrame:
    """Both county files, stacked."""
    old = {"puma": "puma12", "geo": "county14", "population": "pop10"}
    new = {"puma": "puma22", "geo": "county", "population": "pop20"}
    folder = mirror / "geocorr"
    return pl.concat(
        [
            geocorr(folder / "puma12-county14" / "geocorr2018_puma_county_2010.csv", "county", 2010, old),
            geocorr(folder / "puma22-county20" / "geocorr2022_puma_county_2020.csv", "county", 2020, new),
        ]
    )


def place_rows(mirror: Path) -> pl.DataFrame:
    """Both place files, stacked."""
    old = {"puma": "puma12", "geo": "placefp14", "population": "pop10"}
    new = {"puma": "puma22", "geo": "place", "population": "pop20"}
    folder = mirror / "geocorr"
    return pl.concat(
        [
            geocorr(folder / "puma12-place10" / "geocorr2018_puma_place_2010.csv", "place", 2010, old),
            geocorr(folder / "puma22-place20" / "geocorr2022_puma_place_2020.csv", "place", 2020, new),
        ]
    )


def spine(mirror: Path, year: int) -> pl.DataFrame:
    """level, state, geo of the year, from the population files."""
    folder = mirror / "popest" / str(year)

    def read(level: str) -> pl.DataFrame:
        if year == 2020:
            rows = json.loads((folder / f"dec2020pl-P1_001N-{level}.json").read_text())
            frame = pl.DataFrame(rows[1:], schema=rows[0], orient="row")
        else:
            name = f"{'co' if level == 'county' else 'sub'}-est{year}{'-alldata' if level == 'county' else ''}.csv"
            text = (folder / name).read_bytes().decode("latin-1")
            frame = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False).rename(str.lower)
            frame = frame.filter(pl.col("sumlev") == ("050" if level == "county" else "162"))
        return frame.select(pl.lit(level).alias("level"), "state", pl.col(level).alias("geo"))

    return pl.concat([read("county"), read("place")])


def allocation_frame(rows: list[tuple[str, str, str, str, float]], *, quality: int = 1) -> pl.DataFrame:
    """A `puma_allocation` table from (level, state, geo, puma, afact) rows, all of the 2010 vintage."""
    frame = pl.DataFrame(rows, schema=["level", "state", "geo", "puma", "afact"], orient="row")
    return frame.select(
        "level",
        "state",
        "geo",
        "puma",
        pl.lit(2010, dtype=pl.Int16).alias("puma_vintage"),
        pl.col("afact").cast(pl.Float64),
        (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
        pl.lit(1.0).alias("afact2"),
        pl.lit(1.0).alias("sum_products"),
        pl.lit(quality, dtype=pl.Int8).alias("quality"),
        pl.lit(quality, dtype=pl.Int8).alias("quality_reference"),
        pl.len().over("level", "state", "geo").cast(pl.Int32).alias("n_pumas"),
    )


def replicate_names(stem: str) -> list[str]:
    """Names of the 80 replicate columns."""
    return [f"{stem}{i}" for i in range(1, REPLICATES + 1)]


def with_replicates(frame: pl.DataFrame, weight: str, stem: str, seed: int) -> pl.DataFrame:
    """Add 80 integer replicate weights, each 0.3, 1 or 1.7 times the full weight."""
    rng = np.random.default_rng(seed)
    factors = rng.choice([0.3, 1.0, 1.7], size=(REPLICATES, frame.height))
    full = frame[weight].to_numpy()
    return frame.with_columns(
        pl.Series(name, np.round(full * factor).astype(np.int32))
        for name, factor in zip(replicate_names(stem), factors, strict=True)
    )


def census_persons(folder: Path, postal: str, year: int, vintage: int) -> pl.DataFrame:
    """The columns employment needs of one state's Census person file, with IPUMS names and codes."""
    with zipfile.ZipFile(folder / f"csv_p{postal}.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith(".csv"))
        frame = pl.read_csv(archive.read(name), infer_schema=False)
    weights = [f"PWGTP{i}" for i in ("", *range(1, REPLICATES + 1))]
    empstat = {"1": 1, "2": 1, "4": 1, "5": 1, "3": 2, "6": 3, "": 0}
    return frame.select(
        pl.lit(year, dtype=pl.Int16).alias("year"),
        pl.lit(year, dtype=pl.Int16).alias("survey_year"),
        pl.col("ST").str.zfill(2).alias("state"),
        pl.col("PUMA").str.zfill(5).alias("puma"),
        pl.lit(vintage, dtype=pl.Int16).alias("puma_vintage"),
        pl.col("RELP").replace_strict({"16": 3, "17": 4}, default=1, return_dtype=pl.Int16).alias("gq"),
        pl.col("AGEP").cast(pl.Int16).alias("age"),
        pl.col("ESR").fill_null("").replace_strict(empstat, return_dtype=pl.Int16).alias("empstat"),
        *(
            pl.col(w).cast(pl.Int32).alias(w.replace("PWGTP", "repwtp") if i else "perwt")
            for i, w in enumerate(weights)
        ),
    )


# ---- a plain reimplementation, cell by cell, to compare with ---------------------------------------------------------


def _factors(records: pl.DataFrame, allocation: pl.DataFrame, level: str, state: str, geo: str) -> list[Fraction]:
    """Allocation factor of each record in a geography, 0 outside."""
    of = {
        (row["state"], row["puma"]): Fraction(round(row["afact"] * 10_000), 10_000)
        for row in allocation.filter(level=level, state=state, geo=geo).iter_rows(named=True)
    }
    return [of.get(key, Fraction(0)) for key in records.select("state", "puma").iter_rows()]


def plain_share(
    records: pl.DataFrame, allocation: pl.DataFrame, geo: tuple[str, str, str], weight: str, stem: str
) -> dict[str, float | int | None]:
    """Share of `y` and its variance in one geography by the definition, in exact fractions."""
    factors = _factors(records, allocation, *geo)
    effective = sum(factors)
    if effective < 30:
        return {"value": None, "n_effective": float(effective), "se": None}

    def theta(column: str) -> Fraction | None:
        w = [f * x for f, x in zip(factors, records[column], strict=True)]
        total = sum(w)
        return sum((a for a, y in zip(w, records["y"], strict=True) if y), Fraction(0)) / total if total else None

    full = theta(weight)
    if full is None:
        return {"value": None, "n_effective": float(effective), "se": None}
    others = [t for t in (theta(c) for c in replicate_names(stem)) if t is not None]
    squares = sum((t - full) ** 2 for t in others)
    return {"value": float(full), "n_effective": float(effective), "se": math.sqrt(Fraction(4, REPLICATES) * squares)}


def plain_quantile(values: list[float], weights: list[int], p: Fraction) -> float | None:
    """The hf3 rule on one list of records."""
    sums: dict[float, int] = {}
    for value, weight in zip(values, weights, strict=True):
        if weight:
            sums[value] = sums.get(value, 0) + weight
    if not sums:
        return None
    ordered = sorted(sums)
    upto, total = [], 0
    for value in ordered:
        total += sums[value]
        upto.append(total)
    below = [k for k, c in enumerate(upto, start=1) if c <= p * total]
    k = below[-1] if below else 1
    if below and upto[k - 1] == p * total and k % 2 == 0:
        return ordered[k - 1]
    return ordered[min(k, len(ordered) - 1)]
