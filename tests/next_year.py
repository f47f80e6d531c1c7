"""The files of a year that has not been yet: those of the year before with their year moved on, names and content."""

import io
import json
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl

from metrics.catalog import catalog as declared
from pipelines.horizon import catalog
from pipelines.run import run
from pipelines.settings import Settings
from pipelines.workspace import Workspace
from sources.cpi import HELD_FILE
from sources.framework.editions import Edition, editions
from sources.framework.successor import moved, year_of
from sources.framework.vintage import Vintage
from sources.registry import all_sources
from sources.synthetic import SEED, STATE_CODES, writers
from sources.synthetic.world import World

_TEXT = (".csv", ".json", ".txt", ".xml", ".rels")


def _alone(data: bytes, years: range, step: int) -> bytes:
    """Every year that stands as a number of its own."""
    found = re.compile("|".join(rf"(?<!\d){y}(?!\d)" for y in years))
    return found.sub(lambda m: str(int(m[0]) + step), data.decode("latin-1")).encode("latin-1")


def age_text(source: str, data: bytes, year: int, step: int) -> bytes:
    """The content a year later: years where the source writes them, never a figure."""
    text = data.decode("latin-1")
    header, _, rest = text.partition("\n")
    if source in ("wonder_deaths", "wonder_natality"):
        # The query stands below the figures; the figures have columns for years in the older form only.
        rows, line, footer = text.partition('\n"---"')
        return (
            rows.encode("latin-1") + line.encode() + _alone(footer.encode("latin-1"), range(year - 4, year + 1), step)
        )
    if source == "ahrf":
        return f"{header.replace(f'_{year % 100}', f'_{(year + step) % 100}')}\n{rest}".encode("latin-1")
    if source == "mit_elections":
        return re.sub(rf"(?m)^{year},", f"{year + step},", text).encode("latin-1")
    if source == "acs_pums_census":
        return re.sub(r"(?<!\d)(20\d\d)(GQ|HU)", lambda m: f"{int(m[1]) + step}{m[2]}", text).encode("latin-1")
    if source in ("acs_tables", "mit_living_wage", "cbp"):
        return data
    if source in ("meps", "ccd"):
        return re.sub(rf'("year": ?"?){year}\b', lambda m: f"{m[1]}{year + step}", text).encode("latin-1")
    aged = _alone(data, range(year, year + 2), step).decode("latin-1")
    return re.sub(
        rf"(?<=[a-z])({year})(?!\d)|(?<=FY)({year % 100})(?!\d)", lambda m: str(int(m[0]) + step), aged
    ).encode("latin-1")


def _member(source: str, member: str, year: int, step: int) -> str:
    """The name inside a zip: that of AHRF holds the year of the edition, two after its data."""
    return moved(member, year + 2, step) if source == "ahrf" else moved(member, year, step)


def age(source: str, data: bytes, name: str, year: int, step: int) -> bytes:
    """One file a year later; zips and workbooks are opened."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            for member in old.namelist():
                new.writestr(_member(source, member, year, step), age(source, old.read(member), member, year, step))
        return out.getvalue()
    if name.endswith(".rds"):
        import pyreadr

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            frame = next(iter(pyreadr.read_r(str(path)).values()))
            if "year" in frame.columns:
                frame = frame[frame["year"].astype(float) == year].copy()
                frame["year"] = frame["year"] + step
            pyreadr.write_rds(str(path), frame, compress="gzip")
            return path.read_bytes()
    return age_text(source, data, year, step) if name.endswith(_TEXT) else data


def bring(root: Path, line: Edition, model: Vintage) -> list[Path]:
    """Write the files of a new edition into a raw store, from those of the edition that it is like."""
    year, new = year_of(model), year_of(Vintage(line.vintage, (), ()))
    assert year is not None
    assert new is not None
    step = new - year
    # AHRF names its columns by data year, all others by the year of the edition.
    named = max(model.data_years) if line.source == "ahrf" else year
    made = []
    for path in sorted((root / line.source / line.like).glob("*")):
        if path.is_file() and path.name != "provenance.json":
            target = root / line.source / line.vintage / moved(path.name, year, step)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(age(line.source, path.read_bytes(), path.name, named, step))
                made.append(target)
    return made


DRAWN = ("airtoxscreen", "boundaries", "cnt_ht", "vest_precincts")


def next_year(sample: Path, root: Path) -> None:
    """A raw store with the sample's files, and those of the lines in MOBILITY_EDITIONS."""
    shutil.copytree(sample, root / "raw", ignore=shutil.ignore_patterns("provenance.json"))
    for line in editions():
        model = all_sources()[line.source].vintage(line.like)
        if year_of(model) is not None and line.source not in DRAWN:
            bring(root / "raw", line, model)
    # Editions of 2024 that are declared already, those with codes or shapes of their year, and prices as the agency
    # answers.
    for source in ("popest", *DRAWN):
        writers()[source](root / "raw", World(SEED, (2024,)))
    limits = root / "raw/hud_income_limits"
    (limits / "2024").mkdir()
    older = (limits / "2023/Section8-FY23.xlsx").read_bytes()
    aged = age("hud_income_limits", older, "Section8-FY23.xlsx", 2023, 1)
    (limits / "2024/Section8-FY24.xlsx").write_bytes(aged)
    prices = root / "raw/cpi/bls-api-2024"
    prices.mkdir(parents=True)
    known = pl.read_csv(HELD_FILE, infer_schema=False).select("year", "cpi_u").rows()
    figures = [{"year": y, "period": "M13", "value": v} for y, v in [*known, ("2024", "313.689")]]
    answer = {"status": "REQUEST_SUCCEEDED", "Results": {"series": [{"seriesID": "CUUR0000SA0", "data": figures}]}}
    (prices / "CUUR0000SA0.json").write_text(json.dumps(answer))


def main(sample: Path, root: Path) -> None:
    """Build what is new of 2022 to 2024, publish the last of it, and print what came of it as JSON."""
    next_year(sample, root)
    made = Workspace(
        Settings(_env_file=None, data=str(root), profile="sample", offline=True, states=",".join(STATE_CODES))
    )
    told: dict[str, object] = {}
    new = {
        year: [k for k, e in catalog().items() if year in set(e.predictor.years) - set(declared()[k].predictor.years)]
        for year in (2022, 2023, 2024)
    }
    for year, keys in new.items():
        report = run(made, keys, [year], publish=year == 2024)
        told["folder"] = report.folder
        told[str(year)] = {
            "failed": report.failed,
            "owed": [f"{o['source']} {o['vintage']}" for o in report.owed],
            "values": {k: count(made.scan("estimates", k, year)) for k in keys},
        }
    print(json.dumps(told))


def count(frame: pl.LazyFrame | None) -> int:
    """Figures that have a value."""
    if frame is None:
        return 0
    return int(frame.filter(pl.col("value").is_not_null()).select(pl.len()).collect().item())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
