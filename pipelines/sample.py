"""The profile `sample`: synthetic raw files are written into the store; the network is never touched."""

from pathlib import Path

from pipelines.settings import Settings
from pipelines.workspace import Workspace
from schemas.errors import MobilityError


def prepare(settings: Settings) -> Settings:
    """For the profile `sample`: write the synthetic raw files (if they are not there yet); other settings unchanged."""
    if settings.profile != "sample":
        return settings
    Workspace(settings).claim()
    from sources.synthetic import STATE_CODES, generate

    if not settings.data_is_local:
        raise MobilityError("the sample profile writes to a local folder; choose one with --data.")
    try:
        generate(Path(str(settings.data_root)) / "raw")
    except FileExistsError as error:
        raise MobilityError(f"{error} Choose another folder with --data.") from error
    return settings.model_copy(update={"mirror": None, "offline": True, "states": ",".join(STATE_CODES)})
