"""Whose turn it is to write to a shared journal, and who owns it (docs/format.md, "Journal")."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp import locks
from gitexp.errors import Conflict

OWNER = "owner.lock"  # held by the process that owns a shared journal, where one does
EVENTS = "events-main.jsonl"  # whoever holds its lock writes


class Turn:
    """The lock of files that several processes append to: ours among the threads, then the one of the open file.

    Raises Conflict where the journal was committed, and its files are gone, or was closed by the time it is our turn.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.threads = threading.RLock()
        self._depth = 0
        self.closed = False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    def acquire(self, blocking: bool = True) -> bool:
        """Take the turn; without `blocking` False where it is another's."""
        if not self.threads.acquire(blocking):
            return False
        try:
            if self._depth == 0 and not self._take(blocking):
                self.threads.release()
                return False
        except BaseException:
            self.threads.release()
            raise
        self._depth += 1
        return True

    def _take(self, blocking: bool) -> bool:
        if self.closed:
            raise Conflict("the journal is closed", hint="gitexp status")
        if not locks.take(self._descriptor, blocking=blocking):
            return False
        if os.fstat(self._descriptor).st_nlink == 0:
            locks.release(self._descriptor)
            raise Conflict("the run was committed meanwhile", hint="gitexp log")
        return True

    def release(self) -> None:
        """End the turn."""
        self._depth -= 1
        if self._depth == 0:
            locks.release(self._descriptor)
        self.threads.release()


def own(folder: Path) -> int:
    """Take a shared journal as this process's own, as long as the descriptor that is returned stays open."""
    descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if not locks.try_lock(descriptor):
        os.close(descriptor)
        raise Conflict(f"another process owns {folder.name}", hint="gitexp status")
    return descriptor


def leave(folder: Path, descriptor: int) -> None:
    """Leave a shared journal to whoever goes on with it: it has no owner then, and is not dead."""
    with suppress(FileNotFoundError):
        if (folder / OWNER).stat().st_ino == os.fstat(descriptor).st_ino:  # not that of a later session
            (folder / OWNER).unlink()
    os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep all who append to a journal's main files from it, as it is committed and removed."""
    turn = Turn(descriptor := os.open(folder / EVENTS, os.O_RDWR | os.O_CLOEXEC))
    try:
        turn.acquire()
        yield
    finally:
        os.close(descriptor)
