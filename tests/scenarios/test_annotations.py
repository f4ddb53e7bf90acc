"""People who say things of runs, apart and together: offline clones, many processes, plain Git, a leaked key."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitexp.git import notes
from gitexp.store.workspace import Workspace
from tests import sharing, support

ID, OTHER = "kqzvmxr" + "k" * 9, "mzrokvu" + "k" * 9


@pytest.fixture
def ours(project: Path, bare: Path) -> Iterator[Workspace]:
    with support.untouched(project):
        yield sharing.opened(project)
    support.git(bare, "fsck", "--strict")


@pytest.fixture
def bo(bare: Path, tmp_path: Path) -> Path:
    path = tmp_path / "bo"
    support.git(tmp_path, "clone", "--quiet", str(bare), "bo")
    support.git(path, "config", "user.name", "Bo")
    support.git(path, "config", "user.email", "bo@acme.io")
    return path


def gitexp(path: Path, *args: str, expect: int = 0) -> support.Result:
    return support.gitexp("-C", str(path), *args, expect=expect)


def described(path: Path) -> dict[str, tuple[dict[str, str], list[str], str | None]]:
    """Return tags, notes and title of each run, as the log tells them."""
    rows = gitexp(path, "log", "--all", "--json").json
    return {row["id"]: (row["tags"], [note["text"] for note in row["notes"]], row["title"]) for row in rows}


def test_two_people_who_annotate_offline_see_the_same_in_the_end(ours: Workspace, project: Path, bo: Path) -> None:
    sharing.make_run(ours, "lr0.05", run_id=ID)
    gitexp(project, "push", "--yes")
    gitexp(bo, "fetch")
    gitexp(project, "tag", "lr0.05", "owner=ana", "candidate")
    gitexp(project, "title", "lr0.05", "the best so far")
    gitexp(bo, "tag", "lr0.05", "owner=bo")
    gitexp(bo, "tag", "lr0.05", "reviewed")
    gitexp(bo, "note", "lr0.05", "looks fine to me")
    gitexp(project, "push", "--yes")
    gitexp(bo, "push", "--all", "--yes")
    gitexp(project, "fetch")
    gitexp(bo, "fetch")
    assert described(project) == described(bo)
    tags, remarks, title = described(bo)[ID]
    assert {"candidate", "reviewed", "owner"} == tags.keys()
    assert (remarks, title) == (["looks fine to me"], "the best so far")
    author = gitexp(project, "note", "lr0.05", "--json").json[ID][0]["author"]
    assert author == {"name": "Bo", "email": "bo@acme.io"}


def test_a_removed_run_stays_removed_when_somebody_pushes_it_again(ours: Workspace, project: Path, bo: Path) -> None:
    sharing.make_run(ours, "wrong", run_id=ID)
    gitexp(project, "push", "--yes")
    gitexp(bo, "fetch")
    gitexp(project, "rm", "wrong", "-m", "wrong data")
    gitexp(project, "push", "--yes")
    gitexp(bo, "tag", "wrong", "mine")
    gitexp(bo, "push", "--all", "--yes")
    gitexp(project, "fetch")
    gitexp(bo, "fetch")
    assert described(project) == described(bo) == {}
    gitexp(bo, "undelete", "wrong")
    assert described(bo) == {ID: ({"mine": ""}, [], None)}


def test_an_experiment_renamed_by_one_is_the_same_for_the_other(ours: Workspace, project: Path, bo: Path) -> None:
    sharing.make_run(ours, "lr0.05", run_id=ID)
    gitexp(project, "push", "--yes")
    gitexp(bo, "fetch")
    gitexp(project, "experiment", "rename", "churn", "attrition")
    gitexp(project, "push", "--yes")
    with support.untouched(bo):
        assert gitexp(bo, "run", "-e", "churn", "--name", "offline", "--", sys.executable, "train.py").code == 0
    gitexp(bo, "fetch")
    gitexp(bo, "run", "-e", "attrition", "--name", "later", "--", sys.executable, "train.py")
    gitexp(bo, "push", "--yes")
    gitexp(project, "fetch")
    (row,) = gitexp(project, "experiment", "ls", "--json").json
    assert (row["name"], row["path"], row["runs"]) == ("attrition", "churn", 3)
    assert {ref.rpartition("/")[0] for ref in support.run_refs(project)} == {"refs/experiments/churn"}


def test_sixteen_commands_at_once_lose_no_tag(ours: Workspace, project: Path) -> None:
    sharing.make_run(ours, "lr0.05", run_id=ID)
    children = [sharing.start_gitexp(project, "tag", ID, f"tag{number}", "shared=yes") for number in range(16)]
    for child in children:
        _, said = child.communicate(timeout=100)
        assert child.returncode == 0, said
    assert sharing.tags(ours, ID) == {"shared": "yes", **{f"tag{number}": "" for number in range(16)}}


def test_plain_git_reads_merges_and_carries_what_gitexp_says(ours: Workspace, project: Path, bo: Path) -> None:
    run = sharing.make_run(ours, "lr0.05", run_id=ID)
    gitexp(project, "tag", "lr0.05", "ours")
    support.git(project, "push", "--quiet", "origin", "refs/experiments/*", notes.REF)
    support.git(bo, "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*", "refs/notes/*:refs/notes/*")
    gitexp(bo, "tag", "lr0.05", "theirs")
    gitexp(project, "tag", "lr0.05", "later")
    support.git(project, "push", "--quiet", "origin", notes.REF)
    support.git(bo, "fetch", "--quiet", "origin", f"{notes.REF}:refs/notes/theirs")
    support.git(bo, "notes", "--ref", "experiments", "merge", "--quiet", "-s", "cat_sort_uniq", "refs/notes/theirs")
    support.git(bo, "push", "--quiet", "origin", notes.REF)
    support.git(project, "fetch", "--quiet", "origin", f"{notes.REF}:{notes.REF}")
    assert described(project)[ID][0] == described(bo)[ID][0] == {"ours": "", "theirs": "", "later": ""}
    shown = support.git(project, "notes", "--ref", "experiments", "show", str(run.commit))
    assert len(shown.splitlines()) == 3


def test_a_leaked_key_is_purged_everywhere(ours: Workspace, project: Path, bare: Path, bo: Path) -> None:
    sharing.make_run(ours, "leak", run_id=ID, dirty=True, files={"output.log": b"key=hunter2\n"})
    sharing.make_run(ours, "fine", run_id=OTHER)
    gitexp(project, "note", "leak", "the key is hunter2")
    gitexp(project, "push", "--yes")
    gitexp(bo, "fetch")
    gitexp(bo, "note", "fine", "not about the key")
    done = gitexp(project, "purge", "leak", "-m", "a key", "--remote", "origin", "--yes")
    assert done.lines[0] == "purged churn/leak (kqzvmxr)"
    gitexp(bo, "push", "--all", "--yes")
    gitexp(bo, "fetch")
    with support.untouched(bo):
        gitexp(bo, "purge", "--follow", "--yes")
    gitexp(project, "fetch")
    for path in (project, bo, bare):
        assert [ref for ref in support.run_refs(path) if ID[:7] in ref] == []
    support.git(bare, "gc", "--quiet", "--prune=now")
    for path in (project, bo, bare):
        listed = support.git(path, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
        blobs = [line.split()[0] for line in listed.splitlines() if line.endswith("blob")]
        assert [oid for oid in blobs if "hunter2" in support.git(path, "cat-file", "blob", oid)] == []
    assert described(project) == described(bo) == {OTHER: ({}, ["not about the key"], None)}
