"""The explorer's data files: what stands in them, their size, and that they are the published figures."""

import hashlib
import itertools
import json
import shutil
import subprocess
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from explorer_support import FORSYTH, META, WINSTON_SALEM, served

from metrics.catalog import catalog
from outputs.explorer import write_explorer
from outputs.explorer.breaks import breaks_of
from outputs.explorer.build import PAGES, SITE, ExplorerError, write_pages
from outputs.explorer.figures import NO_REASON, NOT_THERE, parts
from outputs.explorer.peers import peers
from outputs.explorer.states import POSTAL, REGION
from outputs.files import FILES, series_of
from pipelines.explore import NoExplorerError, explorer_of
from pipelines.regions import connecticut_regions, shapes_of
from schemas.labels import REASONS
from sources import boundaries
from sources.framework.retrieve import Retrieval

pytestmark = pytest.mark.xdist_group("explorer")
MOST_BYTES = 2_000_000


def test_libraries_are_those_of_the_manifest_and_each_has_its_licence():
    vendor = SITE / "vendor"
    listed = json.loads((vendor / "manifest.json").read_text())
    named = {"manifest.json"}
    for library in listed:
        assert library["version"]
        assert library["licence"] in {"ISC", "OFL-1.1", "CC-BY-4.0"}
        for path, wanted in [
            *((file["path"], file["sha256"]) for file in library["files"]),
            (library["licence_file"], library["licence_sha256"]),
        ]:
            named.add(path)
            assert hashlib.sha256((vendor / path).read_bytes()).hexdigest() == wanted, path
    there = {p.relative_to(vendor).as_posix() for p in vendor.rglob("*") if p.is_file()}
    assert there == named


def test_pages_ask_nobody_else_for_anything():
    for path in [*SITE.glob("*.html"), *SITE.glob("css/*"), *SITE.glob("js/*.js")]:
        text = path.read_text()
        for mark in ("src=", "href=", "url(", "fetch(", "import(", "from "):
            for outside in (f'{mark}"http', f"{mark}'http", f'{mark}"//', f"{mark}http"):
                assert outside not in text, f"{path.name}: {outside}"


