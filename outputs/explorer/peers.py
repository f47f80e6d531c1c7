"""Peers of a place: counties with counties, cities with cities, of the same census region and most alike in size."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from outputs.explorer.states import REGION

PEERS: Final = 5
RULE: Final = (
    "Peers are the five counties (or cities) of the same census region whose population is nearest in proportion, "
    "in the latest year."
)


def peers(places: pl.DataFrame) -> dict[str, list[str]]:
    """Code of each place -> codes of its peers, nearest in size first.

    `places` has geoid, state, population (latest, may be null) and current (whether the place exists in the latest
    year of its level); one level. Places without a population, and former ones, have no peers and are nobody's peer.
    """
    able = places.filter(pl.col("population").is_not_null() & (pl.col("population") > 0) & pl.col("current"))
    able = able.with_columns(pl.col("state").replace_strict(REGION, default=None).alias("region")).sort("geoid")
    found: dict[str, list[str]] = {}
    for _, group in sorted(able.partition_by("region", as_dict=True).items(), key=str):
        codes = group["geoid"].to_list()
        size = np.log(group["population"].to_numpy().astype(float))
        for i, code in enumerate(codes):
            distance = np.abs(size - size[i])
            distance[i] = np.inf
            nearest = np.argsort(distance, kind="stable")[: min(PEERS, len(codes) - 1)]
            found[code] = [codes[j] for j in nearest]
    return found
