"""Branches: created at a commit, and switched to, by git itself, so that its rules and hooks hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitexp.errors import Conflict, Refused, UsageError
from gitexp.git import command, refs

if TYPE_CHECKING:
    from gitexp.git.repo import Repo

PREFIX = "refs/heads/"


def check(repo: Repo, name: str) -> str:
    """Return `name`, or raise UsageError where git would not take it as a branch."""
    done = command.run(repo, "check-ref-format", PREFIX + name, check=False)
    if done.code or name.startswith("-") or name == "HEAD":
        raise UsageError(f"{name!r} is no name for a branch", hint="letters, digits, - and /: try/lower-lr")
    return name


def exists(repo: Repo, name: str) -> bool:
    """Say whether there is a branch of that name."""
    return refs.get(repo, PREFIX + name) is not None


def create(repo: Repo, name: str, commit: str, *, switch: bool = False) -> None:
    """Create a branch at a commit, and switch to it where asked.

    Raises Conflict where its name is taken, Refused where a switch would overwrite uncommitted work: nothing is done.
    """
    if exists(repo, name):
        raise Conflict(f"a branch {name!r} exists already", hint=f"git switch {name}   or give another name")
    words = ("switch", "--no-track", "-c", name, commit) if switch else ("branch", "--no-track", name, commit)
    done = command.run(repo, *words, check=False)
    if done.code:
        said = done.stderr.strip().removeprefix("error: ").removeprefix("fatal: ")
        raise Refused(
            f"git {words[0]} refused: {said}", hint="commit or stash your changes: git stash" if switch else ""
        )
