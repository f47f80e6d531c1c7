"""Every address that a source declares, asked through a loopback server in the agency's place, and its faults."""

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from refresh_support import write_raw
from werkzeug import Request, Response

from schemas.errors import InputError, OwedError
from sources.framework import Retrieval, Scope
from sources.framework.fetch import Downloader
from sources.framework.wanted import Wanted, wanted_files
from sources.registry import all_sources

STATES = ("09", "37")
YEARS = (2018, 2020, 2022)
SOURCES = (
    *("acs_tables", "ahrf", "boundaries", "cbp", "chr", "ct_towns", "ct_tracts", "cvap", "debt_in_america"),
    *("edfacts_homeless", "geocorr", "hud_income_limits", "mit_elections", "popest", "qcew", "seda"),
    *("social_capital_atlas", "vest_precincts", "acs_pums_census", "airtoxscreen"),
)
PAGE = b"<!DOCTYPE html><html><body>The page you are looking for has moved.</body></html>"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """What the agencies give, in their formats."""
    folder = tmp_path_factory.mktemp("agencies")
    write_raw(folder, YEARS, SOURCES)
    return folder / "raw"


class Detour(httpx.BaseTransport):
    """Sends every request to the loopback server, the agency's host first in the path."""

    def __init__(self, server: str) -> None:
        self.server = httpx.URL(server)
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url
        path = f"/{asked.host}".encode() + asked.raw_path
        sent = httpx.Request(
            request.method, self.server.copy_with(raw_path=path), headers=request.headers, stream=request.stream
        )
        return self.inner.handle_request(sent)


@pytest.fixture
def agencies(httpserver, monkeypatch, tmp_path):
    """A retrieval, and what its agencies answer: address -> content (what is not there is a 404)."""
    served: dict[str, bytes] = {}

    def answer(request: Request) -> Response:
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        content = served.get(request.path + query)
        return Response(status=404) if content is None else Response(content)

    httpserver.expect_request(re.compile("/.*")).respond_with_handler(answer)
    monkeypatch.setattr(Downloader, "_resolve", lambda *_: None)
    downloader = Downloader()
    downloader._made = httpx.Client(transport=Detour(httpserver.url_for("/")), follow_redirects=True)
    retrieval = Retrieval(root=tmp_path / "data", scratch=tmp_path / "s", scope=Scope(STATES), downloader=downloader)
    return retrieval, served


def place(url: str) -> str:
    parts = urlsplit(url)
    return f"/{parts.hostname}{httpx.URL(url).path}" + (f"?{parts.query}" if parts.query else "")


def given(source: str, files: Path) -> dict[Wanted, Path]:
    """The declared files with an address that the agency gives here."""
    found: dict[Wanted, Path] = {}
    for vintage in all_sources()[source].vintages:
        for one in wanted_files(all_sources()[source], vintage.key, None, STATES):
            path = files / source / vintage.key / one.name
            if one.url and path.is_file():
                found[one] = path
    return found


def serve(served: dict[str, bytes], one: Wanted, content: bytes) -> None:
    """The file under its address, or behind the link on the page that the address answers with."""
    assert one.url is not None
    if one.declared.link is None:
        served[place(one.url)] = content
        return
    name = "/temp/geocorr2022_7.csv" if one.source.key == "geocorr" else f"https://data.example/{one.name}"
    assert re.search(one.declared.link, name)
    served[place(one.url)] = f'<html><a href="{name}">the file</a></html>'.encode()
    host = urlsplit(one.url).hostname
    served[f"/{host}{name}" if name.startswith("/") else place(name)] = content


@pytest.mark.parametrize("source", SOURCES)
def test_every_declared_address_gives_its_file(source, files, agencies):
    retrieval, served = agencies
    there = given(source, files)
    assert there, "nothing of the source can be downloaded"
    for one, path in there.items():
        served.clear()
        serve(served, one, path.read_bytes())
        (got,) = retrieval.obtain(one.source, one.vintage, (one.name,))
        assert got.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (got.name, got.how) == (one.name, "download")


@pytest.mark.parametrize("source", SOURCES)
def test_an_answer_that_is_no_file_is_not_taken(source, files, agencies):
    retrieval, served = agencies
    one, path = next(iter(given(source, files).items()))
    whole = path.read_bytes()
    faults = {"moved": None, "a page": PAGE, "empty": b""}
    if one.declared.kind not in ("csv", "text", "dta"):
        # A table of text, or of Stata, that ends early is told by its reader.
        faults["cut off"] = whole[: len(whole) // 2]
    for fault, content in faults.items():
        if content is not None:
            serve(served, one, content)
        with pytest.raises((OwedError, InputError)) as caught:
            retrieval.obtain(one.source, one.vintage, (one.name,))
        assert one.name in str(caught.value), fault
        assert source in str(caught.value), fault
        assert not [f for f in (retrieval.store.root / "raw").rglob("*") if f.is_file()], fault


def test_what_a_program_may_fetch_has_an_address():
    """A source without any address is one that people hand in, orders by its own protocol, or holds its figures."""
    without = {
        key
        for key, source in all_sources().items()
        if not any(f.url for v in source.vintages for f in v.files) and source.access.value != "person"
    }
    assert without == {"acs_pums_ipums"}
