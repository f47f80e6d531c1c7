"""FBI National Incident-Based Reporting System: offenses, arrests and agencies, as concatenated by Jacob Kaplan.

Each segment is one R file a year with a row per offense or arrest (several million); the batch header lists the
agencies of all years. Only the counts that the predictors need are kept: per agency and kind of offense, per agency and
age, sex, race and ethnicity of juveniles. Method files crime.md and policing.md, section 3 and 4.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.justice import (
    ETHNICITIES,
    FAMILIES,
    FONDLING,
    JUVENILE,
    PERSONS,
    PROPERTY,
    RACES,
    SEXES,
    SOCIETY_IN_FAMILIES,
    AgenciesModel,
    ArrestsModel,
    OffensesModel,
)
from sources import leaic
from sources.framework import Access, RawFile, Retrieval, Source, SourceFile, Table, Vintage
from sources.framework.rds import as_parquet
from sources.framework.states import STATES, within
from sources.framework.strict import ROW, Raw

YEARS: Final = (2021, 2022, 2023)
HEADER_VINTAGE: Final = "1991-2023"
HEADER: Final = SourceFile("nibrs_batch_header_1991_2023.rds", "rds", accept=("nibrs_batch_header_1991_2024.rds",))
COUNTIES: Final = tuple(f"fips_county_code_{i}" for i in range(1, 6))
MONTHS: Final = "number_of_months_reported"
TERRITORIES: Final = ("guam", "puerto rico", "virgin islands", "american samoa", "canal zone", "mariana islands")


def offense_file(year: int) -> str:
    """The offense segment of Group A incidents."""
    return f"nibrs_offense_segment_{year}.rds"


def arrest_files(year: int) -> tuple[str, str]:
    """The arrests of Group A incidents, and those for the lesser offenses of Group B; no arrest is in both."""
    return f"nibrs_arrestee_segment_{year}.rds", f"nibrs_group_b_arrest_report_segment_{year}.rds"


SOURCE: Final = Source(
    key="nibrs",
    agency="Federal Bureau of Investigation; concatenated by Jacob Kaplan",
    dataset="National Incident-Based Reporting System, segment files 1991-2023",
    citation=(
        "Kaplan, Jacob. Jacob Kaplan's Concatenated Files: National Incident-Based Reporting System (NIBRS) Data, "
        "1991-2023. Harvard Dataverse, doi:10.7910/DVN/TODXCL, doi:10.7910/DVN/HUI9WF, doi:10.7910/DVN/ZULQVE; later "
        "versions at openICPSR, https://doi.org/10.3886/E118281"
    ),
    licence="Licence form of the archive (name, purpose); records of single arrests are not passed on",
    redistribute=False,
    landing_page="https://www.openicpsr.org/openicpsr/project/118281",
    access=Access.PERSON,
    vintages=(
        Vintage(
            HEADER_VINTAGE,
            (HEADER,),
            YEARS,
            note="The batch header lists the agencies of all years (doi:10.7910/DVN/HUI9WF).",
        ),
        *(
            Vintage(
                str(year),
                tuple(SourceFile(name, "rds") for name in (offense_file(year), *arrest_files(year))),
                (year,),
                note=(
                    "Offense segment doi:10.7910/DVN/TODXCL; arrestee and Group B arrest report segments "
                    "doi:10.7910/DVN/ZULQVE or doi:10.7910/DVN/CIQIVF."
                ),
            )
            for year in YEARS
        ),
    ),
    recipe=(
        "Fill in the licence form of the data set on Harvard Dataverse, or sign in at openICPSR (project 118281), take "
        "the R files (.rds) of the segments, unpacked from their zip, and leave their names as they are. All files "
        "must come from the same version of the data set: each version issues all years anew, agencies report late, "
        "and past years change. With a new version take all years again and remove the old files from the store."
    ),
    usual_release="autumn of the next year",
)


def _distinct(file: RawFile, columns: tuple[str, ...], retrieval: Retrieval) -> Raw:
    """The different rows of these columns with the number of records (`records`) and the row where each is met first.

    Rows are numbered from 1 in the order of the data frame.
    """
    scan = as_parquet(file, columns, scratch=retrieval.scratch).with_row_index(ROW, offset=1)
    frame = (
        scan.group_by(columns)
        .agg(pl.len().cast(pl.Int64).alias("records"), pl.col(ROW).min())
        .sort(ROW)
        .collect(engine="streaming")
    )
    return Raw(frame, source=SOURCE.key, file=file.path.name)


def _ori_and_year(raw: Raw, year: int) -> Raw:
    """The agency's identifier in capitals; every record is of the file's year."""
    raw.frame = raw.frame.with_columns(pl.col("ori").str.to_uppercase())
    raw.refuse(pl.col("ori").is_null(), "the agency's identifier is missing", column="ori")
    raw.refuse(
        ~pl.col("ori").str.contains(r"^[A-Z0-9]{9}$"), "an agency's identifier has 9 letters and digits", column="ori"
    )
    raw.refuse(pl.col("year").ne_missing(pl.lit(str(year))), f"the record is not of {year}", column="year")
    return raw


def build_offenses(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `nibrs_offenses`: ori, offense, offenses.

    An unknown offense that is named like one against persons or property is an `InputError`; any other one counts among
    all offenses and is listed in the notes.
    """
    (file,) = retrieval.obtain(SOURCE, str(year), (offense_file(year),))
    raw = _ori_and_year(_distinct(file, ("ori", "year", "ucr_offense_code"), retrieval), year)
    raw.select({"ori": "ori", "ucr_offense_code": "offense", "records": "records"})
    raw.frame = raw.frame.with_columns(pl.col("offense").str.to_lowercase())
    offense = pl.col("offense")
    raw.refuse(offense.is_null() | (offense == ""), "the offense is missing", column="offense")
    known = [*PERSONS, *FONDLING, *PROPERTY, *SOCIETY_IN_FAMILIES]
    of_family = pl.any_horizontal(offense.str.starts_with(family) for family in FAMILIES)
    raw.refuse(of_family & ~offense.is_in(known), "unknown offense against persons or property", column="offense")
    table = raw.done().group_by("ori", "offense").agg(pl.col("records").sum().alias("offenses")).sort("ori", "offense")
    others = table.filter(~offense.is_in(known)).group_by("offense").agg(pl.col("offenses").sum()).sort("offense")
    retrieval.notes[f"nibrs offenses {year}"] = {
        "records": int(table["offenses"].sum()),
        "agencies": table["ori"].n_unique(),
        "against persons": int(table.filter(offense.is_in(PERSONS))["offenses"].sum()),
        "fondling, not counted": int(table.filter(offense.is_in(FONDLING))["offenses"].sum()),
        "against property": int(table.filter(offense.is_in(PROPERTY))["offenses"].sum()),
        "other offenses, counted only for reporting": dict(others.iter_rows()),
    }
    return table


