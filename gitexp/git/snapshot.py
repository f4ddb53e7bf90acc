"""Snapshots: the uncommitted code as a commit on HEAD, written without touching HEAD, index or files."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import redact, text
from gitexp.errors import Damaged, WriteFailed
from gitexp.git import command, fingerprint, index, objects, plain
from gitexp.git.repo import Repo
from gitexp.git.worktree import Change, LeftOut, Rules, Status

MAX_FILE_BYTES = 1 << 20
MAX_FILES = 200
MAX_BYTES = 20 << 20
_LINEWISE_BYTES = 16 << 20
_BLOCK_BYTES, _OVERLAP_BYTES = 8 << 20, 1 << 14
_NAME, _EMAIL = "gitexp", "gitexp@localhost"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The tree that ran, and the commit that holds it: None where it is HEAD's own.

    `untracked` are the untracked files taken; `complete` says that no code was left out.
    """

    tree: str
    commit: str | None
    untracked: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    complete: bool


@dataclass(slots=True)
class _Plan:
    """What goes in, what stays as HEAD has it, and what is left out."""

    add: list[str] = field(default_factory=list)
    restore: list[Change] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    complete: bool = True

    def leave(self, path: str, reason: str, *, code: bool = True) -> None:
        self.left_out.append(LeftOut(path, reason))
        self.complete = self.complete and not code


def take(repo: Repo, head: str | None, status: Status, rules: Rules | None = None) -> Snapshot:
    """Store the uncommitted code on top of the commit `head` and return it; paths and bytes are fixed on return.

    Equal edits on the same commit are the same commit. Raises WriteFailed where the repository cannot be written.
    """
    rules = rules or Rules()
    if status.key and (known := _known(repo, status.key)):
        return known
    plan = _decide(repo, status, rules)
    base = objects.read_commit(repo, head) if head else None
    tree = _tree_by_git(repo, plan, status.hidden) if command.available() else _tree_plain(repo, plan, base)
    commit = None
    if base is None or tree != base.tree:
        commit = objects.write_commit(repo, _commit(tree, head, base))
    left_out = (*status.left_out, *plan.left_out)
    result = Snapshot(tree, commit, tuple(plan.untracked), left_out, status.complete and plan.complete)
    if status.key:
        fingerprint.remember(repo, "snapshot", status.key, _encode(result))
    return result


def _commit(tree: str, head: str | None, base: objects.Commit | None) -> objects.Commit:
    """Return the commit of a tree: all in it follows from the tree and its parent, so equal edits are one commit."""
    who = objects.Signature(_NAME, _EMAIL, base.committer.time_s if base else 0)
    where, at = (f"on top of {head[:7]}", f"commit {head}") if head else ("before the first commit", "nothing")
    message = (
        f"uncommitted edits {where}\n\n"
        f"The code that a run ran with and that was not committed, as a commit on {at}.\n"
        "Recorded by gitexp; equal edits are one commit.\n"
    )
    return objects.Commit(tree, (head,) if head else (), who, who, message)


def _known(repo: Repo, key: str) -> Snapshot | None:
    """Return the snapshot of an unchanged tree, if all of it that could be pruned is still here."""
    data = fingerprint.known(repo, "snapshot", key)
    if not data or not all(objects.exists(repo, oid) for oid in (data["tree"], data["commit"]) if oid):
        return None
    left_out = tuple(LeftOut(*row) for row in data["left_out"])
    return Snapshot(data["tree"], data["commit"], tuple(data["untracked"]), left_out, data["complete"])


def _encode(item: Snapshot) -> dict[str, Any]:
    return {
        "tree": item.tree,
        "commit": item.commit,
        "untracked": item.untracked,
        "left_out": [(entry.path, entry.reason) for entry in item.left_out],
        "complete": item.complete,
    }


def _decide(repo: Repo, status: Status, rules: Rules) -> _Plan:
    plan = _Plan(restore=list(status.kept))
    for change in status.changed:
        reason = "" if change.submodule or change.code == "D " else _secret_in_edit(repo, change)
        if reason:
            plan.restore.append(change)
            plan.leave(change.path, reason)
        elif not (change.is_staged_only and command.available()):  # a copy of the index holds what is staged
            plan.add.append(change.path)
    _decide_untracked(repo, status, rules, plan)
    return plan


def _decide_untracked(repo: Repo, status: Status, rules: Rules, plan: _Plan) -> None:
    total = 0
    for path, code in [(path, True) for path in status.untracked] + [(path, False) for path in status.others]:
        full = Path(str(repo.work_tree), path)
        try:
            found = full.lstat()
            reason = _reason(full, found, rules, len(plan.untracked), total)
        except OSError as error:
            plan.leave(path, f"cannot be read: {error.strerror}", code=code)
            continue
        if reason:
            plan.leave(path, reason, code=code)
        else:
            total += found.st_size
            plan.untracked.append(path)
    plan.add += plan.untracked


