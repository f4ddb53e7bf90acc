"""Three-way merges of trees, and their results as files: HEAD, index and work tree are only read here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitexp.errors import Damaged
from gitexp.git import command, objects
from gitexp.git.compare import RECORD
from gitexp.git.objects import Entry

if TYPE_CHECKING:
    from gitexp.git.repo import Repo


@dataclass(frozen=True, slots=True)
class Change:
    """One path that a merge changes; `old` is what our tree has there, `new` what comes, None for no file."""

    path: str
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class Clash:
    """One path that both sides changed; None where a side has no file."""

    path: str
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge comes to, beside our tree."""

    changes: tuple[Change, ...]
    clashes: tuple[Clash, ...]


def trees(repo: Repo, base: str, ours: str, theirs: str) -> Merged:
    """Merge what lies between `base` and `theirs` into `ours` (trees); the record of a run takes no part.

    Raises Damaged where an object is missing, or a path is one that Git allows in no index.
    """
    import pygit2

    if repo.is_partial:
        _fetch_blobs(repo, base, theirs)
    try:
        sides = [pygit2.Oid(hex=oid) for oid in (base, ours, theirs)]
        index = repo.raw.merge_trees(sides[0], sides[1], sides[2])
        clashes = [_clash(sides) for sides in index.conflicts or ()]
        diff = repo.raw[ours].peel(pygit2.Tree).diff_to_index(index, pygit2.enums.DiffOption.INCLUDE_TYPECHANGE)
    except (pygit2.GitError, KeyError) as error:
        raise Damaged(f"the edits cannot be merged: {error}", hint="git fsck --full") from error
    clashing = {clash.path for clash in clashes}
    changes = [_change(delta) for delta in diff.deltas if delta.status_char() in "AMDT"]
    return Merged(
        tuple(item for item in changes if item.path not in clashing and not item.path.startswith(RECORD)),
        tuple(clash for clash in clashes if not clash.path.startswith(RECORD)),
    )


def _fetch_blobs(repo: Repo, base: str, theirs: str) -> None:
    """Let git fetch what a partial clone lacks of the files that differ: libgit2 cannot."""
    command.run(repo, "diff-tree", "-r", "--numstat", base, theirs)


def _clash(sides: Sequence[Any]) -> Clash:
    path = next(side.path for side in sides if side is not None)
    base, ours, theirs = (side and Entry(side.path, int(side.mode), str(side.id)) for side in sides)
    return Clash(path, base, ours, theirs)


def _change(delta: Any) -> Change:
    letter = delta.status_char()
    old, new = (
        Entry(file.raw_path.decode("utf-8", "surrogateescape"), int(file.mode), str(file.id))
        for file in (delta.old_file, delta.new_file)
    )
    return Change(new.name, None if letter == "A" else old, None if letter == "D" else new)


def with_markers(repo: Repo, clash: Clash, ours: str, theirs: str, folder: Path) -> Entry | None:
    """Return a clash as a file with conflict markers, stored; None where there cannot be any: binary, or deleted.

    `ours` and `theirs` are the sides' names beside the markers; `folder` is for the three files while they are merged.
    """
    if clash.ours is None or clash.theirs is None or not clash.ours.is_file or not clash.theirs.is_file:
        return None
    for name, side in (("ours", clash.ours), ("base", clash.base), ("theirs", clash.theirs)):
        (folder / name).write_bytes(objects.read_blob(repo, side.oid) if side else b"")
    paths = [str(folder / name) for name in ("ours", "base", "theirs")]
    labels = [word for label in (ours, "before the edits", theirs) for word in ("-L", label)]
    done = command.run(repo, "merge-file", "-p", "-q", *labels, *paths, check=False)
    if done.code > 127:  # binary, or an error: the number of conflicts is at most 127
        return None
    return Entry(clash.path, clash.ours.mode, objects.write_blob(repo, done.stdout))


def export(repo: Repo, entries: Iterable[Entry], folder: Path) -> None:
    """Write files and links below `folder` as a checkout would, with the line ends and filters of their paths."""
    lines = b"".join(b"%o %s\t%s\0" % (item.mode, item.oid.encode(), _path(item.name)) for item in entries)
    env = {"GIT_INDEX_FILE": str(folder / ".index")}
    command.run(repo, "update-index", "-z", "--index-info", input=lines, env=env)
    command.run(repo, "checkout-index", "--all", "--force", f"--prefix={folder}/", env=env)
    (folder / ".index").unlink(missing_ok=True)


def _path(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def staged(repo: Repo, paths: Iterable[str]) -> set[str]:
    """Return those of `paths` whose entry in the index is not HEAD's."""
    head = repo.head().commit
    done = command.run(repo, "diff-index", "--cached", "--name-only", "-z", head or objects.EMPTY_TREE)
    changed = {name.decode("utf-8", "surrogateescape") for name in done.stdout.split(b"\0") if name}
    return changed & set(paths)


def differing(repo: Repo, wanted: Mapping[str, Entry | None]) -> set[str]:
    """Return the paths whose file in the work tree is not the entry given (None: no file), whatever the index says."""
    found, files = set(), []
    for path, item in wanted.items():
        mode = _mode(repo, path)
        if item is None or mode is None or stat.S_IFMT(mode) != stat.S_IFMT(item.mode):
            if not (item is None and mode is None):
                found.add(path)
        elif stat.S_ISLNK(mode):
            if os.fsencode(Path(_full(repo, path)).readlink()) != objects.read_blob(repo, item.oid):
                found.add(path)
        elif repo.config("core.fileMode") != "false" and bool(mode & 0o100) != (item.mode == objects.EXECUTABLE):
            found.add(path)
        else:
            files.append(path)
    hashes = _hashes(repo, files)
    return found | {path for path in files if (item := wanted[path]) is not None and hashes[path] != item.oid}


def _mode(repo: Repo, path: str) -> int | None:
    try:
        return os.lstat(_full(repo, path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _full(repo: Repo, path: str) -> str:
    return f"{repo.work_tree}/{path}"


def _hashes(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    """Return the blob that each file of the work tree would be, with its path's filters."""
    if not paths:
        return {}
    listed = "".join(f"{_quoted(path)}\n" for path in paths).encode("utf-8", "surrogateescape")
    done = command.run(repo, "hash-object", "--stdin-paths", input=listed)
    return dict(zip(paths, done.stdout.decode().split(), strict=True))


def _quoted(path: str) -> str:
    """Return a path as `--stdin-paths` reads it: in C's quotes where it would not be one line."""
    if "\n" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
