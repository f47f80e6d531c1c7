"""What the reference does with the ACS in every predictor: switches that do the same, and entries of the register.

Method files crosswalks.md, sections 6 and 7, and acs_microdata.md, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from metrics.deviation import Deviation, PublishedRow


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


def mixed_pumas(predictor: str, effect: str) -> Deviation:
    """The 2014 5-year file, whose interviews of 2010 and 2011 carry PUMAs of the 2000 census."""
    return Deviation(
        id=f"{predictor}/pumas-2014",
        kind="deviation",
        predictor=predictor,
        reference=(
            "The 5-year file of 2014 is allocated by PUMA codes of the 2010 census alone. Interviews of 2010 and 2011, "
            "coded to PUMAs of the 2000 census, are lost or fall into other areas that have the same code."
        ),
        ours=(
            "Interviews of 2010 and 2011 are left out; the reference period is 2012-2014. "
            "`Reproduce(pumas_by_code=True)` joins by code."
        ),
        why="A code means another area in each census, and no crosswalk from PUMAs of 2000 is at hand.",
        effect=effect,
    )


def place_quality(predictor: str, years: str) -> Deviation:
    """The quality flags of places before 2022."""
    return Deviation(
        id=f"{predictor}/place-quality",
        kind="deviation",
        predictor=predictor,
        reference=(
            "For places before 2022 the share of the place in each PUMA was worked out for the place code across all "
            "states, although codes repeat from state to state. The statistic behind the flag comes out too low."
        ),
        ours=(
            "The share is worked out within the state and place. `Reproduce(place_quality=True)` takes the "
            "reference's flags."
        ),
        why="Winston-Salem, nine tenths of which coincide with its PUMAs, was flagged weak.",
        effect=(
            f"157 of 485 places have a better flag ({years}): 219 strong, 249 marginal and 17 weak instead of 101, 259 "
            "and 125 before suppression. No value, bound or suppression changes."
        ),
    )


def county_codes(predictor: str, effect: str, rows: tuple[PublishedRow, ...]) -> Deviation:
    """Counties whose code changed: the reference has those of 2020 in all years before 2022, and loses them."""
    return Deviation(
        id=f"{predictor}/county-codes",
        kind="deviation",
        predictor=predictor,
        reference=(
            "County figures of all years before 2022 stand under the codes of 2020. Where they meet the list of the "
            "year's counties, 02063 and 02066 (until 2019), 02158 and 46102 (in 2014) are lost, and 02261, 02270 and "
            "46113 remain without figures."
        ),
        ours="Figures are worked out for the counties of the year: 02261 until 2019, 02270 and 46113 in 2014.",
        why="02270 and 46113 only changed name and code in 2015; 02261 was divided in 2020.",
        effect=effect,
        rows=rows,
    )
