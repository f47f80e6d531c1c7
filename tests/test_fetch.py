"""Downloads against a server on loopback that plays the faults of real ones."""

import email.utils
import gzip
import io
import json
import logging
import socket
import time
import zipfile
from pathlib import Path

import pytest
from rich.console import Console
from werkzeug import Request, Response

from schemas.errors import InputError, OwedError
from sources.framework import Access, Retrieval, Source, SourceFile, Status, Vintage
from sources.framework.fetch import Downloader, Hosts, NotThere, Unavailable

BODY = b"state,value\n" + b"".join(b"%02d,%d\n" % (i, i * i) for i in range(1, 57))


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def downloader(sleeps) -> Downloader:
    return Downloader(sleep=sleeps.append, hosts=Hosts(), connect_timeout=1.0, read_timeout=0.4)


@pytest.fixture
def get(downloader, tmp_path, httpserver):
    def get(path: str = "/data.csv", **kwargs) -> bytes:
        target = tmp_path / "got" / "data.csv"
        downloader.fetch(httpserver.url_for(path), target, label="data.csv", **kwargs)
        assert [f.name for f in target.parent.iterdir()] == ["data.csv"], "no working file is left"
        return target.read_bytes()

    return get


def answers(httpserver, *responses, path="/data.csv"):
    """The server's answers, one request after another; returns the requests it got."""
    requests: list[Request] = []
    queue = list(responses)

    def handler(request: Request) -> Response:
        requests.append(request)
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return answer(request) if callable(answer) and not isinstance(answer, Response) else answer

    httpserver.expect_request(path).respond_with_handler(handler)
    return requests


def short(declared: int = len(BODY), sent: int = 100, **headers: str):
    """An answer that breaks off after `sent` bytes."""

    def answer(_: Request) -> Response:
        response = Response(iter([BODY[:sent]]), direct_passthrough=True)
        response.headers["Content-Length"] = str(declared)
        response.headers.extend(headers)
        return response

    return answer


def ranged(request: Request) -> Response:
    """An answer that honours Range, as long as the file is still the one the client began with."""
    wanted = request.headers.get("Range")
    if wanted and request.headers.get("If-Range") == '"v1"':
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}", "ETag": '"v1"'}
        return Response(BODY[start:], 206, headers)
    return Response(BODY, 200, {"ETag": '"v2"', "Accept-Ranges": "bytes"})


def test_server_errors_pass(httpserver, get, sleeps):
    requests = answers(httpserver, Response(status=503), Response(status=500), Response(BODY))
    assert get() == BODY
    assert len(requests) == 3
    assert sleeps[0] >= 1
    assert sleeps[1] > sleeps[0]
    assert requests[0].headers["User-Agent"].startswith("mobility-metrics")


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(httpserver, get, sleeps, form):
    text = "7" if form == "seconds" else email.utils.formatdate(time.time() + 7, usegmt=True)
    answers(httpserver, Response(status=429, headers={"Retry-After": text}), Response(BODY))
    assert get() == BODY
    assert 5 <= sleeps[0] <= 7


def test_a_server_that_asks_to_wait_for_hours_is_not_waited_for(httpserver, get, sleeps):
    answers(httpserver, Response(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(Unavailable, match="7200 seconds"):
        get()
    assert sleeps == []


def test_lasting_server_errors_end(httpserver, get, sleeps):
    requests = answers(httpserver, Response(status=502))
    with pytest.raises(Unavailable, match=r"HTTP 502.*5 attempts"):
        get()
    assert (len(requests), len(sleeps)) == (5, 4)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 418])
def test_refusals_are_not_tried_again(httpserver, get, sleeps, status):
    requests = answers(httpserver, Response(status=status))
    with pytest.raises(Unavailable, match=f"HTTP {status}") as error:
        get()
    assert isinstance(error.value, NotThere) == (status in (404, 410))
    assert (len(requests), sleeps) == (1, [])


def test_a_broken_download_is_resumed(httpserver, get):
    requests = answers(httpserver, short(**{"ETag": '"v1"', "Accept-Ranges": "bytes"}), ranged)
    assert get() == BODY
    assert requests[1].headers["Range"] == "bytes=100-"


def test_a_broken_download_of_a_file_that_changed_meanwhile_begins_anew(httpserver, get):
    answers(httpserver, short(**{"ETag": '"v0"', "Accept-Ranges": "bytes"}), ranged)
    assert get() == BODY


def test_without_a_validator_a_broken_download_begins_anew(httpserver, get):
    requests = answers(httpserver, short(**{"ETag": 'W/"v1"', "Accept-Ranges": "bytes"}), Response(BODY))
    assert get() == BODY
    assert "Range" not in requests[1].headers


