"""How much of what came from remotes stays here: `gitexp.artifactsCacheLimit`. What was recorded here is no cache."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gitexp.errors import RemoteError
from gitexp.git.transport import Options
from gitexp.index import database, kept
from gitexp.ops.storage import drop
from gitexp.record.pointer import Pointer
from gitexp.store import objects as large
from gitexp.store import whereabouts
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_ASKED = 200  # objects that a remote is asked about at once
_GRACE_NS = 60_000_000_000  # since an object was of use: whoever brought it is still at it


@dataclass(frozen=True, slots=True)
class Copy:
    """An object that came from a remote, and when it was last of use."""

    pointer: Pointer
    used_ns: int


def copies(workspace: Workspace) -> list[Copy]:
    """Return the artifacts that came from remotes and are here, the least recently used first.

    Curves and output, which came from there too, belong to the records and stay.
    """
    found, brought = [], whereabouts.brought(workspace)
    for sha256 in kept.large(database.of(workspace)) & brought if brought else ():
        try:
            seen = large.place(workspace, sha256).stat()
        except FileNotFoundError:
            continue
        found.append(Copy(Pointer(sha256, seen.st_size), max(seen.st_atime_ns, seen.st_mtime_ns)))
    return sorted(found, key=lambda item: (item.used_ns, item.pointer.sha256))


def trim(workspace: Workspace, remote: Remote, options: Options) -> int:
    """Bring what came from remotes under the limit again; returns the bytes that went.

    Only what the remote has now goes, and nothing that was brought or used in the last minute. A remote that cannot be
    asked leaves it to the next time.
    """
    limit = workspace.settings.size_bytes("artifactsCacheLimit")
    here = copies(workspace) if limit else []
    over = sum(item.pointer.size_bytes for item in here) - limit
    before_ns, gone = time.time_ns() - _GRACE_NS, 0
    waiting = [item.pointer for item in here if item.used_ns < before_ns]
    try:
        while gone < over and waiting:
            asked = _enough(waiting, over - gone)
            waiting = waiting[len(asked) :]
            for item in drop.sure(workspace, remote, asked, options):
                drop.forget(workspace, item.sha256)
                gone += item.size_bytes
    except RemoteError:
        return gone
    return gone


def _enough(waiting: Sequence[Pointer], size_bytes: int) -> list[Pointer]:
    """Return the first objects that come to so many bytes."""
    found, size = [], 0
    for item in waiting[:_ASKED]:
        if size >= size_bytes:
            break
        found.append(item)
        size += item.size_bytes
    return found
