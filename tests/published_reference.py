"""The reference's per-metric files as estimates, and the declarations that its published files imply.

For the assembly parity test: what the reference's own assembly reads (fixtures `published_files/raw`), turned into rows
of the shape `Estimate`, so that our assembly can be held against the reference's published files.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import polars as pl

from metrics.predictor import Entry, Interval, Metric, Predictor, Series
from schemas.estimate import ESTIMATE, empty
from schemas.labels import (
    DISABILITY,
    DISADVANTAGE,
    GENDER,
    GEO_WIDTH,
    HOUSEHOLD_INCOME,
    HOUSEHOLDER_AGE,
    INDUSTRY,
    JUVENILE_AGE,
    LEVELS,
    MOTHERS_EDUCATION,
    POVERTY,
    RACE_ETHNICITY,
    RACE_SHARE,
    TENURE,
    Level,
)

ACS1 = (2014, 2015, 2016, 2017, 2018, 2019, 2021, 2022, 2023)
ACS5 = (2014, 2016, 2018, 2021, 2023)
NIBRS = (2021, 2022, 2023)
SPANS = {
    "homeless": (2014, 2018),
    "homeless by race": (2019, 2022),
    "physicians": (2014, 2021),
    "births": (2016, 2023),
    "injuries": (2014, 2020),
    "associations": (2014, 2022),
    "learning": (2014, 2018),
    "meps": (2014, 2021),
}
COUNTY: tuple[Level, ...] = ("county",)
PLACE: tuple[Level, ...] = ("place",)
OTHER, HISPANIC = "Other Races and Ethnicities", "Hispanic"
RACE_4 = {"race-ethnicity": RACE_ETHNICITY}
HOUSE_VALUE = "{numerator:.3f}:{denominator:.3f}"


def _metrics(names: str, interval: Interval = "none", **rest) -> tuple[Metric, ...]:
    return tuple(Metric(name, name, "as published", interval=interval, **rest) for name in names.split())


def _series(
    sample: str,
    years: tuple[int, ...],
    levels: tuple[Level, ...] = LEVELS,
    subgroups: dict[str, tuple[str, ...]] | None = None,
    *,
    overall: bool = True,
    metrics: tuple[str, ...] = (),
) -> Series:
    return Series(sample, years, (), levels, subgroups or {}, overall, metrics)


def _acs(**groups: tuple[str, ...]) -> tuple[Series, Series]:
    """1-year figures for everyone, 5-year figures with subgroups."""
    subgroups = {kind.replace("_", "-"): labels for kind, labels in groups.items()}
    return (_series("acs1", ACS1), _series("acs5", ACS5, subgroups=subgroups, overall=False))


def declared() -> dict[str, Entry]:
    """The 24 predictors as the published files show them: metrics, years, levels, subgroups (published_files.md, 4)."""
    three_races = tuple(race for race in RACE_ETHNICITY if race != OTHER)
    learning = {"race-ethnicity": three_races, "income": DISADVANTAGE, "gender": GENDER}
    poverty = {"race-ethnicity": ("Black", "White, Non-Hispanic", OTHER, HISPANIC)}
    arrests = {"race-ethnicity": ("Black", "White", OTHER, HISPANIC), "age": JUVENILE_AGE, "gender": GENDER}
    color_white = {"race-share": RACE_SHARE[:2]}
    medical = ("share_medical_debt_coll",)
    share = ("share_debt_coll",)
    exposure = "share_black_nh_exposure share_hispanic_exposure share_other_nh_exposure share_white_nh_exposure"
    groups = ("other", "black_nonhispanic", "hispanic", "white_nonhispanic")
    representation = " ".join(f"share_desc_rep_{group}" for group in groups)
    associations = ("count_membership_associations_per_10k",)
    connected = ("share_economic_connectedness",)
    house = " ".join(f"ratio_{g}_house_value_households" for g in ("black_nh", "hispanic", "other_nh", "white_nh"))
    housing = " ".join(f"share_affordable{kind}_{band}_ami" for kind in ("", "_available") for band in (30, 50, 80))
    years = {name: tuple(range(first, last + 1)) for name, (first, last) in SPANS.items()}
    debt_years = (2018, 2022, 2023)
    predictors: dict[str, tuple[tuple[Metric, ...], tuple[Series, ...]]] = {
        "income": (
            _metrics("pctl_income_20 pctl_income_50 pctl_income_80", "sampling"),
            _acs(race_ethnicity=RACE_ETHNICITY),
        ),
        "financial_security": (
            _metrics("share_debt_coll", "sampling") + _metrics("share_medical_debt_coll"),
            (
                _series("debt_in_america", debt_years, COUNTY, metrics=share),
                _series("debt_in_america", (2023,), COUNTY, metrics=medical),
                _series("debt_in_america", (2021,), PLACE, metrics=share),
                # The reference's race-share file blanks qualities that its overall file keeps (see GROUP_SAMPLE).
                _series(GROUP_SAMPLE, debt_years, COUNTY, color_white, overall=False, metrics=share),
                _series(GROUP_SAMPLE, (2023,), COUNTY, color_white, overall=False, metrics=medical),
                _series(GROUP_SAMPLE, (2021,), PLACE, color_white, overall=False, metrics=share),
            ),
        ),
        "housing_wealth": (
            _metrics(house, text_format=HOUSE_VALUE),
            (_series("acs1", ACS1, subgroups={"age": HOUSEHOLDER_AGE}),),
        ),
        "homelessness": (
            _metrics("count_homeless", "suppression") + _metrics("share_homeless"),
            (_series("edfacts", years["homeless"]), _series("edfacts", years["homeless by race"], subgroups=RACE_4)),
        ),
        "housing_affordability": (_metrics(housing), (_series("acs1", ACS1, subgroups={"tenure": TENURE}),)),
        "health_access": (
            _metrics("ratio_population_pc_physician"),
            (_series("ahrf", years["physicians"], COUNTY),),
        ),
        "neonatal_health": (
            _metrics("share_low_birth_weight", "sampling"),
            (_series("wonder", years["births"], COUNTY, {**RACE_4, "mothers-education": MOTHERS_EDUCATION}),),
        ),
        "trauma": (
            _metrics("rate_injury_death", "sampling"),
            (_series("wonder", years["injuries"], COUNTY), _series("wonder", NIBRS, COUNTY, RACE_4)),
        ),
        "descriptive_representation": (_metrics(representation), (_series("acs5_tables", ACS5),)),
        "political_participation": (_metrics("share_election_turnout"), (_series("elections", (2016, 2020)),)),
        "racial_diversity": (_metrics(exposure), (_series("acs5_tables", ACS5[1:]),)),
        "economic_inclusion": (
            _metrics("share_poverty_exposure"),
            (_series("acs5_tables", ACS5, subgroups=poverty),),
        ),
        "social_capital": (
            _metrics(associations[0]) + _metrics(connected[0], "sampling"),
            (
                _series("cbp", years["associations"], metrics=associations),
                _series("social_capital_atlas", (2022,), metrics=connected),
            ),
        ),
        "transportation": (
            _metrics("share_transit_commuter share_transportation_cost"),
            (
                _series("cnt_ht", (2015, 2019, 2022)),
                # Houston's `All` differs between the reference's two files (see GROUP_SAMPLE).
                _series(GROUP_SAMPLE, (2015, 2019, 2022), subgroups={"race-share": RACE_SHARE}, overall=False),
            ),
        ),
        "environment": (
            _metrics("index_air_hazard"),
            (_series("airtoxscreen", (2014, 2018, 2019), subgroups={"race-share": RACE_SHARE, "income": POVERTY}),),
        ),
        "crime": (_metrics("rate_crime_violent rate_crime_property"), (_series("nibrs", NIBRS),)),
        "policing": (_metrics("rate_juv_arrest"), (_series("nibrs", NIBRS, subgroups=arrests),)),
        "preschool": (
            _metrics("share_in_preschool", "sampling"),
            (_series("acs5", ACS5, subgroups={**RACE_4, "income": HOUSEHOLD_INCOME}),),
        ),
        "public_education": (
            _metrics("rate_learning", "sampling", minimum=None),
            (_series("seda", years["learning"], subgroups=learning),),
        ),
        "school_economic_diversity": (
            _metrics("share_meps20_black share_meps20_hispanic share_meps20_white"),
            (_series("meps_ccd", years["meps"]),),
        ),
        "college": (
            _metrics("share_hs_degree", "sampling"),
            (_series("acs5", ACS5, subgroups={**RACE_4, "gender": GENDER, "disability": DISABILITY}),),
        ),
        "digital_access": (
            _metrics("share_digital_access"),
            (_series("acs5", (2018, 2021, 2023), subgroups={**RACE_4, "income": HOUSEHOLD_INCOME}),),
        ),
        "employment": (
            _metrics("share_employed", "sampling"),
            _acs(race_ethnicity=RACE_ETHNICITY, gender=GENDER, disability=DISABILITY),
        ),
        "living_wage": (
            _metrics("ratio_living_wage"),
            (_series("qcew_annual", (2014, 2018, 2021, 2022, 2023), COUNTY, {"industry": INDUSTRY}),),
        ),
    }
    return {
        key: Entry(Predictor(key, key, "rewarding_work", "", metrics, series, (), ""), empty, None)
        for key, (metrics, series) in predictors.items()
    }


GROUP_SAMPLE = "seda"
"""Stands for "the same source, as the reference's group file has it", where the two files of the reference differ."""


@dataclass(frozen=True)
class MetricFile:
    """One per-metric file: level, the sample its rows stand for, and the subgroup type of its rows beside `All`."""

    path: str
    level: Level
    sample: str
    kinds: dict[str, str] = field(default_factory=dict)


RENAMED = {
    "learning_rate": "rate_learning",
    "rate_low_birth_weight": "share_low_birth_weight",
    "election_turnout": "share_election_turnout",
}
RELABELED = {
    "Majority White": "White neighborhoods",
    "Majority White, Non-Hispanic": "White neighborhoods",
    "Majority Non-White": "Neighborhoods of color",
    "No Majority Race/Ethnicity": "Mixed neighborhoods",
    "Mixed Race and Ethnicity Tracts": "Mixed neighborhoods",
}
RETYPED = {"race_ethnicity": "race-ethnicity", "poverty": "income"}
SHARE = {"race-ethnicity": "race-share"}
NO_GROUPS = {"race-ethnicity": "drop"}

FOLDERS = {
    "debt": "01_financial-well-being",
    "money": "01_financial-well-being/final",
    "housing": "02_housing/data/final",
    "births": "04_health/neonatal-health/data/final",
    "doctors": "04_health/access-health-services/final",
    "injuries": "04_health/exposure-to-trauma/data/final",
    "officials": "05_local-governance/descriptive-representation/data/final",
    "turnout": "05_local-governance/voter-turnout",
    "transport": "06_neighborhoods/Transportation/final",
    "air": "06_neighborhoods/environment/data/final",
    "poverty": "06_neighborhoods/poverty-exposure/final",
    "race": "06_neighborhoods/race-ethnicity-exposure",
    "social": "06_neighborhoods/social-capital/final",
    "safety": "07_safety/final",
    "seda": "08_education/data/built",
    "school": "08_education/data/final",
    "work": "09_employment/data/final",
}
ALL_YEARS = "2014_2015_2016_2017_2018_2019_2021_2022_2023"

# folder, file (without .csv.gz; "county|city" stands for one file per level), sample, types of the groups
TABLE: list[tuple[str, str, str, dict[str, str]]] = [
    ("debt", "share_debt_2018 county", "debt_in_america", {}),
    ("debt", "county-debt-coll-shares-2022", "debt_in_america", NO_GROUPS),
    ("debt", "city-debt-coll-shares-2021", "debt_in_america", NO_GROUPS),
    ("money", "metrics_overall_debt_coll_all_county_2023", "debt_in_america", {}),
    ("money", "metrics_medical_debt_coll_all_county_2023", "debt_in_america", {}),
    ("debt", "share_debt_2018_long county", "GROUP", SHARE),
    ("debt", "county-debt-coll-shares-2022", "GROUP", SHARE),
    ("debt", "city-debt-coll-shares-2021", "GROUP", SHARE),
    ("money", "metrics_overall_debt_coll_race_ethnicity_county_2023", "GROUP", SHARE),
    ("money", "metrics_medical_debt_coll_race_ethnicity_county_2023", "GROUP", SHARE),
    ("money", "metrics_income_county|place_all_longitudinal", "acs1", {}),
    ("money", "metrics_income_place_race-ethnicity_longitudinal", "acs5", {}),
    ("money", "households_house_value_race_ethnicity_all_county|city", "acs1", {}),
    ("money", "households_house_value_race_ethnicity_subgroup_city", "acs1", {}),
    ("housing", "homelessness_2014-2018_county|city", "edfacts", {}),
    ("housing", "homelessness_2019-2022_county|city", "edfacts", {}),
    ("housing", "homelessness_2019-2022_subgroups_city", "edfacts", {}),
    ("housing", f"housing_county|place_{ALL_YEARS}", "acs1", {}),
    ("housing", f"housing_place_{ALL_YEARS}_subgroups", "acs1", {}),
    ("births", "rate_low_birth_weight_metric_all_county", "wonder", {}),
    ("doctors", "ratio_pop_pcp_metric_all_county", "ahrf", {}),
    ("injuries", "rate_injury_deaths_metric_all_county", "wonder", {}),
    ("officials", "descriptive_rep_denominator_county|city_all", "acs5_tables", {}),
    ("turnout", "voter-turnout-2016 county", "elections", {}),
    ("turnout", "voter-turnout-2020 county", "elections", {}),
    ("turnout", "data/final/voter-turnout-city-2016", "elections", {}),
    ("turnout", "voter-turnout-city-2020", "elections", {}),
    ("transport", "transportation_all_county|city", "cnt_ht", {}),
    ("transport", "transportation_subgroup_county|city", "GROUP", SHARE),
    ("air", "environment_county|place_longitudinal", "airtoxscreen", {}),
    ("air", "environment_county|place_race-ethnicity_longitudinal", "airtoxscreen", SHARE),
    ("air", "environment_place_poverty_longitudinal", "airtoxscreen", {}),
    ("poverty", "poverty-exposure_county|city", "acs5_tables", {}),
    ("poverty", "poverty-exposure_race-ethnicity_city", "acs5_tables", {}),
    ("race", "final/race-ethnicity-exposure-county", "acs5_tables", {}),
    # The reference's city file takes the older of its two versions (published_files.md, section 10).
    ("race", "race-ethnicity-exposure-city", "acs5_tables", {}),
    ("social", "economic_connectedness_version2025_county|place_2022", "social_capital_atlas", {}),
    ("social", "social_associations_all_county|city", "cbp", {}),
    ("safety", "rate_arrests_county|place_all", "nibrs", {}),
    ("safety", "rate_arrests_place_all_subgroup", "nibrs", {}),
    ("safety", "rates_crime_county|place_all", "nibrs", {}),
    ("seda", "SEDA_all_county|city_2014-2018", "seda", {}),
    ("seda", "SEDA_all_subgroups_city_2014-2018", "seda", {}),
    ("school", "digital_access_county|place_all_longitudinal", "acs5", {}),
    ("school", "digital_access_place_income_longitudinal", "acs5", {}),
    ("school", "digital_access_place_race_ethnicity_longitudinal", "acs5", {}),
    ("school", "meps_county|city_2014-2021", "meps_ccd", {}),
    ("school", "metrics_college_county|place_all_longitudinal", "acs5", {}),
    ("school", "metrics_college_county|place_disability_longitudinal", "acs5", {}),
    ("school", "metrics_college_place_gender_longitudinal", "acs5", {}),
    ("school", "metrics_college_place_race-ethnicity_longitudinal", "acs5", {}),
    ("school", "metrics_preschool_county|place_all_longitudinal_all", "acs5", {}),
    ("school", "metrics_preschool_place_income_longitudinal", "acs5", {}),
    ("school", "metrics_preschool_place_race-ethnicity_longitudinal", "acs5", {}),
    ("work", "living_wage_county_all_longitudinal", "qcew_annual", {}),
    ("work", "metrics_employment_county|place_all_longitudinal", "acs1", {}),
    ("work", "metrics_employment_county|place_disability_longitudinal", "acs5", {}),
    ("work", "metrics_employment_place_gender_longitudinal", "acs5", {}),
    ("work", "metrics_employment_place_race-ethnicity_longitudinal", "acs5", {}),
]


def metric_files() -> list[MetricFile]:
    """All per-metric files at hand; the largest county group files are not."""
    files = []
    for folder, pattern, sample, kinds in TABLE:
        name, _, said = pattern.partition(" ")
        both = re.search(r"county\|(city|place)", name)
        names = [name.replace(both[0], word) for word in both[0].split("|")] if both else [name]
        for one in names:
            level: Level = "county" if "county" in one or said == "county" else "place"
            path = f"{FOLDERS[folder]}/{one}.csv.gz"
            files.append(MetricFile(path, level, GROUP_SAMPLE if sample == "GROUP" else sample, kinds))
    return files


def _parts(columns: list[str], metric: str) -> dict[str, str]:
    named = {"value": metric, "lb": f"{metric}_lb", "ub": f"{metric}_ub", "quality": f"{metric}_quality"}
    return {part: name for part, name in named.items() if name in columns}


def estimates_of(file: MetricFile, raw: Path, metrics: dict[str, Metric]) -> pl.DataFrame:
    """The rows of one per-metric file as estimates, with the fixes that the reference applies at assembly."""
    text = pl.read_csv(raw / file.path, infer_schema=False, null_values=["NA", ""])
    for old, new in {**RENAMED, "place_fips": "place"}.items():
        text = text.rename({c: c.replace(old, new) for c in text.columns if c.startswith(old)})
    if "subgroup" not in text.columns:
        text = text.with_columns(subgroup=pl.lit("All"), subgroup_type=pl.lit("all"))
    everyone = pl.col("subgroup") == "All"
    text = (
        text.filter(pl.col("subgroup").is_not_null())
        .with_columns(
            pl.lit(file.level).alias("level"),
            pl.lit(file.sample).alias("sample"),
            pl.col("year").cast(pl.Int32),
            pl.col("state").str.zfill(2),
            pl.col(file.level).str.zfill(GEO_WIDTH[file.level]).alias("geo"),
            pl.col("subgroup").replace(RELABELED),
            pl.col("subgroup_type").replace(RETYPED).replace(file.kinds),
        )
        .with_columns(pl.when(everyone).then(pl.lit("all")).otherwise("subgroup_type").alias("subgroup_type"))
        .filter(pl.col("subgroup_type") != "drop")
    )
    key = ["year", "level", "state", "geo", "subgroup_type", "subgroup", "sample"]
    rows = []
    for name, metric in metrics.items():
        parts = _parts(text.columns, name)
        if parts:
            part = text.select(*key, pl.lit(name).alias("metric"), *(pl.col(c).alias(p) for p, c in parts.items()))
            rows.append(_typed(_split_text(part) if metric.text_format else part))
    frame = pl.concat(rows)
    if (file.level, file.sample) == ("county", GROUP_SAMPLE):
        # Its race-share file for counties blanks the quality of a missing share of debt; the others do not.
        blank = (pl.col("metric") == "share_debt_coll") & pl.col("value").is_null()
        frame = frame.with_columns(pl.when(~blank).then("quality").alias("quality"))
    return frame


def _split_text(part: pl.DataFrame) -> pl.DataFrame:
    """`0.119:0.246` as numerator and denominator; the value only says that there is one."""
    pair = pl.col("value").str.split_exact(":", 1)
    numbers = [pair.struct.field(f"field_{i}").cast(pl.Float64) for i in range(2)]
    part = part.with_columns(numbers[0].alias("numerator"), numbers[1].alias("denominator"))
    return part.with_columns(pl.col("numerator").alias("value"))


def _typed(part: pl.DataFrame) -> pl.DataFrame:
    there = part.columns
    return part.select((pl.col(c) if c in there else pl.lit(None).alias(c)).cast(t) for c, t in ESTIMATE.items())


@cache
def all_estimates(raw: Path) -> pl.DataFrame:
    """All per-metric files at hand as one frame of estimates; a row that two files share stands once."""
    metrics = {m.column: m for entry in declared().values() for m in entry.predictor.metrics}
    return pl.concat([estimates_of(file, raw, metrics) for file in metric_files()]).unique(maintain_order=True)


@cache
def spines(raw: Path) -> dict[int, pl.DataFrame]:
    """The reference's universe per year; names as its own reader reads them (blanks stripped, bad bytes replaced)."""
    parts = []
    for level, name in (("county", "county-populations"), ("place", "place-populations")):
        data = gzip.decompress((raw / f"geographic-crosswalks/data/{name}.csv.gz").read_bytes())
        text = pl.read_csv(data.decode("utf-8", "replace").encode(), infer_schema=False, null_values=["NA", ""])
        parts.append(
            text.select(
                pl.col("year").cast(pl.Int32),
                pl.lit(level).alias("level"),
                "state",
                pl.col(level).alias("geo"),
                pl.col(f"{level}_name").str.strip_chars().alias("name"),
                pl.col("state_name").str.strip_chars(),
                pl.col("population").cast(pl.Int64),
            )
        )
    frame = pl.concat(parts)
    return {int(key[0]): part.drop("year") for key, part in frame.partition_by("year", as_dict=True).items()}