def test_scripts_pass_the_type_checker(tmp_path):
    tsc = shutil.which("tsc")
    if tsc is None:
        pytest.skip("no TypeScript compiler (tsc) on the PATH: the types of the scripts are not checked")
    options = {"allowJs": True, "checkJs": True, "noEmit": True, "strict": True, "target": "es2024", "types": []}
    options |= {"module": "esnext", "moduleResolution": "bundler", "lib": ["es2024", "dom", "dom.iterable"]}
    config = tmp_path / "tsconfig.json"
    config.write_text(json.dumps({"compilerOptions": options, "include": [f"{SITE}/js/*"]}))
    done = subprocess.run([tsc, "-p", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_states_and_regions():
    assert len(POSTAL) == 51
    assert {region: list(REGION.values()).count(region) for region in set(REGION.values())} == {
        "Northeast": 9,
        "Midwest": 12,
        "South": 17,
        "West": 13,
    }
    assert (POSTAL["37"], REGION["37"], REGION["11"]) == ("NC", "South", "South")


def test_parts_leave_out_what_says_nothing():
    columns = {
        "position": [0, 2],
        "v": [0.5, None],
        "l": [None, None],
        "u": [None, None],
        "q": ["1", "-"],
        "r": [NO_REASON, 3],
        "a": [4, 0],
        "n": [10, None],
        "x": [1.0, None],
        "y": [2.0, None],
    }
    made = parts(columns, 3, pair=False)
    assert made == {
        "v": [0.5, None, None],
        "n": [10, None, None],
        "q": "1--",
        "r": [NO_REASON, NOT_THERE, 3],
        "a": [4, 0, 0],
    }
    assert parts(columns, 3, pair=True)["y"] == [2.0, None, None]
    blank = columns | {"v": [None, None], "q": ["-", "-"], "r": [3, 3], "a": [1, 0], "n": [None, None]}
    assert parts(blank | {"position": [0, 1]}, 2, pair=False) == {"r": 3}


def test_peers_are_of_the_region_and_nearest_in_size():
    places = pl.DataFrame(
        {
            "geoid": ["37001", "37002", "13001", "36001", "37003", "01001", "01002", "01003"],
            "state": ["37", "37", "13", "36", "37", "01", "01", "01"],
            "population": [100, 210, 55, 100, None, 100, 1, 95],
            "current": [True, True, True, True, True, False, True, True],
        }
    )
    found = peers(places)
    assert found["37001"] == ["01003", "13001", "37002", "01002"]
    assert found["36001"] == []
    assert "37003" not in found
    assert "01001" not in found


def test_breaks_know_whom_they_concern():
    found = list(breaks_of(catalog()["employment"], "share_employed"))
    regions = [b for b in found if b.states == ("09",)]
    assert {(b.last, b.year, b.sample, b.level) for b in regions} == {
        (2021, 2022, "acs1", "county"),
        (2021, 2023, "acs5", "county"),
    }
    areas = [b for b in found if b.kind == "sampling areas"]
    assert {(b.last, b.year, b.sample, b.states) for b in areas} == {
        (2021, 2022, "acs1", None),
        (2021, 2023, "acs5", None),
    }
    # What samples share is left to the verdict; what is about one year is no break at all.
    assert {b.kind for b in found} == {"geography", "sampling areas"}
    assert "states" not in areas[0].as_json()
    (income,) = (b for b in breaks_of(catalog()["preschool"], "share_in_preschool") if b.groups)
    assert (income.kind, income.groups) == ("note", ("income",))


def test_growing_coverage_is_a_note_and_no_break():
    for predictor, metric in (("crime", "rate_crime_violent"), ("policing", "rate_juv_arrest")):
        found = list(breaks_of(catalog()[predictor], metric))
        assert {(b.last, b.year, b.states) for b in found if b.kind != "note"} == {(2021, 2022, ("09",))}
        assert [(b.last, b.year) for b in found if b.kind == "note"] == [(2021, 2023)]


def test_every_page_is_whole_and_has_the_frame_that_all_share(tmp_path):
    facts = {"release": "R & D", "synthetic": False, "notice": None, "states": ["10"]}
    write_pages(tmp_path, facts)
    assert {p.stem for p in tmp_path.glob("*.html")} == set(PAGES)
    titles = set()
    for stem, name in PAGES.items():
        text = (tmp_path / f"{stem}.html").read_text()
        assert "<!--" not in text, stem
        assert f'<body data-page="{name}">' in text
        assert f'src="js/{name}.js"' in text
        assert text.count("aria-current") == (1 if stem != "profile" else 0)
        assert "Release <b>R &amp; D</b>" in text
        assert "some states only: DE" in text
        titles.add(text[text.index("<title>") : text.index("</title>")])
        for part in ("head", "body", "main", "nav", "header", "footer", "html"):
            assert text.count(f"</{part}>") == 1, (stem, part)
    assert len(titles) == len(PAGES)


@pytest.fixture(scope="module")
def site(national) -> Path:
    return national / "explorer"


def _read(site: Path, path: str):
    return json.loads((site / "data" / path).read_text())


def test_every_published_figure_stands_in_the_place_files(national, site):
    """All figures of some places, all families of groups, against the long file; and no figure more."""
    facts = _read(site, "catalog.json")
    reasons = list(REASONS.values())
    long = pl.read_parquet(national / "estimates.parquet")
    known = [m for metric in facts["metrics"].values() for m in metric["tables"]]
    assert len(known) > 60
    for geoid, level in ((FORSYTH, "county"), (WINSTON_SALEM, "place"), ("09110", "county"), ("02261", "county")):
        file = _read(site, f"place/{geoid}.json")
        mine = long.filter(pl.col("geoid") == geoid)
        key = ("metric", "year", "sample", "subgroup_type", "subgroup")
        rows = {tuple(row[c] for c in key): row for row in mine.iter_rows(named=True)}
        counted = 0
        for metric, kinds in file["figures"].items():
            for kind, figures in kinds.items():
                shape = facts["metrics"][metric]["tables"][level][kind]
                cells = [
                    (metric, year, sample, "all" if group == "All" else kind, group)
                    for year, sample in zip(shape["years"], shape["samples"], strict=True)
                    for group in shape["groups"]
                ]
                for at, cell in enumerate(cells):
                    row = rows.get(cell)
                    for part, column in {"v": "value", "l": "lb", "u": "ub"}.items():
                        assert figures.get(part, [None] * len(cells))[at] == (row[column] if row else None)
                    mark = figures.get("q", "-" * len(cells))[at]
                    code = figures.get("r", NO_REASON)
                    code = code if isinstance(code, int) else code[at]
                    if row is None:
                        assert (mark, code) == ("-", NOT_THERE)
                        continue
                    counted += 1
                    assert mark == (str(row["quality"]) if row["quality"] else "-")
                    assert (reasons[code] if code >= 0 else None) == row["reason_text"]
        assert counted >= mine.filter(pl.col("value").is_not_null()).height > 0


def test_metric_files_hold_everybody(national, site):
    places = _read(site, "places.json")
    shape = _read(site, "catalog.json")["metrics"]["share_employed"]["tables"]["county"]["all"]
    assert shape["samples"][shape["years"].index(2018)] == "acs1"
    found = _read(site, "metric/share_employed/county-2018.json")
    stem = next(f.stem for f in FILES if f.level == "county" and f.overall)
    wide = pl.read_parquet(national / f"parquet/{stem}.parquet").filter(pl.col("year") == 2018)
    wanted = {
        row["state"] + row["county"]: (row["share_employed"], row["share_employed_lb"])
        for row in wide.iter_rows(named=True)
        if row["share_employed"] is not None
    }
    ids = [places["county"]["id"][i] for i in found["i"]]
    given = {i: (v, lb) for i, v, lb in zip(ids, found["v"], found["l"], strict=True) if v is not None}
    assert given == wanted
    assert len(wanted) > 2000


def test_catalog_says_what_the_declarations_say(site):
    facts = _read(site, "catalog.json")
    employment = catalog()["employment"].predictor
    found = next(p for p in facts["predictors"] if p["key"] == "employment")
    assert found["definition"] == employment.definition
    metric = facts["metrics"]["share_employed"]
    assert metric["sentence"] == employment.metric("share_employed").sentence
    county = metric["tables"]["county"]
    overall = next(f for f in FILES if f.level == "county" and f.overall)
    for year, sample in zip(county["all"]["years"], county["all"]["samples"], strict=True):
        series = series_of(employment, overall, "share_employed", year)
        assert series is not None
        assert series.sample == sample
    assert facts["pillars"].keys() == {p["pillar"] for p in facts["predictors"]}
    assert len(facts["predictors"]) == 24


def test_no_page_needs_more_than_two_megabytes(site):
    data = site / "data"
    largest = sorted((f.stat().st_size for f in (data / "place").iterdir()), reverse=True)
    metric = max(f.stat().st_size for f in (data / "metric").rglob("*.json"))
    common = sum((data / name).stat().st_size for name in ("catalog.json", "places.json"))
    shapes = (site / "vendor/us-atlas/counties-albers-10m.json").stat().st_size
    points = (site / "vendor/geonames/city_points.csv").stat().st_size
    medians_size = 2 * max(f.stat().st_size for f in (data / "medians").iterdir())
    assert len(largest) > 3600
    assert common + sum(largest[:6]) < MOST_BYTES
    assert common + shapes + points + metric + medians_size < MOST_BYTES
    assert common + sum(largest[:6]) + medians_size < MOST_BYTES


def test_points_of_cities_lie_in_the_country_and_belong_to_cities_of_the_release(site):
    rows = pl.read_csv(site / "vendor/geonames/city_points.csv", schema_overrides={"geoid": pl.String})
    cities = set(_read(site, "places.json")["place"]["id"])
    assert cities <= set(rows["geoid"])
    assert rows["geoid"].is_unique().all()
    assert rows.filter(~pl.col("latitude").is_between(18, 72) | ~pl.col("longitude").is_between(-170, -66)).is_empty()


def test_same_release_same_bytes_and_every_page_says_synthetic(national, tmp_path):
    """A small part of the release, twice; marked as synthetic and partial."""
    long = pl.scan_parquet(national / "estimates.parquet").filter(
        (pl.col("state") == "37") & pl.col("predictor").is_in(["employment", "housing_wealth"])
    )
    meta = replace(META, synthetic=True, states=("37",))
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        long.collect().write_parquet(folder / "estimates.parquet")
        write_explorer(folder, meta)
        sums = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / "explorer").rglob("*"))
            if path.is_file()
        }
        made.append(sums)
    assert made[0] == made[1]
    assert {p for p in made[0] if p.endswith(".html")} == {
        f"explorer/{page}.html" for page in ("index", "country", "profile", "about")
    }
    for page in (tmp_path / "one/explorer").glob("*.html"):
        text = page.read_text()
        assert 'class="synthetic"' in text
        assert "<title>SYNTHETIC" in text
        assert "some states only: NC" in text
    pair = json.loads((tmp_path / f"one/explorer/data/place/{FORSYTH}.json").read_text())["figures"]
    black = pair["ratio_black_nh_house_value_households"]["all"]
    assert black["v"][-1] == black["x"][-1] / black["y"][-1]


