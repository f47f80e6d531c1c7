"""American Community Survey tables, 5-year: people in poverty and people by race and Hispanic origin.

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

from schemas.census import AreaRaceModel, TractPovertyModel, TractRaceModel
from schemas.errors import OwedError
from sources.census_forms import COUNTY, PLACE, TRACT, Geography, Item, read
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
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


def _check_poverty(raw: Raw) -> None:
    """Nobody is poor outside the poverty universe, and no group has more poor people than there are."""
    raw.refuse(pl.col("poor") > pl.col("people"), "more people in poverty than people", column="poor")
    for column in POVERTY_GROUPS:
        raw.refuse(pl.col(column) > pl.col("poor"), "more people in poverty in the group than in all", column=column)


def _check_race(raw: Raw) -> None:
    """The eight groups are disjoint and together everybody."""
    together = pl.sum_horizontal("hispanic", *RACE_GROUPS, ignore_nulls=False)
    raw.refuse(together != pl.col("people"), "the groups do not add up to all people", column="people")


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
            note = {"source": owed.source, "vintage": owed.vintage, "files": list(owed.files), "recipe": owed.recipe}
            retrieval.notes["owed"] = [note]
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

POVERTY_YEARS: Final = (2014, 2016, 2018, 2019, 2021, 2023)
RACE_YEARS: Final = (2014, 2015, 2016, 2018, 2019, 2021, 2022, 2023)
AREA_YEARS: Final = (2014, 2016, 2018, 2021, 2023)
VINTAGES: Final = (2014, 2015, 2016, 2018, 2019, 2020, 2021, 2022, 2023)

# The list of tracts is taken from two vintages: data years up to 2019 have the tracts of the 2010 census, later ones
# those of 2020.
TRACT_LIST_VINTAGES: Final = {2010: 2018, 2020: 2020}


def tract_vintage(year: int) -> int:
    """The census whose tracts the tables of data year `year` use."""
    return 2010 if year < 2020 else 2020


def vintage_key(year: int) -> str:
    """Folder of the 5-year tables that end in `year`."""
    return f"acs5-{year}"


def _vintage(year: int) -> Vintage:
    contents = [TRACT_RACE]
    contents += [POVERTY] if year in POVERTY_YEARS else []
    contents += [COUNTY_RACE, PLACE_RACE] if year in AREA_YEARS else []
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
    dataset="American Community Survey, 5-year estimates, tables B17001, B03002 (or S1701, DP05)",
    citation="U.S. Census Bureau. American Community Survey 5-year estimates.",
    licence="Public domain (U.S. government work); the Census API terms of service apply",
    redistribute=True,
    landing_page="https://api.census.gov/data.html",
    access=Access.API_KEY,
    vintages=tuple(_vintage(year) for year in VINTAGES),
    recipe=(
        "By hand: on data.census.gov open table B03002 (or DP05; for poverty S1701) of the 5-year estimates for all "
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
    frame = PLACE_RACE.read(year, retrieval).rename({"place": "geo"})
    listed = geographies(year, retrieval.scope.states).filter(pl.col("level") == "place")
    kept = frame.join(listed, on=["state", "geo"], how="semi", maintain_order="left")
    retrieval.notes["places"] = {
        "not listed, left out": frame.height - kept.height,
        "listed, without rows": listed.height - kept.height,
    }
    return kept


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
    ),
    Table(
        name="acs_tract_race",
        title="People by race, Hispanic origin and tract",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=TractRaceModel,
        sources=("acs_tables",),
        years=RACE_YEARS,
        build=tract_race,
    ),
    Table(
        name="acs_county_race",
        title="People by race, Hispanic origin and county",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=AreaRaceModel,
        sources=("acs_tables",),
        years=AREA_YEARS,
        build=county_race,
    ),
    Table(
        name="acs_place_race",
        title="People by race, Hispanic origin and place",
        description=_COUNTS + "The eight groups are disjoint and add up to `people`.",
        model=AreaRaceModel,
        sources=("acs_tables",),
        years=AREA_YEARS,
        build=place_race,
    ),
)
