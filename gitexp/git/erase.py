"""Erasing: named objects leave the object store, and nothing else does, whether or not something refers to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitexp.errors import Unsupported
from gitexp.git import command, objects
from gitexp.git.repo import Repo

if TYPE_CHECKING:
    import pygit2


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone, what is needed by something else, and what could not be taken out of the packs."""

    gone: frozenset[str]
    needed: frozenset[str]
    left: frozenset[str]


def erase(repo: Repo, oids: Collection[str]) -> Erased:
    """Erase these objects where no ref, reflog or index of the repository reaches them.

    Loose ones are deleted. For packed ones the packs are written anew, which leaves what else was unreachable in them
    as loose objects, exactly as before. Without a git command nothing can be known to be unneeded: all is left.
    """
    wanted = frozenset(oid for oid in oids if objects.exists(repo, oid))
    try:
        needed = wanted & reachable(repo, wanted)
    except Unsupported:
        return Erased(frozenset(), frozenset(), wanted)
    mine = wanted - needed
    aside = repo.common_dir / "gitexp" / "tmp" / f"erased.{os.getpid()}.{os.urandom(4).hex()}"
    aside.mkdir(parents=True)
    try:
        _take_loose(repo, mine, aside)
        if left := _present(repo, mine):
            command.run(repo, "repack", "-A", "-d", "-q", check=False)
            _take_loose(repo, left, aside)
        _forget_in_graphs(repo, mine)
        # A run that ended meanwhile may have found its bytes here already and not written them again.
        missed: frozenset[str] = frozenset()
        while more := _missed(repo, mine - missed):
            _give_back(repo, more, aside)
            missed |= more
    except BaseException:
        _give_back(repo, mine, aside)
        raise
    shutil.rmtree(aside)
    left = _present(repo, mine - missed)
    return Erased(mine - missed - left, needed | missed, left)


def reachable(repo: Repo, oids: Collection[str]) -> frozenset[str]:
    """Return those of `oids` that any ref, reflog, HEAD or index of any work tree reaches."""
    if not oids:
        return frozenset()
    said = command.run(
        repo,
        *("rev-list", "--objects", "--no-object-names", "--missing=allow-any"),
        *("--all", "--reflog", "--indexed-objects"),
    ).stdout
    wanted = {oid.encode() for oid in oids}
    return frozenset(line.decode() for line in said.split(b"\n") if line in wanted)


def holders(repo: Repo, commits: Iterable[str]) -> list[str]:
    """Return the refs whose history holds one of these commits."""
    found: set[str] = set()
    for commit in commits:
        said = command.run(repo, "for-each-ref", "--format=%(refname)", f"--contains={commit}", check=False).stdout
        found.update(said.decode("utf-8", "replace").split())
    return sorted(found)


def adrift(repo: Repo, words: Collection[bytes], limit_bytes: int) -> tuple[set[str], set[str]]:
    """Return the commits and the blobs (up to a size) that nothing reaches and in which one of `words` is found."""
    import pygit2

    listed = command.run(
        repo,
        *("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype) %(objectsize)"),
    ).stdout
    rows = (line.split() for line in listed.decode().splitlines())
    kinds = {oid: kind for oid, kind, size in rows if kind in ("commit", "blob") and int(size) <= limit_bytes}
    commits: set[str] = set()
    blobs: set[str] = set()
    for oid in kinds.keys() - reachable(repo, kinds):
        data = repo.raw.odb.read(pygit2.Oid(hex=oid))[1]
        if any(word in data for word in words):
            (commits if kinds[oid] == "commit" else blobs).add(oid)
    return commits, blobs


def _loose(repo: Repo, oid: str) -> Path:
    return repo.common_dir / "objects" / oid[:2] / oid[2:]


def _take_loose(repo: Repo, oids: Iterable[str], aside: Path) -> None:
    for oid in oids:
        with suppress(FileNotFoundError):
            _loose(repo, oid).rename(aside / oid)


def _give_back(repo: Repo, oids: Iterable[str], aside: Path) -> None:
    for oid in oids:
        with suppress(FileNotFoundError):
            _loose(repo, oid).parent.mkdir(exist_ok=True)
            (aside / oid).rename(_loose(repo, oid))


def _missed(repo: Repo, oids: frozenset[str]) -> frozenset[str]:
    """Return those of these objects, now away, that something refers to after all."""
    said = command.run(
        repo,
        *("rev-list", "--objects", "--no-object-names", "--missing=print"),
        *("--all", "--reflog", "--indexed-objects"),
    ).stdout
    return oids & {line[1:].decode() for line in said.split(b"\n") if line.startswith(b"?")}


def _present(repo: Repo, oids: Iterable[str]) -> frozenset[str]:
    """Look with a handle of its own: an open one remembers packs that are gone."""
    fresh: pygit2.Repository = Repo(repo.git_dir, repo.common_dir, repo.work_tree).raw
    return frozenset(oid for oid in oids if oid in fresh)


def _forget_in_graphs(repo: Repo, oids: Iterable[str]) -> None:
    """Remove a commit-graph that names an erased commit: a cache, which Git makes again."""
    info = repo.common_dir / "objects/info"
    raw = [bytes.fromhex(oid) for oid in oids]
    files = [info / "commit-graph", *(info / "commit-graphs").glob("*.graph")]
    if any(path.is_file() and any(oid in data for oid in raw) for path in files for data in [_bytes(path)]):
        (info / "commit-graph").unlink(missing_ok=True)
        shutil.rmtree(info / "commit-graphs", ignore_errors=True)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
