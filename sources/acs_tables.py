"""American Community Survey tables, 5-year: poverty, race and Hispanic origin, housing units, income, juveniles.

Each vintage holds one file per table, kind of area and state, in the form of the Census API (which the program asks
for) or of a download from data.census.gov (which a person may hand in).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from schemas.census import AreaIncomeModel, AreaRaceModel, TractHousingModel, TractPovertyModel, TractRaceModel
from schemas.errors import OwedError
from schemas.justice import AreaAgeModel, AreaPopulationModel
from schemas.vintages import tract_vintage
from sources.census_forms import COUNTY, PLACE, TRACT, Geography, Item, read
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.partial import note_owed
from sources.framework.states import State, within
from sources.framework.strict import Raw
from sources.geography import geographies

API_LIMIT: Final = 50
"""Most variables the Census API gives in one answer."""

# Profile and subject tables that are documented for a vintage; the numbers of their lines move between vintages.
DP05_FIRST_LINE: Final = {2016: 66, 2018: 71, 2021: 71, 2023: 76}
S1701_YEARS: Final = (2016, 2018, 2021, 2023)

POVERTY_GROUPS: Final[dict[str, tuple[str, int, str]]] = {
    # column: (letter of the B17001 table, line of S1701, label there)
    "poor_black": ("B", 14, "Black or African American alone"),
    "poor_aian": ("C", 15, "American Indian and Alaska Native alone"),
    "poor_asian": ("D", 16, "Asian alone"),
    "poor_nhpi": ("E", 17, "Native Hawaiian and Other Pacific Islander alone"),
    "poor_other_race": ("F", 18, "Some other race alone"),
    "poor_two_or_more": ("G", 19, "Two or more races"),
    "poor_white_nh": ("H", 21, "White alone, not Hispanic or Latino"),
    "poor_hispanic": ("I", 20, "Hispanic or Latino origin (of any race)"),
}
RACE_GROUPS: Final[dict[str, tuple[int, int, str]]] = {
    # column: (line of B03002, line of DP05 counted from the one of Hispanics, label)
    "white_nh": (3, 6, "Not Hispanic or Latino!!White alone"),
    "black_nh": (4, 7, "Not Hispanic or Latino!!Black or African American alone"),
    "aian_nh": (5, 8, "Not Hispanic or Latino!!American Indian and Alaska Native alone"),
    "asian_nh": (6, 9, "Not Hispanic or Latino!!Asian alone"),
    "nhpi_nh": (7, 10, "Not Hispanic or Latino!!Native Hawaiian and Other Pacific Islander alone"),
    "other_race_nh": (8, 11, "Not Hispanic or Latino!!Some other race alone"),
    "two_or_more_nh": (9, 12, "Not Hispanic or Latino!!Two or more races"),
}
# Lines of table B01001 and of its parts by race, which have fewer age groups.
AGES: Final[dict[str, int]] = {"male_10_14": 5, "male_15_17": 6, "female_10_14": 29, "female_15_17": 30}
AGES_BY_RACE: Final[dict[str, int]] = {"male_10_14": 5, "male_15_17": 6, "female_10_14": 20, "female_15_17": 21}
AGE_RACES: Final[dict[str, str]] = {"white": "A", "black": "B", "hispanic": "I"}
UNIVERSE: Final = "Population for whom poverty status is determined"


@dataclass(frozen=True)
class Form:
    """One way a table comes: the Census table, its figures, and whether the API gives it (else: a download)."""

    table: str
    items: tuple[Item, ...]
    api: bool

    @property
    def parts(self) -> list[tuple[Item, ...]]:
        """The items of each file: one file, unless the API cannot give all of them at once."""
        return batches(self.items) if self.api else [self.items]

    def files(self, geography: Geography, year: int) -> tuple[SourceFile, ...]:
        """The files of this form in the vintage of `year`, one per state and per answer of the API."""
        stem = f"{geography.name}_{self.table}_{{st}}"
        if not self.api:
            product = {"B": "DT", "S": "ST", "D": "DP"}[self.table[0]]
            agency_name = f"ACS{product}5Y{year}.{self.table}-Data.csv"
            return (SourceFile(f"{stem}.csv", "csv", accept=(f"*{{ST}}_{geography.plural}_{agency_name}",)),)
        names = [f"{stem}.json", *(f"{stem}_{i}.json" for i in range(2, len(self.parts) + 1))]
        return tuple(
            SourceFile(name, "json", api_url(part, geography, year))
            for name, part in zip(names, self.parts, strict=True)
        )


def batches(items: Sequence[Item], limit: int = API_LIMIT) -> list[tuple[Item, ...]]:
    """The items cut into pieces that the API answers at once; an item (two variables) is not divided."""
    size = limit // 2
    return [tuple(items[i : i + size]) for i in range(0, len(items), size)]


def api_url(items: Sequence[Item], geography: Geography, year: int) -> str:
    """The API's address for these items in one state ("{fips}"); without the key, which is added when it is asked."""
    variables = ",".join(v for item in items for v in item.variables)
    return f"https://api.census.gov/data/{year}/acs/acs5?get={variables}&for={geography.name}:*&in=state:{{fips}}"


