"""A release of national size for the explorer: the reference's published figures under this project's declarations."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from published_reference import GROUP_SAMPLE, all_estimates, spines

from metrics.catalog import catalog
from metrics.predictor import complete
from outputs.about import SYNTHETIC_NOTICE, ReleaseMeta
from outputs.files import FILES
from outputs.long import LongFiles, long_years
from outputs.suppress import for_release
from outputs.wide import assemble, universe
from outputs.write import write_parquet
from schemas.estimate import KEY

META = ReleaseMeta("live", "test")


def national_estimates(raw: Path) -> pl.DataFrame:
    """Every cell that the catalog declares for every county and city, with the reference's figure where there is one.

    Cells that the reference leaves blank, or whose file is not at hand, get the reason that fits neither of them badly.
    """
    declared = {m.column: e.predictor for e in catalog().values() for m in e.predictor.metrics}
    figures = all_estimates(raw).filter(pl.col("value").is_not_null() & pl.col("metric").is_in(list(declared)))
    # Figures that the reference's group files repeat; the group's own rows take the sample of the predictor.
    stands_for = pl.when(pl.col("metric").str.contains("debt")).then(pl.lit("debt_in_america"))
    stands_for = stands_for.when(pl.col("metric").str.contains("transit|transport")).then(pl.lit("cnt_ht"))
    repeated = (pl.col("sample") == GROUP_SAMPLE) & stands_for.is_not_null()
    figures = figures.filter(~(repeated & (pl.col("subgroup_type") == "all"))).with_columns(
        pl.when(repeated).then(stands_for).otherwise("sample").alias("sample")
    )
    figures = figures.with_columns(pl.col("quality").fill_null(3))
    by_year = spines(raw)
    parts = []
    for entry in catalog().values():
        predictor = entry.predictor
        columns = [m.column for m in predictor.metrics]
        for year in predictor.years:
            spine = by_year[year]
            mine = figures.filter((pl.col("year") == year) & pl.col("metric").is_in(columns))
            mine = mine.join(spine, on=["level", "state", "geo"], how="semi")
            filled = complete(mine.drop("year"), predictor, year, spine)
            keys = [c for c in KEY if c != "year"]
            parts.append(filled.join(expected(predictor, year, spine), on=keys, how="semi"))
    return pl.concat(parts)


def expected(predictor, year: int, spine: pl.DataFrame) -> pl.DataFrame:
    from metrics.predictor import expected_keys

    return expected_keys(predictor, year, spine).drop("year")


def write_national(raw: Path, folder: Path, *, synthetic: bool = False) -> Path:
    """The files of such a release that the explorer reads: the long file and the two overall files."""
    by_year = spines(raw)
    here = {key: entry for key, entry in catalog().items()}
    estimates = for_release(national_estimates(raw).lazy())
    (folder / "parquet").mkdir(parents=True)
    long = LongFiles(folder / "estimates.csv.gz", folder / "estimates.parquet")
    long.write(long_years(estimates, by_year, here))
    notice = SYNTHETIC_NOTICE if synthetic else ""
    long.close({"release": "national-test", "synthetic": str(synthetic).lower(), "notice": notice})
    for file in FILES:
        if file.overall:
            frame = assemble(file, pl.scan_parquet(long.parquet), universe(by_year, file.level), here).frame
            write_parquet(frame, folder / f"parquet/{file.stem}.parquet", {})
    return folder