@pytest.mark.parametrize(
    "second",
    [
        Response(status=416),
        Response(BODY[50:], 206, {"Content-Range": f"bytes 50-{len(BODY) - 1}/{len(BODY)}"}),
    ],
    ids=["refused", "wrong part"],
)
def test_a_failed_resume_begins_anew(httpserver, get, second):
    broken = short(**{"ETag": '"v1"', "Accept-Ranges": "bytes"})
    requests = answers(httpserver, broken, second, Response(BODY))
    assert get() == BODY
    assert "Range" not in requests[2].headers


def test_a_download_that_always_breaks_ends(httpserver, get):
    answers(httpserver, short())
    with pytest.raises(Unavailable, match="5 attempts"):
        get()


def test_a_server_that_stalls_is_tried_again(httpserver, get):
    def stall(_: Request) -> Response:
        time.sleep(0.8)
        return Response(b"late")

    answers(httpserver, stall, Response(BODY))
    assert get() == BODY


def test_redirects_are_followed(httpserver, get):
    httpserver.expect_request("/data.csv").respond_with_data("", 302, {"Location": "/moved.csv"})
    httpserver.expect_request("/moved.csv").respond_with_data(BODY)
    assert get() == BODY


def test_redirects_in_a_circle_end(httpserver, get):
    httpserver.expect_request("/data.csv").respond_with_data("", 302, {"Location": "/data.csv"})
    with pytest.raises(Unavailable, match="redirects"):
        get()


def test_compressed_transfer_is_undone_but_gzip_files_stay(httpserver, get):
    packed = gzip.compress(BODY)
    answers(httpserver, Response(packed, headers={"Content-Encoding": "gzip"}))
    answers(httpserver, Response(packed, headers={"Content-Encoding": "gzip"}), path="/data.csv.gz")
    assert get() == BODY
    assert get("/data.csv.gz") == packed


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_an_unreachable_host_is_given_up_at_once_and_not_tried_again(downloader, tmp_path, sleeps, monkeypatch):
    url = f"http://127.0.0.1:{closed_port()}/data.csv"
    with pytest.raises(Unavailable, match="cannot be reached"):
        downloader.fetch(url, tmp_path / "x", label="x")
    monkeypatch.setattr(Downloader, "_client", lambda _: pytest.fail("the host was tried again"))
    with pytest.raises(Unavailable, match="cannot be reached"):
        downloader.fetch(url, tmp_path / "x", label="x")
    assert sleeps == []
    assert not downloader.exists(url)


@pytest.mark.parametrize("fault", ["unknown", "silent"])
def test_a_name_that_does_not_resolve_is_given_up_within_seconds(downloader, tmp_path, monkeypatch, fault):
    def look_up(*_: object) -> None:
        if fault == "silent":
            time.sleep(5)
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("socket.getaddrinfo", look_up)
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unavailable, match=r"agency\.example cannot be reached"):
            downloader.fetch("https://agency.example/data.csv", tmp_path / "x", label="x")
    assert time.monotonic() - begin < 3


def test_a_dead_host_is_tried_again_after_a_while(monkeypatch):
    hosts = Hosts()
    hosts.fail("agency.example", "no")
    assert hosts.reason("agency.example") == "no"
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 601)
    assert hosts.reason("agency.example") is None


def test_progress_is_shown_on_a_console(httpserver, downloader, tmp_path):
    httpserver.expect_request("/data.csv").respond_with_data(BODY)
    screen = io.StringIO()
    downloader.console = Console(file=screen, force_terminal=True, width=100)
    downloader.fetch(httpserver.url_for("/data.csv"), tmp_path / "x", label="popest data.csv")
    assert "popest data.csv" in screen.getvalue()


# Through retrieval ----------------------------------------------------------------------------------------------------


def source(url: str, *, kind: str = "csv", name: str = "data.csv", link: str | None = None, **kwargs) -> Source:
    return Source(
        key="test_source",
        agency="Test Agency",
        dataset="Test data",
        citation="",
        licence="public domain",
        redistribute=True,
        landing_page=kwargs.pop("landing_page", "https://data.example/page"),
        access=kwargs.pop("access", Access.DOWNLOAD),
        vintages=(Vintage("2019", (SourceFile(name, kind, url=url, link=link, **kwargs),), (2019,)),),
    )


@pytest.fixture
def retrieval(tmp_path, downloader):
    def make(**kwargs) -> Retrieval:
        settings = {"root": tmp_path / "data", "scratch": tmp_path / "scratch", "downloader": downloader}
        return Retrieval(**{**settings, **kwargs})

    return make


