"""Law Enforcement Agency Identifiers Crosswalk, 2012: county and place of police agencies (ICPSR 35158)."""

from __future__ import annotations

from typing import Final

import polars as pl

from sources.framework import Access, Retrieval, Source, SourceFile, Vintage
from sources.framework.strict import Raw

VINTAGE: Final = "2012"
FILE: Final = "35158-0001-Data.tsv"
# Written where an agency has no identifier, county or place.
_NONE: Final = ("", "-1", "-2", "-9")

SOURCE: Final = Source(
    key="leaic",
    agency="U.S. Bureau of Justice Statistics; National Archive of Criminal Justice Data",
    dataset="Law Enforcement Agency Identifiers Crosswalk, United States, 2012 (ICPSR 35158)",
    citation=(
        "National Archive of Criminal Justice Data. Law Enforcement Agency Identifiers Crosswalk, United States, 2012. "
        "Inter-university Consortium for Political and Social Research. https://doi.org/10.3886/ICPSR35158"
    ),
    licence="ICPSR terms of use: not to be passed on",
    redistribute=False,
    landing_page="https://www.icpsr.umich.edu/web/NACJD/studies/35158",
    access=Access.PERSON,
    vintages=(Vintage(VINTAGE, (SourceFile(FILE, "text", min_bytes=30),), (2021, 2022, 2023)),),
    recipe=(
        "Sign in with a free ICPSR account, open the study, choose Download, Delimited (tab-separated), accept the "
        f"terms, and take {FILE} out of the folder DS0001 of the zip."
    ),
    usual_release="does not change",
)


def read(retrieval: Retrieval) -> pl.DataFrame:
    """One row per agency with an identifier: ori, leaic_county (3 digits), leaic_place (5 digits), null if not given.

    Short codes have lost zeros in the agency's own file and are padded. Agencies without an identifier are left out,
    counted in the notes. Raises `InputError` for an identifier that occurs twice.
    """
    (file,) = retrieval.obtain(SOURCE, VINTAGE)
    # Names of agencies, which are not read, are Latin-1.
    raw = Raw.csv(file.path, source=SOURCE.key, encoding="latin-1", separator="\t")
    raw.select({"ORI9": "ori", "FIPS_COUNTY": "leaic_county", "FPLACE": "leaic_place"})
    listed = raw.frame.height
    raw.drop_rows(pl.col("ori").is_in(_NONE))
    retrieval.notes["leaic agencies without an identifier, left out"] = listed - raw.frame.height
    raw.refuse(~pl.col("ori").str.contains(r"^[A-Z0-9]{9}$"), "an identifier has 9 letters and digits", column="ori")
    raw.unique("ori")
    for column, width in (("leaic_county", 3), ("leaic_place", 5)):
        given = pl.when(~pl.col(column).is_in(_NONE)).then(pl.col(column))
        raw.frame = raw.frame.with_columns(given.alias(column))
        raw.refuse(~pl.col(column).str.contains(rf"^\d{{1,{width}}}$"), f"a code has {width} digits", column=column)
        raw.frame = raw.frame.with_columns(pl.col(column).str.zfill(width))
    return raw.done()
