"""Rules about single sources (Q), the survey (A) and allocation (X), as far as finished figures show them."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from metrics.governance import crime, policing
from outputs import check
from outputs.rules.context import ReleaseContext, table
from outputs.rules.geography import concat
from outputs.rules.rule import Rule, Verdict, found, listed, not_applicable
from outputs.rules.values import SHOWN

_LEAST: Final = 30
_OFF_CONTROL: Final = 0.001
_LOST: Final = 0.005
_POOLED: Final = "pooled area"
LARGEST_CONNECTEDNESS: Final = 0.62
"""Median of places that no share reaches: the ratio published before 2025 is twice the share, which is 0.41 on average
and 0.15 to 0.68 by county, up to 0.79 by city."""
HAS_VALUE: Final = pl.col("value").is_not_null()
SMALL_PLACE: Final = 2000
COVERAGE: Final[dict[str, str]] = {
    "rate_crime_violent": crime.COVERAGE,
    "rate_crime_property": crime.COVERAGE,
    "rate_juv_arrest": policing.COVERAGE,
}
"""Rate -> the metric that says which share of people is served by reporting agencies."""
ALASKA: Final = "02"
LARGE_HOMELESS_SHARE: Final = 0.5
GROUPS_OF_TOTAL: Final = (0.7, 1.1)


def _metrics_there(context: ReleaseContext, *metrics: str) -> Verdict | None:
    there = set(context.tally["metric"].unique())
    if there.isdisjoint(metrics):
        return not_applicable(f"the release has no {' or '.join(metrics)}")
    return None


def people_are_kept(context: ReleaseContext) -> Verdict:
    """X3: the survey's weight before and after allocation to counties agrees by state within half a percent."""
    if context.balance is None or context.balance.is_empty():
        return not_applicable("the weights before and after allocation are not at hand (no survey microdata)")
    change = (pl.col("after") / pl.col("before") - 1.0).alias("change")
    rows = context.balance.with_columns(change).filter(pl.col("change").abs() > _LOST)
    return found(rows.sort("year", "table", "state"), note=f"{context.balance.height} states, years and files compared")


def totals_are_the_published_ones(context: ReleaseContext) -> Verdict:
    """A4: the people of a survey file add up, by state, to the published total the survey is weighted to."""
    if context.meta.synthetic:
        return not_applicable("the figures are synthetic: generated people are weighted to no published total")
    if context.controls is None or context.controls.is_empty():
        return not_applicable("no survey file holds people of every age, or no published total is at hand")
    change = (pl.col("weighted") / pl.col("control") - 1.0).alias("change")
    rows = context.controls.with_columns(change).filter(pl.col("change").abs() > _OFF_CONTROL)
    note = f"{context.controls.height} states, years and files compared"
    return found(rows.sort("year", "table", "state"), note=note)


def sample_size(context: ReleaseContext) -> Verdict:
    """A6: no survey figure rests on fewer than 30 records, and a suppressed one keeps its row and its reason."""
    survey = pl.col("sample").is_in(["acs1", "acs5"])
    few = pl.max_horizontal("n", "n_effective") < _LEAST
    rows = context.long.filter((survey & pl.col("value").is_not_null() & few).fill_null(False))
    return found(rows.select(*SHOWN, "n", "n_effective").head(2000))


def one_price_index(context: ReleaseContext) -> Verdict:
    """A8: all dollar figures of a release rest on one edition of the price index and of each dollar table."""
    dollars = {"cpi"}
    used = [i for i in context.meta.inputs if i.source in dollars]
    if not used:
        return not_applicable("no price index is among the inputs of this release")
    editions = sorted({(i.source, i.file, i.sha256) for i in used})
    return listed(
        [{"source": s, "file": f, "sha256": h} for s, f, h in editions] if len({h for _, _, h in editions}) > 1 else []
    )


