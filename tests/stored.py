"""Runs with fixed ids and times, so that whole outputs can be compared; the clock stands at 15:00."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitexp import canonical, ids
from gitexp.git import objects
from gitexp.ops.recording import lifecycle
from gitexp.record import params, points, summary
from gitexp.record.points import Point
from gitexp.record.run import Parent, RunRecord
from gitexp.store import runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Draft, Run
from gitexp.store.workspace import Workspace
from tests import support

NOW = "2026-11-20T15:00:00+00:00"
ANA = ("Ana Ruiz", "ana@acme.io")


def make(
    workspace: Workspace | None = None,
    name: str = "baseline",
    run_id: str = "kqzvmxrkqzvmxrkq",
    *,
    at: str = "14:00",
    took: float = 60.0,
    logged: Mapping[str, Sequence[float]] | None = None,
    given: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    **fields: Any,
) -> Run:
    """Record a run that began today `at` an hour; `logged` are the values of metrics from step 0, `given` params."""
    workspace = workspace or workspaces.open()
    start_ms = canonical.from_iso(f"2026-11-20T{at}:00+00:00")
    values = [
        Point(metric, step, start_ms + step * 1000, value)
        for metric, series in (logged or {}).items()
        for step, value in enumerate(series)
    ]
    aggregates = summary.of(values)
    stored: dict[str, bytes] = {"params.json": params.encode(given or {}), **(files or {})}
    if values:
        stored |= {"metrics.csv": points.encode(values), "summary.json": summary.encode(aggregates)}
    record = _record(workspace, name, run_id, start_ms, took, fields)
    code = next((parent.commit for parent in record.parents if parent.role == "code"), None)
    tree = objects.read_commit(workspace.repo, code).tree if code else None
    ref = ids.run_ref(ids.experiment_slug(record.experiment), name, run_id)
    return runs.write(workspace, Draft(ref, record, aggregates, stored, tree))


def _record(
    workspace: Workspace, name: str, run_id: str, start_ms: int, took: float, fields: dict[str, Any]
) -> RunRecord:
    head = workspace.repo.head()
    user, email = fields.pop("who", ANA)
    code = {"commit": head.commit, "branch": head.branch, "dirty": False, "policy": "snapshot", "complete": True}
    parents = (Parent("code", head.commit),) if head.commit else ()
    if edits := fields.pop("edits", ()):
        snapshot = _snapshot(workspace, str(head.commit))
        code |= {"dirty": True, "snapshot": snapshot, "changed": list(edits)}
        parents = (Parent("code", snapshot),)
    known: dict[str, Any] = {
        "experiment": "churn", "status": "completed", "host": "gpu01", "code": code, "parents": parents,
        "command": ("python", "train.py"), "user": {"name": user, "email": email, "offset_minutes": 60},
    }  # fmt: skip
    start_ms = fields.pop("start_ms", start_ms)
    return RunRecord(
        id=run_id, name=name, start_ms=start_ms, end_ms=start_ms + round(took * 1000), **{**known, **fields}
    )


def _snapshot(workspace: Workspace, head: str) -> str:
    commit = objects.read_commit(workspace.repo, head)
    return objects.write_commit(
        workspace.repo, objects.Commit(commit.tree, (head,), commit.author, commit.committer, "edits\n")
    )


@contextmanager
def live(name: str = "live", **logged: Sequence[float]) -> Iterator[lifecycle.Session]:
    """Give a run that this process is in the middle of, with what it has logged so far; it is killed at the end."""
    session = lifecycle.start(workspaces.open(), lifecycle.Request(experiment="churn", name=name))
    log(session, **logged)
    try:
        yield session
    finally:
        if session.folder.exists():
            lifecycle.finish(session, "killed")


def log(session: lifecycle.Session, **logged: Sequence[float]) -> None:
    """Log more to a live run, so that others can read it."""
    for metric, series in logged.items():
        for step, value in enumerate(series):
            session.writer.rows.append((points.cell(metric), step, session.start.record.start_ms + step, value))
    session.writer.drain()


SCRIPT = """\
import sys, gitexp
run = gitexp.start_run("churn", name="live", params={"lr": 0.05})
print(run.id, flush=True)
sys.stdin.readline()
"""


@contextmanager
def running(project: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give a process whose run `live` is running in `project`, and the run's id."""
    command = [sys.executable, "-c", SCRIPT]
    pipe, env = subprocess.PIPE, {**os.environ, "PYTHONPATH": str(support.ROOT)}
    child = subprocess.Popen(command, cwd=project, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)
    assert child.stdout is not None
    try:
        yield child, child.stdout.readline().strip()
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