def test_a_folder_without_a_release_is_refused(tmp_path):
    with pytest.raises(ExplorerError, match="no release"):
        write_explorer(tmp_path, META)


def test_which_explorer_is_opened(tmp_path):
    with pytest.raises(NoExplorerError, match="no release yet"):
        explorer_of(tmp_path, None)
    (tmp_path / "a/explorer").mkdir(parents=True)
    (tmp_path / "LATEST").write_text("a\n")
    with pytest.raises(NoExplorerError, match="without an explorer"):
        explorer_of(tmp_path, None)
    (tmp_path / "a/explorer/index.html").write_text("")
    assert explorer_of(tmp_path, None) == tmp_path / "a/explorer"
    assert explorer_of(tmp_path, "a") == tmp_path / "a/explorer"
    assert explorer_of(tmp_path / "elsewhere", str(tmp_path / "a")) == tmp_path / "a/explorer"
    with pytest.raises(NoExplorerError, match="no release b"):
        explorer_of(tmp_path, "b")


def test_files_are_served_with_the_types_browsers_insist_on(site):
    with served(site) as address:
        for path, kind in {
            "index.html": "text/html",
            "js/compare.js": "text/javascript",
            "data/places.json": "application/json",
            "vendor/source-sans-3/source-sans-3.woff2": "font/woff2",
        }.items():
            with urllib.request.urlopen(f"{address}/{path}") as answer:
                assert answer.headers["Content-Type"].startswith(kind)
                assert answer.read() == (site / path).read_bytes()


