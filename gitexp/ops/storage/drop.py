"""Bytes that may go from this machine, because a remote surely has them: looked at now, never remembered."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gitexp import files
from gitexp.git import lfslocal
from gitexp.git.transport import Options
from gitexp.ops.storage import depots
from gitexp.record.pointer import Pointer
from gitexp.store import objects as large
from gitexp.store import whereabouts
from gitexp.store.remotes import Remote
from gitexp.store.runs import Artifact
from gitexp.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class File:
    """An object that is here, and the names that the chosen artifacts have for it."""

    pointer: Pointer
    names: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """What may go, and what has to stay since the remote does not have it."""

    remote: Remote
    going: list[File] = field(default_factory=list)
    staying: list[File] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what `gitexp artifact drop --json` prints."""
        return {
            "remote": self.remote.label,
            "dropped": [_json(file) for file in self.going],
            "kept": [_json(file) for file in self.staying],
            "size": size(self.going),
        }


def _json(file: File) -> dict[str, Any]:
    return {"sha256": file.pointer.sha256, "size": file.pointer.size_bytes, "names": list(file.names)}


def size(found: Iterable[File]) -> int:
    """Return how many bytes they are."""
    return sum(file.pointer.size_bytes for file in found)


def plan(workspace: Workspace, remote: Remote, items: Sequence[Artifact], options: Options) -> Plan:
    """Decide which of the artifacts' bytes may go; raises RemoteError where the remote cannot be asked."""
    named: dict[Pointer, list[str]] = {}
    for item in items:
        if item.sha256 is not None and large.path(workspace, item.sha256) is not None:
            named.setdefault(Pointer(item.sha256, item.size_bytes), []).append(item.name)
    there = set(sure(workspace, remote, list(named), options))
    made = Plan(remote)
    for pointer, names in named.items():
        (made.going if pointer in there else made.staying).append(File(pointer, tuple(names)))
    return made


def execute(workspace: Workspace, made: Plan) -> None:
    """Take the bytes away."""
    for file in made.going:
        forget(workspace, file.pointer.sha256)


def forget(workspace: Workspace, sha256: str) -> None:
    """Take one object away, and the name that git-lfs has for it."""
    lfslocal.take_back(workspace.repo, sha256)
    with suppress(FileNotFoundError):
        large.place(workspace, sha256).unlink()


def sure(workspace: Workspace, remote: Remote, items: Sequence[Pointer], options: Options) -> list[Pointer]:
    """Return those that the remote has, asked now; raises RemoteError where it cannot be asked.

    A store that is a folder has nobody who vouches for it, so its files are read. One inside of this repository is the
    same disk, and counts for nothing.
    """
    if not items:
        return []
    folder = depots.folder(workspace, remote)
    lacking = set(depots.open(workspace, remote, options).lacks(items))
    there = [item for item in items if item not in lacking]
    if folder is not None:
        there = [] if _is_ours(workspace, folder) else [item for item in there if _is_whole(folder, item)]
    whereabouts.saw(workspace, remote, [item.sha256 for item in there], [item.sha256 for item in lacking])
    return there


def _is_ours(workspace: Workspace, folder: Path) -> bool:
    own = os.path.realpath(workspace.repo.common_dir)
    return os.path.commonpath([own, os.path.realpath(folder)]) == own


def _is_whole(folder: Path, item: Pointer) -> bool:
    """Say whether a store's file, at the place the LFS protocol's folders have for it, has the bytes it should have."""
    path = folder / item.sha256[:2] / item.sha256[2:4] / item.sha256
    try:
        return files.sha256(path) == (item.sha256, item.size_bytes)
    except OSError:
        return False