def poverty_forms(year: int) -> tuple[Form, ...]:
    """Where people in poverty by race stand: table B17001 with its parts by race, or subject table S1701."""
    detailed = (
        Item("people", "B17001_001"),
        Item("poor", "B17001_002"),
        *(Item(column, f"B17001{letter}_002") for column, (letter, _, _) in POVERTY_GROUPS.items()),
    )
    subject = (
        Item("people", "S1701_C01_001", f"Total!!{UNIVERSE}"),
        Item("poor", "S1701_C02_001", f"Below poverty level!!{UNIVERSE}"),
        *(Item(column, f"S1701_C02_{line:03d}", label) for column, (_, line, label) in POVERTY_GROUPS.items()),
    )
    return (Form("B17001", detailed, True), *([Form("S1701", subject, False)] if year in S1701_YEARS else []))


def race_forms(year: int) -> tuple[Form, ...]:
    """Where people by race and Hispanic origin stand: table B03002, or profile DP05 with the lines of its vintage."""
    detailed = (
        Item("people", "B03002_001", "Total"),
        Item("hispanic", "B03002_012", "!!Hispanic or Latino"),
        *(Item(c, f"B03002_{line:03d}", label) for c, (line, _, label) in RACE_GROUPS.items()),
    )
    forms = [Form("B03002", detailed, True), Form("B03002", detailed, False)]
    if (first := DP05_FIRST_LINE.get(year)) is not None:
        profile = (
            Item("people", "DP05_0001", "SEX AND AGE!!Total population"),
            Item("hispanic", f"DP05_{first:04d}", "Hispanic or Latino (of any race)"),
            *(Item(c, f"DP05_{first + add:04d}", label) for c, (_, add, label) in RACE_GROUPS.items()),
        )
        forms.append(Form("DP05", profile, False))
    return tuple(forms)


def single_form(table: str, column: str, label: str) -> Callable[[int], tuple[Form, ...]]:
    """Where a table of one figure stands: the API or a download, in every vintage ("{year}" in its label)."""

    def forms(year: int) -> tuple[Form, ...]:
        items = (Item(column, f"{table}_001", label.format(year=year)),)
        return Form(table, items, True), Form(table, items, False)

    return forms


def _check_nothing(raw: Raw) -> None:
    """A single figure has no other that it must agree with."""


def population_forms(year: int) -> tuple[Form, ...]:
    """Where the number of residents stands: table B01003, in the API's form or as a download."""
    items = (Item("people", "B01003_001", "Total"),)
    return Form("B01003", items, True), Form("B01003", items, False)


def age_forms(year: int) -> tuple[Form, ...]:
    """Where juveniles stand: table B01001 and its parts for White, Black and Hispanic people."""
    items = (
        Item("people", "B01003_001"),
        *(Item(column, f"B01001_{line:03d}") for column, line in AGES.items()),
        *(
            Item(f"{race}_{column}", f"B01001{letter}_{line:03d}")
            for race, letter in AGE_RACES.items()
            for column, line in AGES_BY_RACE.items()
        ),
    )
    return (Form("B01001", items, True),)


def _check_poverty(raw: Raw) -> None:
    """Nobody is poor outside the poverty universe, and no group has more poor people than there are."""
    raw.refuse(pl.col("poor") > pl.col("people"), "more people in poverty than people", column="poor")
    for column in POVERTY_GROUPS:
        raw.refuse(pl.col(column) > pl.col("poor"), "more people in poverty in the group than in all", column=column)


def _check_race(raw: Raw) -> None:
    """The eight groups are disjoint and together everybody."""
    together = pl.sum_horizontal("hispanic", *RACE_GROUPS, ignore_nulls=False)
    raw.refuse(together != pl.col("people"), "the groups do not add up to all people", column="people")


def _check_population(raw: Raw) -> None:
    """Nothing to compare within a row."""


