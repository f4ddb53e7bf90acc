"""Journals that several processes append to, each for a moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitexp.errors import Conflict
from gitexp.ops.recording import lifecycle, recover
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.store import live, runs
from gitexp.store.workspace import Workspace
from tests import support

SETUP = """
from gitexp.ops.recording import lifecycle
from gitexp.store import turns, workspace as workspaces
workspace = workspaces.open()
"""


def begin(workspace: Workspace) -> Session:
    return lifecycle.start(workspace, Request(name="shared", shared=True))


def log(session: Session, name: str, *values: float) -> None:
    session.writer.rows += [(name, step, 1_000, value) for step, value in enumerate(values)]
    session.writer.drain()


def entered(workspace: Workspace, run_id: str) -> Session:
    session = lifecycle.enter(workspace, run_id)
    assert session is not None
    return session


def child(repo: Path, code: str) -> None:
    """Run code in a process of its own."""
    subprocess.run([sys.executable, "-c", SETUP + code], check=False, cwd=repo, timeout=60)


def test_points_of_all_who_append_come_in_the_order_written(workspace: Workspace) -> None:
    one = begin(workspace)
    other = entered(workspace, one.id)
    for step in range(5):
        for session in (one, other):
            session.writer.rows.append(("loss", step, 1_000, float(step)))
            session.writer.drain()
    other.writer.event("tags", values={"who": "other"})
    run = lifecycle.finish(other, "completed")
    assert run is not None
    assert [point.step for point in runs.load(workspace, str(run.commit), run.ref).points()] == [
        step for step in range(5) for _ in "12"
    ]
    assert (run.record.tags, run.summary["loss"].count) == ({"who": "other"}, 10)


def test_who_writes_after_the_end_is_told_and_goes_on_as_late(workspace: Workspace) -> None:
    one = begin(workspace)
    other = entered(workspace, one.id)
    log(one, "loss", 0.5)
    run = lifecycle.finish(one, "completed")
    assert run is not None
    with pytest.raises(Conflict):
        other.writer.event("tags", values={"late": "yes"})
    assert lifecycle.enter(workspace, one.id) is None
    late = lifecycle.enter_late(workspace, run)
    assert late is not None
    late.writer.event("tags", values={"late": "yes"})
    log(late, "auc", 0.9)
    recover.complete_late(workspace, late.folder)
    found = runs.by_id(workspace, one.id)
    assert found is not None
    assert (found.record.tags, found.record.status) == ({"late": "yes"}, "completed")
    assert sorted(found.summary) == ["auc", "loss"]
    assert [parent.role for parent in found.record.parents] == ["code", "previous"]
    assert live.folders(workspace) == []


def test_a_run_is_dead_when_its_owner_is_killed_and_not_when_it_left(project: Path, workspace: Workspace) -> None:
    code = (
        "session = lifecycle.start(workspace, lifecycle.Request(name='x', shared=True))\n"
        "owner = turns.own(session.folder)\n"
    )
    child(project, code + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    child(project, code + "turns.leave(session.folder, owner)")
    alive = sorted(run.alive for run in live.listing(workspace))
    assert alive == [False, True]
    swept = recover.sweep(workspace)
    assert [run.record.status for run in swept.closed] == ["killed"]
    assert len(live.listing(workspace)) == 1


def test_a_late_end_changes_the_status(workspace: Workspace) -> None:
    run = lifecycle.finish(begin(workspace), "completed")
    assert run is not None
    late = lifecycle.enter_late(workspace, run)
    assert late is not None
    late.writer.event("end", status="failed", end=run.record.end_ms, exit_code=None, error=None)
    recover.complete_late(workspace, late.folder)
    found = runs.by_id(workspace, run.id)
    assert found is not None and found.record.status == "failed"


def test_tags_that_are_taken_away_are_gone(workspace: Workspace) -> None:
    session = lifecycle.start(workspace, Request(name="x", shared=True, tags={"a": "1", "b": "2"}))
    session.writer.event("untag", keys=["a", "b"])
    session.writer.event("tags", values={"b": "3"})
    assert lifecycle.running(session).record.tags == {"b": "3"}
    run = lifecycle.finish(session, "completed")
    assert run is not None and run.record.tags == {"b": "3"}


def test_a_start_that_is_told_is_kept(workspace: Workspace) -> None:
    session = lifecycle.start(workspace, Request(name="x", shared=True, start_ms=1_000_000))
    run = lifecycle.finish(session, "failed", end_ms=2_000_000)
    assert run is not None and (run.record.start_ms, run.record.end_ms) == (1_000_000, 2_000_000)


@pytest.mark.slow
def test_many_processes_append_to_one_run_and_nothing_is_lost(project: Path, workspace: Workspace) -> None:
    session = begin(workspace)
    code = (
        f"import os\nsession = lifecycle.enter(workspace, {session.id!r})\n"
        "for step in range(200):\n"
        "    session.writer.rows.append((f'm{os.getpid()}', step, 1000, 0.5))\n"
        "    session.writer.drain()\n"
        "    session.writer.event('params', source='sdk', values={f'p{os.getpid()}.{step}': step})\n"
    )
    several = [subprocess.Popen([sys.executable, "-c", SETUP + code], cwd=project) for _ in range(4)]
    assert [process.wait(60) for process in several] == [0] * 4
    run = lifecycle.finish(session, "completed")
    assert run is not None
    assert [run.summary[name].count for name in sorted(run.summary)] == [200] * 4
    assert len(run.params) == 800
    assert support.git(project, "status", "--porcelain") == ""
    assert live.folders(workspace) == []
