"""Synthetic households and people of one ACS sample: drawn from tables of integers, tied to the world's counties.

The draws follow no estimate of anything; they are shaped so that employment, incomes, rents, schooling and disability
look plausible, that counties differ, and that all special cases occur which the methods treat (vacant units, group
quarters, households of ten unrelated people, negative and zero incomes, rent-free renters, small children, ...).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from sources.synthetic.world import NEWEST, World, county_layer

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REPLICATES: Final = 80
FIVE_YEARS: Final = 2  # a 5-year file has so many times the records of a 1-year file
MEAN_WEIGHT: Final = {1: 100, 5: 20}
OCCUPIED, VACANT, GROUP_QUARTERS = 0, 1, 2

# Price level of each survey year (CPI-U annual averages times 1,000; only their ratios matter here).
PRICES: Final = {
    2010: 218_056,
    2011: 224_939,
    2012: 229_594,
    2013: 232_957,
    2014: 236_736,
    2015: 237_017,
    2016: 240_007,
    2017: 245_120,
    2018: 251_107,
    2019: 255_657,
    2020: 258_811,
    2021: 270_970,
    2022: 292_655,
    2023: 304_702,
}
# Household income by vigintile in prices of 2014.
INCOME: Final = 100 * np.array(
    (0, 72, 124, 173, 221, 270, 322, 376, 433, 495, 562, 634, 715, 806, 914, 1045, 1218, 1460, 1840, 2620, 6100)
)
# Home value and monthly rent by decile in prices of 2014.
VALUE: Final = 1000 * np.array((12, 68, 105, 138, 172, 210, 255, 315, 410, 590, 1400))
RENT: Final = 10 * np.array((12, 42, 56, 66, 75, 84, 95, 108, 126, 156, 290))


def hadamard() -> Ints:
    """The 80 x 80 Hadamard matrix of Paley's construction (79 is prime and 3 modulo 4); entries are 1 and -1."""
    prime = REPLICATES - 1
    squares = {i * i % prime for i in range(1, prime)}
    chi = np.array([0] + [1 if i in squares else -1 for i in range(1, prime)])
    index = np.arange(prime)
    skew = np.zeros((REPLICATES, REPLICATES), dtype=np.int64)
    skew[0, 1:] = 1
    skew[1:, 0] = -1
    skew[1:, 1:] = chi[(index[:, None] - index[None, :]) % prime]
    return np.asarray(skew + np.eye(REPLICATES, dtype=np.int64), dtype=np.int64)


