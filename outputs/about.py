"""What the caller tells a release about itself: profile, inputs, sources. Outputs never import sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

SCHEMA_VERSION: Final = "1.0"
"""Version of the shape of published files: the first number rises when readers must adapt, the second for additions."""

SYNTHETIC_NOTICE: Final = "SYNTHETIC: generated figures for testing, not about any real place."


@dataclass(frozen=True)
class SourceNote:
    """One source as readers of a release need it (a subset of `sources.framework.declare.Source`)."""

    key: str
    agency: str = ""
    dataset: str = ""
    citation: str = ""
    licence: str = ""
    redistribute: bool = True
    landing_page: str = ""

    @property
    def title(self) -> str:
        """Agency and data set; the key where nothing more is known."""
        return ": ".join(t for t in (self.agency, self.dataset) if t) or self.key


@dataclass(frozen=True)
class InputFile:
    """One raw file the release was made from."""

    source: str
    vintage: str
    file: str
    sha256: str
    licence: str = ""
    url: str | None = None
    retrieved_at: str | None = None


@dataclass(frozen=True)
class Lineage:
    """What one predictor's figures of one year were made from.

    `code_version` covers the program from the reader to the estimate; `files` are (source, vintage, file, sha256).
    """

    predictor: str
    year: int
    code_version: str
    files: tuple[tuple[str, str, str, str], ...] = ()


@dataclass(frozen=True)
class OwedFile:
    """A source file that could not be had, with the recipe for a person to get it."""

    source: str
    vintage: str
    recipe: str
    years: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReleaseMeta:
    """Facts about the run behind a release.

    `states` lists the 2-digit codes of a partial run, None for the whole nation. `sources` maps source keys to what the
    dictionary says about them; a predictor's source that is missing there is named by its key alone. `lineage` says, by
    predictor and year, what figures were made from, so that a later release can say what changed. `owed` are the source
    files that could not be had.
    """

    profile: str
    code_version: str
    synthetic: bool = False
    states: tuple[str, ...] | None = None
    inputs: tuple[InputFile, ...] = ()
    sources: Mapping[str, SourceNote] = field(default_factory=dict)
    lineage: tuple[Lineage, ...] = ()
    owed: tuple[OwedFile, ...] = ()

    def notes_for(self, keys: Iterable[str]) -> list[SourceNote]:
        """The notes of these sources, in their order."""
        return [self.sources.get(key, SourceNote(key)) for key in keys]
