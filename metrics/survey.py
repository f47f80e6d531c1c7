"""Weighted shares by county and place from ACS microdata, with replicate variance, in one pass over the records.

Sums are linear, so microdata are never joined to counties: the weight and its 80 replicates are added up by PUMA,
outcome and subgroup in one streaming pass, the PUMA sums are allocated to counties and places, and ratios are formed
last. Weights and factors are integers, so results do not depend on row order, threads or machine. Method file
acs_microdata.md, sections 6 to 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.areas import PUMA_KEY, Areas
from metrics.cells import EVERYBODY, Figures, Filter, Grouping, Sample, rows, sampled, universe
from metrics.replication import (
    PROBES,
    SUMMED,
    Integers,
    Weights,
    certainly_full_each,
    rank,
    ratio,
    t_quantile,
    variance,
)
from schemas.errors import InputError

SOURCE: Final = "ACS microdata"

_RECORDS_AT_ONCE: Final = 100_000
"""Records in memory with all their replicates, where ranks are worked out record by record."""

_PARTS_PER_DESIGN: Final = 50
"""Small states' PUMAs are summed in parts, to have that many rows of sums (twice, by the outcome) or a few more."""


@dataclass(frozen=True, eq=False)
class ShareSpec:
    """One share: which records count (`filters`), for which of them the outcome holds, and for which subgroups.

    `outcome` is boolean; a null outcome in the universe is an error. `groupings` starts with everybody as a rule.
    `suppress_by` is the count below 30 of which a cell is suppressed.
    """

    metric: str
    filters: tuple[Filter, ...]
    outcome: pl.Expr
    groupings: tuple[Grouping, ...] = (EVERYBODY,)
    suppress_by: Sample = "n_effective"

    @property
    def code(self) -> pl.Expr:
        """One integer for outcome and groups: null outside the universe, -1 for a missing outcome."""
        code, step = self.outcome.cast(pl.Int32), 2
        for grouping in self.groupings:
            code = code + step * (grouping.code.cast(pl.Int32) + 1).fill_null(0)
            step *= len(grouping.labels) + 1
        return pl.when(universe(self.filters)).then(code.fill_null(-1))

    def decoded(self, code: Integers) -> tuple[npt.NDArray[np.bool_], list[Integers]]:
        """Outcome, and per grouping the position in its labels (-1: no group)."""
        outcome, rest = code % 2 == 1, code // 2
        groups = []
        for grouping in self.groupings:
            radix = len(grouping.labels) + 1
            groups.append(rest % radix - 1)
            rest = rest // radix
        return outcome, groups


@dataclass(frozen=True, eq=False)
class PumaSums:
    """What the pass leaves: sums of all weights for parts of PUMAs by outcome and groups.

    `frame` has ix (PUMA number), code_0, code_1, ... (one per spec, see `ShareSpec.code`) and n (records). `weights`
    has the same rows: int64 sums, the full weight first, then the replicates. `outside` counts records in PUMAs that
    the allocation does not know (possible without a county level only).
    """

    frame: pl.DataFrame
    weights: Integers
    outside: int


def share_estimates(
    records: pl.LazyFrame,
    allocation: pl.LazyFrame | pl.DataFrame,
    specs: Sequence[ShareSpec],
    *,
    weights: Weights,
    sample: str,
    levels: tuple[str, ...] | None = None,
    detail: bool = False,
) -> pl.DataFrame:
    """Shares of `specs` for every geography of the allocation table whose state has records: `Estimate` columns.

    `records` has state, puma, puma_vintage, the columns of the specs' expressions, and integer weights. `allocation` is
    the table `puma_allocation`; `levels` limits it. One streaming pass serves all specs.

    Per geography, group and metric: value = sum(w * outcome) / sum(w); n (records) and n_effective (sum of `afact` over
    records; below 30 the cell is suppressed, unless the spec counts records); se, and lb and ub clipped to 0 and 1, by
    successive-difference replication with the t quantile of the state's design (rank of the replicate weights of all
    records that suppression leaves at the level for the subgroup type, minus 1); numerator and denominator (weighted
    people in the geography); quality and allocation of the crosswalk; reason. Without replicates in `weights` there is
    no interval.

    `detail` adds df and t. Raises `InputError` for records in a PUMA that no county has, a missing outcome or weight.
    """
    areas = Areas.of(allocation, levels)
    sums = puma_sums(records, areas, specs, weights)
    found: list[_Measured] = []
    for position, spec in enumerate(specs):
        code = sums.frame[f"code_{position}"]
        inside = np.flatnonzero(code.is_not_null().to_numpy())
        outcome, groups = spec.decoded(code.gather(inside).to_numpy().astype(np.int64))
        for which, (grouping, group) in enumerate(zip(spec.groupings, groups, strict=True)):
            cells = _Cells(
                areas=areas,
                spec=spec,
                grouping=grouping,
                puma=sums.frame["ix"].gather(inside).to_numpy().astype(np.int64),
                group=group,
                outcome=outcome,
                count=sums.frame["n"].gather(inside).to_numpy(),
                weights=sums.weights[inside],
            )
            found.append(cells.measured(position, which, weights))
    _decide_ranks(found, records, areas, sums, specs, weights)
    frames = [one.estimates(areas, detail=detail) for one in found]
    out = pl.concat(frames).with_columns(pl.lit(sample).alias("sample"))
    return out.sort("metric", "level", "state", "geo", "subgroup_type", "subgroup")


