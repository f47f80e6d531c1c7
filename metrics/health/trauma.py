"""Safety from trauma: injury deaths. Method file trauma.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, WONDER_CONNECTICUT
from schemas.labels import RACE_ETHNICITY

PREDICTOR = Predictor(
    key="trauma",
    title="Safety from trauma",
    pillar="health",
    definition=(
        "Deaths caused by injury (accidents, suicide, homicide and others) per 100,000 residents and year, over the "
        "five years that end with the data year. Not adjusted for age."
    ),
    metrics=(
        Metric(
            "rate_injury_death",
            "Injury deaths per 100,000 people",
            "rate per 100,000",
            interval="sampling",
            sentence="Up to {year}, {value:.1f} of every 100,000 people in {name} died of an injury each year.",
        ),
    ),
    series=(
        Series(
            "wonder",
            (2014, 2015, 2016, 2017, 2018, 2019, 2020),
            ("injury_deaths_county",),
            levels=("county",),
        ),
        Series(
            "wonder",
            (2021, 2022, 2023),
            ("injury_deaths_county",),
            levels=("county",),
            subgroups={"race-ethnicity": RACE_ETHNICITY},
        ),
    ),
    sources=("wonder_deaths",),
    method="trauma.md",
    notes=(
        "Neighboring data years share most of their deaths and are not independent.",
        "The source gives no rate with fewer than 20 deaths.",
        "Chugach and Copper River, Alaska, both carry the rate of the former Valdez-Cordova area in 2020 to 2023, "
        "graded weak.",
        "Areas with different age structures differ for that reason alone.",
    ),
    breaks=(
        (
            2021,
            "Deaths are counted by single race. The 2021 figure pools four years (2018 to 2021) instead of five.",
        ),
        (2022, CONNECTICUT + WONDER_CONNECTICUT),
    ),
)
