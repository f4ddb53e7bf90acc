"""Advisory locks on files: who holds one is alive, whatever pids and hosts say."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitexp.errors import Conflict


def try_lock(descriptor: int) -> bool:
    """Take an exclusive lock on an open file without waiting; True too where the file system has no locks."""
    return take(descriptor, blocking=False)


def take(descriptor: int, *, blocking: bool = True) -> bool:
    """Take an exclusive lock on an open file; False where it is another's and nobody waits for it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            return True
        raise
    return True


def release(descriptor: int) -> None:
    """Let go of the lock of an open file, where the file system has locks."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_locked(path: Path) -> bool | None:
    """Say whether some process holds the lock of `path`; None where the file system has no locks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            return None
        raise
    finally:
        os.close(descriptor)
    return False


@contextmanager
def hold(path: Path, *, timeout_seconds: float = 10.0) -> Iterator[None]:
    """Hold the lock of `path` (made where missing); raises Conflict after `timeout_seconds`.

    The lock file stays: removing it would let two processes lock two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline, pause = time.monotonic() + timeout_seconds, 0.001
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                raise Conflict(f"{path} is locked by another process", hint="wait for it, then try again")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        yield
    finally:
        os.close(descriptor)