def _check_ages(raw: Raw) -> None:
    """No group has more juveniles of an age and sex than there are, nor White and Black people together."""
    for column in AGES:
        white_black = pl.col(f"white_{column}") + pl.col(f"black_{column}")
        raw.refuse(white_black > pl.col(column), "more White and Black juveniles than juveniles", column=column)
        raw.refuse(pl.col(f"hispanic_{column}") > pl.col(column), "more Hispanic juveniles than all", column=column)
    juveniles = pl.sum_horizontal(*AGES, ignore_nulls=False)
    raw.refuse(juveniles > pl.col("people"), "more juveniles than people", column="people")


@dataclass(frozen=True)
class Content:
    """What a tidy table holds: kind of area, the forms it may come in (best first), and what must hold in a row."""

    geography: Geography
    forms: Callable[[int], tuple[Form, ...]]
    check: Callable[[Raw], None]

    def files(self, year: int) -> tuple[SourceFile, ...]:
        """All files of the vintage of `year` that this content may be read from."""
        return tuple(file for form in self.forms(year) for file in form.files(self.geography, year))

    def read(self, year: int, retrieval: Retrieval, *, whole: bool = False) -> pl.DataFrame:
        """The figures of the vintage that ends in `year`, for the states of the scope, sorted by code.

        For each state a form that is at hand is taken; if none is, the API is asked. States whose files cannot be had
        are left out and stand in `retrieval.notes["owed"]`; with `whole`, or if that is all of them, `OwedError` is
        raised. What was left out or annotated is counted in the notes.
        """
        forms, owed = self._forms_by_state(year, retrieval)
        if owed is not None:
            if whole or not forms:
                raise owed
            note_owed(retrieval, owed)
        frames = []
        annotations: Counter[str] = Counter()
        left_out = 0
        for state, form in forms.items():
            raw: Raw | None = None
            for file, items in zip(self._obtain(year, state, form, retrieval), form.parts, strict=True):
                reading = read(file.path, items, self.geography, source=SOURCE.key)
                _in_own_state(reading.raw, state)
                raw = reading.raw if raw is None else _beside(raw, reading.raw, self.geography)
                annotations.update(reading.annotations)
                left_out += reading.rows_left_out
            assert raw is not None
            self.check(raw)
            if self.geography is not PLACE:
                _known_county(raw, year)
            frames.append(raw.done())
        used = Counter(f"{form.table}, {'API' if form.api else 'download'}" for form in forms.values())
        retrieval.notes[f"acs_tables {self.geography.plural} {year}"] = {
            "states by form": dict(used),
            "annotated figures": dict(sorted(annotations.items())),
            "rows of other kinds of areas left out": left_out,
        }
        return pl.concat(frames).sort(self.geography.columns)

    def _names(self, year: int, state: State, form: Form) -> tuple[str, ...]:
        """The files of one form and state."""
        return tuple(f.name.replace("{st}", state.postal.lower()) for f in form.files(self.geography, year))

    def _obtain(self, year: int, state: State, form: Form, retrieval: Retrieval) -> list[RawFile]:
        """The files of one state, in the order of the form's parts."""
        return retrieval.obtain(SOURCE, vintage_key(year), self._names(year, state, form))

    def _forms_by_state(self, year: int, retrieval: Retrieval) -> tuple[dict[State, Form], OwedError | None]:
        """The form to read for each state that has one, and what is owed for the others."""
        vintage, states = vintage_key(year), within(retrieval.scope.states)
        choices = self.forms(year)

        def at_hand(state: State) -> Form | None:
            ready = (f for f in choices if retrieval.has(SOURCE, vintage, self._names(year, state, f)))
            return next(ready, None)

        forms = {state: at_hand(state) for state in states}
        rest = [state for state, form in forms.items() if form is None]
        owed = None
        if rest:
            try:
                retrieval.obtain(SOURCE, vintage, tuple(n for s in rest for n in self._names(year, s, choices[0])))
            except OwedError as error:
                owed = error
            forms |= {state: at_hand(state) for state in rest}
        return {state: form for state, form in forms.items() if form is not None}, owed


def _in_own_state(raw: Raw, state: State) -> None:
    """The file named for a state holds that state alone."""
    raw.refuse(pl.col("state") != state.fips, f"the row is not in {state.name}", column="state")


@cache
def _counties(year: int) -> frozenset[str]:
    listed = geographies(year).filter(pl.col("level") == "county")
    return frozenset(listed.select(pl.col("state") + pl.col("geo")).to_series())


def _known_county(raw: Raw, year: int) -> None:
    """Every county is one of the year: a code that came later or is gone means that the file is of another vintage."""
    code = pl.col("state") + pl.col("county")
    raw.refuse(~code.is_in(list(_counties(year))), f"there is no such county in {year}", column="county")