def quantiles_in_order(context: ReleaseContext) -> Verdict:
    """A9: the 20th percentile is not above the 50th, nor that above the 80th."""
    names = ["pctl_income_20", "pctl_income_50", "pctl_income_80"]
    if (absent := _metrics_there(context, *names)) is not None:
        return absent
    key = ["year", "level", "geoid", "name", "sample", "subgroup_type", "subgroup"]
    rows = context.of(*names).select(*key, "metric", "value").collect(engine="streaming")
    wide = rows.pivot(on="metric", index=key, values="value", aggregate_function="first")
    wide = wide.with_columns(pl.lit(None, pl.Float64).alias(n) for n in names if n not in wide.columns)
    low, middle, high = (pl.col(n) for n in names)
    return found(wide.filter(((low > middle) | (middle > high) | (low > high)).fill_null(False)).sort(key))


def wages_are_disclosed(context: ReleaseContext) -> Verdict:
    """Q1: no ratio of zero; a value rests on disclosed pay and employment, what is undisclosed is missing."""
    if (absent := _metrics_there(context, "ratio_living_wage")) is not None:
        return absent
    withheld = pl.col("reason") == "suppressed at source"
    broken = (pl.col("value") <= 0) | (pl.col("numerator") <= 0) | withheld
    rows = context.of("ratio_living_wage").filter(pl.col("value").is_not_null() & broken.fill_null(False))
    return found(rows.select(*SHOWN, "numerator", "denominator", "reason").head(2000))


def nothing_restricted(context: ReleaseContext) -> Verdict:
    """Q2: no source file is in the release, by name or by content: many may not be passed on."""
    return listed([{"what": finding} for finding in check.check_no_sources(context.folder, context.meta)])


def crime_swings(context: ReleaseContext) -> Verdict:
    """Q3: crime and arrest rates that more than double or halve within a year, with their grade and coverage."""
    names = tuple(COVERAGE)
    if (absent := _metrics_there(context, *names)) is not None:
        return absent
    key = ["level", "geoid", "subgroup_type", "subgroup", "metric"]
    rows = context.of(*names).filter(pl.col("value").is_not_null()).select(*SHOWN, "subgroup_type", "quality").collect()
    before = rows.select(*key, (pl.col("year") + 1).alias("year"), pl.col("value").alias("value_before"))
    both = rows.join(before, on=[*key, "year"], how="inner", validate="1:1")
    ratio = pl.when(pl.col("value_before") > 0).then(pl.col("value") / pl.col("value_before"))
    swings = both.with_columns(ratio.alias("times")).filter((pl.col("times") > 2) | (pl.col("times") < 0.5))
    covered = context.of(*COVERAGE.values()).filter(pl.col("subgroup_type") == "all")
    coverage = covered.select("year", "level", "geoid", "metric", pl.col("value").alias("coverage")).collect()
    named = swings.with_columns(pl.col("metric").replace_strict(COVERAGE).alias("_coverage"))
    told = named.join(
        coverage,
        left_on=["year", "level", "geoid", "_coverage"],
        right_on=["year", "level", "geoid", "metric"],
        how="left",
    ).drop("_coverage", "subgroup_type")
    without = _without_coverage(context, coverage)
    told = told.sort("metric", "level", "geoid", "year", "subgroup")
    return concat([without, told]) if without.height else found(told, note=f"{both.height} pairs of years compared")


def _without_coverage(context: ReleaseContext, coverage: pl.DataFrame) -> pl.DataFrame:
    rates = (
        context.of("rate_crime_violent", "rate_crime_property")
        .filter(pl.col("value").is_not_null())
        .select(*SHOWN)
        .collect()
    )
    known = coverage.filter((pl.col("metric") == COVERAGE["rate_crime_violent"]) & pl.col("coverage").is_not_null())
    rows = rates.join(known, on=["year", "level", "geoid"], how="anti")
    return rows.with_columns(pl.lit("rate without its coverage").alias("what"))


