"""A data root of two quick predictors that builds in a few seconds, for tests of what happens around a build."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.run import RunReport, run
from pipelines.settings import Settings
from pipelines.workspace import Workspace
from sources.synthetic import SEED, STATE_CODES, writers
from sources.synthetic.world import World

QUICK_SOURCES = ("popest", "wonder_natality", "mit_living_wage", "qcew")
PREDICTORS = ["neonatal_health", "living_wage"]


def write_raw(root: Path, years: tuple[int, ...] = (2022, 2023), sources: tuple[str, ...] = QUICK_SOURCES) -> None:
    """Synthetic raw files of some sources and years, as the sample profile writes them."""
    world = World(SEED, years)
    for source in sources:
        writers()[source](root / "raw", world)


def workspace(root: Path, **changes: object) -> Workspace:
    """The sample profile over a data root whose raw files are there already."""
    settings = Settings(_env_file=None, data=str(root), profile="sample", offline=True, states=",".join(STATE_CODES))
    return Workspace(settings.model_copy(update=dict(changes)))


def build(root: Path, predictors: list[str], years: list[int] | None = None, *, candidate: bool = False) -> RunReport:
    """What `mobility build` does after the raw files are there."""
    with clean_environment():
        report = run(workspace(root), predictors, years, candidate=candidate)
    assert report.failed == {}
    return report


@contextmanager
def clean_environment() -> Iterator[None]:
    """A run makes its settings visible to child processes through the environment; put that back."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def latest(root: Path) -> str:
    return (root / "published" / "LATEST").read_text().strip()


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