def _beside(raw: Raw, more: Raw, geography: Geography) -> Raw:
    """The columns of a further answer of the API for the same areas."""
    keys = list(geography.columns)
    here, there = raw.frame.select(keys), more.frame.select(keys)
    if here.join(there, on=keys, how="anti").height or there.join(here, on=keys, how="anti").height:
        raise more.error(f"the {geography.plural} are not those of {raw.file}.")
    raw.file_names |= more.file_names
    raw.frame = raw.frame.join(more.done(), on=keys, how="left", validate="1:1", maintain_order="left")
    return raw


POVERTY: Final = Content(TRACT, poverty_forms, _check_poverty)
TRACT_RACE: Final = Content(TRACT, race_forms, _check_race)
COUNTY_RACE: Final = Content(COUNTY, race_forms, _check_race)
PLACE_RACE: Final = Content(PLACE, race_forms, _check_race)
HOUSING: Final = Content(TRACT, single_form("B25001", "housing_units", "Total"), _check_nothing)
_INCOME: Final = single_form(
    "B19013",
    "median_income",
    "Median household income in the past 12 months (in {year} inflation-adjusted dollars)",
)
COUNTY_INCOME: Final = Content(COUNTY, _INCOME, _check_nothing)
PLACE_INCOME: Final = Content(PLACE, _INCOME, _check_nothing)
COUNTY_POPULATION: Final = Content(COUNTY, population_forms, _check_population)
PLACE_POPULATION: Final = Content(PLACE, population_forms, _check_population)
COUNTY_AGES: Final = Content(COUNTY, age_forms, _check_ages)
PLACE_AGES: Final = Content(PLACE, age_forms, _check_ages)

POVERTY_YEARS: Final = (2014, 2016, 2018, 2019, 2021, 2023)
RACE_YEARS: Final = (2014, 2015, 2016, 2018, 2019, 2021, 2022, 2023)
AREA_YEARS: Final = (2014, 2016, 2018, 2021, 2023)
HOUSING_YEARS: Final = (2015, 2019, 2022)
JUSTICE_YEARS: Final = (2021, 2022, 2023)
VINTAGES: Final = (2014, 2015, 2016, 2018, 2019, 2020, 2021, 2022, 2023)

# The list of tracts is taken from two vintages: data years up to 2019 have the tracts of the 2010 census, later ones
# those of 2020.
TRACT_LIST_VINTAGES: Final = {2010: 2018, 2020: 2020}


def vintage_key(year: int) -> str:
    """Folder of the 5-year tables that end in `year`."""
    return f"acs5-{year}"


def _vintage(year: int) -> Vintage:
    # The newest edition has everything: new ones are declared by lines that say to be like it.
    newest = year == VINTAGES[-1]
    contents = [TRACT_RACE]
    contents += [POVERTY] if newest or year in POVERTY_YEARS else []
    contents += [COUNTY_RACE, PLACE_RACE] if newest or year in AREA_YEARS else []
    contents += [HOUSING, COUNTY_INCOME, PLACE_INCOME] if newest or year in HOUSING_YEARS else []
    justice = [COUNTY_POPULATION, PLACE_POPULATION, COUNTY_AGES, PLACE_AGES]
    contents += justice if newest or year in JUSTICE_YEARS else []
    listed = [y for y in RACE_YEARS if TRACT_LIST_VINTAGES[tract_vintage(y)] == year]
    return Vintage(
        key=vintage_key(year),
        files=tuple(file for content in contents for file in content.files(year)),
        data_years=tuple(sorted({year, *listed} & set(RACE_YEARS))),
        published="2022-03" if year == 2020 else f"{year + 1}-12",
    )


SOURCE: Final = Source(
    key="acs_tables",
    agency="U.S. Census Bureau",
    dataset=(
        "American Community Survey, 5-year estimates, tables B01001, B01003, B03002, B17001 (or S1701, DP05), B19013, "
        "B25001"
    ),
    citation="U.S. Census Bureau. American Community Survey 5-year estimates.",
    licence="Public domain (U.S. government work); the Census API terms of service apply",
    redistribute=True,
    landing_page="https://api.census.gov/data.html",
    access=Access.API_KEY,
    vintages=tuple(_vintage(year) for year in VINTAGES),
    recipe=(
        "By hand: on data.census.gov open table B03002 (or DP05; for poverty S1701; for housing units B25001; for "
        "household income B19013) of the 5-year estimates for all "
        "tracts, counties or places of the state, download it as CSV and name the file that ends in -Data.csv after "
        "the kind of area, the table and the state, for example tract_B03002_tx.csv."
    ),
    usual_release="December",
)


