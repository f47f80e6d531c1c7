"""One edition of a source and its files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceFile:
    """One file of a vintage.

    `name` is the agency's file name, and the name in the store. A name with "{st}" (lower-case postal code) or
    "{fips}" stands for one file per state; one with "*" for every file that matches. `accept` lists other names under
    which a mirror or a person may deliver it; a trailing ".gz" is always accepted. `url` is where it is downloaded;
    None for files that a person must fetch. `accept` and `url` are filled in per state like the name, "{ST}" with the
    postal code in capitals. With `link`, a regular expression, `url` answers with a page and the file is behind the
    first text on it that matches. `kind` is checked on arrival: zip, gzip, csv, json, xlsx, xls, text, xml, rds, dta
    (where the name ends in .gz: what is inside). `min_bytes` refuses stubs. With `paged`, `url` answers with the first
    page of a list (see `sources.framework.pages`); the "*" of `name` stands for the number of the page.
    """

    name: str
    kind: str
    url: str | None = None
    accept: tuple[str, ...] = ()
    min_bytes: int = 1
    link: str | None = None
    paged: bool = False

    @property
    def per_state(self) -> bool:
        """Whether the file comes once per state."""
        return "{st}" in self.name or "{fips}" in self.name


@dataclass(frozen=True)
class Vintage:
    """One edition of a source: a folder of the raw store (`raw/<source>/<key>/`).

    `data_years` are the data years that are computed from it. `published` is the agency's release date or month, where
    known (ISO text). `page` and `recipe` take the place of the source's where an edition lies elsewhere.
    """

    key: str
    files: tuple[SourceFile, ...]
    data_years: tuple[int, ...]
    published: str | None = None
    note: str = ""
    page: str | None = None
    recipe: str | None = None
