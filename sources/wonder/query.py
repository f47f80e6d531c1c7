"""What an export must have been asked for (the recipe, as data), and how a footer differs from it.

Compared are parsed choices, not text: years as numbers, causes of death as ICD-10 categories, labels without their
codes, spacing and case. A parameter that the recipe does not name must be absent or read "All". A difference that is
understood is a CONFLICT: the export holds other data. One that is not understood is UNKNOWN WORDING.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from sources.wonder import icd10
from sources.wonder.export import Footer
from sources.wonder.vocabulary import DATASETS, NARROWING

# "All", "All Races", "*All* (The United States)": nothing is left out. Not "All other causes".
_ALL: Final = re.compile(
    r"^\*?all\*?(?: (?:ages|categories|causes of death|counties|dates|genders|months|origins|places|races|regions|sexes"
    r"|states|values|weekdays|weights|years))?(?: \(the united states\))?$",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"\s*\(\*?[A-Z]{0,2}\d[\w.*-]*\)$")


@cache
def normal(text: str) -> str:
    """A name or label for comparison: lower case, plain quotes and dashes, single blanks, without a code at its end."""
    text = _CODE.sub("", text.strip()).replace("’", "'").replace("–", "-")
    text = re.sub(r"\s*([,-])\s*", r"\1", text)
    return re.sub(r"\s+", " ", text).lower()


_NARROWING: Final = frozenset(normal(name) for name in NARROWING)


@dataclass(frozen=True)
class Filter:
    """A choice of the form that the footer must repeat.

    `choices` are the values to select, in the form's words; `offered` all values the form has (for labels: one outside
    is unknown wording). `also` gives other names under which the footer may print the parameter. `words` says in short
    what to select, where the list of choices is long.
    """

    parameter: str
    choices: tuple[str, ...]
    kind: Literal["labels", "years", "icd10"] = "labels"
    offered: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    words: str = ""

    def __str__(self) -> str:
        return f"{self.parameter}: {self.words or ' + '.join(self.choices)}"

    @property
    def names(self) -> frozenset[str]:
        """All names of the parameter, normalized."""
        return frozenset(normal(name) for name in (self.parameter, *self.also))

    def wanted(self) -> frozenset[str]:
        """The choices, parsed."""
        return self.parse("; ".join(self.choices))[0]

    def parse(self, text: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """The values of a footer line, parsed, and those that are not understood."""
        values = [part.strip() for part in text.split(";") if part.strip()]
        known: set[str] = set()
        unknown: list[str] = []
        for value in values:
            parsed = self._value(value)
            if parsed is None:
                unknown.append(value)
            else:
                known |= parsed
        return frozenset(known), tuple(unknown)

    def _value(self, value: str) -> frozenset[str] | None:
        if self.kind == "icd10":
            return icd10.categories(value)
        if self.kind == "years":
            return frozenset({value}) if re.fullmatch(r"\d{4}", value) else None
        return frozenset({normal(value)}) & {normal(v) for v in self.offered} or None

    def shown(self, values: frozenset[str]) -> str:
        """Parsed values for a message."""
        return icd10.ranges(values) if self.kind == "icd10" else "; ".join(sorted(values))


@dataclass(frozen=True)
class Group:
    """One group of people: its part of the file's name, its published labels, and the choices that select it."""

    name: str
    subgroup_type: str
    subgroup: str
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Query:
    """The recipe of one export: every choice to make on the form.

    `dataset` is a pattern of the data set's name; its group `last` (the last year it covers) must be at least
    `last_year`. `group_by` lists the accepted names of the one group-by variable. `measures` are the columns the export
    must have. `options` are footer lines with the values they must have; `harmless` names lines that do not change the
    figures. `unseen` are choices of the form that no footer shows.
    """

    file: str
    page: str
    data: str
    dataset: str
    last_year: int
    group_by: tuple[str, ...]
    measures: tuple[str, ...]
    filters: tuple[Filter, ...]
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    harmless: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def instructions(self) -> str:
        """The form choices in words."""
        return "; ".join(map(str, self.filters))


def describe(queries: Sequence[Query]) -> str:
    """The choices of several exports in words, what they share said once."""
    shared = [f for f in queries[0].filters if all(f in q.filters for q in queries)]
    parts = [f"Data set: {queries[0].data}. In each export {'; '.join(map(str, shared))}."]
    for query in queries:
        own = "; ".join(str(f) for f in query.filters if f not in shared)
        parts.append(f"{query.file}{': ' if own else ''}{own}")
    return parts[0] + " Exports: " + " | ".join(parts[1:]) + "."


@dataclass(frozen=True)
class Difference:
    """One way in which a footer departs from the recipe. `value` is the text printed (null: the line is absent)."""

    parameter: str
    value: str | None
    wanted: str
    conflict: bool

    def __str__(self) -> str:
        found = "is missing" if self.value is None else f"reads {self.value!r}"
        return f"{self.parameter} {found}, the recipe says {self.wanted}"


def differences(footer: Footer, query: Query) -> list[Difference]:
    """All differences, conflicts first."""
    found = [*_dataset(footer, query), *_group_by(footer, query)]
    left = {normal(name): (name, value) for name, value in footer.parameters.items()}
    for wanted in query.filters:
        printed = next((left.pop(name) for name in sorted(wanted.names) if name in left), None)
        found += _filter(printed, wanted)
    for option, allowed in query.options.items():
        _, value = left.pop(normal(option), (option, None))
        if value is None or value.lower() not in {a.lower() for a in allowed}:
            found.append(Difference(option, value, " or ".join(allowed), conflict=True))
    harmless = {normal(name) for name in query.harmless}
    for name, (printed_name, value) in left.items():
        if name not in harmless and not _ALL.match(value):
            found.append(Difference(printed_name, value, "All", conflict=name in _NARROWING))
    return sorted(found, key=lambda d: not d.conflict)


def _dataset(footer: Footer, query: Query) -> list[Difference]:
    match = re.fullmatch(query.dataset, footer.dataset)
    if match and int(match["last"]) >= query.last_year:
        return []
    # An older edition of the right data set is one of WONDER's own names, too.
    return [Difference("Dataset", footer.dataset, query.data, conflict=bool(DATASETS.match(footer.dataset)))]


def _group_by(footer: Footer, query: Query) -> list[Difference]:
    allowed = {normal(name) for name in query.group_by}
    if len(footer.group_by) == 1 and normal(footer.group_by[0]) in allowed:
        return []
    printed = "; ".join(footer.group_by) or None
    known = all(normal(name) in _NARROWING for name in footer.group_by)
    return [Difference("Group By", printed, query.group_by[0], conflict=known)]


def _filter(printed: tuple[str, str] | None, wanted: Filter) -> list[Difference]:
    goal = wanted.wanted()
    recipe = wanted.shown(goal)
    if printed is None or _ALL.match(printed[1]):
        return [Difference(wanted.parameter, printed[1] if printed else None, recipe, conflict=True)]
    name, text = printed
    values, unknown = wanted.parse(text)
    found: list[Difference] = []
    # Values that are not understood may stand for the ones that are lacking.
    if values - goal or (goal - values and not unknown):
        found.append(Difference(name, wanted.shown(values), recipe, conflict=True))
    if unknown:
        found.append(Difference(name, "; ".join(unknown), recipe, conflict=False))
    return found
