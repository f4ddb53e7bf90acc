"""Patch ids, histories and paths, beside what plain Git says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import NotFound, UsageError
from gitexp.git import discover, objects, patches
from tests import support


def commits(path: Path, count: int) -> list[str]:
    return [support.commit(path, f"change {number}", model__py=f"{number}\n" * 3) for number in range(count)]


def test_revisions_are_those_of_git(project: Path) -> None:
    first, repo = support.git(project, "rev-parse", "HEAD"), discover.find()
    assert patches.tips(repo, ["HEAD"]) == patches.Tips((first,), ())
    assert patches.tips(repo, ["main..HEAD"]) == patches.Tips((first,), (first,))
    support.git(project, "tag", "-a", "-m", "one", "v1")
    assert patches.tips(repo, ["v1", "^v1"]) == patches.Tips((first,), (first,))


@pytest.mark.parametrize("revision", ["nope", "main..nope", "--all", "HEAD:train.py", "-n1", ""])
def test_what_is_no_commit_is_an_error_that_git_explains(project: Path, untouched: None, revision: str) -> None:
    with pytest.raises(NotFound, match="no commits"):
        patches.tips(discover.find(), [revision])


def test_a_walk_has_the_commits_of_a_range_and_its_boundary(project: Path) -> None:
    first = support.git(project, "rev-parse", "HEAD")
    second, third = commits(project, 2)
    found = patches.walk(discover.find(), [third, "0" * 39 + "1"], [first])
    assert list(found) == [third, second, first]
    assert found[third].parents == (second,)
    assert found[second].tree == support.git(project, "rev-parse", f"{second}^{{tree}}")
    assert [commit.boundary for commit in found.values()] == [False, False, True]


def test_a_patch_id_survives_a_rebase(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "side")
    own = support.commit(project, "a model", **{"src/model__py": "a\nb\nc\n"})
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, "something else", README__md="other\n")
    support.git(project, "cherry-pick", own)
    copy, repo = support.git(project, "rev-parse", "HEAD"), discover.find()
    assert copy != own
    found = patches.ids(repo, {own: None, copy: None})
    assert found[own] == found[copy]
    said = support.git(project, "patch-id", "--stable", input=support.git(project, "show", own) + "\n")
    assert found[own] == said.split()[0]


def test_several_commits_are_the_patch_of_their_squash(project: Path) -> None:
    base = support.git(project, "rev-parse", "HEAD")
    last = commits(project, 3)[-1]
    support.git(project, "checkout", "--quiet", "-b", "other", base)
    support.commit(project, "elsewhere", README__md="other\n")
    support.git(project, "merge", "--quiet", "--squash", "main")
    squash, repo = support.commit(project, "all at once"), discover.find()
    assert patches.ids(repo, {last: base})[last] == patches.ids(repo, {squash: None})[squash]
    assert patches.shapes(repo, {last: base})[last] == patches.shapes(repo, {squash: None})[squash]
    assert patches.ids(repo, {last: None})[last] != patches.ids(repo, {squash: None})[squash]


def test_renamed_and_binary_files_have_patches(project: Path) -> None:
    support.git(project, "mv", "train.py", "fit.py")
    renamed = support.commit(project, "rename")
    support.write(project / "weights.bin", b"\0\1\2")
    one = support.commit(project, "weights")
    support.write(project / "weights.bin", b"\0\3\4")
    two = support.commit(project, "other weights")
    found = patches.ids(discover.find(), {renamed: None, one: None, two: None})
    assert len(set(found.values())) == 3


def test_commits_that_change_nothing_but_a_record_have_no_patch(project: Path) -> None:
    empty = support.commit(project, "nothing")
    record = support.commit(project, "a record", **{".gitexp/run__json": "{}"})
    repo = discover.find()
    assert patches.ids(repo, {empty: None, record: None}) == {}
    assert patches.shapes(repo, {empty: None, record: None}) == {}


def test_the_users_diff_settings_change_no_patch_id(project: Path) -> None:
    commit = support.commit(project, "more", train__py="import sys\n\nprint(1)\n")
    repo = discover.find()
    plain = patches.ids(repo, {commit: None})
    for key, value in {"diff.noprefix": "true", "diff.external": "false", "diff.context": "0", "color.ui": "always",
                       "diff.mnemonicPrefix": "true", "diff.renames": "copies"}.items():  # fmt: skip
        support.git(project, "config", key, value)
    assert patches.ids(repo, {commit: None}) == plain


def test_trees_are_the_same_code_whatever_record_lies_in_them(project: Path) -> None:
    plain = support.git(project, "rev-parse", "HEAD^{tree}")
    support.commit(project, "a record", **{".gitexp/run__json": "{}"})
    held = support.git(project, "rev-parse", "HEAD^{tree}")
    missing, repo = "0" * 39 + "1", discover.find()
    found = patches.code_trees(repo, [plain, held, missing])
    assert found == {plain: plain, held: plain, missing: missing}


def test_pairs_of_trees_say_which_paths_differ(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = support.git(project, "rev-parse", "HEAD^{tree}")
    support.commit(project, "a model", **{"src/model.py": "1\n", "src/größe.py": "1\n", ".gitexp/run.json": "{}"})
    two, empty = support.git(project, "rev-parse", "HEAD^{tree}"), objects.EMPTY_TREE
    pairs, repo = [(one, two), (two, one), (empty, one), ("0" * 39 + "1", one)], discover.find()
    assert patches.touching(repo, pairs, ["src/model.py"]) == {pairs[0]: True, pairs[1]: True, pairs[2]: False}
    assert patches.touching(repo, pairs, ["*.py"])[pairs[0]]
    assert patches.touching(repo, pairs, ["src/gr*"])[pairs[0]]
    assert not patches.touching(repo, pairs, [".gitexp"])[pairs[0]]
    assert not patches.touching(repo, pairs, [":!src"])[pairs[0]]
    monkeypatch.chdir(project / "src")
    below = discover.find()
    assert patches.touching(below, pairs, ["model.py"])[pairs[0]]
    assert not patches.touching(below, pairs, ["../train.py"])[pairs[0]]
    assert patches.touching(below, pairs, ["../train.py"])[pairs[2]]


def test_pathspecs_that_git_does_not_take_are_an_error(project: Path, untouched: None) -> None:
    tree = support.git(project, "rev-parse", "HEAD^{tree}")
    for spec in ("../../elsewhere", ":(nothing)x"):
        with pytest.raises(UsageError, match="git takes no such path"):
            patches.touching(discover.find(), [(objects.EMPTY_TREE, tree)], [spec])


def test_a_bare_repository_will_do(project: Path, bare: Path) -> None:
    commit = support.commit(project, "a model", model__py="1\n")
    support.git(project, "push", "--quiet")
    repo, tree = discover.find(bare), support.git(project, "rev-parse", "HEAD^{tree}")
    assert patches.ids(repo, {commit: None}) == patches.ids(discover.find(project), {commit: None})
    assert patches.touching(repo, [(objects.EMPTY_TREE, tree)], ["model.py"]) == {(objects.EMPTY_TREE, tree): True}


def test_nothing_is_fetched_for_what_a_partial_clone_lacks(project: Path, bare: Path, tmp_path: Path) -> None:
    support.git(bare, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    support.git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=tree:0", f"file://{bare}", str(clone))
    repo, tree = discover.find(clone), support.git(project, "rev-parse", "HEAD^{tree}")
    assert patches.present(repo, [tree, f"{tree}:train.py"], "tree") == {}
    assert list(patches.present(repo, [support.git(project, "rev-parse", "HEAD")], "commit"))
