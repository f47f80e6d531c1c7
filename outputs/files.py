"""Which published file holds what. Files, rows and columns follow from the labels and the catalog.

Eighteen files: one overall file per level, one per level and subgroup type. Two layouts of the same figures:

`clean`      keys, names (and population in the overall files), then one block per metric: value, bounds if the metric
             declares an interval, quality. Metrics stand in one order in all files. Years without any value are left
             out. This is what a release publishes.
`reference`  the column order of the reference's own files (method file published_files.md, section 3), with their
             irregular blocks, the two stray columns of file 61 and the empty years of file 13: for readers who take
             columns by position, and for comparing with the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import polars as pl

from metrics.predictor import Entry, Metric, Predictor, Series
from schemas.estimate import ESTIMATE
from schemas.labels import ALL, LEVELS, SUBGROUPS, Level

Layout = Literal["clean", "reference"]
LAYOUTS: Final[tuple[Layout, ...]] = ("clean", "reference")
Part = Literal["value", "lb", "ub", "quality"]
BOUNDS: Final[tuple[Part, ...]] = ("lb", "ub")
Role = Literal["key", "name", "population", "metric", "stray"]

_FIRST_NUMBER: Final[dict[Level, int]] = {"county": 11, "place": 61}
# Cities have neither an industry nor a births file: the two sources report by county only.
_COUNTY_ONLY: Final = frozenset({"industry", "mothers-education"})
# One file name spells its subgroup type with an underscore; names of files stay as readers know them.
_FILE_SUFFIX: Final = {"mothers-education": "mothers_education"}
# Neighborhood types are published under the type of race and ethnicity, as readers of these files know them.
_PUBLISHED_TYPE: Final = {"race-share": "race-ethnicity"}


FAMILIES: Final[dict[str, str]] = {
    "all": "everyone",
    "race-ethnicity": "race and ethnicity",
    "race-share": "type of neighborhood",
    "income": "income",
    "age": "age",
    "gender": "gender",
    "tenure": "tenure (renters and owners)",
    "disability": "disability",
    "industry": "industry",
    "mothers-education": "mother's education",
}
"""Families of groups in the words of a heading."""


@dataclass(frozen=True)
class PublishedFile:
    """One of the 18 files. `kind` is the subgroup type of its rows beside `All`; "all" for the overall file."""

    number: int
    level: Level
    kind: str

    @property
    def overall(self) -> bool:
        """Whether the file has one row per geography and year."""
        return self.kind == "all"

    @property
    def stem(self) -> str:
        """File name without folder and extension."""
        suffix = "" if self.overall else f"_{_FILE_SUFFIX.get(self.kind, self.kind)}"
        return f"{self.number}_mobility-metrics_{self.level}{suffix}_longitudinal"

    @property
    def view(self) -> str:
        """Name of the file's view in the database: county, county_race_ethnicity, ..."""
        return self.level if self.overall else f"{self.level}_{self.kind.replace('-', '_')}"

    @property
    def title(self) -> str:
        """Heading for readers."""
        where = {"county": "Counties", "place": "Cities"}[self.level]
        return f"{where}, {'' if self.overall else 'by '}{FAMILIES[self.kind]}"

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """(subgroup type, subgroup) of the rows of one geography and year, in row order; types as in `Estimate`."""
        return (("all", ALL), *((self.kind, label) for label in SUBGROUPS[self.kind] if not self.overall))

    @property
    def published_type(self) -> str:
        """What the column `subgroup_type` says for the rows beside `All`."""
        return _PUBLISHED_TYPE.get(self.kind, self.kind)

    def keeps_empty_years(self, layout: Layout) -> bool:
        """File 13 of the reference keeps years without any value, because its year filter counts the county name."""
        return layout == "reference" and self.number == 13


def _files() -> Iterator[PublishedFile]:
    for level in LEVELS:
        kinds = [kind for kind in SUBGROUPS if level == "county" or kind not in _COUNTY_ONLY]
        yield from (PublishedFile(_FIRST_NUMBER[level] + i, level, kind) for i, kind in enumerate(kinds))


FILES: Final[tuple[PublishedFile, ...]] = tuple(_files())


def published_file(number: int) -> PublishedFile:
    """The file of that number; `KeyError` if there is none."""
    for file in FILES:
        if file.number == number:
            return file
    raise KeyError(f"there is no published file {number}; the numbers are {[f.number for f in FILES]}")


@dataclass(frozen=True)
class Column:
    """One column of a wide file: what it is, its type, and for a figure the metric and the part of it."""

    name: str
    role: Role
    dtype: type[pl.DataType]
    metric: str | None = None
    part: Part | None = None


def part_name(metric: str, part: Part) -> str:
    """Column name of a part of a metric: `x`, `x_lb`, `x_ub`, `x_quality`."""
    return metric if part == "value" else f"{metric}_{part}"


