"""The jobs, and everything Dagster needs to know, for a given workspace."""

import dagster as dg

from pipelines.assets import CANDIDATE, RELEASE, YEARS, all_assets
from pipelines.refresh_jobs import promote, refresh
from pipelines.workspace import Workspace


def build_definitions(workspace: Workspace) -> dg.Definitions:
    """All assets and jobs, working on this workspace, in one process."""
    by_year = dg.define_asset_job(
        "one_year",
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(RELEASE, CANDIDATE),
        partitions_def=YEARS,
        description="All tables and estimates of one data year.",
    )
    publish = dg.define_asset_job(
        "publish",
        selection=dg.AssetSelection.assets(RELEASE),
        description="Publish what has been estimated as a release.",
    )
    candidate = dg.define_asset_job(
        "candidate",
        selection=dg.AssetSelection.assets(CANDIDATE),
        description="Make a candidate release of what has been estimated.",
    )
    return dg.Definitions(
        assets=all_assets(workspace),
        jobs=[by_year, publish, candidate, refresh, promote],
        resources={"workspace": workspace},
        executor=dg.in_process_executor,
    )
