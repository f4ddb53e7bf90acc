"""This process's holds on runs: begun, written to by several processes, ended by whoever says so, reopened after.

A run that is active is a shared journal (docs/format.md): the process that began it owns it, so a script that is killed
leaves a `killed` run; one that ends well leaves the run to whoever goes on with it; a server owns none. What is written
after a run's end waits in a journal of its own and becomes one more commit: after an idle minute, when the process
ends, or by the next command.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from gitexp import ids
from gitexp.errors import Conflict, GitexpError
from gitexp.integrations.mlflow import failures
from gitexp.ops.recording import failures as failing
from gitexp.ops.recording import lifecycle, recover, surroundings
from gitexp.ops.recording.background import Keeper
from gitexp.ops.recording.lifecycle import Request, Session
from gitexp.sdk.outcome import described
from gitexp.store import experiments, journal, live, runs, seal, turns
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

IDLE_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_MAX_HELD = 64  # journals that a process keeps open beside those it owns
_TRIES = 50
_PAUSE_SECONDS = 0.02
_SERVER = ("_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_TRACKING_URI")

Key = tuple[Path, str]
Result = TypeVar("Result")


@dataclass(slots=True)
class Held:
    """A journal that this process has open; `owner` is its lock where the process began the run."""

    session: Session
    owner: int = -1
    keeper: Keeper | None = None
    is_late: bool = False
    written: float = 0.0


_held: OrderedDict[Key, Held] = OrderedDict()
_guard = threading.RLock()
_watcher: threading.Thread | None = None


def in_server() -> bool:
    """Say whether this is a process of `mlflow server`: what it logs is of others, its own end means nothing."""
    return any(os.environ.get(name) for name in _SERVER)


def begin(
    workspace: Workspace,
    experiment_id: str,
    name: str,
    tags: Mapping[str, str] | None = None,
    *,
    start_ms: int | None = None,
    parent: str | None = None,
    resume: Run | None = None,
) -> str:
    """Begin a run, or go on with one that has ended, and return its id."""
    request = Request(
        experiment=resume.record.experiment if resume else _named(workspace, experiment_id),
        name=plain_name(resume.record.name if resume else name),
        tags={} if resume else dict(tags or {}),
        parent=parent,
        resume=resume.id if resume else None,
        start_ms=start_ms,
        imported=not in_server(),
        shared=True,
        **(_of_client(tags or {}) if in_server() and resume is None else {}),
    )
    held = Held(lifecycle.start(workspace, request))
    if not in_server():
        held.owner = turns.own(held.session.folder)
        held.keeper = surroundings.keep(held.session, lambda _error: None)
    with _guard:
        _held[workspace.home, held.session.id] = held
    return held.session.id


def _of_client(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what a run says of itself that runs on another machine than the server which records it."""
    command = tags.get("mlflow.source.name")
    said: dict[str, Any] = {"command": (command,)} if command else {}
    return said | {"elsewhere": True, "spooled": tags.get("mlflow.source.git.commit")}


def _named(workspace: Workspace, experiment_id: str) -> str:
    """Return what `experiments.resolve` finds an experiment by: its id where something is said of it, else its name."""
    if any(item.id == experiment_id for item in experiments.said_of(workspace)):
        return experiment_id
    if experiment_id == "0":
        return ids.DEFAULT_EXPERIMENT
    found = (item.name for item in experiments.listing(workspace) if item.id == experiment_id)
    return next(found, experiment_id)


def plain_name(name: str) -> str:
    """Return a name that a run can have: MLflow allows all texts."""
    words = "".join(c if c.isprintable() else " " for c in name.encode("utf-8", "replace").decode())
    return words.strip()[: ids.MAX_NAME].strip() or "run"


def resume(workspace: Workspace, run: Run) -> None:
    """Go on with a run that has ended: it is running again, and its next end makes one more commit."""
    commit_late(workspace, run.id)
    with suppress(Conflict):  # another process was first: it is running then
        begin(workspace, "", "", resume=_stored(workspace, run.id))


@contextmanager
def session(workspace: Workspace, run_id: str) -> Iterator[Session]:
    """Hold a run for a block that writes to it; raises MlflowException where there is no such run."""
    held = _enter(workspace, run_id)
    try:
        with held.session.writer.turn():
            pass
    except Conflict:
        _forget(workspace, run_id, held)
        held = _enter(workspace, run_id)
    yield held.session
    _wrote(held)


def write(workspace: Workspace, run_id: str, act: Callable[[Session], Result]) -> Result:
    """Do what writes to a run; done again in another journal where the run was committed meanwhile."""
    for _ in range(_TRIES):
        held = _enter(workspace, run_id)
        try:
            done = act(held.session)
        except Conflict:
            _forget(workspace, run_id, held)
            continue
        _wrote(held)
        return done
    raise Conflict(f"run {run_id} ends and is reopened all the time", hint="gitexp status")


def end(workspace: Workspace, run_id: str, status: str, end_ms: int | None = None) -> None:
    """End a run, in whatever process it began; of one that has ended this changes the status."""
    for _ in range(_TRIES):
        held = _enter(workspace, run_id)
        try:
            _end_late(held, status, end_ms) if held.is_late else _finish(held, status, end_ms)
        except Conflict:
            continue
        finally:
            _forget(workspace, run_id, held)
        return
    raise Conflict(f"run {run_id} ends and is reopened all the time", hint="gitexp status")


