"""Closed lists: levels, samples, subgroup types and labels, quality words, reasons. Published spellings exactly."""

from __future__ import annotations

from typing import Final, Literal

Level = Literal["county", "place"]
LEVELS: Final[tuple[Level, ...]] = ("county", "place")
GEO_WIDTH: Final[dict[str, int]] = {"county": 3, "place": 5}

ALL: Final = "All"

RACE_ETHNICITY: Final = ("Black, Non-Hispanic", "White, Non-Hispanic", "Other Races and Ethnicities", "Hispanic")
GENDER: Final = ("Male", "Female")
DISABILITY: Final = ("With Disability", "Without Disability")
INDUSTRY: Final = (
    "Goods Producing",
    "Public Administration",
    "Trade, Transit, Utilities",
    "Information Services",
    "Professional Services",
    "Education and Health",
    "Leisure and Other",
)
HOUSEHOLD_INCOME: Final = ("Less than $50,000", "$50,000 or More")
TENURE: Final = ("Renter", "Owner")
HOUSEHOLDER_AGE: Final = ("Under Age 45", "Age 45 and Over")
JUVENILE_AGE: Final = ("Age 10 to 14", "Age 15 to 17")
RACE_SHARE: Final = ("Neighborhoods of color", "White neighborhoods", "Mixed neighborhoods")
POVERTY: Final = ("High-Poverty", "Not High-Poverty")
DISADVANTAGE: Final = ("Economically Disadvantaged", "Not Economically Disadvantaged")
MOTHERS_EDUCATION: Final = (
    "Less than High School",
    "GED/High School Degree",
    "Some College",
    "College Degree or Higher",
)

# Every label a subgroup type may carry, in the row order of the published files.
# "race-share" (neighborhood type) is published under the type "race-ethnicity"; inside the project it is its own.
SUBGROUPS: Final[dict[str, tuple[str, ...]]] = {
    "all": (ALL,),
    "race-ethnicity": (
        "Black",
        "Black, Non-Hispanic",
        "White",
        "White, Non-Hispanic",
        "Other Races and Ethnicities",
        "Hispanic",
    ),
    "race-share": RACE_SHARE,
    "income": (*DISADVANTAGE, *HOUSEHOLD_INCOME, *POVERTY),
    "age": (*HOUSEHOLDER_AGE, *JUVENILE_AGE),
    "gender": GENDER,
    "tenure": TENURE,
    "disability": DISABILITY,
    "industry": INDUSTRY,
    "mothers-education": MOTHERS_EDUCATION,
}

QUALITY_WORDS: Final[dict[int, str]] = {1: "Strong", 2: "Marginal", 3: "Weak"}
QUALITY_MEANING: Final[dict[int, str]] = {
    1: "No substantial concern with errors of measurement, gaps, sample size or precision.",
    2: "Limited issues. Fine to look at; check before you act on it.",
    3: "Serious issues. A community should not act on this figure alone.",
}

# Source samples an estimate can come from; part of the key, because two samples of one year may both be published.
SAMPLES: Final[dict[str, str]] = {
    "acs1": "American Community Survey microdata, 1-year file",
    "acs5": "American Community Survey microdata, 5-year file",
    "acs5_tables": "American Community Survey tables, 5-year",
    "qcew_annual": "Quarterly Census of Employment and Wages, annual averages, with the MIT Living Wage Calculator",
    "debt_in_america": "Urban Institute, Debt in America (credit-bureau data)",
    "seda": "Stanford Education Data Archive",
    "meps_ccd": "Model Estimates of Poverty in Schools with the Common Core of Data",
    "edfacts": "EDFacts / ED Data Express, homeless students",
    "cbp": "County Business Patterns",
    "social_capital_atlas": "Social Capital Atlas",
    "cnt_ht": "CNT Housing and Transportation Affordability Index",
    "airtoxscreen": "EPA NATA / AirToxScreen",
    "ahrf": "HRSA Area Health Resources Files",
    "chr": "County Health Rankings",
    "wonder": "CDC WONDER",
    "elections": "Presidential returns with citizen voting-age population",
    "nibrs": "FBI National Incident-Based Reporting System",
}

# Why a value is missing or its quality lowered. The key is what the `reason` column holds; the sentence is for readers.
REASONS: Final[dict[str, str]] = {
    "input owed": "A source file this figure needs was not available when this release was made.",
    "effective sample below 30": "Too few people or households of this group were sampled here (fewer than 30).",
    "area not covered by source": "The source publishes nothing for this area in this year.",
    "no records at source": (
        "The police agencies here have no record of this year in the source: either they did not report, or nothing "
        "happened."
    ),
    "suppressed at source": "The agency withholds this figure to protect the people or firms behind it.",
    "unreliable at source": "The agency marks this figure as too unreliable to publish.",
    "inconsistent at source": "The source's own figures contradict each other here, so none of them is used.",
    "too few people": "So few people of this group are counted here that a figure would be mostly chance.",
    "group not present": "Nobody of this group lives here according to the source.",
    "denominator is zero": "There is nothing to divide by: the source counts zero people, households or firms.",
    "suppressed by us": "Withheld after review because the figure is implausible; suppressions.csv says why.",
    "source on old counties": "The source still reports Connecticut's former counties, not its planning regions.",
    "bound not defined": "The figure stands, but one end of its interval cannot be computed from so small a sample.",
    "area smaller than its sampling area": (
        "The survey samples a larger area that this one shares with its neighbors; "
        "the figure describes mostly those neighbors."
    ),
    "area partly outside its sampling area": (
        "The areas that the source reports cross this one's borders, so part of the figure describes people outside it."
    ),
    "few establishments": "Fewer than 30 workplaces stand behind this figure.",
    "small population": "So few people stand behind this figure that it moves a lot from year to year by chance alone.",
    "high sampling error": "The margin of error is large compared with the figure.",
    "low coverage": "The source covers only part of the people, schools or police agencies here.",
    "pooled area": "The source gives one figure for several areas together, and each of them shows it.",
    "few counties in the state": (
        "This state has few counties, or few that the source leaves unnamed; as a caution the method then grades "
        "figures lower."
    ),
    "estimated at source": "The source models or bounds this figure instead of counting it.",
    "not defined by method": "This predictor gives no figure for this group or year.",
}
