"""The jobs, and everything Dagster needs to know, for a given workspace."""

import dagster as dg

from pipelines.assets import RELEASE, YEARS, all_assets
from pipelines.workspace import Workspace


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """All assets and jobs, working on this workspace, in one process."""
    by_year = dg.define_asset_job(
        "one_year",
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(RELEASE),
        partitions_def=YEARS,
        description="All tables and estimates of one data year.",
    )
    publish = dg.define_asset_job(
        "publish",
        selection=dg.AssetSelection.assets(RELEASE),
        description="Publish what has been estimated as a release.",
    )
    return dg.Definitions(
        assets=all_assets(workspace),
        jobs=[by_year, publish],
        resources={"workspace": workspace},
        executor=dg.in_process_executor,
    )
