"""What tells that the lists of signers are those of before, by stats and settings alone: no object is read for it.

Another mark does not say that they changed, only that `signers.digest` has to be asked.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from gitexp.git import command, keyring, refs
from gitexp.store import rulebook
from gitexp.store.workspace import Workspace

_YOUNG_NS = 2_500_000_000  # what changed so short ago may change once more and keep its time


def of(workspace: Workspace) -> str:
    """Return the mark of now: the head of the rules' branch, what Git is told of signatures, and its files' stats."""
    return hashlib.sha256("\0".join(_parts(workspace)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _parts(workspace: Workspace) -> Iterator[str]:
    repo, branch = workspace.repo, rulebook.find_branch(workspace)
    yield f"{branch} {refs.get(repo, branch) if branch else None}"
    for entry in repo.settings:
        if entry.name.startswith("gpg."):
            yield f"{entry.name} {entry.value} {entry.own}"
            if entry.name.endswith("file") and entry.value:
                yield _stamp(Path(repo.work_tree or repo.git_dir, Path(entry.value).expanduser()))
    if command.available():
        yield keyring.program(repo, "ssh") or ""
        yield keyring.stamp(repo)


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "none"
    now_ns = time.time_ns()
    at = found.st_mtime_ns if now_ns - found.st_mtime_ns > _YOUNG_NS else now_ns
    return f"{at} {found.st_size} {found.st_ino}"
