"""What killed processes left half written in `.git/gitexp/tmp`: known by how long nobody has touched it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from gitexp.store.workspace import Workspace

FREED = "freed."  # an object on its way out: `freed.<sha256>`
_LONG_SECONDS = 86_400
_PART_SECONDS = 14 * 86_400  # the next download goes on with one
_LOCK, _PART = ".lock", ".part"


def old(workspace: Workspace) -> list[Path]:
    """Return what lies there from processes that are gone; one look at a folder that is mostly empty."""
    try:
        with os.scandir(workspace.tmp) as entries:
            return [Path(entry.path) for entry in entries if not entry.name.endswith(_LOCK) and _is_old(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def remove(path: Path) -> None:
    """Take a file or folder away, if it is still there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_old(entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    # A file that was only renamed keeps the time of its content; that of its inode is new.
    age = time.time() - max(found.st_mtime, found.st_ctime)
    return age >= (_PART_SECONDS if entry.name.endswith(_PART) else _LONG_SECONDS)
