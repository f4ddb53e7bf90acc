"""Which way a metric is better."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitexp.ops import goals
from gitexp.ops.goals import Goal
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


def test_nothing_is_better_than_what_is_not_a_number() -> None:
    nan = float("nan")
    assert [Goal("max").better(2, 1), Goal("min").better(2, 1), Goal("").better(2, 1)] == [True, False, False]
    assert not any(Goal("max").better(a, b) for a, b in ((nan, 1), (1, nan), (1, 1)))
    assert [Goal("max").aggregate, Goal("min").aggregate, Goal("").aggregate] == ["max", "min", "last"]
