"""Bytes that are wanted and are not in this clone: brought from a remote that has them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from gitexp import text
from gitexp.errors import NotFound, RemoteError
from gitexp.git import transport
from gitexp.git.transport import Options
from gitexp.ops.storage import largefiles
from gitexp.record.pointer import Pointer
from gitexp.store import objects as large
from gitexp.store import remotes, whereabouts
from gitexp.store.remotes import Remote
from gitexp.store.runs import Artifact
from gitexp.store.workspace import Workspace


def pointers(items: Sequence[Artifact]) -> list[Pointer]:
    """Return what names the bytes of artifacts that are kept beside Git, each once."""
    return list({item.sha256: Pointer(item.sha256, item.size_bytes) for item in items if item.sha256}.values())


def missing(workspace: Workspace, items: Sequence[Artifact]) -> list[Pointer]:
    """Return those whose bytes are not here."""
    return [item for item in pointers(items) if large.path(workspace, item.sha256) is None]


def bring(workspace: Workspace, wanted: Sequence[Pointer], remote: str | None, options: Options) -> str:
    """Bring these bytes, from the remote named or from whichever has them; returns why some did not come ("": all did).

    Raises NotFound where there is no remote to ask.
    """
    left, told = list(wanted), [""]
    for each in _candidates(workspace, left, remote):
        try:
            told.append(largefiles.bring(workspace, each, left, options).why)
        except RemoteError as error:
            told.append(error.message)
        left = [item for item in left if large.path(workspace, item.sha256) is None]
        if not left:
            return ""
    return (
        f"{text.size(sum(item.size_bytes for item in left))} could not be brought: {told[-1] or 'no remote has them'}"
    )


def _candidates(workspace: Workspace, wanted: Sequence[Pointer], named: str | None) -> list[Remote]:
    """Return the remotes to ask: those last seen to have any of it first."""
    if named is not None:
        return [remotes.choose(workspace, named)]
    known = {name: Remote(name, url) for name, url in transport.names(workspace.repo).items()}
    if not known:
        size = text.size(sum(item.size_bytes for item in wanted))
        raise NotFound(
            f"{size} of artifacts are not in this clone, and there is no remote to bring them from",
            hint="where they were recorded: gitexp bundle FILE; or: git remote add origin URL",
        )
    holders = whereabouts.holders(workspace)
    seen = [label for item in wanted for label in holders.get(item.sha256, ())]
    first = [known[label] for label in dict.fromkeys(seen) if label in known]
    with suppress(NotFound):
        first.append(remotes.choose(workspace))
    return list(dict.fromkeys([*first, *known.values()]))


def used(workspace: Workspace, sha256: str | None) -> None:
    """Remember that an object is of use now: what was brought and is used least goes first when space is short."""
    if not sha256:  # small ones stand in Git
        return
    path = large.place(workspace, sha256)
    with suppress(OSError):  # read-only, or gone: no reason to fail
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