def test_planning_regions_are_taken_from_the_boundary_file_if_it_is_at_hand(tmp_path):
    import geopandas
    import shapely

    path = tmp_path / "cb_2022_us_county_500k.zip"
    frame = geopandas.GeoDataFrame(
        {"GEOID": ["09120", "09110", "37067"]},
        geometry=[shapely.box(-73, 41, -72.9, 41.1), shapely.box(-72.5, 41.5, -72, 42), shapely.box(-80, 36, -79, 37)],
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "cb_2022_us_county_500k.shp")
    with zipfile.ZipFile(path, "w") as archive:
        for part in tmp_path.glob("cb_2022_us_county_500k.*"):
            if part.suffix != ".zip":
                archive.write(part, part.name)
    found = shapes_of(path)["features"]
    assert [f["id"] for f in found] == ["09110", "09120"]
    ring = found[1]["geometry"]["coordinates"][0][0]
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in itertools.pairwise(ring))
    assert area < 0, "the outer ring runs clockwise"
    assert {tuple(point) for point in ring} >= {(-73.0, 41.0), (-72.9, 41.1)}

    store = Retrieval(root=tmp_path / "data", scratch=tmp_path, offline=True)
    assert connecticut_regions(store) is None
    store.add(boundaries.SOURCE, boundaries.REGIONS, path, how="person")
    assert connecticut_regions(store) == shapes_of(path)
