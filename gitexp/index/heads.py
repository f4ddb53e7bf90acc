"""Which refs of runs moved since the index was brought up to date: only what changed on the disk is read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gitexp.git import reffiles, refs
from gitexp.index import stamps
from gitexp.index.stamps import Stamps
from gitexp.store.workspace import Workspace

_ROOTS = (stamps.RUNS_PREFIX, stamps.PUBLISHED_PREFIX)

Moves = dict[str, str | None]  # {ref: what it holds now, None for nothing}


def moved(workspace: Workspace, connection: sqlite3.Connection, known: Stamps, seen: Stamps) -> Moves:
    """Return what may have moved between two looks, and keep which refs are loose."""
    changed = [name for name, stamp in seen.folders.items() if stamp != known.folders.get(name)]
    found = _loose(workspace, connection, [*changed, *(name for name in known.folders if name not in seen.folders)])
    if seen.packed != known.packed:
        found |= _packed(workspace, connection)
    return found


def _loose(workspace: Workspace, connection: sqlite3.Connection, folders: Iterable[str]) -> Moves:
    found: Moves = {}
    for folder in folders:
        before = dict(connection.execute("SELECT ref, oid FROM loose WHERE folder = ?", (folder,)))
        now = {readable(ref): oid for ref, oid in reffiles.folder(workspace.repo.common_dir, folder).items()}
        for ref in before.keys() - now.keys():
            connection.execute("DELETE FROM loose WHERE folder = ? AND ref = ?", (folder, ref))
            found[ref] = refs.get(workspace.repo, ref)
        new = [(folder, ref, oid) for ref, oid in now.items() if before.get(ref) != oid]
        connection.executemany("INSERT OR REPLACE INTO loose VALUES (?, ?, ?)", new)
        found.update({ref: oid for _, ref, oid in new})
    return found


def _packed(workspace: Workspace, connection: sqlite3.Connection) -> Moves:
    """Return all refs that do not hold what the index has of them, after packed-refs was written anew."""
    try:
        text = (workspace.repo.common_dir / "packed-refs").read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        text = ""
    # Whole lines are compared, as sets: nothing else is as fast for a hundred thousand.
    now = {line for line in text.split("\n") if line[41:57] == "refs/experiments"}
    query = "SELECT commit_oid || ' ' || ref FROM {0} WHERE ref IS NOT NULL"
    known = {row[0] for table in ("run", "strange") for row in connection.execute(query.format(table))}
    loose = dict(connection.execute("SELECT ref, oid FROM loose"))
    moves: Moves = {line[41:]: None for line in known - now}
    moves |= {readable(line[41:]): line[:40] for line in now - known if line[41:].startswith(_ROOTS)}
    return {ref: loose.get(ref, oid) for ref, oid in moves.items()}


def readable(ref: str) -> str:
    """Return a ref as UTF-8 can hold it: one with other bytes is no run's, but counted."""
    return ref if ref.isascii() else ref.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
