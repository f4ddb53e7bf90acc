"""What a repository has to send so that another one has some history whole: the objects, and a pack of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gitexp.errors import Damaged
from gitexp.git import compare, objects

if TYPE_CHECKING:
    from dulwich.pack import UnpackedObject

    from gitexp.git.repo import Repo


def lacking(repo: Repo, wanted: Iterable[str], held: Collection[str]) -> list[str]:
    """Return the objects that who has all of `held` lacks of `wanted`: commits (newest first), trees and blobs.

    Of `held` counts what is here. Raises Damaged where a commit or a tree that has to go is missing.
    """
    found: dict[str, None] = {}
    commits = [commit for oid in dict.fromkeys(wanted) if (commit := _peeled(repo, oid, found)) is not None]
    if not commits:
        return list(found)
    new = compare.beyond(repo, commits, held)
    found.update(dict.fromkeys(new))
    for oid in new:
        _add_trees(repo, objects.read_commit(repo, oid), found)
    return list(found)


def _peeled(repo: Repo, oid: str, found: dict[str, None]) -> str | None:
    """Note the annotated tags that lead to a commit, and return it; what leads to no commit is noted whole."""
    import pygit2

    item = repo.raw.get(oid)
    while isinstance(item, pygit2.Tag):
        found[str(item.id)] = None
        item = repo.raw.get(item.target)
    if isinstance(item, pygit2.Commit):
        return str(item.id)
    if item is None:
        raise Damaged(f"object {oid[:7]} is missing from {repo.common_dir}", hint="git fsck --full")
    found[str(item.id)] = None
    if isinstance(item, pygit2.Tree):
        _add_tree(repo, str(item.id), (), found)
    return None


def _add_trees(repo: Repo, commit: objects.Commit, found: dict[str, None]) -> None:
    """Note what the tree of a commit has that those of its parents have not: theirs are held, or noted themselves."""
    if commit.tree not in found:
        bases = [objects.tree_of(repo, parent) for parent in commit.parents if objects.exists(repo, parent)]
        if commit.tree not in bases:
            found[commit.tree] = None
            _add_tree(repo, commit.tree, [base for base in bases if objects.exists(repo, base)], found)


def _add_tree(repo: Repo, tree: str, bases: Sequence[str], found: dict[str, None]) -> None:
    """Note what is below a tree and at the same place below none of these others; no tree is opened twice."""
    levels = [(tree, tuple(bases))]
    while levels:
        tree, others = levels.pop()
        before = [{entry.name: entry for entry in objects.entries(repo, other)} for other in others]
        for entry in objects.entries(repo, tree):
            same = [level[entry.name] for level in before if entry.name in level]
            if entry.mode == objects.SUBMODULE or entry.oid in found or entry.oid in [item.oid for item in same]:
                continue
            found[entry.oid] = None
            if entry.mode == objects.TREE:
                levels.append((entry.oid, tuple(item.oid for item in same if item.mode == objects.TREE)))


def records(repo: Repo, oids: Iterable[str]) -> Iterator[UnpackedObject]:
    """Yield objects as dulwich packs them, one at a time; raises Damaged where one is missing."""
    from dulwich.pack import UnpackedObject

    for oid in oids:
        kind, data = objects.read(repo, oid)
        yield UnpackedObject(kind, decomp_chunks=[data], sha=bytes.fromhex(oid))


def write(repo: Repo, oids: Sequence[str], sink: Callable[[bytes], object]) -> None:
    """Write a pack of these objects, each whole."""
    from dulwich.object_format import SHA1
    from dulwich.pack import PackChunkGenerator

    for chunk in PackChunkGenerator(SHA1, num_records=len(oids), records=records(repo, oids)):
        sink(chunk)
