"""The code of a run: the commit that is exactly what ran, and what could not be put into one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from gitexp import redact
from gitexp.errors import DirtyTree, Unsupported, UsageError
from gitexp.git import objects, refs, snapshot, worktree
from gitexp.git.repo import Head, Repo
from gitexp.git.worktree import LeftOut, Rules, Status

POLICIES = ("snapshot", "refuse", "allow")
MAX_LISTED = 1000  # paths of one kind in a record
_TRIES = 5
_IMPORTED_NS = time.time_ns()


@dataclass(frozen=True, slots=True)
class CodeState:
    """The code of a run, as run.json tells it; paths are from the top of the work tree."""

    commit: str | None
    branch: str | None
    dirty: bool
    policy: str
    complete: bool
    snapshot: str | None
    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    remote: str | None
    directory: str
    edited: tuple[str, ...]
    tree: str | None

    @property
    def parent(self) -> str | None:
        """The commit that is the code: the snapshot, else HEAD's; None on a clean unborn branch."""
        return self.snapshot or self.commit

    def to_json(self) -> dict[str, Any]:
        """Return the `code` object of run.json."""
        return {
            "commit": self.commit,
            "branch": self.branch,
            "dirty": self.dirty,
            "policy": self.policy,
            "complete": self.complete,
            "snapshot": self.snapshot,
            "changed": _listed(self.changed),
            "untracked": _listed(self.untracked),
            "left_out": [{"path": item.path, "reason": item.reason} for item in _bounded(self.left_out)],
            "remote": self.remote,
            "directory": self.directory,
            "edited": _listed(self.edited),
            "tree": self.tree,
        }


def _listed(paths: Sequence[str]) -> list[str]:
    more = len(paths) - MAX_LISTED
    return [*paths[:MAX_LISTED], f"… and {more:,} more"] if more > 0 else list(paths)


def _bounded(items: Sequence[LeftOut]) -> list[LeftOut]:
    more = len(items) - MAX_LISTED
    return [*items[:MAX_LISTED], LeftOut("…", f"and {more:,} more")] if more > 0 else list(items)


def capture(
    repo: Repo, *, policy: str = "snapshot", origin: str = "", rules: Rules | None = None, imported: bool = False
) -> CodeState:
    """Fix the code that is about to run and return it.

    `policy` is "snapshot", "refuse" or "allow", `origin` names where it comes from; `imported` also names the modules
    of this process that were changed after it began. Raises DirtyTree, WriteFailed, and Unsupported where the
    project's `.gitexp` is something else than a record.
    """
    if policy not in POLICIES:
        raise UsageError(f"no policy {policy!r} for uncommitted changes", hint="use one of: " + ", ".join(POLICIES))
    rules = rules or Rules()
    head, status = _settled(repo, rules)
    if policy == "refuse" and status.dirty:
        raise _refused(status, origin)
    tree = objects.read_commit(repo, head.commit).tree if head.commit else None
    _check_record_folder(repo, tree)
    state = CodeState(
        commit=head.commit,
        branch=head.branch,
        dirty=status.dirty,
        policy=policy,
        complete=status.complete,
        snapshot=None,
        changed=tuple(item.path for item in status.changed),
        untracked=(),
        left_out=status.left_out,
        remote=_remote(repo, head.branch),
        directory=repo.prefix.rstrip("/"),
        edited=_edited(repo) if imported else (),
        tree=tree,
    )
    if not status.dirty:
        return state
    return _with_snapshot(repo, state, status, rules) if policy == "snapshot" else _without_snapshot(state, status)


def elsewhere(repo: Repo, named: str) -> CodeState:
    """Return the code of a run that runs on another machine: what it names, where this repository has that."""
    commit = refs.resolve(repo, named) if named else None
    return CodeState(
        commit=commit,
        branch=None,
        dirty=False,
        policy="allow",
        complete=False,
        snapshot=None,
        changed=(),
        untracked=(),
        left_out=(),
        remote=_remote(repo, None),
        directory="",
        edited=(),
        tree=objects.read_commit(repo, commit).tree if commit else None,
    )


def _settled(repo: Repo, rules: Rules) -> tuple[Head, Status]:
    """Return HEAD and what differs from it, both of one moment: the user may commit or switch meanwhile."""
    head = repo.head()
    for _ in range(_TRIES):
        status = worktree.status(repo, rules)
        if (now := repo.head()) == head:
            break
        head = now
    return head, status


def _refused(status: Status, origin: str) -> DirtyTree:
    where = f", from {origin}" if origin else ""
    return DirtyTree(
        f'run refused: uncommitted changes (policy "refuse"{where})',
        hint="commit them, or: git exp run --dirty=snapshot …   (recorded as dirty; cannot be promoted)",
        paths=status.paths,
    )


