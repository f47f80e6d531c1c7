"""A candidate waits beside the releases; a person promotes it; what goes wrong leaves the last good release."""

import json
import shutil

import dagster as dg
import pytest
from refresh_support import PREDICTORS, build, bytes_of, clean_environment, latest, workspace, write_raw
from sample_build import mobility

from outputs.deliver import verify_sums
from outputs.promote import damage, promote, releases
from outputs.release import ReleaseError
from pipelines.jobs import build_definitions
from pipelines.release import last_candidate, last_release, promote_release, publish_release


@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    """A data root with a published release of one year and a candidate of two."""
    root = tmp_path_factory.mktemp("candidates") / "data"
    write_raw(root)
    first = build(root, PREDICTORS, [2022])
    second = build(root, PREDICTORS, [2022, 2023], candidate=True)
    assert second.candidate
    assert not first.candidate
    return root, first.release, second.release


@pytest.fixture
def root(waiting, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(waiting[0], tmp_path / "data")
    return tmp_path / "data"


def test_a_candidate_is_whole_and_readers_do_not_see_it(waiting):
    root, first, second = waiting
    assert first != second
    assert latest(root) == first
    assert sorted(p.name for p in (root / "published").iterdir()) == ["LATEST", first]
    assert verify_sums(root / "candidates" / second) == []
    states = {r.name: (r.state, r.years) for r in releases(root)}
    assert states == {first: ("latest", (2022,)), second: ("candidate", (2022, 2023))}


def test_the_same_build_again_makes_no_second_candidate(waiting):
    again = build(waiting[0], PREDICTORS, [2022, 2023], candidate=True)
    assert (again.release, again.candidate, again.counts.get("built", 0)) == (waiting[2], True, 0)


def test_promotion_moves_the_very_files_and_latest(root, waiting):
    _, first, second = waiting
    before = bytes_of(root / "candidates" / second)
    earlier = bytes_of(root / "published" / first)
    assert last_candidate(workspace(root)) == second
    assert promote_release(workspace(root), second) == first
    assert latest(root) == second
    assert bytes_of(root / "published" / second) == before
    assert bytes_of(root / "published" / first) == earlier
    assert not (root / "candidates" / second).exists()
    # The next build knows that the release is of what lies there.
    assert last_release(workspace(root)) == second
    assert last_candidate(workspace(root)) is None
    assert build(root, PREDICTORS, [2022, 2023], candidate=True).candidate is False


def test_what_gives_the_very_same_figures_writes_no_release(root, waiting, monkeypatch):
    promote_release(workspace(root), waiting[2])

    def written(*_: object, **__: object) -> None:
        raise AssertionError("nothing had to be written")

    monkeypatch.setattr("pipelines.release.publish", written)
    for candidate in (False, True):
        report = publish_release(workspace(root), candidate=candidate)
        assert (report.name, report.reused, report.gate) == (waiting[2], True, None)
        assert report.path == str(root / "published" / waiting[2])
    # Once an estimate is another one, a release is due.
    account = root / "estimates" / PREDICTORS[0] / "2023.json"
    account.write_text(account.read_text().replace('"content_hash": "', '"content_hash": "0'))
    with pytest.raises(AssertionError):
        publish_release(workspace(root))


def test_an_earlier_release_can_be_the_latest_again(root, waiting):
    _, first, second = waiting
    promote(root, second)
    assert promote(root, first) == second
    assert latest(root) == first
    assert [r.state for r in releases(root) if r.name == second] == ["published"]


@pytest.mark.parametrize("fault", ["changed", "missing", "without sums"])
def test_a_damaged_candidate_is_refused_and_nothing_moves(root, waiting, fault):
    _, first, second = waiting
    folder = root / "candidates" / second
    if fault == "changed":
        file = folder / "data_dictionary.csv"
        file.write_bytes(file.read_bytes() + b"x")
    else:
        (folder / ("data_dictionary.csv" if fault == "missing" else "SHA256SUMS")).unlink()
    with pytest.raises(ReleaseError, match=f"{second} is damaged"):
        promote(root, second)
    assert latest(root) == first
    assert folder.exists()
    assert not (root / "published" / second).exists()


def test_an_unknown_name_is_refused_with_the_known_ones(root, waiting):
    with pytest.raises(ReleaseError, match=f"no release nothing; there are: .*{waiting[2]}"):
        promote(root, "nothing")


def test_another_release_of_the_same_name_is_not_written_over(root, waiting):
    _, first, second = waiting
    shutil.copytree(root / "published" / first, root / "published" / second)
    with pytest.raises(ReleaseError, match="published already"):
        promote(root, second)
    assert latest(root) == first
    assert (root / "candidates" / second).exists()


def test_a_kill_between_the_move_and_latest_is_mended_by_promoting_again(root, waiting, monkeypatch):
    _, first, second = waiting

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("outputs.promote.write_line", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(root, second)
    assert latest(root) == first
    assert damage(root / "published" / first) == []
    promote(root, second)
    assert latest(root) == second


def test_what_failed_checks_becomes_no_candidate(root, waiting, monkeypatch):
    monkeypatch.setattr("outputs.release._verify", lambda *_: (_ for _ in ()).throw(ReleaseError("a check fails")))
    shutil.rmtree(root / "candidates")
    with clean_environment():
        assert _job(root, "candidate", {}).success is False
    assert latest(root) == waiting[1]
    assert bytes_of(root / "candidates") == {}


def _job(root, name, config):
    definitions = build_definitions(workspace(root))
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def(name).execute_in_process(
            instance=instance, raise_on_error=False, run_config=config
        )


def test_the_job_promotes_and_says_so_on_the_release_page(root, waiting):
    config = {"ops": {"promote_candidate": {"config": {"release": waiting[2]}}}}
    result = _job(root, "promote", config)
    assert result.success
    assert latest(root) == waiting[2]
    (event,) = result.asset_materializations_for_node("promote_candidate")
    assert event.metadata["release"].value == waiting[2]
    assert event.metadata["before"].value == waiting[1]


def test_the_job_fails_in_words_for_a_name_that_is_not_there(root, waiting):
    result = _job(root, "promote", {"ops": {"promote_candidate": {"config": {"release": "nothing"}}}})
    assert not result.success
    assert latest(root) == waiting[1]


def test_the_job_refresh_does_what_the_command_does(root, waiting):
    shutil.rmtree(root / "candidates")
    with clean_environment():
        config = {"predictors": PREDICTORS, "years": [2022, 2023], "reason": "a test"}
        result = _job(root, "refresh", {"ops": {"refresh_candidate": {"config": config}}})
    assert result.success
    told = result.output_for_node("refresh_candidate")
    assert (told["release"], told["candidate"], told["failed"]) == (waiting[2], True, [])
    assert latest(root) == waiting[1]


def test_the_commands(root, waiting):
    _, first, second = waiting
    listed = json.loads(mobility("releases", "--json", data=root).stdout)
    assert {r["name"]: r["state"] for r in listed} == {first: "latest", second: "candidate"}
    done = mobility("publish", second, data=root)
    assert done.returncode == 0, done.stderr
    assert f"{second} is the latest release now" in done.stdout
    assert first in done.stdout
    assert latest(root) == second
    refused = mobility("publish", "nothing", data=root)
    assert refused.returncode == 1
    assert "no release nothing" in refused.stderr
