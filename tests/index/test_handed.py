"""Runs hand their rows to the index as they end; whatever becomes of such a row, the run is listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitexp.index import database, handed
from gitexp.ops.recording import recover
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, support
from tests.index import agreement


@pytest.fixture
def workspace(project: Path) -> Workspace:
    recording.record(project, "first")
    workspace = workspaces.open(project)
    database.of(workspace)
    return workspace


def waiting(workspace: Workspace) -> Path:
    return workspace.home / "index.handed"


def test_nothing_is_handed_over_where_nobody_has_listed_runs(project: Path) -> None:
    recording.record(project, "one")
    assert not (project / ".git/gitexp/index.handed").exists()


def test_a_row_is_handed_over_and_taken_once(workspace: Workspace, project: Path) -> None:
    odd = {"lr": 0.1, "n": None, "t": True, "nan": float("nan"), "inf": float("inf"), "big": 2**80, "half": "\ud800"}
    run = recording.record(
        project, "one", params=odd, metrics={"loss": [float("nan"), 1.0]}, artifacts={"a/b.txt": b"x"}, seeds={"s": 1}
    )
    (line,) = waiting(workspace).read_text().splitlines()
    assert json.loads(line)[1:3] == [run.ref, run.commit]
    agreement.check(workspace)
    assert not waiting(workspace).exists()
    assert list(workspace.home.glob("index.handed*")) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"",
        lambda line: line[: len(line) // 2],
        lambda line: b"\xff" + line,
        lambda line: b"[]\n",
        lambda line: b"[1,2,3,4,5,6,7,8]\n" + line + line,
        lambda line: line.replace(b"gitexp ", b"other "),
        lambda line: line + b'["torn',
    ],
    ids=["gone", "torn", "bytes", "empty", "twice", "version", "rest"],
)
def test_a_line_that_is_no_good_is_made_up_for_by_the_commit(
    workspace: Workspace, project: Path, spoil: object
) -> None:
    assert callable(spoil)
    recording.record(project, "one", params={"lr": 1})
    waiting(workspace).write_bytes(spoil(waiting(workspace).read_bytes()))
    assert {entry.name for entry in agreement.check(workspace)} == {"first", "one"}


def test_a_row_of_a_commit_that_the_ref_left_is_not_taken(workspace: Workspace, project: Path) -> None:
    first = recording.record(project, "one", params={"lr": 1})
    line = waiting(workspace).read_bytes()
    other = recording.record(project, "two", params={"lr": 2})
    support.git(project, "update-ref", "-d", str(other.ref))
    waiting(workspace).write_bytes(line.replace(str(first.commit).encode(), b"0" * 40))
    assert {entry.name for entry in agreement.check(workspace)} == {"first", "one"}


def test_a_file_of_rows_that_nobody_takes_does_not_grow_for_ever(
    workspace: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed, "_MAX_FILE_BYTES", 100)
    recording.record(project, "one")
    size = waiting(workspace).stat().st_size
    recording.record(project, "two")
    assert waiting(workspace).stat().st_size == size
    assert len(agreement.check(workspace)) == 3


def test_a_run_that_is_recovered_hands_its_row_over_too(workspace: Workspace, project: Path) -> None:
    session = recording.start(project, "dead", metrics={"loss": [1.0]})
    session.writer.drain()
    session.writer.close()
    assert [run.name for run in recover.sweep(workspace).closed] == ["dead"]
    assert {entry.status for entry in agreement.check(workspace)} == {"completed", "killed"}
