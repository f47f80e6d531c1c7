"""Settings: environment variables (or a `.env` file), overridden by the command line. Keys never print."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from upath import UPath

from schemas.errors import MobilityError
from sources.framework.states import BY_FIPS, BY_POSTAL

Profile = Literal["sample", "live"]
LayoutChoice = Literal["clean", "reference"]
PROJECT = Path(__file__).resolve().parent.parent


# Asked thousands of times in a build.
@cache
def _local_root(data: str, here: Path) -> UPath | None:
    return UPath(here / data) if UPath(data).protocol in ("", "file") else None


@cache
def _state_codes(states: str) -> tuple[str, ...]:
    names = {name.strip().upper() for name in states.split(",") if name.strip()}
    codes = {BY_POSTAL[name].fips if name in BY_POSTAL else name.zfill(2) for name in names}
    if unknown := sorted(codes - set(BY_FIPS)):
        raise MobilityError(f"no such state: {', '.join(unknown)}. Give FIPS or postal codes, such as 37,RI.")
    return tuple(sorted(codes))


class Settings(BaseSettings):
    """Where data live, where files come from, and the agencies' keys.

    `data` is a local folder or an `s3://` URL; `mirror` a folder or base URL laid out as the raw store; `state` a local
    folder for Dagster's records, locks and scratch files (default: inside a local data root, else `.mobility`).
    `executor` carries out the steps of one run: `in_process`, `multiprocess`, or the dotted name of another one.
    `substitute` names sources that stand in for a predictor's own (`chr`), or `none`; unset: as last built.
    `layout` "reference" adds to each release the same figures in the shape of the reference's own files.
    `processes` is how many data years are worked on at a time (default: see `pipelines.years.processes`).
    """

    model_config = SettingsConfigDict(env_prefix="MOBILITY_", env_file=".env", extra="ignore", populate_by_name=True)

    data: str = "data"
    mirror: str | None = None
    state: Path | None = None
    profile: Profile = "live"
    states: str | None = None
    substitute: str | None = None
    offline: bool = False
    executor: str = "in_process"
    processes: int | None = Field(default=None, ge=1)
    layout: LayoutChoice = "clean"
    ipums_api_key: SecretStr | None = Field(default=None, validation_alias="IPUMS_API_KEY")
    census_api_key: SecretStr | None = Field(default=None, validation_alias="CENSUS_API_KEY")

    @property
    def data_root(self) -> UPath:
        """The data root, absolute if local."""
        return _local_root(self.data, Path.cwd()) or UPath(self.data)

    @property
    def data_is_local(self) -> bool:
        """Whether the data root is a folder of this machine."""
        return self.data_root.protocol in ("", "file")

    @property
    def state_root(self) -> Path:
        """The local state folder, absolute."""
        if self.state is not None:
            return self.state.absolute()
        return Path(str(self.data_root)) / ".state" if self.data_is_local else Path(".mobility").absolute()

    @property
    def state_codes(self) -> tuple[str, ...] | None:
        """The states of the run as sorted 2-digit codes, or None for all."""
        return _state_codes(self.states) if self.states else None

    def export(self) -> None:
        """Make the settings visible to child processes (the UI), which read them from the environment again."""
        os.environ["MOBILITY_DATA"] = str(self.data_root)
        os.environ["MOBILITY_STATE"] = str(self.state_root)
        os.environ["MOBILITY_PROFILE"] = self.profile
        os.environ["MOBILITY_OFFLINE"] = str(int(self.offline))
        os.environ["MOBILITY_LAYOUT"] = self.layout
        for name in ("mirror", "states", "substitute"):
            os.environ[f"MOBILITY_{name.upper()}"] = str(getattr(self, name) or "")