def pools_are_marked(context: ReleaseContext) -> Verdict:
    """Q6: a state's pooled figure given to many counties is graded weak, one per pool, and says whom it describes."""
    if (absent := _metrics_there(context, "share_low_birth_weight")) is not None:
        return absent
    rows = (
        context.of("share_low_birth_weight")
        .filter(pl.col("value").is_not_null())
        .select(*SHOWN, "state", "subgroup_type", "quality", "estimation_area", "n_areas", "reason")
        .collect(engine="streaming")
    )
    pooled = rows.filter(pl.col("reason") == _POOLED)
    unmarked = pooled.filter((pl.col("quality") != 3) | pl.col("estimation_area").is_null() | (pl.col("n_areas") < 1))
    group = ["year", "state", "subgroup_type", "subgroup", "estimation_area"]
    apart = pooled.filter(pl.col("value").n_unique().over(group) > 1)
    # Counties that share an area in which nobody is marked as pooled have been copied silently.
    silent = rows.filter((pl.col("n_areas") > 1) & pl.col("reason").ne_missing(_POOLED))
    return concat(
        [
            unmarked.with_columns(pl.lit("pooled figure without its marks").alias("what")),
            apart.with_columns(pl.lit("one pool, several figures").alias("what")),
            silent.with_columns(pl.lit("shared figure without its reason").alias("what")),
        ]
    )


def homeless_students(context: ReleaseContext) -> Verdict:
    """Q7: shares above one half, and race groups that do not add up to about the total, are listed."""
    if (absent := _metrics_there(context, "share_homeless", "count_homeless")) is not None:
        return absent
    large = (
        context.of("share_homeless")
        .filter(pl.col("value") > LARGE_HOMELESS_SHARE)
        .select(*SHOWN, "quality", pl.lit("share above one half").alias("what"))
        .sort("value", "geoid", "year", descending=[True, False, False])
        .collect()
    )
    key = ["year", "level", "geoid", "name", "sample"]
    counts = (
        context.of("count_homeless").filter(pl.col("value").is_not_null()).select(*SHOWN, "subgroup_type").collect()
    )
    total = counts.filter(pl.col("subgroup_type") == "all").select(*key, pl.col("value").alias("total"))
    groups = (
        counts.filter(pl.col("subgroup_type") == "race-ethnicity")
        .group_by(key)
        .agg(pl.col("value").sum().alias("groups"), pl.len().alias("n"))
        .filter(pl.col("n") == 4)
    )
    low, high = GROUPS_OF_TOTAL
    part = (pl.col("groups") / pl.col("total")).alias("groups_of_total")
    off = groups.join(total, on=key, how="inner", validate="1:1").filter(pl.col("total") > 0).with_columns(part)
    off = off.filter((pl.col("groups_of_total") < low) | (pl.col("groups_of_total") > high)).drop("n")
    return concat([large, off.sort(key).with_columns(pl.lit("groups do not add up to the total").alias("what"))])


def physicians(context: ReleaseContext) -> Verdict:
    """Q12: a zero means no physician for 2,000 people or fewer, graded weak; larger areas without one are missing."""
    if (absent := _metrics_there(context, "ratio_population_pc_physician")) is not None:
        return absent
    zero = context.of("ratio_population_pc_physician").filter(pl.col("value") == 0)
    people = pl.col("numerator")
    broken = people.is_null() | (people > SMALL_PLACE) | (pl.col("quality") != 3) | (pl.col("denominator") != 0)
    return found(zero.filter(broken).select(*SHOWN, "numerator", "denominator", "quality"))


def turnout(context: ReleaseContext) -> Verdict:
    """Q13: turnout of exactly everybody is listed, and Alaska's counties are missing for a reason of their own."""
    if (absent := _metrics_there(context, "share_election_turnout")) is not None:
        return absent
    rows = context.of("share_election_turnout")
    all_of_them = rows.filter(pl.col("value") >= 1).select(*SHOWN, pl.lit("turnout of everybody").alias("what"))
    alaska = rows.filter(
        (pl.col("state") == ALASKA) & (pl.col("level") == "county") & pl.col("value").is_not_null()
    ).select(*SHOWN, pl.lit("Alaska counts votes by district, not by county").alias("what"))
    return found(pl.concat([all_of_them, alaska]).sort("year", "level", "geoid"))