def tract_poverty(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_tract_poverty`."""
    return POVERTY.read(year, retrieval)


def tract_race(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_tract_race`."""
    return TRACT_RACE.read(year, retrieval)


def county_race(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_county_race`."""
    return COUNTY_RACE.read(year, retrieval).rename({"county": "geo"})


def place_race(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_place_race`: the listed places of the year; the source's other places are left out, counted."""
    return _listed_places(PLACE_RACE.read(year, retrieval).rename({"place": "geo"}), year, retrieval)


def tract_housing(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_tract_housing`."""
    return HOUSING.read(year, retrieval)


def area_income(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_area_income`: counties, and the listed places of the year."""
    return _areas(year, retrieval, COUNTY_INCOME, PLACE_INCOME)


def _listed_places(frame: pl.DataFrame, year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The listed places of the year; what else there is, and which of them have no row, is counted."""
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place")
    kept = frame.join(listed, on=["state", "geo"], how="semi", maintain_order="left")
    retrieval.notes["places"] = {
        "not listed, left out": frame.height - kept.height,
        "listed, without rows": listed.height - kept.height,
    }
    return kept


def _areas(year: int, retrieval: Retrieval, county: Content, place: Content) -> pl.DataFrame:
    """Estimates and margins of error of counties and listed places: level, state, geo, then the figures."""
    counties = county.read(year, retrieval).rename({"county": "geo"})
    places = _listed_places(place.read(year, retrieval).rename({"place": "geo"}), year, retrieval)
    both = pl.concat([counties.with_columns(level=pl.lit("county")), places.with_columns(level=pl.lit("place"))])
    return both.select("level", "state", "geo", pl.exclude("level", "state", "geo"))


def _without_margins(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.exclude(r"^.*_moe$"))


def area_population(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_area_population`: residents of counties and listed places."""
    return _without_margins(_areas(year, retrieval, COUNTY_POPULATION, PLACE_POPULATION))


def area_age(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """Table `acs_area_age`: residents of ages 10 to 17 by age, sex and race, of counties and listed places."""
    return _without_margins(_areas(year, retrieval, COUNTY_AGES, PLACE_AGES))


_COUNTS = "Counts of people with 90 % margins of error (`_moe`). States whose files are owed are not in it. "
TABLES: Final = (
    Table(
        name="acs_tract_poverty",
        title="People in poverty by race and tract",
        description=_COUNTS + "`people` is the population for whom poverty status is determined.",
        model=TractPovertyModel,
        sources=("acs_tables",),
        years=POVERTY_YEARS,
        build=tract_poverty,
        in_every_edition=True,
    ),
    Table(
        name="acs_tract_race",
        title="People by race, Hispanic origin and tract",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=TractRaceModel,
        sources=("acs_tables",),
        years=RACE_YEARS,
        build=tract_race,
        in_every_edition=True,
    ),
    Table(
        name="acs_county_race",
        title="People by race, Hispanic origin and county",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=AreaRaceModel,
        sources=("acs_tables",),
        years=AREA_YEARS,
        build=county_race,
        in_every_edition=True,
    ),
    Table(
        name="acs_place_race",
        title="People by race, Hispanic origin and place",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=AreaRaceModel,
        sources=("acs_tables",),
        years=AREA_YEARS,
        build=place_race,
        in_every_edition=True,
    ),
    Table(
        name="acs_tract_housing",
        title="Housing units by tract",
        description="Housing units with 90 % margins of error. States whose files are owed are not in it.",
        model=TractHousingModel,
        sources=("acs_tables",),
        years=HOUSING_YEARS,
        build=tract_housing,
        in_every_edition=True,
    ),
    Table(
        name="acs_area_income",
        title="Median household income by county and place",
        description=(
            "Median household income in dollars with its 90 % margin of error; null where the agency gives none. "
            "States whose files are owed are not in it."
        ),
        model=AreaIncomeModel,
        sources=("acs_tables",),
        years=HOUSING_YEARS,
        build=area_income,
        in_every_edition=True,
    ),
    Table(
        name="acs_area_population",
        title="Residents of counties and places",
        description="All residents. States whose files are owed are not in it.",
        model=AreaPopulationModel,
        sources=("acs_tables",),
        years=JUSTICE_YEARS,
        build=area_population,
        in_every_edition=True,
    ),
    Table(
        name="acs_area_age",
        title="Juveniles of counties and places",
        description="Residents of ages 10 to 17 by age, sex and race (White and Black alone, whether Hispanic or not; "
        "Hispanic of any race). States whose files are owed are not in it.",
        model=AreaAgeModel,
        sources=("acs_tables",),
        years=JUSTICE_YEARS,
        build=area_age,
        in_every_edition=True,
    ),
)
