"""What the tests of the two housing predictors share: households, allocation tables, random samples."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from schemas.acs import Acs1Households, columns

HOUSEHOLD = {
    "year": 2018,
    "survey_year": 2018,
    "state": "10",
    "puma": "00001",
    "puma_vintage": 2010,
    "gq": 1,
    "vacancy": 0,
    "ownershp": 1,
    "hhincome": 40_000,
    "owncost": 99_999,
    "rent": 0,
    "rentgrs": 0,
    "valueh": 9_999_999,
    "adjust": 1.0,
    "age": 50,
    "sex": 1,
    "race": 1,
    "hispan": 0,
    "countyfip": None,
    "hhwt": 10,
}
# No income, no occupant.
UNIT = {"gq": 0, "ownershp": 0, "hhincome": 9_999_999, "age": None, "sex": None, "race": None, "hispan": None}


def owner(**fields) -> dict:
    """An owner household with costs of 500 a month and a home worth 200,000."""
    return {"ownershp": 1, "owncost": 500, "valueh": 200_000, **fields}


def renter(**fields) -> dict:
    """A renter household paying 400, with utilities 500."""
    return {"ownershp": 2, "rent": 400, "rentgrs": 500, **fields}


def for_rent(rent: int, **fields) -> dict:
    """A vacant unit for rent."""
    return {**UNIT, "vacancy": 1, "rent": rent, **fields}


def for_sale(value: int, **fields) -> dict:
    """A vacant unit for sale."""
    return {**UNIT, "vacancy": 2, "valueh": value, **fields}


def households(rows: Iterable[dict], *, replicates: int | None = None) -> pl.LazyFrame:
    """The table `acs1_households`; columns that a row does not name are as in `HOUSEHOLD`, others null.

    Replicate weights are null, or drawn with the seed `replicates`.
    """
    filled = [{**HOUSEHOLD, **row} for row in rows]
    schema = columns(Acs1Households)
    frame = pl.DataFrame(filled, schema={c: t for c, t in schema.items() if c in HOUSEHOLD}).with_columns(
        pl.lit(None, dtype=t).alias(c) for c, t in schema.items() if c not in HOUSEHOLD
    )
    if replicates is not None:
        rng = np.random.default_rng(replicates)
        weight = frame["hhwt"].to_numpy()
        frame = frame.with_columns(
            pl.Series(f"repwt{i}", (weight * rng.choice([3, 10, 17], frame.height)) // 10).cast(pl.Int32)
            for i in range(1, 81)
        )
    return frame.select(list(schema)).lazy()


def sample(size: int, seed: int, pumas: tuple[str, ...], *, owners: int = 1) -> list[dict]:
    """Random households and vacant units with all the odd cases: no cash rent, no cost, losses, GQ 3 to 5.

    Of `owners` + 4 records about `owners` are owner households.
    """
    rng = np.random.default_rng(seed)

    def pick(*values):
        return values[int(rng.integers(len(values)))]

    rows = []
    for _ in range(size):
        row = {
            "puma": pick(*pumas),
            "hhwt": int(rng.integers(1, 200)),
            "gq": pick(1, 1, 1, 1, 2, 3, 4, 5),
            "hhincome": pick(0, -5_000, int(rng.integers(0, 120_000)), int(rng.integers(0, 60_000))),
            "adjust": pick(1.013097, 1.0),
            "age": int(rng.integers(18, 90)),
            "race": int(rng.integers(1, 10)),
            "hispan": pick(0, 0, 0, 1, 4),
            "countyfip": pick(None, "001", "003"),
        }
        kind = pick(*["owner"] * owners, "renter", "renter", "vacant", "vacant")
        if kind == "owner":
            row |= {"owncost": pick(99_999, int(rng.integers(100, 3_000))), "valueh": int(rng.integers(1, 900_000))}
            row["valueh"] = pick(row["valueh"], row["valueh"], 9_999_999)
        elif kind == "renter":
            rent = int(rng.integers(100, 2_500))
            row |= {"ownershp": 2, **pick({}, {"rent": rent, "rentgrs": rent + 80}, {"rent": rent, "rentgrs": rent})}
        else:
            row |= {**UNIT, "vacancy": pick(1, 2, 3, 4, 5, 7), "countyfip": None}
            row |= pick({"rent": int(rng.integers(50, 2_500))}, {"valueh": int(rng.integers(0, 900_000))}, {})
            row |= pick({}, {}, {"valueh": int(rng.integers(0, 300_000))})
        rows.append(row)
    return rows


def allocation(*rows: tuple[str, str, str, float], state: str = "10", vintage: int = 2010, **flags) -> pl.LazyFrame:
    """A table `puma_allocation` from (level, geo, puma, afact); quality 1 unless `flags` maps a geography."""
    frame = pl.DataFrame(rows, schema=["level", "geo", "puma", "afact"], orient="row")
    quality = pl.col("geo").replace_strict(flags.get("quality", {}), default=1)
    reference = pl.col("geo").replace_strict(flags.get("reference", {}), default=quality)
    return frame.select(
        "level",
        pl.lit(state).alias("state"),
        "geo",
        "puma",
        pl.lit(vintage, dtype=pl.Int16).alias("puma_vintage"),
        pl.col("afact").cast(pl.Float64),
        (pl.col("afact") * 10_000).round().cast(pl.Int64).alias("afact_10k"),
        pl.lit(1.0).alias("afact2"),
        pl.lit(0.9).alias("sum_products"),
        quality.cast(pl.Int8).alias("quality"),
        reference.cast(pl.Int8).alias("quality_reference"),
        pl.len().over("level", "geo").cast(pl.Int32).alias("n_pumas"),
    ).lazy()


def cell(frame: pl.DataFrame, geo: str, metric: str, subgroup: str = "All") -> dict:
    """The one row of a figure."""
    found = frame.filter(pl.col("geo") == geo, pl.col("metric") == metric, pl.col("subgroup") == subgroup)
    assert found.height == 1, found
    return found.row(0, named=True)
