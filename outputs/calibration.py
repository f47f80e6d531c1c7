"""The calibration report of a release: our figures beside others that should say the same, or nearly so.

Three comparisons of the release with itself, and one with the Census Bureau:

* a city that is a county of its own has the same figure as that county, metric by metric, or a reason why not;
* from year to year figures move little, and places keep their rank;
* shares and incomes from survey microdata lie within the margins of the Bureau's own published tables.

Nothing is withheld for what is found here; the report is read by people. The pairs are those of `outputs.pairs`, which
the gate compares, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from metrics.predictor import Entry
from outputs.pairs import agrees, side_by_side
from outputs.tables import SideTable
from outputs.write import csv_text
from schemas.labels import ALL

FOLDER: Final = "calibration"
Z95: Final = 1.959964
Z90: Final = 1.645
"""The Census Bureau publishes margins of error at 90 percent."""

SURVEY: Final = 1e-6
OTHERS: Final = 1e-2
"""Relative difference up to which a city and its county agree: from one survey and crosswalk; from anything else."""

WHY: Final[dict[str, str]] = {
    "public_education": "districts are put into cities by the city of their postal address",
    "school_economic_diversity": "schools are put into cities by the city of their postal address",
    "homelessness": "districts are put into cities by the city of their postal address",
    "social_capital": "city figures are added up from ZIP codes, county figures come from the source",
    "financial_security": "the source models city and county figures separately",
    "transportation": "tracts are shared out to cities by people, to counties whole",
    "environment": "tracts are shared out to cities by people, to counties whole",
    "economic_inclusion": "tracts are shared out to cities by people, to counties whole",
    "racial_diversity": "tracts are shared out to cities by people, to counties whole",
    "political_participation": "city votes are added up from precincts, county votes are official returns",
    "crime": "county figures count agencies of the county that serve no city",
    "policing": "county figures count agencies of the county that serve no city",
    "housing_affordability": "income limits of a city are those of its counties weighted by people",
    "descriptive_representation": "the survey's tables give city and county separately",
}
"""Predictor -> why a city and the county that is the same area may differ."""

COMPARED: Final[dict[str, str]] = {
    "share_employed": "S2301, employment/population ratio, ages 25 to 54 put together from its age rows",
    "pctl_income_20": "B19080, upper limit of the lowest fifth",
    "pctl_income_50": "B19013, median household income",
    "pctl_income_80": "B19080, upper limit of the fourth fifth",
    "share_in_preschool": "B14003, ages 3 and 4 enrolled",
    "share_digital_access": "S2801, households with broadband by cable, fiber or DSL, with a computer or without",
}
"""Metric -> the Census Bureau's published figure it is compared with."""

PUBLISHED: Final[dict[str, type[pl.DataType]]] = {
    "year": pl.Int32,
    "level": pl.String,
    "state": pl.String,
    "geo": pl.String,
    "metric": pl.String,
    "sample": pl.String,
    "published": pl.Float64,
    "published_moe": pl.Float64,
}
"""Columns of the Bureau's figures; `published_moe` is the margin of error at 90 percent, null where none is given."""