def _head(file: PublishedFile, layout: Layout) -> list[Column]:
    where = file.level
    head = [
        Column("year", "key", ESTIMATE["year"]),
        Column("state", "key", pl.String),
        Column(where, "key", pl.String),
        Column("state_name", "name", pl.String),
        Column(f"{where}_name", "name", pl.String),
    ]
    if file.overall:
        return [*head, Column("population", "population", pl.Int64)]
    groups = [Column("subgroup_type", "key", pl.String), Column("subgroup", "key", pl.String)]
    return [*head, *(groups if layout == "clean" else reversed(groups))]


def _metric_column(metric: Metric | None, column: str, part: Part) -> Column:
    text = part == "quality" or (part == "value" and metric is not None and metric.text_format is not None)
    return Column(part_name(column, part), "metric", pl.String if text else pl.Float64, column, part)


def series_of(predictor: Predictor, file: PublishedFile, metric: str, year: int) -> Series | None:
    """The series a file takes a metric's figures of a year from: the first that fits.

    The overall file needs a series marked `overall`; a group file one that has the file's subgroup type, and has it not
    only for the long file. The group file takes its `All` rows from that series too.
    """
    for series in predictor.series:
        fits = series.overall if file.overall else file.kind in set(series.subgroups) - set(series.long_only)
        if fits and year in series.years and file.level in series.levels:
            if series.metrics and metric not in series.metrics:
                continue
            return series
    return None


def choices(file: PublishedFile, entries: Mapping[str, Entry]) -> pl.DataFrame:
    """What a file takes: predictor, metric, year, sample; one row per metric and year."""
    rows = []
    for entry in entries.values():
        predictor = entry.predictor
        for metric in predictor.metrics:
            if not metric.published:
                continue
            for year in predictor.years:
                series = series_of(predictor, file, metric.column, year)
                if series is not None:
                    rows.append((predictor.key, metric.column, year, series.sample))
    return pl.DataFrame(
        rows,
        schema={"predictor": pl.String, "metric": pl.String, "year": ESTIMATE["year"], "sample": pl.String},
        orient="row",
    )


def metrics_by_column(entries: Mapping[str, Entry]) -> dict[str, tuple[Predictor, Metric]]:
    """Metric column -> its predictor and declaration. A column declared twice is an error."""
    found: dict[str, tuple[Predictor, Metric]] = {}
    for entry in entries.values():
        for metric in entry.predictor.metrics:
            if metric.column in found:
                raise ValueError(f"metric {metric.column} is declared by {found[metric.column][0].key} too")
            found[metric.column] = (entry.predictor, metric)
    return found


def columns(file: PublishedFile, entries: Mapping[str, Entry], layout: Layout = "clean") -> tuple[Column, ...]:
    """The columns of a file, in order. `entries` are the predictors of the release.

    The clean layout has the metrics that some series of `entries` gives this file. The reference layout always has all
    of its columns; those of predictors that are not in `entries` stay empty.
    """
    declared = metrics_by_column(entries)
    head = _head(file, layout)
    if layout == "reference":
        return (*head, *(_reference_column(name, declared) for name in reference_columns(file.number)))
    given = set(choices(file, entries)["metric"])
    order = {metric: i for i, metric in enumerate(_reference_metrics(_FIRST_NUMBER["county"]))}
    listed = sorted((m for m in declared if m in given), key=lambda m: order.get(m, len(order)))
    blocks = []
    for name in listed:
        metric = declared[name][1]
        bounds = BOUNDS if metric.interval != "none" else ()
        parts: tuple[Part, ...] = ("value", *bounds, "quality")
        blocks += [_metric_column(metric, name, part) for part in parts]
    return (*head, *blocks)


def is_written(file: PublishedFile, entries: Mapping[str, Entry]) -> bool:
    """Whether some predictor of the release gives this file a metric."""
    return choices(file, entries).height > 0


# --- The reference's column lists -----------------------------------------------------------------------------------
# Shorthand: `q:x` is x, x_quality; `ci:x` is x, x_lb, x_ub, x_quality; `ami:p` is the three income bands of p followed
# by their three qualities; anything else is a column name as it stands.

_HOUSE_VALUE: Final = " ".join(
    f"q:ratio_{g}_house_value_households" for g in ("black_nh", "hispanic", "other_nh", "white_nh")
)
_DEBT: Final = "share_debt_coll share_debt_coll_ub share_debt_coll_lb share_debt_coll_quality"
_HOMELESS_COUNTY: Final = "ci:count_homeless q:share_homeless"
_HOMELESS: Final = (
    "count_homeless count_homeless_lb count_homeless_ub share_homeless count_homeless_quality share_homeless_quality"
)
_INCOME: Final = "ci:pctl_income_20 ci:pctl_income_50 ci:pctl_income_80"
_HOUSING: Final = "ami:share_affordable ami:share_affordable_available"
_CITIZENS: Final = """
    q:share_desc_rep_other q:share_desc_rep_black_nonhispanic q:share_desc_rep_hispanic
    q:share_desc_rep_white_nonhispanic q:share_election_turnout q:share_black_nh_exposure q:share_hispanic_exposure
    q:share_other_nh_exposure q:share_white_nh_exposure q:share_poverty_exposure
    q:count_membership_associations_per_10k"""
