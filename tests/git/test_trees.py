"""One file put into a tree: all else stays the same object."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Conflict
from gitexp.git import discover, objects, trees
from tests import support
from tests.support import git


def put(project: Path, path: str) -> str:
    repo = discover.find(project)
    blob = objects.write_blob(repo, b"new\n")
    return trees.put(repo, objects.tree_of(repo, git(project, "rev-parse", "HEAD")), path, blob)


@pytest.mark.parametrize("path", ["a/b/c.toml", "README.md", "a.txt", "größe/x.toml"])
def test_one_file_is_new_and_nothing_else(project: Path, path: str) -> None:
    support.write(project / "a/z.txt", "z")
    support.write(project / "a.b", "sorts between a and a/")
    support.commit(project)
    tree = put(project, path)
    assert git(project, "-c", "core.quotePath=false", "diff", "--name-only", "HEAD", tree) == path
    git(project, "fsck", "--strict")


def test_a_file_or_folder_in_the_way_is_not_replaced(project: Path) -> None:
    support.commit(project, "a folder", x__txt="x")
    support.write(project / "sub/y.txt", "y")
    support.commit(project)
    with pytest.raises(Conflict, match=r"x\.txt is a file"):
        put(project, "x.txt/inside")
    with pytest.raises(Conflict, match="sub is a folder"):
        put(project, "sub")


def test_an_empty_tree_takes_a_file_too(project: Path) -> None:
    repo = discover.find(project)
    tree = trees.put(repo, None, "a/b", objects.write_blob(repo, b"x"))
    assert git(project, "ls-tree", "-r", "--name-only", tree) == "a/b"
