"""Chains of events: commits in the one order that every clone gives them (docs/registry.md, "The order")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitexp.errors import Damaged
from gitexp.git import objects

if TYPE_CHECKING:
    from gitexp.git.objects import Commit
    from gitexp.git.repo import Repo

MAX_EVENTS = 200_000


def order(repo: Repo, tip: str) -> dict[str, Commit]:
    """Return {commit id: content} of a chain, oldest first.

    A commit comes after its first parent's whole history, then after what its other parents add: so who joins two
    heads says which was first, and what was first keeps its place. Raises Damaged beyond MAX_EVENTS.
    """
    found: dict[str, Commit] = {}
    read: dict[str, Commit] = {}
    waiting = [tip]
    while waiting:
        oid = waiting[-1]
        if oid in found:
            waiting.pop()
            continue
        commit = read.get(oid) or read.setdefault(oid, objects.read_commit(repo, oid))
        missing = next((parent for parent in commit.parents if parent not in found), None)
        if missing is not None:
            waiting.append(missing)
            if len(read) > MAX_EVENTS:
                raise Damaged(f"chain {tip[:7]} has more than {MAX_EVENTS:,} events", hint="git log " + tip)
            continue
        found[oid] = commit
        waiting.pop()
    return found


def after(repo: Repo, tip: str, known: str, *, limit: int = MAX_EVENTS) -> dict[str, Commit] | None:
    """Return what a chain has after `known`, oldest first, where no join comes in between; else None."""
    found: dict[str, Commit] = {}
    at = tip
    while at != known:
        commit = objects.read_commit(repo, at)
        if len(commit.parents) != 1 or len(found) >= limit:
            return None
        found[at] = commit
        at = commit.parents[0]
    return dict(reversed(found.items()))


def is_behind(repo: Repo, old: str, new: str) -> bool:
    """Say whether `new` only adds to `old`: its first parents lead to it, so nothing of it changes its place."""
    seen: set[str] = set()
    at: str | None = new
    while at is not None and at not in seen and len(seen) <= MAX_EVENTS:
        if at == old:
            return True
        seen.add(at)
        parents: Sequence[str] = objects.read_commit(repo, at).parents if objects.exists(repo, at) else ()
        at = parents[0] if parents else None
    return False


def contains(repo: Repo, tip: str, oid: str) -> bool:
    """Say whether a commit is in a chain, anywhere."""
    return oid == tip or oid in order(repo, tip)
