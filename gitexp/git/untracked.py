"""Untracked files: folders walked without what is never source, Git's ignore rules kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gitexp.git import command
from gitexp.git.repo import Repo

MAX_ENTRIES = 100_000
_NEVER = frozenset({"__pycache__", "node_modules", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
_ENVIRONMENTS = frozenset({"pyvenv.cfg", "conda-meta"})


@dataclass(slots=True)
class Found:
    """What lies in untracked folders: the wanted files, repositories of their own, folders too large to search."""

    files: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


def expand(repo: Repo, names: Iterable[str], wanted: Callable[[str], bool], *, ask_git: bool = True) -> Found:
    """Return what stands for `names`: files as they are, folders (ending in a slash) by what is wanted in them.

    Without `ask_git` the ignore rules are libgit2's reading of them, which costs no process.
    """
    found, walked = Found(), Found()
    for name in names:
        if name.endswith("/"):
            _walk(repo, name, wanted, walked)
        elif wanted(name):
            found.files.append(name)
    ignored = _ignored(repo, [*walked.files, *walked.embedded], ask_git=ask_git)
    found.files += [name for name in walked.files if name not in ignored]
    found.embedded = [name for name in walked.embedded if name not in ignored]
    found.cut = walked.cut
    found.files.sort()
    return found


def _walk(repo: Repo, folder: str, wanted: Callable[[str], bool], found: Found) -> None:
    top = f"{repo.work_tree}/"
    pending, seen = [folder], 0
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(top + folder))
        except OSError:  # gone since, or not ours to read: Git does not see into it either
            continue
        names = {entry.name for entry in entries}
        if ".git" in names:
            if not _is_own_worktree(repo, top + folder + ".git"):
                found.embedded.append(folder)
            continue
        if names & _ENVIRONMENTS:
            continue
        seen += len(entries)
        if seen > MAX_ENTRIES:
            found.cut.append(folder)
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER:
                    pending.append(f"{folder}{entry.name}/")
            elif wanted(folder + entry.name) and (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                found.files.append(folder + entry.name)


def _is_own_worktree(repo: Repo, dot_git: str) -> bool:
    """Say whether a folder is a linked worktree of this very repository: a copy of the code, not a part of it."""
    try:
        with open(dot_git, "rb") as file:
            text = os.fsdecode(file.read(4096))
    except OSError:
        return False
    target = Path(dot_git).parent / text.removeprefix("gitdir:").strip()
    return os.path.realpath(target).startswith(os.path.realpath(repo.common_dir / "worktrees") + "/")


def _ignored(repo: Repo, names: list[str], *, ask_git: bool) -> frozenset[str]:
    """Return those of `names` that Git ignores."""
    if not names:
        return frozenset()
    if not ask_git:
        return frozenset(name for name in names if repo.raw.path_is_ignored(name))
    given = b"\0".join(map(os.fsencode, names))
    output = command.run(repo, "check-ignore", "-z", "--stdin", input=given, check=False)
    if output.code > 1:
        raise command.GitFailed(f"git check-ignore failed: {output.stderr.strip()}", output)
    return frozenset(map(os.fsdecode, output.stdout.split(b"\0")))
