"""Rules about shape and words (S): columns, labels, the dictionary, numbers that are numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from outputs import check, suppress
from outputs.dictionary import PUBLISHED
from outputs.files import columns, published_file
from outputs.rules.context import ReleaseContext
from outputs.rules.geography import concat
from outputs.rules.rule import Rule, Verdict, found, listed
from schemas.labels import ALL, SUBGROUPS

LONGEST_NAME: Final = 32
_SEPARATOR: Final = "; "


def columns_are_declared(context: ReleaseContext) -> Verdict:
    """S1: columns and their order are those of the registry, in CSV and Parquet; no column more."""
    rows: list[Mapping[str, Any]] = []
    for wide in context.wide:
        wanted = [c.name for c in columns(wide.written.file, context.entries, wide.written.layout)]
        header = wide.raw.split(b"\n", 1)[0].decode("utf-8", errors="replace").split(",")
        for form, there in (("csv", header), ("parquet", list(pl.read_parquet_schema(wide.parquet)))):
            if there == wanted:
                continue
            rows += [
                {"file": wide.name, "form": form, "column": c, "what": "not declared"} for c in there if c not in wanted
            ]
            rows += [
                {"file": wide.name, "form": form, "column": c, "what": "is missing"} for c in wanted if c not in there
            ]
            if sorted(there) == sorted(wanted):
                moved = next(c for c, w in zip(there, wanted, strict=True) if c != w)
                rows.append({"file": wide.name, "form": form, "column": moved, "what": "out of order"})
    return listed(rows)


def labels_are_legal(context: ReleaseContext) -> Verdict:
    """S2: type and subgroup are a pair of the closed list; `All` always has the type `all`."""
    parts = []
    legal = pl.DataFrame(
        [(t, s) for t, labels in SUBGROUPS.items() for s in labels], schema=["subgroup_type", "subgroup"], orient="row"
    )
    pairs = context.tally.select("metric", "subgroup_type", "subgroup").unique()
    strange = pairs.join(legal, on=["subgroup_type", "subgroup"], how="anti").sort(pairs.columns)
    parts.append(strange.select(pl.lit("estimates").alias("file"), *pairs.columns))
    for wide in context.wide:
        file = wide.written.file
        if file.overall:
            continue
        cells = [(t if t == "all" else file.published_type, s) for t, s in file.cells]
        published = pl.DataFrame(cells, schema=["subgroup_type", "subgroup"], orient="row")
        strange = wide.frame.join(published, on=["subgroup_type", "subgroup"], how="anti")
        parts.append(wide.show(strange, what=pl.lit("not a pair of the closed list")))
    return concat(parts)


def one_spelling(context: ReleaseContext) -> Verdict:
    """S3: one concept has one label: no two labels of a release differ in case, spaces or signs alone.

    Labels are compared over all metrics, levels and files; a metric has the same labels for counties and cities unless
    its declaration says otherwise.
    """
    spellings: dict[str, dict[str, str]] = {}
    seen = {
        (f"estimates, {m}", s)
        for m, s in context.tally.select("metric", "subgroup").unique().sort("metric").iter_rows()
    }
    for wide in context.wide:
        if not wide.written.file.overall:
            seen |= {(wide.name, s) for s in wide.frame["subgroup"].unique().to_list() if s is not None}
    for where, label in sorted(seen):
        spellings.setdefault(re.sub(r"[^a-z0-9$]", "", label.lower()), {}).setdefault(label, where)
    rows: list[Mapping[str, Any]] = [
        {"labels": " | ".join(sorted(labels)), "first seen in": " | ".join(labels[s] for s in sorted(labels))}
        for labels in spellings.values()
        if len(labels) > 1
    ]
    for (metric, kind), part in context.tally.group_by(["metric", "subgroup_type"], maintain_order=True):
        declared = context.declared.get(str(metric))
        if declared is None:
            continue
        for (level,), labels in part.group_by(["level"], maintain_order=True):
            wanted = {
                label
                for series in declared[0].series
                if level in series.levels and (not series.metrics or metric in series.metrics)
                for t, label in series.cells
                if t == kind
            }
            rows += [
                {"labels": label, "first seen in": f"estimates, {metric}, {level}: not a label of its declaration"}
                for label in sorted(set(labels["subgroup"]) - wanted)
            ]
    return listed(rows)


def figures_arrive(context: ReleaseContext) -> Verdict:
    """S4: a file has as many figures per metric, year and subgroup as the estimates it takes them from.

    Counted from the estimates before suppression, less the rows of the suppression list.
    """
    rows: list[Mapping[str, Any]] = []
    clean: pl.DataFrame | None = None
    for wide in context.wide:
        if wide.clean:
            clean = check.counts(suppress.for_release(context.raw)) if clean is None else clean
            wanted = clean
        else:
            metrics = context.chosen[wide.name]["metric"].unique().to_list()
            theirs = context.raw.filter((pl.col("level") == wide.level) & pl.col("metric").is_in(metrics))
            wanted = check.counts(suppress.for_reference(theirs, wide.written.file.number))
        rows += [
            {"file": wide.name, **row}
            for row in check.reconcile(wide.written, wide.frame, wanted, context.chosen[wide.name])
        ]
    return listed(rows)


def owners_are_right(context: ReleaseContext) -> Verdict:
    """S5: every figure stands under the predictor that declares its metric."""
    owners = pl.DataFrame(
        [(m, p.key) for m, (p, _) in context.declared.items()], schema=["metric", "owner"], orient="row"
    )
    pairs = context.tally.group_by("predictor", "metric").agg(pl.col("rows").sum())
    wrong = pairs.join(owners, on="metric", how="left").filter(pl.col("predictor").ne_missing(pl.col("owner")))
    return found(wrong.sort("metric"))


def made_from_present_inputs(context: ReleaseContext) -> Verdict:
    """S5.stale: figures that were kept because they could not be made again from the present inputs are listed."""
    return listed([{"predictor": p, "year": y, "what": "not made from the present inputs"} for p, y in context.stale])


def dictionary_fits(context: ReleaseContext) -> Verdict:
    """S6: every column is documented and every documented column exists; years and subgroups are those of the files."""
    rows: list[Mapping[str, Any]] = [
        {"what": problem} for problem in check.check_dictionary(context.dictionary, dict(context.columns_of))
    ]
    published = context.dictionary.filter(pl.col("status") == PUBLISHED)
    for wide in context.wide:
        documented = dict(published.filter(pl.col("file") == wide.name).select("column", "years").iter_rows())
        for column in (c.name for c in wide.written.columns if c.role == "metric" and c.name in wide.frame.columns):
            there = list(wide.years[column])
            said = [int(y) for y in (documented.get(column) or "").split(_SEPARATOR) if y]
            if said != there:
                what = f"{wide.name}: {column} has values of {there}, the dictionary says {said}"
                rows.append({"what": what})
    return listed(rows)


def lists_can_be_split(context: ReleaseContext) -> Verdict:
    """S7: lists in the dictionary split at `; ` into lawful entries, more than one where more are declared."""
    rows: list[Mapping[str, Any]] = []
    labels = {label for group in SUBGROUPS.values() for label in group}
    for row in context.dictionary.iter_rows(named=True):
        where = {"file": row["file"], "column": row["column"]}
        for name in ("years", "years_declared"):
            bad = [y for y in (row[name] or "").split(_SEPARATOR) if y and not re.fullmatch(r"\d{4}", y)]
            rows += [{**where, "list": name, "entry": y, "what": "not a year"} for y in bad]
        entries = [s for s in (row["subgroups"] or "").split(_SEPARATOR) if s]
        rows += [{**where, "list": "subgroups", "entry": s, "what": "not a label"} for s in entries if s not in labels]
        declared = context.declared.get(row["metric"] or "")
        number = re.match(r"(?:reference/)?(\d\d)_", row["file"])
        if declared is None or number is None or row["status"] != PUBLISHED:
            continue
        file = published_file(int(number.group(1)))
        wanted = [s for t, s in file.cells if t != "all" and _has_label(declared[0].series, file, row["metric"], s)]
        if entries != wanted and not file.overall:
            what = f"declared are {len(wanted)} entries"
            rows.append({**where, "list": "subgroups", "entry": row["subgroups"], "what": what})
    return listed(rows)


def _has_label(series: Any, file: Any, metric: str, label: str) -> bool:
    return any(
        label in s.subgroups.get(file.kind, ())
        and file.kind not in s.long_only
        and file.level in s.levels
        and (not s.metrics or metric in s.metrics)
        for s in series
    )


def numbers_are_numbers(context: ReleaseContext) -> Verdict:
    """S8: number columns hold numbers alone; text made of two numbers agrees with the numbers it is made from."""
    parts = []
    for wide in context.wide:
        for column in wide.written.columns:
            if column.name not in wide.text.columns:
                continue
            cell = pl.col(column.name)
            if column.dtype.is_numeric():
                lost = wide.text[column.name].is_not_null() & wide.frame[column.name].is_null()
                if lost.any():
                    bad = wide.text.filter(lost)
                    parts.append(wide.show(bad, column=pl.lit(column.name), cell=cell, what=pl.lit("not a number")))
            elif column.part == "value" and column.metric is not None:
                made = _composite(context, wide, column.name)
                parts += [] if made is None else [made]
    return concat(parts)


def _composite(context: ReleaseContext, wide: Any, metric: str) -> pl.DataFrame | None:
    """Rows of a text metric that do not read `a:b`, or whose parts are not the estimate's to the printed digit."""
    file = wide.written.file
    shape = pl.col(metric).str.extract_groups(r"^(?<above>\d+\.\d+):(?<below>\d+\.\d+)$")
    text = wide.text.filter(pl.col(metric).is_not_null()).with_columns(shape.alias("_parts")).unnest("_parts")
    bad = text.filter(pl.col("above").is_null())
    kinds = {file.published_type: file.kind}
    chosen = context.chosen[wide.name].select("metric", "year", "sample")
    made = (
        context.of(metric)
        .filter((pl.col("level") == wide.level) & pl.col("value").is_not_null())
        .join(chosen.lazy(), on=["metric", "year", "sample"], how="semi")
        .select("year", "state", "geo", "subgroup_type", "subgroup", "numerator", "denominator")
        .collect()
    )
    keyed = text.select(
        pl.col("year").cast(pl.Int32, strict=False),
        "state",
        pl.col(wide.level).alias("geo"),
        (pl.lit("all") if file.overall else pl.col("subgroup_type").replace(kinds)).alias("subgroup_type"),
        (pl.lit(ALL) if file.overall else pl.col("subgroup")).alias("subgroup"),
        pl.col("above").cast(pl.Float64),
        pl.col("below").cast(pl.Float64),
        pl.col(metric).alias("cell"),
    )
    key = ["year", "state", "geo", "subgroup_type", "subgroup"]
    both = keyed.join(made, on=key, how="inner", validate="1:1")
    half = 0.0005 + 1e-9
    off = ((pl.col("above") - pl.col("numerator")).abs() > half) | (
        (pl.col("below") - pl.col("denominator")).abs() > half
    )
    wrong = both.filter(off.fill_null(True)).select(
        pl.lit(wide.name).alias("file"), *key, "cell", "numerator", "denominator"
    )
    shown = wide.show(bad, column=pl.lit(metric), cell=pl.col(metric), what=pl.lit("does not read number:number"))
    there = [f.with_columns(pl.all().cast(pl.String)) for f in (shown, wrong) if f.height]
    return pl.concat(there, how="diagonal") if there else None