def connectedness_scale(context: ReleaseContext) -> Verdict:
    """Q14: economic connectedness is on the scale of a share, half of the ratio published before: its median shows."""
    name = "share_economic_connectedness"
    if (absent := _metrics_there(context, name)) is not None:
        return absent
    rows = context.of(name).filter(HAS_VALUE).select(*SHOWN).collect()
    beyond = rows.filter(pl.col("value") > 1)
    middle = rows.group_by("year", "level", "metric").agg(pl.col("value").median().alias("median"), pl.len().alias("n"))
    return concat([beyond, middle.filter(pl.col("median") > LARGEST_CONNECTEDNESS).sort("year", "level")])


def _told(context: ReleaseContext, key: str) -> str:
    predictor = context.entries[key].predictor
    return " ".join([predictor.definition, *predictor.notes, *(text for _, text in predictor.breaks)])


def digital_definition(context: ReleaseContext) -> Verdict:
    """Q15: digital access says what it counts, in the dictionary too."""
    return _says(context, "digital_access")


def breaks_are_marked(context: ReleaseContext) -> Verdict:
    """Q11: predictors whose figures are known not to be one series mark the years in which it breaks."""
    wanted = table("breaks", year=pl.Int64)
    here = wanted.filter(pl.col("predictor").is_in(list(context.entries)))
    if here.is_empty():
        return not_applicable("no predictor of the release has a known break")
    rows = []
    for row in here.iter_rows(named=True):
        predictor = context.entries[row["predictor"]].predictor
        if row["year"] in predictor.years and row["year"] not in {y for y, _ in predictor.breaks}:
            rows.append(row | {"what": "the year is not marked as a break"})
    return listed(rows)


def _says(context: ReleaseContext, key: str) -> Verdict:
    words: Final[dict[str, tuple[str, ...]]] = {"digital_access": ("computer", "high-speed", "subscription")}
    if key not in context.entries:
        return not_applicable(f"{key} is not in the release")
    told = _told(context, key)
    rows: list[dict[str, Any]] = [
        {"predictor": key, "word": w, "what": "not in its definition"} for w in words[key] if w not in told.lower()
    ]
    documented = context.dictionary.filter(pl.col("predictor") == key)
    rows += [
        {"file": f, "column": c, "what": "the dictionary does not tell the definition"}
        for f, c in documented.filter(pl.col("definition").is_null()).select("file", "column").iter_rows()
    ]
    return listed(rows)


