"""Census PUMS variables to IPUMS names and codes (method file acs_microdata.md, section 11), by the column.

A recode is null exactly where the file's text is not lawful; blanks have a code of their own. So one look at the null
counts of a finished file shows whether every value of it was understood.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.acs import NOT_APPLICABLE, REPLICATES
from schemas.errors import InputError
from sources.acs.sample import Sample

SERIAL: Final = "serialno"
_MILLION: Final = 1_000_000

# Columns that were renamed between vintages; exactly one of each group must be there.
_STATE: Final = ("ST", "STATE")
_RELATION: Final = ("RELP", "RELSHIPP")
_UNIT_TYPE: Final = ("TYPE", "TYPEHUGQ")
_INTERNET: Final = ("ACCESS", "ACCESSINET")
# PUMA codes of mixed 5-year files stand in one column per census, "not applicable" (-9, -0009) in the others.
_PUMAS: Final[dict[str, int]] = {"PUMA00": 2000, "PUMA10": 2010, "PUMA20": 2020}

_YES_NO: Final = {1: 2, 2: 1}
_RELP_GQ: Final = {**dict.fromkeys(range(16), 1), 16: 3, 17: 4}
_RELSHIPP_GQ: Final = {**dict.fromkeys(range(20, 37), 1), 37: 3, 38: 4}
_ESR: Final = {1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 3}
_HISP: Final = {1: 0, 2: 1, 3: 2, 4: 3, **dict.fromkeys(range(5, 25), 4)}
# RAC1P does not tell Chinese and Japanese from other Asian, nor two races from more: all of these are 3 to 9 in IPUMS.
_RAC1P: Final = {1: 1, 2: 2, 3: 3, 4: 3, 5: 3, 6: 6, 7: 6, 8: 7, 9: 8}
_SCHL: Final = dict(
    enumerate(
        (2, 11, 12, 14, 15, 16, 17, 22, 23, 25, 26, 30, 40, 50, 61, 63, 64, 65, 71, 81, 101, 114, 115, 116), start=1
    )
)
_SCHG: Final = {
    **{1: 1, 2: 2},
    **dict.fromkeys(range(3, 7), 3),
    **dict.fromkeys(range(7, 11), 4),
    **dict.fromkeys(range(11, 15), 5),
    **{15: 6, 16: 7},
}
_TEN: Final = {1: 1, 2: 1, 3: 2, 4: 2}
_VACS: Final = {1: 1, 2: 3, 3: 2, 4: 3, 5: 4, 6: 7, 7: 9}
_SUPPRESSED: Final = 8


@dataclass(frozen=True)
class Recode:
    """One column of the result: the file's columns it is made from, the expression, and what a null of it means.

    Where `number` is set, the one column it is made from may be read as such numbers instead of text.
    """

    name: str
    raw: tuple[str, ...]
    value: pl.Expr
    problem: str
    number: type[pl.DataType] | None = None


@dataclass(frozen=True)
class Header:
    """A file's column names in capitals (the agency changed the case between vintages), and as they stand there."""

    names: Mapping[str, str]
    file: str
    source: str

    def one_of(self, alternatives: Iterable[str]) -> str:
        """The one of these names that is there; none or several are an error."""
        alternatives = tuple(alternatives)
        found = [name for name in alternatives if name in self.names]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"{' and '.join(found)} are both there.", source=self.source, file=self.file, row=1, column=found[0]
            )
        near = difflib.get_close_matches(alternatives[0], list(self.names), n=1)
        hint = f"; the nearest is {self.names[near[0]]!r}" if near else ""
        raise InputError(
            f"the column is missing{hint}.", source=self.source, file=self.file, row=1, column=" or ".join(alternatives)
        )

    def require(self, recodes: Iterable[Recode]) -> None:
        """Every column the recodes are made from must be there."""
        for recode in recodes:
            for raw in recode.raw:
                self.one_of((raw,))


def _text(raw: str) -> pl.Expr:
    return pl.col(raw).fill_null("").str.strip_chars()


def _codes(name: str, raw: str, mapping: Mapping[int, int], *, width: int = 1, blank: int | None = None) -> Recode:
    """A code; the file writes it with or without leading zeros. `blank` is what an empty cell becomes, if it may be."""
    texts: dict[str, int] = {}
    for code, meaning in mapping.items():
        texts |= {str(code): meaning, str(code).zfill(width): meaning}
    if blank is not None:
        texts[""] = blank
    value = _text(raw).replace_strict(list(texts), list(texts.values()), default=None, return_dtype=pl.Int16)
    return Recode(name, (raw,), value, "unknown code")


def _whole(raw: str, dtype: type[pl.DataType] = pl.Int64) -> pl.Expr:
    return pl.col(raw).cast(dtype, strict=False)


