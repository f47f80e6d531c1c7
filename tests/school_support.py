"""What the tests of schools and districts share: pages and files in the portal's and the archive's layouts."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.schools import GRADES, STUDENT_GROUPS
from sources.framework import Retrieval

API = "https://educationdata.urban.org/api/v1/"
SCORE_COLUMNS = [f"{kind}_{group}" for group in STUDENT_GROUPS for kind in ("gcs_mn", "tot_asmt")]


def retrieval(root: Path, **kwargs) -> Retrieval:
    return Retrieval(**{"root": root, "scratch": root / "scratch", "offline": True, **kwargs})


def lay(folder: Path, name: str, content: bytes | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def page(records: list[dict], *, count: int | None = None, following: str | None = None) -> str:
    body = {"count": len(records) if count is None else count, "next": following, "previous": None}
    return json.dumps({**body, "results": records})


def csv_of(records: list[dict]) -> str:
    rows = [list(records[0])] + [["" if v is None else str(v) for v in r.values()] for r in records]
    return "\n".join(",".join(row) for row in rows) + "\n"


def school(number: str = "370333000368", **kwargs) -> dict:
    base = {"year": 2018, "ncessch": number, "county_code": 37067, "city_location": "Winston-Salem", "enrollment": 500}
    return {**base, **kwargs}


def district(number: str = "3703330", **kwargs) -> dict:
    base = {"year": 2018, "leaid": number, "county_code": 37067, "city_location": "Winston Salem", "enrollment": 9000}
    return {**base, **kwargs}


def enrolled(number: str, race: int, sex: int, students: int | None, *, key: str = "ncessch", **kwargs) -> dict:
    return {"year": 2018, key: number, "grade": 99, "race": race, "sex": sex, "enrollment": students, **kwargs}


def archive_row(number: int, grade: int, spring: int, *, column: str = "sedacounty", **kwargs) -> dict:
    """A row of the archive; every group has the score `grade` and 100 tested unless told otherwise."""
    cells = {c: float(grade) if c.startswith("gcs") else 100 for c in SCORE_COLUMNS}
    fips = number // (1000 if column == "sedacounty" else 100_000)
    keys = {"fips": fips, column: number, "subject": "rla", "grade": grade, "year": spring}
    return {**keys, **cells, **kwargs}


def cohort(number: int, spring: int, **kwargs) -> list[dict]:
    """Six rows: the cohort that is in grade 8 in that spring."""
    return [archive_row(number, grade, spring - 8 + grade, **kwargs) for grade in GRADES]


def stata(records: Iterable[dict]) -> bytes:
    buffer = io.BytesIO()
    frame = pl.DataFrame(list(records), infer_schema_length=None).to_pandas()
    stamp = datetime.datetime(2020, 1, 1)
    frame.to_stata(buffer, write_index=False, version=117, time_stamp=stamp)
    return buffer.getvalue()


def place_lists(realcases: Path) -> pl.DataFrame:
    """The reference's places by year: year (Int16), state, geo, name."""
    path = realcases / "published_files/raw/geographic-crosswalks/data/place-populations.csv.gz"
    frame = pl.read_csv(path, infer_schema=False)
    return frame.select(pl.col("year").cast(pl.Int16), "state", geo="place", name="place_name")


def county_lists(realcases: Path) -> pl.DataFrame:
    """The reference's counties by year: year (Int16), state, geo. Names there are not clean UTF-8."""
    path = realcases / "published_files/raw/geographic-crosswalks/data/county-populations.csv.gz"
    frame = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy")
    return frame.select(pl.col("year").cast(pl.Int16), "state", geo="county")


def spine_of(realcases: Path, year: int) -> pl.LazyFrame:
    """The reference's counties and places of a year as a spine: level, state, geo, name."""
    counties = county_lists(realcases).filter(pl.col("year") == year)
    places = place_lists(realcases).filter(pl.col("year") == year)
    return pl.concat(
        [
            counties.select(pl.lit("county").alias("level"), "state", "geo", pl.lit("a county").alias("name")),
            places.select(pl.lit("place").alias("level"), "state", "geo", "name"),
        ]
    ).lazy()


def published(realcases: Path, file: str) -> pl.DataFrame:
    """One of the reference's files, all cells as text, missing as null, with `geoid`."""
    path = realcases / "published_files/raw/08_education/data" / file
    frame = pl.read_csv(path, infer_schema=False, null_values=["", "NA"])
    code = "county" if "county" in frame.columns else "place"
    return frame.with_columns(pl.col("year").cast(pl.Int32), geoid=pl.concat_str("state", code))


# Places of the method file tract_to_place.md, section 7, that are a county of their own: place, county.
SAME_AREA = {
    **{"0203000": "02020", "0667000": "06075", "0820000": "08031", "1150000": "11001", "2404000": "24510"},
    **{"2965000": "29510", "4260000": "42101", "5101000": "51510", "5116000": "51550", "5135000": "51650"},
    **{"5147672": "51680", "5156000": "51700", "5157000": "51710", "5164000": "51740", "5167000": "51760"},
    **{"5168000": "51770", "5176432": "51800", "5182000": "51810"},
}
