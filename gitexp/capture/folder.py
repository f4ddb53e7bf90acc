"""What is in a folder of data: its files, its links, and what cannot be read; never waiting, never in circles."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILES = 1_000_000


@dataclass(slots=True)
class Found:
    """Files as (where they are, path below the folder); links that count by their target; what is no file.

    `unreadable` are folders that could not be listed: without them there is no hash of the whole.
    """

    files: list[tuple[str, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    outside: int = 0
    special: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def walk(top: Path, *, follow: bool = False) -> Found:
    """Return what is in a folder, links that stay inside followed, with `follow` those that lead outside too.

    A link that leads outside, nowhere, or back to a folder it is in counts by its target. Raises ValueError for more
    than MAX_FILES files, OSError where the folder itself cannot be listed.
    """
    found = Found()
    inside = os.path.realpath(top)
    waiting = [(inside, "", frozenset([_identity(inside)]))]
    while waiting:
        folder, below, above = waiting.pop()
        for entry in _entries(folder, below, found):
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_symlink() and not _followed(entry, inside, above, follow, found):
                found.links.append((path, os.readlink(entry.path)))  # noqa: PTH115 - its bytes, not a normal form
            elif entry.is_dir():
                waiting.append((entry.path, path, above | {_identity(entry.path)}))
            else:
                _file(entry, path, found)
    return found


def _entries(folder: str, below: str, found: Found) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listed:
            yield from listed
    except OSError as error:
        if not below:
            raise
        if not isinstance(error, FileNotFoundError):  # what vanished is not there
            found.unreadable.append((below, error.strerror or str(error)))


def _file(entry: os.DirEntry[str], path: str, found: Found) -> None:
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            found.unreadable.append((path, error.strerror or str(error)))
        return
    if stat.S_ISREG(mode):
        found.files.append((entry.path, path))
        if len(found.files) > MAX_FILES:
            raise ValueError(f"more than {MAX_FILES:,} files")
    else:
        found.special.append((path, _kind(mode)))


def _followed(
    entry: os.DirEntry[str], inside: str, above: frozenset[tuple[int, int]], follow: bool, found: Found
) -> bool:
    """Say whether a link is followed; one that leads outside and is not is counted."""
    target = os.path.realpath(entry.path)
    if not os.path.exists(target):  # noqa: PTH110 - nor do loops of links exist
        return False
    if not follow and target != inside and not target.startswith(inside + os.sep):
        found.outside += 1
        return False
    return not os.path.isdir(target) or _identity(target) not in above  # noqa: PTH112


def _identity(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:  # it vanished: nothing is like it
        return 0, 0
    return found.st_dev, found.st_ino


def _kind(mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device"
