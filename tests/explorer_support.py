"""A release of national size for the explorer, and a browser to open it with."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from published_reference import GROUP_SAMPLE, all_estimates, spines

from metrics.catalog import catalog
from outputs.about import ReleaseMeta
from outputs.explorer import write_explorer
from outputs.files import FILES, choices
from outputs.long import long_years
from outputs.suppress import for_release
from outputs.wide import assemble, universe
from outputs.write import write_parquet
from pipelines.explore import server_for

META = ReleaseMeta("live", "test")
FORSYTH, GUILFORD, WINSTON_SALEM = "37067", "37081", "3775000"


def national_estimates(raw: Path) -> pl.DataFrame:
    """The reference's published figures under this project's declarations: what the catalog publishes of them.

    The reference gives no reason for a blank; such rows get one from the closed list, since `Estimate` asks for it.
    """
    figures = all_estimates(raw)
    # Its group files repeat figures for everyone; their other rows take the sample of the predictor.
    stands_for = (
        pl.when(pl.col("metric").str.contains("debt"))
        .then(pl.lit("debt_in_america"))
        .when(pl.col("metric").str.contains("transit|transport"))
        .then(pl.lit("cnt_ht"))
    )
    borrowed = (pl.col("sample") == GROUP_SAMPLE) & stands_for.is_not_null()
    ratio = pl.col("metric").str.starts_with("ratio_") & pl.col("denominator").is_not_null()
    figures = figures.filter(~(borrowed & (pl.col("subgroup_type") == "all"))).with_columns(
        pl.when(borrowed).then(stands_for).otherwise("sample").alias("sample"),
        pl.when(ratio & (pl.col("denominator") > 0))
        .then(pl.col("numerator") / pl.col("denominator"))
        .when(~ratio)
        .then("value")
        .alias("value"),
    )
    there = pl.col("value").is_not_null()
    figures = figures.with_columns(
        *(pl.when(there).then(c).alias(c) for c in ("lb", "ub")),
        pl.when(there).then(pl.col("quality").fill_null(3)).alias("quality"),
        pl.when(~there).then(pl.lit("not defined by method")).alias("reason"),
    )
    published = pl.concat([choices(file, catalog()) for file in FILES]).unique()
    figures = figures.join(published, on=["metric", "year", "sample"], how="semi")
    places = pl.concat(
        [frame.with_columns(pl.lit(year, pl.Int32).alias("year")) for year, frame in spines(raw).items()]
    )
    return figures.join(places, on=["year", "level", "state", "geo"], how="semi")


def write_national(raw: Path, folder: Path) -> Path:
    """The files of such a release that the explorer reads (long file, overall files), and the explorer."""
    by_year = spines(raw)
    estimates = for_release(national_estimates(raw).lazy())
    (folder / "parquet").mkdir(parents=True)
    long = folder / "estimates.parquet"
    frame = pl.concat(long_years(estimates, by_year, catalog()))
    write_parquet(frame, long, {"release": "national-test", "synthetic": "false", "notice": ""})
    for file in FILES:
        if file.overall:
            wide = assemble(file, pl.scan_parquet(long), universe(by_year, file.level), catalog()).frame
            write_parquet(wide, folder / f"parquet/{file.stem}.parquet", {})
    write_explorer(folder, META)
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder while it is served as `mobility explore` serves it."""
    with server_for(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def chromium() -> str:
    """Path of a Chromium or Chrome of this machine; without one the tests skip, or fail where `CI` is set."""
    for name in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    message = "no Chromium on the PATH (Debian: apt-get install chromium); set CHROMIUM to one"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
