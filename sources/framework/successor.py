"""What the next edition of a source would be called: the newest one with its year moved on in key, names, address."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sources.framework.vintage import SourceFile, Vintage

if TYPE_CHECKING:
    from sources.framework.declare import Source


def moved(text: str, year: int, step: int = 1) -> str:
    """`text` with the year moved on: 2023 -> 2024 and, beside it, 2024 -> 2025; il23, FY23, cbp23, 2022-2023 alike."""
    names = {year: year + step, year + 1: year + 1 + step}
    if re.search(rf"{year - 1}[-_]{year}", text):
        names[year - 1] = year - 1 + step
    long = {str(old): str(new) for old, new in names.items()}
    short = {str(year)[2:]: str(year + step)[2:]}

    def substitute(found: re.Match[str]) -> str:
        return long.get(found[0]) or short.get(found[0]) or found[0]

    return re.sub(r"(?<!\d)\d{4}(?!\d)|(?<=[A-Za-z])\d{2}(?!\d)", substitute, text)


def _file(file: SourceFile, year: int, step: int) -> SourceFile:
    return replace(
        file,
        name=moved(file.name, year, step),
        url=moved(file.url, year, step) if file.url else None,
        accept=tuple(moved(name, year, step) for name in file.accept),
    )


def follow(vintage: Vintage, year: int, step: int = 1) -> Vintage:
    """The edition after `vintage`, of which `year` is the year in names and addresses."""
    return replace(
        vintage,
        key=moved(vintage.key, year, step),
        files=tuple(_file(f, year, step) for f in vintage.files),
        data_years=(max(vintage.data_years) + step,) if vintage.data_years else (),
        published=None,
    )


def year_of(vintage: Vintage) -> int | None:
    """The year by which an edition is called; None if its key holds none."""
    found = re.findall(r"(?<!\d)(20\d{2})(?!\d)|(?<=[a-z])(20\d{2})(?=[a-z])", vintage.key)
    years = [int(a or b) for a, b in found]
    return max(years, default=None)


def next_editions(source: Source, step: int = 1) -> list[Vintage]:
    """The editions that would follow the newest ones and are not declared: one per form (1-year, 5-year ...)."""
    declared = {v.key for v in source.vintages}
    newest: dict[str, tuple[int, Vintage]] = {}
    for vintage in source.vintages:
        year = year_of(vintage)
        if year is not None and vintage.data_years:
            form = vintage.key.replace(str(year), "")
            if form not in newest or year > newest[form][0]:
                newest[form] = (year, vintage)
    found = [follow(vintage, year, step) for year, vintage in newest.values()]
    last = max((max(v.data_years) for v in found), default=None)
    return [v for v in found if v.key not in declared and v.data_years and max(v.data_years) == last]
