"""The index of a workspace: opened, brought up to date, built anew where it is no good, in memory where it must be."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import locks
from gitexp.errors import Conflict
from gitexp.index import functions, location, meta, schema, stamps
from gitexp.index.catalogue import Catalogue
from gitexp.index.stamps import Stamps
from gitexp.store.workspace import Workspace

WAIT_SECONDS = 5.0  # for another process that writes; none does so for more than refresh.BUSY_SECONDS at once
_AGAIN_SECONDS = 60.0  # after which a process that went without the file looks whether it can be had now
_ENDINGS = ("", "-wal", "-shm", "-journal")  # an empty file without its log is made anew, a log alone is dropped
_KEPT = 4  # repositories that a thread has open; each is three descriptors, and 1,024 are all that a process may have
_local = threading.local()  # SQLite's connections are of one thread, and must not be used after a fork


@dataclass(slots=True)
class Index:
    """An open index, up to date as of the last `of`; closed when nobody holds it any more."""

    workspace: Workspace
    connection: sqlite3.Connection
    catalogue: Catalogue
    path: Path | None  # None: in memory
    inode: int = 0
    known: Stamps | None = None
    version: int = -1  # of what other connections have written, as this one saw it last
    opened: float = field(default_factory=time.monotonic)

    def __del__(self) -> None:
        self.connection.close()  # by itself it would stay open until the garbage collector finds its cycle

    @property
    def lost(self) -> list[tuple[str, str]]:
        """The (ref, commit) that gitexp set, never deleted, and that are gone."""
        return self.rows("SELECT ref, oid FROM lost ORDER BY ref")

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query; where the file proves to be damaged, it is built anew first."""
        try:
            return self.connection.execute(query, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error) or self.path is None:
                raise
        _replace(self)
        return self.connection.execute(query, parameters).fetchall()


def of(workspace: Workspace) -> Index:
    """Return this thread's index of a workspace, brought up to date; it is in memory where no file can be had."""
    index = _kept(workspace)
    if index.connection.in_transaction:  # whoever holds a snapshot sees no change
        return index
    try:
        refresh_all(index)
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        if index.path is None:
            raise
        if isinstance(error, sqlite3.OperationalError) and not _is_damage(error):
            _go_without(index)
        else:
            _replace(index)
    return index


def _kept(workspace: Workspace) -> Index:
    """Return the open index of a workspace; of several repositories, the one of use longest ago is let go."""
    kept: dict[tuple[int, Path], Index] = _local.__dict__.setdefault("kept", {})
    key = os.getpid(), workspace.home
    index = kept.pop(key, None)
    if index is None or not _is_current(index):
        index = _open(workspace)
    kept[key] = index
    own = [key for key in kept if key[0] == os.getpid()]  # what was open before a fork is never touched
    for oldest in own[:-_KEPT]:
        del kept[oldest]
    index.workspace = workspace
    return index


def _is_current(index: Index) -> bool:
    """Say whether an open index is that of the file, or none can be had for some time yet."""
    if index.path is None:
        return time.monotonic() - index.opened < _AGAIN_SECONDS
    return _inode(index.path) == index.inode


def _open(workspace: Workspace) -> Index:
    """Open the index; nothing is read of it yet."""
    path = location.of(workspace)
    try:
        connection = _at(path)
    except (sqlite3.DatabaseError, OSError, Conflict) as error:
        index = in_memory(workspace)
        if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
            index.path, index.inode = path, _inode(path)
            _replace(index)
        return index
    return Index(workspace, connection, Catalogue(connection), path, _inode(path))


