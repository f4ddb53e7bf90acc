"""Objects that nobody needs any more: freed only when nothing names them, whatever happens at the same moment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gitexp.index import database
from gitexp.store import events, leftovers, live
from gitexp.store import objects as large
from gitexp.store.workspace import Workspace


def free(workspace: Workspace, sha256: str) -> None:
    """Remove an object that this run made, unless anything else names it by now.

    It is moved aside before that is looked at: whoever names it after that finds it missing, and stores it again.
    """
    target = large.place(workspace, sha256)
    aside = workspace.tmp / f"{leftovers.FREED}{sha256}"
    with suppress(FileNotFoundError):
        workspace.tmp.mkdir(parents=True, exist_ok=True)
        target.rename(aside)
        settle(workspace, aside)


def settle(workspace: Workspace, aside: Path) -> None:
    """Put an object that was moved aside back where something names it, else remove it."""
    sha256 = aside.name.removeprefix(leftovers.FREED)
    if is_named(workspace, sha256):
        target = large.place(workspace, sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
    else:
        aside.unlink()


def clear(workspace: Workspace) -> None:
    """Take away what killed processes left half written; an object that was being freed, and is needed, is put back."""
    for path in leftovers.old(workspace):
        if path.name.startswith(leftovers.FREED):
            with suppress(FileNotFoundError):
                settle(workspace, path)
        else:
            leftovers.remove(path)


def is_named(workspace: Workspace, sha256: str) -> bool:
    """Say whether a running or a recorded run names an object."""
    return any(_in_journal(folder, sha256) for folder in live.folders(workspace)) or any(
        database.of(workspace).rows(f"SELECT 1 FROM {table} WHERE sha256 = ? LIMIT 1", (sha256,))
        for table in ("artifact", "dataset")
    )


def _in_journal(folder: Path, sha256: str) -> bool:
    """Look through a journal: what its run names now, and what its other files mention at all."""
    try:
        if any(item.get("sha256") == sha256 for item in events.of(folder).artifacts.values()):
            return True
        mentioned = sha256.encode()
        return any(mentioned in path.read_bytes() for path in folder.glob("*.json"))
    except FileNotFoundError:  # it was sealed meanwhile: the index knows
        return False
