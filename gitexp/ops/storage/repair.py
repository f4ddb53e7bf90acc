"""Damaged large files put aside, never deleted, and whole ones brought in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitexp import clock, files
from gitexp.git import lfslocal
from gitexp.git.transport import Options
from gitexp.ops.storage import largefiles, verify
from gitexp.ops.storage.verify import Bad
from gitexp.record.pointer import Pointer
from gitexp.store import objects as large
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

FOLDER = "damaged"  # below .git/gitexp/: what cannot be read, kept for whoever wants to look


@dataclass(slots=True)
class Repaired:
    """Where damaged bytes were put, by sha256, what is whole again, and why others are not."""

    quarantined: dict[str, str] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def run(workspace: Workspace, bad: Sequence[Bad], sources: Sequence[Remote], options: Options) -> Repaired:
    """Repair what can be: from git-lfs's own folder, then from the remotes in their order.

    A record that gives a wrong size cannot be repaired, and its bytes are whole: they stay where they are.
    """
    done = Repaired()
    for item in bad:
        if item.what in (verify.DAMAGED, verify.STRAY):
            done.quarantined[item.sha256] = str(_put_aside(workspace, item.sha256))
    done.repaired += [item.sha256 for item in bad if item.what == verify.STRAY]
    wanted = {item.sha256: item for item in bad if item.what in (verify.DAMAGED, verify.LACKING)}
    done.repaired += [sha256 for sha256 in wanted if _from_near(workspace, sha256)]
    why = "" if sources else "there is no remote to fetch it from: git remote add origin URL"
    for remote in sources:
        left = [_pointer(workspace, item) for item in wanted.values() if item.sha256 not in done.repaired]
        why = largefiles.bring(workspace, remote, left, options).why or why
        done.repaired += [item.sha256 for item in left if large.path(workspace, item.sha256) is not None]
    done.left = {sha256: why or "gitexp fetch" for sha256 in wanted if sha256 not in done.repaired}
    return done


def _pointer(workspace: Workspace, item: Bad) -> Pointer:
    """Return what to ask for: of the sizes that records give, the one that most of them give."""
    sizes = [use.size_bytes for use in item.uses] or [item.size_bytes]
    return Pointer(item.sha256, max(sizes, key=sizes.count))


def _put_aside(workspace: Workspace, sha256: str) -> Path:
    """Move an object where nothing takes it for whole; its other name, for git-lfs, goes too where it is as bad."""
    folder = workspace.home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{sha256}.{clock.now_ms()}"
    large.place(workspace, sha256).rename(target)
    other = lfslocal.place(workspace.repo, sha256)
    if other.is_file() and files.sha256(other)[0] != sha256:
        if other.samefile(target):
            lfslocal.take_back(workspace.repo, sha256)
        else:
            other.rename(folder / f"{target.name}.lfs")
    return target


def _from_near(workspace: Workspace, sha256: str) -> bool:
    """Take the copy that the stock git-lfs has, where it is whole."""
    source = lfslocal.place(workspace.repo, sha256)
    if not source.is_file() or files.sha256(source)[0] != sha256:
        return False
    return large.put_file(workspace, source).sha256 == sha256
