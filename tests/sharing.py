"""Runs to share, made at once: records as they are stored, without training anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitexp import ids
from gitexp.git import objects, refs
from gitexp.record import params, points, summary
from gitexp.record.points import Point
from gitexp.record.run import Parent, RunRecord
from gitexp.store import annotations, runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Content, Draft, Run
from gitexp.store.workspace import Workspace

START_MS = 1_795_184_520_000


def opened(path: Path | str) -> Workspace:
    """Open the workspace of a clone."""
    return workspaces.open(path)


def make_run(
    workspace: Workspace,
    name: str = "baseline",
    *,
    experiment: str = "churn",
    loss: float = 0.5,
    files: Mapping[str, Content] | None = None,
    dirty: bool = False,
    untracked: tuple[str, ...] = (),
    email: str = "ana@acme.io",
    run_id: str | None = None,
) -> Run:
    """Record a finished run of HEAD; `dirty` puts a snapshot commit between."""
    repo = workspace.repo
    head = repo.head().commit
    assert head is not None
    code = _snapshot(workspace, head, name) if dirty else head
    run_id = run_id or ids.new_run_id()
    record = RunRecord(
        id=run_id,
        experiment=experiment,
        experiment_id=ids.experiment_id(experiment),
        name=name,
        status="completed",
        start_ms=START_MS,
        end_ms=START_MS + 1000,
        user={"name": email.partition("@")[0], "email": email},
        parents=(Parent("code", code),),
        code={
            "commit": head,
            "branch": repo.head().branch,
            "dirty": dirty,
            "snapshot": code if dirty else None,
            "untracked": list(untracked),
        },
    )
    curve = [Point("loss", step, START_MS + step, loss + 1 / (step + 1)) for step in range(3)]
    content: dict[str, Content] = {
        "params.json": params.encode({"lr": loss}),
        "metrics.csv": points.encode(curve),
        "summary.json": summary.encode(summary.of(curve)),
        **(files or {}),
    }
    ref = ids.run_ref(ids.experiment_slug(experiment), name, run_id)
    tree = objects.read_commit(repo, code).tree
    return runs.write(workspace, Draft(ref, record, summary.of(curve), content, tree))


def go_on(workspace: Workspace, run: Run, *, loss: float) -> Run:
    """Add one more commit to a run, as resuming it does."""
    assert run.ref is not None and run.commit is not None
    code = next(parent for parent in run.record.parents if parent.role == "code")
    record = replace(run.record, parents=(code, Parent("previous", run.commit)), end_ms=START_MS + int(loss * 10_000))
    curve = [Point("loss", 9, START_MS + 9, loss)]
    content: dict[str, Content] = {
        "metrics.csv": points.encode(curve),
        "summary.json": summary.encode(summary.of(curve)),
    }
    tree = objects.read_commit(workspace.repo, code.commit).tree
    return runs.write(workspace, Draft(run.ref, record, summary.of(curve), content, tree, run.commit))


def _snapshot(workspace: Workspace, head: str, text: str) -> str:
    repo = workspace.repo
    blob = objects.write_blob(repo, f"print({text!r})\n".encode())
    entries = [
        entry for entry in objects.entries(repo, objects.read_commit(repo, head).tree) if entry.name != "train.py"
    ]
    tree = objects.write_entries(repo, [*entries, objects.Entry("train.py", objects.FILE, blob)])
    person = objects.Signature("gitexp", "", 0)
    return objects.write_commit(repo, objects.Commit(tree, (head,), person, person, "uncommitted edits\n"))


def tag(workspace: Workspace, run: Run, key: str, value: str = "") -> None:
    """Say something of a run."""
    annotations.add(workspace, [annotations.about_run(run, "tag", key=key, value=value)])


def tags(workspace: Workspace, run_id: str) -> dict[str, str]:
    """Return what is said of a run."""
    states = annotations.states(workspace)
    return states[run_id].tags if run_id in states else {}


def start_gitexp(path: Path, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start `gitexp ARGS` in a process of its own, to be killed or waited for."""
    root = Path(__file__).resolve().parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "gitexp", *args],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(root), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `start_gitexp` started, and the git commands below it, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something that another process does is done."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def away(bare: Path) -> Iterator[None]:
    """Let a remote be out of reach for a while."""
    elsewhere = bare.with_name("away.git")
    bare.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(bare)


def stray_refs(workspace: Workspace) -> dict[str, str]:
    """Return refs of the passing kind that nothing should have left."""
    return {
        **refs.listing(workspace.repo, "refs/gitexp/incoming/"),
        **refs.listing(workspace.repo, "refs/gitexp/outgoing/"),
    }
