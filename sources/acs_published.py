"""The Census Bureau's own published figures beside which ours are put: tables of the American Community Survey.

Nothing is computed from them: they calibrate. One file per table and kind of area holds the whole nation, in the form
of the Census API. One-year tables cover areas of 65,000 people and more; there are none of 2020. What is taken from
each table stands with its label in `acs_published_variables.csv`. Lines of subject tables (S...) have moved between
vintages: a file in which the lines of the parts do not add up to that of the whole is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Final

import polars as pl

from schemas.errors import InputError, OwedError
from schemas.published import AcsPublishedModel
from sources.census_forms import ANNOTATIONS, CONTROLLED, COUNTY, PLACE, Geography, api_table
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.partial import obtain_available
from sources.framework.strict import Raw, read_bytes

YEARS: Final = tuple(range(2015, 2024))
NO_ONE_YEAR: Final = 2020
LEVELS: Final[dict[str, Geography]] = {"county": COUNTY, "place": PLACE}
_MISSING: Final = ("", "null", *ANNOTATIONS)


def _variables() -> dict[str, dict[str, str]]:
    """Table -> its variables (without the final E or M) and their labels."""
    rows = pl.read_csv((resources.files("sources") / "acs_published_variables.csv").read_bytes(), infer_schema=False)
    found: dict[str, dict[str, str]] = {}
    for table, variable, label in rows.select("table", "variable", "label").iter_rows():
        found.setdefault(table, {})[variable] = label
    return found


VARIABLES: Final = _variables()


@dataclass(frozen=True)
class Published:
    """One table of the Bureau: the samples it is asked of, and our figures.

    `figures` maps our metric to (value, margin) as expressions over the variables' columns. `first_year` is the first
    vintage that has the table in this form. `whole` and `parts` are variables that must add up, part by part.
    """

    table: str
    samples: tuple[str, ...]
    figures: dict[str, Callable[[], tuple[pl.Expr, pl.Expr]]]
    first_year: int = YEARS[0]
    whole: str = ""
    parts: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that are asked for."""
        return tuple(VARIABLES[self.table])

    def of(self, sample: str, year: int) -> bool:
        """Whether there is such a table."""
        return sample in self.samples and year >= self.first_year

    @property
    def columns(self) -> tuple[str, ...]:
        """The API's columns: estimates and margins of error."""
        return tuple(f"{v}{part}" for v in self.variables for part in ("E", "M"))


def _plain(variable: str) -> Callable[[], tuple[pl.Expr, pl.Expr]]:
    return lambda: (pl.col(f"{variable}E"), pl.col(f"{variable}M"))


def _share(inside: Sequence[str], outside: Sequence[str]) -> Callable[[], tuple[pl.Expr, pl.Expr]]:
    """A share of counts and its margin: the Bureau's formula for proportions, that for ratios where it has no root."""

    def figures() -> tuple[pl.Expr, pl.Expr]:
        def total(names: Sequence[str]) -> pl.Expr:
            return pl.sum_horizontal((pl.col(f"{n}E") for n in names), ignore_nulls=False)

        def squares(names: Sequence[str]) -> pl.Expr:
            return pl.sum_horizontal((pl.col(f"{n}M") ** 2 for n in names), ignore_nulls=False)

        whole = total([*inside, *outside])
        share = pl.when(whole > 0).then(total(inside) / whole)
        part, rest = squares(inside), share**2 * squares([*inside, *outside])
        under_root = pl.when(part >= rest).then(part - rest).otherwise(part + rest)
        return share, under_root.sqrt() / whole

    return figures


def _employed() -> tuple[pl.Expr, pl.Expr]:
    """Employment/population ratio of ages 25 to 54, put together from the rows of S2301 by their people."""
    rows = range(4, 8)
    people = [pl.col(f"S2301_C01_{i:03d}E") for i in rows]
    whole = pl.sum_horizontal(people, ignore_nulls=False)
    parts = [n * pl.col(f"S2301_C03_{i:03d}E") / 100 for n, i in zip(people, rows, strict=True)]
    errors = [(n * pl.col(f"S2301_C03_{i:03d}M") / 100) ** 2 for n, i in zip(people, rows, strict=True)]
    share = pl.when(whole > 0).then(pl.sum_horizontal(parts, ignore_nulls=False) / whole)
    return share, pl.sum_horizontal(errors, ignore_nulls=False).sqrt() / whole


def _percent(variable: str) -> Callable[[], tuple[pl.Expr, pl.Expr]]:
    return lambda: (pl.col(f"{variable}E") / 100, pl.col(f"{variable}M") / 100)


BOTH: Final = ("acs1", "acs5")
ENROLLED: Final = ("B14003_004", "B14003_013", "B14003_032", "B14003_041")
NOT_ENROLLED: Final = ("B14003_022", "B14003_050")
AGES: Final = tuple(f"S2301_C01_{i:03d}" for i in range(2, 12))
TABLES_PUBLISHED: Final = (
    Published("B19013", BOTH, {"pctl_income_50": _plain("B19013_001")}),
    Published("B19080", BOTH, {"pctl_income_20": _plain("B19080_001"), "pctl_income_80": _plain("B19080_004")}),
    Published("S2301", BOTH, {"share_employed": _employed}, whole="S2301_C01_001", parts=AGES),
    Published("B14003", ("acs5",), {"share_in_preschool": _share(ENROLLED, NOT_ENROLLED)}),
    # Subscriptions were first asked for in 2013, so that the first five-year table is that of 2017.
    Published(
        "S2801", ("acs5",), {"share_digital_access": _percent("S2801_C02_017")}, first_year=2017,
        whole="S2801_C01_001", parts=("S2801_C01_012", "S2801_C01_019"),
    ),
)  # fmt: skip
_APART: Final = 0.01
"""Whole and parts of a table may differ by so much, as margins of suppressed lines do, in one area of ten."""


