"""The air toxics index of tracts: a rank in the nation by three hazards. Method file environment.md, section 4."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl

from metrics.tracts import TRACT
from schemas.vintages import RENAMED_COUNTIES

HAZARDS: Final = ("cancer", "neurological", "respiratory")

# Tracts that the assessments still have under the codes of before the changes that the tract lists follow.
_RECODED: Final = """
    36053940101>36053030101 36053940102>36053030102 36053940103>36053030103 36053940200>36053030200
    36053940300>36053030300 36053940401>36053030401 36053940700>36053030402 36053940403>36053030403
    36053940600>36053030600 36065940100>36065024700 36065940000>36065024800 36065940200>36065024900
    04019002701>04019002704 04019002903>04019002906 04019410501>04019004118 04019410502>04019004121
    04019410503>04019004125 04019470400>04019005200 04019470500>04019005300 06037930401>06037137000
    51515050100>51019050100
"""
RECODED: Final[dict[str, str]] = {old: new for pair in _RECODED.split() for old, new in [pair.split(">")]}


def recoded(rows: pl.DataFrame, *key: str, census: int = 2010) -> pl.DataFrame:
    """`rows` (state, county, tract, ...) under the codes of the tract lists, sorted by code and the rest of the key.

    A tract that stands there under both codes keeps the row of the newer one. `key` names further key columns. Tracts
    of the 2020 `census` have their codes already, some of which are former codes of other tracts.
    """
    if census != 2010:
        return rows.sort(*TRACT, *key)
    code = pl.concat_str(TRACT)
    # The tracts of renamed counties kept their six digits.
    new = (code.str.head(5).replace(RENAMED_COUNTIES) + code.str.slice(5)).replace(RECODED)
    digits = pl.col("new").str
    return (
        rows.with_columns(new.alias("new"), (new != code).alias("moved"))
        .sort("new", *key, "moved")
        .unique(["new", *key], keep="first", maintain_order=True)
        .with_columns(state=digits.slice(0, 2), county=digits.slice(2, 3), tract=digits.slice(5, 6))
        .select(rows.columns)
    )


def ranked(air_toxics: pl.DataFrame, tract_list: pl.DataFrame, *, census: int = 2010) -> pl.DataFrame:
    """The index of every tract of the nation: state, county, tract, envhealth, index (0 to 100, unrounded).

    Each hazard is standardized over all ranked tracts (mean 0, sample standard deviation 1). `envhealth` is minus the
    sum of the three, `index` its percent rank times 100: the share of the other tracts that have dirtier air; ties
    share the lowest rank. Null where a hazard is. Ranked are the tracts of the list, and all tracts of states that the
    list does not hold, so that the index of a part of the nation is that of the whole.
    """
    tracts = recoded(air_toxics, census=census)
    unlisted = ~pl.col("state").is_in(tract_list["state"].unique().implode())
    in_list = tracts.join(tract_list, on=TRACT, how="semi")
    tracts = pl.concat([in_list, tracts.filter(unlisted)]).sort(TRACT)
    cancer, neurological, respiratory = (_standardized(tracts[hazard]) for hazard in HAZARDS)
    envhealth = -(respiratory + cancer + neurological)
    others = tracts.height - envhealth.null_count() - 1
    share = (envhealth.rank("min") - 1) / others if others > 0 else envhealth * np.nan
    return tracts.select(TRACT).with_columns(
        envhealth.alias("envhealth"), (100 * share).fill_nan(None).cast(pl.Float64).alias("index")
    )


def _standardized(values: pl.Series) -> pl.Series:
    """(value - mean) / sample standard deviation; 0 where all are equal. Null stays null.

    The sums are exact, so that neither the order of rows nor the machine decides about ties and ranks.
    """
    known = values.drop_nulls().to_numpy()
    if known.size < 2:
        return values * np.nan
    mean = math.fsum(known) / known.size
    deviation = math.sqrt(math.fsum((known - mean) ** 2) / (known.size - 1))
    return (values - mean) / (deviation or 1.0)
