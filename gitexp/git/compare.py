"""What lies between two commits: files changed, commits apart, merge base; and `git diff` as the user knows it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.git import command, objects

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

RECORD = ".gitexp/"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs; lines are None for a binary one, `old_path` is set where it was renamed."""

    path: str
    added: int | None
    deleted: int | None
    old_path: str | None = None


def files(repo: Repo, old: str | None, new: str | None) -> list[FileChange]:
    """Return the files that differ between two commits (None: no code at all), but for the record of a run.

    Raises GitFailed where an object is not here and no remote gives it.
    """
    trees = (old or objects.EMPTY_TREE, new or objects.EMPTY_TREE)
    if trees[0] == trees[1]:
        return []
    # diff-tree is plumbing: the user's diff settings (prefixes, external tools, colours) do not change what it says.
    done = command.run(repo, "diff-tree", "-r", "-M", "-z", "--numstat", "--no-textconv", *trees)
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    return [item for item in _changes(fields) if not item.path.startswith(RECORD)]


def _changes(fields: Sequence[str]) -> list[FileChange]:
    found, at = [], 0
    while at < len(fields) - 1:
        added, deleted, path = fields[at].split("\t", 2)
        counts = (_count(added), _count(deleted))
        if path:
            found.append(FileChange(path, *counts))
            at += 1
        else:  # renamed: both paths follow
            found.append(FileChange(fields[at + 2], *counts, old_path=fields[at + 1]))
            at += 3
    return found


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def apart(repo: Repo, one: str, other: str) -> tuple[int, int] | None:
    """Return how many commits only `one` has and only `other` has; None where their history is not here."""
    import pygit2

    try:
        ahead, behind = repo.raw.ahead_behind(one, other)
    except (KeyError, ValueError, pygit2.GitError):
        return None
    return ahead, behind


def contains(repo: Repo, commit: str, ancestor: str) -> bool:
    """Say whether `ancestor` is in the history of `commit`; False where that history is cut off before it."""
    if commit == ancestor:
        return True
    try:
        return bool(repo.raw.descendant_of(commit, ancestor))
    except (KeyError, ValueError):
        return False


def merge_base(repo: Repo, one: str, other: str) -> str | None:
    """Return the best common ancestor of two commits, None where they have none, or it is not here."""
    import pygit2

    try:
        found = repo.raw.merge_base(one, other)
    except (KeyError, ValueError, pygit2.GitError):
        return None
    return None if found is None else str(found)


def show(repo: Repo, old: str | None, new: str | None, options: Sequence[str], *, terminal: bool) -> bytes:
    """Show `git diff OLD NEW` on the terminal, through the user's pager and settings; else return what it prints."""
    trees = (old or objects.EMPTY_TREE, new or objects.EMPTY_TREE)
    words = ("diff", *options, *trees, "--", ":/", f":(exclude,top){RECORD.rstrip('/')}")
    env = {"GIT_LITERAL_PATHSPECS": "0"}
    if not terminal:
        return command.run(repo, *words, env=env).stdout
    subprocess.run(["git", *words], cwd=repo.work_tree or repo.git_dir, env=command.environment(repo, env))
    return b""


def contents(old: Path, new: Path) -> str:
    """Return the lines in which two files differ, as hunks of `git diff`; "" where Git takes one for binary."""
    words = ("diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "-U2")
    # A link is followed by no `git diff`, and the user's settings of prefixes and algorithms say how hunks are made.
    done = command.run(None, *words, "--", str(old.resolve()), str(new.resolve()), check=False)
    text = done.stdout.decode("utf-8", "replace")
    at = text.find("\n@@ ")
    return text[at + 1 :] if at >= 0 else ""