_KEYS: Final = {
    "predictor": "Predictor the metric belongs to.",
    "metric": "Published column name.",
    "sample": "Source sample of our figure.",
    "level": "county or place.",
    "year": "Data year.",
}
MEANING: Final[dict[str, dict[str, str]]] = {
    "coterminous": {
        **{c: _KEYS[c] for c in ("predictor", "metric", "sample", "year")},
        "subgroup": "Group of people; All for everyone.",
        "name": "The city that is a county of its own, and its state.",
        "county_value": "The figure in the county files.",
        "place_value": "The figure in the city files.",
        "difference": "City figure less county figure; missing where one of them is.",
        "relative": "The difference as a part of the county's figure.",
        "agrees": "Whether they agree: to a millionth for figures from the survey, to a hundredth for others.",
        "reason": "Why they differ, or which of the two is missing and why; missing where they agree.",
    },
    "drift": {
        **{c: _KEYS[c] for c in ("metric", "level", "sample")},
        "from_year": "A year with figures.",
        "to_year": "The next year with figures.",
        "areas": "Counties or cities with a figure in both years.",
        "median_change": "Change of the area in the middle, as a part of its earlier figure.",
        "median_absolute_change": "The same, up or down counted alike.",
        "largest_change": "The largest change up or down, as a part of the earlier figure.",
        "rank_correlation": "Whether areas kept their order: 1 if all did; missing below three areas.",
    },
    "published": {
        "year": _KEYS["year"],
        "level": _KEYS["level"],
        "state": "State FIPS code, 2 digits.",
        "geo": "County (3 digits) or place (5 digits) code within the state.",
        "metric": _KEYS["metric"],
        "sample": _KEYS["sample"],
        "published": "The Census Bureau's published figure.",
        "published_moe": "Its margin of error at 90 percent; missing where none is given.",
        "value": "Our figure.",
        "lb": "Lower bound of our figure.",
        "ub": "Upper bound of our figure.",
        "n_areas": "Number of counties or cities that share our figure.",
        "difference": "Our figure less the published one.",
        "overlap": "Whether the two intervals at 95 percent overlap; missing where one has no interval.",
        "alone": "Whether our figure is of this area alone; one shared with neighbors describes them as well.",
    },
}
"""Table -> column -> what it holds."""

TITLES: Final[dict[str, str]] = {
    "coterminous": "Cities that are a county of their own, beside that county",
    "drift": "Figures from year to year",
    "published": "Survey figures beside the Census Bureau's published tables",
}

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "coterminous": ("metric", "sample", "year", "subgroup", "name"),
    "drift": ("metric", "level", "sample", "from_year"),
    "published": ("year", "level", "state", "geo", "metric", "sample"),
}
"""Table -> the columns that identify a row."""


@dataclass(frozen=True)
class Calibration:
    """The four tables of the report, and what could not be compared."""

    pairs: pl.DataFrame
    drift: pl.DataFrame
    published: pl.DataFrame
    owed: tuple[str, ...]


def coterminous(long: pl.LazyFrame, entries: Mapping[str, Entry]) -> pl.DataFrame:
    """Every metric, year and subgroup that city and county of a pair both have, and how far they are apart.

    Columns: predictor, metric, sample, year, subgroup, name, county_value, place_value, difference (place less county),
    relative (to the county's figure), agrees, reason (of a difference; missing where they agree). A pair of which
    one side is missing is listed with a null difference.
    """
    predictor_of = {m.column: key for key, entry in entries.items() for m in entry.predictor.metrics}
    survey = {m.column for e in entries.values() for m in e.predictor.metrics if _is_survey(e)}
    limit = pl.when(pl.col("metric").is_in(list(survey))).then(SURVEY).otherwise(OTHERS)
    both = side_by_side(long).with_columns(agrees=agrees(limit))
    predictor = pl.col("metric").replace_strict(predictor_of, default=None, return_dtype=pl.String)
    one_side = pl.when(pl.col("place_value").is_null()).then(
        pl.format("no city figure: {}", pl.col("place_reason").fill_null("not said"))
    ).when(pl.col("county_value").is_null()).then(
        pl.format("no county figure: {}", pl.col("county_reason").fill_null("not said"))
    )  # fmt: skip
    why = predictor.replace_strict(WHY, default="none is known", return_dtype=pl.String)
    return both.select(
        predictor.alias("predictor"),
        *("metric", "sample", "year", "subgroup", "name", "county_value", "place_value"),
        *("difference", "relative", "agrees"),
        pl.coalesce(one_side, pl.when(~pl.col("agrees").fill_null(False)).then(why), pl.lit(None, pl.String)).alias(
            "reason"
        ),
    ).sort("predictor", "metric", "sample", "year", "subgroup", "name")


def _is_survey(entry: Entry) -> bool:
    return all(s.sample in ("acs1", "acs5") for s in entry.predictor.series)


