"""Words of CDC WONDER: names of its data sets, and of the parameters that narrow a query."""

from __future__ import annotations

import re
from typing import Final

# What the name of every data set of births and deaths starts with.
DATASETS: Final = re.compile(
    r"^(Provisional |Detailed |Compressed )?"
    r"(Natality|Mortality|Underlying Cause of Death|Multiple Cause of Death|Fetal Deaths?|Linked Birth|Infant Deaths)\b"
)

# The values of "Single Race 6", of deaths and of mothers.
RACES: Final = (
    "American Indian or Alaska Native",
    "Asian",
    "Black or African American",
    "Native Hawaiian or Other Pacific Islander",
    "White",
    "More than one race",
)
OTHER_RACES: Final = tuple(race for race in RACES if race not in ("White", "Black or African American"))

NARROWING: Final[tuple[str, ...]] = (
    # where
    "State",
    "States",
    "Residence States",
    "Occurrence States",
    "State of Residence",
    "County",
    "County of Residence",
    "Census Regions",
    "Census Divisions",
    "HHS Regions",
    "2006 Urbanization",
    "2013 Urbanization",
    "2023 Urbanization",
    # when
    "Year",
    "Year/Month",
    "Month",
    "Weekday",
    "MMWR Week",
    # who died
    "Gender",
    "Sex",
    "Race",
    "Single Race 6",
    "Single Race 15",
    "Single Race 31",
    "Hispanic Origin",
    "Ten-Year Age Groups",
    "Five-Year Age Groups",
    "Single-Year Ages",
    "Infant Age Groups",
    "Education",
    "Autopsy",
    "Place of Death",
    # of what
    "ICD-10 Codes",
    "UCD - ICD-10 Codes",
    "MCD - ICD-10 Codes",
    "ICD Chapter",
    "ICD-10 113 Cause List",
    "ICD-10 130 Cause List (Infants)",
    "15 Leading Causes of Death",
    "Injury Intent",
    "Injury Mechanism & All Other Leading Causes",
    "Drug/Alcohol Induced Causes",
    # whose birth
    "Age of Mother 9",
    "Age of Mother 10",
    "Single Year Age of Mother",
    "Mother's Bridged Race",
    "Mother's Single Race",
    "Mother's Single Race 6",
    "Mother's Single Race 15",
    "Mother's Single Race 31",
    "Mother's Hispanic Origin",
    "Mother's Expanded Hispanic Origin",
    "Mother's Education",
    "Marital Status",
    "Father's Bridged Race",
    "Father's Single Race",
    "Father's Hispanic Origin",
    "Father's Education",
    # which birth
    "Sex of Infant",
    "Infant Birth Weight 12",
    "Infant Birth Weight 14",
    "Infant Birth Weight 100 gram increments",
    "OE Gestational Age Recode 10",
    "OE Gestational Age Recode 11",
    "OE Gestational Age Weekly",
    "LMP Gestational Age Recode 10",
    "LMP Gestational Age Recode 11",
    "LMP Gestational Age Weekly",
    "Plurality",
    "Live Birth Order",
    "Birthplace",
    "Delivery Method",
    "Medical Attendant",
    "Source of Payment for Delivery",
    "Month Prenatal Care Began",
    "Trimester Prenatal Care Began",
    "Number of Prenatal Visits",
    "Tobacco Use",
    "Pre-pregnancy Diabetes",
    "Gestational Diabetes",
    "Pre-pregnancy Hypertension",
    "Gestational Hypertension",
    "Eclampsia",
)
