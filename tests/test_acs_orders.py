"""Ordering IPUMS extracts, against a server on loopback that plays the extract service."""

import gzip
import json
import logging
from collections.abc import Callable

import polars as pl
import pytest
from acs_files import FULL_EXTRACT, FolderRetrieval, Var, codebook, hierarchical, people
from werkzeug import Request, Response

from metrics.catalog import catalog
from pipelines.microdata import microdata_uses
from schemas.errors import InputError, OwedError
from sources.acs import ipums_order
from sources.acs.asked import cases
from sources.acs.ipums_order import Orders, definition, digest, variables
from sources.acs.sample import SAMPLES, Sample
from sources.acs_microdata import build

KEY = "secret-key-59cba10d8a5da536fc06b59d"
SAMPLE = Sample(2018, 1)


class Service:
    """The extract service: numbers orders, makes each of them within some status requests, keeps the files."""

    def __init__(self, server, *, polls: int = 1) -> None:
        self.server = server
        self.polls = polls
        self.extracts: dict[int, dict] = {}
        self.submitted = 0
        self.fail: dict[str, Response] = {}
        self.data = gzip.compress(b"data\n")
        self.book = b"<codeBook/>"
        self.broken_downloads = 0
        self.ends_as: dict[int, str] = {}
        self.makes: Callable[[str, dict], tuple[bytes, bytes]] | None = None
        server.expect_request("/extracts", method="POST").respond_with_handler(self.submit)
        server.expect_request("/extracts", method="GET").respond_with_handler(self.history)
        server.expect_request("/downloads/usa_00007.dat.gz").respond_with_handler(self.download)
        server.expect_request("/downloads/usa_00007.xml").respond_with_handler(lambda _: Response(self.book))

    def account(self, number: int) -> dict:
        extract = self.extracts[number]
        links = {}
        if extract["status"] == "completed" and not extract.get("expired"):
            stem = extract.get("stem", "usa_00007")
            links = {
                "data": {"url": self.server.url_for(f"/downloads/{stem}.dat.gz")},
                "ddiCodebook": {"url": self.server.url_for(f"/downloads/{stem}.xml")},
            }
        return {"number": number, "downloadLinks": links, **extract}

    def submit(self, request: Request) -> Response:
        assert request.headers["Authorization"] == KEY
        if "submit" in self.fail:
            return self.fail["submit"]
        self.submitted += 1
        number = 40 + self.submitted
        asked = json.loads(request.get_data())
        made = {}
        if self.makes is not None:
            made["stem"] = f"usa_{number:05d}"
            data, book = self.makes(made["stem"], asked)
            for suffix, content in ((".dat.gz", data), (".xml", book)):
                self.server.expect_request(f"/downloads/{made['stem']}{suffix}").respond_with_data(content)
        # The service answers with the request as it understood it: what it adds of its own accord comes along.
        asked["variables"] = {k: {c: v for c, v in s.items() if v} for k, s in asked["variables"].items()}
        asked["variables"] |= {name: {"preselected": True} for name in ("YEAR", "SAMPLE", "SERIAL", "HHWT", "CLUSTER")}
        self.extracts[number] = {"status": "queued", "extractDefinition": asked, "left": self.polls, **made}
        self.server.expect_request(f"/extracts/{number}").respond_with_handler(lambda _, n=number: self.status(n))
        return self.reply(self.account(number))

    def status(self, number: int) -> Response:
        if "status" in self.fail:
            return self.fail["status"]
        extract = self.extracts[number]
        if extract["status"] == "queued":
            extract["left"] -= 1
            if extract["left"] <= 0:
                extract["status"] = self.ends_as.get(number, "completed")
        return self.reply(self.account(number))

    def history(self, request: Request) -> Response:
        if "history" in self.fail:
            return self.fail["history"]
        return self.reply({"data": [self.account(n) for n in sorted(self.extracts, reverse=True)], "links": {}})

    def download(self, _: Request) -> Response:
        if self.broken_downloads:
            self.broken_downloads -= 1
            response = Response(iter([self.data[:5]]), direct_passthrough=True)
            response.headers["Content-Length"] = str(len(self.data) + 100)
            return response
        return Response(self.data)

    @staticmethod
    def reply(content: dict) -> Response:
        return Response(json.dumps(content), content_type="application/json")


