"""What Dagster loads (`dagster dev -m pipelines.definitions`, see `mobility ui`); settings from the environment."""

from pipelines.jobs import build_definitions
from pipelines.settings import Settings
from pipelines.workspace import Workspace

defs = build_definitions(Workspace(Settings()))
