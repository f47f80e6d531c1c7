"""Which codes geographies have in which year: facts that readers and methods share."""

from __future__ import annotations

from typing import Final

RENAMED_SINCE: Final = 2015
RENAMED_COUNTIES: Final[dict[str, str]] = {"02270": "02158", "46113": "46102"}
"""Counties that got another code (and name) in `RENAMED_SINCE` and changed in nothing else: code before -> code since.

Wade Hampton became Kusilvak (Alaska), Shannon became Oglala Lakota (South Dakota). Method file crosswalks.md.
"""


def tract_vintage(year: int) -> int:
    """The census whose tracts the tables of data year `year` use: 2010 until 2019, 2020 afterwards."""
    return 2010 if year < 2020 else 2020


def puma_vintage(year: int) -> int:
    """Census whose PUMAs the microdata of data year `year` are allocated with: 2010 until 2021, 2020 from 2022."""
    return 2010 if year < 2022 else 2020
