"""Runs found by the history of their code, after all that people do to a history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import NotFound
from gitexp.index import database, search
from gitexp.ops.finding import goals, provenance
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import recording, stored, support


def found(path: Path, *revisions: str) -> dict[str, str]:
    """Return {name: how} of the runs whose code is in a history."""
    workspace = workspaces.open(path)
    history = provenance.history(workspace, database.of(workspace), revisions)
    entries = listed(workspace, history.condition)
    assert {entry.name for entry in entries} == {
        entry.name for entry in listed(workspace, None) if history.of(entry)
    }, "the search and the answer for one run agree"
    return {entry.name: history.of(entry) for entry in entries}


def touching(path: Path, *pathspecs: str) -> list[str]:
    """Return the names of the runs whose code touched a path, the oldest first."""
    workspace = workspaces.open(path)
    touched = provenance.touching(workspace, database.of(workspace), pathspecs)
    return [entry.name for entry in reversed(listed(workspace, touched.condition))]


def listed(workspace: Workspace, condition: provenance.nodes.Node | None) -> Sequence[search.Entry]:
    return search.entries(database.of(workspace), condition, context=goals.context(workspace))


def run(path: Path, name: str, **what: str) -> None:
    recording.record(path, name, environment=None, **what)


def lines(first: str, *, count: int = 12) -> str:
    """Return a file of which only the first line differs."""
    return first + "\n" + "".join(f"line {number}\n" for number in range(count))


@pytest.fixture
def branch(project: Path) -> Path:
    """Return a project with three commits on `side`, a run at each and one on main before."""
    support.commit(project, "a model", model__py=lines("one"))
    run(project, "base")
    support.git(project, "switch", "--quiet", "-c", "side")
    for number, name in enumerate(("first", "second", "third")):
        support.commit(project, name, **{"model__py": lines(name), f"extra{number}__py": name})
        run(project, name)
    return project


ALL = {"base": "commit", "first": "commit", "second": "commit", "third": "commit"}
SIDE = {"first": "commit", "second": "commit", "third": "commit"}


def elsewhere(path: Path) -> None:
    """Let main go on with something else."""
    support.git(path, "switch", "--quiet", "main")
    support.commit(path, "elsewhere", README__md="# other\n")


def test_a_merge_keeps_the_commits(branch: Path) -> None:
    assert found(branch, "main..HEAD") == SIDE
    assert found(branch, "main") == {"base": "commit"}
    elsewhere(branch)
    assert found(branch, "HEAD") == {"base": "commit"}
    support.git(branch, "merge", "--quiet", "--no-edit", "side")
    with support.untouched(branch):
        assert found(branch, "main") == ALL
        assert found(branch, "main~1..main") == SIDE
        assert found(branch, "side..main") == {}


def test_a_rebase_keeps_the_patches(branch: Path) -> None:
    elsewhere(branch)
    support.git(branch, "rebase", "--quiet", "main", "side")
    with support.untouched(branch):
        assert found(branch, "main..side") == dict.fromkeys(SIDE, "patch")
        assert found(branch, "HEAD") == {"base": "commit", **dict.fromkeys(SIDE, "patch")}
        assert found(branch, "HEAD~1") == {"base": "commit", "first": "patch", "second": "patch"}


def test_a_squash_holds_all_that_led_to_it(branch: Path) -> None:
    elsewhere(branch)
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    support.commit(branch, "and on", README__md="# more\n")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", **dict.fromkeys(SIDE, "squash")}
        assert found(branch, "main~1") == found(branch, "main")
        assert found(branch, "main~2") == {"base": "commit"}
    support.git(branch, "branch", "--quiet", "-D", "side")
    assert found(branch, "main") == {"base": "commit", **dict.fromkeys(SIDE, "squash")}


def test_a_squash_onto_the_same_base_is_the_same_tree(branch: Path) -> None:
    support.git(branch, "switch", "--quiet", "main")
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", "first": "squash", "second": "squash", "third": "tree"}


def test_the_last_commit_of_a_squashed_branch_needs_no_run(branch: Path) -> None:
    support.commit(branch, "without a run", model__py=lines("fourth"))
    elsewhere(branch)
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", **dict.fromkeys(SIDE, "squash")}


def test_a_branch_that_took_main_in_is_squashed_all_the_same(branch: Path) -> None:
    elsewhere(branch)
    support.git(branch, "switch", "--quiet", "side")
    support.git(branch, "merge", "--quiet", "--no-edit", "main")
    support.commit(branch, "after the merge", model__py=lines("fourth"))
    run(branch, "fourth")
    support.git(branch, "switch", "--quiet", "main")
    support.commit(branch, "further", notes__txt="x\n")
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", **dict.fromkeys((*SIDE, "fourth"), "squash")}


def test_an_amended_message_keeps_the_tree_and_an_amended_file_does_not(branch: Path) -> None:
    support.git(branch, "commit", "--quiet", "--amend", "-m", "a better message")
    with support.untouched(branch):
        assert found(branch, "main..HEAD") == {**SIDE, "third": "tree"}
    support.write(branch / "model.py", lines("changed"))
    support.git(branch, "commit", "--quiet", "--amend", "--all", "--no-edit")
    with support.untouched(branch):
        assert found(branch, "main..HEAD") == {"first": "commit", "second": "commit"}


def test_a_cherry_pick_keeps_the_patch(branch: Path) -> None:
    support.commit(branch, "alone", alone__py="x\n")
    run(branch, "alone")
    elsewhere(branch)
    support.git(branch, "cherry-pick", "side")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", "alone": "patch"}
        assert found(branch, "main~1..main") == {"alone": "patch"}


def test_code_at_home_in_what_is_left_out_is_not_looked_for(branch: Path) -> None:
    support.commit(branch, "back to the start", model__py=lines("one"), extra0__py="", extra1__py="", extra2__py="")
    support.git(branch, "rm", "--quiet", "extra0.py", "extra1.py", "extra2.py")
    support.git(branch, "commit", "--quiet", "--amend", "--no-edit")
    with support.untouched(branch):
        assert found(branch, "main..HEAD") == SIDE  # the tree of `base` again, which is on main


def test_reverted_code_was_in_the_history(branch: Path) -> None:
    elsewhere(branch)
    support.git(branch, "merge", "--quiet", "--no-edit", "side")
    support.git(branch, "revert", "--no-edit", "-m", "1", "HEAD")
    with support.untouched(branch):
        assert found(branch, "main") == ALL
        assert found(branch, "main~1..main") == {}


def test_a_renamed_file_keeps_its_patch(project: Path) -> None:
    support.commit(project, "a model", model__py=lines("one"))
    support.git(project, "switch", "--quiet", "-c", "side")
    support.git(project, "mv", "model.py", "net.py")
    support.write(project / "net.py", lines("two"))
    support.commit(project, "rename and change")
    run(project, "renamed")
    support.git(project, "switch", "--quiet", "main")
    support.commit(project, "the end of the file", model__py=lines("one") + "the end\n")
    support.git(project, "rebase", "--quiet", "main", "side")
    with support.untouched(project):
        assert found(project, "main..side") == {"renamed": "patch"}


def test_uncommitted_edits_count_with_their_base_and_once_committed(project: Path) -> None:
    support.git(project, "switch", "--quiet", "-c", "side")
    support.write(project / "model.py", lines("edited"))
    run(project, "edits")
    with support.untouched(project):
        assert found(project, "main") == {"edits": "commit"}
        assert found(project, "main..HEAD") == {}
    support.commit(project, "what ran")
    with support.untouched(project):
        assert found(project, "main..HEAD") == {"edits": "tree"}
    elsewhere(project)
    support.git(project, "rebase", "--quiet", "main", "side")
    with support.untouched(project):
        assert found(project, "main..HEAD") == {"edits": "patch"}
        assert found(project, "HEAD") == {"edits": "commit"}


def test_edits_on_a_squashed_branch_are_in_the_squash(branch: Path) -> None:
    support.write(branch / "model.py", lines("edited"))
    run(branch, "edits")
    support.commit(branch, "what ran")
    elsewhere(branch)
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    with support.untouched(branch):
        assert found(branch, "main") == {"base": "commit", **dict.fromkeys((*SIDE, "edits"), "squash")}


def test_a_record_in_the_tree_is_not_code(branch: Path) -> None:
    tip = next(commit for ref, commit in support.run_refs(branch).items() if "third" in ref)
    support.git(branch, "checkout", "--quiet", "-b", "from-run", tip)
    support.commit(branch, "a record came along")
    with support.untouched(branch):
        assert found(branch, "main..from-run") == SIDE
    support.git(branch, "checkout", "--quiet", "main")
    support.git(branch, "read-tree", "-u", "--reset", tip)
    support.commit(branch, "the code of a run, with its record")
    with support.untouched(branch):
        assert found(branch, "main~1..main") == {"first": "squash", "second": "squash", "third": "tree"}


def test_before_the_first_commit_there_is_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new"
    support.write(path / "model.py", lines("one"))
    support.git(path, "init", "--quiet")
    monkeypatch.chdir(path)
    run(path, "unborn")
    with pytest.raises(NotFound, match="no commits 'HEAD'"):
        found(path, "HEAD")
    assert touching(path, "model.py") == ["unborn"]
    support.commit(path, "first")
    assert found(path, "HEAD") == {"unborn": "tree"}


def test_bare_and_shallow_clones_answer_with_what_they_have(branch: Path, tmp_path: Path) -> None:
    elsewhere(branch)
    support.git(branch, "merge", "--quiet", "--squash", "side")
    support.commit(branch, "all of it at once")
    wanted = {"base": "commit", **dict.fromkeys(SIDE, "squash")}
    assert found(branch, "main") == wanted
    bare, shallow = tmp_path / "bare.git", tmp_path / "shallow"
    support.git(tmp_path, "clone", "--quiet", "--bare", str(branch), str(bare))
    support.git(bare, "fetch", "--quiet", str(branch), "refs/experiments/*:refs/experiments/*")
    support.git(bare, "branch", "--quiet", "-D", "side")
    assert found(bare, "main") == wanted
    support.git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{branch}", str(shallow))
    support.git(shallow, "fetch", "--quiet", "--depth=1", "origin", "refs/experiments/*:refs/experiments/*")
    assert found(shallow, "main") == {}
    workspace = workspaces.open(shallow)
    touched = provenance.touching(workspace, database.of(workspace), ["model.py"])
    assert touched == provenance.Touched(
        (), "4 runs left out: the code, or that of the run before, is not here"
    )  # fmt: skip
    support.git(shallow, "fetch", "--quiet", "--depth=2", "origin", "refs/experiments/*:refs/experiments/*")
    assert touching(shallow, "model.py") == touching(branch, "model.py")


def test_a_partial_clone_says_what_it_did_not_look_at(branch: Path, tmp_path: Path) -> None:
    support.git(branch, "commit", "--quiet", "--amend", "-m", "a better message")
    support.git(branch, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    support.git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{branch}", str(clone))
    support.git(clone, "fetch", "--quiet", f"file://{branch}", "refs/experiments/*:refs/experiments/*")
    workspace = workspaces.open(clone)
    history = provenance.history(workspace, database.of(workspace), ["origin/main..origin/side"])
    assert {entry.name: history.of(entry) for entry in listed(workspace, history.condition)} == {
        **SIDE, "third": "tree"
    }  # fmt: skip
    assert history.note == ""
    history = provenance.history(workspace, database.of(workspace), ["origin/main"])
    assert history.note == "a partial clone: runs are found by commit and by tree, not by patch"


def test_paths_list_the_runs_whose_code_touched_them(branch: Path) -> None:
    run(branch, "again")
    support.write(branch / "model.py", lines("edited"))
    run(branch, "edits")
    support.commit(branch, "what ran")
    run(branch, "committed")
    run(branch, "elsewhere", experiment="other")
    with support.untouched(branch):
        assert touching(branch, "model.py") == ["base", "first", "second", "third", "edits", "elsewhere"]
        assert touching(branch, "extra1.py") == ["second", "elsewhere"]
        assert touching(branch, "*.py", ":!model.py") == ["base", "first", "second", "third", "elsewhere"]
        assert touching(branch, "nothing.py") == []
        assert touching(branch, ".gitexp") == []


def test_what_a_foreign_record_says_of_its_code_is_not_believed(project: Path) -> None:
    head = support.git(project, "rev-parse", "HEAD")
    blob = support.git(project, "rev-parse", "HEAD:train.py")
    support.commit(project, "a record", **{".gitexp/run__json": "{}"})
    for number, said in enumerate(("x\n^HEAD", "--all", "0" * 40, blob, head)):
        code = {"commit": said, "snapshot": said, "tree": said, "dirty": False}
        stored.make(None, f"run{number}", ids.from_text(said), code=code, parents=())
    with support.untouched(project):
        assert found(project, "HEAD") == {"run4": "commit"}
        assert found(project, "HEAD~1..HEAD") == {}
        assert touching(project, "train.py") == []


def test_a_record_that_names_no_tree_has_that_of_its_commit(project: Path) -> None:
    for number in range(2):
        commit = support.commit(project, "a model", model__py=str(number))
        stored.make(None, f"run{number}", ids.from_text(commit), at=f"1{number}:00", code={"commit": commit})
    with support.untouched(project):
        assert touching(project, "model.py") == ["run0", "run1"]
        assert touching(project, "train.py") == ["run0"]


def test_without_runs_nothing_is_found(project: Path, untouched: None) -> None:
    assert found(project, "HEAD") == {}
    assert touching(project, "train.py") == []
