"""Paged answers: every page is a file of the store, and a list is whole or not there."""

import json
from pathlib import Path

import pytest
from school_support import lay, page, retrieval
from werkzeug import Request, Response

from schemas.errors import InputError, OwedError
from sources.framework import Access, Source, SourceFile, Status, Vintage
from sources.framework.fetch import Downloader, Hosts
from sources.framework.pages import next_page, read_page

NAME = "list_*.json"


def source(url: str) -> Source:
    return Source(
        key="test_source",
        agency="Test Agency",
        dataset="Test data",
        citation="Test Agency, 2019",
        licence="public domain",
        redistribute=True,
        landing_page="https://data.example/page",
        access=Access.DOWNLOAD,
        vintages=(Vintage("2019", (SourceFile(NAME, "json", url, paged=True),), (2019,)),),
        recipe="Save each page.",
    )


def pages(base: str) -> list[str]:
    records = [[{"a": n}] for n in range(3)]
    addresses = [f"{base}/list", f"{base}/list?page=2", f"{base}/list?page=3", None]
    return [page(r, count=3, following=following) for r, following in zip(records, addresses[1:], strict=True)]


@pytest.fixture
def served(httpserver):
    """The list on a server; and the page numbers that were asked for."""
    asked: list[str] = []

    def handler(request: Request) -> Response:
        asked.append(request.args.get("page", "1"))
        return Response(pages(httpserver.url_for("").rstrip("/"))[int(asked[-1]) - 1])

    httpserver.expect_request("/list").respond_with_handler(handler)
    return source(httpserver.url_for("/list")), asked


def online(root: Path):
    return retrieval(root, offline=False, downloader=Downloader(sleep=lambda _: None, hosts=Hosts()))


def test_pages_are_followed_to_the_last_and_fetched_once(served, tmp_path):
    listed, asked = served
    first = online(tmp_path)
    files = first.obtain(listed, "2019")
    assert [f.name for f in files] == ["list_0001.json", "list_0002.json", "list_0003.json"]
    assert [read_page(f.path, source="s")["results"] for f in files] == [[{"a": n}] for n in range(3)]
    assert asked == ["1", "2", "3"]
    assert first.used == files
    provenance = json.loads((tmp_path / "raw/test_source/2019/provenance.json").read_text())["files"]
    assert provenance["list_0002.json"]["url"].endswith("/list?page=2")
    assert {entry["how"] for entry in provenance.values()} == {"download"}
    again = retrieval(tmp_path)
    assert [f.sha256 for f in again.obtain(listed, "2019")] == [f.sha256 for f in files]
    assert again.status(listed, "2019") is Status.PRESENT
    assert asked == ["1", "2", "3"]


def test_a_list_that_broke_off_is_continued(served, tmp_path):
    listed, asked = served
    files = online(tmp_path).obtain(listed, "2019")
    files[2].path.unlink()
    with pytest.raises(OwedError, match=r"list_0003.json is missing.*Save each page"):
        retrieval(tmp_path).obtain(listed, "2019")
    assert [f.name for f in online(tmp_path).obtain(listed, "2019")][2] == "list_0003.json"
    assert asked == ["1", "2", "3", "3"]


def test_a_page_that_cannot_be_had_leaves_the_list_owed(httpserver, tmp_path):
    base = httpserver.url_for("").rstrip("/")
    httpserver.expect_request("/list", query_string="page=2").respond_with_data("gone", status=404)
    httpserver.expect_request("/list").respond_with_data(pages(base)[0])
    r = online(tmp_path)
    with pytest.raises(OwedError, match=r"list_0002.json: the server has no such file") as owed:
        r.obtain(source(f"{base}/list"), "2019")
    assert owed.value.files == (NAME,)
    assert r.used == []


def test_pages_come_from_mirror_and_inbox(tmp_path):
    listed = source("https://api.example/list")
    texts = [t.replace("https://x", "https://api.example") for t in pages("https://x")]
    for number in (1, 3):
        lay(tmp_path / "mirror/test_source/2019", f"list_000{number}.json", texts[number - 1])
    lay(tmp_path / "data/inbox/test_source/2019", "list_0002.json", texts[1])
    r = retrieval(tmp_path / "data", mirror=tmp_path / "mirror")
    assert r.has(listed, "2019", (NAME,))
    assert [f.how for f in r.obtain(listed, "2019")] == ["mirror", "person", "mirror"]


def test_nothing_at_hand_and_no_network(tmp_path):
    r = retrieval(tmp_path)
    listed = source("https://api.example/list")
    assert r.status(listed, "2019") is Status.DOWNLOADABLE
    with pytest.raises(OwedError, match=r"Fetch list_\*.json .* Address: https://api.example/list"):
        r.obtain(listed, "2019")


@pytest.mark.parametrize(
    "following", ["https://elsewhere.example/list?page=2", "https://api.example/list", "file:///etc/hosts"]
)
def test_pages_lead_neither_elsewhere_nor_in_a_circle(tmp_path, following):
    listed = source("https://api.example/list")
    lay(tmp_path / "raw/test_source/2019", "list_0001.json", page([{"a": 1}], following=following))
    with pytest.raises(InputError, match=r"file list_0001.json: the next page cannot be at"):
        retrieval(tmp_path).obtain(listed, "2019")


NO_PAGES = {
    "a list": ("[1]", "this is no page of an answer"),
    "an error": ('{"detail": "not found"}', "this is no page of an answer"),
    "no json": ("{", "row 1: this is not JSON"),
    "records that are none": ('{"count": 1, "next": null, "results": [1]}', "results is not a list of records"),
    "results that are none": ('{"count": 1, "next": null, "results": {}}', "results is not a list of records"),
    "a number for next": ('{"count": 1, "next": 2, "results": []}', "next is not an address"),
    "no count": ('{"count": null, "next": null, "results": []}', "count is not a number"),
    "web page": ("<!DOCTYPE html><html></html>", "this is a web page"),
    "empty": ("", "the file is empty"),
}


@pytest.mark.parametrize("fault", NO_PAGES)
def test_what_is_no_page(tmp_path, fault):
    text, message = NO_PAGES[fault]
    path = lay(tmp_path, "list_0001.json", text)
    with pytest.raises(InputError, match=message):
        read_page(path, source="test_source")


@pytest.mark.parametrize(
    "text",
    [
        '{"count":2,"next":"https://a.example/2","results":[{"next":"x"}]}',
        '{"results":[{"next":"x"}],"count":2,"next":"https://a.example/2"}',
    ],
)
def test_the_order_of_a_page_does_not_matter(tmp_path, text):
    path = lay(tmp_path, "list_0001.json", text)
    assert next_page(path, ["https://a.example/1"], source="s") == "https://a.example/2"
