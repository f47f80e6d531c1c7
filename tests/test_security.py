"""Downloads are data, never programs; keys are shown nowhere; nothing listens to the outside."""

import ast
import importlib.util
import json
import subprocess

import httpx
import pytest
from pydantic import SecretStr
from refresh_support import clean_environment, workspace, write_raw
from typer.testing import CliRunner
from werkzeug import Request, Response

from pipelines import cli
from pipelines.run import run
from pipelines.settings import PROJECT

FORBIDDEN_CALLS = {"eval", "exec", "compile", "extractall", "extract", "read_pickle", "unpack_archive", "system"}
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
ALLOWED = {("str", "extract"), ("re", "compile")}
KEYS = {"ipums_api_key": "ipums-key-59cba10d8a5da536", "census_api_key": "census-key-9f3ab6f1e4d0c2"}


def _calls(tree: ast.AST) -> list[tuple[str, str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            target = node.func
            if isinstance(target, ast.Name):
                found.append(("", target.id, node.lineno))
            elif isinstance(target, ast.Attribute):
                owner = target.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                found.append((name, target.attr, node.lineno))
    return found


def test_nothing_that_is_downloaded_is_executed_or_unpacked_to_places_it_chooses():
    """Zip members are read by name into memory or into a file that we name: they cannot escape a folder."""
    problems = []
    for room in ("sources", "schemas", "metrics", "outputs", "pipelines"):
        for path in sorted((PROJECT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                problems += [f"{path.name}: import {n}" for n in names if n.split(".")[0] in FORBIDDEN_IMPORTS]
            problems += [
                f"{path.name}:{line}: {owner}.{name}()"
                for owner, name, line in _calls(tree)
                if name in FORBIDDEN_CALLS and (owner, name) not in ALLOWED
            ]
    assert problems == []


def test_the_search_for_dangerous_calls_finds_them():
    assert [c[:2] for c in _calls(ast.parse("archive.extractall(x); eval('1')"))] == [
        ("archive", "extractall"),
        ("", "eval"),
    ]


def test_keys_stand_in_no_file_message_or_record(tmp_path, capfd, caplog):
    """A whole run with keys: accounts, provenance, Dagster's records and logs, gate report, release."""
    write_raw(tmp_path / "agencies", (2022,), ("popest", "wonder_natality"))
    secrets = {name: SecretStr(value) for name, value in KEYS.items()}
    made = workspace(
        tmp_path / "data", profile="live", mirror=str(tmp_path / "agencies/raw"), states="10,37", **secrets
    )
    with clean_environment():
        report = run(made, ["neonatal_health", "employment"], [2022])
    assert report.release
    assert report.owed, "the microdata are owed: their recipes speak of keys"
    said = [repr(made), repr(made.settings), repr(made.retrieval()), json.dumps(vars(report), default=str), caplog.text]
    said += list(capfd.readouterr())
    for key in KEYS.values():
        assert all(key not in text for text in said)
        holding = [p for p in tmp_path.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]
        assert holding == []


def test_the_ui_listens_to_this_machine_only(tmp_path, monkeypatch):
    commands = []

    def record(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(cli.subprocess, "run", record)
    with clean_environment():
        CliRunner().invoke(cli.app, ["ui", "--data", str(tmp_path / "data"), "--profile", "live"])
    (command,) = commands
    assert command[command.index("-h") + 1] == "127.0.0.1"


# The audit of the locked packages ------------------------------------------------------------------------------------


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", PROJECT / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_audit_asks_about_every_locked_package(audit, httpserver):
    packages = audit.locked((PROJECT / "requirements.lock").read_text())
    assert {"dagster", "polars", "duckdb"} <= {name for name, _ in packages}

    def answer(request: Request) -> Response:
        results = [
            {"vulns": [{"id": "OSV-1"}]} if q["package"]["name"] == "polars" else {} for q in request.json["queries"]
        ]
        return Response(json.dumps({"results": results}), content_type="application/json")

    httpserver.expect_request("/").respond_with_handler(answer)
    found = audit.known(packages, httpserver.url_for("/"))
    assert [name.split()[0] for name in found] == ["polars"]
    assert list(found.values()) == [["OSV-1"]]


def test_the_audit_is_skipped_in_words_without_a_network(audit, monkeypatch, capsys):
    def unreachable(*_: object, **__: object) -> None:
        raise httpx.ConnectError("no network")

    monkeypatch.setattr(audit.httpx, "post", unreachable)
    assert audit.main() == 0
    assert "audit skipped" in capsys.readouterr().out


def test_a_known_weakness_fails_the_audit(audit, monkeypatch, capsys):
    monkeypatch.setattr(audit, "known", lambda packages: {"polars 1.0": ["OSV-1"]})
    assert audit.main() == 1
    assert "polars 1.0: OSV-1" in capsys.readouterr().out
