"""Neonatal health: births with low birth weight. Method file neonatal_health.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, WONDER_CONNECTICUT
from schemas.labels import MOTHERS_EDUCATION, RACE_ETHNICITY

PREDICTOR = Predictor(
    key="neonatal_health",
    title="Neonatal health",
    pillar="health",
    definition="Share of infants who weigh less than 2,500 grams (5 pounds 8 ounces) at birth.",
    metrics=(
        Metric(
            "share_low_birth_weight",
            "Share of infants with low birth weight",
            "share",
            maximum=1.0,
            interval="sampling",
            sentence="In {year}, {value:.1%} of infants born to mothers living in {name} had a low birth weight.",
        ),
    ),
    series=(
        Series(
            "wonder",
            (2016, 2017, 2018, 2019, 2020, 2021, 2022, 2023),
            ("births_county",),
            levels=("county",),
            subgroups={"race-ethnicity": RACE_ETHNICITY, "mothers-education": MOTHERS_EDUCATION},
        ),
    ),
    sources=("wonder_natality",),
    method="neonatal_health.md",
    notes=(
        "The source names only counties of 100,000 people or more. All others of a state share one pooled figure, "
        "graded weak: about four fifths of all counties. Do not rank, map or add them as their own.",
        "Births are counted where the mother lives; births of unknown weight are left out. Race and ethnicity, and "
        "education, are the mother's.",
        "No figure with fewer than 30 births.",
    ),
    breaks=((2022, CONNECTICUT + WONDER_CONNECTICUT),),
)