def build_arrests(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `nibrs_arrests`: ori, age, sex, race, ethnicity, arrests; both segments together.

    Ages given in words ("unknown", "over 98 years old") are no juveniles, counted in the notes by word. For juveniles
    an unknown word for sex, race or ethnicity is an `InputError`.
    """
    traits = ("age_of_arrestee", "sex_of_arrestee", "race_of_arrestee", "ethnicity_of_arrestee")
    parts = []
    for file in retrieval.obtain(SOURCE, str(year), arrest_files(year)):
        raw = _ori_and_year(_distinct(file, ("ori", "year", *traits), retrieval), year)
        raw.select({"ori": "ori", **{t: t.removesuffix("_of_arrestee") for t in traits}, "records": "arrests"})
        raw.frame = raw.frame.with_columns(pl.col("sex", "race", "ethnicity").str.to_lowercase())
        in_words = pl.col("age").str.contains(r"[A-Za-z]")
        words = raw.frame.filter(in_words).group_by("age").agg(pl.col("arrests").sum()).sort("age")
        raw.frame = raw.frame.with_columns(pl.when(~in_words).then(pl.col("age")).alias("age"))
        raw.number("age", pl.Int16, minimum=0, maximum=99)
        juvenile = pl.col("age").is_between(*JUVENILE)
        for column, known in (("sex", SEXES), ("race", RACES), ("ethnicity", ETHNICITIES)):
            raw.refuse(juvenile & ~pl.col(column).is_in(known), f"unknown {column} of a juvenile", column=column)
        rows = raw.done().with_columns(
            pl.when(juvenile).then(pl.col(c)).alias(c) for c in ("age", "sex", "race", "ethnicity")
        )
        juveniles = rows.filter(pl.col("age").is_not_null())
        retrieval.notes[file.name] = {
            "arrests": int(rows["arrests"].sum()),
            "juvenile arrests": int(juveniles["arrests"].sum()),
            "juvenile arrests without ethnicity": _sum(juveniles, pl.col("ethnicity").is_null()),
            "juvenile arrests without race": _sum(juveniles, pl.col("race").is_null()),
            "juvenile arrests without sex": _sum(juveniles, pl.col("sex").is_null()),
            "ages in words": dict(words.iter_rows()),
        }
        parts.append(rows)
    key = ["ori", "age", "sex", "race", "ethnicity"]
    return pl.concat(parts).group_by(key).agg(pl.col("arrests").sum()).sort(key)


def _sum(rows: pl.DataFrame, where: pl.Expr) -> int:
    return int(rows.filter(where)["arrests"].sum())


def header_vintage(year: int) -> str:
    """The edition whose batch header lists the agencies of the year: the newest that is declared for it."""
    headers = [v.key for v in SOURCE.vintages_for(year) if v.key.startswith("1991-")]
    return max(headers, default=HEADER_VINTAGE)


def build_agencies(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `nibrs_agencies`: the agencies of the batch header in a year with the counties and place they serve.

    States get their FIPS codes by name, which the abbreviation must agree with; agencies of territories are left out,
    counted. `leaic_county` and `leaic_place` are those of the identifiers crosswalk.
    """
    (file,) = retrieval.obtain(SOURCE, header_vintage(year))
    named = ("ori", "year", "state", "state_abbreviation", "city_name", "agency_indicator", "core_city", *COUNTIES)
    scan = as_parquet(file, named, scratch=retrieval.scratch, optional=("population", MONTHS)).with_row_index(
        ROW, offset=1
    )
    raw = Raw(
        scan.filter(pl.col("year") == str(year)).collect(engine="streaming"), source=SOURCE.key, file=file.path.name
    )
    if raw.frame.height == 0:
        raise raw.error(f"there are no agencies of {year}.", column="year")
    _ori_and_year(raw, year)
    raw.frame = raw.frame.with_columns(
        pl.col("state").str.to_lowercase().str.strip_suffix(" v2"),
        pl.col("state_abbreviation").str.to_uppercase().replace("NB", "NE"),
        pl.col("city_name", "agency_indicator").str.to_lowercase(),
        pl.col("core_city").str.to_lowercase(),
    )
    listed = raw.frame.height
    raw.drop_rows(pl.col("state").is_in(TERRITORIES).fill_null(False))
    territories = listed - raw.frame.height
    fips = {s.name.lower(): s.fips for s in STATES}
    postal = {s.name.lower(): s.postal for s in STATES}
    raw.refuse(~pl.col("state").is_in(list(fips)) | pl.col("state").is_null(), "unknown state", column="state")
    raw.refuse(
        pl.col("state_abbreviation") != pl.col("state").replace_strict(postal, default=None),
        "the abbreviation is of another state",
        column="state_abbreviation",
    )
    raw.unique("ori")
    for column in COUNTIES:
        raw.frame = raw.frame.with_columns(pl.when(pl.col(column) != "").then(pl.col(column)).alias(column))
        raw.refuse(~pl.col(column).str.contains(r"^\d{1,3}$"), "a county code has 3 digits", column=column)
    raw.number("population", pl.Int64, minimum=0, missing=("",))
    raw.number(MONTHS, pl.Int8, minimum=0, maximum=12, missing=("",))
    core = {"y": True, "yes": True, "n": False, "no": False}
    agencies = (
        raw.done()
        .rename({MONTHS: "months"})
        .with_columns(
            pl.col("state").replace_strict(fips),
            pl.col("core_city").replace_strict(core, default=None, return_dtype=pl.Boolean),
            *(pl.col(column).str.zfill(3).alias(f"county_{i}") for i, column in enumerate(COUNTIES, start=1)),
        )
    )
    agencies = agencies.join(leaic.read(retrieval), on="ori", how="left", validate="1:1")
    kinds = agencies.group_by("agency_indicator").len().sort("agency_indicator", nulls_last=True)
    nowhere = agencies.filter(pl.col("county_1").is_null())
    retrieval.notes[f"nibrs agencies {year}"] = {
        "agencies of territories, left out": territories,
        "agencies by kind": {kind or "not given": count for kind, count in kinds.iter_rows()},
        "agencies whose core city is not given": agencies["core_city"].null_count(),
        "agencies without first county": nowhere.height,
        "agencies without county in the crosswalk either": nowhere["leaic_county"].null_count(),
        "agencies without population": agencies["population"].null_count(),
        "agencies of which the months reported are not given": agencies["months"].null_count(),
        "agencies that reported no month": agencies.filter(pl.col("months") == 0).height,
    }
    scope = [state.fips for state in within(retrieval.scope.states)]
    return agencies.filter(pl.col("state").is_in(scope)).select(list(AgenciesModel.to_schema().columns)).sort("ori")


TABLES: Final = (
    Table(
        name="nibrs_offenses",
        title="Reported offenses by agency",
        description="Offenses reported in a year by police agency and kind of offense.",
        model=OffensesModel,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_offenses,
    ),
    Table(
        name="nibrs_arrests",
        title="Arrests by agency",
        description="Arrests, citations and summonses by police agency; those of ages 10 to 17 by age, sex, race and "
        "ethnicity, all others in one row per agency.",
        model=ArrestsModel,
        sources=(SOURCE.key,),
        years=YEARS,
        build=build_arrests,
    ),
    Table(
        name="nibrs_agencies",
        title="Police agencies",
        description="Police agencies the FBI lists for a year, whether they report or not, with the counties they "
        "serve and the county and place of the 2012 identifiers crosswalk.",
        model=AgenciesModel,
        sources=(SOURCE.key, leaic.SOURCE.key),
        years=YEARS,
        build=build_agencies,
    ),
)
