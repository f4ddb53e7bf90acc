"""What goes on beside the training."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest

import gitexp
from tests import support


def test_the_use_of_the_machine_is_sampled(project: Path, monkeypatch: pytest.MonkeyPatch, untouched: None) -> None:
    monkeypatch.setenv("GITEXP_SYSTEM_INTERVAL", "0.2s")
    with gitexp.start_run() as run:
        for _ in range(60):
            time.sleep(0.05)
            if list((project / ".git/gitexp/live" / run.id).glob("system-*.csv")):
                break
    rows = list(csv.reader(io.StringIO(support.git(project, "show", f"{run.ref}:.gitexp/system.csv"))))
    assert rows[0] == ["metric", "step", "time", "value"]
    assert "memory.rss_bytes" in {row[0] for row in rows[1:]}


def test_it_can_be_switched_off(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_SYSTEM_METRICS", "false")
    monkeypatch.setenv("GITEXP_SYSTEM_INTERVAL", "0.1s")
    with gitexp.start_run() as run:
        time.sleep(0.7)
    assert "system.csv" not in support.git(project, "ls-tree", "-r", "--name-only", run.ref)


def test_points_are_on_the_disk_within_a_second(project: Path) -> None:
    with gitexp.start_run() as run:
        run.log({"loss": 0.5})
        path = project / ".git/gitexp/live" / run.id / "metrics-main.csv"
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not (path.exists() and b"loss" in path.read_bytes()):
            time.sleep(0.02)
        assert b"loss,0," in path.read_bytes()


def test_the_environment_is_recorded_with_installable_packages(project: Path) -> None:
    with gitexp.start_run() as run:
        pass
    environment = support.record(project, run.ref, "environment.json")
    assert environment["python"]["version"].count(".") == 2
    assert environment["packages"]["pygit2"]["version"]
    assert "pygit2==" in support.git(project, "show", f"{run.ref}:.gitexp/requirements.txt")


def test_seeds_and_cost_are_recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_COST_PER_HOUR", "3.6")
    with gitexp.start_run(seed=7) as run:
        time.sleep(0.05)
    record = support.record(project, run.ref)
    assert record["seeds"]["python"] == 7
    assert record["cost"]["per_hour"] == 3.6 and record["cost"]["total"] > 0
