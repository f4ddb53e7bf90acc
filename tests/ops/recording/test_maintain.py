"""Folding loose objects and refs away, beside."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

import gitexp
from gitexp.ops.recording import maintain
from gitexp.store import workspace
from tests import support


def counts(path: Path) -> dict[str, int]:
    lines = support.git(path, "count-objects", "-v").splitlines()
    return {key: int(value) for key, _, value in (line.partition(": ") for line in lines)}


def due(path: Path) -> None:
    """Let the log be as long as after some hundred runs."""
    support.write(path / ".git/gitexp/refs.log", "#" * 140 * 250 + "\n")


def folded(path: Path) -> bool:
    """Wait until the loose objects are in a pack, ten seconds at most."""
    for _ in range(100):
        if counts(path)["count"] == 0 and not (path / ".git/objects/maintenance.lock").exists():
            return True
        time.sleep(0.1)
    return False


def test_the_objects_of_many_runs_are_folded_into_a_pack(project: Path, untouched: None) -> None:
    due(project)
    with gitexp.start_run("churn", name="kept") as run:
        run.log({"loss": 0.5})
    assert folded(project)
    assert counts(project)["in-pack"] > 5
    assert gitexp.get_run("kept").summary["loss"].last == 0.5
    with gitexp.start_run("churn", name="after"):
        pass
    assert len(support.run_refs(project)) == 2


def test_it_waits_until_it_is_due_and_can_be_switched_off(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gitexp.start_run("churn"):
        pass
    assert not maintain.after_run(workspace.open())
    due(project)
    monkeypatch.setenv("GITEXP_MAINTENANCE", "false")
    assert not maintain.after_run(workspace.open())


def test_runs_are_recorded_while_empty_folders_of_objects_are_removed(project: Path, untouched: None) -> None:
    loop = "while :; do rmdir .git/objects/[0-9a-f][0-9a-f] 2>/dev/null; done"
    remover = subprocess.Popen(["sh", "-c", loop], cwd=project)
    try:
        for number in range(40):
            with gitexp.start_run("churn", name=f"run{number}"):
                pass
    finally:
        remover.kill()
        remover.wait()
    assert len(support.run_refs(project)) == 40
