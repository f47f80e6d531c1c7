"""The data root as the pipeline sees it: tables and estimates with their accounts, and what they were made from."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
from upath import UPath

from pipelines.microdata import microdata_uses
from pipelines.settings import Profile, Settings
from schemas.errors import MobilityError
from sources.framework import Retrieval, Scope
from sources.framework.provenance import PROVENANCE

Kind = Literal["tables", "estimates"]
Progress = Callable[[str, str, str], None]

# What file systems call the checksum and the times of a file.
_CHECKSUMS = ("ETag", "etag", "md5", "md5Hash", "content_md5")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


class ProfileError(MobilityError):
    """Synthetic and real data must not meet in one data root."""


@dataclass
class Account:
    """What is written beside each Parquet file (`<year>.json`): how it came to be.

    `fingerprint` identifies the content by what it was made from (inputs, code, scope). `inputs` are the raw files
    (tables) or the fingerprints of upstream tables (estimates). `owed` lists recipes of inputs that could not be had.
    `serves` are the predictors whose needs of a microdata table were looked after when it was made. `checks` is what
    the rules said of it (`schemas.data_rules.Finding.told`), `rules` the version of those rules.
    """

    name: str
    year: int
    fingerprint: str
    code_version: str
    states: list[str] | None
    profile: str
    rows: int = 0
    content_hash: str = ""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    owed: list[dict[str, Any]] = field(default_factory=list)
    inventory: str = ""
    serves: list[str] = field(default_factory=list)
    built_at: str = ""
    checks: list[dict[str, Any]] = field(default_factory=list)
    rules: str = ""

    @property
    def present(self) -> bool:
        """Whether a Parquet file stands beside this account."""
        return self.content_hash != ""


def digest(*parts: object) -> str:
    """A short hash of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass
class Workspace:
    """Data root, state folder, profile and scope of a run. `predictors` are those that are asked for (None: all)."""

    settings: Settings
    progress: Progress = lambda _stage, _name, _status: None
    force: bool = False
    predictors: tuple[str, ...] | None = None

    @property
    def root(self) -> UPath:
        """The data root."""
        return self.settings.data_root

    @property
    def profile(self) -> Profile:
        """`sample` (synthetic) or `live`."""
        return self.settings.profile

    @property
    def scope(self) -> Scope:
        """States covered."""
        return Scope(self.settings.state_codes)

    @property
    def states(self) -> list[str] | None:
        """States covered, as a list for accounts."""
        return list(self.scope.states) if self.scope.states else None

    @property
    def scratch(self) -> Path:
        """A local folder for working files."""
        folder = self.settings.state_root / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def claim(self) -> None:
        """Mark the data root as belonging to this profile; refuse a root that belongs to the other one."""
        marker = self.root / "PROFILE"
        if marker.exists():
            found = marker.read_text().strip()
            if found != self.profile:
                raise ProfileError(
                    f"{self.root} holds data of the profile '{found}', this run is '{self.profile}'. "
                    "Choose another folder with --data, or remove that one."
                )
            return
        self.root.mkdir(parents=True, exist_ok=True)
        marker.write_text(self.profile + "\n")

    def remember_states(self) -> None:
        """Note which states this root was last built for; `rebuild`, `trace`, `sources` and `ui` go by it."""
        (self.root / "STATES").write_text(",".join(self.states or []) + "\n")

    def look_again(self) -> None:
        """Forget what was seen of a remote data root: others may have written to it since."""
        if not self.settings.data_is_local:
            self.root.fs.invalidate_cache()

    def listing(self, folder: UPath | Path) -> list[tuple[str, str]]:
        """Name and state of each file in a folder, sorted: working files and provenance left out; empty if none.

        The state changes with the file: size and time of change of a local one, the checksum that the store keeps
        (`ETag`) of a remote one, or its size and times if the store keeps none.
        """
        found = self._remote_files(folder) if isinstance(folder, UPath) else self._local_files(folder)
        return sorted((n, state) for n, state in found if n != PROVENANCE and not n.startswith("."))

    @staticmethod
    def _local_files(folder: Path) -> Iterator[tuple[str, str]]:
        try:
            entries = os.scandir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                if entry.is_file():
                    stat = entry.stat()
                    yield entry.name, f"{stat.st_size} {stat.st_mtime_ns}"

    @staticmethod
    def _remote_files(folder: UPath) -> Iterator[tuple[str, str]]:
        try:
            entries = folder.fs.ls(folder.path, detail=True)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry["type"] == "file":
                checksum = next((entry[k] for k in _CHECKSUMS if entry.get(k)), None)
                state = checksum or [entry["size"], *(str(entry[k]) for k in _TIMES if k in entry)]
                yield entry["name"].rstrip("/").rsplit("/", 1)[-1], str(state)

    def retrieval(self, year: int | None = None) -> Retrieval:
        """A fresh retrieval for one table (of data year `year`); it records which raw files were used."""
        s = self.settings
        return Retrieval(
            root=self.root,
            mirror=s.mirror,
            scope=self.scope,
            scratch=self.scratch,
            offline=s.offline,
            synthetic=self.profile == "sample",
            ipums_key=s.ipums_api_key.get_secret_value() if s.ipums_api_key else None,
            census_key=s.census_api_key.get_secret_value() if s.census_api_key else None,
            uses=microdata_uses(self.predictors, year) if year is not None else None,
            uses_to_order=microdata_uses(self._served(year), year) if year is not None else None,
        )

    def _served(self, year: int) -> tuple[str, ...] | None:
        """The predictors of the run, and those that the microdata tables of the year have served before."""
        if self.predictors is None:
            return None
        accounts = (self.account("tables", name, year) for name in microdata_uses(None, year))
        return tuple(sorted({*self.predictors, *(p for a in accounts if a is not None for p in a.serves)}))

    # Files -----------------------------------------------------------------------------------------------------------

    def path(self, kind: Kind, name: str, year: int) -> UPath:
        """`<root>/<kind>/<name>/<year>.parquet`."""
        return self.root / kind / name / f"{year}.parquet"

    def account(self, kind: Kind, name: str, year: int) -> Account | None:
        """The account beside that Parquet file, if there is one for this profile and these states."""
        file = self.path(kind, name, year).with_suffix(".json")
        if not file.exists():
            return None
        account = Account(**json.loads(file.read_text()))
        same = account.profile == self.profile and account.states == self.states
        return account if same else None

    def scan(self, kind: Kind, name: str, year: int) -> pl.LazyFrame | None:
        """The table or the estimates, or None if they are owed or were made for other states."""
        account = self.account(kind, name, year)
        if account is None or not account.present:
            return None
        return pl.scan_parquet(str(self.path(kind, name, year)))

    def years(self, kind: Kind, name: str) -> list[int]:
        """Years for which a file of this scope is there."""
        folder = self.root / kind / name
        found = [int(f.stem) for f in folder.glob("*.json")] if folder.exists() else []
        return sorted(y for y in found if (a := self.account(kind, name, y)) is not None and a.present)

    def write(
        self,
        kind: Kind,
        frame: pl.DataFrame | pl.LazyFrame,
        account: Account,
        *,
        inspect: Callable[[pl.LazyFrame], None] | None = None,
    ) -> Account:
        """Write beside, then rename: a reader never sees half a file, and a failed write leaves the last good one.

        `inspect` sees what was written before it takes its place; what it raises keeps the last good file there.
        """
        path = self.path(kind, account.name, account.year)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.settings.data_is_local:
            target = Path(str(path))
            # A streaming write that fails may leave its file behind a moment later: clear away what earlier ones left.
            for leftover in target.parent.glob(f".{target.name}.*.tmp"):
                leftover.unlink(missing_ok=True)
            beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            try:
                self._write_parquet(frame, beside)
                account.rows = pl.scan_parquet(beside).select(pl.len()).collect().item()
                if inspect is not None:
                    inspect(frame.lazy() if isinstance(frame, pl.DataFrame) else pl.scan_parquet(beside))
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
        else:
            beside = self.scratch / f"{account.name}-{account.year}.parquet"
            self._write_parquet(frame, beside)
            try:
                account.rows = pl.scan_parquet(beside).select(pl.len()).collect().item()
                if inspect is not None:
                    inspect(frame.lazy() if isinstance(frame, pl.DataFrame) else pl.scan_parquet(beside))
                path.write_bytes(beside.read_bytes())
            finally:
                beside.unlink(missing_ok=True)
        account.content_hash = account.content_hash or account.fingerprint
        self.write_account(kind, account)
        return account

    @staticmethod
    def _write_parquet(frame: pl.DataFrame | pl.LazyFrame, path: Path) -> None:
        if isinstance(frame, pl.LazyFrame):
            frame.sink_parquet(path, compression="zstd", compression_level=3)
        else:
            frame.write_parquet(path, compression="zstd", compression_level=3)

    def write_account(self, kind: Kind, account: Account) -> None:
        """Write the account alone (an input that is owed has an account but no table)."""
        account.built_at = datetime.now(UTC).isoformat(timespec="seconds")
        file = self.path(kind, account.name, account.year).with_suffix(".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(vars(account), indent=1, sort_keys=True, default=str) + "\n")


def canonical_hash(frame: pl.DataFrame) -> str:
    """A hash of the content that does not depend on file format or library version: CSV of the sorted rows."""
    ordered = frame.sort(frame.columns[:8]) if frame.width >= 8 else frame.sort(frame.columns)
    return hashlib.sha256(ordered.write_csv().encode()).hexdigest()[:16]
