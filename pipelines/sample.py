"""The profile `sample`: synthetic raw files stand in for a mirror; the network is never touched."""

from pathlib import Path

from pipelines.settings import Settings


def with_synthetic_mirror(settings: Settings) -> Settings:
    """Write the synthetic raw files (if they are not there yet) and return settings that use them as the mirror."""
    from sources.synthetic import generate

    folder: Path = settings.state_root / "synthetic-mirror"
    generate(folder)
    return settings.model_copy(update={"mirror": str(folder), "offline": True, "states": None})
