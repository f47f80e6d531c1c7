"""The optional peer of the benchmark: R's survey package."""

from pathlib import Path

import pytest

from benchmarks import peer_r, survey


def test_without_r_one_line_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert survey.r_peer(tmp_path, {}) == ["left out: Rscript is not installed"]


def test_without_the_package_one_line_says_so(monkeypatch, tmp_path):
    script = tmp_path / "Rscript"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert survey.r_peer(tmp_path, {}) == ["left out: R's package survey is not installed"]


def test_where_it_is_installed_it_has_the_same_shares(monkeypatch, tmp_path):
    if (reason := peer_r.available()) is not None:
        pytest.skip(reason)
    survey.write_allocation(tmp_path)
    survey.write_records(tmp_path, "persons", 60_000)
    survey.write_records(tmp_path, "households", 60_000)

    def ours(task: str, folder: Path) -> None:
        found = survey.share_bounds(folder) if task == "share" else survey.quantile_bounds(folder)
        found.write_parquet(folder / f"{task}.ours.parquet")

    monkeypatch.setattr(peer_r, "_timed", lambda run: (peer_r._Time(1.0, 1.0), run()))
    share, quantile = peer_r.compare(tmp_path, ours)
    assert " 0 differ" in share
    assert "figures of state" in quantile


def test_the_nation_is_told_from_states_of_all_sizes(monkeypatch, tmp_path):
    survey.write_allocation(tmp_path)
    for kind in ("persons", "households"):
        survey.write_records(tmp_path, kind, 20_000)
    asked = []

    def run_r(task: str, target: Path) -> tuple[peer_r._Time, str]:
        asked.append(task)
        assert (target / f"{task}.csv").stat().st_size > 0
        return peer_r._Time(2.0, 2.0), ""

    monkeypatch.setattr(peer_r, "_run_r", run_r)
    lines = peer_r.nation(tmp_path, {"share": 0.5, "quantile": 0.5})
    assert asked == ["share", "quantile"] * peer_r.STATES
    assert len(lines) == 2
    assert all("of 20,000 records" in line for line in lines)
    smallest, largest = (peer_r.states_by_size(tmp_path)[i] for i in (0, -1))
    assert smallest != largest
