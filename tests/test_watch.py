"""Looking for news: new editions, editions nobody declared, files changed in silence; and consent to a change."""

import json
from datetime import date
from pathlib import Path

import pytest
from upath import UPath
from werkzeug import Request, Response

from pipelines.freshness import freshness
from pipelines.schedules import schedules
from schemas.errors import InputError, MobilityError, OwedError
from sources.framework import Access, Retrieval, Scope, Source, SourceFile, Vintage
from sources.framework.calendar import calendar, newest_year, rhythm_of
from sources.framework.fetch import Downloader, Hosts
from sources.framework.store import Store
from sources.framework.successor import moved, next_editions
from sources.framework.watch import accept, last_look, look
from sources.registry import all_sources

OLD, NEW = b"state,value\n01,5\n", b"state,value\n01,6\n"


@pytest.fixture
def agency(httpserver):
    """A server with files that a test puts there, honouring conditional requests; `agency.log` lists the requests."""

    class Agency:
        def __init__(self) -> None:
            self.files: dict[str, tuple[bytes, str]] = {}
            self.log: list[tuple[str, str, int]] = []
            self.head = True

        def put(self, path: str, content: bytes, tag: str) -> None:
            self.files[path] = (content, f'"{tag}"')

        def answer(self, request: Request) -> Response:
            content, tag = self.files.get(request.path, (None, None))
            if request.method == "HEAD" and not self.head:
                response = Response(status=405)
            elif content is None:
                response = Response(status=404)
            elif request.headers.get("If-None-Match") == tag:
                response = Response(status=304)
            else:
                response = Response(content, 200, {"ETag": tag})
            self.log.append((request.method, request.path, response.status_code))
            return response

    agency = Agency()
    httpserver.expect_request(__import__("re").compile("/.*")).respond_with_handler(agency.answer)
    agency.url = httpserver.url_for
    return agency


@pytest.fixture
def source(agency) -> Source:
    def vintage(year: int) -> Vintage:
        return Vintage(
            str(year), (SourceFile(f"data{year}.csv", "csv", agency.url(f"/{year}/data{year}.csv")),), (year,)
        )

    return Source(
        "popest", "Agency", "Data", "Agency", "public domain", True, "https://data.example", Access.DOWNLOAD,
        (vintage(2019), vintage(2020)),
    )  # fmt: skip


@pytest.fixture
def retrieval(tmp_path):
    def make(**changes) -> Retrieval:
        downloader = Downloader(sleep=lambda _: None, hosts=Hosts(), connect_timeout=1.0, read_timeout=1.0, attempts=2)
        return Retrieval(
            **{"root": tmp_path / "data", "scratch": tmp_path / "scratch", "downloader": downloader, **changes}
        )

    return make


def news(found) -> list[tuple[str, str]]:
    return [(f.vintage, str(f.news)) for f in found.findings]


def test_an_edition_that_is_out_is_found_and_not_taken(agency, source, retrieval, tmp_path):
    assert news(look(source, retrieval())) == []
    agency.put("/2020/data2020.csv", OLD, "a")
    found = look(source, retrieval())
    assert news(found) == [("2020", "arrived")]
    assert found.findings[0].data_years == (2020,)
    assert not (tmp_path / "data" / "raw").exists()
    assert {method for method, _, _ in agency.log} == {"HEAD"}


def test_editions_nothing_waits_for_are_not_asked_about(agency, source, retrieval):
    agency.put("/2020/data2020.csv", OLD, "a")
    assert news(look(source, retrieval(), missing_only=frozenset({2019}))) == []
    assert "/2020/data2020.csv" not in {path for _, path, _ in agency.log}


def test_the_next_year_is_looked_for_under_its_address_before_it_is_declared(agency, source, retrieval):
    agency.put("/2021/data2021.csv", OLD, "a")
    found = look(source, retrieval())
    assert news(found) == [("2021", "not declared yet")]
    assert "editions.csv" in found.findings[0].text