def _number(
    name: str, raw: str, dtype: type[pl.DataType], *, low: int | None = None, high: int | None = None
) -> Recode:
    value = _whole(raw, dtype)
    lawful = value.is_not_null()
    if low is not None:
        lawful = lawful & (value >= low)
    if high is not None:
        lawful = lawful & (value <= high)
    return Recode(name, (raw,), pl.when(lawful).then(value), "not a number that can be", dtype)


def _dollars(name: str, raw: str, sample: Sample, *, low: int | None = 0) -> Recode:
    """Dollars as IPUMS gives them: of the survey year in 1-year files, in 5-year files of the last year, rounded.

    The factor is ADJHSG, the inflation part alone; the published 5-year incomes show that IPUMS multiplies by it and
    rounds to the nearest dollar, and keeps the other part of ADJINC in ADJUST.
    """
    value = _whole(raw)
    lawful = value.is_not_null() if low is None else value >= low
    if NOT_APPLICABLE[name]:
        # Top codes lie far below; an amount that means "not applicable" in IPUMS would be lost.
        lawful = lawful & (value != NOT_APPLICABLE[name])
    raws: tuple[str, ...] = (raw,)
    if sample.span == 5:
        raws = (raw, "ADJHSG")
        value = (value * _whole("ADJHSG") / _MILLION).round(0, mode="half_away_from_zero").cast(pl.Int64)
    made = pl.when(_text(raw) == "").then(pl.lit(NOT_APPLICABLE[name], pl.Int64)).when(lawful).then(value)
    return Recode(name, raws, made, "not a dollar amount that can be")


def _place(header: Header, sample: Sample, state: str) -> list[Recode]:
    """Year, state, PUMA and serial number: the same for persons and housing."""
    prefix = _text("SERIALNO").str.slice(0, 4)
    if sample.span == 5:
        year = prefix.cast(pl.Int16, strict=False)
        year = pl.when(year.is_in(list(sample.survey_years))).then(year)
    else:
        # Serial numbers of 1-year files carry the year only since they have 13 characters.
        other = (_text("SERIALNO").str.len_chars() == 13) & (prefix != str(sample.year))
        year = pl.when(~other).then(pl.lit(sample.year, pl.Int16))
    column = header.one_of(_STATE)
    recodes = [
        Recode(SERIAL, ("SERIALNO",), pl.when(_text("SERIALNO") != "").then(_text("SERIALNO")), "missing"),
        Recode("year", (), pl.lit(sample.year, pl.Int16), ""),
        Recode("survey_year", ("SERIALNO",), year, f"not a serial number of {sample.census_vintage}"),
        Recode("state", (column,), pl.when(_text(column) == state).then(_text(column)), f"not the state {state}"),
    ]
    mixed = [name for name in _PUMAS if name in header.names]
    if mixed and "PUMA" not in header.names:
        codes = [pl.when(_text(name).str.contains(r"^\d{5}$")).then(_text(name)) for name in mixed]
        vintages = [pl.when(code.is_not_null()).then(_PUMAS[name]) for code, name in zip(codes, mixed, strict=True)]
        single = pl.sum_horizontal(code.is_not_null() for code in codes) == 1
        others = pl.all_horizontal(_text(name).str.contains(r"^(\d{5}|-0*9|)$") for name in mixed)
        puma = pl.when(single & others).then(pl.coalesce(codes))
        vintage = pl.coalesce(vintages).cast(pl.Int16)
        problem = "not the code of one PUMA (5 digits)"
    else:
        mixed = ["PUMA"]
        puma = pl.when(_text("PUMA").str.contains(r"^\d{5}$")).then(_text("PUMA"))
        vintage = sample.puma_vintage(year)
        problem = "not a PUMA code of 5 digits"
    return [
        *recodes,
        Recode("puma", tuple(mixed), puma, problem),
        Recode("puma_vintage", tuple(mixed), vintage, "not a PUMA code of a known vintage"),
    ]


def _weights(weight: str, raw: str, replicate: str) -> list[Recode]:
    """The full weight, which cannot be negative, and 80 replicate weights, which can."""
    return [
        _number(weight, raw, pl.Int32, low=0),
        *(_number(f"{replicate}{i}", f"{raw}{i}", pl.Int32) for i in range(1, REPLICATES + 1)),
    ]


