"""Runs to share, made at once: records as they are stored, without training anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from gitexp import ids
from gitexp.git import objects, refs
from gitexp.git.transport import Options
from gitexp.ops.sharing import fetch, push
from gitexp.ops.sharing.push import Choice
from gitexp.record import params, points, summary
from gitexp.record.points import Point
from gitexp.record.run import Parent, RunRecord
from gitexp.store import annotations, remotes, runs
from gitexp.store import workspace as workspaces
from gitexp.store.runs import Content, Draft, Run
from gitexp.store.workspace import Workspace
from tests import support

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


def send(workspace: Workspace) -> None:
    """Push all runs to the remote, whatever a push would ask about."""
    remote = remotes.choose(workspace)
    push.push(workspace, push.plan(workspace, remote, Choice((), True, False), Options()), yes=True)


def clone(bare: Path, name: str, artifacts: Sequence[str] = ()) -> Workspace:
    """Clone a remote beside it, and fetch its runs."""
    path = bare.with_name(name)
    support.git(bare.parent, "clone", "--quiet", str(bare), str(path))
    other = opened(path)
    fetch.fetch(other, remotes.choose(other), artifacts=artifacts)
    return other


def traces(path: Path | str, secret: bytes) -> list[str]:
    """Return what has a secret: every object, loose or packed, and every file, as it is and inflated."""
    git_dir = Path(support.git(path, "rev-parse", "--absolute-git-dir"))
    found = [oid for oid, data in _every_object(git_dir) if secret in data]
    for file in (file for file in git_dir.rglob("*") if file.is_file()):
        data = file.read_bytes()
        if secret in data or secret in _inflated(data):
            found.append(str(file.relative_to(git_dir)))
    return found


def _every_object(git_dir: Path) -> Iterator[tuple[str, bytes]]:
    command = ["git", "cat-file", "--batch-all-objects", "--batch"]
    data = subprocess.run(command, cwd=git_dir, capture_output=True, check=True).stdout
    at = 0
    while at < len(data):
        begin = data.index(b"\n", at) + 1
        oid, _, size = data[at:begin].split()
        at = begin + int(size) + 1
        yield oid.decode(), data[begin : at - 1]


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data)
    except zlib.error:
        return b""


def stray_refs(workspace: Workspace) -> dict[str, str]:
    """Return refs of the passing kind that nothing should have left."""
    return {
        **refs.listing(workspace.repo, "refs/gitexp/incoming/"),
        **refs.listing(workspace.repo, "refs/gitexp/outgoing/"),
    }
