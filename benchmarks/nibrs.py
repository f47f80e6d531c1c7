"""A NIBRS year of 12 million offense records, from its Parquet to the crime rates of all counties and listed places.

    python benchmarks/nibrs.py [--runs 3] [--folder DIR] [--scale 1.0]

SYNTHETIC records of 13,000 agencies in random order. The conversion of the .rds file to Parquet happens once per file
and is measured apart; the same table from pandas is the alternative.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import ways

if TYPE_CHECKING:
    import polars as pl

    from sources.framework import RawFile, Retrieval

YEAR = 2022
RECORDS = 12_000_000
AGENCIES = 13_000
COLUMNS = ("ori", "year", "ucr_offense_code")


def write(folder: Path, scale: float = 1.0) -> str:
    """The offense segment as .rds, the tables it meets, and the list of counties and places."""
    import gzip
    import shutil

    import numpy as np
    import polars as pl
    import pyreadr

    from schemas.justice import PERSONS, PROPERTY, SOCIETY_IN_FAMILIES
    from sources.geography import geographies
    from sources.nibrs import SOURCE, offense_file

    rng, count = np.random.default_rng(11), round(RECORDS * scale)
    areas = geographies(YEAR, None)
    counties = areas.filter(pl.col("level") == "county")
    at = rng.integers(0, counties.height, AGENCIES)
    home = counties[at]
    next_to = (at + 1) % counties.height
    neighbors = counties["state"].gather(next_to) == home["state"]
    several = pl.Series(rng.random(AGENCIES) < 0.08) & neighbors
    other = counties["geo"].gather(next_to)
    agencies = pl.DataFrame(
        {
            "ori": [f"ZZ{i:05d}00" for i in range(AGENCIES)],
            "state": home["state"],
            "city_name": pl.Series([None] * AGENCIES, dtype=pl.String),
            "agency_indicator": "city",
            "core_city": pl.Series(rng.random(AGENCIES) < 0.1),
            "county_1": home["geo"],
        }
    ).with_columns(
        pl.when(several).then(other).alias("county_2"),
        *(pl.lit(None, pl.String).alias(f"county_{i}") for i in (3, 4, 5)),
        population=pl.Series(rng.integers(500, 90_000, AGENCIES)),
        months=pl.lit(12, pl.Int8),
        leaic_county=pl.lit(None, pl.String),
        leaic_place=pl.lit(None, pl.String),
    )
    places = areas.filter(pl.col("level") == "place")
    # Every third agency is a listed city's.
    own = places.with_columns(pl.int_range(pl.len()).over("state").alias("n"))
    agencies = (
        agencies.with_columns(n=pl.int_range(pl.len()).over("state") // 3, third=pl.int_range(pl.len()) % 3)
        .join(own.select("state", "n", place="geo"), on=["state", "n"], how="left")
        .with_columns(leaic_place=pl.when(pl.col("third") == 0).then("place"))
        .drop("n", "third", "place")
    )
    agencies.write_parquet(folder / "agencies.parquet")
    people = areas.select("level", "state", "geo", people=pl.Series(rng.integers(900, 900_000, areas.height)))
    people.write_parquet(folder / "people.parquet")
    areas.write_parquet(folder / "spine.parquet")
    pairs = places.join(counties.group_by("state").agg(pl.col("geo").first().alias("county")), on="state")
    pairs.select("state", "county", place="geo").write_parquet(folder / "county_place.parquet")

    kinds = pl.Series([*PERSONS, *PROPERTY, *SOCIETY_IN_FAMILIES, "drug/narcotic violations", "weapon law violations"])
    usual = rng.pareto(1.5, AGENCIES) + 0.05
    records = pl.DataFrame(
        {
            "ori": agencies["ori"].gather(rng.choice(AGENCIES, count, p=usual / usual.sum())),
            "year": np.full(count, float(YEAR)),
            "ucr_offense_code": kinds.gather(rng.integers(0, len(kinds), count)),
        }
    )
    target = folder / "raw" / SOURCE.key / str(YEAR) / offense_file(YEAR)
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = target.with_suffix(".plain")
    pyreadr.write_rds(str(plain), records.to_pandas())
    with plain.open("rb") as source, gzip.open(target, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(source, packed)
    plain.unlink()
    convert(folder)
    size = target.stat().st_size / 1e6
    return f"{count:,} offense records of {AGENCIES:,} agencies ({size:,.0f} MB .rds); SYNTHETIC data"


def _file(folder: Path) -> tuple[RawFile, Retrieval]:
    from sources.framework import Retrieval
    from sources.nibrs import SOURCE, offense_file

    retrieval = Retrieval(root=folder, scratch=folder / "scratch", offline=True)
    return retrieval.obtain(SOURCE, str(YEAR), (offense_file(YEAR),))[0], retrieval


def convert(folder: Path) -> None:
    """The three wanted columns of the .rds file to Parquet, as at the first use of the file."""
    import shutil

    from sources.framework.rds import as_parquet

    shutil.rmtree(folder / "scratch" / "rds", ignore_errors=True)
    file, retrieval = _file(folder)
    as_parquet(file, COLUMNS, scratch=retrieval.scratch)


def _rates(folder: Path, offenses: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    from metrics.governance import crime

    tables = {n: pl.read_parquet(folder / f"{n}.parquet") for n in ("agencies", "people", "county_place", "spine")}
    rows = crime.compute(offenses, *tables.values(), YEAR)
    return rows.select("level", "state", "geo", "metric", "value")


def ours(folder: Path) -> pl.DataFrame:
    """The project's reader and predictor."""
    from sources.nibrs import build_offenses

    _, retrieval = _file(folder)
    return _rates(folder, build_offenses(YEAR, retrieval))


def pandas_group(folder: Path) -> pl.DataFrame:
    """The Parquet file in pandas, counted by agency and kind; then the same rates."""
    import pandas as pd
    import polars as pl

    (converted,) = (folder / "scratch" / "rds").glob("*.parquet")
    records = pd.read_parquet(converted)
    records["offense"] = records["ucr_offense_code"].str.lower()
    counts = records.groupby(["ori", "offense"]).size().rename("offenses").reset_index()
    return _rates(folder, pl.from_pandas(counts).with_columns(pl.col("offenses").cast(pl.Int64)))


WAYS = (
    ways.Way("conversion of the .rds file, once", convert),
    ways.Way("this project: Parquet to rates", ours, "this project: Parquet to rates"),
    ways.Way("pandas: Parquet to rates", pandas_group, "this project: Parquet to rates"),
)

if __name__ == "__main__":
    ways.main(Path(__file__).resolve(), __doc__ or "", write, WAYS)