def puma_sums(records: pl.LazyFrame, areas: Areas, specs: Sequence[ShareSpec], weights: Weights) -> PumaSums:
    """The one streaming pass: sums of all weights by PUMA, outcome and groups of every spec."""
    names = [f"code_{i}" for i in range(len(specs))]
    inside = reduce(or_, (universe(s.filters) for s in specs))
    # Any split of a PUMA's records into parts will do; this one does not depend on their order.
    some = zip(weights.columns[-3:], (1, 7, 13), strict=False)
    mixed = pl.sum_horizontal(pl.col(c).cast(pl.Int64) * prime for c, prime in some)
    frame = (
        records.filter(inside)
        .select(*PUMA_KEY, *weights.columns, *(s.code.alias(c) for c, s in zip(names, specs, strict=True)))
        # m:1, each PUMA stands once in `areas`; saying so with `validate` would take the join out of the stream.
        .join(_parts(areas).lazy(), on=PUMA_KEY, how="left")
        .group_by("ix", *names, (mixed % pl.col("parts")).alias("part"))
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.any_horizontal(pl.col(c).is_null() for c in weights.columns).any().alias("hole"),
            *(pl.col(c).cast(pl.Int64).sum() for c in weights.columns),
        )
        .collect(engine="streaming")
        .sort("ix", *names, "part", nulls_last=True)
    )
    if frame["hole"].any():
        holes = records.filter(inside).select(pl.col(weights.columns).null_count()).collect(engine="streaming")
        first = next(c for c in weights.columns if holes[c][0])
        raise InputError("a weight is missing in the universe.", source=SOURCE, column=first)
    for name, spec in zip(names, specs, strict=True):
        if (frame[name] < 0).any():
            raise InputError(f"the outcome of {spec.metric} is missing in its universe.", source=SOURCE)
    if (
        areas.has_counties
        and not frame["ix"].is_in(areas.pumas.filter("required")["ix"].implode()).fill_null(False).all()
    ):
        raise areas.unknown_pumas(records.filter(inside))
    outside = int(frame.filter(pl.col("ix").is_null())["n"].sum())
    frame = frame.filter(pl.col("ix").is_not_null())
    return PumaSums(frame.select("ix", *names, "n"), frame.select(weights.columns).to_numpy(), outside)


