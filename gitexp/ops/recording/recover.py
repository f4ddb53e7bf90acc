"""What the next command puts right: runs whose process was lost, points that came late, refs that were taken away."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import canonical, ids, text
from gitexp.errors import Conflict, GitexpError
from gitexp.git import objects, refs
from gitexp.index import database, handed
from gitexp.ops.recording import failures, unneeded
from gitexp.store import heads, journal, live, reflog, runs, seal
from gitexp.store.journal import Start, Writer
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

CODE_PREFIX = "refs/gitexp/live/"


@dataclass(slots=True)
class Swept:
    """What was done: runs closed, refs put back, refs whose commits are gone, and what could not be done and why."""

    closed: list[Run] = field(default_factory=list)
    completed: list[Run] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Swept) -> None:
        """Count what else was done."""
        for name in ("closed", "completed", "restored", "missing", "failed"):
            getattr(self, name).extend(getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp recover --json` prints."""
        return {
            "closed": [run.id for run in self.closed],
            "completed": [run.id for run in self.completed],
            "restored": self.restored,
            "missing": self.missing,
            "failed": self.failed,
        }

    def line(self) -> str:
        """Return all of it on one line, "" where there was nothing to do."""
        said = []
        if self.closed:
            said.append(f"closed {_runs(self.closed)} whose process was lost")
        if self.completed:
            said.append(f"completed {_runs(self.completed)}")
        if self.restored:
            said.append(f"put back {text.plural(len(self.restored), 'lost ref')}")
        if self.missing:
            what = "ref is gone and its commit" if len(self.missing) == 1 else "refs are gone and their commits"
            said.append(f"{len(self.missing):,} {what} too: gitexp fetch")
        return "; ".join([*said, *self.failed])


def _runs(found: list[Run]) -> str:
    return text.some([f"{text.safe(run.name)} ({ids.short(run.id)})" for run in found], 5)


def sweep(workspace: Workspace, *, host: str | None = None) -> Swept:
    """Close what is dead and put back what is lost; of the host `host` also what gave a sign of life a moment ago."""
    swept = Swept()
    for folder in live.folders(workspace):
        try:
            _sweep_folder(workspace, folder, swept, host)
        except GitexpError as error:
            swept.failed.append(f"{folder.name.partition('.')[0]} cannot be recovered: {error.message}")
        except OSError as error:
            swept.failed.append(f"{folder.name.partition('.')[0]} cannot be recovered: {error.strerror}")
    _restore(workspace, swept)
    try:
        unneeded.clear(workspace)
    except OSError as error:
        swept.failed.append(f"{workspace.tmp} cannot be cleared: {error.strerror}")
    return swept


def complete_late(workspace: Workspace, folder: Path) -> None:
    """Commit what came after a run's end, when its last writer has closed; a failure leaves it to the next command."""
    try:
        if (folder / seal.LATE).exists():
            _sweep_folder(workspace, folder, Swept(), None)
    except (GitexpError, OSError):
        return


def _sweep_folder(workspace: Workspace, folder: Path, swept: Swept, host: str | None) -> None:
    if journal.is_claimed(folder):
        _finish_claimed(workspace, folder, swept)
        return
    start = Start.read(folder)
    late = (folder / seal.LATE).exists()
    if late:
        if any(journal.held(folder, writer) for writer in journal.writers(folder)):
            return
    elif journal.is_alive(folder, start, workspace.settings.duration_seconds("deadAfter")) and (
        host is None or start.record.host != host or journal.is_ours(start)
    ):
        return
    taken = journal.claim(folder)
    if taken is not None:
        _finish_claimed(workspace, taken, swept)


def _finish_claimed(workspace: Workspace, folder: Path, swept: Swept) -> None:
    lock = journal.lock_claim(folder)
    if lock is None:
        return  # another recovery is at it
    try:
        if not folder.exists():
            return
        before = _already_committed(workspace, folder)
        if before is not None:
            journal.remove(folder)
            return
        from gitexp.ops.sharing import publish  # with the network below it: a sweep that finds nothing does without

        _say_death(workspace, folder)
        run = seal.seal(workspace, folder)
        (swept.closed if run.record.status == "killed" else swept.completed).append(run)
        handed.give(workspace, run)
        drop_code_ref(workspace, run.id)
        publish.after_run(workspace, run.id, lost=True)
    finally:
        os.close(lock)


def _say_death(workspace: Workspace, folder: Path) -> None:
    """Add to a claimed journal why its process died, where that can be told."""
    found = failures.of_death(workspace, folder)
    if found:
        writer = Writer(folder, journal.MAIN)
        writer.event("reasons", reasons=[reason.to_json() for reason in found])
        writer.close()


def _already_committed(workspace: Workspace, folder: Path) -> Run | None:
    """Return the run where the commit was made and only the journal's removal was cut off."""
    start = LiveRun(workspace, folder, Start.read(folder)).named
    tip = refs.get(workspace.repo, start.ref)
    if (folder / seal.LATE).exists():
        return None if _has_late(folder) else runs.by_id(workspace, start.record.id)
    if tip is None or tip == start.previous:
        return None
    run = runs.load(workspace, tip, start.ref)
    if run.id == start.record.id and any(item.commit == start.previous for item in run.record.parents[1:]):
        return run
    return run if start.previous is None and run.id == start.record.id else None


def _has_late(folder: Path) -> bool:
    offsets = canonical.loads((folder / seal.LATE).read_bytes())["offsets"]
    return any(
        path.stat().st_size > offsets.get(path.name, 0)
        for path in folder.iterdir()
        if path.name.startswith(("metrics-", "events-", "system-"))
    )


def _restore(workspace: Workspace, swept: Swept) -> None:
    restored = []
    for ref, oid in [*database.of(workspace).lost, *heads.lost(workspace).items()]:
        if not objects.exists(workspace.repo, oid):
            swept.missing.append(ref)
            continue
        refs.drop_torn(workspace.repo, ref)
        try:
            refs.update(workspace.repo, ref, oid, old=None)
            restored.append((ref, None, oid))
        except Conflict:
            continue
    if restored:
        found = [change for change in restored if not change[0].startswith(ids.MODELS)]  # the log is of runs
        if found:
            reflog.append(workspace, "restore", found)
        swept.restored = [ref for ref, _, _ in restored]


def keep_code(workspace: Workspace, run_id: str, commit: str) -> None:
    """Let a ref hold the code of a live run, so that a `git gc` cannot take it."""
    try:
        refs.update(workspace.repo, CODE_PREFIX + run_id, commit, old=None)
    except Conflict:
        return


def drop_code_ref(workspace: Workspace, run_id: str) -> None:
    """Remove that ref: the run commit holds the code now."""
    ref = CODE_PREFIX + run_id
    path = workspace.repo.common_dir / ref
    if path.exists() or (workspace.repo.common_dir / "packed-refs").exists():
        old = refs.get(workspace.repo, ref)
        if old is not None:
            refs.delete(workspace.repo, ref, old=old)
