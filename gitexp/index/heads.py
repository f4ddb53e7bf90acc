"""Which refs of runs moved since the index was brought up to date: only what changed on the disk is read again."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from gitexp.git import reffiles, refs
from gitexp.index.stamps import Stamps
from gitexp.store.workspace import Workspace

_PACKED = re.compile(rb"^([0-9a-f]{40}) (refs/experiments(?:-live)?/[^\n]+)$", re.MULTILINE)

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
        data = (workspace.repo.common_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        data = b""
    now: Moves = {_decoded(ref): oid.decode() for oid, ref in _PACKED.findall(data)}
    now.update(dict(connection.execute("SELECT ref, oid FROM loose")))
    known = dict(connection.execute("SELECT ref, commit_oid FROM run WHERE ref IS NOT NULL"))
    known.update(connection.execute("SELECT ref, commit_oid FROM strange").fetchall())
    moves: Moves = {ref: oid for ref, oid in now.items() if known.get(ref) != oid}
    return moves | {ref: None for ref in known if ref not in now}


def _decoded(ref: bytes) -> str:
    return readable(ref.decode("utf-8", "surrogateescape"))


def readable(ref: str) -> str:
    """Return a ref as UTF-8 can hold it: one with other bytes is no run's, but counted."""
    return ref if ref.isascii() else ref.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