def _at(path: Path) -> sqlite3.Connection:
    """Open a file; it is made under a lock, so that nobody takes away a log that belongs to a new one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            return connect(f"{path.as_uri()}?mode=rwc")
    return connect(f"{path.as_uri()}?mode=rw")


def _locked(path: Path) -> AbstractContextManager[None]:
    return locks.hold(path.with_suffix(".lock"), timeout_seconds=WAIT_SECONDS)


def connect(address: str) -> sqlite3.Connection:
    """Open a database as the index wants it."""
    connection = sqlite3.connect(
        address, uri=True, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=400
    )
    try:
        connection.execute("PRAGMA page_size = 8192")  # of a new file: a scan takes a fifth less time than with 4096
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    functions.register(connection)
    return connection


def refresh_all(index: Index) -> None:
    """Take in what others have written, then what changed in the repository."""
    connection = index.connection
    version = connection.execute("PRAGMA data_version").fetchone()[0]
    if version != index.version:
        if not schema.is_ours(connection):
            _make(index)
        index.known = meta.stamps(connection)
        index.catalogue.load()
        index.version = version
    if index.known is not None and stamps.look(index.workspace, index.known) == index.known:
        return
    _bring_up_to_date(index)
    index.known = meta.stamps(connection)


def _bring_up_to_date(index: Index) -> None:
    from gitexp.index import readers, refresh  # and all that reads runs: a list that finds nothing new does without

    with readers.Readers(index.workspace) as reading:
        done = False
        while not done:
            with _writing(index):
                done = refresh.run(index.workspace, index.connection, index.catalogue, reading)


@contextmanager
def _writing(index: Index) -> Iterator[None]:
    """Hold a transaction that writes, and take all of it back when anything goes wrong."""
    index.connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        index.connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has taken it back already
            index.connection.execute("ROLLBACK")
        with suppress(sqlite3.Error):
            index.catalogue.reload()
        raise


def _make(index: Index) -> None:
    """Make the tables; one of another version gives way to a new file."""
    with _writing(index):
        if schema.is_ours(index.connection):
            return
        if not schema.is_empty(index.connection):
            raise sqlite3.DatabaseError("the index is of another version")
        schema.create(index.connection)


_DAMAGE = ("malformed", "not a database", "another version", "no such table", "no such column", "disk I/O", "corrupt")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether an error is about the content of the file, and not about locks, permissions or space."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    return any(word in str(error) for word in _DAMAGE)


def _replace(index: Index) -> None:
    """Build the index anew, in a new file; in memory where that cannot be had either."""
    workspace, path = index.workspace, location.of(index.workspace)
    with suppress(sqlite3.Error):
        index.connection.close()
    try:
        _remove(path, index.inode)
        _take_over(index, _open(workspace))
        refresh_all(index)
    except (sqlite3.DatabaseError, OSError, Conflict):
        _go_without(index)


def _go_without(index: Index) -> None:
    """Go on in memory, from what the file has where that can be read."""
    path = index.path
    with suppress(sqlite3.Error):
        index.connection.close()
    new = in_memory(index.workspace)
    try:
        if path is not None:
            _copy(path, new.connection)
        _take_over(index, new)
        refresh_all(index)
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError):
        _take_over(index, in_memory(index.workspace))
        refresh_all(index)


def in_memory(workspace: Workspace) -> Index:
    connection = connect("file::memory:")
    return Index(workspace, connection, Catalogue(connection), None)


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Copy a file as far as it can be read: one that nobody has open for writing needs no lock and no folder."""
    has_log = _size(Path(f"{path}-wal")) > 0
    options = "mode=ro" if has_log else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, timeout=0.2)) as source:
        source.backup(target)


def _take_over(index: Index, new: Index) -> None:
    index.connection, new.connection = new.connection, index.connection  # the old one is closed with `new`
    index.catalogue, index.path, index.inode = new.catalogue, new.path, new.inode
    index.known, index.version, index.opened = None, -1, new.opened


def _remove(path: Path, inode: int) -> None:
    """Delete a file that is no good, unless another process has put a new one in its place."""
    with _locked(path):
        if _inode(path) == inode:
            _unlink(path)


def _unlink(path: Path) -> None:
    for ending in _ENDINGS:
        Path(f"{path}{ending}").unlink(missing_ok=True)


def discard(workspace: Workspace) -> None:
    """Delete the index with all that it holds, so that no copy of a purged run stays."""
    kept: dict[tuple[int, Path], Index] = _local.__dict__.get("kept", {})
    index = kept.pop((os.getpid(), workspace.home), None)
    if index is not None:
        index.connection.close()
    path = location.of(workspace)
    for waiting in path.parent.glob(path.stem + ".handed*"):
        waiting.unlink(missing_ok=True)
    if path.exists():
        with _locked(path):
            _unlink(path)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
