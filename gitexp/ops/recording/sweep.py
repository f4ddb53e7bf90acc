"""Whether something has to be put right before a command's own work; most of the time there is nothing.

Every command asks, so this loads nothing that a list does without; what there is to do is in `ops.recover`.
"""

from __future__ import annotations

import os

from gitexp.index import database
from gitexp.store import heads, leftovers
from gitexp.store.workspace import Workspace


def needed(workspace: Workspace) -> bool:
    """Say whether there is a journal, of which `recover` knows if it is alive, a lost ref, or what a kill has left."""
    if _has_journals(workspace) or leftovers.old(workspace):
        return True
    return bool(database.of(workspace).lost) or bool(heads.lost(workspace))


def _has_journals(workspace: Workspace) -> bool:
    try:
        with os.scandir(workspace.live) as entries:
            return any(True for _ in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