def _parts(areas: Areas) -> pl.DataFrame:
    """Number, and count of parts, of each PUMA: the fewer PUMAs its state has at a level, the more parts."""
    pairs = pl.DataFrame({"ix": areas.pair_puma, "level": areas.geos["level"].gather(areas.pair_geo)}).unique()
    parts = (
        pairs.join(areas.pumas, on="ix", how="inner", validate="m:1")
        .with_columns((_PARTS_PER_DESIGN // pl.len().over("state", "level") + 1).alias("parts"))
        .group_by("ix")
        .agg(pl.col("parts").max().cast(pl.Int64))
    )
    return areas.pumas.join(parts, on="ix", how="left", validate="1:1").select(*PUMA_KEY, "ix", "parts")


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of one share and one subgroup type: geographies x labels, made from rows of PUMA sums.

    `puma`, `group`, `outcome`, `count` (records) and `weights` describe the rows, sorted by PUMA.
    """

    areas: Areas
    spec: ShareSpec
    grouping: Grouping
    puma: Integers
    group: Integers
    outcome: npt.NDArray[np.bool_]
    count: Integers
    weights: Integers

    def measured(self, position: int, which: int, weights: Weights) -> _Measured:
        """The figures of every cell but for its interval; `position` and `which` number the spec and its grouping."""
        by_puma = self._dense(self.weights)
        numerator = self.areas.pooled(by_puma[:, :, 1])
        denominator = self.areas.pooled(by_puma.sum(axis=2))
        count = self._dense(self.count).sum(axis=2)
        effective, records_of = self.areas.effective(count), self.areas.counted(count)
        enough = sampled(effective if self.spec.suppress_by == "n_effective" else records_of)
        theta = np.where(enough, ratio(numerator[..., 0], denominator[..., 0]), np.nan)
        figures: Figures = {
            "value": theta,
            "n": records_of,
            "n_effective": effective,
            "numerator": np.where(enough, self.areas.people(numerator[..., 0]), np.nan),
            "denominator": np.where(enough, self.areas.people(denominator[..., 0]), np.nan),
        }
        ranks: Integers | None = None
        undecided: list[_Design] = []
        if weights.replicates:
            replicates = ((numerator[..., r], denominator[..., r]) for r in range(1, numerator.shape[-1]))
            figures["se"] = np.sqrt(variance(theta, replicates, len(weights.replicates)))
            ranks, undecided = self._ranks(enough, weights)
        states = self.areas.pumas["state"].gather(np.unique(self.puma)).unique()
        return _Measured(self.spec, self.grouping, position, which, figures, states, ranks, undecided)

    def _dense(self, values: Integers) -> Integers:
        """Sums of rows as an array PUMA x label x outcome (x weights)."""
        labels = len(self.grouping.labels)
        out = np.zeros((self.areas.pumas.height * labels * 2, *values.shape[1:]), dtype=np.int64)
        mine = np.flatnonzero(self.group >= 0)
        key = (self.puma[mine] * labels + self.group[mine]) * 2 + self.outcome[mine]
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        if key.size:
            out[key[order][first]] = np.add.reduceat(values[mine[order]], first, axis=0)
        return out.reshape(self.areas.pumas.height, labels, 2, *values.shape[1:])

    def _ranks(self, enough: npt.NDArray[np.bool_], weights: Weights) -> tuple[Integers, list[_Design]]:
        """Rank of the design each geography belongs to: its state's records that suppression leaves at its level.

        Sums of records span no more than the records do: where some rows of PUMA sums have full rank for certain, so
        have the records. The other designs are returned, to be read again record by record.
        """
        level = self.areas.geos["level"].to_numpy()
        state_of_geo, state_of_puma = self.areas.states
        ranks = np.zeros(self.areas.geos.height, dtype=np.int64)
        undecided: list[_Design] = []
        for name in np.unique(level):
            used = self.areas.touched(enough & (level == name)[:, None])
            full = self._full_by_sums(used, state_of_puma)
            ranks[(level == name) & full[state_of_geo]] = len(weights.replicates)
            in_use = np.unique(state_of_puma[used.any(axis=1)])
            undecided += [
                _Design(int(s), (level == name) & (state_of_geo == s), used & (state_of_puma == s)[:, None])
                for s in in_use[~full[in_use]]
            ]
        return ranks, undecided

    def _full_by_sums(self, used: npt.NDArray[np.bool_], state_of_puma: Integers) -> npt.NDArray[np.bool_]:
        """Per state, whether sums of the used cells (PUMA x label) show a full rank."""
        mine = np.flatnonzero((self.group >= 0) & used[self.puma, np.maximum(self.group, 0)])
        state = state_of_puma[self.puma[mine]]
        states, first = np.unique(state, return_index=True)
        position = np.arange(mine.size) - first[np.searchsorted(states, state)]
        stack = np.zeros((int(state_of_puma.max()) + 1, PROBES, self.weights.shape[1] - 1))
        for turn in range(SUMMED):
            few = position // PROBES == turn
            stack[state[few], position[few] % PROBES] += self.weights[mine[few], 1:]
        return certainly_full_each(stack)


@dataclass(frozen=True, eq=False)
class _Design:
    """A state's records that suppression leaves at a level: the state's number, the geographies they give the rank
    for, and the cells (PUMA x label) they lie in."""

    state: int
    geos: npt.NDArray[np.bool_]
    used: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Measured:
    """Figures of one share and one subgroup type, its interval not yet made.

    `position` numbers the share among those made together, `which` the subgroup type among the share's. `ranks` (by
    geography, None without replicates) are final but for those of the `undecided` designs. `states` have records.
    """

    spec: ShareSpec
    grouping: Grouping
    position: int
    which: int
    figures: Figures
    states: pl.Series
    ranks: Integers | None
    undecided: list[_Design]

    def estimates(self, areas: Areas, *, detail: bool) -> pl.DataFrame:
        """`Estimate` columns (without sample) of every cell in a state that has records."""
        figures = dict(self.figures)
        if self.ranks is not None:
            theta, se = figures["value"], figures["se"]
            df = np.broadcast_to(self.ranks[:, None] - 1, theta.shape)
            t = t_quantile(df)
            figures |= {"lb": np.maximum(theta - t * se, 0.0), "ub": np.minimum(theta + t * se, 1.0)}
            if detail:
                figures |= {"df": df, "t": t}
        estimates = rows(areas, self.grouping, self.spec.metric, figures, suppress_by=self.spec.suppress_by)
        return estimates.filter(pl.col("state").is_in(self.states.implode()))


def _decide_ranks(
    found: Sequence[_Measured],
    records: pl.LazyFrame,
    areas: Areas,
    sums: PumaSums,
    specs: Sequence[ShareSpec],
    weights: Weights,
) -> None:
    """Fill in the ranks of undecided designs.

    The records of their PUMAs are read once for all shares, as many states at a time as `_RECORDS_AT_ONCE` allows. A
    design of a state lies in that state's PUMAs only.
    """
    if not any(one.undecided for one in found):
        return
    used = np.zeros(areas.pumas.height, dtype=bool)
    for design in (design for one in found for design in one.undecided):
        used |= design.used.any(axis=1)
    count = np.bincount(sums.frame["ix"].to_numpy(), sums.frame["n"].to_numpy(), minlength=used.size)
    _, state_of_puma = areas.states
    by_state = np.bincount(state_of_puma, np.where(used, count, 0))
    open_states = np.flatnonzero(np.bincount(state_of_puma, used))
    positions = sorted({one.position for one in found if one.undecided})
    turn = np.cumsum(by_state[open_states]) // _RECORDS_AT_ONCE
    for some in np.split(open_states, np.flatnonzero(np.diff(turn)) + 1):
        theirs = areas.pumas.filter(pl.Series(used & np.isin(state_of_puma, some)))
        read = _records_in(theirs, records, positions, specs, weights)
        replicates = read.select(weights.replicates)
        for one in found:
            mine = [design for design in one.undecided if design.state in some]
            if not mine:
                continue
            assert one.ranks is not None
            code = read[f"code_{one.position}"]
            group = np.where(
                code.is_null().to_numpy(),
                -1,
                one.spec.decoded(code.fill_null(0).to_numpy().astype(np.int64))[1][one.which],
            )
            labels = len(one.grouping.labels)
            stratum = np.where(group < 0, -1, read["ix"].to_numpy().astype(np.int64) * labels + group)
            for design in mine:
                chosen = np.append(design.used.reshape(-1), False)[stratum]
                one.ranks[design.geos] = rank(replicates.filter(pl.Series(chosen)).to_numpy())


def _records_in(
    pumas: pl.DataFrame,
    records: pl.LazyFrame,
    positions: Sequence[int],
    specs: Sequence[ShareSpec],
    weights: Weights,
) -> pl.DataFrame:
    """The records of some PUMAs in the universe of a share: ix, the codes of the shares, the replicate weights."""
    inside = reduce(or_, (universe(specs[p].filters) for p in positions))
    first, last = pumas["state"].min(), pumas["state"].max()
    return (
        # The range of states lets a scan pass over parts of a file that is sorted by state.
        records.filter(pl.col("state").is_between(pl.lit(first), pl.lit(last)) & inside)
        .select(*PUMA_KEY, *(specs[p].code.alias(f"code_{p}") for p in positions), *weights.replicates)
        .join(pumas.lazy(), on=PUMA_KEY, how="inner")
        .select("ix", *(f"code_{p}" for p in positions), *weights.replicates)
        .collect(engine="streaming")
    )
