"""Switches that do with the ACS what the reference does in every predictor (register: `metrics.acs_deviations`).

Method files crosswalks.md, section 6, and acs_microdata.md, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl


@dataclass(frozen=True)
class Reproduce:
    """Flaws of the reference to put in again, to compare with its files.

    `pumas_by_code`: interviews of 2010 and 2011 stay in the 5-year file of 2014, their PUMA codes taken for codes of
    the 2010 census. `place_quality`: the flags of places before 2022 as the reference has them.
    """

    pumas_by_code: bool = False
    place_quality: bool = False

    def allocation(self, puma_allocation: pl.LazyFrame) -> pl.LazyFrame:
        """The table `puma_allocation` with the quality that is wanted."""
        if not self.place_quality:
            return puma_allocation
        return puma_allocation.with_columns(pl.col("quality_reference").alias("quality"))


OURS: Final = Reproduce()
REFERENCE: Final = Reproduce(pumas_by_code=True, place_quality=True)
