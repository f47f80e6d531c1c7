"""Weighted quantiles by county and place from ACS microdata, with Woodruff intervals; no loop over geographies.

The quantile is R's `hf3` rule for weights; its interval is Woodruff's: the share of weight at or below the quantile
gets a replicate variance, and the quantile is read again at both ends of that share's interval. Method file
acs_microdata.md, section 8.

Quantiles are not linear, but what they are made of is. Weights are added up per PUMA and value, and that small table is
expanded to the areas. Geographies that lie in the same PUMA share its answer, where the allocation factor cancels. The
80 replicates are never expanded: only their sums between the quantiles' values are needed, PUMA by PUMA. All sums are
integers (weights times factors of 1/10,000), so ties are decided exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from metrics.areas import PUMA_KEY, Areas
from metrics.cells import EVERYBODY, Filter, Grouping, rows, sampled, universe
from metrics.replication import (
    PROBES,
    SUMMED,
    Floats,
    Integers,
    Weights,
    certainly_full_each,
    rank,
    rank_each,
    ratio,
    t_quantile,
    variance,
)
from schemas.errors import InputError

SOURCE: Final = "ACS microdata"

_COLUMN_BATCH: Final = 16
"""Replicate columns in memory at a time."""

_STACK: Final = 256
"""Matrices whose rank is worked out together."""

_RECORDS_OF_STATES: Final = 1_500_000
"""Records of the states that are taken together, about as many as a 1-year file has households."""

_RECORDS_AT_ONCE: Final = 1_000_000
"""Records in memory with all their replicates, where ranks are worked out record by record."""

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class QuantileSpec:
    """Quantiles of one value: which records count, the value, the wanted probabilities by metric, the subgroups.

    `probabilities` are exact fractions between 0 and 1. `value` is numeric and must not be missing in the universe;
    results are input values to the last bit.
    """

    filters: tuple[Filter, ...]
    value: pl.Expr
    probabilities: Mapping[str, Fraction]
    groupings: tuple[Grouping, ...] = (EVERYBODY,)


def quantile_estimates(
    records: pl.LazyFrame,
    allocation: pl.LazyFrame | pl.DataFrame,
    spec: QuantileSpec,
    *,
    weights: Weights,
    sample: str,
    levels: tuple[str, ...] | None = None,
    detail: bool = False,
) -> pl.DataFrame:
    """Quantiles for every geography of the allocation table whose state has records: `Estimate` columns.

    `records` has state, puma, puma_vintage, the columns of the spec's expressions and integer weights; collecting it
    twice must give the same row order (a scan of a file does, and it is checked). `allocation` is the table
    `puma_allocation`; `levels` limits it.

    Per geography, group and metric: value (hf3 quantile); lb and ub (Woodruff, t quantile of the cell's own degrees of
    freedom: rank of its replicate weights minus 1), each missing on its own where its probability leaves 0 to 1; n and
    n_effective (below 30 the cell is suppressed); se = (ub - lb) / (2 t); quality and allocation of the crosswalk;
    reason.

    `detail` adds df, t, woodruff_f, woodruff_se, woodruff_p_lb, woodruff_p_ub. Raises `InputError` for records in a
    PUMA that no county has and for a missing value or weight.
    """
    table = allocation.lazy().collect()
    frames = []
    for first, last in _ranges_of_states(records, table, spec):
        some = pl.col("state").is_between(pl.lit(first), pl.lit(last))
        areas = Areas.of(table.filter(some), levels)
        people = _Records.of(records.filter(some), areas, spec, weights)
        of_these = []
        for position, grouping in enumerate(spec.groupings):
            cells = _Cells.of(areas, people, position, len(grouping.labels))
            of_these += cells.estimates(people, spec, grouping, detail=detail)
        frames.append(pl.concat(of_these).filter(pl.col("state").is_in(people.states.implode())))
    out = pl.concat(frames).with_columns(pl.lit(sample).alias("sample"))
    return out.sort("metric", "level", "state", "geo", "subgroup_type", "subgroup")


def _ranges_of_states(records: pl.LazyFrame, allocation: pl.DataFrame, spec: QuantileSpec) -> list[tuple[str, str]]:
    """First and last code of the states that are taken together, in order; every record's state is in one range.

    No area crosses a state line, so that memory need not grow with the file: a range has about `_RECORDS_OF_STATES`
    records, or one state. States that the allocation does not have are taken together with one it has, so that their
    records are refused as those of unknown areas.
    """
    count = (
        records.filter(universe(spec.filters)).group_by("state").len().sort("state").collect(engine="streaming")
    ).with_columns(pl.col("state").is_in(allocation["state"].unique().implode()).alias("known"))
    if count["state"].null_count():
        raise InputError("a record of the universe has no state.", source=SOURCE, column="state")
    ranges: list[tuple[str, str]] = []
    total, known = 0, False
    for state, records_of, in_allocation in count.select("state", "len", "known").iter_rows():
        if ranges and (total + records_of <= _RECORDS_OF_STATES or not known or not in_allocation):
            ranges[-1] = (ranges[-1][0], state)
        else:
            ranges.append((state, state))
            total, known = 0, False
        total, known = total + records_of, known or in_allocation
    return ranges or [("", "")]


@dataclass(frozen=True, eq=False)
class _Records:
    """The universe's records without their replicates: PUMA number, value (as position in `values`), weight, groups."""

    source: pl.LazyFrame
    weights: Weights
    values: Floats
    puma: Integers
    value: Integers
    weight: Integers
    groups: tuple[Integers, ...]
    states: pl.Series

    @classmethod
    def of(cls, records: pl.LazyFrame, areas: Areas, spec: QuantileSpec, weights: Weights) -> _Records:
        source = records.filter(universe(spec.filters))
        groups = [g.code.cast(pl.Int64).fill_null(-1).alias(f"group_{i}") for i, g in enumerate(spec.groupings)]
        frame = source.select(
            *PUMA_KEY, spec.value.cast(pl.Float64).alias("value"), pl.col(weights.full).alias("weight"), *groups
        ).collect(engine="streaming")
        frame = frame.join(areas.pumas, on=PUMA_KEY, how="left", validate="m:1", maintain_order="left")
        if areas.has_counties and not frame["required"].fill_null(False).all():
            raise areas.unknown_pumas(source)
        if frame["value"].is_null().any() or frame["value"].is_nan().any():
            raise InputError("a value is missing in the universe of the quantile.", source=SOURCE)
        if frame["weight"].is_null().any():
            raise InputError("a weight is missing in the universe.", source=SOURCE, column=weights.full)
        known = frame["ix"].is_not_null()
        # Records outside all areas (possible without a county level) keep their place, with no group.
        values = frame["value"].unique().sort().to_numpy()
        outside = ~known.to_numpy()
        return cls(
            source=source,
            weights=weights,
            values=values,
            puma=frame["ix"].fill_null(0).to_numpy().astype(np.int64),
            value=np.searchsorted(values, frame["value"].to_numpy()),
            weight=frame["weight"].to_numpy().astype(np.int64),
            groups=tuple(np.where(outside, -1, frame[f"group_{i}"].to_numpy()) for i in range(len(spec.groupings))),
            states=frame.filter(known)["state"].unique(),
        )

    def replicate_batches(self) -> Iterator[pl.DataFrame]:
        """The replicate weights of the same records in the same order, a few columns at a time."""
        columns = self.weights.replicates
        for start in range(0, len(columns), _COLUMN_BATCH):
            batch = self.source.select(self.weights.full, *columns[start : start + _COLUMN_BATCH]).collect(
                engine="streaming"
            )
            if not np.array_equal(batch[self.weights.full].to_numpy(), self.weight):
                raise InputError("the records changed their order between two readings.", source=SOURCE)
            for column in batch.columns[1:]:
                if batch[column].is_null().any():
                    raise InputError("a weight is missing in the universe.", source=SOURCE, column=column)
            yield batch.drop(self.weights.full)

    def replicates_of(self, chosen: Booleans) -> npt.NDArray[np.integer]:
        """All replicate weights (records x replicates) of some of the records."""
        frame = self.source.select(self.weights.replicates).filter(pl.Series(chosen)).collect(engine="streaming")
        return frame.to_numpy()


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of one subgroup type. A cell is a PUMA (shared by all geographies within it) or a pooling geography,
    with one label; a stratum is a PUMA with one label (number: PUMA * labels + label).

    `cell_of`: cell number by geography and label, -1 if suppressed. Pairs (`pair_cell`, `pair_stratum`, `factor`) are
    sorted by cell; `starts` are the first pairs of each cell. `stratum` is that of each record, -1 for no group.
    """

    areas: Areas
    position: int
    labels: int
    effective: Floats
    count: Integers
    cell_of: Integers
    pair_cell: Integers
    pair_stratum: Integers
    factor: Integers
    starts: Integers
    stratum: Integers

    @classmethod
    def of(cls, areas: Areas, people: _Records, position: int, labels: int) -> _Cells:
        group = people.groups[position]
        stratum = np.where(group >= 0, people.puma * labels + group, -1)
        strata = areas.pumas.height * labels
        records = np.bincount(stratum[stratum >= 0], minlength=strata).reshape(-1, labels)
        effective = areas.effective(records)
        enough = sampled(effective)

        # Number the cells: PUMAs that a sampled geography lies in, then geographies that pool several.
        single = areas.geos["n_pumas"].to_numpy() == 1
        home = areas.pair_puma[areas.starts]
        alone = home[:, None] * labels + np.arange(labels)
        own = strata + np.arange(areas.geos.height)[:, None] * labels + np.arange(labels)
        identity = np.where(single[:, None], alone, own)
        identities, number = np.unique(identity[enough], return_inverse=True)
        cell_of = np.full(enough.shape, -1, dtype=np.int64)
        cell_of[enough] = number

        in_one = identities[identities < strata]
        pooling_geo, pooling_label = np.divmod(identities[identities >= strata] - strata, labels)
        lengths = np.diff(np.append(areas.starts, areas.pair_geo.size))[pooling_geo]
        pairs = _ranges(areas.starts[pooling_geo], lengths)
        pair_cell = np.concatenate(
            [np.arange(in_one.size), in_one.size + np.repeat(np.arange(pooling_geo.size), lengths)]
        )
        return cls(
            areas=areas,
            position=position,
            labels=labels,
            effective=effective,
            count=areas.counted(records),
            cell_of=cell_of,
            pair_cell=pair_cell,
            pair_stratum=np.concatenate([in_one, areas.pair_puma[pairs] * labels + np.repeat(pooling_label, lengths)]),
            factor=np.concatenate([np.ones(in_one.size, dtype=np.int64), areas.factor[pairs]]),
            starts=np.flatnonzero(np.diff(pair_cell, prepend=-1)),
            stratum=stratum,
        )

    def estimates(
        self, people: _Records, spec: QuantileSpec, grouping: Grouping, *, detail: bool
    ) -> list[pl.DataFrame]:
        """One frame of `Estimate` columns per metric."""
        distribution = _Distribution.of(self, people)
        at = np.stack([distribution.hf3(p) for p in spec.probabilities.values()], axis=1)
        found = {"value": distribution.read(people.values, at)}
        if people.weights.replicates and at.size:
            found |= self._woodruff(people, distribution, at)
        elif people.weights.replicates:
            found |= {c: np.zeros(at.shape, dtype=int if c == "df" else float) for c in ("se", "lb", "ub", *_DETAIL)}
        frames = []
        for j, metric in enumerate(spec.probabilities):
            figures = {name: self._by_geography(values[:, j]) for name, values in found.items()}
            figures |= {"n": self.count, "n_effective": self.effective}
            if not detail:
                figures = {c: v for c, v in figures.items() if c not in _DETAIL}
            frames.append(rows(self.areas, grouping, metric, figures))
        return frames

    def _by_geography(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Values of cells as an array geography x label; suppressed cells are NaN (0 for integers)."""
        missing = np.nan if values.dtype.kind == "f" else 0
        return np.append(values, np.asarray(missing, dtype=values.dtype))[self.cell_of]

    def _woodruff(self, people: _Records, distribution: _Distribution, at: Integers) -> dict[str, Floats]:
        """Bounds and what they rest on, each an array cell x quantile. `at` are the quantiles' rows (-1: none)."""
        found = at >= 0
        value = np.where(found, distribution.value[at], 0)
        share = np.where(
            found, ratio(distribution.upto[at] - distribution.before[:, None], distribution.total[:, None]), np.nan
        )
        segments = _Segments.of(self, people, value)
        probes = _Probes.of(self, people)
        replicates = segments.shares(people, probes)
        se = np.sqrt(variance(share, replicates, len(people.weights.replicates)))
        df = self._ranks(people, probes) - 1
        t = t_quantile(df)[:, None]
        low, high = share - t * se, share + t * se
        lb, ub = (distribution.hf3_at(p, se == 0, at) for p in (low, high))
        bounds = {"lb": distribution.read(people.values, lb), "ub": distribution.read(people.values, ub)}
        shape = np.zeros(at.shape, dtype=np.int64)
        return {
            "se": (bounds["ub"] - bounds["lb"]) / (2 * t),
            **bounds,
            "df": df[:, None] + shape,
            "t": t + shape,
            "woodruff_f": share,
            "woodruff_se": se,
            "woodruff_p_lb": low,
            "woodruff_p_ub": high,
        }

    def _ranks(self, people: _Records, probes: _Probes) -> Integers:
        """Rank of each cell's replicate weights.

        A cell has full rank if its largest stratum has, which sums of its records show. Cells made of small strata only
        are looked at together, by all of their records or the first of them. What that leaves open (repeated or
        proportional weights) is read again, cell by cell.
        """
        ranks = np.full(self.starts.size, len(people.weights.replicates), dtype=np.int64)
        settled = probes.full()[probes.largest] & ~probes.small
        small = np.flatnonzero(probes.small)
        records = np.add.reduceat(probes.kept[self.pair_stratum], self.starts)
        for some in np.array_split(small, small.size // _STACK + 1):
            stack = self._stack(some, probes)
            few = records[some] <= PROBES
            ranks[some[few]] = rank_each(stack[few], records[some[few]])
            settled[some] = few
            settled[some[~few]] = certainly_full_each(stack[~few])
        rest = np.flatnonzero(~settled)
        records_of = np.bincount(self.stratum + 1, minlength=self.areas.pumas.height * self.labels + 1)[1:]
        for some in self._batches(rest, records_of):
            pairs, lengths = self._pairs(some)
            used = np.zeros(records_of.size + 1, dtype=bool)
            used[self.pair_stratum[pairs]] = True
            chosen = used[self.stratum]
            stratum, weights = self.stratum[chosen], people.replicates_of(chosen)
            order = np.argsort(stratum, kind="stable")
            first = np.searchsorted(stratum[order], self.pair_stratum[pairs])
            size = records_of[self.pair_stratum[pairs]]
            for cell, mine in zip(some, np.split(np.arange(pairs.size), np.cumsum(lengths)[:-1]), strict=True):
                factor = np.repeat(self.factor[pairs[mine]], size[mine])
                records = order[_ranges(first[mine], size[mine])]
                ranks[cell] = rank(weights[records] * factor[:, None])
        return ranks

    def _batches(self, cells: Integers, records_of: Integers) -> list[Integers]:
        """The cells in parts of about as many records as may be in memory; `records_of` counts those of a stratum."""
        if not cells.size:
            return []
        pairs, lengths = self._pairs(cells)
        records = np.add.reduceat(records_of[self.pair_stratum[pairs]], np.cumsum(lengths) - lengths)
        return np.split(cells, np.flatnonzero(np.diff(np.cumsum(records) // _RECORDS_AT_ONCE)) + 1)

    def _pairs(self, cells: Integers) -> tuple[Integers, Integers]:
        """Pairs of some cells, one cell after the other, and how many each has."""
        lengths = np.append(self.starts[1:], self.pair_cell.size)[cells] - self.starts[cells]
        return _ranges(self.starts[cells], lengths), lengths

    def _stack(self, cells: Integers, probes: _Probes) -> Floats:
        """The first records' weighted replicates of some small cells (cell x record x replicate), zeros where none."""
        pairs, lengths = self._pairs(cells)
        kept = probes.kept[self.pair_stratum[pairs]]
        cell = np.repeat(np.repeat(np.arange(cells.size), lengths), kept)
        records = np.bincount(cell, minlength=cells.size)
        position = _ranges(np.zeros_like(records), records)
        first = position < PROBES
        column = _ranges(probes.starts[self.pair_stratum[pairs]], kept)[first]
        stack = np.zeros((cells.size, PROBES, probes.weights.shape[0]))
        stack[cell[first], position[first]] = probes.weights[:, column].T
        stack[cell[first], position[first]] *= np.repeat(self.factor[pairs], kept)[first, None]
        return stack


_DETAIL: Final = ("df", "t", "woodruff_f", "woodruff_se", "woodruff_p_lb", "woodruff_p_ub")


@dataclass(frozen=True, eq=False)
class _Distribution:
    """The weighted distribution of every cell, one after the other: different values in order, running sums.

    `value` (position in the list of values) and `upto` (running sum over all cells) have one row per cell and different
    value of positive weight; cell c has the rows `first[c]` to `last[c]`, `before[c]` is the sum before it and
    `total[c]` its own. One more row at the end, with a sum never reached, is what row -1 (no quantile) reads.
    """

    value: Integers
    upto: Integers
    first: Integers
    last: Integers
    before: Integers
    total: Integers

    @classmethod
    def of(cls, cells: _Cells, people: _Records) -> _Distribution:
        width = people.values.size
        # Zero weights are dropped before different values are counted.
        mine = np.flatnonzero((cells.stratum >= 0) & (people.weight != 0))
        keys, sums = _added(cells.stratum[mine] * width + people.value[mine], people.weight[mine])
        start = np.searchsorted(keys, cells.pair_stratum * width)
        lengths = np.searchsorted(keys, (cells.pair_stratum + 1) * width) - start
        at = _ranges(start, lengths)
        key = np.repeat(cells.pair_cell, lengths) * width + keys[at] % width
        key, weight = _added(key, sums[at] * np.repeat(cells.factor, lengths))
        bounds = np.searchsorted(key, np.arange(cells.starts.size + 1) * width)
        running = np.concatenate([[0], np.cumsum(weight)])
        return cls(
            value=np.append(key % width, 0),
            upto=np.append(running[1:], np.iinfo(np.int64).max),
            first=bounds[:-1],
            last=bounds[1:] - 1,
            before=running[bounds[:-1]],
            total=running[bounds[1:]] - running[bounds[:-1]],
        )

    def hf3(self, probability: Fraction) -> Integers:
        """Rows of the quantile at an exact probability, by cell; -1 for a cell without weight."""
        p, q = probability.numerator, probability.denominator
        below = self.total * p // q
        return self._pick(below, below * q == self.total * p)

    def hf3_at(self, probability: Floats, fixed: Booleans, estimate: Integers) -> Integers:
        """Rows at probabilities that differ by cell (cell x quantile); -1 where one is missing, below 0 or above 1.

        Where the share has no variance (`fixed`) both bounds are the estimate itself.
        """
        lawful = (probability >= 0) & (probability <= 1)
        target = np.where(lawful, probability, 0.0) * self.total[:, None]
        below = np.floor(target).astype(np.int64)
        picked = np.stack([self._pick(b, b == t) for b, t in zip(below.T, target.T, strict=True)], axis=1)
        return np.where(lawful, np.where(fixed, estimate, picked), -1)

    def _pick(self, below: Integers, exact: Booleans) -> Integers:
        """The hf3 rule. `below` is the largest integer not above p * W; `exact` says that it is p * W.

        k counts the values whose running sum is at most p * W. Taken is value k + 1 (the last one at the top), but
        value k where its sum equals p * W and k is even. If even the first value's sum is larger, k is set to 1 all the
        same.
        """
        reached = np.searchsorted(self.upto, self.before + below, side="right")
        k = np.clip(reached - self.first, 0, self.last - self.first + 1)
        tie = exact & (k > 0) & (k % 2 == 0)
        tie &= self.upto[np.maximum(self.first + k - 1, 0)] == self.before + below
        row = self.first + np.where(tie, k - 1, np.maximum(k, 1))
        return np.where(self.total > 0, np.minimum(row, self.last), -1)

    def read(self, values: Floats, at: Integers) -> Floats:
        """The values of rows, NaN for row -1."""
        return np.where(at >= 0, values[self.value[at]], np.nan)


@dataclass(frozen=True, eq=False)
class _Segments:
    """The records of each stratum cut at the values of its cells' quantiles: replicates are added up per segment.

    `segment` is that of each record (number `count` takes records without group). For every pair (cell, stratum):
    `first` is its stratum's first segment, `after` the first one of the next stratum, and `upto` (pair x quantile) the
    one after the quantile's value.
    """

    segment: Integers
    count: int
    first: Integers
    after: Integers
    upto: Integers
    factor: Integers
    starts: Integers

    @classmethod
    def of(cls, cells: _Cells, people: _Records, value: Integers) -> _Segments:
        """`value` is the quantile's position in the list of values (cell x quantile)."""
        width = people.values.size
        strata = cells.areas.pumas.height * cells.labels
        cut = cells.pair_stratum[:, None] * width + value[cells.pair_cell]
        ends = np.arange(1, strata + 1) * width - 1
        cuts = np.unique(np.concatenate([cut.reshape(-1), ends]))
        segment = np.searchsorted(cuts, cells.stratum * width + people.value)
        return cls(
            segment=np.where(cells.stratum >= 0, segment, cuts.size),
            count=cuts.size,
            first=np.searchsorted(cuts, cells.pair_stratum * width),
            after=np.searchsorted(cuts, (cells.pair_stratum + 1) * width),
            upto=np.searchsorted(cuts, cut) + 1,
            factor=cells.factor,
            starts=cells.starts,
        )

    def shares(self, people: _Records, probes: _Probes) -> Iterator[tuple[Integers, Integers]]:
        """Per replicate: weight at or below the quantile, and all weight (cell x quantile). Feeds the probes, too."""
        r = 0
        for batch in people.replicate_batches():
            for column in batch.get_columns():
                weights = column.to_numpy()
                probes.keep(r, weights)
                # Floats hold these integer sums exactly.
                sums = np.bincount(self.segment, weights=weights, minlength=self.count + 1)[: self.count]
                running = np.concatenate([[0], np.cumsum(sums.astype(np.int64))])
                start = running[self.first]
                below = (running[self.upto] - start[:, None]) * self.factor[:, None]
                whole = (running[self.after] - start) * self.factor
                below = np.add.reduceat(below, self.starts, axis=0)
                yield below, np.broadcast_to(np.add.reduceat(whole, self.starts)[:, None], below.shape)
                r += 1


@dataclass(frozen=True, eq=False)
class _Probes:
    """Replicate weights of as many records as settle the rank of most cells.

    `largest` is the stratum of each cell that has most records; `small` says that it has fewer records than there are
    replicates. Kept are rows of the largest strata, and of all strata of small cells: of stratum s, `kept[s]` rows from
    column `starts[s]` of `weights` (replicates x rows). A row is a record, in a stratum of more than `PROBES` records a
    sum of some. `record` is the position of these records in the universe, `column` the row each of them goes to.
    """

    largest: Integers
    small: Booleans
    record: Integers
    column: Integers
    starts: Integers
    kept: Integers
    weights: npt.NDArray[np.integer]

    @classmethod
    def of(cls, cells: _Cells, people: _Records) -> _Probes:
        width = len(people.weights.replicates)
        strata = cells.areas.pumas.height * cells.labels
        order = np.argsort(cells.stratum, kind="stable")
        bounds = np.searchsorted(cells.stratum[order], np.arange(strata + 1))
        count = np.diff(bounds)
        # Sorted by cell and count, each cell's last pair is its largest stratum.
        by_count = np.lexsort((count[cells.pair_stratum], cells.pair_cell))
        largest = cells.pair_stratum[by_count][np.append(cells.starts[1:], by_count.size) - 1]
        small = count[largest] < width
        used = np.zeros(strata, dtype=bool)
        used[largest] = True
        used[cells.pair_stratum[small[cells.pair_cell]]] = True
        kept = np.where(used, np.minimum(count, PROBES), 0)
        starts = np.cumsum(kept) - kept
        taken = np.where(used, np.minimum(count, PROBES * SUMMED), 0)
        record = order[_ranges(bounds[:-1], taken)]
        column = np.repeat(starts, taken) + _ranges(np.zeros_like(taken), taken) % PROBES
        types = people.source.select(people.weights.replicates).collect_schema().dtypes()
        narrow = all(t in (pl.Int8, pl.Int16, pl.Int32) for t in types)
        weights = np.zeros((width, int(kept.sum())), dtype=np.int32 if narrow else np.int64)
        return cls(largest, small, record, column, starts, kept, weights)

    def keep(self, replicate: int, weights: npt.NDArray[np.generic]) -> None:
        """Take over the records' weights of one replicate."""
        # Floats hold these integer sums exactly.
        self.weights[replicate] = np.bincount(self.column, weights[self.record], minlength=self.weights.shape[1])

    def full(self) -> Booleans:
        """Strata whose kept records settle that their rank is full."""
        out = np.zeros(self.kept.size, dtype=bool)
        able = np.flatnonzero(self.kept >= self.weights.shape[0])
        for some in np.array_split(able, able.size // _STACK + 1):
            stack = np.zeros((some.size, PROBES, self.weights.shape[0]))
            inside = np.arange(PROBES) < self.kept[some][:, None]
            stack[inside] = self.weights[:, _ranges(self.starts[some], self.kept[some])].T
            out[some] = certainly_full_each(stack)
        return out


def _ranges(starts: Integers, lengths: Integers) -> Integers:
    """The numbers starts[0], starts[0]+1, ... (lengths[0] of them), then those from starts[1], and so on."""
    offset = np.cumsum(lengths) - lengths
    return np.repeat(starts - offset, lengths) + np.arange(int(lengths.sum()))


def _added(keys: Integers, weights: Integers) -> tuple[Integers, Integers]:
    """Different keys in order, and the sum of the weights of each."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    if first.size == 0:
        return ordered, weights[order]
    return ordered[first], np.add.reduceat(weights[order], first)