def test_a_server_without_head_is_asked_by_get(agency, source, retrieval):
    agency.head = False
    agency.put("/2020/data2020.csv", OLD, "a")
    assert ("2020", "arrived") in news(look(source, retrieval()))


def test_a_file_changed_in_silence_is_reported_and_the_stored_one_kept(agency, source, retrieval):
    agency.put("/2019/data2019.csv", OLD, "a")
    (stored,) = retrieval().obtain(source, "2019")
    agency.log.clear()
    assert news(look(source, retrieval())) == []
    assert ("HEAD", "/2019/data2019.csv", 304) in agency.log, "the request was conditional"
    agency.put("/2019/data2019.csv", NEW, "b")
    found = look(source, retrieval())
    assert news(found) == [("2019", "revised")]
    assert "mobility sources --accept popest 2019" in found.findings[0].text
    (again,) = retrieval().obtain(source, "2019")
    assert again.sha256 == stored.sha256
    assert again.path.read_bytes() == OLD


def test_new_marks_on_the_same_bytes_are_no_revision(agency, source, retrieval):
    agency.put("/2019/data2019.csv", OLD, "a")
    retrieval().obtain(source, "2019")
    agency.put("/2019/data2019.csv", OLD, "b")
    assert news(look(source, retrieval())) == []
    agency.log.clear()
    assert news(look(source, retrieval())) == []
    assert ("HEAD", "/2019/data2019.csv", 304) in agency.log, "the new mark was noted"


def test_consent_takes_the_new_file_and_sets_the_old_one_aside(agency, source, retrieval, tmp_path):
    agency.put("/2019/data2019.csv", OLD, "a")
    retrieval().obtain(source, "2019")
    agency.put("/2019/data2019.csv", NEW, "b")
    (line,) = accept(source, "2019", retrieval())
    assert line.startswith("data2019.csv: ")
    (now,) = retrieval().obtain(source, "2019")
    assert now.path.read_bytes() == NEW
    (aside,) = (tmp_path / "data/raw/popest/2019/superseded").iterdir()
    assert aside.read_bytes() == OLD
    assert news(look(source, retrieval())) == []


@pytest.mark.parametrize("fault", ["gone", "no data"])
def test_consent_to_something_that_cannot_be_had_or_is_wrong_changes_nothing(agency, source, retrieval, fault):
    agency.put("/2019/data2019.csv", OLD, "a")
    (stored,) = retrieval().obtain(source, "2019")
    if fault == "gone":
        agency.files.clear()
    else:
        agency.put("/2019/data2019.csv", b"<html>Sorry</html>", "b")
    with pytest.raises((OwedError, InputError)):
        accept(source, "2019", retrieval())
    (now,) = retrieval(offline=True).obtain(source, "2019")
    assert (now.sha256, now.url) == (stored.sha256, stored.url)
    with pytest.raises(InputError, match="nothing of this edition"):
        accept(source, "2020", retrieval())


def test_a_mirror_that_changed_an_old_file_is_noticed(source, retrieval, tmp_path):
    file = tmp_path / "mirror/popest/2019/data2019.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(OLD)
    made = {"mirror": tmp_path / "mirror", "offline": True}
    assert news(look(source, retrieval(**made))) == [("2019", "arrived")]
    retrieval(**made).obtain(source, "2019")
    assert news(look(source, retrieval(**made))) == []
    file.write_bytes(NEW)
    assert news(look(source, retrieval(**made))) == [("2019", "revised")]


def test_a_look_is_remembered_and_damage_to_it_is_no_look(agency, source, retrieval, tmp_path):
    agency.put("/2020/data2020.csv", OLD, "a")
    found = look(source, retrieval())
    assert last_look(retrieval(), "popest") == found
    (tmp_path / "data/watch/popest.json").write_text(json.dumps({"findings": [{}]}))
    assert last_look(retrieval(), "popest") is None
    assert last_look(retrieval(), "another") is None


