"""Names of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import Ambiguous, NotFound, UsageError
from gitexp.ops.finding import find
from gitexp.store import annotations as said
from gitexp.store import workspace as workspaces
from gitexp.store.workspace import Workspace
from tests import stored, support

A, B, C = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "wxlnptywxlnptywx"


@pytest.fixture
def workspace(project: Path) -> Workspace:
    """Return a project with two runs of `churn` and one of `vision/resnet`, the newest."""
    opened = workspaces.open()
    stored.make(opened, "lr0.05", A, at="14:00", logged={"val_auc": [0.7, 0.9, 0.8], "loss": [0.5, 0.3]})
    stored.make(opened, "lr0.1", B, at="14:10", logged={"val_auc": [0.6, 0.85], "loss": [0.4, 0.2]}, edits=["train.py"])
    stored.make(opened, "Two Towers", C, at="14:20", experiment="vision/resnet", logged={"loss": [0.1]})
    return opened


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("lr0.05", A),
        ("LR0.05", A),
        ("churn/lr0.05", A),
        ("Two Towers", C),
        ("two-towers", C),
        ("vision/resnet/Two Towers", C),
        ("vision/resnet/two-towers", C),
        ("kqz", A),
        (A, A),
        ("refs/experiments/churn/lr0.05-kqzvmxr", A),
        ("experiments/churn/lr0.05-kqzvmxr", A),
        ("churn/lr0.05-kqzvmxr", A),
        ("lr0.05-kqzvmxr", A),
        ("@", C),
        ("@~0", C),
        ("@~", B),
        ("@~1", B),
        ("@~2", A),
        ("refs/experiments/churn/lr0.05-kqzvmxr^0", A),
    ],
)
def test_a_run_has_many_names(workspace: Workspace, name: str, run_id: str) -> None:
    assert find.one(workspace, name).id == run_id


def test_a_run_is_found_by_its_commit(workspace: Workspace) -> None:
    commit = str(find.one(workspace, A).commit)
    assert [find.one(workspace, name).id for name in (commit, commit[:12])] == [A, A]


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("@{max:val_auc}", A),
        ("@{last:max:val_auc}", B),
        ("@{min:loss}", B),
        ("@{max:loss}", A),
        ("@{last:min:loss}", B),
        ("@{best:val_auc}", A),
        ("@{best:loss}", B),
    ],
)
def test_the_best_run_is_over_the_steps_unless_the_last_is_asked(
    workspace: Workspace, name: str, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITEXP_EXPERIMENT", "churn")
    assert find.one(workspace, name).id == run_id


def test_the_best_run_is_completed_not_removed_and_not_nan(project: Path) -> None:
    workspace = workspaces.open()
    stored.make(workspace, "good", A, at="14:00", logged={"loss": [0.5]})
    stored.make(workspace, "failed", B, at="14:10", logged={"loss": [0.1]}, status="failed")
    stored.make(workspace, "nan", C, at="14:20", logged={"loss": [float("nan")]})
    gone = stored.make(workspace, "gone", "zzzzzzzzzzzzzzzz", at="14:30", logged={"loss": [0.2]})
    said.add(workspace, [said.about_run(gone, "remove", reason="")])
    assert find.one(workspace, "@{min:loss}").name == "good"


def test_among_equals_the_best_is_the_newest(project: Path) -> None:
    stored.make(None, "old", A, at="14:00", logged={"loss": [0.5]})
    stored.make(None, "new", B, at="14:10", logged={"loss": [0.5]})
    assert find.one(workspaces.open(), "@{min:loss}").name == "new"


def test_a_name_of_several_runs_lists_them(workspace: Workspace) -> None:
    stored.make(workspace, "lr0.05", "zzzzzzzzzzzzzzzz", at="14:30", experiment="other")
    with pytest.raises(Ambiguous) as caught:
        find.one(workspace, "lr0.05")
    assert caught.value.candidates == ("zzzzzzz  other/lr0.05", "kqzvmxr  churn/lr0.05")
    assert find.one(workspace, "churn/lr0.05").id == A


def test_of_two_runs_with_one_slug_the_name_to_the_letter_wins(project: Path) -> None:
    stored.make(None, "LR 0.1", A)
    stored.make(None, "lr-0.1", B)
    assert [find.one(workspaces.open(), name).id for name in ("LR 0.1", "lr-0.1")] == [A, B]
    with pytest.raises(Ambiguous):
        find.one(workspaces.open(), "lr 0.1")


def test_a_name_to_the_letter_wins_over_the_beginning_of_an_id(project: Path) -> None:
    stored.make(None, "trust", A)
    stored.make(None, "other", "trustkkkkkkkkkkk")
    assert [find.one(workspaces.open(), name).id for name in ("trust", "trustk")] == [A, "trustkkkkkkkkkkk"]


def test_code_lists_its_runs(workspace: Workspace, project: Path) -> None:
    for name in ("main", "HEAD", support.git(project, "rev-parse", "HEAD")[:9]):
        with pytest.raises(Ambiguous) as caught:
            find.one(workspace, name)
        assert [line[:7] for line in caught.value.candidates] == ["wxlnpty", "mzrokvu", "kqzvmxr"]
    commit = support.commit(project, "more", new__py="1")
    with pytest.raises(NotFound, match=f"'HEAD' is the code commit {commit[:7]}, which no run has run"):
        find.one(workspace, "HEAD")


def test_a_snapshot_is_the_code_of_its_run(workspace: Workspace) -> None:
    snapshot = find.one(workspace, B).record.code["snapshot"]
    with pytest.raises(Ambiguous) as caught:
        find.one(workspace, snapshot)
    assert caught.value.candidates == ("mzrokvu  churn/lr0.1",)
    assert find.code(workspace, find.one(workspace, B)) == snapshot


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lr0.5", "did you mean: lr0.05, lr0.1"),
        ("chrn/lr0.05", "did you mean: churn/lr0.05, churn/lr0.1"),
        ("kqzvmxx", "did you mean: kqzvmxr"),
        ("0000000", "list the runs with: gitexp log --all"),
        ("--help", "list the runs with: gitexp log --all"),
        ("", "list the runs with: gitexp log --all"),
    ],
)
def test_what_is_not_found_names_what_is_near(workspace: Workspace, name: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        find.one(workspace, name)
    assert caught.value.hint == hint


@pytest.mark.parametrize("name", ["@x", "@{}", "@{loss}", "@{last:best:loss}", "@~x", "@@", "@{min:}"])
def test_a_form_that_does_not_exist_is_said(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="names no run"):
        find.one(workspace, name)


def test_a_number_beyond_all_runs_says_how_many_there_are(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="3 runs recorded in this clone"):
        find.one(workspace, "@~3")
    with pytest.raises(NotFound, match="no completed run of vision/resnet has the metric 'acc'"):
        find.one(workspace, "@{max:acc}")


def test_the_newest_is_of_those_recorded_in_this_clone(workspace: Workspace, project: Path, tmp_path: Path) -> None:
    support.git(tmp_path, "clone", "--quiet", str(project), "clone")
    support.git(tmp_path / "clone", "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*")
    clone = workspaces.open(tmp_path / "clone")
    with pytest.raises(NotFound, match="no run was recorded in this clone"):
        find.one(clone, "@")
    stored.make(clone, "mine", "zzzzzzzzzzzzzzzz", at="13:00")
    assert [run.name for run in find.recent(clone)] == ["mine"]


def test_runs_of_one_second_are_told_apart_by_their_records(project: Path) -> None:
    for at, run_id in enumerate([B, A, C]):
        stored.make(None, f"run{at}", run_id, start_ms=1_795_184_520_000 + at)
    assert [run.name for run in find.recent(workspaces.open())] == ["run2", "run1", "run0"]
    assert support.gitexp("log", "--format", "{name}").lines == ["run2", "run1", "run0"]


def test_removed_runs_are_found_only_when_asked_for(workspace: Workspace) -> None:
    said.add(workspace, [said.about_run(find.one(workspace, C), "remove", reason="")])
    assert find.one(workspace, "@").id == B
    with pytest.raises(NotFound, match="was removed") as caught:
        find.one(workspace, "two-towers")
    assert caught.value.hint == "gitexp undelete two-towers"
    assert find.one(workspace, "two-towers", removed=True).id == C
    with pytest.raises(NotFound):
        find.many(workspace, ["vision/resnet/*"])


def test_a_running_run_has_the_same_names(project: Path) -> None:
    stored.make(None, "before", A)
    workspace = workspaces.open()
    with stored.live("trial") as session:
        run_id = session.start.record.id
        for name in ("@", "trial", "churn/trial", run_id, run_id[:7]):
            found = find.one(workspace, name)
            assert (found.id, found.live) == (run_id, True)
        assert find.one(workspace, "@~1").id == A


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["lr*"], [B, A]),
        (["LR0.0?"], [A]),
        (["churn/*"], [B, A]),
        (["*"], [C, B, A]),
        (["two *"], [C]),
        (["lr0.1", "lr*", "@"], [B, A, C]),
        (["lr0.[01]*"], [B, A]),
    ],
)
def test_several_names_and_patterns_give_each_run_once(
    workspace: Workspace, names: list[str], found: list[str]
) -> None:
    assert [run.id for run in find.many(workspace, names)] == found


def test_a_pattern_that_matches_nothing_is_said(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match=r"no run matches 'x\*'"):
        find.many(workspace, ["x*"])


def test_a_renamed_experiment_is_found_by_its_new_name(workspace: Workspace) -> None:
    support.gitexp("experiment", "rename", "churn", "leaving customers")
    assert find.one(workspace, "leaving customers/lr0.05").id == A
    assert find.one(workspace, "churn/lr0.05").id == A


def test_an_earlier_tip_of_a_resumed_run_is_that_record(project: Path) -> None:
    import gitexp

    with gitexp.start_run("churn", name="twice") as run:
        run.log({"loss": 0.5})
    first = find.one(workspaces.open(), "@").commit
    with gitexp.start_run(resume=run.id) as again:
        again.log({"loss": 0.25})
    workspace = workspaces.open()
    assert find.one(workspace, "@").commit != first
    assert find.one(workspace, str(first)).summary["loss"].count == 1
    assert len(find.many(workspace, ["twice"])) == 1
