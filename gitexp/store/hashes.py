"""Hashes of files that were hashed before: known again by device, inode, size and times, never by name.

`.git/gitexp/hashes.sqlite` is a cache only: where it cannot be read or written, files are read again.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path

from gitexp.store.copying import Stamp
from gitexp.store.workspace import Workspace

_FINE_NS = 50_000_000  # how far apart the times of two writes may be that a file system gives the same time
_COARSE_NS = 2_500_000_000  # where it counts whole seconds, or two
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


def _path(workspace: Workspace) -> Path:
    return workspace.home / "hashes.sqlite"


def _signed(stamp: Stamp) -> tuple[int, ...]:
    """Return a stamp as SQLite's integers: devices and inodes may use all 64 bits."""
    return tuple(number - (1 << 64) if number >= 1 << 63 else number for number in stamp)
