"""Hashes of files that were hashed before: known again by device, inode, size and times, never by name.

`.git/gitexp/hashes.sqlite` is a cache only: where it cannot be read or written, files are read again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from gitexp import files
from gitexp.store import copying
from gitexp.store.copying import Stamp
from gitexp.store.workspace import Workspace

_FINE_NS = 50_000_000  # how far apart the times of two writes may be that a file system gives the same time
_COARSE_NS = 2_500_000_000  # where it counts whole seconds, or two
REMEMBERED_BYTES = 1 << 20  # smaller files are read again sooner than they are looked up
_TRIES = 3
_TABLE = """CREATE TABLE IF NOT EXISTS hash (
    device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, sha256 TEXT,
    PRIMARY KEY (device, inode)) WITHOUT ROWID"""


def known(workspace: Workspace, stamp: Stamp) -> str | None:
    """Return the sha256 of a file that looks like this, None where it is not known."""
    import sqlite3  # only where there are large files

    device, *rest = _signed(stamp)
    if not _path(workspace).exists():
        return None
    with suppress(sqlite3.Error), closing(sqlite3.connect(_path(workspace), timeout=0.2)) as database:
        row = database.execute(
            "SELECT sha256 FROM hash WHERE device = ? AND inode = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?",
            (device, *rest),
        ).fetchone()
        return None if row is None else str(row[0])
    return None


def remember(workspace: Workspace, stamp: Stamp, sha256: str) -> None:
    """Keep the hash of a file; not of one that changed a moment ago, for it could change again and look the same."""
    import sqlite3

    changed_ns = max(stamp[3], stamp[4])
    coarse = stamp[3] % 1_000_000_000 == 0
    if time.time_ns() - changed_ns < (_COARSE_NS if coarse else _FINE_NS):
        return
    workspace.home.mkdir(parents=True, exist_ok=True)
    with suppress(sqlite3.Error, OSError), closing(sqlite3.connect(_path(workspace), timeout=0.2)) as database:
        try:
            database.execute(_TABLE)
        except sqlite3.DatabaseError:  # random bytes
            _path(workspace).unlink(missing_ok=True)
            return
        with database:
            database.execute("INSERT OR REPLACE INTO hash VALUES (?, ?, ?, ?, ?, ?)", (*_signed(stamp), sha256))


def read(workspace: Workspace, path: Path, step: Callable[[], None] | None = None) -> tuple[str, int, bool]:
    """Return the sha256 and size of a file, and whether it changed each time that it was read (three at most).

    A large file that was hashed before and has not changed is not read. `step` is called before each block, and may
    raise. Raises OSError for what is no regular file; waits for no pipe.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        for _ in range(_TRIES):
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            before = copying.stamp(found)
            large = found.st_size >= REMEMBERED_BYTES
            if large and (sha256 := known(workspace, before)) is not None:
                return sha256, found.st_size, False
            file.seek(0)
            digest, size = hashlib.sha256(), 0
            while block := file.read(files.BLOCK_BYTES):
                if step is not None:
                    step()
                digest.update(block)
                size += len(block)
            if copying.stamp(os.fstat(descriptor)) == before and size == found.st_size:
                if large:
                    remember(workspace, before, digest.hexdigest())
                return digest.hexdigest(), size, False
    return digest.hexdigest(), size, True


def _path(workspace: Workspace) -> Path:
    return workspace.home / "hashes.sqlite"


def _signed(stamp: Stamp) -> tuple[int, ...]:
    """Return a stamp as SQLite's integers: devices and inodes may use all 64 bits."""
    return tuple(number - (1 << 64) if number >= 1 << 63 else number for number in stamp)
