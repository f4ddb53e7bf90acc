"""The rules of the registry as the project reviewed them: from the branch that `gitexp.rulesBranch` names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from gitexp import text
from gitexp.errors import Damaged, GitexpError, UsageError
from gitexp.git import objects, refs
from gitexp.record import rules as ruling
from gitexp.record.rules import Rules
from gitexp.store import config, remotes
from gitexp.store.config import FILES
from gitexp.store.workspace import Workspace

if TYPE_CHECKING:
    from gitexp.record.webhooks import Webhook

_LIMIT_BYTES = 1 << 20
_USUAL = ("main", "master")
_MAX_HISTORY = 100_000  # commits of the branch that are read to tell since when rules stand


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules in force: `branch` is the full ref they come from, `commit` its tip, None where there is none."""

    rules: Rules
    commit: str | None = None
    branch: str | None = None

    @property
    def label(self) -> str:
        """The branch as people write it: origin/main."""
        return (self.branch or "").removeprefix("refs/heads/").removeprefix("refs/remotes/")


def now(workspace: Workspace) -> Rulebook:
    """Return the rules in force; raises UsageError where they cannot be read: no gate stands open for that."""
    branch = find_branch(workspace)
    commit = refs.get(workspace.repo, branch) if branch else None
    return Rulebook(at(workspace, commit), commit, branch)


def at(workspace: Workspace, commit: str | None) -> Rules:
    """Return the rules as a commit has them; raises UsageError where it is not here, or they cannot be read."""
    if commit is None:
        return ruling.EMPTY
    try:
        found = _file_at(workspace, commit)
    except Damaged as error:
        raise UsageError(f"the commit of its rules, {commit[:7]}, is not here", hint="git fetch") from error
    if found is None:
        return ruling.EMPTY
    name, blob = found
    return _parsed(objects.read_blob(workspace.repo, blob, limit_bytes=_LIMIT_BYTES), name)


def terms(workspace: Workspace, book: Rulebook) -> list[tuple[int, str]]:
    """Return (time in seconds, commit) of each change of the rules' file on their branch, the latest first.

    The branch is its line of first parents, the time that of the committer: by then, or soon after, the rules stood.
    """
    found: list[tuple[int, str]] = []
    at = book.commit
    file = _file_at(workspace, at) if at else None
    for _ in range(_MAX_HISTORY):
        if at is None or not objects.exists(workspace.repo, at):
            break
        commit = objects.read_commit(workspace.repo, at)
        parent = commit.parents[0] if commit.parents else None
        here = parent is not None and objects.exists(workspace.repo, parent)
        before = _file_at(workspace, parent) if here and parent else None
        if before != file or not here:
            found.append((commit.committer.time_s, at))
        at, file = parent, before
    return found


def webhooks(workspace: Workspace, commit: str | None) -> tuple[Webhook, ...]:
    """Return who is told of events, as a commit says; raises UsageError where that cannot be read."""
    from gitexp.record import webhooks as hooks  # a list of versions tells nobody

    found = _file_at(workspace, commit) if commit is not None else None
    if found is None:
        return ()
    name, blob = found
    return hooks.read(objects.read_blob(workspace.repo, blob, limit_bytes=_LIMIT_BYTES), name)


def workspace_at(workspace: Workspace, commit: str | None) -> Workspace:
    """Return the workspace with the settings that a commit has (which way a metric is better), not those of here."""
    found = _file_at(workspace, commit) if commit is not None else None
    if found is None:
        return replace(workspace, settings=config.reviewed(b"", FILES[0]))
    name, blob = found
    data = objects.read_blob(workspace.repo, blob, limit_bytes=_LIMIT_BYTES)
    return replace(workspace, settings=config.reviewed(data, name))


def file(workspace: Workspace, commit: str | None, path: str) -> bytes | None:
    """Return the content of a file as a commit has it, None where it has none."""
    if commit is None:
        return None
    entry = objects.entry(workspace.repo, objects.tree_of(workspace.repo, commit), path)
    if entry is None or not entry.is_file:
        return None
    return objects.read_blob(workspace.repo, entry.oid, limit_bytes=_LIMIT_BYTES)


def _file_at(workspace: Workspace, commit: str) -> tuple[str, str] | None:
    tree = objects.tree_of(workspace.repo, commit)
    for entry in objects.entries(workspace.repo, tree):
        if entry.name in FILES and entry.is_file:
            return entry.name, entry.oid  # in Git's order gitexp.toml comes first, as it does in the work tree
    return None


@lru_cache(maxsize=64)
def _parsed(data: bytes, name: str) -> Rules:
    return ruling.read(data, name)


def find_branch(workspace: Workspace) -> str | None:
    """Return the full ref of the branch of the rules: as configured, else the remote's default branch, else our own."""
    named = workspace.settings.text("rulesBranch")
    remote = _remote(workspace)
    if named:
        found = _first(workspace, _meanings(named, remote))
        if found is None:
            raise UsageError(f"gitexp.rulesBranch is {text.safe(named)!r}, and there is none", hint="git fetch")
        return found
    candidates = [f"refs/remotes/{remote}/{name}" for name in _defaults(workspace, remote)] if remote else []
    head = workspace.repo.head().branch if workspace.repo.work_tree is None else None  # of a bare one: its default
    own = [f"refs/heads/{name}" for name in ([head] if head else []) + _defaults(workspace, None)]
    return _first(workspace, [*candidates, *own])


def _meanings(named: str, remote: str | None) -> list[str]:
    if named.startswith("refs/"):
        return [named]
    there = [f"refs/remotes/{remote}/{named}"] if remote else []
    return [*there, f"refs/heads/{named}", f"refs/remotes/{named}"]


def _defaults(workspace: Workspace, remote: str | None) -> list[str]:
    """Return the names that a default branch may have, the surest first."""
    known: list[str] = []
    if remote:
        path = workspace.repo.common_dir / "refs/remotes" / remote / "HEAD"
        with suppress(FileNotFoundError, NotADirectoryError):
            known.append(path.read_text().strip().removeprefix(f"ref: refs/remotes/{remote}/"))
    configured = workspace.repo.config("init.defaultBranch")
    return [*known, *([configured] if configured else []), *_USUAL]


def _remote(workspace: Workspace) -> str | None:
    try:
        remote = remotes.choose(workspace)
    except GitexpError:
        return None
    return remote.name if remote.configured else None


def _first(workspace: Workspace, names: list[str]) -> str | None:
    return next((name for name in names if refs.get(workspace.repo, name) is not None), None)
