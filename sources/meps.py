"""Model Estimates of Poverty in Schools: the table `school_poverty`, from the Education Data Portal.

`meps_mod_poverty_pct`, the modified estimate, is not the one that the method uses.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from schemas.schools import SchoolPoverty
from sources import education_portal as portal
from sources.education_portal import ALL_YEARS, MISSING, Topic
from sources.framework import Access, Retrieval, Source, Table, Vintage

SOURCE_KEY: Final = "meps"
YEARS: Final = tuple(range(2014, 2022))
POVERTY: Final = "meps_poverty_pct"
TOPIC: Final = Topic("school_poverty", "schools/meps/{year}/", "meps/schools_meps.csv", ("year", "ncessch", POVERTY))

SOURCE: Final = Source(
    key=SOURCE_KEY,
    agency="Urban Institute",
    dataset="Model Estimates of Poverty in Schools",
    citation="Urban Institute, Model Estimates of Poverty in Schools; Education Data Portal, Urban Institute.",
    licence=portal.LICENCE,
    redistribute=True,
    landing_page=f"{portal.HOST}/documentation/schools.html",
    access=Access.DOWNLOAD,
    vintages=(
        *(Vintage(str(year), TOPIC.files(year), (year,)) for year in YEARS),
        Vintage(ALL_YEARS, (TOPIC.bulk_file(0),), YEARS, note="The bulk file with every school year."),
    ),
    recipe=portal.RECIPE,
    usual_release="irregular",
)


def build(year: int, retrieval: Retrieval) -> pl.DataFrame:
    """The table `school_poverty` of a school year."""
    raws = portal.read(TOPIC, SOURCE, year, retrieval)
    for raw in raws:
        portal.identifier(raw, "ncessch", 12)
        raw.number(POVERTY, missing=("", *MISSING), minimum=0, maximum=100)
    table = portal.combined(raws, ["ncessch"]).select("ncessch", poverty=POVERTY)
    retrieval.notes["school_poverty"] = {"schools": table.height, "without estimate": table["poverty"].null_count()}
    return table


TABLES: Final = (
    Table(
        name="school_poverty",
        title="Poor students by school",
        description="The modelled percentage of students in poverty of every public school.",
        model=SchoolPoverty,
        sources=(SOURCE_KEY,),
        years=YEARS,
        build=build,
    ),
)
