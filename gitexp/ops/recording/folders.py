"""What is in a folder that a run logs: files to keep, folders with nothing in them, and what cannot be kept and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.errors import UsageError

MAX_FILES = 500_000
Trouble = Callable[[str, str], None]  # of what, and why: "out/pipe", "is a pipe"
_Folder = tuple[str, str, tuple[str, ...]]  # path, path below the top with a final `/`, real paths from the top to it
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder: where it is, its path below the folder, and what it looked like."""

    path: str
    below: str
    found: os.stat_result


@dataclass(slots=True)
class Listing:
    """The files of a folder by name, then those of the folders in it; and its empty folders ("." is itself)."""

    files: list[File] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def kind(mode: int) -> str:
    """Return what something is that is neither a file nor a folder; "" for those."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return next((name for is_kind, name in _KINDS if is_kind(mode)), "no file")


def listing(top: Path, trouble: Trouble, own: Collection[str] = ()) -> Listing:
    """List a folder.

    Links are followed where they lead to inside of it, but not into a folder that they lie in. `own` are real paths
    that are passed over without a word: the repository's own folders. Raises UsageError beyond MAX_FILES.
    """
    walk = _Walk(os.path.realpath(top), trouble, frozenset(own))
    open_folders: list[_Folder] = [(str(top), "", (walk.top,))]
    while open_folders:
        open_folders += reversed(walk.folder(*open_folders.pop()))
        if len(walk.found.files) > MAX_FILES:
            raise UsageError(f"{top} has more than {MAX_FILES:,} files", hint="log an archive of it")
    return walk.found


class _Walk:
    def __init__(self, top: str, trouble: Trouble, own: frozenset[str]) -> None:
        self.top, self.trouble, self.own = top, trouble, own
        self.found = Listing()

    def folder(self, path: str, below: str, above: tuple[str, ...]) -> list[_Folder]:
        """Take the files of one folder; returns the folders in it."""
        try:
            with os.scandir(path) as rows:
                items = sorted(rows, key=lambda item: item.name)
        except OSError as error:
            self.trouble(path, _why(error))
            return []
        if not items:
            self.found.empty.append(below.rstrip("/") or ".")
        inside = (self._item(item, below, above) for item in items)
        return [folder for folder in inside if folder is not None]

    def _item(self, item: os.DirEntry[str], below: str, above: tuple[str, ...]) -> _Folder | None:
        name = below + item.name
        try:
            real = os.path.realpath(item.path) if item.is_symlink() else f"{above[-1]}/{item.name}"
            if real in self.own:
                return None
            if item.is_symlink() and (why := self._not_followed(real, above)):
                self.trouble(item.path, why)
                return None
            found = item.stat()
        except OSError as error:
            self.trouble(item.path, _why(error))
            return None
        if stat.S_ISDIR(found.st_mode):
            return item.path, name + "/", (*above, real)
        if what := kind(found.st_mode):
            self.trouble(item.path, f"is {what}")
        else:
            self.found.files.append(File(item.path, name, found))
        return None

    def _not_followed(self, real: str, above: tuple[str, ...]) -> str:
        """Return why a link is not followed, "" where it is."""
        if real in above:
            return "is a link to a folder that it lies in"
        if real != self.top and not real.startswith(self.top.rstrip("/") + "/"):
            return "is a link to outside of the folder"
        return ""


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
