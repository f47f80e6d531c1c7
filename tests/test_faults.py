"""What machines do to a build: no room on the disk, no right to write, other clocks and languages, two at once."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from refresh_support import build, bytes_of, clean_environment, latest, workspace, write_raw
from upath import UPath

from outputs.deliver import verify_sums
from pipelines.remote_lock import NAME, PARTS, STALE_SECONDS, BusyError, remote_lock, remote_part_lock
from pipelines.run import run
from schemas.errors import InputError
from sources.framework.inbox import HandedIn, clear_reason, handed_in, refuse, take
from sources.registry import all_sources, all_tables

PREDICTORS = ["neonatal_health"]
SOURCES = ("popest", "wonder_natality")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("faults") / "data"
    write_raw(root, (2022, 2023), SOURCES)
    build(root, PREDICTORS, [2022])
    return root


FAULTS = {
    "the store": "sources.framework.store.Store._write",
    "tables and estimates": "pipelines.workspace.Workspace._write_parquet",
    "accounts": "pipelines.workspace.Workspace.write_account",
    "published files": "outputs.release.write_csv",
    "delivery": "outputs.release.deliver",
    "latest": "outputs.release.write_line",
}


@pytest.mark.parametrize(("what", "number"), zip(FAULTS, (errno.ENOSPC, errno.EROFS) * 3, strict=True))
def test_a_disk_that_takes_nothing_harms_nothing(built, tmp_path, monkeypatch, what, number):
    built = shutil.copytree(built, tmp_path / "data")
    before = latest(built)
    published = bytes_of(built / "published" / before)
    if what == "the store":
        shutil.rmtree(built / "tables")
        for file in (built / "raw").rglob("provenance.json"):
            file.unlink()

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched, clean_environment():
        patched.setattr(FAULTS[what], fails)
        made = workspace(built)
        made.force = True
        report = run(made, PREDICTORS, [2022, 2023])
    assert any(os.strerror(number) in text for text in report.failed.values()), report.failed
    assert latest(built) == before
    assert bytes_of(built / "published" / before) == published
    assert verify_sums(built / "published" / before) == []
    assert [p.name for p in built.rglob("*.tmp")] == []
    assert [p.name for p in (built / "published").glob(".draft-*")] == []


def test_after_the_disk_has_room_again_the_build_goes_on(built, monkeypatch):
    with monkeypatch.context() as patched, clean_environment():
        patched.setattr(FAULTS["tables and estimates"], lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        assert run(workspace(built), PREDICTORS, [2023]).failed
    report = build(built, PREDICTORS, [2022, 2023])
    assert report.release == latest(built)
    assert verify_sums(built / "published" / report.release) == []


def test_clocks_languages_and_hash_seeds_change_no_byte(tmp_path):
    """Times before all files, other number and letter customs, another order of sets."""
    script = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "import torture; torture.prepare(Path(sys.argv[1])); torture.build(Path(sys.argv[1]))"
    )
    releases = []
    for number, changes in enumerate(
        [
            {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
            {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "PYTHONHASHSEED": "7"},
        ]
    ):
        root = tmp_path / str(number)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_")}
        command = [sys.executable, "-c", script, str(root), str(Path(__file__).parent)]
        done = subprocess.run(command, env={**clean, **changes}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        folder = root / "published" / latest(root)
        timed = ("release.json", "SHA256SUMS", "mobility.duckdb")
        files = {name: hashlib.sha256(data).hexdigest() for name, data in bytes_of(folder).items() if name not in timed}
        releases.append((folder.name, files))
    assert releases[0] == releases[1]


def test_files_from_the_future_are_no_reason_to_build_again_or_not(built):
    build(built, PREDICTORS, [2022, 2023])
    future = time.time() + 10 * 365 * 86400
    for file in (built / "estimates").rglob("*.json"):
        os.utime(file, (future, future))
    assert build(built, PREDICTORS, [2022, 2023]).counts.get("built", 0) == 0


# Object storage -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bucket():
    """An S3 server on loopback."""
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
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="mobility")
    yield "s3://mobility"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.stop()
    patch.undo()


def test_a_whole_build_on_s3(bucket, tmp_path):
    from outputs.promote import damage, releases
    from pipelines.release import promote_release

    write_raw(tmp_path / "agencies", (2022, 2023), SOURCES)

    def root_of(data: str):
        made = {"profile": "live", "mirror": str(tmp_path / "agencies/raw"), "states": "10,37"}
        return workspace(tmp_path / "x", data=data, state=tmp_path / "state" / data.replace("/", "_"), **made)

    local, remote = root_of(str(tmp_path / "local")), root_of(f"{bucket}/data")
    with clean_environment():
        here = run(local, PREDICTORS, [2022])
        there = run(remote, PREDICTORS, [2022])
        assert (there.failed, there.release) == ({}, here.release)
        root = UPath(f"{bucket}/data")
        files = bytes_of(tmp_path / "local/published" / here.release)
        for name in files.keys() - {"release.json", "SHA256SUMS", "mobility.duckdb"}:
            assert (root / "published" / here.release / name).read_bytes() == files[name], name
        assert not (root / NAME).exists()

        candidate = run(remote, PREDICTORS, [2022, 2023], candidate=True)
        assert candidate.candidate
        assert {r.name: r.state for r in releases(root)} == {here.release: "latest", candidate.release: "candidate"}
        assert promote_release(remote, candidate.release) == here.release
    assert (root / "published/LATEST").read_text().strip() == candidate.release
    assert damage(root / "published" / candidate.release) == []
    assert {r.name: r.state for r in releases(root)} == {here.release: "published", candidate.release: "latest"}


def test_files_handed_in_on_s3(bucket, tmp_path):
    """The inbox of an object store: seen, tried with the files that are there already, refused in writing, filed."""
    write_raw(tmp_path / "agency", (2022,), ("wonder_natality",))
    files = {p.name: p for p in (tmp_path / "agency/raw/wonder_natality/2022").glob("*.txt")}
    late = "lbw_births_2022.txt"
    made = workspace(tmp_path / "x", data=f"{bucket}/inbox", state=tmp_path / "state", profile="live")
    # Web consoles make folders as empty objects.
    for folder in ("inbox/", "inbox/wonder_natality/"):
        made.root.fs.call_s3("put_object", Bucket="mobility", Key=f"inbox/{folder}", Body=b"")
    assert handed_in(made.root) == []
    source = all_sources()["wonder_natality"]
    for name in files.keys() - {late}:
        made.retrieval().store.put(files[name], source, "2022", file=name, name=name, how="person")
    tables = [t for t in all_tables().values() if source.key in t.sources]

    def hand_in(content: bytes) -> HandedIn:
        (made.root / "inbox/wonder_natality" / late).write_bytes(content)
        (item,) = handed_in(made.root)
        assert item.path == f"wonder_natality/{late}"
        return item

    bad = hand_in(files["all_births_2022.txt"].read_bytes())
    with pytest.raises(InputError, match=late) as refusal:
        take(bad, source, tables, made.retrieval())
    reason = refuse(bad, made.root, str(refusal.value))
    assert late in reason.read_text()
    assert not (made.root / "raw/wonder_natality/2022" / late).exists()
    good = hand_in(files[late].read_bytes())
    assert good.stamp != bad.stamp, "a replaced file is looked at again"
    assert handed_in(made.root) == [good], "the written reason is no file handed in"
    filed = take(good, source, tables, made.retrieval())
    assert filed.sha256 == hashlib.sha256(files[late].read_bytes()).hexdigest()
    clear_reason(good, made.root)
    clear_reason(good, made.root)
    assert not reason.exists()
    assert (made.root / "raw/wonder_natality/2022" / late).read_bytes() == files[late].read_bytes()


def test_a_build_on_s3_that_lives_is_not_joined(bucket):
    root = UPath(f"{bucket}/locked")
    with remote_lock(root):
        with pytest.raises(BusyError, match="another build is running on s3://mobility/locked"), remote_lock(root):
            pass
        assert (root / NAME).exists()
    assert not (root / NAME).exists()


def test_steps_of_several_machines_have_locks_of_their_parts(bucket):
    root = UPath(f"{bucket}/parts")
    with remote_part_lock(root, "tables-spine-2022"), remote_part_lock(root, "tables-spine-2023"):
        with pytest.raises(BusyError, match="another build is running"), remote_part_lock(root, "tables-spine-2022"):
            pass
        with pytest.raises(BusyError, match="a step is writing tables-spine-2022"), remote_lock(root):
            pass
        assert not (root / NAME).exists(), "given back"
    with remote_lock(root):
        with pytest.raises(BusyError, match="another build is running"), remote_part_lock(root, "tables-spine-2022"):
            pass
        assert not (root / PARTS / "tables-spine-2022").exists(), "given back"
    # A step that died does not hold up a build for ever.
    (root / PARTS / "tables-spine-2022").write_text(f'{{"renewed": {time.time() - STALE_SECONDS - 1}}}')
    with remote_lock(root):
        pass


def test_the_lock_of_a_build_that_died_is_taken_over_by_one_of_two(bucket):
    root = UPath(f"{bucket}/died")
    (root / NAME).write_text(f'{{"renewed": {time.time() - STALE_SECONDS - 1}, "host": "gone"}}')
    got: list[str] = []
    both, done = threading.Barrier(2), threading.Event()

    def attempt() -> None:
        both.wait()
        try:
            with remote_lock(root):
                got.append("held")
                done.wait(10)
        except BusyError:
            got.append("busy")
            done.set()

    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["busy", "held"]


def _mark(root: UPath) -> str:
    root.fs.invalidate_cache()
    return root.fs.info((root / NAME).path)["ETag"]


def test_a_lock_is_renewed_while_the_build_lives_and_another_ones_is_left(bucket):
    root = UPath(f"{bucket}/renewed")
    with remote_lock(root, renew=0.05):
        first, deadline = _mark(root), time.monotonic() + 20
        while _mark(root) == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _mark(root) != first
        (root / NAME).write_text('{"id": "another"}')
    assert (root / NAME).exists(), "it was taken over: not ours to remove"