@pytest.fixture
def service(httpserver):
    return Service(httpserver)


@pytest.fixture
def orders(httpserver, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)

    def orders(**settings) -> Orders:
        settings = {"key": KEY, "memory": tmp_path / "orders.json", "base_url": httpserver.url_for(""), **settings}
        settings["base_url"] = settings["base_url"].rstrip("/")
        return Orders(**settings)

    return orders


@pytest.fixture
def extract():
    return definition(SAMPLE, variables(SAMPLE))


def test_the_request_names_sample_variables_and_structure():
    built = definition(Sample(2018, 5), variables(Sample(2018, 5))).build()
    assert built["collection"] == "usa"
    assert built["samples"] == {"us2018c": {}}
    assert (built["dataFormat"], built["dataStructure"]) == ("fixed_width", {"hierarchical": {}})
    for name in ("STATEFIP", "PUMA", "MULTYEAR", "REPWT", "REPWTP", "EDUCD", "GRADEATT", "CIHISPEED", "ADJUST"):
        assert name in built["variables"]
    assert not {"REPWTP1", "YEAR", "SAMPLE", "SERIAL", "PERWT", "HHWT"} & set(built["variables"])


def test_variables_that_a_sample_does_not_have_are_not_asked_for():
    assert "MULTYEAR" not in variables(Sample(2018, 1))
    assert "CIHISPEED" not in variables(Sample(2014, 1))
    assert "CIHISPEED" in variables(Sample(2016, 1))


def test_a_request_follows_the_variables_needed_and_the_selection():
    needed = {"AGE", "EMPSTAT", "GQ", "PUMA", "STATEFIP", *(f"REPWTP{i}" for i in range(1, 81))}
    built = definition(SAMPLE, needed, {"AGE": range(25, 55)}).build()
    assert sorted(built["variables"]) == ["AGE", "EMPSTAT", "GQ", "PUMA", "REPWTP", "STATEFIP"]
    assert built["variables"]["AGE"]["caseSelections"] == {"general": [str(age) for age in range(25, 55)]}


def test_requests_are_told_apart_by_what_they_deliver(extract):
    same = definition(SAMPLE, reversed(variables(SAMPLE)))
    same.description = "another text"
    assert digest(same.build()) == digest(extract.build())
    others = [
        definition(Sample(2019, 1), variables(SAMPLE)),
        definition(SAMPLE, variables(SAMPLE)[1:]),
        definition(SAMPLE, variables(SAMPLE), {"AGE": [3, 4]}),
    ]
    assert len({digest(e.build()) for e in (extract, *others)}) == 4


def test_an_extract_is_ordered_waited_for_and_fetched(service, orders, extract, tmp_path, caplog):
    service.polls = 4
    caplog.set_level(logging.DEBUG)
    number, files = orders().fetch(extract, tmp_path / "in")
    assert number == 41
    assert [f.name for f in files] == ["usa_00007.dat.gz", "usa_00007.xml"]
    assert files[0].read_bytes() == service.data
    assert sorted(f.name for f in (tmp_path / "in").iterdir()) == ["usa_00007.dat.gz", "usa_00007.xml"]
    assert json.loads((tmp_path / "orders.json").read_text()) == {digest(extract.build()): 41}
    assert KEY not in caplog.text
    assert KEY not in (tmp_path / "orders.json").read_text()
    assert KEY not in repr(orders())


def test_a_second_run_does_not_order_again(service, orders, extract, tmp_path):
    orders().fetch(extract, tmp_path / "in")
    assert orders().fetch(extract, tmp_path / "in")[0] == 41
    assert service.submitted == 1


def test_an_earlier_order_of_the_account_is_found_without_memory(service, orders, extract, tmp_path):
    orders().fetch(extract, tmp_path / "in")
    (tmp_path / "orders.json").unlink()
    assert orders().fetch(extract, tmp_path / "in")[0] == 41
    (tmp_path / "orders.json").write_text("not json")
    assert orders().fetch(extract, tmp_path / "in")[0] == 41
    assert service.submitted == 1


