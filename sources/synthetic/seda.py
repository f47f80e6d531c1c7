"""Synthetic Stanford Education Data Archive 5.0: counties as a Stata file, districts as CSV.

Cases: counties with one, two, four and six scores; groups whose score is withheld while its test takers are told; a
state without scores for the newest cohort; Kalawao absent; the county codes of 2015 to 2019.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from sources.synthetic.files import NOTICE, write_bytes
from sources.synthetic.schools import layout
from sources.synthetic.world import World

SOURCE: Final = "seda"
RELEASE: Final = "5.0"
DATA_YEARS: Final = range(2014, 2019)
LAYER: Final = "county_2015"
KALAWAO: Final = "15005"
# Without scores for the cohort that was in grade 8 in spring 2019, like New York.
SILENT_STATE: Final = "44"
NEWEST_COHORT: Final = 2019
WITHHELD_BELOW: Final = 20
# Group -> share of the test takers (permille), level of the scores, slope.
GROUPS: Final[dict[str, tuple[int, float, float]]] = {
    "all": (1000, 0.0, 1.0),
    "wht": (480, 0.5, 1.0),
    "blk": (210, -0.8, 0.95),
    "hsp": (240, -0.6, 1.02),
    "asn": (50, 0.9, 1.05),
    "nam": (20, -0.9, 0.94),
    "mal": (510, -0.3, 0.98),
    "fem": (490, 0.3, 1.03),
    "ecd": (550, -0.7, 0.96),
    "nec": (450, 0.8, 1.01),
}


def scores(world: World, units: list[tuple[str, int]], column: str) -> pl.DataFrame:
    """The archive's columns for units (number, people): a row per unit, subject, grade and spring."""
    base = pl.DataFrame(units, schema={column: pl.String, "people": pl.Int64}, orient="row").with_row_index("at")
    rows = (
        base.join(pl.DataFrame({"subject": ["mth", "rla"]}), how="cross")
        .join(pl.DataFrame({"grade": range(3, 9)}), how="cross")
        .join(pl.DataFrame({"year": range(2009, 2020)}), how="cross")
        # Mathematics is there to be left out; two springs of it are enough.
        .filter((pl.col("subject") == "rla") | (pl.col("year") < 2011))
        .sort("at", "subject", "year", "grade")
    )
    rng = world.rng("seda", column)
    at, grade, spring = (rows[c].to_numpy() for c in ("at", "grade", "year"))
    state = rows[column].str.head(2).to_numpy()
    level, slope = rng.normal(0, 0.7, base.height), rng.normal(0, 0.08, base.height)
    cohort = spring - grade + 8
    few = np.select([at % 17 == 7, at % 17 == 11, at % 17 == 13], [1, 2, 4], 6)
    absent = (grade - 3 >= few) | ((state == SILENT_STATE) & (cohort == NEWEST_COHORT))
    columns: dict[str, np.ndarray] = {}
    for group, (share, group_level, group_slope) in GROUPS.items():
        tests = rows["people"].to_numpy() // 80 * share // 1000 + rng.integers(0, 15, rows.height)
        mean = group_level + level[at] + (group_slope + slope[at]) * grade + rng.normal(0, 0.12, rows.height)
        withheld = absent | (tests < WITHHELD_BELOW)
        # Some withheld cells tell how many were tested.
        hidden = absent | (withheld & (rng.random(rows.height) < 0.6))
        columns[f"gcs_mn_{group}"] = np.where(withheld, np.nan, mean.round(4))
        columns[f"tot_asmt_{group}"] = np.where(hidden, np.nan, tests)
    values = pl.DataFrame(columns).fill_nan(None)
    fips = pl.col(column).str.head(2).cast(pl.Int8)
    return (
        rows.select(fips=fips, **{column: pl.col(column).cast(pl.Int32)})
        .hstack(rows.select("subject", pl.col("grade").cast(pl.Int8), pl.col("year").cast(pl.Int16)))
        .hstack(values)
    )


def stata(frame: pl.DataFrame) -> bytes:
    """The frame as a Stata file, without the time of day."""
    import datetime

    buffer = io.BytesIO()
    frame.to_pandas().to_stata(
        buffer,
        write_index=False,
        version=117,
        time_stamp=datetime.datetime(1980, 1, 1),
        data_label=NOTICE.partition(".")[0],
    )
    return buffer.getvalue()


def write(root: Path, world: World) -> None:
    """Both files, whole whichever of the world's years need them."""
    if not set(world.years) & set(DATA_YEARS):
        return
    folder = root / SOURCE / RELEASE
    counties = [(s + c, n) for s, c, n in world.people(LAYER, 2018).iter_rows() if s + c != KALAWAO]
    county = scores(world, counties, "sedacounty")
    write_bytes(folder / f"seda_county_long_gcs_{RELEASE}.dta", stata(county))
    district = scores(world, [(d.leaid, d.people) for d in layout(world)[0]], "sedalea")
    write_bytes(folder / f"seda_geodist_long_gcs_{RELEASE}_updated_20240319.csv", district.write_csv().encode())
