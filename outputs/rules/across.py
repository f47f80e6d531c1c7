"""Rules across files, years and releases (T): the same figure everywhere, nothing changed without a cause."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

import polars as pl

from outputs.dictionary import PUBLISHED
from outputs.revisions import UNEXPLAINED
from outputs.rules.context import ReleaseContext, WideFile, table
from outputs.rules.geography import concat
from outputs.rules.rule import Rule, Verdict, found, listed, not_applicable
from outputs.write import differences
from schemas.errors import GateError
from schemas.labels import ALL, SAMPLES

_FLOOR: Final = 0.5
"""Rank correlation with the year before that a metric without a floor of its own is held to."""
_FEWEST: Final = 30
HIDDEN_ABOVE: Final = 0.15
"""Share of people in missing or weak areas above which a median is hidden."""


def all_rows_agree(context: ReleaseContext, *, same_sample: bool) -> Verdict:
    """T1: the `All` rows of a group file and the overall file of the level.

    From the same sample they are the same estimate, cell for cell. From another sample they differ lawfully: then the
    gaps are told by metric and year.
    """
    parts = []
    compared = 0
    overall = {w.level: w for w in context.clean if w.written.file.overall}
    for wide in context.clean:
        if wide.written.file.overall or wide.level not in overall:
            continue
        base = overall[wide.level]
        there = context.chosen[base.name].join(context.chosen[wide.name], on=["metric", "year"], suffix="_group")
        key = ["year", "state", wide.level]
        rows = wide.frame.filter(pl.col("subgroup") == ALL)
        for metric in there["metric"].unique(maintain_order=True):
            name = wide.parts.get(metric, {}).get("value")
            if name is None or name not in base.frame.columns or wide.frame.schema[name] == pl.String:
                continue
            same = pl.col("sample") == pl.col("sample_group")
            years = there.filter((pl.col("metric") == metric) & (same if same_sample else ~same))["year"].to_list()
            left = rows.filter(pl.col("year").is_in(years)).select(*key, pl.col(name).alias("in_group_file"))
            right = base.frame.select(*key, pl.col(name).alias("overall"))
            both = left.join(right, on=key, how="inner", validate="1:1")
            compared += both.height
            unequal = both.filter(pl.col("in_group_file").ne_missing(pl.col("overall")))
            if unequal.is_empty():
                continue
            said = (pl.lit(wide.name).alias("file"), pl.lit(metric).alias("metric"))
            if same_sample:
                parts.append(unequal.select(*said, *key, "in_group_file", "overall"))
            else:
                gap = (pl.col("in_group_file") - pl.col("overall")).abs()
                parts.append(
                    both.group_by(*said, "year", maintain_order=True)
                    .agg(
                        gap.is_not_null().sum().alias("pairs"),
                        gap.median().alias("median_gap"),
                        gap.quantile(0.95).alias("gap_95"),
                        gap.max().alias("largest_gap"),
                    )
                    .filter(pl.col("pairs") > 0)
                    .sort("year")
                )
    if compared == 0:
        what = "the same sample" if same_sample else "different samples"
        return not_applicable(f"no metric has its overall and its group file from {what} in this release")
    verdict = concat([p for p in parts if p.height])
    return Verdict(verdict.rows, note=f"{compared} pairs of figures compared")


def nothing_moved_unexplained(context: ReleaseContext) -> Verdict:
    """T2: a figure that differs from the release before has its reason in the list of revisions.

    The reason follows from what the releases record of their inputs, code and methods (`outputs.revisions`).
    """
    if context.before is None:
        return not_applicable("there is no release of this kind and these states before it")
    revisions = pl.scan_parquet(context.folder / "revisions.parquet")
    reasons = revisions.group_by("reason").len("figures").collect(engine="streaming").sort("reason")
    told = ", ".join(f"{n} {reason}" for reason, n in reasons.iter_rows())
    bad = revisions.filter(pl.col("reason") == UNEXPLAINED).drop("reason", "state_name").collect(engine="streaming")
    return found(bad, note=f"compared with {context.before.name}; figures that differ: {told or 'none'}")


def ranks_hold(context: ReleaseContext) -> Verdict:
    """T3: a metric ranks places much as the year before; the floors are those measured in published files, less 0.1."""
    floors = table("correlation_floors", floor=pl.Float64)
    rows = context.long.filter((pl.col("subgroup_type") == "all") & pl.col("value").is_not_null()).select(
        "metric", "level", "sample", "year", "geoid", "value"
    )
    values = rows.collect(engine="streaming")
    if context.meta.synthetic:
        return not_applicable("the figures are synthetic: years are drawn independently")
    out: list[dict[str, Any]] = []
    compared = 0
    limit = {(m, level): f for m, level, f in floors.select("metric", "level", "floor").iter_rows()}
    for (metric, level, sample), part in values.group_by(["metric", "level", "sample"], maintain_order=True):
        years = part["year"].unique().sort().to_list()
        for earlier, later in pairwise(years):
            pair = part.filter(pl.col("year") == earlier).join(
                part.filter(pl.col("year") == later), on="geoid", how="inner", suffix="_later"
            )
            if pair.height < _FEWEST:
                continue
            compared += 1
            rho = pair.select(pl.corr("value", "value_later", method="spearman")).item()
            floor = limit.get((str(metric), str(level)), _FLOOR)
            if rho is None or not rho >= floor:
                out.append(
                    {"metric": metric, "level": level, "sample": sample, "from": earlier, "to": later}
                    | {"places": pair.height, "rank_correlation": rho, "floor": floor}
                )
    return listed(out, note=f"{compared} pairs of years of at least {_FEWEST} places compared")


def national_means(context: ReleaseContext) -> Verdict:
    """T4: the national mean of county figures, weighted by population, is near a published national figure."""
    if why := context.why_not_national:
        return not_applicable(why)
    wanted = table("benchmarks", year=pl.Int32, published=pl.Float64, tolerance=pl.Float64)
    people = context.geographies.filter(pl.col("level") == "county").select("year", "geoid", "population")
    values = (
        context.long.filter((pl.col("level") == "county") & (pl.col("subgroup_type") == "all"))
        .join(wanted.select("metric", "year", "sample").unique().lazy(), on=["metric", "year", "sample"], how="semi")
        .filter(pl.col("value").is_not_null())
        .select("metric", "year", "sample", "geoid", "value")
        .collect(engine="streaming")
        .join(people, on=["year", "geoid"], how="inner", validate="m:1")
    )
    weighted = (pl.col("value") * pl.col("population")).sum() / pl.col("population").sum()
    means = values.group_by("metric", "year", "sample").agg(weighted.alias("ours"), pl.len().alias("counties"))
    both = wanted.join(means, on=["metric", "year", "sample"], how="inner")
    off = (pl.col("ours") / pl.col("published") - 1).abs()
    rows = both.with_columns(off.alias("difference")).filter(pl.col("difference") > pl.col("tolerance"))
    return found(rows.sort("metric", "year"), note=f"{both.height} national figures compared")


def families_are_whole(context: ReleaseContext) -> Verdict:
    """T5: every declared year and subgroup of a metric is in its file; a group without any figure has a reason."""
    rows: list[dict[str, Any]] = []
    tally = context.tally
    have = tally.group_by("metric", "year", "sample", "level", "subgroup_type", "subgroup").agg(
        pl.col("values", "owed", "undefined", "rows").sum()
    )
    for wide in context.clean:
        file = wide.written.file
        kinds = ["all"] if file.overall else ["all", file.kind]
        wanted = (
            have.filter((pl.col("level") == file.level) & pl.col("subgroup_type").is_in(kinds) & (pl.col("values") > 0))
            .join(context.chosen[wide.name], on=["metric", "year", "sample"], how="semi")
            .sort("metric", "year", "subgroup")
        )
        years = set(wide.frame["year"].unique().to_list())
        there = set() if file.overall else set(wide.frame.select("year", "subgroup").unique().iter_rows())
        for row in wanted.iter_rows(named=True):
            name = wide.parts.get(row["metric"], {}).get("value")
            missing = name is None or row["year"] not in years
            missing = missing or (not file.overall and (row["year"], row["subgroup"]) not in there)
            if missing:
                shown = {k: row[k] for k in ("metric", "year", "subgroup")}
                rows.append({"file": wide.name, **shown, "what": "has figures, but no place in the file"})
    note = ""
    if context.whole_nation:
        group = ["metric", "level", "sample", "year"]
        some = have.filter(pl.col("values").sum().over(group) > 0)
        silent = some.filter((pl.col("values") == 0) & (pl.col("owed") + pl.col("undefined") < pl.col("rows")))
        for row in silent.sort(*group, "subgroup").iter_rows(named=True):
            shown = {k: row[k] for k in ("metric", "level", "year", "subgroup")}
            rows.append({**shown, "what": "a declared group without any figure in the nation"})
    else:
        note = f"groups without any figure are not asked for: {context.why_not_national}"
    return listed(rows, note=note)


def medians_are_hidden(context: ReleaseContext) -> Verdict:
    """T6: a median is hidden exactly where more than 15 percent of people live in missing or weak areas.

    Worked out again from the overall files; the national medians of the release are compared with it.
    """
    path = context.folder / "medians.csv"
    if not path.exists():
        return not_applicable("the release has no medians")
    return _hidden(context, pl.read_csv(path, infer_schema=False, null_values=["NA"]))


def _hidden(context: ReleaseContext, medians: pl.DataFrame) -> Verdict:
    needed = {"level", "metric", "year", "area", "median"}
    if not needed <= set(medians.columns):
        return listed([{"what": f"the medians lack the columns {', '.join(sorted(needed - set(medians.columns)))}"}])
    rows: list[dict[str, Any]] = []
    nation = medians.filter(pl.col("area") == "US")
    for wide in context.clean:
        if not wide.written.file.overall:
            continue
        for metric, names in wide.parts.items():
            if wide.frame.schema[names["value"]] == pl.String:
                continue
            people = pl.col("population").cast(pl.Float64)
            share = [
                (people.filter(pl.col(names["value"]).is_null()).sum() / people.sum()).round(4).alias("missing"),
                (people.filter(pl.col(names["quality"]) == "Weak").sum() / people.sum()).round(4).alias("weak"),
            ]
            hidden = wide.frame.filter(pl.col("population").is_not_null()).group_by("year").agg(share)
            hidden = hidden.with_columns((pl.col("missing") + pl.col("weak")).round(4).alias("unknown"))
            mine = nation.filter((pl.col("level") == wide.level) & (pl.col("metric") == metric))
            shown = mine.filter(pl.col("median").is_not_null()).select(pl.col("year").cast(pl.Int32))
            bad = hidden.filter(pl.col("unknown") > HIDDEN_ABOVE).join(shown, on="year", how="semi").sort("year")
            rows += [{"level": wide.level, "metric": metric, **r} for r in bad.iter_rows(named=True)]
    return listed(rows)


def sources_are_said(context: ReleaseContext) -> Verdict:
    """T7: the sample the dictionary names is the sample the figures come from, and its period fits the year."""
    rows: list[dict[str, Any]] = []
    documented = context.dictionary.filter(pl.col("status") == PUBLISHED)
    for wide in context.clean:
        said = dict(documented.filter(pl.col("file") == wide.name).select("column", "sample").iter_rows())
        chosen = context.chosen[wide.name]
        for metric, names in wide.parts.items():
            samples = chosen.filter(pl.col("metric") == metric)["sample"].unique().to_list()
            told = said.get(names["value"]) or ""
            listed_there = [s for s in SAMPLES if f"{s} (" in told or told == s]
            if sorted(samples) != sorted(listed_there):
                rows.append({"file": wide.name, "column": metric, "dictionary": told, "figures": ", ".join(samples)})
    year = pl.col("year").cast(pl.String)
    # Interviews of 2010 and 2011 have no crosswalk, so the five-year period that ends in 2014 begins in 2012.
    first = pl.col("reference_period").str.extract(r"^(\d{4})-\d{4}$").cast(pl.Int32)
    last = pl.col("reference_period").str.extract(r"^\d{4}-(\d{4})$")
    fits = (
        pl.when(pl.col("sample") == "acs1")
        .then(pl.col("reference_period") == year)
        .when(pl.col("sample").is_in(["acs5", "acs5_tables"]))
        .then((last == year) & (pl.col("year") - first).is_between(0, 4))
        .otherwise(pl.col("reference_period").str.contains(year, literal=True))
    )
    wrong = (
        context.long.filter(pl.col("value").is_not_null() & pl.col("reference_period").is_not_null() & ~fits)
        .group_by("metric", "sample", "year", "reference_period")
        .len("figures")
        .collect(engine="streaming")
        .sort("metric", "year")
    )
    return concat([listed(rows).rows, wrong])


def newest_year(context: ReleaseContext) -> Verdict:
    """T8: the last year the dictionary names for a column is the last year with a figure."""
    rows: list[dict[str, Any]] = []
    documented = context.dictionary.filter(pl.col("status") == PUBLISHED)
    for wide in context.wide:
        said = dict(documented.filter(pl.col("file") == wide.name).select("column", "years").iter_rows())
        for names in wide.parts.values():
            name = names["value"]
            if name not in wide.frame.columns:
                continue
            last = max(wide.years[name], default=None)
            told = (said.get(name) or "").split("; ")[-1]
            if told != ("" if last is None else str(last)):
                rows.append({"file": wide.name, "column": name, "dictionary": told, "figures": last})
    return listed(rows)


def files_are_plain(context: ReleaseContext) -> Verdict:
    """T9: UTF-8, LF, `NA` for missing, numbers that read back the same; CSV and Parquet hold the same cells."""
    rows: list[dict[str, Any]] = []
    for wide in context.wide:
        try:
            codecs.utf_8_decode(wide.raw, "strict", True)
        except UnicodeDecodeError as error:
            rows.append({"file": wide.name, "what": f"is not UTF-8 at byte {error.start}"})
        rows += [{"file": wide.name, "what": what} for what in _form(wide)]
        rows += [{"file": wide.name, "what": f"csv equals parquet: {d}"} for d in _against_parquet(wide)]
    return listed(rows)


def _form(wide: WideFile) -> Iterable[str]:
    raw = wide.raw
    if raw.startswith(codecs.BOM_UTF8):
        yield "begins with a byte order mark"
    if b"\r" in raw:
        yield "has carriage returns"
    if not raw.endswith(b"\n"):
        yield "does not end with a line feed"
    if b",," in raw or b",\n" in raw:
        yield "has an empty cell; missing is NA"


def _against_parquet(wide: WideFile) -> list[str]:
    typed = pl.read_parquet(wide.parquet)
    if wide.frame.columns != typed.columns:
        return ["other columns"]
    try:
        return differences(wide.frame, typed)
    except (GateError, pl.exceptions.PolarsError) as error:
        return [str(error)]


def paths_are_exact(context: ReleaseContext) -> Verdict:
    """T10: no two files differ in case alone, and every file the data package names exists letter for letter."""
    import json

    paths = sorted(p.relative_to(context.folder).as_posix() for p in context.folder.rglob("*") if p.is_file())
    folded: dict[str, list[str]] = {}
    for path in paths:
        folded.setdefault(path.lower(), []).append(path)
    rows: list[dict[str, Any]] = [
        {"path": " | ".join(same), "what": "differ in case alone"} for same in folded.values() if len(same) > 1
    ]
    package = context.folder / "datapackage.json"
    if package.exists():
        named = [r["path"] for r in json.loads(package.read_text(encoding="utf-8"))["resources"]]
        flat = [p for entry in named for p in (entry if isinstance(entry, list) else [entry])]
        rows += [{"path": p, "what": "named in datapackage.json but not there"} for p in flat if p not in paths]
    return listed(rows)


RULES: Final = (
    Rule("T1", "`All` in a group file is the overall figure, where both come from one sample", "block", "#188 #489",
         "two figures for everyone", check=lambda c: all_rows_agree(c, same_sample=True)),
    Rule("T1.samples", "`All` from another sample than the overall file: the gaps are listed", "warn", "#188 #489",
         "a gap of method read as an error", check=lambda c: all_rows_agree(c, same_sample=False)),
    Rule("T2", "Figures that differ from the release before have a reason in the list of revisions", "block",
         "#536 #464 #467", "history that changes silently", check=nothing_moved_unexplained),
    Rule("T3", "Rank correlations with the year before that are below their floor are listed", "warn",
         "README of the reference", "a year in which places were mixed up", check=ranks_hold),
    Rule("T4", "National means far from published national figures are listed", "warn", "#358",
         "a whole year on the wrong scale", check=national_means),
    Rule("T5", "Every year and subgroup with figures has its place in every file of the family", "block", "#367 #475",
         "a new subgroup that one file forgot", check=families_are_whole),
    Rule("T6", "A median is hidden if more than 15 percent of people live in missing or weak areas", "block",
         "#352 #428", "a national median of a minority", check=medians_are_hidden),
    Rule("T7", "Sample and period the dictionary names are those the figures come from", "block",
         "correction notice of 2023-06-30", "a source note that names another survey", check=sources_are_said),
    Rule("T8", "The newest year named is the newest year with figures", "block", "news of 2024-02-13",
         "2018 figures in a file of recent years", check=newest_year),
    Rule("T9", "Files are UTF-8 with LF and NA, numbers read back the same, CSV equals Parquet", "block", "#612",
         "files that programs read differently", check=files_are_plain),
    Rule("T10", "File names are exact and differ in more than case", "block", "`_tenure.csv` read as `_Tenure.csv`",
         "files found on one system and not on another", check=paths_are_exact),
)  # fmt: skip
