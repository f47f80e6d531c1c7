"""The explorer of the sample build: part of the release, and opened by the command."""

import json
import os
import subprocess
import sys
import urllib.request

import pytest

from outputs.deliver import verify_sums

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("sample")]


def _release(root):
    return root / "published" / (root / "published/LATEST").read_text().strip()


def test_every_release_holds_an_explorer_that_says_synthetic(sample_root):
    folder = _release(sample_root)
    assert verify_sums(folder) == []
    listed = (folder / "SHA256SUMS").read_text()
    facts = json.loads((folder / "explorer/data/catalog.json").read_text())
    assert facts["release"] == folder.name
    assert len(facts["predictors"]) == 24
    assert all(source["citation"] for predictor in facts["predictors"] for source in predictor["sources"])
    for page in ("index", "country", "profile", "about"):
        assert f"explorer/{page}.html" in listed
        assert 'class="synthetic"' in (folder / f"explorer/{page}.html").read_text()
    place = json.loads((folder / "explorer/data/place/37067.json").read_text())
    assert place["figures"]["share_employed"]["all"]["v"]


def test_the_command_serves_it_on_loopback(sample_root):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MOBILITY_")}
    command = [sys.executable, "-m", "pipelines.cli", "explore", "--port", "0", "--data", str(sample_root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean) as process:
        try:
            said = process.stdout.readline()
            address = next(word for word in said.split() if word.startswith("http://127.0.0.1:"))
            with urllib.request.urlopen(address) as answer:
                assert b"SYNTHETIC" in answer.read()
        finally:
            process.terminate()
