"""Shared fixtures. Real files are read from the shared folder; they are never part of the project."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does; must stand before numpy is imported

from pathlib import Path

import pytest
from hypothesis import settings
from sample_build import mobility

# Tests say what the code does, not how fast the machine of the day is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parent.parent


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name a case of file content by its argument. Packed files hold the time they were made, so that each
    process that collects would give their bytes another name; long texts make names nobody can read or select."""
    if isinstance(val, bytes) or (isinstance(val, str) and (len(val) > 60 or not val.isprintable())):
        return argname
    return None


def _shared() -> Path | None:
    folder = Path(os.environ.get("MOBILITY_SHARED", ROOT.parent / "shared"))
    return folder if (folder / "mirror").is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real agency files and published results (setting MOBILITY_SHARED, default ../shared)."""
    folder = _shared()
    if folder is None:
        message = "the shared folder with real files is missing; set MOBILITY_SHARED"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def mirror(shared: Path) -> Path:
    """Real source files, laid out as the raw store."""
    return shared / "mirror"


@pytest.fixture(scope="session")
def realcases(shared: Path) -> Path:
    """Raw input and published result pairs."""
    return shared / "realcases"


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory) -> Path:
    """A data root in which `mobility build --profile sample` has run."""
    root = tmp_path_factory.mktemp("sample") / "data"
    done = mobility("build", "--profile", "sample", data=root)
    assert done.returncode == 0, done.stdout + done.stderr
    (root / "closing-message.txt").write_text(done.stdout)
    return root


@pytest.fixture(scope="session")
def national(realcases, tmp_path_factory) -> Path:
    """A release of national size from the reference's published figures, with its explorer."""
    from explorer_support import write_national

    return write_national(realcases / "published_files/raw", tmp_path_factory.mktemp("national"))