def _samples(year: int) -> tuple[str, ...]:
    return ("acs5",) if year == NO_ONE_YEAR else BOTH


def _file(published: Published, level: str, sample: str, year: int) -> SourceFile:
    group = f"{sample}/subject" if published.table.startswith("S") else sample
    where = "county:*" if level == "county" else "place:*&in=state:*"
    get = ",".join(published.columns)
    return SourceFile(
        f"{level}_{published.table}.json",
        "json",
        f"https://api.census.gov/data/{year}/acs/{group}?get={get}&for={where}",
    )


def vintage_key(sample: str, year: int) -> str:
    """Folder of the published tables of one sample and year."""
    return f"{sample}-{year}"


SOURCE: Final = Source(
    key="acs_published",
    agency="U.S. Census Bureau",
    dataset="American Community Survey, published tables B14003, B19013, B19080, S2301 and S2801",
    citation="U.S. Census Bureau. American Community Survey 1-year and 5-year estimates.",
    licence="Public domain (U.S. government work); the Census API terms of service apply",
    redistribute=True,
    landing_page="https://api.census.gov/data.html",
    access=Access.API_KEY,
    vintages=tuple(
        Vintage(
            key=vintage_key(sample, year),
            files=tuple(
                _file(p, level, sample, year) for p in TABLES_PUBLISHED if p.of(sample, year) for level in LEVELS
            ),
            data_years=(year,),
            published=f"{year + 1}-{'09' if sample == 'acs1' else '12'}",
        )
        for year in YEARS
        for sample in _samples(year)
    ),
    recipe="Used to compare with, never to compute from: no figure waits for these tables.",
    usual_release="September (one year), December (five years)",
)


def published(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_published`: what the Bureau says of the counties and places of a year.

    Tables that cannot be had are owed and left out; areas without a figure have no row. Raises `OwedError` if there is
    no table at all, `InputError` for a file that is no such table.
    """
    frames: list[pl.DataFrame] = []
    lacking: list[OwedError] = []
    for sample in _samples(year):
        try:
            files = obtain_available(retrieval, SOURCE, vintage_key(sample, year))
        except OwedError as error:
            lacking.append(error)
            continue
        for table in (p for p in TABLES_PUBLISHED if p.of(sample, year)):
            for level in LEVELS:
                if (file := files.get(f"{level}_{table.table}.json")) is not None:
                    frames.append(_figures(table, level, sample, file, retrieval))
    if not frames:
        raise lacking[0]
    return pl.concat(frames).sort("level", "state", "geo", "metric", "sample")


def _figures(table: Published, level: str, sample: str, file: RawFile, retrieval: Retrieval) -> pl.DataFrame:
    geography = LEVELS[level]
    raw: Raw = api_table(read_bytes(file.path, source=SOURCE.key), file.path, SOURCE.key)
    raw.select({c: c for c in (*table.columns, *geography.columns)})
    for name, width in geography.parts:
        raw.code(name, width=width, what=f"{name} code")
    margins = [c for c in table.columns if c.endswith("M")]
    # An estimate that is controlled to a fixed total has no sampling error.
    raw.frame = raw.frame.with_columns(pl.col(margins).replace({CONTROLLED: "0"}))
    for column in table.columns:
        raw.number(column, minimum=0, missing=_MISSING)
    raw.unique(*geography.columns)
    _add_up(table, raw, file)
    if retrieval.scope.states is not None:
        raw.drop_rows(~pl.col("state").is_in(list(retrieval.scope.states)))
    rows = raw.frame
    found = []
    for metric, figures in table.figures.items():
        value, margin = figures()
        found.append(
            rows.select(
                pl.lit(level).alias("level"),
                "state",
                pl.col(geography.columns[-1]).alias("geo"),
                pl.lit(metric).alias("metric"),
                pl.lit(sample).alias("sample"),
                value.cast(pl.Float64).alias("published"),
                margin.cast(pl.Float64).alias("published_moe"),
            ).drop_nulls("published")
        )
    both = pl.concat(found)
    key = f"{table.table} {level} {sample}"
    retrieval.notes[key] = {"areas": rows.height, "figures": both.height}
    return both


def _add_up(table: Published, raw: Raw, file: RawFile) -> None:
    """Refuse a file in whose lines the parts do not make the whole: its lines are those of another vintage."""
    if not table.parts:
        return
    whole, parts = pl.col(f"{table.whole}E"), [pl.col(f"{p}E") for p in table.parts]
    both = raw.frame.select(whole=whole, total=pl.sum_horizontal(parts, ignore_nulls=False)).drop_nulls()
    apart = both.filter((pl.col("total") - pl.col("whole")).abs() > _APART * pl.col("whole")).height
    if apart * 10 > both.height:
        raise InputError(
            f"{table.table}: in {apart} of {both.height} areas the lines {table.parts[0]} to {table.parts[-1]} do not "
            f"add up to {table.whole}; the lines of this vintage are others than those of acs_published_variables.csv.",
            source=SOURCE.key, file=str(file.path),
        )  # fmt: skip


TABLES: Final = (
    Table(
        name="acs_published",
        title="Published figures of the Census Bureau to compare with",
        description=(
            "Employment, income, preschool enrollment and internet access as the Census Bureau publishes them for "
            "counties and places. No figure of ours is computed from them; the calibration report of a release puts "
            "the two side by side."
        ),
        model=AcsPublishedModel,
        sources=("acs_published",),
        years=YEARS,
        build=published,
    ),
)
