"""Learning rates of one release and homeless students of all years, at national size, from the agencies' files.

    python benchmarks/schools.py [--runs 3] [--folder DIR] [--scale 1.0]

SYNTHETIC files: a Stata file of 3,141 counties, and the homeless students, directory and enrollment of 18,000 districts
in nine school years. Alternatives: one weighted numpy fit per county, cohort and group from the same table (it leaves
out two counties of 2014 that the archive lists under later codes: 16 figures); pandas from the same files to the
counties' totals.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import ways

if TYPE_CHECKING:
    import polars as pl

    from sources.framework import Retrieval

COHORTS = range(2014, 2019)
YEARS = range(2014, 2023)
GROUP_YEARS = range(2019, 2023)
DISTRICTS = 18_000
PAGE = 10_000


def write(folder: Path, scale: float = 1.0) -> str:
    """The files of both sources, laid out as the raw store."""
    import numpy as np
    import polars as pl

    from sources.geography import geographies
    from sources.synthetic import SEED, seda
    from sources.synthetic.world import World

    raw = folder / "raw"
    counties = geographies(2018, None).filter(pl.col("level") == "county")
    rng = np.random.default_rng(5)
    people = rng.integers(900, 900_000, counties.height).tolist()
    codes = (counties["state"] + counties["geo"]).to_list()
    scores = seda.scores(World(SEED), list(zip(codes, people, strict=True)), "sedacounty")
    target = raw / "seda" / seda.RELEASE / f"seda_county_long_gcs_{seda.RELEASE}.dta"
    target.parent.mkdir(parents=True)
    target.write_bytes(seda.stata(scores))
    for year in YEARS:
        geographies(year, None).with_columns(population=pl.lit(100_000, pl.Int64)).write_parquet(
            folder / f"spine{year}.parquet"
        )
    districts = round(DISTRICTS * scale)
    _write_districts(raw, rng, districts)
    return f"{scores.height:,} rows of scores, {districts:,} districts in {len(YEARS)} school years; SYNTHETIC data"


def _write_districts(raw: Path, rng: object, districts: int) -> None:
    """Homeless students in the form of each year, and the answers of the Education Data Portal."""
    import csv
    import io

    import numpy as np
    import polars as pl

    from sources.edfacts_homeless import LAST_WIDE, long_file, school_year, wide_file
    from sources.geography import geographies
    from sources.synthetic.edfacts_homeless import EVERYBODY, LONG_HEADER, RACES
    from sources.synthetic.files import write_bytes, write_zip
    from sources.synthetic.schools import write_pages

    assert isinstance(rng, np.random.Generator)
    counties = geographies(2018, None).filter(pl.col("level") == "county")
    home = counties[np.sort(rng.integers(0, counties.height, districts))]
    number = home.with_columns(n=pl.int_range(pl.len()).over("state") + 1)["n"]
    leaids = [f"{s}{n * 10:05d}" for s, n in zip(home["state"], number, strict=True)]
    codes = [int(s + g) for s, g in zip(home["state"], home["geo"], strict=True)]
    sizes = rng.integers(50, 20_000, (districts, len(RACES))) // np.array([2, 6, 5, 20, 40, 90, 30])

    def shown(n: int) -> str:
        return "S" if n in (1, 2) else str(n)

    def text(header: tuple[str, ...], rows: list[list[str]]) -> bytes:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return buffer.getvalue().encode()

    for year in YEARS:
        homeless = rng.poisson(sizes * 0.025)
        folder = raw / "edfacts_homeless" / str(year)
        rows: list[list[str]] = []
        if year <= LAST_WIDE:
            for leaid, counts in zip(leaids, homeless, strict=True):
                rows.append([school_year(year), "A STATE", leaid[:2], leaid, "A district", "No", shown(counts.sum())])
            header = ("SCHOOL_YEAR_TEXT", "STNAM", "FIPST", "LEAID", "LEANM", "SUBGRANT_STATUS", "TOTAL")
            write_bytes(folder / wide_file(year).name, text(header, rows))
        else:
            for leaid, counts in zip(leaids, homeless.tolist(), strict=True):
                for group, n in zip((EVERYBODY, *RACES), (sum(counts), *counts), strict=True):
                    row = [
                        school_year(year),
                        "A STATE",
                        leaid,
                        "A district",
                        "",
                        "",
                        "655",
                        "Homeless Students Enrolled",
                    ]
                    rows.append([*row, shown(n), "", "", "Homeless Students", group, "", "All", "", "", ""])
            file = long_file(year)
            data = text(LONG_HEADER, rows)
            if file.kind == "csv":
                write_bytes(folder / file.name, data)
            else:
                write_zip(folder / file.name, {"FS118_DG655_LEA.csv": data})
        records = [
            {"year": year, "leaid": leaid, "fips": int(leaid[:2]), "county_code": code, "city_location": "Somewhere"}
            | {"enrollment": int(size.sum())}
            for leaid, code, size in zip(leaids, codes, sizes, strict=True)
        ]
        ccd = raw / "ccd" / str(year)
        write_pages(ccd, "lea_directory", f"school-districts/ccd/directory/{year}/", records, size=PAGE)
        if year in GROUP_YEARS:
            by_race = [
                {"year": year, "leaid": leaid, "fips": int(leaid[:2]), "grade": 99, "race": race, "sex": sex}
                | {"enrollment": int(n) if sex == 99 else int(n) // 2}
                for leaid, size in zip(leaids, sizes, strict=True)
                for race, n in enumerate((*size, size.sum()), start=1)
                for sex in (1, 2, 99)
            ]
            for record in by_race:
                record["race"] = 99 if record["race"] == len(RACES) + 1 else record["race"]
            address = f"school-districts/ccd/enrollment/{year}/grade-99/race/sex/"
            write_pages(ccd, "lea_enrollment", address, by_race, size=PAGE)


def _retrieval(folder: Path) -> Retrieval:
    from sources.framework import Retrieval

    return Retrieval(root=folder, scratch=folder / "scratch", offline=True)


def _spine(folder: Path, year: int) -> pl.LazyFrame:
    import polars as pl

    return pl.scan_parquet(folder / f"spine{year}.parquet")


def learning_ours(folder: Path) -> pl.DataFrame:
    """The Stata file to the rates, bounds and quality of all counties, cohorts and groups."""
    import polars as pl

    from metrics.education.public_education import estimate
    from sources.seda import build_county

    retrieval = _retrieval(folder)
    parts = []
    for year in COHORTS:
        table = build_county(year, retrieval).lazy()
        rows = estimate(table, None, None, None, _spine(folder, year), year)
        parts.append(rows.filter(pl.col("level") == "county").with_columns(year=pl.lit(year)))
    return pl.concat(parts).select("year", "state", "geo", "subgroup_type", "subgroup", "value")


def learning_numpy_loop(folder: Path) -> pl.DataFrame:
    """The same table, one weighted numpy fit per county, cohort and group; slopes only, no shared variance."""
    import numpy as np
    import polars as pl

    from metrics.education.public_education import GROUPS
    from sources.seda import build_county

    retrieval = _retrieval(folder)
    found = []
    for year in COHORTS:
        listed = set(_spine(folder, year).filter(pl.col("level") == "county").select("state", "geo").collect().rows())
        table = build_county(year, retrieval).filter(pl.col("score").is_not_null(), pl.col("tests") > 0)
        for (state, county, group), rows in table.partition_by("state", "county", "group", as_dict=True).items():
            if group in GROUPS and (state, county) in listed and rows.height >= 2:
                weights = np.sqrt(rows["tests"].to_numpy())
                slope = np.polyfit(rows["grade"].to_numpy(), rows["score"].to_numpy(), 1, w=weights)[0]
                found.append((year, state, county, *GROUPS[str(group)], float(slope)))
    columns = ["year", "state", "geo", "subgroup_type", "subgroup", "value"]
    return pl.DataFrame(found, schema=columns, orient="row").with_columns(pl.col("year").cast(pl.Int32))


def homeless_ours(folder: Path) -> pl.DataFrame:
    """The files of all years to counts, bounds, shares and quality of counties and cities, by race from 2019."""
    import polars as pl

    from metrics.neighborhoods.homelessness import COUNT, estimate
    from sources.ccd import build_lea_directory, build_lea_enrollment
    from sources.edfacts_homeless import build_homeless_lea

    retrieval = _retrieval(folder)
    parts = []
    for year in YEARS:
        by_race = build_lea_enrollment(year, retrieval).lazy() if year in GROUP_YEARS else None
        homeless = build_homeless_lea(year, retrieval).lazy()
        directory = build_lea_directory(year, retrieval).lazy()
        rows = estimate(homeless, directory, by_race, _spine(folder, year), year)
        parts.append(rows.with_columns(year=pl.lit(year)))
    counts = pl.concat(parts).filter(
        pl.col("metric") == COUNT, pl.col("level") == "county", pl.col("subgroup") == "All"
    )
    return counts.select("year", "state", "geo", "value")


def homeless_pandas(folder: Path) -> pl.DataFrame:
    """pandas from the same files to the counties' totals: no races, bounds, shares or quality."""
    import json
    import zipfile

    import pandas as pd
    import polars as pl

    from sources.edfacts_homeless import LAST_WIDE, long_file, wide_file

    parts = []
    for year in YEARS:
        where = folder / "raw" / "edfacts_homeless" / str(year)
        if year <= LAST_WIDE:
            table = pd.read_csv(where / wide_file(year).name, dtype=str)
            table = table.rename(columns={"LEAID": "leaid", "TOTAL": "n"})
        else:
            path = where / long_file(year).name
            if path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive, archive.open("FS118_DG655_LEA.csv") as data:
                    table = pd.read_csv(data, dtype=str)
            else:
                table = pd.read_csv(path, dtype=str)
            table = table[table["Subgroup"] == "All Students in LEA"]
            table = table.rename(columns={"NCES LEA ID": "leaid", "Value": "n"})
        pages = sorted((folder / "raw" / "ccd" / str(year)).glob("lea_directory_*.json"))
        records = [record for page in pages for record in json.loads(page.read_text())["results"]]
        directory = pd.DataFrame(records)[["leaid", "county_code"]]
        merged = table.merge(directory, on="leaid", how="inner")
        merged["n"] = merged["n"].replace("S", "1").astype(float)
        sums = merged.groupby("county_code")["n"].sum().reset_index()
        sums["year"] = year
        parts.append(sums)
    whole = pl.from_pandas(pd.concat(parts))
    code = pl.col("county_code").cast(pl.Int64).cast(pl.String).str.zfill(5)
    state, geo = code.str.head(2).alias("state"), code.str.tail(3).alias("geo")
    found = whole.select(pl.col("year").cast(pl.Int32), state, geo, value="n")
    # Our rule withholds fewer than 10.
    spines = pl.concat(_spine(folder, y).select("state", "geo", year=pl.lit(y)).collect() for y in YEARS)
    return found.filter(pl.col("value") >= 10).join(spines, on=["year", "state", "geo"], how="semi")


LEARNING = "learning rate, this project"
HOMELESS = "homelessness, this project"
WAYS = (
    ways.Way(LEARNING, learning_ours, LEARNING),
    ways.Way("learning rate, one numpy fit per line", learning_numpy_loop, LEARNING),
    ways.Way(HOMELESS, homeless_ours, HOMELESS),
    ways.Way("homelessness, pandas, totals of counties only", homeless_pandas, HOMELESS),
)

if __name__ == "__main__":
    ways.main(Path(__file__).resolve(), __doc__ or "", write, WAYS)