def test_another_request_is_another_order(service, orders, extract, tmp_path):
    orders().fetch(extract, tmp_path / "in")
    service.extracts[39] = {"status": "completed", "extractDefinition": {"dataFormat": "csv"}}
    assert orders().fetch(definition(Sample(2019, 1), variables(SAMPLE)), tmp_path / "in")[0] == 42


def test_an_expired_or_forgotten_extract_is_ordered_again(service, orders, extract, tmp_path):
    orders().fetch(extract, tmp_path / "in")
    service.extracts[41]["expired"] = True
    assert orders().fetch(extract, tmp_path / "in")[0] == 42
    (tmp_path / "orders.json").write_text(json.dumps({digest(extract.build()): 7}))
    service.server.expect_request("/extracts/7").respond_with_data("", status=404)
    assert orders().fetch(extract, tmp_path / "in")[0] == 42, "found in the account's history"


def test_a_run_that_gave_up_waiting_finds_its_extract(service, orders, extract, tmp_path):
    service.polls = 50
    with pytest.raises(OwedError, match=r"still making extract 41 of us2018a; run again later") as owed:
        orders(patience=30.0).fetch(extract, tmp_path / "in")
    assert owed.value.vintage == "us2018a"
    service.extracts[41]["left"] = 1
    assert orders().fetch(extract, tmp_path / "in")[0] == 41
    assert service.submitted == 1


def test_a_failed_extract_is_not_waited_for_again(service, orders, extract, tmp_path):
    service.ends_as[41] = "failed"
    with pytest.raises(OwedError, match="could not make extract 41 of us2018a; run again to order it anew"):
        orders().fetch(extract, tmp_path / "in")
    assert json.loads((tmp_path / "orders.json").read_text()) == {}
    assert orders().fetch(extract, tmp_path / "in")[0] == 42


