"""Environmental quality: index of exposure to air toxics. Method file environment.md."""

from __future__ import annotations

from metrics.predictor import Metric, Predictor, Series
from schemas.labels import POVERTY, RACE_SHARE

YEARS = (2014, 2018, 2019)
SUBGROUPS: dict[str, tuple[str, ...]] = {"race-share": RACE_SHARE, "income": POVERTY}
TABLES = ("air_toxics_tracts", "acs_tract_race", "acs_tract_poverty")
METHODS_CHANGE = "The agency changes its methods with each assessment; assessment years are not a time series."

PREDICTOR = Predictor(
    key="environment",
    title="Environmental quality",
    pillar="health",
    definition=(
        "Index from 0 to 100 of air quality with regard to toxic pollutants: the average rank of the area's "
        "neighborhoods in the nation by cancer, respiratory and neurological hazard. Higher means cleaner air."
    ),
    metrics=(
        Metric(
            "index_air_hazard",
            "Air toxics index (higher is cleaner)",
            "index 0-100",
            maximum=100.0,
            sentence="In {year}, {name} scored {value:.0f} of 100 on the air toxics index, where higher is cleaner.",
        ),
    ),
    series=(
        Series("airtoxscreen", YEARS, (*TABLES, "tract_county"), levels=("county",), subgroups=SUBGROUPS),
        Series("airtoxscreen", YEARS, (*TABLES, "tract_place"), levels=("place",), subgroups=SUBGROUPS),
    ),
    sources=("airtoxscreen", "acs_tables", "geocorr"),
    method="environment.md",
    notes=(
        "The index is relative: it ranks neighborhoods within a year and does not tell whether the air got better.",
        "Neighborhoods are White where at most 40 percent of residents are people of color, of color where at least "
        "60 percent are, and mixed between. They are high-poverty where at least 40 percent are poor (elsewhere in "
        "these data: more than 40 percent).",
        "Neighborhoods weigh in by population. Quality is lowered where 5 percent or more of the people live in "
        "neighborhoods without a figure.",
    ),
    breaks=((2018, METHODS_CHANGE), (2019, METHODS_CHANGE)),
)