def persons(header: Header, sample: Sample, state: str) -> list[Recode]:
    """Recodes of a person file: all columns of the table but the household's income."""
    relation = header.one_of(_RELATION)
    hearing, vision = _text("DEAR"), _text("DEYE")
    lawful = hearing.is_in(["1", "2"]) & vision.is_in(["1", "2"])
    senses = pl.when(lawful).then(pl.when((hearing == "1") | (vision == "1")).then(2).otherwise(1)).cast(pl.Int16)
    recodes = [
        *_place(header, sample, state),
        _codes("gq", relation, _RELP_GQ if relation == "RELP" else _RELSHIPP_GQ, width=2),
        _number("age", "AGEP", pl.Int16, low=0, high=99),
        _codes("sex", "SEX", {1: 1, 2: 2}),
        _codes("empstat", "ESR", _ESR, blank=0),
        _codes("race", "RAC1P", _RAC1P),
        _codes("hispan", "HISP", _HISP, width=2),
        _codes("educd", "SCHL", _SCHL, width=2, blank=1),
        _codes("gradeatt", "SCHG", _SCHG, width=2, blank=0),
        _codes("diffrem", "DREM", _YES_NO, blank=0),
        _codes("diffphys", "DPHY", _YES_NO, blank=0),
        _codes("diffmob", "DOUT", _YES_NO, blank=0),
        Recode("diffsens", ("DEAR", "DEYE"), senses, "unknown code"),
        _codes("diffcare", "DDRS", _YES_NO, blank=0),
        _number("pernum", "SPORDER", pl.Int16, low=1),
        *_weights("perwt", "PWGTP", "repwtp"),
    ]
    header.require(recodes)
    return recodes


def housing(header: Header, sample: Sample, state: str) -> list[Recode]:
    """Recodes of a housing file: all columns of the table but those of the householder and the county."""
    kind = header.one_of(_UNIT_TYPE)
    people, family = _whole("NP"), _whole("NPF")
    # Ten or more people unrelated to the reference person: a household only since the 2000 definition (IPUMS GQ 5).
    unrelated = people - pl.when(_text("NPF") == "").then(1).otherwise(family)
    home = pl.when(people == 0).then(0).when(unrelated >= 10).then(5).when(unrelated.is_not_null()).then(1)
    gq = (
        pl.when(_text(kind) == "1")
        .then(home)
        .when(people == 1)
        .then(_text(kind).replace_strict({"2": 3, "3": 4}, default=None, return_dtype=pl.Int32))
        .cast(pl.Int16)
    )
    vacancy = _codes("vacancy", "VACS", _VACS, blank=0)
    is_vacant = (_text(kind) == "1") & (people == 0)
    bedrooms = pl.when(_text("BDSP") == "").then(0).when(_whole("BDSP") >= 0).then(_whole("BDSP") + 1).cast(pl.Int16)
    factor = _whole("ADJINC") / (_whole("ADJHSG") if sample.span == 5 else _MILLION)
    recodes = [
        *_place(header, sample, state),
        Recode("gq", (kind, "NP", "NPF"), gq, "no known type and size of unit"),
        Recode(
            "vacancy",
            ("VACS", "NP"),
            pl.when(is_vacant == (vacancy.value != 0)).then(vacancy.value),
            "unknown code, or not that of a vacant unit",
        ),
        _codes("ownershp", "TEN", _TEN, blank=0),
        Recode("bedrooms", ("BDSP",), bedrooms, "not a number that can be"),
    ]
    if sample.asks_internet:
        recodes += [
            _codes("cilaptop", "LAPTOP", {1: 1, 2: 2}, blank=0),
            _codes("citablet", "TABLET", {1: 1, 2: 2}, blank=0),
            _codes("cihispeed", "HISPEED", {1: 10, 2: 20, _SUPPRESSED: 88}, blank=0),
            _codes("cinethh", header.one_of(_INTERNET), {1: 1, 2: 2, 3: 3}, blank=0),
        ]
    recodes += [
        # Household incomes may be negative: losses.
        _dollars("hhincome", "HINCP", sample, low=None),
        _dollars("owncost", "SMOCP", sample),
        _dollars("rent", "RNTP", sample),
        _dollars("rentgrs", "GRNTP", sample),
        _dollars("valueh", "VALP", sample),
        Recode(
            "adjust",
            ("ADJINC", "ADJHSG") if sample.span == 5 else ("ADJINC",),
            pl.when(factor.is_finite()).then(factor),
            "not a factor",
        ),
        *_weights("hhwt", "WGTP", "repwt"),
    ]
    header.require(recodes)
    return recodes


def reason(recode: Recode, values: Mapping[str, str | None]) -> str:
    """Why the first unlawful value of a recode is none, in words, from the texts that stand in the file."""
    text = (values[recode.raw[0]] or "").strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d*)?", text):
        return "thousands comma"
    if (
        recode.name in ("puma", "puma_vintage", "state")
        and text.isdigit()
        and len(text) < (2 if recode.name == "state" else 5)
    ):
        return f"{recode.problem}; leading zeros are lost"
    if recode.name in ("perwt", "hhwt") and re.fullmatch(r"-\d+", text):
        return "negative weight"
    if text == "":
        return "missing"
    numeric = recode.problem.startswith("not a number") or recode.problem.startswith("not a dollar")
    if numeric and not re.fullmatch(r"-?\d+", text):
        return "not a number"
    return recode.problem
