"""The index of a workspace: opened, brought up to date, built anew where it is no good, in memory where it must be."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.index import functions, refresh, schema, stamps
from gitexp.index.catalogue import Catalogue
from gitexp.index.stamps import Stamps
from gitexp.store.runs import Run
from gitexp.store.workspace import Workspace

WAIT_SECONDS = 5.0  # for another process that writes
_ENDINGS = ("", "-wal", "-shm", "-journal")
_open = threading.local()


@dataclass(slots=True)
class Index:
    """An open index, up to date as of the last `of`."""

    workspace: Workspace
    connection: sqlite3.Connection
    catalogue: Catalogue
    path: Path | None  # None: in memory
    known: Stamps = field(default_factory=Stamps)
    version: int = -1  # of the data, as this connection saw it last
    inode: int = 0


def of(workspace: Workspace) -> Index:
    """Return this process's index of a workspace, brought up to date; it is in memory where no file can be had."""
    kept: dict[tuple[int, Path], Index] = _open.__dict__.setdefault("kept", {})
    key = os.getpid(), workspace.home
    index = kept.get(key)
    if index is not None:
        index.workspace = workspace
    try:
        index = _current(workspace, index)
    except sqlite3.DatabaseError:
        index = _anew(workspace)
    kept[key] = index
    return index


def _current(workspace: Workspace, index: Index | None) -> Index:
    path = location(workspace)
    if index is None or (index.path is not None and _inode(path) != index.inode):
        index = _opened(workspace, path)
    _refresh(index)
    return index


def _opened(workspace: Workspace, path: Path) -> Index:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    return Index(workspace, connection, Catalogue(connection), path, inode=_inode(path))


def _anew(workspace: Workspace) -> Index:
    discard(workspace)
    try:
        index = _opened(workspace, location(workspace))
        _refresh(index)
    except (sqlite3.DatabaseError, OSError):
        connection = connect(":memory:")
        index = Index(workspace, connection, Catalogue(connection), None)
        _refresh(index)
    return index


def _refresh(index: Index) -> None:
    connection = index.connection
    version = connection.execute("PRAGMA data_version").fetchone()[0]
    if version != index.version:
        if not schema.is_ours(connection):
            _make(index)
        index.known, index.version = refresh.read_stamps(connection), version
        index.catalogue.load()
    if stamps.look(index.workspace, index.known) == index.known:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        index.known = refresh.run(index.workspace, connection, index.catalogue)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    index.version = connection.execute("PRAGMA data_version").fetchone()[0]


def _make(index: Index) -> None:
    connection = index.connection
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not schema.is_ours(connection):
            schema.create(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def connect(path: Path | str) -> sqlite3.Connection:
    """Open an index; nothing is read yet but that it is a database."""
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    functions.register(connection)
    return connection


def location(workspace: Workspace) -> Path:
    """Return where the index of a workspace is."""
    return workspace.home / "index.sqlite"


def hand(workspace: Workspace, run: Run) -> None:
    """Give a run that has just been committed to the index; waits for nobody and never raises."""


def discard(workspace: Workspace) -> None:
    """Delete the index with all that it holds."""
    path = location(workspace)
    for ending in _ENDINGS:
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{ending}")


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0