def test_a_downloaded_file_is_stored_with_its_provenance_and_used_again(httpserver, retrieval, tmp_path):
    httpserver.expect_oneshot_request("/data.csv").respond_with_data(BODY)
    s = source(httpserver.url_for("/data.csv"))
    (file,) = retrieval().obtain(s, "2019")
    assert (file.path.read_bytes(), file.how, file.url) == (BODY, "download", httpserver.url_for("/data.csv"))
    assert retrieval().obtain(s, "2019")[0].sha256 == file.sha256, "the second time nothing is downloaded"
    assert list((tmp_path / "scratch/incoming/test_source/2019").iterdir()) == []


def page(_: object) -> bytes:
    return b"<!DOCTYPE html><html><title>Access denied</title></html>"


def cut_zip(_: object) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("data.csv", BODY)
    return stream.getvalue()[:-10]


@pytest.mark.parametrize(
    "case",
    [
        ("data.csv", "csv", page(None), "web page"),
        ("data.csv", "csv", b"", "empty"),
        ("data.zip", "zip", page(None), "web page"),
        ("data.zip", "zip", cut_zip(None), "damaged or truncated"),
        ("data.csv.gz", "csv", gzip.compress(BODY)[:-4], "damaged or truncated"),
        ("data.csv", "csv", b"a,b\n", "at least 100"),
    ],
)
def test_an_answer_that_is_no_data_is_refused_and_not_stored(httpserver, retrieval, case):
    name, kind, content, problem = case
    httpserver.expect_request("/file").respond_with_data(content)
    s = source(httpserver.url_for("/file"), name=name, kind=kind, min_bytes=100 if "100" in problem else 1)
    r = retrieval()
    with pytest.raises(InputError, match=problem) as error:
        r.obtain(s, "2019")
    assert error.value.file == name
    assert not (r.store.folder("test_source", "2019") / name).exists()


def test_an_unreachable_agency_leads_to_owed_within_seconds(retrieval):
    url = f"http://127.0.0.1:{closed_port()}/data.csv"
    begin = time.monotonic()
    with pytest.raises(OwedError, match=r"cannot be reached.*https://data\.example/page") as owed:
        retrieval().obtain(source(url), "2019")
    assert owed.value.files == ("data.csv",)
    assert time.monotonic() - begin < 3


def test_a_moved_file_leads_to_owed_with_the_reason(httpserver, retrieval):
    httpserver.expect_request("/data.csv").respond_with_data("", 404)
    with pytest.raises(OwedError, match=r"data\.csv: the server has no such file"):
        retrieval().obtain(source(httpserver.url_for("/data.csv")), "2019")


@pytest.mark.parametrize("profile", [{"offline": True}, {"synthetic": True}])
def test_offline_means_no_request_at_all(httpserver, retrieval, profile):
    httpserver.expect_request("/data.csv").respond_with_data(BODY)
    s = source(httpserver.url_for("/data.csv"))
    r = retrieval(mirror=httpserver.url_for("/mirror"), **profile)
    with pytest.raises(OwedError):
        r.obtain(s, "2019")
    assert not r.has(s, "2019")
    assert httpserver.log == []


def test_status_and_has_ask_no_agency(httpserver, retrieval):
    s = source(httpserver.url_for("/data.csv"))
    r = retrieval()
    assert r.status(s, "2019") is Status.DOWNLOADABLE
    assert not r.has(s, "2019")
    assert httpserver.log == []


def test_a_mirror_behind_a_url(httpserver, retrieval):
    httpserver.expect_request("/mirror/test_source/2019/data.csv.gz").respond_with_data(gzip.compress(BODY))
    s = source("http://127.0.0.1:1/data.csv")
    r = retrieval(mirror=httpserver.url_for("/mirror"))
    assert r.status(s, "2019") is Status.DOWNLOADABLE
    assert httpserver.log == []
    assert r.has(s, "2019")
    (file,) = r.obtain(s, "2019")
    assert (file.how, gzip.decompress(file.path.read_bytes()), file.path.name) == ("mirror", BODY, "data.csv.gz")


def test_a_mirror_behind_a_url_with_provenance_serves_patterns_and_is_verified(httpserver, retrieval, tmp_path):
    store = retrieval()
    (tmp_path / "usa_00001.xml").write_bytes(b"<codeBook/>")
    s = source("http://127.0.0.1:1/usa.xml", name="usa_*.xml", kind="xml")
    store.add(s, "2019", tmp_path / "usa_00001.xml", how="download")
    text = (store.store.folder("test_source", "2019") / "provenance.json").read_text()
    httpserver.expect_request("/m/test_source/2019/provenance.json").respond_with_data(text)
    httpserver.expect_request("/m/test_source/2019/usa_00001.xml").respond_with_data(b"<codeBook/>")
    first = retrieval(root=tmp_path / "first", mirror=httpserver.url_for("/m"))
    assert [f.name for f in first.obtain(s, "2019")] == ["usa_00001.xml"]
    wrong = json.loads(text)
    wrong["files"]["usa_00001.xml"]["sha256"] = "0" * 64
    httpserver.clear()
    httpserver.expect_request("/m/test_source/2019/provenance.json").respond_with_json(wrong)
    httpserver.expect_request("/m/test_source/2019/usa_00001.xml").respond_with_data(b"<codeBook/>")
    second = retrieval(root=tmp_path / "second", mirror=httpserver.url_for("/m"))
    with pytest.raises(InputError, match="mirror's own provenance"):
        second.obtain(s, "2019")