RULES: Final = (
    Rule("X1", "Allocation factors of each source unit add up to 1 (0.0005 per PUMA; places: at most 1.0005)", "block",
         "#299", "people lost or doubled by a crosswalk", where="tables",
         place="`metrics.allocation` and the checks of the table `puma_allocation`"),
    Rule("X2", "A crosswalk row has its vintages and year, and joins use them all", "block",
         "membership associations of cities doubled; #426", "two vintages stacked: doubled figures", where="tables",
         place="pandera models of the crosswalk tables (unique keys), checks of tables"),
    Rule("X3", "The survey's weight is the same before and after allocation, by state, within 0.5 percent", "block",
         "d2082e6 #379", "people who fall out between a PUMA and its counties", check=people_are_kept),
    Rule("X4", "Every PUMA of the microdata is in the crosswalk of that year (counties)", "block", "#563 #594 #606",
         "households of unmatched areas dropped", where="estimates",
         place="the survey estimator refuses unmatched PUMAs of counties"),
    Rule("X5", "Five-year files that span two PUMA vintages are handled", "block", "#563 #606",
         "wrong crosswalk vintage", where="tests",
         place="tests/test_acs_census.py, tests/test_former_pumas.py, tests/test_survey.py"),
    Rule("X8", "Agencies and districts are placed by a crosswalk, not by the text of a mailing city", "warn",
         "#592 #439", "schools counted in the wrong city", where="code",
         place="where the method keeps it, a deviation says so; X7.other shows its effect"),
    Rule("X9", "Both directions of allocation are in the tract crosswalks", "block", "#455",
         "shares of the wrong whole", where="tables", place="pandera models in `schemas/census.py`"),
    Rule("A1", "Exactly the requested samples: one-year overall, five-year groups, no 2020 one-year file", "block",
         "#282", "a sample that may not be compared", where="tables", place="readers of the ACS microdata; T7 here"),
    Rule("A2", "The universe is as specified: group quarters, ages, kindergarten", "block", "#284 6dec2d0 61a4c22 #282",
         "people counted who should not be", where="tests", place="tests of each survey predictor (filters)"),
    Rule("A3", "As many records before as after replicate weights are joined", "block", "`preschool_county.qmd`",
         "records lost or doubled", where="tables", place="readers of the ACS microdata"),
    Rule("A4", "Weighted totals are within 0.1 percent of the published controls", "warn", "README of the reference",
         "a sample read in part", check=totals_are_the_published_ones),
    Rule("A5", "Replicate weights are treated as documented", "block", "#282", "wrong standard errors", where="tests",
         place="tests/test_survey_golden.py"),
    Rule("A6", "No survey figure rests on fewer than 30 records; suppressed ones keep their row", "block",
         "2026 guide, item 10; #55 #182", "figures of a handful of people", check=sample_size),
    Rule("A7", "Recodes are tested on records of known meaning", "block", "#310 d3a5a15", "yes and no exchanged",
         where="tests", place="tests of each survey predictor (recodes)"),
    Rule("A8", "All dollar figures rest on one edition of the price index", "block", "#574 #536",
         "group figures in other dollars than overall ones", check=one_price_index),
    Rule("A9", "The 20th percentile is not above the 50th, nor that above the 80th", "block",
         "a city with a 20th percentile of $106", "percentiles that cross", check=quantiles_in_order),
    Rule("Q1", "Undisclosed wages are missing; no ratio is zero", "block", "#536 ed44ee6",
         "a ratio of 0 graded Strong (19003 in 2018, 32011 in 2023)", check=wages_are_disclosed),
    Rule("Q2", "No source file is in the release: many may not be redistributed", "block", "#287 #441",
         "a breach of a licence", check=nothing_restricted),
    Rule("Q3", "Crime rates that double or halve within a year are listed, with their coverage", "warn", "#487",
         "a police department that stopped reporting", check=crime_swings),
    Rule("Q4", "Past years of crime are made anew in each release, and revisions are listed", "block", "#464 #466",
         "old years that stay wrong", where="code",
         place="every release is made from all estimates; T2 compares with the release before"),
    Rule("Q5", "The header of a CDC extract agrees with its recipe", "block", "#223 #467 #587",
         "crude and age-adjusted rates in one series", where="tables", place="readers of WONDER"),
    Rule("Q6", "A state's pooled births are graded weak and say whom they describe", "block", "#205",
         "a state's figure taken for a county's", check=pools_are_marked),
    Rule("Q7", "Homeless shares above one half and groups that do not add up are listed", "warn", "#412 #487",
         "a share graded Strong that cannot be", check=homeless_students),
    Rule("Q8", "Learning: edition recorded, districts joined by id, bounds in order, spring year tested", "block",
         "#439 #592", "figures of another year or district", where="tests", place="tests/test_seda.py; V3 here"),
    Rule("Q9", "Missing school poverty stays missing", "block", "d6268db eaa058d", "a gap read as no poverty",
         where="tests", place="tests/test_school_economic_diversity.py"),
    Rule("Q10", "Withheld business counts are missing, not zero; vintages of industries tested", "block", "#531",
         "associations undercounted after 2017", where="tests", place="tests/test_social_sources.py; Q11 marks 2017"),
    Rule("Q11", "Years in which a source or definition changes are marked as breaks", "block", "#247 #332 #457",
         "changes of method read as changes of life", check=breaks_are_marked),
    Rule("Q12", "No physician: 0 and weak up to 2,000 people, missing above", "block", "#318 #204",
         "missing reports read as no physician", check=physicians),
    Rule("Q13", "Turnout of everybody, and figures for Alaska's counties, are listed", "warn", "#433 #566 #127",
         "votes counted against the wrong people", check=turnout),
    Rule("Q14", "Economic connectedness keeps one scale, that of a share", "block", "#338 #339",
         "a doubling by renaming", check=connectedness_scale),
    Rule("Q15", "Digital access says in the dictionary what it counts", "block", "#220 #418 #444",
         "a label that promises another definition", check=digital_definition),
)  # fmt: skip
