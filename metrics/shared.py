"""Years and caveats that several predictors share, so that they are worded once."""

from __future__ import annotations

from typing import Final

# The Census Bureau's 2020 1-year file has experimental weights and is never used.
ACS1_YEARS: Final = (2014, 2015, 2016, 2017, 2018, 2019, 2021, 2022, 2023)
ACS5_YEARS: Final = (2014, 2016, 2018, 2021, 2023)

SAMPLING_AREAS: Final = (
    "The survey's sampling areas (PUMAs) hold at least 100,000 people. Counties and cities that share one get the same "
    "figure; quality tells how well the area and its sampling areas coincide."
)
FIVE_YEARS: Final = "A figure pools five years of interviews, named by the last one; neighboring figures share years."
TWO_SAMPLES: Final = (
    "The overall figure comes from the 1-year file; subgroups, and the figure for everybody shown beside them, come "
    "from the 5-year file. The two may differ."
)
PUMA_MIX_2014: Final = (
    "Interviews of 2010 and 2011 in the 2014 5-year file were coded to the sampling areas of the 2000 census. They "
    "count only if a table of these areas was at hand: the reference period is then 2010-2014, otherwise 2012-2014."
)
ROUGH_PLACES: Final = "School districts and schools are assigned to a city by the city name in their postal address."
NIBRS_COVERAGE: Final = (
    "Only agencies that report to the FBI's incident system are counted. A large agency that does not report leaves a "
    "rate near zero; quality is the share of agencies reporting, not of people served by them."
)
NEW_YORK: Final = (
    "New York City's police is one agency, filed under Manhattan: the whole city's figures fall on New York County and "
    "the other four boroughs are missing."
)

CONNECTICUT: Final = "Connecticut's eight counties are replaced by nine planning regions with other borders."
NIBRS_CONNECTICUT: Final = (
    " In 2022 police agencies were still filed under the counties, so the regions have no figures that year."
)
WONDER_CONNECTICUT: Final = " The source still uses the counties, so the regions have no figures."
NEW_PUMAS: Final = "Sampling areas follow the 2020 census instead of the 2010 census."
NEW_TRACTS: Final = "Census tracts follow the 2020 census instead of the 2010 census."