def test_a_file_behind_a_result_page(httpserver, retrieval):
    httpserver.expect_request("/query").respond_with_data('<a href="/temp/result_77.csv">CSV</a>')
    httpserver.expect_request("/temp/result_77.csv").respond_with_data(BODY)
    s = source(httpserver.url_for("/query?state=01"), link=r"/temp/result_\d+\.csv")
    (file,) = retrieval().obtain(s, "2019")
    assert (file.path.name, file.path.read_bytes()) == ("data.csv", BODY)
    assert file.url == httpserver.url_for("/query?state=01"), "the query is the address; the result is soon gone"


def test_a_result_page_without_the_link_leads_to_owed(httpserver, retrieval):
    httpserver.expect_request("/query").respond_with_data("ERROR: no such variable")
    with pytest.raises(OwedError, match="no link to the file"):
        retrieval().obtain(source(httpserver.url_for("/query"), link=r"/temp/\d+\.csv"), "2019")


# Keys -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def census_api(httpserver, monkeypatch):
    """The server on loopback stands for the Census API."""
    monkeypatch.setattr("sources.framework.retrieve.CENSUS_API_HOST", httpserver.host)
    return httpserver


def test_the_census_key_is_sent_and_shown_nowhere(census_api, retrieval, caplog, tmp_path):
    census_api.expect_request("/data").respond_with_data(b'[["NAME"],["x"]]')
    caplog.set_level(logging.DEBUG)
    s = source(census_api.url_for("/data?get=NAME"), name="data.json", kind="json", access=Access.API_KEY)
    r = retrieval(census_key="topsecret")
    (file,) = r.obtain(s, "2019")
    request, _ = census_api.log[0]
    assert request.args.to_dict() == {"get": "NAME", "key": "topsecret"}
    provenance = (tmp_path / "data/raw/test_source/2019/provenance.json").read_text()
    # The request log of the server on loopback itself shows the address; ours must not.
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name != "werkzeug")
    assert "topsecret" not in ours + provenance + repr(file) + repr(r.used)


@pytest.mark.parametrize("fault", [500, 404, "refused"])
def test_the_census_key_is_in_no_error(census_api, retrieval, fault, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    url = census_api.url_for("/data?get=NAME")
    if fault == "refused":
        url = f"http://127.0.0.1:{closed_port()}/data?get=NAME"
        monkeypatch.setattr("sources.framework.retrieve.CENSUS_API_HOST", "127.0.0.1")
    else:
        census_api.expect_request("/data").respond_with_data("", fault)
    s = source(url, name="data.json", kind="json", access=Access.API_KEY)
    with pytest.raises(OwedError) as error:
        retrieval(census_key="topsecret").obtain(s, "2019")
    chain, text = error.value, ""
    while chain is not None:
        text += repr(chain) + str(chain)
        chain = chain.__cause__ or chain.__context__
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name != "werkzeug")
    assert "topsecret" not in text + ours


@pytest.mark.parametrize(("key", "problem"), [(None, "wants a key"), ("wrong", "refuses the key")])
def test_the_census_page_about_keys_leads_to_owed(census_api, retrieval, key, problem):
    census_api.expect_request("/data").respond_with_data("", 302, {"Location": "/missing_key.html"})
    census_api.expect_request("/missing_key.html").respond_with_data("<html><title>Missing Key</title></html>")
    s = source(census_api.url_for("/data"), name="data.json", kind="json")
    with pytest.raises(OwedError, match=f"{problem}.*CENSUS_API_KEY"):
        retrieval(census_key=key).obtain(s, "2019")


def test_the_key_goes_to_no_other_host(httpserver, retrieval):
    httpserver.expect_request("/data.csv").respond_with_data(BODY)
    retrieval(census_key="topsecret").obtain(source(httpserver.url_for("/data.csv")), "2019")
    request, _ = httpserver.log[0]
    assert dict(request.args) == {}


def test_a_scratch_path_of_its_own_is_made(tmp_path):
    r = Retrieval(root=tmp_path, offline=True, scratch=tmp_path / "deep" / "scratch")
    assert Path(r.scratch).is_dir()