def _with_snapshot(repo: Repo, state: CodeState, status: Status, rules: Rules) -> CodeState:
    taken = snapshot.take(repo, state.commit, status, rules)
    return replace(
        state,
        complete=taken.complete,
        snapshot=taken.commit,
        untracked=taken.untracked,
        left_out=taken.left_out,
        tree=taken.tree,
    )


def _without_snapshot(state: CodeState, status: Status) -> CodeState:
    reason = f"not snapshotted (gitexp.dirty = {state.policy})"
    named = {item.path for item in status.left_out}
    left_out = [LeftOut(path, reason) for _, path in status.paths if path not in named]
    return replace(state, complete=False, left_out=(*status.left_out, *left_out))


def _check_record_folder(repo: Repo, tree: str | None) -> None:
    """Refuse a project that keeps something of its own where the record of a run goes."""
    entry = objects.entry(repo, tree, worktree.RECORD) if tree else None
    if entry is None:
        return
    if entry.mode != objects.TREE or all(item.name != "run.json" for item in objects.entries(repo, entry.oid)):
        raise Unsupported(
            f"this project keeps something of its own in {worktree.RECORD}, where gitexp writes the record of a run",
            hint=f"rename it: git mv {worktree.RECORD} .gitexp-old && git commit",
        )


def _remote(repo: Repo, branch: str | None) -> str | None:
    """Return the URL, without credentials, of the branch's remote, of `origin`, or of the only one there is."""
    named = repo.config(f"branch.{branch}.remote") if branch else None
    url = repo.config(f"remote.{named}.url") if named and named != "." else None
    url = url or repo.config("remote.origin.url")
    if url is None:
        names = repo.remotes
        url = repo.config(f"remote.{names[0]}.url") if len(names) == 1 and names[0] else None
    return redact.url(url) if url else None


def _edited(repo: Repo) -> tuple[str, ...]:
    """Return the imported files of the project that were written after this process began.

    What was loaded may be older than what is recorded. The content cannot tell: an edit that was undone before the
    run started leaves a clean tree and a process that holds the edit. So the times decide, that of the inode too,
    because a file put in place of another can bring an old modification time along.
    """
    if repo.work_tree is None:
        return ()
    tops = tuple(sorted({f"{repo.work_tree}/", f"{os.path.realpath(repo.work_tree)}/"}))
    began = _began_ns(os.getpid())
    ours = _loaded(tops).files()
    return tuple(sorted({name for file, name in ours if _has_changed(file, began)}))


class _Loaded:
    """The files of the project that were imported: looked for anew when a module is new, frameworks have thousands."""

    def __init__(self, tops: tuple[str, ...]) -> None:
        self._tops = tops
        self._seen: tuple[int, str, object] = (0, "", None)
        self._others: dict[str, int] = {}  # known not to be the project's, {name: id}
        self._files: list[tuple[str, str]] = []

    def files(self) -> list[tuple[str, str]]:
        """Return (path, name in the work tree)."""
        # What is imported comes last; to touch each of thousands of modules takes a millisecond.
        last = next(reversed(sys.modules))
        now = len(sys.modules), last, sys.modules.get(last)
        if now != self._seen:
            self._files = [found for name, module in dict(sys.modules).items() if (found := self._file(name, module))]
            self._seen = now
        return self._files

    def _file(self, name: str, module: object) -> tuple[str, str] | None:
        if self._others.get(name) == id(module):
            return None
        # Not getattr: a lazy module would load what it stands for.
        file = getattr(module, "__dict__", {}).get("__file__")
        if not isinstance(file, str):
            return None
        if file.startswith(self._tops) and "site-packages" not in file:
            return file, file[len(next(top for top in self._tops if file.startswith(top))) :]
        self._others[name] = id(module)
        return None


@lru_cache(maxsize=2)
def _loaded(tops: tuple[str, ...]) -> _Loaded:
    return _Loaded(tops)


def _has_changed(file: str, since_ns: int) -> bool:
    try:
        stat = Path(file).stat()
    except FileNotFoundError:
        return True
    except OSError:  # inside an archive
        return False
    return max(stat.st_mtime_ns, stat.st_ctime_ns) > since_ns


@lru_cache(maxsize=1)
def _began_ns(_pid: int) -> int:
    """Return when this process began, or the one it was forked from, whose modules it holds."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        # Whole ticks, rounded down: Python itself takes longer to load its first module than the one that is added.
        since_boot = (int(fields[19]) + 1) / os.sysconf("SC_CLK_TCK")
        began = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
    except (OSError, AttributeError, ValueError, IndexError):  # not Linux: this module's own import is near enough
        return _IMPORTED_NS
    return min(int(began * 1e9), _IMPORTED_NS)
