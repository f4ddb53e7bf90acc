"""The bytes that runs keep beside their commits: which there are, which are here, and their way through Git LFS."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gitexp.errors import Damaged
from gitexp.git import objects as git_objects
from gitexp.git import transport
from gitexp.record import pointer
from gitexp.record.pointer import Pointer
from gitexp.store import objects, runs
from gitexp.store.remotes import Remote
from gitexp.store.workspace import Workspace

_TEXTS = ("metrics.csv", "system.csv", "output.log")


def named(workspace: Workspace, commits: Iterable[str]) -> Iterator[Pointer]:
    """Yield what the pointers in the records of these run commits mean, each once."""
    repo, looked_at, found = workspace.repo, set[str](), set[str]()
    for commit in commits:
        for entry in _files(workspace, commit):
            if entry.oid in looked_at:
                continue
            looked_at.add(entry.oid)
            if git_objects.size_of(repo, entry.oid) > pointer.MAX_BYTES:
                continue
            meant = pointer.decode(git_objects.read_blob(repo, entry.oid))
            if meant is not None and meant.sha256 not in found:
                found.add(meant.sha256)
                yield meant


def _files(workspace: Workspace, commit: str) -> Iterator[git_objects.Entry]:
    for entry in runs.load(workspace, commit).entries.values():
        if entry.mode == git_objects.TREE:
            yield from (item for _, item in git_objects.walk(workspace.repo, entry.oid) if _is_file(item))
        elif _is_file(entry) and not entry.name.endswith((".json", ".txt", ".gitattributes")):
            yield entry


def _is_file(entry: git_objects.Entry) -> bool:
    return entry.mode in (git_objects.FILE, git_objects.EXECUTABLE)


def here(workspace: Workspace, commits: Iterable[str]) -> list[Pointer]:
    """Return those of `named` whose bytes are in this clone."""
    return [item for item in named(workspace, commits) if objects.path(workspace, item.sha256) is not None]


def upload(workspace: Workspace, remote: Remote, commits: Iterable[str], options: transport.Options) -> str:
    """Give the bytes of these runs to the remote's LFS store; returns why that could not be, "" when it was."""
    items = here(workspace, commits)
    if not items:
        return ""
    if not transport.has_lfs():
        return "git-lfs is not installed"
    for item in items:
        _lend(workspace, item)
    return transport.push_lfs(workspace.repo, remote.name, [item.sha256 for item in items], options)


def download(
    workspace: Workspace, remote: Remote, commits: Sequence[str], options: transport.Options, *, artifacts: bool
) -> int:
    """Bring what these runs keep beside their commits, as far as the remote's LFS store has it; returns how many came.

    Curves and output belong to the record; the files a run produced come only with `artifacts`.
    """
    wanted = {commit: missing for commit in commits if (missing := _missing(workspace, commit, artifacts=artifacts))}
    if not wanted or not transport.has_lfs():
        return 0
    include = f"{runs.FOLDER}/" if artifacts else f"{runs.FOLDER}/*.csv,{runs.FOLDER}/*.log"
    transport.fetch_lfs(workspace.repo, remote.name, list(wanted), include, options)
    return sum(_adopt(workspace, item) for items in wanted.values() for item in items)


def _missing(workspace: Workspace, commit: str, *, artifacts: bool) -> list[Pointer]:
    if artifacts:
        found = list(named(workspace, [commit]))
    else:
        run = runs.load(workspace, commit)
        found = [item for name in _TEXTS if (item := run.pointer(name)) is not None]
    return [item for item in found if objects.path(workspace, item.sha256) is None]


def _adopt(workspace: Workspace, item: Pointer) -> bool:
    """Copy an object that git-lfs has brought into our own store: `git lfs prune` does not know our refs."""
    source = _lfs_place(workspace, item)
    return source.is_file() and objects.put_file(workspace, source) == item


def _lend(workspace: Workspace, item: Pointer) -> None:
    """Show an object to git-lfs, which looks in its own store only; both only ever read it."""
    source = objects.place(workspace, item.sha256)
    target = _lfs_place(workspace, item)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        aside = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(source, aside)
        aside.replace(target)
    if target.stat().st_size != item.size_bytes:
        raise Damaged(f"object {item.sha256[:8]} has not the size its pointer says", hint="gitexp fsck")


def _lfs_place(workspace: Workspace, item: Pointer) -> Path:
    folder = workspace.repo.common_dir / "lfs" / "objects"
    return folder / item.sha256[:2] / item.sha256[2:4] / item.sha256
