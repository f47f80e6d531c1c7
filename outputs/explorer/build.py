"""Makes the explorer's folder in a release (or in its draft) from the release's own files."""

from __future__ import annotations

import html
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq

from metrics.catalog import catalog
from metrics.predictor import Entry
from outputs.about import SYNTHETIC_NOTICE, ReleaseMeta
from outputs.explorer.catalog import site_catalog
from outputs.explorer.figures import dump, metric_files, place_files, placed
from outputs.explorer.layout import Block, blocks, positions
from outputs.explorer.peers import peers
from outputs.explorer.states import POSTAL, REGION
from outputs.files import FILES, GEOID
from outputs.medians import medians
from schemas.errors import MobilityError
from schemas.labels import LEVELS, Level

EXPLORER: Final = "explorer"
SITE: Final = Path(__file__).parent / "site"
FRAME: Final = "frame.html"
PAGES: Final = {"index": "compare", "country": "country", "profile": "profile", "about": "about"}
"""File of a page -> its name in styles and scripts."""
LONG_FILE: Final = "estimates.parquet"


class ExplorerError(MobilityError):
    """The explorer cannot be made from this release, or opened."""


def _places(folder: Path, long: pl.LazyFrame, level: Level) -> pl.DataFrame:
    """Places of a level by year: year, state, geoid, state_name, name, population (null if no file tells it)."""
    overall = next(file for file in FILES if file.level == level and file.overall)
    rows = (
        long.filter(pl.col("level") == level)
        .select("year", "state", "geo", "geoid", "state_name", "name")
        .unique()
        .collect(engine="streaming")
    )
    path = folder / f"parquet/{overall.stem}.parquet"
    if path.exists():
        people = pl.read_parquet(path, columns=["year", "state", level, "population"]).rename({level: "geo"})
        people = people.select("year", "population", GEOID)
        rows = rows.join(people, on=["year", "geoid"], how="left", validate="1:1")
    else:
        rows = rows.with_columns(pl.lit(None, dtype=pl.Int64).alias("population"))
    return rows.drop("geo").sort("geoid", "year")


def _index(places: pl.DataFrame) -> pl.DataFrame:
    """One row per place: geoid, state, latest name and population, first and last year, whether it still exists."""
    return (
        places.group_by("geoid", maintain_order=True)
        .agg(
            pl.col("state").last(),
            pl.col("state_name").last(),
            pl.col("name").last(),
            pl.col("population").drop_nulls().last(),
            pl.col("year").min().alias("first"),
            pl.col("year").max().alias("last"),
        )
        .with_columns((pl.col("last") == pl.col("last").max()).alias("current"))
    )


def write_explorer(
    folder: Path,
    meta: ReleaseMeta,
    *,
    entries: Mapping[str, Entry] | None = None,
    regions: Mapping[str, Any] | None = None,
) -> None:
    """Write `explorer/` into a release's folder.

    `folder` holds `estimates.parquet` and, for populations, the overall wide files as Parquet. `meta` names the
    sources. `entries` is the catalog. `regions` are the shapes of Connecticut's planning regions as GeoJSON features
    with their codes as `id`, in degrees; without them the map says that it lacks them. Raises `ExplorerError` if the
    folder is no release.
    """
    entries = catalog() if entries is None else entries
    path = folder / LONG_FILE
    if not path.exists():
        raise ExplorerError(f"{folder} is no release: it has no {LONG_FILE}")
    site = folder / EXPLORER
    facts = _facts(path, meta) | {"regions": regions is not None}
    write_pages(site, facts)
    long = pl.scan_parquet(path)
    included = set(long.select("predictor").unique().collect()["predictor"])
    here = {key: entry for key, entry in entries.items() if key in included}
    listed = blocks(long, here)
    figures = placed(long, positions(listed))
    pairs = frozenset(m.column for e in here.values() for m in e.predictor.metrics if m.text_format is not None)
    by_year = {level: _places(folder, long, level) for level in LEVELS}
    index = {level: _index(frame) for level, frame in by_year.items()}

    dump(site / "data/places.json", _places_json(index))
    if regions is not None:
        dump(site / "data/regions.json", regions)
    _write_places(site, figures, listed, pairs, index)
    order = {level: {code: i for i, code in enumerate(frame["geoid"])} for level, frame in index.items()}
    everyone = [i for i, block in enumerate(listed) if block.kind == "all"]
    overall = figures.filter(pl.col("block").is_in(everyone)).collect()
    for name, content in metric_files(overall, listed, order, pairs):
        dump(site / "data/metric" / name, content)
    _write_medians(site, overall, listed, by_year)
    dump(site / "data/catalog.json", site_catalog(here, listed, meta, facts))


