"""Synthetic ACS tables of race, poverty, housing, income and juveniles, as the Census API answers: JSON by state.

Counts are drawn for the atoms of the world and added up, so that tracts, counties and places agree. Each state has a
tract of water without people, tracts above, below and at exactly 40 percent poverty, groups that nobody belongs to, and
controlled estimates, whose margin of error is the code -555555555. Areas of very few people have no median income.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import polars as pl

from schemas.vintages import tract_vintage
from sources import acs_tables
from sources.acs_tables import SOURCE as DECLARED
from sources.acs_tables import TRACT_LIST_VINTAGES, Content, vintage_key
from sources.census_forms import CONTROLLED, COUNTY, PLACE, TRACT, Geography
from sources.synthetic.files import write_bytes
from sources.synthetic.world import NOT_A_PLACE, World, county_layer

WATER: Final = "990000"
UNLISTED: Final = "99990"
ZERO_MARGIN: Final = 13

# Areas of fewer people get no median income; the codes say that the sample is too small for it and for its margin.
INCOME_FROM: Final = 700
NO_INCOME: Final = ("-666666666", "-222222222")

# Permille of a tract's people: the least and the most of each group; what is left is White and not Hispanic.
RACE: Final = {
    "black_nh": (0, 330),
    "hispanic": (8, 290),
    "asian_nh": (0, 90),
    "aian_nh": (0, 25),
    "nhpi_nh": (0, 7),
    "other_race_nh": (0, 9),
    "two_or_more_nh": (8, 45),
}
# Where the poor of each race group come from: the group, and how much poorer it is (permille of its share).
POOR: Final = {
    "poor_black": ("black_nh", 1_400),
    "poor_aian": ("aian_nh", 1_300),
    "poor_asian": ("asian_nh", 700),
    "poor_nhpi": ("nhpi_nh", 1_000),
    "poor_other_race": ("hispanic", 450),
    "poor_two_or_more": ("two_or_more_nh", 1_000),
    "poor_white_nh": ("white_nh", 700),
    "poor_hispanic": ("hispanic", 1_200),
}

# Permille of all people of each age and sex among juveniles.
JUVENILES: Final = {"male_10_14": 34, "male_15_17": 20, "female_10_14": 32, "female_15_17": 19}
# Of the Hispanic people, in percent, those who say that they are White; they count among White juveniles, too.
WHITE_HISPANIC: Final = 45


def _with_juveniles(atoms: pl.DataFrame) -> pl.DataFrame:
    """Juveniles by age and sex of each atom: all, and White, Black and Hispanic ones."""
    races = {
        "white": pl.col("white_nh") + pl.col("hispanic") * WHITE_HISPANIC // 100,
        "black": pl.col("black_nh"),
        "hispanic": pl.col("hispanic"),
    }
    return atoms.with_columns(
        *((pl.col("people") * share // 1000).alias(column) for column, share in JUVENILES.items()),
        *(
            (race * share // 1000).alias(f"{name}_{column}")
            for name, race in races.items()
            for column, share in JUVENILES.items()
        ),
    )


def _atoms(world: World, year: int) -> pl.DataFrame:
    """People, race groups and the poor of each atom in `year`, with the codes of tract, county and place."""
    tract = f"tract_{tract_vintage(year)}"
    base = world.atoms.select(
        "state",
        pl.col(tract).alias("tract"),
        pl.col(county_layer(year)).alias("county"),
        "place",
        people=_interpolated(year),
    )
    tracts = base.select("state", "tract").unique().sort("state", "tract")
    rng = world.rng("acs_tables", tract_vintage(year), year)
    drawn = {group: rng.integers(low, high + 1, tracts.height) for group, (low, high) in RACE.items()}
    poverty = rng.integers(20, 260, tracts.height) + 330 * (rng.integers(0, 100, tracts.height) < 7)
    traits = tracts.with_columns(
        *(pl.Series(f"{group}_permille", values) for group, values in drawn.items()),
        pl.Series("poverty_permille", poverty),
        # One tract of each state is exactly at the threshold.
        first=pl.col("tract") == pl.col("tract").first().over("state"),
    )
    people = pl.col("people")
    income = world.rng("acs_tables", "income", tract_vintage(year), year).integers(38_000, 92_000, tracts.height)
    homes = world.rng("acs_tables", "homes", tract_vintage(year), year).integers(380, 520, tracts.height)
    traits = traits.with_columns(pl.Series("income", income), pl.Series("homes_permille", homes))
    counted = (
        base.join(traits, on=["state", "tract"], how="left", validate="m:1")
        .with_columns((people * pl.col(f"{g}_permille")).floordiv(1000).alias(g) for g in RACE)
        .with_columns(white_nh=people - pl.sum_horizontal(*RACE))
        .with_columns(universe=people - people.floordiv(40))
        .with_columns(
            housing_units=(people * pl.col("homes_permille")).floordiv(1000), earned=people * pl.col("income")
        )
    )
    universe = pl.when("first").then(pl.col("universe").floordiv(10) * 10).otherwise(pl.col("universe"))
    poor = pl.when("first").then(universe * 4 // 10).otherwise(universe * pl.col("poverty_permille") // 1000)
    return (
        counted.with_columns(universe=universe, poor=poor)
        .with_columns(
            pl.when(people > 0)
            .then(pl.col("poor") * pl.col(group) * level // (1_500 * people))
            .otherwise(0)
            .alias(name)
            for name, (group, level) in POOR.items()
        )
        .drop(pl.selectors.ends_with("_permille"), "first", "income")
    )


def tract_people(world: World, year: int, *, counties_of: int | None = None) -> pl.DataFrame:
    """People of every tract in `year`: state, county (as of `counties_of`, default the year), tract, people."""
    tract, county = f"tract_{tract_vintage(year)}", county_layer(counties_of or year)
    keys = ("state", pl.col(county).alias("county"), pl.col(tract).alias("tract"))
    return world.atoms.group_by(keys).agg(_interpolated(year).sum().alias("people"))


def _interpolated(year: int) -> pl.Expr:
    """People of an atom in `year`; follows `World.people`."""
    step, after = min(year, 2020) - 2010, max(0, year - 2020)
    change = pl.col("pop2020") - pl.col("pop2010")
    return pl.col("pop2010") + (change * step).floordiv(10) + (change * after).floordiv(20)


def _areas(atoms: pl.DataFrame, geography: Geography, figures: list[str]) -> pl.DataFrame:
    """The figures added up to tracts (with one of water per state), counties or places."""
    keys = list(geography.columns)
    areas = atoms.group_by(keys).agg(pl.col(figures).sum())
    if geography is PLACE:
        # Real states all have small places that the project does not list; here it is one, the first tract.
        first = atoms.filter(pl.col("tract") == pl.col("tract").min().over("state"))
        small = first.group_by("state").agg(pl.col(figures).sum()).with_columns(place=pl.lit(UNLISTED))
        areas = pl.concat([areas.filter(pl.col("place") != NOT_A_PLACE), small.select(areas.columns)])
    if geography is TRACT:
        water = atoms.group_by("state").agg(pl.col("county").min()).with_columns(tract=pl.lit(WATER))
        zeros = water.with_columns(pl.lit(0, areas.schema[f]).alias(f) for f in figures)
        areas = pl.concat([areas, zeros.select(areas.columns)])
    return areas.sort(keys)


def _margin(column: str, geography: Geography) -> pl.Expr:
    """A margin of error that grows with the root of the count; fixed totals have none."""
    count = pl.col(column)
    margin = pl.when(count == 0).then(ZERO_MARGIN).otherwise(ZERO_MARGIN + (6 * count.cast(pl.Float64).sqrt()).floor())
    text = margin.cast(pl.Int64).cast(pl.String)
    controlled = (geography is COUNTY and column in ("people", "hispanic")) or (
        geography is TRACT and column == "hispanic"
    )
    fixed = pl.lit(geography is COUNTY) | (count % 50 == 7)
    return pl.when(fixed).then(pl.lit(CONTROLLED)).otherwise(text) if controlled else text


def _incomes(atoms: pl.DataFrame, content: Content) -> pl.DataFrame:
    """Median incomes and their margins of counties or places as the API gives them; here they are means."""
    areas = _areas(atoms, content.geography, ["people", "earned"])
    estimate, margin = content.forms(2022)[0].items[0].variables
    small, people = pl.col("people") < INCOME_FROM, pl.col("people").cast(pl.Float64)
    income = pl.col("earned").floordiv(pl.col("people").clip(lower_bound=1))
    # The margin shrinks with the root of the people: a few percent where some thousands live.
    error = (income * 6 / people.sqrt()).round().cast(pl.Int64)
    return areas.select(
        *content.geography.columns,
        pl.when(small).then(pl.lit(NO_INCOME[0])).otherwise(income.cast(pl.String)).alias(estimate),
        pl.when(small).then(pl.lit(NO_INCOME[1])).otherwise(error.cast(pl.String)).alias(margin),
    )


def _counts(atoms: pl.DataFrame, content: Content, year: int) -> pl.DataFrame:
    """Counts of a table and their margins as the API gives them."""
    form = content.forms(year)[0]
    # The poverty tables count the people whose poverty status is known, not all residents.
    poverty = content is acs_tables.POVERTY
    figures = {i.column: "universe" if poverty and i.column == "people" else i.column for i in form.items}
    areas = _areas(atoms, content.geography, list(figures.values())).rename({v: k for k, v in figures.items()})
    return areas.select(
        *content.geography.columns,
        *(pl.col(i.column).cast(pl.String).alias(i.variables[0]) for i in form.items),
        *(_margin(i.column, content.geography).alias(i.variables[1]) for i in form.items),
    )


def _write(root: Path, world: World, content: Content, atoms: pl.DataFrame, year: int) -> None:
    form = content.forms(year)[0]
    income = content in (acs_tables.COUNTY_INCOME, acs_tables.PLACE_INCOME)
    cells = _incomes(atoms, content) if income else _counts(atoms, content, year)
    for file, items in zip(form.files(content.geography, year), form.parts, strict=True):
        header = [*(v for item in items for v in item.variables), *content.geography.columns]
        for state in world.states:
            rows = cells.filter(pl.col("state") == state.code).select(header).rows()
            if rows:
                text = ",\n".join(json.dumps(row, separators=(",", ":")) for row in [header, *rows])
                path = root / DECLARED.key / vintage_key(year) / file.name.replace("{st}", state.postal.lower())
                write_bytes(path, f"[{text}]".encode())


CONTENTS: Final = (
    acs_tables.TRACT_RACE,
    acs_tables.POVERTY,
    acs_tables.COUNTY_RACE,
    acs_tables.PLACE_RACE,
    acs_tables.COUNTY_POPULATION,
    acs_tables.PLACE_POPULATION,
    acs_tables.COUNTY_AGES,
    acs_tables.PLACE_AGES,
    acs_tables.HOUSING,
    acs_tables.COUNTY_INCOME,
    acs_tables.PLACE_INCOME,
)


def vintages(world: World) -> list[int]:
    """The 5-year tables that the world's years are computed from."""
    years = set(world.years) & {y for v in DECLARED.vintages for y in v.data_years}
    return sorted(years | {TRACT_LIST_VINTAGES[tract_vintage(y)] for y in years})


def write(root: Path, world: World) -> None:
    """The tables of every vintage that the world's years need."""
    for year in vintages(world):
        atoms = _with_juveniles(_atoms(world, year))
        declared = {f.name for f in DECLARED.vintage(vintage_key(year)).files}
        for content in CONTENTS:
            if {f.name for f in content.files(year)} <= declared:
                _write(root, world, content, atoms, year)
