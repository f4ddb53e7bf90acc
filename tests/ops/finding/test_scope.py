"""The experiment that is meant when none is named, and what the name of one means."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp import ids
from gitexp.errors import NotFound
from gitexp.ops.finding import scope
from gitexp.store import workspace as workspaces
from tests import stored, support

A, B, C = "kqzvmxrkqzvmxrkq", "mzrokvumzrokvumz", "wxlnptywxlnptywx"


def test_the_current_experiment_is_that_of_the_newest_run_recorded_here(project: Path, tmp_path: Path) -> None:
    assert scope.current_experiment(workspaces.open()) == "default"
    stored.make(None, "a", A, at="14:00", experiment="old")
    stored.make(None, "b", B, at="14:10", experiment="new")
    assert scope.current_experiment(workspaces.open()) == "new"
    support.gitexp("rm", "b")
    assert scope.current_experiment(workspaces.open()) == "old"
    support.git(tmp_path, "clone", "--quiet", str(project), "clone")
    support.git(tmp_path / "clone", "fetch", "--quiet", "origin", "refs/experiments/*:refs/experiments/*")
    clone = workspaces.open(tmp_path / "clone")
    assert scope.current_experiment(clone) == "new"
    stored.make(clone, "c", C, at="13:00", experiment="mine")
    assert scope.current_experiment(clone) == "mine"


def test_the_experiment_that_is_set_counts_before_all_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.make(None, "a", A, experiment="churn")
    monkeypatch.setenv("GITEXP_EXPERIMENT", "not yet")
    assert scope.current_experiment(workspaces.open()) == ids.experiment_slug("not yet")
    support.gitexp("experiment", "rename", "churn", "leavers")
    monkeypatch.setenv("GITEXP_EXPERIMENT", "leavers")
    assert scope.current_experiment(workspaces.open()) == "churn"


def test_an_experiment_is_meant_by_path_group_or_any_of_its_names(project: Path) -> None:
    stored.make(None, "a", A, experiment="vision/resnet")
    stored.make(None, "b", B, experiment="Two Towers")
    workspace = workspaces.open()
    support.gitexp("experiment", "rename", "vision/resnet", "backbone")
    assert [scope.path(workspace, name) for name in ("vision", "vision/", "backbone", "vision/resnet")] == [
        "vision", "vision", "vision/resnet", "vision/resnet",
    ]  # fmt: skip
    assert scope.path(workspace, "Two Towers") == ids.experiment_slug("Two Towers")
    with pytest.raises(NotFound):
        scope.path(workspace, "towers")
