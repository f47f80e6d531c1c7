"""Transportation access: transit commuters and the cost of transportation. Method file transportation.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from metrics.shared import CONNECTICUT, NEW_TRACTS
from schemas.labels import RACE_SHARE

YEARS = (2015, 2019, 2022)
SUBGROUPS: dict[str, tuple[str, ...]] = {"race-share": RACE_SHARE}
TABLES = ("ht_tracts", "acs_tract_race", "acs_tract_housing", "acs_area_income")

PREDICTOR = Predictor(
    key="transportation",
    title="Transportation access",
    pillar="neighborhoods",
    definition=(
        "For a household with a moderate income (80 percent of the regional median): the modelled share of commuters "
        "who use transit, and the modelled share of income spent on transportation."
    ),
    metrics=(
        Metric(
            "share_transit_commuter",
            "Share of commuters who use transit",
            "share",
            maximum=1.0,
            sentence="In {year}, {value:.1%} of commuters in moderate-income households in {name} used transit.",
        ),
        Metric(
            "share_transportation_cost",
            "Share of income spent on transportation",
            "share",
            maximum=1.0,
            sentence="In {year}, transportation cost a moderate-income household in {name} {value:.1%} of its income.",
        ),
    ),
    series=(
        Series("cnt_ht", YEARS, TABLES, levels=("county",), subgroups=SUBGROUPS),
        Series("cnt_ht", YEARS, (*TABLES, "tract_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("cnt_ht", "acs_tables", "geocorr"),
    method="transportation.md",
    notes=(
        "The source's figures are modelled for each neighborhood and given in whole percents.",
        "Neighborhoods are White where at least 60 percent of residents are White and not Hispanic, of color where at "
        "least 60 percent are not, and mixed otherwise.",
        "Quality tells how precisely the survey knows the area's housing units and median income and, for cities, how "
        "well neighborhoods fit the city limits. The income part is the whole area's, also for subgroups.",
    ),
    breaks=(
        (2022, "The source changed its model, so changes since 2019 are partly changes of method."),
        (2022, NEW_TRACTS),
        (2022, CONNECTICUT),
    ),
)