def write_pages(site: Path, facts: Mapping[str, Any]) -> None:
    """Copy the pages, scripts and libraries; every page says which release it shows, and if its figures are made up."""
    shutil.copytree(SITE, site, dirs_exist_ok=True, ignore=shutil.ignore_patterns(FRAME))
    frame = (SITE / FRAME).read_text(encoding="utf-8")
    banners = []
    if facts["synthetic"]:
        banners.append(f'<p class="synthetic" role="note">{html.escape(facts["notice"] or SYNTHETIC_NOTICE)}</p>')
    if facts["states"] is not None:
        some = ", ".join(POSTAL.get(code, code) for code in facts["states"])
        banners.append(f'<p class="partial" role="note">This release covers some states only: {some}.</p>')
    for page in sorted(site.glob("*.html")):
        text = _framed(frame, page)
        if facts["synthetic"]:
            text = text.replace("<title>", "<title>SYNTHETIC · ")
        text = text.replace("<!--notice-->", "".join(banners)).replace("<!--release-->", html.escape(facts["release"]))
        page.write_text(text, encoding="utf-8")


def _framed(frame: str, page: Path) -> str:
    """A whole page: the frame that all pages share, with the page's own title, head and content put in.

    A page's file has its title in a comment on the first line, its part of the head, a line `<!--main-->`, its content.
    """
    title, rest = page.read_text(encoding="utf-8").split("\n", 1)
    head, main = rest.split("<!--main-->\n")
    own = f'<a href="{page.name}"'
    parts = {
        own: f'{own} aria-current="page"',  # before the content, whose links stay as they are
        "<!--title-->": html.escape(title.removeprefix("<!--title: ").removesuffix("-->")),
        "<!--page-->": PAGES[page.stem],
        "<!--head-->\n": head,
        "<!--main-->\n": main,
    }
    for place, part in parts.items():
        frame = frame.replace(place, part)
    return frame


def _facts(path: Path, meta: ReleaseMeta) -> dict[str, Any]:
    """Name, notice and states of the release, as its long file says."""
    said = {k.decode(): v.decode() for k, v in (pq.read_schema(path).metadata or {}).items()}
    kept = pq.ParquetFile(path).metadata.metadata or {}
    said |= {k.decode(): v.decode() for k, v in kept.items() if k != b"ARROW:schema"}
    return {
        "release": said.get("release", ""),
        "synthetic": meta.synthetic,
        "notice": said.get("notice") or (SYNTHETIC_NOTICE if meta.synthetic else None),
        "states": None if meta.states is None else list(meta.states),
    }


def _places_json(index: Mapping[Level, pl.DataFrame]) -> dict[str, Any]:
    both = pl.concat([frame.select("state", "state_name") for frame in index.values()]).drop_nulls().unique()
    states = {code: [name, POSTAL.get(code, ""), REGION.get(code, "")] for code, name in both.sort("state").iter_rows()}
    listed: dict[str, Any] = {
        level: {
            "id": frame["geoid"].to_list(),
            "name": frame["name"].to_list(),
            "population": frame["population"].to_list(),
            "first": frame["first"].to_list(),
            "last": frame["last"].to_list(),
        }
        for level, frame in index.items()
    }
    return {"states": states, **listed}


def _write_places(
    site: Path,
    figures: pl.LazyFrame,
    listed: list[Block],
    pairs: frozenset[str],
    index: Mapping[Level, pl.DataFrame],
) -> None:
    alike = {code: near for frame in index.values() for code, near in peers(frame).items()}
    states = sorted({state for frame in index.values() for state in frame["state"]})
    for geoid, content in place_files(figures, listed, pairs, states):
        dump(site / f"data/place/{geoid}.json", {"id": geoid, "peers": alike.get(geoid, []), "figures": content})


def _write_medians(
    site: Path, overall: pl.DataFrame, listed: list[Block], by_year: Mapping[Level, pl.DataFrame]
) -> None:
    """`medians/<scope>.json`: metric -> level -> year -> median, null where hidden. Pairs have no median."""
    content: dict[str, dict[str, dict[str, dict[str, float | None]]]] = {}
    names = pl.Series([block.metric for block in listed], dtype=pl.String)
    for level, places in by_year.items():
        mine = [i for i, block in enumerate(listed) if block.level == level and block.kind == "all"]
        here = overall.filter(pl.col("block").is_in(mine))
        rows = here.select(
            "state",
            "geoid",
            "year",
            pl.col("v").alias("value"),
            pl.col("q").replace("-", None).cast(pl.Int8).alias("quality"),
            metric=names.gather(here["block"]),
        ).join(places.select("geoid", "year", "state_name", "population"), on=["geoid", "year"], how="left")
        if rows.is_empty():
            continue
        found_here = medians(rows, level).select("area", "metric", "year", "median")
        for scope, metric, year, median in found_here.sort("area", "metric", "year").iter_rows():
            content.setdefault(scope, {}).setdefault(metric, {}).setdefault(level, {})[str(year)] = median
    for scope, found in sorted(content.items()):
        dump(site / f"data/medians/{scope}.json", found)