def replicate(weights: Ints, group: Ints) -> npt.NDArray[np.int32]:
    """Successive-difference replicate weights, shape (80, records).

    Record groups take neighbouring rows a, b of the Hadamard matrix; replicate r of weight w is
    w * (1 + 2**-1.5 * (H[a, r] - H[b, r])), which is w times 1.7071, 1 or 0.2929, rounded half up.
    """
    matrix = hadamard()
    a = group % REPLICATES
    b = (group + 1 + group // REPLICATES % 3) % REPLICATES
    pair, position = np.unique(a * REPLICATES + b, return_inverse=True)
    factors = 10_000 + (7_071 * (matrix[pair // REPLICATES] - matrix[pair % REPLICATES])) // 2
    table = factors.astype(np.int32).T
    scaled = weights.astype(np.int32)[None, :] * table[:, position] + 5_000
    return np.asarray(scaled // 10_000, dtype=np.int32)


@dataclass(frozen=True)
class Sample:
    """Records of one sample for all states of the world.

    `households` has one row per housing unit (occupied or vacant) and one per person in group quarters, `persons` one
    per person; both are in the order of `serial`, which joins them. Columns: serial, state (index into `World.states`),
    atom (row of `World.atoms`), survey_year, kind (`OCCUPIED`, `VACANT`, `GROUP_QUARTERS`), then Census variables with
    the codes of the 2018 files as integers, null for "not applicable". Replicate weights are matrices (80, rows).
    """

    households: pl.DataFrame
    persons: pl.DataFrame
    household_replicates: npt.NDArray[np.int32]
    person_replicates: npt.NDArray[np.int32]


class _Dice:
    """Integer draws of one generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def permille(self, size: int) -> Ints:
        """Draws in 0..999."""
        return self._rng.integers(0, 1000, size)

    def between(self, low: int, high: int, size: int) -> Ints:
        """Draws in low..high, both included."""
        return self._rng.integers(low, high + 1, size)

    def pick(self, frequencies: dict[int, int], size: int) -> Ints:
        """Draws of the keys with the frequencies of the values (permille, adding up to 1,000)."""
        shares = np.cumsum(list(frequencies.values()))
        return np.asarray(np.array(list(frequencies))[np.searchsorted(shares, self.permille(size), side="right")])

    def amount(self, knots: Ints, size: int) -> Ints:
        """Whole dollars: linear between equidistant knots of the cumulative distribution."""
        at = self._rng.integers(0, 10_000, size) * (len(knots) - 1)
        low = at // 10_000
        return np.asarray(knots[low] + (knots[low + 1] - knots[low]) * (at % 10_000) // 10_000)


def rounded(amount: Ints) -> Ints:
    """Dollars rounded as in public Census files: to tens up to 1,000, to hundreds up to 50,000, to thousands above."""
    size = np.abs(amount)
    step = np.where(size <= 1_000, 10, np.where(size <= 50_000, 100, 1_000))
    return np.asarray(np.sign(amount) * ((size + step // 2) // step * step))


def _column(name: str, values: Ints, where: Bools) -> pl.Series:
    """A column that is null except `where`."""
    return pl.DataFrame({name: values, "_": where}).select(pl.when("_").then(name).alias(name))[name]


@dataclass(frozen=True)
class _Units:
    """Addresses of a sample: where they are, what stands there, and what the county is like. All of one length."""

    state: Ints
    kind: Ints
    atom: Ints
    survey_year: Ints
    prices: Ints  # permille of 2014
    incomes: Ints  # income level of the county, permille
    work: Ints  # employment of the county against the average, permille
    minority: Ints  # share of minorities in the county, permille

    def __len__(self) -> int:
        return len(self.state)


def _units(world: World, year: int, span: int, dice: _Dice) -> _Units:
    """Addresses of all states: a person of the line picked at random says where the unit stands."""
    aims = np.array([s.sample * (FIVE_YEARS if span == 5 else 1) for s in world.states])
    counts = np.stack([aims * 390 // 1000, aims * 50 // 1000, aims * 35 // 1000], axis=1).ravel()
    kind = np.repeat(np.tile([OCCUPIED, VACANT, GROUP_QUARTERS], len(aims)), counts)
    state = np.repeat(np.repeat(np.arange(len(aims)), 3), counts)
    size = len(state)

    lines = [world.lines[s.code] for s in world.states]
    length = np.array([line.persons for line in lines])
    before = np.cumsum(length) - length
    where = pl.DataFrame({"state": [s.code for s in world.states], "before": before})
    atoms = world.atoms.join(where, on="state", how="left", validate="m:1", maintain_order="left")
    ends = (atoms["before"] + atoms["end"]).to_numpy()
    # Somebody of the whole line, or of the county in focus.
    focused = dice.permille(size) < np.array([s.focus[1] if s.focus else 0 for s in world.states])[state]
    first = np.array([line.start[line.state.focus[0]] if line.state.focus else 0 for line in lines])[state]
    last = np.array([line.end[line.state.focus[0]] if line.state.focus else 0 for line in lines])[state]
    low, high = np.where(focused, first, 0), np.where(focused, last, length[state])
    # 32 random bits spread evenly enough over some million people and keep the product within 64 bits.
    somebody = before[state] + low + (dice.between(0, (1 << 32) - 1, size) * (high - low) >> 32)
    atom = np.searchsorted(ends, somebody, side="right")

    county = world.atoms.select(pl.struct("state", county_layer(NEWEST)).rank("dense") - 1).to_series().to_numpy()
    traits = _Dice(world.rng("county traits"))
    many = int(county.max()) + 1
    incomes, work = traits.between(780, 1320, many), traits.between(-50, 50, many)
    minority = traits.between(200, 500, many)
    home = county[atom]
    survey_year = np.full(size, year) if span == 1 else dice.between(year - 4, year, size)
    prices = np.array(list(PRICES.values()))[survey_year - min(PRICES)] * 1000 // PRICES[2014]
    return _Units(state, kind, atom, survey_year, prices, incomes[home], work[home], minority[home])


@dataclass(frozen=True)
class _Homes:
    """Who lives at each address: size and type of the household and its reference person."""

    size: Ints
    couple: Bools
    mates: Bools  # two adults who are not related
    crowd: Bools  # ten or more people, all unrelated
    age: Ints
    sex: Ints
    race: Ints
    hispanic: Bools
    owner: Bools


def _homes(units: _Units, dice: _Dice) -> _Homes:
    n = len(units)
    occupied, quarters = units.kind == OCCUPIED, units.kind == GROUP_QUARTERS
    size = np.where(occupied, dice.pick({1: 285, 2: 340, 3: 150, 4: 125, 5: 60, 6: 25, 7: 11, 12: 4}, n), quarters * 1)
    crowd = size >= 10
    couple = (size >= 2) & ~crowd & (dice.permille(n) < 680)
    mates = (size == 2) & ~couple & (dice.permille(n) < 400)
    stage = dice.permille(n)
    age = np.where(
        stage < 620, dice.between(25, 54, n), np.where(stage < 690, dice.between(18, 24, n), dice.between(55, 92, n))
    )
    student = dice.permille(n) < 400
    age = np.where(quarters, np.where(student, dice.between(18, 22, n), dice.between(3, 94, n)), age)
    group = dice.permille(n)
    race = np.where(group * 10 < units.minority * 6, 2, np.where(group < units.minority, 6, 1))
    hispanic = dice.permille(n) * 100 < units.minority * 35
    owner = dice.permille(n) < np.clip(250 + age * 8 - (race != 1) * 180, 50, 930)
    return _Homes(size, couple, mates, crowd, age, dice.between(1, 2, n), race, hispanic, owner)


def _incomes(units: _Units, homes: _Homes, dice: _Dice) -> Ints:
    """Household income before the file's own adjustment factor: heaped, rounded, now and then zero or a loss."""
    n = len(units)
    money = dice.amount(INCOME, n) * units.incomes // 1000
    money = money * np.where(homes.race == 2, 760, np.where(homes.hispanic, 820, 1000)) // 1000
    money = money * np.where(homes.owner, 1180, 780) // 1000 * np.where(homes.couple, 1200, 850) // 1000
    money = money * units.prices // 1000
    money = np.where((dice.permille(n) < 250) & (money > 10_000), (money + 2_500) // 5_000 * 5_000, money)
    odd = dice.permille(n)
    return rounded(np.where(odd < 12, 0, np.where(odd < 16, -money // 20, money)))


def _household_frame(units: _Units, homes: _Homes, weight: Ints, income: Ints, dice: _Dice) -> pl.DataFrame:
    """The housing records."""
    n = len(units)
    occupied, vacant, quarters = units.kind == OCCUPIED, units.kind == VACANT, units.kind == GROUP_QUARTERS
    mortgage = homes.owner & (dice.permille(n) < np.clip(950 - (homes.age - 25) * 11, 100, 950))
    free = ~homes.owner & (dice.permille(n) < 50)
    renter = occupied & ~homes.owner & ~free
    vacancy = dice.pick({1: 200, 2: 60, 3: 130, 4: 70, 5: 250, 6: 10, 7: 280}, n)
    value = rounded(dice.amount(VALUE, n) * units.incomes // 1000 * units.prices // 1000)
    value = np.where(dice.permille(n) < 600, np.maximum(value // 5_000 * 5_000, 1_000), value)
    costs = rounded(250 + value // 1000 + value * np.where(mortgage, 55, 8) // 10_000)
    rent = dice.amount(RENT, n) * units.incomes // 1000 * units.prices // 1000
    rent = np.maximum(np.where(dice.permille(n) < 700, rent // 50 * 50, rent // 10 * 10), 10)
    online = dice.permille(n) < np.clip(650 + income // 800 - (homes.age > 70) * 180, 200, 985)
    paid = online & (dice.permille(n) < 960)
    elderly_or_minor = (homes.age < 18) | (homes.age > 24)
    return pl.DataFrame(
        {
            "WGTP": np.where(quarters, 0, weight),
            "NP": homes.size,
            "TYPE": np.where(quarters, np.where(elderly_or_minor, 2, 3), 1),
        }
    ).with_columns(
        _column("ACCESS", np.where(paid, 1, np.where(online, 2, 3)), occupied),
        _column("BDSP", np.clip(homes.size + dice.between(-1, 2, n), 0, 5), ~quarters),
        _column("HISPEED", np.where(dice.permille(n) < 820, 1, 2), occupied & paid),
        _column("LAPTOP", np.where(dice.permille(n) < np.where(online, 860, 420), 1, 2), occupied),
        _column("RNTP", rent, renter | (vacant & np.isin(vacancy, [1, 2]))),
        _column("TABLET", np.where(dice.permille(n) < np.where(online, 680, 250), 1, 2), occupied),
        _column("TEN", np.where(homes.owner, np.where(mortgage, 1, 2), np.where(free, 4, 3)), occupied),
        _column("VACS", vacancy, vacant),
        _column("VALP", value, (occupied & homes.owner) | (vacant & np.isin(vacancy, [3, 4]))),
        _column("GRNTP", rent + dice.between(4, 29, n) * 10, renter),
        _column("HINCP", income, occupied),
        _column("NPF", homes.size, occupied & (homes.size >= 2) & ~homes.mates & ~homes.crowd),
        _column("SMOCP", costs, occupied & homes.owner),
    )


@dataclass(frozen=True)
class _People:
    """The people of all households in order; `home` is the row of their household."""

    home: Ints
    sporder: Ints
    relation: Ints  # RELP
    age: Ints
    sex: Ints
    race: Ints
    hispanic: Bools
    disabled: Bools


def _people(units: _Units, homes: _Homes, institution: Bools, dice: _Dice) -> _People:
    """The reference person, a spouse, then children or unrelated adults."""
    home = np.repeat(np.arange(len(units)), homes.size)
    m = len(home)
    sporder = np.arange(m) - (np.cumsum(homes.size) - homes.size)[home] + 1
    reference = sporder == 1
    spouse = (sporder == 2) & homes.couple[home]
    unrelated = ~reference & ~spouse & (homes.mates | homes.crowd)[home]
    child = ~reference & ~spouse & ~unrelated
    # Ages 3, 4, 19 and 20 are more frequent than in life, so that small samples fill some cells of these ages.
    stage = dice.permille(m)
    age = np.where(
        stage < 120, dice.between(3, 4, m), np.where(stage < 250, dice.between(19, 20, m), dice.between(0, 23, m))
    )
    age = np.where(child, np.minimum(age, np.maximum(homes.age[home] - 16, 0)), dice.between(19, 61, m))
    age = np.where(spouse, np.clip(homes.age[home] + dice.between(-6, 6, m), 18, 94), age)
    age = np.where(reference, homes.age[home], age)
    sex = np.where(spouse & (dice.permille(m) < 985), 3 - homes.sex[home], dice.between(1, 2, m))
    sex = np.where(reference, homes.sex[home], sex)
    like = reference | (dice.permille(m) < 920)
    other = dice.pick({1: 400, 2: 200, 3: 30, 4: 2, 5: 18, 6: 130, 7: 10, 8: 90, 9: 120}, m)
    race = np.where(like, homes.race[home], other)
    hispanic = np.where(like, homes.hispanic[home], dice.permille(m) < 200)
    disabled = dice.permille(m) < np.where(age < 5, 8, np.where(age < 18, 50, np.where(age < 65, 115, 370)))
    relation = np.where(spouse, 1, np.where(child, 2, np.where(homes.mates[home], 12, 15)))
    relation = np.where(reference, 0, relation)
    quarters = np.where(institution, 16, 17)[home]
    relation = np.where(units.kind[home] == GROUP_QUARTERS, quarters, relation)
    return _People(home, sporder, relation, age, sex, race, hispanic, disabled)


def _schooling(people: _People, incomes: Ints, rich: Bools, dice: _Dice) -> list[pl.Series]:
    """SCH, SCHG and SCHL of each person."""
    m, age = len(people.home), people.age
    level = (incomes - 1000) // 10
    nursery = dice.permille(m)
    early = np.where(nursery > 985, 3, 2) * ((age == 4) & (nursery > 900))
    grade = np.where(nursery < 390 + rich * 130 + level, 1, early)
    student = (age < 24) & (dice.permille(m) < 480)
    grade = np.where(age < 5, grade, np.where(age < 18, np.clip(age - 3, 2, 14), student * 15))
    finished = dice.permille(m) < np.where(age <= 18, 500, 880) + level
    beginner = dice.pick({16: 430, 17: 60, 18: 240, 19: 270}, m)
    later = dice.pick({16: 250, 17: 45, 18: 70, 19: 150, 20: 85, 21: 240, 22: 110, 23: 30, 24: 20}, m)
    attained = np.where(finished, np.where(age <= 20, beginner, later), dice.between(11, 15, m))
    attained = np.where(age < 18, np.clip(age - 3, 2, 14), attained)
    attained = np.where(age < 5, np.where(grade > 0, grade + 1, 1), attained)
    school = age >= 3
    return [
        _column("SCH", np.where(grade > 0, 2, 1), school),
        _column("SCHG", grade, school & (grade > 0)),
        _column("SCHL", attained, school),
    ]


def _work(people: _People, units: _Units, institution: Bools, dice: _Dice) -> pl.Series:
    """ESR of each person of 16 years and more."""
    m, age = len(people.home), people.age
    slump = units.survey_year[people.home] == 2021
    rate = np.where(age < 25, 560, np.where(age < 55, 825, np.where(age < 65, 640, 170)))
    rate = rate + units.work[people.home] + np.where(slump, -20, (units.survey_year[people.home] - 2014) * 4)
    rate = rate - (people.sex == 2) * 60 - people.disabled * 330 - institution[people.home] * 2000
    works = dice.permille(m) < rate
    working, idle = dice.pick({1: 962, 2: 22, 4: 13, 5: 3}, m), np.where(dice.permille(m) < 130, 3, 6)
    return _column("ESR", np.where(works, working, idle), age >= 16)


def _disability(people: _People, dice: _Dice) -> list[pl.Series]:
    """The six difficulties (1 yes, 2 no, null below the age at which each is asked), and DIS."""
    m = len(people.home)
    first, second = dice.between(0, 5, m), dice.between(0, 8, m)
    asked = {"DDRS": 5, "DEAR": 0, "DEYE": 0, "DOUT": 15, "DPHY": 5, "DREM": 5}
    out = []
    for number, (name, since) in enumerate(asked.items()):
        yes = people.disabled & ((first == number) | (second == number))
        out.append(_column(name, np.where(yes, 1, 2), people.age >= since))
    any_difficulty = pl.any_horizontal((pl.col(name) == 1).fill_null(False) for name in asked)
    return [*out, pl.DataFrame(out).select(DIS=pl.when(any_difficulty).then(1).otherwise(2).cast(pl.Int64))["DIS"]]


def draw(world: World, year: int, span: int) -> Sample:
    """The 1-year (`span` 1) or 5-year (`span` 5) sample of `year`.

    Mean weights are those of the real files (100 and 20); the sample is thin, so its weights add up to far fewer
    people than the world has.
    """
    dice = _Dice(world.rng("acs", year, span))
    units = _units(world, year, span, dice)
    homes = _homes(units, dice)
    income = _incomes(units, homes, dice)
    weight = np.maximum(MEAN_WEIGHT[span] * dice.between(350, 1650, len(units)) // 1000, 1)
    housing = _household_frame(units, homes, weight, income, dice)
    institution = (housing["TYPE"] == 2).to_numpy()
    people = _people(units, homes, institution, dice)
    home = people.home
    member = np.maximum(weight[home] * dice.between(800, 1200, len(home)) // 1000, 1)
    person = pl.DataFrame(
        {
            "SPORDER": people.sporder,
            "PWGTP": member,
            "AGEP": people.age,
            "RELP": people.relation,
            "SEX": people.sex,
            "HISP": np.where(people.hispanic, np.where(people.race == 1, 2, 3), 1),
            "RAC1P": people.race,
        }
    ).with_columns(
        *_disability(people, dice),
        *_schooling(people, units.incomes[home], income[home] >= 50_000, dice),
        _work(people, units, institution, dice),
    )

    # Serial numbers run by state, survey year and kind of record, group quarters first as in the agency's files.
    order = np.lexsort((units.kind != GROUP_QUARTERS, units.survey_year, units.state))
    serial = np.empty(len(order), dtype=np.int64)
    serial[order] = np.arange(len(order))
    place = {"serial": serial, **{k: getattr(units, k) for k in ("state", "atom", "survey_year", "kind")}}
    person_order = np.lexsort((people.sporder, serial[home]))
    return Sample(
        households=pl.DataFrame(place).hstack(housing)[order],
        persons=pl.DataFrame({k: v[home] for k, v in place.items()}).hstack(person)[person_order],
        household_replicates=replicate(housing["WGTP"].to_numpy()[order], serial[order]),
        person_replicates=replicate(member[person_order], serial[home][person_order]),
    )
