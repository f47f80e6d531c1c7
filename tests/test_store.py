"""The raw store and retrieval from store, inbox and mirror folders, in a local data root and in object storage."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from upath import UPath

from schemas.errors import InputError, MobilityError, OwedError
from sources.framework import Access, Retrieval, Scope, Source, SourceFile, Status, Vintage, fingerprint

CSV = b"state,value\n01,5\n"


def source(*files: SourceFile, access: Access = Access.PERSON, key: str = "test_source", **kwargs) -> Source:
    vintages = kwargs.pop("vintages", (Vintage("2019", files or (SourceFile("data.csv", "csv"),), (2019,)),))
    return Source(
        key=key,
        agency="Test Agency",
        dataset="Test data",
        citation="Test Agency, 2019",
        licence="public domain",
        redistribute=True,
        landing_page="https://data.example/page",
        access=access,
        vintages=vintages,
        recipe="Choose all states.",
        **kwargs,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def retrieval(root: Path, tmp_path: Path):
    def make(**kwargs) -> Retrieval:
        return Retrieval(**{"root": root, "scratch": tmp_path / "scratch", "offline": True, **kwargs})

    return make


def lay(folder: Path, name: str, content: bytes = CSV) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def provenance(root: Path, vintage: str = "2019") -> dict:
    return json.loads((root / "raw/test_source" / vintage / "provenance.json").read_text())


# Store --------------------------------------------------------------------------------------------------------------


def test_a_file_laid_into_the_store_gets_its_provenance_at_first_use(root, retrieval):
    lay(root / "raw/test_source/2019", "data.csv")
    r = retrieval()
    (file,) = r.obtain(source(), "2019")
    assert (file.name, file.how, file.path.read_bytes()) == ("data.csv", "person", CSV)
    entry = provenance(root)["files"]["data.csv"]
    assert (entry["how"], entry["bytes"], entry["sha256"]) == ("person", len(CSV), file.sha256)
    assert (entry["agency"], entry["licence"], entry["redistribute"]) == ("Test Agency", "public domain", True)
    assert entry["retrieved_at"].endswith("+00:00")
    assert r.used == [file]
    r.obtain(source(), "2019")
    assert r.used == [file], "a file used twice is recorded once"


def test_a_changed_file_is_refused_by_name_on_every_read(root, retrieval):
    path = lay(root / "raw/test_source/2019", "data.csv")
    r = retrieval()
    r.obtain(source(), "2019")
    path.write_bytes(CSV.replace(b"5", b"6"))
    with pytest.raises(InputError, match=r"2019/data\.csv.*changed after it was stored"):
        r.obtain(source(), "2019")
    path.write_bytes(CSV)
    assert r.obtain(source(), "2019")


def test_a_file_gone_from_the_store_is_obtained_again(root, retrieval, tmp_path):
    lay(tmp_path / "mirror/test_source/2019", "data.csv")
    r = retrieval(mirror=tmp_path / "mirror")
    (file,) = r.obtain(source(), "2019")
    file.path.unlink()
    assert retrieval(mirror=tmp_path / "mirror").obtain(source(), "2019")[0].path.read_bytes() == CSV


@pytest.mark.parametrize("text", ["{", "[]", '{"source": "x", "vintage": "2019", "files": {}}'])
def test_damaged_provenance_is_refused_by_name(root, retrieval, text):
    lay(root / "raw/test_source/2019", "data.csv")
    lay(root / "raw/test_source/2019", "provenance.json", text.encode())
    with pytest.raises(InputError, match=r"test_source/2019/provenance\.json"):
        retrieval().obtain(source(), "2019")


def test_a_stored_file_is_never_replaced(retrieval, tmp_path):
    r = retrieval()
    r.add(source(), "2019", lay(tmp_path, "data.csv"), how="download")
    r.add(source(), "2019", lay(tmp_path, "data.csv"), how="download")
    with pytest.raises(InputError, match="already holds another file"):
        r.add(source(), "2019", lay(tmp_path, "data.csv", b"other"), how="download")


def test_no_half_file_is_left_when_writing_fails(root, retrieval, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        retrieval().add(source(), "2019", lay(tmp_path, "data.csv"), how="download")
    assert list((root / "raw/test_source/2019").iterdir()) == []


def test_synthetic_files_serve_the_sample_profile_only(root, retrieval, tmp_path):
    r = retrieval(synthetic=True)
    r.add(source(), "2019", lay(tmp_path, "data.csv"), how="synthetic")
    assert r.obtain(source(), "2019")[0].how == "synthetic"
    r.add(source(), "2019", lay(tmp_path, "data.csv", b"state,value\n01,7\n"), how="synthetic")
    assert b"7" in r.obtain(source(), "2019")[0].path.read_bytes(), "the generator may renew its own files"
    with pytest.raises(InputError, match="synthetic"):
        retrieval().obtain(source(), "2019")


def test_the_sample_profile_takes_nothing_from_mirror_or_inbox(root, retrieval, tmp_path):
    lay(tmp_path / "mirror/test_source/2019", "data.csv")
    lay(root / "inbox/test_source", "data.csv")
    r = retrieval(synthetic=True, mirror=tmp_path / "mirror")
    assert not r.has(source(), "2019")
    with pytest.raises(OwedError):
        r.obtain(source(), "2019")


# Content checks on arrival ------------------------------------------------------------------------------------------


def truncated_zip(tmp_path: Path) -> bytes:
    folder = tmp_path / "zipped"
    lay(folder, "inside.csv", CSV * 500)
    return Path(shutil.make_archive(str(tmp_path / "archive"), "zip", folder)).read_bytes()[:-30]


def whole_zip(tmp_path: Path) -> bytes:
    folder = tmp_path / "zipped"
    lay(folder, "inside.csv", CSV * 500)
    return Path(shutil.make_archive(str(tmp_path / "archive"), "zip", folder)).read_bytes()


BAD = {
    "empty": ("data.csv", "csv", lambda _: b"", "empty"),
    "empty gzip": ("data.csv.gz", "csv", lambda _: gzip.compress(b""), "empty"),
    "web page": ("data.csv", "csv", lambda _: b"\n <!DOCTYPE html><html>Sign in</html>", "web page"),
    "web page with XML declaration": ("d.xml", "xml", lambda _: b"<?xml version='1.0'?><html>", "web page"),
    "web page for a zip": ("data.zip", "zip", lambda _: b"<html>Not found</html>", "web page"),
    "web page in a gzip": ("data.csv.gz", "csv", lambda _: gzip.compress(b"<html>"), "web page"),
    "truncated gzip": ("data.csv.gz", "csv", lambda _: gzip.compress(CSV * 99)[:-9], "damaged or truncated"),
    "truncated zip": ("data.zip", "zip", truncated_zip, "damaged or truncated"),
    "zip that is no workbook": ("data.xlsx", "xlsx", whole_zip, "no Excel workbook"),
    "text for xls": ("data.xls", "xls", lambda _: CSV, "type xls"),
    "text for rds": ("data.rds", "rds", lambda _: b"text", "type rds"),
    "text for gzip": ("data.dat.gz", "gzip", lambda _: CSV, "not a gzip"),
    "binary for csv": ("data.csv", "csv", lambda _: b"a\0b", "binary"),
    "UTF-16 for csv": ("data.csv", "csv", lambda _: "a,b\n1,2".encode("utf-16"), "UTF-16"),
    "truncated JSON": ("data.json", "json", lambda _: b'[["a", "b"], ["1"', "damaged or truncated"),
    "text for JSON": ("data.json", "json", lambda _: b"error: unknown variable", "not JSON"),
    "text for XML": ("data.xml", "xml", lambda _: CSV, "not XML"),
    "stub": ("stub.csv", "csv", lambda _: b"a", "at least 5"),
}


@pytest.mark.parametrize("where", ["store", "inbox", "mirror"])
@pytest.mark.parametrize("case", BAD)
def test_content_that_cannot_be_right_is_refused_by_name(case, where, root, retrieval, tmp_path):
    name, kind, make, problem = BAD[case]
    folder = {
        "store": root / "raw/test_source/2019",
        "inbox": root / "inbox/test_source",
        "mirror": tmp_path / "mirror/test_source/2019",
    }[where]
    lay(folder, name, make(tmp_path))
    s = source(
        SourceFile(name.removesuffix(".gz") if kind == "csv" else name, kind, min_bytes=5 if case == "stub" else 1)
    )
    with pytest.raises(InputError, match=problem) as error:
        retrieval(mirror=tmp_path / "mirror").obtain(s, "2019")
    assert error.value.file == name
    assert error.value.source == "test_source"
    if where != "store":
        assert not (root / "raw/test_source/2019" / name).exists()


def test_an_unknown_kind_is_an_error_of_the_declaration(root, retrieval):
    lay(root / "raw/test_source/2019", "data.csv")
    with pytest.raises(ValueError, match="unknown kind 'cvs'"):
        retrieval().obtain(source(SourceFile("data.csv", "cvs")), "2019")


# Mirror and inbox ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delivered", "stored"),
    [
        ("agency.csv", "agency.csv"),
        ("agency.csv.gz", "agency.csv.gz"),
        ("mirror-name.csv", "agency.csv"),
        ("mirror-name.csv.gz", "agency.csv.gz"),
        ("other-type.txt", "other-type.txt"),
    ],
)
@pytest.mark.parametrize("where", ["store", "inbox", "mirror"])
def test_accepted_names(delivered, stored, where, retrieval, tmp_path):
    root = tmp_path / "data"
    content = gzip.compress(CSV) if delivered.endswith(".gz") else CSV
    folder = {
        "store": root / "raw/test_source/2019",
        "inbox": root / "inbox/test_source/2019",
        "mirror": tmp_path / "mirror/test_source/2019",
    }[where]
    lay(folder, delivered, content)
    s = source(SourceFile("agency.csv", "csv", accept=("mirror-name.csv", "other-type.txt")))
    (file,) = retrieval(mirror=tmp_path / "mirror").obtain(s, "2019")
    assert file.name == "agency.csv"
    assert file.path.name == (delivered if where == "store" else stored)
    assert file.path.read_bytes() == content
    entry = provenance(root)["files"][file.path.name]
    assert (entry["original"], entry["name"], entry["how"]) == (
        delivered,
        "agency.csv",
        "mirror" if where == "mirror" else "person",
    )


def test_a_mirror_offers_declared_names_only(retrieval, tmp_path):
    lay(tmp_path / "mirror/test_source/2019", "derived_data.csv")
    lay(tmp_path / "mirror/test_source/test-material", "data.csv")
    r = retrieval(mirror=tmp_path / "mirror")
    assert not r.has(source(), "2019")
    with pytest.raises(OwedError):
        r.obtain(source(), "2019")
    with pytest.raises(KeyError, match="test-material"):
        r.obtain(source(), "test-material")


def test_a_mirror_that_contradicts_its_own_provenance_is_refused(root, retrieval, tmp_path):
    lay(root / "raw/test_source/2019", "data.csv")
    retrieval().obtain(source(), "2019")
    (root / "raw/test_source/2019/data.csv").write_bytes(CSV + b"02,1\n")
    with pytest.raises(InputError, match="mirror's own provenance"):
        retrieval(root=tmp_path / "second", mirror=root / "raw").obtain(source(), "2019")


def test_a_mirror_never_gives_synthetic_files(root, retrieval, tmp_path):
    retrieval(synthetic=True).add(source(), "2019", lay(tmp_path, "data.csv"), how="synthetic")
    assert not retrieval(root=tmp_path / "second", mirror=root / "raw").has(source(), "2019")


def test_a_folder_of_synthetic_files_is_no_mirror(retrieval, tmp_path):
    lay(tmp_path / "mirror", "README-SYNTHETIC.txt")
    with pytest.raises(MobilityError, match="synthetic files"):
        retrieval(mirror=tmp_path / "mirror")
    retrieval(mirror=tmp_path / "mirror", synthetic=True)


def test_the_mirror_itself_is_never_touched(retrieval, tmp_path):
    path = lay(tmp_path / "mirror/test_source/2019", "data.csv")
    before = path.stat()
    (file,) = retrieval(mirror=tmp_path / "mirror").obtain(source(), "2019")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert file.path.stat().st_ino != before.st_ino
    assert [f.name for f in path.parent.iterdir()] == ["data.csv"]


def test_the_inbox_goes_before_the_mirror_and_is_left_alone(root, retrieval, tmp_path):
    lay(tmp_path / "mirror/test_source/2019", "data.csv", b"state,value\n01,999\n")
    handed_in = lay(root / "inbox/test_source", "data.csv")
    (file,) = retrieval(mirror=tmp_path / "mirror").obtain(source(), "2019")
    assert (file.how, file.path.read_bytes()) == ("person", CSV)
    assert handed_in.exists()


def test_an_inbox_file_whose_name_fits_two_vintages_must_say_which(root, retrieval):
    file = SourceFile("data.csv", "csv")
    s = source(vintages=(Vintage("2018", (file,), (2018,)), Vintage("2019", (file,), (2019,))))
    lay(root / "inbox/test_source", "data.csv")
    with pytest.raises(OwedError, match=r"inbox/test_source/2019"):
        retrieval().obtain(s, "2019")
    lay(root / "inbox/test_source/2019", "data.csv")
    assert retrieval().obtain(s, "2019")


# Files per state, patterns, selections ------------------------------------------------------------------------------


def test_files_per_state_follow_the_scope(root, retrieval):
    s = source(SourceFile("p{st}.csv", "csv"), SourceFile("tracts_{fips}.csv", "csv", accept=("{ST}_tracts.csv",)))
    for name in ("pri.csv", "pde.csv", "DE_tracts.csv", "tracts_44.csv"):
        lay(root / "raw/test_source/2019", name)
    r = retrieval(scope=Scope(("44", "10")))
    assert [f.name for f in r.obtain(s, "2019")] == ["pde.csv", "pri.csv", "tracts_10.csv", "tracts_44.csv"]
    assert [f.name for f in r.obtain(s, "2019", ("p{st}.csv",))] == ["pde.csv", "pri.csv"]
    assert [f.name for f in r.obtain(s, "2019", ("pri.csv",))] == ["pri.csv"]
    with pytest.raises(OwedError) as owed:
        retrieval().obtain(s, "2019", ("p{st}.csv",))
    assert len(owed.value.files) == 49
    assert not retrieval().has(s, "2019")
    assert r.has(s, "2019")


def test_an_unknown_state_is_refused():
    with pytest.raises(ValueError, match="99"):
        Scope(("99",))


def test_an_undeclared_file_name_is_an_error_of_the_caller(retrieval):
    with pytest.raises(ValueError, match=r"nothing\.csv"):
        retrieval().obtain(source(), "2019", ("nothing.csv",))


def test_a_pattern_gives_every_match(root, retrieval, tmp_path):
    s = source(
        SourceFile("usa_*.xml", "xml"),
        SourceFile("usa_*.dat.gz", "gzip", accept=("usa_*.csv.gz",)),
    )
    lay(root / "raw/test_source/2019", "usa_00007.xml", b"<codeBook/>")
    lay(root / "raw/test_source/2019", "usa_00009.xml.gz", gzip.compress(b"<codeBook/>"))
    lay(root / "raw/test_source/2019", "usa_00007.dat.gz", gzip.compress(b"1"))
    lay(root / "raw/test_source/2019", "usa_00009.csv.gz", gzip.compress(b"2"))
    names = [f.name for f in retrieval().obtain(s, "2019")]
    assert names == ["usa_00007.xml", "usa_00009.xml.gz", "usa_00007.dat.gz", "usa_00009.csv.gz"]
    second = retrieval(root=tmp_path / "second", mirror=root / "raw")
    assert [f.name for f in second.obtain(s, "2019")] == names


def test_added_files_are_checked_against_their_declaration(retrieval, tmp_path):
    s = source(SourceFile("usa_*.dat.gz", "gzip"))
    r = retrieval()
    with pytest.raises(InputError, match="not a gzip"):
        r.add(s, "2019", lay(tmp_path, "usa_00001.dat.gz", b"text"), how="download")
    added = r.add(s, "2019", lay(tmp_path, "usa_00001.dat.gz", gzip.compress(b"1")), how="download", url="usa:1")
    assert r.obtain(s, "2019") == [added] == r.used
    assert added.url == "usa:1"


# Owed and status ----------------------------------------------------------------------------------------------------


def test_the_recipe_says_what_where_and_where_to_put_it(root, retrieval):
    file = SourceFile("a.csv", "csv", accept=("b.csv",))
    s = source(vintages=(Vintage("2019", (file,), (2019,), note="County file only."),))
    with pytest.raises(OwedError) as owed:
        retrieval().obtain(s, "2019")
    text = str(owed.value)
    for part in (
        "a.csv",
        "b.csv",
        "Test data",
        "Test Agency",
        "https://data.example/page",
        "Choose all states.",
        "County file only.",
        f"{root}/raw/test_source/2019/",
        f"{root}/inbox/test_source/",
    ):
        assert part in text
    assert retrieval().recipe(s, "2019") == owed.value.recipe
    lay(root / "inbox/test_source", "a.csv")
    assert retrieval().recipe(s, "2019") == ""


def test_status(root, retrieval, tmp_path):
    url = "https://data.example/data.csv"
    download = source(SourceFile("data.csv", "csv", url=url), access=Access.DOWNLOAD)
    api = source(access=Access.API_KEY)
    r = retrieval(mirror=tmp_path / "mirror")
    assert r.status(source(), "2019") is Status.OWED
    assert r.status(download, "2019") is Status.DOWNLOADABLE
    assert r.status(api, "2019") is Status.NEEDS_KEY
    assert retrieval(census_key="abc").status(api, "2019") is Status.DOWNLOADABLE
    lay(tmp_path / "mirror/test_source/2019", "data.csv")
    assert r.status(source(), "2019") is Status.IN_MIRROR
    two = source(SourceFile("data.csv", "csv"), SourceFile("more.csv", "csv", url=url))
    assert r.status(two, "2019") is Status.DOWNLOADABLE, "the worst of its files"
    lay(root / "inbox/test_source", "data.csv")
    assert r.status(source(), "2019") is Status.PRESENT
    r.obtain(source(), "2019")
    assert r.status(source(), "2019") is Status.PRESENT


def test_the_key_follows_the_agency(retrieval):
    ipums = source(access=Access.API_KEY)
    ipums = Source(**{**vars(ipums), "landing_page": "https://usa.ipums.org/usa/"})
    r = retrieval(ipums_key="i", census_key="c")
    assert r.key_for(ipums) == ("IPUMS_API_KEY", "i")
    assert r.key_for(source(access=Access.API_KEY)) == ("CENSUS_API_KEY", "c")
    with pytest.raises(OwedError, match="Set IPUMS_API_KEY"):
        retrieval().obtain(ipums, "2019")


def test_keys_do_not_show(retrieval):
    r = retrieval(ipums_key="topsecret1", census_key="topsecret2")
    assert (r.ipums_key, r.census_key) == ("topsecret1", "topsecret2")
    assert "topsecret" not in repr(r) + repr(vars(r)) + repr(r.key_for(source()))


def test_fingerprint(root, retrieval):
    lay(root / "raw/test_source/2019", "a.csv")
    lay(root / "raw/test_source/2019", "b.csv", b"state,value\n02,1\n")
    s = source(SourceFile("a.csv", "csv"), SourceFile("b.csv", "csv"))
    files = retrieval().obtain(s, "2019")
    assert fingerprint(files) == fingerprint(files[::-1])
    assert len({fingerprint(files), fingerprint(files[:1]), fingerprint(files[1:]), fingerprint([])}) == 4


# Object storage -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket():
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    patch.setenv("AWS_ENDPOINT_URL", endpoint)
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="mobility")
    yield "s3://mobility"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
    patch.undo()


def test_the_store_in_object_storage(bucket, tmp_path):
    root = UPath(f"{bucket}/data")
    lay(tmp_path / "mirror/test_source/2019", "data.csv")
    first = Retrieval(root=root, scratch=tmp_path / "scratch", mirror=tmp_path / "mirror", offline=True)
    (file,) = first.obtain(source(), "2019")
    assert file.path.read_bytes() == CSV
    assert file.path.is_relative_to(tmp_path / "scratch")
    entry = json.loads((root / "raw/test_source/2019/provenance.json").read_text())["files"]["data.csv"]
    assert (entry["how"], entry["sha256"]) == ("mirror", file.sha256)

    second = Retrieval(root=root, scratch=tmp_path / "other", offline=True)
    assert second.status(source(), "2019") is Status.PRESENT
    assert second.obtain(source(), "2019")[0].path.read_bytes() == CSV

    file.path.write_bytes(b"spoiled")
    assert first.obtain(source(), "2019")[0].path.read_bytes() == CSV, "a spoiled staged copy is staged again"

    (root / "raw/test_source/2019/data.csv").write_bytes(CSV.replace(b"5", b"6"))
    for retrieval in (first, second):
        with pytest.raises(InputError, match=r"2019/data\.csv.*changed after it was stored"):
            retrieval.obtain(source(), "2019")


def test_files_handed_in_through_object_storage(bucket, tmp_path):
    root = UPath(f"{bucket}/handed")
    (root / "raw/test_source/2019/data.csv").write_bytes(CSV)
    (root / "inbox/second/data.csv").write_bytes(CSV)
    r = Retrieval(root=root, scratch=tmp_path, offline=True)
    assert r.obtain(source(), "2019")[0].how == "person"
    assert r.obtain(source(key="second"), "2019")[0].how == "person"
    assert (root / "raw/second/2019/data.csv").exists()
    with pytest.raises(OwedError, match=r"s3://mobility/handed/raw/third/2019/"):
        r.obtain(source(key="third"), "2019")