def drift(long: pl.LazyFrame) -> pl.DataFrame:
    """How overall figures moved from one year with figures to the next, and whether places kept their rank.

    Columns: metric, level, sample, from_year, to_year, areas (with both figures), median_change, median_absolute_change
    and largest_change (all relative to the earlier figure), rank_correlation (Spearman; null below 3 areas).
    """
    cell = ["metric", "level", "sample"]
    values = (
        long.filter((pl.col("subgroup") == ALL) & pl.col("value").is_not_null())
        .select(*cell, "year", pl.concat_str("state", "geo").alias("geoid"), "value")
        .collect(engine="streaming")
    )
    years = values.select(*cell, "year").unique().sort(*cell, "year")
    steps = years.with_columns(to_year=pl.col("year").shift(-1).over(cell)).drop_nulls("to_year")
    later = values.rename({"year": "to_year", "value": "later"})
    both = steps.join(values, on=[*cell, "year"], how="inner").join(later, on=[*cell, "to_year", "geoid"], how="inner")
    change = pl.when(pl.col("value") != 0).then((pl.col("later") - pl.col("value")) / pl.col("value").abs())
    rank = pl.when(pl.len() > 2).then(pl.corr("value", "later", method="spearman"))
    return (
        both.with_columns(change=change)
        .group_by(*cell, pl.col("year").alias("from_year"), "to_year")
        .agg(
            pl.len().cast(pl.Int64).alias("areas"),
            pl.col("change").median().alias("median_change"),
            pl.col("change").abs().median().alias("median_absolute_change"),
            pl.col("change").abs().max().alias("largest_change"),
            rank.fill_nan(None).alias("rank_correlation"),
        )
        .sort(*cell, "from_year")
    )


def beside_published(long: pl.LazyFrame, published: pl.DataFrame) -> pl.DataFrame:
    """Our overall survey figures beside the Bureau's, and whether the two 95 % intervals overlap.

    Columns: those of `PUBLISHED`, then value, lb, ub, n_areas, difference, overlap (null where one side has no
    interval), alone (whether our figure is of this area alone; one shared with neighbors describes them as well).
    """
    key = ["year", "level", "state", "geo", "metric", "sample"]
    ours = (
        long.filter(
            (pl.col("subgroup") == ALL) & pl.col("metric").is_in(list(COMPARED)) & pl.col("value").is_not_null()
        )
        .select(*(pl.col(c).cast(PUBLISHED[c]) for c in key), "value", "lb", "ub", "n_areas")
        .collect(engine="streaming")
    )
    half = pl.col("published_moe") / Z90 * Z95
    apart = (pl.col("published") - half > pl.col("ub")) | (pl.col("published") + half < pl.col("lb"))
    known = pl.all_horizontal(pl.col(c).is_not_null() for c in ("lb", "ub", "published_moe"))
    return (
        published.select(pl.col(c).cast(t) for c, t in PUBLISHED.items())
        .join(ours, on=key, how="inner", validate="1:1")
        .with_columns(
            difference=pl.col("value") - pl.col("published"),
            overlap=pl.when(known).then(~apart),
            alone=pl.col("n_areas") == 1,
        )
        .sort(key)
    )


def calibrate(long: pl.LazyFrame, entries: Mapping[str, Entry], published: pl.DataFrame | None) -> Calibration:
    """All comparisons. `published` are the Bureau's figures (columns `PUBLISHED`), None if they are owed."""
    tables = pl.DataFrame(schema=PUBLISHED) if published is None else published
    here = set(long.select("metric").unique().collect(engine="streaming")["metric"])
    at_hand = set(tables["metric"])
    owed = tuple(f"{m}: {what}" for m, what in COMPARED.items() if m in here and m not in at_hand)
    return Calibration(coterminous(long, entries), drift(long), beside_published(long, tables), owed)


def as_markdown(found: Calibration, notice: str = "") -> str:
    """The report for readers: what agrees, what does not, and what could not be compared."""
    lines = ["# Calibration", ""]
    if notice:
        lines += [notice, ""]
    lines += [
        "Figures of this release beside others that should say the same, or nearly so. Nothing was withheld "
        "for what is found here. The tables `coterminous.csv`, `drift.csv` and `published.csv` beside this page "
        "have every row.",
        "",
        "## Cities that are a county of their own",
        "",
    ]
    lines += _pairs_table(found.pairs)
    lines += ["", "## From year to year", ""]
    lines += _drift_table(found.drift)
    lines += ["", "## Beside the Census Bureau's published tables", ""]
    lines += _published_table(found.published)
    if found.owed:
        lines += ["", "Owed (no table at hand to compare with):", ""]
        lines += [f"* `{what.partition(': ')[0]}`: {what.partition(': ')[2]}" for what in found.owed]
    for table, meanings in MEANING.items():
        lines += ["", f"## Columns of {table}.csv", "", "| column | what it holds |", "|---|---|"]
        lines += [f"| `{column}` | {meaning} |" for column, meaning in meanings.items()]
    return "\n".join(lines) + "\n"