_TRANSPORT: Final = "q:share_transit_commuter q:share_transportation_cost"
_SAFETY_TO_WORK: Final = """
    rate_crime_violent rate_crime_property rate_crime_violent_quality rate_crime_property_quality
    q:rate_juv_arrest ci:share_in_preschool ci:rate_learning q:share_meps20_black q:share_meps20_hispanic
    q:share_meps20_white ci:share_hs_degree q:share_digital_access ci:share_employed"""
_GROUPS: Final = """
    q:share_poverty_exposure q:rate_juv_arrest ci:share_in_preschool ci:rate_learning ci:share_hs_degree
    q:share_digital_access ci:share_employed"""
_BIRTHS_DEATHS: Final = "ci:share_low_birth_weight ci:rate_injury_death"
_BY_INCOME: Final = "q:index_air_hazard ci:rate_learning q:share_digital_access ci:share_in_preschool"
_BY_AGE: Final = f"{_HOUSE_VALUE} q:rate_juv_arrest"
_BY_GENDER: Final = "q:rate_juv_arrest ci:share_hs_degree ci:rate_learning ci:share_employed"
_BY_DISABILITY: Final = "ci:share_hs_degree ci:share_employed"

STRAY: Final = ("subgroup_type", "subgroup")
STRAY_VALUES: Final = {"subgroup_type": "tenure", "subgroup": ALL}
"""Two columns of the housing file that leak into the reference's file 61: constant wherever that file has a row."""
STRAY_METRIC: Final = "share_affordable_30_ami"

_REFERENCE: Final[dict[int, str]] = {
    11: f"""{_INCOME} {_HOUSE_VALUE} {_DEBT} q:share_medical_debt_coll {_HOMELESS_COUNTY} {_HOUSING}
        q:ratio_population_pc_physician {_BIRTHS_DEATHS} {_CITIZENS} ci:share_economic_connectedness {_TRANSPORT}
        q:index_air_hazard {_SAFETY_TO_WORK} q:ratio_living_wage""",
    12: f"{_INCOME} {_HOMELESS} {_BIRTHS_DEATHS} {_GROUPS}",
    13: f"{_DEBT} q:share_medical_debt_coll q:index_air_hazard {_TRANSPORT}",
    14: _BY_INCOME,
    15: _BY_AGE,
    16: _BY_GENDER,
    17: _HOUSING,
    18: _BY_DISABILITY,
    19: "q:ratio_living_wage",
    20: "ci:share_low_birth_weight",
    61: f"""{_INCOME} {_HOUSE_VALUE} q:share_debt_coll {_HOMELESS} {" ".join(STRAY)} {_HOUSING} {_CITIZENS}
        q:share_economic_connectedness q:index_air_hazard {_TRANSPORT} {_SAFETY_TO_WORK}""",
    62: f"{_INCOME} {_HOMELESS} {_GROUPS}",
    63: f"q:share_debt_coll q:index_air_hazard {_TRANSPORT}",
    64: _BY_INCOME,
    65: _BY_AGE,
    66: _BY_GENDER,
    67: _HOUSING,
    68: _BY_DISABILITY,
}


def _expand(tokens: Iterable[str]) -> Iterator[str]:
    for token in tokens:
        form, _, name = token.rpartition(":")
        if form == "q":
            yield from (name, f"{name}_quality")
        elif form == "ci":
            yield from (name, f"{name}_lb", f"{name}_ub", f"{name}_quality")
        elif form == "ami":
            bands = [f"{name}_{band}_ami" for band in (30, 50, 80)]
            yield from (*bands, *(f"{band}_quality" for band in bands))
        else:
            yield name


@cache
def reference_columns(number: int) -> tuple[str, ...]:
    """The columns of the reference's file after keys, names and population, in its order."""
    return tuple(_expand(_REFERENCE[number].split()))


def _split(name: str) -> tuple[str, Part]:
    """Metric and part of a figure's column name."""
    parts: tuple[Part, ...] = ("lb", "ub", "quality")
    for part in parts:
        if name.endswith(f"_{part}"):
            return name.removesuffix(f"_{part}"), part
    return name, "value"


def _reference_metrics(number: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_split(name)[0] for name in reference_columns(number) if name not in STRAY))


def _reference_column(name: str, declared: Mapping[str, tuple[Predictor, Metric]]) -> Column:
    if name in STRAY:
        return Column(name, "stray", pl.String)
    metric, part = _split(name)
    return _metric_column(declared[metric][1] if metric in declared else None, metric, part)


GEOID: Final = pl.concat_str("state", "geo").alias("geoid")
"""State and geography code together: 5 digits for counties, 7 for places."""
