"""Erasing objects: those and no others, loose or packed, and never what something still needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.git import discover, erase, objects
from gitexp.git.repo import Repo
from tests import support

ANA = objects.Signature("Ana Ruiz", "ana@acme.io", 1_763_000_000)


@pytest.fixture
def repo(project: Path) -> Repo:
    return discover.find(project)


def a_commit(repo: Repo, text: str) -> tuple[str, set[str]]:
    """Write a commit that nothing refers to; return it and its three objects."""
    blob = objects.write_blob(repo, text.encode())
    tree = objects.write_tree(repo, {"secret.txt": (objects.FILE, blob)})
    commit = objects.write_commit(repo, objects.Commit(tree, (), ANA, ANA, text))
    return commit, {commit, tree, blob}


def here(project: Path) -> set[str]:
    return set(support.git(project, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())


def test_unneeded_objects_go_and_those_of_others_stay(repo: Repo, project: Path) -> None:
    _, doomed = a_commit(repo, "secret")
    _, foreign = a_commit(repo, "somebody else's, unreachable too")
    before = here(project)
    erased = erase.erase(repo, doomed)
    assert (erased.gone, erased.needed, erased.left) == (doomed, frozenset(), frozenset())
    assert here(project) == before - doomed
    assert foreign <= here(project)
    support.git(project, "fsck", "--strict")


def test_packed_objects_are_taken_out_and_unreachable_ones_of_others_come_out_loose(repo: Repo, project: Path) -> None:
    commit, doomed = a_commit(repo, "secret")
    other, foreign = a_commit(repo, "somebody else's, unreachable too")
    for name, oid in (("mine", commit), ("other", other)):
        support.git(project, "update-ref", f"refs/temporary/{name}", oid)
    support.git(project, "repack", "-a", "-d", "-q")
    for name in ("mine", "other"):
        support.git(project, "update-ref", "-d", f"refs/temporary/{name}")
    before = here(project)
    erased = erase.erase(discover.find(project), doomed)
    assert (erased.gone, erased.left) == (doomed, frozenset())
    assert here(project) == before - doomed
    assert foreign <= here(project)


def test_objects_in_a_kept_pack_are_left_and_said(repo: Repo, project: Path) -> None:
    commit, doomed = a_commit(repo, "secret")
    support.git(project, "update-ref", "refs/temporary/mine", commit)
    support.git(project, "repack", "-a", "-d", "-q")
    support.git(project, "update-ref", "-d", "refs/temporary/mine")
    for pack in (project / ".git/objects/pack").glob("*.pack"):
        pack.with_suffix(".keep").touch()
    erased = erase.erase(discover.find(project), doomed)
    assert (erased.gone, erased.left) == (frozenset(), doomed)
    support.git(project, "fsck", "--strict")


@pytest.mark.parametrize("holder", ["ref", "reflog", "index", "worktree HEAD"])
def test_what_something_still_needs_stays(repo: Repo, project: Path, holder: str) -> None:
    commit, doomed = a_commit(repo, "secret")
    if holder == "ref":
        support.git(project, "update-ref", "refs/tags/mine", commit)
    elif holder == "reflog":
        support.git(project, "branch", "try", commit)
        support.git(project, "branch", "--force", "try", "main")
    elif holder == "index":
        (blob,) = (oid for oid in doomed if support.git(project, "cat-file", "-t", oid) == "blob")
        support.git(project, "update-index", "--add", "--cacheinfo", f"100644,{blob},staged.txt")
    else:
        support.git(project, "worktree", "add", "--quiet", "--detach", str(project.with_name("other")), commit)
    erased = erase.erase(repo, doomed)
    assert erased.needed == (doomed if holder != "index" else {blob})
    assert erased.needed <= here(project)
    if holder == "ref":
        assert erase.holders(repo, [commit]) == ["refs/tags/mine"]
    support.git(project, "fsck", "--strict")


def test_a_commit_graph_that_names_an_erased_commit_goes(repo: Repo, project: Path) -> None:
    commit, doomed = a_commit(repo, "secret")
    support.git(project, "update-ref", "refs/temporary/mine", commit)
    support.git(project, "commit-graph", "write", "--reachable")
    support.git(project, "update-ref", "-d", "refs/temporary/mine")
    assert erase.erase(repo, doomed).gone == doomed
    assert not (project / ".git/objects/info/commit-graph").exists()
    support.git(project, "fsck", "--strict")


def test_what_is_not_there_is_nothing_to_do(repo: Repo) -> None:
    assert erase.erase(repo, ["0" * 39 + "1"]) == erase.Erased(frozenset(), frozenset(), frozenset())
