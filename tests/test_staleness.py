"""What makes a table stale: its raw files, wherever the data root lies."""

import json

import pytest

from pipelines.engine import inventory, refresh_table, table_is_fresh
from pipelines.settings import Settings
from pipelines.workspace import Workspace

ANSWER = {
    "status": "REQUEST_SUCCEEDED",
    "Results": {
        "series": [
            {
                "seriesID": "CUUR0000SA0",
                "data": [
                    {"year": str(year), "period": period, "value": f"{200 + year - 2000}.{digit}00"}
                    for year in range(2014, 2024)
                    for period, digit in (("M13", 1), ("S01", 2))
                ],
            }
        ]
    },
}


@pytest.fixture(scope="module")
def bucket():
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    patch = pytest.MonkeyPatch()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        patch.setenv(name, value)
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="mobility")
    yield "s3://mobility"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
    patch.undo()


@pytest.fixture(params=["local", "remote"])
def ws(request, tmp_path):
    root = str(tmp_path / "data") if request.param == "local" else f"{request.getfixturevalue('bucket')}/data"
    return Workspace(Settings(_env_file=None, data=root, state=tmp_path / "state", offline=True))


def test_a_raw_file_that_comes_or_changes_makes_its_table_stale(ws):
    assert refresh_table(ws, "cpi", 2022).status == "built"
    assert table_is_fresh(ws, "cpi", 2022)
    assert refresh_table(ws, "cpi", 2022).status == "unchanged"
    published = ws.scan("tables", "cpi", 2022).collect()

    file = ws.root / "raw" / "cpi" / "bls-api" / "CUUR0000SA0.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ANSWER))
    ws.look_again()
    assert not table_is_fresh(ws, "cpi", 2022)
    found = refresh_table(ws, "cpi", 2022)
    assert found.status == "built"
    assert not ws.scan("tables", "cpi", 2022).collect().equals(published)
    ws.look_again()
    assert table_is_fresh(ws, "cpi", 2022)

    # Other bytes of the same length, as a person might put them there.
    file.write_text(json.dumps(ANSWER).replace('"222.100"', '"222.300"'))
    ws.look_again()
    assert not table_is_fresh(ws, "cpi", 2022)


def test_what_does_not_concern_a_table_leaves_it_fresh(ws):
    before = inventory(ws, ("cpi",), 2022)
    for path in ("raw/popest/v2022/x.csv", "raw/cpi/bls-api/provenance.json", "raw/cpi/bls-api/.x.tmp"):
        file = ws.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    ws.look_again()
    assert inventory(ws, ("cpi",), 2022) == before
    (ws.root / "inbox" / "cpi").mkdir(parents=True, exist_ok=True)
    (ws.root / "inbox" / "cpi" / "CUUR0000SA0.json").write_text("{}")
    ws.look_again()
    assert inventory(ws, ("cpi",), 2022) != before