def _pairs_table(pairs: pl.DataFrame) -> list[str]:
    if pairs.is_empty():
        return ["No pair of this release has figures."]
    summary = (
        pairs.group_by("predictor", "metric")
        .agg(
            compared=pl.col("agrees").count(),
            agree=pl.col("agrees").sum(),
            one_side=pl.col("agrees").null_count(),
            largest=pl.col("relative").abs().max(),
            reason=pl.col("reason").filter(~pl.col("agrees")).drop_nulls().first(),
        )
        .sort("predictor", "metric")
    )
    return [
        "| metric | compared | agree | one side missing | largest difference | why they differ |",
        "|---|---:|---:|---:|---:|---|",
        *(
            f"| `{metric}` | {compared} | {agree} | {one_side} | {_percent(largest)} | {reason or ''} |"
            for _, metric, compared, agree, one_side, largest, reason in summary.iter_rows()
        ),
    ]


def _drift_table(moved: pl.DataFrame) -> list[str]:
    if moved.is_empty():
        return ["No metric of this release has two years."]
    return [
        "| metric | level | years | areas | median change | median absolute change | rank correlation |",
        "|---|---|---|---:|---:|---:|---:|",
        *(
            f"| `{r['metric']}` ({r['sample']}) | {r['level']} | {r['from_year']}-{r['to_year']} | {r['areas']:,} "
            f"| {_percent(r['median_change'])} | {_percent(r['median_absolute_change'])} "
            f"| {'' if r['rank_correlation'] is None else format(r['rank_correlation'], '.3f')} |"
            for r in moved.iter_rows(named=True)
        ),
    ]


def _published_table(rows: pl.DataFrame) -> list[str]:
    if rows.is_empty():
        return ["No published table is at hand."]
    summary = (
        rows.group_by("metric", "sample", "year", "level", "alone")
        .agg(areas=pl.len(), known=pl.col("overlap").count(), overlap=pl.col("overlap").sum(),
             median=pl.col("difference").median())
        .sort("metric", "sample", "year", "level", "alone")
    )  # fmt: skip
    return [
        "| metric | year | level | of this area alone | areas | intervals overlap | median difference |",
        "|---|---|---|---|---:|---:|---:|",
        *(
            f"| `{metric}` ({sample}) | {year} | {level} | {'yes' if alone else 'no'} | {areas} | {overlap} of {known} "
            f"| {median:.4g} |"
            for metric, sample, year, level, alone, areas, known, overlap, median in summary.iter_rows()
        ),
    ]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def report(
    entries: Mapping[str, Entry], published: pl.DataFrame | None, *, notice: str = ""
) -> Callable[[Path], Sequence[SideTable]]:
    """An addition to a release (see `outputs.release.publish`, `extras`): writes `calibration/` into its folder."""

    def write(folder: Path) -> list[SideTable]:
        found = calibrate(pl.scan_parquet(folder / "estimates.parquet"), entries, published)
        (folder / FOLDER).mkdir()
        (folder / FOLDER / "calibration.md").write_text(as_markdown(found, notice), encoding="utf-8")
        tables = []
        for name, frame in (("coterminous", found.pairs), ("drift", found.drift), ("published", found.published)):
            path = f"{FOLDER}/{name}.csv"
            (folder / path).write_bytes(csv_text(frame))
            types = {column: dtype.base_type() for column, dtype in frame.schema.items()}
            table = SideTable(f"calibration_{name}", TITLES[name], types, MEANING[name], (path,), KEYS[name])
            tables.append(table)
        return tables

    return write
