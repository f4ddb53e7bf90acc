"""The work tree as libgit2 sees it: the quick first look, and all there is where no git command is installed."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitexp.git import objects
from gitexp.git.repo import Repo

_STAGED = {1: "A", 2: "M", 4: "D", 8: "R", 16: "T"}
_UNSTAGED = {256: "M", 512: "D", 1024: "T", 2048: "R", 4096: "M"}
_NEW, _IGNORED, _CONFLICTED = 128, 16384, 32768


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked path that differs, with Git's XY code."""

    code: str
    path: str


@dataclass(frozen=True, slots=True)
class Report:
    """What libgit2 reports; untracked folders end in a slash."""

    tracked: tuple[Tracked, ...]
    untracked: tuple[str, ...]


def status(repo: Repo) -> Report | None:
    """Return what libgit2 sees; None where it cannot read the index (split, sparse) or a name."""
    import pygit2

    try:
        found = repo.raw.status(untracked_files="normal")
    except (pygit2.GitError, KeyError, ValueError, OSError):
        return None
    tracked, untracked = [], []
    for path, flags in found.items():
        flag = int(flags)
        if flag & _NEW:
            untracked.append(path)
        if flag & ~(_NEW | _IGNORED):
            tracked.append(Tracked(_code(flag), path))
    return Report(tuple(tracked), tuple(untracked))


def _code(flag: int) -> str:
    if flag & _CONFLICTED:
        return "UU"
    staged = next((letter for bit, letter in _STAGED.items() if flag & bit), " ")
    return staged + next((letter for bit, letter in _UNSTAGED.items() if flag & bit), " ")


def matching(paths: Iterable[str], specs: Iterable[str]) -> frozenset[str]:
    """Return those of `paths` that libgit2's pathspecs match; it knows patterns, not Git's `:(magic)` words."""
    import pygit2

    index = pygit2.Index()
    names = {path.rstrip("/"): path for path in paths}
    for name in names:
        index.add(pygit2.IndexEntry(name, pygit2.Oid(hex="e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), 0o100644))  # type: ignore[arg-type]  # a mode is a number
    index.remove_all(list(specs))
    left = {entry.path for entry in index}
    return frozenset(path for name, path in names.items() if name not in left)


def hash_file(repo: Repo, path: str) -> tuple[int, str] | None:
    """Store a file of the work tree as Git would and return (mode, oid); None where it is gone.

    Raises ValueError where the project wants a filter on it, which only the git command can run.
    """
    full = Path(str(repo.work_tree), path)
    try:
        found = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if modes.S_ISLNK(found.st_mode):
        return objects.LINK, objects.write_blob(repo, os.fsencode(full.readlink()))
    if not modes.S_ISREG(found.st_mode):
        raise ValueError("not a file")
    named = repo.raw.get_attr(path, "filter")
    if isinstance(named, str):
        raise ValueError(f"needs the git command for its filter {named}")
    executable = found.st_mode & 0o100 and repo.config("core.fileMode") != "false"
    return (objects.EXECUTABLE if executable else objects.FILE), str(repo.raw.create_blob_fromworkdir(path))


def edit_tree(repo: Repo, tree: str | None, edits: Mapping[str, tuple[int, str] | None]) -> str:
    """Return `tree` with {path: (mode, oid)} put in and {path: None} taken out; nothing it holds needs to be here."""
    levels: dict[str, Any] = {}
    for path, edit in edits.items():
        *folders, name = path.split("/")
        level = levels
        for folder in folders:
            level = level.setdefault(folder, {})
            if not isinstance(level, dict):  # a file replaced by a folder of its name: the folder's files stand
                break
        else:
            level.setdefault(name, edit)
    return _edit_level(repo, tree, levels) or objects.write_entries(repo, [])


def _edit_level(repo: Repo, tree: str | None, level: Mapping[str, Any]) -> str | None:
    kept = {entry.name: entry for entry in objects.entries(repo, tree)} if tree else {}
    for name, edit in level.items():
        if isinstance(edit, dict):
            below = kept[name].oid if name in kept and kept[name].mode == objects.TREE else None
            oid = _edit_level(repo, below, edit)
            edit = (objects.TREE, oid) if oid else None
        kept.pop(name, None)
        if edit:
            kept[name] = objects.Entry(name, *edit)
    return objects.write_entries(repo, list(kept.values())) if kept else None