def test_offline_means_no_request(agency, source, retrieval):
    agency.put("/2020/data2020.csv", OLD, "a")
    assert news(look(source, retrieval(offline=True))) == []
    assert agency.log == []


def test_a_file_set_aside_is_no_file_of_the_edition(source, tmp_path):
    store = Store(UPath(tmp_path / "data"), tmp_path / "scratch")
    path = tmp_path / "data2019.csv"
    path.write_bytes(OLD)
    store.put(path, source, "2019", file=path.name, name=path.name, how="person")
    aside = store.set_aside("popest", "2019", path.name)
    assert aside.read_bytes() == OLD
    assert store.records("popest", "2019") == {}
    assert store.find("popest", "2019", path.name, (path.name,)) == []


@pytest.mark.parametrize(
    ("text", "year", "next_one"),
    [
        ("il/il25/Section8-FY25.xlsx", 2025, "il/il26/Section8-FY26.xlsx"),
        ("2020-2025/co-est2025-alldata.csv", 2025, "2020-2026/co-est2026-alldata.csv"),
        ("AHRF_SAS_2022-2023.zip", 2023, "AHRF_SAS_2023-2024.zip"),
        ("homeless_2022-2023.csv", 2022, "homeless_2023-2024.csv"),
        ("cbp22co.zip", 2022, "cbp23co.zip"),
        ("CVAP_2016-2020_ACS.zip", 2020, "CVAP_2016-2021_ACS.zip"),
        ("B17001_E20231.csv", 2023, "B17001_E20231.csv"),
    ],
)
def test_the_year_is_moved_on_in_names(text, year, next_one):
    assert moved(text, year) == next_one


def test_next_editions_of_real_sources():
    found = {key: [v.key for v in next_editions(source)] for key, source in all_sources().items()}
    assert found["acs_pums_census"] == ["2024-1yr", "2024-5yr"]
    assert found["qcew"] == ["2024"]
    assert found["acs_tables"] == ["acs5-2024"]
    assert found["geocorr"] == []


def test_every_source_stands_in_the_calendar():
    assert set(calendar()) == set(all_sources())
    for key, rhythm in calendar().items():
        assert (rhythm.cron is None) == (rhythm.cadence == "fixed"), key
    assert calendar()["qcew"].expected(2023) == (2024, date(2025, 6, 1))
    assert calendar()["mit_elections"].expected(newest_year(all_sources()["mit_elections"])) == (2024, date(2025, 1, 1))
    assert calendar()["seda"].expected(2018) is None


def test_a_source_without_a_line_in_the_calendar_is_named_with_the_file_to_edit(monkeypatch, retrieval):
    lines = {k: v for k, v in calendar().items() if k != "qcew"}
    monkeypatch.setattr("sources.framework.calendar.calendar", lambda: lines)
    sentence = r"source qcew has no line in the release calendar. Add one to sources/release_calendar.csv"
    qcew = all_sources()["qcew"]
    for ask in (
        lambda: freshness(qcew, retrieval(), date(2025, 1, 1)),
        schedules,
        lambda: rhythm_of("qcew"),
    ):
        with pytest.raises(MobilityError, match=sentence):
            ask()


def test_files_per_state_are_asked_about_for_a_state_of_the_scope(agency, retrieval):
    file = SourceFile("x_{st}.csv", "csv", agency.url("/") + "2020/x_{st}.csv")
    source = Source(
        "popest",
        "A",
        "D",
        "C",
        "L",
        True,
        "https://data.example",
        Access.DOWNLOAD,
        (Vintage("2020", (file,), (2020,)),),
    )
    agency.put("/2020/x_de.csv", OLD, "a")
    assert news(look(source, retrieval(scope=Scope(("10",))))) == [("2020", "arrived")]
    assert Path("/2020/x_de.csv").as_posix() in {path for _, path, _ in agency.log}
