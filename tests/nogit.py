"""A machine without a git command: what a PATH holds there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_PROGRAMS = (
    "sh",
    "cat",
    "cp",
    "echo",
    "env",
    "false",
    "ls",
    "mkdir",
    "nice",
    "rm",
    "sed",
    "sleep",
    "test",
    "true",
    "uname",
)


def path(folder: Path) -> str:
    """Return a PATH with the usual programs, this Python and gitexp, and no git."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is not None and not (folder / name).exists():
            (folder / name).symlink_to(found)
    made = f"{Path(sys.executable).parent}:{folder}"
    assert shutil.which("git", path=made) is None
    return made