def _finish(held: Held, status: str, end_ms: int | None) -> None:
    keeper, held.keeper = held.keeper, None  # a keeper that is stopped again waits for itself
    if keeper is not None:
        keeper.stop()
    error = sys.exception() if status == "failed" else None  # that of the script's own `with mlflow.start_run():`
    why = failing.of_error(held.session.workspace, error)
    lifecycle.finish(held.session, status, error=described(error), reasons=why, end_ms=end_ms)


def _end_late(held: Held, status: str, end_ms: int | None) -> None:
    record = held.session.start.record
    end_ms = record.end_ms if end_ms is None else end_ms
    if (status, end_ms) != (record.status, record.end_ms):
        held.session.writer.event("end", status=status, end=end_ms, exit_code=None, error=None)
        recover.complete_late(held.session.workspace, held.session.folder)


def _enter(workspace: Workspace, run_id: str) -> Held:
    """Return this process's hold on a run, opened where it has none; raises MlflowException where there is no run."""
    key = workspace.home, run_id
    held = _held.get(key)
    if held is not None:
        return held
    with _guard:
        for _ in range(_TRIES):
            held = _held.get(key) or _open(workspace, run_id)
            if held is not None:
                _keep(key, held)
                return held
            time.sleep(_PAUSE_SECONDS)
    raise Conflict(f"run {run_id} is being committed", hint="gitexp status")


def _open(workspace: Workspace, run_id: str) -> Held | None:
    """Open the journal of a run, or one for what comes late; None where it is being committed."""
    if not ids.is_run_id(run_id):
        raise failures.missing(f"Run with id={run_id} not found")
    active = lifecycle.enter(workspace, run_id)
    if active is not None:
        return Held(active)
    late = lifecycle.enter_late(workspace, _stored(workspace, run_id))
    return None if late is None else Held(late, is_late=True)


def _stored(workspace: Workspace, run_id: str) -> Run:
    found = runs.by_id(workspace, run_id)
    if found is None:
        raise failures.missing(f"Run with id={run_id} not found")
    return found


def _keep(key: Key, held: Held) -> None:
    _held[key] = held
    spare = [other for other, item in _held.items() if item.owner < 0 and not item.is_late]
    for other in spare[: max(0, len(spare) - _MAX_HELD)]:
        _held.pop(other).session.writer.close()


def _forget(workspace: Workspace, run_id: str, held: Held) -> None:
    """Let go of a journal; a hold that another thread has taken meanwhile stays."""
    with _guard:
        if _held.get((workspace.home, run_id)) is held:
            del _held[workspace.home, run_id]
        if held.keeper is not None:
            held.keeper.stop()
        held.session.writer.close()
        if held.owner >= 0:
            os.close(held.owner)
            held.owner = -1


def _wrote(held: Held) -> None:
    if held.is_late:
        held.written = time.monotonic()
        _watch()


def commit_late(workspace: Workspace, run_id: str) -> None:
    """Commit what came to a run after its end."""
    folder = workspace.live / run_id
    if (folder / seal.LATE).exists():
        held = _held.get((workspace.home, run_id))
        if held is not None:
            _forget(workspace, run_id, held)
        recover.complete_late(workspace, folder)


def commit_all_late(workspace: Workspace) -> None:
    """Commit what came to any run after its end: who searches sees it then."""
    for folder in live.folders(workspace):
        if (folder / seal.LATE).exists() and not journal.is_claimed(folder):
            commit_late(workspace, folder.name)


def _watch() -> None:
    global _watcher
    with _guard:
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_commit_idle, name="gitexp-mlflow", daemon=True)
            _watcher.start()


def _commit_idle() -> None:
    """Commit what came late when nothing more has come for a minute; ends when nothing is left to commit."""
    while late := _late():
        for held in late:
            if time.monotonic() - held.written >= IDLE_SECONDS:
                commit_late(held.session.workspace, held.session.id)
        time.sleep(_LOOK_SECONDS)


def _late() -> list[Held]:
    with _guard:
        return [held for held in _held.values() if held.is_late]


def leave_all() -> None:
    """Commit what came late, and leave the runs that are still active to whoever goes on with them."""
    with _guard:
        for key, held in list(_held.items()):
            with suppress(GitexpError, OSError):
                if held.is_late:
                    commit_late(held.session.workspace, held.session.id)
                elif held.owner >= 0:
                    _leave(held)
                elif not held.session.is_main:  # of a run that gitexp's own interface began
                    lifecycle.finish(held.session, "completed")
            _held.pop(key, None)


def _leave(held: Held) -> None:
    if held.keeper is not None:
        held.keeper.stop()
    turns.leave(held.session.folder, held.owner)
    held.session.writer.close()


def _in_child() -> None:
    """After a fork: journals and their locks are the parent's; the child opens its own."""
    global _guard, _watcher
    _guard, _watcher = threading.RLock(), None
    for held in _held.values():
        held.session.writer.abandon_in_child()
        if held.owner >= 0:
            os.close(held.owner)
    _held.clear()


os.register_at_fork(after_in_child=_in_child)