def names_are_short(context: ReleaseContext) -> Verdict:
    """S9: column names longer than 32 characters are listed, for users of programs that cut them."""
    names = {c: w.name for w in reversed(context.clean) for c in w.frame.columns if len(c) > LONGEST_NAME}
    return listed([{"column": c, "characters": len(c), "first file": names[c]} for c in sorted(names)])


RULES: Final = (
    Rule("S1", "Columns and their order are those of the registry, no more and no fewer", "block",
         "4935580 #26 #319 #342", "columns that belong to no metric", check=columns_are_declared),
    Rule("S2", "Subgroup types and labels come from closed lists; `All` always has the type `all`", "block",
         "#475 #354 (`race-ethncity`, `race_ethnicity`)", "figures lost because a label is misspelt",
         check=labels_are_legal),
    Rule("S3", "One concept has one label across metrics, counties and cities", "block", "#355 211c229",
         "three spellings of one neighborhood type", check=one_spelling),
    Rule("S4", "Each file holds as many figures as the estimates, less the suppression list", "block", "#475 #474",
         "figures that vanish when files are put together", check=figures_arrive),
    Rule("S5", "Every figure stands under the predictor that declares its metric", "block", "#342 #120",
         "a column filled from another metric's result", check=owners_are_right),
    Rule("S5.stale", "Figures that were not made from the present inputs are listed", "warn",
         "stale race-exposure file of cities", "an old result published as new", check=made_from_present_inputs),
    Rule("S6", "Every column, year and subgroup is documented, and nothing is documented that is not there", "block",
         "drift of the public data dictionary", "a dictionary that describes other files", check=dictionary_fits),
    Rule("S7", "Lists in the dictionary can be split into lawful entries", "block",
         "2026 specification: a comma where semicolons separate", "a list of subgroups read as one subgroup",
         check=lists_can_be_split),
    Rule("S8", "Number columns hold numbers; composite text agrees with its two numbers", "block",
         "text ratios of home values", "text where a reader's program expects a number", check=numbers_are_numbers),
    Rule("S9", "Column names longer than 32 characters are listed", "warn", "#218",
         "names cut short by statistical programs", check=names_are_short),
)  # fmt: skip
