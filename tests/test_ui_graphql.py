"""The pages of the Dagster UI carry what was promised: asked of its own GraphQL, on the records of the sample build."""

import base64
import json
import sys

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.testclient import TestClient

from metrics.catalog import catalog
from pipelines.settings import PROJECT, Settings
from schemas.estimate import ESTIMATE

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sample")]

PAGES = """
query Pages {
  assetNodes {
    assetKey { path }
    groupName description kinds isPartitioned
    owners { ... on TeamAssetOwner { team } }
    tags { key value }
    dependencyKeys { path }
    metadataEntries { ...entry }
    assetMaterializations(limit: 1) { partition metadataEntries { ...entry } }
    assetChecksOrError {
      ... on AssetChecks {
        checks {
          name description blocking
          partitionStatuses { ... on AssetCheckDefaultPartitionStatuses { succeededPartitions failedPartitions } }
          executionForLatestMaterialization {
            status evaluation { success severity description metadataEntries { ...entry } }
          }
        }
      }
    }
  }
}
fragment entry on MetadataEntry {
  __typename label
  ... on TextMetadataEntry { text }
  ... on IntMetadataEntry { intValue }
  ... on UrlMetadataEntry { url }
  ... on PathMetadataEntry { path }
  ... on MarkdownMetadataEntry { mdStr }
  ... on TableMetadataEntry { table { records schema { columns { name description } } } }
  ... on TableSchemaMetadataEntry { schema { columns { name type description } } }
}
"""


@pytest.fixture(scope="module")
def pages(sample_root):
    """Asset key -> page, for all assets."""
    with pytest.MonkeyPatch.context() as patch:
        settings = Settings(_env_file=None, data=str(sample_root), profile="sample")
        patch.setenv("MOBILITY_STATE", str(settings.state_root))
        origin = InProcessCodeLocationOrigin(
            LoadableTargetOrigin(executable_path=sys.executable, module_name="pipelines.definitions")
        )
        with (
            dg.DagsterInstance.from_config(str(PROJECT)) as instance,
            WorkspaceProcessContext(instance, InProcessTestWorkspaceLoadTarget(origin)) as context,
        ):
            client = TestClient(DagsterWebserver(context).create_asgi_app())
            answer = client.post("/graphql", json={"query": PAGES}).json()
    assert "errors" not in answer, answer["errors"][:1]
    return {"/".join(node["assetKey"]["path"]): node for node in answer["data"]["assetNodes"]}


def entries(found):
    return {e["label"]: e for e in found["metadataEntries"]}


def drawing(entry):
    """The SVG text behind a picture of a page."""
    assert "data:image/svg+xml;base64," in entry["mdStr"]
    return base64.b64decode(entry["mdStr"].rpartition("base64,")[2].rstrip(")")).decode()


def records(entry):
    return [json.loads(r) for r in entry["table"]["records"]]


@pytest.mark.parametrize("key", [k for k, e in catalog().items() if e.built])
def test_every_estimates_page_carries_what_was_promised(pages, key):
    page, predictor = pages[f"estimates/{key}"], catalog()[key].predictor
    # What it is, in plain words; where it belongs; who answers for it.
    assert predictor.definition in page["description"]
    assert all(m.title in page["description"] for m in predictor.metrics if m.published)
    assert page["groupName"] == predictor.pillar
    assert page["owners"] == [{"team": "mobility-metrics"}]
    assert set(page["kinds"]) == {"parquet", "polars"}
    tags = {t["key"]: t["value"] for t in page["tags"]}
    assert (tags["pillar"], tags["predictor"], tags["stage"]) == (predictor.pillar, key, "estimates")
    assert page["isPartitioned"]
    assert page["dependencyKeys"]
    # Method, columns.
    defined = entries(page)
    assert (PROJECT / defined["method in code"]["path"]).is_file()
    assert defined["method"]["text"] == predictor.method
    columns = defined["dagster/column_schema"]["schema"]["columns"]
    assert [c["name"] for c in columns] == list(ESTIMATE)
    assert all(c["description"] for c in columns)
    # What the last run of a year told.
    (last,) = page["assetMaterializations"]
    assert last["partition"] in {str(y) for y in predictor.years}
    made = entries(last)
    assert made["dagster/partition_row_count"]["intValue"] > 0
    assert records(made["preview"])
    first = predictor.metrics[0].column if len(predictor.metrics) == 1 else ""
    by_year = drawing(made["distribution"])
    assert f"{first} by year" in by_year
    made_years = {str(y) for y in predictor.years if f">{y}</text>" in by_year}
    assert last["partition"] in made_years
    named = drawing(made["lowest and highest"])
    assert "lowest and highest" in named
    assert ", NC<" in named or ", RI<" in named or ", AK<" in named
    assert "by state" in named
    assert sum(int(r["figures"]) for r in records(made["quality"])) == made["dagster/partition_row_count"]["intValue"]
    counts = made["dropped and unmatched"]
    assert counts.get("text") == "none" or all(r["count"].isdigit() for r in records(counts))
    assert {r["table"] for r in records(made["made from"])} >= {"spine"}
    assert all(r["fingerprint"] for r in records(made["made from"]) if r["table"] == "spine")
    files = records(made["source files"])
    assert files
    assert all(len(f["sha256"]) == 64 and f["licence"] for f in files)
    # Checks with their results, grouped, each rule in words.
    checks = {c["name"]: c for c in page["assetChecksOrError"]["checks"]}
    assert set(checks) >= {"keys", "values", "plausible", "inputs_present"}
    assert checks["keys"]["blocking"]
    assert checks["values"]["blocking"]
    for name in ("keys", "values", "plausible"):
        run = checks[name]["executionForLatestMaterialization"]
        assert run is not None, name
        assert "rules" in run["evaluation"]["description"], name
        rules = records(entries(run["evaluation"])["rules"])
        assert all(r["what must hold"] and r["result"] in ("holds", "look at it") for r in rules)
        # The result of each year stands on the check's own page: of the years made, none is missing or outdated.
        kept = checks[name]["partitionStatuses"]
        made_here = {*kept["succeededPartitions"], *kept["failedPartitions"]}
        assert made_here >= {str(y) for y in predictor.years}, (name, kept)
        assert not kept["failedPartitions"] or name == "plausible"


def test_tables_and_sources_say_where_their_files_come_from(pages):
    for name, page in pages.items():
        if name.startswith("tables/"):
            assert page["groupName"].startswith("tables_"), name
            assert page["description"], name
        if name.startswith("raw/") and name != "raw/source_inventory":
            defined = entries(page)
            assert defined["licence"]["text"], name
            assert defined["landing page"]["url"].startswith("http"), name
    employment = entries(pages["raw/geocorr"]["assetMaterializations"][0])
    assert all(len(f["sha256"]) == 64 for f in records(employment["files"]))
