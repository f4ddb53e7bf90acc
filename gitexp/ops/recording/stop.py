"""Asking a live run to stop: a SIGTERM to the process that holds its journal's lock, if it is on this machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gitexp import locks, text
from gitexp.errors import NotFound, Refused, UsageError, WriteFailed
from gitexp.store import journal, live, runs
from gitexp.store.live import LiveRun
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

_LOCKS = Path("/proc/locks")
_POLL_SECONDS = 0.05


def ask(run: Run) -> int:
    """Send SIGTERM to the process that a live run belongs to, and return its process id.

    Raises UsageError for a run that has ended, Refused for one of another machine or with no process of its own.
    """
    if not isinstance(run, LiveRun):
        raise UsageError(f"run {text.safe(run.name)} is not running here", hint="list what is running: gitexp status")
    where = text.safe(run.host) or "another machine"
    if not journal.has_owner(run.folder, run.start):
        raise Refused(f"run {text.safe(run.name)} belongs to no process", hint="end it where it was created")
    if not journal.is_ours(run.start):
        raise Refused(
            f"run {text.safe(run.name)} runs on {where} (process {run.pid})",
            hint=f"there: kill {run.pid}   or, if that machine is lost: gitexp recover --host {where}",
        )
    pid = holder(run)
    if pid is None:
        raise NotFound(f"run {text.safe(run.name)} has no process any more", hint="gitexp recover")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        raise NotFound(f"run {text.safe(run.name)} has no process any more", hint="gitexp recover") from None
    except PermissionError as error:
        raise WriteFailed(f"process {pid} belongs to another user", hint=f"sudo kill {pid}") from error
    return pid


def holder(run: LiveRun) -> int | None:
    """Return the process that holds a run's journal, as this process can name it; None for none.

    The kernel's list of locks is asked, not the journal: in a container the same process has another number.
    """
    path = journal.lock_of_owner(run.folder, run.start)
    if not path.exists() or locks.is_locked(path) is False:
        return None
    try:
        inode, lines = path.stat().st_ino, _LOCKS.read_text().splitlines()
    except OSError:
        return run.pid
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            pid = int(fields[4])
            return pid if pid > 0 and _has_open(pid, path) else None
    return None


def _has_open(pid: int, path: Path) -> bool:
    """Say whether a process has a file open: inodes of two file systems can be equal."""
    wanted = path.stat()
    try:
        for item in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found = item.stat()
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except PermissionError:
        return True  # another user's process cannot be looked into; kill will say so
    except OSError:
        return False
    return False


def wait(workspace: Workspace, run: Run, seconds: float) -> Run | None:
    """Return the run once it has ended and is recorded, None where that takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if live.by_id(workspace, run.id) is None and (ended := runs.by_id(workspace, run.id)) is not None:
            return ended
        time.sleep(_POLL_SECONDS)
    return None
