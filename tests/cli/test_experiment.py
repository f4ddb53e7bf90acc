"""gitexp experiment: the whole of what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp import ids
from tests import sharing, support

ID = "kqzvmxr" + "k" * 9


@pytest.fixture(autouse=True)
def _run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITEXP_NOW", "2026-11-21T14:22:00Z")
    sharing.make_run(sharing.opened(project), "lr0.05", run_id=ID)


def test_an_experiment_from_creation_to_removal(project: Path) -> None:
    with support.untouched(project):
        made = support.gitexp("experiment", "create", "Vision/ResNet", "-m", "does depth help?")
        path = ids.experiment_slug("Vision/ResNet")
        assert made.stderr == f"created Vision/ResNet: refs/experiments/{path}/\n"
        renamed = support.gitexp("experiment", "rename", "churn", "attrition")
        assert renamed.stderr == "churn is now called attrition; refs/experiments/churn/ stays\n"
        support.gitexp("experiment", "tag", "attrition", "team=growth", "q3")
        assert support.gitexp("experiment", "tag", "churn").lines == ["q3", "team=growth"]
        support.gitexp("experiment", "tag", "-d", "attrition", "q3")
        assert support.gitexp("experiment", "note", "attrition", "started", "well").stderr == "noted on attrition\n"
        support.gitexp("experiment", "describe", "attrition", "who leaves?")
        assert support.gitexp("experiment", "ls").lines == [
            "NAME           RUNS  NEWEST  TAGS         DESCRIPTION",
            "Vision/ResNet     0       -               does depth help?",
            "attrition         1  " + support.gitexp("experiment", "ls").lines[2].split()[2].rjust(6)
            + "  team=growth  who leaves?",
        ]  # fmt: skip
        gone = support.gitexp("experiment", "rm", "attrition", "-m", "wrong question")
        assert gone.lines == ["removed attrition with 1 run", "  churn/lr0.05 (kqzvmxr)"]
        assert [row["name"] for row in support.gitexp("experiment", "ls", "--json").json] == ["Vision/ResNet"]
        assert support.gitexp("experiment", "ls", "--all").lines[-1].startswith("attrition  (removed)     0")
        assert support.gitexp("experiment", "undelete", "churn").lines == ["brought back attrition with 1 run"]


def test_a_dry_run_removes_nothing(project: Path) -> None:
    lines = support.gitexp("experiment", "rm", "-n", "churn").lines
    assert lines == ["would remove churn with 1 run", "  churn/lr0.05 (kqzvmxr)"]
    assert support.git(project, "for-each-ref", "refs/notes/") == ""


def test_archived_experiments_are_left_out(project: Path) -> None:
    assert support.gitexp("experiment", "archive", "churn").stderr == "churn is in the archive\n"
    hidden = support.gitexp("experiment", "ls").stderr
    assert hidden == "1 experiment archived or removed: gitexp experiment ls --all\n"
    assert support.gitexp("experiment", "archive", "--undo", "churn").stderr == "churn is out of the archive\n"
    assert len(support.gitexp("experiment", "ls").lines) == 2


def test_an_unknown_experiment_names_the_near_ones(project: Path) -> None:
    done = support.gitexp("experiment", "archive", "chrun", expect=4)
    assert done.stderr == "gitexp: no experiment 'chrun'\ndid you mean: churn\n"