def test_a_broken_download_is_tried_again(service, orders, extract, tmp_path):
    service.broken_downloads = 2
    _, files = orders().fetch(extract, tmp_path / "in")
    assert files[0].read_bytes() == service.data
    service.broken_downloads = 3
    with pytest.raises(OwedError, match="could not be had"):
        orders().fetch(extract, tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == [], "no half file is left"


@pytest.mark.parametrize(
    ("where", "status", "body", "error", "words"),
    [
        ("history", 401, {"error": f"bad key {KEY}"}, InputError, r"IPUMS refuses the key: bad key \*\*\*"),
        ("history", 403, {"detail": "not registered"}, InputError, "not registered.*IPUMS_API_KEY"),
        ("submit", 400, {"detail": ["Invalid variable", "DIFFREMM"]}, InputError, r"refuses the order of us2018a"),
        ("submit", 429, {}, OwedError, "rate limit"),
        ("history", 500, {"detail": f"down, {KEY}"}, OwedError, r"could not be had from IPUMS \(.*\*\*\*"),
        ("history", 200, "no json", OwedError, "could not be had"),
    ],
)
def test_what_the_service_refuses_is_told_without_the_key(
    service, orders, extract, tmp_path, caplog, where, status, body, error, words
):
    caplog.set_level(logging.DEBUG)
    text = body if isinstance(body, str) else json.dumps(body)
    service.fail[where] = Response(text, status=status, content_type="application/json")
    with pytest.raises(error, match=words) as caught:
        orders().fetch(extract, tmp_path / "in")
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text
    assert caught.value.__cause__ is None


def test_an_unreachable_service_is_owed(orders, extract, tmp_path):
    with pytest.raises(OwedError, match="could not be had from IPUMS"):
        orders(base_url="http://127.0.0.1:9").fetch(extract, tmp_path / "in")


def test_a_table_is_built_from_an_ordered_extract(service, httpserver, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(ipums_order, "API", httpserver.url_for("").rstrip("/"))
    persons, households = people(60)
    hierarchical(tmp_path / "made", "usa_00007", persons, households, FULL_EXTRACT)
    service.data = (tmp_path / "made" / "usa_00007.dat.gz").read_bytes()
    service.book = codebook("usa_00007", FULL_EXTRACT, hierarchical=True).encode()
    for unit in ("persons", "households"):
        retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", ("10", "44"))
        retrieval.ipums_key = KEY
        table = build(unit, 1, 2018, retrieval).collect()
        assert table.height == (persons if unit == "persons" else households).height
        assert retrieval.notes["acs form"] == "IPUMS USA extract, us2018a"
        if unit == "persons":
            stored = [("usa_00007.dat.gz", "download", "IPUMS USA extract 41")]
            assert retrieval.notes["added"] == (*stored, ("usa_00007.xml", *stored[0][1:]))
    assert service.submitted == 1
    assert [f for f in (tmp_path / "scratch" / "acs" / "ipums-incoming").rglob("*") if f.is_file()] == []


# Ordering to measure -------------------------------------------------------------------------------------------------

FIVE = Sample(2018, 5)
FULL_EXTRACT_5 = [*FULL_EXTRACT, Var("MULTYEAR", 4, 0, "H")]


def asked(*predictors: str, year: int = 2018):
    return microdata_uses(predictors, year)


def test_an_order_has_what_the_predictors_of_the_run_need():
    assert set(variables(FIVE, asked("college"))) == {
        *("AGE", "DIFFCARE", "DIFFMOB", "DIFFPHYS", "DIFFREM", "DIFFSENS", "EDUCD", "GQ", "HISPAN", "MULTYEAR"),
        *("PERNUM", "PUMA", "RACE", "REPWTP", "SEX", "STATEFIP"),
    }
    both = variables(FIVE, asked("college", "digital_access"))
    assert {"CILAPTOP", "CIHISPEED", "COUNTYFIP", "VACANCY", "ADJUST", "EDUCD"} < set(both)
    assert not {"REPWT", "GRADEATT", "EMPSTAT", "VALUEH"} & set(both), "digital access has no intervals"
    assert set(variables(SAMPLE, asked("employment"))) == {
        *("AGE", "EMPSTAT", "GQ", "PERNUM", "PUMA", "REPWTP", "STATEFIP"),
    }
    assert "BEDROOMS" not in variables(SAMPLE, asked(*microdata_predictors()))
    assert set(variables(SAMPLE)) > set(variables(SAMPLE, asked(*microdata_predictors())))


def test_all_that_is_ordered_is_known_to_the_readers():
    for sample in SAMPLES:
        assert set(variables(sample, microdata_uses(None, sample.year))) <= set(variables(sample))


def test_a_sample_that_no_predictor_of_the_run_uses_is_read_whole():
    assert variables(SAMPLE, asked("college")) == variables(SAMPLE)


def test_persons_are_selected_where_no_household_is_asked_for():
    assert cases(FIVE, asked("college")) == {"AGE": {19, 20}}
    assert cases(FIVE, asked("college", "preschool")) == {"AGE": {3, 4, 19, 20}}
    assert cases(SAMPLE, asked("employment")) == {"AGE": set(range(25, 55))}
    assert cases(FIVE, asked("college", "income")) == {}
    assert cases(SAMPLE, asked("housing_wealth")) == {}
    assert cases(FIVE, {}) == {}


def test_years_ask_for_the_series_they_have():
    assert "acs5_households" not in microdata_uses(("digital_access",), 2014)
    assert "acs5_households" in microdata_uses(("digital_access",), 2018)
    assert set(microdata_uses(("income", "employment"), 2019)) == {"acs1_households", "acs1_persons"}


def microdata_predictors() -> list[str]:
    return [key for key, entry in catalog().items() if entry.microdata]


@pytest.fixture
def ordering(service, httpserver, tmp_path, monkeypatch):
    """(retrieval for a run of these predictors, after earlier ones) against a service that makes what is asked for."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(ipums_order, "API", httpserver.url_for("").rstrip("/"))
    persons, households = people(900, span=5)

    def makes(stem: str, asked: dict) -> tuple[bytes, bytes]:
        given = {"YEAR", "SAMPLE", "SERIAL", "HHWT", "PERWT"}
        have = [v for v in FULL_EXTRACT_5 if v.name.rstrip("0123456789") in given | set(asked["variables"])]
        some = persons
        for name, spec in asked["variables"].items():
            if codes := spec.get("caseSelections", {}).get("general"):
                some = some.filter(pl.col(name).is_in([int(code) for code in codes]))
        whole = some.height == persons.height
        units = households if whole else households.filter(pl.col("SERIAL").is_in(some["SERIAL"].implode()))
        hierarchical(tmp_path / "made", stem, some, units, have)
        return ((tmp_path / "made" / f"{stem}.dat.gz").read_bytes(), codebook(stem, have, hierarchical=True).encode())

    service.makes = makes

    def ordering(*predictors: str, earlier: tuple[str, ...] = (), key: str | None = KEY) -> FolderRetrieval:
        retrieval = FolderRetrieval(tmp_path / "files", tmp_path / "scratch", ("10", "44"))
        retrieval.ipums_key = key
        retrieval.uses = asked(*predictors)
        retrieval.uses_to_order = asked(*predictors, *earlier)
        return retrieval

    return ordering


def test_one_extract_serves_all_tables_of_a_run(service, ordering):
    persons = build("persons", 5, 2018, ordering("college", "income")).collect()
    households = build("households", 5, 2018, ordering("college", "income")).collect()
    assert service.submitted == 1
    assert persons.filter(pl.col("age").is_in([19, 20]))["educd"].null_count() == 0
    assert households["hhincome"].null_count() == 0
    assert households["cilaptop"].null_count() == households.height, "not asked for"


def test_a_later_run_that_needs_more_orders_anew_and_serves_the_earlier_one(service, ordering):
    build("persons", 5, 2018, ordering("college"))
    retrieval = ordering("employment", earlier=("college",))
    table = build("persons", 5, 2018, retrieval).collect()
    assert service.submitted == 2
    assert retrieval.notes["acs ordered again for want of"] == ["EMPSTAT"]
    assert retrieval.notes["acs extracts"] == ["usa_00042.dat.gz"]
    assert table["empstat"].null_count() == table["educd"].null_count() == 0
    assert table["age"].is_between(25, 54).any()
    assert table["age"].is_in([19, 20]).any()
    assert {f.path.name for f in retrieval.used} == {"usa_00042.dat.gz", "usa_00042.xml"}
    # What needs less is served by what is there, without an order.
    build("persons", 5, 2018, ordering("college"))
    build("persons", 5, 2018, ordering("employment", "college"))
    assert service.submitted == 2


def test_without_a_key_the_run_says_what_is_lacking_and_for_whom(service, ordering):
    build("persons", 5, 2018, ordering("college"))
    with pytest.raises(InputError, match=r"lacks variables .* EMPSTAT \(employment\)\..*IPUMS_API_KEY") as error:
        build("persons", 5, 2018, ordering("employment", key=None))
    assert (error.value.file, error.value.column) == ("usa_00041.dat.gz", "EMPSTAT")
    with pytest.raises(InputError, match=r"households table needs: .*HHINCOME \(income\)"):
        build("households", 5, 2018, ordering("income", key=None))
    assert service.submitted == 1


def test_an_extract_of_other_persons_is_refused(ordering, tmp_path):
    """All variables are there, but a person has selected ages 25 to 54."""
    persons, households = people(600, span=5)
    some = persons.filter(pl.col("AGE").is_between(25, 54))
    units = households.filter(pl.col("SERIAL").is_in(some["SERIAL"].implode()))
    hierarchical(tmp_path / "files" / "acs_pums_ipums" / "us2018c", "usa_00003", some, units, FULL_EXTRACT_5)
    assert build("persons", 5, 2018, ordering("employment", key=None)).collect().height == some.height
    with pytest.raises(
        InputError, match=r"no record has AGE 19 to 20, which college counts: .* other persons"
    ) as error:
        build("persons", 5, 2018, ordering("employment", "college", key=None))
    assert (error.value.file, error.value.column) == ("usa_00003.dat.gz", "AGE")


def test_extracts_without_replicate_weights_serve_what_has_no_interval(ordering):
    table = build("households", 5, 2018, ordering("digital_access")).collect()
    assert table["repwt1"].null_count() == table.height
    assert table.filter(pl.col("gq") > 0)["cihispeed"].null_count() == 0