def _reason(full: Path, found: os.stat_result, rules: Rules, count: int, total: int) -> str:
    """Return why an untracked file is left out, "" where it is taken."""
    if rules.take == "tracked":
        return "untracked (gitexp.snapshot = tracked)"
    if found.st_size > MAX_FILE_BYTES:
        return f"untracked and {text.size(found.st_size)}: more than {MAX_FILE_BYTES >> 20} MiB"
    if count >= MAX_FILES:
        return f"more than {MAX_FILES} untracked files"
    if total + found.st_size > MAX_BYTES:
        return f"more than {MAX_BYTES >> 20} MiB of untracked files"
    return "holds a secret" if redact.find(_content(full, found)) else ""


def _content(full: Path, found: os.stat_result) -> bytes:
    return os.fsencode(full.readlink()) if modes.S_ISLNK(found.st_mode) else full.read_bytes()


def _secret_in_edit(repo: Repo, change: Change) -> str:
    """Return why an edit of a tracked file must not leave the work tree, "" where it may."""
    full = Path(str(repo.work_tree), change.path)
    try:
        found = full.lstat()
        if not modes.S_ISREG(found.st_mode):
            return ""
        if redact.is_secret_file(change.path):
            return "secret by its name"
        if found.st_size > _LINEWISE_BYTES:
            return "holds a secret" if any(redact.find(block) for block in _blocks(full)) else ""
        data = full.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "the edit adds a secret" if redact.find(data) and redact.find(_added(repo, change, data)) else ""


def _added(repo: Repo, change: Change, data: bytes) -> bytes:
    """Return the lines that HEAD's version does not have: what was committed before is no secret any more."""
    old: set[bytes] = set()
    if change.head_oid:
        with suppress(Damaged):  # a partial clone may lack it: then every line counts as new
            old = set(objects.read_blob(repo, change.head_oid, limit_bytes=_LINEWISE_BYTES).splitlines())
    return b"\n".join(line for line in data.splitlines() if line not in old)


def _blocks(full: Path) -> Iterator[bytes]:
    with open(full, "rb") as file:
        tail = b""
        while block := file.read(_BLOCK_BYTES):
            yield tail + block
            tail = block[-_OVERLAP_BYTES:]


def _tree_by_git(repo: Repo, plan: _Plan, hidden: Sequence[str]) -> str:
    with index.private(repo) as copy:
        if hidden:
            index.unhide(repo, copy, hidden)
        if plan.restore:
            index.stage(repo, copy, "--replace", "--index-info", given=[_as_in_head(change) for change in plan.restore])
        if plan.add:
            _add(repo, copy, plan)
        env = {"GIT_INDEX_FILE": str(copy)}
        written = command.run(repo, *index.SETTINGS, "write-tree", "--missing-ok", env=env, check=False)
    if written.code:
        reason = written.stderr.strip() or f"git write-tree ended with {written.code}"
        raise WriteFailed(f"cannot write a snapshot into {repo.common_dir}: {reason}", hint="df -h .; ls -ld .git")
    return written.stdout.decode().strip()


def _as_in_head(change: Change) -> bytes:
    """Return the rows that clear every stage of a path and put HEAD's version back."""
    path = os.fsencode(change.path)
    gone = b"0 %b\t%b\0" % (b"0" * 40, path)
    if not change.head_oid:
        return gone
    return gone + b"%06o %b 0\t%b\0" % (change.head_mode, change.head_oid.encode(), path)


def _add(repo: Repo, copy: Path, plan: _Plan) -> None:
    """Stage the chosen paths as they are in the work tree; one that Git cannot read is left out, not fatal."""
    try:
        index.stage(repo, copy, "--add", "--remove", "--replace", given=[os.fsencode(p) + b"\0" for p in plan.add])
        return
    except command.GitFailed:
        chosen, plan.add = plan.add, []
    for path in chosen:
        try:
            index.stage(repo, copy, "--add", "--remove", "--replace", given=[os.fsencode(path) + b"\0"])
            plan.add.append(path)
        except command.GitFailed as error:
            _drop(plan, path, error.message)


def _drop(plan: _Plan, path: str, reason: str) -> None:
    plan.leave(path, reason)
    if path in plan.untracked:
        plan.untracked.remove(path)


def _tree_plain(repo: Repo, plan: _Plan, base: objects.Commit | None) -> str:
    """Return the tree without the git command: HEAD's with the edits put in, through libgit2."""
    edits: dict[str, tuple[int, str] | None] = {}
    for path in list(plan.add):
        try:
            edits[path] = plain.hash_file(repo, path)
        except ValueError as error:
            _drop(plan, path, str(error))
    return plain.edit_tree(repo, base.tree if base else None, edits)
