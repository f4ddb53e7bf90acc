"""Which way a metric is better."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.errors import UsageError
from gitexp.ops.finding import goals
from gitexp.ops.finding.goals import Goal
from gitexp.store import workspace as workspaces
from tests import support


@pytest.mark.parametrize(
    ("metric", "best"),
    [
        ("loss", "min"), ("val_loss", "min"), ("train/loss", "min"), ("valLoss", "min"), ("rank1/loss", "min"),
        ("val_auc", "max"), ("valAUC", "max"), ("accuracy", "max"), ("f1_score", "max"), ("recall@10", "max"),
        ("top5_acc", "max"), ("mAP", "max"), ("bleu-4", "max"), ("R2", "max"), ("hits@3", "max"),
        ("rmse", "min"), ("val.mae", "min"), ("error_rate", "min"), ("perplexity", "min"), ("fid", "min"),
        ("cross_entropy", "min"), ("brier_score", "min"), ("false_positive_rate", "min"), ("latency_ms", "min"),
        ("error_recall", "max"), ("accuracy_loss", "min"),
        ("epoch", ""), ("lr", ""), ("step_time", ""), ("", ""), ("größe", ""), ("classes", ""),
    ],
)  # fmt: skip
def test_names_are_guessed(metric: str, best: str) -> None:
    assert goals.guess(metric).best == best


def test_what_the_project_says_wins_and_its_place_is_named(project: Path) -> None:
    support.write(project / "gitexp.toml", 'maximize = ["loss", "gain*"]\nminimize = ["*_auc"]\n')
    workspace = workspaces.open()
    assert goals.of(workspace, "loss") == Goal("max", "gitexp.toml")
    assert goals.of(workspace, "gain/total") == Goal("max", "gitexp.toml")
    assert goals.of(workspace, "val_auc") == Goal("min", "gitexp.toml")
    assert goals.of(workspace, "mse") == Goal("min", "guessed from the name")
    assert goals.of(workspace, "epoch") == Goal("")


def represent(*names: str) -> list[str]:
    return [goals.of(workspaces.open(), name).aggregate for name in names]


def test_the_value_that_stands_for_a_metric_can_be_chosen_by_name_or_glob(project: Path) -> None:
    assert represent("loss", "val_auc", "epoch") == ["min", "max", "last"]
    support.write(project / "gitexp.toml", '[summary]\n"val_*" = "last"\nval_auc = "mean"\nepoch = "max"\n')
    assert represent("loss", "val_auc", "val_loss", "epoch") == ["min", "mean", "last", "max"]
    goal = goals.of(workspaces.open(), "val_auc")
    assert (goal.best, goal.why, goal.summary_why) == ("max", "guessed from the name", "gitexp.toml")
    assert (goal.words, Goal("").words) == ("higher: guessed from the name", "")


def test_the_strongest_place_that_names_a_metric_decides(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.git(project, "config", "--global", "gitexp.summary", "loss=mean, val_*=mean, top=mean, deep=mean")
    support.write(project / "gitexp.toml", 'summary = "loss=first, val_*=first, top=first"\n')
    support.git(project, "config", "gitexp.summary", "val_*=last")
    support.git(project, "config", "gitexp.summary.loss", "last")
    assert represent("loss", "val_auc", "top", "deep") == ["last", "last", "first", "mean"]
    monkeypatch.setenv("GITEXP_SUMMARY", "*=max")
    assert represent("loss", "val_auc", "top", "deep", "epoch") == ["max"] * 5


def test_a_locked_summary_stands_above_all_places(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    support.write(project / "gitexp.toml", 'locked = ["summary"]\n[summary]\nloss = "first"\n')
    monkeypatch.setenv("GITEXP_SUMMARY", "loss=max, val_auc=last")
    assert represent("loss", "val_auc") == ["first", "max"]
    assert goals.of(workspaces.open(), "loss").summary_why == "gitexp.toml, locked"


def test_names_with_commas_equal_signs_and_brackets_can_be_named(project: Path) -> None:
    support.write(project / "gitexp.toml", '[summary]\n"f1,macro" = "last"\n"a=b" = "first"\n"loss[0]" = "mean"\n')
    assert represent("f1,macro", "a=b", "loss[0]") == ["last", "first", "mean"]


def test_later_values_of_git_config_are_stronger(project: Path) -> None:
    support.git(project, "config", "--add", "gitexp.summary", "loss=first")
    support.git(project, "config", "--add", "gitexp.summary", "loss=mean")
    assert represent("loss") == ["mean"]


@pytest.mark.parametrize("said", ["loss", "loss=median", "=min", "loss="])
def test_what_is_no_value_of_a_metric_is_refused_with_its_place(project: Path, said: str) -> None:
    support.git(project, "config", "gitexp.summary", said)
    with pytest.raises(UsageError) as caught:
        goals.of(workspaces.open(), "loss")
    assert str(caught.value) == f"gitexp.summary has '{said}' (git config), not NAME=last|min|max|mean|first"


def test_the_summary_is_set_and_read_by_gitexp_config(project: Path) -> None:
    support.gitexp("config", "summary", "loss=mean")
    support.write(project / "gitexp.toml", '[summary]\nval_auc = "last"\n')
    shown = support.gitexp("config", "summary", "--show-origin").stdout
    assert shown == "loss=mean, val_auc=last  (git config, gitexp.toml)\n"
    assert support.gitexp("config", "summary", "loss=median", expect=2).stderr.startswith("gitexp: gitexp.summary has ")
    shown = support.gitexp("config", "gitexp.summary.val_auc", "max", expect=2).stderr
    assert shown == "gitexp: gitexp.summary is one setting\ngitexp config gitexp.summary val_auc=VALUE\n"


def test_a_page_says_each_direction_and_where_it_is_from(project: Path) -> None:
    support.write(project / "gitexp.toml", 'minimize = ["cost*"]\n')
    named = ["val_auc", "cost", "loss", "epoch", "mse", "acc", "rmse", "f1"]
    assert goals.sentence(workspaces.open(), named) == (
        "higher val_auc, lower loss, lower mse, higher acc and 2 more (guessed from the name); lower cost (gitexp.toml)"
    )
    assert goals.sentence(workspaces.open(), ["epoch"]) == ""


def test_what_to_type_for_a_direction_keeps_those_that_are_said(project: Path) -> None:
    assert goals.saying(workspaces.open(), "epoch") == "gitexp config maximize epoch   (or minimize)"
    support.git(project, "config", "gitexp.maximize", "gain*")
    assert goals.saying(workspaces.open(), "my epoch") == "gitexp config maximize 'gain*, my epoch'   (or minimize)"


def test_nothing_is_better_than_what_is_not_a_number() -> None:
    nan = float("nan")
    assert [Goal("max").better(2, 1), Goal("min").better(2, 1), Goal("").better(2, 1)] == [True, False, False]
    assert not any(Goal("max").better(a, b) for a, b in ((nan, 1), (1, nan), (1, 1)))
    assert [Goal("max").aggregate, Goal("min").aggregate, Goal("").aggregate] == ["max", "min", "last"]
