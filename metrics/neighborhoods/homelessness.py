"""Housing stability: public school students who are homeless during the school year. Method file homelessness.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, ROUGH_PLACES
from schemas.labels import RACE_ETHNICITY

YEARS = (2014, 2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022)
GROUP_YEARS = (2019, 2020, 2021, 2022)
TABLES = ("homeless_lea", "lea_directory", "spine")

PREDICTOR = Predictor(
    key="homelessness",
    title="Housing stability",
    pillar="neighborhoods",
    definition=(
        "Number and share of public school students who are homeless at any time during the school year, which "
        "includes children doubled up with other families."
    ),
    metrics=(
        Metric(
            "count_homeless",
            "Number of public school students who are homeless",
            "count",
            interval="suppression",
            sentence=(
                "In the school year that began in {year}, {value:,.0f} public school students in {name} were homeless "
                "at some time."
            ),
        ),
        Metric(
            "share_homeless",
            "Share of public school students who are homeless",
            "share",
            maximum=1.0,
            sentence=(
                "In the school year that began in {year}, {value:.1%} of public school students in {name} were "
                "homeless at some time."
            ),
        ),
    ),
    series=(
        Series("edfacts", YEARS, TABLES),
        Series(
            "edfacts",
            GROUP_YEARS,
            (*TABLES, "lea_enrollment"),
            subgroups={"race-ethnicity": RACE_ETHNICITY},
            overall=False,
        ),
    ),
    sources=("edfacts_homeless", "ccd"),
    method="homelessness.md",
    notes=(
        "The year is the fall in which the school year begins.",
        "Districts with one or two homeless students report no number. Each counts as one student; the bounds give the "
        "range that is left open. They are not a sampling interval.",
        "Figures are withheld where fewer than 10 homeless students are counted, where a group has two or fewer, and "
        "where the groups do not add up to about the total.",
        ROUGH_PLACES + " A district counts as a whole where its office is: some cities have no match and no figure, "
        "others the students of the whole county's district, or of a few charter schools only.",
    ),
    breaks=((2022, CONNECTICUT),),
)
